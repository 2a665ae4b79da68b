"""Who may call from a web page, how often, and what they hear when nobody can be called. Calls themselves, as they are heard:
tests/calls/test_hub_line.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from hub.calls import conductor
from hub.calls.records import new_token
from hub.channels import chat
from hub.channels.voice import CallArrived, LegName
from hub.domain.values import ChannelKind, ContactKind
from hub.store import tables
from hub.timeline import channels
from hub.web import call_socket, chat_socket
from tests.support.running_hub import PATIENCE_S, House, run_hub

pytestmark = pytest.mark.anyio

SHOP = "https://shop.example"
PATH = "/chat/chat/call"
OFFER = {"type": "call", "sdp": "v=0 and so on"}


async def add_line(house: House, channel_id: str = "line", chat: str = "chat", **settings: str) -> None:
    await house.hub.database.transaction(
        lambda tx: channels.create_channel(
            tx,
            house.hub.vault,
            channel_id=channel_id,
            kind=ChannelKind.PHONE,
            provider="hub",
            name=channel_id,
            queue_id=house.queue_id,
            settings={"chat_channel_id": chat, **settings},
            secrets={},
        )
    )


@pytest.fixture
async def house(sqlite_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """A hub whose media process does not answer."""
    async with run_hub(sqlite_url, tmp_path, media_url="http://127.0.0.1:9") as running:
        await running.channel("chat", ChannelKind.CHAT, allowed_origins=SHOP)
        await add_line(running)
        yield running


async def told(socket: ClientConnection, **message: Any) -> dict[str, Any]:
    await socket.send(json.dumps(message))
    answer: dict[str, Any] = json.loads(await socket.recv())
    return answer


async def closed_with(house: House, path: str = PATH, **more: Any) -> int:
    async with house.connect(path, **more) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", SHOP + ":8443", "http://shop.example"])
async def test_only_pages_that_may_chat_may_call(house: House, origin: str | None) -> None:
    assert await closed_with(house, cookie=await house.visit(), origin=origin) == chat_socket.CLOSE_ORIGIN


async def test_a_page_of_the_shop_may_call(house: House) -> None:
    visited = (await house.client.post("/chat/chat/visit", headers={"origin": SHOP})).json()
    # Its page has no cookie: the token is offered beside the name of what is spoken.
    protocols = ["hub-chat", visited["visitor"]["token"]]
    async with house.connect(PATH, origin=SHOP, subprotocols=protocols) as socket:
        assert socket.subprotocol == "hub-chat"
        assert await told(socket, type="ping") == {"type": "pong"}


@pytest.mark.parametrize("cookie", [None, "hub_visitor=nobody"])
async def test_only_visitors_may_call(house: House, cookie: str | None) -> None:
    assert await closed_with(house, cookie=cookie) == chat_socket.CLOSE_NO_VISITOR


async def test_a_chat_at_which_no_line_points_cannot_be_called(house: House) -> None:
    await house.channel("mute", ChannelKind.CHAT)
    visitor = await house.visit()
    for channel_id in ("mute", "line", "loop", "nothing"):
        assert await closed_with(house, f"/chat/{channel_id}/call", cookie=visitor) == chat_socket.CLOSE_NO_CHANNEL
    answer = await house.client.post("/chat/mute/visit", headers={"origin": house.url})
    assert answer.json()["calls"] is None


async def test_a_line_that_is_switched_off_is_not_there(house: House) -> None:
    visitor = await house.visit()
    assert (await house.client.post("/chat/chat/visit", headers={"origin": house.url})).json()["calls"] is not None
    channel = tables.channel
    await house.hub.database.transaction(
        lambda tx: tx.execute(update(channel).where(channel.c.id == "line").values(enabled=False))
    )
    assert await closed_with(house, cookie=visitor) == chat_socket.CLOSE_NO_CHANNEL
    assert (await house.client.post("/chat/chat/visit", headers={"origin": house.url})).json()["calls"] is None


async def test_a_page_is_told_how_to_reach_the_line(house: House) -> None:
    await house.channel("second", ChannelKind.CHAT)
    servers = {"ice_servers": "stun:a.example turn:b.example", "turn_username": "u", "turn_credential": "p"}
    await add_line(house, "line-2", "second", title="Talk to us", **servers)
    answer = await house.client.post("/chat/second/visit", headers={"origin": house.url})
    assert answer.json()["calls"] == {
        "title": "Talk to us",
        "ice_servers": [{"urls": "stun:a.example"}, {"urls": "turn:b.example", "username": "u", "credential": "p"}],
    }


async def test_when_nobody_can_be_called_the_page_hears_so_and_may_try_again(house: House) -> None:
    async with house.connect(PATH, cookie=await house.visit()) as socket:
        for _ in range(2):
            assert (await told(socket, **OFFER))["code"] == "no_media"


async def test_a_visitor_calls_only_so_often(house: House) -> None:
    visitor = await house.visit()
    async with house.connect(PATH, cookie=visitor) as socket:
        for _ in range(call_socket._CALLS_PER_VISITOR):
            assert (await told(socket, **OFFER))["code"] == "no_media"
        refused = await told(socket, **OFFER)
    assert (refused["code"], refused["retry_after_s"] > 0) == ("too_many", True)
    # Another page of theirs is no way around it; another visitor is free.
    async with house.connect(PATH, cookie=visitor) as socket:
        assert (await told(socket, **OFFER))["code"] == "too_many"
    async with house.connect(PATH, cookie=await house.visit()) as socket:
        assert (await told(socket, **OFFER))["code"] == "no_media"


async def test_a_visitor_has_only_so_many_pages(house: House) -> None:
    visitor = await house.visit()
    async with AsyncExitStack() as stack:
        for _ in range(call_socket._SOCKETS_PER_VISITOR):
            await stack.enter_async_context(house.connect(PATH, cookie=visitor))
        assert await closed_with(house, cookie=visitor) == chat_socket.CLOSE_TOO_MANY
    async with house.connect(PATH, cookie=visitor) as socket:
        assert await told(socket, type="ping") == {"type": "pong"}


async def test_too_many_frames_are_not_heard(house: House) -> None:
    async with house.connect(PATH, cookie=await house.visit()) as socket:
        codes = [(await told(socket, type="ping")).get("code") for _ in range(call_socket._FRAMES_PER_WINDOW + 1)]
    assert codes[-1] == "too_many"
    assert codes.count(None) == call_socket._FRAMES_PER_WINDOW


@pytest.mark.parametrize("frame", [{"type": "key", "key": "1"}, {"type": "hang_up"}])
async def test_what_is_about_a_call_is_not_heard_without_one(house: House, frame: dict[str, str]) -> None:
    async with house.connect(PATH, cookie=await house.visit()) as socket:
        await socket.send(json.dumps(frame))
        assert await told(socket, type="ping") == {"type": "pong"}


async def test_a_token_of_nobodys_call_is_over(house: House) -> None:
    async with house.connect(PATH, cookie=await house.visit()) as socket:
        assert await told(socket, type="resume", token="0" * 32) == {"type": "ended", "reason": None}


async def test_each_page_of_a_call_is_told_its_place(house: House) -> None:
    cookie, token = await house.visit(), new_token()
    signature = house.hub.vault.key("chat-visitor")
    visitor = chat.read_visitor(cookie.partition("=")[2], key=signature, now=house.hub.database.clock())
    assert visitor is not None
    arrived = CallArrived(
        provider_id="arrived",
        leg=LegName(token=token, provider_leg_id=token),
        caller_kind=ContactKind.CHAT,
        caller=visitor,
        line=SHOP,
        received_at=house.hub.database.clock(),
    )
    async with AsyncExitStack() as stack:
        pages = [
            await stack.enter_async_context(house.connect(PATH, cookie=cookie))
            for _ in range(call_socket._SOCKETS_PER_VISITOR)
        ]
        await house.hub.database.transaction(conductor.accept, "line", [arrived])
        for page in pages:
            await page.send(json.dumps({"type": "resume", "token": token}))
        for page in pages:
            state, place = [json.loads(await asyncio.wait_for(page.recv(), PATIENCE_S)) for _ in range(2)]
            assert (state["type"], state["state"]) == ("state", "waiting")
            assert (place["type"], place["place"]["position"]) == ("place", 1)
