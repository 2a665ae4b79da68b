"""Conversations that turn out to be one matter: made one, and apart again as before; what comes goes on to the one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from hub.agents.viewer import Viewer
from hub.channels.channel import Consent
from hub.domain.values import AuthorKind, ContactKind, Happening
from hub.domain.views import Author, ConversationView
from hub.errors import Conflict, Forbidden, HubError, InvalidInput
from hub.kpi.facts import begin_rebuild
from hub.kpi.figures import Query, load_figures
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database, Tx
from hub.timeline import conversations, joining, merging, outbox, parts, tasks
from hub.writing import drafts, planned
from hub.writing.posting import Message
from tests.kpi.random_facts import project_all
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.timeline.test_mails import CHANNEL, answer, arrival, opened, sent, take, thread_of

pytestmark = pytest.mark.anyio

COMPARED = (
    *(tables.conversation, tables.entry, tables.mail, tables.outbox, tables.task, tables.planned_message),
    *(tables.draft, tables.alert, tables.survey),
)
# Bound to change: versions, who wrote a row last, and what tells of the merge itself.
_BOUND = frozenset(
    {"version", "last_entry_at", "updated_at", "began_at", "writer", "assigned_at", "visit", "next_step_at"}
)
_OWN_LINES = {Happening.MERGED, Happening.TOOK_IN, Happening.UNMERGED}


async def photograph(database: Database) -> dict[str, list[Mapping[str, Any]]]:
    def load(tx: Tx) -> dict[str, list[Mapping[str, Any]]]:
        found: dict[str, list[Mapping[str, Any]]] = {}
        for table in COMPARED:
            columns = [
                column for column in table.c if column.name not in _BOUND and not column.name.startswith("visit")
            ]
            rows = [dict(row._mapping) for row in tx.rows(select(*columns).order_by(*table.primary_key))]
            found[table.name] = [row for row in rows if row.get("happening") not in _OWN_LINES]
            if table is tables.draft:
                found[table.name] = [row for row in rows if row["text"] or row["note"]]
        return found

    return await database.read(load)


@pytest.fixture
async def agent(scene: Scene) -> Viewer:
    await scene.channel(CHANNEL, "email")
    await scene.set(tables.channel, {"settings": {"address": "support@shop.test"}}, id=CHANNEL)
    await scene.channel("second", "loopback")
    return await scene.agent("Anna")


async def merge(scene: Scene, viewer: Viewer, into: int, *others: int, **more: Any) -> int:
    """The id of the merge (of the last one)."""
    merges, view = await scene.database.transaction(joining.merge, viewer, into, others, **more)
    assert view.id == into
    return merges[0].id


async def undo(scene: Scene, viewer: Viewer, merge_id: int) -> None:
    await scene.database.transaction(joining.undo, viewer, merge_id)


async def view_of(scene: Scene, conversation_id: int) -> ConversationView:
    return await scene.database.read(conversations.load_conversation, conversation_id)


async def texts_of(scene: Scene, conversation_id: int) -> list[str]:
    rows = await scene.rows(tables.entry, conversation_id=conversation_id, kind="message")
    return [row["text"] for row in sorted(rows, key=lambda row: (row["at"], row["id"]))]


async def two(scene: Scene) -> tuple[int, int]:
    """Of one customer, who writes to two numbers of ours."""
    return await scene.opened("First", sender="ani"), await scene.opened("Second", sender="ani", channel_id="second")


def test_every_table_that_names_a_conversation_is_moved_or_says_why_not() -> None:
    """A new one joins a list in timeline.parts, for merges and for splits."""
    naming = {
        f"{table.name}.{column.name}"
        for table in tables.metadata.tables.values()
        for column in table.c
        if column.name.startswith("conversation_id")
        or any(key.target_fullname == "conversation.id" for key in column.foreign_keys)
        or (table is tables.conversation and column.name in ("merged_into", "split_from"))
    }
    with_entry = {f"{table.name}.conversation_id" for table in (tables.entry, *parts.WITH_ENTRY)}
    known = with_entry | parts.AT_MERGE.keys() | parts.STAYS.keys()
    assert naming - known == set(), "neither moved nor named with a reason"
    assert known - naming == set(), "no longer there"
    assert all(f"{table.name}.entry_id" in {str(column) for column in table.c} for table in parts.WITH_ENTRY)


async def test_two_become_one_and_two_again_row_by_row(scene: Scene, agent: Viewer, clock: FrozenClock) -> None:
    into, other = await two(scene)
    for conversation_id in (into, other):
        await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await scene.set(tables.conversation, {"tags": ["vip"], "fields": {"plan": "gold"}, "priority": 5}, id=other)
    await scene.set(tables.conversation, {"tags": ["late"], "topic_id": None}, id=into)
    due = clock() + timedelta(days=1)
    wish = tasks.Wish(kind="follow_up", title="Ring them", note="", due_at=due)
    await scene.database.transaction(tasks.create_task, agent, wish, conversation_id=other)
    words = drafts.Words(text="Half a sen")
    await scene.database.transaction(lambda tx: drafts.save(tx, agent, other, words, expected_version=0, writer="page"))
    await scene.database.transaction(
        lambda tx: planned.plan(
            tx,
            agent,
            other,
            Message("Tomorrow then."),
            head=None,
            segments=1,
            send_at=due,
            hold_s=0,
            despite=False,
            key=None,
            request_hash="",
            ending=None,
        )
    )
    clock.advance(60)
    await scene.say("Third", sender="ani")
    before = await photograph(scene.database)
    clock.advance(60)
    merge_id = await merge(scene, agent, into, other)
    joined, gone = await view_of(scene, into), await view_of(scene, other)
    assert (joined.assignee_id, joined.status, joined.tags) == (agent.user_id, "open", ("late", "vip"))
    assert joined.fields == {"plan": "gold"}
    assert (gone.status, gone.assignee_id, gone.merged_into_id) == ("resolved", None, into)
    assert await texts_of(scene, into) == ["First", "Second", "Third"]
    assert joined.preview == "Third"
    (second,) = await scene.rows(tables.entry, text="Second")
    assert second["origin_id"] == other
    assert [row["happening"] for row in await scene.rows(tables.entry, conversation_id=other)] == ["merged"]
    assert (await scene.row(tables.task))["conversation_id"] == into
    (stopped,) = await scene.rows(tables.planned_message)
    assert (stopped["conversation_id"], stopped["state"], stopped["reason"]) == (into, "stopped", "merged")
    assert {row["conversation_id"]: row["text"] for row in await scene.rows(tables.draft)} == {
        into: words.text,
        other: "",
    }
    assert await scene.rows(tables.assignment, conversation_id=other, ended_at=None) == []
    clock.advance(60)
    await undo(scene, agent, merge_id)
    await undo(scene, agent, merge_id)
    apart = await view_of(scene, other)
    assert (apart.status, apart.assignee_id, apart.merged_into_id) == ("open", agent.user_id, None)
    assert await texts_of(scene, other) == ["Second"]
    after = await photograph(scene.database)
    # Somebody was told that the message stopped, and has not to look at it any more.
    assert [row["reason"] for row in after.pop("alert") if row["seen_at"] is None] == []
    before.pop("alert")
    assert after == before
    noted = [(row["action"], row["subject_id"]) for row in await scene.rows(tables.audit)]
    assert noted == [("conversation.merged", str(into)), ("conversation.unmerged", str(into))]


async def test_what_comes_to_the_merged_one_comes_to_the_other(scene: Scene, agent: Viewer, clock: FrozenClock) -> None:
    into, other = await two(scene)
    merge_id = await merge(scene, agent, into, other)
    outcome = await scene.say("Still there?", sender="ani", channel_id="second")
    assert outcome.conversation_id == into
    assert outcome.entry_id is not None
    entry = await scene.database.read(conversations.load_entry, outcome.entry_id)
    assert (entry.channel_id, entry.origin_id) == ("second", other)
    assert (await scene.say("And here", sender="ani")).conversation_id == into
    with pytest.raises(Conflict) as told:
        await scene.database.transaction(dispatcher.reopen, agent, other)
    assert (told.value.code, told.value.fields) == ("merged", {"into": str(into)})
    await scene.database.transaction(dispatcher.claim, agent, into, None)
    await scene.database.transaction(dispatcher.resolve, agent, into)
    clock.advance(3_600)
    assert (await scene.say("Once more", sender="ani", channel_id="second")).conversation_id == into
    assert (await view_of(scene, into)).status == "open"
    await undo(scene, agent, merge_id)
    assert await texts_of(scene, other) == ["Second", "Still there?", "Once more"]
    assert await texts_of(scene, into) == ["First", "And here"]
    apart = await view_of(scene, other)
    assert (apart.status, apart.unanswered_since) == ("open", clock())
    # Long after the other was resolved a new one begins, as it always does; and there is no way back for what was open.
    merge_id = await merge(scene, agent, into, other)
    await scene.database.transaction(dispatcher.claim, agent, into, None)
    await scene.database.transaction(dispatcher.resolve, agent, into)
    clock.advance(30 * 86_400)
    new = await scene.opened("Something new", sender="ani", channel_id="second")
    assert new not in (into, other)


async def test_nothing_unanswered_is_lost_on_either_way(scene: Scene, agent: Viewer, clock: FrozenClock) -> None:
    other = await scene.opened("Since morning", sender="ani", channel_id="second")
    asked_at = clock()
    clock.advance(600)
    into = await scene.opened("Since noon", sender="ani")
    noon = clock()
    merge_id = await merge(scene, agent, into, other)
    joined = await view_of(scene, into)
    assert (joined.unanswered_since, joined.queued_since) == (asked_at, asked_at)
    await undo(scene, agent, merge_id)
    apart, left = await view_of(scene, other), await view_of(scene, into)
    assert (apart.unanswered_since, apart.queued_since) == (asked_at, asked_at)
    assert (left.unanswered_since, left.queued_since) == (noon, noon)
    # Answered as one: both are.
    merge_id = await merge(scene, agent, into, other)
    await scene.database.transaction(dispatcher.claim, agent, into, None)
    author = Author(AuthorKind.AGENT, agent.name, agent.user_id)
    await scene.database.transaction(outbox.enqueue, into, author, "Here you are.")
    await undo(scene, agent, merge_id)
    assert [(await view_of(scene, each)).unanswered_since for each in (into, other)] == [None, None]
    assert await texts_of(scene, into) == ["Since noon", "Here you are."]


async def test_of_several_that_were_merged_each_waits_since_its_own_line(
    scene: Scene, agent: Viewer, clock: FrozenClock
) -> None:
    ids, at = [], []
    for number in range(3):
        await scene.channel(f"line-{number}", "loopback")
        ids.append(await scene.opened(f"{number}", sender="ani", channel_id=f"line-{number}"))
        at.append(clock())
        clock.advance(60)
    oldest, first, later = ids
    into = await scene.opened("Hello", sender="ani")

    async def answer_in(conversation_id: int) -> None:
        author = Author(AuthorKind.AGENT, agent.name, agent.user_id)
        await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
        await scene.database.transaction(outbox.enqueue, conversation_id, author, "Here you are.")

    async def waits(conversation_id: int) -> Any:
        return (await view_of(scene, conversation_id)).unanswered_since

    await answer_in(into)
    one = await merge(scene, agent, into, first)
    await merge(scene, agent, into, later)
    await undo(scene, agent, one)
    assert (await waits(first), await waits(into)) == (at[1], at[2]), "what came with the later one still waits"
    await answer_in(first)
    two = await merge(scene, agent, into, first)
    await merge(scene, agent, into, oldest)
    await undo(scene, agent, two)
    assert (await waits(first), await waits(into)) == (None, at[0]), "what is answered does not wait again"


async def test_of_tags_and_people_each_goes_with_its_own(scene: Scene, agent: Viewer) -> None:
    into, *others = [await scene.opened(sender="ani")]
    for number, (tags, people) in enumerate(((["a", "both"], ",7,"), (["b", "both"], ",8,"))):
        await scene.channel(f"line-{number}", "loopback")
        others.append(await scene.opened(sender="ani", channel_id=f"line-{number}"))
        await scene.set(tables.conversation, {"tags": tags, "participants": people}, id=others[-1])
    merges = [await merge(scene, agent, into, other) for other in others]
    # Somebody is asked into it, and it is tagged.
    more: dict[str, object] = {"tags": ["a", "both", "b", "late"], "participants": ",7,8,9,"}
    await scene.set(tables.conversation, more, id=into)
    told = []
    for merge_id in merges:
        await undo(scene, agent, merge_id)
        view = await view_of(scene, into)
        told.append((view.tags, view.participant_ids))
    assert told == [(("both", "b", "late"), (8, 9)), (("both", "late"), (9,))]


async def test_who_waits_wakes_what_was_put_aside(scene: Scene, agent: Viewer, clock: FrozenClock) -> None:
    other, into = await two(scene)
    await scene.database.transaction(dispatcher.claim, agent, into, None)
    until = clock() + timedelta(days=3)
    await scene.database.transaction(dispatcher.park, agent, into, until)
    merge_id = await merge(scene, agent, into, other)
    woken = (await view_of(scene, into)).parked_until
    assert woken is not None
    assert woken <= clock()
    await undo(scene, agent, merge_id)
    assert (await view_of(scene, into)).parked_until == until


async def test_words_and_mails_of_a_merged_thread_lead_on(scene: Scene, agent: Viewer) -> None:
    other, into = await opened(scene, subject="Order"), await opened(scene, subject="Broken lamp")
    old_word = await thread_of(scene, other)
    await answer(scene, agent, other, "Waiting to leave.")
    await merge(scene, agent, into, other)
    claimed = await sent(scene)
    assert claimed.message.mail is not None
    # It leaves as it was written.
    assert claimed.message.mail.thread == old_word
    by_word = await take(scene, arrival("By its word", subject="Re: Order", thread=old_word))
    named = f"{claimed.message.delivery_id}@shop.test"
    by_reference = await take(scene, arrival("By reference", subject="Other", references=(named,)))
    by_subject = await take(scene, arrival("By subject", subject="Re: Order"))
    assert [one.conversation_id for one in (by_word, by_reference, by_subject)] == [into, into, into]
    origins = {row["text"]: row["origin_id"] for row in await scene.rows(tables.entry, kind="message", direction="in")}
    assert {origins[text] for text in ("By its word", "By reference", "By subject")} == {other}
    await answer(scene, agent, into, "For both.")
    claimed = await sent(scene)
    assert claimed.message.mail is not None
    assert claimed.message.mail.thread == await thread_of(scene, into)


async def test_who_goes_silent_on_the_merged_address_is_silent_there_alone(scene: Scene, agent: Viewer) -> None:
    into = await opened(scene)
    customer = (await view_of(scene, into)).customer_id
    other = await scene.opened("By text", sender="ani")
    await scene.set(tables.conversation, {"customer_id": customer}, id=other)
    await scene.set(tables.contact_point, {"customer_id": customer}, address="ani")
    author = Author(AuthorKind.AGENT, agent.name, agent.user_id)
    await scene.database.transaction(outbox.enqueue, other, author, "One moment")
    await merge(scene, agent, into, other)
    # What waits to leave goes where it was to go.
    (claimed,) = await scene.database.transaction(outbox.claim, "test")
    assert (claimed.channel_id, claimed.message.recipient, claimed.message.mail) == ("loop", "ani", None)
    await scene.say("STOP", sender="ani", consent=Consent.STOP)
    silent = {row["address"]: row["opted_out_at"] is not None for row in await scene.rows(tables.contact_point)}
    assert silent == {"ani": True, "ani@example.com": False}


async def test_chains_are_undone_from_their_end(scene: Scene, agent: Viewer) -> None:
    a, b = await two(scene)
    await scene.channel("third", "loopback")
    c = await scene.opened("Third", sender="ani", channel_id="third")
    before = await photograph(scene.database)
    first = await merge(scene, agent, b, a)
    middle = await photograph(scene.database)
    second = await merge(scene, agent, c, b)
    assert {row["merged_into"] for row in await scene.rows(tables.conversation)} == {None, c}
    assert (await scene.say("More", sender="ani")).conversation_id == c
    await scene.database.transaction(lambda tx: tx.execute(tables.entry.delete().where(tables.entry.c.text == "More")))
    with pytest.raises(Conflict, match="undo that first"):
        await undo(scene, agent, first)
    await undo(scene, agent, second)
    assert strip(await photograph(scene.database)) == strip(middle)
    await undo(scene, agent, first)
    assert strip(await photograph(scene.database)) == strip(before)


async def test_cards_are_not_parted_while_lines_of_one_stand_in_a_conversation_of_the_other(
    scene: Scene, agent: Viewer
) -> None:
    ours, theirs = await scene.opened("Mine", sender="ani"), await scene.opened("Private", sender="bob")
    ani, bob = [(await view_of(scene, each)).customer_id for each in (ours, theirs)]
    made, _ = await scene.database.transaction(merging.merge, agent, ani, bob, choices={})
    merge_id = await merge(scene, agent, ours, theirs)
    with pytest.raises(Conflict) as refused:
        await scene.database.transaction(merging.undo, agent, made.id)
    assert (refused.value.code, refused.value.fields) == (
        "conversations_merged",
        {"id": str(theirs), "into": str(ours)},
    )
    await undo(scene, agent, merge_id)
    await scene.database.transaction(merging.undo, agent, made.id)
    lines = {(row["text"], row["customer_id"]) for row in await scene.rows(tables.entry, kind="message")}
    assert lines == {("Mine", ani), ("Private", bob)}


def strip(photo: dict[str, list[Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Without what a further message has changed."""
    return {
        name: [{key: value for key, value in row.items() if key != "preview"} for row in rows]
        for name, rows in photo.items()
    }


