"""Which conversation a mail belongs to.

    1. our signed token, in the address it was sent to or in a Message-ID it refers to: whoever holds it got a mail of that
       conversation, or was shown one (the adapter has checked the signature: `IncomingMail.thread`)
    2. a Message-ID it refers to that stands in one of our conversations, if the sender takes part in that conversation:
       Message-IDs are no secrets, so naming one opens nothing
    3. the same subject from the same customer within SUBJECT_WINDOW: some programs send no references
    4. else it begins a new conversation

A number in the subject or the text is never looked at: it could be guessed.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select

from hub.domain.mail import IncomingMail
from hub.mail.subjects import base_subject
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, mails

_c, _m, _cp = tables.conversation.c, tables.mail.c, tables.contact_point.c

# Two mails with one subject a week apart are one matter more often than not; "Order" every month is not.
SUBJECT_WINDOW = timedelta(days=7)
# How many of a customer's latest conversations are compared by subject.
_SUBJECT_CANDIDATES = 20


def new_thread() -> str:
    """The word by which a conversation's mails find back. Mail programs change the case of addresses, so it has none."""
    return secrets.token_hex(10)


def find_conversation(
    tx: Tx, channel_id: str, mail: IncomingMail, sender: str, contact_point_id: int | None
) -> Row[Any] | None:
    """A row of CONVERSATIONS, locked; None if the mail begins a new one. `contact_point_id` is the sender's, if known."""
    found = _find_id(tx, channel_id, mail, sender, contact_point_id)
    if found is None:
        return None
    tx.lock_conversations([found])
    return tx.first(conversations.CONVERSATIONS.where(_c.id == found))


def _find_id(tx: Tx, channel_id: str, mail: IncomingMail, sender: str, contact_point_id: int | None) -> int | None:
    if mail.thread:
        found = tx.scalar(select(_c.id).where(_c.thread == mail.thread, _c.channel_id == channel_id))
        if found is not None:
            return int(found)
    references = mails.references_of(mail)
    if references:
        candidates = tx.rows(
            select(_m.conversation_id)
            .where(_m.channel_id == channel_id, _m.message_id.in_(references))
            .order_by(_m.entry_id.desc())
        )
        for conversation_id in dict.fromkeys(row.conversation_id for row in candidates):
            if _takes_part(tx, conversation_id, sender):
                return int(conversation_id)
    subject = base_subject(mail.subject)
    if not subject or contact_point_id is None:
        return None
    latest = tx.rows(
        select(_c.id, _c.subject)
        .where(
            _c.contact_point_id == contact_point_id,
            _c.channel_id == channel_id,
            _c.last_entry_at > tx.now - SUBJECT_WINDOW,
        )
        .order_by(_c.id.desc())
        .limit(_SUBJECT_CANDIDATES)
    )
    same = (row.id for row in latest if row.subject and base_subject(row.subject) == subject)
    return next(same, None)


def _takes_part(tx: Tx, conversation_id: int, address: str) -> bool:
    """Whether the address is the customer's in that conversation, or one of its mails came from it or went to it."""
    own = tx.scalar(
        select(_cp.id)
        .join(tables.conversation, _c.customer_id == _cp.customer_id)
        .where(_c.id == conversation_id, _cp.kind == "email", _cp.address == address)
    )
    if own is not None:
        return True
    rows = tx.rows(
        select(_m.senders, _m.recipients, _m.cc, _m.bcc)
        .where(_m.conversation_id == conversation_id)
        .order_by(_m.entry_id.desc())
        .limit(100)
    )
    return any(address == known for row in rows for field in row for known, _ in field)
