"""With which time a report is compared, and up to which instant of it while today is not over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.kpi.days import Grain, stretches
from hub.kpi.earlier import Earlier, earlier_of

BERLIN, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")
# A Thursday, 12:07 in Berlin.
NOW = datetime(2026, 11, 26, 11, 7, tzinfo=UTC)


def earlier(
    since: str, until: str, grain: Grain = Grain.TOTAL, before: str | None = None, now: datetime = NOW
) -> Earlier:
    first, last = date.fromisoformat(since), date.fromisoformat(until)
    begins = None if before is None else date.fromisoformat(before)
    return earlier_of(first, last, stretches(first, last, grain, BERLIN), grain, begins, now, BERLIN)


@pytest.mark.parametrize(
    ("since", "until", "before", "days", "cut"),
    [
        # What is over is compared with all of the time before, whatever time it is.
        ("2026-11-25", "2026-11-25", None, ("2026-11-24", "2026-11-24"), None),
        ("2026-10-01", "2026-10-31", None, ("2026-09-01", "2026-09-30"), None),
        # What goes on, up to the same time of day.
        ("2026-11-26", "2026-11-26", None, ("2026-11-25", "2026-11-25"), "2026-11-25T12:00"),
        ("2026-11-20", "2026-11-26", None, ("2026-11-13", "2026-11-19"), "2026-11-19T12:00"),
        ("2026-11-23", "2026-11-26", "2026-11-16", ("2026-11-16", "2026-11-19"), "2026-11-19T12:00"),
        ("2026-11-01", "2026-11-26", "2026-10-01", ("2026-10-01", "2026-10-26"), "2026-10-26T12:00"),
        # Days to come are in both: the month up to the same date.
        ("2026-11-01", "2026-11-30", None, ("2026-10-01", "2026-10-31"), "2026-10-26T12:00"),
    ],
)
def test_a_time_that_goes_on_is_compared_with_as_much_of_the_time_before(
    since: str, until: str, before: str | None, days: tuple[str, str], cut: str | None
) -> None:
    found = earlier(since, until, before=before)
    assert (found.since.isoformat(), found.until.isoformat()) == days
    at = found.cut(BERLIN)
    assert (at and at.astimezone(BERLIN).isoformat(timespec="minutes")[:16]) == cut


def test_a_shorter_month_is_compared_whole() -> None:
    found = earlier("2026-03-01", "2026-03-31", before="2026-02-01", now=datetime(2026, 3, 31, 10, 0, tzinfo=UTC))
    assert (found.since, found.until, found.cut(BERLIN)) == (date(2026, 2, 1), date(2026, 2, 28), None)


def test_it_is_cut_at_the_nearest_quarter_of_an_hour_of_each_zones_own_clock() -> None:
    def cuts(minute: int, zone: ZoneInfo) -> datetime | None:
        return earlier("2026-11-26", "2026-11-26", now=NOW.replace(minute=minute)).cut(zone)

    assert [cuts(minute, BERLIN) for minute in (7, 8, 53)] == [
        datetime(2026, 11, 25, 11, 0, tzinfo=UTC),
        datetime(2026, 11, 25, 11, 15, tzinfo=UTC),
        datetime(2026, 11, 25, 12, 0, tzinfo=UTC),
    ]
    # The clocks were changed in between: it is the clock that counts, not the hours.
    week = earlier("2026-10-26", "2026-10-26", now=datetime(2026, 10, 26, 11, 0, tzinfo=UTC))
    assert week.cut(BERLIN) == datetime(2026, 10, 25, 11, 0, tzinfo=UTC)
    saturday = earlier("2026-10-25", "2026-10-25", now=datetime(2026, 10, 25, 11, 0, tzinfo=UTC))
    assert (saturday.cut(BERLIN), saturday.cut(TOKYO)) == (
        datetime(2026, 10, 24, 10, 0, tzinfo=UTC),
        datetime(2026, 10, 24, 11, 0, tzinfo=UTC),
    )


def test_weeks_are_held_against_as_many_days() -> None:
    """The first of October is a Thursday, the first of July a Wednesday."""
    found = earlier("2026-10-01", "2026-11-26", Grain.WEEK, before="2026-07-01")
    own = stretches(date(2026, 10, 1), date(2026, 11, 26), Grain.WEEK, BERLIN)
    assert [one.until - one.since for one in found.stretches] == [one.until - one.since for one in own]
    assert found.stretches[0].since == date(2026, 7, 1)
    assert found.until - found.since == timedelta(days=56)
