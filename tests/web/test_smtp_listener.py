"""The hub's own SMTP and LMTP: what it says to good senders and to bad ones, and that 250 means stored."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from hub.errors import Misconfigured
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.store.files import Files
from hub.store.stream import load_events
from hub.store.vault import Vault
from hub.timeline import channels
from hub.timeline.adapters import Adapters
from hub.timeline.inbound import Intake
from hub.timeline.mailroom import Mailroom
from hub.web import smtp_listener
from hub.web.smtp_listener import MailListener
from tests.support.dovecot import write_certificates
from tests.support.running_hub import SECRET_KEY, line_to

pytestmark = pytest.mark.anyio

SUPPORT, SALES = "support@hub.test", "sales@hub.test"
SENDER = "ani@elsewhere.test"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder)
    return folder


@pytest.fixture(autouse=True)
def _kept_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Post, "files_dir", tmp_path / "files", raising=False)


def mail(subject: str, body: str = "Hello") -> str:
    return f"From: {SENDER}\r\nTo: {SUPPORT}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\n{body}\r\n"


class Post:
    """The listener on a database, without the rest of a hub; and what was stored."""

    files_dir: Path

    def __init__(self, database: Database, **listener: Any) -> None:
        self.database = database
        adapters = Adapters(database, Vault(SECRET_KEY), "http://127.0.0.1:9")
        self.mailroom = Mailroom(database, adapters, Intake(database, Files(self.files_dir)))
        given: dict[str, Any] = {"smtp": "127.0.0.1:0", "lmtp": "127.0.0.1:0", "limit_bytes": 30 << 20} | listener
        self.listener = MailListener(self.mailroom, **given)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Post]:
        task = asyncio.create_task(self.listener.run())
        waiting = asyncio.create_task(self.listener.listening.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if task.done():
                await task
            yield self
        finally:
            waiting.cancel()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def with_client(self, work: Callable[[smtplib.SMTP], Any], *, lmtp: bool = False) -> Any:
        """What a client in another thread gets for its work."""
        kind, port = (smtplib.LMTP, self.listener.lmtp_port) if lmtp else (smtplib.SMTP, self.listener.smtp_port)

        def talk() -> Any:
            with kind("127.0.0.1", port, local_hostname="elsewhere.test", timeout=PATIENCE_S) as client:
                return work(client)

        return await asyncio.to_thread(talk)

    async def send(self, raw: str, *recipients: str, lmtp: bool = False) -> Any:
        """The refused recipients; smtplib raises what it is told."""
        to = recipients or (SUPPORT,)
        return await self.with_client(lambda client: client.sendmail(SENDER, to, raw.encode()), lmtp=lmtp)

    async def send_until_taken(self, raw: str) -> None:
        """As a mail server does: 4xx means to come again."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused):
                    assert await self.send(raw) == {}
                    return
                await asyncio.sleep(0.05)  # a sender's back-off, which is longer

    async def texts(self) -> list[tuple[str, str]]:
        e = tables.entry.c
        query = select(tables.conversation.c.channel_id, e.text).join(
            tables.conversation, tables.conversation.c.id == e.conversation_id
        )
        rows = await self.database.read(lambda tx: tx.rows(query.where(e.kind == "message").order_by(e.id)))
        return [(row.channel_id, row.text.splitlines()[0]) for row in rows]

    async def open(self, lmtp: bool = False) -> Wire:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.listener.lmtp_port if lmtp else self.listener.smtp_port
        )
        return Wire(reader, writer)


class Wire:
    """A connection on which a test says what no good client would."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, *lines: str | bytes) -> str:
        """All in one packet; the answer to the last of them is not waited for beyond the first."""
        self.write(*lines)
        return await self.hear()

    def write(self, *lines: str | bytes) -> None:
        self.writer.write(b"".join((each.encode() if isinstance(each, str) else each) + b"\r\n" for each in lines))

    async def hear(self) -> str:
        """One answer, of one line or of many; the empty string when the far side has hung up."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(ConnectionError):
                    line = (await self.reader.readline()).decode()
                    if line[3:4] == "-":
                        continue
                    return line.rstrip()
                return ""

    async def greet(self, word: str = "EHLO") -> None:
        assert (await self.hear()).startswith("220 ")
        assert (await self.say(f"{word} elsewhere.test")).startswith("250 ")

    def close(self) -> None:
        self.writer.transport.abort()


