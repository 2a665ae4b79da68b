"""Whether a chat's visitor is there: told once when they leave and once when they come back, by whichever process knows."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.agents import presence
from hub.agents.viewer import Viewer
from hub.domain.states import ConversationStatus
from hub.domain.values import ContactKind, Role
from hub.privacy import erasing, requests
from hub.routing import dispatcher, offers
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.store.migrate import downgrade, migrate
from hub.timeline import conversations, joining, merging, visitor_presence
from hub.timeline.visitor_presence import Visitor
from tests.kpi.random_facts import project_all
from tests.support.clock import START, FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GRACE_S = 25.0


@pytest.fixture
async def chat(scene: Scene) -> Scene:
    await scene.channel("chat", "chat")
    return scene


async def begun(scene: Scene, sender: str = "v1", text: str = "Hello") -> tuple[int, Visitor]:
    """A visitor writes: the conversation, and who they are."""
    conversation_id = await scene.opened(text, sender=sender, channel_id="chat", kind=ContactKind.CHAT)
    row = await scene.row(tables.conversation, id=conversation_id)
    return conversation_id, (row["contact_point_id"], "chat")


async def came(scene: Scene, visitor: Visitor, process: str = "p1") -> None:
    await scene.database.transaction(visitor_presence.note, process, [visitor], {})


async def left(scene: Scene, visitor: Visitor, process: str = "p1", at: datetime | None = None) -> None:
    await scene.database.transaction(visitor_presence.note, process, [], {visitor: at or scene.database.clock()})


async def alive(scene: Scene, process: str) -> bool:
    silence = visitor_presence.silence(GRACE_S)
    return await scene.database.transaction(presence.say_alive, process, silence)


async def swept(scene: Scene) -> None:
    while await scene.database.transaction(visitor_presence.sweep, GRACE_S):
        pass


async def away_since(scene: Scene, conversation_id: int) -> datetime | None:
    view = await scene.database.read(conversations.load_conversation, conversation_id)
    return view.visitor_away_since


async def told(scene: Scene, after: int, conversation_id: int) -> list[datetime | None]:
    """What events said of it, in their order."""
    bodies = [json.loads(each.body) for each in await scene.events(after) if each.kind == "conversation.changed"]
    own = [body["conversation"] for body in bodies if body["conversation"]["id"] == conversation_id]
    versions = [view["version"] for view in own]
    assert versions == sorted(set(versions)), "whoever keeps the higher version ends with what was told last"
    return [_instant(view["visitor_away_since"]) for view in own]


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


async def last_seq(scene: Scene) -> int:
    events = await scene.events()
    return events[-1].seq if events else 0


async def test_who_leaves_is_away_and_who_comes_back_is_here(chat: Scene, clock: FrozenClock) -> None:
    conversation_id, visitor = await begun(chat)
    before = await last_seq(chat)
    await came(chat, visitor)
    assert await away_since(chat, conversation_id) is None
    shut_at = clock.advance(60)
    clock.advance(GRACE_S)
    await left(chat, visitor, at=shut_at)
    assert await away_since(chat, conversation_id) == shut_at, "since they left, not since it was known"
    await left(chat, visitor)
    assert await away_since(chat, conversation_id) == shut_at
    clock.advance(60)
    await came(chat, visitor)
    await came(chat, visitor)
    assert await away_since(chat, conversation_id) is None
    assert await told(chat, before, conversation_id) == [shut_at, None]


async def test_nothing_else_about_the_conversation_changes(chat: Scene, clock: FrozenClock) -> None:
    """No line, no fact, no other turn: its row is the same but for the version, and it keeps its place in every list."""
    agent = await chat.agent()
    conversation_id, visitor = await begun(chat)
    later, _ = await begun(chat, "v2")
    before, seq = await chat.row(tables.conversation, id=conversation_id), await last_seq(chat)
    clock.advance(60)
    await left(chat, visitor)
    after = await chat.row(tables.conversation, id=conversation_id)
    assert {name for name in after if after[name] != before[name]} == {"version"}
    assert [event.kind for event in await chat.events(seq)] == ["conversation.changed"]

    def page(tx: Tx) -> list[int]:
        status = ConversationStatus.OPEN
        more: dict[str, Any] = {"queue_id": None, "words": None, "before": None, "limit": 10}
        return [view.id for view in conversations.load_page(tx, agent, status=status, assignee="any", **more)]

    assert await chat.database.read(page) == [later, conversation_id]


async def test_figures_are_what_they_were(chat: Scene, clock: FrozenClock) -> None:
    async def cells() -> list[tuple[Any, ...]]:
        await project_all(chat.database)
        cell = tables.kpi_cell
        return await chat.database.read(lambda tx: [tuple(row) for row in tx.rows(cell.select().order_by(*cell.c))])

    agent = await chat.agent()
    conversation_id, visitor = await begun(chat)
    await chat.database.transaction(dispatcher.claim, agent, conversation_id, None)
    before = await cells()
    await left(chat, visitor)
    await came(chat, visitor)
    assert await cells() == before


async def test_a_chat_whose_visitor_left_goes_on_waiting_and_rings_as_such(chat: Scene, clock: FrozenClock) -> None:
    agent = await chat.agent()
    conversation_id, visitor = await begun(chat)
    await left(chat, visitor)
    await chat.database.transaction(dispatcher.dispatch, GRACE_S)
    (offer,) = await chat.database.read(offers.load_live_offers)
    assert (offer.conversation_id, offer.agent_id) == (conversation_id, agent.user_id)
    assert offer.visitor_away_since == START
    seq = await last_seq(chat)
    await came(chat, visitor)
    made = [json.loads(event.body)["offer"] for event in await chat.events(seq) if event.kind == "offer.made"]
    assert [(each["id"], each["visitor_away_since"]) for each in made] == [(offer.id, None)], "while it rings"


async def test_a_visitor_is_here_as_long_as_any_process_has_a_window_of_theirs(chat: Scene) -> None:
    conversation_id, visitor = await begun(chat)
    before = await last_seq(chat)
    await came(chat, visitor, "p1")
    await came(chat, visitor, "p2")
    await left(chat, visitor, "p1")
    assert await away_since(chat, conversation_id) is None
    await left(chat, visitor, "p2")
    assert await away_since(chat, conversation_id) is not None
    assert len(await told(chat, before, conversation_id)) == 1


async def test_each_site_for_itself(chat: Scene) -> None:
    await chat.channel("other", "chat")
    here, visitor = await begun(chat)
    there = await chat.opened("Hello", sender="v1", channel_id="other", kind=ContactKind.CHAT)
    await came(chat, visitor)
    await came(chat, (visitor[0], "other"))
    await left(chat, visitor)
    assert await away_since(chat, here) is not None
    assert await away_since(chat, there) is None


async def races(databases: list[Database], scene: Scene, visitor: Visitor, number: int) -> list[bool]:
    """Page changes from one process to the other, the goodbye beside the hello; whether they were away after each."""
    seen = []
    for count in range(number):
        old, new = f"p{count % 2}", f"p{(count + 1) % 2}"
        await asyncio.gather(
            databases[0].transaction(visitor_presence.note, old, [], {visitor: scene.database.clock()}),
            databases[1].transaction(visitor_presence.note, new, [visitor], {}),
        )
        seen.append(bool(await scene.rows(tables.visitor_away)))
    return seen


async def test_whoever_changes_the_page_at_that_very_moment_is_here(chat: Scene, database_url: str) -> None:
    _, visitor = await begun(chat)
    await came(chat, visitor, "p0")
    second = open_database(database_url, chat.database.clock)
    assert not any(await races([chat.database, second], chat, visitor, 30))
    await second.close()


async def test_all_windows_shut_at_once_in_several_processes_leave_nobody(chat: Scene, database_url: str) -> None:
    conversation_id, visitor = await begun(chat)
    databases = [chat.database, *(open_database(database_url, chat.database.clock) for _ in range(2))]
    dice = random.Random(7)
    for _ in range(10):
        await asyncio.gather(*(came(chat, visitor, f"p{number}") for number in range(3)))
        assert await away_since(chat, conversation_id) is None
        goodbyes = [
            database.transaction(visitor_presence.note, f"p{number}", [], {visitor: chat.database.clock()})
            for number, database in enumerate(databases)
        ]
        dice.shuffle(goodbyes)
        await asyncio.gather(*goodbyes)
        assert await away_since(chat, conversation_id) is not None
    for database in databases[1:]:
        await database.close()


# --- processes that die -------------------------------------------------------------------------------------------------


async def test_the_visitors_of_a_process_that_died_are_away_since_it_was_last_heard_of(
    chat: Scene, clock: FrozenClock
) -> None:
    conversation_id, visitor = await begun(chat)
    assert not await alive(chat, "p1"), "it was not known before"
    await came(chat, visitor, "p1")
    clock.advance(5)
    assert await alive(chat, "p1")
    heard_at = clock()
    for _ in range(5):
        clock.advance(5)
        await alive(chat, "p2")
        assert not await chat.database.read(visitor_presence.has_dead, GRACE_S)
        await swept(chat)
        assert await away_since(chat, conversation_id) is None, "a process may be slow"
    clock.advance(5)
    assert await chat.database.read(visitor_presence.has_dead, GRACE_S)
    await alive(chat, "p2")
    await swept(chat)
    assert await away_since(chat, conversation_id) == heard_at
    assert [row["id"] for row in await chat.rows(tables.process)] == ["p2"]
    assert await chat.rows(tables.visitor_window) == []
    assert not await alive(chat, "p1"), "and so it learns that it has to write them down again"
    await came(chat, visitor, "p1")
    assert await away_since(chat, conversation_id) is None


async def test_who_found_another_process_was_never_gone(chat: Scene, clock: FrozenClock) -> None:
    conversation_id, visitor = await begun(chat)
    await alive(chat, "p1")
    await came(chat, visitor, "p1")
    before = await last_seq(chat)
    clock.advance(20)
    await alive(chat, "p2")
    await came(chat, visitor, "p2")
    clock.advance(20)
    await alive(chat, "p2")
    await swept(chat)
    assert await told(chat, before, conversation_id) == []
    assert [row["process"] for row in await chat.rows(tables.visitor_window)] == ["p2"]


async def test_two_processes_that_died_with_windows_of_one_visitor(chat: Scene, clock: FrozenClock) -> None:
    conversation_id, visitor = await begun(chat)
    for process in ("p1", "p2"):
        await alive(chat, process)
        await came(chat, visitor, process)
    before = await last_seq(chat)
    clock.advance(60)
    await alive(chat, "p3")
    await swept(chat)
    assert await told(chat, before, conversation_id) == [START]


async def test_windows_of_a_process_nobody_knows_are_cleared_away_too(chat: Scene) -> None:
    conversation_id, visitor = await begun(chat)
    await came(chat, visitor, "unheard of")
    assert await chat.database.read(visitor_presence.has_dead, GRACE_S)
    await swept(chat)
    assert await away_since(chat, conversation_id) is not None


async def test_more_visitors_than_one_step_takes(
    chat: Scene, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor_presence, "_STEP", 2)
    await alive(chat, "p1")
    ids = []
    for number in range(5):
        conversation_id, visitor = await begun(chat, f"v{number}")
        await came(chat, visitor, "p1")
        ids.append(conversation_id)
    clock.advance(60)
    await swept(chat)
    assert all([await away_since(chat, each) == START for each in ids])


async def test_years_of_visits_are_no_more_than_a_statement_takes(chat: Scene) -> None:
    """Whoever is signed in begins a conversation a week, and five hundred are seen to at once."""
    conversation_id, visitor = await begun(chat)
    row = await chat.row(tables.conversation, id=conversation_id)
    past = {
        **{name: row[name] for name in ("customer_id", "contact_point_id", "channel_id", "queue_id", "created_at")},
        **{"status": "resolved", "last_entry_at": START, "resolved_at": START, "arrived_at": START},
    }
    await chat.database.transaction(lambda tx: tx.insert_many(tables.conversation, [past] * 33_000))
    before = await last_seq(chat)
    await left(chat, visitor)
    assert await told(chat, before, conversation_id) == [START]
    await came(chat, visitor)
    assert await told(chat, before, conversation_id) == [START, None]


# --- conversations that end and begin -----------------------------------------------------------------------------------


async def test_what_is_resolved_says_nothing_and_says_it_again_when_it_is_opened(
    chat: Scene, clock: FrozenClock
) -> None:
    agent = await chat.agent()
    conversation_id, visitor = await begun(chat)
    await came(chat, visitor)
    await chat.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await chat.database.transaction(dispatcher.resolve, agent, conversation_id)
    before = await last_seq(chat)
    shut_at = clock.advance(60)
    await left(chat, visitor)
    assert await told(chat, before, conversation_id) == []
    assert await away_since(chat, conversation_id) is None
    await chat.database.transaction(dispatcher.reopen, agent, conversation_id)
    assert await away_since(chat, conversation_id) == shut_at, "whoever opens it again learns that they are gone"


async def test_what_a_visitor_who_is_back_opens_again_says_that_they_are_here(chat: Scene, clock: FrozenClock) -> None:
    agent = await chat.agent()
    conversation_id, visitor = await begun(chat)
    await chat.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await chat.database.transaction(dispatcher.resolve, agent, conversation_id)
    await left(chat, visitor)
    await came(chat, visitor)
    before = await last_seq(chat)
    assert (await begun(chat, text="Again"))[0] == conversation_id
    views = [json.loads(event.body).get("conversation") for event in await chat.events(before)]
    assert {view["visitor_away_since"] for view in views if view and "visitor_away_since" in view} == {None}


async def test_a_first_word_is_written_down_with_the_window_it_came_from(chat: Scene) -> None:
    conversation_id, visitor = await begun(chat)
    await chat.database.transaction(visitor_presence.begin, "p1", visitor)
    await chat.database.transaction(visitor_presence.begin, "p1", visitor)
    assert [row["process"] for row in await chat.rows(tables.visitor_window)] == ["p1"]
    await left(chat, visitor)
    await chat.database.transaction(visitor_presence.begin, "p2", visitor)
    assert await away_since(chat, conversation_id) is None


async def test_a_conversation_that_is_a_part_of_another_says_nothing(chat: Scene) -> None:
    boss = await chat.agent(role=Role.SUPERVISOR)
    part, one = await begun(chat, "v1")
    whole, two = await begun(chat, "v2")
    owners = [(await chat.row(tables.conversation, id=each))["customer_id"] for each in (part, whole)]
    await chat.database.transaction(merging.merge, boss, owners[0], owners[1], choices={})
    for visitor in (one, two):
        await came(chat, visitor)
    await chat.database.transaction(dispatcher.claim, boss, part, None)
    await chat.database.transaction(dispatcher.resolve, boss, part)
    await chat.database.transaction(joining.merge, boss, whole, [part])
    before = await last_seq(chat)
    await left(chat, one)
    assert await told(chat, before, part) == []
    assert (await away_since(chat, part), await away_since(chat, whole)) == (None, None)
    await left(chat, two)
    assert (await away_since(chat, part), await away_since(chat, whole)) == (None, START)


# --- erasure ------------------------------------------------------------------------------------------------------------


async def erased(scene: Scene, admin: Viewer, conversation_id: int, name: str) -> None:
    customer_id = (await scene.row(tables.conversation, id=conversation_id))["customer_id"]
    await scene.database.transaction(dispatcher.claim, admin, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, admin, conversation_id)
    wish = requests.Wish("erasure", "Asked by phone", "")
    request_id = int((await scene.database.transaction(requests.create, admin, customer_id, wish)).id)
    await scene.database.transaction(erasing.begin, admin, request_id, name=name)


@pytest.mark.parametrize("is_here", [True, False])
async def test_of_whoever_is_erased_nothing_is_kept_even_if_their_window_shuts_later(
    chat: Scene, clock: FrozenClock, is_here: bool
) -> None:
    admin = await chat.agent("Ada", role=Role.ADMIN)
    conversation_id, visitor = await begun(chat)
    other, stays = await begun(chat, "v2")
    name = (await chat.database.read(conversations.load_conversation, conversation_id)).customer_name
    await came(chat, visitor)
    await came(chat, stays)
    if not is_here:
        await left(chat, visitor)
    await erased(chat, admin, conversation_id, name)

    async def kept() -> Mapping[str, list[int]]:
        found = {table.name: await chat.rows(table) for table in (tables.visitor_window, tables.visitor_away)}
        return {name: [row["contact_point_id"] for row in rows] for name, rows in found.items()}

    nothing = {"visitor_window": [stays[0]], "visitor_away": []}
    assert await kept() == nothing
    clock.advance(timedelta(minutes=1).total_seconds())
    await left(chat, visitor)
    assert await kept() == nothing
    await came(chat, visitor)
    assert await kept() == nothing
    assert await away_since(chat, other) is None


# --- from before --------------------------------------------------------------------------------------------------------


async def test_who_chats_while_the_hub_is_upgraded_is_away_unless_they_come_back(
    chat: Scene, clock: FrozenClock, database_url: str
) -> None:
    stays, _ = await begun(chat, "v1")
    comes, visitor = await begun(chat, "v2")
    await downgrade(database_url, "0028")
    await migrate(database_url)
    (process,) = await chat.rows(tables.process)
    clock.now = process["seen_at"] + timedelta(seconds=60)
    await alive(chat, "p1")
    await came(chat, visitor)
    await swept(chat)
    assert await away_since(chat, stays) == process["seen_at"]
    assert await away_since(chat, comes) is None
