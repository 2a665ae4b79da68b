"""What goes out: one outbox row per outgoing message, written with the message itself, sent after the commit.

    enqueue   message and outbox row in one transaction                                    state queued
    claim     the oldest unfinished row of each conversation; attempt and lease committed  state leased
    send      the adapter talks to the provider, outside any transaction
    record    Accepted → done; Unavailable → queued again, later; Refused → done, failed; Uncertain → reconciled with the
              provider where it can be asked, else parked: an agent decides
    receipt   later, by the inbound path: matched by our own delivery id, kept even when ignored, rank may only rise

A message that may have left is never sent again by itself: a lease that ran out (the process died in mid-send) counts as
Uncertain, unless the channel says that repeating is harmless (`Capabilities.repeatable`). Within a conversation messages
leave in order: a row that waits for its next attempt holds back those behind it, so the customer never reads an answer
before the one it follows. A parked row holds back nobody: most likely it did leave, and only an agent can tell. A
breaker per channel account stops knocking at a provider that is down; its state is the
account's health, shown to everybody.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, exists, func, insert, or_, select, update

from hub.channels.channel import Accepted, OutgoingFile, OutgoingMessage, ReceiptArrival
from hub.domain.events import STAFF, ChannelChanged
from hub.domain.mail import MailKind, ReportAction
from hub.domain.states import DELIVERY, ChannelHealth, Delivery, can_move
from hub.domain.values import ChannelKind, ContactKind, Direction, EntryKind, Happening
from hub.domain.views import Author, EntryView
from hub.errors import Conflict, NotFound, ProviderError, Refused, Unavailable, Uncertain
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import channels, consents, conversations, customers, mails
from hub.timeline.mails import MailWish

_o, _e, _ch = tables.outbox.c, tables.entry.c, tables.channel.c

# A send may take this long (the adapters' own time limits are shorter); then its lease is void and its fate unknown.
LEASE = timedelta(seconds=90)
# How many messages one claim takes.
CLAIM_LIMIT = 50
# Back-off of a message that surely was not sent: 2 s, 4 s … at most 5 min, each ± 20 % so that many do not return at once.
_BACKOFF_BASE_S = 2.0
_BACKOFF_MAX_S = 300.0
_JITTER = 0.2
# After so long without success a message is given up as failed and shown as such: nobody wants yesterday's answer today.
GIVE_UP_AFTER = timedelta(hours=24)
# Failures in a row that open an account's breaker, and how long it stays open at first and at most.
_BREAKER_LIMIT = 5
_BREAKER_BASE_S = 5.0
_BREAKER_MAX_S = 120.0
# We hold a message back ourselves, to spare the far side: no fault of the channel's.
PACED = "paced"
# Refusals that lie in the address: it is marked, so that nobody writes to it in vain.
_ADDRESS_FAULTS = frozenset({"no_such_mailbox", "mailbox_full", "invalid_address", "bounced"})


@dataclass(frozen=True, slots=True)
class Claimed:
    """One message to send now. `is_reconciliation`: an earlier attempt may have left; ask the provider, do not send."""

    outbox_id: int
    entry_id: int
    channel_id: str
    message: OutgoingMessage
    attempts: int
    created_at: datetime
    # Whose turn it is: a result counts only while this very lease stands.
    lease_until: datetime
    is_reconciliation: bool = False
    # A survey's own words about itself (surveys.asking): by mail its links are added as it leaves, signed, so that they stand
    # on no agent's screen.
    survey: Mapping[str, str | int | None] | None = None


def enqueue(
    tx: Tx,
    conversation_id: int,
    author: Author,
    text: str,
    *,
    attachment_ids: Sequence[int] = (),
    segments: int | None = None,
    client_key: str | None = None,
    mail: MailWish | None = None,
    own_addresses: Collection[str] = (),
    happening: Happening | None = None,
    data: Mapping[str, str | int | None] | None = None,
) -> EntryView:
    """Writes the message into the timeline and its outbox row. The caller has asked the channel what it can carry and
    holds the conversation's lock. On a mail channel `mail` says what is asked of the mail (by default a plain answer) and
    `own_addresses` are the channel's. `happening` and `data`: what the message is beside its words (a survey)."""
    before = conversations.load_conversation(tx, conversation_id)
    consents.check_may_write(tx, before.contact_point_id)
    recipient, mail_row = before.address, None
    if before.channel_kind is ChannelKind.EMAIL:
        outgoing, quoted_entry_id = mails.draft(
            tx, before, mail or MailWish(), author_id=author.user_id, author_name=author.name, own=own_addresses
        )
        recipient, mail_row = outgoing.to[0].address, mails.outgoing_row(before, outgoing, quoted_entry_id, text)
        if before.subject is None and outgoing.subject:
            # A conversation that the hub began without naming it.
            tx.execute(
                update(tables.conversation)
                .where(tables.conversation.c.id == before.id)
                .values(subject=outgoing.subject)
            )
    entry, view = conversations.add_entry(
        tx,
        before,
        kind=EntryKind.MESSAGE,
        direction=Direction.OUT,
        author=author,
        text=text,
        happening=happening,
        data=data,
        delivery=Delivery.QUEUED,
        segments=segments,
        client_key=client_key,
        attachment_ids=attachment_ids,
        mail_row=mail_row,
        answers=mail is None or mail.kind is not MailKind.FORWARD,
    )
    tx.execute(
        insert(tables.outbox).values(
            delivery_id=secrets.token_urlsafe(18),
            entry_id=entry.id,
            conversation_id=conversation_id,
            channel_id=view.channel_id,
            recipient=recipient,
            state="queued",
            next_attempt_at=tx.now,
            created_at=tx.now,
        )
    )
    tx.wake("outbox")
    return entry


