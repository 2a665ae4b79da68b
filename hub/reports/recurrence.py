"""When a scheduled report is due, and of which days it tells then.

A report is due at a time of the clocks in some time zone: every day, on one day of each week, or on one of each month (its
last, where it has fewer). Where the clocks skip that time the report comes as much later as they skip; where they show it
twice, the first counts.

Pure: standard library only, and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


class Every(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """`weekday` (1 is Monday, ISO 8601) goes with WEEK, `day` (1 to 31) with MONTH."""

    every: Every
    at: time
    zone: ZoneInfo
    weekday: int = 1
    day: int = 1


def next_due(recurrence: Recurrence, after: datetime) -> datetime:
    """The first instant it is due at that comes after this one."""
    on = after.astimezone(recurrence.zone).date() - _DAY
    while True:
        if _is_due_on(recurrence, on):
            due = datetime.combine(on, recurrence.at, tzinfo=recurrence.zone).astimezone(UTC)
            if due > after:
                return due
        on += _DAY


def latest_due(recurrence: Recurrence, first: datetime, now: datetime) -> datetime:
    """Of the instants it was due at from `first` (one of them, not after `now`) on: the latest up to `now`. What was missed
    before it is not caught up with."""
    latest = first
    while (following := next_due(recurrence, latest)) <= now:
        latest = following
    return latest


def _is_due_on(recurrence: Recurrence, on: date) -> bool:
    match recurrence.every:
        case Every.DAY:
            return True
        case Every.WEEK:
            return on.isoweekday() == recurrence.weekday
        case Every.MONTH:
            is_last = (on + _DAY).day == 1
            return on.day == recurrence.day or (is_last and on.day < recurrence.day)


# --- of which days it tells ---------------------------------------------------------------------------------------------


def _last_days(count: int) -> Callable[[date], tuple[date, date]]:
    return lambda today: (today - timedelta(days=count), today - _DAY)


def _last_week(today: date) -> tuple[date, date]:
    monday = today - timedelta(days=today.weekday())
    return monday - timedelta(days=7), monday - _DAY


def _last_month(today: date) -> tuple[date, date]:
    last = today.replace(day=1) - _DAY
    return last.replace(day=1), last


RANGES: Mapping[str, Callable[[date], tuple[date, date]]] = {
    "yesterday": _last_days(1),
    "last_7_days": _last_days(7),
    "last_28_days": _last_days(28),
    "last_week": _last_week,
    "last_month": _last_month,
}


def days_told(range_word: str, due_at: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """The first and the last day, both included, of a report that is due at this instant; `zone`: whose days they are. Only
    days that are over. KeyError for a word that is none of RANGES."""
    return RANGES[range_word](due_at.astimezone(zone).date())
