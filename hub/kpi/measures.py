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

from hub.domain.calls import SHORT_ABANDON_S, CallEnd
from hub.domain.events import (
    CallEnded,
    CallMissed,
    CallSegmentEnded,
    ConversationResolved,
    CustomerAnswered,
    SegmentEnded,
)
from hub.domain.values import Direction

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


class Called(NamedTuple):
    """A call that nobody is on any more (fact.call). `queue_id`: where it waited last, None: nowhere; `queued_at`: since
    when it waited, from its first queue on; `answered_at`: when the first agent and the customer could hear each other."""

    queue_id: int | None
    direction: str
    queued_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime
    end_reason: str


class TookPart(NamedTuple):
    """An agent's part in a call, from the first word to the end of its wrap-up (fact.call_segment)."""

    agent_id: int
    queue_id: int
    direction: str
    talk_s: float
    hold_s: float
    wrap_up_s: float


class Missed(NamedTuple):
    """A call that rang at an agent who did not answer (fact.call_missed)."""

    agent_id: int
    queue_id: int


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


@dataclass(frozen=True, slots=True)
class CallCount:
    """By who called whom: INBOUND, the customer called; OUTBOUND, we did."""

    inbound: int
    outbound: int


def _count(facts: Iterable[Any]) -> int:
    return sum(1 for _ in facts)


def _handled_contacts(segments: Iterable[Held]) -> int:
    return len({segment.conversation_id for segment in segments})


def _first_response(responses: Iterable[Answered]) -> Spread:
    return spread(response.wall_s for response in responses if response.is_first)


def _resolution(resolutions: Iterable[Resolved]) -> Spread:
    return spread(resolution.wall_s for resolution in resolutions if resolution.reopened_count == 0)


def _calls_per_day(parts: Iterable[TookPart]) -> CallCount:
    directions = [part.direction for part in parts]
    return CallCount(directions.count(Direction.IN.value), directions.count(Direction.OUT.value))


def _talk(parts: Iterable[TookPart]) -> float:
    return fsum(part.talk_s for part in parts)


def _hold(parts: Iterable[TookPart]) -> float:
    return fsum(part.hold_s for part in parts)


def _wrap_up(parts: Iterable[TookPart]) -> float:
    return fsum(part.wrap_up_s for part in parts)


def _handling(parts: Iterable[TookPart]) -> float | None:
    handled_s = [fsum((part.talk_s, part.hold_s, part.wrap_up_s)) for part in parts]
    return fsum(handled_s) / len(handled_s) if handled_s else None


def _is_offered(call: Called) -> bool:
    return call.direction == Direction.IN.value and call.queue_id is not None and call.queued_at is not None


def _left_waiting(call: Called) -> bool:
    return _is_offered(call) and call.end_reason == CallEnd.ABANDONED.value


def _is_answered(call: Called) -> bool:
    return _is_offered(call) and call.answered_at is not None and call.end_reason != CallEnd.ABANDONED.value


def _is_short(call: Called) -> bool:
    return call.queued_at is not None and wall_s(call.queued_at, call.ended_at) < SHORT_ABANDON_S


def _offered(calls: Iterable[Called]) -> int:
    return sum(map(_is_offered, calls))


def _answered(calls: Iterable[Called]) -> int:
    return sum(map(_is_answered, calls))


def _abandoned(calls: Iterable[Called]) -> int:
    return sum(_left_waiting(call) and not _is_short(call) for call in calls)


def _short_abandoned(calls: Iterable[Called]) -> int:
    return sum(_left_waiting(call) and _is_short(call) for call in calls)


def _wait_of_answered(calls: Iterable[Called]) -> Spread:
    return spread(
        wall_s(call.queued_at, call.answered_at)
        for call in calls
        if _is_answered(call) and call.queued_at is not None and call.answered_at is not None
    )


