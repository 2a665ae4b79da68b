"""Forecasts by hand: what a history foretells, what does not lead it astray, and how its error is counted."""

import math
import random
from dataclasses import replace
from datetime import date, timedelta

import pytest

from hub.staffing.forecast import (
    QUARTERS,
    Accuracy,
    DayAhead,
    PastDay,
    accuracy,
    back_test,
    fit,
)

MONDAY = date(2026, 3, 2)
# Monday to Sunday; closed on Sundays.
BY_WEEKDAY = (400.0, 320.0, 320.0, 320.0, 300.0, 100.0, 0.0)
OPEN = range(36, 72)  # 09:00 to 18:00


def day(number: int, times: float = 1.0) -> PastDay:
    """The numbered day after MONDAY, every quarter alike."""
    on = MONDAY + timedelta(days=number)
    each = BY_WEEKDAY[on.weekday()] * times / len(OPEN)
    return PastDay(on, tuple(each if quarter in OPEN else 0.0 for quarter in range(QUARTERS)))


def history(days: int = 56) -> list[PastDay]:
    return [day(number) for number in range(days)]


def total(past: list[PastDay], ahead: DayAhead) -> float:
    found = fit(past)
    assert found is not None
    return sum(found.expected(ahead))


def next_day(past: list[PastDay], steps: int = 1) -> DayAhead:
    return DayAhead(past[-1].day + timedelta(days=steps))


@pytest.mark.parametrize("steps", range(1, 8))
def test_weeks_that_are_all_alike_go_on_like_that(steps: int) -> None:
    past = history()
    ahead = next_day(past, steps)
    assert total(past, ahead) == pytest.approx(BY_WEEKDAY[ahead.day.weekday()])
    found = fit(past)
    assert found is not None
    assert all(each == 0 for quarter, each in enumerate(found.expected(ahead)) if quarter not in OPEN)


def test_a_fortnight_is_the_least() -> None:
    assert fit(history(13)) is None
    assert fit(history(14)) is not None
    assert fit([]) is None
    assert fit([day(number, 0.0) for number in range(56)]) is None


@pytest.mark.parametrize("times", [0.0, 5.0, 100.0])
def test_a_day_out_of_the_way_hardly_moves_the_next(times: float) -> None:
    past = history()
    past[-3] = day(53, times)
    assert total(past, next_day(past)) == pytest.approx(400.0, rel=0.1)


def test_a_change_that_stays_is_followed_within_a_fortnight() -> None:
    past = history() + [day(number, 2.0) for number in range(56, 70)]
    assert total(past, next_day(past)) == pytest.approx(800.0, rel=0.1)


def test_a_spike_of_a_quarter_does_not_stay_in_it() -> None:
    past = history()
    counts = list(past[-7].counts)
    counts[40] = 60.0
    past[-7] = replace(past[-7], counts=tuple(counts))
    found = fit(past)
    assert found is not None
    spiked = found.expected(next_day(past))
    assert spiked[40] < 1.3 * spiked[41]


def test_holidays_teach_nothing_about_ordinary_days_and_are_foretold_closed() -> None:
    past = history()
    # A Wednesday on which nobody came, and the calendar says why.
    past[-5] = replace(day(51, 0.0), is_special=True, closed=frozenset(OPEN))
    found = fit(past)
    assert found is not None
    assert sum(found.expected(DayAhead(MONDAY + timedelta(days=58)))) == pytest.approx(320.0)
    assert sum(found.expected(DayAhead(MONDAY + timedelta(days=58), frozenset(OPEN)))) == 0.0


def test_what_comes_on_closed_days_all_the_same_is_expected_again() -> None:
    past = history()
    past[-5] = replace(day(51, 0.25), is_special=True, closed=frozenset(OPEN))
    found = fit(past)
    assert found is not None
    assert sum(found.expected(DayAhead(MONDAY + timedelta(days=58), frozenset(OPEN)))) == pytest.approx(80.0, rel=0.01)


def test_a_day_of_which_a_part_is_not_known_is_left_out() -> None:
    past = history()
    counts = (None, *past[-7].counts[1:40], *([0.0] * 56))
    past[-7] = replace(past[-7], counts=counts)
    assert total(past, next_day(past)) == pytest.approx(400.0)


def test_the_error_is_counted_by_hand() -> None:
    # |4−5| + |4−2| + |0−1| = 4 of 8; 8 − 8 = 0.
    found = accuracy([(4.0, 5.0), (4.0, 2.0), (0.0, 1.0)])
    assert (found.intervals, found.actual, found.wape, found.bias) == (3, 8.0, 0.5, 0.0)
    # E|X − 4| of Poisson with mean 4: 2·e^−4·4^5 ÷ 4! = 1.5629…
    assert found.chance == pytest.approx(2 * math.exp(-4) * 4**5 / 24 / 4)


def test_nothing_that_came_has_no_error() -> None:
    assert accuracy([(1.0, 0.0)]) == Accuracy(1, 0.0, None, None, None)
    assert accuracy([]) == Accuracy(0, 0.0, None, None, None)


def poisson(chance: random.Random, mean: float) -> float:
    left, count = math.exp(-mean), 0
    product = chance.random()
    while product > left:
        product *= chance.random()
        count += 1
    return float(count)


def by_chance(days: int, seed: int = 1) -> list[PastDay]:
    chance = random.Random(seed)
    return [
        replace(each, counts=tuple(poisson(chance, count or 0.0) for count in each.counts)) for each in history(days)
    ]


def test_arrivals_by_chance_are_foretold_about_as_well_as_chance_allows() -> None:
    tested = back_test(by_chance(84))
    assert tested is not None
    assert tested.days == 28
    ours, chance, naive = tested.accuracy.wape, tested.accuracy.chance, tested.naive.wape
    assert ours is not None
    assert chance is not None
    assert naive is not None
    # The week before is off by its own chance as well: √2 times.
    assert chance * 0.9 < ours < chance * 1.15 < naive
    assert abs(tested.accuracy.bias or 0.0) < 0.03


def test_the_back_test_knows_nothing_that_came_later() -> None:
    past = by_chance(84)
    tested = back_test(past, days=1, lead_days=7)
    spoilt = [*past[:-7], *(replace(each, counts=(9.0,) * QUARTERS) for each in past[-7:-1]), past[-1]]
    assert back_test(spoilt, days=1, lead_days=7) == tested
    assert tested is not None


def test_a_history_too_short_to_be_tried_is_told_as_none() -> None:
    assert back_test(history(14)) is None
