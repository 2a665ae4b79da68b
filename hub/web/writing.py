"""What is being written: drafts, and messages that go out later or can still be taken back."""

from __future__ import annotations

from dataclasses import replace

from hub.agents.viewer import Viewer
from hub.domain.events import Drafting, conversation_topics, customer_topic, user_topic
from hub.domain.languages import StaffLanguage
from hub.domain.mail import Mailbox, MailKind
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.views import ConversationView, DraftView, PlannedView
from hub.errors import InvalidInput
from hub.store.database import Tx
from hub.timeline import conversations
from hub.timeline.mails import MailWish
from hub.web.api import Access, Context, endpoint
from hub.web.languages import in_language
from hub.web.schemas import (
    CancelledMessage,
    CancelPlannedMessage,
    ChangePlannedMessage,
    DraftMail,
    EndedDraft,
    MailboxIn,
    NewMail,
    NewMessage,
    NewPlannedMessage,
    Page,
    SaveDraft,
    TakeDraft,
    Writing,
)
from hub.writing import drafts, planned, posting
from hub.writing.drafts import Ending, Words
from hub.writing.heads import MailHead
from hub.writing.posting import Message


def wish_of(mail: NewMail) -> MailWish:
    def boxes(given: list[MailboxIn]) -> tuple[Mailbox, ...]:
        return tuple(Mailbox(each.address, each.name) for each in given)

    return MailWish(
        kind=MailKind(mail.kind),
        subject=mail.subject,
        to=boxes(mail.to) if mail.to is not None else None,
        cc=boxes(mail.cc),
        bcc=boxes(mail.bcc),
        about_entry_id=mail.about_entry_id,
        quote=mail.quote,
        forwarded_attachment_ids=tuple(mail.forwarded_attachment_ids),
    )


def message_of(body: NewMessage) -> Message:
    return Message(body.text, tuple(body.attachment_ids), wish_of(body.mail) if body.mail is not None else None)


def ending_of(draft: EndedDraft | None) -> Ending | None:
    return Ending(draft.version, draft.writer) if draft is not None else None


async def check_message(context: Context, conversation_id: int, body: NewMessage) -> int | None:
    """How many segments it takes; InvalidInput if there is nothing to send, or the channel cannot carry it."""
    forwards = body.mail is not None and body.mail.kind == "forward"
    if not body.text and not body.attachment_ids and not forwards:
        raise InvalidInput("nothing to send", fields={"text": Sentence("write something or attach a file")})
    target = await context.hub.database.read(posting.load_target, context.viewer, conversation_id, message_of(body))
    channel = await context.hub.channels.get(target.view.channel_id)
    if body.text or target.files or forwards:
        posting.check_carried(channel, target, body.text)
    return channel.segments(body.text)


def _tell_written(context: Context, view: ConversationView, user_id: int, writer: str) -> None:
    """Whoever shows what is written there asks again, and so do the other pages of whoever wrote it."""
    topics = conversation_topics(view.queue_id, view.assignee_id, view.participant_ids)
    topics |= {customer_topic(view.customer_id), user_topic(user_id)}
    context.hub.notices.say(Drafting(view.id, user_id, writer), topics)


# --- drafts -------------------------------------------------------------------------------------------------------------


def _said(view: PlannedView, language: StaffLanguage) -> PlannedView:
    """With why it was stopped in the language that is asked for. What is told by events is told to all alike."""
    return view if view.detail is None else replace(view, detail=in_language(view.detail, language))


def _load_writing(tx: Tx, viewer: Viewer, conversation_id: int, language: StaffLanguage) -> Writing:
    conversations.access_conversation(tx, viewer, conversation_id)
    return Writing(
        mine=drafts.load_of(tx, conversation_id, viewer.user_id),
        others=drafts.load_others(tx, conversation_id, viewer.user_id),
        planned=[_said(each, language) for each in planned.load_standing(tx, [conversation_id])],
    )


@endpoint("GET", "/conversations/{conversation_id}/writing", access=Access.AGENT, summary="What is being written there")
async def get_writing(context: Context, conversation_id: int) -> Writing:
    return await context.hub.database.read(_load_writing, context.viewer, conversation_id, context.language)


def _with_view(tx: Tx, draft: DraftView) -> tuple[DraftView, ConversationView]:
    return draft, conversations.load_conversation(tx, draft.conversation_id)


def _save_draft(tx: Tx, viewer: Viewer, conversation_id: int, body: SaveDraft) -> tuple[DraftView, ConversationView]:
    files, note_files = tuple(body.attachment_ids), tuple(body.note_attachment_ids)
    words = Words(body.text, body.note, files, _head_of(body.mail), note_files)
    saved = drafts.save(
        tx,
        viewer,
        conversation_id,
        words,
        expected_version=body.expected_version,
        typed_at=body.typed_at,
        writer=body.writer,
    )
    return _with_view(tx, saved)


def _head_of(mail: DraftMail | None) -> MailHead | None:
    return MailHead(wish_of(mail), mail.everybody) if mail is not None else None


