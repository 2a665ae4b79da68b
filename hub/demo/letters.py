"""Mails as the demo's people write and read them: what their mail programs and their provider put on the wire.

    write        a new mail or an answer: text and HTML, pictures in the text, files, the answered mail quoted below
    write_bounce RFC 3464, as a provider sends it back to the envelope's sender
    write_away   RFC 3834, the note of somebody who is away
    read         what a mail program shows of a mail

By the standard library alone, not by hub.mail: the two sides of the wire check each other.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage, Message, MIMEPart
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr, getaddresses
from html import escape

PICTURE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
SNIPPET_LENGTH = 140

# Every server takes what has seven bits.
_WIRE = policy.SMTP.clone(cte_type="7bit")
# Headers in one line each: where the standard library folds a name that is partly ASCII, it puts a space into its words.
_UNFOLDED = _WIRE.clone(max_line_length=0)
# A body, if there is one; else the whole is its inside.
_BODY = re.compile(r"<body\b[^>]*>(.*?)(?:</body\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(style|script|head)\b.*?</\1\s*>|<[^>]{0,2000}>", re.IGNORECASE | re.DOTALL)
_QUOTE_STARTS = re.compile(r"^(>|-- ?$|On .{1,200}wrote:$)")
# What the standard library raises at mails that nobody should write.
_UNREADABLE = (LookupError, ValueError, TypeError, AttributeError, AssertionError, MessageError)


@dataclass(frozen=True, slots=True)
class File:
    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A file inside a mail; `number` is its place among all parts, as `part` wants it. `content_id` has no brackets."""

    number: int
    name: str
    media_type: str
    size_bytes: int
    content_id: str | None
    is_inline: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail program shows. Addresses are (name, address); Message-IDs stand with their angle brackets."""

    subject: str
    author: tuple[str, str]
    to: tuple[tuple[str, str], ...]
    reply_to: tuple[str, str]
    message_id: str
    references: tuple[str, ...]
    text: str
    html: str | None
    parts: tuple[Part, ...]
    is_automatic: bool

    @property
    def snippet(self) -> str:
        """The start of what was written this time, in one line."""
        lines: list[str] = []
        for line in self.text.strip().splitlines():
            if _QUOTE_STARTS.match(line):
                break
            lines.append(line)
        return " ".join(" ".join(lines or self.text.splitlines()).split())[:SNIPPET_LENGTH]


def new_message_id(domain: str) -> str:
    return f"<{secrets.token_hex(12)}@{domain}>"


# --- writing ----------------------------------------------------------------------------------------------------------


def write(
    *,
    author: tuple[str, str],
    to: Sequence[tuple[str, str]],
    subject: str,
    text: str,
    at: datetime,
    files: Sequence[File] = (),
    answers: tuple[Reading, datetime] | None = None,
) -> bytes:
    """A mail as mail programs write it. `answers` is the mail that is answered, and when it came, in the writer's time."""
    mail = EmailMessage(policy=_WIRE)
    _head(mail, author, to, subject, at)
    if answers is not None:
        mail["In-Reply-To"] = answers[0].message_id
        mail["References"] = " ".join((*answers[0].references, answers[0].message_id))
    quote = _attribution(*answers) if answers is not None else ""
    plain = text.strip() + "\n"
    html = f'<div dir="ltr">{_html(text.strip())}</div>'
    if answers is not None:
        quoted = answers[0]
        plain += f"\n{quote}\n\n" + "".join(f"> {line}".rstrip() + "\n" for line in quoted.text.strip().splitlines())
        inner = _inside(quoted.html) if quoted.html else _html(quoted.text.strip())
        html += (
            f'<br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">{escape(quote)}<br></div>'
            '<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);'
            f'padding-left:1ex">{inner}</blockquote></div>'
        )
    pictures = [file for file in files if file.media_type in PICTURE_TYPES]
    ids = [f"{secrets.token_hex(8)}@{author[1].rpartition('@')[2]}" for _ in pictures]
    shown = "".join(
        f'<div><img src="cid:{each}" alt="{escape(file.name)}" style="max-width:480px"></div>'
        for each, file in zip(ids, pictures, strict=True)
    )
    html = html.replace("</div>", f"</div>{shown}", 1)
    mail.set_content(plain)
    mail.add_alternative(f'<html><head><meta charset="utf-8"></head><body>{html}</body></html>\n', subtype="html")
    page = mail.get_body(("html",))
    assert isinstance(page, MIMEPart)
    for each, file in zip(ids, pictures, strict=True):
        subtype = file.media_type.partition("/")[2]
        page.add_related(file.content, "image", subtype, cid=f"<{each}>", filename=file.name, disposition="inline")
    for file in files:
        if file.media_type in PICTURE_TYPES:
            continue
        main, _, subtype = file.media_type.partition("/")
        mail.add_attachment(file.content, maintype=main, subtype=subtype or "octet-stream", filename=file.name)
    return mail.as_bytes(policy=_UNFOLDED)


