"""A media process in the test's event loop, a hub that takes its webhooks, and callers who speak in tones.

async with media_line(tmp_path) as line:
    anna = await line.call("anna", Party.CUSTOMER, Talk(), hertz=440)
    assert anna.hears(660)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from array import array
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx2
import uvicorn
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hub.channels.voice import Scene, Talk
from hub.domain.calls import Party
from hub.media.peer import Addresses
from hub.media.process import Media, Plan
from hub.media.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, check_signature, signed_headers
from tests.support.postgres import find_free_port

KEY = b"k" * 32
RATE = 48_000
PATIENCE_S = 30.0
# What one hears is judged by the last 200 ms.
_WINDOW_S = 0.2
# Of a tone that is there, one sees at least this much of its strength; of one that is not, no more than that.
THERE, ABSENT = 500.0, 30.0
TALK = Talk()

Json = dict[str, Any]


def strength(samples: array[int], hertz: float, rate: int = RATE) -> float:
    """The amplitude of one tone in a sound (Goertzel's algorithm, through a Hann window: other tones do not leak in)."""
    count = len(samples)
    if not count:
        return 0.0
    turn = 2 * math.pi * hertz / rate
    factor, before, last = 2 * math.cos(turn), 0.0, 0.0
    for at, sample in enumerate(samples):
        faded = sample * (0.5 - 0.5 * math.cos(2 * math.pi * at / count))
        before, last = last, faded + factor * last - before
    power = last * last + before * before - factor * last * before
    return 4 * math.sqrt(max(0.0, power)) / count


class Tone(MediaStreamTrack):
    """A sine of 20 ms frames in real time; 0 Hz is silence."""

    kind = "audio"

    def __init__(self, hertz: float) -> None:
        super().__init__()
        self.hertz = hertz
        self._at = 0
        self._began = 0.0

    async def recv(self) -> av.AudioFrame:
        size = RATE // 50
        if not self._at:
            # Not before there is somebody to speak to.
            self._began = time.monotonic()
        await asyncio.sleep(max(0.0, self._began + self._at / RATE - time.monotonic()))
        turn = 2 * math.pi * self.hertz / RATE
        pcm = array("h", (round(8000 * math.sin(turn * (self._at + at))) for at in range(size)))
        frame = av.AudioFrame("s16", "mono", size)
        frame.planes[0].update(pcm.tobytes())
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self._at
        self._at += size
        return frame


@dataclass
class Caller:
    """Somebody with a browser."""

    token: str
    party: Party
    connection: RTCPeerConnection
    tone: Tone
    line: Line
    heard: array[int] = field(default_factory=lambda: array("h"))
    _listening: asyncio.Task[None] | None = None

    def listen(self, track: MediaStreamTrack) -> None:
        async def work() -> None:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            with contextlib.suppress(Exception):
                while True:
                    for part in resampler.resample(await track.recv()):  # type: ignore[arg-type]
                        self.heard.frombytes(bytes(part.planes[0])[: 2 * part.samples])

        self._listening = asyncio.create_task(work())

    def strength(self, hertz: float) -> float:
        return strength(self.heard[-round(_WINDOW_S * RATE) :], hertz)

    async def until_hears(self, hertz: float) -> None:
        await until(lambda: self.strength(hertz) > THERE, f"{self.token} hears {hertz}")

    async def until_not_hears(self, hertz: float) -> None:
        await until(lambda: self.strength(hertz) < ABSENT, f"{self.token} does not hear {hertz}")

    async def next_seconds(self, seconds: float) -> array[int]:
        """What is heard from now on."""
        start = len(self.heard)
        await until(lambda: len(self.heard) >= start + seconds * RATE, "sound goes on")
        return self.heard[start:]

    async def scene(self, scene: Scene, version: int, **more: Any) -> httpx2.Response:
        body = {"scene": asdict(scene), "scene_version": version, "room": "room", "party": self.party.value, **more}
        return await self.line.post(f"/legs/{self.token}/scene", body)

    async def close(self) -> None:
        await self.connection.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)


