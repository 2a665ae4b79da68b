"""What is foretold to whoever joins a queue, what became of it, and who is told when it changes."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from hub.agents import queues
from hub.agents.queues import QueueSettings
from hub.agents.viewer import Viewer
from hub.domain.values import Role
from hub.domain.views import OverflowView, PlaceView
from hub.routing import dispatcher, engine, estimates, waiting
from hub.routing.estimates import NOWHERE, Changes, Estimator
from hub.store import tables
from hub.store.database import Notice, Tx
from hub.store.stream import Wakes
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GRACE_S = 15.0
HANDLE_S = 120


async def look(scene: Scene) -> Changes:
    habits = await scene.database.read(estimates.load_habits)
    return await scene.database.read(estimates.find_changes, habits)


async def estimate(scene: Scene) -> None:
    """One pass."""
    await scene.database.transaction(estimates.write_changes, await look(scene))


async def go(scene: Scene) -> None:
    await scene.database.transaction(dispatcher.dispatch, GRACE_S)


async def claim(scene: Scene, agent: Viewer, conversation_id: int) -> None:
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)


async def resolve(scene: Scene, agent: Viewer, conversation_id: int) -> None:
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)


async def practised(scene: Scene, clock: FrozenClock, capacity: int = 20) -> Viewer:
    """An agent with room for one piece of work, who has shown that it takes them HANDLE_S; now they hold another."""
    agent = await scene.agent(capacity=capacity)
    past = await scene.opened(sender="past")
    await claim(scene, agent, past)
    clock.advance(HANDLE_S)
    await resolve(scene, agent, past)
    await claim(scene, agent, await scene.opened(sender="present"))
    return agent


async def place(scene: Scene, conversation_id: int) -> PlaceView:
    return await scene.database.read(estimates.place_of, conversation_id)


async def told(scene: Scene) -> float | None:
    ewt_s: float | None = (await scene.row(tables.queue, id=scene.queue_id))["ewt_s"]
    return ewt_s


async def announced(scene: Scene) -> int:
    return sum(event.kind == "estimate.changed" for event in await scene.events())


# --- what is foretold -----------------------------------------------------------------------------------------------------


async def test_whoever_joins_is_foretold_a_place_and_a_wait(scene: Scene, clock: FrozenClock) -> None:
    await practised(scene, clock)
    first, second = await scene.opened(sender="first"), await scene.opened(sender="second")
    await estimate(scene)
    rows = {row["conversation_id"]: row for row in await scene.rows(tables.wait_estimate)}
    assert (rows[first]["position"], rows[first]["ewt_s"]) == (1, pytest.approx(HANDLE_S))
    assert (rows[second]["position"], rows[second]["ewt_s"]) == (2, pytest.approx(2 * HANDLE_S))
    assert rows[first]["made_at"] == clock.now
    # And whoever comes next would be the third.
    assert await told(scene) == pytest.approx(3 * HANDLE_S)
    assert await place(scene, second) == PlaceView(2, 2.0 * HANDLE_S, None)


async def test_where_somebody_has_room_the_wait_is_nothing(scene: Scene) -> None:
    await scene.agent(capacity=40)
    conversation_id = await scene.opened()
    await estimate(scene)
    assert (await scene.row(tables.wait_estimate))["ewt_s"] == 0
    assert await told(scene) == 0
    await scene.opened(sender="b")
    await scene.opened(sender="c")
    await estimate(scene)
    # Room for two, and nothing is known of how long a piece takes.
    assert await told(scene) is None
    await go(scene)
    assert await place(scene, conversation_id) == PlaceView(1, 0.0, None)


async def test_where_nobody_is_at_work_nothing_is_foretold(scene: Scene) -> None:
    conversation_id = await scene.opened()
    await estimate(scene)
    assert (await scene.row(tables.wait_estimate))["ewt_s"] is None
    assert await place(scene, conversation_id) == PlaceView(1, None, None)


async def test_work_that_rings_has_a_place_and_no_wait(scene: Scene, clock: FrozenClock) -> None:
    await scene.agent(capacity=20)
    rings = await scene.opened()
    await go(scene)
    waits = await scene.opened(sender="b")
    await estimate(scene)
    assert await place(scene, rings) == PlaceView(1, 0.0, None)
    assert (await place(scene, waits)).position == 2


async def test_what_does_not_wait_stands_nowhere(scene: Scene) -> None:
    agent = await scene.agent()
    conversation_id = await scene.opened()
    await claim(scene, agent, conversation_id)
    assert await place(scene, conversation_id) == NOWHERE
    assert await place(scene, 999) == NOWHERE


async def test_what_was_seen_lately_moves_the_estimate(scene: Scene, clock: FrozenClock) -> None:
    agent = await practised(scene, clock)
    held = (await scene.row(tables.conversation, assignee_id=agent.user_id))["id"]
    waits = [await scene.opened(sender=f"w{number}") for number in range(6)]
    await estimate(scene)
    # The staffing says 120 s a piece; the next five take ten each.
    for conversation_id in waits[:5]:
        clock.advance(10)
        await resolve(scene, agent, held)
        await go(scene)
        offer = await scene.row(tables.offer, ended_at=None)
        held = offer["conversation_id"]
        assert held == conversation_id
        await scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])
        await estimate(scene)
    ewt_s = (await place(scene, waits[5])).ewt_s
    assert ewt_s is not None
    handled_s = (HANDLE_S + 5 * 10) / 6
    pace = waiting.measure_pace([waiting.Visit(50, ago) for ago in (40, 30, 20, 10, 0)])
    assert ewt_s == pytest.approx(waiting.departure_s(pace, 1, handled_s), rel=0.25)
    assert ewt_s < HANDLE_S / 2


CLOSED_NOW = {"zone": "UTC", "week": [[["12:00", "18:00"]]] * 7, "special": []}


async def test_outside_business_hours_nothing_is_foretold_but_when_it_opens(scene: Scene, clock: FrozenClock) -> None:
    await practised(scene, clock)

    def close(tx: Tx) -> None:
        calendar_id = tx.insert(tables.calendar, {"name": "Afternoons"})
        tx.execute(
            insert(tables.calendar_version).values(calendar_id=calendar_id, version=1, since=tx.now, body=CLOSED_NOW)
        )
        queues.update_queue(tx, scene.queue_id, QueueSettings(calendar_id=calendar_id))

    await scene.database.transaction(close)
    conversation_id = await scene.opened()
    await estimate(scene)
    assert await told(scene) is None
    noon = clock.now.replace(hour=12, minute=0, second=0)
    assert await place(scene, conversation_id) == PlaceView(1, None, noon)
    clock.now = noon
    await estimate(scene)
    open_now = await place(scene, conversation_id)
    assert (open_now.position, open_now.opens_at) == (1, None)
    assert open_now.ewt_s == pytest.approx(HANDLE_S, rel=0.6)


@pytest.mark.parametrize("calendar_id", [1, 999])
async def test_hours_that_cannot_be_read_stop_nothing(scene: Scene, clock: FrozenClock, calendar_id: int) -> None:
    await practised(scene, clock)

    def spoil(tx: Tx) -> None:
        tx.insert(tables.calendar, {"name": "Elsewhere"})
        body = CLOSED_NOW | {"zone": "Europe/Atlantis"}
        tx.execute(insert(tables.calendar_version).values(calendar_id=1, version=1, since=tx.now, body=body))

    await scene.database.transaction(spoil)
    await scene.set(tables.queue, {"calendar_id": calendar_id}, id=scene.queue_id)
    conversation_id = await scene.opened()
    await estimate(scene)
    assert await place(scene, conversation_id) == PlaceView(1, 1.0 * HANDLE_S, None)


@pytest.mark.parametrize("seed", range(4))
async def test_places_are_those_of_the_engines_order(scene: Scene, clock: FrozenClock, seed: int) -> None:
    chance = random.Random(seed)
    ids = [await scene.opened(sender=f"c{number}") for number in range(25)]

    def shuffle(tx: Tx) -> list[engine.Work]:
        c = tables.conversation.c
        work = []
        for conversation_id in ids:
            since = tx.now - timedelta(seconds=chance.choice((0, 60, 60, 119, 120, 600, 4_000, 5_000)))
            priority, pinned = chance.choice((0, 0, 1, 2, -5, 60)), chance.choice((None, None, None, 7))
            written = {"queued_since": since, "priority": priority, "pinned_agent_id": pinned}
            tx.execute(update(tables.conversation).where(c.id == conversation_id).values(**written))
            tier = chance.choice((0, 0, 1, 3))
            whose = select(c.customer_id).where(c.id == conversation_id).scalar_subquery()
            tx.execute(update(tables.customer).where(tables.customer.c.id == whose).values(tier=tier))
            work.append(
                engine.Work(
                    conversation_id,
                    scene.queue_id,
                    20,
                    since,
                    priority=priority,
                    tier_priority=tier * 10,
                    pinned_agent_id=pinned,
                )
            )
        return work

    work = await scene.database.transaction(shuffle)
    order = engine.order_of_work(work, {scene.queue_id: 3_600}, clock.now)
    places = await scene.database.read(estimates.load_places, ids)
    assert [places[item.conversation_id].position for item in order] == list(range(1, 26))


# --- what became of it ----------------------------------------------------------------------------------------------------


async def test_an_answer_ends_the_estimate_by_the_instants_of_the_conversation(
    scene: Scene, clock: FrozenClock
) -> None:
    agent = await practised(scene, clock)
    conversation_id = await scene.opened(sender="b")
    await estimate(scene)
    clock.advance(40)
    await claim(scene, agent, conversation_id)
    clock.advance(3)  # the pass comes later
    await estimate(scene)
    row = await scene.row(tables.wait_estimate, conversation_id=conversation_id)
    assert (row["end_reason"], row["waited_s"]) == ("answered", 40)
    assert row["ended_at"] == clock.now - timedelta(seconds=3)
    queue = await scene.row(tables.queue, id=scene.queue_id)
    assert (queue["ewt_error_s"], queue["ewt_samples"]) == (pytest.approx(HANDLE_S - 40), 1)


async def test_the_error_is_the_mean_of_the_last_ones_that_were_told_anything(scene: Scene, clock: FrozenClock) -> None:
    def past(tx: Tx, conversation_id: int, ewt_s: float | None, waited_s: float, days: float) -> None:
        ended_at = tx.now - timedelta(days=days)
        values = {"conversation_id": conversation_id, "queue_id": scene.queue_id, "made_at": ended_at, "position": 1}
        ended = {"ended_at": ended_at, "end_reason": "answered", "waited_s": waited_s}
        tx.insert(tables.wait_estimate, values | ended | {"ewt_s": ewt_s})

    agent = await practised(scene, clock)
    conversation_id = await scene.opened(sender="b")
    for ewt_s, waited_s, days in ((100.0, 60.0, 1), (None, 500.0, 1), (100.0, 9_000.0, 8)):
        await scene.database.transaction(past, conversation_id, ewt_s, waited_s, days)
    await estimate(scene)
    clock.advance(HANDLE_S)
    await claim(scene, agent, conversation_id)
    await estimate(scene)
    queue = await scene.row(tables.queue, id=scene.queue_id)
    # 40 s of the day before, 0 s now; what was told nothing and what is too old do not count.
    assert (queue["ewt_error_s"], queue["ewt_samples"]) == (pytest.approx(20), 2)


async def test_what_leaves_a_queue_in_another_way_is_no_sample(scene: Scene, clock: FrozenClock) -> None:
    boss = await scene.agent(role=Role.SUPERVISOR, capacity=0)
    other = await scene.queue("Other")
    resolved, moved, parked = [await scene.opened(sender=name) for name in ("a", "b", "c")]
    await estimate(scene)
    clock.advance(10)
    await resolve(scene, boss, resolved)
    await scene.database.transaction(dispatcher.transfer, boss, moved, agent_id=None, queue_id=other, note=None)
    await scene.set(tables.conversation, {"parked_until": clock.now + timedelta(hours=1)}, id=parked)
    await estimate(scene)
    ended = {
        row["conversation_id"]: row["end_reason"] for row in await scene.rows(tables.wait_estimate) if row["ended_at"]
    }
    assert ended == {resolved: "resolved", moved: "moved", parked: "left"}
    # In its new queue it is foretold anew.
    assert [row["queue_id"] for row in await scene.rows(tables.wait_estimate, ended_at=None)] == [other]
    assert (await scene.row(tables.queue, id=scene.queue_id))["ewt_samples"] == 0


async def test_two_processes_that_find_the_same_write_it_once(scene: Scene, clock: FrozenClock) -> None:
    await practised(scene, clock)
    await scene.opened(sender="b")
    one, other = await look(scene), await look(scene)
    await scene.database.transaction(estimates.write_changes, one)
    await scene.database.transaction(estimates.write_changes, other)
    assert len(await scene.rows(tables.wait_estimate)) == 1
    assert (await scene.row(tables.queue, id=scene.queue_id))["ewt_version"] == 1
    assert await announced(scene) == 1


# --- who is told ----------------------------------------------------------------------------------------------------------


async def test_where_nothing_has_changed_nothing_is_written(scene: Scene, clock: FrozenClock) -> None:
    await practised(scene, clock)
    await scene.opened(sender="b")
    await estimate(scene)
    assert not await look(scene)
    clock.advance(2)  # a little later it is a little longer
    assert not await look(scene)


async def test_a_change_worth_a_look_is_told_to_everybody_who_works_here(scene: Scene, clock: FrozenClock) -> None:
    await practised(scene, clock)
    await estimate(scene)
    before = await announced(scene)
    await scene.opened(sender="b")
    await estimate(scene)
    events = [event for event in await scene.events() if event.kind == "estimate.changed"]
    assert len(events) == before + 1
    assert events[-1].topics == {"staff"}


async def test_overflow_opens_when_the_estimate_goes_above_its_bound_and_closes_below(
    scene: Scene, clock: FrozenClock
) -> None:
    agent = await practised(scene, clock)
    other = await scene.queue("Other")
    helper = await scene.agent(queue_ids={other}, capacity=20)
    step = OverflowView((other,), ewt_over_s=200)
    await scene.database.transaction(queues.update_queue, scene.queue_id, QueueSettings(overflow=[step]))
    await estimate(scene)
    wakes: set[str] = set()
    scene.database.on_notice.append(lambda notice: wakes.update(notice.wakes))
    first = await scene.opened(sender="b")
    await go(scene)
    assert await scene.rows(tables.offer, ended_at=None) == []
    wakes.clear()
    await estimate(scene)  # whoever joins now would be the second: 240 s
    assert "routing" in wakes
    await go(scene)
    offer = await scene.row(tables.offer, ended_at=None)
    assert (offer["conversation_id"], offer["agent_id"]) == (first, helper.user_id)
    await claim(scene, agent, first)
    wakes.clear()
    await estimate(scene)
    assert "routing" in wakes
    second = await scene.opened(sender="c")
    assert (await place(scene, second)).ewt_s is not None
    await go(scene)
    assert await scene.rows(tables.offer, ended_at=None) == []


async def test_the_loop_looks_when_routing_is_woken(scene: Scene) -> None:
    wakes, written = Wakes(), asyncio.Event()

    def hear(notice: Notice) -> None:
        for name in notice.wakes:
            wakes.set(name)
        if "places" in notice.wakes:
            written.set()

    scene.database.on_notice.append(hear)
    running = asyncio.create_task(Estimator(scene.database, wakes).run())
    try:
        await scene.say()
        async with asyncio.timeout(10):
            while not await scene.rows(tables.wait_estimate):
                await written.wait()
                written.clear()
    finally:
        running.cancel()


async def test_what_ended_long_ago_is_forgotten(scene: Scene, clock: FrozenClock) -> None:
    agent = await practised(scene, clock)
    conversation_id = await scene.opened(sender="b")
    await estimate(scene)
    await claim(scene, agent, conversation_id)
    await estimate(scene)
    await scene.database.transaction(estimates.forget_estimates)
    assert len(await scene.rows(tables.wait_estimate)) == 1
    clock.advance(days=31)
    await scene.database.transaction(estimates.forget_estimates)
    assert await scene.rows(tables.wait_estimate) == []
