"""The demo carrier: a phone network in one object that speaks Twilio's REST and webhook protocol for SMS and MMS; for calls,
see carrier_voice.py.

It stands on the far side of the wire. The hub reaches it only over HTTP, as it would reach Twilio, and it reaches the
hub only by signed webhooks; it shares no code with the hub's adapters, so that the two check each other.

    customer's handset ──text()──▶ Carrier ──signed POST SmsUrl──▶ hub          (retried until the hub has it)
    customer's handset ◀──live──── Carrier ◀──POST Messages.json── hub
                                   Carrier ──signed POST StatusCallback──▶ hub  queued, sent, delivered

Two faces: carrier_rest.py (what Twilio documents) and, under /_carrier and ours, carrier_handset.py (texts, faults) and
carrier_phones.py (calls).

Invariants
  * A text from a handset is in the journal before its request is answered, and is posted to the hub until it gets 2xx
    (or 4xx, which is final): through 5xx, time-outs, refused connections and a restart of the carrier.
  * Texts between one handset and one number reach the hub in the order they were typed; other pairs do not wait.
  * Every status callback is attempted at least once; they are not ordered once a retry is needed, as with Twilio.

Where it is kinder or stricter than Twilio, on purpose
  * Twilio tries a failed webhook once more within 15 s and then gives up unless the URL asks for more (connection
    overrides `#rc=…&rp=…`). This carrier keeps trying: INBOUND_RETRIES_S, CALLBACK_RETRIES_S.
  * Opt-out answers and OptOutType are those of a Messaging Service with Advanced Opt-Out; every number is in one.
  * MMS reaches every country; prices stay null.
  * Media needs the account's credentials (Twilio's "enforce HTTP auth on media URLs") and answers 307 to a one-off
    address, as Twilio answers with its content network.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
import secrets
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypedDict
from urllib.parse import urldefrag, urlencode

import aiohttp
import phonenumbers
from starlette.applications import Starlette

from hub.demo import carrier_handset, carrier_phones, carrier_rest, twilio_wire
from hub.demo.carrier_time import Time
from hub.demo.carrier_voice import Voice
from hub.demo.twilio_wire import RestError
from hub.errors import InvalidInput, NotFound

Direction = Literal["inbound", "outbound-api", "outbound-reply"]

# Seconds before each further attempt at a webhook, divided by `speed`; the last one repeats.
INBOUND_RETRIES_S = (0.5, 1, 2, 4, 8, 15, 30)
INBOUND_GIVES_UP_AFTER_S = 4 * 3600.0
CALLBACK_RETRIES_S = (0.5, 1, 2, 4, 8, 15, 30, 30)  # and then no more: eight retries, a minute and a half
# Twilio's defaults for webhooks (docs/usage/webhooks/webhooks-connection-overrides): connect 5 s, whole answer 15 s.
WEBHOOK_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
MEDIA_TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
# How long each step takes on a quiet network, seconds, divided by `speed` (from, to).
QUEUED_S, SENT_S, DELIVERED_S = (0.0, 0.05), (0.2, 0.7), (0.5, 1.6)
REPLY_S = 0.3
# Of an old journal this many messages are kept at start.
JOURNAL_MESSAGES = 5_000
# A message that a restart interrupted is carried on if it is younger than this; older ones stay as they are.
RESUME_WITHIN = timedelta(hours=4)

FINAL = frozenset({"delivered", "undelivered", "failed", "received"})

_E164 = re.compile(r"\+[1-9]\d{6,14}")


class NumberConfig(TypedDict, total=False):
    """What the owner of a number has configured. `sms_url` empty: incoming texts wait until there is one; `voice_url` empty:
    the number cannot be called."""

    sms_url: str
    voice_url: str
    voice_fallback_url: str
    voice_status_callback: str


@dataclass(frozen=True, slots=True)
class Medium:
    """A picture on a message. `secret` makes its content address unguessable."""

    sid: str
    media_type: str
    name: str
    size_bytes: int
    created_at: datetime
    secret: str


@dataclass(slots=True)
class Message:
    """One text, either way. `revision` rises with every change and orders the live updates. `handed_over` tells of an
    inbound text whether the hub has it; `told` is the last status the hub has acknowledged by callback."""

    sid: str
    direction: Direction
    sender: str
    recipient: str
    body: str
    status: str
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    media: list[Medium] = field(default_factory=list)
    media_urls: list[str] = field(default_factory=list)
    error_code: int | None = None
    status_callback: str | None = None
    told: str | None = None
    handed_over: Literal["waiting", "done", "failed"] | None = None
    attempts: int = 0
    opt_out_type: twilio_wire.OptOutType | None = None
    revision: int = 0

    @property
    def phone(self) -> str:
        """The handset's end."""
        return self.sender if self.direction == "inbound" else self.recipient

    @property
    def number(self) -> str:
        """The hub's end."""
        return self.recipient if self.direction == "inbound" else self.sender


