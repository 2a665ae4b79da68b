"""Which channels there are: one line each, with what the admin screen must ask for.

The only file that knows every adapter. The screen is drawn from `CHANNEL_TYPES`, and `check_settings` judges what comes
back, so a new channel needs no line in the console.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from hub.channels import hubline
from hub.channels.channel import Channel, ChannelAccount
from hub.channels.chat import ChatChannel, normal_origin
from hub.channels.email import EmailChannel
from hub.channels.loopback import LoopbackChannel
from hub.channels.oauth import token_url_problem
from hub.channels.phone import CAPABILITIES as TWILIO_VOICE
from hub.channels.phone import TwilioLine
from hub.channels.phone import voice_of as twilio_voice_of
from hub.channels.sms import SmsChannel
from hub.channels.tls import Security, is_loopback
from hub.channels.voice import VoiceCapabilities, VoiceChannel
from hub.domain.sentences import Sentence
from hub.domain.values import ChannelKind
from hub.errors import InvalidInput, Misconfigured
from hub.mail.addresses import normal_address
from hub.mail.compose import to_wire, to_wire_host

Problem = str | None
"""What is wrong with a value, in words; None when nothing is."""

# Enough for a list of origins or stop words, too little for a file pasted by mistake.
_VALUE_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Field:
    """One setting or secret of a channel. `pattern` is matched against the whole value (Python and browsers read it
    alike); `secret` values are write-only: the screen never gets them back. With `options` it is a choice of one of them,
    the first being what an empty value means; fields of one `group` stand together under that heading; `multiline` asks
    for a text of several lines; what is `managed` has a page of its own, and no field in the form."""

    name: str
    label: str
    help: str = ""
    required: bool = False
    secret: bool = False
    example: str = ""
    pattern: str | None = None
    check: Callable[[str], Problem] | None = None
    options: tuple[str, ...] = ()
    group: str = ""
    multiline: bool = False
    limit: int = _VALUE_LIMIT
    managed: bool = False


@dataclass(frozen=True, slots=True)
class ChannelType:
    """A kind of channel: how to make one, what it must be told, which webhooks it listens to. `check` looks at all
    fields together, settings and secrets, and names the faulty ones. `own_webhooks`: those of the webhooks that the hub
    itself names with what it asks for, so that nobody enters them at a provider. Telephone lines are of one kind and several
    providers: theirs is `make_line`, `voice` what they can do (`voice_of`: what one with these settings can), and
    `page_hosts` what the page of an agent who talks in the browser reaches beside the hub (sources of a
    Content-Security-Policy)."""

    kind: ChannelKind
    label: str
    description: str
    fields: tuple[Field, ...]
    factory: Callable[[ChannelAccount], Channel] | None = None
    webhooks: tuple[str, ...] = ()
    own_webhooks: frozenset[str] = frozenset()
    check: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None
    provider: str = ""
    make_line: Callable[[ChannelAccount], VoiceChannel] | None = None
    voice: VoiceCapabilities | None = None
    voice_of: Callable[[Mapping[str, str]], VoiceCapabilities] | None = None
    page_hosts: tuple[str, ...] = ()

    @property
    def entered_webhooks(self) -> tuple[str, ...]:
        return tuple(kind for kind in self.webhooks if kind not in self.own_webhooks)

    @property
    def settings(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if not field.secret)

    @property
    def secrets(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.secret)


def create(account: ChannelAccount) -> Channel:
    """The live adapter of `account`; no I/O. Raises Misconfigured when its kind has no adapter for messages."""
    channel_type = find_type(account.kind, account.provider)
    if channel_type is None or channel_type.factory is None:
        raise Misconfigured(f"Channel {account.id} is of kind {account.kind}, which this hub cannot serve.")
    return channel_type.factory(account)


def create_line(account: ChannelAccount) -> VoiceChannel:
    """The live adapter of a telephone line; no I/O. Raises Misconfigured when it is none that this hub can serve."""
    channel_type = find_type(account.kind, account.provider)
    if channel_type is None or channel_type.make_line is None:
        raise Misconfigured(f"Channel {account.id} is a line of {account.provider!r}, which this hub cannot serve.")
    return channel_type.make_line(account)


def find_type(kind: ChannelKind, provider: str = "") -> ChannelType | None:
    return LINE_TYPES.get(provider) if kind is ChannelKind.PHONE else CHANNEL_TYPES.get(kind)


def check_settings(
    kind: ChannelKind, settings: Mapping[str, str], secrets: Mapping[str, str], provider: str = ""
) -> None:
    """Raises InvalidInput naming every faulty field, unknown ones included. An empty value counts as none. `secrets`
    must be the whole set: whoever changes one setting passes the kept secrets, too."""
    channel_type = find_type(kind, provider)
    if channel_type is None:
        faulty = "provider" if kind is ChannelKind.PHONE else "kind"
        raise InvalidInput("There is no such kind of channel.", fields={faulty: Sentence("is not served by this hub")})
    problems: dict[str, str] = {}
    for given, fields in ((settings, channel_type.settings), (secrets, channel_type.secrets)):
        problems |= {name: Sentence("is not known here") for name in given.keys() - {field.name for field in fields}}
        for field in fields:
            problem = _field_problem(field, given.get(field.name, ""))
            if problem is not None:
                problems[field.name] = problem
    if channel_type.check is not None:
        for name, problem in channel_type.check({**settings, **secrets}).items():
            problems.setdefault(name, problem)
    if problems:
        raise InvalidInput(f"The settings of the {channel_type.label} channel are wrong.", fields=problems)


def _field_problem(field: Field, value: str) -> Problem:
    if not value.strip():
        return Sentence("must not be empty") if field.required else None
    if len(value) > field.limit:
        return Sentence("may have at most {count} characters", count=field.limit)
    if field.options and value not in field.options:
        return Sentence("must be one of: {known}", known=", ".join(field.options))
    if field.pattern is not None and not re.fullmatch(field.pattern, value):
        return (
            Sentence("does not look right (example: {example})", example=field.example)
            if field.example
            else Sentence("does not look right")
        )
    return field.check(value) if field.check is not None else None


def _sender_problems(settings: Mapping[str, str]) -> Mapping[str, str]:
    if settings.get("from_number", "").strip() or settings.get("messaging_service_sid", "").strip():
        return {}
    return {"from_number": Sentence("give a number, or a messaging service")}


def _api_base_problem(value: str) -> Problem:
    """https, because the auth token goes there; http only to this very machine (the demo carrier)."""
    try:
        parts = urlsplit(value)
        host, port_is_fine = parts.hostname or "", parts.port != 0
    except ValueError:
        return Sentence("must be an address such as https://api.example.com")
    if not host or not port_is_fine or parts.query or parts.fragment or parts.username is not None:
        return Sentence("must be an address such as https://api.example.com")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return None
    return Sentence("must begin with https://")


def _origins_problem(value: str) -> Problem:
    wrong = [each for each in value.split() if normal_origin(each) is None or urlsplit(each).path not in ("", "/")]
    return (
        Sentence("{address} is not an origin such as https://www.example.com", address=wrong[0][:100])
        if wrong
        else None
    )


def _address_problem(value: str) -> Problem:
    address = normal_address(value)
    if address is None or address.startswith('"') or not _can_be_written(address):
        return Sentence("is not an e-mail address")
    return None


def _addresses_problem(value: str) -> Problem:
    wrong = [each for each in re.split(r"[\s,;]+", value.strip()) if _address_problem(each) is not None]
    return Sentence("{address} is not an e-mail address", address=wrong[0][:100]) if wrong else None


def _can_be_written(address: str) -> bool:
    try:
        to_wire(address)
    except InvalidInput:
        return False
    return True


def _host_problem(value: str) -> Problem:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return None if to_wire_host(value) is not None else Sentence("must be a name such as smtp.example.com")
    return None


def _date_problem(value: str) -> Problem:
    try:
        date.fromisoformat(value)
    except ValueError:
        return Sentence("is not a day of the calendar")
    return None


def _mail_problems(values: Mapping[str, str]) -> Mapping[str, str]:
    """What does not go together in a mail account's settings and secrets."""
    given = {name: value.strip() for name, value in values.items() if value.strip()}
    problems: dict[str, str] = {}

    def need(name: str, problem: str) -> None:
        if name not in given:
            problems.setdefault(name, problem)

    has_oauth = any(name.startswith("oauth_") for name in given)
    if has_oauth:
        need("oauth_provider", Sentence("choose who signs you in"))
        need("oauth_client_id", Sentence("is needed to sign in this way"))
        if given.get("oauth_provider") == "other":
            need("oauth_token_url", Sentence("is needed for another provider"))
            if "oauth_refresh_token" not in given:
                need("oauth_authorise_url", Sentence("is needed to sign in there, or enter a refresh token"))
    for side in ("smtp", "imap"):
        if any(f"{side}_{name}" in given for name in ("port", "username", "password")):
            need(f"{side}_host", Sentence("is needed for the other settings"))
        if given.get(f"{side}_security") == "none" and not is_loopback(given.get(f"{side}_host", "localhost")):
            problems[f"{side}_security"] = Sentence("unencrypted only to this very machine")
    # What is not said for receiving is the same as for sending; with OAuth the address is the user name.
    has_name = has_oauth or "smtp_username" in given
    has_password = has_oauth or "smtp_password" in given
    if "smtp_username" in given and not has_password:
        need("smtp_password", Sentence("is needed with the user name"))
    if "smtp_password" in given and not has_name:
        need("smtp_username", Sentence("is needed with the password"))
    if ("imap_host" in given or "imap_password" in given) and not has_name:
        need("imap_username", Sentence("is needed to fetch mails"))
    if "imap_username" in given and not has_password:
        need("imap_password", Sentence("is needed with the user name"))
    if given.get("imap_after") == "move":
        need("imap_move_to", Sentence("say which folder fetched mails are moved to"))
    return problems


