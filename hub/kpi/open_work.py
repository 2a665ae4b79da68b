"""What is open now, by queue, read where it stands: the conversations. Nothing of it is a fact of the past."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from hub.store import tables
from hub.store.database import Tx

_c = tables.conversation.c

# Who is to be called back later does not wait now.
WAITS = _c.queued_since.is_not(None) & _c.parked_until.is_(None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait in a queue, and since when the longest of them."""

    count: int
    since: datetime


def load_waiting(tx: Tx, queue_ids: Collection[int] | None = None) -> dict[int, Waiting]:
    """By queue (None: all), of those in which anybody waits."""
    counted = (
        select(_c.queue_id, func.count().label("size"), func.min(_c.queued_since).label("since"))
        .where(WAITS)
        .group_by(_c.queue_id)
    )
    rows = tx.rows(counted if queue_ids is None else counted.where(_c.queue_id.in_(queue_ids)))
    return {row.queue_id: Waiting(int(row.size), row.since) for row in rows}


def load_backlog(tx: Tx, queue_ids: Collection[int] | None = None) -> dict[int, int]:
    """How much is not resolved in each queue (None: in all) that has anything: it waits, or somebody has it."""
    found: defaultdict[int, int] = defaultdict(int)
    # Apart, since each has its index.
    for is_open in (_c.queued_since.is_not(None), _c.assignee_id.is_not(None)):
        counted = select(_c.queue_id, func.count().label("size")).where(is_open).group_by(_c.queue_id)
        for row in tx.rows(counted if queue_ids is None else counted.where(_c.queue_id.in_(queue_ids))):
            found[row.queue_id] += int(row.size)
    return dict(found)
