"""The customer's side of web chat: who comes back, the visitor's socket, and their pictures.

    POST /chat/{channel_id}/visit        {visitor?, identity?} → the visitor's signed token, how the window is, who is there
    WS   /chat/{channel_id}?since=ID     frames of channels.chat in; history, entries, acks, typing, states and places out
    POST /chat/{channel_id}/attachments  a picture to send;  GET /chat/{channel_id}/attachments/{id}?key=  one to see

The visitor's token is kept by the widget in the page's own storage and travels in a header (of a socket: as a subprotocol, so
it stands in no address and no log). Cookies are set on the hub's own pages alone; a page of another site needs none. A file's
address carries a key that is good for this visitor and this file for some days, because an <img> sends no headers.

A visitor sees the messages of their own conversations on this channel and nothing else: no notes, no events, no other
channel of the same customer, whoever they claim to be. What a visitor sends is acked after the commit and may be sent again
with the same client_id. What the hub sends is read from the stream, so it comes after a reconnect, too.

A waiting visitor is told the place in the queue and the estimated wait (if the queue tells them), when the queue opens, and
what stands about a callback. That is no event: with each departure every place moves. Each process looks, once a second at
most, where its own waiting visitors stand, and tells those for whom it has changed.

Whether a visitor who has written is there at all is told to agents (hub.web.visitor_windows hears of each window).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from time import monotonic
from typing import Any

from sqlalchemy import Row, or_, select
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.channels import chat, chat_identity, hubline
from hub.channels.channel import Channel, Media
from hub.channels.chat import ChatChannel
from hub.channels.chat_identity import IdentityRefused
from hub.channels.email import EmailChannel
from hub.domain.events import Typing, conversation_topics, customer_topic, visitor_topic
from hub.domain.languages import StaffLanguage, staff_language
from hub.domain.sentences import Sentence
from hub.domain.states import AttachmentState, Delivery
from hub.domain.values import ContactKind, Happening
from hub.domain.views import ConversationView
from hub.domain.widget import Answers, Asked, AskedField, OfflineWhen, check_answers
from hub.errors import (
    BadRequest,
    CallerError,
    Conflict,
    DatabaseAway,
    Forbidden,
    HubError,
    InvalidInput,
    NotFound,
    TooMany,
    Unauthenticated,
)
from hub.routing import callbacks, estimates
from hub.routing.waiting import rounded_wait_s
from hub.store import tables
from hub.store.database import Tx, encode_event
from hub.store.stream import Stored
from hub.surveys import answers
from hub.timeline import conversations, customers, outbox, visitor_presence, widgets
from hub.web.api import HubLike, error_answer, error_body, hub_of
from hub.web.attachments import read_upload, serve_file
from hub.web.socket_protocol import EXTENSION, text_frame
from hub.web.throttle import Throttle
from hub.web.visitor_windows import VisitorWindows

log = logging.getLogger(__name__)

COOKIE = "hub_visitor"
# The name of what is spoken on the socket; the visitor's token is offered beside it.
PROTOCOL = "hub-chat"
VISITOR_HEADER = "x-hub-visitor"
_FILE_KEY_LASTS = timedelta(days=7)
_VISIT_LIMIT_BYTES = 16 * 1024
# A page of history; older entries are asked for with a new `since` by nobody yet, so this is what a returning visitor sees.
_HISTORY_LIMIT = 200
# More than this in the window is a machine, not a person.
_FRAMES_PER_WINDOW = 40
_WINDOW_S = 10.0
# New visitors of one address; a shop's whole office may sit behind one.
_VISITS_PER_WINDOW = 120
_VISIT_WINDOW_S = 60.0

CLOSE_NO_VISITOR = 4401
CLOSE_ORIGIN = 4403
CLOSE_NO_CHANNEL = 4404
CLOSE_AWAY = 1012
CLOSE_TOO_MANY = 4429

_PLACES_STEP = 1_000
# Callbacks asked for and taken back.
_CALLBACKS_PER_VISITOR = 5
_CALLBACKS_PER_ADDRESS = 30
_CALLBACK_WINDOW_S = 600.0
# Pictures one visitor, and one address, may upload in the window.
_UPLOADS_PER_WINDOW = 20
_UPLOADS_PER_ADDRESS = 200
_UPLOAD_WINDOW_S = 600.0
_LEFT_PER_VISITOR = 3
_LEFT_PER_ADDRESS = 20
_LEFT_PER_MAILBOX = 5
_LEFT_WINDOW_S = 1_800.0
# Places are looked at this often at most; and without any news so often while somebody waits, because hours begin.
_PLACES_EVERY_S = 1.0
_PLACES_AT_REST_S = 15.0
# Open sockets of one visitor (tabs) and of one address (an office).
_SOCKET_LIMITS = (10, 500)
# A widget that has not taken this much is dropped; it comes back and catches up. The longest history is about 3 MB.
_SLOW_BYTES = 8 << 20


# --- what the visitor may see -------------------------------------------------------------------------------------------


def visitor_entry(channel_id: str, entry: dict[str, Any], file_key: Callable[[int], str]) -> dict[str, Any]:
    """An entry (the JSON of an EntryView) as the visitor sees it: no ids of ours but its own, no names but the writer's."""
    shown = {
        "id": entry["id"],
        "direction": entry["direction"],
        "author": entry["author"]["name"] if entry["direction"] == "out" else "",
        "text": entry["text"],
        "at": entry["at"],
        "attachments": [
            {
                "id": file["id"],
                "name": file["name"],
                "media_type": file["media_type"],
                "size_bytes": file["size_bytes"],
                "url": file_url(channel_id, file["id"], file_key),
            }
            for file in entry["attachments"]
            if file["state"] == AttachmentState.STORED.value
        ],
    }
    if entry["direction"] == "in" and entry["client_key"]:
        shown["client_id"] = entry["client_key"]
    if entry["happening"] == Happening.SURVEY.value:
        shown["survey"] = {
            "id": entry["data"]["survey_id"],
            **{name: entry["data"][name] for name in ("low", "high", "expires_at")},
            "kind": entry["data"]["survey"],
            "answered": bool(entry["data"]["answered"]),
        }
    return shown


def file_url(channel_id: str, attachment_id: int, file_key: Callable[[int], str]) -> str:
    return f"/chat/{channel_id}/attachments/{attachment_id}?key={file_key(attachment_id)}"


