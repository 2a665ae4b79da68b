"""The process' threads before everything else on their core, where the system allows it (root, or CAP_SYS_NICE on Linux):
others can wait for 20 ms, sound cannot.

    mixer     first
    workers   after it (they write recordings and make prompts ready), but before other programs: a worker that is put to
              sleep while it holds the interpreter's lock would make the mixer wait

A thread that slept in vain beside two busy programs woke up 50 ms late at times, at nice -10 still; so never (measured
2026-11). What is started from these threads does not inherit it.
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

_WORKERS, _MIXER = 1, 2


def _take(priority: int) -> None:
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            # 0: the thread that calls.
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


def take_precedence() -> None:
    """The mixer's thread does this once."""
    _take(_MIXER)


def workers(count: int, name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_take, initargs=(_WORKERS,))