FaultKind = Literal[
    "refuse",
    "too_many_requests",
    "server_error",
    "timeout",
    "timeout_after_accept",
    "error_after_accept",
    "undelivered",
    "drop_callbacks",
    "double_callbacks",
    "reverse_callbacks",
    "double_inbound",
]

# What each does, told by GET /_carrier/faults.
FAULTS: Mapping[FaultKind, str] = {
    "refuse": "POST Messages answers 400 with `code` (default 21612); nothing is sent",
    "too_many_requests": "POST Messages answers 429, code 20429, Retry-After of `seconds` (default 1); nothing is sent",
    "server_error": "POST Messages answers 503, code 20503; nothing is sent",
    "timeout": "POST Messages answers nothing for `seconds` (default 60) and then 503; nothing is sent",
    "timeout_after_accept": "POST Messages sends the message and answers nothing for `seconds` (default 60)",
    "error_after_accept": "POST Messages sends the message and answers 500, code 20500",
    "undelivered": "the message is accepted and then undelivered with `code` (default 30003)",
    "drop_callbacks": "no status callback of the message is posted",
    "double_callbacks": "every status callback of the message is posted twice",
    "reverse_callbacks": "the status callbacks of the message are posted last first, once it is delivered",
    "double_inbound": "the handset's text is posted to the hub twice, at the same time",
}


@dataclass(slots=True)
class Fault:
    """Something that goes wrong on purpose for the next `left` messages (None: until removed); `phone` limits it to one
    handset."""

    kind: FaultKind
    left: int | None = 1
    phone: str | None = None
    code: int | None = None
    seconds: float | None = None


