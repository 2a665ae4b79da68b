"""The signature between the hub and its media process, in both directions.

    X-Hub-Timestamp: unix seconds
    X-Hub-Signature: hex(HMAC-SHA256(key, timestamp + "\\n" + method + "\\n" + path + "\\n" + body))

`path` is that of the URL, percent-encoded as it travels, without query. `key` is the vault's for "media".
"""

from __future__ import annotations

import hashlib
import hmac

from hub.errors import BadSignature

SIGNATURE_HEADER = "X-Hub-Signature"
TIMESTAMP_HEADER = "X-Hub-Timestamp"

# A request caught on its way is worth nothing afterwards; clocks of two machines may be this far apart.
TOLERANCE_S = 300


def sign(key: bytes, timestamp: int, method: str, path: str, body: bytes) -> str:
    signed = f"{timestamp}\n{method}\n{path}\n".encode() + body
    return hmac.new(key, signed, hashlib.sha256).hexdigest()


def signed_headers(key: bytes, timestamp: int, method: str, path: str, body: bytes) -> dict[str, str]:
    return {
        SIGNATURE_HEADER: sign(key, timestamp, method, path, body),
        TIMESTAMP_HEADER: str(timestamp),
    }


def check_signature(
    key: bytes, now: float, *, signature: str, timestamp: str, method: str, path: str, body: bytes
) -> None:
    """Raises BadSignature. `signature` and `timestamp` as they came, empty where there was none."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise BadSignature("the request has no timestamp")
    if abs(now - int(timestamp)) > TOLERANCE_S:
        raise BadSignature("the request is too old, or a clock is wrong")
    expected = sign(key, int(timestamp), method, path, body)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise BadSignature("the signature does not match")
