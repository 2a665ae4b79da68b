"""Where providers post: `POST /webhooks/{channel_id}/{kind}`.

    read (bounded) → which account → verify the signature → parse → one transaction → only then the provider's 2xx

Unknown channel 404, bad signature 403 and nothing stored, malformed 400/422, too large 413, database away 503 (the
provider tries again). The answer is whatever the provider wants to read; errors have the API's one shape.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from hub.channels.channel import WebhookRequest
from hub.web.api import error_answer, hub_of, read_body


async def receive(request: Request) -> Response:
    hub = hub_of(request)
    try:
        channel = await hub.channels.get(request.path_params["channel_id"])
        body = await read_body(request, hub.settings.body_limit_bytes)
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
        channel.verify(webhook)
        arrivals = channel.parse(webhook)
        await hub.intake.accept(channel.account.id, arrivals)
        answer = channel.answer(webhook)
    except Exception as error:
        return error_answer(request, error)
    return Response(answer.body, answer.status, media_type=answer.media_type)
