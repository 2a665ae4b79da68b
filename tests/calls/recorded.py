"""Recordings as tests make them: sounds, calls that were recorded, and a provider that keeps them behind real HTTP."""

from __future__ import annotations

import asyncio
import io
import math
import wave
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.agents.viewer import Viewer
from hub.calls import recordings
from hub.calls.recording_fetcher import RecordingFetcher
from hub.channels.voice import RecordingReady, RecordingRef
from hub.domain.values import ChannelKind
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.files import Files
from hub.store.recordings import Recordings
from hub.store.stream import Wakes
from hub.store.vault import Vault
from hub.timeline import channels
from hub.timeline.adapters import Adapters
from tests.calls.caller import Line
from tests.demo.conftest import serving
from tests.support.scene import Scene

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
SECRET_KEY = "a-secret-key-for-tests-only"
SID = "RE" + "0123456789abcdef" * 2


def wav(seconds: float = 2.0, *, rate: int = 8000, loud: tuple[float, ...] = (0.6, 0.3)) -> bytes:
    """A tone, so loud in each channel; the first channel speaks in the first half, the second in the other."""
    samples = array("h")
    frames = round(seconds * rate)
    for index in range(frames):
        for channel, height in enumerate(loud):
            speaks = (index * len(loud) // frames) == channel
            samples.append(round(32767 * height * math.sin(index * 0.5)) if speaks else 0)
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(len(loud))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return written.getvalue()


@dataclass
class Shelf:
    """The far side of the wire: recordings by their sid, as Twilio's API gives and deletes them. `status` instead, if it
    is set."""

    sounds: dict[str, bytes] = field(default_factory=dict)
    status: int | None = None
    asked: list[str] = field(default_factory=list)
    # Set: whoever fetches waits for it.
    gate: asyncio.Event | None = None
    url: str = ""

    @property
    def app(self) -> Starlette:
        path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Recordings/{{name}}"
        return Starlette(routes=[Route(path, self._answer, methods=["GET", "DELETE"])])

    async def _answer(self, request: Request) -> Response:
        name, _, ending = request.path_params["name"].partition(".")
        self.asked.append(f"{request.method} {name}")
        if self.gate is not None and ending == "wav":
            await self.gate.wait()
        if self.status is not None:
            return JSONResponse({"code": 20500, "message": "no"}, self.status)
        if request.method == "DELETE":
            return Response(status_code=204 if self.sounds.pop(name, None) is not None else 404)
        if name not in self.sounds:
            return JSONResponse({"code": 20404, "message": "not found"}, 404)
        if ending == "json":
            return JSONResponse({"sid": name, "status": "completed"})
        return Response(self.sounds[name], media_type="audio/x-wav")


async def told_ready(line: Line, call_id: int, sid: str) -> int:
    """The provider tells that a recording of this call, in two channels, can be fetched; the recording's id."""
    room = (await line.scene.row(tables.call, id=call_id))["room"]
    ready = RecordingReady(
        provider_id=line.key(),
        recording=RecordingRef(sid, f"https://api.twilio.test/{sid}", 2),
        duration_s=1.0,
        received_at=line.scene.database.clock(),
        room=room,
    )
    await line.tell(ready)
    return int((await line.scene.row(tables.recording, call_id=call_id, provider_id=sid))["id"])


@dataclass
class Studio:
    """A database, a Twilio line whose provider is a Shelf, and one process's fetcher."""

    scene: Scene
    line: Line
    shelf: Shelf
    folder: Path
    store: Recordings
    fetcher: RecordingFetcher
    adapters: Adapters

    def another_process(self) -> RecordingFetcher:
        return RecordingFetcher(self.scene.database, Wakes(), self.adapters, self.store)

    async def recorded(self, agent: Viewer | None = None, sound: bytes | None = None, **more: Any) -> int:
        """A call that an agent took and that was recorded; the recording's id. It is with the provider."""
        agent = agent or await self.scene.agent()
        call_id = await self.line.talk(agent, more.pop("number", "+37477123456"))
        return await self.ready(call_id, sound, **more)

    async def ready(self, call_id: int, sound: bytes | None = None, sid: str = SID) -> int:
        """The provider says that a recording of this call can be fetched."""
        self.shelf.sounds[sid] = wav() if sound is None else sound
        return await told_ready(self.line, call_id, sid)

    async def row(self, recording_id: int) -> dict[str, Any]:
        return await self.scene.row(tables.recording, id=recording_id)

    async def work_off(self, fetcher: RecordingFetcher | None = None) -> None:
        """All that is due now, and no more."""
        fetcher = fetcher or self.fetcher
        while await fetcher._round() or fetcher._running:
            if fetcher._running:
                await asyncio.wait(set(fetcher._running))

    async def delete(self, viewer: Viewer, recording_id: int) -> None:
        await self.scene.database.transaction(recordings.delete, viewer, recording_id)

    @property
    def kept(self) -> list[Path]:
        """All files that lie in the directory."""
        return sorted(path for path in (self.folder / "files").glob("*/*") if path.is_file())


@asynccontextmanager
async def open_studio(database: Database, folder: Path, store: Recordings | None = None) -> AsyncIterator[Studio]:
    scene = await Scene(database).set_up()
    shelf = Shelf()
    vault = Vault(SECRET_KEY)
    adapters = Adapters(database, vault, "https://hub.test")
    store = store or Recordings(Files(folder / "files"))

    async with serving(shelf.app) as url:
        shelf.url = url

        def add_line(tx: Tx) -> None:
            channels.create_channel(
                tx,
                vault,
                channel_id="phone",
                kind=ChannelKind.PHONE,
                provider="twilio",
                name="Telephone",
                queue_id=scene.queue_id,
                settings={"account_sid": ACCOUNT_SID, "number": "+15005550006", "api_base": url},
                secrets={"auth_token": "demo-token"},
            )

        await database.transaction(add_line)
        fetcher = RecordingFetcher(database, Wakes(), adapters, store)
        try:
            yield Studio(scene, Line(scene), shelf, folder, store, fetcher, adapters)
        finally:
            await adapters.close()
