"""`kill -9` in the middle of an import: it goes on by itself, nobody is there twice and nobody is missing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.customer_files import imports
from hub.customer_files.reading import examine
from hub.store import tables
from hub.store.database import Tx
from hub.store.files import Files
from tests.crash.world import World, running_world

pytestmark = pytest.mark.anyio

PATIENCE_S = 90
PEOPLE = 6_000
# So many lines cannot be taken; every one of them must be found once.
SPOILT = 40


def people() -> bytes:
    lines = ["Name,Phone,Email,Customer ID"]
    for number in range(PEOPLE):
        phone = "12" if number % (PEOPLE // SPOILT) == 7 else f"+3749{number:07}"
        lines.append(f"Person {number},{phone},p{number}@example.com,C-{number}")
    return "\n".join(lines).encode()


async def upload_and_start(world: World, files_dir: Path) -> int:
    raw = people()
    key = Files(files_dir).write(raw)

    def work(tx: Tx) -> int:
        import_id = imports.create_import(
            tx, None, examine(lambda: [raw]), file_name="people.csv", file_key=key, size_bytes=len(raw)
        )
        imports.start(tx, None, import_id)
        return import_id

    return await world.database.transaction(work)


async def until_done(world: World, import_id: int, count: int) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            row = await world.database.read(imports.load_import, import_id)
            if row.done >= count or row.state == "done":
                return row
            await asyncio.sleep(0.02)  # asks the database


def count_all(tx: Tx) -> dict[str, int]:
    found = (tables.customer, tables.contact_point, tables.customer_reference, tables.customer_import_line)
    return {table.name: int(tx.scalar(select(func.count()).select_from(table)) or 0) for table in found}


async def test_a_killed_import_goes_on_where_its_last_batch_ended(sqlite_url: str, tmp_path: Path) -> None:
    async with running_world(sqlite_url, tmp_path) as world:
        import_id = await upload_and_start(world, world.hub.data_dir / "files")
        await world.start()
        seen = []
        for share in (0.3,):
            seen.append((await until_done(world, import_id, int(PEOPLE * share))).done)
            await world.kill()
            await world.start()
        assert seen[-1] < PEOPLE, "it was killed in the middle"
        row = await until_done(world, import_id, PEOPLE)
        async with asyncio.timeout(PATIENCE_S):
            while row.state != "done":
                row = await world.database.read(imports.load_import, import_id)
                await asyncio.sleep(0.02)
        good = PEOPLE - SPOILT
        assert (row.done, row.made, row.changed, row.same, row.refused) == (PEOPLE, good, 0, 0, SPOILT)
        assert await world.database.read(count_all) == {
            "customer": good,
            "contact_point": 2 * good,
            "customer_reference": good,
            "customer_import_line": SPOILT,
        }
