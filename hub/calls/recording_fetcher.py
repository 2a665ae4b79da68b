"""Fetching recordings from the lines that made them, and removing what is deleted: after the commit, until it has succeeded.

    fetching ─► the line gives the sound ─► heard once (kind, length, loudness) ─► stored ─► the line's copy is removed

Two at a time in each process, each leased, so no two processes fetch one. A store that is full or away is tried again for
ever, and a provider for a week: until then it keeps the recording, so nothing is lost. What is surely gone, and what is no
sound, has failed; a supervisor may have it tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, func, select, update

from hub.calls.recordings import WAKE, lock, write
from hub.channels.voice import RecordingRef
from hub.errors import DatabaseAway, HubError, NotFound, Refused
from hub.media.waveform import Waveform, read_waveform
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.recordings import Recordings
from hub.store.stream import Wakes
from hub.timeline.adapters import Adapters

log = logging.getLogger(__name__)

_r, _ca = tables.recording.c, tables.call.c

# A recording is held in memory while it is fetched (an hour of telephone sound in two channels: 115 MB as WAV).
_AT_ONCE = 2
_ATTEMPT_TIMEOUT_S = 600.0
# Longer than an attempt: what a killed process had in hand is taken up after this.
_LEASE = timedelta(minutes=12)
_BACKOFF_BASE_S, _BACKOFF_LIMIT_S = 2.0, 6 * 3600.0
# 2 s, 4 s … 4.5 h in the first 9 hours, then every 6 hours: a week.
_ATTEMPT_LIMIT = 40
# An administrator makes room, or the store comes back; looking costs little.
_STORE_RETRY_S = 60.0
_LOOK_EVERY_S = 30.0
# Nothing that the next attempt would change. Every other refusal may be about the account, which can be put right.
_FINAL = frozenset({"media_gone", "media_too_large", "no_recording"})
_STORE_FAULTS = frozenset({"no_space", "store_away"})


# --- rows ---------------------------------------------------------------------------------------------------------------


def claim(tx: Tx, new_key: str) -> Row[Any] | None:
    """A recording to fetch now, leased. Where it will lie is noted before anything is written there: `new_key`, unless an
    earlier attempt has one."""
    is_due = (_r.retry_at.is_(None) | (_r.retry_at <= tx.now)) & (
        _r.leased_until.is_(None) | (_r.leased_until <= tx.now)
    )
    row = _first(tx, select(_r.id).where(_r.state == "fetching", is_due).order_by(_r.retry_at, _r.id))
    if row is None:
        return None
    values = {
        "attempts": _r.attempts + 1,
        "leased_until": tx.now + _LEASE,
        "file_key": func.coalesce(_r.file_key, new_key),
    }
    tx.execute(update(tables.recording).where(_r.id == row.id).values(**values))
    return _load(tx, row.id)


def claim_removal(tx: Tx) -> Row[Any] | None:
    """One of which something is to be removed now; it is put off, so that nobody else takes it up."""
    row = _first(tx, select(_r.id).where(_r.delete_at.is_not(None), _r.delete_at <= tx.now).order_by(_r.delete_at))
    if row is None:
        return None
    values = {"attempts": _r.attempts + 1, "delete_at": tx.now + _LEASE}
    tx.execute(update(tables.recording).where(_r.id == row.id).values(**values))
    return _load(tx, row.id)


def _first(tx: Tx, query: Select[Any]) -> Row[Any] | None:
    query = query.limit(1)
    return tx.first(query.with_for_update(skip_locked=True) if tx.is_postgresql else query)


def _load(tx: Tx, recording_id: int) -> Row[Any] | None:
    query = select(tables.recording, _ca.channel_id).join(tables.call, _ca.id == _r.call_id)
    return tx.first(query.where(_r.id == recording_id))


def note_stored(tx: Tx, recording_id: int, wave: Waveform, size_bytes: int) -> bool:
    """False: it has been deleted meanwhile, and its file is to go."""
    row = lock(tx, recording_id)
    if row is None or row.state == "deleted":
        return False
    if row.state == "stored":
        # By another process, which took it up when the lease had run out; it is the same file.
        return True
    write(
        tx,
        row,
        state="stored",
        reason=None,
        media_type=wave.media_type,
        size_bytes=size_bytes,
        channels=wave.channels or row.channels,
        duration_s=row.duration_s if wave.duration_s is None else wave.duration_s,
        peaks=wave.peaks,
        attempts=0,
        retry_at=None,
        leased_until=None,
        delete_at=tx.now,
    )
    return True


def note_failed(tx: Tx, recording_id: int, reason: str) -> None:
    row = lock(tx, recording_id)
    if row is not None and row.state == "fetching":
        write(tx, row, state="failed", reason=reason, retry_at=None, leased_until=None)


def note_put_off(tx: Tx, recording_id: int, reason: str, wait_s: float, *, counts: bool) -> None:
    """Another time. `counts`: towards giving up."""
    row = lock(tx, recording_id)
    if row is None or row.state != "fetching":
        return
    values: dict[str, Any] = {"retry_at": tx.now + timedelta(seconds=wait_s), "leased_until": None}
    if not counts:
        values["attempts"] = max(0, row.attempts - 1)
    if row.reason == reason:
        # Nothing new for anybody.
        tx.execute(update(tables.recording).where(_r.id == row.id).values(**values))
    else:
        write(tx, row, reason=reason, **values)


def note_removed(tx: Tx, row: Row[Any], *, file: bool, copy: bool, wait_s: float, gives_up: bool) -> None:
    """`file` and `copy`: ours, and the provider's, are gone. What is not is tried again, or given up and said so."""
    found = lock(tx, row.id)
    if found is None or found.state != row.state:
        # Deleted while only the provider's copy was being removed: there is more to do now.
        return
    values: dict[str, Any] = {}
    if row.state == "deleted" and file:
        values["file_key"] = None
    is_done = (file or row.state != "deleted") and (copy or gives_up)
    values["delete_at"] = None if is_done else tx.now + timedelta(seconds=wait_s)
    if gives_up and not copy:
        write(tx, found, reason="kept_by_provider", **values)
    else:
        tx.execute(update(tables.recording).where(_r.id == row.id).values(**values))


