"""What is set of queues, agents and customers, as the dispatcher obeys it: who is offered what, when, and what is told."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select

from hub.agents import accounts, presence, queues, roster, skills
from hub.agents.queues import QueueSettings
from hub.agents.viewer import Viewer
from hub.domain.states import AgentState
from hub.domain.values import AgentChoice, ChannelKind, ContactKind, Role
from hub.domain.views import OverflowView, RequirementView
from hub.errors import Conflict, InvalidInput
from hub.routing import dispatcher, engine, floor, interruption
from hub.routing.dispatcher import Dispatcher
from hub.routing.requirements import write_required
from hub.store import tables
from hub.store.database import Notice, Tx
from hub.store.stream import Wakes
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GRACE_S = 15.0


async def go(scene: Scene) -> datetime | None:
    return await scene.database.transaction(dispatcher.dispatch, GRACE_S)


async def ringing_at(scene: Scene) -> dict[int, int]:
    """Conversation → the agent at whom it rings."""
    return {row["conversation_id"]: row["agent_id"] for row in await scene.rows(tables.offer, ended_at=None)}


async def give(scene: Scene, agent: Viewer, **levels: int) -> None:
    """Makes the skills there are not, and says that the agent has exactly these. `language_hy` is language:hy."""

    def write(tx: Tx) -> None:
        known = {view.name: view.id for view in skills.load_skills(tx)}
        wanted = {name.replace("_", ":"): level for name, level in levels.items()}
        ids = {name: known.get(name) or skills.create_skill(tx, name).id for name in wanted}
        skills.set_agent_skills(tx, agent.user_id, {ids[name]: level for name, level in wanted.items()})

    await scene.database.transaction(write)


async def require(scene: Scene, name: str, level: int = 1) -> None:
    def write(tx: Tx) -> None:
        known = {view.name: view.id for view in skills.load_skills(tx)}
        skill_id = known.get(name) or skills.create_skill(tx, name).id
        queues.update_queue(tx, scene.queue_id, QueueSettings(required=[RequirementView(skill_id, level)]))

    await scene.database.transaction(write)


async def change(scene: Scene, settings: QueueSettings, queue_id: int | None = None) -> None:
    await scene.database.transaction(queues.update_queue, queue_id or scene.queue_id, settings)


async def hold(scene: Scene, agent: Viewer, conversation_id: int) -> None:
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)


# --- skills -------------------------------------------------------------------------------------------------------------


async def test_work_goes_to_whoever_has_the_skill_at_its_level(scene: Scene, clock: FrozenClock) -> None:
    await require(scene, "billing", 3)
    nobody, beginner, master = await scene.agent(), await scene.agent(), await scene.agent()
    await give(scene, beginner, billing=2)
    await give(scene, master, billing=3)
    conversation_id = await scene.opened()
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: master.user_id}
    record = (await scene.row(tables.offer))["explanation"]
    assert record["filtered"] == {"lacks_skill:billing<3": [nobody.user_id, beginner.user_id]}
    assert [each["agent_id"] for each in record["candidates"]] == [master.user_id]


async def test_work_that_nobody_may_do_waits_until_somebody_learns_it(scene: Scene) -> None:
    await require(scene, "billing")
    agent = await scene.agent()
    conversation_id = await scene.opened()
    await go(scene)
    assert await ringing_at(scene) == {}
    await give(scene, agent, billing=1)
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: agent.user_id}


async def test_a_queue_that_begins_to_require_a_skill_asks_only_those_who_have_it_from_then_on(scene: Scene) -> None:
    await scene.agent()
    await require(scene, "billing")
    await scene.say()
    await go(scene)
    assert await ringing_at(scene) == {}
    await change(scene, QueueSettings(required=[]))
    await go(scene)
    assert len(await ringing_at(scene)) == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda tx, scene, agent, skill_id: skills.set_agent_skills(tx, agent.user_id, {skill_id: 5}),
        lambda tx, scene, agent, skill_id: queues.update_queue(tx, scene.queue_id, QueueSettings(required=[])),
    ],
    ids=["a skill is given", "a requirement falls"],
)
async def test_a_change_reaches_work_that_waits_already_at_once(
    scene: Scene, act: Callable[[Tx, Scene, Viewer, int], object]
) -> None:
    await require(scene, "billing")
    agent = await scene.agent()
    await scene.say()
    wakes, happened = Wakes(), asyncio.Event()

    def hear(notice: Notice) -> None:
        happened.set()
        for name in notice.wakes:
            wakes.set(name)

    async def wait_for(is_so: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(5):
            while not await is_so():
                await happened.wait()
                happened.clear()

    async def is_unservable() -> bool:
        return bool((await scene.row(tables.queue))["unservable"])

    async def rings() -> bool:
        return list((await ringing_at(scene)).values()) == [agent.user_id]

    scene.database.on_notice.append(hear)
    running = asyncio.create_task(Dispatcher(scene.database, wakes, presence_grace_s=GRACE_S).run())
    # Once the queue says that nobody can do it, the dispatcher has looked, and waits for something to happen.
    await wait_for(is_unservable)
    (skill,) = await scene.rows(tables.skill)
    await scene.database.transaction(act, scene, agent, skill["id"])
    await wait_for(rings)
    running.cancel()


async def test_what_nobody_could_ever_be_offered_is_told_and_heals(scene: Scene) -> None:
    agent = await scene.agent()
    await scene.database.transaction(roster.change_agent_state, agent.user_id, AgentState.AWAY)
    await require(scene, "billing")
    for sender in ("ani", "ben"):
        await scene.say(sender=sender)
    before = len(await scene.events())
    await scene.database.transaction(dispatcher.count_unservable)
    await scene.database.transaction(dispatcher.count_unservable)
    told = [json.loads(event.body)["queue"] for event in (await scene.events())[before:]]
    assert [queue["unservable"] for queue in told] == [2]
    # Away is not unable.
    await give(scene, agent, billing=1)
    await scene.database.transaction(dispatcher.count_unservable)
    assert (await scene.row(tables.queue))["unservable"] == 0


async def test_a_queue_without_members_has_work_that_nobody_can_do_unless_it_overflows(scene: Scene) -> None:
    other = await scene.queue("Other")
    await scene.agent(queue_ids={other})
    await scene.say()
    await scene.database.transaction(dispatcher.count_unservable)
    assert (await scene.row(tables.queue, id=scene.queue_id))["unservable"] == 1
    await change(scene, QueueSettings(overflow=[OverflowView((other,), 3_600)]))
    await scene.database.transaction(dispatcher.count_unservable)
    assert (await scene.row(tables.queue, id=scene.queue_id))["unservable"] == 0


async def test_the_best_skilled_is_asked_first_where_the_queue_says_so(scene: Scene, clock: FrozenClock) -> None:
    await require(scene, "billing")
    first = await scene.agent()
    clock.advance(60)
    second = await scene.agent()
    await give(scene, first, billing=2)
    await give(scene, second, billing=4)
    conversation_id = await scene.opened()
    await change(scene, QueueSettings(choice=AgentChoice.BEST_SKILLED))
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: second.user_id}


async def test_the_longest_idle_is_asked_first_where_the_queue_says_so(scene: Scene, clock: FrozenClock) -> None:
    laden = await scene.agent()
    await hold(scene, laden, await scene.opened(sender="ben"))
    clock.advance(60)
    unladen = await scene.agent()
    await scene.opened()
    await change(scene, QueueSettings(choice=AgentChoice.LONGEST_IDLE))
    await go(scene)
    assert list((await ringing_at(scene)).values()) == [laden.user_id]
    assert unladen.user_id != laden.user_id


async def set_own(scene: Scene, conversation_id: int, lowered: int = 0, **levels: int) -> None:
    """What this one requires beyond its queue, and by how much all that is required is lowered."""
    ids = {row["name"]: row["id"] for row in await scene.rows(tables.skill)}
    required = write_required(RequirementView(ids[name], level) for name, level in levels.items())
    await scene.set(tables.conversation, {"required": required, "lowered": lowered}, id=conversation_id)


async def test_what_one_conversation_requires_is_asked_of_whoever_is_offered_it(scene: Scene) -> None:
    clerk, expert = await scene.agent(), await scene.agent()
    await give(scene, clerk, billing=2)
    await give(scene, expert, billing=4)
    conversation_id = await scene.opened()
    await set_own(scene, conversation_id, billing=3)
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: expert.user_id}
    record = (await scene.row(tables.offer))["explanation"]
    assert record["filtered"] == {"lacks_skill:billing<3": [clerk.user_id]}


async def test_of_the_queues_requirement_and_its_own_the_higher_counts(scene: Scene) -> None:
    await require(scene, "billing", 2)
    clerk, expert = await scene.agent(), await scene.agent()
    await give(scene, clerk, billing=2)
    await give(scene, expert, billing=4)
    plain, hard = await scene.opened(sender="a"), await scene.opened(sender="b")
    await set_own(scene, hard, billing=3)
    await go(scene)
    assert await ringing_at(scene) == {plain: clerk.user_id, hard: expert.user_id}


async def test_what_is_lowered_more_can_take(scene: Scene) -> None:
    await require(scene, "billing", 3)
    beginner = await scene.agent()
    await give(scene, beginner, billing=1)
    first, second = await scene.opened(sender="a"), await scene.opened(sender="b")
    await go(scene)
    assert await ringing_at(scene) == {}
    await set_own(scene, second, lowered=2)
    await go(scene)
    assert await ringing_at(scene) == {second: beginner.user_id}
    assert first != second


async def test_what_is_lowered_below_its_first_level_is_required_no_more(scene: Scene) -> None:
    await require(scene, "billing", 2)
    anybody = await scene.agent()
    conversation_id = await scene.opened()
    await set_own(scene, conversation_id, lowered=2, billing=2)
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: anybody.user_id}


async def test_what_nobody_could_ever_do_is_counted_by_what_each_requires(scene: Scene) -> None:
    agent = await scene.agent()
    await give(scene, agent, billing=2)
    await scene.opened(sender="a")
    await set_own(scene, await scene.opened(sender="b"), billing=2)
    hard = await scene.opened(sender="c")
    await set_own(scene, hard, billing=5)
    await set_own(scene, await scene.opened(sender="d"), billing=5, lowered=3)
    await scene.database.transaction(dispatcher.count_unservable)
    assert (await scene.row(tables.queue))["unservable"] == 1
    told = await scene.database.read(dispatcher.explain_now, hard)
    assert told is not None
    assert (told.is_unservable, dict(told.filtered)) == (True, {"lacks_skill:billing<5": (agent.user_id,)})


async def test_what_few_can_take_does_not_hide_what_stands_behind_it(scene: Scene, clock: FrozenClock) -> None:
    expert, clerk = await scene.agent(), await scene.agent()
    await give(scene, expert, billing=5)
    hard = []
    for sender in ("a", "b", "c"):
        hard.append(await scene.opened(sender=sender))
        await set_own(scene, hard[-1], billing=5)
        clock.advance(1)
    plain = await scene.opened(sender="d")
    await go(scene)
    assert await ringing_at(scene) == {hard[0]: expert.user_id, plain: clerk.user_id}


async def test_a_skill_that_is_renamed_is_still_required_and_one_that_is_removed_no_more(scene: Scene) -> None:
    agent = await scene.agent()
    await give(scene, agent, billing=1)
    conversation_id = await scene.opened()
    await set_own(scene, conversation_id, billing=2)
    (skill,) = await scene.rows(tables.skill)
    await scene.database.transaction(skills.rename_skill, skill["id"], "Invoices")
    await go(scene)
    told = await scene.database.read(dispatcher.explain_now, conversation_id)
    assert told is not None
    assert dict(told.filtered) == {"lacks_skill:Invoices<2": (agent.user_id,)}
    await scene.database.transaction(skills.delete_skill, skill["id"])
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: agent.user_id}


# --- wishes -------------------------------------------------------------------------------------------------------------


async def speak(scene: Scene, language: str) -> None:
    await scene.set(tables.customer, {"language": language})


async def test_a_language_is_waited_for_and_then_only_ranks(scene: Scene, clock: FrozenClock) -> None:
    await change(scene, QueueSettings(language_wish_s=30))
    speaker, other = await scene.agent(), await scene.agent()
    await give(scene, speaker, language_hy=2)
    await scene.database.transaction(roster.change_agent_state, speaker.user_id, AgentState.BUSY)
    conversation_id = await scene.opened()
    await speak(scene, "hy-AM")
    assert await go(scene) == clock() + timedelta(seconds=30)
    assert await ringing_at(scene) == {}
    clock.advance(30)
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: other.user_id}
    assert (await scene.row(tables.offer))["explanation"]["relaxed"] == ["wish:language:hy<1"]


async def test_whoever_speaks_the_language_is_asked_first(scene: Scene, clock: FrozenClock) -> None:
    await change(scene, QueueSettings(language_wish_s=30))
    await scene.agent()
    clock.advance(1)
    speaker = await scene.agent()
    await give(scene, speaker, language_hy=1)
    await scene.opened()
    await speak(scene, "HY")
    await go(scene)
    assert list((await ringing_at(scene)).values()) == [speaker.user_id]


@pytest.mark.parametrize("language", ["hy", "ka", "", "klingon", None])
async def test_a_language_that_nobody_at_work_speaks_is_not_waited_for(scene: Scene, language: str) -> None:
    await change(scene, QueueSettings(language_wish_s=30))
    away = await scene.agent()
    await give(scene, away, language_hy=5)
    await scene.database.transaction(roster.change_agent_state, away.user_id, AgentState.AWAY)
    agent = await scene.agent()
    await scene.opened()
    await speak(scene, language)
    await go(scene)
    assert list((await ringing_at(scene)).values()) == [agent.user_id]


async def _had_once(scene: Scene, clock: FrozenClock, act: Callable[..., object]) -> tuple[Viewer, Viewer]:
    """(who had ani's conversation until a day ago and ended it by `act`, another who has been idle for longer)."""
    known = await scene.agent("Known")
    conversation_id = await scene.opened()
    await hold(scene, known, conversation_id)
    await scene.database.transaction(act, known, conversation_id)
    await scene.database.transaction(roster.change_agent_state, known.user_id, AgentState.AWAY)
    other = await scene.agent("Other")
    clock.advance(days=1)
    await scene.database.transaction(presence.beat, "test", [f"screen-{known.user_id}", f"screen-{other.user_id}"])
    await scene.database.transaction(roster.change_agent_state, known.user_id, AgentState.AVAILABLE)
    return known, other


async def test_the_agent_who_had_the_customer_last_is_asked_first(scene: Scene, clock: FrozenClock) -> None:
    await change(scene, QueueSettings(last_agent_days=7, last_agent_wish_s=60))
    known, other = await _had_once(scene, clock, dispatcher.resolve)
    await scene.opened("again")
    await go(scene)
    assert list((await ringing_at(scene)).values()) == [known.user_id]
    assert other.user_id != known.user_id


@pytest.mark.parametrize(
    ("settings", "act"),
    [
        (QueueSettings(), dispatcher.resolve),
        (QueueSettings(last_agent_days=7), dispatcher.resolve),
        (QueueSettings(last_agent_days=None, last_agent_wish_s=60), dispatcher.resolve),
        (QueueSettings(last_agent_days=7, last_agent_wish_s=60), dispatcher.release),
    ],
    ids=["not set", "no time", "no days", "gave it away"],
)
async def test_the_last_agent_is_nothing_special_otherwise(
    scene: Scene, clock: FrozenClock, settings: QueueSettings, act: Callable[..., object]
) -> None:
    await change(scene, settings)
    _, other = await _had_once(scene, clock, act)
    await scene.opened("again")
    await go(scene)
    assert list((await ringing_at(scene)).values()) == [other.user_id]


async def test_the_last_agent_of_long_ago_is_forgotten(scene: Scene, clock: FrozenClock) -> None:
    await change(scene, QueueSettings(last_agent_days=1, last_agent_wish_s=60))
    _, other = await _had_once(scene, clock, dispatcher.resolve)
    clock.advance(1)
    await scene.opened("again")
    await go(scene)
    assert list((await ringing_at(scene)).values()) == [other.user_id]


# --- overflow -----------------------------------------------------------------------------------------------------------


async def test_overflow_opens_in_time_though_nothing_else_happens(scene: Scene, clock: FrozenClock) -> None:
    other = await scene.queue("Other")
    helper = await scene.agent(queue_ids={other})
    await change(scene, QueueSettings(overflow=[OverflowView((other,), 60)]))
    conversation_id = await scene.opened()
    clock.advance(10)
    assert await go(scene) == clock() + timedelta(seconds=50)
    clock.advance(49.9)
    await go(scene)
    assert await ringing_at(scene) == {}
    clock.advance(0.1)
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: helper.user_id}
    offer = await scene.row(tables.offer)
    assert (offer["queue_id"], offer["explanation"]["queue_ids"]) == (other, [scene.queue_id, other])


