"""winmail.dat: the wrapping in which Outlook sends files when it believes that everybody has Outlook (MS-OXTNEF).

    read_tnef(content)   the files and texts inside; raises TnefUnreadable and nothing else

A stream of attributes: level, id, length, data, checksum. Attachments begin with attAttachRendData and have their data
in attAttachData and their better names among MAPI properties (MS-OXPROPS), which is also where the body is. Checksums
are not looked at: what is readable is of use. All counts and lengths are bounded by what is really there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from hub.errors import InvalidInput
from hub.mail.charsets import decode

FILE_LIMIT = 200
# Attributes and properties that a real one has: a few dozen each.
ATTRIBUTE_LIMIT = 5_000
PROPERTY_LIMIT = 5_000
VALUE_LIMIT = 1_000

_SIGNATURE = 0x223E9F78
# MS-OXTNEF 2.1.3.2: the low word of the attribute's id.
_TITLE, _DATA, _RENDERING, _ATTACHMENT, _BODY, _MESSAGE_PROPERTIES, _CODE_PAGE = (
    0x8010, 0x800F, 0x9002, 0x9005, 0x800C, 0x9003, 0x9007,
)  # fmt: skip
# MS-OXPROPS: PidTagBody, PidTagBodyHtml, PidTagRtfCompressed; of an attachment its data, names, type and Content-ID.
_P_BODY, _P_HTML, _P_RTF = 0x1000, 0x1013, 0x1009
_P_DATA, _P_SHORT_NAME, _P_LONG_NAME, _P_MIME, _P_CONTENT_ID, _P_TITLE = 0x3701, 0x3704, 0x3707, 0x370E, 0x3712, 0x3001
_P_CODE_PAGE = 0x3FDE
# MS-OXCDATA 2.11.1: sizes of the types without a length of their own, padded to four bytes.
_FIXED = {0x0001: 0, 0x0002: 4, 0x0003: 4, 0x0004: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x000A: 4, 0x000B: 4, 0x0014: 8,
          0x0040: 8, 0x0048: 16}  # fmt: skip
_STRING8, _UNICODE, _OBJECT, _BINARY = 0x001E, 0x001F, 0x000D, 0x0102


class TnefUnreadable(InvalidInput):
    """The content is no TNEF stream, or too broken to hold a file."""

    code = "tnef_unreadable"


@dataclass(slots=True)
class TnefFile:
    name: str = ""
    media_type: str = ""
    content: bytes = field(default=b"", repr=False)
    content_id: str | None = None


@dataclass(slots=True)
class Tnef:
    """What was inside. `text` and `html` are "" where there was none; `rtf` is the compressed form as it stands."""

    files: list[TnefFile] = field(default_factory=list)
    text: str = ""
    html: str = ""
    rtf: bytes = field(default=b"", repr=False)


def read_tnef(content: bytes) -> Tnef:
    """Raises TnefUnreadable where nothing can be read; a stream that is cut gives what comes before the cut."""
    if len(content) < 6 or struct.unpack_from("<I", content)[0] != _SIGNATURE:
        raise TnefUnreadable("no TNEF signature")
    found = Tnef()
    charset = "cp1252"
    current: TnefFile | None = None
    for attribute, value in _attributes(content):
        if attribute == _CODE_PAGE and len(value) >= 4:
            charset = f"cp{struct.unpack_from('<I', value)[0]}"
        elif attribute == _BODY:
            found.text = decode(value.rstrip(b"\0"), charset)
        elif attribute == _MESSAGE_PROPERTIES:
            _take_body(found, dict(_properties(value)), charset)
        elif attribute == _RENDERING:
            if len(found.files) >= FILE_LIMIT:
                break
            current = TnefFile()
            found.files.append(current)
        elif current is not None and attribute == _TITLE:
            current.name = current.name or decode(value.rstrip(b"\0"), charset)
        elif current is not None and attribute == _DATA:
            current.content = value
        elif current is not None and attribute == _ATTACHMENT:
            _take_names(current, dict(_properties(value)), charset)
    if not (found.files or found.text or found.html or found.rtf):
        raise TnefUnreadable("a TNEF stream without anything in it")
    return found


def _attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 6
    for _ in range(ATTRIBUTE_LIMIT):
        if at + 9 > len(content):
            return
        _, attribute, length = struct.unpack_from("<BII", content, at)
        at += 9
        value = content[at : at + length]
        yield attribute & 0xFFFF, value
        if len(value) < length:
            return
        at += length + 2


def _take_body(found: Tnef, properties: dict[int, tuple[int, bytes]], charset: str) -> None:
    if _P_BODY in properties and not found.text:
        found.text = _text(properties[_P_BODY], charset)
    if _P_HTML in properties:
        page = properties.get(_P_CODE_PAGE, (0, b""))[1]
        label = f"cp{struct.unpack_from('<I', page)[0]}" if len(page) >= 4 else charset
        found.html = _text(properties[_P_HTML], "utf-8" if label == "cp65001" else label)
    if _P_RTF in properties:
        found.rtf = properties[_P_RTF][1]


def _take_names(file: TnefFile, properties: dict[int, tuple[int, bytes]], charset: str) -> None:
    for key in (_P_LONG_NAME, _P_SHORT_NAME, _P_TITLE):
        if key in properties:
            name = _text(properties[key], charset)
            if name:
                file.name = name
                break
    if _P_MIME in properties:
        file.media_type = _text(properties[_P_MIME], charset)
    if _P_CONTENT_ID in properties:
        file.content_id = _text(properties[_P_CONTENT_ID], charset).strip("<> ") or None
    kind, value = properties.get(_P_DATA, (0, b""))
    if value and not file.content:
        # An object begins with the id of its interface; a message within is kept as it stands.
        file.content = value[16:] if kind == _OBJECT else value


def _text(value: tuple[int, bytes], charset: str) -> str:
    kind, content = value
    if kind == _UNICODE:
        return decode(content[: len(content) // 2 * 2], "utf-16-le").rstrip("\0\ufffd")
    return decode(content.rstrip(b"\0"), charset)


def _properties(content: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """Id → type and (first) value of each MAPI property; stops at the first that cannot be."""
    if len(content) < 4:
        return
    (count,) = struct.unpack_from("<I", content)
    at = 4
    for _ in range(min(count, PROPERTY_LIMIT)):
        if at + 4 > len(content):
            return
        kind, key = struct.unpack_from("<HH", content, at)
        at += 4
        if key >= 0x8000:
            # A named property: the set's GUID, then a number or a name in UTF-16.
            if at + 24 > len(content):
                return
            is_string, number = struct.unpack_from("<II", content, at + 16)
            at += 24 + (_padded(number) if is_string else 0)
        is_many, kind = bool(kind & 0x1000), kind & 0x0FFF
        has_length = kind in (_STRING8, _UNICODE, _OBJECT, _BINARY)
        if not has_length and kind not in _FIXED:
            return
        values = 1
        if is_many or has_length:
            if at + 4 > len(content):
                return
            (values,) = struct.unpack_from("<I", content, at)
            at += 4
        first: bytes | None = None
        if values > VALUE_LIMIT:
            return
        for _ in range(values):
            size = _FIXED.get(kind, 0)
            if has_length:
                if at + 4 > len(content):
                    return
                (size,) = struct.unpack_from("<I", content, at)
                at += 4
            if at + size > len(content):
                return
            first = content[at : at + size] if first is None else first
            at += _padded(size)
        if first is not None:
            yield key, (kind, first)


def _padded(size: int) -> int:
    return size + -size % 4
