"""The single writer of assignments: offers and what becomes of them, hands, transfers, lost agents, races."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from hub.agents import presence, queues, roster, skills
from hub.agents.queues import QueueSettings
from hub.agents.viewer import Viewer
from hub.domain.states import AgentState
from hub.domain.values import Role
from hub.domain.views import ConversationView, RequirementView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GRACE_S = 15.0


async def go(scene: Scene) -> None:
    await scene.database.transaction(dispatcher.dispatch, GRACE_S)


async def live_offer(scene: Scene) -> dict[str, Any]:
    return await scene.row(tables.offer, ended_at=None)


async def accept(scene: Scene, agent: Viewer) -> int:
    offer = await live_offer(scene)
    await scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])
    return int(str(offer["conversation_id"]))


async def happenings(scene: Scene) -> list[object]:
    return [entry["happening"] for entry in await scene.rows(tables.entry) if entry["happening"]]


async def test_work_is_offered_accepted_and_assigned(scene: Scene) -> None:
    agent = await scene.agent("Nare")
    await scene.say("Hello")
    await go(scene)
    assert (await live_offer(scene))["agent_id"] == agent.user_id
    await accept(scene, agent)
    conversation = await scene.row(tables.conversation)
    assert (conversation["assignee_id"], conversation["queued_since"]) == (agent.user_id, None)
    assert (await scene.row(tables.assignment))["ended_at"] is None
    assert await happenings(scene) == ["accepted"]
    kinds = [event.kind for event in await scene.events()]
    assert "offer.made" in kinds
    assert "offer.ended" in kinds


async def test_accepting_twice_is_the_same_as_once(scene: Scene) -> None:
    agent = await scene.agent()
    await scene.say()
    await go(scene)
    offer = await live_offer(scene)
    for _ in range(2):
        await scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])
    assert len(await scene.rows(tables.assignment)) == 1


async def test_a_declined_offer_rings_at_the_next_agent(scene: Scene, clock: FrozenClock) -> None:
    first = await scene.agent()
    clock.advance(1)
    second = await scene.agent()
    await scene.say()
    await go(scene)
    offer = await live_offer(scene)
    assert offer["agent_id"] == first.user_id
    await scene.database.transaction(dispatcher.decline_offer, first, offer["id"])
    await go(scene)
    assert (await live_offer(scene))["agent_id"] == second.user_id


async def test_an_offer_nobody_answers_is_missed_and_offered_again(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    await scene.say()
    await go(scene)
    clock.advance(20)
    await go(scene)
    assert [offer["outcome"] for offer in await scene.rows(tables.offer)] == ["no_answer"]
    assert (await scene.row(tables.agent))["missed_in_row"] == 1
    clock.advance(61)
    await go(scene)
    assert (await live_offer(scene))["agent_id"] == agent.user_id
    conversation = await scene.row(tables.conversation)
    assert conversation["queued_since"] == clock() - timedelta(seconds=81)


async def test_three_misses_in_a_row_make_an_agent_not_responding_until_they_are_back(
    scene: Scene, clock: FrozenClock
) -> None:
    agent = await scene.agent()
    await scene.say()
    for _ in range(3):
        await go(scene)
        clock.advance(20)
        await go(scene)
        clock.advance(61)
    assert (await scene.row(tables.agent))["state"] == "not_responding"
    await go(scene)
    assert await scene.rows(tables.offer, ended_at=None) == []
    await scene.database.transaction(roster.change_agent_state, agent.user_id, AgentState.AVAILABLE)
    await go(scene)
    assert (await live_offer(scene))["agent_id"] == agent.user_id


async def test_an_expired_offer_cannot_be_accepted(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    await scene.say()
    await go(scene)
    clock.advance(20)
    with pytest.raises(Conflict, match="over"):
        await accept(scene, agent)


async def test_somebody_elses_offer_is_not_there(scene: Scene) -> None:
    await scene.agent()
    other = await scene.agent(queue_ids=set())
    await scene.say()
    await go(scene)
    offer = await live_offer(scene)
    with pytest.raises(NotFound):
        await scene.database.transaction(dispatcher.accept_offer, other, offer["id"])


async def test_going_away_withdraws_what_rings_and_is_no_miss(scene: Scene) -> None:
    agent = await scene.agent()
    await scene.say()
    await go(scene)
    await scene.database.transaction(roster.change_agent_state, agent.user_id, AgentState.AWAY, "lunch")
    await go(scene)
    assert [offer["outcome"] for offer in await scene.rows(tables.offer)] == ["withdrawn"]
    assert (await scene.row(tables.agent))["missed_in_row"] == 0


async def test_the_loser_of_a_claim_is_told_who_was_faster(scene: Scene) -> None:
    first, second = await scene.agent("Nare"), await scene.agent("Giorgi")
    conversation_id = await scene.opened()
    results = await asyncio.gather(
        *(scene.database.transaction(dispatcher.claim, agent, conversation_id, None) for agent in (first, second)),
        return_exceptions=True,
    )
    (lost,) = [result for result in results if isinstance(result, BaseException)]
    assert isinstance(lost, Conflict)
    assert lost.code == "already_assigned"
    assert "Nare" in lost.message or "Giorgi" in lost.message
    assert len(await scene.rows(tables.assignment)) == 1


async def test_an_agent_cannot_take_from_a_colleague_and_a_supervisor_can(scene: Scene) -> None:
    holder, other = await scene.agent(), await scene.agent()
    boss = await scene.agent(role=Role.SUPERVISOR)
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, holder, conversation_id, None)
    with pytest.raises(Forbidden):
        await scene.database.transaction(dispatcher.claim, other, conversation_id, holder.user_id)
    view = await scene.database.transaction(dispatcher.claim, boss, conversation_id, holder.user_id)
    assert view.assignee_id == boss.user_id
    assert (await scene.row(tables.assignment, agent_id=holder.user_id))["end_reason"] == "taken"


@pytest.mark.parametrize(("by_holder", "end_reason"), [(True, "transferred"), (False, "taken")])
@pytest.mark.parametrize("to_agent", [True, False])
async def test_what_a_supervisor_moves_is_no_transfer_of_its_holder(
    scene: Scene, by_holder: bool, end_reason: str, to_agent: bool
) -> None:
    holder, other, boss = await scene.agent(), await scene.agent(), await scene.agent(role=Role.SUPERVISOR)
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, holder, conversation_id, None)
    where = {True: (other.user_id, None), False: (None, await scene.queue("Sales"))}
    agent_id, queue_id = where[to_agent]
    who = {True: holder, False: boss}[by_holder]
    await scene.database.transaction(
        dispatcher.transfer, who, conversation_id, agent_id=agent_id, queue_id=queue_id, note=None
    )
    assert (await scene.row(tables.assignment, agent_id=holder.user_id))["end_reason"] == end_reason


async def test_transfer_to_an_agent_moves_it_at_once_with_its_note(scene: Scene) -> None:
    holder, other = await scene.agent(), await scene.agent()
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, holder, conversation_id, None)
    view = await scene.database.transaction(
        dispatcher.transfer, holder, conversation_id, agent_id=other.user_id, queue_id=None, note="Knows the order"
    )
    assert view.assignee_id == other.user_id
    entries = await scene.rows(tables.entry, happening="transferred")
    assert entries[0]["data"]["note"] == "Knows the order"


async def test_transfer_to_a_queue_keeps_the_original_age_and_hides_it_from_whoever_may_not_see_it(
    scene: Scene, clock: FrozenClock
) -> None:
    sales = await scene.queue("Sales")
    holder = await scene.agent()
    started = clock()
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, holder, conversation_id, None)
    clock.advance(300)
    view = await scene.database.transaction(
        dispatcher.transfer, holder, conversation_id, agent_id=None, queue_id=sales, note=None
    )
    assert (view.queue_id, view.queued_since) == (sales, started)
    (hidden,) = [event for event in await scene.events() if event.kind == "conversation.hidden"]
    assert not holder.topics.isdisjoint(hidden.topics)
    with pytest.raises(NotFound):
        await scene.database.read(conversations.access_conversation, holder, conversation_id)


async def test_what_waits_keeps_its_age_wherever_it_is_sent_and_its_pin_where_it_is(
    scene: Scene, clock: FrozenClock
) -> None:
    sales = await scene.queue("Sales")
    holder = await scene.agent()
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, holder, conversation_id, None)
    # Answered and given back: nobody waits for an answer, but the work waits.
    await scene.set(tables.conversation, {"unanswered_since": None}, id=conversation_id)
    clock.advance(60)
    released = await scene.database.transaction(dispatcher.release, holder, conversation_id)
    await scene.set(tables.conversation, {"pinned_agent_id": holder.user_id}, id=conversation_id)
    clock.advance(3_000)

    def to(queue_id: int) -> Awaitable[ConversationView]:
        return scene.database.transaction(
            dispatcher.transfer, holder, conversation_id, agent_id=None, queue_id=queue_id, note=None
        )

    same = await to(scene.queue_id)
    assert (same.queued_since, same.pinned_agent_id) == (released.queued_since, holder.user_id)
    other = await to(sales)
    assert (other.queue_id, other.queued_since, other.pinned_agent_id) == (sales, released.queued_since, None)


async def test_a_lost_agents_chat_that_was_answered_last_has_waited_since_they_got_it(
    scene: Scene, clock: FrozenClock
) -> None:
    chat = await scene.channel("chat", "chat")
    agent = await scene.agent()
    chat_id = await scene.opened("chat", channel_id=chat, sender="visitor")
    waiting_id = await scene.opened("mine", channel_id=chat, sender="another")
    await scene.set(tables.conversation, {"pinned_agent_id": agent.user_id}, id=waiting_id)
    accepted = clock()
    await scene.database.transaction(dispatcher.claim, agent, chat_id, None)
    await scene.set(tables.conversation, {"unanswered_since": None}, id=chat_id)
    clock.advance(600)
    await scene.database.transaction(dispatcher.sign_out, agent.user_id)
    assert (await scene.row(tables.conversation, id=chat_id))["queued_since"] == accepted
    # And what was to be theirs, with the line open, is for whoever may have it.
    assert (await scene.row(tables.conversation, id=waiting_id))["pinned_agent_id"] is None


async def test_transfer_wants_exactly_one_target(scene: Scene) -> None:
    holder = await scene.agent()
    conversation_id = await scene.opened()
    with pytest.raises(InvalidInput):
        await scene.database.transaction(
            dispatcher.transfer, holder, conversation_id, agent_id=None, queue_id=None, note=None
        )


async def test_resolve_and_reopen(scene: Scene) -> None:
    holder = await scene.agent()
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, holder, conversation_id, None)
    await scene.set(tables.conversation, {"priority": 600, "lowered": 3}, id=conversation_id)
    resolved = await scene.database.transaction(dispatcher.resolve, holder, conversation_id)
    assert (resolved.status, resolved.assignee_id, resolved.unanswered_since) == ("resolved", None, None)
    assert resolved.priority == 0, "its urgency is over with it"
    assert (await scene.row(tables.conversation))["lowered"] == 0
    facts = [event.kind for event in await scene.events() if event.kind.startswith("fact.")]
    assert facts == ["fact.contact", "fact.queue_visit", "fact.segment", "fact.resolution"]
    reopened = await scene.database.transaction(dispatcher.reopen, holder, conversation_id)
    assert (reopened.status, reopened.assignee_id, reopened.reopened_count) == ("open", holder.user_id, 1)


async def test_reopening_beside_a_newer_open_conversation_is_refused(scene: Scene, clock: FrozenClock) -> None:
    holder = await scene.agent()
    old = await scene.opened()
    await scene.database.transaction(dispatcher.resolve, holder, old)
    clock.advance(timedelta(days=5).total_seconds())
    await scene.say()
    with pytest.raises(Conflict, match="newer"):
        await scene.database.transaction(dispatcher.reopen, holder, old)


async def test_a_lost_agents_chat_goes_back_at_its_original_age_and_texts_stay(
    scene: Scene, clock: FrozenClock
) -> None:
    chat = await scene.channel("chat", "chat")
    agent = await scene.agent()
    started = clock()
    text_id = await scene.opened("text")
    chat_id = await scene.opened("chat", channel_id=chat, sender="visitor")
    for conversation_id in (text_id, chat_id):
        await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(60)
    await scene.database.transaction(presence.disconnect, f"screen-{agent.user_id}")
    clock.advance(GRACE_S - 1)
    await go(scene)
    assert (await scene.row(tables.conversation, id=chat_id))["assignee_id"] == agent.user_id
    clock.advance(1)
    await go(scene)
    chat_row = await scene.row(tables.conversation, id=chat_id)
    assert (chat_row["assignee_id"], chat_row["queued_since"]) == (None, started)
    assert (await scene.row(tables.conversation, id=text_id))["assignee_id"] == agent.user_id
    assert (await scene.row(tables.agent))["state"] == "offline"


async def test_a_long_restart_of_the_hub_loses_nobody_before_they_could_come_back(
    scene: Scene, clock: FrozenClock
) -> None:
    agent = await scene.agent("Nare")
    await scene.say("Hello?")
    await go(scene)
    conversation_id = await accept(scene, agent)
    await scene.database.transaction(presence.disconnect, f"screen-{agent.user_id}")
    up_since = clock.advance(300)
    deadline = await scene.database.transaction(dispatcher.dispatch, GRACE_S, up_since)
    assert deadline == up_since + timedelta(seconds=GRACE_S)
    assert (await scene.row(tables.conversation, id=conversation_id))["assignee_id"] == agent.user_id
    assert (await scene.row(tables.agent))["state"] == "available"
    clock.advance(GRACE_S)
    await scene.database.transaction(dispatcher.dispatch, GRACE_S, up_since)
    assert (await scene.row(tables.agent))["state"] == "offline"


async def test_coming_back_within_the_grace_period_keeps_everything(scene: Scene, clock: FrozenClock) -> None:
    chat = await scene.channel("chat", "chat")
    agent = await scene.agent()
    conversation_id = await scene.opened(channel_id=chat)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await scene.database.transaction(presence.disconnect, f"screen-{agent.user_id}")
    clock.advance(5)
    await scene.database.transaction(presence.connect, "again", agent.user_id, "test", None)
    clock.advance(60)
    await go(scene)
    assert (await scene.row(tables.conversation))["assignee_id"] == agent.user_id
    assert (await scene.row(tables.agent))["state"] == "available"


async def test_the_sockets_of_a_dead_process_are_found_gone(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    clock.advance(presence.STALE_AFTER.total_seconds() + 1)
    await scene.database.transaction(presence.beat, "another process", [])
    assert not (await scene.row(tables.agent, user_id=agent.user_id))["connected"]


async def test_signing_out_releases_live_work_at_once(scene: Scene) -> None:
    chat = await scene.channel("chat", "chat")
    agent = await scene.agent()
    conversation_id = await scene.opened(channel_id=chat)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await scene.database.transaction(dispatcher.sign_out, agent.user_id)
    assert (await scene.row(tables.conversation))["assignee_id"] is None
    assert (await scene.row(tables.agent))["state"] == "offline"


async def test_many_dispatchers_and_agents_at_once_assign_nothing_twice_and_nobody_above_capacity_or_without_the_skill(
    scene: Scene, clock: FrozenClock
) -> None:
    agents = [await scene.agent(capacity=40) for _ in range(7)]
    able, unable = agents[:5], agents[5:]

    def require(tx: Tx) -> None:
        skill = skills.create_skill(tx, "billing").id
        queues.update_queue(tx, scene.queue_id, QueueSettings(required=[RequirementView(skill, 3)]))
        for agent in able:
            skills.set_agent_skills(tx, agent.user_id, {skill: 3})
        for agent in unable:
            skills.set_agent_skills(tx, agent.user_id, {skill: 2})

    await scene.database.transaction(require)
    await asyncio.gather(*(scene.say(sender=f"c{n}") for n in range(20)))

    async def work(agent: Viewer) -> None:
        for _ in range(6):
            await go(scene)
            for offer in await scene.rows(tables.offer, ended_at=None, agent_id=agent.user_id):
                await scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])

    await asyncio.gather(*(work(agent) for agent in agents))
    held = await scene.rows(tables.assignment, ended_at=None)
    assert len({row["conversation_id"] for row in held}) == len(held)
    per_agent = {agent.user_id: sum(row["agent_id"] == agent.user_id for row in held) for agent in agents}
    assert per_agent == {agent.user_id: 2 for agent in able} | {agent.user_id: 0 for agent in unable}
    assert {row["agent_id"] for row in await scene.rows(tables.offer)} == {agent.user_id for agent in able}


async def test_nobody_opens_a_strangers_card_by_writing_to_them_first(scene: Scene) -> None:
    sales = await scene.queue("Sales")
    stranger = await scene.agent(queue_ids={sales})
    await scene.set(tables.channel, {"queue_id": scene.queue_id})
    await scene.database.transaction(scene._insert_channel, "sales", "loopback", sales)
    await scene.say("hello")
    point = await scene.row(tables.contact_point)
    with pytest.raises(InvalidInput) as refused:
        await scene.database.transaction(dispatcher.open_conversation, stranger, "sales", point["id"])
    with pytest.raises(InvalidInput) as nobody:
        await scene.database.transaction(dispatcher.open_conversation, stranger, "sales", 999_999)
    assert refused.value.fields == nobody.value.fields


async def test_choosing_available_after_an_earlier_absence_has_a_grace_of_its_own(
    scene: Scene, clock: FrozenClock
) -> None:
    agent = await scene.agent()
    await scene.database.transaction(presence.disconnect, f"screen-{agent.user_id}")
    clock.advance(GRACE_S)
    await go(scene)
    clock.advance(3600)
    await scene.database.transaction(roster.change_agent_state, agent.user_id, AgentState.AVAILABLE)
    await go(scene)
    assert (await scene.row(tables.agent))["state"] == "available"


async def test_after_a_restart_nothing_rings_at_a_screen_of_the_earlier_life(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    await scene.database.transaction(presence.forget_all)
    await scene.say()
    await go(scene)
    assert await scene.rows(tables.offer) == []
    await scene.database.transaction(presence.connect, "again", agent.user_id, "test", None)
    await go(scene)
    assert (await live_offer(scene))["agent_id"] == agent.user_id
