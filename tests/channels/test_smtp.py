"""Handing mails to a real SMTP server that behaves well, and badly in every way we know."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtplib import SMTPResponse
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.channels.oauth import TokenSource
from hub.channels.smtp import Letter, Limits, Server, Smtp, Stage, failure, reason_of, stuffed, xtext
from hub.channels.tls import Security
from hub.errors import ProviderError, Refused, Unavailable, Uncertain
from tests.channels.mailserver import MailServer, Mishap, running_mail_server
from tests.channels.provider import Reply, running_provider

ANI, DAVIT, NAREK = "ani@example.am", "davit@example.am", "narek@example.org"
CONTENT = b"Subject: Hello\r\n\r\nHello\r\n.dotted\r\n..twice\r\n"
UNPACED = Limits(domain_spacing_s=0.0)


def letter(*recipients: str, content: bytes = CONTENT, is_utf8: bool = False) -> Letter:
    return Letter(content, "support@example.com", recipients or (ANI,), envelope_id="b-x", is_utf8=is_utf8)


@asynccontextmanager
async def account(
    mail_server: MailServer,
    *,
    limits: Limits = UNPACED,
    security: Security = Security.NONE,
    tls: ssl.SSLContext | None = None,
    username: str = "",
    password: str = "",
    tokens: TokenSource | None = None,
) -> AsyncIterator[Smtp]:
    async with running_mail_server(mail_server):
        server = Server("127.0.0.1", mail_server.port, security, "example.com", username, password)
        smtp = Smtp(server, limits=limits, tls=tls, tokens=tokens)
        try:
            yield smtp
        finally:
            await smtp.aclose()


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The hub runs on uvloop, whose transports are not asyncio's."""
    return "asyncio", {"use_uvloop": request.param}


# --- the usual --------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_mail_arrives_as_it_is() -> None:
    mail_server = MailServer()
    async with account(mail_server) as smtp:
        assert await smtp.deliver(letter(ANI, DAVIT)) == ()
    (received,) = mail_server.received
    assert received.content == CONTENT
    assert (received.sender, received.recipients) == ("support@example.com", (ANI, DAVIT))
    assert mail_server.helo_names == ["example.com"]


@pytest.mark.anyio
async def test_one_connection_carries_many_mails() -> None:
    mail_server = MailServer()
    async with account(mail_server) as smtp:
        for _ in range(5):
            await smtp.deliver(letter())
    assert (len(mail_server.received), mail_server.connections) == (5, 1)


@pytest.mark.anyio
async def test_a_connection_is_left_after_so_many_mails() -> None:
    mail_server = MailServer()
    async with account(mail_server, limits=Limits(mails_per_connection=2, domain_spacing_s=0.0)) as smtp:
        for _ in range(5):
            await smtp.deliver(letter())
    assert mail_server.connections == 3


@pytest.mark.anyio
async def test_no_more_connections_than_allowed_and_no_more_mails_at_one_domain() -> None:
    mail_server = MailServer(hold=asyncio.Event())
    assert mail_server.hold is not None
    limits = Limits(connections=3, per_domain=2, domain_spacing_s=0.0)
    async with account(mail_server, limits=limits) as smtp:
        recipients = [ANI] * 6 + [NAREK] * 6
        sending = [asyncio.create_task(smtp.deliver(letter(recipient))) for recipient in recipients]
        async with asyncio.timeout(30):
            while mail_server.busy < 3:
                await mail_server.arrived.wait()
                await asyncio.sleep(0)
        held = [each.recipients[0] for each in mail_server.received]
        assert max(held.count(ANI), held.count(NAREK)) == 2
        mail_server.hold.set()
        await asyncio.gather(*sending)
    assert len(mail_server.received) == 12
    assert (mail_server.most_busy, mail_server.connections) == (3, 3)


@pytest.mark.anyio
async def test_a_kept_connection_that_the_server_left_is_replaced() -> None:
    mail_server = MailServer()
    async with account(mail_server) as smtp:
        await smtp.deliver(letter())
        mail_server.play("MAIL", Mishap.DROP)
        await smtp.deliver(letter())
        mail_server.drop_all()
        await smtp.deliver(letter())
        mail_server.play("MAIL", "421 4.4.2 Idle for too long")
        await smtp.deliver(letter())
    assert (len(mail_server.received), mail_server.connections) == (4, 4)


