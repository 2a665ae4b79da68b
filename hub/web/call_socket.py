"""The customer's side of the hub's own line: a page calls, presses keys, hears where it stands, and hangs up.

    WS /chat/{channel_id}/call      of the chat at which a line points (its setting chat_channel_id)

        page → hub   {type: call, sdp, language?} · {type: key, key} · {type: hang_up} · {type: resume, token} · {type: ping}
        hub → page   {type: answer, sdp, token} · {type: state, state, agent} · {type: place, place} · {type: ended, reason}
                     {type: error, code, message}

The caller is the visitor of that chat, by the same cookie: whoever writes there and calls here is one customer. The page's
browser is connected first (the audio is between it and the media process); when sound flows the media process tells that a
call arrived, and the conductor makes the call. From then on what the stream says of the call is told to the page. The socket
may drop and come back with the call's token while the talk goes on; what ends the call is hanging up, or the line's end.

A page learns of its own call: its state, the agent's name, the place. Nothing else of it, and nothing of any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from time import monotonic
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from sqlalchemy import Row, select
from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.calls import records
from hub.calls.records import new_token
from hub.channels import chat
from hub.channels.channel import clean_text
from hub.channels.hubline import HubLine
from hub.domain.calls import Party
from hub.domain.states import CallState
from hub.domain.values import ContactKind
from hub.errors import BadRequest, Conflict, DatabaseAway, HubError, NotFound, TooMany
from hub.routing import estimates
from hub.routing.waiting import rounded_wait_s
from hub.store import tables
from hub.store.database import Tx
from hub.store.stream import Stored
from hub.timeline import customers
from hub.web.api import HubLike, named_faults
from hub.web.chat_socket import (
    CLOSE_AWAY,
    CLOSE_NO_CHANNEL,
    CLOSE_NO_VISITOR,
    CLOSE_ORIGIN,
    CLOSE_TOO_MANY,
    address_of,
    chat_channel,
    close,
    find_line_id,
    offered_protocol,
    read_visitor,
    refuse,
)
from hub.web.socket_protocol import EXTENSION, text_frame
from hub.web.throttle import Throttle

log = logging.getLogger(__name__)

_ca, _l = tables.call.c, tables.leg.c

# Calls begun by one visitor and from one address in the window: each is a connection of the media process.
_CALLS_PER_VISITOR, _CALLS_PER_ADDRESS, _CALL_WINDOW_S = 6, 60, 600.0
# Keys, mostly.
_FRAMES_PER_WINDOW, _WINDOW_S = 60, 10.0
_SOCKETS_PER_VISITOR, _SOCKETS_PER_ADDRESS = 5, 200
_FRAME_LIMIT = 64_000
# A connection is made within 15 s (hub.media.peer); until then nobody knows of the call but this process.
_BEGUN_S = 30.0
_PLACES_EVERY_S = 1.0
_SLOW_BYTES = 1 << 20

# What a page is told of a call's state.
_SHOWN: dict[CallState, str] = {
    CallState.RINGING: "menu",
    CallState.MENU: "menu",
    CallState.QUEUED: "waiting",
    CallState.OFFERED: "waiting",
    CallState.CONNECTING: "waiting",
    CallState.TALKING: "talking",
    CallState.CONFERENCE: "talking",
    CallState.FORWARDED: "talking",
    CallState.HELD: "held",
    CallState.CONSULT: "held",
    CallState.VOICEMAIL: "voicemail",
}


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CallFrame(_Frame):
    type: Literal["call"]
    sdp: Annotated[str, StringConstraints(min_length=10, max_length=60_000)]
    language: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=20)] | None
    ) = None


class KeyFrame(_Frame):
    type: Literal["key"]
    key: Annotated[str, StringConstraints(pattern=r"^[0-9*#]$")]


class HangUpFrame(_Frame):
    type: Literal["hang_up"]


class ResumeFrame(_Frame):
    type: Literal["resume"]
    token: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class PingFrame(_Frame):
    type: Literal["ping"]


Frame = CallFrame | KeyFrame | HangUpFrame | ResumeFrame | PingFrame
_FRAMES: TypeAdapter[Frame] = TypeAdapter(Annotated[Frame, Field(discriminator="type")])


def parse_frame(text: str) -> Frame:
    """BadRequest for what is none."""
    if len(text) > _FRAME_LIMIT:
        raise BadRequest("the frame is too long")
    try:
        return _FRAMES.validate_json(text)
    except ValidationError as error:
        faults = {name.partition(".")[2] or "type": fault for name, fault in named_faults(error.errors()).items()}
        raise BadRequest("the frame cannot be read", fields=faults) from None


# --- reading ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database says of a caller's leg."""

    token: str
    call_id: int
    visitor_id: str


