"""Twilio Voice: its words about calls in ours, its REST verbs for calls, rooms and recordings, and the page's access token.

A room of the hub is a conference of Twilio's whose FriendlyName is the room's name, so it is found by asking and nobody has
to remember its sid. What Twilio says of a thing that is gone (a call that ended, a participant who left) is an answer here,
not an error: `False` or None.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from hub.channels import twilio
from hub.channels.channel import Fetched
from hub.domain.calls import LegEnd
from hub.domain.states import LegState
from hub.errors import Refused, Unavailable, Uncertain

T = TypeVar("T")

# --- words --------------------------------------------------------------------------------------------------------------

# docs/voice/api/call-resource#call-status-values and the OpenAPI's call_enum_status; `initiated` is a word of the status
# callback alone (docs/voice/api/call-resource#statuscallbackevent). Read 2026-11-26.
CALL_STATES: Mapping[str, tuple[LegState, LegEnd | None]] = {
    "queued": (LegState.PENDING, None),
    "initiated": (LegState.PENDING, None),
    "ringing": (LegState.RINGING, None),
    "in-progress": (LegState.CONNECTED, None),
    "completed": (LegState.ENDED, LegEnd.HUNG_UP),
    "busy": (LegState.ENDED, LegEnd.BUSY),
    "no-answer": (LegState.ENDED, LegEnd.NO_ANSWER),
    "canceled": (LegState.ENDED, LegEnd.CANCELLED),
    "failed": (LegState.ENDED, LegEnd.FAILED),
}
# SipResponseCode of a status callback: 603 "Decline" (RFC 3261 §21.6.2), 607 "Unwanted" (RFC 8197). Twilio calls both busy.
REFUSALS = frozenset({"603", "607"})

# docs/voice/answering-machine-detection, "AnsweredBy" (read 2026-11-26). `unknown` says nothing.
ANSWERED_BY: Mapping[str, bool] = {
    "human": False,
    "machine_start": True,
    "machine_end_beep": True,
    "machine_end_silence": True,
    "machine_end_other": True,
    "fax": True,
}

# recording_enum_status of the OpenAPI, by what becomes of the sound: it may come yet, it is there, it never will.
RECORDING_UNREADY = frozenset({"in-progress", "paused", "stopped", "processing"})
RECORDING_LIVE = frozenset({"in-progress", "paused"})

# Who calls without saying so: words of a telephone exchange, also spelled on a keypad (help.twilio.com, "Why am I getting
# calls from these strange numbers?"; ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE).
WITHHELD = frozenset(
    {
        *("anonymous", "restricted", "blocked", "unknown", "unavailable", "private", "withheld"),
        *("+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"),
    }
)

# --- REST ---------------------------------------------------------------------------------------------------------------

# How Twilio says "there is no such thing", and its number for "this call is not in that state".
_GONE = frozenset({"20404", "404"})
_NOT_LIVE = "21220"
# A room of the hub has one conference, or a few when everybody left it and came back.
_ROOM_LIMIT = 20
# Calls to one number, latest first: enough to see those that are live.
_CALLS_LIMIT = 20
# An hour in two channels of 16 bits at 8 kHz is 115 MB; Twilio ends a call after four hours.
RECORDING_LIMIT_BYTES = 480 * 1024 * 1024
_NOT_READY_S = 5.0


@dataclass(frozen=True, slots=True)
class TwilioCall:
    sid: str
    status: str
    sender: str = ""


@dataclass(frozen=True, slots=True)
class TwilioParticipant:
    call_sid: str
    label: str


@dataclass(frozen=True, slots=True)
class TwilioRecording:
    sid: str
    status: str


class VoiceRest:
    """The voice part of the REST API of one account. Every verb raises Refused, Unavailable or Uncertain."""

    def __init__(self, account_sid: str, auth_token: str, api_base: str | None = None) -> None:
        self._account_sid = account_sid
        self._rest = twilio.Rest(account_sid, auth_token, api_base)

    # --- calls

    async def create_call(
        self,
        *,
        to: str,
        sender: str,
        url: str,
        status_callback: str,
        ring_s: int,
        machine_callback: str | None = None,
    ) -> TwilioCall:
        """POST Calls. `machine_callback`: tell there, while the call goes on, who answered."""
        machine: dict[str, object] = {}
        if machine_callback is not None:
            machine = {
                "machine_detection": "Enable",
                "async_amd": "true",
                "async_amd_status_callback": machine_callback,
                "async_amd_status_callback_method": "POST",
            }
        made = await _changed(
            self._rest.client.calls.create_async(
                to=to,
                from_=sender,
                url=url,
                method="POST",
                timeout=ring_s,
                status_callback=status_callback,
                status_callback_method="POST",
                status_callback_event=["initiated", "ringing", "answered", "completed"],
                **machine,
            )
        )
        sid = str(made.sid or "")
        if not sid:
            raise Uncertain("Twilio's answer names no call.", code="unreadable_answer")
        return TwilioCall(sid, str(made.status or ""))

    async def redirect_call(self, sid: str, url: str) -> bool:
        """Let the call ask `url` what to do now. False: it is not in progress (over already, or not answered yet)."""
        return await _if_there(self._rest.client.calls(sid).update_async(url=url, method="POST"))

    async def end_call(self, sid: str) -> bool:
        """End the call, whether it rings or talks (docs/voice/api/call-resource, "Status"). False: it is over already."""
        return await _if_there(self._rest.client.calls(sid).update_async(status="completed"))

    async def find_call(self, sid: str) -> TwilioCall | None:
        found = await _asked(self._rest.client.calls(sid).fetch_async())
        return None if found is None else _read_call(found)

    async def list_calls(self, *, to: str, sender: str) -> list[TwilioCall]:
        """The latest calls from `sender` to `to`, the newest first."""
        listed = await _asked(
            self._rest.client.calls.list_async(to=to, from_=sender, limit=_CALLS_LIMIT, page_size=_CALLS_LIMIT)
        )
        return [_read_call(call) for call in listed or ()]

    # --- rooms

    async def find_conference(self, room: str) -> str | None:
        """The sid of the conference that goes on in `room`. One who is alone there waits in it: `init`."""
        listed = await _asked(
            self._rest.client.conferences.list_async(friendly_name=room, limit=_ROOM_LIMIT, page_size=_ROOM_LIMIT)
        )
        live = [each for each in listed or () if str(each.status) in ("in-progress", "init")]
        live.sort(key=lambda each: str(each.status) != "in-progress")
        return str(live[0].sid) if live else None

    async def change_participant(
        self,
        conference_sid: str,
        call_sid: str,
        *,
        hold: bool | None = None,
        hold_url: str | None = None,
        muted: bool | None = None,
        coaching: bool | None = None,
        coached_sid: str | None = None,
    ) -> bool:
        """What is None stays as it is. False: this call is not in the conference (any more)."""
        wanted: dict[str, object] = {
            "hold": hold,
            "hold_url": hold_url,
            "hold_method": "POST" if hold_url else None,
            "muted": muted,
            "coaching": coaching,
            "call_sid_to_coach": coached_sid,
        }
        participant = self._rest.client.conferences(conference_sid).participants(call_sid)
        given = {name: value for name, value in wanted.items() if value is not None}
        return await _if_there(participant.update_async(**given))

    async def list_participants(self, conference_sid: str) -> list[TwilioParticipant]:
        listed = await _asked(self._rest.client.conferences(conference_sid).participants.list_async(limit=_ROOM_LIMIT))
        return [TwilioParticipant(str(each.call_sid or ""), str(each.label or "")) for each in listed or ()]

    # --- recordings

    async def list_recordings(self, call_sid: str) -> list[TwilioRecording]:
        """The recordings of a call, those that are over included."""
        listed = await _asked(self._rest.client.calls(call_sid).recordings.list_async(limit=_ROOM_LIMIT))
        return [TwilioRecording(str(each.sid or ""), str(each.status or "")) for each in listed or ()]

    async def start_recording(self, call_sid: str, callback: str) -> bool:
        """In two channels: what this call says, and what it hears. False: it is not in progress."""
        return await _if_there(
            self._rest.client.calls(call_sid).recordings.create_async(
                recording_channels="dual",
                recording_track="both",
                recording_status_callback=callback,
                recording_status_callback_method="POST",
                recording_status_callback_event=["completed", "absent"],
            )
        )

    async def change_recording(self, call_sid: str, sid: str, status: str) -> bool:
        """`status`: in-progress, paused or stopped. What is paused is cut out (`skip`), as on the hub's own line."""
        behaviour = {"pause_behavior": "skip"} if status == "paused" else {}
        return await _if_there(
            self._rest.client.calls(call_sid).recordings(sid).update_async(status=status, **behaviour)
        )

    async def fetch_recording(self, sid: str, channels: int) -> Fetched:
        """As WAV. Refused `media_gone`: Twilio has it no longer; Unavailable `not_ready`: not yet."""
        url = f"{twilio.API}/2010-04-01/Accounts/{self._account_sid}/Recordings/{sid}.wav"
        if channels == 2:
            # docs/voice/api/recording, "Fetch a recording media file": without it the channels come mixed.
            url += "?RequestedChannels=2"
        try:
            return await self._rest.fetch(url, limit_bytes=RECORDING_LIMIT_BYTES)
        except Refused as error:
            if error.code != "media_gone":
                raise
            # The sound of a recording that has just ended is not there for some seconds, either.
            found = await _asked(self._rest.client.recordings(sid).fetch_async())
            if found is None or str(found.status) not in RECORDING_UNREADY:
                raise
            raise Unavailable(
                "Twilio is still working on the recording.", code="not_ready", retry_after_s=_NOT_READY_S
            ) from error

    async def delete_recording(self, sid: str) -> bool:
        """False: it was gone already."""
        return await _if_there(self._rest.client.recordings(sid).delete_async())

    async def aclose(self) -> None:
        await self._rest.aclose()


