"""Outgoing mails, read again by the standard library and by our own parser."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.channels.channel import OutgoingFile, OutgoingMessage
from hub.domain.mail import Mailbox, MailKind, OutgoingMail, QuotedMail
from hub.errors import InvalidInput
from hub.mail.compose import (
    QUOTE_LIMIT,
    ComposedMail,
    attribution,
    bounded_references,
    compose,
    to_wire,
    to_wire_host,
)
from hub.mail.parse import extract_part, parse_mail
from hub.mail.tokens import Tokens

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DELIVERY_ID = "Zk3v_0aQ-8sT1yWb2LxNcDeF"
SENDER = Mailbox("support@example.com", "Example Shop")
TOKENS = Tokens(b"k" * 32, SENDER.address)
ANI = Mailbox("ani@example.am", "Ani Karapetyan")
MAIL = OutgoingMail(MailKind.REPLY, "Re: Order 1042", "k7m2q9", (ANI,))
QUOTED = QuotedMail(ANI, "Where is it?\n> you said Monday\n\nAni", datetime(2026, 11, 3, 6, 12, tzinfo=UTC))

File = tuple[OutgoingFile, bytes]
PICTURE: File = (OutgoingFile("plan.png", "image/png", 4, "", 12), b"\x89PNG")
BILL: File = (OutgoingFile("bill.pdf", "application/pdf", 4, "", 13), b"%PDF")


def composed(
    text: str = "Hello", mail: OutgoingMail = MAIL, *files: File, sender: Mailbox = SENDER, plus: bool = False
) -> ComposedMail:
    message = OutgoingMessage(
        DELIVERY_ID, mail.to[0].address, text, tuple(file for file, _ in files), created_at=NOW, mail=mail
    )
    return compose(
        message, sender=sender, tokens=Tokens(b"k" * 32, sender.address), plus_addressing=plus, now=NOW, files=files
    )


def read(mail: ComposedMail) -> EmailMessage:
    """As the standard library reads it; every line as SMTP wants it, and no defect anywhere."""
    head, _, _ = mail.content.partition(b"\r\n\r\n")
    # A Message-ID is one word, however long.
    assert all(len(line) <= 78 or line.count(b" ") == 1 for line in head.split(b"\r\n"))
    assert b"\n" not in mail.content.replace(b"\r\n", b"")
    assert b"\r" not in mail.content.replace(b"\r\n", b"")
    assert mail.is_utf8 or mail.content.isascii()
    parsed = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert [part.defects for part in parsed.walk() if part.defects] == []
    return parsed


def text_of(mail: ComposedMail, subtype: str = "plain") -> str:
    part = read(mail).get_body((subtype,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def shape(part: EmailMessage) -> object:
    inner = [shape(cast(EmailMessage, each)) for each in part.iter_parts()] if part.is_multipart() else []
    return (part.get_content_type(), *inner)


# --- shape ------------------------------------------------------------------------------------------------------------

ALTERNATIVE = ("multipart/alternative", ("text/plain",), ("text/html",))


@pytest.mark.parametrize(
    ("text", "files", "expected"),
    [
        ("Hello", (), ALTERNATIVE),
        ("Hello", (BILL,), ("multipart/mixed", ALTERNATIVE, ("application/pdf",))),
        ("![plan](attachment:12)", (PICTURE,), ("multipart/related", ALTERNATIVE, ("image/png",))),
        ("Hello", (PICTURE,), ("multipart/mixed", ALTERNATIVE, ("image/png",))),
        ("`![plan](attachment:12)`", (PICTURE,), ("multipart/mixed", ALTERNATIVE, ("image/png",))),
        (
            "![plan](attachment:12)",
            (PICTURE, BILL),
            ("multipart/mixed", ("multipart/related", ALTERNATIVE, ("image/png",)), ("application/pdf",)),
        ),
    ],
)
def test_a_mail_has_the_layers_it_needs(text: str, files: tuple[File, ...], expected: object) -> None:
    assert shape(read(composed(text, MAIL, *files))) == expected


def test_a_picture_in_the_text_is_named_by_its_content_id() -> None:
    mail = composed("See ![plan](attachment:12)", MAIL, PICTURE)
    found = re.search(r'<img src="cid:([^"]+)" alt="plan"', text_of(mail, "html"))
    assert found is not None
    picture = next(part for part in read(mail).walk() if part.get_content_type() == "image/png")
    assert picture["Content-ID"] == f"<{found[1]}>"
    assert picture.get_content_disposition() == "inline"
    assert text_of(mail) == "See [plan]"
    parsed = parse_mail(mail.content)
    assert [(part.name, part.is_inline) for part in parsed.parts] == [("plan.png", True)]
    assert extract_part(mail.content, parsed.parts[0].number)[2] == b"\x89PNG"


def test_two_attempts_make_the_same_bytes() -> None:
    mail = replace(MAIL, quoted=QUOTED, signature="Davit")
    first, second = (composed("Hello ![plan](attachment:12)", mail, PICTURE, BILL, plus=True) for _ in range(2))
    assert first == second


def test_the_delivery_id_stands_nowhere_in_the_open() -> None:
    assert DELIVERY_ID.encode() not in composed("Hello", MAIL, BILL, plus=True).content


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        ("message/rfc822", "application/octet-stream"),
        ("multipart/mixed", "application/octet-stream"),
        ("text/html; charset=x", "text/html"),
        ("nonsense\r\nX: y", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_a_file_arrives_whole_whatever_its_type_claims(told: str, sent: str) -> None:
    content = b"From: x\r\n\r\n.\r\n\x00\xff"
    mail = composed("Hello", MAIL, (OutgoingFile("a", told, len(content), "", 1), content))
    (part,) = list(read(mail).iter_attachments())
    assert part.get_content_type() == sent
    assert part.get_payload(decode=True) == content


# --- headers ----------------------------------------------------------------------------------------------------------


def test_the_headers_of_an_answer() -> None:
    mail = replace(
        MAIL,
        author="Davit",
        cc=(Mailbox("narek@example.am"),),
        bcc=(Mailbox("hidden@example.am", "Secret"),),
        in_reply_to="1042@example.am",
        references=("1041@example.am", "1042@example.am"),
    )
    sent = composed("Hello", mail, plus=True)
    parsed = read(sent)
    assert parsed["From"] == '"Davit, Example Shop" <support@example.com>'
    assert parsed["To"] == "Ani Karapetyan <ani@example.am>"
    assert parsed["Cc"] == "narek@example.am"
    assert b"hidden" not in sent.content
    assert parsed["Subject"] == "Re: Order 1042"
    assert parsed["Date"] == "Sun, 22 Nov 2026 12:00:00 +0000"
    assert parsed["Message-ID"] == f"<{sent.message_id}>"
    assert TOKENS.find_delivery([], [sent.message_id]) == DELIVERY_ID
    assert parsed["In-Reply-To"] == "<1042@example.am>"
    assert parsed["References"] == "<1041@example.am> <1042@example.am>"
    reply_to = parsed["Reply-To"].addresses[0].addr_spec
    assert TOKENS.find_thread([reply_to], []) == "k7m2q9"
    assert sent.recipients == ("ani@example.am", "narek@example.am", "hidden@example.am")
    assert set(parsed.keys()).isdisjoint({"Bcc", "X-Mailer", "User-Agent", "Auto-Submitted", "List-Unsubscribe"})


def test_without_plus_addressing_there_is_no_reply_to() -> None:
    assert read(composed())["Reply-To"] is None


def test_an_acknowledgement_says_that_no_person_wrote_it() -> None:
    sent = composed("We have your mail.", replace(MAIL, kind=MailKind.ACKNOWLEDGEMENT))
    assert sent.is_automatic
    assert read(sent)["Auto-Submitted"] == "auto-replied"
    assert read(sent)["X-Auto-Response-Suppress"] == "All"
    assert not composed().is_automatic


def test_a_notice_carries_its_own_document_and_leads_into_no_conversation() -> None:
    html = "<!DOCTYPE html>\n<html><body><table><tr><td>81 %</td></tr></table></body></html>"
    notice = OutgoingMail(MailKind.NOTICE, "Yesterday's figures", "", (ANI,), html=html)
    sent = composed("Service *level*: 81 %", notice, BILL, plus=True)
    parsed = read(sent)
    assert (text_of(sent), text_of(sent, "html")) == ("Service *level*: 81 %", html)
    assert [part.get_filename() for part in parsed.iter_attachments()] == ["bill.pdf"]
    assert (parsed["Auto-Submitted"], parsed["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert (parsed["Reply-To"], sent.is_automatic) == (None, False)
    assert TOKENS.find_thread([], [sent.message_id]) is None
    assert TOKENS.find_delivery([], [sent.message_id]) == DELIVERY_ID


@pytest.mark.parametrize(
    ("url", "header", "one_click"),
    [
        ("https://example.com/u?a=1&b=2", "<https://example.com/u?a=1&b=2>", "List-Unsubscribe=One-Click"),
        ("http://example.com/u", "<http://example.com/u>", None),
        ("javascript:alert(1)", None, None),
        ("https://example.com/\r\nBcc: eve@example.com", None, None),
    ],
)
def test_unsubscribing_by_one_click(url: str, header: str | None, one_click: str | None) -> None:
    parsed = read(composed("News", replace(MAIL, unsubscribe_url=url)))
    assert parsed["List-Unsubscribe"] == header
    assert parsed["List-Unsubscribe-Post"] == one_click
    assert parsed["Bcc"] is None


INJECTION = "x\r\nBcc: eve@example.com\r\n\r\nbody"


@pytest.mark.parametrize(
    "mail",
    [
        replace(MAIL, subject=INJECTION),
        replace(MAIL, author=INJECTION),
        replace(MAIL, to=(Mailbox("ani@example.am", INJECTION),)),
        replace(MAIL, in_reply_to=INJECTION, references=(INJECTION, "<a>\r\nBcc: eve@example.com")),
        replace(MAIL, unsubscribe_url=f"https://example.com/{INJECTION}"),
        replace(MAIL, quoted=QuotedMail(Mailbox(INJECTION, INJECTION), INJECTION, subject=INJECTION)),
        replace(MAIL, subject="x\u2028Bcc: eve@example.com\x00\x85Bcc: eve@example.com"),
    ],
)
def test_no_field_can_make_a_header(mail: OutgoingMail) -> None:
    for each in (mail, replace(mail, kind=MailKind.FORWARD)):
        parsed = read(composed("Hello", each))
        assert parsed["Bcc"] is None
        assert len(parsed.get_all("Subject", [])) == 1
        assert shape(parsed) == ALTERNATIVE


@pytest.mark.parametrize(
    "address",
    [
        *["ani", "@example.am", "ani@", "a b@example.am", "ani@exa mple.am", "ani@example.am\r\nX: y", "a\0@b.am"],
        *["x" * 65 + "@b.am", "ani@-.am"],
    ],
)
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        composed("Hello", replace(MAIL, cc=(Mailbox(address),)))
    assert set(caught.value.fields) == {"mail.cc"}


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("ani@example.am", "ani@example.am"),
        ("ani+x@example.am", "ani+x@example.am"),
        ("ani@օրինակ.հայ", "ani@xn--y9atn0a2c3a.xn--y9a3aq"),
        ("ani@straße.de", "ani@xn--strae-oqa.de"),
        ("անի@օրինակ.հայ", "անի@xn--y9atn0a2c3a.xn--y9a3aq"),
        ('"ani k"@example.am', '"ani k"@example.am'),
        ("ani@[192.0.2.1]", "ani@[192.0.2.1]"),
        ("ani@localhost", "ani@localhost"),
    ],
)
def test_addresses_on_the_wire(address: str, wire: str) -> None:
    assert to_wire(address) == wire


def test_a_domain_that_cannot_be_written_is_none() -> None:
    assert to_wire_host("a..b") is to_wire_host("ж" * 80) is to_wire_host("") is to_wire_host("a" * 300) is None


def test_letters_beyond_ascii_before_the_at_sign_need_a_server_that_takes_them() -> None:
    mail = replace(MAIL, to=(Mailbox("անի@example.am", "Անի"),))
    sent = composed("Hello", mail)
    assert sent.is_utf8
    assert not composed("Բարև", replace(MAIL, subject="Պատվեր")).is_utf8
    assert parse_mail(sent.content).to == mail.to
    assert composed("Hello", replace(MAIL, bcc=(Mailbox("անի@example.am"),))).is_utf8


def test_long_threads_keep_their_first_and_latest_references() -> None:
    told = [f"{number}@example.am" for number in range(100)]
    kept = bounded_references(told)
    assert kept[0] == told[0]
    assert list(kept[1:]) == told[-20:]
    long = bounded_references([f"{number}{'x' * 200}@example.am" for number in range(100)])
    assert sum(len(each) + 3 for each in long) <= 900
    assert long[-1].startswith("99")
    assert bounded_references(["a@b", "a@b", "c@d"]) == ("a@b", "c@d")


# --- text -------------------------------------------------------------------------------------------------------------


def test_signature_and_quote_stand_below_the_text() -> None:
    mail = replace(MAIL, quoted=QUOTED, signature="Davit\n+374 10 123456", zone="Asia/Yerevan")
    assert text_of(composed("It is *on its way*.\n", mail)) == (
        "It is *on its way*.\n\n-- \nDavit\n+374 10 123456\n\nOn 3 November 2026, 10:12, Ani Karapetyan wrote:\n"
        "> Where is it?\n>> you said Monday\n>\n> Ani"
    )
    html = text_of(composed("It is *on its way*.", mail), "html")
    assert "<em>on its way</em>" in html
    assert html.index("Davit") < html.index("Ani Karapetyan wrote:") < html.index('<blockquote type="cite"')


def test_a_forwarded_mail_says_whose_it_was() -> None:
    quoted = replace(QUOTED, to=(SENDER, Mailbox("b@example.com")), subject="Order 1042")
    mail = replace(MAIL, kind=MailKind.FORWARD, quoted=quoted)
    assert text_of(composed("See below.", mail)) == (
        "See below.\n\n---------- Forwarded message ---------\nFrom: Ani Karapetyan <ani@example.am>\n"
        "Date: 3 November 2026, 06:12\nSubject: Order 1042\nTo: Example Shop <support@example.com>, b@example.com\n\n"
        "Where is it?\n> you said Monday\n\nAni"
    )
    assert "---------- Forwarded message ---------<br>" in text_of(composed("", mail), "html")


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "On 3 November 2026, 10:12, Ani Karapetyan wrote:"),
        ("uk", "3 листопада 2026 р. о 10:12 Ani Karapetyan пише:"),
        ("ru", "3 ноября 2026 г. в 10:12 Ani Karapetyan пишет:"),
        ("hy", "2026 թ. նոյեմբերի 3-ին, 10:12, Ani Karapetyan գրել է:"),
        ("ka", "2026 წლის 3 ნოემბერს, 10:12, Ani Karapetyan წერს:"),
        ("az", "3 noyabr 2026, 10:12 tarixində Ani Karapetyan yazdı:"),
        ("hy-AM", "2026 թ. նոյեմբերի 3-ին, 10:12, Ani Karapetyan գրել է:"),
        ("xx", "On 3 November 2026, 10:12, Ani Karapetyan wrote:"),
    ],
)
def test_the_line_above_a_quote_speaks_the_customers_language(language: str, line: str) -> None:
    assert attribution(QUOTED, language, "Asia/Yerevan") == line


def test_an_unknown_time_or_zone_is_no_obstacle() -> None:
    assert attribution(replace(QUOTED, sent_at=None), "en", "UTC") == "Ani Karapetyan wrote:"
    assert "06:12" in attribution(QUOTED, "en", "Mars/Olympus")
    assert "06:12" in attribution(QUOTED, "en", "../../etc/passwd")
    assert "ani@example.am" in attribution(replace(QUOTED, sender=Mailbox("ani@example.am")), "en", "UTC")


def test_quoted_history_is_cut_at_its_limit() -> None:
    mail = replace(MAIL, quoted=replace(QUOTED, text="a" * (QUOTE_LIMIT * 3), html="<p>" + "b" * (QUOTE_LIMIT * 30)))
    assert len(text_of(composed("Hello", mail))) < QUOTE_LIMIT + 200
    assert len(composed("Hello", mail).content) < QUOTE_LIMIT * 6


def test_a_quoted_script_does_not_act() -> None:
    evil = '<script>alert(1)</script><img src="https://evil.example/pixel" onerror="alert(1)">'
    html = text_of(composed("Hello", replace(MAIL, quoted=replace(QUOTED, text=evil, html=evil))), "html")
    assert "<script" not in html
    assert "<img" not in html


def test_a_quoted_mail_keeps_its_look_and_loses_its_pictures() -> None:
    look = '<p style="color:red">Red</p><img src="https://evil.example/p" width="9"><img src="cid:x">'
    html = text_of(composed("Hello", replace(MAIL, quoted=replace(QUOTED, html=look))), "html")
    assert '<p style="color:red">Red</p>' in html
    assert "evil.example" not in html
    assert "<img" not in html


def test_a_quoted_mail_cannot_close_what_it_stands_in() -> None:
    look = "</blockquote></div></body></html><p>outside</p><!--"
    html = text_of(composed("Hello", replace(MAIL, quoted=replace(QUOTED, html=look))), "html")
    assert html.index("outside") < html.index("</blockquote>")
    assert html.count("</body>") == 1


# --- round trips ------------------------------------------------------------------------------------------------------

_words = st.text(max_size=120)
_names = st.text(max_size=60)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


@settings(deadline=None)
@given(subject=_words, name=_names, author=_names)
def test_any_subject_and_name_come_back(subject: str, name: str, author: str) -> None:
    mail = composed("Hello", replace(MAIL, subject=subject, author=author, to=(Mailbox("ani@example.am", name),)))
    read(mail)
    parsed = parse_mail(mail.content)
    assert squeezed(parsed.subject) == squeezed(subject)
    assert parsed.to[0].address == "ani@example.am"
    assert parsed.senders[0].address == SENDER.address


def squeezed(text: str) -> str:
    """What a header can keep of a text."""
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "\ufffd")
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).split())


_letters = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))


@settings(deadline=None)
@given(text=st.text(alphabet=_letters | st.sampled_from("\n.-=> \t"), max_size=400))
def test_any_text_comes_back(text: str) -> None:
    assert lines(text_of(composed(text, MAIL)).rstrip()) == lines(text.rstrip())


@settings(deadline=None)
@given(name=st.text(min_size=1, max_size=80), content=st.binary(max_size=300))
def test_any_file_comes_back(name: str, content: bytes) -> None:
    mail = composed("Hello", MAIL, (OutgoingFile(name, "application/x-thing", len(content), "", 1), content))
    (part,) = list(read(mail).iter_attachments())
    assert part.get_payload(decode=True) == content
    assert (
        squeezed(part.get_filename() or "") == squeezed(name).replace("/", "_").replace("\\", "_")
        or squeezed(name) == ""
    )
    (told,) = parse_mail(mail.content).parts
    assert extract_part(mail.content, told.number)[2] == content


@pytest.mark.parametrize("language", ["en", "uk", "ru", "hy", "ka", "az"])
def test_our_own_answer_is_read_as_text_signature_and_quote(language: str) -> None:
    mail = replace(MAIL, quoted=QUOTED, signature="Davit", language=language, zone="Asia/Yerevan")
    parsed = parse_mail(composed("It is on its way.", mail).content)
    assert "It is on its way." in parsed.written
    assert "you said Monday" in parsed.text
