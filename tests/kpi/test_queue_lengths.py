"""How long queues are: counted from all there is, told when it changes and only then, to supervisors alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta

import pytest

from hub.domain.events import SUPERVISORS
from hub.domain.views import QueueLengthView
from hub.kpi.board import load_board
from hub.kpi.queue_lengths import find_changes, load_lengths, write_changes
from hub.routing import dispatcher
from hub.store.database import Database
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await Scene(database).set_up()


async def look(scene: Scene) -> list[QueueLengthView]:
    """One pass; what it told."""
    changes = await scene.database.read(find_changes)
    await scene.database.transaction(write_changes, changes)
    return changes


async def told(scene: Scene) -> dict[int, QueueLengthView]:
    return {view.queue_id: view for view in await scene.database.read(load_lengths)}


async def announced(scene: Scene) -> Iterable[tuple[int, int]]:
    """(queue, waiting) of every event, in order."""
    events = [event for event in await scene.events() if event.kind == "queue_length.changed"]
    assert {topic for event in events for topic in event.topics} <= {SUPERVISORS}
    lengths = [json.loads(event.body)["length"] for event in events]
    return [(length["queue_id"], length["waiting"]) for length in lengths]


async def test_whatever_moves_work_is_told_and_the_same_is_told_once(scene: Scene, clock: FrozenClock) -> None:
    returns = await scene.queue("Returns")
    agent = await scene.agent("Cleo")
    await look(scene)
    before = set(await announced(scene))
    assert {(scene.queue_id, 0), (returns, 0)} <= before

    since = clock.now
    first = await scene.opened(sender="ani")
    clock.advance(60)
    second = await scene.opened(sender="ben")
    assert len(await look(scene)) == 1
    assert await look(scene) == []
    assert (await told(scene))[scene.queue_id] == QueueLengthView(scene.queue_id, 2, since, 2, version=2)

    await scene.database.transaction(dispatcher.claim, agent, first, None)
    await look(scene)
    now = (await told(scene))[scene.queue_id]
    assert (now.waiting, now.longest_since, now.unresolved) == (1, since + timedelta(seconds=60), 2)

    def pass_on(tx: object) -> None:
        dispatcher.transfer(tx, agent, second, agent_id=None, queue_id=returns, note=None)  # type: ignore[arg-type]

    await scene.database.transaction(pass_on)
    await scene.database.transaction(dispatcher.resolve, agent, first)
    await look(scene)
    lengths = await told(scene)
    assert [(lengths[each].waiting, lengths[each].unresolved) for each in (scene.queue_id, returns)] == [(0, 0), (1, 1)]
    board = await scene.database.read(load_board, await scene.agent("Sue", queue_ids={scene.queue_id, returns}))
    assert {queue.queue_id: queue.waiting for queue in board.queues} == {scene.queue_id: 0, returns: 1}


async def test_of_two_that_count_at_once_the_older_count_is_not_told(scene: Scene) -> None:
    await look(scene)
    await scene.opened(sender="ani")
    older = await scene.database.read(find_changes)
    await scene.opened(sender="ben")
    newer = await scene.database.read(find_changes)
    await scene.database.transaction(write_changes, newer)
    await scene.database.transaction(write_changes, older)
    assert (await told(scene))[scene.queue_id].waiting == 2
    assert [length for length in await announced(scene) if length[0] == scene.queue_id][-1] == (scene.queue_id, 2)
    assert await look(scene) == []


async def test_of_two_that_count_for_the_first_time_one_tells(scene: Scene) -> None:
    first = await scene.database.read(find_changes)
    await scene.database.transaction(write_changes, first)
    await scene.database.transaction(write_changes, first)
    assert len(list(await announced(scene))) == len(first)
