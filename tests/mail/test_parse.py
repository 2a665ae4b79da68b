"""Raw mail into one value: what the corpus does not show in one message."""

import base64
from datetime import UTC, datetime

import pytest

from hub.domain.mail import IncomingMail
from hub.mail.filenames import NAME_LIMIT
from hub.mail.invitation import invitation_text
from hub.mail.parse import TEXT_LIMIT, MailUnreadable, arrival_key, extract_part, parse_mail
from hub.mail.structure import DEPTH_LIMIT, PART_LIMIT
from tests.mail.corpus import message

FROM = b"From: Ann <ann@example.com>\nSubject: x\n"


def read(fields: str, body: bytes = b"Hello") -> IncomingMail:
    return parse_mail(FROM + fields.encode() + b"\n\n" + body)


def mixed(*parts: bytes) -> bytes:
    return (
        FROM
        + b"Content-Type: multipart/mixed; boundary=b\n\n"
        + b"".join(b"--b\n" + part + b"\n" for part in parts)
        + b"--b--\n"
    )


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty"),
        (b"\r\n \r\n\0\0", "empty"),
        (b"just a sentence\nand another", "no_headers"),
        (b"\x00\xff\xfe\xfd", "no_headers"),
        (mixed(*[b"\nx"] * (PART_LIMIT + 1)), "too_many_parts"),
        (mixed(*[b"\nx"] * 5_000), "too_many_parts"),
    ],
)
def test_what_is_no_mail_is_refused_with_its_reason(raw: bytes, code: str) -> None:
    with pytest.raises(MailUnreadable) as caught:
        parse_mail(raw)
    assert caught.value.code == code


def nested(levels: int) -> bytes:
    fields = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))
    return FROM + fields + b"\ndeep inside"


def test_nesting_is_read_down_to_the_limit() -> None:
    assert parse_mail(nested(DEPTH_LIMIT)).text == "deep inside"


@pytest.mark.parametrize("levels", [DEPTH_LIMIT + 1, 5_000])
def test_nesting_over_the_limit_is_refused(levels: int) -> None:
    with pytest.raises(MailUnreadable) as caught:
        parse_mail(nested(levels))
    assert caught.value.code == "too_deep"


def test_as_many_parts_as_the_limit_are_read() -> None:
    assert (
        len(parse_mail(mixed(b"\ntext", *[b"Content-Type: image/png\n\nx"] * (PART_LIMIT - 1))).parts) == PART_LIMIT - 1
    )


@pytest.mark.parametrize("number", [0, -1, 2, 10**9])
def test_there_is_no_part_of_another_number(number: int) -> None:
    with pytest.raises(MailUnreadable) as caught:
        extract_part(mixed(b"Content-Type: image/png\n\nx"), number)
    assert caught.value.code == "no_such_part"


# --- the key ----------------------------------------------------------------------------------------------------------


def test_the_key_is_the_same_by_every_way() -> None:
    raw = message("gmail_web_en_new")
    key = arrival_key(raw)
    trace = (
        b"Return-Path: <x@example.com>\r\nDelivered-To: support@hub.example\r\n"
        b"Received: from a by b;\r\n\tMon, 2 Nov 2026\r\nX-Spam: no\r\n"
    )
    assert key.startswith("mail:")
    assert arrival_key(trace + raw) == key
    assert arrival_key(raw.replace(b"\r\n", b"\n")) == key
    assert arrival_key(raw.rstrip() + b"\r\n\r\n") == key
    assert arrival_key(b"From x@example.com Mon Nov  2 10:15:00 2026\n" + raw.replace(b"\r\n", b"\n")) == key
    assert arrival_key(raw.replace(b"Subject: Delivery to Gyumri", b"Subject: Delivery\r\n to Gyumri")) == key


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"m1@mail", b"m2@mail"),
        (b"10:15:30", b"10:15:31"),
        (b"Subject: Delivery", b"Subject: delivery"),
        (b"Saturdays?", b"Sundays?"),
        (b"nora.field@", b"nora@"),
    ],
)  # fmt: skip
def test_the_key_differs_for_another_mail(old: bytes, new: bytes) -> None:
    raw = message("gmail_web_en_new")
    assert old in raw
    assert arrival_key(raw.replace(old, new)) != arrival_key(raw)


