"""Posting an answer: what a person asks for becomes a message with its outbox row, now or later.

load_target → check_carried     before anything is written: the channel says what it cannot carry
hold_if_nobodys → post          in the transaction that accepts the message
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from hub.agents.viewer import Viewer
from hub.channels.channel import Channel, OutgoingFile, OutgoingMessage
from hub.domain.mail import OutgoingMail
from hub.domain.sentences import Sentence
from hub.domain.values import AuthorKind, ChannelKind, EntryKind
from hub.domain.views import Author, ConversationView, EntryView
from hub.errors import InvalidInput
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import channels, conversations, mails, outbox
from hub.timeline.mails import MailWish
from hub.writing import uploads

_a, _e = tables.attachment.c, tables.entry.c


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent. `attachment_ids` are uploads of its author's; `mail`: what is asked of it on a mail channel (None:
    a plain answer)."""

    text: str
    attachment_ids: tuple[int, ...] = ()
    mail: MailWish | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message would go, with what: for the channel to look at before anything is queued."""

    view: ConversationView
    files: Sequence[Row[Any]]
    mail: OutgoingMail | None


def load_target(tx: Tx, viewer: Viewer, conversation_id: int, message: Message) -> Target:
    """Files of the author's that are not there are left to the transaction: a repeated request finds its own sent already."""
    view = conversations.access_conversation(tx, viewer, conversation_id)
    files = uploads.load_unsent(tx, viewer.user_id, message.attachment_ids)
    if view.channel_kind is not ChannelKind.EMAIL:
        if message.mail is not None:
            raise InvalidInput(
                "this is no conversation by mail",
                fields={"mail": Sentence("is not for {channel}", channel=view.channel_kind.value)},
            )
        return Target(view, files, None)
    outgoing = draft_mail(tx, view, message.mail or MailWish(), viewer.user_id, viewer.name)
    return Target(view, [*files, *_load_forwarded(tx, conversation_id, message.mail)], outgoing)


def draft_mail(tx: Tx, view: ConversationView, wish: MailWish, author_id: int, author_name: str) -> OutgoingMail:
    """As it would be sent now. InvalidInput names a faulty field."""
    _load_forwarded(tx, view.id, wish)
    own = own_addresses(tx, view.channel_id)
    return mails.draft(tx, view, wish, author_id=author_id, author_name=author_name, own=own)[0]


def check_carried(channel: Channel, target: Target, text: str) -> None:
    """What the channel cannot carry is told now, before anything is queued."""
    channel.check_outgoing(
        OutgoingMessage(
            delivery_id="",
            recipient=target.mail.to[0].address if target.mail is not None else target.view.address,
            text=text,
            files=tuple(OutgoingFile(file.name, file.media_type, file.size_bytes or 0, "") for file in target.files),
            mail=target.mail,
        )
    )


def post(
    tx: Tx,
    view: ConversationView,
    author: Viewer,
    message: Message,
    *,
    segments: int | None,
    client_key: str | None,
) -> EntryView:
    """Writes it. The caller holds the conversation's lock. InvalidInput names a file that is not there (any more)."""
    uploads.check_unsent(tx, author.user_id, message.attachment_ids)
    attachment_ids = list(message.attachment_ids)
    if message.mail is not None:
        forwarded = _load_forwarded(tx, view.id, message.mail)
        attachment_ids += uploads.copy(tx, forwarded, author.user_id).values()
    return outbox.enqueue(
        tx,
        view.id,
        Author(AuthorKind.AGENT, author.name, author.user_id),
        message.text,
        attachment_ids=attachment_ids,
        segments=segments,
        client_key=client_key,
        mail=message.mail,
        own_addresses=own_addresses(tx, view.channel_id) if view.channel_kind is ChannelKind.EMAIL else (),
    )


def own_addresses(tx: Tx, channel_id: str) -> frozenset[str]:
    """A mail channel's own addresses: its answers go to nobody there."""
    settings = tx.scalar(select(tables.channel.c.settings).where(tables.channel.c.id == channel_id))
    return frozenset(channels.own_addresses(settings or {}))


def _load_forwarded(tx: Tx, conversation_id: int, wish: MailWish | None) -> list[Row[Any]]:
    """Files of this conversation that go along; InvalidInput naming one that is not. Those of notes are for colleagues."""
    if wish is None or not wish.forwarded_attachment_ids:
        return []
    rows = tx.rows(
        select(tables.attachment)
        .join(tables.entry, _e.id == _a.entry_id)
        .where(
            _a.id.in_(wish.forwarded_attachment_ids),
            _e.conversation_id == conversation_id,
            _e.kind != EntryKind.NOTE.value,
            _a.state == "stored",
        )
        .order_by(_a.id)
    )
    missing = set(wish.forwarded_attachment_ids) - {row.id for row in rows}
    if missing:
        fault = Sentence("{id} is not a file of this conversation", id=min(missing))
        raise InvalidInput("no such attachment", fields={"mail.forwarded_attachment_ids": fault})
    return list(rows)
