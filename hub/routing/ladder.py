"""The ladder: steps of escalation policies fire when they are due, each once, and their actions are applied.

`fire_due` takes conversations whose next step is due (routing.clocks keeps when that is) under ROUTING and their locks, asks
the pure routing.escalation what has become due, and for each step first inserts its row of `escalation_fired`: whoever
inserts it applies the actions, in the same transaction. So a step fires once, whatever many processes do at the same time and
whenever one of them dies.

A step tells what it does in one line of the timeline (`escalated`). An action that cannot be done (its queue is gone, its
person works here no longer) is named there with the reason, and the others are done. A step whose run is over when it
fires late (an answer came during an outage) is kept as fired, and nothing is done.

`Escalations` is the loop: it sleeps until the nearest step or a wake ("escalation"), and brings clocks up to date where a
policy, a calendar, a queue or a topic was changed ("clocks").
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update

from hub.agents import alerts, roster
from hub.domain.states import AgentState, ConversationStatus
from hub.domain.values import Happening, Role
from hub.domain.views import ConversationView
from hub.errors import DatabaseAway
from hub.routing import clocks, dispatcher, engine
from hub.routing.escalation import (
    Action,
    AssignTo,
    AutoReply,
    Due,
    MoveToQueue,
    NotifyRole,
    NotifyUser,
    PageSupervisor,
    RaisePriority,
    Tag,
    WidenSkills,
    due_steps,
    elapsed_s,
)
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Wakes
from hub.timeline import automatic_replies, conversations
from hub.timeline.conversations import SYSTEM

log = logging.getLogger(__name__)

_c, _q, _u, _m = tables.conversation.c, tables.queue.c, tables.user_account.c, tables.queue_member.c

# So many conversations in one transaction, some milliseconds each: after a long outage nobody waits long for ROUTING.
_FIRE_STEP = 10
_KEEP_STEP = 200
# A wake that was lost with its connection harms for no longer: a change of a policy waits for people, not for seconds.
_KEEP_EVERY_S = 60.0
_RETRY_S = 0.5
# What cannot be fired is tried again after this long: somebody has to repair it first.
_SET_ASIDE = timedelta(seconds=60)
# The bounds of a priority and of tags, as the API has them.
_PRIORITY_LIMIT = 600
_TAG_LIMIT = 20
# More levels of skills there are not.
_LOWERED_LIMIT = 5

_NEAREST = select(func.min(_c.next_step_at))


def load_nearest(tx: Tx) -> datetime | None:
    """When the nearest step of all is due, or was."""
    found: datetime | None = tx.scalar(_NEAREST)
    return found


def find_due(tx: Tx, only: int | None = None) -> list[int]:
    """Conversations in which a step is due (of one, if `only` is given), those that have waited longest for it."""
    waiting = select(_c.id).where(_c.next_step_at <= tx.now).order_by(_c.next_step_at, _c.id).limit(_FIRE_STEP)
    return [row.id for row in tx.rows(waiting if only is None else waiting.where(_c.id == only))]


def fire_due(tx: Tx, only: int | None = None) -> int:
    """Fires what is due, of the conversations that have waited longest for it (`only`: of this one); returns of how many.
    None is left when it is 0."""
    tx.lock_routing()
    ids = find_due(tx, only)
    if not ids:
        return 0
    tx.lock_conversations(ids)
    # Also where no policy is in force any more: then nothing is due, and that is to be written down.
    conversations.keep_clocks(tx, ids, afresh=True)
    histories = clocks.load_histories(tx, ids)
    for conversation_id in ids:
        history, fired = histories[conversation_id]
        if not history.segments:
            # Nothing is kept of it, so nothing can be due; else it would be asked for for ever.
            tx.execute(update(tables.conversation).where(_c.id == conversation_id).values(next_step_at=None))
        for due in due_steps(history, fired, tx.now):
            _fire(tx, conversation_id, due, elapsed_s(history, due.run, tx.now))
    return len(ids)


def set_aside(tx: Tx, conversation_id: int) -> None:
    """Nothing can be fired here now; the others must not wait for it."""
    tx.lock_routing()
    tx.lock_conversations([conversation_id])
    at = tx.now + _SET_ASIDE
    tx.execute(update(tables.conversation).where(_c.id == conversation_id).values(next_step_at=at))


def keep_stale(tx: Tx, conversation_ids: Sequence[int]) -> None:
    """Brings the clocks of these up to date with the policies and calendars that hold now."""
    tx.lock_conversations(conversation_ids)
    conversations.keep_clocks(tx, conversation_ids, afresh=True)


def _fire(tx: Tx, conversation_id: int, due: Due, elapsed_s: float) -> None:
    row = {
        "conversation_id": conversation_id,
        "step_id": due.step.id,
        "run": due.run.number,
        "clock": due.step.clock.value,
        "policy_id": int(due.policy_id),
        "policy_version": due.policy_version,
        "due_at": due.due_at,
        "fired_at": tx.now,
        "is_over": due.is_over,
    }
    (is_new,) = tx.insert_new(tables.escalation_fired, [row])
    if is_new and not due.is_over:
        _apply(tx, conversations.load_conversation(tx, conversation_id), due, round(elapsed_s))


# --- actions ------------------------------------------------------------------------------------------------------------

# What changes more than the conversation's own row; each is given the conversation as the one before has left it.
_Effect = Callable[[Tx, ConversationView], ConversationView]


@dataclass(slots=True)
class _Plan:
    """What a step will do: new values of the conversation, effects in their order, and the line that tells of it.
    `queue_id`: where the work stands when all is done."""

    before: ConversationView
    queue_id: int
    alert: dict[str, str | int | None]
    values: dict[str, Any] = field(default_factory=dict)
    effects: list[_Effect] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    details: dict[str, str | int | None] = field(default_factory=dict)

    def do(self, action: Action, effect: _Effect | None = None, **details: str | int | None) -> None:
        self.done.append(action.kind)
        self.details |= details
        if effect is not None:
            self.effects.append(effect)

    def fail(self, action: Action, reason: str) -> None:
        self.failed.append(f"{action.kind}:{reason}")


def _apply(tx: Tx, before: ConversationView, due: Due, elapsed_s: int) -> None:
    if before.status is ConversationStatus.RESOLVED:
        return
    about = _describe(tx, before, due) | {"elapsed_s": elapsed_s}
    plan = _Plan(before, before.queue_id, about)
    for action in due.step.actions:
        _PLANS[type(action)](tx, plan, action)
    data: dict[str, str | int | None] = {
        "policy": about["policy"],
        "policy_id": int(due.policy_id),
        "step": due.step.id,
        "clock": due.step.clock.value,
        "due_at": due.due_at.isoformat(),
        "elapsed_s": elapsed_s,
        "actions": ",".join(plan.done) or None,
        "failed": ",".join(plan.failed) or None,
        **plan.details,
    }
    values = {"escalated": before.escalated + 1, **plan.values}
    _, view = conversations.add_happening(tx, before, Happening.ESCALATED, SYSTEM, data, **values)
    if plan.values:
        tx.wake("routing")
    for effect in plan.effects:
        view = effect(tx, view)


def _describe(tx: Tx, view: ConversationView, due: Due) -> dict[str, str | int | None]:
    """What an alert says of it."""
    topic = tables.topic.c
    policy = tables.escalation_policy.c
    return {
        "policy": tx.scalar(select(policy.name).where(policy.id == int(due.policy_id))) or "",
        "step": due.step.id,
        "clock": due.step.clock.value,
        "customer": view.customer_name,
        "queue": _queue_name(tx, view.queue_id),
        "topic": tx.scalar(select(topic.name).where(topic.id == view.topic_id)) if view.topic_id is not None else None,
    }


def _raise_priority(tx: Tx, plan: _Plan, action: RaisePriority) -> None:
    now = plan.values.get("priority", plan.before.priority)
    raised = max(now, min(now + action.minutes, _PRIORITY_LIMIT))
    plan.values["priority"] = raised
    plan.do(action, priority=raised, priority_before=plan.before.priority)


def _widen_skills(tx: Tx, plan: _Plan, action: WidenSkills) -> None:
    lowered = plan.values.get("lowered")
    if lowered is None:
        lowered = int(tx.scalar(select(_c.lowered).where(_c.id == plan.before.id)) or 0)
    plan.values["lowered"] = min(lowered + action.levels, _LOWERED_LIMIT)
    plan.do(action, levels=action.levels)


def _move_to_queue(tx: Tx, plan: _Plan, action: MoveToQueue) -> None:
    name = _queue_name(tx, action.queue_id)
    if name is None:
        plan.fail(action, "queue_gone")
        return
    plan.queue_id = action.queue_id

    def move(tx: Tx, view: ConversationView) -> ConversationView:
        return dispatcher.direct(tx, view, SYSTEM, queue_id=action.queue_id)

    plan.do(action, move, queue_id=action.queue_id, queue_name=name)


def _notify_user(tx: Tx, plan: _Plan, action: NotifyUser) -> None:
    name = _active_name(tx, action.user_id)
    if name is None:
        plan.fail(action, "user_gone")
    else:
        plan.do(action, _raising(plan, [action.user_id], is_page=False), notified=name)


def _notify_role(tx: Tx, plan: _Plan, action: NotifyRole) -> None:
    """Everybody of that role among the queue's people; supervisors and administrators wherever they belong, if none are."""
    of_role = select(_u.id).where(_u.active, _u.role == action.role).order_by(_u.id)
    members = of_role.join(tables.queue_member, _m.user_id == _u.id).where(_m.queue_id == plan.queue_id)
    ids = [row.id for row in tx.rows(members)]
    if not ids and action.role != Role.AGENT.value:
        ids = [row.id for row in tx.rows(of_role)]
    if not ids:
        plan.fail(action, "nobody")
    else:
        plan.do(action, _raising(plan, ids, is_page=False), role=action.role, notified_count=len(ids))


