"""Stretches of an agent's time, counted by hand: one after the other, without a gap, each told once when it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.agents import accounts, roster
from hub.agents.viewer import Viewer
from hub.domain.states import AgentState
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database, Tx
from tests.support.clock import START, FrozenClock
from tests.support.facts import told
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GRACE_S = 15.0


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await Scene(database).set_up()


async def spells(scene: Scene, agent: Viewer) -> list[tuple[Any, ...]]:
    """(since, until, state, reason, load, capacity, work), seconds counted from the start of the clock."""
    rows = [row for row in await told(scene.database, tables.fact_agent_state) if row["agent_id"] == agent.user_id]
    return [
        (
            (row["since"] - START).total_seconds(),
            (row["until"] - START).total_seconds(),
            row["state"],
            row["reason"],
            row["load"],
            row["capacity"],
            row["work_count"],
        )
        for row in rows
    ]


async def choose(scene: Scene, agent: Viewer, state: AgentState, reason: str | None = None) -> None:
    await scene.database.transaction(roster.change_agent_state, agent.user_id, state, reason)


async def test_an_hour_of_an_agent(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    await scene.opened()
    clock.advance(60)
    await scene.database.transaction(dispatcher.dispatch, GRACE_S)
    offer = await scene.row(tables.offer)
    clock.advance(5)
    await scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])
    clock.advance(300)
    await choose(scene, agent, AgentState.AWAY, "lunch")
    clock.advance(100)
    await scene.database.transaction(dispatcher.resolve, agent, offer["conversation_id"])
    clock.advance(1800)
    await scene.database.transaction(dispatcher.sign_out, agent.user_id)
    weight = offer["weight"]
    assert await spells(scene, agent) == [
        (0, 60, "available", None, 0, 100, 0),
        (60, 65, "available", None, weight, 100, 0),
        (65, 365, "available", None, weight, 100, 1),
        (365, 465, "away", "lunch", weight, 100, 1),
        (465, 2265, "away", "lunch", 0, 100, 0),
    ]
    row = await scene.row(tables.agent)
    assert (row["spell_state"], row["spell_since"]) == ("offline", START + timedelta(seconds=2265)), "it goes on"


async def test_who_misses_too_often_stops_being_available(scene: Scene, clock: FrozenClock) -> None:
    await scene.set(tables.queue, {"miss_limit": 1})
    agent = await scene.agent()
    await scene.opened()
    clock.advance(10)
    await scene.database.transaction(dispatcher.dispatch, GRACE_S)
    clock.advance(20)
    await scene.database.transaction(dispatcher.dispatch, GRACE_S)
    clock.advance(40)
    await choose(scene, agent, AgentState.AVAILABLE)
    assert [spell[:3] for spell in await spells(scene, agent)] == [
        (0, 10, "available"),
        (10, 30, "available"),
        (30, 70, "not_responding"),
    ]


async def test_what_changes_at_one_instant_is_no_stretch(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    clock.advance(30)
    await choose(scene, agent, AgentState.AWAY, "break")
    await choose(scene, agent, AgentState.BUSY)
    await choose(scene, agent, AgentState.AVAILABLE)
    await choose(scene, agent, AgentState.AWAY, "lunch")
    clock.advance(30)
    await choose(scene, agent, AgentState.AVAILABLE)
    assert [spell[:4] for spell in await spells(scene, agent)] == [
        (0, 30, "available", None),
        (30, 60, "away", "lunch"),
    ]


async def test_what_only_touches_an_agent_ends_no_stretch(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    clock.advance(30)
    await scene.database.transaction(accounts.update_user, None, agent.user_id, name="Another")
    await choose(scene, agent, AgentState.AVAILABLE)
    assert await spells(scene, agent) == []


async def test_a_clock_that_jumps_back_leaves_no_gap_and_no_overlap(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    clock.advance(100)
    await choose(scene, agent, AgentState.BUSY)
    clock.advance(-60)
    await choose(scene, agent, AgentState.AWAY, "break")
    clock.advance(30)
    await choose(scene, agent, AgentState.AVAILABLE)
    clock.advance(130)
    await choose(scene, agent, AgentState.BUSY)
    assert [spell[:3] for spell in await spells(scene, agent)] == [(0, 100, "available"), (100, 200, "available")]


async def test_what_is_put_aside_is_no_work(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(10)
    await scene.database.transaction(dispatcher.park, agent, conversation_id, clock() + timedelta(seconds=60))
    clock.advance(60)
    await scene.database.transaction(dispatcher.dispatch, GRACE_S)
    clock.advance(5)
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    assert [(spell[1], spell[6]) for spell in await spells(scene, agent)] == [(10, 1), (70, 0), (75, 1)]


async def test_another_capacity_is_another_stretch_and_who_is_deactivated_is_offline(
    scene: Scene, clock: FrozenClock
) -> None:
    agent = await scene.agent()
    clock.advance(10)
    await scene.database.transaction(accounts.update_user, None, agent.user_id, capacity=50)
    clock.advance(10)
    await scene.database.transaction(accounts.update_user, None, agent.user_id, active=False)
    clock.advance(10)
    await scene.database.transaction(accounts.update_user, None, agent.user_id, active=True)
    assert [(spell[1], spell[2], spell[5]) for spell in await spells(scene, agent)] == [
        (10, "available", 100),
        (20, "available", 50),
    ]


async def test_two_pieces_of_work_at_once_count_as_two(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    first, second = await scene.opened(sender="ani"), await scene.opened(sender="ara")

    def take_both(tx: Tx) -> None:
        dispatcher.claim(tx, agent, first, None)
        dispatcher.claim(tx, agent, second, None)

    clock.advance(10)
    await scene.database.transaction(take_both)
    clock.advance(10)
    await scene.database.transaction(dispatcher.resolve, agent, first)
    clock.advance(10)
    await scene.database.transaction(dispatcher.resolve, agent, second)
    assert [(spell[0], spell[6]) for spell in await spells(scene, agent)] == [(0, 0), (10, 2), (20, 1)]