@dataclass(frozen=True, slots=True)
class _Visit:
    """What a visitor comes back to. `contact_point_id` None: never wrote a word. `known`: what a form need not ask of
    somebody who is signed in on the page."""

    contact_point_id: int | None
    name: str | None
    conversation: ConversationView | None
    agent_name: str | None
    entries: list[dict[str, Any]]
    more: bool
    known: frozenset[Asked] = frozenset()

    @property
    def begins_anew(self) -> bool:
        """Whether the next message begins a request: then a form is asked for, if the channel has one."""
        return self.conversation is None or self.conversation.status == "resolved"


def _load_visit(tx: Tx, channel_id: str, who: Who, since: int, file_key: Callable[[int], str]) -> _Visit:
    visitor_id = who.visitor_id
    reach = customers.find_reaches(tx, [(ContactKind.CHAT.value, visitor_id)]).get((ContactKind.CHAT.value, visitor_id))
    told = widgets.load_told(tx, visitor_id) if who.is_known else {}
    if reach is None:
        known = frozenset(Asked(name) for name in told)
        return _Visit(None, told.get(Asked.NAME), None, None, [], more=False, known=known)
    c, e = tables.conversation.c, tables.entry.c
    newest = tx.first(
        conversations.CONVERSATIONS.where(c.contact_point_id == reach.contact_point_id, c.channel_id == channel_id)
        .order_by(c.id.desc())
        .limit(1)
    )
    view = conversations.conversation_view(newest) if newest is not None else None
    # What an agent has merged into another conversation is theirs still, and nothing of that other is.
    theirs = _own_conversations(tx, reach.contact_point_id, channel_id)
    rows = conversations.load_entries(
        tx,
        conversations.ENTRIES.where(conversations.came_by(theirs), e.kind == "message", e.id > since)
        .order_by(e.id.desc())
        .limit(_HISTORY_LIMIT + 1),
    )
    shown = rows[:_HISTORY_LIMIT][::-1]
    entries = [visitor_entry(channel_id, json.loads(encode_event(entry)), file_key) for entry in shown]
    agent_name = None
    if view is not None and view.assignee_id is not None:
        agent_name = tx.scalar(select(tables.user_account.c.name).where(tables.user_account.c.id == view.assignee_id))
    return _Visit(
        reach.contact_point_id,
        told.get(Asked.NAME) or (reach.customer_name if _is_own_card(tx, reach) else None),
        view,
        agent_name,
        entries,
        more=len(rows) > _HISTORY_LIMIT,
        known=frozenset(Asked(name) for name in told),
    )


def _load_places(tx: Tx, points: Collection[tuple[int, str]]) -> dict[tuple[int, str], dict[str, Any]]:
    """What waiting visitors are told of their place, by contact point and channel; nothing of those who do not wait and are
    not to be called."""
    c, q = tables.conversation.c, tables.queue.c
    rows = tx.rows(
        select(c.id, c.contact_point_id, c.channel_id, c.queued_since, c.callback, q.tells_place, q.offers_callback)
        .join(tables.queue, q.id == c.queue_id)
        .where(
            c.contact_point_id.in_({point for point, _ in points}),
            c.status == "open",
            or_(c.queued_since.is_not(None), c.callback.is_not(None)),
        )
    )
    rows = [row for row in rows if (row.contact_point_id, row.channel_id) in points]
    places = estimates.load_places(tx, [row.id for row in rows if row.queued_since is not None and row.tells_place])
    told = {}
    for row in rows:
        place = places.get(row.id, estimates.NOWHERE)
        callback = row.callback
        told[row.contact_point_id, row.channel_id] = {
            "position": place.position,
            "wait_s": None if place.ewt_s is None else rounded_wait_s(place.ewt_s),
            "opens_at": place.opens_at.isoformat() if place.opens_at else None,
            "offers_callback": row.offers_callback and row.queued_since is not None,
            "callback": callback
            # Of a number that an agent entered (from the customer's card, say) the visitor learns nothing.
            and {
                "address": callback["address"] if callback.get("by_visitor") else None,
                "state": callback["state"],
                "again_at": callback["next_attempt_at"],
            },
        }
    return told


def _is_own_card(tx: Tx, reach: customers.Reach) -> bool:
    """Whether the card is of this visitor's own making and named by them. On a card they were joined to stands what others
    told, and they proved nothing: to show its name would tell anybody whose phone number it is that they claimed."""
    p, cu = tables.contact_point.c, tables.customer.c
    row = tx.first(
        select(p.address, p.created_at, cu.name, cu.created_at.label("card_created_at"))
        .join(tables.customer, cu.id == p.customer_id)
        .where(p.id == reach.contact_point_id)
    )
    others = select(p.id).where(p.customer_id == reach.customer_id, p.id != reach.contact_point_id, p.verified)
    return (
        row is not None
        and row.name != customers.default_name(ContactKind.CHAT, row.address)
        and row.created_at == row.card_created_at
        and tx.first(others.limit(1)) is None
    )


# --- sockets ------------------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class _Visitor:
    """One open widget. Until `is_live`, what the stream brings is kept in `early`, so that history comes first."""

    channel_id: str
    who: Who
    # What they came with, to be judged again when the channel changes.
    token: str
    push: Any
    file_key: Callable[[int], str]
    clock: Callable[[], datetime]
    address: str = ""
    contact_point_id: int | None = None
    conversation: ConversationView | None = None
    name: str | None = None
    known: frozenset[Asked] = frozenset()
    language: str | None = None
    is_live: bool = False
    early: list[dict[str, Any]] = field(default_factory=list)
    # Whether the stream said that it waits, or is to be called; and what it was told of its place last.
    has_place: bool = False
    place: dict[str, Any] | None = None
    # Up to where the visitor said "received" and "read": saying it again costs nothing.
    seen: dict[Delivery, int] = field(default_factory=dict)

    @property
    def visitor_id(self) -> str:
        return self.who.visitor_id

    def send(self, message: dict[str, Any]) -> None:
        if self.push.unsent_bytes() > _SLOW_BYTES or self.who.is_over(self.clock()):
            # It does not read: its history is here when it comes back. Or it is no longer theirs, even if it says nothing.
            self.push.drop()
            return
        self.push.write(text_frame(json.dumps(message, ensure_ascii=False).encode()))


