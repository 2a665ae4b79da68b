"""The post office's face to other mail servers: SMTP (RFC 5321) with SIZE, 8BITMIME, SMTPUTF8 and DSN (RFC 3461).

aiosmtpd speaks it, on the event loop of the hub's demo; it knows no DSN, so that is offered and read here. Nobody signs in:
it takes what is for its own people and relays nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as SmtpEnvelope

if TYPE_CHECKING:
    from hub.demo.post_office import PostOffice

RECIPIENTS_LIMIT = 100
IDLE_TIMEOUT_S = 120
# What stands in a command is a line of at most 998 characters; DSN adds up to 600 (RFC 3461 section 5.2).
_OPTIONS = re.compile(r"\s(RET|ENVID|NOTIFY|ORCPT)=(\S{1,600})", re.IGNORECASE)
# Good enough for addresses that a person types: one at sign, no spaces, a domain of letters, digits and dots.
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")


def is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None and text.isascii()


@dataclass(slots=True)
class Envelope:
    """What was said around a mail. `sender` is empty for the null sender; the dictionaries are by recipient."""

    helo: str
    sender: str
    recipients: Sequence[str]
    envelope_id: str | None = None
    notify: dict[str, str] = field(default_factory=dict)
    original_recipients: dict[str, str] = field(default_factory=dict)


async def listen(office: PostOffice, *, hostname: str, limit_bytes: int) -> asyncio.Server:
    """A server on a free port of this machine, which takes mails of at most `limit_bytes`."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: PostSession(office, hostname, limit_bytes), "127.0.0.1", 0)


class _Handler:
    """aiosmtpd's hooks."""

    def __init__(self, office: PostOffice) -> None:
        self._office = office

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: SmtpEnvelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-DSN", "250-ENHANCEDSTATUSCODES", responses[-1]]

    async def handle_RCPT(
        self, server: PostSession, session: Session, envelope: SmtpEnvelope, address: str, options: list[str]
    ) -> str:
        if (refusal := self._office.refusal(address)) is not None:
            return refusal
        if len(envelope.rcpt_tos) >= RECIPIENTS_LIMIT:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        server.keep_recipient(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: PostSession, session: Session, envelope: SmtpEnvelope) -> str:
        told = server.told
        sender = "" if envelope.mail_from in (None, "", "<>") else str(envelope.mail_from)
        self._office.take(
            Envelope(
                session.host_name or "unknown",
                sender,
                list(dict.fromkeys(envelope.rcpt_tos)),
                told.get("ENVID"),
                server.notify,
                server.original_recipients,
            ),
            bytes(envelope.original_content or b""),
        )
        return "250 2.0.0 Taken"


class PostSession(SMTP):
    """One connection."""

    def __init__(self, office: PostOffice, hostname: str, limit_bytes: int) -> None:
        self.told: dict[str, str] = {}
        self.notify: dict[str, str] = {}
        self.original_recipients: dict[str, str] = {}
        self._options: dict[str, str] = {}
        self._office = office
        super().__init__(
            _Handler(office),
            hostname=hostname,
            ident="demo post office",
            data_size_limit=limit_bytes,
            enable_SMTPUTF8=True,
            timeout=IDLE_TIMEOUT_S,
            loop=asyncio.get_running_loop(),
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._office.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._office.sessions.discard(self)
        super().connection_lost(error)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def smtp_MAIL(self, arg: str | None) -> None:
        self.notify, self.original_recipients = {}, {}
        arg = self._without_options(arg)
        self.told = self._options
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        await super().smtp_RCPT(self._without_options(arg))

    def keep_recipient(self, address: str) -> None:
        """The options of the RCPT command that is being answered are this recipient's."""
        self.notify[address] = self._options.get("NOTIFY", "").upper()
        if "ORCPT" in self._options:
            self.original_recipients[address] = self._options["ORCPT"]

    def _without_options(self, arg: str | None) -> str | None:
        """Takes the DSN options, which aiosmtpd would refuse, out of a command's argument."""
        self._options = {name.upper(): value for name, value in _OPTIONS.findall(arg or "")}
        return arg if arg is None else _OPTIONS.sub("", arg)
