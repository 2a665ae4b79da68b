"""The carrier's own face, under /_carrier: phones for people and tests, and faults on purpose. Not part of Twilio.

    GET    /_carrier/handsets                                the phones that have a history, newest first
    GET    /_carrier/handsets/{phone}?number=&limit=         one conversation, oldest first
    POST   /_carrier/handsets/{phone}/messages               JSON {to, text} or multipart (to, text, file…) → 201
    WS     /_carrier/handsets/{phone}/live?number=&since=    {"revision", "messages": […]} at every change
    GET    /_carrier/media/{sid}/{secret}                    the bytes of a picture
    GET, POST, DELETE /_carrier/faults                       see hub.demo.carrier.FAULTS

A message as the handset shows it: {id, direction: "sent" | "received", status, text, at, segments, media, revision}.
`status` of a sent one: "sending" until the hub has acknowledged it, then "delivered", or "failed". A received one is
always "received": the handset shows only what has reached it.

There is no sign-in: whoever reaches the demo is the customer. Requests of other sites' pages are refused by Origin.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.demo import twilio_wire
from hub.errors import BadRequest, CallerError, Forbidden, HubError, InvalidInput, NotFound

if TYPE_CHECKING:
    from hub.demo.carrier import Carrier, Message

CONVERSATION_LIMIT = 200
# One JSON text is small; multipart carries up to ten pictures of 5 MB.
FORM_PART_LIMIT_BYTES = 6 * 1024 * 1024


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewText(Body):
    to: str
    text: str = Field(max_length=20_000)


class NewFault(Body):
    """`count` null: until removed."""

    kind: str
    count: int | None = Field(default=1, ge=1)
    phone: str | None = None
    code: int | None = Field(default=None, ge=10000, le=99999)
    seconds: float | None = Field(default=None, ge=0, le=600)


def routes(carrier: Carrier) -> list[BaseRoute]:
    async def list_handsets(request: Request) -> Response:
        return JSONResponse(
            {
                "numbers": list(carrier.numbers),
                "handsets": [
                    {"phone": phone, "last": handset_message(carrier, message)} for phone, message in carrier.handsets()
                ],
            }
        )

    async def get_conversation(request: Request) -> Response:
        phone, number = phone_of(request.path_params["phone"]), _number(carrier, request.query_params.get("number"))
        thread = [m for m in carrier.conversation(phone, number) if _on_handset(m)]
        return JSONResponse(
            {
                "phone": phone,
                "number": number,
                "opted_out": (phone, number) in carrier.opted_out,
                "position": f"{carrier.epoch}-{carrier.revision}",
                "messages": [handset_message(carrier, m) for m in thread[-CONVERSATION_LIMIT:]],
            }
        )

    async def send_text(request: Request) -> Response:
        check_origin(request.headers)
        if not carrier.base_url:
            carrier.base_url = str(request.base_url).rstrip("/")
        media: list[tuple[str, str, bytes]] = []
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            async with request.form(max_files=10, max_fields=10, max_part_size=FORM_PART_LIMIT_BYTES) as form:
                to, text = str(form.get("to", "")), str(form.get("text", ""))
                for part in form.getlist("file"):
                    if isinstance(part, UploadFile):
                        name, media_type = part.filename or "picture", part.content_type or ""
                        media.append((name[:120], media_type, await part.read()))
        else:
            body = await read_body(request, NewText)
            to, text = body.to, body.text
        message = carrier.text(request.path_params["phone"], to, text, media)
        return JSONResponse(handset_message(carrier, message), 201)

    async def live(socket: WebSocket) -> None:
        try:
            check_origin(socket.headers)
            phone = phone_of(socket.path_params["phone"])
            number = _number(carrier, socket.query_params.get("number"))
        except CallerError as error:
            await socket.close(4403 if isinstance(error, Forbidden) else 4404, error.message)
            return
        await socket.accept()
        epoch, _, since = socket.query_params.get("since", "").partition("-")
        seen = int(since) if epoch == carrier.epoch and since.isdecimal() else -1

        async def pump() -> None:
            nonlocal seen
            while True:
                changed, now = carrier.changed, carrier.revision
                fresh = [m for m in carrier.conversation(phone, number) if m.revision > seen and _on_handset(m)]
                if fresh or seen < 0:
                    await socket.send_json(
                        {
                            "position": f"{carrier.epoch}-{now}",
                            "whole": seen < 0,
                            "opted_out": (phone, number) in carrier.opted_out,
                            "messages": [handset_message(carrier, m) for m in fresh[-CONVERSATION_LIMIT:]],
                        }
                    )
                seen = now
                await changed.wait()

        pumping = asyncio.create_task(pump())
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, KeyError):
            pass
        finally:
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)

    async def get_media(request: Request) -> Response:
        found = carrier.medium(request.path_params["sid"])
        if found is None or not secrets.compare_digest(found[1].secret, request.path_params["secret"]):
            raise NotFound("There is no such picture.")
        medium = found[1]
        shown = medium.media_type in twilio_wire.IMAGE_TYPES
        return Response(
            carrier.content(medium),
            media_type=medium.media_type if shown else "application/octet-stream",
            headers={
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Content-Disposition": "inline" if shown else "attachment",
                "Cache-Control": "private, max-age=86400, immutable",
            },
        )

    async def faults(request: Request) -> Response:
        from hub.demo.carrier import FAULTS, Fault, FaultKind

        if request.method != "GET":
            check_origin(request.headers)
        if request.method == "DELETE":
            carrier.faults.clear()
        elif request.method == "POST":
            wanted = await read_body(request, NewFault)
            kinds: Mapping[str, FaultKind] = {kind: kind for kind in get_args(FaultKind)}
            if wanted.kind not in kinds:
                raise InvalidInput("There is no such fault.", fields={"kind": "One of " + ", ".join(kinds)})
            carrier.faults.append(Fault(kinds[wanted.kind], wanted.count, wanted.phone, wanted.code, wanted.seconds))
        return JSONResponse(
            {
                "kinds": dict(FAULTS),
                "faults": [
                    {"kind": f.kind, "count": f.left, "phone": f.phone, "code": f.code, "seconds": f.seconds}
                    for f in carrier.faults
                ],
            }
        )

    return [
        Route("/_carrier/handsets", list_handsets),
        Route("/_carrier/handsets/{phone}", get_conversation),
        Route("/_carrier/handsets/{phone}/messages", send_text, methods=["POST"]),
        WebSocketRoute("/_carrier/handsets/{phone}/live", live),
        Route("/_carrier/media/{sid}/{secret}", get_media),
        Route("/_carrier/faults", faults, methods=["GET", "POST", "DELETE"]),
    ]


def handset_message(carrier: Carrier, message: Message) -> dict[str, object]:
    sent = message.direction == "inbound"
    status = "received"
    if sent:
        status = {"waiting": "sending", "done": "delivered", "failed": "failed"}[message.handed_over or "waiting"]
    return {
        "id": message.sid,
        "direction": "sent" if sent else "received",
        "status": status,
        "attempts": message.attempts if sent else 0,
        "text": message.body,
        "at": message.created_at.isoformat() if sent else message.updated_at.isoformat(),
        "segments": twilio_wire.segments(message.body),
        "media": [
            {
                "url": f"_carrier/media/{m.sid}/{m.secret}",
                "media_type": m.media_type,
                "name": m.name,
                "size_bytes": m.size_bytes,
            }
            for m in message.media
        ],
        "revision": message.revision,
    }


def _on_handset(message: Message) -> bool:
    """A message to the handset is on its screen once it is delivered, not before."""
    return message.direction == "inbound" or message.status == "delivered"


def phone_of(text: str) -> str:
    from hub.demo.carrier import e164

    phone = e164(text)
    if phone is None:
        raise InvalidInput("Not a phone number.", fields={"phone": "Write it like +37491234567."})
    return phone


def _number(carrier: Carrier, text: str | None) -> str:
    number = text or next(iter(carrier.numbers), "")
    if number not in carrier.numbers:
        raise NotFound(f"Nobody can be reached at {number}.")
    return number


def check_origin(headers: Headers) -> None:
    """A page of another site may not play the customer. Programs that send no Origin may."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise Forbidden("Requests from other sites are refused.", code="origin_refused")


_B = TypeVar("_B", bound=Body)


async def read_body(request: Request, model: type[_B]) -> _B:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise BadRequest("Send JSON.")
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        fields = {".".join(map(str, e["loc"])) or "body": e["msg"] for e in error.errors()}
        raise InvalidInput("The body is not valid.", fields=fields) from None


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.fields:
        body["fields"] = error.fields
    return JSONResponse(body, error.status)


exception_handlers: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {HubError: _answer_error}
