"""Percentiles: within 1 % of the exact value, and the same bits in whatever order values came, were merged or taken out."""

from __future__ import annotations

from random import Random

import pytest

from hub.kpi.sketch import EMPTY, RELATIVE_ERROR, Sketch, apply_changes, bin_of, decode, encode, make_sketch, merge


def draw(seed: int, count: int = 2_000) -> list[int]:
    """Durations as they are: many short ones, some of hours, some of nothing at all."""
    random = Random(seed)
    return [max(0, int(random.lognormvariate(9, 2.5)) - 50) for _ in range(count)]


def quantile(values: list[int], share: float) -> float:
    """Hyndman and Fan 1996, definition 7."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * share
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99, 1.0])
def test_a_percentile_is_within_its_error(share: float) -> None:
    for seed in range(5):
        values = draw(seed)
        assert make_sketch(values).quantile_ms(share) == pytest.approx(quantile(values, share), rel=RELATIVE_ERROR)


def test_order_and_grouping_make_no_difference() -> None:
    values = draw(1)
    whole = encode(make_sketch(values))
    Random(2).shuffle(values)
    parts = [make_sketch(values[n::7]) for n in range(7)]
    assert encode(merge(parts)) == whole
    assert encode(merge([merge(parts[4:]), *parts[3::-1]])) == whole


def test_a_value_may_be_taken_out_again() -> None:
    values = draw(3)
    added = apply_changes(make_sketch(values), {bin_of(777_777): 1})
    assert encode(apply_changes(added, {bin_of(777_777): -1})) == encode(make_sketch(values))
    assert apply_changes(make_sketch([5]), {bin_of(5): -1}) == EMPTY


def test_what_is_written_is_read_again() -> None:
    wide = (Sketch((-1, 3, 2_000), (1, count, 7)) for count in (255, 256, 65_536, 2**32, 2**63))
    for sketch in (EMPTY, make_sketch([0]), make_sketch([0, 0, 1, 86_400_000]), make_sketch(draw(4)), *wide):
        assert decode(encode(sketch)) == sketch


def test_fewer_than_no_values_are_never_written() -> None:
    with pytest.raises(ValueError, match="fewer than no values"):
        encode(Sketch((7,), (-1,)))


def test_nothing_has_no_percentile() -> None:
    assert EMPTY.quantile_ms(0.5) is None
