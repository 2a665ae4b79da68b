"""The demo carrier, over real HTTP: Twilio's own client and signature check are the judges."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import anyio.to_thread
import pytest
from starlette.types import ASGIApp
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped, unused-ignore]
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped, unused-ignore]
from twilio.http.response import Response as TwilioResponse  # type: ignore[import-untyped, unused-ignore]
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped, unused-ignore]
from twilio.rest import Client  # type: ignore[import-untyped, unused-ignore]

from hub.demo import twilio_wire
from hub.demo.carrier import Carrier, Message, twiml_messages
from hub.errors import InvalidInput, NotFound
from tests.demo.conftest import PATIENCE_S

pytestmark = pytest.mark.anyio

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "demo-token"
NUMBER = "+15005550006"
CREDENTIALS = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)}
ANNA, NINO = "+37491234567", "+995555123456"

T = TypeVar("T")
Serving = Callable[[ASGIApp], AbstractAsyncContextManager[str]]


class PointedAt(TwilioHttpClient):  # type: ignore[misc, unused-ignore]
    """Twilio's client with another host in its addresses."""

    def __init__(self, base_url: str) -> None:
        super().__init__(timeout=PATIENCE_S)
        self._base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> TwilioResponse:
        return super().request(method, url.replace("https://api.twilio.com", self._base_url), *args, **kwargs)


def client_of(carrier: Carrier, token: str = AUTH_TOKEN) -> Client:
    return Client(ACCOUNT_SID, token, http_client=PointedAt(carrier.base_url))


