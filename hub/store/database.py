"""The one door to the database: `transaction(work)` and `read(work)`, alike on SQLite and PostgreSQL.

A unit of work is a plain function that takes a `Tx` first. It cannot await, so no network call can stand inside a
transaction, and it never commits: the door does, always in this order (invariant 3 of docs/architecture.md):

    work runs → STREAM lock → its events are inserted → notice → commit → the caller goes on

so the order of `event.seq` is the order of commits and readers may use `seq > cursor`. A unit of work may be run again
(a deadlock on PostgreSQL), so it keeps nothing outside the database.

SQLite   one writer thread owns the one write connection. Units of work that wait at the same time share a commit: each
         runs inside its own savepoint, so one that fails takes nobody with it. One fsync pays for all of them, and
         throughput rises with load. Reads run beside it in WAL mode on a small pool of threads.
PostgreSQL  asyncpg through SQLAlchemy's greenlet bridge, one connection a transaction.

The one lock order of the whole program: ROUTING → MAIL → conversation → message/outbox → STREAM.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue as thread_queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Connection, CursorResult, Executable, Row, Table, create_engine, insert, select, text
from sqlalchemy import event as engine_event
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.engine import Dialect, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool, StaticPool

from hub.domain.events import StreamEvent
from hub.errors import DatabaseAway
from hub.store import tables

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
Clock = Callable[[], datetime]

# PostgreSQL advisory locks: any two numbers nobody else uses in this database ("hu" "b1"/"b2").
ROUTING_LOCK = 0x68756231
STREAM_LOCK = 0x68756232
MIGRATION_LOCK = 0x68756233
MAIL_LOCK = 0x68756234
VISITORS_LOCK = 0x68756235
NOTICE_CHANNEL = "hub"
# So many rows are locked by one statement: one takes no more than 32,767 parameters.
_LOCK_STEP = 10_000

# How many waiting units of work share one SQLite commit. More only makes the first of them wait longer.
_SHARED_COMMIT_LIMIT = 256
# How long a SQLite writer waits for another process (the command line, a backup) to finish its write.
_SQLITE_BUSY_S = 10.0
_SQLITE_READERS = 4
# A PostgreSQL unit of work is run this often at most: again after a serialisation failure, a deadlock, or when another made
# what it wanted to make between its look and its insert (a unique violation): the second look finds it and says so.
_REPEATS = 4
_REPEATABLE_SQLSTATES = frozenset({"40001", "40P01", "23505"})
# But for the backstops of a lock: if one of these stops anything, the lock is broken, and that must be loud.
_BACKSTOPS = ("uq_offer_one_live_per_conversation", "uq_assignment_one_live_per_conversation")
# With these PostgreSQL says that it cannot serve now: connection, resources, operator (it starts or stops), system; and of
# a write that it is a standby (appendix A of its documentation, version 17). 57014 is a statement somebody cancelled.
_AWAY_CLASSES = ("08", "53", "57", "58")
_CANCELLED, _STANDBY = "57014", "25006"
# The primary result codes with which SQLite says the same of its file; SQLITE_ERROR, say, is a mistake of ours.
_SQLITE_AWAY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# Bounds a connection attempt, so a database that is away is told as such and not waited for.
_CONNECT_TIMEOUT_S = 5.0
_STATEMENT_TIMEOUT_S = 30.0


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a commit tells the rest of the program: there are events up to `seq`, and these loops have work."""

    seq: int | None
    wakes: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Emitted:
    event: StreamEvent
    topics: frozenset[str]
    unless: frozenset[str]


_encoders: dict[type, TypeAdapter[Any]] = {}


def encode_event(event: Any) -> str:
    """The JSON of an event: written once, stored, and handed to every screen as these very characters."""
    encoder = _encoders.get(type(event))
    if encoder is None:
        encoder = _encoders[type(event)] = TypeAdapter(type(event))
    return encoder.dump_json(event).decode()


