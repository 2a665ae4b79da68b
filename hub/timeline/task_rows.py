"""Tasks as rows and views: loading them, and telling them to those whom they concern. What may be done is in tasks.py.

Whoever may see a customer's card sees the customer's tasks; nobody else does, whoever has a task or made it. One whose own
people may not see it any more is astray: supervisors have it still, and at its time it is passed on (tasks.fire).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, cast, literal, or_, select, update

from hub.agents import queues
from hub.domain.events import SUPERVISORS, TaskChanged, customer_topic, queue_topic, user_topic
from hub.domain.values import Role
from hub.domain.views import TaskView
from hub.errors import NotFound
from hub.store import tables
from hub.store.database import Tx

_t, _c, _m, _p = tables.task.c, tables.conversation.c, tables.queue_member.c, tables.user_account.c
# Of the person whom a condition is about.
_of_person, _person = tables.queue_member.alias(), tables.user_account.alias()

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


def _sees(customer_id: ColumnElement[Any], user_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that somebody may see the customer: as customers.visible_to says it of a viewer."""
    theirs = select(_c.id).where(_c.customer_id == customer_id).correlate_except(tables.conversation)
    is_head = select(_person.c.id).where(_person.c.id == user_id, _person.c.role != Role.AGENT.value)
    their_queues = select(_of_person.c.queue_id).where(_of_person.c.user_id == user_id).correlate_except(_of_person)
    asked = _c.participants.contains(literal(",").concat(cast(user_id, Text)).concat(","))
    mine = theirs.where(_c.queue_id.in_(their_queues) | (_c.assignee_id == user_id) | asked)
    return is_head.correlate_except(_person).exists() | mine.exists() | ~theirs.exists()


def _queue_sees(customer_id: ColumnElement[Any], queue_id: ColumnElement[Any]) -> ColumnElement[bool]:
    theirs = select(_c.id).where(_c.customer_id == customer_id).correlate_except(tables.conversation)
    return theirs.where(_c.queue_id == queue_id).exists() | ~theirs.exists()


def is_seen_by(tx: Tx, task_id: int, user_id: int) -> bool:
    seen = _sees(_t.customer_id, literal(user_id, tables.BigId))
    return bool(tx.scalar(select(seen).where(_t.id == task_id)))


# The condition on `task` that those whose it is may not see it.
IS_ASTRAY = or_(
    _t.assignee_id.is_not(None) & ~_sees(_t.customer_id, _t.assignee_id),
    _t.assignee_id.is_(None) & ~_queue_sees(_t.customer_id, _t.queue_id),
)


def change(tx: Tx, before: TaskView, **values: Any) -> TaskView:
    """Writes new values and the next version, and tells those whom it concerns or concerned."""
    tx.execute(update(tables.task).where(_t.id == before.id).values(version=_t.version + 1, **values))
    view = load_task(tx, before.id)
    tell(tx, view, before)
    return view


def tell(tx: Tx, view: TaskView, before: TaskView | None = None) -> None:
    tx.emit(TaskChanged(view), _topics(tx, view) | (_topics(tx, before) if before is not None else frozenset()))


def _topics(tx: Tx, view: TaskView) -> frozenset[str]:
    return frozenset({SUPERVISORS, customer_topic(view.customer_id)}) | _whose(tx, view)


def _whose(tx: Tx, view: TaskView) -> frozenset[str]:
    """Of those whose it is, who may see it: to the others their screens were told to drop it."""
    customer_id = literal(view.customer_id, tables.BigId)
    if view.assignee_id is not None:
        people = select(_p.id).where(_p.id == view.assignee_id, _sees(customer_id, _p.id))
    elif tx.scalar(select(_queue_sees(customer_id, literal(view.queue_id, tables.BigId)))):
        return frozenset({queue_topic(view.queue_id)} if view.queue_id is not None else ())
    else:
        people = select(_p.id).join(tables.queue_member, _m.user_id == _p.id)
        people = people.where(_m.queue_id == view.queue_id, _sees(customer_id, _p.id))
    return frozenset(user_topic(row.id) for row in tx.rows(people))


def keep_sight(tx: Tx, conversation_ids: Iterable[int], *, are_new: bool = False) -> None:
    """Others may see these conversations than could before: at the end of the unit of work whoever may see tasks by them is
    told of these. With a customer's first conversation (`are_new`) those who may see the customer no more drop theirs."""
    tx.gather("tasks in sight", ((each, are_new) for each in conversation_ids), _keep_sight)


def _keep_sight(tx: Tx, items: set[tuple[int, bool]]) -> None:
    ids = {conversation_id for conversation_id, _ in items}
    theirs = select(_c.customer_id).where(_c.id.in_(ids))
    new = {conversation_id for conversation_id, is_new in items if is_new}
    others = select(_c.id).where(_c.customer_id == _t.customer_id, _c.id.not_in(new)).correlate(tables.task)
    query = TASKS.add_columns(IS_ASTRAY.label("is_astray"), (~others.exists()).label("is_first"))
    lost: set[int] = set()
    for row in tx.rows(query.where(IS_OPEN, _t.customer_id.in_(theirs)).order_by(_t.id)):
        view = task_view(row)
        if whose := _whose(tx, view):
            tx.emit(TaskChanged(view), whose)
        if row.is_astray and row.is_first:
            of_queue = select(_m.user_id).where(_m.queue_id == view.queue_id)
            lost |= {view.assignee_id} if view.assignee_id is not None else set(tx.execute(of_queue).scalars())
    queues.emit_access(tx, lost)


def retell_of(tx: Tx, customer_id: int) -> None:
    """The customer has another name, or has taken these over from another card."""
    tx.execute(update(tables.task).where(_t.customer_id == customer_id).values(version=_t.version + 1))
    for row in tx.rows(TASKS.where(_t.customer_id == customer_id, IS_OPEN).order_by(_t.id)):
        tell(tx, task_view(row))
