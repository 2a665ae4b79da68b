"""Conversations of one customer that are one matter, and parts of one that are another."""

from __future__ import annotations

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.views import ConversationMergeView, MergeTargetView
from hub.store.database import Tx
from hub.timeline import joining, splitting
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    ConversationsApart,
    ConversationsMerged,
    NewConversationMerge,
    Page,
    SplitConversation,
)


@endpoint(
    "GET",
    "/conversations/{conversation_id}/merge-targets",
    access=Access.AGENT,
    tag="conversations",
    summary="What it could be merged into",
)
async def list_merge_targets(context: Context, conversation_id: int) -> Page[MergeTargetView]:
    """Other conversations of the same customer that you may see, the newest first, a hundred at most; `refused` says why one
    is none: `merged`, `in_call`, `callback`, `customer_waits`, `live_target`, `resolved_target`."""
    return Page(await context.hub.database.read(joining.find_targets, context.viewer, conversation_id))


def _merge(tx: Tx, viewer: Viewer, conversation_id: int, body: NewConversationMerge) -> ConversationsMerged:
    merges, view = joining.merge(tx, viewer, conversation_id, body.from_ids, expected_versions=body.expected_versions)
    return ConversationsMerged(merges=merges, conversation=view)


@endpoint(
    "POST",
    "/conversations/{conversation_id}/merges",
    access=Permission.MERGE_CONVERSATIONS,
    status=201,
    tag="conversations",
    summary="Make others a part of it",
)
async def merge_conversations(
    context: Context, conversation_id: int, body: NewConversationMerge
) -> ConversationsMerged:
    """It keeps its number, queue and holder; the lines of the others stand among its own, each with its `origin_id`. What
    comes to the others from now on comes here. It can be undone. 409 `version_conflict`, or why not, as above."""
    return await context.hub.database.transaction(_merge, context.viewer, conversation_id, body)


@endpoint(
    "GET",
    "/conversations/{conversation_id}/merges",
    access=Access.AGENT,
    tag="conversations",
    summary="What has become a part of it",
)
async def list_conversation_merges(context: Context, conversation_id: int) -> Page[ConversationMergeView]:
    """Newest first; what was undone is not among them."""
    return Page(await context.hub.database.read(joining.load_merges, context.viewer, conversation_id))


def _undo(tx: Tx, viewer: Viewer, merge_id: int) -> ConversationsApart:
    view, other = joining.undo(tx, viewer, merge_id)
    return ConversationsApart(conversation=view, other=other)


@endpoint(
    "POST",
    "/conversation-merges/{merge_id}/undo",
    access=Permission.MERGE_CONVERSATIONS,
    tag="conversations",
    summary="Two conversations again",
)
async def undo_conversation_merge(context: Context, merge_id: int) -> ConversationsApart:
    """What was the other's is its again, and what has come since by its address or its mails goes with it; what you have
    written since stays. 409 `merged_on`: this one was itself merged since; `already_open`: the customer has a newer open
    conversation on that channel."""
    return await context.hub.database.transaction(_undo, context.viewer, merge_id)


def _split(tx: Tx, viewer: Viewer, conversation_id: int, body: SplitConversation) -> ConversationsApart:
    view, other = splitting.split(
        tx,
        viewer,
        conversation_id,
        body.entry_ids,
        queue_id=body.queue_id,
        topic_id=body.topic_id,
        holds=body.hold,
        expected_version=body.expected_version,
    )
    return ConversationsApart(conversation=view, other=other)


@endpoint(
    "POST",
    "/conversations/{conversation_id}/split",
    access=Permission.MERGE_CONVERSATIONS,
    status=201,
    tag="conversations",
    summary="Make some of its messages another conversation",
)
async def split_conversation(context: Context, conversation_id: int, body: SplitConversation) -> ConversationsApart:
    """Later answers to mails that went come to the new one. On other channels it begins resolved while the customer has an
    open one there: 409 `unanswered` if they wait for an answer to one of these messages; `on_its_way` for one that has not
    left yet. To take it back, merge the new one into the old."""
    return await context.hub.database.transaction(_split, context.viewer, conversation_id, body)
