"""Files of notes, once they are written: found by their names, with their note wherever it goes, and never swept."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text as sql

from hub.app import _sweep_uploads
from hub.domain.values import AuthorKind, Direction, EntryKind
from hub.domain.views import Author
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, joining, search
from hub.timeline.search import Filters, HitKind
from hub.timeline.search_index import index_step
from tests.writing.conftest import Desk

pytestmark = pytest.mark.anyio


async def noted(desk: Desk, conversation_id: int, file_id: int, text: str = "") -> int:
    """Nare's note with this file; its id."""

    def write(tx: Tx) -> int:
        entry, _ = conversations.add_entry(
            tx,
            conversations.lock_conversation(tx, conversation_id),
            kind=EntryKind.NOTE,
            direction=Direction.INTERNAL,
            author=Author(AuthorKind.AGENT, desk.nare.name, desk.nare.user_id),
            text=text,
            attachment_ids=(file_id,),
        )
        return entry.id

    return await desk.database.transaction(write)


async def named(desk: Desk, file_id: int, name: str) -> int:
    await desk.scene.set(tables.attachment, {"name": name}, id=file_id)
    return file_id


async def test_a_note_is_found_by_the_name_of_its_file_by_those_who_see_it(desk: Desk) -> None:
    file_id = await named(desk, await desk.upload(), "samovar-plan.png")
    entry_id = await noted(desk, desk.id, file_id)
    while any(await index_step(desk.database)):
        pass
    found = await desk.database.read(search.search, desk.nare, "samovar", Filters(), cursor=None, limit=50)
    assert [(hit.kind, hit.entry_id) for hit in found.hits] == [(HitKind.NOTE, entry_id)]
    found = await desk.database.read(search.search, desk.stranger, "samovar", Filters(), cursor=None, limit=50)
    assert found.hits == []


async def test_files_of_a_note_go_along_when_conversations_are_merged_and_parted(desk: Desk) -> None:
    await desk.scene.channel("second", "loopback")
    other = await desk.scene.opened("Second", sender="ani", channel_id="second")
    file_id = await desk.upload()
    entry_id = await noted(desk, other, file_id, "See the plan")
    merges, _ = await desk.database.transaction(joining.merge, desk.nare, desk.id, (other,))
    (row,) = await desk.scene.rows(tables.entry, kind="note")
    assert (row["id"], row["conversation_id"]) == (entry_id, desk.id)
    files = await desk.database.read(conversations.load_attachments, [entry_id])
    assert [each.id for each in files[entry_id]] == [file_id]
    await desk.database.transaction(joining.undo, desk.nare, merges[0].id)
    (row,) = await desk.scene.rows(tables.entry, kind="note")
    assert row["conversation_id"] == other
    files = await desk.database.read(conversations.load_attachments, [entry_id])
    assert [each.id for each in files[entry_id]] == [file_id]


async def test_what_a_note_has_is_kept_and_what_no_note_got_is_swept(desk: Desk) -> None:
    kept, begun, forgotten = [await desk.upload(key=f"aa/{each}") for each in ("kept", "begun", "forgotten")]
    await noted(desk, desk.id, kept)
    view = await desk.save("", note="Not yet", note_attachment_ids=(begun,))
    desk.clock.advance(timedelta(days=2).total_seconds())
    assert await desk.database.transaction(_sweep_uploads) == ["aa/forgotten"]
    assert {row["id"] for row in await desk.scene.rows(tables.attachment)} == {kept, begun}
    assert forgotten not in {kept, begun}
    await desk.save("", version=view.version)
    desk.clock.advance(timedelta(days=2).total_seconds())
    assert await desk.database.transaction(_sweep_uploads) == ["aa/begun"]
    assert {row["id"] for row in await desk.scene.rows(tables.attachment)} == {kept}


_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_what_a_note_is_just_getting_is_not_swept(desk: Desk, database_url: str) -> None:
    """Whoever sweeps looked before the note was there, and waits for it to be written."""
    if not database_url.startswith("postgresql"):
        pytest.skip("SQLite has one writer")
    file_id = await desk.upload(key="aa/late")
    entry_id = await noted(desk, desk.id, await desk.upload(key="aa/other"))
    desk.clock.advance(timedelta(days=2).total_seconds())
    writer = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        writing = writer.transaction()
        await writing.start()
        await writer.execute("UPDATE attachment SET entry_id = $1 WHERE id = $2", entry_id, file_id)
        sweeping = asyncio.create_task(desk.database.transaction(_sweep_uploads))
        for _ in range(200):
            if await desk.database.read(lambda tx: tx.scalar(sql(_BLOCKED))):
                break
            await asyncio.sleep(0.02)
        await writing.commit()
        assert await sweeping == []
    finally:
        await writer.close()
    assert file_id in {row["id"] for row in await desk.scene.rows(tables.attachment)}