def next_due(tx: Tx) -> datetime | None:
    """When there is something to do that is not being done."""
    waiting = select(func.min(func.coalesce(_r.leased_until, _r.retry_at))).where(_r.state == "fetching")
    found = [tx.scalar(waiting), tx.scalar(select(func.min(_r.delete_at)).where(_r.delete_at.is_not(None)))]
    return min((at for at in found if at is not None), default=None)


# --- the loop -----------------------------------------------------------------------------------------------------------


class RecordingFetcher:
    """One process's share of it."""

    def __init__(self, database: Database, wakes: Wakes, adapters: Adapters, store: Recordings) -> None:
        self._database = database
        self._wakes = wakes
        self._adapters = adapters
        self._store = store
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        try:
            while True:
                try:
                    is_more = await self._round()
                    due = await self._database.read(next_due)
                except DatabaseAway:
                    await asyncio.sleep(1)
                    continue
                wait_s = _LOOK_EVERY_S
                if is_more:
                    continue
                if due is not None and len(self._running) < _AT_ONCE:
                    wait_s = min(max((due - self._database.clock()).total_seconds(), 0.05), _LOOK_EVERY_S)
                await self._wakes.wait(WAKE, wait_s)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _round(self) -> bool:
        """Begins what there is room for; whether there may be more."""
        if len(self._running) >= _AT_ONCE:
            return False
        wanted = await self._database.transaction(claim, self._store.new_key())
        if wanted is not None:
            self._begin(self._fetch(wanted))
        if len(self._running) >= _AT_ONCE:
            return False
        leaving = await self._database.transaction(claim_removal)
        if leaving is not None:
            self._begin(self._remove(leaving))
        return wanted is not None or leaving is not None

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wakes.set(WAKE)

    # --- one recording

    async def _fetch(self, row: Row[Any]) -> None:
        try:
            reason, is_final = await self._fetched(row)
        except DatabaseAway:
            log.warning("recordings.not_noted", extra={"recording": row.id})  # the lease runs out, then again
            return
        if reason is None:
            return
        is_stores = reason in _STORE_FAULTS
        if is_stores:
            log.warning("recordings.not_stored", extra={"recording": row.id, "code": reason})
        gives_up = not is_stores and row.attempts >= _ATTEMPT_LIMIT
        try:
            if is_final or gives_up:
                await self._database.transaction(note_failed, row.id, reason if is_final else "gave_up")
                return
            wait_s = _STORE_RETRY_S if is_stores else _backoff_s(row.attempts)
            await self._database.transaction(note_put_off, row.id, reason, wait_s, counts=not is_stores)
        except DatabaseAway:
            log.warning("recordings.not_noted", extra={"recording": row.id})

    async def _fetched(self, row: Row[Any]) -> tuple[str | None, bool]:
        """(what is wrong, or None; whether it is for good)."""
        try:
            async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
                line = await self._adapters.get_line(row.channel_id)
                fetched = await line.fetch_recording(_ref(row))
                wave = await asyncio.to_thread(read_waveform, fetched.content)
                await self._store.write(row.file_key, fetched.content)
            if not await self._database.transaction(note_stored, row.id, wave, len(fetched.content)):
                await self._store.delete(row.file_key)
        except DatabaseAway:
            raise
        except ValueError:
            return "no_sound", True
        except Refused as error:
            return error.code, error.code in _FINAL
        except NotFound:
            return "channel_off", False
        except HubError as error:
            return error.code, False
        except TimeoutError:
            return "timed_out", False
        except Exception:
            log.exception("recordings.fetch_failed", extra={"recording": row.id})
            return "failed", False
        return None, False

    async def _remove(self, row: Row[Any]) -> None:
        file = copy = False
        try:
            if row.state == "deleted" and row.file_key is not None:
                await self._store.delete(row.file_key)
            file = True
        except HubError as error:
            log.warning("recordings.not_removed", extra={"recording": row.id, "code": error.code})
        try:
            async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
                line = await self._adapters.get_line(row.channel_id)
                await line.delete_recording(_ref(row))
            copy = True
        except Refused as error:
            copy = error.code in _FINAL
        except (HubError, TimeoutError) as error:
            log.info("recordings.copy_not_removed", extra={"recording": row.id, "code": getattr(error, "code", "")})
        except Exception:
            log.exception("recordings.remove_failed", extra={"recording": row.id})
        wait_s = _backoff_s(row.attempts) if file else _STORE_RETRY_S
        try:
            await self._database.transaction(
                note_removed, row, file=file, copy=copy, wait_s=wait_s, gives_up=row.attempts >= _ATTEMPT_LIMIT
            )
        except DatabaseAway:
            log.warning("recordings.not_noted", extra={"recording": row.id})


def _ref(row: Row[Any]) -> RecordingRef:
    return RecordingRef(row.provider_id, row.url, row.channels)


def _backoff_s(attempts: int) -> float:
    return float(min(_BACKOFF_BASE_S * 2 ** min(attempts, 20), _BACKOFF_LIMIT_S))
