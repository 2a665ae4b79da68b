"""What comes in: arrivals become entries, each exactly once, in one transaction, before the provider hears 2xx.

    arrivals → arrival rows (ON CONFLICT DO NOTHING says which are new) → whose contact point → which conversation
             → entries and attachments → conversation rows → events → commit

The arrival row is the first insert and outlives everything: a doubled webhook, late or early, finds it and stops there.
`Intake` lets arrivals that wait at the same time share a transaction, and all statements are multi-row, so throughput
rises with load. One arrival that cannot be stored fails alone: its group is then tried one by one.

A customer has at most one open conversation per contact point and channel account. Writing within the channel's reopen
window after the resolution reopens the conversation; later, a new one begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update

from hub.channels.channel import Arrival, Consent, MessageArrival, ReceiptArrival
from hub.domain.events import EntryAdded
from hub.domain.states import AttachmentState
from hub.domain.values import AuthorKind, ContactKind, Direction, EntryKind, Happening
from hub.domain.views import AttachmentView
from hub.errors import DatabaseAway, NotFound
from hub.routing import offers
from hub.store import tables
from hub.store.database import Database, Tx
from hub.timeline import conversations, customers, outbox

_c, _ch = tables.conversation.c, tables.channel.c

# How many arrivals share a transaction at most.
_GROUP_LIMIT = 500
# A provider's clock may be a little ahead or behind; beyond this its time of a message is not believed.
_CLOCK_TRUST = timedelta(days=2)

_CHANNELS = select(_ch.id, _ch.kind, _ch.queue_id, _ch.reopen_window_s).where(
    _ch.id.in_(bindparam("ids", expanding=True))
)
# The open conversations of some contact points, in the order in which everybody locks them.
_OPEN = conversations.CONVERSATIONS.where(
    _c.contact_point_id.in_(bindparam("points", expanding=True)), _c.status == "open"
).order_by(_c.id)
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


@dataclass(slots=True)
class _Draft:
    """A conversation as the group changes it; `row` has the columns of CONVERSATIONS."""

    row: dict[str, Any]
    is_reopened: bool = False
    # Only then has the dispatcher anything new to decide: a further message to waiting work changes nothing for it.
    is_newly_queued: bool = False
    entries: list[tuple[int, dict[str, Any], MessageArrival]] = field(default_factory=list)


def accept_group(tx: Tx, items: Sequence[_Item]) -> list[Outcome]:
    """Stores a group of arrivals; one outcome for each, in order."""
    fresh = _insert_arrivals(tx, items)
    outcomes: list[Outcome] = [Outcome(is_new=index in fresh) for index in range(len(items))]
    messages = [
        (index, item) for index, item in enumerate(items) if index in fresh and isinstance(item.arrival, MessageArrival)
    ]
    if messages:
        _accept_messages(tx, messages, outcomes)
    receipts = [
        (item.channel_id, item.arrival)
        for index, item in enumerate(items)
        if index in fresh and isinstance(item.arrival, ReceiptArrival)
    ]
    outbox.apply_receipts(tx, receipts)
    return outcomes


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


def _accept_messages(tx: Tx, messages: Sequence[tuple[int, _Item]], outcomes: list[Outcome]) -> None:
    channels = _load_channels(tx, {item.channel_id for _, item in messages})
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
    drafts = _find_conversations(tx, messages, channels, reaches)

    for index, item in messages:
        arrival = item.arrival
        assert isinstance(arrival, MessageArrival)
        reach = reaches[arrival.contact_kind.value, arrival.sender]
        draft = drafts[reach.contact_point_id, item.channel_id]
        at = _believed_time(arrival, tx.now)
        entry = {
            "conversation_id": draft.row["id"],
            "customer_id": reach.customer_id,
            **_FROM_CUSTOMER,
            "author_name": reach.customer_name,
            "text": arrival.text,
            "at": at,
            "has_attachments": bool(arrival.media),
            "client_key": arrival.client_key,
        }
        draft.entries.append((index, entry, arrival))
        row = draft.row
        row["version"] += 1
        row["last_entry_at"] = max(at, row["last_entry_at"])
        row["preview"] = arrival.text[: conversations.PREVIEW_LENGTH]
        row["preview_direction"] = _FROM_CUSTOMER["direction"]
        # A STOP asks for silence: it is kept, and nobody has to answer it.
        if arrival.consent is not Consent.STOP:
            row["unanswered_since"] = row["unanswered_since"] or at
            if row["assignee_id"] is None and row["queued_since"] is None and row["status"] == "open":
                row["queued_since"] = tx.now
                draft.is_newly_queued = True

    flat = [(draft, *entry) for draft in drafts.values() for entry in draft.entries]
    # In the order of arrival, so that ids rise as the customer wrote.
    flat.sort(key=lambda item: item[1])
    ids = tx.insert_many(tables.entry, [entry for _, _, entry, _ in flat])
    tx.update_many(
        tables.conversation,
        [{"id": draft.row["id"], **{name: draft.row[name] for name in _UPDATED}} for draft in drafts.values()],
    )
    attachments = _insert_attachments(tx, zip(ids, flat, strict=True))
    reopened: set[int] = set()
    for entry_id, (draft, index, entry, arrival) in zip(ids, flat, strict=True):
        view = conversations.conversation_view(draft.row)
        entry_view = conversations.entry_view(
            _ENTRY_DEFAULTS | entry | {"id": entry_id, "channel_id": view.channel_id}, attachments.get(entry_id, ())
        )
        tx.emit(EntryAdded(entry_view, view), conversations.entry_topics(view, to_visitor=True))
        outcomes[index] = Outcome(True, entry_id, view.id, view.contact_point_id)
        if draft.is_reopened and view.id not in reopened:
            reopened.add(view.id)
            conversations.add_happening(tx, view, Happening.REOPENED, conversations.SYSTEM)
            draft.row["version"] += 1
        if arrival.consent in (Consent.STOP, Consent.START):
            opted_out = arrival.consent is Consent.STOP
            if customers.set_opt_out(tx, view.contact_point_id, opted_out=opted_out):
                happening = Happening.OPTED_OUT if opted_out else Happening.OPTED_IN
                conversations.add_happening(
                    tx, conversations.load_conversation(tx, view.id), happening, conversations.SYSTEM
                )
                draft.row["version"] += 1
    waiting = [draft.row["id"] for draft in drafts.values() if draft.row["queued_since"] is not None]
    if any(draft.is_newly_queued for draft in drafts.values()):
        tx.wake("routing")
    if waiting:
        offers.retell(tx, waiting)


_UPDATED = (
    "status",
    "queue_id",
    "queued_since",
    "unanswered_since",
    "last_entry_at",
    "resolved_at",
    "reopened_count",
    "preview",
    "preview_direction",
    "version",
)
_FROM_CUSTOMER: dict[str, Any] = {
    "kind": EntryKind.MESSAGE.value,
    "direction": Direction.IN.value,
    "author_kind": AuthorKind.CUSTOMER.value,
    "author_id": None,
}
_ENTRY_DEFAULTS: dict[str, Any] = {
    "delivery": None,
    "happening": None,
    "data": None,
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
) -> dict[tuple[int, str], _Draft]:
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
    drafts: dict[tuple[int, str], _Draft] = {}
    for row in tx.rows(_LOCK_OPEN if tx.is_postgresql else _OPEN, {"points": points}):
        if (row.contact_point_id, row.channel_id) in wanted:
            drafts[row.contact_point_id, row.channel_id] = _Draft(row._asdict())
    missing = [key for key in wanted if key not in drafts]
    if missing:
        drafts |= _reopen(tx, missing, channels, wanted)
    missing = [key for key in wanted if key not in drafts]
    if missing:
        drafts |= _create(tx, missing, channels, wanted)
    return drafts


def _reopen(
    tx: Tx,
    keys: Sequence[tuple[int, str]],
    channels: dict[str, Row[Any]],
    wanted: dict[tuple[int, str], tuple[customers.Reach, MessageArrival]],
) -> dict[tuple[int, str], _Draft]:
    """Conversations resolved so lately that the customer's new message belongs to them."""
    points = sorted({point for point, _ in keys})
    latest = (
        select(func.max(_c.id).label("id"))
        .where(_c.contact_point_id.in_(points), _c.status == "resolved")
        .group_by(_c.contact_point_id, _c.channel_id)
        .subquery()
    )
    query = conversations.CONVERSATIONS.where(_c.id.in_(select(latest.c.id))).order_by(_c.id)
    if tx.is_postgresql:
        query = query.with_for_update(of=tables.conversation)
    drafts: dict[tuple[int, str], _Draft] = {}
    for row in tx.rows(query):
        key = (row.contact_point_id, row.channel_id)
        if key not in keys or row.resolved_at is None:
            continue
        if wanted[key][1].consent is Consent.STOP:
            # Stays resolved: the STOP is written into it and wakes nobody.
            drafts[key] = _Draft(row._asdict())
            continue
        if tx.now - row.resolved_at > timedelta(seconds=channels[row.channel_id].reopen_window_s):
            continue
        values = row._asdict()
        values |= {
            "status": "open",
            "resolved_at": None,
            "queued_since": tx.now,
            "reopened_count": values["reopened_count"] + 1,
            "unanswered_since": None,
        }
        drafts[key] = _Draft(values, is_reopened=True, is_newly_queued=True)
    return drafts


