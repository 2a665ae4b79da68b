"""Figures of any range: what is asked (`Query`), what is answered (`Report`), and how the one comes from the other.

    Query ─► cells kept by month, day, interval (kpi.kept_cells), or facts folded now (kpi.refolding) ─► measures.of ─► Report

Whole months are read as such, the days before and after them as days; merged cells are exact, so it makes no difference.
Two things at once (an agent within a queue), and intervals of agents, teams and topics, are folded from the facts at the
asking: more than FACT_LIMIT of them is ReportTooLarge, which says what to narrow, never a figure of a part.

What a report is compared with is cut as kpi.earlier says: of a day that goes on, with as much of the day before. What an
agent does right now is counted up to `now`. A stretch before the first fact, in the future, or whose figures are still to
be made anew (kpi.remaking) is a gap, not zero and not a part; `as_of` says up to when everything is told.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from sqlalchemy import Table, func, select

from hub.domain.events import AgentSpellEnded
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput, ReportTooLarge
from hub.kpi.belonging import load_kinds, load_placing
from hub.kpi.cells import DIM_WORDS, EVERYTHING, NOTHING, Cell, Dim
from hub.kpi.days import (
    DAYS_TOLD,
    Grain,
    Stretch,
    interval_number,
    interval_start,
    is_told_of,
    start_of,
    stretches,
    whole_months,
)
from hub.kpi.earlier import Earlier, earlier_of
from hub.kpi.fact_rows import load_going_on
from hub.kpi.kept_cells import Span, add_up, is_more_than, load_each, load_sums
from hub.kpi.measures import DEFAULTS, MEASURES, Figure, Measure, Params, counted_of
from hub.kpi.placing import BY_INTERVAL, Placing
from hub.kpi.refolding import Wanted, fold_facts, load_facts
from hub.kpi.remaking import load_progress
from hub.store import tables
from hub.store.database import Tx

# Folding takes some 10 microseconds a fact, so this is 2 s: as long as anybody waits for a report.
FACT_LIMIT = 200_000
# More than anybody reads, and 500 agents' days of a month fit.
ROW_LIMIT = 20_000
# Ten years of days; a month of intervals.
DAY_LIMIT, INTERVAL_DAY_LIMIT = 3_660, 31
# An id is a number of 64 bits.
ID_DIGITS = 19

_NAMED: Mapping[Dim, Table] = {
    Dim.AGENT: tables.user_account,
    Dim.TEAM: tables.team,
    Dim.QUEUE: tables.queue,
    Dim.CHANNEL: tables.channel,
    Dim.TOPIC: tables.topic,
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Only the facts of these; empty: of all. Ids are texts."""

    agents: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def by_dim(self) -> Iterator[tuple[Dim, tuple[str, ...]]]:
        """What is named."""
        named = (self.agents, self.teams, self.queues, self.channels, self.topics)
        dims = (Dim.AGENT, Dim.TEAM, Dim.QUEUE, Dim.CHANNEL, Dim.TOPIC)
        yield from ((dim, ids) for dim, ids in zip(dims, named, strict=True) if ids)

    def dims(self) -> set[Dim]:
        return {dim for dim, _ in self.by_dim()}


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Query:
    """`since` and `until` are local days, both included. `ids`: whose rows (empty: of all who have any), as texts.
    `compare`: with as many days (whole months: as many months) just before, or from the day `before` on (kpi.earlier)."""

    measures: tuple[str, ...]
    since: date
    until: date
    grain: Grain = Grain.TOTAL
    by: Dim = Dim.ALL
    ids: tuple[str, ...] = ()
    filters: Filters = NO_FILTERS
    compare: bool = False
    params: Params = DEFAULTS
    before: date | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One stretch of time (start <= t < end) of one agent, queue …: `key` is their id, None where the report is of all.
    `is_gap`: nothing is known of that time; there are no figures then."""

    start: datetime
    end: datetime
    key: str | None
    name: str
    figures: Mapping[str, Figure]
    is_gap: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """With which local days, both included; `cut_at`: only what happened before, as of today there is no more either."""

    since: date
    until: date
    cut_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """`as_of`: everything that happened before is in it. `is_complete`: the whole range is told of, without a gap.
    `is_remaking`: figures are being made anew, and gaps are of what is not made yet."""

    since: date
    until: date
    time_zone: str
    grain: Grain
    by: Dim
    as_of: datetime
    is_complete: bool
    measures: tuple[Measure, ...]
    rows: tuple[Row, ...] = field(default=())
    compared: Compared | None = None
    is_remaking: bool = False
    params: Params = DEFAULTS


def load_figures(tx: Tx, query: Query, now: datetime) -> Report:
    """Rows by stretch, then by name. Who has nothing in a stretch has no row in it, but those named in `ids`, and
    everything, have one. InvalidInput names what is asked wrongly; ReportTooLarge what to narrow."""
    check_query(query)
    placing = load_placing(tx)
    asked = _Asked(query, placing, now)
    cells = _load_cells(tx, asked)
    names = load_names(tx, query.by)
    known = load_known(tx)
    before = _load_before(tx, asked, known) if query.compare else None
    earlier = {} if before is None else before.cells
    progress = load_progress(tx, now, placing)
    measures = tuple(MEASURES[name] for name in query.measures)
    told = _told(cells, earlier)
    rows = []
    # Days of teams elsewhere begin and end before ours and after.
    filled = {number for number, _ in cells}
    # Of days that are over it does not matter what the projector has still to read of today.
    is_complete = not progress.is_remaking and progress.as_of >= min(now, asked.stretches[-1].end(placing.zone))
    for number, stretch in enumerate(asked.stretches):
        start, end = stretch.start(placing.zone), stretch.end(placing.zone)
        is_gap = number not in filled and (known is None or end <= known or start > now)
        # A part of the figures would be taken for the whole.
        is_gap = is_gap or progress.lacks(end)
        is_complete = is_complete and not is_gap
        keys = _keys(query, told.get(number, set()))
        for key in sorted(keys, key=lambda key: (names.get(key, key), key)):
            cell = cells.get((number, key), NOTHING)
            past = before.cell(number, key) if before is not None else None
            figures = {} if is_gap else {one.id: _figure(one, cell, past, query.params) for one in measures}
            name = names.get(key, key) if query.by is not Dim.ALL else ""
            rows.append(Row(start, end, key if query.by is not Dim.ALL else None, name, figures, is_gap))
    return Report(
        query.since,
        query.until,
        placing.zone.key,
        query.grain,
        query.by,
        progress.as_of,
        is_complete,
        measures,
        tuple(rows),
        None if before is None else before.compared,
        progress.is_remaking,
        query.params,
    )


def check_query(query: Query) -> None:
    """InvalidInput names each fault in the words of the query's fields."""
    faults = dict(query.params.faults())
    unknown = [name for name in query.measures if name not in MEASURES]
    if not query.measures:
        faults["measures"] = Sentence("name at least one measure")
    elif unknown:
        faults["measures"] = Sentence("no such measure: {names}", names=", ".join(unknown))
    if query.since > query.until:
        faults["since"] = Sentence("must not be after the last day")
    elif not is_told_of(query.since) or not is_told_of(query.until):
        faults["until" if is_told_of(query.since) else "since"] = DAYS_TOLD
    elif (query.until - query.since).days >= DAY_LIMIT:
        faults["until"] = Sentence("must be within {count} days of the first", count=DAY_LIMIT)
    elif query.grain is Grain.INTERVAL and (query.until - query.since).days >= INTERVAL_DAY_LIMIT:
        faults["grain"] = Sentence("intervals are told of at most {count} days", count=INTERVAL_DAY_LIMIT)
    if query.before is not None and not (is_told_of(query.before) and query.before < query.since):
        faults["before"] = Sentence("must be before the first day")
    wanted = {query.by, *query.filters.dims()}
    for name in query.measures:
        if name in MEASURES and (beyond := sorted(wanted - set(MEASURES[name].by))):
            dims = Sentence.joined(", ", [DIM_WORDS[dim] for dim in beyond])
            faults.setdefault("measures", Sentence("{measure} is not told by {dims}", measure=name, dims=dims))
    for dim, ids in (*query.filters.by_dim(), (query.by, query.ids)):
        if dim is not Dim.CHANNEL and not all(
            one.isascii() and one.isdecimal() and len(one) < ID_DIGITS for one in ids
        ):
            faults[f"{dim.value}s" if dim is not query.by else "ids"] = Sentence("must be whole numbers")
    if faults:
        raise InvalidInput("The report cannot be asked like this.", fields=faults)


