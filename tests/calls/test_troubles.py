"""What goes wrong between people, lines and minutes: each of these once lost a caller, left somebody busy or told a lie."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.agents import presence, queues
from hub.agents.queues import QueueSettings
from hub.agents.viewer import Viewer
from hub.calls import conductor, records
from hub.channels.voice import Hold, Talk
from hub.domain.calls import CallEnd, LegEnd, Party, Presence, Recording
from hub.domain.states import CallState, LegState
from hub.domain.values import Role
from hub.errors import Conflict, NotFound
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from tests.calls.caller import GRACE_S, NUMBER, Line
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

OUTSIDE = "+37410123456"


async def settings(scene: Scene, **wanted: Any) -> None:
    await scene.database.transaction(queues.update_queue, scene.queue_id, QueueSettings(**wanted))


async def call_out(line: Line, agent: Viewer) -> int:
    before = await line.call_in()
    await line.ends(before, Party.CUSTOMER)
    point = await line.scene.row(tables.contact_point, address=NUMBER)
    start = line.scene.database.transaction
    return await start(conductor.start_call, agent, contact_point_id=point["id"], channel_id="phone")


async def lose(line: Line, clock: FrozenClock, agent: Viewer) -> None:
    """The agent's console is gone for longer than the grace period."""
    await line.scene.database.transaction(presence.disconnect, f"screen-{agent.user_id}")
    clock.advance(GRACE_S + 1)
    await line.dispatch()


# --- agents who go away -------------------------------------------------------------------------------------------------


