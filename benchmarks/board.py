"""A supervisor's board of 500 agents while 100 things happen a second: how late a figure is, and what it costs the hub.

The hub is a process of its own (`hub serve`, SQLite at synchronous=FULL). Every event is a real one over the API
(board_events): an agent's state changes, in an open loop, each agent in turn. That ends a stretch of their time, which is a
fact; the projector counts it, and the agent's figures go to every supervisor:

    socket    due → the frame with that agent's figures has been read from a supervisor's socket, over all sockets
    pixel     due → the row says the new state, in a frame that a real Chromium has drawn (board_pixels); and the same of a
              figure that the projector counts: each 25th event passes a text on, and the giver has handled one more
    hub_ms    processor milliseconds of the hub for each event, with one viewer and with many: the difference is a viewer's
    page_ms   processor milliseconds of the page's main thread for each event
    board     GET /board, whole, over HTTP, while nothing else happens: the floor is the bare JSON of the same answer

What a window of facts told together is seen at once by all, so figures come in beats (kpi.facts, _PACE_S).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from time import monotonic, perf_counter

import httpx2

from benchmarks.board_events import Due, Floor, Run
from benchmarks.board_pixels import NoBrowserError, open_board, painted_after_ms
from benchmarks.consoles import Console, open_consoles
from benchmarks.hub_process import RunningHub, run_hub
from benchmarks.machine import cpu_s
from benchmarks.report import Cell, Plan, Result, Target, percentile

AGENTS, VIEWERS = 500, 20
RATE = 100
_SECONDS, _PIXEL_SECONDS = 20.0, 40.0
_WARM_UP_S = 3.0
_IDLE_S = 3.0
_DRAIN_S = 3.0
_BOARDS = 60
# Conversations that are passed on while somebody looks: fewer than rows in sight, each 2.5 s after it was last.
_HELD, _EVERY = 10, 25
_NUMBERS = re.compile(rb'"numbers":\{"user_id":(\d+)')


def run(plan: Plan) -> Result:
    result = Result(
        "board",
        f"{AGENTS} agents, {RATE} changes a second (open loop) → supervisors' sockets and screens; milliseconds",
    )
    with run_hub(AGENTS, supervisors=VIEWERS) as hub:
        asyncio.run(_measure(hub, plan, result))
    return result


async def _measure(hub: RunningHub, plan: Plan, result: Result) -> None:
    base = f"http://127.0.0.1:{hub.port}"
    async with httpx2.AsyncClient(base_url=base, headers={"Cookie": hub.cookies[-1]}, timeout=30) as client:
        session = (await client.get("/api/v1/session")).json()
        client.headers.update({"X-CSRF-Token": session["csrf_token"], "Origin": base})
        agents = [each["user_id"] for each in (await client.get("/api/v1/board")).json()["agents"]][:AGENTS]
        floor = Floor(agents)
        await _to_sockets(hub, client, floor, 1, _WARM_UP_S)
        one, many = [await _to_sockets(hub, client, floor, viewers, plan.seconds(_SECONDS)) for viewers in (1, VIEWERS)]
        result.rows += [one, many]
        _judge_sockets(result, one, many)
        try:
            await _to_pixels(hub, client, floor, plan.seconds(_PIXEL_SECONDS), result)
        except NoBrowserError as reason:
            result.notes.append(f"event → pixel was not measured: {reason}")
        await _load_boards(hub, client, 5 if plan.quick else _BOARDS, result)


# --- sockets ------------------------------------------------------------------------------------------------------------


async def _to_sockets(
    hub: RunningHub, client: httpx2.AsyncClient, floor: Floor, viewers: int, seconds: float
) -> dict[str, Cell]:
    """The hub's seconds are counted from the first change until the last figure has come."""
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
    used = cpu_s(hub.pid)
    happened = await floor.run(client, RATE, seconds)
    await asyncio.sleep(_DRAIN_S)
    cost = cpu_s(hub.pid) - used
    for console in consoles:
        console.close()
    latencies: list[float | None] = []
    for due in happened.due:
        until = due.at + len(floor.agents) / RATE
        for viewer in range(viewers):
            seen = (at for at, number in told[due.user_id] if number == viewer and due.at <= at < until)
            first = min(seen, default=None)
            latencies.append(None if first is None else (first - due.at) * 1e3)
    viewed = "1 socket" if viewers == 1 else f"{viewers} sockets"
    return _row(f"figures → {viewed}", happened, latencies) | {
        "hub_ms": round(cost * 1e3 / len(happened.due), 2),
        "bytes": round(sum(sizes) / viewers / len(happened.due)),
    }


