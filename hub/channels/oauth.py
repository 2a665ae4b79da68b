"""Signing in at a mail server by OAuth 2: access tokens for a refresh token (RFC 6749 section 6), and how SASL says them.

A refresh token is what the account's owner granted once; an access token lives for about an hour. `TokenSource` keeps
the latest one until shortly before it expires and asks for the next one once, however many wait for it.

    the grant is gone, or the client is not known    Unavailable(account_refused): mails wait until somebody signs in again
    no answer, 5xx, 429                              Unavailable

Asynchronous only: whoever works in a thread (IMAP) asks for the token before going there.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hub.channels.channel import KeepSecret, clean_text
from hub.channels.tls import is_loopback
from hub.domain.sentences import Sentence
from hub.errors import DatabaseAway, Unavailable

# developers.google.com/identity/protocols/oauth2/web-server#offline; learn.microsoft.com, "Authenticate an IMAP, POP or
# SMTP connection using OAuth". Microsoft wants to hear the scopes again; Google does not.
TOKEN_URLS: Mapping[str, str] = {
    "google": "https://oauth2.googleapis.com/token",
    "microsoft": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
}
SCOPES: Mapping[str, str] = {
    "microsoft": "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access"
}

_TIMEOUT_S = 15.0
# An access token is not used in its last two minutes: clocks differ, and a session takes its time.
_MARGIN_S = 120.0
# RFC 6749 section 5.1 leaves expires_in out sometimes; Google's and Microsoft's live an hour.
_DEFAULT_LIFE_S = 3_600.0
# No server's answer is longer; what is, is no answer.
_ANSWER_LIMIT_BYTES = 100_000
# A refused grant is not asked for again before this, however many mails wait: providers lock those who knock on.
_REFUSED_FOR_S = 60.0
# Google's and Microsoft's old refresh tokens live on for weeks, so the new one is written once a day. Others may take each
# token once only (RFC 6749 section 6): theirs is written at once.
_KEEP_EVERY_S: Mapping[str, float] = {"google": 86_400.0, "microsoft": 86_400.0}


@dataclass(frozen=True, slots=True)
class _Held:
    token: str
    until: float


class TokenSource:
    """The access tokens of one account. `scope` is sent along when it is not empty. `keep` is told of a refresh token that
    replaces the one there was: at once, or, where the old one is good for long yet, every `keep_every_s` at most. While
    the database is away it is told again with each token that is asked for."""

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        *,
        scope: str = "",
        keep: Callable[[str], Awaitable[None]] | None = None,
        keep_every_s: float = 0.0,
    ) -> None:
        self._url = url
        self._client_id = client_id
        self._client_secret = client_secret
        self._refresh_token = refresh_token
        self._scope = scope
        self._held: _Held | None = None
        self._refused: tuple[float, Unavailable] | None = None
        self._asking = asyncio.Lock()
        self._keep = keep
        self._keep_every_s = keep_every_s
        self._kept_at = float("-inf")
        self._unkept: str | None = None

    async def access_token(self) -> str:
        """Raises Unavailable; its code is `account_refused` when only a person can help."""
        async with self._asking:
            if self._held is None or time.monotonic() >= self._held.until:
                self._held = await self._ask()
            if self._unkept is not None:
                await self._keep_rotated(self._unkept)
            return self._held.token

    def forget(self, token: str) -> None:
        """A server did not take this token: the next call asks for a new one."""
        if self._held is not None and self._held.token == token:
            self._held = None

    async def _ask(self) -> _Held:
        if not self._refresh_token:
            raise Unavailable("Nobody has signed in at the provider yet.", code="account_refused")
        if self._refused is not None and time.monotonic() < self._refused[0]:
            raise Unavailable(self._refused[1].message, code=self._refused[1].code)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token,
            "client_id": self._client_id,
        }
        if self._client_secret:
            form["client_secret"] = self._client_secret
        if self._scope:
            form["scope"] = self._scope
        asked_at = time.monotonic()
        status, told, retry_after_s = await post_form(self._url, form)
        if status == 200 and isinstance(told.get("access_token"), str) and told["access_token"]:
            rotated = told.get("refresh_token")
            if isinstance(rotated, str) and rotated:
                # Microsoft hands out a new one each time; the old one ends after 90 days.
                self._refresh_token = self._unkept = rotated
            life_s = _life(told.get("expires_in"))
            return _Held(told["access_token"], asked_at + max(life_s - _MARGIN_S, life_s / 2))
        word = clean_text(str(told.get("error") or status))[:60]
        if status in (400, 401, 403) or (400 <= status < 500 and status not in (408, 425, 429)):
            refusal = Unavailable(
                f"The sign-in was refused ({word}). Sign in again and enter the new refresh token.",
                code="account_refused",
                provider_code=word,
            )
            self._refused = (time.monotonic() + _REFUSED_FOR_S, refusal)
            raise refusal
        raise Unavailable(
            "The sign-in service does not work at the moment.",
            provider_code=word,
            retry_after_s=retry_after_s,
        )

    async def _keep_rotated(self, refresh_token: str) -> None:
        if self._keep is None or time.monotonic() - self._kept_at < self._keep_every_s:
            return
        try:
            await self._keep(refresh_token)
        except DatabaseAway:
            return
        self._kept_at, self._unkept = time.monotonic(), None


def token_source(
    settings: Mapping[str, str], secrets: Mapping[str, str], keep_secret: KeepSecret | None = None
) -> TokenSource | None:
    """As the account says (oauth_provider, oauth_token_url, oauth_client_id; oauth_client_secret,
    oauth_refresh_token); None when it signs in by password."""
    provider = settings.get("oauth_provider", "").strip()
    url = settings.get("oauth_token_url", "").strip() or TOKEN_URLS.get(provider, "")
    refresh_token = secrets.get("oauth_refresh_token", "").strip()
    if not provider or not url:
        return None
    return TokenSource(
        url,
        settings.get("oauth_client_id", "").strip(),
        secrets.get("oauth_client_secret", "").strip(),
        refresh_token,
        scope=SCOPES.get(provider, ""),
        keep=functools.partial(keep_secret, "oauth_refresh_token") if keep_secret is not None else None,
        keep_every_s=_KEEP_EVERY_S.get(provider, 0.0),
    )


def token_url_problem(url: str) -> str | None:
    """https, because the refresh token goes there; http only to this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port_is_fine = parts.port != 0
    except ValueError:
        return Sentence("must be an address such as https://login.example.com/token")
    if not host or not port_is_fine or parts.username is not None:
        return Sentence("must be an address such as https://login.example.com/token")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return None
    return Sentence("must begin with https://")


