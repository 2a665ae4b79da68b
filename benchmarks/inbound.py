"""Durable inbound messages a second through `timeline.inbound`, against the bare driver writing the very same rows.

Each level is one run of `posters` callers, each sending its next message when the last is committed (a closed loop),
all from customers the hub knows already, spread evenly over their open conversations. Afterwards the rows the hub wrote
(arrival, entry, conversation, event) are read back, and the bare driver writes them again into a copy of the database
as it was before the run: the same tables and indexes, the same values, in the same groups, one commit a group,
statements prepared once. Its rows are ready in memory, so the floor is the database's work alone; the ratio is what is
left of it after the hub's own thinking. Both wait for the disk at every commit (SQLite: synchronous=FULL; PostgreSQL:
fsync).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import shutil
import sqlite3
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import asyncpg
import uvloop

from benchmarks.report import Plan, Result, Target, median
from benchmarks.words import CHANNEL_ID, CUSTOMERS, number_of, phone_of, sid_of, text_of
from benchmarks.world import NO_FILES, lay_world
from hub.channels.channel import MessageArrival
from hub.domain.values import ContactKind
from hub.store.database import Database, Notice, open_database, utc_now
from hub.store.files import Files
from hub.store.stream import load_token
from hub.timeline.inbound import Intake
from tests.support.postgres import PostgresServer, PostgresUnavailableError

POSTERS = (1, 10, 100)
_SECONDS = 4.0
_REPEATS = 3

# A Twilio payload as it is kept: some 20 fields.
_RAW = (
    "ToCountry=US&ToState=&SmsMessageSid={sid}&NumMedia=0&ToCity=&FromZip=&SmsSid={sid}&FromState=&SmsStatus=received"
    "&FromCity=&Body=Where+is+my+order&FromCountry=GB&To=%2B15005550006&ToZip=&NumSegments=1&MessageSid={sid}"
    "&AccountSid=AC0123456789abcdef0123456789abcdef&From=%2B447700900123&ApiVersion=2010-04-01"
)

_ARRIVAL = ("channel_id", "provider_id", "received_at", "raw")
_ENTRY = (
    "conversation_id",
    "customer_id",
    "kind",
    "direction",
    "author_kind",
    "author_id",
    "author_name",
    "text",
    "at",
    "has_attachments",
    "client_key",
)
_EVENT = ("at", "kind", "topics", "unless", "body")
_CONVERSATION = (
    "status",
    "queue_id",
    "queued_since",
    "unanswered_since",
    "last_entry_at",
    "resolved_at",
    "reopened_count",
    "preview",
    "preview_direction",
    "version",
)
_INSTANTS = frozenset({"queued_since", "unanswered_since", "last_entry_at", "resolved_at"})


@dataclass(frozen=True, slots=True)
class Group:
    """What one commit wrote, as tuples in the order of the column names above; conversations end with their id."""

    arrivals: list[tuple[Any, ...]]
    entries: list[tuple[Any, ...]]
    conversations: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Run:
    messages: int
    seconds: float
    # The last event's seq of each commit, in order.
    commits: list[int]


class Store(Protocol):
    """A place for the hub's run and the floor's run to start from the same state."""

    name: str

    async def prepare(self) -> None: ...
    async def fresh(self) -> str:
        """The URL of a new copy of the prepared database."""

    async def discard(self, url: str) -> None: ...

    async def read_groups(self, url: str, first_seq: int, commits: Sequence[int]) -> list[Group]: ...
    async def write_floor(self, url: str, groups: Sequence[Group]) -> float:
        """Seconds that the bare driver takes."""


def run(plan: Plan) -> Result:
    return uvloop.run(_measure(plan))


async def _measure(plan: Plan) -> Result:
    result = Result(
        "inbound",
        "durable messages a second, committed; floor: the bare driver writes the same rows in the same groups",
    )
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-bench-")))
        stores: list[Store] = [SqliteStore(folder)]
        try:
            from benchmarks.postgres import run_durable_postgres

            stores.append(PostgresStore(stack.enter_context(run_durable_postgres())))
        except PostgresUnavailableError as error:
            result.notes.append(f"PostgreSQL was not measured: {error}")
        for store in stores:
            await store.prepare()
            for posters in POSTERS:
                trials = [await _trial(store, posters, plan.seconds(_SECONDS)) for _ in range(plan.times(_REPEATS))]
                rates, floors, ratios, sizes = (list(column) for column in zip(*trials, strict=True))
                result.rows.append(
                    {
                        "database": store.name,
                        "posters": posters,
                        "messages_per_s": round(median(rates)),
                        "floor_per_s": round(median(floors)),
                        "ratio": round(median(ratios), 3),
                        "ratio_low": round(min(ratios), 3),
                        "ratio_high": round(max(ratios), 3),
                        "per_commit": round(median(sizes), 1),
                    }
                )
            best = result.rows[-1]["ratio"]
            assert isinstance(best, float)
            result.targets.append(Target(f"{store.name}, {POSTERS[-1]} posters, of the floor", 0.5, best, "×"))
    result.notes.append(
        f"medians of {plan.times(_REPEATS)} runs of {plan.seconds(_SECONDS):g} s; {CUSTOMERS} customers"
    )
    return result


async def _trial(store: Store, posters: int, seconds: float) -> tuple[float, float, float, float]:
    """(messages a second, the floor's, ratio, messages a commit)."""
    url, floor_url = await store.fresh(), await store.fresh()
    database = open_database(url)
    try:
        first_seq = (await database.read(load_token)).seq
        hub = await _post(database, posters, seconds)
    finally:
        await database.close()
    groups = await store.read_groups(url, first_seq, hub.commits)
    assert sum(len(group.entries) for group in groups) == hub.messages, "the hub lost or doubled a message"
    floor_s = await store.write_floor(floor_url, groups)
    await store.discard(url)
    await store.discard(floor_url)
    rate, floor = hub.messages / hub.seconds, hub.messages / floor_s
    return rate, floor, rate / floor, hub.messages / len(groups)


async def _post(database: Database, posters: int, seconds: float) -> Run:
    intake = Intake(database, Files(NO_FILES))
    commits: list[int] = []

    def noticed(notice: Notice) -> None:
        if notice.seq is not None:
            commits.append(notice.seq)

    database.on_notice.append(noticed)
    numbers = itertools.count()
    done = 0

    async def poster(deadline: float) -> None:
        nonlocal done
        while perf_counter() < deadline:
            await intake.accept(CHANNEL_ID, [arrival(next(numbers))])
            done += 1

    gc.collect()
    begun = perf_counter()
    await asyncio.gather(*(poster(begun + seconds) for _ in range(posters)))
    return Run(done, perf_counter() - begun, commits)


def arrival(index: int) -> MessageArrival:
    sid = sid_of(index)
    return MessageArrival(
        provider_id=sid,
        contact_kind=ContactKind.PHONE,
        sender=phone_of(index % CUSTOMERS),
        text=text_of(index),
        raw=_RAW.format(sid=sid),
        received_at=utc_now(),
    )


def _conversation_values(body: str, instant: Callable[[datetime], Any]) -> tuple[Any, ...]:
    """The conversation after an event, in the order of _CONVERSATION, its id last."""
    view = json.loads(body)["conversation"]
    values = [
        instant(datetime.fromisoformat(view[name])) if name in _INSTANTS and view[name] else view[name]
        for name in _CONVERSATION
    ]
    return (*values, view["id"])


def _grouped(
    arrivals: dict[str, tuple[Any, ...]],
    entries: Sequence[tuple[Any, ...]],
    events: Sequence[tuple[Any, ...]],
    commits: Sequence[int],
    instant: Callable[[datetime], Any],
) -> list[Group]:
    """Cuts what was written where the hub committed. `events` begin with their seq, entries are in the same order."""
    seqs = [event[0] for event in events]
    groups, start = [], 0
    for last in sorted(commits):
        end = bisect_left(seqs, last + 1)
        mine = entries[start:end]
        after = {}
        for event in events[start:end]:
            values = _conversation_values(event[_EVENT.index("body") + 1], instant)
            after[values[-1]] = values
        groups.append(
            Group(
                [arrivals[sid_of(number_of(entry[_ENTRY.index("text")]))] for entry in mine],
                list(mine),
                list(after.values()),
                [event[1:] for event in events[start:end]],
            )
        )
        start = end
    return groups


# --- SQLite -----------------------------------------------------------------------------------------------------------


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


_SQLITE_UPDATE = f"UPDATE conversation SET {', '.join(f'{name} = ?' for name in _CONVERSATION)} WHERE id = ?"  # noqa: S608


class SqliteStore:
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._base = folder / "base.db"
        self._numbers = itertools.count()

    async def prepare(self) -> None:
        await lay_world(f"sqlite:///{self._base}")

    async def fresh(self) -> str:
        copy = self._folder / f"run-{next(self._numbers)}.db"
        shutil.copyfile(self._base, copy)
        return f"sqlite:///{copy}"

    async def discard(self, url: str) -> None:
        for file in self._folder.glob(Path(url).name + "*"):
            file.unlink()

    async def read_groups(self, url: str, first_seq: int, commits: Sequence[int]) -> list[Group]:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        after = (CUSTOMERS,)
        arrivals = connection.execute(f"SELECT {', '.join(_ARRIVAL)} FROM arrival").fetchall()  # noqa: S608
        entries = connection.execute(
            f"SELECT {', '.join(_ENTRY)} FROM entry WHERE id > ? ORDER BY id",  # noqa: S608
            after,
        ).fetchall()
        events = connection.execute(
            f"SELECT seq, {', '.join(_EVENT)} FROM event WHERE seq > ? ORDER BY seq",  # noqa: S608
            (first_seq,),
        ).fetchall()
        connection.close()
        return _grouped({row[1]: row for row in arrivals}, entries, events, commits, _microseconds)

    async def write_floor(self, url: str, groups: Sequence[Group]) -> float:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, cached_statements=512)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-32000",
            "wal_autocheckpoint=4000",
        ):
            connection.execute(f"PRAGMA {pragma}")
        arrival_sql, entry_sql, event_sql = (
            _insert("arrival", _ARRIVAL),
            _insert("entry", _ENTRY),
            _insert("event", _EVENT),
        )
        gc.collect()
        begun = perf_counter()
        for group in groups:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(arrival_sql, group.arrivals)
            connection.executemany(entry_sql, group.entries)
            connection.executemany(_SQLITE_UPDATE, group.conversations)
            connection.executemany(event_sql, group.events)
            connection.execute("COMMIT")
        seconds = perf_counter() - begun
        connection.close()
        return seconds


