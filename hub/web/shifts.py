"""Schedules: everybody may see their own, supervisors see and write all; and how far people keep to them."""

from __future__ import annotations

from datetime import date, timedelta

from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.errors import InvalidInput, NotFound
from hub.kpi.belonging import load_zone
from hub.staffing import adherence, shifts
from hub.staffing.schedule import Adherence, Pieces, PieceText, Plan
from hub.store.database import Tx
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    AbsentAgent,
    AdherenceReport,
    AgentAdherence,
    AgentShifts,
    CopyShifts,
    DaysWritten,
    ImportShifts,
    Page,
    SaveShiftDay,
    SaveShiftWeek,
    ScheduleDeparture,
    ShiftDay,
    ShiftPiece,
    ShiftsReport,
)

_MAX_DAYS = 62
_DEPARTURES_TOLD = 50
# Zone rules are not kept for longer, and a date beyond is a slip of the keyboard.
_FIRST, _LAST = date(2000, 1, 8), date(2100, 12, 24)


@endpoint("GET", "/shifts", access=Access.AGENT, summary="Who is scheduled for what")
async def list_shifts(context: Context, from_: date, to: date, agent: int | None = None) -> ShiftsReport:
    """The local days `from` to `to`, both included, of all agents or one, by name. Agents are told their own."""
    _check_range(from_, to)
    wanted = _whose(context, agent)

    def load(tx: Tx) -> ShiftsReport:
        people = shifts.load_people(tx, wanted)
        plans = shifts.load_plans(tx, [person.user_id for person in people], from_, to)
        days = [from_ + timedelta(days=step) for step in range((to - from_).days + 1)]
        return ShiftsReport(
            time_zone=load_zone(tx).key,
            agents=[_agent_view(person, plans[person.user_id], days) for person in people],
        )

    return await context.hub.database.read(load)


# Before the paths with an id: routes are tried in their order.
@endpoint("GET", "/shifts/absent", access=Access.SUPERVISOR, summary="Who should be here and is not")
async def list_absent(context: Context) -> Page[AbsentAgent]:
    """Scheduled for something at this moment, and in a state that does not agree with it; the longest first."""
    found = await context.hub.database.read(adherence.load_absent)
    return Page(
        [
            AbsentAgent(
                user_id=each.user_id,
                name=each.name,
                activity=each.activity.value,
                since=each.since,
                until=each.until,
                state=each.state,
                state_since=each.state_since,
            )
            for each in found
        ]
    )


@endpoint("GET", "/shifts/adherence", access=Access.AGENT, summary="How far people kept to their schedules")
async def get_adherence(context: Context, from_: date, to: date, agent: int | None = None) -> AdherenceReport:
    """Over the local days `from` to `to`, both included, up to now, by name. Agents are told their own. 422
    `report_too_large` says what to narrow."""
    _check_range(from_, to)
    wanted = _whose(context, agent)

    def load(tx: Tx) -> AdherenceReport:
        found = adherence.load_adherence(tx, from_, to, wanted)
        return AdherenceReport(
            time_zone=load_zone(tx).key,
            as_of=tx.now,
            agents=[_adherence_view(each.user_id, each.name, each.adherence) for each in found],
        )

    return await context.hub.database.read(load)


@endpoint("POST", "/shifts/copy", access=Permission.PLAN_PEOPLE, summary="Copy a week of schedules to another")
async def copy_shifts(context: Context, body: CopyShifts) -> DaysWritten:
    """The seven days from the Monday `source` on become days of their own from the Monday `target` on."""
    _check_days(source=body.source, target=body.target)
    days = await context.hub.database.transaction(
        shifts.copy_week, body.source, body.target, body.agents, actor=context.viewer
    )
    return DaysWritten(days=days)


@endpoint("POST", "/shifts/import", access=Permission.PLAN_PEOPLE, summary="Import schedules from CSV")
async def import_shifts(context: Context, body: ImportShifts) -> DaysWritten:
    """Each day that is named is replaced by what the file says of it. All or nothing: 422 names each wrong line."""
    days = await context.hub.database.transaction(shifts.import_csv, body.csv, actor=context.viewer)
    return DaysWritten(days=days)