@pytest.mark.anyio
async def test_an_idle_connection_is_left() -> None:
    mail_server = MailServer()
    async with account(mail_server, limits=Limits(idle_s=0.01, domain_spacing_s=0.0)) as smtp:
        await smtp.deliver(letter())
        await asyncio.wait_for(mail_server.left.wait(), 5)
        await smtp.deliver(letter())
    assert mail_server.connections == 2


# --- recipients -------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_nothing_is_sent_when_the_first_recipient_is_refused() -> None:
    mail_server = MailServer(refused={ANI: "550 5.1.1 No such user here"})
    async with account(mail_server) as smtp:
        with pytest.raises(Refused) as caught:
            await smtp.deliver(letter(ANI, DAVIT))
        assert (caught.value.code, caught.value.provider_code) == ("no_such_mailbox", "5.1.1")
        assert await smtp.deliver(letter(DAVIT)) == ()
    assert [each.recipients for each in mail_server.received] == [(DAVIT,)]
    assert mail_server.connections == 1


@pytest.mark.anyio
async def test_other_recipients_who_are_refused_are_told() -> None:
    mail_server = MailServer(refused={DAVIT: "552 5.2.2 Mailbox full", NAREK: "450 4.2.1 Try later"})
    async with account(mail_server) as smtp:
        refused = await smtp.deliver(letter(ANI, DAVIT, NAREK))
    told = [(each.address, each.code, each.is_final) for each in refused]
    assert told == [(DAVIT, "mailbox_full", True), (NAREK, "deferred", False)]
    assert all(each.detail for each in refused)
    assert mail_server.received[0].recipients == (ANI,)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer", ["452 4.2.2 Mailbox full", "450 4.2.0 Greylisted", "451 4.7.1 Later", "450 4.7.28 Too many messages"]
)
async def test_a_further_recipient_whom_the_server_would_take_later_is_not_refused(answer: str) -> None:
    mail_server = MailServer(refused={DAVIT: answer})
    async with account(mail_server) as smtp:
        (deferred,) = await smtp.deliver(letter(ANI, DAVIT))
    assert (deferred.address, deferred.code, deferred.is_final) == (DAVIT, "deferred", False)
    assert answer in deferred.detail
    assert [each.recipients for each in mail_server.received] == [(ANI,)]


MANY = tuple(f"r{number}@example.am" for number in range(5))


@pytest.mark.anyio
@pytest.mark.parametrize("answer", ["452 4.5.3 Error: too many recipients", "452 Too many recipients"])
async def test_recipients_who_are_too_many_at_once_get_the_mail_in_turn(answer: str) -> None:
    mail_server = MailServer(recipients_limit=2, too_many=answer)
    async with account(mail_server) as smtp:
        assert await smtp.deliver(letter(*MANY)) == ()
    assert [each.recipients for each in mail_server.received] == [MANY[:2], MANY[2:4], MANY[4:]]
    assert len({each.content for each in mail_server.received}) == 1
    assert mail_server.connections == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("MAIL", "451 4.3.0 Not now"),
        ("MAIL", "421 4.3.2 Shutting down"),
        ("MAIL", Mishap.DROP),
        ("CONTENT", "554 5.7.1 Spam after all"),
        ("CONTENT", Mishap.DROP),
    ],
)
async def test_what_fails_in_the_second_turn_repeats_nothing_of_the_first(verb: str, answer: str | Mishap) -> None:
    mail_server = MailServer(recipients_limit=3, too_many="452 4.5.3 Too many recipients")
    mail_server.play_later(verb, answer)
    async with account(mail_server) as smtp:
        deferred = await smtp.deliver(letter(*MANY))
    assert [(each.address, each.code) for each in deferred] == [(MANY[3], "deferred"), (MANY[4], "deferred")]
    assert [each.recipients for each in mail_server.received].count(MANY[:3]) == 1


