"""The hub's own line, whole: a real hub, a real media process, and people who speak in tones over real WebRTC.

async with line_house(database_url, tmp_path) as line:
    agent = await line.agent("Nare")
    customer = await line.customer(440)
    await customer.calls()
    call = await agent.takes(1200)          # accepts what rings, and connects
    await customer.until_hears(1200)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from websockets.asyncio.client import ClientConnection

from hub.domain.values import ChannelKind, Role
from hub.media.peer import Addresses
from hub.media.process import Media, Plan
from hub.store.database import Tx
from hub.store.vault import Vault
from hub.timeline import channels
from tests.media.line import ABSENT, RATE, THERE, Tone, served, strength, until
from tests.support.running_hub import SECRET_KEY, House, Person, Screen, run_hub

Json = dict[str, Any]
PATIENCE_S = 30.0
_WINDOW_S = 0.2


@dataclass
class Voice:
    """Somebody with a browser: a tone of their own, and what they hear."""

    hertz: float
    is_speaking: bool = True
    connection: RTCPeerConnection | None = None
    microphone: Tone | None = None
    heard: array[int] = field(default_factory=lambda: array("h"))
    _listening: list[asyncio.Task[None]] = field(default_factory=list)

    async def offer(self) -> str:
        """A new connection's offer."""
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.on("track", self._listen)
        self.microphone = Tone(self.hertz if self.is_speaking else 0)
        self.connection.addTransceiver(self.microphone, direction="sendrecv")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return str(self.connection.localDescription.sdp)

    async def answered(self, sdp: str) -> None:
        assert self.connection is not None
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    def speaks(self, is_speaking: bool) -> None:
        """Or is silent, from now on."""
        self.is_speaking = is_speaking
        if self.microphone is not None:
            self.microphone.hertz = self.hertz if is_speaking else 0

    def _listen(self, track: MediaStreamTrack) -> None:
        async def work() -> None:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            with contextlib.suppress(Exception):
                while True:
                    for part in resampler.resample(await track.recv()):  # type: ignore[arg-type]
                        self.heard.frombytes(bytes(part.planes[0])[: 2 * part.samples])

        self._listening.append(asyncio.create_task(work()))

    def strength(self, hertz: float) -> float:
        return strength(self.heard[-round(_WINDOW_S * RATE) :], hertz)

    async def until_hears(self, hertz: float) -> None:
        await until(lambda: self.strength(hertz) > THERE, f"{self.hertz} hears {hertz}")

    async def until_not_hears(self, hertz: float) -> None:
        await until(lambda: self.strength(hertz) < ABSENT, f"{self.hertz} does not hear {hertz}")

    async def leave(self) -> None:
        """The page is closed, or loaded anew."""
        if self.connection is not None:
            await self.connection.close()

    async def close(self) -> None:
        await self.leave()
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)


@dataclass
class Customer(Voice):
    socket: ClientConnection | None = None
    token: str = ""
    messages: list[Json] = field(default_factory=list)

    async def send(self, **message: Any) -> None:
        assert self.socket is not None
        await self.socket.send(json.dumps(message))

    async def told(self, **wanted: Any) -> Json:
        """Reads on until a message has come that holds all this; one is found once."""
        assert self.socket is not None
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for index, message in enumerate(self.messages):
                    if all(message.get(name) == value for name, value in wanted.items()):
                        return self.messages.pop(index)
                self.messages.append(json.loads(await self.socket.recv()))

    async def calls(self, language: str | None = None) -> None:
        await self.send(type="call", sdp=await self.offer(), language=language)
        answer = await self.told(type="answer")
        self.token = answer["token"]
        await self.answered(answer["sdp"])


