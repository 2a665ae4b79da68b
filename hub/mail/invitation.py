"""A calendar invitation (RFC 5545) in a few plain lines, for mails that hold nothing else to read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

# What is shown of an invitation; the file itself goes along whole.
CALENDAR_LIMIT = 200_000
VALUE_LIMIT = 500

_FOLD = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r"([A-Za-z-]{1,40})((?:;[^;:\"\n]*(?:\"[^\"\n]*\"[^;:\"\n]*)*)*):(.*)")
_ESCAPE = re.compile(r"\\([nN,;\\])")
_NAME = re.compile(r";CN=(?:\"([^\"]*)\"|([^;:]*))", re.IGNORECASE)
_ZONE = re.compile(r";TZID=\"?([^;:\"]*)", re.IGNORECASE)


def invitation_text(calendar: str) -> str:
    """Title, time, place and host of the first event, a line each; "" when there is no event."""
    lines = list(_event(_FOLD.sub("", calendar[:CALENDAR_LIMIT])))
    found: dict[str, tuple[str, str]] = {}
    for name, options, value in lines:
        found.setdefault(name, (options, _ESCAPE.sub(_unescape, value.strip())[:VALUE_LIMIT]))
    parts: list[str] = []
    if "SUMMARY" in found:
        parts.append(found["SUMMARY"][1])
    begins, ends = (_moment(*found[name]) if name in found else "" for name in ("DTSTART", "DTEND"))
    if begins:
        parts.append(f"{begins} – {ends}" if ends else begins)
    if "LOCATION" in found and found["LOCATION"][1]:
        parts.append(found["LOCATION"][1])
    if "ORGANIZER" in found:
        options, value = found["ORGANIZER"]
        host = _NAME.search(options)
        address = re.sub(r"^mailto:", "", value, flags=re.IGNORECASE)
        said = (host[1] or host[2] or "").strip() if host else ""
        parts.append(f"{said} <{address}>" if said and said != address else address)
    return "\n".join(parts)


def _event(calendar: str) -> Iterator[tuple[str, str, str]]:
    is_inside = False
    depth = 0
    for line in calendar.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        name, value = match[1].upper(), match[3].strip().upper()
        if name == "BEGIN":
            if is_inside:
                depth += 1  # an alarm within the event
            is_inside = is_inside or value in ("VEVENT", "VTODO")
        elif name == "END":
            if is_inside and depth == 0:
                return
            depth -= is_inside
        elif is_inside and depth == 0:
            yield name, match[2], match[3]


def _unescape(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]


def _moment(options: str, value: str) -> str:
    """2026-03-14 10:00 (Asia/Yerevan); the value as it stands where it is no time."""
    zone = _ZONE.search(options)
    where = " UTC" if value.endswith("Z") else f" ({zone[1]})" if zone and zone[1] else ""
    digits = value.rstrip("Z")
    try:
        if re.fullmatch(r"\d{8}", digits):
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()
        if re.fullmatch(r"\d{8}T\d{6}", digits):
            # No zone arithmetic: the hour is what the invitation says, with its zone beside it.
            numbers = [int(digits[at : at + size]) for at, size in ((0, 4), (4, 2), (6, 2), (9, 2), (11, 2))]
            year, month, day, hour, minute = numbers
            date(year, month, day)
            return f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}{where}"
    except ValueError:
        pass
    return value[:40]
