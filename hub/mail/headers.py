"""Header fields as they are found: split, unfolded, and read as text, with no standard taken for granted.

    split(raw)              the fields of a message or part, and where its body begins
    text_of(value)          a raw value as text: encoded words (RFC 2047) read, also where they have no business to be
    parameters(value)       "text/plain; charset=x" as its word and its parameters (RFC 2045, RFC 2231, and their wrecks)

Values are kept as raw bytes until somebody asks, since their charset is anybody's guess. The standard library's header
registry is not used: it is quadratic in long address lists and raises what it likes on broken ones (3.11).

Invariants: linear time; a header block over HEADER_LIMIT_BYTES is cut there; nothing raises.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hub.channels.channel import clean_text
from hub.mail.charsets import codec_name, decode

# Postfix takes 100 kB of headers by default (header_size_limit), Exchange 256 kB, Gmail 500 kB; what is behind that was
# written by nobody.
HEADER_LIMIT_BYTES = 512 * 1024
FIELD_LIMIT = 5_000
# A field that is read as text: RFC 5322 has lines of 998 characters, encoded words make three of one.
TEXT_FIELD_LIMIT_BYTES = 20_000
# RFC 2231 values in pieces (name*0, name*1 …): a name of 10 kB is none.
PARAMETER_LIMIT = 200
PARAMETER_HEADER_LIMIT = 20_000

_END = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")
# Fields that a mail really has: a line that is no field is a badly folded one if one of these follows, else the body.
_WELL_KNOWN = re.compile(
    rb"\n(?:content-|x-|received|from|to|cc|sender|subject|date|message-id|mime-version|references|in-reply-to|reply-to|"
    rb"dkim-|arc-|list-|return-path|delivered-to|authentication-|user-agent|importance|precedence|auto-)[!-9;-~]*[ \t]*:",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Headers:
    """Raw values by lower-case name, each name's in their order, unfolded (line ends removed, white space kept)."""

    fields: dict[str, list[bytes]] = field(default_factory=dict)
    is_cut: bool = False

    def first(self, name: str) -> bytes | None:
        values = self.fields.get(name)
        return values[0] if values else None

    def all(self, name: str) -> list[bytes]:
        return self.fields.get(name, [])

    def text(self, name: str) -> str:
        """The first value as text, "" without one."""
        value = self.first(name)
        return "" if value is None else text_of(value[:TEXT_FIELD_LIMIT_BYTES])

    def word(self, name: str) -> str:
        """The first value as a machine's word: lower case, without comments and parameters."""
        value = self.first(name)
        if value is None:
            return ""
        return value[:200].decode("ascii", "replace").partition(";")[0].partition("(")[0].strip().lower()

    def __contains__(self, name: str) -> bool:
        return name in self.fields


def split(raw: bytes, start: int, end: int) -> tuple[Headers, int]:
    """The fields of the message or part in `raw[start:end]`, and where its body begins. Line ends are CRLF or LF."""
    if raw.startswith((b"\n", b"\r\n"), start, end):
        return Headers(), min(end, start + (1 if raw[start] == 10 else 2))
    found = _END.search(raw, start, end)
    block_end, body = (found.start(), found.end()) if found else (end, end)
    is_cut = block_end - start > HEADER_LIMIT_BYTES
    block = raw[start : min(block_end, start + HEADER_LIMIT_BYTES)]

    fields: dict[str, list[bytes]] = {}
    at = count = 0
    value: list[bytes] = []
    name = ""
    last_known: int | None = None  # where the last well-known field begins; looked for once
    for line in block.split(b"\n"):
        match = _FIELD.match(line)
        if line.startswith((b" ", b"\t")):
            value.append(line)
        elif match:
            if name:
                fields.setdefault(name, []).append(_unfolded(value))
                count += 1
            name, value = match[1].decode("ascii").lower(), [line[match.end() :]]
        elif not line.startswith((b"From ", b">From ")):
            if last_known is None:
                last_known = max((known.start() for known in _WELL_KNOWN.finditer(block, at)), default=-1)
            if last_known < at:
                # The empty line between header and body is missing.
                body, is_cut = start + at, False
                break
            value.append(b" " + line)
        at += len(line) + 1
        if count > FIELD_LIMIT:
            is_cut = True
            break
    if name:
        fields.setdefault(name, []).append(_unfolded(value))
    return Headers(fields, is_cut), min(body, end)


def _unfolded(lines: list[bytes]) -> bytes:
    return b"".join(lines).replace(b"\r", b" ").strip() if len(lines) > 1 else lines[0].replace(b"\r", b" ").strip()


# --- encoded words ----------------------------------------------------------------------------------------------------

_WORD_START = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?")
_SPACE = re.compile(r"\s+")
_Q_CODE = re.compile(rb"=([0-9A-Fa-f]{2})")


def text_of(value: bytes, label: str | None = None) -> str:
    """A raw header value as text on one line that can be stored. `label` is the charset of bytes that are not encoded."""
    text = value.decode("ascii") if value.isascii() and b"\x1b" not in value else decode(value, label)
    return clean_text(_SPACE.sub(" ", decode_words(text)).strip())


def decode_words(text: str) -> str:
    """`text` with its encoded words read. A character cut in two between neighbours is made whole again."""
    if "=?" not in text:
        return text
    return "".join(_words(text))


