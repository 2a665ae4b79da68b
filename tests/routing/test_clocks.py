"""The clocks of conversations: what is kept, whatever changes a conversation; pauses, hours, new policies and calendars."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from hub.agents import presence
from hub.channels.channel import Consent
from hub.domain.values import AuthorKind
from hub.domain.views import Author
from hub.routing import clocks, dispatcher, policies
from hub.routing.clocks import Standing
from hub.routing.escalation import Clock
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, outbox
from tests.routing.stair import Json, catch_up, fire, put_policy, step
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

# Every state makes a difference to it.
TELLS_ALL_APART = {
    "paused_in": ["parked"],
    "steps": [
        step("waits", "waiting", 600, in_states=["waiting"]),
        step("is-held", "next_response", 900, in_states=["with_agent"]),
        step("first", "first_response", 1200),
        step("is-theirs", "resolution", 3600, in_states=["pending_customer"]),
        step("sleeps", "idle", 7200),
    ],
}


async def standing(scene: Scene, conversation_id: int) -> Standing:
    return await scene.database.read(clocks.load_standing, conversation_id)


async def readings(scene: Scene, conversation_id: int) -> dict[str, float]:
    return {each.clock.value: each.elapsed_s for each in (await standing(scene, conversation_id)).readings}


async def next_step_at(scene: Scene, conversation_id: int) -> datetime | None:
    row = await scene.row(tables.conversation, id=conversation_id)
    found: datetime | None = row["next_step_at"]
    return found


async def answer(scene: Scene, conversation_id: int, user_id: int) -> None:
    author = Author(AuthorKind.AGENT, "Nare", user_id)
    await scene.database.transaction(outbox.enqueue, conversation_id, author, "Good day")


# --- nothing leaves them behind -------------------------------------------------------------------------------------------


class Floor:
    """A conversation and two people, before whatever happens next."""

    def __init__(self, scene: Scene, clock: FrozenClock) -> None:
        self.scene, self.clock = scene, clock
        self.conversation_id = 0

    async def set_up(self) -> Floor:
        self.other_queue_id = await self.scene.queue("Second")
        queue_ids = {self.scene.queue_id, self.other_queue_id}
        self.nare = await self.scene.agent("Nare", queue_ids=queue_ids)
        self.aram = await self.scene.agent("Aram", queue_ids=queue_ids)
        await put_policy(self.scene, TELLS_ALL_APART)
        self.conversation_id = await self.scene.opened()
        self.clock.advance(5)
        return self

    async def do(self, work: Callable[..., Any], *args: Any, **named: Any) -> None:
        await self.scene.database.transaction(work, *args, **named)

    async def claim(self) -> None:
        await self.do(dispatcher.claim, self.nare, self.conversation_id, None)
        self.clock.advance(5)


async def write_again(floor: Floor) -> None:
    await floor.scene.say("Are you there?")


async def claim(floor: Floor) -> None:
    await floor.claim()


async def accept(floor: Floor) -> None:
    await floor.do(dispatcher.dispatch, 15.0)
    offer = await floor.scene.row(tables.offer, ended_at=None)
    who = {viewer.user_id: viewer for viewer in (floor.nare, floor.aram)}[offer["agent_id"]]
    await floor.do(dispatcher.accept_offer, who, offer["id"])


async def reply(floor: Floor) -> None:
    await floor.claim()
    await answer(floor.scene, floor.conversation_id, floor.nare.user_id)


async def ask_after_the_reply(floor: Floor) -> None:
    await reply(floor)
    floor.clock.advance(5)
    await floor.scene.say("And then?")


async def transfer_to_an_agent(floor: Floor) -> None:
    await floor.claim()
    await floor.do(
        dispatcher.transfer, floor.nare, floor.conversation_id, agent_id=floor.aram.user_id, queue_id=None, note=None
    )


async def transfer_to_a_queue(floor: Floor) -> None:
    await floor.claim()
    target = floor.other_queue_id
    await floor.do(dispatcher.transfer, floor.nare, floor.conversation_id, agent_id=None, queue_id=target, note=None)


async def release(floor: Floor) -> None:
    await floor.claim()
    await floor.do(dispatcher.release, floor.nare, floor.conversation_id)


async def resolve(floor: Floor) -> None:
    await floor.claim()
    await floor.do(dispatcher.resolve, floor.nare, floor.conversation_id)


async def reopen(floor: Floor) -> None:
    await resolve(floor)
    floor.clock.advance(5)
    await floor.do(dispatcher.reopen, floor.nare, floor.conversation_id)


async def write_after_the_resolution(floor: Floor) -> None:
    await resolve(floor)
    floor.clock.advance(5)
    await floor.scene.say("One more thing")


async def lose_the_agent(floor: Floor) -> None:
    await floor.scene.set(tables.queue, {"release_when_lost": "all"})
    await floor.claim()
    await floor.do(presence.disconnect, f"screen-{floor.nare.user_id}")
    floor.clock.advance(60)
    await floor.do(dispatcher.dispatch, 15.0)


async def sign_out(floor: Floor) -> None:
    await floor.claim()
    await floor.do(dispatcher.sign_out, floor.nare.user_id)


async def write_by_chat(floor: Floor) -> None:
    await floor.scene.channel("chat", "chat")
    await floor.scene.say("By chat", channel_id="chat", sender="visitor")


async def ask_for_silence(floor: Floor) -> None:
    await floor.scene.say("STOP", consent=Consent.STOP)


async def raise_its_priority(floor: Floor) -> None:
    await floor.do(
        dispatcher.change_turn, floor.nare, floor.conversation_id, priority=30, pinned_agent_id=None, changes_pin=False
    )


async def put_aside(floor: Floor) -> None:
    await floor.claim()
    until = floor.clock() + timedelta(hours=1)
    await floor.do(conversations.change, floor.conversation_id, parked_until=until)


CHANGES: list[Callable[[Floor], Awaitable[None]]] = [
    write_again,
    claim,
    accept,
    reply,
    ask_after_the_reply,
    transfer_to_an_agent,
    transfer_to_a_queue,
    release,
    resolve,
    reopen,
    write_after_the_resolution,
    lose_the_agent,
    sign_out,
    write_by_chat,
    ask_for_silence,
    raise_its_priority,
    put_aside,
]


@pytest.mark.parametrize("change", CHANGES)
async def test_no_way_of_changing_a_conversation_leaves_its_clocks_behind(
    scene: Scene, clock: FrozenClock, change: Callable[[Floor], Awaitable[None]]
) -> None:
    floor = await Floor(scene, clock).set_up()
    await change(floor)

    async def kept() -> list[list[Json]]:
        parts = (tables.escalation_segment, tables.escalation_run)
        rows = [await scene.rows(table) for table in parts]
        return [*rows, [{"at": row["next_step_at"]} for row in await scene.rows(tables.conversation)]]

    before = await kept()
    ids = [row["id"] for row in await scene.rows(tables.conversation)]
    assert await scene.database.transaction(clocks.keep, ids, afresh=True) == []
    assert await kept() == before
    # And it is what the row says, not just what was written last.
    for row in await scene.rows(tables.conversation, status="open"):
        state = (await standing(scene, row["id"])).state
        segments = await scene.rows(tables.escalation_segment, conversation_id=row["id"])
        assert max(segments, key=lambda segment: segment["start"])["state"] == state.value


async def test_without_any_policy_nothing_is_kept(scene: Scene) -> None:
    conversation_id = await scene.opened()
    agent = await scene.agent()
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await answer(scene, conversation_id, agent.user_id)
    assert await scene.rows(tables.escalation_segment) == []
    assert await scene.rows(tables.escalation_run) == []
    assert (await standing(scene, conversation_id)).readings == ()


async def test_only_conversations_with_a_policy_are_kept_track_of(scene: Scene) -> None:
    other = await scene.queue("Second")
    await put_policy(scene, {"steps": [step("a", "waiting", 60)]}, queue_id=other)
    await scene.say()
    assert await scene.rows(tables.escalation_segment) == []


# --- what they show -------------------------------------------------------------------------------------------------------


async def test_each_clock_runs_from_its_beginning_to_its_end(scene: Scene, clock: FrozenClock) -> None:
    await put_policy(
        scene, {"targets": {"first_response": 60}, "steps": [step("a", "waiting", 9_000), step("b", "idle", 90)]}
    )
    agent = await scene.agent()
    conversation_id = await scene.opened()
    clock.advance(10)
    everything = {"waiting": 10, "first_response": 10, "next_response": 10, "resolution": 10, "idle": 10}
    assert await readings(scene, conversation_id) == everything
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(5)
    assert await readings(scene, conversation_id) == {
        "first_response": 15,
        "next_response": 15,
        "resolution": 15,
        "idle": 5,
    }
    await answer(scene, conversation_id, agent.user_id)
    clock.advance(5)
    assert await readings(scene, conversation_id) == {"resolution": 20, "idle": 5}
    await scene.say("And?")
    clock.advance(3)
    assert await readings(scene, conversation_id) == {"next_response": 3, "resolution": 23, "idle": 3}
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    assert await readings(scene, conversation_id) == {}
    assert await next_step_at(scene, conversation_id) is None


async def test_reopening_starts_the_resolution_anew(scene: Scene, clock: FrozenClock) -> None:
    await put_policy(scene, {"steps": [step("a", "resolution", 60)]})
    agent = await scene.agent()
    conversation_id = await scene.opened()
    clock.advance(61)
    await fire(scene)
    assert (await scene.row(tables.conversation))["escalated"] == 1
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    clock.advance(30)
    await scene.say("Still broken")
    clock.advance(5)
    assert (await readings(scene, conversation_id))["resolution"] == 5
    assert (await scene.row(tables.conversation))["escalated"] == 0
    assert await next_step_at(scene, conversation_id) == clock() + timedelta(seconds=55)


async def test_work_that_comes_back_at_its_age_goes_on_with_the_same_wait(scene: Scene, clock: FrozenClock) -> None:
    await put_policy(scene, {"steps": [step("a", "waiting", 5), step("b", "waiting", 60)]})
    agent = await scene.agent()
    conversation_id = await scene.opened()
    clock.advance(10)
    await fire(scene)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(20)
    await scene.database.transaction(dispatcher.release, agent, conversation_id)
    assert (await readings(scene, conversation_id))["waiting"] == 30
    await fire(scene)
    clock.advance(40)
    await fire(scene)
    assert [row["step_id"] for row in await scene.rows(tables.escalation_fired)] == ["a", "b"]


async def test_clocks_stand_still_in_the_states_that_the_policy_names(scene: Scene, clock: FrozenClock) -> None:
    await put_policy(scene, {"paused_in": ["pending_customer", "parked"], "steps": [step("a", "resolution", 100)]})
    agent = await scene.agent()
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(10)
    await answer(scene, conversation_id, agent.user_id)
    assert await next_step_at(scene, conversation_id) is None
    clock.advance(1_000)
    await scene.say("It is broken again")
    assert await next_step_at(scene, conversation_id) == clock() + timedelta(seconds=90)
    until = clock() + timedelta(hours=1)
    await scene.database.transaction(lambda tx: conversations.change(tx, conversation_id, parked_until=until))
    clock.advance(1_000)
    (reading,) = [each for each in (await standing(scene, conversation_id)).readings if each.clock is Clock.RESOLUTION]
    assert (reading.elapsed_s, reading.is_paused) == (10, True)


async def test_states_that_make_no_difference_begin_no_segment(scene: Scene, clock: FrozenClock) -> None:
    await put_policy(scene, {"steps": [step("a", "resolution", 100)]})
    agent = await scene.agent()
    conversation_id = await scene.opened()
    for _ in range(5):
        clock.advance(1)
        await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
        await answer(scene, conversation_id, agent.user_id)
        await scene.say("More")
    assert len(await scene.rows(tables.escalation_segment)) == 1


async def test_an_escalation_is_nothing_that_a_person_did(scene: Scene, clock: FrozenClock) -> None:
    """Two rungs of the clock IDLE both count from the customer's words, though the first left a line of its own."""
    await put_policy(scene, {"steps": [step("a", "idle", 60), step("b", "idle", 120)]})
    conversation_id = await scene.opened()
    clock.advance(60)
    await fire(scene)
    assert await next_step_at(scene, conversation_id) == clock() + timedelta(seconds=60)
    clock.advance(60)
    await fire(scene)
    assert [row["step_id"] for row in await scene.rows(tables.escalation_fired)] == ["a", "b"]
    await scene.say("Hello?")
    assert await next_step_at(scene, conversation_id) == clock() + timedelta(seconds=60)


