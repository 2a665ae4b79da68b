"""Stays of written work in queues: counted by hand, one fact for each stay, with the reason why it ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from hub.channels.channel import Consent
from hub.domain.values import AuthorKind, ContactKind, Role
from hub.domain.views import Author
from hub.errors import Conflict
from hub.routing import callbacks, dispatcher
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, customers
from tests.support.clock import START, FrozenClock
from tests.support.facts import as_visit, told
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GRACE_S = 15.0


def at(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


async def visits(scene: Scene) -> list[tuple[Any, ...]]:
    return [as_visit(row) for row in await told(scene.database, tables.fact_queue_visit)]


async def test_work_waits_until_somebody_takes_it(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await scene.opened()
    clock.advance(40)
    assert await visits(scene) == [], "told when it ends"
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    (visit,) = await told(scene.database, tables.fact_queue_visit)
    customer_id = (await scene.row(tables.conversation))["customer_id"]
    assert visit == {
        "conversation_id": conversation_id,
        "visit": 1,
        "customer_id": customer_id,
        "channel_id": "loop",
        "queue_id": scene.queue_id,
        "arrived_at": START,
        "waiting_since": START,
        "queued_at": START,
        "removed_at": at(40),
        "reason": "answered",
        "agent_id": agent.user_id,
        "call_id": None,
        "topic_id": None,
        "is_first": True,
    }


async def test_an_offer_that_is_declined_or_missed_ends_no_stay(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    await scene.opened()
    await scene.database.transaction(dispatcher.dispatch, GRACE_S)
    offer = await scene.row(tables.offer, ended_at=None)
    clock.advance(5)
    await scene.database.transaction(dispatcher.decline_offer, agent, offer["id"])
    clock.advance(60)
    await scene.database.transaction(dispatcher.dispatch, GRACE_S)
    clock.advance(20)
    await scene.database.transaction(dispatcher.dispatch, GRACE_S)
    clock.advance(60)
    await scene.database.transaction(dispatcher.dispatch, GRACE_S)
    offer = await scene.row(tables.offer, ended_at=None)
    clock.advance(3)
    await scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])
    assert await visits(scene) == [(scene.queue_id, 0, 148, "answered", agent.user_id)]
    offers = await told(scene.database, tables.fact_offer)
    assert [offer["outcome"] for offer in offers] == ["declined", "no_answer", "accepted"]
    assert [(offer["ended_at"] - offer["offered_at"]).total_seconds() for offer in offers] == [5, 20, 3]


@pytest.mark.parametrize(("by", "reason"), [(AuthorKind.SYSTEM, "overflow"), (AuthorKind.AGENT, "transferred")])
async def test_who_is_moved_to_another_queue_waits_there_anew(
    by: AuthorKind, reason: str, scene: Scene, clock: FrozenClock
) -> None:
    sales = await scene.queue("Sales")
    seller = await scene.agent(queue_ids={sales})
    conversation_id = await scene.opened()
    clock.advance(30)

    def move(tx: Tx) -> None:
        before = conversations.lock_conversation(tx, conversation_id)
        dispatcher.direct(tx, before, Author(by, "", seller.user_id), queue_id=sales)

    await scene.database.transaction(move)
    clock.advance(20)
    await scene.database.transaction(dispatcher.claim, seller, conversation_id, None)
    assert await visits(scene) == [
        (scene.queue_id, 0, 30, reason, None),
        (sales, 30, 50, "answered", seller.user_id),
    ]
    ages = [row["waiting_since"] for row in await told(scene.database, tables.fact_queue_visit)]
    assert ages == [START, START], "its place is its age"


async def test_what_an_agent_had_waits_again_and_is_no_first_answer(scene: Scene, clock: FrozenClock) -> None:
    """The second request in the same conversation has a first answer of its own."""
    sales = await scene.queue("Sales")
    agent, seller = await scene.agent(), await scene.agent(queue_ids={sales})
    conversation_id = await scene.opened()
    clock.advance(10)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(600)
    await scene.database.transaction(
        dispatcher.transfer, agent, conversation_id, agent_id=None, queue_id=sales, note=None
    )
    clock.advance(20)
    await scene.database.transaction(dispatcher.claim, seller, conversation_id, None)
    clock.advance(5)
    await scene.database.transaction(dispatcher.resolve, seller, conversation_id)
    clock.advance(60)
    await scene.opened()
    clock.advance(3)
    await scene.database.transaction(dispatcher.claim, seller, conversation_id, None)
    rows = await told(scene.database, tables.fact_queue_visit)
    waits = [(row["removed_at"] - row["arrived_at"]).total_seconds() for row in rows]
    assert [*zip(waits, [row["is_first"] for row in rows], strict=True)] == [(10, True), (630, False), (3, True)]


async def test_given_to_an_agent_by_a_supervisor_it_is_answered(scene: Scene, clock: FrozenClock) -> None:
    agent, boss = await scene.agent(), await scene.agent(role=Role.SUPERVISOR)
    conversation_id = await scene.opened()
    clock.advance(9)
    await scene.database.transaction(
        dispatcher.transfer, boss, conversation_id, agent_id=agent.user_id, queue_id=None, note=None
    )
    assert await visits(scene) == [(scene.queue_id, 0, 9, "answered", agent.user_id)]


async def test_what_is_resolved_as_it_waits_is_withdrawn(scene: Scene, clock: FrozenClock) -> None:
    boss = await scene.agent(role=Role.SUPERVISOR)
    conversation_id = await scene.opened()
    clock.advance(12)
    await scene.database.transaction(dispatcher.resolve, boss, conversation_id)
    assert await visits(scene) == [(scene.queue_id, 0, 12, "withdrawn", None)]


async def test_given_back_it_waits_again(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await scene.opened()
    clock.advance(10)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(100)
    await scene.database.transaction(dispatcher.release, agent, conversation_id)
    clock.advance(15)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    assert await visits(scene) == [
        (scene.queue_id, 0, 10, "answered", agent.user_id),
        (scene.queue_id, 110, 125, "answered", agent.user_id),
    ]
    assert [row["visit"] for row in await told(scene.database, tables.fact_queue_visit)] == [1, 2]


async def test_a_chat_whose_agent_signs_out_waits_again(scene: Scene, clock: FrozenClock) -> None:
    chat = await scene.channel("chat", "chat")
    agent, other = await scene.agent(), await scene.agent()
    conversation_id = await scene.opened(channel_id=chat, sender="visitor")
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(60)
    await scene.database.transaction(dispatcher.sign_out, agent.user_id)
    clock.advance(8)
    await scene.database.transaction(dispatcher.claim, other, conversation_id, None)
    assert await visits(scene) == [
        (scene.queue_id, 0, 0, "answered", agent.user_id),
        (scene.queue_id, 60, 68, "answered", other.user_id),
    ]


async def test_who_asks_to_be_called_waits_no_longer(scene: Scene, clock: FrozenClock) -> None:
    chat = await scene.channel("chat", "chat")
    await scene.set(tables.queue, {"offers_callback": True})
    agent = await scene.agent()
    conversation_id = await scene.opened(channel_id=chat, sender="visitor")
    point_id = (await scene.row(tables.conversation))["contact_point_id"]
    clock.advance(30)
    await scene.database.transaction(callbacks.ask_as_visitor, point_id, chat, "+37477123456")
    clock.advance(300)
    assert await visits(scene) == [(scene.queue_id, 0, 30, "callback", None)]
    await scene.database.transaction(callbacks.cancel_as_visitor, point_id, chat)
    clock.advance(5)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    waits_again = (scene.queue_id, 330, 335, "answered", agent.user_id)
    assert await visits(scene) == [(scene.queue_id, 0, 30, "callback", None), waits_again]


async def test_a_callback_that_is_taken_is_no_stay(scene: Scene, clock: FrozenClock) -> None:
    chat = await scene.channel("chat", "chat")
    await scene.set(tables.queue, {"offers_callback": True})
    agent = await scene.agent()
    conversation_id = await scene.opened(channel_id=chat, sender="visitor")
    point_id = (await scene.row(tables.conversation))["contact_point_id"]
    await scene.database.transaction(callbacks.ask_as_visitor, point_id, chat, "+37477123456")
    clock.advance(600)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await scene.database.transaction(dispatcher.settle_callback, agent, conversation_id, reached=False)
    clock.advance(600)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    assert [visit[3] for visit in await visits(scene)] == ["callback"]


async def test_a_reopened_request_is_another_contact_and_another_stay(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(50)
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    clock.advance(100)
    await scene.say("once more")
    clock.advance(20)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(30)
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    clock.advance(10)
    await scene.database.transaction(dispatcher.reopen, agent, conversation_id)
    last = (await told(scene.database, tables.fact_queue_visit))[-1]
    assert (last["visit"], last["arrived_at"], last["removed_at"]) == (2, at(150), at(170))
    contacts = await told(scene.database, tables.fact_contact)
    assert [
        (one["episode"], one["arrived_at"], one["direction"], one["reopened_by"], one["by_call"]) for one in contacts
    ] == [
        (0, START, "in", None, False),
        (1, at(150), "in", "customer", False),
        (2, at(210), "out", "agent", False),
    ]
    resolutions = await told(scene.database, tables.fact_resolution)
    assert [(one["opened_at"], one["arrived_at"], one["wall_s"]) for one in resolutions] == [
        (START, START, 50.0),
        (START, at(150), 200.0),
    ]
    # Unanswered from the first word to the first resolution, and again from the second word to the second.
    assert [one["handling_s"] for one in resolutions] == [50.0, 100.0]


async def test_who_only_says_stop_has_no_request(scene: Scene) -> None:
    await scene.say("STOP", consent=Consent.STOP)
    assert await told(scene.database, tables.fact_contact) == []
    row = await scene.row(tables.conversation)
    assert (row["visit"], row["visit_since"]) == (0, None)


async def test_what_we_begin_ourselves_never_waits(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    ani = await scene.database.transaction(customers.create_customer, "Ani", None)
    await scene.database.transaction(customers.add_contact_point, ani.id, ContactKind.LOOPBACK, "ani")
    point_id = (await scene.row(tables.contact_point))["id"]
    view = await scene.database.transaction(dispatcher.open_conversation, agent, scene.channel_id, point_id)
    clock.advance(30)
    await scene.database.transaction(dispatcher.resolve, agent, view.id)
    assert await visits(scene) == []
    (contact,) = await told(scene.database, tables.fact_contact)
    assert (contact["conversation_id"], contact["direction"], contact["episode"]) == (view.id, "out", 0)


async def test_of_two_who_take_it_at_once_one_has_answered(scene: Scene, clock: FrozenClock) -> None:
    agents = [await scene.agent(), await scene.agent()]
    conversation_id = await scene.opened()
    clock.advance(7)
    claims = [scene.database.transaction(dispatcher.claim, agent, conversation_id, None) for agent in agents]
    first, second = await asyncio.gather(*claims, return_exceptions=True)
    assert [type(first), type(second)].count(Conflict) == 1
    holder = (await scene.row(tables.conversation))["assignee_id"]
    assert await visits(scene) == [(scene.queue_id, 0, 7, "answered", holder)]


async def test_a_customer_who_turns_out_to_be_another_waits_once(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await scene.opened(sender="ani")
    await scene.opened(sender="ani-at-work")
    owners = [row["customer_id"] for row in await scene.rows(tables.conversation)]
    clock.advance(5)
    await scene.database.transaction(customers.join, owners[0], owners[1])
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    (visit,) = await told(scene.database, tables.fact_queue_visit)
    assert (visit["customer_id"], visit["reason"], visit["removed_at"]) == (owners[1], "answered", at(5))


async def test_a_clock_that_jumps_back_makes_no_stay_shorter_than_none(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await scene.opened()
    clock.advance(-3600)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    assert await visits(scene) == [(scene.queue_id, 0, 0, "answered", agent.user_id)]


async def test_a_unit_of_work_that_fails_tells_nothing(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await scene.opened()
    clock.advance(4)

    def claim_and_fail(tx: Tx) -> None:
        dispatcher.claim(tx, agent, conversation_id, None)
        raise Conflict("the power went")

    with pytest.raises(Conflict):
        await scene.database.transaction(claim_and_fail)
    assert await visits(scene) == []
    clock.advance(4)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    assert await visits(scene) == [(scene.queue_id, 0, 8, "answered", agent.user_id)]
