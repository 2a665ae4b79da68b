"""The hub's own door for mail: SMTP (RFC 5321) and LMTP (RFC 2033), over aiosmtpd's protocol classes, in our own loop.

    RCPT → Mailroom.find_channel: whose address it is, or 550      DATA → Mailroom.take, for each account → commit → 250

250 stands for the commit and nothing less. While the database is away, or files cannot be written, the answer is 451 and
the sender keeps the mail; that he hands it in again, then or because our answer did not reach him, is harmless: the intake
knows it. Nothing is ever relayed: who is not one of our accounts is unknown here.

Anybody may knock, so everything is bounded: connections in all and from one address, commands that make no sense, silence,
recipients, bytes of one mail and of all mails that are on their way in. Of our peers nothing is logged.

LMTP answers for each recipient, SMTP once for all: there 250 means that every account among them has it.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import os
import re
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Session

from hub.domain.sentences import Sentence
from hub.errors import DatabaseAway, HubError, Misconfigured, NotFound
from hub.timeline.mailroom import Mailroom

log = logging.getLogger(__name__)

# aiosmtpd writes its peers' and senders' addresses, and at debug level every line.
for _name in ("mail.log", "mail.debug"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

CONNECTIONS_LIMIT = 200
# A relay in front of us comes from one address; Postfix opens 20 connections at once (default_destination_concurrency_limit).
CONNECTIONS_OF_ONE_LIMIT = 40
# RFC 5321 section 4.5.3.1.8: at least a hundred must be taken.
RECIPIENTS_LIMIT = 100
# A mail server makes a mistake or two; who makes so many without handing in a single mail is looking for addresses.
ERRORS_LIMIT = 10
# RFC 5321 section 4.5.3.2.7: a server waits at least five minutes for the next command. Within a mail it is the time for
# CHUNK_BYTES: 200 bytes a second are no mail server.
SILENCE_S = 300.0
MAIL_S = 1800.0
CHUNK_BYTES = 64 << 10
# Mails on their way in lie in memory; beyond this many bytes of them the next ones wait outside. A mail that is being parsed
# takes three times its bytes (tracemalloc, 25 MB of files, of text and of HTML, November 2026): at worst 384 MB.
IN_FLIGHT_BYTES = 128 << 20
# RFC 5321 section 4.5.3.1.4 says 512 for a command; extensions add to it, and addresses in UTF-8 are long.
_COMMAND_BYTES = 2_048
# At a stop, mails that are half here are let finish for so long.
_FINISH_S = 5.0
# Another process of ours has the socket's path: look again whether it is gone.
_PATH_LOOK_S = 5.0

_END = b"\r\n.\r\n"
_SIZE = re.compile(r"\bSIZE=([0-9]{1,20})\b", re.IGNORECASE)

_STORED = "250 2.0.0 stored"
_LATER = "451 4.3.0 cannot be stored now, try again later"
_TOO_LARGE = "552 5.3.4 this mail is too large"
_NO_ROOM = "452 4.3.1 too much mail at once, try again later"
_UNKNOWN = "550 5.1.1 there is no such mailbox here"


class MailListener:
    """Both listeners of one process. `run` listens until it is cancelled; `smtp_port` and `lmtp_port` say where, once
    `listening` is set."""

    def __init__(
        self,
        mailroom: Mailroom,
        *,
        smtp: str = "",
        lmtp: str = "",
        hostname: str = "localhost",
        limit_bytes: int,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        reuse_port: bool = False,
    ) -> None:
        """`smtp`: host:port; `lmtp`: the same, or the path of a socket. `reuse_port`: other processes of ours listen there,
        too. Raises Misconfigured when the certificate is none."""
        self.mailroom = mailroom
        self.hostname = hostname
        self.limit_bytes = limit_bytes
        self.tls = _tls_context(tls_cert, tls_key)
        self.connections: set[_Door] = set()
        self.of_address: collections.Counter[str] = collections.Counter()
        self.in_flight_bytes = 0
        self.is_stopping = False
        self.listening = asyncio.Event()
        self.smtp_port = self.lmtp_port = 0
        self._smtp, self._lmtp = smtp, lmtp
        self._reuse_port = reuse_port

    @property
    def is_wanted(self) -> bool:
        """Whether it has anywhere to listen."""
        return bool(self._smtp or self._lmtp)

    async def run(self) -> None:
        servers: list[asyncio.Server] = []
        try:
            if self._smtp:
                servers.append(await self._listen(_SmtpDoor, self._smtp))
                self.smtp_port = servers[-1].sockets[0].getsockname()[1]
            if self._lmtp.startswith("/"):
                servers.append(await self._listen_at_path(Path(self._lmtp)))
            elif self._lmtp:
                servers.append(await self._listen(_LmtpDoor, self._lmtp))
                self.lmtp_port = servers[-1].sockets[0].getsockname()[1]
            self.listening.set()
            await asyncio.get_running_loop().create_future()
        finally:
            self.is_stopping = True
            for server in servers:
                server.close()
            await self._close_connections()

    async def _listen(self, door: type[_Door], place: str) -> asyncio.Server:
        host, _, port = place.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_server(
                lambda: door(self), host.strip("[]"), int(port), reuse_port=self._reuse_port or None
            )
        except OSError as error:
            raise Misconfigured(f"cannot listen for mail at {place}: {error.strerror or error}") from error

    async def _listen_at_path(self, path: Path) -> asyncio.Server:
        """One process listens there; the others wait for it to end."""
        loop = asyncio.get_running_loop()
        while await _somebody_answers(path):
            self.listening.set()
            await asyncio.sleep(_PATH_LOOK_S)
        try:
            server = await loop.create_unix_server(lambda: _LmtpDoor(self), str(path))
            # Who may reach it is said by the directory: the mail server runs as another user.
            os.chmod(path, 0o666)  # noqa: S103 - see above
        except OSError as error:
            raise Misconfigured(f"cannot listen for mail at {path}: {error.strerror or error}") from error
        return server

    async def _close_connections(self) -> None:
        for door in list(self.connections):
            door.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_S):
                while self.connections:
                    await asyncio.wait({door.closed for door in self.connections})
        for door in list(self.connections):
            door.abort()


def _tls_context(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f"the certificate for mail cannot be used: {error.strerror or error}",
            fields={"HUB_SMTP_TLS_CERT": Sentence("is no certificate with this key")},
        ) from error
    return context


async def _somebody_answers(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        return False
    writer.close()
    return True


class _Handler:
    """aiosmtpd's hooks. It has one of each for all connections; what belongs to one is in its _Door."""

    async def handle_EHLO(
        self, _server: Any, session: Session, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        # Nobody signs in here. Commands may come in one packet: they are read one after the other.
        told = [line for line in responses if not line.startswith("250-AUTH")]
        return [*told[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *told[-1:]]

    async def handle_RCPT(self, door: _Door, _session: Any, envelope: Any, address: str, options: Sequence[str]) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS_LIMIT:
            return "452 4.5.3 too many recipients"
        try:
            channel_id = await door.listener.mailroom.find_channel(address)
        except DatabaseAway:
            return "451 4.3.0 cannot look it up now, try again later"
        if channel_id is None:
            return _UNKNOWN
        envelope.rcpt_tos.append(address)
        door.channel_ids.append(channel_id)
        return "250 2.1.5 ok"

    async def handle_VRFY(self, *_more: Any) -> str:
        return "252 2.5.2 try it"

    async def handle_exception(self, error: Exception) -> str:
        log.error("smtp.failed", exc_info=error)
        return "451 4.3.0 this is our fault, try again later"


_HANDLER = _Handler()


class _Door(SMTP):
    """One connection."""

    # The limit of aiosmtpd's reader, which keeps at most twice as much of what was not read yet.
    line_length_limit = CHUNK_BYTES
    via = "smtp"

    def __init__(self, listener: MailListener) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            _HANDLER,
            data_size_limit=listener.limit_bytes,
            enable_SMTPUTF8=True,
            hostname=listener.hostname,
            ident="hub",
            tls_context=listener.tls,
            timeout=SILENCE_S,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=loop,
        )
        # aiosmtpd's own is shared by all connections, and each EHLO raises it.
        self.command_size_limits = collections.defaultdict(lambda: _COMMAND_BYTES)
        self.command_size_limit = _COMMAND_BYTES
        self.listener = listener
        # Of each recipient in the envelope.
        self.channel_ids: list[str] = []
        self.closed: asyncio.Future[None] = loop.create_future()
        self._address: str | None = None
        self._is_refused = False
        self._is_busy = False
        self._errors = 0

    # --- coming and going

    def connection_made(self, transport: Any) -> None:
        listener = self.listener
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        is_one_too_many = len(listener.connections) >= CONNECTIONS_LIMIT or (
            bool(address) and listener.of_address[address] >= CONNECTIONS_OF_ONE_LIMIT
        )
        if is_one_too_many or listener.is_stopping:
            self._is_refused = True
            transport.write(b"421 4.7.0 too many connections, try again later\r\n")
            transport.close()
            return
        self._address = address
        listener.connections.add(self)
        listener.of_address[address] += 1
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._is_refused:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._is_refused else super().eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        if self._is_refused:
            return
        if self._address is not None:
            self.listener.connections.discard(self)
            self.listener.of_address[self._address] -= 1
            if not self.listener.of_address[self._address]:
                del self.listener.of_address[self._address]
            self._address = None
        if not self.closed.done():
            self.closed.set_result(None)
        super().connection_lost(error)

    def leave(self) -> None:
        """The hub stops: at once, or when the mail that is coming in has been answered for."""
        if not self._is_busy:
            self._say_goodbye(b"421 4.3.2 closing down\r\n")

    def abort(self) -> None:
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    def _say_goodbye(self, words: bytes) -> None:
        if self.transport is not None:
            self._writer.write(words)
            self.transport.close()

    def _timeout_cb(self) -> None:
        self._say_goodbye(b"421 4.4.2 too slow\r\n")

    async def push(self, status: Any) -> None:
        await super().push(status)
        text = status if isinstance(status, str) else status.decode("utf-8", "replace")
        if text.startswith("250 2.0.0"):
            self._errors = 0
        elif text[:1] in "45":
            self._errors += 1
            if self._errors >= ERRORS_LIMIT:
                self._say_goodbye(b"421 4.7.0 too many errors\r\n")

    def _set_post_data_state(self) -> None:
        super()._set_post_data_state()  # type: ignore[no-untyped-call]
        self.channel_ids = []

    # --- commands

    async def smtp_MAIL(self, arg: str | None) -> None:
        size = _SIZE.search(arg or "")
        if size is not None and int(size[1]) > self.listener.limit_bytes:
            await self.push(_TOO_LARGE)
            return
        await super().smtp_MAIL(arg)

    async def smtp_AUTH(self, _arg: str) -> None:
        await self.push("502 5.5.1 nobody signs in here")

    async def smtp_HELP(self, _arg: str) -> None:
        await self.push("214 2.0.0 RFC 5321")

    async def smtp_STARTTLS(self, arg: str) -> None:
        """aiosmtpd's own reaches into asyncio's TLS protocol, which uvloop does not have."""
        assert self.session is not None
        if arg:
            await self.push("501 5.5.4 STARTTLS takes no argument")
            return
        if self.tls_context is None or self.session.ssl is not None:
            await self.push("454 4.7.0 TLS is not available")
            return
        await self.push("220 2.0.0 go ahead")
        # RFC 3207 section 6: what was said before in the clear, even in the same packet, is forgotten.
        self._reader._buffer.clear()  # type: ignore[attr-defined]
        self._set_rset_state()  # type: ignore[no-untyped-call]
        try:
            await self._writer.start_tls(self.tls_context, ssl_handshake_timeout=30)
        except (OSError, ssl.SSLError):
            self.abort()
            return
        transport = self._writer.transport
        self.transport = self._reader._transport = transport  # type: ignore[attr-defined]
        self._tls_protocol = transport  # type: ignore[assignment]
        self.session = self._create_session()
        self.session.ssl = {"cipher": transport.get_extra_info("cipher")}
        self._reset_timeout()

    async def smtp_DATA(self, arg: str | None) -> None:
        """aiosmtpd's own reads line by line, refuses mails with a line over 998 bytes, which many senders write, and gives
        one answer in LMTP, too."""
        assert self.envelope is not None
        if await self.check_helo_needed():
            return
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 name a recipient first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        self._is_busy = True
        try:
            await self.push("354 end with <CR><LF>.<CR><LF>")
            raw, fault = await self._read_mail()
            try:
                answers = [fault] * len(self.channel_ids) if fault else await self._store(raw)
            finally:
                self.listener.in_flight_bytes -= len(raw)
            self._set_post_data_state()
            self._reset_timeout()
            for answer in self._answers(answers):
                await self.push(answer)
        finally:
            self._is_busy = False
        if self.listener.is_stopping:
            self.leave()

    def _answers(self, answers: Sequence[str]) -> Sequence[str]:
        """SMTP's one answer: the worst of all."""
        return [next((answer for answer in answers if answer != _STORED), _STORED)]

    async def _read_mail(self) -> tuple[bytes, str]:
        """The mail without the dots that SMTP adds and with its Return-Path, counted in `in_flight_bytes`; or nothing, and
        why not. What is too much is read to its end and forgotten, as the sender hears no answer before."""
        listener, reader = self.listener, self._reader
        chunks: list[bytes] = []
        size, fault, deadline = 0, "", time.monotonic() + MAIL_S
        try:
            # The end may come in the very first line, which has no CRLF before it.
            chunk = await reader.readexactly(3)
            if chunk == b".\r\n":
                raw = self._return_path()
                listener.in_flight_bytes += len(raw)
                return raw, ""
            while not chunk.endswith(_END) and any(chunk.endswith(_END[:length]) for length in range(1, len(_END))):
                chunk += await reader.readexactly(1)
            while True:
                size += len(chunk)
                if not fault:
                    chunks.append(chunk)
                    listener.in_flight_bytes += len(chunk)
                    if size > listener.limit_bytes + len(_END):
                        fault = _TOO_LARGE
                    elif listener.in_flight_bytes > IN_FLIGHT_BYTES:
                        fault = _NO_ROOM
                    if fault:
                        listener.in_flight_bytes -= sum(map(len, chunks))
                        chunks.clear()
                if chunk.endswith(_END):
                    break
                if time.monotonic() > deadline:
                    self._timeout_cb()
                self._reset_timeout()
                try:
                    chunk = await reader.readuntil(_END)
                except asyncio.LimitOverrunError as error:
                    chunk = await reader.readexactly(error.consumed)
        except BaseException:
            listener.in_flight_bytes -= sum(map(len, chunks))
            raise
        if fault:
            return b"", fault
        listener.in_flight_bytes -= size
        # Copied once (twice while dots are taken away), and no piece is kept: mails are large.
        chunks[-1] = chunks[-1][: -len(_END) + 2]
        chunks.insert(0, self._return_path())
        raw = b"".join(chunks)
        chunks.clear()
        raw = raw.replace(b"\r\n.", b"\r\n")
        listener.in_flight_bytes += len(raw)
        return raw, ""

    def _return_path(self) -> bytes:
        """RFC 5321 section 4.4: whoever delivers for good says who the envelope's sender was; bounces are known by it."""
        return f"Return-Path: <{self._sender()}>\r\n".encode("utf-8", "replace")

    def _sender(self) -> str:
        assert self.envelope is not None
        return "" if self.envelope.mail_from == "<>" else self.envelope.mail_from or ""

    async def _store(self, raw: bytes) -> list[str]:
        """One answer for each recipient."""
        assert self.envelope is not None
        recipients: dict[str, list[str]] = {}
        for channel_id, address in zip(self.channel_ids, self.envelope.rcpt_tos, strict=True):
            recipients.setdefault(channel_id, []).append(address)
        sender = self._sender()
        answers = await asyncio.gather(
            *(self._take(channel_id, raw, addresses, sender) for channel_id, addresses in recipients.items())
        )
        of_channel = dict(zip(recipients, answers, strict=True))
        return [of_channel[channel_id] for channel_id in self.channel_ids]

    async def _take(self, channel_id: str, raw: bytes, recipients: Sequence[str], sender: str) -> str:
        try:
            await self.listener.mailroom.take(
                channel_id, raw, envelope_to=recipients, envelope_from=sender, via=self.via
            )
        except NotFound:
            # It was there a moment ago: when the sender comes again, it is unknown or back.
            return "451 4.2.1 this mailbox was just switched off"
        except HubError as error:
            log.warning("smtp.not_stored", extra={"channel": channel_id, "code": error.code})
            return _LATER
        except Exception:
            log.exception("smtp.not_stored", extra={"channel": channel_id})
            return _LATER
        return _STORED


class _SmtpDoor(_Door):
    pass


class _LmtpDoor(_Door, LMTP):
    via = "lmtp"

    def _answers(self, answers: Sequence[str]) -> Sequence[str]:
        return answers
