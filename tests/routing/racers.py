"""What one process of a race does, and what is looked for afterwards in what all of them left behind.

Each process runs rounds of the dispatcher beside the storm that makes them necessary: customers write, agents accept,
decline, resolve, hand back and leave, one takes by hand. Its first round stops in its middle, at a barrier that all share:
with the ROUTING lock nobody else can be there, and it goes on after a moment; without it all are, and decide the same twice.
Then each does once what a storm is made of, before chance is left to choose, which may never come to some of it.

`find_violations` reads the stream, whose order is that of the commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy import select

from hub.agents import roster
from hub.agents.viewer import Viewer
from hub.domain.states import AgentState
from hub.errors import HubError
from hub.routing import dispatcher, floor
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.store.stream import Stored
from tests.support.scene import Scene

GRACE_S = 60.0
# Whoever is alone in a round has waited long enough then: with the lock nobody comes. Without it all do, however slowly.
_ALONE_S, _TOGETHER_S = 0.5, 60.0
_ROUNDS, _HANDS, _WRITERS = 12, 25, 8
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Cast:
    """`strict` agents get work by offers alone; the one of `by_hand` takes and is given what they like."""

    queue_id: int
    channel_id: str
    strict: Sequence[Viewer]
    by_hand: Viewer


# Says whether there was something to do it with.
_Act = Callable[[Database, Cast, random.Random], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Barriers:
    """Where all processes meet: before anything, in the middle of the first round, before the storm."""

    start: Barrier
    middle: Barrier
    storm: Barrier


def race(url: str, cast: Cast, number: int, barriers: Barriers, is_locked: bool) -> None:
    """The main function of a process; ends with an error if anything but a refusal happened."""
    if not is_locked:
        Tx.lock_routing = lambda self: None  # type: ignore[method-assign]
    _meet_in_the_first_round(barriers.middle, _ALONE_S if is_locked else _TOGETHER_S)
    barriers.start.wait(_TOGETHER_S)
    try:
        asyncio.run(_race(url, cast, number, barriers.storm))
    finally:
        # Nobody waits for one that stumbled.
        barriers.storm.abort()


def _meet_in_the_first_round(barrier: Barrier, patience_s: float) -> None:
    load, has_met = floor.load_snapshot, threading.Event()

    def load_and_meet(
        tx: Tx, asked: int | None = None, *, whole: bool = False, known: floor.Known | None = None
    ) -> floor.Loaded:
        loaded = load(tx, asked, whole=whole, known=known)
        if not has_met.is_set():
            has_met.set()
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(patience_s)
        return loaded

    floor.load_snapshot = load_and_meet


async def _race(url: str, cast: Cast, number: int, storm: Barrier) -> None:
    database = open_database(url)
    chance = random.Random(number)
    try:
        await database.transaction(dispatcher.dispatch, GRACE_S)
        await _each_once(database, cast, chance)
        with contextlib.suppress(threading.BrokenBarrierError):
            await asyncio.to_thread(storm.wait, _TOGETHER_S)
        await asyncio.gather(
            *(_dispatch(database) for _ in range(2)),
            *(_hands(database, cast, chance) for _ in range(3)),
            _write(database, cast, number),
        )
        await database.transaction(dispatcher.dispatch, GRACE_S)
    finally:
        await database.close()


async def _dispatch(database: Database) -> None:
    known = floor.Known()
    for _ in range(_ROUNDS):
        await database.transaction(dispatcher.dispatch, GRACE_S, None, known)


async def _write(database: Database, cast: Cast, number: int) -> None:
    scene = Scene(database, cast.queue_id, cast.channel_id)
    for count in range(_WRITERS):
        await scene.say(sender=f"new-{number}-{count}", provider_id=f"new-{number}-{count}")


async def _each_once(database: Database, cast: Cast, chance: random.Random) -> None:
    for act in (_decline, _take, _accept, _give):
        await _do_once(act, database, cast, chance)


async def _do_once(act: _Act, database: Database, cast: Cast, chance: random.Random) -> None:
    for _ in range(_TRIES):
        if await _is_done(act, database, cast, chance):
            return
        # What others were faster with comes again with work that is given out and accepted.
        await database.transaction(dispatcher.dispatch, GRACE_S)
        await _is_done(_accept, database, cast, chance)
    raise AssertionError(f"{act.__name__} came to nothing {_TRIES} times")


async def _hands(database: Database, cast: Cast, chance: random.Random) -> None:
    acts = (_accept, _decline, _resolve, _hand_back, _take, _give, _leave)
    for _ in range(_HANDS):
        await _is_done(chance.choices(acts, (17, 3, 6, 2, 4, 2, 2))[0], database, cast, chance)


async def _is_done(act: _Act, database: Database, cast: Cast, chance: random.Random) -> bool:
    # Somebody else was faster: that is what the refusals are for.
    with contextlib.suppress(HubError):
        return await act(database, cast, chance)
    return False


async def _accept(database: Database, cast: Cast, chance: random.Random) -> bool:
    return await _answer(database, cast, chance, dispatcher.accept_offer)


async def _decline(database: Database, cast: Cast, chance: random.Random) -> bool:
    return await _answer(database, cast, chance, dispatcher.decline_offer)


async def _answer(database: Database, cast: Cast, chance: random.Random, work: Callable[..., object]) -> bool:
    o = tables.offer.c
    rows = await database.read(lambda tx: tx.rows(select(o.id, o.agent_id).where(o.ended_at.is_(None))))
    if not rows:
        return False
    row = chance.choice(rows)
    agent = next(each for each in (*cast.strict, cast.by_hand) if each.user_id == row.agent_id)
    await database.transaction(work, agent, row.id)
    return True


async def _held_by(database: Database, agent: Viewer, chance: random.Random) -> int | None:
    c = tables.conversation.c
    rows = await database.read(lambda tx: tx.rows(select(c.id).where(c.assignee_id == agent.user_id)))
    return int(chance.choice(rows).id) if rows else None


async def _resolve(database: Database, cast: Cast, chance: random.Random) -> bool:
    agent = chance.choice((*cast.strict, cast.by_hand))
    held = await _held_by(database, agent, chance)
    if held is not None:
        await database.transaction(dispatcher.resolve, agent, held)
    return held is not None


async def _hand_back(database: Database, cast: Cast, chance: random.Random) -> bool:
    agent = chance.choice(cast.strict)
    held = await _held_by(database, agent, chance)
    if held is not None:
        await database.transaction(dispatcher.release, agent, held)
    return held is not None


async def _take(database: Database, cast: Cast, chance: random.Random) -> bool:
    c = tables.conversation.c
    rows = await database.read(lambda tx: tx.rows(select(c.id).where(c.queued_since.is_not(None))))
    if rows:
        await database.transaction(dispatcher.claim, cast.by_hand, chance.choice(rows).id, None)
    return bool(rows)


async def _give(database: Database, cast: Cast, chance: random.Random) -> bool:
    agent = chance.choice(cast.strict)
    held = await _held_by(database, agent, chance)
    if held is not None:
        target = cast.by_hand.user_id
        await database.transaction(dispatcher.transfer, agent, held, agent_id=target, queue_id=None, note=None)
    return held is not None


async def _leave(database: Database, cast: Cast, chance: random.Random) -> bool:
    agent = chance.choice(cast.strict)
    await database.transaction(dispatcher.sign_out, agent.user_id)
    await database.transaction(roster.change_agent_state, agent.user_id, AgentState.AVAILABLE)
    return True


# --- afterwards ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Work:
    since: datetime | None
    assignee_id: int | None = None
    ringing_at: int | None = None
    # Who declined it: for the length of a race they are left alone with it.
    excluded: set[int] = field(default_factory=set)


def find_violations(events: Sequence[Stored], laid: Collection[int], strict: Collection[int]) -> list[str]:
    """What must never be, in words. `laid`: overdue work that was there before; of other work the snapshot of a round may
    have been a moment older than its arrival in the stream."""
    work: dict[int, _Work] = {}
    found: list[str] = []
    for event in events:
        body = json.loads(event.body)
        if event.kind == "offer.made":
            found += _made(work, body["offer"], laid)
        elif event.kind == "offer.ended":
            offer = body["offer"]
            item = work[offer["conversation_id"]]
            item.ringing_at = None
            if offer["outcome"] in ("declined", "no_answer"):
                item.excluded.add(offer["agent_id"])
        elif event.kind in ("entry.added", "conversation.changed"):
            found += _changed(work, body["conversation"], body.get("entry") or {})
        elif event.kind == "agent.changed":
            agent = body["agent"]
            if agent["user_id"] in strict and agent["load"] > agent["capacity"]:
                found.append(f"agent {agent['user_id']} has {agent['load']} of {agent['capacity']}")
    return found


def _made(work: dict[int, _Work], offer: dict[str, Any], laid: Collection[int]) -> list[str]:
    found = []
    item, agent_id = work[offer["conversation_id"]], offer["agent_id"]
    if item.ringing_at is not None:
        found.append(f"work {offer['conversation_id']} rings at two")
    if any(each.ringing_at == agent_id for each in work.values()):
        found.append(f"two offers ring at agent {agent_id}")
    if item.since is None:
        found.append(f"work {offer['conversation_id']} is offered and does not wait")
    for older_id in laid:
        older = work[older_id]
        waits = older.since is not None and older.ringing_at is None and agent_id not in older.excluded
        if waits and older.since is not None and item.since is not None and older.since < item.since:
            found.append(f"work {offer['conversation_id']} overtakes {older_id}")
    item.ringing_at = agent_id
    return found


def _changed(work: dict[int, _Work], view: dict[str, Any], entry: dict[str, Any]) -> list[str]:
    item = work.setdefault(view["id"], _Work(None))
    found = []
    if entry.get("happening") in ("accepted", "claimed") and item.assignee_id is not None:
        found.append(f"work {view['id']} is taken from {item.assignee_id} unseen")
    item.since = datetime.fromisoformat(view["queued_since"]) if view["queued_since"] else None
    item.assignee_id = view["assignee_id"]
    return found
