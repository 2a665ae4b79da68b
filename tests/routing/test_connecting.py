"""Accepted is not connected: a call whose line does not come to stand in time goes back, at its original age."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hub.agents import queues
from hub.agents.queues import QueueSettings
from hub.agents.viewer import Viewer
from hub.calls import records
from hub.channels.voice import Wait
from hub.domain.calls import Party
from hub.domain.states import LegState
from hub.domain.values import ChannelKind
from hub.errors import Conflict
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GRACE_S = 15.0
CONNECT_S = 25


@pytest.fixture
async def called(scene: Scene) -> Scene:
    """There is a line, and its calls must be connected within CONNECT_S."""
    await scene.channel("phone", "phone")
    await scene.database.transaction(
        queues.update_queue, scene.queue_id, QueueSettings(connect_timeout_s=CONNECT_S, exclusion_s=90)
    )
    return scene


async def called_in(scene: Scene) -> int:
    """A caller waits on the line; the conversation's id."""
    conversation_id = await scene.opened(channel_id="phone")

    def wait_on_the_line(tx: Tx) -> None:
        view = conversations.lock_conversation(tx, conversation_id)
        call_id = tx.insert(
            tables.call,
            {
                "channel_id": "phone",
                "conversation_id": view.id,
                "customer_id": view.customer_id,
                "direction": "in",
                "state": "queued",
                "state_since": tx.now,
                "queue_id": view.queue_id,
                "address": "+37477123456",
                "line": "+15005550006",
                "room": records.new_token(),
                "started_at": tx.now,
                "queued_at": tx.now,
            },
        )
        call = records.load_row(tx, call_id)
        records.add_leg(tx, call, Party.CUSTOMER, Wait(), state=LegState.CONNECTED, provider_leg_id="CA1")
        conversations.change(tx, view.id, call_id=call_id)

    await scene.database.transaction(wait_on_the_line)
    return conversation_id


async def go(scene: Scene) -> datetime | None:
    return await scene.database.transaction(dispatcher.dispatch, GRACE_S)


async def accepted(scene: Scene, agent: Viewer) -> int:
    """A call rings at this agent and is accepted; the conversation's id."""
    await go(scene)
    offer = await scene.row(tables.offer, ended_at=None)
    assert offer["agent_id"] == agent.user_id
    await scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])
    return int(offer["conversation_id"])


async def test_an_accepted_call_is_connecting_until_its_line_stands(called: Scene, clock: FrozenClock) -> None:
    agent = await called.agent()
    await called_in(called)
    conversation_id = await accepted(called, agent)
    held = await called.row(tables.assignment)
    assert (held["connect_by"], held["connected_at"]) == (clock() + timedelta(seconds=CONNECT_S), None)
    assert await go(called) == clock() + timedelta(seconds=CONNECT_S)
    clock.advance(5)
    for _ in range(2):
        await called.database.transaction(dispatcher.connected, agent.user_id, conversation_id)
    assert (await called.row(tables.assignment))["connected_at"] == clock()
    clock.advance(3_600)
    await go(called)
    assert (await called.row(tables.conversation))["assignee_id"] == agent.user_id


async def test_a_call_that_does_not_connect_goes_back_at_its_original_age_and_to_somebody_else(
    called: Scene, clock: FrozenClock
) -> None:
    agent = await called.agent("Nare")
    started = clock()
    conversation_id = await called_in(called)
    # What it says is answered: its age is no longer told by its messages.
    await called.set(tables.conversation, {"unanswered_since": None})
    clock.advance(40)
    await accepted(called, agent)
    clock.advance(CONNECT_S)
    await go(called)
    row = await called.row(tables.conversation)
    assert (row["assignee_id"], row["queued_since"]) == (None, started)
    assert [each["end_reason"] for each in await called.rows(tables.assignment)] == ["setup_failed"]
    (offer,) = await called.rows(tables.offer)
    assert offer["outcome"] == "setup_failed"
    (entry,) = await called.rows(tables.entry, happening="setup_failed")
    assert (entry["data"]["agent_name"], entry["data"]["offer_id"]) == ("Nare", offer["id"])
    assert (await called.row(tables.agent))["missed_in_row"] == 0, "it is not the agent's fault"
    assert [event.kind for event in await called.events() if event.kind == "fact.segment"] == []
    await go(called)
    assert await called.rows(tables.offer, ended_at=None) == []
    other = await called.agent("Giorgi")
    await go(called)
    assert (await called.row(tables.offer, ended_at=None))["agent_id"] == other.user_id
    assert conversation_id == row["id"]


async def test_the_agent_is_tried_again_when_the_exclusion_is_over(called: Scene, clock: FrozenClock) -> None:
    agent = await called.agent()
    await called_in(called)
    await accepted(called, agent)
    clock.advance(CONNECT_S)
    assert await go(called) == clock() + timedelta(seconds=90)
    clock.advance(90)
    await go(called)
    assert (await called.row(tables.offer, ended_at=None))["agent_id"] == agent.user_id


async def test_a_deadline_that_passed_while_no_hub_ran_is_kept(called: Scene, clock: FrozenClock) -> None:
    agent = await called.agent()
    await called_in(called)
    await accepted(called, agent)
    clock.advance(3_600)
    await go(called)
    assert (await called.row(tables.conversation))["assignee_id"] is None


async def test_a_line_that_stands_too_late_is_nobodys(called: Scene, clock: FrozenClock) -> None:
    agent = await called.agent()
    await called_in(called)
    conversation_id = await accepted(called, agent)
    clock.advance(CONNECT_S)
    await go(called)
    with pytest.raises(Conflict) as refused:
        await called.database.transaction(dispatcher.connected, agent.user_id, conversation_id)
    assert refused.value.code == "not_held"


async def test_a_call_that_is_accepted_by_itself_has_to_connect_too(called: Scene, clock: FrozenClock) -> None:
    await called.database.transaction(
        queues.update_queue, called.queue_id, QueueSettings(auto_accept=[ChannelKind.PHONE])
    )
    await called.agent()
    await called_in(called)
    await go(called)
    assert (await called.row(tables.assignment))["connect_by"] == clock() + timedelta(seconds=CONNECT_S)


async def test_other_work_is_connected_when_it_is_accepted(called: Scene, clock: FrozenClock) -> None:
    agent = await called.agent()
    await called.opened()
    await accepted(called, agent)
    held = await called.row(tables.assignment)
    assert (held["connect_by"], held["connected_at"]) == (None, clock())
