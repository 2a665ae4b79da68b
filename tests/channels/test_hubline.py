"""The hub's own line: what its media process tells, in our values, and what it is told."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.channels import hubline
from hub.channels.channel import ChannelAccount, WebhookRequest
from hub.channels.hubline import HubLine
from hub.channels.voice import (
    CallArrived,
    Chosen,
    LegChanged,
    LegName,
    LegOrder,
    RecordingReady,
    RecordingRef,
    Ringback,
    SceneEnded,
    VoicemailLeft,
)
from hub.domain.calls import LegEnd, Party, Recording
from hub.domain.states import LegState
from hub.domain.values import ChannelKind, ContactKind
from hub.errors import BadRequest, BadSignature, Refused, Unavailable
from hub.media.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, signed_headers
from tests.media.line import KEY, Line, media_line

pytestmark = pytest.mark.anyio

PATH = "/webhooks/line/voice"
AT = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


def account(media_url: str = "") -> ChannelAccount:
    return ChannelAccount(
        "line", ChannelKind.PHONE, {}, {}, "http://hub.test", provider="hub", media_url=media_url, media_key=KEY
    )


def told(body: bytes, *, at: float | None = None, key: bytes = KEY) -> WebhookRequest:
    seconds = int(AT.timestamp() if at is None else at)
    headers = signed_headers(key, seconds, "POST", PATH, body)
    lower = {name.lower(): value for name, value in headers.items()}
    return WebhookRequest("voice", f"http://hub.test{PATH}", lower, body, AT)


def event(kind: str, **more: Any) -> WebhookRequest:
    return told(json.dumps({"id": "e1", "kind": kind, "token": "t1", "at": AT.isoformat(), **more}).encode())


NAME = LegName(token="t1")
CALLER = {"kind": "chat", "address": "visitor-1", "name": "Անի", "language": "hy"}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            event("arrived", caller=CALLER, line="https://shop.test"),
            CallArrived("e1", NAME, ContactKind.CHAT, "visitor-1", "https://shop.test", AT, "", "Անի", "hy"),
        ),
        (event("leg", state="connected"), LegChanged("e1", NAME, LegState.CONNECTED, AT, AT)),
        (event("leg", state="ended", end="lost"), LegChanged("e1", NAME, LegState.ENDED, AT, AT, LegEnd.LOST)),
        (event("leg", state="ended", end="vanished"), LegChanged("e1", NAME, LegState.ENDED, AT, AT, LegEnd.LOST)),
        (event("chosen", scene_version=3, key="1"), Chosen("e1", NAME, 3, "1", AT)),
        (event("chosen", scene_version=3, key=None), Chosen("e1", NAME, 3, None, AT)),
        (event("scene_ended", scene_version=2), SceneEnded("e1", NAME, 2, AT)),
        (
            event("voicemail_left", recording_id="r1", duration_s=4.5),
            VoicemailLeft("e1", NAME, RecordingRef("r1"), 4.5, AT),
        ),
        (event("voicemail_left", recording_id=None, duration_s=0), VoicemailLeft("e1", NAME, None, 0.0, AT)),
        (
            event("recording_ready", room="t1", recording_id="r2", duration_s=60, channels=2),
            RecordingReady("e1", RecordingRef("r2", channels=2), 60.0, AT, leg=NAME, room="t1"),
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, WebhookRequest) else "told",
)
def test_what_the_media_process_tells_is_read(request_: WebhookRequest, expected: object) -> None:
    line = HubLine(account())
    line.verify(request_)
    (read,) = line.parse(request_)
    assert json.loads(read.raw)["id"] == "e1"  # type: ignore[union-attr]
    assert _without_raw(read) == expected


def _without_raw(value: Any) -> object:
    from dataclasses import replace

    return replace(value, raw="")


def test_a_recording_that_failed_is_told_and_one_of_nothing_is_not() -> None:
    line = HubLine(account())
    of = {"room": "t1", "channels": 2, "recording_id": None}
    (failed,) = line.parse(event("recording_ready", failed=True, duration_s=61.4, **of))
    assert isinstance(failed, RecordingReady)
    assert (failed.failed, failed.recording.provider_id) == (True, "e1")
    assert line.parse(event("recording_ready", failed=False, duration_s=0.0, **of)) == []


@pytest.mark.parametrize("kind", ["weather", "leg"])
def test_what_a_newer_media_process_may_tell_is_passed_over(kind: str) -> None:
    assert HubLine(account()).parse(event(kind, state="levitating")) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b'{"id": "e1", "kind": "leg"}',
        b'{"id": "", "kind": "leg", "token": "t"}',
        b'{"id": "e1", "kind": "chosen", "token": "t", "scene_version": "x"}',
        b'{"id": "e1", "kind": "arrived", "token": "t"}',
        b'{"id": "e1", "kind": "voicemail_left", "token": "t", "duration_s": -1}',
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        HubLine(account()).parse(told(body))


def test_only_the_media_process_is_believed() -> None:
    line = HubLine(account())
    good = event("leg", state="connected")
    changed = WebhookRequest("voice", good.url, good.headers, good.body.replace(b"t1", b"t2"), AT)
    elsewhere = WebhookRequest("voice", "http://hub.test/webhooks/other/voice", good.headers, good.body, AT)
    for faulty in (changed, elsewhere, told(good.body, key=b"x" * 32), told(good.body, at=AT.timestamp() - 600)):
        with pytest.raises(BadSignature):
            line.verify(faulty)
    bare = {name: "" for name in (SIGNATURE_HEADER.lower(), TIMESTAMP_HEADER.lower())}
    with pytest.raises(BadSignature):
        line.verify(WebhookRequest("voice", good.url, bare, good.body, AT))


def order(of: str = "nobody", **more: Any) -> LegOrder:
    values = {"leg_id": 1, "token": of, "call_id": 1, "room": "room", "party": Party.AGENT, "scene": Ringback()}
    return LegOrder(**{**values, "scene_version": 1, **more})


async def test_without_a_media_process_calls_are_not_possible_now() -> None:
    line = HubLine(account())
    with pytest.raises(Unavailable) as failed:
        await line.find_live()
    assert failed.value.code == "no_media"
    await line.aclose()


async def test_a_media_process_that_is_down_is_asked_again() -> None:
    line = HubLine(account("http://127.0.0.1:1"))
    with pytest.raises(Unavailable) as failed:
        await line.apply(order(), None)
    assert failed.value.code == "no_media"
    await line.aclose()


@pytest.fixture
async def media(tmp_path: Path) -> Any:
    async with media_line(tmp_path) as line:
        yield line


async def test_a_leg_that_is_gone_is_told_so(media: Line) -> None:
    line = HubLine(account(media.url))
    try:
        assert await line.find_leg(order()) is None
        assert await line.find_live() == frozenset()
        await line.hang_up(order())
        with pytest.raises(Refused) as refused:
            await line.apply(order(), None)
        assert refused.value.code == "no_leg"
        with pytest.raises(Refused):
            await line.dial(order())
        with pytest.raises(Refused) as bad:
            await line.connect(order(), "this is no offer")
        assert bad.value.code == "bad_offer"
    finally:
        await line.aclose()


async def test_a_leg_is_set_up_found_and_ended(media: Line) -> None:
    line = HubLine(account(media.url))
    try:
        await media.call("anna", Party.CUSTOMER, hertz=440)
        assert await line.find_live() == frozenset({"anna"})
        found = await line.find_leg(order("anna"))
        assert found is not None
        assert (found.provider_leg_id, found.state) == ("anna", LegState.CONNECTED)
        await line.apply(order("anna", scene_version=7, party=Party.CUSTOMER), None)
        await line.press("anna", "1")
        await line.record(order("anna"), Recording.OFF)
        await line.hang_up(order("anna"))
        assert await line.find_live() == frozenset()
    finally:
        await line.aclose()


async def test_a_recording_is_fetched_to_its_last_byte(media: Line) -> None:
    """It comes in many pieces, and the line's own copy is deleted when it has been fetched."""
    recording, content = RecordingRef("0" * 32, channels=2), bytes(range(256)) * 4_096
    shelf = media.media.exchange.shelf
    shelf.directory.mkdir(parents=True, exist_ok=True)
    (shelf.directory / f"{recording.provider_id}.ogg").write_bytes(content)
    line = HubLine(account(media.url))
    try:
        assert (await line.fetch_recording(recording)).content == content
        await line.delete_recording(recording)
        with pytest.raises(Refused) as refused:
            await line.fetch_recording(recording)
        assert refused.value.code == "no_recording"
    finally:
        await line.aclose()


