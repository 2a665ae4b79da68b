"""Fetching the files that came with messages: after the commit, with retries, into the file store.

A provider keeps them until the adapter has fetched them; a mail's files lie in the mail, which the hub has already.
The entry shows a file as "on its way" from the start; it changes to stored, or to failed with a reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update

from hub.channels.channel import Fetched, Media
from hub.domain.states import AttachmentState
from hub.errors import DatabaseAway, HubError, NotFound, Refused
from hub.mail.parse import MailUnreadable, extract_parts
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


def claim(tx: Tx) -> list[list[Row[Any]]]:
    """Files to fetch now, in batches: one file, or all the files of a mail, which lie in one message. Each is leased by
    moving its next attempt ahead."""
    is_due = (_a.state == AttachmentState.FETCHING.value) & (_a.next_attempt_at <= tx.now)
    due = select(_a.id, _a.entry_id, _a.part).where(is_due).order_by(_a.next_attempt_at).limit(_CLAIM_LIMIT)
    found = tx.rows(due.with_for_update(skip_locked=True) if tx.is_postgresql else due)
    entry_ids = {row.entry_id for row in found if row.part is not None}
    if entry_ids:
        beside = select(_a.id, _a.entry_id, _a.part).where(is_due, _a.entry_id.in_(entry_ids), _a.part.is_not(None))
        found = [*found, *tx.rows(beside.with_for_update(skip_locked=True) if tx.is_postgresql else beside)]
    ids = {row.id for row in found}
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
    batches: dict[tuple[str, int], list[Row[Any]]] = {}
    for row in tx.rows(query.where(_a.id.in_(ids)).order_by(_a.id)):
        key = ("file", row.id) if row.part is None else ("mail", row.entry_id)
        batches.setdefault(key, []).append(row)
    return list(batches.values())


def record(tx: Tx, results: Mapping[int, Mapping[str, Any]]) -> None:
    """What became of a batch: attachment id → its new values. Its entry is told once."""
    changed: set[int] = set()
    for attachment_id, values in results.items():
        tx.execute(
            update(tables.attachment)
            .where(_a.id == attachment_id, _a.state == AttachmentState.FETCHING.value)
            .values(**values)
        )
        entry_id = tx.scalar(select(_a.entry_id).where(_a.id == attachment_id))
        if entry_id is not None and "state" in values:
            changed.add(int(entry_id))
    for entry_id in sorted(changed):
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
                    await asyncio.gather(*map(self._fetch, claimed))
                    continue
                due = await self._database.read(next_due)
            except DatabaseAway:
                await asyncio.sleep(1)
                continue
            wait_s = _LOOK_EVERY_S
            if due is not None:
                wait_s = min(max((due - self._database.clock()).total_seconds(), 0.05), _LOOK_EVERY_S)
            await self._wakes.wait("media", wait_s)

    async def _fetch(self, batch: list[Row[Any]]) -> None:
        results: dict[int, dict[str, Any]] = {}
        try:
            if batch[0].part is not None:
                results = await asyncio.to_thread(self._take_out, batch)
            else:
                (row,) = batch
                results[row.id] = await asyncio.to_thread(self._store, await self._get(row))
        except Refused as error:
            results = {row.id: _failed(error.code) for row in batch}
        except Exception as error:
            # The provider, the database, the disk, a channel switched off for a moment, a mistake of ours: another time.
            if not isinstance(error, (HubError, TimeoutError, OSError)):
                log.exception("media.fetch_failed", extra={"attachment": batch[0].id})
            results = {row.id: self._again(row, getattr(error, "code", "unavailable")) for row in batch}
        try:
            await self._database.transaction(record, results)
        except DatabaseAway:
            log.warning("media.not_recorded", extra={"attachment": batch[0].id})  # the lease runs out, then again

    def _again(self, row: Row[Any], fault: str) -> dict[str, Any]:
        if row.attempts >= _ATTEMPT_LIMIT:
            return _failed("gave_up")
        wait_s = min(_BACKOFF_BASE_S * 2**row.attempts, 900)
        return {"next_attempt_at": self._database.clock() + timedelta(seconds=wait_s), "fault": fault}

    async def _get(self, row: Row[Any]) -> Fetched:
        channel = await self._adapters.get(row.channel_id)
        async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
            return await channel.fetch_media(Media(row.media_type, row.name, row.source_url))

    def _store(self, fetched: Fetched) -> dict[str, Any]:
        return {
            "state": AttachmentState.STORED.value,
            "file_key": self._files.write(fetched.content),
            "media_type": fetched.media_type,
            "size_bytes": len(fetched.content),
            "fault": None,
        }

    def _take_out(self, batch: list[Row[Any]]) -> dict[int, dict[str, Any]]:
        """All these files out of the mail they came in, which is read once. Runs in a thread: a large one takes a while."""
        wanted = {row.part: row.id for row in batch}
        results = dict.fromkeys(wanted.values(), _failed("media_gone"))
        try:
            raw = self._files.path(batch[0].raw_key).read_bytes()
            for number, _, media_type, content in extract_parts(raw, wanted):
                results[wanted[number]] = self._store(Fetched(content, media_type))
        except (MailUnreadable, NotFound):
            log.warning("media.mail_lacks_file", extra={"attachment": batch[0].id})
        return results


def _failed(fault: str) -> dict[str, Any]:
    return {"state": AttachmentState.FAILED.value, "fault": fault}