def _page_supervisor(tx: Tx, plan: _Plan, action: PageSupervisor) -> None:
    ids: list[int] = []
    for role in (Role.SUPERVISOR, Role.ADMIN):
        ids = ids or [row.id for row in tx.rows(select(_u.id).where(_u.active, _u.role == role.value).order_by(_u.id))]
    if not ids:
        plan.fail(action, "nobody")
    else:
        plan.do(action, _raising(plan, ids, is_page=True), paged_count=len(ids))


def _assign_to(tx: Tx, plan: _Plan, action: AssignTo) -> None:
    """Live work is not given to somebody who is not there, and does not wait for them either; they are told. Nor is any to
    whose role takes no part."""
    found = roster.load_agent_views(tx, [action.user_id])
    if not found or not roster.takes_part(tx, action.user_id):
        plan.fail(action, "user_gone")
        return
    if found[0].state is AgentState.OFFLINE and plan.before.channel_kind in engine.LIVE_KINDS:
        plan.fail(action, "user_away")
        plan.effects.append(_raising(plan, [action.user_id], is_page=False))
        return

    def assign(tx: Tx, view: ConversationView) -> ConversationView:
        return dispatcher.give(tx, view, SYSTEM, action.user_id)

    plan.do(action, assign, agent_id=action.user_id, agent_name=found[0].name)


