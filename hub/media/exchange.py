"""The exchange: all legs and rooms of the process, and what the control API does to them.

    connect → Participant (its leg rings) → connected: `arrived` (a customer, the first time), `leg` → scenes → ended: `leg`

A party is known by its token, given by the hub; connecting again with a token that lives replaces its line and keeps its
place. What ended is remembered for a while, so that a late question is answered. Everything runs on one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from hub.channels import voice
from hub.domain.calls import LegEnd, Party, Recording
from hub.domain.states import LegState
from hub.errors import NotFound, Overloaded
from hub.media.codec import Codec
from hub.media.frame import FRAME_S, Frame
from hub.media.lateness import Lateness
from hub.media.leg import Leg
from hub.media.mixer import Room, Voice, tick
from hub.media.prompts import Prompts
from hub.media.recording import Note, Recorder, Shelf
from hub.media.scenes import MessageFile, Play, Sound, SoundTask, play

log = logging.getLogger(__name__)

_REMEMBERED = 1000
# Ticks that were missed are made up for, up to this: a machine that slept does not talk for minutes in a second.
_CATCH_UP_S = 0.5
# Keys pressed and looked at by nobody.
_KEYS = 32
_RETRY_S = 5.0
# Seconds of each recording that may wait to be written: they lie in memory.
_BACKLOG_S = 5

# (topic, URL, kind, fields): within a topic the order is kept (hub.media.webhooks).
Tell = Callable[[str, str, str, Mapping[str, object]], None]
L = TypeVar("L", bound=Leg)
NewLeg = Callable[[Callable[[], None], Callable[[LegEnd], None]], L]


@dataclass(frozen=True)
class Order:
    """What the hub wants of a leg. `peers`: its id of each other leg of the call → that leg's token."""

    scene: voice.Scene
    scene_version: int
    room: str
    party: Party
    peers: Mapping[int, str] = field(default_factory=dict)


@dataclass(eq=False)
class Participant:
    """One leg of a call, and the stage of its scenes."""

    exchange: Exchange
    token: str
    webhook_url: str
    order: Order
    caller: Mapping[str, object]
    line: str
    leg: Leg | None = None
    state: LegState = LegState.RINGING
    has_arrived: bool = False
    heard: Frame | None = None
    keys: deque[str] = field(default_factory=lambda: deque(maxlen=_KEYS))
    prompt_due: float = 0
    play: Play | None = None
    _music_at: int = 0
    # Of the scene that plays: what it tells is about that one, whatever came after it.
    _version: int = 0
    _message: asyncio.Task[None] | None = None

    @property
    def party(self) -> Party:
        return self.order.party

    @property
    def scene(self) -> voice.Scene:
        return self.order.scene

    @property
    def coached(self) -> str | None:
        scene = self.order.scene
        if not isinstance(scene, voice.Talk) or scene.coached_leg_id is None:
            return None
        return self.order.peers.get(scene.coached_leg_id)

    @property
    def silence(self) -> Frame:
        return self.exchange.silence

    def take_order(self, order: Order) -> None:
        """A scene of an older version than the last is not heard; the same version changes who is coached at most."""
        if order.scene_version < self.order.scene_version:
            return
        before = self.order
        if order.room != before.room:
            self.exchange.leave(self)
        is_new = order.scene_version > before.scene_version
        self.order = order
        self.exchange.enter(self)
        if is_new:
            self.begin(before.scene)

    def begin(self, before: voice.Scene | None = None) -> None:
        """Begins the play of the scene."""
        scene = self.order.scene
        goes_on = isinstance(scene, voice.Wait) and isinstance(before, voice.Wait)
        self.stop_play()
        if not goes_on:
            # Keys pressed before belong to the scene before.
            self.keys.clear()
            self._music_at = 0
            self.prompt_due = 0
        elif isinstance(scene, voice.Wait) and not scene.every_s:
            self.prompt_due = 0
        self._version = self.order.scene_version
        self.play = play(scene, self)

    def stop_play(self) -> None:
        if self.play is not None:
            playing, self.play = self.play, None
            # A play that ends its own leg is in the middle of that, and has nothing left to do.
            with contextlib.suppress(ValueError):
                playing.close()

    async def left(self) -> None:
        """Waits until a voicemail that was being recorded is told of."""
        if self._message is not None:
            await self._message

    # --- what a play has at hand

    def load(self, prompts: Sequence[voice.Prompt]) -> list[SoundTask]:
        return [self.exchange.prompts.load(prompt) for prompt in prompts]

    def music(self) -> Frame:
        music = self.exchange.prompts.music
        self._music_at = (self._music_at + 1) % len(music)
        return music[self._music_at]

    def tone(self, name: str) -> Sound:
        return self.exchange.prompts.tones[name]

    def tell(self, kind: str, **more: object) -> None:
        self.exchange.tell(self, kind, scene_version=self._version, **more)

    def end(self) -> None:
        self.exchange.end(self, LegEnd.CANCELLED)

    def new_message(self) -> MessageFile:
        more = {"token": self.token, "scene_version": self._version}
        return Recorder(self.exchange.shelf, Note(self.token, self.webhook_url, "voicemail_left", more), stereo=False)

    def message_left(self, message: MessageFile | None) -> None:
        self._message = self.exchange.spawn(self._message_left(message, self._version))

    async def _message_left(self, message: MessageFile | None, version: int) -> None:
        recording_id, duration_s = None, 0.0
        if isinstance(message, Recorder):
            finished = await message.finish()
            recording_id, duration_s = finished.recording_id, finished.duration_s
        self.exchange.tell(
            self, "voicemail_left", scene_version=version, recording_id=recording_id, duration_s=duration_s
        )


