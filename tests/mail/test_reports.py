"""Reports about our own mails, and mails that only look like them."""

import pytest

from hub.domain.mail import Report, ReportAction
from hub.mail.parse import parse_mail


def reported(status: str, *, fields: str = "", returned: str = "Message-ID: <out@hub.example>\n") -> Report | None:
    raw = (
        f"From: MAILER-DAEMON@mx.example\n{fields}Content-Type: multipart/report; report-type=delivery-status; boundary=r\n\n"
        f"--r\n\nfailed\n--r\nContent-Type: message/delivery-status\n\n{status}\n"
        f"--r\nContent-Type: text/rfc822-headers\n\n{returned}\n--r--\n"
    )
    return parse_mail(raw.encode()).report


def only(status: str) -> tuple[str | None, str, ReportAction | None, str | None, str | None]:
    report = reported(status)
    assert report is not None
    (one,) = report.recipients
    return one.recipient, one.word, one.action, one.status, one.detail


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; A@Example.com\nAction: Failed\nStatus: 5.1.1",
            ("a@example.com", "failed", ReportAction.FAILED, "5.1.1", None),
        ),
        (
            "Reporting-MTA: dns; x\n\n\n\nFinal-Recipient: rfc822;<a@example.com>\nAction: delayed\nStatus: 4.4.7 (held)",
            ("a@example.com", "delayed", ReportAction.DELAYED, "4.4.7", None),
        ),
        (
            "Final-Recipient: a@example.com\nAction: failed\nDiagnostic-Code: smtp; 552 5.2.2 Mailbox full",
            ("a@example.com", "failed", ReportAction.FAILED, "5.2.2", "552 5.2.2 Mailbox full"),
        ),
        (
            "Final-Recipient: rfc822; a@example.com\nStatus: 4.0.0",
            ("a@example.com", "", ReportAction.DELAYED, "4.0.0", None),
        ),
        (
            "Final-Recipient: rfc822; moved@example.com\n"
            "Original-Recipient: rfc822; a+2Bb@example.com\nAction: expanded\nStatus: 2.0.0",
            ("a+b@example.com", "expanded", ReportAction.EXPANDED, "2.0.0", None),
        ),
        (
            "Final-Recipient: utf-8; \u0563\u0578\u057c@example.com\nAction: failed\nStatus: 5.1.1",
            ("\u0563\u0578\u057c@example.com", "failed", ReportAction.FAILED, "5.1.1", None),
        ),
        ("Final-Recipient: LOCAL; somebody\nAction: failed\nStatus: 5.0", (None, "failed", ReportAction.FAILED, None, None)),
        ("Action: teleported", (None, "teleported", None, None, None)),
    ],
)  # fmt: skip
def test_a_status_is_read_with_its_pieces_missing(
    status: str, expected: tuple[str | None, str, ReportAction | None, str | None, str | None]
) -> None:
    assert only(status) == expected


def test_a_report_names_the_mail_it_is_about() -> None:
    report = reported("Original-Envelope-Id: a+2Bb+3Dc\n\nFinal-Recipient: rfc822; a@example.com\nAction: failed")
    assert report is not None
    assert report.original_message_id == "out@hub.example"
    assert report.envelope_id == "a+b=c"


def test_a_report_without_the_returned_mail_still_counts() -> None:
    report = reported("Final-Recipient: rfc822; a@example.com\nAction: failed", returned="")
    assert report is not None
    assert report.original_message_id is None


def test_hundreds_of_recipients_are_all_reported() -> None:
    blocks = "\n\n".join(f"Final-Recipient: rfc822; n{number}@example.com\nAction: failed" for number in range(300))
    report = reported(f"Reporting-MTA: dns; x\n\n{blocks}")
    assert report is not None
    assert [one.recipient for one in report.recipients] == [f"n{number}@example.com" for number in range(300)]


def test_a_status_part_from_a_person_is_a_file() -> None:
    raw = (
        b"From: ann@example.com\nContent-Type: multipart/mixed; boundary=r\n\n--r\n\nWhat is this?\n--r\n"
        b"Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@example.com\nAction: failed\n--r--\n"
    )
    mail = parse_mail(raw)
    assert mail.report is None
    assert [part.name for part in mail.parts] == ["delivery-status.txt"]


def test_words_of_qmail_from_a_person_are_no_bounce() -> None:
    text = b"\n\nHi. This is the qmail-send program at x.\n\n<a@example.com>:\nno.\n"
    assert parse_mail(b"From: ann@example.com\nSubject: x" + text).report is None
    assert parse_mail(b"Return-Path: <>\nFrom: x@x.example\nSubject: x" + text).report is not None


def test_an_exim_warning_is_a_delay() -> None:
    raw = (
        b"Return-path: <>\nFrom: Mail Delivery System <Mailer-Daemon@x.example>\n"
        b"X-Failed-Recipients: a@example.com, b@example.com\n"
        b"Subject: Warning: message delayed 24 hours\n\n"
        b"This message was created automatically by mail delivery software.\n"
        b"A message that you sent has not yet been delivered to one or more of its\nrecipients.\n\n"
        b"  a@example.com\n    timed out\n"
    )
    report = parse_mail(raw).report
    assert report is not None
    assert [(one.recipient, one.action) for one in report.recipients] == [
        ("a@example.com", ReportAction.DELAYED),
        ("b@example.com", ReportAction.DELAYED),
    ]


def test_a_complaint_without_a_recipient_takes_the_returned_one() -> None:
    raw = (
        b"From: fbl@provider.test\nContent-Type: multipart/report; report-type=feedback-report; boundary=r\n\n"
        b"--r\n\nabuse\n--r\nContent-Type: message/feedback-report\n\nFeedback-Type: Abuse\nVersion: 1\n"
        b"--r\nContent-Type: message/rfc822\n\nTo: Angry <angry@example.com>\nMessage-ID: <out@hub.example>\n\nbuy\n--r--\n"
    )
    report = parse_mail(raw).report
    assert report is not None
    assert [(one.recipient, one.action, one.word) for one in report.recipients] == [
        ("angry@example.com", ReportAction.COMPLAINT, "abuse")
    ]
    assert report.original_message_id == "out@hub.example"
