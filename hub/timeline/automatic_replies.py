"""What the hub says to a customer by itself: to their first words ("we have it, you will hear from us", "we open on Monday"),
and while they wait (an escalation policy's step).

    acknowledge   the mail account's text, to a mail that has just begun a conversation
    reply         the text of the rule that placed a new conversation, on any channel
    send          a text into a conversation that goes on, if `refusal` has no reason against it

An automatic reply answers nothing: the customer still waits for a person, and so do the clocks. It is written as SYSTEM, by
mail as an automatic one, in the transaction of what it answers, so it is sent once or not at all. Machines never get one (RFC
3834 section 2), nor does an address that wrote so often that it must be one (two programs that answer each other would fill
the world with mail), nor whoever asked for silence.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select

from hub.channels.channel import MessageArrival
from hub.domain.mail import PARTLY_READ, UNKNOWN_SENDER, Mailbox, MailKind, Noise
from hub.domain.values import AuthorKind, ChannelKind, Direction, EntryKind
from hub.domain.views import ConversationView
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, mails, outbox

_c, _e, _m, _ch, _cp = (
    tables.conversation.c,
    tables.entry.c,
    tables.mail.c,
    tables.channel.c,
    tables.contact_point.c,
)

# To one address at most so many a day, and never two within the pause.
DAILY_LIMIT = 3
PAUSE = timedelta(minutes=10)

# Local parts behind which nobody reads (RFC 2142 and habit).
_NOBODY = frozenset(
    {"mailer-daemon", "postmaster", "noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "bounce"}
)
# Of whoever is called nobody can be told anything in writing.
_SPEAKS = frozenset({ChannelKind.PHONE})


def acknowledge(tx: Tx, view: ConversationView, arrival: MessageArrival) -> None:
    """Queues the acknowledgement of a conversation that this mail has just begun, if there is one to send."""
    settings = tx.scalar(select(_ch.settings).where(_ch.id == view.channel_id))
    text = (settings or {}).get("acknowledgement", "")
    if not text or not _is_wanted(arrival) or not _may_have_mail(tx, view):
        return
    send(tx, view, text.replace("{number}", str(view.id)).replace("{subject}", view.subject or ""))


def reply(tx: Tx, view: ConversationView, arrival: MessageArrival, text: str) -> bool:
    """Queues what a rule answers by itself to the conversation that this message has just begun; False if nothing may be
    sent: to a machine, to whoever asked for silence, or too often."""
    if _has_opted_out(tx, view) or (arrival.mail is not None and not _is_wanted(arrival)):
        return False
    may_have = _may_have_message if arrival.mail is None else _may_have_mail
    if not may_have(tx, view):
        return False
    send(tx, view, text)
    return True


def refusal(tx: Tx, view: ConversationView, text: str) -> str | None:
    """Why this text may not be sent into this conversation, in a machine's word, or None if it may."""
    unreachable = unreachable_because(tx, view)
    if unreachable is not None:
        return unreachable
    said = select(_e.id).where(
        _e.conversation_id == view.id,
        _e.kind == EntryKind.MESSAGE.value,
        _e.direction == Direction.OUT.value,
        _e.author_kind == AuthorKind.SYSTEM.value,
        _e.text == text,
    )
    if tx.first(said.limit(1)) is not None:
        return "already_said"
    return None if view.channel_kind is not ChannelKind.EMAIL or _may_have_mail(tx, view) else "too_many"


def unreachable_because(tx: Tx, view: ConversationView) -> str | None:
    """Why nobody would read what the hub says here by itself, or must not be sent it, in a machine's word; None: somebody
    would."""
    if view.channel_kind in _SPEAKS:
        return "channel_cannot"
    if not tx.scalar(select(_ch.enabled).where(_ch.id == view.channel_id)):
        return "channel_off"
    if _has_opted_out(tx, view):
        return "opted_out"
    if view.channel_kind is not ChannelKind.EMAIL:
        return None
    if view.address == UNKNOWN_SENDER or _is_nobodys(view.address):
        return "nobody_reads"
    newest = select(_m.noise).where(_m.conversation_id == view.id, _m.kind == "in").order_by(_m.entry_id.desc())
    noise = tx.scalar(newest.limit(1))
    return "nobody_reads" if noise is not None and noise != Noise.NONE.value else None


def send(tx: Tx, view: ConversationView, text: str) -> None:
    """Queues it. The caller holds the conversation's lock and has asked whether it may be sent."""
    wish = None
    if view.channel_kind is ChannelKind.EMAIL:
        wish = mails.MailWish(MailKind.ACKNOWLEDGEMENT, to=(Mailbox(view.address, view.customer_name),), quote=False)
    outbox.enqueue(tx, view.id, conversations.SYSTEM, text, mail=wish)


# --- who gets none ------------------------------------------------------------------------------------------------------


def _has_opted_out(tx: Tx, view: ConversationView) -> bool:
    return tx.scalar(select(_cp.opted_out_at).where(_cp.id == view.contact_point_id)) is not None


def _is_wanted(arrival: MessageArrival) -> bool:
    assert arrival.mail is not None
    if arrival.sender == UNKNOWN_SENDER or _is_nobodys(arrival.sender):
        return False
    mail = arrival.mail
    if mail.noise is not Noise.NONE or mail.refuses_automatic_answers:
        return False
    # One of which a part could not be read is a person's all the same.
    return mail.fault is None or mail.fault in PARTLY_READ


def _is_nobodys(address: str) -> bool:
    """Whether nobody reads what comes there."""
    return address.rpartition("@")[0] in _NOBODY


def _may_have_mail(tx: Tx, view: ConversationView) -> bool:
    """Whether this address may have one more automatic mail now."""
    sent = tx.first(
        select(func.count().label("sent_count"), func.max(_e.at).label("last"))
        .select_from(tables.mail)
        .join(tables.entry, _e.id == _m.entry_id)
        .join(tables.conversation, _c.id == _m.conversation_id)
        .where(
            _c.contact_point_id == view.contact_point_id,
            _m.kind == MailKind.ACKNOWLEDGEMENT.value,
            # A survey is no answer to anything.
            _e.happening.is_(None),
            _e.at > tx.now - timedelta(days=1),
        )
    )
    return _is_seldom(sent, tx.now)


def _may_have_message(tx: Tx, view: ConversationView) -> bool:
    """The same of messages that are no mails."""
    sent = tx.first(
        select(func.count().label("sent_count"), func.max(_e.at).label("last"))
        .select_from(tables.entry)
        .join(tables.conversation, _c.id == _e.conversation_id)
        .where(
            _c.contact_point_id == view.contact_point_id,
            _e.kind == EntryKind.MESSAGE.value,
            _e.author_kind == AuthorKind.SYSTEM.value,
            _e.happening.is_(None),
            _e.at > tx.now - timedelta(days=1),
        )
    )
    return _is_seldom(sent, tx.now)


def _is_seldom(sent: Row[Any] | None, now: datetime) -> bool:
    assert sent is not None
    return sent.sent_count < DAILY_LIMIT and (sent.last is None or sent.last <= now - PAUSE)
