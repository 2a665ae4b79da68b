"""Business hours: when a place is open, in its own time zone, through holidays and changes of the clock. Pure.

A calendar is a week of hours (several a day) and special days that replace a date's hours by others or by none. Hours are
wall-clock minutes of their day; those that run past midnight close after 24:00 (22:00 to 26:00 is 22:00 to 02:00) and
belong to the day on which they open: a holiday on Saturday does not cut Friday's night short.

Wall clocks jump. A time that is skipped is the moment of the jump; an opening time that comes twice is the first, a closing
time that comes twice the last. So a day from 00:00 to 24:00 has 23, 24 or 25 hours, or 23.5 on Lord Howe, and nobody who
looks at the clock on the wall is told that the place is closed while it says open.

All instants are aware; answers are in UTC. `read_calendar` is the door for what people typed: it answers with a calendar or
with every fault by name, and a Calendar that did not come through it is the caller's own affair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.domain.sentences import Sentence

DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS = (
    Sentence("monday"),
    Sentence("tuesday"),
    Sentence("wednesday"),
    Sentence("thursday"),
    Sentence("friday"),
    Sentence("saturday"),
    Sentence("sunday"),
)
MINUTES_PER_DAY = 1440
# A search for the next opening ends here: whoever closes for longer has closed for good.
_HORIZON_DAYS = 3_660
# Hours may run until the end of the day after the one they open on.
_LATEST_CLOSE = 2 * MINUTES_PER_DAY
# Zone rules are not kept for longer, and a date beyond is a slip of the keyboard.
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_CLOCK = re.compile(r"([0-4]?[0-9]):([0-5][0-9])")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes of the day: opens 0 to 1439, closes after that, at most 2880."""

    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A date with hours of its own; none: closed. `source` says where it comes from (manual, ical, country:AM …)."""

    day: date
    hours: tuple[Hours, ...] = ()
    name: str = ""
    source: str = "manual"


@dataclass(frozen=True, slots=True)
class Calendar:
    """`week`: seven tuples of hours, Monday first, each in order and without overlap."""

    zone: str
    week: tuple[tuple[Hours, ...], ...]
    special: Mapping[date, SpecialDay] = field(default_factory=dict)


ALWAYS = Calendar("UTC", ((Hours(0, MINUTES_PER_DAY),),) * 7)


@dataclass(frozen=True, slots=True)
class SpecialDayText:
    """A special day as it was typed: an ISO date, and pairs of HH:MM."""

    day: str
    hours: Sequence[tuple[str, str]] = ()
    name: str = ""
    source: str = "manual"


@dataclass(frozen=True, slots=True)
class Faults:
    """Field → what is wrong with it, in words."""

    fields: Mapping[str, str]


# --- reading what people typed --------------------------------------------------------------------------------------------


def read_calendar(
    zone: str, week: Sequence[Sequence[tuple[str, str]]], special: Sequence[SpecialDayText] = ()
) -> Calendar | Faults:
    """The calendar that is meant, or every fault in it: `zone`, `week`, `week.monday.0`, `special.3.day` … Where two
    special days name the same date, the first holds (so the caller's order of sources is their precedence)."""
    faults: dict[str, str] = {}
    if not is_zone(zone):
        faults["zone"] = Sentence("there is no such time zone; one is written like Asia/Yerevan")
    days: list[tuple[Hours, ...]] = []
    if len(week) != len(DAY_NAMES):
        faults["week"] = Sentence("has {count} days instead of 7", count=len(week))
    for name, typed in zip(DAY_NAMES, week, strict=False):
        days.append(_read_hours(typed, f"week.{name}", faults))
    if len(days) == len(DAY_NAMES):
        _check_nights(days, faults)
    special_days: dict[date, SpecialDay] = {}
    sources: set[tuple[date, str]] = set()
    for number, given in enumerate(special):
        day = _read_day(given.day)
        if isinstance(day, str):
            faults[f"special.{number}.day"] = day
            continue
        hours = _read_hours(given.hours, f"special.{number}.hours", faults)
        if given.source == "manual" and (day, given.source) in sources:
            faults[f"special.{number}.day"] = Sentence("stands here twice")
        sources.add((day, given.source))
        special_days.setdefault(day, SpecialDay(day, hours, given.name, given.source))
    if not faults and not any(days) and not any(each.hours for each in special_days.values()):
        faults["week"] = Sentence("is empty: it would never be open")
    return Faults(faults) if faults else Calendar(zone, tuple(days), special_days)


def is_zone(name: str) -> bool:
    """Whether the time zone database has it."""
    if not _ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Europe" is a directory
        return False
    return True


def parse_clock(text: str) -> int | None:
    """Minutes of 'HH:MM', up to 48:00; None if it is not written so."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    minutes = int(found[1]) * 60 + int(found[2])
    return minutes if minutes <= _LATEST_CLOSE else None


def clock_text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _read_day(text: str) -> date | str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return Sentence("is not a date; one is written like 2026-12-31")
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        return Sentence("is not between {least} and {most}", least=_FIRST_YEAR, most=_LAST_YEAR)
    return day


def _read_hours(typed: Sequence[tuple[str, str]], name: str, faults: dict[str, str]) -> tuple[Hours, ...]:
    """In order of time; the faults are named by the order in which they were typed."""
    read: list[tuple[Hours, int]] = []
    for number, (first, last) in enumerate(typed):
        opens, closes = parse_clock(first), parse_clock(last)
        if opens is None or closes is None:
            faults[f"{name}.{number}"] = Sentence("is not a time; one is written like 09:30")
        elif opens >= MINUTES_PER_DAY:
            faults[f"{name}.{number}"] = Sentence("opens on another day")
        elif closes <= opens:
            faults[f"{name}.{number}"] = Sentence("closes before it opens; past midnight is written like 26:00")
        else:
            read.append((Hours(opens, closes), number))
    read.sort(key=lambda each: (each[0].opens, each[0].closes))
    for (before, _), (after, number) in pairwise(read):
        if after.opens < before.closes:
            faults[f"{name}.{number}"] = Sentence(
                "overlaps {hours}", hours=f"{clock_text(before.opens)}–{clock_text(before.closes)}"
            )
    return tuple(hours for hours, _ in read)


def _check_nights(days: Sequence[tuple[Hours, ...]], faults: dict[str, str]) -> None:
    """Hours past midnight must not reach into those of the next day."""
    for number, hours in enumerate(days):
        following = days[(number + 1) % 7]
        if hours and following and hours[-1].closes - MINUTES_PER_DAY > following[0].opens:
            name = DAY_NAMES[(number + 1) % 7]
            faults.setdefault(f"week.{name}.0", Sentence("overlaps the night of {day}", day=_DAYS[number]))


# --- asking ---------------------------------------------------------------------------------------------------------------


def is_open(calendar: Calendar, at: datetime) -> bool:
    opens, _ = next(_spans(calendar, at), (None, None))
    return opens is not None and opens <= at


def next_opening(calendar: Calendar, at: datetime) -> datetime | None:
    """`at` itself while it is open; None if it never opens again."""
    opens, _ = next(_spans(calendar, at), (None, None))
    return None if opens is None else max(opens, at.astimezone(UTC))


def next_change(calendar: Calendar, at: datetime) -> datetime | None:
    """The first instant after `at` at which it opens or closes; None if there is none (always open, or never again)."""
    if _is_always_open(calendar):
        return None
    closes: datetime | None = None
    for begins, ends in _spans(calendar, at):
        if closes is None and begins > at:
            return begins
        if closes is not None and begins > closes:
            return closes
        closes = ends
    # Open until the search ends is open for good.
    is_for_good = closes is not None and closes - at > timedelta(days=_HORIZON_DAYS - 4)
    return None if is_for_good else closes


def open_seconds(calendar: Calendar, start: datetime, end: datetime) -> float:
    """Business time between two instants; 0 if `end` is not after `start`."""
    if end <= start:
        return 0.0
    if _is_always_open(calendar):
        return (end - start).total_seconds()
    total = timedelta()
    for opens, closes in _spans(calendar, start):
        if opens >= end:
            break
        total += min(closes, end) - max(opens, start)
    return total.total_seconds()


def add_open_seconds(calendar: Calendar, start: datetime, seconds: float) -> datetime | None:
    """The first instant by which so much business time has passed since `start`; None if it never has."""
    start = start.astimezone(UTC)
    if seconds <= 0:
        return start
    left = timedelta(seconds=seconds)
    if _is_always_open(calendar):
        return _plus(start, left)
    for opens, closes in _spans(calendar, start):
        begins = max(opens, start)
        if closes - begins >= left:
            return begins + left
        left -= closes - begins
    return None


def _plus(start: datetime, span: timedelta) -> datetime | None:
    try:
        return start + span
    except OverflowError:
        return None


def _is_always_open(calendar: Calendar) -> bool:
    return not calendar.special and all(
        len(hours) == 1 and hours[0].opens == 0 and hours[0].closes == MINUTES_PER_DAY for hours in calendar.week
    )


def _spans(calendar: Calendar, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """(opens, closes) in UTC, in order and without overlap, from the first that closes after `start` on. What touches is
    not joined."""
    zone = ZoneInfo(calendar.zone)
    start = start.astimezone(UTC)
    # Yesterday's hours may reach into today, and the day before yesterday's to the end of yesterday.
    day = start.astimezone(zone).date() - timedelta(days=2)
    covered = start
    for _ in range(_HORIZON_DAYS):
        special = calendar.special.get(day)
        for hours in calendar.week[day.weekday()] if special is None else special.hours:
            closes = wall_instant(zone, day, hours.closes, is_last=True)
            if closes <= covered:
                continue
            opens = wall_instant(zone, day, hours.opens, is_last=False)
            # What overlaps (a special day after a long night) is counted once.
            opens = opens if covered == start else max(opens, covered)
            if opens < closes:
                yield opens, closes
                covered = closes
        if day.year > _LAST_YEAR:
            return
        day += timedelta(days=1)


# The same few days are asked for again and again; some months of them, for a few calendars.
@lru_cache(maxsize=4096)
def wall_instant(zone: ZoneInfo, day: date, minutes: int, *, is_last: bool) -> datetime:
    """When the clock on the wall shows so many minutes of that day (1440 is the next midnight): of two such moments the
    first or the last, of none the jump over it."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    instant = wall.replace(tzinfo=zone, fold=is_last).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # Skipped. The two offsets around the jump give two instants; between them the wall clock goes past `wall` at once.
    one, other = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    before, after = min(one, other) - timedelta(seconds=1), max(one, other)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=1) // 2)
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after