async def test_several_go_at_once_and_what_may_not_is_told(scene: Scene, agent: Viewer) -> None:
    into, other = await two(scene)
    await scene.channel("third", "loopback")
    third = await scene.opened("Third", sender="ani", channel_id="third")
    stranger = await scene.opened("Not hers", sender="besik")
    colleague = await scene.agent("Besik")
    elsewhere = await scene.agent("Nobody", queue_ids=set())
    merging: list[tuple[type[HubError], Viewer, tuple[int, ...], dict[str, Any]]] = [
        (InvalidInput, agent, (into,), {}),
        (InvalidInput, agent, (stranger,), {}),
        (InvalidInput, agent, (999,), {}),
        (InvalidInput, agent, (), {}),
        (Conflict, agent, (other,), {"expected_versions": {other: 99}}),
        (HubError, elsewhere, (other,), {}),
    ]
    for error, viewer, others, more in merging:
        with pytest.raises(error):
            await merge(scene, viewer, into, *others, **more)
    await scene.database.transaction(dispatcher.claim, colleague, other, None)
    with pytest.raises(Forbidden):
        await merge(scene, agent, into, other)
    await scene.database.transaction(dispatcher.resolve, colleague, other)
    with pytest.raises(Conflict) as told:
        await merge(scene, agent, other, into)
    assert told.value.code == "resolved_target"
    found = await scene.database.read(joining.find_targets, agent, into)
    assert {(one.conversation.id, one.refused, one.messages) for one in found} == {
        (third, None, 1),
        (other, "resolved_target", 1),
    }
    await merge(scene, agent, into, other, third)
    assert await texts_of(scene, into) == ["First", "Second", "Third"]
    assert len(await scene.database.read(joining.load_merges, agent, into)) == 2


