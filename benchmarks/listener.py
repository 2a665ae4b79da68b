"""The receiving process of the latency benchmark: many console sockets, each stamping when it saw which message.

Told by the parent: {port, targets: [{path, cookie}]} → "ready"; then {"take": count, "first": n, "wait_s": s}: waits
until every socket has seen `count` messages from number n on (or the time is over) → {seen_at, cpu_s, frames, bytes,
doubled, missed, resyncs, closed}. `seen_at[socket][i]` is when it saw message n + i (time.monotonic), null if never.
"""

from __future__ import annotations

import asyncio
from time import monotonic, process_time
from typing import Any

import uvloop

from benchmarks.children import hear_parent, tell_parent
from benchmarks.consoles import Console, FrameReader, open_consoles


class Listener:
    def __init__(self) -> None:
        self._reader = FrameReader()
        self._bytes = 0
        self._resyncs = 0

    def on_frame(self, console: Console, payload: bytes, at: float) -> None:
        self._bytes += len(payload)
        if payload.startswith(b'{"resync"'):
            self._resyncs += 1
        numbers = self._reader.numbers(payload)
        if numbers:
            console.frames.append((at, numbers))

    async def take(self, consoles: list[Console], first: int, count: int, wait_s: float, used: float) -> dict[str, Any]:
        deadline = monotonic() + wait_s
        while monotonic() < deadline:
            if all(sum(len(numbers) for _, numbers in console.frames) >= count for console in consoles):
                break
            await asyncio.sleep(0.1)
        seen_at: list[list[float | None]] = []
        doubled = strange = frames = 0
        for console in consoles:
            mine: list[float | None] = [None] * count
            for at, numbers in console.frames:
                frames += 1
                for number in numbers:
                    if not first <= number < first + count:
                        strange += 1
                    elif mine[number - first] is not None:
                        doubled += 1
                    else:
                        mine[number - first] = at
            seen_at.append(mine)
            console.frames.clear()
        answer = {
            "seen_at": seen_at,
            "cpu_s": process_time() - used,
            "frames": frames,
            "bytes": self._bytes,
            "doubled": doubled,
            "strange": strange,
            "missed": sum(at is None for mine in seen_at for at in mine),
            "resyncs": self._resyncs,
            "closed": [console.closed_by for console in consoles if console.closed_by is not None],
        }
        self._bytes = self._resyncs = 0
        return answer


async def _serve() -> None:
    job = await asyncio.to_thread(hear_parent)
    listener = Listener()
    consoles = await open_consoles(job["port"], job["targets"], listener.on_frame)
    tell_parent("ready")
    used = process_time()
    while True:
        order = await asyncio.to_thread(hear_parent)
        tell_parent(await listener.take(consoles, order["first"], order["take"], order["wait_s"], used))
        used = process_time()


if __name__ == "__main__":
    uvloop.run(_serve())
