"""One event to 1,000 console sockets through the hub's live path, against `websockets.broadcast()` to 1,000 sockets.

Rounds, one after the other: a trigger, then every socket has the message. The hub's trigger is a signed webhook, so a
round is the whole live path: commit, stream, one frame, 1,000 transports. The floor's trigger is a word on a socket, and
it broadcasts a frame that the hub had sent, byte for byte. The clients are the same process of raw sockets for both.

`per_core_s` is deliveries for each second of processor time the server used: what one core carries, whatever the clients
cost. `wall_s` is deliveries for each second from the trigger to the last socket; the clients share the machine.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from benchmarks.children import Child, child
from benchmarks.hub_process import run_hub
from benchmarks.machine import cpu_s
from benchmarks.poster import signed_request
from benchmarks.report import Plan, Result, Target, median, percentile
from benchmarks.words import ACCOUNT_SID, AUTH_TOKEN, CUSTOMERS, HUB_NUMBER

SOCKETS = 1_000
_ROUNDS = 100
_WARM_UP = 10


def run(plan: Plan) -> Result:
    result = Result("fanout", f"one event to {SOCKETS:,} sockets, deliveries a second of the server's processor time")
    rounds = 30 if plan.quick else _ROUNDS
    with run_hub(agents=SOCKETS) as hub:
        job = {
            "url": hub.webhook_url,
            "auth_token": AUTH_TOKEN,
            "account_sid": ACCOUNT_SID,
            "to_number": HUB_NUMBER,
            "customers": CUSTOMERS,
        }
        requests = [base64.b64encode(signed_request(job, n)).decode() for n in range(rounds + _WARM_UP)]
        with child("benchmarks.fanout_driver") as driver:
            driver_job = {"port": hub.port, "targets": hub.live_targets(SOCKETS), "requests": requests, "first": 0}
            ours, sample = _play(driver, driver_job, hub.pid, rounds)
    with child("benchmarks.floor_broadcast") as floor, child("benchmarks.fanout_driver") as driver:
        port = floor.ask({"frame": sample})["port"]
        targets = [{"path": "/", "cookie": None} for _ in range(SOCKETS)]
        driver_job = {"port": port, "targets": targets, "requests": None, "first": 0}
        theirs, _ = _play(driver, driver_job, floor.pid, rounds)
    ratio = float(ours["per_core_s"]) / float(theirs["per_core_s"])
    result.rows.append({"server": "hub", **ours, "ratio": round(ratio, 3)})
    result.rows.append({"server": "websockets.broadcast", **theirs, "ratio": 1.0})
    result.targets.append(Target("deliveries a core, of the floor", 0.7, ratio, "×"))
    result.notes.append(
        f"{rounds} rounds; frames of {len(sample):,} bytes; the hub's share includes taking the message in"
    )
    return result


def _play(driver: Child, job: dict[str, Any], server_pid: int, rounds: int) -> tuple[dict[str, Any], str]:
    if driver.ask(job) != "ready":
        raise AssertionError("the sockets did not open")
    driver.ask({"rounds": _WARM_UP})
    used = cpu_s(server_pid)
    played = driver.ask({"rounds": rounds})
    server_s = cpu_s(server_pid) - used
    if played["closed"]:
        raise AssertionError(f"{played['closed']} sockets were closed")
    deliveries = rounds * SOCKETS
    last_ms: Sequence[float] = sorted(each * 1e3 for each in played["last_s"])
    row = {
        "per_core_s": round(deliveries / server_s),
        "wall_s": round(deliveries / sum(played["last_s"])),
        "last_p50_ms": round(median(last_ms), 1),
        "last_p99_ms": round(percentile(last_ms, 0.99), 1),
        "mean_ms": round(median([each * 1e3 for each in played["mean_s"]]), 1),
        "frames_per_delivery": round(played["frames"] / deliveries, 2),
        "client_cpu_s": round(played["cpu_s"], 2),
    }
    return row, str(played["sample"])
