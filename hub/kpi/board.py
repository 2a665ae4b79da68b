"""Live figures: today's numbers of agents and queues, from the cells of today, by the registry's formulas.

"Today" is the day of the organisation's time zone, of an agent that of their team's. Queries run in the caller's transaction,
so a snapshot shows numbers of the same instant as everything else in it. Each reads one cell of each of those who are named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, datetime

from sqlalchemy import or_, select

from hub.domain.views import NumbersView, QueueNumbersView
from hub.kpi.belonging import load_placing, load_zone
from hub.kpi.cells import NOTHING, Cell, Dim
from hub.kpi.days import Grain, local_day
from hub.kpi.figures import PROJECTION
from hub.kpi.kept_cells import Span, load_each
from hub.kpi.measures import (
    AHT,
    ASA_CALLS,
    CALLS_ABANDONED,
    CALLS_ANSWERED,
    CALLS_MISSED,
    CALLS_OFFERED,
    CALLS_PER_DAY,
    CALLS_SHORT_ABANDONED,
    DEFAULTS,
    FIRST_RESPONSE,
    HANDLED_CONTACTS,
    HOLD,
    RESOLUTION,
    TALK,
    WRAP_UP,
    Figure,
    Measure,
)
from hub.store import tables
from hub.store.database import Tx

# What the numbers of an agent and of a queue are made of.
_OF_AGENTS = (HANDLED_CONTACTS, FIRST_RESPONSE, RESOLUTION, CALLS_PER_DAY, CALLS_MISSED, TALK, HOLD, WRAP_UP, AHT)
_OF_QUEUES = (
    *(CALLS_OFFERED, CALLS_ANSWERED, CALLS_ABANDONED, CALLS_SHORT_ABANDONED, CALLS_MISSED, ASA_CALLS),
    *(TALK, HOLD, WRAP_UP, AHT),
)


def load_numbers(tx: Tx, user_id: int, now: datetime) -> NumbersView:
    """One agent's day so far; zeros for somebody who has done nothing yet, or who is no agent at all."""
    return load_numbers_of(tx, [user_id], now)[user_id]


def load_numbers_of(tx: Tx, user_ids: Collection[int], now: datetime) -> dict[int, NumbersView]:
    """The same for many agents in the same few queries, however much they did."""
    if not user_ids:
        return {}
    placing = load_placing(tx)
    days: defaultdict[int, list[int]] = defaultdict(list)
    for user_id in user_ids:
        days[placing.day(now, placing.zone_of_agent(user_id, now))].append(user_id)
    as_of_seq = load_checkpoint(tx)
    numbers = {}
    for day, of_day in days.items():
        cells = _load_day(tx, Dim.AGENT, day, of_day, _OF_AGENTS)
        for user_id in of_day:
            numbers[user_id] = _numbers(user_id, cells.get(user_id, NOTHING), day, as_of_seq)
    return numbers


def _numbers(user_id: int, cell: Cell, day: int, as_of_seq: int) -> NumbersView:
    def of(measure: Measure) -> Figure:
        return measure.of(cell, DEFAULTS)

    first_response, resolution = of(FIRST_RESPONSE), of(RESOLUTION)
    return NumbersView(
        user_id=user_id,
        day=date.fromordinal(day).isoformat(),
        handled_contacts=of(HANDLED_CONTACTS).n,
        first_response_mean_s=first_response.mean,
        first_response_count=first_response.n,
        resolution_median_s=resolution.value,
        resolution_count=resolution.n,
        as_of_seq=as_of_seq,
        calls_in=cell["parts_in"],
        calls_out=cell["parts_out"],
        calls_missed=of(CALLS_MISSED).n,
        talk_s=of(TALK).value or 0.0,
        hold_s=of(HOLD).value or 0.0,
        wrap_up_s=of(WRAP_UP).value or 0.0,
        aht_s=of(AHT).value,
    )


def load_agent_numbers(tx: Tx) -> list[NumbersView]:
    """The day so far of everybody who has done anything in it, by user."""
    placing = load_placing(tx)
    busy: set[int] = set()
    for day in {placing.day(tx.now, zone) for zone in (placing.zone, *placing.team_zones.values())}:
        busy |= _load_busy(tx, Dim.AGENT, day, day, _OF_AGENTS)
    found = load_numbers_of(tx, busy, tx.now)
    return [numbers for _, numbers in sorted(found.items()) if _has_any(numbers)]


