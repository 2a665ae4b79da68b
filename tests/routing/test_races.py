"""Several processes give out work at once, in a storm: nobody is given too much, nothing to two, nothing out of turn.

The same race without the ROUTING lock (and without the indexes that are its backstop) must be found out.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from hub.agents.queues import QueueSettings, update_queue
from hub.store import tables
from hub.store.database import Tx, open_database
from hub.timeline import conversations
from tests.routing.racers import Barriers, Cast, find_violations, race
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

_LAID = 18
# Two texts each.
_CAPACITY = 40
_DEAD_S = 60.0


async def lay(scene: Scene) -> tuple[Cast, list[int]]:
    """Work that is overdue, each a second older than the next, and agents for some of it."""
    # Whoever declines is left alone with it for as long as the race takes.
    settings = QueueSettings(max_wait_s=1, exclusion_s=3_600, offer_timeout_s=900, miss_limit=100)
    await scene.database.transaction(update_queue, scene.queue_id, settings)
    laid = [await scene.opened(sender=f"laid-{number}") for number in range(_LAID)]
    started = datetime.now(UTC) - timedelta(seconds=500)

    def age(tx: Tx) -> None:
        for number, conversation_id in enumerate(laid):
            since = started + timedelta(seconds=number)
            changed = update(tables.conversation).where(tables.conversation.c.id == conversation_id)
            tx.execute(changed.values(queued_since=since, unanswered_since=since))
            conversations.emit_conversation(tx, conversations.load_conversation(tx, conversation_id))

    await scene.database.transaction(age)
    strict = [await scene.agent(capacity=_CAPACITY) for _ in range(4)]
    by_hand = await scene.agent(capacity=_CAPACITY)
    return Cast(scene.queue_id, scene.channel_id, strict, by_hand), laid


async def run(url: str, cast: Cast, processes: int, *, is_locked: bool = True) -> list[int | None]:
    """The exit codes of so many processes that raced."""
    context = multiprocessing.get_context("spawn")
    barriers = Barriers(*(context.Barrier(processes) for _ in range(3)))
    racers = [
        context.Process(target=race, args=(url, cast, number, barriers, is_locked), daemon=True)
        for number in range(processes)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        await asyncio.to_thread(racer.join, _DEAD_S)
    return [racer.exitcode for racer in racers]


async def look(scene: Scene, cast: Cast, laid: list[int]) -> list[str]:
    """What was found in the stream, and in the tables at the end."""
    rows = await scene.rows(tables.conversation)
    found = find_violations(await scene.events(), laid, {agent.user_id for agent in cast.strict})
    held = await scene.rows(tables.assignment, ended_at=None)
    for conversation_id, count in Counter(row["conversation_id"] for row in held).items():
        if count > 1:
            found.append(f"work {conversation_id} is held twice")
    holders = {row["conversation_id"]: row["agent_id"] for row in held}
    for row in rows:
        if row["status"] == "open" and (row["assignee_id"], row["queued_since"]) == (None, None):
            found.append(f"work {row['id']} is nobody's")
        if row["assignee_id"] != holders.get(row["id"]):
            found.append(f"work {row['id']} is held by another than it says")
    return found


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    """Of the time that is: the processes have no other."""
    database = open_database(database_url)
    yield await Scene(database).set_up()
    await database.close()


async def test_processes_that_race_break_no_promise(scene: Scene, database_url: str) -> None:
    cast, laid = await lay(scene)
    processes = 3 if scene.database.is_postgresql else 2
    assert await run(database_url, cast, processes) == [0] * processes
    assert await look(scene, cast, laid) == []
    outcomes = Counter(row["outcome"] for row in await scene.rows(tables.offer))
    ways = Counter(row["how"] for row in await scene.rows(tables.assignment))
    assert min(outcomes["accepted"], outcomes["declined"], ways["claim"], ways["transfer"]) > 0, "it was no storm"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_without_the_lock_the_same_race_breaks_them(scene: Scene, database_url: str) -> None:
    """On SQLite there is nothing to take away: a transaction that writes is alone."""
    cast, laid = await lay(scene)

    def take_away(tx: Tx) -> None:
        for name in ("uq_offer_one_live_per_conversation", "uq_assignment_one_live_per_conversation"):
            tx.connection.exec_driver_sql(f"DROP INDEX {name}")

    await scene.database.transaction(take_away)
    # Some of them stumble over what should not be.
    await run(database_url, cast, 3, is_locked=False)
    found = await look(scene, cast, laid)
    assert any("rings at two" in each for each in found), found
    assert any("two offers ring" in each for each in found), found
