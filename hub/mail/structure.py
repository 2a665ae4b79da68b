"""The tree of a message: what is nested in what, as bytes, before anybody asks what it means.

    read_tree(raw)     the message as an Entity with its children; raises MailUnreadable over a limit
    Entity.content()   a leaf's bytes with the transfer encoding undone

A parser of our own instead of `email.parser`: that one is quadratic on some inputs (3.11), keeps several copies of a
25 MB message, and unfolds what nobody asked for. Here the tree is offsets into the raw bytes; a boundary is found by a
search in C; each level of nesting costs one pass, and levels and boundaries are limited.

What is broken is read as well as it can be: a boundary that is never closed ends with its parent, a multipart whose
boundary never comes (or is not told) is looked through for one, and is text after that.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hub.errors import InvalidInput
from hub.mail.headers import Headers, from_base64, parameters, split

# The longest honest mails (a forwarded chain of scans) have some hundred parts; "thousands of parts" is an attack.
PART_LIMIT = 500
# Each forward with attachments nests one or two levels; messages within messages are not descended into.
DEPTH_LIMIT = 30
# Lines that begin like a boundary and are none cost a look each.
CANDIDATE_LIMIT = 20_000
BOUNDARY_LIMIT = 250


# RFC 6838, section 4.2.
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


class MailUnreadable(InvalidInput):
    """The message cannot be taken apart. `code`: empty, no_headers, too_many_parts, too_deep, no_such_part, unreadable."""

    code = "unreadable"


@dataclass(frozen=True, slots=True)
class Entity:
    """A message or a part. `start` and `end` are where its body lies in `raw`. `children` are those of a multipart."""

    raw: bytes = field(repr=False)
    headers: Headers
    start: int
    end: int
    media_type: str
    type_parameters: dict[str, str]
    disposition: str
    disposition_parameters: dict[str, str]
    children: tuple[Entity, ...] = ()

    @property
    def is_multipart(self) -> bool:
        return bool(self.children)

    def body(self) -> bytes:
        return self.raw[self.start : self.end]

    def content(self) -> bytes:
        """The body with its transfer encoding undone; as it stands where the encoding is unknown."""
        return decoded(self.body(), self.headers.word("content-transfer-encoding"))

    def walk(self) -> Iterator[Entity]:
        """This entity and all below it, parents first, in the order of the message."""
        yield self
        for child in self.children:
            yield from child.walk()


def read_head(raw: bytes) -> tuple[bytes, Headers, int]:
    """`raw` without what transports put before it, its fields, and where its body begins in it. Raises MailUnreadable
    (empty, no_headers)."""
    raw = _without_wrapping(raw)
    if not raw:
        raise MailUnreadable("the message is empty", code="empty")
    headers, body = split(raw, 0, len(raw))
    if not headers.fields:
        raise MailUnreadable("the message has no headers", code="no_headers")
    return raw, headers, body


def read_tree(raw: bytes) -> Entity:
    """`raw` as a tree. Raises MailUnreadable (empty, no_headers, too_many_parts, too_deep) and nothing else."""
    raw, headers, body = read_head(raw)
    return _Reader(raw).entity(headers, body, len(raw), "text/plain", 0)


_BEFORE_HEADERS = re.compile(rb"[\s\0]*(?:>?From [^\n]*\n)?")


def _without_wrapping(raw: bytes) -> bytes:
    """The message without what transports put before it (a byte order mark, empty lines, an mbox line), and with line
    ends that are line ends: a few old senders write bare CR throughout."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    before = _BEFORE_HEADERS.match(raw)
    raw = raw[before.end() :] if before and before.end() else raw
    if b"\r" in raw[:4096] and b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    elif b"\r\r\n" in raw[:4096]:
        # Sent through a gateway that made CRLF of the LF in a CRLF.
        raw = raw.replace(b"\r\r\n", b"\r\n")
    return raw


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.parts_left = PART_LIMIT
        self.candidates_left = CANDIDATE_LIMIT

    def entity(self, headers: Headers, start: int, end: int, default_type: str, depth: int) -> Entity:
        media_type, type_parameters = parameters(headers.first("content-type"))
        if not _MEDIA_TYPE.fullmatch(media_type):
            # "text" alone was legal once, "*/*" is what some phones say; a file under such a type is just bytes.
            is_file = depth > 0 and bool(media_type) and media_type != "text" and "name" in type_parameters
            media_type = "application/octet-stream" if is_file else default_type
        disposition, disposition_parameters = parameters(headers.first("content-disposition"))
        children: tuple[Entity, ...] = ()
        if media_type.startswith("multipart/"):
            if depth >= DEPTH_LIMIT:
                raise MailUnreadable(f"parts are nested over {DEPTH_LIMIT} levels deep", code="too_deep")
            boundary = type_parameters.get("boundary", "").encode("utf-8", "replace").rstrip()
            if headers.word("content-transfer-encoding") == "base64":
                # Forbidden (RFC 2045, 6.4), and there is nothing to find in it.
                boundary = b""
            inner = "message/rfc822" if media_type == "multipart/digest" else "text/plain"
            children = self._children(boundary, start, end, inner, depth)
            if not children:
                media_type = "text/plain"
        return Entity(
            self.raw,
            headers,
            start,
            end,
            media_type,
            type_parameters,
            disposition,
            disposition_parameters,
            children,
        )

    def _children(self, boundary: bytes, start: int, end: int, inner: str, depth: int) -> tuple[Entity, ...]:
        spans = self._between(boundary, start, end) if 0 < len(boundary) <= BOUNDARY_LIMIT else []
        if not spans:
            found = _LIKELY_BOUNDARY.search(self.raw, start, end)
            spans = self._between(found[1].rstrip(), start, end) if found else []
        children = []
        for part_start, part_end in spans:
            self.parts_left -= 1
            if self.parts_left < 0:
                raise MailUnreadable(f"the message has over {PART_LIMIT} parts", code="too_many_parts")
            headers, body = split(self.raw, part_start, part_end)
            children.append(self.entity(headers, body, part_end, inner, depth + 1))
        return tuple(children)

    def _between(self, boundary: bytes, start: int, end: int) -> list[tuple[int, int]]:
        """Where the parts lie between the lines of `boundary`; the last one reaches to the end if that never comes."""
        raw, delimiter = self.raw, b"--" + boundary
        spans: list[tuple[int, int]] = []
        opened = -1
        at = start
        while True:
            found = raw.find(delimiter, at, end)
            if found < 0:
                break
            at = found + len(delimiter)
            if found != start and raw[found - 1] != 10:
                self._count()
                continue
            line_end = raw.find(b"\n", at, min(end, at + 1_000))
            rest = raw[at : line_end if line_end >= 0 else min(end, at + 1_000)].strip()
            is_last = rest.startswith(b"--") and not rest[2:].strip(b"-")
            if rest and not is_last:
                self._count()
                continue
            if opened >= 0:
                spans.append((opened, max(opened, self._before_line_end(found))))
                if len(spans) > PART_LIMIT:
                    raise MailUnreadable(f"the message has over {PART_LIMIT} parts", code="too_many_parts")
            opened = -1
            if is_last:
                break
            opened = at = line_end + 1 if line_end >= 0 else end
        if opened >= 0 and opened < end:
            spans.append((opened, end))
        return spans

    def _count(self) -> None:
        self.candidates_left -= 1
        if self.candidates_left < 0:
            raise MailUnreadable("the message has too many lines that look like boundaries", code="too_many_parts")

    def _before_line_end(self, at: int) -> int:
        """The line end before a boundary belongs to the boundary (RFC 2046, 5.1.1)."""
        return at - 2 if self.raw.startswith(b"\r\n", at - 2) else at - 1


