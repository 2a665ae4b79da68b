"""Percentiles that can be merged: DDSketch, with an error of at most 1 % of the value (Masson, Rim and Lee, VLDB 2019).

A sketch is a count of values for each bin of a logarithmic scale. The scale is the library's (ddsketch); the counts are
whole numbers here, not its floats, so a sketch is the same, bit for bit, in whatever order values came and parts were
merged, and a value may be taken out again. It keeps durations in whole milliseconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ddsketch.mapping import LogarithmicMapping

# Stated with every percentile: its value is within so much of the exact one. 1 % is what the paper's authors use, too.
RELATIVE_ERROR = 0.01

_SCALE = LogarithmicMapping(RELATIVE_ERROR)
# 0 ms has a bin of its own, below that of 1 ms, which is 0.
_ZERO = -1


@dataclass(frozen=True, slots=True)
class Sketch:
    """`bins`: number of the bin → how many values lie in it, in the order of their numbers, none of them zero."""

    bins: tuple[tuple[int, int], ...] = ()

    @property
    def count(self) -> int:
        return sum(count for _, count in self.bins)

    def quantile_ms(self, share: float) -> float | None:
        """The value below which `share` of the cases lie, between the two nearest by straight line (Hyndman and Fan 1996,
        definition 7), each within RELATIVE_ERROR, and so is what lies between them. None: there is no value."""
        total = self.count
        if total == 0:
            return None
        position = (total - 1) * share
        below = int(position)
        low, high = self._at_rank(below), self._at_rank(min(below + 1, total - 1))
        return low + (high - low) * (position - below)

    def _at_rank(self, rank: int) -> float:
        seen = 0
        for number, count in self.bins:
            seen += count
            if seen > rank:
                return 0.0 if number == _ZERO else float(_SCALE.value(number))
        raise AssertionError("a rank below the count lies in some bin")


EMPTY = Sketch()


def bin_of(value_ms: int) -> int:
    """The number of the bin that a duration (0 or more) lies in."""
    return _ZERO if value_ms <= 0 else int(_SCALE.key(value_ms))


def make_sketch(values_ms: Iterable[int]) -> Sketch:
    return _from_counts(Counter(map(bin_of, values_ms)))


def merge(sketches: Iterable[Sketch]) -> Sketch:
    counts: defaultdict[int, int] = defaultdict(int)
    for sketch in sketches:
        for number, count in sketch.bins:
            counts[number] += count
    return _from_counts(counts)


def apply_changes(sketch: Sketch, changes: Mapping[int, int]) -> Sketch:
    """The sketch with so many values more (less, where it is below zero) in these bins."""
    counts = Counter(dict(sketch.bins))
    for number, count in changes.items():
        counts[number] += count
    return _from_counts(counts)


def _from_counts(counts: Mapping[int, int]) -> Sketch:
    return Sketch(tuple(sorted((number, count) for number, count in counts.items() if count)))


# --- as bytes -----------------------------------------------------------------------------------------------------------
# Pairs of whole numbers in base 128, low digits first, the highest bit set on all digits but the last (LEB128): the step
# from the bin before (the first from below all bins), and the count. One sketch has one encoding.


def encode(sketch: Sketch) -> bytes:
    """ValueError: it counts fewer than no values somewhere."""
    out = bytearray()
    last = _ZERO - 1
    for number, count in sketch.bins:
        if count < 0:
            raise ValueError("a sketch cannot hold fewer than no values")
        _append(out, number - last)
        _append(out, count)
        last = number
    return bytes(out)


def _append(out: bytearray, value: int) -> None:
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def decode(data: bytes) -> Sketch:
    """Mostly only the first step takes more than one byte: the rest is then read at once, three times as fast."""
    first, at = _read(data, 0) if data else (0, 0)
    rest = data[at:]
    numbers: Sequence[int] = rest
    if not rest.isascii():
        numbers, at = [], 0
        while at < len(rest):
            value, at = _read(rest, at)
            numbers.append(value)
    steps = accumulate(numbers[1::2], initial=first + _ZERO - 1)
    return Sketch(tuple(zip(steps, numbers[::2], strict=False)))


def _read(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where the next one begins."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
