"""The short automatic answers to a customer's first words: "we have it, you will hear from us", "we open on Monday".

One is sent when a rule that placed the conversation has a text for it (on any channel), else to a mail when the channel
account has one; in the transaction that stores the message, so it is sent once or not at all. Machines never get one (RFC
3834 section 2), nor does an address that wrote so often that it must be one (two programs that answer each other would fill
the world with mail), nor whoever asked for silence.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select

from hub.channels.channel import MessageArrival
from hub.domain.mail import PARTLY_READ, UNKNOWN_SENDER, Mailbox, MailKind, Noise
from hub.domain.values import AuthorKind, EntryKind
from hub.domain.views import Author, ConversationView
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import mails, outbox

_c, _m, _e = tables.conversation.c, tables.mail.c, tables.entry.c

# To one address at most so many a day, and never two within the pause.
DAILY_LIMIT = 3
PAUSE = timedelta(minutes=10)

# Local parts behind which nobody reads (RFC 2142 and habit).
_NOBODY = frozenset(
    {"mailer-daemon", "postmaster", "noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "bounce"}
)


def acknowledge(tx: Tx, view: ConversationView, arrival: MessageArrival) -> None:
    """Queues the acknowledgement of a conversation that this mail has just begun, if there is one to send."""
    settings = tx.scalar(select(tables.channel.c.settings).where(tables.channel.c.id == view.channel_id))
    text = (settings or {}).get("acknowledgement", "")
    if not text or not _is_wanted(arrival) or not _is_due(tx, view):
        return
    text = text.replace("{number}", str(view.id)).replace("{subject}", view.subject or "")
    wish = mails.MailWish(MailKind.ACKNOWLEDGEMENT, to=(Mailbox(view.address, view.customer_name),), quote=False)
    author = Author(AuthorKind.SYSTEM, "")
    outbox.enqueue(tx, view.id, author, text, mail=wish)


def reply(tx: Tx, view: ConversationView, arrival: MessageArrival, text: str) -> bool:
    """Queues what a rule answers by itself to the conversation that this message has just begun; False if nothing may be
    sent: to a machine, to whoever asked for silence, or too often."""
    point = tables.contact_point.c
    if tx.scalar(select(point.opted_out_at).where(point.id == view.contact_point_id)) is not None:
        return False
    author = Author(AuthorKind.SYSTEM, "")
    if arrival.mail is not None:
        if not _is_wanted(arrival) or not _is_due(tx, view):
            return False
        wish = mails.MailWish(MailKind.ACKNOWLEDGEMENT, to=(Mailbox(view.address, view.customer_name),), quote=False)
        outbox.enqueue(tx, view.id, author, text, mail=wish)
        return True
    said = tx.first(
        select(func.count().label("sent_count"), func.max(_e.at).label("last"))
        .select_from(tables.entry)
        .join(tables.conversation, _c.id == _e.conversation_id)
        .where(
            _c.contact_point_id == view.contact_point_id,
            _e.kind == EntryKind.MESSAGE.value,
            _e.author_kind == AuthorKind.SYSTEM.value,
            _e.at > tx.now - timedelta(days=1),
        )
    )
    if not _is_seldom(said, tx.now):
        return False
    outbox.enqueue(tx, view.id, author, text)
    return True


def _is_wanted(arrival: MessageArrival) -> bool:
    assert arrival.mail is not None
    local = arrival.sender.rpartition("@")[0]
    if arrival.sender == UNKNOWN_SENDER or local in _NOBODY:
        return False
    mail = arrival.mail
    if mail.noise is not Noise.NONE or mail.refuses_automatic_answers:
        return False
    # One of which a part could not be read is a person's all the same.
    return mail.fault is None or mail.fault in PARTLY_READ


def _is_due(tx: Tx, view: ConversationView) -> bool:
    sent = tx.first(
        select(func.count().label("sent_count"), func.max(_e.at).label("last"))
        .select_from(tables.mail)
        .join(tables.entry, _e.id == _m.entry_id)
        .join(tables.conversation, _c.id == _m.conversation_id)
        .where(
            _c.contact_point_id == view.contact_point_id,
            _m.kind == MailKind.ACKNOWLEDGEMENT.value,
            _e.at > tx.now - timedelta(days=1),
        )
    )
    return _is_seldom(sent, tx.now)


def _is_seldom(sent: Row[Any] | None, now: datetime) -> bool:
    assert sent is not None
    return sent.sent_count < DAILY_LIMIT and (sent.last is None or sent.last <= now - PAUSE)
