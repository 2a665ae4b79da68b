"""Figures of any range, and what is behind them."""

from __future__ import annotations

from datetime import date
from typing import Literal

from starlette.responses import Response

from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint
from hub.web.schemas import (
    ContactBehind,
    FigureReport,
    LeaderBoard,
    LoadReport,
    Page,
    ReportBy,
    ReportGrain,
    StatesReport,
)


@endpoint("GET", "/reports/figures", access=Access.AGENT, summary="Figures of a range of days")
async def get_figures(
    context: Context,
    measures: str,
    from_: date,
    to: date,
    grain: ReportGrain = "total",
    by: ReportBy = "none",
    ids: str = "",
    agent: str | None = None,
    team: str | None = None,
    queue: str | None = None,
    channel: str | None = None,
    topic: str | None = None,
    compare: Literal["previous", "none"] = "none",
    threshold_s: int | None = None,
    short_s: int | None = None,
    days: int | None = None,
) -> FigureReport:
    """`measures`: ids of measures, with commas between; `from` and `to`: local days, both included. `by` and `ids` (with
    commas; none: of all who have any) say whose rows; `agent`, `team`, `queue`, `channel` and `topic` count only what is of
    these. `threshold_s`, `short_s` and `days` go to the measures that take them. Agents are told their own figures only:
    `by=agent&ids=` their own id, or `agent=` it. 422 names what is asked wrongly; 422 `report_too_large` says what to
    narrow."""
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
    measures: str,
    from_: date,
    to: date,
    grain: ReportGrain = "total",
    by: ReportBy = "none",
    ids: str = "",
    agent: str | None = None,
    team: str | None = None,
    queue: str | None = None,
    channel: str | None = None,
    topic: str | None = None,
    compare: Literal["previous", "none"] = "none",
    threshold_s: int | None = None,
    short_s: int | None = None,
    days: int | None = None,
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
    measures: str,
    from_: date,
    to: date,
    grain: ReportGrain = "total",
    by: ReportBy = "none",
    ids: str = "",
    agent: str | None = None,
    team: str | None = None,
    queue: str | None = None,
    channel: str | None = None,
    topic: str | None = None,
    compare: Literal["previous", "none"] = "none",
    threshold_s: int | None = None,
    short_s: int | None = None,
    days: int | None = None,
) -> Response:
    """As GET /reports/figures; a second sheet says what each figure means."""
    raise NotImplementedError


@endpoint("GET", "/reports/contacts", access=Access.AGENT, summary="What is behind a figure")
async def list_contacts_behind(
    context: Context,
    measure: str,
    from_: date,
    to: date,
    by: ReportBy = "none",
    id: str | None = None,
    interval: str | None = None,
    agent: str | None = None,
    team: str | None = None,
    queue: str | None = None,
    channel: str | None = None,
    topic: str | None = None,
    threshold_s: int | None = None,
    short_s: int | None = None,
    days: int | None = None,
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
    measure: str = "contacts",
    agent: str | None = None,
    team: str | None = None,
    queue: str | None = None,
    channel: str | None = None,
    topic: str | None = None,
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
