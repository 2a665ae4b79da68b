"""An uploaded sound, made into what every line plays: WAV, 16 bits, mono.

By FFmpeg (PyAV, extra `voice`), of the kinds below only and told which: left to guess, it would also open play lists, which
name other files and addresses. Without it a plain WAV is taken as it is.
"""

from __future__ import annotations

import importlib.util
import io
import wave
from array import array
from dataclasses import dataclass

from hub.domain.sentences import Sentence

# Twilio's <Play> takes WAV and MP3, not OGG (twilio.com/docs/voice/twiml/play, 2026-11); the hub's own line takes all.
MEDIA_TYPE = "audio/wav"
# Wide band: as much as Opus sends of speech at the line's bit rate, twice what the telephone network does. 32 kB a second.
RATE = 16_000
# Nobody listens to a longer prompt; so much the hub's own line plays of one (hub.media.ogg).
LIMIT_S = 300
# Shorter is a click.
_LEAST_S = 0.2
# Of plain WAVs: from the telephone's own rate to the studio's.
_PLAIN_RATES = (8_000, 48_000)


@dataclass(frozen=True, slots=True)
class SoundFile:
    content: bytes
    duration_s: float


def telephone_sound(content: bytes) -> SoundFile:
    """ValueError, in words for whoever uploads, if it is no sound, too short or too long. Takes processor time: some
    200 ms a minute of sound."""
    if importlib.util.find_spec("av") is None:
        return plain_wav(content)
    return _written(_decoded(content), RATE)


def plain_wav(content: bytes) -> SoundFile:
    """The samples of a PCM WAV with 16 bits, without whatever else stands in the file; of two channels the middle."""
    try:
        with wave.open(io.BytesIO(content), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            frames = file.readframes(LIMIT_S * _PLAIN_RATES[1] + 1)
    except (wave.Error, EOFError, ValueError):
        raise ValueError(Sentence("is no WAV file; without the extra “voice” the hub takes no other")) from None
    if width != 2 or channels not in (1, 2) or not _PLAIN_RATES[0] <= rate <= _PLAIN_RATES[1]:
        raise ValueError(Sentence("is no WAV with 16 bits, one or two channels and 8 to 48 kHz"))
    samples = array("h", frames[: len(frames) - len(frames) % (2 * channels)])
    if channels == 2:
        samples = array("h", ((left + right) // 2 for left, right in zip(samples[::2], samples[1::2], strict=True)))
    return _written(samples, rate)


def _kind(content: bytes) -> str | None:
    """FFmpeg's name of the container, by its first bytes."""
    head = content[:12]
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return "wav"
    if head[4:8] == b"ftyp":
        return "mov"
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return "aiff"
    for start, name in ((b"OggS", "ogg"), (b"fLaC", "flac"), (b"ID3", "mp3"), (b"\x1a\x45\xdf\xa3", "matroska")):
        if head.startswith(start):
            return name
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # The layer bits of an MPEG audio header are 0 in ADTS (ISO/IEC 13818-7).
        return "aac" if head[1] & 0x06 == 0 else "mp3"
    return None


def _decoded(content: bytes) -> array[int]:
    import av  # 60 ms and 30 MB that only uploads need

    kind = _kind(content)
    if kind is None:
        raise ValueError(Sentence("is no sound that the hub can read: WAV, MP3, OGG, FLAC, AAC, M4A, AIFF or WebM"))
    samples: array[int] = array("h")
    try:
        with av.open(io.BytesIO(content), "r", format=kind) as container:
            if not container.streams.audio:
                raise ValueError(Sentence("has no sound in it"))
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            for frame in container.decode(container.streams.audio[0]):
                for part in resampler.resample(frame):
                    samples.frombytes(bytes(part.planes[0])[: 2 * part.samples])
                if len(samples) > LIMIT_S * RATE:
                    break
            else:
                for part in resampler.resample(None):
                    samples.frombytes(bytes(part.planes[0])[: 2 * part.samples])
    except av.FFmpegError:
        raise ValueError(Sentence("cannot be read: it is damaged, or not what it says it is")) from None
    return samples


def _written(samples: array[int], rate: int) -> SoundFile:
    duration_s = len(samples) / rate
    if duration_s > LIMIT_S:
        raise ValueError(Sentence("is longer than {count} minutes", count=LIMIT_S // 60))
    if duration_s < _LEAST_S:
        raise ValueError(Sentence("has no sound in it"))
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return SoundFile(written.getvalue(), round(duration_s, 3))
