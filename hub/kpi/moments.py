"""The registry of figures of a moment: how many wait now, for how long, what is open, who is available.

They stand beside the measures (kpi.measures), and no id is of both. A measure tells what happened in a stretch of time and is
computed of facts; a figure of a moment is read where it stands (kpi.live_figures) and cannot be made up later: so it is kept
as it was at the begin of each quarter of an hour (kpi.moment_snapshots).

Pure: standard library only. What is here are words; a changed meaning is a new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.kpi.cells import Dim
from hub.kpi.measures import Better, Clock, Unit


@dataclass(frozen=True, slots=True)
class Definition:
    """What a figure means that is computed of no cell, in the words of kpi.measures.Measure. `source`: what it is read of."""

    id: str
    version: int
    name: str
    formula: str
    unit: Unit
    clock: Clock
    source: str
    by: tuple[Dim, ...]
    better: Better | None = None


def by_id(*definitions: Definition) -> Mapping[str, Definition]:
    return {one.id: one for one in definitions}


_QUEUES = (Dim.ALL, Dim.QUEUE)

MOMENTS: Mapping[str, Definition] = by_id(
    Definition(
        id="waiting",
        version=1,
        name="Waiting now",
        formula="How many wait in the queue this moment. Who is to be called back later does not.",
        unit=Unit.COUNT,
        clock=Clock.NONE,
        source="conversation",
        by=_QUEUES,
        better=Better.LOWER,
    ),
    Definition(
        id="longest_waiting_s",
        version=1,
        name="Longest wait now",
        formula="How long the one has waited who has waited longest of those who wait this moment; 0 while nobody does.",
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source="conversation",
        by=_QUEUES,
        better=Better.LOWER,
    ),
    Definition(
        id="backlog",
        version=1,
        name="Open work",
        formula="What is not resolved this moment: it waits (to be called back later, too), or somebody has it.",
        unit=Unit.COUNT,
        clock=Clock.NONE,
        source="conversation",
        by=_QUEUES,
        better=Better.LOWER,
    ),
    Definition(
        id="available_agents",
        version=1,
        name="Available agents",
        formula="Who is available and connected this moment; of a queue those who serve it, each once of all together.",
        unit=Unit.COUNT,
        clock=Clock.NONE,
        source="agent",
        by=(*_QUEUES, Dim.TEAM),
        better=Better.HIGHER,
    ),
    Definition(
        id="ewt_s",
        version=1,
        name="Expected wait",
        formula=(
            "What whoever joins the queue now is told to expect: (place in line − pieces there is room for) × seconds per"
            " departure, at least 0. Seconds per departure are (16 × handle time ÷ pieces that those at work can hold + time"
            " in which somebody had to wait lately) ÷ (16 + departures lately)."
        ),
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source="estimate",
        by=(Dim.QUEUE,),
        better=Better.LOWER,
    ),
    Definition(
        id="ewt_error_s",
        version=1,
        name="Error of the expected wait",
        formula=(
            "How far the wait foretold was from the wait that it was, on the mean: of the last 200 who were answered in the"
            " queue within the last 7 days."
        ),
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source="estimate",
        by=(Dim.QUEUE,),
        better=Better.LOWER,
    ),
)
