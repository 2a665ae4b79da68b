"""What Twilio's products share: the webhook signature, Twilio's words in ours, and its REST API.

Everything here is named after Twilio; the adapters (sms.py, phone.py) turn it into the hub's values. Three parts, in
order:

1. **Signature.** `check_signature` proves that a webhook comes from Twilio and was not changed on its way.
2. **Word tables.** `MESSAGE_STATES` and `FAULTS`: a word or number that is not there is UNKNOWN and kept as it came.
3. **REST.** `Rest` drives the official client (`twilio.rest.Client`) over a transport of ours. The transport knows
   whether a request may have left this machine, which is the whole difference between "try again" and "ask first":

       nothing left yet (no address, no connection, TLS failed, pool full, connect timed out)    Unavailable
       it may have left, and no usable answer came (read timeout, reset, 5xx)                    Uncertain
       Twilio said no                                                                            Refused
       Twilio said not now (429, its queue is full)                                              Unavailable

   A GET changes nothing, so a GET that fails is Unavailable and never Uncertain.

`twilio.rest` and `aiohttp` are imported at the first REST call: together they cost more than half a second of start and
some 30 MB, which a hub without an SMS account need not pay.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qs, unquote_plus, urlencode, urljoin, urlsplit

from hub.channels.channel import Fetched, WebhookRequest
from hub.channels.public_addresses import NotPublic, is_own_number, public_resolver
from hub.domain.states import Delivery
from hub.errors import BadRequest, BadSignature, Refused, Unavailable, Uncertain

if TYPE_CHECKING:
    import aiohttp

API = "https://api.twilio.com"

# --- signature --------------------------------------------------------------------------------------------------------

# A Twilio webhook carries some 20 to 30 fields; ten media add 20 more. The limit only bounds the work of a hostile
# body.
_FIELDS_LIMIT = 1_000


@lru_cache(maxsize=16)
def form_pairs(body: bytes) -> tuple[tuple[str, str], ...]:
    """The fields of a form body in their order, repeated names and blank values included. Raises BadRequest.

    The same pairs as `urllib.parse.parse_qsl` with blank values kept (a test proves it) in half the time, because most
    of Twilio's fields are plain words. The few last bodies are remembered: `verify` and `parse` read the same one in
    turn.
    """
    try:
        fields = body.decode().split("&")
    except UnicodeDecodeError as error:
        raise BadRequest("The body is not a form.") from error
    if len(fields) > _FIELDS_LIMIT:
        raise BadRequest("The form has too many fields.")
    pairs = []
    for field in fields:
        if field:
            name, _, value = field.partition("=")
            if "%" in field or "+" in field:
                name, value = unquote_plus(name), unquote_plus(value)
            pairs.append((name, value))
    return tuple(pairs)


def signature(url: str, pairs: Iterable[tuple[str, str]], auth_token: str) -> str:
    """What Twilio writes into X-Twilio-Signature for a form posted to `url`.

    HMAC-SHA1, keyed with the auth token, over the URL followed by every name and value, sorted; a pair that comes twice
    counts once, as in Twilio's own libraries. Source: twilio.com/docs/usage/security#validating-requests and
    twilio-python 9.13; tests/channels/test_twilio_signature.py proves both equal.
    """
    signed = url + "".join([name + value for name, value in sorted(set(pairs))])
    # A lone surrogate cannot come from a form, but a caller's URL may hold anything.
    digest = hmac.digest(auth_token.encode(), signed.encode("utf-8", "surrogatepass"), "sha1")
    return base64.b64encode(digest).decode()


def check_signature(request: WebhookRequest, auth_token: str) -> None:
    """Raises BadSignature unless Twilio, holding `auth_token`, sent exactly this request to exactly this address.

    A form is covered field by field. Any other body must be covered by the `bodySHA256` of the query, which the
    signature of the URL covers in turn (twilio.com/docs/usage/security, "JSON"). Twilio signs with or without the port,
    whatever the address says (twilio-python: "sig generation on back end is inconsistent"), so both are tried.
    """
    given = request.headers.get("x-twilio-signature", "")
    # An empty key would make the signature anybody's to compute.
    if not given or not auth_token:
        raise BadSignature("The request carries no Twilio signature.")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded" or not request.body:
        try:
            pairs = form_pairs(request.body)
        except BadRequest as error:
            raise BadSignature("The signature does not match.") from error
    else:
        named = parse_qs(urlsplit(request.url).query).get("bodySHA256", [""])[0]
        if not _same(hashlib.sha256(request.body).hexdigest(), named):
            raise BadSignature("The signature does not cover the body.")
        pairs = ()
    # The address as it stands is right nearly always, so the second HMAC is rarely computed.
    if _same(signature(request.url, pairs, auth_token), given):
        return
    if not _same(signature(_other_port_form(request.url), pairs, auth_token), given):
        raise BadSignature("The signature does not match.")


def _same(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "replace"))


def _other_port_form(url: str) -> str:
    """`url` without its port if it names one, else with the default port of its scheme."""
    parts = urlsplit(url)
    host, colon, port = parts.netloc.rpartition(":")
    if colon and port.isdecimal():
        return parts._replace(netloc=host).geturl()
    return parts._replace(netloc=f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}").geturl()


# --- words ------------------------------------------------------------------------------------------------------------

# twilio.com/docs/messaging/api/message-resource#message-status-values and the OpenAPI enum (2026-04). `receiving` and
# `received` are words about incoming messages; `partially_delivered` is in the enum without a description, so it stays
# unknown rather than guessed.
MESSAGE_STATES: Mapping[str, Delivery] = {
    "accepted": Delivery.SENT,
    "scheduled": Delivery.SENT,
    "queued": Delivery.SENT,
    "sending": Delivery.SENT,
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.READ,
    "undelivered": Delivery.FAILED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.FAILED,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One of Twilio's error numbers in our words. `retry_after_s` None: it will not get better by itself."""

    reason: str
    retry_after_s: float | None = None