_SMS = ChannelType(
    kind=ChannelKind.SMS,
    label="SMS",
    description=Sentence("Text and picture messages through Twilio."),
    factory=SmsChannel,
    webhooks=("message", "status"),
    check=_sender_problems,
    fields=(
        Field(
            "account_sid",
            Sentence("Account SID"),
            help=Sentence("On the first page of the Twilio console."),
            required=True,
            example="ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            pattern=r"AC[0-9a-fA-F]{32}",
        ),
        Field(
            "auth_token",
            Sentence("Auth token"),
            help=Sentence("Beside the account SID. It signs Twilio's webhooks and our calls."),
            required=True,
            secret=True,
            pattern=r"\S{8,200}",
        ),
        Field(
            "from_number",
            Sentence("Number"),
            help=Sentence(
                "The number customers write to, with its country code, or a short code. "
                "May stay empty when a messaging service chooses the number."
            ),
            example="+15005550006",
            # E.164 has at most 15 digits and no leading zero; short codes have three to six.
            pattern=r"\+[1-9][0-9]{6,14}|[0-9]{3,6}",
        ),
        Field(
            "messaging_service_sid",
            Sentence("Messaging service SID"),
            help=Sentence("When several numbers send as one, or Twilio's Advanced Opt-Out is used."),
            example="MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            pattern=r"MG[0-9a-fA-F]{32}",
        ),
        Field(
            "stop_words",
            Sentence("Further stop words"),
            help=Sentence("Words that mean STOP in your customers' languages, separated by spaces or commas."),
            example="СТОП, ԿԱՆԳ",
        ),
        Field(
            "api_base",
            Sentence("API address"),
            help=Sentence("Leave empty for Twilio itself. Another address is for a proxy or the demo carrier."),
            example="https://api.twilio.com",
            check=_api_base_problem,
        ),
    ),
)

