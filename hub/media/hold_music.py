"""What the hub plays to callers by itself: a tune while they wait, and the tone of a telephone that rings. Pure.

Both are reckoned here, note by note, so they are the house's own and need no licence, file or library. 16 bits, one channel,
8 kHz: what the telephone network carries.

    tune()       TUNE_S seconds, which may be cut at each full second of a PHRASE_S and begin anew without a break
    ringback()   the European ringing tone: a second of 425 Hz, four of silence (ITU-T E.180)
    wav(pcm)     either as a file
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from functools import lru_cache

RATE_HZ = 8_000
TUNE_S = 60
# Four chords of six notes each.
PHRASE_S = 15
_NOTE_S = PHRASE_S / 24
# A plucked string is hardly heard after this.
_RING_S = 1.8
# How loud its partials are, the lowest first.
_PARTIALS = (1.0, 0.45, 0.18, 0.07)
# A quarter of full scale: three notes sound at once, and a telephone is held to the ear.
_LOUDEST = 8_000

# Semitones from A at 220 Hz, six for each chord; one line a phrase. The last leads back to the first.
_PHRASES = (
    ((-9, -2, 3, 7, 3, -2), (-12, -5, 0, 3, 0, -5), (-4, 0, 3, 8, 3, 0), (-2, 2, 5, 10, 5, 2)),
    ((-9, -2, 3, 10, 7, 3), (-12, -5, 0, 7, 3, 0), (-4, 0, 8, 3, 0, 3), (-2, 5, 2, 10, 5, 2)),
    ((-5, 0, 3, 7, 12, 7), (-7, -2, 1, 5, 10, 5), (-4, 0, 3, 8, 12, 8), (-2, 2, 5, 10, 14, 10)),
    ((-9, -2, 3, 7, 3, -2), (-4, 0, 3, 8, 3, 0), (-7, -2, 1, 5, 1, -2), (-2, 2, 5, 2, -2, 2)),
)


@lru_cache(maxsize=1)
def tune() -> bytes:
    """The tune as samples (little endian), TUNE_S seconds long."""
    length = TUNE_S * RATE_HZ
    mixed = [0.0] * length
    notes = [note for phrase in _PHRASES for chord in phrase for note in chord]
    for number, note in enumerate(notes):
        start = round(number * _NOTE_S * RATE_HZ)
        # The first of each chord is a little louder: that makes the measure.
        loudness = 1.0 if number % 6 == 0 else 0.7
        for place, sample in enumerate(_plucked(note), start):
            # What rings beyond the end sounds into the beginning, so that it can be played round and round.
            mixed[place % length] += loudness * sample
    loudest = max(abs(sample) for sample in mixed)
    return _samples(sample * _LOUDEST / loudest for sample in mixed)


@lru_cache(maxsize=64)
def _plucked(note: int) -> tuple[float, ...]:
    pitch_hz = 220 * 2 ** (note / 12)
    return tuple(
        min(place / 40, 1.0)
        * sum(
            volume
            * math.exp(-place / RATE_HZ * (2.2 + 0.9 * number))
            * math.sin(2 * math.pi * pitch_hz * number * place / RATE_HZ)
            for number, volume in enumerate(_PARTIALS, 1)
            if pitch_hz * number < RATE_HZ / 2
        )
        for place in range(round(_RING_S * RATE_HZ))
    )


@lru_cache(maxsize=1)
def ringback() -> bytes:
    """Five seconds, to be repeated."""
    tone = [_LOUDEST / 2 * math.sin(2 * math.pi * 425 * place / RATE_HZ) for place in range(RATE_HZ)]
    return _samples(tone) + bytes(2 * 4 * RATE_HZ)


def _samples(values: Iterable[float]) -> bytes:
    kept = [round(value) for value in values]
    return struct.pack(f"<{len(kept)}h", *kept)


def piece(start_s: int, length_s: int) -> bytes:
    """So much of the tune, as samples."""
    return tune()[2 * RATE_HZ * start_s : 2 * RATE_HZ * (start_s + length_s)]


def wav(samples: bytes) -> bytes:
    """As a WAV file: PCM, 16 bits, one channel."""
    form = struct.pack("<HHIIHH", 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return head + b"data" + struct.pack("<I", len(samples)) + samples