# Said of a number that stands in no table: the number itself is kept beside it.
UNKNOWN = "unknown"
ACCOUNT_REFUSED = "account_refused"

# Twilio queues what a sender may not send yet for hours; a full queue empties at the sender's rate (1 to 100 a second,
# twilio.com/docs/api/errors/21611), so a minute frees room.
_QUEUE_FULL_S = 60.0
# Without a Retry-After, Twilio asks for exponential back-off from one second (support.twilio.com/hc/en-us/articles/
# 48916449686299); the outbox grows it.
_RATE_LIMITED_S = 1.0

# twilio.com/docs/api/errors. Codes 30xxx come with receipts as a rule: there only `reason` is used.
FAULTS: Mapping[int, Fault] = {
    # our account: the administrator must act, and the channel's health shows it
    20003: Fault(ACCOUNT_REFUSED),  # authentication failed
    20005: Fault(ACCOUNT_REFUSED),  # account not active
    20006: Fault(ACCOUNT_REFUSED),  # access denied
    20008: Fault(ACCOUNT_REFUSED),  # test credentials
    20404: Fault(ACCOUNT_REFUSED),  # no such account under these credentials
    30002: Fault(ACCOUNT_REFUSED),  # account suspended
    20429: Fault("rate_limited", _RATE_LIMITED_S),
    10001: Fault(ACCOUNT_REFUSED),  # account not active
    10005: Fault(ACCOUNT_REFUSED),  # voice is switched off for this account
    10004: Fault("too_many_calls"),  # more calls at once than the account may have
    # the number written to
    21211: Fault("invalid_number"),
    21214: Fault("unreachable"),
    21217: Fault("invalid_number"),
    21401: Fault("invalid_number"),
    21604: Fault("invalid_number"),
    21612: Fault("unreachable"),  # this pair of numbers has no route
    21614: Fault("not_a_mobile"),
    21635: Fault("not_a_mobile"),  # a landline
    21408: Fault("country_not_allowed"),  # geo permissions
    21216: Fault("blocked"),
    21610: Fault("opted_out"),
    21608: Fault("trial_restricted"),  # a trial account writes to verified numbers only
    21219: Fault("trial_restricted"),
    30003: Fault("unreachable"),
    30005: Fault("unreachable"),
    30006: Fault("unreachable"),  # a landline, or a carrier that cannot be reached
    30004: Fault("blocked"),
    30007: Fault("carrier_filtered"),
    30450: Fault("blocked"),  # SMS pumping protection
    # the number called (docs/api/errors/21200 and what follows it, read 2026-11-26)
    21201: Fault("invalid_number"),
    21202: Fault("premium_number"),
    21203: Fault("country_not_allowed"),
    21215: Fault("country_not_allowed"),  # Voice → Settings → Geo permissions
    21223: Fault("invalid_number"),
    13223: Fault("invalid_number"),
    13224: Fault("unreachable"),
    13225: Fault("blocked"),
    13227: Fault("country_not_allowed"),
    13230: Fault("country_not_allowed"),
    32205: Fault("country_not_allowed"),
    # what is asked of a call that is not in that state any more
    21220: Fault("call_not_live"),
    # our addresses
    21205: Fault("bad_callback"),
    # the number written from
    21210: Fault("invalid_sender"),  # a caller id that is neither Twilio's nor verified
    21213: Fault("invalid_sender"),
    21212: Fault("invalid_sender"),
    21601: Fault("invalid_sender"),
    21603: Fault("invalid_sender"),
    21606: Fault("invalid_sender"),
    21616: Fault("invalid_sender"),
    21659: Fault("invalid_sender"),
    21660: Fault("invalid_sender"),
    21661: Fault("invalid_sender"),
    21701: Fault("invalid_sender"),
    21702: Fault("invalid_sender"),
    21703: Fault("invalid_sender"),
    21704: Fault("invalid_sender"),
    21705: Fault("invalid_sender"),
    30018: Fault("sender_not_registered"),
    30024: Fault("sender_not_registered"),
    30032: Fault("sender_not_registered"),  # toll-free number not verified
    30034: Fault("sender_not_registered"),  # US A2P 10DLC
    # what was written
    21602: Fault("empty"),
    21619: Fault("empty"),
    21605: Fault("text_too_long"),
    21617: Fault("text_too_long"),
    21618: Fault("text_not_sendable"),
    21620: Fault("media_not_readable"),
    21621: Fault("media_not_supported"),
    21622: Fault("media_not_supported"),
    21623: Fault("media_too_many"),
    30011: Fault("media_not_supported"),
    30019: Fault("media_too_large"),
    21609: Fault("bad_callback"),  # Twilio cannot use our StatusCallback: HUB_PUBLIC_URL is wrong
    # room on the way
    21611: Fault("queue_overflow", _QUEUE_FULL_S),
    30001: Fault("queue_overflow", _QUEUE_FULL_S),
    30017: Fault("carrier_congested", _QUEUE_FULL_S),
    30022: Fault("rate_limited", _QUEUE_FULL_S),
    30023: Fault("daily_limit"),
    30027: Fault("daily_limit"),
    30036: Fault("expired"),
    30410: Fault("carrier_timeout"),
    30010: Fault("too_dear"),
    30008: Fault(UNKNOWN),  # Twilio's own "unknown error"
}


