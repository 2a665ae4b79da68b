"""The windows of visitors that are open in this process, and writing down who came and who left (timeline.visitor_presence).

A window that opens is written down a moment later, together with all that opened meanwhile, so nobody waits for it and a
thousand visitors are few units of work. One that shuts is written down when the grace period is over and no other has opened
in its place: a reload, a page change and a short loss of the network write nothing at all.

    opened(visitor), shut(visitor)   by the sockets, at once
    until_noted(visitor)             before their word begins or opens a conversation, which shall not say that they are away
    run()                            writes; says that this process lives; sweeps up after those that do not
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from hub.agents import presence
from hub.errors import DatabaseAway
from hub.store.database import Database
from hub.store.stream import Wakes
from hub.timeline import visitor_presence
from hub.timeline.visitor_presence import Visitor

log = logging.getLogger(__name__)

_WAKE = "visitors"
# Windows that open are written down together, so often at most.
_GATHER_S = 0.5
# In one unit of work: nobody waits long for the writer.
_STEP = 500


class _Shut(NamedTuple):
    """`at` is what is told of it; `since`, of a clock that nobody sets, is what the grace period is counted by."""

    at: datetime
    since: float


class VisitorWindows:
    def __init__(self, database: Database, wakes: Wakes, *, process: str, grace_s: float) -> None:
        self.process = process
        self._database = database
        self._wakes = wakes
        self._grace_s = grace_s
        self._open: Counter[Visitor] = Counter()
        # Who is written down as having a window here; since when the last window of these is shut.
        self._noted: set[Visitor] = set()
        self._shut: dict[Visitor, _Shut] = {}
        # One unit of work at a time, so that what it was told is what it wrote.
        self._writing = asyncio.Lock()

    def opened(self, visitor: Visitor, *, is_noted: bool = False) -> None:
        """`is_noted`: what made them has written it down already."""
        self._open[visitor] += 1
        self._shut.pop(visitor, None)
        if is_noted:
            self._noted.add(visitor)
        elif visitor not in self._noted:
            self._wakes.set(_WAKE)

    def shut(self, visitor: Visitor) -> None:
        self._open[visitor] -= 1
        if self._open[visitor] <= 0:
            del self._open[visitor]
            self._shut[visitor] = _Shut(self._database.clock(), monotonic())
            # Its grace period may end before whatever `run` waits for now.
            self._wakes.set(_WAKE)

    async def until_noted(self, visitor: Visitor) -> None:
        """With all that opened meanwhile: a thousand who come back and write at once do not wait for each other."""
        while visitor in self._open and visitor not in self._noted:
            await self._write({}, first=visitor)

    async def run(self) -> None:
        up_since = monotonic()
        next_beat = asyncio.get_running_loop().time()
        while True:
            try:
                if asyncio.get_running_loop().time() >= next_beat:
                    next_beat = asyncio.get_running_loop().time() + presence.HEARTBEAT_S
                    await self._beat(up_since)
                await self._catch_up()
            except DatabaseAway:
                log.warning("visitors.away")  # what is not written down is tried again
            wait_s = min(next_beat - asyncio.get_running_loop().time(), self._next_goodbye_s())
            await self._wakes.wait(_WAKE, max(0.0, wait_s))
            await asyncio.sleep(_GATHER_S)

    async def _beat(self, up_since: float) -> None:
        grace_s = self._grace_s
        silence = visitor_presence.silence(grace_s)
        async with self._writing:
            if not await self._database.transaction(presence.say_alive, self.process, silence):
                # It was silent for too long, and perhaps taken for dead.
                self._noted.clear()
        if monotonic() - up_since < grace_s or not await self._database.read(visitor_presence.has_dead, grace_s):
            return
        while await self._database.transaction(visitor_presence.sweep, grace_s):
            pass

    def _next_goodbye_s(self) -> float:
        """How long until the next grace period is over. They end in the order in which they began."""
        first = next(iter(self._shut.values()), None)
        if first is None:
            return presence.HEARTBEAT_S
        return first.since + self._grace_s - monotonic()

    async def _catch_up(self) -> None:
        """Writes down all that is to be written down by now."""
        while True:
            over = monotonic() - self._grace_s
            left = {visitor: shut for visitor, shut in self._shut.items() if shut.since <= over}
            if not left and self._open.keys() <= self._noted:
                return
            await self._write(dict(list(left.items())[:_STEP]))

    async def _write(self, left: dict[Visitor, _Shut], first: Visitor | None = None) -> None:
        """Who has left, and who came, `first` among them; of many a part."""
        async with self._writing:
            if first is not None and first in self._noted:
                return
            missing = self._open.keys() - self._noted
            came = list(missing)[:_STEP]
            if first is not None and first in missing and first not in came:
                came[-1] = first
            left = {visitor: shut for visitor, shut in left.items() if self._shut.get(visitor) == shut}
            if not came and not left:
                return
            instants = {visitor: shut.at for visitor, shut in left.items()}
            await self._database.transaction(visitor_presence.note, self.process, came, instants)
            # Whoever opened a window again meanwhile is to be written down again.
            self._noted -= left.keys()
            for visitor, shut in left.items():
                if self._shut.get(visitor) == shut:
                    del self._shut[visitor]
            self._noted.update(came)
