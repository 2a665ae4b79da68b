"""The hub's own telephone line: calls from web pages, carried by the hub's media process with no vendor at all.

In:   POST /webhooks/{channel_id}/voice   what the media process tells, signed with the key that both derive from the hub's
Out:  its control API (hub.media.control), signed alike

The media process keeps nothing that the hub could not tell it again, and takes the same order twice as once. So whatever
does not come through is Unavailable and tried again, and nothing is ever Uncertain. A leg is named by our token alone. What
it says of the legs that it holds is the whole truth: one that it does not name is over.

A caller comes by hub.web.call_socket, which connects their browser before there is a call: the media process tells `arrived`
when sound flows. They are known by their visitor id; there is no number that could be called back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from hub.channels.channel import ChannelAccount, Fetched, WebhookAnswer, WebhookRequest, clean_text
from hub.channels.voice import (
    CallArrived,
    Chosen,
    Dialled,
    FoundLeg,
    LegChanged,
    LegName,
    LegOrder,
    RecordingReady,
    RecordingRef,
    Ringback,
    Scene,
    SceneEnded,
    VoiceCapabilities,
    VoiceEvent,
    VoicemailLeft,
)
from hub.domain.calls import LegEnd, Party, Recording
from hub.domain.sentences import Sentence
from hub.domain.states import LegState
from hub.domain.values import ContactKind
from hub.errors import BadRequest, Refused, Unavailable
from hub.media.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, check_signature, signed_headers

if TYPE_CHECKING:
    import aiohttp

PROVIDER = "hub"
# No media process runs, or it does not answer.
NO_MEDIA = "no_media"
CAPABILITIES = VoiceCapabilities(contact_kind=ContactKind.CHAT, dials=False, in_browser=True, by_connect=True)

# It is on this machine or beside it; setting up a browser's connection is the longest it does.
_TIMEOUT_S = 10.0
# A recording of hours, from a media process on another machine.
_FETCH_TIMEOUT_S = 300.0
# An hour of speech at 32 kbit/s has some 15 MB.
_RECORDING_LIMIT_BYTES = 256 << 20
_TEXT_LIMIT = 200

# The words of the media process (hub.media.exchange).
LEG_STATES: Mapping[str, LegState] = {
    "ringing": LegState.RINGING,
    "connected": LegState.CONNECTED,
    "ended": LegState.ENDED,
}
LEG_ENDS: Mapping[str, LegEnd] = {
    "hung_up": LegEnd.HUNG_UP,
    "lost": LegEnd.LOST,
    "failed": LegEnd.FAILED,
    "cancelled": LegEnd.CANCELLED,
}

_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class HubLine:
    """A live line of our own. Settings: title?, chat_channel_id, ice_servers?, turn_username?, turn_credential?."""

    def __init__(self, account: ChannelAccount) -> None:
        self._account = account
        self._session: aiohttp.ClientSession | None = None

    @property
    def account(self) -> ChannelAccount:
        return self._account

    @property
    def voice(self) -> VoiceCapabilities:
        return CAPABILITIES

    @property
    def ice_servers(self) -> list[dict[str, str]]:
        """What callers' browsers are told to ask for a way to the media process, as WebRTC's configuration has it."""
        settings = self._account.settings
        signed_in = {"username": settings.get("turn_username", ""), "credential": settings.get("turn_credential", "")}
        return [
            {"urls": url, **(signed_in if url.startswith("turn") and signed_in["username"] else {})}
            for url in settings.get("ice_servers", "").split()
        ]

    # --- in

    def check_head(self, kind: str, headers: Mapping[str, str]) -> None:
        """Bodies are short here: `verify` is soon enough."""

    def verify(self, request: WebhookRequest) -> None:
        check_signature(
            self._account.media_key,
            request.received_at.timestamp(),
            signature=request.headers.get(SIGNATURE_HEADER.lower(), ""),
            timestamp=request.headers.get(TIMESTAMP_HEADER.lower(), ""),
            method="POST",
            path=urlsplit(request.url).path,
            body=request.body,
        )

    def parse(self, request: WebhookRequest) -> list[VoiceEvent]:
        """One event, or none for a kind of event that a newer media process may tell."""
        if request.kind != "voice":
            raise BadRequest(f"This line has no webhook {request.kind!r}.")
        try:
            told = _OBJECT.validate_json(request.body)
        except ValidationError as error:
            raise BadRequest("The body is no JSON object.") from error
        event = _read(told, request.body.decode("utf-8", "replace"), request.received_at)
        return [] if event is None else [event]

    def asked_leg(self, request: WebhookRequest) -> LegName | None:
        """It never asks."""
        return None

    def answer(self, request: WebhookRequest, order: LegOrder | None) -> WebhookAnswer:
        return WebhookAnswer()

    # --- out

    async def apply(self, order: LegOrder, before: Scene | None) -> None:
        await self._post(f"/legs/{order.token}/scene", _scene_order(order))

    async def dial(self, order: LegOrder) -> Dialled:
        raise Refused("this line reaches browsers alone", code="cannot_dial")

    async def connect(self, order: LegOrder, offer_sdp: str) -> str:
        body = _scene_order(order) | {"webhook_url": self._account.webhook_url("voice"), "sdp": offer_sdp}
        return str((await self._post(f"/legs/{order.token}/connect", body))["sdp"])

    async def connect_caller(
        self, token: str, offer_sdp: str, *, visitor_id: str, name: str | None, language: str | None, line: str
    ) -> str:
        """Connects a customer's browser before there is a call. Their room is named by their token."""
        body = {
            "scene": asdict(Ringback()),
            "scene_version": 0,
            "room": token,
            "party": Party.CUSTOMER.value,
            "webhook_url": self._account.webhook_url("voice"),
            "sdp": offer_sdp,
            "caller": {"kind": ContactKind.CHAT.value, "address": visitor_id, "name": name, "language": language},
            "line": line,
        }
        return str((await self._post(f"/legs/{token}/connect", body))["sdp"])

    async def press(self, token: str, key: str) -> None:
        """A key of the caller's key pad. Refused `no_leg` when there is no such leg (any more)."""
        await self._post(f"/legs/{token}/key", {"key": key})

    async def end(self, token: str) -> None:
        """Ends a caller's leg; one that is over is over."""
        await self._request("DELETE", f"/legs/{token}")

    def browser_token(self, user_id: int, now: datetime) -> str:
        return ""

    async def hang_up(self, order: LegOrder) -> None:
        await self.end(order.token)

    async def find_leg(self, order: LegOrder) -> FoundLeg | None:
        try:
            told = await self._request("GET", f"/legs/{order.token}")
        except Refused:
            return None
        end = told.get("end")
        return FoundLeg(order.token, LEG_STATES.get(str(told.get("state"))), LEG_ENDS.get(str(end)) if end else None)

    async def find_live(self) -> frozenset[str] | None:
        return frozenset(map(str, (await self._request("GET", "/legs")).get("tokens", ())))

    async def record(self, order: LegOrder, wanted: Recording) -> None:
        body = {"recording": wanted.value, "webhook_url": self._account.webhook_url("voice")}
        await self._post(f"/rooms/{order.room}/recording", body)

    async def fetch_recording(self, recording: RecordingRef) -> Fetched:
        content = await self._send("GET", f"/recordings/{recording.provider_id}", b"", timeout_s=_FETCH_TIMEOUT_S)
        return Fetched(content, "audio/ogg")

    async def delete_recording(self, recording: RecordingRef) -> None:
        await self._request("DELETE", f"/recordings/{recording.provider_id}")

    async def status(self) -> dict[str, Any]:
        """How much the media process carries and how late it is (GET /status)."""
        return await self._request("GET", "/status")

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    # --- the control API

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._request("POST", path, json.dumps(body, ensure_ascii=False).encode())

    async def _request(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        content = await self._send(method, path, body)
        if not content:
            return {}
        try:
            return _OBJECT.validate_json(content)
        except ValidationError as error:
            raise Unavailable("the media process answered no JSON", code=NO_MEDIA) from error

    async def _send(self, method: str, path: str, body: bytes, *, timeout_s: float = _TIMEOUT_S) -> bytes:
        """The answer's body. Refused or Unavailable."""
        if not self._account.media_url:
            raise Unavailable("no media process runs: calls need the extra `voice`", code=NO_MEDIA)
        # Late: a hub without such a line need not load it.
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession()
        # Its own clock, for the signature alone.
        headers = signed_headers(self._account.media_key, int(time.time()), method, path, body)
        headers["content-type"] = "application/json"
        try:
            async with self._session.request(
                method,
                self._account.media_url + path,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as answer:
                content = await _whole(answer)
                status, retry_after = answer.status, answer.headers.get("retry-after", "")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable("the media process does not answer", code=NO_MEDIA) from error
        if status < 300:
            return content
        code, message = _fault(content, status)
        if status in (429, 503):
            retry_after_s = float(retry_after) if retry_after.isdecimal() else None
            # It carries what it can: nothing is wrong with the line.
            raise Unavailable(message, code=code, retry_after_s=retry_after_s, channel_works=True)
        if status >= 500:
            raise Unavailable(message, code=code)
        raise Refused(message, code=code, provider_code=str(status))


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """All of a body. `read(limit)` would be content with what has come, and half a recording looks like a whole one."""
    content = bytearray()
    async for piece in answer.content.iter_any():
        content += piece
        if len(content) > _RECORDING_LIMIT_BYTES:
            raise Refused("The recording is too large.", code="media_too_large")
    return bytes(content)


def _fault(content: bytes, status: int) -> tuple[str, str]:
    try:
        told = _OBJECT.validate_json(content)
    except ValidationError:
        return (NO_MEDIA if status >= 500 else "refused"), f"HTTP {status}"
    return str(told.get("code", "refused")), str(told.get("message", f"HTTP {status}"))


def _scene_order(order: LegOrder) -> dict[str, Any]:
    return {
        "scene": asdict(order.scene),
        "scene_version": order.scene_version,
        "room": order.room,
        "party": order.party.value,
        "peers": {str(leg_id): token for leg_id, token in order.peers.items()},
    }


# --- what it tells ------------------------------------------------------------------------------------------------------


def _read(told: Mapping[str, Any], raw: str, received_at: datetime) -> VoiceEvent | None:
    key = _text(told, "id")
    leg = LegName(token=_text(told, "token")) if "token" in told else None
    occurred_at = _instant(told.get("at"))
    match told.get("kind"):
        case "recording_ready":
            has_failed = bool(told.get("failed"))
            if told.get("recording_id") is None and not has_failed:
                # Nobody talked while it ran.
                return None
            return RecordingReady(
                key,
                # One that failed is nowhere, and is told of all the same.
                _recording(told, key if has_failed else _text(told, "recording_id")),
                _number(told, "duration_s"),
                received_at,
                leg=leg,
                room=_text(told, "room"),
                started_at=_instant(told.get("started_at")),
                failed=has_failed,
                raw=raw,
            )
        case kind if leg is None:
            raise BadRequest(f"An event {kind!r} must name its leg.", fields={"token": Sentence("is missing")})
        case "arrived":
            caller = told.get("caller")
            if not isinstance(caller, dict):
                raise BadRequest("Who calls?", fields={"caller": Sentence("is missing")})
            return CallArrived(
                key,
                leg,
                ContactKind.CHAT,
                _text(caller, "address"),
                clean_text(str(told.get("line") or ""))[:_TEXT_LIMIT],
                received_at,
                raw,
                clean_text(str(caller.get("name") or "")).strip()[:_TEXT_LIMIT] or None,
                clean_text(str(caller.get("language") or ""))[:20] or None,
            )
        case "leg":
            state = LEG_STATES.get(str(told.get("state")))
            if state is None:
                return None
            end = LEG_ENDS.get(str(told.get("end")), LegEnd.LOST) if state is LegState.ENDED else None
            return LegChanged(key, leg, state, received_at, occurred_at, end, raw=raw)
        case "chosen":
            pressed = _text(told, "key") if told.get("key") is not None else None
            return Chosen(key, leg, int(_number(told, "scene_version")), pressed, received_at, raw=raw)
        case "scene_ended":
            return SceneEnded(key, leg, int(_number(told, "scene_version")), received_at, raw)
        case "voicemail_left":
            has_sound = told.get("recording_id") is not None
            recording = _recording(told, _text(told, "recording_id")) if has_sound else None
            return VoicemailLeft(key, leg, recording, _number(told, "duration_s"), received_at, raw)
        case _:
            return None


def _recording(told: Mapping[str, Any], recording_id: str) -> RecordingRef:
    return RecordingRef(recording_id, channels=2 if told.get("channels") == 2 else 1)


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value or len(value) > _TEXT_LIMIT:
        raise BadRequest("The event cannot be read.", fields={name: Sentence("must be a short text")})
    return clean_text(value)


def _number(told: Mapping[str, Any], name: str) -> float:
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise BadRequest("The event cannot be read.", fields={name: Sentence("must be a number")})
    return float(value)


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None
