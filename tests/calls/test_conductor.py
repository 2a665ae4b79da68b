"""What becomes of a call, whatever its line tells and people want: states, scenes, work, facts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.agents import queues
from hub.agents.queues import QueueSettings
from hub.calls import conductor, records
from hub.channels.voice import Hold, LegName, Over, Ringback, Say, Talk, Wait
from hub.channels.voice import LegChanged as Changed
from hub.domain.calls import CallEnd, LegEnd, Party, Presence, Recording
from hub.domain.states import CallState, LegState
from hub.domain.values import Role
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.routing import dispatcher
from hub.store import tables
from tests.calls.caller import NUMBER, Line
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def settings(scene: Scene, **wanted: Any) -> None:
    await scene.database.transaction(queues.update_queue, scene.queue_id, QueueSettings(**wanted))


def sums(fact: dict[str, Any]) -> tuple[float, float, float]:
    return fact["talk_s"], fact["hold_s"], fact["wrap_up_s"]


# --- a customer calls ---------------------------------------------------------------------------------------------------


async def test_a_caller_waits_in_the_queue_of_the_line(line: Line, clock: FrozenClock) -> None:
    call_id = await line.call_in()
    call = await line.call(call_id)
    assert (call.state, call.queue_id, call.queued_at) == (CallState.QUEUED, line.scene.queue_id, clock())
    heard = await line.hears(call_id)
    assert isinstance(heard, Wait)
    assert "next free colleague" in heard.prompts[0].text
    conversation = await line.conversation(call_id)
    assert (conversation["status"], conversation["queued_since"], conversation["call_id"]) == ("open", clock(), call_id)
    (entry,) = await line.scene.rows(tables.entry, happening="call")
    assert entry["call_id"] == call_id


async def test_an_arrival_that_is_told_twice_is_one_call(line: Line) -> None:
    await line.call_in(provider_leg_id="CA1")
    await line.call_in(provider_leg_id="CA1")
    assert len(await line.scene.rows(tables.call)) == 1


async def test_two_who_call_from_one_number_have_a_call_each(line: Line) -> None:
    first, second = await line.call_in(), await line.call_in()
    assert (await line.conversation(first))["id"] != (await line.conversation(second))["id"]
    assert (await line.call(first)).customer_id == (await line.call(second)).customer_id


async def test_callers_with_withheld_numbers_are_not_one_person(line: Line) -> None:
    first, second = await line.call_in(""), await line.call_in("")
    calls = [await line.call(first), await line.call(second)]
    assert calls[0].customer_id != calls[1].customer_id
    assert [call.address for call in calls] == ["", ""]


async def test_a_call_is_offered_taken_talked_and_wrapped_up(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent("Nare")
    call_id = await line.call_in()
    await line.dispatch()
    assert (await line.call(call_id)).state is CallState.OFFERED
    clock.advance(8)
    await line.accept(agent)
    call = await line.call(call_id)
    assert (call.state, call.agent_id) == (CallState.CONNECTING, agent.user_id)
    leg = await line.leg(call_id, Party.AGENT)
    assert (leg.user_id, leg.state, leg.address) == (agent.user_id, LegState.PENDING, "")
    assert isinstance(await line.hears(call_id), Wait), "music until the line stands"
    await line.connects(call_id, Party.AGENT)
    call = await line.call(call_id)
    assert (call.state, call.answered_at) == (CallState.TALKING, clock())
    assert await line.hears(call_id) == Talk()
    clock.advance(90)
    await line.ends(call_id, Party.CUSTOMER)
    call = await line.call(call_id)
    assert (call.state, call.end_reason, call.due_at) == (
        CallState.WRAP_UP,
        CallEnd.COMPLETED,
        clock() + timedelta(seconds=60),
    )
    assert await line.hears(call_id, Party.AGENT) == Over()
    clock.advance(20)
    await line.do(conductor.write_up, agent, call_id, disposition=None, note="Thanked", done=True, keep_open=False)
    call = await line.call(call_id)
    assert (call.state, call.segments[0].note) == (CallState.ENDED, "Thanked")
    assert (await line.conversation(call_id))["status"] == "resolved"
    (fact,) = await line.facts("fact.call_segment")
    assert sums(fact) == (90.0, 0.0, 20.0)
    (told,) = await line.facts("fact.call")
    assert (told["end_reason"], told["answered_at"] is not None) == ("completed", True)


async def test_nobody_is_offered_more_while_they_write_down(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.ends(call_id, Party.CUSTOMER)
    await line.call_in("+37477000001")
    await line.dispatch()
    assert await line.scene.rows(tables.offer, ended_at=None) == []


async def test_a_wrap_up_ends_by_itself(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.ends(call_id, Party.CUSTOMER)
    clock.advance(60)
    await line.due()
    assert (await line.call(call_id)).state is CallState.ENDED
    assert (await line.conversation(call_id))["status"] == "resolved"


async def test_a_mandatory_wrap_up_waits_for_a_disposition(line: Line, clock: FrozenClock) -> None:
    await settings(line.scene, wrap_up_mandatory=True, dispositions=["Order", "Complaint"])
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.ends(call_id, Party.CUSTOMER)
    assert (await line.call(call_id)).due_at is None
    clock.advance(3_600)
    await line.due()
    wanted: dict[str, Any] = {"note": None, "done": True, "keep_open": False}
    for faulty in (None, "Weather"):
        with pytest.raises(InvalidInput) as refused:
            await line.do(conductor.write_up, agent, call_id, disposition=faulty, **wanted)
        assert list(refused.value.fields) == ["disposition"]
    view = await line.conversation(call_id)
    with pytest.raises(Conflict) as missing:
        await line.scene.database.transaction(dispatcher.resolve, agent, view["id"])
    assert missing.value.code == "disposition_missing"
    await line.do(conductor.write_up, agent, call_id, disposition="Order", **wanted)
    (fact,) = await line.facts("fact.call_segment")
    assert fact["disposition"] == "Order"


async def test_without_time_for_it_there_is_no_wrap_up(line: Line) -> None:
    await settings(line.scene, wrap_up_s=0)
    call_id = await line.talk(await line.scene.agent())
    await line.ends(call_id, Party.CUSTOMER)
    assert (await line.call(call_id)).state is CallState.ENDED


async def test_a_conversation_that_is_kept_open_leaves_room_for_calls(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.ends(call_id, Party.CUSTOMER)
    await line.do(conductor.write_up, agent, call_id, disposition=None, note=None, done=True, keep_open=True)
    assert (await line.conversation(call_id))["assignee_id"] == agent.user_id
    assert (await line.scene.row(tables.assignment, ended_at=None))["weight"] < 100


async def test_a_call_cannot_be_resolved_while_it_goes_on(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    with pytest.raises(Conflict) as refused:
        await line.scene.database.transaction(dispatcher.resolve, agent, (await line.conversation(call_id))["id"])
    assert refused.value.code == "in_call"


# --- the customer leaves ------------------------------------------------------------------------------------------------


async def test_whoever_waited_and_left_is_called_back(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    started = clock()
    call_id = await line.call_in()
    await line.dispatch()
    clock.advance(12)
    await line.ends(call_id, Party.CUSTOMER)
    call = await line.call(call_id)
    assert (call.state, call.end_reason) == (CallState.ENDED, CallEnd.ABANDONED)
    assert [offer["outcome"] for offer in await line.scene.rows(tables.offer)] == ["customer_left"]
    conversation = await line.conversation(call_id)
    assert (conversation["queued_since"], conversation["call_id"]) == (started, None)
    assert conversation["callback"]["address"] == NUMBER
    await line.accept(agent)
    assert (await line.conversation(call_id))["callback"]["state"] == "calling"


async def test_whoever_hung_up_at_once_is_left_alone(line: Line, clock: FrozenClock) -> None:
    call_id = await line.call_in()
    clock.advance(3)
    await line.ends(call_id, Party.CUSTOMER)
    assert (await line.call(call_id)).end_reason is CallEnd.ABANDONED
    assert (await line.conversation(call_id))["status"] == "resolved"
    assert await line.scene.rows(tables.callback) == []


async def test_a_withheld_number_that_left_is_a_missed_call_and_no_more(line: Line, clock: FrozenClock) -> None:
    call_id = await line.call_in("")
    clock.advance(30)
    await line.ends(call_id, Party.CUSTOMER)
    assert (await line.conversation(call_id))["status"] == "resolved"


async def test_a_caller_who_leaves_while_the_line_is_set_up_leaves_nobody_busy(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.call_in()
    clock.advance(10)
    await line.accept(agent)
    await line.ends(call_id, Party.CUSTOMER)
    assert await line.scene.rows(tables.assignment, ended_at=None) == []
    assert await line.hears(call_id, Party.AGENT) == Over()
    assert (await line.leg(call_id, Party.AGENT)).ended_at is not None
    assert (await line.call(call_id)).end_reason is CallEnd.ABANDONED


async def test_a_caller_who_comes_again_is_no_longer_called_back_and_keeps_the_place(
    line: Line, clock: FrozenClock
) -> None:
    started = clock()
    first = await line.call_in()
    clock.advance(60)
    await line.ends(first, Party.CUSTOMER)
    clock.advance(60)
    second = await line.call_in()
    conversation = await line.conversation(second)
    assert conversation["id"] == (await line.conversation(first))["id"]
    assert (conversation["callback"], conversation["queued_since"]) == (None, started)
    assert [row["state"] for row in await line.scene.rows(tables.callback)] == ["cancelled"]


@pytest.mark.parametrize("held", [False, True])
async def test_a_customer_who_hangs_up_in_the_talk_ends_it_for_all(
    line: Line, clock: FrozenClock, *, held: bool
) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.do(conductor.set_hold, agent, call_id, held=held)
    clock.advance(5)
    await line.ends(call_id, Party.CUSTOMER)
    assert (await line.call(call_id)).state is CallState.WRAP_UP
    assert [leg.ended_at is not None for leg in (await line.call(call_id)).legs] == [True, True]


async def test_what_is_told_late_or_twice_changes_nothing(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.ends(call_id, Party.CUSTOMER)
    before = await line.call(call_id)
    await line.connects(call_id, Party.CUSTOMER)
    await line.tells(call_id, Party.CUSTOMER, LegState.RINGING)
    await line.ends(call_id, Party.CUSTOMER)
    await line.ends(call_id, Party.AGENT)
    after = await line.call(call_id)
    assert (after.state, after.hung_up_at) == (before.state, before.hung_up_at)


async def test_what_is_told_of_no_leg_of_ours_is_nothing(line: Line) -> None:
    await line.tell(
        Changed(
            "x", LegName(provider_leg_id="CAother"), LegState.ENDED, line.scene.database.clock(), end=LegEnd.HUNG_UP
        )
    )
    assert await line.scene.rows(tables.call) == []


# --- offers -------------------------------------------------------------------------------------------------------------


async def test_a_call_that_rings_out_is_missed_and_rings_elsewhere(line: Line, clock: FrozenClock) -> None:
    await line.scene.agent("Nare")
    other = await line.scene.agent("Giorgi")
    call_id = await line.call_in()
    await line.dispatch()
    missed = await line.scene.row(tables.offer, ended_at=None)
    clock.advance(20)
    await line.dispatch()
    (fact,) = await line.facts("fact.call_missed")
    assert (fact["agent_id"], fact["call_id"]) == (missed["agent_id"], call_id)
    assert (await line.scene.row(tables.offer, ended_at=None))["agent_id"] == other.user_id
    assert (await line.call(call_id)).state is CallState.OFFERED


async def test_of_two_who_accept_one_has_the_call(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.call_in()
    await line.accept(agent)
    supervisor = await line.scene.agent("Gayane", role=Role.SUPERVISOR)
    await line.connects(call_id, Party.AGENT)
    view = await line.conversation(call_id)
    with pytest.raises(Conflict) as refused:
        await line.scene.database.transaction(dispatcher.claim, supervisor, view["id"], agent.user_id)
    assert refused.value.code == "in_call"


async def test_a_line_that_cannot_be_set_up_gives_the_call_back_at_once(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    started = clock()
    call_id = await line.call_in()
    clock.advance(9)
    await line.accept(agent)
    await line.ends(call_id, Party.AGENT, LegEnd.FAILED)
    assert (await line.call(call_id)).state is CallState.QUEUED
    conversation = await line.conversation(call_id)
    assert (conversation["assignee_id"], conversation["queued_since"]) == (None, started)
    assert isinstance(await line.hears(call_id), Wait)


# --- hold, recording ----------------------------------------------------------------------------------------------------


async def test_a_held_customer_hears_music_and_is_counted_apart(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    clock.advance(10)
    for _ in range(2):
        await line.do(conductor.set_hold, agent, call_id, held=True)
    assert await line.hears(call_id) == Hold()
    assert (await line.call(call_id)).state is CallState.HELD
    clock.advance(5)
    await line.do(conductor.set_hold, agent, call_id, held=False)
    assert await line.hears(call_id) == Talk()
    clock.advance(15)
    await line.do(conductor.hang_up, agent, call_id)
    await line.do(conductor.write_up, agent, call_id, disposition=None, note=None, done=True, keep_open=False)
    (fact,) = await line.facts("fact.call_segment")
    assert sums(fact) == (25.0, 5.0, 0.0)


async def test_hold_is_not_recorded(line: Line) -> None:
    await settings(line.scene, records_calls=True)
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    wanted = [(await line.call(call_id)).recording]
    for held in (True, False):
        await line.do(conductor.set_hold, agent, call_id, held=held)
        wanted.append((await line.call(call_id)).recording)
    assert wanted == [Recording.ON, Recording.PAUSED, Recording.ON]


async def test_a_pause_of_the_agents_own_outlasts_hold(line: Line) -> None:
    await settings(line.scene, records_calls=True)
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.do(conductor.set_recording, agent, call_id, wanted=Recording.PAUSED)
    for held in (True, False):
        await line.do(conductor.set_hold, agent, call_id, held=held)
    assert (await line.call(call_id)).recording is Recording.PAUSED


async def test_a_recording_that_is_ready_stands_beside_its_call_once(line: Line) -> None:
    call_id = await line.talk(await line.scene.agent())
    for _ in range(2):
        await line.records(call_id)
    (recording,) = (await line.call(call_id)).recordings
    assert (recording.kind, recording.state, recording.channels) == ("call", "fetching", 2)


async def test_others_may_not_touch_a_call(line: Line) -> None:
    agent, other = await line.scene.agent(), await line.scene.agent()
    stranger = await line.scene.agent(queue_ids=set())
    call_id = await line.talk(agent)
    with pytest.raises(Forbidden):
        await line.do(conductor.set_hold, other, call_id, held=True)
    with pytest.raises(NotFound):
        await line.do(conductor.set_hold, stranger, call_id, held=True)


# --- the agent is lost --------------------------------------------------------------------------------------------------


async def test_an_agent_whose_line_broke_comes_back_to_the_talk(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.ends(call_id, Party.AGENT, LegEnd.LOST)
    heard = await line.hears(call_id)
    assert isinstance(heard, Hold)
    assert "One moment" in heard.prompts[0].text
    assert (await line.call(call_id)).state is CallState.HELD
    clock.advance(6)
    await line.connects(call_id, Party.AGENT)
    assert await line.hears(call_id) == Talk()
    assert (await line.call(call_id)).state is CallState.TALKING


async def test_a_customer_whose_agent_does_not_come_back_waits_at_their_old_age(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    started = clock()
    call_id = await line.call_in()
    clock.advance(30)
    await line.accept(agent)
    await line.connects(call_id, Party.AGENT)
    clock.advance(100)
    await line.ends(call_id, Party.AGENT, LegEnd.LOST)
    clock.advance(records.REJOIN_S)
    await line.due()
    conversation = await line.conversation(call_id)
    assert conversation["assignee_id"] is None
    assert conversation["queued_since"] <= started + timedelta(seconds=30)
    assert (await line.call(call_id)).state is CallState.QUEUED
    (fact,) = await line.facts("fact.call_segment")
    assert sums(fact) == (100.0, 30.0, 0.0)


async def test_a_customer_whose_agent_signs_out_waits_again(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.scene.database.transaction(dispatcher.sign_out, agent.user_id)
    assert (await line.call(call_id)).state is CallState.QUEUED
    assert (await line.leg(call_id, Party.AGENT)).ended_at is not None


async def test_an_agent_whose_console_is_gone_talks_on(line: Line, clock: FrozenClock) -> None:
    from hub.agents import presence

    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.scene.database.transaction(presence.disconnect, f"screen-{agent.user_id}")
    clock.advance(60)
    await line.dispatch()
    assert (await line.call(call_id)).state is CallState.TALKING
    await line.ends(call_id, Party.CUSTOMER)
    clock.advance(60)
    await line.due()
    assert (await line.call(call_id)).state is CallState.ENDED


# --- passing on ---------------------------------------------------------------------------------------------------------


async def test_a_call_is_passed_on_to_a_queue(line: Line) -> None:
    agent = await line.scene.agent()
    sales = await line.scene.queue("Sales")
    call_id = await line.talk(agent)
    await line.do(conductor.transfer, agent, call_id, queue_id=sales, note="wants a machine")
    call = await line.call(call_id)
    assert (call.state, call.queue_id, call.agent_id) == (CallState.QUEUED, sales, None)
    assert await line.hears(call_id, Party.AGENT) == Over()
    assert [fact["end_reason"] for fact in await line.facts("fact.call_segment")] == ["transferred"]


async def test_a_call_that_is_passed_to_an_agent_rings_at_them(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    other = await line.scene.agent("Giorgi")
    await line.do(conductor.transfer, agent, call_id, agent_id=other.user_id)
    await line.dispatch()
    assert (await line.scene.row(tables.offer, ended_at=None))["agent_id"] == other.user_id
    await line.accept(other)
    await line.connects(call_id, Party.AGENT, user_id=other.user_id)
    call = await line.call(call_id)
    assert (call.state, call.agent_id) == (CallState.TALKING, other.user_id)
    assert [segment.how for segment in call.segments] == ["answered", "transferred"]


async def test_whoever_does_not_take_what_is_passed_to_them_leaves_it_to_all(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    other = await line.scene.agent("Giorgi")
    await line.do(conductor.transfer, agent, call_id, agent_id=other.user_id)
    await line.dispatch()
    clock.advance(20)
    await line.dispatch()
    assert (await line.scene.row(tables.offer, ended_at=None))["agent_id"] == agent.user_id


async def test_nobody_is_passed_a_call_who_cannot_take_it(line: Line) -> None:
    agent, other = await line.scene.agent(), await line.scene.agent("Giorgi")
    first = await line.talk(agent)
    await line.talk(other, "+37477000001")
    with pytest.raises(Conflict) as refused:
        await line.do(conductor.transfer, agent, first, agent_id=other.user_id)
    assert refused.value.code == "agent_busy"
    with pytest.raises(Conflict) as asked:
        await line.do(conductor.consult, agent, first, agent_id=other.user_id)
    assert asked.value.code == "agent_busy"


async def test_a_call_is_passed_on_to_a_number_outside(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.do(conductor.transfer, agent, call_id, number="+37410555555")
    assert (await line.call(call_id)).state is CallState.FORWARDED
    leg = await line.leg(call_id, Party.OUTSIDE)
    assert (leg.address, leg.state) == ("+37410555555", LegState.PENDING)
    await line.connects(call_id, Party.OUTSIDE)
    assert await line.hears(call_id) == Talk()
    assert await line.scene.rows(tables.assignment, ended_at=None) == []
    await line.ends(call_id, Party.OUTSIDE)
    call = await line.call(call_id)
    assert (call.state, call.end_reason) == (CallState.ENDED, CallEnd.FORWARDED)
    assert (await line.conversation(call_id))["status"] == "resolved"


async def test_a_customer_whom_nobody_outside_answers_waits_again(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.do(conductor.transfer, agent, call_id, number="+37410555555")
    clock.advance(conductor.RING_S)
    await line.due()
    assert (await line.call(call_id)).state is CallState.QUEUED
    assert (await line.leg(call_id, Party.OUTSIDE)).ended_at is not None
    await line.dispatch()
    assert len(await line.scene.rows(tables.offer, ended_at=None)) == 1


async def test_a_colleague_is_asked_and_gets_the_call(line: Line, clock: FrozenClock) -> None:
    agent, other = await line.scene.agent(), await line.scene.agent("Giorgi")
    call_id = await line.talk(agent)
    await line.do(conductor.consult, agent, call_id, agent_id=other.user_id)
    assert await line.hears(call_id) == Hold()
    with pytest.raises(Conflict) as early:
        await line.do(conductor.complete_consult, agent, call_id)
    assert early.value.code == "not_connected"
    await line.do(conductor.join, other, call_id)
    await line.connects(call_id, Party.CONSULTED)
    assert (await line.call(call_id)).state is CallState.CONSULT
    clock.advance(7)
    await line.do(conductor.complete_consult, agent, call_id)
    call = await line.call(call_id)
    assert (call.state, call.agent_id) == (CallState.TALKING, other.user_id)
    assert (await line.conversation(call_id))["assignee_id"] == other.user_id
    assert await line.hears(call_id) == Talk()
    assert (await line.leg(call_id, Party.AGENT, agent.user_id)).ended_at is not None
    assert [segment.how for segment in call.segments] == ["answered", "consult"]
    await line.ends(call_id, Party.CUSTOMER)
    assert (await line.call(call_id)).state is CallState.WRAP_UP


@pytest.mark.parametrize("how", ["cancelled", "refused", "hung up", "no answer", "lost"])
async def test_after_a_question_the_customer_is_back(line: Line, clock: FrozenClock, how: str) -> None:
    agent, other = await line.scene.agent(), await line.scene.agent("Giorgi")
    call_id = await line.talk(agent)
    await line.do(conductor.consult, agent, call_id, agent_id=other.user_id)
    ways = {
        "cancelled": lambda: line.do(conductor.cancel_consult, agent, call_id),
        "refused": lambda: line.do(conductor.refuse, other, call_id),
        "hung up": lambda: line.ends(call_id, Party.CONSULTED),
        "lost": lambda: line.ends(call_id, Party.CONSULTED, LegEnd.LOST),
        "no answer": lambda: _late(line, clock),
    }
    await ways[how]()
    assert (await line.call(call_id)).state is CallState.TALKING
    assert await line.hears(call_id) == Talk()
    assert (await line.leg(call_id, Party.CONSULTED)).ended_at is not None


async def _late(line: Line, clock: FrozenClock) -> None:
    clock.advance(records.CONSULT_RING_S)
    await line.due()


async def test_nobody_is_offered_work_while_they_are_asked(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    other = await line.scene.agent("Giorgi")
    await line.do(conductor.consult, agent, call_id, agent_id=other.user_id)
    await line.call_in("+37477000001")
    await line.dispatch()
    assert await line.scene.rows(tables.offer, ended_at=None) == []


async def test_three_talk_with_each_other_and_one_leaves(line: Line) -> None:
    agent, other = await line.scene.agent(), await line.scene.agent("Giorgi")
    call_id = await line.talk(agent)
    await line.do(conductor.consult, agent, call_id, agent_id=other.user_id)
    await line.connects(call_id, Party.CONSULTED)
    await line.do(conductor.confer, agent, call_id)
    assert (await line.call(call_id)).state is CallState.CONFERENCE
    await line.do(conductor.leave, other, call_id)
    assert (await line.call(call_id)).state is CallState.TALKING


async def test_customer_and_number_outside_talk_on_without_the_agent(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.do(conductor.consult, agent, call_id, number="+37410555555")
    await line.connects(call_id, Party.OUTSIDE)
    await line.do(conductor.complete_consult, agent, call_id)
    assert (await line.call(call_id)).state is CallState.FORWARDED
    assert await line.hears(call_id) == Talk()
    await line.ends(call_id, Party.CUSTOMER)
    assert (await line.call(call_id)).end_reason is CallEnd.FORWARDED
    assert (await line.leg(call_id, Party.OUTSIDE)).ended_at is not None


# --- supervisors --------------------------------------------------------------------------------------------------------


async def test_a_supervisor_listens_whispers_and_takes_part(line: Line) -> None:
    agent = await line.scene.agent()
    supervisor = await line.scene.agent("Gayane", role=Role.SUPERVISOR, queue_ids=set())
    call_id = await line.talk(agent)
    agents_leg = await line.leg(call_id, Party.AGENT)
    scenes = []
    for presence in (Presence.LISTEN, Presence.WHISPER, Presence.TALK):
        await line.do(conductor.supervise, supervisor, call_id, presence=presence)
        scenes.append(await line.hears(call_id, Party.SUPERVISOR))
    assert scenes == [
        Talk(Presence.LISTEN, True),
        Talk(Presence.WHISPER, False, agents_leg.id),
        Talk(Presence.TALK),
    ]
    assert len([leg for leg in (await line.call(call_id)).legs if leg.party is Party.SUPERVISOR]) == 1
    await line.connects(call_id, Party.SUPERVISOR)
    assert (await line.call(call_id)).state is CallState.TALKING
    await line.do(conductor.supervise, supervisor, call_id, presence=Presence.TALK)
    await line.do(conductor.leave, supervisor, call_id)
    assert (await line.leg(call_id, Party.SUPERVISOR)).ended_at is not None
    assert (await line.call(call_id)).state is CallState.TALKING


async def test_a_supervisor_takes_a_call_over(line: Line) -> None:
    agent = await line.scene.agent()
    supervisor = await line.scene.agent("Gayane", role=Role.SUPERVISOR)
    call_id = await line.talk(agent)
    await line.do(conductor.supervise, supervisor, call_id, presence=Presence.LISTEN)
    with pytest.raises(Conflict):
        await line.do(conductor.take_over, supervisor, call_id)
    await line.connects(call_id, Party.SUPERVISOR)
    await line.do(conductor.take_over, supervisor, call_id)
    call = await line.call(call_id)
    assert (call.state, call.agent_id) == (CallState.TALKING, supervisor.user_id)
    assert (await line.leg(call_id, Party.AGENT, agent.user_id)).ended_at is not None
    assert [fact["end_reason"] for fact in await line.facts("fact.call_segment")] == ["taken"]
    await line.do(conductor.hang_up, supervisor, call_id)
    assert (await line.call(call_id)).state is CallState.WRAP_UP


async def test_a_supervisor_ends_any_call(line: Line) -> None:
    supervisor = await line.scene.agent("Gayane", role=Role.SUPERVISOR, queue_ids=set())
    call_id = await line.call_in()
    await line.do(conductor.hang_up, supervisor, call_id)
    call = await line.call(call_id)
    assert (call.state, call.end_reason) == (CallState.ENDED, CallEnd.CANCELLED)
    assert isinstance(await line.hears(call_id), Say)


# --- we call ------------------------------------------------------------------------------------------------------------


async def called_out(line: Line, agent: Any) -> int:
    """The agent calls somebody whose card is there; the call's id."""
    before = await line.call_in(NUMBER)
    await line.ends(before, Party.CUSTOMER)
    point = await line.scene.row(tables.contact_point, address=NUMBER)
    return await line.scene.database.transaction(
        conductor.start_call, agent, contact_point_id=point["id"], channel_id="phone"
    )


