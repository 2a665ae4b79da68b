"""How an account's owner allows the hub to use a mailbox: OAuth 2's authorisation code with PKCE (RFC 6749 section 4.1,
RFC 7636), once, in the administrator's browser. What comes of it is the refresh token that channels.oauth lives on.

    consent_url   where the browser is sent: the provider asks its user
    exchange      the code it came back with, for the refresh token
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from urllib.parse import urlencode

from hub.channels.oauth import SCOPES, TOKEN_URLS, post_form
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput, Refused

# developers.google.com/identity/protocols/oauth2/web-server; learn.microsoft.com, "OAuth 2.0 authorization code flow".
AUTHORISE_URLS: Mapping[str, str] = {
    "google": "https://accounts.google.com/o/oauth2/v2/auth",
    "microsoft": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
}
_CONSENT_SCOPES: Mapping[str, str] = {**SCOPES, "google": "https://mail.google.com/"}


def consent_url(settings: Mapping[str, str], *, redirect_url: str, state: str, verifier: str) -> str:
    """InvalidInput naming the setting that is missing."""
    provider = settings.get("oauth_provider", "")
    base = settings.get("oauth_authorise_url", "") or AUTHORISE_URLS.get(provider, "")
    missing = {
        f"settings.{name}": Sentence("is needed for signing in")
        for name, value in (
            ("oauth_provider", provider),
            ("oauth_authorise_url", base),
            ("oauth_client_id", settings.get("oauth_client_id", "")),
        )
        if not value
    }
    if missing:
        raise InvalidInput("this account cannot sign in yet", fields=missing)
    query = {
        "response_type": "code",
        "client_id": settings["oauth_client_id"],
        "redirect_uri": redirect_url,
        "scope": _CONSENT_SCOPES.get(provider, "mail offline_access"),
        "state": state,
        "code_challenge": _challenge(verifier),
        "code_challenge_method": "S256",
        # Google gives a refresh token only when asked so, and again only when it asks its user again.
        "access_type": "offline",
        "prompt": "consent",
        "login_hint": settings.get("address", ""),
    }
    return f"{base}{'&' if '?' in base else '?'}{urlencode(query)}"


async def exchange(
    settings: Mapping[str, str], secrets: Mapping[str, str], *, code: str, redirect_url: str, verifier: str
) -> str:
    """The refresh token. Refused `account_refused` when the provider does not give one, Unavailable when it does not
    answer."""
    provider = settings.get("oauth_provider", "")
    url = settings.get("oauth_token_url", "") or TOKEN_URLS.get(provider, "")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_url,
        "client_id": settings.get("oauth_client_id", ""),
        "code_verifier": verifier,
    }
    if secrets.get("oauth_client_secret"):
        form["client_secret"] = secrets["oauth_client_secret"]
    status, told, _ = await post_form(url, form)
    token = told.get("refresh_token")
    if status == 200 and isinstance(token, str) and token:
        return token
    word = str(told.get("error") or ("no_refresh_token" if status == 200 else status))[:60]
    raise Refused("the provider did not allow it", code="account_refused", provider_code=word)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
