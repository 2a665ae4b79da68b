"""What the hub says to a customer by itself: one text in one conversation, once, and never to a machine.

An automatic reply answers nothing: the customer still waits for a person, and so do the clocks. It is written as SYSTEM, by
mail as an automatic one (RFC 3834), and under the same limits as the acknowledgement: two programs that answer each other
would fill the world with mail.
"""

from __future__ import annotations

from sqlalchemy import select

from hub.domain.mail import UNKNOWN_SENDER, Mailbox, MailKind, Noise
from hub.domain.values import ChannelKind, Direction, EntryKind
from hub.domain.views import ConversationView
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import acknowledgement, conversations, mails, outbox

_c, _e, _m, _ch, _cp = (
    tables.conversation.c,
    tables.entry.c,
    tables.mail.c,
    tables.channel.c,
    tables.contact_point.c,
)

# Of whoever is called nobody can be told anything in writing.
_SPEAKS = frozenset({ChannelKind.PHONE})


def refusal(tx: Tx, view: ConversationView, text: str) -> str | None:
    """Why this text may not be sent into this conversation, in a machine's word, or None if it may."""
    if view.channel_kind in _SPEAKS:
        return "channel_cannot"
    if not tx.scalar(select(_ch.enabled).where(_ch.id == view.channel_id)):
        return "channel_off"
    if tx.scalar(select(_cp.opted_out_at).where(_cp.id == view.contact_point_id)) is not None:
        return "opted_out"
    said = select(_e.id).where(
        _e.conversation_id == view.id,
        _e.kind == EntryKind.MESSAGE.value,
        _e.direction == Direction.OUT.value,
        _e.author_kind == conversations.SYSTEM.kind.value,
        _e.text == text,
    )
    if tx.first(said.limit(1)) is not None:
        return "already_said"
    return _mail_refusal(tx, view) if view.channel_kind is ChannelKind.EMAIL else None


def _mail_refusal(tx: Tx, view: ConversationView) -> str | None:
    if view.address == UNKNOWN_SENDER or acknowledgement.is_nobodys(view.address):
        return "nobody_reads"
    newest = select(_m.noise).where(_m.conversation_id == view.id, _m.kind == "in").order_by(_m.entry_id.desc())
    noise = tx.scalar(newest.limit(1))
    if noise is not None and noise != Noise.NONE.value:
        return "nobody_reads"
    return None if acknowledgement.is_due(tx, view) else "too_many"


def send(tx: Tx, view: ConversationView, text: str) -> None:
    """Queues it. The caller holds the conversation's lock and has asked `refusal`."""
    wish = None
    if view.channel_kind is ChannelKind.EMAIL:
        wish = mails.MailWish(MailKind.ACKNOWLEDGEMENT, to=(Mailbox(view.address, view.customer_name),), quote=False)
    outbox.enqueue(tx, view.id, conversations.SYSTEM, text, mail=wish)
