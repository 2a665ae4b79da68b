"""The compression in which Outlook keeps the body of a rich-text mail inside winmail.dat (MS-OXRTFCP)."""

from __future__ import annotations

import struct

# A long letter is some 50 kB; a picture pasted into one makes it large, and unpacking costs 0.15 s a megabyte.
RTF_LIMIT_BYTES = 1_000_000

# MS-OXRTFCP 2.1.3.1.3: what the dictionary holds before the first byte.
_PRELOADED = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor "
    rb"MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_COMPRESSED, _PLAIN = 0x75465A4C, 0x414C454D  # "LZFu", "MELA"
_WINDOW = 4096
_HEADER = 16


def unpack_rtf(packed: bytes) -> bytes | None:
    """The RTF inside; None when it is no such thing, or over RTF_LIMIT_BYTES."""
    if len(packed) < _HEADER or len(packed) > RTF_LIMIT_BYTES:
        return None
    _, size, kind, _ = struct.unpack_from("<IIII", packed)
    if kind == _PLAIN:
        return packed[_HEADER : _HEADER + size]
    if kind != _COMPRESSED or size > RTF_LIMIT_BYTES:
        return None
    out = bytearray(_PRELOADED)
    wanted = len(_PRELOADED) + size
    at, end = _HEADER, len(packed)
    while at < end and len(out) < wanted:
        control = packed[at]
        at += 1
        for bit in range(8):
            if at >= end or len(out) >= wanted:
                break
            if not control >> bit & 1:
                out.append(packed[at])
                at += 1
                continue
            if at + 1 >= end:
                at = end
                break
            reference = packed[at] << 8 | packed[at + 1]
            at += 2
            # How far back in the ring of 4096 bytes the run begins; the place itself (0) marks the end.
            back = (len(out) - (reference >> 4)) % _WINDOW
            if back == 0:
                return bytes(out[len(_PRELOADED) : wanted])
            length = (reference & 15) + 2
            start = len(out) - back
            if start < 0:
                return None
            # A run may overlap its own beginning: then it repeats.
            run = out[start : start + length]
            out += (run * (length // len(run) + 1))[:length]
    return bytes(out[len(_PRELOADED) : wanted])
