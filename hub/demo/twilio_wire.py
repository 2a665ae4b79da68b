"""Twilio's words, as the demo carrier speaks them: signatures, segments, error codes, magic numbers, opt-out keywords.

Pure: values in, values out. Sources are Twilio's public pages, read 2026-11-22:
  signature       docs/usage/webhooks/webhooks-security
  segments        docs/glossary/what-is-gsm-7-character-encoding, docs/glossary/what-sms-character-limit
  error codes     docs/api/errors
  magic numbers   docs/iam/test-credentials
  opt-out         docs/messaging/tutorials/advanced-opt-out
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Literal

API_VERSION = "2010-04-01"
BODY_LIMIT = 1600  # characters, error 21617
MEDIA_COUNT_LIMIT = 10  # error 21623
MEDIA_SIZE_LIMIT_BYTES = 5 * 1024 * 1024  # jpeg, png, gif
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")

# --- signature --------------------------------------------------------------------------------------------------------


def signature(auth_token: str, url: str, form: Iterable[tuple[str, str]]) -> str:
    """X-Twilio-Signature: base64 of HMAC-SHA1 over the full URL and every form pair, sorted by name, run together.

    A name that comes more than once counts once for each distinct value, values sorted.
    """
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    return base64.b64encode(hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


# --- segments ---------------------------------------------------------------------------------------------------------

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€\f")  # two septets each: escape and the character


def segments(text: str) -> int:
    """How many SMS parts carry the text: 160 or 153 septets each in GSM-7, else 70 or 67 UTF-16 units."""
    if all(c in _GSM_BASIC or c in _GSM_EXTENDED for c in text):
        units, alone, joined = sum(2 if c in _GSM_EXTENDED else 1 for c in text), 160, 153
    else:
        units, alone, joined = len(text.encode("utf-16-le", "surrogatepass")) // 2, 70, 67
    return 1 if units <= alone else -(-units // joined)


# --- errors -----------------------------------------------------------------------------------------------------------

# What Twilio says for each code; {} takes the offending value.
ERROR_WORDS = {
    20001: "Invalid parameter: {}",
    20003: "Authenticate",
    20009: "Cannot delete this resource while it is in use",
    20404: "The requested resource {} was not found",
    20422: "Invalid parameter: {}",
    20429: "Too Many Requests",
    20500: "Internal Server Error",
    20503: "Service Unavailable",
    21201: "No 'To' number specified",
    21205: "Invalid or missing URL: {}",
    21210: "The source phone number provided, {}, is not yet verified for your account.",
    21211: "Invalid 'To' Phone Number: {}",
    21212: "Invalid 'From' Number: {}",
    21213: "'From' phone number is required",
    21214: "'To' phone number cannot be reached: {}",
    21215: "Account not authorized to call {}. Perhaps you need to enable some international permissions.",
    21216: "Account not allowed to call {}",
    21220: "Call is not in-progress. Cannot redirect.",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {}",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21606: (
        "The 'From' phone number {} is not a valid, SMS-capable inbound phone number or short code for your account."
    ),
    21609: "The 'StatusCallback' URL {} is not a valid URL.",
    21610: "Attempt to send to unsubscribed recipient",
    21611: "This 'From' number {} has exceeded the maximum number of queued messages",
    21612: (
        "Message cannot be sent with the current combination of 'To' and/or 'From' parameters. Please make sure that "
        "the 'To' number {} is currently reachable."
    ),
    21614: "'To' number {} is not a valid mobile number",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21620: "Invalid media URL(s): {}",
    21623: "Number of media files exceeds allowed limit.",
    22001: "A friendly name is required for a queue",
    22002: "Queue is not empty",
    22003: "A queue with that name exists already",
    21703: "The Messaging Service {} does not contain any phone numbers.",
}
_STATUS = {20003: 401, 20404: 404, 20429: 429, 20500: 500, 20503: 503}  # all others are 400

# Why a message did not reach the handset (ErrorCode of a callback).
DELIVERY_WORDS = {
    11200: "HTTP retrieval failure",
    11751: "Media Message - Media exceeds messaging type limit",
    12300: "Invalid Content-Type",
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
}


class RestError(Exception):
    """A refusal in Twilio's shape: {"code", "message", "more_info", "status"}."""

    def __init__(self, code: int, value: str = "", *, status: int | None = None, retry_after_s: int | None = None):
        self.code = code
        self.status = status if status is not None else _STATUS.get(code, 400)
        self.message = ERROR_WORDS.get(code, "Error").format(value)
        self.retry_after_s = retry_after_s
        super().__init__(f"{code}: {self.message}")

    @property
    def body(self) -> dict[str, str | int]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


# --- magic numbers ----------------------------------------------------------------------------------------------------

# Twilio's own, for test credentials: the number that always ends in this refusal.
MAGIC_TO = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
# The same for calls.
MAGIC_CALL_TO = {"+15005550001": 21211, "+15005550002": 21214, "+15005550003": 21215, "+15005550004": 21216}
MAGIC_FROM = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}


def magic_delivery_error(to: str) -> int | None:
    """Ours, since Twilio has none: a number that ends in a delivery error code (…30003 to …30008) is accepted and
    then undelivered with that code; …30001 and …30002 fail before they are sent."""
    code = int(to[-5:]) if to[-5:].isdecimal() else 0
    return code if 30001 <= code <= 30008 else None


# --- opt-out ----------------------------------------------------------------------------------------------------------

OptOutType = Literal["STOP", "START", "HELP"]

STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "UNSTOP"})
HELP_WORDS = frozenset({"HELP", "INFO"})


@dataclass(frozen=True, slots=True)
class Keyword:
    kind: OptOutType
    reply: str


def keyword(text: str, *, opted_out: bool) -> Keyword | None:
    """The consent keyword a text is, if it is nothing but one. YES opts in only somebody who had opted out, so that a
    plain "yes" in a conversation stays a plain "yes"."""
    word = text.strip().upper()
    if word in STOP_WORDS:
        return Keyword(
            "STOP",
            "You have successfully been unsubscribed. You will not receive any more messages from this number. "
            "Reply START to resubscribe.",
        )
    if word in START_WORDS or (word == "YES" and opted_out):
        return Keyword(
            "START",
            "You have successfully been re-subscribed to messages from this number. Reply HELP for help. "
            "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
        )
    if word in HELP_WORDS:
        return Keyword("HELP", "Reply STOP to unsubscribe. Msg&Data Rates May Apply.")
    return None


# --- dates ------------------------------------------------------------------------------------------------------------


def rfc2822(at: datetime | None) -> str | None:
    return None if at is None else format_datetime(at)


def dlr_date(at: datetime) -> str:
    """RawDlrDoneDate: when the handset's network said so, YYMMDDhhmm in UTC."""
    return at.strftime("%y%m%d%H%M")