@dataclass(slots=True)
class Tx:
    """One unit of work's hands on the database. `now` is one instant for the whole of it."""

    connection: Connection
    now: datetime
    _emitted: list[_Emitted] = field(default_factory=list)
    _wakes: set[str] = field(default_factory=set)
    _gathered: dict[str, tuple[Callable[[Tx, set[Any]], None], set[Any]]] = field(default_factory=dict)

    @property
    def is_postgresql(self) -> bool:
        return self.connection.dialect.name == "postgresql"

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        if parameters is None:
            return self.connection.execute(statement)
        return self.connection.execute(statement, parameters)

    def rows(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        return self.execute(statement, parameters).all()

    def first(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Row[Any] | None:
        return self.execute(statement, parameters).first()

    def scalar(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Any:
        return self.execute(statement, parameters).scalar()

    def insert(self, table: Table, row: Mapping[str, Any]) -> int:
        """Inserts one row and returns its `id`."""
        key = self.execute(insert(table).values(**row)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def insert_many(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Inserts rows that all have the same columns and returns their new ids, in the order given."""
        if not rows:
            return []
        key = next(iter(table.primary_key))
        ids = self._new_ids(table, key.name, len(rows))
        bulk = _bulk(table, (key.name, *rows[0]), self.is_postgresql)
        self._insert(bulk, [{key.name: row_id, **row} for row_id, row in zip(ids, rows, strict=True)])
        return ids

    def insert_new(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Inserts the rows that no constraint of uniqueness forbids; says for each whether it was inserted. Of two equal
        ones among `rows` the first is. Two transactions that insert one key at once: the second waits for the first."""
        if not rows:
            return []
        bulk = _bulk(table, tuple(rows[0]), self.is_postgresql)
        if not self.is_postgresql:
            cursor = self.connection.connection.cursor()
            try:
                return [cursor.execute(bulk.insert_new, row).rowcount == 1 for row in bulk.bind(rows)]
            finally:
                cursor.close()
        keys = [column.name for column in table.primary_key]
        inserted = self.connection.exec_driver_sql(bulk.insert_new, bulk.bind_columns(rows))
        fresh = {tuple(row) for row in inserted}
        answer = []
        for row in rows:
            key = tuple(row[name] for name in keys)
            answer.append(key in fresh)
            fresh.discard(key)
        return answer

    def insert_if_new(self, table: Table) -> Any:
        """INSERT … ON CONFLICT DO NOTHING in this database's words; `values` and `returning` may be added."""
        if self.is_postgresql:
            # Late: importing it takes 100 ms that SQLite need not pay.
            from sqlalchemy.dialects.postgresql import insert as insert_postgresql

            return insert_postgresql(table).on_conflict_do_nothing()
        return insert_sqlite(table).on_conflict_do_nothing()

    def update_many(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Updates rows by their `id`; all name the same columns."""
        if not rows:
            return
        bulk = _bulk(table, tuple(rows[0]), self.is_postgresql)
        self.connection.exec_driver_sql(bulk.update, [(*row[1:], row[0]) for row in bulk.bind(rows)])

    def _insert(self, bulk: _Bulk, rows: Sequence[Mapping[str, Any]]) -> None:
        if self.is_postgresql:
            self.connection.exec_driver_sql(bulk.insert, bulk.bind_columns(rows))
        else:
            self.connection.exec_driver_sql(bulk.insert, bulk.bind(rows))

    def _new_ids(self, table: Table, key: str, count: int) -> list[int]:
        """Ids nobody else will get, rising."""
        if self.is_postgresql:
            query = f"SELECT nextval(pg_get_serial_sequence('{table.name}', '{key}')) FROM generate_series(1, $1)"  # noqa: S608
            return [int(row[0]) for row in self.connection.exec_driver_sql(query, (count,))]
        # The one writer holds the database, and AUTOINCREMENT keeps the highest id ever given.
        query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
        last = self.connection.exec_driver_sql(query, (table.name,)).scalar() or 0
        return list(range(last + 1, last + 1 + count))

    def lock_routing(self) -> None:
        """First in the lock order: one decider for assignments. On SQLite every transaction is alone anyway."""
        if self.is_postgresql:
            self.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ROUTING_LOCK})")

    def lock_mail(self) -> None:
        """Second in the lock order: one process at a time places mails, which meet customers and conversations in the order
        in which they were sent, not in one that all share."""
        if self.is_postgresql:
            self.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MAIL_LOCK})")

    def lock_visitors(self) -> None:
        """Before conversations, beside nothing else: one process at a time writes down which visitors of chats came and
        left. Else, at a page change, the old window's goodbye does not see the new one, and the visitor ends as gone."""
        if self.is_postgresql:
            self.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({VISITORS_LOCK})")

    def lock_conversations(self, ids: Iterable[int]) -> None:
        """Third in the lock order; in the order of their ids, so two lockers never wait for each other."""
        wanted = sorted(set(ids))
        if self.is_postgresql:
            c = tables.conversation.c
            for start in range(0, len(wanted), _LOCK_STEP):
                some = c.id.in_(wanted[start : start + _LOCK_STEP])
                self.connection.execute(select(c.id).where(some).order_by(c.id).with_for_update()).all()

    def emit(self, event: StreamEvent, topics: Iterable[str], *, unless: Iterable[str] = ()) -> None:
        """Buffers an event; it is stored just before the commit and seen by nobody if there is none."""
        self._emitted.append(_Emitted(event, frozenset(topics), frozenset(unless)))

    def gather(self, name: str, items: Iterable[Any], finish: Callable[[Tx, set[Any]], None]) -> None:
        """Puts off to the end of this unit of work what is enough to do once: `finish(tx, all items gathered)`."""
        self._gathered.setdefault(name, (finish, set()))[1].update(items)

    def finish(self) -> None:
        """Does what was put off; called by the door, before the events are stored."""
        while self._gathered:
            finish, items = self._gathered.pop(next(iter(self._gathered)))
            finish(self, items)

    def wake(self, *loops: str) -> None:
        """After the commit, wakes these background loops in every process ("outbox", "routing" …)."""
        self._wakes.update(loops)


def _store_events(tx: Tx, now: datetime, emitted: Sequence[_Emitted]) -> int:
    """Inserts the events under the STREAM lock, which the commit lets go; returns the last seq."""
    rows = [
        {
            "at": now,
            "kind": item.event.kind,
            "topics": " ".join(sorted(item.topics)),
            "unless": " ".join(sorted(item.unless)),
            "body": encode_event(item.event),
        }
        for item in emitted
    ]
    if tx.is_postgresql:
        tx.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({STREAM_LOCK})")
    return tx.insert_many(tables.event, rows)[-1]


# --- many rows at once --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bulk:
    """The statements for many rows of one shape, handed to the driver as they are: compiling and binding each row through
    SQLAlchemy costs several times what the database does with it (docs/performance.md). PostgreSQL gets one array for each
    column (`unnest`), SQLite a list of tuples; values pass the columns' own processors."""

    columns: tuple[str, ...]
    processors: tuple[Callable[[Any], Any] | None, ...]
    insert: str
    insert_new: str
    update: str

    def bind(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        pairs = tuple(zip(self.columns, self.processors, strict=True))
        return [
            tuple([row[name] if process is None else process(row[name]) for name, process in pairs]) for row in rows
        ]

    def bind_columns(self, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Any], ...]:
        return tuple(
            [row[name] if process is None else process(row[name]) for row in rows]
            for name, process in zip(self.columns, self.processors, strict=True)
        )


_bulks: dict[tuple[str, tuple[str, ...], bool], _Bulk] = {}


def _bulk(table: Table, columns: tuple[str, ...], is_postgresql: bool) -> _Bulk:
    key = (table.name, columns, is_postgresql)
    found = _bulks.get(key)
    if found is None:
        found = _bulks[key] = _make_bulk(table, columns, is_postgresql)
    return found


def _make_bulk(table: Table, columns: tuple[str, ...], is_postgresql: bool) -> _Bulk:
    # Names come from the tables of this program, never from outside.
    dialect: Dialect = make_url("postgresql+asyncpg://").get_dialect()() if is_postgresql else sqlite.dialect()
    types = [table.c[name].type.dialect_impl(dialect) for name in columns]
    names = ", ".join(columns)
    keys = ", ".join(column.name for column in table.primary_key)
    if is_postgresql:
        arrays = ", ".join(f"${number}::{kind.compile(dialect=dialect)}[]" for number, kind in enumerate(types, 1))
        source = f"SELECT * FROM unnest({arrays})"  # noqa: S608
        marks = [f"${number}" for number in range(1, len(columns) + 1)]
    else:
        source = f"VALUES ({', '.join('?' * len(columns))})"
        marks = ["?"] * len(columns)
    insert_all = f"INSERT INTO {table.name} ({names}) {source}"
    changes = ", ".join(f"{name} = {mark}" for name, mark in zip(columns[1:], marks, strict=False))
    returning = f" RETURNING {keys}" if is_postgresql else ""
    return _Bulk(
        columns=columns,
        processors=tuple(kind.bind_processor(dialect) for kind in types),
        insert=insert_all,
        insert_new=f"{insert_all} ON CONFLICT DO NOTHING{returning}",
        update=f"UPDATE {table.name} SET {changes} WHERE {columns[0]} = {marks[-1]}",  # noqa: S608
    )


def _translated(error: BaseException, *, writing: bool = True) -> BaseException:
    """The driver's word for "the database does not answer" as DatabaseAway; anything else as it is. That it takes no
    writes is an absence to who came to write; to who came to read it is a mistake of ours."""
    words = _words_of_absence(error, writing)
    if words is None:
        return error
    away = DatabaseAway(words)
    away.__cause__ = error
    return away


def _words_of_absence(error: BaseException, writing: bool) -> str | None:
    if isinstance(error, DBAPIError):
        result_code = getattr(error.orig, "sqlite_errorcode", None)
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        if result_code == sqlite3.SQLITE_READONLY or sqlstate == _STANDBY:
            return "the database takes no writes now" if writing else None
        if result_code is not None:
            return "the database does not answer" if result_code & 0xFF in _SQLITE_AWAY else None
        if error.connection_invalidated:
            return "the connection to the database broke"
        # Without a statement it is connecting or committing that failed.
        if error.statement is None or (sqlstate.startswith(_AWAY_CLASSES) and sqlstate != _CANCELLED):
            return "the database does not answer"
        return "the database does not answer" if isinstance(error, (OperationalError, InterfaceError)) else None
    if isinstance(error, (PoolTimeoutError, ConnectionError, TimeoutError, OSError)):
        return "the database cannot be reached"
    return None


class Database:
    """Open with `open_database`. `on_notice` callbacks run on the event loop after each commit of this process."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.on_notice: list[Callable[[Notice], None]] = []

    async def transaction(self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `work(tx, …)` and commits; DatabaseAway if the database does not answer. Shielded: a caller that is
        cancelled leaves the transaction to finish by itself, never cut in the middle."""
        raise NotImplementedError

    async def read(self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `work(tx, …)` on one repeatable snapshot; it cannot write."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    @property
    def is_postgresql(self) -> bool:
        return isinstance(self, PostgresDatabase)

    def _tell(self, notice: Notice) -> None:
        for callback in self.on_notice:
            callback(notice)


# --- SQLite -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Job:
    work: Callable[[Tx], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


def _sqlite_engine(path: str, *, read_only: bool) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool if read_only else StaticPool,
        # What customers write must not stand in an error's text, and so in a log.
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": _SQLITE_BUSY_S, "cached_statements": 512},
        **({"pool_size": _SQLITE_READERS, "max_overflow": 0} if read_only else {}),
    )

    @engine_event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        # SQLite's own lower() knows only ASCII; our users write in Armenian, Georgian and Cyrillic.
        connection.create_function("lower", 1, lambda text: text.lower() if text else text, deterministic=True)
        for pragma in (
            "journal_mode=WAL",
            # FULL: a commit survives a power cut, not just a killed process; sharing commits pays for it.
            "synchronous=FULL",
            "foreign_keys=ON",
            # What is deleted is overwritten in the file, not only forgotten by its tables. FAST leaves it in pages that are
            # freed as a whole (docs/performance.md).
            "secure_delete=ON",
            "temp_store=MEMORY",
            "cache_size=-32000",
            # A checkpoint every 4,000 pages (16 MB) instead of 1,000: fewer of them while a burst runs.
            "wal_autocheckpoint=4000",
            *(("query_only=ON",) if read_only else ()),
        ):
            connection.execute(f"PRAGMA {pragma}")

    @engine_event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


class SqliteDatabase(Database):
    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(clock)
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = _sqlite_engine(str(path), read_only=False)
        self._read_engine = _sqlite_engine(str(path), read_only=True)
        self._readers = ThreadPoolExecutor(_SQLITE_READERS, thread_name_prefix="hub-read")
        self._jobs: thread_queue.SimpleQueue[_Job | None] = thread_queue.SimpleQueue()
        self._closed = False
        self._writer = threading.Thread(target=self._write_for_ever, name="hub-write", daemon=True)
        self._writer.start()

    async def transaction(self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._closed:
            raise DatabaseAway("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(lambda tx: work(tx, *args, **kwargs), future, loop))
        return await asyncio.shield(future)

    async def read(self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def run() -> T:
            try:
                with self._read_engine.connect() as connection, connection.begin():
                    return work(Tx(connection, self.clock()), *args, **kwargs)
            except Exception as error:
                raise _translated(error, writing=False) from error.__cause__

        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._readers, run))

    async def close(self) -> None:
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown(wait=True)
        self._engine.dispose()
        self._read_engine.dispose()

    def _write_for_ever(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            while len(batch) < _SHARED_COMMIT_LIMIT:
                try:
                    more = self._jobs.get_nowait()
                except thread_queue.Empty:
                    break
                if more is None:
                    self._jobs.put(None)
                    break
                batch.append(more)
            self._write(batch)

    def _write(self, batch: list[_Job]) -> None:
        """One commit for the batch. Every future is resolved, after the commit and in one hop to the loop."""
        outcomes: list[tuple[_Job, Any, BaseException | None]] = []
        notice = None
        try:
            with self._engine.connect() as connection:
                with connection.begin():
                    emitted: list[_Emitted] = []
                    wakes: set[str] = set()
                    alone = len(batch) == 1
                    for job in batch:
                        tx = Tx(connection, self.clock())
                        if not alone:
                            connection.exec_driver_sql("SAVEPOINT job")
                        try:
                            value = job.work(tx)
                            tx.finish()
                        except Exception as error:
                            if alone:
                                raise
                            connection.exec_driver_sql("ROLLBACK TO job")
                            connection.exec_driver_sql("RELEASE job")
                            outcomes.append((job, None, _translated(error)))
                            continue
                        if not alone:
                            connection.exec_driver_sql("RELEASE job")
                        emitted += tx._emitted
                        wakes |= tx._wakes
                        outcomes.append((job, value, None))
                    seq = _store_events(Tx(connection, self.clock()), self.clock(), emitted) if emitted else None
                if seq is not None or wakes:
                    notice = Notice(seq, frozenset(wakes))
        except Exception as error:
            # Nothing of the batch was committed: everybody in it is told, also those whose own work had gone well.
            told = _translated(error)
            failed_already = {id(job): fault for job, _, fault in outcomes if fault is not None}
            outcomes = [(job, None, failed_already.get(id(job), told)) for job in batch]
        self._resolve(outcomes, notice)

    def _resolve(self, outcomes: list[tuple[_Job, Any, BaseException | None]], notice: Notice | None) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Any, BaseException | None]]] = {}
        for outcome in outcomes:
            by_loop.setdefault(outcome[0].loop, []).append(outcome)

        def deliver(mine: list[tuple[_Job, Any, BaseException | None]]) -> None:
            if notice is not None:
                self._tell(notice)
            for job, value, error in mine:
                if error is not None:
                    job.future.set_exception(error)
                else:
                    job.future.set_result(value)

        for loop, mine in by_loop.items():
            try:
                loop.call_soon_threadsafe(deliver, mine)
            except RuntimeError:  # that loop has closed: nobody waits any more
                log.debug("a caller's event loop closed before its commit was told")


# --- PostgreSQL ---------------------------------------------------------------------------------------------------------


class PostgresDatabase(Database):
    def __init__(self, url: str, clock: Clock, *, pool_size: int = 12) -> None:
        super().__init__(clock)
        self.url = url
        # Late: it brings the ORM along, 200 ms that SQLite need not pay.
        from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

        self._engine: AsyncEngine = create_async_engine(
            url,
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=_CONNECT_TIMEOUT_S,
            pool_recycle=1800,
            connect_args={
                "timeout": _CONNECT_TIMEOUT_S,
                "command_timeout": _STATEMENT_TIMEOUT_S,
                "server_settings": {"application_name": "hub", "timezone": "UTC"},
            },
        )
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._running: set[asyncio.Task[Any]] = set()

    async def transaction(self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        value: T = await self._shielded(self._transact(lambda tx: work(tx, *args, **kwargs)))
        return value

    async def read(self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        value: T = await self._shielded(self._read(lambda tx: work(tx, *args, **kwargs)))
        return value

    async def _shielded(self, steps: Any) -> Any:
        # A task that is cancelled in mid-query loses its connection, so the steps run in a task of their own.
        task = asyncio.ensure_future(steps)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _transact(self, work: Callable[[Tx], Any]) -> Any:
        for attempt in range(_REPEATS):
            tx_box: list[Notice] = []

            def run(connection: Connection, box: list[Notice] = tx_box) -> Any:
                tx = Tx(connection, self.clock())
                value = work(tx)
                tx.finish()
                seq = _store_events(tx, tx.now, tx._emitted) if tx._emitted else None
                if seq is not None or tx._wakes:
                    payload = json.dumps({"seq": seq, "wakes": sorted(tx._wakes)})
                    connection.execute(
                        text("SELECT pg_notify(:channel, :payload)"), {"channel": NOTICE_CHANNEL, "payload": payload}
                    )
                    box.append(Notice(seq, frozenset(tx._wakes)))
                return value

            try:
                async with self._engine.connect() as connection, connection.begin():
                    value = await connection.run_sync(run)
            except DBAPIError as error:
                if _is_repeatable(error) and attempt < _REPEATS - 1:
                    continue
                raise _translated(error) from error
            except (OSError, TimeoutError, PoolTimeoutError) as error:
                raise _translated(error) from error
            for notice in tx_box:
                self._tell(notice)
            return value
        raise AssertionError("unreachable")

    async def _read(self, work: Callable[[Tx], Any]) -> Any:
        try:
            async with self._snapshots.connect() as connection, connection.begin():
                return await connection.run_sync(lambda sync: work(Tx(sync, self.clock())))
        except (DBAPIError, OSError, TimeoutError, PoolTimeoutError) as error:
            raise _translated(error, writing=False) from error

    async def close(self) -> None:
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()


def _is_repeatable(error: DBAPIError) -> bool:
    words = str(error.orig)
    return getattr(error.orig, "sqlstate", None) in _REPEATABLE_SQLSTATES and not any(
        name in words for name in _BACKSTOPS
    )


def open_database(url: str, clock: Clock = utc_now) -> Database:
    """The database behind `url` (sqlite:///… or postgresql+asyncpg://…). Nothing is migrated here: see store.migrate."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteDatabase(Path(parsed.database or "hub.db"), clock)
    return PostgresDatabase(url, clock)
