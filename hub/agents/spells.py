"""Stretches of an agent's time in which nothing changed: state, reason, load, capacity, pieces of work. Each is told when it
ends, as a fact (fact.agent_state); from them come occupancy, worked hours and the time-line.

The stretch that goes on stands in the agent's row (`spell…`). `keep` compares it with what is true at the end of each unit of
work that changed anything about an agent (agents.roster), so a stretch ends where the next begins: no gap and no overlap.
What changes twice at one instant is no stretch, and a clock that jumped back makes none shorter than nothing: the one that
goes on keeps its beginning until time has passed it. Offline is a state like others: somebody who is deactivated stays so.
Who joins or leaves a team begins a new one (`cut`), so none belongs to two teams, nor to the days of two clocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update

from hub.domain.events import FACTS, AgentSpellEnded
from hub.store import tables
from hub.store.database import Tx

_a, _as, _c = tables.agent.c, tables.assignment.c, tables.conversation.c

# What is compared, beside what roster's rows have already.
COLUMNS = (
    _a.spell_since,
    _a.spell_state,
    _a.spell_reason,
    _a.spell_load,
    _a.spell_capacity,
    _a.spell_work_count,
    # What is put aside is nobody's work meanwhile.
    select(func.count())
    .select_from(tables.assignment.join(tables.conversation, _c.id == _as.conversation_id))
    .where(_as.agent_id == _a.user_id, _as.ended_at.is_(None), _c.parked_until.is_(None))
    .correlate(tables.agent)
    .scalar_subquery()
    .label("work_count"),
)


_BEGIN = (
    update(tables.agent)
    .where(_a.user_id == bindparam("of"))
    .values(
        spell_since=bindparam("since"),
        spell_state=bindparam("now_state"),
        spell_reason=bindparam("now_reason"),
        spell_load=bindparam("now_load"),
        spell_capacity=bindparam("now_capacity"),
        spell_work_count=bindparam("now_work_count"),
    )
)


def keep(tx: Tx, rows: Iterable[Row[Any]]) -> None:
    """`rows`: agents as they are now, with COLUMNS, locked until the commit."""
    for row in rows:
        load = int(row.assigned) + int(row.offered)
        now = (row.state, row.reason, load, row.capacity, row.work_count)
        before = (row.spell_state, row.spell_reason, row.spell_load, row.spell_capacity, row.spell_work_count)
        if row.spell_since is not None and now == before:
            continue
        since = tx.now
        if row.spell_since is not None and row.spell_since >= tx.now:
            since = row.spell_since
        elif row.spell_since is not None:
            _tell(tx, row)
        tx.execute(
            _BEGIN,
            {
                "of": row.user_id,
                "since": since,
                "now_state": row.state,
                "now_reason": row.reason,
                "now_load": load,
                "now_capacity": row.capacity,
                "now_work_count": row.work_count,
            },
        )


def cut(tx: Tx, user_ids: Collection[int]) -> None:
    """Ends the stretches of these agents that go on, and begins others that are the same."""
    columns = (_a.user_id, *COLUMNS[:-1])
    goes_on = (_a.user_id.in_(user_ids), _a.spell_since < tx.now)
    for row in tx.rows(select(*columns).where(*goes_on).order_by(_a.user_id).with_for_update()):
        _tell(tx, row)
        tx.execute(update(tables.agent).where(_a.user_id == row.user_id).values(spell_since=tx.now))


def _tell(tx: Tx, row: Row[Any]) -> None:
    """The stretch that the row says goes on, ended now."""
    tx.emit(
        AgentSpellEnded(
            agent_id=row.user_id,
            since=row.spell_since,
            until=tx.now,
            state=row.spell_state,
            reason=row.spell_reason,
            load=row.spell_load,
            capacity=row.spell_capacity,
            work_count=row.spell_work_count,
        ),
        {FACTS},
    )