_CHAT = ChannelType(
    kind=ChannelKind.CHAT,
    label=Sentence("Web chat"),
    description=Sentence("A chat window on your own web pages."),
    factory=ChatChannel,
    fields=(
        Field(
            "allowed_origins",
            Sentence("Allowed pages"),
            help=Sentence("The sites that may show the chat, separated by spaces. The hub's own pages always may."),
            example="https://www.example.com https://shop.example.com",
            check=_origins_problem,
        ),
        Field(
            "title",
            Sentence("Title"),
            help=Sentence("Stands over the chat window."),
            example="Ask us",
            pattern=r"[^\x00-\x1f]{1,60}",
        ),
        Field(
            "greeting",
            Sentence("Greeting"),
            help=Sentence("The first line a visitor sees."),
            example="Hello! How can we help?",
            pattern=r"[^\x00-\x1f]{1,300}",
        ),
        Field(
            "colour",
            Sentence("Accent colour"),
            help=Sentence("Of the button and the visitor's own lines."),
            example="#2456d6",
            pattern=r"#[0-9a-fA-F]{6}",
        ),
        Field(
            "identity_secret",
            Sentence("Identity secret"),
            help=Sentence("By which your own server signs who is signed in there."),
            secret=True,
            pattern=r"[A-Za-z0-9_-]{32,200}",
            managed=True,
        ),
    ),
)