async def test_overflow_asks_no_more_than_its_own_queue_of_its_work_requires(scene: Scene) -> None:
    other = await scene.queue("Other")
    await require(scene, "billing")
    unable, able = await scene.agent(queue_ids={other}), await scene.agent(queue_ids={other})
    await give(scene, able, billing=1)
    await change(scene, QueueSettings(overflow=[OverflowView((other,), 0)]))
    await scene.opened()
    await go(scene)
    assert list((await ringing_at(scene)).values()) == [able.user_id]
    assert unable.user_id != able.user_id


async def test_the_dispatcher_sleeps_while_time_changes_nothing(scene: Scene, clock: FrozenClock) -> None:
    other = await scene.queue("Other")
    await change(
        scene, QueueSettings(overflow=[OverflowView((other,), 60)], language_wish_s=30, max_wait_s=40, makes_room=True)
    )
    await scene.opened()
    assert await go(scene) is None, "nobody is there"
    busy = await scene.agent(capacity=10, queue_ids={other})
    assert await go(scene) is None, "nobody has room"
    await scene.agent(queue_ids=set())
    assert await go(scene) is None, "whoever has room is nowhere a member"
    await scene.set(tables.agent, {"capacity": 100}, user_id=busy.user_id)
    assert await go(scene) == clock() + timedelta(seconds=60)


