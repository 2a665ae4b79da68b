"""Telephones for people and tests, under /_carrier/phones. Not part of Twilio.

    WS     /_carrier/phones/{phone}/live            {"call": … or null} at every change
    GET    /_carrier/phones/{phone}                 the same, once
    POST   /_carrier/phones/{phone}/calls           {to}: calls one of the carrier's numbers → 201
    POST   /_carrier/phones/{phone}/keys            {keys}: presses them
    POST   /_carrier/phones/{phone}/words           {text}: says it, where words are listened to
    POST   /_carrier/phones/{phone}/answer, decline, hang_up
    PUT    /_carrier/phones/{phone}/reaction        {kind, after_s}: what it does when it rings (carrier_calls.Reaction)
    GET, POST, DELETE /_carrier/voice-faults        see carrier_voice.VOICE_FAULTS

A call as its telephone shows it:
{id, direction: "made" | "received", with, state: "calling" | "ringing" | "talking" | "ended", ended_as, since, talks_since,
hearing: {kind, text, language} or null, captions: [{kind, text, language, at}], listens: ["dtmf", "speech"], voices, held,
muted}.
`captions` is what was said and played, oldest first; `voices` how many others are heard now.

There is no sign-in: whoever reaches the demo may hold any telephone. Requests of other sites' pages are refused by Origin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, get_args

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.demo import carrier_voice
from hub.demo.carrier_calls import Call, Heard, Reaction, ReactionKind, hears
from hub.demo.carrier_handset import Body, check_origin, phone_of, read_body
from hub.demo.carrier_voice import FAULT_PLACES, VoiceFault, VoiceFaultKind
from hub.errors import CallerError, Conflict, Forbidden, InvalidInput

if TYPE_CHECKING:
    from hub.demo.carrier import Carrier

CAPTIONS_SHOWN = 40
# Changes come in bursts (a key, a sound, a room); a screen wants them once.
BURST_S = 0.05
# One sentence; recognisers take no more at once.
WORDS_LIMIT = 500


class NewCall(Body):
    to: str


class Keys(Body):
    keys: str = Field(min_length=1, max_length=40)


class Words(Body):
    text: str = Field(min_length=1, max_length=WORDS_LIMIT)


class NewReaction(Body):
    kind: str
    after_s: float = Field(default=0.0, ge=0, le=600)


class NewVoiceFault(Body):
    """`count` null: until removed."""

    kind: str
    on: str = ""
    count: int | None = Field(default=1, ge=1)
    code: int | None = Field(default=None, ge=10000, le=99999)
    seconds: float | None = Field(default=None, ge=0, le=600)
    event: str = ""


Handler = Callable[[Request], Awaitable[Response]]


def routes(carrier: Carrier) -> list[BaseRoute]:
    voice = carrier.voice

    def newest(phone: str) -> Call | None:
        """Live, or the last that was; one that has not begun to ring is not on the screen yet."""
        shown = [call for call in voice.calls_of(phone) if call.direction == "inbound" or call.status != "queued"]
        return next((call for call in reversed(shown) if not call.is_over), shown[-1] if shown else None)

    def state_of(phone: str) -> dict[str, object]:
        call = newest(phone)
        return {"call": None if call is None else shown_call(call)}

    def live_call(phone: str) -> Call:
        call = newest(phone)
        if call is None or call.is_over:
            raise Conflict("There is no call on this telephone.", code="no_call")
        return call

    async def get_phone(request: Request) -> Response:
        return JSONResponse(state_of(phone_of(request.path_params["phone"])))

    async def make_call(request: Request) -> Response:
        check_origin(request.headers)
        body = await read_body(request, NewCall)
        if not carrier.base_url:
            carrier.base_url = str(request.base_url).rstrip("/")
        return JSONResponse(shown_call(voice.call(request.path_params["phone"], body.to)), 201)

    def doing(act: Callable[[Call], None]) -> Handler:
        async def endpoint(request: Request) -> Response:
            check_origin(request.headers)
            phone = phone_of(request.path_params["phone"])
            act(live_call(phone))
            return JSONResponse(state_of(phone))

        return endpoint

    async def press(request: Request) -> Response:
        check_origin(request.headers)
        phone, body = phone_of(request.path_params["phone"]), await read_body(request, Keys)
        voice.press(live_call(phone), body.keys)
        return JSONResponse(state_of(phone))

    async def speak(request: Request) -> Response:
        check_origin(request.headers)
        phone, body = phone_of(request.path_params["phone"]), await read_body(request, Words)
        voice.speak(live_call(phone), body.text)
        return JSONResponse(state_of(phone))

    async def set_reaction(request: Request) -> Response:
        check_origin(request.headers)
        phone, body = phone_of(request.path_params["phone"]), await read_body(request, NewReaction)
        kinds: Mapping[str, ReactionKind] = {kind: kind for kind in get_args(ReactionKind)}
        if body.kind not in kinds:
            raise InvalidInput("No telephone does that.", fields={"kind": "One of " + ", ".join(kinds)})
        voice.set_reaction(phone, Reaction(kinds[body.kind], body.after_s))
        return JSONResponse({"phone": phone, "kind": body.kind, "after_s": body.after_s})

    async def live(socket: WebSocket) -> None:
        try:
            check_origin(socket.headers)
            phone = phone_of(socket.path_params["phone"])
        except CallerError as error:
            await socket.close(4403 if isinstance(error, Forbidden) else 4404, error.message)
            return
        await socket.accept()

        async def pump() -> None:
            sent: dict[str, object] | None = None
            while True:
                changed = voice.changed
                state = state_of(phone)
                if state != sent:
                    await socket.send_json(state)
                    sent = state
                await changed.wait()
                await asyncio.sleep(BURST_S)

        pumping = asyncio.create_task(pump())
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, KeyError):
            pass
        finally:
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)

    async def faults(request: Request) -> Response:
        if request.method != "GET":
            check_origin(request.headers)
        if request.method == "DELETE":
            voice.faults.clear()
        elif request.method == "POST":
            wanted = await read_body(request, NewVoiceFault)
            kinds: Mapping[str, VoiceFaultKind] = {kind: kind for kind in get_args(VoiceFaultKind)}
            fields = {}
            if wanted.kind not in kinds:
                fields["kind"] = "One of " + ", ".join(kinds)
            if wanted.on not in FAULT_PLACES:
                fields["on"] = "One of " + ", ".join(filter(None, FAULT_PLACES))
            if fields:
                raise InvalidInput("There is no such fault.", fields=fields)
            voice.faults.append(
                VoiceFault(kinds[wanted.kind], wanted.on, wanted.count, wanted.code, wanted.seconds, wanted.event)
            )
        return JSONResponse(
            {
                "kinds": dict(carrier_voice.VOICE_FAULTS),
                "faults": [
                    {
                        "kind": f.kind,
                        "on": f.on,
                        "count": f.left,
                        "code": f.code,
                        "seconds": f.seconds,
                        "event": f.event,
                    }
                    for f in voice.faults
                ],
            }
        )

    root = "/_carrier/phones/{phone}"
    return [
        Route(root, get_phone),
        Route(f"{root}/calls", make_call, methods=["POST"]),
        Route(f"{root}/keys", press, methods=["POST"]),
        Route(f"{root}/words", speak, methods=["POST"]),
        Route(f"{root}/answer", doing(voice.pick_up), methods=["POST"]),
        Route(f"{root}/decline", doing(voice.decline), methods=["POST"]),
        Route(f"{root}/hang_up", doing(voice.put_down), methods=["POST"]),
        Route(f"{root}/reaction", set_reaction, methods=["PUT"]),
        WebSocketRoute(f"{root}/live", live),
        Route("/_carrier/voice-faults", faults, methods=["GET", "POST", "DELETE"]),
    ]


def shown_call(call: Call) -> dict[str, object]:
    made = call.direction == "inbound"
    state = "ended"
    if not call.is_over:
        state = "talking" if call.status == "in-progress" else "calling" if made else "ringing"
    return {
        "id": call.sid,
        "direction": "made" if made else "received",
        "with": call.number,
        "state": state,
        "ended_as": call.status if call.is_over else None,
        "hung_up_here": call.hung_up_by == "phone",
        "since": call.created_at.isoformat(),
        "talks_since": call.started_at.isoformat() if call.started_at else None,
        "ended_at": call.ended_at.isoformat() if call.ended_at else None,
        "hearing": None if call.hearing is None else _shown(call.hearing),
        "captions": [_shown(heard) for heard in _captions(call.heard)[-CAPTIONS_SHOWN:]],
        "listens": sorted(call.listens_for),
        "voices": len(hears(call)),
        "held": call.participant is not None and call.participant.hold,
        "muted": call.participant is not None and call.participant.muted,
    }


def _captions(heard: list[Heard]) -> list[Heard]:
    """What is worth a line: music that goes on piece by piece is one."""
    lines: list[Heard] = []
    for each in heard:
        if each.kind in ("music", "sound", "talk") and lines and lines[-1].kind == each.kind:
            continue
        if each.kind == "tone" and each.text == "ringback" and lines and lines[-1] == each:
            continue
        lines.append(each)
    return lines


def _shown(heard: Heard) -> dict[str, str]:
    return {"kind": heard.kind, "text": heard.text, "language": heard.language, "at": heard.at.isoformat()}
