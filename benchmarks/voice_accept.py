"""From an agent's press on "accept" until customer and agent hear each other, on the hub's own line.

`hub demo` with its media process, and in this process the two browsers: aiortc at both ends, on 127.0.0.1. The customer
waits in the queue and hears music. As in the console, the agent's microphone and offer are ready while it rings; then

    accept → the call → its line (offer, answer) → ICE and DTLS → the first sound, in both directions

Each speaks in a tone. One is heard when it stands in the last 20 ms that came, looked for every 5 ms; what the jitter
buffers of aiortc add is in it, what a sound card adds is not. One call after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import httpx2
import websockets
from websockets.typing import Origin

from benchmarks.report import Cell, Plan, Result, Target, percentile
from tests.calls.hub_line import Customer, Voice
from tests.media.line import RATE, strength
from tests.support.hub_line import await_line, visit
from tests.support.hub_process import HubProcess

_CALLS = 40
# The first call loads what later ones have.
_WARM_UP = 2
_CUSTOMER_HZ, _AGENT_HZ = 2_300.0, 3_100.0
# Of 8,000 that are spoken. The music has a fifth of that up there at most.
_HEARD = 2_500.0
_FRAME = RATE // 50
_LOOK_S = 0.005
_PATIENCE_S = 20.0
_CHANNEL = "chat-demo"

Json = dict[str, Any]


def run(plan: Plan) -> Result:
    count = 5 if plan.quick else _CALLS
    with (
        tempfile.TemporaryDirectory(prefix="hub-voice-") as folder,
        HubProcess(["demo", "--quiet"], Path(folder) / "data", media_url="", media_addresses="127.0.0.1") as hub,
    ):
        with contextlib.closing(sqlite3.connect(hub.data_dir / "hub.db", timeout=30)) as database, database:
            # No menu: callers come to the queue at once.
            database.execute("UPDATE channel SET flow_id = NULL")
        await_line(hub.url, _CHANNEL)
        measured = asyncio.run(_measure(hub.url, count))
    result = Result(
        "voice_accept", f"agent accepts → customer and agent hear each other; milliseconds of {count} calls"
    )
    for name, times in measured.items():
        ordered = sorted(1e3 * each for each in times)
        row: dict[str, Cell] = {"until": name, "calls": count}
        row |= {f"p{share}": round(percentile(ordered, share / 100)) for share in (50, 95)}
        result.rows.append(row | {"max": round(ordered[-1])})
    p95 = result.rows[-1]["p95"]
    assert isinstance(p95, int)
    result.targets.append(Target("accept → two-way audio p95", 800.0, p95, "ms", is_ceiling=True))
    return result


class _Desk:
    """The agent's console: what it asks of the hub, and what the live line tells it."""

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self._url, self._client = url, client
        self._headers: dict[str, str] = {}
        self._offers: asyncio.Queue[Json] = asyncio.Queue()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self._client.request(method, f"/api/v1{path}", json=body, headers=self._headers)
        if answer.status_code >= 300:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        signed_in = await self.ask("POST", "/session", {"email": "agent1@demo.test", "password": "demo"})
        self._headers["x-csrf-token"] = signed_in["csrf_token"]
        since = (await self.ask("GET", "/snapshot"))["token"]
        live = f"{self._url.replace('http', 'ws', 1)}/live?{urlencode({'since': since})}"
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())}
        origin = Origin(self._url)
        async with websockets.connect(live, additional_headers=cookie, origin=origin, proxy=None) as socket:
            reading = asyncio.create_task(self._read(socket))
            try:
                await self.ask("PUT", "/me/state", {"state": "available"})
                yield
            finally:
                reading.cancel()

    async def _read(self, socket: websockets.ClientConnection) -> None:
        async for frame in socket:
            for event in json.loads(frame).get("events", ()):
                if event["kind"] == "offer.made" and event["offer"]["call_id"] is not None:
                    self._offers.put_nowait(event["offer"])

    async def next_offer(self) -> Json:
        return await asyncio.wait_for(self._offers.get(), _PATIENCE_S)


async def _measure(url: str, count: int) -> dict[str, list[float]]:
    """Seconds until the agent, the customer, and both of them hear."""
    times: dict[str, list[float]] = {"agent hears": [], "customer hears": [], "both hear": []}
    async with httpx2.AsyncClient(base_url=url, timeout=_PATIENCE_S) as client:
        desk = _Desk(url, client)
        async with desk.opened():
            for number in range(_WARM_UP + count):
                async with _calling(url) as customer:
                    told = await _talk(desk, customer)
                if number >= _WARM_UP:
                    for name, each in zip(times, (*told, max(told)), strict=True):
                        times[name].append(each)
    return times


@contextlib.asynccontextmanager
async def _calling(url: str) -> AsyncIterator[Customer]:
    """Somebody new on the line: who calls again and again is refused for a while."""
    path = f"{url.replace('http', 'ws', 1)}/chat/{_CHANNEL}/call"
    cookie = {"Cookie": await asyncio.to_thread(visit, url, _CHANNEL)}
    async with websockets.connect(path, additional_headers=cookie, origin=Origin(url), proxy=None) as socket:
        customer = Customer(_CUSTOMER_HZ, socket=socket)
        try:
            await customer.calls()
            yield customer
        finally:
            await customer.close()


async def _talk(desk: _Desk, customer: Customer) -> tuple[float, float]:
    offer = await desk.next_offer()
    agent = Voice(_AGENT_HZ)
    try:
        sdp = await agent.offer()
        await customer.told(type="state", state="waiting")
        begun = monotonic()
        hearing = asyncio.gather(_until_hears(agent, _CUSTOMER_HZ), _until_hears(customer, _AGENT_HZ))
        conversation = await desk.ask("POST", f"/offers/{offer['id']}/accept")
        call = await desk.ask("GET", f"/calls/{conversation['call_id']}")
        answer = await desk.ask("POST", f"/calls/{call['id']}/line", {"sdp": sdp})
        await agent.answered(answer["sdp"])
        agent_at, customer_at = await hearing
        await desk.ask("POST", f"/calls/{call['id']}/hang_up")
        await desk.ask("POST", f"/calls/{call['id']}/wrap_up", {"done": True})
        await customer.told(type="ended")
    finally:
        await agent.close()
    return agent_at - begun, customer_at - begun


async def _until_hears(voice: Voice, hertz: float) -> float:
    deadline = monotonic() + _PATIENCE_S
    while strength(voice.heard[-_FRAME:], hertz) < _HEARD:
        if monotonic() > deadline:
            raise AssertionError(f"{hertz:.0f} Hz was never heard")
        await asyncio.sleep(_LOOK_S)
    return monotonic()