def _microseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


# --- PostgreSQL -------------------------------------------------------------------------------------------------------

_TYPES = {
    "received_at": "timestamptz",
    "at": "timestamptz",
    "conversation_id": "bigint",
    "customer_id": "bigint",
    "author_id": "bigint",
    "has_attachments": "boolean",
    "queue_id": "bigint",
    "reopened_count": "integer",
    "version": "integer",
    "id": "bigint",
} | dict.fromkeys(_INSTANTS, "timestamptz")


def _arrays(columns: Sequence[str]) -> str:
    return ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(columns, start=1))


def _unnest(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({_arrays(columns)})"  # noqa: S608


_POSTGRES_UPDATE = (
    f"UPDATE conversation SET {', '.join(f'{name} = v.{name}' for name in _CONVERSATION)}"  # noqa: S608
    f" FROM unnest({_arrays((*_CONVERSATION, 'id'))}) AS v ({', '.join((*_CONVERSATION, 'id'))})"
    " WHERE conversation.id = v.id"
)


class PostgresStore:
    name = "postgresql"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._base = ""

    async def prepare(self) -> None:
        self._base = self._server.create_database()
        await lay_world(self._base)

    async def fresh(self) -> str:
        url = self._server.create_database(self._base)
        connection = await self._connect(url)
        await connection.execute("ANALYZE")
        await connection.execute("CHECKPOINT")
        await connection.close()
        return url

    async def discard(self, url: str) -> None:
        self._server.drop_database(url)

    async def _connect(self, url: str) -> asyncpg.Connection:
        return await asyncpg.connect(url.replace("+asyncpg", ""))

    async def read_groups(self, url: str, first_seq: int, commits: Sequence[int]) -> list[Group]:
        connection = await self._connect(url)

        async def rows(query: str, *arguments: Any) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in await connection.fetch(query, *arguments)]

        arrivals = await rows(f"SELECT {', '.join(_ARRIVAL)} FROM arrival")  # noqa: S608
        entries = await rows(
            f"SELECT {', '.join(_ENTRY)} FROM entry WHERE id > $1 ORDER BY id",  # noqa: S608
            CUSTOMERS,
        )
        events = await rows(
            f"SELECT seq, {', '.join(_EVENT)} FROM event WHERE seq > $1 ORDER BY seq",  # noqa: S608
            first_seq,
        )
        await connection.close()
        return _grouped({row[1]: row for row in arrivals}, entries, events, commits, lambda at: at)

    async def write_floor(self, url: str, groups: Sequence[Group]) -> float:
        connection = await self._connect(url)
        statements = [
            await connection.prepare(sql)
            for sql in (
                _unnest("arrival", _ARRIVAL),
                _unnest("entry", _ENTRY),
                _POSTGRES_UPDATE,
                _unnest("event", _EVENT),
            )
        ]
        # The columns of each group as lists, ready before the clock starts.
        ready = [
            [
                [list(column) for column in zip(*rows, strict=True)]
                for rows in (group.arrivals, group.entries, group.conversations, group.events)
            ]
            for group in groups
        ]
        gc.collect()
        begun = perf_counter()
        for columns in ready:
            async with connection.transaction():
                for statement, arguments in zip(statements, columns, strict=True):
                    await statement.fetch(*arguments)
        seconds = perf_counter() - begun
        await connection.close()
        return seconds
