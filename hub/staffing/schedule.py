"""When who is scheduled for what, and how far what they did agrees with it. Pure.

    Week (template) and own days → pieces of each day → spans of time → adherence, conformance, who is not here

A day's plan is a list of pieces, in minutes of the clock on the wall. Work lies below; breaks, training and meetings lie on
top of it and cut it; leave lies on top of all and is no scheduled time at all. So a break is written into a shift by adding
it. Pieces that run past midnight end after 24:00 and belong to the day on which they begin.

Adherence is scheduled and in the right state ÷ scheduled, conformance is at work ÷ scheduled for work, whenever it was.
Time of which no state is known (before the first fact, or in the future) is in neither: it is told apart.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from hub.domain.sentences import Sentence
from hub.domain.states import AgentState
from hub.routing.calendar import MINUTES_PER_DAY, clock_text, parse_clock, wall_instant

# Nobody plans a day in more parts, and a slip of the keyboard in a file should not either.
MAX_PIECES = 24


class Activity(StrEnum):
    WORK = "work"
    BREAK = "break"
    TRAINING = "training"
    MEETING = "meeting"
    LEAVE = "leave"


_ACTIVITIES = tuple(activity.value for activity in Activity)

# The states that agree with each. Away with whatever reason is away: the reason is the agent's own word.
RIGHT_STATES: Mapping[Activity, frozenset[AgentState]] = {
    Activity.WORK: frozenset({AgentState.AVAILABLE, AgentState.BUSY}),
    Activity.BREAK: frozenset({AgentState.AWAY, AgentState.OFFLINE}),
    Activity.TRAINING: frozenset({AgentState.AWAY, AgentState.BUSY, AgentState.OFFLINE}),
    Activity.MEETING: frozenset({AgentState.AWAY, AgentState.BUSY, AgentState.OFFLINE}),
}
# What lies on what: the higher is seen.
_LAYER = {Activity.WORK: 0, Activity.BREAK: 1, Activity.TRAINING: 1, Activity.MEETING: 1, Activity.LEAVE: 2}


@dataclass(frozen=True, slots=True)
class Piece:
    """Minutes of the day: starts 0 to 1439, ends after that, at most 2880."""

    starts: int
    ends: int
    activity: Activity


Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class PieceText:
    """A piece as it was typed: HH:MM, HH:MM, and an activity's name."""

    starts: str
    ends: str
    activity: str


