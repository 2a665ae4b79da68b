"""Presence under races: a reload closes one socket and opens another at the same moment."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from hub.agents import presence
from hub.store import tables
from hub.store.database import Database, open_database
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def reloads(database: Database, number: int) -> AsyncIterator[object]:
    """Reloads of one page, the old socket's goodbye beside the new one's hello; what `connected` says after each."""
    scene = await Scene(database).set_up()
    user_id = (await scene.agent()).user_id
    old = f"screen-{user_id}"
    for count in range(number):
        new = f"screen after reload {count}"
        await asyncio.gather(
            database.transaction(presence.disconnect, old),
            database.transaction(presence.connect, new, user_id, "test", None),
        )
        yield (await scene.row(tables.agent))["connected"]
        old = new


async def test_whoever_reloads_their_page_is_still_there(database: Database) -> None:
    assert {connected async for connected in reloads(database, 40)} == {True}


async def test_without_the_agents_lock_a_reload_loses_agents(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "_lock_agents", lambda tx, user_ids: None)
    database = open_database(postgresql_url)
    seen = {True}
    async for connected in reloads(database, 500):
        seen.add(bool(connected))
        if False in seen:
            break
    await database.close()
    assert False in seen


async def test_a_heartbeat_tells_which_of_its_screens_have_no_row(database: Database) -> None:
    scene = await Scene(database).set_up()
    user_id = (await scene.agent()).user_id
    missing = await database.transaction(presence.beat, "test", [f"screen-{user_id}", "lost"])
    assert missing == ["lost"]


async def test_a_process_that_was_silent_for_too_long_learns_it_when_it_speaks_again(
    database: Database, clock: FrozenClock
) -> None:
    silence = timedelta(seconds=15)

    async def speak(process: str) -> bool:
        return await database.transaction(presence.say_alive, process, silence)

    assert [await speak("a"), await speak("a"), await speak("b")] == [False, True, False]
    clock.advance(15)
    assert await speak("a")
    clock.advance(1)
    assert await database.read(presence.find_living, silence) == {"a"}
    assert [await speak("b"), await speak("b")] == [False, True]
    assert await database.read(presence.find_living, silence) == {"a", "b"}