class Carrier:
    """The network. `numbers` maps each number of the account to its configuration; `speed` divides every delay;
    `journal` None keeps nothing. `base_url` is where the REST face is mounted ("http://127.0.0.1:8080/demo/carrier");
    until it is set, it is taken from the requests that come.

    Run it by `run()` in a task group, or by `start()` and `stop()`. Before that texts are accepted and wait. `time` is the
    clock of calls (carrier_time.py); texts keep to real time.
    """

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        numbers: Mapping[str, NumberConfig],
        journal: Path | None = None,
        speed: float = 1.0,
        base_url: str = "",
        time: Time | None = None,
    ) -> None:
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.messaging_service_sid = "MG" + account_sid[2:]
        self.numbers: dict[str, NumberConfig] = {number: config.copy() for number, config in numbers.items()}
        self.speed = speed
        self.base_url = base_url.rstrip("/")
        self.faults: list[Fault] = []
        self.messages: dict[str, Message] = {}
        self.opted_out: set[tuple[str, str]] = set()
        self._by_pair: dict[tuple[str, str], list[Message]] = {}
        self._media: dict[str, bytes] = {}
        self._journal = journal
        self._revision = 0
        # Messages up to this revision were left by an earlier run and are carried on by the next one.
        self._resume_through = 0
        self._changed = asyncio.Event()
        self._lanes: dict[tuple[str, str], asyncio.Lock] = {}
        self._group: asyncio.TaskGroup | None = None
        self._waiting: list[Coroutine[Any, Any, None]] = []
        self._stopping = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        # Set while it runs.
        self.http: aiohttp.ClientSession | None = None
        # A new life of the carrier: live updates of the old one cannot be resumed by revision.
        self.epoch = secrets.token_hex(4)
        if journal is not None:
            self._load(journal)
        self.voice = Voice(self, time)
        self.app: Starlette = Starlette(
            routes=[*carrier_rest.routes(self), *carrier_handset.routes(self), *carrier_phones.routes(self)],
            exception_handlers={**carrier_rest.exception_handlers, **carrier_handset.exception_handlers},
        )

    # --- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Works until stop() or cancellation. A bug in a job ends it, and whoever runs it, loudly."""
        self._stopping.clear()
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True) as self.http:
            try:
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    self._resume()
                    waiting, self._waiting = self._waiting, []
                    for job in waiting:
                        group.create_task(job)
                    await self._stopping.wait()
                    raise _Stopped
            except* _Stopped:
                pass
            finally:
                self._group = None
                self._resume_through = self._revision

    async def start(self) -> None:
        self._runner = asyncio.create_task(self.run(), name="carrier")
        await asyncio.sleep(0)

    async def stop(self) -> None:
        """Ends run(); work in hand is dropped here and carried on after the next start from the journal."""
        self._stopping.set()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner

    @property
    def is_running(self) -> bool:
        return self._group is not None and not self._stopping.is_set()

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        if self._group is None:
            self._waiting.append(job)
        else:
            self._group.create_task(job)

    def _resume(self) -> None:
        """Carries on what the journal shows unfinished, oldest first."""
        oldest = datetime.now(UTC) - RESUME_WITHIN
        for message in sorted(self.messages.values(), key=lambda m: m.revision):
            if message.created_at < oldest or message.revision > self._resume_through:
                continue
            if message.direction == "inbound":
                if message.handed_over == "waiting":
                    self.spawn(self._hand_over(message))
            elif message.status not in FINAL:
                self.spawn(self._carry(message))
            elif message.status_callback and message.told != message.status:
                self.spawn(self._tell(message, message.status, doubled=False))

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    # --- the handset's side -------------------------------------------------------------------------------------------

    def text(self, phone: str, to: str, body: str, media: Sequence[tuple[str, str, bytes]] = ()) -> Message:
        """The handset `phone` sends a text to one of the numbers. `media` holds (name, media type, content).

        Raises InvalidInput naming the field, NotFound if nobody has the number. Journaled when it returns.
        """
        fields: dict[str, str] = {}
        sender = e164(phone)
        if sender is None:
            fields["phone"] = "Not a phone number; write it like +37491234567."
        if not body.strip() and not media:
            fields["text"] = "Write something or add a picture."
        if len(body) > twilio_wire.BODY_LIMIT:
            fields["text"] = f"At most {twilio_wire.BODY_LIMIT} characters."
        if len(media) > twilio_wire.MEDIA_COUNT_LIMIT:
            fields["media"] = f"At most {twilio_wire.MEDIA_COUNT_LIMIT} pictures."
        for name, media_type, content in media:
            if media_type not in twilio_wire.IMAGE_TYPES:
                fields["media"] = f"{name}: only pictures can be sent (JPEG, PNG, GIF, WebP)."
            elif len(content) > twilio_wire.MEDIA_SIZE_LIMIT_BYTES:
                fields["media"] = f"{name}: a picture may have at most 5 MB."
        if sender is None or fields:
            raise InvalidInput("The text cannot be sent.", fields=fields)
        if to not in self.numbers:
            raise NotFound(f"Nobody can be reached at {to}.")
        word = twilio_wire.keyword(body, opted_out=(sender, to) in self.opted_out)
        message = self._new_message("inbound", sender, to, body, status="received", has_media=bool(media))
        message.handed_over = "waiting"
        message.opt_out_type = word.kind if word else None
        message.sent_at = message.created_at
        message.media = [self._keep_medium(name, media_type, content) for name, media_type, content in media]
        self._add(message)
        if word is not None:
            self._set_opted_out(sender, to, word.kind)
            self.spawn(self._reply(message, word.reply))
        self.spawn(self._hand_over(message))
        return message

    def conversation(self, phone: str, number: str) -> Sequence[Message]:
        """All texts between the two, oldest first."""
        return self._by_pair.get((phone, number), [])

    def handsets(self) -> list[tuple[str, Message]]:
        """Every phone that has written or been written to, with its newest text, newest first."""
        newest: dict[str, Message] = {}
        for (phone, _), thread in self._by_pair.items():
            if phone not in newest or newest[phone].created_at < thread[-1].created_at:
                newest[phone] = thread[-1]
        return sorted(newest.items(), key=lambda item: item[1].created_at, reverse=True)

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change of any message. Take it before reading the state, wait for it after."""
        return self._changed

    def medium(self, sid: str) -> tuple[Message, Medium] | None:
        for message in self.messages.values():
            for medium in message.media:
                if medium.sid == sid:
                    return message, medium
        return None

    def content(self, medium: Medium) -> bytes:
        """Raises NotFound when its file has gone."""
        if medium.sid in self._media:
            return self._media[medium.sid]
        if self._journal is not None:
            try:
                return self._medium_path(self._journal, medium.sid).read_bytes()
            except FileNotFoundError:
                pass
        raise NotFound("This picture is no longer kept.")

    # --- the account's side -------------------------------------------------------------------------------------------

    def send(self, form: Sequence[tuple[str, str]]) -> Message:
        """POST Messages: checks the form as Twilio does and puts the message on its way. Raises RestError."""
        values = {name: value for name, value in form if value != ""}
        media_urls = [value for name, value in form if name == "MediaUrl" and value]
        if "To" not in values:
            raise RestError(21604)
        sender = self._sender(values)
        to = e164(values["To"])
        if magic := twilio_wire.MAGIC_TO.get(to or values["To"]):
            raise RestError(magic, values["To"])
        if to is None or to in self.numbers:
            raise RestError(21211, values["To"])
        body = values.get("Body", "")
        if not body.strip() and not media_urls:
            raise RestError(21602)
        if len(body) > twilio_wire.BODY_LIMIT:
            raise RestError(21617)
        if len(media_urls) > twilio_wire.MEDIA_COUNT_LIMIT:
            raise RestError(21623)
        for url in media_urls:
            if not _is_http_url(url):
                raise RestError(21620, url)
        callback = values.get("StatusCallback")
        if callback is not None and not _is_http_url(callback):
            raise RestError(21609, callback)
        if (to, sender) in self.opted_out:
            raise RestError(21610)
        message = self._new_message("outbound-api", sender, to, body, status="queued", has_media=bool(media_urls))
        message.status_callback = callback
        message.media_urls = media_urls
        self._add(message)
        self.spawn(self._carry(message))
        return message

    def _sender(self, values: Mapping[str, str]) -> str:
        if service := values.get("MessagingServiceSid"):
            if service != self.messaging_service_sid or not self.numbers:
                raise RestError(21703, service)
            if "From" not in values:
                return next(iter(self.numbers))
        if "From" not in values:
            raise RestError(21603)
        sender = values["From"]
        if sender not in self.numbers:
            if magic := twilio_wire.MAGIC_FROM.get(sender):
                raise RestError(magic, sender)
            raise RestError(21606 if _E164.fullmatch(sender) else 21212, sender)
        return sender

    def take_fault(self, kinds: Iterable[FaultKind], phone: str) -> Fault | None:
        """The first fault of these kinds that applies to the handset, used up by one."""
        wanted = frozenset(kinds)
        for fault in self.faults:
            if fault.kind in wanted and fault.phone in (None, phone):
                if fault.left is not None:
                    fault.left -= 1
                    if fault.left <= 0:
                        self.faults.remove(fault)
                return fault
        return None

    # --- work ---------------------------------------------------------------------------------------------------------

    async def _hand_over(self, message: Message) -> None:
        """Posts an inbound text to the number's SmsUrl until the hub has it, in the pair's order."""
        lane = self._lanes.setdefault((message.phone, message.number), asyncio.Lock())
        idempotency_token = secrets.token_hex(16)
        double = self.take_fault(["double_inbound"], message.phone) is not None
        started = asyncio.get_running_loop().time()
        async with lane:
            while True:
                url = self.numbers.get(message.number, {}).get("sms_url", "")
                if url:
                    form = self._inbound_form(message)
                    posts = [self._post(url, form, idempotency_token) for _ in range(2 if double else 1)]
                    answers = await asyncio.gather(*posts)
                    status, answer = max(answers, key=lambda a: a[0] // 100 == 2)
                    message.attempts += 1
                    if 200 <= status < 300:
                        message.handed_over = "done"
                        self._touch(message)
                        for text in twiml_messages(answer):
                            await self._reply(message, text)
                        return
                    if 400 <= status < 500 and status not in (408, 429):
                        message.handed_over = "failed"
                        message.error_code = 11200
                        self._touch(message)
                        return
                if asyncio.get_running_loop().time() - started > INBOUND_GIVES_UP_AFTER_S / self.speed:
                    message.handed_over = "failed"
                    message.error_code = 11200
                    self._touch(message)
                    return
                await self._pause(
                    INBOUND_RETRIES_S[min(max(message.attempts, 1), len(INBOUND_RETRIES_S)) - 1] * _jitter()
                )

    async def _carry(self, message: Message) -> None:
        """Takes an outbound message to the handset, step by step, and tells the account of each."""
        dropped = self.take_fault(["drop_callbacks"], message.phone) is not None
        doubled = self.take_fault(["double_callbacks"], message.phone) is not None
        reverse = self.take_fault(["reverse_callbacks"], message.phone) is not None
        undelivered = self.take_fault(["undelivered"], message.phone)
        error = (undelivered.code or 30003) if undelivered else twilio_wire.magic_delivery_error(message.recipient)
        held: list[str] = []

        def step(status: str, error_code: int | None = None) -> None:
            message.status, message.error_code = status, error_code
            if status == "sent":
                message.sent_at = datetime.now(UTC)
            self._touch(message)
            if message.status_callback is None or dropped:
                return
            if reverse:
                held.append(status)
            else:
                self.spawn(self._tell(message, status, doubled=doubled))

        if message.status == "queued":
            await self._pause(random.uniform(*QUEUED_S))
            step("queued")
            if media_error := await self._fetch_media(message):
                step("failed", media_error)
            await self._pause(random.uniform(*SENT_S))
            if error in (30001, 30002):
                step("failed", error)
            elif message.status != "failed":
                step("sent")
        if message.status == "sent":
            await self._pause(random.uniform(*DELIVERED_S))
            if error is not None:
                step("undelivered", error)
            else:
                step("delivered")
        for status in reversed(held):
            await self._tell(message, status, doubled=doubled)

    async def _reply(self, to: Message, text: str) -> None:
        """The network or the hub's TwiML answers the handset itself."""
        await self._pause(REPLY_S)
        reply = self._new_message("outbound-reply", to.number, to.phone, text, status="delivered", has_media=False)
        reply.sent_at = reply.created_at
        self._add(reply)

    async def _tell(self, message: Message, status: str, *, doubled: bool) -> None:
        """Posts one status callback; eight retries, then it is dropped."""
        if message.status_callback is None:
            return
        form = self._status_form(message, status)
        idempotency_token = secrets.token_hex(16)
        if doubled:
            self.spawn(self._tell(message, status, doubled=False))
        for retry_s in (*CALLBACK_RETRIES_S, None):
            code, _ = await self._post(message.status_callback, form, idempotency_token)
            if 200 <= code < 300:
                if status == message.status:
                    message.told = status
                    self._note(message)
                return
            if (400 <= code < 500 and code not in (408, 429)) or retry_s is None:
                return
            await self._pause(retry_s * _jitter())

    async def _post(self, url: str, form: Sequence[tuple[str, str]], idempotency_token: str) -> tuple[int, str]:
        """One signed webhook: (status, body), status 0 when there was no answer. The fragment is neither sent nor
        signed (connection overrides are the carrier's own reading)."""
        assert self.http is not None
        address, _ = urldefrag(url)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "hub-demo-carrier/1",
            "Accept": "*/*",
            "X-Twilio-Signature": twilio_wire.signature(self.auth_token, address, form),
            "I-Twilio-Idempotency-Token": idempotency_token,
        }
        try:
            async with self.http.post(
                address, data=urlencode(form).encode(), headers=headers, timeout=WEBHOOK_TIMEOUT, allow_redirects=False
            ) as answer:
                body = await answer.content.read(64 * 1024)
                return answer.status, body.decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 0, ""

    async def _fetch_media(self, message: Message) -> int | None:
        """Gets the pictures of an outbound MMS; the delivery error if one cannot be had."""
        if not message.media_urls or message.media:
            return None
        assert self.http is not None
        for url in message.media_urls:
            try:
                async with self.http.get(url, timeout=MEDIA_TIMEOUT) as answer:
                    if answer.status != 200:
                        return 11200
                    content = await answer.content.read(twilio_wire.MEDIA_SIZE_LIMIT_BYTES + 1)
                    while len(content) <= twilio_wire.MEDIA_SIZE_LIMIT_BYTES:
                        chunk = await answer.content.read(64 * 1024)
                        if not chunk:
                            break
                        content += chunk
                    media_type = answer.content_type
            except (aiohttp.ClientError, TimeoutError, ValueError):
                return 11200
            if len(content) > twilio_wire.MEDIA_SIZE_LIMIT_BYTES:
                return 11751
            if "/" not in media_type or media_type == "text/html":
                return 12300
            message.media.append(self._keep_medium(url.rsplit("/", 1)[-1][:60], media_type, content))
        self._touch(message)
        return None

    # --- forms --------------------------------------------------------------------------------------------------------

    def _inbound_form(self, message: Message) -> list[tuple[str, str]]:
        form = [
            ("ToCountry", region(message.recipient)),
            ("ToState", ""),
            ("ToCity", ""),
            ("ToZip", ""),
            ("FromCountry", region(message.sender)),
            ("FromState", ""),
            ("FromCity", ""),
            ("FromZip", ""),
            ("SmsMessageSid", message.sid),
            ("SmsSid", message.sid),
            ("MessageSid", message.sid),
            ("SmsStatus", "received"),
            ("AccountSid", self.account_sid),
            ("MessagingServiceSid", self.messaging_service_sid),
            ("From", message.sender),
            ("To", message.recipient),
            ("Body", message.body),
            ("NumSegments", str(twilio_wire.segments(message.body))),
            ("NumMedia", str(len(message.media))),
            ("ApiVersion", twilio_wire.API_VERSION),
        ]
        for index, medium in enumerate(message.media):
            uri = carrier_rest.media_uri(self, message, medium)
            form.append((f"MediaUrl{index}", f"{self.base_url}{uri}"))
            form.append((f"MediaContentType{index}", medium.media_type))
        if message.opt_out_type is not None:
            form.append(("OptOutType", message.opt_out_type))
        return form

    def _status_form(self, message: Message, status: str) -> list[tuple[str, str]]:
        form = [
            ("SmsSid", message.sid),
            ("SmsStatus", status),
            ("MessageStatus", status),
            ("To", message.recipient),
            ("MessageSid", message.sid),
            ("AccountSid", self.account_sid),
            ("From", message.sender),
            ("ApiVersion", twilio_wire.API_VERSION),
        ]
        if status in ("delivered", "undelivered"):
            form.append(("RawDlrDoneDate", twilio_wire.dlr_date(message.updated_at)))
        if status in ("undelivered", "failed") and message.error_code is not None:
            form.append(("ErrorCode", str(message.error_code)))
        return form

    # --- state and journal --------------------------------------------------------------------------------------------

    def _new_message(
        self, direction: Direction, sender: str, recipient: str, body: str, *, status: str, has_media: bool
    ) -> Message:
        now = datetime.now(UTC)
        return Message(_sid("MM" if has_media else "SM"), direction, sender, recipient, body, status, now, now)

    def _add(self, message: Message) -> None:
        self.messages[message.sid] = message
        self._by_pair.setdefault((message.phone, message.number), []).append(message)
        self._touch(message)

    def _touch(self, message: Message) -> None:
        """Something the handset's screen may show has changed."""
        self._revision += 1
        message.revision = self._revision
        message.updated_at = datetime.now(UTC)
        self._note(message)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _set_opted_out(self, phone: str, number: str, kind: twilio_wire.OptOutType) -> None:
        if kind == "STOP":
            self.opted_out.add((phone, number))
        elif kind == "START":
            self.opted_out.discard((phone, number))
        else:
            return
        self._write({"phone": phone, "number": number, "opted_out": kind == "STOP"})

    def _keep_medium(self, name: str, media_type: str, content: bytes) -> Medium:
        medium = Medium(_sid("ME"), media_type, name, len(content), datetime.now(UTC), secrets.token_urlsafe(16))
        if self._journal is None:
            self._media[medium.sid] = content
        else:
            path = self._medium_path(self._journal, medium.sid)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return medium

    @staticmethod
    def _medium_path(journal: Path, sid: str) -> Path:
        return journal.parent / f"{journal.stem}-media" / sid

    def _note(self, message: Message) -> None:
        self._write({"message": _to_json(message)})

    def _write(self, record: Mapping[str, object]) -> None:
        """One JSON line. The latest line about a message counts."""
        if self._journal is not None:
            with self._journal.open("a", encoding="utf-8") as out:
                out.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")

    def _load(self, journal: Path) -> None:
        """Reads the journal, keeps the newest JOURNAL_MESSAGES and rewrites it without the lines that are overtaken."""
        journal.parent.mkdir(parents=True, exist_ok=True)
        latest: dict[str, Message] = {}
        if journal.exists():
            for line in journal.read_text("utf-8", "replace").splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    continue  # the last line of a process that was killed while it wrote
                if "message" in record:
                    message = _from_json(record["message"])
                    latest[message.sid] = message
                elif record.get("opted_out"):
                    self.opted_out.add((record["phone"], record["number"]))
                else:
                    self.opted_out.discard((record["phone"], record["number"]))
        kept = sorted(latest.values(), key=lambda m: m.created_at)[-JOURNAL_MESSAGES:]
        fresh = journal.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as out:
            for phone, number in sorted(self.opted_out):
                out.write(json.dumps({"phone": phone, "number": number, "opted_out": True}) + "\n")
            for message in kept:
                out.write(json.dumps({"message": _to_json(message)}, ensure_ascii=False) + "\n")
        fresh.replace(journal)
        for message in kept:
            self._revision += 1
            message.revision = self._revision
            self.messages[message.sid] = message
            self._by_pair.setdefault((message.phone, message.number), []).append(message)
        self._resume_through = self._revision


