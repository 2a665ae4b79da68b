"""Stays of customers in queues. Each is told when it ends, once, as a fact (fact.queue_visit) with the reason why it ended.

    written work   a conversation that is open, held by nobody and not to be called back waits: its row says so, and `keep`
                   compares it with the stay that the row remembers whenever one of MATTERS has changed
    a call         its caller waits in the states queued, offered and connecting (calls.records, which says `join` and
                   `leave`): an agent who accepts and whose line does not come to stand has answered nobody

The stay that goes on stands in the conversation's row (`visit…`), so a restart neither loses nor doubles one. What becomes of
a stay depends on what was written last; steps of one unit of work are told step by step.

No stays: a callback that is to be made and what was said after the tone, for nobody is on the line. How long these take
is told by fact.call (of the call that is made) and fact.response.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, select, update

from hub.domain.events import FACTS, QueueVisitEnded
from hub.domain.values import AuthorKind, ChannelKind
from hub.store import tables
from hub.store.database import Tx

_c = tables.conversation.c

# What of a conversation's columns decides whether it waits, and where.
MATTERS = frozenset({"status", "queue_id", "assignee_id", "queued_since", "callback"})


class Leaving(StrEnum):
    """Why a stay ended.

    ANSWERED     somebody has the work; of a caller: they and an agent are connected
    ABANDONED    the caller left, be it that they lost the line
    OVERFLOW     the hub moved them: to another queue, or out of it to whatever the flow has next
    TRANSFERRED  a person moved them to another queue
    CALLBACK     they are to be called back
    SYSTEM_DROP  our line broke
    WITHDRAWN    nobody was wanted any more: resolved as it waited, or a supervisor ended the call
    """

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    OVERFLOW = "overflow"
    TRANSFERRED = "transferred"
    CALLBACK = "callback"
    SYSTEM_DROP = "system_drop"
    WITHDRAWN = "withdrawn"


def moved(by: AuthorKind) -> Leaving:
    """How a stay ends that goes on in another queue."""
    return Leaving.TRANSFERRED if by is AuthorKind.AGENT else Leaving.OVERFLOW


# --- the columns of a stay ------------------------------------------------------------------------------------------------

BEGUN = ("visit", "visit_queue_id", "visit_since", "visit_age")
NOT_BEGUN: Mapping[str, Any] = {"visit": 0, "visit_queue_id": None, "visit_since": None, "visit_age": None}


def begun(visit: int, queue_id: int, since: datetime, age: datetime | None = None) -> dict[str, Any]:
    """As a stay begins. `age`: by which it is routed, where that is not `since`."""
    return {"visit": visit, "visit_queue_id": queue_id, "visit_since": since, "visit_age": age or since}


# --- written work -----------------------------------------------------------------------------------------------------------


def keep(tx: Tx, row: Row[Any], by: AuthorKind) -> None:
    """`row`: a conversation as it is now (of conversations.CONVERSATIONS); `by`: who changed it."""
    if row.channel_kind == ChannelKind.PHONE.value or row.call_id is not None:
        return
    waits = row.queued_since is not None and row.callback is None
    if row.visit_since is None:
        if waits:
            _begin(tx, row)
        return
    if waits and row.queue_id == row.visit_queue_id:
        return
    if row.status == "resolved":
        reason = Leaving.WITHDRAWN
    elif row.assignee_id is not None:
        reason = Leaving.ANSWERED
    elif row.callback is not None:
        reason = Leaving.CALLBACK
    else:
        reason = moved(by)
    _end(tx, row, reason, agent_id=row.assignee_id, is_first=not _was_held(tx, row))
    if waits:
        _begin(tx, row)


def begin(tx: Tx, conversation_id: int) -> None:
    """New work has come to wait, as its row says."""
    _begin(tx, _load(tx, conversation_id))


# --- callers ----------------------------------------------------------------------------------------------------------------


def join(tx: Tx, call: Row[Any], queue_id: int) -> None:
    """The caller waits in this queue from now on. `call`: its row, whose conversation waits or is about to."""
    row = _load(tx, call.conversation_id)
    if row.visit_since is None:
        _begin(tx, row, queue_id)


def leave(tx: Tx, call: Row[Any], reason: Leaving, *, is_first: bool) -> None:
    """Their stay is over; none, where there was none. Of an answered one the call's agent is who answered. `is_first`: they
    had talked with nobody before."""
    row = _load(tx, call.conversation_id)
    if row.visit_since is None:
        return
    agent_id = call.agent_id if reason is Leaving.ANSWERED else None
    _end(tx, row, reason, agent_id=agent_id, is_first=is_first, call=call)
    if row.unanswered_since is None:
        # Who has asked for something in writing, too, waits once.
        waited_s = max(0.0, (tx.now - row.visit_since).total_seconds())
        tx.execute(update(tables.conversation).where(_c.id == row.id).values(waited_s=_c.waited_s + waited_s))


# --- rows -------------------------------------------------------------------------------------------------------------------


def _load(tx: Tx, conversation_id: int) -> Row[Any]:
    row = tx.first(select(tables.conversation).where(_c.id == conversation_id))
    assert row is not None
    return row


def _begin(tx: Tx, row: Row[Any], queue_id: int | None = None) -> None:
    stay = begun(row.visit + 1, queue_id or row.queue_id, tx.now, row.queued_since)
    tx.execute(update(tables.conversation).where(_c.id == row.id).values(**stay))


def _was_held(tx: Tx, row: Row[Any]) -> bool:
    """Whether an agent had this request, and has it no more."""
    a = tables.assignment.c
    since = row.arrived_at or row.created_at
    held = select(a.id).where(a.conversation_id == row.id, a.assigned_at >= since, a.ended_at.is_not(None)).limit(1)
    return tx.first(held) is not None


def _end(
    tx: Tx, row: Row[Any], reason: Leaving, *, agent_id: int | None, is_first: bool, call: Row[Any] | None = None
) -> None:
    tx.execute(update(tables.conversation).where(_c.id == row.id).values(visit_since=None))
    tx.emit(
        QueueVisitEnded(
            conversation_id=row.id,
            visit=row.visit,
            customer_id=row.customer_id,
            channel_id=row.channel_id if call is None else call.channel_id,
            queue_id=row.visit_queue_id,
            arrived_at=(row.arrived_at or row.created_at) if call is None else call.started_at,
            waiting_since=row.visit_age,
            queued_at=row.visit_since,
            # A clock that jumped back makes no stay shorter than none.
            removed_at=max(row.visit_since, tx.now),
            reason=reason.value,
            agent_id=agent_id,
            call_id=call.id if call is not None else None,
            topic_id=row.topic_id,
            is_first=is_first,
        ),
        {FACTS},
    )
