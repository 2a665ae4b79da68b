"""Live figures: today's numbers of agents and queues, from the cells of today, by the registry's formulas.

"Today" is the day of the organisation's time zone, of an agent that of their team's. Queries run in the caller's transaction,
so a snapshot shows numbers of the same instant as everything else in it. Each reads one cell of each of those who are named,
in as many queries as there are days and sketches, however many they are.

What is not of the past is read where it stands: what an agent does right now in their row (agents.spells), who waits and what
is not resolved in the conversations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Row, or_, select

from hub.agents import roster
from hub.agents.viewer import Viewer
from hub.domain.states import AgentState
from hub.domain.values import Role
from hub.domain.views import BoardAgentView, BoardQueueView, BoardView, NumbersView, QueueNumbersView
from hub.kpi.belonging import load_placing, load_zone
from hub.kpi.cells import ANSWERED, NOTHING, Cell, Dim
from hub.kpi.days import Grain, local_day, start_of
from hub.kpi.defaults import load_defaults, load_params
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
    CHATS_HANDLED,
    CSAT,
    DEFAULTS,
    FIRST_RESPONSE,
    HANDLED_CONTACTS,
    HANDLED_SEGMENTS,
    HOLD,
    MAILS_HANDLED,
    MEASURES,
    OCCUPANCY,
    RESOLUTION,
    TALK,
    TEXTS_HANDLED,
    WRAP_UP,
    Figure,
    Measure,
    Params,
)
from hub.kpi.open_work import load_backlog, load_waiting
from hub.kpi.placing import Placing
from hub.kpi.remaking import PROJECTION, load_progress, make_view
from hub.store import tables
from hub.store.database import Tx

_ABANDONMENT, _ASA, _OFFERED = MEASURES["abandonment_rate"], MEASURES["asa_queue"], MEASURES["offered"]
_HANDLE, _TRANSFERS, _OFFERS = MEASURES["handle_s"], MEASURES["transfer_rate"], MEASURES["offer_outcomes"]

_TRANSFER_CASES = ("digital", "parts_in", "parts_out", "parts_internal")

# What the numbers of an agent and of a queue are made of.
_OF_AGENTS = (
    *(
        HANDLED_CONTACTS,
        HANDLED_SEGMENTS,
        CHATS_HANDLED,
        MAILS_HANDLED,
        TEXTS_HANDLED,
        FIRST_RESPONSE,
        RESOLUTION,
        CSAT,
    ),
    *(CALLS_PER_DAY, CALLS_MISSED, TALK, HOLD, WRAP_UP, AHT, _TRANSFERS, _OFFERS, OCCUPANCY),
)
# Of these the mean alone is told, which needs no percentiles.
_MEANS_OF_AGENTS = (_HANDLE,)
_OF_QUEUES = (
    *(CALLS_OFFERED, CALLS_ANSWERED, CALLS_ABANDONED, CALLS_SHORT_ABANDONED, CALLS_MISSED, ASA_CALLS),
    *(TALK, HOLD, WRAP_UP, AHT, _OFFERED, _ABANDONMENT, _ASA),
)

# What is counted of an agent that their numbers tell.
AGENT_COUNTERS = frozenset(name for measure in (*_OF_AGENTS, *_MEANS_OF_AGENTS) for name in measure.reads)

_a, _q = tables.agent.c, tables.queue.c


def load_level(tx: Tx) -> tuple[Measure, Params]:
    """Service level as the organisation counts it: which variant, and within which threshold."""
    chosen = load_defaults(tx)
    return MEASURES[chosen.service_level], load_params(tx)


def queue_counters(tx: Tx) -> frozenset[str]:
    """What is counted of a queue that its numbers tell."""
    return frozenset(_reads((*_OF_QUEUES, load_level(tx)[0])))


# --- agents -------------------------------------------------------------------------------------------------------------


def load_numbers(tx: Tx, user_id: int, now: datetime) -> NumbersView:
    """One agent's day so far; zeros for somebody who has done nothing yet, or who is no agent at all."""
    return load_numbers_of(tx, [user_id], now)[user_id]


