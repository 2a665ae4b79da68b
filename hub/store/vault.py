"""Secrets at rest and signatures: everything that is derived from HUB_SECRET_KEY.

Each purpose has a key of its own (HKDF-SHA256 with the purpose as info), so no value made for one purpose is good for
another. Losing the key loses the channel secrets and signs everybody out; nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.errors import Misconfigured


class Vault:
    def __init__(self, secret_key: str) -> None:
        self._secret_key = secret_key.encode()
        self._fernet = Fernet(base64.urlsafe_b64encode(self.key("channel-secrets")))

    def key(self, purpose: str) -> bytes:
        """32 bytes for one purpose, always the same for the same secret key."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"hub/{purpose}".encode()).derive(self._secret_key)

    def seal(self, secrets: Mapping[str, str]) -> str:
        return self._fernet.encrypt(json.dumps(dict(secrets)).encode()).decode()

    def unseal(self, sealed: str) -> dict[str, str]:
        """Raises Misconfigured when the secret key is not the one they were sealed with."""
        try:
            opened = json.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken:
            raise Misconfigured(
                "the stored channel secrets cannot be opened: HUB_SECRET_KEY is not the key they were written with",
                fields={"HUB_SECRET_KEY": "does not open the stored secrets"},
            ) from None
        return {str(name): str(value) for name, value in opened.items()}

    def sign(self, purpose: str, message: str) -> str:
        """A 128-bit signature, URL-safe."""
        digest = hmac.new(self.key(purpose), message.encode(), hashlib.sha256).digest()[:16]
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def is_signed(self, purpose: str, message: str, signature: str) -> bool:
        return hmac.compare_digest(self.sign(purpose, message).encode(), signature.encode())
