"""Tasks: what somebody is to do for a customer at an instant, and how it comes back as work then.

    made ── due ──► fired: whoever it is for is told, once              ── done, dropped ──► ended
      ▲                │ nobody sees to it in time: supervisors are told, once (left)
      └── put off ─────┘

A task is a person's, else everybody's of a queue; it is seen by those who may see the customer (timeline.task_rows). Where
whoever has it may not any more (they left the queue, the conversation went elsewhere), supervisors see it, and at its time it
is passed on to the queue where the conversation is by then: so it is nobody's at no time.

It is work of its own: it stands before one's conversations until it is done or put off, whether the conversation it belongs
to is open or resolved. A resolved conversation is not opened again by it, for that would be a contact of the customer's that
never was; whoever writes or calls opens it. Whoever is given a task sees the conversation that it belongs to
(timeline.mentions).

Locks: conversation → task → alert. `fire` and `leave` look again under the row's lock, in the transaction that tells the
people: two processes, a process that dies in between and a clock that jumps end in one telling. A customer's own wish to be
called back is another thing: it waits in a queue (routing.callbacks).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, func, or_, select

from hub.agents import alerts
from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.domain.states import AgentState
from hub.domain.values import AuthorKind, Happening, Role
from hub.domain.views import AlertView, Author, ConversationView, TaskView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import belongings, conversations, customers, mentions, task_rows
from hub.timeline.task_rows import IS_ASTRAY, IS_OPEN, TASKS, task_view

_t, _u, _a, _m = tables.task.c, tables.user_account.c, tables.agent.c, tables.queue_member.c
_c = tables.conversation.c

# What is further away belongs into a calendar; a year holds every renewal.
LONGEST = timedelta(days=366)
# Somebody who is not at work may be at lunch; somebody who is has other work first.
LEFT_AFTER_AWAY = timedelta(minutes=30)
LEFT_AFTER = timedelta(hours=4)
_AT_WORK = (AgentState.AVAILABLE.value, AgentState.BUSY.value)
_STEP = 50
# Whoever has more to do than this does not read a list of it; the page of tasks has them all.
_MOST_OWN = 300

Kind = Literal["follow_up", "call_back"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a task. `assignee_id` or `queue_id`, never both; neither: whoever asks."""

    kind: Kind
    title: str
    note: str
    due_at: datetime
    assignee_id: int | None = None
    queue_id: int | None = None


# --- making and changing ------------------------------------------------------------------------------------------------


def create_task(
    tx: Tx, viewer: Viewer, wish: Wish, *, customer_id: int | None = None, conversation_id: int | None = None
) -> TaskView:
    """For a customer, or (better) for one of their conversations, whose timeline tells of it."""
    view = None
    if conversation_id is not None:
        view = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
        if customer_id is not None and customer_id != view.customer_id:
            raise InvalidInput("another customer's", fields={"conversation_id": Sentence("is another customer's")})
        customer_id = view.customer_id
    if customer_id is None:
        raise InvalidInput("for whom?", fields={"customer_id": Sentence("name a customer or a conversation")})
    # Who is being merged at this moment gets nothing more.
    customer_id = belongings.hold_living(tx, customers.access_customer(tx, viewer, customer_id).id)
    check_due(tx.now, wish.due_at)
    assignee_id, queue_id = _whose(tx, viewer, wish, customer_id, view)
    task_id = tx.insert(
        tables.task,
        {
            "kind": wish.kind,
            "title": wish.title,
            "note": wish.note,
            "customer_id": customer_id,
            "conversation_id": conversation_id,
            "assignee_id": assignee_id,
            "queue_id": queue_id,
            "due_at": wish.due_at,
            "created_by": viewer.user_id,
            "created_at": tx.now,
        },
    )
    task = task_rows.load_task(tx, task_id)
    task_rows.tell(tx, task)
    _line(tx, viewer, task, Happening.TASK_MADE)
    _give(tx, viewer, task)
    tx.wake("tasks")
    return task


