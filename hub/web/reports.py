"""Figures of any range, and what is behind them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, date
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime
from starlette.responses import Response, StreamingResponse

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput
from hub.kpi.cells import Dim
from hub.kpi.contacts import Contact, Contacts, ContactsQuery, load_contacts
from hub.kpi.days import DAYS_TOLD, INTERVAL, Grain, is_told_of
from hub.kpi.figures import Query, Report, load_figures
from hub.kpi.measures import Figure, Measure
from hub.kpi.sketch import RELATIVE_ERROR
from hub.reports import asking
from hub.reports.asking import Asked
from hub.reports.files import CSV_TYPE, XLSX_TYPE, csv_parts, file_name, write_xlsx
from hub.reports.leader_board import Board, load_board
from hub.reports.moments import MomentQuery, MomentReport, csv_lines, load_moments
from hub.reports.time_lines import AgentDay, TimeLines, load_time_lines
from hub.reports.week_pattern import WeekPattern, load_week_pattern
from hub.store.database import Tx
from hub.timeline.conversations import load_visible
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint
from hub.web.schemas import (
    AgentStates,
    ContactBehind,
    FigureMeasure,
    FigureQuery,
    FigureReport,
    FigureRow,
    FiguresCompared,
    FigureValue,
    LeaderBoard,
    LeaderBoardRow,
    LeaderBoardTeam,
    LoadHour,
    LoadReport,
    MeasureParams,
    MomentReportRow,
    MomentsQuery,
    MomentsReport,
    MomentValue,
    Page,
    ReportBy,
    ReportFilters,
    ReportGrain,
    StateDay,
    StateSpell,
    StatesReport,
)

_T = TypeVar("_T")

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


async def _read(context: Context, work: Callable[..., _T], *arguments: Any) -> _T:
    async with context.hub.report_turns.turn_of(context.viewer.user_id):
        return await context.hub.database.read(work, *arguments)


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
    these. `compare=previous`: with as many days (whole months: months) just before, or from `before` on; today is held
    against only so much of its counterpart as is over of today. The rest goes to the measures that take it. Agents are told
    their own figures only: `by=agent&ids=` their own id, or `agent=` it. 422 names what is asked wrongly; 422
    `report_too_large` says what to narrow."""
    report = await _load(context, query, filters, params)
    return FigureReport(
        from_=report.since,
        to=report.until,
        time_zone=report.time_zone,
        grain=_GRAINS[report.grain],
        by=_BY[report.by],
        as_of=report.as_of,
        complete=report.is_complete,
        compared=_compared(report),
        remaking=report.is_remaking,
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
    name = file_name(report, "csv")
    await _note_export(context, name)
    return StreamingResponse(csv_parts(report, has_mark=bom), media_type=CSV_TYPE, headers=_download(name))


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
    await _note_export(context, name)
    return StreamingResponse(
        await asyncio.to_thread(_written_xlsx, report, name), media_type=XLSX_TYPE, headers=_download(name)
    )


async def _note_export(context: Context, name: str) -> None:
    """Before the first byte leaves."""
    data = {"name": name}
    await context.hub.database.transaction(audit.note, context.viewer, "report.exported", "report", "", data)


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
        before=query.before,
        params=asking.make_params(params.model_dump()),
    )
    made = asking.make_query(asked, query.from_, query.to)
    return await _read(context, _figures, context.viewer, made, params.model_dump())


def _figures(tx: Tx, viewer: Viewer, query: Query, said: Mapping[str, Any]) -> Report:
    asking.check_may_see(viewer, query)
    asking.check_exists(tx, query)
    with asking.api_names():
        return load_figures(tx, asking.with_defaults(tx, query, said), tx.now)


def _compared(report: Report) -> FiguresCompared | None:
    if report.compared is None:
        return None
    return FiguresCompared(from_=report.compared.since, to=report.compared.until, cut_at=report.compared.cut_at)


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

