"""What a telephone line is to the hub: calls are not messages, so voice has a contract of its own.

An adapter translates between a provider's protocol and two kinds of values:

    events   what the provider tells: a call arrived, a leg rings, talks, ended; a key was pressed; a recording is ready
    scenes   what the hub wants a leg to hear and do now

The hub decides what each leg's scene is and stores it with a number that rises (`scene_version`). Making it so is the
adapter's business, and the same scene twice is the same as once: so a lost callback, a repeated one or a restart does no
harm. There are two doors:

    answer(request, order)   a provider asks what to do with a leg (Twilio's document): its scene as it is now
    apply(order, before)     the scene has changed while nobody asked: tell the provider

    verify(request)          the signature is right, or BadSignature
    parse(request)           the provider's payload as VoiceEvents (no I/O); at least once, in any order
    dial(order)              set up a leg to order.address
    connect(order, offer)    set up a leg to a browser, where the line is our own: an SDP offer in, the answer out
    hang_up(order)           end a leg; one that is over already is over
    find_leg(order)          after Uncertain: what the provider knows of this leg
    record(order, wanted)    start, pause or go on recording the talk of this leg's call
    fetch_recording(ref)     the sound itself; delete_recording(ref) removes it there

The verbs that do I/O raise Refused, Unavailable or Uncertain (hub.errors). An adapter knows no database, no clock and no
other adapter. A leg is known to the provider by `order.token`, ours and unguessable, and to us by `provider_leg_id`, theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from hub.channels.channel import ChannelAccount, Fetched, WebhookAnswer, WebhookRequest
from hub.domain.calls import LegEnd, Party, Presence, Recording
from hub.domain.states import LegState
from hub.domain.values import ContactKind

# --- what a leg hears ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something said: an uploaded sound (`audio_url` for a provider that fetches it, `audio_key` the file where the line
    is our own), else `text` spoken in `language` (BCP 47: en, hy, ka …). `phrase` names a sentence of the hub's own
    (hub.media.phrases), of which recordings are shipped; its text stands in `text` all the same."""

    text: str = ""
    language: str = "en"
    audio_url: str = ""
    audio_key: str = ""
    phrase: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """Say this; then SceneEnded is told, or with `then_hang_up` the leg ends."""

    prompts: tuple[Prompt, ...]
    then_hang_up: bool = False
    kind: Literal["say"] = "say"


@dataclass(frozen=True, slots=True)
class Menu:
    """Say this and take one of `keys` ("1" … "9", "0", "*", "#"), which may be pressed while it is being said. `words`: key
    → what the customer may say instead, where the line hears words (`VoiceCapabilities.hears_words`). Chosen is told; its
    `key` is None when nothing came within `timeout_s` of silence, or nothing that is offered."""

    prompts: tuple[Prompt, ...]
    keys: tuple[str, ...]
    timeout_s: int = 8
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    language: str = "en"
    kind: Literal["menu"] = "menu"


@dataclass(frozen=True, slots=True)
class Wait:
    """Music, with `prompts` said at once and then again every `every_s` (0: once only). A change of the prompts alone does
    not begin the music anew. Pressing one of `keys` tells Chosen and the music goes on."""

    prompts: tuple[Prompt, ...] = ()
    every_s: int = 30
    keys: tuple[str, ...] = ()
    kind: Literal["wait"] = "wait"


@dataclass(frozen=True, slots=True)
class Talk:
    """In the room of the call with whoever else talks there. `presence` is never HELD here. `muted`: hears, is not heard.
    `coached_leg_id`: whom a whisperer is heard by."""

    presence: Presence = Presence.TALK
    muted: bool = False
    coached_leg_id: int | None = None
    kind: Literal["talk"] = "talk"


@dataclass(frozen=True, slots=True)
class Hold:
    """Out of the room, with music; `prompts` once before it ("one moment, please")."""

    prompts: tuple[Prompt, ...] = ()
    kind: Literal["hold"] = "hold"


@dataclass(frozen=True, slots=True)
class Voicemail:
    """Say this, then a tone, then record what is said: until the key #, `silence_s` of silence or `limit_s`. VoicemailLeft
    is told, with no sound at all too (`duration_s` 0)."""

    prompts: tuple[Prompt, ...]
    limit_s: int = 180
    silence_s: int = 6
    kind: Literal["voicemail"] = "voicemail"


@dataclass(frozen=True, slots=True)
class Ringback:
    """The tone of a telephone that rings at the other end."""

    kind: Literal["ringback"] = "ringback"


@dataclass(frozen=True, slots=True)
class Over:
    """The leg is to end now. `is_busy`: refused with the busy tone, if it was never answered."""

    is_busy: bool = False
    kind: Literal["over"] = "over"


Scene = Say | Menu | Wait | Talk | Hold | Voicemail | Ringback | Over

# --- what is to be done -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LegOrder:
    """A leg as the hub wants it. `room` is unguessable and the same for all legs of a call. `peers`: our id of each other
    live leg → the provider's, for the verbs that name two. `caller_id` is the number shown to whom we dial; `ring_s` how
    long their telephone may ring. `detects_machine`: tell whether a machine answered."""

    leg_id: int
    token: str
    call_id: int
    room: str
    party: Party
    scene: Scene
    scene_version: int
    provider_leg_id: str | None = None
    address: str = ""
    caller_id: str = ""
    ring_s: int = 30
    detects_machine: bool = False
    recording: Recording = Recording.OFF
    peers: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dialled:
    """The provider took the order. `provider_leg_id` is its name of the leg."""

    provider_leg_id: str
    state: LegState = LegState.PENDING


@dataclass(frozen=True, slots=True)
class FoundLeg:
    """What the provider says of a leg; `state` None: it uses a word that we do not know."""

    provider_leg_id: str
    state: LegState | None
    end: LegEnd | None = None