def test_even_what_is_no_mail_has_a_key() -> None:
    assert len({arrival_key(raw) for raw in (b"", b"no mail", b"\xff\xff", b"no mail either")}) == 4


# --- fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("Mon, 02 Nov 2026 10:15:30 +0400", datetime(2026, 11, 2, 6, 15, 30, tzinfo=UTC)),
        ("2 Nov 2026 10:15:30 -0000", datetime(2026, 11, 2, 10, 15, 30, tzinfo=UTC)),
        ("Mon, 2 Nov 2026 10:15:30 GMT (comment)", datetime(2026, 11, 2, 10, 15, 30, tzinfo=UTC)),
        ("Mon, 2 Nov 2026 10:15", datetime(2026, 11, 2, 10, 15, tzinfo=UTC)),
        ("2026-11-02T10:15:30+04:00", datetime(2026, 11, 2, 6, 15, 30, tzinfo=UTC)),
        ("2026-11-02 10:15:30", datetime(2026, 11, 2, 10, 15, 30, tzinfo=UTC)),
        ("Mon, 02 Nov 2026 23:59:60 +0000", datetime(2026, 11, 2, 23, 59, 59, tzinfo=UTC)),
        ("Mon, 32 Nov 2026 10:15:30 +0400", None),
        ("Mon, 02 Nov 9999999999 10:15:30 +0400", None),
        ("Sat, 01 Jan 0000 00:00:00 +1400", datetime(1999, 12, 31, 10, 0, tzinfo=UTC)),
        ("Mon, 02 Nov 2026 10:15:30 +99999999999", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_date_is_a_moment_or_nothing(date: str, moment: datetime | None) -> None:
    assert read(f"Date: {date}").sent_at == moment


@pytest.mark.parametrize(
    ("field", "ids"),
    [
        ("<a@b>", ("a@b",)),
        ("<a@b> <c@d>\n <e@f>", ("a@b", "c@d", "e@f")),
        ("<a@b><c@d>,<a@b>", ("a@b", "c@d")),
        ("a@b c@d", ("a@b", "c@d")),
        ("Your message of Monday <a@b>", ("a@b",)),
        ("<long\n part@b>", ("longpart@b",)),
        ("<>", ()),
        ("nothing", ()),
        (f"<{'a' * 2000}@b>", ()),
    ],
)
def test_references_are_the_ids_in_their_order(field: str, ids: tuple[str, ...]) -> None:
    assert read(f"References: {field}").references == ids
    assert read(f"In-Reply-To: {field}").in_reply_to == ids


def test_of_a_very_long_chain_the_beginning_and_the_end_are_kept() -> None:
    references = read("References: " + "\n ".join(f"<m{number}@b>" for number in range(1_000))).references
    assert len(references) == 100
    assert (references[0], references[-1]) == ("m0@b", "m999@b")


def test_recipients_are_everybody_whom_it_is_known_to_reach() -> None:
    raw = (
        FROM
        + b"To: a@hub.example, B@hub.example\nCc: c@hub.example\n"
        + b"Delivered-To: d@hub.example\nX-Original-To: a@hub.example\n\nx"
    )
    assert parse_mail(raw, envelope_to=["E@hub.example", "no address"]).recipients == (
        "e@hub.example",
        "d@hub.example",
        "a@hub.example",
        "b@hub.example",
        "c@hub.example",
    )


@pytest.mark.parametrize(
    ("subject", "read_as"),
    [
        ("=?utf-8?Q?Hello_World?=", "Hello World"),
        ("=?utf-8?Q?Hello World?=", "Hello World"),
        ("=?utf-8?Q?Was?=20nun??=", "Was? nun?"),
        ("=?UTF-8?b?0J/RgNC40LLRltGC?=", "Привіт"),
        ("=?utf-8*uk?B?0J/RgNC40LLRltGC?=", "Привіт"),
        ("a =?utf-8?Q?b?= c", "a b c"),
        ("=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?=\n\t=?koi8-r?B?xA==?=", "aд"),
        ("=?x-unknown?Q?caf=C3=A9?=", "café"),
        ("=?iso-8859-1?Q?=CF=F0=E8=E2=E5=F2_=E8_=F1=EF=E0=F1=E8=E1=EE?=", "Привет и спасибо"),
        ("=?utf-8?B?0J/RgNC4?= =?utf-8?B?0LLRltGC?=", "Привіт"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("=?utf-8?Q?never closed", "=?utf-8?Q?never closed"),
        ("=?utf-8?B?!!!?=", ""),
        ("tab\tand\n fold", "tab and fold"),
        ("nul\0inside", "nul\ufffdinside"),
        ("a" * 5_000, "a" * 998),
    ],
)
def test_a_subject_is_read_whatever_its_words(subject: str, read_as: str) -> None:
    assert parse_mail(f"From: a@example.com\nSubject: {subject}\n\nx".encode()).subject == read_as


# --- text -------------------------------------------------------------------------------------------------------------


def test_a_text_over_the_limit_is_cut_and_says_so() -> None:
    mail = read("Content-Type: text/plain", b"0123456789\n" * 200_000)
    assert len(mail.text) <= TEXT_LIMIT
    assert mail.fault == "text_cut"


def test_line_ends_are_one_kind() -> None:
    assert read("Content-Type: text/plain", b"one\r\ntwo\rthree\nfour\r\n\r\n").text == "one\ntwo\nthree\nfour"


def test_an_empty_mail_has_no_spans() -> None:
    assert read("Content-Type: text/plain", b" \n\n").spans == ()


def test_a_type_that_is_none_is_read_as_text() -> None:
    for content_type in (
        "text",
        "*/*",
        "",
        ";",
        "text/",
        "plain",
        "multipart/mixed",
        "multipart/alternative; boundary=",
    ):
        assert read(f"Content-Type: {content_type}").text == "Hello"


def test_an_attached_text_is_a_file_and_no_body() -> None:
    mail = parse_mail(
        mixed(b"\nbody", b"Content-Type: text/plain; name=a.txt\n\nfile", b"Content-Disposition: attachment\n\nother")
    )
    assert mail.text == "body"
    assert [part.name for part in mail.parts] == ["a.txt", "text.txt"]


def test_the_only_text_is_the_body_even_under_a_name() -> None:
    assert parse_mail(mixed(b"Content-Type: text/plain; name=body.txt\n\nbody")).text == "body"


def test_a_second_transfer_encoding_is_no_riddle() -> None:
    assert read("Content-Transfer-Encoding: QUOTED-PRINTABLE (yes)", b"a=20b=\nc=ZZ").text == "a bc=ZZ"
    assert read("Content-Transfer-Encoding: base64", b"SGVs\n!bG8=\nSGk=").text == "HelloHi"
    assert read("Content-Transfer-Encoding: made-up").text == "Hello"


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('filename="a.pdf"', "a.pdf"),
        ("filename=a b.pdf", "a b.pdf"),
        ("filename='a.pdf'", "'a.pdf'"),
        ('filename="/etc/passwd"', "passwd"),
        (r'filename="..\..\boot.ini"', "boot.ini"),
        ('filename="a\u202efdp.exe"', "afdp.exe"),
        ('filename="a\tb\x07.pdf"', "a b.pdf"),
        ('filename="..."', "file.pdf"),
        ('filename=""', "file.pdf"),
        ("filename*=utf-8''%D0%90.pdf", "А.pdf"),
        ("filename*=windows-1251''%C0%E1%E2.pdf", "Абв.pdf"),
        ("filename=x.pdf; filename*=utf-8''y.pdf", "y.pdf"),
        ("filename*0=a; filename*1=b.pdf", "ab.pdf"),
        ("filename*1=b.pdf; filename*0=a", "ab.pdf"),
        ("filename=%D0%90.pdf", "А.pdf"),
        ('filename="=?utf-8?B?0JAucGRm?="', "А.pdf"),
        ("filename=\"=?utf-8?B?0JA=?=\n =?utf-8?B?LnBkZg==?=\"", "А.pdf"),
        ("filename*=utf-8''%2e%2e%2fx.pdf", "x.pdf"),
        ("filename*=utf-8''%00.pdf", "\ufffd.pdf"),
        ('filename="a:b|c?.pdf"', "a_b_c_.pdf"),
        ('filename="never closed.pdf', "never closed.pdf"),
        ("nothing", "file.pdf"),
    ],
)  # fmt: skip
def test_a_file_has_a_name_that_is_only_a_name(disposition: str, name: str) -> None:
    raw = mixed(f"Content-Type: application/pdf\nContent-Disposition: attachment; {disposition}\n\nx".encode())
    assert [part.name for part in parse_mail(raw).parts] == [name]


