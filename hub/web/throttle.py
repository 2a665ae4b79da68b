"""Keeping strangers from taking more than people would: so many in a window, by whatever key names them.

In this process and in memory: it protects the machine, it decides nothing. The least lately seen keys are forgotten first,
so many addresses cannot clear the record of one.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque

from hub.errors import TooMany

_KEYS_LIMIT = 10_000


class Throttle:
    def __init__(self, limit: int, window_s: float, words: str = "slow down a little") -> None:
        self._limit = limit
        self._window_s = window_s
        self._words = words
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, key: str) -> None:
        """Counts one more of `key`; TooMany when that is over the limit."""
        now = time.monotonic()
        times = self._times.setdefault(key, deque())
        self._times.move_to_end(key)
        if len(self._times) > _KEYS_LIMIT:
            self._times.popitem(last=False)
        while times and times[0] <= now - self._window_s:
            times.popleft()
        if len(times) >= self._limit:
            raise TooMany(self._words, retry_after_s=max(times[0] + self._window_s - now, 1.0))
        times.append(now)
