"""An outgoing mail as bytes: the agent's text as plain text and HTML, signature, quoted history, files, headers.

    mixed                      where there are files beside the text
      related                  where the text shows pictures
        alternative            always: text/plain, text/html
        picture …
      file …

The same message makes the same bytes at every attempt: the date is when it was written, boundaries come from the
delivery id, the Message-ID is its token. Everything is 7-bit but the addresses that cannot be (RFC 6531); `is_utf8` says
so. Whatever stands in a header is one line: a line break in a name or a subject is a space.

Written here and not by the standard library's generator, because that one draws its boundaries by chance and takes thirty
times as long (3.7 ms against 0.1 ms for an answer with an Armenian subject).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from html import escape
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import idna

from hub.channels.channel import OutgoingFile, OutgoingMessage, clean_text
from hub.domain.mail import Mailbox, MailKind, OutgoingMail, QuotedMail
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput
from hub.mail import markup
from hub.mail.html import make_safe
from hub.mail.tokens import Tokens

# What an answer carries of the mail below it. A newsletter of megabytes need not travel back and forth.
QUOTE_LIMIT = 100_000
# RFC 5322 section 3.6.4 lets References grow without end; RFC 5537 section 3.4.4 cuts it as we do: the first and the
# latest. 998 characters are the longest line that every server takes, should somebody unfold them.
_REFERENCES_KEPT = 20
_REFERENCES_LENGTH = 900
# What mail programs write is not always an address in form; it is given back as it came.
_MESSAGE_ID = re.compile(r"[!-;=?-~]{1,500}")
# A name longer than this is no name.
_NAME_LIMIT = 200
_FILE_NAME_LIMIT = 200

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_UTF8_ATOM = re.compile(r"[^\x00-\x20\x7f-\xa0()<>\[\]:;@\\,.\"\s]+(?:\.[^\x00-\x20\x7f-\xa0()<>\[\]:;@\\,.\"\s]+)*")
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])+"')
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?){0,20}")
_LITERAL = re.compile(r"\[(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|ipv6:[0-9a-f:.]{2,45})\]")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_URL = re.compile(r"https?://[!#-;=?-~]{1,900}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PICTURE_WITHOUT_SOURCE = re.compile(r"<img(?! src=)[^<>]*>")
_OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class ComposedMail:
    """`recipients` is the envelope, each once, `to` first, Cc and Bcc behind, in normal form. `message_id` stands without
    angle brackets. `is_utf8`: only a server with SMTPUTF8 can take it. `is_automatic`: nobody wrote it by hand."""

    content: bytes
    recipients: tuple[str, ...]
    message_id: str
    is_utf8: bool = False
    is_automatic: bool = False


def compose(
    message: OutgoingMessage,
    *,
    sender: Mailbox,
    tokens: Tokens,
    plus_addressing: bool,
    now: datetime,
    files: Sequence[tuple[OutgoingFile, bytes]],
) -> ComposedMail:
    """`sender` is the account's own mail box and the name of the house; `files` are the message's with their bytes.
    InvalidInput names `mail.to` and the like when an address cannot be written."""
    mail = message.mail
    if mail is None or not mail.to:
        raise InvalidInput("A mail needs a recipient.", fields={"mail.to": Sentence("name a recipient")})
    message_id = tokens.message_id(message.delivery_id, mail.thread)
    host = message_id.rpartition("@")[2]
    message_id = f"{message_id.rpartition('@')[0]}@{to_wire_host(host) or 'localhost'}"
    body = _Body(message.delivery_id, to_wire_host(host) or "localhost", message.text, mail, files)
    headers = [*_headers(message, mail, sender, tokens, message_id, plus_addressing, now), *body.headers]
    head = "\r\n".join(headers).encode()
    return ComposedMail(
        content=head + b"\r\n\r\n" + body.content,
        recipients=envelope_recipients(mail),
        message_id=message_id,
        is_utf8=not head.isascii() or not all(box.address.rpartition("@")[0].isascii() for box in _everybody(mail)),
        is_automatic=mail.kind is MailKind.ACKNOWLEDGEMENT,
    )


def envelope_recipients(mail: OutgoingMail) -> tuple[str, ...]:
    """Whom it goes to: To, Cc and Bcc, each address once."""
    return tuple(dict.fromkeys(box.address for box in _everybody(mail)))


def to_wire(address: str) -> str:
    """An address in normal form as it is written on the wire: the domain in A-labels. InvalidInput
    when it is no address."""
    local, at, host = address.rpartition("@")
    wire_host = to_wire_host(host)
    if not at or not local or wire_host is None or len(local.encode("utf-8", "replace")) > 64:
        raise InvalidInput("This is not an e-mail address.", fields={"address": Sentence("is not an e-mail address")})
    if _ATOM.fullmatch(local) or (not local.isascii() and _UTF8_ATOM.fullmatch(local)):
        return f"{local}@{wire_host}"
    if not _QUOTED.fullmatch(local):
        raise InvalidInput("This is not an e-mail address.", fields={"address": Sentence("is not an e-mail address")})
    return f"{local}@{wire_host}"


@lru_cache(maxsize=1024)
def to_wire_host(host: str) -> str | None:
    """A domain in A-labels (RFC 5891), or None when it cannot be one."""
    host = host.lower()
    if len(host) > 253:
        return None
    if host.isascii():
        wire = host
    else:
        try:
            wire = idna.encode(host, uts46=True).decode()
        except UnicodeError:
            return None
    return wire if len(wire) <= 253 and (_HOST.fullmatch(wire) or _LITERAL.fullmatch(wire)) else None


def _everybody(mail: OutgoingMail) -> tuple[Mailbox, ...]:
    return (*mail.to, *mail.cc, *mail.bcc)


# --- headers ----------------------------------------------------------------------------------------------------------


def _headers(
    message: OutgoingMessage,
    mail: OutgoingMail,
    sender: Mailbox,
    tokens: Tokens,
    message_id: str,
    plus_addressing: bool,
    now: datetime,
) -> Iterable[str]:
    name = ", ".join(part for part in (one_line(mail.author), one_line(sender.name)) if part)
    yield _fold("From", [_mailbox(Mailbox(sender.address, name), "from")])
    yield _fold("To", [_mailbox(box, "mail.to") for box in mail.to], ",")
    if mail.cc:
        yield _fold("Cc", [_mailbox(box, "mail.cc") for box in mail.cc], ",")
    if plus_addressing and mail.kind is not MailKind.NOTICE:
        reply_to = tokens.reply_address(mail.thread)
        if reply_to != sender.address:
            yield _fold("Reply-To", [_mailbox(Mailbox(reply_to, name), "from")])
    yield _text_header("Subject", mail.subject)
    yield f"Date: {format_datetime((message.created_at or now).astimezone(UTC).replace(microsecond=0))}"
    yield _fold("Message-ID", [f"<{message_id}>"])
    known = [*_message_ids(mail.references), *_message_ids((mail.in_reply_to or "",))]
    answered = next(iter(_message_ids((mail.in_reply_to or "",))), None)
    if answered is not None:
        yield _fold("In-Reply-To", [f"<{answered}>"])
    if known:
        yield _fold("References", [f"<{each}>" for each in bounded_references(known)])
    if mail.kind is MailKind.ACKNOWLEDGEMENT:
        # RFC 3834 section 5, and what Exchange listens to (MS-OXCMAIL section 2.1.3.2.20).
        yield "Auto-Submitted: auto-replied"
        yield "X-Auto-Response-Suppress: All"
    elif mail.kind is MailKind.NOTICE:
        yield "Auto-Submitted: auto-generated"
        yield "X-Auto-Response-Suppress: All"
    if mail.unsubscribe_url is not None and _URL.fullmatch(mail.unsubscribe_url):
        yield _fold("List-Unsubscribe", [f"<{mail.unsubscribe_url}>"])
        if mail.unsubscribe_url.startswith("https:"):
            # RFC 8058 section 3.1: one click only by HTTPS.
            yield "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
    yield "MIME-Version: 1.0"


def one_line(text: str) -> str:
    """`text` as a header may hold it: control characters and runs of white space are one space."""
    return " ".join(_CONTROL.sub(" ", clean_text(text)).split())


def bounded_references(message_ids: Sequence[str]) -> tuple[str, ...]:
    """The first one and the latest ones of a long thread, each once: enough for every mail program to thread by."""
    unique = list(dict.fromkeys(message_ids))
    kept = unique[:1]
    room = _REFERENCES_LENGTH - sum(len(each) + 3 for each in kept)
    latest: list[str] = []
    for each in reversed(unique[1:][-_REFERENCES_KEPT:]):
        room -= len(each) + 3
        if room < 0:
            break
        latest.append(each)
    return (*kept, *reversed(latest))


def _message_ids(texts: Iterable[str]) -> list[str]:
    stripped = (text.strip().strip("<>") for text in texts)
    return [text for text in stripped if _MESSAGE_ID.fullmatch(text)]


def _mailbox(box: Mailbox, field: str) -> str:
    try:
        address = to_wire(box.address)
    except InvalidInput as error:
        raise InvalidInput(error.message, fields={field: Sentence("is not an e-mail address")}) from error
    name = one_line(box.name)[:_NAME_LIMIT].strip()
    if not name:
        return address
    if _is_plain(name) and len(name) <= 60:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{address}>'
    return f"{' '.join(_encoded_words(name))} <{address}>"


def _text_header(name: str, text: str) -> str:
    text = one_line(text)
    if _is_plain(text) and all(len(word) <= 60 for word in text.split(" ")):
        return _fold(name, text.split(" "))
    return _fold(name, _encoded_words(text))


def _is_plain(text: str) -> bool:
    # What looks like an encoded word would be read as one.
    return text.isascii() and "=?" not in text


def _encoded_words(text: str) -> list[str]:
    """RFC 2047: each word at most 68 characters (75 are allowed), none splitting a character."""
    words, chunk = [], b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(chunk) + len(encoded) > 42:
            words.append(chunk)
            chunk = b""
        chunk += encoded
    return [f"=?utf-8?B?{base64.b64encode(each).decode()}?=" for each in (*words, chunk) if each]


def _fold(name: str, words: Sequence[str], separator: str = "") -> str:
    """One header, folded between its words where a line would be longer than 78 characters."""
    line, lines = f"{name}:", []
    for index, word in enumerate(words):
        piece = word + (separator if index + 1 < len(words) else "")
        for part in _parts_of(piece):
            if len(line) + 1 + len(part) > 78 and line.strip() != f"{name}:":
                lines.append(line)
                line = ""
            line += f" {part}"
    return "\r\n".join([*lines, line])


def _parts_of(piece: str) -> list[str]:
    """Where a long mailbox may be folded: between encoded words and before the address, never inside quotes."""
    if len(piece) <= 60:
        return [piece]
    return piece.rsplit(" ", 1) if piece.startswith('"') else piece.split(" ")


# --- body -------------------------------------------------------------------------------------------------------------


class _Body:
    """The body and the headers that describe it."""

    def __init__(
        self,
        delivery_id: str,
        host: str,
        text: str,
        mail: OutgoingMail,
        files: Sequence[tuple[OutgoingFile, bytes]],
    ) -> None:
        self._mark = hashlib.sha256(f"mail {delivery_id}".encode()).hexdigest()[:24]
        names = {file.id: f"file{file.id}.{self._mark}@{host}" for file, _ in files if file.id}
        shown: set[int] = set()

        def image_address(number: int) -> str | None:
            if number not in names:
                return None
            shown.add(number)
            return f"cid:{names[number]}"

        text = _tidy(text)
        if mail.html is None:
            plain, html = _plain(text, mail), _html(text, mail, image_address)
        else:
            plain, html = text, _tidy(mail.html)
        part = self._join(
            "alternative", [_text_part("plain", plain), _text_part("html", html)], "multipart/alternative"
        )
        pictures = [_file_part(file, content, names[file.id]) for file, content in files if file.id in shown]
        if pictures:
            part = self._join("related", [part, *pictures], 'multipart/related; type="multipart/alternative"')
        others = [_file_part(file, content) for file, content in files if file.id not in shown]
        if others:
            part = self._join("mixed", [part, *others], "multipart/mixed")
        self.headers, self.content = part

    def _join(self, name: str, parts: Sequence[_Part], media_type: str) -> _Part:
        # "=_" comes from no encoding of ours, and the rest nobody knows before the mail is sent.
        boundary = f"=_{name}_{self._mark}"
        pieces = []
        for headers, content in parts:
            pieces.append(f"--{boundary}\r\n".encode() + "\r\n".join(headers).encode() + b"\r\n\r\n" + content)
            pieces.append(b"" if content.endswith(b"\r\n") else b"\r\n")
        pieces.append(f"--{boundary}--\r\n".encode())
        return [f'Content-Type: {media_type};\r\n boundary="{boundary}"'], b"".join(pieces)


_Part = tuple[list[str], bytes]


def _tidy(text: str) -> str:
    text = clean_text(text).replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "\ufffd", text)


def _text_part(subtype: str, text: str) -> _Part:
    content = text.encode("utf-8", "replace")
    headers = [f'Content-Type: text/{subtype}; charset="utf-8"']
    if content.isascii() and all(len(line) <= 78 for line in content.split(b"\n")):
        return [*headers, "Content-Transfer-Encoding: 7bit"], content.replace(b"\n", b"\r\n")
    # Every byte outside ASCII takes three characters, in base64 four thirds.
    if len(content) - len(content.decode("ascii", "ignore")) > len(content) // 6:
        return [*headers, "Content-Transfer-Encoding: base64"], _base64(content.replace(b"\n", b"\r\n"))
    quoted = binascii.b2a_qp(content, istext=True).replace(b"\n", b"\r\n")
    return [*headers, "Content-Transfer-Encoding: quoted-printable"], quoted


def _file_part(file: OutgoingFile, content: bytes, content_id: str | None = None) -> _Part:
    media_type = file.media_type.partition(";")[0].strip().lower()
    # A message or a multipart may not be base64 (RFC 2046 section 5): as octets it arrives whole all the same.
    if not _MEDIA_TYPE.fullmatch(media_type) or media_type.startswith(("message/", "multipart/")):
        media_type = _OCTETS
    disposition = "attachment" if content_id is None else "inline"
    headers = [
        f"Content-Type: {media_type}",
        f"Content-Disposition: {disposition};{_file_name(file.name)}",
        "Content-Transfer-Encoding: base64",
    ]
    if content_id is not None:
        headers.append(f"Content-ID: <{content_id}>")
    return headers, _base64(content)


def _file_name(name: str) -> str:
    """The file name as a parameter, on lines of its own: RFC 2231 where it is not plain ASCII."""
    name = one_line(name).replace("/", "_").replace("\\", "_")[:_FILE_NAME_LIMIT].strip() or "file"
    if _is_plain(name) and '"' not in name and len(name) <= 60:
        return f'\r\n filename="{name}"'
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    if len(encoded) <= 60:
        return f"\r\n filename*=utf-8''{encoded}"
    # Cut between characters of the encoding, never inside %XX.
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,20}", encoded)
    pieces[0] = f"utf-8''{pieces[0]}"
    return ";".join(f"\r\n filename*{index}*={piece}" for index, piece in enumerate(pieces))


def _base64(content: bytes) -> bytes:
    # 57 bytes are a line of 76 characters (RFC 2045 section 6.8).
    encoded = base64.b64encode(content)
    return b"\r\n".join(encoded[start : start + 76] for start in range(0, len(encoded), 76)) + b"\r\n"


# --- text -------------------------------------------------------------------------------------------------------------


def _plain(text: str, mail: OutgoingMail) -> str:
    pieces = [markup.to_plain(text).rstrip()]
    if mail.signature.strip():
        # RFC 3676 section 4.3: the separator ends with a space.
        pieces.append("-- \n" + markup.to_plain(_tidy(mail.signature)).strip())
    if mail.quoted is not None:
        pieces.append(_plain_quote(mail.quoted, mail))
    return "\n\n".join(piece for piece in pieces if piece) + "\n"


def _html(text: str, mail: OutgoingMail, image_address: markup.ImageAddress) -> str:
    pieces = [markup.to_html(text.rstrip(), image_address)]
    if mail.signature.strip():
        pieces.append(f"<div>-- <br>\n{markup.to_html(_tidy(mail.signature).strip())}</div>\n")
    if mail.quoted is not None:
        pieces.append(_html_quote(mail.quoted, mail))
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head>\n<body>\n'
        + "<br>\n".join(piece for piece in pieces if piece)
        + "</body></html>\n"
    )


def _plain_quote(quoted: QuotedMail, mail: OutgoingMail) -> str:
    text = _tidy(quoted.text)[:QUOTE_LIMIT].rstrip()
    if mail.kind is MailKind.FORWARD:
        return "\n".join([_FORWARDED, *_forwarded_lines(quoted, mail), "", text])
    lines = (f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in text.split("\n"))
    return "\n".join([attribution(quoted, mail.language, mail.zone), *lines])


def _html_quote(quoted: QuotedMail, mail: OutgoingMail) -> str:
    inner = quoted_html(quoted)
    if mail.kind is MailKind.FORWARD:
        head = "<br>\n".join(escape(line) for line in (_FORWARDED, *_forwarded_lines(quoted, mail)))
        return f'<div class="gmail_quote">\n<div dir="auto">{head}</div><br>\n{inner}</div>\n'
    return (
        '<div class="gmail_quote">\n'
        f'<div dir="auto" class="gmail_attr">{escape(attribution(quoted, mail.language, mail.zone))}</div>\n'
        '<blockquote type="cite" class="gmail_quote" '
        'style="margin:0 0 0 0.8ex;border-left:1px solid #ccc;padding-left:1ex">\n'
        f"{inner}</blockquote>\n</div>\n"
    )


def quoted_html(quoted: QuotedMail) -> str:
    """The quoted mail as it looked, made safe, without its pictures: those from elsewhere would tell who reads the answer.
    Its text where it has no HTML, or so much that nobody would want it back."""
    if quoted.html is not None and len(quoted.html) <= QUOTE_LIMIT:
        safe = make_safe(quoted.html, inline={}, show_remote=False).html
        return f"<div>{_PICTURE_WITHOUT_SOURCE.sub('', safe)}</div>\n"
    return markup.plain_to_html(_tidy(quoted.text)[:QUOTE_LIMIT].rstrip())


# --- who wrote what, and when -----------------------------------------------------------------------------------------

# Gmail's line, which every mail program knows as the head of a forwarded mail, whatever its own language.
_FORWARDED = "---------- Forwarded message ---------"


@dataclass(frozen=True, slots=True)
class _Words:
    """How a language says that somebody wrote at some time. `moment` takes day, month, year and time."""

    months: tuple[str, ...]
    moment: str
    wrote_at: str
    wrote: str


_LANGUAGES: dict[str, _Words] = {
    "en": _Words(
        (
            *("January", "February", "March", "April", "May", "June"),
            *("July", "August", "September", "October", "November", "December"),
        ),
        "{day} {month} {year}, {time}",
        "On {moment}, {name} wrote:",
        "{name} wrote:",
    ),
    "uk": _Words(
        (
            *("січня", "лютого", "березня", "квітня", "травня", "червня"),
            *("липня", "серпня", "вересня", "жовтня", "листопада", "грудня"),
        ),
        "{day} {month} {year} р. о {time}",
        "{moment} {name} пише:",
        "{name} пише:",
    ),
    "ru": _Words(
        (
            *("января", "февраля", "марта", "апреля", "мая", "июня"),
            *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
        ),
        "{day} {month} {year} г. в {time}",
        "{moment} {name} пишет:",
        "{name} пишет:",
    ),
    "hy": _Words(
        (
            *("հունվարի", "փետրվարի", "մարտի", "ապրիլի", "մայիսի", "հունիսի"),
            *("հուլիսի", "օգոստոսի", "սեպտեմբերի", "հոկտեմբերի", "նոյեմբերի", "դեկտեմբերի"),
        ),
        "{year} թ. {month} {day}-ին, {time}",
        "{moment}, {name} գրել է:",
        "{name} գրել է:",
    ),
    "ka": _Words(
        (
            *("იანვარს", "თებერვალს", "მარტს", "აპრილს", "მაისს", "ივნისს"),
            *("ივლისს", "აგვისტოს", "სექტემბერს", "ოქტომბერს", "ნოემბერს", "დეკემბერს"),
        ),
        "{year} წლის {day} {month}, {time}",
        "{moment}, {name} წერს:",
        "{name} წერს:",
    ),
    "az": _Words(
        (
            *("yanvar", "fevral", "mart", "aprel", "may", "iyun"),
            *("iyul", "avqust", "sentyabr", "oktyabr", "noyabr", "dekabr"),
        ),
        "{day} {month} {year}, {time}",
        "{moment} tarixində {name} yazdı:",
        "{name} yazdı:",
    ),
}


def attribution(quoted: QuotedMail, language: str, zone: str) -> str:
    """The line above quoted history: "On 3 November 2026, 10:12, Ani wrote:". English for a language not known here."""
    words = _LANGUAGES.get(language.partition("-")[0].lower(), _LANGUAGES["en"])
    name = one_line(quoted.sender.name)[:_NAME_LIMIT] or one_line(quoted.sender.address)
    if quoted.sent_at is None:
        return words.wrote.format(name=name)
    return words.wrote_at.format(moment=_moment(quoted.sent_at, words, zone), name=name)


def _forwarded_lines(quoted: QuotedMail, mail: OutgoingMail) -> Iterable[str]:
    yield f"From: {_shown(quoted.sender)}"
    if quoted.sent_at is not None:
        # In the language of the lines around it.
        yield f"Date: {_moment(quoted.sent_at, _LANGUAGES['en'], mail.zone)}"
    yield f"Subject: {one_line(quoted.subject)}"
    if quoted.to:
        yield f"To: {', '.join(_shown(box) for box in quoted.to[:50])}"


def _shown(box: Mailbox) -> str:
    name = one_line(box.name)[:_NAME_LIMIT]
    return f"{name} <{one_line(box.address)}>" if name else one_line(box.address)


def _moment(at: datetime, words: _Words, zone: str) -> str:
    there = at.astimezone(_zone(zone))
    return words.moment.format(
        day=there.day, month=words.months[there.month - 1], year=there.year, time=f"{there:%H:%M}"
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
