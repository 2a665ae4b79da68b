"""Conversations: lists, timelines, answering, and who holds them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from hub.agents.viewer import Viewer
from hub.channels.channel import Channel
from hub.domain.events import Typing, conversation_topics, customer_topic, visitor_topic
from hub.domain.mail import MailKind
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.states import ConversationStatus
from hub.domain.values import AuthorKind, ChannelKind, Direction, EntryKind
from hub.domain.views import Author, ConversationView, EntryView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from hub.store.idempotency import once, record_answer
from hub.timeline import conversations, custom_fields, mentions, outbox
from hub.timeline.mails import MailWish
from hub.timeline.participants import write_ids
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import (
    Claim,
    NewConversation,
    NewMessage,
    NewNote,
    Page,
    Park,
    SetFields,
    SettleDelivery,
    TimelinePage,
    Transfer,
)
from hub.web.writing import check_message, ending_of, message_of
from hub.writing import drafts, planned, posting, uploads
from hub.writing.posting import Message


@endpoint("GET", "/conversations", access=Access.AGENT, summary="List conversations")
async def list_conversations(
    context: Context,
    status: ConversationStatus = ConversationStatus.OPEN,
    assignee: str = "any",
    queue_id: int | None = None,
    q: str | None = None,
    troubled: bool = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[ConversationView]:
    """Newest activity first, as far as you may see them. `assignee` is `me`, `none`, `any` or a user's id; `q` looks in
    the customer's name, the address and the newest message; `troubled`: only complaints and what has escalated."""
    before = read_cursor(cursor, datetime, int)
    if assignee not in ("me", "none", "any") and not (assignee.isdecimal() and len(assignee) < 18):
        raise InvalidInput("bad assignee", fields={"assignee": Sentence("must be me, none, any or a user's id")})
    items = await context.hub.database.read(
        conversations.load_page,
        context.viewer,
        status=status,
        assignee=assignee,
        queue_id=queue_id,
        words=q,
        before=before,
        limit=limit,
        is_troubled=troubled,
    )
    more = write_cursor(items[-1].last_entry_at, items[-1].id) if len(items) == limit else None
    return Page(items=items, next_cursor=more)


def _start(
    tx: Tx, viewer: Viewer, body: NewConversation, channel: Channel | None, key: str | None, request_hash: str
) -> ConversationView:
    tx.lock_routing()
    earlier = once(tx, viewer.user_id, key, request_hash)
    if earlier is not None:
        return conversations.access_conversation(tx, viewer, earlier)
    view = dispatcher.open_conversation(tx, viewer, body.channel_id, body.contact_point_id, body.subject)
    if body.text is not None and channel is not None:
        tx.lock_conversations([view.id])
        # What waited there in the queue is theirs from now on, as with every answer.
        view = dispatcher.hold_for_reply(tx, viewer, view.id)
        planned.post_held(tx, viewer, view)
        is_mail = view.channel_kind is ChannelKind.EMAIL
        message = Message(body.text, mail=MailWish(kind=MailKind.NEW, subject=body.subject) if is_mail else None)
        # Told before anything is kept: no empty conversation is left behind.
        posting.check_carried(channel, posting.load_target(tx, viewer, view.id, message), body.text)
        posting.post(tx, view, viewer, message, segments=channel.segments(body.text), client_key=key)
        view = conversations.load_conversation(tx, view.id)
    record_answer(tx, viewer.user_id, key, view.id)
    return view


@endpoint(
    "POST",
    "/conversations",
    access=Permission.TAKE_PART,
    status=201,
    summary="Write to a customer first",
    idempotent=True,
)
async def open_conversation(context: Context, body: NewConversation) -> ConversationView:
    """The open conversation of that contact point on that channel if there is one, else a new one in the channel's queue,
    held by you. By mail it is always a new one. With `text` it is sent at once: all of it happens, or nothing. 409
    `opted_out`, `calls_refused`, `address_removed`, `chat_closed` say why not."""
    channel = None
    if body.text is not None:
        try:
            channel = await context.hub.channels.get(body.channel_id)
        except NotFound:
            raise InvalidInput("no such channel", fields={"channel_id": Sentence("there is no such channel")}) from None
    return await context.hub.database.transaction(
        _start, context.viewer, body, channel, context.idempotency_key, context.request_hash
    )


@endpoint("GET", "/conversations/{conversation_id}", access=Access.AGENT, summary="One conversation")
async def get_conversation(context: Context, conversation_id: int) -> ConversationView:
    return await context.hub.database.read(conversations.access_conversation, context.viewer, conversation_id)


def _load_timeline(
    tx: Tx, viewer: Viewer, conversation_id: int, before: tuple[datetime, int] | None, limit: int
) -> tuple[list[EntryView], ConversationView]:
    view = conversations.access_conversation(tx, viewer, conversation_id)
    condition = (tables.entry.c.conversation_id == conversation_id) & conversations.readable_by(viewer)
    return conversations.load_entries(tx, conversations.entry_page(condition, before, limit)), view