async def until(is_so: Callable[[], Any], words: str) -> None:
    """Sound comes by itself, and nothing tells that it has."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"it never came to be: {words}"
        await asyncio.sleep(0.02)


@dataclass
class Line:
    media: Media
    url: str
    hub_url: str
    client: httpx2.AsyncClient
    codec: str
    hooks: list[Json] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    answers: list[int] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)

    async def request(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        content = json.dumps(body).encode() if body is not None else b""
        headers = signed_headers(KEY, int(time.time()), method, path, content)
        return await self.client.request(method, self.url + path, content=content, headers=headers)

    async def post(self, path: str, body: Any) -> httpx2.Response:
        return await self.request("POST", path, body)

    async def hook(self, kind: str, **wanted: Any) -> Json:
        """The first webhook like this that was not asked for yet."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for at, each in enumerate(self.hooks):
                    if each["kind"] == kind and all(each.get(name) == value for name, value in wanted.items()):
                        return self.hooks.pop(at)
                self.came.clear()
                await self.came.wait()

    async def take(self, request: Request) -> Response:
        body = await request.body()
        check_signature(
            KEY,
            time.time(),
            signature=request.headers[SIGNATURE_HEADER],
            timestamp=request.headers[TIMESTAMP_HEADER],
            method="POST",
            path=request.url.path,
            body=body,
        )
        status = self.answers.pop(0) if self.answers else 204
        if status < 300:
            self.hooks.append(json.loads(body))
            self.came.set()
        return Response(status_code=status)

    async def dial(
        self,
        token: str,
        party: Party,
        scene: Scene,
        *,
        hertz: float = 0,
        direction: str = "sendrecv",
        answered: bool = True,
        **more: Any,
    ) -> httpx2.Response:
        """The answer of the media process to an offer; `self.callers[-1]` has made it. Not `answered`: the page is gone
        before it has read the answer."""
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        caller = Caller(token, party, connection, Tone(hertz), self)
        self.callers.append(caller)
        connection.on("track", caller.listen)
        transceiver = connection.addTransceiver(caller.tone, direction=direction)
        mime = {"opus": "audio/opus", "pcmu": "audio/PCMU"}[self.codec]
        transceiver.setCodecPreferences(
            [each for each in RTCRtpSender.getCapabilities("audio").codecs if each.mimeType == mime]
        )
        await connection.setLocalDescription(await connection.createOffer())
        body = {
            "webhook_url": f"{self.hub_url}/webhooks/line/voice",
            "party": party.value,
            "room": "room",
            "scene": asdict(scene),
            "scene_version": 1,
            "sdp": connection.localDescription.sdp,
            **more,
        }
        answer = await self.post(f"/legs/{token}/connect", body)
        if answer.status_code == 200 and answered:
            await connection.setRemoteDescription(RTCSessionDescription(answer.json()["sdp"], "answer"))
        return answer

    async def call(self, token: str, party: Party, scene: Scene = TALK, *, hertz: float = 0, **more: Any) -> Caller:
        answer = await self.dial(token, party, scene, hertz=hertz, **more)
        assert answer.status_code == 200, answer.text
        await self.hook("leg", token=token, state="connected")
        return self.callers[-1]


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    port = find_free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started, "the server is up")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


@contextlib.asynccontextmanager
async def media_line(directory: Path, *, codec: str = "opus", **more: Any) -> AsyncIterator[Line]:
    plan = Plan(
        "127.0.0.1",
        0,
        key=KEY,
        data_dir=directory,
        files_dir=directory / "files",
        codec=codec,
        addresses=Addresses(("127.0.0.1",)),
        **more,
    )
    media = Media(plan)
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx2.AsyncClient(timeout=PATIENCE_S))
        line = Line(media, "", "", client, codec)
        hub = Starlette(routes=[Route("/webhooks/line/voice", line.take, methods=["POST"])])
        line.hub_url = await stack.enter_async_context(served(hub))
        await stack.enter_async_context(media.running())
        line.url = await stack.enter_async_context(served(media.app))
        try:
            yield line
        finally:
            for caller in line.callers:
                await caller.close()
