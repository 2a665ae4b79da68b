"""Telephone calls of the demo carrier, as Twilio carries them: TwiML in, signed webhooks out.

    telephone ──call()──▶ Voice ──signed POST VoiceUrl──▶ hub: what to do?        (a document; carrier_script.py)
    telephone ◀──rings─── Voice ◀──POST Calls.json── hub
                          Voice ──signed POST StatusCallback──▶ hub               initiated, ringing, answered, completed
    telephone ──press(), speak(), hang_up()──▶ Voice                              (people and tests; carrier_phones.py)

Invariants
  * A call is one task; it ends exactly once, by `end`, which takes it out of its queue, room and bridge, and stops its
    recordings. Nothing of a call is left when it is over.
  * Every change is numbered (`revision`) and wakes whoever waits on `changed`.
  * Time is `time`'s: a test lets it pass.

Calls do not outlive the carrier, as no telephone line outlives its exchange: after a restart the hub asks for calls that
nobody knows (404, 20404).

Where it is stricter than Twilio, on purpose: faults of a document end the call (carrier_twiml.py); an update of a call that
is over is refused (21220); names of parameters that Twilio does not know are refused (20001). Where it is kinder: prices stay
null, and every number may be called.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Literal

from hub.demo import carrier_recordings, carrier_script, carrier_webhook, twilio_wire
from hub.demo.carrier_calls import (
    Call,
    CallDirection,
    CallStatus,
    Heard,
    Member,
    Notification,
    Participant,
    Phone,
    Queue,
    Reaction,
    Room,
)
from hub.demo.carrier_recordings import Recording
from hub.demo.carrier_time import Time, WallTime
from hub.demo.carrier_twiml import Verb
from hub.demo.carrier_webhook import Answer, Callback, Pairs, Source, resolve
from hub.demo.twilio_wire import RestError
from hub.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from hub.demo.carrier import Carrier

# From a REST call until the telephone rings, and until a machine or a person is told apart.
SET_UP_S, DETECTS_HUMAN_S, DETECTS_MACHINE_S = 0.4, 1.5, 3.0
# Twilio adds so much to every Timeout (docs/voice/api/call-resource, "Timeout").
RING_BUFFER_S = 5
# From the end of a recording until it can be fetched.
PROCESSING_S = 0.6
# Of calls, rooms and recordings that are over so many are remembered, the newest.
REMEMBERED = 500
HEARD_LIMIT = 200

WebhookPart = Literal["document", "action", "status", "conference", "recording", "amd"]
VoiceFaultKind = Literal[
    "refuse",
    "too_many_requests",
    "server_error",
    "timeout",
    "timeout_after_accept",
    "error_after_accept",
    "drop",
    "double",
    "late",
]
VOICE_FAULTS = {
    "refuse": "the REST call `on` answers 400 with `code` (default 21220); nothing is done",
    "too_many_requests": "the REST call `on` answers 429, code 20429, Retry-After of `seconds` (default 1)",
    "server_error": "the REST call `on` answers 503, code 20503; nothing is done",
    "timeout": "the REST call `on` answers nothing for `seconds` (default 60); nothing is done",
    "timeout_after_accept": "the REST call `on` does its work and answers nothing for `seconds` (default 60)",
    "error_after_accept": "the REST call `on` does its work and answers 500, code 20500",
    "drop": "the webhook `on` is not posted",
    "double": "the webhook `on` is posted twice, at the same time",
    "late": "the webhook `on` is posted after `seconds` (default 5)",
}
# What `on` may name: a REST call, or a kind of webhook ("" for any).
FAULT_PLACES = (
    "create_call", "update_call", "fetch_call", "list_calls", "list_conferences", "update_conference",
    "create_participant", "update_participant", "delete_participant", "list_participants", "create_recording",
    "update_recording", "fetch_recording", "delete_recording", "update_member", "media",
    "document", "action", "status", "conference", "recording", "amd", "",
)  # fmt: skip


@dataclass(slots=True)
class VoiceFault:
    """Something that goes wrong on purpose for the next `left` times (None: until removed); `event` limits it to one word of
    a webhook (CallStatus, StatusCallbackEvent, RecordingStatus)."""

    kind: VoiceFaultKind
    on: str = ""
    left: int | None = 1
    code: int | None = None
    seconds: float | None = None
    event: str = ""


class Voice:
    """All calls of one carrier."""

    def __init__(self, carrier: Carrier, time: Time | None = None) -> None:
        self._carrier = carrier
        self.time: Time = time or WallTime(carrier.speed)
        self.phones: dict[str, Phone] = {}
        self.calls: dict[str, Call] = {}
        self.rooms: dict[str, Room] = {}
        self.queues: dict[str, Queue] = {}
        self.recordings: dict[str, Recording] = {}
        self.faults: list[VoiceFault] = []
        self.revision = 0
        self._changed = asyncio.Event()
        self._untold = 0

    # --- change -------------------------------------------------------------------------------------------------------

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change of any call. Take it before reading, wait for it after."""
        return self._changed

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Waits until it holds, in real seconds. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                changed = self._changed
                if condition():
                    return
                await changed.wait()

    @property
    def is_quiet(self) -> bool:
        """Whether every webhook that was due has been answered."""
        return self._untold == 0

    def touch(self, call: Call | None = None) -> None:
        self.revision += 1
        if call is not None:
            call.revision = self.revision
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def hear(self, call: Call, heard: Heard | None) -> None:
        call.hearing = heard
        if heard is not None and heard.kind != "silence":
            call.heard = [*call.heard[-HEARD_LIMIT:], heard]
        self.touch(call)

    def note(self, call: Call, code: int, message: str, url: str = "", method: str = "POST", log: int = 0) -> None:
        """An error, as Twilio's debugger would show it."""
        sid = _sid("NO")
        call.notifications.append(Notification(sid, self.time.now(), code, message, url, method, log))
        self.touch(call)

    # --- telephones ---------------------------------------------------------------------------------------------------

    def phone(self, number: str) -> Phone:
        return self.phones.setdefault(number, Phone(number))

    def sign_in(self, identity: str) -> Phone:
        """A browser, as `client:IDENTITY`, that can be rung from now on."""
        phone = self.phone(f"client:{identity}")
        phone.is_signed_in = True
        return phone

    def set_reaction(self, number: str, reaction: Reaction) -> None:
        self.phone(number).reaction = reaction

    def call(self, phone: str, to: str, *, name: str = "") -> Call:
        """The telephone `phone` calls one of the numbers. Raises InvalidInput, NotFound, Conflict when it talks already."""
        from hub.demo.carrier import e164

        sender = e164(phone) if phone != "anonymous" else "+266696687"  # what Twilio shows for a withheld number
        if sender is None:
            raise InvalidInput(
                "This telephone cannot call.", fields={"phone": "Not a phone number; write it like +37491234567."}
            )
        if not self._carrier.numbers.get(to, {}).get("voice_url"):
            raise NotFound(f"Nobody can be called at {to}.")
        if not self._carrier.is_running:
            raise Conflict("The carrier does not run.", code="not_running")
        if phone != "anonymous" and self.live_call(sender) is not None:
            raise Conflict("This telephone is in a call already.", code="in_call")
        config = self._carrier.numbers[to]
        call = self._new_call("inbound", sender, to, status="ringing")
        call.caller_name = name
        call.source = Source(config["voice_url"])
        if fallback := config.get("voice_fallback_url"):
            call.fallback = Source(fallback)
        if callback := config.get("voice_status_callback"):
            call.status_callback = Callback(callback, events=frozenset({"completed"}))
        self._start(call, self._arrive(call))
        return call

    def live_call(self, phone: str) -> Call | None:
        """The newest call of this telephone that is not over."""
        return next((c for c in reversed(self.calls.values()) if c.phone == phone and not c.is_over), None)

    def calls_of(self, phone: str) -> list[Call]:
        return [call for call in self.calls.values() if call.phone == phone]

    def pick_up(self, call: Call) -> None:
        """A hand takes the ringing telephone. Raises Conflict if it does not ring (any more)."""
        self._settle_ring(call, "answered")

    def decline(self, call: Call) -> None:
        self._settle_ring(call, "busy")

    def _settle_ring(self, call: Call, fate: str) -> None:
        if call.rings is None or call.rings.done():
            raise Conflict("This telephone does not ring.", code="not_ringing")
        call.rings.set_result(fate)

    def press(self, call: Call, keys: str) -> None:
        """Keys of the key pad; nobody hears them unless something listens. Raises Conflict when the call is not talking."""
        self._check_talking(call)
        for key in keys:
            if key not in "0123456789*#":
                raise InvalidInput("There is no such key.", fields={"keys": "0 to 9, * and #."})
            if "dtmf" in call.listens_for:
                call.entered.put_nowait(("key", key))

    def speak(self, call: Call, words: str) -> None:
        self._check_talking(call)
        if "speech" in call.listens_for and words.strip():
            call.entered.put_nowait(("words", words.strip()))

    def hear_out(self, call: Call) -> None:
        """What is being said or played to this telephone is over (for tests: nobody waits for a sentence's length)."""
        call.skip.set()

    def put_down(self, call: Call) -> None:
        """The telephone hangs up."""
        if call.rings is not None and not call.rings.done():
            call.rings.set_result("busy")
            return
        self.hang_up(call, by="phone")

    def _check_talking(self, call: Call) -> None:
        if call.status != "in-progress":
            raise Conflict("There is no talk on this telephone.", code="not_talking")

    # --- life of a call -----------------------------------------------------------------------------------------------

    def _new_call(
        self, direction: CallDirection, sender: str, recipient: str, *, status: CallStatus, parent: Call | None = None
    ) -> Call:
        now = self.time.now()
        call = Call(_sid("CA"), direction, sender, recipient, now, now, status, parent=parent)
        self.calls[call.sid] = call
        self._forget()
        self.touch(call)
        return call

    def _start(self, call: Call, life: Coroutine[Any, Any, None]) -> None:
        async def living() -> None:
            call.script = asyncio.create_task(life, name=f"call {call.sid}")
            try:
                while True:
                    # Whoever changes the call's course cancels its script and says in `wanted` what is next.
                    await asyncio.wait({call.script})
                    if not call.script.cancelled():
                        call.script.result()
                    if call.is_over or call.wanted is None:
                        break
                    source, call.wanted = call.wanted, None
                    call.script = asyncio.create_task(carrier_script.run(self, call, source), name=f"call {call.sid}")
            finally:
                call.script.cancel()
            self.hang_up(call, by="document")

        self._spawn(living())

    async def _arrive(self, call: Call) -> None:
        assert call.source is not None
        await carrier_script.run(self, call, call.source)

    def answer(self, call: Call) -> None:
        """An incoming call is answered by the first verb that needs a line."""
        if call.status == "ringing" and call.direction == "inbound":
            self._begin_talking(call)

    def _begin_talking(self, call: Call) -> None:
        now = self.time.now()
        call.status, call.started_at, call.updated_at = "in-progress", now, now
        self._tell_status(call, "answered")
        if call.records_as is not None:
            channels, callback, track = call.records_as
            self.begin_recording(call, "OutboundAPI", channels, callback, track)
        self._spawn(self._limit(call))
        self.touch(call)

    async def _limit(self, call: Call) -> None:
        await self._either(self.time.sleep(call.time_limit_s), call.over.wait())
        self.hang_up(call, by="account")

    async def _dial_out(self, call: Call) -> None:
        """Rings the far end; then the document, if it has one. A child of a Dial waits to be joined instead."""
        if not await self._ring(call):
            return
        if call.machine_detection:
            detecting = self._detect(call)
            if call.amd_is_async:
                self._spawn(detecting)
            else:
                await detecting
        if call.source is not None:
            await carrier_script.run(self, call, call.source)
        else:
            await call.over.wait()

    async def _ring(self, call: Call) -> bool:
        phone = self.phone(call.recipient)
        call.rings = asyncio.get_running_loop().create_future()
        await self.time.sleep(SET_UP_S)
        if call.direction == "outbound-api":
            self._tell_status(call, "initiated")
        busy = any(c is not call and not c.is_over and c.phone == call.phone for c in self.calls.values())
        reaction = phone.reaction
        is_nobody = call.recipient.startswith("client:") and not phone.is_signed_in
        if reaction.kind == "unreachable" or is_nobody:
            self.end(call, "failed" if reaction.kind == "unreachable" else "no-answer", by="phone")
            return False
        if busy and not call.recipient.startswith("client:"):
            reaction = Reaction("busy", 0.0)
        if reaction.kind != "busy":
            call.status = "ringing"
            self._tell_status(call, "ringing")
        self.touch(call)
        reacting = asyncio.ensure_future(self._react(call, reaction))
        try:
            timed_out = await self._either(_settled(call.rings), self.time.sleep(call.ring_s + RING_BUFFER_S))
        finally:
            reacting.cancel()
        fate = "no-answer" if timed_out else call.rings.result()
        if not call.rings.done():
            call.rings.cancel()
        if fate == "answered":
            call.is_machine = reaction.kind == "machine"
            self._begin_talking(call)
            return True
        self.end(call, "busy" if fate == "busy" else "no-answer", by="phone")
        return False

    async def _react(self, call: Call, reaction: Reaction) -> None:
        if reaction.kind == "ring":
            return
        await self.time.sleep(reaction.after_s)
        if call.rings is not None and not call.rings.done():
            call.rings.set_result("answered" if reaction.kind in ("answer", "machine") else "busy")

    async def _detect(self, call: Call) -> None:
        seconds = DETECTS_MACHINE_S if call.is_machine else DETECTS_HUMAN_S
        if await self._either(self.time.sleep(seconds), call.over.wait()):
            return
        waits_for_end = call.machine_detection == "DetectMessageEnd"
        call.answered_by = ("machine_end_beep" if waits_for_end else "machine_start") if call.is_machine else "human"
        self.touch(call)
        if call.amd_is_async and call.amd_callback is not None:
            form = [
                ("CallSid", call.sid),
                ("AccountSid", self._carrier.account_sid),
                ("AnsweredBy", call.answered_by),
                ("MachineDetectionDuration", str(round(seconds * 1000))),
            ]
            self._tell("amd", call.amd_callback, form, call.answered_by, call)

    def hang_up(self, call: Call, by: Literal["phone", "account", "document"]) -> None:
        """Ends a call in whatever state; one that is over is over."""
        if call.is_over:
            return
        if call.started_at is None:
            status: CallStatus = "no-answer" if call.direction == "inbound" else "canceled"
            if call.direction == "inbound" and by != "phone":
                status = "completed"
            self.end(call, status, by=by)
        else:
            self.end(call, "completed", by=by)

    def end(self, call: Call, status: CallStatus, by: Literal["phone", "account", "document"]) -> None:
        if call.is_over:
            return
        now = self.time.now()
        call.status, call.ended_at, call.updated_at, call.hung_up_by = status, now, now, by
        call.hearing = None
        call.wanted = None
        call.over.set()
        if call.rings is not None and not call.rings.done():
            call.rings.cancel()
        self._take_out(call, "participant_hung_up")
        for recording in self.recordings.values():
            if recording.call_sid == call.sid and recording.status in ("in-progress", "paused"):
                self.stop_recording(recording)
        if call.script is not None and call.script is not asyncio.current_task():
            call.script.cancel()
        self._tell_status(call, "completed")
        self.touch(call)

    def redirect(self, call: Call, source: Source) -> None:
        """Another document from now on. The call must be answered, or ring in from outside."""
        call.wanted = source
        self._take_out(call, "participant_left")
        if call.script is not None:
            call.script.cancel()
        self.touch(call)

    def _take_out(self, call: Call, reason: str) -> None:
        """Out of wherever it is, at once: its script tidies up a little later."""
        self.part(call)
        if call.participant is not None:
            self.leave(call.participant, reason)
        if call.member is not None:
            self.dequeue(call.member)

    # --- bridges ------------------------------------------------------------------------------------------------------

    def dial_child(self, parent: Call, noun: Verb, shown: str, ring_s: int, base: str) -> Call:
        """Rings one number of a Dial."""
        to = noun.text
        if noun.name == "Client":
            identity = next((child.text for child in noun.children if child.name == "Identity"), noun.text)
            to = f"client:{identity}"
        child = self._new_call("outbound-dial", shown, to, status="queued", parent=parent)
        child.ring_s = ring_s
        if noun.get("statusCallback"):
            child.status_callback = Callback(
                resolve(base, noun.get("statusCallback")),
                noun.get("statusCallbackMethod", "POST"),
                noun.words("statusCallbackEvent") or frozenset({"completed"}),
            )
        whispers = Source(resolve(base, noun.get("url")), noun.get("method", "POST")) if noun.get("url") else None
        child.machine_detection = noun.get("machineDetection")
        child.amd_is_async = True
        if noun.get("amdStatusCallback"):
            child.amd_callback = Callback(
                resolve(base, noun.get("amdStatusCallback")), noun.get("amdStatusCallbackMethod", "POST")
            )

        async def life() -> None:
            if not await self._ring(child):
                return
            if child.machine_detection:
                self._spawn(self._detect(child))
            if whispers is not None and not await carrier_script.whisper(self, child, whispers):
                self.hang_up(child, by="document")
                return
            child.bridge_over = asyncio.Event()
            self.touch(child)
            await child.over.wait()

        self._tell_status(child, "initiated")
        self._start(child, life())
        return child

    async def first_answer(self, children: Sequence[Call]) -> Call | None:
        """The one that is ready to be talked to; None when none will be."""
        while True:
            changed = self._changed
            for child in children:
                if child.bridge_over is not None and not child.is_over:
                    return child
            if all(child.is_over for child in children):
                return None
            await changed.wait()

    def bridge(self, call: Call, other: Call) -> asyncio.Event:
        """Joins two calls; the event is set when one of them is over or taken away."""
        over = asyncio.Event()
        call.bridged, other.bridged = other, call
        call.bridge_over = other.bridge_over = over
        for each in (call, other):
            self.hear(each, Heard("talk", self.time.now()))
        return over

    def part(self, call: Call) -> None:
        other, call.bridged = call.bridged, None
        if other is not None:
            other.bridged = None
            other.hearing = None
            self.touch(other)
            if call.bridge_over is not None:
                call.bridge_over.set()
            call.bridge_over = other.bridge_over = None

    def may_show(self, call: Call, caller_id: str) -> bool:
        """Whether a Dial may show this number: one of the account's, or the one that calls."""
        return caller_id in self._carrier.numbers or caller_id in (call.sender, call.recipient)

    # --- queues -------------------------------------------------------------------------------------------------------

    def find_queue(self, name: str) -> Queue | None:
        return next((queue for queue in self.queues.values() if name in (queue.name, queue.sid)), None)

    def queue(self, name: str) -> Queue:
        """The queue of that name, made when there is none."""
        found = self.find_queue(name)
        if found is None:
            now = self.time.now()
            found = Queue(_sid("QU"), name, now, now)
            self.queues[found.sid] = found
        return found

    def enqueue(self, call: Call, queue: Queue) -> Member:
        member = Member(call, queue, self.time.now(), asyncio.get_running_loop().create_future())
        call.member = member
        queue.members.append(member)
        queue.arrived.set()
        self.touch(call)
        return member

    def release(self, member: Member, result: str) -> None:
        if not member.released.done():
            member.released.set_result(result)
        self.dequeue(member)

    def dequeue(self, member: Member) -> None:
        if member in member.queue.members:
            member.queue.members.remove(member)
            member.queue.waits.append((self.time.now() - member.at).total_seconds())
        if member.call.member is member:
            member.call.member = None
        self.touch(member.call)

    # --- rooms --------------------------------------------------------------------------------------------------------

    def find_room(self, name_or_sid: str) -> Room | None:
        """The live room of that name, or any by its SID."""
        if name_or_sid in self.rooms:
            return self.rooms[name_or_sid]
        return next((r for r in self.rooms.values() if r.name == name_or_sid and r.status != "completed"), None)

    def open_room(self, name: str) -> Room:
        now = self.time.now()
        room = Room(_sid("CF"), name, now, now)
        self.rooms[room.sid] = room
        return room

    def join(
        self,
        call: Call,
        name: str,
        *,
        muted: bool = False,
        starts: bool = True,
        ends_on_exit: bool = False,
        label: str = "",
        coached_sid: str | None = None,
        wait: Source | None = None,
        callback: Callback | None = None,
        max_participants: int = 250,
        records: bool = False,
        recording_callback: Callback | None = None,
    ) -> Participant | None:
        """Into the room; None when it is full or the label is in use. The first who brings them sets the room's callback and
        recording."""
        room = self.find_room(name) or self.open_room(name)
        now = self.time.now()
        if len(room.participants) >= min(room.max_participants, max_participants):
            self.note(call, 13237, "Conference: the room is full")
            return None
        if label and any(each.label == label for each in room.participants.values()):
            self.note(call, 16025, "Conference: the participant label is in use")
            return None
        if coached_sid is not None and coached_sid not in room.participants:
            self.note(call, 13243, "Conference: coach names no participant")
            coached_sid = None
            muted = True
        room.callback = room.callback or callback
        if records and not room.records:
            room.records, room.records_as = True, recording_callback
        participant = Participant(
            call,
            room,
            now,
            asyncio.get_running_loop().create_future(),
            muted=muted,
            coaching=coached_sid is not None,
            coached_sid=coached_sid,
            starts=starts,
            ends_on_exit=ends_on_exit,
            label=label,
            wait=wait,
        )
        room.participants[call.sid] = participant
        call.participant = participant
        if (
            room.status == "init"
            and len(room.participants) > 1
            and any(each.starts for each in room.participants.values())
        ):
            room.status, room.updated_at = "in-progress", now
            self._tell_room(room, "conference-start")
            if room.records:
                self._record_room(room)
            for each in room.participants.values():
                each.changed.set()
        self._tell_room(room, "participant-join", participant)
        self.touch(call)
        return participant

    def leave(self, participant: Participant, reason: str) -> None:
        room, call = participant.room, participant.call
        if room.participants.get(call.sid) is not participant:
            return
        del room.participants[call.sid]
        call.participant = None
        if not participant.left.done():
            participant.left.set_result(reason)
        self._tell_room(room, "participant-leave", participant, reason)
        for other in room.participants.values():
            if other.coached_sid == call.sid:
                # Nobody is left to be coached: who coached hears on, and is heard by none.
                other.coaching, other.coached_sid, other.muted = False, None, True
                other.changed.set()
        if not room.participants:
            self.end_room(room, "last-participant-kicked" if reason == "kicked" else "last-participant-left", call)
        elif participant.ends_on_exit:
            word = "kicked" if reason == "kicked" else "left"
            self.end_room(room, f"participant-with-end-conference-on-exit-{word}", call)
        self.touch(call)

    def end_room(self, room: Room, reason: str, by: Call | None = None) -> None:
        if room.status == "completed":
            return
        room.status, room.reason, room.updated_at = "completed", reason, self.time.now()
        room.ended_by = by.sid if by is not None else None
        for participant in [*room.participants.values()]:
            self.leave(participant, "conference_ended")
        for recording in self.recordings.values():
            if recording.conference_sid == room.sid and recording.status in ("in-progress", "paused"):
                self.stop_recording(recording)
        self._tell_room(room, "conference-end")

    def change_participant(
        self,
        participant: Participant,
        *,
        muted: bool | None = None,
        hold: bool | None = None,
        hold_source: Source | None = None,
        announce: Source | None = None,
        ends_on_exit: bool | None = None,
        coached_sid: str | None = None,
        coaching: bool | None = None,
        wait: Source | None = None,
    ) -> None:
        if muted is not None and muted != participant.muted:
            participant.muted = muted
            self._tell_room(participant.room, "participant-mute" if muted else "participant-unmute", participant)
        if hold_source is not None:
            participant.hold_source = hold_source
        if hold is not None and hold != participant.hold:
            participant.hold = hold
            if hold and participant.hold_source is None:
                participant.hold_source = carrier_script.MUSIC
            if not hold:
                participant.hold_source = None
            self._tell_room(participant.room, "participant-hold" if hold else "participant-unhold", participant)
        if coaching is not None:
            participant.coaching = coaching
            participant.coached_sid = coached_sid if coaching else None
            self._tell_room(participant.room, "participant-modify", participant)
        if ends_on_exit is not None:
            participant.ends_on_exit = ends_on_exit
        if wait is not None:
            participant.wait = wait
        if announce is not None:
            participant.announce = announce
        participant.updated_at = self.time.now()
        participant.changed.set()
        self.touch(participant.call)

    # --- recordings ---------------------------------------------------------------------------------------------------

    def begin_recording(
        self,
        call: Call,
        source: carrier_recordings.Source,
        channels: int,
        callback: Callback | None,
        track: str = "both",
    ) -> Recording:
        now = self.time.now()
        recording = Recording(_sid("RE"), source, channels, now, call_sid=call.sid, track=track, callback=callback)
        self._begin(recording)
        return recording

    def _record_room(self, room: Room) -> None:
        recording = Recording(
            _sid("RE"), "Conference", 1, self.time.now(), conference_sid=room.sid, callback=room.records_as
        )
        self._begin(recording)

    def _begin(self, recording: Recording) -> None:
        recording.running_since = recording.updated_at = self.time.now()
        self.recordings[recording.sid] = recording
        self._tell_recording(recording, "in-progress")
        self.touch()

    def stop_recording(self, recording: Recording) -> None:
        if recording.status in ("in-progress", "paused"):
            recording.stop(self.time.now())
            self._spawn(self._process(recording))

    def drop_recording(self, recording: Recording) -> None:
        """Nothing was said: there is none."""
        recording.stop(self.time.now())
        recording.status = "absent"
        self._tell_recording(recording, "absent")
        self.touch()

    async def _process(self, recording: Recording) -> None:
        await self.time.sleep(PROCESSING_S)
        recording.status = "completed" if recording.kept_s > 0 else "absent"
        recording.updated_at = self.time.now()
        self._tell_recording(recording, recording.status)
        self.touch()

    def recording_url(self, recording: Recording) -> str:
        root = f"{self._carrier.base_url}/{twilio_wire.API_VERSION}/Accounts/{self._carrier.account_sid}"
        return f"{root}/Recordings/{recording.sid}"

    # --- webhooks -----------------------------------------------------------------------------------------------------

    def call_form(self, call: Call) -> list[tuple[str, str]]:
        """What every request about a call carries (docs/voice/twiml, "Request parameters")."""
        from hub.demo.carrier import region

        def place(name: str, number: str) -> list[tuple[str, str]]:
            country = region(number) if number.startswith("+") else ""
            return [(f"{name}Country", country), (f"{name}State", ""), (f"{name}City", ""), (f"{name}Zip", "")]

        form = [
            ("AccountSid", self._carrier.account_sid),
            ("ApiVersion", twilio_wire.API_VERSION),
            ("CallSid", call.sid),
            ("CallStatus", call.status),
            ("Direction", call.direction),
            ("From", call.sender),
            ("Caller", call.sender),
            *place("From", call.sender),
            *place("Caller", call.sender),
            ("To", call.recipient),
            ("Called", call.recipient),
            *place("To", call.recipient),
            *place("Called", call.recipient),
        ]
        if call.caller_name:
            form.append(("CallerName", call.caller_name))
        if call.parent is not None:
            form.append(("ParentCallSid", call.parent.sid))
        if call.answered_by is not None and not call.amd_is_async:
            form.append(("AnsweredBy", call.answered_by))
        return form

    async def ask(self, call: Call, source: Source, params: Pairs) -> Answer:
        """Fetches a document. It goes on when the call does not: what was asked is answered."""
        form = [*self.call_form(call), *params]
        asking = asyncio.ensure_future(self._request("document", source.method, source.url, form, call.status))
        return await asyncio.shield(asking)

    async def get(self, url: str) -> Answer:
        """A sound."""
        assert self._carrier.http is not None
        return await carrier_webhook.request(self._carrier.http, self._carrier.auth_token, "GET", url, [])

    def tell_action(self, call: Call, action: Source) -> None:
        """Asks for a document that nobody will play: the call is over or elsewhere."""
        form = [*self.call_form(call), *action.params]
        self._spawn(self._post("action", action.method, action.url, form, call.status, None))

    def _tell_status(self, call: Call, event: str) -> None:
        callback = call.status_callback
        if callback is None or event not in callback.events:
            return
        form = [*self.call_form(call)]
        if event == "completed":
            form += [("CallDuration", str(call.duration_s)), ("Duration", str(-(-call.duration_s // 60)))]
            if call.status == "failed":
                form.append(("SipResponseCode", "404"))
        elif event == "initiated":
            form = [(name, "initiated" if name == "CallStatus" else value) for name, value in form]
        form += [
            ("Timestamp", format_datetime(self.time.now())),
            ("CallbackSource", "call-progress-events"),
            ("SequenceNumber", str(call.sequence)),
        ]
        call.sequence += 1
        self._tell("status", callback, form, "initiated" if event == "initiated" else call.status, call)

    def _tell_room(self, room: Room, event: str, participant: Participant | None = None, reason: str = "") -> None:
        callback = room.callback
        wanted = {
            "conference-start": "start",
            "conference-end": "end",
            "participant-join": "join",
            "participant-leave": "leave",
            "participant-mute": "mute",
            "participant-unmute": "mute",
            "participant-hold": "hold",
            "participant-unhold": "hold",
            "participant-modify": "modify",
        }
        if callback is None or wanted[event] not in callback.events:
            return
        room.sequence += 1
        form = [
            ("AccountSid", self._carrier.account_sid),
            ("ConferenceSid", room.sid),
            ("FriendlyName", room.name),
            ("StatusCallbackEvent", event),
            ("Timestamp", format_datetime(self.time.now())),
            ("SequenceNumber", str(room.sequence)),
        ]
        if participant is not None:
            form += [
                ("CallSid", participant.call.sid),
                ("Muted", _flag(participant.muted)),
                ("Hold", _flag(participant.hold)),
                ("Coaching", _flag(participant.coaching)),
                ("StartConferenceOnEnter", _flag(participant.starts)),
                ("EndConferenceOnExit", _flag(participant.ends_on_exit)),
            ]
            if participant.label:
                form.append(("ParticipantLabel", participant.label))
            if participant.coached_sid:
                form.append(("CallSidToCoach", participant.coached_sid))
            if reason:
                form += [("ReasonParticipantLeft", reason), ("ParticipantCallStatus", participant.call.status)]
        if event == "conference-end":
            form += [("ReasonConferenceEnded", room.reason or ""), ("Reason", f"Conference ended: {room.reason}")]
            if room.ended_by:
                form.append(("CallSidEndingConference", room.ended_by))
        self._tell("conference", callback, form, event)

    def _tell_recording(self, recording: Recording, status: str) -> None:
        recording.told.append(status)
        callback = recording.callback
        if callback is None or status not in (callback.events or {"completed"}):
            return
        form = [
            ("AccountSid", self._carrier.account_sid),
            ("RecordingSid", recording.sid),
            ("RecordingUrl", self.recording_url(recording)),
            ("RecordingStatus", status),
            ("RecordingChannels", str(recording.channels)),
            ("RecordingStartTime", format_datetime(recording.created_at)),
            ("RecordingSource", recording.source),
            ("RecordingTrack", recording.track),
        ]
        if recording.call_sid:
            form.append(("CallSid", recording.call_sid))
        if recording.conference_sid:
            form.append(("ConferenceSid", recording.conference_sid))
        if status != "in-progress":
            form.append(("RecordingDuration", str(recording.duration_s)))
            form.append(("ErrorCode", "0"))
        self._tell("recording", callback, form, status)

    def _tell(self, part: WebhookPart, callback: Callback, form: Pairs, event: str, call: Call | None = None) -> None:
        self._spawn(self._post(part, callback.method, callback.url, form, event, call))

    async def _post(self, part: WebhookPart, method: str, url: str, form: Pairs, event: str, call: Call | None) -> None:
        self._untold += 1
        try:
            answer = await self._request(part, method, url, form, event)
        finally:
            self._untold -= 1
            self.touch()
        if answer.fault and call is not None:
            self.note(call, answer.fault, f"HTTP retrieval failure: {answer.status or 'no answer'}", url, method)

    async def _request(self, part: WebhookPart, method: str, url: str, form: Pairs, event: str) -> Answer:
        assert self._carrier.http is not None
        http, token = self._carrier.http, self._carrier.auth_token
        if self.take_fault(("drop",), part, event) is not None:
            return Answer(0, fault=11200) if part == "document" else Answer(204)
        if (late := self.take_fault(("late",), part, event)) is not None:
            await self.time.sleep(5 if late.seconds is None else late.seconds)
        if self.take_fault(("double",), part, event) is not None:
            first, _ = await asyncio.gather(
                *(carrier_webhook.request(http, token, method, url, form) for _ in range(2))
            )
            return first
        return await carrier_webhook.request(http, token, method, url, form)

    def take_fault(self, kinds: Iterable[VoiceFaultKind], on: str, event: str = "") -> VoiceFault | None:
        """The first fault of these kinds for this place, used up by one."""
        for fault in self.faults:
            if fault.kind in kinds and fault.on in ("", on) and fault.event in ("", event):
                if fault.left is not None:
                    fault.left -= 1
                    if fault.left <= 0:
                        self.faults.remove(fault)
                return fault
        return None

    # --- the account's side -------------------------------------------------------------------------------------------

    def create_call(
        self,
        sender: str,
        recipient: str,
        source: Source,
        *,
        fallback: Source | None = None,
        status_callback: Callback | None = None,
        ring_s: int = 60,
        time_limit_s: int = 14_400,
        machine_detection: str = "",
        amd_callback: Callback | None = None,
        amd_is_async: bool = False,
        records_as: tuple[int, Callback | None, str] | None = None,
        send_digits: str = "",
    ) -> Call:
        """POST Calls. Everything is checked already."""
        if not self._carrier.is_running:
            raise RestError(20503)
        call = self._new_call("outbound-api", sender, recipient, status="queued")
        call.source, call.fallback, call.status_callback = source, fallback, status_callback
        call.ring_s, call.time_limit_s = ring_s, time_limit_s
        call.machine_detection, call.amd_callback, call.amd_is_async = machine_detection, amd_callback, amd_is_async
        call.records_as, call.send_digits = records_as, send_digits
        self._start(call, self._dial_out(call))
        return call

    def update_call(self, call: Call, *, status: str = "", source: Source | None = None) -> None:
        """POST Calls/{Sid}. Raises RestError 21220 when the call is in no state for it."""
        if call.is_over:
            raise RestError(21220)
        if status == "canceled":
            if call.started_at is not None:
                raise RestError(21220)
            self.end(call, "canceled", by="account")
        elif status == "completed":
            self.hang_up(call, by="account")
        elif source is not None:
            if call.status != "in-progress":
                raise RestError(21220)
            self.redirect(call, source)

    # --- work ---------------------------------------------------------------------------------------------------------

    def _spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Nothing begins once the carrier stops."""
        if self._carrier.is_running:
            self._carrier.spawn(job)
        else:
            job.close()

    @staticmethod
    async def _either(first: Coroutine[Any, Any, Any], second: Coroutine[Any, Any, Any]) -> bool:
        """Waits for the first of two; whether it was the second."""
        tasks = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        return tasks[0] not in done

    def _forget(self) -> None:
        """What is over and old: a demo may run for weeks."""
        ended = [sid for sid, call in self.calls.items() if call.is_over]
        for sid in ended[: max(0, len(ended) - REMEMBERED)]:
            del self.calls[sid]
        closed = [sid for sid, room in self.rooms.items() if room.status == "completed" or not room.participants]
        for sid in closed[: max(0, len(closed) - REMEMBERED)]:
            del self.rooms[sid]
        done = [sid for sid, recording in self.recordings.items() if recording.status in ("completed", "absent")]
        for sid in done[: max(0, len(done) - REMEMBERED)]:
            del self.recordings[sid]


async def _settled(future: asyncio.Future[str]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait({future})


def _sid(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


def _flag(value: bool) -> str:
    return "true" if value else "false"
