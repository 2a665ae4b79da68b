"""Uploaded sounds: every kind becomes the one that all lines play; what is none is refused in words."""

from __future__ import annotations

import io
import math
import wave
from array import array
from fractions import Fraction

import av
import pytest

from hub.media.sound_file import RATE, plain_wav, telephone_sound


def tone(seconds: float, rate: int, channels: int = 1) -> array[int]:
    samples = array("h")
    for number in range(int(seconds * rate)):
        samples.extend([round(8_000 * math.sin(2 * math.pi * 440 * number / rate))] * channels)
    return samples


def wav(samples: array[int], rate: int, channels: int = 1) -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return written.getvalue()


def encoded(container: str, codec: str, seconds: float = 1.0, rate: int = 48_000) -> bytes:
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        samples = tone(seconds, rate)
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        frame.planes[0].update(samples.tobytes())
        assert isinstance(stream, av.AudioStream)
        for packet in (*stream.encode(frame), *stream.encode(None)):
            output.mux(packet)
    return written.getvalue()


def read(content: bytes) -> tuple[int, int, array[int]]:
    """(channels, rate, samples)"""
    with wave.open(io.BytesIO(content)) as file:
        return file.getnchannels(), file.getframerate(), array("h", file.readframes(file.getnframes()))


def loudness(samples: array[int]) -> float:
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("wav", "pcm_s16le"),
        ("wav", "pcm_mulaw"),
        ("mp3", "libmp3lame"),
        ("ogg", "libopus"),
        ("flac", "flac"),
        ("ipod", "aac"),
        ("adts", "aac"),
        ("webm", "libopus"),
        ("aiff", "pcm_s16be"),
    ],
)
def test_every_kind_becomes_a_wav_with_one_channel(container: str, codec: str) -> None:
    sound = telephone_sound(encoded(container, codec))
    channels, rate, samples = read(sound.content)
    assert (channels, rate) == (1, RATE)
    # Codecs fill their last frame up, and some begin with one of their own.
    assert sound.duration_s == pytest.approx(1.0, abs=0.1)
    assert len(samples) == pytest.approx(sound.duration_s * RATE, abs=RATE / 1_000)
    assert loudness(samples) == pytest.approx(8_000 / math.sqrt(2), rel=0.1)


def test_two_channels_become_one() -> None:
    sound = telephone_sound(wav(tone(0.5, 44_100, 2), 44_100, 2))
    channels, _, samples = read(sound.content)
    assert channels == 1
    assert sound.duration_s == pytest.approx(0.5, abs=0.01)
    assert loudness(samples) == pytest.approx(8_000 / math.sqrt(2), rel=0.05)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"OggS" + bytes(200),
        b"ID3" + bytes(200),
        b"\xff\xfb" + bytes(200),
        b"\x00\x00\x00\x18ftypM4A " + bytes(200),
        b"\x1a\x45\xdf\xa3" + bytes(200),
        encoded("wav", "pcm_s16le")[:60],
    ],
)
def test_what_is_no_sound_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(is no sound|cannot be read|has no sound)"):
        telephone_sound(content)


def test_a_play_list_that_pretends_to_be_a_sound_opens_nothing() -> None:
    hidden = b"ID3\x03\x00\x00\x00\x00\x00\x00#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    with pytest.raises(ValueError, match="cannot be read"):
        telephone_sound(hidden)


def test_a_sound_has_five_minutes_at_most() -> None:
    with pytest.raises(ValueError, match="longer than 5 minutes"):
        telephone_sound(wav(array("h", bytes(2 * 8_000 * 301)), 8_000))


@pytest.mark.parametrize("channels", [1, 2])
def test_without_the_extra_a_plain_wav_is_taken(channels: int) -> None:
    sound = plain_wav(wav(tone(0.5, 8_000, channels), 8_000, channels))
    assert read(sound.content) == (1, 8_000, tone(0.5, 8_000))
    assert sound.duration_s == 0.5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (encoded("ogg", "libopus"), "is no WAV file"),
        (encoded("wav", "pcm_mulaw"), "is no WAV file"),
        (wav(tone(0.5, 96_000), 96_000), "8 to 48 kHz"),
        (wav(tone(0.01, 8_000), 8_000), "has no sound"),
        (wav(array("h", bytes(2 * 8_000 * 301)), 8_000), "longer than 5 minutes"),
    ],
)
def test_without_the_extra_everything_else_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        plain_wav(content)