def _words(text: str) -> Iterator[str]:
    at = 0
    group: list[tuple[str, str, str]] = []  # neighbouring words: charset, encoding, payload
    while True:
        start = _WORD_START.search(text, at)
        # A payload ends at the first "?=" that is not itself the start of a code ("?=20" in sloppy Q encoding).
        end = _payload_end(text, start.end(), start[2]) if start else -1
        if start is None or end < 0:
            break
        between = text[at : start.start()]
        if between.strip() or (between and not group):
            yield from _flushed(group)
            yield between
        elif group and group[-1][0] != start[1].lower():
            yield from _flushed(group)
        group.append((start[1].lower(), start[2].lower(), text[start.end() : end]))
        at = end + 2
    yield from _flushed(group)
    yield text[at:]


def _payload_end(text: str, start: int, encoding: str) -> int:
    end = text.find("?=", start)
    if encoding in "qQ":
        while end >= 0 and _HEX_PAIR.match(text, end + 2):
            end = text.find("?=", end + 2)
    return end


_HEX_PAIR = re.compile(r"[0-9A-Fa-f]{2}")


def _flushed(group: list[tuple[str, str, str]]) -> Iterator[str]:
    if not group:
        return
    label = group[0][0]
    content: list[bytes] = []
    base64: list[str] = []
    for _, encoding, payload in group:
        if encoding == "b":
            base64.append(payload)
            # A word that ends within a group of four goes on in the next one.
            if len(payload.strip()) % 4 == 0:
                content.append(from_base64("".join(base64).encode("ascii", "replace")))
                base64 = []
        else:
            content.append(_from_q(payload))
    if base64:
        content.append(from_base64("".join(base64).encode("ascii", "replace")))
    group.clear()
    yield decode(b"".join(content), label)


def _from_q(payload: str) -> bytes:
    raw = payload.replace("_", " ").encode("utf-8", "replace")
    return _Q_CODE.sub(lambda code: bytes.fromhex(code[1].decode()), raw)


# --- transfer encodings -----------------------------------------------------------------------------------------------

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(code for code in range(256) if code not in _BASE64)
# Several base64 texts behind one another happen (each with its own padding); a thousand of them are garbage.
_BASE64_PIECES = 1_000


def from_base64(content: bytes) -> bytes:
    """What can be read of base64: garbage is skipped, a cut end gives what it holds."""
    try:
        # The usual case, in one step in C: it skips what is not base64 and stops at the padding.
        padding = content.find(b"=")
        ends = padding + 100 >= len(content) and not content[padding:].strip(b"=\r\n \t")
        if padding < 0 or ends:
            return binascii.a2b_base64(content)
    except binascii.Error:
        pass
    plain = content.translate(None, _NOT_BASE64)
    pieces = plain.split(b"=") if plain.count(b"=") <= _BASE64_PIECES else [plain.translate(None, b"=")]
    return b"".join(map(_base64_piece, pieces))


def _base64_piece(piece: bytes) -> bytes:
    whole = piece[: len(piece) - 1] if len(piece) % 4 == 1 else piece
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


# --- parameters -------------------------------------------------------------------------------------------------------

_PARAMETER = re.compile(
    r"""([^\s=;"]{1,100})\s*=\s*(?:"((?:[^"\\]|\\.){0,4000})"?|([^;]*))""",
    re.DOTALL,
)
_SEPARATORS = re.compile(r"[;\s]+")
_PIECE = re.compile(r"(.+?)(?:\*(\d{1,3}))?(\*)?", re.DOTALL)
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


def parameters(value: bytes | None) -> tuple[str, dict[str, str]]:
    """The first word of a Content-Type or Content-Disposition in lower case, and its parameters, decoded. A parameter in
    RFC 2231's pieces is joined; one that stands both in that form and plainly is taken from the former."""
    if not value:
        return "", {}
    raw = value[:PARAMETER_HEADER_LIMIT]
    text = raw.decode("ascii") if raw.isascii() and b"\x1b" not in raw else decode(raw, None)
    word, _, rest = text.partition(";")
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    at = 0
    for _ in range(PARAMETER_LIMIT):
        separators = _SEPARATORS.match(rest, at)
        at = separators.end() if separators else at
        found = _PARAMETER.match(rest, at)
        if found is None:
            # Not a parameter: go on behind the next semicolon.
            at = rest.find(";", at) + 1
            if not at:
                break
            continue
        at = found.end()
        key = found[1].lower()
        content = _unescaped(found[2]) if found[2] is not None else found[3].strip()
        match = _PIECE.fullmatch(key)
        if match and (match[2] or match[3]):
            pieces.setdefault(match[1], {}).setdefault(int(match[2] or 0), (bool(match[3]), content))
        else:
            plain.setdefault(key, decode_words(content))
    for name, numbered in pieces.items():
        plain[name] = _joined(numbered)
    return word.partition("(")[0].strip().strip('"').lower(), plain


def _unescaped(text: str) -> str:
    # Windows' programs write paths with plain backslashes; only quotes and backslashes are ever escaped.
    return re.sub(r'\\(["\\])', r"\1", text) if "\\" in text else text


def _joined(numbered: dict[int, tuple[bool, str]]) -> str:
    label: str | None = None
    content: list[bytes] = []
    for place, (number, (is_encoded, told)) in enumerate(sorted(numbered.items())):
        piece = told
        if place == 0 and is_encoded and told.count("'") >= 2:
            label, _, piece = told.split("'", 2)
        raw = piece.encode("utf-8", "replace")
        content.append(_PERCENT.sub(lambda code: bytes.fromhex(code[1].decode()), raw) if is_encoded else raw)
        if number != place and place:
            break
    text = decode(b"".join(content), label if codec_name(label) else None)
    return decode_words(text)
