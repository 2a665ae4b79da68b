"""Where providers post: what is refused, what is stored once, and what is answered when the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import httpx2
import pytest
from sqlalchemy import Table, func, select

from hub.domain.values import ChannelKind, Role
from hub.store import tables
from hub.timeline import channels
from hub.web import webhooks
from hub.web.webhooks import long_bodies
from tests.support.running_hub import SIGNING_KEY, House, line_to, run_hub

pytestmark = pytest.mark.anyio

PAYLOADS = Path(__file__).parent.parent / "payloads" / "twilio"


@pytest.fixture(scope="module")
async def running(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with run_hub(module_sqlite_url, tmp_path_factory.mktemp("hub"), body_limit_bytes=20_000) as house:
        yield house


@pytest.fixture
async def house(running: House) -> House:
    return await running.empty()


def form(name: str, **changes: str) -> list[tuple[str, str]]:
    pairs = dict(parse_qsl((PAYLOADS / f"{name}.form").read_text(), keep_blank_values=True))
    return list((pairs | changes).items())


async def count(house: House, table: Table = tables.arrival) -> int:
    return int(await house.hub.database.read(lambda tx: tx.scalar(select(func.count()).select_from(table))))


def assert_error(answer: httpx2.Response, status: int, code: str) -> None:
    """The one shape of failure, whoever asks."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["code"] == code
    assert body["message"]
    assert body.keys() <= {"code", "message", "fields"}


# --- who may post -------------------------------------------------------------------------------------------------------


async def test_a_wrong_signature_is_403_and_nothing_is_stored(house: House) -> None:
    answer = await house.post_loopback({"id": "m1", "from": "ani", "text": "Hi"}, key="somebody-elses-key")
    assert_error(answer, 403, "bad_signature")
    assert await count(house) == 0


async def test_a_missing_signature_is_403_and_nothing_is_stored(house: House) -> None:
    answer = await house.client.post("/webhooks/loop/message", json={"id": "m1", "from": "ani", "text": "Hi"})
    assert_error(answer, 403, "bad_signature")
    assert await count(house) == 0


async def test_twilio_must_sign_with_the_accounts_own_token(house: House) -> None:
    await house.channel("sms", ChannelKind.SMS)
    assert_error(await house.post_twilio(form("message_plain"), token="another-token"), 403, "bad_signature")
    assert await count(house) == 0
    assert (await house.post_twilio(form("message_plain"))).status_code == 200
    assert await count(house) == 1


async def test_a_signature_for_one_channel_is_none_for_another(house: House) -> None:
    await house.channel("sms", ChannelKind.SMS)
    await house.channel("sms-b", ChannelKind.SMS)
    signed = await house.post_twilio(form("message_plain"))
    replayed = await house.client.post(
        "/webhooks/sms-b/message", content=signed.request.content, headers=signed.request.headers
    )
    assert_error(replayed, 403, "bad_signature")
    assert await count(house) == 1


async def test_the_signature_is_looked_at_before_the_payload(house: House) -> None:
    answer = await house.post_loopback(None, body=b"{{{", key="somebody-elses-key")
    assert_error(answer, 403, "bad_signature")


async def test_web_chat_takes_no_webhooks(house: House) -> None:
    await house.channel("chat", ChannelKind.CHAT)
    assert_error(await house.post_loopback({}, channel_id="chat"), 403, "bad_signature")


# --- what they may post -------------------------------------------------------------------------------------------------


