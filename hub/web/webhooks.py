"""Where providers post: `POST /webhooks/{channel_id}/{kind}`.

    read (bounded) → which account → verify the signature → parse → one transaction → only then the provider's 2xx

Unknown channel 404, bad signature 403 and nothing stored, malformed 400/422, too large 413, database away 503 (the
provider tries again). The answer is whatever the provider wants to read; errors have the API's one shape.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from hub.channels.channel import Arrival, Channel, WebhookRequest
from hub.web.api import error_answer, hub_of, read_body

# A longer body (a mail with files) is read in a thread: reading it here would hold up everybody.
_ASIDE_BYTES = 64 * 1024


async def receive(request: Request) -> Response:
    hub = hub_of(request)
    try:
        channel = await hub.channels.get(request.path_params["channel_id"])
        limit_bytes = channel.capabilities.webhook_limit_bytes or hub.settings.body_limit_bytes
        body = await read_body(request, limit_bytes)
        # Straight from the scope: building the URL and header objects costs as much as checking the signature.
        query = request.scope["query_string"].decode("latin-1")
        webhook = WebhookRequest(
            kind=request.path_params["kind"],
            # The address the provider was given, not the one a proxy made of it: that is what it signed.
            url=hub.settings.public_url + request.scope["path"] + (f"?{query}" if query else ""),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]},
            body=body,
            received_at=hub.database.clock(),
        )
        if len(body) > _ASIDE_BYTES:
            arrivals = await asyncio.to_thread(_read, channel, webhook)
        else:
            arrivals = _read(channel, webhook)
        await hub.intake.accept(channel.account.id, arrivals)
        answer = channel.answer(webhook)
    except Exception as error:
        return error_answer(request, error)
    return Response(answer.body, answer.status, media_type=answer.media_type)


def _read(channel: Channel, webhook: WebhookRequest) -> list[Arrival]:
    channel.verify(webhook)
    return channel.parse(webhook)