@endpoint("GET", "/conversations/{conversation_id}/timeline", access=Access.AGENT, summary="Its entries")
async def get_timeline(
    context: Context, conversation_id: int, limit: Limit = DEFAULT_LIMIT, cursor: str | None = None
) -> TimelinePage:
    """Oldest first within the page; the first page is the newest, `next_cursor` leads to older ones."""
    before = read_cursor(cursor, datetime, int)
    items, view = await context.hub.database.read(_load_timeline, context.viewer, conversation_id, before, limit)
    return timeline_page(items, limit, [view])


def timeline_page(newest_first: list[EntryView], limit: int, views: list[ConversationView]) -> TimelinePage:
    more = None
    if len(newest_first) == limit:
        more = write_cursor(newest_first[-1].at, newest_first[-1].id)
    return TimelinePage(items=newest_first[::-1], next_cursor=more, conversations=views)


# --- answering ----------------------------------------------------------------------------------------------------------


def _post_message(
    tx: Tx,
    viewer: Viewer,
    conversation_id: int,
    body: NewMessage,
    segments: int | None,
    key: str | None,
    request_hash: str,
) -> EntryView:
    view = conversations.access_conversation(tx, viewer, conversation_id)
    if view.assignee_id is None:
        tx.lock_routing()  # first in the lock order: what nobody holds will be held by whoever answers it
    tx.lock_conversations([conversation_id])
    earlier = once(tx, viewer.user_id, key, request_hash)
    if earlier is not None:
        return conversations.load_entry(tx, earlier)
    if view.assignee_id is not None and conversations.load_conversation(tx, conversation_id).assignee_id is None:
        # Released or resolved between the look and the lock; ROUTING can no longer be taken first.
        raise Conflict("this conversation was let go a moment ago; send it again", code="assignment_changed")
    uploads.check_unsent(tx, viewer.user_id, body.attachment_ids)
    planned.post_held(tx, viewer, view)
    if view.assignee_id is None:
        dispatcher.hold_for_reply(tx, viewer, conversation_id)
    entry = posting.post(tx, view, viewer, message_of(body), segments=segments, client_key=key)
    sent = drafts.Words(body.text, attachment_ids=tuple(body.attachment_ids))
    drafts.end(tx, viewer.user_id, conversation_id, ending_of(body.draft), "answer", sent)
    record_answer(tx, viewer.user_id, key, entry.id)
    return entry


@endpoint(
    "POST",
    "/conversations/{conversation_id}/messages",
    access=Permission.TAKE_PART,
    status=201,
    summary="Answer the customer",
    idempotent=True,
)
async def post_message(context: Context, conversation_id: int, body: NewMessage) -> EntryView:
    """Queued durably when this answers; its delivery follows as events. What nobody holds is yours from then on, and a
    resolved conversation is open again. With an Idempotency-Key a repeated request is the same message."""
    segments = await check_message(context, conversation_id, body)
    return await context.hub.database.transaction(
        _post_message, context.viewer, conversation_id, body, segments, context.idempotency_key, context.request_hash
    )


def _post_note(
    tx: Tx, viewer: Viewer, conversation_id: int, body: NewNote, key: str | None, request_hash: str
) -> EntryView:
    before = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
    earlier = once(tx, viewer.user_id, key, request_hash)
    if earlier is not None:
        return conversations.load_entry(tx, earlier)
    uploads.check_unsent(tx, viewer.user_id, body.attachment_ids)
    named = mentions.read_mentions(tx, viewer, before, [mentions.Ref(each.kind, each.id) for each in body.mentions])
    entry, view = conversations.add_entry(
        tx,
        before,
        kind=EntryKind.NOTE,
        direction=Direction.INTERNAL,
        author=Author(AuthorKind.AGENT, viewer.name, viewer.user_id),
        text=body.text,
        data=named.words,
        client_key=key,
        attachment_ids=body.attachment_ids,
        participants=write_ids({*before.participant_ids, *named.newcomers}),
    )
    mentions.tell_mentions(tx, viewer, entry, view, named)
    sent = drafts.Words(note=body.text, note_attachment_ids=tuple(body.attachment_ids))
    drafts.end(tx, viewer.user_id, conversation_id, ending_of(body.draft), "note", sent)
    record_answer(tx, viewer.user_id, key, entry.id)
    return entry


@endpoint(
    "POST",
    "/conversations/{conversation_id}/notes",
    access=Access.AGENT,
    status=201,
    summary="Note for colleagues",
    idempotent=True,
)
async def post_note(context: Context, conversation_id: int, body: NewNote) -> EntryView:
    """Never shown to the customer, nor its files. Whoever is mentioned is told, and sees the conversation from then on."""
    if not body.text and not body.attachment_ids:
        raise InvalidInput("nothing to note", fields={"text": Sentence("write something or attach a file")})
    return await context.hub.database.transaction(
        _post_note, context.viewer, conversation_id, body, context.idempotency_key, context.request_hash
    )