def claim(tx: Tx, process: str, limit: int = CLAIM_LIMIT, in_flight: Collection[int] = ()) -> list[Claimed]:
    """Takes what is due: of each conversation only its oldest unfinished row. The attempt and the lease are in the
    database before anything is sent. `in_flight`: rows this process is sending still, whatever the clock says."""
    older = tables.outbox.alias("older")
    due = (
        select(_o.id)
        .join(tables.channel, _ch.id == _o.channel_id)
        .where(
            _ch.enabled,
            _o.id.not_in(in_flight),
            (_ch.paused_until.is_(None)) | (_ch.paused_until <= tx.now),
            ((_o.state == "queued") & (_o.next_attempt_at <= tx.now))
            | ((_o.state == "leased") & (_o.lease_until <= tx.now)),
            ~exists().where(
                older.c.conversation_id == _o.conversation_id,
                older.c.id < _o.id,
                older.c.state.in_(("queued", "leased")),
            ),
        )
        .order_by(_o.id)
        .limit(limit)
    )
    if tx.is_postgresql:
        due = due.with_for_update(of=tables.outbox, skip_locked=True)
    ids = [row.id for row in tx.rows(due)]
    if not ids:
        return []
    rows = tx.rows(
        select(
            tables.outbox,
            _e.text,
            _e.has_attachments,
            _e.delivery,
            _e.happening,
            _e.data,
            tables.contact_point.c.opted_out_at,
            tables.conversation.c.thread,
        )
        .join(tables.entry, _e.id == _o.entry_id)
        .join(tables.conversation, tables.conversation.c.id == conversations.HOME)
        .join(tables.contact_point, tables.contact_point.c.id == tables.conversation.c.contact_point_id)
        .where(_o.id.in_(ids))
        .order_by(_o.id)
    )
    claimed = []
    for row in rows:
        was_leased = row.state == "leased"
        if row.opted_out_at is not None and not was_leased:
            # The customer asked for silence while it waited.
            _finish(tx, row.id)
            _raise_delivery(tx, row.entry_id, Delivery.FAILED, tx.now, reason="opted_out")
            tx.wake("outbox")
            continue
        tx.execute(
            update(tables.outbox)
            .where(_o.id == row.id)
            .values(
                state="leased",
                lease_until=tx.now + LEASE,
                leased_by=process,
                attempts=_o.attempts + (0 if was_leased else 1),
                attempted_at=row.attempted_at if was_leased else tx.now,
            )
        )
        if row.delivery == Delivery.QUEUED:
            conversations.change_entry(
                tx, row.entry_id, delivery=Delivery.SENDING.value, delivery_at=tx.now, attempts=row.attempts + 1
            )
        claimed.append(_claimed(tx, row, is_reconciliation=was_leased))
    return claimed


