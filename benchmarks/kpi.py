"""Reports over two years of 500 agents: over 100,000 contacts, then over ten million (`--size`). How long each takes must not
depend on how many contacts there were, since figures are read from cells.

The hub's own functions answer (kpi.figures, kpi.board, kpi.contacts), on SQLite and PostgreSQL, on one connection, wall clock
from the call to the figures; the web's part, JSON of the rows, is not in it. Facts and cells are made in bulk
(kpi_contacts.py), and before anything is timed, figures of cells are compared with those folded from the facts.

What is asked changes from one time to the next (another month of the two years, another agent), as it would with people:
a report that is asked twice for the same month is read from memory the second time. The floor is the same report over the
smaller number of contacts.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Any

import asyncpg
from sqlalchemy import Index, MetaData, insert, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex

from benchmarks.kpi_contacts import (
    AGENTS,
    CHANNELS,
    DAYS,
    FILLED,
    LAST,
    QUEUES,
    TOPICS,
    ZONE,
    Rows,
    columns_of,
    draw_days,
)
from benchmarks.postgres import run_durable_postgres
from benchmarks.report import Plan, Result, Target, median, percentile
from hub.kpi import board
from hub.kpi.cells import Dim
from hub.kpi.contacts import ContactsQuery, load_contacts
from hub.kpi.days import Grain
from hub.kpi.figures import Filters, Query, load_figures
from hub.kpi.measures import MEASURES
from hub.staffing.forecasts import load_forecast_parts
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.store.migrate import migrate
from tests.support.postgres import PostgresUnavailableError

_SMALL, _LARGE = 100_000, 10_000_000
_NOW = datetime(LAST.year, LAST.month, LAST.day, 16, 0, tzinfo=UTC)
# Issue 6, scale.
_REPORT_MS, _BOARD_MS, _FLAT = 300.0, 50.0, 1.5

# What a supervisor has on the board, as far as an agent and a queue have it.
_BOARD = (
    *("service_level", "abandonment_rate", "asa_queue", "offered", "answered", "contacts", "handled_contacts", "aht"),
    *("first_response_s", "resolution_s", "reopen_rate", "fcr", "csat", "nps", "occupancy", "transfer_rate"),
)


def _told_by(dim: Dim) -> tuple[str, ...]:
    return tuple(name for name in _BOARD if dim in MEASURES[name].by)


Ask = Callable[[Tx, Random], object]


def _month(random: Random) -> tuple[date, date]:
    """One of the last two years, whole."""
    first = (LAST - timedelta(days=random.randrange(40, DAYS - 40))).replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _report(by: Dim, grain: Grain, span: Callable[[Random], tuple[date, date]], **how: Any) -> Ask:
    def ask(tx: Tx, random: Random) -> object:
        since, until = span(random)
        return load_figures(tx, Query(_told_by(by), since, until, grain, by, **how), _NOW)

    return ask


def _today(_: Random) -> tuple[date, date]:
    return LAST, LAST


def _two_years(_: Random) -> tuple[date, date]:
    return LAST - timedelta(days=DAYS - 1), LAST


def _one_agent(tx: Tx, random: Random) -> object:
    since, until = _month(random)
    ids = (str(random.randrange(AGENTS) + 1),)
    return load_figures(tx, Query(_told_by(Dim.AGENT), since, until, Grain.DAY, Dim.AGENT, ids), _NOW)


def _agent_by_queue(tx: Tx, random: Random) -> object:
    """Two things at once: folded from the facts of that agent's month."""
    since, until = _month(random)
    names = tuple(name for name in _told_by(Dim.AGENT) if Dim.QUEUE in MEASURES[name].by)
    only = Filters(agents=(str(random.randrange(AGENTS) + 1),))
    return load_figures(tx, Query(names, since, until, Grain.TOTAL, Dim.QUEUE, filters=only), _NOW)


def _contacts(tx: Tx, random: Random) -> object:
    since, until = _month(random)
    queue = str(random.randrange(QUEUES) + 1)
    return load_contacts(tx, ContactsQuery("service_level", since, until, Dim.QUEUE, queue), _NOW)


def _forecast(tx: Tx, random: Random) -> object:
    """What is read to show a queue's next week, without the arithmetic on it."""
    return load_forecast_parts(tx, random.randrange(QUEUES) + 1, LAST, LAST + timedelta(days=6), 1)


def _live_board(tx: Tx, _: Random) -> object:
    return board.load_numbers_of(tx, range(1, AGENTS + 1), _NOW), board.load_numbers_of_queues(
        tx, range(1, QUEUES + 1), _NOW
    )


