"""Topics, and what conversations are about."""

from __future__ import annotations

from typing import Any

from hub.agents.queues import KEEP
from hub.domain.views import ConversationView, TopicView
from hub.routing import directing
from hub.timeline import topics
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import NewTopic, Page, SetTags, SetTopic, UpdateTopic


@endpoint("GET", "/topics", access=Access.AGENT, summary="All topics")
async def list_topics(context: Context) -> Page[TopicView]:
    """Also those that are switched off: old conversations are about them."""
    return Page(await context.hub.database.read(topics.load_topics))


@endpoint("POST", "/topics", access=Access.ADMIN, status=201, summary="Create a topic")
async def create_topic(context: Context, body: NewTopic) -> TopicView:
    """409 `name_taken` if there is one of this name, in small or capital letters."""
    return await context.hub.database.transaction(
        topics.create_topic,
        name=body.name,
        is_complaint=body.is_complaint,
        queue_id=body.queue_id,
        owner_id=body.owner_id,
        policy_id=body.policy_id,
        actor=context.viewer,
    )


@endpoint("PATCH", "/topics/{topic_id}", access=Access.ADMIN, summary="Change a topic")
async def update_topic(context: Context, topic_id: int, body: UpdateTopic) -> TopicView:
    switched: dict[str, Any] = {
        name: getattr(body, name) if name in body.model_fields_set else KEEP
        for name in ("queue_id", "owner_id", "policy_id")
    }
    return await context.hub.database.transaction(
        topics.update_topic,
        topic_id,
        name=body.name,
        is_complaint=body.is_complaint,
        active=body.active,
        expected_version=body.expected_version,
        actor=context.viewer,
        **switched,
    )


@endpoint("PUT", "/conversations/{conversation_id}/topic", access=Access.AGENT, summary="Say what it is about")
async def set_topic(context: Context, conversation_id: int, body: SetTopic) -> ConversationView:
    """Work that waits goes to the topic's department and person, at its original age; work that is held only with
    `direct`."""
    return await context.hub.database.transaction(
        directing.set_topic, context.viewer, conversation_id, body.topic_id, direct=body.direct
    )


@endpoint("PUT", "/conversations/{conversation_id}/tags", access=Access.AGENT, summary="Set its tags")
async def set_tags(context: Context, conversation_id: int, body: SetTags) -> ConversationView:
    return await context.hub.database.transaction(
        directing.set_tags, context.viewer, conversation_id, body.tags, seen=body.seen
    )
