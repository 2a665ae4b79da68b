"""The reference day is counted on a fixed date, in a time zone whose clocks change."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from hub.store import tables
from hub.store.database import Database, Tx
from tests.support.clock import FrozenClock


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC))


@pytest.fixture
async def database(database: Database) -> Database:
    """The shared one, whose organisation is in Kyiv."""

    def move(tx: Tx) -> None:
        tx.execute(update(tables.organisation).values(time_zone="Europe/Kyiv"))

    await database.transaction(move)
    return database