@pytest.mark.anyio
async def test_of_those_who_were_too_many_each_has_an_answer_of_its_own() -> None:
    mail_server = MailServer(recipients_limit=2, too_many="452 4.5.3 Too many recipients")
    mail_server.refused = {MANY[3]: "550 5.1.1 Unknown", MANY[4]: "450 4.2.0 Greylisted"}
    async with account(mail_server) as smtp:
        refused = await smtp.deliver(letter(*MANY))
        assert sorted((each.address, each.code) for each in refused) == [
            (MANY[3], "no_such_mailbox"),
            (MANY[4], "deferred"),
        ]
        # The connection is as good as new.
        await smtp.deliver(letter())
    assert [each.recipients for each in mail_server.received] == [MANY[:2], MANY[2:3], (ANI,)]
    assert mail_server.connections == 1


# --- what fails how ---------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("verb", "answer", "expected", "code"),
    [
        ("EHLO", Mishap.DROP, Unavailable, "unavailable"),
        ("MAIL", "451 4.3.0 Not now", Unavailable, "greylisted"),
        ("MAIL", "503 5.5.1 Nested MAIL command", Unavailable, "unavailable"),
        ("MAIL", "421 4.3.2 Shutting down", Unavailable, "unavailable"),
        ("MAIL", "553 5.7.1 Sender address rejected: not owned by user", Refused, "sender_refused"),
        ("MAIL", "530 5.7.0 Authentication required", Unavailable, "account_refused"),
        ("MAIL", Mishap.DROP, Unavailable, "unavailable"),
        ("MAIL", "nonsense", Unavailable, "unavailable"),
        ("RCPT", "550 No such user", Refused, "no_such_mailbox"),
        ("RCPT", "554 5.7.1 Relay access denied", Refused, "relay_denied"),
        ("RCPT", "450 4.2.0 Greylisted, come back", Unavailable, "greylisted"),
        ("RCPT", "451 4.7.1 Please try again later", Unavailable, "greylisted"),
        ("RCPT", "452 4.2.2 Mailbox full", Unavailable, "mailbox_full"),
        ("RCPT", "421 4.7.0 Too many connections", Unavailable, "rate_limited"),
        ("RCPT", Mishap.DROP, Unavailable, "unavailable"),
        ("DATA", "554 5.5.1 No valid recipients", Refused, "blocked"),
        ("DATA", "451 4.7.28 Unusual rate of mail", Unavailable, "rate_limited"),
        ("DATA", Mishap.DROP, Unavailable, "unavailable"),
        ("MIDWAY", Mishap.DROP, Unavailable, "unavailable"),
        ("MIDWAY", "552 5.3.4 Message too big", Refused, "too_large"),
        ("MIDWAY", "421 4.3.2 Going down", Unavailable, "unavailable"),
        ("MIDWAY", "250 Already?", Unavailable, "unavailable"),
        ("CONTENT", "554 5.7.1 Rejected as spam", Refused, "blocked"),
        ("CONTENT", "552 5.2.3 Too long", Refused, "too_large"),
        ("CONTENT", "550 5.4.5 Daily user sending limit exceeded", Unavailable, "rate_limited"),
        ("CONTENT", "452 4.3.1 No room", Unavailable, "unavailable"),
        ("CONTENT", "421 4.3.2 Going down", Unavailable, "unavailable"),
        ("CONTENT", Mishap.DROP, Uncertain, "no_answer"),
    ],
)
async def test_each_failure_says_whether_the_mail_may_have_left(
    verb: str, answer: str | Mishap, expected: type[ProviderError], code: str
) -> None:
    # Larger than what the system's buffers take at once, so that the end cannot have left in the middle.
    content = b"Subject: long\r\n\r\n" + b"line of a long mail\r\n" * 500_000 if verb == "MIDWAY" else CONTENT
    mail_server = MailServer()
    mail_server.play(verb, answer)
    async with account(mail_server) as smtp:
        with pytest.raises(ProviderError) as caught:
            await smtp.deliver(letter(content=content))
        assert (type(caught.value), caught.value.code) == (expected, code)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("verb", "limits", "expected"),
    [
        ("EHLO", Limits(command_s=0.2), Unavailable),
        ("MAIL", Limits(command_s=0.2), Unavailable),
        ("RCPT", Limits(command_s=0.2), Unavailable),
        ("DATA", Limits(command_s=0.2), Unavailable),
        ("DATA", Limits(total_s=0.2), Unavailable),
        ("CONTENT", Limits(data_s=0.2), Uncertain),
    ],
)
async def test_silence_is_waited_for_so_long_and_no_longer(
    verb: str, limits: Limits, expected: type[ProviderError]
) -> None:
    mail_server = MailServer()
    mail_server.play(verb, Mishap.HANG)
    async with account(mail_server, limits=limits) as smtp:
        with pytest.raises(ProviderError) as caught:
            await smtp.deliver(letter())
        assert (type(caught.value), caught.value.code) == (expected, "no_answer")
        # Nobody knows what a late answer would belong to.
        await asyncio.wait_for(mail_server.left.wait(), 5)


