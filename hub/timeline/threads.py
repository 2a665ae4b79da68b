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
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from hub.domain.mail import UNKNOWN_SENDER, IncomingMail
from hub.domain.values import ContactKind
from hub.mail.subjects import base_subject
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, mails

_c, _m, _cp = tables.conversation.c, tables.mail.c, tables.contact_point.c

# Two mails with one subject a week apart are one matter more often than not; "Order" every month is not.
SUBJECT_WINDOW = timedelta(days=7)
# How many of a customer's latest conversations are compared by subject.
_SUBJECT_CANDIDATES = 20
# Some programs give all their mails one Message-ID: what refers to it must not cost the more the more of them there are.
_REFERENCE_CANDIDATES = 20
_MAILS_LOOKED_AT = 200


# Built once: building a statement anew costs as much as running it.
_BY_ID = conversations.CONVERSATIONS.where(_c.id == bindparam("id"))
_BY_THREAD = select(_c.id).where(_c.thread == bindparam("thread"), _c.channel_id == bindparam("channel_id"))
_BY_SUBJECT = (
    select(_c.id, _c.subject)
    .join(tables.contact_point, _cp.id == _c.contact_point_id)
    .where(
        _cp.kind == ContactKind.EMAIL.value,
        _cp.address == bindparam("sender"),
        _cp.removed_at.is_(None),
        _c.channel_id == bindparam("channel_id"),
        _c.last_entry_at > bindparam("since"),
    )
    .order_by(_c.id.desc())
    .limit(_SUBJECT_CANDIDATES)
)
_BY_REFERENCES = (
    select(_m.conversation_id)
    .where(_m.channel_id == bindparam("channel_id"), _m.message_id.in_(bindparam("references", expanding=True)))
    .group_by(_m.conversation_id)
    .order_by(func.max(_m.entry_id).desc())
    .limit(_REFERENCE_CANDIDATES)
)
_THEIRS = (
    select(_c.id)
    .join(tables.contact_point, _cp.customer_id == _c.customer_id)
    .where(
        _c.id.in_(bindparam("candidates", expanding=True)),
        _cp.kind == ContactKind.EMAIL.value,
        _cp.address == bindparam("sender"),
        _cp.removed_at.is_(None),
    )
)


def new_thread() -> str:
    """The word by which a conversation's mails find back. Mail programs change the case of addresses, so it has none."""
    return secrets.token_hex(10)


def find_conversation(tx: Tx, channel_id: str, mail: IncomingMail, sender: str) -> Row[Any] | None:
    """A row of CONVERSATIONS, locked; None if the mail begins a new one."""
    found = find_conversation_id(tx, channel_id, mail, sender)
    if found is None:
        return None
    tx.lock_conversations([found])
    return tx.first(_BY_ID, {"id": found})


def find_conversation_id(tx: Tx, channel_id: str, mail: IncomingMail, sender: str) -> int | None:
    """Its id, with no lock taken."""
    if mail.thread:
        found = tx.scalar(_BY_THREAD, {"thread": mail.thread, "channel_id": channel_id})
        if found is not None:
            return int(found)
    references = mails.references_of(mail)
    if references:
        found = _find_by_references(tx, channel_id, references, sender)
        if found is not None:
            return found
    subject = base_subject(mail.subject)
    # Those whose mails name no sender have nothing in common.
    if not subject or sender == UNKNOWN_SENDER:
        return None
    about = {"sender": sender, "channel_id": channel_id, "since": tx.now - SUBJECT_WINDOW}
    latest = tx.rows(_BY_SUBJECT, about)
    same = (row.id for row in latest if row.subject and base_subject(row.subject) == subject)
    return next(same, None)


def _find_by_references(tx: Tx, channel_id: str, references: Collection[str], sender: str) -> int | None:
    """The newest conversation that one of these messages stands in and the sender takes part in: as its customer, or
    because one of its mails came from that address or went to it."""
    rows = tx.rows(_BY_REFERENCES, {"channel_id": channel_id, "references": list(references)})
    candidates = [int(row.conversation_id) for row in rows]
    if not candidates:
        return None
    theirs = {row.id for row in tx.rows(_THEIRS, {"candidates": candidates, "sender": sender})}
    if not theirs.intersection(candidates):
        people = tx.rows(
            select(_m.conversation_id, _m.senders, _m.recipients, _m.cc, _m.bcc)
            .where(_m.conversation_id.in_(candidates))
            .order_by(_m.entry_id.desc())
            .limit(_MAILS_LOOKED_AT)
        )
        theirs = {row.conversation_id for row in people if _names(row, sender)}
    return next((candidate for candidate in candidates if candidate in theirs), None)


def _names(row: Row[Any], address: str) -> bool:
    return any(known == address for kept in (row.senders, row.recipients, row.cc, row.bcc) for known, _ in kept)