async def in_thread(call: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(call)


async def send(carrier: Carrier, **fields: Any) -> Any:
    client = client_of(carrier)
    arguments = {"to": ANNA, "from_": NUMBER, "body": "Good day", **fields}
    return await in_thread(lambda: client.messages.create(**arguments))


def statuses(webhooks: list[Any]) -> list[str]:
    return [w.form["MessageStatus"] for w in webhooks]


def is_genuine(webhook: Any) -> bool:
    validator = RequestValidator(AUTH_TOKEN)
    return bool(validator.validate(webhook.url, webhook.form, webhook.headers["x-twilio-signature"]))


# --- sending ----------------------------------------------------------------------------------------------------------


async def test_a_message_goes_from_queued_to_delivered_and_each_step_is_told(carrier: Carrier, hub: Any) -> None:
    sent = await send(carrier, status_callback=f"{hub.url}/status?delivery=d1", body="Բարև ձեզ")
    assert (sent.status, sent.direction, sent.error_code) == ("queued", "outbound-api", None)
    await hub.wait_for(lambda: len(hub.of("status")) == 3)
    assert statuses(hub.of("status")) == ["queued", "sent", "delivered"]
    assert all(is_genuine(w) for w in hub.of("status"))
    assert {w.form["MessageSid"] for w in hub.of("status")} == {sent.sid}
    fetched = await in_thread(client_of(carrier).messages(sent.sid).fetch)
    assert (fetched.status, fetched.body, fetched.num_segments) == ("delivered", "Բարև ձեզ", "1")
    assert fetched.date_sent is not None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "12"}, 21211),
        ({"to": "+374"}, 21211),
        ({"to": ""}, 21604),
        ({"to": "+15005550001"}, 21211),
        ({"to": "+15005550002"}, 21612),
        ({"to": "+15005550003"}, 21408),
        ({"to": "+15005550004"}, 21610),
        ({"to": "+15005550009"}, 21614),
        ({"from_": ""}, 21603),
        ({"from_": "+15005550007"}, 21606),
        ({"from_": "+15005550008"}, 21611),
        ({"from_": "Shop!"}, 21212),
        ({"body": ""}, 21602),
        ({"body": "x" * 1601}, 21617),
        ({"status_callback": "nowhere"}, 21609),
        ({"media_url": ["ftp://x/y.png"]}, 21620),
        ({"media_url": ["http://x/y.png"] * 11}, 21623),
        ({"messaging_service_sid": "MG" + "f" * 32}, 21703),
    ],
)
async def test_a_wrong_message_is_refused_with_twilios_code(
    carrier: Carrier, fields: dict[str, Any], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        await send(carrier, **fields)
    assert (refusal.value.status, refusal.value.code) == (400, code)
    assert carrier.messages == {}


async def test_wrong_credentials_are_refused(carrier: Carrier) -> None:
    client = client_of(carrier, token="wrong")
    with pytest.raises(TwilioRestException) as refusal:
        await in_thread(client.messages("SM0").fetch)
    assert (refusal.value.status, refusal.value.code) == (401, 20003)


async def test_an_unknown_message_is_not_found(carrier: Carrier) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        await in_thread(client_of(carrier).messages("SM" + "0" * 32).fetch)
    assert (refusal.value.status, refusal.value.code) == (404, 20404)


async def test_a_magic_number_is_undelivered_with_its_code(carrier: Carrier, hub: Any) -> None:
    await send(carrier, to="+37499130003", status_callback=f"{hub.url}/status")
    await hub.wait_for(lambda: len(hub.of("status")) == 3)
    assert statuses(hub.of("status")) == ["queued", "sent", "undelivered"]
    assert hub.of("status")[-1].form["ErrorCode"] == "30003"


async def test_a_picture_of_the_hub_is_fetched_and_shown_on_the_handset(carrier: Carrier, hub: Any) -> None:
    sent = await send(carrier, media_url=[f"{hub.url}/file/1.png"], status_callback=f"{hub.url}/status")
    assert sent.sid.startswith("MM")
    await hub.wait_for(lambda: "delivered" in statuses(hub.of("status")))
    media = await in_thread(client_of(carrier).messages(sent.sid).media.list)
    assert [m.content_type for m in media] == ["image/png"]
    assert carrier.content(carrier.messages[sent.sid].media[0]).endswith(b"picture")


async def test_a_picture_that_cannot_be_fetched_fails_the_message(carrier: Carrier, hub: Any) -> None:
    await send(carrier, media_url=["http://127.0.0.1:9/none.png"], status_callback=f"{hub.url}/status")
    await hub.wait_for(lambda: "failed" in statuses(hub.of("status")))
    assert hub.of("status")[-1].form["ErrorCode"] == "11200"


# --- lists ------------------------------------------------------------------------------------------------------------


async def test_lists_filter_by_ends_and_date(carrier: Carrier, hub: Any) -> None:
    carrier.text(ANNA, NUMBER, "one")
    carrier.text(NINO, NUMBER, "two")
    await hub.wait_for(lambda: len(hub.of("message")) == 2)
    messages = client_of(carrier).messages
    now = datetime.now(UTC)
    assert [m.body for m in await in_thread(lambda: messages.list(from_=ANNA))] == ["one"]
    assert [m.body for m in await in_thread(lambda: messages.list(to=NUMBER))] == ["two", "one"]
    assert len(await in_thread(lambda: messages.list(date_sent_after=now - timedelta(minutes=1)))) == 2
    assert await in_thread(lambda: messages.list(date_sent_before=now - timedelta(minutes=1))) == []
    assert len(await in_thread(lambda: messages.list(date_sent=now.date()))) == 2


async def test_pages_of_a_list_hold_each_message_once_while_new_ones_arrive(carrier: Carrier) -> None:
    texts = [f"text {n}" for n in range(7)]
    for text in texts:
        carrier.text(ANNA, NUMBER, text)
    messages = client_of(carrier).messages
    first = await in_thread(lambda: messages.page(page_size=3))
    seen = [m.body for m in first]
    carrier.text(ANNA, NUMBER, "late")
    second = await in_thread(first.next_page)
    seen += [m.body for m in second]
    third = await in_thread(second.next_page)
    seen += [m.body for m in third]
    assert seen == texts[::-1]
    assert await in_thread(third.next_page) is None


# --- callbacks that go wrong ------------------------------------------------------------------------------------------


async def test_a_callback_that_fails_is_tried_again_with_the_same_token(carrier: Carrier, hub: Any) -> None:
    hub.answers = [503, 500]
    await send(carrier, status_callback=f"{hub.url}/status")
    await hub.wait_for(lambda: len(hub.of("status")) == 5)
    assert set(statuses(hub.of("status"))) == {"queued", "sent", "delivered"}
    tokens = {w.headers["i-twilio-idempotency-token"] for w in hub.of("status")}
    assert len(tokens) == 3


async def test_faults_of_callbacks(carrier: Carrier, hub: Any) -> None:
    async def fault(kind: str) -> None:
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{carrier.base_url}/_carrier/faults", json={"kind": kind}) as answer,
        ):
            assert answer.status == 200

    await fault("reverse_callbacks")
    await send(carrier, status_callback=f"{hub.url}/reverse")
    await hub.wait_for(lambda: len(hub.of("reverse")) == 3)
    assert statuses(hub.of("reverse")) == ["delivered", "sent", "queued"]

    await fault("double_callbacks")
    await send(carrier, status_callback=f"{hub.url}/double")
    await hub.wait_for(lambda: len(hub.of("double")) == 6)
    assert sorted(statuses(hub.of("double"))) == sorted(["queued", "sent", "delivered"] * 2)

    await fault("drop_callbacks")
    await send(carrier, status_callback=f"{hub.url}/drop")
    await send(carrier, status_callback=f"{hub.url}/after")
    await hub.wait_for(lambda: len(hub.of("after")) == 3)
    assert hub.of("drop") == []