@pytest.mark.anyio
async def test_a_server_that_reads_slowly_is_not_waited_for_for_ever() -> None:
    mail_server = MailServer()
    mail_server.play("MIDWAY", Mishap.HANG)
    content = b"Subject: long\r\n\r\n" + b"line of a long mail\r\n" * 500_000
    async with account(mail_server, limits=Limits(data_s=0.2)) as smtp:
        with pytest.raises(Unavailable):
            await smtp.deliver(letter(content=content))


@pytest.mark.anyio
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "CONTENT"])
@pytest.mark.parametrize("answer", ["451 4.3.0 Not now", "554 5.0.0 No", "421 4.3.2 Bye", Mishap.DROP])
async def test_after_any_failure_the_next_mail_goes_through(verb: str, answer: str | Mishap) -> None:
    mail_server = MailServer()
    async with account(mail_server) as smtp:
        await smtp.deliver(letter())
        mail_server.play(verb, answer)
        # A kept connection that drops is replaced, and the mail goes through at once.
        with contextlib.suppress(ProviderError):
            await smtp.deliver(letter())
        assert mail_server.on[verb] == []
        mail_server.received.clear()
        await smtp.deliver(letter())
        assert len(mail_server.received) == 1


@pytest.mark.anyio
async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with running_mail_server() as gone:
        port = gone.port
    smtp = Smtp(Server("127.0.0.1", port, Security.NONE, "example.com"))
    with pytest.raises(Unavailable) as caught:
        await smtp.deliver(letter())
    assert caught.value.code == "unavailable"
    with pytest.raises(Unavailable):
        await smtp.check()


@pytest.mark.anyio
async def test_a_stopped_attempt_leaves_nothing_behind() -> None:
    mail_server = MailServer(hold=asyncio.Event())
    async with account(mail_server) as smtp:
        sending = asyncio.create_task(smtp.deliver(letter()))
        await mail_server.arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        mail_server.hold = None
        await smtp.deliver(letter())
    assert mail_server.connections == 2


# --- what the server offers -------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_mail_that_is_too_large_is_refused_before_it_is_sent() -> None:
    mail_server = MailServer(size_limit=20)
    async with account(mail_server) as smtp:
        with pytest.raises(Refused) as caught:
            await smtp.deliver(letter())
        assert caught.value.code == "too_large"
        await smtp.deliver(letter(content=b"a: b\r\n\r\n"))
    assert mail_server.verbs.count("MAIL") == 1
    assert mail_server.received[0].mail_options == ("SIZE=8",)


@pytest.mark.anyio
@pytest.mark.parametrize("limit", ["0", "", "many", "9" * 5_000])
async def test_a_limit_that_is_none_stops_nothing(limit: str) -> None:
    mail_server = MailServer(offers=[f"SIZE {limit}"])
    mail_server.play("MAIL", "250 OK")
    async with account(mail_server) as smtp:
        with pytest.raises(ProviderError):
            # aiosmtpd heard nothing of this MAIL, hence has no transaction.
            await smtp.deliver(letter())
    assert mail_server.verbs.count("MAIL") == 1


