"""What every channel owes the hub, tried on every channel."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.channels import loopback
from hub.channels.channel import (
    Accepted,
    Channel,
    Media,
    MessageArrival,
    OutgoingFile,
    OutgoingMessage,
    ReceiptArrival,
    WebhookRequest,
)
from hub.channels.chat import ChatChannel
from hub.channels.loopback import LoopbackChannel
from hub.channels.registry import CHANNEL_TYPES, create
from hub.channels.sms import SmsChannel
from hub.domain.states import Delivery
from hub.domain.values import ChannelKind
from hub.errors import BadRequest, BadSignature, InvalidInput, ProviderError, Refused, Unavailable, Uncertain
from tests.channels.provider import Fault, Provider, Reply, running_provider
from tests.channels.support import (
    NOW,
    PAYLOADS,
    SIGNING_KEY,
    chat_account,
    loopback_account,
    loopback_request,
    outgoing,
    picture,
    signed_by_twilio,
    sms_account,
    twilio_request,
)

# --- the channels -----------------------------------------------------------------------------------------------------

CHANNELS: dict[str, Callable[[], Channel]] = {
    "sms": lambda: SmsChannel(sms_account()),
    "chat": lambda: ChatChannel(chat_account()),
    "loopback": lambda: LoopbackChannel(loopback_account()),
}
KEYLESS: dict[str, Callable[[], Channel]] = {
    "sms": lambda: SmsChannel(sms_account(token="")),
    "loopback": lambda: LoopbackChannel(loopback_account(key="")),
}
each_channel = pytest.mark.parametrize("name", CHANNELS)
each_webhook_channel = pytest.mark.parametrize("name", KEYLESS)


def _payloads() -> Iterator[tuple[str, WebhookRequest]]:
    for path in sorted((PAYLOADS / "twilio").glob("*.form")):
        yield "sms", twilio_request(path.stem)
    for path in sorted((PAYLOADS / "loopback").glob("*.json")):
        yield "loopback", loopback_request(path.stem)


REQUESTS = list(_payloads())
each_request = pytest.mark.parametrize(
    ("name", "request_"), REQUESTS, ids=[f"{name}-{index}" for index, (name, _) in enumerate(REQUESTS)]
)

SIGNERS: dict[str, Callable[[WebhookRequest], WebhookRequest]] = {
    "sms": signed_by_twilio,
    "loopback": lambda request: replace(
        request,
        headers={**request.headers, loopback.SIGNATURE_HEADER: loopback.sign(request.body, SIGNING_KEY)},
    ),
}


def test_every_kind_of_channel_is_under_this_contract() -> None:
    assert {type(make()) for make in CHANNELS.values()} == {type(create(make().account)) for make in CHANNELS.values()}
    assert {ChannelKind(name) for name in CHANNELS} == set(CHANNEL_TYPES)


# --- verify -----------------------------------------------------------------------------------------------------------


@each_request
def test_a_right_signature_is_accepted(name: str, request_: WebhookRequest) -> None:
    CHANNELS[name]().verify(request_)


@each_request
def test_a_missing_or_foreign_signature_is_refused(name: str, request_: WebhookRequest) -> None:
    channel = CHANNELS[name]()
    bare = {key: value for key, value in request_.headers.items() if not key.endswith("-signature")}
    signature_header = next(key for key in request_.headers if key.endswith("-signature"))
    for forged in ("", "AAAA", "é" * 28, request_.headers[signature_header][:-1]):
        with pytest.raises(BadSignature):
            channel.verify(replace(request_, headers={**bare, signature_header: forged}))
    with pytest.raises(BadSignature):
        channel.verify(replace(request_, headers=bare))


@each_request
def test_a_changed_body_is_refused(name: str, request_: WebhookRequest) -> None:
    channel = CHANNELS[name]()
    for body in (request_.body + b"&x=1", request_.body[:-1], b"", b"x" + request_.body, request_.body[::-1]):
        with pytest.raises(BadSignature):
            channel.verify(replace(request_, body=body))


@each_webhook_channel
def test_without_a_key_nothing_is_accepted(name: str) -> None:
    channel = KEYLESS[name]()
    request = next(request for owner, request in REQUESTS if owner == name)
    with pytest.raises(BadSignature):
        channel.verify(request)


def test_web_chat_has_no_webhooks() -> None:
    channel = CHANNELS["chat"]()
    request = WebhookRequest("message", "https://hub.example.com/webhooks/chat-demo/message", {}, b"{}", NOW)
    with pytest.raises(BadSignature):
        channel.verify(request)
    with pytest.raises(BadRequest):
        channel.parse(request)


# --- parse ------------------------------------------------------------------------------------------------------------


@each_request
def test_parsing_twice_gives_the_same_keys(name: str, request_: WebhookRequest) -> None:
    first, second = CHANNELS[name]().parse(request_), CHANNELS[name]().parse(replace(request_, headers={}))
    assert first == second
    assert all(arrival.provider_id for arrival in first)


@each_webhook_channel
def test_no_two_payloads_share_a_key(name: str) -> None:
    channel = CHANNELS[name]()
    keys = [arrival.provider_id for owner, request in REQUESTS if owner == name for arrival in channel.parse(request)]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("name", "request_", "word"),
    [
        ("sms", twilio_request("status_unknown_word", query="?delivery=d-1"), "partially_delivered"),
        ("loopback", loopback_request("status_unknown_word"), "pondering"),
    ],
)
def test_an_unknown_word_is_kept_and_means_nothing(name: str, request_: WebhookRequest, word: str) -> None:
    (arrival,) = CHANNELS[name]().parse(request_)
    assert isinstance(arrival, ReceiptArrival)
    assert arrival.state is None
    assert arrival.word == word
    assert word in arrival.raw


@each_webhook_channel
def test_an_unknown_kind_of_webhook_is_a_bad_request(name: str) -> None:
    request = next(request for owner, request in REQUESTS if owner == name)
    with pytest.raises(BadRequest):
        CHANNELS[name]().parse(replace(request, kind="nonsense"))


_text = st.text(max_size=40)
_names = st.sampled_from(
    [
        *["MessageSid", "SmsSid", "From", "Body", "NumMedia", "MediaUrl0", "MediaContentType0", "OptOutType"],
        *["ProfileName", "MessageStatus", "SmsStatus", "ErrorCode", "ErrorMessage"],
    ]
)
_forms = st.dictionaries(
    _names, _text | st.sampled_from(["SM1", "1", "999", "-1", "1e3", "٣", "+37491234567", "delivered", "\0", "30005"])
).map(lambda form: urlencode(form, errors="surrogatepass").encode())
_json_names = st.sampled_from(["id", "from", "name", "text", "at", "delivery_id", "message_id", "status", "reason"])
_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text | st.just("\ud800") | st.just("a\0b"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=5,
)
_jsons = (st.dictionaries(_json_names, _json_values) | _json_values).map(lambda told: json.dumps(told).encode())
_bodies = st.binary(max_size=200) | _forms | _jsons | st.sampled_from([b"[" * 100_000, b"9" * 5_000, b"\xef\xbb\xbf{}"])


@given(body=_bodies, kind=st.sampled_from(["message", "status"]), name=st.sampled_from(sorted(KEYLESS)))
def test_any_body_is_either_read_or_a_bad_request(body: bytes, kind: str, name: str) -> None:
    request = WebhookRequest(kind, f"https://hub.example.com/webhooks/x/{kind}?delivery=%00%ff", {}, body, NOW)
    try:
        arrivals = CHANNELS[name]().parse(request)
    except BadRequest:
        return
    for arrival in arrivals:
        for field in fields(arrival):
            check_storable(getattr(arrival, field.name))


def check_storable(value: object) -> None:
    """What goes to the database must be something PostgreSQL and UTF-8 can hold."""
    for text in [value] if isinstance(value, str) else []:
        assert "\0" not in text
        text.encode()
    for medium in value if isinstance(value, tuple) else ():
        assert isinstance(medium, Media)
        check_storable(medium.url)
        check_storable(medium.media_type)


@each_request
def test_whatever_was_signed_stays_signed(name: str, request_: WebhookRequest) -> None:
    assert SIGNERS[name](request_) == request_


# --- out --------------------------------------------------------------------------------------------------------------


def document(media_type: str = "application/x-msdownload", size_bytes: int = 1_000) -> OutgoingFile:
    return OutgoingFile("file", media_type, size_bytes, "https://hub.example.com/files/1")


@pytest.mark.parametrize(
    ("name", "message", "field"),
    [
        ("sms", outgoing(""), "text"),
        ("sms", outgoing("a" * 1_601), "text"),
        ("sms", outgoing("😀" * 801), "text"),
        ("sms", outgoing("Hi", *[picture()] * 11), "attachments"),
        ("sms", outgoing("Hi", picture(3_000_000), picture(3_000_000)), "attachments"),
        ("sms", outgoing("Hi", document()), "attachments"),
        ("sms", outgoing("Hi", document("application/pdf", 600 * 1024)), "attachments"),
        ("chat", outgoing(" \n"), "text"),
        ("chat", outgoing("a" * 4_001), "text"),
        ("chat", outgoing("Hi", document("application/pdf")), "attachments"),
        ("chat", outgoing("Hi", picture(11 * 1024 * 1024)), "attachments"),
        ("chat", outgoing("Hi", *[picture()] * 11), "attachments"),
        ("loopback", outgoing(""), "text"),
    ],
)
def test_what_a_channel_cannot_carry_is_said_before_it_is_queued(
    name: str, message: OutgoingMessage, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        CHANNELS[name]().check_outgoing(message)
    assert set(caught.value.fields) == {field}
    assert caught.value.fields[field]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sms", outgoing("a" * 1_600)),
        ("sms", outgoing("", *[picture(500_000)] * 10)),
        ("sms", outgoing("Hi", document("application/pdf", 500 * 1024))),
        ("chat", outgoing("a" * 4_000)),
        ("chat", outgoing("", picture(10 * 1024 * 1024, "image/png"))),
        ("loopback", outgoing("a" * 100_000, document())),
    ],
)
def test_what_a_channel_can_carry_passes(name: str, message: OutgoingMessage) -> None:
    CHANNELS[name]().check_outgoing(message)


@asynccontextmanager
async def live(name: str, provider: Provider) -> AsyncIterator[Channel]:
    channel = {
        "sms": lambda: SmsChannel(sms_account(api_base=provider.url)),
        "chat": CHANNELS["chat"],
        "loopback": CHANNELS["loopback"],
    }[name]()
    try:
        yield channel
    finally:
        await channel.aclose()


SENT = Reply.json(201, {"sid": "SM" + "0" * 32, "status": "queued", "num_segments": "1"})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "answer", "text"), [("sms", SENT, "Hello"), ("chat", SENT, "Hello"), ("loopback", SENT, "Hello")]
)
async def test_a_message_is_accepted(name: str, answer: Reply, text: str) -> None:
    async with running_provider() as provider, live(name, provider) as channel:
        provider.play(answer)
        accepted = await channel.send(outgoing(text))
    assert isinstance(accepted, Accepted)
    assert accepted.state is Delivery.SENT
    assert accepted.provider_id


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "answer", "text", "expected"),
    [
        ("sms", Reply.json(400, {"code": 21610, "message": "opted out", "status": 400}), "Hello", Refused),
        ("sms", Reply.json(429, {"code": 20429, "message": "slow down", "status": 429}), "Hello", Unavailable),
        ("sms", Fault.RESET, "Hello", Uncertain),
        ("loopback", SENT, "please !refuse this", Refused),
        ("loopback", SENT, "!unavailable", Unavailable),
        ("loopback", SENT, "!unavailable-twice", Unavailable),
        ("loopback", SENT, "!uncertain-sent", Uncertain),
        ("loopback", SENT, "!uncertain-lost", Uncertain),
        ("loopback", SENT, "!uncertain-unknown", Uncertain),
    ],
)
async def test_each_failure_says_whether_to_try_again(
    name: str, answer: Reply | Fault, text: str, expected: type[ProviderError]
) -> None:
    async with running_provider() as provider, live(name, provider) as channel:
        provider.play(answer)
        with pytest.raises(ProviderError) as caught:
            await channel.send(outgoing(text))
    assert type(caught.value) is expected
    assert caught.value.code


@each_channel
def test_the_answer_to_a_webhook_is_a_success(name: str) -> None:
    answer = CHANNELS[name]().answer(WebhookRequest("message", "https://hub.example.com", {}, b"", NOW))
    assert answer.status == 200


@each_channel
def test_a_channel_is_what_its_capabilities_say(name: str) -> None:
    channel = CHANNELS[name]()
    told = channel.capabilities
    assert told.attachments or not told.attachment_types
    assert (channel.segments("Hello") is not None) == (name == "sms")


def test_messages_and_receipts_are_told_apart() -> None:
    kinds = {name: {type(a) for a in CHANNELS[name]().parse(request)} for name, request in REQUESTS}
    assert set().union(*kinds.values()) <= {MessageArrival, ReceiptArrival}
