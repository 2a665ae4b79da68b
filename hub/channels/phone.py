"""Telephone calls through Twilio Voice.

In:   POST /webhooks/{channel_id}/voice        what is this call to hear and do? Answered with a document (TwiML)
      POST /webhooks/{channel_id}/status       a call rings, talks, ended       → LegChanged
      POST /webhooks/{channel_id}/conference   who came into a room, left it    → LegChanged
      POST /webhooks/{channel_id}/recording    a recording can be fetched     → RecordingReady, VoicemailLeft
      POST /webhooks/{channel_id}/amd          whether a machine answered       → LegChanged
Out:  REST Calls (dial, redirect, end), Conferences and Participants (hold, mute, coach), Recordings.

Every scene is a document. A leg that is in none of the hub's rooms is moved by redirecting its call, which then asks `voice`
anew; one that is in a room is held, muted or made a coach in its place. Nothing is remembered here: the address of each
document carries the leg's token (`leg`), the number of the scene that it plays (`v`), where it is played (`at`: the call
itself, the queue, a room) and what its coming here means (`did`). Twilio signs the address, so nobody else can say so.

    did      the caller …
    —        wants to know what to do: they just came, were redirected or were answered
    said     has heard a Say                        → SceneEnded
    menu     pressed or said something, or nothing  → Chosen
    key      pressed a key while waiting            → Chosen
    left     left the room;  queued  left the queue
    voicemail  spoke after the tone;  silence  said nothing there  → VoicemailLeft
    wait, held  hears the next piece of music
    idle     waits until the hub has decided what comes next

A document that asks for a scene that is over gets the one of now, wherever it is played; so a redirect that was lost is made
up for within seconds, as soon as the music's next piece is fetched.

Waiting: all callers of a line stand in one queue of Twilio's (`Enqueue`), which only holds them; who is next is the hub's to
say. (A queue for each call would be left behind in the account for ever.) Where Twilio's queue is full they wait in a
document of their own, and hear the same.

Recording: the customer's call itself is recorded in two channels, what it says and what it hears. A recording of the
conference puts whoever came first into the first channel, which may be anybody (changelog "Dual-channel Conference
Recordings", 2025-09-15). The customer's call is told by the label that it has in the room.

What Twilio cannot do: tell when a leg's sound flows (it is CONNECTED when its document is asked for); begin music where it
stopped by itself (it is fetched in pieces, each of them named by its place in the tune).
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import phonenumbers

from hub.channels import twilio, twiml
from hub.channels.channel import ChannelAccount, Fetched, WebhookAnswer, WebhookRequest, clean_text
from hub.channels.twilio_voice import (
    ANSWERED_BY,
    CALL_STATES,
    RECORDING_LIVE,
    REFUSALS,
    WITHHELD,
    TwilioCall,
    VoiceRest,
    access_token,
)
from hub.channels.twiml import Verb
from hub.channels.voice import (
    CallArrived,
    Chosen,
    Dialled,
    FoundLeg,
    Hold,
    LegAsks,
    LegChanged,
    LegName,
    LegOrder,
    Menu,
    Over,
    Prompt,
    RecordingReady,
    RecordingRef,
    Ringback,
    Say,
    Scene,
    SceneEnded,
    Talk,
    VoiceCapabilities,
    VoiceEvent,
    Voicemail,
    VoicemailLeft,
    Wait,
)
from hub.domain.calls import LegEnd, Party, Presence, Recording
from hub.domain.states import LegState
from hub.domain.values import ContactKind
from hub.errors import BadRequest, Refused, Unavailable, Uncertain

CAPABILITIES = VoiceCapabilities(
    contact_kind=ContactKind.PHONE, dials=True, in_browser=True, hears_words=True, detects_machines=True
)
_WITHOUT_BROWSER = VoiceCapabilities(
    contact_kind=ContactKind.PHONE, dials=True, in_browser=False, hears_words=True, detects_machines=True
)

# The tune that callers hear while they wait, as hub/web/line_sounds.py serves it: so long, and in pieces of so many seconds.
# With each piece the document is asked for anew, so this is also how late a changed prompt may come.
MUSIC_S = 60
PIECE_S = 20
# A shorter piece would be more silence than music.
_SHORT_PIECE_S = 5
# How long a call waits before it asks again, while the hub decides.
_IDLE_S = 2
# A name for a queue has at most 64 characters (docs/voice/twiml/enqueue).
_QUEUE_NAME_LIMIT = 64
# docs/voice/twiml/record: seconds; docs/voice/api/call-resource, "Timeout": at most 600.
_RECORD_LIMIT_S = 14_400
_RING_LIMIT_S = 600

_SID = re.compile(r"[A-Za-z0-9]{2,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_E164 = re.compile(r"\+[1-9][0-9]{4,14}")
_CLIENT = "client:"
# How the label of a participant begins whose call comes from an agent's page.
_PAGE_LABEL = "page-"
_EMPTY = WebhookAnswer(twiml.render(()), "text/xml")
# A piece of the tune: from which second, and for how many.
Music = Callable[[int, int], Verb]
# Where a document is played. What may stand in it depends on that.
_CALL, _QUEUE, _ROOM = "", "queue", "room"


@dataclass(frozen=True, slots=True)
class _Told:
    """A webhook, read: the form's fields, the address's parameters, and whom it is about."""

    fields: Mapping[str, str]
    query: Mapping[str, str]
    raw: str
    received_at: datetime
    sid: str
    leg: LegName

    @property
    def did(self) -> str:
        return self.query.get("did", "")

    @property
    def place(self) -> str:
        return self.query.get("at", "")

    @property
    def status(self) -> str:
        return self.fields.get("CallStatus", "")

    @property
    def is_client(self) -> bool:
        return self.fields.get("From", "").startswith(_CLIENT)

    def number(self, name: str) -> int:
        """A number that we wrote into the address; 0 when there is none."""
        text = self.query.get(name, "0")
        if not _NUMBER.fullmatch(text):
            raise BadRequest("The address is not one of ours.", fields={name: "must be a number"})
        return int(text)


@dataclass(frozen=True, slots=True)
class _Address:
    """Writes the addresses that a leg's documents name."""

    voice: str
    token: str
    version: int
    extra: Mapping[str, str | int] = field(default_factory=dict)

    def to(self, did: str = "", **more: str | int) -> str:
        named = {"leg": self.token, "v": self.version, "did": did, **self.extra, **more}
        return f"{self.voice}?{urlencode({name: value for name, value in named.items() if value != ''})}"


