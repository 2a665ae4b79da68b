"""A small world for a hub that will be killed: laid into a fresh database, and looked at beside the hub and after it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import uvicorn
from sqlalchemy import select, update
from starlette.types import ASGIApp

from hub.agents import accounts, queues
from hub.domain.values import ChannelKind, Role
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.store.vault import Vault
from hub.timeline import channels
from tests.support.hub_process import HubProcess

SECRET_KEY = "a-secret-key-for-tests-only"
ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "crash-token"
NUMBER = "+15005550006"
# Longer than any lease and any heartbeat: who was in the middle of something then has no claim to it now.
DEAD = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Person:
    """An agent's open session: what their browser sends along."""

    user_id: int
    token: str
    csrf_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": f"hub_session={self.token}", "X-CSRF-Token": self.csrf_token}


@dataclass
class World:
    """`hub` is a process; `database` is our own look at its data, valid whether it lives or not."""

    hub: HubProcess
    database: Database
    people: list[Person] = field(default_factory=list)

    async def kill_and_restart(self) -> None:
        await self.kill()
        await self.start()

    async def kill(self) -> None:
        await asyncio.to_thread(self.hub.kill)

    async def start(self) -> None:
        await asyncio.to_thread(self.hub.start)

    async def let_time_pass(self) -> None:
        """As if the hub had lain dead for longer than its leases and heartbeats last: what is stamped with a time of
        then is so much older."""
        await self.database.transaction(_age)


def _age(tx: Tx) -> None:
    o, k = tables.outbox.c, tables.connection.c
    for row in tx.rows(select(o.id, o.attempted_at, o.lease_until).where(o.state == "leased")):
        aged = {"attempted_at": row.attempted_at - DEAD, "lease_until": row.lease_until - DEAD}
        tx.execute(update(tables.outbox).where(o.id == row.id).values(**aged))
    m = tables.mailbox.c
    for row in tx.rows(select(m.channel_id, m.lease_until).where(m.lease_until.is_not(None))):
        aged = {"lease_until": row.lease_until - DEAD}
        tx.execute(update(tables.mailbox).where(m.channel_id == row.channel_id).values(**aged))
    for row in tx.rows(select(k.id, k.opened_at, k.seen_at)):
        aged = {"opened_at": row.opened_at - DEAD, "seen_at": row.seen_at - DEAD}
        tx.execute(update(tables.connection).where(k.id == row.id).values(**aged))


def _lay(tx: Tx, api_base: str, agents: int) -> list[Person]:
    vault = Vault(SECRET_KEY)
    queue = queues.create_queue(tx, name="Support")
    channels.create_channel(
        tx,
        vault,
        channel_id="sms",
        kind=ChannelKind.SMS,
        name="Text messages",
        queue_id=queue.id,
        settings={"account_sid": ACCOUNT_SID, "from_number": NUMBER, "api_base": api_base},
        secrets={"auth_token": AUTH_TOKEN},
        default_region="GB",
    )
    channels.create_channel(
        tx, vault, channel_id="chat", kind=ChannelKind.CHAT, name="Chat", queue_id=queue.id, settings={}, secrets={}
    )
    people = []
    for number in range(agents):
        user = accounts.create_user(
            tx,
            email=f"agent{number}@hub.test",
            name=f"Agent {number}",
            role=Role.AGENT,
            password_hash="",
            queue_ids=[queue.id],
        )
        opened = accounts.open_session(tx, user.id, (), 3600)
        people.append(Person(user.id, opened.token, opened.csrf_token))
    return people


@contextlib.asynccontextmanager
async def running_world(
    database_url: str,
    folder: Path,
    *,
    api_base: str = "http://127.0.0.1:9",
    agents: int = 0,
    grace_s: float = 15,
    **settings: str,
) -> AsyncIterator[World]:
    """The hub is started after this is entered, by `world.start()`. `settings`: further ones of HubProcess."""
    hub = HubProcess(
        ["serve"],
        folder / "data",
        database_url=database_url,
        secret_key=SECRET_KEY,
        presence_grace_s=str(grace_s),
        **settings,
    )
    database = open_database(database_url)
    try:
        world = World(hub, database)
        world.people = await database.transaction(_lay, api_base, agents)
        yield world
        assert "Traceback" not in hub.log
    except BaseException as error:
        error.add_note(f"the end of the hub's log:\n{hub.log[-4_000:]}")
        raise
    finally:
        await asyncio.to_thread(hub.stop)
        await database.close()


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The app on a free port of this machine; its root address."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", ws="none")
    )
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