def _claimed(tx: Tx, row: Row[Any], *, is_reconciliation: bool) -> Claimed:
    files: list[OutgoingFile] = []
    if row.has_attachments:
        a = tables.attachment.c
        files = [
            # The sender (timeline.sending) signs the address and makes it absolute, and makes the key a path.
            OutgoingFile(part.name, part.media_type, part.size_bytes or 0, str(part.id), part.id, part.file_key or "")
            for part in tx.rows(select(tables.attachment).where(a.entry_id == row.entry_id).order_by(a.id))
        ]
    return Claimed(
        outbox_id=row.id,
        entry_id=row.entry_id,
        channel_id=row.channel_id,
        message=OutgoingMessage(
            delivery_id=row.delivery_id,
            recipient=row.recipient,
            text=row.text,
            files=tuple(files),
            attempted_at=row.attempted_at if is_reconciliation else tx.now,
            created_at=row.created_at,
            mail=mails.load_outgoing(tx, row.entry_id) if row.thread else None,
        ),
        attempts=row.attempts + (0 if is_reconciliation else 1),
        created_at=row.created_at,
        lease_until=tx.now + LEASE,
        is_reconciliation=is_reconciliation,
        survey=row.data if row.happening == Happening.SURVEY else None,
    )


def record(tx: Tx, claimed: Claimed, result: Accepted | ProviderError) -> None:
    """Writes what became of an attempt. A receipt may have come first: rank never falls."""
    if isinstance(result, Accepted) and result.refused:
        # Their lines change the conversation, whose lock comes before the outbox row's.
        tx.lock_conversations([tx.scalar(select(_o.conversation_id).where(_o.id == claimed.outbox_id))])
    row = _lock_outbox(tx, claimed.outbox_id)
    if row is None or row.state != "leased" or row.lease_until != claimed.lease_until:
        return  # a receipt settled it, or somebody else has it in hand by now
    if isinstance(result, Accepted) and _is_anothers(tx, row, result.provider_id):
        # The same words to the same customer twice: what the provider has is the other one.
        result = Uncertain("the provider has another message with this text", code="cannot_tell")
    if isinstance(result, Accepted):
        _finish(tx, row.id, provider_id=result.provider_id)
        _raise_delivery(tx, claimed.entry_id, result.state, tx.now, segments=result.segments)
        if claimed.message.mail is not None:
            tx.execute(
                update(tables.mail)
                .where(tables.mail.c.entry_id == claimed.entry_id)
                .values(message_id=result.provider_id)
            )
        for refused in result.refused:
            told = {"code": refused.code, "detail": refused.detail[:500]}
            if _tell_once(tx, row, Happening.BOUNCED, refused.address, told):
                _note_bounce(tx, refused.address, refused.code)
        note_success(tx, claimed.channel_id)
    elif isinstance(result, Refused):
        _finish(tx, row.id)
        _raise_delivery(tx, claimed.entry_id, Delivery.FAILED, tx.now, reason=result.code, detail=_words(result))
        _note_bounce(tx, row.recipient, result.code)
        if result.code == "account_refused":
            note_failure(tx, claimed.channel_id, result)
        else:
            note_success(tx, claimed.channel_id)
    elif isinstance(result, Unavailable):
        if tx.now - claimed.created_at >= GIVE_UP_AFTER:
            _finish(tx, row.id)
            _raise_delivery(tx, claimed.entry_id, Delivery.FAILED, tx.now, reason="gave_up", detail=_words(result))
        else:
            wait_s = result.retry_after_s or 0.0
            is_paced = result.code == PACED
            if not is_paced:
                wait_s = max(wait_s, backoff_s(claimed.attempts, random.random()))
            tx.execute(
                update(tables.outbox)
                .where(_o.id == row.id)
                .values(
                    state="queued",
                    lease_until=None,
                    leased_by=None,
                    # Nobody was asked: no attempt was made.
                    attempts=_o.attempts - (1 if is_paced else 0),
                    next_attempt_at=tx.now + timedelta(seconds=wait_s),
                )
            )
            conversations.change_entry(
                tx,
                claimed.entry_id,
                delivery=Delivery.QUEUED.value,
                delivery_at=tx.now,
                delivery_reason=None if is_paced else result.code,
                delivery_detail=None if is_paced else _words(result),
            )
        if not result.channel_works:
            note_failure(tx, claimed.channel_id, result)
    else:
        tx.execute(
            update(tables.outbox).where(_o.id == row.id).values(state="parked", lease_until=None, leased_by=None)
        )
        _raise_delivery(tx, claimed.entry_id, Delivery.UNCERTAIN, tx.now, reason=result.code, detail=_words(result))
        note_failure(tx, claimed.channel_id, result)
    tx.wake("outbox")