# A line of dashes and something, and a part's header at once below it.
_LIKELY_BOUNDARY = re.compile(
    rb"^--([^\s-][^\r\n]{3,200}|-[^\r\n]{3,200})\r?\nContent-[A-Za-z-]{2,30}:", re.MULTILINE | re.IGNORECASE
)


# --- transfer encodings -----------------------------------------------------------------------------------------------


def decoded(body: bytes, encoding: str) -> bytes:
    """`body` with the transfer encoding of that name undone."""
    encoding = encoding.strip("\"' ")
    if encoding == "base64" or encoding == "b":
        return from_base64(body)
    if encoding in ("quoted-printable", "quotedprintable", "q"):
        return binascii.a2b_qp(body)
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return _from_uuencode(body)
    return body


def _from_uuencode(body: bytes) -> bytes:
    out: list[bytes] = []
    lines = body.splitlines()
    begins = next((place for place, line in enumerate(lines) if line.startswith(b"begin ")), -1)
    for line in lines[begins + 1 :]:
        if line.strip() == b"end":
            break
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders pad a line wrongly: what its length byte promises is there all the same.
            length = ((line[0] - 32) & 63) if line else 0
            try:
                out.append(binascii.a2b_uu(line[: 1 + (length * 4 + 2) // 3]))
            except binascii.Error:
                continue
    return b"".join(out)
