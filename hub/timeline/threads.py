"""Which conversation a mail belongs to.

    1. our signed token, in the address it was sent to or in a Message-ID it refers to: whoever holds it got a mail of that
       conversation, or was shown one (the adapter has checked the signature: `IncomingMail.thread`)
    2. a Message-ID it refers to that stands in one of our conversations, if the sender takes part in that conversation:
       Message-IDs are no secrets, so naming one opens nothing
    3. the same subject from the same customer within SUBJECT_WINDOW: some programs send no references
    4. else it begins a new conversation

What was merged into another leads on to that one; a mail that was taken out of a conversation leads to where it is now.

A number in the subject or the text is never looked at: it could be guessed.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, exists, func, or_, select

from hub.domain.mail import UNKNOWN_SENDER, IncomingMail
from hub.domain.values import ContactKind
from hub.mail.subjects import base_subject
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, mails

_c, _m, _e, _cp = tables.conversation.c, tables.mail.c, tables.entry.c, tables.contact_point.c

# Two mails with one subject a week apart are one matter more often than not; "Order" every month is not.
SUBJECT_WINDOW = timedelta(days=7)
# How many of a customer's latest conversations are compared by subject.
_SUBJECT_CANDIDATES = 20
# Some programs give all their mails one Message-ID: what refers to it must not cost the more the more of them there are.
_REFERENCE_CANDIDATES = 20
_MAILS_LOOKED_AT = 200


# Built once: building a statement anew costs as much as running it.
_BY_ID = conversations.CONVERSATIONS.where(_c.id == bindparam("id"))
_other = tables.conversation.alias("other")
# Whether mails were taken out of it, or of what it was merged into.
_is_split = exists().where(or_(_other.c.split_from == _c.id, _other.c.split_from == _c.merged_into)).label("is_split")
_BY_THREAD = select(_c.id, _c.merged_into, _is_split).where(
    _c.thread == bindparam("thread"), _c.channel_id == bindparam("channel_id")
)
_BY_SUBJECT = (
    select(_c.id, _c.merged_into, _c.subject)
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


@dataclass(frozen=True, slots=True)
class Found:
    """`conversation_id`: where the mail goes; `origin_id`: the one it answers, where that was merged into the other."""

    conversation_id: int
    origin_id: int | None = None


def _living(conversation_id: int, merged_into: int | None) -> Found:
    return Found(conversation_id) if merged_into is None else Found(merged_into, conversation_id)


def load_found(tx: Tx, found: Found) -> Row[Any] | None:
    """Its row of CONVERSATIONS, locked."""
    tx.lock_conversations([found.conversation_id])
    return tx.first(_BY_ID, {"id": found.conversation_id})


def find_conversation(tx: Tx, channel_id: str, mail: IncomingMail, sender: str) -> Found | None:
    """Where it goes, with no lock taken; None if the mail begins a new one. Whoever holds MAIL finds the same again: merges
    take it."""
    references = mails.references_of(mail)
    if mail.thread:
        row = tx.first(_BY_THREAD, {"thread": mail.thread, "channel_id": channel_id})
        if row is not None:
            apart = _find_split_off(tx, channel_id, references, {row.id, row.merged_into}) if row.is_split else None
            return apart or _living(row.id, row.merged_into)
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
    same = (_living(row.id, row.merged_into) for row in latest if row.subject and base_subject(row.subject) == subject)
    return next(same, None)


def _find_split_off(tx: Tx, channel_id: str, references: Sequence[str], of: Collection[int | None]) -> Found | None:
    """The conversation that has by now the very mail that is answered, if it was taken out of one of these: the word in
    that mail is still theirs. Whoever has their word may follow its mails."""
    if not references:
        return None
    answered = (_m.channel_id == channel_id, _m.message_id == references[-1])
    home = select(_m.conversation_id, _e.origin_id).join(tables.entry, _e.id == _m.entry_id)
    row = tx.first(home.where(*answered).order_by(_m.entry_id.desc()).limit(1))
    conversation_id = row.conversation_id if row is not None else None
    if row is None or conversation_id in of:
        return None
    # Taken out of what was taken out of it, maybe; and merged on since.
    looked_at: set[int] = set()
    asked: int | None = row.origin_id or conversation_id
    while asked is not None and asked not in looked_at:
        if asked in of:
            return Found(row.conversation_id, row.origin_id)
        looked_at.add(asked)
        asked = tx.scalar(select(_c.split_from).where(_c.id == asked))
    return None


def _find_by_references(tx: Tx, channel_id: str, references: Collection[str], sender: str) -> Found | None:
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
    found = next((candidate for candidate in candidates if candidate in theirs), None)
    if found is None:
        return None
    named = (_m.conversation_id == found, _m.channel_id == channel_id, _m.message_id.in_(references))
    origin = select(_e.origin_id).join(tables.mail, _m.entry_id == _e.id).where(*named)
    return Found(found, tx.scalar(origin.order_by(_m.entry_id.desc()).limit(1)))


def _names(row: Row[Any], address: str) -> bool:
    return any(known == address for kept in (row.senders, row.recipients, row.cc, row.bcc) for known, _ in kept)
