"""Leader boards: a team's own, which it may switch off; and whom they are told to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.agents import teams
from hub.agents.teams import Team
from hub.app import Hub
from hub.domain.events import SegmentEnded, SurveyAnswered, SurveySent
from hub.store.database import Tx
from hub.surveys.settings import load_setting, save_setting
from tests.support.clock import FrozenClock
from tests.web.conftest import Call, People
from tests.web.test_reports import tell

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)
PATH = "/reports/leaderboard?measure=handled_contacts&period=week&on=2026-03-31"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


async def furnish(hub: Hub, people: People, *, leaderboard: bool = True) -> int:
    """Anna and Bert are a team; Anna handled two contacts, Bert two, and Sue, who is in no team, one."""

    def make(tx: Tx) -> int:
        return teams.create_team(tx, Team("Blue", None, leaderboard, (people.anna.id, people.bert.id))).id

    await tell(hub)
    team_id = await hub.database.transaction(make)
    whose = (people.anna, people.anna, people.bert, people.bert, people.supervisor)
    at = NOW + timedelta(minutes=1)
    await tell(
        hub,
        *(
            SegmentEnded(n, n, person.id, "sms", 1, at - timedelta(seconds=90), at, "offer", "resolved")
            for n, person in enumerate(whose, 1)
        ),
    )
    return team_id


async def board(call: Call, person: Any, path: str = PATH) -> tuple[Any, ...]:
    answer = await (await call(person)).get(path)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return told["from"], told["to"], told["team_id"], [(row["rank"], row["name"], row["value"]) for row in told["rows"]]


async def test_equal_figures_share_a_rank_and_everybody_is_told_their_own_boards(
    hub: Hub, people: People, call: Call, clock: FrozenClock
) -> None:
    team_id = await furnish(hub, people)
    clock.advance(3_600)
    week = ("2026-03-30", "2026-04-05")
    of_team = [(1, "Anna", 2), (1, "Bert", 2)]
    assert await board(call, people.anna) == (*week, team_id, of_team)
    assert await board(call, people.supervisor, f"{PATH}&team={team_id}") == (*week, team_id, of_team)
    assert await board(call, people.supervisor) == (*week, None, [*of_team, (3, "Sue", 1)])


async def test_a_team_that_has_switched_it_off_stands_on_no_board(
    hub: Hub, people: People, call: Call, clock: FrozenClock
) -> None:
    team_id = await furnish(hub, people, leaderboard=False)
    clock.advance(3_600)
    named = f"{PATH}&team={team_id}"
    for person, path in ((people.anna, PATH), (people.supervisor, named), (people.admin, named)):
        answer = await (await call(person)).get(path)
        assert (answer.status_code, answer.json()["code"]) == (409, "leader_board_off")
    assert (await board(call, people.supervisor))[3] == [(1, "Sue", 1)]


async def test_who_is_in_a_team_that_has_switched_it_off_stands_on_no_other_teams(
    hub: Hub, people: People, call: Call, clock: FrozenClock
) -> None:
    await furnish(hub, people, leaderboard=False)
    red = Team("Red", None, True, (people.anna.id, people.supervisor.id))
    team_id = (await hub.database.transaction(teams.create_team, red)).id
    clock.advance(3_600)
    assert (await board(call, people.supervisor, f"{PATH}&team={team_id}"))[3] == [(1, "Sue", 1)]


async def test_scores_are_on_no_agents_board_while_a_queue_keeps_them(
    hub: Hub, people: People, call: Call, clock: FrozenClock
) -> None:
    await furnish(hub, people)
    at = NOW + timedelta(minutes=1)
    of = (1, 1, "sms", people.sales_id)
    asked = (SurveySent(1, "ces", *of, at, people.bert.id), SurveyAnswered(1, "ces", 1, *of, at, at, people.bert.id))
    await tell(hub, *asked)
    clock.advance(3_600)
    path = "/reports/leaderboard?measure=ces&on=2026-03-30"

    def show(tx: Tx, to: str) -> None:
        before = load_setting(tx, people.sales_id)
        save_setting(tx, replace(before, scores_for_agents=to), before.version)

    await hub.database.transaction(show, "own")
    refused = await (await call(people.anna)).get(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "scores_private")
    assert (await board(call, people.supervisor, path))[3] == [(1, "Bert", 1.0)]
    await hub.database.transaction(show, "all")
    assert (await board(call, people.anna, path))[3] == [(1, "Bert", 1.0)]


async def test_an_agent_opens_no_board_of_others(hub: Hub, people: People, call: Call) -> None:
    def make(tx: Tx) -> int:
        return teams.create_team(tx, Team("Red", None, True, (people.bert.id,))).id

    team_id = await hub.database.transaction(make)
    anna = await call(people.anna)
    assert (await anna.get(f"{PATH}&team={team_id}")).status_code == 403
    answer = await anna.get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_team")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("measure=nonsense", "measure"),
        ("measure=offered", "measure"),
        ("measure=csat&team=999999", "team"),
        ("measure=csat&on=0001-01-01", "on"),
    ],
)
async def test_a_wrong_question_is_told_by_its_field(call: Call, people: People, asked: str, field: str) -> None:
    answer = await (await call(people.supervisor)).get(f"/reports/leaderboard?{asked}")
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])
