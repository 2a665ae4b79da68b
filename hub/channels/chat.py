"""Web chat: the pure protocol between the widget on a page and the hub. The socket itself is hub/web/chat_socket.py.

The visitor's page sends frames, one JSON object each (`parse_frame`):

    {"type": "message", "client_id": "c1", "text": "Hello", "attachment_ids": [7]}    client_id makes it once-only
      (the first of a conversation may carry "form": {"name": "Ani", "topic": "Delivery"}, what was asked before it)
    {"type": "received", "through": 41}                                               has all entries up to 41
    {"type": "read", "through": 41}                                                   has seen them
    {"type": "typing"}
    {"type": "identify", "name": "Ani", "phone": "+374…", "email": "ani@example.com"}
    {"type": "callback", "phone": "+374…"}                                            wants to be called instead of waiting
    {"type": "cancel_callback"}
    {"type": "score", "survey_id": 3, "score": 4, "comment": "Quick"}                 answers a survey; again: another score
    {"type": "ping"}

A message frame becomes a MessageArrival as any other channel's (`message_arrival`), so a page that lost its answer
sends the frame again with the same client_id and nothing is doubled. What the hub sends to the visitor needs no
provider: the committed entry reaches the socket through the event stream, so `send` only says SENT, and doing it twice
is harmless.

A visitor is known by a token that only the hub can make (`sign_visitor`, `read_visitor`), signed, with the day it was issued.
It says who comes back, not who somebody is: what `identify` claims is unproven. Whoever is signed in on the page itself
(channels.chat_identity) has a token of another make (`sign_known`), which ends with their sign-in.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from hub.channels.channel import (
    Accepted,
    Arrival,
    Capabilities,
    ChannelAccount,
    Fetched,
    Media,
    MessageArrival,
    OutgoingMessage,
    WebhookAnswer,
    WebhookRequest,
    clean_text,
)
from hub.domain.sentences import Sentence
from hub.domain.values import ContactKind
from hub.errors import BadRequest, BadSignature, InvalidInput, Refused

# Longer than anybody types into a small window; a page of text still fits.
TEXT_LIMIT = 4_000
# What a score may be commented with, as on every channel.
COMMENT_LIMIT = 2_000
FORM_FIELDS_LIMIT = 10
ATTACHMENT_COUNT_LIMIT = 10
# A photograph of a telephone has 3 to 8 MB.
ATTACHMENT_LIMIT_BYTES = 10 * 1024 * 1024
ATTACHMENT_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
# 4,000 characters of four bytes, each escaped as \uXXXX\uXXXX, and the frame around them.
FRAME_LIMIT_BYTES = 64 * 1024
# Browsers cap a cookie at 400 days (RFC 6265bis §5.5).
VISITOR_MAX_AGE = timedelta(days=400)

CAPABILITIES = Capabilities(
    contact_kind=ContactKind.CHAT,
    text_limit=TEXT_LIMIT,
    attachments=True,
    attachment_limit_bytes=ATTACHMENT_LIMIT_BYTES,
    attachment_count_limit=ATTACHMENT_COUNT_LIMIT,
    attachment_types=ATTACHMENT_TYPES,
    receipts=True,
    typing=True,
    finds_sent=True,
    repeatable=True,
)


# --- frames -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MessageFrame:
    client_id: str
    text: str
    attachment_ids: tuple[int, ...] = ()
    # As it came: which fields there are, the channel's widget knows.
    form: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """The visitor's page has every entry up to this one."""

    through: int


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """The visitor has seen every entry up to this one."""

    through: int


@dataclass(frozen=True, slots=True)
class TypingFrame:
    pass