def load_numbers_of(
    tx: Tx, user_ids: Collection[int], now: datetime, placing: Placing | None = None
) -> dict[int, NumbersView]:
    """The same for many agents in the same few queries, however much they did."""
    if not user_ids:
        return {}
    placing = placing or load_placing(tx)
    days: defaultdict[int, list[int]] = defaultdict(list)
    zones = {user_id: placing.zone_of_agent(user_id, now) for user_id in user_ids}
    for user_id, zone in zones.items():
        days[placing.day(now, zone)].append(user_id)
    as_of_seq = load_checkpoint(tx)
    spells = _load_spells(tx, user_ids)
    numbers = {}
    for day, of_day in days.items():
        cells = _load_day(tx, Dim.AGENT, day, of_day, _OF_AGENTS, _MEANS_OF_AGENTS)
        on = date.fromordinal(day)
        midnights = {zone.key: start_of(on, zone) for zone in {zones[user_id] for user_id in of_day}}
        for user_id in of_day:
            spell = _spell(spells.get(user_id), midnights[zones[user_id].key])
            numbers[user_id] = _numbers(user_id, cells.get(user_id, NOTHING), on.isoformat(), as_of_seq, spell)
    return numbers


@dataclass(frozen=True, slots=True)
class _Spell:
    """To what the time since then belongs."""

    kind: Literal["work", "available", "none"] = "none"
    since: datetime | None = None


def _load_spells(tx: Tx, user_ids: Collection[int]) -> dict[int, Row[Any]]:
    found = select(_a.user_id, _a.spell_since, _a.spell_state, _a.spell_work_count).where(_a.user_id.in_(user_ids))
    return {row.user_id: row for row in tx.rows(found)}


def _spell(row: Row[Any] | None, midnight: datetime) -> _Spell:
    """The stretch of time that goes on, from the beginning of the day, by the rules of kpi.folding."""
    if row is None or row.spell_since is None or row.spell_state == AgentState.OFFLINE.value:
        return _Spell()
    since = max(row.spell_since, midnight)
    if row.spell_work_count > 0:
        return _Spell("work", since)
    return _Spell("available", since) if row.spell_state == AgentState.AVAILABLE.value else _Spell()


def _numbers(user_id: int, cell: Cell, day: str, as_of_seq: int, spell: _Spell) -> NumbersView:
    """What is but a counter or a sum is read as such, since a board has thousands of them; the rest by its measure."""

    def of(measure: Measure) -> Figure:
        return measure.of(cell, DEFAULTS)

    first_response, resolution, csat, handle = of(FIRST_RESPONSE), of(RESOLUTION), of(CSAT), of(_HANDLE)
    return NumbersView(
        user_id=user_id,
        day=day,
        handled_contacts=cell["contacts"],
        first_response_mean_s=first_response.mean,
        first_response_count=first_response.n,
        resolution_median_s=resolution.value,
        resolution_count=resolution.n,
        as_of_seq=as_of_seq,
        calls_in=cell["parts_in"],
        calls_out=cell["parts_out"],
        calls_missed=cell["calls_missed"],
        talk_s=cell["talk_ms"] / 1000,
        hold_s=cell["hold_ms"] / 1000,
        wrap_up_s=cell["wrap_up_ms"] / 1000,
        aht_s=of(AHT).value,
        calls_internal=cell["parts_internal"],
        handled_segments=cell["segments"],
        chats=cell["chats"],
        mails=cell["mails"],
        texts=cell["texts"],
        handle_mean_s=handle.mean,
        handle_count=handle.n,
        first_response_median_s=first_response.value,
        resolution_p90_s=resolution.p90,
        csat_share=csat.value,
        csat_mean=csat.mean,
        csat_count=csat.n,
        transfers_blind=cell["passed_blind"],
        transfers_consult=cell["passed_consult"],
        transfers_requeue=cell["passed_requeue"],
        transfer_cases=cell.sum(_TRANSFER_CASES),
        offers=cell.sum(_OFFERS.reads),
        offers_missed=cell["offers_no_answer"],
        offers_declined=cell["offers_declined"],
        work_ms=cell["work_ms"],
        available_ms=cell["available_ms"],
        spell=spell.kind,
        spell_since=spell.since,
    )


