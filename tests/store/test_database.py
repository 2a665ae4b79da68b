"""The door to the database: what is shared, what is ordered, what survives, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import exc, insert, select, text, update
from sqlalchemy.util import await_only

from hub.domain.events import STAFF, AccessChanged
from hub.errors import Conflict, DatabaseAway
from hub.routing import dispatcher
from hub.store import database as store
from hub.store import tables
from hub.store.database import Database, Notice, PostgresDatabase, SqliteDatabase, Tx, open_database
from hub.store.stream import Stored, load_events, load_token
from tests.support.clock import FrozenClock
from tests.support.running_hub import line_to
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

WRITERS = 20


def insert_customer(tx: Tx, name: str) -> int:
    return tx.insert(tables.customer, {"name": name, "created_at": tx.now})


def names(tx: Tx) -> list[str]:
    return [row.name for row in tx.rows(select(tables.customer.c.name).order_by(tables.customer.c.id))]


def say(tx: Tx, number: int) -> None:
    tx.emit(AccessChanged(number), {STAFF})


# --- once only ----------------------------------------------------------------------------------------------------------


async def test_twenty_writers_of_one_key_store_it_once_and_one_of_them_knows(database: Database) -> None:
    def arrive(tx: Tx, number: int) -> bool:
        row = {"channel_id": "loop", "provider_id": f"p{number}", "received_at": tx.now, "raw": ""}
        return tx.insert_new(tables.arrival, [row]) == [True]

    for number in range(10):
        answers = await asyncio.gather(*(database.transaction(arrive, number) for _ in range(WRITERS)))
        assert answers.count(True) == 1
    stored = await database.read(lambda tx: tx.rows(select(tables.arrival)))
    assert len(stored) == 10


# --- the order of the stream --------------------------------------------------------------------------------------------


async def write_and_read(writer: Database, reader: Database, per_writer: int) -> tuple[list[int], list[int]]:
    """(what a reader with `seq > cursor` saw while twenty wrote, what there was to see), as the numbers told."""
    seen: list[Stored] = []
    finished = asyncio.Event()
    start = (await reader.read(load_token)).seq

    async def write(number: int) -> None:
        for n in range(per_writer):
            await writer.transaction(write_one, number * per_writer + n)

    async def read() -> None:
        cursor = start
        while True:
            is_last = finished.is_set()
            for event in await reader.read(load_events, cursor):
                seen.append(event)
                cursor = event.seq
            if is_last:
                return

    reading = asyncio.create_task(read())
    await asyncio.gather(*(write(number) for number in range(WRITERS)))
    finished.set()
    await reading
    everything = await reader.read(load_events, start, 100_000)
    return [event.seq for event in seen], [event.seq for event in everything]


def write_one(tx: Tx, number: int) -> None:
    """Two events and some work between them and the commit, so that transactions overlap."""
    say(tx, number)
    insert_customer(tx, str(number))
    say(tx, number)


async def test_a_reader_beside_twenty_writers_misses_nothing(database: Database, database_url: str) -> None:
    reader = open_database(database_url)
    seen, everything = await write_and_read(database, reader, 15)
    await reader.close()
    assert seen == everything
    assert len(seen) == WRITERS * 15 * 2


async def test_without_the_stream_lock_the_same_reader_misses_events(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each transaction locks a number of its own, which is no lock at all.
    monkeypatch.setattr(store, "STREAM_LOCK", "(random() * 2000000000)::int")
    writer, reader = open_database(postgresql_url), open_database(postgresql_url)
    assert await some(loses_events(writer, reader))
    await writer.close()
    await reader.close()


async def loses_events(writer: Database, reader: Database) -> AsyncIterator[bool]:
    for _ in range(10):
        seen, everything = await write_and_read(writer, reader, 20)
        yield seen != everything


async def some(outcomes: AsyncIterator[bool]) -> bool:
    """Whether it came out so once. A race without its lock is lost soon, but nobody knows in which round."""
    async for outcome in outcomes:
        if outcome:
            return True
    return False


async def test_events_stand_in_the_order_in_which_they_were_emitted(database: Database) -> None:
    def emit(tx: Tx) -> None:
        for number in range(50):
            say(tx, number)

    await database.transaction(emit)
    bodies = [event.body for event in await database.read(load_events, 0)]
    assert [f'"user_id":{number},' in body for number, body in enumerate(bodies)] == [True] * 50


# --- one decider --------------------------------------------------------------------------------------------------------


async def rounds_of_two_processes(first: Scene, second: Scene, rounds: int) -> AsyncIterator[list[BaseException]]:
    """Two dispatchers twice at the same moment, round after round; the faults that the database had to stop."""
    await asyncio.gather(*(first.agent(capacity=1000) for _ in range(3)))
    for number in range(rounds):
        await first.say(sender=f"c{number}")
        results = await asyncio.gather(
            *(scene.database.transaction(dispatcher.dispatch, 15.0) for scene in (first, second, first, second)),
            return_exceptions=True,
        )
        yield [result for result in results if isinstance(result, BaseException)]
        for offer in await first.rows(tables.offer, ended_at=None):
            await first.set(tables.offer, {"ended_at": first.database.clock(), "outcome": "withdrawn"}, id=offer["id"])
            await first.set(
                tables.conversation,
                {"status": "resolved", "queued_since": None, "resolved_at": first.database.clock()},
                id=offer["conversation_id"],
            )


@pytest.fixture
async def two_processes(postgresql_url: str, clock: FrozenClock) -> AsyncIterator[tuple[Scene, Scene]]:
    first, second = open_database(postgresql_url, clock), open_database(postgresql_url, clock)
    yield await Scene(first).set_up(), Scene(second)
    await first.close()
    await second.close()


async def test_two_dispatchers_at_once_offer_each_work_once(two_processes: tuple[Scene, Scene]) -> None:
    assert [faults async for faults in rounds_of_two_processes(*two_processes, 15)] == [[]] * 15
    offers = await two_processes[0].rows(tables.offer)
    assert len(offers) == 15


async def test_without_the_routing_lock_only_the_unique_index_stops_a_second_offer(
    two_processes: tuple[Scene, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "ROUTING_LOCK", "(random() * 2000000000)::int")
    rounds = rounds_of_two_processes(*two_processes, 100)
    assert await some("uq_offer_one_live_per_conversation" in str(faults) async for faults in rounds)


# --- sharing commits ----------------------------------------------------------------------------------------------------


async def test_a_unit_of_work_that_fails_takes_nobody_with_it_and_emits_nothing(database: Database) -> None:
    """On SQLite they share one commit: all are handed over before the writer is free."""

    def work(tx: Tx, number: int) -> int:
        insert_customer(tx, str(number))
        say(tx, number)
        tx.wake("routing")
        if number % 3 == 0:
            raise Conflict(f"not {number}")
        return number

    results = await asyncio.gather(*(database.transaction(work, n) for n in range(30)), return_exceptions=True)
    good = [n for n in range(30) if n % 3]
    assert [result for result in results if isinstance(result, int)] == good
    assert [str(result) for result in results if isinstance(result, Conflict)] == [
        f"not {n}" for n in range(30) if n % 3 == 0
    ]
    assert sorted(map(int, await database.read(names))) == good
    bodies = [event.body for event in await database.read(load_events, 0)]
    assert len(bodies) == len(good)
    assert not any('"user_id":0,' in body for body in bodies)


async def test_a_statement_that_a_constraint_refuses_takes_nobody_with_it(database: Database) -> None:
    def fail(tx: Tx) -> None:
        insert_customer(tx, "never")
        tx.execute(insert(tables.organisation).values(id=2, name="second", time_zone="UTC"))

    results = await asyncio.gather(
        *(database.transaction(insert_customer, "good") for _ in range(5)),
        database.transaction(fail),
        *(database.transaction(insert_customer, "good") for _ in range(5)),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(exc.IntegrityError) == 1
    assert await database.read(names) == ["good"] * 10


async def test_many_waiting_units_of_work_share_one_commit_on_sqlite(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    assert isinstance(database, SqliteDatabase)
    gate = threading.Event()
    notices: list[Notice] = []
    database.on_notice.append(notices.append)
    held = asyncio.create_task(database.transaction(lambda tx: gate.wait(10)))
    waiting = [asyncio.create_task(database.transaction(write_one, number)) for number in range(100)]
    await asyncio.sleep(0)  # all are in the writer's queue now
    gate.set()
    await asyncio.gather(held, *waiting)
    await database.close()
    assert len(notices) <= 2  # a commit tells once; the first may have begun before all were there


async def test_what_failed_wakes_nobody_and_what_went_well_wakes_after_its_commit(database: Database) -> None:
    told: list[Notice] = []
    database.on_notice.append(told.append)

    def fail(tx: Tx) -> None:
        tx.wake("routing")
        say(tx, 1)
        raise Conflict("no")

    with pytest.raises(Conflict):
        await database.transaction(fail)
    assert told == []
    await database.transaction(lambda tx: tx.wake("outbox"))
    assert told == [Notice(None, frozenset({"outbox"}))]


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(exc.DBAPIError):
        await database.read(insert_customer, "never")
    assert await database.read(names) == []


# --- callers that go away -----------------------------------------------------------------------------------------------


async def test_a_caller_that_is_cancelled_leaves_its_transaction_whole(database: Database) -> None:
    def work(tx: Tx, number: int) -> None:
        insert_customer(tx, f"{number} first")
        insert_customer(tx, f"{number} second")
        say(tx, number)

    callers = [asyncio.create_task(database.transaction(work, number)) for number in range(20)]
    await asyncio.sleep(0)  # each has handed its work over
    for caller in callers:
        caller.cancel()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    await database.close()  # which waits for what runs
    again = open_database(url_of(database))
    stored, events = await again.read(names), await again.read(load_events, 0)
    await again.close()
    assert sorted(stored) == sorted(f"{n} {part}" for n in range(20) for part in ("first", "second"))
    assert len(events) == 20


def url_of(database: Database) -> str:
    return database.url if isinstance(database, PostgresDatabase) else f"sqlite:///{database.path}"  # type: ignore[attr-defined]


async def test_a_closed_database_is_away(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    await database.close()
    with pytest.raises(DatabaseAway):
        await database.transaction(names)


# --- PostgreSQL's own troubles ------------------------------------------------------------------------------------------


async def test_a_deadlock_is_repeated_and_both_come_through(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    ids = [await database.transaction(insert_customer, name) for name in ("a", "b")]
    has_first = {"x": asyncio.Event(), "y": asyncio.Event()}
    runs: list[str] = []

    def lock_both(tx: Tx, mark: str, other: str, order: list[int]) -> None:
        runs.append(mark)
        tx.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
        cu = tables.customer.c
        for customer_id in order:
            tx.execute(update(tables.customer).where(cu.id == customer_id).values(note=cu.note + mark))
            has_first[mark].set()
            await_only(has_first[other].wait())
        say(tx, 1)

    await asyncio.gather(
        database.transaction(lock_both, "x", "y", ids), database.transaction(lock_both, "y", "x", ids[::-1])
    )
    notes = await database.read(lambda tx: tx.execute(select(tables.customer.c.note)).scalars().all())
    events = await database.read(load_events, 0)
    await database.close()
    assert [set(note) for note in notes] == [{"x", "y"}, {"x", "y"}]
    assert len(runs) == 3  # one of them ran twice
    assert len(events) == 2  # and was told once


async def test_a_server_that_is_gone_is_away_and_comes_back_without_a_new_start(postgresql_url: str) -> None:
    async with line_to(postgresql_url) as (line, url):
        database = open_database(url)
        await database.transaction(insert_customer, "before")
        await line.cut()
        for work in (lambda: database.transaction(insert_customer, "lost"), lambda: database.read(names)):
            with pytest.raises(DatabaseAway):
                await work()
        await line.mend()
        await come_back(lambda: database.transaction(insert_customer, "after"))
        assert await database.read(names) == ["before", "after"]
        await database.close()


async def come_back(work: Callable[[], Any]) -> None:
    """Connections that broke are found broken one by one, at their next use."""
    for _ in range(20):
        try:
            await work()
            return
        except DatabaseAway:
            pass
    raise AssertionError("the database did not come back")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57P01'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57P03'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53300'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '25006'; END $$",
    ],
    ids=["killed", "shutting down", "starting up", "too many connections", "disk full", "a standby"],
)
async def test_what_postgresql_says_when_it_cannot_serve_is_away(postgresql_url: str, statement: str) -> None:
    database = open_database(postgresql_url)
    with pytest.raises(DatabaseAway):
        await database.transaction(lambda tx: tx.execute(text(statement)))
    await come_back(lambda: database.transaction(insert_customer, "after"))
    await database.close()


async def test_a_server_that_takes_no_connections_is_away(postgresql_url: str) -> None:
    """As it says of itself while it starts up or shuts down: the refusal comes as a word of its protocol."""
    other = open_database(postgresql_url.rpartition("/")[0] + "/postgres")
    name = postgresql_url.rpartition("/")[2]
    database = open_database(postgresql_url)
    await other.transaction(lambda tx: tx.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")))
    with pytest.raises(DatabaseAway):
        await database.read(names)
    with pytest.raises(DatabaseAway):
        await database.transaction(insert_customer, "lost")
    await other.transaction(lambda tx: tx.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")))
    await database.transaction(insert_customer, "after")
    await database.close()
    await other.close()


async def test_a_fault_of_ours_is_not_taken_for_an_absence(database: Database) -> None:
    with pytest.raises(exc.DBAPIError):
        await database.transaction(lambda tx: tx.execute(text("SELECT nonsense FROM nowhere")))
    with pytest.raises(ZeroDivisionError):
        await database.transaction(lambda tx: 1 // 0)


# --- SQLite's own -------------------------------------------------------------------------------------------------------


async def test_sqlite_syncs_every_commit_and_lets_readers_in(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    pragmas = await database.transaction(
        lambda tx: [
            tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    await database.close()
    assert pragmas == ["wal", 2, 1]


async def test_a_read_sees_one_moment_however_long_it_takes(database: Database) -> None:
    await database.transaction(insert_customer, "before")

    def look_twice(tx: Tx) -> tuple[list[str], list[str]]:
        first = names(tx)
        write = asyncio.run_coroutine_threadsafe(other.transaction(insert_customer, "meanwhile"), other_loop)
        write.result(10)
        return first, names(tx)

    other = open_database(url_of(database))
    # Another loop, in another thread: on PostgreSQL a unit of work runs on this one.
    other_loop = asyncio.new_event_loop()
    thread = threading.Thread(target=other_loop.run_forever)
    thread.start()
    first, second = await database.read(look_twice)
    asyncio.run_coroutine_threadsafe(other.close(), other_loop).result(10)
    other_loop.call_soon_threadsafe(other_loop.stop)
    thread.join()
    other_loop.close()
    assert first == second == ["before"]