async def lay(database: Database) -> None:
    def work(tx: Tx) -> None:
        queue_id = tx.insert(tables.queue, {"name": "Support"})
        for channel_id, address in (("support", SUPPORT), ("sales", SALES)):
            tx.execute(
                insert(tables.channel).values(
                    id=channel_id,
                    kind="email",
                    name=channel_id,
                    queue_id=queue_id,
                    settings={"address": address, "aliases": f"{channel_id}-old@hub.test"},
                    secrets=Vault(SECRET_KEY).seal({}),
                    health_since=tx.now,
                )
            )

    await database.transaction(work)


@pytest.fixture
async def database_of_mail(sqlite_url: str) -> AsyncIterator[Database]:
    database = open_database(sqlite_url)
    await lay(database)
    yield database
    await database.close()


@pytest.fixture
async def post(database_of_mail: Database) -> AsyncIterator[Post]:
    async with Post(database_of_mail).running() as running:
        yield running


# --- good senders


async def test_a_mail_is_stored_when_its_sender_hears_250(post: Post) -> None:
    assert await post.send(mail("one", "Hello\r\n.a dot\r\n..two dots")) == {}
    assert await post.texts() == [("support", "Hello")]
    (arrival,) = await post.database.read(lambda tx: tx.rows(select(tables.arrival)))
    assert '"via": "smtp"' in arrival.raw
    assert f'"envelope_from": "{SENDER}"' in arrival.raw
    (entry,) = await post.database.read(lambda tx: tx.rows(select(tables.entry)))
    assert entry.text.splitlines() == ["Hello", ".a dot", "..two dots"]


async def test_what_the_server_can_do_is_told(post: Post) -> None:
    def greet(client: smtplib.SMTP) -> dict[str, str]:
        client.ehlo()
        return client.esmtp_features

    found = await post.with_client(greet)
    assert found["size"] == str(30 << 20)
    assert {"8bitmime", "smtputf8", "pipelining", "enhancedstatuscodes"} <= found.keys()
    assert not {"starttls", "auth"} & found.keys()


@pytest.mark.parametrize("address", [SUPPORT, "SUPPORT@Hub.Test", "support+t.123@hub.test", "support-old@hub.test"])
async def test_an_account_has_many_addresses(post: Post, address: str) -> None:
    assert await post.send(mail("one"), address) == {}
    assert await post.texts() == [("support", "Hello")]


async def test_several_recipients_of_one_account_are_one_mail(post: Post) -> None:
    await post.send(mail("one"), SUPPORT, "support-old@hub.test")
    assert await post.texts() == [("support", "Hello")]


async def test_each_account_among_the_recipients_gets_the_mail(post: Post) -> None:
    await post.send(mail("one"), SUPPORT, SALES)
    assert sorted(await post.texts()) == [("sales", "Hello"), ("support", "Hello")]


async def test_strangers_are_refused_and_nothing_is_relayed(post: Post) -> None:
    refused = await post.send(mail("one"), SUPPORT, "nobody@hub.test", "somebody@gmail.com")
    assert {address: code for address, (code, _) in refused.items()} == {
        "nobody@hub.test": 550,
        "somebody@gmail.com": 550,
    }
    assert all(words.startswith(b"5.1.1") for _, words in refused.values())
    assert await post.texts() == [("support", "Hello")]


async def test_a_bounce_comes_from_nobody(post: Post) -> None:
    await post.with_client(lambda client: client.sendmail("", [SUPPORT], mail("bounce").encode()))
    assert await post.texts() == [("support", "Hello")]


async def test_addresses_and_mails_may_be_in_utf8(post: Post) -> None:
    def send(client: smtplib.SMTP) -> Any:
        options = ["SMTPUTF8", "BODY=8BITMIME"]
        return client.sendmail("անի@էլփոստ.test", [SUPPORT], mail("one", "Բարև").encode(), mail_options=options)

    assert await post.with_client(send) == {}
    assert await post.texts() == [("support", "Բարև")]


async def test_one_mail_handed_in_twice_is_stored_once(post: Post) -> None:
    await post.send(mail("one"))
    await post.send(mail("one"))
    assert await post.texts() == [("support", "Hello")]


async def test_many_mails_come_over_one_connection(post: Post) -> None:
    def send(client: smtplib.SMTP) -> None:
        for number in range(20):
            client.sendmail(SENDER, [SUPPORT], mail(str(number), f"text {number}").encode())

    await post.with_client(send)
    assert await post.texts() == [("support", f"text {number}") for number in range(20)]