def load_agent_numbers(tx: Tx) -> list[NumbersView]:
    """The day so far of everybody who has done anything in it or is signed in, by user."""
    placing = load_placing(tx)
    busy = load_signed_in(tx)
    for day in {placing.day(tx.now, zone) for zone in (placing.zone, *placing.team_zones.values())}:
        busy |= _load_busy(tx, Dim.AGENT, day, day, _OF_AGENTS)
    found = load_numbers_of(tx, busy, tx.now, placing)
    return [numbers for _, numbers in sorted(found.items()) if _has_any(numbers)]


def _has_any(numbers: NumbersView) -> bool:
    counts = (numbers.handled_segments, numbers.first_response_count, numbers.resolution_count, numbers.csat_count)
    calls = (numbers.calls_in, numbers.calls_out, numbers.calls_internal, numbers.calls_missed, numbers.offers)
    time = (numbers.work_ms, numbers.available_ms)
    return any((*counts, *calls, *time)) or numbers.spell != "none"


def load_signed_in(tx: Tx) -> set[int]:
    """Whose time is counted now."""
    signed_in = (_a.spell_since.is_not(None), _a.spell_state != AgentState.OFFLINE.value)
    return {int(row.user_id) for row in tx.rows(select(_a.user_id).where(*signed_in))}


# --- queues -------------------------------------------------------------------------------------------------------------


def load_queue_numbers(tx: Tx, queue_ids: Collection[int] | None) -> list[QueueNumbersView]:
    """These queues' day so far (None: of all queues), by queue; of those that had anything in it, or have a backlog."""
    day = local_day(tx.now, load_zone(tx)).date.toordinal()
    level, _ = load_level(tx)
    busy = _load_busy(tx, Dim.QUEUE, day, day, (*_OF_QUEUES, level)) | load_backlog(tx, queue_ids).keys()
    found = load_numbers_of_queues(tx, busy if queue_ids is None else busy & set(queue_ids), tx.now)
    return [numbers for _, numbers in sorted(found.items())]


def load_numbers_of_queues(tx: Tx, queue_ids: Collection[int], now: datetime) -> dict[int, QueueNumbersView]:
    """These queues' day so far, zeros where there was nothing."""
    if not queue_ids:
        return {}
    day = local_day(now, load_zone(tx))
    as_of_seq = load_checkpoint(tx)
    level, params = load_level(tx)
    cells = _load_day(tx, Dim.QUEUE, day.date.toordinal(), queue_ids, (*_OF_QUEUES, level))
    backlog = load_backlog(tx, queue_ids)
    on = day.date.isoformat()
    return {
        queue_id: _queue_numbers(
            queue_id, cells.get(queue_id, NOTHING), on, as_of_seq, level, params, backlog.get(queue_id, 0)
        )
        for queue_id in queue_ids
    }


def _queue_numbers(
    queue_id: int, cell: Cell, day: str, as_of_seq: int, level: Measure, params: Params, backlog: int
) -> QueueNumbersView:
    def of(measure: Measure) -> Figure:
        return measure.of(cell, params)

    reached, abandonment, asa, offered = of(level), of(_ABANDONMENT), of(_ASA), of(_OFFERED).n
    short = abandonment.parts["short"] or 0.0
    return QueueNumbersView(
        queue_id=queue_id,
        day=day,
        calls_offered=of(CALLS_OFFERED).n,
        calls_answered=of(CALLS_ANSWERED).n,
        calls_abandoned=of(CALLS_ABANDONED).n,
        calls_short_abandoned=of(CALLS_SHORT_ABANDONED).n,
        calls_missed=of(CALLS_MISSED).n,
        wait_mean_s=of(ASA_CALLS).value,
        talk_s=of(TALK).value or 0.0,
        hold_s=of(HOLD).value or 0.0,
        wrap_up_s=of(WRAP_UP).value or 0.0,
        aht_s=of(AHT).value,
        as_of_seq=as_of_seq,
        service_level=reached.value,
        # A share of whole cases is those cases again, and no less exact.
        answered_in_threshold=round((reached.value or 0.0) * reached.n),
        service_level_offered=reached.n,
        service_level_id=level.id,
        threshold_s=params.threshold_s,
        offered=offered,
        answered=cell.sum(ANSWERED),
        abandoned=round((abandonment.value or 0.0) * abandonment.n),
        short_abandoned=round(short * abandonment.n),
        abandonment=abandonment.value,
        abandonment_count=abandonment.n,
        asa_s=asa.value,
        asa_count=asa.n,
        backlog=backlog,
    )


