"""The customer's side of web chat over a real server: who comes back, what they see, and what they never see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from hub.agents import queues
from hub.agents.queues import QueueSettings
from hub.domain.values import ChannelKind
from hub.store import tables
from hub.store.database import Tx
from hub.surveys.settings import load_setting, save_setting
from hub.web import chat_socket
from hub.web.throttle import Throttle
from tests.support.running_hub import PATIENCE_S, Api, House, Person, Widget, run_hub

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
SHOP = "https://shop.example"


@dataclass
class Shop:
    """A chat channel `chat`, an agent Nare, and a visitor's cookie."""

    house: House
    nare: Person
    visitor: str

    @property
    def api(self) -> Api:
        return self.house.api(self.nare)

    async def take(self) -> int:
        """Nare holds what came in last; its id."""
        view = (await self.api.get("/conversations")).json()["items"][0]
        assert (await self.api.post(f"/conversations/{view['id']}/claim", {})).status_code == 200
        return int(view["id"])

    async def upload(self, cookie: str, content: bytes = PNG, media_type: str = "image/png") -> httpx2.Response:
        return await self.house.client.post(
            "/chat/chat/attachments",
            files={"file": ("picture.png", content, media_type)},
            headers={"cookie": cookie, "origin": self.house.url},
        )


@pytest.fixture(scope="module")
async def running(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with run_hub(module_sqlite_url, tmp_path_factory.mktemp("hub")) as house:
        yield house


@pytest.fixture
async def house(running: House) -> House:
    return await running.empty()


@pytest.fixture
async def shop(house: House) -> Shop:
    await house.channel("chat", ChannelKind.CHAT, allowed_origins=SHOP)
    return Shop(house, await house.person("Nare"), await house.visit())


async def say(widget: Widget, text: str, client_id: str = "c1", **more: Any) -> int:
    """The visitor writes; the entry's id, acked after the commit."""
    await widget.send(type="message", client_id=client_id, text=text, **more)
    return int((await widget.until(type="ack", client_id=client_id))["entry_id"])


async def entry_with(widget: Widget, text: str) -> dict[str, Any]:
    while True:
        entry: dict[str, Any] = (await widget.until(type="entry"))["entry"]
        if entry["text"] == text:
            return entry


# --- who comes ----------------------------------------------------------------------------------------------------------


async def test_a_visit_sets_a_cookie_no_script_can_read_and_keeps_the_visitor(shop: Shop) -> None:
    answer = await shop.house.client.post("/chat/chat/visit", headers={"origin": shop.house.url})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Path=/chat/" in cookie
    assert "SameSite=Lax" in cookie
    again = await shop.house.visit(cookie=cookie.partition(";")[0])
    assert visitor_of(again) == visitor_of(cookie)
    assert visitor_of(await shop.house.visit()) != visitor_of(cookie)


def visitor_of(cookie: str) -> str:
    return cookie.partition("=")[2].partition(".")[0]


async def closed_with(house: House, path: str, **more: Any) -> int | None:
    async with house.connect(path, **more) as connection, asyncio.timeout(PATIENCE_S):
        await connection.wait_closed()
        return connection.close_code


@pytest.mark.parametrize("tampered", ["", "hub_visitor=", "hub_visitor=guessed.1.2", "hub_session=x"])
async def test_without_a_cookie_of_ours_there_is_no_socket(shop: Shop, tampered: str) -> None:
    assert await closed_with(shop.house, "/chat/chat", cookie=tampered) == chat_socket.CLOSE_NO_VISITOR


async def test_a_cookie_that_names_another_visitor_does_not_open_their_chat(shop: Shop) -> None:
    other = await shop.house.visit()
    forged = shop.visitor.replace(visitor_of(shop.visitor), visitor_of(other))
    assert await closed_with(shop.house, "/chat/chat", cookie=forged) == chat_socket.CLOSE_NO_VISITOR


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", SHOP + ":8443", "http://shop.example"])
async def test_only_allowed_pages_may_chat(shop: Shop, origin: str | None) -> None:
    code = await closed_with(shop.house, "/chat/chat", cookie=shop.visitor, origin=origin)
    assert code == chat_socket.CLOSE_ORIGIN
    headers = {"origin": origin} if origin else {}
    refused = await shop.house.client.post("/chat/chat/visit", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in refused.headers
    assert "set-cookie" not in refused.headers


async def test_an_allowed_page_of_another_site_may_chat(shop: Shop) -> None:
    answer = await shop.house.client.post("/chat/chat/visit", headers={"origin": SHOP})
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert answer.headers["access-control-allow-credentials"] == "true"
    async with shop.house.widget(shop.visitor, origin=SHOP) as widget:
        await say(widget, "Hello")


@pytest.mark.parametrize("channel_id", ["nowhere", "loop", "chat%00", "%F0%9F%98%80"])
async def test_what_is_no_chat_is_not_found(shop: Shop, channel_id: str) -> None:
    visited = await shop.house.client.post(f"/chat/{channel_id}/visit", headers={"origin": shop.house.url})
    assert visited.status_code == 404, visited.text


async def test_a_socket_to_what_is_no_chat_is_closed_as_such(shop: Shop) -> None:
    for channel_id in ("nowhere", "loop"):
        code = await closed_with(shop.house, f"/chat/{channel_id}", cookie=shop.visitor)
        assert code == chat_socket.CLOSE_NO_CHANNEL


# --- what is said -------------------------------------------------------------------------------------------------------


async def test_what_a_visitor_writes_is_acked_and_reaches_the_agent_and_the_answer_comes_back(
    database_url: str, tmp_path: Path
) -> None:
    async with run_hub(database_url, tmp_path) as house:
        await house.channel("chat", ChannelKind.CHAT)
        shop = Shop(house, await house.person("Nare"), await house.visit())
        async with house.widget(shop.visitor) as widget, house.screen(shop.nare) as screen:
            history = await widget.until(type="history")
            assert history["entries"] == []
            entry_id = await say(widget, "Hello")
            event = await screen.until_text("Hello")
            assert event["entry"]["id"] == entry_id
            own = await entry_with(widget, "Hello")
            assert (own["id"], own["client_id"], own["direction"]) == (entry_id, "c1", "in")
            await shop.take()
            await widget.until(type="agent", name="Nare")
            sent = await shop.api.post(f"/conversations/{event['conversation']['id']}/messages", {"text": "Hi there"})
            answer = await entry_with(widget, "Hi there")
            assert (answer["id"], answer["author"], answer["direction"]) == (sent.json()["id"], "Nare", "out")


async def test_the_same_client_id_twice_is_one_message_with_the_same_ack(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        first = await say(widget, "Hello")
        again = await say(widget, "Hello")
        assert first == again
    async with shop.house.widget(shop.visitor) as widget:
        assert await say(widget, "Hello") == first
    stored = await shop.house.hub.database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.entry)))
    assert stored == 1


