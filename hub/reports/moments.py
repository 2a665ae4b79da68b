"""The past of figures of a moment (kpi.moments): as they were each quarter of an hour, or a day's mean and most.

Of one queue, or of all together, which were kept as such: no sum of queues, since an agent may serve several. A quarter that
nobody kept is a gap, and a day's mean is of those that were. Days are those of the organisation's time zone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from hub.domain.sentences import Sentence
from hub.errors import InvalidInput
from hub.kpi.belonging import load_zone
from hub.kpi.cells import Dim
from hub.kpi.days import DAYS_TOLD, Grain, Stretch, interval_number, is_told_of, stretches
from hub.kpi.moment_snapshots import OF_ALL, load_kept
from hub.kpi.moments import MOMENTS, Definition
from hub.store.database import Tx

# Of a day there are about a hundred quarters: a month of them is read as quickly as a year of days.
INTERVAL_DAY_LIMIT = 31
DAY_LIMIT = 366

_GRAINS = (Grain.INTERVAL, Grain.DAY)


@dataclass(frozen=True, slots=True)
class MomentFigure:
    """`value`: as it was, of a day the mean over the `n` quarters of which it is known; `most`: the highest of them. Without
    any, both are None. Counts, or seconds."""

    value: float | None = None
    most: float | None = None
    n: int = 0


@dataclass(frozen=True, slots=True)
class MomentRow:
    """`is_gap`: nobody kept any quarter of it."""

    start: datetime
    end: datetime
    is_gap: bool
    figures: Mapping[str, MomentFigure]


@dataclass(frozen=True, slots=True)
class MomentReport:
    since: date
    until: date
    time_zone: str
    grain: Grain
    queue_id: int | None
    measures: tuple[Definition, ...]
    rows: tuple[MomentRow, ...]


@dataclass(frozen=True, slots=True)
class MomentQuery:
    """`since` and `until` both included. `queue_id` None: of all together."""

    measures: tuple[str, ...]
    since: date
    until: date
    grain: Grain = Grain.INTERVAL
    queue_id: int | None = None


def check_query(query: MomentQuery) -> None:
    """InvalidInput names each fault in the words of the query's fields."""
    faults: dict[str, str] = {}
    unknown = [name for name in query.measures if name not in MOMENTS]
    dim = Dim.ALL if query.queue_id is None else Dim.QUEUE
    if not query.measures:
        faults["measures"] = Sentence("name at least one measure")
    elif unknown:
        faults["measures"] = Sentence("no such figure of a moment: {names}", names=", ".join(unknown))
    elif beyond := [name for name in query.measures if dim not in MOMENTS[name].by]:
        faults["measures"] = Sentence("only told of one queue: {names}", names=", ".join(beyond))
    days = (query.until - query.since).days
    if days < 0:
        faults["since"] = Sentence("must not be after the last day")
    elif not is_told_of(query.since) or not is_told_of(query.until):
        faults["until" if is_told_of(query.since) else "since"] = DAYS_TOLD
    elif days >= DAY_LIMIT:
        faults["until"] = Sentence("must be within {count} days of the first", count=DAY_LIMIT)
    elif query.grain is Grain.INTERVAL and days >= INTERVAL_DAY_LIMIT:
        faults["grain"] = Sentence("intervals are told of at most {count} days", count=INTERVAL_DAY_LIMIT)
    if query.grain not in _GRAINS:
        faults["grain"] = Sentence("must be one of {known}", known=", ".join(_GRAINS))
    if faults:
        raise InvalidInput("The report cannot be asked like this.", fields=faults)


def load_moments(tx: Tx, query: MomentQuery) -> MomentReport:
    """InvalidInput names what is asked wrongly, in the words of a MomentQuery."""
    check_query(query)
    zone = load_zone(tx)
    cuts = [(cut, *_quarters(cut, zone)) for cut in stretches(query.since, query.until, query.grain, zone)]
    queue_id = OF_ALL if query.queue_id is None else query.queue_id
    kept = load_kept(tx, queue_id, query.measures, cuts[0][1], cuts[-1][2])
    rows = []
    for cut, first, beyond in cuts:
        known = [kept[number] for number in range(first, beyond) if number in kept]
        figures = {name: _figure([each[name] for each in known if name in each]) for name in query.measures}
        rows.append(
            MomentRow(
                cut.start(zone).astimezone(zone), cut.end(zone).astimezone(zone), not known, figures if known else {}
            )
        )
    measures = tuple(MOMENTS[name] for name in query.measures)
    return MomentReport(query.since, query.until, zone.key, query.grain, query.queue_id, measures, tuple(rows))


def _quarters(cut: Stretch, zone: ZoneInfo) -> tuple[int, int]:
    """first <= number < beyond."""
    return interval_number(cut.start(zone)), interval_number(cut.end(zone))


def _figure(values: Collection[float]) -> MomentFigure:
    return MomentFigure(sum(values) / len(values), max(values), len(values)) if values else MomentFigure()


def csv_lines(report: MomentReport) -> Iterator[bytes]:
    """The report by RFC 4180: a row each, durations in seconds, empty where nothing is known."""
    is_day = report.grain is Grain.DAY
    head = ["start", "end"]
    for measure in report.measures:
        head += [f"{measure.id}.mean", f"{measure.id}.most", f"{measure.id}.n"] if is_day else [measure.id]
    yield _line([*head, "gap"])
    for row in report.rows:
        line: list[str | float | int | None] = [row.start.isoformat(), row.end.isoformat()]
        for measure in report.measures:
            figure = row.figures.get(measure.id, MomentFigure())
            line += [figure.value, figure.most, figure.n] if is_day else [figure.value]
        yield _line([*line, "no data" if row.is_gap else ""])


def _line(values: Collection[str | float | int | None]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerow(values)
    return buffer.getvalue().encode()