class TwilioLine:
    """A live telephone line. Settings: account_sid, number, api_key_sid?, twiml_app_sid?, api_base?. Secrets: auth_token,
    api_key_secret?. registry.py describes and checks them."""

    def __init__(self, account: ChannelAccount) -> None:
        self._account = account
        self._auth_token = account.secrets.get("auth_token", "")
        self._account_sid = account.settings.get("account_sid", "")
        self._number = account.settings.get("number", "")
        self._key_sid = account.settings.get("api_key_sid", "")
        self._key_secret = account.secrets.get("api_key_secret", "")
        self._app_sid = account.settings.get("twiml_app_sid", "")
        self._rest = VoiceRest(self._account_sid, self._auth_token, account.settings.get("api_base") or None)

    @property
    def account(self) -> ChannelAccount:
        return self._account

    @property
    def voice(self) -> VoiceCapabilities:
        """Agents talk in their browser only where the account has an API key and a TwiML app for it."""
        has_keys = bool(self._key_sid and self._key_secret and self._app_sid)
        return CAPABILITIES if has_keys else _WITHOUT_BROWSER

    # --- in

    def check_head(self, kind: str, headers: Mapping[str, str]) -> None:
        """Bodies are short here: `verify` is soon enough."""

    def verify(self, request: WebhookRequest) -> None:
        twilio.check_signature(request, self._auth_token)

    def parse(self, request: WebhookRequest) -> list[VoiceEvent]:
        told = _read(request)
        match request.kind:
            case "voice":
                return self._parse_voice(told)
            case "status":
                return _parse_status(told)
            case "conference":
                return _parse_conference(told)
            case "recording":
                return _parse_recording(told)
            case "amd":
                return _parse_machine(told)
            case _:
                raise BadRequest(f"Voice has no webhook {request.kind!r}.")

    def asked_leg(self, request: WebhookRequest) -> LegName | None:
        """None also for music in a room, which is not the leg's scene but a part of it, and for a call that is over: its
        answer is read by nobody, and the leg may have another call by now."""
        if request.kind != "voice":
            return None
        told = _read(request)
        return None if told.place == _ROOM or _ended(told) else told.leg

    def answer(self, request: WebhookRequest, order: LegOrder | None) -> WebhookAnswer:
        if request.kind != "voice":
            return _EMPTY
        told = _read(request)
        if told.place == _ROOM:
            verbs = self._held_in_room(told)
        else:
            verbs = _goodbye(told) if order is None else self._document(order, told)
        return WebhookAnswer(twiml.render(verbs), "text/xml")

    def _parse_voice(self, told: _Told) -> list[VoiceEvent]:
        if told.place == _ROOM:
            return _ended(told) or [_asks(told)]
        if told.leg.token is None:
            # A page of ours that names no leg calls nobody; what we dialled carries its token.
            if told.is_client or told.fields.get("Direction", "inbound") != "inbound":
                return [_asks(told)]
            return [self._arrived(told), *_ended(told)]
        v, n = told.number("v"), told.number("n")
        key, at = f"{told.sid}:{told.did}:{v}:{n}", told.received_at
        match told.did:
            case "":
                # That a document is asked for means that somebody took the telephone: nobody else hears it. A page's call is
                # still `ringing` then, and is taken by our answer.
                is_up = told.status == "in-progress" or (told.is_client and told.status == "ringing")
                events: list[VoiceEvent] = [_connected(told)] if is_up else []
            case "said":
                events = [SceneEnded(key, told.leg, v, at, told.raw)]
            case "menu":
                heard = clean_text(told.fields.get("SpeechResult", "")).strip()[:500] or None
                events = [Chosen(key, told.leg, v, _chosen_key(told), at, heard, told.raw)]
            case "key" if told.fields.get("Digits", "") in _offered(told):
                key = f"{key}:{told.number('t')}"
                events = [Chosen(key, told.leg, v, told.fields["Digits"], at, None, told.raw)]
            case "voicemail":
                recording, duration_s = _read_recording(told)
                events = [VoicemailLeft(recording.provider_id, told.leg, recording, duration_s, at, told.raw)]
            case "silence":
                events = [VoicemailLeft(key, told.leg, None, 0.0, at, told.raw)]
            case _:
                events = []
        events += _ended(told)
        return events or [_asks(told)]

    def _arrived(self, told: _Told) -> CallArrived:
        return CallArrived(
            provider_id=told.sid,
            leg=told.leg,
            caller_kind=ContactKind.PHONE,
            caller=read_caller(told.fields.get("From", ""), self._account.default_region),
            line=clean_text(told.fields.get("To", ""))[:200],
            received_at=told.received_at,
            raw=told.raw,
            caller_name=clean_text(told.fields.get("CallerName", "")).strip()[:200] or None,
        )

    # --- documents

    def _document(self, order: LegOrder, told: _Told) -> tuple[Verb, ...]:
        scene, address = order.scene, self._address(order)
        if told.place == _QUEUE:
            # Only what a queue may play; whoever is to hear anything else leaves it, and asks again as a call.
            return _waiting(scene, told, address, _QUEUE, self._music) if isinstance(scene, Wait) else (Verb("Leave"),)
        is_over = told.number("v") == order.scene_version and told.did in ("said", "voicemail", "silence", "idle")
        if is_over:
            # This very scene is over, and what comes after it is not decided yet.
            return _idle(address)
        match scene:
            case Say():
                said = twiml.prompts(scene.prompts)
                return (*said, Verb("Hangup")) if scene.then_hang_up else (*said, _redirect(address.to("said")))
            case Menu():
                return (_menu(scene, told, order, address),)
            case Wait():
                if _was_refused_by_queue(told) or told.did in ("wait", "key"):
                    return _waiting(scene, told, address, _CALL, self._music)
                return (self._enqueue(address),)
            case Talk():
                return self._talk(order, scene, told, address)
            case Hold():
                return self._held_in_call(scene, told, address)
            case Voicemail():
                return self._voicemail(scene, address)
            case Ringback():
                return (twiml.play(f"{self._account.public_url}/line-sounds/ringback.wav", loop=0),)
            case Over():
                return _reject() if scene.is_busy and _is_unanswered(told) else (Verb("Hangup"),)

    def _held_in_call(self, scene: Hold, told: _Told, address: _Address) -> tuple[Verb, ...]:
        """Music on hold for a call that is in no room, the prompts once before it."""
        mark = _prompts_mark(scene.prompts)
        said = () if told.query.get("p") == mark else twiml.prompts(scene.prompts)
        waited_s, piece = self._piece(told)
        return (*said, piece, _redirect(address.to("held", t=waited_s, p=mark)))

    def _held_in_room(self, told: _Told) -> tuple[Verb, ...]:
        """The same in a room, until the hub takes the participant off hold. All that it needs stands in its address."""
        waited_s, piece = self._piece(told)
        onwards = f"{self._account.webhook_url('voice')}?{urlencode({'at': _ROOM, 'did': 'held', 't': waited_s})}"
        return (*twiml.prompts(_read_said(told.query.get("say", ""))), piece, _redirect(onwards))

    def _piece(self, told: _Told) -> tuple[int, Verb]:
        """The next piece of the tune, and how long it has sounded after it."""
        waited_s = told.number("t")
        start_s = waited_s % MUSIC_S
        length_s = min(PIECE_S, MUSIC_S - start_s)
        return waited_s + length_s, self._music(start_s, length_s)

    def _address(self, order: LegOrder) -> _Address:
        return _Address(self._account.webhook_url("voice"), order.token, order.scene_version)

    def _music(self, start_s: int, length_s: int) -> Verb:
        return twiml.play(f"{self._account.public_url}/line-sounds/music-{start_s}-{length_s}.wav")

    def _enqueue(self, address: _Address) -> Verb:
        return Verb(
            "Enqueue",
            {
                "action": address.to("queued"),
                "method": "POST",
                "waitUrl": address.to("wait", at=_QUEUE),
                "waitUrlMethod": "POST",
            },
            text=f"hub-{self._account.id}"[:_QUEUE_NAME_LIMIT],
        )

    def _talk(self, order: LegOrder, scene: Talk, told: _Told, address: _Address) -> tuple[Verb, ...]:
        coached, muted = _coaching(order, scene)
        conference = Verb(
            "Conference",
            {
                "startConferenceOnEnter": True,
                "endConferenceOnExit": False,
                "beep": "false",
                # Nothing: the hub decides what somebody alone hears.
                "waitUrl": "",
                "muted": muted,
                "coach": coached,
                # Two of the same in one room are refused (docs/api/errors/16025), and one leg may have a call that ends while
                # another begins.
                "participantLabel": f"{_PAGE_LABEL if told.is_client else ''}{order.party}-{order.leg_id}-{told.sid[-8:]}",
                # The first one to come decides for all, so nothing in it is about one leg.
                "statusCallback": self._account.webhook_url("conference"),
                "statusCallbackMethod": "POST",
                "statusCallbackEvent": "join leave",
            },
            text=order.room,
        )
        dial = Verb("Dial", {"action": address.to("left"), "method": "POST"}, (conference,))
        # Put out of the room, and wanted there all the same: not at once again, whatever threw it out.
        came_from_there = told.did == "left" and told.number("v") == order.scene_version
        return (twiml.pause(1), dial) if came_from_there else (dial,)

    def _voicemail(self, scene: Voicemail, address: _Address) -> tuple[Verb, ...]:
        record = Verb(
            "Record",
            {
                "action": address.to("voicemail"),
                "method": "POST",
                "finishOnKey": "#",
                "playBeep": True,
                "maxLength": _within(scene.limit_s, 1, _RECORD_LIMIT_S),
                "timeout": _within(scene.silence_s, 1, _RECORD_LIMIT_S),
                "recordingStatusCallback": self._callback("recording", address.token, did="voicemail"),
                "recordingStatusCallbackMethod": "POST",
                "recordingStatusCallbackEvent": "completed absent",
            },
        )
        # Where nothing is said at all, the action is not asked and the document goes on (docs/voice/twiml/record).
        return (*twiml.prompts(scene.prompts), record, _redirect(address.to("silence")))

    # --- out

    async def apply(self, order: LegOrder, before: Scene | None) -> None:
        """Nothing where the leg has no call yet or its call is not answered: its first document is the scene of then."""
        sid, scene = order.provider_leg_id, order.scene
        if sid is None or scene == before:
            return
        match scene:
            case Over():
                await self._rest.end_call(sid)
            case Wait() if isinstance(before, Wait):
                # It asks by itself with the next piece of music.
                return
            case Talk() | Hold() if before is None or isinstance(before, Talk | Hold):
                if not await self._change_in_room(order, scene, sid):
                    await self._redirect(order, sid)
            case _:
                await self._redirect(order, sid)

    async def _redirect(self, order: LegOrder, sid: str) -> None:
        await self._rest.redirect_call(sid, self._address(order).to())

    async def _change_in_room(self, order: LegOrder, scene: Talk | Hold, sid: str) -> bool:
        """False: this leg is in no room."""
        conference = await self._rest.find_conference(order.room)
        if conference is None:
            return False
        if isinstance(scene, Talk):
            coached, muted = _coaching(order, scene)
            # Also said of those who never coached: a supervisor who takes a call over must be heard by the customer.
            return await self._rest.change_participant(
                conference, sid, hold=False, muted=muted, coaching=coached is not None, coached_sid=coached
            )
        held = {"at": _ROOM, "did": "held", "say": _write_said(scene.prompts)}
        url = (
            f"{self._account.webhook_url('voice')}?{urlencode({name: value for name, value in held.items() if value})}"
        )
        return await self._rest.change_participant(conference, sid, hold=True, hold_url=url)

    async def dial(self, order: LegOrder) -> Dialled:
        if not order.address:
            raise Refused("There is nobody to call.", code="invalid_number")
        made = await self._rest.create_call(
            to=order.address,
            sender=self._sender(order),
            url=self._address(order).to(),
            status_callback=self._callback("status", order.token),
            ring_s=_within(order.ring_s, 1, _RING_LIMIT_S),
            machine_callback=self._callback("amd", order.token) if order.detects_machine else None,
        )
        state, end = CALL_STATES.get(made.status, (LegState.PENDING, None))
        if end is not None:
            raise Refused(f"Twilio could not call: {made.status}.", code=twilio.UNKNOWN, provider_code=made.status)
        return Dialled(made.sid, state)

    async def connect(self, order: LegOrder, offer_sdp: str) -> str:
        raise Refused("Twilio's own page library connects this line.", code="not_supported")

    def browser_token(self, user_id: int, now: datetime) -> str:
        if not self.voice.in_browser:
            return ""
        return access_token(
            account_sid=self._account_sid,
            key_sid=self._key_sid,
            secret=self._key_secret,
            identity=f"agent_{user_id}",
            app_sid=self._app_sid,
            now=now,
        )

    async def hang_up(self, order: LegOrder) -> None:
        sid = order.provider_leg_id
        if sid is None:
            found = await self.find_leg(order)
            if found is None or found.state is LegState.ENDED:
                return
            sid = found.provider_leg_id
        await self._rest.end_call(sid)

    async def find_leg(self, order: LegOrder) -> FoundLeg | None:
        """Without Twilio's name of the leg: the one live call from our number to its address that is nobody else's. Twilio
        takes no mark of ours with a call, so of two such calls nobody can say which it is: Uncertain."""
        if order.provider_leg_id is not None:
            call = await self._rest.find_call(order.provider_leg_id)
            return None if call is None else _found(call)
        if not order.address:
            return None
        calls = await self._rest.list_calls(to=order.address, sender=self._sender(order))
        others = set(order.peers.values())
        live = [
            found for call in calls if call.sid not in others and (found := _found(call)).state is not LegState.ENDED
        ]
        if len(live) > 1:
            raise Uncertain("Twilio has several calls to this number.", code="cannot_tell")
        return live[0] if live else None

    async def find_live(self) -> frozenset[str] | None:
        return None

    async def record(self, order: LegOrder, wanted: Recording) -> None:
        """Records the customer's call, whichever leg of theirs is given. Nothing where it is as wanted. Unavailable where the
        customer is not in the room yet."""
        sid = order.provider_leg_id
        if order.party is not Party.CUSTOMER:
            conference = await self._rest.find_conference(order.room)
            found = await self._rest.list_participants(conference) if conference is not None else ()
            sid = next((each.call_sid for each in found if each.label.startswith(f"{Party.CUSTOMER}-")), None)
        if sid is None:
            raise Unavailable("The customer is not in the room yet.", code="not_ready", retry_after_s=1.0)
        live = [each for each in await self._rest.list_recordings(sid) if each.status in RECORDING_LIVE]
        if wanted is Recording.ON and not live:
            await self._rest.start_recording(sid, self._callback("recording", order.token, room=order.room))
        status = {Recording.ON: "in-progress", Recording.PAUSED: "paused", Recording.OFF: "stopped"}[wanted]
        for each in live:
            if each.status != status:
                await self._rest.change_recording(sid, each.sid, status)

    async def fetch_recording(self, recording: RecordingRef) -> Fetched:
        """By its sid alone: the address in a callback is not followed."""
        if not _SID.fullmatch(recording.provider_id):
            raise Refused("This is no recording of Twilio's.", code="media_gone")
        return await self._rest.fetch_recording(recording.provider_id, recording.channels)

    async def delete_recording(self, recording: RecordingRef) -> None:
        if _SID.fullmatch(recording.provider_id):
            await self._rest.delete_recording(recording.provider_id)

    async def aclose(self) -> None:
        await self._rest.aclose()

    def _sender(self, order: LegOrder) -> str:
        return order.caller_id or self._number

    def _callback(self, kind: str, token: str, **more: str) -> str:
        return f"{self._account.webhook_url(kind)}?{urlencode({'leg': token, **more})}"


