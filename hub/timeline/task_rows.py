"""Tasks as rows and views: loading them, and telling them to those whom they concern. What may be done is in tasks.py."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Row, select, update

from hub.domain.events import SUPERVISORS, TaskChanged, customer_topic, queue_topic, user_topic
from hub.domain.views import TaskView
from hub.errors import NotFound
from hub.store import tables
from hub.store.database import Tx

_t = tables.task.c

# Whoever has more to do than this does not read a list of it; the page of tasks has them all.
_MOST = 300

TASKS = select(
    tables.task,
    tables.customer.c.name.label("customer_name"),
    tables.customer.c.erased_at.label("customer_erased_at"),
).join(tables.customer, tables.customer.c.id == _t.customer_id)
IS_OPEN = _t.outcome.is_(None)


def task_view(row: Row[Any]) -> TaskView:
    return TaskView(
        id=row.id,
        kind=row.kind,
        title=row.title,
        note=row.note,
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        conversation_id=row.conversation_id,
        assignee_id=row.assignee_id,
        queue_id=row.queue_id,
        due_at=row.due_at,
        fired_at=row.fired_at,
        left_at=row.left_at,
        created_by=row.created_by,
        created_at=row.created_at,
        outcome=row.outcome,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        version=row.version,
        customer_is_erased=row.customer_erased_at is not None,
    )


def load_task(tx: Tx, task_id: int) -> TaskView:
    row = tx.first(TASKS.where(_t.id == task_id))
    if row is None:
        raise NotFound("there is no such task")
    return task_view(row)


def is_of(user_id: int, queue_ids: Collection[int]) -> ColumnElement[bool]:
    """The condition on `task` that it is somebody's: theirs, or nobody's in a queue of theirs."""
    return (_t.assignee_id == user_id) | (_t.assignee_id.is_(None) & _t.queue_id.in_(queue_ids))


def load_own(tx: Tx, user_id: int, queue_ids: Collection[int]) -> list[TaskView]:
    """What somebody has to do, what is due first."""
    query = TASKS.where(IS_OPEN, is_of(user_id, queue_ids)).order_by(_t.due_at, _t.id).limit(_MOST)
    return [task_view(row) for row in tx.rows(query)]


def change(tx: Tx, before: TaskView, **values: Any) -> TaskView:
    """Writes new values and the next version, and tells those whom it concerns or concerned."""
    tx.execute(update(tables.task).where(_t.id == before.id).values(version=_t.version + 1, **values))
    view = load_task(tx, before.id)
    tell(tx, view, before)
    return view


def tell(tx: Tx, view: TaskView, before: TaskView | None = None) -> None:
    tx.emit(TaskChanged(view), _topics(view) | (_topics(before) if before is not None else frozenset()))


def _topics(view: TaskView) -> frozenset[str]:
    whose = set()
    if view.assignee_id is not None:
        whose.add(user_topic(view.assignee_id))
    elif view.queue_id is not None:
        whose.add(queue_topic(view.queue_id))
    return frozenset({SUPERVISORS, customer_topic(view.customer_id), *whose})


def retell_of(tx: Tx, customer_id: int) -> None:
    """The customer has another name, or has taken these over from another card."""
    tx.execute(update(tables.task).where(_t.customer_id == customer_id).values(version=_t.version + 1))
    for row in tx.rows(TASKS.where(_t.customer_id == customer_id, IS_OPEN).order_by(_t.id)):
        tell(tx, task_view(row))
