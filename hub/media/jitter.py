"""Packets come early, late, twice and out of order; the mixer wants one every 20 ms. Pure.

It is filled up to PREFETCH packets before the first is handed out, and again whenever it ran dry: so it grows with the
network's unrest. When there was more in it than needed for a while, one packet is left out: the delay shrinks again, and
a sender whose clock is fast does not fill it for ever.
"""

from __future__ import annotations

PREFETCH = 2
# More than this is not unrest but a stall that ended: the oldest are dropped, or the talk would stay a second behind.
_LIMIT = 25
# So far from all that came before, it is a sender that began anew.
_ANEW = 1000
# How long (in packets) more than needed must have been there before one is left out.
_WATCH = 100
_SPARE = 1


class Jitter:
    """`lost`, `late`: packets that never came, or came when their time had passed."""

    def __init__(self) -> None:
        self._packets: dict[int, bytes] = {}
        self._next: int | None = None
        self._highest: int | None = None
        self._is_playing = False
        self._watched = 0
        self._least = _LIMIT
        self.lost = 0
        self.late = 0

    def __len__(self) -> int:
        return len(self._packets)

    def push(self, sequence: int, packet: bytes) -> None:
        """`sequence`: the 16 bits of RTP."""
        # The number nearest to the highest one so far whose low 16 bits are these.
        apart = (sequence - self._highest + 0x8000 & 0xFFFF) - 0x8000 if self._highest is not None else _ANEW
        if self._highest is None or abs(apart) >= _ANEW:
            self._packets.clear()
            self._is_playing = False
            self._next = self._highest = None
            number = sequence
        else:
            number = self._highest + apart
        if self._next is not None and number < self._next:
            self.late += 1
            return
        self._packets[number] = packet
        self._highest = number if self._highest is None else max(self._highest, number)
        while len(self._packets) > _LIMIT:
            oldest = min(self._packets)
            del self._packets[oldest]
            self._next = oldest + 1

    def pop(self) -> bytes | None:
        """The packet of the next 20 ms; None where there is none."""
        packets = self._packets
        if not self._is_playing:
            if len(packets) < PREFETCH:
                return None
            self._is_playing = True
            first = min(packets)
            self._next = first if self._next is None else max(first, self._next)
        assert self._next is not None
        if not packets:
            self._is_playing = False
            self._watched, self._least = 0, _LIMIT
            return None
        packet = packets.pop(self._next, None)
        if packet is None:
            self.lost += 1
            ahead = min(packets) - self._next
            # Its place is left silent; of a long gap (a sender that says nothing in pauses) only the start.
            self._next += ahead if ahead > _LIMIT else 1
            return None
        self._next += 1
        self._shrink()
        return packet

    def _shrink(self) -> None:
        self._watched += 1
        self._least = min(self._least, len(self._packets))
        if self._watched < _WATCH:
            return
        if self._least > _SPARE and self._next is not None:
            self._packets.pop(self._next, None)
            self._next += 1
        self._watched, self._least = 0, _LIMIT
