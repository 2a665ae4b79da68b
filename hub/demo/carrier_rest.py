"""The carrier's documented face: Twilio's REST API 2010-04-01, as far as SMS and MMS need it; calls: carrier_voice_rest.py.

    POST|GET  /2010-04-01/Accounts/{AccountSid}/Messages.json
    GET       /2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json
    GET       /2010-04-01/Accounts/{AccountSid}/Messages/{Sid}/Media.json, …/Media/{MediaSid}.json
    GET       /2010-04-01/Accounts/{AccountSid}/Messages/{Sid}/Media/{MediaSid}     307 to the content
    GET       /2010-04-01/Accounts/{AccountSid}.json
    GET       /2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers.json

Shapes follow Twilio's OpenAPI document (twilio-oai, api_v2010); errors follow docs/api/errors. Addresses in answers are
relative to the API's root, as Twilio's are, whatever the path the carrier is mounted at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from hub.demo import carrier_voice_rest, twilio_wire
from hub.demo.twilio_wire import RestError

if TYPE_CHECKING:
    from hub.demo.carrier import Carrier, FaultKind, Medium, Message

# Twilio's own limits for lists: 50 by default, 1,000 at most.
PAGE_SIZE, PAGE_SIZE_LIMIT = 50, 1000
# A form with a 1,600 character body and ten media addresses is far below this.
FORM_LIMIT_BYTES = 64 * 1024

_REFUSALS: Sequence[FaultKind] = ("refuse", "too_many_requests", "server_error", "timeout")
_AFTER: Sequence[FaultKind] = ("timeout_after_accept", "error_after_accept")

Handler = Callable[[Request], Awaitable[Response]]


def routes(carrier: Carrier) -> list[BaseRoute]:
    from hub.demo.carrier import check_basic_auth

    root = f"/{twilio_wire.API_VERSION}/Accounts/{{account}}"

    def signed_in(handler: Handler) -> Handler:
        async def endpoint(request: Request) -> Response:
            if not carrier.base_url:
                carrier.base_url = str(request.base_url).rstrip("/")
            if not check_basic_auth(carrier, request.headers.get("authorization")):
                raise RestError(20003)
            if request.path_params["account"] != carrier.account_sid:
                raise _not_found(request)
            return await handler(request)

        return endpoint

    async def create_message(request: Request) -> Response:
        form = await read_form(request)
        to = dict(form).get("To", "")
        fault = carrier.take_fault(_REFUSALS, to)
        if fault is not None:
            if fault.kind == "refuse":
                raise RestError(fault.code or 21612, to)
            if fault.kind == "too_many_requests":
                raise RestError(20429, retry_after_s=round(fault.seconds or 1))
            if fault.kind == "timeout":
                await silence(request, fault.seconds)
            raise RestError(20503)
        message = carrier.send(form)
        after = carrier.take_fault(_AFTER, to)
        if after is not None:
            if after.kind == "error_after_accept":
                raise RestError(20500)
            await silence(request, after.seconds)
        return JSONResponse(message_resource(carrier, message), 201)

    async def list_messages(request: Request) -> Response:
        wanted = _filters(request)
        found = [m for m in reversed(carrier.messages.values()) if all(test(m) for test in wanted)]
        return JSONResponse(
            page(request, "messages", [message_resource(carrier, m) for m in found], [m.sid for m in found])
        )

    async def get_message(request: Request) -> Response:
        return JSONResponse(message_resource(carrier, _access_message(carrier, request)))

    async def list_media(request: Request) -> Response:
        message = _access_message(carrier, request)
        resources = [media_resource(carrier, message, medium) for medium in message.media]
        return JSONResponse(page(request, "media_list", resources, [m.sid for m in message.media]))

    async def get_media(request: Request) -> Response:
        message, medium = _access_medium(carrier, request)
        return JSONResponse(media_resource(carrier, message, medium))

    async def get_media_content(request: Request) -> Response:
        _, medium = _access_medium(carrier, request)
        return RedirectResponse(f"{carrier.base_url}/_carrier/media/{medium.sid}/{medium.secret}", 307)

    async def get_account(request: Request) -> Response:
        return JSONResponse(
            {
                "sid": carrier.account_sid,
                "friendly_name": "Demo carrier",
                "status": "active",
                "type": "Full",
                "owner_account_sid": carrier.account_sid,
                "date_created": None,
                "date_updated": None,
                "auth_token": None,
                "uri": f"/{twilio_wire.API_VERSION}/Accounts/{carrier.account_sid}.json",
                "subresource_uris": {
                    "messages": f"/{twilio_wire.API_VERSION}/Accounts/{carrier.account_sid}/Messages.json"
                },
            }
        )

    async def list_numbers(request: Request) -> Response:
        number = request.query_params.get("PhoneNumber")
        found = [n for n in carrier.numbers if number in (None, n)]
        resources: list[dict[str, object]] = [
            {
                "sid": "PN" + format(int(n[1:]), "032x"),
                "account_sid": carrier.account_sid,
                "phone_number": n,
                "friendly_name": n,
                "capabilities": {"sms": True, "mms": True, "voice": True, "fax": False},
                "sms_url": carrier.numbers[n].get("sms_url", ""),
                "sms_method": "POST",
                "voice_url": carrier.numbers[n].get("voice_url", ""),
                "voice_method": "POST",
                "status_callback": carrier.numbers[n].get("voice_status_callback", ""),
                "status_callback_method": "POST",
                "api_version": twilio_wire.API_VERSION,
            }
            for n in found
        ]
        return JSONResponse(page(request, "incoming_phone_numbers", resources, found))

    return [
        Route(f"{root}.json", signed_in(get_account)),
        Route(f"{root}/IncomingPhoneNumbers.json", signed_in(list_numbers)),
        Route(f"{root}/Messages.json", signed_in(create_message), methods=["POST"]),
        Route(f"{root}/Messages.json", signed_in(list_messages)),
        Route(f"{root}/Messages/{{sid}}.json", signed_in(get_message)),
        Route(f"{root}/Messages/{{sid}}/Media.json", signed_in(list_media)),
        Route(f"{root}/Messages/{{sid}}/Media/{{media}}.json", signed_in(get_media)),
        Route(f"{root}/Messages/{{sid}}/Media/{{media}}", signed_in(get_media_content)),
        *carrier_voice_rest.routes(carrier, root, signed_in),
    ]


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RestError)
    headers = {"Twilio-Request-Id": "RQ" + "0" * 32}
    if error.code == 20003:
        headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return JSONResponse(error.body, error.status, headers=headers)


exception_handlers: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {RestError: _answer_error}


# --- resources --------------------------------------------------------------------------------------------------------


def message_uri(carrier: Carrier, message: Message) -> str:
    return f"/{twilio_wire.API_VERSION}/Accounts/{carrier.account_sid}/Messages/{message.sid}"


def media_uri(carrier: Carrier, message: Message, medium: Medium) -> str:
    return f"{message_uri(carrier, message)}/Media/{medium.sid}"


def message_resource(carrier: Carrier, message: Message) -> dict[str, object]:
    uri = message_uri(carrier, message)
    words = twilio_wire.DELIVERY_WORDS.get(message.error_code, "Unknown error") if message.error_code else None
    return {
        "account_sid": carrier.account_sid,
        "api_version": twilio_wire.API_VERSION,
        "body": message.body,
        "date_created": twilio_wire.rfc2822(message.created_at),
        "date_sent": twilio_wire.rfc2822(message.sent_at),
        "date_updated": twilio_wire.rfc2822(message.updated_at),
        "direction": message.direction,
        "error_code": message.error_code,
        "error_message": words,
        "from": message.sender,
        "messaging_service_sid": carrier.messaging_service_sid if message.direction == "inbound" else None,
        "num_media": str(max(len(message.media), len(message.media_urls))),
        "num_segments": str(twilio_wire.segments(message.body)),
        "price": None,
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.recipient,
        "uri": f"{uri}.json",
    }


def media_resource(carrier: Carrier, message: Message, medium: Medium) -> dict[str, object]:
    return {
        "sid": medium.sid,
        "account_sid": carrier.account_sid,
        "parent_sid": message.sid,
        "content_type": medium.media_type,
        "date_created": twilio_wire.rfc2822(medium.created_at),
        "date_updated": twilio_wire.rfc2822(medium.created_at),
        "uri": f"{media_uri(carrier, message, medium)}.json",
    }


# --- requests ---------------------------------------------------------------------------------------------------------


def _not_found(request: Request) -> RestError:
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return RestError(20404, path)


def _access_message(carrier: Carrier, request: Request) -> Message:
    message = carrier.messages.get(request.path_params["sid"])
    if message is None:
        raise _not_found(request)
    return message


def _access_medium(carrier: Carrier, request: Request) -> tuple[Message, Medium]:
    message = _access_message(carrier, request)
    for medium in message.media:
        if medium.sid == request.path_params["media"]:
            return message, medium
    raise _not_found(request)


async def read_form(request: Request) -> list[tuple[str, str]]:
    """The pairs of a urlencoded body, in order, repeated names kept."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_LIMIT_BYTES:
            raise RestError(20422, "body", status=413)
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, encoding="utf-8", errors="strict")
    except ValueError:
        raise RestError(20422, "body") from None


