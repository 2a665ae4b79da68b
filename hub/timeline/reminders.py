"""The loop that brings tasks back at their time (timeline.tasks says how)."""

from __future__ import annotations

import asyncio
import logging

from hub.errors import DatabaseAway
from hub.store.database import Database
from hub.store.stream import Wakes
from hub.timeline import tasks

log = logging.getLogger(__name__)

# Missed wakes and clocks that jump are made good by this; it is also how exactly "nobody saw to it" is kept.
_LOOK_EVERY_S = 30.0
_RETRY_S = 1.0


class Reminders:
    """For as long as the process lives."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes

    async def run(self) -> None:
        while True:
            try:
                await self.look()
                nearest = await self._database.read(tasks.load_nearest)
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            wait_s = _LOOK_EVERY_S
            if nearest is not None:
                wait_s = min(max((nearest - self._database.clock()).total_seconds(), 0.05), wait_s)
            await self._wakes.wait("tasks", wait_s)

    async def look(self) -> None:
        """Brings back what is due, and tells of what was left. Each in a unit of work of its own: one stops no other."""
        for task_id in await self._database.read(tasks.find_due):
            await self._database.transaction(tasks.fire, task_id)
        for task_id in await self._database.read(tasks.find_left):
            await self._database.transaction(tasks.leave, task_id)
