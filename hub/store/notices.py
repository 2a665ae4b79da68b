"""What processes tell each other beside the tables: "look now" notices and volatile events (typing, viewing).

On SQLite there is one process and this is a function call; on PostgreSQL it is LISTEN/NOTIFY. Both are hints: a lost one
costs a second at most (store.stream.Tail looks by itself), or a typing mark.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy.engine import make_url

from hub.domain.events import VolatileEvent
from hub.store.database import NOTICE_CHANNEL, Database, Notice, PostgresDatabase, encode_event

log = logging.getLogger(__name__)

# PostgreSQL refuses a notice of 8,000 bytes or more (documentation of NOTIFY, version 17).
_NOTICE_LIMIT_BYTES = 7_900
_RETRY_S = 1.0

VolatileListener = Callable[[str, frozenset[str]], None]


class Notices:
    """`say` tells every process a volatile event; `listen` registers who hears it (JSON body, topics) here."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: list[VolatileListener] = []
        self._origin = secrets.token_hex(6)
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(maxsize=1_000)

    def listen(self, listener: VolatileListener) -> None:
        self._listeners.append(listener)

    def say(self, event: VolatileEvent, topics: Iterable[str]) -> None:
        body, audience = encode_event(event), frozenset(topics)
        self._hear(body, audience)
        if isinstance(self._database, PostgresDatabase):
            payload = json.dumps({"from": self._origin, "volatile": body, "topics": sorted(audience)})
            if len(payload.encode()) < _NOTICE_LIMIT_BYTES and not self._outgoing.full():
                self._outgoing.put_nowait(payload)

    def _hear(self, body: str, topics: frozenset[str]) -> None:
        for listener in self._listeners:
            listener(body, topics)

    def _received(self, _connection: Any, _pid: int, _channel: str, payload: Any) -> None:
        message = json.loads(payload)
        if "volatile" in message:
            if message["from"] != self._origin:
                self._hear(message["volatile"], frozenset(message["topics"]))
            return
        notice = Notice(message["seq"], frozenset(message["wakes"]))
        for callback in self._database.on_notice:
            callback(notice)

    async def run(self) -> None:
        """Holds the LISTEN connection, coming back after every loss. On SQLite there is nothing to hold."""
        if not isinstance(self._database, PostgresDatabase):
            return
        # The same words as the pool's connections (ssl, passwords, hosts) by the same reading of the address.
        url = make_url(self._database.url)
        _, arguments = url.get_dialect()().create_connect_args(url)
        import asyncpg  # late: SQLite has no use for it

        while True:
            try:
                connection = await asyncpg.connect(**arguments, timeout=5)
                try:
                    await connection.add_listener(NOTICE_CHANNEL, self._received)
                    # What was committed while nobody listened: look once.
                    for callback in self._database.on_notice:
                        callback(Notice(0, frozenset({"routing", "outbox", "media"})))
                    await self._forward(connection)
                finally:
                    connection.terminate()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("notices.away", extra={"detail": type(error).__name__})
                await asyncio.sleep(_RETRY_S)

    async def _forward(self, connection: Any) -> None:
        """Sends what `say` queued; a broken connection ends it (an empty query every few seconds finds a silent one)."""
        while True:
            try:
                async with asyncio.timeout(5):
                    payload = await self._outgoing.get()
            except TimeoutError:
                await connection.execute("SELECT 1", timeout=5)
                continue
            await connection.execute("SELECT pg_notify($1, $2)", NOTICE_CHANNEL, payload, timeout=5)