_LOOPBACK = ChannelType(
    kind=ChannelKind.LOOPBACK,
    label="Loopback",
    description=Sentence("A channel that ends in the hub itself, for tests and for finding faults."),
    factory=LoopbackChannel,
    webhooks=("message", "status"),
    fields=(
        Field(
            "signing_key",
            Sentence("Signing key"),
            help=Sentence("Whoever posts to the webhooks signs with it."),
            required=True,
            secret=True,
            pattern=r"\S{8,200}",
        ),
    ),
)

_SENDING, _RECEIVING = Sentence("Sending"), Sentence("Receiving")
_SIGN_IN, _REPLIES = Sentence("Sign in with Google or Microsoft"), Sentence("Replies")
_PORT = r"[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"

_EMAIL = ChannelType(
    kind=ChannelKind.EMAIL,
    label=Sentence("E-mail"),
    description=Sentence("A mail box of yours: mails come in and answers go out."),
    factory=EmailChannel,
    webhooks=("mime", "mailgun-mime"),
    check=_mail_problems,
    fields=(
        Field(
            "address",
            Sentence("Address"),
            help=Sentence("The address your customers write to. Answers come from it."),
            required=True,
            example="support@example.com",
            check=_address_problem,
        ),
        Field(
            "display_name",
            Sentence("Sender name"),
            help=Sentence(
                "What customers see beside the address: your company or shop. The agent's name stands before it."
            ),
            example="Example Shop",
            pattern=r"[^\x00-\x1f]{1,100}",
        ),
        Field(
            "aliases",
            Sentence("Other addresses"),
            help=Sentence("Further addresses whose mails arrive in this mail box, separated by spaces or commas."),
            example="sales@example.com info@example.com",
            check=_addresses_problem,
        ),
        Field(
            "smtp_host",
            Sentence("Server"),
            help=Sentence(
                "The outgoing mail server (SMTP), as your mail provider names it. Without one, nothing can be answered."
            ),
            example="smtp.example.com",
            check=_host_problem,
            group=_SENDING,
        ),
        Field(
            "smtp_port",
            Sentence("Port"),
            help=Sentence("Leave empty for the usual one: 587 with STARTTLS, 465 with TLS."),
            example="587",
            pattern=_PORT,
            group=_SENDING,
        ),
        Field(
            "smtp_security",
            Sentence("Encryption"),
            help=Sentence(
                "Most providers use STARTTLS on port 587 or TLS on port 465. None works only on this very machine."
            ),
            options=tuple(Security),
            group=_SENDING,
        ),
        Field(
            "smtp_username",
            Sentence("User name"),
            help=Sentence("Usually the whole address."),
            example="support@example.com",
            group=_SENDING,
        ),
        Field(
            "smtp_password",
            Sentence("Password"),
            help=Sentence(
                "Many providers want an app password here, which you make in your account's security settings."
            ),
            secret=True,
            group=_SENDING,
        ),
        Field(
            "per_minute",
            Sentence("Mails a minute"),
            help=Sentence("At most so many, if your provider has a limit. Leave empty for none."),
            example="30",
            pattern=r"[1-9][0-9]{0,4}",
            group=_SENDING,
        ),
        Field(
            "imap_host",
            Sentence("Server"),
            help=Sentence(
                "The incoming mail server (IMAP), as your mail provider names it. "
                "Leave empty when mails are forwarded to the hub or posted by a provider."
            ),
            example="imap.example.com",
            check=_host_problem,
            group=_RECEIVING,
        ),
        Field(
            "imap_port",
            Sentence("Port"),
            help=Sentence("Leave empty for the usual one: 993 with TLS, 143 with STARTTLS."),
            example="993",
            pattern=_PORT,
            group=_RECEIVING,
        ),
        Field(
            "imap_security",
            Sentence("Encryption"),
            help=Sentence("Most providers use TLS on port 993. None works only on this very machine."),
            options=("tls", "starttls", "none"),
            group=_RECEIVING,
        ),
        Field(
            "imap_username",
            Sentence("User name"),
            help=Sentence("Leave empty if it is the same as for sending."),
            example="support@example.com",
            group=_RECEIVING,
        ),
        Field(
            "imap_password",
            Sentence("Password"),
            help=Sentence("Leave empty if it is the same as for sending."),
            secret=True,
            group=_RECEIVING,
        ),
        Field(
            "imap_folder",
            Sentence("Folder"),
            help=Sentence("Where new mails are. Leave empty for the inbox."),
            example="INBOX",
            pattern=r"[^\x00-\x1f]{1,200}",
            group=_RECEIVING,
        ),
        Field(
            "imap_after",
            Sentence("After fetching"),
            help=Sentence(
                "What becomes of a mail in the mail box once the hub has it: leave it as it is, mark it as read, "
                "or move it to another folder. Nothing is ever deleted."
            ),
            options=("leave", "seen", "move"),
            group=_RECEIVING,
        ),
        Field(
            "imap_move_to",
            Sentence("Folder for fetched mails"),
            help=Sentence("Only if fetched mails are to be moved."),
            example="Archive",
            pattern=r"[^\x00-\x1f]{1,200}",
            group=_RECEIVING,
        ),
        Field(
            "imap_since",
            Sentence("Fetch mails since"),
            help=Sentence(
                "Leave empty to begin with what arrives from now on. A day such as 2026-11-01 fetches older mails, too."
            ),
            example="2026-11-01",
            pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
            check=_date_problem,
            group=_RECEIVING,
        ),
        Field(
            "oauth_provider",
            Sentence("Provider"),
            help=Sentence("Only if you sign in by Google or Microsoft instead of a password."),
            options=("", "google", "microsoft", "other"),
            group=_SIGN_IN,
        ),
        Field(
            "oauth_token_url",
            Sentence("Token address"),
            help=Sentence("Leave empty for Google and Microsoft."),
            example="https://login.example.com/token",
            check=token_url_problem,
            group=_SIGN_IN,
        ),
        Field(
            "oauth_authorise_url",
            Sentence("Sign-in address"),
            help=Sentence("Leave empty for Google and Microsoft."),
            example="https://login.example.com/authorize",
            check=token_url_problem,
            group=_SIGN_IN,
        ),
        Field(
            "oauth_client_id",
            Sentence("Client ID"),
            help=Sentence("Of the application you registered there for the hub."),
            pattern=r"\S{1,300}",
            group=_SIGN_IN,
        ),
        Field(
            "oauth_client_secret",
            Sentence("Client secret"),
            help=Sentence("Beside the client ID."),
            secret=True,
            group=_SIGN_IN,
        ),
        Field(
            "oauth_refresh_token",
            Sentence("Refresh token"),
            help=Sentence("Comes by itself when you save this and press \u201cSign in\u201d; or enter one you have."),
            secret=True,
            # Microsoft's are up to some 2,000 characters long.
            limit=8_000,
            group=_SIGN_IN,
        ),
        Field(
            "plus_addressing",
            Sentence("Addresses with a plus sign"),
            help=Sentence(
                "Switch on if mail to support+anything@… reaches your mail box. "
                "Answers and failed deliveries then find their conversation more surely."
            ),
            options=("off", "on"),
            group=_REPLIES,
        ),
        Field(
            "form_senders",
            Sentence("Form senders"),
            help=Sentence(
                "Addresses from which your web site's contact form writes. The customer is then the one whom its mails "
                "name for the reply."
            ),
            example="forms@example.com",
            check=_addresses_problem,
            group=_REPLIES,
        ),
        Field(
            "acknowledgement",
            Sentence("Automatic answer"),
            help=Sentence(
                "Sent once when a customer begins a conversation. {subject} in it becomes the mail's subject, {number} the "
                "conversation's number. Leave empty for none.",
                subject="{subject}",
                number="{number}",
            ),
            multiline=True,
            group=_REPLIES,
        ),
        Field(
            "webhook_key",
            Sentence("Webhook key"),
            help=Sentence(
                "Only if a mail provider posts mails to the hub: Mailgun's signing key, or a password of your own."
            ),
            secret=True,
            pattern=r"\S{8,200}",
            group=_RECEIVING,
        ),
    ),
)