def _has_any(numbers: NumbersView) -> bool:
    counts = (numbers.handled_contacts, numbers.first_response_count, numbers.resolution_count)
    return any((*counts, numbers.calls_in, numbers.calls_out, numbers.calls_missed))


def load_queue_numbers(tx: Tx, queue_ids: Collection[int] | None) -> list[QueueNumbersView]:
    """The calls of these queues' day so far (None: of all queues), by queue; of those that had any."""
    day = local_day(tx.now, load_zone(tx)).date.toordinal()
    busy = _load_busy(tx, Dim.QUEUE, day, day, _OF_QUEUES)
    found = load_numbers_of_queues(tx, busy if queue_ids is None else busy & set(queue_ids), tx.now)
    return [numbers for _, numbers in sorted(found.items())]


def load_numbers_of_queues(tx: Tx, queue_ids: Collection[int], now: datetime) -> dict[int, QueueNumbersView]:
    """The calls of these queues' day so far, zeros where there was none."""
    if not queue_ids:
        return {}
    day = local_day(now, load_zone(tx))
    as_of_seq = load_checkpoint(tx)
    cells = _load_day(tx, Dim.QUEUE, day.date.toordinal(), queue_ids, _OF_QUEUES)
    numbers = {}
    for queue_id in queue_ids:
        cell = cells.get(queue_id, NOTHING)
        numbers[queue_id] = QueueNumbersView(
            queue_id=queue_id,
            day=day.date.isoformat(),
            calls_offered=CALLS_OFFERED.of(cell, DEFAULTS).n,
            calls_answered=CALLS_ANSWERED.of(cell, DEFAULTS).n,
            calls_abandoned=CALLS_ABANDONED.of(cell, DEFAULTS).n,
            calls_short_abandoned=CALLS_SHORT_ABANDONED.of(cell, DEFAULTS).n,
            calls_missed=CALLS_MISSED.of(cell, DEFAULTS).n,
            wait_mean_s=ASA_CALLS.of(cell, DEFAULTS).value,
            talk_s=TALK.of(cell, DEFAULTS).value or 0.0,
            hold_s=HOLD.of(cell, DEFAULTS).value or 0.0,
            wrap_up_s=WRAP_UP.of(cell, DEFAULTS).value or 0.0,
            aht_s=AHT.of(cell, DEFAULTS).value,
            as_of_seq=as_of_seq,
        )
    return numbers


def load_agents_between(tx: Tx, first: date, last: date) -> set[int]:
    """Everybody who has figures of these days, both included."""
    return _load_busy(tx, Dim.AGENT, first.toordinal(), last.toordinal(), _OF_AGENTS)


def load_queues_between(tx: Tx, first: date, last: date) -> set[int]:
    """Every queue that had calls on these days, both included."""
    return _load_busy(tx, Dim.QUEUE, first.toordinal(), last.toordinal(), _OF_QUEUES)


def _load_busy(tx: Tx, dim: Dim, first: int, last: int, measures: Iterable[Measure]) -> set[int]:
    """Those of whom anything is counted that these measures read."""
    c = tables.kpi_cell.c
    counted = or_(*(c[name] != 0 for name in _reads(measures)))
    days = (c.grain == Grain.DAY.value, c.dim == dim.value, c.start >= first, c.start <= last)
    return {int(row[0]) for row in tx.rows(select(c.dim_id).where(*days, counted).distinct())}


def load_checkpoint(tx: Tx) -> int:
    return tx.scalar(select(tables.projection.c.seq).where(tables.projection.c.name == PROJECTION)) or 0


def _load_day(tx: Tx, dim: Dim, day: int, ids: Collection[int], measures: Collection[Measure]) -> dict[int, Cell]:
    sketches = {measure.sketch for measure in measures if measure.sketch is not None}
    span = Span(Grain.DAY, day, day)
    found = load_each(tx, dim, [str(one) for one in ids], span, _reads(measures), sketches)
    return {int(dim_id): cell for (_, dim_id), cell in found.items()}


def _reads(measures: Iterable[Measure]) -> list[str]:
    return sorted({name for measure in measures for name in measure.reads})