def xoauth2(username: str, access_token: str) -> str:
    """The SASL XOAUTH2 initial response before base64 (developers.google.com/workspace/gmail/imap/xoauth2-protocol)."""
    return f"user={username}\x01auth=Bearer {access_token}\x01\x01"


def encoded_xoauth2(username: str, access_token: str) -> str:
    """The same in base64, as SMTP sends it."""
    return base64.b64encode(xoauth2(username, access_token).encode()).decode()


async def post_form(url: str, form: Mapping[str, str]) -> tuple[int, Mapping[str, Any], float | None]:
    """Status, the JSON object of the answer ({} when it is none), Retry-After in seconds."""
    # A third of a second and many megabytes, which an account with a password need not pay.
    import aiohttp

    problem = token_url_problem(url)
    if problem is not None:
        raise Unavailable("The address of the sign-in service is wrong.", code="account_refused")
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)) as session,
            # A redirect would take the refresh token to a place nobody entered.
            session.post(url, data=form, headers={"Accept": "application/json"}, allow_redirects=False) as answer,
        ):
            body = b""
            async for piece in answer.content.iter_chunked(_ANSWER_LIMIT_BYTES):
                body += piece
                if len(body) > _ANSWER_LIMIT_BYTES:
                    break
            retry_after = answer.headers.get("Retry-After", "")
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable("The sign-in service cannot be reached.", code="no_answer") from error
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = {}
    wait_s = float(retry_after) if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 6 else None
    return status, told if isinstance(told, dict) else {}, wait_s


def _life(expires_in: object) -> float:
    # A number, though some servers write it as text.
    if isinstance(expires_in, str) and expires_in.isascii() and expires_in.isdecimal() and len(expires_in) < 10:
        expires_in = int(expires_in)
    if isinstance(expires_in, int | float) and not isinstance(expires_in, bool) and 0 < expires_in < 10**9:
        return float(expires_in)
    return _DEFAULT_LIFE_S
