"""The words that search finds: made from the live rows, kept up behind the event stream, made anew from nothing when asked.

    event (entry.*, customer.*, call.*) → look: which records, and their words as they are now → keep → search_*

Invariants:
  * The words of a record are a function of its live rows alone: following, filling and rebuilding give the same.
  * Nothing of this stands in a transaction that takes in messages. What is read and cut into words is read beside the writer;
    a step then only writes rows, and its checkpoint with them, so a crash loses nothing and repeats nothing.
  * A step counts only if the marks stand as they were when it looked: two processes never write what is older over what is
    newer, because what changes a record later is told by a later event.
  * An index that is missing (an upgrade), of older rules (VERSION) or behind events that are pruned already is filled by
    itself, the newest first, in steps that leave the writer half of its time; meanwhile search says how far it is.

What goes takes its words along by its foreign key. Search itself (timeline.search) believes none of this: it looks at the
live rows of whatever is found.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from sqlalchemy import delete, func, select, update

from hub.domain.events import (
    CallChanged,
    CustomerChanged,
    CustomerJoined,
    CustomerParted,
    CustomersBrought,
    EntryAdded,
    EntryChanged,
)
from hub.domain.search_words import document_words
from hub.domain.values import EntryKind
from hub.errors import DatabaseAway
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Stored, Wakes

log = logging.getLogger(__name__)

WAKE = "search"
# Other rules of cutting, folding or of what is found: one more, and every index is made anew.
VERSION = 1

# One step follows at most so many events, or fills so many records. Some 60 µs a record on the writer (docs/performance.md).
WINDOW, FILL = 500, 400
_FORGET = 2_000
# Without a wake it looks by itself this often.
_LOOK_EVERY_S = 1.0
_RETRY_S = 0.5
# Busy floors share a step: well within the second in which a message is to be found.
_PACE_S = 0.2
# While it fills, it rests as long as it worked, and at least so long.
_REST_S = 0.02

# Marks in `projection`: the event followed up to, the rules the index is made by, and what is still to be filled: entries and
# customers with ids up to these, of so many in all; 1 while the old words are removed first.
_FOLLOWED, _MADE_BY = "search", "search.version"
_ENTRIES, _CUSTOMERS, _TOTAL, _FORGETTING = "search.entries", "search.customers", "search.total", "search.forgetting"

_HEEDED = (
    *(EntryAdded.KIND, EntryChanged.KIND, CustomerChanged.KIND, CallChanged.KIND),
    *(CustomerJoined.KIND, CustomerParted.KIND, CustomersBrought.KIND),
)
_MILLISECOND = timedelta(milliseconds=1)
_Y2000 = datetime(2000, 1, 1, tzinfo=UTC)
# An instant in milliseconds takes 41 bits of a place until 2069; what claims to be of another day is of that one.
_PLACE_BITS, _LAST_MS = 22, 2**41 - 1

_e, _p, _cu, _cp = tables.event.c, tables.projection.c, tables.customer.c, tables.contact_point.c
_en, _se, _sc = tables.entry.c, tables.search_entry.c, tables.search_customer.c

Words = tuple[str, ...]


def place_of(at: datetime, entry_id: int) -> int:
    """Where an entry stands among all: by its time, then by its id. Two of one millisecond whose ids are a multiple of four
    million apart would share a place; the one that comes later takes the next."""
    ms = (at - _Y2000) // _MILLISECOND
    return (max(-_LAST_MS, min(ms, _LAST_MS)) << _PLACE_BITS) + entry_id % (1 << _PLACE_BITS)


def first_place(at: datetime) -> int:
    """The first place that an entry of this instant, or of a later one, can have."""
    return place_of(at, 0)


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the index there is, while it is made: of 100, rounded down."""

    percent: int


@dataclass(frozen=True, slots=True)
class _Marks:
    followed: int | None
    made_by: int
    entries: int
    customers: int
    total: int
    forgetting: bool

    @property
    def is_filling(self) -> bool:
        return self.forgetting or self.entries > 0 or self.customers > 0


@dataclass(frozen=True, slots=True)
class _Step:
    """What a look found to be done: the words of these records as they are, None for those that have none (any more)."""

    marks: _Marks
    followed: int
    entries: Mapping[int, tuple[int, Words] | None]
    customers: Mapping[int, Words | None]
    # What is left to be filled after it.
    entries_left: int
    customers_left: int
    is_full: bool