async def silence(request: Request, seconds: float | None) -> None:
    """Says nothing for a while, or until the other side hangs up."""
    try:
        async with asyncio.timeout(60 if seconds is None else seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass


def _filters(request: Request) -> list[Callable[[Message], bool]]:
    tests: list[Callable[[Message], bool]] = []
    for name, value in request.query_params.multi_items():
        if name == "To":
            tests.append(lambda m, v=value: m.recipient == v)  # type: ignore[misc]
        elif name == "From":
            tests.append(lambda m, v=value: m.sender == v)  # type: ignore[misc]
        elif name in ("DateSent", "DateSent<", "DateSent>"):
            tests.append(_sent(name[8:], value))
    return tests


def _sent(sign: str, value: str) -> Callable[[Message], bool]:
    """DateSent filters: a date compares by day in UTC and includes it; an instant compares as an instant."""
    bound = _parse_when(value)

    def test(message: Message) -> bool:
        if message.sent_at is None:
            return False
        if not sign:  # "sent on that day", even when an instant is given
            return message.sent_at.date() == (bound.date() if isinstance(bound, datetime) else bound)
        if isinstance(bound, datetime):
            at: date = message.sent_at.replace(microsecond=0)
        else:
            at = message.sent_at.date()
        return at <= bound if sign == "<" else at >= bound

    return test


def _parse_when(value: str) -> date:
    """A date or an aware datetime, in the forms Twilio takes. Raises RestError 20422 for anything else."""
    try:
        if len(value) == 10:
            return date.fromisoformat(value)
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = parsedate_to_datetime(value)
    except ValueError:
        raise RestError(20422, "DateSent") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def page(request: Request, key: str, resources: Sequence[dict[str, object]], sids: Sequence[str]) -> dict[str, object]:
    """One page of a list. PageToken names the last item of the page before, so that what arrives meanwhile at the top
    neither repeats nor hides an item."""
    query = [(n, v) for n, v in request.query_params.multi_items() if n not in ("PageSize", "Page", "PageToken")]
    try:
        size = min(max(int(request.query_params.get("PageSize", PAGE_SIZE)), 1), PAGE_SIZE_LIMIT)
        page = max(int(request.query_params.get("Page", 0)), 0)
    except ValueError:
        raise RestError(20422, "PageSize") from None
    token = request.query_params.get("PageToken", "")
    start = sids.index(token[2:]) + 1 if token[2:] in sids else page * size
    shown = resources[start : start + size]
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))

    def uri(number: int, after: str | None) -> str:
        extra = [("PageSize", str(size)), ("Page", str(number))]
        if after is not None:
            extra.append(("PageToken", f"PA{after}"))
        return f"{path}?{urlencode([*query, *extra])}"

    more = start + size < len(resources)
    return {
        key: shown,
        "start": start,
        "end": start + max(len(shown) - 1, 0),
        "page": page,
        "page_size": size,
        "uri": uri(page, token[2:] or None),
        "first_page_uri": uri(0, None),
        "previous_page_uri": uri(page - 1, None) if page > 0 else None,
        "next_page_uri": uri(page + 1, sids[start + size - 1]) if more else None,
    }
