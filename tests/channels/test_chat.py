"""Web chat: frames, visitors' tokens, which pages may chat."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.channels import chat
from hub.channels.channel import Accepted, Media
from hub.channels.chat import (
    Frame,
    IdentifyFrame,
    MessageFrame,
    PingFrame,
    ReadFrame,
    ReceivedFrame,
    TypingFrame,
    message_arrival,
    new_visitor_id,
    normal_origin,
    origin_allowed,
    parse_frame,
    read_visitor,
    sign_visitor,
)
from hub.domain.values import ContactKind
from hub.errors import BadRequest, InvalidInput
from tests.channels.support import NOW, PAYLOADS, chat_account, outgoing

KEY = b"k" * 32

# --- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("message", MessageFrame("c-1", "Բարև 👋")),
        ("message_with_picture", MessageFrame("c-2", "", (7, 8))),
        ("received", ReceivedFrame(41)),
        ("read", ReadFrame(41)),
        ("typing", TypingFrame()),
        ("identify", IdentifyFrame("Ani", "+374 91 234567", "ani@example.com")),
        ("ping", PingFrame()),
    ],
)
def test_each_frame_is_read(name: str, frame: Frame) -> None:
    data = (PAYLOADS / "chat" / f"{name}.json").read_bytes()
    assert parse_frame(data) == parse_frame(data.decode()) == frame


@pytest.mark.parametrize(
    ("told", "fields"),
    [
        ({"type": "message", "text": "Hi"}, {"client_id"}),
        ({"type": "message", "client_id": "", "text": "Hi"}, {"client_id"}),
        ({"type": "message", "client_id": "a b", "text": "Hi"}, {"client_id"}),
        ({"type": "message", "client_id": "a" * 65, "text": "Hi"}, {"client_id"}),
        ({"type": "message", "client_id": "a\n", "text": "Hi"}, {"client_id"}),
        ({"type": "message", "client_id": 1, "text": 2}, {"client_id", "text"}),
        ({"type": "message", "client_id": "a"}, {"text"}),
        ({"type": "message", "client_id": "a", "text": " \n"}, {"text"}),
        ({"type": "message", "client_id": "a", "text": "a" * 4_001}, {"text"}),
        ({"type": "message", "client_id": "a", "text": "Hi", "attachment_ids": [True]}, {"attachment_ids"}),
        ({"type": "message", "client_id": "a", "text": "Hi", "attachment_ids": "7"}, {"attachment_ids"}),
        ({"type": "message", "client_id": "a", "text": "Hi", "attachment_ids": [1] * 11}, {"attachment_ids"}),
        ({"type": "message", "client_id": "a", "text": "Hi", "attachment_ids": [2**63]}, {"attachment_ids"}),
        ({"type": "message", "client_id": "a", "text": "Hi", "html": "<b>"}, {"html"}),
        ({"type": "received"}, {"through"}),
        ({"type": "received", "through": "41"}, {"through"}),
        ({"type": "read", "through": True}, {"through"}),
        ({"type": "read", "through": 0}, {"through"}),
        ({"type": "typing", "x": 1}, {"x"}),
        ({"type": "identify"}, {"name"}),
        ({"type": "identify", "name": 1}, {"name"}),
        ({"type": "identify", "name": "a" * 121}, {"name"}),
        ({"type": "identify", "phone": "call me"}, {"phone"}),
        ({"type": "identify", "email": "ani"}, {"email"}),
    ],
)
def test_a_faulty_frame_names_its_fields(told: dict[str, object], fields: set[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_frame(json.dumps(told))
    assert set(caught.value.fields) == fields


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"{}",
        b'{"type": 1}',
        b'{"type": "shout"}',
        b'{"type": ["ping"]}',
        b"[" * 60_000,
        b'{"type": "ping"}' + b" " * 65_536,
    ],
)
def test_what_is_no_frame_is_a_bad_request(data: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_frame(data)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.just("\ud800\0"),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
_frames = st.builds(
    lambda kind, told: json.dumps({**told, "type": kind}),
    st.sampled_from(["message", "received", "read", "typing", "identify", "ping"]),
    st.dictionaries(
        st.sampled_from(["client_id", "text", "through", "attachment_ids", "name", "phone", "email"])
        | st.text(max_size=4),
        _values,
    ),
)


@given(st.binary(max_size=60) | _frames | st.text(max_size=60))
def test_any_data_is_either_a_frame_or_invalid(data: str | bytes) -> None:
    try:
        frame = parse_frame(data)
    except InvalidInput:
        return
    assert "\\x00" not in repr(frame)
    assert "\\ud800" not in repr(frame)


def test_a_text_that_no_database_can_keep_is_mended() -> None:
    frame = parse_frame(r'{"type": "message", "client_id": "a", "text": "a\u0000b\ud800c\ud83d\ude00"}')
    assert frame == MessageFrame("a", "a\ufffdb\ufffdc😀")


def test_a_message_becomes_an_arrival_that_is_once_only() -> None:
    media = (Media("image/png", name="a.png", url="https://x.test/a.png"),)
    arrival = message_arrival("visitor-1", MessageFrame("c-1", "Hi", (7,)), received_at=NOW, media=media, language="hy")
    assert arrival.provider_id == "visitor-1:c-1"
    assert (arrival.contact_kind, arrival.sender, arrival.text) == (ContactKind.CHAT, "visitor-1", "Hi")
    assert (arrival.media, arrival.language, arrival.received_at) == (media, "hy", NOW)
    assert json.loads(arrival.raw) == {"type": "message", "client_id": "c-1", "text": "Hi", "attachment_ids": [7]}


@pytest.mark.anyio
async def test_sending_twice_is_the_same_as_once() -> None:
    channel = chat.ChatChannel(chat_account())
    assert channel.capabilities.repeatable
    first, second = await channel.send(outgoing()), await channel.send(outgoing())
    assert first == second == await channel.find_sent(outgoing()) == Accepted(outgoing().delivery_id)


# --- visitors ---------------------------------------------------------------------------------------------------------


def test_a_visitor_is_known_again() -> None:
    visitor_id = new_visitor_id()
    token = sign_visitor(visitor_id, key=KEY, issued_at=NOW)
    assert token.startswith(visitor_id + ".")
    assert read_visitor(token, key=KEY, now=NOW + timedelta(days=399)) == visitor_id


@pytest.mark.parametrize(
    ("now", "known"),
    [
        (NOW, True),
        (NOW - timedelta(minutes=4), True),
        (NOW - timedelta(minutes=6), False),
        (NOW + timedelta(days=400), True),
        (NOW + timedelta(days=400, seconds=1), False),
    ],
)
def test_a_token_has_its_time(now: object, known: bool) -> None:
    token = sign_visitor("visitor-1", key=KEY, issued_at=NOW)
    assert (read_visitor(token, key=KEY, now=now) is not None) is known  # type: ignore[arg-type]


def test_a_token_of_another_key_or_another_visitor_is_nobodys() -> None:
    token = sign_visitor("visitor-1", key=KEY, issued_at=NOW)
    assert read_visitor(token, key=b"x" * 32, now=NOW) is None
    assert read_visitor(token.replace("visitor-1", "visitor-2"), key=KEY, now=NOW) is None
    head, seconds, signature = token.split(".")
    assert read_visitor(f"{head}.{int(seconds) + 1}.{signature}", key=KEY, now=NOW) is None


@given(st.text(max_size=80))
def test_what_we_did_not_sign_is_nobodys(token: str) -> None:
    assert read_visitor(token, key=KEY, now=NOW) is None


@pytest.mark.parametrize("visitor_id", ["", "short", "a.b.c.d.e", "a" * 65, "visitor 12"])
def test_what_is_no_visitor_id_is_not_signed(visitor_id: str) -> None:
    with pytest.raises(ValueError, match="visitor id"):
        sign_visitor(visitor_id, key=KEY, issued_at=NOW)


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="empty key"):
        sign_visitor("visitor-1", key=b"", issued_at=NOW)


def test_visitor_ids_do_not_repeat() -> None:
    ids = {new_visitor_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(sign_visitor(each, key=KEY, issued_at=NOW) for each in ids)


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://www.example.com", True),
        ("https://WWW.example.com:443", True),
        ("https://shop.example.com:8443", True),
        ("https://hub.example.com", True),
        ("http://www.example.com", False),
        ("https://example.com", False),
        ("https://www.example.com.evil.test", False),
        ("https://shop.example.com", False),
        ("null", False),
        ("", False),
        (None, False),
    ],
)
def test_only_named_pages_may_chat(origin: str | None, allowed: bool) -> None:
    account = chat_account(allowed_origins="https://www.example.com/  https://shop.example.com:8443")
    assert origin_allowed(account, origin) is allowed


@pytest.mark.parametrize(
    "text", ["", "null", "example.com", "ftp://example.com", "https://", "https://u@e.com", "http://[", "http://a:x"]
)
def test_what_is_no_origin_is_none(text: str) -> None:
    assert normal_origin(text) is None