def _is_anothers(tx: Tx, row: Row[Any], provider_id: str | None) -> bool:
    """Whether the provider's message is known as that of another outbox row already."""
    if provider_id is None:
        return False
    same = (_o.channel_id == row.channel_id) & (_o.provider_id == provider_id)
    return tx.first(select(_o.id).where(same, _o.id != row.id).limit(1)) is not None


def backoff_s(attempts: int, chance: float) -> float:
    """Seconds until the next attempt after `attempts` of them; `chance` in 0..1 spreads the returns. Pure."""
    base = min(_BACKOFF_BASE_S * 2.0 ** min(max(attempts - 1, 0), 16), _BACKOFF_MAX_S)
    return base * (1 + _JITTER * (2 * chance - 1))


def end_leases(tx: Tx) -> None:
    """For the only process there is, when it starts: nobody is sending now, so whatever was under way can be asked about at
    once instead of when its lease runs out."""
    tx.execute(update(tables.outbox).where(_o.state == "leased").values(lease_until=tx.now))


def next_due(tx: Tx, looked_at: datetime) -> datetime | None:
    """The next instant at which something may become claimable by itself, after `looked_at`, when the last claim began: what
    became so while that claim ran is told too, and was not claimed."""
    moments = (
        select(func.min(_o.next_attempt_at)).where(_o.state == "queued", _o.next_attempt_at > looked_at),
        select(func.min(_o.lease_until)).where(_o.state == "leased", _o.lease_until > looked_at),
        select(func.min(_ch.paused_until)).where(_ch.paused_until > looked_at),
    )
    return min((at for at in map(tx.scalar, moments) if at is not None), default=None)


def settle(tx: Tx, entry_id: int, *, retry: bool) -> EntryView:
    """What an agent decided about a message that failed or whose fate is unknown: send again, or leave it be."""
    row = tx.first(select(tables.outbox, _e.delivery).join(tables.entry, _e.id == _o.entry_id).where(_e.id == entry_id))
    if row is None:
        raise NotFound("there is no such message")
    tx.lock_conversations([row.conversation_id])
    row = _lock_outbox(tx, row.id) or row
    state = Delivery(tx.scalar(select(_e.delivery).where(_e.id == entry_id)))
    if state not in (Delivery.FAILED, Delivery.UNCERTAIN):
        raise Conflict(f"this message is {state.value}", code="delivery_settled")
    if retry:
        consents.check_may_write(tx, conversations.load_conversation(tx, row.conversation_id).contact_point_id)
        # A new delivery id: receipts of the earlier attempt must not settle this one.
        tx.execute(
            update(tables.outbox)
            .where(_o.id == row.id)
            .values(
                state="queued",
                delivery_id=secrets.token_urlsafe(18),
                attempts=0,
                next_attempt_at=tx.now,
                created_at=tx.now,
                lease_until=None,
                provider_id=None,
            )
        )
        tx.wake("outbox")
        return conversations.change_entry(
            tx, entry_id, delivery=Delivery.QUEUED.value, delivery_at=tx.now, delivery_reason=None, delivery_detail=None
        )
    _finish(tx, row.id)
    tx.wake("outbox")
    return conversations.change_entry(
        tx, entry_id, delivery=Delivery.FAILED.value, delivery_at=tx.now, delivery_reason="discarded"
    )


