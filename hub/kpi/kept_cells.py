"""The cells that are kept: `kpi_cell` (counts, as whole numbers that SQL adds up) and `kpi_sketch` (percentiles).

`Changes` gathers what facts add to cells, or take back; `add_changes` writes it, many rows a statement. Who writes holds
the projector's lock, so a sketch is read, changed and written by one at a time. A month is written with its days, as their
sum; so it equals them at any time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, true

from hub.kpi.cells import COUNTERS, Cell, Dim
from hub.kpi.days import Grain, month_of_day
from hub.kpi.folding import Part
from hub.kpi.placing import Key, Placing
from hub.kpi.sketch import EMPTY, Sketch, apply_changes, bin_of, decode, encode, merge
from hub.store import tables
from hub.store.database import Tx

_c, _s = tables.kpi_cell.c, tables.kpi_sketch.c

# Rows written by one statement on PostgreSQL and read by one query: some hundred kilobytes.
_BATCH = 1_000
_NAMED = 50


@dataclass(slots=True)
class Changes:
    """What is to be added: to counters, and to bins of sketches, by cell."""

    counts: defaultdict[Key, defaultdict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    bins: defaultdict[Key, defaultdict[str, defaultdict[int, int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    )

    def add(self, parts: Iterable[Part], placing: Placing, sign: int = 1) -> None:
        """What a fact adds, or with the sign turned what it had added."""
        for part in parts:
            keys = placing.keys(part)
            if sign == 1:
                for key in keys:
                    counts = self.counts[key]
                    for name, count in part.counts.items():
                        counts[name] += count
            else:
                for key in keys:
                    counts = self.counts[key]
                    for name, count in part.counts.items():
                        counts[name] -= count
            for name, duration in part.durations.items():
                number = bin_of(duration)
                for key in keys:
                    if key.grain == Grain.DAY:
                        self.bins[key][name][number] += sign

    def add_count(self, counter: str, found: Mapping[Key, int], sign: int = 1) -> None:
        for key, count in found.items():
            self.counts[key][counter] += sign * count

    def with_months(self) -> Changes:
        """These, and what they add to the months of their days."""
        for key in [key for key in self.counts if key.grain == Grain.DAY]:
            month = self.counts[_month(key)]
            for name, count in self.counts[key].items():
                month[name] += count
        for key in [key for key in self.bins if key.grain == Grain.DAY]:
            sketches = self.bins[_month(key)]
            for name, bins in self.bins[key].items():
                of_month = sketches[name]
                for number, count in bins.items():
                    of_month[number] += count
        return self


def _month(key: Key) -> Key:
    return Key(Grain.MONTH.value, month_of_day(key.start), key.dim, key.dim_id)


# --- writing --------------------------------------------------------------------------------------------------------


def add_changes(tx: Tx, changes: Changes) -> None:
    """Adds what was gathered to the cells that are kept, their months included. The caller holds the projector's lock."""
    changes.with_months()
    counts = {
        key: {name: count for name, count in of_key.items() if count} for key, of_key in sorted(changes.counts.items())
    }
    _add_counts(tx, {key: of_key for key, of_key in counts.items() if of_key})
    _add_bins(tx, changes.bins)


def _add_counts(tx: Tx, counts: Mapping[Key, Mapping[str, int]]) -> None:
    if not counts:
        return
    touched = {name for of_key in counts.values() for name in of_key}
    columns = [name for name in COUNTERS if name in touched]
    rows = [
        (key.grain, key.dim, key.start, key.dim_id, *(of_key.get(name, 0) for name in columns))
        for key, of_key in counts.items()
    ]
    adds = ", ".join(f"{name} = kpi_cell.{name} + excluded.{name}" for name in columns)
    then = f"ON CONFLICT (grain, dim, start, dim_id) DO UPDATE SET {adds}"
    _write(tx, "kpi_cell", ("grain", "dim", "start", "dim_id", *columns), rows, ("text", "text", "int", "text"), then)


