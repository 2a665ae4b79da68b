"""Where providers post: `POST /webhooks/{channel_id}/{kind}`.

    which account → check the head → read (bounded) → verify the signature → parse → one transaction → only then the
    provider's 2xx

Unknown channel 404, bad signature 403 and nothing stored, malformed 400/422, too large 413, database away 503 (the
provider tries again). The answer is whatever the provider wants to read; errors have the API's one shape.

Anybody may post. Whom the headers betray is refused before the body is read; of the bodies that are read, those that are
long (mails) share a budget of bytes and must come within a time. What is beyond hears 503 and may come again. Short bodies
(texts, receipts) are not part of it, so nobody can keep them out by posting long ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from hub.calls import conductor, line_tests, lines
from hub.channels.channel import Arrival, Channel, WebhookAnswer, WebhookRequest
from hub.channels.voice import LegOrder, VoiceChannel
from hub.errors import BadRequest, Overloaded
from hub.store.database import Tx
from hub.timeline.adapters import is_line
from hub.web.api import HubLike, error_answer, hub_of, read_body

# A longer body (a mail with files) is read in a thread: reading it here would hold up everybody.
_ASIDE_BYTES = 64 * 1024
# Long bodies of this process at once, until each is answered: two of the longest, four of the largest mails. While a mail is
# parsed there are three times its bytes in memory, five times with Mailgun's form around it (tracemalloc, 25 MB of files,
# of text and of HTML, November 2026): at worst 480 MB.
LONG_BODIES_BYTES = 96 << 20
# 40 MB at 3 Mbit/s. A sender slower than that would keep the others out.
LONG_BODY_S = 120.0
_RETRY_AFTER_S = 30.0


@dataclass(slots=True)
class LongBodies:
    """What this process holds of all long bodies."""

    held_bytes: int = 0


long_bodies = LongBodies()


class _Share:
    """What one request holds of them; the start of each body, as long as a short one, is not counted."""

    def __init__(self) -> None:
        self._held_bytes = 0

    def grow(self, size_bytes: int) -> None:
        """The body has come to `size_bytes`. Raises Overloaded."""
        more_bytes = max(size_bytes - _ASIDE_BYTES, 0) - self._held_bytes
        if more_bytes and long_bodies.held_bytes + more_bytes > LONG_BODIES_BYTES:
            raise Overloaded("too much is being posted at once; try again later", retry_after_s=_RETRY_AFTER_S)
        self._held_bytes += more_bytes
        long_bodies.held_bytes += more_bytes

    def give_back(self) -> None:
        long_bodies.held_bytes -= self._held_bytes
        self._held_bytes = 0


async def receive(request: Request) -> Response:
    hub = hub_of(request)
    share: _Share | None = None
    try:
        channel = await hub.channels.find(request.path_params["channel_id"])
        kind = request.path_params["kind"]
        # Straight from the scope: building the URL and header objects costs as much as checking the signature.
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
        channel.check_head(kind, headers)
        limit_bytes = hub.settings.body_limit_bytes
        if not is_line(channel):
            limit_bytes = channel.capabilities.webhook_limit_bytes or limit_bytes
        if _is_short(headers):
            body = await read_body(request, limit_bytes)
        else:
            share = _Share()
            body = await _read_long(request, limit_bytes, share)
        query = request.scope["query_string"].decode("latin-1")
        webhook = WebhookRequest(
            kind=kind,
            # The address the provider was given, not the one a proxy made of it: that is what it signed.
            url=hub.settings.public_url + request.scope["path"] + (f"?{query}" if query else ""),
            headers=headers,
            body=body,
            received_at=hub.database.clock(),
        )
        if is_line(channel):
            answer = await _accept_call(hub, channel, webhook)
            return Response(answer.body, answer.status, media_type=answer.media_type)
        if len(body) > _ASIDE_BYTES:
            arrivals = await asyncio.to_thread(_read, channel, webhook)
        else:
            arrivals = _read(channel, webhook)
        await hub.intake.accept(channel.account.id, arrivals)
        answer = channel.answer(webhook)
    except Exception as error:
        return error_answer(request, error)
    finally:
        if share is not None:
            share.give_back()
    return Response(answer.body, answer.status, media_type=answer.media_type)


async def _accept_call(hub: HubLike, line: VoiceChannel, webhook: WebhookRequest) -> WebhookAnswer:
    """What a telephone line tells, in one transaction; and, if it asks what to do with a leg, that leg's scene as it is
    after it."""
    line.verify(webhook)
    events = line.parse(webhook)
    asked = line.asked_leg(webhook)
    channel_id = line.account.id

    def accept(tx: Tx) -> LegOrder | None:
        conductor.accept(tx, channel_id, events)
        leg = conductor.find_leg(tx, channel_id, asked) if asked is not None else None
        if leg is None:
            return line_tests.load_asked(tx, channel_id, asked) if asked is not None else None
        order = lines.order_of(tx, leg, hub.vault, hub.settings.public_url)
        lines.note_applied(tx, order, provider_leg_id=asked.provider_leg_id if asked is not None else None)
        return order

    return line.answer(webhook, await hub.database.transaction(accept))


def _is_short(headers: Mapping[str, str]) -> bool:
    """Whether the body is told to be; the server lets nobody write more than was told."""
    told = headers.get("content-length", "")
    return told.isdecimal() and int(told) <= _ASIDE_BYTES


async def _read_long(request: Request, limit_bytes: int, share: _Share) -> bytes:
    try:
        async with asyncio.timeout(LONG_BODY_S):
            return await read_body(request, limit_bytes, share.grow)
    except TimeoutError as error:
        raise BadRequest(f"the body did not come within {LONG_BODY_S:.0f} s", code="too_slow") from error


def _read(channel: Channel, webhook: WebhookRequest) -> list[Arrival]:
    channel.verify(webhook)
    return channel.parse(webhook)