# --- receipts -----------------------------------------------------------------------------------------------------------


def apply_receipts(tx: Tx, receipts: Sequence[tuple[str, ReceiptArrival]]) -> None:
    """Applies a group, having locked all its conversations at once in their one order."""
    delivery_ids = [receipt.delivery_id for _, receipt in receipts if receipt.delivery_id is not None]
    if delivery_ids:
        known = tx.rows(select(_o.conversation_id).where(_o.delivery_id.in_(delivery_ids)))
        tx.lock_conversations({row.conversation_id for row in known})
    for channel_id, receipt in receipts:
        apply_receipt(tx, channel_id, receipt)


def apply_receipt(tx: Tx, channel_id: str, receipt: ReceiptArrival) -> bool:
    """Keeps the receipt, and moves the message on if it says something new. True if it did."""
    row = None
    if receipt.delivery_id is not None:
        row = tx.first(select(tables.outbox).where(_o.delivery_id == receipt.delivery_id, _o.channel_id == channel_id))
    elif receipt.message_provider_id is not None:
        row = tx.first(
            select(tables.outbox).where(_o.channel_id == channel_id, _o.provider_id == receipt.message_provider_id)
        )
    applied = False
    if row is not None and (receipt.is_complaint or _is_about_another(tx, row, receipt)):
        tx.lock_conversations([row.conversation_id])
        applied = _apply_further_receipt(tx, row, receipt)
    elif row is not None and receipt.state is None and receipt.word == ReportAction.DELAYED.value:
        applied = _note_delay(tx, row.entry_id, receipt)
    elif row is not None and receipt.state is not None:
        tx.lock_conversations([row.conversation_id])
        row = _lock_outbox(tx, row.id) or row
        if receipt.state is Delivery.FAILED:
            _note_bounce(tx, row.recipient, receipt.reason)
        applied = _raise_delivery(
            tx, row.entry_id, receipt.state, receipt.received_at, reason=receipt.reason, detail=receipt.detail
        )
        if row.state != "done" and receipt.state is not Delivery.QUEUED:
            _finish(tx, row.id, provider_id=receipt.message_provider_id)
            tx.wake("outbox")
    tx.execute(
        insert(tables.receipt).values(
            channel_id=channel_id,
            delivery_id=receipt.delivery_id,
            message_provider_id=receipt.message_provider_id,
            word=receipt.word,
            state=receipt.state.value if receipt.state else None,
            reason=receipt.reason,
            detail=receipt.detail,
            at=receipt.received_at,
            applied=applied,
        )
    )
    return applied


def _is_about_another(tx: Tx, row: Row[Any], receipt: ReceiptArrival) -> bool:
    """Whether it tells of one of the mail's further recipients. An address that we did not write to is where the first
    one's mail was passed on to: then the message itself is meant."""
    if receipt.recipient is None or receipt.recipient == row.recipient:
        return False
    return receipt.recipient in mails.load_recipients(tx, row.entry_id)