# --- reading a webhook ------------------------------------------------------------------------------------------------


def _read(request: WebhookRequest) -> _Told:
    fields = dict(twilio.form_pairs(request.body))
    query = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    sid = fields.get("CallSid", "")
    # The recording of a conference may come without a call; nothing else does.
    if not _SID.fullmatch(sid) and request.kind != "recording":
        raise BadRequest("The payload names no call.", fields={"CallSid": "must be a call's sid"})
    token = query.get("leg")
    if token is None and fields.get("From", "").startswith(_CLIENT):
        # What the agent's page gave to Device.connect comes as a field (docs/voice/sdks/javascript, "params").
        token = fields.get("leg")
    if token is not None and not _TOKEN.fullmatch(token):
        raise BadRequest("The address is not one of ours.", fields={"leg": "must be a leg's token"})
    return _Told(
        fields,
        query,
        # Urlencoded, hence ASCII, unless somebody else wrote it.
        clean_text(request.body.decode()),
        request.received_at,
        sid,
        LegName(token, sid or None),
    )


def read_caller(address: str, default_region: str | None) -> str:
    """The caller's number in E.164; empty when it is withheld or no number at all."""
    address = clean_text(address).strip()
    if address.lower() in WITHHELD:
        return ""
    address = address.removeprefix("sip:").removeprefix("sips:").partition("@")[0]
    if _E164.fullmatch(address):
        return address
    digits = re.sub(r"[\s().\-/]", "", address)
    if not re.fullmatch(r"\+?[0-9]{3,20}", digits):
        return ""
    try:
        number = phonenumbers.parse(digits, default_region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parse_status(told: _Told) -> list[VoiceEvent]:
    state, end = read_status(told.status, is_page=told.is_client)
    if state is None:
        return []
    if end is LegEnd.BUSY and told.fields.get("SipResponseCode") in REFUSALS:
        end = LegEnd.REJECTED
    return [_changed(told, told.leg, told.status, state, end)]


def _parse_conference(told: _Told) -> list[VoiceEvent]:
    match told.fields.get("StatusCallbackEvent", ""):
        case "participant-join":
            return [_connected(told)]
        case "participant-leave":
            # Left by hanging up, as far as Twilio tells; else they go on elsewhere (since 2023-10-25, changelog
            # "ParticipantCallStatus and ReasonParticipantLeft").
            word = told.fields.get("ParticipantCallStatus", "")
            is_page = told.fields.get("ParticipantLabel", "").startswith(_PAGE_LABEL)
            state, end = read_status(word, is_page=is_page)
            return [_changed(told, told.leg, word, LegState.ENDED, end)] if state is LegState.ENDED else []
        case _:
            return []


def _parse_recording(told: _Told) -> list[VoiceEvent]:
    status = told.fields.get("RecordingStatus", "")
    if status not in ("completed", "absent", "failed"):
        return []
    recording, duration_s = _read_recording(told)
    there = status == "completed"
    if told.did == "voicemail":
        kept = recording if there else None
        told_s = duration_s if there else 0.0
        return [VoicemailLeft(recording.provider_id, told.leg, kept, told_s, told.received_at, told.raw)]
    return [
        RecordingReady(
            provider_id=f"{recording.provider_id}:{status}",
            recording=recording,
            duration_s=duration_s,
            received_at=told.received_at,
            leg=told.leg,
            room=told.query.get("room") or None,
            started_at=_read_date(told.fields.get("RecordingStartTime", "")),
            failed=not there,
            raw=told.raw,
        )
    ]


def _parse_machine(told: _Told) -> list[VoiceEvent]:
    is_machine = ANSWERED_BY.get(told.fields.get("AnsweredBy", ""))
    if is_machine is None:
        return []
    return [
        LegChanged(
            f"{told.sid}:amd", told.leg, LegState.CONNECTED, told.received_at, is_machine=is_machine, raw=told.raw
        )
    ]


def _changed(told: _Told, leg: LegName, word: str, state: LegState, end: LegEnd | None) -> LegChanged:
    """`word` is Twilio's for the state: each comes once in a call's life, whichever of the webhooks tells it first."""
    return LegChanged(
        provider_id=f"{told.sid}:{word}",
        leg=leg,
        state=state,
        received_at=told.received_at,
        occurred_at=_read_date(told.fields.get("Timestamp", "")),
        end=end,
        raw=told.raw,
    )


def _connected(told: _Told) -> LegChanged:
    return _changed(told, told.leg, "in-progress", LegState.CONNECTED, None)


def _ended(told: _Told) -> list[VoiceEvent]:
    """That the call is over, where a document was asked for only to say so (its caller hung up in a Record, a Dial …). The
    leg is not named by its token: an agent's leg may have another call by now, from a page that was loaded anew."""
    state, end = read_status(told.status, is_page=told.is_client)
    if state is not LegState.ENDED:
        return []
    return [_changed(told, LegName(None, told.sid), told.status, LegState.ENDED, end)]


def _asks(told: _Told) -> LegAsks:
    # Nothing is stored of it, so it may come as often as it likes.
    return LegAsks(f"{told.sid}:asks", told.leg, told.received_at)


def _read_recording(told: _Told) -> tuple[RecordingRef, float]:
    sid = told.fields.get("RecordingSid", "")
    if not sid:
        # The action of a Record names the recording by its address only, in older accounts.
        sid = urlsplit(told.fields.get("RecordingUrl", "")).path.rpartition("/")[2].partition(".")[0]
    if not _SID.fullmatch(sid):
        raise BadRequest("The payload names no recording.", fields={"RecordingSid": "must be a recording's sid"})
    seconds = told.fields.get("RecordingDuration", "")
    channels = 2 if told.fields.get("RecordingChannels") == "2" else 1
    url = clean_text(told.fields.get("RecordingUrl", ""))[:500]
    return RecordingRef(sid, url, channels), float(seconds) if _NUMBER.fullmatch(seconds) else 0.0


def _read_date(text: str) -> datetime | None:
    """Twilio writes RFC 2822, in UTC."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


def _found(call: TwilioCall) -> FoundLeg:
    state, end = read_status(call.status, is_page=call.sender.startswith(_CLIENT))
    return FoundLeg(call.sid, state, end)


def read_status(word: str, *, is_page: bool) -> tuple[LegState | None, LegEnd | None]:
    """Twilio's word for a call in ours; None where we do not know it. Agents hang up by telling the hub; a page's call that
    just ends was lost: the page was closed, loaded anew, or its network is gone."""
    state, end = CALL_STATES.get(word, (None, None))
    return state, LegEnd.LOST if is_page and end is LegEnd.HUNG_UP else end


def _is_unanswered(told: _Told) -> bool:
    return told.status == "ringing" and not told.is_client


def _was_refused_by_queue(told: _Told) -> bool:
    """The queue did not take them, or lost them (docs/voice/twiml/enqueue, "QueueResult values")."""
    return told.fields.get("QueueResult", "") in ("queue-full", "error", "system-error")


# --- keys and words -----------------------------------------------------------------------------------------------------
#
# Twilio tells which key was pressed or what was said, not what was offered. So the address of a menu names its keys, and for
# each of its words a short hash: the words themselves would make addresses of kilobytes.

_MARK_LENGTH = 8


def _word_marks(words: Mapping[str, tuple[str, ...]], keys: Iterable[str]) -> str:
    return " ".join(f"{key}{_mark(_letters(word))}" for key in keys for word in words.get(key, ()) if _letters(word))


def _offered(told: _Told) -> frozenset[str]:
    return frozenset(told.query.get("keys", ""))


def _chosen_key(told: _Told) -> str | None:
    """The key that was pressed or said; None where it is none of those offered, or words of two of them were said."""
    digits = told.fields.get("Digits", "")
    if digits:
        return digits if digits in _offered(told) else None
    said = _letters(told.fields.get("SpeechResult", "")).split()[:100]
    marks = {each[1:]: each[0] for each in told.query.get("words", "").split()}
    if not said or not marks:
        return None
    for length in range(min(len(said), 8), 0, -1):
        runs = (" ".join(said[start : start + length]) for start in range(len(said) - length + 1))
        found = {marks[mark] for run in runs if (mark := _mark(run)) in marks}
        if found:
            # The longest words that were offered: "new order" is not "order".
            return found.pop() if len(found) == 1 else None
    return None


def _letters(text: str) -> str:
    """Words as they are compared: without case, accents and punctuation."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = (c if c.isalnum() else "" if unicodedata.combining(c) or c in "'’՛՜՞" else " " for c in decomposed)
    return " ".join("".join(kept).split())


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_MARK_LENGTH]


