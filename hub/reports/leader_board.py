"""Who is first: agents by one figure, for a day, a week or a month. A board is a team's, which may switch it off.

    the day, week or month ─► kpi.figures by agent ─► those who may stand on it ─► their ranks

Who stands on a team's board: whoever was in the team in that time, with all of their figures of it. Whoever is in a team that
has switched its own off stands on none: neither on that of another team of theirs, nor on everybody's, which supervisors may
open. Customers' scores are on no agent's board as long as any queue keeps them to whom they are about. Equal figures share a
rank; whoever has no case stands on none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import or_, select

from hub.agents.viewer import Viewer
from hub.domain.events import SurveyAnswered
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.errors import Conflict, Forbidden, InvalidInput
from hub.kpi.belonging import load_zone
from hub.kpi.cells import Dim
from hub.kpi.days import DAYS_TOLD, day_of, is_told_of, month_number, month_start
from hub.kpi.defaults import load_params
from hub.kpi.figures import Query, load_figures
from hub.kpi.measures import MEASURES, Better, Measure, Unit, sources_of
from hub.store import tables
from hub.store.database import Tx

_t, _m = tables.team.c, tables.team_member.c


@dataclass(frozen=True, slots=True)
class Place:
    """`rank`: 1, 2, 2, 4."""

    rank: int
    agent_id: int
    name: str
    value: float
    n: int


@dataclass(frozen=True, slots=True)
class Board:
    """`teams`: id and name of those whose boards the viewer may open; `team_id` None: everybody's."""

    since: date
    until: date
    time_zone: str
    as_of: datetime
    is_complete: bool
    measure: Measure
    better: Better
    team_id: int | None
    teams: tuple[tuple[int, str], ...]
    places: tuple[Place, ...]


def load_board(
    tx: Tx, viewer: Viewer, measure_id: str, period: str, on: date | None, team_id: int | None, now: datetime
) -> Board:
    """`period` day, week or month, the one that `on` lies in (None: today). InvalidInput names what is asked wrongly;
    Forbidden for the board of a team that an agent is not in; Conflict `leader_board_off`, or for an agent `no_team` (they
    are in none) or `scores_private`."""
    measure, better = _check(measure_id)
    if SurveyAnswered.KIND in sources_of(measure) and not viewer.may(Permission.READ_REPORTS) and _keeps_scores(tx):
        raise Conflict("agents see the scores of their own work only", code="scores_private")
    if on is not None and not is_told_of(on):
        raise InvalidInput(f"on: {DAYS_TOLD}", fields={"on": DAYS_TOLD})
    zone = load_zone(tx)
    since, until = _days(period, on or now.astimezone(zone).date())
    teams = {row.id: row for row in tx.rows(select(_t.id, _t.name, _t.leaderboard).where(_t.removed_at.is_(None)))}
    own = _current_teams(tx, viewer.user_id)
    may_open = sorted(teams) if viewer.may(Permission.READ_REPORTS) else sorted(own & set(teams))
    if team_id is not None and team_id not in teams:
        raise InvalidInput(
            f"team: there is no team {team_id}", fields={"team": Sentence("there is no team {ids}", ids=team_id)}
        )
    if team_id is not None and team_id not in may_open:
        raise Forbidden("agents open the boards of their own teams only")
    if team_id is None and not viewer.may(Permission.READ_REPORTS):
        team_id = _first_of(may_open, {one for one in may_open if teams[one].leaderboard})
    if team_id is not None and not teams[team_id].leaderboard:
        raise Conflict("this team has switched its leader board off", code="leader_board_off")
    start, end = day_of(since, zone).start, day_of(until, zone).end
    members = None if team_id is None else _members(tx, [team_id], start, end)
    hidden = _members(tx, [one for one in teams if not teams[one].leaderboard], now)
    ids = () if members is None else tuple(str(one) for one in sorted(members))
    query = Query((measure_id,), since, until, by=Dim.AGENT, ids=ids, params=load_params(tx))
    if members is not None and not members:
        # No ids would ask for everybody.
        query = Query((measure_id,), since, until, params=query.params)
    report = load_figures(tx, query, now)
    found = [
        (figure.value, figure.n, int(row.key), row.name)
        for row in report.rows
        if row.key is not None and int(row.key) not in hidden
        for figure in row.figures.values()
        if figure.value is not None and figure.n > 0
    ]
    return Board(
        since,
        until,
        report.time_zone,
        report.as_of,
        report.is_complete,
        measure,
        better,
        team_id,
        tuple((one, teams[one].name) for one in may_open if teams[one].leaderboard),
        tuple(_ranked(found, better)),
    )


def _check(measure_id: str) -> tuple[Measure, Better]:
    """Of a count that is neither good nor bad (handled contacts) whoever has most is first."""
    measure = MEASURES.get(measure_id)
    if measure is None:
        raise _fault(f"no such measure: {measure_id[:100]}")
    if Dim.AGENT not in measure.by:
        raise _fault(f"{measure_id} is not told by agent")
    better = measure.better or (Better.HIGHER if measure.unit is Unit.COUNT else None)
    if better is None:
        raise _fault(f"{measure_id} is neither better high nor better low")
    return measure, better


def _keeps_scores(tx: Tx) -> bool:
    """Whether in any queue agents see the scores of their own work only. A board adds up all queues."""
    kept = select(tables.survey_setting.c.queue_id).where(tables.survey_setting.c.scores_for_agents != "all")
    return tx.first(kept.limit(1)) is not None


def _fault(words: str) -> InvalidInput:
    return InvalidInput(f"measure: {words}", fields={"measure": words})


def _days(period: str, on: date) -> tuple[date, date]:
    match period:
        case "day":
            return on, on
        case "week":
            monday = on - timedelta(days=on.weekday())
            return monday, monday + timedelta(days=6)
        case _:
            month = month_number(on)
            return month_start(month), month_start(month + 1) - timedelta(days=1)


def _first_of(own: Collection[int], switched_on: Collection[int]) -> int:
    """Of an agent's own teams, the first whose board is there."""
    if not own:
        raise Conflict("you are in no team, and a leader board is a team's", code="no_team")
    return min(switched_on or own)


def _current_teams(tx: Tx, user_id: int) -> set[int]:
    return set(tx.execute(select(_m.team_id).where(_m.user_id == user_id, _m.until.is_(None))).scalars())


def _members(tx: Tx, team_ids: Collection[int], start: datetime, end: datetime | None = None) -> set[int]:
    """Who was in any of these teams between; `end` None: at that instant."""
    belongs = (_m.team_id.in_(team_ids), or_(_m.until.is_(None), _m.until > start))
    return set(tx.execute(select(_m.user_id).where(*belongs, _m.since < end if end else _m.since <= start)).scalars())


def _ranked(found: Iterable[tuple[float, int, int, str]], better: Better) -> Iterable[Place]:
    sign = -1 if better is Better.HIGHER else 1
    ordered = sorted(found, key=lambda one: (sign * one[0], one[3], one[2]))
    rank, before = 0, None
    for number, (value, n, agent_id, name) in enumerate(ordered, 1):
        if value != before:
            rank, before = number, value
        yield Place(rank, agent_id, name, value, n)
