"""Sound files: OGG with Opus in it, which every browser plays, written while the talk goes on; WAV and OGG are read."""

from __future__ import annotations

import io
from array import array
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av

from hub.media.codec import Codec, pause, tone
from hub.media.frame import Frame

Layout = Literal["mono", "stereo"]

# Two channels that hold two people are coded as music is, at 48 kbit/s: what one says is 80 dB down on the other's channel,
# against 30 dB as libopus codes speech, and at half the cost (67 µs a frame at 48 kHz; measured 2026-11).
_BITS_S = {"mono": 24_000, "stereo": 48_000}
_KIND = {"mono": "voip", "stereo": "audio"}
# libopus' effort, 0 to 10: this much more is not heard on a telephone.
_EFFORT = 0
# An upload longer than this is cut: a caller has hung up by then, and each second costs 100 kB of memory.
LIMIT_S = 300
_KINDS = {b"RIFF": "wav", b"OggS": "ogg"}


class OggFile:
    """A file that grows. Its methods block; one thread at a time."""

    def __init__(
        self,
        path: Path,
        rate: int,
        layout: Layout,
        *,
        bits_s: int | None = None,
        effort: int = _EFFORT,
        kind: str | None = None,
    ) -> None:
        """`kind`: libopus' word for what it is mostly, voip or audio."""
        # Pages of a second: what a killed process had written can be played.
        self._container = av.open(
            str(path), "w", format="ogg", options={"page_duration": "1000000", "flush_packets": "1"}
        )
        stream = self._container.add_stream("libopus", rate=rate, layout=layout)
        stream.bit_rate = bits_s or _BITS_S[layout]
        stream.options = {"application": kind or _KIND[layout], "compression_level": str(effort)}
        self._stream = stream
        self._rate = rate
        self._layout = layout
        self._at = 0

    def write(self, pcm: array[int]) -> None:
        """Samples, of both channels in turns if there are two."""
        count = len(pcm) // (2 if self._layout == "stereo" else 1)
        if not count:
            return
        frame = av.AudioFrame("s16", self._layout, count)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._at
        self._at += count
        plane = frame.planes[0]
        plane.update(pcm.tobytes().ljust(plane.buffer_size, b"\0"))
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        try:
            if self._at:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


def interleaved(frames: Sequence[tuple[Frame | None, Frame | None]], size: int, *, stereo: bool) -> array[int]:
    """The samples of a run of frames as OggFile.write wants them; mono is the left one alone."""
    silent = array("h", bytes(2 * size))
    if not stereo:
        mono = array("h")
        for left, _ in frames:
            mono += silent if left is None else left.pcm
        return mono
    both = array("h", bytes(4 * size * len(frames)))
    for at, (left, right) in enumerate(frames):
        start = 2 * size * at
        if left is not None:
            both[start : start + 2 * size : 2] = left.pcm
        if right is not None:
            both[start + 1 : start + 2 * size : 2] = right.pcm
    return both


def read_sound(content: bytes, rate: int) -> array[int]:
    """The sound of a WAV or OGG file as mono samples, its first LIMIT_S seconds; ValueError when it is none. Blocks.

    FFmpeg is told which it is: left to guess, it would also open play lists, which name other files and addresses.
    """
    kind = next((name for start, name in _KINDS.items() if content.startswith(start)), None)
    if kind is None:
        raise ValueError("it is neither WAV nor OGG")
    pcm = array("h")
    try:
        with av.open(io.BytesIO(content), "r", format=kind) as container:
            if not container.streams.audio:
                raise ValueError("there is no sound in it")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
            for frame in container.decode(container.streams.audio[0]):
                for part in resampler.resample(frame):
                    pcm.frombytes(bytes(part.planes[0])[: 2 * part.samples])
                if len(pcm) > LIMIT_S * rate:
                    del pcm[LIMIT_S * rate :]
                    break
            else:
                for part in resampler.resample(None):
                    pcm.frombytes(bytes(part.planes[0])[: 2 * part.samples])
    except av.FFmpegError as error:
        raise ValueError(f"it is no sound file: {type(error).__name__}") from error
    return pcm


def duration_of(path: Path) -> float:
    """Seconds of sound in a file, counted; ValueError when it is none. Blocks."""
    try:
        with av.open(str(path), "r") as container:
            stream = container.streams.audio[0]
            frames = container.decode(stream)
            return round(sum(frame.samples / frame.sample_rate for frame in frames), 2)
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"it is no sound file: {type(error).__name__}") from error


def tones(codec: Codec) -> dict[str, array[int]]:
    """The tones of the European network (ITU-T E.180, supplement 2: 425 Hz; ringing 1 s on 4 s off, busy 0.5 s on and off)
    and our own: what says that one may speak now, and what stands where a prompt cannot be spoken."""
    return {
        "ringback": tone(codec, 425, 1.0, 0.1) + pause(codec, 4.0),
        "busy": tone(codec, 425, 0.5, 0.1) + pause(codec, 0.5),
        "beep": pause(codec, 0.2) + tone(codec, 880, 0.4) + pause(codec, 0.1),
        "unspoken": tone(codec, 520, 0.2, 0.1) + pause(codec, 0.3),
    }
