"""SMS and MMS through Twilio.

In:   POST /webhooks/{channel_id}/message   a customer's text, its media by address     → MessageArrival
      POST /webhooks/{channel_id}/status    what became of a message of ours            → ReceiptArrival
Out:  POST Messages with a StatusCallback that carries our delivery id, so that a receipt finds its message even when
the
      answer to the send never came. The signature covers the whole address, delivery id included.

An SMS cannot be taken back and Twilio takes no idempotency key: after Uncertain the outbox asks `find_sent`, which
looks through what Twilio has for the recipient and would rather say "I cannot tell" than guess.

Not here: whether a customer may be written to (the timeline keeps the opt-out), retries (the outbox), other Twilio
channels (`whatsapp:` addresses would need their own capabilities).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from urllib.parse import parse_qs, quote, urlsplit

import phonenumbers

from hub.channels import twilio
from hub.channels.channel import (
    Accepted,
    Arrival,
    Capabilities,
    ChannelAccount,
    Consent,
    Fetched,
    Media,
    MessageArrival,
    OutgoingMessage,
    ReceiptArrival,
    WebhookAnswer,
    WebhookRequest,
    clean_text,
)
from hub.domain.sentences import Sentence
from hub.domain.states import Delivery
from hub.domain.values import ContactKind
from hub.errors import BadRequest, InvalidInput, Refused, Unavailable, Uncertain

# twilio.com/docs/messaging/api/message-resource, "body": up to 1,600 characters. Counted as UTF-16 units, the stricter
# way.
TEXT_LIMIT = 1_600
# twilio.com/docs/messaging/guides/accepted-mime-types: a media message of at most 5 MB in all; ten files; and for types
# that Twilio does not adapt to the handset 500 KB each (OpenAPI, MediaUrl).
MEDIA_LIMIT_BYTES = 5 * 1024 * 1024
MEDIA_COUNT_LIMIT = 10
OTHER_MEDIA_LIMIT_BYTES = 500 * 1024
ADAPTED_TYPES = ("image/jpeg", "image/jpg", "image/png", "image/gif")
OTHER_TYPES = (
    "image/bmp",
    "image/heic",
    "image/heif",
    "image/tiff",
    "audio/3gpp",
    "audio/3gpp2",
    "audio/aac",
    "audio/ac3",
    "audio/amr",
    "audio/amr-nb",
    "audio/basic",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/vnd.wave",
    "audio/webm",
    "video/3gpp",
    "video/3gpp2",
    "video/mp4",
    "video/mpeg",
    "video/quicktime",
    "video/webm",
    "application/pdf",
    "text/calendar",
    "text/csv",
    "text/rtf",
    "text/vcard",
)
# What a customer sends is at most 5 MB by MMS today; the limit protects us, not Twilio.
FETCH_LIMIT_BYTES = 20 * 1024 * 1024

CAPABILITIES = Capabilities(
    contact_kind=ContactKind.PHONE,
    text_limit=TEXT_LIMIT,
    attachments=True,
    attachment_limit_bytes=MEDIA_LIMIT_BYTES,
    attachment_count_limit=MEDIA_COUNT_LIMIT,
    attachment_types=ADAPTED_TYPES + OTHER_TYPES,
    receipts=True,
    finds_sent=True,
    fetches_media=True,
)

# Twilio's default keywords; REVOKE and OPTOUT since 2025-05-14
# (twilio.com/en-us/blog/update-to-fcc-s-sms-opt-out-keywords), the others from twilio.com/docs/api/errors/23002. Twilio
# stops sending after these whatever we do, so our record must agree.
CONSENT_WORDS: Mapping[str, Consent] = {
    **dict.fromkeys(("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"), Consent.STOP),
    **dict.fromkeys(("start", "yes", "unstop"), Consent.START),
    **dict.fromkeys(("help", "info"), Consent.HELP),
}

_EMPTY_TWIML = WebhookAnswer(b'<?xml version="1.0" encoding="UTF-8"?><Response/>', "text/xml")

# Twilio's clock and ours differ by no more, and its `date_created` has whole seconds.
_CLOCK_SLACK = timedelta(seconds=5)
# Nothing found proves nothing while the request may still be on its way through Twilio; afterwards it does.
_SETTLE = timedelta(seconds=30)
# Twilio's largest page. A recipient with more messages than that is left to the agent when ours is not among them.
_HISTORY_LIMIT = 1_000
# What a trial account's messages begin with (twilio.com/docs/usage/tutorials/how-to-use-your-free-trial-account).
_TRIAL_PREFIX = "Sent from your Twilio trial account - "

_SID = re.compile(r"[A-Za-z0-9]{2,64}")
_STATUS_WORD = re.compile(r"[A-Za-z_-]{1,32}")


class SmsChannel:
    """A live SMS account. Settings: account_sid, from_number and/or messaging_service_sid, api_base?, stop_words?.
    Secret: auth_token. registry.py describes and checks them."""

    def __init__(self, account: ChannelAccount) -> None:
        self._account = account
        self._auth_token = account.secrets.get("auth_token", "")
        self._stop_words = read_stop_words(account.settings.get("stop_words", ""))
        self._sender = account.settings.get("from_number") or None
        self._messaging_service_sid = account.settings.get("messaging_service_sid") or None
        self._rest = twilio.Rest(
            account.settings.get("account_sid", ""), self._auth_token, account.settings.get("api_base") or None
        )

    @property
    def account(self) -> ChannelAccount:
        return self._account

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    # --- in

    def check_head(self, kind: str, headers: Mapping[str, str]) -> None:
        """Bodies are short here: `verify` is soon enough."""

    def verify(self, request: WebhookRequest) -> None:
        twilio.check_signature(request, self._auth_token)

    def parse(self, request: WebhookRequest) -> list[Arrival]:
        fields = dict(twilio.form_pairs(request.body))
        # Urlencoded, hence ASCII, unless somebody else wrote it.
        raw = clean_text(request.body.decode())
        match request.kind:
            case "message":
                return [self._parse_message(fields, raw, request)]
            case "status":
                return [self._parse_status(fields, raw, request)]
            case _:
                raise BadRequest(f"SMS has no webhook {request.kind!r}.")

    def answer(self, request: WebhookRequest) -> WebhookAnswer:
        # Empty TwiML: "send nothing back". A receipt's answer is not read (twilio.com/docs/messaging/twiml).
        return _EMPTY_TWIML

    def _parse_message(self, fields: Mapping[str, str], raw: str, request: WebhookRequest) -> MessageArrival:
        text = clean_text(fields.get("Body", ""))
        return MessageArrival(
            provider_id=_read_sid(fields),
            contact_kind=ContactKind.PHONE,
            sender=_read_sender(fields, self._account.default_region),
            text=text,
            raw=raw,
            received_at=request.received_at,
            sender_name=clean_text(fields.get("ProfileName", "")).strip()[:200] or None,
            media=_read_media(fields),
            consent=read_consent(text, fields.get("OptOutType", ""), self._stop_words),
        )

    def _parse_status(self, fields: Mapping[str, str], raw: str, request: WebhookRequest) -> ReceiptArrival:
        sid = _read_sid(fields)
        word = fields.get("MessageStatus") or fields.get("SmsStatus") or ""
        if not _STATUS_WORD.fullmatch(word):
            raise BadRequest("The receipt names no status.", fields={"MessageStatus": Sentence("must be a word")})
        code = clean_text(fields.get("ErrorCode", "")).strip()[:32]
        told = (code, clean_text(fields.get("ErrorMessage", "")).strip()[:500])
        delivery_ids = parse_qs(urlsplit(request.url).query).get("delivery", [])
        return ReceiptArrival(
            # Twilio repeats a receipt after our 5xx; the same word with another error number is another receipt.
            provider_id=":".join(part for part in (sid, word, code) if part),
            delivery_id=clean_text(delivery_ids[0])[:200] if delivery_ids else None,
            message_provider_id=sid,
            word=word,
            state=twilio.MESSAGE_STATES.get(word),
            raw=raw,
            received_at=request.received_at,
            reason=twilio.fault_reason(code),
            detail=" ".join(part for part in told if part) or None,
        )

    # --- out

    def check_outgoing(self, message: OutgoingMessage) -> None:
        if not message.text.strip() and not message.files:
            raise InvalidInput(
                "There is nothing to send.", fields={"text": Sentence("write something or attach a file")}
            )
        if _utf16_units(message.text) > TEXT_LIMIT:
            raise InvalidInput(
                "The text is too long for SMS.",
                fields={"text": Sentence("may have at most {count} characters", count=TEXT_LIMIT)},
            )
        problem = _media_problem(message)
        if problem:
            raise InvalidInput("The attachments cannot go by MMS.", fields={"attachments": problem})

    def segments(self, text: str) -> int | None:
        return count_segments(text).segments

    async def send(self, message: OutgoingMessage) -> Accepted:
        sent = await self._rest.create_message(
            to=message.recipient,
            body=message.text,
            media_urls=[file.url for file in message.files],
            sender=self._sender,
            messaging_service_sid=self._messaging_service_sid,
            status_callback=self._status_callback(message.delivery_id),
        )
        accepted = self._accepted(sent, message)
        if accepted.state is Delivery.FAILED:
            raise Refused(
                Sentence("Twilio could not send it: {words}.", words=str(sent.status)),
                code=twilio.fault_reason(sent.error_code) or twilio.UNKNOWN,
                provider_code=sent.error_code or sent.status,
            )
        return accepted

    async def find_sent(self, message: OutgoingMessage) -> Accepted | None:
        """Compares what Twilio has for the recipient with the message: made by the API, by our sender, at or after the
        attempt, with the same text and number of files.

        The list is not filtered by DateSent: a message that still waits in Twilio's queue has no date_sent (OpenAPI,
        example createScheduledMessageSms), and overlooking it would double it.
        """
        if message.attempted_at is None:
            raise Uncertain("Nobody knows when it was tried.", code="cannot_tell")
        listed = await self._rest.list_messages(to=message.recipient, sender=self._sender, limit=_HISTORY_LIMIT)
        since = message.attempted_at - _CLOCK_SLACK
        near = [f for f in listed if self._may_be_ours(f) and (f.created_at is None or f.created_at >= since)]
        wanted_media = len(message.files)
        same = [f for f in near if _same_text(f.body, message.text) and (f.media_count or 0) == wanted_media]
        if len(same) == 1:
            return self._accepted(same[0], message)
        if same:
            raise Uncertain("Twilio has several messages with this text.", code="cannot_tell")
        if any(_letters(found.body) == _letters(message.text) for found in near):
            # Smart Encoding of a messaging service replaces quotes, dashes and spaces before it sends.
            raise Uncertain("Twilio has a message with nearly this text.", code="cannot_tell")
        if len(listed) >= _HISTORY_LIMIT:
            raise Uncertain("Twilio has more messages to this number than can be looked through.", code="cannot_tell")
        twilio_now = self._rest.twilio_now
        if twilio_now is None:
            raise Uncertain("Twilio's answer carries no date.", code="cannot_tell")
        unsettled = message.attempted_at + _SETTLE - twilio_now
        if unsettled > timedelta(0):
            raise Unavailable(
                "It is too early to say that Twilio never got it.",
                code="too_early",
                retry_after_s=min(unsettled, _SETTLE).total_seconds(),
            )
        return None

    async def fetch_media(self, media: Media) -> Fetched:
        if media.url is None:
            raise Refused("The file has no address.", code="media_gone")
        return await self._rest.fetch(media.url, limit_bytes=FETCH_LIMIT_BYTES)

    async def aclose(self) -> None:
        await self._rest.aclose()

    def _status_callback(self, delivery_id: str) -> str | None:
        """Where Twilio tells what became of it; nowhere while the hub has no public address (it would refuse the
        call)."""
        if not self._account.public_url:
            return None
        return f"{self._account.webhook_url('status')}?delivery={quote(delivery_id, safe='')}"

    def _accepted(self, sent: twilio.TwilioMessage, message: OutgoingMessage) -> Accepted:
        # A message that goes through a messaging service has num_segments 0 until it has a sender (OpenAPI,
        # num_segments).
        segments = sent.segments or (count_segments(message.text).segments if message.text else None)
        return Accepted(sent.sid, twilio.MESSAGE_STATES.get(sent.status, Delivery.SENT), segments)

    def _may_be_ours(self, found: twilio.TwilioMessage) -> bool:
        if not found.direction.startswith("outbound"):
            return False
        if self._sender and found.sender:
            return found.sender == self._sender
        return not self._messaging_service_sid or found.messaging_service_sid in (None, self._messaging_service_sid)


# --- reading a webhook ------------------------------------------------------------------------------------------------


def _read_sid(fields: Mapping[str, str]) -> str:
    # SmsSid is the older name of the same (twilio.com/docs/messaging/guides/webhook-request).
    sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
    if not _SID.fullmatch(sid):
        raise BadRequest("The payload names no message.", fields={"MessageSid": Sentence("must be a message's sid")})
    return sid


def _read_sender(fields: Mapping[str, str], default_region: str | None) -> str:
    sender = normalise_address(clean_text(fields.get("From", ""))[:200], default_region)
    if not sender:
        raise BadRequest("The payload names no sender.", fields={"From": Sentence("must not be empty")})
    return sender


def _read_media(fields: Mapping[str, str]) -> tuple[Media, ...]:
    count = fields.get("NumMedia", "") or "0"
    if not count.isascii() or not count.isdecimal() or len(count) > 3:
        raise BadRequest("NumMedia is no number.", fields={"NumMedia": Sentence("must be a number")})
    media = []
    for index in range(int(count)):
        url = fields.get(f"MediaUrl{index}", "")
        if not url:
            raise BadRequest("A medium has no address.", fields={f"MediaUrl{index}": Sentence("must not be empty")})
        media_type = fields.get(f"MediaContentType{index}", "").partition(";")[0].strip().lower()
        media.append(Media(clean_text(media_type)[:100] or "application/octet-stream", url=clean_text(url)))
    return tuple(media)


def read_consent(text: str, opt_out_type: str, stop_words: frozenset[str]) -> Consent | None:
    """Twilio's own verdict (OptOutType: Advanced Opt-Out of a messaging service) where there is one; else the whole
    text is one of the words, whatever its case; a full stop or an exclamation mark after it changes nothing."""
    try:
        return Consent(opt_out_type.strip().lower())
    except ValueError:
        word = text.strip().rstrip(".!։").strip().casefold()
        return Consent.STOP if word in stop_words else CONSENT_WORDS.get(word)


def read_stop_words(setting: str) -> frozenset[str]:
    """The account's further stop words (СТОП, ԿԱՆԳ …), separated by commas or spaces."""
    return frozenset(word.casefold() for word in re.split(r"[\s,;]+", setting) if word)


