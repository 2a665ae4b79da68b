"""The loop that tries and runs imports: reads beside the database, writes a batch in one short transaction, rests.

The file is read and its cells are checked in a thread, apart from the event loop and from any transaction. After each batch
the loop rests half as long as the batch took to write, so that whoever else writes (a message that comes in) is never far
from its turn. A process that dies leaves the import to be claimed again, at the line after the last batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from time import monotonic

from hub.customer_files import imports
from hub.customer_files.cards import Claims
from hub.customer_files.imports import Work
from hub.customer_files.lines import Known, Line, LineReader
from hub.customer_files.reading import Record, records
from hub.domain.sentences import Sentence
from hub.errors import DatabaseAway, InvalidInput, NotFound
from hub.store.database import Database
from hub.store.files import Files
from hub.store.stream import Wakes

log = logging.getLogger(__name__)

BATCH = 500
# A rest: so much of the time that the batch before it took.
_REST = 0.5
_LOOK_EVERY_S = 10.0
_RETRY_S = 0.5
_CHUNK_BYTES = 256 * 1024


class Importer:
    """`run` works at whatever is to be done, one import after the other; `work_off` does one and returns."""

    def __init__(self, database: Database, wakes: Wakes, files: Files, *, process: str, batch: int = BATCH) -> None:
        self._database = database
        self._wakes = wakes
        self._files = files
        self._process = process
        self._batch = batch
        self.rest = _REST

    async def run(self) -> None:
        """Waits while the database is away. An import that goes wrong in a way nobody foresaw is ended with that reason;
        anything else ends this loop (and the process, loudly)."""
        while True:
            try:
                if await self.work_off() is None:
                    await self._wakes.wait(imports.WAKE, _LOOK_EVERY_S)
            except DatabaseAway:
                # What was committed is known when it is claimed again.
                await asyncio.sleep(_RETRY_S)

    async def work_off(self, import_id: int | None = None) -> int | None:
        """Claims an import (this one, if it is named) and works at it to its end, or until it is paused. Its id, or None if
        there is none to be worked at."""
        work = await self._database.transaction(imports.claim, self._process, import_id)
        if work is None:
            return None
        try:
            path = self._files.path(work.file_key)
            await (self._try(work, path) if work.is_trial else self._run(work, path))
        except (InvalidInput, NotFound) as error:
            # The file was whole when it came: the disk has lost it, or part of it.
            log.warning("import.broken", extra={"import": work.id, "code": error.code})
            await self._database.transaction(imports.finish, work, self._process, error.message)
        except DatabaseAway:
            raise
        except Exception:
            # Taken up again by itself it would go wrong again, and take whatever else this process does with it each time.
            # What was written stays, and is counted with its place: whoever has seen to the cause goes on from there.
            log.exception("import.failed", extra={"import": work.id})
            fault = Sentence("went wrong in a way that was not foreseen; the hub's log says how")
            await self._database.transaction(imports.finish, work, self._process, fault)
        return work.id

    async def _try(self, work: Work, path: Path) -> None:
        while await self._database.transaction(imports.forget_lines, work.id, (work, self._process)):
            pass
        claims = Claims()
        feed = _Feed(work, path)
        while lines := await self._next(work, feed):
            began = monotonic()
            taken = await self._database.read(imports.try_batch, work, lines, claims)
            if not await self._database.transaction(imports.keep_trial, work, self._process, lines, taken):
                return
            await asyncio.sleep((monotonic() - began) * self.rest)
        await self._database.transaction(imports.finish, work, self._process)

    async def _run(self, work: Work, path: Path) -> None:
        if work.done == 0:
            # Those that the trial would have refused.
            while await self._database.transaction(imports.forget_lines, work.id, (work, self._process)):
                pass
        feed = _Feed(work, path)
        done = work.done
        while lines := await self._next(work, feed):
            began = monotonic()
            if not await self._database.transaction(imports.run_batch, work, self._process, done, lines):
                return
            done += len(lines)
            await asyncio.sleep((monotonic() - began) * self.rest)
        await self._database.transaction(imports.finish, work, self._process)

    async def _next(self, work: Work, feed: _Feed) -> list[Line]:
        known = await self._database.read(imports.load_known, work.options)
        return await asyncio.to_thread(feed.take, self._batch, known)


class _Feed:
    """The lines of a file after those that are done."""

    def __init__(self, work: Work, path: Path) -> None:
        self._work = work
        self._path = path
        self._records: Iterator[Record] | None = None

    def take(self, count: int, known: Known) -> list[Line]:
        work = self._work
        if self._records is None:
            # The headings, and what is done.
            found = records(chunks_of(self._path), work.encoding, work.delimiter)
            self._records = islice(found, 1 + work.done, None)
        reader = LineReader(work.headings, work.mapping, known)
        return [reader.read(record) for record in islice(self._records, count)]


def chunks_of(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
