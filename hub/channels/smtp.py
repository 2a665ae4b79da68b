"""Handing mails to one SMTP server (RFC 5321): a few connections kept open, one mail after another on each.

    deliver(letter)   pace → connection (kept, or new: TLS, EHLO, sign in) → MAIL, RCPT …, DATA → what was refused
    check()           connects and signs in, no mail

Each recipient is named to the server by itself, so that it is known who was refused. The first one is the mail's: when
it is refused, nothing is sent. Others that are refused are told (`RefusedRecipient`) and the mail goes to the rest.

Whether a failed mail may be sent again hangs on one byte, the dot that ends DATA:

    the server refused for good (5yz)                                             Refused
    the server refused for now (4yz), or the connection broke before the dot      Unavailable: surely not sent
    the dot was written and no answer came                                        Uncertain
    the server cannot be reached, or will not have us (connect, TLS, sign-in)     Unavailable, whatever it answered: it
                                                                                  is not about this mail

The dot is therefore written by itself, after everything before it has left this process.

Words for why (`code`; `reason_of` is the table, RFC 3463 is its source; receipts use it, too):

    no_such_mailbox, no_such_domain, mailbox_full, invalid_address   the recipient
    blocked, rate_limited, greylisted, too_large, not_supported      the mail, or what they think of us
    relay_denied, sender_refused, account_refused                    our account at this server
    unavailable, no_answer, tls_failed, certificate                  the server or the way to it
    paced                                                            our own limits: nobody's fault, try later
    deferred                                                         a further recipient would be taken later
    refused                                                          it does not say

`Unavailable.channel_works` says that only this mail has to wait: `paced`, and what a server says about one recipient.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

import aiosmtplib
from aiosmtplib import SMTPResponse

from hub.channels.channel import RefusedRecipient, clean_text
from hub.channels.oauth import TokenSource, encoded_xoauth2
from hub.channels.tls import Security, is_loopback
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput, ProviderError, Refused, Unavailable, Uncertain
from hub.mail.compose import to_wire


@dataclass(frozen=True, slots=True)
class Server:
    """Where and as whom. `helo` is the name we go by: the domain of our address."""

    host: str
    port: int
    security: Security
    helo: str
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard the server is pressed, and how long it is waited for. Times in seconds."""

    # Four at once is what mail programs do, too; Gmail and Exchange Online take more (ten, three per mail box).
    connections: int = 4
    # Postfix closes after 100 by default on the sending side (smtp_connection_reuse_count_limit is off, the classic
    # recommendation is 100), Exchange after 1,000.
    mails_per_connection: int = 100
    # Servers drop idle clients after one to five minutes; whoever leaves first loses no mail to that race.
    idle_s: float = 30.0
    connect_s: float = 10.0
    command_s: float = 30.0
    data_s: float = 60.0
    # Less than the outbox gives one attempt: so it is we who say what is known of the mail.
    total_s: float = 70.0
    # A mail that would have to wait longer goes back into the queue.
    patience_s: float = 15.0
    # At one recipient domain: this many at a time, this far apart. A burst of a hundred answers to one provider takes
    # ten seconds, which none of them minds.
    per_domain: int = 2
    domain_spacing_s: float = 0.1
    # A domain that said "too many" is left alone for this long.
    domain_rest_s: float = 60.0
    # Mails of the whole account a minute; None: as many as come.
    per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """`recipients` in normal form, the mail's own first. `sender` is the envelope's, "" the null sender, and
    `fallback_sender` is tried when the server refuses that one. `envelope_id` comes back in delivery
    reports. `wants_reports`: failures and delays are to be reported."""

    content: bytes = field(repr=False)
    sender: str
    recipients: Sequence[str]
    envelope_id: str = ""
    fallback_sender: str = ""
    is_utf8: bool = False
    wants_reports: bool = True


class Stage(StrEnum):
    """What the server was asked when it said no."""

    SESSION = "session"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"
    REPORT = "report"


# --- why --------------------------------------------------------------------------------------------------------------

