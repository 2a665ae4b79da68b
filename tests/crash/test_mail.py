"""`kill -9` around mails: while they are posted, while they leave. Nothing that was acknowledged is lost, nothing is
doubled in the timeline, and a mail that may have left is sent again as the very same message."""

from __future__ import annotations

import asyncio
import contextlib
import email
from collections.abc import AsyncIterator
from email.policy import default
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import func, select

from hub.domain.values import ChannelKind
from hub.store import tables
from hub.store.database import Tx
from hub.store.files import Files
from hub.store.vault import Vault
from hub.timeline import channels
from tests.channels.mailserver import MailServer, running_mail_server
from tests.crash.world import SECRET_KEY, World, running_world

pytestmark = pytest.mark.anyio

KEY = "webhook-key"
PATIENCE_S = 60


def _lay_channel(tx: Tx, port: int) -> None:
    channels.create_channel(
        tx,
        Vault(SECRET_KEY),
        channel_id="mail",
        kind=ChannelKind.EMAIL,
        name="Mail",
        queue_id=int(tx.scalar(select(tables.queue.c.id))),
        settings={
            "address": "support@shop.test",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(port),
            "smtp_security": "none",
        },
        secrets={"webhook_key": KEY},
    )


@contextlib.asynccontextmanager
async def house(database_url: str, folder: Path) -> AsyncIterator[tuple[World, MailServer]]:
    """The mail server lives here and is never killed."""
    async with running_mail_server() as server, running_world(database_url, folder, agents=1) as world:
        await world.database.transaction(_lay_channel, server.port)
        yield world, server


def mail(number: int) -> bytes:
    return (
        f"From: Ani <ani{number}@example.com>\r\nTo: support@shop.test\r\nSubject: Order {number}\r\n"
        f"Message-ID: <{number}@example.com>\r\n\r\nWhere is order {number}?\r\n"
    ).encode()


async def post(http: aiohttp.ClientSession, raw: bytes, acknowledged: list[bytes] | None = None) -> None:
    """As a provider does: again and again until it is told that the mail is stored."""
    while True:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with http.post("/webhooks/mail/mime", data=raw, headers={"Authorization": f"Bearer {KEY}"}) as answer:
                if answer.status == 200:
                    if acknowledged is not None:
                        acknowledged.append(raw)
                    return
        await asyncio.sleep(0.05)


def _stored(tx: Tx) -> list[str]:
    return [row.raw_key for row in tx.rows(select(tables.mail.c.raw_key).where(tables.mail.c.kind == "in"))]


async def test_posted_mails_are_stored_once_each_with_their_message_whatever_is_killed(
    sqlite_url: str, tmp_path: Path
) -> None:
    mails = [mail(number) for number in range(60)]
    acknowledged: list[bytes] = []
    async with house(sqlite_url, tmp_path) as (world, _):
        await world.start()
        async with aiohttp.ClientSession(world.hub.url) as http, asyncio.TaskGroup() as posting:
            for raw in mails:
                posting.create_task(post(http, raw, acknowledged))
            for wanted in (10, 30):
                async with asyncio.timeout(PATIENCE_S):
                    while len(acknowledged) < wanted:  # noqa: ASYNC110 - another process, which rings no bell
                        await asyncio.sleep(0.005)
                await world.kill_and_restart()
        keys = await world.database.read(_stored)
        files = Files(tmp_path / "data" / "files")
        assert sorted(files.path(key).read_bytes() for key in keys) == sorted(mails)
        assert await world.database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.entry))) == 60


def _delivery(tx: Tx) -> Any:
    e = tables.entry.c
    return tx.scalar(select(e.delivery).where(e.direction == "out"))


async def until_it_is(world: World, delivery: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await world.database.read(_delivery) != delivery:  # noqa: ASYNC110 - asks the database
            await asyncio.sleep(0.05)


async def test_a_mail_that_was_being_sent_is_sent_again_as_the_very_same_message(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with house(sqlite_url, tmp_path) as (world, server):
        await world.start()
        async with aiohttp.ClientSession(world.hub.url) as http:
            await post(http, mail(1))
            (person,) = world.people
            server.hold = asyncio.Event()  # it takes the whole mail and never says so
            async with http.post(
                "/api/v1/conversations/1/messages", json={"text": "It is on its way."}, headers=person.headers
            ) as answered:
                assert answered.status == 201, await answered.text()
            await asyncio.wait_for(server.arrived.wait(), PATIENCE_S)
            await world.kill()
            server.hold.set()
            await world.let_time_pass()
            await world.start()
            await until_it_is(world, "sent")
        first, second = server.received
        assert first.content == second.content
        assert first.recipients == second.recipients == ("ani1@example.com",)
        told = email.message_from_bytes(second.content, policy=default)
        assert told["In-Reply-To"] == "<1@example.com>"


async def test_a_mail_that_surely_did_not_leave_is_sent_once(sqlite_url: str, tmp_path: Path) -> None:
    async with house(sqlite_url, tmp_path) as (world, server):
        await world.start()
        async with aiohttp.ClientSession(world.hub.url) as http:
            await post(http, mail(1))
            (person,) = world.people
            server.play("RCPT", *["451 4.7.1 come back later"] * 2)
            async with http.post(
                "/api/v1/conversations/1/messages", json={"text": "Yes."}, headers=person.headers
            ) as answered:
                assert answered.status == 201, await answered.text()
            async with asyncio.timeout(PATIENCE_S):
                while "RCPT" not in server.verbs:  # noqa: ASYNC110 - another process, which rings no bell
                    await asyncio.sleep(0.01)
            await until_it_is(world, "queued")
            await world.kill_and_restart()
            await world.database.transaction(_make_due)
            server.play("RCPT")
            await world.kill_and_restart()
            await until_it_is(world, "sent")
        assert len(server.received) == 1


def _make_due(tx: Tx) -> None:
    tx.execute(tables.outbox.update().values(next_attempt_at=tx.now))
