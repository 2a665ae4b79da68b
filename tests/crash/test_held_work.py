"""`kill -9` while agents hold chats: whoever comes back goes on; the customer of whoever does not rings at a colleague."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from hub.store import tables
from hub.store.database import Tx
from tests.crash.world import Person, running_world

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
GRACE_S = 4.0
PATIENCE_S = 30


async def screen(http: aiohttp.ClientSession, person: Person) -> aiohttp.ClientWebSocketResponse:
    """The console's way in: snapshot, then the socket from its token."""
    async with http.get("/api/v1/snapshot", headers=person.headers) as answer:
        token = (await answer.json())["token"]
    origin = {"Origin": str(http._base_url).rstrip("/")}
    return await http.ws_connect(f"/live?since={token}", headers={**person.headers, **origin})


async def told(socket: aiohttp.ClientWebSocketResponse, kind: str, conversation_id: int | None = None) -> Json:
    """Reads until such an event has come (of that conversation)."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for event in json.loads(await socket.receive_str()).get("events", []):
                subject = event.get("offer", {}).get("conversation_id")
                if event["kind"] == kind and conversation_id in (None, subject):
                    found: Json = event
                    return found


async def call(http: aiohttp.ClientSession, person: Person, method: str, path: str, body: Json | None = None) -> Any:
    async with http.request(method, f"/api/v1{path}", json=body, headers=person.headers) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


class Visitor:
    """A page with the chat open."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._cookie = ""

    async def open(self) -> aiohttp.ClientWebSocketResponse:
        headers = {"Origin": self._url} | ({"Cookie": self._cookie} if self._cookie else {})
        async with self._http.post("/chat/chat/visit", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            self._cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return await self._http.ws_connect("/chat/chat", headers={"Origin": self._url, "Cookie": self._cookie})

    async def write(self, socket: aiohttp.ClientWebSocketResponse, client_id: str, text: str) -> None:
        """Returns when the hub has said that it has it."""
        await socket.send_json({"type": "message", "client_id": client_id, "text": text})
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await socket.receive_json()
                assert message["type"] != "error", message
                if message.get("type") == "ack" and message.get("client_id") == client_id:
                    return


def _rows(tx: Tx) -> dict[int, tuple[int | None, bool]]:
    """Who holds each conversation, and whether it waits."""
    c = tables.conversation.c
    return {
        row.id: (row.assignee_id, row.queued_since is not None)
        for row in tx.rows(select(tables.conversation).order_by(c.id))
    }


def _said(tx: Tx) -> list[str]:
    e = tables.entry.c
    return [row.text for row in tx.rows(select(e.text).where(e.direction == "in").order_by(e.id))]


async def taken(
    http: aiohttp.ClientSession,
    person: Person,
    console: aiohttp.ClientWebSocketResponse,
    visitor: Visitor,
    text: str,
) -> int:
    """The person becomes available, the visitor writes, the offer rings and is accepted; the conversation's id."""
    await call(http, person, "PUT", "/me/state", {"state": "available"})
    socket = await visitor.open()
    await visitor.write(socket, "first", text)
    offer = (await told(console, "offer.made"))["offer"]
    conversation = await call(http, person, "POST", f"/offers/{offer['id']}/accept")
    assert conversation["assignee_id"] == person.user_id
    return int(conversation["id"])


async def test_chats_of_agents_who_do_not_come_back_ring_at_others(postgresql_url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(running_world(postgresql_url, tmp_path, agents=2, grace_s=GRACE_S))
        await world.start()
        http = await stack.enter_async_context(aiohttp.ClientSession(world.hub.url))
        faithful, lost = world.people
        one, two = Visitor(http, world.hub.url), Visitor(http, world.hub.url)
        consoles = [await screen(http, faithful), await screen(http, lost)]
        kept = await taken(http, faithful, consoles[0], one, "to the faithful")
        moved = await taken(http, lost, consoles[1], two, "to the lost")
        assert await world.database.read(_rows) == {kept: (faithful.user_id, False), moved: (lost.user_id, False)}

        await world.kill()
        await world.let_time_pass()
        await world.start()

        # One agent's console comes back by itself; so does the visitor's page, and sends again what it heard no ack for.
        console = await screen(http, faithful)
        socket = await two.open()
        await two.write(socket, "first", "to the lost")
        await two.write(socket, "second", "Is anybody there?")
        offer = (await told(console, "offer.made", moved))["offer"]
        assert offer["agent_id"] == faithful.user_id
        assert await world.database.read(_rows) == {kept: (faithful.user_id, False), moved: (None, True)}
        await call(http, faithful, "POST", f"/offers/{offer['id']}/accept")
        assert await world.database.read(_rows) == {kept: (faithful.user_id, False), moved: (faithful.user_id, False)}
        assert await world.database.read(_said) == ["to the faithful", "to the lost", "Is anybody there?"]