# RFC 3463 sections 3.2 to 3.8 and the registry that grew from it (iana.org/assignments/smtp-enhanced-status-codes), without
# the class. What a code says in general only ("other", "security") is left to the words beside it.
REASONS: Mapping[str, str] = {
    "1.1": "no_such_mailbox",
    "1.2": "no_such_domain",
    "1.3": "invalid_address",
    "1.4": "invalid_address",
    "1.6": "no_such_mailbox",
    "1.7": "sender_refused",
    "1.8": "sender_refused",
    "1.10": "no_such_domain",
    "2.2": "mailbox_full",
    "2.3": "too_large",
    "3.1": "unavailable",
    "3.2": "unavailable",
    "3.3": "not_supported",
    "3.4": "too_large",
    "4.1": "no_answer",
    "4.2": "no_answer",
    "4.3": "unavailable",
    "4.4": "no_such_domain",
    "4.5": "rate_limited",
    "4.6": "unavailable",
    "4.7": "no_answer",
    "5.3": "rate_limited",
    "6.1": "not_supported",
    "6.2": "not_supported",
    "6.3": "not_supported",
    "6.6": "not_supported",
    "6.7": "not_supported",
    "6.9": "not_supported",
    "7.2": "blocked",
    "7.8": "account_refused",
    "7.9": "account_refused",
    "7.13": "account_refused",
    "7.14": "account_refused",
    "7.20": "blocked",
    "7.21": "blocked",
    "7.22": "blocked",
    "7.23": "blocked",
    "7.25": "blocked",
    "7.26": "blocked",
    "7.27": "sender_refused",
    "7.28": "rate_limited",
    "7.57": "account_refused",
    "7.60": "sender_refused",
    "7.139": "account_refused",
}

# What servers write beside 5.0.0, 5.7.1 or no code at all. Seen at Postfix, Exim, Exchange, Gmail, Yahoo and Yandex.
_PHRASES: tuple[tuple[str, str], ...] = (
    ("greylisted", r"gr[ae]y-?list|try again later in"),
    ("relay_denied", r"relay(?:ing)? (?:access )?(?:denied|not permitted|not allowed)|unable to relay|not a relay"),
    ("account_refused", r"authentication (?:is )?required|must (?:be )?authenticat|not authenticated"),
    ("mailbox_full", r"mailbox (?:is )?full|over ?quota|quota exceeded|insufficient (?:mailbox )?storage"),
    (
        "no_such_mailbox",
        r"user unknown|unknown user|no such (?:user|mailbox|recipient|person)|does not exist|mailbox unavailable"
        r"|invalid (?:mailbox|recipient)|recipient (?:not found|rejected|unknown)|user not found|no mailbox here"
        r"|mailbox not found|unknown recipient|account (?:is )?disabled|unrouteable address",
    ),
    ("no_such_domain", r"domain (?:not found|does not exist)|host not found|no such domain|nxdomain|name or service"),
    ("too_large", r"(?:message|size) (?:is )?(?:too (?:large|big)|exceeds)|exceeds (?:the )?(?:maximum|fixed) "),
    ("rate_limited", r"rate ?limit|too many (?:messages|connections|emails|recipients)|unusual rate|throttl"),
    ("sender_refused", r"sender (?:address )?(?:rejected|denied|refused)|not owned by|send as|invalid sender"),
    ("blocked", r"spam|block(?:ed|list)|blacklist|reputation|policy|dmarc|\bspf\b|\bdkim\b|virus|listed (?:in|at|by)"),
)
_PHRASE = tuple((reason, re.compile(pattern, re.IGNORECASE)) for reason, pattern in _PHRASES)

# RFC 5321 section 4.2.3 and what it means at each stage, where there is no better word.
_CODES: Mapping[int, str] = {
    421: "unavailable",
    432: "unavailable",
    441: "no_answer",
    442: "no_answer",
    450: "greylisted",
    451: "greylisted",
    452: "unavailable",
    454: "unavailable",
    455: "unavailable",
    503: "unavailable",
    500: "not_supported",
    501: "invalid_address",
    502: "not_supported",
    504: "not_supported",
    521: "blocked",
    523: "too_large",
    530: "account_refused",
    534: "account_refused",
    535: "account_refused",
    538: "account_refused",
    551: "no_such_mailbox",
    552: "too_large",
    553: "invalid_address",
    554: "blocked",
    555: "not_supported",
    556: "no_such_domain",
}