async def test_a_large_mail_comes_whole(post: Post) -> None:
    line = "." + "x" * 74 + "\r\n"
    body = line * ((25 << 20) // len(line))
    before = time.monotonic()
    assert await post.send(mail("large", "large\r\n" + body)) == {}
    assert time.monotonic() - before < 10
    (arrival,) = await post.database.read(lambda tx: tx.rows(select(tables.arrival)))
    assert (
        f'"size": {len(mail("large", "large" + chr(13) + chr(10) + body)) + len(f"Return-Path: <{SENDER}>") + 2}'
        in arrival.raw
    )
    assert post.listener.in_flight_bytes == 0


async def test_lines_longer_than_the_standard_allows_are_taken(post: Post) -> None:
    await post.send(mail("one", "x" * 200_000))
    ((_, text),) = await post.texts()
    assert len(text) > 10_000


# --- LMTP


async def test_lmtp_answers_for_each_recipient(post: Post) -> None:
    wire = await post.open(lmtp=True)
    await wire.greet("LHLO")
    wire.write(
        f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SUPPORT}>", "RCPT TO:<nobody@hub.test>", f"RCPT TO:<{SALES}>", "DATA"
    )
    codes = [(await wire.hear())[:9] for _ in range(5)]
    assert codes == ["250 OK", "250 2.1.5", "550 5.1.1", "250 2.1.5", "354 end w"]
    wire.write(mail("one") + ".", "QUIT")
    assert [(await wire.hear())[:9] for _ in range(3)] == ["250 2.0.0", "250 2.0.0", "221 Bye"]
    assert sorted(await post.texts()) == [("sales", "Hello"), ("support", "Hello")]
    wire.close()


async def test_lmtp_knows_no_ehlo_and_smtp_no_lhlo(post: Post) -> None:
    for lmtp, word in ((True, "EHLO"), (False, "LHLO")):
        wire = await post.open(lmtp)
        await wire.hear()
        assert (await wire.say(f"{word} x")).startswith("500 ")
        wire.close()


async def test_lmtp_listens_at_a_path(database_of_mail: Database, tmp_path: Path) -> None:
    path = tmp_path / "lmtp.sock"
    async with Post(database_of_mail, smtp="", lmtp=str(path)).running() as post:

        def send() -> Any:
            with smtplib.LMTP(str(path)) as client:
                return client.sendmail(SENDER, [SUPPORT], mail("one").encode())

        assert await asyncio.to_thread(send) == {}
        assert await post.texts() == [("support", "Hello")]
    # What a process leaves behind does not keep the next one away.
    async with Post(database_of_mail, smtp="", lmtp=str(path)).running():
        assert await asyncio.to_thread(send) == {}


async def test_a_second_process_waits_for_the_path(
    database_of_mail: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_listener, "_PATH_LOOK_S", 0.01)
    path = str(tmp_path / "lmtp.sock")
    async with contextlib.AsyncExitStack() as second:
        async with Post(database_of_mail, smtp="", lmtp=path).running() as first:
            after = await second.enter_async_context(Post(database_of_mail, smtp="", lmtp=path).running())
            reader, writer = await asyncio.open_unix_connection(path)
            await Wire(reader, writer).hear()
            assert (len(first.listener.connections) >= 1, len(after.listener.connections)) == (True, 0)
            writer.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(OSError):
                    reader, writer = await asyncio.open_unix_connection(path)
                    assert (await Wire(reader, writer).hear()).startswith("220 ")
                    break
                await asyncio.sleep(0.01)  # nothing rings when a path is free
        writer.transport.abort()


# --- 250 means stored


async def test_a_mail_waits_outside_while_the_database_is_away(postgresql_url: str) -> None:
    async with line_to(postgresql_url) as (line, url):
        database = open_database(url)
        await lay(database)
        async with Post(database).running() as post:
            assert await post.send(mail("before")) == {}
            await line.cut()
            with pytest.raises(smtplib.SMTPDataError) as caught:
                await post.send(mail("one"))
            assert (caught.value.smtp_code, caught.value.smtp_error[:5]) == (451, b"4.3.0")
            # Whose address it is cannot be found out either, where nobody has asked yet.
            post.mailroom._channel_ids = None
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                await post.send(mail("one"), "support+x@hub.test")
            assert {code for code, _ in refused.value.recipients.values()} == {451}
            await line.mend()
            await post.send_until_taken(mail("one"))
            await post.send_until_taken(mail("one"))
            assert len(await post.texts()) == 2
        await database.close()


