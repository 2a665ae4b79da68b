"""The time that a report is compared with: as long as its own, just before it, and no further into it than today has come.

At noon a week that ends today has half a day to go. Beside seven whole days it would look like a loss of work each morning,
so of the day that today is held against only so much counts as is over of today: up to the same hour of the clock, to the
nearest quarter of an hour (cells are kept by quarters, so what is kept and what is folded agree).

Pure: standard library only, and no clock (`now` is an argument).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from hub.kpi.days import INTERVAL, Grain, Stretch, days_earlier, month_number, month_start, stretches

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Earlier:
    """`stretches`: of each of the report's its counterpart, by place; a longer month has some at its end that have none.
    `cut_on`: the day that today is held against, `now` that of the report; None: all of its days are over."""

    since: date
    until: date
    stretches: Sequence[Stretch]
    cut_on: date | None
    now: datetime
    today: date

    def cut(self, zone: ZoneInfo) -> datetime | None:
        """Only what lies before this instant counts; None: all of it. In each zone the same hour of its own clock."""
        if self.cut_on is None:
            return None
        return days_earlier(_nearest_quarter(self.now), self.today - self.cut_on, zone)


def earlier_of(
    since: date, until: date, of: Sequence[Stretch], grain: Grain, before: date | None, now: datetime, zone: ZoneInfo
) -> Earlier:
    """`of`: how `since` to `until` is cut. `before`: on which day the time before begins; None: as many days just before,
    before whole months as many months."""
    first, last = _days_before(since, until, before)
    today = now.astimezone(zone).date()
    shift = since - first
    cut_on = today - shift
    if before is None and _is_whole_months(since, until):
        months = month_number(since) - month_number(first)
        begins = month_start(month_number(today) - months)
        cut_on = min(begins + (today.day - 1) * _DAY, month_start(month_number(begins) + 1) - _DAY)
    found = _cut_alike(first, last, of, grain, shift, zone)
    goes_on = since <= today <= until and cut_on <= last
    return Earlier(first, last, found, cut_on if goes_on else None, now, today)


def _cut_alike(
    first: date, last: date, of: Sequence[Stretch], grain: Grain, shift: timedelta, zone: ZoneInfo
) -> list[Stretch]:
    """Weeks are cut where the report's are, and not on Mondays: so each is held against as many days."""
    by_month = grain is Grain.MONTH and first.day == 1 and (first + shift).day == 1
    if grain in (Grain.TOTAL, Grain.INTERVAL) or by_month:
        return stretches(first, last, grain, zone)
    moved = (Stretch(one.since - shift, min(one.until - shift, last)) for one in of)
    return [one for one in moved if one.since <= last]


def _days_before(since: date, until: date, before: date | None) -> tuple[date, date]:
    last = since - _DAY
    if before is not None:
        return before, min(before + (until - since), last)
    if _is_whole_months(since, until):
        months = month_number(until) - month_number(since) + 1
        return month_start(month_number(since) - months), last
    return last - (until - since), last


def _is_whole_months(since: date, until: date) -> bool:
    return since.day == 1 and (until + _DAY).day == 1


def _nearest_quarter(at: datetime) -> datetime:
    return at + INTERVAL / 2 - (at + INTERVAL / 2 - datetime.min.replace(tzinfo=at.tzinfo)) % INTERVAL
