"""E-mail: one address of the house, from which answers leave by SMTP and to which mails come on three ways.

In:   IMAP and the hub's own SMTP listener (channels.imap, and the listener beside it)   → parse_message
      POST /webhooks/{channel_id}/mime      the raw message, signed or with a password   → parse → parse_message
      POST /webhooks/{channel_id}/mailgun-mime   Mailgun's form with `body-mime`         → parse → parse_message
Out:  hub.mail.compose writes the mail, channels.smtp hands it over

Every raw message becomes arrivals, whatever is in it: what cannot be read is stored as it came and shown as such
(`IncomingMail.fault`). A report about a mail of ours (a bounce, a complaint) becomes a receipt for each recipient it names;
what it is about is proved by our signed tokens (hub.mail.tokens). A mail of ours that comes back is nothing new.

Sending twice is harmless: the second one has the same Message-ID and the same bytes, and mail programs show it once.

Not here: whose mail it is and into which conversation it goes (the timeline), when an automatic acknowledgement is due.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from hub.channels.channel import (
    Accepted,
    Arrival,
    Capabilities,
    ChannelAccount,
    CheckResult,
    Fetched,
    Media,
    MessageArrival,
    OutgoingFile,
    OutgoingMessage,
    ReceiptArrival,
    WebhookAnswer,
    WebhookRequest,
    clean_text,
)
from hub.channels.oauth import TokenSource, token_source
from hub.channels.smtp import Letter, Limits, Server, Smtp, reason_of
from hub.channels.tls import Security
from hub.domain.mail import (
    UNKNOWN_SENDER,
    IncomingMail,
    Mailbox,
    MailKind,
    Noise,
    OutgoingMail,
    RecipientReport,
    Report,
    ReportAction,
)
from hub.domain.sentences import Sentence
from hub.domain.states import Delivery
from hub.domain.values import ContactKind
from hub.errors import BadRequest, BadSignature, InvalidInput, ProviderError, Refused, Uncertain
from hub.mail.addresses import normal_address
from hub.mail.compose import ComposedMail, compose, envelope_recipients, to_wire, to_wire_host
from hub.mail.parse import MailUnreadable, arrival_key, parse_mail
from hub.mail.tokens import Tokens

# What most servers take is 25 MB with base64's third on top (Gmail, Exchange Online's default is 36 MB): 20 MB of files
# are 27 MB of mail at the most and usually less.
ATTACHMENTS_LIMIT_BYTES = 20 * 1024 * 1024
ATTACHMENT_COUNT_LIMIT = 50
TEXT_LIMIT = 100_000
SUBJECT_LIMIT = 500
# RFC 5321 section 4.5.3.1.8: servers take at least a hundred at once.
RECIPIENTS_LIMIT = 100
# 25 MB of mail, posted as a form in which every third byte may be written as three.
WEBHOOK_LIMIT_BYTES = 40 * 1024 * 1024
# What the timeline shows of what was written; the whole of it lies in the mail.
SHOWN_TEXT_LIMIT = 20_000

CAPABILITIES = Capabilities(
    contact_kind=ContactKind.EMAIL,
    text_limit=TEXT_LIMIT,
    attachments=True,
    attachment_limit_bytes=ATTACHMENTS_LIMIT_BYTES,
    attachment_count_limit=ATTACHMENT_COUNT_LIMIT,
    receipts=True,
    repeatable=True,
    carries_files=True,
    webhook_limit_bytes=WEBHOOK_LIMIT_BYTES,
)

# RFC 3464 section 2.3.3. A relay into the world without reports, and a list that took it in: it is on its way, as SENT
# says. "Delayed" is no state: the server goes on trying.
STATES: Mapping[ReportAction, Delivery] = {
    ReportAction.FAILED: Delivery.FAILED,
    ReportAction.DELIVERED: Delivery.DELIVERED,
    ReportAction.RELAYED: Delivery.SENT,
    ReportAction.EXPANDED: Delivery.SENT,
}

SIGNATURE_HEADER = "x-hub-signature"
# Mailgun posts the raw message only to an address that ends with "mime", so that is the one we tell
# (documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http).
MAILGUN_KINDS = ("mailgun", "mailgun-mime")
# documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks: the signature covers time and token only,
# so an old one is worth nothing. It tries again for eight hours, and what it tries again must not be refused as old; a mail
# that is posted twice is stored once anyhow.
_MAILGUN_AGE_S = 9 * 3600
# Mailgun's has some twenty; the limit bounds the work of a hostile body.
_FORM_FIELDS_LIMIT = 1_000
_FIELD_NAME = re.compile(rb'content-disposition:[^\r\n]{0,500}?;\s*name="([^"\r\n]{1,100})"', re.IGNORECASE)
# A From line that the parser would not touch.
_CRUDE_FROM = re.compile(
    rb"^from:[^\r\n]{0,500}?<?([a-z0-9._%+=-]{1,64}@[a-z0-9.-]{1,189})>?", re.IGNORECASE | re.MULTILINE
)
_CRUDE_HEAD_BYTES = 65_536
# A hostile report may name thousands of recipients.
_RECEIPTS_LIMIT = 200
# The date of a message that does not know its own; such a one is made in tests only.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Up to here composing takes less time than handing it to a thread would hold things up.
_SMALL_BYTES = 100_000


class EmailChannel:
    """A live mail account; the registry describes and checks its settings and secrets. Only sending is here: whoever
    fetches mails (IMAP, the SMTP listener) gives them to `parse_message`."""

    def __init__(self, account: ChannelAccount, *, smtp: Smtp | None = None) -> None:
        settings = account.settings
        self._account = account
        self._address = normal_address(settings.get("address", "")) or ""
        self._aliases = addresses_in(settings.get("aliases", ""))
        self._form_senders = frozenset(addresses_in(settings.get("form_senders", "")))
        self._own = frozenset((self._address, *self._aliases)) - {""}
        self._name = settings.get("display_name", "").strip()
        self._has_plus = settings.get("plus_addressing", "") == "on"
        self._webhook_key = account.secrets.get("webhook_key", "")
        self._tokens = Tokens(account.token_key, self._address)
        self._can_send = bool(settings.get("smtp_host", "").strip())
        self._oauth = token_source(settings, account.secrets, account.keep_secret)
        self._smtp = smtp or (Smtp(server_of(account), tokens=self._oauth, limits=_limits(settings)))

    @property
    def account(self) -> ChannelAccount:
        return self._account

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def oauth(self) -> TokenSource | None:
        """Where access tokens come from, when the account signs in by OAuth: sending and fetching share it."""
        return self._oauth

    def answers_to(self, recipient: str) -> bool:
        """Whether mail for this address, with a plus tag or without, is this account's."""
        address = normal_address(recipient)
        if address is None:
            return False
        local, _, host = address.rpartition("@")
        return address in self._own or f"{local.partition('+')[0]}@{host}" in self._own

    # --- in

    def check_head(self, kind: str, headers: Mapping[str, str]) -> None:
        # An empty key would make every signature anybody's to compute.
        if not self._webhook_key:
            raise BadSignature("This account takes no mails by webhook: it has no webhook key.")
        # Mailgun's signature stands in the body, and so much of it must be read; ours is in a header.
        if kind not in MAILGUN_KINDS and not headers.get(SIGNATURE_HEADER) and not self._knows_key(headers):
            raise BadSignature("The request is not signed, and its password is not the webhook key.")

    def verify(self, request: WebhookRequest) -> None:
        self.check_head(request.kind, request.headers)
        is_right = self._is_mailguns(request) if request.kind in MAILGUN_KINDS else self._is_signed(request)
        if not is_right:
            raise BadSignature("The signature does not match.")

    def parse(self, request: WebhookRequest) -> list[Arrival]:
        match request.kind:
            case "mime":
                if not request.body.strip():
                    raise BadRequest("The body is empty.")
                return self.parse_message(request.body, received_at=request.received_at, via="webhook")
            case "mailgun" | "mailgun-mime":
                form = _form(request.body)
                raw = _field(form, "body-mime")
                if not raw.strip():
                    raise BadRequest(
                        "The form has no raw mail. Mailgun posts one only to an address that ends with mime.",
                        fields={"body-mime": Sentence("must be the raw message")},
                    )
                return self.parse_message(
                    raw,
                    received_at=request.received_at,
                    envelope_to=addresses_in(_told(form, "recipient")),
                    envelope_from=_told(form, "sender") or None,
                    via="mailgun",
                )
            case _:
                raise BadRequest(f"E-mail has no webhook {request.kind!r}.")

    def answer(self, request: WebhookRequest) -> WebhookAnswer:
        return WebhookAnswer(b"{}", "application/json")

    def parse_message(
        self,
        raw: bytes,
        *,
        received_at: datetime,
        envelope_to: Sequence[str] = (),
        envelope_from: str | None = None,
        via: str,
    ) -> list[Arrival]:
        """What a raw message is to the hub; nothing when it is a mail of ours that came back. Never raises, whatever the
        message. `via` says how it came (imap, smtp, webhook …), for the record."""
        key = arrival_key(raw)
        told: dict[str, Any] = {
            "via": via,
            "envelope_to": [clean_text(address)[:320] for address in envelope_to[:RECIPIENTS_LIMIT]],
            "envelope_from": None if envelope_from is None else clean_text(envelope_from)[:320],
            "size": len(raw),
        }
        try:
            mail = parse_mail(raw, envelope_to=envelope_to, own_addresses=tuple(self._own))
        except MailUnreadable as error:
            sender = normal_address(envelope_from or "") or _crude_sender(raw) or UNKNOWN_SENDER
            mail = IncomingMail(
                senders=(Mailbox(sender),) if sender != UNKNOWN_SENDER else (),
                recipients=tuple(filter(None, map(normal_address, envelope_to))),
                size_bytes=len(raw),
                fault=error.code,
            )
            return [self._message(raw, key, mail, sender, received_at, told)]
        if mail.report is not None:
            receipts = self._receipts(key, mail, mail.report, envelope_to, received_at, told)
            if receipts:
                return receipts
        elif self._is_ours(mail):
            return []
        thread = self._tokens.find_thread(
            (*envelope_to, *mail.recipients), (*mail.in_reply_to, *reversed(mail.references))
        )
        sender = self._sender(mail, envelope_from)
        if mail.noise is Noise.OWN and mail.senders[0].address != sender:
            # A form that writes as ourselves: it is its customer's mail, unless another sign says otherwise.
            judged = parse_mail(raw, envelope_to=envelope_to)
            mail = replace(mail, noise=judged.noise, noise_word=judged.noise_word)
        return [self._message(raw, key, replace(mail, thread=thread), sender, received_at, told)]

    def _message(
        self, raw: bytes, key: str, mail: IncomingMail, sender: str, received_at: datetime, told: Mapping[str, Any]
    ) -> MessageArrival:
        names = [box.name for box in (*mail.senders, *mail.reply_to) if box.address == sender and box.name]
        return MessageArrival(
            provider_id=key,
            contact_kind=ContactKind.EMAIL,
            sender=sender,
            text=clean_text(mail.written)[:SHOWN_TEXT_LIMIT],
            raw=json.dumps(told, ensure_ascii=False),
            received_at=received_at,
            sender_name=clean_text(names[0]).strip()[:200] or None if names else None,
            occurred_at=mail.sent_at,
            media=tuple(
                Media(
                    media_type=part.media_type,
                    name=part.name or None,
                    part=part.number,
                    size_bytes=part.size_bytes,
                    content_id=part.content_id,
                    is_inline=part.is_inline,
                )
                for part in mail.parts
            ),
            mail=mail,
            message=raw,
        )

    def _sender(self, mail: IncomingMail, envelope_from: str | None) -> str:
        sender = mail.senders[0].address if mail.senders else None
        # A form on a web page writes as itself, or as us, and names the customer in Reply-To.
        if sender in self._form_senders or sender in self._own:
            customers = [box.address for box in mail.reply_to if not self.answers_to(box.address)]
            sender = customers[0] if customers else sender
        return sender or normal_address(envelope_from or "") or UNKNOWN_SENDER

    def _is_ours(self, mail: IncomingMail) -> bool:
        return (
            mail.message_id is not None
            and self._tokens.find_delivery((), (mail.message_id,)) is not None
            and any(box.address in self._own for box in mail.senders)
        )

    def _receipts(
        self,
        key: str,
        mail: IncomingMail,
        report: Report,
        envelope_to: Sequence[str],
        received_at: datetime,
        told: Mapping[str, Any],
    ) -> list[Arrival]:
        names = [name for name in (report.envelope_id, report.original_message_id) if name]
        delivery_id = self._tokens.find_delivery((*envelope_to, *mail.recipients), names)
        if delivery_id is None:
            return []
        receipts: list[Arrival] = []
        seen: set[str] = set()
        for place, each in enumerate(report.recipients[:_RECEIPTS_LIMIT]):
            recipient = normal_address(each.recipient or "")
            mark = recipient or str(place)
            if mark in seen:
                mark = f"{mark}:{place}"
            seen.add(mark)
            receipts.append(
                ReceiptArrival(
                    provider_id=f"{key}:{mark}",
                    delivery_id=delivery_id,
                    message_provider_id=report.original_message_id,
                    word=clean_text(each.word)[:64],
                    state=None if each.action is None else STATES.get(each.action),
                    raw=json.dumps({**told, "word": clean_text(each.word)[:64], "status": each.status}),
                    received_at=received_at,
                    reason=_reason(each),
                    detail=clean_text(each.detail)[:500] if each.detail else None,
                    recipient=recipient,
                    is_complaint=each.action is ReportAction.COMPLAINT,
                )
            )
        return receipts

    def _is_signed(self, request: WebhookRequest) -> bool:
        key = self._webhook_key.encode()
        signature = request.headers.get(SIGNATURE_HEADER, "")
        if signature:
            expected = "sha256=" + hmac.digest(key, request.body, "sha256").hex()
            return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
        return self._knows_key(request.headers)

    def _knows_key(self, headers: Mapping[str, str]) -> bool:
        given = _password(headers.get("authorization", ""))
        return hmac.compare_digest(self._webhook_key.encode(), given.encode("utf-8", "replace"))

    def _is_mailguns(self, request: WebhookRequest) -> bool:
        try:
            form = _form(request.body)
        except BadRequest:
            return False
        timestamp, token, signature = (_field(form, name) for name in ("timestamp", "token", "signature"))
        expected = hmac.digest(self._webhook_key.encode(), timestamp + token, "sha256").hex()
        if not token or not hmac.compare_digest(expected.encode(), signature):
            return False
        # The signature is right, so the time is a number of Mailgun's.
        if not re.fullmatch(rb"[0-9]{1,12}", timestamp):
            return False
        return abs(request.received_at.timestamp() - int(timestamp)) <= _MAILGUN_AGE_S

    # --- out

    def check_outgoing(self, message: OutgoingMessage) -> None:
        problems: dict[str, str] = {}
        mail = message.mail
        if mail is None:
            problems["mail.to"] = Sentence("name a recipient")
        else:
            problems |= _address_problems(mail)
            if len(mail.subject) > SUBJECT_LIMIT:
                problems["mail.subject"] = Sentence("may have at most {count} characters", count=SUBJECT_LIMIT)
        carries_quote = mail is not None and mail.kind is MailKind.FORWARD and mail.quoted is not None
        if not message.text.strip() and not message.files and not carries_quote:
            problems["text"] = Sentence("write something or attach a file")
        elif len(message.text) > TEXT_LIMIT:
            problems["text"] = Sentence("may have at most {limit} characters", limit=f"{TEXT_LIMIT:,}")
        if len(message.files) > ATTACHMENT_COUNT_LIMIT:
            problems["attachments"] = Sentence("at most {count} files", count=ATTACHMENT_COUNT_LIMIT)
        elif sum(file.size_bytes for file in message.files) > ATTACHMENTS_LIMIT_BYTES:
            problems["attachments"] = Sentence(
                "at most {megabytes} MB together", megabytes=ATTACHMENTS_LIMIT_BYTES // 1024 // 1024
            )
        if not self._can_send:
            problems["text"] = Sentence("this account has no server to send through")
        if problems:
            raise InvalidInput("This mail cannot be sent.", fields=problems)

    def segments(self, text: str) -> int | None:
        return None

    async def send(self, message: OutgoingMessage) -> Accepted:
        composed = await self._compose(message)
        account = self._address
        bounces = self._tokens.bounce_address(message.delivery_id) if self._has_plus else account
        letter = Letter(
            content=composed.content,
            # Nobody answers the null sender, so no two machines can write to each other for ever (RFC 3834 section 3.3
            # allows it to answers whose bounce nobody reads). Some submission servers take none but the account's own
            # address: then that one, since what comes back is recognised.
            sender="" if composed.is_automatic else bounces,
            fallback_sender=bounces,
            recipients=composed.recipients,
            envelope_id=self._tokens.envelope_id(message.delivery_id),
            is_utf8=composed.is_utf8 or not bounces.rpartition("@")[0].isascii(),
            wants_reports=not composed.is_automatic,
        )
        return Accepted(composed.message_id, refused=await self._smtp.deliver(letter))

    async def check(self) -> list[CheckResult]:
        """Tries to sign in, sends nothing. IMAP's part is told by whoever fetches."""
        results = []
        if self._oauth is not None:
            results.append(await _checked("oauth", self._oauth.access_token()))
        if self._can_send:
            results.append(await _checked("smtp", self._smtp.check()))
        return results

    async def find_sent(self, message: OutgoingMessage) -> Accepted | None:
        raise Uncertain("A mail server cannot be asked what became of a mail.", code="cannot_tell")

    async def fetch_media(self, media: Media) -> Fetched:
        raise Refused("A mail's files came with it.", code="media_gone")

    async def aclose(self) -> None:
        await self._smtp.aclose()

    async def _compose(self, message: OutgoingMessage) -> ComposedMail:
        def work() -> ComposedMail:
            return compose(
                message,
                sender=Mailbox(self._address, self._name),
                tokens=self._tokens,
                plus_addressing=self._has_plus,
                # Only where the message does not say when it was written.
                now=message.created_at or message.attempted_at or _EPOCH,
                files=[(file, _content(file)) for file in message.files],
            )

        quoted = message.mail.quoted if message.mail else None
        size = len(message.text) + (len(quoted.text) + len(quoted.html or "") if quoted else 0)
        size += len(message.mail.html or "") if message.mail else 0
        try:
            return await asyncio.to_thread(work) if message.files or size > _SMALL_BYTES else work()
        except InvalidInput as error:
            raise Refused(error.message, code="invalid_address") from error


