"""Messages that are another matter get a conversation of their own; answers to them find it, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from hub.agents.viewer import Viewer
from hub.channels.channel import Accepted
from hub.domain.values import AuthorKind
from hub.domain.views import Author, ConversationView
from hub.errors import Conflict, Forbidden, InvalidInput
from hub.kpi.facts import begin_rebuild
from hub.routing import dispatcher
from hub.store import tables
from hub.timeline import conversations, joining, outbox, splitting
from tests.kpi.random_facts import project_all
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.timeline.test_joining import texts_of, view_of
from tests.timeline.test_mails import CHANNEL, answer, arrival, opened, sent, take, thread_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def agent(scene: Scene) -> Viewer:
    await scene.channel(CHANNEL, "email")
    await scene.set(tables.channel, {"settings": {"address": "support@shop.test"}}, id=CHANNEL)
    return await scene.agent("Anna")


async def split(scene: Scene, viewer: Viewer, conversation_id: int, *entry_ids: int, **more: Any) -> ConversationView:
    how = {"queue_id": None, "topic_id": None, "holds": False, **more}
    apart, _ = await scene.database.transaction(splitting.split, viewer, conversation_id, entry_ids, **how)
    return apart


async def entry_of(scene: Scene, text: str) -> int:
    return int((await scene.row(tables.entry, text=text))["id"])


async def two_matters(scene: Scene, agent: Viewer, clock: FrozenClock) -> tuple[int, int, str]:
    """A conversation by mail, the answer in it that is another matter, and that answer's Message-ID."""
    first = await opened(scene, subject="Order", text="Where is my order?")
    entry_id = await answer(scene, agent, first, "About the lamp: it is under guarantee.")
    claimed = await sent(scene)
    clock.advance(60)
    await take(scene, arrival("And the lamp?", subject="The lamp", thread=await thread_of(scene, first)))
    return first, entry_id, f"{claimed.message.delivery_id}@shop.test"


async def test_mails_that_are_another_matter_go_with_their_answers(
    scene: Scene,
    agent: Viewer,
    clock: FrozenClock,
) -> None:
    first, sent_id, message_id = await two_matters(scene, agent, clock)
    sales = await scene.queue("Sales")
    asked_at = clock()
    clock.advance(60)
    apart = await split(scene, agent, first, sent_id, await entry_of(scene, "And the lamp?"), queue_id=sales)
    assert (apart.queue_id, apart.status, apart.assignee_id, apart.channel_id) == (sales, "open", None, CHANNEL)
    assert (apart.unanswered_since, apart.queued_since, apart.preview) == (asked_at, asked_at, "And the lamp?")
    left = await view_of(scene, first)
    assert (left.unanswered_since, left.preview) == (None, "Where is my order?")
    assert await texts_of(scene, apart.id) == ["About the lamp: it is under guarantee.", "And the lamp?"]
    old_word, new_word = await thread_of(scene, first), await thread_of(scene, apart.id)
    assert old_word != new_word
    # The mail that went carries the old word still; what answers it is about the lamp all the same.
    told = await take(scene, arrival("Thanks", thread=old_word, references=(message_id,)))
    assert told.conversation_id == apart.id
    other = await take(scene, arrival("The order came", thread=old_word))
    assert other.conversation_id == first
    # Whoever took too much merges it back, and the mails find back, too.
    await scene.set(tables.conversation, {"queue_id": scene.queue_id}, id=apart.id)
    merges, _ = await scene.database.transaction(joining.merge, agent, first, [apart.id])
    again = await take(scene, arrival("Thanks again", thread=old_word, references=(message_id,)))
    assert again.conversation_id == first
    assert (await take(scene, arrival("By the new word", thread=new_word))).conversation_id == first
    await scene.database.transaction(joining.undo, agent, merges[0].id)
    assert (
        await take(scene, arrival("Once more", thread=old_word, references=(message_id,)))
    ).conversation_id == apart.id
    noted = [row["action"] for row in await scene.rows(tables.audit)]
    assert noted == ["conversation.split", "conversation.merged", "conversation.unmerged"]


