"""A chat's window over a real server: how it is set up, what its forms demand, who is signed in on its pages, and what is
left there when nobody is in."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from hub.domain.values import ChannelKind, Role
from hub.store import tables
from hub.web import chat_socket
from tests.support.running_hub import House, Json, Person, Widget, run_hub

pytestmark = pytest.mark.anyio

SHOP = "https://shop.example"
FORM = [
    {"name": "name", "required": True},
    {"name": "email", "required": True},
    {"name": "topic", "required": True, "label": "About", "options": ["Delivery", "Returns"]},
    {"name": "question", "label": "Order number"},
]
FILLED = {"name": "Ani", "email": "Ani@Shop.test", "topic": "Delivery", "question": "4711"}


@dataclass
class Desk:
    """A chat `chat` for pages of SHOP, a mail account `mail`, an administrator and an agent."""

    house: House
    root: Person
    nare: Person

    async def save(self, **changes: Any) -> httpx2.Response:
        api = self.house.api(self.root)
        seen = (await api.get("/channels/chat/widget")).json()
        kept = {
            name: seen[name]
            for name in seen.keys()
            - {"channel_id", "name", "allowed_origins", "has_identity_secret", "embed", "version"}
        }
        return await api.put("/channels/chat/widget", {**kept, "expected_version": seen["version"], **changes})

    async def secret(self) -> str:
        answer = await self.house.api(self.root).post("/channels/chat/identity-secret")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["secret"])

    async def visit(self, **told: str) -> Json:
        answer = await self.house.client.post("/chat/chat/visit", json=told, headers={"origin": SHOP})
        assert answer.status_code == 200, answer.text
        assert "set-cookie" not in answer.headers, "a page of another site got a cookie"
        visited: Json = answer.json()
        return visited

    def widget(self, token: str, language: str = "") -> Any:
        path = f"/chat/chat?lang={language}" if language else "/chat/chat"
        return self.house.connect(path, origin=SHOP, subprotocols=["hub-chat", token])

    async def leave(self, token: str, **body: Any) -> httpx2.Response:
        headers = {"origin": SHOP, chat_socket.VISITOR_HEADER: token}
        return await self.house.client.post("/chat/chat/offline", json=body, headers=headers)

    def now(self) -> int:
        return int(self.house.hub.database.clock().timestamp())


@pytest.fixture(scope="module")
async def running(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with run_hub(module_sqlite_url, tmp_path_factory.mktemp("hub")) as house:
        yield house


@pytest.fixture
async def desk(running: House) -> Desk:
    return await make_desk(await running.empty())


async def make_desk(house: House) -> Desk:
    await house.channel("chat", ChannelKind.CHAT, allowed_origins=SHOP)
    await house.channel("mail", ChannelKind.EMAIL)
    return Desk(house, await house.person("Root", Role.ADMIN), await house.person("Nare"))


def part(told: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()


def sign(secret: str, *, head: Json | None = None, **claims: Any) -> str:
    """As a shop's own server would."""
    signed = f"{part(head or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    signature = hmac.digest(secret.encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def say(widget: Widget, text: str, client_id: str = "c1", **more: Any) -> Json:
    """The visitor writes; the ack, or the error."""
    await widget.send(type="message", client_id=client_id, text=text, **more)
    return await widget.until(client_id=client_id)


# --- how it is set up ---------------------------------------------------------------------------------------------------


async def test_a_widget_is_saved_whole_and_told_to_visitors_and_written_down(desk: Desk) -> None:
    saved = await desk.save(colour="#0f766e", title="Ask us", position="left", scheme="dark", launcher="Help")
    assert saved.status_code == 200, saved.text
    visited = await desk.visit()
    assert (visited["accent"], visited["title"]) == ("#0f766e", "Ask us")
    assert visited["widget"] == {"position": "left", "scheme": "dark", "launcher": "Help"}
    assert (visited["form"], visited["offline"]) == (None, None)
    act = (await desk.house.api(desk.root).get("/audit")).json()["items"][0]
    assert act["action"] == "channel.changed"
    assert act["data"]["changes"]["widget.position"] == ["right", "left"]
    # Settings of the other form stay.
    assert saved.json()["allowed_origins"] == [SHOP]


async def test_what_is_wrong_with_a_widget_is_named_and_a_colleagues_change_is_not_lost(desk: Desk) -> None:
    wrong = [{"name": "topic", "label": "", "options": []}, {"name": "name", "options": ["x"]}, {"name": "name"}]
    refused = await desk.save(
        colour="teal", form_enabled=True, fields=wrong, offline={"enabled": True, "channel_id": "chat", "when": "away"}
    )
    assert refused.status_code == 422
    assert refused.json()["fields"].keys() == {
        *("colour", "fields.0.label", "fields.0.options", "fields.1.options", "fields.2.name", "offline.channel_id"),
    }
    seen = await desk.save(expected_version=99)
    assert (seen.status_code, seen.json()["code"]) == (409, "version_conflict")
    agent = await desk.house.api(desk.nare).get("/channels/chat/widget")
    assert agent.status_code == 403
    assert (await desk.house.api(desk.root).get("/channels/mail/widget")).status_code == 404