_ENHANCED = re.compile(r"\s*([245])\.([0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
_STATUS = re.compile(r"([245])\.([0-9]{1,3}\.[0-9]{1,3})")
# A server's words are for the agent; nobody reads more.
_WORDS_LIMIT = 500


def reason_of(status: str | None, words: str, *, code: int | None = None, stage: Stage = Stage.REPORT) -> str:
    """One of our words for an RFC 3463 status (5.1.1), the words beside it and the reply code."""
    found = _STATUS.fullmatch(status or "")
    if found is not None and found[2] in REASONS:
        return REASONS[found[2]]
    words = words[:_WORDS_LIMIT]
    for reason, phrase in _PHRASE:
        if phrase.search(words):
            return reason
    if found is not None and found[2] == "2.1":
        # Disabled; for a while, when the class is 4.
        return "no_such_mailbox" if found[1] == "5" else "unavailable"
    if found is not None and found[2].startswith("7."):
        return "greylisted" if code in (450, 451) else "blocked"
    if stage is Stage.SENDER and code is not None and code >= 550:
        return "sender_refused"
    if code == 552 and stage is Stage.RECIPIENT:
        return "mailbox_full"
    if code == 550:
        return "no_such_mailbox" if stage is Stage.RECIPIENT else "blocked"
    if code is not None and code in _CODES:
        return _CODES[code]
    is_temporary = (found is not None and found[1] == "4") or (code is not None and 400 <= code < 500)
    return "unavailable" if is_temporary else "refused"


# How long to wait where the server does not say. Greylisting lets pass after one to five minutes; who limits rates counts
# by the minute.
_RETRY_S: Mapping[str, float] = {"greylisted": 60.0, "rate_limited": 60.0, "mailbox_full": 600.0}
# Where it says "too many" for good, a quota is used up, and it grows back by the hour.
_QUOTA_RETRY_S = 900.0


def failure(reply: SMTPResponse, stage: Stage) -> ProviderError:
    """What the server's answer means for the mail."""
    words = _told(reply.message)
    enhanced = _ENHANCED.match(words)
    status = f"{enhanced[1]}.{enhanced[2]}" if enhanced else None
    reason = reason_of(status, words, code=reply.code, stage=stage)
    message = Sentence("The mail server said: {words}", words=f"{reply.code} {words}".strip())
    provider_code = status or str(reply.code)
    # 503 is about the session ("bad sequence of commands"), and a new one will do better.
    is_final = 500 <= reply.code < 600 and reply.code != 503
    # Who will not have the account, or us at all, has not judged the mail: it waits for better times. So does a mail that
    # is one too many (Gmail says 550 5.4.5 when the day's quota is used up).
    if is_final and stage is not Stage.SESSION and reason not in ("account_refused", "rate_limited"):
        return Refused(message, code=reason, provider_code=provider_code)
    retry_after_s = _QUOTA_RETRY_S if is_final and reason == "rate_limited" else _RETRY_S.get(reason)
    # 421 ends the session, whatever was asked (RFC 5321 section 3.8).
    is_about_us = is_final or reply.code == 421 or reason == "account_refused"
    is_about_recipient = stage is Stage.RECIPIENT or (stage is Stage.CONTENT and reason in _RETRY_S)
    return Unavailable(
        message,
        code=reason,
        provider_code=provider_code,
        retry_after_s=retry_after_s,
        channel_works=is_about_recipient and not is_about_us,
    )


def _told(words: str) -> str:
    """A server's words on one line, as they can be kept."""
    return " ".join(clean_text(words).split())[:_WORDS_LIMIT]


# --- the account ------------------------------------------------------------------------------------------------------


class _Lost(Exception):
    """The connection is gone, or so far behind that it is of no use."""

    def __init__(self, *, is_timeout: bool) -> None:
        super().__init__("timed out" if is_timeout else "lost")
        self.is_timeout = is_timeout

    def unavailable(self) -> Unavailable:
        if self.is_timeout:
            return Unavailable("The mail server did not answer in time.", code="no_answer")
        return Unavailable("The mail server broke the connection.", code="unavailable")


class Smtp:
    """The sending half of one mail account. `tokens` signs in by OAuth instead of a password; `tls` is for servers whose
    certificate comes from an authority of one's own."""

    def __init__(
        self,
        server: Server,
        *,
        tokens: TokenSource | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._tokens = tokens
        self._limits = limits or Limits()
        self._tls = tls
        self._slots = asyncio.Semaphore(self._limits.connections)
        self._idle: list[_Line] = []
        self._pace = _Pace(self._limits)
        self._is_closed = False

    async def deliver(self, letter: Letter) -> tuple[RefusedRecipient, ...]:
        """Everybody but the first recipient who was refused or deferred. Raises Refused, Unavailable (code `paced`: our own
        limits) or Uncertain."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.total_s
        patience_ends_at = loop.time() + self._limits.patience_s
        envelope = _Envelope.of(letter)
        domain = envelope.recipients[0].rpartition("@")[2]
        try:
            async with self._pace.turn(domain, patience_ends_at), self._slot(patience_ends_at):
                return await self._deliver(letter, envelope, domain, deadline)
        except _Lost as lost:
            raise lost.unavailable() from lost

    async def _deliver(
        self, letter: Letter, envelope: _Envelope, domain: str, deadline: float
    ) -> tuple[RefusedRecipient, ...]:
        kept = self._take_idle()
        if kept is not None:
            try:
                return await self._deliver_on(kept, letter, envelope, domain, deadline)
            except _Lost as lost:
                # The server had left in the meantime, which it may. Nothing of the mail had gone.
                if lost.is_timeout:
                    raise
        return await self._deliver_on(await self._connect(deadline), letter, envelope, domain, deadline)

    async def _deliver_on(
        self, line: _Line, letter: Letter, envelope: _Envelope, domain: str, deadline: float
    ) -> tuple[RefusedRecipient, ...]:
        try:
            return await line.deliver(letter, envelope, deadline)
        except ProviderError as error:
            if error.code == "rate_limited":
                self._pace.rest(domain)
            raise
        finally:
            self._give_back(line)

    async def check(self) -> None:
        """Connects and signs in. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        try:
            async with self._slot(loop.time() + self._limits.patience_s):
                line = await self._connect(loop.time() + self._limits.total_s)
                line.leave()
        except _Lost as lost:
            raise lost.unavailable() from lost

    async def aclose(self) -> None:
        self._is_closed = True
        while self._idle:
            self._idle.pop().leave()

    @contextlib.asynccontextmanager
    async def _slot(self, patience_ends_at: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(patience_ends_at):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Unavailable(
                "All connections to the mail server are busy.",
                code="paced",
                retry_after_s=self._limits.patience_s,
                channel_works=True,
            ) from error
        try:
            yield
        finally:
            self._slots.release()

    def _take_idle(self) -> _Line | None:
        while self._idle:
            line = self._idle.pop()
            line.cancel_leaving()
            if line.is_open:
                return line
            line.leave()
        return None

    def _give_back(self, line: _Line) -> None:
        if not line.is_clean or line.mails >= self._limits.mails_per_connection or self._is_closed:
            line.leave()
            return
        self._idle.append(line)
        line.leave_after(self._limits.idle_s, self._idle)

    async def _connect(self, deadline: float) -> _Line:
        server, limits = self._server, self._limits
        if not server.host:
            # An empty name would be this very machine.
            raise Unavailable("This account has no server to send through.", code="account_refused")
        if server.security is Security.NONE and not is_loopback(server.host):
            raise Unavailable("Mails and passwords do not leave this machine unencrypted.", code="account_refused")
        if self._tls is None and server.security is not Security.NONE:
            # Reads the machine's authorities: some 20 ms.
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=server.helo,
            use_tls=server.security is Security.TLS,
            start_tls=server.security is Security.STARTTLS,
            tls_context=self._tls,
            timeout=min(limits.connect_s, _left(deadline)),
        )
        try:
            await client.connect()
            client.timeout = min(limits.command_s, _left(deadline))
            await client.ehlo()
            await self._sign_in(client)
            return _Line(client, limits)
        except ProviderError:
            client.close()
            raise
        except aiosmtplib.SMTPAuthenticationError as error:
            client.close()
            raise _sign_in_failure(error) from error
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            raise failure(SMTPResponse(error.code, error.message), Stage.SESSION) from error
        except (TimeoutError, aiosmtplib.SMTPTimeoutError) as error:
            client.close()
            raise Unavailable("The mail server did not answer in time.", code="no_answer") from error
        except ssl.SSLCertVerificationError as error:
            client.close()
            raise Unavailable(
                f"The mail server's certificate is not valid for {server.host}: {error.verify_message}.",
                code="certificate",
            ) from error
        except (ssl.SSLError, aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            cause = error.__cause__
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise Unavailable(
                    f"The mail server's certificate is not valid for {server.host}: {cause.verify_message}.",
                    code="certificate",
                ) from error
            if isinstance(error, ssl.SSLError) or isinstance(cause, ssl.SSLError) or _lacks_tls(error):
                raise Unavailable("No encrypted connection to the mail server.", code="tls_failed") from error
            raise Unavailable("The mail server cannot be reached.", code="unavailable") from error
        except BaseException:
            client.close()
            raise

    async def _sign_in(self, client: aiosmtplib.SMTP) -> None:
        server = self._server
        if not server.username:
            return
        if not client.supports_extension("auth"):
            raise Unavailable("The mail server offers no way to sign in here.", code="account_refused")
        if self._tokens is None:
            try:
                await client.login(server.username, server.password)
            except aiosmtplib.SMTPResponseException:
                raise
            except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError):
                raise
            except (aiosmtplib.SMTPException, ValueError) as error:
                raise Unavailable(
                    "The mail server knows no way to sign in that we know.", code="account_refused"
                ) from error
            return
        token = await self._tokens.access_token()
        try:
            await _xoauth2(client, server.username, token)
        except aiosmtplib.SMTPAuthenticationError:
            # It may have been revoked before its time; a second refusal is the account's.
            self._tokens.forget(token)
            await _xoauth2(client, server.username, await self._tokens.access_token())


async def _xoauth2(client: aiosmtplib.SMTP, username: str, token: str) -> None:
    reply = await client.execute_command(b"AUTH", b"XOAUTH2", encoded_xoauth2(username, token).encode())
    if reply.code == 334:
        # The reason, in base64; an empty line fetches the refusal itself.
        reply = await client.execute_command(b"")
    if reply.code != 235:
        raise aiosmtplib.SMTPAuthenticationError(reply.code, reply.message)


def _sign_in_failure(error: aiosmtplib.SMTPAuthenticationError) -> ProviderError:
    if 400 <= error.code < 500:
        return failure(SMTPResponse(error.code, error.message), Stage.SESSION)
    return Unavailable(
        f"The mail server did not accept the sign-in: {error.code} {_told(error.message)}",
        code="account_refused",
        provider_code=str(error.code),
    )


def _lacks_tls(error: BaseException) -> bool:
    return isinstance(error, aiosmtplib.SMTPException) and "STARTTLS" in str(error)


def _left(deadline: float) -> float:
    return max(deadline - asyncio.get_running_loop().time(), 0.001)


# --- one connection ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The letter's addresses as the wire has them."""

    sender: str
    fallback_sender: str
    recipients: tuple[str, ...]

    @classmethod
    def of(cls, letter: Letter) -> _Envelope:
        try:
            return cls(
                to_wire(letter.sender) if letter.sender else "",
                to_wire(letter.fallback_sender) if letter.fallback_sender else "",
                tuple(to_wire(each) for each in letter.recipients),
            )
        except InvalidInput as error:
            raise Refused(error.message, code="invalid_address") from error


@dataclass(frozen=True, slots=True)
class _Named:
    """What the server said to the recipients of one mail. `too_many`: it takes no more at once (address, and as the wire
    has it)."""

    accepted: int
    refused: tuple[RefusedRecipient, ...]
    too_many: tuple[tuple[str, str], ...]


def _deferred(address: str, words: str) -> RefusedRecipient:
    return RefusedRecipient(address, "deferred", words, is_final=False)


class _Line:
    """A connection that is signed in. `is_clean` after a mail: another may follow."""

    def __init__(self, client: aiosmtplib.SMTP, limits: Limits) -> None:
        protocol = client.protocol
        assert protocol is not None
        # What uvloop's transports are, too, without saying so.
        transport = cast(asyncio.WriteTransport, client.transport)
        self._client = client
        self._limits = limits
        self._protocol = protocol
        # Nothing may be left in our own buffer when the dot is written, so the writer waits until it is empty. (Not high=0:
        # asyncio's TLS transport would never let it go on.)
        transport.set_write_buffer_limits(high=1, low=0)
        self._writer = asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())
        self._timer: asyncio.TimerHandle | None = None
        self.mails = 0
        self.is_clean = True

    @property
    def is_open(self) -> bool:
        return self._client.is_connected

    def leave(self) -> None:
        """QUIT without waiting for the answer."""
        self.cancel_leaving()
        self.is_clean = False
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, RuntimeError):
            if self._client.is_connected:
                self._protocol.write(b"QUIT\r\n")
        self._writer.close()
        self._client.close()

    def leave_after(self, idle_s: float, idle: list[_Line]) -> None:
        def leave() -> None:
            if self in idle:
                idle.remove(self)
            self.leave()

        self._timer = asyncio.get_running_loop().call_later(idle_s, leave)

    def cancel_leaving(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def deliver(self, letter: Letter, envelope: _Envelope, deadline: float) -> tuple[RefusedRecipient, ...]:
        """Raises what Smtp.deliver does, and _Lost while nothing of the mail has gone."""
        everybody = tuple(zip(letter.recipients, envelope.recipients, strict=True))
        named = await self._transact(letter, envelope, everybody, deadline, is_own_needed=True)
        refused = named.refused
        # RFC 5321 section 4.5.3.1.10: those who were too many at once get a mail of their own, right behind.
        while named.too_many and named.accepted:
            try:
                named = await self._transact(letter, envelope, named.too_many, deadline)
            except ProviderError as error:
                return (*refused, *(_deferred(normal, error.message) for normal, _ in named.too_many))
            except _Lost as lost:
                words = lost.unavailable().message
                return (*refused, *(_deferred(normal, words) for normal, _ in named.too_many))
            refused = (*refused, *named.refused)
        return (*refused, *(_deferred(normal, "Too many recipients.") for normal, _ in named.too_many))

    async def _transact(
        self,
        letter: Letter,
        envelope: _Envelope,
        recipients: Sequence[tuple[str, str]],
        deadline: float,
        *,
        is_own_needed: bool = False,
    ) -> _Named:
        """One mail to those of `recipients` whom the server takes. `is_own_needed`: to nobody without the first."""
        self.mails += 1
        # Whatever stops this half-way leaves the connection in a state nobody knows.
        self.is_clean = False
        mail_options, recipient_options = self._options(letter)
        reply = await self._mail(envelope.sender, mail_options, deadline)
        if reply.code == 421 and self.mails > 1:
            # It had been about to close the idle connection: a new one will do.
            raise _Lost(is_timeout=False)
        if reply.code >= 500 and not envelope.sender and envelope.fallback_sender:
            reply = await self._mail(envelope.fallback_sender, mail_options, deadline)
        if reply.code != 250:
            self.is_clean = reply.code not in (421, 503)
            raise failure(reply, Stage.SENDER)
        named = await self._name_recipients(recipients, recipient_options, deadline, is_own_needed=is_own_needed)
        if not named.accepted:
            await self._reset(deadline)
            return named
        reply = await self._command(b"DATA", deadline=deadline)
        if reply.code != 354:
            await self._reset(deadline)
            raise failure(reply, Stage.CONTENT)
        reply = await self._write(letter.content, deadline)
        self.is_clean = reply.code != 421
        if not 200 <= reply.code < 300:
            raise failure(reply, Stage.CONTENT)
        return named

    def _options(self, letter: Letter) -> tuple[list[str], list[str]]:
        offers = self._client.supports_extension
        mail: list[str] = []
        recipient: list[str] = []
        if offers("size"):
            limit = self._client.esmtp_extensions.get("size", "").strip()
            # RFC 1870 section 4: 0, or nothing, is no limit.
            if re.fullmatch(r"[0-9]{1,18}", limit) and 0 < int(limit) < len(letter.content):
                self.is_clean = True
                raise Refused(
                    Sentence("The mail server takes at most {count} bytes.", count=int(limit)),
                    code="too_large",
                    provider_code=limit,
                )
            mail.append(f"SIZE={len(letter.content)}")
        if letter.is_utf8:
            if not offers("smtputf8"):
                self.is_clean = True
                raise Refused(
                    Sentence("The mail server cannot send to an address with these letters (SMTPUTF8)."),
                    code="not_supported",
                )
            mail.append("SMTPUTF8")
            if offers("8bitmime"):
                mail.append("BODY=8BITMIME")
        if offers("dsn"):
            if letter.wants_reports:
                mail.append("RET=HDRS")
                recipient.append("NOTIFY=FAILURE,DELAY")
            else:
                recipient.append("NOTIFY=NEVER")
            if letter.envelope_id and letter.wants_reports:
                mail.append(f"ENVID={xtext(letter.envelope_id)}")
        return mail, recipient

    async def _mail(self, sender: str, options: list[str], deadline: float) -> SMTPResponse:
        return await self._command(
            f"MAIL FROM:<{sender}>".encode(), *(each.encode() for each in options), deadline=deadline
        )

    async def _name_recipients(
        self, recipients: Sequence[tuple[str, str]], options: list[str], deadline: float, *, is_own_needed: bool
    ) -> _Named:
        accepted, refused, too_many = 0, list[RefusedRecipient](), list[tuple[str, str]]()
        for place, (normal, wire) in enumerate(recipients):
            words = [f"RCPT TO:<{wire}>", *options]
            if options and wire.isascii():
                # A report then names the address that we wrote to, wherever it was forwarded.
                words.append(f"ORCPT=rfc822;{xtext(wire)}")
            reply = await self._command(*(each.encode() for each in words), deadline=deadline)
            if reply.code in (250, 251):
                accepted += 1
                continue
            error = failure(reply, Stage.RECIPIENT)
            if reply.code == 421:
                raise error
            if place == 0 and is_own_needed:
                await self._reset(deadline)
                raise error
            if isinstance(error, Refused):
                refused.append(RefusedRecipient(normal, error.code, error.message))
            elif reply.code == 452 and error.code == "rate_limited":
                too_many.append((normal, wire))
            else:
                refused.append(_deferred(normal, error.message))
        return _Named(accepted, tuple(refused), tuple(too_many))

    async def _reset(self, deadline: float) -> None:
        """Ready for the next mail, or not clean."""
        with contextlib.suppress(_Lost):
            self.is_clean = (await self._command(b"RSET", deadline=deadline)).code == 250

    async def _command(self, *words: bytes, deadline: float) -> SMTPResponse:
        try:
            return await self._client.execute_command(*words, timeout=min(self._limits.command_s, _left(deadline)))
        except (aiosmtplib.SMTPTimeoutError, TimeoutError) as error:
            raise _Lost(is_timeout=True) from error
        except aiosmtplib.SMTPResponseException as error:
            # What it wrote is no reply of SMTP.
            raise Unavailable("The mail server answers what nobody understands.", code="unavailable") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _Lost(is_timeout=False) from error

    async def _write(self, content: bytes, deadline: float) -> SMTPResponse:
        """The content and its final dot; the server's verdict."""
        verdict = asyncio.ensure_future(self._protocol.read_response(timeout=_left(deadline)))
        sending = asyncio.ensure_future(self._send_content(content))
        is_ended = False
        try:
            await asyncio.wait(
                {sending, verdict},
                timeout=min(self._limits.data_s, _left(deadline)),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if verdict.done():
                # It would not hear the end: too large, usually.
                return self._early(await verdict)
            if not sending.done():
                raise TimeoutError
            await sending
            is_ended = True
            self._writer.write(b".\r\n")
            return await asyncio.wait_for(verdict, min(self._limits.data_s, _left(deadline)))
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            if is_ended:
                raise Uncertain(
                    "The mail server had the whole mail and did not say whether it takes it.", code="no_answer"
                ) from error
            raise Unavailable("The connection broke while the mail was sent.", code="unavailable") from error
        finally:
            for task in (sending, verdict):
                task.cancel()
                # Whatever it has to say is known by now; unread, it would be logged as forgotten.
                task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _send_content(self, content: bytes) -> None:
        self._writer.write(stuffed(content))
        await self._writer.drain()

    def _early(self, reply: SMTPResponse) -> SMTPResponse:
        if reply.code < 400:
            raise Unavailable("The mail server answers before the mail's end.", code="unavailable")
        raise failure(reply, Stage.CONTENT)


def stuffed(content: bytes) -> bytes:
    """RFC 5321 section 4.5.2: lines that begin with a dot get another; the last line has its end."""
    if content.startswith(b"."):
        content = b"." + content
    content = content.replace(b"\r\n.", b"\r\n..")
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def xtext(text: str) -> str:
    """RFC 3461 section 4."""
    return "".join(
        character if "!" <= character <= "~" and character not in "+=" else f"+{ord(character):02X}"
        for character in text
        if ord(character) < 128
    )


# --- pace -------------------------------------------------------------------------------------------------------------


class _Pace:
    """Who may send when: the account's mails a minute, and each recipient domain's spacing and number at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._account_free_at = 0.0
        self._free_at: dict[str, float] = {}
        self._busy: dict[str, int] = {}
        self._changed = asyncio.Condition()

    def rest(self, domain: str) -> None:
        now = asyncio.get_running_loop().time()
        self._free_at[domain] = max(self._free_at.get(domain, 0.0), now + self._limits.domain_rest_s)

    @contextlib.asynccontextmanager
    async def turn(self, domain: str, patience_ends_at: float) -> AsyncIterator[None]:
        """Waits for this mail's time, or raises Unavailable(paced) when that is too far away."""
        limits = self._limits
        now = asyncio.get_running_loop().time()
        account_at = max(now, self._account_free_at)
        start_at = max(account_at, self._free_at.get(domain, 0.0))
        if start_at > patience_ends_at:
            raise _paced(start_at - now)
        if limits.per_minute is not None:
            self._account_free_at = account_at + 60.0 / limits.per_minute
        self._free_at[domain] = start_at + limits.domain_spacing_s
        self._forget_the_past(now)
        if start_at > now:
            await asyncio.sleep(start_at - now)
        async with self._changed:
            try:
                async with asyncio.timeout_at(patience_ends_at):
                    await self._changed.wait_for(lambda: self._busy.get(domain, 0) < limits.per_domain)
            except TimeoutError as error:
                raise _paced(limits.patience_s) from error
            self._busy[domain] = self._busy.get(domain, 0) + 1
        try:
            yield
        finally:
            self._busy[domain] -= 1
            if not self._busy[domain]:
                del self._busy[domain]
            async with self._changed:
                self._changed.notify_all()

    def _forget_the_past(self, now: float) -> None:
        if len(self._free_at) > 1_000:
            self._free_at = {domain: at for domain, at in self._free_at.items() if at > now}


def _paced(wait_s: float) -> Unavailable:
    return Unavailable("The mail waits for its turn.", code="paced", retry_after_s=wait_s, channel_works=True)
