"""Makes the recordings that are shipped with the hub: `python -m hub.media.record`.

    phrases/LANGUAGE/NAME.ogg    hub.calls.phrases, spoken by espeak-ng: for machines on which it is not installed
    music.ogg                    music on hold, made of sines: nobody else's work

Run it again after a phrase was changed. What espeak-ng says is ours to ship: its licence (GPL 3) is about the program.
"""

from __future__ import annotations

import math
import random
import shutil
from array import array
from collections.abc import Iterator
from pathlib import Path

from hub.calls.phrases import PHRASES, TOLD_MINUTES, TOLD_PLACES
from hub.media.ogg import OggFile, read_sound
from hub.media.prompts import speak

_OWN = Path(__file__).resolve().parent
# Speech of a machine has nothing above 8 kHz.
_SPEECH_RATE = 16_000
_SPEECH_BITS_S = 14_000
_MUSIC_RATE = 24_000
_MUSIC_BITS_S = 32_000
_BEST_EFFORT = 10


def recordings() -> Iterator[tuple[str, str, str]]:
    """(language, name, text) of every recording."""
    numbers = {"place": range(1, TOLD_PLACES + 1), "minutes": range(2, TOLD_MINUTES + 1)}
    for language, phrases in PHRASES.items():
        for name, text in phrases.items():
            if name in numbers:
                yield from ((language, f"{name}_{n}", text.format(n=n)) for n in numbers[name])
            else:
                yield language, name, text


def record_phrases(directory: Path) -> int:
    """How many. What was there is replaced."""
    shutil.rmtree(directory, ignore_errors=True)
    count = 0
    for language, name, text in recordings():
        path = directory / language / f"{name}.ogg"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = OggFile(path, _SPEECH_RATE, "mono", bits_s=_SPEECH_BITS_S, effort=_BEST_EFFORT)
        file.write(read_sound(speak(text, language), _SPEECH_RATE))
        file.close()
        count += 1
    return count


# --- music ---------------------------------------------------------------------------------------------------------------

_BEAT_S = 0.4
_BEATS_A_BAR = 8
# Semitones above the C below middle C, from the bass up; each chord for two bars of the eight.
_CHORDS = ((5, 12, 16, 21), (9, 12, 16, 19), (2, 9, 12, 17), (7, 10, 14, 17))
_BARS = 8
# Which note of the chord is plucked on each beat; None: none.
_PATTERN = (1, 2, 3, 2, 1, 3, 2, None)


def music() -> array[int]:
    """A loop of some 26 s without a seam: what rings on at its end is heard at its beginning."""
    seconds = _BEAT_S * _BEATS_A_BAR * _BARS
    total = [0.0] * round(seconds * _MUSIC_RATE)
    # The same every time it is made.
    dice = random.Random(5)
    for bar in range(_BARS):
        chord = _CHORDS[bar // 2]
        start = bar * _BEATS_A_BAR
        if bar % 2 == 0:
            for note in chord:
                _add(total, start * _BEAT_S, note, 0.05, length_s=2.2 * _BEATS_A_BAR * _BEAT_S, attack_s=1.2)
        _add(total, start * _BEAT_S, chord[0] - 12, 0.16, length_s=2.5, attack_s=0.02)
        for beat, which in enumerate(_PATTERN):
            if which is not None:
                level = 0.13 if beat % 4 == 0 else dice.uniform(0.07, 0.11)
                _add(total, (start + beat) * _BEAT_S, chord[which] + 12, level, length_s=1.8, attack_s=0.006)
    loudest = max(map(abs, total))
    # Quieter than speech: one may put the receiver beside one.
    return array("h", (round(9_000 * value / loudest) for value in total))


def _add(total: list[float], at_s: float, note: int, level: float, *, length_s: float, attack_s: float) -> None:
    hertz = 130.81 * 2 ** (note / 12)
    start, count = round(at_s * _MUSIC_RATE), round(length_s * _MUSIC_RATE)
    turn = 2 * math.pi * hertz / _MUSIC_RATE
    for at in range(count):
        faded = min(1.0, at / (attack_s * _MUSIC_RATE)) * math.exp(-4 * at / count) * (1 - at / count)
        wave = math.sin(turn * at) + 0.25 * math.sin(2 * turn * at) + 0.08 * math.sin(3 * turn * at)
        total[(start + at) % len(total)] += level * faded * wave


def main() -> None:
    record_phrases(_OWN / "phrases")
    file = OggFile(_OWN / "music.ogg", _MUSIC_RATE, "mono", bits_s=_MUSIC_BITS_S, effort=_BEST_EFFORT, kind="audio")
    file.write(music())
    file.close()


if __name__ == "__main__":
    main()