@endpoint("PUT", "/shifts/{user_id}/week", access=Permission.PLAN_PEOPLE, summary="Say which week repeats")
async def save_shift_week(context: Context, user_id: int, body: SaveShiftWeek) -> AgentShifts:
    """From `since` on, until a week that begins later. Days of their own stay. Answers with the seven days from `since`."""
    _check_days(since=body.since)

    def save(tx: Tx) -> AgentShifts:
        shifts.save_week(tx, user_id, body.since, [_texts(day) for day in body.week], actor=context.viewer)
        return _load_view(tx, user_id, [body.since + timedelta(days=step) for step in range(7)])

    return await context.hub.database.transaction(save)


@endpoint("PUT", "/shifts/{user_id}/days/{day}", access=Permission.PLAN_PEOPLE, summary="Say how one day goes")
async def save_shift_day(context: Context, user_id: int, day: date, body: SaveShiftDay) -> AgentShifts:
    """No pieces: a day off."""
    _check_days(day=day)

    def save(tx: Tx) -> AgentShifts:
        shifts.save_day(tx, user_id, day, _texts(body.pieces), actor=context.viewer)
        return _load_view(tx, user_id, [day])

    return await context.hub.database.transaction(save)


@endpoint(
    "DELETE", "/shifts/{user_id}/days/{day}", access=Permission.PLAN_PEOPLE, summary="Let a day go as its week says"
)
async def clear_shift_day(context: Context, user_id: int, day: date) -> None:
    await context.hub.database.transaction(shifts.clear_day, user_id, day, actor=context.viewer)


def _whose(context: Context, agent: int | None) -> list[int] | None:
    """None: everybody's."""
    if context.viewer.covers(Role.SUPERVISOR):
        return None if agent is None else [agent]
    if agent not in (None, context.viewer.user_id):
        raise NotFound("there is no such agent")
    return [context.viewer.user_id]


def _check_range(first: date, last: date) -> None:
    _check_days(**{"from": first, "to": last})
    if last < first:
        raise InvalidInput("the last day is before the first", fields={"to": Sentence("is before the first day")})
    if (last - first).days >= _MAX_DAYS:
        raise InvalidInput(
            "these are too many days",
            fields={"to": Sentence("is more than {count} days after the first", count=_MAX_DAYS)},
        )


def _check_days(**days: date) -> None:
    fault = Sentence("is not between {first} and {last}", first=str(_FIRST), last=str(_LAST))
    wrong = {name: fault for name, day in days.items() if not _FIRST <= day <= _LAST}
    if wrong:
        raise InvalidInput("there is no such day", fields=wrong)


def _load_view(tx: Tx, user_id: int, days: list[date]) -> AgentShifts:
    people = shifts.load_people(tx, [user_id])
    if not people:
        raise NotFound("there is no such agent")
    return _agent_view(people[0], shifts.load_plans(tx, [user_id], days[0], days[-1])[user_id], days)


def _agent_view(person: shifts.Person, plan: Plan, days: list[date]) -> AgentShifts:
    week = plan.week_on(days[-1])
    return AgentShifts(
        user_id=person.user_id,
        name=person.name,
        week_since=None if week is None else week.since,
        week=[] if week is None else [_piece_views(pieces) for pieces in week.days],
        days=[ShiftDay(day=day, is_own=plan.is_own(day), pieces=_piece_views(plan.on(day))) for day in days],
    )


def _piece_views(pieces: Pieces) -> list[ShiftPiece]:
    return [
        ShiftPiece.model_validate({"starts": text.starts, "ends": text.ends, "activity": text.activity})
        for text in shifts.piece_texts(pieces)
    ]


def _texts(pieces: list[ShiftPiece]) -> list[PieceText]:
    return [PieceText(piece.starts, piece.ends, piece.activity) for piece in pieces]


def _adherence_view(user_id: int, name: str, found: Adherence) -> AgentAdherence:
    return AgentAdherence(
        user_id=user_id,
        name=name,
        scheduled_s=found.scheduled_ms / 1000,
        right_s=found.right_ms / 1000,
        for_work_s=found.for_work_ms / 1000,
        at_work_s=found.at_work_ms / 1000,
        unknown_s=found.unknown_ms / 1000,
        adherence=found.adherence,
        conformance=found.conformance,
        departures=[
            ScheduleDeparture(start=each.start, end=each.end, activity=each.activity.value, state=each.state)
            for each in found.departures[-_DEPARTURES_TOLD:]
        ],
    )
