"""Alerts: what somebody must look at, until they have. They are the person's inbox.

Raised by whatever has a reason (a mention, a task whose time has come, work that was given or taken, an escalation step, a
low score, a limit that broke); told to whom it is for, and to nobody else. A page stands before everything on the screen and
sounds until it is seen; a notice stands in the list. The snapshot carries what is unseen; the rest is paged through, and what
was seen is kept for KEPT.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, case, delete, select, update

from hub.domain.events import AlertChanged, AlertsSeen, user_topic
from hub.domain.views import AlertView
from hub.errors import NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import task_rows

_al = tables.alert.c
# Whoever has more unseen than this has stopped looking; pages count for more than notices, and the newest most.
_UNSEEN_LIMIT = 200
# A customer's score (surveys.answers): no resolution makes it good, only a supervisor who has seen to it.
LOW_SCORE = "low_score"
# A colleague named somebody in a note (timeline.mentions).
MENTION = "mention"
# A task's time has come; it was given to somebody; nobody saw to it (timeline.tasks).
TASK_DUE, TASK_GIVEN, TASK_LEFT = "task_due", "task_given", "task_left"
OF_TASKS = (TASK_DUE, TASK_GIVEN, TASK_LEFT)
# A colleague gave work to somebody, or took it from them (routing.dispatcher).
GIVEN, TAKEN = "given", "taken"
# A message that was to leave at an instant did not (writing.planned): it is still to be decided what becomes of it.
PLANNED_STOPPED = "planned_stopped"
# Solving the conversation does not make these good.
_OUTLASTING = (LOW_SCORE, MENTION, *OF_TASKS, PLANNED_STOPPED)

# How long what was seen can be found again: a quarter, as long as work can be put aside.
KEPT = timedelta(days=90)
# So many are marked as seen in one unit of work.
_SEEN_AT_ONCE = 5_000


def load_unseen(tx: Tx, user_id: int) -> list[AlertView]:
    """One's own that have not been seen, oldest first. Of very many: the pages before the notices, and the newest."""
    unseen = select(tables.alert).where(_al.user_id == user_id, _al.seen_at.is_(None))
    pages_first = unseen.order_by(case((_al.level == "page", 0), else_=1), _al.id.desc()).limit(_UNSEEN_LIMIT)
    return sorted((_view(row) for row in tx.rows(pages_first)), key=lambda alert: alert.id)


def raise_alert(
    tx: Tx,
    user_ids: Iterable[int],
    *,
    level: Literal["notify", "page"],
    reason: str,
    conversation_id: int | None,
    data: Mapping[str, str | int | None],
    entry_id: int | None = None,
    task_id: int | None = None,
) -> None:
    """One for each of these people. `reason`: a machine word the console has a sentence for, `data` what stands in it.
    `entry_id`, `task_id`: what opens when they look."""
    told = dict(data)
    of_all = {"conversation_id": conversation_id, "level": level, "reason": reason, "data": told, "at": tx.now}
    of_all |= {"entry_id": entry_id, "task_id": task_id}
    people = sorted(set(user_ids))
    ids = tx.insert_many(tables.alert, [{"user_id": user_id, **of_all} for user_id in people])
    for alert_id, user_id in zip(ids, people, strict=True):
        view = AlertView(
            id=alert_id,
            user_id=user_id,
            conversation_id=conversation_id,
            level=level,
            reason=reason,
            data=told,
            at=tx.now,
            seen_at=None,
            version=1,
            entry_id=entry_id,
            task_id=task_id,
        )
        tx.emit(AlertChanged(view), {user_topic(user_id)})


def see_alert(tx: Tx, user_id: int, alert_id: int) -> AlertView:
    """The person has looked at it. Twice is the same as once; NotFound for whoever it is not for."""
    row = tx.first(select(tables.alert).where(_al.id == alert_id, _al.user_id == user_id).with_for_update())
    if row is None:
        raise NotFound("there is no such alert")
    return _as_far_as_seen(tx, _view(row)) if row.seen_at is not None else _see(tx, alert_id)


def unsee_alert(tx: Tx, user_id: int, alert_id: int) -> AlertView:
    """It is to be looked at again. NotFound for whoever it is not for."""
    row = tx.first(select(tables.alert).where(_al.id == alert_id, _al.user_id == user_id).with_for_update())
    if row is None:
        raise NotFound("there is no such alert")
    if row.seen_at is None:
        return _as_far_as_seen(tx, _view(row))
    tx.execute(update(tables.alert).where(_al.id == alert_id).values(seen_at=None, version=_al.version + 1))
    return _tell(tx, alert_id)


def see_all(tx: Tx, user_id: int, up_to: int) -> int:
    """All of the person's own up to this id, which their screen has shown; how many. Pages are seen one by one: each is
    somebody who waits. What comes at this very moment stays unseen."""
    shown = (_al.user_id == user_id, _al.seen_at.is_(None), _al.level != "page", _al.id <= up_to)
    query = select(_al.id).where(*shown).order_by(_al.id).limit(_SEEN_AT_ONCE)
    ids = tuple(row.id for row in tx.rows(query.with_for_update()))
    if ids:
        values = {"seen_at": tx.now, "version": _al.version + 1}
        # By the condition, not by ids: an IN of thousands is slow, and the rows are locked.
        tx.execute(update(tables.alert).where(*shown, _al.id <= ids[-1]).values(values))
        tx.emit(AlertsSeen(ids), {user_topic(user_id)})
    return len(ids)


