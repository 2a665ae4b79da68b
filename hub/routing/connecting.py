"""Accepted is not connected: between an agent's yes and a line that stands, a call is *connecting*, by a deadline of its own.

The assignment says so: `connect_by` until `connected_at`. What is not connected by then goes back at its original age
(dispatcher), so a deadline is kept across restarts, and whoever comes up late finds it past.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from hub.store import tables
from hub.store.database import Tx

_as = tables.assignment.c

# In the words of the partial index ix_assignment_connecting, so that it is used.
_connecting = (_as.connect_by.is_not(None), _as.connected_at.is_(None), _as.ended_at.is_(None))


def find_overdue(tx: Tx) -> Sequence[Row[Any]]:
    """(conversation_id, agent_id, queued_since, how) of what did not connect in time, by conversation."""
    return tx.rows(_OVERDUE, {"now": tx.now})


# Made once: each round of the dispatcher asks.
_OVERDUE = (
    select(_as.conversation_id, _as.agent_id, _as.queued_since, _as.how)
    .where(*_connecting, _as.connect_by <= bindparam("now"))
    .order_by(_as.conversation_id)
)
next_deadline = select(func.min(_as.connect_by)).where(*_connecting).scalar_subquery()
