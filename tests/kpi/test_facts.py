"""The projector: what it stores, whom it tells, and that a crash, a second projector or a rebuild changes nothing."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from hub.domain.events import FACTS, AccessChanged, FactEvent
from hub.errors import DatabaseAway
from hub.kpi import facts
from hub.kpi.board import load_numbers
from hub.kpi.facts import Projector, project, rebuild_facts
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Tail, Wakes
from tests.kpi.reference import ANNA, BORIS, DAY, NOON, resolution, response, segment
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.anyio


def emit(tx: Tx, events: Sequence[FactEvent]) -> None:
    for event in events:
        tx.emit(event, {FACTS})


def noise(tx: Tx, count: int) -> None:
    for user_id in range(count):
        tx.emit(AccessChanged(user_id), {f"user:{user_id}"})


def load_rows(tx: Tx) -> dict[str, list[tuple[Any, ...]]]:
    """Every fact row there is, in the order of its key."""
    return {
        table.name: [tuple(row) for row in tx.rows(select(table).order_by(next(iter(table.primary_key))))]
        for table in (tables.fact_segment, tables.fact_response, tables.fact_resolution)
    }


def load_told(tx: Tx) -> list[tuple[int, str, int, int, int]]:
    """(seq, topics, agent, contacts handled, first responses) of each NumbersChanged so far."""
    found = select(tables.event).where(tables.event.c.kind == "numbers.changed").order_by(tables.event.c.seq)
    told = [(row.seq, row.topics, json.loads(row.body)["numbers"]) for row in tx.rows(found)]
    return [(seq, at, n["user_id"], n["handled_contacts"], n["first_response_count"]) for seq, at, n in told]


def load_checkpoint(tx: Tx) -> int | None:
    seq = tx.scalar(select(tables.projection.c.seq).where(tables.projection.c.name == "facts"))
    return None if seq is None else int(seq)


async def project_all(database: Database) -> None:
    while await database.transaction(project):
        pass


# What these facts do not say (topic, customer …).
UNTOLD = (None,) * 5
# … and no customer came back after these.
NOTHING_FOLLOWED = (*UNTOLD, None, None, False)


async def test_each_fact_becomes_one_row_with_its_duration(database: Database) -> None:
    await database.transaction(emit, DAY)
    await project_all(database)
    rows = await database.read(load_rows)
    assert rows["fact_segment"] == [
        (1, 1, ANNA, "sms", 1, NOON - timedelta(seconds=90), NOON, "offer", "resolved", *UNTOLD[:3], (), None),
        (2, 2, BORIS, "sms", 1, NOON - timedelta(seconds=90), NOON, "offer", "resolved", *UNTOLD[:3], (), None),
        (3, 1, ANNA, "sms", 1, NOON - timedelta(seconds=90), NOON, "offer", "resolved", *UNTOLD[:3], (), None),
    ]
    assert rows["fact_response"] == [
        (1, 1, ANNA, "sms", 1, NOON - timedelta(seconds=30.25), NOON, 30.25, True, *UNTOLD[:3]),
        (2, 2, BORIS, "sms", 1, NOON - timedelta(seconds=12), NOON, 12.0, True, *UNTOLD[:3]),
        (3, 3, ANNA, "sms", 1, NOON - timedelta(seconds=4), NOON, 4.0, False, *UNTOLD[:3]),
    ]
    assert rows["fact_resolution"] == [
        (4, 4, ANNA, "sms", 1, NOON - timedelta(seconds=600), NOON, 600.0, 0, *NOTHING_FOLLOWED),
        (5, 5, None, "sms", 1, NOON - timedelta(seconds=50), NOON, 50.0, 0, *NOTHING_FOLLOWED),
        (6, 6, ANNA, "sms", 1, NOON - timedelta(seconds=5000), NOON, 5000.0, 1, *NOTHING_FOLLOWED),
    ]


async def test_those_whose_numbers_changed_are_told_once_a_batch(database: Database) -> None:
    await database.transaction(emit, DAY)
    await project_all(database)
    told = await database.read(load_told)
    assert sorted(row[1:] for row in told) == [
        (f"supervisors user:{ANNA}", ANNA, 1, 1),
        (f"supervisors user:{BORIS}", BORIS, 1, 1),
    ]


async def test_a_fact_that_changes_no_number_of_today_tells_nobody(database: Database) -> None:
    yesterday = NOON - timedelta(days=1)
    unseen: list[FactEvent] = [
        response(1, ANNA, NOON, 9, is_first=False),
        segment(1, ANNA, yesterday),
        resolution(2, ANNA, NOON, 9, 2),
    ]
    await database.transaction(emit, unseen)
    await project_all(database)
    assert await database.read(load_told) == []
    assert (await database.read(load_rows))["fact_segment"] != []


async def test_the_told_numbers_are_the_snapshots_numbers(database: Database) -> None:
    await database.transaction(emit, DAY)
    await project_all(database)
    told = await database.read(
        lambda tx: tx.scalar(
            select(tables.event.c.body).where(
                tables.event.c.kind == "numbers.changed", tables.event.c.topics.contains(f"user:{ANNA}")
            )
        )
    )
    loaded = await database.read(load_numbers, ANNA, NOON)
    assert (
        json.loads(told)["numbers"]
        == {
            "user_id": ANNA,
            "day": "2026-03-10",
            "handled_contacts": 1,
            "first_response_mean_s": 30.25,
            "first_response_count": 1,
            "resolution_median_s": 600.0,
            "resolution_count": 1,
            "as_of_seq": len(DAY),
            "calls_in": 0,
            "calls_out": 0,
            "calls_missed": 0,
            "talk_s": 0.0,
            "hold_s": 0.0,
            "wrap_up_s": 0.0,
            "aht_s": None,
            "calls_internal": 0,
            "handled_segments": 2,
            "chats": 0,
            "mails": 0,
            "texts": 0,
            "handle_mean_s": 90.0,
            "handle_count": 2,
            "first_response_median_s": 30.25,
            "resolution_p90_s": 600.0,
            "csat_share": None,
            "csat_mean": None,
            "csat_count": 0,
            "transfers_blind": 0,
            "transfers_consult": 0,
            "transfers_requeue": 0,
            "transfer_cases": 2,
            "offers": 0,
            "offers_missed": 0,
            "offers_declined": 0,
            "work_ms": 0,
            "available_ms": 0,
            "spell": "none",
            "spell_since": None,
        }
        == {field: getattr(loaded, field) for field in loaded.__slots__}
    )


async def test_projecting_again_changes_nothing(database: Database) -> None:
    await database.transaction(emit, DAY)
    await project_all(database)
    rows, told = await database.read(load_rows), await database.read(load_told)

    def forget_checkpoint(tx: Tx) -> None:
        tx.execute(update(tables.projection).values(seq=0).where(tables.projection.c.name == "facts"))

    await database.transaction(forget_checkpoint)
    await project_all(database)
    assert await database.read(load_rows) == rows
    assert await database.read(load_told) == told


async def test_rebuilding_from_nothing_gives_the_same_rows(database: Database) -> None:
    await database.transaction(emit, DAY[:4])
    await project_all(database)
    await database.transaction(emit, DAY[4:])
    await project_all(database)
    rows, told = await database.read(load_rows), await database.read(load_told)

    def damage(tx: Tx) -> None:
        tx.execute(update(tables.fact_response).values(wall_s=1.0))
        tx.execute(tables.fact_segment.delete().where(tables.fact_segment.c.assignment_id == 2))

    await database.transaction(damage)
    assert await rebuild_facts(database) == len(DAY)
    assert await database.read(load_rows) == rows
    # Whoever came while they were made anew is told them whole, once.
    again = (await database.read(load_told))[len(told) :]
    assert {one[2:] for one in again} == {
        max(one for one in told if one[2] == user_id)[2:] for user_id in (ANNA, BORIS)
    }
    assert len(again) == 2


async def test_a_rebuild_also_catches_up(database: Database) -> None:
    await database.transaction(emit, DAY[:4])
    await project_all(database)
    await database.transaction(emit, DAY[4:])
    assert await rebuild_facts(database) == 4
    by_rebuild = await database.read(load_rows)
    await rebuild_facts(database)
    assert await database.read(load_rows) == by_rebuild
    assert sum(len(rows) for rows in by_rebuild.values()) == len(DAY)


async def test_a_crash_keeps_rows_and_checkpoint_together(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the rows and the checkpoint are written but before the commit: nothing of it is there, and the next
    start gives the figures of a run without the crash."""
    await database.transaction(emit, DAY[:3])
    await project_all(database)
    await database.transaction(emit, DAY[3:])
    before = await database.read(load_rows), await database.read(load_checkpoint), await database.read(load_told)

    class KilledError(Exception): ...

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(facts, "_turn_days", killed)
        with pytest.raises(KilledError):
            await database.transaction(project)
    assert before == (
        await database.read(load_rows),
        await database.read(load_checkpoint),
        await database.read(load_told),
    )
    await project_all(database)
    crashed = await database.read(load_rows)
    await rebuild_facts(database)
    assert await database.read(load_rows) == crashed
    assert len(crashed["fact_segment"]) == 3


