"""Copies of the SQLite database: `hub backup` and `hub restore`. PostgreSQL has tools of its own for this.

A restored database begins a new life of the stream, with a new epoch: tokens of the old life, which may name events the
copy never saw, end in a resync.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url

from hub.errors import Conflict, InvalidInput, Misconfigured
from hub.settings import Settings
from hub.store.database import open_database
from hub.store.migrate import migrate
from hub.store.stream import create_stream


def back_up(settings: Settings, file: Path) -> None:
    """A consistent copy, also while the hub writes. FILE is whole or absent."""
    source = _database_file(settings)
    if not source.exists():
        raise Misconfigured(f"there is no database at {source}")
    beside = file.with_name(file.name + ".part")
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reader,
        contextlib.closing(sqlite3.connect(beside)) as writer,
    ):
        reader.backup(writer)
        # One file, without a log beside it.
        writer.execute("PRAGMA journal_mode=DELETE")
    beside.chmod(0o600)
    with beside.open("rb") as copied:
        os.fsync(copied.fileno())
    beside.rename(file)


async def restore(settings: Settings, file: Path) -> Path | None:
    """Puts the copy in the place of the database; returns where the old one is kept. Conflict while a hub is
    running."""
    kept = await asyncio.to_thread(_swap, _database_file(settings), file)
    await migrate(settings.database_url)
    database = open_database(settings.database_url)
    try:
        await database.transaction(create_stream)
    finally:
        await database.close()
    return kept


def _swap(target: Path, file: Path) -> Path | None:
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
        try:
            whole = copy.execute("PRAGMA quick_check").fetchone()[0] == "ok"
            known = copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()[0]
        except sqlite3.DatabaseError:
            whole, known = False, 0
    if not whole or not known:
        raise InvalidInput(f"{file} is not a whole copy of a hub's database")
    target.parent.mkdir(parents=True, exist_ok=True)
    kept = None
    if target.exists():
        _check_unused(target)
        kept = target.with_name(f"{target.name}.before-{datetime.now(UTC):%Y%m%d-%H%M%S}")
        target.rename(kept)
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
    beside = target.with_name(target.name + ".part")
    with (
        contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as reader,
        contextlib.closing(sqlite3.connect(beside)) as writer,
    ):
        reader.backup(writer)
    beside.rename(target)
    return kept


def _check_unused(target: Path) -> None:
    """Whoever has the file open in WAL mode holds a shared lock on it. Also writes the WAL back into the file."""
    with contextlib.closing(sqlite3.connect(target, timeout=0.5, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError:
            raise Conflict("the database is in use: stop the hub first", code="in_use") from None


def _database_file(settings: Settings) -> Path:
    if not settings.is_sqlite:
        raise Misconfigured("this is for SQLite; PostgreSQL has pg_dump and pg_restore")
    return Path(make_url(settings.database_url).database or "hub.db")
