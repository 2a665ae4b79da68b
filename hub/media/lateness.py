"""How late the mixer's ticks are: what decides whether another call can be carried. Pure.

A tick is late by the time between when its packets ought to have left and when they had. Listeners' ends bridge some 40 ms.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection

LATE_S = 0.040
# The gauge shows ten seconds of ticks; whether a call is refused, half a minute says: one stall of a busy machine does not
# make a line that carries no more.
_SHOWN = 500
_JUDGED = 1500
# So few say nothing yet.
_FEW = 100


class Lateness:
    def __init__(self) -> None:
        self._ticks: deque[float] = deque(maxlen=_JUDGED)

    def add(self, late_s: float) -> None:
        self._ticks.append(max(0.0, late_s))

    @property
    def p99_s(self) -> float:
        return _p99(list(self._ticks)[-_SHOWN:])

    @property
    def is_too_late(self) -> bool:
        return len(self._ticks) >= _FEW and _p99(self._ticks) > LATE_S


def _p99(ticks: Collection[float]) -> float:
    ordered = sorted(ticks)
    return ordered[math.ceil(len(ordered) * 0.99) - 1] if ordered else 0.0
