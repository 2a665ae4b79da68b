"""E-mail: raw mails and reports in our values, who may post them, what goes out."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.channels.channel import (
    Accepted,
    ChannelAccount,
    CheckResult,
    Media,
    MessageArrival,
    OutgoingFile,
    ReceiptArrival,
    RefusedRecipient,
    WebhookRequest,
)
from hub.channels.email import (
    MAILGUN_KINDS,
    SHOWN_TEXT_LIMIT,
    SIGNATURE_HEADER,
    EmailChannel,
    addresses_in,
    server_of,
)
from hub.channels.registry import CHANNEL_TYPES
from hub.channels.smtp import Server
from hub.channels.tls import Security
from hub.domain.mail import UNKNOWN_SENDER, Mailbox, MailKind, Noise
from hub.domain.states import Delivery
from hub.domain.values import ChannelKind, ContactKind
from hub.errors import BadRequest, BadSignature, InvalidInput, Refused, Unavailable, Uncertain
from hub.mail.parse import arrival_key, parse_mail
from hub.mail.tokens import Tokens
from tests.channels.mailserver import MailServer, running_mail_server
from tests.channels.provider import Reply, running_provider
from tests.channels.support import (
    ADDRESS,
    MAIL_DELIVERY_ID,
    NOW,
    PAYLOADS,
    THREAD,
    TOKEN_KEY,
    WEBHOOK_KEY,
    email_account,
    mailgun_request,
    mime_request,
    outgoing_mail,
)

TOKENS = Tokens(TOKEN_KEY, ADDRESS)
channel = EmailChannel(email_account())


def account_with(settings: Mapping[str, str]) -> ChannelAccount:
    return replace(email_account(), settings={**email_account().settings, **settings})


def raw(name: str) -> bytes:
    return (PAYLOADS / "mime" / f"{name}.eml").read_bytes()


def message(name: str, account: ChannelAccount | None = None) -> MessageArrival:
    (arrival,) = EmailChannel(account or email_account()).parse(mime_request(name))
    assert isinstance(arrival, MessageArrival)
    return arrival


def receipts(name: str) -> list[ReceiptArrival]:
    arrivals = channel.parse(mime_request(name))
    assert all(isinstance(arrival, ReceiptArrival) for arrival in arrivals)
    return [arrival for arrival in arrivals if isinstance(arrival, ReceiptArrival)]


# --- mails ------------------------------------------------------------------------------------------------------------


def test_a_mail_arrives_whole() -> None:
    arrival = message("message_plain")
    assert arrival.provider_id == arrival_key(raw("message_plain"))
    assert arrival.contact_kind is ContactKind.EMAIL
    assert (arrival.sender, arrival.sender_name) == ("ani@example.am", "Ani Karapetyan")
    assert arrival.text.startswith("Hello, where is my order?")
    assert arrival.occurred_at is not None
    assert arrival.occurred_at.isoformat() == "2026-11-22T11:58:00+00:00"
    assert arrival.message == raw("message_plain")
    assert arrival.mail is not None
    assert (arrival.mail.subject, arrival.mail.thread, arrival.mail.fault) == ("Order 1042", None, None)
    assert arrival.consent is None
    told = json.loads(arrival.raw)
    assert told == {"via": "webhook", "envelope_to": [], "envelope_from": None, "size": len(raw("message_plain"))}


def test_any_script_and_a_file_arrive() -> None:
    arrival = message("message_armenian_with_file")
    assert arrival.text == "Բարև Ձեզ, ե՞րբ կգա պատվերս"
    assert arrival.sender_name == "Անի"
    (file,) = arrival.media
    assert (file.media_type, file.name, file.size_bytes) == ("application/pdf", "bill.pdf", 9)
    assert file.part is not None


@pytest.mark.parametrize(
    ("name", "thread"),
    [
        ("answer_by_reply_address", THREAD),
        ("answer_by_message_id", THREAD),
        ("auto_reply", THREAD),
        ("message_plain", None),
    ],
)
def test_an_answer_names_its_conversation(name: str, thread: str | None) -> None:
    mail = message(name).mail
    assert mail is not None
    assert mail.thread == thread


def test_another_accounts_tokens_name_nothing() -> None:
    stranger = email_account(token_key=b"another key")
    for name in ("answer_by_reply_address", "answer_by_message_id"):
        mail = message(name, stranger).mail
        assert mail is not None
        assert mail.thread is None


def test_the_envelope_may_name_the_conversation() -> None:
    (arrival,) = channel.parse_message(
        raw("message_plain"),
        received_at=NOW,
        envelope_to=[TOKENS.reply_address(THREAD).upper()],
        envelope_from="bounces@example.am",
        via="smtp",
    )
    assert isinstance(arrival, MessageArrival)
    assert arrival.mail is not None
    assert arrival.mail.thread == THREAD
    assert json.loads(arrival.raw)["envelope_from"] == "bounces@example.am"


def test_an_out_of_office_note_is_known_as_one() -> None:
    mail = message("auto_reply").mail
    assert mail is not None
    assert mail.noise is Noise.AUTO_REPLY


def test_a_forms_mail_is_its_customers() -> None:
    account = email_account(form_senders="other@example.com, Forms@Shop.example.com")
    arrival = message("form", account)
    assert (arrival.sender, arrival.sender_name) == ("narek@example.am", "Narek")
    assert message("form").sender == "forms@shop.example.com"


@pytest.mark.parametrize("reply_to", [b"support@example.com", b"support+x@example.com", b"nobody"])
def test_a_form_that_names_nobody_else_speaks_for_itself(reply_to: bytes) -> None:
    content = raw("form").replace(b'"Narek" <narek@example.am>', reply_to)
    form = EmailChannel(email_account(form_senders="forms@shop.example.com"))
    (arrival,) = form.parse_message(content, received_at=NOW, via="imap")
    assert isinstance(arrival, MessageArrival)
    assert arrival.sender == "forms@shop.example.com"


@pytest.mark.parametrize(
    ("field", "noise"), [(b"", Noise.NONE), (b"List-Id: <forms.example.com>\r\n", Noise.LIST)], ids=["person", "list"]
)
@pytest.mark.parametrize("form_senders", [ADDRESS, ""])
def test_a_form_that_writes_as_ourselves_brings_its_customers_question(
    field: bytes, noise: Noise, form_senders: str
) -> None:
    form = EmailChannel(email_account(form_senders=form_senders))
    content = field + raw("form").replace(b"forms@shop.example.com", ADDRESS.encode(), 1)
    (arrival,) = form.parse_message(content, received_at=NOW, via="imap")
    assert isinstance(arrival, MessageArrival)
    assert arrival.mail is not None
    assert (arrival.sender, arrival.mail.noise) == ("narek@example.am", noise)


def test_a_form_that_writes_as_ourselves_and_names_nobody_is_ourselves() -> None:
    form = EmailChannel(email_account(form_senders=ADDRESS))
    content = raw("form").replace(b"forms@shop.example.com", ADDRESS.encode()).replace(b"Reply-To", b"X-Reply-To")
    (arrival,) = form.parse_message(content, received_at=NOW, via="imap")
    assert isinstance(arrival, MessageArrival)
    assert arrival.mail is not None
    assert (arrival.sender, arrival.mail.noise) == (ADDRESS, Noise.OWN)


def test_a_mail_without_a_sender_arrives_all_the_same() -> None:
    assert message("without_sender").sender == UNKNOWN_SENDER
    (arrival,) = channel.parse_message(
        raw("without_sender"), received_at=NOW, envelope_from="<Ani@example.am>", via="smtp"
    )
    assert isinstance(arrival, MessageArrival)
    assert arrival.sender == "ani@example.am"


def test_a_mail_of_ours_that_comes_back_is_nothing_new() -> None:
    assert channel.parse(mime_request("our_own_mail")) == []


def test_a_mail_from_us_that_we_never_sent_is_kept_and_shown_as_such() -> None:
    forged = raw("our_own_mail").replace(TOKENS.message_id(MAIL_DELIVERY_ID, THREAD).encode(), b"x@example.com")
    (arrival,) = channel.parse_message(forged, received_at=NOW, via="imap")
    assert isinstance(arrival, MessageArrival)
    assert arrival.mail is not None
    assert arrival.mail.noise is Noise.OWN


def test_somebody_else_with_our_message_id_is_heard() -> None:
    stolen = raw("our_own_mail").replace(b"support@example.com>", b"eve@example.org>", 1)
    (arrival,) = channel.parse_message(stolen, received_at=NOW, via="imap")
    assert arrival.provider_id


def test_a_long_mail_is_cut_for_the_timeline_only() -> None:
    content = b"From: ani@example.am\r\n\r\n" + b"word " * 20_000
    (arrival,) = channel.parse_message(content, received_at=NOW, via="imap")
    assert isinstance(arrival, MessageArrival)
    assert len(arrival.text) == SHOWN_TEXT_LIMIT
    assert arrival.message == content


@pytest.mark.parametrize(
    ("content", "envelope_from", "sender"),
    [
        (b"", None, UNKNOWN_SENDER),
        (b"", "Ani@example.am", "ani@example.am"),
        (b"\0" * 100, None, UNKNOWN_SENDER),
        (b"\r\n", None, UNKNOWN_SENDER),
        (
            b"From: <ani@example.am>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            + b"--b\r\n\r\nx\r\n" * 20_000,
            None,
            "ani@example.am",
        ),
    ],
)
def test_what_cannot_be_read_is_kept_all_the_same(content: bytes, envelope_from: str | None, sender: str) -> None:
    (arrival,) = channel.parse_message(content, received_at=NOW, envelope_from=envelope_from, via="smtp")
    assert isinstance(arrival, MessageArrival)
    assert arrival.sender == sender
    assert arrival.message == content
    assert arrival.provider_id


def test_a_mail_that_the_parser_gives_up_says_why() -> None:
    (arrival,) = channel.parse_message(b"", received_at=NOW, envelope_to=["Support@example.com"], via="smtp")
    assert isinstance(arrival, MessageArrival)
    assert arrival.mail is not None
    assert arrival.mail.fault
    assert arrival.mail.recipients == ("support@example.com",)


@given(
    st.lists(
        st.sampled_from([*raw("report_failed").split(b"\r\n"), *raw("report_complaint").split(b"\r\n")])
        | st.binary(max_size=40),
        max_size=40,
    ),
    st.lists(st.text(max_size=30), max_size=3),
    st.none() | st.text(max_size=30),
)
def test_no_message_is_lost_whatever_is_in_it(lines: list[bytes], to: list[str], sender: str | None) -> None:
    content = b"\r\n".join(lines)
    arrivals = channel.parse_message(content, received_at=NOW, envelope_to=to, envelope_from=sender, via="smtp")
    # But a mail of ours that comes back: it stands in the timeline already.
    assert arrivals or TOKENS.message_id(MAIL_DELIVERY_ID, THREAD).encode() in content
    assert len({arrival.provider_id for arrival in arrivals}) == len(arrivals)
    json.dumps([arrival.raw for arrival in arrivals]).encode()


# --- reports ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "word", "state", "reason"),
    [
        ("report_failed", "failed", Delivery.FAILED, "no_such_mailbox"),
        ("report_failed_by_envelope_id", "failed", Delivery.FAILED, "blocked"),
        ("report_failed_by_bounce_address", "failed", Delivery.FAILED, "no_such_domain"),
        ("report_delayed", "delayed", None, "no_answer"),
        ("report_delivered", "delivered", Delivery.DELIVERED, None),
        ("report_unknown_word", "pondering", None, None),
        ("report_complaint", "abuse", None, "complaint"),
    ],
)
def test_a_report_about_a_mail_of_ours_is_a_receipt(
    name: str, word: str, state: Delivery | None, reason: str | None
) -> None:
    (receipt,) = receipts(name)
    assert (receipt.word, receipt.state, receipt.reason) == (word, state, reason)
    assert receipt.delivery_id == MAIL_DELIVERY_ID
    assert receipt.recipient == "ani@example.am"
    assert receipt.is_complaint is (name == "report_complaint")


def test_a_report_about_two_is_two_receipts() -> None:
    first, second = receipts("report_failed_for_two")
    assert (first.recipient, first.state, first.reason) == ("ani@example.am", Delivery.FAILED, "mailbox_full")
    assert first.detail is not None
    assert "Mailbox full" in first.detail
    assert (second.recipient, second.state) == ("davit@example.am", Delivery.SENT)
    assert first.provider_id != second.provider_id


def test_a_report_about_somebody_elses_mail_is_a_message() -> None:
    mail = message("report_of_another_system").mail
    assert mail is not None
    assert mail.noise is Noise.REPORT


def test_a_report_that_names_one_recipient_twice_has_two_keys() -> None:
    block = b"Final-Recipient: rfc822; ani@example.am\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
    content = raw("report_failed").replace(b"Final-Recipient:", block * 2 + b"Final-Recipient:")
    arrivals = channel.parse_message(content, received_at=NOW, via="imap")
    assert len({arrival.provider_id for arrival in arrivals}) == len(arrivals) == 3


def test_a_report_with_a_forged_token_moves_nothing() -> None:
    forged = Tokens(b"guess", ADDRESS).message_id(MAIL_DELIVERY_ID, THREAD)
    content = raw("report_failed").replace(TOKENS.message_id(MAIL_DELIVERY_ID, THREAD).encode(), forged.encode())
    (arrival,) = channel.parse_message(content, received_at=NOW, via="imap")
    assert isinstance(arrival, MessageArrival)


# --- who may post -----------------------------------------------------------------------------------------------------


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("kind", ["mime", "mailgun", "mailgun-mime", "anything"])
def test_without_a_key_the_head_is_enough_to_refuse(kind: str) -> None:
    with pytest.raises(BadSignature):
        EmailChannel(email_account(key="")).check_head(kind, {"authorization": "Bearer ", SIGNATURE_HEADER: "x"})


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("mime", {"authorization": f"Bearer {WEBHOOK_KEY}"}),
        ("mime", {SIGNATURE_HEADER: "sha256=to be seen when the body is read"}),
        # Its signature stands in the body.
        ("mailgun", {}),
        ("mailgun-mime", {}),
    ],
)
def test_a_head_that_betrays_nobody_passes(kind: str, headers: Mapping[str, str]) -> None:
    channel.check_head(kind, headers)


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic !!!", f"Digest {WEBHOOK_KEY}"])
def test_a_head_with_neither_signature_nor_key_is_refused(authorization: str) -> None:
    with pytest.raises(BadSignature):
        channel.check_head("mime", {"authorization": authorization})


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {WEBHOOK_KEY}", f"bearer  {WEBHOOK_KEY}", _basic("", WEBHOOK_KEY), _basic("hub", WEBHOOK_KEY)],
)
def test_the_key_as_a_password_lets_in(authorization: str) -> None:
    channel.verify(replace(mime_request("message_plain"), headers={"authorization": authorization}))


@pytest.mark.parametrize(
    "authorization",
    [
        *[
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            f"Digest {WEBHOOK_KEY}",
            WEBHOOK_KEY,
            "Basic !!!",
            "Basic é",
            "Bearer é",
        ],
        *[_basic(WEBHOOK_KEY, ""), _basic("hub", "wrong"), "Basic " + base64.b64encode(b"\xff\xfe").decode()],
    ],
)
def test_any_other_password_does_not(authorization: str) -> None:
    with pytest.raises(BadSignature):
        channel.verify(replace(mime_request("message_plain"), headers={"authorization": authorization}))


@pytest.mark.parametrize("authorization", ["Bearer ", "Basic Og==", ""])
def test_an_empty_key_is_no_key(authorization: str) -> None:
    keyless = EmailChannel(email_account(key=""))
    signature = "sha256=" + hmac.digest(b"", b"", "sha256").hex()
    for headers in ({"authorization": authorization}, {"x-hub-signature": signature}):
        with pytest.raises(BadSignature):
            keyless.verify(replace(mime_request("message_plain"), headers=headers, body=b""))


def mailgun(**changed: str) -> WebhookRequest:
    timestamp = changed.get("timestamp", str(int(NOW.timestamp())))
    signature = hmac.digest(WEBHOOK_KEY.encode(), f"{timestamp}token".encode(), "sha256").hex()
    fields = {
        "timestamp": timestamp,
        "token": "token",
        "signature": signature,
        "body-mime": "From: ani@example.am\n\nHi",
    }
    return replace(mailgun_request("message"), body=urlencode({**fields, **changed}).encode())


@pytest.mark.parametrize("name", ["message", "message_multipart"])
def test_mailguns_form_is_read(name: str) -> None:
    request = mailgun_request(name)
    channel.verify(request)
    (arrival,) = channel.parse(request)
    assert isinstance(arrival, MessageArrival)
    assert arrival.text == "Բարև & 100% + more"
    assert arrival.sender == "ani@example.am"
    told = json.loads(arrival.raw)
    assert (told["via"], told["envelope_from"]) == ("mailgun", "bounces@example.am")
    assert channel.answers_to(told["envelope_to"][0])


def test_mailguns_recipient_may_name_the_conversation() -> None:
    (arrival,) = channel.parse(mailgun_request("message"))
    assert isinstance(arrival, MessageArrival)
    assert arrival.mail is not None
    assert arrival.mail.thread == THREAD


@pytest.mark.parametrize("age_s", [0, 8 * 3600, -14 * 60])
def test_mailguns_fresh_signature_is_taken(age_s: int) -> None:
    channel.verify(mailgun(timestamp=str(int(NOW.timestamp()) - age_s)))


@pytest.mark.parametrize(
    "request_",
    [
        mailgun(timestamp=str(int(NOW.timestamp()) - 10 * 3600)),
        mailgun(timestamp=str(int(NOW.timestamp()) + 10 * 3600)),
        mailgun(timestamp="soon"),
        mailgun(timestamp="9" * 400),
        mailgun(timestamp="-1"),
        mailgun(signature=""),
        mailgun(signature="0" * 64),
        mailgun(token=""),
        mailgun(token="other"),
        replace(mailgun(), body=b""),
        replace(mailgun(), body=b"--"),
        replace(mailgun(), body=b"--\r\n\r\n"),
        replace(mailgun(), kind="mime"),
    ],
)
def test_mailguns_form_with_a_wrong_or_old_signature_is_refused(request_: WebhookRequest) -> None:
    with pytest.raises(BadSignature):
        channel.verify(request_)


def test_the_address_for_mailgun_ends_as_mailgun_wants_it() -> None:
    mailguns = [kind for kind in CHANNEL_TYPES[ChannelKind.EMAIL].webhooks if kind in MAILGUN_KINDS]
    assert mailguns
    assert all(email_account().webhook_url(kind).endswith("mime") for kind in mailguns)


def test_the_form_without_the_raw_mail_says_what_is_missing() -> None:
    with pytest.raises(BadRequest) as caught:
        channel.parse(mailgun(**{"body-mime": "", "body-plain": "Hi"}))
    assert "ends with mime" in caught.value.message


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        *[("mime", b""), ("mime", b" \r\n")],
        *[("mailgun-mime", body) for body in (b"", b" \r\n", b"body-mime=", b"--b\r\n\r\n--b--", b"--")],
    ],
)
def test_a_request_without_a_mail_is_a_bad_request(kind: str, body: bytes) -> None:
    with pytest.raises(BadRequest):
        channel.parse(WebhookRequest(kind, "https://hub.example.com", {}, body, NOW))


@given(st.binary(max_size=300_000).map(lambda content: content * 3))
def test_a_form_carries_any_bytes(content: bytes) -> None:
    body = b"body-mime=" + quote_plus(content).encode() if content.strip() else b"body-mime=x"
    (arrival,) = channel.parse(WebhookRequest("mailgun", "https://hub.example.com", {}, body, NOW))
    assert isinstance(arrival, MessageArrival)
    assert arrival.message == (content if content.strip() else b"x")


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipient", "is_ours"),
    [
        ("support@example.com", True),
        ("Support+anything@Example.com", True),
        ("<sales@example.com>", True),
        ("sales+x@example.com", True),
        ("info@example.com", False),
        ("support@example.org", False),
        ("supporter@example.com", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_whose_recipient_it_is(recipient: str, is_ours: bool) -> None:
    assert EmailChannel(email_account(aliases="Sales@example.com")).answers_to(recipient) is is_ours


def test_addresses_of_a_setting() -> None:
    assert addresses_in(" A@b.am, c@d.am;nonsense\ne@f.am ") == ("a@b.am", "c@d.am", "e@f.am")
    assert addresses_in("") == ()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"smtp_security": "starttls"}, Server("127.0.0.1", 587, Security.STARTTLS, "example.com")),
        ({"smtp_security": "tls"}, Server("127.0.0.1", 465, Security.TLS, "example.com")),
        ({"smtp_security": ""}, Server("127.0.0.1", 587, Security.STARTTLS, "example.com")),
        ({"smtp_port": "2525"}, Server("127.0.0.1", 2525, Security.NONE, "example.com")),
        ({"address": "a@օրինակ.հայ"}, Server("127.0.0.1", 25, Security.NONE, "xn--y9atn0a2c3a.xn--y9a3aq")),
        ({"smtp_username": "ani"}, Server("127.0.0.1", 25, Security.NONE, "example.com", "ani")),
        ({"oauth_provider": "google"}, Server("127.0.0.1", 25, Security.NONE, "example.com", ADDRESS)),
    ],
)
def test_the_sending_server_as_the_settings_say_it(settings: dict[str, str], expected: Server) -> None:
    assert server_of(account_with(settings)) == expected


# --- out --------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def live(mail_server: MailServer, **settings: str) -> AsyncIterator[EmailChannel]:
    async with running_mail_server(mail_server):
        sending = EmailChannel(
            account_with({"smtp_port": str(mail_server.port), "display_name": "Example Shop", **settings})
        )
        try:
            yield sending
        finally:
            await sending.aclose()


@pytest.mark.anyio
async def test_a_mail_goes_out_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "bill").write_bytes(b"%PDF")
    file = OutgoingFile("bill.pdf", "application/pdf", 4, "", 7, str(tmp_path / "bill"))
    mail_server = MailServer()
    async with live(mail_server) as sending:
        accepted = await sending.send(outgoing_mail("Hello **Ani**", file, bcc=(Mailbox("boss@example.com"),)))
    assert accepted == Accepted(TOKENS.message_id(MAIL_DELIVERY_ID, THREAD))
    (received,) = mail_server.received
    assert received.sender == ADDRESS
    assert received.recipients == ("ani@example.am", "boss@example.com")
    parsed = parse_mail(received.content)
    assert parsed.senders == (Mailbox(ADDRESS, "Example Shop"),)
    assert [part.name for part in parsed.parts] == ["bill.pdf"]
    assert b"boss@" not in received.content


@pytest.mark.anyio
async def test_the_answer_to_our_mail_finds_its_conversation() -> None:
    mail_server = MailServer(offers_dsn=True)
    async with live(mail_server, plus_addressing="on") as sending:
        await sending.send(outgoing_mail())
        (received,) = mail_server.received
        sent = parse_mail(received.content)
        by_message_id = f"In-Reply-To: <{sent.message_id}>\r\n"
        for to, answered in ((sent.reply_to[0].address, ""), (ADDRESS, by_message_id)):
            answer = f"From: ani@example.am\r\nTo: {to}\r\n{answered}\r\nThanks".encode()
            (arrival,) = sending.parse_message(answer, received_at=NOW, via="imap")
            assert isinstance(arrival, MessageArrival)
            assert arrival.mail is not None
            assert arrival.mail.thread == THREAD
    assert TOKENS.find_delivery([received.sender], []) == MAIL_DELIVERY_ID
    envelope_id = next(word for word in received.mail_options if word.startswith("ENVID="))
    assert TOKENS.find_delivery([], [envelope_id.removeprefix("ENVID=")]) == MAIL_DELIVERY_ID


@pytest.mark.anyio
async def test_two_attempts_send_the_same_bytes() -> None:
    mail_server = MailServer()
    async with live(mail_server) as sending:
        await sending.send(outgoing_mail())
        await sending.send(replace(outgoing_mail(), attempted_at=None))
    first, second = mail_server.received
    assert first.content == second.content


@pytest.mark.anyio
async def test_an_acknowledgement_leaves_with_the_null_sender() -> None:
    mail_server = MailServer()
    async with live(mail_server) as sending:
        await sending.send(outgoing_mail(kind=MailKind.ACKNOWLEDGEMENT))
        mail_server.play("MAIL", "550 5.7.60 Not allowed to send as this sender")
        await sending.send(outgoing_mail(kind=MailKind.ACKNOWLEDGEMENT))
    assert [each.sender for each in mail_server.received] == ["<>", ADDRESS]


@pytest.mark.anyio
async def test_refused_copies_are_told() -> None:
    mail_server = MailServer(refused={"x@example.am": "550 5.1.1 Unknown"})
    async with live(mail_server) as sending:
        accepted = await sending.send(outgoing_mail(cc=(Mailbox("x@example.am"),)))
    (refused,) = accepted.refused
    assert isinstance(refused, RefusedRecipient)
    assert (refused.address, refused.code) == ("x@example.am", "no_such_mailbox")


@pytest.mark.anyio
async def test_an_address_in_another_script_is_told_in_its_own_form() -> None:
    mail_server = MailServer(refused={"x@xn--y9atn0a2c3a.xn--y9a3aq": "550 5.1.1 Unknown"})
    async with live(mail_server) as sending:
        accepted = await sending.send(outgoing_mail(cc=(Mailbox("x@օրինակ.հայ"),)))
    assert [each.address for each in accepted.refused] == ["x@օրինակ.հայ"]


@pytest.mark.anyio
async def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    file = OutgoingFile("bill.pdf", "application/pdf", 4, "", 7, str(tmp_path / "gone"))
    mail_server = MailServer()
    async with live(mail_server) as sending:
        with pytest.raises(Refused) as caught:
            await sending.send(outgoing_mail("Hello", file))
    assert caught.value.code == "media_gone"
    assert mail_server.connections == 0


@pytest.mark.anyio
async def test_an_account_that_cannot_send_says_so_before_anything_is_queued() -> None:
    receiving = EmailChannel(email_account(smtp_host=""))
    with pytest.raises(InvalidInput) as caught:
        receiving.check_outgoing(outgoing_mail())
    assert set(caught.value.fields) == {"text"}
    with pytest.raises(Unavailable):
        await receiving.send(outgoing_mail())
    assert await receiving.check() == []


@pytest.mark.anyio
async def test_a_forwarded_mail_needs_no_words() -> None:
    with pytest.raises(InvalidInput):
        channel.check_outgoing(outgoing_mail("", kind=MailKind.FORWARD))


@pytest.mark.anyio
async def test_checking_an_account_signs_in_and_sends_nothing() -> None:
    mail_server = MailServer()
    async with live(mail_server) as sending:
        assert await sending.check() == [CheckResult("smtp", True, "ok")]
        mail_server.play("EHLO", "554 5.7.1 Go away")
        (result,) = await sending.check()
    assert (result.what, result.ok, result.code) == ("smtp", False, "blocked")
    assert "Go away" in result.detail
    assert mail_server.received == []


@pytest.mark.anyio
async def test_checking_an_account_with_oauth_tells_both_halves() -> None:
    mail_server = MailServer(access_tokens={"token"}, must_sign_in=True)
    async with running_provider() as provider, running_mail_server(mail_server):
        provider.play(Reply.json(400, {"error": "invalid_grant"}))
        account = email_account(
            smtp_port=str(mail_server.port),
            oauth_provider="other",
            oauth_token_url=f"{provider.url}/token",
            oauth_client_id="client",
        )
        sending = EmailChannel(replace(account, secrets={"oauth_refresh_token": "refresh"}))
        results = await sending.check()
        await sending.aclose()
    assert [(each.what, each.ok, each.code) for each in results] == [
        ("oauth", False, "account_refused"),
        ("smtp", False, "account_refused"),
    ]


@pytest.mark.anyio
async def test_a_mail_cannot_be_asked_for_afterwards() -> None:
    with pytest.raises(Uncertain):
        await channel.find_sent(outgoing_mail())
    with pytest.raises(Refused):
        await channel.fetch_media(Media("image/png", part=2))


def test_an_accounts_kind_is_email() -> None:
    assert channel.account.kind is ChannelKind.EMAIL
    assert channel.capabilities.repeatable
    assert channel.answers_to(ADDRESS)
