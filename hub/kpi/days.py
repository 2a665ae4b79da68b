"""Days, months and quarter hours: how instants are cut into the stretches of time that figures are told of.

A day and a month are those of a time zone's calendar; an interval is a quarter of an hour of UTC, which is one of every
zone in use, too (their offsets are multiples of 15 minutes). Weeks begin on Monday (ISO 8601).

A stretch is named by one whole number, the same in every zone: an interval by the quarters since 1970, a day by its
ordinal (`date.toordinal`), a month by the months since the year 0.

Pure: standard library only, and no clock (`now` is an argument).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from hub.domain.sentences import Sentence

INTERVAL_S = 900
INTERVAL = timedelta(seconds=INTERVAL_S)

# Nothing was counted before computers did; and a day must have one after it, in every zone.
_FIRST_DAY, _LAST_DAY = date(1970, 1, 2), date(2999, 12, 31)
DAYS_TOLD = Sentence("must be from {first} to {last}", first=str(_FIRST_DAY), last=str(_LAST_DAY))

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Grain(StrEnum):
    """How finely a report is cut. Cells are kept by interval, day and month."""

    INTERVAL = "interval"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class LocalDay:
    """One calendar day of a time zone as the instants start <= t < end: 24 hours, 23 or 25 where the clocks change."""

    date: date
    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end


def day_of(on: date, zone: ZoneInfo) -> LocalDay:
    """Where the clocks change at midnight the day begins with its first instant: zoneinfo reads a skipped 00:00 with
    the offset before the change, and of a repeated 00:00 takes the first."""
    return LocalDay(on, start_of(on, zone), start_of(on + timedelta(days=1), zone))


def local_day(now: datetime, zone: ZoneInfo) -> LocalDay:
    """The day that `now` (aware) falls in."""
    return day_of(now.astimezone(zone).date(), zone)


def start_of(on: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day."""
    return datetime.combine(on, time(), tzinfo=zone).astimezone(UTC)


def days_earlier(at: datetime, count: timedelta, zone: ZoneInfo) -> datetime:
    """When the clocks of a zone showed the same so many days before; of a time that came twice the first, of one that was
    skipped as much later."""
    return (at.astimezone(zone).replace(tzinfo=None, fold=0) - count).replace(tzinfo=zone).astimezone(UTC)


def is_told_of(on: date) -> bool:
    """Whether anybody may ask for this day."""
    return _FIRST_DAY <= on <= _LAST_DAY


def wall_s(since: datetime, until: datetime) -> float:
    """Seconds on the wall clock. Never negative: a provider's clock may run ahead of ours."""
    return max(0.0, (until - since).total_seconds())


def wall_ms(since: datetime, until: datetime) -> int:
    """The same in whole milliseconds, what is less than one cut off."""
    return max(0, (until - since) // _MILLISECOND)


# --- the numbers of stretches -----------------------------------------------------------------------------------------


def interval_number(at: datetime) -> int:
    return (at - _EPOCH) // INTERVAL


def interval_start(number: int) -> datetime:
    return _EPOCH + number * INTERVAL


def day_number(at: datetime, zone: ZoneInfo) -> int:
    return at.astimezone(zone).toordinal()


def month_number(on: date) -> int:
    return on.year * 12 + on.month - 1


def month_start(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def month_of_day(number: int) -> int:
    return month_number(date.fromordinal(number))


def cut(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a stretch of time, cut at the bounds of intervals, in their order."""
    while since < until:
        end = min(until, interval_start(interval_number(since) + 1))
        yield since, end
        since = end


# --- ranges of local days ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stretch:
    """So much of a report as one row tells: local days `since` to `until`, both included, or one interval of them."""

    since: date
    until: date
    interval: int | None = None

    def start(self, zone: ZoneInfo) -> datetime:
        return start_of(self.since, zone) if self.interval is None else interval_start(self.interval)

    def end(self, zone: ZoneInfo) -> datetime:
        if self.interval is None:
            return start_of(self.until + timedelta(days=1), zone)
        return interval_start(self.interval + 1)


def stretches(since: date, until: date, grain: Grain, zone: ZoneInfo) -> list[Stretch]:
    """A range of local days cut by a grain: the first and the last week or month may be cut short."""
    if grain is Grain.TOTAL:
        return [Stretch(since, until)]
    if grain is Grain.INTERVAL:
        first, beyond = start_of(since, zone), start_of(until + timedelta(days=1), zone)
        numbers = range(interval_number(first), interval_number(beyond - _MILLISECOND) + 1)
        return [Stretch(on := interval_start(n).astimezone(zone).date(), on, n) for n in numbers]
    found = []
    while since <= until:
        last = min(until, _last_day(since, grain))
        found.append(Stretch(since, last))
        since = last + timedelta(days=1)
    return found


def _last_day(on: date, grain: Grain) -> date:
    if grain is Grain.DAY:
        return on
    if grain is Grain.WEEK:
        return on + timedelta(days=6 - on.weekday())
    return month_start(month_number(on) + 1) - timedelta(days=1)


def whole_months(since: date, until: date) -> tuple[range, list[range]]:
    """A range of days as the months that lie in it whole, and the days before and after them: their numbers."""
    first = month_number(since) if since.day == 1 else month_number(since) + 1
    beyond = month_number(until + timedelta(days=1))
    if first >= beyond:
        return range(0), [range(since.toordinal(), until.toordinal() + 1)]
    before = range(since.toordinal(), month_start(first).toordinal())
    after = range(month_start(beyond).toordinal(), until.toordinal() + 1)
    return range(first, beyond), [days for days in (before, after) if days]