async def test_on_a_channel_with_one_open_conversation_what_is_over_is_taken_out_closed(
    scene: Scene,
    agent: Viewer,
    clock: FrozenClock,
) -> None:
    talk = await scene.opened("Is the shop open?", sender="ani")
    await scene.database.transaction(dispatcher.claim, agent, talk, None)
    author = Author(AuthorKind.AGENT, agent.name, agent.user_id)
    await scene.database.transaction(outbox.enqueue, talk, author, "Yes, until nine.")
    answered = await entry_of(scene, "Yes, until nine.")
    clock.advance(60)
    await scene.say("My order is late", sender="ani")
    question, late = await entry_of(scene, "Is the shop open?"), await entry_of(scene, "My order is late")
    with pytest.raises(Conflict) as told:
        await split(scene, agent, talk, answered)
    assert told.value.code == "on_its_way"
    (claimed,) = await scene.database.transaction(outbox.claim, "test")
    await scene.database.transaction(outbox.record, claimed, Accepted("1"))
    with pytest.raises(Conflict) as told:
        await split(scene, agent, talk, late)
    assert told.value.code == "unanswered"
    apart = await split(scene, agent, talk, question, answered, holds=True)
    assert (apart.status, apart.assignee_id, apart.resolved_at) == ("resolved", None, apart.last_entry_at)
    assert (await view_of(scene, talk)).unanswered_since is not None
    # It is no newer than what it was taken out of: the customer goes on there.
    await scene.database.transaction(dispatcher.resolve, agent, talk)
    clock.advance(60)
    assert (await scene.say("And still", sender="ani")).conversation_id == talk


async def test_a_contact_of_its_own_is_counted_once_and_rebuilding_changes_nothing(
    scene: Scene,
    agent: Viewer,
    clock: FrozenClock,
) -> None:
    first, _, _ = await two_matters(scene, agent, clock)
    apart = await split(scene, agent, first, await entry_of(scene, "And the lamp?"), holds=True)
    assert (apart.assignee_id, apart.status) == (agent.user_id, "open")
    await answer(scene, agent, apart.id, "It is on its way.")
    await scene.database.transaction(dispatcher.resolve, agent, apart.id)
    await project_all(scene.database)
    facts = (tables.fact_contact, tables.fact_response, tables.fact_resolution, tables.fact_segment)
    found = {table.name: await scene.rows(table) for table in facts}
    assert [row["conversation_id"] for row in found["fact_contact"]] == [first, apart.id]
    assert [(row["conversation_id"], row["is_first"]) for row in found["fact_response"]] == [
        (first, True),
        (apart.id, True),
    ]
    assert [row["conversation_id"] for row in found["fact_resolution"]] == [apart.id]
    await scene.database.transaction(begin_rebuild)
    await project_all(scene.database)
    assert {table.name: await scene.rows(table) for table in facts} == found


async def test_what_may_not_be_taken_out_is_told(
    scene: Scene,
    agent: Viewer,
    clock: FrozenClock,
) -> None:
    first, sent_id, _ = await two_matters(scene, agent, clock)
    lamp, order = await entry_of(scene, "And the lamp?"), await entry_of(scene, "Where is my order?")
    other = await opened(scene, sender="besik@example.com", subject="Else", text="Other")
    elsewhere = await entry_of(scene, "Other")
    for entry_ids, more in (
        ((), {}),
        ((elsewhere,), {}),
        ((lamp, order, sent_id), {}),
        ((lamp,), {"queue_id": 999}),
        ((lamp,), {"topic_id": 999}),
    ):
        with pytest.raises(InvalidInput):
            await split(scene, agent, first, *entry_ids, **more)
    with pytest.raises(Conflict):
        await split(scene, agent, first, lamp, expected_version=999)
    colleague = await scene.agent("Besik")
    await scene.database.transaction(dispatcher.claim, colleague, first, None)
    with pytest.raises(Forbidden):
        await split(scene, agent, first, lamp)
    assert await texts_of(scene, other) == ["Other"]
    assert isinstance(await scene.database.read(conversations.load_conversation, first), ConversationView)