async def test_the_stream_is_read_in_bounded_windows(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "WINDOW", 4)
    await database.transaction(noise, 6)
    await database.transaction(emit, DAY[:1])
    await database.transaction(noise, 6)
    seen = []
    while await database.transaction(project):
        seen.append(await database.read(load_checkpoint))
    # Windows end at 4 (noise), 8 (with the fact at 7) and 12 (noise). The last step finds 13 and what step two emitted.
    assert seen == [4, 8, 12]
    assert len((await database.read(load_rows))["fact_response"]) == 1


async def test_two_projectors_at_a_time_store_and_tell_once(database: Database) -> None:
    for n in range(20):
        await database.transaction(emit, [segment(n + 1, ANNA, NOON)])
        await asyncio.gather(*(database.transaction(project) for _ in range(4)))
    told = await database.read(load_told)
    assert [row[3] for row in told] == list(range(1, 21))
    assert (await database.read(load_checkpoint) or 0) < told[-1][0]


async def test_the_loop_follows_the_stream_and_the_numbers_arrive(database: Database) -> None:
    wakes = Wakes()
    tail, projector = Tail(database, wakes), Projector(database, wakes)
    tail.follow(projector.follow)
    arrived = asyncio.Event()
    tail.follow(lambda events: arrived.set() if any(e.kind == "numbers.changed" for e in events) else None)
    await tail.start()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        loops = [group.create_task(tail.run()), group.create_task(projector.run())]
        await database.transaction(emit, DAY[:1])
        await arrived.wait()
        for loop in loops:
            loop.cancel()
    numbers = await database.read(load_numbers, ANNA, NOON)
    assert numbers.first_response_count == 1


async def test_the_loop_survives_a_database_that_is_away(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_RETRY_S", 0.001)
    real, tries = database.transaction, 0
    done = asyncio.Event()

    async def away_twice(*arguments: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise DatabaseAway("not now")
        value = await real(*arguments)
        done.set()
        return value

    await database.transaction(emit, DAY)
    monkeypatch.setattr(database, "transaction", away_twice)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        loop = group.create_task(Projector(database, Wakes()).run())
        await done.wait()
        loop.cancel()
    assert await database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.fact_segment))) == 3


async def test_midnight_tells_those_who_worked_that_the_new_day_is_empty(
    database: Database, clock: FrozenClock
) -> None:
    await database.transaction(emit, DAY)
    await project_all(database)
    before = await database.read(load_told)
    clock.now = datetime(2026, 3, 10, 21, 59, 59, 999_999, tzinfo=UTC)
    await project_all(database)
    assert await database.read(load_told) == before
    clock.now = datetime(2026, 3, 10, 22, 0, tzinfo=UTC)
    await project_all(database)
    await project_all(database)
    told = (await database.read(load_told))[len(before) :]
    assert sorted(row[2:] for row in told) == [(ANNA, 0, 0), (BORIS, 0, 0)]