def _create(
    tx: Tx,
    keys: Sequence[tuple[int, str]],
    channels: dict[str, Row[Any]],
    wanted: dict[tuple[int, str], tuple[customers.Reach, MessageArrival]],
) -> dict[tuple[int, str], _Draft]:
    rows = []
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
            }
        )
    statement = tx.insert_if_new(tables.conversation).returning(_c.id)
    ids = list(tx.execute(statement, rows).scalars())
    found = conversations.CONVERSATIONS.where(_c.id.in_(ids))
    drafts = {
        (row.contact_point_id, row.channel_id): _Draft(row._asdict(), is_newly_queued=row.queued_since is not None)
        for row in tx.rows(found)
    }
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


def _insert_attachments(
    tx: Tx, entries: Iterable[tuple[int, tuple[_Draft, int, dict[str, Any], MessageArrival]]]
) -> dict[int, list[AttachmentView]]:
    """Rows for the files that came along: `media` fetches them after the commit; what the hub has already (and this
    very contact point uploaded) is joined to its entry."""
    a = tables.attachment.c
    rows: list[dict[str, Any]] = []
    with_files: set[int] = set()
    for entry_id, (draft, _, _, arrival) in entries:
        for number, media in enumerate(arrival.media, 1):
            with_files.add(entry_id)
            if media.stored_id is not None:
                tx.execute(
                    update(tables.attachment)
                    .where(
                        a.id == media.stored_id,
                        a.contact_point_id == draft.row["contact_point_id"],
                        a.entry_id.is_(None),
                    )
                    .values(entry_id=entry_id)
                )
                continue
            rows.append(
                {
                    "entry_id": entry_id,
                    "channel_id": draft.row["channel_id"],
                    "contact_point_id": draft.row["contact_point_id"],
                    "name": media.name or f"file-{number}",
                    "media_type": media.media_type,
                    "state": AttachmentState.FETCHING.value,
                    "source_url": media.url,
                    "next_attempt_at": tx.now,
                    "created_at": tx.now,
                }
            )
    if rows:
        tx.insert_many(tables.attachment, rows)
        tx.wake("media")
    return conversations.load_attachments(tx, with_files)