def server_of(account: ChannelAccount) -> Server:
    """The sending server as the settings say it."""
    settings = account.settings
    security = Security(settings.get("smtp_security", "").strip() or Security.STARTTLS)
    default_port = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}[security]
    port = settings.get("smtp_port", "").strip()
    host = settings.get("address", "").strip().rpartition("@")[2]
    return Server(
        host=settings.get("smtp_host", "").strip(),
        port=int(port) if port else default_port,
        security=security,
        helo=to_wire_host(host) or "localhost",
        # Google and Microsoft know the account by its address.
        username=settings.get("smtp_username", "").strip()
        or (settings.get("address", "").strip() if settings.get("oauth_provider", "").strip() else ""),
        password=account.secrets.get("smtp_password", ""),
    )


def addresses_in(text: str) -> tuple[str, ...]:
    """The addresses of a setting, separated by commas or spaces, in normal form; what is none is left out."""
    return tuple(filter(None, map(normal_address, re.split(r"[\s,;]+", text.strip()))))


def _limits(settings: Mapping[str, str]) -> Limits:
    per_minute = settings.get("per_minute", "").strip()
    return Limits(per_minute=int(per_minute) if per_minute else None)


async def _checked(what: str, trial: Awaitable[object]) -> CheckResult:
    try:
        await trial
    except ProviderError as error:
        return CheckResult(what, False, error.code, error.message)
    return CheckResult(what, True, "ok", "")