@dataclass(frozen=True, slots=True)
class Week:
    """What repeats from `since` on, Monday first, until another week begins."""

    since: date
    days: tuple[Pieces, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """One agent's: the weeks in order of `since`, and the days that have a plan of their own (none: a day off)."""

    weeks: tuple[Week, ...] = ()
    own_days: Mapping[date, Pieces] | None = None

    def on(self, day: date) -> Pieces:
        if self.own_days is not None and day in self.own_days:
            return self.own_days[day]
        week = self.week_on(day)
        return week.days[day.weekday()] if week is not None else ()

    def week_on(self, day: date) -> Week | None:
        """What repeats on that day."""
        return next((week for week in reversed(self.weeks) if week.since <= day), None)

    def is_own(self, day: date) -> bool:
        return self.own_days is not None and day in self.own_days


@dataclass(frozen=True, slots=True)
class Span:
    """What is scheduled for start <= t < end."""

    start: datetime
    end: datetime
    activity: Activity


@dataclass(frozen=True, slots=True)
class Spell:
    """An agent's state for since <= t < until."""

    since: datetime
    until: datetime
    state: AgentState


@dataclass(frozen=True, slots=True)
class Departure:
    """Scheduled for one thing and in a state that does not agree with it."""

    start: datetime
    end: datetime
    activity: Activity
    state: AgentState


@dataclass(frozen=True, slots=True)
class Adherence:
    """Whole milliseconds. `scheduled_ms` and `right_ms` are of the time of which the state is known; `unknown_ms` is the
    rest of what was scheduled. `at_work_ms`: available or busy, scheduled or not; `for_work_ms`: scheduled for work."""

    scheduled_ms: int = 0
    right_ms: int = 0
    for_work_ms: int = 0
    at_work_ms: int = 0
    unknown_ms: int = 0
    departures: tuple[Departure, ...] = ()

    @property
    def adherence(self) -> float | None:
        return self.right_ms / self.scheduled_ms if self.scheduled_ms else None

    @property
    def conformance(self) -> float | None:
        return self.at_work_ms / self.for_work_ms if self.for_work_ms else None


# --- reading what people typed ----------------------------------------------------------------------------------------------


def read_pieces(typed: Sequence[PieceText], name: str, faults: dict[str, str]) -> Pieces:
    """In order of time. Each fault goes into `faults` under `name`.number, by the order in which they were typed."""
    if len(typed) > MAX_PIECES:
        faults[name] = Sentence("has {count} pieces; {most} are the most", count=len(typed), most=MAX_PIECES)
        return ()
    read: list[tuple[Piece, int]] = []
    for number, piece in enumerate(typed):
        starts, ends = parse_clock(piece.starts), parse_clock(piece.ends)
        if piece.activity not in _ACTIVITIES:
            faults[f"{name}.{number}"] = Sentence("is none of {known}", known=", ".join(_ACTIVITIES))
        elif starts is None or ends is None:
            faults[f"{name}.{number}"] = Sentence("is not a time; one is written like 09:30")
        elif starts >= MINUTES_PER_DAY:
            faults[f"{name}.{number}"] = Sentence("starts on another day")
        elif ends <= starts:
            faults[f"{name}.{number}"] = Sentence("ends before it starts; past midnight is written like 26:00")
        else:
            read.append((Piece(starts, ends, Activity(piece.activity)), number))
    read.sort(key=lambda each: (each[0].starts, each[0].ends))
    for layer in (0, 1, 2):
        same = [each for each in read if _LAYER[each[0].activity] == layer]
        for (before, _), (after, number) in pairwise(same):
            if after.starts < before.ends:
                faults[f"{name}.{number}"] = Sentence(
                    "overlaps {hours}", hours=f"{clock_text(before.starts)}–{clock_text(before.ends)}"
                )
    return tuple(piece for piece, _ in read)


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One line of a file: whose (an address), the day, and the piece."""

    line: int
    agent: str
    day: date
    piece: PieceText


CSV_HEADER = ("agent", "day", "starts", "ends", "activity")


def read_csv(text: str, faults: dict[str, str]) -> list[CsvRow]:
    """Lines of agent, day, starts, ends, activity, with that header, divided by commas or semicolons. Faults are named
    by their line: `line 3`."""
    text = text.removeprefix("\ufeff")
    first = text.splitlines()[0] if text.strip() else ""
    lines = list(csv.reader(text.splitlines(), delimiter=";" if ";" in first else ","))
    header = tuple(cell.strip().lower() for cell in lines[0]) if lines else ()
    if header != CSV_HEADER:
        faults["line 1"] = Sentence("must be {header}", header=",".join(CSV_HEADER))
        return []
    rows: list[CsvRow] = []
    for number, cells in enumerate(lines[1:], start=2):
        values = [cell.strip() for cell in cells]
        if not any(values):
            continue
        if len(values) != len(CSV_HEADER):
            faults[f"line {number}"] = Sentence(
                "has {count} values instead of {wanted}", count=len(values), wanted=len(CSV_HEADER)
            )
            continue
        try:
            day = date.fromisoformat(values[1])
        except ValueError:
            faults[f"line {number}"] = Sentence("has no date; one is written like 2026-12-31")
            continue
        rows.append(CsvRow(number, values[0], day, PieceText(values[2], values[3], values[4].lower())))
    return rows


# --- spans ------------------------------------------------------------------------------------------------------------------


def seen_pieces(pieces: Pieces) -> Pieces:
    """Without what is covered: in order, and no two at the same time. Leave is left out."""
    bounds = sorted({minute for piece in pieces for minute in (piece.starts, piece.ends)})
    seen: list[Piece] = []
    for start, end in pairwise(bounds):
        over = [piece for piece in pieces if piece.starts <= start and end <= piece.ends]
        if not over:
            continue
        top = max(over, key=lambda piece: _LAYER[piece.activity]).activity
        if top is Activity.LEAVE:
            continue
        if seen and seen[-1].ends == start and seen[-1].activity is top:
            seen[-1] = Piece(seen[-1].starts, end, top)
        else:
            seen.append(Piece(start, end, top))
    return tuple(seen)


def spans_between(plan: Plan, start: datetime, end: datetime, zone: ZoneInfo) -> list[Span]:
    """What is scheduled within start <= t < end, cut at both, in order. Of a night that reaches into the next day's plan
    the night holds."""
    spans: list[Span] = []
    covered = start
    # The plan of yesterday may run until the end of today.
    day = start.astimezone(zone).date() - timedelta(days=2)
    last = end.astimezone(zone).date()
    while day <= last:
        for piece in seen_pieces(plan.on(day)):
            begins = max(covered, wall_instant(zone, day, piece.starts, is_last=False))
            ends = min(end, wall_instant(zone, day, piece.ends, is_last=True))
            if begins < ends:
                spans.append(Span(begins, ends, piece.activity))
                covered = ends
        day += timedelta(days=1)
    return spans


def people_at_work(spans: Iterable[Span], start: datetime, count: int, step: timedelta) -> list[float]:
    """How many are scheduled for work in each of `count` intervals of `step` from `start` on; parts of one count as parts.
    `spans`: of all agents in question."""
    present = [0.0] * count
    for span in spans:
        if span.activity is not Activity.WORK:
            continue
        first = max(0, (span.start - start) // step)
        for number in range(first, min(count, -((start - span.end) // step))):
            begins = start + number * step
            present[number] += (min(span.end, begins + step) - max(span.start, begins)) / step
    return present


# --- what they did ------------------------------------------------------------------------------------------------------


def adhere(spans: Sequence[Span], spells: Sequence[Spell]) -> Adherence:
    """`spans` and `spells` each in order and without overlap, both already cut to the time in question."""
    scheduled = right = for_work = 0
    departures: list[Departure] = []
    index = 0
    for span in spans:
        while index < len(spells) and spells[index].until <= span.start:
            index += 1
        for spell in spells[index:]:
            if spell.since >= span.end:
                break
            start, end = max(span.start, spell.since), min(span.end, spell.until)
            overlap = _ms(end - start)
            scheduled += overlap
            for_work += overlap if span.activity is Activity.WORK else 0
            if spell.state in RIGHT_STATES[span.activity]:
                right += overlap
            elif overlap:
                departures.append(Departure(start, end, span.activity, spell.state))
    at_work = sum(_ms(spell.until - spell.since) for spell in spells if spell.state in RIGHT_STATES[Activity.WORK])
    whole = sum(_ms(span.end - span.start) for span in spans)
    return Adherence(scheduled, right, for_work, at_work, whole - scheduled, _joined(departures))


def _joined(departures: Sequence[Departure]) -> tuple[Departure, ...]:
    """Spells end with every change of load: what goes on in the same state is one departure, named by what was scheduled
    first."""
    joined: list[Departure] = []
    for each in departures:
        before = joined[-1] if joined else None
        if before is not None and before.end == each.start and before.state is each.state:
            joined[-1] = Departure(before.start, each.end, before.activity, before.state)
        else:
            joined.append(each)
    return tuple(joined)


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