CHANNEL_TYPES: Mapping[ChannelKind, ChannelType] = {each.kind: each for each in (_SMS, _EMAIL, _CHAT, _LOOPBACK)}

_BROWSER = Sentence("Agents in the browser")


def _browser_problems(values: Mapping[str, str]) -> Mapping[str, str]:
    """All of what the browser's telephone needs, or nothing of it."""
    names = ("api_key_sid", "api_key_secret", "twiml_app_sid")
    given = {name for name in names if values.get(name, "").strip()}
    if not given:
        return {}
    return {name: Sentence("is needed for agents to talk in the browser") for name in names if name not in given}


# RFC 7064 and 7065: scheme, host and port, and for TURN how it is reached.
_ICE_SERVER = re.compile(r"(stuns?|turns?):[A-Za-z0-9.\-\[\]:]{1,255}(\?transport=(udp|tcp))?")


def _ice_servers_problem(value: str) -> Problem:
    wrong = [each for each in value.split() if not _ICE_SERVER.fullmatch(each)]
    return (
        Sentence("{address} is no address such as stun:stun.example.com:3478", address=wrong[0][:100])
        if wrong
        else None
    )


def _line_problems(values: Mapping[str, str]) -> Mapping[str, str]:
    given = {name for name in ("turn_username", "turn_credential") if values.get(name, "").strip()}
    if len(given) != 1:
        return {}
    missing = "turn_credential" if "turn_username" in given else "turn_username"
    return {missing: Sentence("is needed with the other")}