# --- reading ----------------------------------------------------------------------------------------------------------


def _crude_sender(raw: bytes) -> str | None:
    found = _CRUDE_FROM.search(raw[:_CRUDE_HEAD_BYTES])
    return normal_address(found[1].decode("ascii")) if found else None


def _reason(report: RecipientReport) -> str | None:
    if report.action is ReportAction.COMPLAINT:
        return "complaint"
    if report.action not in (ReportAction.FAILED, ReportAction.DELAYED):
        return None
    return reason_of(report.status, report.detail or "")


def _password(authorization: str) -> str:
    """Of HTTP Basic (the user name does not matter) or Bearer; empty when there is none."""
    scheme, _, given = authorization.strip().partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer":
        return given
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _form(body: bytes) -> Mapping[str, Callable[[], bytes]]:
    """The fields of Mailgun's form, the first of each name, each still to be decoded: the signature is looked at before
    a stranger's megabytes are. It comes urlencoded, or as multipart when there are files; the body itself says which.
    Raises BadRequest."""
    if body.startswith(b"--"):
        return _multipart_form(body)
    fields: dict[str, Callable[[], bytes]] = {}
    for field in body.split(b"&", _FORM_FIELDS_LIMIT):
        name, _, value = field.partition(b"=")
        fields.setdefault(_unquoted(name[:100]).decode("utf-8", "replace"), partial(_unquoted, value))
    return fields


