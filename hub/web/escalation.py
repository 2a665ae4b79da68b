"""Escalation policies, and where a conversation stands on its ladder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.routing import clocks, policies
from hub.routing.escalation import Action, Clock, WorkState, action_record, policy_record
from hub.routing.policies import StoredPolicy
from hub.store.database import Tx
from hub.timeline import conversations
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    ClockReading,
    ConversationEscalation,
    EscalationAction,
    EscalationStep,
    FiredStep,
    NewPolicy,
    NextStep,
    Page,
    PolicyName,
    PolicyView,
    UpdatePolicy,
)

_STEPS: TypeAdapter[list[EscalationStep]] = TypeAdapter(list[EscalationStep])
_ACTIONS: TypeAdapter[list[EscalationAction]] = TypeAdapter(list[EscalationAction])


@endpoint("GET", "/escalation-policies", access=Access.SUPERVISOR, summary="All escalation policies")
async def list_policies(context: Context) -> Page[PolicyView]:
    """By name."""
    return Page([_view(each) for each in await context.hub.database.read(policies.load_policies)])


@endpoint(
    "POST", "/escalation-policies", access=Permission.MANAGE_ROUTING, status=201, summary="Create an escalation policy"
)
async def create_policy(context: Context, body: NewPolicy) -> PolicyView:
    """409 `name_taken` if there is one of this name. It holds once a queue or a topic has it."""
    return _view(
        await context.hub.database.transaction(policies.create_policy, body.name, _given(body), actor=context.viewer)
    )


@endpoint("GET", "/escalation-policies/{policy_id}", access=Access.SUPERVISOR, summary="One escalation policy")
async def get_policy(context: Context, policy_id: int) -> PolicyView:
    return _view(await context.hub.database.read(policies.load_policy, policy_id))


@endpoint(
    "PUT", "/escalation-policies/{policy_id}", access=Permission.MANAGE_ROUTING, summary="Change an escalation policy"
)
async def update_policy(context: Context, policy_id: int, body: UpdatePolicy) -> PolicyView:
    """A new version, which holds for all open work at once. What had become due before stays as it was."""
    return _view(
        await context.hub.database.transaction(
            policies.update_policy,
            policy_id,
            body.name,
            _given(body),
            body.expected_version,
            actor=context.viewer,
        )
    )


@endpoint(
    "DELETE",
    "/escalation-policies/{policy_id}",
    access=Permission.MANAGE_ROUTING,
    summary="Remove an escalation policy",
)
async def delete_policy(context: Context, policy_id: int) -> None:
    """409 `in_use`, naming them, while queues or topics have it."""
    await context.hub.database.transaction(policies.delete_policy, policy_id, actor=context.viewer)


def _given(body: NewPolicy) -> dict[str, object]:
    """As the client wrote it: routing.policies reads it, and names every fault."""
    return {"targets": body.targets, "paused_in": body.paused_in, "steps": body.steps}


def _view(found: StoredPolicy) -> PolicyView:
    record: dict[str, Any] = policy_record(found.policy)
    steps = [{"after_s": None, "share": None, "in_states": [], **step} for step in record.pop("steps")]
    return PolicyView(
        id=found.id, name=found.name, version=found.version, steps=_STEPS.validate_python(steps), **record
    )


def _actions(actions: Iterable[Action]) -> list[EscalationAction]:
    return _ACTIONS.validate_python([action_record(action) for action in actions])


def _load_escalation(tx: Tx, viewer: Viewer, conversation_id: int) -> ConversationEscalation:
    conversations.access_conversation(tx, viewer, conversation_id)
    standing = clocks.load_standing(tx, conversation_id)
    upcoming = standing.upcoming
    return ConversationEscalation(
        policy=PolicyName(id=standing.policy_id, name=standing.policy_name, version=standing.policy_version)
        if standing.policy_id is not None
        else None,
        state=WorkState(standing.state),
        calendar_id=standing.calendar_id,
        clocks=[
            ClockReading(
                clock=reading.clock,
                elapsed_s=reading.elapsed_s,
                target_s=reading.target_s,
                started_at=reading.started_at,
                is_paused=reading.is_paused,
            )
            for reading in standing.readings
        ],
        fired=[
            FiredStep(
                step_id=fired.step_id,
                clock=Clock(fired.clock),
                run=fired.run,
                due_at=fired.due_at,
                fired_at=fired.fired_at,
                is_over=fired.is_over,
                actions=_actions(fired.actions),
            )
            for fired in standing.fired
        ],
        next=NextStep(
            step_id=upcoming.step.id,
            clock=upcoming.step.clock,
            due_at=upcoming.due_at,
            actions=_actions(upcoming.step.actions),
        )
        if upcoming is not None
        else None,
    )


@endpoint(
    "GET", "/conversations/{conversation_id}/escalation", access=Access.AGENT, summary="Where it stands on its ladder"
)
async def get_escalation(context: Context, conversation_id: int) -> ConversationEscalation:
    """What its clocks show now, which steps have fired, and the next one if nothing happens."""
    return await context.hub.database.read(_load_escalation, context.viewer, conversation_id)
