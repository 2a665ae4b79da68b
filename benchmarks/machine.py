"""The machine a figure was measured on, and what its processes cost."""

from __future__ import annotations

import contextlib
import os
import platform
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Cell

# include/linux/posix-timers_types.h of the kernel.
_CPUCLOCK_SCHED = 2
_CALM_TURNS = 5_000_000


def describe_machine() -> dict[str, Cell]:
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": _postgres_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def cpu_s(pid: int) -> float:
    """Processor seconds a process and its threads have used so far, user and system.

    The clock's number is what clock_getcpuclockid(3) gives on Linux: exact, where /proc counts ticks of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


@dataclass(frozen=True, slots=True)
class Calm:
    """How quiet the machine is: `turns` are millions of turns of an empty Python loop in a second of processor time (to be
    compared on one machine), `share` is the part of a core that a lone thread was given."""

    turns: float
    share: float

    @property
    def is_quiet(self) -> bool:
        return self.share > 0.97

    def __str__(self) -> str:
        words = f"{self.turns:.1f} million loop turns a second of a core, {self.share:.0%} of a core given"
        return words if self.is_quiet else f"{words}: the machine was busy with other work, figures are too low"


def measure_calm() -> Calm:
    begun, used = time.perf_counter(), time.thread_time()
    for _ in range(_CALM_TURNS):
        pass
    cpu, wall = time.thread_time() - used, time.perf_counter() - begun
    return Calm(_CALM_TURNS / cpu / 1e6, cpu / wall)


def take_precedence() -> bool:
    """This process and all it has started go before other programs, where they may (root); False: they may not."""
    try:
        for pid in family(os.getpid()):
            # Where the kernel shares the time between sessions, and a browser is one of its own.
            session = Path(f"/proc/{pid}/autogroup")
            if session.exists():
                session.write_text("-10")
            # To Linux each thread is one of its own in this.
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), -10)
    except OSError:
        return False
    return True


def rss_mb(pid: int) -> float:
    """Resident memory of a process, MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def family(pid: int) -> list[int]:
    """The process and all that it started, directly or not."""
    found = [pid]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            found.extend(int(child) for child in children.read_text().split())
    return found


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _postgres_version() -> str | None:
    # Late: it brings asyncpg, and only the machine's description needs it here.
    from tests.support.postgres import find_postgres_programs

    programs = find_postgres_programs()
    if programs is None:
        return None
    told = subprocess.run([f"{programs}/postgres", "--version"], capture_output=True, text=True, check=False).stdout
    words = told.split()
    return words[2] if len(words) > 2 else None
