"""The roster: which agents there are, what state each is in, and the only functions that change it.

An agent's state is what the person chose (available, busy, away with a reason) or what the hub saw (offline,
not_responding); the moves stand in domain.states. `idle_since` decides who is offered work first: it starts when the agent
becomes available and again whenever a piece of work ends.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update

from hub.agents import spells
from hub.agents.viewer import find_granted
from hub.domain.events import STAFF, AgentChanged
from hub.domain.permissions import Permission
from hub.domain.states import AGENT, AgentState, check_move
from hub.domain.values import ChannelKind, Role
from hub.domain.views import AgentView
from hub.errors import NotFound
from hub.routing.engine import LIVE_KINDS
from hub.store import tables
from hub.store.database import Tx

_a, _u, _as, _o = tables.agent.c, tables.user_account.c, tables.assignment.c, tables.offer.c

_assigned = (
    select(func.coalesce(func.sum(_as.weight), 0))
    .where(_as.agent_id == _a.user_id, _as.ended_at.is_(None))
    .correlate(tables.agent)
    .scalar_subquery()
)
_offered = (
    select(func.coalesce(func.sum(_o.weight), 0))
    .where(_o.agent_id == _a.user_id, _o.ended_at.is_(None))
    .correlate(tables.agent)
    .scalar_subquery()
)
_AGENTS = (
    select(
        _a.user_id,
        _u.name,
        _u.role,
        _a.state,
        _a.reason,
        _a.state_since,
        _a.connected,
        _assigned.label("assigned"),
        _offered.label("offered"),
        _a.capacity,
        _a.version,
        _u.active,
    )
    .join(tables.user_account, _u.id == _a.user_id)
    .order_by(_a.user_id)
)
# Made once: this is on the way of everything that happens, and to make a statement takes longer than to run it.
_ACTIVE = _AGENTS.where(_u.active)
_ACTIVE_OF = _ACTIVE.where(_a.user_id.in_(bindparam("user_ids", expanding=True)))
_WITH_SPELLS_OF = _AGENTS.add_columns(*spells.COLUMNS).where(_a.user_id.in_(bindparam("user_ids", expanding=True)))
_NEXT_VERSION = (
    update(tables.agent).where(_a.user_id.in_(bindparam("user_ids", expanding=True))).values(version=_a.version + 1)
)
_STATE_OF = select(_a.state, _a.reason).where(_a.user_id == bindparam("user_id")).with_for_update()


def load_agent_views(tx: Tx, user_ids: Collection[int] | None = None) -> list[AgentView]:
    """The agents that are active, all or those of `user_ids`, by id. Load counts work held and work that rings."""
    rows = tx.rows(_ACTIVE) if user_ids is None else tx.rows(_ACTIVE_OF, {"user_ids": list(user_ids)})
    return [_view(row) for row in rows]


def takes_part(tx: Tx, user_id: int) -> bool:
    """Whether their role answers customers: nothing goes to somebody who could not."""
    granted = find_granted(tx, user_id)
    return granted is None or Permission.TAKE_PART in granted


def find_worth_waiting_for(tx: Tx, user_id: int | None, kind: ChannelKind, *, locked: bool = False) -> int | None:
    """Whoever shall have work of this kind, if it may wait for them: nothing waits for a person who is gone or takes no part,
    and no chat or call for one who is offline. `locked`: they do not leave before the commit."""
    if user_id is None:
        return None
    query = select(_u.id).where(_u.id == user_id, _u.active)
    if kind in LIVE_KINDS:
        here = select(_a.user_id).where(_a.user_id == user_id, _a.state != AgentState.OFFLINE.value)
        query = query.where(here.exists())
    is_there = tx.first(query.with_for_update(read=True) if locked else query) is not None
    # Behind the lock: whoever takes a role away holds its people's rows before their work is taken.
    return user_id if is_there and takes_part(tx, user_id) else None


def _view(row: Row[Any]) -> AgentView:
    return AgentView(
        user_id=row.user_id,
        name=row.name,
        role=Role(row.role),
        state=AgentState(row.state),
        reason=row.reason,
        state_since=row.state_since,
        connected=row.connected,
        load=int(row.assigned) + int(row.offered),
        capacity=row.capacity,
        version=row.version,
        active=row.active,
    )


def emit_agents(tx: Tx, user_ids: Collection[int]) -> None:
    """Something about these agents changed (state, load, name): told to everybody, once, at the end of the unit of work, and
    with it the stretch of their time that this ended (agents.spells)."""
    tx.gather("agents", user_ids, _emit_gathered)


def _emit_gathered(tx: Tx, user_ids: set[int]) -> None:
    if not user_ids:
        return
    of = {"user_ids": list(user_ids)}
    tx.execute(_NEXT_VERSION, of)
    rows = tx.rows(_WITH_SPELLS_OF, of)
    for row in rows:
        tx.emit(AgentChanged(_view(row)), {STAFF})
    spells.keep(tx, rows)


def change_agent_state(tx: Tx, user_id: int, state: AgentState, reason: str | None = None) -> AgentView:
    """Moves an agent to a state, by their own choice or a supervisor's; IllegalMove if the table has no such move.

    Becoming available starts the idle clock and forgets missed offers. Offers that ring at somebody who is no longer
    available are the dispatcher's to withdraw: it is woken.
    """
    row = tx.first(_STATE_OF, {"user_id": user_id})
    if row is None:
        raise NotFound("there is no such agent")
    before = AgentState(row.state)
    reason = reason if state is AgentState.AWAY else None
    if before is not state or row.reason != reason:
        if before is not state:
            check_move(AGENT, before, state)
        values: dict[str, object] = {"state": state.value, "reason": reason, "state_since": tx.now}
        if before is AgentState.OFFLINE:
            values["gone_since"] = None  # an earlier absence is over: the grace begins with this choice
        if state is AgentState.AVAILABLE:
            values |= {"idle_since": tx.now, "missed_in_row": 0}
        tx.execute(update(tables.agent).where(_a.user_id == user_id).values(**values))
        emit_agents(tx, [user_id])
        tx.wake("routing")
    return load_agent_views(tx, [user_id])[0]


def note_work_ended(tx: Tx, user_ids: Collection[int]) -> None:
    """Starts the idle clock anew for agents whose work has just ended."""
    if user_ids:
        tx.execute(update(tables.agent).where(_a.user_id.in_(user_ids)).values(idle_since=tx.now))


def note_offer_missed(tx: Tx, user_id: int, limit: int) -> None:
    """Counts a missed offer; at `limit` in a row the agent is NOT_RESPONDING until they say that they are back."""
    tx.execute(update(tables.agent).where(_a.user_id == user_id).values(missed_in_row=_a.missed_in_row + 1))
    tx.execute(
        update(tables.agent)
        .where(_a.user_id == user_id, _a.missed_in_row >= limit, _a.state == AgentState.AVAILABLE.value)
        .values(state=AgentState.NOT_RESPONDING.value, reason=None, state_since=tx.now)
    )


def note_offer_answered(tx: Tx, user_id: int) -> None:
    tx.execute(update(tables.agent).where(_a.user_id == user_id).values(missed_in_row=0))
