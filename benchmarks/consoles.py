"""Console sockets for measuring: raw WebSocket clients that stamp each frame and read only message numbers from it.

A frame that is byte for byte the frame another socket has just received is not searched again, so 50 sockets cost
little more than one.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any, cast

# A message's number as benchmarks.words.text_of writes it: in the entry of an entry.added event, not in the preview.
_NUMBER = re.compile(rb'"text":"bench (\d{7}) ')
_PONG, _CLOSE = 0xA, 0x8


class FrameReader:
    """Message numbers of frames, remembering the frame read last."""

    def __init__(self) -> None:
        self._last = b""
        self._numbers: tuple[int, ...] = ()

    def numbers(self, payload: bytes) -> tuple[int, ...]:
        if payload != self._last:
            self._last = payload
            self._numbers = tuple(map(int, _NUMBER.findall(payload)))
        return self._numbers


class Console(asyncio.Protocol):
    """Tells `on_frame(console, payload, at)` of every text frame. `opened` resolves after the upgrade."""

    def __init__(self, request: bytes, on_frame: Callable[[Console, bytes, float], None]) -> None:
        self._request = request
        self._on_frame = on_frame
        self._rest = b""
        self._is_open = False
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed_by: str | None = None
        self.frames: list[tuple[float, tuple[int, ...]]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own, which is no subclass of it
        self._transport.write(self._request)

    def send_text(self, text: str) -> None:
        self._send(0x1, text.encode())

    def close(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._send(_CLOSE, (1000).to_bytes(2, "big"))
            self._transport.close()

    def _send(self, opcode: int, payload: bytes) -> None:
        assert self._transport is not None
        assert len(payload) < 126
        # A mask of zeros masks nothing and is a mask all the same (RFC 6455, 5.3).
        self._transport.write(bytes((0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    def data_received(self, data: bytes) -> None:
        at = monotonic()
        if self._rest:
            data = self._rest + data
        position = 0
        if not self._is_open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(ConnectionError(data[:200].decode(errors="replace")))
                return
            self._is_open = True
            self.opened.set_result(None)
            position = end + 4
        size = len(data)
        while size - position >= 2:
            length, start = data[position + 1] & 0x7F, position + 2
            if length == 126:
                length, start = int.from_bytes(data[position + 2 : position + 4], "big"), position + 4
            elif length == 127:
                length, start = int.from_bytes(data[position + 2 : position + 10], "big"), position + 10
            if size < start + length:
                break
            opcode = data[position] & 0x0F
            if opcode == 0x1:
                self._on_frame(self, data[start : start + length], at)
            elif opcode == 0x9:
                self._send(_PONG, data[start : start + length])
            elif opcode == _CLOSE:
                self.closed_by = data[start : start + length].hex()
            position = start + length
        self._rest = data[position:]

    def connection_lost(self, exc: Exception | None) -> None:
        if self.closed_by is None:
            self.closed_by = repr(exc)
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(self.closed_by))


def upgrade_request(port: int, path: str, cookie: str | None) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
        f"Origin: http://127.0.0.1:{port}\r\n" + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n"
    ).encode()


async def open_consoles(
    port: int, targets: list[dict[str, Any]], on_frame: Callable[[Console, bytes, float], None]
) -> list[Console]:
    """One socket for each target {path, cookie}; ConnectionError with the answer when one is refused."""
    loop = asyncio.get_running_loop()
    consoles: list[Console] = []
    for target in targets:
        request = upgrade_request(port, target["path"], target["cookie"])

        def make(request: bytes = request) -> Console:
            return Console(request, on_frame)

        # A small receive buffer would make the kernel, not the hub, the bottleneck of a burst.
        transport, console = await loop.create_connection(make, "127.0.0.1", port)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.wait_for(console.opened, 20)
        consoles.append(console)
    return consoles