# --- what is asked before -----------------------------------------------------------------------------------------------


async def test_the_first_message_needs_the_form_and_what_it_says_reaches_the_agent_once(desk: Desk) -> None:
    await desk.save(form_enabled=True, intro="Before we begin", fields=FORM)
    visited = await desk.visit()
    assert visited["form"]["is_due"]
    assert [field["name"] for field in visited["form"]["fields"]] == ["name", "email", "topic", "question"]
    async with desk.widget(visited["visitor"]["token"]) as connection:
        widget = Widget(connection)
        bare = await say(widget, "Hello")
        assert bare["fields"].keys() == {"form.name", "form.email", "form.topic"}
        faulty = await say(widget, "Hello", form={"name": "Ani", "email": "nowhere", "topic": "Weather", "age": "7"})
        assert faulty["fields"].keys() == {"form.email", "form.topic", "form.age"}
        first = await say(widget, "Hello", form=FILLED)
        assert first["type"] == "ack"
        assert (await say(widget, "Hello", form=FILLED))["entry_id"] == first["entry_id"]
        assert (await say(widget, "And one more", "c2"))["type"] == "ack"
    view = (await desk.house.api(desk.nare).get("/conversations")).json()["items"][0]
    assert view["customer_name"] == "Ani"
    timeline = (await desk.house.api(desk.nare).get(f"/conversations/{view['id']}/timeline")).json()["items"]
    told = [entry["data"]["answers"] for entry in timeline if entry["happening"] == "form"]
    assert told == ["About: Delivery\nOrder number: 4711"]
    card = (await desk.house.api(desk.nare).get(f"/customers/{view['customer_id']}")).json()
    (mailbox,) = [point for point in card["customer"]["contact_points"] if point["kind"] == "email"]
    assert (mailbox["address"], mailbox["verified"]) == ("ani@shop.test", False)
    assert not (await desk.visit(visitor=visited["visitor"]["token"]))["form"]["is_due"]


async def test_visitors_are_told_in_their_language_what_is_wrong(desk: Desk) -> None:
    await desk.save(form_enabled=True, fields=FORM)
    token = (await desk.visit())["visitor"]["token"]
    async with desk.widget(token, "hy-AM") as connection:
        faulty = await say(Widget(connection), "Hello", form={**FILLED, "email": "nowhere"})
    assert faulty["fields"] == {"form.email": "պետք է լինի էլ. փոստի հասցե"}
    assert faulty["message"] == "պետք է լինի էլ. փոստի հասցե"


async def test_a_request_that_goes_on_asks_for_nothing_again_in_whichever_window(desk: Desk) -> None:
    await desk.save(form_enabled=True, fields=FORM)
    token = (await desk.visit())["visitor"]["token"]
    nare = desk.house.api(desk.nare)
    async with desk.widget(token) as one, desk.widget(token) as two:
        here, there = Widget(one), Widget(two)
        await there.until(type="history")
        assert (await say(here, "Hello", form=FILLED))["type"] == "ack"
        await there.until(type="entry")
        assert (await say(there, "From the other window", "c2"))["type"] == "ack"
    view = (await nare.get("/conversations")).json()["items"][0]
    for act in ("claim", "resolve"):
        done = await nare.post(f"/conversations/{view['id']}/{act}", {})
        assert done.status_code == 200, done.text
    async with desk.widget(token) as connection:
        widget = Widget(connection)
        assert "form.email" in (await say(widget, "Me again", "c3"))["fields"]
        assert (await say(widget, "Me again", "c3", form=FILLED))["type"] == "ack"
        # It is open once more: what comes now goes on with it.
        assert (await say(widget, "And this", "c4"))["type"] == "ack"


# --- who is signed in on the page ---------------------------------------------------------------------------------------


async def test_somebody_who_is_signed_in_is_the_same_visitor_on_every_device(database_url: str, tmp_path: Path) -> None:
    async with run_hub(database_url, tmp_path) as house:
        desk = await make_desk(house)
        secret = await desk.secret()
        claims: Json = {"sub": "user 7", "name": "Ani", "email": "ani@shop.test"}
        phone = await desk.visit(identity=sign(secret, exp=desk.now() + 600, **claims))
        assert (phone["identity"]["state"], phone["visitor"]["name"]) == ("known", "Ani")
        async with desk.widget(phone["visitor"]["token"]) as connection:
            assert connection.subprotocol == "hub-chat"
            assert (await say(Widget(connection), "From my phone"))["type"] == "ack"
        laptop = await desk.visit(identity=sign(secret, exp=desk.now() + 601, aud="chat", **claims))
        async with desk.widget(laptop["visitor"]["token"]) as connection:
            history = await Widget(connection).until(type="history")
            assert [entry["text"] for entry in history["entries"]] == ["From my phone"]
        # The same browser without the word is somebody whom nobody knows.
        async with desk.widget(phone["visitor"]["anonymous"]) as connection:
            assert (await Widget(connection).until(type="history"))["entries"] == []


