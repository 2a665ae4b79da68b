"""A real SMTP server (aiosmtpd) on a real port that behaves as badly as a test wants. It is the far side of the wire;
nothing of the hub is imitated."""

from __future__ import annotations

import asyncio
import base64
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, AnyStr

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Mishap(Enum):
    """What happens at some point instead of an answer."""

    DROP = "the connection is reset"
    HANG = "nothing, for ever"


@dataclass(frozen=True, slots=True)
class Received:
    """A mail that came whole, with the envelope as it was written."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    mail_options: tuple[str, ...]
    recipient_options: tuple[str, ...]


# Without slots: aiosmtpd looks at each member of its handler, which Debian's Python 3.11.2 cannot do of such a class.
@dataclass
class MailServer:
    """`on` says what to answer to a verb (EHLO, MAIL, RCPT, DATA, CONTENT, RSET): a line, or a mishap; `refused` the same for
    single recipients. A list is played one by one; what is left over is the usual answer. CONTENT is the moment when
    the mail has come whole, MIDWAY when its first line has."""

    on: dict[str, list[str | Mishap]] = field(default_factory=dict)
    later: dict[str, list[str | Mishap]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    offers_dsn: bool = False
    offers_utf8: bool = False
    offers: list[str] = field(default_factory=list)
    size_limit: int | None = None
    # More recipients of one mail than so many are answered with `too_many`.
    recipients_limit: int = 1_000
    too_many: str = ""
    tls: ssl.SSLContext | None = None
    is_tls_at_once: bool = False
    accounts: dict[str, str] = field(default_factory=dict)
    access_tokens: set[str] = field(default_factory=set)
    must_sign_in: bool = False
    port: int = 0
    received: list[Received] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)
    connections: int = 0
    sign_ins: list[str] = field(default_factory=list)
    helo_names: list[str] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None
    _never: asyncio.Event = field(default_factory=asyncio.Event)
    _sessions: list[_Session] = field(default_factory=list)

    def play(self, verb: str, *answers: str | Mishap) -> None:
        self.on[verb] = list(answers)

    def play_later(self, verb: str, *answers: str | Mishap) -> None:
        """As `play`, once the first mail has come whole."""
        self.later[verb] = list(answers)

    def drop_all(self) -> None:
        """The server closes every connection, as servers do when nothing was said for a while."""
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, told: LoginPassword
    ) -> AuthResult:
        self.sign_ins.append(mechanism)
        is_right = self.accounts.get(told.login.decode()) == told.password.decode()
        return AuthResult(success=is_right, handled=False)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        self.sign_ins.append("XOAUTH2")
        told = base64.b64decode(args[1]).decode()
        is_right = any(told.endswith(f"\x01auth=Bearer {token}\x01\x01") for token in self.access_tokens)
        if not is_right:
            await server.push("334 eyJzdGF0dXMiOiI0MDAifQ==")
            await server._reader.readline()
        return AuthResult(success=is_right, handled=False)

    async def handle_DATA(self, server: _Session, session: Session, envelope: Envelope) -> str | None:
        self.received.append(
            Received(
                envelope.mail_from or "",
                tuple(envelope.rcpt_tos),
                bytes(envelope.original_content or b""),
                tuple(server.options["MAIL"]),
                tuple(server.options["RCPT"]),
            )
        )
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        answers = self.on.get("CONTENT") or [""]
        answer = answers[0]
        if isinstance(answer, str) and answer:
            answers.pop(0)
            if answer.startswith("421"):
                asyncio.get_running_loop().call_soon(server._writer.close)
            return answer
        await server.intercept("CONTENT")
        self.on |= self.later
        self.later = {}
        return "250 2.0.0 Taken"


class _Session(SMTP):
    """One connection; the commands of interest are intercepted, the rest is aiosmtpd's."""

    def __init__(self, mail_server: MailServer) -> None:
        self._mail_server = mail_server
        self.options: dict[str, list[str]] = {"MAIL": [], "RCPT": []}
        with warnings.catch_warnings():
            # It says that passwords ought to be encrypted, which is for the client to decide here.
            warnings.simplefilter("ignore")
            super().__init__(
                mail_server,
                hostname="mx.test",
                data_size_limit=mail_server.size_limit,
                enable_SMTPUTF8=mail_server.offers_utf8,
                tls_context=None if mail_server.is_tls_at_once else mail_server.tls,
                require_starttls=mail_server.tls is not None and not mail_server.is_tls_at_once,
                auth_required=mail_server.must_sign_in,
                auth_require_tls=False,
                authenticator=mail_server.authenticate,
                auth_exclude_mechanism=() if mail_server.access_tokens else ("XOAUTH2",),
                loop=asyncio.get_running_loop(),
            )

    def connection_made(self, transport: Any) -> None:
        if self.transport is None:
            self._mail_server.connections += 1
            self._mail_server._sessions.append(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._mail_server.left.set()
        super().connection_lost(error)

    async def intercept(self, verb: str) -> bool:
        """Plays what the test wants at `verb`; whether it did."""
        self._mail_server.verbs.append(verb)
        answers = self._mail_server.on.get(verb)
        if not answers:
            return False
        answer = answers.pop(0)
        if answer is Mishap.DROP:
            self._writer.transport.abort()
        elif answer is Mishap.HANG:
            await self._mail_server._never.wait()
        else:
            await self.push(answer)
            if str(answer).startswith("421"):
                self._writer.transport.close()
        return True

    async def smtp_EHLO(self, hostname: str) -> None:
        self._mail_server.helo_names.append(hostname)
        if not await self.intercept("EHLO"):
            await super().smtp_EHLO(hostname)

    async def push(self, status: AnyStr) -> None:
        # aiosmtpd knows no DSN: it is offered before the last line of the answer to EHLO.
        if status == "250 HELP":
            for offer in [*(["DSN"] if self._mail_server.offers_dsn else []), *self._mail_server.offers]:
                await super().push(f"250-{offer}")
        await super().push(status)

    async def smtp_MAIL(self, arg: str) -> None:
        if not await self.intercept("MAIL"):
            await super().smtp_MAIL(self._take_options("MAIL", arg, ("RET=", "ENVID=")))

    async def smtp_RCPT(self, arg: str) -> None:
        refusal = next((line for name, line in self._mail_server.refused.items() if f"<{name}>" in arg), None)
        if refusal is not None:
            self._mail_server.verbs.append("RCPT")
            await self.push(refusal)
        elif self.envelope is not None and len(self.envelope.rcpt_tos) >= self._mail_server.recipients_limit:
            await self.push(self._mail_server.too_many)
        elif not await self.intercept("RCPT"):
            await super().smtp_RCPT(self._take_options("RCPT", arg, ("NOTIFY=", "ORCPT=")))

    async def smtp_DATA(self, arg: str) -> None:
        if await self.intercept("DATA"):
            return
        if self._mail_server.on.get("MIDWAY"):
            await self.push("354 Go on")
            await self._reader.readline()
            await self.intercept("MIDWAY")
            return
        server = self._mail_server
        server.busy += 1
        server.most_busy = max(server.most_busy, server.busy)
        try:
            await super().smtp_DATA(arg)
        finally:
            server.busy -= 1

    async def smtp_RSET(self, arg: str) -> None:
        if not await self.intercept("RSET"):
            await super().smtp_RSET(arg)

    def _take_options(self, verb: str, arg: str, known: tuple[str, ...]) -> str:
        """Keeps the DSN options, which aiosmtpd would refuse, when they were offered."""
        if verb == "MAIL":
            self.options = {"MAIL": [], "RCPT": []}
        words = arg.split(" ")
        self.options[verb].extend(words[1:])
        taken = known if self._mail_server.offers_dsn else ()
        return " ".join(word for word in words if not word.startswith(taken or ("\0",)))


@asynccontextmanager
async def running_mail_server(mail_server: MailServer | None = None) -> AsyncIterator[MailServer]:
    mail_server = mail_server or MailServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Session(mail_server), "127.0.0.1", 0, ssl=mail_server.tls if mail_server.is_tls_at_once else None
    )
    mail_server.port = server.sockets[0].getsockname()[1]
    try:
        yield mail_server
    finally:
        server.close()
        mail_server.drop_all()
        await server.wait_closed()
