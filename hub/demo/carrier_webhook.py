"""How the carrier asks and tells an application: signed requests, tried again as Twilio tries.

Connection overrides stand in the fragment of an address (docs/usage/webhooks/webhooks-connection-overrides, read
2026-11-26): `#rc=2&rp=5xx,ct,rt&ct=2000&rt=5000&tt=9000`: `rc` attempts more (0 to 5, default 1), `rp` on what (ct connect
time-out, rt read time-out, 4xx, 5xx, all; default ct), times in milliseconds. The fragment is neither sent nor signed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urldefrag, urlencode, urljoin

import aiohttp

from hub.demo import twilio_wire

Pairs = Sequence[tuple[str, str]]

_CONNECT_MS, _READ_MS, _TOTAL_MS = 5000, 15_000, 15_000
ANSWER_LIMIT_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document is fetched, or `twiml` itself. `params` are sent besides those of every call."""

    url: str = ""
    method: str = "POST"
    twiml: str = ""
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Callback:
    """Where something is told, and which events."""

    url: str
    method: str = "POST"
    events: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` 0: there was none; `fault` is Twilio's number of why (0: fine)."""

    status: int
    content: bytes = b""
    media_type: str = ""
    fault: int = 0

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


def resolve(base: str, url: str) -> str:
    """`url` as seen from the document at `base`."""
    return urljoin(base, url) if base else url


async def request(http: aiohttp.ClientSession, auth_token: str, method: str, url: str, form: Pairs) -> Answer:
    """One webhook, all attempts. Never raises for what the other side does. Redirections are followed, as by Twilio."""
    address, fragment = urldefrag(url)
    if not address.startswith(("http://", "https://")):
        return Answer(0, fault=11100)
    wanted = {name: values[-1] for name, values in parse_qs(fragment).items()}
    retries = min(_whole(wanted.get("rc"), 1), 5)
    policy = set(wanted.get("rp", "ct").split(","))
    total_ms = _whole(wanted.get("tt"), _TOTAL_MS)
    headers = {
        "User-Agent": "TwilioProxy/1.1 (hub demo carrier)",
        "Accept": "*/*",
        "I-Twilio-Idempotency-Token": secrets.token_hex(16),
    }
    if method == "GET":
        address += ("&" if "?" in address else "?") + urlencode(form) if form else ""
        headers["X-Twilio-Signature"] = twilio_wire.signature(auth_token, address, [])
        body = None
    else:
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        headers["X-Twilio-Signature"] = twilio_wire.signature(auth_token, address, form)
        body = urlencode(form).encode()
    timeout = aiohttp.ClientTimeout(
        connect=_whole(wanted.get("ct"), _CONNECT_MS) / 1000, sock_read=_whole(wanted.get("rt"), _READ_MS) / 1000
    )
    answer = Answer(0, fault=11200)
    try:
        async with asyncio.timeout(total_ms / 1000):
            for attempt in range(retries + 1):
                answer, failure = await _try(http, method, address, body, headers, timeout)
                if failure is None or attempt == retries or not ({failure, "all"} & policy):
                    break
    except TimeoutError:
        return Answer(0, fault=11205)
    return answer


async def _try(
    http: aiohttp.ClientSession,
    method: str,
    address: str,
    body: bytes | None,
    headers: dict[str, str],
    timeout: aiohttp.ClientTimeout,
) -> tuple[Answer, str | None]:
    """The answer, and in the words of `rp` why it is none."""
    try:
        async with http.request(method, address, data=body, headers=headers, timeout=timeout) as answer:
            content = await answer.content.read(ANSWER_LIMIT_BYTES)
            while not answer.content.at_eof() and len(content) < ANSWER_LIMIT_BYTES:
                content += await answer.content.read(ANSWER_LIMIT_BYTES - len(content))
            if 200 <= answer.status < 300:
                return Answer(answer.status, content, answer.content_type), None
            return Answer(answer.status, content, answer.content_type, 11200), f"{answer.status // 100}xx"
    except (aiohttp.ServerTimeoutError, TimeoutError) as error:
        connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
        return Answer(0, fault=11205 if connecting else 11200), "ct" if connecting else "rt"
    except aiohttp.ClientConnectorError:
        return Answer(0, fault=11210), "ct"
    except (aiohttp.ClientError, ValueError):
        return Answer(0, fault=11200), "rt"


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default
