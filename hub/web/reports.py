"""Figures of any range, and what is behind them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime
from starlette.responses import Response, StreamingResponse

from hub.agents.viewer import Viewer
from hub.kpi import asking
from hub.kpi.asking import Asked
from hub.kpi.cells import Dim
from hub.kpi.days import Grain
from hub.kpi.figures import Query, Report, load_figures
from hub.kpi.measures import Figure, Measure
from hub.kpi.report_files import CSV_TYPE, XLSX_TYPE, csv_parts, file_name, write_xlsx
from hub.kpi.sketch import RELATIVE_ERROR
from hub.store.database import Tx
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint
from hub.web.schemas import (
    ContactBehind,
    FigureMeasure,
    FigureQuery,
    FigureReport,
    FigureRow,
    FigureValue,
    LeaderBoard,
    LoadReport,
    MeasureParams,
    Page,
    ReportBy,
    ReportFilters,
    ReportGrain,
    StatesReport,
)

# What is handed to the socket at once.
_PIECE_BYTES = 64 * 1024

_BY: Mapping[Dim, ReportBy] = {
    Dim.ALL: "none",
    Dim.AGENT: "agent",
    Dim.TEAM: "team",
    Dim.QUEUE: "queue",
    Dim.CHANNEL: "channel",
    Dim.TOPIC: "topic",
}
_GRAINS: Mapping[Grain, ReportGrain] = {
    Grain.INTERVAL: "interval",
    Grain.DAY: "day",
    Grain.WEEK: "week",
    Grain.MONTH: "month",
    Grain.TOTAL: "total",
}


# --- figures ------------------------------------------------------------------------------------------------------------


@endpoint("GET", "/reports/figures", access=Access.AGENT, summary="Figures of a range of days")
async def get_figures(
    context: Context,
    query: FigureQuery,
    filters: ReportFilters,
    params: MeasureParams,
) -> FigureReport:
    """`measures`: ids of measures, with commas between; `from` and `to`: local days, both included. `by` and `ids` (with
    commas; none: of all who have any) say whose rows; `agent`, `team`, `queue`, `channel` and `topic` count only what is of
    these. The rest goes to the measures that take it. Agents are told their own figures only: `by=agent&ids=` their own id,
    or `agent=` it. 422 names what is asked wrongly; 422 `report_too_large` says what to narrow."""
    report = await _load(context, query, filters, params)
    return FigureReport(
        from_=report.since,
        to=report.until,
        time_zone=report.time_zone,
        grain=_GRAINS[report.grain],
        by=_BY[report.by],
        as_of=report.as_of,
        complete=report.is_complete,
        measures=[_measure(measure) for measure in report.measures],
        rows=[
            FigureRow(
                start=row.start,
                end=row.end,
                key=row.key,
                name=row.name,
                is_gap=row.is_gap,
                figures={
                    measure.id: _value(row.figures[measure.id], measure)
                    for measure in report.measures
                    if measure.id in row.figures
                },
            )
            for row in report.rows
        ],
    )


@endpoint(
    "GET",
    "/reports/figures.csv",
    access=Access.AGENT,
    summary="Figures as a table of text",
    media_type="text/csv",
)
async def get_figures_csv(
    context: Context,
    query: FigureQuery,
    filters: ReportFilters,
    params: MeasureParams,
    bom: bool = True,
) -> Response:
    """As GET /reports/figures, by RFC 4180 in UTF-8, durations in seconds. `bom`: begins with the mark by which
    spreadsheets know UTF-8."""
    report = await _load(context, query, filters, params)
    return StreamingResponse(
        csv_parts(report, has_mark=bom), media_type=CSV_TYPE, headers=_download(file_name(report, "csv"))
    )


@endpoint(
    "GET",
    "/reports/figures.xlsx",
    access=Access.AGENT,
    summary="Figures as a spreadsheet",
    media_type=XLSX_TYPE,
)
async def get_figures_xlsx(
    context: Context,
    query: FigureQuery,
    filters: ReportFilters,
    params: MeasureParams,
) -> Response:
    """As GET /reports/figures; a second sheet says what each figure means."""
    report = await _load(context, query, filters, params)
    name = file_name(report, "xlsx")
    return StreamingResponse(
        await asyncio.to_thread(_written_xlsx, report, name), media_type=XLSX_TYPE, headers=_download(name)
    )


def _written_xlsx(report: Report, name: str) -> Iterator[bytes]:
    """Written whole before the first piece: what goes wrong is an error, and not half a file."""
    folder = tempfile.TemporaryDirectory(prefix="hub-report-")
    path = Path(folder.name) / name
    try:
        write_xlsx(report, path, title=name)
    except BaseException:
        folder.cleanup()
        raise

    def pieces() -> Iterator[bytes]:
        with folder, path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    return pieces()


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}


async def _load(context: Context, query: FigureQuery, filters: ReportFilters, params: MeasureParams) -> Report:
    asked = Asked(
        measures=asking.split(query.measures),
        grain=query.grain,
        by=query.by,
        ids=asking.split(query.ids),
        filters=_given(filters),
        compare=query.compare == "previous",
        params=asking.make_params(params.model_dump()),
    )
    return await context.hub.database.read(_figures, context.viewer, asking.make_query(asked, query.from_, query.to))


def _figures(tx: Tx, viewer: Viewer, query: Query) -> Report:
    asking.check_may_see(viewer, query)
    asking.check_exists(tx, query)
    with asking.api_names():
        return load_figures(tx, query, tx.now)


def _given(filters: ReportFilters) -> dict[str, str]:
    return {dim: one for dim, one in filters.model_dump().items() if one is not None}


def _measure(measure: Measure) -> FigureMeasure:
    return FigureMeasure(id=measure.id, version=measure.version, unit=measure.unit.value)


def _value(figure: Figure, measure: Measure) -> FigureValue:
    return FigureValue(
        value=figure.value,
        n=figure.n,
        previous=figure.previous,
        mean=figure.mean,
        p90=figure.p90,
        error=RELATIVE_ERROR if measure.sketch is not None else None,
        parts=dict(figure.parts),
    )


# --- what is behind them ------------------------------------------------------------------------------------------------


@endpoint("GET", "/reports/contacts", access=Access.AGENT, summary="What is behind a figure")
async def list_contacts_behind(
    context: Context,
    measure: str,
    from_: date,
    to: date,
    filters: ReportFilters,
    params: MeasureParams,
    by: ReportBy = "none",
    id: str | None = None,
    start: AwareDatetime | None = None,
    end: AwareDatetime | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[ContactBehind]:
    """The cases of one figure of GET /reports/figures, as many as its `n`, the newest first; `id` is the row's key,
    `start` and `end` those of its row (absent: the whole range). Agents open their own figures only."""
    raise NotImplementedError


@endpoint("GET", "/reports/states", access=Access.AGENT, summary="What agents did when, and their hours")
async def get_states(context: Context, agents: str, from_: date, to: date) -> StatesReport:
    """Of these agents (ids with commas between), each day by itself, in the order asked for. The spell that goes on counts
    up to `as_of`. Agents ask for themselves only."""
    raise NotImplementedError


@endpoint("GET", "/reports/load", access=Access.SUPERVISOR, summary="When the work comes, by hour and weekday")
async def get_load(
    context: Context,
    from_: date,
    to: date,
    measure: str = "contacts",
    queue: str | None = None,
    channel: str | None = None,
) -> LoadReport:
    """`measure`: as a rule the contacts that arrived."""
    raise NotImplementedError


@endpoint("GET", "/reports/leaderboard", access=Access.AGENT, summary="Who is first")
async def get_leader_board(
    context: Context,
    measure: str,
    period: Literal["day", "week", "month"] = "day",
    on: date | None = None,
    team: int | None = None,
) -> LeaderBoard:
    """The day, week (from Monday) or month that `on` lies in (absent: today). Agents open boards of their own teams only; of
    the one team they are in when `team` is absent. 409 `leader_board_off`: the team has switched it off."""
    raise NotImplementedError
