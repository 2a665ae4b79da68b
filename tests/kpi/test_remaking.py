"""While figures are made anew a part of them is never taken for the whole, and screens are right by themselves afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from hub.agents import teams
from hub.agents.teams import Team
from hub.domain.events import FiguresRemaking, QueueVisitEnded
from hub.domain.views import RemakingView
from hub.kpi import facts, limits
from hub.kpi.board import load_numbers
from hub.kpi.cells import Dim
from hub.kpi.days import Grain
from hub.kpi.facts import begin_rebuild, project
from hub.kpi.figures import NO_FILTERS, Query, load_figures
from hub.kpi.measures import DEFAULTS
from hub.kpi.remaking import load_progress, load_remaking
from hub.reports.time_lines import load_time_lines
from hub.reports.week_pattern import load_week_pattern
from hub.staffing.forecasts import Forecaster, load_forecast_parts, queue_forecast
from hub.store import tables
from hub.store.database import Database, Tx
from tests.kpi.random_facts import emit, project_all
from tests.kpi.reference import ANNA, CARE, NOON, segment
from tests.support.clock import FrozenClock
from tests.support.live import check_told, load_told

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

TODAY = date(2026, 3, 10)


def load_said(tx: Tx) -> list[RemakingView | None]:
    """How far the figures are, as screens were told."""
    e = tables.event.c
    bodies = tx.execute(select(e.body).where(e.kind == FiguresRemaking.KIND).order_by(e.seq)).scalars()
    views = [json.loads(body)["remaking"] for body in bodies]
    return [None if view is None else RemakingView(view["made_to"]) for view in views]


async def step_until(database: Database, is_so: Callable[[Tx], bool]) -> None:
    while not await database.read(is_so):
        assert await database.transaction(project)


def visit(number: int, at: datetime) -> QueueVisitEnded:
    return QueueVisitEnded(number, 1, 1, "line", CARE, at, at, at, at + timedelta(seconds=20), "answered", ANNA)


# --- screens ------------------------------------------------------------------------------------------------------------


async def test_a_screen_that_comes_in_between_knows_and_is_right_afterwards(database: Database) -> None:
    await database.transaction(emit, [segment(1, ANNA, NOON)])
    await project_all(database)
    assert await database.read(load_remaking) is None
    await database.transaction(begin_rebuild)
    await database.transaction(project)
    shown = await database.read(lambda tx: load_numbers(tx, ANNA, tx.now))
    assert (shown.handled_segments, await database.read(load_remaking)) == (0, RemakingView("2026-03-10"))
    told_before = await database.read(lambda tx: len(list(tx.rows(select(tables.event)))))
    await project_all(database)
    assert await database.read(load_remaking) is None
    assert await database.read(load_said) == [RemakingView("2026-03-10"), None]
    await database.read(check_told)
    told = (await database.read(load_told))["agent", ANNA]
    assert (told.as_of_seq >= shown.as_of_seq, told_before < told.as_of_seq) == (True, False)
    assert (await database.read(lambda tx: load_numbers(tx, ANNA, tx.now))).handled_segments == 1


async def test_screens_are_told_how_far_it_is(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await database.transaction(emit, [segment(n, ANNA, NOON - timedelta(days=3 - n // 10)) for n in range(10, 40)])
    await project_all(database)
    monkeypatch.setattr(facts, "WINDOW", 5)
    await database.transaction(begin_rebuild)
    await project_all(database)
    days = [None if view is None else view.made_to for view in await database.read(load_said)]
    assert days == ["2026-03-08", "2026-03-09", "2026-03-10", None]


async def test_another_zone_of_a_team_is_told_to_its_screens(database: Database, clock: FrozenClock) -> None:
    """Noon in Kyiv, and already the next day where the team goes."""
    team = await database.transaction(teams.create_team, Team("East", None, True, [ANNA]))
    clock.advance(1)
    await database.transaction(emit, [segment(1, ANNA, clock())])
    await project_all(database)
    await database.transaction(
        teams.replace_team, team.id, Team("East", "Pacific/Kiritimati", True, [ANNA]), team.version
    )
    assert await database.read(load_remaking) is not None, "even before the projector has seen it"
    await project_all(database)
    await database.read(check_told)
    told = (await database.read(load_told))["agent", ANNA]
    assert told == await database.read(lambda tx: load_numbers(tx, ANNA, tx.now))
    assert told.day == "2026-03-11"


async def test_what_happens_meanwhile_is_made_before_it_is_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "WINDOW", 3)
    await database.transaction(emit, [segment(n, ANNA, NOON) for n in range(1, 10)])
    await project_all(database)
    await database.transaction(begin_rebuild)
    await database.transaction(emit, [segment(n, ANNA, NOON) for n in range(10, 30)])
    await step_until(database, lambda tx: load_remaking(tx) is None)
    progress = await database.read(lambda tx: load_progress(tx, tx.now))
    assert progress.is_current
    assert (await database.read(lambda tx: load_numbers(tx, ANNA, tx.now))).handled_segments >= 26


async def test_a_rebuild_ends_where_the_event_at_its_end_is_forgotten(database: Database) -> None:
    await database.transaction(emit, [segment(1, ANNA, NOON)])
    await project_all(database)
    await database.transaction(begin_rebuild)
    e, p = tables.event.c, tables.projection.c

    def forget(tx: Tx) -> None:
        last = tx.scalar(select(func.max(e.seq)))
        tx.execute(update(tables.projection).where(p.name == "facts.rebuilding").values(seq=last))
        tx.execute(delete(tables.event).where(e.seq == last))

    await database.transaction(forget)
    for _ in range(5):
        await database.transaction(project)
    assert await database.read(load_remaking) is None


async def test_a_rebuild_of_nothing_ends_too(database: Database) -> None:
    await database.transaction(begin_rebuild)
    await project_all(database)
    assert (await database.read(load_said))[-1] is None


# --- reports ------------------------------------------------------------------------------------------------------------


async def test_days_that_are_not_made_yet_are_gaps(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now = NOON
    await database.transaction(emit, [segment(n, ANNA, NOON - timedelta(days=9 - n // 10)) for n in range(10, 90)])
    await project_all(database)
    monkeypatch.setattr(facts, "WINDOW", 20)
    await database.transaction(begin_rebuild)
    for _ in range(4):
        await database.transaction(project)
    first, last = NOON.date() - timedelta(days=8), NOON.date()
    query = Query(("handled_segments",), first, last, Grain.DAY)
    report = await database.read(load_figures, query, clock())
    assert (report.is_remaking, report.is_complete) == (True, False)
    told = [row.figures["handled_segments"].value if row.figures else None for row in report.rows]
    assert told == [*[10] * 6, *[None] * 3]
    assert [row.is_gap for row in report.rows] == [value is None for value in told]
    whole = await database.read(load_figures, Query(("handled_segments",), first, last), clock())
    assert whole.rows[0].is_gap, "a part of the days is not all of them"
    lines = await database.read(load_time_lines, [ANNA], first, last, clock())
    assert ([day.is_gap for day in lines.agents[0].days], lines.is_complete) == ([False] * 6 + [True] * 3, False)
    pattern = await database.read(load_week_pattern, "handled_segments", first, last, NO_FILTERS, DEFAULTS, clock())
    assert (pattern.is_complete, sum(hour.times for hour in pattern.hours)) == (False, 6 * 24)
    await project_all(database)
    report = await database.read(load_figures, query, clock())
    assert [row.figures["handled_segments"].value for row in report.rows[:8]] == [10] * 8


async def test_a_report_by_agent_tells_gaps_of_those_who_are_known(database: Database, clock: FrozenClock) -> None:
    await database.transaction(emit, [segment(1, ANNA, NOON)])
    await project_all(database)
    await database.transaction(begin_rebuild)
    query = Query(("handled_segments",), TODAY, TODAY, by=Dim.AGENT, ids=(str(ANNA),))
    (row,) = (await database.read(load_figures, query, clock())).rows
    assert (row.is_gap, row.figures) == (True, {})


# --- limits -------------------------------------------------------------------------------------------------------------


def put_rule(tx: Tx, measure: str, raise_at: float) -> int:
    row: dict[str, Any] = {"name": measure, "measure": measure, "scope": "all", "scope_id": None, "emails": []}
    return tx.insert(tables.kpi_alert_rule, {**row, "raise_at": raise_at, "clear_at": raise_at})


async def look(database: Database) -> None:
    looked = await database.read(limits.look)
    assert looked is not None
    await database.transaction(limits.judge, looked)


def count_alerts(tx: Tx) -> int:
    return len(list(tx.rows(select(tables.kpi_alert.c.id))))


async def test_limits_on_figures_that_are_made_anew_are_not_judged(database: Database, clock: FrozenClock) -> None:
    await database.transaction(emit, [segment(1, ANNA, NOON)])
    await project_all(database)
    ids = [await database.transaction(put_rule, *each) for each in (("handled_segments", 0.0), ("waiting", -1.0))]

    def judged(tx: Tx) -> list[bool]:
        return [limits.is_judged(tx, limits.load_rule(tx, rule_id)[0]) for rule_id in ids]

    await database.transaction(begin_rebuild)
    await look(database)
    assert await database.read(judged) == [False, True]
    assert await database.read(count_alerts) == 1
    await project_all(database)
    clock.advance(5)
    await look(database)
    assert await database.read(judged) == [True, True]
    assert await database.read(count_alerts) == 2


async def test_limits_see_at_once_after_the_clock_was_set_back(database: Database, clock: FrozenClock) -> None:
    """And what was beyond its limit in the future is beyond it from now on."""
    r = tables.kpi_alert_rule.c
    rule_id = await database.transaction(put_rule, "available_agents", 1.0)
    await database.transaction(
        lambda tx: tx.execute(update(tables.kpi_alert_rule).where(r.id == rule_id).values(for_s=60))
    )
    clock.advance(hours=5)
    await look(database)
    clock.advance(hours=-5)
    await look(database)
    row = await database.read(lambda tx: limits.load_rule(tx, rule_id)[0])
    assert (row.looked_at, row.beyond_since) == (clock(), clock())
    clock.advance(59)
    await look(database)
    assert await database.read(count_alerts) == 0
    clock.advance(4)
    await look(database)
    assert await database.read(count_alerts) == 1


# --- forecasts ----------------------------------------------------------------------------------------------------------


async def test_nothing_is_foretold_from_a_part_of_the_past(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = [
        visit(step * 10 + number, datetime(2026, 3, 10, 8, number, tzinfo=UTC) - timedelta(days=step))
        for step in range(57, 0, -1)
        for number in range(10)
    ]
    await database.transaction(emit, came)
    await project_all(database)
    monkeypatch.setattr(facts, "WINDOW", 100)
    await database.transaction(begin_rebuild)
    v = tables.fact_queue_visit.c
    await step_until(
        database, lambda tx: load_progress(tx, tx.now).as_of > came[300].queued_at and bool(tx.first(select(v.visit)))
    )
    forecaster = Forecaster(database)
    assert await forecaster.make() is None
    half = queue_forecast(await database.read(load_forecast_parts, CARE, TODAY - timedelta(days=3), TODAY, 0))
    assert {each.actual for each in half.intervals} == {None}, "not nought"
    await project_all(database)
    assert await forecaster.make() == 1
    tomorrow = TODAY + timedelta(days=1)
    found = queue_forecast(await database.read(load_forecast_parts, CARE, tomorrow, tomorrow, 0))
    assert sum(each.forecast or 0 for each in found.intervals) == pytest.approx(10, rel=0.1)
