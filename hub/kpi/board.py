"""Live figures: an agent's numbers of today, from the facts, by the registry's formulas.

"Today" is the day of the organisation's time zone. A fact belongs to the day its measure says (`day_by`): a segment to
the day in which it ended, an answer to the day it was given, a resolution to the day it was made. Queries run in the
caller's transaction, so a snapshot shows numbers of the same instant as everything else in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Select, Table, bindparam, select

from hub.domain.views import NumbersView, QueueNumbersView
from hub.errors import Misconfigured
from hub.kpi.measures import FIRST_RESPONSE, HANDLED_CONTACTS, RESOLUTION, Answered, Held, Measure, Resolved, local_day
from hub.store import tables
from hub.store.database import Tx

F = TypeVar("F", Held, Answered, Resolved)

# The checkpoint of the projector (kpi.facts): the figures tell everything up to there.
PROJECTION = "facts"


def _of_agents(kind: type[F], table: Table, measure: Measure[F, Any]) -> Select[Any]:
    """The facts of some agents' day, as the measure reads them. Made once: building a statement costs more than running
    it."""
    at = table.c[measure.day_by]
    return select(*(table.c[name] for name in kind._fields)).where(
        table.c.agent_id.in_(bindparam("agents", expanding=True)), at >= bindparam("start"), at < bindparam("end")
    )


_HELD = _of_agents(Held, tables.fact_segment, HANDLED_CONTACTS)
_ANSWERED = _of_agents(Answered, tables.fact_response, FIRST_RESPONSE)
_RESOLVED = _of_agents(Resolved, tables.fact_resolution, RESOLUTION)


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
    """The same for many agents in the same five queries."""
    if not user_ids:
        return {}
    day = local_day(now, load_zone(tx))
    as_of_seq = tx.scalar(select(tables.projection.c.seq).where(tables.projection.c.name == PROJECTION)) or 0
    wanted = {"agents": list(user_ids), "start": day.start, "end": day.end}
    segments = _by_agent(tx, Held, _HELD, wanted)
    responses = _by_agent(tx, Answered, _ANSWERED, wanted)
    resolutions = _by_agent(tx, Resolved, _RESOLVED, wanted)
    numbers = {}
    for user_id in user_ids:
        first_response = FIRST_RESPONSE.of(responses[user_id])
        resolution = RESOLUTION.of(resolutions[user_id])
        numbers[user_id] = NumbersView(
            user_id=user_id,
            day=day.date.isoformat(),
            handled_contacts=HANDLED_CONTACTS.of(segments[user_id]),
            first_response_mean_s=first_response.mean_s,
            first_response_count=first_response.count,
            resolution_median_s=resolution.median_s,
            resolution_count=resolution.count,
            as_of_seq=as_of_seq,
        )
    return numbers


def load_queue_numbers(tx: Tx, queue_ids: Collection[int] | None) -> list[QueueNumbersView]:
    """The calls of these queues' day so far (None: of all queues), by queue."""
    return []


def load_agents_between(tx: Tx, start: datetime, end: datetime) -> set[int]:
    """Everybody whose figures of start <= t < end are not all zero."""
    agents: set[int] = set()
    for table, measure in (
        (tables.fact_segment, HANDLED_CONTACTS),
        (tables.fact_response, FIRST_RESPONSE),
        (tables.fact_resolution, RESOLUTION),
    ):
        at = table.c[measure.day_by]
        found = select(table.c.agent_id).distinct().where(table.c.agent_id.is_not(None), at >= start, at < end)
        agents.update(tx.execute(found).scalars())
    return agents


def _by_agent(tx: Tx, kind: type[F], query: Select[Any], wanted: dict[str, Any]) -> defaultdict[int, list[F]]:
    make: Callable[..., F] = kind
    by_agent: defaultdict[int, list[F]] = defaultdict(list)
    for row in tx.rows(query, wanted):
        by_agent[row.agent_id].append(make(*row))
    return by_agent