def update_task(tx: Tx, viewer: Viewer, task_id: int, wish: Wish, expected_version: int | None) -> TaskView:
    """All of it anew. One that is put off comes back again then; one that is given to somebody else is told to them."""
    before = _access(tx, viewer, task_id, lock=True)
    if expected_version is not None and before.version != expected_version:
        raise Conflict("somebody changed this task meanwhile", code="version_conflict")
    if before.outcome is not None:
        raise Conflict("this task has ended", code="task_ended")
    view = conversations.load_conversation(tx, before.conversation_id) if before.conversation_id else None
    assignee_id, queue_id = _whose(tx, viewer, wish, before.customer_id, view)
    values: dict[str, object] = {"kind": wish.kind, "title": wish.title, "note": wish.note}
    values |= {"assignee_id": assignee_id, "queue_id": queue_id}
    is_moved = (assignee_id, assignee_id or queue_id) != (before.assignee_id, before.assignee_id or before.queue_id)
    if wish.due_at != before.due_at:
        check_due(tx.now, wish.due_at)
        values |= {"due_at": wish.due_at, "fired_at": None, "left_at": None}
    elif is_moved and before.fired_at is not None:
        values |= {"fired_at": None, "left_at": None}
    if "fired_at" in values or is_moved:
        alerts.end_of_task(tx, task_id)
    task = task_rows.change(tx, before, **values)
    if is_moved:
        _give(tx, viewer, task)
    tx.wake("tasks")
    return task


def end_task(tx: Tx, viewer: Viewer, task_id: int, outcome: Literal["done", "dropped"]) -> TaskView:
    """Twice is the same as once; Conflict `task_ended` if it ended otherwise."""
    before = _access(tx, viewer, task_id, lock=True)
    if before.outcome == outcome:
        return before
    if before.outcome is not None:
        raise Conflict("this task has ended", code="task_ended")
    alerts.end_of_task(tx, task_id)
    task = task_rows.change(tx, before, outcome=outcome, ended_at=tx.now, ended_by=viewer.user_id)
    _line(tx, viewer, task, Happening.TASK_DONE if outcome == "done" else Happening.TASK_DROPPED)
    return task


def reopen_task(tx: Tx, viewer: Viewer, task_id: int) -> TaskView:
    """It is to be done after all; one whose time is over comes back at once. Conflict `erased` where its customer was."""
    before = _access(tx, viewer, task_id, lock=True)
    if before.customer_is_erased:
        raise belongings.erased()
    if before.outcome is None:
        return before
    task = task_rows.change(tx, before, outcome=None, ended_at=None, ended_by=None, fired_at=None, left_at=None)
    tx.wake("tasks")
    return task


def check_due(now: datetime, due_at: datetime) -> None:
    if due_at <= now:
        raise InvalidInput("that is over", fields={"due_at": Sentence("must be in the future")})
    if due_at > now + LONGEST:
        raise InvalidInput(
            "that is too far away", fields={"due_at": Sentence("must be within {count} days", count=LONGEST.days)}
        )


def _whose(
    tx: Tx, viewer: Viewer, wish: Wish, customer_id: int, view: ConversationView | None
) -> tuple[int | None, int | None]:
    """(assignee, queue). With an assignee the queue is where it goes when they leave."""
    if wish.assignee_id is not None and wish.queue_id is not None:
        raise InvalidInput("whose is it?", fields={"queue_id": Sentence("name a person or a queue, not both")})
    if wish.queue_id is not None:
        if tx.first(select(tables.queue.c.id).where(tables.queue.c.id == wish.queue_id)) is None:
            raise InvalidInput("no such queue", fields={"queue_id": Sentence("there is no such queue")})
        theirs = select(_c.id).where(_c.customer_id == customer_id).limit(1)
        if tx.first(theirs) is not None and tx.first(theirs.where(_c.queue_id == wish.queue_id)) is None:
            raise InvalidInput("not theirs", fields={"queue_id": Sentence("its people may not see this customer")})
        return None, wish.queue_id
    assignee_id = viewer.user_id if wish.assignee_id is None else wish.assignee_id
    if assignee_id != viewer.user_id and tx.first(select(_u.id).where(_u.id == assignee_id, _u.active)) is None:
        raise InvalidInput("no such colleague", fields={"assignee_id": Sentence("there is no such active user")})
    return assignee_id, view.queue_id if view is not None else None


