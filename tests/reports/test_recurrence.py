"""When reports are due, in whatever time zone, and of which days they tell."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.reports.recurrence import Every, Recurrence, days_told, latest_due, next_due

KYIV = ZoneInfo("Europe/Kyiv")
DAILY = Recurrence(Every.DAY, time(7, 30), KYIV)
MONDAYS = Recurrence(Every.WEEK, time(7, 30), KYIV, weekday=1)


def monthly(day: int) -> Recurrence:
    return Recurrence(Every.MONTH, time(7, 30), KYIV, day=day)


def kyiv(month: int, day: int, hour: int = 7, minute: int = 30, *, fold: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=KYIV, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("recurrence", "after", "due"),
    [
        (DAILY, kyiv(3, 10, 7, 29), kyiv(3, 10)),
        (DAILY, kyiv(3, 10), kyiv(3, 11)),
        # It stays 07:30 on the clock, whatever that is elsewhere.
        (DAILY, kyiv(3, 28), kyiv(3, 29)),
        (MONDAYS, kyiv(3, 10), kyiv(3, 16)),
        (MONDAYS, kyiv(3, 16, 7, 0), kyiv(3, 16)),
        (monthly(1), kyiv(3, 10), kyiv(4, 1)),
        # A month that has no such day has it on its last one.
        (monthly(31), kyiv(3, 31), kyiv(4, 30)),
        (monthly(30), kyiv(2, 1), kyiv(2, 28)),
        (monthly(30), kyiv(3, 29), kyiv(3, 30)),
    ],
)
def test_it_is_due_at_that_time_of_the_clocks(recurrence: Recurrence, after: datetime, due: datetime) -> None:
    assert next_due(recurrence, after) == due


def test_a_time_that_the_clocks_skip_comes_later_and_one_they_repeat_comes_once() -> None:
    at_half_past_three = Recurrence(Every.DAY, time(3, 30), KYIV)
    # On 29 March 2026 the clocks go from 03:00 to 04:00, on 25 October from 04:00 to 03:00.
    assert next_due(at_half_past_three, kyiv(3, 28, 12)) == kyiv(3, 29, 4, 30)
    first = next_due(at_half_past_three, kyiv(10, 24, 12))
    assert first == kyiv(10, 25, 3, 30)
    assert next_due(at_half_past_three, first) == kyiv(10, 26, 3, 30)


def test_after_a_long_absence_only_the_latest_is_due() -> None:
    assert latest_due(DAILY, kyiv(3, 1), kyiv(3, 10, 12)) == kyiv(3, 10)
    assert latest_due(MONDAYS, kyiv(3, 2), kyiv(3, 20)) == kyiv(3, 16)
    assert latest_due(DAILY, kyiv(3, 10), kyiv(3, 10)) == kyiv(3, 10)


@given(
    st.sampled_from([DAILY, MONDAYS, monthly(1), monthly(31)]),
    # Bounds without a zone, as hypothesis wants them.
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_the_next_one_is_later_and_none_lies_between(recurrence: Recurrence, after: datetime) -> None:
    due = next_due(recurrence, after)
    assert due > after
    assert next_due(recurrence, due - timedelta(microseconds=1)) == due


@pytest.mark.parametrize(
    ("word", "since", "until"),
    [
        ("yesterday", date(2026, 3, 31), date(2026, 3, 31)),
        ("last_7_days", date(2026, 3, 25), date(2026, 3, 31)),
        ("last_28_days", date(2026, 3, 4), date(2026, 3, 31)),
        ("last_week", date(2026, 3, 23), date(2026, 3, 29)),
        ("last_month", date(2026, 3, 1), date(2026, 3, 31)),
    ],
)
def test_it_tells_of_days_that_are_over(word: str, since: date, until: date) -> None:
    # Wednesday, 1 April 2026, half past midnight in Kyiv: in UTC it is March still.
    assert days_told(word, kyiv(4, 1, 0, 30), KYIV) == (since, until)