# As a list of one is asked for, and not several.
_ONE = {"measures": "measure", "ids": "id"}


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
    """The cases of one figure of GET /reports/figures, as many as its `n`, the newest first; `from` and `to` are the days of
    its row, `id` its key, and `interval` its `start` where `grain` was interval. A page may be shorter than its limit and
    yet not the last. Agents open their own figures only; of conversations not theirs to see any more, without customer."""
    asked = Asked(
        measures=(measure,),
        by=by,
        ids=() if id is None else (id,),
        filters=_given(filters),
        params=asking.make_params(params.model_dump()),
    )
    with asking.api_names(_ONE):
        query = asking.make_query(asked, from_, to)
    if by != "none" and id is None:
        raise InvalidInput("id: say whose", fields={"id": Sentence("goes with `by`: say whose")})
    if interval is not None and not is_told_of(interval.astimezone(UTC).date()):
        raise InvalidInput(f"interval: {DAYS_TOLD}", fields={"interval": DAYS_TOLD})
    wanted = ContactsQuery(
        measure=measure,
        since=from_,
        until=to,
        by=query.by,
        dim_id=query.ids[0] if query.ids else None,
        filters=query.filters,
        params=query.params,
        start=interval,
        end=None if interval is None else interval + INTERVAL,
        cursor=cursor,
        limit=limit,
    )
    said = params.model_dump()
    found, readable = await _read(context, _contacts, context.viewer, query, wanted, said)
    return Page([_contact_view(one, readable) for one in found.items], found.next_cursor)


def _contacts(
    tx: Tx, viewer: Viewer, query: Query, wanted: ContactsQuery, said: Mapping[str, Any]
) -> tuple[Contacts, set[int]]:
    """And which of their conversations the viewer may see."""
    asking.check_may_see(viewer, query)
    with asking.api_names(_ONE | {"start": "interval"}):
        asking.check_exists(tx, query)
        params = asking.with_defaults(tx, query, said).params
        found = load_contacts(tx, replace(wanted, params=params), tx.now)
    return found, load_visible(tx, viewer, {contact.conversation_id for contact in found.items})


def _contact_view(contact: Contact, readable: Collection[int]) -> ContactBehind:
    told = {field.name: getattr(contact, field.name) for field in fields(contact)}
    if contact.conversation_id in readable:
        return ContactBehind(**told, is_readable=True)
    return ContactBehind(**{**told, "customer_name": None, "customer_is_erased": False}, is_readable=False)


@endpoint("GET", "/reports/states", access=Access.AGENT, summary="What agents did when, and their hours")
async def get_states(context: Context, agents: str, from_: date, to: date) -> StatesReport:
    """Of these agents (ids with commas between), each day by itself, in the order asked for. The spell that goes on counts
    up to `as_of`. Agents ask for themselves only."""
    agent_ids = asking.read_agents(agents)
    asking.check_may_see_agents(context.viewer, agent_ids)
    lines = await _read(context, _time_lines, agent_ids, from_, to)
    return StatesReport(
        from_=from_,
        to=to,
        time_zone=lines.time_zone,
        as_of=lines.as_of,
        complete=lines.is_complete,
        agents=[
            AgentStates(agent_id=line.agent_id, name=line.name, days=[_state_day(day) for day in line.days])
            for line in lines.agents
        ],
    )


def _time_lines(tx: Tx, agent_ids: Sequence[int], since: date, until: date) -> TimeLines:
    with asking.api_names({"agents": "agents"}):
        asking.check_agents_exist(tx, agent_ids)
        return load_time_lines(tx, agent_ids, since, until, tx.now)


def _state_day(day: AgentDay) -> StateDay:
    def seconds(counter: str) -> float:
        return day.ms.get(counter, 0) / 1000

    return StateDay(
        date=day.day.date,
        start=day.day.start,
        end=day.day.end,
        is_gap=day.is_gap,
        first_at=day.first_at,
        last_at=day.last_at,
        signed_in_s=seconds("staffed_ms"),
        worked_s=seconds("work_ms"),
        available_s=seconds("available_ms"),
        away_s=seconds("away_ms"),
        not_responding_s=seconds("not_responding_ms"),
        away_by_reason={reason: ms / 1000 for reason, ms in sorted(day.away_ms.items())},
        spells=[
            StateSpell(
                state=spell.state,
                reason=spell.reason,
                since=spell.since,
                until=spell.until,
                load=spell.load,
                capacity=spell.capacity,
                work_count=spell.work_count,
            )
            for spell in day.spells
        ],
    )


