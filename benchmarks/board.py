"""A supervisor's board of 500 agents while 100 things happen a second: how late a figure is, and what it costs the hub.

The hub is a process of its own (`hub serve`, SQLite at synchronous=FULL). Every event is a real one over the API: an agent's
state changes, in an open loop, each agent in turn. That ends a stretch of their time, which is a fact; the projector counts
it, and the agent's figures go to every supervisor:

    socket    due → the frame with that agent's figures has been read from a supervisor's socket, over all sockets
    cpu       processor milliseconds of the hub for each event, with one viewer and with many: the difference is a viewer's
    board     GET /board, whole, over HTTP, while nothing else happens: the floor is the bare JSON of the same answer

What a window of facts told together is seen at once by all, so figures come in beats (kpi.facts, _PACE_S).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from time import monotonic, perf_counter

import httpx2

from benchmarks.consoles import Console, open_consoles
from benchmarks.hub_process import RunningHub, run_hub
from benchmarks.machine import cpu_s
from benchmarks.report import Cell, Plan, Result, Target, percentile

AGENTS, VIEWERS = 500, 20
RATE = 100
_SECONDS = 20.0
_WARM_UP_S = 3.0
_DRAIN_S = 3.0
_BOARDS = 60
_NUMBERS = re.compile(rb'"numbers":\{"user_id":(\d+)')
_OTHER = {"away": "busy", "busy": "away"}


def run(plan: Plan) -> Result:
    result = Result(
        "board",
        f"{AGENTS} agents, {RATE} changes of state a second (open loop) → figures on supervisors' sockets; milliseconds",
    )
    with run_hub(AGENTS, supervisors=VIEWERS) as hub:
        rows, boards, board_cpu_ms, floor = asyncio.run(_measure(hub, plan))
    result.rows += rows
    one, many = (float(row["cpu_ms_per_event"] or 0) for row in rows)
    p50, p95 = percentile(boards, 0.5), percentile(boards, 0.95)
    result.notes.append(f"a viewer more: {max(0.0, many - one) / (VIEWERS - 1):.3f} ms of the hub for each event")
    result.notes.append(
        f"GET /board: p50 {p50:.1f} ms, p95 {p95:.1f} ms, {board_cpu_ms:.1f} ms of a core; its JSON {floor:.1f} ms"
    )
    late = max(float(row["socket_p95"] or 0) for row in rows)
    result.targets.append(Target(f"event → socket p95 at {RATE}/s", 1_000.0, late, "ms", is_ceiling=True))
    result.targets.append(Target("GET /board p95", 50.0, p95, "ms", is_ceiling=True))
    seen = min(float(row["seen"] or 0) for row in rows)
    result.targets.append(Target("of the changes seen by every viewer", 1.0, seen, "(1: all)"))
    return result


async def _measure(hub: RunningHub, plan: Plan) -> tuple[list[dict[str, Cell]], list[float], float, float]:
    base = f"http://127.0.0.1:{hub.port}"
    async with httpx2.AsyncClient(base_url=base, headers={"Cookie": hub.cookies[-1]}, timeout=30) as client:
        session = (await client.get("/api/v1/session")).json()
        client.headers.update({"X-CSRF-Token": session["csrf_token"], "Origin": base})
        agents = [each["user_id"] for each in (await client.get("/api/v1/board")).json()["agents"]][:AGENTS]
        states: dict[int, str] = {}
        await _change(hub, client, agents, states, 1, _WARM_UP_S)
        rows = [await _change(hub, client, agents, states, viewers, plan.seconds(_SECONDS)) for viewers in (1, VIEWERS)]
        return rows, *await _load_boards(hub, client, 5 if plan.quick else _BOARDS)


async def _change(
    hub: RunningHub, client: httpx2.AsyncClient, agents: list[int], states: dict[int, str], viewers: int, seconds: float
) -> dict[str, Cell]:
    """Each agent in turn; `states` is what each is in, and changes with every event. The hub's seconds are counted from the
    first change until the last figure has come."""
    told: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
    sizes: list[int] = []

    def on_frame(console: Console, payload: bytes, at: float) -> None:
        number = consoles.index(console) if consoles else 0
        sizes.append(len(payload))
        for match in _NUMBERS.finditer(payload):
            told[int(match[1])].append((at, number))

    consoles: list[Console] = []
    path = f"/live?since={hub.fetch_token()}"
    targets = [{"path": path, "cookie": cookie} for cookie in hub.cookies[-viewers:]]
    consoles += await open_consoles(hub.port, targets, on_frame)
    count = int(RATE * seconds)
    used, begun = cpu_s(hub.pid), monotonic() + 0.1
    due: list[tuple[int, float]] = []
    changes = []
    for number in range(count):
        at = begun + number / RATE
        await asyncio.sleep(max(0.0, at - monotonic()))
        user_id = agents[number % len(agents)]
        due.append((user_id, at))
        states[user_id] = _OTHER[states.get(user_id, "away")]
        path = f"/api/v1/agents/{user_id}/state"
        changes.append(asyncio.create_task(client.put(path, json={"state": states[user_id]})))
    refused = sum(answer.status_code >= 400 for answer in await asyncio.gather(*changes))
    span_s = monotonic() - begun
    await asyncio.sleep(_DRAIN_S)
    cost = cpu_s(hub.pid) - used
    for console in consoles:
        console.close()
    latencies, expected = [], 0
    for user_id, at in due:
        until = at + len(agents) / RATE
        for viewer in range(viewers):
            expected += 1
            seen = [told_at for told_at, number in told[user_id] if number == viewer and at <= told_at < until]
            if seen:
                latencies.append((min(seen) - at) * 1e3)
    latencies.sort()
    return {
        "viewers": viewers,
        "events": count,
        "refused": refused,
        "per_s": round(count / span_s, 1),
        "socket_p50": round(percentile(latencies, 0.5), 1),
        "socket_p95": round(percentile(latencies, 0.95), 1),
        "socket_max": round(latencies[-1], 1),
        "seen": round(len(latencies) / expected, 4),
        "cpu_ms_per_event": round(cost * 1e3 / count, 2),
        "bytes_per_event": round(sum(sizes) / viewers / count),
    }


async def _load_boards(hub: RunningHub, client: httpx2.AsyncClient, times: int) -> tuple[list[float], float, float]:
    """Milliseconds of each, of the hub's processor for one, and of writing the same answer as JSON once."""
    taken = []
    used = cpu_s(hub.pid)
    for _ in range(times):
        begun = perf_counter()
        answer = await client.get("/api/v1/board")
        taken.append((perf_counter() - begun) * 1e3)
    cost_ms = (cpu_s(hub.pid) - used) * 1e3 / times
    board = answer.json()
    begun = perf_counter()
    json.dumps(board)
    return sorted(taken), cost_ms, (perf_counter() - begun) * 1e3
