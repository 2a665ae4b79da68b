"""What callers hear by themselves: it is sound, it can be cut and repeated, and it is always the same."""

from __future__ import annotations

import io
import struct
import wave
from itertools import pairwise

import pytest

from hub.media import hold_music


def levels(samples: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(samples) // 2}h", samples)


def loudness(samples: bytes) -> float:
    heard = levels(samples)
    return float((sum(level * level for level in heard) / len(heard)) ** 0.5)


def test_the_tune_is_as_long_as_it_says() -> None:
    assert len(hold_music.tune()) == 2 * hold_music.RATE_HZ * hold_music.TUNE_S


def test_its_pieces_are_the_tune() -> None:
    pieces = [hold_music.piece(start_s, 20) for start_s in range(0, hold_music.TUNE_S, 20)]
    assert b"".join(pieces) == hold_music.tune()


def test_it_is_never_silent_and_never_distorted() -> None:
    seconds = [hold_music.piece(start_s, 1) for start_s in range(hold_music.TUNE_S)]
    assert all(300 < loudness(second) < 8_000 for second in seconds)
    assert max(abs(level) for level in levels(hold_music.tune())) <= 8_000


def test_it_begins_anew_without_a_click() -> None:
    heard = levels(hold_music.tune())
    steps = [abs(after - before) for before, after in pairwise(heard)]
    assert abs(heard[0] - heard[-1]) <= max(steps)


def test_a_telephone_rings_for_a_second_of_five() -> None:
    heard = hold_music.ringback()
    assert len(heard) == 2 * 5 * hold_music.RATE_HZ
    second = 2 * hold_music.RATE_HZ
    assert loudness(heard[:second]) > 1_000
    assert set(levels(heard[second:])) == {0}


@pytest.mark.parametrize("samples", [hold_music.ringback(), hold_music.piece(0, 5)])
def test_a_file_is_what_players_read(samples: bytes) -> None:
    with wave.open(io.BytesIO(hold_music.wav(samples))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, hold_music.RATE_HZ)
        assert file.readframes(file.getnframes()) == samples