async def test_a_sender_who_hangs_up_before_the_answer_and_comes_again_is_stored_once(post: Post) -> None:
    for _ in range(3):
        wire = await post.open()
        await wire.greet()
        wire.write(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SUPPORT}>", "DATA", mail("one") + ".")
        await wire.hear()
        wire.close()
    await post.send(mail("one"))
    assert await post.texts() == [("support", "Hello")]


async def test_a_mail_that_is_cut_in_the_middle_is_none(post: Post) -> None:
    wire = await post.open()
    await wire.greet()
    await wire.say(f"MAIL FROM:<{SENDER}>")
    await wire.say(f"RCPT TO:<{SUPPORT}>")
    assert (await wire.say("DATA")).startswith("354")
    wire.write(mail("one"))
    await wire.writer.drain()
    (door,) = post.listener.connections
    wire.close()
    await asyncio.wait_for(door.closed, PATIENCE_S)
    await post.send(mail("two", "Bye"))
    assert await post.texts() == [("support", "Bye")]
    assert post.listener.in_flight_bytes == 0


async def test_a_mail_on_its_way_in_is_let_finish_at_a_stop(database_of_mail: Database) -> None:
    post = Post(database_of_mail)
    async with post.running():
        idle, busy = await post.open(), await post.open()
        for wire in (idle, busy):
            await wire.greet()
        await busy.say(f"MAIL FROM:<{SENDER}>")
        await busy.say(f"RCPT TO:<{SUPPORT}>")
        await busy.say("DATA")

        async def finish() -> tuple[str, str, str]:
            goodbye = await idle.hear()
            return goodbye, await busy.say(mail("one") + "."), await busy.hear()

        finishing = asyncio.create_task(finish())
    goodbye, stored, end = await finishing
    idle.close()
    busy.close()
    assert (goodbye[:3], stored[:9], end[:3]) == ("421", "250 2.0.0", "421")
    assert await post.texts() == [("support", "Hello")]


async def test_a_mail_that_does_not_end_is_cut_off_at_a_stop(
    database_of_mail: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_listener, "_FINISH_S", 0.05)
    async with Post(database_of_mail).running() as post:
        wire = await post.open()
        await wire.greet()
        wire.write(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SUPPORT}>", "DATA", "From: x")
        assert [(await wire.hear())[:3] for _ in range(3)] == ["250", "250", "354"]
    assert await wire.hear() == ""
    wire.close()


# --- TLS


async def test_mail_comes_in_over_starttls(database_of_mail: Database, certificates: Path) -> None:
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    tls = {"tls_cert": certificates / "server.pem", "tls_key": certificates / "server.key"}
    async with Post(database_of_mail, **tls).running() as post:

        def send(client: smtplib.SMTP) -> Any:
            # The certificate names the address.
            client._host = "127.0.0.1"  # type: ignore[attr-defined]
            client.starttls(context=context)
            client.ehlo()
            assert "starttls" not in client.esmtp_features
            client.sendmail(SENDER, [SUPPORT], mail("large", "Hello\r\n" + "x" * 300_000).encode())
            return client.sendmail(SENDER, [SUPPORT], mail("two", "Bye").encode())

        assert await post.with_client(send) == {}
        assert await post.texts() == [("support", "Hello"), ("support", "Bye")]


async def test_what_is_said_before_tls_is_forgotten(database_of_mail: Database, certificates: Path) -> None:
    tls = {"tls_cert": certificates / "server.pem", "tls_key": certificates / "server.key"}
    async with Post(database_of_mail, **tls).running() as post:
        wire = await post.open()
        await wire.greet()
        assert (await wire.say("STARTTLS", f"MAIL FROM:<{SENDER}>")).startswith("220 ")
        context = ssl.create_default_context(cafile=certificates / "ca.pem")
        await wire.writer.start_tls(context, server_hostname="localhost")
        assert (await wire.say("RCPT TO:<x@y>")).startswith("503 ")
        wire.close()


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(Misconfigured):
        MailListener(None, limit_bytes=1, tls_cert=tmp_path / "x.pem", tls_key=tmp_path / "x.pem")  # type: ignore[arg-type]


