"""Ladders for tests: a policy for a queue, its steps in a few words, and a round of firing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from hub.routing import clocks, ladder, policies
from hub.store import tables
from hub.store.database import Tx
from tests.support.scene import Scene

Json = dict[str, Any]


def step(name: str, clock: str, after_s: float, *actions: Json, **more: Any) -> Json:
    """Tags the conversation with the step's name if nothing else is asked for."""
    return {
        "id": name,
        "clock": clock,
        "after_s": after_s,
        "actions": list(actions) or [{"kind": "tag", "name": name}],
        **more,
    }


async def put_policy(scene: Scene, given: Json, *, name: str = "Ladder", queue_id: int | None = 0) -> int:
    """Makes it and gives it to a queue: the scene's (0), another, or none."""

    def write(tx: Tx) -> int:
        policy = policies.create_policy(tx, name, given)
        target = queue_id or scene.queue_id
        if queue_id is not None:
            tx.execute(update(tables.queue).where(tables.queue.c.id == target).values(policy_id=policy.id))
        return policy.id

    return await scene.database.transaction(write)


async def catch_up(scene: Scene) -> None:
    """What the loop does when it is woken by "clocks"."""
    while stale := await scene.database.read(clocks.find_stale, 100):
        await scene.database.transaction(ladder.keep_stale, stale)


async def fire(scene: Scene) -> int:
    """What the loop does when a step is due; how many transactions it took."""
    count = 0
    while await scene.database.transaction(ladder.fire_due):
        count += 1
    return count
