"""A real hub in a process of its own, on 127.0.0.1, that may be killed and started again on the same port and data.

    with HubProcess(["serve"], data_dir) as hub:      # ready when the block begins
        hub.kill()                                    # kill -9: nothing of it runs any more
        hub.start()                                   # ready again

`log` is all it has printed so far, in all its lives.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.postgres import find_free_port

ROOT = Path(__file__).resolve().parent.parent.parent
# A start takes 1.5 s on a quiet machine; a busy CI machine may take its time.
_READY_S = 60.0
_STOP_S = 15.0


class HubProcessError(Exception):
    """It did not come up; the message has the end of its log."""


class HubProcess:
    def __init__(self, command: Sequence[str], data_dir: Path, **settings: str) -> None:
        """`settings`: HUB_… without the prefix, in lower case."""
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = data_dir
        self._log_path = data_dir.with_suffix(".log")
        self._command = [sys.executable, "-m", "hub", *command, "--port", str(self.port)]
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | {
            "HUB_DATA_DIR": str(data_dir),
            "HUB_PUBLIC_URL": self.url,
            "HUB_LOG_LEVEL": "warning",
            # Who wants calls says so: a media process beside each hub would cost each test a second of a core.
            "HUB_MEDIA_URL": "off",
            # A demo begins with nothing but the few conversations that tests know.
            "HUB_DEMO_HISTORY_DAYS": "0",
            # A child that is killed must not leave its last words in a buffer.
            "PYTHONUNBUFFERED": "1",
            **{f"HUB_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def start(self, *more: str) -> None:
        """Starts it, with `more` arguments this time, and returns when /readyz says that it is ready."""
        with self._log_path.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._command, *more],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _READY_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise HubProcessError(f"the hub did not come up:\n{self.log[-4_000:]}")
            time.sleep(0.02)  # a process that is starting tells nobody

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        return False

    def kill(self) -> None:
        """As if the machine had lost its power: no handler, no clean-up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"the end of the hub's log:\n{self.log[-4_000:]}")
        self.stop()
