"""A provider that behaves as badly as a test wants: a real HTTP server on a real port, written on bare sockets so that
it can also fall silent, hang up or break off in the middle. It is the far side of the wire; nothing of the hub is
imitated."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit


class Fault(Enum):
    """What the provider does instead of answering, once it has read the whole request."""

    SILENCE = "says nothing and keeps the connection"
    HANG_UP = "closes the connection"
    RESET = "resets the connection"
    BREAK_OFF = "begins a success and closes the connection in the middle of its body"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, told: object, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(told).encode(), {"Content-Type": "application/json", **named})


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body))


@dataclass(slots=True)
class Provider:
    """`answers` are played one by one, the last one for ever."""

    url: str = ""
    answers: list[Reply | Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def play(self, *answers: Reply | Fault) -> None:
        self.answers[:] = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            lines = [line.partition(":") for line in head[1:] if line]
            headers = {name.strip().lower(): value.strip() for name, _, value in lines}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            parts = urlsplit(target)
            self.seen.append(Seen(method, parts.path, parse_qsl(parts.query, keep_blank_values=True), headers, body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            await self._answer(answer, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away, or speaks TLS to us
        finally:
            writer.close()

    async def _answer(self, answer: Reply | Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match answer:
            case Reply():
                headers = {"Date": "Sun, 22 Nov 2026 12:00:00 GMT", **answer.headers}
                lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                lines += [f"Content-Length: {len(answer.body)}", "Connection: close", "", ""]
                writer.write("\r\n".join(lines).encode() + answer.body)
                await writer.drain()
            case Fault.SILENCE:
                await reader.read()
            case Fault.HANG_UP:
                pass
            case Fault.RESET:
                # Lingering for no time makes the system send RST instead of FIN.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            case Fault.BREAK_OFF:
                writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{"sid": "SM')
                await writer.drain()


@asynccontextmanager
async def running_provider() -> AsyncIterator[Provider]:
    provider = Provider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.close()
        await server.wait_closed()