MALFORMED = {
    "empty": b"",
    "broken": b"{{{",
    "a list": b"[]",
    "a string": b'"text"',
    "null": b"null",
    "not UTF-8": b"\xff\xfe",
    "deep": b"[" * 10_000,
    "too little": b'{"id": "m1"}',
    "wrong types": b'{"id": 7, "from": [], "text": 1}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_body_is_told_in_the_error_shape_and_nothing_is_stored(house: House, body: bytes) -> None:
    answer = await house.post_loopback(None, body=body)
    assert answer.status_code in (400, 422), answer.text
    assert_error(answer, answer.status_code, answer.json()["code"])
    assert await count(house) == 0


async def test_every_faulty_field_is_named(house: House) -> None:
    answer = await house.post_loopback({"id": "", "text": 7, "colour": "red"})
    assert answer.json()["fields"].keys() == {"id", "from", "text", "colour"}


async def test_a_twilio_form_without_its_fields_is_told(house: House) -> None:
    await house.channel("sms", ChannelKind.SMS)
    answer = await house.post_twilio([("Body", "Hello")])
    assert answer.status_code in (400, 422), answer.text
    assert await count(house) == 0


@pytest.mark.parametrize(
    "path", ["/webhooks/nowhere/message", "/webhooks/loop%00/message", "/webhooks/%F0%9F%98%80/message"]
)
async def test_an_unknown_channel_is_404(house: House, path: str) -> None:
    assert_error(await house.client.post(path, content=b"{}"), 404, "not_found")


async def test_a_channel_that_is_switched_off_is_404_until_it_is_on_again(house: House) -> None:
    admin = house.api(await house.person("Ada", Role.ADMIN))
    await house.write("before")
    assert (await admin.patch("/channels/loop", {"enabled": False})).status_code == 200
    assert_error(await house.post_loopback({"id": "m1", "from": "ani", "text": "Hi"}), 404, "not_found")
    assert (await admin.patch("/channels/loop", {"enabled": True})).status_code == 200
    await house.write("after")


async def test_a_body_over_the_limit_is_413_and_nothing_is_stored(house: House) -> None:
    answer = await house.post_loopback({"id": "m1", "from": "ani", "text": "x" * 20_000})
    assert_error(answer, 413, "too_large")
    assert await count(house) == 0


async def test_a_body_that_does_not_tell_its_length_is_cut_at_the_limit(house: House) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 1_000

    answer = await house.client.post("/webhooks/loop/message", content=endless())
    assert_error(answer, 413, "too_large")


# --- long bodies: mails -------------------------------------------------------------------------------------------------

MAIL = b"From: ani@example.am\r\nSubject: Order\r\n\r\n"
KEY_AS_PASSWORD = {"Authorization": f"Bearer {SIGNING_KEY}"}


@asynccontextmanager
async def posting(
    house: House, path: str, headers: Mapping[str, str], body: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A request that promises 30 MB, sends `body`, and stops."""
    base = house.client.base_url
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        head = {"Host": "hub.test", "Content-Length": "30000000", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic aHViOndyb25n"}])
@pytest.mark.parametrize("kind", ["mime", "anything"])
async def test_a_strangers_mail_is_refused_before_it_is_read(
    house: House, kind: str, headers: Mapping[str, str]
) -> None:
    await house.channel("mail", ChannelKind.EMAIL)
    async with posting(house, f"/webhooks/mail/{kind}", headers) as (reader, _), asyncio.timeout(20):
        assert (await reader.readline()).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("headers", [{}, {"X-Hub-Signature": "sha256=00"}, KEY_AS_PASSWORD])
@pytest.mark.parametrize("kind", ["mime", "mailgun-mime"])
async def test_an_account_without_a_key_reads_no_mail_at_all(
    house: House, kind: str, headers: Mapping[str, str]
) -> None:
    await house.channel("mail", ChannelKind.EMAIL)
    await house.hub.database.transaction(
        channels.update_channel, vault=house.hub.vault, channel_id="mail", secrets={"webhook_key": ""}
    )
    await house.hub.channels.reload("mail")
    async with posting(house, f"/webhooks/mail/{kind}", headers) as (reader, _), asyncio.timeout(20):
        assert (await reader.readline()).startswith(b"HTTP/1.1 403")


async def test_too_many_long_bodies_at_once_come_again_and_keep_no_text_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "LONG_BODIES_BYTES", 400_000)
    await house.channel("mail", ChannelKind.EMAIL)
    mail = MAIL + b"x" * 200_000
    piece = b"x" * 40_000
    async with posting(house, "/webhooks/mail/mailgun-mime", {}) as (_, writer):
        # Piece by piece, each once the one before is held: more at once would wait in the sockets, for as long as they like.
        for number in range(1, 11):
            writer.write(piece)
            await writer.drain()
            async with asyncio.timeout(20):
                while long_bodies.held_bytes < number * len(piece) - 65_536:  # noqa: ASYNC110 - a socket rings no bell here
                    await asyncio.sleep(0.01)
        assert long_bodies.held_bytes > 330_000
        refused = await house.client.post("/webhooks/mail/mime", content=mail, headers=KEY_AS_PASSWORD)
        assert_error(refused, 503, "overloaded")
        assert int(refused.headers["Retry-After"]) > 0
        assert (await house.write("a text")).status_code == 200
        small = await house.client.post("/webhooks/mail/mime", content=MAIL + b"Hi", headers=KEY_AS_PASSWORD)
        assert small.status_code == 200
    async with asyncio.timeout(20):
        while long_bodies.held_bytes:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)
    for _ in range(3):
        taken = await house.client.post("/webhooks/mail/mime", content=mail, headers=KEY_AS_PASSWORD)
        assert taken.status_code == 200
    assert long_bodies.held_bytes == 0


async def test_a_long_body_that_does_not_come_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LONG_BODY_S", 0.1)
    await house.channel("mail", ChannelKind.EMAIL)
    async with posting(house, "/webhooks/mail/mime", KEY_AS_PASSWORD, b"x" * 100_000) as (reader, _):
        async with asyncio.timeout(20):
            answer = await reader.readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"too_slow" in answer
    assert long_bodies.held_bytes == 0


async def test_what_cannot_be_stored_is_replaced_and_the_message_kept(house: House) -> None:
    agent = await house.person()
    async with house.screen(agent) as screen:
        answer = await house.post_loopback(None, body=rb'{"id": "m1", "from": "ani", "text": "a\u0000b\ud800c"}')
        assert answer.status_code == 200, answer.text
        await screen.until_text("a\ufffdb\ufffdc")


# --- once ---------------------------------------------------------------------------------------------------------------


async def test_a_duplicate_is_answered_like_the_first_and_stored_once(house: House) -> None:
    first, again = [await house.write("Hello", message_id="m1") for _ in range(2)]
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert await count(house, tables.entry) == 1


async def test_fifty_posts_of_one_message_at_once_are_one_message(house: House) -> None:
    await asyncio.gather(*(house.write("Hello", message_id="m1") for _ in range(50)))
    assert await count(house, tables.entry) == 1


async def test_twilios_retry_is_the_same_message(house: House) -> None:
    await house.channel("sms", ChannelKind.SMS)
    for _ in range(2):
        assert (await house.post_twilio(form("message_plain"))).status_code == 200
    assert await count(house, tables.entry) == 1


async def test_late_and_early_status_callbacks_settle_the_message_once_and_never_lower_it(house: House) -> None:
    agent = await house.person()
    async with house.screen(agent) as screen:
        await house.write("Hello")
        conversation_id = (await screen.until_text("Hello"))["conversation"]["id"]
        sent = await house.api(agent).post(f"/conversations/{conversation_id}/messages", {"text": "Hi"})
        entry_id = sent.json()["id"]
        await screen.until(lambda one: "sent" in deliveries(one.events, entry_id))
        delivery_id = await house.hub.database.read(lambda tx: tx.scalar(select(tables.outbox.c.delivery_id)))
        for number, word in enumerate(("read", "sent", "delivered", "read", "teleported")):
            told = {"id": f"r{number}", "delivery_id": delivery_id, "status": word}
            assert (await house.post_loopback(told, kind="status")).status_code == 200
        await house.write("the end")
        await screen.until_text("the end")
        assert deliveries(screen.events, entry_id)[-1] == "read"
        assert deliveries(screen.events, entry_id).count("read") == 1
    assert await count(house, tables.receipt) == 5


async def test_a_status_callback_for_a_message_nobody_knows_is_kept_and_answered_well(house: House) -> None:
    answer = await house.post_loopback({"id": "r1", "delivery_id": "nobodys", "status": "delivered"}, kind="status")
    assert answer.status_code == 200
    assert await count(house, tables.receipt) == 1


def deliveries(events: list[dict[str, object]], entry_id: int) -> list[str]:
    """The delivery states of an entry, as its events told them."""
    entries = [event["entry"] for event in events if event["kind"] in ("entry.added", "entry.changed")]
    return [e["delivery"]["state"] for e in entries if e["id"] == entry_id]  # type: ignore[index]


# --- the database away --------------------------------------------------------------------------------------------------


async def test_nothing_is_acknowledged_while_the_database_is_away_and_all_goes_on_when_it_is_back(
    postgresql_url: str, tmp_path: Path
) -> None:
    async with line_to(postgresql_url) as (line, url), run_hub(url, tmp_path) as house:
        agent = await house.person()
        async with house.screen(agent) as screen:
            await house.write("before", message_id="m0")
            await screen.until_text("before")
            await line.cut()
            answer = await house.post_loopback({"id": "m1", "from": "ani", "text": "meanwhile"})
            assert_error(answer, 503, "database_away")
            assert int(answer.headers["retry-after"]) > 0
            assert_error(await house.api(agent).get("/snapshot"), 503, "database_away")
            assert (await house.client.get("/readyz")).status_code == 503
            assert (await house.client.get("/healthz")).status_code == 200
            await line.mend()
            await house.write("meanwhile", message_id="m1")
            # The same socket goes on: the loops came back by themselves.
            await screen.until_text("meanwhile")
        assert await count(house, tables.entry) == 2


async def test_a_commit_whose_answer_was_lost_is_retried_by_the_provider_and_stored_once(
    postgresql_url: str, tmp_path: Path
) -> None:
    async with line_to(postgresql_url) as (line, url), run_hub(url, tmp_path) as house:
        posts = [asyncio.create_task(house.post_loopback(told)) for told in messages(20)]
        await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        await line.cut()
        first = [(await post).status_code for post in posts]
        assert set(first) <= {200, 503}
        await line.mend()
        again = [(await house.post_loopback(told)).status_code for told in messages(20)]
        assert set(again) == {200}
        assert await count(house, tables.entry) == 20


def messages(number: int) -> list[dict[str, str]]:
    return [{"id": f"m{n}", "from": f"c{n % 3}", "text": f"text {n}"} for n in range(number)]
