"""Search: customers, messages, notes and calls by the words in them.

    parse_query → the index (newest first, in bounded chunks) → the live rows: are they there, may the viewer see them, do
    they fit the filters → a page of hits, each with the piece of its text in which the words stand

Customers come first, the best fits before others; then everything that was said or written down, the newest first.

Invariants:
  * A hit is a live row that the viewer may see at this moment, by the same rules as lists: conversations.visible_to,
    conversations.readable_by, customers.visible_to. The index only proposes.
  * A request looks at a bounded number of proposals. A page may therefore be short, or empty, and still have a cursor:
    whoever goes on gets to the end, and nothing is passed over or told twice.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Row, any_, bindparam, or_, select, text

from hub.agents.viewer import Viewer
from hub.domain.folding import composed, words_in
from hub.domain.search_words import (
    SnippetPart,
    Wanted,
    fts5,
    has_match,
    parse_query,
    snippet,
    tsquery,
    without_begins,
    without_keys,
)
from hub.domain.states import ConversationStatus
from hub.domain.values import ChannelKind, EntryKind, Happening
from hub.domain.views import CustomerView
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, customers
from hub.timeline.search_index import Progress, card_texts, first_place, load_progress, load_texts_beside

# Customers above everything else on the first page, when all kinds are looked for.
_FIRST_CUSTOMERS = 5
# Of so many customers that fit, the newest, the best are told first; the rest is for a better question. Fewer are looked at
# where five are shown.
_CUSTOMERS, _SOME_CUSTOMERS = 1_000, 200
_MOST_CUSTOMERS = 20_000
# Proposals of the index that one request looks at: first as many as fill most pages, then more at a time.
_CHUNKS = (200, 1_000, 3_000)
# PostgreSQL: a question that fits fewer rows than this is answered at once; of others only this stretch of places is looked
# through, and more of them where that did not do. Its index tells places in no order.
_FEW, _STRETCH = 2_000, 20_000
_MAX_PLACE = 2**63 - 1

_c, _e, _ch = tables.conversation.c, tables.entry.c, tables.channel.c
_cu, _se, _sc = tables.customer.c, tables.search_entry.c, tables.search_customer.c


class HitKind(StrEnum):
    CUSTOMER = "customer"
    MESSAGE = "message"
    NOTE = "note"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Filters:
    """What a hit has to be besides; None is anything. `agent_id`: who wrote it or holds its conversation. `since` <= at <
    `until`. Customers are found only where nothing is asked of conversations."""

    kind: HitKind | None = None
    channel: ChannelKind | None = None
    queue_id: int | None = None
    agent_id: int | None = None
    status: ConversationStatus | None = None
    tag: str | None = None
    topic_id: int | None = None
    customer_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_of_conversations(self) -> bool:
        asked = (
            self.channel,
            self.queue_id,
            self.agent_id,
            self.status,
            self.tag,
            self.topic_id,
            self.since,
            self.until,
        )
        return any(each is not None for each in asked)

    def between(self, since: datetime | None, until: datetime | None) -> Filters:
        return replace(self, since=since, until=until)


@dataclass(frozen=True, slots=True)
class SearchHit:
    """What was found. `name`, `title` (a subject, an address) and `snippet` are parts, some of which are matches. `entry_id`
    is the line to be opened in `conversation_id`; a customer's hit has neither."""

    kind: HitKind
    customer_id: int
    name: tuple[SnippetPart, ...]
    title: tuple[SnippetPart, ...]
    snippet: tuple[SnippetPart, ...]
    at: datetime
    conversation_id: int | None = None
    entry_id: int | None = None
    channel_kind: ChannelKind | None = None
    direction: str | None = None
    author: str = ""
    status: ConversationStatus | None = None
    happening: Happening | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page begins: at this customer of all in their order, or below this place."""

    customers: int | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    hits: list[SearchHit]
    cursor: Cursor | None
    progress: Progress | None


def search(
    tx: Tx, viewer: Viewer, query: str, filters: Filters, *, cursor: Cursor | None = None, limit: int = 50
) -> Found:
    """A page of hits; nothing for a query without a word. InvalidInput naming `q` if it is too long."""
    wanted = parse_query(query)
    progress = load_progress(tx)
    if not wanted:
        return Found([], None, progress)
    hits: list[SearchHit] = []
    only_customers = filters.kind is HitKind.CUSTOMER
    if only_customers or (filters.kind is None and cursor is None and not filters.is_of_conversations):
        start = cursor.customers or 0 if cursor is not None else 0
        found, more = _find_customers(tx, viewer, wanted, filters, start, limit if only_customers else _FIRST_CUSTOMERS)
        hits += found
        if only_customers:
            return Found(hits, Cursor(customers=start + len(found)) if more else None, progress)
    below = cursor.place if cursor is not None and cursor.place is not None else _MAX_PLACE
    rows, rest = _find_entries(tx, viewer, wanted, filters, below, max(1, limit - len(hits)))
    hits += _entry_hits(tx, rows, wanted)
    return Found(hits, Cursor(place=rest) if rest is not None else None, progress)


def among(tx: Tx, column: Any, name: str) -> Any:
    """The condition that `column` is one of the ids in the parameter `name` (of `many`), however many: a list of thousands of
    parameters costs more than what is done with it."""
    if tx.is_postgresql:
        return column == any_(bindparam(name, type_=ARRAY(BigInteger)))
    return column.in_(text(f"SELECT value FROM json_each(:{name})"))  # noqa: S608  # a name of ours


def many(tx: Tx, ids: Sequence[int]) -> Any:
    return list(ids) if tx.is_postgresql else json.dumps(list(ids))


# --- customers ----------------------------------------------------------------------------------------------------------


def _find_customers(
    tx: Tx, viewer: Viewer, wanted: Wanted, filters: Filters, start: int, limit: int
) -> tuple[list[SearchHit], bool]:
    query = select(_cu.id, _cu.name).where(among(tx, _cu.id, "ids"), _cu.merged_into.is_(None))
    if filters.customer_id is not None:
        query = query.where(_cu.id == filters.customer_id)
    if (condition := customers.visible_to(viewer)) is not None:
        query = query.where(condition)
    count = _CUSTOMERS if filters.kind is HitKind.CUSTOMER else _SOME_CUSTOMERS
    while True:
        ids = _propose_customers(tx, wanted, count)
        rows = tx.rows(query, {"ids": many(tx, ids)})
        # Whoever sees few of those that fit is shown older ones instead, as far as that is not the whole house.
        if condition is None or len(ids) < count or len(rows) > start + limit or count >= _MOST_CUSTOMERS:
            break
        count *= 5
    ranked = sorted(rows, key=lambda row: (_worth(row.name, wanted), -row.id))
    chosen = [row.id for row in ranked[start : start + limit]]
    views = customers.load_customers(tx, chosen)
    return [_customer_hit(views[customer_id], wanted) for customer_id in chosen], len(ranked) > start + limit


def _propose_customers(tx: Tx, wanted: Wanted, limit: int) -> list[int]:
    """Who fits, the newest first; if there are many, those first who have the words and not only their begins."""
    found = _fitting_customers(tx, wanted, limit)
    if len(found) < limit:
        return found
    whole = _fitting_customers(tx, without_begins(wanted), limit)
    return list(dict.fromkeys([*whole, *found]))[:limit]


def _fitting_customers(tx: Tx, wanted: Wanted, limit: int) -> list[int]:
    if tx.is_postgresql:
        query = select(_sc.customer_id).where(text("words @@ CAST(:wanted AS tsquery)"))
        query = query.order_by(_sc.customer_id.desc()).limit(limit)
        return [row[0] for row in tx.rows(query, {"wanted": tsquery(wanted)})]
    found = (
        "SELECT rowid FROM search_customer_words WHERE search_customer_words MATCH :wanted ORDER BY rowid DESC LIMIT :n"
    )
    return [row[0] for row in tx.rows(text(found), {"wanted": fts5(wanted), "n": limit})]


def _worth(name: str, wanted: Wanted) -> int:
    """0 for whoever is called just so, then whose name has all the words, has their begins, sounds so; last who was found by
    an address or a note."""
    words = [word.folded for word in words_in(composed(name))]
    asked = [word for term in wanted for word in term.words]
    if words == asked:
        return 0
    if all(word in words for word in asked):
        return 1
    if all(any(word.startswith(each) for word in words) for each in asked):
        return 2
    return 3 if all(has_match(name, (term,)) for term in wanted) else 4


def _customer_hit(view: CustomerView, wanted: Wanted) -> SearchHit:
    addresses = [point.address for point in view.contact_points if point.kind != "chat"]
    matched = [address for address in addresses if has_match(address, wanted)]
    beside = [text for text in [view.company, *card_texts(view)] if text and has_match(text, wanted)]
    return SearchHit(
        kind=HitKind.CUSTOMER,
        customer_id=view.id,
        name=tuple(snippet([view.name], wanted)),
        title=tuple(snippet([", ".join((matched or addresses)[:3])], wanted)),
        snippet=tuple(snippet([" · ".join(beside)], wanted)) if beside else (),
        at=view.created_at,
    )


# --- what was said and written down -------------------------------------------------------------------------------------

_HITS = (
    select(
        _se.place,
        _e.id,
        _e.customer_id,
        _e.conversation_id,
        _e.kind,
        _e.direction,
        _e.author_kind,
        _e.author_name,
        _e.text,
        _e.at,
        _e.data,
        _e.happening,
        _e.call_id,
        _e.has_attachments,
        _cu.name,
        _c.status,
        _ch.kind.label("channel_kind"),
    )
    .join(tables.entry, _e.id == _se.entry_id)
    .join(tables.conversation, _c.id == _e.conversation_id)
    .join(tables.channel, _ch.id == _c.channel_id)
    .join(tables.customer, _cu.id == _c.customer_id)
    .order_by(_se.place.desc())
)


def _conditions(viewer: Viewer, filters: Filters) -> list[Any]:
    conditions = [conversations.readable_by(viewer)]
    if (visible := conversations.visible_to(viewer.role, viewer.user_id, viewer.queue_ids)) is not None:
        conditions.append(visible)
    of_kind = {
        HitKind.MESSAGE: _e.kind == EntryKind.MESSAGE.value,
        # What was noted when a conversation was passed on, and what a customer said with a score, are read as notes are.
        HitKind.NOTE: (_e.kind != EntryKind.MESSAGE.value) & _e.call_id.is_(None),
        HitKind.CALL: _e.call_id.is_not(None),
    }
    if filters.kind is not None:
        conditions.append(of_kind[filters.kind])
    if filters.agent_id is not None:
        conditions.append(or_(_e.author_id == filters.agent_id, _c.assignee_id == filters.agent_id))
    if filters.tag is not None:
        conditions.append(conversations.has_tag(filters.tag))
    plain = (
        (_ch.kind, filters.channel and filters.channel.value),
        (_c.queue_id, filters.queue_id),
        (_c.status, filters.status and filters.status.value),
        (_c.topic_id, filters.topic_id),
        (_c.customer_id, filters.customer_id),
    )
    conditions += [column == value for column, value in plain if value is not None]
    if filters.since is not None:
        conditions.append(_e.at >= filters.since)
    if filters.until is not None:
        conditions.append(_e.at < filters.until)
    return conditions


def _find_entries(
    tx: Tx, viewer: Viewer, wanted: Wanted, filters: Filters, below: int, limit: int
) -> tuple[list[Row[Any]], int | None]:
    """(rows, the place below which the next page begins; None: there is nothing more)."""
    if filters.until is not None:
        below = min(below, first_place(filters.until) + (1 << 22))
    above = first_place(filters.since) - 1 if filters.since is not None else -_MAX_PLACE
    query = _HITS.where(among(tx, _se.place, "places"), *_conditions(viewer, filters))
    rows: list[Row[Any]] = []
    proposals = _Proposals(tx, without_keys(wanted), above)
    rest: int | None = below
    for size in _CHUNKS:
        if rest is None:
            break
        places, rest = proposals.next(rest, size)
        rows += tx.rows(query, {"places": many(tx, places)}) if places else ()
        if len(rows) > limit:
            return rows[:limit], int(rows[limit - 1].place)
        if len(rows) == limit:
            break
    return rows, rest


class _Proposals:
    """The places of entries that the index has for a question, the newest first."""

    def __init__(self, tx: Tx, wanted: Wanted, above: int) -> None:
        self._tx = tx
        self._above = above
        self._all: list[int] | None = None
        self._looked_for_few = False
        self._wanted = tsquery(wanted) if tx.is_postgresql else fts5(wanted)

    def next(self, below: int, size: int) -> tuple[list[int], int | None]:
        """(some places under `below`, at most `size`; the place under which to go on, None: there are no more). There may be
        more though there are none of these."""
        if self._tx.is_postgresql:
            return self._next_of_postgresql(below, size)
        found = (
            "SELECT rowid FROM search_entry_words WHERE search_entry_words MATCH :wanted"
            " AND rowid < :below AND rowid > :above ORDER BY rowid DESC LIMIT :n"
        )
        places = self._places(text(found), below, size)
        return places, places[-1] if len(places) == size else None

    def _next_of_postgresql(self, below: int, size: int) -> tuple[list[int], int | None]:
        fits = "words @@ CAST(:wanted AS tsquery) AND place < :below AND place > :above"
        if not self._looked_for_few:
            self._looked_for_few = True
            few = self._places(text(f"SELECT place FROM search_entry WHERE {fits} LIMIT :n"), below, _FEW + 1)  # noqa: S608
            if len(few) <= _FEW:
                self._all = sorted(few, reverse=True)
        if self._all is not None:
            left = [place for place in self._all if place < below]
            return left[:size], left[size - 1] if len(left) > size else None
        # Of every place in a stretch the database knows at once whether it fits; its index knows so only of all there are.
        stretch = (
            "SELECT min(place) FROM (SELECT place FROM search_entry WHERE place < :below AND place > :above"
            " ORDER BY place DESC LIMIT :n) AS stretch"
        )
        count = _STRETCH * max(1, size // _CHUNKS[0])
        down_to = self._tx.scalar(text(stretch), {"below": below, "above": self._above, "n": count})
        if down_to is None:
            return [], None
        found = text(f"SELECT place FROM search_entry WHERE {fits} ORDER BY place DESC LIMIT :n")  # noqa: S608
        parameters = {"wanted": self._wanted, "below": below, "above": int(down_to) - 1, "n": size}
        places = [int(row[0]) for row in self._tx.rows(found, parameters)]
        return places, places[-1] if len(places) == size else int(down_to)

    def _places(self, query: Any, below: int, size: int) -> list[int]:
        parameters = {"wanted": self._wanted, "below": below, "above": self._above, "n": size}
        return [int(row[0]) for row in self._tx.rows(query, parameters)]


def _entry_hits(tx: Tx, rows: Sequence[Row[Any]], wanted: Wanted) -> list[SearchHit]:
    beside = load_texts_beside(tx, rows)
    subjects = _load_subjects(tx, [row.id for row in rows])
    return [_entry_hit(row, beside.get(row.id, []), subjects.get(row.id), wanted) for row in rows]


def _load_subjects(tx: Tx, ids: Collection[int]) -> dict[int, str]:
    m = tables.mail.c
    if not ids:
        return {}
    return {row.entry_id: row.subject for row in tx.rows(select(m.entry_id, m.subject).where(m.entry_id.in_(ids)))}


def _entry_hit(row: Row[Any], beside: Iterable[str], subject: str | None, wanted: Wanted) -> SearchHit:
    kind = HitKind.NOTE
    if row.call_id is not None:
        kind = HitKind.CALL
    elif row.kind == EntryKind.MESSAGE.value:
        kind = HitKind.MESSAGE
    return SearchHit(
        kind=kind,
        customer_id=row.customer_id,
        name=tuple(snippet([row.name], wanted)),
        title=tuple(snippet([subject], wanted)) if subject else (),
        snippet=tuple(snippet([row.text, *(each for each in beside if each != subject)], wanted)),
        at=row.at,
        conversation_id=row.conversation_id,
        entry_id=row.id,
        channel_kind=ChannelKind(row.channel_kind),
        direction=row.direction,
        author=row.author_name,
        status=ConversationStatus(row.status),
        happening=Happening(row.happening) if row.happening else None,
    )


# --- conversations that have such words ---------------------------------------------------------------------------------


def conversations_with(tx: Tx, viewer: Viewer, query: str) -> Any | None:
    """The condition on `conversation` that says where these words are: in the newest of its lines that have them (10,000 over
    all) and that the viewer may read, or in its customer's card. None if there is no word in the query."""
    wanted = parse_query(query)
    if not wanted:
        return None
    proposals = _Proposals(tx, without_keys(wanted), -_MAX_PLACE)
    places: list[int] = []
    rest: int | None = _MAX_PLACE
    while rest is not None and len(places) < 10_000:
        some, rest = proposals.next(rest, 8_000)
        places += some
    lines = select(_e.conversation_id).join(tables.search_entry, _se.entry_id == _e.id).distinct()
    lines = lines.where(among(tx, _se.place, "places"), conversations.readable_by(viewer))
    ids = {row[0] for row in tx.rows(lines, {"places": many(tx, places)})}
    return _c.id.in_(sorted(ids)) | _c.customer_id.in_(_propose_customers(tx, wanted, _CUSTOMERS))