def write_away(*, author: tuple[str, str], to: str, about: Reading, text: str, at: datetime) -> bytes:
    """The answer of a machine: it says so, and whose absence it tells (RFC 3834 section 5)."""
    mail = EmailMessage(policy=_WIRE)
    _head(mail, author, [("", to)], f"Auto: {about.subject}", at)
    mail["In-Reply-To"] = about.message_id
    mail["References"] = " ".join((*about.references, about.message_id))
    mail["Auto-Submitted"] = "auto-replied"
    mail["Precedence"] = "bulk"
    mail.set_content(text.strip() + "\n")
    return mail.as_bytes(policy=_UNFOLDED)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a mail to `recipient` comes back: an RFC 3463 status and the words to it. `envelope_id` (ENVID) and
    `original_recipient` (ORCPT) stand as the sender gave them."""

    recipient: str
    status: str
    words: str
    envelope_id: str | None = None
    original_recipient: str | None = None


def write_bounce(*, host: str, to: str, original: bytes, failure: Failure, at: datetime) -> bytes:
    """RFC 3464: for people, for machines, and the headers of what could not be delivered."""
    report = MIMEMultipart("report", report_type="delivery-status")
    report["From"] = formataddr(("Mail Delivery System", f"MAILER-DAEMON@{host}"))
    report["To"] = to
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Date"] = format_datetime(at)
    report["Message-ID"] = new_message_id(host)
    report["Auto-Submitted"] = "auto-replied"
    report.attach(
        MIMEText(
            f"This is the mail system at {host}.\n\nYour message could not be delivered to\n\n"
            f"    {failure.recipient}\n\n{failure.words}\n",
        )
    )
    status = MIMENonMultipart("message", "delivery-status")
    of_mail, of_recipient = Message(), Message()
    of_mail["Reporting-MTA"] = f"dns; {host}"
    if failure.envelope_id:
        of_mail["Original-Envelope-Id"] = failure.envelope_id
    of_mail["Arrival-Date"] = format_datetime(at)
    if failure.original_recipient:
        of_recipient["Original-Recipient"] = failure.original_recipient
    of_recipient["Final-Recipient"] = f"rfc822; {failure.recipient}"
    of_recipient["Action"] = "failed"
    of_recipient["Status"] = failure.status
    of_recipient["Diagnostic-Code"] = f"smtp; 552 {failure.status} {failure.words}"
    status.set_payload([of_mail, of_recipient])
    report.attach(status)
    headers = original.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    returned = MIMENonMultipart("text", "rfc822-headers")
    returned.set_payload(headers.decode("ascii", "replace"))
    report.attach(returned)
    return report.as_bytes(policy=_WIRE)


def _head(
    mail: EmailMessage, author: tuple[str, str], to: Sequence[tuple[str, str]], subject: str, at: datetime
) -> None:
    mail["From"] = _address(*author)
    mail["To"] = [_address(*each) for each in to]
    mail["Subject"] = " ".join(subject.split())
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = new_message_id(author[1].rpartition("@")[2])


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(" ".join(name.split()), local, domain)


def _attribution(quoted: Reading, at: datetime) -> str:
    """As Gmail writes it in English."""
    name, address = quoted.author
    return f"On {at:%a}, {at.day} {at:%b %Y} at {at:%H:%M}, {name} <{address}> wrote:"


def _html(text: str) -> str:
    return "<br>\n".join(escape(line) for line in text.splitlines())


def _inside(html: str) -> str:
    found = _BODY.search(html)
    return found[1] if found else html


# --- reading ----------------------------------------------------------------------------------------------------------


def read(raw: bytes) -> Reading:
    """Never raises: what the standard library cannot read is shown as it came."""
    try:
        return _read(raw)
    except _UNREADABLE:
        text = raw.decode("utf-8", "replace")
        return Reading("", ("", ""), (), ("", ""), "", (), text, None, (), False)


def part(raw: bytes, number: int) -> File | None:
    """The file `number` of a mail; None if there is none."""
    try:
        for each, found in _files(message_from_bytes(raw, policy=policy.default)):
            if each.number == number:
                return File(each.name, each.media_type, _bytes(found))
    except _UNREADABLE:
        pass
    return None


def _read(raw: bytes) -> Reading:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    author = next(iter(_mailboxes(mail, "From")), ("", ""))
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    page = str(html.get_content()) if isinstance(html, EmailMessage) else None
    text = str(plain.get_content()) if isinstance(plain, EmailMessage) else _text(page or "")
    return Reading(
        subject=" ".join(str(mail["Subject"] or "").split()),
        author=author,
        to=_mailboxes(mail, "To"),
        reply_to=next(iter(_mailboxes(mail, "Reply-To")), author),
        message_id=str(mail["Message-ID"] or "").strip(),
        references=tuple(str(mail["References"] or "").split()),
        text=text.replace("\r\n", "\n"),
        html=page,
        parts=tuple(each for each, _ in _files(mail)),
        is_automatic=str(mail["Auto-Submitted"] or "no").lower() != "no",
    )


def _mailboxes(mail: EmailMessage, name: str) -> tuple[tuple[str, str], ...]:
    pairs = getaddresses([str(value) for value in mail.get_all(name, [])])
    return tuple((shown, address) for shown, address in pairs if address)


def _files(mail: Message) -> Iterator[tuple[Part, EmailMessage]]:
    assert isinstance(mail, EmailMessage)
    bodies = {id(mail.get_body((kind,))) for kind in ("plain", "html")}
    for number, each in enumerate(mail.walk()):
        if each.is_multipart() or id(each) in bodies:
            continue
        content_id = str(each["Content-ID"] or "").strip().strip("<>") or None
        name = each.get_filename() or f"file-{number}"
        size = len(_bytes(each))
        is_inline = content_id is not None and each.get_content_maintype() == "image"
        yield Part(number, name, each.get_content_type(), size, content_id, is_inline), each


def _bytes(found: EmailMessage) -> bytes:
    content = found.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _text(html: str) -> str:
    return re.sub(r"\n\s*\n+", "\n\n", _TAG.sub("\n", html)).strip()