class ChatSockets:
    """All visitors of this process, by the topic under which the stream speaks of them; and those who never wrote a word,
    by their own id, until the stream tells of their first one (from another window, perhaps in another process)."""

    def __init__(self, windows: VisitorWindows) -> None:
        self.hub: HubLike | None = None
        self._windows = windows
        self._by_topic: dict[str, set[_Visitor]] = {}
        self._silent: dict[str, set[_Visitor]] = {}
        self.visits = Throttle(_VISITS_PER_WINDOW, _VISIT_WINDOW_S, "too many visits")
        self.uploads = Throttle(_UPLOADS_PER_WINDOW, _UPLOAD_WINDOW_S, "too many pictures for now")
        self.uploads_of_address = Throttle(_UPLOADS_PER_ADDRESS, _UPLOAD_WINDOW_S, "too many pictures for now")
        # Messages left while nobody is there: by visitor, by machine, and by the mailbox that would be written to.
        self._left = Throttle(_LEFT_PER_VISITOR, _LEFT_WINDOW_S, "too many messages for now")
        self._left_of_address = Throttle(_LEFT_PER_ADDRESS, _LEFT_WINDOW_S, "too many messages for now")
        self._left_of_mailbox = Throttle(_LEFT_PER_MAILBOX, _LEFT_WINDOW_S, "too many messages for now")
        self.identities = Throttle(_VISITS_PER_WINDOW, _VISIT_WINDOW_S, "too many visits")
        self._frames = Throttle(_FRAMES_PER_WINDOW, _WINDOW_S)
        self._callbacks = Throttle(_CALLBACKS_PER_VISITOR, _CALLBACK_WINDOW_S, "too many callbacks for now")
        self._callbacks_of_address = Throttle(_CALLBACKS_PER_ADDRESS, _CALLBACK_WINDOW_S, "too many callbacks for now")
        # Open sockets by visitor and by address.
        self._open: Counter[str] = Counter()
        # Channels that were changed: whoever came in by what no longer holds goes.
        self._changed: set[str] = set()

    @property
    def count(self) -> int:
        return sum(len(visitors) for each in (self._by_topic, self._silent) for visitors in each.values())

    def check_offline(self, visitor_id: str, address: str, mailbox: str) -> None:
        """TooMany if so many were left already that it must be a machine, or somebody who annoys another."""
        self._left.check(visitor_id)
        self._left_of_address.check(address)
        self._left_of_mailbox.check(mailbox)

    # --- stream → visitors

    def follow(self, events: list[Stored]) -> None:
        for event in events:
            if event.kind == "channel.changed" and self.hub is not None and self.count:
                self._changed.add(json.loads(event.body)["channel"]["id"])
                self.hub.wakes.set("places")
            if event.kind not in ("entry.added", "entry.changed"):
                continue
            if self._silent and event.kind == "entry.added":
                self._meet(event)
            for topic in event.topics & self._by_topic.keys():
                body = json.loads(event.body)
                for visitor in self._by_topic[topic]:
                    self._tell(visitor, body)

    def _meet(self, event: Stored) -> None:
        """Attaches the silent windows of the visitor of whom the event speaks."""
        if any(topic.startswith("visitor:") for topic in event.topics):
            conversation = json.loads(event.body)["conversation"]
            for visitor in list(self._silent.get(conversation["address"], ())):
                self._attach(visitor, conversation["contact_point_id"])

    def _tell(self, visitor: _Visitor, body: dict[str, Any]) -> None:
        entry = body["entry"]
        if entry["channel_id"] != visitor.channel_id:
            return
        if body.get("conversation"):
            self._note_place(visitor, bool(body["conversation"]["queued_since"] or body["conversation"]["callback"]))
        messages: list[dict[str, Any]] = []
        if entry["kind"] == "message":
            messages.append({"type": "entry", "entry": visitor_entry(visitor.channel_id, entry, visitor.file_key)})
        elif entry["kind"] == "event":
            conversation = body.get("conversation") or {}
            is_resolved = conversation.get("status") == "resolved"
            assignee_id = conversation.get("assignee_id")
            # Other happenings (the visitor was recognised) say nothing about who is there.
            if assignee_id is None or entry["data"].get("agent_id") == assignee_id:
                name = entry["data"].get("agent_name") if assignee_id is not None else None
                messages.append({"type": "agent", "name": name})
            messages.append(
                {"type": "state", "waiting": bool(conversation.get("queued_since")), "resolved": is_resolved}
            )
        for message in messages:
            if visitor.is_live:
                visitor.send(message)
            else:
                visitor.early.append(message)

    def volatile(self, body: str, topics: frozenset[str]) -> None:
        for topic in topics & self._by_topic.keys():
            event = json.loads(body)
            if event["kind"] == "typing" and event["user_id"] is not None:
                for visitor in self._by_topic[topic]:
                    if visitor.is_live:
                        visitor.send({"type": "typing", "name": event["name"]})

    # --- places

    def _note_place(self, visitor: _Visitor, has_place: bool) -> None:
        visitor.has_place = has_place
        if self.hub is not None and (has_place or visitor.place is not None):
            self.hub.wakes.set("places")

    async def run(self) -> None:
        """Tells visitors where they stand, at most once a second."""
        assert self.hub is not None
        while True:
            began = monotonic()
            with contextlib.suppress(DatabaseAway):
                await self._show_out()
            due = [
                visitor
                for visitors in self._by_topic.values()
                for visitor in visitors
                if visitor.is_live and (visitor.has_place or visitor.place is not None)
            ]
            with contextlib.suppress(DatabaseAway):  # the next look does it
                await self._tell_places(due)
            await self.hub.wakes.wait("places", _PLACES_AT_REST_S if due or self._changed else None)
            await asyncio.sleep(max(_PLACES_EVERY_S - (monotonic() - began), 0.0))

    async def _show_out(self) -> None:
        """Ends the sockets of those who would not come in any more: their channel is off, or has another secret."""
        assert self.hub is not None
        while self._changed:
            channel_id = self._changed.pop()
            if not self._visitors_of(channel_id):
                continue
            try:
                channel = await chat_channel(self.hub, channel_id)
            except NotFound:
                channel = None
            except DatabaseAway:
                self._changed.add(channel_id)
                raise
            for visitor in self._visitors_of(channel_id):
                if channel is None or read_token(self.hub, visitor.token, channel) is None:
                    visitor.push.drop()

    def _visitors_of(self, channel_id: str) -> list[_Visitor]:
        groups = [*self._by_topic.values(), *self._silent.values()]
        return [visitor for group in groups for visitor in group if visitor.channel_id == channel_id]

    async def _tell_places(self, visitors: Collection[_Visitor]) -> None:
        """To each of them what has changed of its place."""
        points = sorted({(visitor.contact_point_id or 0, visitor.channel_id) for visitor in visitors})
        if not points or self.hub is None:
            return
        places: dict[tuple[int, str], dict[str, Any]] = {}
        # In steps: a query takes no more than some 32,000 parameters, and nobody waits long for a reader.
        for start in range(0, len(points), _PLACES_STEP):
            places |= await self.hub.database.read(_load_places, set(points[start : start + _PLACES_STEP]))
        for visitor in visitors:
            place = places.get((visitor.contact_point_id or 0, visitor.channel_id))
            if place != visitor.place:
                visitor.place = place
                visitor.send({"type": "place", "place": place})

    def _attach(self, visitor: _Visitor, contact_point_id: int, *, is_noted: bool = False) -> None:
        self._detach(visitor)
        visitor.contact_point_id = contact_point_id
        self._by_topic.setdefault(visitor_topic(contact_point_id), set()).add(visitor)
        self._windows.opened((contact_point_id, visitor.channel_id), is_noted=is_noted)

    def _detach(self, visitor: _Visitor) -> None:
        for windows, key in (
            (self._silent, visitor.visitor_id),
            (self._by_topic, visitor_topic(visitor.contact_point_id or 0)),
        ):
            found = windows.get(key)
            if found is not None and visitor in found:
                found.discard(visitor)
                if not found:
                    del windows[key]
                if visitor.contact_point_id is not None and windows is self._by_topic:
                    self._windows.shut((visitor.contact_point_id, visitor.channel_id))

    # --- a visit

    async def serve(self, websocket: WebSocket) -> None:
        """Runs one visitor's socket to its end."""
        assert self.hub is not None
        hub = self.hub
        try:
            channel = await chat_channel(hub, websocket.path_params["channel_id"])
        except DatabaseAway:
            return await refuse(websocket, CLOSE_AWAY)
        except NotFound:
            return await refuse(websocket, CLOSE_NO_CHANNEL)
        if not chat.origin_allowed(channel.account, websocket.headers.get("origin")):
            return await refuse(websocket, CLOSE_ORIGIN)
        token = _token_of(websocket)
        who = read_visitor(hub, websocket, channel)
        if who is None:
            return await refuse(websocket, CLOSE_NO_VISITOR)
        since_text = websocket.query_params.get("since", "0")
        since = int(since_text) if since_text.isdecimal() and len(since_text) < 19 else 0
        keys = (f"visitor {who.visitor_id}", f"address {address_of(websocket)}")
        if any(self._open[key] >= limit for key, limit in zip(keys, _SOCKET_LIMITS, strict=True)):
            return await refuse(websocket, CLOSE_TOO_MANY)
        self._open.update(keys)
        await websocket.accept(subprotocol=offered_protocol(websocket))
        visitor = _Visitor(
            channel.account.id,
            who,
            token,
            websocket.scope["extensions"][EXTENSION],
            file_keys(hub, who.visitor_id),
            hub.database.clock,
            address=address_of(websocket),
            language=_language(websocket.query_params.get("lang")),
        )
        try:
            await self._greet(hub, visitor, since)
            while True:
                text = await websocket.receive_text()
                if who.is_over(hub.database.clock()):
                    # Their sign-in on the page is over: the page says who comes next.
                    await close(websocket, CLOSE_NO_VISITOR)
                    break
                await self._take(hub, channel, visitor, text)
        except DatabaseAway:
            await close(websocket, CLOSE_AWAY)
        except (WebSocketDisconnect, KeyError, RuntimeError):
            pass
        finally:
            self._detach(visitor)
            self._open.subtract(keys)
            for key in keys:
                if not self._open[key]:
                    del self._open[key]

    async def _greet(self, hub: HubLike, visitor: _Visitor, since: int) -> None:
        """History first, then whatever the stream brought meanwhile (an entry may come twice: the widget knows its id)."""
        self._silent.setdefault(visitor.visitor_id, set()).add(visitor)
        found = await hub.database.read(customers.find_reaches, [(ContactKind.CHAT.value, visitor.visitor_id)])
        for reach in found.values():
            self._attach(visitor, reach.contact_point_id)
        visit = await hub.database.read(_load_visit, visitor.channel_id, visitor.who, since, visitor.file_key)
        visitor.name, visitor.conversation, visitor.known = visit.name, visit.conversation, visit.known
        visitor.send({"type": "history", "entries": visit.entries, "more": visit.more})
        visitor.send({"type": "agent", "name": visit.agent_name})
        view = visit.conversation
        visitor.send(
            {
                "type": "state",
                "waiting": view is not None and view.queued_since is not None,
                "resolved": view is not None and view.status == "resolved",
            }
        )
        visitor.is_live = True
        for message in visitor.early:
            visitor.send(message)
        visitor.early.clear()
        if view is not None and (view.queued_since is not None or view.callback is not None):
            visitor.has_place = True
            await self._tell_places([visitor])

    async def _take(self, hub: HubLike, channel: Channel, visitor: _Visitor, text: str) -> None:
        client_id: str | None = None
        survey_id: int | None = None
        try:
            frame = chat.parse_frame(text)
            if isinstance(frame, chat.MessageFrame):
                client_id = frame.client_id
            self._frames.check(visitor.visitor_id)
            match frame:
                case chat.MessageFrame():
                    await self._message(hub, channel, visitor, frame)
                case chat.ReceivedFrame(through) | chat.ReadFrame(through):
                    state = Delivery.READ if isinstance(frame, chat.ReadFrame) else Delivery.DELIVERED
                    if visitor.contact_point_id is not None and through > visitor.seen.get(state, 0):
                        await hub.database.transaction(
                            outbox.note_seen, visitor.contact_point_id, visitor.channel_id, through, state
                        )
                        visitor.seen[state] = through
                case chat.TypingFrame():
                    await self._typing(hub, visitor)
                case chat.IdentifyFrame():
                    await self._identify(hub, channel, visitor, frame)
                case chat.CallbackFrame(phone):
                    await self._call_back(hub, visitor, phone)
                case chat.CancelCallbackFrame():
                    if visitor.contact_point_id is not None:
                        self._count_callback(visitor)
                        await hub.database.transaction(
                            callbacks.cancel_as_visitor, visitor.contact_point_id, visitor.channel_id
                        )
                        await self._tell_places([visitor])
                case chat.ScoreFrame(asked, score, comment):
                    survey_id, point = asked, visitor.contact_point_id
                    await hub.database.transaction(_score, point, visitor.channel_id, asked, score, comment)
                    visitor.send({"type": "scored", "survey_id": asked, "score": score})
                case chat.PingFrame():
                    visitor.send({"type": "pong"})
        except DatabaseAway as error:
            visitor.send(_error(error, staff_language(visitor.language), client_id, survey_id))
        except CallerError as error:
            visitor.send(_error(error, staff_language(visitor.language), client_id, survey_id))

    async def _message(self, hub: HubLike, channel: Channel, visitor: _Visitor, frame: chat.MessageFrame) -> None:
        answers = await _check_form(hub, channel, visitor, frame)
        if answers is not None and (answers.name or answers.phone or answers.email):
            claimed = chat.IdentifyFrame(answers.name, answers.phone, answers.email)
            await self._claim(hub, channel, visitor, claimed, prefix="form.")
        media: tuple[Media, ...] = ()
        if frame.attachment_ids:
            media = await hub.database.read(_load_uploads, visitor.visitor_id, frame.attachment_ids)
        arrival = chat.message_arrival(
            visitor.visitor_id,
            frame,
            received_at=hub.database.clock(),
            media=media,
            sender_name=visitor.name,
            language=visitor.language,
        )
        if visitor.contact_point_id is None:
            begun = await hub.database.transaction(_begin, _wanted(visitor), visitor.channel_id, self._windows.process)
            self._attach(visitor, begun, is_noted=True)
        else:
            await self._windows.until_noted((visitor.contact_point_id, visitor.channel_id))
        outcomes = await hub.intake.accept(visitor.channel_id, [arrival])
        entry_id = outcomes[0].entry_id
        if entry_id is None:  # sent again: it is here already
            entry_id = await hub.database.read(_find_entry, visitor.contact_point_id, frame.client_id)
        if answers is not None and answers.told:
            # Before the ack: without it the widget says it all again, and what is there already is found.
            await hub.database.transaction(_note_form, entry_id, frame.client_id, answers.told)
        visitor.send(
            {
                "type": "ack",
                "client_id": frame.client_id,
                "entry_id": entry_id,
                "at": arrival.received_at.isoformat(),
            }
        )
        if outcomes[0].conversation_id is not None:
            known = visitor.conversation
            if known is None or known.id != outcomes[0].conversation_id:
                visitor.conversation = await hub.database.read(
                    conversations.load_conversation, outcomes[0].conversation_id
                )

    async def _typing(self, hub: HubLike, visitor: _Visitor) -> None:
        if visitor.conversation is None:
            return
        view = await hub.database.read(conversations.load_conversation, visitor.conversation.id)
        topics = conversation_topics(view.queue_id, view.assignee_id, view.participant_ids) | {
            customer_topic(view.customer_id)
        }
        hub.notices.say(Typing(view.id, None, view.customer_name), topics)

    async def _identify(self, hub: HubLike, channel: Channel, visitor: _Visitor, frame: chat.IdentifyFrame) -> None:
        await self._claim(hub, channel, visitor, frame)
        visitor.send({"type": "identified"})

    async def _claim(
        self, hub: HubLike, channel: Channel, visitor: _Visitor, frame: chat.IdentifyFrame, prefix: str = ""
    ) -> None:
        """Puts what they say of themselves on their card. InvalidInput names a faulty address as `prefix` and its field."""
        claims: list[tuple[ContactKind, str]] = []
        for kind, text in ((ContactKind.PHONE, frame.phone), (ContactKind.EMAIL, frame.email)):
            if text:
                name = "phone" if kind is ContactKind.PHONE else "email"
                try:
                    claims.append((kind, customers.parse_address(kind, text, channel.account.default_region)))
                except InvalidInput as error:
                    words = next(iter(error.fields.values()))
                    raise InvalidInput(error.message, fields={f"{prefix}{name}": words}) from error
        contact_point_id = await hub.database.transaction(_identify, _wanted(visitor), frame.name, claims)
        if visitor.contact_point_id is None:
            self._attach(visitor, contact_point_id)
        visitor.name = frame.name or visitor.name

    def _count_callback(self, visitor: _Visitor) -> None:
        """Each is a transaction, a line of the timeline and perhaps somebody's phone: people want few of them."""
        self._callbacks.check(visitor.visitor_id)
        self._callbacks_of_address.check(visitor.address)

    async def _call_back(self, hub: HubLike, visitor: _Visitor, phone: str) -> None:
        if visitor.contact_point_id is None:
            raise Conflict("nobody waits in this chat", code="not_waiting")
        self._count_callback(visitor)
        try:
            await hub.database.transaction(
                callbacks.ask_as_visitor, visitor.contact_point_id, visitor.channel_id, phone
            )
        except InvalidInput as error:
            raise InvalidInput(error.message, fields={"phone": next(iter(error.fields.values()))}) from error
        await self._tell_places([visitor])


