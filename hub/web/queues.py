"""Queues: everybody sees them, administrators change them."""

from __future__ import annotations

from typing import Any

from hub.agents import queues
from hub.agents.queues import KEEP, QueueSettings
from hub.domain.permissions import Permission
from hub.domain.views import OverflowView, QueueView, RequirementView
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import NewQueue, Page, UpdateQueue

# `null` is a value of these; what is absent is left alone.
_SWITCHED_OFF_BY_NULL = (
    *("language_wish_s", "last_agent_days", "last_agent_wish_s", "owner_wish_s"),
    *("calendar_id", "policy_id", "recording_days", "caller_channel_id"),
)


@endpoint("GET", "/queues", access=Access.AGENT, summary="All queues")
async def list_queues(context: Context) -> Page[QueueView]:
    return Page(await context.hub.database.read(queues.load_queue_views))


@endpoint("POST", "/queues", access=Permission.MANAGE_ROUTING, status=201, summary="Create a queue")
async def create_queue(context: Context, body: NewQueue) -> QueueView:
    """409 `name_taken` if there is one of this name. What is absent is as usual."""
    return await context.hub.database.transaction(
        queues.create_queue,
        name=body.name,
        offer_timeout_s=body.offer_timeout_s or 20,
        member_ids=body.member_ids or (),
        signature=body.signature or "",
        settings=_settings(body),
        actor=context.viewer,
    )


@endpoint("GET", "/queues/{queue_id}", access=Access.AGENT, summary="One queue")
async def get_queue(context: Context, queue_id: int) -> QueueView:
    return await context.hub.database.read(queues.load_queue, queue_id)


@endpoint("PATCH", "/queues/{queue_id}", access=Permission.MANAGE_ROUTING, summary="Change a queue")
async def update_queue(context: Context, queue_id: int, body: UpdateQueue) -> QueueView:
    """Absent leaves a thing as it is, and so does `null` but for the wishes; lists replace what there was. Work that waits
    already is looked at anew at once."""
    return await context.hub.database.transaction(queues.update_queue, queue_id, _settings(body), actor=context.viewer)


def _settings(body: UpdateQueue) -> QueueSettings:
    wishes: dict[str, Any] = {
        name: getattr(body, name) if name in body.model_fields_set else KEEP for name in _SWITCHED_OFF_BY_NULL
    }
    overflow = body.overflow
    required = body.required
    return QueueSettings(
        name=body.name,
        offer_timeout_s=body.offer_timeout_s,
        member_ids=body.member_ids,
        signature=body.signature,
        choice=body.choice,
        overflow=[OverflowView(tuple(step.queue_ids), step.after_s, step.ewt_over_s) for step in overflow]
        if overflow is not None
        else None,
        makes_room=body.makes_room,
        ring_s=body.ring_s,
        max_wait_s=body.max_wait_s,
        exclusion_s=body.exclusion_s,
        miss_limit=body.miss_limit,
        release_when_lost=body.release_when_lost,
        required=[RequirementView(each.skill_id, each.level) for each in required] if required is not None else None,
        ranks=body.ranks,
        auto_accept=body.auto_accept,
        connect_timeout_s=body.connect_timeout_s,
        tells_place=body.tells_place,
        offers_callback=body.offers_callback,
        callback_gap_s=body.callback_gap_s,
        callback_attempts=body.callback_attempts,
        wrap_up_s=body.wrap_up_s,
        wrap_up_mandatory=body.wrap_up_mandatory,
        dispositions=body.dispositions,
        records_calls=body.records_calls,
        expected_version=body.expected_version,
        **wishes,
    )
