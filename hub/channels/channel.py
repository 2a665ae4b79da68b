"""What a channel is to the hub: a translator between a provider's protocol and our values.

An adapter knows one provider's words and nothing of the hub: no database, no other adapter, no clock. It has four
verbs:

    check_head(…)     no need to read the body of whom the headers betray: BadSignature
    verify(request)   the provider's signature is right, or BadSignature
    parse(request)    the provider's payload as a list of Arrivals (no I/O)
    send(message)     hand one message over: Accepted, or Refused / Unavailable / Uncertain (see hub.errors)

What a channel can carry is a frozen `Capabilities`; `check_outgoing` is asked before anything is queued. Optional verbs
(find_sent, fetch_media) are announced there, too. An adapter is made by its kind's factory from a `ChannelAccount` and
closed with `aclose`. To add a channel: one file here, its payloads under tests/payloads/, its line in
channels/registry.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from hub.domain.mail import IncomingMail, OutgoingMail
from hub.domain.states import Delivery
from hub.domain.values import ChannelKind, ContactKind
from hub.domain.widget import Widget

KeepSecret = Callable[[str, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ChannelAccount:
    """One configured account of a channel: settings in the open, secrets decrypted, where the world reaches it.

    `webhook_url(kind)` is where the provider must post; `default_region` is the two-letter region by which national
    phone numbers are read. `token_key` signs what must come back to this account untouched (the tokens that bring a
    mail into its conversation); it is derived from the hub's secret key and never leaves the process. `keep_secret` keeps
    a secret that the provider has changed by itself (a renewed refresh token). `provider` says which of several adapters of
    the kind it is. `media_url` and `media_key`: where the hub's own media process answers, and what both sign with. `widget`:
    how a chat's window is set up.
    """

    id: str
    kind: ChannelKind
    settings: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    public_url: str = ""
    default_region: str | None = None
    token_key: bytes = field(default=b"", repr=False)
    keep_secret: KeepSecret | None = field(default=None, repr=False, compare=False)
    provider: str = ""
    media_url: str = ""
    media_key: bytes = field(default=b"", repr=False)
    widget: Widget = field(default_factory=Widget)

    def webhook_url(self, kind: str) -> str:
        return f"{self.public_url}/webhooks/{self.id}/{kind}"


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A provider's request as it came: `url` is the public address it was sent to, query included; header names are
    lower case; `body` is the untouched bytes."""

    kind: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """What the provider wants to read after our commit."""

    body: bytes = b""
    media_type: str = "text/plain"
    status: int = 200


@dataclass(frozen=True, slots=True)
class Media:
    """A file that came with a message: `url` is where the provider keeps it until we have fetched it, `stored_id` names a
    file of the sender's that the hub has already (a chat visitor's upload), and `part` is its number inside the raw
    message that came with it (a mail's attachment)."""

    media_type: str
    name: str | None = None
    url: str | None = None
    stored_id: int | None = None
    part: int | None = None
    size_bytes: int | None = None
    content_id: str | None = None
    is_inline: bool = False


def clean_text(text: str) -> str:
    """`text` as every database can keep it: PostgreSQL takes no NUL, UTF-8 no lone surrogate; U+FFFD stands in for
    both.

    Adapters pass everything through it that a stranger wrote and that will be stored.
    """
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    # isascii is a flag of the string, so the usual text costs nothing.
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Consent(StrEnum):
    """What a customer said about being written to. HELP asks for help and changes nothing."""

    STOP = "stop"
    START = "start"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class MessageArrival:
    """A customer wrote. `provider_id` is unique within the account: the key of once-only. `sender` is normalised
    (E.164, lower-case mailbox, visitor id). `client_key` is the sender's own mark of the message, given back to them.
    `occurred_at` is the provider's time, if it tells one. `raw` is the payload as it came, for the record. A mail brings
    `mail`, and the message itself as bytes in `message`: the hub keeps it as a file (`message_key`) and `raw` then says
    only how it came. `is_claimed`: the sender's address was typed into a form of ours, which proves nothing."""

    provider_id: str
    contact_kind: ContactKind
    sender: str
    text: str
    raw: str
    received_at: datetime
    sender_name: str | None = None
    occurred_at: datetime | None = None
    media: tuple[Media, ...] = ()
    consent: Consent | None = None
    language: str | None = None
    client_key: str | None = None
    mail: IncomingMail | None = None
    message: bytes | None = field(default=None, repr=False)
    message_key: str | None = None
    is_claimed: bool = False