@pytest.mark.parametrize(
    ("fault", "status", "code", "accepted"),
    [
        ({"kind": "refuse", "code": 21612}, 400, 21612, 0),
        ({"kind": "too_many_requests"}, 429, 20429, 0),
        ({"kind": "server_error"}, 503, 20503, 0),
        ({"kind": "timeout", "seconds": 0}, 503, 20503, 0),
        ({"kind": "error_after_accept"}, 500, 20500, 1),
    ],
)
async def test_faults_of_sending(
    carrier: Carrier, fault: dict[str, Any], status: int, code: int, accepted: int
) -> None:
    async with aiohttp.ClientSession() as http:
        await http.post(f"{carrier.base_url}/_carrier/faults", json=fault)
    with pytest.raises(TwilioRestException) as refusal:
        await send(carrier)
    assert (refusal.value.status, refusal.value.code) == (status, code)
    assert len(carrier.messages) == accepted
    assert (await send(carrier)).status == "queued"


async def test_a_time_out_after_accept_leaves_the_message_to_be_found(carrier: Carrier, hub: Any) -> None:
    async with aiohttp.ClientSession() as http:
        await http.post(f"{carrier.base_url}/_carrier/faults", json={"kind": "timeout_after_accept"})
        form = {"To": ANNA, "From": NUMBER, "Body": "Are you there?", "StatusCallback": f"{hub.url}/status"}
        with pytest.raises(TimeoutError):
            await http.post(
                f"{carrier.base_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json",
                data=form,
                headers=CREDENTIALS,
                timeout=aiohttp.ClientTimeout(total=0.3),
            )
    await hub.wait_for(lambda: "delivered" in statuses(hub.of("status")))
    found = await in_thread(lambda: client_of(carrier).messages.list(to=ANNA))
    assert [m.body for m in found] == ["Are you there?"]


# --- texts from a handset ---------------------------------------------------------------------------------------------


