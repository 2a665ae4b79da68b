"""The floor of the fan-out: a bare server of the `websockets` library that sends one frame to all by its own broadcast().

No compression, uvloop, nothing else in the process: what the library's authors say is the way to send the same message
to many. Told by the parent: {frame} → {port}; then any text from a client makes it broadcast that frame once.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.children import hear_parent, tell_parent


async def _serve() -> None:
    job: dict[str, Any] = await asyncio.to_thread(hear_parent)
    frame: str = job["frame"]
    open_sockets: set[ServerConnection] = set()

    async def attend(socket: ServerConnection) -> None:
        open_sockets.add(socket)
        with contextlib.suppress(ConnectionClosed):
            async for _ in socket:
                broadcast(open_sockets, frame)
        open_sockets.discard(socket)

    async with serve(attend, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=2_048) as server:
        tell_parent({"port": next(iter(server.sockets)).getsockname()[1]})
        await server.wait_closed()


if __name__ == "__main__":
    uvloop.run(_serve())