def _give(tx: Tx, viewer: Viewer, task: TaskView) -> None:
    """Whoever has it from somebody else is told, and sees what it is about."""
    if task.assignee_id is None or task.assignee_id == viewer.user_id:
        return
    if task.conversation_id is not None:
        mentions.let_see(tx, conversations.load_conversation(tx, task.conversation_id), [task.assignee_id])
    else:
        _let_see_newest(tx, viewer, task.customer_id, task.assignee_id)
    told = _told(task) | {"by": viewer.name}
    alerts.raise_alert(
        tx,
        [task.assignee_id],
        level="notify",
        reason=alerts.TASK_GIVEN,
        conversation_id=task.conversation_id,
        data=told,
        task_id=task.id,
    )


def _let_see_newest(tx: Tx, viewer: Viewer, customer_id: int, user_id: int) -> None:
    """The customer's card opens to whoever sees one conversation of theirs."""
    newest = _find_newest(tx, viewer, customer_id)
    if newest is not None:
        mentions.let_see(tx, conversations.lock_conversation(tx, newest), [user_id])


def _find_newest(tx: Tx, viewer: Viewer, customer_id: int) -> int | None:
    """Of the customer's conversations that the viewer sees."""
    query = select(_c.id).where(_c.customer_id == customer_id).order_by(_c.last_entry_at.desc(), _c.id.desc())
    visible = conversations.visible_to(viewer.role, viewer.user_id, viewer.queue_ids)
    newest: int | None = tx.scalar((query if visible is None else query.where(visible)).limit(1))
    return newest


def _line(tx: Tx, viewer: Viewer, task: TaskView, happening: Happening) -> None:
    if task.conversation_id is None:
        return
    before = conversations.load_conversation(tx, task.conversation_id)
    data: dict[str, str | int | None] = {
        "task_id": task.id,
        "kind": task.kind,
        "title": task.title,
        "due_at": task.due_at.isoformat(),
        "agent_id": task.assignee_id,
        "agent_name": tx.scalar(select(_u.name).where(_u.id == task.assignee_id)) if task.assignee_id else None,
        "queue_name": None
        if task.assignee_id
        else tx.scalar(select(tables.queue.c.name).where(tables.queue.c.id == task.queue_id)),
    }
    author = Author(AuthorKind.AGENT, viewer.name, viewer.user_id)
    conversations.add_happening(tx, before, happening, author, data)


def _told(task: TaskView) -> dict[str, str | int | None]:
    return {
        "title": task.title,
        "kind": task.kind,
        "customer": task.customer_name,
        "customer_id": task.customer_id,
        "due_at": task.due_at.isoformat(),
    }


# --- who may ------------------------------------------------------------------------------------------------------------


def seen_by(viewer: Viewer) -> ColumnElement[bool] | None:
    """The condition on `task` that says what somebody may see, or None for "everything": the tasks of whom they may see a
    conversation, and of those who have none yet."""
    visible = conversations.visible_to(viewer.role, viewer.user_id, viewer.queue_ids)
    if visible is None:
        return None
    theirs = select(_c.id).where(_c.customer_id == _t.customer_id).correlate(tables.task)
    return theirs.where(visible).exists() | ~theirs.exists()


def load_own(tx: Tx, viewer: Viewer) -> list[TaskView]:
    """What somebody has to do, as far as they may see it, what is due first."""
    query = TASKS.where(IS_OPEN, task_rows.is_of(viewer.user_id, viewer.queue_ids))
    if (seen := seen_by(viewer)) is not None:
        query = query.where(seen)
    return [task_view(row) for row in tx.rows(query.order_by(_t.due_at, _t.id).limit(_MOST_OWN))]


def _access(tx: Tx, viewer: Viewer, task_id: int, *, lock: bool = False) -> TaskView:
    """The task, for whoever may see the customer; NotFound otherwise, also for whoever it is for or from. Locked with the
    conversation that it belongs to, or that whoever is given it will see: that comes first."""
    if lock:
        row = tx.first(select(_t.conversation_id, _t.customer_id).where(_t.id == task_id))
        first = row and (row.conversation_id or _find_newest(tx, viewer, row.customer_id))
        if first is not None:
            tx.lock_conversations([first])
        tx.execute(select(_t.id).where(_t.id == task_id).with_for_update())
    view = task_rows.load_task(tx, task_id)
    if not customers.may_open(tx, viewer, view.customer_id):
        raise NotFound("there is no such task")
    return view


