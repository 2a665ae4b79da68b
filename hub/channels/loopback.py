"""Loopback: an honest channel that ends in this process. It ships with the hub, for tests and for finding faults.

In:   POST /webhooks/{channel_id}/message   {"id": "m1", "from": "Ani", "name"?: "Ani K.", "text": "Hello", "at"?:
"2026-…Z"}
      POST /webhooks/{channel_id}/status    {"id": "r1", "delivery_id"?: "…", "message_id"?: "…", "status": "delivered",
                                             "reason"?: "…", "detail"?: "…"}
      signed:  X-Loopback-Signature: hex HMAC-SHA256(signing_key, body), see `sign`
Out:  everything is accepted and kept in `sent`, unless the text holds one of the magic words:

      !refuse              Refused, every time
      !unavailable         Unavailable, every time
      !unavailable-twice   Unavailable at the first two attempts, then accepted
      !uncertain-sent      first attempt Uncertain, though it went out: find_sent finds it
      !uncertain-lost      first attempt Uncertain, and it did not go out: find_sent says None; the second is accepted
      !uncertain-unknown   Uncertain, and find_sent cannot tell either
      !slow                accepted after SLOW_S seconds

What was sent and tried is kept in memory, the latest KEPT of each: it ends with the process.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.channels.channel import (
    Accepted,
    Arrival,
    Capabilities,
    ChannelAccount,
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
from hub.errors import BadRequest, BadSignature, InvalidInput, Refused, Unavailable, Uncertain

SIGNATURE_HEADER = "x-loopback-signature"
SLOW_S = 2.0
KEPT = 10_000

CAPABILITIES = Capabilities(contact_kind=ContactKind.LOOPBACK, attachments=True, receipts=True, finds_sent=True)

# Loopback speaks the hub's own words; the outbox's inner states are none of a provider's business.
STATES: Mapping[str, Delivery] = {
    state.value: state for state in (Delivery.SENT, Delivery.DELIVERED, Delivery.READ, Delivery.FAILED)
}

# The longer words stand first, since some begin with a shorter one.
_MAGIC = re.compile(
    r"!(unavailable-twice|unavailable|refuse|uncertain-sent|uncertain-lost|uncertain-unknown|slow)(?![\w-])"
)
_ID_LIMIT = 200


def sign(body: bytes, signing_key: str) -> str:
    """What X-Loopback-Signature must say for `body`."""
    return hmac.digest(signing_key.encode(), body, "sha256").hex()


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that went out. `provider_id` is what the outbox was told, or would have been."""

    provider_id: str
    message: OutgoingMessage


class LoopbackChannel:
    """A live loopback account. No settings; secret: signing_key."""

    def __init__(self, account: ChannelAccount) -> None:
        self._account = account
        self._signing_key = account.secrets.get("signing_key", "")
        self._sent: deque[Sent] = deque(maxlen=KEPT)
        self._attempts: OrderedDict[str, int] = OrderedDict()

    @property
    def account(self) -> ChannelAccount:
        return self._account

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def sent(self) -> tuple[Sent, ...]:
        """What went out, in its order; a message that went out twice stands there twice."""
        return tuple(self._sent)

    def attempts(self, delivery_id: str) -> int:
        """How often `send` was called for this delivery."""
        return self._attempts.get(delivery_id, 0)

    # --- in

    def check_head(self, kind: str, headers: Mapping[str, str]) -> None:
        """Bodies are short here: `verify` is soon enough."""

    def verify(self, request: WebhookRequest) -> None:
        given = request.headers.get(SIGNATURE_HEADER, "")
        expected = sign(request.body, self._signing_key)
        # An empty key would make the signature anybody's to compute.
        if not self._signing_key or not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            raise BadSignature("The signature does not match.")

    def parse(self, request: WebhookRequest) -> list[Arrival]:
        try:
            raw = request.body.decode()
            told = json.loads(raw)
        # RecursionError: a body of many thousand opening brackets.
        except (ValueError, RecursionError) as error:
            raise BadRequest("The body is not JSON.") from error
        if not isinstance(told, dict):
            raise BadRequest("The body is not an object.")
        match request.kind:
            case "message":
                return [_read_message(told, clean_text(raw), request)]
            case "status":
                return [_read_status(told, clean_text(raw), request)]
            case _:
                raise BadRequest(f"Loopback has no webhook {request.kind!r}.")

    def answer(self, request: WebhookRequest) -> WebhookAnswer:
        return WebhookAnswer(b"{}", "application/json")

    # --- out

    def check_outgoing(self, message: OutgoingMessage) -> None:
        if not message.text.strip() and not message.files:
            raise InvalidInput(
                "There is nothing to send.", fields={"text": Sentence("write something or attach a file")}
            )

    def segments(self, text: str) -> int | None:
        return None

    async def send(self, message: OutgoingMessage) -> Accepted:
        attempt = self._count_attempt(message.delivery_id)
        match _magic_word(message.text):
            case "refuse":
                raise Refused("Loopback was asked to refuse.", code="refused", provider_code="refuse")
            case "unavailable":
                raise Unavailable("Loopback was asked to be away.", retry_after_s=1.0, provider_code="unavailable")
            case "unavailable-twice" if attempt <= 2:
                raise Unavailable("Loopback was asked to be away.", retry_after_s=0.1, provider_code="unavailable")
            case "uncertain-sent" if attempt == 1:
                self._keep(message)
                raise Uncertain("Loopback was asked to fall silent.", code="no_answer")
            case "uncertain-lost" if attempt == 1:
                raise Uncertain("Loopback was asked to fall silent.", code="no_answer")
            case "uncertain-unknown":
                raise Uncertain("Loopback was asked to fall silent.", code="no_answer")
            case "slow":
                await asyncio.sleep(SLOW_S)
        return Accepted(self._keep(message).provider_id)

    async def find_sent(self, message: OutgoingMessage) -> Accepted | None:
        if _magic_word(message.text) == "uncertain-unknown":
            raise Uncertain("Loopback was asked not to know.", code="cannot_tell")
        for sent in reversed(self._sent):
            if sent.message.delivery_id == message.delivery_id:
                return Accepted(sent.provider_id)
        return None

    async def fetch_media(self, media: Media) -> Fetched:
        raise Refused("Loopback carries no files.", code="media_gone")

    async def aclose(self) -> None:
        return None

    def _count_attempt(self, delivery_id: str) -> int:
        attempt = self._attempts.pop(delivery_id, 0) + 1
        self._attempts[delivery_id] = attempt
        while len(self._attempts) > KEPT:
            self._attempts.popitem(last=False)
        return attempt

    def _keep(self, message: OutgoingMessage) -> Sent:
        sent = Sent(f"loopback-{message.delivery_id}", message)
        self._sent.append(sent)
        return sent