def _add_bins(tx: Tx, changes: Mapping[Key, Mapping[str, Mapping[int, int]]]) -> None:
    wanted: dict[tuple[str, str], dict[_Place, Mapping[int, int]]] = defaultdict(dict)
    for key, sketches in changes.items():
        for name, bins in sketches.items():
            if any(bins.values()):
                wanted[key.grain, key.dim][_Place(name, key.start, key.dim_id)] = bins
    rows = []
    for (grain, dim), of_places in sorted(wanted.items()):
        kept = _load_kept(tx, grain, dim, of_places)
        for place, bins in sorted(of_places.items()):
            changed = apply_changes(kept.get(place, EMPTY), bins)
            if changed == EMPTY:
                # As if it had never been: a rebuild would not write it either.
                of = (_s.name == place.name, _s.start == place.start, _s.dim_id == place.dim_id)
                tx.execute(delete(tables.kpi_sketch).where(_s.grain == grain, _s.dim == dim, *of))
            else:
                rows.append((grain, dim, *place, encode(changed)))
    if rows:
        columns = ("grain", "dim", "name", "start", "dim_id", "bins")
        then = "ON CONFLICT (grain, dim, name, start, dim_id) DO UPDATE SET bins = excluded.bins"
        _write(tx, "kpi_sketch", columns, rows, ("text", "text", "text", "int", "text", "bytea"), then)


class _Place(NamedTuple):
    """Where a sketch is, within a grain and a dim."""

    name: str
    start: int
    dim_id: str


def _load_kept(tx: Tx, grain: str, dim: str, places: Collection[_Place]) -> dict[_Place, Sketch]:
    """In one query, whose three lists name a few more than are wanted where a window reaches over several days."""
    names, starts, dim_ids = ({place[n] for place in places} for n in range(3))
    found = select(_s.name, _s.start, _s.dim_id, _s.bins).where(
        _s.grain == grain, _s.dim == dim, _s.name.in_(names), _s.start.in_(starts), _s.dim_id.in_(dim_ids)
    )
    rows = ((_Place(row.name, row.start, row.dim_id), row.bins) for row in tx.rows(found))
    return {place: decode(bins) for place, bins in rows if place in places}


def _write(
    tx: Tx, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], types: Sequence[str], then: str
) -> None:
    """Names come from this program's tables. Columns beyond `types` are bigint."""
    names = ", ".join(columns)
    if not tx.is_postgresql:
        marks = ", ".join("?" * len(columns))
        tx.connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks}) {then}", list(rows))  # noqa: S608
        return
    types = (*types, *("bigint",) * (len(columns) - len(types)))
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, 1))
    statement = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {then}"  # noqa: S608
    for first in range(0, len(rows), _BATCH):
        batch = rows[first : first + _BATCH]
        tx.connection.exec_driver_sql(statement, tuple([row[n] for row in batch] for n in range(len(columns))))


# --- reading --------------------------------------------------------------------------------------------------------


class Span(NamedTuple):
    """Kept stretches of one grain, `first` to `last`, both included."""

    grain: Grain
    first: int
    last: int


