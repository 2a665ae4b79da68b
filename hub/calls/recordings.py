"""Recordings of calls and messages left: their rows, who may hear them, and when they go.

    fetching ──► stored ──► deleted         by the queue's days, or by a supervisor
        │  ▲        ▲
        ▼  │ (asked for again)
      failed        what the provider no longer has, or what is no sound

Whoever changes a recording holds the lock of its call's conversation. `delete_at` says since when something of it is to be
removed from where it lies: the provider's copy once ours is stored, and ours, too, once it is deleted. That is work of the
loop (calls.recording_fetcher), after the commit and until it has succeeded, so a deletion outlasts a killed process and a
store that is away.

How long a recording is kept is the queue's to say, today: nothing of it is written into the recording, so a change of the
queue's setting holds for all of its recordings at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.calls import records
from hub.domain.values import Role
from hub.errors import Conflict, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations

_r, _ca, _s, _q = tables.recording.c, tables.call.c, tables.call_segment.c, tables.queue.c
_p, _u, _o = tables.recording_play.c, tables.user_account.c, tables.organisation.c

# The requests of one listening: a browser asks for a sound in ranges, and again at each seek.
_ONE_PLAY = timedelta(minutes=1)
# Recordings deleted in one unit of work: nobody waits long for the writer.
_EXPIRE_STEP = 200

WAKE = "recordings"

# --- who may hear them --------------------------------------------------------------------------------------------------

_RECORDINGS = (
    select(
        tables.recording,
        _ca.conversation_id,
        _ca.queue_id,
        _ca.channel_id,
        _q.recording_days,
        _u.name.label("deleted_by_name"),
    )
    .join(tables.call, _ca.id == _r.call_id)
    .outerjoin(tables.queue, _q.id == _ca.queue_id)
    .outerjoin(tables.user_account, _u.id == _r.deleted_by)
)


def access(tx: Tx, viewer: Viewer, recording_id: int) -> Row[Any]:
    """The recording with its call's conversation and queue, for whoever may hear it; NotFound for everybody else, so that
    ids cannot be probed."""
    row = _find(tx, recording_id)
    if row is None or not _may_hear(tx, viewer, row):
        raise NotFound("there is no such recording")
    return row


def _find(tx: Tx, recording_id: int) -> Row[Any] | None:
    return tx.first(_RECORDINGS.where(_r.id == recording_id))


def _may_hear(tx: Tx, viewer: Viewer, row: Row[Any]) -> bool:
    """Supervisors all. A message left is a message: for whoever may see the conversation. The recording of a call as the
    organisation says: own (they took part), seen (like messages), none."""
    if viewer.covers(Role.SUPERVISOR):
        return True
    rule = "seen" if row.kind == "voicemail" else load_rule(tx)
    if rule == "seen":
        try:
            conversations.access_entry_of(tx, viewer, row.conversation_id)
        except NotFound:
            return False
        return True
    mine = select(_s.id).where(_s.call_id == row.call_id, _s.agent_id == viewer.user_id)
    return rule == "own" and tx.first(mine.limit(1)) is not None


def load_rule(tx: Tx) -> str:
    """Which recordings agents may play: own, seen or none."""
    return str(tx.scalar(select(_o.recordings_for_agents)) or "own")


def set_rule(tx: Tx, rule: str, *, actor: Viewer | None = None) -> None:
    before = {"recordings_for_agents": load_rule(tx)}
    tx.execute(update(tables.organisation).values(recordings_for_agents=rule))
    after = {"recordings_for_agents": rule}
    audit.note_change(tx, actor, "organisation.recordings_changed", "organisation", "", before, after)


def goes_at(row: Row[Any]) -> datetime | None:
    """When a stored recording will be deleted, as its queue says today; None: never."""
    if row.state != "stored" or row.recording_days is None:
        return None
    begun: datetime = row.started_at
    return begun + timedelta(days=row.recording_days)


# --- who has heard them -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Play:
    user_id: int
    name: str
    at: datetime


def load_plays(tx: Tx, recording_id: int, limit: int) -> list[Play]:
    """The newest first."""
    query = (
        select(_p.user_id, _u.name, _p.at)
        .join(tables.user_account, _u.id == _p.user_id)
        .where(_p.recording_id == recording_id)
        .order_by(_p.at.desc(), _p.id.desc())
    )
    return [Play(row.user_id, row.name, row.at) for row in tx.rows(query.limit(limit))]


def note_play(tx: Tx, viewer: Viewer, recording_id: int) -> Row[Any]:
    """Somebody is about to hear it: written down before the first byte leaves. Raises like `access`."""
    row = access(tx, viewer, recording_id)
    if row.state != "stored":
        raise Conflict(_NOT_HERE[row.state], code=f"recording_{row.state}")
    # Two ranges that are asked for at once are one play.
    tx.execute(select(_r.id).where(_r.id == recording_id).with_for_update())
    lately = select(_p.id).where(
        _p.recording_id == recording_id, _p.user_id == viewer.user_id, _p.at > tx.now - _ONE_PLAY
    )
    if tx.first(lately.limit(1)) is None:
        tx.insert(tables.recording_play, {"recording_id": recording_id, "user_id": viewer.user_id, "at": tx.now})
    return row


_NOT_HERE = {
    "fetching": "this recording is not stored yet",
    "failed": "this recording could not be fetched",
    "deleted": "this recording was deleted",
}

# --- changing them ------------------------------------------------------------------------------------------------------


def lock(tx: Tx, recording_id: int) -> Row[Any] | None:
    """The recording, with its conversation locked."""
    row = _find(tx, recording_id)
    if row is None:
        return None
    tx.lock_conversations([row.conversation_id])
    return _find(tx, recording_id)


def write(tx: Tx, row: Row[Any], **values: Any) -> None:
    """The caller holds the lock; everybody who sees the call is told."""
    tx.execute(update(tables.recording).where(_r.id == row.id).values(**values))
    records.tell(tx, row.call_id)
    tx.wake(WAKE)


def delete(tx: Tx, viewer: Viewer, recording_id: int) -> None:
    """By hand. What lies in the store and at the provider is removed after the commit. Deleted twice is deleted once."""
    access(tx, viewer, recording_id)
    row = lock(tx, recording_id)
    if row is None or row.state == "deleted":
        return
    _delete(tx, row, viewer.user_id)


def _delete(tx: Tx, row: Row[Any], user_id: int | None) -> None:
    write(
        tx,
        row,
        state="deleted",
        reason=None,
        # How loud it was says when who spoke.
        peaks=None,
        deleted_at=tx.now,
        deleted_by=user_id,
        delete_at=tx.now,
        attempts=0,
        retry_at=None,
        leased_until=None,
    )


def fetch_again(tx: Tx, viewer: Viewer, recording_id: int) -> None:
    """One that had failed: the provider is asked once more. Conflict `not_failed` for any other."""
    access(tx, viewer, recording_id)
    row = lock(tx, recording_id)
    if row is None or row.state != "failed":
        raise Conflict("this recording has not failed", code="not_failed")
    write(tx, row, state="fetching", reason=None, attempts=0, retry_at=tx.now, leased_until=None)


# --- how long they are kept ---------------------------------------------------------------------------------------------


def find_expired(tx: Tx) -> list[int]:
    """Some of those that are older than their queue keeps them."""
    expired: list[int] = []
    for queue in tx.rows(select(_q.id, _q.recording_days).where(_q.recording_days.is_not(None)).order_by(_q.id)):
        old = (
            select(_r.id)
            .join(tables.call, _ca.id == _r.call_id)
            .where(_r.state == "stored", _r.started_at < tx.now - timedelta(days=queue.recording_days))
            .where(_ca.queue_id == queue.id)
            .order_by(_r.started_at)
            .limit(_EXPIRE_STEP - len(expired))
        )
        expired += [row.id for row in tx.rows(old)]
    return expired


def expire(tx: Tx, ids: Sequence[int]) -> None:
    """Deletes those of them that are still to go."""
    rows = tx.rows(_RECORDINGS.where(_r.id.in_(ids)).order_by(_r.id))
    tx.lock_conversations(row.conversation_id for row in rows)
    for row in tx.rows(_RECORDINGS.where(_r.id.in_(ids)).order_by(_r.id)):
        ends_at = goes_at(row)
        if ends_at is not None and ends_at < tx.now:
            _delete(tx, row, None)


# --- all of them --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QueueRecordings:
    """What is stored of a queue's calls; `queue_id` None: of calls that came to no queue."""

    queue_id: int | None
    count: int
    size_bytes: int
    duration_s: float
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """`fetching`: still at the provider; `troubled`: why, for those that were tried already; `failed`: by reason.
    `leaving`: deleted or stored, while something of them is still to be removed elsewhere."""

    queues: tuple[QueueRecordings, ...]
    fetching: int
    troubled: dict[str, int]
    failed: dict[str, int]
    leaving: int


