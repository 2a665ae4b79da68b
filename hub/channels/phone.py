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

from collections.abc import Mapping
from datetime import datetime

from hub.channels import twilio, twiml
from hub.channels.channel import ChannelAccount, Fetched, WebhookAnswer, WebhookRequest
from hub.channels.twilio_callbacks import (
    CLIENT,
    ROOM,
    SID,
    parse_conference,
    parse_end,
    parse_machine,
    parse_recording,
    parse_status,
    parse_voice,
    read,
    read_status,
)
from hub.channels.twilio_scenes import Scenes, coaching, goodbye, within
from hub.channels.twilio_voice import CALL_STATES, RECORDING_LIVE, TwilioCall, VoiceRest, access_token
from hub.channels.voice import (
    Dialled,
    FoundLeg,
    Hold,
    LegName,
    LegOrder,
    Over,
    RecordingRef,
    Scene,
    Talk,
    VoiceCapabilities,
    VoiceEvent,
    Wait,
)
from hub.domain.calls import Party, Recording
from hub.domain.states import LegState
from hub.domain.values import ContactKind
from hub.errors import BadRequest, Refused, Unavailable, Uncertain

CAPABILITIES = VoiceCapabilities(
    contact_kind=ContactKind.PHONE, dials=True, in_browser=True, hears_words=True, detects_machines=True
)
_WITHOUT_BROWSER = VoiceCapabilities(
    contact_kind=ContactKind.PHONE, dials=True, in_browser=False, hears_words=True, detects_machines=True
)
# docs/voice/api/call-resource, "Timeout": at most 600 seconds.
_RING_LIMIT_S = 600
_EMPTY = WebhookAnswer(twiml.render(()), "text/xml")


def voice_of(settings: Mapping[str, str]) -> VoiceCapabilities:
    """What a line with these settings can do: agents talk in their browser only where it has an API key and a TwiML app for
    it (and then, registry.py sees to it, the key's secret, too)."""
    has_keys = bool(settings.get("api_key_sid") and settings.get("twiml_app_sid"))
    return CAPABILITIES if has_keys else _WITHOUT_BROWSER


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
        self._scenes = Scenes(account)
        self._rest = VoiceRest(self._account_sid, self._auth_token, account.settings.get("api_base") or None)

    @property
    def account(self) -> ChannelAccount:
        return self._account

    @property
    def voice(self) -> VoiceCapabilities:
        return voice_of(self._account.settings)

    def check_head(self, kind: str, headers: Mapping[str, str]) -> None:
        """Bodies are short here: `verify` is soon enough."""

    def verify(self, request: WebhookRequest) -> None:
        twilio.check_signature(request, self._auth_token)

    def parse(self, request: WebhookRequest) -> list[VoiceEvent]:
        told = read(request)
        match request.kind:
            case "voice":
                return parse_voice(told, self._account.default_region)
            case "status":
                return parse_status(told)
            case "conference":
                return parse_conference(told)
            case "recording":
                return parse_recording(told)
            case "amd":
                return parse_machine(told)
            case _:
                raise BadRequest(f"Voice has no webhook {request.kind!r}.")

    def asked_leg(self, request: WebhookRequest) -> LegName | None:
        """None also for music in a room, which is not the leg's scene but a part of it, and for a call that is over: its
        answer is read by nobody, and the leg may have another call by now."""
        if request.kind != "voice":
            return None
        told = read(request)
        return None if told.place == ROOM or parse_end(told) else told.leg

    def answer(self, request: WebhookRequest, order: LegOrder | None) -> WebhookAnswer:
        if request.kind != "voice":
            return _EMPTY
        told = read(request)
        if told.place == ROOM:
            verbs = self._scenes.held_in_room(told)
        else:
            verbs = goodbye(told) if order is None else self._scenes.document(order, told)
        return WebhookAnswer(twiml.render(verbs), "text/xml")

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
        await self._rest.redirect_call(sid, self._scenes.leg_url(order))

    async def _change_in_room(self, order: LegOrder, scene: Talk | Hold, sid: str) -> bool:
        """False: this leg is in no room."""
        conference = await self._rest.find_conference(order.room)
        if conference is None:
            return False
        if isinstance(scene, Talk):
            coached, muted = coaching(order, scene)
            # Also said of those who never coached: a supervisor who takes a call over must be heard by the customer.
            return await self._rest.change_participant(
                conference, sid, hold=False, muted=muted, coaching=coached is not None, coached_sid=coached
            )
        return await self._rest.change_participant(conference, sid, hold=True, hold_url=self._scenes.hold_url(scene))

    async def dial(self, order: LegOrder) -> Dialled:
        if not order.address:
            raise Refused("There is nobody to call.", code="invalid_number")
        made = await self._rest.create_call(
            to=order.address,
            sender=self._sender(order),
            url=self._scenes.leg_url(order),
            status_callback=self._scenes.callback("status", order.token),
            ring_s=within(order.ring_s, 1, _RING_LIMIT_S),
            machine_callback=self._scenes.callback("amd", order.token) if order.detects_machine else None,
        )
        state, end = CALL_STATES.get(made.status, (LegState.PENDING, None))
        if end is not None:
            raise Refused(f"Twilio could not call: {made.status}.", code=twilio.UNKNOWN, provider_code=made.status)
        return Dialled(made.sid, state)

    async def connect(self, order: LegOrder, offer_sdp: str) -> str:
        raise Refused("Twilio's own page library connects this line.", code="not_supported")

    def browser_token(self, user_id: int, now: datetime) -> str:
        if not self.voice.in_browser or not self._key_secret:
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
            await self._rest.start_recording(sid, self._scenes.callback("recording", order.token, room=order.room))
        status = {Recording.ON: "in-progress", Recording.PAUSED: "paused", Recording.OFF: "stopped"}[wanted]
        for each in live:
            if each.status != status:
                await self._rest.change_recording(sid, each.sid, status)

    async def fetch_recording(self, recording: RecordingRef) -> Fetched:
        """By its sid alone: the address in a callback is not followed."""
        if not SID.fullmatch(recording.provider_id):
            raise Refused("This is no recording of Twilio's.", code="media_gone")
        return await self._rest.fetch_recording(recording.provider_id, recording.channels)

    async def delete_recording(self, recording: RecordingRef) -> None:
        if SID.fullmatch(recording.provider_id):
            await self._rest.delete_recording(recording.provider_id)

    async def aclose(self) -> None:
        await self._rest.aclose()

    def _sender(self, order: LegOrder) -> str:
        return order.caller_id or self._number


def _found(call: TwilioCall) -> FoundLeg:
    state, end = read_status(call.status, is_page=call.sender.startswith(CLIENT))
    return FoundLeg(call.sid, state, end)
