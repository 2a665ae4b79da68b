"""Raw mail, read: bytes in, one value out, whatever the bytes are.

    parse_mail(raw)             the message as an IncomingMail
    extract_part(raw, number)   the content of one of its files (extract_parts: of several, read once)
    arrival_key(raw)            what is the same in every copy of the message: the key of once-only

    raw ─ structure.read_tree ─► Entity ─ _Body ─► texts, HTML, files ─► spans (hub.mail.quoting)
                                   └─ reports, noise, addresses: from the headers

Bodies: of alternatives the best text and the HTML, of related parts the root, of anything else all texts in order. What
is no body is a file; attached messages, signatures and calendars are files, too, and are never mixed into the text.
Files are numbered in the order of the message, those inside a winmail.dat at its place.

Invariants: nothing raises but MailUnreadable; linear time; texts are cut at stated sizes (the raw message is kept
whole); everything passes clean_text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz
from urllib.parse import unquote

from hub.channels.channel import clean_text
from hub.domain.mail import IncomingMail, Mailbox, MailPart, Span, SpanKind
from hub.mail import noise, quoting, reports
from hub.mail.addresses import normal_address, parse_mailboxes
from hub.mail.charsets import codec_name, decode
from hub.mail.filenames import TYPES, file_name, safe_name, told_name
from hub.mail.flowed import unflow
from hub.mail.headers import Headers, text_of
from hub.mail.invitation import invitation_text
from hub.mail.rtf import unpack_rtf
from hub.mail.structure import PART_LIMIT, Entity, MailUnreadable, read_head, read_tree
from hub.mail.tnef import Tnef, TnefFile, TnefUnreadable, read_tnef

__all__ = ["MailUnreadable", "arrival_key", "extract_part", "extract_parts", "parse_mail"]

# A book has a million letters; what is behind them can be read in the raw message.
TEXT_LIMIT = 1_000_000
HTML_LIMIT = 2_000_000
# RFC 5322, 2.1.1: a line of 998 characters; no subject needs more.
SUBJECT_LIMIT = 998
REFERENCE_LIMIT = 100
# All fields of one name together: some thousand mailboxes with their names. (Signs without an address in them cost 0.6 µs
# each: half a second for a header block full of them.)
ADDRESSES_LIMIT_BYTES = 200_000
# Recipients of one mail that are kept as addresses (a list's own headers may name thousands).
RECIPIENT_LIMIT = 1_000

# Where transports and forwarders leave the address that a copy was really sent to.
_RECIPIENT_FIELDS = (
    *("delivered-to", "x-delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-forwarded-to"),
    *("apparently-to", "to", "cc", "bcc", "resent-to", "resent-cc"),
)


def parse_mail(raw: bytes, *, envelope_to: Sequence[str] = (), own_addresses: Collection[str] = ()) -> IncomingMail:
    """`raw` as it came from the wire or the mail box. `envelope_to` are the recipients of the SMTP envelope where known,
    `own_addresses` ours in their normal form: a mail from one of them is Noise.OWN. Raises MailUnreadable."""
    tree = read_tree(raw)
    headers = tree.headers
    body = _Body()
    body.take(tree)
    html = body.page()
    spans = _spans(body.plain(), html)
    if not any(span.text.strip() for span in spans):
        invitation = body.invitation()
        spans = (Span(SpanKind.WRITTEN, invitation),) if invitation else ()
    report = reports.find_report(tree)
    senders = _mailboxes(headers, "from") or _mailboxes(headers, "sender")
    kind, word = noise.judge(
        headers,
        senders=senders,
        own_addresses=own_addresses,
        is_report=report is not None,
        is_read_receipt=reports.is_read_receipt(tree),
    )
    to, cc = _mailboxes(headers, "to"), _mailboxes(headers, "cc")
    return IncomingMail(
        message_id=reports.message_id(headers.text("message-id")),
        in_reply_to=_message_ids(headers.all("in-reply-to")),
        references=_message_ids(headers.all("references")),
        subject=headers.text("subject")[:SUBJECT_LIMIT],
        senders=senders,
        reply_to=_mailboxes(headers, "reply-to"),
        to=to,
        cc=cc,
        recipients=_recipients(headers, envelope_to, (*to, *cc)),
        sent_at=_moment(headers.text("date")),
        spans=tuple(Span(span.kind, clean_text(span.text)) for span in spans),
        html=html,
        parts=_parts(body.files, html),
        noise=kind,
        noise_word=word,
        refuses_automatic_answers=noise.refuses_automatic_answers(headers),
        report=report,
        size_bytes=len(raw),
        fault="header_cut" if headers.is_cut else "text_cut" if body.is_cut else body.fault,
    )


def extract_part(raw: bytes, number: int) -> tuple[str, str, bytes]:
    """Name, media type and content of the file that IncomingMail.parts lists under `number`. Raises MailUnreadable, with
    the code no_such_part when there is none."""
    for found, name, media_type, content in extract_parts(raw, (number,)):
        if found == number:
            return name, media_type, content
    raise MailUnreadable(f"the message has no part {number}", code="no_such_part")


def extract_parts(raw: bytes, numbers: Collection[int]) -> Iterator[tuple[int, str, str, bytes]]:
    """Number, name, media type and content of each of these files that there is, having read the message once. Raises
    MailUnreadable."""
    body = _Body()
    body.take(read_tree(raw))
    for found in body.files:
        if found.number in numbers:
            yield found.number, found.name, found.media_type, found.content()


_KEY_FIELDS = ("message-id", "date", "from", "subject")


def arrival_key(raw: bytes) -> str:
    """The same for every copy of a message, by whichever way it came: its own fields and body, not what transports add
    on the way, nor how they end lines. Never raises: bytes that are no mail are their own key."""
    digest = hashlib.sha256()
    try:
        whole, headers, start = read_head(raw)
    except MailUnreadable:
        digest.update(raw.replace(b"\r\n", b"\n").strip())
        return "mail:" + digest.hexdigest()
    for name in _KEY_FIELDS:
        for value in headers.all(name):
            digest.update(name.encode() + b":" + b" ".join(value.split()) + b"\n")
    digest.update(b"\n")
    # Transports end the last line, or do not.
    digest.update(whole[start:].replace(b"\r\n", b"\n").rstrip(b"\r\n"))
    return "mail:" + digest.hexdigest()


# --- addresses, ids, dates --------------------------------------------------------------------------------------------


def _mailboxes(headers: Headers, name: str) -> tuple[Mailbox, ...]:
    """The mailboxes of all fields of that name, each address once."""
    found: dict[str, Mailbox] = {}
    room = ADDRESSES_LIMIT_BYTES
    for value in headers.all(name):
        for mailbox in parse_mailboxes(value[:room]):
            found.setdefault(mailbox.address, mailbox)
        room -= len(value)
        if room <= 0:
            break
    return tuple(found.values())


def _recipients(headers: Headers, envelope_to: Iterable[str], told: Iterable[Mailbox]) -> tuple[str, ...]:
    found = {address: None for text in envelope_to if (address := normal_address(text)) is not None}
    found.update(
        (mailbox.address, None)
        for name in _RECIPIENT_FIELDS
        if name not in ("to", "cc")
        for mailbox in _mailboxes(headers, name)
    )
    found.update((mailbox.address, None) for mailbox in told)
    return tuple(found)[:RECIPIENT_LIMIT]


# A chain of a thousand ids is longer than any conversation.
_ID_LIMIT_BYTES = 100_000
_IN_BRACKETS = re.compile(r"<([^<>]{1,2000})>")


def _message_ids(values: list[bytes]) -> tuple[str, ...]:
    """Message-IDs in order, each once; of a very long chain its beginning and its end."""
    text = " ".join(text_of(value[:_ID_LIMIT_BYTES]) for value in values[:5])
    found = [re.sub(r"\s+", "", match) for match in _IN_BRACKETS.findall(text)]
    if not found:
        # Without brackets: words with an at sign (old clients and some ticket systems).
        found = [word.strip("<>,;") for word in text.split() if "@" in word]
    unique = list(dict.fromkeys(word for word in found if word and len(word.encode()) <= reports.ID_LIMIT_BYTES))
    if len(unique) > REFERENCE_LIMIT:
        unique = [unique[0], *unique[-(REFERENCE_LIMIT - 1) :]]
    return tuple(unique)


def _moment(value: str) -> datetime | None:
    """A Date field in UTC; a date without a zone is taken as UTC (RFC 5322, 3.3: "-0000")."""
    text = value[:100]
    try:
        numbers = parsedate_tz(text)
        if numbers is None:
            moment = datetime.fromisoformat(text.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        year, month, day, hour, minute, second = numbers[:6]
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
        return moment - timedelta(seconds=numbers[9] or 0)
    except (ValueError, OverflowError, IndexError, TypeError):
        # parsedate_tz raises what its arithmetic raises on odd input (3.11).
        return None


# --- bodies and files -------------------------------------------------------------------------------------------------

_IGNORED_ALTERNATIVES = frozenset(("text/x-amp-html", "text/watch-html", "text/enriched", "text/richtext"))
_TNEF_TYPES = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))


@dataclass(frozen=True, slots=True)
class _Segment:
    """One run of the body: a text, an HTML, or both in two versions."""

    text: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    number: int
    name: str
    media_type: str
    entity: Entity
    inside: TnefFile | None = None
    content_id: str | None = None

    def content(self) -> bytes:
        return self.entity.content() if self.inside is None else self.inside.content


@dataclass(slots=True)
class _Body:
    """Collects what a message holds, walking its tree once. Numbers count files from 1."""

    segments: list[_Segment] = field(default_factory=list)
    files: list[_File] = field(default_factory=list)
    calendars: list[Entity] = field(default_factory=list)
    is_cut: bool = False
    fault: str | None = None

    def take(self, entity: Entity) -> None:
        self.segments.extend(self._segments(entity, has_text=False))

    def _segments(self, entity: Entity, *, has_text: bool) -> list[_Segment]:
        """The body segments below `entity`; its files are added on the way. `has_text`: a body came before it."""
        if entity.media_type == "multipart/alternative" and entity.children:
            return self._alternatives(entity)
        if entity.media_type == "multipart/related" and entity.children:
            return self._related(entity, has_text=has_text)
        if entity.children:
            segments: list[_Segment] = []
            for child in entity.children:
                segments.extend(self._segments(child, has_text=has_text or bool(segments)))
            return segments
        if _is_body(entity, has_text=has_text):
            text = self._text(entity)
            if entity.media_type == "text/html":
                return [_Segment(html=text)] if text.strip() else []
            return [_Segment(text=text)] if text.strip() else []
        return self._file(entity)

    def _alternatives(self, entity: Entity) -> list[_Segment]:
        texts: list[_Segment] = []
        pages: list[_Segment] = []
        for child in entity.children:
            if child.media_type in _IGNORED_ALTERNATIVES and child.disposition != "attachment":
                continue
            for segment in self._segments(child, has_text=False):
                (pages if segment.html else texts).append(segment)
        # The last one is the richest (RFC 2046, 5.1.4); but Apple Mail puts its text between the HTML of a mixed one.
        text = "\n".join(segment.text for segment in (*texts, *pages) if segment.text.strip())
        html = "\n".join(segment.html for segment in pages)
        return [_Segment(text, html)] if text.strip() or html.strip() else []

    def _related(self, entity: Entity, *, has_text: bool) -> list[_Segment]:
        start = entity.type_parameters.get("start", "").strip("<> ")
        root = entity.children[0]
        if start:
            root = next((child for child in entity.children if _content_id(child) == start), root)
        segments: list[_Segment] = []
        for child in entity.children:
            if child is root:
                segments.extend(self._segments(child, has_text=has_text))
            elif child.children:
                segments.extend(self._segments(child, has_text=True))
            else:
                segments.extend(self._file(child))
        return segments

    def _text(self, entity: Entity) -> str:
        content = entity.content()
        limit = HTML_LIMIT if entity.media_type == "text/html" else TEXT_LIMIT
        # Four bytes a letter at most; what is cut in the middle of one is forgiven.
        if len(content) > limit * 4:
            content, self.is_cut = content[: limit * 4], True
        label = entity.type_parameters.get("charset")
        if entity.media_type == "text/html" and codec_name(label) in (None, "ascii"):
            label = _label_in_html(content) or label
        text = decode(content, label).replace("\r\n", "\n").replace("\r", "\n")
        if len(text) > limit:
            text, self.is_cut = text[:limit], True
        if entity.media_type != "text/html" and entity.type_parameters.get("format", "").lower() == "flowed":
            text = unflow(text, delsp=entity.type_parameters.get("delsp", "").lower() == "yes")
        return text

    def _file(self, entity: Entity) -> list[_Segment]:
        """Adds the file; gives segments only where a winmail.dat holds the text of the mail."""
        name = told_name(entity)
        if entity.media_type in _TNEF_TYPES or name.lower() == "winmail.dat":
            try:
                return self._unwrapped(entity, read_tnef(entity.content()))
            except TnefUnreadable:
                self.fault = "tnef_unreadable"
        if entity.media_type == "text/calendar":
            self.calendars.append(entity)
        self._add(file_name(name, entity), entity.media_type, entity, content_id=_content_id(entity))
        return []

    def _unwrapped(self, entity: Entity, tnef: Tnef) -> list[_Segment]:
        for file in tnef.files:
            media_type = (
                file.media_type.lower() if re.fullmatch(r"[\w.+-]{1,60}/[\w.+-]{1,66}", file.media_type) else ""
            )
            media_type = media_type or TYPES.get(file.name.rpartition(".")[2].lower(), "application/octet-stream")
            self._add(safe_name(file.name) or "file", media_type, entity, file, file.content_id)
        if tnef.rtf and not (tnef.text or tnef.html):
            # The letter itself, in a form that only a word processor reads.
            rtf = unpack_rtf(tnef.rtf)
            name, media_type = (
                ("message.rtf", "application/rtf") if rtf else ("message.rtf.packed", "application/octet-stream")
            )
            self._add(name, media_type, entity, TnefFile(content=rtf or tnef.rtf))
        return [_Segment(tnef.text, tnef.html)] if tnef.text.strip() or tnef.html.strip() else []

    def _add(
        self, name: str, media_type: str, entity: Entity, inside: TnefFile | None = None, content_id: str | None = None
    ) -> None:
        if len(self.files) >= PART_LIMIT:
            raise MailUnreadable(f"the message has over {PART_LIMIT} files", code="too_many_parts")
        self.files.append(_File(len(self.files) + 1, name, media_type, entity, inside, content_id))

    def page(self) -> str | None:
        """The whole HTML, plain texts between it included; None without any."""
        if not any(segment.html for segment in self.segments):
            return None
        html = "\n".join(segment.html or f"<pre>{_escaped(segment.text)}</pre>" for segment in self.segments)
        if len(html) > HTML_LIMIT:
            html, self.is_cut = html[:HTML_LIMIT], True
        return html

    def plain(self) -> str | None:
        """The whole text; None where some of it stands in the HTML alone."""
        if any(segment.html and not segment.text.strip() for segment in self.segments):
            return None
        text = "\n\n".join(kept for segment in self.segments if (kept := segment.text.strip("\n").rstrip()))
        if len(text) > TEXT_LIMIT:
            text, self.is_cut = text[:TEXT_LIMIT], True
        return clean_text(text)

    def invitation(self) -> str:
        """The first calendar among the files in a few lines: for mails with nothing else to read."""
        for part in self.calendars:
            told = invitation_text(decode(part.content(), part.type_parameters.get("charset") or "utf-8"))
            if told:
                return told
        return ""


def _is_body(entity: Entity, *, has_text: bool) -> bool:
    if entity.media_type not in ("text/plain", "text/html") or entity.disposition == "attachment":
        return False
    if entity.disposition_parameters.keys() & {"filename"}:
        return False
    # A name in Content-Type alone: some senders name their bodies, others send files so.
    return not (has_text and "name" in entity.type_parameters)


_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{2,40})""", re.IGNORECASE)


def _label_in_html(content: bytes) -> str | None:
    found = _META_CHARSET.search(content[:4096])
    return found[1].decode("ascii") if found else None


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _content_id(entity: Entity) -> str | None:
    value = entity.headers.text("content-id").strip("<> ")
    return value[:250] or None


_CID = re.compile(r"cid:([^\"'\s<>)]{1,250})", re.IGNORECASE)


def _parts(files: list[_File], html: str | None) -> tuple[MailPart, ...]:
    shown = {unquote(name) for name in _CID.findall(html)} if html else set()
    return tuple(
        MailPart(
            file.number,
            file.name,
            file.media_type,
            len(file.content()),
            file.content_id,
            file.content_id is not None and file.content_id in shown,
        )
        for file in files
    )


# --- text -------------------------------------------------------------------------------------------------------------


def _spans(text: str | None, html: str | None) -> tuple[Span, ...]:
    """`text` is None where some of it stands in the HTML alone."""
    return quoting.split_html(html, text) if html is not None else quoting.split_text(text or "")