@endpoint("PUT", "/conversations/{conversation_id}/draft", access=Access.AGENT, summary="Keep what you have typed")
async def save_draft(context: Context, conversation_id: int, body: SaveDraft) -> DraftView:
    """Your own, one for each conversation. 409 `draft_changed` when another page of yours wrote since: read it first. Files
    of it are kept while it stands."""
    viewer = context.viewer
    draft, view = await context.hub.database.transaction(_save_draft, viewer, conversation_id, body)
    _tell_written(context, view, viewer.user_id, body.writer)
    return draft


def _take_draft(
    tx: Tx, viewer: Viewer, conversation_id: int, user_id: int, body: TakeDraft
) -> tuple[DraftView, ConversationView]:
    taken = drafts.take_over(
        tx, viewer, conversation_id, user_id, expected_version=body.expected_version, writer=body.writer
    )
    return _with_view(tx, taken)


@endpoint(
    "POST",
    "/conversations/{conversation_id}/drafts/{user_id}/take",
    access=Access.AGENT,
    summary="Take over what a colleague began",
)
async def take_draft(context: Context, conversation_id: int, user_id: int, body: TakeDraft) -> DraftView:
    """Their words are in your own draft then, below what you have begun; they are told, and may still write on."""
    viewer = context.viewer
    draft, view = await context.hub.database.transaction(_take_draft, viewer, conversation_id, user_id, body)
    for each in (user_id, viewer.user_id):
        _tell_written(context, view, each, body.writer if each == viewer.user_id else "")
    return draft


# --- later --------------------------------------------------------------------------------------------------------------


@endpoint(
    "POST",
    "/conversations/{conversation_id}/planned-messages",
    access=Permission.TAKE_PART,
    status=201,
    summary="Answer later, or so that it can be taken back",
    idempotent=True,
)
async def plan_message(context: Context, conversation_id: int, body: NewPlannedMessage) -> PlannedView:
    """It is looked at as a message that goes now, and again when it does. With an Idempotency-Key a repeated request is the
    same message."""
    if (body.send_at is None) == (body.hold_s is None):
        raise InvalidInput("when?", fields={"send_at": Sentence("either this or hold_s must be given")})
    segments = await check_message(context, conversation_id, body)
    wish = wish_of(body.mail) if body.mail is not None else None
    return await context.hub.database.transaction(
        planned.plan,
        context.viewer,
        conversation_id,
        message_of(body),
        head=MailHead(wish, body.everybody) if wish is not None else None,
        segments=segments,
        send_at=body.send_at,
        hold_s=body.hold_s or 0,
        despite=body.despite,
        key=context.idempotency_key,
        request_hash=context.request_hash,
        ending=ending_of(body.draft),
    )


@endpoint("GET", "/me/planned-messages", access=Access.AGENT, summary="What you have planned")
async def list_planned(context: Context) -> Page[PlannedView]:
    """All that has not gone out, the next one first; what was stopped among them."""
    items = await context.hub.database.read(planned.load_of_author, context.viewer.user_id)
    return Page(items=[_said(each, context.language) for each in items])


@endpoint("GET", "/planned-messages/{planned_id}", access=Access.AGENT, summary="One planned message")
async def get_planned(context: Context, planned_id: int) -> PlannedView:
    """Of a conversation that you may see. `detail` in your language, which events cannot say."""
    return _said(await context.hub.database.read(_load_visible, context.viewer, planned_id), context.language)


def _load_visible(tx: Tx, viewer: Viewer, planned_id: int) -> PlannedView:
    view = planned.load_planned(tx, planned_id)
    conversations.access_conversation(tx, viewer, view.conversation_id)
    return view


@endpoint("PATCH", "/planned-messages/{planned_id}", access=Permission.TAKE_PART, summary="Another time, other words")
async def change_planned(context: Context, planned_id: int, body: ChangePlannedMessage) -> PlannedView:
    """What was stopped waits again. Only its author changes what it says. 409 `planned_changed`, `planned_sent`."""
    hub, viewer = context.hub, context.viewer
    segments = None
    if body.text is not None:
        before = await hub.database.read(_load_visible, viewer, planned_id)
        changed = Message(body.text, tuple(each.id for each in before.attachments))
        target = await hub.database.read(posting.load_target, viewer, before.conversation_id, changed)
        channel = await hub.channels.get(target.view.channel_id)
        if changed.text or target.files:
            posting.check_carried(channel, target, changed.text)
        segments = channel.segments(changed.text)
    return await hub.database.transaction(
        planned.change,
        viewer,
        planned_id,
        expected_version=body.expected_version,
        text=body.text,
        send_at=body.send_at,
        despite=body.despite,
        segments=segments,
    )


@endpoint("POST", "/planned-messages/{planned_id}/send", access=Permission.TAKE_PART, summary="Send it now")
async def send_planned(context: Context, planned_id: int) -> PlannedView:
    """Whatever came in between: you have seen it. 409 with the reason as code when nothing may be sent."""
    return await context.hub.database.transaction(planned.send_now, context.viewer, planned_id)


@endpoint("POST", "/planned-messages/{planned_id}/cancel", access=Access.AGENT, summary="Take it back")
async def cancel_planned(context: Context, planned_id: int, body: CancelPlannedMessage) -> CancelledMessage:
    """409 `planned_sent` if it has gone."""
    cancelled, draft = await context.hub.database.transaction(
        planned.cancel, context.viewer, planned_id, gives_back=body.gives_back, writer=body.writer
    )
    return CancelledMessage(planned=cancelled, draft=draft)