def fault_reason(code: str | None) -> str | None:
    """Our word for Twilio's error number; None where there is no number, UNKNOWN for one that is not in the table."""
    if not code or code == "0":
        return None
    fault = FAULTS.get(int(code)) if code.isascii() and code.isdecimal() and len(code) <= 6 else None
    return fault.reason if fault else UNKNOWN


# --- REST -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TwilioMessage:
    """What Twilio says of a message of this account. `created_at` is Twilio's clock."""

    sid: str
    status: str
    body: str = ""
    created_at: datetime | None = None
    direction: str = ""
    sender: str | None = None
    messaging_service_sid: str | None = None
    segments: int | None = None
    media_count: int | None = None
    error_code: str | None = None


# Twilio opens a connection in well under a second; the rest is DNS and TLS on a bad line.
CONNECT_TIMEOUT_S = 10.0
# Twilio accepts a message in well under a second; this only has to be shorter than the outbox's lease on the attempt.
ANSWER_TIMEOUT_S = 20.0
# Twilio's default is 100 requests at once for an account; the rest is for whatever else uses it.
_CONNECTIONS = 50
# Below the 5 s after which common servers close an idle connection: writing a POST to a connection that is just being
# closed would leave the message Uncertain for nothing.
_KEEPALIVE_S = 4.0
# A list of 1,000 messages of 1,600 characters takes some 4 MB.
_ANSWER_LIMIT_BYTES = 16 * 1024 * 1024
_REDIRECTS = 3