async def test_two_windows_that_send_the_same_message_at_once_store_it_once(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as one, shop.house.widget(shop.visitor) as two:
        ids = await asyncio.gather(say(one, "Hello"), say(two, "Hello"))
        assert ids[0] == ids[1]


async def test_two_visitors_may_use_the_same_client_id(shop: Shop) -> None:
    other = await shop.house.visit()
    async with shop.house.widget(shop.visitor) as one, shop.house.widget(other) as two:
        assert await say(one, "mine", "c1") != await say(two, "mine, too", "c1")


async def test_a_window_that_was_open_before_the_first_word_hears_the_answer_too(shop: Shop) -> None:
    """Two tabs: the visitor writes in one, and the other shows the conversation as well."""
    async with shop.house.widget(shop.visitor) as silent, shop.house.widget(shop.visitor) as talking:
        await silent.until(type="history")
        await say(talking, "Hello")
        conversation_id = await shop.take()
        await shop.api.post(f"/conversations/{conversation_id}/messages", {"text": "Hi there"})
        await entry_with(talking, "Hi there")
        await entry_with(silent, "Hi there")


async def test_a_visitor_who_comes_back_sees_what_they_missed(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        entry_id = await say(widget, "Hello")
        conversation_id = await shop.take()
        widget.connection.transport.abort()
    await shop.api.post(f"/conversations/{conversation_id}/messages", {"text": "while you were away"})
    async with shop.house.widget(shop.visitor, since=entry_id) as widget:
        history = await widget.until(type="history")
        assert [entry["text"] for entry in history["entries"]] == ["while you were away"]
        assert (await widget.until(type="agent"))["name"] == "Nare"
    async with shop.house.widget(shop.visitor) as widget:
        history = await widget.until(type="history")
        assert [entry["text"] for entry in history["entries"]] == ["Hello", "while you were away"]


@pytest.mark.parametrize("since", ["-1", "x", "9" * 30, "%00", ""])
async def test_a_since_that_makes_no_sense_shows_everything(shop: Shop, since: str) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "Hello")
    async with shop.house.connect(f"/chat/chat?since={since}", cookie=shop.visitor) as connection:
        history = await Widget(connection).until(type="history")
        assert [entry["text"] for entry in history["entries"]] == ["Hello"]


async def test_received_and_read_turn_the_agents_ticks(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget, shop.house.screen(shop.nare) as screen:
        await say(widget, "Hello")
        conversation_id = await shop.take()
        sent = await shop.api.post(f"/conversations/{conversation_id}/messages", {"text": "Hi there"})
        answer = await entry_with(widget, "Hi there")
        await screen.until(lambda one: "sent" in deliveries(one.events, answer["id"]))
        for frame, state in (("received", "delivered"), ("read", "read"), ("received", "read")):
            await widget.send(type=frame, through=answer["id"])
            await widget.settle()
            while state not in deliveries(screen.events, answer["id"]):
                await screen.receive()
        assert deliveries(screen.events, sent.json()["id"])[-1] == "read"


def deliveries(events: list[dict[str, Any]], entry_id: int) -> list[str]:
    entries = [event["entry"] for event in events if event["kind"] in ("entry.added", "entry.changed")]
    return [entry["delivery"]["state"] for entry in entries if entry["id"] == entry_id and entry["delivery"]]


async def test_typing_goes_both_ways_and_is_nobody_elses(shop: Shop) -> None:
    other = await shop.house.visit()
    async with (
        shop.house.widget(shop.visitor) as widget,
        shop.house.widget(other) as stranger,
        shop.house.screen(shop.nare) as screen,
    ):
        await say(widget, "Hello")
        await say(stranger, "I am another")
        conversation_id = (await screen.until_text("Hello"))["conversation"]["id"]
        await widget.send(type="typing")
        await screen.until(lambda one: one.volatile)
        assert (screen.volatile[0]["conversation_id"], screen.volatile[0]["user_id"]) == (conversation_id, None)
        await shop.api.post(f"/conversations/{conversation_id}/typing")
        assert (await widget.until(type="typing"))["name"] == "Nare"
        assert "typing" not in [message["type"] for message in await stranger.settle()]


# --- what is never seen -------------------------------------------------------------------------------------------------


async def test_notes_and_inner_events_never_reach_the_visitor(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget, shop.house.screen(shop.nare) as screen:
        await say(widget, "Hello")
        conversation_id = await shop.take()
        await shop.api.post(f"/conversations/{conversation_id}/notes", {"text": "a secret among colleagues"})
        moved = {"queue_id": shop.house.queue_id, "note": "another secret"}
        await shop.api.post(f"/conversations/{conversation_id}/transfer", moved)
        await shop.api.post(f"/conversations/{conversation_id}/messages", {"text": "the end"})
        await screen.until_text("the end")
        heard = json.dumps(await widget.settle())
        assert "the end" in heard
        assert "secret" not in heard
    async with shop.house.widget(shop.visitor) as widget:
        assert "secret" not in json.dumps(await widget.settle())


async def test_another_visitors_words_and_files_are_not_reachable(shop: Shop) -> None:
    other = await shop.house.visit()
    picture = (await shop.upload(shop.visitor)).json()
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "mine alone", attachment_ids=[picture["id"]])
    headers = {"cookie": shop.visitor}
    bare, _, key = picture["url"].partition("?key=")
    # An <img> sends no headers: the key in its address stands for the visitor.
    assert (await shop.house.client.get(picture["url"])).content == PNG
    assert (await shop.house.client.get(bare, headers=headers)).content == PNG
    for cookie in ({"cookie": other}, {}, {"cookie": "hub_visitor=guessed"}):
        assert (await shop.house.client.get(bare, headers=cookie)).status_code == 404
    forged = key.replace(visitor_of(shop.visitor), visitor_of(other))
    for wrong in (forged, key[:-2] + ("AA" if key[-2:] != "AA" else "BB"), "x", ".."):
        assert (await shop.house.client.get(f"{bare}?key={wrong}")).status_code == 404
    async with shop.house.widget(other) as widget:
        assert "mine alone" not in json.dumps(await widget.settle())


async def test_another_visitors_upload_cannot_be_sent_as_ones_own(shop: Shop) -> None:
    other = await shop.house.visit()
    picture = (await shop.upload(shop.visitor)).json()
    async with shop.house.widget(other) as widget:
        await say(widget, "look at this", attachment_ids=[picture["id"]])
        assert (await entry_with(widget, "look at this"))["attachments"] == []
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "it is still mine", attachment_ids=[picture["id"]])
        entry = await entry_with(widget, "it is still mine")
        assert [file["id"] for file in entry["attachments"]] == [picture["id"]]


async def test_a_visitors_picture_is_seen_by_the_agent_and_the_agents_by_the_visitor(shop: Shop) -> None:
    picture = (await shop.upload(shop.visitor)).json()
    async with shop.house.widget(shop.visitor) as widget, shop.house.screen(shop.nare) as screen:
        await say(widget, "", attachment_ids=[picture["id"]])
        (event,) = [await screen.until_kind("entry.added")]
        (file,) = event["entry"]["attachments"]
        seen = await shop.house.client.get(file["url"], headers={"cookie": shop.nare.cookie})
        assert (seen.content, seen.headers["content-type"]) == (PNG, "image/png")
        conversation_id = await shop.take()
        mine = (await shop.api.upload(PNG + b"mine")).json()
        body = {"text": "and here", "attachment_ids": [mine["id"]]}
        assert (await shop.api.post(f"/conversations/{conversation_id}/messages", body)).status_code == 201
        (shown,) = (await entry_with(widget, "and here"))["attachments"]
        got = await shop.house.client.get(shown["url"], headers={"cookie": shop.visitor})
        assert got.content == PNG + b"mine"
        assert got.headers["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/pdf", "", "image"])
