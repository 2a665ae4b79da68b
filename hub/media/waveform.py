"""What a recording is, heard once: kind, length, channels, and how loud it is along the way.

A plain WAV is read as it is; everything else by FFmpeg (PyAV, extra `voice`), told which kind it is. Without that extra the
kind is known and the loudness is not.
"""

from __future__ import annotations

import importlib.util
import io
import wave
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

# As many as the console draws: a bar each 2 pixels of a timeline.
PEAKS = 400
# Loudness is looked at in steps of this many seconds first, whatever the length: 12 hours are 432,000 numbers then.
_STEP_S = 0.1
# No call is longer; a sound that says it is would be decoded for ever.
_LIMIT_S = 12 * 3600
# Speech has its loudness below 4 kHz.
_RATE = 8_000
_MEDIA_TYPES = {
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
    "matroska": "audio/webm",
    "mov": "audio/mp4",
    "flac": "audio/flac",
}


@dataclass(frozen=True, slots=True)
class Waveform:
    """`duration_s` and `peaks` None: not known. `peaks`: for each channel at most PEAKS numbers from 0 (silence) to 100
    (as loud as can be)."""

    media_type: str
    duration_s: float | None = None
    channels: int | None = None
    peaks: list[list[int]] | None = None


def read_waveform(content: bytes) -> Waveform:
    """ValueError, in words, if it is no sound. Takes processor time: about a second for an hour of Opus."""
    kind = _kind(content)
    if kind is None:
        raise ValueError("is no sound that the hub knows")
    if kind == "wav" and (plain := _plain_wav(content)) is not None:
        return plain
    if importlib.util.find_spec("av") is None:
        return Waveform(_MEDIA_TYPES[kind])
    return _decoded(content, kind)


def _kind(content: bytes) -> str | None:
    """FFmpeg's name of the container, by its first bytes."""
    head = content[:12]
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return "wav"
    if head[4:8] == b"ftyp":
        return "mov"
    for start, name in ((b"OggS", "ogg"), (b"fLaC", "flac"), (b"ID3", "mp3"), (b"\x1a\x45\xdf\xa3", "matroska")):
        if head.startswith(start):
            return name
    # An MPEG audio frame of layer 3; the layer bits are 0 in ADTS (ISO/IEC 13818-7), which nobody records in.
    return "mp3" if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 else None


def _plain_wav(content: bytes) -> Waveform | None:
    """Of 16 bits; None for any other."""
    try:
        with wave.open(io.BytesIO(content), "rb") as file:
            channels, rate = file.getnchannels(), file.getframerate()
            if file.getsampwidth() != 2 or channels not in (1, 2) or not rate:
                return None
            # The header may promise more than there is.
            loudness = _Loudness(channels)
            step = max(1, round(rate * _STEP_S))
            frames = 0
            while len(part := file.readframes(step)) >= 2 * channels:
                samples = array("h", part[: len(part) - len(part) % (2 * channels)])
                frames += len(samples) // channels
                loudness.add([samples[channel::channels] for channel in range(channels)])
                if frames > _LIMIT_S * rate:
                    raise ValueError("is longer than any call")
    except (wave.Error, EOFError):
        return None
    return Waveform(_MEDIA_TYPES["wav"], round(frames / rate, 3), channels, loudness.peaks())


def _decoded(content: bytes, kind: str) -> Waveform:
    import av  # 60 ms and 30 MB that only sounds need

    loudness: _Loudness | None = None
    channels = samples = 0
    try:
        with av.open(io.BytesIO(content), "r", format=kind) as container:
            if not container.streams.audio:
                raise ValueError("has no sound in it")
            stream = container.streams.audio[0]
            channels = 2 if stream.codec_context.channels >= 2 else 1
            resampler = av.AudioResampler(
                format="s16p",
                layout="stereo" if channels == 2 else "mono",
                rate=_RATE,
                frame_size=round(_RATE * _STEP_S),
            )

            def parts() -> Iterator[av.AudioFrame]:
                for frame in container.decode(stream):
                    yield from resampler.resample(frame)
                yield from resampler.resample(None)

            loudness = _Loudness(channels)
            for part in parts():
                samples += part.samples
                loudness.add([array("h", bytes(plane)[: 2 * part.samples]) for plane in part.planes])
                if samples > _LIMIT_S * _RATE:
                    raise ValueError("is longer than any call")
    except av.FFmpegError:
        # What came before the damage can be heard.
        if not samples:
            raise ValueError("cannot be read: it is damaged, or not what it says it is") from None
    if loudness is None or not samples:
        raise ValueError("has no sound in it")
    return Waveform(_MEDIA_TYPES[kind], round(samples / _RATE, 3), channels, loudness.peaks())


class _Loudness:
    """The loudest sample of each step, by channel."""

    def __init__(self, channels: int) -> None:
        self._steps = [array("i") for _ in range(channels)]

    def add(self, samples: list[array[int]]) -> None:
        for steps, part in zip(self._steps, samples, strict=True):
            steps.append(_loudest(part))

    def peaks(self) -> list[list[int]]:
        return [_squeezed(steps) for steps in self._steps]


def _loudest(samples: array[int]) -> int:
    return max(abs(max(samples)), abs(min(samples))) if samples else 0


def _squeezed(steps: array[int]) -> list[int]:
    """At most PEAKS numbers, each the loudest of its share."""
    count = min(PEAKS, len(steps))
    shares = ((index * len(steps) // count, (index + 1) * len(steps) // count) for index in range(count))
    return [min(100, round(max(steps[first:last]) / 327.68)) for first, last in shares]
