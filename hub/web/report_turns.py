"""Whose turn it is to have a report made: reports of years take seconds, and nobody else's screen may wait for them."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.errors import Overloaded, TooMany

# Of the four that read SQLite at once two are left for all else (store.database).
AT_ONCE = 2
# A page of reports asks for some ten things; nobody looks at more of them at once than that.
WAITING_OF_ONE = 20
PATIENCE_S = 30.0


class ReportTurns:
    """Of each person one report is made at a time, of all people AT_ONCE, in each process."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._own: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asking: Counter[int] = Counter()

    @asynccontextmanager
    async def turn_of(self, person: int) -> AsyncIterator[None]:
        """Waits for it. TooMany: this person has too many others waiting; Overloaded: it did not come in PATIENCE_S."""
        if self._asking[person] >= WAITING_OF_ONE:
            raise TooMany("too many of your reports are being made: wait for the first of them", retry_after_s=5)
        self._asking[person] += 1
        try:
            async with self._own[person]:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        await self._turns.acquire()
                except TimeoutError:
                    raise Overloaded("many reports are being made: ask again in a moment", retry_after_s=10) from None
                try:
                    yield
                finally:
                    self._turns.release()
        finally:
            self._asking[person] -= 1
            if not self._asking[person]:
                del self._asking[person], self._own[person]