# --- cells ----------------------------------------------------------------------------------------------------------


class _Asked:
    """What a query needs: its stretches, and what is read of cells. `earlier`: of the time before, instead of its own."""

    def __init__(self, query: Query, placing: Placing, now: datetime, earlier: Earlier | None = None) -> None:
        self.query = query
        self.placing = placing
        self.now = now
        self.earlier = earlier
        self._cuts: dict[str, datetime | None] = {}
        self.stretches: Sequence[Stretch] = stretches(query.since, query.until, query.grain, placing.zone)
        if earlier is not None:
            self.query = replace(query, since=earlier.since, until=earlier.until)
            self.stretches = earlier.stretches
        measures = [MEASURES[name] for name in query.measures]
        self.counters = sorted({name for measure in measures for name in measure.reads})
        self.sketches = sorted({measure.sketch for measure in measures if measure.sketch is not None})
        self.sources = sorted({source for measure in measures for source in counted_of(measure)})
        self.sketched = sorted({one for measure in measures if measure.sketch for one in counted_of(measure)})
        self.ids = sorted(query.ids) or None

    @property
    def is_folded(self) -> bool:
        """Whether what is asked is not kept."""
        if any(True for _ in self.query.filters.by_dim()):
            return True
        return self.query.grain is Grain.INTERVAL and (self.query.by not in BY_INTERVAL or bool(self.sketches))

    @property
    def whole_until(self) -> date:
        """The last day that counts whole, wherever its team's clocks are."""
        if self.earlier is None or self.earlier.cut_on is None:
            return self.query.until
        elsewhere = bool(self.placing.team_zones) and self.query.by in (Dim.AGENT, Dim.TEAM)
        return self.earlier.cut_on - timedelta(days=2 if elsewhere else 1)

    def cut(self, zone: ZoneInfo) -> datetime | None:
        if self.earlier is None:
            return None
        if zone.key not in self._cuts:
            self._cuts[zone.key] = self.earlier.cut(zone)
        return self._cuts[zone.key]

    def number_of(self, at: datetime, zone: ZoneInfo) -> int | None:
        """In which stretch an instant is; days and months are those of the zone."""
        cut = self.cut(zone)
        if cut is not None and at >= cut:
            return None
        if self.query.grain is Grain.INTERVAL:
            number = interval_number(at) - (self.stretches[0].interval or 0)
            return number if 0 <= number < len(self.stretches) else None
        on = date.fromordinal(self.placing.day(at, zone))
        number = bisect_right(self.stretches, on, key=lambda stretch: stretch.since) - 1
        return number if number >= 0 and on <= self.stretches[number].until else None


