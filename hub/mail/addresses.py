"""Mail addresses out of headers, and their one normal form.

    parse_mailboxes(header)   every mailbox of an address header, groups flattened, in order
    normal_address(text)      lower case, domain in Unicode, NFC; None when it is no address

Real headers hold encoded words inside quotes, names without quotes that have commas, semicolons between addresses,
missing brackets, whole mailboxes inside one encoded word, and nothing at all between commas. What has no address in it
is left out, and nothing raises.

Invariants: linear time (one pass over the signs that mean something, a second one when a quote is never closed); at
most MAILBOX_LIMIT mailboxes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from hub.channels.channel import clean_text
from hub.domain.mail import Mailbox
from hub.mail.charsets import decode
from hub.mail.headers import decode_words

# A newsletter's own list may name thousands; nobody answers more than these. (Names in punycode cost 0.1 ms each.)
MAILBOX_LIMIT = 2_000
# RFC 5321, 4.5.3.1: 64 octets and 255. Bounce addresses of list servers are longer than the first in practice.
ADDRESS_LIMIT = 320
NAME_LIMIT = 200

_SPACE = re.compile(r"\s+")
_LOCAL = re.compile(r"[^\s\x00-\x1f\x7f<>()\[\]:;@,\"\\]+")
_DOMAIN = re.compile(r"[^\W_](?:[\w-]*[\w])?(?:\.[\w](?:[\w-]*[\w])?)*")
_LITERAL = re.compile(r"\[[0-9a-f:.]{2,45}\]|\[ipv6:[0-9a-f:.]{2,45}\]")


def normal_address(text: str) -> str | None:
    """The address in the form in which addresses are compared and kept; None when there is none in `text`."""
    text = text.strip()
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1].strip()
    if text[:7].lower() == "mailto:":
        text = text[7:].partition("?")[0]
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or len(text) > ADDRESS_LIMIT:
        return None
    if len(local) > 2 and local.startswith('"') and local.endswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
        local = unicodedata.normalize("NFC", local.lower())
        if not _LOCAL.fullmatch(local):
            # Only quotes make it an address at all.
            if any(ord(sign) < 32 or sign == "\x7f" for sign in local) or "\ufffd" in clean_text(local):
                return None
            local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        local = unicodedata.normalize("NFC", local.strip().lower())
        if not _LOCAL.fullmatch(local) or "\ufffd" in clean_text(local):
            return None
    host = _normal_domain(domain.strip())
    return None if host is None else f"{local}@{host}"


def _normal_domain(domain: str) -> str | None:
    domain = unicodedata.normalize("NFC", domain.lower()).rstrip(".")
    if len(domain) > 255:
        return None
    if domain.startswith("["):
        return domain if _LITERAL.fullmatch(domain) else None
    if "xn--" in domain:
        domain = ".".join(map(_unicode_label, domain.split(".")))
    return domain if _DOMAIN.fullmatch(domain) else None


def _unicode_label(label: str) -> str:
    # RFC 5890: a label is at most 63 octets; Python's punycode is quadratic beyond.
    if not label.startswith("xn--") or len(label) > 63 or not label.isascii():
        return label
    try:
        decoded = unicodedata.normalize("NFC", label[4:].encode().decode("punycode"))
        # Nobody registers a name of ASCII alone or of capitals in this form: it would forge another one.
        is_forged = decoded.isascii() or decoded != decoded.lower() or not _DOMAIN.fullmatch(decoded)
        return label if is_forged else decoded
    except (UnicodeError, OverflowError, ValueError):
        return label


# --- address lists ----------------------------------------------------------------------------------------------------

_SIGN = re.compile(r'["\\()<>,;:]')


@dataclass(slots=True)
class _Pieces:
    """What stands between two commas."""

    words: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    angle: str | None = None


def parse_mailboxes(header: str | bytes) -> tuple[Mailbox, ...]:
    """The mailboxes of an address header. Bytes are the raw value; a text may hold encoded words, too."""
    if isinstance(header, bytes):
        header = header.decode("ascii") if header.isascii() and b"\x1b" not in header else decode(header, None)
    pieces, is_closed = _split(header, has_quotes=True)
    if not is_closed:
        pieces, _ = _split(header, has_quotes=False)
    found: list[Mailbox] = []
    for piece in pieces:
        found.extend(_mailboxes(piece))
        if len(found) >= MAILBOX_LIMIT:
            break
    return tuple(found[:MAILBOX_LIMIT])


def _split(text: str, *, has_quotes: bool) -> tuple[list[_Pieces], bool]:
    """The pieces between separators, and whether every quote and comment was closed. Without `has_quotes` quotes and
    parentheses are letters like any other: the way to read a header in which one is never closed."""
    pieces: list[_Pieces] = []
    piece = _Pieces()
    at = depth = angle_at = 0
    in_quote = in_angle = False
    skip_at = sign_at = -1
    is_route = False
    held: list[str] = []  # of a quote or comment

    for sign in _SIGN.finditer(text):
        start, mark = sign.start(), sign[0]
        if start <= skip_at:
            continue
        if mark == "\\":
            if in_quote or depth:
                held.append(text[at:start])
                held.append(text[start + 1 : start + 2])
                at, skip_at = start + 2, start + 1
            continue
        if in_quote:
            if mark == '"':
                held.append(text[at:start])
                # Quotes before an at sign belong to the address, others only hold a name together.
                is_local = in_angle or text.startswith("@", start + 1)
                piece.words.append('"' + "".join(held) + '"' if is_local else "".join(held))
                held, at, in_quote = [], start + 1, False
                if in_angle:
                    held_angle = piece.words.pop()
                    piece.angle = (piece.angle or "") + held_angle
                    angle_at = at
            continue
        if depth:
            depth += (mark == "(") - (mark == ")")
            if depth == 0:
                held.append(text[at:start])
                piece.comments.append("".join(held))
                held, at = [], start + 1
            continue
        if in_angle:
            if mark == '"' and has_quotes and piece.angle is None and not text[angle_at : angle_at + 2].strip(' "'):
                at, in_quote = start + 1, True
                continue
            # A bracket that is not closed ends where the next mailbox begins, unless it holds a route.
            if mark == ">" or (mark in ",;<" and not is_route and 0 <= sign_at < start):
                piece.angle = (piece.angle or "") + text[angle_at:start]
                in_angle, at = False, start + 1
                if mark == "<":
                    pieces.append(piece)
                    piece, in_angle, angle_at = _Pieces(), True, start + 1
                    sign_at, is_route = _look_inside(text, angle_at)
                elif mark != ">":
                    pieces.append(piece)
                    piece = _Pieces()
            continue
        if mark == '"' and has_quotes:
            piece.words.append(text[at:start])
            at, in_quote = start + 1, True
        elif mark == "(" and has_quotes:
            piece.words.append(text[at:start])
            at, depth = start + 1, 1
        elif mark == "<":
            piece.words.append(text[at:start])
            if piece.angle is not None:
                pieces.append(piece)
                piece = _Pieces()
            in_angle, angle_at = True, start + 1
            sign_at, is_route = _look_inside(text, angle_at)
        elif mark in ",;":
            piece.words.append(text[at:start])
            pieces.append(piece)
            piece, at = _Pieces(), start + 1
        elif mark == ":" and "@" not in text[at:start] and piece.angle is None:
            # What stands before a colon names a group ("undisclosed-recipients:;") or a scheme ("mailto:").
            at = start + 1
            if piece.words or piece.comments:
                piece = _Pieces()
        if len(pieces) > MAILBOX_LIMIT * 2:
            return pieces, True
    if in_angle and not in_quote:
        piece.angle = (piece.angle or "") + text[angle_at:]
    elif not in_quote and not depth:
        piece.words.append(text[at:])
    pieces.append(piece)
    return pieces, not (in_quote or depth)


def _look_inside(text: str, start: int) -> tuple[int, bool]:
    """Where the next at sign behind an opening bracket is, and whether a route begins there."""
    is_route = text[start : start + 10].lstrip().startswith("@")
    # An address is short: what is further away belongs to another mailbox.
    return text.find("@", start + 1, start + ADDRESS_LIMIT), is_route


def _mailboxes(piece: _Pieces, *, is_inner: bool = False) -> Iterator[Mailbox]:
    if piece.angle is not None:
        inside = piece.angle.strip()
        # A route before the address (RFC 822): "@relay,@other:person@host".
        address = normal_address(inside.rpartition(":")[2] if inside.startswith("@") else inside)
        address = address or normal_address(decode_words(inside))
        if address is not None:
            yield Mailbox(address, _name(piece))
            return
    words = "".join(piece.words)
    if "@" in words:
        whole = normal_address(words) if words.lstrip().startswith('"') else None
        if whole is not None:
            yield Mailbox(whole, _cleaned("".join(piece.comments)))
            return
        # No brackets: the word with the at sign is the address, the others are the name.
        for word in words.split():
            address = normal_address(word.strip("[]'\"“”«»,.")) or normal_address(word)
            if address is not None:
                name = _SPACE.sub(" ", " ".join(other for other in words.split() if other != word))
                yield Mailbox(address, _cleaned(name) or _cleaned("".join(piece.comments)))
                return
    # The whole mailbox may stand in encoded words.
    if not is_inner and "=?" in words:
        decoded = decode_words(words)
        if "@" in decoded and decoded != words:
            for inner in _split(decoded, has_quotes=True)[0]:
                yield from _mailboxes(inner, is_inner=True)


def _name(piece: _Pieces) -> str:
    return _cleaned("".join(piece.words)) or _cleaned(" ".join(piece.comments))


def _cleaned(name: str) -> str:
    decoded = decode_words(name[: NAME_LIMIT * 20])
    text = _SPACE.sub(" ", clean_text(decoded)).strip().strip("'\"").strip()
    # Control and direction signs only ever forge a name.
    if not text.isascii() or not text.isprintable():
        text = "".join(
            sign for sign in text if unicodedata.category(sign) not in ("Cc", "Cf", "Cs") or sign == "\u200d"
        )
    return text[:NAME_LIMIT].strip()