@dataclass(frozen=True, slots=True)
class ReceiptArrival:
    """What became of a message of ours. `delivery_id` is our own id, given to the provider when we sent; `state` None
    means the provider used a word we do not know (kept in `word` and `raw`). `provider_id` is the once-only key of the
    receipt itself, `message_provider_id` the provider's name of the message. `recipient` is set where a message may have
    several (mail): a receipt about another than the message's own first recipient does not move the message.
    `is_complaint`: the recipient called it spam."""

    provider_id: str
    delivery_id: str | None
    message_provider_id: str | None
    word: str
    state: Delivery | None
    raw: str
    received_at: datetime
    reason: str | None = None
    detail: str | None = None
    recipient: str | None = None
    is_complaint: bool = False


Arrival = MessageArrival | ReceiptArrival


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file to send: `url` is a signed address of ours that the provider may fetch for a while. `path` is where the bytes
    lie on this machine, for channels that carry them themselves (`Capabilities.carries_files`), or `content` are the bytes.
    `id` is how the text names it (`![name](attachment:12)` in a mail)."""

    name: str
    media_type: str
    size_bytes: int
    url: str
    id: int = 0
    path: str = ""
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message to hand over. `delivery_id` is ours, unguessable, the same at every attempt."""

    delivery_id: str
    recipient: str
    text: str
    files: tuple[OutgoingFile, ...] = ()
    attempted_at: datetime | None = None
    created_at: datetime | None = None
    mail: OutgoingMail | None = None


@dataclass(frozen=True, slots=True)
class RefusedRecipient:
    """One of several recipients whom the provider did not take, while it took the message for the others. Not `is_final`:
    it would take them later (`code` is "deferred"); nothing is wrong with the address."""

    address: str
    code: str
    detail: str = ""
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has it. `state` is what it said about it at once (usually SENT)."""

    provider_id: str | None
    state: Delivery = Delivery.SENT
    segments: int | None = None
    refused: tuple[RefusedRecipient, ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the channel can carry. A None limit means there is none. `finds_sent`: find_sent works; `fetches_media`:
    fetch_media works; `repeatable`: sending twice with one delivery_id reaches the customer once, or harms nobody (mail
    with one Message-ID; never true of SMS). `carries_files`: the adapter reads `OutgoingFile.path`. A webhook's body may
    be `webhook_limit_bytes` long where the hub's own limit is too small for the provider's payloads."""

    contact_kind: ContactKind
    text_limit: int | None = None
    attachments: bool = False
    attachment_limit_bytes: int | None = None
    attachment_count_limit: int | None = None
    attachment_types: tuple[str, ...] = ()
    receipts: bool = False
    typing: bool = False
    finds_sent: bool = False
    fetches_media: bool = False
    repeatable: bool = False
    carries_files: bool = False
    webhook_limit_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What trying an account's settings gave, without sending anything. `what` was tried (smtp, imap, oauth); `code` is
    "ok" or a machine's word for the failure, `detail` the far side's words."""

    what: str
    ok: bool
    code: str
    detail: str = ""


class Channel(Protocol):
    """A live adapter of one account. Only `send`, `find_sent`, `fetch_media` and `aclose` may do I/O."""

    @property
    def account(self) -> ChannelAccount: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def check_head(self, kind: str, headers: Mapping[str, str]) -> None:
        """Asked of a webhook before its body is read: raises BadSignature when the headers alone say that `verify` will.
        Worth it where bodies may be long (`Capabilities.webhook_limit_bytes`); elsewhere it does nothing."""

    def verify(self, request: WebhookRequest) -> None:
        """Raises BadSignature."""

    def parse(self, request: WebhookRequest) -> list[Arrival]:
        """Raises BadRequest / InvalidInput when the payload cannot be a payload of this provider."""

    def answer(self, request: WebhookRequest) -> WebhookAnswer:
        """What to say to the provider once the arrivals are committed."""

    def check_outgoing(self, message: OutgoingMessage) -> None:
        """Raises InvalidInput naming the field (`text`, `attachments`) when the channel cannot carry the message."""

    def segments(self, text: str) -> int | None:
        """How many billed parts the text takes, where the channel counts them."""

    async def send(self, message: OutgoingMessage) -> Accepted:
        """Raises Refused, Unavailable or Uncertain."""

    async def find_sent(self, message: OutgoingMessage) -> Accepted | None:
        """After Uncertain: what the provider knows of this very message; None when it surely knows nothing of it.
        Raises Uncertain when it cannot tell, Unavailable when it cannot be asked."""

    async def fetch_media(self, media: Media) -> Fetched:
        """Raises Refused (gone, too large, not allowed) or Unavailable."""

    async def aclose(self) -> None: ...
