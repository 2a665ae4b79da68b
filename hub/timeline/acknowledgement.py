"""The short automatic answer to a customer's first mail: "we have it, you will hear from us".

Sent when the channel account has a text for it, in the transaction that stores the mail, so it is sent once or not at all.
Machines never get one (RFC 3834 section 2), nor does an address that wrote so often that it must be one: two programs that
answer each other would fill the world with mail.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from hub.channels.channel import MessageArrival
from hub.domain.mail import PARTLY_READ, UNKNOWN_SENDER, Mailbox, MailKind, Noise
from hub.domain.values import AuthorKind
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
    if not text or not _is_wanted(arrival) or not is_due(tx, view):
        return
    text = text.replace("{number}", str(view.id)).replace("{subject}", view.subject or "")
    wish = mails.MailWish(MailKind.ACKNOWLEDGEMENT, to=(Mailbox(view.address, view.customer_name),), quote=False)
    author = Author(AuthorKind.SYSTEM, "")
    outbox.enqueue(tx, view.id, author, text, mail=wish)


def is_nobodys(address: str) -> bool:
    """Whether nobody reads what comes there."""
    return address.rpartition("@")[0] in _NOBODY


def _is_wanted(arrival: MessageArrival) -> bool:
    assert arrival.mail is not None
    if arrival.sender == UNKNOWN_SENDER or is_nobodys(arrival.sender):
        return False
    mail = arrival.mail
    if mail.noise is not Noise.NONE or mail.refuses_automatic_answers:
        return False
    # One of which a part could not be read is a person's all the same.
    return mail.fault is None or mail.fault in PARTLY_READ


def is_due(tx: Tx, view: ConversationView) -> bool:
    """Whether this address may have one more automatic mail now."""
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
    assert sent is not None
    return sent.sent_count < DAILY_LIMIT and (sent.last is None or sent.last <= tx.now - PAUSE)