def _tag(tx: Tx, plan: _Plan, action: Tag) -> None:
    tags = list(plan.values.get("tags", plan.before.tags))
    if action.name in tags:
        plan.do(action, tag=action.name)
    elif len(tags) >= _TAG_LIMIT:
        plan.fail(action, "too_many_tags")
    else:
        plan.values["tags"] = [*tags, action.name]
        plan.do(action, tag=action.name)


def _auto_reply(tx: Tx, plan: _Plan, action: AutoReply) -> None:
    reason = automatic_replies.refusal(tx, plan.before, action.text)
    if reason is not None:
        plan.fail(action, reason)
        return

    def reply(tx: Tx, view: ConversationView) -> ConversationView:
        automatic_replies.send(tx, view, action.text)
        return conversations.load_conversation(tx, view.id)

    plan.do(action, reply)


_PLANS: dict[type[Action], Callable[[Tx, _Plan, Any], None]] = {
    RaisePriority: _raise_priority,
    WidenSkills: _widen_skills,
    MoveToQueue: _move_to_queue,
    NotifyUser: _notify_user,
    NotifyRole: _notify_role,
    AssignTo: _assign_to,
    PageSupervisor: _page_supervisor,
    Tag: _tag,
    AutoReply: _auto_reply,
}


def _raising(plan: _Plan, user_ids: Sequence[int], *, is_page: bool) -> _Effect:
    def tell(tx: Tx, view: ConversationView) -> ConversationView:
        level: Any = "page" if is_page else "notify"
        alerts.raise_alert(tx, user_ids, level=level, reason="escalation", conversation_id=view.id, data=plan.alert)
        return view

    return tell


def _queue_name(tx: Tx, queue_id: int) -> str | None:
    name: str | None = tx.scalar(select(_q.name).where(_q.id == queue_id))
    return name


def _active_name(tx: Tx, user_id: int) -> str | None:
    name: str | None = tx.scalar(select(_u.name).where(_u.id == user_id, _u.active))
    return name


# --- the loop -----------------------------------------------------------------------------------------------------------


class Escalations:
    """Fires steps when they are due, for as long as the process lives."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes

    async def run(self) -> None:
        while True:
            try:
                nearest = await self._database.read(load_nearest)
                if nearest is not None and nearest <= self._database.clock():
                    await self._fire()
                    continue
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            wait_s = clocks.LOOK_EVERY_S
            if nearest is not None:
                wait_s = min(max((nearest - self._database.clock()).total_seconds(), 0.0), wait_s)
            await self._wakes.wait("escalation", wait_s)

    async def _fire(self) -> None:
        """One that cannot be fired stops no other: then each is fired by itself, and that one set aside."""
        try:
            await self._database.transaction(fire_due)
            return
        except DatabaseAway:
            raise
        except Exception:
            log.exception("escalation.batch_failed")
        for conversation_id in await self._database.read(find_due):
            try:
                await self._database.transaction(fire_due, conversation_id)
            except DatabaseAway:
                raise
            except Exception:
                log.exception("escalation.not_fired", extra={"conversation_id": conversation_id})
                await self._database.transaction(set_aside, conversation_id)

    async def keep_up(self) -> None:
        """Brings clocks up to date with changed policies, calendars, queues and topics, in bounded steps."""
        while True:
            try:
                after_id = 0
                while stale := await self._database.read(clocks.find_stale, _KEEP_STEP, after_id):
                    await self._database.transaction(keep_stale, stale)
                    after_id = stale[-1]
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            await self._wakes.wait("clocks", _KEEP_EVERY_S)