def load_sums(
    tx: Tx,
    dim: Dim,
    dim_ids: Collection[str] | None,
    spans: Iterable[Span],
    counters: Collection[str],
    sketches: Collection[str] = (),
) -> dict[str, Cell]:
    """One cell for each of `dim_ids` (None: of all who have any): the sum over the spans, which do not overlap. Who has
    nothing is not in it."""
    spans = list(spans)
    columns = sorted(counters)
    counts: dict[str, dict[str, int]] = {}
    if columns:
        sums = (func.sum(_c[name]) for name in columns)
        found = (
            select(_c.dim_id, *sums)
            .where(_c.dim == dim.value, _within(_c, spans), _of(_c, dim_ids))
            .group_by(_c.dim_id)
        )
        for row in tx.rows(found):
            values: list[Any] = list(row[1:])
            counts[row.dim_id] = {name: int(value) for name, value in zip(columns, values, strict=True)}
    merged: dict[str, dict[str, Sketch]] = {}
    for name in sketches:
        parts: dict[str, list[Sketch]] = defaultdict(list)
        wanted = select(_s.dim_id, _s.bins).where(
            _s.dim == dim.value, _s.name == name, _within(_s, spans), _of(_s, dim_ids)
        )
        for row in tx.rows(wanted):
            parts[row.dim_id].append(decode(row.bins))
        for dim_id, of_id in parts.items():
            merged.setdefault(dim_id, {})[name] = merge(of_id)
    wanted_ids = counts.keys() | merged.keys() if dim_ids is None else (counts.keys() | merged.keys()) & set(dim_ids)
    return {dim_id: Cell(counts.get(dim_id, {}), merged.get(dim_id, {})) for dim_id in wanted_ids}


def load_each(
    tx: Tx,
    dim: Dim,
    dim_ids: Collection[str] | None,
    span: Span,
    counters: Collection[str],
    sketches: Collection[str] = (),
) -> dict[tuple[int, str], Cell]:
    """The cells of a span one by one, by start and id."""
    columns = sorted(counters)
    counts: dict[tuple[int, str], dict[str, int]] = {}
    found = select(_c.start, _c.dim_id, *(_c[name] for name in columns)).where(
        _c.dim == dim.value, _within(_c, [span]), _of(_c, dim_ids)
    )
    for row in tx.rows(found):
        counts[row.start, row.dim_id] = dict(zip(columns, row[2:], strict=True))
    kept: dict[tuple[int, str], dict[str, Sketch]] = defaultdict(dict)
    for name in sketches:
        wanted = select(_s.start, _s.dim_id, _s.bins).where(
            _s.dim == dim.value, _s.name == name, _within(_s, [span]), _of(_s, dim_ids)
        )
        for row in tx.rows(wanted):
            kept[row.start, row.dim_id][name] = decode(row.bins)
    whose = None if dim_ids is None else set(dim_ids)
    return {
        key: Cell(counts.get(key, {}), kept.get(key, {}))
        for key in counts.keys() | kept.keys()
        if whose is None or key[1] in whose
    }


def add_up(cells: Sequence[Cell]) -> Cell:
    """The cell of them all; one at least."""
    if len(cells) == 1:
        return cells[0]
    counts: defaultdict[str, int] = defaultdict(int)
    sketches: defaultdict[str, list[Sketch]] = defaultdict(list)
    for cell in cells:
        for name, count in cell.counts.items():
            counts[name] += count
        for name, sketch in cell.sketches.items():
            assert isinstance(sketch, Sketch), "cells hold no other"
            sketches[name].append(sketch)
    return Cell(dict(counts), {name: merge(parts) for name, parts in sketches.items()})


def is_more_than(tx: Tx, dim: Dim, span: Span, limit: int) -> bool:
    """Whether more cells than `limit` are kept of a span; no more than that are looked at."""
    some = select(_c.start).where(_c.dim == dim.value, _within(_c, [span])).limit(limit + 1)
    return (tx.scalar(select(func.count()).select_from(some.subquery())) or 0) > limit


def _within(columns: Any, spans: Sequence[Span]) -> ColumnElement[bool]:
    return or_(
        *(
            and_(columns.grain == span.grain.value, columns.start >= span.first, columns.start <= span.last)
            for span in spans
        )
    )


def _of(columns: Any, dim_ids: Collection[str] | None) -> ColumnElement[bool]:
    """Of more than a few the caller picks theirs from all there are: a statement with hundreds of parameters takes longer."""
    if dim_ids is None or len(dim_ids) > _NAMED:
        return true()
    wanted: ColumnElement[bool] = columns.dim_id.in_(sorted(dim_ids))
    return wanted