def _load_cells(tx: Tx, asked: _Asked) -> dict[tuple[int, str], Cell]:
    """By the number of the stretch and the id."""
    since, until = asked.query.since, asked.query.until
    if len(asked.stretches) * len(asked.query.ids) > ROW_LIMIT:
        raise _too_many_rows()
    if asked.is_folded:
        cells = _fold(tx, asked, asked.sources, since, until, asked.number_of)
    else:
        cells = _load_kept(tx, asked)
        if asked.whole_until < until and asked.query.grain is not Grain.INTERVAL:
            _add_part_of_day(tx, asked, cells)
    _add_going_on(tx, asked, since, until, cells)
    if len(cells) > ROW_LIMIT:
        raise _too_many_rows()
    return cells


def _load_kept(tx: Tx, asked: _Asked) -> dict[tuple[int, str], Cell]:
    found: dict[tuple[int, str], Cell] = {}
    by, ids = asked.query.by, asked.ids
    of = (asked.counters, asked.sketches)
    if asked.query.grain is Grain.INTERVAL:
        first = asked.stretches[0].interval or 0
        cut = asked.cut(asked.placing.zone)
        last = first + len(asked.stretches) - 1 if cut is None else interval_number(cut) - 1
        span = Span(Grain.INTERVAL, first, last)
        _check_size(tx, by, ids, span, 1)
        each = load_each(tx, by, ids, span, *of)
        return {(start - first, dim_id): cell for (start, dim_id), cell in each.items()}
    if len(asked.stretches) == 1:
        if asked.query.since <= asked.whole_until:
            sums = load_sums(tx, by, ids, spans_of(asked.query.since, asked.whole_until), *of)
            found = {(0, dim_id): cell for dim_id, cell in sums.items()}
        return found
    for pieces in _consecutive(asked):
        span = Span(pieces[0][1].grain, pieces[0][1].first, pieces[-1][1].last)
        _check_size(tx, by, ids, span, max(piece.last - piece.first + 1 for _, piece in pieces))
        # One question for all of them, and not one for each week of ten years.
        numbers = [number for number, piece in pieces for _ in range(piece.first, piece.last + 1)]
        each = load_each(tx, by, ids, span, *of)
        parts: defaultdict[tuple[int, str], list[Cell]] = defaultdict(list)
        for (start, dim_id), cell in each.items():
            parts[numbers[start - span.first], dim_id].append(cell)
        for key, cells in parts.items():
            kept = found.get(key)
            found[key] = add_up(cells if kept is None else [kept, *cells])
    return found


