"""Twilio's REST API over a real wire: what left, what did not, and what each answer means."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest

from hub.channels import twilio
from hub.channels.channel import Accepted, Media
from hub.channels.sms import FETCH_LIMIT_BYTES, SmsChannel
from hub.domain.states import Delivery
from hub.errors import ProviderError, Refused, Unavailable, Uncertain
from tests.channels.provider import Fault, Provider, Reply, running_provider
from tests.channels.support import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    CUSTOMER,
    DELIVERY_ID,
    NOW,
    NUMBER,
    PUBLIC_URL,
    SERVICE_SID,
    outgoing,
    picture,
    sms_account,
)

pytestmark = pytest.mark.anyio

SID = "SM" + "a" * 32
CREATED = Reply.json(201, {"sid": SID, "status": "queued", "num_segments": "1", "direction": "outbound-api"})
MESSAGES_PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
BASIC = "Basic " + base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()


@asynccontextmanager
async def sms(**settings: str) -> AsyncIterator[tuple[SmsChannel, Provider]]:
    async with running_provider() as provider:
        channel = SmsChannel(sms_account(api_base=provider.url, **settings))
        try:
            yield channel, provider
        finally:
            await channel.aclose()


@asynccontextmanager
async def impatient(api_base: str) -> AsyncIterator[twilio.Rest]:
    rest = twilio.Rest(ACCOUNT_SID, AUTH_TOKEN, api_base, connect_timeout_s=0.3, answer_timeout_s=0.3)
    try:
        yield rest
    finally:
        await rest.aclose()


# --- send -------------------------------------------------------------------------------------------------------------


async def test_a_text_is_posted_with_our_callback() -> None:
    async with sms() as (channel, provider):
        provider.play(CREATED)
        accepted = await channel.send(outgoing("Բարև & hello + 100%"))
    (seen,) = provider.seen
    assert accepted == Accepted(SID, Delivery.SENT, 1)
    assert (seen.method, seen.path) == ("POST", MESSAGES_PATH)
    assert seen.headers["authorization"] == BASIC
    assert sorted(seen.form) == [
        ("Body", "Բարև & hello + 100%"),
        ("From", NUMBER),
        ("StatusCallback", f"{PUBLIC_URL}/webhooks/sms-demo/status?delivery={DELIVERY_ID}"),
        ("To", CUSTOMER),
    ]


async def test_files_are_repeated_fields_and_a_service_may_send() -> None:
    async with sms(from_number="", messaging_service_sid=SERVICE_SID) as (channel, provider):
        provider.play(Reply.json(201, {"sid": SID, "status": "accepted", "num_segments": "0"}))
        accepted = await channel.send(outgoing("Look", picture(), picture()))
    form = provider.seen[0].form
    assert [value for name, value in form if name == "MediaUrl"] == [picture().url] * 2
    assert dict(form)["MessagingServiceSid"] == SERVICE_SID
    assert "From" not in dict(form)
    # Twilio does not know yet; we count ourselves.
    assert accepted.segments == 1


async def test_the_receipt_of_an_odd_delivery_id_comes_back_as_it_was() -> None:
    async with sms() as (channel, provider):
        provider.play(CREATED)
        await channel.send(outgoing(delivery_id="a/b c&d=é"))
    callback = dict(provider.seen[0].form)["StatusCallback"]
    assert callback.endswith("/status?delivery=a%2Fb%20c%26d%3D%C3%A9")


@pytest.mark.parametrize(
    ("answer", "error", "code", "provider_code"),
    [
        (Reply.json(400, {"code": 21610, "message": "m"}), Refused, "opted_out", "21610"),
        (Reply.json(400, {"code": 21614, "message": "m"}), Refused, "not_a_mobile", "21614"),
        (Reply.json(400, {"code": 21211, "message": "m"}), Refused, "invalid_number", "21211"),
        (Reply.json(400, {"code": 21408, "message": "m"}), Refused, "country_not_allowed", "21408"),
        (Reply.json(400, {"code": 21608, "message": "m"}), Refused, "trial_restricted", "21608"),
        (Reply.json(400, {"code": 30007, "message": "m"}), Refused, "carrier_filtered", "30007"),
        (Reply.json(400, {"code": 99999, "message": "m"}), Refused, "unknown", "99999"),
        (Reply.json(400, {"title": "m", "type": "t", "status": 400, "code": 21610}), Refused, "opted_out", "21610"),
        (Reply(400, b"<html>no</html>"), Refused, "unknown", "400"),
        (Reply.json(401, {"code": 20003, "message": "m"}), Refused, "account_refused", "20003"),
        (Reply(401, b""), Refused, "account_refused", "401"),
        (Reply(403, b"[]"), Refused, "account_refused", "403"),
        (Reply.json(404, {"code": 20404, "message": "m"}), Refused, "account_refused", "20404"),
        (Reply(302, b"", {"Location": "https://example.com/"}), Refused, "unknown", "302"),
        (Reply.json(201, {"sid": SID, "status": "failed", "error_code": 30006}), Refused, "unreachable", "30006"),
        (Reply.json(429, {"code": 20429, "message": "m"}, Retry_After="7"), Unavailable, "rate_limited", "20429"),
        (Reply(429, b"slow down"), Unavailable, "rate_limited", "429"),
        (Reply.json(400, {"code": 21611, "message": "m"}), Unavailable, "queue_overflow", "21611"),
        (Reply.json(500, {"code": 20500, "message": "m"}), Uncertain, "no_answer", "20500"),
        (Reply(502, b"<html>bad gateway</html>"), Uncertain, "no_answer", "502"),
        (Reply.json(503, {"code": 20503, "message": "m"}, Retry_After="7"), Uncertain, "no_answer", "20503"),
        (Reply(504, b""), Uncertain, "no_answer", "504"),
        (Reply(408, b""), Uncertain, "no_answer", "408"),
        (Reply(201, b"this is not JSON"), Uncertain, "unreadable_answer", None),
        (Reply(201, b""), Uncertain, "unreadable_answer", None),
        (Reply(201, b"[1]"), Uncertain, "unreadable_answer", None),
        (Reply.json(201, {"sid": None, "status": "queued"}), Uncertain, "unreadable_answer", None),
        (Fault.RESET, Uncertain, "no_answer", None),
        (Fault.HANG_UP, Uncertain, "no_answer", None),
        (Fault.BREAK_OFF, Uncertain, "no_answer", None),
    ],
)
async def test_each_answer_to_a_send_has_its_meaning(
    answer: Reply | Fault, error: type[ProviderError], code: str, provider_code: str | None
) -> None:
    async with sms() as (channel, provider):
        provider.play(answer)
        with pytest.raises(ProviderError) as caught:
            await channel.send(outgoing())
    assert (type(caught.value), caught.value.code, caught.value.provider_code) == (error, code, provider_code)
    assert len(provider.seen) == 1, "a send is never repeated by the adapter"


@pytest.mark.parametrize(
    ("headers", "wait_s"), [({"Retry-After": "7"}, 7.0), ({}, 1.0), ({"Retry-After": "soon"}, 1.0)]
)
async def test_twilio_says_how_long_to_wait(headers: dict[str, str], wait_s: float) -> None:
    async with sms() as (channel, provider):
        provider.play(Reply(429, b"", headers))
        with pytest.raises(Unavailable) as caught:
            await channel.send(outgoing())
    assert caught.value.retry_after_s == wait_s


async def test_silence_after_the_request_left_is_uncertain() -> None:
    async with running_provider() as provider, impatient(provider.url) as rest:
        provider.play(Fault.SILENCE)
        with pytest.raises(Uncertain) as caught:
            await rest.create_message(to=CUSTOMER, body="Hello", sender=NUMBER)
        assert len(provider.seen) == 1
    assert caught.value.code == "no_answer"


async def test_a_connection_that_is_refused_is_unavailable() -> None:
    async with running_provider() as provider:
        closed = provider.url
    async with impatient(closed) as rest:
        with pytest.raises(Unavailable) as caught:
            await rest.create_message(to=CUSTOMER, body="Hello", sender=NUMBER)
    assert caught.value.code == "unreachable_provider"


async def test_a_name_that_does_not_exist_is_unavailable() -> None:
    async with impatient("https://twilio.invalid") as rest:
        with pytest.raises(Unavailable):
            await rest.create_message(to=CUSTOMER, body="Hello", sender=NUMBER)


async def test_a_server_that_speaks_no_tls_is_unavailable() -> None:
    async with running_provider() as provider, impatient(provider.url.replace("http:", "https:")) as rest:
        with pytest.raises(Unavailable):
            await rest.create_message(to=CUSTOMER, body="Hello", sender=NUMBER)
        assert provider.seen == []


# --- find_sent --------------------------------------------------------------------------------------------------------

# The Date header of the provider's answers.
TWILIO_NOW = NOW


def kept(body: str = "Hello", *, at: datetime = NOW, **told: object) -> dict[str, object]:
    """A message as Twilio lists it."""
    return {
        "sid": SID,
        "status": "sent",
        "body": body,
        "from": NUMBER,
        "to": CUSTOMER,
        "direction": "outbound-api",
        "date_created": at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "date_sent": None,
        "num_media": "0",
        "num_segments": "1",
        "messaging_service_sid": None,
        "error_code": None,
        **told,
    }


def listing(*messages: dict[str, object]) -> Reply:
    return Reply.json(200, {"messages": list(messages), "page": 0, "page_size": 1000, "next_page_uri": None})


async def find(answer: Reply | Fault, attempted_at: datetime | None, text: str = "Hello") -> Accepted | None:
    async with sms() as (channel, provider):
        provider.play(answer)
        return await channel.find_sent(replace(outgoing(text), attempted_at=attempted_at))


LONG_AGO = TWILIO_NOW - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([kept(at=LONG_AGO)], Accepted(SID, Delivery.SENT, 1)),
        ([kept(at=LONG_AGO - timedelta(seconds=3))], Accepted(SID, Delivery.SENT, 1)),
        ([kept(at=LONG_AGO, status="delivered")], Accepted(SID, Delivery.DELIVERED, 1)),
        ([kept(at=LONG_AGO, status="undelivered", error_code=30003)], Accepted(SID, Delivery.FAILED, 1)),
        ([kept("Sent from your Twilio trial account - Hello", at=LONG_AGO)], Accepted(SID, Delivery.SENT, 1)),
        ([kept("Other", at=LONG_AGO), kept(" Hello\n", at=LONG_AGO)], Accepted(SID, Delivery.SENT, 1)),
        ([], None),
        ([kept("Another text", at=LONG_AGO)], None),
        ([kept(at=LONG_AGO - timedelta(seconds=6))], None),
        ([kept(at=LONG_AGO, direction="inbound")], None),
        ([kept(at=LONG_AGO, **{"from": "+15005550007"})], None),
    ],
)
async def test_what_twilio_has_settles_what_was_uncertain(
    messages: list[dict[str, object]], found: Accepted | None
) -> None:
    assert await find(listing(*messages), LONG_AGO) == found


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("Hello", [kept(at=LONG_AGO), kept(at=LONG_AGO)]),
        # Smart Encoding has replaced the quotes and the dash.
        ("“Hello” – ok", [kept('"Hello" - ok', at=LONG_AGO)]),
    ],
)
async def test_what_is_ambiguous_stays_uncertain(text: str, messages: list[dict[str, object]]) -> None:
    with pytest.raises(Uncertain):
        await find(listing(*messages), LONG_AGO, text)


async def test_files_must_match_too() -> None:
    async with sms() as (channel, provider):
        provider.play(listing(kept("", at=NOW, num_media="2"), kept("", at=NOW, num_media="1", sid="MM" + "b" * 32)))
        found = await channel.find_sent(outgoing("", picture()))
    assert found is not None
    assert found.provider_id == "MM" + "b" * 32


async def test_it_may_be_too_early_to_say_that_twilio_knows_nothing() -> None:
    with pytest.raises(Unavailable) as caught:
        await find(listing(), TWILIO_NOW - timedelta(seconds=10))
    assert caught.value.code == "too_early"
    assert caught.value.retry_after_s == 20.0


@pytest.mark.parametrize(
    "answer",
    [Reply(500), Reply(429), Reply(401), Fault.RESET, Fault.BREAK_OFF, Reply(200, b"no JSON"), Reply(200, b"[]")],
)
async def test_when_twilio_cannot_be_asked_it_is_unavailable(answer: Reply | Fault) -> None:
    with pytest.raises(Unavailable):
        await find(answer, LONG_AGO)


@pytest.mark.parametrize(("attempted_at", "date"), [(None, "Sun, 22 Nov 2026 12:00:00 GMT"), (LONG_AGO, "whenever")])
async def test_without_times_nothing_can_be_said(attempted_at: datetime | None, date: str) -> None:
    answer = listing()
    with pytest.raises(Uncertain):
        await find(Reply(200, answer.body, {**answer.headers, "Date": date}), attempted_at)


async def test_a_history_too_long_to_read_says_nothing() -> None:
    with pytest.raises(Uncertain):
        await find(listing(*[kept("Other", at=LONG_AGO - timedelta(days=1))] * 1_000), LONG_AGO)


async def test_the_list_is_read_over_all_its_pages() -> None:
    page = {"messages": [kept("Other", at=LONG_AGO)], "next_page_uri": f"{MESSAGES_PATH}?Page=1&PageToken=PA1"}
    async with sms() as (channel, provider):
        provider.play(Reply.json(200, page), listing(kept(at=NOW)))
        found = await channel.find_sent(outgoing())
    assert found is not None
    assert [seen.path for seen in provider.seen] == [MESSAGES_PATH] * 2
    assert dict(provider.seen[1].query)["PageToken"] == "PA1"


# --- media ------------------------------------------------------------------------------------------------------------

MEDIA_PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/MM{'a' * 32}/Media/ME{'b' * 32}"


async def test_media_are_fetched_with_our_credentials() -> None:
    async with sms() as (channel, provider):
        provider.play(Reply(200, b"\xff\xd8jpeg", {"Content-Type": "image/jpeg; x=y"}))
        fetched = await channel.fetch_media(Media("image/png", url=f"https://api.twilio.com{MEDIA_PATH}"))
    assert (fetched.content, fetched.media_type) == (b"\xff\xd8jpeg", "image/jpeg")
    assert provider.seen[0].path == MEDIA_PATH
    assert provider.seen[0].headers["authorization"] == BASIC


async def test_a_redirect_within_the_api_is_followed() -> None:
    async with sms() as (channel, provider):
        provider.play(Reply(307, b"", {"Location": "/files/1"}), Reply(200, b"x"))
        fetched = await channel.fetch_media(Media("image/png", url=provider.url + MEDIA_PATH))
    assert fetched.content == b"x"
    assert [seen.path for seen in provider.seen] == [MEDIA_PATH, "/files/1"]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/secret",
        "https://127.0.0.1:{port}/secret",
        "https://localhost:{port}/secret",
        "https://[::1]:{port}/secret",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "http://example.com/",
        "https://user@example.com/",
        "file:///etc/passwd",
        "//127.0.0.1:{port}/secret",
    ],
)
async def test_a_redirect_into_our_own_network_is_refused(location: str) -> None:
    async with running_provider() as inner, sms() as (channel, provider):
        inner.play(Reply(200, b"secret"))
        target = location.format(port=urlsplit(inner.url).port)
        provider.play(Reply(302, b"", {"Location": target}))
        with pytest.raises(Refused) as caught:
            await channel.fetch_media(Media("image/png", url=provider.url + MEDIA_PATH))
    assert caught.value.code == "media_not_allowed"
    assert inner.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "http://api.twilio.com/x",
        "https://api.twilio.com.example.com/x",
        "https://example.com/x",
        "https://eviltwilio.com/x",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "",
    ],
)
async def test_media_elsewhere_are_refused(url: str) -> None:
    async with sms() as (channel, provider):
        with pytest.raises(Refused) as caught:
            await channel.fetch_media(Media("image/png", url=url))
    assert caught.value.code == "media_not_allowed"
    assert provider.seen == []


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (Reply(404), Refused, "media_gone"),
        (Reply(410), Refused, "media_gone"),
        (Reply(200, b"x" * (FETCH_LIMIT_BYTES + 1)), Refused, "media_too_large"),
        (Reply(401), Unavailable, "account_refused"),
        (Reply(500), Unavailable, "unavailable"),
        (Reply(429, b"", {"Retry-After": "3"}), Unavailable, "unavailable"),
        (Reply(302, b""), Unavailable, "unreadable_answer"),
        (Fault.RESET, Unavailable, "unreachable_provider"),
        (Reply(302, b"", {"Location": MEDIA_PATH}), Refused, "media_not_allowed"),
    ],
)
async def test_each_answer_to_a_fetch_has_its_meaning(
    answer: Reply | Fault, error: type[ProviderError], code: str
) -> None:
    async with sms() as (channel, provider):
        provider.play(answer)
        with pytest.raises(ProviderError) as caught:
            await channel.fetch_media(Media("image/png", url=provider.url + MEDIA_PATH))
    assert (type(caught.value), caught.value.code) == (error, code)