@dataclass
class Agent(Voice):
    line: HubLineHouse = field(default=None)  # type: ignore[assignment]
    person: Person = field(default=None)  # type: ignore[assignment]
    screen: Screen = field(default=None)  # type: ignore[assignment]

    async def post(self, path: str, body: Any = None, *, status: int = 200) -> Json:
        answer = await self.line.house.api(self.person).post(path, body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else {}

    async def call(self, call_id: int) -> Json:
        found: Json = (await self.line.house.api(self.person).get(f"/calls/{call_id}")).json()
        return found

    async def until_call(self, **wanted: Any) -> Json:
        """Reads on until a call is told of that is all this, last of all that was told of it."""

        def newest() -> Json | None:
            calls: dict[int, Json] = {}
            for event in self.screen.events:
                if event["kind"] == "call.changed":
                    calls[event["call"]["id"]] = event["call"]
            fitting = [c for c in calls.values() if all(c.get(name) == value for name, value in wanted.items())]
            return fitting[-1] if fitting else None

        await self.screen.until(lambda _: newest() is not None)
        found = newest()
        assert found is not None
        return found

    async def until_offered(self) -> Json:
        def live(screen: Screen) -> Json | None:
            ended = {e["offer"]["id"] for e in screen.events if e["kind"] == "offer.ended"}
            mine = [
                e["offer"]
                for e in screen.events
                if e["kind"] == "offer.made"
                and e["offer"]["id"] not in ended
                and e["offer"]["agent_id"] == self.person.user_id
            ]
            return mine[-1] if mine else None

        await self.screen.until(live)
        found = live(self.screen)
        assert found is not None
        return found

    async def connects(self, call_id: int) -> None:
        answer = await self.post(f"/calls/{call_id}/line", {"sdp": await self.offer()})
        await self.answered(answer["sdp"])

    async def takes(self) -> int:
        """Accepts what rings and connects; the call's id."""
        offer = await self.until_offered()
        view = await self.post(f"/offers/{offer['id']}/accept")
        await self.connects(view["call_id"])
        return int(view["call_id"])


@dataclass
class HubLineHouse:
    house: House
    media: Media
    _stack: contextlib.AsyncExitStack

    async def agent(self, name: str, hertz: float, role: Role = Role.AGENT) -> Agent:
        person = await self.house.person(name, role)
        screen = await self._stack.enter_async_context(self.house.screen(person))
        await self.house.api(person).put("/me/state", {"state": "available"})
        agent = Agent(hertz, line=self, person=person, screen=screen)
        self._stack.push_async_callback(agent.close)
        return agent

    async def customer(self, hertz: float, cookie: str = "") -> Customer:
        cookie = cookie or await self.house.visit()
        socket = await self._stack.enter_async_context(self.house.connect("/chat/chat/call", cookie=cookie))
        customer = Customer(hertz, socket=socket)
        self._stack.push_async_callback(customer.close)
        return customer


def media_plan(folder: Path, key: bytes, **more: Any) -> Plan:
    """A media process that shares nothing with the hub but the key."""
    return Plan(
        "127.0.0.1",
        0,
        key=key,
        data_dir=folder / "media",
        files_dir=folder / "files",
        addresses=Addresses(("127.0.0.1",)),
        **more,
    )


@contextlib.asynccontextmanager
async def line_house(database_url: str, folder: Path, **media: Any) -> AsyncIterator[HubLineHouse]:
    process = Media(media_plan(folder, Vault(SECRET_KEY).key("media"), **media))
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(process.app))
        house = await stack.enter_async_context(run_hub(database_url, folder, media_url=url))
        await house.channel("chat", ChannelKind.CHAT)

        def add_line(tx: Tx) -> None:
            channels.create_channel(
                tx,
                house.hub.vault,
                channel_id="line",
                kind=ChannelKind.PHONE,
                provider="hub",
                name="Hub line",
                queue_id=house.queue_id,
                settings={"chat_channel_id": "chat", "title": "Call us"},
                secrets={},
            )

        await house.hub.database.transaction(add_line)
        # Last: here all share one loop, and a hub that starts would look like a line that is too late to carry anybody.
        await stack.enter_async_context(process.running())
        people = await stack.enter_async_context(contextlib.AsyncExitStack())
        yield HubLineHouse(house, process, people)