async def test_an_exclusion_that_ends_is_waited_for(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    await change(scene, QueueSettings(exclusion_s=45))
    await scene.opened()
    await go(scene)
    (offer,) = await scene.rows(tables.offer)
    await scene.database.transaction(dispatcher.decline_offer, agent, offer["id"])
    assert await go(scene) == clock() + timedelta(seconds=45)
    clock.advance(45)
    await go(scene)
    assert list((await ringing_at(scene)).values()) == [agent.user_id]


# --- turns --------------------------------------------------------------------------------------------------------------


async def test_a_tier_is_worth_ten_minutes_of_waiting(scene: Scene, clock: FrozenClock) -> None:
    old = await scene.opened(sender="old")
    clock.advance(599)
    loyal = await scene.opened(sender="loyal")
    customer = (await scene.row(tables.conversation, id=loyal))["customer_id"]
    await scene.set(tables.customer, {"tier": 1}, id=customer)
    agent = await scene.agent()
    await go(scene)
    assert await ringing_at(scene) == {loyal: agent.user_id}
    await scene.database.transaction(dispatcher.accept_offer, agent, (await scene.row(tables.offer))["id"])
    await go(scene)
    assert await ringing_at(scene) == {old: agent.user_id}


async def set_turn(scene: Scene, boss: Viewer, conversation_id: int, **values: int | None) -> None:
    await scene.database.transaction(
        dispatcher.change_turn,
        boss,
        conversation_id,
        priority=values.get("priority"),
        pinned_agent_id=values.get("pinned_agent_id"),
        changes_pin="pinned_agent_id" in values,
    )


async def test_a_supervisor_puts_work_forward(scene: Scene, clock: FrozenClock) -> None:
    boss = await scene.agent(role=Role.SUPERVISOR, queue_ids=set())
    await scene.opened(sender="first")
    clock.advance(60)
    second = await scene.opened(sender="second")
    await set_turn(scene, boss, second, priority=2)
    await scene.agent()
    await go(scene)
    assert list(await ringing_at(scene)) == [second]
    (told,) = await scene.rows(tables.entry, happening="prioritised")
    assert told["data"] == {"priority": 2, "before": 0}


async def test_pinned_work_rings_at_its_agent_and_at_nobody_else(scene: Scene, clock: FrozenClock) -> None:
    boss = await scene.agent(role=Role.SUPERVISOR, queue_ids=set())
    outsider = await scene.agent(queue_ids=set())
    await scene.database.transaction(roster.change_agent_state, outsider.user_id, AgentState.BUSY)
    await scene.agent()
    conversation_id = await scene.opened()
    await set_turn(scene, boss, conversation_id, pinned_agent_id=outsider.user_id)
    await go(scene)
    assert await ringing_at(scene) == {}
    await scene.database.transaction(roster.change_agent_state, outsider.user_id, AgentState.AVAILABLE)
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: outsider.user_id}
    await scene.database.transaction(dispatcher.accept_offer, outsider, (await scene.row(tables.offer))["id"])
    row = await scene.row(tables.conversation)
    assert (row["assignee_id"], row["pinned_agent_id"]) == (outsider.user_id, None)


