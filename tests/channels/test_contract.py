"""What every channel owes the hub, tried on every channel."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, is_dataclass, replace
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.channels import loopback
from hub.channels.channel import (
    Accepted,
    Channel,
    MessageArrival,
    OutgoingFile,
    OutgoingMessage,
    ReceiptArrival,
    WebhookRequest,
)
from hub.channels.chat import ChatChannel
from hub.channels.email import EmailChannel
from hub.channels.loopback import LoopbackChannel
from hub.channels.registry import CHANNEL_TYPES, create
from hub.channels.sms import SmsChannel
from hub.domain.mail import Mailbox, MailKind
from hub.domain.states import Delivery
from hub.domain.values import ChannelKind
from hub.errors import BadRequest, BadSignature, InvalidInput, ProviderError, Refused, Unavailable, Uncertain
from tests.channels.mailserver import Mishap, running_mail_server
from tests.channels.provider import Fault, Reply, running_provider
from tests.channels.support import (
    NOW,
    PAYLOADS,
    SIGNING_KEY,
    chat_account,
    email_account,
    loopback_account,
    loopback_request,
    mailgun_request,
    mime_request,
    outgoing,
    outgoing_mail,
    picture,
    signed_by_twilio,
    signed_mime,
    sms_account,
    twilio_request,
)

# --- the channels -----------------------------------------------------------------------------------------------------

CHANNELS: dict[str, Callable[[], Channel]] = {
    "sms": lambda: SmsChannel(sms_account()),
    "email": lambda: EmailChannel(email_account()),
    "chat": lambda: ChatChannel(chat_account()),
    "loopback": lambda: LoopbackChannel(loopback_account()),
}
KEYLESS: dict[str, Callable[[], Channel]] = {
    "sms": lambda: SmsChannel(sms_account(token="")),
    "email": lambda: EmailChannel(email_account(key="")),
    "loopback": lambda: LoopbackChannel(loopback_account(key="")),
}
each_channel = pytest.mark.parametrize("name", CHANNELS)
each_webhook_channel = pytest.mark.parametrize("name", KEYLESS)


def _payloads() -> Iterator[tuple[str, WebhookRequest]]:
    for path in sorted((PAYLOADS / "twilio").glob("*.form")):
        yield "sms", twilio_request(path.stem)
    for path in sorted((PAYLOADS / "loopback").glob("*.json")):
        yield "loopback", loopback_request(path.stem)
    for path in sorted((PAYLOADS / "mime").glob("*.eml")):
        yield "email", mime_request(path.stem)


REQUESTS = list(_payloads())
# Mailgun signs a time and a token within the body, not the body (tests/channels/test_email.py); it is read like any other.
MAILGUN = [("email", mailgun_request(path.stem)) for path in sorted((PAYLOADS / "mailgun").glob("*.form"))]
PAYLOADS_READ = [*REQUESTS, *MAILGUN]
each_request = pytest.mark.parametrize(
    ("name", "request_"), REQUESTS, ids=[f"{name}-{index}" for index, (name, _) in enumerate(REQUESTS)]
)
each_payload = pytest.mark.parametrize(
    ("name", "request_"), PAYLOADS_READ, ids=[f"{name}-{index}" for index, (name, _) in enumerate(PAYLOADS_READ)]
)

SIGNERS: dict[str, Callable[[WebhookRequest], WebhookRequest]] = {
    "sms": signed_by_twilio,
    "email": signed_mime,
    "loopback": lambda request: replace(
        request,
        headers={**request.headers, loopback.SIGNATURE_HEADER: loopback.sign(request.body, SIGNING_KEY)},
    ),
}


def test_every_kind_of_channel_is_under_this_contract() -> None:
    assert {type(make()) for make in CHANNELS.values()} == {type(create(make().account)) for make in CHANNELS.values()}
    assert {ChannelKind(name) for name in CHANNELS} == set(CHANNEL_TYPES)


# --- verify -----------------------------------------------------------------------------------------------------------


@each_payload
def test_a_right_signature_is_accepted(name: str, request_: WebhookRequest) -> None:
    CHANNELS[name]().check_head(request_.kind, request_.headers)
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


@each_payload
def test_parsing_twice_gives_the_same_keys(name: str, request_: WebhookRequest) -> None:
    first, second = CHANNELS[name]().parse(request_), CHANNELS[name]().parse(replace(request_, headers={}))
    assert first == second
    assert all(arrival.provider_id for arrival in first)


@each_webhook_channel
def test_no_two_payloads_share_a_key(name: str) -> None:
    channel = CHANNELS[name]()
    keys = [
        arrival.provider_id for owner, request in PAYLOADS_READ if owner == name for arrival in channel.parse(request)
    ]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("name", "request_", "word"),
    [
        ("sms", twilio_request("status_unknown_word", query="?delivery=d-1"), "partially_delivered"),
        ("loopback", loopback_request("status_unknown_word"), "pondering"),
        ("email", mime_request("report_unknown_word"), "pondering"),
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
_mails = st.lists(
    st.sampled_from(
        [
            *[
                "From: a@b.am",
                "From: \0",
                "To: support@example.com",
                "Subject: =?x?b?!?=",
                "Date: 99",
                "Message-ID: <>",
            ],
            *["Content-Type: multipart/report; boundary=b", "--b", "--b--", "", "Action: failed", "body-mime=%00"],
            *["Content-Type: message/delivery-status", "Final-Recipient: rfc822;a@b.am", "References: <\ud800@x>"],
        ]
    )
    | _text,
    max_size=12,
).map(lambda lines: "\r\n".join(lines).encode("utf-8", "surrogatepass"))
_bodies = (
    st.binary(max_size=200)
    | _forms
    | _mails
    | _jsons
    | st.sampled_from([b"[" * 100_000, b"9" * 5_000, b"\xef\xbb\xbf{}"])
)


@given(
    body=_bodies,
    kind=st.sampled_from(["message", "status", "mime", "mailgun-mime"]),
    name=st.sampled_from(sorted(KEYLESS)),
)
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
    for inner in value if isinstance(value, tuple) else ():
        check_storable(inner)
    for field in fields(value) if is_dataclass(value) else ():
        check_storable(getattr(value, field.name))


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
        ("email", outgoing_mail(" "), "text"),
        ("email", outgoing_mail("a" * 100_001), "text"),
        ("email", outgoing_mail("Hi", picture(11_000_000), picture(11_000_000)), "attachments"),
        ("email", outgoing_mail("Hi", *[picture()] * 51), "attachments"),
        ("email", outgoing_mail(subject="s" * 501), "mail.subject"),
        ("email", outgoing_mail(to=()), "mail.to"),
        ("email", outgoing_mail(to=(Mailbox("ani"),)), "mail.to"),
        ("email", outgoing_mail(to=(Mailbox("ani@example.am\r\nRCPT TO:<eve@example.am>"),)), "mail.to"),
        ("email", outgoing_mail(to=tuple(Mailbox(f"a{number}@example.am") for number in range(101))), "mail.to"),
        ("email", outgoing_mail(cc=(Mailbox("a b@example.am"),)), "mail.cc"),
        ("email", outgoing_mail(bcc=(Mailbox("ani@exa mple.am"),)), "mail.bcc"),
        ("email", outgoing("Hello"), "mail.to"),
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
        ("email", outgoing_mail("a" * 100_000, *[picture(400_000)] * 50)),
        ("email", outgoing_mail("", picture(20 * 1024 * 1024))),
        ("email", outgoing_mail(subject="")),
        ("email", outgoing_mail(to=tuple(Mailbox(f"a{number}@example.am") for number in range(100)))),
        ("email", outgoing_mail(to=(Mailbox("անի@օրինակ.հայ"), Mailbox('"a b"@example.am')))),
        ("email", outgoing_mail(kind=MailKind.ACKNOWLEDGEMENT)),
        ("chat", outgoing("a" * 4_000)),
        ("chat", outgoing("", picture(10 * 1024 * 1024, "image/png"))),
        ("loopback", outgoing("a" * 100_000, document())),
    ],
)
def test_what_a_channel_can_carry_passes(name: str, message: OutgoingMessage) -> None:
    CHANNELS[name]().check_outgoing(message)


Answer = Reply | Fault | Mishap | str


@asynccontextmanager
async def live(name: str, answer: Answer) -> AsyncIterator[Channel]:
    """The channel `name` before a provider that gives `answer`: over HTTP, or by SMTP when it has the whole mail."""
    async with running_provider() as provider, running_mail_server() as mail_server:
        if isinstance(answer, Reply | Fault):
            provider.play(answer)
        else:
            mail_server.play("CONTENT", answer)
        makers: dict[str, Callable[[], Channel]] = {
            **CHANNELS,
            "sms": lambda: SmsChannel(sms_account(api_base=provider.url)),
            "email": lambda: EmailChannel(email_account(smtp_port=str(mail_server.port))),
        }
        channel = makers[name]()
        try:
            yield channel
        finally:
            await channel.aclose()


SENT = Reply.json(201, {"sid": "SM" + "0" * 32, "status": "queued", "num_segments": "1"})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("sms", SENT, outgoing()),
        ("email", "250 2.0.0 Queued", outgoing_mail()),
        ("chat", SENT, outgoing()),
        ("loopback", SENT, outgoing()),
    ],
)
async def test_a_message_is_accepted(name: str, answer: Answer, message: OutgoingMessage) -> None:
    async with live(name, answer) as channel:
        accepted = await channel.send(message)
    assert isinstance(accepted, Accepted)
    assert accepted.state is Delivery.SENT
    assert accepted.provider_id


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "answer", "message", "expected"),
    [
        ("sms", Reply.json(400, {"code": 21610, "message": "opted out", "status": 400}), outgoing(), Refused),
        ("sms", Reply.json(429, {"code": 20429, "message": "slow down", "status": 429}), outgoing(), Unavailable),
        ("sms", Fault.RESET, outgoing(), Uncertain),
        ("email", "554 5.7.1 Rejected as spam", outgoing_mail(), Refused),
        ("email", "451 4.3.0 Try again later", outgoing_mail(), Unavailable),
        ("email", Mishap.DROP, outgoing_mail(), Uncertain),
        ("loopback", SENT, outgoing("please !refuse this"), Refused),
        ("loopback", SENT, outgoing("!unavailable"), Unavailable),
        ("loopback", SENT, outgoing("!unavailable-twice"), Unavailable),
        ("loopback", SENT, outgoing("!uncertain-sent"), Uncertain),
        ("loopback", SENT, outgoing("!uncertain-lost"), Uncertain),
        ("loopback", SENT, outgoing("!uncertain-unknown"), Uncertain),
    ],
)
async def test_each_failure_says_whether_to_try_again(
    name: str, answer: Answer, message: OutgoingMessage, expected: type[ProviderError]
) -> None:
    async with live(name, answer) as channel:
        with pytest.raises(ProviderError) as caught:
            await channel.send(message)
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
