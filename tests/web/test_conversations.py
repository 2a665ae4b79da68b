"""Conversations over HTTP: sent once, told in time, seen only by who may, and every page exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import Table, func, select

from hub.domain.values import ChannelKind, Role
from hub.store import tables
from tests.support.running_hub import NUMBER, Api, House, run_hub

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


@dataclass
class Desk:
    """Nare holds the conversation `id` with Ani; `stranger` is in no queue."""

    house: House
    nare: Api
    stranger: Api
    id: int
    customer_id: int

    def path(self, rest: str = "") -> str:
        return f"/conversations/{self.id}{rest}"

    async def count(self, table: Table) -> int:
        return int(await self.house.hub.database.read(lambda tx: tx.scalar(select(func.count()).select_from(table))))

    async def texts(self) -> list[str]:
        page = (await self.nare.get(self.path("/timeline"))).json()
        return [entry["text"] for entry in page["items"] if entry["kind"] == "message"]


async def sit_down(house: House, *, sender: str = "ani", channel_id: str = "loop") -> Desk:
    nare = house.api(await house.person("Nare"))
    stranger = house.api(await house.person("Stranger", queue_ids=[]))
    (view,) = (await nare.get("/conversations")).json()["items"]
    claimed = await nare.post(f"/conversations/{view['id']}/claim", {})
    assert claimed.status_code == 200, claimed.text
    return Desk(house, nare, stranger, view["id"], view["customer_id"])


@pytest.fixture(scope="module")
async def running(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with run_hub(module_sqlite_url, tmp_path_factory.mktemp("hub")) as house:
        yield house


@pytest.fixture
async def house(running: House) -> House:
    return await running.empty()


@pytest.fixture
async def desk(house: House) -> Desk:
    await house.write("Hello")
    return await sit_down(house)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def running_on_both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    url = request.getfixturevalue(f"module_{request.param}_url")
    async with run_hub(url, tmp_path_factory.mktemp("hub")) as house:
        yield house


@pytest.fixture
async def desk_on_both(running_on_both: House) -> Desk:
    await (await running_on_both.empty()).write("Hello")
    return await sit_down(running_on_both)


@pytest.fixture
async def sms_desk(house: House) -> Desk:
    await house.channel("sms", ChannelKind.SMS)
    await text_from_ani(house, "Hello", "SM1")
    return await sit_down(house)


async def text_from_ani(house: House, text: str, sid: str) -> None:
    form = [("MessageSid", sid.ljust(34, "0")), ("From", "+37491234567"), ("To", NUMBER), ("Body", text)]
    answer = await house.post_twilio([*form, ("AccountSid", "AC" + "0123456789abcdef" * 2), ("NumMedia", "0")])
    assert answer.status_code == 200, answer.text


def assert_told(answer: httpx2.Response, status: int, code: str, *fields: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["code"] == code
    assert set(body.get("fields", {})) == set(fields)


# --- once ---------------------------------------------------------------------------------------------------------------


async def test_the_same_key_twice_is_one_message_and_the_same_answer(desk_on_both: Desk) -> None:
    first, again = [
        await desk_on_both.nare.post(desk_on_both.path("/messages"), {"text": "Hi"}, key="k1") for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["client_key"] == "k1"
    assert await desk_on_both.texts() == ["Hello", "Hi"]
    assert await desk_on_both.count(tables.outbox) == 1


@pytest.mark.parametrize("path", ["/messages", "/notes"])
async def test_the_same_key_many_times_at_once_is_one(desk_on_both: Desk, path: str) -> None:
    posts = [desk_on_both.nare.post(desk_on_both.path(path), {"text": "Hi"}, key="k1") for _ in range(8)]
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_the_same_key_with_an_attachment_is_one_message_also_at_once(desk_on_both: Desk) -> None:
    file = (await desk_on_both.nare.upload(PNG)).json()
    body = {"text": "", "attachment_ids": [file["id"]]}
    posts = [desk_on_both.nare.post(desk_on_both.path("/messages"), body, key="k1") for _ in range(6)]
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1
    later = await desk_on_both.nare.post(desk_on_both.path("/messages"), body, key="k1")
    assert later.json()["attachments"][0]["id"] == file["id"]
    assert await desk_on_both.count(tables.outbox) == 1


async def test_one_attachment_goes_with_one_message_however_fast_it_is_sent_twice(desk_on_both: Desk) -> None:
    file = (await desk_on_both.nare.upload(PNG)).json()
    body = {"text": "look", "attachment_ids": [file["id"]]}
    answers = await asyncio.gather(
        *(desk_on_both.nare.post(desk_on_both.path("/messages"), body, key=f"k{n}") for n in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]


async def test_the_same_key_with_another_request_is_refused(desk: Desk) -> None:
    await desk.nare.post(desk.path("/messages"), {"text": "Hi"}, key="k1")
    assert_told(await desk.nare.post(desk.path("/messages"), {"text": "Ho"}, key="k1"), 409, "idempotency_mismatch")
    assert_told(await desk.nare.post(desk.path("/notes"), {"text": "Hi"}, key="k1"), 409, "idempotency_mismatch")


async def test_the_same_key_of_another_person_is_another_key(desk: Desk) -> None:
    boss = desk.house.api(await desk.house.person("Boss", Role.SUPERVISOR))
    first = await desk.nare.post(desk.path("/messages"), {"text": "Hi"}, key="k1")
    second = await boss.post(desk.path("/messages"), {"text": "Hi"}, key="k1")
    assert first.json()["id"] != second.json()["id"]


async def test_a_key_is_free_again_when_its_request_failed(desk: Desk) -> None:
    assert_told(await desk.nare.post(desk.path("/messages"), {"text": ""}, key="k1"), 422, "invalid", "text")
    assert (await desk.nare.post(desk.path("/messages"), {"text": "Hi"}, key="k1")).status_code == 201


async def test_without_a_key_each_request_is_a_message(desk: Desk) -> None:
    for _ in range(2):
        await desk.nare.post(desk.path("/messages"), {"text": "Hi"})
    assert await desk.texts() == ["Hello", "Hi", "Hi"]


# --- told before anything is queued -------------------------------------------------------------------------------------


async def test_a_text_that_no_sms_can_carry_is_told_and_nothing_is_queued(sms_desk: Desk) -> None:
    answer = await sms_desk.nare.post(sms_desk.path("/messages"), {"text": "x" * 1_601})
    assert_told(answer, 422, answer.json()["code"], "text")
    assert await sms_desk.count(tables.outbox) == 0
    assert await sms_desk.texts() == ["Hello"]


async def test_a_text_over_the_apis_own_limit_is_told(desk: Desk) -> None:
    assert_told(await desk.nare.post(desk.path("/messages"), {"text": "x" * 20_001}), 422, "invalid", "text")


async def test_an_attachment_the_channel_cannot_carry_is_told_and_stays_ours(sms_desk: Desk) -> None:
    file = (await sms_desk.nare.upload(b"MZ" * 100, "setup.exe", "application/x-msdownload")).json()
    answer = await sms_desk.nare.post(sms_desk.path("/messages"), {"text": "Hi", "attachment_ids": [file["id"]]})
    assert_told(answer, 422, answer.json()["code"], "attachments")
    assert await sms_desk.count(tables.outbox) == 0
    assert (await sms_desk.nare.get(f"/attachments/{file['id']}/content")).status_code == 200


@pytest.mark.parametrize("ids", [[999], [0], [2**63 - 1]])
async def test_an_attachment_that_is_not_there_is_told(desk: Desk, ids: list[int]) -> None:
    answer = await desk.nare.post(desk.path("/messages"), {"text": "Hi", "attachment_ids": ids})
    assert_told(answer, 422, "invalid", "attachment_ids")
    assert await desk.texts() == ["Hello"]


async def test_a_colleagues_upload_cannot_be_sent(desk: Desk) -> None:
    file = (await desk.stranger.upload(PNG)).json()
    answer = await desk.nare.post(desk.path("/messages"), {"attachment_ids": [file["id"]]})
    assert_told(answer, 422, "invalid", "attachment_ids")


async def test_nothing_to_send_is_told(desk: Desk) -> None:
    assert_told(await desk.nare.post(desk.path("/messages"), {"text": " \n"}), 422, "invalid", "text")


async def test_whoever_asked_for_silence_is_not_written_to(sms_desk: Desk) -> None:
    await text_from_ani(sms_desk.house, "STOP", "SM2")
    answer = await sms_desk.nare.post(sms_desk.path("/messages"), {"text": "One more thing"})
    assert_told(answer, 409, "opted_out", "text")
    assert await sms_desk.count(tables.outbox) == 0
    # A note is for colleagues: it is always possible.
    assert (await sms_desk.nare.post(sms_desk.path("/notes"), {"text": "said STOP"})).status_code == 201
    await text_from_ani(sms_desk.house, "START", "SM3")
    assert (await sms_desk.nare.post(sms_desk.path("/messages"), {"text": "Welcome back"})).status_code == 201


async def test_trying_again_does_not_get_round_a_stop(desk: Desk) -> None:
    async with desk.house.screen(desk.nare.person) as screen:  # type: ignore[arg-type]
        failed = (await desk.nare.post(desk.path("/messages"), {"text": "!refuse"})).json()
        await screen.until(lambda one: ("failed", failed["id"]) in states(one.events))
    silence = tables.contact_point.update().values(opted_out_at=desk.house.hub.database.clock())
    await desk.house.hub.database.transaction(lambda tx: tx.execute(silence).rowcount)
    again = await desk.nare.post(f"/entries/{failed['id']}/delivery", {"action": "retry"})
    assert_told(again, 409, "opted_out", "text")
    assert (await desk.nare.post(f"/entries/{failed['id']}/delivery", {"action": "discard"})).status_code == 200


# --- text is text -------------------------------------------------------------------------------------------------------


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "'; DROP TABLE entry; --",
    "Շնորհակալություն 🇦🇲 \u202eevil \ufeff",
    "&lt;b&gt; &amp; \\u003cb\\u003e",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_markup_and_script_come_back_as_the_text_they_were(desk: Desk, text: str) -> None:
    async with desk.house.screen(desk.nare.person) as screen:  # type: ignore[arg-type]
        await desk.house.write(text)
        sent = await desk.nare.post(desk.path("/messages"), {"text": text})
        assert sent.json()["text"] == text.strip()
        event = await screen.until_text(text)
        assert event["conversation"]["preview"] == text
        assert await desk.texts() == ["Hello", text, text.strip()]


@pytest.mark.parametrize("path", ["/messages", "/notes"])
async def test_nul_is_refused_and_named(desk: Desk, path: str) -> None:
    assert_told(await desk.nare.post(desk.path(path), {"text": "a\0b"}), 422, "invalid", "text")


@pytest.mark.parametrize("query", [{"q": "a\0b"}, {"assignee": "a\0b"}, {"cursor": "a\0b"}, {"status": "gone"}])
async def test_a_query_that_makes_no_sense_is_told(desk: Desk, query: dict[str, str]) -> None:
    assert_told(await desk.nare.get("/conversations", **query), 422, "invalid", *query)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"text": 1}', b'{"txt": "Hi"}', b'{"text": "Hi", "to": "x"}'])
async def test_a_malformed_body_is_told_in_the_error_shape(desk: Desk, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await desk.nare.request("POST", desk.path("/messages"), content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json().keys() <= {"code", "message", "fields"}
    assert await desk.texts() == ["Hello"]


# --- who may see --------------------------------------------------------------------------------------------------------


async def test_to_a_stranger_a_conversation_is_not_there_on_any_endpoint(desk: Desk) -> None:
    """The answer is the same, letter for letter, as for a number that names nothing."""
    file = (await desk.nare.upload(PNG)).json()
    sent = (await desk.nare.post(desk.path("/messages"), {"text": "Hi", "attachment_ids": [file["id"]]})).json()
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/conversations/{conversation}", None),
        ("GET", "/conversations/{conversation}/timeline", None),
        ("POST", "/conversations/{conversation}/messages", {"text": "Hi"}),
        ("POST", "/conversations/{conversation}/notes", {"text": "Hi"}),
        ("POST", "/conversations/{conversation}/claim", {}),
        ("POST", "/conversations/{conversation}/transfer", {"queue_id": desk.house.queue_id}),
        ("POST", "/conversations/{conversation}/release", None),
        ("POST", "/conversations/{conversation}/resolve", None),
        ("POST", "/conversations/{conversation}/reopen", None),
        ("POST", "/conversations/{conversation}/typing", None),
        ("POST", "/entries/{entry}/delivery", {"action": "retry"}),
        ("GET", "/attachments/{file}/content", None),
        ("GET", "/customers/{customer}", None),
        ("GET", "/customers/{customer}/timeline", None),
        ("PATCH", "/customers/{customer}", {"name": "Mine"}),
        ("POST", "/customers/{customer}/contact-points", {"kind": "email", "address": "a@b.am"}),
    ]
    real = {"conversation": desk.id, "entry": sent["id"], "file": file["id"], "customer": desk.customer_id}
    nothing = dict.fromkeys(real, 10**9)
    differing = []
    for method, path, body in asked:
        hidden, absent = [await desk.stranger.request(method, path.format(**ids), json=body) for ids in (real, nothing)]
        if (hidden.status_code, hidden.text) != (404, absent.text):
            differing.append((method, path, hidden.status_code, hidden.text, absent.text))
    assert differing == []
    assert await desk.texts() == ["Hello", "Hi"]


async def test_a_stranger_finds_nothing_in_lists_and_searches(desk: Desk) -> None:
    for path, query in (
        ("/conversations", {}),
        ("/conversations", {"assignee": str(desk.nare.person.user_id)}),  # type: ignore[union-attr]
        ("/conversations", {"queue_id": str(desk.house.queue_id)}),
        ("/conversations", {"q": "hello"}),
        ("/customers", {"q": "ani"}),
    ):
        assert (await desk.stranger.get(path, **query)).json() == {"items": [], "next_cursor": None}


async def test_a_conversation_stays_visible_to_who_holds_it_in_a_queue_of_others(desk: Desk) -> None:
    sales_id = await desk.house.queue("Sales")
    moved = await desk.nare.post(desk.path("/transfer"), {"agent_id": desk.stranger.person.user_id})  # type: ignore[union-attr]
    assert moved.status_code == 200, moved.text
    assert (await desk.stranger.get(desk.path())).status_code == 200
    assert (await desk.stranger.post(desk.path("/transfer"), {"queue_id": sales_id})).status_code == 200
    assert (await desk.stranger.get(desk.path())).status_code == 404
    assert (await desk.nare.get(desk.path())).status_code == 404


async def test_nobody_gets_nothing(desk: Desk) -> None:
    nobody = desk.house.api(None)
    assert_told(await nobody.get(desk.path()), 401, "unauthenticated")
    assert_told(await nobody.post(desk.path("/messages"), {"text": "Hi"}), 401, "unauthenticated")


# --- pages --------------------------------------------------------------------------------------------------------------


async def walk(api: Api, path: str, limit: int, **query: Any) -> AsyncIterator[list[dict[str, Any]]]:
    cursor: dict[str, str] = {}
    while True:
        answer = await api.get(path, limit=limit, **query, **cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield page["items"]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


async def test_every_conversation_stands_on_exactly_one_page_while_new_ones_come_in(desk_on_both: Desk) -> None:
    house = desk_on_both.house
    await asyncio.gather(*(house.write("Hi", sender=f"old {n}") for n in range(22)))
    seen: list[int] = []
    async for items in walk(desk_on_both.nare, "/conversations", 5):
        seen += [item["id"] for item in items]
        await house.write("Hi", sender=f"new {len(seen)}")
    assert len(seen) == len(set(seen)) == 23


async def test_every_entry_stands_on_exactly_one_page_in_order_while_new_ones_come_in(desk_on_both: Desk) -> None:
    for number in range(17):
        await desk_on_both.house.write(f"text {number}")
    pages: list[list[str]] = []
    async for items in walk(desk_on_both.nare, desk_on_both.path("/timeline"), 4):
        pages.insert(0, [item["text"] for item in items if item["kind"] == "message"])
        await desk_on_both.house.write("newer")
    texts = [text for page in pages for text in page]
    assert texts == ["Hello", *(f"text {number}" for number in range(17))]


async def test_every_customer_stands_on_exactly_one_page_while_new_ones_come_in(desk_on_both: Desk) -> None:
    await asyncio.gather(*(desk_on_both.house.write("Hi", sender=f"old {n}") for n in range(12)))
    seen: list[int] = []
    async for items in walk(desk_on_both.nare, "/customers", 4):
        seen += [item["id"] for item in items]
        await desk_on_both.house.write("Hi", sender=f"new {len(seen)}")
    assert len(seen) == len(set(seen)) == 13


async def test_a_customers_timeline_holds_all_conversations_once(desk: Desk) -> None:
    await desk.house.channel("second")
    for number in range(5):
        await desk.house.write(f"one {number}")
        await desk.house.write(f"two {number}", channel_id="second")
    texts: list[str] = []
    async for items in walk(desk.nare, f"/customers/{desk.customer_id}/timeline", 3):
        texts = [item["text"] for item in items if item["kind"] == "message"] + texts
    assert texts == ["Hello", *(f"{word} {number}" for number in range(5) for word in ("one", "two"))]


@pytest.mark.parametrize("limit", ["0", "-1", "201", "many"])
async def test_a_page_has_its_bounds(desk: Desk, limit: str) -> None:
    assert_told(await desk.nare.get("/conversations", limit=limit), 422, "invalid", "limit")


# --- the work itself ----------------------------------------------------------------------------------------------------


async def test_answering_what_nobody_holds_makes_it_yours_and_reopens_what_was_resolved(desk: Desk) -> None:
    assert (await desk.nare.post(desk.path("/resolve"))).json()["status"] == "resolved"
    assert (await desk.nare.post(desk.path("/messages"), {"text": "One more thing"})).status_code == 201
    view = (await desk.nare.get(desk.path())).json()
    assert (view["status"], view["assignee_id"]) == ("open", desk.nare.person.user_id)  # type: ignore[union-attr]


async def test_a_failed_message_can_be_sent_again_and_one_that_went_cannot(desk: Desk) -> None:
    async with desk.house.screen(desk.nare.person) as screen:  # type: ignore[arg-type]
        failed = (await desk.nare.post(desk.path("/messages"), {"text": "!refuse"})).json()
        await screen.until(lambda one: ("failed", failed["id"]) in states(one.events))
        again = await desk.nare.post(f"/entries/{failed['id']}/delivery", {"action": "retry"})
        assert again.json()["delivery"]["state"] == "queued"
        sent = (await desk.nare.post(desk.path("/messages"), {"text": "fine"})).json()
        await screen.until(lambda one: ("sent", sent["id"]) in states(one.events))
        refused = await desk.nare.post(f"/entries/{sent['id']}/delivery", {"action": "retry"})
        assert_told(refused, 409, "delivery_settled")


def states(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    entries = [event["entry"] for event in events if "entry" in event and event["entry"]["delivery"]]
    return [(entry["delivery"]["state"], entry["id"]) for entry in entries]


async def test_a_note_has_files_that_colleagues_see_and_the_customer_never(desk_on_both: Desk) -> None:
    desk = desk_on_both
    file = (await desk.nare.upload(PNG, "plan.png")).json()
    assert_told(await desk.nare.post(desk.path("/notes"), {"text": ""}), 422, "invalid", "text")
    assert_told(
        await desk.nare.post(desk.path("/notes"), {"text": "x", "attachment_ids": [999_999]}),
        422,
        "invalid",
        "attachment_ids",
    )
    body = {"text": "", "attachment_ids": [file["id"]]}
    answers = await asyncio.gather(*(desk.nare.post(desk.path("/notes"), body, key="n1") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    (entry,) = {answer.json()["id"]: answer.json() for answer in answers}.values()
    assert (entry["kind"], entry["delivery"]) == ("note", None)
    assert [each["name"] for each in entry["attachments"]] == ["plan.png"]
    assert await desk.count(tables.outbox) == 0
    # Whoever sees the note sees its file; whoever does not, does not.
    boss = desk.house.api(await desk.house.person("Boss", Role.SUPERVISOR))
    assert (await boss.get(f"/attachments/{file['id']}/content")).content == PNG
    stranger = desk.house.api(await desk.house.person("Stranger", queue_ids=[]))
    assert (await stranger.get(f"/attachments/{file['id']}/content")).status_code == 404
    # It is sent: neither another note nor an answer may have it.
    for path in ("/notes", "/messages"):
        told = await desk.nare.post(desk.path(path), {"text": "again", "attachment_ids": [file["id"]]})
        assert_told(told, 422, "invalid", "attachment_ids")


# --- on paper -----------------------------------------------------------------------------------------------------------


async def test_what_was_said_is_a_document_that_runs_nothing_for_those_who_may_see_it(desk: Desk) -> None:
    await desk.nare.post(desk.path("/messages"), {"text": "<b>Bold</b> promise"})
    page = await desk.nare.get(desk.path("/transcript"))
    assert page.status_code == 200, page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert page.headers["cache-control"] == "private, no-store"
    assert "&lt;b&gt;Bold&lt;/b&gt; promise" in page.text
    saved = await desk.nare.get(desk.path("/transcript"), form="text", language="ka", download="true")
    assert saved.headers["content-disposition"] == f'attachment; filename="conversation_{desk.id}.txt"'
    assert saved.text.startswith(f"საუბარი {desk.id}")
    assert "    <b>Bold</b> promise" in saved.text
    assert_told(await desk.nare.get(desk.path("/transcript"), language="xx"), 422, "invalid", "language")
    for who in (desk.stranger, desk.house.api(None)):
        assert (await who.get(desk.path("/transcript"))).status_code in (401, 404)
    assert (await desk.nare.get("/conversations/999999/transcript")).status_code == 404
