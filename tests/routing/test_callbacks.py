"""A customer who wants to be called back: the place is kept, the attempts are counted, and there is always an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.agents import presence, queues
from hub.agents.queues import QueueSettings
from hub.agents.viewer import Viewer
from hub.domain.values import ChannelKind, ContactKind, Role
from hub.domain.views import ConversationView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.routing import callbacks, dispatcher, estimates
from hub.store import tables
from hub.timeline import conversations, customers
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GRACE_S = 15.0
GAP_S = 900
NUMBER = "+37410123456"


async def go(scene: Scene) -> datetime | None:
    return await scene.database.transaction(dispatcher.dispatch, GRACE_S)


async def ringing(scene: Scene) -> list[int]:
    return [row["conversation_id"] for row in await scene.rows(tables.offer, ended_at=None)]


async def take(scene: Scene, agent: Viewer) -> int:
    await go(scene)
    offer = await scene.row(tables.offer, ended_at=None)
    await scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])
    return int(offer["conversation_id"])


async def settle(scene: Scene, agent: Viewer, conversation_id: int, *, reached: bool) -> ConversationView:
    return await scene.database.transaction(dispatcher.settle_callback, agent, conversation_id, reached=reached)


async def view(scene: Scene, conversation_id: int) -> ConversationView:
    return await scene.database.read(conversations.load_conversation, conversation_id)


async def said(scene: Scene) -> list[dict[str, Any]]:
    """What the timeline tells of callbacks, in order."""
    return [row["data"] for row in await scene.rows(tables.entry) if row["happening"] == "callback"]


@pytest.fixture
async def chat(scene: Scene) -> Scene:
    await scene.channel("chat", ChannelKind.CHAT.value)
    settings = QueueSettings(offers_callback=True, callback_gap_s=GAP_S, callback_attempts=2)
    await scene.database.transaction(queues.update_queue, scene.queue_id, settings)
    return scene


async def visitor_waits(chat: Scene, sender: str = "visitor") -> int:
    return await chat.opened("Hello", channel_id="chat", sender=sender, kind=ContactKind.CHAT)


async def ask(chat: Scene, conversation_id: int, number: str = NUMBER) -> ConversationView:
    point = (await view(chat, conversation_id)).contact_point_id
    return await chat.database.transaction(callbacks.ask_as_visitor, point, "chat", number)


# --- asking ---------------------------------------------------------------------------------------------------------------


async def test_a_waiting_visitor_asks_to_be_called_and_keeps_the_place(chat: Scene, clock: FrozenClock) -> None:
    began = clock.now
    conversation_id = await visitor_waits(chat)
    clock.advance(60)
    after = await ask(chat, conversation_id, "+374 10 123-456")
    assert after.queued_since == began
    assert after.callback is not None
    assert (after.callback.address, after.callback.state, after.callback.attempts) == (NUMBER, "waiting", 0)
    assert await said(chat) == [{"state": "requested", "address": NUMBER}]
    row = await chat.row(tables.callback)
    assert (row["place_since"], row["requested_at"], row["state"]) == (began, clock.now, "waiting")


async def test_asking_twice_is_the_same_as_once_and_another_number_replaces_it(chat: Scene) -> None:
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    await ask(chat, conversation_id)
    after = await ask(chat, conversation_id, "+37410654321")
    assert after.callback is not None
    assert after.callback.address == "+37410654321"
    assert [line["state"] for line in await said(chat)] == ["requested", "changed"]
    assert len(await chat.rows(tables.callback)) == 1


@pytest.mark.parametrize("number", ["", "call me", "+3741", "+374" + "1" * 30, "' OR 1=1", "\u202e12345"])
async def test_what_is_no_number_is_refused_by_its_name(chat: Scene, number: str) -> None:
    conversation_id = await visitor_waits(chat)
    with pytest.raises(InvalidInput) as refused:
        await ask(chat, conversation_id, number)
    assert list(refused.value.fields) == ["address"]
    assert await chat.rows(tables.callback) == []


@pytest.mark.parametrize(
    "number",
    [
        "+19005550123",  # premium rate in the United States
        "+882999123456",  # a satellite network
        "+37499999",  # possible, and nobody's
    ],
)
async def test_a_stranger_cannot_have_us_call_what_costs_more_than_a_call(chat: Scene, number: str) -> None:
    conversation_id = await visitor_waits(chat)
    with pytest.raises(InvalidInput) as refused:
        await ask(chat, conversation_id, number)
    assert list(refused.value.fields) == ["address"]


async def test_one_number_is_called_for_one_chat_at_a_time(chat: Scene) -> None:
    await ask(chat, await visitor_waits(chat))
    another = await visitor_waits(chat, "another")
    with pytest.raises(InvalidInput, match="already"):
        await ask(chat, another)


async def test_passed_on_during_its_gap_the_customer_is_left_alone_all_the_same(chat: Scene) -> None:
    agent = await chat.agent("Nare")
    sales = await chat.queue("Sales")
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    await take(chat, agent)
    waiting = await settle(chat, agent, conversation_id, reached=False)
    moved = await chat.database.transaction(
        dispatcher.transfer, agent, conversation_id, agent_id=None, queue_id=sales, note=None
    )
    assert (moved.queue_id, moved.parked_until) == (sales, waiting.parked_until)
    assert moved.parked_until is not None


@pytest.mark.parametrize("way", ["the visitor", "the agent", "reached"])
async def test_a_chat_that_is_put_aside_for_its_callback_is_back_when_that_ends(
    chat: Scene, clock: FrozenClock, way: str
) -> None:
    agent = await chat.agent("Nare")
    conversation_id = await visitor_waits(chat)
    point = (await view(chat, conversation_id)).contact_point_id
    await ask(chat, conversation_id)
    await take(chat, agent)
    await chat.database.transaction(dispatcher.park, agent, conversation_id, clock() + timedelta(days=30))
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "the visitor": lambda: chat.database.transaction(callbacks.cancel_as_visitor, point, "chat"),
        "the agent": lambda: chat.database.transaction(callbacks.cancel, agent, conversation_id),
        "reached": lambda: settle(chat, agent, conversation_id, reached=True),
    }
    await ways[way]()
    await go(chat)
    after = await view(chat, conversation_id)
    assert (after.assignee_id, after.parked_until, after.callback) == (agent.user_id, None, None)
    assert (await chat.row(tables.assignment))["weight"] == 25


async def test_where_it_is_not_offered_a_visitor_cannot_ask(chat: Scene) -> None:
    conversation_id = await visitor_waits(chat)
    await chat.database.transaction(queues.update_queue, chat.queue_id, QueueSettings(offers_callback=False))
    with pytest.raises(Forbidden):
        await ask(chat, conversation_id)


async def test_whoever_is_served_already_cannot_ask_and_an_agent_may_for_them(chat: Scene) -> None:
    agent = await chat.agent()
    conversation_id = await visitor_waits(chat)
    await take(chat, agent)
    with pytest.raises(Conflict):
        await ask(chat, conversation_id)
    after = await chat.database.transaction(callbacks.ask_for, agent, conversation_id, NUMBER)
    assert after.callback is not None
    assert after.callback.state == "calling"


async def test_a_colleagues_work_is_theirs_and_what_one_may_not_see_is_not_there(chat: Scene) -> None:
    holder, colleague, stranger = await chat.agent(), await chat.agent(), await chat.agent(queue_ids=set())
    conversation_id = await visitor_waits(chat)
    await chat.database.transaction(dispatcher.claim, holder, conversation_id, None)
    with pytest.raises(Forbidden):
        await chat.database.transaction(callbacks.ask_for, colleague, conversation_id, NUMBER)
    with pytest.raises(NotFound):
        await chat.database.transaction(callbacks.ask_for, stranger, conversation_id, NUMBER)
    with pytest.raises(NotFound):
        await settle(chat, stranger, conversation_id, reached=True)


async def test_a_visitor_who_writes_again_keeps_the_callback(chat: Scene, clock: FrozenClock) -> None:
    began = clock.now
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    clock.advance(5)
    assert await visitor_waits(chat) == conversation_id
    after = await view(chat, conversation_id)
    assert (after.queued_since, after.callback is not None) == (began, True)


async def test_a_visitor_may_change_their_mind(chat: Scene) -> None:
    conversation_id = await visitor_waits(chat)
    after = await ask(chat, conversation_id)
    for _ in range(2):
        kept = await chat.database.transaction(callbacks.cancel_as_visitor, after.contact_point_id, "chat")
        assert kept is not None
        assert (kept.callback, kept.queued_since) == (None, after.queued_since)
    assert [line["state"] for line in await said(chat)] == ["requested", "cancelled"]
    assert (await chat.row(tables.callback))["state"] == "cancelled"


# --- calling --------------------------------------------------------------------------------------------------------------


async def test_whoever_gets_it_calls_and_says_that_the_customer_was_reached(chat: Scene) -> None:
    agent = await chat.agent()
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    await take(chat, agent)
    held = await view(chat, conversation_id)
    assert held.callback is not None
    assert held.callback.state == "calling"
    after = await settle(chat, agent, conversation_id, reached=True)
    assert (after.callback, after.assignee_id) == (None, agent.user_id)
    assert (await said(chat))[-1] == {"state": "reached", "address": NUMBER, "attempts": 1}
    with pytest.raises(Conflict) as refused:
        await settle(chat, agent, conversation_id, reached=True)
    assert refused.value.code == "no_callback"


async def test_without_an_answer_it_goes_back_to_its_place_and_rings_after_the_gap(
    chat: Scene, clock: FrozenClock
) -> None:
    agent = await chat.agent()
    began = clock.now
    conversation_id = await visitor_waits(chat)
    clock.advance(30)
    await ask(chat, conversation_id)
    await take(chat, agent)
    clock.advance(60)
    after = await settle(chat, agent, conversation_id, reached=False)
    again_at = clock.now + timedelta(seconds=GAP_S)
    assert (after.assignee_id, after.queued_since, after.parked_until) == (None, began, again_at)
    assert after.callback is not None
    assert (after.callback.attempts, after.callback.next_attempt_at) == (1, again_at)
    assert (await said(chat))[-1]["again_at"] == again_at.isoformat()
    # Nobody is offered it before; younger work is.
    assert await go(chat) == again_at
    younger = await visitor_waits(chat, "younger")
    await go(chat)
    assert await ringing(chat) == [younger]
    await chat.database.transaction(dispatcher.claim, agent, younger, None)
    seen = len(await chat.events())
    clock.now = again_at
    await go(chat)
    assert await ringing(chat) == [conversation_id]
    back = await view(chat, conversation_id)
    assert back.parked_until is None
    assert back.callback is not None
    assert back.callback.next_attempt_at is None
    # Screens are told that it is back.
    assert "conversation.changed" in [event.kind for event in (await chat.events())[seen:]]


async def test_after_the_last_attempt_it_is_given_up_and_stays_with_the_agent(chat: Scene, clock: FrozenClock) -> None:
    agent = await chat.agent()
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    await take(chat, agent)
    await settle(chat, agent, conversation_id, reached=False)
    clock.advance(GAP_S)
    await take(chat, agent)
    after = await settle(chat, agent, conversation_id, reached=False)
    assert (after.callback, after.assignee_id) == (None, agent.user_id)
    assert (await said(chat))[-1] == {"state": "given_up", "address": NUMBER, "attempts": 2}
    row = await chat.row(tables.callback)
    assert (row["state"], row["attempts"], row["ended_at"]) == ("given_up", 2, clock.now)


async def test_the_place_is_kept_though_the_agent_has_answered_meanwhile(chat: Scene, clock: FrozenClock) -> None:
    agent = await chat.agent()
    began = clock.now
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    await take(chat, agent)
    clock.advance(20)
    await chat.set(tables.conversation, {"unanswered_since": None}, id=conversation_id)
    after = await chat.database.transaction(dispatcher.release, agent, conversation_id)
    assert after.queued_since == began
    assert after.callback is not None
    assert (after.callback.state, after.callback.attempts, after.parked_until) == ("waiting", 0, None)


async def test_an_agent_who_is_lost_while_calling_gives_it_back_without_a_gap(chat: Scene, clock: FrozenClock) -> None:
    agent = await chat.agent()
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    await take(chat, agent)
    await chat.database.transaction(presence.disconnect, f"screen-{agent.user_id}")
    clock.advance(GRACE_S + 1)
    other = await chat.agent()
    assert await take(chat, other) == conversation_id
    after = await view(chat, conversation_id)
    assert after.callback is not None
    assert (after.callback.state, after.callback.attempts) == ("calling", 0)


async def test_a_promised_call_does_not_stay_with_somebody_who_is_gone_whatever_the_customer_wrote_by(
    scene: Scene,
) -> None:
    agent = await scene.agent("Nare")
    texts = [await scene.opened("Call me", sender="a"), await scene.opened("Only a text", sender="b")]
    for conversation_id in texts:
        await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await scene.database.transaction(callbacks.ask_for, agent, texts[0], NUMBER)
    await scene.database.transaction(dispatcher.sign_out, agent.user_id)
    assert [(await view(scene, each)).assignee_id for each in texts] == [None, agent.user_id]


async def test_whoever_takes_it_before_its_time_has_it(chat: Scene, clock: FrozenClock) -> None:
    agent = await chat.agent()
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    await take(chat, agent)
    await settle(chat, agent, conversation_id, reached=False)
    after = await chat.database.transaction(dispatcher.claim, agent, conversation_id, None)
    assert (after.parked_until, after.assignee_id) == (None, agent.user_id)
    assert after.callback is not None
    assert (after.callback.state, after.callback.next_attempt_at) == ("calling", None)


async def test_cancelled_while_it_is_parked_it_rings_at_once(chat: Scene) -> None:
    agent = await chat.agent()
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    await take(chat, agent)
    await settle(chat, agent, conversation_id, reached=False)
    after = await chat.database.transaction(callbacks.cancel, agent, conversation_id)
    assert (after.callback, after.parked_until) == (None, None)
    await go(chat)
    assert await ringing(chat) == [conversation_id]


async def test_a_parked_callback_stands_in_nobodys_way_and_is_told_no_place(chat: Scene) -> None:
    agent = await chat.agent(capacity=25)
    first = await visitor_waits(chat)
    await ask(chat, first)
    await take(chat, agent)
    await settle(chat, agent, first, reached=False)
    second = await visitor_waits(chat, "second")
    places = await chat.database.read(estimates.load_places, [first, second])
    assert (places[first].position, places[second].position) == (None, 1)


# --- ends, and what stands in between -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_parked", [False, True])
async def test_resolving_ends_it(chat: Scene, is_parked: bool) -> None:
    agent = await chat.agent(role=Role.SUPERVISOR)
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    for _ in range(is_parked):
        await take(chat, agent)
        await settle(chat, agent, conversation_id, reached=False)
    after = await chat.database.transaction(dispatcher.resolve, agent, conversation_id)
    assert (after.callback, after.parked_until, after.status) == (None, None, "resolved")
    assert (await chat.row(tables.callback))["state"] == "cancelled"
    # Whoever writes again waits like anybody, and may ask again.
    await visitor_waits(chat)
    assert (await ask(chat, conversation_id)).callback is not None


async def test_it_goes_along_when_two_customers_turn_out_to_be_one(chat: Scene) -> None:
    conversation_id = await visitor_waits(chat)
    before = await ask(chat, conversation_id)
    known = await chat.opened(sender="known")
    into = (await view(chat, known)).customer_id
    await chat.database.transaction(customers.join, before.customer_id, into)
    after = await view(chat, conversation_id)
    assert (after.customer_id, after.callback) == (into, before.callback)


async def test_of_two_who_say_at_once_that_nobody_answered_one_is_late(chat: Scene) -> None:
    agent = await chat.agent()
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    await take(chat, agent)
    outcomes = await asyncio.gather(
        *(settle(chat, agent, conversation_id, reached=False) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "ConversationView"]
    assert (await chat.row(tables.callback))["attempts"] == 1


async def test_of_two_who_ask_at_once_one_callback_comes(chat: Scene) -> None:
    conversation_id = await visitor_waits(chat)
    await asyncio.gather(*(ask(chat, conversation_id) for _ in range(4)))
    assert len(await chat.rows(tables.callback)) == 1
    assert [line["state"] for line in await said(chat)] == ["requested"]


async def test_what_came_due_while_the_hub_was_down_is_brought_back_by_the_first_round(
    chat: Scene, clock: FrozenClock
) -> None:
    agent = await chat.agent()
    conversation_id = await visitor_waits(chat)
    await ask(chat, conversation_id)
    await take(chat, agent)
    await settle(chat, agent, conversation_id, reached=False)
    clock.advance(hours=10)
    await go(chat)
    assert await ringing(chat) == [conversation_id]


async def test_other_work_that_is_parked_while_it_waits_is_brought_back_too(scene: Scene, clock: FrozenClock) -> None:
    await scene.agent()
    conversation_id = await scene.opened()
    await scene.set(tables.conversation, {"parked_until": clock.now + timedelta(seconds=30)}, id=conversation_id)
    assert await go(scene) == clock.now + timedelta(seconds=30)
    clock.advance(30)
    await go(scene)
    assert await ringing(scene) == [conversation_id]
    assert (await view(scene, conversation_id)).parked_until is None
