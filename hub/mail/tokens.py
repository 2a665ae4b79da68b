"""Signed tokens: how a mail that answers ours, or reports on ours, finds back to where it belongs.

    reply address    support+c-THREAD-SIG@example.com          in Reply-To, where the account has plus addressing
    bounce address   support+b-DELIVERY-SIG@example.com        the envelope's sender, likewise
    envelope id      b-DELIVERY-SIG                            ENVID of RFC 3461; comes back in delivery reports
    Message-ID       DELIVERY.THREAD.SIG@example.com           comes back in References, In-Reply-To and reports

Mail systems fold the case of local parts, and some that of Message-IDs, so everything is written in lower-case letters,
digits and the three separators, and read in any case. A signature that is wrong or missing makes no token: whoever
guesses a conversation's name is nobody. With an empty key nothing is signed and nothing is found.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable

# 80 bits: guessing one takes 2^79 mails on average, and 16 characters leave room in a local part.
_SIGNATURE_BYTES = 10

# RFC 5321 section 4.5.3.1.1; servers refuse longer ones, so a token that does not fit is left out.
_LOCAL_PART_LIMIT = 64

# No mail that deserves an answer names more; the limit bounds the work of a hostile one.
_LOOK_AT_MOST = 1_000

_PLAIN = re.compile(r"[a-z0-9]{1,64}")
_URLSAFE = re.compile(r"[A-Za-z0-9_-]{4,64}")
_VALUE = r"[abu][a-z0-9]{0,400}"
_SIGNATURE = r"[a-z2-7]{16}"
_TAG = re.compile(rf"([bc])-({_VALUE})-({_SIGNATURE})")
_MESSAGE_ID = re.compile(rf"({_VALUE})\.({_VALUE})\.({_SIGNATURE})")
# Longer than any token of ours with its address.
_TEXT_LIMIT = 1_200

_REPLY, _BOUNCE = "c", "b"


class Tokens:
    """The tokens of one account. `address` is its own, in normal form; `key` never leaves the process."""

    def __init__(self, key: bytes, address: str) -> None:
        self._key = key
        self._local, _, self._domain = address.rpartition("@")

    def reply_address(self, thread: str) -> str:
        """Where an answer belongs; the bare address when there is no key or the token does not fit into it."""
        return self._tagged(_REPLY, thread)

    def bounce_address(self, delivery_id: str) -> str:
        """Where reports about this delivery belong; the bare address as above."""
        return self._tagged(_BOUNCE, delivery_id)

    def envelope_id(self, delivery_id: str) -> str:
        """ENVID of this delivery; empty without a key."""
        return self._tag(_BOUNCE, delivery_id) if self._key else ""

    def message_id(self, delivery_id: str, thread: str) -> str:
        """The Message-ID without its angle brackets, the same at every attempt. Unsigned, hence no token, when there is
        no key."""
        if not self._key:
            return f"{hashlib.sha256(delivery_id.encode()).hexdigest()[:32]}@{self._domain}"
        delivery, where = _encode(delivery_id), _encode(thread)
        return f"{delivery}.{where}.{self._sign('m', delivery, where)}@{self._domain}"

    def find_thread(self, addresses: Iterable[str], message_ids: Iterable[str]) -> str | None:
        """The conversation that one of these tokens names: addresses first, then Message-IDs, each in its order."""
        for tag in _first(addresses):
            value = self._read_tag(tag, _REPLY)
            if value is not None:
                return value
        for message_id in _first(message_ids):
            values = self._read_message_id(message_id)
            if values is not None and values[1]:
                return values[1]
        return None

    def find_delivery(self, addresses: Iterable[str], message_ids: Iterable[str]) -> str | None:
        """The delivery that one of these tokens names: bounce addresses, then Message-IDs and envelope ids."""
        for tag in _first(addresses):
            value = self._read_tag(tag, _BOUNCE)
            if value is not None:
                return value
        for message_id in _first(message_ids):
            values = self._read_message_id(message_id)
            if values is not None:
                return values[0]
            value = self._read_tag(message_id, _BOUNCE)
            if value is not None:
                return value
        return None

    def _tagged(self, purpose: str, value: str) -> str:
        local = f"{self._local}+{self._tag(purpose, value)}"
        if not self._key or len(local.encode()) > _LOCAL_PART_LIMIT:
            local = self._local
        return f"{local}@{self._domain}"

    def _tag(self, purpose: str, value: str) -> str:
        encoded = _encode(value)
        return f"{purpose}-{encoded}-{self._sign(purpose, encoded)}"

    def _read_tag(self, text: str, purpose: str) -> str | None:
        """`text` is an address with a tag behind its first plus sign, or the tag alone."""
        if not self._key or len(text) > _TEXT_LIMIT:
            return None
        local = text.rpartition("@")[0] or text
        found = _TAG.fullmatch(local.rpartition("+")[2].strip().lower())
        if found is None or found[1] != purpose or not self._is_signed(found[3], purpose, found[2]):
            return None
        return _decode(found[2])

    def _read_message_id(self, text: str) -> tuple[str, str] | None:
        if not self._key or len(text) > _TEXT_LIMIT:
            return None
        found = _MESSAGE_ID.fullmatch(text.strip().strip("<>").rpartition("@")[0].lower())
        if found is None or not self._is_signed(found[3], "m", found[1], found[2]):
            return None
        delivery_id, thread = _decode(found[1]), _decode(found[2])
        return None if delivery_id is None or thread is None else (delivery_id, thread)

    def _sign(self, purpose: str, *encoded: str) -> str:
        text = "\0".join(("mail", purpose, *encoded))
        return _base32(hmac.digest(self._key, text.encode(), "sha256")[:_SIGNATURE_BYTES])

    def _is_signed(self, given: str, purpose: str, *encoded: str) -> bool:
        return hmac.compare_digest(given, self._sign(purpose, *encoded))


def _first(texts: Iterable[str]) -> Iterable[str]:
    return (text for _, text in zip(range(_LOOK_AT_MOST), texts, strict=False))


def _encode(value: str) -> str:
    """`value` in lower-case letters and digits. The first letter says how: `a` as it stands, `b` the bytes of its
    base64url (how `secrets.token_urlsafe` writes: a third shorter than the next), `u` its UTF-8."""
    if _PLAIN.fullmatch(value):
        return "a" + value
    if _URLSAFE.fullmatch(value):
        try:
            content = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except binascii.Error:
            content = b""
        if _base64url(content) == value:
            return "b" + _base32(content)
    return "u" + _base32(value.encode())


def _decode(encoded: str) -> str | None:
    how, body = encoded[0], encoded[1:]
    if how == "a":
        return body
    try:
        content = base64.b32decode(body.upper() + "=" * (-len(body) % 8))
        return _base64url(content) if how == "b" else content.decode()
    except ValueError:
        return None  # signed by us, hence written by another version of this code


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _base32(content: bytes) -> str:
    return base64.b32encode(content).decode().rstrip("=").lower()