def _prompts_mark(prompts: tuple[Prompt, ...]) -> str:
    # A signed address of a sound changes each time it is made; what it leads to does not.
    return _mark("\0".join(f"{p.language}\0{p.text}\0{p.audio_key or p.audio_url}" for p in prompts))


# --- what is said to one on hold ------------------------------------------------------------------------------------------
#
# Music in a room is asked for without looking at the leg, so its address carries what is said before it.

_SAID_LIMIT = 1_500


def _write_said(said: tuple[Prompt, ...]) -> str:
    """Empty where it would make too long an address: then the music begins at once."""
    rows = [[p.audio_url] if p.audio_url else [p.language, p.text] for p in said]
    written = json.dumps(rows, ensure_ascii=False, separators=(",", ":")) if rows else ""
    return written if len(quote(written)) <= _SAID_LIMIT else ""


def _read_said(written: str) -> tuple[Prompt, ...]:
    try:
        rows = json.loads(written) if written else []
        return tuple(Prompt(audio_url=row[0]) if len(row) == 1 else Prompt(row[1], row[0]) for row in rows)
    except (ValueError, TypeError, LookupError) as error:
        raise BadRequest("The address is not one of ours.", fields={"say": "must be what is said"}) from error


# --- parts of documents ---------------------------------------------------------------------------------------------------


