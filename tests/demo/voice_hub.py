"""A hub that answers telephone calls by script: which document for which request, and every webhook kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hub.demo.carrier_recordings import render


@dataclass(frozen=True, slots=True)
class Webhook:
    """`url` with its query; `form` of a GET is empty."""

    method: str
    path: str
    url: str
    headers: dict[str, str]
    form: dict[str, str]
    pairs: list[tuple[str, str]]


@dataclass
class VoiceHub:
    """`documents`: path → what stands in its <Response>, or a status to fail with. Others answer 204."""

    url: str = ""
    documents: dict[str, str | int] = field(default_factory=dict)
    media_types: dict[str, str] = field(default_factory=dict)
    webhooks: list[Webhook] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def app(self) -> ASGIApp:
        async def webhook(request: Request) -> Response:
            path = request.url.path.strip("/")
            pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True)
            self.webhooks.append(
                Webhook(request.method, path, str(request.url), dict(request.headers), dict(pairs), pairs)
            )
            arrived, self._arrived = self._arrived, asyncio.Event()
            arrived.set()
            document = self.documents.get(path)
            if document is None:
                return Response(status_code=204)
            if isinstance(document, int):
                return Response(status_code=document)
            body = document if document.startswith("<?xml") else f"<Response>{document}</Response>"
            return Response(body, media_type=self.media_types.get(path, "text/xml"))

        async def sound(request: Request) -> Response:
            return Response(render(3.0, 1), media_type="audio/x-wav")

        return Starlette(
            routes=[
                Route("/{name}.wav", sound),
                Route("/{path:path}", webhook, methods=["GET", "POST"]),
            ]
        )

    def of(self, path: str) -> list[Webhook]:
        return [each for each in self.webhooks if each.path == path]

    def told(self, path: str, name: str) -> list[str]:
        """The values of one field, in the order they came."""
        return [each.form.get(name, "") for each in self.of(path)]

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while True:
                arrived = self._arrived
                if condition():
                    return
                await arrived.wait()
