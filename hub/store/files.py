"""Where attachments, sounds and recordings lie: one small interface, a local directory behind it.

A key is opaque and unguessable; a file is complete or absent (written beside, synced, then renamed).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO

from hub.errors import NotFound, OperatorError

# Files stop here, before the database has no room.
_FREE_BYTES_LIMIT = 256 << 20
_PIECE_BYTES = 1 << 20

_KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{40}")
_KEY_OR_PART = re.compile(r"[0-9a-f]{2}/[0-9a-f]{40}((\.[0-9a-f]{8})?\.part)?")


def new_key() -> str:
    name = secrets.token_hex(20)
    return f"{name[:2]}/{name}"


def _finish(beside: Path, path: Path) -> None:
    beside.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class Files:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, content: bytes, key: str | None = None) -> str:
        """Stores the bytes, durable when it returns, and answers their key: a new one, or one from `new_key`."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._directory).free < _FREE_BYTES_LIMIT + len(content):
            # The database needs what is left.
            raise OperatorError("there is no room for files on this machine", code="storage_full")
        key = key or new_key()
        path = self._directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two that write one key (a lease ran out) do not write into one another.
        beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _finish(beside, path)
        return key

    def write_from(self, source: BinaryIO) -> str:
        """The same of what can be read there, piece by piece."""
        self._directory.mkdir(parents=True, exist_ok=True)
        key = new_key()
        path = self._directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            with beside.open("wb") as file:
                while piece := source.read(_PIECE_BYTES):
                    if shutil.disk_usage(self._directory).free < _FREE_BYTES_LIMIT + len(piece):
                        raise OperatorError("there is no room for files on this machine", code="storage_full")
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _finish(beside, path)
        return key

    def put(self, key: str, source: IO[bytes]) -> None:
        """A file under the key that it has had (from a backup); one that is there already is that very file. NotFound for
        what is no key."""
        if not _KEY.fullmatch(key):
            raise NotFound("there is no such file")
        path = self._directory / key
        if path.is_file():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            with beside.open("wb") as file:
                shutil.copyfileobj(source, file, _PIECE_BYTES)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _finish(beside, path)

    def path(self, key: str) -> Path:
        """Where the bytes of `key` are; NotFound when there are none."""
        if not _KEY.fullmatch(key):
            raise NotFound("there is no such file")
        path = self._directory / key
        if not path.is_file():
            raise NotFound("there is no such file")
        return path

    def written_between(self, after: datetime, before: datetime) -> Iterator[str]:
        """Keys of the files that were written in that time; those of unfinished ones end in `.part` and can only be
        deleted."""
        for path in self._directory.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if after.timestamp() <= path.stat().st_mtime < before.timestamp():
                    yield f"{path.parent.name}/{path.name}"

    def delete(self, key: str) -> None:
        if _KEY_OR_PART.fullmatch(key):
            (self._directory / key).unlink(missing_ok=True)