async def test_a_visitor_may_upload_pictures_only(shop: Shop, media_type: str) -> None:
    body = b'--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\ncontent-type: ' + media_type.encode()
    answer = await shop.house.client.post(
        "/chat/chat/attachments",
        content=body + b"\r\n\r\n<script>\r\n--b--\r\n",
        headers={
            "cookie": shop.visitor,
            "origin": shop.house.url,
            "content-type": "multipart/form-data; boundary=b",
        },
    )
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["fields"] == {"file": "must be a picture (JPEG, PNG, GIF or WebP)"}


async def test_uploading_wants_a_visitor(shop: Shop) -> None:
    assert (await shop.upload("hub_visitor=guessed")).status_code == 401


# --- who it is ----------------------------------------------------------------------------------------------------------


async def test_a_visitor_who_names_a_known_phone_is_joined_to_that_customer_and_learns_nothing(shop: Shop) -> None:
    house = shop.house
    await house.channel("sms", ChannelKind.SMS)
    form = [("MessageSid", "SM" + "0" * 32), ("From", "+37491234567"), ("To", "+15005550006"), ("NumMedia", "0")]
    texted = await house.post_twilio(
        [*form, ("AccountSid", "AC" + "0123456789abcdef" * 2), ("Body", "my secret order")]
    )
    assert texted.status_code == 200, texted.text
    (ani,) = (await shop.api.get("/customers")).json()["items"]
    named = await shop.api.patch(f"/customers/{ani['id']}", {"name": "Ani Known"})
    assert named.status_code == 200, named.text
    async with house.widget(shop.visitor) as widget, house.screen(shop.nare) as screen:
        await say(widget, "Hello")
        await widget.send(type="identify", phone="091 234567", name="Somebody Else")
        await widget.until(type="identified")
        await screen.until(lambda one: "linked" in one.happenings)
        known = await shop.api.get(f"/customers/{ani['id']}/timeline")
        assert {entry["text"] for entry in known.json()["items"]} >= {"my secret order", "Hello"}
        card = (await shop.api.get(f"/customers/{ani['id']}")).json()["customer"]
        assert card["name"] == "Ani Known"
        heard = json.dumps(await widget.settle())
        assert "Known" not in heard
        assert "secret" not in heard
    async with house.widget(shop.visitor) as widget:
        heard = json.dumps(await widget.settle())
        assert "secret" not in heard
        assert "Known" not in heard
    visited = await house.client.post("/chat/chat/visit", headers={"origin": house.url, "cookie": shop.visitor})
    assert "Known" not in visited.text, "a claim of a phone number tells whose it is"