@pytest.mark.anyio
async def test_addresses_in_other_scripts_need_a_server_that_takes_them() -> None:
    mail = letter("անի@example.am", content="To: անի@example.am\r\n\r\n".encode(), is_utf8=True)
    able = MailServer(offers_utf8=True)
    async with account(able) as smtp:
        await smtp.deliver(mail)
    assert able.received[0].recipients == ("անի@example.am",)
    assert set(able.received[0].mail_options) == {"SMTPUTF8", "BODY=8BITMIME"}
    unable = MailServer()
    async with account(unable) as smtp:
        with pytest.raises(Refused) as caught:
            await smtp.deliver(mail)
    assert caught.value.code == "not_supported"
    assert unable.verbs.count("MAIL") == 0


@pytest.mark.anyio
async def test_reports_are_asked_for_where_they_are_offered() -> None:
    offering = MailServer(offers_dsn=True)
    async with account(offering) as smtp:
        await smtp.deliver(letter(ANI))
        await smtp.deliver(Letter(CONTENT, "", (ANI,), envelope_id="b-x", wants_reports=False))
    first, second = offering.received
    assert set(first.mail_options) == {"RET=HDRS", "ENVID=b-x"}
    assert first.recipient_options == ("NOTIFY=FAILURE,DELAY", f"ORCPT=rfc822;{ANI}")
    assert second.mail_options == ()
    assert second.recipient_options == ("NOTIFY=NEVER", f"ORCPT=rfc822;{ANI}")
    silent = MailServer()
    async with account(silent) as smtp:
        await smtp.deliver(letter())
    assert silent.received[0].mail_options == silent.received[0].recipient_options == ()


@pytest.mark.anyio
async def test_a_server_without_room_for_the_null_sender_gets_our_address() -> None:
    mail_server = MailServer()
    automatic = Letter(CONTENT, "", (ANI,), fallback_sender="support@example.com", wants_reports=False)
    async with account(mail_server) as smtp:
        await smtp.deliver(automatic)
        mail_server.play("MAIL", "553 5.7.1 Sender address rejected")
        await smtp.deliver(automatic)
    assert [each.sender for each in mail_server.received] == ["<>", "support@example.com"]


# --- TLS and signing in -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


each_security = pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])


@pytest.mark.anyio
@each_security
async def test_a_mail_goes_through_tls(certificate: Path, security: Security) -> None:
    mail_server = MailServer(tls=server_tls(certificate), is_tls_at_once=security is Security.TLS)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with account(mail_server, security=security, tls=trusting) as smtp:
        await smtp.deliver(letter())
        await smtp.deliver(letter(content=b"Subject: long\r\n\r\n" + b"a long line\r\n" * 100_000))
    assert (len(mail_server.received), mail_server.connections) == (2, 1)


@pytest.mark.anyio
@each_security
async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path, security: Security) -> None:
    mail_server = MailServer(tls=server_tls(certificate), is_tls_at_once=security is Security.TLS)
    async with account(mail_server, security=security) as smtp:
        with pytest.raises(Unavailable) as caught:
            await smtp.deliver(letter())
    assert caught.value.code == "certificate"
    assert mail_server.verbs.count("MAIL") == 0


@pytest.mark.anyio
@each_security
async def test_a_server_without_tls_gets_no_mail_and_no_password(security: Security) -> None:
    mail_server = MailServer(accounts={"user": "secret"})
    async with account(mail_server, security=security, username="user", password="secret") as smtp:
        with pytest.raises(Unavailable) as caught:
            await smtp.deliver(letter())
    assert caught.value.code == "tls_failed"
    assert mail_server.sign_ins == []
    assert mail_server.received == []


@pytest.mark.anyio
async def test_without_encryption_nothing_leaves_this_machine() -> None:
    smtp = Smtp(Server("mail.example.com", 25, Security.NONE, "example.com"))
    with pytest.raises(Unavailable) as caught:
        await smtp.deliver(letter())
    assert caught.value.code == "account_refused"


