"""The reference day is counted on a fixed date, in a time zone whose clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from hub.store import tables
from hub.store.database import Database, Tx
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
