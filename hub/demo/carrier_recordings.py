"""Recordings of the demo carrier: what was talked, as long as it was, with a tone for each party.

The demo carries no voice. A recording is a true WAV all the same (8,000 samples/s, 16 bit): left, or alone, a tone that
rises and falls as somebody's sentences would; right, another one that answers. So players, waveforms and "which side is the
customer" have something to show.
"""

from __future__ import annotations

import math
import struct
from array import array
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Literal

from hub.demo.carrier_webhook import Callback

RATE = 8000
# Of what somebody left running overnight no more than this is rendered; `duration` says how long it was.
RENDERED_LIMIT_S = 1800
LEFT_HZ, RIGHT_HZ = 440, 660
# The pattern that is repeated: the left speaks, a pause, the right speaks, a pause.
_TURN_S, _GAP_S = 2.2, 0.4

Source = Literal["RecordVerb", "DialVerb", "Conference", "OutboundAPI", "StartCallRecordingAPI"]
Status = Literal["in-progress", "paused", "stopped", "processing", "completed", "absent"]


@dataclass(slots=True, eq=False)
class Recording:
    """Of a call or of a conference. `kept_s` is what the finished spans amount to; `running_since` None: paused or over."""

    sid: str
    source: Source
    channels: int
    created_at: datetime
    call_sid: str | None = None
    conference_sid: str | None = None
    track: str = "both"
    callback: Callback | None = None
    status: Status = "in-progress"
    updated_at: datetime | None = None
    running_since: datetime | None = None
    kept_s: float = 0.0
    skips_pauses: bool = True
    is_deleted: bool = False
    told: list[str] = field(default_factory=list)

    def pause(self, now: datetime, *, skip: bool) -> None:
        self.status, self.updated_at, self.skips_pauses = "paused", now, skip
        if skip:
            self._close_span(now)

    def go_on(self, now: datetime) -> None:
        self.status, self.updated_at = "in-progress", now
        if self.running_since is None:
            self.running_since = now

    def stop(self, now: datetime) -> None:
        self.status, self.updated_at = "processing", now
        self._close_span(now)

    def _close_span(self, now: datetime) -> None:
        if self.running_since is not None:
            self.kept_s += (now - self.running_since).total_seconds()
            self.running_since = None

    @property
    def duration_s(self) -> int:
        """Whole seconds, begun ones counted, as Twilio counts them."""
        return math.ceil(self.kept_s)


def render(duration_s: float, channels: int) -> bytes:
    """A WAV of that length."""
    frames = int(min(duration_s, RENDERED_LIMIT_S) * RATE)
    pattern = _pattern(channels)
    needed = frames * channels * 2
    data = (pattern * (needed // len(pattern) + 1))[:needed]
    block = channels * 2
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, channels, RATE, RATE * block, block, 16, b"data", len(data),
    )  # fmt: skip
    return head + data


def wav_duration_s(content: bytes) -> float | None:
    """How long a plain WAV lasts; None if it is none."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE" or len(content) < 44:
        return None
    (byte_rate,) = struct.unpack_from("<I", content, 28)
    return (len(content) - 44) / byte_rate if byte_rate else None


@cache
def _pattern(channels: int) -> bytes:
    left = _sentence(LEFT_HZ)
    right = _sentence(RIGHT_HZ)
    gap = [0] * int(_GAP_S * RATE)
    silent = [0] * len(left)
    sides = ([*left, *gap, *silent, *gap], [*silent, *gap, *right, *gap])
    if channels == 1:
        samples = array("h", (a + b for a, b in zip(*sides, strict=True)))
    else:
        samples = array("h", (sample for pair in zip(*sides, strict=True) for sample in pair))
    if samples.itemsize == 2 and struct.pack("=H", 1) != struct.pack("<H", 1):
        samples.byteswap()
    return samples.tobytes()


def _sentence(hz: int) -> list[int]:
    """A tone that swells like syllables, five a second."""
    count = int(_TURN_S * RATE)
    return [
        int(
            9000
            * math.sin(2 * math.pi * hz * n / RATE)
            * (0.35 + 0.65 * math.sin(math.pi * 5 * n / RATE) ** 2)
            * math.sin(math.pi * n / count) ** 0.4
        )
        for n in range(count)
    ]
