"""Business time of a queue: what of a stretch of time fell into its hours, by the calendar that it has now.

A queue without a calendar is always there, and so is one whose calendar cannot be read any more: for both it is the time on
the wall. Whoever wants it by the calendars of then asks routing.clocks, which keeps them for conversations with a policy.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from hub.routing.calendar import open_seconds
from hub.routing.calendars import load_current
from hub.store import tables
from hub.store.database import Tx

_q = tables.queue.c


def seconds_in_hours(tx: Tx, queue_id: int, since: datetime, until: datetime) -> float:
    """Never negative: 0 where a clock jumped back."""
    if until <= since:
        return 0.0
    calendar_id = tx.scalar(select(_q.calendar_id).where(_q.id == queue_id))
    calendar = load_current(tx, [calendar_id]).get(calendar_id) if calendar_id is not None else None
    return (until - since).total_seconds() if calendar is None else open_seconds(calendar, since, until)