async def test_an_unknown_phone_answers_like_a_known_one(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "Hello")
        await widget.send(type="identify", phone="091 999999")
        assert await widget.until(type="identified") == {"type": "identified"}


async def test_two_visitors_may_claim_the_same_new_number_at_once(database_url: str, tmp_path: Path) -> None:
    async with run_hub(database_url, tmp_path) as house:
        await house.channel("chat", ChannelKind.CHAT)
        cookies = [await house.visit() for _ in range(2)]
        async with house.widget(cookies[0]) as one, house.widget(cookies[1]) as two:
            for number in range(5):
                for widget in (one, two):
                    await widget.send(type="identify", phone=f"09123456{number}", name="Ani")
                for widget in (one, two):
                    await widget.until(type="identified")


@pytest.mark.parametrize(
    ("claim", "field"),
    [
        ({"phone": "12"}, "phone"),
        ({"phone": "x"}, "phone"),
        ({"email": "x"}, "email"),
        ({"email": "a@b"}, "email"),
        ({}, "name"),
    ],
)
async def test_a_claim_that_can_be_nobodys_is_told(shop: Shop, claim: dict[str, str], field: str) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        await widget.send(type="identify", **claim)
        assert (await widget.until(type="error"))["fields"].keys() == {field}


# --- hostile frames -----------------------------------------------------------------------------------------------------


