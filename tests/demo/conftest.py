"""A carrier on a real port, and a hub that only listens: it keeps every webhook and answers what the test says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hub.demo.carrier import Carrier

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "demo-token"
NUMBER = "+15005550006"
# What comes by itself comes at once; a busy machine may take its time.
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Webhook:
    url: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class ListeningHub:
    """`answers` are the statuses of the next requests; after them 204. `twiml` is the body of a 2xx to a message."""

    url: str = ""
    webhooks: list[Webhook] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    twiml: str = ""
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def app(self) -> ASGIApp:
        async def webhook(request: Request) -> Response:
            pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, strict_parsing=True)
            self.webhooks.append(Webhook(str(request.url), dict(request.headers), dict(pairs)))
            arrived, self._arrived = self._arrived, asyncio.Event()
            arrived.set()
            status = self.answers.pop(0) if self.answers else 200
            return Response(self.twiml if status == 200 else "", status, media_type="text/xml")

        async def picture(request: Request) -> Response:
            return Response(b"\x89PNG\r\n\x1a\npicture", media_type="image/png")

        return Starlette(routes=[Route("/{kind:path}.png", picture), Route("/{kind:path}", webhook, methods=["POST"])])

    def of(self, kind: str) -> list[Webhook]:
        """Those that came to /{kind}."""
        return [w for w in self.webhooks if w.url.split("?")[0].endswith("/" + kind)]

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while True:
                arrived = self._arrived
                if condition():
                    return
                await arrived.wait()


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The app on a free port of this machine; its root address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


Serving = Callable[[ASGIApp], AbstractAsyncContextManager[str]]


@pytest.fixture(name="serving")
def serving_fixture() -> Serving:
    return serving


@pytest.fixture
async def hub() -> AsyncIterator[ListeningHub]:
    hub = ListeningHub()
    async with serving(hub.app) as url:
        hub.url = url
        yield hub


@pytest.fixture
async def carrier(hub: ListeningHub) -> AsyncIterator[Carrier]:
    carrier = Carrier(
        account_sid=ACCOUNT_SID,
        auth_token=AUTH_TOKEN,
        numbers={NUMBER: {"sms_url": f"{hub.url}/message"}},
        speed=50,
    )
    async with serving(carrier.app) as url:
        carrier.base_url = url
        await carrier.start()
        try:
            yield carrier
        finally:
            await carrier.stop()


@pytest.fixture
def unused_port() -> int:
    """A port nobody listens on; it must be known before the server starts, because it stands in the channel's settings."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