async def test_whoever_is_in_a_chat_is_not_left_there(scene: Scene, agent: Viewer) -> None:
    await scene.channel("chat", "chat")
    mail = await opened(scene)
    customer = (await view_of(scene, mail)).customer_id
    chat = await scene.opened("Anybody?", channel_id="chat", sender="visitor", kind=ContactKind.CHAT)
    await scene.set(tables.conversation, {"customer_id": customer}, id=chat)
    await scene.set(tables.contact_point, {"customer_id": customer}, address="visitor")
    for into, other, code in ((mail, chat, "customer_waits"), (chat, mail, "live_target")):
        with pytest.raises(Conflict) as told:
            await merge(scene, agent, into, other)
        assert told.value.code == code
    await scene.database.transaction(dispatcher.claim, agent, chat, None)
    await scene.database.transaction(dispatcher.resolve, agent, chat)
    await merge(scene, agent, mail, chat)
    again = await scene.say("Me again", channel_id="chat", sender="visitor", kind=ContactKind.CHAT)
    assert again.conversation_id not in (mail, chat)


# --- at once, and figures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(4))
async def test_what_arrives_at_the_very_moment_of_a_merge_stands_in_no_emptied_one(
    scene: Scene, agent: Viewer, turn: int
) -> None:
    into, other = await two(scene)

    async def write() -> None:
        await asyncio.sleep(turn / 1_000)
        await scene.say("At this moment", sender="ani", channel_id="second")

    done = await asyncio.gather(
        merge(scene, agent, into, other), merge(scene, agent, other, into), write(), return_exceptions=True
    )
    assert all(one is None or isinstance(one, int | Conflict | InvalidInput) for one in done), done
    (dead,) = [row["id"] for row in await scene.rows(tables.conversation) if row["merged_into"] is not None]
    assert await texts_of(scene, dead) == []


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_merged_and_undone_rebuilding_gives_the_same_rows(
    scene: Scene, agent: Viewer, clock: FrozenClock, seed: int
) -> None:
    draw = random.Random(seed)
    channels = ["loop", "second", "third", "fourth"]
    for name in channels[2:]:
        await scene.channel(name, "loopback")
    live: list[int] = []
    author = Author(AuthorKind.AGENT, agent.name, agent.user_id)
    for _ in range(40):
        clock.advance(draw.randrange(1, 900))
        ids = [row["id"] for row in await scene.rows(tables.conversation)]
        with suppress(HubError):
            match draw.randrange(5):
                case 0 | 1:
                    await scene.say("Word", sender="ani", channel_id=draw.choice(channels))
                case 2 if len(ids) > 1:
                    live.append(await merge(scene, agent, *draw.sample(ids, 2)))
                case 3 if live:
                    await undo(scene, agent, draw.choice(live))
                case 4 if ids:
                    work = draw.choice(ids)
                    await scene.database.transaction(dispatcher.claim, agent, work, None)
                    await scene.database.transaction(outbox.enqueue, work, author, "Yes")
                    if draw.random() < 0.5:
                        await scene.database.transaction(dispatcher.resolve, agent, work)
    for row in await scene.rows(tables.conversation):
        assert row["merged_into"] is None or await texts_of(scene, row["id"]) == []
    said = len(await scene.rows(tables.entry, kind="message"))
    assert said == sum([len(await texts_of(scene, row["id"])) for row in await scene.rows(tables.conversation)])
    await project_all(scene.database)
    asked = Query(
        ("contacts", "resolved", "fcr", "first_response_s"), clock().date() - timedelta(days=3), clock().date()
    )
    first = await scene.database.read(load_figures, asked, clock())
    facts = {table: await scene.rows(table) for table in FACTS}
    await scene.database.transaction(begin_rebuild)
    await project_all(scene.database)
    again = await scene.database.read(load_figures, asked, clock())
    assert again.rows == first.rows
    assert {table: await scene.rows(table) for table in FACTS} == facts


FACTS = (
    tables.fact_contact,
    tables.fact_response,
    tables.fact_resolution,
    tables.fact_segment,
    tables.fact_queue_visit,
)


async def test_no_contact_is_made_or_unmade_and_closing_is_no_resolution(
    scene: Scene, agent: Viewer, clock: FrozenClock
) -> None:
    into, other = await two(scene)
    for conversation_id in (into, other):
        await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(60)
    await merge(scene, agent, into, other)
    await scene.database.transaction(
        outbox.enqueue, into, Author(AuthorKind.AGENT, agent.name, agent.user_id), "For both."
    )
    await scene.database.transaction(dispatcher.resolve, agent, into)
    await project_all(scene.database)
    counted = {table.name: [row["conversation_id"] for row in await scene.rows(table)] for table in FACTS}
    assert counted["fact_contact"] == [into, other]
    assert counted["fact_response"] == counted["fact_resolution"] == [into]
    ends = {row["conversation_id"]: row["end_reason"] for row in await scene.rows(tables.fact_segment)}
    assert ends == {other: "merged", into: "resolved"}
