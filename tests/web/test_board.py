"""The board over the API: everybody for supervisors, oneself and one's queues for agents."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from hub.app import Hub
from hub.kpi.queue_lengths import find_changes, write_changes
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.web.conftest import Call, Caller, People
from tests.web.test_measures import take_a_call

pytestmark = pytest.mark.anyio


async def load_board(caller: Caller) -> dict[str, Any]:
    answer = await caller.get("/board")
    assert answer.status_code == 200, answer.text
    board: dict[str, Any] = answer.json()
    return board


async def test_a_supervisor_sees_everybody_with_their_teams_and_every_queue(
    hub: Hub, people: People, call: Call, as_admin: Caller, clock: FrozenClock
) -> None:
    await take_a_call(hub, people)
    team = (await as_admin.post("/teams", {"name": "Early", "member_ids": [people.anna.id]})).json()
    # A membership begins after all that has been counted.
    clock.advance(1)
    board = await load_board(await call(people.supervisor))
    agents = {agent["name"]: agent for agent in board["agents"]}
    assert {name: agent["team_ids"] for name, agent in agents.items()} == {
        "Ada": [],
        "Anna": [team["id"]],
        "Bert": [],
        "Sue": [],
    }
    numbers = agents["Anna"]["numbers"]
    assert (numbers["calls_in"], numbers["aht_s"], numbers["day"]) == (1, 75.0, board["day"])
    assert agents["Bert"]["numbers"]["calls_in"] == 0
    assert [(queue["name"], queue["waiting"], queue["numbers"]["calls_answered"]) for queue in board["queues"]] == [
        ("Sales", 0, 1),
        ("Support", 0, 0),
    ]


async def test_an_agent_sees_themselves_and_their_queues(hub: Hub, people: People, as_anna: Caller, call: Call) -> None:
    await take_a_call(hub, people)
    board = await load_board(as_anna)
    assert [agent["name"] for agent in board["agents"]] == ["Anna"]
    assert [queue["name"] for queue in board["queues"]] == ["Sales"]
    board = await load_board(await call(people.bert))
    assert ([agent["name"] for agent in board["agents"]], board["queues"]) == (["Bert"], [])


async def test_who_waits_is_told_with_the_longest(hub: Hub, people: People, call: Call, clock: FrozenClock) -> None:
    scene = Scene(hub.database, people.sales_id)
    await scene.channel("loop", "loopback")
    since = clock.now
    await scene.opened(sender="ani")
    clock.advance(60)
    await scene.opened(sender="ben")
    board = await load_board(await call(people.supervisor))
    sales = next(queue for queue in board["queues"] if queue["name"] == "Sales")
    assert (sales["waiting"], sales["numbers"]["backlog"]) == (2, 2)
    assert datetime.fromisoformat(sales["longest_since"]) == since


async def test_a_screen_with_less_than_all_is_told_how_long_queues_are_and_has_all_work_that_somebody_has(
    hub: Hub, people: People, call: Call, clock: FrozenClock
) -> None:
    """Five wait or are held where a snapshot carries three; Anna's is the oldest of them."""
    hub.settings = replace(hub.settings, snapshot_conversations=3)
    scene = Scene(hub.database, people.sales_id)
    await scene.channel("loop", "loopback")
    anna, boss = await call(people.anna), await call(people.supervisor)
    held = await scene.opened(sender="first")
    assert (await anna.post(f"/conversations/{held}/claim", {"expected_assignee_id": None})).status_code == 200
    since = clock.advance(60)
    for sender in ("ani", "ben", "eve", "zoe"):
        await scene.opened(sender=sender)
        clock.advance(1)
    before = (await boss.get("/snapshot")).json()
    assert (len(before["conversations"]), before["conversations_complete"], before["work_complete"]) == (3, False, True)
    assert held in {each["id"] for each in before["conversations"]}
    assert before["queue_lengths"] == []

    await hub.database.transaction(write_changes, await hub.database.read(find_changes))
    told = {each["queue_id"]: each for each in (await boss.get("/snapshot")).json()["queue_lengths"]}
    sales = told[people.sales_id]
    assert (sales["waiting"], sales["unresolved"]) == (4, 5)
    assert datetime.fromisoformat(sales["longest_since"]) == since
    own = (await anna.get("/snapshot")).json()
    assert held in {each["id"] for each in own["conversations"]}
    assert own["queue_lengths"] == []
