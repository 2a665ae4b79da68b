"""Tasks come back as work at their time: once, to whom they belong, and to supervisors if nobody sees to them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.agents import accounts, alerts, presence, queues, roster
from hub.agents.viewer import Viewer
from hub.domain.states import AgentState
from hub.domain.values import ContactKind, Role
from hub.domain.views import TaskView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing import dispatcher
from hub.store import tables
from hub.store.stream import Wakes
from hub.timeline import cards, conversations, customers, mentions, task_rows, tasks
from hub.timeline.reminders import Reminders
from hub.timeline.tasks import Kind, Wish
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


async def make(
    scene: Scene,
    viewer: Viewer,
    conversation_id: int,
    *,
    title: str = "Get back to them",
    kind: Kind = "follow_up",
    assignee_id: int | None = None,
    queue_id: int | None = None,
) -> TaskView:
    """Due in an hour."""
    wish = Wish(kind, title, "", scene.database.clock() + HOUR, assignee_id, queue_id)
    return await scene.database.transaction(tasks.create_task, viewer, wish, conversation_id=conversation_id)


async def look(scene: Scene) -> None:
    await Reminders(scene.database, Wakes()).look()


async def unseen(scene: Scene, viewer: Viewer) -> list[str]:
    return [alert.reason for alert in await scene.database.read(alerts.load_unseen, viewer.user_id)]


async def load(scene: Scene, task: TaskView) -> TaskView:
    return await scene.database.read(task_rows.load_task, task.id)


async def test_at_its_time_whoever_has_it_is_told_once_whatever_the_clock_does(
    scene: Scene, clock: FrozenClock
) -> None:
    nare = await scene.agent("Nare")
    task = await make(scene, nare, await scene.opened())
    await look(scene)
    assert await unseen(scene, nare) == []
    clock.advance(hours=1)
    await look(scene)
    assert await unseen(scene, nare) == ["task_due"]
    fired = await load(scene, task)
    assert fired.fired_at == clock()
    for jump in (timedelta(hours=-3), timedelta(hours=6), timedelta(0)):
        clock.advance(jump.total_seconds())
        await look(scene)
    (alert,) = await scene.database.read(alerts.load_unseen, nare.user_id)
    assert (alert.task_id, alert.conversation_id, alert.data["title"]) == (task.id, task.conversation_id, task.title)


async def test_many_who_bring_it_back_at_once_bring_it_back_once(scene: Scene, clock: FrozenClock) -> None:
    nare = await scene.agent()
    task = await make(scene, nare, await scene.opened())
    clock.advance(hours=2)
    fired = await asyncio.gather(*(scene.database.transaction(tasks.fire, task.id) for _ in range(8)))
    assert sorted(fired) == [False] * 7 + [True]
    assert await unseen(scene, nare) == ["task_due"]


async def test_one_that_is_put_off_is_told_of_no_more_and_comes_back_again(scene: Scene, clock: FrozenClock) -> None:
    nare = await scene.agent()
    task = await make(scene, nare, await scene.opened())
    clock.advance(hours=2)
    await look(scene)
    again = Wish("follow_up", task.title, "", clock() + HOUR)
    await scene.database.transaction(tasks.update_task, nare, task.id, again, None)
    assert await unseen(scene, nare) == []
    clock.advance(hours=1)
    await look(scene)
    assert await unseen(scene, nare) == ["task_due"]


async def test_done_is_told_in_the_timeline_and_taken_back(scene: Scene, clock: FrozenClock) -> None:
    nare = await scene.agent("Nare")
    task = await make(scene, nare, await scene.opened())
    clock.advance(hours=1)
    await look(scene)
    for _ in range(2):
        ended = await scene.database.transaction(tasks.end_task, nare, task.id, "done")
        assert (ended.outcome, ended.ended_by) == ("done", nare.user_id)
    assert await unseen(scene, nare) == []
    with pytest.raises(Conflict) as conflict:
        await scene.database.transaction(tasks.end_task, nare, task.id, "dropped")
    assert conflict.value.code == "task_ended"
    lines = [row["happening"] for row in await scene.rows(tables.entry, kind="event")]
    assert lines == ["task_made", "task_done"]
    reopened = await scene.database.transaction(tasks.reopen_task, nare, task.id)
    assert (reopened.outcome, reopened.ended_at) == (None, None)
    await look(scene)
    assert await unseen(scene, nare) == ["task_due"]


async def test_one_of_a_solved_conversation_comes_back_and_opens_nothing(scene: Scene, clock: FrozenClock) -> None:
    nare = await scene.agent()
    conversation_id = await scene.opened()
    await make(scene, nare, conversation_id)
    await scene.database.transaction(dispatcher.claim, nare, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, nare, conversation_id)
    clock.advance(hours=1)
    await look(scene)
    assert await unseen(scene, nare) == ["task_due"]
    assert (await scene.row(tables.conversation))["status"] == "resolved"


@pytest.mark.parametrize(
    ("state", "early", "late"), [(AgentState.AWAY, 29, 30), (AgentState.AVAILABLE, 239, 240)], ids=["away", "at work"]
)
async def test_what_nobody_sees_to_is_told_to_supervisors_once(
    scene: Scene, clock: FrozenClock, state: AgentState, early: int, late: int
) -> None:
    nare, sue = await scene.agent("Nare"), await scene.agent("Sue", role=Role.SUPERVISOR)
    await scene.agent("Sona", role=Role.SUPERVISOR, queue_ids=set())
    task = await make(scene, nare, await scene.opened())
    clock.advance(hours=1)
    await look(scene)
    await scene.database.transaction(roster.change_agent_state, nare.user_id, state)
    clock.advance(minutes=early)
    await look(scene)
    assert await unseen(scene, sue) == []
    clock.advance(minutes=late - early)
    for _ in range(2):
        await look(scene)
    assert await unseen(scene, sue) == ["task_left"]
    assert [row["user_id"] for row in await scene.rows(tables.alert, reason="task_left")] == [sue.user_id]
    assert (await load(scene, task)).left_at == clock()


async def test_what_a_leaver_had_to_do_is_their_queues_and_comes_back_there(scene: Scene, clock: FrozenClock) -> None:
    nare, bert = await scene.agent("Nare"), await scene.agent("Bert")
    task = await make(scene, nare, await scene.opened())
    clock.advance(hours=1)
    await look(scene)
    await scene.database.transaction(accounts.update_user, None, nare.user_id, active=False)
    left = await load(scene, task)
    assert (left.assignee_id, left.queue_id, left.fired_at) == (None, scene.queue_id, None)
    await look(scene)
    assert (await unseen(scene, nare), await unseen(scene, bert)) == ([], ["task_due"])
    assert [each.id for each in await scene.database.read(tasks.load_own, bert)] == [task.id]


async def test_whoever_is_given_one_is_told_and_sees_the_conversation(scene: Scene) -> None:
    nare, stranger = await scene.agent("Nare"), await scene.agent("Stranger", queue_ids=set())
    conversation_id = await scene.opened()
    with pytest.raises(NotFound):
        await scene.database.read(conversations.access_conversation, stranger, conversation_id)
    task = await make(scene, nare, conversation_id, assignee_id=stranger.user_id)
    assert await unseen(scene, stranger) == ["task_given"]
    view = await scene.database.read(conversations.access_conversation, stranger, conversation_id)
    assert view.participant_ids == (stranger.user_id,)
    assert (await scene.database.read(tasks.access_task, stranger, task.id)).title == task.title


async def test_nobody_else_sees_or_changes_it(scene: Scene) -> None:
    nare, stranger = await scene.agent(), await scene.agent(queue_ids=set())
    task = await make(scene, nare, await scene.opened())
    with pytest.raises(NotFound):
        await scene.database.read(tasks.access_task, stranger, task.id)
    with pytest.raises(NotFound):
        await scene.database.transaction(tasks.end_task, stranger, task.id, "done")
    with pytest.raises(NotFound):
        await make(scene, stranger, task.conversation_id or 0)


async def sight_of(scene: Scene, viewer: Viewer, task: TaskView) -> tuple[bool, bool, bool, bool]:
    """Whether they see it: among their own, in the list of what they have or gave, by its id, behind an alert."""
    own = await scene.database.read(tasks.load_own, viewer)
    listed = await scene.database.read(
        lambda tx: tasks.load_page(tx, viewer, state="open", whose="any", customer_id=None, after=None, limit=9)
    )
    try:
        await scene.database.read(tasks.access_task, viewer, task.id)
        by_id = True
    except NotFound:
        by_id = False
    behind = task.id in await scene.database.read(tasks.load_visible, viewer, [task.id])
    return task.id in [each.id for each in own], task.id in [each.id for each in listed], by_id, behind


async def test_who_loses_the_queue_loses_its_tasks_which_the_queue_gets_at_their_time(
    scene: Scene, clock: FrozenClock
) -> None:
    nare, bert = await scene.agent("Nare"), await scene.agent("Bert")
    sue = await scene.agent("Sue", role=Role.SUPERVISOR)
    conversation_id = await scene.opened()
    mine = await make(scene, nare, conversation_id, title="Mine")
    given = await make(scene, nare, conversation_id, title="Bert's", assignee_id=bert.user_id)
    queues_ = await make(scene, nare, conversation_id, title="Anybody's", queue_id=scene.queue_id)
    assert await sight_of(scene, nare, mine) == (True, True, True, True)
    await scene.database.transaction(queues.set_user_queues, nare.user_id, [])
    outside = replace(nare, queue_ids=frozenset())
    for task in (mine, given, queues_):
        assert await sight_of(scene, outside, task) == (False, False, False, False)
        wish = Wish("follow_up", "Changed", "", clock() + HOUR)
        changes: list[tuple[Any, ...]] = [
            (tasks.update_task, wish, None),
            (tasks.end_task, "dropped"),
            (tasks.reopen_task,),
        ]
        for change, *rest in changes:
            with pytest.raises(NotFound):
                await scene.database.transaction(change, outside, task.id, *rest)
        assert (await load(scene, task)).title == task.title
        assert (await sight_of(scene, sue, task))[1:] == (True, True, True), "it is not nobody's"
    # What becomes of it is told to others, and not to them.
    before = len(await scene.events())
    wish = Wish("follow_up", "Changed", "", clock() + HOUR, nare.user_id)
    await scene.database.transaction(tasks.update_task, sue, queues_.id, replace(wish, assignee_id=bert.user_id), None)
    await scene.database.transaction(task_rows.retell_of, mine.customer_id)
    told = [each for each in (await scene.events())[before:] if each.kind == "task.changed"]
    assert len(told) == 4
    assert [each for each in told if f"user:{nare.user_id}" in each.topics] == []
    clock.advance(hours=1)
    await look(scene)
    passed_on = await load(scene, mine)
    assert (passed_on.assignee_id, passed_on.queue_id, passed_on.fired_at) == (None, scene.queue_id, clock())
    alerted = [row["user_id"] for row in await scene.rows(tables.alert, task_id=mine.id)]
    assert sorted(alerted) == [bert.user_id, sue.user_id], "all of the queue"
    assert await sight_of(scene, bert, mine) == (True, True, True, True)


async def test_one_that_had_come_back_comes_back_to_those_who_may_see_it(scene: Scene, clock: FrozenClock) -> None:
    nare, bert = await scene.agent("Nare"), await scene.agent("Bert", queue_ids=set())
    other = await scene.queue("Other")
    conversation_id = await scene.opened()
    task = await make(scene, nare, conversation_id)
    clock.advance(hours=1)
    await look(scene)
    assert await unseen(scene, nare) == ["task_due"]
    # The conversation goes elsewhere, and the task with it.
    await scene.database.transaction(queues.set_user_queues, bert.user_id, [other])
    sue = await scene.agent("Sue", role=Role.SUPERVISOR)
    await scene.database.transaction(
        dispatcher.transfer, sue, conversation_id, agent_id=None, queue_id=other, note=None
    )
    assert await sight_of(scene, nare, task) == (False, False, False, False)
    hidden = await scene.database.read(lambda tx: tasks.without_unseen(tx, nare, alerts.load_unseen(tx, nare.user_id)))
    assert [(alert.reason, alert.data) for alert in hidden] == [("task_due", {})]
    # Whatever becomes of it: nor do the answers say more, or what their screen is told.
    before = len(await scene.events())
    for change in (alerts.unsee_alert, alerts.see_alert, alerts.see_alert, alerts.unsee_alert):
        assert (await scene.database.transaction(change, nare.user_id, hidden[0].id)).data == {}
    told = [json.loads(each.body)["alert"] for each in (await scene.events())[before:] if each.kind == "alert.changed"]
    assert [alert["data"] for alert in told] == [{}, {}]
    for _ in range(2):
        await look(scene)
    assert (await load(scene, task)).queue_id == other
    assert (await unseen(scene, nare), await unseen(scene, bert)) == ([], ["task_due"])


async def test_whoever_is_taken_out_of_the_conversation_sees_its_task_no_more(scene: Scene, clock: FrozenClock) -> None:
    nare, stranger = await scene.agent("Nare"), await scene.agent("Stranger", queue_ids=set())
    conversation_id = await scene.opened()
    task = await make(scene, nare, conversation_id, assignee_id=stranger.user_id)
    clock.advance(hours=1)
    await look(scene)
    assert (await load(scene, task)).assignee_id == stranger.user_id, "whoever takes part sees it"
    await scene.database.transaction(mentions.leave, stranger, conversation_id, stranger.user_id)
    assert await sight_of(scene, stranger, task) == (False, False, False, False)
    await look(scene)
    assert (await unseen(scene, stranger), await unseen(scene, nare)) == ([], ["task_due"])


async def test_a_task_for_somebody_without_conversations_is_its_persons(scene: Scene, clock: FrozenClock) -> None:
    nare = await scene.agent("Nare", queue_ids=set())
    customer = await scene.database.transaction(customers.create_customer, "Ani", None)
    wish = Wish("follow_up", "Ring them", "", clock() + HOUR)
    task = await scene.database.transaction(tasks.create_task, nare, wish, customer_id=customer.id)
    clock.advance(hours=1)
    await look(scene)
    assert (await load(scene, task)).assignee_id == nare.user_id
    assert await unseen(scene, nare) == ["task_due"]


async def told_since(scene: Scene, count: int, viewer: Viewer) -> list[str]:
    topics = {f"user:{viewer.user_id}", *(f"queue:{queue_id}" for queue_id in viewer.queue_ids)}
    found = [each for each in (await scene.events())[count:] if topics & set(each.topics)]
    return [each.kind for each in found if each.kind in ("task.changed", "access.changed")]


async def test_whoever_sees_the_customer_again_is_told_of_what_they_have(scene: Scene) -> None:
    nare, sue = await scene.agent("Nare"), await scene.agent("Sue", role=Role.SUPERVISOR)
    other = await scene.queue("Other")
    conversation_id = await scene.opened()
    await make(scene, nare, conversation_id)
    for queue_id, told in ((other, []), (scene.queue_id, ["task.changed"])):
        before = len(await scene.events())
        run = scene.database.transaction
        await run(dispatcher.transfer, sue, conversation_id, agent_id=None, queue_id=queue_id, note=None)
        assert await told_since(scene, before, nare) == told


async def test_with_a_first_conversation_elsewhere_those_who_do_not_see_it_drop_their_tasks(
    scene: Scene, clock: FrozenClock
) -> None:
    nare, bert = await scene.agent("Nare", queue_ids=set()), await scene.agent("Bert")
    ani = await scene.database.transaction(customers.create_customer, "Ani", None)
    await scene.database.transaction(customers.add_contact_point, ani.id, ContactKind.LOOPBACK, "ani-1")
    wish = Wish("follow_up", "Ring them", "", clock() + HOUR)
    task = await scene.database.transaction(tasks.create_task, nare, wish, customer_id=ani.id)
    before = len(await scene.events())
    first = await scene.opened("Hello", sender="ani-1")
    assert (await scene.row(tables.conversation, id=first))["customer_id"] == ani.id
    assert await told_since(scene, before, nare) == ["access.changed"]
    assert await told_since(scene, before, bert) == []
    assert await sight_of(scene, nare, task) == (False, False, False, False)


async def test_a_queue_whose_people_may_not_see_the_customer_cannot_have_it(scene: Scene) -> None:
    nare, other = await scene.agent(), await scene.queue("Other")
    conversation_id = await scene.opened()
    with pytest.raises(InvalidInput) as refused:
        await make(scene, nare, conversation_id, queue_id=other)
    assert refused.value.fields == {"queue_id": "its people may not see this customer"}
    task = await make(scene, nare, conversation_id, queue_id=scene.queue_id)
    assert (task.assignee_id, task.queue_id) == (None, scene.queue_id)


async def test_two_who_change_it_at_once_lose_nothing(scene: Scene, clock: FrozenClock) -> None:
    nare = await scene.agent()
    task = await make(scene, nare, await scene.opened())
    wishes = [Wish("follow_up", title, "", clock() + 2 * HOUR) for title in ("one", "two")]
    outcomes = await asyncio.gather(
        *(scene.database.transaction(tasks.update_task, nare, task.id, wish, task.version) for wish in wishes),
        return_exceptions=True,
    )
    (lost,) = [each for each in outcomes if isinstance(each, Conflict)]
    assert lost.code == "version_conflict"
    (won,) = [each for each in outcomes if isinstance(each, TaskView)]
    assert await load(scene, task) == won


async def test_it_follows_its_customer_to_another_card_and_name(scene: Scene) -> None:
    nare = await scene.agent()
    task = await make(scene, nare, await scene.opened())
    await scene.database.transaction(cards.change_card, nare, task.customer_id, {"name": "Ani"})
    renamed = await load(scene, task)
    assert (renamed.customer_name, renamed.version) == ("Ani", task.version + 1)
    other = await scene.database.transaction(customers.create_customer, "Ani Petrosyan", None)
    await scene.database.transaction(customers.join, task.customer_id, other.id)
    joined = await load(scene, task)
    assert (joined.customer_id, joined.customer_name) == (other.id, "Ani Petrosyan")


async def test_a_lost_agent_counts_as_away(scene: Scene, clock: FrozenClock) -> None:
    nare, sue = await scene.agent("Nare"), await scene.agent("Sue", role=Role.SUPERVISOR)
    await make(scene, nare, await scene.opened())
    clock.advance(hours=1)
    await look(scene)
    await scene.database.transaction(presence.disconnect, f"screen-{nare.user_id}")
    clock.advance(minutes=30)
    await look(scene)
    assert await unseen(scene, sue) == ["task_left"]
