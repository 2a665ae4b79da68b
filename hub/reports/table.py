"""A report as one flat table: the columns and rows of the CSV file, of the spreadsheet and of the mail.

    Report (kpi.figures) ─► columns_of, rows_of ─► reports.files, reports.mail

A figure has a column for its value and one for the cases it is of; percentiles, means, parts and the time before have
columns of their own where there are any. Numbers stay numbers, durations seconds, shares 0 to 1: what writes the table says
how they look. What there is no figure for is None; a row of a gap has no figures and says so in the last column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from hub.kpi.cells import Dim
from hub.kpi.days import Grain
from hub.kpi.figures import Report, Row
from hub.kpi.measures import Measure, Unit

Value = str | int | float | date | datetime | None

NO_DATA = "no data"


class Kind(StrEnum):
    """INSTANT: aware, in the report's time zone. SECONDS may be any number of hours. SHARE is 0 to 1."""

    TEXT = "text"
    DAY = "day"
    INSTANT = "instant"
    COUNT = "count"
    SECONDS = "seconds"
    SHARE = "share"
    POINTS = "points"


@dataclass(frozen=True, slots=True)
class Column:
    """`measure`: whose figure it is; `is_main`: its value, and not what stands beside it."""

    name: str
    kind: Kind
    measure: Measure | None = None
    is_main: bool = False


_WHOSE = {
    Dim.AGENT: "Agent",
    Dim.TEAM: "Team",
    Dim.QUEUE: "Queue",
    Dim.CHANNEL: "Channel",
    Dim.TOPIC: "Topic",
}
_UNITS = {
    Unit.COUNT: Kind.COUNT,
    Unit.SECONDS: Kind.SECONDS,
    Unit.SHARE: Kind.SHARE,
    Unit.POINTS: Kind.POINTS,
}


def columns_of(report: Report) -> list[Column]:
    return [column for column, _ in _fields(report)]


def rows_of(report: Report) -> Iterator[list[Value]]:
    """One by one, each as long as `columns_of`."""
    fields = _fields(report)
    for row in report.rows:
        yield [field.read(row) for _, field in fields]


# --- how a column is read of a row --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stretch:
    part: str
    zone: ZoneInfo

    def read(self, row: Row) -> Value:
        match self.part:
            case "start":
                return row.start.astimezone(self.zone)
            case "end":
                return row.end.astimezone(self.zone)
            case "first":
                return row.start.astimezone(self.zone).date()
            case _:
                return (row.end - timedelta(microseconds=1)).astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class _Whose:
    part: str

    def read(self, row: Row) -> Value:
        return row.key if self.part == "key" else row.name


@dataclass(frozen=True, slots=True)
class _Gap:
    def read(self, row: Row) -> Value:
        return NO_DATA if row.is_gap else None


@dataclass(frozen=True, slots=True)
class _Figure:
    measure: str
    part: str
    of: str = ""

    def read(self, row: Row) -> Value:
        figure = row.figures.get(self.measure)
        if figure is None:
            return None
        match self.part:
            case "value":
                return figure.value
            case "p90":
                return figure.p90
            case "mean":
                return figure.mean
            case "previous":
                return figure.previous
            case "n":
                return figure.n
            case _:
                return figure.parts.get(self.of)


_Field = _Stretch | _Whose | _Gap | _Figure


def _fields(report: Report) -> list[tuple[Column, _Field]]:
    zone = ZoneInfo(report.time_zone)
    fields: list[tuple[Column, _Field]] = []
    if report.grain is Grain.INTERVAL:
        fields += [
            (Column("From", Kind.INSTANT), _Stretch("start", zone)),
            (Column("To", Kind.INSTANT), _Stretch("end", zone)),
        ]
    elif report.grain is Grain.DAY:
        fields.append((Column("Day", Kind.DAY), _Stretch("first", zone)))
    else:
        fields += [
            (Column("First day", Kind.DAY), _Stretch("first", zone)),
            (Column("Last day", Kind.DAY), _Stretch("last", zone)),
        ]
    if report.by is not Dim.ALL:
        name = _WHOSE[report.by]
        fields += [(Column(name, Kind.TEXT), _Whose("name")), (Column(f"{name} id", Kind.TEXT), _Whose("key"))]
    for measure in report.measures:
        fields += _of_measure(report, measure)
    return [*fields, (Column("Gap", Kind.TEXT), _Gap())]


def _of_measure(report: Report, measure: Measure) -> Iterator[tuple[Column, _Field]]:
    kind = _UNITS[measure.unit]
    figures = [row.figures[measure.id] for row in report.rows if measure.id in row.figures]
    has_p90 = measure.sketch is not None and any(figure.p90 is not None for figure in figures)
    name = f"{measure.name}, median" if has_p90 else measure.name
    yield Column(name, kind, measure, is_main=True), _Figure(measure.id, "value")
    if has_p90:
        yield Column(f"{measure.name}, 90th percentile", kind, measure), _Figure(measure.id, "p90")
    if any(figure.mean is not None for figure in figures):
        # Of a share of good scores: the mean of the scores.
        of_mean = Kind.POINTS if kind is Kind.SHARE else kind
        yield Column(f"{measure.name}, mean", of_mean, measure), _Figure(measure.id, "mean")
    for part in dict.fromkeys(part for figure in figures for part in figure.parts):
        of_part = Kind.COUNT if kind is Kind.COUNT else Kind.SHARE
        words = part.replace("_", " ")
        yield Column(f"{measure.name}, {words}", of_part, measure), _Figure(measure.id, "part", part)
    if any(figure.previous is not None for figure in figures):
        yield Column(f"{name}, before", kind, measure), _Figure(measure.id, "previous")
    if measure.unit is not Unit.COUNT:
        yield Column(f"{measure.name}, cases", Kind.COUNT, measure), _Figure(measure.id, "n")
