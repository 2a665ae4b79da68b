"""One POST to an address that an administrator named, kept out of our own network and within bounds: what all webhooks of
the hub go through.

    url_fault    what is wrong with an address, before it is stored and again before it is used
    guarded_post resolve → refuse what is not public → connect to the very address that was looked at → status, first bytes

Addresses of our own network (private, loopback, link-local, those of clouds' metadata …) are refused unless the settings
allow them, also those that a name leads to; redirects are not followed; certificates are verified. A whole attempt takes
TIMEOUT_S at most, however slowly the far side speaks, and no more of what it says is read than is kept.

Names are looked up by threads of our own, one at a time for each name: a name server that does not answer holds up those
who ask for that name and nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hub.channels.public_addresses import NotPublic, is_own_number, is_public
from hub.domain.sentences import Sentence
from hub.errors import Refused, Unavailable

if TYPE_CHECKING:
    import aiohttp
    import aiohttp.abc

_URL_LIMIT = 2_000
# A receiver that has more to do answers first (so say Stripe, GitHub: 10 s).
TIMEOUT_S = 10.0
# The status says all that counts: so long the words beside it are waited for.
_WORDS_S = 2.0
# RFC 9110, 10.2.3: seconds; a date is as good as nothing to us. A receiver may not put us off for longer than this.
_RETRY_AFTER_MOST_S = 3_600.0
_LOOKUPS = ThreadPoolExecutor(16, thread_name_prefix="hub-webhook-names")


@dataclass(frozen=True, slots=True)
class Answer:
    """`text`: the first bytes of what was said, as far as they are text. `retry_after_s`: when the far side wants to be asked
    again, if it says so."""

    status: int
    text: str
    duration_ms: int
    retry_after_s: float | None = None


def url_fault(url: str, *, may_be_private: bool) -> str | None:
    """What is wrong with an address, in words; None: nothing."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return Sentence("is no web address")
    if len(url) > _URL_LIMIT or not url.isascii() or not url.isprintable() or " " in url:
        return Sentence("is no web address")
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return Sentence("must begin with https:// or http://, and name a host")
    if parts.username is not None or parts.password is not None:
        return Sentence("must not hold a name or a password")
    name = host.rstrip(".")
    if not may_be_private and (is_own_number(host) or name == "localhost" or name.endswith(".localhost")):
        return Sentence("is not a public address")
    return None


async def guarded_post(
    url: str, body: bytes, headers: Mapping[str, str], *, may_be_private: bool, keep_bytes: int = 0
) -> Answer:
    """Whatever the far side answers. Refused (`webhook_not_allowed`): we do not go there; Unavailable: it gave no answer,
    and why in a machine's word (`timed_out`, `no_such_host`, `tls`, `not_connected`, `bad_answer`). Their messages name no
    address."""
    import aiohttp
    from yarl import URL

    if fault := url_fault(url, may_be_private=may_be_private):
        raise Refused(f"The webhook's address {fault}.", code="webhook_not_allowed")
    began = monotonic()
    connector = aiohttp.TCPConnector(resolver=_resolver(may_be_private=may_be_private), force_close=True)
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            # What is packed is not unpacked: a few bytes may become gigabytes.
            aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            session.post(
                URL(url, encoded=True),
                data=body,
                headers={"Content-Type": "application/json", "User-Agent": "hub", **headers},
                allow_redirects=False,
            ) as response,
        ):
            text = await _first_bytes(response, keep_bytes)
            return Answer(
                status=response.status,
                text=text,
                duration_ms=round((monotonic() - began) * 1000),
                retry_after_s=_retry_after_s(response.headers.get("Retry-After", "")),
            )
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        # aiohttp wraps what its resolver raises.
        if isinstance(error.__cause__, NotPublic):
            raise Refused("The webhook leads to an address that is not public.", code="webhook_not_allowed") from error
        code, words = _why(error)
        raise Unavailable(words, code=code) from error


def _why(error: Exception) -> tuple[str, str]:
    import aiohttp

    if isinstance(error, TimeoutError):
        return "timed_out", f"No answer within {TIMEOUT_S:g} seconds."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "no_such_host", "There is no host of this name."
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "tls", "The certificate is not valid, or no TLS is spoken there."
    if isinstance(error, aiohttp.ClientConnectorError):
        return "not_connected", "Nothing listens at this address."
    if isinstance(error, aiohttp.ServerConnectionError | aiohttp.ClientOSError):
        return "broken_off", "The connection broke off before there was an answer."
    return "bad_answer", "What came back is no answer in HTTP."


async def _first_bytes(response: aiohttp.ClientResponse, limit: int) -> str:
    """Of an answer whose words do not come, what has come."""
    import aiohttp

    parts, size = [], 0
    with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(_WORDS_S):
            while size < limit and (part := await response.content.read(limit - size)):
                parts.append(part)
                size += len(part)
    text = b"".join(parts).decode("utf-8", "replace")
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _retry_after_s(text: str) -> float | None:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        return None
    return min(float(text), _RETRY_AFTER_MOST_S)


def _look_up(host: str, port: int, family: int) -> list[tuple[str, int, int, int]]:
    """(number, port, family, protocol) of each address of a name. Blocks."""
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(str(place[0]), int(place[1]), int(kind), protocol) for kind, _, protocol, _, place in found]


# Names that are being looked up, so that each keeps one thread at most.
_asked: dict[tuple[asyncio.AbstractEventLoop, str, int, int], asyncio.Future[list[tuple[str, int, int, int]]]] = {}


async def _look_up_once(host: str, port: int, family: int) -> list[tuple[str, int, int, int]]:
    loop = asyncio.get_running_loop()
    key = (loop, host, port, family)
    future = _asked.get(key)
    if future is None:
        future = _asked[key] = loop.run_in_executor(_LOOKUPS, _look_up, host, port, family)
        future.add_done_callback(lambda done: (_asked.pop(key, None), done.cancelled() or done.exception()))
    return await asyncio.shield(future)


def _resolver(*, may_be_private: bool) -> aiohttp.abc.AbstractResolver:
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Resolver(AbstractResolver):
        """Where it leads is looked at here, and the connection is made to what was looked at: there is no gap between the two
        in which a name could come to mean something else (DNS rebinding)."""

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            found = await _look_up_once(host, port, family)
            if not may_be_private and not all(is_public(number) for number, _, _, _ in found):
                raise NotPublic(f"{host} is not a public address")
            return [
                ResolveResult(
                    hostname=host,
                    host=number,
                    port=at,
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
                for number, at, kind, protocol in found
            ]

        async def close(self) -> None:
            pass

    return Resolver()