HOSTILE = {
    "not JSON": "{",
    "a list": "[]",
    "no type": "{}",
    "unknown type": '{"type": "shutdown"}',
    "type of a wrong type": '{"type": {}}',
    "no client id": '{"type": "message", "text": "x"}',
    "a long client id": json.dumps({"type": "message", "text": "x", "client_id": "c" * 65}),
    "no words": '{"type": "message", "client_id": "c", "text": " "}',
    "too many words": json.dumps({"type": "message", "client_id": "c", "text": "x" * 4_001}),
    "foreign field": '{"type": "message", "client_id": "c", "text": "x", "author": "Nare"}',
    "through nothing": '{"type": "read", "through": -1}',
    "through too much": '{"type": "read", "through": 99999999999999999999}',
    "deep": "[" * 20_000,
    "too large": json.dumps({"type": "ping", "x": "y" * 70_000}),
}


@pytest.mark.parametrize("frame", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_frame_is_answered_with_an_error_and_the_socket_lives(shop: Shop, frame: str) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        await widget.connection.send(frame)
        error = await widget.until(type="error")
        assert error["code"] in ("bad_request", "invalid")
        await say(widget, "still here")


async def test_nul_in_a_text_is_replaced_and_the_message_kept(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "a\0b")
        await entry_with(widget, "a\ufffdb")


async def test_markup_reaches_everybody_as_text(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget, shop.house.screen(shop.nare) as screen:
        await say(widget, "<script>alert(1)</script>")
        await entry_with(widget, "<script>alert(1)</script>")
        await screen.until_text("<script>alert(1)</script>")


async def test_bytes_close_the_socket_and_nothing_else(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        await widget.connection.send(b"\0\1")
        async with asyncio.timeout(PATIENCE_S):
            await widget.connection.wait_closed()
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "still here")


async def test_a_visitor_who_sends_like_a_machine_is_slowed_down(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        for number in range(chat_socket._FRAMES_PER_WINDOW + 1):
            await widget.send(type="message", client_id=f"c{number}", text="x")
        error = await widget.until(type="error")
        assert (error["code"], error["client_id"]) == ("too_many", f"c{chat_socket._FRAMES_PER_WINDOW}")


async def test_new_visits_of_one_address_have_a_limit_and_known_visitors_come_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.house.hub.chat_sockets, "visits", Throttle(3, 60.0))
    answers = [await shop.house.client.post("/chat/chat/visit", headers={"origin": shop.house.url}) for _ in range(4)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    await shop.house.visit(cookie=shop.visitor)


# --- the place in the queue, and callbacks --------------------------------------------------------------------------------


async def place_where(widget: Widget, **wanted: Any) -> dict[str, Any]:
    """Reads on until the visitor is told a place like that."""
    while True:
        place: dict[str, Any] = (await widget.until(type="place"))["place"] or {}
        if all(place.get(name) == value for name, value in wanted.items()):
            return place


async def set_queue(shop: Shop, **values: Any) -> None:
    settings = QueueSettings(**values)
    await shop.house.hub.database.transaction(queues.update_queue, shop.house.queue_id, settings)


async def test_a_waiting_visitor_is_told_the_place_and_that_it_has_moved_up(shop: Shop) -> None:
    other = await shop.house.visit()
    async with shop.house.widget(other) as first, shop.house.widget(shop.visitor) as second:
        await say(first, "I was first")
        await place_where(first, position=1)
        await say(second, "Hello")
        told = await place_where(second, position=2)
        # Nobody is at work: nothing can be said of the wait.
        assert (told["wait_s"], told["opens_at"], told["callback"]) == (None, None, None)
        items = (await shop.api.get("/conversations")).json()["items"]
        (ahead,) = [view["id"] for view in items if view["preview"] == "I was first"]
        await shop.api.post(f"/conversations/{ahead}/claim", {})
        await place_where(second, position=1)
        # Whoever is served has no place any more.
        assert (await first.until(type="place"))["place"] is None


async def test_a_visitor_who_comes_back_is_told_the_place_at_once(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "Hello")
    async with shop.house.widget(shop.visitor) as again:
        messages = await again.settle()
        assert [message["place"]["position"] for message in messages if message["type"] == "place"] == [1]


async def test_outside_hours_a_visitor_is_told_when_it_opens(shop: Shop) -> None:
    opens = (shop.house.hub.database.clock() + timedelta(days=40)).date()

    def close(tx: Tx) -> None:
        calendar_id = tx.insert(tables.calendar, {"name": "Soon"})
        body = {
            "zone": "UTC",
            "week": [[]] * 7,
            "special": [{"day": opens.isoformat(), "hours": [["09:00", "17:00"]], "name": "Opening", "source": ""}],
        }
        row = {"calendar_id": calendar_id, "version": 1, "since": tx.now, "body": body}
        tx.execute(tables.calendar_version.insert().values(**row))
        queues.update_queue(tx, shop.house.queue_id, QueueSettings(calendar_id=calendar_id))

    await shop.house.hub.database.transaction(close)
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "Hello")
        await place_where(widget, opens_at=f"{opens}T09:00:00+00:00", wait_s=None)


async def test_a_visitor_asks_to_be_called_and_everybody_is_told(shop: Shop) -> None:
    await set_queue(shop, offers_callback=True)
    async with shop.house.widget(shop.visitor) as widget, shop.house.screen(shop.nare) as screen:
        await say(widget, "Hello")
        await place_where(widget, offers_callback=True)
        await widget.send(type="callback", phone="+374 10 123456")
        told = await place_where(widget, callback={"address": "+37410123456", "state": "waiting", "again_at": None})
        assert told["position"] == 1
        await screen.until(lambda it: "callback" in it.happenings)
        conversation_id = await shop.take()
        await place_where(widget, callback={"address": "+37410123456", "state": "calling", "again_at": None})
        after = await shop.api.post(f"/conversations/{conversation_id}/callback/outcome", {"outcome": "no_answer"})
        again_at = after.json()["parked_until"]
        later = await place_where(widget, position=None)
        assert later["callback"]["state"] == "waiting"
        assert datetime.fromisoformat(later["callback"]["again_at"]) == datetime.fromisoformat(again_at)
        await widget.send(type="cancel_callback")
        await place_where(widget, position=1, callback=None)
        # No event line of ours is a message to the visitor.
        assert all(message["type"] != "entry" for message in widget.messages if "callback" in json.dumps(message))


async def test_a_number_that_an_agent_entered_is_not_told_to_the_visitor(shop: Shop) -> None:
    """They may have claimed somebody else's address, and the agent taken the number from that card."""
    await set_queue(shop, offers_callback=True)
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "Please call me")
        conversation_id = await shop.take()
        await shop.api.post(f"/conversations/{conversation_id}/callback", {"address": "+37491234567"})
        await place_where(widget, callback={"address": None, "state": "calling", "again_at": None})
        assert all("91234567" not in json.dumps(message) for message in widget.messages)


async def test_nobody_asks_for_callbacks_again_and_again(shop: Shop) -> None:
    await set_queue(shop, offers_callback=True)
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "Hello")
        for number in range(6):
            await widget.send(type="callback", phone=f"+3741012345{number}")
        error = await widget.until(type="error")
        assert error["code"] == "too_many"
    assert len([row for row in await shop.house.hub.database.read(_callback_lines) if row]) <= 5


