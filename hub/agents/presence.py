"""Presence: which console sockets are open, in every process, and who is gone.

Each open socket is a row of `connection` that its process keeps fresh. An agent whose last row is gone, or has gone stale
because its process died, is given a grace period (a reload, a short loss of the network); then the agent is lost: offline,
and the dispatcher takes their ringing and live work back to the queue at its original age.

Visitors of chats are many more than agents, and nothing is written for each of them each five seconds: there a process says
that it lives (`say_alive`), and what it noted belongs to the living as long as it does (timeline.visitor_presence).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, insert, select, update

from hub.agents.roster import emit_agents
from hub.domain.events import Viewing, customer_topic
from hub.domain.states import AgentState
from hub.store import tables
from hub.store.database import Tx

_a, _k, _p = tables.agent.c, tables.connection.c, tables.process.c

# A process refreshes its rows this often; a row not refreshed for three of these belongs to a dead process.
HEARTBEAT_S = 5.0
STALE_AFTER = timedelta(seconds=3 * HEARTBEAT_S)


def connect(tx: Tx, connection_id: str, user_id: int, process: str, customer_id: int | None) -> None:
    """A console socket opened."""
    _lock_agents(tx, [user_id])
    tx.execute(
        insert(tables.connection).values(
            id=connection_id,
            user_id=user_id,
            process=process,
            opened_at=tx.now,
            seen_at=tx.now,
            customer_id=customer_id,
        )
    )
    was_gone = tx.execute(
        update(tables.agent)
        .where(_a.user_id == user_id, (~_a.connected) | _a.gone_since.is_not(None))
        .values(connected=True, gone_since=None)
    ).rowcount
    if was_gone:
        emit_agents(tx, [user_id])
        if tx.scalar(select(_a.state).where(_a.user_id == user_id)) == AgentState.AVAILABLE.value:
            tx.wake("routing")


def disconnect(tx: Tx, connection_id: str) -> int | None:
    """A console socket closed; the grace period starts if it was the last. Returns the customer it had open."""
    row = tx.first(select(_k.user_id, _k.customer_id).where(_k.id == connection_id))
    if row is None:
        return None
    tx.execute(delete(tables.connection).where(_k.id == connection_id))
    _note_gone(tx, [row.user_id])
    return int(row.customer_id) if row.customer_id is not None else None


def beat(tx: Tx, process: str, connection_ids: Collection[str]) -> list[str]:
    """Keeps this process's rows fresh, and clears away those of processes that died. Returns whose rows are missing: after
    a long absence of the database another process may have taken this one for dead, and they must `connect` again."""
    missing: list[str] = []
    if connection_ids:
        tx.execute(update(tables.connection).where(_k.id.in_(connection_ids)).values(seen_at=tx.now))
        kept = {row.id for row in tx.rows(select(_k.id).where(_k.id.in_(connection_ids)))}
        missing = [each for each in connection_ids if each not in kept]
    mine_gone = (_k.process == process) & _k.id.not_in(connection_ids) & (_k.opened_at < tx.now - STALE_AFTER)
    stale = mine_gone | (_k.seen_at < tx.now - STALE_AFTER)
    users = {row.user_id for row in tx.rows(select(_k.user_id).where(stale))}
    if users:
        tx.execute(delete(tables.connection).where(stale))
        _note_gone(tx, users)
    return missing


def say_alive(tx: Tx, process: str, silence: timedelta) -> bool:
    """For what a process keeps of others than agents. False: it was not heard of for longer than that `silence`, so what it
    noted earlier may have been cleared away."""
    own, seen = _p.id == process, {"seen_at": tx.now}
    if tx.execute(update(tables.process).where(own, _p.seen_at >= tx.now - silence).values(**seen)).rowcount:
        return True
    if not tx.execute(update(tables.process).where(own).values(**seen)).rowcount:
        tx.execute(insert(tables.process).values(id=process, **seen))
    return False


def find_living(tx: Tx, silence: timedelta) -> set[str]:
    """The processes that were heard of since."""
    return {row.id for row in tx.rows(select(_p.id).where(_p.seen_at >= tx.now - silence))}


def forget_all(tx: Tx) -> None:
    """For the only process there is, when it starts: every socket noted belongs to an earlier life. Their agents are gone
    until they come back, so nothing rings at a screen that is closed; the grace period keeps what they hold."""
    users = {row.user_id for row in tx.rows(select(_k.user_id))}
    tx.execute(delete(tables.connection))
    _note_gone(tx, users)


def _lock_agents(tx: Tx, user_ids: Collection[int]) -> None:
    """Opening and closing of one agent's sockets one after the other: else, at a reload, the old socket's goodbye does not
    see the new one's row, the new one still sees an agent who is connected, and the agent ends as gone."""
    tx.rows(select(_a.user_id).where(_a.user_id.in_(user_ids)).order_by(_a.user_id).with_for_update())