async def test_a_text_reaches_the_hub_signed(carrier: Carrier, hub: Any) -> None:
    message = carrier.text(ANNA, NUMBER, "Բարև, & <b>hello</b> 👋")
    await hub.wait_for(lambda: len(hub.of("message")) == 1)
    webhook = hub.of("message")[0]
    assert is_genuine(webhook)
    assert webhook.form["MessageSid"] == message.sid
    assert webhook.form["Body"] == "Բարև, & <b>hello</b> 👋"
    assert (webhook.form["From"], webhook.form["To"]) == (ANNA, NUMBER)
    assert (webhook.form["FromCountry"], webhook.form["NumMedia"]) == ("AM", "0")


async def test_a_text_is_posted_until_the_hub_has_it_and_in_order(carrier: Carrier, hub: Any) -> None:
    hub.answers = [503, 503, 500]
    for n in range(5):
        carrier.text(ANNA, NUMBER, f"{n}")
    await hub.wait_for(lambda: len(hub.of("message")) == 8)
    assert [w.form["Body"] for w in hub.of("message")] == list("00001234")
    assert len({w.headers["i-twilio-idempotency-token"] for w in hub.of("message")[:4]}) == 1


async def test_a_handset_does_not_wait_for_another(carrier: Carrier, hub: Any) -> None:
    carrier.speed = 1
    hub.answers = [503]
    carrier.text(ANNA, NUMBER, "waits half a second")
    await hub.wait_for(lambda: len(hub.of("message")) == 1)
    carrier.text(NINO, NUMBER, "goes at once")
    await hub.wait_for(lambda: len(hub.of("message")) == 3)
    assert [w.form["From"] for w in hub.of("message")] == [ANNA, NINO, ANNA]


async def test_a_text_the_hub_refuses_is_shown_as_failed(carrier: Carrier, hub: Any) -> None:
    hub.answers = [403]
    message = carrier.text(ANNA, NUMBER, "hello")
    await _until(carrier, lambda: message.handed_over == "failed")
    assert len(hub.of("message")) == 1


async def test_a_picture_is_announced_and_can_be_fetched_with_the_accounts_credentials(
    carrier: Carrier, hub: Any
) -> None:
    carrier.text(ANNA, NUMBER, "look", [("cup.png", "image/png", b"\x89PNG cup")])
    await hub.wait_for(lambda: len(hub.of("message")) == 1)
    form = hub.of("message")[0].form
    assert (form["NumMedia"], form["MediaContentType0"]) == ("1", "image/png")
    async with aiohttp.ClientSession() as http:
        async with http.get(form["MediaUrl0"]) as answer:
            assert answer.status == 401
        async with http.get(form["MediaUrl0"], headers=CREDENTIALS, allow_redirects=False) as answer:
            assert answer.status == 307
            content_url = answer.headers["Location"]
        async with http.get(content_url) as answer:
            assert (answer.content_type, await answer.read()) == ("image/png", b"\x89PNG cup")


async def test_stop_opts_out_and_start_opts_in_again(carrier: Carrier, hub: Any) -> None:
    carrier.text(ANNA, NUMBER, " stop ")
    await hub.wait_for(lambda: len(hub.of("message")) == 1)
    assert hub.of("message")[0].form["OptOutType"] == "STOP"
    with pytest.raises(TwilioRestException) as refusal:
        await send(carrier)
    assert refusal.value.code == 21610
    assert (await send(carrier, to=NINO)).status == "queued"
    carrier.text(ANNA, NUMBER, "Start")
    assert (await send(carrier)).status == "queued"
    thread = carrier.conversation(ANNA, NUMBER)
    await _until(carrier, lambda: sum(m.direction == "outbound-reply" for m in thread) == 2)


async def test_stop_within_a_sentence_is_only_a_word(carrier: Carrier, hub: Any) -> None:
    carrier.text(ANNA, NUMBER, "Please stop by the shop")
    carrier.text(ANNA, NUMBER, "yes")
    await hub.wait_for(lambda: len(hub.of("message")) == 2)
    assert ["OptOutType" in w.form for w in hub.of("message")] == [False, False]