@lru_cache(maxsize=8192)
def normalise_address(address: str, default_region: str | None) -> str:
    """A sender as the contact point is kept: E.164 where it is a phone number, else as it came.

    Short codes (up to six digits without a plus) and alphanumeric senders are no phone numbers and stay. Cached
    because phonenumbers takes some 60 µs, six times the signature, and the same people write again.
    """
    address = address.strip()
    digits = re.sub(r"[\s().\-/]", "", address)
    if not re.fullmatch(r"\+?[0-9]{3,20}", digits) or (not digits.startswith("+") and len(digits) <= 6):
        return address
    try:
        number = phonenumbers.parse(digits, default_region)
    except phonenumbers.NumberParseException:
        return address
    # Possible, not valid: numbering plans change faster than the library's tables.
    if not phonenumbers.is_possible_number(number):
        return address
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


# --- what may go out --------------------------------------------------------------------------------------------------


def _media_problem(message: OutgoingMessage) -> str | None:
    if len(message.files) > MEDIA_COUNT_LIMIT:
        return Sentence("at most {count} files", count=MEDIA_COUNT_LIMIT)
    if sum(file.size_bytes for file in message.files) > MEDIA_LIMIT_BYTES:
        return Sentence("at most {megabytes} MB together", megabytes=MEDIA_LIMIT_BYTES // 1024 // 1024)
    for file in message.files:
        media_type = file.media_type.partition(";")[0].strip().lower()
        if media_type not in CAPABILITIES.attachment_types:
            if not media_type:
                return Sentence("{file}: files of an unknown type cannot go by MMS", file=file.name)
            return Sentence("{file}: files of type {type} cannot go by MMS", file=file.name, type=media_type)
        if media_type not in ADAPTED_TYPES and file.size_bytes > OTHER_MEDIA_LIMIT_BYTES:
            return Sentence(
                "{file}: at most {kilobytes} KB unless it is a JPEG, PNG or GIF picture",
                file=file.name,
                kilobytes=OTHER_MEDIA_LIMIT_BYTES // 1024,
            )
    return None


def _same_text(theirs: str, ours: str) -> bool:
    return theirs.removeprefix(_TRIAL_PREFIX).strip() == ours.strip()


def _letters(text: str) -> str:
    """What Smart Encoding leaves alone: letters and digits, decomposed; the text itself where there are none."""
    text = text.removeprefix(_TRIAL_PREFIX)
    return "".join(c for c in unicodedata.normalize("NFKD", text) if c.isalnum()) or text.strip()


# --- segments ---------------------------------------------------------------------------------------------------------


class Encoding(StrEnum):
    GSM7 = "gsm7"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True)
