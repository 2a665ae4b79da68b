"""Recordings: of a room (stereo: the customer left, everybody else right) and of a voicemail (mono).

The tick only puts frames by; a thread of the process writes them, a second at a time. A recording is `ID.ogg.part` while it
grows and `ID.ogg` when it can be fetched; `ID.json` beside it says whom to tell. One that cannot be written (the disk is
full) fails alone: the talk goes on. What a killed process had written is whole but for its last second or two: the next one
finds it and tells the hub.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

from hub.media.codec import Codec
from hub.media.frame import FRAME_S, FRAMES_PER_S, Frame
from hub.media.ogg import Layout, OggFile, duration_of, interleaved
from hub.media.precedence import workers

log = logging.getLogger(__name__)

# So much is handed to the writer at once.
_BATCH_FRAMES = FRAMES_PER_S
# The hub fetches a recording within seconds and deletes it then; what nobody fetched in this time nobody will.
_KEPT = timedelta(days=7)
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Note:
    """Whom to tell of a recording, and what beside its id and duration: a webhook (hub.media.webhooks) in the making."""

    topic: str
    url: str
    kind: str
    more: Mapping[str, object]


@dataclass(frozen=True)
class Found:
    """A recording of a process that is no more."""

    note: Note
    recording_id: str
    duration_s: float


@dataclass(frozen=True)
class Finished:
    """`recording_id` None: it failed, or there was nothing to record."""

    recording_id: str | None
    duration_s: float
    failed: bool = False


@dataclass
class Recorder:
    """One recording that runs. `write` from the tick; `finish` once."""

    shelf: Shelf
    note: Note
    stereo: bool
    recording_id: str = field(default_factory=lambda: secrets.token_hex(16))
    frames: int = 0
    _batch: list[tuple[Frame | None, Frame | None]] = field(default_factory=list)
    _file: OggFile | None = None
    _has_failed: bool = False

    def write(self, left: Frame | None, right: Frame | None) -> None:
        self.frames += 1
        # Unpacked now: a decoder wants the packets of its stream in their order, and another tick may mix the next one.
        for frame in (left, right):
            if frame is not None:
                frame.unpack()
        self._batch.append((left, right))
        if len(self._batch) >= _BATCH_FRAMES:
            self._hand_over()

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        samples = interleaved(batch, self.shelf.codec.size, stereo=self.stereo)
        self.shelf.run(lambda: self._write(samples))

    def _write(self, samples: array[int]) -> None:
        if self._has_failed:
            return
        try:
            if self._file is None:
                self.shelf.directory.mkdir(parents=True, exist_ok=True)
                self.shelf.note_of(self.recording_id).write_text(json.dumps(asdict(self.note)))
                layout: Layout = "stereo" if self.stereo else "mono"
                self._file = OggFile(self.shelf.part(self.recording_id), self.shelf.codec.rate, layout)
            self._file.write(samples)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        log.error("media.recording_failed", exc_info=error)
        self._has_failed = True

    async def finish(self) -> Finished:
        if self._batch:
            self._hand_over()
        await asyncio.wrap_future(self.shelf.writer.submit(self._close))
        is_there = self.frames > 0 and not self._has_failed
        return Finished(
            self.recording_id if is_there else None,
            round(self.frames * FRAME_S, 2),
            failed=self._has_failed,
        )

    def _close(self) -> None:
        if self._file is None:
            return
        try:
            self._file.close()
            if not self._has_failed:
                self.shelf.part(self.recording_id).rename(self.shelf.directory / f"{self.recording_id}.ogg")
        except Exception as error:
            self._fail(error)


class Shelf:
    """Where recordings lie until the hub has fetched them."""

    def __init__(self, codec: Codec, directory: Path) -> None:
        self.codec = codec
        self.directory = directory
        self.writer = workers(1, "media-writer")
        self._handed_over = self._done = 0

    @property
    def backlog(self) -> int:
        """Batches, of a second each, that wait to be written."""
        return self._handed_over - self._done

    def run(self, work: Callable[[], None]) -> None:
        self._handed_over += 1
        self.writer.submit(self._run, work)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._done += 1

    def part(self, recording_id: str) -> Path:
        return self.directory / f"{recording_id}.ogg.part"

    def find(self, recording_id: str) -> Path | None:
        """The file of a finished recording."""
        if not _ID.fullmatch(recording_id):
            return None
        path = self.directory / f"{recording_id}.ogg"
        return path if path.is_file() else None

    def note_of(self, recording_id: str) -> Path:
        return self.directory / f"{recording_id}.json"

    def delete(self, recording_id: str) -> None:
        if _ID.fullmatch(recording_id):
            (self.directory / f"{recording_id}.ogg").unlink(missing_ok=True)
            self.note_of(recording_id).unlink(missing_ok=True)

    def recover(self) -> list[Found]:
        """What lies here from an earlier life of the process: cut off by its end, or not fetched yet. Blocks."""
        found = []
        for path in self.directory.glob("*.json"):
            recording_id = path.stem
            try:
                note = Note(**json.loads(path.read_text()))
                if self.part(recording_id).is_file():
                    self.part(recording_id).rename(self.directory / f"{recording_id}.ogg")
                duration_s = duration_of(self.directory / f"{recording_id}.ogg")
            except (OSError, ValueError, TypeError) as error:
                # Cut off before its first second.
                log.warning("media.recording_lost", exc_info=error)
                self.part(recording_id).unlink(missing_ok=True)
                self.delete(recording_id)
            else:
                found.append(Found(note, recording_id, duration_s))
        return found

    def tidy(self) -> None:
        """Deletes what nobody fetched. Blocks."""
        for path in self.directory.glob("*"):
            if path.stat().st_mtime < time.time() - _KEPT.total_seconds():
                path.unlink(missing_ok=True)
                log.warning("media.recording_not_fetched")

    def close(self) -> None:
        self.writer.shutdown()
