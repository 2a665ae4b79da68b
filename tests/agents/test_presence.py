"""Presence under races: a reload closes one socket and opens another at the same moment."""

import asyncio

import pytest

from hub.agents import presence
from hub.store import tables
from hub.store.database import Database, open_database
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def reload_often(database: Database) -> set[object]:
    """Sixty reloads, the old socket's goodbye beside the new one's hello; what `connected` said after each."""
    scene = await Scene(database).set_up()
    user_id = (await scene.agent()).user_id
    seen = set()
    old = f"screen-{user_id}"
    for number in range(60):
        new = f"screen-{number}"
        await asyncio.gather(
            database.transaction(presence.disconnect, old),
            database.transaction(presence.connect, new, user_id, "test", None),
        )
        seen.add((await scene.row(tables.agent))["connected"])
        old = new
    return seen


async def test_whoever_reloads_their_page_is_still_there(database: Database) -> None:
    assert await reload_often(database) == {True}


async def test_without_the_agents_lock_a_reload_loses_agents(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "_lock_agents", lambda tx, user_ids: None)
    database = open_database(postgresql_url)
    assert False in await reload_often(database)
    await database.close()


async def test_a_heartbeat_tells_which_of_its_screens_have_no_row(database: Database) -> None:
    scene = await Scene(database).set_up()
    user_id = (await scene.agent()).user_id
    missing = await database.transaction(presence.beat, "test", [f"screen-{user_id}", "lost"])
    assert missing == ["lost"]