def _apply_further_receipt(tx: Tx, row: Row[Any], receipt: ReceiptArrival) -> bool:
    """A mail's copy that did not reach somebody beside the first recipient, or somebody who calls it spam: a line in the
    timeline, for the message itself has its own fate. What arrived needs no line."""
    if receipt.is_complaint:
        # Who says so may be anybody who was shown the mail; the line names whom we wrote to.
        return _tell_once(tx, row, Happening.COMPLAINED, row.recipient, {})
    if receipt.state is Delivery.FAILED and receipt.recipient is not None:
        code = receipt.reason or "bounced"
        told = {"code": code, "detail": (receipt.detail or "")[:500]}
        if _tell_once(tx, row, Happening.BOUNCED, receipt.recipient, told):
            _note_bounce(tx, receipt.recipient, code)
            return True
    return False


def _tell_once(tx: Tx, row: Row[Any], happening: Happening, address: str, told: Mapping[str, str]) -> bool:
    """Once for each message, address and happening, however many reports there are: anybody who got a mail of ours could
    write them."""
    earlier = tx.rows(
        select(_e.data).where(
            _e.conversation_id == row.conversation_id, _e.happening == happening.value, _e.id > row.entry_id
        )
    )
    if any(each.data.get("entry_id") == row.entry_id and each.data.get("address") == address for each in earlier):
        return False
    view = conversations.load_conversation(tx, row.conversation_id)
    data: dict[str, str | int | None] = {"address": address, "entry_id": int(row.entry_id), **told}
    conversations.add_happening(tx, view, happening, conversations.SYSTEM, data)
    return True


def _note_bounce(tx: Tx, address: str, code: str | None) -> None:
    """Marks the address if the fault lies in it, and if it is a mailbox somebody has here."""
    if code not in _ADDRESS_FAULTS:
        return
    p = tables.contact_point.c
    point = tx.scalar(
        select(p.id).where(p.kind == ContactKind.EMAIL.value, p.address == address, p.removed_at.is_(None))
    )
    if point is not None:
        customers.note_bounce(tx, int(point), code)


def _note_delay(tx: Tx, entry_id: int, receipt: ReceiptArrival) -> bool:
    """The relay still tries: the message stays where it is, and says so."""
    if tx.scalar(select(_e.delivery).where(_e.id == entry_id)) != Delivery.SENT.value:
        return False
    conversations.change_entry(tx, entry_id, delivery_reason=receipt.reason, delivery_detail=receipt.detail)
    return True


def note_seen(tx: Tx, contact_point_id: int, channel_id: str, through: int, state: Delivery) -> None:
    """The customer's own device says it has (DELIVERED) or has shown (READ) everything up to an entry."""
    c = tables.conversation.c
    earlier = [
        before.value for before, after in DELIVERY.items() if state in after and before is not Delivery.UNCERTAIN
    ]
    # From their conversations to the entries, by the indexes: a stranger's word must cost next to nothing.
    theirs = [
        row.id
        for row in tx.rows(select(c.id).where(c.contact_point_id == contact_point_id, c.channel_id == channel_id))
    ]
    if not theirs:
        return
    rows = tx.rows(
        select(_e.id, _e.conversation_id)
        .where(
            conversations.came_by(theirs),
            _e.id <= through,
            _e.direction == Direction.OUT.value,
            _e.delivery.in_(earlier),
        )
        .order_by(_e.id)
    )
    tx.lock_conversations({row.conversation_id for row in rows})
    for row in rows:
        _raise_delivery(tx, row.id, state, tx.now)


def _raise_delivery(
    tx: Tx,
    entry_id: int,
    state: Delivery,
    at: datetime,
    *,
    reason: str | None = None,
    detail: str | None = None,
    segments: int | None = None,
) -> bool:
    """Moves a message's delivery on where the table allows the move; late and lower words change nothing."""
    row = tx.first(select(_e.delivery).where(_e.id == entry_id))
    if row is None or row.delivery is None:
        return False
    before = Delivery(row.delivery)
    if state in (Delivery.QUEUED, Delivery.SENDING) or not can_move(DELIVERY, before, state):
        return False
    values: dict[str, object] = {
        "delivery": state.value,
        "delivery_at": at,
        "delivery_reason": reason if state in (Delivery.FAILED, Delivery.UNCERTAIN) else None,
        "delivery_detail": detail if state in (Delivery.FAILED, Delivery.UNCERTAIN) else None,
    }
    if segments is not None:
        values["segments"] = segments
    conversations.change_entry(tx, entry_id, **values)
    return True


