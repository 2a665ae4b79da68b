"""An exchange whose ticks are the test's, with legs that are lists of frames: no network, no clock."""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.channels.voice import Scene
from hub.domain.calls import LegEnd, Party
from hub.media.codec import PCMU, Codec, tone
from hub.media.exchange import Exchange, Order, Participant
from hub.media.frame import FRAMES_PER_S, Frame
from hub.media.prompts import Prompts
from hub.media.recording import Shelf
from tests.media.line import strength

Json = dict[str, Any]


@dataclass
class Handset:
    """A hub.media.leg.Leg. `says`: the pitch of what this party says, 0 for nothing; `heard`: every frame given to it."""

    codec: Codec
    connected: Callable[[], None]
    ended: Callable[[LegEnd], None]
    says: float = 0
    is_connected: bool = False
    is_closed: bool = False
    heard: list[Frame | None] = field(default_factory=list)
    _voice: array[int] = field(default_factory=lambda: array("h"))

    def pick_up(self) -> None:
        self.is_connected = True
        self.connected()

    def hang_up(self) -> None:
        self.is_connected = False
        self.ended(LegEnd.HUNG_UP)

    def take(self) -> Frame | None:
        if not self.says:
            return None
        if len(self._voice) < self.codec.size:
            self._voice = tone(self.codec, self.says, 1.0, 0.3)
        cut, self._voice = self._voice[: self.codec.size], self._voice[self.codec.size :]
        return Frame(cut)

    def give(self, frame: Frame | None) -> None:
        self.heard.append(frame)

    async def close(self) -> None:
        self.is_connected = False
        self.is_closed = True

    def samples(self, last_s: float) -> array[int]:
        pcm = array("h")
        for frame in self.heard[-round(last_s * FRAMES_PER_S) :]:
            pcm += array("h", bytes(2 * self.codec.size)) if frame is None else frame.pcm
        return pcm

    def strength(self, hertz: float, last_s: float = 0.2) -> float:
        return strength(self.samples(last_s), hertz, self.codec.rate)


@dataclass
class Hall:
    exchange: Exchange
    hooks: list[Json]
    sets: dict[str, Handset] = field(default_factory=dict)

    def ring(self, token: str, party: Party, scene: Scene, *, room: str = "room", version: int = 1) -> Handset:
        """A leg that is not picked up yet."""

        def new_leg(connected: Callable[[], None], ended: Callable[[LegEnd], None]) -> Handset:
            return Handset(self.exchange.codec, connected, ended)

        order = Order(scene, version, room, party)
        self.sets[token] = self.exchange.connect(
            token, order, new_leg, webhook_url=f"http://hub.test/{token}", caller={"kind": "visitor"}, line="page"
        )
        return self.sets[token]

    def call(self, token: str, party: Party, scene: Scene, *, says: float = 0, room: str = "room") -> Handset:
        handset = self.ring(token, party, scene, room=room)
        handset.says = says
        handset.pick_up()
        return handset

    def order(self, token: str, scene: Scene, version: int, peers: Mapping[int, str] | None = None) -> None:
        party = self.exchange.access(token)
        party.take_order(Order(scene, version, party.order.room, party.party, peers or {}))

    def party(self, token: str) -> Participant:
        return self.exchange.access(token)

    async def seconds(self, seconds: float) -> None:
        """So much time passes for everybody. Prompts that are being made ready are waited for."""
        for _ in range(round(seconds * FRAMES_PER_S)):
            self.exchange.tick()
            await asyncio.sleep(0)
            loading = [task for task in self.exchange.prompts._kept.values() if not task.done()]
            if loading:
                await asyncio.wait(loading)

    async def settle(self) -> None:
        """All that was begun (the end of a recording, a last word) is done."""
        while self.exchange._tasks:
            await asyncio.wait(self.exchange._tasks)

    def told(self, kind: str) -> list[Json]:
        return [hook for hook in self.hooks if hook["kind"] == kind]


@contextlib.asynccontextmanager
async def hall(directory: Path, *, codec: Codec = PCMU, limit: int = 40) -> AsyncIterator[Hall]:
    hooks: list[Json] = []

    def tell(topic: str, url: str, kind: str, more: Mapping[str, object]) -> None:
        hooks.append({"topic": topic, "url": url, "kind": kind, **more})

    prompts = Prompts(codec, directory / "files", directory)
    shelf = Shelf(codec, directory / "recordings")
    exchange = Exchange(codec, prompts, shelf, tell, limit=limit)
    await prompts.start()
    try:
        yield Hall(exchange, hooks)
    finally:
        await exchange.close()
        await prompts.close()
        shelf.close()