@pytest.mark.anyio
async def test_signing_in_with_a_password() -> None:
    mail_server = MailServer(accounts={"user": "pässword"}, must_sign_in=True)
    async with account(mail_server, username="user", password="pässword") as smtp:
        await smtp.check()
        await smtp.deliver(letter())
    assert len(mail_server.received) == 1
    assert set(mail_server.sign_ins) <= {"PLAIN", "LOGIN"}


@pytest.mark.anyio
async def test_a_wrong_password_is_the_accounts_fault_and_not_the_mails() -> None:
    mail_server = MailServer(accounts={"user": "secret"}, must_sign_in=True)
    async with account(mail_server, username="user", password="wrong") as smtp:
        with pytest.raises(Unavailable) as caught:
            await smtp.deliver(letter())
        assert caught.value.code == "account_refused"
        with pytest.raises(Unavailable):
            await smtp.check()
    assert "wrong" not in caught.value.message


@pytest.mark.anyio
async def test_signing_in_by_oauth() -> None:
    mail_server = MailServer(access_tokens={"second"}, must_sign_in=True)
    async with running_provider() as provider:
        provider.play(Reply.json(200, {"access_token": "first"}), Reply.json(200, {"access_token": "second"}))
        tokens = TokenSource(f"{provider.url}/token", "client", "", "refresh")
        # The first token was revoked before its time; the second one is good.
        async with account(mail_server, username="support@example.com", tokens=tokens) as smtp:
            await smtp.deliver(letter())
            await smtp.deliver(letter())
    assert mail_server.sign_ins == ["XOAUTH2", "XOAUTH2"]
    assert len(mail_server.received) == 2


@pytest.mark.anyio
async def test_an_oauth_account_that_is_not_let_in_is_refused() -> None:
    mail_server = MailServer(access_tokens={"other"}, must_sign_in=True)
    async with running_provider() as provider:
        provider.play(Reply.json(200, {"access_token": "wrong"}))
        tokens = TokenSource(f"{provider.url}/token", "client", "", "refresh")
        async with account(mail_server, username="support@example.com", tokens=tokens) as smtp:
            with pytest.raises(Unavailable) as caught:
                await smtp.deliver(letter())
    assert caught.value.code == "account_refused"


# --- pace -------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_mail_that_would_wait_too_long_goes_back_into_the_queue() -> None:
    mail_server = MailServer()
    async with account(mail_server, limits=Limits(per_minute=2)) as smtp:
        await smtp.deliver(letter(ANI))
        with pytest.raises(Unavailable) as caught:
            await smtp.deliver(letter(NAREK))
    assert caught.value.code == "paced"
    assert 25 < (caught.value.retry_after_s or 0) <= 30
    assert len(mail_server.received) == 1


@pytest.mark.anyio
async def test_a_domain_that_says_too_many_is_left_alone_for_a_while() -> None:
    mail_server = MailServer(refused={ANI: "450 4.7.28 Too many messages"})
    async with account(mail_server) as smtp:
        with pytest.raises(Unavailable) as first:
            await smtp.deliver(letter(ANI))
        with pytest.raises(Unavailable) as second:
            await smtp.deliver(letter(DAVIT))
        await smtp.deliver(letter(NAREK))
    assert (first.value.code, second.value.code) == ("rate_limited", "paced")
    assert [each.recipients for each in mail_server.received] == [(NAREK,)]


@pytest.mark.anyio
async def test_mails_to_one_domain_keep_their_distance() -> None:
    mail_server = MailServer()
    loop = asyncio.get_running_loop()
    async with account(mail_server, limits=Limits(domain_spacing_s=0.05)) as smtp:
        started = loop.time()
        await asyncio.gather(*(smtp.deliver(letter(ANI)) for _ in range(4)))
        assert loop.time() - started >= 0.15