class Rest:
    """The REST API of one account. Connections open at the first call and end with `aclose`."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        api_base: str | None = None,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._account_sid = account_sid
        self._auth_token = auth_token
        self._transport = _Transport(
            api_base.rstrip("/") if api_base else None,
            (account_sid, auth_token),
            connect_timeout_s=connect_timeout_s,
            answer_timeout_s=answer_timeout_s,
        )
        self._client: Any = None

    @property
    def twilio_now(self) -> datetime | None:
        """Twilio's clock as its last answer told it. Adapters have no clock of their own."""
        return self._transport.last_date

    async def create_message(
        self,
        *,
        to: str,
        body: str,
        media_urls: Sequence[str] = (),
        sender: str | None = None,
        messaging_service_sid: str | None = None,
        status_callback: str | None = None,
    ) -> TwilioMessage:
        """POST Messages. Raises Refused, Unavailable or Uncertain."""
        wanted: dict[str, object] = {"to": to}
        if body:
            wanted["body"] = body
        if media_urls:
            wanted["media_url"] = list(media_urls)
        if sender:
            wanted["from_"] = sender
        if messaging_service_sid:
            wanted["messaging_service_sid"] = messaging_service_sid
        if status_callback:
            wanted["status_callback"] = status_callback
        try:
            message = _read_message(await self.client.messages.create_async(**wanted))
        except UNREADABLE as error:
            raise Uncertain("Twilio's answer could not be read.", code="unreadable_answer") from error
        if not message.sid:
            raise Uncertain("Twilio's answer names no message.", code="unreadable_answer")
        return message

    async def list_messages(self, *, to: str, sender: str | None = None, limit: int) -> list[TwilioMessage]:
        """GET Messages: at most `limit` of the messages to `to`, the latest first. Raises Unavailable."""
        filters: dict[str, object] = {"to": to}
        if sender:
            filters["from_"] = sender
        # 1,000 is the largest page (OpenAPI, PageSize).
        listed = self.client.messages.list_async(**filters, limit=limit, page_size=min(limit, 1_000))
        try:
            return [_read_message(message) for message in await listed]
        except Refused as error:
            raise Unavailable(error.message, code=error.code, provider_code=error.provider_code) from error
        except UNREADABLE as error:
            raise Unavailable("Twilio's answer could not be read.", code="unreadable_answer") from error

    async def fetch(self, url: str, *, limit_bytes: int) -> Fetched:
        """The file that Twilio keeps at `url`. Raises Refused (gone, too large, not Twilio's) or Unavailable."""
        return await self._transport.fetch(url, limit_bytes=limit_bytes)

    async def aclose(self) -> None:
        await self._transport.aclose()

    @property
    def client(self) -> Any:
        """Twilio's own client, speaking through our transport: what it raises over an answer is UNREADABLE or one of the
        hub's provider errors."""
        if self._client is None:
            from twilio.rest import Client  # type: ignore[import-untyped]

            # An environment of its own, so that TWILIO_REGION and the like of this machine change nothing; it must not
            # be empty, else the client reads os.environ after all (twilio-python 9.13).
            self._client = Client(
                self._account_sid, self._auth_token, http_client=self._transport, environment={"HUB": "1"}
            )
        return self._client