def _own_conversations(tx: Tx, contact_point_id: int | None, channel_id: str | None = None) -> list[int]:
    c = tables.conversation.c
    own = select(c.id).where(c.contact_point_id == contact_point_id)
    return [row.id for row in tx.rows(own if channel_id is None else own.where(c.channel_id == channel_id))]


def _find_entry(tx: Tx, contact_point_id: int | None, client_key: str) -> int | None:
    theirs = conversations.came_by(_own_conversations(tx, contact_point_id))
    found: int | None = tx.scalar(
        select(tables.entry.c.id).where(theirs, tables.entry.c.client_key == client_key).limit(1)
    )
    return found


def _wanted(visitor: _Visitor) -> dict[tuple[str, str], dict[str, Any]]:
    return {(ContactKind.CHAT.value, visitor.visitor_id): {"name": visitor.name, "language": visitor.language}}


def _begin(tx: Tx, wanted: dict[tuple[str, str], dict[str, Any]], channel_id: str, process: str) -> int:
    """The contact point of a visitor who writes for the first time, with the window in which they do."""
    reach = next(iter(customers.ensure_reaches(tx, wanted).values()))
    visitor_presence.begin(tx, process, (reach.contact_point_id, channel_id))
    return reach.contact_point_id


async def _check_form(hub: HubLike, channel: Channel, visitor: _Visitor, frame: chat.MessageFrame) -> Answers | None:
    """What was filled in before a request; None where nothing is asked. InvalidInput naming each faulty field `form.x`."""
    widget = channel.account.widget
    if not widget.form_enabled or (frame.form is None and await hub.database.read(_goes_on, visitor, frame)):
        return None
    return check_answers(widget.fields, frame.form or {}, known=visitor.known)


