"""The reference day is counted on a fixed date, in a time zone whose clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from hub.store import tables
from hub.store.database import Database, Tx
from tests.kpi.random_facts import CHANNELS, DAYS, FIRST
from tests.kpi.reference import ANNA, BORIS, CARE, SALES
from tests.support.clock import FrozenClock

KYIV = ZoneInfo("Europe/Kyiv")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC))


@pytest.fixture
async def database(database: Database) -> Database:
    """The shared one, whose organisation is in Kyiv, with the people and queues of the reference."""

    def prepare(tx: Tx) -> None:
        tx.execute(update(tables.organisation).values(time_zone="Europe/Kyiv"))
        for user_id, name in ((ANNA, "Anna"), (BORIS, "Boris")):
            account = {"email": f"{name}@shop.test", "name": name, "role": "agent", "password_hash": ""}
            tx.insert(tables.user_account, {"id": user_id, **account, "created_at": tx.now})
        for queue_id, name in ((CARE, "Care"), (SALES, "Sales")):
            tx.insert(tables.queue, {"id": queue_id, "name": name})

    await database.transaction(prepare)
    return database


@pytest.fixture
async def shop(database: Database, clock: FrozenClock) -> Database:
    """The same with the channels of the random facts, after all of them."""
    clock.now = FIRST + timedelta(days=DAYS + 20)

    def prepare(tx: Tx) -> None:
        queue_id = tx.scalar(select(tables.queue.c.id).limit(1))
        for channel_id, kind in CHANNELS.items():
            row = {"id": channel_id, "kind": kind, "name": channel_id, "queue_id": queue_id, "settings": {}}
            since = {"health_since": tx.now, "inbound_since": tx.now}
            tx.execute(tables.channel.insert().values(**row, **since, secrets=""))

    await database.transaction(prepare)
    return database