def _menu(scene: Menu, told: _Told, order: LegOrder, address: _Address) -> Verb:
    language = twiml.heard_language(scene.language) if any(scene.words.values()) else None
    # The same menu once more is another question, and its answer another event.
    again = told.number("n") + 1 if told.did == "menu" and told.number("v") == order.scene_version else 0
    words = _word_marks(scene.words, scene.keys) if language else ""
    return Verb(
        "Gather",
        {
            "input": "dtmf speech" if language else "dtmf",
            "action": address.to("menu", n=again, keys="".join(scene.keys), words=words),
            "method": "POST",
            "timeout": _within(scene.timeout_s, 1, 60),
            # After a word, a second of silence is the end of it.
            "speechTimeout": "1" if language else None,
            "numDigits": 1,
            # No key ends it, so that # and * may be chosen.
            "finishOnKey": "",
            "actionOnEmptyResult": True,
            "language": language,
            "hints": twiml.hints(word for key in scene.keys for word in scene.words.get(key, ())) if language else None,
        },
        twiml.prompts(scene.prompts),
    )


def _waiting(scene: Wait, told: _Told, address: _Address, place: str, music: Music) -> tuple[Verb, ...]:
    """The next piece of music, before it what is to be said, and the way to the piece after it."""
    waited_s, unsaid_s = told.number("t"), told.number("s")
    mark = _prompts_mark(scene.prompts)
    is_due = told.query.get("p") != mark or bool(scene.every_s and unsaid_s >= scene.every_s)
    unsaid_s = 0 if is_due else unsaid_s
    start_s = waited_s % MUSIC_S
    length_s = min(PIECE_S, MUSIC_S - start_s)
    if scene.every_s:
        length_s = min(length_s, max(scene.every_s - unsaid_s, _SHORT_PIECE_S))
    heard = (*(twiml.prompts(scene.prompts) if is_due else ()), music(start_s, length_s))
    place_in_music: dict[str, str | int] = {"at": place, "t": waited_s + length_s, "s": unsaid_s + length_s, "p": mark}
    onwards = _redirect(address.to("wait", **place_in_music))
    if not scene.keys:
        return (*heard, onwards)
    gather = Verb(
        "Gather",
        {
            "input": "dtmf",
            "action": address.to("key", keys="".join(scene.keys), **place_in_music),
            "method": "POST",
            "timeout": 1,
            "numDigits": 1,
            "finishOnKey": "",
        },
        heard,
    )
    return (gather, onwards)


def _idle(address: _Address) -> tuple[Verb, ...]:
    return (twiml.pause(_IDLE_S), _redirect(address.to("idle")))


def _goodbye(told: _Told) -> tuple[Verb, ...]:
    """To a call that the hub knows nothing of."""
    return _reject() if _is_unanswered(told) else (Verb("Hangup"),)


def _reject() -> tuple[Verb, ...]:
    return (Verb("Reject", {"reason": "busy"}),)


def _redirect(url: str) -> Verb:
    return Verb("Redirect", {"method": "POST"}, text=url)


def _coaching(order: LegOrder, scene: Talk) -> tuple[str | None, bool]:
    """Whom this leg is heard by alone (Twilio's name of that call), and whether it is muted. A whisperer whose colleague has
    no call is muted: to be heard by nobody is the lesser fault."""
    if scene.presence is Presence.WHISPER:
        coached = order.peers.get(scene.coached_leg_id) if scene.coached_leg_id is not None else None
        return coached, scene.muted or coached is None
    return None, scene.muted or scene.presence is Presence.LISTEN


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))