def _lock_outbox(tx: Tx, outbox_id: int) -> Row[Any] | None:
    """The row, locked (fourth in the lock order: the conversation's lock comes before)."""
    query = select(tables.outbox).where(_o.id == outbox_id)
    if tx.is_postgresql:
        query = query.with_for_update()
    return tx.first(query)


def _finish(tx: Tx, outbox_id: int, *, provider_id: str | None = None) -> None:
    values: dict[str, object] = {"state": "done", "lease_until": None, "leased_by": None}
    if provider_id is not None:
        values["provider_id"] = provider_id
    tx.execute(update(tables.outbox).where(_o.id == outbox_id).values(**values))


def _words(error: ProviderError) -> str:
    code = f" ({error.provider_code})" if error.provider_code else ""
    return f"{error.message}{code}"[:500]


# --- the breaker --------------------------------------------------------------------------------------------------------


def note_success(tx: Tx, channel_id: str) -> None:
    """The account works: closes the breaker and says so once, when it had been open or degraded."""
    healed = tx.execute(
        update(tables.channel)
        .where(_ch.id == channel_id, (_ch.failures_in_row > 0) | (_ch.health != ChannelHealth.OK.value))
        .values(
            failures_in_row=0,
            paused_until=None,
            health=ChannelHealth.OK.value,
            health_code=None,
            health_detail=None,
            health_since=tx.now,
            version=_ch.version + 1,
        )
    ).rowcount
    if healed:
        _emit_channel(tx, channel_id)


def note_failure(tx: Tx, channel_id: str, error: ProviderError) -> None:
    """Counts a failure; at the limit, or when the account itself is refused, the breaker opens for a while."""
    row = tx.first(select(_ch.failures_in_row, _ch.health).where(_ch.id == channel_id).with_for_update())
    if row is None:
        return
    failures = row.failures_in_row + 1
    is_account = error.code == "account_refused"
    is_open = is_account or failures >= _BREAKER_LIMIT
    pause_s = min(_BREAKER_BASE_S * 2.0 ** min(max(failures - _BREAKER_LIMIT, 0), 10), _BREAKER_MAX_S)
    if is_account:
        pause_s = _BREAKER_MAX_S
    health = ChannelHealth.DOWN if is_open else ChannelHealth.DEGRADED
    tx.execute(
        update(tables.channel)
        .where(_ch.id == channel_id)
        .values(
            failures_in_row=failures,
            paused_until=tx.now + timedelta(seconds=pause_s) if is_open else None,
            health=health.value,
            health_code=error.code,
            health_detail=_words(error),
            health_since=tx.now if row.health != health.value else _ch.health_since,
            version=_ch.version + 1,
        )
    )
    _emit_channel(tx, channel_id)


def note_down(tx: Tx, channel_id: str, error: ProviderError) -> None:
    """The account does not answer at all. Said once; what heals it is note_success."""
    down = tx.execute(
        update(tables.channel)
        .where(_ch.id == channel_id, or_(_ch.health != ChannelHealth.DOWN.value, _ch.health_code != error.code))
        .values(
            failures_in_row=_ch.failures_in_row + 1,
            health=ChannelHealth.DOWN.value,
            health_code=error.code,
            health_detail=_words(error),
            health_since=tx.now,
            version=_ch.version + 1,
        )
    ).rowcount
    if down:
        _emit_channel(tx, channel_id)


def _emit_channel(tx: Tx, channel_id: str) -> None:
    for view in channels.load_channel_views(tx, [channel_id]):
        tx.emit(ChannelChanged(view), {STAFF})
