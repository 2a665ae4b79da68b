"""A cell: everything that is counted of one stretch of time and one agent, team, queue, channel or topic.

It is exact and can be merged: whole counts, durations summed in whole milliseconds, waits counted on a ladder, and
sketches for percentiles. Two cells added up are the cell of both, whatever the order, so a month is the sum of its days.
Figures are functions of a cell (kpi.measures); facts are folded into cells (kpi.folding); cells are kept in `kpi_cell`
and `kpi_sketch` (kpi.kept_cells).

Pure: standard library only, and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from hub.domain.sentences import Sentence


class Dim(StrEnum):
    """What a cell is about. ALL is everything together, with the id "0"; ids are texts, since a channel's is one."""

    ALL = "all"
    AGENT = "agent"
    TEAM = "team"
    QUEUE = "queue"
    CHANNEL = "channel"
    TOPIC = "topic"


EVERYTHING = "0"

# How they are named where something is told of them.
DIM_WORDS = {
    Dim.ALL: Sentence("everything"),
    Dim.AGENT: Sentence("agent"),
    Dim.TEAM: Sentence("team"),
    Dim.QUEUE: Sentence("queue"),
    Dim.CHANNEL: Sentence("channel"),
    Dim.TOPIC: Sentence("topic"),
}

# Waits are counted between these bounds, in seconds, so a service level may ask for any of them, for the past too.
LADDER_S = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
# … and how long after a resolution the customer came back, in days.
REPEAT_DAYS = (1, 2, 3, 5, 7, 10, 14, 21, 30)

# In the order of the ladder, the last one beyond it. Answered within 20 s, and asked to be called back within 20 s, includes
# 20 s; abandoned before 20 s does not.
ANSWERED = (*(f"answered_{bound}" for bound in LADDER_S), "answered_later")
ABANDONED = (*(f"abandoned_{bound}" for bound in LADDER_S), "abandoned_later")
CALLED_BACK = (*(f"called_back_{bound}" for bound in LADDER_S), "called_back_later")
REOPENED = tuple(f"reopened_{days}" for days in REPEAT_DAYS)
REPEATED = tuple(f"repeated_{days}" for days in REPEAT_DAYS)

OFFER_OUTCOMES = ("accepted", "declined", "no_answer", "device_lost", "setup_failed", "customer_left", "withdrawn")

# Everything that is counted, by the kind of fact that it comes from. `…_ms` are sums of durations.
COUNTERS: tuple[str, ...] = (
    # fact.queue_visit, where it ended; `joined` where it began; `leaving_known`: of offered ones, those of whose customers it
    # would be known that they left
    *ANSWERED,
    *ABANDONED,
    *CALLED_BACK,
    *("overflowed", "moved", "dropped", "withdrawn", "joined", "leaving_known"),
    *("answered_wait_ms", "answered_first", "answered_since_arrival_ms", "abandoned_wait_ms"),
    # fact.segment; `contacts` are different conversations of a day
    *("segments", "contacts", "digital", "chats", "mails", "texts", "held_ms", "weighted", "weighted_ms"),
    # fact.segment and fact.call_segment
    *("passed_blind", "passed_consult", "passed_requeue"),
    # fact.call
    *("calls_offered", "calls_answered", "calls_abandoned", "calls_short", "calls_wait_ms"),
    # fact.call_segment, fact.call_missed
    *("parts_in", "parts_out", "parts_internal", "talk_ms", "hold_ms", "wrap_up_ms", "calls_missed"),
    # fact.contact
    *("arrived_in", "arrived_out"),
    # fact.offer
    *(f"offers_{outcome}" for outcome in OFFER_OUTCOMES),
    # fact.response
    *("first_answers", "first_answer_ms", "first_answers_business", "first_answer_business_ms"),
    # fact.resolution
    *("resolved", "resolved_first", "resolved_first_ms", "resolved_full", "resolved_full_ms"),
    *("resolved_handling", "resolved_handling_ms", *REOPENED, "resolved_known", *REPEATED),
    # fact.survey_sent and fact.survey
    *("csat_sent", "csat_returned", "csat", "csat_sum", "csat_top"),
    *("nps_sent", "nps_returned", "nps", "nps_promoters", "nps_detractors"),
    *("ces_sent", "ces_returned", "ces", "ces_sum"),
    # fact.agent_state: milliseconds, the last two times the load and the capacity
    *("staffed_ms", "available_ms", "work_ms", "away_ms", "not_responding_ms", "load_ms", "capacity_ms"),
)

# The durations of which percentiles are told.
SKETCHES: tuple[str, ...] = (
    "answered_wait",
    "wait",
    "handle",
    "call_handle",
    "first_answer",
    "first_answer_business",
    "resolved_first",
    "resolved_full",
    "resolved_handling",
)


class Percentiles(Protocol):
    """What a measure asks of a sketch (kpi.sketch)."""

    @property
    def count(self) -> int: ...

    def quantile_ms(self, share: float) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Cell:
    """What is not named is zero."""

    counts: Mapping[str, int] = field(default_factory=dict)
    sketches: Mapping[str, Percentiles] = field(default_factory=dict)

    def __getitem__(self, counter: str) -> int:
        return self.counts.get(counter, 0)

    def sum(self, counters: Iterable[str]) -> int:
        return sum(map(self.__getitem__, counters))

    def plus(self, counts: Mapping[str, int]) -> Cell:
        """With so much more counted."""
        return Cell(
            {name: self[name] + counts.get(name, 0) for name in self.counts.keys() | counts.keys()}, self.sketches
        )

    def quantile_s(self, sketch: str, share: float) -> float | None:
        found = self.sketches.get(sketch)
        value = None if found is None else found.quantile_ms(share)
        return None if value is None else value / 1000


NOTHING = Cell()


def rung(wait_ms: int, *, inclusive: bool) -> int:
    """Which step of LADDER_S a wait is counted on: the first that it is within (`inclusive`), or before."""
    for step, bound in enumerate(LADDER_S):
        if wait_ms < bound * 1000 or (inclusive and wait_ms == bound * 1000):
            return step
    return len(LADDER_S)


def answered_within(bound_s: int) -> tuple[str, ...]:
    """The counters of visits answered in so long; ValueError if it is not on the ladder."""
    return ANSWERED[: LADDER_S.index(bound_s) + 1]


def abandoned_before(bound_s: int) -> tuple[str, ...]:
    return ABANDONED[: LADDER_S.index(bound_s) + 1]


def called_back_within(bound_s: int) -> tuple[str, ...]:
    return CALLED_BACK[: LADDER_S.index(bound_s) + 1]


def reopened_within(days: int) -> tuple[str, ...]:
    return REOPENED[: REPEAT_DAYS.index(days) + 1]


def repeated_within(days: int) -> tuple[str, ...]:
    return REPEATED[: REPEAT_DAYS.index(days) + 1]
