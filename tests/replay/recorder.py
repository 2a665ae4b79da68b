"""A console that only takes notes: the snapshot it began with and every frame since, as stream.ts goes about it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from tests.support.running_hub import House, Person

Json = dict[str, Any]


def position(token: str) -> int:
    return int(token.rpartition("-")[2])


@dataclass
class Recorder:
    """Begins anew (fresh snapshot, no frames) when it is told to resync or its own rights changed; comes back from its
    token when its line was cut (`cut`)."""

    house: House
    person: Person
    snapshot: Json = field(default_factory=dict)
    frames: list[Json] = field(default_factory=list)
    token: str = ""
    beginnings: int = 0
    _connection: ClientConnection | None = None
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def begin(self) -> None:
        self.snapshot = await self.house.snapshot(self.person)
        self.frames, self.token = [], self.snapshot["token"]
        self.beginnings += 1

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            path = f"/live?since={self.token}"
            async with self.house.connect(path, cookie=self.person.cookie) as self._connection:
                try:
                    while not await self._take(json.loads(await self._connection.recv())):
                        pass
                    await self.begin()
                except websockets.ConnectionClosed:
                    pass  # and again, from the token

    async def _take(self, message: Json) -> bool:
        """True when it has to begin anew."""
        if "resync" in message:
            return True
        if "events" not in message:
            return False
        assert message["prev"] == self.token, "the chain of tokens is broken"
        self.frames.append(message)
        self.token = message["token"]
        async with self._moved:
            self._moved.notify_all()
        mine = [event for event in message["events"] if event["kind"] == "access.changed"]
        return any(event["user_id"] == self.person.user_id for event in mine)

    async def cut(self) -> None:
        if self._connection is not None:
            self._connection.transport.abort()

    async def until(self, token: str) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: position(self.token) >= position(token))

    @property
    def recording(self) -> Json:
        return {"snapshot": self.snapshot, "frames": list(self.frames)}