def load_overview(tx: Tx) -> Overview:
    stored = (
        select(
            _ca.queue_id,
            func.count().label("number"),
            func.sum(_r.size_bytes).label("size_bytes"),
            func.sum(_r.duration_s).label("duration_s"),
            func.min(_r.started_at).label("oldest_at"),
        )
        .join(tables.call, _ca.id == _r.call_id)
        .where(_r.state == "stored")
        .group_by(_ca.queue_id)
    )
    rest = select(_r.state, _r.reason, func.count().label("number")).where(_r.state.in_(("fetching", "failed")))
    found = tx.rows(rest.group_by(_r.state, _r.reason))

    def reasons(state: str) -> dict[str, int]:
        return {row.reason: row.number for row in found if row.state == state and row.reason is not None}

    return Overview(
        queues=tuple(
            QueueRecordings(
                row.queue_id, row.number, int(row.size_bytes or 0), float(row.duration_s or 0), row.oldest_at
            )
            for row in sorted(tx.rows(stored), key=lambda row: row.queue_id or 0)
        ),
        fetching=sum(row.number for row in found if row.state == "fetching"),
        troubled=reasons("fetching"),
        failed=reasons("failed"),
        leaving=int(tx.scalar(select(func.count()).where(_r.delete_at.is_not(None))) or 0),
    )
