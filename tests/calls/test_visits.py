"""Stays of callers in queues, counted by hand: answered is who is connected, and whoever leaves has left for one reason."""

from __future__ import annotations

from typing import Any

import pytest

from hub.agents import queues
from hub.agents.queues import QueueSettings
from hub.calls import conductor, records
from hub.domain.calls import LegEnd, Party
from hub.domain.values import AuthorKind, Role
from hub.domain.views import Author
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations
from tests.calls.caller import Line
from tests.calls.test_menus import add_menu
from tests.support.clock import START, FrozenClock
from tests.support.facts import as_visit, told

pytestmark = pytest.mark.anyio


async def visits(line: Line) -> list[tuple[Any, ...]]:
    """All stays, each by a call."""
    rows = await told(line.scene.database, tables.fact_queue_visit)
    assert all(row["call_id"] is not None and row["channel_id"] == line.channel_id for row in rows)
    return [as_visit(row) for row in rows]


async def test_a_caller_is_answered_when_they_are_connected(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.call_in()
    clock.advance(8)
    await line.accept(agent)
    clock.advance(2)
    assert await visits(line) == []
    assert await told(line.scene.database, tables.fact_offer) == [], "its line may not come to stand"
    await line.connects(call_id, Party.AGENT)
    assert await visits(line) == [(line.scene.queue_id, 0, 10, "answered", agent.user_id)]
    (offer,) = await told(line.scene.database, tables.fact_offer)
    assert (offer["outcome"], offer["call_id"], (offer["ended_at"] - START).total_seconds()) == ("accepted", call_id, 8)
    (contact,) = await told(line.scene.database, tables.fact_contact)
    assert (contact["by_call"], contact["direction"], contact["arrived_at"]) == (True, "in", START)


async def test_an_agent_whose_line_does_not_stand_has_answered_nobody(line: Line, clock: FrozenClock) -> None:
    agent, other = await line.scene.agent(), await line.scene.agent("Giorgi", capacity=0)
    call_id = await line.call_in()
    await line.accept(agent)
    clock.advance(4)
    await line.ends(call_id, Party.AGENT, LegEnd.FAILED)
    assert await visits(line) == []
    (offer,) = await told(line.scene.database, tables.fact_offer)
    assert (offer["outcome"], (offer["ended_at"] - START).total_seconds()) == ("setup_failed", 4)
    clock.advance(6)
    conversation_id = (await line.conversation(call_id))["id"]
    await line.scene.database.transaction(dispatcher.claim, other, conversation_id, None)
    clock.advance(1)
    await line.connects(call_id, Party.AGENT)
    assert await visits(line) == [(line.scene.queue_id, 0, 11, "answered", other.user_id)]


async def test_callers_who_leave_have_abandoned(line: Line, clock: FrozenClock) -> None:
    """At once, while an agent is rung at, while the agent's line is being set up."""
    agent = await line.scene.agent()
    at_once = await line.call_in("")
    clock.advance(4)
    await line.ends(at_once, Party.CUSTOMER)
    rung_at = await line.call_in("")
    await line.dispatch()
    clock.advance(9)
    await line.ends(rung_at, Party.CUSTOMER)
    set_up = await line.call_in("")
    await line.accept(agent)
    clock.advance(6)
    await line.ends(set_up, Party.CUSTOMER)
    queue_id = line.scene.queue_id
    assert await visits(line) == [
        (queue_id, 0, 4, "abandoned", None),
        (queue_id, 4, 13, "abandoned", None),
        (queue_id, 13, 19, "abandoned", None),
    ]
    outcomes = [row["outcome"] for row in await told(line.scene.database, tables.fact_offer)]
    assert outcomes == ["customer_left", "accepted"]


async def test_passed_on_to_a_queue_and_to_an_agent_they_wait_each_time(line: Line, clock: FrozenClock) -> None:
    sales = await line.scene.queue("Sales")
    agent, seller = await line.scene.agent(), await line.scene.agent(queue_ids={sales})
    other = await line.scene.agent("Giorgi", queue_ids={sales})
    call_id = await line.talk(agent)
    clock.advance(60)
    await line.do(conductor.transfer, agent, call_id, queue_id=sales, note=None)
    await line.scene.database.transaction(dispatcher.sign_out, other.user_id)
    clock.advance(25)
    await line.accept(seller)
    await line.connects(call_id, Party.AGENT)
    clock.advance(30)
    await line.scene.database.transaction(dispatcher.sign_out, agent.user_id)
    await line.scene.set(tables.agent, {"state": "available"}, user_id=other.user_id)
    await line.do(conductor.transfer, seller, call_id, agent_id=other.user_id, note=None)
    clock.advance(5)
    await line.accept(other)
    await line.connects(call_id, Party.AGENT)
    assert await visits(line) == [
        (line.scene.queue_id, 0, 0, "answered", agent.user_id),
        (sales, 60, 85, "answered", seller.user_id),
        (sales, 115, 120, "answered", other.user_id),
    ]


@pytest.mark.parametrize(("by", "reason"), [(AuthorKind.SYSTEM, "overflow"), (AuthorKind.AGENT, "transferred")])
async def test_moved_as_they_wait(by: AuthorKind, reason: str, line: Line, clock: FrozenClock) -> None:
    sales = await line.scene.queue("Sales")
    seller = await line.scene.agent(queue_ids={sales})
    call_id = await line.call_in()
    clock.advance(30)
    conversation_id = (await line.conversation(call_id))["id"]

    def move(tx: Tx) -> None:
        before = conversations.lock_conversation(tx, conversation_id)
        dispatcher.direct(tx, before, Author(by, "", seller.user_id), queue_id=sales)

    await line.scene.database.transaction(move)
    clock.advance(11)
    await line.accept(seller)
    await line.connects(call_id, Party.AGENT)
    assert await visits(line) == [
        (line.scene.queue_id, 0, 30, reason, None),
        (sales, 30, 41, "answered", seller.user_id),
    ]


async def test_who_asks_to_be_called_back_waits_no_longer(line: Line, clock: FrozenClock) -> None:
    settings = QueueSettings(offers_callback=True)
    await line.scene.database.transaction(queues.update_queue, line.scene.queue_id, settings)
    agent = await line.scene.agent()
    asked = await line.call_in()
    clock.advance(40)
    await line.presses(asked, "1")
    clock.advance(100)
    await line.accept(agent)
    conversation_id = (await line.conversation(asked))["id"]
    await line.scene.database.transaction(conductor.start_call, agent, conversation_id=conversation_id)
    assert await visits(line) == [(line.scene.queue_id, 0, 40, "callback", None)]


async def test_a_callback_out_of_the_menu_is_a_stay_of_no_time(line: Line, clock: FrozenClock) -> None:
    await add_menu(line)
    call_id = await line.call_in()
    await line.has_heard(call_id)
    clock.advance(7)
    await line.presses(call_id, "2")
    assert await visits(line) == [(line.scene.queue_id, 7, 7, "callback", None)]


async def test_what_the_flow_does_with_who_waited_too_long_is_overflow(line: Line, clock: FrozenClock) -> None:
    await add_menu(line)
    agent = await line.scene.agent()
    await line.scene.database.transaction(dispatcher.sign_out, agent.user_id)
    call_id = await line.call_in()
    await line.has_heard(call_id)
    await line.presses(call_id, "1")
    clock.advance(60)
    await line.due()
    clock.advance(10)
    await line.presses(call_id, "1")
    clock.advance(20)
    await line.ends(call_id, Party.CUSTOMER)
    queue_id = line.scene.queue_id
    assert await visits(line) == [(queue_id, 0, 60, "overflow", None), (queue_id, 70, 90, "abandoned", None)]


async def test_a_message_after_the_tone_is_no_stay(line: Line, clock: FrozenClock) -> None:
    await add_menu(line, is_open=False)
    agent = await line.scene.agent()
    call_id = await line.call_in()
    clock.advance(20)
    await line.leaves_message(call_id)
    clock.advance(300)
    await line.accept(agent)
    assert await visits(line) == []


async def test_an_agent_whose_line_is_lost_leaves_them_waiting_again(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    clock.advance(30)
    await line.ends(call_id, Party.AGENT, LegEnd.LOST)
    clock.advance(records.REJOIN_S)
    await line.due()
    clock.advance(12)
    await line.ends(call_id, Party.CUSTOMER)
    waited = (line.scene.queue_id, 30 + records.REJOIN_S, 42 + records.REJOIN_S, "abandoned", None)
    assert await visits(line) == [(line.scene.queue_id, 0, 0, "answered", agent.user_id), waited]


async def test_whom_a_supervisor_hangs_up_on_is_withdrawn(line: Line, clock: FrozenClock) -> None:
    boss = await line.scene.agent(role=Role.SUPERVISOR)
    call_id = await line.call_in("")
    clock.advance(15)
    await line.do(conductor.hang_up, boss, call_id)
    assert await visits(line) == [(line.scene.queue_id, 0, 15, "withdrawn", None)]


async def test_a_call_in_wrap_up_when_its_agent_signs_out_has_its_number_in_the_hold(
    line: Line, clock: FrozenClock
) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    clock.advance(30)
    await line.ends(call_id, Party.CUSTOMER)
    clock.advance(7)
    await line.scene.database.transaction(dispatcher.sign_out, agent.user_id)
    (segment,) = await told(line.scene.database, tables.fact_segment)
    customer_id = (await line.conversation(call_id))["customer_id"]
    assert (segment["call_id"], segment["customer_id"]) == (call_id, customer_id)
    (part,) = await told(line.scene.database, tables.fact_call_segment)
    (whole,) = await told(line.scene.database, tables.fact_call)
    assert part["customer_id"] == whole["customer_id"] == customer_id
    spells = [
        (row["state"], row["work_count"], (row["until"] - row["since"]).total_seconds())
        for row in await told(line.scene.database, tables.fact_agent_state)
    ]
    assert spells == [("available", 1, 37.0)], "writing down is work, too"


async def test_a_stay_over_midnight_is_one(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    clock.advance(hours=14, minutes=59, seconds=50)
    call_id = await line.call_in()
    clock.advance(25)
    await line.accept(agent)
    await line.connects(call_id, Party.AGENT)
    (visit,) = await told(line.scene.database, tables.fact_queue_visit)
    assert (visit["queued_at"].day, visit["removed_at"].day) == (START.day, START.day + 1)