def _settle(tx: Tx, viewer: Viewer, entry_id: int, action: Literal["retry", "discard"]) -> EntryView:
    conversations.access_entry(tx, viewer, entry_id, lock=True)
    return outbox.settle(tx, entry_id, retry=action == "retry")


@endpoint("POST", "/entries/{entry_id}/delivery", access=Permission.TAKE_PART, summary="Decide about a failed message")
async def settle_delivery(context: Context, entry_id: int, body: SettleDelivery) -> EntryView:
    """For a message that failed or whose fate is unknown: send it again, or leave it be."""
    return await context.hub.database.transaction(_settle, context.viewer, entry_id, body.action)


@endpoint(
    "DELETE",
    "/conversations/{conversation_id}/participants/{user_id}",
    access=Access.AGENT,
    summary="Take somebody out who was asked into it",
)
async def remove_participant(context: Context, conversation_id: int, user_id: int) -> ConversationView:
    """Yourself, or (who holds it, and supervisors) a colleague. Who is not in it stays out."""
    return await context.hub.database.transaction(mentions.leave, context.viewer, conversation_id, user_id)


@endpoint("POST", "/conversations/{conversation_id}/typing", access=Access.AGENT, summary="You are typing")
async def post_typing(context: Context, conversation_id: int) -> None:
    """Shown to colleagues who look at it, and to a chat visitor, for a few seconds. Send it every 3 s at most."""
    viewer = context.viewer
    view = await context.hub.database.read(conversations.access_conversation, viewer, conversation_id)
    topics = conversation_topics(view.queue_id, view.assignee_id, view.participant_ids) | {
        customer_topic(view.customer_id)
    }
    if view.channel_kind is ChannelKind.CHAT:
        topics |= {visitor_topic(view.contact_point_id)}
    context.hub.notices.say(Typing(conversation_id, viewer.user_id, viewer.name), topics)


# --- who holds it -------------------------------------------------------------------------------------------------------


@endpoint("POST", "/conversations/{conversation_id}/claim", access=Permission.TAKE_PART, summary="Take it")
async def claim(context: Context, conversation_id: int, body: Claim) -> ConversationView:
    """409 `already_assigned` names whoever was faster."""
    return await context.hub.database.transaction(
        dispatcher.claim, context.viewer, conversation_id, body.expected_assignee_id
    )


@endpoint("POST", "/conversations/{conversation_id}/transfer", access=Permission.TAKE_PART, summary="Pass it on")
async def transfer(context: Context, conversation_id: int, body: Transfer) -> ConversationView:
    """To an agent, who has it at once, or to a queue, at its original age."""
    return await context.hub.database.transaction(
        dispatcher.transfer,
        context.viewer,
        conversation_id,
        agent_id=body.agent_id,
        queue_id=body.queue_id,
        note=body.note,
    )


@endpoint("POST", "/conversations/{conversation_id}/release", access=Permission.TAKE_PART, summary="Back to the queue")
async def release(context: Context, conversation_id: int) -> ConversationView:
    return await context.hub.database.transaction(dispatcher.release, context.viewer, conversation_id)


@endpoint("POST", "/conversations/{conversation_id}/park", access=Permission.TAKE_PART, summary="Put it aside")
async def park(context: Context, conversation_id: int, body: Park) -> ConversationView:
    """It stays whose it is and costs them no capacity until then; it comes back earlier when the customer writes. 409
    `not_held` for what nobody holds, `customer_waits` for a chat or a call."""
    return await context.hub.database.transaction(dispatcher.park, context.viewer, conversation_id, body.until)


@endpoint("DELETE", "/conversations/{conversation_id}/park", access=Permission.TAKE_PART, summary="Take it up again")
async def unpark(context: Context, conversation_id: int) -> ConversationView:
    """What is not put aside stays as it is."""
    return await context.hub.database.transaction(dispatcher.unpark, context.viewer, conversation_id)


@endpoint("POST", "/conversations/{conversation_id}/resolve", access=Permission.TAKE_PART, summary="It is done")
async def resolve(context: Context, conversation_id: int) -> ConversationView:
    """409 `fields_missing` names what must be filled in first."""
    return await context.hub.database.transaction(dispatcher.resolve, context.viewer, conversation_id)


@endpoint("PATCH", "/conversations/{conversation_id}/fields", access=Permission.TAKE_PART, summary="Fill in its fields")
async def set_fields(context: Context, conversation_id: int, body: SetFields) -> ConversationView:
    """Only what `fields` names changes. 409 `field_conflict` names what somebody changed since it was as `seen` says."""
    return await context.hub.database.transaction(
        custom_fields.change_conversation, context.viewer, conversation_id, body.fields, body.seen
    )


@endpoint("POST", "/conversations/{conversation_id}/reopen", access=Permission.TAKE_PART, summary="Open it again")
async def reopen(context: Context, conversation_id: int) -> ConversationView:
    """It is yours then. 409 `already_open` when the customer has a newer open one on the same channel."""
    return await context.hub.database.transaction(dispatcher.reopen, context.viewer, conversation_id)