def _goes_on(tx: Tx, visitor: _Visitor, frame: chat.MessageFrame) -> bool:
    """Whether the message belongs to a request that has begun, as it is now: another window may have begun it, and what was
    resolved when this one was opened may be open again. Also of one that is here already and is only said again."""
    if visitor.contact_point_id is None:
        return False
    c = tables.conversation.c
    own = (c.contact_point_id == visitor.contact_point_id, c.channel_id == visitor.channel_id)
    status = tx.scalar(select(c.status).where(*own).order_by(c.id.desc()).limit(1))
    return status == "open" or _find_entry(tx, visitor.contact_point_id, frame.client_id) is not None


def _note_form(tx: Tx, entry_id: int | None, client_id: str, told: tuple[tuple[str, str], ...]) -> None:
    conversation_id = tx.scalar(select(tables.entry.c.conversation_id).where(tables.entry.c.id == entry_id))
    if conversation_id is not None:
        widgets.note_form(tx, conversation_id, client_id, told)


def _language(tag: str | None) -> str | None:
    """Two or three letters, of which the page says that its visitor reads them."""
    language = (tag or "").split("-")[0].lower()
    return language if 2 <= len(language) <= 3 and language.isascii() and language.isalpha() else None


def _identify(
    tx: Tx,
    wanted: dict[tuple[str, str], dict[str, Any]],
    name: str | None,
    claims: list[tuple[ContactKind, str]],
) -> int:
    reach = next(iter(customers.ensure_reaches(tx, wanted).values()))
    customers.identify(tx, reach.contact_point_id, name=name, claims=claims)
    return reach.contact_point_id