async def test_twiml_of_the_hub_is_answered_to_the_handset(carrier: Carrier, hub: Any) -> None:
    hub.twiml = "<?xml version='1.0'?><Response><Message>Fish &amp; chips</Message></Response>"
    carrier.text(ANNA, NUMBER, "menu?")
    thread = carrier.conversation(ANNA, NUMBER)
    await _until(carrier, lambda: [m.body for m in thread] == ["menu?", "Fish & chips"])


async def test_a_text_may_be_delivered_twice_on_purpose(carrier: Carrier, hub: Any) -> None:
    async with aiohttp.ClientSession() as http:
        await http.post(f"{carrier.base_url}/_carrier/faults", json={"kind": "double_inbound"})
    carrier.text(ANNA, NUMBER, "once")
    await hub.wait_for(lambda: len(hub.of("message")) == 2)
    assert len({w.form["MessageSid"] for w in hub.of("message")}) == 1


async def test_wrong_texts_are_refused(carrier: Carrier) -> None:
    with pytest.raises(InvalidInput) as refusal:
        carrier.text("091234567", NUMBER, " ")
    assert set(refusal.value.fields) == {"phone", "text"}
    with pytest.raises(InvalidInput) as refusal:
        carrier.text(ANNA, NUMBER, "look", [("page.svg", "image/svg+xml", b"<svg/>")])
    assert set(refusal.value.fields) == {"media"}
    with pytest.raises(NotFound):
        carrier.text(ANNA, "+15005550000", "hello")


# --- the handset's own face -------------------------------------------------------------------------------------------


async def test_a_handset_sees_its_texts_arrive_live(carrier: Carrier) -> None:
    async with aiohttp.ClientSession() as http:
        address = f"{carrier.base_url}/_carrier/handsets/{ANNA}"
        async with http.ws_connect(f"{address}/live") as live:
            whole = await live.receive_json(timeout=PATIENCE_S)
            assert (whole["whole"], whole["messages"]) == (True, [])
            async with http.post(f"{address}/messages", json={"to": NUMBER, "text": "hi"}) as answer:
                assert answer.status == 201
            seen: dict[str, Any] = {}
            while seen.get("status") != "delivered":
                frame = await live.receive_json(timeout=PATIENCE_S)
                seen = frame["messages"][-1]
            assert (seen["text"], seen["direction"]) == ("hi", "sent")
            await send(carrier, body="hello")
            frame = await live.receive_json(timeout=PATIENCE_S)
            assert [(m["text"], m["direction"], m["status"]) for m in frame["messages"]] == [
                ("hello", "received", "received")
            ]
        async with http.ws_connect(f"{address}/live?since={frame['position']}") as live:
            carrier.text(ANNA, NUMBER, "again")
            frame = await live.receive_json(timeout=PATIENCE_S)
            assert (frame["whole"], [m["text"] for m in frame["messages"]]) == (False, ["again"])
        async with http.get(address) as answer:
            assert [m["text"] for m in (await answer.json())["messages"]] == ["hi", "hello", "again"]


async def test_a_handset_sends_a_picture(carrier: Carrier, hub: Any) -> None:
    form = aiohttp.FormData({"to": NUMBER, "text": ""})
    form.add_field("file", b"\xff\xd8 beans", filename="beans.jpg", content_type="image/jpeg")
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{carrier.base_url}/_carrier/handsets/{ANNA}/messages", data=form) as answer:
            body = await answer.json()
            assert answer.status == 201
        async with http.get(f"{carrier.base_url}/{body['media'][0]['url']}") as answer:
            assert await answer.read() == b"\xff\xd8 beans"
    await hub.wait_for(lambda: len(hub.of("message")) == 1)


