"""What comes in: arrivals become entries, each exactly once, in one transaction, before the provider hears 2xx.

    arrivals → arrival rows (ON CONFLICT DO NOTHING says which are new) → whose contact point → which conversation
             → entries and attachments → conversation rows → events → commit

The arrival row is the first insert and outlives everything: a doubled webhook, late or early, finds it and stops there.
`Intake` lets arrivals that wait at the same time share a transaction, and all statements are multi-row, so throughput
rises with load. One arrival that cannot be stored fails alone: its group is then tried one by one.

A customer has at most one open conversation per contact point and channel account, by mail one per topic
(timeline.threads). Writing within the channel's reopen window after the resolution reopens the conversation; later, a new
one begins, where the rules in force place it (routing.placement). What was merged into another leads on to that one
(timeline.joining), but for chats, whose visitors read in the chat and nowhere else. A raw message (mail) is a file before the
transaction begins and is named by its row; a file whose arrival turns out to be known is deleted, one whose commit failed is
left to housekeeping, for the commit may have come through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update

from hub.channels.channel import Arrival, Consent, MessageArrival, ReceiptArrival
from hub.domain.events import FACTS, ContactBegan, EntryAdded
from hub.domain.mail import UNKNOWN_SENDER
from hub.domain.states import AttachmentState
from hub.domain.values import AuthorKind, ChannelKind, ContactKind, Direction, EntryKind, Happening
from hub.domain.views import AttachmentView, MailView
from hub.errors import DatabaseAway, NotFound
from hub.routing import offers
from hub.routing.placement import AS_USUAL, Newcomer, Placer, Start
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.files import Files
from hub.surveys import answers as surveys
from hub.surveys import links
from hub.timeline import (
    automatic_replies,
    belongings,
    conversations,
    customers,
    mails,
    outbox,
    task_rows,
    threads,
    visits,
)

_c, _ch = tables.conversation.c, tables.channel.c

# How many arrivals share a transaction at most; a mail costs some ten times a text, and others wait for the writer.
_GROUP_LIMIT = 500
_MAIL_GROUP_LIMIT = 40
_NO_SCORE = surveys.Text("", ContactKind.CHAT, "", "")
# A provider's clock may be a little ahead or behind; beyond this its time of a message is not believed.
_CLOCK_TRUST = timedelta(days=2)

_CHANNELS = select(_ch.id, _ch.kind, _ch.queue_id, _ch.reopen_window_s).where(
    _ch.id.in_(bindparam("ids", expanding=True))
)
# The open conversations of some contact points, in the order in which everybody locks them.
_OPEN = conversations.CONVERSATIONS.where(
    _c.contact_point_id.in_(bindparam("points", expanding=True)), _c.status == "open"
).order_by(_c.id)
_BEGUN = conversations.CONVERSATIONS.add_columns(tables.contact_point.c.customer_id.label("owner_id"))
_LOCK_OPEN = _OPEN.with_for_update(of=tables.conversation)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one arrival: `entry_id` is None for a receipt and for an arrival seen before (`is_new` False)."""

    is_new: bool
    entry_id: int | None = None
    conversation_id: int | None = None
    contact_point_id: int | None = None


@dataclass(slots=True)
class _Item:
    channel_id: str
    arrival: Arrival

    @property
    def is_mail(self) -> bool:
        return isinstance(self.arrival, MessageArrival) and self.arrival.mail is not None


