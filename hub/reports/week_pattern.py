"""A week's pattern: any count by weekday and hour of the local clock, over a range of days.

    kpi_cell by interval ─► added up by the quarter of the week they lie in ─► the cell of each hour ─► measures.of
    of an agent, a team, a topic, or two things at once: the facts folded by hour (kpi.refolding) ─┘

Intervals are quarters of an hour of UTC, and where the clocks change the same one lies elsewhere in the week: so the range is
cut into runs of one offset, and each is added up by SQL. Cells are exact, so the figure of an hour is that of all its
intervals together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from hub.domain.sentences import Sentence
from hub.errors import InvalidInput
from hub.kpi.belonging import load_kinds, load_placing
from hub.kpi.cells import EVERYTHING, Cell, Dim
from hub.kpi.days import INTERVAL, Grain, interval_number, interval_start, start_of
from hub.kpi.figures import FACT_LIMIT, Filters, Query, check_query, load_known
from hub.kpi.measures import MEASURES, Figure, Measure, Params, Unit, counted_of
from hub.kpi.placing import BY_INTERVAL, Placing
from hub.kpi.refolding import Wanted, fold_facts, load_facts
from hub.kpi.remaking import load_progress
from hub.store import tables
from hub.store.database import Tx

_c = tables.kpi_cell.c

_QUARTERS_OF_DAY = 96
_QUARTERS_OF_WEEK = 7 * _QUARTERS_OF_DAY
_HOURS_OF_WEEK = 7 * 24
# The first of January 1970 was a Thursday (ISO 8601: 4).
_FIRST_WEEKDAY = 4


@dataclass(frozen=True, slots=True)
class Hour:
    """`weekday` 1 is Monday. `times`: how often this hour has come in the range, in quarters of it."""

    weekday: int
    hour: int
    figure: Figure
    times: float


@dataclass(frozen=True, slots=True)
class WeekPattern:
    """All 168 hours, Monday first. `as_of` and `is_complete` as of kpi.figures.Report."""

    time_zone: str
    as_of: datetime
    is_complete: bool
    measure: Measure
    hours: tuple[Hour, ...]


def load_week_pattern(
    tx: Tx, measure_id: str, since: date, until: date, filters: Filters, params: Params, now: datetime
) -> WeekPattern:
    """InvalidInput names what is asked wrongly, in the words of a Query; ReportTooLarge what to narrow."""
    measure = _check(measure_id, since, until, filters, params)
    placing = load_placing(tx)
    zone = placing.zone
    known, progress = load_known(tx), load_progress(tx, now, placing)
    start, end = start_of(since, zone), start_of(until + timedelta(days=1), zone)
    counts = [dict.fromkeys(measure.reads, 0) for _ in range(_HOURS_OF_WEEK)]
    quarters = [0] * _HOURS_OF_WEEK
    is_complete = known is not None and known <= start and end <= min(now, progress.as_of) and not progress.is_remaking
    # What has begun, and of which something is known.
    first = max(interval_number(start), interval_number(known or end))
    beyond = min(interval_number(end), interval_number(now) + 1)
    if progress.is_remaking:
        beyond = min(beyond, interval_number(progress.as_of))
        end = min(end, interval_start(beyond))
    kept = _kept(filters)
    for run_first, run_beyond, offset in _runs(first, beyond, zone):
        _count_quarters(quarters, run_first + offset, run_beyond + offset)
        if kept is not None:
            _add_run(tx, counts, measure, *kept, run_first, run_beyond, offset)
    if kept is None:
        _fold(tx, counts, measure, filters, start, end, placing)
    hours = (
        Hour(number // 24 + 1, number % 24, measure.of(Cell(counts[number]), params), quarters[number] / 4)
        for number in range(_HOURS_OF_WEEK)
    )
    return WeekPattern(zone.key, progress.as_of, is_complete, measure, tuple(hours))


def _check(measure_id: str, since: date, until: date, filters: Filters, params: Params) -> Measure:
    check_query(Query((measure_id,), since, until, filters=filters, params=params))
    measure = MEASURES[measure_id]
    if measure.unit is not Unit.COUNT:
        raise InvalidInput(
            "There is no such pattern.", fields={"measures": Sentence("{measure} is no count", measure=measure_id)}
        )
    return measure


def _kept(filters: Filters) -> tuple[Dim, str] | None:
    """Whose intervals say it; None: what is asked is not kept."""
    match list(filters.by_dim()):
        case []:
            return Dim.ALL, EVERYTHING
        case [(dim, (dim_id,))] if dim in BY_INTERVAL:
            return dim, dim_id
        case _:
            return None


def _fold(
    tx: Tx,
    counts: list[dict[str, int]],
    measure: Measure,
    filters: Filters,
    start: datetime,
    end: datetime,
    placing: Placing,
) -> None:
    ids: dict[Dim, Collection[str]] = {dim: of for dim, of in filters.by_dim() if dim is not Dim.TEAM}
    wanted = Wanted(start, end, ids, filters.teams)
    facts = load_facts(tx, counted_of(measure), wanted, FACT_LIMIT)

    def hour_of(at: datetime, _zone: ZoneInfo) -> int | None:
        if not start <= at < end:
            return None
        number = interval_number(at)
        return _hour_of(number + _offset(number, placing.zone))

    for (hour, _), cell in fold_facts(facts, wanted, load_kinds(tx), placing, hour_of, Dim.ALL).items():
        for name in measure.reads:
            counts[hour][name] += cell[name]


def _runs(first: int, beyond: int, zone: ZoneInfo) -> Iterator[tuple[int, int, int]]:
    """(first, beyond, offset in quarters) of the intervals between, cut where the offset changes."""
    while first < beyond:
        offset = _offset(first, zone)
        # A day at a time, and an interval at a time in the day of a change; no zone changes and changes back within a day.
        last = first
        while last < beyond and _offset(min(last + _QUARTERS_OF_DAY, beyond) - 1, zone) == offset:
            last = min(last + _QUARTERS_OF_DAY, beyond)
        while last < beyond and _offset(last, zone) == offset:
            last += 1
        yield first, last, offset
        first = last


def _offset(number: int, zone: ZoneInfo) -> int:
    there = interval_start(number).astimezone(zone).utcoffset()
    return (there or timedelta()) // INTERVAL


def _hour_of(quarter: int) -> int:
    """Which of the 168 hours, Monday's first, a quarter of local time lies in."""
    days, of_day = divmod(quarter, _QUARTERS_OF_DAY)
    return (days + _FIRST_WEEKDAY - 1) % 7 * 24 + of_day // 4


def _count_quarters(quarters: list[int], first: int, beyond: int) -> None:
    weeks, rest = divmod(beyond - first, _QUARTERS_OF_WEEK)
    for number in range(len(quarters)):
        quarters[number] += 4 * weeks
    for quarter in range(beyond - rest, beyond):
        quarters[_hour_of(quarter)] += 1


def _add_run(
    tx: Tx,
    counts: list[dict[str, int]],
    measure: Measure,
    dim: Dim,
    dim_id: str,
    first: int,
    beyond: int,
    offset: int,
) -> None:
    quarter = (_c.start + offset) % _QUARTERS_OF_WEEK
    found = (
        select(quarter.label("quarter"), *(func.sum(_c[name]).label(name) for name in measure.reads))
        .where(
            _c.grain == Grain.INTERVAL.value,
            _c.dim == dim.value,
            _c.dim_id == dim_id,
            _c.start >= first,
            _c.start < beyond,
        )
        .group_by(quarter)
    )
    for row in tx.rows(found):
        of_hour = counts[_hour_of(row.quarter)]
        for name in measure.reads:
            of_hour[name] += int(getattr(row, name))