class _Stopped(Exception):
    """Ends the task group of run()."""


def e164(text: str) -> str | None:
    """The number in E.164, or None. It must carry its country code; Twilio's test range (+1500555…) passes, too."""
    compact = re.sub(r"[\s().-]", "", text)
    if not _E164.fullmatch(compact):
        return None
    try:
        parsed = phonenumbers.parse(compact, None)
    except phonenumbers.NumberParseException:
        return None
    return compact if phonenumbers.is_possible_number(parsed) else None


def region(number: str) -> str:
    """The two-letter country of a number, "" if it has none."""
    try:
        return phonenumbers.region_code_for_country_code(phonenumbers.parse(number, None).country_code or 0)
    except phonenumbers.NumberParseException:
        return ""


_TWIML_MESSAGE = re.compile(r"<(Message|Sms)\b[^>]*>(.*?)</\1>", re.DOTALL)
_TWIML_BODY = re.compile(r"<Body\b[^>]*>(.*?)</Body>", re.DOTALL)
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


def twiml_messages(answer: str) -> list[str]:
    """The texts a TwiML answer wants sent back: <Response><Message>…</Message></Response>, with or without <Body>."""
    texts = []
    for match in _TWIML_MESSAGE.finditer(answer if "<Response" in answer else ""):
        inner = match.group(2)
        body = _TWIML_BODY.search(inner)
        text = body.group(1) if body else inner
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
        if text.strip():
            texts.append(text.strip())
    return texts


