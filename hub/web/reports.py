"""Figures of any range, and what is behind them."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import AwareDatetime
from starlette.responses import Response

from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint
from hub.web.schemas import (
    ContactBehind,
    FigureQuery,
    FigureReport,
    LeaderBoard,
    LoadReport,
    MeasureParams,
    Page,
    ReportBy,
    ReportFilters,
    StatesReport,
)


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
    raise NotImplementedError


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
    raise NotImplementedError


@endpoint(
    "GET",
    "/reports/figures.xlsx",
    access=Access.AGENT,
    summary="Figures as a spreadsheet",
    media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
async def get_figures_xlsx(
    context: Context,
    query: FigureQuery,
    filters: ReportFilters,
    params: MeasureParams,
) -> Response:
    """As GET /reports/figures; a second sheet says what each figure means."""
    raise NotImplementedError


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
    interval: AwareDatetime | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[ContactBehind]:
    """The cases of one figure of GET /reports/figures, as many as its `n`, in the order of time; `id` is the row's key,
    `interval` the `start` of its row where `grain` was interval (then `from` and `to` are its day)."""
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
    filters: ReportFilters,
    measure: str = "contacts",
) -> LoadReport:
    """`measure`: any that counts; as a rule the contacts that arrived."""
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
