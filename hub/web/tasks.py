"""Tasks: follow-ups and call-back reminders. One's own stand in the snapshot and come as events."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from hub.agents.viewer import Viewer
from hub.domain.views import TaskView
from hub.store.database import Tx
from hub.store.idempotency import once, record_answer
from hub.timeline import tasks
from hub.timeline.tasks import Wish
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import EndTask, NewTask, Page, TaskFields, UpdateTask


@endpoint("GET", "/tasks", access=Access.AGENT, summary="List tasks")
async def list_tasks(
    context: Context,
    state: Literal["open", "overdue", "ended"] = "open",
    whose: Literal["mine", "any"] = "mine",
    customer_id: int | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[TaskView]:
    """What is due first; what has ended, newest first. `mine` are yours and those of your queues that nobody has; with
    `customer_id` all of that customer's. Of everybody only supervisors see all; others what they have or gave. Nobody
    sees one of a customer they may not see any more."""
    after = read_cursor(cursor, datetime, int)
    items = await context.hub.database.read(
        tasks.load_page,
        context.viewer,
        state=state,
        whose=whose,
        customer_id=customer_id,
        after=after,
        limit=limit,
    )
    if len(items) < limit:
        return Page(items=items)
    last = items[-1]
    return Page(items=items, next_cursor=write_cursor(last.ended_at or last.due_at, last.id))


def _create(tx: Tx, viewer: Viewer, body: NewTask, key: str | None, request_hash: str) -> TaskView:
    earlier = once(tx, viewer.user_id, key, request_hash)
    if earlier is not None:
        return tasks.access_task(tx, viewer, earlier)
    task = tasks.create_task(
        tx, viewer, _wish(body), customer_id=body.customer_id, conversation_id=body.conversation_id
    )
    record_answer(tx, viewer.user_id, key, task.id)
    return task


@endpoint("POST", "/tasks", access=Access.AGENT, status=201, summary="Make a task", idempotent=True)
async def create_task(context: Context, body: NewTask) -> TaskView:
    """Whoever is given it is told, and sees the conversation it belongs to. With an Idempotency-Key a repeated request is the
    same task."""
    return await context.hub.database.transaction(
        _create, context.viewer, body, context.idempotency_key, context.request_hash
    )


@endpoint("GET", "/tasks/{task_id}", access=Access.AGENT, summary="One task")
async def get_task(context: Context, task_id: int) -> TaskView:
    return await context.hub.database.read(tasks.access_task, context.viewer, task_id)


@endpoint("PUT", "/tasks/{task_id}", access=Access.AGENT, summary="Change a task, put it off, give it away")
async def update_task(context: Context, task_id: int, body: UpdateTask) -> TaskView:
    """With `expected_version`, 409 `version_conflict` when somebody changed it meanwhile; 409 `task_ended`."""
    return await context.hub.database.transaction(
        tasks.update_task, context.viewer, task_id, _wish(body), body.expected_version
    )


@endpoint("POST", "/tasks/{task_id}/end", access=Access.AGENT, summary="It is done, or no longer wanted")
async def end_task(context: Context, task_id: int, body: EndTask) -> TaskView:
    return await context.hub.database.transaction(tasks.end_task, context.viewer, task_id, body.outcome)


@endpoint("DELETE", "/tasks/{task_id}/end", access=Access.AGENT, summary="It is to be done after all")
async def reopen_task(context: Context, task_id: int) -> TaskView:
    """409 `erased`: so was its customer, and nothing is to be done for nobody."""
    return await context.hub.database.transaction(tasks.reopen_task, context.viewer, task_id)


def _wish(body: TaskFields) -> Wish:
    return Wish(body.kind, body.title, body.note, body.due_at, body.assignee_id, body.queue_id)