async def test_a_provider_s_late_message_counts_from_when_it_was_written(scene: Scene, clock: FrozenClock) -> None:
    await put_policy(scene, {"steps": [step("a", "next_response", 600)]})
    written_at = clock()
    clock.advance(400)
    arrival = scene.message("It took its time")
    late = type(arrival)(
        **{name: getattr(arrival, name) for name in arrival.__dataclass_fields__} | {"occurred_at": written_at}
    )
    (outcome,) = await scene.intake.accept(scene.channel_id, [late])
    assert await next_step_at(scene, outcome.conversation_id or 0) == written_at + timedelta(seconds=600)


# --- what holds ------------------------------------------------------------------------------------------------------------


async def test_business_hours_are_those_of_the_queue_s_calendar(scene: Scene, clock: FrozenClock) -> None:
    """The clock shows Monday 09:00 UTC, which is 13:00 in Yerevan; the place closes at 18:00 and opens at ten."""
    await put_calendar(scene, [["10:00", "18:00"]])
    await put_policy(scene, {"steps": [step("a", "waiting", 6 * 3600)]})
    conversation_id = await scene.opened()
    assert await next_step_at(scene, conversation_id) == clock() + timedelta(hours=5 + 16 + 1)
    clock.advance(hours=8)
    (reading,) = [each for each in (await standing(scene, conversation_id)).readings if each.clock is Clock.WAITING]
    assert (reading.elapsed_s, reading.is_paused) == (5 * 3600, True)