@dataclass(slots=True)
class _Draft:
    """A conversation as the group changes it; `row` has the columns of CONVERSATIONS."""

    row: dict[str, Any]
    is_reopened: bool = False
    is_new: bool = False
    # The customer's request has begun: a fact.
    is_contact: bool = False
    # Only then has the dispatcher anything new to decide: a further message to waiting work changes nothing for it.
    is_newly_queued: bool = False
    # Rules placed it; told once.
    start: Start | None = None
    # The customer waits for an answer and did not before.
    is_asking: bool = False
    # Somebody had put it aside: the dispatcher gives it back to them.
    comes_back: bool = False
    entries: list[tuple[int, dict[str, Any], MessageArrival]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Placed:
    """An arrival and the conversation it goes to. `author_name`: who it is from, as the timeline shows it. Channel and
    contact point are the arrival's own: those of a conversation that was merged into this one (`origin_id`) are others."""

    index: int
    arrival: MessageArrival
    draft: _Draft
    author_name: str
    channel_id: str
    contact_point_id: int
    origin_id: int | None = None
    is_stranger: bool = False


# A conversation, and the one by whose channel and address it was reached, where that was merged into it.
_Way = tuple[_Draft, int | None]


def accept_group(tx: Tx, items: Sequence[_Item]) -> list[Outcome]:
    """Stores a group of arrivals; one outcome for each, in order."""
    fresh = _insert_arrivals(tx, items)
    outcomes: list[Outcome] = [Outcome(is_new=index in fresh) for index in range(len(items))]
    messages = [
        (index, _Item(item.channel_id, links.hide(item.arrival)))
        for index, item in enumerate(items)
        if index in fresh and isinstance(item.arrival, MessageArrival)
    ]
    if messages:
        placer = Placer(tx)
        channels = _load_channels(tx, {item.channel_id for _, item in messages})
        together = [(index, item) for index, item in messages if not item.is_mail]
        together = _without_scores(tx, together, outcomes)
        if together:
            _write(tx, _place(tx, together, channels, placer), outcomes)
        posted = [(index, item) for index, item in messages if item.is_mail]
        if posted:
            _lock_for_mails(tx, [item for _, item in posted])
        # One after the other: a mail may belong to the conversation that the one before it has begun.
        for index, item in posted:
            _write(tx, [_place_mail(tx, index, item, channels[item.channel_id], placer)], outcomes)
    receipts = [
        (item.channel_id, item.arrival)
        for index, item in enumerate(items)
        if index in fresh and isinstance(item.arrival, ReceiptArrival)
    ]
    outbox.apply_receipts(tx, receipts)
    return outcomes


def _without_scores(tx: Tx, messages: Sequence[tuple[int, _Item]], outcomes: list[Outcome]) -> list[tuple[int, _Item]]:
    """Stores what answers a survey as that; the other messages."""
    texts = [
        surveys.Text(item.channel_id, item.arrival.contact_kind, item.arrival.sender, item.arrival.text)
        if isinstance(item.arrival, MessageArrival) and item.arrival.consent is None and not item.arrival.media
        else _NO_SCORE
        for _, item in messages
    ]
    taken = surveys.take_replies(tx, texts)
    for place, answer in taken.items():
        outcomes[messages[place][0]] = Outcome(True, answer.entry_id, answer.conversation_id, answer.contact_point_id)
    return [each for place, each in enumerate(messages) if place not in taken or taken[place].goes_on]


def _insert_arrivals(tx: Tx, items: Sequence[_Item]) -> set[int]:
    """The indexes of the arrivals that were never seen before."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    index_of: dict[tuple[str, str], int] = {}
    for index, item in enumerate(items):
        key = (item.channel_id, item.arrival.provider_id)
        if key not in rows:
            index_of[key] = index
            rows[key] = {
                "channel_id": item.channel_id,
                "provider_id": item.arrival.provider_id,
                "received_at": item.arrival.received_at,
                "raw": item.arrival.raw,
            }
    # In one order everywhere, so that two processes that insert the same keys never wait for each other.
    keys = sorted(rows)
    is_new = tx.insert_new(tables.arrival, [rows[key] for key in keys])
    return {index_of[key] for key, new in zip(keys, is_new, strict=True) if new}


def _place(
    tx: Tx, messages: Sequence[tuple[int, _Item]], channels: dict[str, Row[Any]], placer: Placer
) -> list[_Placed]:
    """The conversation of each message, all found or made together."""
    wanted: dict[tuple[str, str], dict[str, Any]] = {}
    for _, item in messages:
        arrival = item.arrival
        assert isinstance(arrival, MessageArrival)
        wanted.setdefault(
            (arrival.contact_kind, arrival.sender), {"name": arrival.sender_name, "language": arrival.language}
        )
    reaches = customers.ensure_reaches(tx, wanted)
    customers.note_written_from(
        tx, [reach for (kind, _), reach in reaches.items() if not reach.verified and kind != ContactKind.CHAT]
    )
    drafts = _find_conversations(tx, messages, channels, reaches, placer)
    placed = []
    for index, item in messages:
        arrival = item.arrival
        assert isinstance(arrival, MessageArrival)
        reach = reaches[arrival.contact_kind.value, arrival.sender]
        draft, origin_id = drafts[reach.contact_point_id, item.channel_id]
        way = (item.channel_id, reach.contact_point_id, origin_id)
        placed.append(_Placed(index, arrival, draft, reach.customer_name, *way))
    return placed


def _lock_for_mails(tx: Tx, items: Sequence[_Item]) -> None:
    """All conversations that these mails may belong to, at once and in their one order, before anything else is written.
    What a mail begins itself is nobody else's yet. On SQLite every transaction is alone anyway."""
    if not tx.is_postgresql:
        return
    tx.lock_mail()
    known: set[int] = set()
    for item in items:
        arrival = item.arrival
        assert isinstance(arrival, MessageArrival)
        found = _find_thread(tx, item.channel_id, arrival)
        if found is not None:
            known.add(found.conversation_id)
    tx.lock_conversations(known)


def _place_mail(tx: Tx, index: int, item: _Item, channel: Row[Any], placer: Placer) -> _Placed:
    """The conversation of a mail: the one it answers, reopened if it was resolved lately, or a new one of its sender's."""
    arrival = item.arrival
    assert isinstance(arrival, MessageArrival)
    assert arrival.mail is not None
    mail, key = arrival.mail, (arrival.contact_kind.value, arrival.sender)
    reach = customers.find_reaches(tx, [key]).get(key)
    way = _find_thread(tx, channel.id, arrival)
    found = threads.load_found(tx, way) if way is not None else None
    origin_id = way.origin_id if way is not None else None
    if reach is not None and reach.bounced and not arrival.is_claimed:
        customers.note_heard_from(tx, reach.contact_point_id)
    draft: _Draft | None = None
    if found is not None:
        if found.status == "open" or not mail.wants_answer:
            # A machine's note about something resolved is kept there and wakes nobody.
            draft = _Draft(found._asdict())
        elif tx.now - found.resolved_at <= timedelta(seconds=channel.reopen_window_s) and _may_open(tx, found):
            draft = _reopened(found, tx.now)
    if draft is not None and (reach is None or reach.customer_id != draft.row["customer_id"]):
        # Somebody else who takes part: it stays this customer's conversation, and nobody gets a card for a Cc.
        point = draft.row["contact_point_id"]
        name = arrival.sender_name or arrival.sender
        return _Placed(index, arrival, draft, name, channel.id, point, origin_id, is_stranger=True)
    if reach is None:
        new = {"name": arrival.sender_name, "language": arrival.language, "verified": not arrival.is_claimed}
        reach = customers.ensure_reaches(tx, {key: new})[key]
    if arrival.sender != UNKNOWN_SENDER and not arrival.is_claimed:
        customers.note_written_from(tx, [reach])
    if draft is None:
        draft, origin_id = _begin_mail_conversation(tx, reach, channel, arrival, placer), None
    return _Placed(index, arrival, draft, reach.customer_name, channel.id, reach.contact_point_id, origin_id)


def _find_thread(tx: Tx, channel_id: str, arrival: MessageArrival) -> threads.Found | None:
    """Whoever only typed an address into a form is not taken for the one who wrote under the same subject before."""
    assert arrival.mail is not None
    return None if arrival.is_claimed else threads.find_conversation(tx, channel_id, arrival.mail, arrival.sender)


def _may_open(tx: Tx, row: Row[Any]) -> bool:
    """Whether a resolved conversation may be opened by what came to one that was merged into it: on channels that have one
    open with each contact point, that may be another by now."""
    if row.thread:
        return True
    same = (_c.contact_point_id == row.contact_point_id, _c.channel_id == row.channel_id, _c.status == "open")
    return tx.first(select(_c.id).where(*same).limit(1)) is None


def _begin_mail_conversation(
    tx: Tx, reach: customers.Reach, channel: Row[Any], arrival: MessageArrival, placer: Placer
) -> _Draft:
    mail = arrival.mail
    assert mail is not None
    waits = mail.wants_answer
    start = placer.start([_newcomer(reach, channel, arrival)])[0] if waits else None
    conversation_id = tx.insert(
        tables.conversation,
        {
            "customer_id": reach.customer_id,
            "contact_point_id": reach.contact_point_id,
            "channel_id": channel.id,
            "queue_id": channel.queue_id,
            "subject": mail.subject,
            "thread": threads.new_thread(),
            "status": "open" if waits else "resolved",
            "queued_since": tx.now if waits else None,
            "created_at": tx.now,
            "last_entry_at": tx.now,
            "resolved_at": None if waits else tx.now,
            "arrived_at": tx.now,
            **(start.values if start is not None else {}),
        },
    )
    if waits:
        visits.begin(tx, conversation_id)
    task_rows.keep_sight(tx, [conversation_id], are_new=True)
    row = tx.first(conversations.CONVERSATIONS.where(_c.id == conversation_id))
    assert row is not None
    return _Draft(row._asdict(), is_new=True, is_contact=waits, is_newly_queued=waits, start=start)


def _newcomer(reach: customers.Reach, channel: Row[Any], arrival: MessageArrival) -> Newcomer:
    return Newcomer(
        channel_id=channel.id,
        kind=ChannelKind(channel.kind),
        queue_id=channel.queue_id,
        customer_id=reach.customer_id,
        address=arrival.sender,
        text=arrival.text,
        subject=arrival.mail.subject if arrival.mail is not None else None,
    )


def _write(tx: Tx, placed: Sequence[_Placed], outcomes: list[Outcome]) -> None:
    """Entries, what they change about their conversations, and the events."""
    for one in placed:
        arrival, draft = one.arrival, one.draft
        at = _believed_time(arrival, tx.now)
        entry = {
            "conversation_id": draft.row["id"],
            "customer_id": draft.row["customer_id"],
            **_FROM_CUSTOMER,
            "author_name": one.author_name,
            "text": arrival.text,
            "at": at,
            "has_attachments": bool(arrival.media),
            "client_key": arrival.client_key,
            "origin_id": one.origin_id,
        }
        draft.entries.append((one.index, entry, arrival))
        row = draft.row
        row["version"] += 1
        row["last_entry_at"] = max(at, row["last_entry_at"])
        row["preview"] = arrival.text[: conversations.PREVIEW_LENGTH]
        row["preview_direction"] = _FROM_CUSTOMER["direction"]
        # A STOP asks for silence, and a machine's note waits for nothing: they are kept, and nobody has to answer.
        if arrival.consent is not Consent.STOP and (arrival.mail is None or arrival.mail.wants_answer):
            draft.is_asking = draft.is_asking or row["unanswered_since"] is None
            row["unanswered_since"] = row["unanswered_since"] or at
            if row["assignee_id"] is None and row["queued_since"] is None and row["status"] == "open":
                row["queued_since"] = tx.now
                draft.is_newly_queued = True
            if row["assignee_id"] is not None and row["parked_until"] is not None:
                # A sign for the round, and surely past for it, whatever clocks do meanwhile.
                row["parked_until"] = row["created_at"]
                draft.comes_back = True

    drafts = list({id(one.draft): one.draft for one in placed}.values())
    begun = [draft for draft in drafts if draft.start is not None]
    for draft in begun:
        # The line that tells of it comes last.
        draft.row["last_entry_at"] = tx.now
    ways = {one.index: one for one in placed}
    flat = [(draft, *entry) for draft in drafts for entry in draft.entries]
    # In the order of arrival, so that ids rise as the customer wrote.
    flat.sort(key=lambda item: item[1])
    ids = tx.insert_many(tables.entry, [entry for _, _, entry, _ in flat])
    tx.update_many(
        tables.conversation,
        [{"id": draft.row["id"], **{name: draft.row[name] for name in _UPDATED}} for draft in drafts],
    )
    again = [draft.row for draft in drafts if draft.is_contact and draft.is_reopened]
    tx.update_many(
        tables.conversation, [{"id": row["id"], **{name: row[name] for name in _UPDATED_IF_REOPENED}} for row in again]
    )
    mail_views: dict[int, MailView] = {}
    for entry_id, (draft, index, _, arrival) in zip(ids, flat, strict=True):
        if arrival.mail is not None:
            mail_row = mails.incoming_row(
                arrival,
                entry_id=entry_id,
                conversation_id=draft.row["id"],
                channel_id=ways[index].channel_id,
                is_stranger=ways[index].is_stranger,
            )
            tx.insert_new(tables.mail, [mail_row])
            mail_views[entry_id] = mails.mail_view(mail_row)
    attachments = _insert_attachments(tx, zip(ids, flat, strict=True), ways)
    reopened: set[int] = set()
    for entry_id, (draft, index, entry, arrival) in zip(ids, flat, strict=True):
        view, one = conversations.conversation_view(draft.row), ways[index]
        entry_view = conversations.entry_view(
            _ENTRY_DEFAULTS | entry | {"id": entry_id, "channel_id": one.channel_id},
            attachments.get(entry_id, ()),
            mail_views.get(entry_id),
        )
        is_theirs = one.contact_point_id == view.contact_point_id
        tx.emit(EntryAdded(entry_view, view), conversations.entry_topics(view, to_visitor=is_theirs))
        outcomes[index] = Outcome(True, entry_id, view.id, one.contact_point_id)
        if draft.is_reopened and view.id not in reopened:
            reopened.add(view.id)
            conversations.add_happening(tx, view, Happening.REOPENED, conversations.SYSTEM)
            draft.row["version"] += 1
        if arrival.consent in (Consent.STOP, Consent.START):
            opted_out = arrival.consent is Consent.STOP
            if customers.set_opt_out(tx, one.contact_point_id, opted_out=opted_out):
                happening = Happening.OPTED_OUT if opted_out else Happening.OPTED_IN
                conversations.add_happening(
                    tx, conversations.load_conversation(tx, view.id), happening, conversations.SYSTEM
                )
                draft.row["version"] += 1
        if draft.is_new and draft.start is None and arrival.mail is not None:
            automatic_replies.acknowledge(tx, view, arrival)
    _tell_starts(tx, begun)
    waiting = [draft.row["id"] for draft in drafts if draft.row["queued_since"] is not None]
    if any(draft.is_newly_queued or draft.comes_back for draft in drafts):
        tx.wake("routing")
    if waiting:
        offers.retell(tx, waiting)
    for draft in drafts:
        conversations.keep_clocks(tx, [draft.row["id"]], touched_only=not draft.is_asking)
        if draft.is_contact:
            _tell_contact(tx, draft)


def _tell_contact(tx: Tx, draft: _Draft) -> None:
    draft.is_contact = False
    row = draft.row
    tx.emit(
        ContactBegan(
            conversation_id=row["id"],
            episode=row["reopened_count"],
            customer_id=row["customer_id"],
            channel_id=row["channel_id"],
            queue_id=row["queue_id"],
            direction=Direction.IN.value,
            arrived_at=row["arrived_at"],
            by_call=False,
            reopened_by="customer" if draft.is_reopened else None,
            topic_id=row["topic_id"],
        ),
        {FACTS},
    )


def _tell_starts(tx: Tx, drafts: Sequence[_Draft]) -> None:
    """A line for each conversation that rules placed, and what they answer by themselves."""
    lines = [
        {
            "conversation_id": draft.row["id"],
            "customer_id": draft.row["customer_id"],
            **_FROM_RULES,
            "at": tx.now,
            "data": dict(draft.start.told),
        }
        for draft in drafts
        if draft.start is not None
    ]
    ids = tx.insert_many(tables.entry, lines)
    for entry_id, line, draft in zip(ids, lines, drafts, strict=True):
        view = conversations.conversation_view(draft.row)
        entry = {**_ENTRY_DEFAULTS, "client_key": None, **line, "id": entry_id, "channel_id": view.channel_id}
        tx.emit(EntryAdded(conversations.entry_view(entry), view), conversations.entry_topics(view, to_visitor=True))
        _, _, arrival = draft.entries[0]
        reply = draft.start.auto_reply if draft.start is not None else None
        words = reply.words(name=view.customer_name, number=view.id, now=tx.now) if reply is not None else None
        is_answered = words is not None and automatic_replies.reply(tx, view, arrival, words)
        if draft.is_new and arrival.mail is not None and not is_answered:
            automatic_replies.acknowledge(tx, view, arrival)


_UPDATED = (
    "status",
    "queue_id",
    "queued_since",
    "unanswered_since",
    "last_entry_at",
    "resolved_at",
    "reopened_count",
    "escalated",
    "parked_until",
    "preview",
    "preview_direction",
    "version",
)
_UPDATED_IF_REOPENED = ("arrived_at", *visits.BEGUN)
_FROM_CUSTOMER: dict[str, Any] = {
    "kind": EntryKind.MESSAGE.value,
    "direction": Direction.IN.value,
    "author_kind": AuthorKind.CUSTOMER.value,
    "author_id": None,
}
_FROM_RULES: dict[str, Any] = {
    "kind": EntryKind.EVENT.value,
    "direction": Direction.INTERNAL.value,
    "author_kind": AuthorKind.SYSTEM.value,
    "author_id": None,
    "author_name": "",
    "text": "",
    "happening": Happening.PLACED.value,
    "has_attachments": False,
}
_ENTRY_DEFAULTS: dict[str, Any] = {
    "delivery": None,
    "happening": None,
    "data": None,
    "origin_id": None,
    "version": 1,
}


def _believed_time(arrival: MessageArrival, now: datetime) -> datetime:
    if arrival.occurred_at is None or not now - _CLOCK_TRUST <= arrival.occurred_at:
        return now
    return min(arrival.occurred_at, now)


def _load_channels(tx: Tx, ids: Iterable[str]) -> dict[str, Row[Any]]:
    channels = {row.id: row for row in tx.rows(_CHANNELS, {"ids": sorted(ids)})}
    for channel_id in ids:
        if channel_id not in channels:
            raise NotFound(f"there is no channel {channel_id!r}")
    return channels


def _find_conversations(
    tx: Tx,
    messages: Sequence[tuple[int, _Item]],
    channels: dict[str, Row[Any]],
    reaches: dict[tuple[str, str], customers.Reach],
    placer: Placer,
) -> dict[tuple[int, str], _Way]:
    """The open conversation of each (contact point, channel): the one there is, the one reopened, or a new one."""
    wanted: dict[tuple[int, str], tuple[customers.Reach, MessageArrival]] = {}
    for _, item in messages:
        assert isinstance(item.arrival, MessageArrival)
        reach = reaches[item.arrival.contact_kind.value, item.arrival.sender]
        key = (reach.contact_point_id, item.channel_id)
        # A STOP alone wakes nobody; with anything else beside it the customer wants an answer.
        if key not in wanted or wanted[key][1].consent is Consent.STOP:
            wanted[key] = (reach, item.arrival)
    points = sorted({point for point, _ in wanted})
    drafts: dict[tuple[int, str], _Way] = {}
    for row in tx.rows(_LOCK_OPEN if tx.is_postgresql else _OPEN, {"points": points}):
        if (row.contact_point_id, row.channel_id) in wanted:
            drafts[row.contact_point_id, row.channel_id] = _Draft(row._asdict()), None
    missing = [key for key in wanted if key not in drafts]
    if missing:
        known = {draft.row["id"]: draft for draft, _ in drafts.values()}
        drafts |= _reopen(tx, missing, channels, wanted, known)
    missing = [key for key in wanted if key not in drafts]
    if missing:
        drafts |= {key: (draft, None) for key, draft in _create(tx, missing, channels, wanted, placer).items()}
    return drafts


def _reopen(
    tx: Tx,
    keys: Sequence[tuple[int, str]],
    channels: dict[str, Row[Any]],
    wanted: dict[tuple[int, str], tuple[customers.Reach, MessageArrival]],
    known: dict[int, _Draft],
) -> dict[tuple[int, str], _Way]:
    """Conversations resolved so lately that the customer's new message belongs to them; or what these were merged into, as
    long as that is open or was resolved so lately. `known`: drafts there are, which other messages go to."""
    leads = _find_latest(tx, keys, channels)
    rows = _lock_living(tx, leads)
    # On PostgreSQL it may have been merged, or parted again, between the look and the lock.
    while tx.is_postgresql and leads and (now := _find_latest(tx, keys, channels)) != leads:
        leads = now
        rows = _lock_living(tx, leads)
    drafts: dict[tuple[int, str], _Way] = {}
    for lead in leads:
        row, key = rows[lead.living_id], lead.key
        draft = known.get(row.id)
        if draft is None:
            if row.status == "open":
                draft = _Draft(row._asdict())
            elif row.resolved_at is None:
                continue
            elif wanted[key][1].consent is Consent.STOP:
                # Stays resolved: the STOP is written into it and wakes nobody.
                draft = _Draft(row._asdict())
            else:
                is_late = tx.now - row.resolved_at > timedelta(seconds=channels[key[1]].reopen_window_s)
                if is_late or (lead.origin_id is not None and not _may_open(tx, row)):
                    continue
                draft = _reopened(row, tx.now)
            known[row.id] = draft
        is_own = (row.contact_point_id, row.channel_id) == key
        drafts[key] = draft, None if is_own else lead.origin_id
    return drafts


@dataclass(frozen=True, slots=True)
class _Lead:
    """What was resolved last with a contact point on a channel, and what it was merged into, if it was (`origin_id`)."""

    key: tuple[int, str]
    living_id: int
    origin_id: int | None


def _lock_living(tx: Tx, leads: Sequence[_Lead]) -> dict[int, Row[Any]]:
    query = conversations.CONVERSATIONS.where(_c.id.in_({lead.living_id for lead in leads})).order_by(_c.id)
    if tx.is_postgresql:
        query = query.with_for_update(of=tables.conversation)
    return {row.id: row for row in tx.rows(query)} if leads else {}


def _find_latest(tx: Tx, keys: Sequence[tuple[int, str]], channels: dict[str, Row[Any]]) -> list[_Lead]:
    """No lock is taken. None of a chat that was merged into anything but a chat of the very visitor's."""
    resolved = (_c.contact_point_id.in_(sorted({point for point, _ in keys})), _c.status == "resolved")
    newest = func.row_number().over(
        partition_by=(_c.contact_point_id, _c.channel_id), order_by=(_c.resolved_at.desc().nulls_last(), _c.id.desc())
    )
    ranked = select(_c.id, _c.contact_point_id, _c.channel_id, _c.merged_into, newest.label("place")).where(*resolved)
    latest = ranked.subquery()
    into = tables.conversation.alias("into")
    rows = tx.rows(
        select(latest, into.c.contact_point_id.label("into_point"), into.c.channel_id.label("into_channel"))
        .outerjoin(into, into.c.id == latest.c.merged_into)
        .where(latest.c.place == 1)
        .order_by(latest.c.id)
    )
    leads = []
    for row in rows:
        key = (row.contact_point_id, row.channel_id)
        if key not in keys:
            continue
        if row.merged_into is None:
            leads.append(_Lead(key, row.id, None))
        elif channels[key[1]].kind != ChannelKind.CHAT.value or (row.into_point, row.into_channel) == key:
            leads.append(_Lead(key, row.merged_into, row.id))
    return leads


def _reopened(row: Row[Any], now: datetime) -> _Draft:
    values = row._asdict()
    values |= {
        "status": "open",
        "resolved_at": None,
        "queued_since": now,
        "reopened_count": values["reopened_count"] + 1,
        "unanswered_since": None,
        "escalated": 0,
        "arrived_at": now,
        **visits.begun(values["visit"] + 1, values["queue_id"], now),
    }
    return _Draft(values, is_reopened=True, is_contact=True, is_newly_queued=True)


def _create(
    tx: Tx,
    keys: Sequence[tuple[int, str]],
    channels: dict[str, Row[Any]],
    wanted: dict[tuple[int, str], tuple[customers.Reach, MessageArrival]],
    placer: Placer,
) -> dict[tuple[int, str], _Draft]:
    # A STOP alone is no work, so nothing places it.
    working = [key for key in keys if wanted[key][1].consent is not Consent.STOP]
    newcomers = [_newcomer(wanted[key][0], channels[key[1]], wanted[key][1]) for key in working]
    starts = dict(zip(working, placer.start(newcomers), strict=True))
    rows: list[dict[str, Any]] = []
    for key in keys:
        reach, arrival = wanted[key]
        is_stop = arrival.consent is Consent.STOP
        rows.append(
            {
                "customer_id": reach.customer_id,
                "contact_point_id": key[0],
                "channel_id": key[1],
                "queue_id": channels[key[1]].queue_id,
                "status": "resolved" if is_stop else "open",
                "queued_since": None if is_stop else tx.now,
                "created_at": tx.now,
                "last_entry_at": tx.now,
                "resolved_at": tx.now if is_stop else None,
                "arrived_at": tx.now,
            }
        )
    if any(starts.values()):
        # Rows of one statement have the same columns.
        begins = [starts.get(key) for key in keys]
        rows = [{**AS_USUAL, **row, **(start.values if start else {})} for row, start in zip(rows, begins, strict=True)]
    for row in rows:
        row.update(visits.begun(1, row["queue_id"], tx.now) if row["queued_since"] is not None else visits.NOT_BEGUN)
    statement = tx.insert_if_new(tables.conversation).returning(_c.id)
    ids = list(tx.execute(statement, rows).scalars())
    task_rows.keep_sight(tx, ids, are_new=True)
    drafts: dict[tuple[int, str], _Draft] = {}
    for found_row in _load_begun(tx, ids):
        key = (found_row.contact_point_id, found_row.channel_id)
        is_queued = found_row.queued_since is not None
        drafts[key] = _Draft(
            found_row._asdict(), is_contact=is_queued, is_newly_queued=is_queued, start=starts.get(key)
        )
    lost = [key for key in keys if key not in drafts]
    if lost:
        # Another process opened it between our look and our insert (the partial unique index said so): use that one.
        open_now = tx.rows(_LOCK_OPEN if tx.is_postgresql else _OPEN, {"points": sorted({point for point, _ in lost})})
        drafts |= {
            (row.contact_point_id, row.channel_id): _Draft(row._asdict())
            for row in open_now
            if (row.contact_point_id, row.channel_id) in lost
        }
    return drafts


def _load_begun(tx: Tx, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """New conversations. Inserting them has locked their contact points, so whose these are by now they stay: a merge that
    came between our look and our insert (timeline.belongings) shows here."""
    begun = _BEGUN.where(_c.id.in_(ids))
    rows = tx.rows(begun)
    strays = [row.id for row in rows if row.owner_id != row.customer_id]
    if not strays:
        return rows
    belongings.follow_points(tx, strays)
    return tx.rows(begun)


def _insert_attachments(
    tx: Tx,
    entries: Iterable[tuple[int, tuple[_Draft, int, dict[str, Any], MessageArrival]]],
    ways: dict[int, _Placed],
) -> dict[int, list[AttachmentView]]:
    """Rows for the files that came along: `media` fetches them after the commit; what the hub has already (and this
    very contact point uploaded) is joined to its entry."""
    a = tables.attachment.c
    rows: list[dict[str, Any]] = []
    with_files: set[int] = set()
    for entry_id, (_, index, _, arrival) in entries:
        way = ways[index]
        for number, media in enumerate(arrival.media, 1):
            with_files.add(entry_id)
            if media.stored_id is not None:
                tx.execute(
                    update(tables.attachment)
                    .where(
                        a.id == media.stored_id,
                        a.contact_point_id == way.contact_point_id,
                        a.entry_id.is_(None),
                    )
                    .values(entry_id=entry_id)
                )
                continue
            rows.append(
                {
                    "entry_id": entry_id,
                    "channel_id": way.channel_id,
                    "contact_point_id": way.contact_point_id,
                    "name": media.name or f"file-{number}",
                    "media_type": media.media_type,
                    "state": AttachmentState.FETCHING.value,
                    "source_url": media.url,
                    "part": media.part,
                    "size_bytes": media.size_bytes,
                    "content_id": media.content_id,
                    "is_inline": media.is_inline,
                    "next_attempt_at": tx.now,
                    "created_at": tx.now,
                }
            )
    if rows:
        tx.insert_many(tables.attachment, rows)
        tx.wake("media")
    return conversations.load_attachments(tx, with_files)


# --- sharing commits ----------------------------------------------------------------------------------------------------


# The type of an arrival, and whether it is a mail.
_Kind = tuple[type, bool]


@dataclass(slots=True)
class _Waiting:
    items: list[_Item]
    future: asyncio.Future[list[Outcome]]

    @property
    def kind(self) -> _Kind:
        return type(self.items[0].arrival), self.items[0].is_mail


class Intake:
    """The door for arrivals. While one group commits the next gathers; nobody waits for a timer. Messages, mails and
    receipts go apart: each group can then lock all its conversations at once, and a text never waits for mails."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files
        self._waiting: dict[_Kind, list[_Waiting]] = {}
        self._flushers: dict[_Kind, asyncio.Task[None]] = {}

    async def accept(self, channel_id: str, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Stores the arrivals and returns after the commit; DatabaseAway when it cannot, OperatorError `storage_full`
        when there is no room for a message's file."""
        if not arrivals:
            return []
        # Together: each file waits for the disk to have it.
        arrivals = await asyncio.gather(*map(self._keep_message, arrivals))
        outcomes: list[Outcome] = []
        for start in range(0, len(arrivals), _MAIL_GROUP_LIMIT):
            outcomes += await self._accept(channel_id, arrivals[start : start + _MAIL_GROUP_LIMIT])
        for arrival, outcome in zip(arrivals, outcomes, strict=True):
            if not outcome.is_new and isinstance(arrival, MessageArrival) and arrival.message_key is not None:
                await asyncio.to_thread(self._files.delete, arrival.message_key)
        return outcomes

    async def _keep_message(self, arrival: Arrival) -> Arrival:
        if not isinstance(arrival, MessageArrival) or arrival.message is None:
            return arrival
        key = await asyncio.to_thread(self._files.write, arrival.message)
        return replace(arrival, message=None, message_key=key)

    async def _accept(self, channel_id: str, arrivals: Sequence[Arrival]) -> list[Outcome]:
        future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        one = _Waiting([_Item(channel_id, arrival) for arrival in arrivals], future)
        self._waiting.setdefault(one.kind, []).append(one)
        flusher = self._flushers.get(one.kind)
        if flusher is None or flusher.done():
            self._flushers[one.kind] = asyncio.create_task(self._flush(one.kind), name="intake")
        return await asyncio.shield(future)

    async def _flush(self, kind: _Kind) -> None:
        limit = _MAIL_GROUP_LIMIT if kind[1] else _GROUP_LIMIT
        while waiting := self._waiting.get(kind):
            size, count = 0, 0
            while count < len(waiting) and size < limit:
                size += len(waiting[count].items)
                count += 1
            self._waiting[kind] = waiting[count:]
            await self._store(waiting[:count])

    async def _store(self, group: list[_Waiting]) -> None:
        try:
            outcomes = await self._database.transaction(accept_group, [item for one in group for item in one.items])
        except Exception as error:
            if isinstance(error, DatabaseAway) or (len(group) == 1 and len(group[0].items) == 1):
                for one in group:
                    if not one.future.done():
                        one.future.set_exception(error)
            elif len(group) == 1:
                await self._store_each(group[0])
            else:
                for one in group:
                    await self._store([one])
            return
        position = 0
        for one in group:
            if not one.future.done():
                one.future.set_result(outcomes[position : position + len(one.items)])
            position += len(one.items)

    async def _store_each(self, waiting: _Waiting) -> None:
        """What cannot be stored together is stored one by one, as far as it can be; whoever tries again finds it known."""
        outcomes: list[Outcome] = []
        fault: Exception | None = None
        for item in waiting.items:
            try:
                outcomes += await self._database.transaction(accept_group, [item])
            except Exception as error:
                fault = fault or error
        if waiting.future.done():
            return
        if fault is not None:
            waiting.future.set_exception(fault)
        else:
            waiting.future.set_result(outcomes)