async def test_an_agent_whose_console_dies_while_dialling_has_called_nobody(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await call_out(line, agent)
    await lose(line, clock, agent)
    assert (await line.call(call_id)).end_reason is CallEnd.CANCELLED


async def test_an_agent_may_sign_out_while_dialling(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await call_out(line, agent)
    await line.scene.database.transaction(dispatcher.sign_out, agent.user_id)
    assert (await line.call(call_id)).state is CallState.ENDED


async def test_a_wrap_up_whose_writer_is_gone_rings_at_nobody(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.ends(call_id, Party.CUSTOMER)
    await line.scene.agent("Giorgi")
    await lose(line, clock, agent)
    await line.dispatch()
    assert await line.scene.rows(tables.offer, ended_at=None) == []
    assert (await line.conversation(call_id))["status"] == "resolved"


async def test_a_supervisor_ends_a_mandatory_wrap_up_that_nobody_ends(line: Line) -> None:
    await settings(line.scene, wrap_up_mandatory=True, dispositions=["Order"])
    agent = await line.scene.agent()
    supervisor = await line.scene.agent("Gayane", role=Role.SUPERVISOR)
    call_id = await line.talk(agent)
    await line.ends(call_id, Party.CUSTOMER)
    await line.do(conductor.write_up, supervisor, call_id, disposition="Order", note=None, done=True, keep_open=False)
    assert (await line.call(call_id)).state is CallState.ENDED


async def test_a_telephone_that_is_put_down_leaves_the_customer_with_the_colleague(line: Line) -> None:
    agent, other = await line.scene.agent(), await line.scene.agent("Giorgi")
    call_id = await line.talk(agent)
    await line.do(conductor.consult, agent, call_id, agent_id=other.user_id)
    await line.connects(call_id, Party.CONSULTED)
    await line.ends(call_id, Party.AGENT)
    call = await line.call(call_id)
    assert (call.state, call.agent_id) == (CallState.TALKING, other.user_id)
    assert await line.hears(call_id) == Talk()


@pytest.mark.parametrize("held", [True, False])
async def test_a_customer_on_hold_stays_there_when_the_agent_comes_back(line: Line, *, held: bool) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.do(conductor.set_hold, agent, call_id, held=held)
    await line.ends(call_id, Party.AGENT, LegEnd.LOST)
    await line.connects(call_id, Party.AGENT)
    assert await line.hears(call_id) == (Hold() if held else Talk())


async def test_a_whisperer_is_heard_by_the_agent_who_came_back(line: Line) -> None:
    agent = await line.scene.agent()
    supervisor = await line.scene.agent("Gayane", role=Role.SUPERVISOR)
    call_id = await line.talk(agent)
    await line.do(conductor.supervise, supervisor, call_id, presence=Presence.WHISPER)
    await line.connects(call_id, Party.SUPERVISOR)
    await line.ends(call_id, Party.AGENT, LegEnd.LOST)
    await line.connects(call_id, Party.AGENT)
    back = await line.leg(call_id, Party.AGENT)
    assert await line.hears(call_id, Party.SUPERVISOR) == Talk(Presence.WHISPER, False, back.id)


# --- passing on ---------------------------------------------------------------------------------------------------------


async def test_who_hangs_up_while_a_number_outside_rings_leaves_the_agent_free(line: Line) -> None:
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.do(conductor.transfer, agent, call_id, number=OUTSIDE)
    await line.ends(call_id, Party.CUSTOMER)
    assert await line.scene.rows(tables.assignment, ended_at=None) == []
    assert (await line.call(call_id)).end_reason is CallEnd.COMPLETED
    assert (await line.leg(call_id, Party.OUTSIDE)).ended_at is not None


async def test_an_agent_who_writes_up_is_passed_no_call(line: Line) -> None:
    agent, other = await line.scene.agent(), await line.scene.agent("Giorgi")
    first = await line.talk(agent)
    second = await line.talk(other, "+37477000001")
    await line.ends(second, Party.CUSTOMER)
    with pytest.raises(Conflict) as refused:
        await line.do(conductor.transfer, agent, first, agent_id=other.user_id)
    assert refused.value.code == "agent_busy"


async def test_a_caller_who_is_passed_on_keeps_their_age(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    started = clock()
    call_id = await line.call_in()
    clock.advance(30)
    await line.accept(agent)
    await line.connects(call_id, Party.AGENT)
    clock.advance(60)
    await line.do(conductor.transfer, agent, call_id, queue_id=await line.scene.queue("Sales"))
    assert (await line.conversation(call_id))["queued_since"] == started


async def test_who_talks_claims_no_caller(line: Line) -> None:
    agent = await line.scene.agent()
    await line.talk(agent)
    second = await line.call_in("+37477000001")
    view = await line.conversation(second)
    with pytest.raises(Conflict) as refused:
        await line.scene.database.transaction(dispatcher.claim, agent, view["id"], None)
    assert refused.value.code == "in_call"


async def test_a_colleague_who_passed_learns_nothing_more_of_the_call(line: Line) -> None:
    agent = await line.scene.agent()
    other = await line.scene.agent("Giorgi", queue_ids=set())
    call_id = await line.talk(agent)
    await line.do(conductor.consult, agent, call_id, agent_id=other.user_id)
    await line.do(conductor.refuse, other, call_id)
    with pytest.raises(NotFound):
        await line.scene.database.read(conductor.get, other, call_id)


# --- who is promised a call ---------------------------------------------------------------------------------------------


async def test_what_was_promised_is_kept_though_the_caller_tried_again_for_a_moment(
    line: Line, clock: FrozenClock
) -> None:
    first = await line.call_in()
    clock.advance(20)
    await line.ends(first, Party.CUSTOMER)
    second = await line.call_in()
    clock.advance(2)
    await line.ends(second, Party.CUSTOMER)
    conversation = await line.conversation(second)
    assert (conversation["status"], conversation["callback"]["address"]) == ("open", NUMBER)


@pytest.mark.parametrize("number", ["+449098790000", "+88213000000"])
async def test_nobody_makes_us_call_what_is_dear_by_calling_and_hanging_up(
    line: Line, clock: FrozenClock, number: str
) -> None:
    call_id = await line.call_in(number)
    clock.advance(20)
    await line.ends(call_id, Party.CUSTOMER)
    assert await line.scene.rows(tables.callback) == []
    assert (await line.conversation(call_id))["status"] == "resolved"


async def test_one_number_is_called_back_once(line: Line, clock: FrozenClock) -> None:
    calls = [await line.call_in(), await line.call_in()]
    clock.advance(20)
    for call_id in calls:
        await line.ends(call_id, Party.CUSTOMER)
    assert len(await line.scene.rows(tables.callback)) == 1


async def test_a_machine_that_is_told_of_later_was_nobody_reached(line: Line, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    missed = await line.call_in()
    clock.advance(20)
    await line.ends(missed, Party.CUSTOMER)
    await line.accept(agent)
    view = await line.conversation(missed)
    call_id = await line.scene.database.transaction(conductor.start_call, agent, conversation_id=view["id"])
    await line.connects(call_id, Party.AGENT)
    await line.connects(call_id, Party.CUSTOMER)
    clock.advance(4)
    await line.connects(call_id, Party.CUSTOMER, is_machine=True)
    assert (await line.call(call_id)).end_reason is CallEnd.MACHINE
    conversation = await line.conversation(missed)
    assert (conversation["callback"]["state"], conversation["callback"]["attempts"]) == ("waiting", 1)


async def test_a_verdict_about_a_call_that_is_over_touches_no_other(line: Line) -> None:
    agent = await line.scene.agent()
    first = await call_out(line, agent)
    await line.connects(first, Party.AGENT)
    await line.connects(first, Party.CUSTOMER)
    await line.ends(first, Party.CUSTOMER)
    await line.do(conductor.write_up, agent, first, disposition=None, note=None, done=True, keep_open=True)
    view = await line.conversation(first)
    second = await line.scene.database.transaction(conductor.start_call, agent, conversation_id=view["id"])
    await line.connects(second, Party.AGENT)
    await line.connects(second, Party.CUSTOMER)
    await line.connects(first, Party.CUSTOMER, is_machine=True)
    assert (await line.call(second)).state is CallState.TALKING
    assert (await line.scene.row(tables.assignment, ended_at=None))["weight"] == 100


async def test_a_message_that_is_told_of_late_is_work_all_the_same(line: Line, clock: FrozenClock) -> None:
    call_id = await line.call_in()

    def to_the_tone(tx: Tx) -> None:
        tx.lock_routing()
        records.change(tx, records.load_row(tx, call_id), CallState.VOICEMAIL)

    await line.scene.database.transaction(to_the_tone)
    await line.ends(call_id, Party.CUSTOMER)
    clock.advance(70)
    await line.due()
    assert (await line.call(call_id)).end_reason is CallEnd.NO_MESSAGE
    await line.leaves_message(call_id)
    assert (await line.call(call_id)).end_reason is CallEnd.VOICEMAIL
    conversation = await line.conversation(call_id)
    assert (conversation["status"], conversation["unanswered_since"] is not None) == ("open", True)


# --- recordings, dialling -----------------------------------------------------------------------------------------------


async def test_a_pause_during_hold_is_a_pause_after_it(line: Line) -> None:
    await settings(line.scene, records_calls=True)
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.do(conductor.set_hold, agent, call_id, held=True)
    await line.do(conductor.set_recording, agent, call_id, wanted=Recording.PAUSED)
    await line.do(conductor.set_hold, agent, call_id, held=False)
    assert (await line.call(call_id)).recording is Recording.PAUSED


async def test_a_dial_whose_fate_is_not_known_is_remembered_whatever_is_wanted_next(line: Line) -> None:
    agent = await line.scene.agent()
    await line.scene.set(tables.user_account, {"desk_phone": OUTSIDE}, id=agent.user_id)
    call_id = await line.call_in()
    await line.accept(agent)
    leg = await line.leg(call_id, Party.AGENT)
    await line.scene.set(tables.leg, {"attempts": 1}, id=leg.id)
    await line.ends(call_id, Party.CUSTOMER)
    row = await line.scene.row(tables.leg, id=leg.id)
    assert (row["scene"]["kind"], row["attempts"], row["state"]) == ("over", 1, LegState.ENDED.value)


async def test_a_wait_is_not_longer_for_a_hang_up_of_somebody_else(line: Line, clock: FrozenClock) -> None:
    """Each call is ended by itself: what is due of one does not wait for another."""
    agent = await line.scene.agent()
    call_id = await line.talk(agent)
    await line.ends(call_id, Party.CUSTOMER)
    clock.advance(60)
    due = await line.scene.database.read(conductor.find_due)
    assert due == [call_id]
    await line.scene.database.transaction(conductor.postpone, call_id)
    assert await line.scene.database.read(conductor.find_due) == []
    assert (await line.call(call_id)).due_at == clock() + timedelta(seconds=60)
