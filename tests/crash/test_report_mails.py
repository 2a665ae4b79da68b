"""`kill -9` while scheduled reports go out: nobody gets one twice, and what may have been lost is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.store import tables
from hub.store.database import Tx
from tests.crash.test_mail import PATIENCE_S, house
from tests.crash.world import World

pytestmark = pytest.mark.anyio

_m = tables.report_mail.c


def _lay_schedule(tx: Tx) -> None:
    """Due a minute ago, for two addresses."""
    query: dict[str, Any] = {"measures": ["contacts"], "range": "yesterday", "grain": "total", "by": "none", "ids": []}
    tx.insert(
        tables.report_schedule,
        {
            "name": "Yesterday",
            "owner_id": tx.scalar(select(tables.user_account.c.id)),
            "query": {**query, "compare": "none"},
            "every": "day",
            "at": f"{tx.now - timedelta(minutes=1):%H:%M}",
            "time_zone": "UTC",
            "recipient_ids": [],
            "addresses": ["one@shop.test", "two@shop.test"],
            "files": ["xlsx"],
            "next_at": (tx.now - timedelta(minutes=1)).replace(second=0, microsecond=0),
        },
    )
    tx.execute(update(tables.user_account).values(role="supervisor"))


def _end_leases(tx: Tx) -> None:
    tx.execute(update(tables.report_mail).where(_m.state == "leased").values(lease_until=tx.now))


async def until_they_are(world: World, *wanted: tuple[str, str | None]) -> None:
    def look(tx: Tx) -> list[tuple[str, str | None]]:
        return [(row.state, row.code) for row in tx.rows(select(_m.state, _m.code).order_by(_m.id))]

    async with asyncio.timeout(PATIENCE_S):
        while await world.database.read(look) != list(wanted):  # noqa: ASYNC110 - asks the database
            await asyncio.sleep(0.05)


async def test_a_report_that_was_being_sent_is_not_sent_again_and_the_rest_of_it_is(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with house(sqlite_url, tmp_path) as (world, server):
        await world.database.transaction(_lay_schedule)
        server.hold = asyncio.Event()  # it takes the whole mail and never says so
        await world.start()
        await asyncio.wait_for(server.arrived.wait(), PATIENCE_S)
        await world.kill()
        server.hold.set()
        await world.database.transaction(_end_leases)
        await world.start()
        await until_they_are(world, ("failed", "fate_unknown"), ("sent", None))
        assert [one.recipients for one in server.received] == [("one@shop.test",), ("two@shop.test",)]
        run = tables.report_run.c
        assert await world.database.read(lambda tx: [row.state for row in tx.rows(select(run.state))]) == ["failed"]