def test_a_long_name_keeps_its_extension() -> None:
    raw = mixed(f'Content-Type: application/pdf; name="{"ж" * 500}.pdf"\n\nx'.encode())
    (part,) = parse_mail(raw).parts
    assert len(part.name) == NAME_LIMIT
    assert part.name.endswith("ж.pdf")


def test_an_image_is_inline_only_where_the_html_shows_it() -> None:
    html = b'Content-Type: text/html\n\n<img src="CID:shown%40x">'
    image = b"Content-Type: image/png\nContent-ID: <%s>\nContent-Disposition: inline\n\nx"
    parts = parse_mail(mixed(html, image % b"shown@x", image % b"other@x")).parts
    assert [(part.content_id, part.is_inline) for part in parts] == [("shown@x", True), ("other@x", False)]


def test_twenty_five_megabytes_are_read() -> None:
    content = bytes(range(256)) * 4_096 * 18
    raw = mixed(
        b"\nSee the file.",
        b"Content-Type: video/mp4; name=a.mp4\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(content),
    )
    assert len(raw) > 25_000_000
    mail = parse_mail(raw)
    assert (mail.text, mail.parts[0].size_bytes, mail.size_bytes) == ("See the file.", len(content), len(raw))
    assert extract_part(raw, 1) == ("a.mp4", "video/mp4", content)