async def test_a_port_that_is_taken_is_told(database_of_mail: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(Misconfigured):
        async with Post(database_of_mail, smtp=f"127.0.0.1:{other.getsockname()[1]}").running():
            raise AssertionError("two listen at one port")


# --- bad senders


async def test_a_mail_over_the_limit_is_refused_before_or_after(database_of_mail: Database) -> None:
    async with Post(database_of_mail, limit_bytes=100_000).running() as post:
        wire = await post.open()
        await wire.greet()
        assert (await wire.say(f"MAIL FROM:<{SENDER}> SIZE=100001")).startswith("552 5.3.4")
        wire.write(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SUPPORT}>", "DATA", mail("one", "x" * 300_000) + ".", "NOOP")
        assert [(await wire.hear())[:9] for _ in range(5)] == [
            "250 OK",
            "250 2.1.5",
            "354 end w",
            "552 5.3.4",
            "250 OK",
        ]
        wire.close()
        assert await post.texts() == []
        assert post.listener.in_flight_bytes == 0


async def test_too_much_mail_at_once_waits_outside(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_listener, "IN_FLIGHT_BYTES", 100_000)
    with pytest.raises(smtplib.SMTPDataError) as caught:
        await post.send(mail("one", "x" * 300_000))
    assert (caught.value.smtp_code, caught.value.smtp_error[:5]) == (452, b"4.3.1")
    assert await post.send(mail("two")) == {}


async def test_too_many_recipients_are_told_to_come_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_listener, "RECIPIENTS_LIMIT", 3)
    refused = await post.send(mail("one"), *(f"support+{number}@hub.test" for number in range(5)))
    assert {code for code, _ in refused.values()} == {452}
    assert await post.texts() == [("support", "Hello")]


async def test_whoever_tries_addresses_is_shown_the_door(post: Post) -> None:
    wire = await post.open()
    await wire.greet()
    await wire.say(f"MAIL FROM:<{SENDER}>")
    for number in range(smtp_listener.ERRORS_LIMIT):
        assert (await wire.say(f"RCPT TO:<guess{number}@hub.test>")).startswith("550 5.1.1")
    assert (await wire.hear()).startswith("421 4.7.0")
    assert await wire.hear() == ""
    wire.close()


async def test_connections_are_counted_for_each_address_and_for_all(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_listener, "CONNECTIONS_OF_ONE_LIMIT", 2)
    wires = [await post.open() for _ in range(3)]
    assert [(await wire.hear())[:3] for wire in wires] == ["220", "220", "421"]
    assert await wires[2].hear() == ""
    doors = set(post.listener.connections)
    for wire in wires:
        wire.close()
    await asyncio.wait({door.closed for door in doors}, timeout=PATIENCE_S)
    assert (post.listener.connections, dict(post.listener.of_address)) == (set(), {})
    assert await post.send(mail("one")) == {}
    monkeypatch.setattr(smtp_listener, "CONNECTIONS_LIMIT", 0)
    wire = await post.open()
    assert (await wire.hear()).startswith("421 ")
    wire.close()


