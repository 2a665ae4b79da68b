"""How many calls one core carries in the media process of the hub's own line: bridged and recorded, 50 packets a second of
each leg in both directions.

Three processes: `hub media` on one core of its own (recordings included), its callers (benchmarks.voice_callers) on the
others, and this one, which takes the webhooks. Calls are added in steps. A step is held while

    lateness p99 of the mixer's ticks stays below 40 ms   (GET /status: due → the tick's packets have left)
    99 % of the packets that each leg should hear arrive
    recordings are written as fast as they come in        (less than two seconds of each are waiting)

`calls` is the last step that was held; `core` is the share of its core that the process used there, `us_per_leg` what 20 ms
of one leg cost. A conference of three has its sums packed anew for each leg, where two are handed each other's packets.
"""

from __future__ import annotations

import http.client
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.children import ROOT, child
from benchmarks.machine import cpu_s, rss_mb
from benchmarks.report import Cell, Plan, Result, Target
from hub.media.signature import signed_headers
from hub.store.vault import Vault
from tests.support.postgres import find_free_port

SECRET_KEY = "a-secret-key-for-benchmarks-only"
LATE_MS = 40.0
_ARRIVED = 0.99
_BEHIND_S = 2.0
_READY_S = 20.0
# The gauge looks back ten seconds: a step must have lasted so long before it is judged.
_SECONDS = 11.0


@dataclass(frozen=True)
class Case:
    name: str
    codec: str
    parties: tuple[str, ...]
    first: int
    target: float | None


CASES = (
    Case("PCMU, two", "pcmu", ("customer", "agent"), 15, 15),
    Case("Opus, two", "opus", ("customer", "agent"), 15, 6),
    Case("PCMU, conference of three", "pcmu", ("customer", "agent", "consulted"), 10, None),
    Case("Opus, conference of three", "opus", ("customer", "agent", "consulted"), 6, None),
)


_COLUMNS = ("case", "calls", "core", "us_per_leg", "late_p99_ms", "arrived", "rss_mb")


def run(plan: Plan) -> Result:
    result = Result(
        "voice", "calls that one core bridges and records, in steps until one is not held; 50 packets/s a leg"
    )
    with _webhooks() as webhook_url:
        for case in CASES:
            row, calls = _measure(case, webhook_url, plan)
            result.rows.append(row)
            if case.target is not None:
                result.targets.append(Target(f"{case.name}: calls a core", case.target, calls, "calls"))
    if len(os.sched_getaffinity(0)) < 2:
        result.notes.append("there is one core only: the callers took their part of it")
    return result


def _measure(case: Case, webhook_url: str, plan: Plan) -> tuple[dict[str, Cell], float]:
    stopped_by = ""
    best: dict[str, Cell] = dict.fromkeys(_COLUMNS) | {"case": case.name, "calls": 0}
    with _media(case.codec) as (pid, port, key), child("benchmarks.voice_callers") as callers:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(pid, cores[:1])
            os.sched_setaffinity(callers.pid, cores[1:])
        job = {
            "url": f"http://127.0.0.1:{port}",
            "key": key.hex(),
            "webhook_url": webhook_url,
            "codec": case.codec,
            "parties": case.parties,
        }
        if callers.ask(job) != "ready":
            raise AssertionError("the callers did not start")
        calls = 0
        while True:
            # Each step carries half as many calls again: what is told is right to a third.
            wanted = max(case.first, calls + calls // 2)
            added = callers.ask({"add": wanted - calls})
            calls = wanted
            if "refused" in added:
                stopped_by = added["refused"]
                break
            used, begun = cpu_s(pid), time.monotonic()
            told = callers.ask({"measure_s": max(plan.seconds(_SECONDS), 4.0)})
            share = (cpu_s(pid) - used) / (time.monotonic() - begun)
            status = _status(port, key)
            late_ms, behind_s = status["lateness_p99_ms"], status["recording_backlog_s"] / calls
            arrived = told["received"] / told["expected"]
            if late_ms >= LATE_MS or arrived < _ARRIVED or behind_s > _BEHIND_S:
                stopped_by = f"{late_ms:.0f} ms late, {arrived:.0%} arrived, writer {behind_s:.0f} s behind"
                break
            legs = calls * len(case.parties)
            best = {
                "case": case.name,
                "calls": calls,
                "core": round(share, 2),
                "us_per_leg": round(share * 20_000 / legs, 1),
                "late_p99_ms": late_ms,
                "arrived": round(arrived, 4),
                "rss_mb": round(rss_mb(pid)),
            }
    return {**best, "stopped_by": stopped_by}, float(str(best["calls"]))


def _status(port: int, key: bytes) -> dict[str, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/status", headers=signed_headers(key, int(time.time()), "GET", "/status", b""))
        told: dict[str, Any] = json.loads(connection.getresponse().read())
        return told


@contextmanager
def _media(codec: str) -> Iterator[tuple[int, int, bytes]]:
    """(pid, port, key) of a media process that has started."""
    port = find_free_port()
    with tempfile.TemporaryDirectory(prefix="hub-voice-") as directory:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | {
            "HUB_DATA_DIR": directory,
            "HUB_SECRET_KEY": SECRET_KEY,
            "HUB_LOG_LEVEL": "warning",
            "HUB_MEDIA_CODEC": codec,
            "HUB_MEDIA_CALLS": "1000",
            "HUB_MEDIA_ADDRESSES": "127.0.0.1",
        }
        command = [sys.executable, "-m", "hub", "media", "--listen", f"127.0.0.1:{port}"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            key = Vault(SECRET_KEY).key("media")
            deadline = time.monotonic() + _READY_S
            while True:
                try:
                    _status(port, key)
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
            yield process.pid, port, key
        finally:
            process.kill()
            process.wait()


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A process that was measured is killed in the middle of a word."""


class _Taken(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def _webhooks() -> Iterator[str]:
    """Where webhooks are taken and forgotten."""
    server = _Server(("127.0.0.1", 0), _Taken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/webhooks/line/voice"
    finally:
        server.shutdown()