# --- the board ----------------------------------------------------------------------------------------------------------


def load_board(tx: Tx, viewer: Viewer) -> BoardView:
    """All agents and queues as they are now, for supervisors; for agents themselves and their queues."""
    is_supervisor = viewer.covers(Role.SUPERVISOR)
    placing = load_placing(tx)
    views = roster.load_agent_views(tx, None if is_supervisor else [viewer.user_id])
    numbers = load_numbers_of(tx, [view.user_id for view in views], tx.now, placing)
    progress = load_progress(tx, tx.now, placing)
    return BoardView(
        as_of=progress.as_of,
        remaking=make_view(progress, placing) if progress.is_remaking else None,
        day=local_day(tx.now, placing.zone).date.isoformat(),
        time_zone=placing.zone.key,
        agents=tuple(
            BoardAgentView(
                user_id=view.user_id,
                name=view.name,
                state=view.state,
                reason=view.reason,
                state_since=view.state_since,
                connected=view.connected,
                load=view.load,
                capacity=view.capacity,
                team_ids=tuple(placing.teams_of(view.user_id, tx.now)),
                numbers=numbers[view.user_id],
            )
            for view in views
        ),
        queues=tuple(_load_board_queues(tx, None if is_supervisor else viewer.queue_ids)),
    )


def _load_board_queues(tx: Tx, queue_ids: Collection[int] | None) -> list[BoardQueueView]:
    wanted = select(_q.id, _q.name, _q.ewt_s).order_by(_q.name, _q.id)
    rows = tx.rows(wanted if queue_ids is None else wanted.where(_q.id.in_(queue_ids)))
    waiting = load_waiting(tx, [row.id for row in rows])
    numbers = load_numbers_of_queues(tx, [row.id for row in rows], tx.now)
    return [
        BoardQueueView(
            queue_id=row.id,
            name=row.name,
            waiting=waiting[row.id].count if row.id in waiting else 0,
            longest_since=waiting[row.id].since if row.id in waiting else None,
            ewt_s=row.ewt_s,
            numbers=numbers[row.id],
        )
        for row in rows
    ]


# --- cells of days ------------------------------------------------------------------------------------------------------


def load_agents_between(tx: Tx, first: date, last: date) -> set[int]:
    """Everybody who has figures of these days, both included."""
    return _load_busy(tx, Dim.AGENT, first.toordinal(), last.toordinal(), _OF_AGENTS)


def load_queues_between(tx: Tx, first: date, last: date) -> set[int]:
    """Every queue that had anything on these days, both included."""
    level, _ = load_level(tx)
    return _load_busy(tx, Dim.QUEUE, first.toordinal(), last.toordinal(), (*_OF_QUEUES, level))


def _load_busy(tx: Tx, dim: Dim, first: int, last: int, measures: Iterable[Measure]) -> set[int]:
    """Those of whom anything is counted that these measures read."""
    c = tables.kpi_cell.c
    counted = or_(*(c[name] != 0 for name in _reads(measures)))
    days = (c.grain == Grain.DAY.value, c.dim == dim.value, c.start >= first, c.start <= last)
    return {int(row[0]) for row in tx.rows(select(c.dim_id).where(*days, counted).distinct())}


def load_checkpoint(tx: Tx) -> int:
    return tx.scalar(select(tables.projection.c.seq).where(tables.projection.c.name == PROJECTION)) or 0


def _load_day(
    tx: Tx,
    dim: Dim,
    day: int,
    ids: Collection[int],
    measures: Iterable[Measure],
    means: Iterable[Measure] = (),
) -> Mapping[int, Cell]:
    """The day's cells by id. `means`: measures of which no percentile is told."""
    measures = tuple(measures)
    sketches = {measure.sketch for measure in measures if measure.sketch is not None}
    found = load_each(
        tx, dim, [str(one) for one in ids], Span(Grain.DAY, day, day), _reads((*measures, *means)), sketches
    )
    return {int(dim_id): cell for (_, dim_id), cell in found.items()}


def _reads(measures: Iterable[Measure]) -> list[str]:
    return sorted({name for measure in measures for name in measure.reads})
