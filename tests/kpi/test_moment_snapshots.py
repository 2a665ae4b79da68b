"""Figures of a moment are kept once a quarter of an hour, as the live board told them then; what nobody kept is a gap."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from hub.domain.values import Role
from hub.kpi.board import load_board
from hub.kpi.days import interval_number
from hub.kpi.moment_snapshots import OF_ALL, is_due, keep_moments, load_kept, rest_s
from hub.kpi.moments import MOMENTS
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

QUARTER = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)


@pytest.fixture
async def scene(database: Database, clock: FrozenClock) -> Scene:
    clock.now = QUARTER - timedelta(minutes=10)
    return await Scene(database).set_up()


async def keep(scene: Scene) -> bool:
    return await scene.database.transaction(keep_moments)


async def kept(scene: Scene, queue_id: int) -> dict[datetime, dict[str, float]]:
    first = interval_number(QUARTER)
    found = await scene.database.read(load_kept, queue_id, list(MOMENTS), first - 4, first + 8)
    return {QUARTER + (number - first) * timedelta(minutes=15): dict(of) for number, of in found.items()}


async def test_what_is_kept_is_what_the_board_told_at_that_moment(scene: Scene, clock: FrozenClock) -> None:
    returns = await scene.queue("Returns")
    sue = await scene.agent("Sue", queue_ids={scene.queue_id, returns}, role=Role.SUPERVISOR)
    cleo = await scene.agent("Cleo")
    taken = await scene.opened(sender="ani")
    clock.advance(minutes=4)
    await scene.opened(sender="ben")
    clock.advance(seconds=30.25)
    await scene.opened(sender="carine")
    await scene.database.transaction(dispatcher.claim, cleo, taken, None)
    own = update(tables.queue).where(tables.queue.c.id == scene.queue_id).values(ewt_s=90.5, ewt_error_s=12.0)
    await scene.database.transaction(lambda tx: tx.execute(own))

    clock.now = QUARTER + timedelta(seconds=2)
    assert await keep(scene)
    board = {queue.queue_id: queue for queue in (await scene.database.read(load_board, sue)).queues}
    here = board[scene.queue_id]
    assert here.longest_since is not None
    told = {
        "waiting": float(here.waiting),
        "longest_waiting_s": (clock.now - here.longest_since).total_seconds(),
        "backlog": float(here.numbers.backlog),
        "available_agents": 2.0,
        "ewt_s": 90.5,
        "ewt_error_s": 12.0,
    }
    assert await kept(scene, scene.queue_id) == {QUARTER: told}
    assert (told["waiting"], told["longest_waiting_s"], told["backlog"]) == (2.0, 362.0, 3.0)
    assert await kept(scene, returns) == {
        QUARTER: {"waiting": 0.0, "longest_waiting_s": 0.0, "backlog": 0.0, "available_agents": 1.0}
    }
    # Sue serves two queues and is one: the row of all is no sum.
    of_all = {"waiting": 2.0, "longest_waiting_s": 362.0, "backlog": 3.0, "available_agents": 2.0}
    assert await kept(scene, OF_ALL) == {QUARTER: of_all}


async def test_of_two_processes_one_keeps_a_quarter(scene: Scene, clock: FrozenClock) -> None:
    clock.now = QUARTER
    assert sorted(await asyncio.gather(keep(scene), keep(scene))) == [False, True]
    assert not await scene.database.read(is_due)
    rows = await scene.database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.queue_moment)))
    queues = await scene.database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.queue)))
    assert rows == queues + 1


async def test_a_quarter_at_whose_begin_nobody_was_there_is_a_gap(scene: Scene, clock: FrozenClock) -> None:
    clock.now = QUARTER
    assert await keep(scene)
    # A hub that is started in the midst of the next one would tell of another moment.
    clock.advance(minutes=16)
    assert not await scene.database.read(is_due)
    assert not await keep(scene)
    assert rest_s(scene.database.clock()) == 14 * 60
    clock.advance(minutes=14)
    assert await keep(scene)
    assert list(await kept(scene, OF_ALL)) == [QUARTER, QUARTER + timedelta(minutes=30)]


async def test_a_clock_that_is_set_back_changes_nothing(scene: Scene, clock: FrozenClock) -> None:
    clock.now = QUARTER
    assert await keep(scene)
    await scene.opened(sender="ani")
    clock.advance(minutes=15)
    assert await keep(scene)
    clock.now = QUARTER + timedelta(seconds=1)
    assert not await keep(scene)
    found = await kept(scene, OF_ALL)
    assert [found[at]["backlog"] for at in sorted(found)] == [0.0, 1.0]