def _magic_word(text: str) -> str | None:
    found = _MAGIC.search(text)
    return found.group(1) if found else None


# --- reading a webhook ------------------------------------------------------------------------------------------------


def _read_message(told: dict[str, Any], raw: str, request: WebhookRequest) -> MessageArrival:
    problems: dict[str, str] = {}
    provider_id = _read_text(told, "id", problems, limit=_ID_LIMIT, required=True)
    sender = _read_text(told, "from", problems, limit=_ID_LIMIT, required=True)
    name = _read_text(told, "name", problems, limit=200)
    text = _read_text(told, "text", problems, limit=100_000, blank=True, required=True)
    occurred_at = _read_instant(told, "at", problems)
    _check_all_read(told, problems)
    return MessageArrival(
        provider_id=provider_id,
        contact_kind=ContactKind.LOOPBACK,
        sender=sender.casefold(),
        text=text,
        raw=raw,
        received_at=request.received_at,
        sender_name=name or None,
        occurred_at=occurred_at,
    )


def _read_status(told: dict[str, Any], raw: str, request: WebhookRequest) -> ReceiptArrival:
    problems: dict[str, str] = {}
    receipt_id = _read_text(told, "id", problems, limit=_ID_LIMIT, required=True)
    delivery_id = _read_text(told, "delivery_id", problems, limit=_ID_LIMIT)
    message_id = _read_text(told, "message_id", problems, limit=_ID_LIMIT)
    word = _read_text(told, "status", problems, limit=64, required=True)
    reason = _read_text(told, "reason", problems, limit=64)
    detail = _read_text(told, "detail", problems, limit=500)
    if not delivery_id and not message_id:
        problems.setdefault("delivery_id", Sentence("name the message by delivery_id or message_id"))
    _check_all_read(told, problems)
    return ReceiptArrival(
        # A receipt's name may be a message's name, too: the key says which it is.
        provider_id=f"status:{receipt_id}",
        delivery_id=delivery_id or None,
        message_provider_id=message_id or None,
        word=word,
        state=STATES.get(word),
        raw=raw,
        received_at=request.received_at,
        reason=reason or None,
        detail=detail or None,
    )


def _read_text(
    told: dict[str, Any],
    name: str,
    problems: dict[str, str],
    *,
    limit: int,
    required: bool = False,
    blank: bool = False,
) -> str:
    value = told.pop(name, None)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        problems[name] = Sentence("must be text")
        return ""
    text = clean_text(value)
    if not blank:
        text = text.strip()
        if required and not text:
            problems[name] = Sentence("must not be empty")
    if len(text) > limit:
        problems[name] = Sentence("may have at most {count} characters", count=limit)
    return text


def _read_instant(told: dict[str, Any], name: str, problems: dict[str, str]) -> datetime | None:
    value = told.pop(name, None)
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
        if instant.utcoffset() is not None:
            return instant.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass  # said below, together with a missing time zone
    problems[name] = Sentence("must be an ISO 8601 instant with its time zone")
    return None


def _check_all_read(told: dict[str, Any], problems: dict[str, str]) -> None:
    for name in told:
        problems[clean_text(name)[:64]] = Sentence("is not known here")
    if problems:
        raise BadRequest("The payload cannot be taken.", fields=problems)
