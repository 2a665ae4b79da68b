"""The load generators speak what the hub understands, and read what it says: else a benchmark would measure refusals."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, cast

import httpx2
import pytest

from benchmarks.board_events import Due, Floor
from benchmarks.board_pixels import Seen, painted_after_ms
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


def test_a_change_counts_from_when_it_was_due_until_its_own_word_was_drawn() -> None:
    due = [
        Due(1, 10.0, "busy"),
        Due(1, 12.0, "away"),
        Due(1, 12.5, texts=2),
        Due(2, 10.0, "busy"),
        Due(3, 10.0, "away"),
    ]
    seen = [Seen(1, "away", 0, 9.0), Seen(1, "busy", 0, 10.25), Seen(1, "busy", 1, 11.0), Seen(1, "away", 2, 12.75)]
    assert painted_after_ms(due, seen, in_sight=[1, 2], within_s=5.0) == [250.0, 750.0, 250.0, None]


@pytest.mark.anyio
async def test_changes_are_told_to_the_hub_as_they_are_expected_on_the_screen() -> None:
    asked: list[tuple[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.url.path, json.loads(request.content)))
        return httpx2.Response(200)

    floor = Floor([1, 2], near=[1, 2, 3], held=[7, 8], every=2)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://hub.test") as client:
        happened = await floor.run(client, rate=1_000, seconds=0.008)
    assert sorted(path for path, _ in asked if path.endswith("transfer")) == [
        *["/api/v1/conversations/7/transfer"] * 2,
        *["/api/v1/conversations/8/transfer"] * 2,
    ]
    assert [(due.user_id, due.state, due.texts) for due in happened.due] == [
        *[(1, "busy", 0), (1, None, 1), (2, "busy", 0), (2, None, 1)],
        *[(1, "away", 0), (2, None, 2), (2, "away", 0), (3, None, 1)],
    ]
