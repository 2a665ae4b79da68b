"""What the media process tells the hub: signed POSTs, in order for each leg and room, again and again until they are taken.

2xx: taken. 404 and 410: the hub wants to hear nothing of it any more; dropped. Anything else is tried again with back-off,
for up to an hour; by then the hub has found out by asking.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp

from hub.media.signature import signed_headers

log = logging.getLogger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_FIRST_S, _LONGEST_S = 0.25, 15.0
_GIVE_UP_S = 3600.0
_DROPPED = frozenset({404, 410})
# Asked to stop, a process waits so long for its last words to be taken.
_DRAIN_S = 3.0


class Webhooks:
    """`tell(topic, url, kind, …)`: topics are independent of each other, within one the order is kept."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._session: aiohttp.ClientSession | None = None
        self._waiting: dict[str, deque[tuple[str, bytes, float]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, topic: str, url: str, kind: str, more: Mapping[str, object]) -> None:
        body = {"id": secrets.token_hex(16), "kind": kind, "at": datetime.now(UTC).isoformat(), **more}
        queue = self._waiting.get(topic)
        if queue is None:
            queue = self._waiting[topic] = deque()
            task = asyncio.create_task(self._deliver_all(topic, queue), name="media webhooks")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        queue.append((url, json.dumps(body, ensure_ascii=False).encode(), time.monotonic()))

    async def _deliver_all(self, topic: str, queue: deque[tuple[str, bytes, float]]) -> None:
        while queue:
            await self._deliver(*queue[0])
            queue.popleft()
        del self._waiting[topic]

    async def _deliver(self, url: str, body: bytes, since: float) -> None:
        delay_s = _FIRST_S
        while True:
            status = await self._post(url, body)
            if 200 <= status < 300:
                return
            if status in _DROPPED or time.monotonic() - since > _GIVE_UP_S:
                log.warning("media.webhook_dropped", extra={"status": status})
                return
            await asyncio.sleep(delay_s * (0.8 + 0.4 * random.random()))
            delay_s = min(2 * delay_s, _LONGEST_S)

    async def _post(self, url: str, body: bytes) -> int:
        """The status; 0 when there was no answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        path = urlsplit(url).path or "/"
        headers = signed_headers(self._key, int(time.time()), "POST", path, body)
        try:
            async with self._session.post(
                url, data=body, headers={**headers, "content-type": "application/json"}, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.info("media.webhook_failed", extra={"fault": type(error).__name__})
            return 0

    async def close(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_DRAIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