@endpoint("GET", "/reports/load", access=Permission.READ_REPORTS, summary="When the work comes, by hour and weekday")
async def get_load(
    context: Context, from_: date, to: date, filters: ReportFilters, params: MeasureParams, measure: str = "contacts"
) -> LoadReport:
    """`measure`: what is counted, as a rule the contacts that arrived."""
    asked = Asked((measure,), filters=_given(filters), params=asking.make_params(params.model_dump()))
    with asking.api_names(_ONE):
        query = asking.make_query(asked, from_, to)
    pattern = await _read(context, _week_pattern, query, params.model_dump())
    return LoadReport(
        from_=from_,
        to=to,
        time_zone=pattern.time_zone,
        as_of=pattern.as_of,
        complete=pattern.is_complete,
        measure=_measure(pattern.measure),
        hours=[
            LoadHour(
                weekday=hour.weekday,
                hour=hour.hour,
                count=hour.figure.n,
                times=hour.times,
                mean=hour.figure.n / hour.times if hour.times else None,
            )
            for hour in pattern.hours
        ],
    )


def _week_pattern(tx: Tx, query: Query, said: Mapping[str, Any]) -> WeekPattern:
    with asking.api_names(_ONE):
        asking.check_exists(tx, query)
        [measure] = query.measures
        params = asking.with_defaults(tx, query, said).params
        return load_week_pattern(tx, measure, query.since, query.until, query.filters, params, tx.now)


@endpoint("GET", "/reports/moments", access=Permission.READ_REPORTS, summary="The past of figures of a moment")
async def get_moments(context: Context, query: MomentsQuery) -> MomentsReport:
    """What GET /measures tells with `report` moments, as it was at the begin of each quarter of an hour (at most 31 days),
    or by day its mean and most. A quarter at whose begin no hub ran is a gap, and so is what is still to come."""
    report = await _read(context, _moments, query)
    return MomentsReport(
        from_=report.since,
        to=report.until,
        time_zone=report.time_zone,
        grain=query.grain,
        queue_id=report.queue_id,
        measures=[FigureMeasure(id=one.id, version=one.version, unit=one.unit.value) for one in report.measures],
        rows=[
            MomentReportRow(
                start=row.start,
                end=row.end,
                is_gap=row.is_gap,
                figures={
                    name: MomentValue(value=figure.value, most=figure.most, n=figure.n)
                    for name, figure in row.figures.items()
                },
            )
            for row in report.rows
        ],
    )


@endpoint(
    "GET",
    "/reports/moments.csv",
    access=Permission.READ_REPORTS,
    summary="The past of figures of a moment as a table of text",
    media_type="text/csv",
)
async def get_moments_csv(context: Context, query: MomentsQuery) -> Response:
    """As GET /reports/moments, by RFC 4180 in UTF-8, durations in seconds."""
    report = await _read(context, _moments, query)
    name = f"moments-{report.since}-{report.until}.csv"
    await _note_export(context, name)
    return StreamingResponse(csv_lines(report), media_type=CSV_TYPE, headers=_download(name))


def _moments(tx: Tx, query: MomentsQuery) -> MomentReport:
    with asking.api_names({"queue_id": "queue"}):
        queue_id = asking.read_queue(tx, query.queue)
        wanted = MomentQuery(asking.split(query.measures), query.from_, query.to, Grain(query.grain), queue_id)
        return load_moments(tx, wanted)


@endpoint("GET", "/reports/leaderboard", access=Access.AGENT, summary="Who is first")
async def get_leader_board(
    context: Context,
    measure: str,
    period: Literal["day", "week", "month"] = "day",
    on: date | None = None,
    team: int | None = None,
) -> LeaderBoard:
    """The day, week (from Monday) or month that `on` lies in (absent: today). Agents open boards of their own teams only; of
    the one team they are in when `team` is absent. 409 `leader_board_off`: the team has switched it off; 409
    `scores_private`: of customers' scores agents see their own only."""
    board = await _read(context, _board, context.viewer, measure, period, on, team)
    return LeaderBoard(
        from_=board.since,
        to=board.until,
        time_zone=board.time_zone,
        as_of=board.as_of,
        complete=board.is_complete,
        measure=_measure(board.measure),
        better=board.better.value,
        team_id=board.team_id,
        teams=[LeaderBoardTeam(id=team_id, name=name) for team_id, name in board.teams],
        rows=[
            LeaderBoardRow(rank=place.rank, agent_id=place.agent_id, name=place.name, value=place.value, n=place.n)
            for place in board.places
        ],
    )


def _board(tx: Tx, viewer: Viewer, measure: str, period: str, on: date | None, team_id: int | None) -> Board:
    with asking.api_names():
        return load_board(tx, viewer, measure, period, on, team_id, tx.now)
