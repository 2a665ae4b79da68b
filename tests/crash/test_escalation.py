"""`kill -9` while steps of escalation policies fire: none is lost, none is done twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select, update

from hub.routing import policies
from hub.store import tables
from hub.store.database import Tx
from tests.crash.test_inbound import Provider, Text
from tests.crash.world import World, running_world

pytestmark = pytest.mark.anyio

CUSTOMERS = 120
STEPS = {"first": 0.2, "second": 0.6, "third": 1.0}
PATIENCE_S = 60
LOOK_EVERY_S = 0.05


def _lay_ladder(tx: Tx) -> None:
    steps = [
        {"id": name, "clock": "waiting", "after_s": after_s, "actions": [{"kind": "notify_role", "role": "agent"}]}
        for name, after_s in STEPS.items()
    ]
    made = policies.create_policy(tx, "Ladder", {"steps": steps})
    tx.execute(update(tables.queue).values(policy_id=made.id))


def _count(tx: Tx) -> int:
    return len(tx.rows(select(tables.escalation_fired.c.step_id)))


async def until_fired(world: World, count: int) -> None:
    """The hub is another process: there is nothing to be told by."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await world.database.read(_count) >= count:
                return
            await asyncio.sleep(LOOK_EVERY_S)


@pytest.mark.parametrize(("kind", "seed"), [("sqlite", 21), ("postgresql", 22)])
async def test_every_step_fires_exactly_once_through_kills(
    kind: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    wanted = CUSTOMERS * len(STEPS)
    texts = [Text(f"SM{n:032x}", f"+4477009{n:05d}", f"text {n:04d}") for n in range(CUSTOMERS)]
    async with running_world(request.getfixturevalue(f"{kind}_url"), tmp_path, agents=1) as world:
        await world.database.transaction(_lay_ladder)
        await world.start()
        provider = Provider(f"{world.hub.url}/webhooks/sms/message", texts, chance)
        delivering = asyncio.create_task(provider.deliver_all())
        for count in sorted(chance.sample(range(10, wanted - 60), 2)):
            await until_fired(world, count)
            await world.kill_and_restart()
        await delivering
        await until_fired(world, wanted)
        await world.kill()
        await world.database.read(_check)


def _check(tx: Tx) -> None:
    f, e, a, c = (t.c for t in (tables.escalation_fired, tables.entry, tables.alert, tables.conversation))
    fired = Counter((row.conversation_id, row.step_id) for row in tx.rows(select(f.conversation_id, f.step_id)))
    told = tx.rows(select(e.conversation_id, e.data).where(e.happening == "escalated"))
    raised = tx.rows(select(a.conversation_id, a.data))
    assert set(fired.values()) == {1}
    assert len(fired) == CUSTOMERS * len(STEPS)
    assert Counter((row.conversation_id, row.data["step"]) for row in told) == fired
    assert Counter((row.conversation_id, row.data["step"]) for row in raised) == fired
    assert {(row.escalated, row.next_step_at) for row in tx.rows(select(c.escalated, c.next_step_at))} == {(3, None)}