async def test_an_agent_calls_a_customer(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await called_out(line, agent)
    call = await line.call(call_id)
    assert (call.state, call.direction, [leg.party for leg in call.legs]) == (CallState.DIALLING, "out", [Party.AGENT])
    assert await line.hears(call_id, Party.AGENT) == Ringback()
    await line.connects(call_id, Party.AGENT)
    assert (await line.leg(call_id, Party.CUSTOMER)).address == NUMBER
    await line.tells(call_id, Party.CUSTOMER, LegState.RINGING)
    clock.advance(6)
    await line.connects(call_id, Party.CUSTOMER)
    assert (await line.call(call_id)).state is CallState.TALKING
    assert await line.hears(call_id, Party.AGENT) == Talk()
    clock.advance(30)
    await line.ends(call_id, Party.CUSTOMER)
    await line.do(conductor.write_up, agent, call_id, disposition=None, note=None, done=True, keep_open=False)
    (fact,) = await line.facts("fact.call_segment")
    assert (fact["how"], fact["direction"], sums(fact)) == ("outbound", "out", (30.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (LegEnd.NO_ANSWER, CallEnd.NO_ANSWER),
        (LegEnd.BUSY, CallEnd.BUSY),
        (LegEnd.REJECTED, CallEnd.REJECTED),
        (LegEnd.FAILED, CallEnd.FAILED),
    ],
)
async def test_whom_we_do_not_reach_leaves_the_agent_free(line: Line, end: LegEnd, told: CallEnd) -> None:
    agent = await line.scene.agent()
    call_id = await called_out(line, agent)
    await line.connects(call_id, Party.AGENT)
    await line.ends(call_id, Party.CUSTOMER, end)
    call = await line.call(call_id)
    assert (call.state, call.end_reason) == (CallState.ENDED, told)
    assert await line.hears(call_id, Party.AGENT) == Over()
    assert await line.facts("fact.call_segment") == []
    assert (await line.scene.row(tables.assignment, ended_at=None))["weight"] < 100


async def test_a_machine_is_not_talked_to(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await called_out(line, agent)
    await line.connects(call_id, Party.AGENT)
    await line.connects(call_id, Party.CUSTOMER, is_machine=True)
    assert (await line.call(call_id)).end_reason is CallEnd.MACHINE
    assert await line.hears(call_id) == Over()


async def test_a_call_out_is_given_up_before_it_is_answered(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await called_out(line, agent)
    await line.connects(call_id, Party.AGENT)
    await line.do(conductor.hang_up, agent, call_id)
    call = await line.call(call_id)
    assert (call.state, call.end_reason) == (CallState.ENDED, CallEnd.CANCELLED)
    assert [leg.ended_at is not None for leg in call.legs] == [True, True]


async def test_nobody_makes_two_calls_at_once(line: Line) -> None:
    agent = await line.scene.agent()
    await line.talk(agent)
    point = await line.scene.row(tables.contact_point, address=NUMBER)
    with pytest.raises(Conflict) as refused:
        await line.scene.database.transaction(conductor.start_call, agent, contact_point_id=point["id"])
    assert refused.value.code == "in_call"


async def test_a_callback_is_made_and_reached(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    missed = await line.call_in()
    clock.advance(20)
    await line.ends(missed, Party.CUSTOMER)
    await line.accept(agent)
    view = await line.conversation(missed)
    call_id = await line.scene.database.transaction(conductor.start_call, agent, conversation_id=view["id"])
    await line.connects(call_id, Party.AGENT)
    await line.connects(call_id, Party.CUSTOMER)
    assert [row["state"] for row in await line.scene.rows(tables.callback)] == ["reached"]
    assert (await line.call(call_id)).segments[0].how == "callback"


async def test_a_callback_that_nobody_answers_is_tried_again_later(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    missed = await line.call_in()
    clock.advance(20)
    await line.ends(missed, Party.CUSTOMER)
    await line.accept(agent)
    view = await line.conversation(missed)
    call_id = await line.scene.database.transaction(conductor.start_call, agent, conversation_id=view["id"])
    await line.connects(call_id, Party.AGENT)
    clock.advance(60)
    await line.due()
    assert (await line.call(call_id)).end_reason is CallEnd.NO_ANSWER
    conversation = await line.conversation(missed)
    assert (conversation["assignee_id"], conversation["callback"]["attempts"]) == (None, 1)


# --- instead of waiting -------------------------------------------------------------------------------------------------


async def test_a_caller_presses_1_and_is_called_back(line: Line, clock: FrozenClock) -> None:
    await settings(line.scene, offers_callback=True)
    started = clock()
    call_id = await line.call_in()
    heard = await line.hears(call_id)
    assert isinstance(heard, Wait)
    assert heard.keys == ("1",)
    clock.advance(40)
    await line.presses(call_id, "1")
    call = await line.call(call_id)
    assert (call.state, call.end_reason) == (CallState.ENDED, CallEnd.CALLBACK)
    said = await line.hears(call_id)
    assert isinstance(said, Say)
    assert said.then_hang_up
    conversation = await line.conversation(call_id)
    assert (conversation["queued_since"], conversation["callback"]["address"]) == (started, NUMBER)
    await line.ends(call_id, Party.CUSTOMER)
    assert (await line.conversation(call_id))["callback"] is not None


async def test_a_goodbye_that_is_never_over_is_ended(line: Line, clock: FrozenClock) -> None:
    await settings(line.scene, offers_callback=True)
    call_id = await line.call_in()
    await line.presses(call_id, "1")
    assert (await line.leg(call_id, Party.CUSTOMER)).ended_at is None
    clock.advance(60)
    await line.due()
    assert (await line.leg(call_id, Party.CUSTOMER)).ended_at is not None
    assert await line.hears(call_id) == Over()


async def test_a_withheld_number_is_not_asked_whether_it_shall_be_called_back(line: Line) -> None:
    await settings(line.scene, offers_callback=True)
    heard = await line.hears(await line.call_in(""))
    assert isinstance(heard, Wait)
    assert heard.keys == ()
