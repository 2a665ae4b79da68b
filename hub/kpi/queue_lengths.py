"""How long the queues are, told to supervisors' screens: who waits now, since when the longest, and what is not resolved.

A screen cannot count it: its snapshot carries a bounded number of conversations (web.snapshot). So it is counted here:

    conversation.changed, entry.added … → follow → find_changes (reads only) → write_changes: queue_length, QueueLengthChanged

Invariants:
  * What was told last is the queue's row, and a snapshot tells the row: a snapshot and the events after it say the same as
    a later one. A queue without a row has not been counted yet, which is not the same as being empty.
  * A row is written in the version that was seen at the instant of the count, so of several processes that count at the same
    time none tells what is older than what was told.

It does not wait for the projector of facts, which may be far behind while it makes everything anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from time import monotonic
from typing import Any

from sqlalchemy import select, update

from hub.domain.events import (
    SUPERVISORS,
    ConversationChanged,
    ConversationHidden,
    EntryAdded,
    QueueChanged,
    QueueLengthChanged,
)
from hub.domain.views import QueueLengthView
from hub.errors import DatabaseAway
from hub.kpi.open_work import load_backlog, load_waiting
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Stored, Wakes

_WAKE = "queue_lengths"
# Well within the second in which it shall be on the screens; a count over 2,000 that wait takes about a millisecond.
_PACE_S = 0.25
# Work can go without a word to the screens (a customer is erased): it is looked for this often.
_LOOK_EVERY_S = 10.0
_RETRY_S = 0.5

_HEEDED = {ConversationChanged.KIND, ConversationHidden.KIND, EntryAdded.KIND, QueueChanged.KIND}

_l = tables.queue_length.c


class LengthTeller:
    """`follow` hears of work that comes, goes and moves, `run` counts and tells."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes

    def follow(self, events: list[Stored]) -> None:
        """A follower for store.stream.Tail."""
        if any(event.kind in _HEEDED for event in events):
            self._wakes.set(_WAKE)

    async def run(self) -> None:
        while True:
            began = monotonic()
            try:
                changes = await self._database.read(find_changes)
                if changes:
                    await self._database.transaction(write_changes, changes)
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            await self._wakes.wait(_WAKE, _LOOK_EVERY_S)
            await asyncio.sleep(max(0.0, began + _PACE_S - monotonic()))


def load_lengths(tx: Tx) -> list[QueueLengthView]:
    """As told last, by queue."""
    return [
        QueueLengthView(row.queue_id, row.waiting, row.longest_since, row.unresolved, row.version)
        for row in tx.rows(select(tables.queue_length).order_by(_l.queue_id))
    ]


def find_changes(tx: Tx) -> list[QueueLengthView]:
    """The queues that are otherwise than told last, each in the version that was told (0: never). Only reads."""
    told = {view.queue_id: view for view in load_lengths(tx)}
    waiting, backlog = load_waiting(tx), load_backlog(tx)
    changes = []
    for queue_id in tx.execute(select(tables.queue.c.id).order_by(tables.queue.c.id)).scalars():
        before, who = told.get(queue_id), waiting.get(queue_id)
        now = QueueLengthView(
            queue_id,
            waiting=0 if who is None else who.count,
            longest_since=None if who is None else who.since,
            unresolved=backlog.get(queue_id, 0),
            version=0 if before is None else before.version,
        )
        if now != before:
            changes.append(now)
    return changes


def write_changes(tx: Tx, changes: Collection[QueueLengthView]) -> None:
    """Tells what `find_changes` found, of the queues of which nobody has told anything meanwhile."""
    for seen in changes:
        after = replace(seen, version=seen.version + 1)
        if _write(tx, seen.version, after):
            tx.emit(QueueLengthChanged(after), {SUPERVISORS})


def _write(tx: Tx, version: int, after: QueueLengthView) -> bool:
    values: dict[str, Any] = {
        "waiting": after.waiting,
        "longest_since": after.longest_since,
        "unresolved": after.unresolved,
        "version": after.version,
    }
    if version == 0:
        return tx.insert_new(tables.queue_length, [{"queue_id": after.queue_id, **values}]) == [True]
    seen = (_l.queue_id == after.queue_id, _l.version == version)
    return tx.execute(update(tables.queue_length).where(*seen).values(**values)).rowcount == 1
