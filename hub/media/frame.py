"""20 ms of one voice, which is what all parts of the media process hand to each other.

A process speaks one codec (hub.media.codec) and has its rate. A frame holds the sound as mono samples, as the packet
that travels, or both: a packet that nobody has to mix, record or listen to is never unpacked.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import add, mul

FRAME_S = 0.02
FRAMES_PER_S = 50

_TOP, _BOTTOM = 32767, -32768


class Frame:
    """`packet`: in the process' codec; None for a sound that was mixed here. At least one of the two is given; `unpack` is
    the decoder of the stream that the packet belongs to."""

    __slots__ = ("_pcm", "_unpack", "packet")

    def __init__(
        self,
        pcm: array[int] | None = None,
        packet: bytes | None = None,
        unpack: Callable[[bytes], array[int]] | None = None,
    ) -> None:
        self._pcm = pcm
        self._unpack = unpack
        self.packet = packet

    def unpack(self) -> None:
        """Sees to it that the samples are there."""
        if self._pcm is None:
            assert self.packet is not None
            assert self._unpack is not None
            self._pcm = self._unpack(self.packet)

    @property
    def pcm(self) -> array[int]:
        """Signed 16 bit samples."""
        self.unpack()
        assert self._pcm is not None
        return self._pcm


def mixed(frames: Sequence[Frame]) -> Frame:
    """The sum of one or more; of one it is that one itself, packet and all."""
    if len(frames) == 1:
        return frames[0]
    return Frame(mixed_pcm([frame.pcm for frame in frames]))


def mixed_pcm(voices: Sequence[array[int]]) -> array[int]:
    total: Sequence[int] = voices[0]
    for voice in voices[1:]:
        total = list(map(add, total, voice))
    if isinstance(total, array):
        return total
    try:
        return array("h", total)
    except OverflowError:
        # Two who shout: what is louder than a sample can say is cut off.
        return array("h", map(max, map(min, total, repeat(_TOP)), repeat(_BOTTOM)))


def loudness(pcm: array[int]) -> float:
    """Root mean square of the samples; every fourth tells enough, and pauses are looked for fifty times a second."""
    some = pcm[::4]
    return math.sqrt(sum(map(mul, some, some)) / max(1, len(some)))
