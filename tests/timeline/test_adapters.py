"""Adapters are remade when their account was changed, and nobody gets the old one after that."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.store import tables
from hub.store.database import open_database
from hub.store.vault import Vault
from hub.timeline import adapters
from hub.timeline.adapters import Adapters
from tests.support.running_hub import SECRET_KEY
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene(sqlite_url: str) -> AsyncIterator[Scene]:
    # Its reads run in threads, which can be made to wait.
    database = open_database(sqlite_url)
    yield await Scene(database).set_up()
    await database.close()


async def test_whoever_asks_while_a_changed_account_is_read_gets_the_new_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, may_read = adapters._load_account, threading.Event()

    def wait_and_load(*args: Any) -> Any:
        may_read.wait(5)
        return load(*args)

    await scene.set(tables.channel, {"secrets": Vault(SECRET_KEY).seal({})})
    live = Adapters(scene.database, Vault(SECRET_KEY), "http://127.0.0.1:9")
    before = await live.get("loop")
    await scene.set(tables.channel, {"settings": {"changed": "yes"}})
    await live.reload("loop")
    monkeypatch.setattr(adapters, "_load_account", wait_and_load)
    first = asyncio.create_task(live.get("loop"))
    await asyncio.sleep(0)
    second = asyncio.create_task(live.get("loop"))
    await asyncio.sleep(0)
    may_read.set()
    assert (await first).account.settings == (await second).account.settings == {"changed": "yes"}
    assert before.account.settings == {}
    assert await live.get("loop") is await live.get("loop")
    await live.close()
