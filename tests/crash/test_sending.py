"""`kill -9` while agents' messages leave: each reaches the handset at most once, in the order it was written, and ends
delivered or parked as uncertain for an agent to decide; none is lost without a word."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from hub.demo.carrier import Carrier, Fault, FaultKind
from hub.store import tables
from hub.store.database import Tx
from tests.crash.world import ACCOUNT_SID, AUTH_TOKEN, NUMBER, Person, World, running_world, serving

pytestmark = pytest.mark.anyio

PHONES = [f"+4477009{number:05d}" for number in range(8)]
LINES = 5
# The customer to whom the same words are written twice.
TWICE = "+447700900099"
# Longer than the test: such an answer never comes.
SILENT_S = 300.0
PATIENCE_S = 60


@asynccontextmanager
async def house(database_url: str, folder: Path) -> AsyncIterator[tuple[World, Carrier]]:
    """The carrier lives here and is never killed; the hub reaches it over HTTP, and it the hub."""
    carrier = Carrier(account_sid=ACCOUNT_SID, auth_token=AUTH_TOKEN, numbers={NUMBER: {}}, speed=4)
    async with serving(carrier.app) as url, running_world(database_url, folder, api_base=url, agents=1) as world:
        carrier.base_url = url
        carrier.numbers[NUMBER]["sms_url"] = f"{world.hub.url}/webhooks/sms/message"
        await carrier.start()
        try:
            yield world, carrier
        finally:
            await carrier.stop()


async def answer(http: aiohttp.ClientSession, person: Person, conversation_id: int, text: str, key: str) -> None:
    """As the console does: one key, tried until the hub has said that it has it."""
    path = f"/api/v1/conversations/{conversation_id}/messages"
    while True:
        try:
            async with http.post(
                path, json={"text": text}, headers={**person.headers, "Idempotency-Key": key}
            ) as response:
                assert response.status in (200, 201, 503), await response.text()
                if response.status < 300:
                    return
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(0.1)  # the console's back-off


def _conversations(tx: Tx) -> dict[str, int]:
    c, p = tables.conversation.c, tables.contact_point.c
    query = select(c.id, p.address).join(tables.contact_point, p.id == c.contact_point_id)
    return {row.address: row.id for row in tx.rows(query)}


def _deliveries(tx: Tx, conversation_id: int) -> list[tuple[int, str, str]]:
    """(id, text, delivery) of what was written to the customer, in its order."""
    e = tables.entry.c
    query = (
        select(e.id, e.text, e.delivery)
        .where(e.conversation_id == conversation_id, e.direction == "out")
        .order_by(e.id)
    )
    return [(row.id, row.text, row.delivery) for row in tx.rows(query)]


def _unfinished(tx: Tx) -> int:
    o, e = tables.outbox.c, tables.entry.c
    moving = ("queued", "sending", "sent")
    query = (
        select(o.id)
        .join(tables.entry, e.id == o.entry_id)
        .where(o.state.in_(("queued", "leased")) | e.delivery.in_(moving))
    )
    return len(tx.rows(query))


async def settled(world: World) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await world.database.read(_unfinished):  # noqa: ASYNC110 - asks the database, which rings no bell
            await asyncio.sleep(0.1)


async def begun(world: World, carrier: Carrier, phones: list[str]) -> dict[str, int]:
    """Every customer writes first; their conversations by phone."""
    for phone in phones:
        carrier.text(phone, NUMBER, "Hello?")
    async with asyncio.timeout(PATIENCE_S):
        while len(found := await world.database.read(_conversations)) < len(phones):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    return found


def received(carrier: Carrier, phone: str) -> list[str]:
    return [message.body for message in carrier.conversation(phone, NUMBER) if message.direction == "outbound-api"]


async def hung(carrier: Carrier, faults: int) -> None:
    """Until so many of the faults have struck: that many requests get no answer, and their messages hang between."""
    async with asyncio.timeout(PATIENCE_S):
        while len(carrier.faults) > faults:  # noqa: ASYNC110 - the carrier rings only for messages
            await asyncio.sleep(0.01)


async def test_messages_on_their_way_are_delivered_once_and_in_order_after_kills(
    sqlite_url: str, tmp_path: Path
) -> None:
    chance = random.Random(21)
    kinds: list[FaultKind] = ["timeout", "timeout_after_accept"] * 3
    async with house(sqlite_url, tmp_path) as (world, carrier):
        await world.start()
        conversations = await begun(world, carrier, PHONES)
        victims = chance.sample(PHONES, len(kinds))
        carrier.faults += [
            Fault(kind, left=1, phone=phone, seconds=SILENT_S) for kind, phone in zip(kinds, victims, strict=True)
        ]
        written = {phone: [f"{phone[-2:]} line {number}" for number in range(LINES)] for phone in PHONES}

        async def write(http: aiohttp.ClientSession, phone: str) -> None:
            for text in written[phone]:
                await answer(http, world.people[0], conversations[phone], text, text.replace(" ", "-"))

        async with aiohttp.ClientSession(world.hub.url) as http, asyncio.TaskGroup() as writing:
            for phone in PHONES:
                writing.create_task(write(http, phone))
            # First while they write and some requests hang, then again when all was written and others hang.
            await hung(carrier, faults=3)
            await world.kill()
            await world.let_time_pass()
            await world.start()
        await hung(carrier, faults=0)
        await world.kill()
        await world.let_time_pass()
        await world.start()
        await settled(world)

        for phone in PHONES:
            deliveries = await world.database.read(_deliveries, conversations[phone])
            assert [text for _, text, _ in deliveries] == written[phone]
            assert {state for _, _, state in deliveries} == {"delivered"}
            assert received(carrier, phone) == written[phone]


async def test_the_same_words_twice_are_never_taken_for_one(sqlite_url: str, tmp_path: Path) -> None:
    """The second never arrived, and only the first stands in the carrier's list: it is not the second's proof."""
    async with house(sqlite_url, tmp_path) as (world, carrier), aiohttp.ClientSession(world.hub.url) as http:
        await world.start()
        conversation_id = (await begun(world, carrier, [TWICE]))[TWICE]
        person = world.people[0]
        await answer(http, person, conversation_id, "ok", "first")
        await settled(world)
        carrier.faults.append(Fault("timeout", left=1, seconds=SILENT_S))
        await answer(http, person, conversation_id, "ok", "second")
        await hung(carrier, faults=0)
        await world.kill()
        await world.let_time_pass()
        await world.start()
        await settled(world)
        [(_, _, first), (entry_id, _, second)] = await world.database.read(_deliveries, conversation_id)
        assert (first, second) == ("delivered", "uncertain")
        assert received(carrier, TWICE) == ["ok"]

        # The agent decides.
        decision = {"action": "retry"}
        async with http.post(f"/api/v1/entries/{entry_id}/delivery", json=decision, headers=person.headers) as response:
            assert response.status == 200, await response.text()
        await settled(world)
        assert received(carrier, TWICE) == ["ok", "ok"]