class Exchange:
    def __init__(self, codec: Codec, prompts: Prompts, shelf: Shelf, tell: Tell, *, limit: int) -> None:
        self.codec = codec
        self.prompts = prompts
        self.shelf = shelf
        self.limit = limit
        self.silence = codec.silence()
        self.lateness = Lateness()
        self.boot = secrets.token_hex(8)
        self.parties: dict[str, Participant] = {}
        self.rooms: dict[str, Room] = {}
        self._recordings: dict[str, Recorder] = {}
        self._tell = tell
        self._ended: dict[str, LegEnd] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- the tick

    async def run(self) -> None:
        """Mixes until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += FRAME_S
            now = loop.time()
            if now - due > _CATCH_UP_S:
                due = now
            await asyncio.sleep(max(0.0, due - now))
            self.tick()
            self.lateness.add(loop.time() - due)

    def tick(self) -> None:
        """20 ms of all calls."""
        tick(list(self.parties.values()), list(self.rooms.values()), self.silence, self._failed)

    def _failed(self, party: Voice, error: Exception) -> None:
        log.error("media.leg_failed", exc_info=error)
        found = self.parties.get(party.token)
        if found is not None:
            self.end(found, LegEnd.FAILED)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("media.task_failed", exc_info=task.exception())

    # --- legs

    @property
    def calls(self) -> int:
        return sum(1 for party in self.parties.values() if party.party is Party.CUSTOMER)

    @property
    def is_strained(self) -> bool:
        """It is late, or the writer of recordings is seconds behind."""
        return self.lateness.is_too_late or self.shelf.backlog > _BACKLOG_S * (1 + len(self._recordings))

    def check_room(self, token: str, party: Party) -> None:
        """Overloaded `all_busy` when another customer is more than this process carries. Everybody else may come: without
        an agent those who are here already would be worse off."""
        if party is not Party.CUSTOMER or token in self.parties:
            return
        if self.calls >= self.limit or (self.calls and self.is_strained):
            error = Overloaded("all lines are busy", retry_after_s=_RETRY_S)
            error.code = "all_busy"
            raise error

    def connect(
        self,
        token: str,
        order: Order,
        new_leg: NewLeg[L],
        *,
        webhook_url: str,
        caller: Mapping[str, object],
        line: str,
    ) -> L:
        """The leg, which its owner opens. The line that a living token had before is closed."""
        party = self.parties.get(token)
        if party is None:
            party = Participant(self, token, webhook_url, order, caller, line)
            party.has_arrived = token in self._ended
            self._ended.pop(token, None)
            self.parties[token] = party
            self.enter(party)
            party.begin()
        else:
            party.webhook_url = webhook_url
            party.take_order(order)
        if party.leg is not None:
            self.spawn(party.leg.close())
        leg: L

        def is_mine() -> bool:
            return self.parties.get(token) is party and party.leg is leg

        def connected() -> None:
            if is_mine():
                self._connected(party)

        def ended(end: LegEnd) -> None:
            if is_mine():
                self.end(party, self._meant(party, end))

        party.leg = leg = new_leg(connected, ended)
        return leg

    def _connected(self, party: Participant) -> None:
        party.state = LegState.CONNECTED
        if party.party is Party.CUSTOMER and not party.has_arrived:
            self.tell(party, "arrived", caller=party.caller, line=party.line)
        party.has_arrived = True
        self.tell(party, "leg", state=LegState.CONNECTED.value)

    def _meant(self, party: Participant, end: LegEnd) -> LegEnd:
        """A page that is closed is a customer who hangs up. An agent hangs up by the console; a page of theirs that went
        away is being reloaded, most likely."""
        if end is LegEnd.HUNG_UP and party.party is not Party.CUSTOMER:
            return LegEnd.LOST
        return end

    def end(self, party: Participant, end: LegEnd) -> None:
        if self.parties.get(party.token) is not party:
            return
        del self.parties[party.token]
        party.state = LegState.ENDED
        party.stop_play()
        self._ended[party.token] = end
        while len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
        if party.leg is not None:
            self.spawn(party.leg.close())
        self.leave(party)
        self.spawn(self._tell_end(party, end))

    async def _tell_end(self, party: Participant, end: LegEnd) -> None:
        await party.left()
        self.tell(party, "leg", state=LegState.ENDED.value, end=end.value)

    def give_up(self, token: str, leg: Leg) -> None:
        """The line that was to be connected cannot be."""
        party = self.parties.get(token)
        if party is not None and party.leg is leg:
            self.end(party, LegEnd.FAILED)

    def hang_up(self, token: str) -> None:
        party = self.parties.get(token)
        if party is not None:
            self.end(party, LegEnd.CANCELLED)

    def find(self, token: str) -> tuple[LegState, LegEnd | None] | None:
        party = self.parties.get(token)
        if party is not None:
            return party.state, None
        end = self._ended.get(token)
        return (LegState.ENDED, end) if end is not None else None

    def access(self, token: str) -> Participant:
        if token not in self.parties:
            raise NotFound("there is no such leg", code="no_leg")
        return self.parties[token]

    def tell(self, party: Participant, kind: str, **more: object) -> None:
        self._tell(party.token, party.webhook_url, kind, {"token": party.token, **more})

    # --- rooms

    def enter(self, party: Participant) -> None:
        room = self.rooms.setdefault(party.order.room, Room(party.order.room))
        if party not in room.parties:
            room.parties.append(party)

    def leave(self, party: Participant) -> None:
        room = self.rooms.get(party.order.room)
        if room is None or party not in room.parties:
            return
        room.parties.remove(party)
        if not room.parties:
            del self.rooms[room.name]
            self._finish(room)

    def record(self, name: str, wanted: Recording, webhook_url: str) -> None:
        """NotFound `no_room` when nobody is in it."""
        room = self.rooms.get(name)
        if room is None:
            if wanted is Recording.ON:
                raise NotFound("there is no such room", code="no_room")
            return
        if wanted is Recording.OFF:
            self._finish(room)
            return
        if name not in self._recordings:
            if wanted is Recording.PAUSED:
                return
            self._recordings[name] = self._new_recording(name, webhook_url)
        recorder = self._recordings[name]
        room.tape = recorder if wanted is Recording.ON else None

    def _finish(self, room: Room) -> None:
        room.tape = None
        recorder = self._recordings.pop(room.name, None)
        if recorder is not None:
            self.spawn(self._recorded(recorder))

    def _new_recording(self, room: str, webhook_url: str) -> Recorder:
        more = {"room": room, "channels": 2, "failed": False, "started_at": datetime.now(UTC).isoformat()}
        return Recorder(self.shelf, Note(f"room {room}", webhook_url, "recording_ready", more), stereo=True)

    async def _recorded(self, recorder: Recorder) -> None:
        finished, note = await recorder.finish(), recorder.note
        told = {
            "recording_id": finished.recording_id,
            "duration_s": finished.duration_s,
            "failed": finished.failed,
        }
        self._tell(note.topic, note.url, note.kind, {**note.more, **told})

    async def recover(self) -> None:
        """Tells the hub of recordings that an earlier life of the process has left; those it was told of before, again."""
        for found in await asyncio.to_thread(self.shelf.recover):
            note = found.note
            told = {"recording_id": found.recording_id, "duration_s": found.duration_s}
            self._tell(note.topic, note.url, note.kind, {**note.more, **told})

    async def close(self) -> None:
        """Ends all legs: the hub hears of it where it still listens."""
        for party in list(self.parties.values()):
            self.end(party, LegEnd.LOST)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