def end_of_task(tx: Tx, task_id: int) -> None:
    """Somebody has seen to it, or it is another's now."""
    for row in tx.rows(
        select(_al.id).where(_al.task_id == task_id, _al.seen_at.is_(None)).order_by(_al.id).with_for_update()
    ):
        _see(tx, row.id)


def load_page(
    tx: Tx, user_id: int, *, unseen: bool, reasons: Collection[str] | None, before: int | None, limit: int
) -> list[AlertView]:
    """One's own, newest first. `reasons` None: of all kinds; `before`: the id of the last one already held."""
    query = select(tables.alert).where(_al.user_id == user_id)
    if unseen:
        query = query.where(_al.seen_at.is_(None))
    if reasons is not None:
        query = query.where(_al.reason.in_(reasons))
    if before is not None:
        query = query.where(_al.id < before)
    return [_view(row) for row in tx.rows(query.order_by(_al.id.desc()).limit(limit))]


def forget(tx: Tx, before: datetime) -> None:
    """What was seen before this. What nobody has looked at stays."""
    tx.execute(delete(tables.alert).where(_al.seen_at < before))


def add_to_alerts(
    tx: Tx, reason: str, about: Mapping[str, str | int | None], more: Mapping[str, str | int | None]
) -> None:
    """What has become of it, in those of the reason that nobody has seen yet and whose data say all of `about`."""
    unseen = select(tables.alert).where(_al.reason == reason, _al.seen_at.is_(None)).order_by(_al.id)
    for row in tx.rows(unseen.with_for_update()):
        if about.items() <= row.data.items():
            told = row.data | more
            tx.execute(update(tables.alert).where(_al.id == row.id).values(data=told, version=_al.version + 1))
            _tell(tx, row.id)


def end_alerts(tx: Tx, conversation_id: int) -> None:
    """There is nothing left to look at: the conversation is solved. What a customer or a colleague said of it stays."""
    unseen = (_al.conversation_id == conversation_id, _al.seen_at.is_(None), _al.reason.not_in(_OUTLASTING))
    for row in tx.rows(select(_al.id).where(*unseen).order_by(_al.id).with_for_update()):
        _see(tx, row.id)


def load_unseen_about(tx: Tx, conversation_id: int, reason: str, name: str, value: int) -> list[AlertView]:
    """Everybody's unseen of this reason whose data have `value` under `name`, locked."""
    unseen = (_al.conversation_id == conversation_id, _al.seen_at.is_(None), _al.reason == reason)
    rows = tx.rows(select(tables.alert).where(*unseen).order_by(_al.id).with_for_update())
    return [_view(row) for row in rows if row.data.get(name) == value]


def end_about(tx: Tx, conversation_id: int, reason: str, name: str, value: int) -> None:
    """Somebody has seen to it for all (see `load_unseen_about`)."""
    for alert in load_unseen_about(tx, conversation_id, reason, name, value):
        _see(tx, alert.id)


def move(tx: Tx, from_id: int, into_id: int, alert_ids: Collection[int] | None = None) -> list[int]:
    """What was raised about one conversation (`alert_ids`: only these) is about another; which."""
    there = [_al.conversation_id == from_id, *([] if alert_ids is None else [_al.id.in_(alert_ids)])]
    rows = tx.rows(select(_al.id, _al.seen_at).where(*there).order_by(_al.id).with_for_update())
    moved = [row.id for row in rows]
    values = {"conversation_id": into_id, "version": _al.version + 1}
    tx.execute(update(tables.alert).where(_al.id.in_(moved)).values(**values))
    for row in rows:
        if row.seen_at is None:
            _tell(tx, row.id)
    return moved


def hand_over(tx: Tx, user_id: int, heirs: Collection[int]) -> None:
    """The person looks at nothing any more: what they had not seen is seen, and pages go to the heirs who have none for
    the same conversation."""
    rows = tx.rows(
        select(tables.alert).where(_al.user_id == user_id, _al.seen_at.is_(None)).order_by(_al.id).with_for_update()
    )
    for row in rows:
        if row.level == "page":
            paged = select(_al.user_id).where(
                _al.conversation_id == row.conversation_id, _al.level == "page", _al.seen_at.is_(None)
            )
            left = set(heirs) - {each.user_id for each in tx.rows(paged)}
            raise_alert(tx, left, level="page", reason=row.reason, conversation_id=row.conversation_id, data=row.data)
        _see(tx, row.id)


def _see(tx: Tx, alert_id: int) -> AlertView:
    tx.execute(update(tables.alert).where(_al.id == alert_id).values(seen_at=tx.now, version=_al.version + 1))
    return _tell(tx, alert_id)


def _tell(tx: Tx, alert_id: int) -> AlertView:
    row = tx.first(select(tables.alert).where(_al.id == alert_id))
    assert row is not None
    view = _as_far_as_seen(tx, _view(row))
    tx.emit(AlertChanged(view), {user_topic(view.user_id)})
    return view


def _as_far_as_seen(tx: Tx, view: AlertView) -> AlertView:
    """Of a task that whose alert it is may not see any more it says no more than that there was one (as
    tasks.without_unseen, which looks at many at once)."""
    if view.task_id is None or task_rows.is_seen_by(tx, view.task_id, view.user_id):
        return view
    return replace(view, data={})


def _view(row: Row[Any]) -> AlertView:
    return AlertView(
        id=row.id,
        user_id=row.user_id,
        conversation_id=row.conversation_id,
        level=row.level,
        reason=row.reason,
        data=row.data,
        at=row.at,
        seen_at=row.seen_at,
        version=row.version,
        entry_id=row.entry_id,
        task_id=row.task_id,
    )
