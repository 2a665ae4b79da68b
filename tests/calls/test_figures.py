"""Scripted calls, from the ring to the board: what agents and queues are told of them, counted by hand."""

from __future__ import annotations

import pytest

from hub.agents import queues
from hub.agents.queues import QueueSettings
from hub.agents.viewer import Viewer
from hub.calls import conductor, records
from hub.domain.calls import LegEnd, Party
from hub.kpi.facts import project
from hub.routing import dispatcher
from hub.store import tables
from tests.calls.caller import NUMBER, Line
from tests.calls.figures import Figures, load_board
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.anyio

NO_CALL = {"talk_s": 0.0, "hold_s": 0.0, "wrap_up_s": 0.0, "aht_s": None}


async def write_up(line: Line, agent: Viewer, call_id: int) -> None:
    await line.do(conductor.write_up, agent, call_id, disposition=None, note=None, done=True, keep_open=False)


async def board(line: Line) -> dict[str, dict[int, Figures]]:
    await line.scene.database.transaction(project)
    return await line.scene.database.read(load_board)


async def test_a_call_with_hold_and_wrap_up(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.call_in()
    clock.advance(8)
    await line.accept(agent)
    clock.advance(2)  # her line is set up: the customer still waits
    await line.connects(call_id, Party.AGENT)
    clock.advance(60)
    await line.do(conductor.set_hold, agent, call_id, held=True)
    clock.advance(20)
    await line.do(conductor.set_hold, agent, call_id, held=False)
    clock.advance(40)
    await line.ends(call_id, Party.CUSTOMER)
    hung_up = await board(line)
    assert hung_up["queues"][line.scene.queue_id]["calls_answered"] == 1, "told while she is still writing"
    assert hung_up["agents"][agent.user_id]["calls_in"] == 0
    clock.advance(15)
    await write_up(line, agent, call_id)
    found = await board(line)
    handled = {"talk_s": 100.0, "hold_s": 20.0, "wrap_up_s": 15.0, "aht_s": 135.0}
    assert found["agents"][agent.user_id] == {"calls_in": 1, "calls_out": 0, "calls_missed": 0, **handled}
    assert found["queues"][line.scene.queue_id] == {
        "calls_offered": 1,
        "calls_answered": 1,
        "calls_abandoned": 0,
        "calls_short_abandoned": 0,
        "calls_missed": 0,
        "wait_mean_s": 10.0,
        **handled,
    }


async def test_callers_who_leave(line: Line, clock: FrozenClock) -> None:
    """One at once, one while an agent is rung at, one while the agent's line is being set up."""
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
    found = await board(line)
    assert found["agents"][agent.user_id] == {"calls_in": 0, "calls_out": 0, "calls_missed": 0, **NO_CALL}
    assert found["queues"][line.scene.queue_id] == {
        "calls_offered": 3,
        "calls_answered": 0,
        "calls_abandoned": 2,
        "calls_short_abandoned": 1,
        "calls_missed": 0,
        "wait_mean_s": None,
        **NO_CALL,
    }


async def test_a_call_that_one_misses_and_another_answers(line: Line, clock: FrozenClock) -> None:
    agents = {agent.user_id: agent for agent in (await line.scene.agent("Nare"), await line.scene.agent("Giorgi"))}
    call_id = await line.call_in()
    await line.dispatch()
    first = (await line.scene.row(tables.offer, ended_at=None))["agent_id"]
    clock.advance(20)
    await line.dispatch()
    assert (await board(line))["agents"][first]["calls_missed"] == 1, "told while the customer still waits"
    offer = await line.scene.row(tables.offer, ended_at=None)
    other = agents[offer["agent_id"]]
    await line.scene.database.transaction(dispatcher.accept_offer, other, offer["id"])
    await line.connects(call_id, Party.AGENT)
    clock.advance(30)
    await line.ends(call_id, Party.CUSTOMER)
    await write_up(line, other, call_id)
    found = await board(line)
    assert (found["agents"][first]["calls_in"], found["agents"][other.user_id]["calls_missed"]) == (0, 0)
    assert found["agents"][other.user_id]["calls_in"] == 1
    queue = found["queues"][line.scene.queue_id]
    assert (queue["calls_answered"], queue["calls_missed"], queue["wait_mean_s"]) == (1, 1, 20.0)


async def test_a_call_that_is_passed_on_is_one_call_and_two_parts(line: Line, clock: FrozenClock) -> None:
    sales = await line.scene.queue("Sales")
    agent, seller = await line.scene.agent(), await line.scene.agent(queue_ids={sales})
    call_id = await line.call_in()
    clock.advance(10)
    await line.accept(agent)
    await line.connects(call_id, Party.AGENT)
    clock.advance(60)
    await line.do(conductor.transfer, agent, call_id, queue_id=sales, note="wants a machine")
    clock.advance(25)
    await line.accept(seller)
    await line.connects(call_id, Party.AGENT)
    clock.advance(90)
    await line.ends(call_id, Party.CUSTOMER)
    await write_up(line, seller, call_id)
    found = await board(line)
    assert [found["agents"][of.user_id]["calls_in"] for of in (agent, seller)] == [1, 1]
    first, last = found["queues"][line.scene.queue_id], found["queues"][sales]
    assert (first["calls_offered"], first["talk_s"]) == (0, 60.0)
    assert (last["calls_offered"], last["calls_answered"], last["wait_mean_s"], last["talk_s"]) == (1, 1, 10.0, 90.0)


async def test_a_caller_who_was_passed_on_and_left_has_abandoned(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    sales = await line.scene.queue("Sales")
    call_id = await line.talk(agent)
    clock.advance(60)
    await line.do(conductor.transfer, agent, call_id, queue_id=sales, note=None)
    clock.advance(40)
    await line.ends(call_id, Party.CUSTOMER)
    queue = (await board(line))["queues"][sales]
    assert (queue["calls_offered"], queue["calls_answered"], queue["calls_abandoned"]) == (1, 0, 1)


async def test_a_question_to_a_colleague_is_hold_and_their_part_begins_with_the_call(
    line: Line, clock: FrozenClock
) -> None:
    agent, other = await line.scene.agent(), await line.scene.agent("Giorgi")
    call_id = await line.talk(agent)
    clock.advance(50)
    await line.do(conductor.consult, agent, call_id, agent_id=other.user_id)
    await line.do(conductor.join, other, call_id)
    await line.connects(call_id, Party.CONSULTED)
    clock.advance(30)
    await line.do(conductor.complete_consult, agent, call_id)
    clock.advance(20)
    await line.ends(call_id, Party.CUSTOMER)
    clock.advance(5)
    await write_up(line, other, call_id)
    found = (await board(line))["agents"]
    assert found[agent.user_id] | {"talk_s": 50.0, "hold_s": 30.0, "aht_s": 80.0} == found[agent.user_id]
    assert found[other.user_id] | {"talk_s": 20.0, "hold_s": 0.0, "wrap_up_s": 5.0} == found[other.user_id]


async def test_who_signs_out_while_writing_ends_the_wrap_up(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    clock.advance(30)
    await line.ends(call_id, Party.CUSTOMER)
    clock.advance(7)
    await line.scene.database.transaction(dispatcher.sign_out, agent.user_id)
    found = (await board(line))["agents"][agent.user_id]
    assert (found["calls_in"], found["talk_s"], found["wrap_up_s"], found["aht_s"]) == (1, 30.0, 7.0, 37.0)


async def test_an_agent_whose_line_broke_has_had_their_part(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    clock.advance(30)
    await line.ends(call_id, Party.AGENT, LegEnd.LOST)
    clock.advance(records.REJOIN_S)
    await line.due()
    found = await board(line)
    assert (found["agents"][agent.user_id]["talk_s"], found["agents"][agent.user_id]["hold_s"]) == (30.0, 30.0)
    assert found["queues"][line.scene.queue_id]["calls_offered"] == 0, "the customer still waits"


async def test_who_asks_to_be_called_back_has_not_abandoned(line: Line, clock: FrozenClock) -> None:
    settings = QueueSettings(offers_callback=True)
    await line.scene.database.transaction(queues.update_queue, line.scene.queue_id, settings)
    agent = await line.scene.agent()
    asked = await line.call_in(NUMBER)
    clock.advance(40)
    await line.presses(asked, "1")
    await line.accept(agent)
    conversation_id = (await line.conversation(asked))["id"]
    back = await line.scene.database.transaction(conductor.start_call, agent, conversation_id=conversation_id)
    await line.connects(back, Party.AGENT)
    await line.connects(back, Party.CUSTOMER)
    clock.advance(70)
    await line.ends(back, Party.CUSTOMER)
    await write_up(line, agent, back)
    found = await board(line)
    assert (found["agents"][agent.user_id]["calls_in"], found["agents"][agent.user_id]["calls_out"]) == (0, 1)
    queue = found["queues"][line.scene.queue_id]
    assert [queue[f"calls_{name}"] for name in ("offered", "answered", "abandoned", "short_abandoned")] == [1, 0, 0, 0]
    assert queue["talk_s"] == 70.0
