"""The clients of the fan-out benchmark, in a process of their own: sockets that count, and a trigger.

A round: pull the trigger, wait until every socket has had the round's message, note the time. `last_s` is when the last
socket had it, `mean_s` when the average one had. The trigger is a signed webhook (the hub) or a text on the first socket
(the floor).

Told by the parent: {port, targets: [{path, cookie}], requests: [base64] | null, first, rounds, warm_up} → "ready"; then
"go" → after the warm-up {"warm": frame seen}, and once more "go" → {last_s, mean_s, frames, bytes, cpu_s, sample}.
"""

from __future__ import annotations

import asyncio
import base64
from time import monotonic, process_time
from typing import Any, cast

import uvloop

from benchmarks.children import hear_parent, tell_parent
from benchmarks.consoles import Console, FrameReader, open_consoles

_ROUND_S = 10.0


class Rounds:
    def __init__(self, sockets: int) -> None:
        self._sockets = sockets
        self._reader = FrameReader()
        self._any_number = False
        self._wanted = -1
        self._seen: set[Console] = set()
        self._stamps: list[float] = []
        self._done = asyncio.Event()
        self.frames = 0
        self.bytes = 0
        self.sample = b""

    def on_frame(self, console: Console, payload: bytes, at: float) -> None:
        self.frames += 1
        self.bytes += len(payload)
        if self._any_number or self._wanted in self._reader.numbers(payload):
            if console in self._seen:
                return
            self._seen.add(console)
            self._stamps.append(at)
            if len(self._seen) == self._sockets:
                self.sample = payload
                self._done.set()

    async def round(self, wanted: int | None, trigger: Any) -> list[float]:
        """Seconds from the trigger until each socket had the message."""
        self._any_number, self._wanted = wanted is None, -1 if wanted is None else wanted
        self._seen.clear()
        self._stamps = []
        self._done.clear()
        begun = monotonic()
        trigger()
        async with asyncio.timeout(_ROUND_S):
            await self._done.wait()
        return [at - begun for at in self._stamps]


class Webhook(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own, which is no subclass of it

    def data_received(self, data: bytes) -> None:
        # An answer may come in two pieces; the second does not begin with HTTP.
        if data.startswith(b"HTTP/") and not data.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"the hub refused a webhook: {data[:200]!r}")


async def _serve() -> None:
    job = await asyncio.to_thread(hear_parent)
    rounds = Rounds(len(job["targets"]))
    consoles = await open_consoles(job["port"], job["targets"], rounds.on_frame)
    requests = None if job["requests"] is None else [base64.b64decode(request) for request in job["requests"]]
    webhook = Webhook()
    if requests is not None:
        await asyncio.get_running_loop().create_connection(lambda: webhook, "127.0.0.1", job["port"])
    number = 0

    async def play(count: int) -> list[list[float]]:
        nonlocal number
        stamps = []
        for _ in range(count):
            if requests is None:
                stamps.append(await rounds.round(None, lambda: consoles[0].send_text("again")))
            else:
                transport, request = webhook.transport, requests[number]
                assert transport is not None

                def post(transport: asyncio.Transport = transport, request: bytes = request) -> None:
                    transport.write(request)

                stamps.append(await rounds.round(job["first"] + number, post))
            number += 1
            # The server settles: its answer to the webhook, its own bookkeeping.
            await asyncio.sleep(0.01)
        return stamps

    tell_parent("ready")
    while True:
        order = await asyncio.to_thread(hear_parent)
        rounds.frames = rounds.bytes = 0
        used = process_time()
        stamps = await play(order["rounds"])
        tell_parent(
            {
                "last_s": [max(each) for each in stamps],
                "mean_s": [sum(each) / len(each) for each in stamps],
                "frames": rounds.frames,
                "bytes": rounds.bytes,
                "cpu_s": process_time() - used,
                "sample": rounds.sample.decode(),
                "closed": sum(console.closed_by is not None for console in consoles),
            }
        )


if __name__ == "__main__":
    uvloop.run(_serve())
