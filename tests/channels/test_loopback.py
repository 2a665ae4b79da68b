"""Loopback: its payloads, its magic words, its memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hub.channels import loopback
from hub.channels.channel import MessageArrival, ReceiptArrival
from hub.channels.loopback import LoopbackChannel
from hub.domain.states import Delivery
from hub.domain.values import ContactKind
from hub.errors import BadRequest, Refused, Unavailable, Uncertain
from tests.channels.support import NOW, loopback_account, loopback_request, outgoing


@pytest.fixture
def channel() -> LoopbackChannel:
    return LoopbackChannel(loopback_account())


def test_a_message_arrives(channel: LoopbackChannel) -> None:
    (arrival,) = channel.parse(loopback_request("message"))
    assert isinstance(arrival, MessageArrival)
    assert (arrival.provider_id, arrival.contact_kind, arrival.sender) == ("m1", ContactKind.LOOPBACK, "ani")
    assert (arrival.sender_name, arrival.text) == ("Ani K.", "Hello")
    assert arrival.occurred_at == datetime(2026, 11, 22, 4, 30, tzinfo=UTC)
    assert arrival.received_at == NOW


@pytest.mark.parametrize(
    ("name", "delivery_id", "state", "reason"),
    [
        ("status_delivered", "d-1", Delivery.DELIVERED, None),
        ("status_failed", "d-1", Delivery.FAILED, "unreachable"),
        ("status_unknown_word", None, None, None),
    ],
)
def test_a_receipt_arrives(
    channel: LoopbackChannel, name: str, delivery_id: str | None, state: Delivery | None, reason: str | None
) -> None:
    (arrival,) = channel.parse(loopback_request(name))
    assert isinstance(arrival, ReceiptArrival)
    assert (arrival.delivery_id, arrival.state, arrival.reason) == (delivery_id, state, reason)


@pytest.mark.parametrize(
    ("kind", "body", "fields"),
    [
        ("message", b"{}", {"id", "from", "text"}),
        ("message", b'{"id": "", "from": " ", "text": ""}', {"id", "from"}),
        ("message", b'{"id": 1, "from": "a", "text": "t"}', {"id"}),
        ("message", b'{"id": "1", "from": "a", "text": "t", "at": "2026-11-22T08:30:00"}', {"at"}),
        ("message", b'{"id": "1", "from": "a", "text": "t", "at": 5}', {"at"}),
        ("message", b'{"id": "1", "from": "a", "text": "t", "at": "0001-01-01T00:00:00+14:00"}', {"at"}),
        ("message", b'{"id": "1", "from": "a", "text": "t", "html": "x"}', {"html"}),
        ("status", b'{"id": "1", "status": "read"}', {"delivery_id"}),
        ("status", b'{"id": "1", "delivery_id": "d"}', {"status"}),
    ],
)
def test_a_faulty_payload_names_its_fields(channel: LoopbackChannel, kind: str, body: bytes, fields: set[str]) -> None:
    with pytest.raises(BadRequest) as caught:
        channel.parse(replace(loopback_request("message"), kind=kind, body=body))
    assert set(caught.value.fields) == fields


@pytest.mark.anyio
async def test_what_is_sent_can_be_read(channel: LoopbackChannel) -> None:
    accepted = await channel.send(outgoing("Hello"))
    (sent,) = channel.sent
    assert (sent.message, sent.provider_id) == (outgoing("Hello"), accepted.provider_id)
    assert await channel.find_sent(outgoing("Hello")) == accepted
    assert await channel.find_sent(outgoing("Hello", delivery_id="another")) is None


@pytest.mark.anyio
async def test_refused_and_unavailable_leave_nothing_behind(channel: LoopbackChannel) -> None:
    with pytest.raises(Refused):
        await channel.send(outgoing("!refuse"))
    for _ in range(5):
        with pytest.raises(Unavailable):
            await channel.send(outgoing("!unavailable", delivery_id="d-2"))
    assert channel.sent == ()
    assert channel.attempts("d-2") == 5


@pytest.mark.anyio
async def test_unavailable_twice_goes_out_at_the_third_attempt(channel: LoopbackChannel) -> None:
    for _ in range(2):
        with pytest.raises(Unavailable):
            await channel.send(outgoing("!unavailable-twice"))
    await channel.send(outgoing("!unavailable-twice"))
    assert len(channel.sent) == 1


@pytest.mark.anyio
async def test_uncertain_sent_is_found(channel: LoopbackChannel) -> None:
    with pytest.raises(Uncertain):
        await channel.send(outgoing("!uncertain-sent"))
    found = await channel.find_sent(outgoing("!uncertain-sent"))
    assert found is not None
    assert found.provider_id == channel.sent[0].provider_id


@pytest.mark.anyio
async def test_uncertain_lost_is_not_found_and_goes_out_next_time(channel: LoopbackChannel) -> None:
    with pytest.raises(Uncertain):
        await channel.send(outgoing("!uncertain-lost"))
    assert await channel.find_sent(outgoing("!uncertain-lost")) is None
    await channel.send(outgoing("!uncertain-lost"))
    assert len(channel.sent) == 1


@pytest.mark.anyio
async def test_uncertain_unknown_cannot_be_settled(channel: LoopbackChannel) -> None:
    for _ in range(2):
        with pytest.raises(Uncertain):
            await channel.send(outgoing("!uncertain-unknown"))
        with pytest.raises(Uncertain):
            await channel.find_sent(outgoing("!uncertain-unknown"))
    assert channel.sent == ()


@pytest.mark.anyio
async def test_slow_takes_its_time_and_goes_out(channel: LoopbackChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "SLOW_S", 0.0)
    await channel.send(outgoing("!slow"))
    assert len(channel.sent) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["!refused", "refuse", "!unavailable-thrice", "a!", "! refuse"])
async def test_other_words_are_no_magic(channel: LoopbackChannel, text: str) -> None:
    await channel.send(outgoing(text))
    assert len(channel.sent) == 1


@pytest.mark.anyio
async def test_memory_is_bounded(channel: LoopbackChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "KEPT", 3)
    small = LoopbackChannel(loopback_account())
    for number in range(5):
        await small.send(outgoing(delivery_id=f"d-{number}"))
    assert [sent.message.delivery_id for sent in small.sent] == ["d-2", "d-3", "d-4"]
    assert [small.attempts(f"d-{number}") for number in range(5)] == [0, 0, 1, 1, 1]
