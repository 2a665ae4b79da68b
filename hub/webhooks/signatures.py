"""How a webhook proves that it is ours, in the manner of the Standard Webhooks specification, version 1.0.0
(github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md), symmetric scheme:

    webhook-id          the same at every try of one delivery
    webhook-timestamp   seconds since 1970, of this try
    webhook-signature   v1,BASE64, the HMAC-SHA256 of "ID.TIMESTAMP.BODY"; several with a space between while two secrets hold

A secret is 24 to 64 random bytes, written whsec_BASE64; the key is the bytes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def signed_headers(keys: Iterable[str], message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """By every secret that holds: a receiver may know either."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, message_id, timestamp, body) for secret in keys),
    }
