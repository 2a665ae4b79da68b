"""A real hub in a process of its own: `hub serve` on a fresh SQLite data directory, and on 127.0.0.1 only."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from benchmarks.children import ROOT
from benchmarks.machine import family, rss_mb
from benchmarks.words import CHANNEL_ID, CUSTOMERS
from benchmarks.world import SECRET_KEY, lay_world

# As the console script `hub` does it, with the interpreter that runs the benchmark.
COMMAND = (sys.executable, "-m", "hub")
_READY_S = 30.0
_STOP_S = 15.0


class HubFailedError(Exception):
    """The hub did not come up, or did not stay up; a note has the end of its log."""


@dataclass(frozen=True, slots=True)
class RunningHub:
    """`cookies` are those of the agents' sessions, then of the supervisors';
    `ready_s` is from the start of the process to the first ready."""

    pid: int
    port: int
    cookies: list[str]
    ready_s: float

    @property
    def webhook_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhooks/{CHANNEL_ID}/message"

    def rss_mb(self) -> float:
        """Of all its processes together."""
        return sum(rss_mb(pid) for pid in family(self.pid))

    def fetch_token(self) -> str:
        """The position of a snapshot taken now."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/api/v1/snapshot", headers={"Cookie": self.cookies[0]})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise HubFailedError(f"no snapshot: {answer.status} {body[:300]!r}")
        return str(json.loads(body)["token"])

    def live_targets(self, sockets: int) -> list[dict[str, str]]:
        """What benchmarks.consoles needs to open that many sockets, each of another agent as far as there are agents."""
        path = f"/live?since={self.fetch_token()}"
        return [{"path": path, "cookie": self.cookies[number % len(self.cookies)]} for number in range(sockets)]


@contextlib.contextmanager
def run_hub(
    agents: int = 0, *, supervisors: int = 0, empty: bool = False, customers: int = CUSTOMERS
) -> Iterator[RunningHub]:
    """`empty`: not even a database, so that the start has to make one."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        data_dir = Path(folder)
        url = f"sqlite:///{data_dir / 'hub.db'}"
        tokens = [] if empty else asyncio.run(lay_world(url, agents, supervisors, customers))
        port = _free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | {
            "HUB_DATA_DIR": str(data_dir),
            "HUB_SECRET_KEY": SECRET_KEY,
            "HUB_PUBLIC_URL": f"http://127.0.0.1:{port}",
            # As in production: a line of log for each request is not part of what is measured.
            "HUB_LOG_LEVEL": "warning",
            "HUB_MEDIA_URL": "off",
            # Agents of a benchmark have no console that could be lost.
            "HUB_PRESENCE_GRACE_S": "600",
        }
        log = data_dir / "serve.log"
        with log.open("wb") as output:
            begun = monotonic()
            process = subprocess.Popen(
                [*COMMAND, "serve", "--host", "127.0.0.1", "--port", str(port)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            ready_s = _await_ready(process, port, begun)
            yield RunningHub(process.pid, port, [f"hub_session={token}" for token in tokens], ready_s)
            if process.poll() is not None:
                raise HubFailedError("the hub ended while it was measured")
        except Exception as error:
            error.add_note(f"the end of the hub's log:\n{_end_of(log)}")
            raise
        finally:
            _stop(process)


def _await_ready(process: subprocess.Popen[bytes], port: int, begun: float) -> float:
    while monotonic() < begun + _READY_S:
        if process.poll() is not None:
            raise HubFailedError(f"the hub ended with {process.returncode}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return monotonic() - begun
        except OSError:
            pass
        finally:
            connection.close()
        sleep(0.005)
    raise HubFailedError(f"the hub was not ready after {_READY_S:.0f} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2_000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