@pytest.mark.anyio
async def test_when_every_connection_is_busy_a_mail_does_not_wait_for_ever() -> None:
    mail_server = MailServer(hold=asyncio.Event())
    assert mail_server.hold is not None
    async with account(mail_server, limits=Limits(connections=1, patience_s=0.05, domain_spacing_s=0.0)) as smtp:
        sending = asyncio.create_task(smtp.deliver(letter(ANI)))
        await mail_server.arrived.wait()
        with pytest.raises(Unavailable) as caught:
            await smtp.deliver(letter(NAREK))
        assert caught.value.code == "paced"
        mail_server.hold.set()
        await sending


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words", "reason"),
    [
        ("5.1.1", "", "no_such_mailbox"),
        ("5.1.2", "", "no_such_domain"),
        ("5.1.3", "", "invalid_address"),
        ("5.1.10", "", "no_such_domain"),
        ("5.2.1", "", "no_such_mailbox"),
        ("4.2.1", "", "unavailable"),
        ("4.2.1", "The user is receiving mail at an unusual rate", "rate_limited"),
        ("5.2.2", "", "mailbox_full"),
        ("4.2.2", "", "mailbox_full"),
        ("5.2.3", "", "too_large"),
        ("5.3.4", "", "too_large"),
        ("4.4.1", "", "no_answer"),
        ("5.4.4", "", "no_such_domain"),
        ("4.4.7", "", "no_answer"),
        ("5.7.1", "Message rejected due to content", "blocked"),
        ("5.7.1", "Relaying denied", "relay_denied"),
        ("5.7.1", "<ani@example.am>: Recipient address rejected: User unknown", "no_such_mailbox"),
        ("5.7.26", "", "blocked"),
        ("5.0.0", "mailbox is full", "mailbox_full"),
        ("5.0.0", "The account does not exist", "no_such_mailbox"),
        ("5.0.0", "", "refused"),
        ("4.0.0", "", "unavailable"),
        (None, "Host not found", "no_such_domain"),
        (None, "", "refused"),
        ("nonsense", "5.1.1", "refused"),
    ],
)
def test_a_reports_status_and_words_in_ours(status: str | None, words: str, reason: str) -> None:
    assert reason_of(status, words) == reason


def test_whatever_a_server_says_before_a_mail_is_not_about_the_mail() -> None:
    error = failure(SMTPResponse(554, "5.7.1 Your address is listed at a block list"), Stage.SESSION)
    assert (type(error), error.code) == (Unavailable, "blocked")


@pytest.mark.parametrize(
    ("code", "words", "stage", "channel_works"),
    [
        (450, "4.2.0 Greylisted", Stage.RECIPIENT, True),
        (452, "4.2.2 Mailbox full", Stage.RECIPIENT, True),
        (451, "4.7.1 Greylisted", Stage.CONTENT, True),
        (452, "4.3.1 No room", Stage.CONTENT, False),
        (421, "4.3.2 Bye", Stage.RECIPIENT, False),
        (550, "5.4.5 Daily limit exceeded", Stage.CONTENT, False),
        (450, "4.3.0 Not now", Stage.SENDER, False),
        (530, "5.7.0 Authentication required", Stage.RECIPIENT, False),
        (450, "4.0.0", Stage.SESSION, False),
    ],
)
def test_one_recipients_trouble_is_not_the_channels(code: int, words: str, stage: Stage, channel_works: bool) -> None:
    error = failure(SMTPResponse(code, words), stage)
    assert isinstance(error, Unavailable)
    assert error.channel_works is channel_works


def test_a_servers_words_are_kept_and_cut() -> None:
    error = failure(SMTPResponse(550, "5.1.1 \udcff\0" + "x" * 10_000), Stage.RECIPIENT)
    error.message.encode()
    assert "\0" not in error.message
    assert len(error.message) < 600


@pytest.mark.parametrize(
    ("content", "written"),
    [
        (b"a", b"a\r\n"),
        (b".\r\n.", b"..\r\n..\r\n"),
        (b"a\r\n.b\r\n..\r\n", b"a\r\n..b\r\n...\r\n"),
        (b"", b"\r\n"),
    ],
)
def test_no_line_of_a_mail_ends_it(content: bytes, written: bytes) -> None:
    assert stuffed(content) == written


def test_xtext_has_no_sign_of_its_own() -> None:
    assert xtext("a+b=c d") == "a+2Bb+3Dc+20d"
