"""Work that is put aside: it stays whose it is, costs nothing meanwhile, and comes back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hub.agents import alerts, presence, roster
from hub.agents.queues import QueueSettings, update_queue
from hub.agents.viewer import Viewer
from hub.channels.channel import Consent
from hub.domain.states import AgentState
from hub.domain.values import Role
from hub.errors import Conflict, Forbidden, InvalidInput
from hub.routing import dispatcher
from hub.store import tables
from tests.kpi.random_facts import project_all
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GRACE_S = 15.0
HOUR = timedelta(hours=1)


async def go(scene: Scene) -> datetime | None:
    return await scene.database.transaction(dispatcher.dispatch, GRACE_S)


async def held(scene: Scene, agent: Viewer, **message: object) -> int:
    conversation_id = await scene.opened(**message)  # type: ignore[arg-type]
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    return conversation_id


async def park(scene: Scene, agent: Viewer, conversation_id: int, until: datetime) -> None:
    await scene.database.transaction(dispatcher.park, agent, conversation_id, until)


async def load(scene: Scene, agent: Viewer) -> int:
    (view,) = await scene.database.read(roster.load_agent_views, [agent.user_id])
    return view.load


async def test_what_is_put_aside_costs_no_room_and_makes_room_for_other_work(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent(capacity=20)
    parked = await held(scene, agent, sender="first")
    waiting = await scene.opened(sender="second")
    await go(scene)
    assert await scene.rows(tables.offer) == []
    await park(scene, agent, parked, clock() + HOUR)
    assert await load(scene, agent) == 0
    row = await scene.row(tables.conversation, id=parked)
    assert (row["assignee_id"], row["parked_until"]) == (agent.user_id, clock() + HOUR)
    await go(scene)
    assert [offer["conversation_id"] for offer in await scene.rows(tables.offer)] == [waiting]


async def test_it_comes_back_by_itself_at_its_instant_and_whoever_holds_it_is_told(
    scene: Scene, clock: FrozenClock
) -> None:
    agent = await scene.agent("Nare")
    conversation_id = await held(scene, agent)
    await park(scene, agent, conversation_id, clock() + HOUR)
    assert await go(scene) == clock() + HOUR
    clock.advance(hours=1)
    await go(scene)
    row = await scene.row(tables.conversation)
    assert (row["assignee_id"], row["parked_until"]) == (agent.user_id, None)
    assert await load(scene, agent) == 20
    (alert,) = await scene.database.read(alerts.load_unseen, agent.user_id)
    assert (alert.reason, alert.level, alert.conversation_id) == ("unparked", "notify", conversation_id)
    (entry,) = await scene.rows(tables.entry, happening="unparked")
    assert entry["data"]["reason"] == "time"


async def test_it_comes_back_after_a_restart_that_outlasted_its_instant(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await held(scene, agent)
    await park(scene, agent, conversation_id, clock() + HOUR)
    clock.advance(days=3)
    await go(scene)
    assert (await scene.row(tables.conversation))["parked_until"] is None


async def test_the_customer_who_writes_again_ends_it(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await held(scene, agent)
    await park(scene, agent, conversation_id, clock() + HOUR)
    clock.advance(60)
    await scene.say("I found it!")
    assert (await scene.row(tables.conversation))["parked_until"] <= clock(), "so screens do not count it as put aside"
    await go(scene)
    row = await scene.row(tables.conversation)
    assert (row["assignee_id"], row["parked_until"]) == (agent.user_id, None)
    assert await load(scene, agent) == 20
    (entry,) = await scene.rows(tables.entry, happening="unparked")
    assert entry["data"]["reason"] == "customer"
    assert await scene.database.read(alerts.load_unseen, agent.user_id) == []


async def test_whoever_put_it_aside_takes_it_up_again(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await held(scene, agent)
    await park(scene, agent, conversation_id, clock() + HOUR)
    for _ in range(2):
        view = await scene.database.transaction(dispatcher.unpark, agent, conversation_id)
        assert view.parked_until is None
    assert await load(scene, agent) == 20
    assert await scene.database.read(alerts.load_unseen, agent.user_id) == []
    assert len(await scene.rows(tables.entry, happening="unparked")) == 1


async def test_a_supervisor_takes_it_up_for_its_agent_who_is_told(scene: Scene, clock: FrozenClock) -> None:
    agent, boss = await scene.agent(), await scene.agent(role=Role.SUPERVISOR)
    conversation_id = await held(scene, agent)
    await park(scene, agent, conversation_id, clock() + HOUR)
    view = await scene.database.transaction(dispatcher.unpark, boss, conversation_id)
    assert view.assignee_id == agent.user_id
    assert [alert.data["why"] for alert in await scene.database.read(alerts.load_unseen, agent.user_id)] == ["hand"]


async def test_another_instant_replaces_the_first(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await held(scene, agent)
    await park(scene, agent, conversation_id, clock() + HOUR)
    await park(scene, agent, conversation_id, clock() + 5 * HOUR)
    assert await go(scene) == clock() + 5 * HOUR
    await scene.database.transaction(dispatcher.unpark, agent, conversation_id)
    assert await load(scene, agent) == 20


async def test_what_is_passed_on_is_put_aside_no_longer(scene: Scene, clock: FrozenClock) -> None:
    agent, other = await scene.agent(), await scene.agent()
    conversation_id = await held(scene, agent)
    await park(scene, agent, conversation_id, clock() + HOUR)
    view = await scene.database.transaction(
        dispatcher.transfer, agent, conversation_id, agent_id=other.user_id, queue_id=None, note=None
    )
    assert (view.assignee_id, view.parked_until) == (other.user_id, None)
    assert (await load(scene, agent), await load(scene, other)) == (0, 20)


@pytest.mark.parametrize(("policy", "stays"), [("live", True), ("all", False)])
async def test_a_lost_agents_parked_work_goes_as_the_queue_says_at_once(
    scene: Scene, clock: FrozenClock, policy: str, stays: bool
) -> None:
    await scene.database.transaction(update_queue, scene.queue_id, QueueSettings(release_when_lost=policy))
    agent = await scene.agent()
    conversation_id = await held(scene, agent)
    await park(scene, agent, conversation_id, clock() + HOUR)
    await scene.database.transaction(presence.disconnect, f"screen-{agent.user_id}")
    clock.advance(GRACE_S)
    await go(scene)
    row = await scene.row(tables.conversation, id=conversation_id)
    assert (row["assignee_id"] is not None, row["parked_until"] is not None) == (stays, stays)


async def test_resolved_work_is_put_aside_no_longer(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await held(scene, agent)
    await park(scene, agent, conversation_id, clock() + HOUR)
    view = await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    assert view.parked_until is None


async def test_time_in_which_it_was_put_aside_is_told_with_the_hold(scene: Scene, clock: FrozenClock) -> None:
    """Put aside for most of an hour, in which other work is done; put aside once more, and passed on like that."""
    agent, other = await scene.agent(), await scene.agent()
    began = clock()
    parked, meanwhile = await held(scene, agent, sender="first"), await scene.opened(sender="second")
    clock.advance(60)
    await park(scene, agent, parked, clock() + HOUR)
    await park(scene, agent, parked, clock() + 2 * HOUR)
    await scene.database.transaction(dispatcher.claim, agent, meanwhile, None)
    clock.advance(3480)
    await scene.database.transaction(dispatcher.resolve, agent, meanwhile)
    await scene.database.transaction(dispatcher.unpark, agent, parked)
    clock.advance(60)
    await park(scene, agent, parked, clock() + HOUR)
    clock.advance(5)
    await scene.database.transaction(
        dispatcher.transfer, agent, parked, agent_id=other.user_id, queue_id=None, note=None
    )
    await scene.database.transaction(roster.change_agent_state, agent.user_id, AgentState.AWAY)
    await project_all(scene.database)
    fact = await scene.row(tables.fact_segment, conversation_id=parked)
    seconds = [(at - began).total_seconds() for at in fact["put_aside"]]
    assert (seconds, fact["weighted_s"]) == ([60, 3540, 3600, 3605], 120)
    assert (await scene.row(tables.fact_segment, conversation_id=meanwhile))["weighted_s"] == 3480


@pytest.mark.parametrize("kind", ["chat", "phone"])
async def test_a_customer_with_the_line_open_is_not_put_aside(scene: Scene, clock: FrozenClock, kind: str) -> None:
    await scene.channel(kind, kind)
    agent = await scene.agent()
    conversation_id = await held(scene, agent, channel_id=kind)
    with pytest.raises(Conflict) as refused:
        await park(scene, agent, conversation_id, clock() + HOUR)
    assert refused.value.code == "customer_waits"


async def test_a_stop_does_not_bring_it_back(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await held(scene, agent)
    await park(scene, agent, conversation_id, clock() + HOUR)
    await scene.say("STOP", consent=Consent.STOP)
    assert (await scene.row(tables.conversation))["parked_until"] == clock() + HOUR


async def test_only_held_work_is_put_aside_and_only_by_whoever_holds_it(scene: Scene, clock: FrozenClock) -> None:
    agent, other = await scene.agent(), await scene.agent()
    conversation_id = await scene.opened()
    with pytest.raises(Conflict) as nobodys:
        await park(scene, agent, conversation_id, clock() + HOUR)
    assert nobodys.value.code == "not_held"
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    with pytest.raises(Forbidden):
        await park(scene, other, conversation_id, clock() + HOUR)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=-1), timedelta(days=90, seconds=1)])
async def test_an_instant_that_is_past_or_too_far_is_refused(
    scene: Scene, clock: FrozenClock, ahead: timedelta
) -> None:
    agent = await scene.agent()
    conversation_id = await held(scene, agent)
    with pytest.raises(InvalidInput) as refused:
        await park(scene, agent, conversation_id, clock() + ahead)
    assert list(refused.value.fields) == ["until"]


async def test_an_instant_without_its_time_zone_is_refused(scene: Scene, clock: FrozenClock) -> None:
    agent = await scene.agent()
    conversation_id = await held(scene, agent)
    with pytest.raises(InvalidInput):
        await park(scene, agent, conversation_id, (clock() + HOUR).replace(tzinfo=None))