async def test_a_word_that_is_no_good_is_refused_and_the_visitor_stays_who_they_were(desk: Desk) -> None:
    never = await desk.visit(identity=sign("x" * 43, sub="7", exp=desk.now() + 60))
    assert never["identity"]["code"] == "switched_off"
    secret, later = await desk.secret(), desk.now() + 600
    good = sign(secret, sub="user 7", exp=later)
    head, payload, signature = good.split(".")
    cases = {
        "bad_token": [
            "nonsense",
            f"{head}.{part({'sub': 'user 8', 'exp': later})}.{signature}",
            f"{part({'alg': 'none'})}.{payload}.",
            sign(secret, head={"alg": "HS512"}, sub="7", exp=later),
            sign("another secret" * 3, sub="user 7", exp=later),
            sign(secret, exp=later),
            sign(secret, sub="", exp=later),
            sign(secret, sub="user 7"),
            sign(secret, sub="user 7", exp=later, nbf="soon"),
        ],
        "too_early": [sign(secret, sub="user 7", exp=later, nbf=desk.now() + 300)],
        "expired": [sign(secret, sub="user 7", exp=desk.now() - 1)],
        "too_long": [sign(secret, sub="user 7", exp=desk.now() + 90_000)],
        "other_channel": [sign(secret, sub="user 7", exp=later, aud="chat-two")],
    }
    mine = (await desk.visit())["visitor"]["token"]
    for code, words in cases.items():
        for word in words:
            visited = await desk.visit(visitor=mine, identity=word)
            assert (visited["identity"]["state"], visited["identity"]["code"]) == ("refused", code), word
            assert visited["visitor"]["token"].partition(".")[0] == mine.partition(".")[0]
            assert visited["visitor"]["name"] is None


async def test_a_copied_word_opens_nothing_elsewhere_and_ends_with_its_secret(desk: Desk) -> None:
    secret = await desk.secret()
    word = sign(secret, sub="user 7", exp=desk.now() + 600)
    first = await desk.visit(identity=word)
    # The page is loaded again in the same browser, with the same word.
    again = await desk.visit(visitor=first["visitor"]["anonymous"], identity=word)
    assert again["identity"]["state"] == "known"
    copied = await desk.visit(identity=word)
    assert copied["identity"] == {"state": "refused", "code": "used", "message": copied["identity"]["message"]}
    async with (
        desk.widget(first["visitor"]["token"]) as connection,
        desk.widget(first["visitor"]["anonymous"]) as other,
    ):
        await Widget(connection).until(type="history")
        fresh = await desk.secret()
        assert fresh != secret
        # Also of a window that is open and says nothing.
        async with asyncio.timeout(10):
            await connection.wait_closed()
        assert await Widget(other).settle()
    assert (await desk.visit(identity=sign(secret, sub="user 7", exp=desk.now() + 60)))["identity"][
        "code"
    ] == "bad_token"
    async with desk.widget(first["visitor"]["token"]) as connection:
        await connection.wait_closed()
        assert connection.close_code == chat_socket.CLOSE_NO_VISITOR
    # It is nowhere but in the vault, and the log says only that it changed.
    acts = (await desk.house.api(desk.root).get("/audit")).text
    assert secret not in acts
    assert "secrets.identity_secret" in acts
    kept = await desk.house.hub.database.read(
        lambda tx: tx.scalar(select(tables.channel.c.secrets).where(tables.channel.c.id == "chat"))
    )
    assert fresh not in kept


async def test_somebody_signed_in_learns_nothing_of_a_card_that_they_claim(desk: Desk) -> None:
    head = b"From: Vera <vera@shop.test>\r\nTo: support@shop.test\r\nSubject: Hello\r\nMessage-ID: <1@shop.test>\r\n"
    assert (await desk.house.post_mail(head + b"\r\nHello\r\n")).status_code == 200
    await desk.save(offline={"enabled": True, "channel_id": "mail", "when": "away"}, form_enabled=True, fields=FORM)
    secret, later = await desk.secret(), desk.now() + 600
    visited = await desk.visit(identity=sign(secret, sub="user 7", exp=later))
    async with desk.widget(visited["visitor"]["token"]) as connection:
        widget = Widget(connection)
        await widget.send(type="identify", name="Eve", email="vera@shop.test")
        await widget.until(type="identified")
        assert (await widget.settle())[0]["entries"] == []
    again = await desk.visit(visitor=visited["visitor"]["anonymous"], identity=sign(secret, sub="user 7", exp=later))
    assert again["visitor"]["name"] is None
    assert "email" in [field["name"] for field in again["offline"]["fields"]]
    assert "vera" not in json.dumps(again).lower()


