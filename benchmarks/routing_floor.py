"""The other half of `hub bench routing`: a whole round of the dispatcher, from the tables to the committed offers.

500 agents, all available and full with texts, mails and chats; 50 skills, 20 queues; 10,000 conversations wait. Each agent is
a member of five queues and has five skills and two languages; one queue in two requires a skill, one in three wishes the
customer's language, one in four the last agent, one in two overflows into another. Then, again and again, an agent resolves a
piece of work and one round is timed (wall clock, from the call until the offers are committed), the offers are accepted, and
the next round is timed, too: it mostly finds a full floor. Last, a hundred agents become free at one instant. Both databases
wait for the disk at every commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import select

from benchmarks.postgres import run_durable_postgres
from benchmarks.report import Plan, median, percentile
from hub.agents.viewer import Viewer
from hub.app import SWITCH_INTERVAL_S
from hub.domain.values import ChannelKind, Role
from hub.routing import dispatcher, floor
from hub.routing.engine import WEIGHTS
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.store.migrate import migrate
from tests.support.postgres import PostgresUnavailableError

_AGENTS, _SKILLS, _QUEUES, _WAITING = 500, 50, 20, 10_000
_KINDS = (ChannelKind.SMS, ChannelKind.EMAIL, ChannelKind.CHAT)
_LANGUAGES = ("hy", "ka", "ru", "en")
_GRACE_S = 15.0
# A p99 of fewer rounds is little more than the slowest of them.
_ROUNDS, _QUICK_ROUNDS = 500, 200
# So many agents become free at the same instant: a floor that comes back from a meeting.
_CROWD, _CROWD_ROUNDS, _QUICK_CROWD_ROUNDS = 100, 30, 5


@dataclass(slots=True)
class Times:
    """Milliseconds of rounds on one database; `offers` were made in those of `with_offers`."""

    database: str
    with_offers: list[float] = field(default_factory=list)
    # Of the same rounds, what they took of this process's cores: what they would take on a machine without other work.
    worked: list[float] = field(default_factory=list)
    without: list[float] = field(default_factory=list)
    offers: int = 0
    # Rounds in which a whole crowd is free.
    crowd: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        times = sorted(self.with_offers)
        return {
            "p50_ms": round(median(times), 1),
            "p99_ms": round(percentile(times, 0.99), 1),
            "decisions_per_s": round(self.offers / sum(times) * 1_000),
        }


def measure(plan: Plan) -> list[Times]:
    """On SQLite, and on PostgreSQL where it can be run."""
    return asyncio.run(_measure(plan))


async def _measure(plan: Plan) -> list[Times]:
    rounds, crowds = (_QUICK_ROUNDS, _QUICK_CROWD_ROUNDS) if plan.quick else (_ROUNDS, _CROWD_ROUNDS)
    found = []
    async with _sqlite() as database:
        found.append(await _time_rounds("SQLite", database, rounds, crowds))
    with contextlib.suppress(PostgresUnavailableError):
        async with _postgresql() as database:
            found.append(await _time_rounds("PostgreSQL", database, rounds, crowds))
    return found


@contextlib.asynccontextmanager
async def _sqlite() -> AsyncIterator[Database]:
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        async with _opened(f"sqlite:///{Path(folder) / 'hub.db'}") as database:
            yield database


@contextlib.asynccontextmanager
async def _postgresql() -> AsyncIterator[Database]:
    with run_durable_postgres() as server:
        async with _opened(server.create_database()) as database:
            await database.transaction(lambda tx: tx.connection.exec_driver_sql("ANALYZE"))
            yield database


@contextlib.asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    await migrate(url)
    database = open_database(url)
    try:
        await database.transaction(_lay_floor)
        yield database
    finally:
        await database.close()


async def _time_rounds(name: str, database: Database, rounds: int, crowds: int) -> Times:
    # As a process of the hub has it (hub.app).
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    times = Times(name)
    chance = random.Random(1)
    known = floor.Known()
    await _round(database, Times(name), known)
    while len(times.with_offers) < rounds:
        agent_id, conversation_id = await database.read(_pick_held, chance)
        await database.transaction(dispatcher.resolve, _viewer(agent_id), conversation_id)
        while await _round(database, times, known):
            pass
    for _ in range(crowds):
        for agent_id in chance.sample(range(1, _AGENTS + 1), _CROWD):
            held = await database.read(_pick_held_by, agent_id)
            await database.transaction(dispatcher.resolve, _viewer(agent_id), held)
        crowd = Times(name)
        await _round(database, crowd, known)
        times.crowd += crowd.with_offers
        while await _round(database, crowd, known):
            pass
    return times


async def _round(database: Database, times: Times, known: floor.Known) -> int:
    """One timed round; its offers are accepted. Returns how many there were."""
    begun, begun_work = perf_counter(), process_time()
    await database.transaction(dispatcher.dispatch, _GRACE_S, None, known)
    taken_ms, worked_ms = (perf_counter() - begun) * 1_000, (process_time() - begun_work) * 1_000
    offers = await database.read(_load_offers)
    (times.with_offers if offers else times.without).append(taken_ms)
    if offers:
        times.worked.append(worked_ms)
    times.offers += len(offers)
    for offer_id, agent_id in offers:
        await database.transaction(dispatcher.accept_offer, _viewer(agent_id), offer_id)
    return len(offers)


def _viewer(agent_id: int) -> Viewer:
    return Viewer(agent_id, Role.AGENT, f"Agent {agent_id}", "en", frozenset())


def _load_offers(tx: Tx) -> list[tuple[int, int]]:
    o = tables.offer.c
    return [(row.id, row.agent_id) for row in tx.rows(select(o.id, o.agent_id).where(o.ended_at.is_(None)))]


def _pick_held(tx: Tx, chance: random.Random) -> tuple[int, int]:
    agent_id = chance.randint(1, _AGENTS)
    return agent_id, _pick_held_by(tx, agent_id)


def _pick_held_by(tx: Tx, agent_id: int) -> int:
    a = tables.assignment.c
    found = tx.scalar(select(a.conversation_id).where(a.ended_at.is_(None), a.agent_id == agent_id).limit(1))
    assert found is not None
    return int(found)


# --- the floor ----------------------------------------------------------------------------------------------------------


def _lay_floor(tx: Tx) -> None:
    chance = random.Random(2)
    skills = tx.insert_many(
        tables.skill,
        [
            {"name": name, "folded_name": name, "created_at": tx.now}
            for name in (*(f"skill {n}" for n in range(_SKILLS)), *(f"language:{each}" for each in _LANGUAGES))
        ],
    )
    queues = tx.insert_many(tables.queue, [_queue(number) for number in range(_QUEUES)])
    tx.insert_new(
        tables.queue_skill,
        [
            {"queue_id": queue_id, "skill_id": skills[chance.randrange(_SKILLS)], "level": chance.randint(1, 3)}
            for queue_id in queues[::2]
        ],
    )
    agents = _lay_agents(tx, chance, skills, queues)
    channels: list[dict[str, Any]] = [
        {
            "id": f"{kind}-{queue_id}",
            "kind": kind.value,
            "name": "Bench",
            "queue_id": queue_id,
            "settings": {},
            "secrets": "",
            "health_since": tx.now,
        }
        for kind in _KINDS
        for queue_id in queues
    ]
    tx.insert_new(tables.channel, channels)
    _lay_work(tx, chance, queues, agents)


def _queue(number: int) -> dict[str, Any]:
    return {
        "name": f"Queue {number}",
        "language_wish_s": 120 if number % 3 == 0 else None,
        "last_agent_days": 30 if number % 4 == 0 else None,
        "last_agent_wish_s": 60 if number % 4 == 0 else None,
        "overflow": [{"queue_ids": [(number + 1) % _QUEUES + 1], "after_s": 600}] if number % 2 else [],
    }


def _lay_agents(tx: Tx, chance: random.Random, skills: Sequence[int], queues: Sequence[int]) -> list[int]:
    agents = tx.insert_many(
        tables.user_account,
        [
            {
                "email": f"agent{number}@bench.test",
                "name": f"Agent {number}",
                "role": Role.AGENT.value,
                "password_hash": "",
                "created_at": tx.now,
            }
            for number in range(_AGENTS)
        ],
    )
    tx.insert_new(
        tables.agent,
        [
            {
                "user_id": agent_id,
                "state": "available",
                "state_since": tx.now,
                "idle_since": tx.now - timedelta(seconds=chance.uniform(0, 600)),
                "connected": True,
            }
            for agent_id in agents
        ],
    )
    tx.insert_new(
        tables.queue_member,
        [
            {"queue_id": queue_id, "user_id": agent_id}
            for agent_id in agents
            for queue_id in chance.sample(list(queues), 5)
        ],
    )
    tx.insert_new(
        tables.agent_skill,
        [
            {"user_id": agent_id, "skill_id": skill_id, "level": chance.randint(1, 5)}
            for agent_id in agents
            for skill_id in (*chance.sample(list(skills[:_SKILLS]), 5), *chance.sample(list(skills[_SKILLS:]), 2))
        ],
    )
    return agents


def _lay_work(tx: Tx, chance: random.Random, queues: Sequence[int], agents: Sequence[int]) -> None:
    """What waits, and as much held work as fills everybody."""
    held: list[tuple[int, ChannelKind]] = []
    for agent_id in agents:
        left = 100
        while fitting := [kind for kind in _KINDS if WEIGHTS[kind] <= left]:
            kind = chance.choice(fitting)
            held.append((agent_id, kind))
            left -= WEIGHTS[kind]
    owners: list[tuple[int | None, ChannelKind]] = [*held, *((None, chance.choice(_KINDS)) for _ in range(_WAITING))]
    customers = tx.insert_many(
        tables.customer,
        [
            {
                "name": f"Customer {number}",
                "language": chance.choice((*_LANGUAGES, None)),
                "tier": chance.choice((0, 0, 0, 1)),
                "created_at": tx.now,
            }
            for number in range(len(owners))
        ],
    )
    points = tx.insert_many(
        tables.contact_point,
        [
            {"customer_id": customer_id, "kind": "phone", "address": f"+{customer_id}", "created_at": tx.now}
            for customer_id in customers
        ],
    )
    rows = []
    for customer_id, point_id, (owner_id, kind) in zip(customers, points, owners, strict=True):
        queue_id = chance.choice(queues)
        since = tx.now - timedelta(seconds=chance.uniform(0, 4_000))
        rows.append(
            {
                "customer_id": customer_id,
                "contact_point_id": point_id,
                "channel_id": f"{kind}-{queue_id}",
                "queue_id": queue_id,
                "assignee_id": owner_id,
                "assigned_at": since if owner_id else None,
                "queued_since": None if owner_id else since,
                "priority": chance.choice((0, 0, 0, 5, 30)),
                "created_at": since,
                "last_entry_at": since,
            }
        )
    conversations = tx.insert_many(tables.conversation, rows)
    tx.insert_many(
        tables.assignment,
        [
            {
                "conversation_id": conversation_id,
                "agent_id": owner_id,
                "assigned_at": tx.now,
                "how": "offer",
                "weight": WEIGHTS[kind],
            }
            for conversation_id, (owner_id, kind) in zip(conversations, owners, strict=True)
            if owner_id is not None
        ],
    )
