"""Mails: what an entry has more when it is one, and what an outgoing one is made of.

    in    `incoming_row` beside the entry that inbound writes
    out   `draft` (who gets it, about what, below which mail) → `outgoing_row` beside the entry → `load_outgoing` at each
          attempt, the same every time: what the customer gets was settled when the agent pressed "send"

The texts and the HTML stay in the table; events and timelines carry the narrow `MailView`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from hub.channels.channel import MessageArrival
from hub.domain.mail import (
    IncomingMail,
    Mailbox,
    MailKind,
    Noise,
    OutgoingMail,
    QuotedMail,
    Span,
    SpanKind,
)
from hub.domain.sentences import Sentence
from hub.domain.views import ConversationView, MailView
from hub.errors import InvalidInput, NotFound
from hub.mail.addresses import normal_address
from hub.mail.subjects import forward_subject, reply_subject
from hub.store import tables
from hub.store.database import Tx

_m, _e, _c = tables.mail.c, tables.entry.c, tables.conversation.c

# As much of a thread's ancestry as we keep and send on; more makes headers that some relays refuse.
REFERENCES_LIMIT = 30
# Of a mail that quotes itself again and again, the end is what nobody reads.
_SPANS_LIMIT = 400_000

_VIEW = select(
    _m.entry_id,
    _m.kind,
    _m.subject,
    _m.senders,
    _m.reply_to,
    _m.recipients,
    _m.cc,
    _m.bcc,
    _m.noise,
    _m.fault,
    _m.has_html,
    _m.has_more,
    _m.raw_key,
    _m.is_stranger,
)

# A subject of ours; what comes in may be longer.
SUBJECT_LIMIT = 500
# What no answer is about unless an agent says so.
_NOBODYS_WORDS = tuple(noise.value for noise in (Noise.AUTO_REPLY, Noise.REPORT, Noise.OWN))
# More than an answer to all can have.
PEOPLE_SHOWN = 50

Pairs = list[list[str]]


def pairs(mailboxes: Iterable[Mailbox]) -> Pairs:
    """Mailboxes as the table keeps them."""
    return [[mailbox.address, mailbox.name] for mailbox in mailboxes]


def mailboxes(kept: Iterable[Sequence[str]]) -> tuple[Mailbox, ...]:
    return tuple(Mailbox(address, name) for address, name in kept)


def mail_view(row: Row[Any] | Mapping[str, Any]) -> MailView:
    """The view goes to many screens again and again: of a mail to thousands it names the first."""
    r = row._mapping if isinstance(row, Row) else row
    return MailView(
        kind=r["kind"],
        subject=r["subject"],
        senders=mailboxes(r["senders"][:PEOPLE_SHOWN]),
        reply_to=mailboxes(r["reply_to"][:PEOPLE_SHOWN]),
        to=mailboxes(r["recipients"][:PEOPLE_SHOWN]),
        cc=mailboxes(r["cc"][:PEOPLE_SHOWN]),
        bcc=mailboxes(r["bcc"][:PEOPLE_SHOWN]),
        noise=Noise(r["noise"]),
        fault=r["fault"],
        has_html=r["has_html"],
        has_more=r["has_more"],
        has_raw=r["raw_key"] is not None,
        is_stranger=r["is_stranger"],
    )


def load_mail_views(tx: Tx, entry_ids: Collection[int]) -> dict[int, MailView]:
    if not entry_ids:
        return {}
    return {row.entry_id: mail_view(row) for row in tx.rows(_VIEW.where(_m.entry_id.in_(entry_ids)))}


# --- in -----------------------------------------------------------------------------------------------------------------


def incoming_row(
    arrival: MessageArrival, *, entry_id: int, conversation_id: int, channel_id: str, is_stranger: bool
) -> dict[str, Any]:
    """The row beside the entry of a mail that came in."""
    mail = arrival.mail
    assert mail is not None
    return {
        "entry_id": entry_id,
        "conversation_id": conversation_id,
        "channel_id": channel_id,
        "kind": "in",
        "message_id": mail.message_id,
        "refs": references_of(mail),
        "subject": mail.subject,
        "senders": pairs(mail.senders),
        "reply_to": pairs(mail.reply_to),
        "recipients": pairs(mail.to),
        "cc": pairs(mail.cc),
        "bcc": [],
        "sent_at": mail.sent_at,
        "spans": _kept_spans(mail.spans),
        "html": mail.html,
        "has_html": mail.html is not None,
        "has_more": mail.text.strip() != arrival.text.strip(),
        "noise": mail.noise.value,
        "fault": mail.fault,
        "raw_key": arrival.message_key,
        "size_bytes": mail.size_bytes,
        "quoted_entry_id": None,
        "signature": "",
        "language": None,
        "zone": None,
        "is_stranger": is_stranger,
    }


def references_of(mail: IncomingMail) -> list[str]:
    """The Message-IDs a mail refers to, oldest first, each once; the one it answers is the last."""
    chain = [reference for reference in mail.references if reference not in mail.in_reply_to]
    return list(dict.fromkeys([*chain, *mail.in_reply_to]))[-REFERENCES_LIMIT:]


def _kept_spans(spans: Iterable[Span]) -> list[list[str]]:
    kept: list[list[str]] = []
    room = _SPANS_LIMIT
    for span in spans:
        if room <= 0:
            break
        kept.append([span.kind.value, span.text[:room]])
        room -= len(span.text)
    return kept


# --- out ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MailWish:
    """What an agent asks of a mail; what is left None is filled in by `draft`."""

    kind: MailKind = MailKind.REPLY
    subject: str | None = None
    to: tuple[Mailbox, ...] | None = None
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    about_entry_id: int | None = None
    quote: bool = True
    forwarded_attachment_ids: tuple[int, ...] = ()


def draft(
    tx: Tx,
    view: ConversationView,
    wish: MailWish,
    *,
    author_id: int | None,
    author_name: str,
    own: Collection[str] = (),
) -> tuple[OutgoingMail, int | None]:
    """The mail as it will be sent, and the entry it quotes. InvalidInput names a faulty field as `mail.x`. `own`: the
    channel's own addresses, to which no answer goes."""
    about = _load_about(tx, view.id, wish)
    if wish.to is not None:
        to = _checked(wish.to, "to")
    elif wish.kind is MailKind.FORWARD:
        to = ()
    else:
        to = _answered(about, own) or (Mailbox(view.address, view.customer_name),)
    if not to:
        raise InvalidInput("nobody to send it to", fields={"mail.to": Sentence("name at least one recipient")})
    cc, bcc = _checked(wish.cc, "cc"), _checked(wish.bcc, "bcc")
    subject = wish.subject
    if subject is None:
        base = about.subject if about is not None else view.subject or ""
        subject = {MailKind.REPLY: reply_subject, MailKind.FORWARD: forward_subject}.get(wish.kind, str)(base)
        subject = subject[:SUBJECT_LIMIT]
    references: list[str] = []
    if about is not None and wish.kind is not MailKind.FORWARD:
        references = [*about.refs, *([about.message_id] if about.message_id else [])][-REFERENCES_LIMIT:]
    quoted_entry_id = about.entry_id if about is not None and wish.quote and wish.kind is not MailKind.NEW else None
    frame = _frame(tx, view.customer_id)
    return (
        OutgoingMail(
            kind=wish.kind,
            subject=subject,
            thread=str(tx.scalar(select(_c.thread).where(_c.id == view.id))),
            to=to,
            cc=cc,
            bcc=bcc,
            author=author_name,
            signature=_load_signature(tx, author_id, view.queue_id),
            in_reply_to=references[-1] if references else None,
            references=tuple(references),
            quoted=_load_quoted(tx, quoted_entry_id) if quoted_entry_id is not None else None,
            language=frame.language or "en",
            zone=frame.time_zone or "UTC",
        ),
        quoted_entry_id,
    )


