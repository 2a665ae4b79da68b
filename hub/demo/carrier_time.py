"""The carrier's clock: in the demo a Say lasts as long as its words take; in tests nobody waits.

WallTime      real time, divided by `speed`
DrivenTime    stands still until a test lets it pass: `await time.forward(30)`
"""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol


class Time(Protocol):
    def now(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None: ...


class WallTime:
    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


class DrivenTime:
    """Who sleeps wakes in the order of their time. The clock begins at the real now, so that its stamps look like any."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime.now(UTC)
        self._order = count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._order), waking))
        await waking

    async def forward(self, seconds: float) -> None:
        """Lets time pass. Whoever wakes gets the loop before time goes on; what they then ask of others over HTTP takes
        its own time."""
        await _settle()
        goal = self._now + timedelta(seconds=seconds)
        while self._sleepers and self._sleepers[0][0] <= goal:
            at, _, waking = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            if not waking.done():
                waking.set_result(None)
                await _settle()
        self._now = goal


async def _settle() -> None:
    """Lets whoever is about to sleep lie down first."""
    for _ in range(8):
        await asyncio.sleep(0)
