"""The event stream: tokens, what is kept and what is not, a new life, and the one who follows it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.domain.events import FACTS, STAFF, AccessChanged, CustomerAnswered
from hub.domain.values import Token
from hub.errors import DatabaseAway
from hub.store import stream, tables
from hub.store.database import Database, Tx, open_database
from hub.store.stream import Stored, Tail, Wakes
from tests.support.clock import FrozenClock
from tests.support.running_hub import PATIENCE_S, line_to

pytestmark = pytest.mark.anyio


def say(tx: Tx, number: int) -> None:
    tx.emit(AccessChanged(number), {STAFF, f"user:{number}"}, unless={"queue:1"})


def tell_fact(tx: Tx) -> None:
    tx.emit(CustomerAnswered(1, 1, 1, "loop", 1, tx.now, tx.now, is_first=True), {FACTS})


async def bounds(database: Database) -> tuple[Token, int]:
    return await database.read(stream.load_bounds)


# --- tokens -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [Token("ab12", 0), Token("ab12", 7), Token("a-b", 10**17)])
def test_a_token_reads_back_as_it_was_written(token: Token) -> None:
    assert Token.parse(str(token)) == token


@pytest.mark.parametrize("text", ["", "-", "7", "a-", "-7", "a-x", "a-７", "a-1 ", "a-" + "9" * 19, "a-1.0", "a--"])
def test_what_is_no_token_is_none(text: str) -> None:
    assert Token.parse(text) is None


async def test_a_fresh_stream_stands_at_nothing_and_moves_with_each_event(database: Database) -> None:
    start, pruned_to = await bounds(database)
    assert (start.seq, pruned_to) == (0, 0)
    await database.transaction(say, 1)
    head, _ = await bounds(database)
    assert (head.epoch, head.seq > start.seq) == (start.epoch, True)


async def test_an_event_is_read_as_it_was_told(database: Database, clock: FrozenClock) -> None:
    await database.transaction(say, 7)
    (event,) = await database.read(stream.load_events, 0)
    assert event == Stored(
        seq=event.seq,
        at=clock(),
        kind="access.changed",
        topics=frozenset({STAFF, "user:7"}),
        unless=frozenset({"queue:1"}),
        body='{"user_id":7,"kind":"access.changed"}',
    )


async def test_reading_goes_in_bounded_steps(database: Database) -> None:
    def say_many(tx: Tx) -> None:
        for number in range(30):
            say(tx, number)

    await database.transaction(say_many)
    first = await database.read(stream.load_events, 0, 20)
    rest = await database.read(stream.load_events, first[-1].seq, 20)
    assert (len(first), len(rest)) == (20, 10)


# --- what is kept -------------------------------------------------------------------------------------------------------


async def test_pruning_takes_screen_events_and_leaves_facts_and_the_position(
    database: Database, clock: FrozenClock
) -> None:
    await database.transaction(say, 1)
    await database.transaction(tell_fact)
    await database.transaction(say, 2)
    before, _ = await bounds(database)
    clock.advance(days=8)
    await database.transaction(say, 3)
    went = await database.transaction(lambda tx: stream.prune(tx, tx.now - timedelta(days=7)))
    assert went == 3  # two screen events and the fact between them, which stays
    kinds = [event.kind for event in await database.read(stream.load_events, 0)]
    assert kinds == ["fact.response", "access.changed"]
    head, pruned_to = await bounds(database)
    assert pruned_to == before.seq
    assert head.seq > pruned_to


async def test_pruning_everything_moves_no_position_back_and_gives_no_number_twice(
    database: Database, clock: FrozenClock
) -> None:
    for number in range(3):
        await database.transaction(say, number)
    before, _ = await bounds(database)
    for _ in range(2):
        await database.transaction(lambda tx: stream.prune(tx, tx.now + timedelta(seconds=1)))
        assert await bounds(database) == (before, before.seq)
    await database.transaction(say, 9)
    (event,) = await database.read(stream.load_events, before.seq)
    assert event.seq > before.seq


async def test_pruning_goes_in_bounded_steps_up_to_what_is_young(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_PRUNE_STEP", 2)
    for number in range(5):
        await database.transaction(say, number)
    clock.advance(days=8)
    await database.transaction(say, 9)
    steps = [await database.transaction(lambda tx: stream.prune(tx, tx.now - timedelta(days=7))) for _ in range(4)]
    assert steps == [2, 2, 1, 0]
    (left,) = await database.read(stream.load_events, 0)
    assert '"user_id":9,' in left.body


async def test_pruning_nothing_changes_nothing(database: Database) -> None:
    await database.transaction(say, 1)
    assert await database.transaction(lambda tx: stream.prune(tx, tx.now - timedelta(days=1))) == 0
    assert (await bounds(database))[1] == 0


async def test_a_new_life_has_another_epoch_and_goes_on_counting(database: Database) -> None:
    await database.transaction(say, 1)
    before, _ = await bounds(database)
    await database.transaction(stream.create_stream)
    after, pruned_to = await bounds(database)
    assert after.epoch != before.epoch
    assert after.seq == pruned_to == before.seq
    epochs = await database.read(lambda tx: tx.rows(select(tables.stream.c.epoch)))
    assert len(epochs) == 1


async def test_a_database_without_a_stream_is_not_ready(database: Database) -> None:
    await database.transaction(lambda tx: tx.execute(tables.stream.delete()).rowcount)
    with pytest.raises(DatabaseAway, match="migrate"):
        await database.read(stream.load_token)


# --- the one who follows ------------------------------------------------------------------------------------------------


class Listener:
    """Keeps what a tail hands on; `until` waits for so many events."""

    def __init__(self, tail: Tail) -> None:
        self.events: list[Stored] = []
        self.lives = 0
        self._changed = asyncio.Event()
        tail.follow(self.hear)
        tail.on_new_life.append(self.begin)

    def hear(self, events: list[Stored]) -> None:
        self.events += events
        self._changed.set()

    def begin(self) -> None:
        self.lives += 1
        self._changed.set()

    async def until(self, number: int, lives: int = 0) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.events) < number or self.lives < lives:
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def following(database: Database) -> AsyncIterator[tuple[Tail, Listener]]:
    tail = Tail(database, Wakes())
    listener = Listener(tail)
    await tail.start()
    running = asyncio.create_task(tail.run())
    try:
        yield tail, listener
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_tail_hands_on_everything_once_and_in_order_and_nothing_from_before(database: Database) -> None:
    await database.transaction(say, 0)
    async with following(database) as (_, listener):
        await asyncio.gather(*(database.transaction(say, number) for number in range(1, 41)))
        await listener.until(40)
        stored = [event.seq for event in await database.read(stream.load_events, 0)][1:]
        assert [event.seq for event in listener.events] == stored


async def test_the_tail_finds_what_another_process_wrote_without_a_word(database: Database, database_url: str) -> None:
    """The command line beside a hub on SQLite, or a notice that was lost."""
    other = open_database(database_url)
    async with following(database) as (_, listener):
        await other.transaction(say, 1)
        await listener.until(1)
    await other.close()


async def test_the_tail_follows_a_new_life_from_its_present_end(database: Database) -> None:
    async with following(database) as (tail, listener):
        await database.transaction(say, 1)
        await listener.until(1)
        epoch = tail.epoch
        await database.transaction(stream.create_stream)
        await listener.until(1, lives=1)
        await database.transaction(say, 2)
        await listener.until(2)
        assert tail.epoch != epoch


async def test_the_tail_waits_for_a_database_that_is_away_and_misses_nothing(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_RETRY_S", 0.05)
    writer = open_database(postgresql_url)
    async with line_to(postgresql_url) as (line, url):
        reader = open_database(url)
        async with following(reader) as (_, listener):
            await writer.transaction(say, 1)
            await listener.until(1)
            await line.cut()
            for number in range(2, 12):
                await writer.transaction(say, number)
            await line.mend()
            await listener.until(11)
            stored = [event.seq for event in await writer.read(stream.load_events, 0)]
            assert [event.seq for event in listener.events] == stored
        await reader.close()
    await writer.close()


async def test_a_wake_that_came_while_nobody_waited_is_not_lost() -> None:
    wakes = Wakes()
    wakes.set("outbox")
    assert await wakes.wait("outbox", 0)
    assert not await wakes.wait("outbox", 0)