def _unquoted(value: bytes) -> bytes:
    value = value.replace(b"+", b" ")
    if b"%" not in value:
        return value
    # In pieces: unquote_to_bytes makes an object of some 40 bytes for every percent sign.
    pieces, start = [], 0
    while start < len(value):
        end = start + 65_536
        percent = value.rfind(b"%", end - 2, end)
        end = end if percent == -1 else percent
        pieces.append(unquote_to_bytes(value[start:end]))
        start = end
    return b"".join(pieces)


def _multipart_form(body: bytes) -> Mapping[str, Callable[[], bytes]]:
    """RFC 7578, as far as Mailgun uses it."""
    boundary = body.partition(b"\r\n")[0]
    if not 3 <= len(boundary) <= 80:
        raise BadRequest("The body is not a form.")
    fields: dict[str, Callable[[], bytes]] = {}
    for part in (b"\r\n" + body).split(b"\r\n" + boundary, _FORM_FIELDS_LIMIT)[1:]:
        head, separator, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head[:2_000])
        if separator and name:
            fields.setdefault(name[1].decode("utf-8", "replace"), partial(bytes, content))
    return fields


def _field(form: Mapping[str, Callable[[], bytes]], name: str) -> bytes:
    return form[name]() if name in form else b""


def _told(form: Mapping[str, Callable[[], bytes]], name: str) -> str:
    return clean_text(_field(form, name).decode("utf-8", "replace"))[:2_000]


# --- what may go out --------------------------------------------------------------------------------------------------


def _address_problems(mail: OutgoingMail) -> Mapping[str, str]:
    problems = {}
    for field, boxes in (("mail.to", mail.to), ("mail.cc", mail.cc), ("mail.bcc", mail.bcc)):
        wrong = [box.address for box in boxes if not _can_write_to(box.address)]
        if wrong:
            problems[field] = Sentence("{address} is not an e-mail address", address=clean_text(wrong[0])[:100])
    if not mail.to:
        problems["mail.to"] = Sentence("name a recipient")
    elif len(envelope_recipients(mail)) > RECIPIENTS_LIMIT:
        problems["mail.to"] = Sentence("at most {count} recipients together", count=RECIPIENTS_LIMIT)
    return problems


def _can_write_to(address: str) -> bool:
    try:
        to_wire(address)
    except InvalidInput:
        return False
    return True


def _content(file: OutgoingFile) -> bytes:
    if file.content is not None:
        return file.content
    try:
        return Path(file.path).read_bytes()
    except OSError as error:
        raise Refused(f"The file {file.name} is gone.", code="media_gone") from error
