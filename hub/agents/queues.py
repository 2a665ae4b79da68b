"""Queues and who belongs to them: what an administrator sets, and what everybody sees.

Belonging to a queue is a right, too: its members see its conversations. So a change is told to all (QueueChanged) and
to those it concerns (AccessChanged: take a fresh snapshot), and the dispatcher looks again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import delete, select, update

from hub.domain.events import STAFF, AccessChanged, QueueChanged, user_topic
from hub.domain.views import QueueView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx

_q, _m, _u = tables.queue.c, tables.queue_member.c, tables.user_account.c


def load_queue_views(tx: Tx, ids: Collection[int] | None = None) -> list[QueueView]:
    """All queues, or those of `ids`, by id. Members who are not active are not shown."""
    queues = select(_q.id, _q.name, _q.offer_timeout_s, _q.version, _q.signature).order_by(_q.id)
    members = (
        select(_m.queue_id, _m.user_id)
        .join(tables.user_account, _u.id == _m.user_id)
        .where(_u.active)
        .order_by(_m.user_id)
    )
    if ids is not None:
        queues, members = queues.where(_q.id.in_(ids)), members.where(_m.queue_id.in_(ids))
    by_queue: dict[int, list[int]] = {}
    for row in tx.rows(members):
        by_queue.setdefault(row.queue_id, []).append(row.user_id)
    return [
        QueueView(row.id, row.name, tuple(by_queue.get(row.id, ())), row.offer_timeout_s, row.version, row.signature)
        for row in tx.rows(queues)
    ]


def load_queue(tx: Tx, queue_id: int) -> QueueView:
    found = load_queue_views(tx, [queue_id])
    if not found:
        raise NotFound("there is no such queue")
    return found[0]


def create_queue(
    tx: Tx, *, name: str, offer_timeout_s: int = 20, member_ids: Collection[int] = (), signature: str = ""
) -> QueueView:
    """Conflict if the name is taken; InvalidInput if a member is not an active user."""
    _check_name(tx, name, None)
    queue_id = tx.insert(tables.queue, {"name": name, "offer_timeout_s": offer_timeout_s, "signature": signature})
    if not _set_members(tx, queue_id, member_ids):
        emit_queues(tx, [queue_id])
    return load_queue(tx, queue_id)


def update_queue(
    tx: Tx,
    queue_id: int,
    *,
    name: str | None = None,
    offer_timeout_s: int | None = None,
    member_ids: Collection[int] | None = None,
    signature: str | None = None,
) -> QueueView:
    """None leaves a thing as it is."""
    if tx.first(select(_q.id).where(_q.id == queue_id).with_for_update()) is None:
        raise NotFound("there is no such queue")
    values: dict[str, object] = {}
    if name is not None:
        _check_name(tx, name, queue_id)
        values["name"] = name
    if offer_timeout_s is not None:
        values["offer_timeout_s"] = offer_timeout_s
    if signature is not None:
        values["signature"] = signature
    if values:
        tx.execute(update(tables.queue).where(_q.id == queue_id).values(**values))
    if not (member_ids is not None and _set_members(tx, queue_id, member_ids)) and values:
        emit_queues(tx, [queue_id])
    return load_queue(tx, queue_id)


def set_user_queues(tx: Tx, user_id: int, queue_ids: Collection[int]) -> bool:
    """Makes somebody a member of exactly these queues; True if that changed anything. InvalidInput naming `queue_ids`
    if there is no such queue."""
    wanted = set(queue_ids)
    known = set(tx.execute(select(_q.id).where(_q.id.in_(wanted))).scalars()) if wanted else set()
    if wanted - known:
        unknown = ", ".join(str(queue_id) for queue_id in sorted(wanted - known))
        raise InvalidInput("there is no such queue", fields={"queue_ids": f"there is no queue {unknown}"})
    held = set(tx.execute(select(_m.queue_id).where(_m.user_id == user_id)).scalars())
    if wanted == held:
        return False
    tx.execute(delete(tables.queue_member).where(_m.user_id == user_id, _m.queue_id.in_(held - wanted)))
    tx.insert_new(tables.queue_member, [{"queue_id": queue_id, "user_id": user_id} for queue_id in wanted - held])
    emit_queues(tx, wanted ^ held)
    emit_access(tx, [user_id])
    return True


def emit_queues(tx: Tx, queue_ids: Collection[int]) -> None:
    """Something about these queues changed: a new version of each, told to everybody; the dispatcher looks again."""
    if not queue_ids:
        return
    tx.execute(update(tables.queue).where(_q.id.in_(queue_ids)).values(version=_q.version + 1))
    for view in load_queue_views(tx, queue_ids):
        tx.emit(QueueChanged(view), {STAFF})
    tx.wake("routing")


def emit_access(tx: Tx, user_ids: Iterable[int]) -> None:
    """The rights of these people changed: their screens take a fresh snapshot, their sockets look who they are now."""
    for user_id in sorted(user_ids):
        tx.emit(AccessChanged(user_id), {user_topic(user_id)})


def _set_members(tx: Tx, queue_id: int, user_ids: Collection[int]) -> bool:
    wanted = set(user_ids)
    known = set(tx.execute(select(_u.id).where(_u.id.in_(wanted), _u.active)).scalars()) if wanted else set()
    if wanted - known:
        unknown = ", ".join(str(user_id) for user_id in sorted(wanted - known))
        raise InvalidInput("there is no such user", fields={"member_ids": f"there is no active user {unknown}"})
    held = set(tx.execute(select(_m.user_id).where(_m.queue_id == queue_id)).scalars())
    if wanted == held:
        return False
    tx.execute(delete(tables.queue_member).where(_m.queue_id == queue_id, _m.user_id.in_(held - wanted)))
    tx.insert_new(tables.queue_member, [{"queue_id": queue_id, "user_id": user_id} for user_id in wanted - held])
    # UserView shows a person's queues, so it is a new version of the person, too.
    changed = wanted ^ held
    tx.execute(update(tables.user_account).where(_u.id.in_(changed)).values(version=_u.version + 1))
    emit_queues(tx, [queue_id])
    emit_access(tx, changed)
    return True


def _check_name(tx: Tx, name: str, own_id: int | None) -> None:
    if tx.scalar(select(_q.id).where(_q.name == name, _q.id != (own_id or 0))) is not None:
        raise Conflict("there is a queue with this name", code="name_taken", fields={"name": "is taken"})