async def test_a_pin_takes_back_what_rings_elsewhere(scene: Scene, clock: FrozenClock) -> None:
    boss = await scene.agent(role=Role.SUPERVISOR, queue_ids=set())
    first = await scene.agent()
    clock.advance(1)
    second = await scene.agent()
    conversation_id = await scene.opened()
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: first.user_id}
    await set_turn(scene, boss, conversation_id, pinned_agent_id=second.user_id)
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: second.user_id}
    await set_turn(scene, boss, conversation_id, pinned_agent_id=None)
    assert [entry["data"]["agent_id"] for entry in await scene.rows(tables.entry, happening="pinned")] == [
        second.user_id,
        None,
    ]


async def test_a_pin_is_for_what_waits_and_to_somebody_who_works_here(scene: Scene) -> None:
    boss = await scene.agent(role=Role.SUPERVISOR, queue_ids=set())
    agent = await scene.agent()
    conversation_id = await scene.opened()
    with pytest.raises(InvalidInput) as refused:
        await set_turn(scene, boss, conversation_id, pinned_agent_id=999_999)
    assert list(refused.value.fields) == ["pinned_agent_id"]
    await hold(scene, agent, conversation_id)
    with pytest.raises(Conflict) as held:
        await set_turn(scene, boss, conversation_id, pinned_agent_id=boss.user_id)
    assert held.value.code == "not_waiting"
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    with pytest.raises(Conflict) as resolved:
        await set_turn(scene, boss, conversation_id, priority=5)
    assert resolved.value.code == "resolved"