def _load_known(tx: Tx, tokens: Collection[str]) -> list[_Known]:
    p, c = tables.contact_point.c, tables.conversation.c
    rows = tx.rows(
        select(_l.token, _l.call_id, p.address)
        .join(tables.call, _ca.id == _l.call_id)
        .join(tables.conversation, c.id == _ca.conversation_id)
        .join(tables.contact_point, p.id == c.contact_point_id)
        .where(_l.token.in_(tokens), _l.party == Party.CUSTOMER.value)
    )
    return [_Known(row.token, row.call_id, row.address) for row in rows]


@dataclass(frozen=True, slots=True)
class _Told:
    state: CallState
    has_hung_up: bool
    end_reason: str | None
    agent_name: str | None
    conversation_id: int


def _load_told(tx: Tx, call_ids: Collection[int]) -> dict[int, _Told]:
    u = tables.user_account.c
    rows = tx.rows(
        select(_ca.id, _ca.state, _ca.hung_up_at, _ca.end_reason, _ca.conversation_id, _ca.flow, u.name)
        .outerjoin(tables.user_account, u.id == _ca.agent_id)
        .where(_ca.id.in_(call_ids))
    )
    told = {}
    for row in rows:
        is_asked = row.hung_up_at is not None and _is_asked(tx, row)
        state = CallState.MENU if is_asked else CallState(row.state)
        has_hung_up = row.hung_up_at is not None and not is_asked
        told[row.id] = _Told(state, has_hung_up, row.end_reason, row.name, row.conversation_id)
    return told


def _is_asked(tx: Tx, call: Row[Any]) -> bool:
    """The talk is over, and the customer is still there to be asked for a score."""
    if (call.flow or {}).get(records.SURVEY) is None:
        return False
    return records.find_leg(records.load_legs(tx, call.id), Party.CUSTOMER) is not None