def _note_gone(tx: Tx, user_ids: Collection[int]) -> None:
    _lock_agents(tx, user_ids)
    still_here = select(_k.user_id).where(_k.user_id.in_(user_ids))
    gone = [
        row.user_id
        for row in tx.rows(
            select(_a.user_id).where(_a.user_id.in_(user_ids), _a.connected, _a.user_id.not_in(still_here))
        )
    ]
    if gone:
        tx.execute(update(tables.agent).where(_a.user_id.in_(gone)).values(connected=False, gone_since=tx.now))
        emit_agents(tx, gone)
        tx.wake("routing")


def watch(tx: Tx, connection_id: str, customer_id: int | None) -> int | None:
    """Notes which customer card a screen has open; returns the one it had open before."""
    before = tx.scalar(select(_k.customer_id).where(_k.id == connection_id))
    tx.execute(update(tables.connection).where(_k.id == connection_id).values(customer_id=customer_id))
    return int(before) if before is not None else None


def load_viewers(tx: Tx, customer_id: int) -> tuple[int, ...]:
    """Who has this customer's card open, on any screen of any process."""
    query = select(_k.user_id).where(_k.customer_id == customer_id).distinct().order_by(_k.user_id)
    return tuple(row.user_id for row in tx.rows(query))


def viewing(customer_id: int, user_ids: tuple[int, ...]) -> tuple[Viewing, frozenset[str]]:
    """The volatile event that tells the lookers at a card of each other, and its topics."""
    return Viewing(customer_id, user_ids), frozenset({customer_topic(customer_id)})


# An agent who chose a state but never opened a screen (a program, a page still loading) has the same grace from that choice.
_gone = func.coalesce(_a.gone_since, _a.state_since)
_CUT_OFF = (~_a.connected, _a.state != AgentState.OFFLINE.value)
# Made once, as all that a round of the dispatcher asks: to make a statement takes longer than to run it.
_LOST = select(_a.user_id).where(*_CUT_OFF, _gone <= bindparam("over")).order_by(_a.user_id)
_FIRST_GONE = select(func.min(_gone)).where(*_CUT_OFF)


def find_lost(tx: Tx, grace_s: float, up_since: datetime | None = None) -> list[int]:
    """Agents whose grace period is over and who are not offline yet. While no hub was up nobody could come back, so the
    grace of those who were cut off then begins with `up_since`, the start of whoever asks."""
    over = tx.now - timedelta(seconds=grace_s)
    if up_since is not None and up_since > over:
        return []
    return [row.user_id for row in tx.rows(_LOST, {"over": over})]


def next_loss(tx: Tx, grace_s: float, up_since: datetime | None = None) -> datetime | None:
    """When the next agent's grace period ends."""
    found: datetime | None = tx.scalar(_FIRST_GONE)
    if found is None:
        return None
    return max(found, up_since or found) + timedelta(seconds=grace_s)