def _row(what: str, happened: Run, latencies: Sequence[float | None]) -> dict[str, Cell]:
    """`latencies`: of each case, None where it was never seen. `hub_ms`, `page_ms` and `bytes` are for each event."""
    known = sorted(each for each in latencies if each is not None)
    return {
        "what": what,
        "events": len(happened.due),
        "refused": happened.refused,
        "per_s": round(happened.per_s, 1),
        "cases": len(latencies),
        "seen": round(len(known) / max(1, len(latencies)), 4),
        "p50": round(percentile(known, 0.5), 1) if known else None,
        "p95": round(percentile(known, 0.95), 1) if known else None,
        "max": round(known[-1], 1) if known else None,
        "hub_ms": None,
        "page_ms": None,
        "bytes": None,
    }


def _judge_sockets(result: Result, one: dict[str, Cell], many: dict[str, Cell]) -> None:
    more = max(0.0, float(many["hub_ms"] or 0) - float(one["hub_ms"] or 0)) / (VIEWERS - 1)
    result.notes.append(f"a viewer more: {more:.3f} ms of the hub for each event")
    late = max(float(row["p95"] or 0) for row in (one, many))
    result.targets.append(Target(f"event → socket p95 at {RATE}/s", 1_000.0, late, "ms", is_ceiling=True))
    seen = min(float(row["seen"] or 0) for row in (one, many))
    result.targets.append(Target("of the changes seen by every viewer", 1.0, seen, "(1: all)"))


# --- a screen -----------------------------------------------------------------------------------------------------------


async def _to_pixels(hub: RunningHub, client: httpx2.AsyncClient, floor: Floor, seconds: float, result: Result) -> None:
    found = (await client.get("/api/v1/conversations", params={"limit": _HELD})).json()["items"]
    async with open_board(hub.port, hub.cookies[-1]) as board:
        watched = Floor(floor.agents, board.in_sight, [each["id"] for each in found], _EVERY, floor.states)
        await watched.hand_out(client)
        await asyncio.sleep(_DRAIN_S)
        quiet_s = await board.main_thread_s()
        await asyncio.sleep(_IDLE_S)
        begun_s, used, begun = await board.main_thread_s(), cpu_s(hub.pid), monotonic()
        happened = await watched.run(client, RATE, seconds)
        busy_s, busy_until = await board.main_thread_s() - begun_s, monotonic()
        await asyncio.sleep(_DRAIN_S)
        cost, seen = cpu_s(hub.pid) - used, await board.seen()
    within_s = len(floor.agents) / RATE
    costs: dict[str, Cell] = {
        "hub_ms": round(cost * 1e3 / len(happened.due), 2),
        "page_ms": round(busy_s * 1e3 / len(happened.due), 2),
    }
    late = []
    for what, due in (("state → pixel", _states(happened)), ("figure → pixel", _figures(happened))):
        latencies = painted_after_ms(due, seen, board.in_sight, within_s)
        result.rows.append(_row(what, happened, latencies) | costs)
        late.append(result.rows[-1])
    share, idle = busy_s / (busy_until - begun), (begun_s - quiet_s) / _IDLE_S
    result.notes.append(
        f"the page: {len(board.in_sight)} of {AGENTS} rows in sight; its main thread used {share:.0%} of a core,"
        f" {idle:.1%} while nothing happened; snapshots loaded anew meanwhile: {board.snapshots}; the generator was"
        f" {happened.late_ms:.0f} ms late at the worst"
    )
    p95 = max(float(row["p95"] or 0) for row in late)
    result.targets.append(Target(f"event → pixel p95 at {RATE}/s", 1_000.0, p95, "ms", is_ceiling=True))
    drawn = min(float(row["seen"] or 0) for row in late)
    result.targets.append(Target("of the changes in sight drawn", 1.0, drawn, "(1: all)"))


def _states(happened: Run) -> list[Due]:
    return [due for due in happened.due if due.state is not None]


def _figures(happened: Run) -> list[Due]:
    return [due for due in happened.due if due.state is None]


# --- the board itself ---------------------------------------------------------------------------------------------------


async def _load_boards(hub: RunningHub, client: httpx2.AsyncClient, times: int, result: Result) -> None:
    """Milliseconds of each, of the hub's processor for one, and of writing the same answer as JSON once."""
    board = (await client.get("/api/v1/board")).json()
    taken = []
    used = cpu_s(hub.pid)
    for _ in range(times):
        begun = perf_counter()
        await client.get("/api/v1/board")
        taken.append((perf_counter() - begun) * 1e3)
    cost_ms = (cpu_s(hub.pid) - used) * 1e3 / times
    begun = perf_counter()
    json.dumps(board)
    floor_ms = (perf_counter() - begun) * 1e3
    p50, p95 = percentile(sorted(taken), 0.5), percentile(sorted(taken), 0.95)
    result.notes.append(
        f"GET /board: p50 {p50:.1f} ms, p95 {p95:.1f} ms, {cost_ms:.1f} ms of a core; its JSON {floor_ms:.1f} ms"
    )
    result.targets.append(Target("GET /board p95", 50.0, p95, "ms", is_ceiling=True))
