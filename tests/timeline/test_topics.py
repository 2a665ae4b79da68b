"""Topics: kept, told to everybody, and directing work to the department and person who handle such matters."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from hub.agents.viewer import Viewer
from hub.domain.values import Role
from hub.domain.views import ConversationView, TopicView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.routing import directing, dispatcher
from hub.store import tables
from hub.timeline import topics
from tests.routing.stair import put_policy, step
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def put_topic(scene: Scene, name: str = "Complaint", **values: Any) -> TopicView:
    return await scene.database.transaction(topics.create_topic, name=name, **values)


async def change(scene: Scene, topic: TopicView, **values: Any) -> TopicView:
    return await scene.database.transaction(topics.update_topic, topic.id, **values)


async def set_topic(
    scene: Scene, viewer: Viewer, conversation_id: int, topic: TopicView | None, *, direct: bool = False
) -> ConversationView:
    topic_id = topic.id if topic is not None else None
    return await scene.database.transaction(directing.set_topic, viewer, conversation_id, topic_id, direct=direct)


async def happenings(scene: Scene) -> list[tuple[str, Any]]:
    return [(entry["happening"], entry["data"]) for entry in await scene.rows(tables.entry) if entry["happening"]]


# --- keeping them ---------------------------------------------------------------------------------------------------------


async def test_a_topic_is_kept_changed_and_switched_off(scene: Scene) -> None:
    made = await put_topic(scene, "  Late   delivery ", is_complaint=True)
    assert (made.name, made.is_complaint, made.active, made.version) == ("Late delivery", True, True, 1)
    owner = await scene.agent()
    changed = await change(scene, made, queue_id=scene.queue_id, owner_id=owner.user_id)
    assert (changed.queue_id, changed.owner_id, changed.version) == (scene.queue_id, owner.user_id, 2)
    off = await change(scene, made, active=False, queue_id=None)
    assert (off.active, off.queue_id, off.owner_id) == (False, None, owner.user_id)
    assert await scene.database.read(topics.load_topics) == [off]


async def test_everybody_is_told_of_a_topic_and_of_no_change_nobody(scene: Scene) -> None:
    made = await put_topic(scene)
    await change(scene, made, name="Complaint", is_complaint=False)
    await change(scene, made, is_complaint=True)
    told = [event for event in await scene.events() if event.kind == "topic.changed"]
    assert [event.topics for event in told] == [frozenset({"staff"})] * 2
    assert [json.loads(event.body)["topic"]["version"] for event in told] == [1, 2]


async def test_a_name_is_taken_whatever_its_case(scene: Scene) -> None:
    await put_topic(scene, "Complaint")
    other = await put_topic(scene, "Other")
    with pytest.raises(Conflict) as made:
        await put_topic(scene, "COMPLAINT")
    with pytest.raises(Conflict) as renamed:
        await change(scene, other, name="complaint")
    assert made.value.fields == renamed.value.fields == {"name": "is taken"}


async def test_targets_that_are_not_there_are_named(scene: Scene) -> None:
    gone = await scene.agent()
    await scene.set(tables.user_account, {"active": False}, id=gone.user_id)
    with pytest.raises(InvalidInput) as fault:
        await put_topic(scene, queue_id=99, owner_id=gone.user_id, policy_id=99)
    assert list(fault.value.fields) == ["queue_id", "owner_id", "policy_id"]
    with pytest.raises(InvalidInput):
        await change(scene, await put_topic(scene), queue_id=99)


async def test_a_version_that_is_no_longer_so_is_refused(scene: Scene) -> None:
    made = await put_topic(scene)
    await change(scene, made, is_complaint=True)
    with pytest.raises(Conflict) as late:
        await change(scene, made, is_complaint=False, expected_version=1)
    assert late.value.code == "version_conflict"
    with pytest.raises(NotFound):
        await scene.database.transaction(topics.update_topic, 99, active=False)


# --- what conversations are about ------------------------------------------------------------------------------------------


async def test_waiting_work_goes_to_the_department_and_person_of_its_topic(scene: Scene, clock: FrozenClock) -> None:
    care = await scene.queue("Care")
    agent, owner = await scene.agent(), await scene.agent("Lead", queue_ids={care})
    topic = await put_topic(scene, queue_id=care, owner_id=owner.user_id)
    conversation_id = await scene.opened()
    began = clock()
    clock.advance(100)
    await scene.database.transaction(dispatcher.dispatch, 3_600.0)
    view = await set_topic(scene, agent, conversation_id, topic)
    assert (view.topic_id, view.queue_id, view.pinned_agent_id) == (topic.id, care, owner.user_id)
    assert view.queued_since == began
    assert (await scene.row(tables.offer))["outcome"] == "withdrawn"
    names = [name for name, _ in await happenings(scene)]
    assert names == ["topic", "transferred", "pinned"]


async def test_held_work_stays_unless_it_is_passed_on(scene: Scene) -> None:
    care = await scene.queue("Care")
    agent = await scene.agent()
    topic = await put_topic(scene, queue_id=care)
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    kept = await set_topic(scene, agent, conversation_id, topic)
    assert (kept.assignee_id, kept.queue_id) == (agent.user_id, scene.queue_id)
    passed = await set_topic(scene, agent, conversation_id, topic, direct=True)
    assert (passed.assignee_id, passed.queue_id) == (None, care)
    assert (await scene.row(tables.assignment))["end_reason"] == "transferred"


async def test_what_its_owner_holds_stays_with_them(scene: Scene) -> None:
    care = await scene.queue("Care")
    owner = await scene.agent()
    topic = await put_topic(scene, queue_id=care, owner_id=owner.user_id)
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, owner, conversation_id, None)
    view = await set_topic(scene, owner, conversation_id, topic, direct=True)
    assert view.assignee_id == owner.user_id


async def test_nobody_waits_for_an_owner_who_is_gone(scene: Scene) -> None:
    agent, owner = await scene.agent(), await scene.agent()
    topic = await put_topic(scene, owner_id=owner.user_id)
    await scene.set(tables.user_account, {"active": False}, id=owner.user_id)
    view = await set_topic(scene, agent, await scene.opened(), topic)
    assert view.pinned_agent_id is None


@pytest.mark.parametrize(("kind", "waits"), [("chat", False), ("sms", True)])
async def test_a_chat_waits_for_no_owner_who_is_offline(scene: Scene, kind: str, waits: bool) -> None:
    agent, owner = await scene.agent(), await scene.agent()
    topic = await put_topic(scene, owner_id=owner.user_id)
    await scene.set(tables.agent, {"state": "offline"}, user_id=owner.user_id)
    channel = await scene.channel(kind, kind)
    view = await set_topic(scene, agent, await scene.opened(channel_id=channel), topic)
    assert (view.pinned_agent_id == owner.user_id) is waits


async def test_the_same_topic_again_changes_nothing(scene: Scene) -> None:
    agent = await scene.agent()
    topic = await put_topic(scene)
    conversation_id = await scene.opened()
    first = await set_topic(scene, agent, conversation_id, topic)
    assert await set_topic(scene, agent, conversation_id, topic) == first
    without = await set_topic(scene, agent, conversation_id, None)
    assert without.topic_id is None
    said = [(data["topic"], data["before"]) for _, data in await happenings(scene)]
    assert said == [("Complaint", None), (None, "Complaint")]


async def test_a_topic_that_is_off_or_not_there_is_refused(scene: Scene) -> None:
    agent = await scene.agent()
    topic = await put_topic(scene)
    conversation_id = await scene.opened()
    await set_topic(scene, agent, conversation_id, topic)
    await change(scene, topic, active=False)
    # What has it keeps it.
    await set_topic(scene, agent, conversation_id, topic)
    await set_topic(scene, agent, conversation_id, None)
    with pytest.raises(InvalidInput) as off:
        await set_topic(scene, agent, conversation_id, topic)
    assert off.value.fields == {"topic_id": "is switched off"}
    with pytest.raises(InvalidInput) as missing:
        await scene.database.transaction(directing.set_topic, agent, conversation_id, 99, direct=False)
    assert list(missing.value.fields) == ["topic_id"]


async def test_only_a_supervisor_says_that_a_complaint_is_none(scene: Scene) -> None:
    agent, sue = await scene.agent(), await scene.agent(role=Role.SUPERVISOR)
    complaint, other = await put_topic(scene, is_complaint=True), await put_topic(scene, "Other")
    worse = await put_topic(scene, "Worse", is_complaint=True)
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await set_topic(scene, agent, conversation_id, complaint)
    with pytest.raises(Forbidden) as refused:
        await set_topic(scene, agent, conversation_id, None)
    assert refused.value.code == "is_complaint"
    with pytest.raises(Forbidden):
        await set_topic(scene, agent, conversation_id, other)
    assert (await set_topic(scene, agent, conversation_id, worse)).topic_id == worse.id
    assert (await set_topic(scene, sue, conversation_id, other)).topic_id == other.id


async def test_a_colleague_s_work_is_not_named_by_others(scene: Scene) -> None:
    agent, other = await scene.agent(), await scene.agent()
    topic = await put_topic(scene)
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    with pytest.raises(Forbidden):
        await set_topic(scene, other, conversation_id, topic)


async def test_a_colleague_s_work_is_not_passed_on_by_others(scene: Scene) -> None:
    agent, other = await scene.agent(), await scene.agent()
    sue = await scene.agent(role=Role.SUPERVISOR)
    care = await scene.queue("Care")
    topic = await put_topic(scene, queue_id=care)
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    with pytest.raises(Forbidden):
        await set_topic(scene, other, conversation_id, topic, direct=True)
    stranger = await scene.agent(queue_ids=set())
    with pytest.raises(NotFound):
        await set_topic(scene, stranger, conversation_id, topic)
    assert (await set_topic(scene, sue, conversation_id, topic, direct=True)).queue_id == care


async def test_a_complaint_goes_by_its_own_ladder_and_starts_anew_when_it_is_reopened(
    scene: Scene, clock: FrozenClock
) -> None:
    await put_policy(scene, {"steps": [step("usual", "resolution", 3_600)]})
    strict = await put_policy(scene, {"steps": [step("strict", "resolution", 600)]}, name="Strict", queue_id=None)
    agent = await scene.agent()
    topic = await put_topic(scene, is_complaint=True, policy_id=strict)
    conversation_id = await scene.opened()
    clock.advance(100)
    await set_topic(scene, agent, conversation_id, topic)
    assert await next_step_at(scene) == clock() + timedelta(seconds=500)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    assert await next_step_at(scene) is None
    clock.advance(50)
    await scene.database.transaction(dispatcher.reopen, agent, conversation_id)
    assert await next_step_at(scene) == clock() + timedelta(seconds=600)


async def next_step_at(scene: Scene) -> Any:
    return (await scene.row(tables.conversation))["next_step_at"]


# --- tags -----------------------------------------------------------------------------------------------------------------


async def test_tags_are_replaced_each_once_and_told(scene: Scene) -> None:
    agent = await scene.agent()
    conversation_id = await scene.opened()

    async def tag(*tags: str) -> tuple[str, ...]:
        return (await scene.database.transaction(directing.set_tags, agent, conversation_id, tags)).tags

    assert await tag("late", " two  words ", "late") == ("late", "two words")
    assert await tag("late", "two words") == ("late", "two words")
    assert await tag("late") == ("late",)
    assert await tag() == ()
    assert await happenings(scene) == [
        ("tagged", {"added": "late, two words", "removed": None}),
        ("tagged", {"added": None, "removed": "two words"}),
        ("tagged", {"added": None, "removed": "late"}),
    ]
    with pytest.raises(InvalidInput) as fault:
        await tag("fine", "\x07")
    assert list(fault.value.fields) == ["tags.1"]


async def test_two_who_tag_at_once_both_find_their_tags(scene: Scene) -> None:
    agent = await scene.agent()
    conversation_id = await scene.opened()

    async def tag(*tags: str, seen: tuple[str, ...] | None) -> tuple[str, ...]:
        view = await scene.database.transaction(directing.set_tags, agent, conversation_id, tags, seen=seen)
        return view.tags

    assert await tag("late", "gift", seen=()) == ("late", "gift")
    assert await tag("late", "gift", "vip", seen=("late", "gift")) == ("late", "gift", "vip")
    # The second had not seen the third's tag, and takes one away.
    assert await tag("gift", "fragile", seen=("late", "gift")) == ("gift", "vip", "fragile")
    assert await tag("gift", "fragile", seen=("late", "gift")) == ("gift", "vip", "fragile")
    many = tuple(f"tag {number}" for number in range(18))
    with pytest.raises(InvalidInput) as fault:
        await tag(*many, seen=())
    assert list(fault.value.fields) == ["tags"]
