"""A program that webhooks are sent to: a real web server that answers as a test wants, and checks signatures by itself."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class WebhookReceiver:
    """Answers with `answers`, one by one, then with 204. `refuses`: texts whose deliveries it answers with 500. While `hold`
    is not set it answers nobody."""

    port: int = 0
    scheme: str = "http"
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook?of=hub"

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, body))
        async with self.came:
            self.came.notify_all()
        await self.hold.wait()
        if any(text in body.decode() for text in self.refuses):
            return web.Response(status=500, text="I choke on this")
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers=self.headers, text="" if status == 204 else f"said {status}")

    async def until(self, count: int) -> None:
        """Until so many have come."""
        async with asyncio.timeout(20), self.came:
            await self.came.wait_for(lambda: len(self.got) >= count)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    @property
    def types(self) -> list[str]:
        return [body["type"] for body in self.bodies]

    @property
    def texts(self) -> list[str]:
        return [body["data"]["message"]["text"] for body in self.bodies if "message" in body["data"]]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


def is_signed_with(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """By the words of the specification, and nothing of the hub's."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    wanted = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    given = [each.split(",", 1) for each in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(value, wanted) for version, value in given)


@contextlib.asynccontextmanager
async def running_receiver(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[WebhookReceiver]:
    made = WebhookReceiver(scheme="https" if tls else "http")
    made.hold.set()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    assert site._server is not None
    made.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield made
    finally:
        made.hold.set()
        await runner.cleanup()
