"""Posts to addresses that others name: where they may not lead, and far sides that mean no good. Real sockets throughout."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.errors import Refused, Unavailable
from hub.webhooks import guarded_post as post
from hub.webhooks.guarded_post import Answer, guarded_post
from tests.support.webhook_receiver import running_receiver

pytestmark = pytest.mark.anyio

Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@contextlib.asynccontextmanager
async def serving(speak: Speak) -> AsyncIterator[str]:
    """A server that reads the request's head and then says what it likes; its address."""
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await speak(reader, writer)
        writer.close()
        ended.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        # We let go of it, whatever it still has to say.
        async with asyncio.timeout(20):
            await ended.wait()
    finally:
        server.close()


async def send(url: str, **more: Any) -> Answer:
    return await guarded_post(url, b"{}", {}, **{"may_be_private": True, "keep_bytes": 100, **more})


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs that nothing here is expected to keep."""
    monkeypatch.setattr(post, "TIMEOUT_S", 0.6)
    monkeypatch.setattr(post, "_WORDS_S", 0.2)


async def endless_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def packed_bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")
    await writer.drain()


async def slow_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"y")
        await writer.drain()
        await asyncio.sleep(0.05)


async def slow_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for letter in HEAD * 100:
        writer.write(bytes((letter,)))
        await writer.drain()
        await asyncio.sleep(0.05)


async def huge_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    for number in range(200):
        writer.write(b"X-%d: " % number + b"z" * 65_536 + b"\r\n")
        await writer.drain()


async def endless_interim(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def no_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.org ESMTP\r\n\r\n")
    await writer.drain()


async def hangs_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pass


@pytest.mark.parametrize(
    ("speak", "kept"), [(endless_body, "x" * 100), (packed_bomb, "\ufffd\ufffd\ufffd\ufffd"), (slow_body, "y")]
)
async def test_of_an_answer_that_never_ends_the_first_bytes_are_kept(speak: Speak, kept: str, short: None) -> None:
    async with serving(speak) as url:
        answer = await send(url)
    assert (answer.status, answer.text[: len(kept)], len(answer.text) <= 100) == (200, kept, True)


@pytest.mark.parametrize(
    ("speak", "code"),
    [
        (slow_head, "timed_out"),
        (endless_interim, "timed_out"),
        (huge_head, "bad_answer"),
        (no_http, "bad_answer"),
        (hangs_up, "broken_off"),
    ],
)
async def test_what_is_no_answer_is_told_as_such_in_time(speak: Speak, code: str, short: None) -> None:
    async with serving(speak) as url:
        with pytest.raises(Unavailable) as caught:
            await send(url)
    assert caught.value.code == code


async def test_a_redirect_is_told_and_not_followed() -> None:
    async with running_receiver() as elsewhere, running_receiver() as receiver:
        receiver.answers, receiver.headers = [307], {"Location": elsewhere.url}
        assert (await send(receiver.url)).status == 307
        assert elsewhere.got == []


async def test_nothing_listens_and_no_such_name(unused_tcp_port: int) -> None:
    with pytest.raises(Unavailable) as caught:
        await send(f"http://127.0.0.1:{unused_tcp_port}/")
    assert caught.value.code == "not_connected"
    with pytest.raises(Unavailable) as caught:
        await send("http://no-such-host.invalid/")
    assert caught.value.code == "no_such_host"


@pytest.fixture
def unused_tcp_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


# What a name may turn out to mean, among them the address of clouds' metadata.
INSIDE = (
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *("::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fec0::1", "::127.0.0.1"),
)


@pytest.mark.parametrize("number", INSIDE)
async def test_a_name_that_leads_inside_is_refused_where_the_connection_is_made(
    number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if only one of its addresses does."""
    family = socket.AF_INET6 if ":" in number else socket.AF_INET
    found = [("93.184.216.34", 443, int(socket.AF_INET), 6), (number, 443, int(family), 6)]
    monkeypatch.setattr(post, "_look_up", lambda *_: found)
    with pytest.raises(Refused) as caught:
        await send("https://rebound.example.org/", may_be_private=False)
    assert caught.value.code == "webhook_not_allowed"
    assert "rebound" not in caught.value.message


@pytest.mark.parametrize("number", INSIDE)
async def test_a_number_that_lies_inside_is_refused_before(number: str) -> None:
    host = f"[{number}]" if ":" in number else number
    with pytest.raises(Refused):
        await send(f"https://{host}/", may_be_private=False)


async def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is asked for once: what it means a moment later is of no interest."""
    async with running_receiver() as receiver:
        asked: list[str] = []

        def look_up(host: str, port: int, family: int) -> list[tuple[str, int, int, int]]:
            asked.append(host)
            return [("127.0.0.1", port, int(socket.AF_INET), 6)]

        monkeypatch.setattr(post, "_look_up", look_up)
        answer = await send(f"http://hook.example.org:{receiver.port}/hook")
        assert (answer.status, asked) == (204, ["hook.example.org"])
        assert receiver.got[0][0]["host"] == f"hook.example.org:{receiver.port}"


async def test_a_name_server_that_is_silent_keeps_one_thread_for_each_name(
    monkeypatch: pytest.MonkeyPatch, short: None
) -> None:
    import threading

    asked, silent = [], threading.Event()

    def look_up(host: str, port: int, family: int) -> list[tuple[str, int, int, int]]:
        asked.append(host)
        silent.wait(60)
        return []

    monkeypatch.setattr(post, "_look_up", look_up)
    told = await asyncio.gather(*(send("http://silent.example.org/") for _ in range(40)), return_exceptions=True)
    silent.set()
    assert {getattr(error, "code", None) for error in told} == {"timed_out"}
    assert asked == ["silent.example.org"]


# --- certificates -------------------------------------------------------------------------------------------------------


def make_certificate(folder: Path) -> Path:
    """One for 127.0.0.1 that signs itself; certificate and key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "receiver.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


async def test_a_certificate_that_nobody_vouches_for_is_refused_and_one_that_is_known_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(path)
    async with running_receiver(tls=tls) as receiver:
        with pytest.raises(Unavailable) as caught:
            await send(receiver.url)
        assert (caught.value.code, receiver.got) == ("tls", [])
        trusting = ssl.create_default_context(cafile=str(path))
        from aiohttp import connector

        monkeypatch.setattr(connector, "_SSL_CONTEXT_VERIFIED", trusting)
        assert (await send(receiver.url)).status == 204