_TWILIO_LINE = ChannelType(
    kind=ChannelKind.PHONE,
    provider="twilio",
    label=Sentence("Telephone (Twilio)"),
    description=Sentence("Calls over the public telephone network through Twilio."),
    make_line=TwilioLine,
    voice=TWILIO_VOICE,
    voice_of=twilio_voice_of,
    webhooks=("voice", "status", "conference", "recording", "amd"),
    own_webhooks=frozenset({"conference", "recording", "amd"}),
    # twilio-voice.js, README "Content Security Policy" (read 2026-11-26): signalling, and how good a call was. Its sounds,
    # which come from other hosts, are switched off.
    page_hosts=("wss://voice-js.roaming.twilio.com", "https://eventgw.twilio.com"),
    check=_browser_problems,
    fields=(
        Field(
            "account_sid",
            Sentence("Account SID"),
            help=Sentence("On the first page of the Twilio console."),
            required=True,
            example="ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            pattern=r"AC[0-9a-fA-F]{32}",
        ),
        Field(
            "auth_token",
            Sentence("Auth token"),
            help=Sentence("Beside the account SID. It signs Twilio's webhooks and our calls."),
            required=True,
            secret=True,
            pattern=r"\S{8,200}",
        ),
        Field(
            "number",
            Sentence("Number"),
            help=Sentence("The number customers call, with its country code. It is shown to those whom agents call."),
            required=True,
            example="+15005550006",
            pattern=r"\+[1-9][0-9]{6,14}",
        ),
        Field(
            "api_key_sid",
            Sentence("API key SID"),
            help=Sentence("Of a standard API key. Leave empty if agents use their desk telephones only."),
            example="SKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            pattern=r"SK[0-9a-fA-F]{32}",
            group=_BROWSER,
        ),
        Field(
            "api_key_secret",
            Sentence("API key secret"),
            help=Sentence("Shown by Twilio once, when the key is made."),
            secret=True,
            pattern=r"\S{8,200}",
            group=_BROWSER,
        ),
        Field(
            "twiml_app_sid",
            Sentence("TwiML app SID"),
            help=Sentence("Of a TwiML app whose voice request URL is this channel's voice address."),
            example="APaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            pattern=r"AP[0-9a-fA-F]{32}",
            group=_BROWSER,
        ),
        Field(
            "api_base",
            Sentence("API address"),
            help=Sentence("Leave empty for Twilio itself. Another address is for a proxy or the demo carrier."),
            example="https://api.twilio.com",
            check=_api_base_problem,
        ),
    ),
)