# --- when nobody is there -----------------------------------------------------------------------------------------------


async def test_what_is_left_when_nobody_is_there_is_a_conversation_by_mail_once(
    database_url: str, tmp_path: Path
) -> None:
    async with run_hub(database_url, tmp_path) as house:
        desk = await make_desk(house)
        offline = {"enabled": True, "channel_id": "mail", "when": "away", "text": "Back tomorrow"}
        assert (await desk.save(offline=offline)).status_code == 200
        visited = await desk.visit()
        assert visited["offline"]["is_due"]
        assert [(field["name"], field["required"]) for field in visited["offline"]["fields"]] == [("email", True)]
        token = visited["visitor"]["token"]
        faulty = await desk.leave(token, client_id="c 1", text=" ", form={"email": "nobody"})
        assert faulty.json()["fields"].keys() == {"client_id", "text", "form.email"}
        left = {"client_id": "c1", "text": "Where is my parcel?", "form": {"email": "Ani@Shop.test"}}
        for _ in range(2):
            taken = await desk.leave(token, **left)
            assert (taken.status_code, taken.json()) == (201, {"address": "ani@shop.test"})
        api = desk.house.api(desk.nare)
        (view,) = (await api.get("/conversations")).json()["items"]
        told = (view["channel_id"], view["channel_kind"], view["subject"], view["address"])
        assert told == ("mail", "email", "Where is my parcel?", "ani@shop.test")
        card = (await api.get(f"/customers/{view['customer_id']}")).json()
        assert [point["verified"] for point in card["customer"]["contact_points"]] == [False]
        assert (await api.post(f"/conversations/{view['id']}/claim", {})).status_code == 200
        sent = await api.post(f"/conversations/{view['id']}/messages", {"text": "On its way"})
        assert sent.status_code in (200, 201), sent.text
        assert [each["address"] for each in sent.json()["mail"]["to"]] == ["ani@shop.test"]


async def test_a_typed_address_joins_no_thread_of_whoever_it_belongs_to(desk: Desk) -> None:
    head = (
        b"From: Vera <vera@shop.test>\r\nTo: support@shop.test\r\nSubject: My refund\r\nMessage-ID: <1@shop.test>\r\n"
    )
    assert (await desk.house.post_mail(head + b"\r\nWhere is it?\r\n")).status_code == 200
    asks = [{"name": "name"}, {"name": "topic", "label": "About", "options": ["My refund"]}]
    await desk.save(
        form_enabled=True, fields=asks, offline={"enabled": True, "channel_id": "mail", "when": "away", "text": ""}
    )
    token = (await desk.visit())["visitor"]["token"]
    form = {"email": "vera@shop.test", "topic": "My refund", "name": "Vera\r\nBcc: eve@shop.test"}
    assert (await desk.leave(token, client_id="c1", text="Pay it to Eve", form=form)).status_code == 201
    api = desk.house.api(desk.nare)
    views = (await api.get("/conversations")).json()["items"]
    assert sorted(view["preview"].splitlines()[-1] for view in views) == ["Pay it to Eve", "Where is it?"]
    assert not [view for view in views if "\n" in view["customer_name"]]
    # An account that was switched off takes nothing, and nobody is asked to write to it.
    off = await desk.house.api(desk.root).patch("/channels/mail", {"enabled": False})
    assert off.status_code == 200, off.text
    assert (await desk.visit(visitor=token))["offline"] is None
    again = await desk.leave(token, client_id="c2", text="Hello", form=form)
    assert (again.status_code, again.json()["code"]) == (409, "not_offline")


async def test_messages_for_later_are_few_and_only_where_they_are_wanted(desk: Desk) -> None:
    token = (await desk.visit())["visitor"]["token"]
    told = {"text": "Hello", "form": {"email": "ani@shop.test"}}
    assert (await desk.leave(token, client_id="c1", **told)).json()["code"] == "not_offline"
    await desk.save(offline={"enabled": True, "channel_id": "mail", "when": "closed"})
    # Open, and nobody there: only "away" would ask for it.
    assert not (await desk.visit())["offline"]["is_due"]
    assert (await desk.leave("", client_id="c1", **told)).status_code == 401
    codes = [(await desk.leave(token, client_id=f"c{number}", **told)).status_code for number in range(4)]
    assert codes == [201, 201, 201, 429]