HANDLED_SEGMENTS = Measure(
    id="handled_segments",
    version=1,
    formula="Holds of an agent on a conversation that ended, however they ended: one transferred twice counts three.",
    unit=Unit.COUNT,
    clock=Clock.NONE,
    source=SegmentEnded.KIND,
    day_by="ended_at",
    of=_count,
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

CALLS_PER_DAY = Measure(
    id="calls_per_day",
    version=1,
    formula=(
        "An agent's parts in calls that ended that day, wrap-up included; inbound (the customer called) and outbound apart."
        " A call passed on counts once for each agent who had it."
    ),
    unit=Unit.COUNT,
    clock=Clock.NONE,
    source=CallSegmentEnded.KIND,
    day_by="ended_at",
    of=_calls_per_day,
)

CALLS_MISSED = Measure(
    id="calls_missed",
    version=1,
    formula=(
        "Times a call rang out at an agent, who neither accepted nor declined it. That the customer hung up first, or a"
        " colleague took it, is no missed call."
    ),
    unit=Unit.COUNT,
    clock=Clock.NONE,
    source=CallMissed.KIND,
    day_by="ended_at",
    of=_count,
)

TALK = Measure(
    id="talk_s",
    version=1,
    formula="Time in which agent and customer talked, conferences included.",
    unit=Unit.SECONDS,
    clock=Clock.WALL,
    source=CallSegmentEnded.KIND,
    day_by="ended_at",
    of=_talk,
)

HOLD = Measure(
    id="hold_s",
    version=1,
    formula="Time in which the customer was on hold; consultations, and a broken line of the agent's, included.",
    unit=Unit.SECONDS,
    clock=Clock.WALL,
    source=CallSegmentEnded.KIND,
    day_by="ended_at",
    of=_hold,
)

WRAP_UP = Measure(
    id="wrap_up_s",
    version=1,
    formula="Time from the end of the talk until all was written down, whatever state the agent was in.",
    unit=Unit.SECONDS,
    clock=Clock.WALL,
    source=CallSegmentEnded.KIND,
    day_by="ended_at",
    of=_wrap_up,
)

AHT = Measure(
    id="aht",
    version=1,
    formula="(Talk + hold + wrap-up) ÷ parts in calls, inbound and outbound together.",
    unit=Unit.SECONDS,
    clock=Clock.WALL,
    source=CallSegmentEnded.KIND,
    day_by="ended_at",
    of=_handling,
)

CALLS_OFFERED = Measure(
    id="calls_offered",
    version=1,
    formula=(
        "Inbound calls that came to wait in a queue, however they ended. Each counts once: on the day it was hung up, in the"
        " queue in which it waited last."
    ),
    unit=Unit.COUNT,
    clock=Clock.NONE,
    source=CallEnded.KIND,
    day_by="ended_at",
    of=_offered,
)

CALLS_ANSWERED = Measure(
    id="calls_answered",
    version=1,
    formula=(
        "Offered calls in which the customer talked with an agent, unless they were passed on and"
        " left while waiting again."
    ),
    unit=Unit.COUNT,
    clock=Clock.NONE,
    source=CallEnded.KIND,
    day_by="ended_at",
    of=_answered,
)

CALLS_ABANDONED = Measure(
    id="calls_abandoned",
    version=1,
    formula=(
        "Offered calls whose customer left while waiting for an agent, after 5 s or more. Who was led to a voicemail, a"
        " message or a number outside, asked to be called back, or was cut off by a fault of ours did not abandon."
    ),
    unit=Unit.COUNT,
    clock=Clock.WALL,
    source=CallEnded.KIND,
    day_by="ended_at",
    of=_abandoned,
)

CALLS_SHORT_ABANDONED = Measure(
    id="calls_short_abandoned",
    version=1,
    formula="Offered calls whose customer left after less than 5 s of waiting: no agent could have answered.",
    unit=Unit.COUNT,
    clock=Clock.WALL,
    source=CallEnded.KIND,
    day_by="ended_at",
    of=_short_abandoned,
)

ASA_QUEUE = Measure(
    id="asa_queue",
    version=1,
    formula="From joining the first queue to the first agent's answer, of answered calls.",
    unit=Unit.SECONDS,
    clock=Clock.WALL,
    source=CallEnded.KIND,
    day_by="ended_at",
    of=_wait_of_answered,
)

MEASURES: Mapping[str, Measure[Any, Any]] = {
    measure.id: measure
    for measure in (
        HANDLED_SEGMENTS,
        HANDLED_CONTACTS,
        FIRST_RESPONSE,
        RESOLUTION,
        CALLS_PER_DAY,
        CALLS_MISSED,
        TALK,
        HOLD,
        WRAP_UP,
        AHT,
        CALLS_OFFERED,
        CALLS_ANSWERED,
        CALLS_ABANDONED,
        CALLS_SHORT_ABANDONED,
        ASA_QUEUE,
    )
}