def access_task(tx: Tx, viewer: Viewer, task_id: int) -> TaskView:
    return _access(tx, viewer, task_id)


def load_visible(tx: Tx, viewer: Viewer, task_ids: Collection[int]) -> dict[int, TaskView]:
    """Those of these that `access_task` would give, by id."""
    if not task_ids:
        return {}
    query = TASKS.where(_t.id.in_(task_ids))
    if (seen := seen_by(viewer)) is not None:
        query = query.where(seen)
    return {row.id: task_view(row) for row in tx.rows(query)}


def without_unseen(tx: Tx, viewer: Viewer, told: Sequence[AlertView]) -> list[AlertView]:
    """These alerts of the viewer's; those of tasks that they may not see any more say no more than that there was one."""
    seen = load_visible(tx, viewer, {alert.task_id for alert in told if alert.task_id is not None})
    return [alert if alert.task_id is None or alert.task_id in seen else replace(alert, data={}) for alert in told]


def load_page(
    tx: Tx,
    viewer: Viewer,
    *,
    state: Literal["open", "overdue", "ended"],
    whose: Literal["mine", "any"],
    customer_id: int | None,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[TaskView]:
    """What is due first; what has ended, newest first; as far as the viewer may see it. `whose` any: of that customer, else
    (for supervisors) of everybody, for agents what they have or gave. `after`: (due or ended, id) of the last one held."""
    query = TASKS
    if customer_id is not None:
        query = query.where(_t.customer_id == customers.access_customer(tx, viewer, customer_id).id)
    elif whose == "mine":
        query = query.where(task_rows.is_of(viewer.user_id, viewer.queue_ids))
    elif not viewer.covers(Role.SUPERVISOR):
        query = query.where(task_rows.is_of(viewer.user_id, viewer.queue_ids) | (_t.created_by == viewer.user_id))
    if (seen := seen_by(viewer)) is not None:
        query = query.where(seen)
    if state == "ended":
        query = query.where(_t.ended_at.is_not(None))
        if after is not None:
            query = query.where((_t.ended_at < after[0]) | ((_t.ended_at == after[0]) & (_t.id < after[1])))
        query = query.order_by(_t.ended_at.desc(), _t.id.desc())
    else:
        query = query.where(IS_OPEN)
        if state == "overdue":
            query = query.where(_t.due_at <= tx.now)
        if after is not None:
            query = query.where((_t.due_at > after[0]) | ((_t.due_at == after[0]) & (_t.id > after[1])))
        query = query.order_by(_t.due_at, _t.id)
    return [task_view(row) for row in tx.rows(query.limit(limit))]


# --- coming back --------------------------------------------------------------------------------------------------------


def find_due(tx: Tx) -> list[int]:
    """What is to come back, or came back to people who may not see it any more."""
    due = (IS_OPEN, _t.fired_at.is_(None) | IS_ASTRAY, _t.due_at <= tx.now)
    return [row.id for row in tx.rows(select(_t.id).where(*due).order_by(_t.due_at, _t.id).limit(_STEP))]


def find_left(tx: Tx) -> list[int]:
    """What came back and nobody saw to: soon, if whoever it is for is not at work; later in any case."""
    is_away = or_(_a.user_id.is_(None), _a.state.not_in(_AT_WORK), ~_a.connected)
    late = or_(_t.fired_at <= tx.now - LEFT_AFTER, (_t.fired_at <= tx.now - LEFT_AFTER_AWAY) & is_away)
    query = select(_t.id).outerjoin(tables.agent, _a.user_id == _t.assignee_id)
    query = query.where(IS_OPEN, _t.fired_at.is_not(None), _t.left_at.is_(None), late)
    return [row.id for row in tx.rows(query.order_by(_t.due_at, _t.id).limit(_STEP))]


def load_nearest(tx: Tx) -> datetime | None:
    nearest: datetime | None = tx.scalar(select(func.min(_t.due_at)).where(IS_OPEN, _t.fired_at.is_(None)))
    return nearest


def fire(tx: Tx, task_id: int) -> bool:
    """It comes back as work; False if somebody else has seen to that, or it ended or was put off meanwhile."""
    before = _lock(tx, task_id, IS_OPEN, _t.due_at <= tx.now)
    if before is None:
        return False
    if tx.scalar(select(IS_ASTRAY).where(_t.id == task_id)):
        before = _pass_on(tx, before)
    if before.fired_at is not None:
        return False
    task = task_rows.change(tx, before, fired_at=tx.now)
    alerts.end_of_task(tx, task_id)
    people = _people_of(tx, task)
    _raise(tx, task, people or find_heads(tx, task.queue_id), alerts.TASK_DUE)
    return True


def _pass_on(tx: Tx, before: TaskView) -> TaskView:
    """Those whose it was may not see it any more: it is everybody's of the queue where the conversation is, the customer's
    newest if it belongs to none, and comes back to them anew."""
    where = _c.customer_id == before.customer_id if before.conversation_id is None else _c.id == before.conversation_id
    newest = select(_c.queue_id).where(where).order_by(_c.last_entry_at.desc(), _c.id.desc()).limit(1)
    return task_rows.change(tx, before, assignee_id=None, queue_id=tx.scalar(newest), fired_at=None, left_at=None)


def leave(tx: Tx, task_id: int) -> bool:
    """Nobody saw to it: supervisors are told, and it stays where it is."""
    before = _lock(tx, task_id, IS_OPEN, _t.fired_at.is_not(None), _t.left_at.is_(None))
    if before is None:
        return False
    task = task_rows.change(tx, before, left_at=tx.now)
    heads = set(find_heads(tx, task.queue_id, but=task.assignee_id))
    name = tx.scalar(select(_u.name).where(_u.id == task.assignee_id)) if task.assignee_id else None
    _raise(tx, task, heads, alerts.TASK_LEFT, whose=name)
    return True


def _lock(tx: Tx, task_id: int, *still: object) -> TaskView | None:
    """Whoever comes second waits no longer than for nothing: the first does it."""
    found = select(_t.id).where(_t.id == task_id, *still).with_for_update(skip_locked=True)  # type: ignore[arg-type]
    return None if tx.first(found) is None else task_rows.load_task(tx, task_id)


def _raise(tx: Tx, task: TaskView, user_ids: Collection[int], reason: str, **more: str | None) -> None:
    alerts.raise_alert(
        tx,
        user_ids,
        level="notify",
        reason=reason,
        conversation_id=task.conversation_id,
        data={**_told(task), **more},
        task_id=task.id,
    )


def _people_of(tx: Tx, task: TaskView) -> list[int]:
    """Whose it is, as far as they work here."""
    if task.assignee_id is not None:
        query = select(_u.id).where(_u.id == task.assignee_id, _u.active)
    else:
        query = select(_u.id).join(tables.queue_member, _m.user_id == _u.id)
        query = query.where(_m.queue_id == task.queue_id, _u.active)
    return [row.id for row in tx.rows(query.order_by(_u.id))]


def find_heads(tx: Tx, queue_id: int | None, but: int | None = None) -> list[int]:
    """The queue's supervisors, else all of them, else the administrators."""
    of_queue = select(_m.user_id).where(_m.queue_id == queue_id)
    for role, condition in (
        (Role.SUPERVISOR, _u.id.in_(of_queue)),
        (Role.SUPERVISOR, _u.id.is_not(None)),
        (Role.ADMIN, _u.id.is_not(None)),
    ):
        query = select(_u.id).where(_u.active, _u.role == role.value, _u.id.is_distinct_from(but), condition)
        found = [row.id for row in tx.rows(query.order_by(_u.id))]
        if found:
            return found
    return []


def hand_over(tx: Tx, user_id: int, heirs: Collection[int]) -> None:
    """The person works here no longer: what they had to do is their queue's, or an heir's, and comes back anew."""
    query = TASKS.where(IS_OPEN, _t.assignee_id == user_id).order_by(_t.id)
    for row in tx.rows(query.with_for_update(of=tables.task)):
        before = task_view(row)
        assignee_id = None if before.queue_id is not None else min(heirs, default=user_id)
        if assignee_id != user_id:
            task_rows.change(tx, before, assignee_id=assignee_id, fired_at=None, left_at=None)
    tx.wake("tasks")