def _score(tx: Tx, contact_point_id: int | None, channel_id: str, survey_id: int, score: int, comment: str) -> None:
    """NotFound for a survey of somebody else's."""
    s, c = tables.survey.c, tables.conversation.c
    own = (s.id == survey_id, c.contact_point_id == contact_point_id, c.channel_id == channel_id)
    if tx.first(select(s.id).join(tables.conversation, c.id == s.conversation_id).where(*own)) is None:
        raise NotFound("there is no such survey")
    answers.answer(tx, survey_id, score, comment)


def _error(
    error: HubError, language: StaffLanguage, client_id: str | None, survey_id: int | None = None
) -> dict[str, Any]:
    """In the visitor's language. There the message is what is wrong with the fields, whose names no visitor knows."""
    message: dict[str, Any] = {"type": "error", **error_body(error, language)}
    if language != "en" and error.fields:
        message["message"] = "; ".join(message["fields"].values())
    if client_id is not None:
        message["client_id"] = client_id
    if survey_id is not None:
        message["survey_id"] = survey_id
    return message


def address_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


@dataclass(frozen=True, slots=True)
class Who:
    """Whose token it is. `expires_at`: of whoever is signed in on the page; None: an anonymous visitor."""

    visitor_id: str
    expires_at: datetime | None = None

    @property
    def is_known(self) -> bool:
        return self.expires_at is not None

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at


def read_visitor(hub: HubLike, connection: HTTPConnection, channel: ChatChannel) -> Who | None:
    """The visitor whose token the request carries: a header, an offered subprotocol, or the hub's own cookie."""
    if _told_token(connection):
        return read_token(hub, _told_token(connection), channel)
    token = connection.cookies.get(COOKIE, "")
    return _read_anonymous(hub, token) if token else None


def _told_token(connection: HTTPConnection) -> str:
    offered = [each for each in _protocols(connection) if each != PROTOCOL]
    return connection.headers.get(VISITOR_HEADER) or (offered[0] if offered else "")


def _token_of(connection: HTTPConnection) -> str:
    return _told_token(connection) or connection.cookies.get(COOKIE, "")


def read_token(hub: HubLike, token: str, channel: ChatChannel) -> Who | None:
    known = chat.read_known(token, key=_known_key(hub, channel), now=hub.database.clock())
    return Who(*known) if known is not None else _read_anonymous(hub, token)


def _read_anonymous(hub: HubLike, token: str) -> Who | None:
    visitor_id = chat.read_visitor(token, key=hub.vault.key("chat-visitor"), now=hub.database.clock())
    return Who(visitor_id) if visitor_id is not None else None


def _known_key(hub: HubLike, channel: ChatChannel) -> bytes:
    secret = channel.account.secrets.get(widgets.SECRET, "")
    # Without a secret nobody is signed in, and this key signs nothing: no token is made with it.
    return widgets.known_key(hub.vault.key("chat-visitor"), secret, channel.account.id)


def _protocols(connection: HTTPConnection) -> list[str]:
    return [each.strip() for each in connection.headers.get("sec-websocket-protocol", "").split(",") if each.strip()]


def offered_protocol(connection: HTTPConnection) -> str | None:
    """What the hub agrees to: never the token, which would come back in the answer."""
    return PROTOCOL if PROTOCOL in _protocols(connection) else None


def file_keys(hub: HubLike, visitor_id: str) -> Callable[[int], str]:
    """attachment id → what lets this visitor see it, for a while."""
    ends = int((hub.database.clock() + _FILE_KEY_LASTS).timestamp())

    def key(attachment_id: int) -> str:
        return f"{visitor_id}.{ends}.{hub.vault.sign('chat-file', f'{visitor_id} {attachment_id} {ends}')}"

    return key


def _read_file_key(hub: HubLike, key: str, attachment_id: int) -> str | None:
    signed, _, signature = key.rpartition(".")
    visitor_id, _, ends = signed.partition(".")
    if not ends.isdecimal() or len(ends) > 11 or int(ends) <= hub.database.clock().timestamp():
        return None
    is_ours = hub.vault.is_signed("chat-file", f"{visitor_id} {attachment_id} {ends}", signature)
    return visitor_id if is_ours else None


async def chat_channel(hub: HubLike, channel_id: str) -> ChatChannel:
    channel = await hub.channels.find(channel_id)
    if not isinstance(channel, ChatChannel):
        raise NotFound("there is no such chat")
    return channel


async def refuse(websocket: WebSocket, code: int) -> None:
    await websocket.accept(subprotocol=offered_protocol(websocket))
    await close(websocket, code)


async def close(websocket: WebSocket, code: int) -> None:
    with contextlib.suppress(RuntimeError):  # it was closed already
        await websocket.close(code)


