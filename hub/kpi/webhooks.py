"""Webhooks of alerts: a signed POST to an address that an administrator named.

    X-Hub-Timestamp   seconds since 1970
    X-Hub-Signature   sha256=HEX, the HMAC-SHA256 of "TIMESTAMP.BODY" with the rule's secret: whoever gets it computes the
                      same, compares, and refuses what is older than some minutes (a replay)
    X-Hub-Delivery    the same at every try of one message

Addresses of our own network are refused unless the settings allow them, also those that a name leads to; redirects are not
followed. Any 2xx is success. 408, 425, 429, 5xx and silence are tried again (Unavailable); any other answer is a refusal.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlsplit

from hub.channels.public_addresses import NotPublic, is_own_number, public_resolver
from hub.errors import Refused, Unavailable

_URL_LIMIT = 2_000
# A receiver that has more to do answers first (so say Stripe, GitHub: 10 s).
TIMEOUT_S = 10.0
_AGAIN = frozenset({408, 425, 429})


def url_fault(url: str, *, may_be_private: bool) -> str | None:
    """What is wrong with an address, in words; None: nothing."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is no web address"
    if len(url) > _URL_LIMIT or not url.isascii() or not url.isprintable() or " " in url:
        return "is no web address"
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return "must begin with https:// or http://, and name a host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a name or a password"
    name = host.rstrip(".")
    if not may_be_private and (is_own_number(host) or name == "localhost" or name.endswith(".localhost")):
        return "is not a public address"
    return None


def signature(secret: str, timestamp: int, body: bytes) -> str:
    digest = hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


async def post_webhook(
    url: str, secret: str, body: bytes, *, delivery_id: str, now: datetime, may_be_private: bool
) -> None:
    """Refused: do not repeat; Unavailable: repeat later. Their messages are for people, and name no address."""
    import aiohttp
    from yarl import URL

    if fault := url_fault(url, may_be_private=may_be_private):
        raise Refused(f"The webhook's address {fault}.", code="webhook_not_allowed")
    timestamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "hub",
        "X-Hub-Timestamp": str(timestamp),
        "X-Hub-Signature": signature(secret, timestamp, body),
        "X-Hub-Delivery": delivery_id,
    }
    connector = aiohttp.TCPConnector(resolver=None if may_be_private else public_resolver())
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(URL(url, encoded=True), data=body, headers=headers, allow_redirects=False) as response,
        ):
            # What is said beside the status interests nobody.
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        # aiohttp wraps what its resolver raises.
        if isinstance(error.__cause__, NotPublic):
            raise Refused("The webhook leads to an address that is not public.", code="webhook_not_allowed") from error
        raise Unavailable("The webhook does not answer.", code="webhook_away") from error
    if 200 <= status < 300:
        return
    if status in _AGAIN or status >= 500:
        raise Unavailable(f"The webhook answered {status}.", code="webhook_away", provider_code=str(status))
    raise Refused(f"The webhook answered {status}.", code="webhook_refused", provider_code=str(status))
