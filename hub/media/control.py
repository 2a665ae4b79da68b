"""The control API of the media process: what the hub's adapter (hub.channels.hubline) tells it. Every request is signed
(hub.media.signature) but the last two.

    POST   /legs/{token}/connect     an SDP offer in, the answer out; the leg's first scene
    POST   /legs/{token}/scene       what the leg hears from now on
    POST   /legs/{token}/key         a key of the caller's key pad
    GET    /legs/{token}, /legs      what lives
    DELETE /legs/{token}             ends it
    POST   /rooms/{room}/recording   off, on, paused
    GET    /recordings/{id}          OGG; DELETE when it has been fetched
    GET    /status                   how much it carries, and how late it is
    GET    /healthz, /metrics        for whoever watches it; not signed: ok, and counts
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.process_collector import ProcessCollector
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from hub.channels import voice
from hub.domain.calls import LegEnd, Party, Recording
from hub.domain.sentences import Sentence
from hub.errors import HubError, InvalidInput, NotFound, Overloaded, TooLarge
from hub.media.exchange import Exchange, Order
from hub.media.peer import Addresses, Peer
from hub.media.sdp import parse_offer
from hub.media.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, check_signature

log = logging.getLogger(__name__)

# The longest is an offer with a scene of many prompts.
_BODY_LIMIT_BYTES = 256 * 1024

Scene = Annotated[voice.Scene, Field(discriminator="kind")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Caller(_Body):
    kind: str
    address: str = ""
    name: str | None = None
    language: str | None = None


class _SceneOrder(_Body):
    """`peers`: the hub's id of each other leg of the call → that leg's token."""

    scene: Scene
    scene_version: int
    room: str = Field(min_length=1, max_length=200)
    party: Party
    peers: dict[int, str] = {}

    def order(self) -> Order:
        return Order(self.scene, self.scene_version, self.room, self.party, self.peers)


class _Connect(_SceneOrder):
    webhook_url: str = Field(pattern="^https?://")
    sdp: str
    caller: _Caller | None = None
    line: str = ""


class _Key(_Body):
    key: str = Field(pattern="^[0-9*#]$")


class _RecordingOrder(_Body):
    recording: Recording
    webhook_url: str = Field(default="", pattern="^(https?://.*)?$")


B = TypeVar("B", bound=_Body)


def _parsed(schema: type[B], body: bytes) -> B:
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        faults = {".".join(map(str, fault["loc"])) or "body": fault["msg"] for fault in error.errors()}
        raise InvalidInput("; ".join(f"{name}: {fault}" for name, fault in faults.items()), fields=faults) from None


class Control:
    def __init__(self, exchange: Exchange, key: bytes, addresses: Addresses) -> None:
        self._exchange = exchange
        self._key = key
        self._addresses = addresses

    def app(self) -> Starlette:
        def signed(method: str, path: str, endpoint: Callable[[Request, bytes], Awaitable[Response]]) -> Route:
            async def serve(request: Request) -> Response:
                return await endpoint(request, await self._verified(request))

            return Route(path, serve, methods=[method], name=endpoint.__name__)

        return Starlette(
            routes=[
                signed("POST", "/legs/{token}/connect", self._connect),
                signed("POST", "/legs/{token}/scene", self._scene),
                signed("POST", "/legs/{token}/key", self._press),
                signed("GET", "/legs/{token}", self._leg),
                signed("DELETE", "/legs/{token}", self._hang_up),
                signed("GET", "/legs", self._legs),
                signed("POST", "/rooms/{room}/recording", self._record),
                signed("GET", "/recordings/{recording_id}", self._recording),
                signed("DELETE", "/recordings/{recording_id}", self._delete_recording),
                signed("GET", "/status", self._status),
                Route("/healthz", _healthz),
                Route("/metrics", self._metrics),
            ],
            exception_handlers={HubError: _answer_error},
        )

    async def _verified(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _BODY_LIMIT_BYTES:
                raise TooLarge("the request is too long")
        check_signature(
            self._key,
            time.time(),
            signature=request.headers.get(SIGNATURE_HEADER, ""),
            timestamp=request.headers.get(TIMESTAMP_HEADER, ""),
            method=request.method,
            path=request.scope.get("raw_path", request.url.path.encode()).decode("latin-1").partition("?")[0],
            body=bytes(body),
        )
        return bytes(body)

    # --- legs

    async def _connect(self, request: Request, body: bytes) -> Response:
        token, wanted = request.path_params["token"], _parsed(_Connect, body)
        self._exchange.check_room(token, wanted.party)
        caller: Mapping[str, object] = wanted.caller.model_dump() if wanted.caller is not None else {}
        # The offer is read before anything is changed: a bad one leaves the line as it is.
        offer = parse_offer(wanted.sdp, self._exchange.codec)

        def new_leg(connected: Callable[[], None], ended: Callable[[LegEnd], None]) -> Peer:
            return Peer(self._exchange.codec, self._addresses, connected, ended)

        peer = self._exchange.connect(
            token, wanted.order(), new_leg, webhook_url=wanted.webhook_url, caller=caller, line=wanted.line
        )
        try:
            return JSONResponse({"sdp": await peer.open(offer)})
        except BaseException:
            self._exchange.give_up(token, peer)
            raise

    async def _scene(self, request: Request, body: bytes) -> Response:
        party, wanted = self._exchange.access(request.path_params["token"]), _parsed(_SceneOrder, body)
        party.take_order(wanted.order())
        return Response(status_code=204)

    async def _press(self, request: Request, body: bytes) -> Response:
        self._exchange.access(request.path_params["token"]).keys.append(_parsed(_Key, body).key)
        return Response(status_code=204)

    async def _leg(self, request: Request, _body: bytes) -> Response:
        found = self._exchange.find(request.path_params["token"])
        if found is None:
            raise NotFound("there is no such leg", code="no_leg")
        state, end = found
        return JSONResponse({"state": state.value, "end": end.value if end is not None else None})

    async def _legs(self, _request: Request, _body: bytes) -> Response:
        return JSONResponse({"tokens": sorted(self._exchange.parties)})

    async def _hang_up(self, request: Request, _body: bytes) -> Response:
        self._exchange.hang_up(request.path_params["token"])
        return Response(status_code=204)

    # --- recordings

    async def _record(self, request: Request, body: bytes) -> Response:
        wanted = _parsed(_RecordingOrder, body)
        if wanted.recording is Recording.ON and not wanted.webhook_url:
            raise InvalidInput("nobody is named whom to tell", fields={"webhook_url": Sentence("is required")})
        self._exchange.record(request.path_params["room"], wanted.recording, wanted.webhook_url)
        return Response(status_code=204)

    async def _recording(self, request: Request, _body: bytes) -> Response:
        path = self._exchange.shelf.find(request.path_params["recording_id"])
        if path is None:
            raise NotFound("there is no such recording", code="no_recording")
        return FileResponse(path, media_type="audio/ogg")

    async def _delete_recording(self, request: Request, _body: bytes) -> Response:
        self._exchange.shelf.delete(request.path_params["recording_id"])
        return Response(status_code=204)

    # --- the process

    async def _status(self, _request: Request, _body: bytes) -> Response:
        exchange = self._exchange
        return JSONResponse(
            {
                "boot": exchange.boot,
                "codec": exchange.codec.name,
                "speaks": exchange.prompts.speaks,
                **self._counts(),
            }
        )

    def _counts(self) -> dict[str, float]:
        exchange = self._exchange
        return {
            "legs": len(exchange.parties),
            "calls": exchange.calls,
            "limit": exchange.limit,
            "lateness_p99_ms": round(exchange.lateness.p99_s * 1000, 1),
            "recording_backlog_s": exchange.shelf.backlog,
        }

    async def _metrics(self, _request: Request) -> Response:
        """Prometheus text."""
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        for name, value in self._counts().items():
            Gauge(f"hub_media_{name}", name.replace("_", " "), registry=registry).set(value)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _answer_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)
    headers = {"retry-after": str(round(error.retry_after_s))} if isinstance(error, Overloaded) else {}
    body = {"code": error.code, "message": error.message, **({"fields": error.fields} if error.fields else {})}
    return JSONResponse(body, error.status, headers)
