"""Which channels there are: one line each, with what the admin screen must ask for.

The only file that knows every adapter. The screen is drawn from `CHANNEL_TYPES`, and `check_settings` judges what comes
back, so a new channel needs no line in the console.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub.channels.channel import Channel, ChannelAccount
from hub.channels.chat import ChatChannel, normal_origin
from hub.channels.loopback import LoopbackChannel
from hub.channels.sms import SmsChannel
from hub.domain.values import ChannelKind
from hub.errors import InvalidInput, Misconfigured

Problem = str | None
"""What is wrong with a value, in words; None when nothing is."""

# Enough for a list of origins or stop words, too little for a file pasted by mistake.
_VALUE_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Field:
    """One setting or secret of a channel. `pattern` is matched against the whole value (Python and browsers read it
    alike); `secret` values are write-only: the screen never gets them back."""

    name: str
    label: str
    help: str = ""
    required: bool = False
    secret: bool = False
    example: str = ""
    pattern: str | None = None
    check: Callable[[str], Problem] | None = None


@dataclass(frozen=True, slots=True)
class ChannelType:
    """A kind of channel: how to make one, what it must be told, which webhooks it listens to. `check` looks at the
    fields together and names the faulty ones."""

    kind: ChannelKind
    label: str
    description: str
    factory: Callable[[ChannelAccount], Channel]
    fields: tuple[Field, ...]
    webhooks: tuple[str, ...] = ()
    check: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None

    @property
    def settings(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if not field.secret)

    @property
    def secrets(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.secret)


def create(account: ChannelAccount) -> Channel:
    """The live adapter of `account`; no I/O. Raises Misconfigured when its kind has no adapter."""
    channel_type = CHANNEL_TYPES.get(account.kind)
    if channel_type is None:
        raise Misconfigured(f"Channel {account.id} is of kind {account.kind}, which this hub cannot serve.")
    return channel_type.factory(account)


def check_settings(kind: ChannelKind, settings: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    """Raises InvalidInput naming every faulty field, unknown ones included. An empty value counts as none. `secrets`
    must be the whole set: whoever changes one setting passes the kept secrets, too."""
    channel_type = CHANNEL_TYPES.get(kind)
    if channel_type is None:
        raise InvalidInput("There is no such kind of channel.", fields={"kind": "is not served by this hub"})
    problems: dict[str, str] = {}
    for given, fields in ((settings, channel_type.settings), (secrets, channel_type.secrets)):
        problems |= {name: "is not known here" for name in given.keys() - {field.name for field in fields}}
        for field in fields:
            problem = _field_problem(field, given.get(field.name, ""))
            if problem is not None:
                problems[field.name] = problem
    if channel_type.check is not None:
        for name, problem in channel_type.check(settings).items():
            problems.setdefault(name, problem)
    if problems:
        raise InvalidInput(f"The settings of the {channel_type.label} channel are wrong.", fields=problems)


def _field_problem(field: Field, value: str) -> Problem:
    if not value.strip():
        return "must not be empty" if field.required else None
    if len(value) > _VALUE_LIMIT:
        return f"may have at most {_VALUE_LIMIT} characters"
    if field.pattern is not None and not re.fullmatch(field.pattern, value):
        return f"does not look right (example: {field.example})" if field.example else "does not look right"
    return field.check(value) if field.check is not None else None


def _sender_problems(settings: Mapping[str, str]) -> Mapping[str, str]:
    if settings.get("from_number", "").strip() or settings.get("messaging_service_sid", "").strip():
        return {}
    return {"from_number": "give a number, or a messaging service"}


def _api_base_problem(value: str) -> Problem:
    """https, because the auth token goes there; http only to this very machine (the demo carrier)."""
    try:
        parts = urlsplit(value)
        host, port_is_fine = parts.hostname or "", parts.port != 0
    except ValueError:
        return "must be an address such as https://api.example.com"
    if not host or not port_is_fine or parts.query or parts.fragment or parts.username is not None:
        return "must be an address such as https://api.example.com"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return None
    return "must begin with https://"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _origins_problem(value: str) -> Problem:
    wrong = [each for each in value.split() if normal_origin(each) is None or urlsplit(each).path not in ("", "/")]
    return f"{wrong[0][:100]} is not an origin such as https://www.example.com" if wrong else None


_SMS = ChannelType(
    kind=ChannelKind.SMS,
    label="SMS",
    description="Text and picture messages through Twilio.",
    factory=SmsChannel,
    webhooks=("message", "status"),
    check=_sender_problems,
    fields=(
        Field(
            "account_sid",
            "Account SID",
            help="On the first page of the Twilio console.",
            required=True,
            example="ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            pattern=r"AC[0-9a-fA-F]{32}",
        ),
        Field(
            "auth_token",
            "Auth token",
            help="Beside the account SID. It signs Twilio's webhooks and our calls.",
            required=True,
            secret=True,
            pattern=r"\S{8,200}",
        ),
        Field(
            "from_number",
            "Number",
            help="The number customers write to, with its country code, or a short code. "
            "May stay empty when a messaging service chooses the number.",
            example="+15005550006",
            # E.164 has at most 15 digits and no leading zero; short codes have three to six.
            pattern=r"\+[1-9][0-9]{6,14}|[0-9]{3,6}",
        ),
        Field(
            "messaging_service_sid",
            "Messaging service SID",
            help="When several numbers send as one, or Twilio's Advanced Opt-Out is used.",
            example="MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            pattern=r"MG[0-9a-fA-F]{32}",
        ),
        Field(
            "stop_words",
            "Further stop words",
            help="Words that mean STOP in your customers' languages, separated by spaces or commas.",
            example="СТОП, ԿԱՆԳ",
        ),
        Field(
            "api_base",
            "API address",
            help="Leave empty for Twilio itself. Another address is for a proxy or the demo carrier.",
            example="https://api.twilio.com",
            check=_api_base_problem,
        ),
    ),
)

_CHAT = ChannelType(
    kind=ChannelKind.CHAT,
    label="Web chat",
    description="A chat window on your own web pages.",
    factory=ChatChannel,
    fields=(
        Field(
            "allowed_origins",
            "Allowed pages",
            help="The sites that may show the chat, separated by spaces. The hub's own pages always may.",
            example="https://www.example.com https://shop.example.com",
            check=_origins_problem,
        ),
        Field("title", "Title", help="Stands over the chat window.", example="Ask us", pattern=r"[^\x00-\x1f]{1,60}"),
        Field(
            "greeting",
            "Greeting",
            help="The first line a visitor sees.",
            example="Hello! How can we help?",
            pattern=r"[^\x00-\x1f]{1,300}",
        ),
        Field(
            "colour",
            "Accent colour",
            help="Of the button and the visitor's own lines.",
            example="#2456d6",
            pattern=r"#[0-9a-fA-F]{6}",
        ),
    ),
)

_LOOPBACK = ChannelType(
    kind=ChannelKind.LOOPBACK,
    label="Loopback",
    description="A channel that ends in the hub itself, for tests and for finding faults.",
    factory=LoopbackChannel,
    webhooks=("message", "status"),
    fields=(
        Field(
            "signing_key",
            "Signing key",
            help="Whoever posts to the webhooks signs with it.",
            required=True,
            secret=True,
            pattern=r"\S{8,200}",
        ),
    ),
)

CHANNEL_TYPES: Mapping[ChannelKind, ChannelType] = {each.kind: each for each in (_SMS, _CHAT, _LOOPBACK)}