def outgoing_row(view: ConversationView, mail: OutgoingMail, quoted_entry_id: int | None, text: str) -> dict[str, Any]:
    """The row beside the entry of a mail that goes out, but for its `entry_id`."""
    return {
        "conversation_id": view.id,
        "channel_id": view.channel_id,
        "kind": mail.kind.value,
        "message_id": None,
        "refs": list(mail.references),
        "subject": mail.subject,
        "senders": [],
        "reply_to": [],
        "recipients": pairs(mail.to),
        "cc": pairs(mail.cc),
        "bcc": pairs(mail.bcc),
        "sent_at": None,
        "spans": [[SpanKind.WRITTEN.value, text]],
        "html": None,
        "has_html": False,
        "has_more": False,
        "noise": Noise.NONE.value,
        "fault": None,
        "raw_key": None,
        "size_bytes": None,
        "quoted_entry_id": quoted_entry_id,
        "signature": mail.signature,
        "language": mail.language,
        "zone": mail.zone,
        "is_stranger": False,
    }


def load_outgoing(tx: Tx, entry_id: int) -> OutgoingMail | None:
    """What is to be sent with an entry; None if it is no mail."""
    row = tx.first(
        select(tables.mail, _c.thread, _e.author_name)
        .join(tables.entry, _e.id == _m.entry_id)
        # It was written in that one, whose word it carries at every attempt, whatever became of it since.
        .join(tables.conversation, _c.id == func.coalesce(_e.origin_id, _m.conversation_id))
        .where(_m.entry_id == entry_id)
    )
    if row is None:
        return None
    return OutgoingMail(
        kind=MailKind(row.kind),
        subject=row.subject,
        thread=row.thread,
        to=mailboxes(row.recipients),
        cc=mailboxes(row.cc),
        bcc=mailboxes(row.bcc),
        author=row.author_name,
        signature=row.signature,
        in_reply_to=row.refs[-1] if row.refs else None,
        references=tuple(row.refs),
        quoted=_load_quoted(tx, row.quoted_entry_id) if row.quoted_entry_id is not None else None,
        language=row.language,
        zone=row.zone,
    )


