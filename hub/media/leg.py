"""What carries one party's sound: 20 ms in, 20 ms out, fifty times a second.

The mixer knows nothing else of a party's line. A browser's is hub.media.peer; a telephone's (SIP) would be another one.
"""

from __future__ import annotations

from typing import Protocol

from hub.media.frame import Frame


class Leg(Protocol):
    """Asked by the mixer's tick only, from the event loop; none of it waits or fails."""

    @property
    def is_connected(self) -> bool:
        """Sound can travel in both directions."""

    def take(self) -> Frame | None:
        """What this party said in the next 20 ms; None when nothing of it has come (yet, or ever)."""

    def give(self, frame: Frame | None) -> None:
        """What they are to hear now. None: 20 ms are missing, and their end makes the best of it. A packet in the frame is
        of the process' codec."""

    async def close(self) -> None:
        """Ends the line; again is harmless. What it told its owner before stays the last word."""
