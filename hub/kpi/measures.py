"""The registry of measures: what each figure is called, what it means, and the one function that computes it.

A figure names its measure; a measure names its formula, unit, clock and source. Live screens and reports call the same
function over the same facts, so they cannot differ. A formula is never changed in place: a new version is added beside
the old one, so that no past figure changes its meaning.

Pure: standard library only, and no clock (`now` is an argument).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from math import fsum
from typing import Any, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from hub.domain.events import ConversationResolved, CustomerAnswered, SegmentEnded

F = TypeVar("F")
V = TypeVar("V")

# --- days ------------------------------------------------------------------------------------------------------------


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
    start, end = (datetime.combine(day, time(), tzinfo=zone).astimezone(UTC) for day in (on, on + timedelta(days=1)))
    return LocalDay(on, start, end)


def local_day(now: datetime, zone: ZoneInfo) -> LocalDay:
    """The day that `now` (aware) falls in."""
    return day_of(now.astimezone(zone).date(), zone)


# --- arithmetic ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, over `count` cases, in seconds; None while there is no case."""

    count: int
    mean_s: float | None = None
    median_s: float | None = None
    p90_s: float | None = None


def quantile(ordered: list[float], share: float) -> float:
    """The value below which `share` of the cases lie, between the two nearest by straight line (Hyndman and Fan 1996,
    definition 7: what spreadsheets call PERCENTILE.INC). `ordered` is ascending and not empty."""
    position = (len(ordered) - 1) * share
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def spread(durations_s: Iterable[float]) -> Spread:
    """Exact and the same in any order (the sum is exact before it is rounded once)."""
    ordered = sorted(durations_s)
    if not ordered:
        return Spread(0)
    return Spread(len(ordered), fsum(ordered) / len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.9))


def wall_s(since: datetime, until: datetime) -> float:
    """Seconds on the wall clock. Never negative: a provider's clock may run ahead of ours."""
    return max(0.0, (until - since).total_seconds())


# --- facts ------------------------------------------------------------------------------------------------------------
# What a measure reads of a fact, named as the columns of its table: a day of a busy agent is some hundred of them.


class Held(NamedTuple):
    """An agent's hold on a conversation, over now (fact.segment)."""

    agent_id: int
    conversation_id: int


class Answered(NamedTuple):
    """A person's answer to the oldest unanswered message (fact.response). `wall_s`: from message to answer."""

    agent_id: int
    is_first: bool
    wall_s: float


class Resolved(NamedTuple):
    """A resolution (fact.resolution). `wall_s`: from the beginning of the conversation, reopened or not."""

    agent_id: int | None
    reopened_count: int
    wall_s: float


# --- the registry ----------------------------------------------------------------------------------------------------


class Unit(StrEnum):
    COUNT = "count"
    SECONDS = "seconds"


class Clock(StrEnum):
    """NONE: the figure counts. WALL: every second counts, nights and holidays too."""

    NONE = "none"
    WALL = "wall"


@dataclass(frozen=True, slots=True)
class Measure(Generic[F, V]):
    """`formula` is what a person reads behind "what is this number?"; `source` is the kind of fact it is computed from;
    `day_by` names the instant that says to which day a fact belongs; `of` computes it from facts of one kind."""

    id: str
    version: int
    formula: str
    unit: Unit
    clock: Clock
    source: str
    day_by: str
    of: Callable[[Iterable[F]], V]


def _handled_segments(segments: Iterable[Held]) -> int:
    return sum(1 for _ in segments)


def _handled_contacts(segments: Iterable[Held]) -> int:
    return len({segment.conversation_id for segment in segments})


def _first_response(responses: Iterable[Answered]) -> Spread:
    return spread(response.wall_s for response in responses if response.is_first)


def _resolution(resolutions: Iterable[Resolved]) -> Spread:
    return spread(resolution.wall_s for resolution in resolutions if resolution.reopened_count == 0)


HANDLED_SEGMENTS = Measure(
    id="handled_segments",
    version=1,
    formula="Holds of an agent on a conversation that ended, however they ended: one transferred twice counts three.",
    unit=Unit.COUNT,
    clock=Clock.NONE,
    source=SegmentEnded.KIND,
    day_by="ended_at",
    of=_handled_segments,
)

HANDLED_CONTACTS = Measure(
    id="handled_contacts",
    version=1,
    formula="Different conversations among the handled segments: held twice by the same agent, it counts once.",
    unit=Unit.COUNT,
    clock=Clock.NONE,
    source=SegmentEnded.KIND,
    day_by="ended_at",
    of=_handled_contacts,
)

FIRST_RESPONSE = Measure(
    id="first_response_s",
    version=1,
    formula=(
        "From the first customer message that nobody had answered to the first reply by a person, once a conversation,"
        " credited to who replied. Automatic replies do not count."
    ),
    unit=Unit.SECONDS,
    clock=Clock.WALL,
    source=CustomerAnswered.KIND,
    day_by="answered_at",
    of=_first_response,
)

RESOLUTION = Measure(
    id="resolution_s",
    version=1,
    formula=(
        "From the beginning of the conversation to its first resolution, credited to the agent who held it. A later"
        " reopening neither changes it nor adds to it."
    ),
    unit=Unit.SECONDS,
    clock=Clock.WALL,
    source=ConversationResolved.KIND,
    day_by="resolved_at",
    of=_resolution,
)

MEASURES: Mapping[str, Measure[Any, Any]] = {
    measure.id: measure for measure in (HANDLED_SEGMENTS, HANDLED_CONTACTS, FIRST_RESPONSE, RESOLUTION)
}