async def test_another_sites_page_may_not_play_the_customer(carrier: Carrier) -> None:
    async with (
        aiohttp.ClientSession(headers={"Origin": "https://elsewhere.example"}) as http,
        http.post(f"{carrier.base_url}/_carrier/handsets/{ANNA}/messages", json={"to": NUMBER, "text": "hi"}) as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (403, "origin_refused")


async def test_a_wrong_body_names_its_fields(carrier: Carrier) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{carrier.base_url}/_carrier/handsets/{ANNA}/messages", json={"to": NUMBER, "x": 1}) as answer,
    ):
        body = await answer.json()
        assert (answer.status, body["code"], set(body["fields"])) == (422, "invalid", {"text", "x"})


# --- the journal ------------------------------------------------------------------------------------------------------


def _with_journal(journal: Path, sms_url: str) -> Carrier:
    return Carrier(
        account_sid=ACCOUNT_SID,
        auth_token=AUTH_TOKEN,
        numbers={NUMBER: {"sms_url": sms_url}},
        journal=journal,
        speed=50,
        base_url="http://127.0.0.1:1",
    )


async def test_texts_accepted_before_a_crash_reach_the_hub_after_it(hub: Any, tmp_path: Path) -> None:
    journal = tmp_path / "carrier.jsonl"
    killed = _with_journal(journal, "")
    for n in range(3):
        killed.text(ANNA, NUMBER, f"{n}", [("n.png", "image/png", b"picture")])
    killed.text(ANNA, NUMBER, "STOP")
    for job in killed._waiting:
        job.close()
    with journal.open("a") as torn:
        torn.write('{"message": {"sid": "SM')
    again = _with_journal(journal, f"{hub.url}/message")
    await again.start()
    await hub.wait_for(lambda: len(hub.of("message")) == 4)
    assert [w.form["Body"] for w in hub.of("message")] == ["0", "1", "2", "STOP"]
    thread = again.conversation(ANNA, NUMBER)
    assert again.content(thread[0].media[0]) == b"picture"
    assert (ANNA, NUMBER) in again.opted_out
    await _until(again, lambda: all(m.handed_over == "done" for m in thread if m.direction == "inbound"))
    await again.stop()
    third = _with_journal(journal, f"{hub.url}/message")
    assert third.conversation(ANNA, NUMBER)[0].handed_over == "done"
    assert all("message" in json.loads(line) for line in journal.read_text().splitlines()[1:])


# --- Twilio's words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ա" * 70, 1),
        ("ա" * 71, 2),
        ("ա" * 134, 2),
        ("👋" * 35, 1),
        ("👋" * 36, 2),
    ],
)
def test_segments_are_counted_as_the_network_bills_them(text: str, count: int) -> None:
    assert twilio_wire.segments(text) == count


@pytest.mark.parametrize("url", ["https://hub.example/webhooks/sms-demo/message", "http://127.0.0.1:8080/a?b=c&d=e"])
def test_our_signature_is_the_librarys(url: str) -> None:
    form = [("Body", "Բարև + & = ✓"), ("From", ANNA), ("Empty", ""), ("A", "1")]
    assert twilio_wire.signature(AUTH_TOKEN, url, form) == RequestValidator(AUTH_TOKEN).compute_signature(
        url, dict(form)
    )


def test_twiml_is_read_as_text() -> None:
    answer = "<Response><Message to='x'><Body>a &lt;b&gt;</Body></Message><Sms>c</Sms></Response>"
    assert twiml_messages(answer) == ["a <b>", "c"]
    assert twiml_messages("<Response/>") == twiml_messages("ok") == []


async def _until(carrier: Carrier, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            changed = carrier.changed
            if condition():
                return
            await changed.wait()


def test_a_message_knows_its_two_ends() -> None:
    now = datetime.now(UTC)
    inbound = Message("SM1", "inbound", ANNA, NUMBER, "", "received", now, now)
    outbound = Message("SM2", "outbound-api", NUMBER, ANNA, "", "queued", now, now)
    assert {(m.phone, m.number) for m in (inbound, outbound)} == {(ANNA, NUMBER)}