def load_recipients(tx: Tx, entry_id: int) -> frozenset[str]:
    """Everybody to whom a mail of ours went."""
    row = tx.first(select(_m.recipients, _m.cc, _m.bcc).where(_m.entry_id == entry_id))
    if row is None:
        return frozenset()
    return frozenset(address for field in (row.recipients, row.cc, row.bcc) for address, _ in field)


def _checked(wanted: Iterable[Mailbox], field: str) -> tuple[Mailbox, ...]:
    """Each address in its normal form and once; InvalidInput naming the field and the address."""
    found: dict[str, Mailbox] = {}
    for mailbox in wanted:
        address = normal_address(mailbox.address)
        if address is None:
            raise InvalidInput(
                "not an e-mail address",
                fields={f"mail.{field}": Sentence("{address} is not an e-mail address", address=mailbox.address[:100])},
            )
        found.setdefault(address, Mailbox(address, mailbox.name))
    return tuple(found.values())


def _load_about(tx: Tx, conversation_id: int, wish: MailWish) -> Row[Any] | None:
    """The mail that is answered or forwarded: the one that was named, else the newest that came in."""
    if wish.kind is MailKind.NEW and wish.about_entry_id is None:
        return None
    query = select(
        _m.entry_id, _m.kind, _m.message_id, _m.refs, _m.subject, _m.senders, _m.reply_to, _m.recipients
    ).where(_m.conversation_id == conversation_id)
    if wish.about_entry_id is not None:
        row = tx.first(query.where(_m.entry_id == wish.about_entry_id))
        if row is None:
            raise InvalidInput(
                "no such mail", fields={"mail.about_entry_id": Sentence("is not a mail of this conversation")}
            )
        return row
    # A plain answer is the customer's own words', even when somebody else or a machine of theirs has written last.
    theirs = (_m.kind == "in") & ~_m.is_stranger & _m.noise.not_in(_NOBODYS_WORDS)
    incoming = tx.first(query.where(theirs).order_by(_m.entry_id.desc()).limit(1))
    return incoming or tx.first(query.order_by(_m.entry_id.desc()).limit(1))