# --- invitations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("SUMMARY:V\nDTSTART:20261105T070000Z\nDTEND:20261105T080000Z", "V\n2026-11-05 07:00 UTC – 2026-11-05 08:00 UTC"),
        ("SUMMARY:Day\nDTSTART;VALUE=DATE:20261105", "Day\n2026-11-05"),
        ('SUMMARY;LANGUAGE=uk:Зустріч\\, друга\nORGANIZER;CN="A: B";X=1:MAILTO:a@example.com',
         "Зустріч, друга\nA: B <a@example.com>"),
        ("ORGANIZER:mailto:a@example.com", "a@example.com"),
        ("DTSTART:20261399T990000", "20261399T990000"),
        ("SUMMARY:lo\n ng", "long"),
        ("X:1", ""),
    ],
)  # fmt: skip
def test_an_invitation_is_told_in_a_few_lines(lines: str, text: str) -> None:
    assert invitation_text(f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{lines}\nEND:VEVENT\nSUMMARY:no\nEND:VCALENDAR") == text


def test_what_is_no_calendar_is_told_as_nothing() -> None:
    assert invitation_text("SUMMARY:outside\nhello") == ""


def test_a_message_id_that_no_database_can_index_names_nothing() -> None:
    long = "国" * 400 + "@x"
    mail = parse_mail(f"Message-ID: <{long}>\nReferences: <{long}> <a@x>\nFrom: a@b.test\n\nHi".encode())
    assert (mail.message_id, mail.references) == (None, ("a@x",))
