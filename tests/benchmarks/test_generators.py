"""The load generators speak what the hub understands, and read what it says: else a benchmark would measure refusals."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from benchmarks.consoles import Console, FrameReader
from benchmarks.poster import signed_request
from benchmarks.report import Target, percentile
from benchmarks.words import ACCOUNT_SID, AUTH_TOKEN, HUB_NUMBER, number_of, phone_of, sid_of, text_of
from hub.channels.channel import ChannelAccount, MessageArrival, WebhookRequest
from hub.channels.sms import SmsChannel
from hub.domain.values import ChannelKind
from hub.web.socket_protocol import text_frame

URL = "http://127.0.0.1:8080/webhooks/sms-bench/message"
JOB = {"url": URL, "auth_token": AUTH_TOKEN, "account_sid": ACCOUNT_SID, "to_number": HUB_NUMBER, "customers": 500}


def test_a_generated_webhook_is_one_the_adapter_takes() -> None:
    head, _, body = signed_request(JOB, 1_234).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert int(headers["content-length"]) == len(body)
    request = WebhookRequest("message", URL, headers, body, datetime(2026, 3, 2, tzinfo=UTC))
    account = ChannelAccount(
        "sms-bench",
        ChannelKind.SMS,
        {"account_sid": ACCOUNT_SID, "from_number": HUB_NUMBER},
        {"auth_token": AUTH_TOKEN},
        "http://127.0.0.1:8080",
    )
    channel = SmsChannel(account)
    channel.verify(request)
    (arrival,) = channel.parse(request)
    assert isinstance(arrival, MessageArrival)
    assert arrival.provider_id == sid_of(1_234)
    assert arrival.sender == phone_of(234)
    assert number_of(arrival.text) == 1_234


@pytest.mark.anyio
@pytest.mark.parametrize("piece_bytes", [1, 7, 1_000, 1 << 20])
async def test_frames_are_read_however_the_network_cuts_them(piece_bytes: int) -> None:
    payloads = [b"a", b"b" * 125, b"c" * 126, b"d" * 70_000, b""]
    stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + b"".join(map(text_frame, payloads))
    seen: list[bytes] = []
    console = Console(b"", lambda _console, payload, _at: seen.append(payload))

    class Nowhere:
        def write(self, _data: bytes) -> None: ...

    console.connection_made(cast(asyncio.BaseTransport, cast(Any, Nowhere())))
    for start in range(0, len(stream), piece_bytes):
        console.data_received(stream[start : start + piece_bytes])
    await console.opened
    assert seen == payloads


def test_message_numbers_are_read_from_entries_and_not_from_previews() -> None:
    entry = f'{{"entry":{{"text":"{text_of(7)}"}},"conversation":{{"preview":"{text_of(7)}"}}}}'
    payload = f'{{"prev":"e-1","token":"e-3","events":[{entry},{entry.replace("0000007", "0000012")}]}}'.encode()
    assert FrameReader().numbers(payload) == (7, 12)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 5.0), (0.9, 9.0), (0.91, 10.0), (0.99, 10.0), (1.0, 10.0), (0.0, 1.0)]
)
def test_a_percentile_is_a_case_that_really_was(share: float, expected: float) -> None:
    assert percentile([float(n) for n in range(1, 11)], share) == expected


def test_a_target_that_was_not_measured_is_not_met() -> None:
    assert Target("ratio", 0.5, 0.5, "×").is_met
    assert not Target("ratio", 0.5, None, "×").is_met
    assert Target("p99", 30, 29.9, "ms", is_ceiling=True).is_met