_LIVE = "live board: 500 agents, 20 queues"
_MONTH_VIEW = "month view: every agent"
ASKED: dict[str, Ask] = {
    _LIVE: _live_board,
    "today: every queue": _report(Dim.QUEUE, Grain.TOTAL, _today),
    "today: every agent": _report(Dim.AGENT, Grain.TOTAL, _today),
    "today: every channel": _report(Dim.CHANNEL, Grain.TOTAL, _today),
    "today: by quarter of an hour": lambda tx, random: load_figures(
        tx, Query(("offered", "service_level", "abandonment_rate", "asa_queue"), LAST, LAST, Grain.INTERVAL), _NOW
    ),
    _MONTH_VIEW: _report(Dim.AGENT, Grain.TOTAL, _month),
    "month view: every queue": _report(Dim.QUEUE, Grain.TOTAL, _month),
    "month view: by day, compared": _report(Dim.ALL, Grain.DAY, _month, compare=True),
    "month: every topic": _report(Dim.TOPIC, Grain.TOTAL, _month),
    "month: every queue by day": _report(Dim.QUEUE, Grain.DAY, _month),
    "month: one agent by day": _one_agent,
    "month: one agent by queue, folded": _agent_by_queue,
    "two years: by month": _report(Dim.ALL, Grain.MONTH, _two_years),
    "two years: every agent": _report(Dim.AGENT, Grain.TOTAL, _two_years),
    "contacts behind a queue's month": _contacts,
    "forecast of a queue's week": _forecast,
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds of each time, by what was asked, in order; `worked` is this process's processor time (on SQLite all there
    is, on PostgreSQL without the server's), which other programs on the machine make no longer."""

    database: str
    contacts: int
    times: dict[str, list[float]]
    worked: dict[str, list[float]]
    filled_s: float


def run(plan: Plan) -> Result:
    large = plan.size or (_SMALL if plan.quick else _LARGE)
    times = 10 if plan.quick else 60
    found = asyncio.run(_measure_all([_SMALL, large] if large > _SMALL else [large], times))
    result = Result("kpi", f"p95 of {times} times each, {DAYS} days, {AGENTS} agents, {QUEUES} queues")
    by_place = {(each.database, each.contacts): each for each in found}
    for each in found:
        small = by_place[each.database, min(_SMALL, large)]
        for name, taken in each.times.items():
            result.rows.append(
                {
                    "database": each.database,
                    "contacts": each.contacts,
                    "what": name,
                    "p50_ms": round(median(taken), 1),
                    "p95_ms": round(percentile(taken, 0.95), 1),
                    "p50_worked_ms": round(median(each.worked[name]), 1),
                    "of_the_small": round(median(taken) / median(small.times[name]), 2),
                }
            )
        result.notes.append(f"{each.database}, {each.contacts:,} contacts: made in {each.filled_s:.0f} s")
        if each.contacts != large:
            continue
        slowest = max(percentile(taken, 0.95) for name, taken in each.times.items() if name != _LIVE)
        live = percentile(each.times[_LIVE], 0.95)
        flat = max(median(taken) / median(small.times[name]) for name, taken in each.times.items())
        where = f"{each.database}, {large:,} contacts"
        result.targets.append(Target(f"p95 of the slowest report, {where}", _REPORT_MS, slowest, "ms", is_ceiling=True))
        result.targets.append(Target(f"p95 of the live board, {where}", _BOARD_MS, live, "ms", is_ceiling=True))
        of = f"p50 of what grew most, of that over {_SMALL:,}, {where}"
        result.targets.append(Target(of, _FLAT, flat, "×", is_ceiling=True))
    return result


async def _measure_all(sizes: Sequence[int], times: int) -> list[Measured]:
    found = []
    for size in sizes:
        async with _sqlite(size) as (database, filled_s):
            found.append(await _measure("SQLite", database, size, times, filled_s))
    with contextlib.suppress(PostgresUnavailableError), run_durable_postgres() as server:
        for size in sizes:
            url = server.create_database()
            async with _postgresql(url, size) as (database, filled_s):
                found.append(await _measure("PostgreSQL", database, size, times, filled_s))
            server.drop_database(url)
    return found


async def _measure(name: str, database: Database, size: int, times: int, filled_s: float) -> Measured:
    await database.read(_check)
    gc.collect()
    gc.freeze()
    # As the hub has it (hub.app).
    gc.set_threshold(50_000, 20, 20)
    measured = Measured(name, size, {}, {}, filled_s)
    for what, ask in ASKED.items():
        random = Random(what)
        taken, worked = measured.times.setdefault(what, []), measured.worked.setdefault(what, [])
        # The first one compiles its statements.
        for number in range(times + 1):
            begun, used = perf_counter(), process_time()
            await database.read(ask, random)
            if number:
                taken.append((perf_counter() - begun) * 1_000)
                worked.append((process_time() - used) * 1_000)
        taken.sort()
        told = f"p50 {median(taken):.1f} ms, p95 {percentile(taken, 0.95):.1f} ms, worked {median(worked):.1f} ms"
        print(f"  {name}, {size:,} contacts, {what}: {told}", file=sys.stderr, flush=True)
    return measured


def _check(tx: Tx) -> None:
    """Cells and facts tell the same of some queues on some days: else there would be nothing to measure."""
    random = Random(9)
    for _ in range(5):
        on = LAST - timedelta(days=random.randrange(1, DAYS))
        for dim, whose in ((Dim.QUEUE, QUEUES), (Dim.AGENT, AGENTS)):
            kept = Query(_told_by(dim), on, on, by=dim, ids=(str(random.randrange(whose) + 1),))
            folded = replace(kept, filters=Filters(**{f"{dim.value}s": kept.ids}))
            one, other = (load_figures(tx, query, _NOW).rows for query in (kept, folded))
            if one != other or not all(figure for row in one for figure in row.figures):
                raise AssertionError(f"cells and facts differ: {kept}")


# --- databases, filled -----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _sqlite(size: int) -> AsyncIterator[tuple[Database, float]]:
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        path = Path(folder) / "hub.db"
        async with _prepared(f"sqlite:///{path}") as database:
            yield database, _timed(lambda: _fill_sqlite(path, size))


@contextlib.asynccontextmanager
async def _postgresql(url: str, size: int) -> AsyncIterator[tuple[Database, float]]:
    async with _prepared(url) as database:
        begun = perf_counter()
        await _fill_postgresql(url.replace("+asyncpg", ""), size)
        yield database, perf_counter() - begun


def _timed(work: Callable[[], None]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


@contextlib.asynccontextmanager
async def _prepared(url: str) -> AsyncIterator[Database]:
    await migrate(url)
    database = open_database(url, lambda: _NOW)
    try:
        await database.transaction(_lay)
        yield database
    finally:
        await database.close()


def _lay(tx: Tx) -> None:
    """Who the facts are about; and what the projector keeps in mind when it has projected them."""
    if not tx.execute(update(tables.organisation).values(time_zone=ZONE.key)).rowcount:
        raise AssertionError("a migrated database has an organisation")
    for number in range(1, AGENTS + 1):
        account = {"email": f"agent{number}@bench.test", "name": f"Agent {number:03}", "role": "agent"}
        tx.execute(insert(tables.user_account).values(id=number, **account, password_hash="", created_at=_NOW))
        since = _NOW - timedelta(minutes=number % 60 + 1)
        spell = {
            "spell_since": since,
            "spell_state": "available",
            "spell_capacity": 100,
            "spell_work_count": number % 2,
        }
        tx.execute(
            insert(tables.agent).values(user_id=number, state="available", state_since=since, idle_since=since, **spell)
        )
    for number in range(1, QUEUES + 1):
        tx.execute(insert(tables.queue).values(id=number, name=f"Queue {number:02}"))
    for number in range(1, TOPICS + 1):
        tx.execute(insert(tables.topic).values(id=number, name=f"Topic {number:02}", folded_name=f"topic {number:02}"))
    for channel_id, kind in CHANNELS.items():
        row = {"id": channel_id, "kind": kind, "name": channel_id, "queue_id": 1, "settings": {}, "secrets": ""}
        tx.execute(insert(tables.channel).values(**row, health_since=_NOW, inbound_since=_NOW))


def _indexes(names: Sequence[str], metadata: MetaData) -> list[Index]:
    """They are made when the rows are there: once instead of row by row."""
    return [index for name in names for index in sorted(metadata.tables[name].indexes, key=lambda one: str(one.name))]


def _fill_sqlite(path: Path, size: int) -> None:
    epoch, microsecond = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
    days = draw_days(size, lambda at: (at - epoch) // microsecond, lambda lasted: lasted // microsecond)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    indexes = _indexes(FILLED, tables.metadata)
    for index in indexes:
        connection.execute(f"DROP INDEX {index.name}")
    for rows in days:
        # A day at a time, or the log of what is not yet in the file would become as large as the file.
        connection.execute("BEGIN")
        for table, of_table in rows.items():
            names = columns_of(table)
            marks = ", ".join("?" * len(names))
            connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", of_table)  # noqa: S608
        connection.execute("COMMIT")
    for index in indexes:
        connection.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def _fill_postgresql(url: str, size: int) -> None:
    connection: Any = await asyncpg.connect(url)
    indexes = _indexes(FILLED, tables.metadata)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index.name}")
    gathered: Rows = {}
    for rows in draw_days(size, lambda at: at, lambda lasted: lasted):
        for table, of_table in rows.items():
            gathered.setdefault(table, []).extend(of_table)
        for table in [table for table, of_table in gathered.items() if len(of_table) >= 20_000]:
            await connection.copy_records_to_table(table, records=gathered.pop(table), columns=columns_of(table))
    for table, of_table in gathered.items():
        await connection.copy_records_to_table(table, records=of_table, columns=columns_of(table))
    await connection.execute("SET maintenance_work_mem = '512MB'")
    for index in indexes:
        await connection.execute(
            str(CreateIndex(index).compile(dialect=make_url("postgresql+asyncpg://").get_dialect()()))
        )
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