@pytest.mark.parametrize(
    "slowly",
    [(), ("EHLO x",), ("EHLO x", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SUPPORT}>", "DATA", "From: x")],
    ids=["silence", "after a greeting", "in the middle of a mail"],
)
async def test_whoever_is_silent_is_hung_up_on(
    database_of_mail: Database, monkeypatch: pytest.MonkeyPatch, slowly: tuple[str, ...]
) -> None:
    monkeypatch.setattr(smtp_listener, "SILENCE_S", 0.1)
    async with Post(database_of_mail).running() as post:
        wire = await post.open()
        wire.write(*slowly)
        answers = []
        while answer := await wire.hear():
            answers.append(answer)
        assert answers[-1].startswith("421 4.4.2")
        assert post.listener.in_flight_bytes == 0
        wire.close()


async def test_a_drop_now_and_then_does_not_keep_a_connection_open(
    database_of_mail: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_listener, "SILENCE_S", 0.2)
    async with Post(database_of_mail).running() as post:
        wire = await post.open()
        await wire.greet()
        wire.write(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SUPPORT}>", "DATA")
        assert [(await wire.hear())[:3] for _ in range(3)] == ["250", "250", "354"]

        async def drip() -> None:
            while True:
                wire.writer.write(b"x")
                await asyncio.sleep(0.01)  # so slow is slow loris

        dripping = asyncio.create_task(drip())
        assert (await wire.hear()).startswith("421 4.4.2")
        dripping.cancel()
        wire.close()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", "500"),
        ("\xff\xfe", "500"),
        ("GET / HTTP/1.1", "500"),
        ("MAIL FROM:<" + "x" * 5_000 + "@y>", "500"),
        ("x" * 500_000, "500"),
        ("MAIL FROM:", "501"),
        ("MAIL FROM:<x@y> NONSENSE=1", "555"),
        ("MAIL FROM:<x@y> SIZE=" + "9" * 30, "552"),
        ("RCPT TO:<x@y>", "503"),
        ("DATA", "503"),
        ("AUTH PLAIN AAAA", "502"),
        ("STARTTLS", "454"),
        ("VRFY x", "252"),
        ("EXPN x", "502"),
        ("HELP", "214"),
        ("MAIL FROM:<\udc80@y>", "2"),
    ],
)
async def test_nonsense_is_answered_and_survived(post: Post, line: str, code: str) -> None:
    wire = await post.open()
    await wire.greet()
    assert (await wire.say(line.encode("utf-8", "surrogateescape"))).startswith(code)
    assert (await wire.say("RSET")).startswith("250")
    assert (await wire.say("QUIT")).startswith("221")
    wire.close()


async def test_only_crlf_dot_crlf_ends_a_mail(post: Post) -> None:
    """Servers that take less for the end let a second mail be smuggled in behind the first (CVE-2023-51764)."""
    wire = await post.open()
    await wire.greet()
    wire.write(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SUPPORT}>", "DATA")
    smuggled = f"\n.\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{SALES}>\r\nDATA\r\n{mail('two')}\r.\r\n"
    wire.write(mail("one") + smuggled + ".", "NOOP")
    assert [(await wire.hear())[:3] for _ in range(5)] == ["250", "250", "354", "250", "250"]
    assert await wire.reader.read(0) == b""
    assert await post.texts() == [("support", "Hello")]
    wire.close()


@pytest.mark.parametrize(
    "raw", [".\r\n", "\r\n.\r\n", "a\r\n.\r\n", "ab\r\n.\r\n", "..\r\n.\r\n", ".\r.\r\n.\r\n", "\r\n\r\n.\r\n"]
)
async def test_the_end_is_found_in_the_shortest_mails(post: Post, raw: str) -> None:
    wire = await post.open()
    await wire.greet()
    wire.write(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SUPPORT}>", "DATA")
    assert [(await wire.hear())[:3] for _ in range(3)] == ["250", "250", "354"]
    wire.write(raw + "NOOP")
    assert (await wire.hear()).startswith("250 2.0.0")
    assert (await wire.hear()) == "250 OK"
    wire.close()


async def test_the_end_is_found_however_the_packets_are_cut(post: Post) -> None:
    for cut in range(1, 12):
        wire = await post.open()
        await wire.greet()
        await wire.say(f"MAIL FROM:<{SENDER}>")
        await wire.say(f"RCPT TO:<{SUPPORT}>")
        await wire.say("DATA")
        whole = mail(f"cut {cut}", f"text {cut}\r\n..x").encode() + b".\r\nNOOP\r\n"
        wire.writer.write(whole[:-cut])
        await wire.writer.drain()
        await asyncio.sleep(0)
        wire.writer.write(whole[-cut:])
        assert (await wire.hear()).startswith("250 2.0.0")
        assert (await wire.hear()) == "250 OK"
        wire.close()
    assert len(await post.texts()) == 11


async def test_of_peers_and_mails_nothing_is_logged(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await post.send(mail("one"), SUPPORT, "nobody@hub.test")
    told = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert not any(word in told for word in (SENDER, SUPPORT, "nobody@", "127.0.0.1", "Hello"))


async def test_an_account_that_is_switched_off_is_unknown(post: Post) -> None:
    await post.send(mail("one"))

    def switch_off(tx: Tx) -> None:
        tx.execute(tables.channel.update().where(tables.channel.c.id == "support").values(enabled=False))
        channels.tell(tx, "support")

    await post.database.transaction(switch_off)
    post.mailroom.follow(await post.database.read(load_events, 0))
    await post.mailroom._adapters.reload("support")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        await post.send(mail("two"))