async def test_work_pinned_to_somebody_who_leaves_for_good_is_for_everybody(scene: Scene) -> None:
    boss = await scene.agent(role=Role.ADMIN, queue_ids=set())
    leaver, stayer = await scene.agent(), await scene.agent()
    conversation_id = await scene.opened()
    await set_turn(scene, boss, conversation_id, pinned_agent_id=leaver.user_id)

    def leave(tx: Tx) -> None:
        accounts.update_user(tx, boss, leaver.user_id, active=False)

    await scene.database.transaction(leave)
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: stayer.user_id}


# --- kinds of work ------------------------------------------------------------------------------------------------------


async def test_an_offer_rings_as_long_as_its_queue_says_for_its_kind(scene: Scene, clock: FrozenClock) -> None:
    chat = await scene.channel("chat", "chat")
    await change(scene, QueueSettings(ring_s={ChannelKind.CHAT: 8}, offer_timeout_s=45))
    await scene.agent()
    await scene.agent()
    of_chat = await scene.opened(channel_id=chat, sender="v", kind=ContactKind.CHAT)
    of_text = await scene.opened()
    await go(scene)
    rings = {row["conversation_id"]: row["expires_at"] - clock() for row in await scene.rows(tables.offer)}
    assert rings == {of_chat: timedelta(seconds=8), of_text: timedelta(seconds=45)}


# (what an agent of capacity 100 holds, what comes then, whether it rings)
BESIDE = [
    (["email"] * 10, "phone", True),
    (["loop"] * 5, "phone", True),
    (["email"] * 5 + ["loop"] * 2, "phone", True),
    (["chat"], "phone", False),
    (["phone"], "chat", False),
    (["phone"], "email", False),
    (["chat"] * 3, "loop", True),
    (["chat"] * 4, "loop", False),
    (["loop"] * 4, "chat", False),
    (["email"] * 10, "chat", False),
]


@pytest.mark.parametrize(("held", "comes", "rings"), BESIDE)
async def test_a_call_interrupts_mails_and_texts_and_suffers_nothing_live_beside_it(
    scene: Scene, held: list[str], comes: str, rings: bool
) -> None:
    for kind in ("email", "chat", "phone"):
        await scene.channel(kind, kind)
    agent = await scene.agent()
    for number, channel_id in enumerate(held):
        await hold(scene, agent, await scene.opened(channel_id=channel_id, sender=f"c{number}"))
    await scene.opened(channel_id=comes, sender="new")
    await go(scene)
    assert (len(await ringing_at(scene)) == 1) is rings


async def test_what_rings_takes_room_like_what_is_held(scene: Scene) -> None:
    agent = await scene.agent(capacity=40)
    for sender in ("a", "b", "c"):
        await scene.opened(sender=sender)
    for _ in range(3):
        await go(scene)
        for offer in await scene.rows(tables.offer, ended_at=None):
            await scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])
    assert len(await scene.rows(tables.assignment, ended_at=None)) == 2


async def test_what_a_piece_of_work_costs_is_the_agents_own(scene: Scene) -> None:
    agent = await scene.agent(capacity=100)
    await scene.set(tables.agent, {"weights": {"loopback": 60}}, user_id=agent.user_id)
    await scene.opened(sender="a")
    await scene.opened(sender="b")
    await go(scene)
    offer = await scene.row(tables.offer)
    assert offer["weight"] == 60
    await scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])
    assert (await scene.row(tables.assignment))["weight"] == 60
    await go(scene)
    assert await ringing_at(scene) == {}, "60 more would be too much"
    (view,) = await scene.database.read(roster.load_agent_views)
    assert view.load == 60


async def test_what_one_costs_nobody_else_pays(scene: Scene) -> None:
    careful, other = await scene.agent(), await scene.agent()
    await scene.set(tables.agent, {"weights": {"loopback": 90}}, user_id=careful.user_id)
    conversation_id = await scene.opened()
    await hold(scene, other, conversation_id)
    await scene.database.transaction(
        dispatcher.transfer, other, conversation_id, agent_id=careful.user_id, queue_id=None, note=None
    )
    assert [row["weight"] for row in await scene.rows(tables.assignment)] == [20, 90]


# --- owners and ranks ---------------------------------------------------------------------------------------------------


async def own(scene: Scene, conversation_id: int, owner: Viewer) -> None:
    customer_id = (await scene.row(tables.conversation, id=conversation_id))["customer_id"]
    await scene.set(tables.customer, {"owner_id": owner.user_id}, id=customer_id)


async def test_work_waits_for_the_owner_of_its_account_and_then_for_nobody(scene: Scene, clock: FrozenClock) -> None:
    await change(scene, QueueSettings(owner_wish_s=40))
    owner = await scene.agent()
    other = await scene.agent()
    await scene.database.transaction(roster.change_agent_state, owner.user_id, AgentState.BUSY)
    conversation_id = await scene.opened()
    await own(scene, conversation_id, owner)
    assert await go(scene) == clock() + timedelta(seconds=40)
    assert await ringing_at(scene) == {}
    told = await scene.database.read(dispatcher.explain_now, conversation_id)
    assert told is not None
    assert (told.insisted, dict(told.filtered)["wish:owner"]) == (("wish:owner",), (other.user_id,))
    clock.advance(40)
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: other.user_id}


async def test_the_last_agent_is_asked_before_the_owner(scene: Scene, clock: FrozenClock) -> None:
    await change(scene, QueueSettings(owner_wish_s=60, last_agent_days=30, last_agent_wish_s=60))
    last, owner = await scene.agent(), await scene.agent()
    conversation_id = await scene.opened()
    await own(scene, conversation_id, owner)
    await hold(scene, last, conversation_id)
    await scene.database.transaction(dispatcher.resolve, last, conversation_id)
    clock.advance(3_600)
    await scene.say("Once more")
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: last.user_id}


