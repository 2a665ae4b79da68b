"""How late the mixer's ticks are: what decides whether another call can be carried. Pure.

A tick is late by the time between when its packets ought to have left and when they had. Listeners' ends bridge some 40 ms.
"""

from __future__ import annotations

from collections import deque

# The last ten seconds of ticks.
_WINDOW = 500
LATE_S = 0.040
# One hiccup among fewer ticks than these would be the last percentile by itself.
_EVIDENCE = 100


class Lateness:
    def __init__(self, window: int = _WINDOW) -> None:
        self._ticks: deque[float] = deque(maxlen=window)

    def add(self, late_s: float) -> None:
        self._ticks.append(max(0.0, late_s))

    @property
    def p99_s(self) -> float:
        if not self._ticks:
            return 0.0
        ordered = sorted(self._ticks)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]

    @property
    def is_too_late(self) -> bool:
        return len(self._ticks) >= _EVIDENCE and self.p99_s > LATE_S
