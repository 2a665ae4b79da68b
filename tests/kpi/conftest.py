"""A database on either engine with one organisation, and a clock that stands still until a test sets it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, insert
from sqlalchemy.ext.asyncio import create_async_engine

from hub.store import tables
from hub.store.database import Database, open_database
from hub.store.stream import create_stream
from tests.support.postgres import PostgresServer, run_apart


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(slots=True)
class FrozenClock:
    now: datetime = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def lay_tables(connection: Connection) -> None:
    tables.metadata.create_all(connection)
    connection.execute(insert(tables.organisation).values(id=1, name="Reference", time_zone="Europe/Kyiv"))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    url = postgres_server.create_database()

    async def lay() -> None:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(lay_tables)
        await engine.dispose()

    run_apart(lay())
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return server.create_database(request.getfixturevalue("postgres_template"))
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        lay_tables(connection)
    engine.dispose()
    return url


@pytest.fixture
async def database(database_url: str, clock: FrozenClock, anyio_backend: str) -> AsyncIterator[Database]:
    database = open_database(database_url, clock)
    await database.transaction(create_stream)
    yield database
    await database.close()
