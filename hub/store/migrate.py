"""Bring a database to the newest migration, safely from any number of processes at once.

    migrate(url)   at head already → one query, nothing is imported; else Alembic, all in one transaction, under a lock:
                   PostgreSQL's MIGRATION_LOCK, SQLite's one writer. The second process waits and finds nothing to do.

A fresh database is also given its stream (the epoch of all tokens) and its organisation row. The migrations themselves
lie in `migrations/` of the checkout, or in `hub/_migrations` of an installed wheel; they import nothing of the hub.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, insert, select
from sqlalchemy import event as engine_event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import NullPool

from hub.errors import DatabaseAway, Misconfigured
from hub.store import tables
from hub.store.database import MIGRATION_LOCK, Tx, utc_now
from hub.store.stream import create_stream

# Another process may be in the middle of a long migration: waiting for it is right.
_WAIT_S = 300
# A migration that cannot get at a table gives up rather than stand in everybody's way.
_LOCK_TIMEOUT = "15s"


def find_migrations() -> Path:
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise Misconfigured("the hub's migrations are missing: the installation is damaged")


def head_revision() -> str:
    """The newest migration, by its file name: versions are numbered in sequence (a test compares with Alembic)."""
    return max(path.name[:4] for path in (find_migrations() / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


async def migrate(url: str) -> bool:
    """Migrates the database to head; True if there was anything to do. DatabaseAway if it does not answer;
    Misconfigured if it was written by a newer hub."""
    head = head_revision()
    if await find_revision(url) == head:
        return False
    return bool(await _in_transaction(url, lambda connection: _upgrade(connection, head)))


async def find_revision(url: str) -> str | None:
    """Where the database stands; None for one that no migration has touched."""
    found: str | None = await _in_transaction(url, _revision, lock=False)
    return found


async def downgrade(url: str, revision: str = "base") -> None:
    """Takes migrations back. What they had added is lost: for developers and their tests."""

    def work(connection: Connection) -> None:
        from alembic import command

        command.downgrade(_config(connection), revision)

    await _in_transaction(url, work)


def _upgrade(connection: Connection, head: str) -> bool:
    found = _revision(connection)
    if found == head:
        return False
    if found is not None and found > head:
        raise Misconfigured(
            f"the database stands at migration {found}, this hub knows up to {head}: it was used by a newer hub",
            fields={"HUB_DATABASE_URL": "was used by a newer hub"},
        )
    # Alembic takes 150 ms to import, and a hub that is up to date never needs it.
    from alembic import command

    command.upgrade(_config(connection), "head")
    tx = Tx(connection, utc_now())
    if tx.first(select(tables.stream.c.id)) is None:
        create_stream(tx)
    if tx.first(select(tables.organisation.c.id)) is None:
        tx.execute(insert(tables.organisation).values(id=1, name="Hub", time_zone="UTC", set_up_step="organisation"))
    return True


def _config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    # ConfigParser reads "%" in a path as the beginning of a reference.
    config.set_main_option("script_location", str(find_migrations()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


async def _in_transaction(url: str, work: Callable[[Connection], Any], *, lock: bool = True) -> Any:
    parsed = make_url(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return await asyncio.to_thread(_on_sqlite, parsed.database or "hub.db", work, lock)
        from sqlalchemy.ext.asyncio import create_async_engine  # late: SQLite has no use for it

        engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": 5})
        try:
            async with engine.connect() as connection, connection.begin():
                if lock:
                    await connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_WAIT_S}s'")
                    await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
                    await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                    await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                return await connection.run_sync(work)
        finally:
            await engine.dispose()
    except (OSError, TimeoutError, OperationalError, InterfaceError) as error:
        raise DatabaseAway("the database does not answer") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseAway("the database does not answer") from error
        raise


def _on_sqlite(path: str, work: Callable[[Connection], Any], lock: bool) -> Any:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": _WAIT_S})

    @engine_event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, so that the tables are made in the transaction

    @engine_event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if lock else "BEGIN")

    with contextlib.closing(engine.connect()) as connection, connection.begin():
        return work(connection)
