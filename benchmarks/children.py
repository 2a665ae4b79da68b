"""Processes that a benchmark starts beside itself, each on its own core as far as there are cores.

A child is a module run with `python -m`; parent and child exchange one JSON value a line, over the child's standard
input and output. A child that goes wrong says why on standard error and ends; the parent then raises ChildFailedError.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_STOP_S = 5.0


class ChildFailedError(Exception):
    """A benchmark's own process ended before it had answered."""


class Child:
    def __init__(self, module: str) -> None:
        self.module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, value: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Waits for the child's next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildFailedError(f"{self.module} ended with {self._process.wait(_STOP_S)} and no answer")
        return json.loads(line)

    def ask(self, value: Any) -> Any:
        self.tell(value)
        return self.hear()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def child(module: str) -> Iterator[Child]:
    started = Child(module)
    try:
        yield started
    finally:
        started.stop()


# --- the child's side -------------------------------------------------------------------------------------------------


def hear_parent() -> Any:
    """The parent's next line; ends the child quietly when the parent is gone."""
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(0)
    return json.loads(line)


def tell_parent(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