_HUB_LINE = ChannelType(
    kind=ChannelKind.PHONE,
    provider=hubline.PROVIDER,
    label=Sentence("Hub line"),
    description=Sentence("Calls from your own web pages, carried by the hub itself; no provider is needed."),
    make_line=hubline.HubLine,
    voice=hubline.CAPABILITIES,
    webhooks=("voice",),
    own_webhooks=frozenset({"voice"}),
    check=_line_problems,
    fields=(
        Field(
            "title",
            Sentence("Title"),
            help=Sentence("What callers see: your company, or what they call you about."),
            example="Call us",
            pattern=r"[^\x00-\x1f]{1,60}",
        ),
        Field(
            "chat_channel_id",
            Sentence("Chat"),
            help=Sentence(
                "The ID of the chat channel in whose window the button “Call us” appears. "
                "Whoever writes there and calls here is one customer."
            ),
            required=True,
            example="website-chat",
            pattern=r"[a-z0-9][a-z0-9-]{1,40}",
        ),
        Field(
            "ice_servers",
            Sentence("STUN and TURN servers"),
            help=Sentence(
                "For callers behind strict firewalls: addresses separated by spaces, such as stun:stun.example.com:3478 or "
                "turn:turn.example.com:3478. Leave empty if the media process has a public address."
            ),
            example="turn:turn.example.com:3478",
            check=_ice_servers_problem,
        ),
        Field(
            "turn_username",
            Sentence("TURN user name"),
            help=Sentence("Only if a TURN server asks for one. Callers' browsers get to know it."),
            pattern=r"\S{1,200}",
        ),
        Field(
            "turn_credential",
            Sentence("TURN password"),
            help=Sentence("Beside the user name. Callers' browsers get to know it, so make it one for this alone."),
            pattern=r"\S{1,200}",
        ),
    ),
)

# Telephone lines by provider.
LINE_TYPES: Mapping[str, ChannelType] = {each.provider: each for each in (_TWILIO_LINE, _HUB_LINE)}