async def test_an_owner_who_works_here_no_longer_is_not_waited_for(scene: Scene) -> None:
    await change(scene, QueueSettings(owner_wish_s=600))
    owner, other = await scene.agent(), await scene.agent()
    conversation_id = await scene.opened()
    await own(scene, conversation_id, owner)
    await scene.set(tables.user_account, {"active": False}, id=owner.user_id)
    await go(scene)
    assert await ringing_at(scene) == {conversation_id: other.user_id}


async def test_an_agent_serves_the_queues_of_their_first_rank_first(scene: Scene, clock: FrozenClock) -> None:
    second = await scene.queue("Second")
    agent = await scene.agent(queue_ids={scene.queue_id, second})
    await change(scene, QueueSettings(ranks={agent.user_id: 1}))
    older = await scene.opened(sender="older")
    clock.advance(30)
    await scene.database.transaction(scene._insert_channel, "other", "loopback", second)
    younger = await scene.opened(channel_id="other", sender="younger")
    await go(scene)
    assert await ringing_at(scene) == {younger: agent.user_id}
    await scene.database.transaction(dispatcher.accept_offer, agent, (await scene.row(tables.offer))["id"])
    await go(scene)
    assert await ringing_at(scene) == {older: agent.user_id}


# --- what may interrupt what --------------------------------------------------------------------------------------------


async def test_the_organisation_says_what_may_interrupt_what(scene: Scene) -> None:
    for kind in ("chat", "email"):
        await scene.channel(kind, kind)
    agent = await scene.agent(capacity=40)
    for number in range(4):
        await hold(scene, agent, await scene.opened(channel_id="email", sender=f"c{number}"))
    waiting = await scene.opened(channel_id="chat", sender="new")
    await go(scene)
    assert await ringing_at(scene) == {}
    told = {ChannelKind.CHAT: [ChannelKind.EMAIL]}
    await scene.database.transaction(interruption.set_rules, told, [ChannelKind.PHONE])
    await go(scene)
    assert await ringing_at(scene) == {waiting: agent.user_id}


async def test_a_chat_can_be_made_exclusive(scene: Scene) -> None:
    await scene.channel("chat", "chat")
    agent = await scene.agent()
    await scene.database.transaction(interruption.set_rules, {}, [ChannelKind.CHAT])
    await hold(scene, agent, await scene.opened(channel_id="chat", sender="one"))
    await scene.opened(channel_id="chat", sender="two")
    await go(scene)
    assert await ringing_at(scene) == {}


MAIL, CHAT, TEXT = ChannelKind.EMAIL, ChannelKind.CHAT, ChannelKind.SMS
# (interrupts, exclusive, the field that is wrong)
SENSELESS = [
    ({MAIL: [MAIL]}, [], "interrupts.email"),
    ({MAIL: [CHAT], CHAT: [MAIL]}, [], "interrupts.chat"),
    ({MAIL: [CHAT], CHAT: [TEXT], TEXT: [MAIL]}, [], "interrupts.sms"),
    ({}, [MAIL], "exclusive"),
]


