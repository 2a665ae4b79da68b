"""The hours of an agent's day are those of a report about that day, whatever clock the agent's days went by."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from hub.agents import teams
from hub.agents.teams import Team
from hub.domain.events import AgentSpellEnded
from hub.kpi.cells import Dim
from hub.kpi.days import Grain
from hub.kpi.figures import Query, load_figures
from hub.reports.time_lines import load_time_lines
from hub.store.database import Database
from tests.kpi.random_facts import emit, project_all
from tests.kpi.reference import ANNA
from tests.support.clock import FrozenClock

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

DAYS = date(2026, 3, 8), date(2026, 3, 12)


def at_work(clock: FrozenClock, *, hours: float) -> AgentSpellEnded:
    return AgentSpellEnded(ANNA, clock() - timedelta(hours=hours), clock(), "available", None, 0, 100, 0)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati", "Pacific/Niue"])
async def test_hours_of_who_came_to_a_team_with_another_clock(
    database: Database, clock: FrozenClock, zone: str
) -> None:
    """Days of before stay what they were, and of the day of the move nothing is told twice or left out."""
    away = await database.transaction(teams.create_team, Team("Away", zone, True, []))
    await database.transaction(emit, [at_work(clock, hours=36)])
    await project_all(database)
    clock.advance(60)
    await database.transaction(teams.replace_team, away.id, Team("Away", zone, True, [ANNA]), away.version)
    clock.advance(hours=20)
    await database.transaction(emit, [at_work(clock, hours=20)])
    await project_all(database)
    query = Query(("worked_s",), *DAYS, Grain.DAY, Dim.AGENT, (str(ANNA),))
    report = await database.read(load_figures, query, clock())
    (line,) = (await database.read(load_time_lines, [ANNA], *DAYS, clock())).agents
    reported = [row.figures["worked_s"].value if row.figures else 0 for row in report.rows]
    assert [day.ms.get("staffed_ms", 0) / 1000 for day in line.days] == reported
    assert sum(day.ms.get("staffed_ms", 0) for day in line.days) == 56 * 3_600_000
    drawn = sum(((spell.until or clock()) - spell.since for day in line.days for spell in day.spells), timedelta())
    assert drawn == timedelta(hours=56)
