"""A fact belongs to the team its agent was in at that instant, and its day is that of the team's clock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from hub.agents import teams
from hub.agents.teams import Team
from hub.domain.events import FACTS, FactEvent
from hub.domain.views import NumbersView, TargetView, TeamView
from hub.kpi.belonging import Known
from hub.kpi.cells import Dim
from hub.kpi.days import Grain
from hub.kpi.facts import project, rebuild_facts
from hub.kpi.figures import Query, load_figures
from hub.kpi.measures import Better, Level, level_of
from hub.kpi.targets import target_for
from hub.store import tables
from hub.store.database import Database, Tx
from tests.kpi.reference import ANNA, BORIS, NOON, response, segment
from tests.support.clock import FrozenClock
from tests.support.live import load_told

pytestmark = pytest.mark.anyio


async def put_team(
    database: Database, name: str = "East", zone: str | None = None, members: Collection[int] = (ANNA,)
) -> TeamView:
    return await database.transaction(teams.create_team, Team(name, zone, True, members))


async def change(database: Database, team: TeamView, zone: str | None, members: Collection[int]) -> TeamView:
    return await database.transaction(teams.replace_team, team.id, Team(team.name, zone, True, members), team.version)


async def tell(database: Database, *events: FactEvent, known: Known | None = None) -> None:
    def emit(tx: Tx, events: Sequence[FactEvent]) -> None:
        for event in events:
            tx.emit(event, {FACTS})

    await database.transaction(emit, events)
    await project_all(database, known)


async def project_all(database: Database, known: Known | None = None) -> None:
    while await database.transaction(project, known):
        pass


def load_cells(tx: Tx) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for table in (tables.kpi_cell, tables.kpi_sketch)
        for row in tx.rows(select(table).order_by(*table.primary_key))
    ]


async def answers(database: Database, now: datetime, by: Dim = Dim.TEAM) -> dict[tuple[str, str], int]:
    """(day, name) → first responses."""
    since = date(2026, 3, 9)
    query = Query(("first_response_s",), since, since + timedelta(days=3), Grain.DAY, by)
    report = await database.read(load_figures, query, now)
    return {
        (str((row.start + timedelta(hours=12)).date()), row.name): row.figures["first_response_s"].n
        for row in report.rows
        if row.figures and row.figures["first_response_s"].n
    }


async def test_a_fact_belongs_to_the_team_of_its_instant(database: Database, clock: FrozenClock) -> None:
    east = await put_team(database)
    clock.advance(60)
    await tell(database, response(1, ANNA, clock(), 5), response(2, BORIS, clock(), 5))
    clock.advance(60)
    east = await change(database, east, None, [BORIS])
    clock.advance(60)
    # One of before comes in late.
    before = clock() - timedelta(seconds=90)
    await tell(database, response(3, ANNA, before, 5), response(4, ANNA, clock(), 5), response(5, BORIS, clock(), 5))
    assert await answers(database, clock()) == {("2026-03-10", "East"): 3}
    kept = await database.read(load_cells)
    await rebuild_facts(database)
    assert await database.read(load_cells) == kept
    # A team that is gone still has its past.
    await database.transaction(teams.remove_team, east.id)
    clock.advance(60)
    await tell(database, response(6, BORIS, clock(), 5))
    assert await answers(database, clock()) == {("2026-03-10", "East"): 3}


async def test_a_projector_that_keeps_what_it_read_sees_who_joins_who_leaves_and_another_clock(
    database: Database, clock: FrozenClock
) -> None:
    known = Known()
    await tell(database, response(1, ANNA, clock(), 5), known=known)
    east = await put_team(database)
    clock.advance(60)
    await tell(database, response(2, ANNA, clock(), 5), response(3, BORIS, clock(), 5), known=known)
    clock.advance(60)
    east = await change(database, east, None, [BORIS])
    clock.advance(60)
    await tell(database, response(4, ANNA, clock(), 5), response(5, BORIS, clock(), 5), known=known)
    assert await answers(database, clock()) == {("2026-03-10", "East"): 2}
    clock.now = NOON + timedelta(hours=8, minutes=30)
    await change(database, east, "Asia/Tokyo", [BORIS])
    clock.advance(60)
    await tell(database, response(6, BORIS, clock(), 5), known=known)
    assert await answers(database, clock()) == {("2026-03-10", "East"): 2, ("2026-03-11", "East"): 1}


async def test_joining_never_reaches_a_fact_that_is_counted_already(database: Database, clock: FrozenClock) -> None:
    """A fact of a faster clock is in the cells before the change is made."""
    await tell(database, response(1, ANNA, clock(), 5))
    team = await put_team(database)
    since = await database.read(lambda tx: tx.scalar(select(tables.team_member.c.since)))
    assert since == clock() + timedelta(microseconds=1)
    await change(database, team, None, [])
    assert await database.read(teams.load_history, team.id) == []
    kept = await database.read(load_cells)
    await rebuild_facts(database)
    assert await database.read(load_cells) == kept


async def test_the_day_of_a_team_is_that_of_its_clock(database: Database, clock: FrozenClock) -> None:
    """22:30 in Kyiv, 05:30 of the next day in Tokyo."""
    clock.now = NOON + timedelta(hours=8, minutes=30)
    team = await put_team(database, "Tokyo", "Asia/Tokyo")
    clock.advance(60)
    await tell(database, response(1, ANNA, clock(), 5), response(2, BORIS, clock(), 5))
    assert await answers(database, clock()) == {("2026-03-11", "Tokyo"): 1}
    assert await answers(database, clock(), Dim.AGENT) == {("2026-03-11", "Anna"): 1, ("2026-03-10", "Boris"): 1}
    assert await answers(database, clock(), Dim.ALL) == {("2026-03-10", ""): 2}
    await change(database, team, None, [ANNA])
    await project_all(database)
    assert await answers(database, clock()) == {("2026-03-10", "Tokyo"): 1}
    assert await answers(database, clock(), Dim.AGENT) == {("2026-03-10", "Anna"): 1, ("2026-03-10", "Boris"): 1}


async def test_at_the_midnight_of_a_teams_clock_its_day_begins_on_the_screens_and_no_other(
    database: Database, clock: FrozenClock
) -> None:
    """It is 17:00 in Kyiv when the day of Tokyo ends: Anna's figures are zero without anything that happens, Boris' stay."""
    clock.now = datetime(2026, 3, 10, 14, 0, tzinfo=UTC)
    await put_team(database, "Tokyo", "Asia/Tokyo")
    clock.advance(1)
    await tell(database, segment(1, ANNA, clock.now), segment(2, BORIS, clock.now))
    before = await database.read(load_told)
    clock.now = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
    await database.transaction(project)
    told = await database.read(load_told)
    anna = told["agent", ANNA]
    assert isinstance(anna, NumbersView)
    assert (anna.day, anna.handled_segments) == ("2026-03-11", 0)
    assert told["agent", BORIS] == before["agent", BORIS]
    await database.transaction(project)
    assert await database.read(load_told) == told


async def test_a_new_team_with_a_clock_of_its_own_has_nothing_made_anew(database: Database, clock: FrozenClock) -> None:
    await tell(database, response(1, ANNA, clock(), 5))
    await put_team(database, "Tokyo", "Asia/Tokyo")
    marks = select(tables.projection.c.name).where(tables.projection.c.name == "facts.rebuilding")
    assert await database.transaction(project) is False
    assert await database.read(lambda tx: tx.first(marks)) is None


# --- targets ------------------------------------------------------------------------------------------------------------

HIGHER, LOWER = Better.HIGHER, Better.LOWER


@pytest.mark.parametrize(
    ("value", "target", "warning", "better", "level"),
    [
        (0.80, 0.8, 0.7, HIGHER, Level.GOOD),
        (0.79, 0.8, 0.7, HIGHER, Level.WARNING),
        (0.70, 0.8, 0.7, HIGHER, Level.WARNING),
        (0.69, 0.8, 0.7, HIGHER, Level.BAD),
        (0.79, 0.8, None, HIGHER, Level.BAD),
        (30, 30, 60, LOWER, Level.GOOD),
        (31, 30, 60, LOWER, Level.WARNING),
        (60, 30, 60, LOWER, Level.WARNING),
        (61, 30, 60, LOWER, Level.BAD),
        (0, 0, None, LOWER, Level.GOOD),
        (None, 30, 60, LOWER, Level.NONE),
        (30, None, None, LOWER, Level.NONE),
        (30, 30, 60, None, Level.NONE),
    ],
)
def test_how_far_a_figure_is_from_its_target(
    value: float | None, target: float | None, warning: float | None, better: Better | None, level: Level
) -> None:
    assert level_of(value, target, warning, better) is level


@pytest.mark.parametrize(
    ("whose", "wanted"),
    [
        ({"agent_id": 1, "team_ids": [5, 6], "queue_id": 3}, 1),
        ({"agent_id": 2, "team_ids": [6, 5], "queue_id": 3}, 2),
        ({"agent_id": 2, "team_ids": [9], "queue_id": 3}, 4),
        ({"agent_id": 2}, 5),
        ({}, 5),
    ],
)
def test_the_narrowest_target_holds(whose: dict[str, Any], wanted: int) -> None:
    given = [
        TargetView(5, "csat", "all", None, 0.9, None),
        TargetView(4, "csat", "queue", 3, 0.9, None),
        TargetView(3, "csat", "team", 6, 0.9, None),
        TargetView(2, "csat", "team", 5, 0.9, None),
        TargetView(1, "csat", "agent", 1, 0.9, None),
        TargetView(9, "nps", "agent", 2, 0.9, None),
    ]
    found = target_for(given, "csat", **whose)
    assert found is not None
    assert found.id == wanted