# --- sharing commits ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Waiting:
    items: list[_Item]
    future: asyncio.Future[list[Outcome]]

    @property
    def kind(self) -> type:
        return type(self.items[0].arrival)


class Intake:
    """The door for arrivals. While one group commits the next gathers; nobody waits for a timer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._flusher: asyncio.Task[None] | None = None

    async def accept(self, channel_id: str, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Stores the arrivals and returns after the commit; DatabaseAway when it cannot."""
        if not arrivals:
            return []
        future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting([_Item(channel_id, arrival) for arrival in arrivals], future))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush(), name="intake")
        return await asyncio.shield(future)

    async def _flush(self) -> None:
        while self._waiting:
            group: list[_Waiting] = []
            size = 0
            # Messages and receipts apart: each group can then lock all its conversations at once, in their one order.
            kind = self._waiting[0].kind
            rest: list[_Waiting] = []
            for one in self._waiting:
                if one.kind is kind and size < _GROUP_LIMIT:
                    size += len(one.items)
                    group.append(one)
                else:
                    rest.append(one)
            self._waiting = rest
            await self._store(group)

    async def _store(self, group: list[_Waiting]) -> None:
        try:
            outcomes = await self._database.transaction(accept_group, [item for one in group for item in one.items])
        except Exception as error:
            if len(group) == 1 or isinstance(error, DatabaseAway):
                for one in group:
                    if not one.future.done():
                        one.future.set_exception(error)
                return
            for one in group:
                await self._store([one])
            return
        position = 0
        for one in group:
            if not one.future.done():
                one.future.set_result(outcomes[position : position + len(one.items)])
            position += len(one.items)