def _consecutive(asked: _Asked) -> list[list[tuple[int, Span]]]:
    """What is kept of the stretches, with their numbers: one list for each run of days or of months without a hole."""
    pieces = [
        (number, span)
        for number, stretch in enumerate(asked.stretches)
        if stretch.since <= asked.whole_until
        for span in spans_of(stretch.since, min(stretch.until, asked.whole_until))
    ]
    runs: list[list[tuple[int, Span]]] = []
    for piece in sorted(pieces, key=lambda piece: (piece[1].grain, piece[1].first)):
        last = runs[-1][-1][1] if runs else None
        if last is not None and last.grain is piece[1].grain and last.last + 1 == piece[1].first:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return runs


def _check_size(tx: Tx, by: Dim, ids: Collection[str] | None, span: Span, cells_a_row: int) -> None:
    """ReportTooLarge before anything is read: so many cells make more rows than anybody may ask for. Those of `ids` have been
    counted."""
    if ids is None and by is not Dim.ALL and is_more_than(tx, by, span, ROW_LIMIT * cells_a_row):
        raise _too_many_rows()


def _too_many_rows() -> ReportTooLarge:
    return ReportTooLarge(
        f"This report has more than {ROW_LIMIT:,} rows. Ask for fewer days or a coarser grain.",
        fields={"grain": Sentence("ask for a coarser one, or for fewer days")},
    )


def _add_part_of_day(tx: Tx, asked: _Asked, cells: dict[tuple[int, str], Cell]) -> None:
    """Of the day that is cut, what lies before the cut: counts of kept intervals where there are any, the rest folded."""
    first = asked.whole_until + timedelta(days=1)
    start, zone = first.toordinal(), asked.placing.zone

    def number_of(at: datetime, there: ZoneInfo) -> int | None:
        return asked.number_of(at, there) if asked.placing.day(at, there) >= start else None

    if asked.query.by not in BY_INTERVAL:
        _merge_into(cells, _fold(tx, asked, asked.sources, first, asked.query.until, number_of))
        return
    cut, since = asked.cut(zone), start_of(first, zone)
    if cut is None or cut <= since or (number := asked.number_of(since, zone)) is None:
        return
    span = Span(Grain.INTERVAL, interval_number(since), interval_number(cut) - 1)
    sums = load_sums(tx, asked.query.by, asked.ids, [span], asked.counters)
    _merge_into(cells, {(number, dim_id): cell for dim_id, cell in sums.items()})
    if asked.sketches:
        folded = _fold(tx, asked, asked.sketched, first, asked.query.until, number_of)
        _merge_into(cells, {key: Cell({}, cell.sketches) for key, cell in folded.items()})


def _merge_into(cells: dict[tuple[int, str], Cell], more: Mapping[tuple[int, str], Cell]) -> None:
    for key, cell in more.items():
        cells[key] = add_up([cells[key], cell]) if key in cells else cell


def spans_of(since: date, until: date) -> list[Span]:
    """The kept stretches that make up these days: whole months, and the days before and after them."""
    months, days = whole_months(since, until)
    spans = [Span(Grain.DAY, part.start, part.stop - 1) for part in days]
    return [Span(Grain.MONTH, months.start, months.stop - 1), *spans] if months else spans


def _wanted(asked: _Asked, since: date, until: date) -> Wanted:
    zone, query = asked.placing.zone, asked.query
    start, end = start_of(since, zone), start_of(until + timedelta(days=1), zone)
    if (cut := asked.cut(zone)) is not None:
        end = min(end, cut)
    if asked.placing.team_zones:
        # Days of teams elsewhere begin and end up to a day earlier or later.
        start, end = start - timedelta(days=1), end + timedelta(days=1)
    ids: dict[Dim, Collection[str]] = {dim: of for dim, of in query.filters.by_dim() if dim is not Dim.TEAM}
    if query.ids and query.by in (Dim.AGENT, Dim.QUEUE, Dim.CHANNEL, Dim.TOPIC) and query.by not in ids:
        ids[query.by] = query.ids
    return Wanted(start, end, ids, query.filters.teams)


