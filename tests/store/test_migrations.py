"""The migrations make exactly the tables that hub.store.tables describes, on both databases, and can be taken back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select, text

from hub.errors import DatabaseAway, Misconfigured
from hub.store import tables
from hub.store.database import open_database
from hub.store.migrate import _config, _in_transaction, downgrade, find_revision, head_revision, migrate
from hub.store.stream import load_token
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return _empty_url(request, tmp_path, "empty")


@pytest.fixture
def other_url(request: pytest.FixtureRequest, empty_url: str, tmp_path: Path) -> str:
    """A second empty database of the same kind."""
    return _empty_url(request, tmp_path, "other", empty_url.partition(":")[0].partition("+")[0])


def _empty_url(request: pytest.FixtureRequest, tmp_path: Path, name: str, kind: str | None = None) -> str:
    if (kind or request.param) == "sqlite":
        return f"sqlite:///{tmp_path / name}.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.create_database()


# SQLite's own tables behind those of search: they are looked at by `search` of the database, not by columns.
FTS5 = ("search_entry_words", "search_customer_words")


def is_autoincrement(connection: Connection, table: str) -> bool:
    """On SQLite: whether an id is never used again. The inspector does not tell."""
    if connection.dialect.name != "sqlite":
        return True
    query = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
    return "AUTOINCREMENT" in str(connection.execute(query, {"name": table}).scalar())


def describe(connection: Connection) -> dict[str, Any]:
    """All that the database itself knows of its tables; Alembic's own comparison leaves out the checks."""
    inspector = inspect(connection)

    def ordered(items: Any) -> list[str]:
        return sorted(repr(sorted(item.items(), key=repr)) for item in items)

    return {
        name: {
            "autoincrement": is_autoincrement(connection, name),
            "columns": ordered({**column, "type": repr(column["type"])} for column in inspector.get_columns(name)),
            "key": inspector.get_pk_constraint(name),
            "foreign": ordered(inspector.get_foreign_keys(name)),
            "unique": ordered(inspector.get_unique_constraints(name)),
            "checks": ordered(inspector.get_check_constraints(name)),
            "indexes": ordered(
                {**index, "dialect_options": {k: str(v) for k, v in index.get("dialect_options", {}).items()}}
                for index in inspector.get_indexes(name)
            ),
        }
        for name in inspector.get_table_names()
        if name != "alembic_version" and not name.startswith(FTS5)
    }


async def test_migrations_make_the_tables_that_are_described(empty_url: str, other_url: str) -> None:
    await migrate(empty_url)
    await _in_transaction(other_url, tables.metadata.create_all)
    migrated = await _in_transaction(empty_url, describe)
    described = await _in_transaction(other_url, describe)
    assert migrated.keys() == described.keys() == tables.metadata.tables.keys()
    for name in described:
        assert migrated[name] == described[name], name


async def test_alembic_finds_nothing_left_to_migrate(empty_url: str) -> None:
    await migrate(empty_url)

    def check(connection: Connection) -> None:
        config = _config(connection)
        config.attributes["target_metadata"] = tables.metadata
        command.check(config)

    await _in_transaction(empty_url, check)


async def test_what_search_stands_on_is_made_alike(empty_url: str, other_url: str) -> None:
    """Triggers and tables of FTS5, which no inspector tells; on PostgreSQL its index."""

    def describe_search(connection: Connection) -> list[Any]:
        if connection.dialect.name == "sqlite":
            query = "SELECT name, sql FROM sqlite_master WHERE name LIKE 'search%' AND type IN ('trigger', 'table')"
            rows = connection.exec_driver_sql(f"{query} AND (type = 'trigger' OR sql LIKE '%fts5%') ORDER BY name")
        else:
            query = "SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE '%_words' ORDER BY indexname"
            rows = connection.exec_driver_sql(query)
        return [tuple(row) for row in rows]

    await migrate(empty_url)
    await _in_transaction(other_url, tables.metadata.create_all)
    migrated = await _in_transaction(empty_url, describe_search)
    assert migrated == await _in_transaction(other_url, describe_search)
    assert len(migrated) in (2, 6)


async def test_migrations_can_be_taken_back_and_made_again(empty_url: str) -> None:
    await migrate(empty_url)
    first = await _in_transaction(empty_url, describe)
    await downgrade(empty_url)
    assert await _in_transaction(empty_url, describe) == {}
    assert await find_revision(empty_url) is None
    assert await migrate(empty_url)
    assert await _in_transaction(empty_url, describe) == first


async def test_two_processes_that_start_at_once_migrate_once(empty_url: str) -> None:
    assert sorted(await asyncio.gather(migrate(empty_url), migrate(empty_url))) == [False, True]


async def test_fresh_database_has_its_stream_and_its_organisation(empty_url: str) -> None:
    await migrate(empty_url)
    database = open_database(empty_url)
    token = await database.read(load_token)
    assert (len(token.epoch), token.seq) == (8, 0)
    name = await database.read(lambda tx: tx.scalar(select(tables.organisation.c.name)))
    assert name == "Hub"
    await database.close()


async def test_migrating_again_keeps_the_stream(empty_url: str) -> None:
    await migrate(empty_url)
    database = open_database(empty_url)
    before = await database.read(load_token)
    assert not await migrate(empty_url)
    assert await database.read(load_token) == before
    await database.close()


async def test_database_of_a_newer_hub_is_left_alone(empty_url: str) -> None:
    await migrate(empty_url)
    newer = "UPDATE alembic_version SET version_num = '9999'"
    await _in_transaction(empty_url, lambda connection: connection.exec_driver_sql(newer))
    with pytest.raises(Misconfigured, match="newer hub"):
        await migrate(empty_url)


async def test_database_that_does_not_answer_is_told_as_away() -> None:
    with pytest.raises(DatabaseAway):
        await migrate("postgresql+asyncpg://nobody@127.0.0.1:1/none")


def test_versions_are_numbered_in_sequence() -> None:
    script = ScriptDirectory.from_config(_config(None))  # type: ignore[arg-type]  # nothing is executed
    revisions = [revision.revision for revision in reversed(list(script.walk_revisions()))]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert head_revision() == script.get_current_head()


def test_migrations_import_nothing_of_the_hub() -> None:
    assert not [
        path
        for path in Path(str(_config(None).get_main_option("script_location"))).rglob("[0-9e]*.py")  # type: ignore[arg-type]
        if "hub." in path.read_text().replace("hub.store.migrate (and", "")
    ]