@dataclass(frozen=True, slots=True)
class IdentifyFrame:
    """What the visitor says of themselves, unproven. None: not said. `email` is lower case; `phone` as it was typed."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class CallbackFrame:
    """The visitor wants to be called at `phone`, as it was typed, and keeps the place in the queue."""

    phone: str


@dataclass(frozen=True, slots=True)
class CancelCallbackFrame:
    pass


@dataclass(frozen=True, slots=True)
class ScoreFrame:
    """The visitor answers a survey. Which scores there are, the survey knows."""

    survey_id: int
    score: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class PingFrame:
    pass


Frame = (
    MessageFrame
    | ReceivedFrame
    | ReadFrame
    | TypingFrame
    | IdentifyFrame
    | CallbackFrame
    | CancelCallbackFrame
    | ScoreFrame
    | PingFrame
)

_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_PHONE = re.compile(r"\+?[0-9 ().\-/]{3,40}")
# Identifiers of entries and attachments are 64-bit in every database.
_ID_LIMIT = 2**63


def parse_frame(data: str | bytes) -> Frame:
    """What one frame says. Raises BadRequest when it is no frame at all, InvalidInput naming the faulty fields
    otherwise."""
    size = len(data) if isinstance(data, bytes) else len(data.encode("utf-8", "surrogatepass"))
    if size > FRAME_LIMIT_BYTES:
        raise BadRequest("The frame is too large.")
    try:
        told = json.loads(data)
    # RecursionError: a frame of many thousand opening brackets.
    except (ValueError, RecursionError) as error:
        raise BadRequest("The frame is not JSON.") from error
    if not isinstance(told, dict):
        raise BadRequest("The frame is not an object.")
    kind = told.pop("type", None)
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadRequest(
            "The frame is of no known type.",
            fields={"type": Sentence("must be one of {known}", known=", ".join(_READERS))},
        )
    problems: dict[str, str] = {}
    frame = reader(told, problems)
    for name in told:
        problems[clean_text(name)[:64]] = Sentence("is not known here")
    if problems:
        raise InvalidInput("The frame cannot be taken.", fields=problems)
    return frame


def _read_message(told: dict[str, Any], problems: dict[str, str]) -> Frame:
    client_id = told.pop("client_id", None)
    if not isinstance(client_id, str) or not _CLIENT_ID.fullmatch(client_id):
        problems["client_id"] = Sentence("must be 1 to 64 letters, digits, _ or -")
    text = told.pop("text", "")
    if not isinstance(text, str):
        problems["text"] = Sentence("must be text")
        text = ""
    text = clean_text(text)
    if len(text) > TEXT_LIMIT:
        problems["text"] = Sentence("may have at most {count} characters", count=TEXT_LIMIT)
    attachment_ids = told.pop("attachment_ids", [])
    if not isinstance(attachment_ids, list) or not all(_is_id(each) for each in attachment_ids):
        problems["attachment_ids"] = Sentence("must be a list of numbers")
        attachment_ids = []
    elif len(attachment_ids) > ATTACHMENT_COUNT_LIMIT:
        problems["attachment_ids"] = Sentence("may have at most {count} files", count=ATTACHMENT_COUNT_LIMIT)
    if not text.strip() and not attachment_ids and not problems:
        problems["text"] = Sentence("must not be empty")
    form = read_form(told.pop("form", None), problems)
    return MessageFrame(str(client_id), text, tuple(attachment_ids), form)


def read_form(form: object, problems: dict[str, str]) -> Mapping[str, Any] | None:
    """Of a form only that it is one; None: there is none."""
    if form is None:
        return None
    if not isinstance(form, dict) or len(form) > FORM_FIELDS_LIMIT:
        problems["form"] = Sentence("must be an object of a few fields")
        return None
    return {clean_text(name): clean_text(value) if isinstance(value, str) else value for name, value in form.items()}


def _read_received(told: dict[str, Any], problems: dict[str, str]) -> Frame:
    return ReceivedFrame(_read_through(told, problems))


def _read_read(told: dict[str, Any], problems: dict[str, str]) -> Frame:
    return ReadFrame(_read_through(told, problems))


def _read_typing(told: dict[str, Any], problems: dict[str, str]) -> Frame:
    return TypingFrame()


def _read_ping(told: dict[str, Any], problems: dict[str, str]) -> Frame:
    return PingFrame()


def _read_identify(told: dict[str, Any], problems: dict[str, str]) -> Frame:
    name = " ".join((_read_claim(told, "name", problems, limit=120) or "").split()) or None
    phone = _read_claim(told, "phone", problems, limit=40)
    email = _read_claim(told, "email", problems, limit=254)
    if phone is not None and not _PHONE.fullmatch(phone):
        problems["phone"] = Sentence("must be a phone number")
    if email is not None and not _EMAIL.fullmatch(email):
        problems["email"] = Sentence("must be an e-mail address")
    if name is phone is email is None and not problems:
        problems["name"] = Sentence("say a name, a phone number or an e-mail address")
    return IdentifyFrame(name, phone, email.lower() if email else None)


def _read_callback(told: dict[str, Any], problems: dict[str, str]) -> Frame:
    phone = _read_claim(told, "phone", problems, limit=40)
    if not problems and (phone is None or not _PHONE.fullmatch(phone)):
        problems["phone"] = Sentence("must be a phone number")
    return CallbackFrame(phone or "")


def _read_cancel_callback(told: dict[str, Any], problems: dict[str, str]) -> Frame:
    return CancelCallbackFrame()


def _read_score(told: dict[str, Any], problems: dict[str, str]) -> Frame:
    survey_id, score = told.pop("survey_id", None), told.pop("score", None)
    if not _is_id(survey_id):
        problems["survey_id"] = Sentence("must be a survey's number")
    if not isinstance(score, int) or isinstance(score, bool) or not 0 <= score <= 10:
        problems["score"] = Sentence("must be a number from 0 to 10")
    comment = _read_claim(told, "comment", problems, limit=COMMENT_LIMIT)
    return ScoreFrame(0, 0) if problems else ScoreFrame(int(survey_id or 0), int(score or 0), comment or "")


_READERS: Mapping[str, Callable[[dict[str, Any], dict[str, str]], Frame]] = {
    "message": _read_message,
    "received": _read_received,
    "read": _read_read,
    "typing": _read_typing,
    "identify": _read_identify,
    "callback": _read_callback,
    "cancel_callback": _read_cancel_callback,
    "score": _read_score,
    "ping": _read_ping,
}


def _read_through(told: dict[str, Any], problems: dict[str, str]) -> int:
    through = told.pop("through", None)
    if _is_id(through):
        return int(through)
    problems["through"] = Sentence("must be an entry's number")
    return 0


def _read_claim(told: dict[str, Any], name: str, problems: dict[str, str], *, limit: int) -> str | None:
    value = told.pop(name, None)
    if value is None:
        return None
    if not isinstance(value, str):
        problems[name] = Sentence("must be text")
        return None
    value = clean_text(value).strip()
    if len(value) > limit:
        problems[name] = Sentence("may have at most {count} characters", count=limit)
    return value or None


def _is_id(value: object) -> bool:
    # bool is an int to Python.
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _ID_LIMIT


def message_arrival(
    visitor_id: str,
    frame: MessageFrame,
    *,
    received_at: datetime,
    media: tuple[Media, ...] = (),
    sender_name: str | None = None,
    language: str | None = None,
) -> MessageArrival:
    """The visitor's message as the hub takes it in. `media` are the files that `frame.attachment_ids` name, which the
    socket has looked up (and checked to be this visitor's)."""
    raw = {"type": "message", "client_id": frame.client_id, "text": frame.text}
    return MessageArrival(
        provider_id=f"{visitor_id}:{frame.client_id}",
        contact_kind=ContactKind.CHAT,
        sender=visitor_id,
        text=frame.text,
        raw=json.dumps(raw | ({"attachment_ids": list(frame.attachment_ids)} if frame.attachment_ids else {})),
        received_at=received_at,
        sender_name=sender_name,
        media=media,
        language=language,
        client_key=frame.client_id,
    )


# --- who comes back ---------------------------------------------------------------------------------------------------

_VISITOR_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
# Keeps a signature made for visitors from being one for anything else that is signed with the same key.
_PURPOSE = b"hub chat visitor\0"
_KNOWN_PURPOSE = b"hub chat known visitor\0"
# A clock that was set back a little does not send everybody away.
_CLOCK_SLACK = timedelta(minutes=5)


def new_visitor_id() -> str:
    """128 random bits, as 22 letters, digits, _ and -."""
    return secrets.token_urlsafe(16)


def sign_visitor(visitor_id: str, *, key: bytes, issued_at: datetime) -> str:
    """A token that says `visitor_id` was here: `visitor_id.seconds.signature`, safe in a cookie and in an address."""
    if not _VISITOR_ID.fullmatch(visitor_id):
        raise ValueError(f"not a visitor id: {visitor_id!r}")
    signed = f"{visitor_id}.{int(issued_at.timestamp())}"
    return f"{signed}.{_visitor_signature(signed, key)}"


def read_visitor(token: str, *, key: bytes, now: datetime, max_age: timedelta = VISITOR_MAX_AGE) -> str | None:
    """The visitor that `token` names; None when we did not make it, or too long ago."""
    signed, _, given = token.rpartition(".")
    visitor_id, _, seconds = signed.partition(".")
    expected = _visitor_signature(signed, key)
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        return None
    # Only we write what comes now; the checks guard against a key that served an older format.
    if not _VISITOR_ID.fullmatch(visitor_id) or not re.fullmatch(r"[0-9]{1,11}", seconds):
        return None
    age = now - datetime.fromtimestamp(int(seconds), UTC)
    return visitor_id if -_CLOCK_SLACK <= age <= max_age else None


def sign_known(visitor_id: str, *, key: bytes, expires_at: datetime) -> str:
    """A token of whoever is signed in on the page, until then: `visitor_id.known.seconds.signature`."""
    signed = f"{visitor_id}.known.{int(expires_at.timestamp())}"
    return f"{signed}.{_visitor_signature(signed, key, _KNOWN_PURPOSE)}"


def read_known(token: str, *, key: bytes, now: datetime) -> tuple[str, datetime] | None:
    """Whom `token` names and until when; None when we did not make it, or it is over."""
    signed, _, given = token.rpartition(".")
    expected = _visitor_signature(signed, key, _KNOWN_PURPOSE)
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        return None
    visitor_id, _, seconds = signed.partition(".known.")
    if not _VISITOR_ID.fullmatch(visitor_id) or not re.fullmatch(r"[0-9]{1,11}", seconds):
        return None
    expires_at = datetime.fromtimestamp(int(seconds), UTC)
    return (visitor_id, expires_at) if now < expires_at else None


def _visitor_signature(signed: str, key: bytes, purpose: bytes = _PURPOSE) -> str:
    if not key:
        raise ValueError("an empty key signs nothing")
    digest = hmac.digest(key, purpose + signed.encode("utf-8", "replace"), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


# --- which pages may open a chat --------------------------------------------------------------------------------------


def origin_allowed(account: ChannelAccount, origin: str | None) -> bool:
    """Whether a page of `origin` (the header of the socket's handshake) may chat: the hub's own pages always, others
    when the account's `allowed_origins` names them. No origin means no browser, hence no page to protect, and is
    refused."""
    if not origin:
        return False
    wanted = {normal_origin(allowed) for allowed in account.settings.get("allowed_origins", "").split()}
    wanted.add(normal_origin(account.public_url))
    return normal_origin(origin) in wanted - {None}


def normal_origin(text: str) -> str | None:
    """`scheme://host` or `scheme://host:port` as browsers write it (lower case, default port left out); None if `text`
    is no origin of a web page."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, default) else "")


# --- the channel ------------------------------------------------------------------------------------------------------


class ChatChannel:
    """A live chat account. Settings: allowed_origins?, title?, greeting?, colour?; secret: identity_secret?; a widget."""

    def __init__(self, account: ChannelAccount) -> None:
        self._account = account

    @property
    def account(self) -> ChannelAccount:
        return self._account

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def check_head(self, kind: str, headers: Mapping[str, str]) -> None:
        """Bodies are short here: `verify` is soon enough."""

    def verify(self, request: WebhookRequest) -> None:
        # Visitors come by socket; whoever posts to a chat's webhook is a stranger.
        raise BadSignature("Web chat has no webhooks.")

    def parse(self, request: WebhookRequest) -> list[Arrival]:
        raise BadRequest("Web chat has no webhooks.")

    def answer(self, request: WebhookRequest) -> WebhookAnswer:
        return WebhookAnswer()

    def check_outgoing(self, message: OutgoingMessage) -> None:
        if not message.text.strip() and not message.files:
            raise InvalidInput(
                "There is nothing to send.", fields={"text": Sentence("write something or attach a file")}
            )
        if len(message.text) > TEXT_LIMIT:
            raise InvalidInput(
                "The text is too long for the chat.",
                fields={"text": Sentence("may have at most {count} characters", count=TEXT_LIMIT)},
            )
        problem = _files_problem(message)
        if problem:
            raise InvalidInput("The chat cannot show the attachments.", fields={"attachments": problem})

    def segments(self, text: str) -> int | None:
        return None

    async def send(self, message: OutgoingMessage) -> Accepted:
        return Accepted(message.delivery_id)

    async def find_sent(self, message: OutgoingMessage) -> Accepted | None:
        # The entry was committed with its outbox row, so the visitor's socket has it or will have it.
        return Accepted(message.delivery_id)

    async def fetch_media(self, media: Media) -> Fetched:
        raise Refused("Visitors upload their files to the hub itself.", code="media_not_allowed")

    async def aclose(self) -> None:
        return None


def _files_problem(message: OutgoingMessage) -> str | None:
    if len(message.files) > ATTACHMENT_COUNT_LIMIT:
        return Sentence("at most {count} files", count=ATTACHMENT_COUNT_LIMIT)
    for file in message.files:
        media_type = file.media_type.partition(";")[0].strip().lower()
        if media_type not in ATTACHMENT_TYPES:
            return Sentence("{file}: only pictures can be shown in the chat", file=file.name)
        if file.size_bytes > ATTACHMENT_LIMIT_BYTES:
            return Sentence(
                "{file}: at most {megabytes} MB", file=file.name, megabytes=ATTACHMENT_LIMIT_BYTES // 1024 // 1024
            )
    return None