# What Twilio's client may raise over an answer that is not what its document promises. Its own exceptions derive from
# Exception directly, and are raised for statuses that the transport has already sorted out.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError)


def _read_message(found: Any) -> TwilioMessage:
    # Twilio's client leaves a date that it cannot read as text, or as None.
    created = found.date_created if isinstance(found.date_created, datetime) else None
    if created is not None and created.tzinfo is None:
        created = created.replace(tzinfo=UTC)
    return TwilioMessage(
        sid=str(found.sid or ""),
        status=str(found.status or ""),
        body=str(found.body or ""),
        created_at=created,
        direction=str(found.direction or ""),
        sender=found.from_,
        messaging_service_sid=found.messaging_service_sid,
        segments=_count(found.num_segments),
        media_count=_count(found.num_media),
        error_code=None if found.error_code is None else str(found.error_code),
    )


def _count(text: object) -> int | None:
    return int(str(text)) if text is not None and str(text).isdecimal() else None


@dataclass(slots=True)
class _Progress:
    """Whether a request may have left this machine."""

    left: bool = False


class _Transport:
    """The HTTP client that Twilio's client speaks through (it asks for `is_async` and `request`, nothing else; deriving
    from its class would import all of `twilio.http` and `requests` at start)."""

    is_async = True

    def __init__(
        self, api_base: str | None, auth: tuple[str, str], *, connect_timeout_s: float, answer_timeout_s: float
    ) -> None:
        self.last_date: datetime | None = None
        self._api_base = api_base
        self._authorization = _basic(auth)
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._api_session: aiohttp.ClientSession | None = None
        self._guarded_session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Any:
        """One call for Twilio's client: only a success is returned, everything else is raised in the hub's words."""
        from twilio.http.response import Response  # type: ignore[import-untyped]
        from yarl import URL

        address = self._rewritten(url)
        if params:
            # doseq: an array is a repeated field (style form, explode), which aiohttp would not write.
            address += ("&" if "?" in address else "?") + urlencode(params, doseq=True)
        body = urlencode(data, doseq=True).encode() if data else None
        sent_headers = dict(headers or {})
        if auth is not None:
            sent_headers["Authorization"] = _basic(auth)
        changes = method.upper() not in ("GET", "HEAD")
        progress = _Progress()
        status = 0
        answer = b""
        answer_headers: Mapping[str, str] = {}
        try:
            async with (
                asyncio.timeout(self._connect_timeout_s + self._answer_timeout_s),
                self._session(guarded=False).request(
                    method.upper(),
                    URL(address, encoded=True),
                    data=body,
                    headers=sent_headers,
                    allow_redirects=False,
                    trace_request_ctx=progress,
                ) as response,
            ):
                status, answer_headers = response.status, response.headers
                answer = await _read(response, _ANSWER_LIMIT_BYTES)
        except _connection_errors() as error:
            # A status that says no is an answer even when its body broke off.
            if status < 400:
                _raise_unanswered(error, may_have_left=progress.left and changes)
        self._note_date(answer_headers)
        text = answer.decode("utf-8", "replace")
        if not 200 <= status < 300:
            _raise_refusal(status, answer_headers, text, changes=changes)
        return Response(status, text, answer_headers)

    async def fetch(self, url: str, *, limit_bytes: int) -> Fetched:
        """GET a media file. Credentials go to Twilio (or `api_base`) alone; where it redirects to, its file store, they
        are left out, only https will do, and the address must be a public one, checked where the connection is made."""
        address = self._rewritten(url)
        if not self._is_ours(address):
            raise Refused("The media address is not Twilio's.", code="media_not_allowed")
        for _ in range(_REDIRECTS + 1):
            ours = self._is_ours(address)
            if not ours and not _may_be_public(address):
                raise Refused("Twilio redirects to an address that is not public.", code="media_not_allowed")
            fetched = await self._fetch_once(address, ours, limit_bytes)
            if isinstance(fetched, Fetched):
                return fetched
            address = urljoin(address, fetched)
        raise Refused("Twilio redirects in circles.", code="media_not_allowed")

    async def _fetch_once(self, address: str, ours: bool, limit_bytes: int) -> Fetched | str:
        """The file, or the address that the answer redirects to."""
        from yarl import URL

        headers = {"Authorization": self._authorization} if ours else {}
        try:
            async with (
                asyncio.timeout(self._connect_timeout_s + 3 * self._answer_timeout_s),
                self._session(guarded=not ours).get(
                    URL(address, encoded=True), headers=headers, allow_redirects=False
                ) as response,
            ):
                if response.status in (301, 302, 303, 307, 308):
                    location = response.headers.get("Location", "")
                    if not location:
                        raise Unavailable("Twilio redirects to nowhere.", code="unreadable_answer")
                    return location
                answered = str(response.status)
                if response.status in (404, 410):
                    raise Refused("Twilio no longer has the file.", code="media_gone", provider_code=answered)
                if response.status in (401, 403):
                    # Nothing is lost by asking again once the token is right.
                    raise Unavailable("Twilio refuses this account.", code=ACCOUNT_REFUSED, provider_code=answered)
                if response.status != 200:
                    raise Unavailable(
                        f"Twilio answered {answered}.",
                        retry_after_s=_retry_after_s(response.headers),
                        provider_code=answered,
                    )
                content = await _read(response, limit_bytes)
                media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        except _TooLargeAnswer as error:
            raise Refused("The file is too large.", code="media_too_large") from error
        except _connection_errors() as error:
            # aiohttp wraps what its resolver raises.
            if isinstance(error.__cause__, NotPublic):
                raise Refused("Twilio redirects to an address that is not public.", code="media_not_allowed") from error
            _raise_unanswered(error, may_have_left=False)
        return Fetched(content, media_type or "application/octet-stream")

    async def aclose(self) -> None:
        for session in (self._api_session, self._guarded_session):
            if session is not None:
                await session.close()
        self._api_session = self._guarded_session = None

    def _rewritten(self, url: str) -> str:
        if self._api_base is not None and (url == API or url.startswith(API + "/")):
            return self._api_base + url[len(API) :]
        return url

    def _is_ours(self, address: str) -> bool:
        """Whether our credentials may go there."""
        if self._api_base is not None and address.startswith(self._api_base + "/"):
            return True
        parts = urlsplit(address)
        host = parts.hostname or ""
        # Edges and regions are api.dublin.ie1.twilio.com and the like.
        return parts.scheme == "https" and host.startswith("api.") and host.endswith(".twilio.com")

    def _session(self, *, guarded: bool) -> aiohttp.ClientSession:
        if guarded:
            if self._guarded_session is None:
                self._guarded_session = self._open(guarded=True)
            return self._guarded_session
        if self._api_session is None:
            self._api_session = self._open(guarded=False)
        return self._api_session

    def _open(self, *, guarded: bool) -> aiohttp.ClientSession:
        import aiohttp

        async def mark(session: object, context: Any, params: object) -> None:
            if context.trace_request_ctx is not None:
                context.trace_request_ctx.left = True

        trace = aiohttp.TraceConfig()
        # Fires just before the first byte is written, so what it has not marked surely never left.
        trace.on_request_headers_sent.append(mark)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=_CONNECTIONS,
                keepalive_timeout=_KEEPALIVE_S,
                resolver=public_resolver() if guarded else None,
            ),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=self._connect_timeout_s, sock_read=self._answer_timeout_s
            ),
            trace_configs=[trace],
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def _note_date(self, headers: Mapping[str, str]) -> None:
        try:
            self.last_date = parsedate_to_datetime(headers["Date"]).astimezone(UTC)
        except (KeyError, ValueError):
            # An answer without a usable date leaves what the one before it said.
            return


