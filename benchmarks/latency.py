"""From a provider's webhook to an agent's screen, at 100, 500 and 1,000 messages a second, with 50 consoles open.

Three processes: the hub (`hub serve`, SQLite at synchronous=FULL), a generator that posts signed Twilio webhooks in an
open loop (benchmarks.poster), and one with 50 console sockets of 50 agents (benchmarks.listener). All clocks are the
machine's monotonic clock, the same in every process. Both latencies count from the moment a message was due:

    http      due → the last byte of the hub's 2xx, which stands for the commit
    socket    due → the frame with the message has been read from a console's socket; one case per message and console

Every message must be seen exactly once by each console. The generator and the consoles share the machine's cores with
the hub, and what they take is told beside the figures.
"""

from __future__ import annotations

from time import monotonic, sleep
from typing import Any

from benchmarks.children import Child, child
from benchmarks.hub_process import RunningHub, run_hub
from benchmarks.machine import cpu_s
from benchmarks.report import Plan, Result, Target, percentile
from benchmarks.words import ACCOUNT_SID, AUTH_TOKEN, CUSTOMERS, HUB_NUMBER

RATES = (100, 500, 1_000)
CONSOLES = 50
_SECONDS = 10.0
_WARM_UP = 300
_SETTLE_S = 1.0
# A hub that holds a rate has answered the last message this soon after it was due.
_HELD_S = 0.5
# Later than this the generator, not the hub, would be what is measured.
_LATE_MS = 3.0


def run(plan: Plan) -> Result:
    result = Result(
        "latency",
        f"signed webhook → {CONSOLES} console sockets; milliseconds from the moment a message was due (open loop)",
    )
    with (
        run_hub(agents=CONSOLES) as hub,
        child("benchmarks.listener") as listener,
        child("benchmarks.poster") as poster,
    ):
        if listener.ask({"port": hub.port, "targets": hub.live_targets(CONSOLES)}) != "ready":
            raise AssertionError("the consoles did not open")
        first = _WARM_UP
        _load(hub, poster, listener, 0, 100, _WARM_UP)
        for rate in RATES:
            count = int(rate * plan.seconds(_SECONDS))
            result.rows.append(_level(hub, poster, listener, first, rate, count, result))
            first += count
    by_rate = {row["per_s"]: row for row in result.rows}
    for rate in (500, 1_000):
        p99 = by_rate[rate]["socket_p99"]
        assert isinstance(p99, float)
        result.targets.append(Target(f"webhook → socket p99 at {rate:,}/s", 30.0, p99, "ms", is_ceiling=True))
    held = by_rate[1_000]["held"]
    result.targets.append(Target("1,000/s held", 1.0, float(bool(held)), "(1: yes)"))
    seen_once = all(row["lost"] == 0 and row["doubled"] == 0 for row in result.rows)
    result.targets.append(Target("every message seen exactly once by each console", 1.0, float(seen_once), "(1: yes)"))
    return result


def _load(
    hub: RunningHub, poster: Child, listener: Child, first: int, rate: int, count: int
) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Posts `count` messages; what the poster and the listener saw, and the hub's processor seconds."""
    job = {
        "port": hub.port,
        "url": hub.webhook_url,
        "auth_token": AUTH_TOKEN,
        "account_sid": ACCOUNT_SID,
        "to_number": HUB_NUMBER,
        "rate": rate,
        "count": count,
        "first": first,
        "customers": CUSTOMERS,
    }
    if poster.ask(job) != "ready":
        raise AssertionError("the generator did not start")
    sleep(_SETTLE_S)
    used = cpu_s(hub.pid)
    posted = poster.ask({"start_at": monotonic() + 0.2})
    heard = listener.ask({"take": count, "first": first, "wait_s": 10.0})
    return posted, heard, cpu_s(hub.pid) - used


def _level(
    hub: RunningHub, poster: Child, listener: Child, first: int, rate: int, count: int, result: Result
) -> dict[str, Any]:
    posted, heard, hub_cpu_s = _load(hub, poster, listener, first, rate, count)
    due, done = posted["due"], posted["done"]
    http = sorted((done[n] - due[n]) * 1e3 for n in range(count) if done[n])
    socket = sorted(
        (at - due[n]) * 1e3 for seen_at in heard["seen_at"] for n, at in enumerate(seen_at) if at is not None
    )
    late = sorted(each * 1e3 for each in posted["late"]) or [0.0]
    span_s = max(done) - due[0]
    answered = posted["statuses"].get("200", 0)
    wrong = {outcome: n for outcome, n in posted["statuses"].items() if outcome != "200"}
    if wrong or posted["fault"]:
        result.notes.append(f"at {rate}/s: {posted['fault'] or ''} {wrong}")
    if heard["resyncs"] or heard["closed"] or heard["strange"]:
        result.notes.append(
            f"at {rate}/s: {heard['resyncs']} resyncs, {len(heard['closed'])} sockets closed, {heard['strange']} strangers"
        )
    if percentile(late, 0.99) > _LATE_MS:
        result.notes.append(
            f"at {rate}/s the generator was late itself (p99 {percentile(late, 0.99):.1f} ms): latencies include that"
        )
    return {
        "per_s": rate,
        "messages": count,
        "held": answered == count and span_s <= count / rate + _HELD_S,
        "http_p50": round(percentile(http, 0.5), 2),
        "http_p99": round(percentile(http, 0.99), 2),
        "http_max": round(http[-1], 1),
        "socket_p50": round(percentile(socket, 0.5), 2),
        "socket_p99": round(percentile(socket, 0.99), 2),
        "socket_max": round(socket[-1], 1),
        "lost": heard["missed"],
        "doubled": heard["doubled"],
        "events_per_frame": round(count * CONSOLES / max(1, heard["frames"]), 1),
        "hub_cpu": round(hub_cpu_s / span_s, 2),
        "poster_cpu": round(posted["cpu_s"] / span_s, 2),
        "listener_cpu": round(heard["cpu_s"] / span_s, 2),
        "late_p99": round(percentile(late, 0.99), 2),
    }
