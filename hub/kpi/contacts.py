"""The contacts behind a figure: its cases one by one, so that every number can be opened.

A list is of one measure and of the same facts from which its cells were folded: as many items as the figure's `n` says.
Newest first, a page at a time, by the instant that says to which day a fact belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from heapq import merge
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, or_, select, tuple_

from hub.domain.events import (
    CallEnded,
    CallMissed,
    CallSegmentEnded,
    ContactBegan,
    ConversationResolved,
    OfferOver,
    QueueVisitEnded,
    SegmentEnded,
    SurveyAnswered,
)
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput
from hub.kpi.belonging import load_kinds, load_placing
from hub.kpi.cells import Cell, Dim
from hub.kpi.days import start_of, wall_ms
from hub.kpi.fact_rows import DATED_BY, KINDS, TABLES, Kept, dims_of, load_kept, of
from hub.kpi.figures import NO_FILTERS, Filters, Query, check_query
from hub.kpi.folding import BARE, Part, fold
from hub.kpi.measures import DEFAULTS, MEASURES, Measure, Params, sources_of
from hub.kpi.placing import Placing
from hub.store import tables
from hub.store.database import Tx

PAGE_LIMIT = 200
# So many facts are looked at for one page at most, so that it is bounded even where hardly any fact is a case.
LOOK_LIMIT = 10_000
_BATCH = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# A number of 64 bits has no more.
_DIGITS = 18


@dataclass(frozen=True, slots=True)
class ContactsQuery:
    """Of which figure: `since` and `until` are local days, both included; `dim_id` whose figure it was (none: of everything).
    `start` and `end`, together and within those days, narrow it to one interval. `cursor`: what the page before told."""

    measure: str
    since: date
    until: date
    by: Dim = Dim.ALL
    dim_id: str | None = None
    filters: Filters = NO_FILTERS
    params: Params = DEFAULTS
    start: datetime | None = None
    end: datetime | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Contact:
    """One case. `value`: what it adds to the figure, in the measure's unit (seconds, a score; a share: 1 counted, 0 did not);
    `what`: how it went, in the fact's own word (answered, abandoned, transferred …); `wait_s`: how long the customer
    waited in the queue, where the case is a stay in one."""

    conversation_id: int
    customer_name: str | None
    channel_id: str | None
    queue_id: int | None
    agent_id: int | None
    at: datetime
    value: float | None
    what: str
    wait_s: float | None = None
    customer_is_erased: bool = False


@dataclass(frozen=True, slots=True)
class Contacts:
    items: tuple[Contact, ...]
    next_cursor: str | None


def load_contacts(tx: Tx, query: ContactsQuery, now: datetime) -> Contacts:
    """A page; it may be shorter than its limit and yet not the last, where cases are few among the facts. InvalidInput names
    what is asked wrongly."""
    measure = _check(query)
    page = _Page(tx, query, measure, load_placing(tx), load_kinds(tx))
    found: list[tuple[_Place, Contact]] = []
    place: _Place | None = None
    for looked, (place, kept) in enumerate(page.facts(), start=1):
        contact = page.case(kept)
        if contact is not None:
            found.append((place, contact))
        if len(found) == query.limit or looked == LOOK_LIMIT:
            break
    else:
        place = None
    customers = _load_customers(tx, {contact.conversation_id for _, contact in found})
    items = tuple(_of(contact, customers.get(contact.conversation_id)) for _, contact in found)
    return Contacts(items, None if place is None else _written(place))


def _check(query: ContactsQuery) -> Measure:
    measure = MEASURES.get(query.measure)
    if measure is not None and not measure.has_contacts:
        raise InvalidInput(
            "There is no list.",
            fields={"measure": Sentence("{measure} is time, not a number of cases", measure=measure.id)},
        )
    if not 1 <= query.limit <= PAGE_LIMIT:
        raise InvalidInput(
            "There is no such page.", fields={"limit": Sentence("must be {least} to {most}", least=1, most=PAGE_LIMIT)}
        )
    if query.by is not Dim.ALL and query.dim_id is None:
        raise InvalidInput("Whose contacts?", fields={"id": Sentence("say which")})
    if (query.start is None) != (query.end is None):
        raise InvalidInput("There is no such interval.", fields={"start": Sentence("goes with its end")})
    ids = () if query.dim_id is None else (query.dim_id,)
    asked = Query((query.measure,), query.since, query.until, by=query.by, ids=ids, filters=query.filters)
    check_query(replace(asked, params=query.params))
    return MEASURES[query.measure]


# --- in the order of the page --------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Where a fact stands in the list, which goes down: when, which of the measure's sources, its key."""

    at: datetime
    source: int
    key: tuple[int, ...]