@dataclass(frozen=True, slots=True)
class RecordingRef:
    """Where the provider keeps a recording until we have fetched it. `channels`: 2 is the customer left, all others
    right."""

    provider_id: str
    url: str = ""
    channels: int = 1


# --- what is told -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LegName:
    """Which leg an event is about: our token where the provider gives it back, else the provider's name of it."""

    token: str | None = None
    provider_leg_id: str | None = None


@dataclass(frozen=True, slots=True)
class CallArrived:
    """A customer calls. `caller` is normalised (E.164, visitor id), empty when the number is withheld. `line` is the number
    or page that was called. `leg.provider_leg_id` is the once-only key of the call itself."""

    provider_id: str
    leg: LegName
    caller_kind: ContactKind
    caller: str
    line: str
    received_at: datetime
    raw: str = ""
    caller_name: str | None = None
    language: str | None = None
    kind: Literal["arrived"] = "arrived"


@dataclass(frozen=True, slots=True)
class LegChanged:
    """`provider_id` is the once-only key of the event, as in all that follow. `end` is set when `state` is ENDED.
    `is_machine`: whether a machine answered, where that was asked."""

    provider_id: str
    leg: LegName
    state: LegState
    received_at: datetime
    occurred_at: datetime | None = None
    end: LegEnd | None = None
    is_machine: bool | None = None
    raw: str = ""
    kind: Literal["leg"] = "leg"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A key was pressed, or a word said that stands for one; `key` None: nothing came. `scene_version`: which scene it
    answers; an answer to a scene that is over is not heard."""

    provider_id: str
    leg: LegName
    scene_version: int
    key: str | None
    received_at: datetime
    heard: str | None = None
    raw: str = ""
    kind: Literal["chosen"] = "chosen"


@dataclass(frozen=True, slots=True)
class SceneEnded:
    """A Say has been said."""

    provider_id: str
    leg: LegName
    scene_version: int
    received_at: datetime
    raw: str = ""
    kind: Literal["scene_ended"] = "scene_ended"


@dataclass(frozen=True, slots=True)
class VoicemailLeft:
    provider_id: str
    leg: LegName
    recording: RecordingRef | None
    duration_s: float
    received_at: datetime
    raw: str = ""
    kind: Literal["voicemail_left"] = "voicemail_left"


@dataclass(frozen=True, slots=True)
class RecordingReady:
    """The recording of a call can be fetched. `leg` or `room` says of which."""

    provider_id: str
    recording: RecordingRef
    duration_s: float
    received_at: datetime
    leg: LegName | None = None
    room: str | None = None
    started_at: datetime | None = None
    failed: bool = False
    raw: str = ""
    kind: Literal["recording_ready"] = "recording_ready"


@dataclass(frozen=True, slots=True)
class LegAsks:
    """The provider wants to know what to do with the leg; nothing happened."""

    provider_id: str
    leg: LegName
    received_at: datetime
    kind: Literal["asks"] = "asks"


VoiceEvent = CallArrived | LegChanged | Chosen | SceneEnded | VoicemailLeft | RecordingReady | LegAsks

# --- the adapter --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoiceCapabilities:
    """`contact_kind`: what callers are known by. `dials`: can call numbers outside. `in_browser`: an agent's leg can be
    their browser; `by_connect`: through `connect`, an SDP offer of the page (else `browser_token`). `hears_words`: menus
    take speech. `detects_machines`. `speaks`: text is spoken by the provider, in any language."""

    contact_kind: ContactKind
    dials: bool
    in_browser: bool
    by_connect: bool = False
    hears_words: bool = False
    detects_machines: bool = False
    speaks: bool = True


class VoiceChannel(Protocol):
    """A live adapter of one telephone line. See the module's head for the verbs."""

    @property
    def account(self) -> ChannelAccount: ...

    @property
    def voice(self) -> VoiceCapabilities: ...

    def check_head(self, kind: str, headers: Mapping[str, str]) -> None: ...

    def verify(self, request: WebhookRequest) -> None:
        """Raises BadSignature."""

    def parse(self, request: WebhookRequest) -> list[VoiceEvent]:
        """Raises BadRequest / InvalidInput when the payload cannot be a payload of this provider."""

    def asked_leg(self, request: WebhookRequest) -> LegName | None:
        """The leg whose scene the provider wants as the answer; None when it only tells something."""

    def answer(self, request: WebhookRequest, order: LegOrder | None) -> WebhookAnswer:
        """What the provider reads after our commit. `order` None: the hub knows no such leg (any more)."""

    async def apply(self, order: LegOrder, before: Scene | None) -> None:
        """`before`: the scene that was applied last, as far as we know."""

    async def dial(self, order: LegOrder) -> Dialled: ...

    async def connect(self, order: LegOrder, offer_sdp: str) -> str:
        """The SDP answer. Refused where the line is not our own; Unavailable `all_busy` when it carries no more."""

    def browser_token(self, user_id: int, now: datetime) -> str:
        """What the provider's own page library signs in with; empty where there is none."""

    async def hang_up(self, order: LegOrder) -> None: ...

    async def find_leg(self, order: LegOrder) -> FoundLeg | None:
        """None: it surely knows nothing of this leg."""

    async def find_live(self) -> frozenset[str] | None:
        """The tokens of all legs that the provider holds, where its word is the whole truth (our own line: a process that
        was restarted holds none); None where it is not asked."""

    async def record(self, order: LegOrder, wanted: Recording) -> None: ...

    async def fetch_recording(self, recording: RecordingRef) -> Fetched: ...

    async def delete_recording(self, recording: RecordingRef) -> None: ...

    async def aclose(self) -> None: ...