def _is_http_url(text: str) -> bool:
    return re.fullmatch(r"https?://[^\s/?#]+[^\s]*", text) is not None


def _jitter() -> float:
    return random.uniform(0.8, 1.2)


def _sid(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


def _to_json(message: Message) -> dict[str, object]:
    record: dict[str, object] = {name: getattr(message, name) for name in Message.__slots__}
    for name in ("created_at", "updated_at", "sent_at"):
        at: datetime | None = getattr(message, name)
        record[name] = at.isoformat() if at else None
    record["media"] = [
        {
            "sid": m.sid,
            "media_type": m.media_type,
            "name": m.name,
            "size_bytes": m.size_bytes,
            "created_at": m.created_at.isoformat(),
            "secret": m.secret,
        }
        for m in message.media
    ]
    return record


def _from_json(record: dict[str, Any]) -> Message:
    media = [Medium(**{**m, "created_at": datetime.fromisoformat(m["created_at"])}) for m in record.pop("media")]
    sent_at = record.pop("sent_at")
    return Message(
        **{
            **record,
            "media": media,
            "created_at": datetime.fromisoformat(record["created_at"]),
            "updated_at": datetime.fromisoformat(record["updated_at"]),
            "sent_at": datetime.fromisoformat(sent_at) if sent_at else None,
        }
    )


def check_basic_auth(carrier: Carrier, header: str | None) -> bool:
    """Whether an Authorization header carries the account's own credentials."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(encoded.encode(), validate=True)
    except ValueError:
        return False
    return secrets.compare_digest(given, f"{carrier.account_sid}:{carrier.auth_token}".encode())
