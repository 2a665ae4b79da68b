"""Whoever is named in a note is told, and may look from then on: in lists, on the card, and live."""

from __future__ import annotations

import asyncio

import pytest

from hub.agents import alerts, teams
from hub.agents.teams import Team
from hub.agents.viewer import Viewer
from hub.domain.events import user_topic
from hub.domain.states import ConversationStatus
from hub.domain.values import AuthorKind, Direction, EntryKind, Role
from hub.domain.views import Author, EntryView
from hub.errors import Forbidden, InvalidInput, NotFound
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, customers, mentions
from hub.timeline.mentions import Ref
from hub.timeline.participants import MOST, read_ids, write_ids
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


def post(tx: Tx, viewer: Viewer, conversation_id: int, refs: list[Ref]) -> EntryView:
    """As the API does it."""
    before = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
    named = mentions.read_mentions(tx, viewer, before, refs)
    entry, view = conversations.add_entry(
        tx,
        before,
        kind=EntryKind.NOTE,
        direction=Direction.INTERNAL,
        author=Author(AuthorKind.AGENT, viewer.name, viewer.user_id),
        text="Look at this",
        data=named.words,
        participants=write_ids({*before.participant_ids, *named.newcomers}),
    )
    mentions.tell_mentions(tx, viewer, entry, view, named)
    return entry


async def told(scene: Scene, viewer: Viewer) -> list[tuple[str, object]]:
    return [(each.reason, each.data["as"]) for each in await scene.database.read(alerts.load_unseen, viewer.user_id)]


async def seen_by(scene: Scene, viewer: Viewer) -> list[int]:
    def load(tx: Tx) -> list[int]:
        page = conversations.load_page(
            tx,
            viewer,
            status=ConversationStatus.OPEN,
            assignee="any",
            queue_id=None,
            words=None,
            before=None,
            limit=10,
        )
        return [view.id for view in page]

    return await scene.database.read(load)


async def test_a_colleague_who_is_named_is_told_and_sees_it_wherever_it_goes(scene: Scene) -> None:
    nare, stranger = await scene.agent("Nare"), await scene.agent("Stranger", queue_ids=set())
    other = await scene.queue("Other")
    conversation_id = await scene.opened()
    assert await seen_by(scene, stranger) == []
    entry = await scene.database.transaction(post, nare, conversation_id, [Ref("user", stranger.user_id)])
    assert entry.data == {f"user:{stranger.user_id}": "Stranger"}
    (alert,) = await scene.database.read(alerts.load_unseen, stranger.user_id)
    assert (alert.reason, alert.entry_id, alert.data["by"]) == ("mention", entry.id, "Nare")
    added = [event for event in await scene.events() if event.kind == "entry.added"][-1]
    assert user_topic(stranger.user_id) in added.topics, "the note itself comes live"
    await scene.database.transaction(
        dispatcher.transfer, nare, conversation_id, agent_id=None, queue_id=other, note=None
    )
    assert await seen_by(scene, stranger) == [conversation_id]
    view = await scene.database.read(conversations.access_conversation, stranger, conversation_id)
    await scene.database.read(customers.access_customer, stranger, view.customer_id)
    assert await scene.database.read(conversations.load_visible, stranger, [conversation_id]) == {conversation_id}
    await scene.say("And another thing")
    written = [event for event in await scene.events() if event.kind == "entry.added"][-1]
    assert user_topic(stranger.user_id) in written.topics, "what the customer writes, too"


async def test_whoever_leaves_sees_it_no_more_and_is_told_to_drop_it(scene: Scene) -> None:
    nare, stranger = await scene.agent(), await scene.agent(queue_ids=set())
    conversation_id = await scene.opened()
    await scene.database.transaction(post, nare, conversation_id, [Ref("user", stranger.user_id)])
    with pytest.raises(Forbidden):
        await scene.database.transaction(mentions.leave, nare, conversation_id, stranger.user_id)
    await scene.database.transaction(mentions.leave, stranger, conversation_id, stranger.user_id)
    hidden = [event for event in await scene.events() if event.kind == "conversation.hidden"]
    assert [event.topics for event in hidden] == [frozenset({user_topic(stranger.user_id)})]
    assert await seen_by(scene, stranger) == []
    with pytest.raises(NotFound):
        await scene.database.read(conversations.access_conversation, stranger, conversation_id)


async def test_a_team_and_the_queue_are_all_their_people_each_told_once_and_not_the_writer(scene: Scene) -> None:
    nare, bert = await scene.agent("Nare"), await scene.agent("Bert")
    far, sue = (
        await scene.agent("Far", queue_ids=set()),
        await scene.agent("Sue", role=Role.SUPERVISOR, queue_ids=set()),
    )
    members = [far.user_id, sue.user_id, nare.user_id, bert.user_id]
    team = await scene.database.transaction(teams.create_team, Team("Night", member_ids=members))
    conversation_id = await scene.opened()
    refs = [Ref("team", team.id), Ref("queue", scene.queue_id), Ref("user", bert.user_id)]
    await scene.database.transaction(post, nare, conversation_id, refs)
    assert [await told(scene, each) for each in (nare, bert, far, sue)] == [
        [],
        [("mention", None)],
        [("mention", "Night")],
        [("mention", "Night")],
    ]
    view = await scene.database.read(conversations.load_conversation, conversation_id)
    assert view.participant_ids == (far.user_id,), "the others see it anyway"


async def test_a_mention_outlasts_the_solution(scene: Scene) -> None:
    nare, bert = await scene.agent(), await scene.agent()
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, nare, conversation_id, None)
    await scene.database.transaction(post, nare, conversation_id, [Ref("user", bert.user_id)])
    await scene.database.transaction(dispatcher.resolve, nare, conversation_id)
    assert await told(scene, bert) == [("mention", None)]


async def test_nobody_of_that_kind_is_a_fault_of_the_note(scene: Scene) -> None:
    nare = await scene.agent()
    conversation_id = await scene.opened()
    with pytest.raises(InvalidInput) as refused:
        await scene.database.transaction(post, nare, conversation_id, [Ref("team", 99)])
    assert refused.value.fields == {"mentions": "there is no team 99"}
    assert await scene.rows(tables.entry, kind="note") == []


async def test_two_notes_at_once_ask_both_in(scene: Scene) -> None:
    nare = await scene.agent()
    strangers = [await scene.agent(queue_ids=set()) for _ in range(4)]
    conversation_id = await scene.opened()
    await asyncio.gather(
        *(
            scene.database.transaction(post, nare, conversation_id, [Ref("user", stranger.user_id)])
            for stranger in strangers
        )
    )
    view = await scene.database.read(conversations.load_conversation, conversation_id)
    assert view.participant_ids == tuple(stranger.user_id for stranger in strangers)


def test_participants_are_as_they_were_written_and_not_too_many() -> None:
    assert [read_ids(write_ids(ids)) for ids in ([], [7], [30, 3, 3])] == [(), (7,), (3, 30)]
    with pytest.raises(InvalidInput):
        write_ids(range(MOST + 1))


async def test_ids_that_contain_another_are_not_that_one(scene: Scene) -> None:
    people = [await scene.agent(queue_ids=set()) for _ in range(12)]
    conversation_id = await scene.opened()
    nare = await scene.agent()
    await scene.database.transaction(post, nare, conversation_id, [Ref("user", people[11].user_id)])
    assert [bool(await seen_by(scene, each)) for each in people] == [False] * 11 + [True]
