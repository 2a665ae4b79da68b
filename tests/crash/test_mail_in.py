"""`kill -9` while mail comes in, by IMAP and at our own door: every mail is there, once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import smtplib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub.domain.values import ChannelKind
from hub.store import tables
from hub.store.database import Tx
from hub.store.vault import Vault
from hub.timeline import channels
from tests.crash.world import SECRET_KEY, World, running_world
from tests.support.dovecot import PASSWORD, Dovecot, make_folder, run_dovecot
from tests.support.postgres import find_free_port

pytestmark = pytest.mark.anyio

BOX = "support@hub.test"
MAILS = 240
PATIENCE_S = 90
# A mail server's lanes to us, and how often it tries each mail; more than any dead time needs.
LANES = 6
TRIES = 600
RETRY_S = 0.1


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot({BOX: PASSWORD}) as server:
        yield server


def mail(number: int, body: str = "") -> bytes:
    head = f"From: c{number % 20}@elsewhere.test\r\nTo: {BOX}\r\nSubject: {number}\r\nMessage-ID: <{number}@elsewhere.test>"
    return f"{head}\r\n\r\ntext {number:04d}\r\n{body}".encode()


def body(chance: random.Random) -> str:
    """Some are large, so that a kill meets them half way."""
    return "line of a long mail\r\n" * chance.choice((0, 0, 5, 5_000))


async def lay_mailbox(world: World, **settings: str) -> None:
    def work(tx: Tx) -> None:
        queue_id = tx.scalar(select(tables.queue.c.id))
        channels.create_channel(
            tx,
            Vault(SECRET_KEY),
            channel_id="mail",
            kind=ChannelKind.EMAIL,
            name="Mail",
            queue_id=queue_id,
            settings={"address": BOX, **settings},
            secrets={"imap_password": PASSWORD} if "imap_host" in settings else {},
        )

    await world.database.transaction(work)


def _count(tx: Tx) -> int:
    return int(tx.scalar(select(func.count()).select_from(tables.arrival)) or 0)


async def until_arrived(world: World, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await world.database.read(_count) < count:  # noqa: ASYNC110 - the hub's database rings no bell here
            await asyncio.sleep(0.005)


def _check_rows(tx: Tx) -> None:
    e = tables.entry.c
    texts = Counter(row.text.splitlines()[0] for row in tx.rows(select(e.text).where(e.kind == "message")))
    assert texts == Counter(f"text {number:04d}" for number in range(MAILS))
    assert _count(tx) == MAILS
    # Each mail has its raw message, and no two share one.
    keys = [row.raw_key for row in tx.rows(select(tables.mail.c.raw_key))]
    assert len(set(keys) - {None}) == MAILS


@pytest.mark.parametrize(
    ("kind", "after", "kills", "seed"),
    [("sqlite", "leave", 3, 31), ("sqlite", "move", 2, 32), ("postgresql", "leave", 2, 33)],
)
async def test_mail_that_is_fetched_is_there_exactly_once_after_kills(
    kind: str, after: str, kills: int, seed: int, dovecot: Dovecot, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    dovecot.clear(BOX)
    await asyncio.to_thread(make_folder, dovecot, BOX, "Done")
    async with running_world(request.getfixturevalue(f"{kind}_url"), tmp_path) as world:
        # The whole box is to be taken, whenever the hub first looks at it.
        await lay_mailbox(
            world,
            imap_host="127.0.0.1",
            imap_port=str(dovecot.imap_port),
            imap_security="none",
            imap_username=BOX,
            imap_after=after,
            imap_move_to="Done",
            imap_since="2026-01-01",
        )
        await asyncio.to_thread(dovecot.deliver_many, BOX, [mail(number, body(chance)) for number in range(MAILS // 2)])
        await world.start()
        rest = asyncio.create_task(
            asyncio.to_thread(
                dovecot.deliver_many, BOX, [mail(number, body(chance)) for number in range(MAILS // 2, MAILS)]
            )
        )
        for count in sorted(chance.sample(range(1, MAILS - 20), kills)):
            await until_arrived(world, count)
            await world.kill()
            await world.let_time_pass()
            await world.start()
        await rest
        await until_arrived(world, MAILS)
        if after == "move":
            async with asyncio.timeout(PATIENCE_S):
                while dovecot.mails(BOX):  # noqa: ASYNC110 - dovecot's folder is only looked at
                    await asyncio.sleep(0.05)
            moved = Counter(raw.partition(b"Subject: ")[2].split()[0] for raw in dovecot.mails(BOX, "Done"))
            assert moved == Counter(str(number).encode() for number in range(MAILS))
        await world.kill()
        await world.database.read(_check_rows)


async def _lane(port: int, waiting: Iterator[bytes], acknowledged: list[int]) -> None:
    def hand_in(raw: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=15) as client:
            client.sendmail("relay@elsewhere.test", [BOX], raw)

    for raw in waiting:
        for _ in range(TRIES):
            with contextlib.suppress(OSError, smtplib.SMTPException):
                await asyncio.to_thread(hand_in, raw)
                acknowledged.append(1)
                break
            await asyncio.sleep(RETRY_S)  # as a mail server waits, which takes longer
        else:
            raise AssertionError("a mail was never taken")


@pytest.mark.parametrize(("kind", "seed"), [("sqlite", 41), ("postgresql", 42)])
async def test_mail_that_heard_250_is_there_exactly_once_after_kills(
    kind: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    port = find_free_port()
    async with running_world(
        request.getfixturevalue(f"{kind}_url"), tmp_path, smtp_listen=f"127.0.0.1:{port}"
    ) as world:
        await lay_mailbox(world)
        await world.start()
        acknowledged: list[int] = []
        waiting = iter([mail(number, body(chance)) for number in range(MAILS)])
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as lanes:
            for _ in range(LANES):
                lanes.create_task(_lane(port, waiting, acknowledged))
            for count in sorted(chance.sample(range(10, MAILS - 20), 2)):
                await until_arrived(world, count)
                await world.kill()
                # What was acknowledged is stored, whatever else may be.
                assert len(acknowledged) <= await world.database.read(_count)
                await world.start()
        await world.kill()
        await world.database.read(_check_rows)