class Segments:
    """How a text is billed: `units` are septets (GSM-7) or UTF-16 units (UCS-2)."""

    encoding: Encoding
    units: int
    segments: int


# 3GPP TS 23.038 §6.2.1: the default alphabet, and §6.2.1.1 its extension, of which each character takes two septets.
_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
# 140 octets a message; a part of a longer text gives 6 of them to the header that joins the parts (3GPP TS 23.040
# §9.2.3.24).
_SINGLE = {Encoding.GSM7: 160, Encoding.UCS2: 70}
_PART = {Encoding.GSM7: 153, Encoding.UCS2: 67}


def count_segments(text: str) -> Segments:
    """How many billed parts `text` takes; none for an empty text. A character of two units is never cut in half, so a
    part may stay one unit short."""
    if all(character in _GSM_BASIC or character in _GSM_EXTENSION for character in text):
        encoding = Encoding.GSM7
        sizes = [2 if character in _GSM_EXTENSION else 1 for character in text]
    else:
        encoding = Encoding.UCS2
        sizes = [2 if ord(character) > 0xFFFF else 1 for character in text]
    units = sum(sizes)
    if units <= _SINGLE[encoding]:
        return Segments(encoding, units, 1 if units else 0)
    parts, filled = 1, 0
    for size in sizes:
        if filled + size > _PART[encoding]:
            parts, filled = parts + 1, 0
        filled += size
    return Segments(encoding, units, parts)


def _utf16_units(text: str) -> int:
    return len(text) + sum(1 for character in text if ord(character) > 0xFFFF)
