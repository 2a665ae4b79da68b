"""What the tests of telephone lines share: an account, orders, and webhooks as Twilio posts them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from hub.channels.channel import ChannelAccount, WebhookRequest
from hub.channels.voice import LegOrder, Prompt, Scene
from hub.domain.calls import Party, Recording
from hub.domain.values import ChannelKind
from tests.channels.support import ACCOUNT_SID, AUTH_TOKEN, NOW, NUMBER, PAYLOADS, PUBLIC_URL, signed_by_twilio

CALL_SID = "CA" + "0123456789abcdef" * 2
AGENT_SID = "CA" + "a" * 32
ROOM_SID = "CF" + "0123456789abcdef" * 2
RECORDING_SID = "RE" + "0123456789abcdef" * 2
KEY_SID = "SK" + "0123456789abcdef" * 2
APP_SID = "AP" + "0123456789abcdef" * 2
KEY_SECRET = "the-secret-of-the-key-0123456789abcd"
TOKEN = "Leg_token-0123456789abcdef"
ROOM = "Room_0123456789abcdef"
HELLO = Prompt("Hello!", "en")
_FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}


def line_account(*, token: str = AUTH_TOKEN, secret: str = "", **settings: str) -> ChannelAccount:
    return ChannelAccount(
        id="phone-demo",
        kind=ChannelKind.PHONE,
        settings={"account_sid": ACCOUNT_SID, "number": NUMBER, **settings},
        secrets={"auth_token": token, **({"api_key_secret": secret} if secret else {})},
        public_url=PUBLIC_URL,
        default_region="AM",
        provider="twilio",
    )


def order(
    scene: Scene,
    *,
    version: int = 3,
    party: Party = Party.CUSTOMER,
    sid: str | None = CALL_SID,
    address: str = "",
    caller_id: str = "",
    detects_machine: bool = False,
    recording: Recording = Recording.OFF,
    peers: Mapping[int, str] | None = None,
) -> LegOrder:
    return LegOrder(
        leg_id=12,
        token=TOKEN,
        call_id=4,
        room=ROOM,
        party=party,
        scene=scene,
        scene_version=version,
        provider_leg_id=sid,
        address=address,
        caller_id=caller_id,
        detects_machine=detects_machine,
        recording=recording,
        peers=peers or {},
    )


def webhook(kind: str, query: Mapping[str, str | int] | None = None, **fields: str) -> WebhookRequest:
    """What Twilio posts of an inbound call in progress, with `query` in the address and further or other fields."""
    known = {
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "CallSid": CALL_SID,
        "CallStatus": "in-progress",
        "Direction": "inbound",
        "From": "+37491234567",
        "To": NUMBER,
    }
    return _posted(kind, query, urlencode({**known, **fields}).encode())


def captured(name: str, query: Mapping[str, str | int] | None = None) -> WebhookRequest:
    """tests/payloads/twilio_voice/{name}.form, as Twilio would post it."""
    return _posted(name.partition("_")[0], query, (PAYLOADS / "twilio_voice" / f"{name}.form").read_bytes())


def _posted(kind: str, query: Mapping[str, str | int] | None, body: bytes) -> WebhookRequest:
    url = line_account().webhook_url(kind) + (f"?{urlencode(query)}" if query else "")
    return signed_by_twilio(WebhookRequest(kind, url, _FORM, body, NOW))