def _answered(about: Row[Any] | None, own: Collection[str]) -> tuple[Mailbox, ...]:
    """To whom an answer goes: where the mail asks for it, else its senders; to the same people if it was ours."""
    if about is None:
        return ()
    asked = about.recipients if about.kind != "in" else about.reply_to or about.senders
    return tuple(mailbox for mailbox in mailboxes(asked) if not _is_own(mailbox.address, own))


def _is_own(address: str, own: Collection[str]) -> bool:
    """With or without the tag that our answers carry (`name+tag@`)."""
    local, _, host = address.rpartition("@")
    return address in own or f"{local.partition('+')[0]}@{host}" in own


def _load_quoted(tx: Tx, entry_id: int) -> QuotedMail | None:
    row = tx.first(
        select(tables.mail, _e.at, _e.author_name)
        .join(tables.entry, _e.id == _m.entry_id)
        .where(_m.entry_id == entry_id)
    )
    if row is None:
        return None
    senders = mailboxes(row.senders)
    return QuotedMail(
        sender=senders[0] if senders else Mailbox("", row.author_name),
        text="".join(text for _, text in row.spans),
        sent_at=row.sent_at or row.at,
        to=mailboxes(row.recipients),
        subject=row.subject,
        html=row.html,
    )


def _load_signature(tx: Tx, author_id: int | None, queue_id: int) -> str:
    """The agent's own lines, then the queue's."""
    own = None
    if author_id is not None:
        own = tx.scalar(select(tables.user_account.c.signature).where(tables.user_account.c.id == author_id))
    shared = tx.scalar(select(tables.queue.c.signature).where(tables.queue.c.id == queue_id))
    return "\n\n".join(part for part in (own, shared) if part)


@dataclass(frozen=True, slots=True)
class _Frame:
    language: str | None
    time_zone: str | None


def _frame(tx: Tx, customer_id: int) -> _Frame:
    """In whose language and time the line above a quoted mail is written."""
    return _Frame(
        tx.scalar(select(tables.customer.c.language).where(tables.customer.c.id == customer_id)),
        tx.scalar(select(tables.organisation.c.time_zone)),
    )


# --- looking closely ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WholeMail:
    """All of a mail's row. `inline`: content id → attachment id, of the files the HTML may show. `to` and `cc` hold
    everybody, the view the first of them."""

    view: MailView
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    message_id: str | None
    sent_at: datetime | None
    spans: tuple[Span, ...]
    html: str | None
    raw_key: str | None
    size_bytes: int | None
    inline: Mapping[str, int]


def load_whole(tx: Tx, entry_id: int) -> WholeMail:
    """NotFound if the entry is no mail. Who may see it is the caller's question."""
    row = tx.first(select(tables.mail).where(_m.entry_id == entry_id))
    if row is None:
        raise NotFound("this entry is not a mail")
    a = tables.attachment.c
    files = tx.rows(
        select(a.id, a.content_id).where(a.entry_id == entry_id, a.content_id.is_not(None), a.state == "stored")
    )
    return WholeMail(
        view=mail_view(row),
        to=mailboxes(row.recipients),
        cc=mailboxes(row.cc),
        message_id=row.message_id,
        sent_at=row.sent_at,
        spans=tuple(Span(SpanKind(kind), text) for kind, text in row.spans),
        html=row.html,
        raw_key=row.raw_key,
        size_bytes=row.size_bytes,
        inline={file.content_id: file.id for file in files},
    )
