"""Fetching the files that came with messages: after the commit, with retries, into the file store.

A provider keeps them until the adapter has fetched them; a mail's files lie in the mail, which the hub has already.
The entry shows a file as "on its way" from the start; it changes to stored, or to failed with a reason.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update

from hub.channels.channel import Fetched, Media
from hub.domain.states import AttachmentState
from hub.errors import DatabaseAway, HubError, NotFound, Refused
from hub.mail.parse import MailUnreadable, extract_part
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.files import Files
from hub.store.stream import Wakes
from hub.timeline import conversations
from hub.timeline.adapters import Adapters

log = logging.getLogger(__name__)

_a = tables.attachment.c

_CLAIM_LIMIT = 8
# While one process fetches a file no other takes it up; a process that died leaves it after this.
_LEASE = timedelta(minutes=2)
_ATTEMPT_TIMEOUT_S = 60.0
# Twilio keeps media for long, but a file that has not come after so many tries over about an hour will not come.
_ATTEMPT_LIMIT = 10
_BACKOFF_BASE_S = 2.0
_LOOK_EVERY_S = 30.0


def claim(tx: Tx) -> list[Row[Any]]:
    """Files to fetch now; each is leased by moving its next attempt ahead."""
    due = (
        select(_a.id)
        .where(_a.state == AttachmentState.FETCHING.value, _a.next_attempt_at <= tx.now)
        .order_by(_a.next_attempt_at)
        .limit(_CLAIM_LIMIT)
    )
    if tx.is_postgresql:
        due = due.with_for_update(skip_locked=True)
    ids = [row.id for row in tx.rows(due)]
    if not ids:
        return []
    tx.execute(
        update(tables.attachment)
        .where(_a.id.in_(ids))
        .values(attempts=_a.attempts + 1, next_attempt_at=tx.now + _LEASE)
    )
    query = select(tables.attachment, tables.mail.c.raw_key).outerjoin(
        tables.mail, tables.mail.c.entry_id == tables.attachment.c.entry_id
    )
    return list(tx.rows(query.where(_a.id.in_(ids)).order_by(_a.id)))


def record(tx: Tx, attachment_id: int, values: dict[str, Any]) -> None:
    tx.execute(
        update(tables.attachment)
        .where(_a.id == attachment_id, _a.state == AttachmentState.FETCHING.value)
        .values(**values)
    )
    entry_id = tx.scalar(select(_a.entry_id).where(_a.id == attachment_id))
    if entry_id is not None and "state" in values:
        conversations.change_entry(tx, entry_id)


def next_due(tx: Tx) -> datetime | None:
    found: datetime | None = tx.scalar(
        select(func.min(_a.next_attempt_at)).where(_a.state == AttachmentState.FETCHING.value)
    )
    return found


class MediaFetcher:
    def __init__(self, database: Database, wakes: Wakes, adapters: Adapters, files: Files) -> None:
        self._database = database
        self._wakes = wakes
        self._adapters = adapters
        self._files = files

    async def run(self) -> None:
        while True:
            try:
                claimed = await self._database.transaction(claim)
                if claimed:
                    await asyncio.gather(*(self._fetch(row) for row in claimed))
                    continue
                due = await self._database.read(next_due)
            except DatabaseAway:
                await asyncio.sleep(1)
                continue
            wait_s = _LOOK_EVERY_S
            if due is not None:
                wait_s = min(max((due - self._database.clock()).total_seconds(), 0.05), _LOOK_EVERY_S)
            await self._wakes.wait("media", wait_s)

    async def _fetch(self, row: Row[Any]) -> None:
        values: dict[str, Any]
        try:
            fetched = await self._get(row)
            key = await asyncio.to_thread(self._files.write, fetched.content)
            values = {
                "state": AttachmentState.STORED.value,
                "file_key": key,
                "media_type": fetched.media_type,
                "size_bytes": len(fetched.content),
                "fault": None,
            }
        except Refused as error:
            values = {"state": AttachmentState.FAILED.value, "fault": error.code}
        except Exception as error:
            # The provider, the database, the disk, a channel switched off for a moment, a mistake of ours: another time.
            if not isinstance(error, (HubError, TimeoutError, OSError)):
                log.exception("media.fetch_failed", extra={"attachment": row.id})
            if row.attempts >= _ATTEMPT_LIMIT:
                values = {"state": AttachmentState.FAILED.value, "fault": "gave_up"}
            else:
                wait_s = min(_BACKOFF_BASE_S * 2**row.attempts, 900)
                values = {
                    "next_attempt_at": self._database.clock() + timedelta(seconds=wait_s),
                    "fault": getattr(error, "code", "unavailable"),
                }
        try:
            await self._database.transaction(record, row.id, values)
        except DatabaseAway:
            log.warning("media.not_recorded", extra={"attachment": row.id})  # its lease runs out, it is fetched again

    async def _get(self, row: Row[Any]) -> Fetched:
        if row.part is not None:
            return await asyncio.to_thread(self._extract, row.raw_key, row.part)
        channel = await self._adapters.get(row.channel_id)
        async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
            return await channel.fetch_media(Media(row.media_type, row.name, row.source_url))

    def _extract(self, raw_key: str, part: int) -> Fetched:
        """A file out of the mail it came in. Runs in a thread: a large mail takes a while to read."""
        try:
            _, media_type, content = extract_part(self._files.path(raw_key).read_bytes(), part)
        except (MailUnreadable, NotFound) as error:
            raise Refused("the mail does not hold this file", code="media_gone") from error
        return Fetched(content, media_type)