class Indexer:
    """`follow` hears of what changed, `run` keeps the index up."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes

    def follow(self, events: list[Stored]) -> None:
        """A follower for store.stream.Tail."""
        if any(event.kind in _HEEDED for event in events):
            self._wakes.set(WAKE)

    async def run(self) -> None:
        """Waits while the database is away; anything else that goes wrong ends it (and the process, loudly)."""
        is_away = False
        while True:
            began = monotonic()
            try:
                is_behind, is_filling = await index_step(self._database)
            except DatabaseAway as error:
                if not is_away:
                    log.warning("search.away", extra={"detail": error.message})
                is_away = True
                await asyncio.sleep(_RETRY_S)
                continue
            if is_away:
                log.info("search.back")
                is_away = False
            took = monotonic() - began
            if is_behind:
                continue
            if is_filling:
                await asyncio.sleep(max(_REST_S, took))
                continue
            await self._wakes.wait(WAKE, _LOOK_EVERY_S)
            await asyncio.sleep(max(0.0, began + _PACE_S - monotonic()))


async def index_step(database: Database) -> tuple[bool, bool]:
    """One step. (whether there are more events to follow, whether the index is still being made)."""
    step = await database.read(_look)
    if step is None:
        await database.transaction(begin_rebuild)
        return False, True
    if step.marks.forgetting:
        await database.transaction(_forget)
        return False, True
    is_idle = not (step.entries or step.customers or step.marks.is_filling)
    # Events of no concern alone: the checkpoint moves on once they are a window.
    if is_idle and not step.is_full:
        return False, False
    await database.transaction(_keep, step)
    return step.is_full, step.entries_left > 0 or step.customers_left > 0


async def rebuild_index(database: Database, tell: Any = None) -> int:
    """`hub search rebuild`: forgets all words and makes them anew, as fast as it can. `tell(percent)` hears how far it is.
    Safe beside a running hub, and killed in the middle any hub goes on with it. Returns how many records have words."""
    await database.transaction(begin_rebuild)
    told = -1
    while True:
        is_behind, is_filling = await index_step(database)
        progress = await database.read(load_progress)
        percent = 100 if progress is None else progress.percent
        if tell is not None and percent != told:
            tell(percent)
            told = percent
        if not is_behind and not is_filling and progress is None:
            return await database.read(_count)


# --- units of work ------------------------------------------------------------------------------------------------------


def load_progress(tx: Tx) -> Progress | None:
    """None: the index is whole."""
    marks = _load_marks(tx)
    if marks.followed is None or marks.made_by != VERSION:
        return Progress(0)
    if not marks.is_filling:
        return None
    if marks.forgetting or marks.total == 0:
        return Progress(0)
    return Progress(min(99, 100 * (marks.total - marks.entries - marks.customers) // marks.total))


def begin_rebuild(tx: Tx) -> None:
    """From here on all words are removed first, then made anew; what changes meanwhile is followed from now."""
    _lock(tx)
    entries = int(tx.scalar(select(func.max(_en.id))) or 0)
    customers = int(tx.scalar(select(func.max(_cu.id))) or 0)
    head = int(tx.scalar(select(func.max(_e.seq))) or 0)
    pruned_to = int(tx.scalar(select(tables.stream.c.pruned_to)) or 0)
    _set_marks(
        tx,
        {
            _FOLLOWED: max(head, pruned_to),
            _MADE_BY: VERSION,
            _ENTRIES: entries,
            _CUSTOMERS: customers,
            _TOTAL: entries + customers,
            _FORGETTING: 1,
        },
    )


def _look(tx: Tx) -> _Step | None:
    """What is to be done next, without doing any of it; None: the index has to be made anew."""
    marks = _load_marks(tx)
    if marks.followed is None or marks.made_by != VERSION:
        return None
    if marks.followed < int(tx.scalar(select(tables.stream.c.pruned_to)) or 0):
        # What changed meanwhile can no longer be told.
        return None
    if marks.forgetting:
        return _Step(marks, marks.followed, {}, {}, marks.entries, marks.customers, False)
    entry_ids, customer_ids, end, is_full = _changed(tx, marks.followed)
    entries_left, customers_left = marks.entries, marks.customers
    if not is_full and marks.customers > 0:
        # Customers first: there are few of them, and they are what is looked for most.
        customers_left = max(0, marks.customers - FILL)
        customer_ids |= set(_ids(tx, _cu.id, customers_left, marks.customers))
    elif not is_full and marks.entries > 0:
        entries_left = max(0, marks.entries - FILL)
        entry_ids |= set(_ids(tx, _en.id, entries_left, marks.entries))
    return _Step(
        marks,
        end,
        _entry_words(tx, entry_ids),
        _customer_words(tx, customer_ids),
        entries_left,
        customers_left,
        is_full,
    )


def _keep(tx: Tx, step: _Step) -> None:
    _lock(tx)
    if _load_marks(tx) != step.marks:
        # Another process was here first; the next look finds what is left.
        return
    _store_entries(tx, step.entries)
    _store_customers(tx, step.customers)
    _set_marks(tx, {_FOLLOWED: step.followed, _ENTRIES: step.entries_left, _CUSTOMERS: step.customers_left})


def _forget(tx: Tx) -> None:
    _lock(tx)
    for table in (tables.search_entry, tables.search_customer):
        key = next(iter(table.primary_key))
        some = select(key).limit(_FORGET)
        if tx.execute(delete(table).where(key.in_(some.scalar_subquery()))).rowcount:
            return
    _set_marks(tx, {_FORGETTING: 0})


def _ids(tx: Tx, column: Any, above: int, up_to: int) -> list[int]:
    return [row[0] for row in tx.rows(select(column).where(column > above, column <= up_to))]


def _changed(tx: Tx, cursor: int) -> tuple[set[int], set[int], int, bool]:
    """(entries, customers, the last event looked at, whether the window was full) of the next events."""
    window = select(_e.seq).where(_e.seq > cursor).order_by(_e.seq).limit(WINDOW).subquery()
    row = tx.execute(select(func.max(window.c.seq).label("end"), func.count().label("size")).select_from(window)).one()
    if not row.size:
        return set(), set(), cursor, False
    entries: set[int] = set()
    customers: set[int] = set()
    writers: set[int] = set()
    calls: set[int] = set()
    found = select(_e.seq, _e.kind, _e.body).where(_e.seq > cursor, _e.seq <= row.end, _e.kind.in_(_HEEDED))
    end, is_full = int(row.end), row.size == WINDOW
    for event in tx.rows(found.order_by(_e.seq)):
        kind, told = event.kind, json.loads(event.body)
        if kind in (EntryAdded.KIND, EntryChanged.KIND):
            entries.add(told["entry"]["id"])
            writers.add(told["entry"]["customer_id"])
        elif kind == CallChanged.KIND:
            calls.add(told["call"]["id"])
        elif kind == CustomerChanged.KIND:
            customers.add(told["customer"]["id"])
        elif kind == CustomersBrought.KIND:
            customers.update(told["customer_ids"])
            if len(customers) >= FILL:
                # A batch of an import is a step's work.
                end, is_full = event.seq, True
                break
        else:
            customers |= {told["customer_id"], told["into_id"]}
    if calls:
        ca = tables.call.c
        entries |= {row[0] for row in tx.rows(select(ca.entry_id).where(ca.id.in_(calls), ca.entry_id.is_not(None)))}
    # Whoever writes for the first time has a card from then on, and no event tells of it.
    known = (
        {row[0] for row in tx.rows(select(_sc.customer_id).where(_sc.customer_id.in_(writers)))} if writers else set()
    )
    return entries, customers | (writers - known), end, is_full


# --- the words of records -----------------------------------------------------------------------------------------------


def _entry_words(tx: Tx, ids: Collection[int]) -> dict[int, tuple[int, Words] | None]:
    words: dict[int, tuple[int, Words] | None] = dict.fromkeys(ids)
    if not ids:
        return words
    rows = tx.rows(
        select(_en.id, _en.at, _en.kind, _en.text, _en.data, _en.call_id, _en.has_attachments).where(_en.id.in_(ids))
    )
    besides = load_texts_beside(tx, rows)
    for row in rows:
        found = document_words([row.text, *besides.get(row.id, ())])
        if found:
            words[row.id] = (place_of(row.at, row.id), found)
    return words


def load_texts_beside(tx: Tx, rows: Iterable[Any]) -> dict[int, list[str]]:
    """What is found of entries (id, kind, data, call_id, has_attachments) beside their text: a mail's subject, the names of
    files, the note of who passed it on, and what was written down of a call."""
    beside: dict[int, list[str]] = {}
    rows = list(rows)
    messages = [row.id for row in rows if row.kind == EntryKind.MESSAGE.value]
    m, a, s = tables.mail.c, tables.attachment.c, tables.call_segment.c
    if messages:
        for mail in tx.rows(select(m.entry_id, m.subject).where(m.entry_id.in_(messages))):
            beside.setdefault(mail.entry_id, []).append(mail.subject)
    with_files = [row.id for row in rows if row.has_attachments]
    if with_files:
        for file in tx.rows(select(a.entry_id, a.name).where(a.entry_id.in_(with_files)).order_by(a.id)):
            beside.setdefault(file.entry_id, []).append(file.name)
    for row in rows:
        if row.data and isinstance(note := row.data.get("note"), str):
            beside.setdefault(row.id, []).append(note)
    by_call = {row.call_id: row.id for row in rows if row.call_id is not None}
    if by_call:
        for part in tx.rows(
            select(s.call_id, s.disposition, s.note).where(s.call_id.in_(by_call)).order_by(s.call_id, s.id)
        ):
            beside.setdefault(by_call[part.call_id], []).extend(each for each in (part.note, part.disposition) if each)
    return beside


def _customer_words(tx: Tx, ids: Collection[int]) -> dict[int, Words | None]:
    words: dict[int, Words | None] = dict.fromkeys(ids)
    if not ids:
        return words
    addresses: dict[int, list[str]] = {}
    for point in tx.rows(
        select(_cp.customer_id, _cp.kind, _cp.address)
        .where(_cp.customer_id.in_(ids), _cp.removed_at.is_(None))
        .order_by(_cp.id)
    ):
        if point.kind != "chat":  # a random word that nobody knows
            addresses.setdefault(point.customer_id, []).append(point.address)
    for row in tx.rows(
        select(tables.customer).where(_cu.id.in_(ids), _cu.merged_into.is_(None), _cu.erased_at.is_(None))
    ):
        found = document_words([*addresses.get(row.id, ()), *card_texts(row)], [row.name, row.company])
        if found:
            words[row.id] = found
    return words


def card_texts(row: Any) -> list[str]:
    """What is found of a card beside names and addresses: the note, what they do and where, tags, and what was filled in."""
    known = (row.note, row.job_title, row.region, row.town, row.district, row.street, row.postcode, row.source)
    values = [each for value in (row.fields or {}).values() for each in (value if _is_list(value) else [value])]
    return [*known, *(row.tags or ()), *(str(each) for each in values if not isinstance(each, bool | None))]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _store_entries(tx: Tx, words: Mapping[int, tuple[int, Words] | None]) -> None:
    if not words:
        return
    tx.execute(delete(tables.search_entry).where(_se.entry_id.in_(words)))
    # An entry that is gone since the look has no row that its words could stand for.
    there = _locked(tx, _en.id, [entry_id for entry_id, found in words.items() if found is not None])
    rows = []
    wanted = {found[0] for found in words.values() if found is not None}
    taken = {row[0] for row in tx.rows(select(_se.place).where(_se.place.in_(wanted)))} if wanted else set()
    for entry_id in sorted(there):
        place, found = words[entry_id] or (0, ())
        while place in taken:
            place += 1
            if place not in wanted and tx.first(select(_se.place).where(_se.place == place)) is not None:
                taken.add(place)
        taken.add(place)
        rows.append({"place": place, "entry_id": entry_id, "words": found})
    tx.insert_new(tables.search_entry, rows)


def _store_customers(tx: Tx, words: Mapping[int, Words | None]) -> None:
    if not words:
        return
    tx.execute(delete(tables.search_customer).where(_sc.customer_id.in_(words)))
    there = _locked(tx, _cu.id, [customer_id for customer_id, found in words.items() if found is not None])
    rows = [{"customer_id": customer_id, "words": words[customer_id] or ()} for customer_id in sorted(there)]
    tx.insert_new(tables.search_customer, rows)


def _locked(tx: Tx, column: Any, ids: Collection[int]) -> set[int]:
    """Those of these rows that are there, and stay until the commit."""
    if not ids:
        return set()
    query = select(column).where(column.in_(ids)).order_by(column).with_for_update(read=True, key_share=True)
    return {row[0] for row in tx.rows(query)}


# --- marks --------------------------------------------------------------------------------------------------------------


def _load_marks(tx: Tx) -> _Marks:
    names = (_FOLLOWED, _MADE_BY, _ENTRIES, _CUSTOMERS, _TOTAL, _FORGETTING)
    found = {row.name: int(row.seq) for row in tx.rows(select(_p.name, _p.seq).where(_p.name.in_(names)))}
    return _Marks(
        followed=found.get(_FOLLOWED),
        made_by=found.get(_MADE_BY, 0),
        entries=found.get(_ENTRIES, 0),
        customers=found.get(_CUSTOMERS, 0),
        total=found.get(_TOTAL, 0),
        forgetting=bool(found.get(_FORGETTING)),
    )


def _lock(tx: Tx) -> None:
    """One at a time writes the index. The marks are a checkpoint of a projector, with its place in the lock order."""
    wanted = select(_p.seq).where(_p.name == _MADE_BY).with_for_update()
    if tx.scalar(wanted) is None:
        tx.insert_new(tables.projection, [{"name": _MADE_BY, "seq": 0}])
        tx.scalar(wanted)


def _set_marks(tx: Tx, marks: Mapping[str, int]) -> None:
    for name, seq in marks.items():
        if not tx.execute(update(tables.projection).where(_p.name == name).values(seq=seq)).rowcount:
            tx.insert_new(tables.projection, [{"name": name, "seq": seq}])


def _count(tx: Tx) -> int:
    return int(tx.scalar(select(func.count()).select_from(tables.search_entry))) + int(
        tx.scalar(select(func.count()).select_from(tables.search_customer))
    )