def _callback_lines(tx: Tx) -> list[Any]:
    return [row.id for row in tx.rows(select(tables.entry.c.id).where(tables.entry.c.happening == "callback"))]


@pytest.mark.parametrize(
    ("frame", "code", "fields"),
    [
        ({"phone": "call me"}, "invalid", ["phone"]),
        ({"phone": "+3741"}, "invalid", ["phone"]),
        ({}, "invalid", ["phone"]),
        ({"phone": 5}, "invalid", ["phone"]),
        ({"phone": "+37410123456", "when": "now"}, "invalid", ["when"]),
    ],
)
async def test_what_is_no_number_to_call_is_refused_in_words(
    shop: Shop, frame: dict[str, Any], code: str, fields: list[str]
) -> None:
    await set_queue(shop, offers_callback=True)
    async with shop.house.widget(shop.visitor) as widget:
        await say(widget, "Hello")
        await widget.send(type="callback", **frame)
        error = await widget.until(type="error")
        assert (error["code"], list(error["fields"])) == (code, fields)


async def test_whoever_does_not_wait_or_is_offered_none_gets_no_callback(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        await widget.send(type="callback", phone="+37410123456")
        assert (await widget.until(type="error"))["code"] == "not_waiting"
        await widget.send(type="cancel_callback")
        await say(widget, "Hello")
        await widget.send(type="callback", phone="+37410123456")
        assert (await widget.until(type="error"))["code"] == "no_callbacks"


# --- surveys ------------------------------------------------------------------------------------------------------------


async def asked_for_a_score(shop: Shop, widget: Widget) -> dict[str, Any]:
    """Nare answers and resolves; the entry that asks."""

    def switch_on(tx: Tx) -> None:
        before = load_setting(tx, shop.house.queue_id)
        save_setting(tx, replace(before, enabled=True, delay_s=0), before.version)

    await shop.house.hub.database.transaction(switch_on)
    await say(widget, "Hello")
    conversation_id = await shop.take()
    await shop.api.post(f"/conversations/{conversation_id}/messages", {"text": "Done."})
    await shop.api.post(f"/conversations/{conversation_id}/resolve", {})
    return await entry_with(widget, "How satisfied are you with our help?")


async def test_a_visitor_is_asked_in_the_chat_and_scores_with_one_frame(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        entry = await asked_for_a_score(shop, widget)
        survey = entry["survey"]
        assert (survey["kind"], survey["low"], survey["answered"]) == ("csat", "very dissatisfied", False)
        await widget.send(type="score", survey_id=survey["id"], score=4)
        assert await widget.until(type="scored") == {"type": "scored", "survey_id": survey["id"], "score": 4}
        await widget.send(type="score", survey_id=survey["id"], score=5, comment="Kind")
        await widget.until(type="scored", score=5)
    async with shop.house.widget(shop.visitor) as again:
        history = await again.until(type="history")
        assert [entry["survey"]["answered"] for entry in history["entries"] if "survey" in entry] == [True]
    items = (await shop.api.get("/surveys")).json()["items"]
    assert [(item["score"], item["comment"]) for item in items] == [(5, "Kind")]
    assert (await shop.api.get("/conversations?status=open")).json()["items"] == []


async def test_a_visitor_answers_no_survey_but_their_own(shop: Shop) -> None:
    async with shop.house.widget(shop.visitor) as widget:
        survey_id = (await asked_for_a_score(shop, widget))["survey"]["id"]
        await widget.send(type="score", survey_id=survey_id, score=9)
        refused = await widget.until(type="error")
        assert (refused["code"], refused["survey_id"]) == ("invalid", survey_id)
    async with shop.house.widget(await shop.house.visit()) as stranger:
        for number in (survey_id, 999_999):
            await stranger.send(type="score", survey_id=number, score=1)
            assert (await stranger.until(type="error"))["code"] == "not_found"
        await stranger.send(type="score", survey_id="x", score=True, comment=3)
        assert sorted((await stranger.until(type="error"))["fields"]) == ["comment", "score", "survey_id"]
    assert (await shop.api.get("/surveys")).json()["items"] == []