async def test_a_recording_that_is_too_large_is_refused_and_not_cut(
    media: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubline, "_RECORDING_LIMIT_BYTES", 1_000)
    recording = RecordingRef("1" * 32)
    shelf = media.media.exchange.shelf
    shelf.directory.mkdir(parents=True, exist_ok=True)
    (shelf.directory / f"{recording.provider_id}.ogg").write_bytes(bytes(1_001))
    line = HubLine(account(media.url))
    try:
        with pytest.raises(Refused) as refused:
            await line.fetch_recording(recording)
        assert refused.value.code == "media_too_large"
    finally:
        await line.aclose()


def test_the_clock_of_a_signature_is_the_worlds() -> None:
    assert abs(time.time() - datetime.now(UTC).timestamp()) < 1


async def test_a_long_recording_comes_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * (64 << 10)
    async with media_line(tmp_path) as line:
        shelf = line.media.shelf
        await asyncio.to_thread(shelf.directory.mkdir, parents=True, exist_ok=True)
        recording_id = "0123456789abcdef" * 2
        await asyncio.to_thread((shelf.directory / f"{recording_id}.ogg").write_bytes, content)
        adapter = HubLine(account(line.url))
        try:
            fetched = await adapter.fetch_recording(RecordingRef(recording_id))
        finally:
            await adapter.aclose()
    assert (len(fetched.content), fetched.content == content) == (len(content), True)
