"""`kill -9` in the middle of a round: nothing is offered by halves, and the next life makes the round anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from sqlalchemy import Row, select

from hub.store import tables
from hub.store.database import Tx
from tests.crash.test_held_work import Visitor, call, screen, told
from tests.crash.world import running_world

pytestmark = pytest.mark.anyio

PATIENCE_S = 30
_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hub' AND wait_event_type = 'Lock'"


def _offers(tx: Tx) -> Sequence[Row[Any]]:
    return tx.rows(select(tables.offer).order_by(tables.offer.c.id))


def _work(tx: Tx) -> list[tuple[int | None, bool]]:
    c = tables.conversation.c
    rows = tx.rows(select(c.assignee_id, c.queued_since).order_by(c.id))
    return [(row.assignee_id, row.queued_since is not None) for row in rows]


def _live_assignments(tx: Tx) -> int:
    return len(tx.rows(select(tables.assignment.c.id).where(tables.assignment.c.ended_at.is_(None))))


async def until_a_round_is_blocked(url: str) -> None:
    """The hub waits for a lock that somebody else has: nobody tells us, so it is looked for."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await connection.fetchval(_BLOCKED):  # noqa: ASYNC110 - PostgreSQL has no event for it
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def test_a_round_that_was_killed_in_its_middle_is_made_anew(postgresql_url: str, tmp_path: Path) -> None:
    async with running_world(postgresql_url, tmp_path, agents=1) as world:
        await world.start()
        (agent,) = world.people
        holder = await asyncpg.connect(postgresql_url.replace("+asyncpg", ""))
        async with aiohttp.ClientSession(world.hub.url) as http:
            console = await screen(http, agent)
            visitor = Visitor(http, world.hub.url)
            socket = await visitor.open()
            await visitor.write(socket, "first", "Hello?")
            # The round has read and decided when it asks for this row, and holds the ROUTING lock.
            async with holder.transaction():
                await holder.fetch("SELECT id FROM conversation FOR UPDATE")
                await call(http, agent, "PUT", "/me/state", {"state": "available"})
                await until_a_round_is_blocked(postgresql_url)
                await world.kill()
            await holder.close()
            assert await world.database.read(_offers) == []
            assert await world.database.read(_work) == [(None, True)]

            await world.start()
            console = await screen(http, agent)
            offer = (await told(console, "offer.made"))["offer"]
            await call(http, agent, "POST", f"/offers/{offer['id']}/accept")
            assert [row.outcome for row in await world.database.read(_offers)] == ["accepted"]
            assert await world.database.read(_work) == [(agent.user_id, False)]
            assert await world.database.read(_live_assignments) == 1
