"""What the demo carrier knows of calls: telephones, calls, queues, conference rooms. State only; carrier_voice.py moves it.

    Phone   a telephone in somebody's hand, on a desk or at the end of no wire: what it does when it rings
    Call    one line between the carrier and one telephone, as Twilio's Call; a bridge or a room joins several
    Queue   calls that wait, first come first served;  Room  a conference and its participants

`hears(call)` is the truth about sound: whose voices reach that telephone now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from hub.demo.carrier_recordings import Recording
from hub.demo.carrier_webhook import Callback, Source

CallStatus = Literal["queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"]
CallDirection = Literal["inbound", "outbound-api", "outbound-dial"]
OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})

# "ring": until a hand takes it. "machine": an answering machine does. "unreachable": the network knows no such telephone.
ReactionKind = Literal["ring", "answer", "busy", "decline", "machine", "unreachable"]
HeardKind = Literal["say", "music", "sound", "tone", "silence", "talk", "error"]


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a telephone does when it rings, `after_s` of ringing."""

    kind: ReactionKind = "ring"
    after_s: float = 0.0


@dataclass(slots=True)
class Phone:
    number: str
    reaction: Reaction = field(default_factory=Reaction)
    # Of a `client:…`: whether a browser waits there.
    is_signed_in: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that a telephone heard. `url` of a sound."""

    kind: HeardKind
    at: datetime
    text: str = ""
    language: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """An error that Twilio would show in its debugger. `log` 0 error, 1 warning."""

    sid: str
    at: datetime
    code: int
    message: str
    url: str = ""
    method: str = ""
    log: int = 0


@dataclass(slots=True, eq=False)
class Call:
    """`sender` and `recipient` are From and To. `phone` is the number at the far end. `sequence` numbers status callbacks."""

    sid: str
    direction: CallDirection
    sender: str
    recipient: str
    created_at: datetime
    updated_at: datetime
    status: CallStatus = "queued"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    parent: Call | None = None
    source: Source | None = None
    fallback: Source | None = None
    status_callback: Callback | None = None
    sequence: int = 0
    ring_s: int = 60
    time_limit_s: int = 14_400
    caller_name: str = ""
    machine_detection: str = ""
    amd_callback: Callback | None = None
    amd_is_async: bool = False
    answered_by: str | None = None
    is_machine: bool = False
    send_digits: str = ""
    record: Recording | None = None
    records_as: tuple[int, Callback | None, str] | None = None
    notifications: list[Notification] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    hearing: Heard | None = None
    # What a hand does: keys one by one, words as typed. Open only while something listens.
    entered: asyncio.Queue[tuple[Literal["key", "words"], str]] = field(default_factory=asyncio.Queue)
    listens_for: frozenset[str] = frozenset()
    # The fate of a ring: "answered", or a status to end with.
    rings: asyncio.Future[str] | None = None
    # Set by a test or a listener who has heard enough: the sound in hand is over.
    skip: asyncio.Event = field(default_factory=asyncio.Event)
    script: asyncio.Task[None] | None = None
    wanted: Source | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up_by: Literal["phone", "account", "document"] | None = None
    participant: Participant | None = None
    member: Member | None = None
    bridged: Call | None = None
    bridge_over: asyncio.Event | None = None
    revision: int = 0

    @property
    def is_over(self) -> bool:
        return self.status in OVER

    @property
    def phone(self) -> str:
        return self.sender if self.direction == "inbound" else self.recipient

    @property
    def number(self) -> str:
        """The account's end, as the telephone's screen shows it."""
        return self.recipient if self.direction == "inbound" else self.sender

    @property
    def duration_s(self) -> int:
        if self.started_at is None or self.ended_at is None:
            return 0
        return round((self.ended_at - self.started_at).total_seconds())


@dataclass(slots=True, eq=False)
class Member:
    """A call in a queue. `released`: how it left: "bridged", "leave", "redirected"."""

    call: Call
    queue: Queue
    at: datetime
    released: asyncio.Future[str]


@dataclass(slots=True, eq=False)
class Queue:
    sid: str
    name: str
    created_at: datetime
    updated_at: datetime
    max_size: int = 100
    members: list[Member] = field(default_factory=list)
    # Seconds that those who left had waited, the newest last.
    waits: list[float] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def average_wait_s(self) -> int:
        recent = self.waits[-20:]
        return round(sum(recent) / len(recent)) if recent else 0


@dataclass(slots=True, eq=False)
class Participant:
    """`left`: why it is no longer there. `changed` is set at each change of what it hears."""

    call: Call
    room: Room
    at: datetime
    left: asyncio.Future[str]
    muted: bool = False
    hold: bool = False
    coaching: bool = False
    coached_sid: str | None = None
    starts: bool = True
    ends_on_exit: bool = False
    label: str = ""
    updated_at: datetime | None = None
    wait: Source | None = None
    hold_source: Source | None = None
    announce: Source | None = None
    queue_time_s: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class Room:
    """A conference. `callback` is that of the first participant who brings one."""

    sid: str
    name: str
    created_at: datetime
    updated_at: datetime
    status: Literal["init", "in-progress", "completed"] = "init"
    participants: dict[str, Participant] = field(default_factory=dict)
    callback: Callback | None = None
    sequence: int = 0
    max_participants: int = 250
    records_as: Callback | None = None
    records: bool = False
    reason: str | None = None
    ended_by: str | None = None

    def others(self, participant: Participant) -> Iterator[Participant]:
        return (other for other in self.participants.values() if other is not participant)


def hears(call: Call) -> frozenset[str]:
    """The SIDs of the calls whose voices reach this telephone."""
    if call.status != "in-progress":
        return frozenset()
    if call.bridged is not None:
        return frozenset({call.bridged.sid})
    me = call.participant
    if me is None or me.room.status != "in-progress" or me.hold:
        return frozenset()
    return frozenset(
        other.call.sid
        for other in me.room.others(me)
        if not other.hold and not other.muted and (not other.coaching or other.coached_sid == call.sid)
    )