def _load_places(tx: Tx, conversation_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Of those whose queue tells it."""
    c, q = tables.conversation.c, tables.queue.c
    telling = select(c.id).join(tables.queue, q.id == c.queue_id).where(c.id.in_(conversation_ids), q.tells_place)
    places = estimates.load_places(tx, [row.id for row in tx.rows(telling)])
    return {
        conversation_id: {
            "position": place.position,
            "wait_s": None if place.ewt_s is None else rounded_wait_s(place.ewt_s),
        }
        for conversation_id, place in places.items()
    }


def _own_name(tx: Tx, visitor_id: str) -> str | None:
    key = (ContactKind.CHAT.value, visitor_id)
    reach = customers.find_reaches(tx, [key]).get(key)
    return reach.customer_name if reach is not None else None


# --- sockets ------------------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class _Caller:
    """One page. `token` None: it does not call; `call_id` None: nobody has told yet that its call arrived."""

    visitor_id: str
    line: HubLine
    push: Any
    address: str
    token: str | None = None
    call_id: int | None = None
    conversation_id: int | None = None
    shown: tuple[str, str | None] | None = None
    place: dict[str, Any] | None = None

    def send(self, message: dict[str, Any]) -> None:
        if self.push.unsent_bytes() > _SLOW_BYTES:
            self.push.drop()
            return
        self.push.write(text_frame(json.dumps(message, ensure_ascii=False).encode()))

    def forget(self) -> None:
        self.token = self.call_id = self.conversation_id = self.shown = self.place = None


class CallSockets:
    """The calling pages of this process. `follow` hears of calls, `run` tells pages of theirs."""

    def __init__(self) -> None:
        self.hub: HubLike | None = None
        self._callers: set[_Caller] = set()
        self._changed: set[int] = set()
        self._has_news = asyncio.Event()
        self._calls = Throttle(_CALLS_PER_VISITOR, _CALL_WINDOW_S, "too many calls for now")
        self._calls_of_address = Throttle(_CALLS_PER_ADDRESS, _CALL_WINDOW_S, "too many calls for now")
        self._frames = Throttle(_FRAMES_PER_WINDOW, _WINDOW_S)
        self._open: Counter[str] = Counter()
        # Calls begun here of which nobody has told yet that they arrived: token → whose, and when.
        self._begun: dict[str, tuple[str, float]] = {}

    @property
    def count(self) -> int:
        return len(self._callers)

    def follow(self, events: list[Stored]) -> None:
        """A follower for store.stream.Tail: the news of a call is looked up once, however much of it there was."""
        if not self._callers:
            return
        for event in events:
            if event.kind == "call.changed":
                self._changed.add(int(json.loads(event.body)["call"]["id"]))
                self._has_news.set()

    async def run(self) -> None:
        """Tells pages what has become of their calls, at once; and where they stand, once a second while they wait."""
        assert self.hub is not None
        while True:
            waits = any(caller.shown is not None and caller.shown[0] == "waiting" for caller in self._callers)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PLACES_EVERY_S if waits else None):
                    await self._has_news.wait()
            self._has_news.clear()
            changed, self._changed = self._changed, set()
            began = monotonic()
            try:
                if changed:
                    await self._tell(changed)
                await self._tell_places()
            except DatabaseAway:
                self._changed |= changed
                self._has_news.set()
                await asyncio.sleep(0.5)
            log.debug("calls.pages_told", extra={"seconds": monotonic() - began})

    async def _tell(self, changed: Collection[int]) -> None:
        assert self.hub is not None
        strangers = [caller for caller in self._callers if caller.token is not None and caller.call_id is None]
        if strangers:
            tokens = {caller.token for caller in strangers if caller.token is not None}
            call_ids = {known.token: known.call_id for known in await self.hub.database.read(_load_known, tokens)}
            for caller in strangers:
                caller.call_id = call_ids.get(caller.token or "")
        theirs = [caller for caller in self._callers if caller.call_id in changed]
        if not theirs:
            return
        told = await self.hub.database.read(_load_told, {caller.call_id or 0 for caller in theirs})
        for caller in theirs:
            self._show(caller, told.get(caller.call_id or 0))

    def _show(self, caller: _Caller, told: _Told | None) -> None:
        if told is None:
            return
        caller.conversation_id = told.conversation_id
        if told.has_hung_up:
            caller.send({"type": "ended", "reason": told.end_reason})
            caller.forget()
            return
        state = _SHOWN.get(told.state, "waiting")
        shown = (state, told.agent_name if state in ("talking", "held") else None)
        if shown != caller.shown:
            caller.shown = shown
            caller.send({"type": "state", "state": shown[0], "agent": shown[1]})

    async def _tell_places(self) -> None:
        assert self.hub is not None
        # Several pages may show one call: a second tab is told its place as the first is.
        waiting = [
            (caller.conversation_id, caller)
            for caller in self._callers
            if caller.conversation_id is not None and caller.shown is not None and caller.shown[0] == "waiting"
        ]
        if not waiting:
            return
        places = await self.hub.database.read(_load_places, {conversation_id for conversation_id, _ in waiting})
        for conversation_id, caller in waiting:
            place = places.get(conversation_id)
            if place != caller.place:
                caller.place = place
                caller.send({"type": "place", "place": place})

    # --- a page

    async def serve(self, websocket: WebSocket) -> None:
        """Runs one page's socket to its end."""
        assert self.hub is not None
        hub = self.hub
        try:
            channel = await chat_channel(hub, websocket.path_params["channel_id"])
            line = await self._line_of(hub, channel.account.id)
        except DatabaseAway:
            return await refuse(websocket, CLOSE_AWAY)
        except NotFound:
            return await refuse(websocket, CLOSE_NO_CHANNEL)
        if not chat.origin_allowed(channel.account, websocket.headers.get("origin")):
            return await refuse(websocket, CLOSE_ORIGIN)
        who = read_visitor(hub, websocket, channel)
        if who is None:
            return await refuse(websocket, CLOSE_NO_VISITOR)
        visitor_id = who.visitor_id
        address = address_of(websocket)
        limits = {f"visitor {visitor_id}": _SOCKETS_PER_VISITOR, f"address {address}": _SOCKETS_PER_ADDRESS}
        if any(self._open[key] >= limit for key, limit in limits.items()):
            return await refuse(websocket, CLOSE_TOO_MANY)
        self._open.update(limits.keys())
        await websocket.accept(subprotocol=offered_protocol(websocket))
        caller = _Caller(visitor_id, line, websocket.scope["extensions"][EXTENSION], address)
        self._callers.add(caller)
        try:
            while True:
                await self._take(hub, caller, await websocket.receive_text())
        except DatabaseAway:
            await close(websocket, CLOSE_AWAY)
        except (WebSocketDisconnect, KeyError, RuntimeError):
            pass
        finally:
            self._callers.discard(caller)
            self._open.subtract(limits.keys())
            for key in limits:
                if not self._open[key]:
                    del self._open[key]

    async def _line_of(self, hub: HubLike, chat_channel_id: str) -> HubLine:
        line_id = await hub.database.read(find_line_id, chat_channel_id)
        line = await hub.channels.get_line(line_id) if line_id is not None else None
        if not isinstance(line, HubLine):
            raise NotFound("nobody can be called here")
        return line

    async def _take(self, hub: HubLike, caller: _Caller, text: str) -> None:
        try:
            frame = parse_frame(text)
            self._frames.check(caller.visitor_id)
            match frame:
                case CallFrame():
                    await self._call(hub, caller, frame)
                case KeyFrame(key=key):
                    if caller.token is not None:
                        await caller.line.press(caller.token, key)
                case HangUpFrame():
                    await self._hang_up(caller)
                case ResumeFrame(token=token):
                    await self._resume(hub, caller, token)
                case PingFrame():
                    caller.send({"type": "pong"})
        except DatabaseAway:
            raise
        except HubError as error:
            told: dict[str, Any] = {"type": "error", "code": error.code, "message": error.message}
            caller.send(told | ({"retry_after_s": error.retry_after_s} if isinstance(error, TooMany) else {}))

    async def _call(self, hub: HubLike, caller: _Caller, frame: CallFrame) -> None:
        if caller.token is not None:
            raise Conflict("this page is in a call already", code="in_call")
        self._calls.check(caller.visitor_id)
        self._calls_of_address.check(caller.address)
        name = await hub.database.read(_own_name, caller.visitor_id)
        token = caller.token = new_token()
        self._remember(token, caller.visitor_id)
        try:
            sdp = await caller.line.connect_caller(
                token,
                frame.sdp,
                visitor_id=caller.visitor_id,
                name=clean_text(name) if name else None,
                language=frame.language,
                line=caller.line.account.settings.get("title", ""),
            )
        except BaseException:
            caller.forget()
            raise
        caller.send({"type": "answer", "sdp": sdp, "token": token})

    def _remember(self, token: str, visitor_id: str) -> None:
        now = monotonic()
        self._begun = {each: begun for each, begun in self._begun.items() if now - begun[1] < _BEGUN_S}
        self._begun[token] = (visitor_id, now)

    async def _hang_up(self, caller: _Caller) -> None:
        """What becomes of a call that has arrived is told by the stream; one that has not was none."""
        if caller.token is None:
            return
        await caller.line.end(caller.token)
        if caller.call_id is None:
            self._begun.pop(caller.token, None)
            caller.forget()
            caller.send({"type": "ended", "reason": None})

    async def _resume(self, hub: HubLike, caller: _Caller, token: str) -> None:
        """A page comes back to its own call; one that is over, or anybody else's, is over for it."""
        known = await hub.database.read(_load_known, [token])
        whose, _ = self._begun.get(token, ("", 0.0))
        if not known and whose == caller.visitor_id:
            caller.forget()
            caller.token = token
            return
        if not known or known[0].visitor_id != caller.visitor_id:
            caller.send({"type": "ended", "reason": None})
            return
        caller.token, caller.call_id, caller.shown, caller.place = token, known[0].call_id, None, None
        told = await hub.database.read(_load_told, [known[0].call_id])
        self._show(caller, told.get(known[0].call_id))
        self._has_news.set()
