"""A load generator (a process of its own): posts signed Twilio webhooks at a fixed rate, whatever the hub does.

An open loop: message n is due at start + n / rate, and its latency counts from then, so a hub that stalls is charged
for every message it kept waiting (no coordinated omission). Requests are signed and written out before the run; while
it runs, a request costs this process some 20 µs. A request that leaves after its due time although a connection was
free is the generator's own fault; it is part of every latency all the same, and told beside it.

Told by the parent: {port, url, auth_token, to_number, account_sid, rate, count, first, customers} → "ready"; then
{start_at} (time.monotonic) → {due, sent, done, late, statuses, cpu_s, fault}; `late` in seconds, the three before it
on that clock.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections import Counter
from time import monotonic, process_time
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import uvloop

from benchmarks.children import hear_parent, tell_parent
from benchmarks.words import phone_of, sid_of, text_of

# More open requests than this wait in the generator, on the hub's account. Twilio itself keeps to fewer.
_CONNECTIONS = 128
_ANSWER_S = 20.0


def signed_request(job: dict[str, Any], index: int) -> bytes:
    """An incoming message as Twilio posts it: 22 fields, signed over the address and all of them."""
    sid = sid_of(index)
    form = {
        "ToCountry": "US",
        "ToState": "",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ToCity": "",
        "FromZip": "",
        "SmsSid": sid,
        "FromState": "",
        "SmsStatus": "received",
        "FromCity": "",
        "Body": text_of(index),
        "FromCountry": "GB",
        "To": job["to_number"],
        "MessagingServiceSid": "",
        "ToZip": "",
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": job["account_sid"],
        "From": phone_of(index % job["customers"]),
        "ApiVersion": "2010-04-01",
    }
    text = job["url"] + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(hmac.new(job["auth_token"].encode(), text.encode(), hashlib.sha1).digest()).decode()
    body = urlencode(form).encode()
    parts = urlsplit(job["url"])
    return (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n"
        f"Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nX-Twilio-Signature: {signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request on its way at a time."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster
        self._buffer = b""
        self.index = -1
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own, which is no subclass of it

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        head_end = data.find(b"\r\n\r\n")
        if head_end >= 0:
            head = data[:head_end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(data) >= head_end + 4 + length:
                self._buffer = b""
                self._poster.answered(self, int(data[9:12]))
                return
        self._buffer = data

    def connection_lost(self, exc: Exception | None) -> None:
        self._poster.lost(self)


class Poster:
    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._requests = [signed_request(job, job["first"] + n) for n in range(job["count"])]
        self._idle: list[Connection] = []
        self._open = 0
        self.due: list[float] = []
        self.sent = [0.0] * job["count"]
        self.done = [0.0] * job["count"]
        self.late: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.is_short = False
        self._next = 0
        self._left = job["count"]
        self._finished = asyncio.Event()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_CONNECTIONS):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._job["port"])
            self._idle.append(connection)
            self._open += 1

    async def run(self, start_at: float) -> None:
        rate, count = self._job["rate"], self._job["count"]
        self.due = [start_at + n / rate for n in range(count)]
        self._tick()
        async with asyncio.timeout(max(0.0, self.due[-1] - monotonic()) + _ANSWER_S):
            await self._finished.wait()

    def _tick(self) -> None:
        """Sends what is due and comes back when the next is; timers count whole milliseconds."""
        now = monotonic()
        if self._idle and self._next < len(self.due) and self.due[self._next] <= now:
            self.late.append(now - self.due[self._next])
        self._send_due()
        if self._next < len(self.due):
            asyncio.get_running_loop().call_later(max(0.001, self.due[self._next] - monotonic()), self._tick)

    def _send_due(self) -> None:
        now = monotonic()
        while self._idle and self._next < len(self.due) and self.due[self._next] <= now:
            connection = self._idle.pop()
            connection.index = self._next
            self.sent[self._next] = monotonic()
            assert connection.transport is not None
            connection.transport.write(self._requests[self._next])
            self._next += 1
        self.is_short = not self._idle

    def answered(self, connection: Connection, status: int) -> None:
        self.done[connection.index] = monotonic()
        connection.index = -1
        self._idle.append(connection)
        self._count(str(status))
        if self.is_short:
            # Every connection was waiting for the hub: this message was late on the hub's account.
            self.is_short = False
            self._send_due()

    def lost(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        elif connection.index >= 0:
            self._count("connection lost")

    def _count(self, outcome: str) -> None:
        self.statuses[outcome] += 1
        self._left -= 1
        if self._left == 0:
            self._finished.set()


async def _serve() -> None:
    while True:
        poster = Poster(await asyncio.to_thread(hear_parent))
        await poster.connect()
        tell_parent("ready")
        order = await asyncio.to_thread(hear_parent)
        used = process_time()
        fault: str | None = None
        try:
            await poster.run(order["start_at"])
        except TimeoutError:
            fault = "not every message was answered in time"
        tell_parent(
            {
                "due": poster.due,
                "sent": poster.sent,
                "done": poster.done,
                "late": poster.late,
                "statuses": dict(poster.statuses),
                "cpu_s": process_time() - used,
                "fault": fault,
            }
        )


if __name__ == "__main__":
    uvloop.run(_serve())
