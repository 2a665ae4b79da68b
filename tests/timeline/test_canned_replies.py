"""Canned replies: whose they are, who sees and changes them, two who do at once, and what is filled in for whom."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from hub.agents.viewer import Viewer
from hub.domain.placeholders import CannedText
from hub.domain.values import ContactKind, Role
from hub.domain.views import CannedReplyView, CannedScope
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.store import tables
from hub.timeline import canned_replies
from hub.timeline.canned_replies import Rendered, Wanted
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

HELLO = CannedText("en", "Hello {{customer.first_name|there}}!")


def wanted(
    code: str = "hello",
    *texts: CannedText,
    scope: CannedScope = "personal",
    title: str = "Greeting",
    folder: str = "",
    queue_ids: tuple[int, ...] = (),
) -> Wanted:
    return Wanted(title, code, folder, scope, queue_ids, texts or (HELLO,))


async def put(scene: Scene, viewer: Viewer, code: str = "hello", *texts: CannedText, **more: Any) -> CannedReplyView:
    return await scene.database.transaction(canned_replies.create_reply, viewer, wanted(code, *texts, **more))


async def seen(scene: Scene, viewer: Viewer, **asked: Any) -> list[str]:
    return [reply.code for reply in await scene.database.read(canned_replies.load_page, viewer, **asked)]


async def render(scene: Scene, viewer: Viewer, reply: CannedReplyView, conversation_id: int, **more: Any) -> Rendered:
    return await scene.database.read(canned_replies.render, viewer, reply.id, conversation_id, **more)


# --- whose they are -------------------------------------------------------------------------------------------------------


async def test_everybody_sees_what_is_theirs_and_what_is_shared_with_them(scene: Scene) -> None:
    sales_id = await scene.queue("Sales")
    anna, bert = await scene.agent("Anna"), await scene.agent("Bert", queue_ids={sales_id})
    chief = await scene.agent("Sue", role=Role.SUPERVISOR, queue_ids=set())
    await put(scene, anna, "annas")
    await put(scene, bert, "berts")
    await put(scene, chief, "all", scope="all")
    await put(scene, chief, "sales", scope="queues", queue_ids=(sales_id,))
    await put(scene, chief, "chiefs")
    assert await seen(scene, anna) == ["annas", "all"]
    assert await seen(scene, bert) == ["berts", "all", "sales"]
    assert await seen(scene, chief) == ["all", "sales", "chiefs"]


async def test_a_colleagues_own_reply_is_not_there_for_an_administrator_either(scene: Scene) -> None:
    anna, ada = await scene.agent("Anna"), await scene.agent("Ada", role=Role.ADMIN)
    reply = await put(scene, anna)
    conversation_id = await scene.opened()
    for attempt in (
        scene.database.read(canned_replies.access_reply, ada, reply.id),
        scene.database.transaction(canned_replies.replace_reply, ada, reply.id, wanted(), None),
        scene.database.transaction(canned_replies.remove_reply, ada, reply.id),
        render(scene, ada, reply, conversation_id),
        scene.database.transaction(canned_replies.note_use, ada, reply.id),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_agents_use_shared_replies_and_do_not_change_them(scene: Scene) -> None:
    anna, chief = await scene.agent("Anna"), await scene.agent("Sue", role=Role.SUPERVISOR)
    shared, own = await put(scene, chief, scope="all"), await put(scene, anna, "mine")
    for attempt in (
        put(scene, anna, "other", scope="all"),
        scene.database.transaction(canned_replies.replace_reply, anna, shared.id, wanted(), None),
        scene.database.transaction(canned_replies.replace_reply, anna, own.id, wanted("mine", scope="all"), None),
        scene.database.transaction(canned_replies.remove_reply, anna, shared.id),
    ):
        with pytest.raises(Forbidden):
            await attempt
    assert await seen(scene, anna) == ["hello", "mine"]


async def test_a_code_is_free_in_ones_own_and_among_the_shared(scene: Scene) -> None:
    anna, chief = await scene.agent("Anna"), await scene.agent("Sue", role=Role.SUPERVISOR)
    await put(scene, chief, "hello", scope="all")
    await put(scene, anna, "hello")
    await put(scene, chief, "hello")
    other = await put(scene, anna, "other")
    with pytest.raises(Conflict) as made:
        await put(scene, anna, "/HELLO")
    with pytest.raises(Conflict) as shared:
        await put(scene, chief, "hello", scope="all")
    with pytest.raises(Conflict) as renamed:
        await scene.database.transaction(canned_replies.replace_reply, anna, other.id, wanted("hello"), None)
    assert {error.value.code for error in (made, shared, renamed)} == {"code_taken"}


async def test_of_two_who_take_a_code_at_once_one_has_it(scene: Scene) -> None:
    anna = await scene.agent("Anna")
    outcomes = await asyncio.gather(*(put(scene, anna, "same") for _ in range(4)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["CannedReplyView", *["Conflict"] * 3]


# --- what can be kept -----------------------------------------------------------------------------------------------------


async def test_a_reply_is_kept_in_its_normal_form(scene: Scene) -> None:
    anna = await scene.agent()
    made = await put(
        scene,
        anna,
        " /Առաքում ",
        CannedText("hy", " Բարև\r\nՁեզ ", "  Պատվեր  "),
        title=" A  title ",
        folder="/ Orders / Art/",
    )
    assert (made.code, made.title, made.folder, made.version) == ("առաքում", "A title", "Orders/Art", 1)
    assert [(each.text, each.subject) for each in made.texts] == [("Բարև\nՁեզ", "Պատվեր")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": "two words"}, "code"),
        ({"code": ""}, "code"),
        ({"code": "x" * 41}, "code"),
        ({"code": "a/b"}, "code"),
        ({"title": " "}, "title"),
        ({"title": "a\u202eb"}, "title"),
        ({"folder": "a/b/c/d/e"}, "folder"),
        ({"scope": "queues"}, "queue_ids"),
        ({"scope": "queues", "queue_ids": (999_999,)}, "queue_ids"),
        ({"texts": ()}, "texts"),
        ({"texts": (CannedText("en", " "),)}, "texts.0.text"),
        ({"texts": (HELLO, CannedText("tlh", "nuqneH"))}, "texts.1.language"),
        ({"texts": (HELLO, HELLO)}, "texts.1.language"),
        ({"texts": (CannedText("en", "Dear {{customer.nickname}}"),)}, "texts.0.text"),
        ({"texts": (CannedText("en", "Hello", "{{subject}}"),)}, "texts.0.subject"),
    ],
)
async def test_what_cannot_be_is_named(scene: Scene, change: dict[str, Any], field: str) -> None:
    chief = await scene.agent(role=Role.SUPERVISOR)
    whole: dict[str, Any] = {
        "title": "T",
        "code": "c",
        "folder": "",
        "scope": "all",
        "queue_ids": (),
        "texts": (HELLO,),
    }
    with pytest.raises(InvalidInput) as fault:
        await scene.database.transaction(canned_replies.create_reply, chief, Wanted(**(whole | change)))
    assert list(fault.value.fields) == [field]


async def test_the_placeholder_that_does_not_exist_is_named(scene: Scene) -> None:
    with pytest.raises(InvalidInput) as fault:
        await put(scene, await scene.agent(), "c", CannedText("en", "Dear {{customer.nickname}}"))
    assert fault.value.fields["texts.0.text"] == "there is no {{customer.nickname}}"


# --- two at once ----------------------------------------------------------------------------------------------------------


async def test_of_two_editors_the_second_is_told(scene: Scene) -> None:
    sue, ada = await scene.agent("Sue", role=Role.SUPERVISOR), await scene.agent("Ada", role=Role.ADMIN)
    reply = await put(scene, sue, scope="all")
    change = canned_replies.replace_reply
    first = await scene.database.transaction(change, sue, reply.id, wanted(scope="all", title="Sue's"), reply.version)
    with pytest.raises(Conflict) as refused:
        await scene.database.transaction(change, ada, reply.id, wanted(scope="all", title="Ada's"), reply.version)
    assert (refused.value.code, first.version) == ("version_conflict", 2)
    assert (await scene.database.read(canned_replies.access_reply, ada, reply.id)).title == "Sue's"


async def test_a_reply_that_is_removed_while_somebody_edits_or_inserts_it_is_gone(scene: Scene) -> None:
    sue, ada = await scene.agent("Sue", role=Role.SUPERVISOR), await scene.agent("Ada", role=Role.ADMIN)
    conversation_id = await scene.opened()
    reply = await put(scene, sue, scope="all")
    await scene.database.transaction(canned_replies.note_use, ada, reply.id)
    await scene.database.transaction(canned_replies.remove_reply, sue, reply.id)
    with pytest.raises(NotFound):
        await scene.database.transaction(canned_replies.replace_reply, ada, reply.id, wanted(scope="all"), 1)
    with pytest.raises(NotFound):
        await render(scene, ada, reply, conversation_id)


async def test_each_change_names_the_reply_to_those_who_may_hold_it_and_says_nothing_of_it(scene: Scene) -> None:
    chief = await scene.agent(role=Role.SUPERVISOR)
    reply = await put(scene, chief)
    await scene.database.transaction(canned_replies.replace_reply, chief, reply.id, wanted(scope="all"), 1)
    await scene.database.transaction(canned_replies.remove_reply, chief, reply.id)
    told = [event for event in await scene.events() if event.kind == "canned_reply.changed"]
    own = f"user:{chief.user_id}"
    assert [event.topics for event in told] == [frozenset({own}), frozenset({own, "staff"}), frozenset({"staff"})]
    assert {event.body for event in told} == {
        json.dumps({"reply_id": reply.id, "kind": "canned_reply.changed"}, separators=(",", ":"))
    }


async def test_a_shared_reply_made_personal_is_no_longer_the_others(scene: Scene) -> None:
    anna, chief = await scene.agent("Anna"), await scene.agent("Sue", role=Role.SUPERVISOR)
    reply = await put(scene, chief, scope="queues", queue_ids=(scene.queue_id,))
    assert await seen(scene, anna) == ["hello"]
    mine = await scene.database.transaction(canned_replies.replace_reply, chief, reply.id, wanted(), reply.version)
    assert (mine.scope, mine.queue_ids, await seen(scene, anna), await seen(scene, chief)) == (
        "personal",
        (),
        [],
        ["hello"],
    )


async def test_what_is_done_with_shared_replies_is_noted_without_their_texts(scene: Scene) -> None:
    chief = await scene.agent(role=Role.SUPERVISOR)
    own, change, remove = await put(scene, chief, "own"), canned_replies.replace_reply, canned_replies.remove_reply
    await scene.database.transaction(change, chief, own.id, wanted("still"), None)
    assert await scene.rows(tables.audit) == []
    said = CannedText("en", "A secret")
    await scene.database.transaction(change, chief, own.id, wanted("still", said, scope="all"), None)
    await scene.database.transaction(remove, chief, own.id)
    noted = [(row["action"], row["data"]) for row in await scene.rows(tables.audit)]
    changes = {"scope": ["personal", "all"], "texts": "changed"}
    assert noted == [
        ("canned_reply.changed", {"name": "Greeting", "changes": changes}),
        ("canned_reply.removed", {"name": "Greeting", "code": "still"}),
    ]


# --- finding them ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "codes"),
    [
        ({"words": "ԱՌԱՔՈՒՄ"}, ["delivery"]),
        ({"words": "cafe  TIMES"}, ["hours"]),
        ({"words": "nothing"}, []),
        ({"words": "100%"}, []),
        ({"folder": "Orders"}, ["delivery", "art"]),
        ({"folder": "orders"}, []),
        ({"folder": "Orders/Delivery"}, ["delivery"]),
        ({"scope": "all"}, ["hours"]),
        ({"limit": 1}, ["delivery"]),
    ],
)
async def test_replies_are_found_by_words_and_folder(scene: Scene, asked: dict[str, Any], codes: list[str]) -> None:
    chief = await scene.agent(role=Role.SUPERVISOR)
    await put(scene, chief, "delivery", CannedText("hy", "Առաքումն անվճար է"), folder="Orders/Delivery")
    await put(scene, chief, "art", folder="Orders/Art")
    await put(scene, chief, "hours", CannedText("en", "Our times"), scope="all", title="Café", folder="Orders_too")
    assert await seen(scene, chief, **asked) == codes


async def test_uses_are_counted_by_person(scene: Scene, clock: FrozenClock) -> None:
    anna, bert = await scene.agent("Anna"), await scene.agent("Bert")
    chief = await scene.agent("Sue", role=Role.SUPERVISOR)
    reply = await put(scene, chief, scope="all")
    for viewer in (anna, bert, anna):
        await scene.database.transaction(canned_replies.note_use, viewer, reply.id)
    view = await scene.database.read(canned_replies.access_reply, anna, reply.id)
    assert (view.used, view.used_by_me, view.last_used_by_me_at, view.version) == (3, 2, clock(), 1)


# --- filling in -----------------------------------------------------------------------------------------------------------


async def test_it_is_filled_in_for_the_conversation_and_whoever_asks(scene: Scene) -> None:
    anna = await scene.agent("Anna Grigoryan")
    conversation_id = await scene.opened()
    customer_id = (await scene.row(tables.conversation, id=conversation_id))["customer_id"]
    await scene.set(tables.customer, {"name": "Petrosyan, Ani"}, id=customer_id)
    text = "{{customer.name}}|{{customer.first_name}}|{{agent.first_name}}|{{queue.name}}|{{conversation.number}}|{{today}}"
    reply = await put(scene, anna, "c", CannedText("en", text.replace("|", " · ")))
    rendered = await render(scene, anna, reply, conversation_id)
    day = scene.database.clock()
    assert rendered.text == (
        f"Petrosyan, Ani · Ani · Anna · Support · {conversation_id} · {day.day} {day:%B} {day.year}"
    )
    assert rendered.missing == ()


async def test_the_customers_language_is_taken_else_the_first(scene: Scene) -> None:
    anna = await scene.agent()
    conversation_id = await scene.opened()
    customer_id = (await scene.row(tables.conversation, id=conversation_id))["customer_id"]
    reply = await put(scene, anna, "c", CannedText("hy", "Բարև"), CannedText("en", "Hello"))
    said = [(await render(scene, anna, reply, conversation_id)).text]
    for language in ("en", "ka"):
        await scene.set(tables.customer, {"language": language}, id=customer_id)
        said.append((await render(scene, anna, reply, conversation_id)).text)
    said.append((await render(scene, anna, reply, conversation_id, language="en")).text)
    assert said == ["Բարև", "Hello", "Բարև", "Hello"]


async def test_without_a_customers_language_the_houses_is_taken(scene: Scene) -> None:
    anna = await scene.agent()
    reply = await put(scene, anna, "c", CannedText("en", "Hello"), CannedText("hy", "Բարև"))
    await scene.set(tables.organisation, {"languages": ["ka", "hy", "en"]})
    assert (await render(scene, anna, reply, await scene.opened())).text == "Բարև"


async def test_nobody_is_greeted_by_their_number(scene: Scene) -> None:
    anna = await scene.agent()
    await scene.channel("sms", "sms")
    conversation_id = await scene.opened(channel_id="sms", sender="+37491123456", kind=ContactKind.PHONE)
    reply = await put(scene, anna, "c", CannedText("en", "Dear {{customer.name}}, {{customer.phone}}"))
    rendered = await render(scene, anna, reply, conversation_id)
    assert (rendered.text, rendered.missing) == ("Dear {{customer.name}}, +37491123456", ("customer.name",))


async def test_a_conversation_that_one_may_not_see_tells_nothing(scene: Scene) -> None:
    sales_id = await scene.queue("Sales")
    stranger = await scene.agent(queue_ids={sales_id})
    reply = await put(scene, stranger)
    with pytest.raises(NotFound):
        await render(scene, stranger, reply, await scene.opened())


async def test_the_preview_tells_what_a_stranger_would_read(scene: Scene) -> None:
    anna = await scene.agent("Anna")
    text = CannedText("en", "Dear {{customer.first_name}}, I am {{agent.name}}.")
    read = scene.database.read
    known = await read(canned_replies.preview, anna, text, queue_id=None, is_known=True)
    unknown = await read(canned_replies.preview, anna, text, queue_id=scene.queue_id, is_known=False)
    assert (known.text, known.missing) == ("Dear Emma, I am Anna.", ())
    assert (unknown.text, unknown.missing) == ("Dear {{customer.first_name}}, I am Anna.", ("customer.first_name",))