def _fold(
    tx: Tx,
    asked: _Asked,
    sources: Collection[str],
    since: date,
    until: date,
    number_of: Callable[[datetime, ZoneInfo], int | None],
) -> dict[tuple[int, str], Cell]:
    query, wanted = asked.query, _wanted(asked, since, until)
    facts = load_facts(tx, sources, wanted, FACT_LIMIT)
    cells = fold_facts(facts, wanted, load_kinds(tx), asked.placing, number_of, query.by)
    return {key: cell for key, cell in cells.items() if not query.ids or key[1] in query.ids}


def _add_going_on(tx: Tx, asked: _Asked, since: date, until: date, cells: dict[tuple[int, str], Cell]) -> None:
    """Adds what agents do right now, up to `now`, where time of theirs is asked for."""
    wanted = _wanted(asked, since, until)
    if AgentSpellEnded.KIND not in asked.sources or wanted.start > asked.now:
        return
    facts = [
        kept
        for kept in load_going_on(tx, asked.now)
        if isinstance(kept.fact, AgentSpellEnded)
        and set(wanted.ids) <= {Dim.AGENT}
        and str(kept.fact.agent_id) in wanted.ids.get(Dim.AGENT, {str(kept.fact.agent_id)})
    ]
    more = fold_facts(facts, wanted, {}, asked.placing, asked.number_of, asked.query.by)
    for key, cell in more.items():
        if not asked.query.ids or key[1] in asked.query.ids:
            cells[key] = cells[key].plus(cell.counts) if key in cells else cell


# --- rows -----------------------------------------------------------------------------------------------------------


def _told(*cells: Mapping[tuple[int, str], Cell]) -> dict[int, set[str]]:
    """Who has anything in which stretch."""
    found: dict[int, set[str]] = {}
    for number, dim_id in chain(*cells):
        found.setdefault(number, set()).add(dim_id)
    return found


def _keys(query: Query, told: set[str]) -> set[str]:
    if query.by is Dim.ALL:
        return {EVERYTHING}
    return set(query.ids) or told


def _figure(measure: Measure, cell: Cell, past: Cell | None, params: Params) -> Figure:
    figure = measure.of(cell, params)
    return figure if past is None else replace(figure, previous=measure.of(past, params).value)


@dataclass(frozen=True, slots=True)
class _Before:
    """The cells of the time before. `known`: the stretches of which all is known; nothing is compared with a part."""

    cells: Mapping[tuple[int, str], Cell]
    known: frozenset[int]
    compared: Compared

    def cell(self, number: int, key: str) -> Cell | None:
        return self.cells.get((number, key), NOTHING) if number in self.known else None


def _load_before(tx: Tx, asked: _Asked, known: datetime | None) -> _Before:
    query, zone = asked.query, asked.placing.zone
    of = (query.since, query.until, asked.stretches, query.grain, query.before)
    earlier = earlier_of(*of, asked.now, zone)
    first_day = None if known is None else known.astimezone(zone).date()
    told = (n for n, one in enumerate(earlier.stretches) if first_day is not None and first_day <= one.since)
    compared = Compared(earlier.since, earlier.until, earlier.cut(zone))
    return _Before(_load_cells(tx, _Asked(query, asked.placing, asked.now, earlier)), frozenset(told), compared)


def load_names(tx: Tx, dim: Dim) -> dict[str, str]:
    """Id → name of all agents, queues …"""
    table = _NAMED.get(dim)
    return {} if table is None else {str(row.id): row.name for row in tx.rows(select(table.c.id, table.c.name))}


def load_known(tx: Tx) -> datetime | None:
    """The beginning of the interval of the first fact; before it nothing is known. None: nothing at all."""
    first = tx.scalar(
        select(func.min(tables.kpi_cell.c.start)).where(
            tables.kpi_cell.c.grain == Grain.INTERVAL.value, tables.kpi_cell.c.dim == Dim.ALL.value
        )
    )
    return None if first is None else interval_start(first)