# --- plain HTTP ---------------------------------------------------------------------------------------------------------


def allow(response: Response, request: Request) -> Response:
    """Lets an allowed page of another site read the answer."""
    origin = request.headers.get("origin")
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Vary"] = "Origin"
    return response


async def checked_channel(request: Request) -> ChatChannel:
    channel = await chat_channel(hub_of(request), request.path_params["channel_id"])
    if not chat.origin_allowed(channel.account, request.headers.get("origin")):
        raise Forbidden("this chat is not open to this page", code="origin_not_allowed")
    return channel


async def preflight(request: Request) -> Response:
    try:
        await checked_channel(request)
    except Exception as error:
        return error_answer(request, error)
    answer = allow(Response(status_code=204), request)
    answer.headers["Access-Control-Allow-Methods"] = "POST"
    answer.headers["Access-Control-Allow-Headers"] = f"content-type, {VISITOR_HEADER}"
    answer.headers["Access-Control-Max-Age"] = "600"
    return answer


async def _read_visit(request: Request) -> dict[str, str]:
    """`visitor` and `identity` of the body, as far as they are there; an empty body is an empty visit."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _VISIT_LIMIT_BYTES:
            raise BadRequest("The visit is too large.")
    try:
        told = json.loads(bytes(body)) if body else {}
    except (ValueError, RecursionError) as error:
        raise BadRequest("The visit is not JSON.") from error
    if not isinstance(told, dict):
        raise BadRequest("The visit is not an object.")
    return {name: told[name] for name in ("visitor", "identity") if isinstance(told.get(name), str) and told[name]}


async def visit(request: Request) -> Response:
    """The visitor's token (a new visitor's, or the same for longer) and how the window is set up. A signed word of the page's
    (`identity`) makes it the token of whoever is signed in there; one that is no good is refused in words, and the visitor
    stays who they were."""
    hub = hub_of(request)
    try:
        channel = await checked_channel(request)
        told = await _read_visit(request)
        given = told.get("visitor") or request.cookies.get(COOKIE, "")
        who = _read_anonymous(hub, given) if given else None
        if who is None:
            hub.chat_sockets.visits.check(address_of(request))
            who = Who(chat.new_visitor_id())
        anonymous = chat.sign_visitor(who.visitor_id, key=hub.vault.key("chat-visitor"), issued_at=hub.database.clock())
        token, identity = anonymous, None
        if "identity" in told:
            hub.chat_sockets.identities.check(address_of(request))
            try:
                who = await _know(hub, channel, told["identity"], who.visitor_id)
            except IdentityRefused as refusal:
                identity = {"state": "refused", "code": refusal.code, "message": _REFUSALS[refusal.code]}
            else:
                assert who.expires_at is not None
                key = _known_key(hub, channel)
                token = chat.sign_known(who.visitor_id, key=key, expires_at=who.expires_at)
                identity = {"state": "known", "expires_at": who.expires_at.isoformat()}
        found = await hub.database.read(_load_visit, channel.account.id, who, 2**62, file_keys(hub, who.visitor_id))
        presence = await hub.database.read(widgets.load_presence, channel.account.id)
        calls = await _load_calls(hub, channel.account.id)
        takes_mail = await mail_account(hub, channel) is not None
        capabilities, settings = channel.capabilities, channel.account.settings
        answer = JSONResponse(
            {
                "title": settings.get("title") or "",
                "greeting": settings.get("greeting") or "",
                "accent": settings.get("colour") or "",
                "online": presence.is_somebody_there,
                "text_limit": capabilities.text_limit,
                "attachment_limit_bytes": capabilities.attachment_limit_bytes,
                "visitor": {"name": found.name, "token": token, "anonymous": anonymous},
                "identity": identity,
                "calls": calls,
                **_show_widget(channel, presence, found, takes_mail=takes_mail),
            },
            headers={"Cache-Control": "no-store"},
        )
        if _is_own_page(channel, request):
            cookie: SimpleCookie = SimpleCookie({COOKIE: anonymous})
            morsel = cookie[COOKIE]
            morsel["path"] = "/chat/"
            morsel["httponly"] = True
            morsel["max-age"] = int(chat.VISITOR_MAX_AGE.total_seconds())
            morsel["samesite"] = "Lax"
            morsel["secure"] = hub.settings.secure_cookies
            answer.headers.append("Set-Cookie", morsel.OutputString())
        return allow(answer, request)
    except Exception as error:
        return (
            allow(error_answer(request, error), request) if isinstance(error, TooMany) else error_answer(request, error)
        )


_REFUSALS = {
    "bad_token": "this is not signed with the channel's identity secret",
    "expired": "this signed word is over",
    "too_long": "a signed word may hold for 24 hours at most",
    "too_early": "this signed word does not hold yet",
    "other_channel": "this was signed for another channel",
    "used": "this was used by another browser already",
    "switched_off": "this channel has no identity secret",
}


async def _know(hub: HubLike, channel: ChatChannel, token: str, browser: str) -> Who:
    account = channel.account
    secret = account.secrets.get(widgets.SECRET, "")
    identity = chat_identity.read_identity(token, secret=secret, channel_id=account.id, now=hub.database.clock())
    digest = chat_identity.digest(token)
    visitor_id = await hub.database.transaction(widgets.exchange, account.id, identity, digest, browser)
    return Who(visitor_id, identity.expires_at)


def _is_own_page(channel: ChatChannel, request: Request) -> bool:
    """Whether the window stands on a page of the hub's own; other sites get no cookies of ours."""
    origin = request.headers.get("origin", "")
    return chat.normal_origin(origin) == chat.normal_origin(channel.account.public_url)


async def mail_account(hub: HubLike, channel: ChatChannel) -> EmailChannel | None:
    """Where what is left for later goes; None: the widget takes nothing, or the account was switched off or removed since."""
    offline = channel.account.widget.offline
    if not offline.enabled:
        return None
    try:
        account = await hub.channels.find(offline.channel_id)
    except NotFound:
        return None
    return account if isinstance(account, EmailChannel) else None


