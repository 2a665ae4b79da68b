"""A conversation in Nare's hands, a colleague of hers in the same queue, and a stranger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from hub.agents.viewer import Viewer
from hub.domain.views import DraftView, PlannedView
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database, Tx
from hub.writing import drafts, planned
from hub.writing.drafts import Ending, Words
from hub.writing.posting import Message
from tests.support.clock import FrozenClock
from tests.support.scene import Scene


@dataclass
class Desk:
    scene: Scene
    clock: FrozenClock
    nare: Viewer
    bert: Viewer
    stranger: Viewer
    id: int

    @property
    def database(self) -> Database:
        return self.scene.database

    async def save(
        self, text: str = "", *, by: Viewer | None = None, version: int = 0, writer: str = "page", **more: object
    ) -> DraftView:
        words = Words(text, **more)  # type: ignore[arg-type]
        return await self.database.transaction(
            drafts.save, by or self.nare, self.id, words, expected_version=version, writer=writer
        )

    async def draft(self, of: Viewer | None = None) -> DraftView | None:
        return await self.database.read(drafts.load_of, self.id, (of or self.nare).user_id)

    async def upload(self, by: Viewer | None = None, *, key: str = "aa/00") -> int:
        def insert(tx: Tx) -> int:
            return tx.insert(
                tables.attachment,
                {
                    "uploaded_by": (by or self.nare).user_id,
                    "name": "a.png",
                    "media_type": "image/png",
                    "size_bytes": 3,
                    "file_key": key,
                    "state": "stored",
                    "created_at": tx.now,
                },
            )

        return await self.database.transaction(insert)

    async def plan(
        self,
        text: str = "Good morning!",
        *,
        at: datetime | None = None,
        hold_s: int = 0,
        despite: bool = False,
        ending: Ending | None = None,
        attachment_ids: tuple[int, ...] = (),
    ) -> PlannedView:
        return await self.database.transaction(
            planned.plan,
            self.nare,
            self.id,
            Message(text, attachment_ids),
            head=None,
            segments=None,
            send_at=at,
            hold_s=hold_s,
            despite=despite,
            key=None,
            request_hash="",
            ending=ending,
        )

    async def look(self) -> None:
        """One round of the loop."""
        for planned_id in await self.database.read(planned.find_due):
            await self.database.transaction(planned.post_due, planned_id)
        for planned_id in await self.database.read(planned.find_overtaken):
            await self.database.transaction(planned.stop_overtaken, planned_id)

    async def planned(self, planned_id: int) -> PlannedView:
        return await self.database.read(planned.load_planned, planned_id)

    async def said(self) -> list[str]:
        """What has gone out, in its order."""
        rows = await self.scene.rows(tables.entry, direction="out", kind="message")
        return [row["text"] for row in sorted(rows, key=lambda row: row["id"])]

    async def kinds(self) -> list[str]:
        """Of the events of what is being written."""
        return [event.kind for event in await self.scene.events() if event.kind.startswith(("draft", "planned"))]


@pytest.fixture
async def desk(database: Database, clock: FrozenClock, tmp_path: Path) -> Desk:
    scene = await Scene(database, files_dir=tmp_path / "files").set_up()
    nare, bert = await scene.agent("Nare"), await scene.agent("Bert")
    stranger = await scene.agent("Stranger", queue_ids=set())
    conversation_id = await scene.opened("Hello")
    await database.transaction(dispatcher.claim, nare, conversation_id, None)
    return Desk(scene, clock, nare, bert, stranger, conversation_id)