def _written(place: _Place) -> str:
    numbers = ((place.at - _EPOCH) // _MICROSECOND, place.source, *place.key)
    return "-".join(map(str, numbers))


def _read(cursor: str, kinds: Sequence[type[Any]]) -> _Place:
    """`kinds`: the measure's sources."""
    try:
        at, source, *key = (int(number) for number in cursor.split("-") if len(number) <= _DIGITS)
        if len(key) != len(TABLES[kinds[source]].primary_key):
            raise ValueError("a key of another table")
        return _Place(_EPOCH + at * _MICROSECOND, source, tuple(key))
    except (ValueError, IndexError, OverflowError) as error:
        raise InvalidInput(
            "There is no such page.", fields={"cursor": Sentence("is not a cursor that this list gave")}
        ) from error


class _Page:
    """The facts that a query is about, newest first from its cursor on, and which of them are cases."""

    def __init__(
        self, tx: Tx, query: ContactsQuery, measure: Measure, placing: Placing, kinds: Mapping[str, str]
    ) -> None:
        self._tx = tx
        self._query = query
        self._measure = measure
        self._placing = placing
        self._kinds = kinds
        # Others make a difference to these, or belong to another instant: they are no cases.
        self._sources = [KINDS[name] for name in sources_of(measure) if DATED_BY[KINDS[name]] == measure.day_by]
        self._after = None if query.cursor is None else _read(query.cursor, self._sources)
        start, end = start_of(query.since, placing.zone), start_of(query.until + timedelta(days=1), placing.zone)
        if placing.team_zones:
            start, end = start - timedelta(days=1), end + timedelta(days=1)
        self._start, self._end = query.start or start, query.end or end
        ids: dict[Dim, set[str]] = {dim: set(wanted) for dim, wanted in query.filters.by_dim() if dim is not Dim.TEAM}
        teams = [set(query.filters.teams)] if query.filters.teams else []
        if query.by is Dim.TEAM and query.dim_id is not None:
            teams.append({query.dim_id})
        elif query.by is not Dim.ALL and query.dim_id is not None:
            ids[query.by] = ids.get(query.by, {query.dim_id}) & {query.dim_id}
        self._ids = ids
        self._teams = teams
        # Who was ever in those teams; when, is looked at fact by fact.
        for wanted in teams:
            members = {
                str(user)
                for user, memberships in placing.memberships.items()
                if any(str(membership.team_id) in wanted for membership in memberships)
            }
            self._ids[Dim.AGENT] = self._ids.get(Dim.AGENT, members) & members
        self._first: set[int] = set()

    def facts(self) -> Iterator[tuple[_Place, Kept]]:
        """All of them, whatever the measure counts."""
        sources = [(number, kind) for number, kind in enumerate(self._sources) if set(self._ids) <= dims_of(kind)]
        return merge(*(self._of(number, kind) for number, kind in sources), key=itemgetter(0), reverse=True)

    def _of(self, source: int, kind: type[Any]) -> Iterator[tuple[_Place, Kept]]:
        c = TABLES[kind].c
        at, keys = c[DATED_BY[kind]], tuple(TABLES[kind].primary_key)
        names = [key.name for key in keys]
        where = [at >= self._start, at < self._end, *of(kind, self._ids)]
        before = self._after
        while True:
            beyond = []
            if before is not None:
                if before.source == source:
                    beyond = [or_(at < before.at, and_(at == before.at, tuple_(*keys) < before.key))]
                else:
                    beyond = [at <= before.at if source < before.source else at < before.at]
            order = (at.desc(), *(key.desc() for key in keys))
            rows = load_kept(self._tx, kind, *where, *beyond, limit=_BATCH, order=order)
            if kind is SegmentEnded and "contacts" in self._measure.reads:
                self._first |= self._first_holds(rows)
            for kept in rows:
                key = tuple(getattr(kept.fact, name) for name in names)
                yield _Place(getattr(kept.fact, DATED_BY[kind]), source, key), kept
            if len(rows) < _BATCH:
                return
            last = rows[-1].fact
            before = _Place(getattr(last, DATED_BY[kind]), source, tuple(getattr(last, name) for name in names))

    # --- what counts ---

    def case(self, kept: Kept) -> Contact | None:
        """What a fact adds to the figure; None: it is no case of it. One fact alone is a cell, so the measure says it."""
        counts: dict[str, int] = {}
        durations: dict[str, int] = {}
        for part in fold(kept.fact, kept.extra, self._kinds):
            if self._is_in(part):
                counts |= part.counts
                durations |= part.durations
        if isinstance(kept.fact, SegmentEnded) and kept.fact.assignment_id in self._first:
            counts["contacts"] = 1
        figure = self._measure.of(Cell(counts), self._query.params)
        if not figure.n:
            return None
        fact: Any = kept.fact
        value = figure.value
        if isinstance(fact, SurveyAnswered):
            value = float(fact.score)
        elif self._measure.sketch is not None:
            value = durations[self._measure.sketch] / 1000
        return Contact(
            fact.conversation_id,
            None,
            fact.channel_id,
            fact.queue_id,
            getattr(fact, "agent_id", None),
            getattr(fact, DATED_BY[type(fact)]),
            value,
            _word(fact),
            _wait_s(fact),
        )

    def _is_in(self, part: Part) -> bool:
        if not (self._start <= part.at < self._end):
            return False
        if not self._is_of_teams(part):
            return False
        for dim, dim_id, zone in self._placing.belongs(part):
            if dim is self._query.by and self._query.dim_id in (None, dim_id):
                if self._query.start is not None:
                    return True
                return self._query.since <= date.fromordinal(self._placing.day(part.at, zone)) <= self._query.until
        return False

    def _is_of_teams(self, part: Part) -> bool:
        if not self._teams:
            return True
        if part.agent_id is None:
            return False
        teams = {str(team) for team in self._placing.teams_of(part.agent_id, part.at)}
        return all(teams & wanted for wanted in self._teams)

    def _first_holds(self, rows: Iterable[Kept]) -> set[int]:
        """Which holds are the first of their conversation on their day, of those that the query is about."""
        s = tables.fact_segment.c
        conversations = {kept.fact.conversation_id for kept in rows if isinstance(kept.fact, SegmentEnded)}
        if not conversations:
            return set()
        siblings = load_kept(self._tx, SegmentEnded, s.conversation_id.in_(conversations), *of(SegmentEnded, self._ids))
        seen: set[tuple[int, int]] = set()
        found: set[int] = set()
        holds = [kept.fact for kept in siblings if isinstance(kept.fact, SegmentEnded)]
        for hold in sorted(holds, key=lambda hold: (hold.ended_at, hold.assignment_id)):
            [part] = [part for part in fold(hold, BARE, self._kinds) if part.at == hold.ended_at]
            zones = [
                zone
                for dim, dim_id, zone in self._placing.belongs(part)
                if dim is self._query.by and self._query.dim_id in (None, dim_id)
            ]
            if not zones or not self._is_of_teams(part):
                continue
            once = (hold.conversation_id, self._placing.day(hold.ended_at, zones[0]))
            if once not in seen:
                seen.add(once)
                found.add(hold.assignment_id)
        return found


def _wait_s(fact: Any) -> float | None:
    match fact:
        case QueueVisitEnded():
            return wall_ms(fact.queued_at, fact.removed_at) / 1000
        case CallEnded() if fact.queued_at is not None:
            return wall_ms(fact.queued_at, fact.answered_at or fact.ended_at) / 1000
        case _:
            return None


def _word(fact: Any) -> str:
    match fact:
        case QueueVisitEnded():
            return fact.reason
        case SegmentEnded() | CallEnded() | CallSegmentEnded():
            return fact.end_reason
        case OfferOver():
            return fact.outcome
        case CallMissed():
            return "missed"
        case ContactBegan():
            return "began" if fact.episode == 0 else "reopened"
        case ConversationResolved():
            return "resolved"
        case SurveyAnswered():
            return fact.survey
        case _:
            return "answered"


def _of(contact: Contact, customer: Row[Any] | None) -> Contact:
    if customer is None:
        return contact
    return replace(contact, customer_name=customer.name, customer_is_erased=customer.erased_at is not None)


def _load_customers(tx: Tx, conversations: set[int]) -> dict[int, Row[Any]]:
    c, customer = tables.conversation.c, tables.customer.c
    found = (
        select(c.id, customer.name, customer.erased_at)
        .join_from(tables.conversation, tables.customer, c.customer_id == customer.id)
        .where(c.id.in_(conversations))
    )
    return {row.id: row for row in tx.rows(found)}
