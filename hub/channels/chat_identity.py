"""Who is signed in on the page, as the page's own server says it: a signed word that the widget passes on.

    header.payload.signature        a JSON Web Token (RFC 7519) signed with HS256, so any library of the shop's can make it
    {"sub": "user 4711", "exp": 1764195600, "aud": "chat-site"?, "name"?: …, "email"?: …, "phone"?: …}

The key is the channel's own identity secret, so a token of another channel is a forgery here. A token holds at most a day
(`LONGEST`), is good for one browser (timeline.widgets remembers the first), and ends with the secret. Only HS256 is read: a
header that names another way of signing, or none, is refused before anything else is looked at.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.channels.channel import clean_text

LONGEST = timedelta(hours=24)
# Two machines' clocks are never quite the same.
_SLACK = timedelta(minutes=2)
_TOKEN_LIMIT = 4_096
_SUBJECT_LIMIT = 200


class IdentityRefused(Exception):
    """`code`: bad_token (not one, or not signed by our secret), expired, too_long, too_early, other_channel, used (by another
    browser) or switched_off (the channel has no secret)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is signed in at the shop. `subject` is the shop's own key of them."""

    subject: str
    expires_at: datetime
    name: str | None = None
    email: str | None = None
    phone: str | None = None


def new_secret() -> str:
    """256 random bits, as 43 letters, digits, _ and -."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """By which a token that was used is known again."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def read_identity(token: str, *, secret: str, channel_id: str, now: datetime) -> Identity:
    """Raises IdentityRefused."""
    if not secret:
        raise IdentityRefused("switched_off")
    if len(token) > _TOKEN_LIMIT or not token.isascii():
        raise IdentityRefused("bad_token")
    signed, _, given = token.rpartition(".")
    head, _, payload = signed.partition(".")
    told_head = _read_part(head)
    if told_head.get("alg") != "HS256" or "crit" in told_head:
        raise IdentityRefused("bad_token")
    expected = base64.urlsafe_b64encode(hmac.digest(secret.encode(), signed.encode(), "sha256")).rstrip(b"=")
    if not hmac.compare_digest(expected, given.encode()):
        raise IdentityRefused("bad_token")
    return _read_claims(_read_part(payload), channel_id, now)


def _read_part(part: str) -> dict[str, Any]:
    try:
        told = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise IdentityRefused("bad_token") from None
    if not isinstance(told, dict):
        raise IdentityRefused("bad_token")
    return told


def _read_claims(told: dict[str, Any], channel_id: str, now: datetime) -> Identity:
    audience = told.get("aud", channel_id)
    if audience != channel_id and not (isinstance(audience, list) and channel_id in audience):
        raise IdentityRefused("other_channel")
    subject, ends = told.get("sub"), told.get("exp")
    if isinstance(subject, int) and not isinstance(subject, bool):
        subject = str(subject)
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_LIMIT:
        raise IdentityRefused("bad_token")
    if not isinstance(ends, int | float) or isinstance(ends, bool) or not 0 < ends < 2**36:
        raise IdentityRefused("bad_token")
    expires_at = datetime.fromtimestamp(int(ends), UTC)
    if expires_at <= now:
        raise IdentityRefused("expired")
    if expires_at > now + LONGEST + _SLACK:
        raise IdentityRefused("too_long")
    # RFC 7519, 4.1.5; clocks of two machines differ a little.
    begins = told.get("nbf", 0)
    if not isinstance(begins, int | float) or isinstance(begins, bool) or not 0 <= begins < 2**36:
        raise IdentityRefused("bad_token")
    if datetime.fromtimestamp(int(begins), UTC) > now + _SLACK:
        raise IdentityRefused("too_early")
    return Identity(
        clean_text(subject),
        expires_at,
        name=_words(told, "name", 120),
        email=_words(told, "email", 254),
        phone=_words(told, "phone", 40),
    )


def _words(told: dict[str, Any], name: str, limit: int) -> str | None:
    value = told.get(name)
    return (" ".join(clean_text(value).split())[:limit] or None) if isinstance(value, str) else None
