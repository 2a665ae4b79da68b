"""Live figures: today's numbers of agents and queues, from the facts, by the registry's formulas.

"Today" is the day of the organisation's time zone. A fact belongs to the day its measure says (`day_by`): a segment to
the day in which it ended, an answer to the day it was given, a resolution to the day it was made, a call to the day in
which it was hung up. Queries run in the caller's transaction, so a snapshot shows numbers of the same instant as
everything else in it. Each reads the facts of one day of those who are named, by index, whatever their number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Column, Select, Table, bindparam, exists, or_, select

from hub.domain.views import NumbersView, QueueNumbersView
from hub.errors import Misconfigured
from hub.kpi.measures import (
    AHT,
    ASA_QUEUE,
    CALLS_ABANDONED,
    CALLS_ANSWERED,
    CALLS_MISSED,
    CALLS_OFFERED,
    CALLS_PER_DAY,
    CALLS_SHORT_ABANDONED,
    FIRST_RESPONSE,
    HANDLED_CONTACTS,
    HOLD,
    RESOLUTION,
    TALK,
    WRAP_UP,
    Answered,
    Called,
    Held,
    LocalDay,
    Measure,
    Missed,
    Resolved,
    TookPart,
    local_day,
)
from hub.store import tables
from hub.store.database import Tx

F = TypeVar("F", Held, Answered, Resolved, TookPart, Missed, Called)

# The checkpoint of the projector (kpi.facts): the figures tell everything up to there.
PROJECTION = "facts"


def _facts(kind: type[F], table: Table, measure: Measure[F, Any], whose: str) -> Select[Any]:
    """A day's facts of those named by the column `whose`, as the measure reads them. Made once: building a statement costs
    more than running it."""
    at = table.c[measure.day_by]
    return select(*(table.c[name] for name in kind._fields)).where(
        table.c[whose].in_(bindparam("of", expanding=True)), at >= bindparam("start"), at < bindparam("end")
    )


_HELD = _facts(Held, tables.fact_segment, HANDLED_CONTACTS, "agent_id")
_ANSWERED = _facts(Answered, tables.fact_response, FIRST_RESPONSE, "agent_id")
_RESOLVED = _facts(Resolved, tables.fact_resolution, RESOLUTION, "agent_id")
_AGENTS_PARTS = _facts(TookPart, tables.fact_call_segment, CALLS_PER_DAY, "agent_id")
_AGENTS_MISSED = _facts(Missed, tables.fact_call_missed, CALLS_MISSED, "agent_id")
_CALLED = _facts(Called, tables.fact_call, CALLS_OFFERED, "queue_id")
_QUEUES_PARTS = _facts(TookPart, tables.fact_call_segment, AHT, "queue_id")
_QUEUES_MISSED = _facts(Missed, tables.fact_call_missed, CALLS_MISSED, "queue_id")


def load_zone(tx: Tx) -> ZoneInfo:
    """The organisation's time zone; UTC while there is no organisation. Misconfigured when nobody knows its name."""
    name = tx.scalar(select(tables.organisation.c.time_zone))
    if name is None:
        return ZoneInfo("UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Misconfigured(f"the organisation's time zone {name!r} is not known here") from error


def load_numbers(tx: Tx, user_id: int, now: datetime) -> NumbersView:
    """One agent's day so far; zeros for somebody who has done nothing yet, or who is no agent at all."""
    return load_numbers_of(tx, [user_id], now)[user_id]


def load_numbers_of(tx: Tx, user_ids: Collection[int], now: datetime) -> dict[int, NumbersView]:
    """The same for many agents in the same seven queries."""
    if not user_ids:
        return {}
    day = local_day(now, load_zone(tx))
    as_of_seq = _load_checkpoint(tx)
    wanted = _wanted(user_ids, day)
    segments = _load(tx, Held, _HELD, wanted, "agent_id")
    responses = _load(tx, Answered, _ANSWERED, wanted, "agent_id")
    resolutions = _load(tx, Resolved, _RESOLVED, wanted, "agent_id")
    parts = _load(tx, TookPart, _AGENTS_PARTS, wanted, "agent_id")
    missed = _load(tx, Missed, _AGENTS_MISSED, wanted, "agent_id")
    numbers = {}
    for user_id in user_ids:
        first_response = FIRST_RESPONSE.of(responses[user_id])
        resolution = RESOLUTION.of(resolutions[user_id])
        calls = CALLS_PER_DAY.of(parts[user_id])
        numbers[user_id] = NumbersView(
            user_id=user_id,
            day=day.date.isoformat(),
            handled_contacts=HANDLED_CONTACTS.of(segments[user_id]),
            first_response_mean_s=first_response.mean_s,
            first_response_count=first_response.count,
            resolution_median_s=resolution.median_s,
            resolution_count=resolution.count,
            as_of_seq=as_of_seq,
            calls_in=calls.inbound,
            calls_out=calls.outbound,
            calls_missed=CALLS_MISSED.of(missed[user_id]),
            talk_s=TALK.of(parts[user_id]),
            hold_s=HOLD.of(parts[user_id]),
            wrap_up_s=WRAP_UP.of(parts[user_id]),
            aht_s=AHT.of(parts[user_id]),
        )
    return numbers


def load_agent_numbers(tx: Tx) -> list[NumbersView]:
    """The day so far of everybody who has done anything in it, by user."""
    day = local_day(tx.now, load_zone(tx))
    found = load_numbers_of(tx, load_agents_between(tx, day.start, day.end), tx.now)
    return [numbers for _, numbers in sorted(found.items())]


def load_queue_numbers(tx: Tx, queue_ids: Collection[int] | None) -> list[QueueNumbersView]:
    """The calls of these queues' day so far (None: of all queues), by queue; of those that had any."""
    day = local_day(tx.now, load_zone(tx))
    busy = load_queues_between(tx, day.start, day.end)
    found = load_numbers_of_queues(tx, busy if queue_ids is None else busy & set(queue_ids), tx.now)
    return [numbers for _, numbers in sorted(found.items())]


def load_numbers_of_queues(tx: Tx, queue_ids: Collection[int], now: datetime) -> dict[int, QueueNumbersView]:
    """The calls of these queues' day so far, zeros where there was none; five queries for any number of queues."""
    if not queue_ids:
        return {}
    day = local_day(now, load_zone(tx))
    as_of_seq = _load_checkpoint(tx)
    wanted = _wanted(queue_ids, day)
    called = _load(tx, Called, _CALLED, wanted, "queue_id")
    parts = _load(tx, TookPart, _QUEUES_PARTS, wanted, "queue_id")
    missed = _load(tx, Missed, _QUEUES_MISSED, wanted, "queue_id")
    return {
        queue_id: QueueNumbersView(
            queue_id=queue_id,
            day=day.date.isoformat(),
            calls_offered=CALLS_OFFERED.of(called[queue_id]),
            calls_answered=CALLS_ANSWERED.of(called[queue_id]),
            calls_abandoned=CALLS_ABANDONED.of(called[queue_id]),
            calls_short_abandoned=CALLS_SHORT_ABANDONED.of(called[queue_id]),
            calls_missed=CALLS_MISSED.of(missed[queue_id]),
            wait_mean_s=ASA_QUEUE.of(called[queue_id]).mean_s,
            talk_s=TALK.of(parts[queue_id]),
            hold_s=HOLD.of(parts[queue_id]),
            wrap_up_s=WRAP_UP.of(parts[queue_id]),
            aht_s=AHT.of(parts[queue_id]),
            as_of_seq=as_of_seq,
        )
        for queue_id in queue_ids
    }


_OF_AGENTS = (
    (tables.fact_segment, HANDLED_CONTACTS),
    (tables.fact_response, FIRST_RESPONSE),
    (tables.fact_resolution, RESOLUTION),
    (tables.fact_call_segment, CALLS_PER_DAY),
    (tables.fact_call_missed, CALLS_MISSED),
)
_OF_QUEUES = (
    (tables.fact_call, CALLS_OFFERED),
    (tables.fact_call_segment, AHT),
    (tables.fact_call_missed, CALLS_MISSED),
)


def load_agents_between(tx: Tx, start: datetime, end: datetime) -> set[int]:
    """Everybody who has a fact of start <= t < end."""
    return _load_busy(tx, tables.user_account.c.id, "agent_id", _OF_AGENTS, start, end)


def load_queues_between(tx: Tx, start: datetime, end: datetime) -> set[int]:
    """Every queue that has a fact of a call of start <= t < end."""
    return _load_busy(tx, tables.queue.c.id, "queue_id", _OF_QUEUES, start, end)


def _load_busy(
    tx: Tx,
    ids: Column[int],
    whose: str,
    kinds: Iterable[tuple[Table, Measure[Any, Any]]],
    start: datetime,
    end: datetime,
) -> set[int]:
    """One look into an index for each id and kind; years of facts are not gone through."""
    facts = (
        exists().where(table.c[whose] == ids, table.c[measure.day_by] >= start, table.c[measure.day_by] < end)
        for table, measure in kinds
    )
    return {row[0] for row in tx.rows(select(ids).where(or_(*facts)))}


def _load_checkpoint(tx: Tx) -> int:
    return tx.scalar(select(tables.projection.c.seq).where(tables.projection.c.name == PROJECTION)) or 0


def _wanted(ids: Collection[int], day: LocalDay) -> dict[str, Any]:
    return {"of": list(ids), "start": day.start, "end": day.end}


def _load(tx: Tx, kind: type[F], query: Select[Any], wanted: dict[str, Any], whose: str) -> defaultdict[int, list[F]]:
    make: Callable[..., F] = kind
    key = kind._fields.index(whose)
    found: defaultdict[int, list[F]] = defaultdict(list)
    for row in tx.rows(query, wanted):
        found[row[key]].append(make(*row))
    return found