@pytest.mark.parametrize(("interrupts", "exclusive", "field"), SENSELESS)
async def test_rules_under_which_capacity_would_mean_nothing_are_refused(
    scene: Scene, interrupts: dict[ChannelKind, list[ChannelKind]], exclusive: list[ChannelKind], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await scene.database.transaction(interruption.set_rules, interrupts, exclusive)
    assert field in refused.value.fields
    assert await scene.database.read(interruption.load_rules) == interruption.USUAL


# --- accepted by itself -------------------------------------------------------------------------------------------------


async def test_what_is_accepted_by_itself_rings_at_nobody_and_is_recorded_like_any_offer(scene: Scene) -> None:
    await change(scene, QueueSettings(auto_accept=[ChannelKind.LOOPBACK]))
    agent = await scene.agent("Nare")
    conversation_id = await scene.opened()
    await go(scene)
    offer = await scene.row(tables.offer)
    assert (offer["outcome"], offer["agent_id"]) == ("accepted", agent.user_id)
    assert offer["explanation"]["candidate_count"] == 1
    row = await scene.row(tables.conversation)
    assert (row["assignee_id"], row["queued_since"]) == (agent.user_id, None)
    assert (await scene.row(tables.assignment))["how"] == "offer"
    (accepted,) = await scene.rows(tables.entry, happening="accepted")
    told = {"agent_id": agent.user_id, "agent_name": "Nare", "offer_id": offer["id"], "auto": 1}
    assert accepted["data"] == told
    assert "offer.made" not in [event.kind for event in await scene.events()]
    assert conversation_id == offer["conversation_id"]


async def test_only_the_kinds_that_the_queue_names_are_accepted_by_themselves(scene: Scene) -> None:
    await scene.channel("mail", "email")
    await change(scene, QueueSettings(auto_accept=[ChannelKind.EMAIL]))
    first, second = await scene.agent(), await scene.agent()
    text = await scene.opened()
    mail = await scene.opened(channel_id="mail", sender="m@hub.test", kind=ContactKind.EMAIL)
    await go(scene)
    assert list(await ringing_at(scene)) == [text]
    held = (await scene.row(tables.conversation, id=mail))["assignee_id"]
    assert held in (first.user_id, second.user_id)


async def test_work_is_accepted_by_itself_until_its_agent_is_full_and_no_further(scene: Scene) -> None:
    await change(scene, QueueSettings(auto_accept=[ChannelKind.LOOPBACK]))
    agent = await scene.agent(capacity=60)
    for number in range(5):
        await scene.opened(sender=f"c{number}")
    for _ in range(5):
        await go(scene)
    assert [row["agent_id"] for row in await scene.rows(tables.assignment)] == [agent.user_id] * 3


async def test_nothing_is_accepted_for_an_agent_who_left_while_it_was_decided(scene: Scene) -> None:
    await change(scene, QueueSettings(auto_accept=[ChannelKind.LOOPBACK]))
    agent = await scene.agent()
    await scene.opened()

    def decide_too_late(tx: Tx) -> None:
        loaded = floor.load_snapshot(tx)
        decisions = engine.route(loaded.snapshot, tx.now)
        presence.disconnect(tx, f"screen-{agent.user_id}")
        dispatcher._make_offers(tx, decisions, loaded)

    await scene.database.transaction(decide_too_late)
    assert await scene.rows(tables.offer) == []
    assert (await scene.row(tables.conversation))["assignee_id"] is None


# --- explained ----------------------------------------------------------------------------------------------------------


async def test_what_waits_is_explained_though_it_rings_at_nobody(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent(capacity=10)
    conversation_id = await scene.opened()
    clock.advance(5)
    await go(scene)
    told = await scene.database.read(dispatcher.explain_now, conversation_id)
    assert told is not None
    assert (told.agent_id, told.waited_s, dict(told.filtered)) == (None, 5.0, {"full": (agent.user_id,)})
    assert told.is_unservable
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    assert await scene.database.read(dispatcher.explain_now, conversation_id) is None


# --- narrowing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "lines_limit"), [*((seed, 100) for seed in (*range(6), 50)), (6, 3), (7, 3)])
async def test_what_is_left_out_of_a_snapshot_changes_no_decision(
    scene: Scene, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, seed: int, lines_limit: int
) -> None:
    """Random floors, with every setting there is: the narrowed snapshot and the whole one decide the same."""
    monkeypatch.setattr(floor, "_LINES_LIMIT", lines_limit)
    chance = random.Random(seed)
    await scene.database.transaction(_lay_random_floor, scene.queue_id, chance, clock.now)

    def decide(tx: Tx, *, whole: bool) -> list[tuple[int, int, int]]:
        decisions = engine.route(floor.load_snapshot(tx, whole=whole).snapshot, tx.now)
        return [(each.conversation_id, each.agent_id, each.queue_id) for each in decisions]

    def move(tx: Tx) -> datetime | None:
        loaded = floor.load_snapshot(tx)
        decisions = engine.route(loaded.snapshot, tx.now)
        dispatcher._make_offers(tx, decisions, loaded)
        return floor.next_change(loaded, decisions, tx.now)

    whole = await scene.database.read(lambda tx: decide(tx, whole=True))
    assert whole
    assert await scene.database.read(lambda tx: decide(tx, whole=False)) == whole
    wakes_at = await scene.database.transaction(move) or clock.now + timedelta(hours=2)
    # And nobody is woken too late: until then the whole floor has nothing to offer.
    for share in (0.2, 0.5, 0.999):
        clock.now = clock.now + share * (wakes_at - clock.now)
        assert await scene.database.read(lambda tx: decide(tx, whole=True)) == [], share


# (after_s, ewt_over_s) of a step of overflow.
_OPENS = ((0, None), (100, None), (400, None), (None, 60), (400, 60))
# --- what is known from before ------------------------------------------------------------------------------------------


def _user(tx: Tx, name: str) -> int:
    return int(tx.scalar(select(tables.user_account.c.id).where(tables.user_account.c.name == name)))


def _skill(tx: Tx, name: str) -> int:
    return int(tx.scalar(select(tables.skill.c.id).where(tables.skill.c.name == name)))


def _queue(tx: Tx) -> int:
    return int(tx.scalar(select(tables.queue.c.id).where(tables.queue.c.name == "Support")))


def _remake_skill(tx: Tx) -> None:
    skills.delete_skill(tx, _skill(tx, "spare"))
    skills.set_agent_skills(tx, _user(tx, "Nare"), {skills.create_skill(tx, "other").id: 1})


# Each by the function that the API calls.
CHANGES: dict[str, Callable[[Tx], object]] = {
    "a setting": lambda tx: queues.update_queue(tx, _queue(tx), QueueSettings(max_wait_s=7)),
    "a rank": lambda tx: queues.update_queue(tx, _queue(tx), QueueSettings(ranks={_user(tx, "Nare"): 2})),
    "members": lambda tx: queues.update_queue(tx, _queue(tx), QueueSettings(member_ids=[_user(tx, "Nare")])),
    "queues of somebody": lambda tx: accounts.update_user(tx, None, _user(tx, "Nare"), queue_ids=[]),
    "capacity": lambda tx: accounts.update_user(tx, None, _user(tx, "Nare"), capacity=31),
    "weights": lambda tx: accounts.update_user(tx, None, _user(tx, "Nare"), weights={ChannelKind.LOOPBACK: 9}),
    "somebody who leaves": lambda tx: accounts.update_user(tx, None, _user(tx, "Nare"), active=False),
    "skills": lambda tx: skills.set_agent_skills(tx, _user(tx, "Nare"), {_skill(tx, "spare"): 5}),
    "a skill's name": lambda tx: skills.rename_skill(tx, _skill(tx, "wanted"), "needed"),
    "a skill for another": _remake_skill,
    "what is required": lambda tx: queues.update_queue(tx, _queue(tx), QueueSettings(required=[])),
    "what may interrupt what": lambda tx: interruption.set_rules(tx, {}, []),
}


@pytest.mark.parametrize("change_it", CHANGES.values(), ids=CHANGES.keys())
async def test_a_round_that_knows_what_was_set_before_sees_every_change(
    scene: Scene, change_it: Callable[[Tx], object]
) -> None:
    nare = await scene.agent("Nare")
    await scene.agent("Giorgi")
    await require(scene, "wanted")
    await give(scene, nare, wanted=3, spare=2)
    await scene.opened()
    known = floor.Known()

    def look(tx: Tx, known: floor.Known | None = None) -> floor.Loaded:
        return floor.load_snapshot(tx, whole=True, known=known)

    before = await scene.database.read(look, known)
    assert before == await scene.database.read(look)
    await scene.database.transaction(change_it)
    after = await scene.database.read(look, known)
    assert after == await scene.database.read(look)
    assert after != before


def _lay_random_floor(tx: Tx, first_queue: int, chance: random.Random, now: datetime) -> None:
    queue_ids = [first_queue, *(tx.insert(tables.queue, {"name": f"Q{n}"}) for n in range(3))]
    skill_ids = [skills.create_skill(tx, name).id for name in ("a", "b", "language:hy", "language:ka")]
    kinds = ("loopback", "email", "chat", "phone") if chance.random() < 0.5 else ("loopback", "email", "chat")
    if chance.random() < 0.5:
        urgent, patient = chance.sample([ChannelKind(kind) for kind in kinds], 2)
        interruption.set_rules(tx, {urgent: [patient]}, chance.sample([ChannelKind.CHAT, ChannelKind.PHONE], 1))
    for queue_id in queue_ids:
        later = [each for each in queue_ids if each > queue_id]
        queues.update_queue(
            tx,
            queue_id,
            QueueSettings(
                choice=chance.choice(list(AgentChoice)),
                max_wait_s=chance.choice((300, 3_600)),
                makes_room=chance.random() < 0.3,
                overflow=[OverflowView((chance.choice(later),), *chance.choice(_OPENS))] if later else [],
                language_wish_s=chance.choice((None, 200)),
                last_agent_days=chance.choice((None, 5)),
                last_agent_wish_s=150,
                owner_wish_s=chance.choice((None, 250)),
                required=[RequirementView(chance.choice(skill_ids[:2]), 2)] if chance.random() < 0.4 else [],
            ),
        )
        estimated = tables.queue.update().where(tables.queue.c.id == queue_id)
        tx.execute(estimated.values(ewt_s=chance.choice((None, 30.0, 90.0))))
        for kind in kinds:
            values = {"id": f"{kind}-{queue_id}", "kind": kind, "name": kind, "queue_id": queue_id}
            tx.execute(insert(tables.channel).values(**values, settings={}, secrets="", health_since=now))
    agents = []
    for number in range(chance.choice((3, 8))):
        person = {"email": f"r{number}", "name": f"R{number}", "role": "agent", "password_hash": "", "created_at": now}
        agents.append(tx.insert(tables.user_account, person))
        tx.execute(
            insert(tables.agent).values(
                user_id=agents[-1],
                # Somebody is there in any case.
                state=chance.choice(("available", "available", "available", "busy", "away")) if number else "available",
                connected=True,
                state_since=now,
                idle_since=now - timedelta(seconds=chance.randrange(500)),
                capacity=chance.choice((30, 100)) if number else 200,
                weights={chance.choice(kinds): chance.choice((0, 15, 60))} if chance.random() < 0.4 else None,
            )
        )
        for queue_id in chance.sample(queue_ids, 2):
            belongs = {"queue_id": queue_id, "user_id": agents[-1], "rank": chance.choice((0, 0, 1, 2))}
            tx.execute(insert(tables.queue_member).values(**belongs))
        skills.set_agent_skills(tx, agents[-1], {each: chance.randint(1, 4) for each in chance.sample(skill_ids, 3)})
    for number in range(60):
        queue_id = chance.choice(queue_ids)
        kind = chance.choice(kinds)
        language = chance.choice(("hy", "ka", None))
        customer = {"name": "c", "language": language, "tier": chance.choice((0, 0, 1)), "created_at": now}
        customer |= {"owner_id": chance.choice((None, None, chance.choice(agents)))}
        customer_id = tx.insert(tables.customer, customer)
        point = {"customer_id": customer_id, "kind": "loopback", "address": f"a{number}", "created_at": now}
        since = now - timedelta(seconds=chance.randrange(700))
        work = {
            "customer_id": customer_id,
            "contact_point_id": tx.insert(tables.contact_point, point),
            "channel_id": f"{kind}-{queue_id}",
            "queue_id": queue_id,
            "created_at": since,
            "last_entry_at": since,
        }
        # One in eight is held; the same agent had one in three of the customers before.
        holder = chance.choice(agents)
        is_held = chance.random() < 0.12
        waits = {"assignee_id": holder} if is_held else {"queued_since": since, "priority": chance.choice((0, 0, 9))}
        # One in three requires something of its own, one in five has been widened.
        needed = [RequirementView(chance.choice(skill_ids), chance.randint(1, 4))] if chance.random() < 0.33 else []
        work |= {"required": write_required(needed), "lowered": chance.choice((0, 0, 0, 0, 1))}
        parked = {"parked_until": now + timedelta(seconds=chance.randrange(900)) if chance.random() < 0.1 else None}
        conversation_id = tx.insert(tables.conversation, work | waits | parked)
        segment = {
            "agent_id": holder,
            "assigned_at": since,
            "how": "offer",
            # One in five of what is held is put aside.
            "weight": engine.WEIGHTS[ChannelKind(kind)] if chance.random() < 0.8 else 0,
        }
        if is_held:
            tx.insert(tables.assignment, segment | {"conversation_id": conversation_id})
        elif chance.random() < 0.33:
            ended = {"ended_at": now - timedelta(days=chance.choice((1, 9))), "end_reason": "agent_lost"}
            tx.insert(tables.assignment, segment | ended | {"conversation_id": conversation_id})
        elif chance.random() < 0.1:
            missed = {"offered_at": since, "expires_at": now, "ended_at": now, "outcome": "declined"}
            offer = {"conversation_id": conversation_id, "agent_id": holder, "queue_id": queue_id, "weight": 10}
            tx.insert(tables.offer, offer | missed | {"why": {}})
        elif chance.random() < 0.05:
            tx.execute(
                tables.conversation.update()
                .where(tables.conversation.c.id == conversation_id)
                .values(pinned_agent_id=holder)
            )
