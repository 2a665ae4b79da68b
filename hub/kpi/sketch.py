"""Percentiles that can be merged: DDSketch, with an error of at most 1 % of the value (Masson, Rim and Lee, VLDB 2019).

A sketch is a count of values for each bin of a logarithmic scale. The scale is the library's (ddsketch); the counts are
whole numbers here, not its floats, so a sketch is the same, bit for bit, in whatever order values came and parts were
merged, and a value may be taken out again. It keeps durations in whole milliseconds.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from operator import sub

from ddsketch.mapping import LogarithmicMapping

# Stated with every percentile: its value is within so much of the exact one. 1 % is what the paper's authors use, too.
RELATIVE_ERROR = 0.01

_SCALE = LogarithmicMapping(RELATIVE_ERROR)
# 0 ms has a bin of its own, below that of 1 ms, which is 0.
_ZERO = -1


@dataclass(frozen=True, slots=True)
class Sketch:
    """`bins`: numbers of the bins that hold anything, rising; `counts`: how many values lie in each, none of them zero."""

    bins: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return sum(self.counts)

    def quantile_ms(self, share: float) -> float | None:
        """The value below which `share` of the cases lie, between the two nearest by straight line (Hyndman and Fan 1996,
        definition 7), each within RELATIVE_ERROR, and so is what lies between them. None: there is no value."""
        if not self.counts:
            return None
        upto = list(accumulate(self.counts))
        position = (upto[-1] - 1) * share
        below = int(position)
        at = bisect_right(upto, below)
        low = _value_ms(self.bins[at])
        if below + 1 < upto[at] or below + 1 == upto[-1]:
            return low
        return low + (_value_ms(self.bins[at + 1]) - low) * (position - below)


@cache
def _value_ms(number: int) -> float:
    return 0.0 if number == _ZERO else float(_SCALE.value(number))


EMPTY = Sketch()


def bin_of(value_ms: int) -> int:
    """The number of the bin that a duration (0 or more) lies in."""
    return _ZERO if value_ms <= 0 else int(_SCALE.key(value_ms))


def make_sketch(values_ms: Iterable[int]) -> Sketch:
    return from_counts(Counter(map(bin_of, values_ms)))


def merge(sketches: Iterable[Sketch]) -> Sketch:
    parts = list(sketches)
    if len(parts) == 1:
        return parts[0]
    counts: defaultdict[int, int] = defaultdict(int)
    for sketch in parts:
        for number, count in zip(sketch.bins, sketch.counts, strict=True):
            counts[number] += count
    return from_counts(counts)


def apply_changes(sketch: Sketch, changes: Mapping[int, int]) -> Sketch:
    """The sketch with so many values more (less, where it is below zero) in these bins."""
    counts = defaultdict(int, zip(sketch.bins, sketch.counts, strict=True))
    for number, count in changes.items():
        counts[number] += count
    return from_counts(counts)


def from_counts(counts: Mapping[int, int]) -> Sketch:
    """From how many values lie in which bin."""
    bins = sorted(number for number, count in counts.items() if count)
    return Sketch(tuple(bins), tuple([counts[number] for number in bins]))


# --- as bytes -----------------------------------------------------------------------------------------------------------
# A byte that says how wide the others are, the first bin (16 bits, from _ZERO on), the steps from each bin to the next, and
# the counts; all whole numbers, low bytes first, steps and counts as narrow as their largest allows. So one sketch has one
# encoding, and struct reads hundreds of bins in a microsecond or two.

_WIDTHS = "BHIQ"
_HEAD = struct.Struct("<BH")


def encode(sketch: Sketch) -> bytes:
    """ValueError: it counts fewer than no values somewhere."""
    if not sketch.bins:
        return b""
    if min(sketch.counts) < 0:
        raise ValueError("a sketch cannot hold fewer than no values")
    steps = list(map(sub, sketch.bins[1:], sketch.bins))
    step, count = _width(max(steps, default=0)), _width(max(sketch.counts))
    form = f"<{len(steps)}{_WIDTHS[step]}{len(sketch.counts)}{_WIDTHS[count]}"
    return _HEAD.pack(step << 2 | count, sketch.bins[0] - _ZERO) + struct.pack(form, *steps, *sketch.counts)


def _width(largest: int) -> int:
    """The place in _WIDTHS of what holds it: 1, 2, 4 or 8 bytes."""
    return 0 if largest < 1 << 8 else 1 if largest < 1 << 16 else 2 if largest < 1 << 32 else 3


def decode(data: bytes) -> Sketch:
    if not data:
        return EMPTY
    widths, first = _HEAD.unpack_from(data)
    step, count = widths >> 2, widths & 3
    bins = (len(data) - _HEAD.size + (1 << step)) // ((1 << step) + (1 << count))
    numbers = struct.unpack_from(f"<{bins - 1}{_WIDTHS[step]}{bins}{_WIDTHS[count]}", data, _HEAD.size)
    return Sketch(tuple(accumulate(numbers[: bins - 1], initial=first + _ZERO)), numbers[bins - 1 :])