def _basic(auth: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(f"{auth[0]}:{auth[1]}".encode()).decode()


class _TooLargeAnswer(Exception):
    pass


def _connection_errors() -> tuple[type[Exception], ...]:
    """What says that no usable answer came. A function, because aiohttp is imported late; evaluated only when something
    was raised, when it is."""
    import aiohttp

    return (aiohttp.ClientError, TimeoutError, OSError, _TooLargeAnswer)


async def _read(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    if response.content_length is not None and response.content_length > limit_bytes:
        raise _TooLargeAnswer
    content = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        content += chunk
        if len(content) > limit_bytes:
            raise _TooLargeAnswer
    return bytes(content)


def _raise_unanswered(error: Exception, *, may_have_left: bool) -> NoReturn:
    if may_have_left:
        raise Uncertain("Twilio did not answer; the message may have been sent.", code="no_answer") from error
    raise Unavailable("Twilio cannot be reached.", code="unreachable_provider") from error


def _raise_refusal(status: int, headers: Mapping[str, str], text: str, *, changes: bool) -> NoReturn:
    """Twilio's refusal in our words: by its error number where we know it, else by the HTTP status."""
    number, words = _read_refusal(text)
    message = f"Twilio: {words or f'HTTP {status}'}"
    provider_code = str(number or status)
    if status == 408 or status >= 500:
        # For a POST this is Uncertain although Twilio's help centre calls 500–504 "generally safe to retry"
        # (support.twilio.com article 48916449686299): the Messages resource takes no idempotency key, and a gateway
        # that gave up (502, 504) says nothing of the message behind it. Asking first costs half a minute; a doubled SMS
        # cannot be taken back.
        if changes:
            raise Uncertain(message, code="no_answer", provider_code=provider_code)
        raise Unavailable(message, retry_after_s=_retry_after_s(headers), provider_code=provider_code)
    fault = FAULTS.get(number) if number is not None else None
    if status == 429:
        wait_s = _retry_after_s(headers)
        raise Unavailable(
            message,
            code="rate_limited",
            retry_after_s=_RATE_LIMITED_S if wait_s is None else wait_s,
            provider_code=provider_code,
        )
    if fault is not None and fault.retry_after_s is not None:
        wait_s = _retry_after_s(headers)
        raise Unavailable(
            message,
            code=fault.reason,
            retry_after_s=fault.retry_after_s if wait_s is None else wait_s,
            provider_code=provider_code,
        )
    if fault is not None:
        raise Refused(message, code=fault.reason, provider_code=provider_code)
    if status in (401, 403):
        raise Refused(message, code=ACCOUNT_REFUSED, provider_code=provider_code)
    raise Refused(message, code=UNKNOWN, provider_code=provider_code)


def _read_refusal(text: str) -> tuple[int | None, str]:
    """Twilio's error number and sentence; its older shape says `message`, the newer one (RFC 9457) `detail` or
    `title`."""
    try:
        told = json.loads(text)
    except ValueError:
        return None, ""
    if not isinstance(told, dict):
        return None, ""
    number = told.get("code")
    words = next((told[key] for key in ("message", "detail", "title") if isinstance(told.get(key), str)), "")
    return (number if isinstance(number, int) else None), words[:500]


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds. Twilio writes seconds; a date, which RFC 9110 also allows, is left to our own
    back-off."""
    text = headers.get("Retry-After", "").strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else None


# --- where media may lead ---------------------------------------------------------------------------------------------


def _may_be_public(address: str) -> bool:
    """Whether a redirect may go there: https, and not an address of our own network written as numbers (the resolver is
    not asked about those; it checks the names)."""
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        return False
    return not is_own_number(parts.hostname)