def _read_call(found: Any) -> TwilioCall:
    # Python keeps `from` to itself, so Twilio's client calls it so (twilio-python 9.13).
    return TwilioCall(str(found.sid or ""), str(found.status or ""), str(found._from or ""))


async def _changed(request: Awaitable[T]) -> T:
    """The answer to a request that changes something."""
    try:
        return await request
    except twilio.UNREADABLE as error:
        raise Uncertain("Twilio's answer could not be read.", code="unreadable_answer") from error


async def _if_there(request: Awaitable[object]) -> bool:
    """Whether what the request wants to change was there to be changed."""
    try:
        await _changed(request)
    except Refused as error:
        if error.provider_code in _GONE or error.provider_code == _NOT_LIVE:
            return False
        raise
    return True


async def _asked(request: Awaitable[T]) -> T | None:
    """The answer to a question; None when there is no such thing."""
    try:
        return await request
    except twilio.UNREADABLE as error:
        raise Unavailable("Twilio's answer could not be read.", code="unreadable_answer") from error
    except Refused as error:
        if error.provider_code in _GONE:
            return None
        raise


# --- the page's access token --------------------------------------------------------------------------------------------

# docs/iam/access-tokens: at most 24 hours. An hour: the page asks for a new one before it ends.
TOKEN_TTL_S = 3_600


def access_token(
    *, account_sid: str, key_sid: str, secret: str, identity: str, app_sid: str, now: datetime, ttl_s: int = TOKEN_TTL_S
) -> str:
    """A JWT with which @twilio/voice-sdk signs in as `identity`, to make calls through the TwiML app `app_sid` and to be
    called. The same as twilio-python's AccessToken makes (tests/channels/test_twilio_token.py), which reads a clock."""
    issued = int(now.timestamp())
    head = {"typ": "JWT", "alg": "HS256", "cty": "twilio-fpa;v=1"}
    claims = {
        "jti": f"{key_sid}-{issued}",
        "iss": key_sid,
        "sub": account_sid,
        "nbf": issued,
        "exp": issued + ttl_s,
        "grants": {
            "identity": identity,
            "voice": {"incoming": {"allow": True}, "outgoing": {"application_sid": app_sid}},
        },
    }
    signed = ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return f"{signed}.{_base64url(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