async def test_a_calendar_that_cannot_be_read_any_more_stops_nothing(scene: Scene, clock: FrozenClock) -> None:
    calendar_id = await put_calendar(scene, [["10:00", "18:00"]])
    body = {"zone": "Lost/Atlantis", "week": [[]] * 7, "special": []}
    await scene.set(tables.calendar_version, {"body": body}, calendar_id=calendar_id)
    await put_policy(scene, {"steps": [step("a", "waiting", 60)]})
    conversation_id = await scene.opened()
    assert await next_step_at(scene, conversation_id) == clock() + timedelta(seconds=60)


async def test_a_policy_that_cannot_be_read_any_more_stops_nothing(scene: Scene) -> None:
    policy_id = await put_policy(scene, {"steps": [step("a", "waiting", 60)]})
    await scene.set(tables.escalation_policy_version, {"body": {"steps": "lost"}}, policy_id=policy_id)
    conversation_id = await scene.opened()
    assert await next_step_at(scene, conversation_id) is None


async def test_a_changed_calendar_is_right_for_what_was_and_what_comes(scene: Scene, clock: FrozenClock) -> None:
    calendar_id = await put_calendar(scene, [["10:00", "18:00"]])
    await put_policy(scene, {"steps": [step("a", "waiting", 6 * 3600)]})
    conversation_id = await scene.opened()
    clock.advance(hours=8)
    await put_calendar(scene, [["00:00", "24:00"]], calendar_id=calendar_id)
    await catch_up(scene)
    # Five hours were business time until it closed, three were not; one is left, and it is open now.
    assert await next_step_at(scene, conversation_id) == clock() + timedelta(hours=1)