def _show_widget(
    channel: ChatChannel, presence: widgets.Presence, found: _Visit, *, takes_mail: bool
) -> dict[str, Any]:
    widget = channel.account.widget
    known = found.known
    form = None
    if widget.form_enabled:
        form = {"intro": widget.intro, "fields": _show_fields(widget.fields, known), "is_due": found.begins_anew}
    offline = None
    if takes_mail:
        is_away = widget.offline.when is OfflineWhen.AWAY and not presence.is_somebody_there
        # Whoever talks with somebody goes on where they talk.
        is_due = found.begins_anew and (is_away or not presence.is_open)
        demanded = () if Asked.EMAIL in known else (AskedField(Asked.EMAIL, required=True),)
        asked = [each for each in widget.fields if each.name is not Asked.EMAIL] if widget.form_enabled else []
        fields = _show_fields([*demanded, *asked], known)
        offline = {"text": widget.offline.text, "fields": fields, "is_due": is_due}
    return {
        "widget": {"position": widget.position, "scheme": widget.scheme, "launcher": widget.launcher},
        "form": form,
        "offline": offline,
        "opens_at": presence.opens_at.isoformat() if presence.opens_at is not None else None,
    }


def _show_fields(fields: Collection[AskedField], known: Collection[Asked]) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "required": each.required, "label": each.label, "options": each.options}
        for each in fields
        if each.name not in known
    ]


def find_line_id(tx: Tx, chat_channel_id: str) -> str | None:
    """The telephone line that points at this chat, if one is switched on."""
    ch = tables.channel.c
    lines = select(ch.id, ch.settings).where(ch.kind == "phone", ch.provider == hubline.PROVIDER, ch.enabled)
    for row in tx.rows(lines.order_by(ch.id)):
        if row.settings.get("chat_channel_id") == chat_channel_id:
            return str(row.id)
    return None


async def _load_calls(hub: HubLike, chat_channel_id: str) -> dict[str, Any] | None:
    """How visitors of this chat may call (hub.web.call_socket); None where there is no such line, or nothing to carry it."""
    line_id = await hub.database.read(find_line_id, chat_channel_id)
    if line_id is None or not hub.settings.line_url:
        return None
    line = await hub.channels.get_line(line_id)
    if not isinstance(line, hubline.HubLine):
        return None
    return {"title": line.account.settings.get("title") or "", "ice_servers": line.ice_servers}


def _load_uploads(tx: Tx, visitor_id: str, ids: tuple[int, ...]) -> tuple[Media, ...]:
    a, p = tables.attachment.c, tables.contact_point.c
    rows = tx.rows(
        select(a.id, a.media_type, a.name)
        .join(tables.contact_point, p.id == a.contact_point_id)
        .where(a.id.in_(ids), a.entry_id.is_(None), p.kind == ContactKind.CHAT.value, p.address == visitor_id)
    )
    by_id = {row.id: Media(row.media_type, row.name, stored_id=row.id) for row in rows}
    # A frame sent again finds its files already with their entry: the arrival is known, so nothing is lost by leaving
    # them out here.
    return tuple(by_id[each] for each in ids if each in by_id)


def _insert_upload(tx: Tx, visitor_id: str, channel_id: str, row: dict[str, Any]) -> int:
    reach = next(iter(customers.ensure_reaches(tx, {(ContactKind.CHAT.value, visitor_id): {}}).values()))
    return tx.insert(
        tables.attachment,
        row
        | {
            "contact_point_id": reach.contact_point_id,
            "channel_id": channel_id,
            "state": AttachmentState.STORED.value,
            "created_at": tx.now,
        },
    )


async def upload(request: Request) -> Response:
    """A picture to send with the next message."""
    hub = hub_of(request)
    try:
        channel = await checked_channel(request)
        who = read_visitor(hub, request, channel)
        if who is None:
            raise Unauthenticated("this visitor is not known; visit first")
        visitor_id = who.visitor_id
        hub.chat_sockets.uploads.check(visitor_id)
        hub.chat_sockets.uploads_of_address.check(address_of(request))
        limit = channel.capabilities.attachment_limit_bytes or hub.settings.upload_limit_bytes
        name, media_type, content = await read_upload(request, limit)
        if media_type not in channel.capabilities.attachment_types:
            raise InvalidInput("not a picture", fields={"file": Sentence("must be a picture (JPEG, PNG, GIF or WebP)")})
        key = await asyncio.to_thread(hub.files.write, content)
        row = {"name": name, "media_type": media_type, "size_bytes": len(content), "file_key": key}
        attachment_id = await hub.database.transaction(_insert_upload, visitor_id, channel.account.id, row)
    except Exception as error:
        return allow(error_answer(request, error), request)
    url = file_url(channel.account.id, attachment_id, file_keys(hub, visitor_id))
    shown = {"id": attachment_id, "name": name, "media_type": media_type, "size_bytes": len(content), "url": url}
    return allow(JSONResponse(shown, 201), request)


def _access_file(tx: Tx, channel_id: str, visitor_id: str, attachment_id: int) -> Row[Any]:
    """A file of the visitor's own: sent by them, or to them in one of their conversations on this channel."""
    a, e, c, p = tables.attachment.c, tables.entry.c, tables.conversation.c, tables.contact_point.c
    point = tx.scalar(select(p.id).where(p.kind == ContactKind.CHAT.value, p.address == visitor_id))
    row = tx.first(
        select(
            tables.attachment,
            e.kind.label("entry_kind"),
            c.contact_point_id.label("conversation_point"),
            c.channel_id.label("conversation_channel"),
        )
        .outerjoin(tables.entry, e.id == a.entry_id)
        .outerjoin(tables.conversation, c.id == conversations.HOME)
        .where(a.id == attachment_id)
    )
    is_theirs = (
        row is not None
        and point is not None
        and (
            (row.entry_id is None and row.contact_point_id == point)
            or (
                row.entry_kind == "message"
                and row.conversation_point == point
                and row.conversation_channel == channel_id
            )
        )
    )
    if row is None or not is_theirs:
        raise NotFound("there is no such file")
    return row


async def download(request: Request) -> Response:
    hub = hub_of(request)
    try:
        channel = await chat_channel(hub, request.path_params["channel_id"])
        attachment_id = request.path_params["attachment_id"]
        key = request.query_params.get("key", "")
        visitor_id = _read_file_key(hub, key, attachment_id) if key else None
        if visitor_id is None:
            who = read_visitor(hub, request, channel)
            visitor_id = who.visitor_id if who is not None else None
        if visitor_id is None:
            raise NotFound("there is no such file")
        row = await hub.database.read(_access_file, channel.account.id, visitor_id, attachment_id)
        answer = serve_file(hub.files, row)
        answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return answer
    except Exception as error:
        return error_answer(request, error)
