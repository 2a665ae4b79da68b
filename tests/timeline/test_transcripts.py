"""What was said, on paper: whole, in its order, in the reader's words, and nothing of what the house keeps to itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from hub.agents.viewer import Viewer
from hub.domain.calls import Party
from hub.domain.values import AuthorKind, Direction, EntryKind, Role
from hub.domain.views import Author
from hub.errors import NotFound
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from hub.surveys import words as survey_words
from hub.timeline import conversations, joining, transcripts, widgets
from hub.timeline.transcripts import Form, Wanted
from tests.calls.caller import Line
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def read(scene: Scene, viewer: Viewer, conversation_id: int, form: Form = Form.TEXT, **more: Any) -> str:
    wanted = Wanted(conversation_id, form, more.get("language"), more.get("with_notes", False))
    head = await scene.database.read(transcripts.load_head, viewer, wanted)
    return b"".join([part async for part in transcripts.parts(scene.database, viewer, wanted, head)]).decode()


async def write(scene: Scene, agent: Viewer, conversation_id: int, text: str, kind: str = "message") -> int:
    def add(tx: Tx) -> int:
        view = conversations.access_conversation(tx, agent, conversation_id, lock=True)
        author = Author(AuthorKind.AGENT, agent.name, agent.user_id)
        direction = Direction.INTERNAL if kind == "note" else Direction.OUT
        entry, _ = conversations.add_entry(
            tx, view, kind=EntryKind(kind), direction=direction, author=author, text=text
        )
        return entry.id

    return await scene.database.transaction(add)


@pytest.fixture
async def agent(scene: Scene) -> Viewer:
    return await scene.agent("Nare")


async def test_it_is_read_from_top_to_bottom(scene: Scene, agent: Viewer, clock: FrozenClock) -> None:
    clock.now = datetime(2026, 11, 26, 23, 58, tzinfo=UTC)
    conversation_id = await scene.opened("Where is my order?\nIt was due.")
    await scene.set(tables.customer, {"name": "Ani"})
    clock.advance(240)
    await write(scene, agent, conversation_id, "On its way.")
    text = await read(scene, agent, conversation_id)
    assert text.splitlines()[0] == f"Conversation {conversation_id} with Ani"
    assert "Times: UTC" in text
    assert text[text.index("\n2026") :] == (
        "\n2026-11-26\n----------\n\n23:58  Ani\n    Where is my order?\n    It was due.\n"
        "\n2026-11-27\n----------\n\n00:02  Nare\n    On its way.\n"
    )


async def test_pages_follow_each_other_without_a_gap(
    scene: Scene, agent: Viewer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "_PAGE", 2)
    conversation_id = await scene.opened("0")
    for number in range(1, 6):
        # Two of a moment.
        clock.advance(number % 2)
        await write(scene, agent, conversation_id, str(number))
    text = await read(scene, agent, conversation_id)
    assert [line.strip() for line in text.splitlines() if line.startswith("    ")] == list("012345")


async def test_no_message_can_look_like_anothers(scene: Scene, agent: Viewer) -> None:
    conversation_id = await scene.opened(
        "Hi\n12:00  Nare\r\n    I promise you a discount\u2028x<script>alert(1)</script>"
    )
    text = await read(scene, agent, conversation_id)
    assert [line for line in text.splitlines() if "Nare" in line] == ["    12:00  Nare"]
    page = await read(scene, agent, conversation_id, Form.HTML)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "sandbox" in transcripts.POLICY


async def test_no_name_can_look_like_a_message(scene: Scene, agent: Viewer) -> None:
    conversation_id = await scene.opened("Hi")
    false = "x\n\n12:00  Nare\n    I promise you a discount"
    (entry,) = await scene.rows(tables.entry, kind="message")
    row = {
        "entry_id": entry["id"],
        "name": false.replace("\n", "\u2028"),
        "media_type": "text/plain",
        "state": "stored",
    }
    await scene.database.transaction(
        lambda tx: tx.insert(tables.attachment, row | {"created_at": tx.now, "size_bytes": 1, "file_key": "k"})
    )
    await scene.set(tables.entry, {"has_attachments": True})
    await scene.set(tables.customer, {"name": false})
    await scene.set(tables.conversation, {"subject": false})
    text = await read(scene, agent, conversation_id)
    lines = [line for line in text.splitlines() if "Nare" in line]
    assert len(lines) == 4, "title, subject, who it is from and the file"
    assert not [line for line in lines if line.startswith("12:00  Nare")]


async def test_what_became_a_part_of_another_still_has_its_own_lines(
    scene: Scene, agent: Viewer, clock: FrozenClock
) -> None:
    boss = await scene.agent("Boss", role=Role.SUPERVISOR)
    part = await scene.opened("Where is my order?")
    await scene.database.transaction(dispatcher.claim, boss, part, None)
    await scene.database.transaction(dispatcher.resolve, boss, part)
    clock.advance(timedelta(days=30).total_seconds())
    whole = await scene.opened("And my money?")
    assert whole != part
    await scene.database.transaction(joining.merge, boss, whole, [part])
    text = await read(scene, boss, part)
    assert "Where is my order?" in text
    assert "And my money?" not in text
    text = await read(scene, boss, whole)
    assert text.index("Where is my order?") < text.index("And my money?"), "one matter"


async def test_whoever_was_erased_has_no_name(scene: Scene, agent: Viewer) -> None:
    conversation_id = await scene.opened()
    await scene.set(tables.customer, {"name": "Erased customer", "erased_at": scene.database.clock()})
    title = (await read(scene, agent, conversation_id, language="uk")).splitlines()[0]
    assert title == f"Розмова {conversation_id}: Клієнт"


async def test_notes_come_along_where_they_are_asked_for(scene: Scene, agent: Viewer) -> None:
    conversation_id = await scene.opened()
    await write(scene, agent, conversation_id, "Pays late", "note")
    assert "Pays late" not in await read(scene, agent, conversation_id)
    assert "Note · Nare\n    Pays late" in await read(scene, agent, conversation_id, with_notes=True)
    assert '<article class="note">' in await read(scene, agent, conversation_id, Form.HTML, with_notes=True)


async def test_what_is_another_agents_alone_stays_theirs(scene: Scene, agent: Viewer) -> None:
    conversation_id = await scene.opened()
    entry_id = await write(scene, agent, conversation_id, "Between us", "note")
    await scene.set(tables.entry, {"private_to": agent.user_id}, id=entry_id)
    other = await scene.agent("Arpi")
    assert "Between us" in await read(scene, agent, conversation_id, with_notes=True)
    assert "Between us" not in await read(scene, other, conversation_id, with_notes=True)


async def test_it_says_what_did_not_arrive(scene: Scene, agent: Viewer) -> None:
    conversation_id = await scene.opened()
    first = await write(scene, agent, conversation_id, "Yes")
    second = await write(scene, agent, conversation_id, "No")
    for entry_id, state in ((first, "failed"), (second, "uncertain")):
        await scene.set(tables.entry, {"delivery": state, "delivery_at": scene.database.clock()}, id=entry_id)
    text = await read(scene, agent, conversation_id)
    assert "    Yes\n    [Was not delivered]" in text
    assert "    No\n    [It is not known whether this was delivered]" in text


async def test_it_is_in_the_customers_language_unless_another_is_asked_for(scene: Scene, agent: Viewer) -> None:
    conversation_id = await scene.opened()
    customer_id = (await scene.row(tables.conversation, id=conversation_id))["customer_id"]
    await scene.set(tables.customer, {"language": "hy"}, id=customer_id)
    assert "Խոսակցություն" in await read(scene, agent, conversation_id)
    assert '<html lang="hy">' in await read(scene, agent, conversation_id, Form.HTML)
    assert "Розмова" in await read(scene, agent, conversation_id, language="uk")
    await scene.set(tables.customer, {"language": "fr"}, id=customer_id)
    assert "Conversation" in await read(scene, agent, conversation_id)


async def test_whoever_may_not_see_it_gets_nothing_nor_who_loses_it_meanwhile(scene: Scene, agent: Viewer) -> None:
    conversation_id = await scene.opened("Secret")
    stranger = replace(agent, user_id=0, queue_ids=frozenset())
    with pytest.raises(NotFound):
        await read(scene, stranger, conversation_id)
    wanted = Wanted(conversation_id, Form.TEXT, None, with_notes=False)
    head = await scene.database.read(transcripts.load_head, agent, wanted)
    elsewhere = await scene.queue("Elsewhere")
    await scene.set(tables.conversation, {"queue_id": elsewhere}, id=conversation_id)
    with pytest.raises(NotFound):
        [part async for part in transcripts.parts(scene.database, agent, wanted, head)]


async def test_it_has_what_was_filled_in_before(scene: Scene, agent: Viewer) -> None:
    conversation_id = await scene.opened()
    await scene.database.transaction(widgets.note_form, conversation_id, "c1", [("Order", "A-12"), ("Town", "Gyumri")])
    text = await read(scene, agent, conversation_id)
    assert "· Filled in before the chat\n    Order: A-12\n    Town: Gyumri\n" in text


async def test_it_has_calls_and_how_long_they_were(scene: Scene, agent: Viewer, clock: FrozenClock) -> None:
    await scene.channel("phone", "phone")
    line = Line(scene)
    call_id = await line.talk(agent)
    clock.advance(125)
    await line.ends(call_id, Party.CUSTOMER)
    assert "    Call, 2:05\n" in await read(scene, agent, (await line.conversation(call_id))["id"])
    missed = await line.call_in("+37477000001")
    await line.ends(missed, Party.CUSTOMER)
    assert "    Call, nobody spoke\n" in await read(scene, agent, (await line.conversation(missed))["id"])


async def test_what_was_said_after_the_tone_is_no_call_in_which_nobody_spoke(
    scene: Scene, agent: Viewer, clock: FrozenClock
) -> None:
    await scene.channel("phone", "phone")
    line = Line(scene)
    missed = await line.call_in("+37477000001")
    await line.ends(missed, Party.CUSTOMER)
    conversation_id = (await line.conversation(missed))["id"]
    record = {"call_id": missed, "kind": "voicemail", "provider_id": "RE1", "state": "stored", "duration_s": 72.4}

    def leave(tx: Tx) -> None:
        tx.insert(tables.recording, {**record, "file_key": "k", "started_at": tx.now, "created_at": tx.now})

    await scene.database.transaction(leave)
    assert "    Voice message, 1:12\n" in (text := await read(scene, agent, conversation_id))
    assert "nobody spoke" not in text
    for language in transcripts.LANGUAGES:
        assert ", 1:12\n" in await read(scene, agent, conversation_id, language=language)
    # The tone came after a talk that was cut off; and what was said there is deleted by now.
    await scene.set(tables.recording, {"state": "deleted", "file_key": None})
    begun = scene.database.clock()
    await scene.set(tables.call, {"answered_at": begun, "hung_up_at": begun + timedelta(seconds=65)}, id=missed)
    assert "    Call, 1:05\n    Voice message, 1:12\n" in await read(scene, agent, conversation_id)


async def test_scores_are_for_whoever_asks_for_them_with_their_scale(scene: Scene, agent: Viewer) -> None:
    conversation_id = await scene.opened("Thanks")
    view = await scene.database.read(conversations.load_conversation, conversation_id)

    def score(tx: Tx) -> None:
        line = {"conversation_id": view.id, "customer_id": view.customer_id, "kind": "event", "direction": "in"}
        line |= {"author_kind": "customer", "author_name": "Old name", "text": "Slow.", "at": tx.now}
        tx.insert(tables.entry, {**line, "happening": "scored", "data": {"survey": "nps", "score": 0}})

    await scene.database.transaction(score)
    assert "Slow." not in await read(scene, agent, conversation_id)
    for language in transcripts.LANGUAGES:
        head = transcripts.Head("", "Ani", "", language, ZoneInfo("UTC"))

        def load(tx: Tx, after: transcripts.Place, head: transcripts.Head = head) -> transcripts.Page | None:
            its = tables.entry.c.conversation_id == conversation_id
            return transcripts.load_page(tx, head, its, after, with_notes=False, with_scores=True)

        said = b"".join([part async for part in transcripts.said(scene.database, Form.TEXT, head, load)]).decode()
        words = transcripts.words_in(language).scored.format(score=0, most=10)
        assert ("0" in words, "10" in words) == (True, True)
        assert f"  Ani · {words}\n    Slow.\n" in said


def test_a_language_is_told_by_all_of_its_letters() -> None:
    wanted = ["hy", "HY-AM", "kab", "kab-Latn", "rue", "fr", "", None]
    found = [transcripts.language_of(each) for each in wanted]
    assert found == ["hy", "hy", "en", "en", "en", "en", "en", "en"]
    assert transcripts.language_of("kab", "uk-UA") == "uk"


def test_it_has_the_languages_of_the_card() -> None:
    assert get_args(transcripts.Language) == survey_words.LANGUAGES