async def test_a_changed_policy_counts_what_was_as_it_was(scene: Scene, clock: FrozenClock) -> None:
    policy_id = await put_policy(scene, {"paused_in": ["waiting"], "steps": [step("a", "waiting", 100)]})
    conversation_id = await scene.opened()
    clock.advance(1_000)
    given = {"paused_in": [], "steps": [step("a", "waiting", 30)]}
    await scene.database.transaction(policies.update_policy, policy_id, "Ladder", given, 1)
    assert await scene.database.read(clocks.find_stale, 10) == [conversation_id]
    await catch_up(scene)
    assert await scene.database.read(clocks.find_stale, 10) == []
    assert await next_step_at(scene, conversation_id) == clock() + timedelta(seconds=30)


async def test_a_policy_reaches_work_that_was_there_before_it(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    waiting, answered = await scene.opened(), await scene.opened(sender="aram")
    await scene.database.transaction(dispatcher.claim, agent, answered, None)
    await answer(scene, answered, agent.user_id)
    clock.advance(100)
    await scene.say("And?", sender="aram")
    await put_policy(scene, {"steps": [step("a", "first_response", 60), step("b", "resolution", 500)]})
    await catch_up(scene)
    # It comes with a threshold that is passed already: due when it comes.
    assert await next_step_at(scene, waiting) == clock()
    # Somebody has answered there for the first time long ago.
    assert await next_step_at(scene, answered) == clock() + timedelta(seconds=400)


async def test_a_queue_that_loses_its_policy_has_no_steps_left(scene: Scene) -> None:
    await put_policy(scene, {"steps": [step("a", "waiting", 60)]})
    conversation_id = await scene.opened()
    await scene.set(tables.queue, {"policy_id": None})
    await catch_up(scene)
    assert await next_step_at(scene, conversation_id) is None
    assert (await standing(scene, conversation_id)).policy_id is None


async def test_a_topic_s_policy_goes_before_the_queue_s(scene: Scene, clock: FrozenClock) -> None:
    await put_policy(scene, {"steps": [step("a", "resolution", 600)]})
    strict = await put_policy(scene, {"steps": [step("b", "resolution", 60)]}, name="Strict", queue_id=None)

    def make(tx: Tx) -> int:
        return tx.insert(tables.topic, {"name": "Complaint", "folded_name": "complaint", "policy_id": strict})

    topic_id = await scene.database.transaction(make)
    conversation_id = await scene.opened()
    await scene.database.transaction(lambda tx: conversations.change(tx, conversation_id, topic_id=topic_id))
    assert await next_step_at(scene, conversation_id) == clock() + timedelta(seconds=60)
    assert (await standing(scene, conversation_id)).policy_name == "Strict"


async def test_screens_are_told_when_the_next_step_is_due_at_another_time(scene: Scene, clock: FrozenClock) -> None:
    await put_policy(scene, {"steps": [step("a", "next_response", 600)]})
    await scene.say()
    assert await told_screens(scene) == ["entry.added", "conversation.changed"]
    clock.advance(5)
    await scene.say("And more")
    assert await told_screens(scene) == ["entry.added", "conversation.changed", "entry.added"]


async def told_screens(scene: Scene) -> list[str]:
    """The kinds of all events but facts, which are for the projector alone."""
    return [event.kind for event in await scene.events() if not event.kind.startswith("fact.")]


async def put_calendar(scene: Scene, hours: list[list[str]], calendar_id: int | None = None) -> int:
    """The same hours every day, in Yerevan; a new version of the calendar if there is one."""
    k = tables.calendar.c

    def write(tx: Tx) -> int:
        made = calendar_id or tx.insert(tables.calendar, {"name": "Office", "version": 0})
        tx.execute(update(tables.calendar).where(k.id == made).values(version=k.version + 1))
        version = tx.scalar(select(k.version).where(k.id == made))
        body = {"zone": "Asia/Yerevan", "week": [hours] * 7, "special": []}
        row = {"calendar_id": made, "version": version, "since": tx.now, "body": body}
        tx.execute(insert(tables.calendar_version).values(**row))
        tx.execute(update(tables.queue).values(calendar_id=made))
        clocks.calendar_changed(tx, made)
        return made

    return await scene.database.transaction(write)


def test_the_loop_looks_again_before_anybody_counts_on_being_woken() -> None:
    assert clocks._SOON.total_seconds() > clocks.LOOK_EVERY_S
