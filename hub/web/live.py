"""The console socket: a snapshot's token in, the stream's events out, each screen seeing what it may.

    Tail → Live.follow (events as stored, JSON ready) → flush → one frame per group of screens that see the same → transport

A frame is `{prev, token, events}`: a screen that holds `prev` and applies the events holds `token`. Events are the very
characters that the transaction stored; a frame is put together once and its bytes are handed to every socket that needs
the same. Under load frames are gathered for some milliseconds, when idle they leave at once.

A screen that cannot be served from what this process remembers (token too old, from the future or of another epoch, too
much missed, too slow) is told to `resync`: it takes a fresh snapshot. There is no second way to catch up.

Who may see what is the viewer's topics against the event's (domain.events). When somebody's rights change, their sockets
are looked at again at once, and all sockets every minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections import deque
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.agents import presence
from hub.agents.viewer import Viewer
from hub.domain.events import customer_topic
from hub.domain.values import Token
from hub.errors import DatabaseAway, NotFound
from hub.store.database import Database
from hub.store.notices import Notices
from hub.store.stream import READ_LIMIT, Stored, Tail, load_bounds, load_events
from hub.timeline import customers
from hub.web.api import HubLike, access_viewer
from hub.web.security import is_own_socket_origin
from hub.web.socket_protocol import EXTENSION, text_frame

log = logging.getLogger(__name__)

# Frames leave at once when nothing left in the last so many seconds, else they are gathered for that long.
_GATHER_S = 0.015
# Events kept in memory for screens that fall a little behind.
_RING_LIMIT = 5_000
# Missing more than this, a fresh snapshot is cheaper than catching up.
_BACKLOG_LIMIT = 2_000
# Every screen hears from us this often: it notices a dead line, and its token keeps up with the stream.
TICK_S = 10.0
_RECHECK_S = 60.0
# The largest message a console sends us is a watch request.
_RECEIVE_LIMIT = 4_096

CLOSE_SIGNED_OUT = 4401
CLOSE_ORIGIN = 4403
CLOSE_AWAY = 1012


class Push(Protocol):
    """The raw door to a socket (socket_protocol.PushProtocol)."""

    def push(self, frame: bytes) -> bool: ...
    def write(self, frame: bytes) -> None: ...
    def unsent_bytes(self) -> int: ...


@dataclass(eq=False, slots=True)
class Screen:
    """One open console. `seq` is the position it has been told; it sees events whose topics meet its own."""

    id: str
    viewer: Viewer
    push: Push
    topics: frozenset[str]
    seq: int = 0
    customer_id: int | None = None
    is_behind: bool = False
    # Waits for the client to resume after it was told to resync: nothing is sent until then.
    is_paused: bool = False
    # Rises with each resync: a resume that runs meanwhile is of no use any more.
    resyncs: int = 0
    # Its row of presence is committed.
    is_noted: bool = False
    websocket: WebSocket | None = field(default=None, repr=False)

    def sees(self, event: Stored) -> bool:
        return not self.topics.isdisjoint(event.topics) and (not event.unless or self.topics.isdisjoint(event.unless))


class Live:
    """All screens of this process. Everything here runs on the event loop; nothing waits for a client."""

    def __init__(self, database: Database, tail: Tail, notices: Notices, *, process: str) -> None:
        self._database = database
        self._tail = tail
        self._notices = notices
        self.process = process
        self.screens: dict[str, Screen] = {}
        self._groups: dict[frozenset[str], set[Screen]] = {}
        self._ring: deque[Stored] = deque(maxlen=_RING_LIMIT)
        self._pending: list[Stored] = []
        self._flush_handle: asyncio.Handle | None = None
        self._last_flush = 0.0
        self._rechecks: set[asyncio.Task[None]] = set()
        self.hub: HubLike | None = None
        tail.follow(self.follow)
        tail.on_new_life.append(self._begin_anew)
        notices.listen(self._volatile)

    # --- events out

    def follow(self, events: list[Stored]) -> None:
        self._pending.extend(events)
        self._ring.extend(events)
        if self._flush_handle is not None:
            return
        loop = asyncio.get_running_loop()
        wait_s = self._last_flush + _GATHER_S - loop.time()
        self._flush_handle = loop.call_later(wait_s, self._flush) if wait_s > 0 else loop.call_soon(self._flush)

    def _begin_anew(self) -> None:
        """The database was replaced: what was remembered and every token belong to its former life."""
        self._pending.clear()
        self._ring.clear()
        for screen in self.screens.values():
            self._resync(screen, "token_unknown")

    def _flush(self) -> None:
        self._flush_handle = None
        self._last_flush = asyncio.get_running_loop().time()
        events, self._pending = self._pending, []
        if not events:
            return
        self._broadcast(events)
        for event in events:
            if event.kind == "access.changed":
                self._recheck_later({s.viewer.user_id for s in self.screens.values() if s.sees(event)})
            elif event.kind == "conversation.hidden":
                # With its last conversation the customer's card may be closed to them, too.
                for screen in self.screens.values():
                    if screen.customer_id is not None and screen.sees(event):
                        self._later(self._recheck_card(screen))

    def _broadcast(self, events: list[Stored]) -> None:
        """Sends each screen what it may see of the events. Screens of one group that hold the same position share the
        bytes; so do groups that see the same events."""
        frames: dict[tuple[int, tuple[int, ...]], bytes] = {}
        last = events[-1].seq
        for topics, screens in self._groups.items():
            if not screens:
                continue
            visible = [
                event
                for event in events
                if not topics.isdisjoint(event.topics) and (not event.unless or topics.isdisjoint(event.unless))
            ]
            if not visible:
                continue
            key = tuple(event.seq for event in visible)
            for screen in screens:
                if screen.is_paused or screen.is_behind:
                    continue
                if screen.seq >= key[0]:
                    # It resumed ahead of the tail: it has some of these already.
                    self._send_events(screen, [event for event in visible if event.seq > screen.seq], last)
                    continue
                frame = frames.get((screen.seq, key))
                if frame is None:
                    frame = frames[screen.seq, key] = self._frame(screen.seq, last, visible)
                if screen.push.push(frame):
                    screen.seq = last
                else:
                    # It is slow: it catches up when it has taken what it has.
                    screen.is_behind = True

    def _frame(self, prev: int, seq: int, events: Iterable[Stored]) -> bytes:
        epoch = self._tail.epoch
        bodies = ",".join(event.body for event in events)
        return text_frame(f'{{"prev":"{epoch}-{prev}","token":"{epoch}-{seq}","events":[{bodies}]}}'.encode())

    def _send_events(self, screen: Screen, events: list[Stored], last: int) -> None:
        if last <= screen.seq:
            return
        if screen.push.push(self._frame(screen.seq, last, events)):
            screen.seq = last
        else:
            screen.is_behind = True

    def _resync(self, screen: Screen, reason: str) -> None:
        screen.is_paused = True
        screen.is_behind = False
        screen.resyncs += 1
        screen.push.write(text_frame(json.dumps({"resync": reason}).encode()))

    def _catch_up(self, screen: Screen) -> None:
        """A slow screen has taken what it had: the ring has the rest, or a fresh snapshot has."""
        if not self._ring or self._ring[0].seq > screen.seq + 1:
            self._resync(screen, "too_slow")
            return
        missed = [event for event in self._ring if event.seq > screen.seq]
        if len(missed) > _BACKLOG_LIMIT:
            self._resync(screen, "too_slow")
            return
        screen.is_behind = False
        self._send_events(screen, [event for event in missed if screen.sees(event)], self._ring[-1].seq)

    def _volatile(self, body: str, topics: frozenset[str]) -> None:
        frame = text_frame(f'{{"volatile":[{body}]}}'.encode())
        for group, screens in self._groups.items():
            if not group.isdisjoint(topics):
                for screen in screens:
                    if not screen.is_paused and not screen.is_behind:
                        screen.push.push(frame)

    # --- the loop: ticks, heartbeats, rights

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        next_tick = next_beat = loop.time()
        next_recheck = loop.time() + _RECHECK_S
        while True:
            now = loop.time()
            if now >= next_beat:
                next_beat = now + presence.HEARTBEAT_S
                try:
                    await self._beat()
                except DatabaseAway:
                    log.warning("live.heartbeat_away")
            if now >= next_tick:
                next_tick = now + TICK_S
                self._tick()
            if now >= next_recheck:
                next_recheck = now + _RECHECK_S
                self._recheck_later({screen.viewer.user_id for screen in self.screens.values()})
            for screen in list(self.screens.values()):
                if screen.is_behind and screen.push.unsent_bytes() == 0:
                    self._catch_up(screen)
            await asyncio.sleep(0.25)

    async def _beat(self) -> None:
        noted = [screen.id for screen in self.screens.values() if screen.is_noted]
        for screen_id in await self._database.transaction(presence.beat, self.process, noted):
            if screen_id in self.screens:
                await self._note(self.screens[screen_id])

    async def _note(self, screen: Screen) -> None:
        """Somebody is here; in front of a screen on a wall, nobody is."""
        if screen.viewer.is_screen:
            return
        await self._database.transaction(
            presence.connect, screen.id, screen.viewer.user_id, self.process, screen.customer_id
        )
        screen.is_noted = True

    def _tick(self) -> None:
        tick = text_frame(json.dumps({"tick": self._database.clock().isoformat()}).encode())
        # What is pending is flushed first, so that the position told below is one everything visible was sent for.
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush()
        for screen in self.screens.values():
            if screen.is_behind or screen.is_paused:
                continue
            screen.push.push(tick)
            if self._ring and self._ring[-1].seq > screen.seq:
                self._send_events(screen, [], self._ring[-1].seq)

    def _recheck_later(self, user_ids: set[int]) -> None:
        self._later(self._recheck(user_ids))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="live recheck")
        self._rechecks.add(task)
        task.add_done_callback(self._rechecks.discard)

    async def _recheck_card(self, screen: Screen) -> None:
        """Looks again whether the open card may still be seen; `watch` closes one that may not."""
        with contextlib.suppress(DatabaseAway):  # every minute all rights are looked at again
            await self.watch(screen, screen.customer_id)

    async def _recheck(self, user_ids: set[int]) -> None:
        """Looks again at who these screens belong to: signed out → closed; other rights → a fresh snapshot."""
        assert self.hub is not None
        for screen in [s for s in self.screens.values() if s.viewer.user_id in user_ids]:
            assert screen.websocket is not None
            try:
                viewer = await access_viewer(self.hub, screen.websocket, is_use=False)
            except DatabaseAway:
                continue
            if screen.id not in self.screens:
                continue
            if viewer is None:
                await _close(screen.websocket, CLOSE_SIGNED_OUT)
            elif (viewer.topics, viewer.role, viewer.permissions, viewer.is_screen) != (
                screen.viewer.topics,
                screen.viewer.role,
                screen.viewer.permissions,
                screen.viewer.is_screen,
            ):
                self._detach(screen)
                screen.viewer = viewer
                self._resync(screen, "access_changed")
                await self._recheck_card(screen)

    # --- one screen

    def _attach(self, screen: Screen) -> None:
        topics = set(screen.viewer.topics)
        if screen.customer_id is not None:
            topics.add(customer_topic(screen.customer_id))
        screen.topics = frozenset(topics)
        self._groups.setdefault(screen.topics, set()).add(screen)

    def _detach(self, screen: Screen) -> None:
        group = self._groups.get(screen.topics)
        if group is not None:
            group.discard(screen)
            if not group:
                del self._groups[screen.topics]

    async def resume(self, screen: Screen, since: str) -> None:
        """Brings a screen from its token to the present and attaches it to the live end, without a gap."""
        token = Token.parse(since)
        resyncs = screen.resyncs
        head, pruned_to = await self._database.read(load_bounds)
        if token is None or token.epoch != head.epoch or not pruned_to <= token.seq <= head.seq:
            self._resync(screen, "token_unknown")
            return
        if head.epoch != self._tail.epoch:
            self._resync(screen, "token_unknown")
            return
        self._detach(screen)
        self._attach(screen)
        screen.seq = token.seq
        # Until it is attached `_broadcast` must leave it alone.
        screen.is_paused = True
        missed: list[Stored] = []
        cursor = token.seq
        while cursor < self._tail.cursor:
            events = await self._database.read(load_events, cursor)
            if not events:
                break
            cursor = events[-1].seq
            missed += [event for event in events if screen.sees(event)]
            if len(missed) > _BACKLOG_LIMIT or cursor - token.seq > _BACKLOG_LIMIT * 50:
                self._resync(screen, "backlog_too_long")
                return
            if len(events) < READ_LIMIT and cursor >= self._tail.cursor:
                break
        if screen.id not in self.screens or screen.resyncs != resyncs:
            self._detach(screen)  # it closed meanwhile, or its rights changed: what was read is not for it any more
            return
        # No await from here on: what the tail delivered up to now is in `missed` or in the ring.
        missed += [event for event in self._ring if event.seq > cursor and screen.sees(event)]
        last = max(cursor, self._ring[-1].seq if self._ring else 0, self._tail.cursor, token.seq)
        screen.is_paused = False
        screen.push.write(self._frame(screen.seq, last, missed))
        screen.seq = last

    async def watch(self, screen: Screen, customer_id: int | None) -> None:
        """The screen has opened a customer's card (or none): it sees that customer's events, and who else looks. On a wall
        there are no cards."""
        if screen.viewer.is_screen:
            customer_id = None
        if customer_id is not None:
            try:
                await self._database.read(customers.access_customer, screen.viewer, customer_id)
            except NotFound:
                customer_id = None
        before = await self._database.transaction(presence.watch, screen.id, customer_id)
        if screen.id not in self.screens:
            return  # it closed meanwhile
        self._detach(screen)
        screen.customer_id = customer_id
        self._attach(screen)
        screen.push.write(text_frame(json.dumps({"watching": customer_id}).encode()))
        await self._tell_viewers({before, customer_id} - {None})

    async def _tell_viewers(self, customer_ids: Iterable[int | None]) -> None:
        for customer_id in customer_ids:
            if customer_id is not None:
                user_ids = await self._database.read(presence.load_viewers, customer_id)
                self._notices.say(*presence.viewing(customer_id, user_ids))

    async def serve(self, websocket: WebSocket) -> None:
        """Runs one console socket to its end."""
        assert self.hub is not None
        by_key = "authorization" in websocket.headers
        if not by_key and not is_own_socket_origin(websocket, self.hub.settings.public_url):
            await _refuse(websocket, CLOSE_ORIGIN)
            return
        try:
            viewer = await access_viewer(self.hub, websocket)
        except DatabaseAway:
            await _refuse(websocket, CLOSE_AWAY)
            return
        if viewer is None:
            await _refuse(websocket, CLOSE_SIGNED_OUT)
            return
        push = websocket.scope["extensions"][EXTENSION]
        screen = Screen(secrets.token_hex(12), viewer, push, frozenset(), websocket=websocket, is_paused=True)
        await websocket.accept()
        customer = websocket.query_params.get("customer", "")
        try:
            try:
                self.screens[screen.id] = screen
                await self._note(screen)
                if customer.isdecimal() and len(customer) < 16:
                    await self.watch(screen, int(customer))
                since = websocket.query_params.get("since", "")
                await self.resume(screen, since)
                while True:
                    await self._receive(screen, await websocket.receive_text())
            except DatabaseAway:
                await _close(websocket, CLOSE_AWAY)
            except (WebSocketDisconnect, KeyError, RuntimeError):
                pass  # the browser is gone, sent bytes instead of text, or the socket was closed under us
        finally:
            self._detach(screen)
            self.screens.pop(screen.id, None)
            try:
                customer_id = await self._database.transaction(presence.disconnect, screen.id)
                await self._tell_viewers([customer_id])
            except DatabaseAway:
                log.warning("live.goodbye_away")  # the row goes stale and is cleared by the next heartbeat of anybody

    async def _receive(self, screen: Screen, text: str) -> None:
        if len(text) > _RECEIVE_LIMIT:
            return
        try:
            message: Any = json.loads(text)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        match message.get("type"):
            case "ping":
                tick = json.dumps({"tick": self._database.clock().isoformat()})
                screen.push.push(text_frame(tick.encode()))
            case "watch":
                customer_id = message.get("customer_id")
                if customer_id is None or (isinstance(customer_id, int) and 0 < customer_id < 2**63):
                    await self.watch(screen, customer_id)
            case "resume":
                since = message.get("since")
                await self.resume(screen, since if isinstance(since, str) else "")


async def _refuse(websocket: WebSocket, code: int) -> None:
    """Accepts and closes at once: only so does a browser get to see the code."""
    await websocket.accept()
    await _close(websocket, code)


async def _close(websocket: WebSocket, code: int) -> None:
    with contextlib.suppress(RuntimeError):  # it was closed already
        await websocket.close(code)
