"""Imports of customers: lines a second from the file to committed cards, and how long others wait for the writer meanwhile.

The file is as other systems export it: a name, a phone number, a mail address, their id, a town, two tags and a consent. The
whole way is measured: read, checked, looked up, written in batches with their events and the place in the file, with the rest
after each batch that leaves the writer to others. Meanwhile a tiny transaction is asked for every 20 ms, as a message that
comes in would be. Lines for each second of this process's own processor time do not suffer from a busy machine (on PostgreSQL
they are without the server's).

The floor is the bare driver that inserts as many customers, addresses and ids, as many rows at once, into the same tables,
and reads, checks and looks up nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import make_url

from benchmarks.postgres import run_durable_postgres
from benchmarks.report import Plan, Result, Target, percentile
from hub.customer_files import imports
from hub.customer_files.reading import examine
from hub.customer_files.running import BATCH, Importer, chunks_of
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.store.files import Files
from hub.store.migrate import migrate
from hub.store.stream import Wakes

_SQLITE_LINES, _POSTGRESQL_LINES, _QUICK_LINES = 100_000, 20_000, 5_000
_ASK_EVERY_S = 0.02
# "A few minutes" for 100,000.
_LEAST_PER_S = 500.0
_LONGEST_WAIT_MS = 250.0


def run(plan: Plan) -> Result:
    result = Result(
        "import", "lines of a file to committed customers; the floor inserts the same rows and does nothing else"
    )
    asyncio.run(_measure_all(plan, result))
    return result


async def _measure_all(plan: Plan, result: Result) -> None:
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder, contextlib.ExitStack() as stack:
        sqlite = plan.size or (_QUICK_LINES if plan.quick else _SQLITE_LINES)
        floor = await _floor_sqlite(Path(folder) / "floor.db", sqlite)
        await _measure(f"sqlite:///{Path(folder) / 'hub.db'}", "sqlite", sqlite, floor, Path(folder), result)
        server = stack.enter_context(run_durable_postgres())
        few = plan.size or (_QUICK_LINES if plan.quick else _POSTGRESQL_LINES)
        floor = await _floor_postgresql(server.create_database(), few)
        await _measure(server.create_database(), "postgresql", few, floor, Path(folder), result)


def _write_file(path: Path, lines: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("Name,Phone,Email,Customer ID,City,Tags,Email opt out\n")
        for number in range(lines):
            who = f"Անի Պետրոսյան {number},+3749{number:07},p{number}@example.com,C-{number}"
            file.write(f"{who},Gyumri,vip; shop {number % 50},no\n")


async def _measure(url: str, name: str, lines: int, floor: float, folder: Path, result: Result) -> None:
    path = folder / f"{name}.csv"
    await asyncio.to_thread(_write_file, path, lines)
    await migrate(url)
    database = open_database(url)
    try:
        files = Files(folder / "files")
        with path.open("rb") as source:
            key = files.write_from(source)
        began = perf_counter()
        examined = await asyncio.to_thread(examine, lambda: chunks_of(path))
        read_s = perf_counter() - began
        import_id = await database.transaction(
            imports.create_import, None, examined, file_name=path.name, file_key=key, size_bytes=path.stat().st_size
        )
        importer = Importer(database, Wakes(), files, process="bench")
        await database.transaction(imports.begin_trial, None, import_id)
        began = perf_counter()
        await importer.work_off(import_id)
        tried_s = perf_counter() - began
        await database.transaction(imports.start, None, import_id)
        waits: list[float] = []
        asking = asyncio.create_task(_ask(database, waits))
        began, own = perf_counter(), process_time()
        await importer.work_off(import_id)
        ran_s, own_s = perf_counter() - began, process_time() - own
        asking.cancel()
        row = await database.read(imports.load_import, import_id)
        assert (row.state, row.made) == ("done", lines), (row.state, row.made, row.fault)
    finally:
        await database.close()
    waits.sort()
    rate = lines / ran_s
    result.rows.append(
        {
            "database": name,
            "lines": lines,
            "read through s": round(read_s, 2),
            "tried, lines/s": round(lines / tried_s),
            "imported, lines/s": round(rate),
            "floor, lines/s": round(floor),
            "of the floor": round(rate / floor, 3),
            "lines per own CPU s": round(lines / own_s),
            "others' wait p95 ms": round(percentile(waits, 0.95), 1),
            "max ms": round(waits[-1], 1),
        }
    )
    result.targets.append(Target(f"{name}: imported", _LEAST_PER_S, rate, "lines/s"))
    result.targets.append(
        Target(f"{name}: others wait, p95", _LONGEST_WAIT_MS, percentile(waits, 0.95), "ms", is_ceiling=True)
    )


async def _ask(database: Database, waits: list[float]) -> None:
    while True:
        began = perf_counter()
        await database.transaction(_touch)
        waits.append((perf_counter() - began) * 1000)
        await asyncio.sleep(_ASK_EVERY_S)


def _touch(tx: Tx) -> None:
    tx.execute(update(tables.stream).values(pruned_to=tables.stream.c.pruned_to))


# --- the floor ------------------------------------------------------------------------------------------------------------


def _rows(first: int, count: int, at: Any) -> tuple[list[Any], list[Any], list[Any]]:
    numbers = range(first, first + count)
    people = [(n, f"Անի Պետրոսյան {n}", "Gyumri", '["vip"]', at) for n in numbers]
    points = [
        point
        for n in numbers
        for point in (
            (2 * n, n, "phone", f"+3749{n:07}", False, at),
            (2 * n + 1, n, "email", f"p{n}@example.com", False, at),
        )
    ]
    references = [(n, n, "import", f"C-{n}", at) for n in numbers]
    return people, points, references


_PEOPLE = "INSERT INTO customer (id, name, town, tags, created_at) "
_POINTS = "INSERT INTO contact_point (id, customer_id, kind, address, verified, created_at) "
_REFERENCES = "INSERT INTO customer_reference (id, customer_id, system, value, created_at) "


async def _floor_sqlite(path: Path, lines: int) -> float:
    await migrate(f"sqlite:///{path}")

    def insert() -> float:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        began = perf_counter()
        for first in range(1, lines + 1, BATCH):
            people, points, references = _rows(first, min(BATCH, lines + 1 - first), 0)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"{_PEOPLE} VALUES (?, ?, ?, ?, ?)", people)
            connection.executemany(f"{_POINTS} VALUES (?, ?, ?, ?, ?, ?)", points)
            connection.executemany(f"{_REFERENCES} VALUES (?, ?, ?, ?, ?)", references)
            connection.execute("COMMIT")
        rate = lines / (perf_counter() - began)
        connection.close()
        return rate

    return await asyncio.to_thread(insert)


async def _floor_postgresql(url: str, lines: int) -> float:
    import asyncpg

    await migrate(url)
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    at = datetime.now(UTC)
    try:
        began = perf_counter()
        for first in range(1, lines + 1, BATCH):
            people, points, references = _rows(first, min(BATCH, lines + 1 - first), at)
            async with connection.transaction():
                await _unnest(connection, _PEOPLE, ("bigint", "text", "text", "json", "timestamptz"), people)
                await _unnest(
                    connection, _POINTS, ("bigint", "bigint", "text", "text", "boolean", "timestamptz"), points
                )
                await _unnest(connection, _REFERENCES, ("bigint", "bigint", "text", "text", "timestamptz"), references)
        return lines / (perf_counter() - began)
    finally:
        await connection.close()


async def _unnest(connection: Any, insert: str, types: tuple[str, ...], rows: list[Any]) -> None:
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(types, 1))
    await connection.execute(f"{insert} SELECT * FROM unnest({arrays})", *zip(*rows, strict=True))  # noqa: S608
