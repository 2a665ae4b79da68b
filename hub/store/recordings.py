"""Where recordings lie: a bucket that speaks S3 if one is set up (HUB_RECORDINGS_URL), else the directory of all files.

A key says which: `s3:…` in the bucket, any other in the directory. So what was stored before a bucket was set up is still
played from where it is. Keys are opaque and unguessable, and chosen before anything is written: whoever notes them first
can remove whatever a killed process left. A recording is complete or absent.

Encryption at rest is the store's: the bucket's own, or that of the disk (docs/operations.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from hub.errors import HubError, Misconfigured, NotFound, OperatorError, Unavailable
from hub.store.files import Files, new_key

if TYPE_CHECKING:
    from obstore.store import S3Store

_IN_BUCKET = "s3:"
_CHUNK_BYTES = 256 << 10
# An answer that takes longer is none. The library itself repeats what may be repeated, so long and no longer: the loop has
# a back-off of its own, and somebody may be waiting for the sound.
_REQUEST_TIMEOUT_S, _CONNECT_TIMEOUT_S = 60, 5
_RETRIES, _RETRY_FOR = 2, timedelta(seconds=30)
_PROBE = "hub-doctor"


class _Store(Protocol):
    async def write(self, key: str, content: bytes) -> None: ...

    def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]: ...

    async def delete(self, key: str) -> None: ...


class Recordings:
    """Raises Unavailable `store_away` when a store does not answer or refuses, OperatorError `no_space` when it is full."""

    def __init__(self, files: Files, url: str = "", endpoint: str = "") -> None:
        self._directory = _Directory(files)
        self._bucket = _Bucket(url, endpoint) if url else None
        self.url = url

    def new_key(self) -> str:
        return f"{_IN_BUCKET if self._bucket else ''}{new_key()}"

    async def write(self, key: str, content: bytes) -> None:
        """Durable when it returns."""
        await self._store(key).write(_bare(key), content)

    def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including `end`, in pieces. NotFound when there are none."""
        return self._store(key).read(_bare(key), start, end)

    async def delete(self, key: str) -> None:
        """One that is not there is deleted already."""
        await self._store(key).delete(_bare(key))

    async def check(self) -> None:
        """Writes, reads and deletes a few bytes where new recordings go; raises what is wrong, in words."""
        key = self.new_key()
        await self.write(key, _PROBE.encode())
        read = b"".join([piece async for piece in self.read(key, 0, len(_PROBE))])
        await self.delete(key)
        if read != _PROBE.encode():
            raise Unavailable("the store of recordings gives back other bytes than it was given", code="store_away")

    def _store(self, key: str) -> _Store:
        if not key.startswith(_IN_BUCKET):
            return self._directory
        if self._bucket is None:
            raise Unavailable("this recording lies in a bucket, and HUB_RECORDINGS_URL names none", code="store_away")
        return self._bucket


def _bare(key: str) -> str:
    return key.removeprefix(_IN_BUCKET)


class _Directory:
    def __init__(self, files: Files) -> None:
        self._files = files

    async def write(self, key: str, content: bytes) -> None:
        try:
            await asyncio.to_thread(self._files.write, content, key)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise OperatorError("there is no room for files on this machine", code="no_space") from error
            raise Unavailable(f"the directory of files: {error.strerror}", code="store_away") from error
        except OperatorError as error:
            raise OperatorError(error.message, code="no_space") from error

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(self._files.path(key).open, "rb")
        try:
            await asyncio.to_thread(file.seek, start)
            left = end - start
            while left > 0 and (piece := await asyncio.to_thread(file.read, min(left, _CHUNK_BYTES))):
                left -= len(piece)
                yield piece
        finally:
            file.close()

    async def delete(self, key: str) -> None:
        try:
            await asyncio.to_thread(self._files.delete, key)
        except OSError as error:
            raise Unavailable(f"the directory of files: {error.strerror}", code="store_away") from error


class _Bucket:
    """Keys and region come from the environment as in every program that speaks S3: AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_REGION …"""

    def __init__(self, url: str, endpoint: str) -> None:
        if importlib.util.find_spec("obstore") is None:
            raise Misconfigured(
                "recordings in a bucket need more: pip install 'contact-hub[s3]'",
                fields={"HUB_RECORDINGS_URL": "needs the extra `s3`: pip install 'contact-hub[s3]'"},
            )
        self._url, self._endpoint = url, endpoint
        self._opened: S3Store | None = None

    def _client(self) -> S3Store:
        if self._opened is None:
            # Late: a hub without a bucket need not load its 30 MB.
            from obstore.exceptions import BaseError
            from obstore.store import S3Store

            parts = urlsplit(self._url)
            own = {"endpoint": self._endpoint, "virtual_hosted_style_request": False} if self._endpoint else {}
            try:
                self._opened = S3Store(
                    parts.netloc,
                    prefix=parts.path.strip("/") or None,
                    config=own,  # type: ignore[arg-type]
                    client_options={
                        "allow_http": self._endpoint.startswith("http://"),
                        "timeout": f"{_REQUEST_TIMEOUT_S}s",
                        "connect_timeout": f"{_CONNECT_TIMEOUT_S}s",
                    },
                    retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_FOR},
                )
            except BaseError as error:
                raise _away(error) from error
        return self._opened

    async def write(self, key: str, content: bytes) -> None:
        import obstore

        with _told():
            try:
                await obstore.put_async(self._client(), key, content)
            except FileNotFoundError as error:
                # What is not there is the bucket.
                raise _away(error) from error

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        import obstore

        with _told():
            found = await obstore.get_async(self._client(), key, options={"range": (start, end)})
            async for piece in found.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(piece)

    async def delete(self, key: str) -> None:
        import obstore

        with _told(), contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._client(), key)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except HubError:
        raise
    except FileNotFoundError as error:
        raise NotFound("there is no such recording in the bucket") from error
    except (BaseError, OSError) as error:
        raise _away(error) from error


def _away(error: Exception) -> Unavailable:
    """In the store's words, of which the first line says enough; they hold addresses of ours and no secrets."""
    return Unavailable(f"the bucket of recordings: {str(error).strip().partition(chr(10))[0][:300]}", code="store_away")
