"""Start to ready, and memory when idle: what an administrator sees at every deployment and on every bill.

`ready_s`: from the start of the process `hub serve` until /readyz first answers 200 (asked every 5 ms). `first`: an empty
data directory, the database is made and migrated; `again`: it is there. `idle_mb`: resident memory of all the hub's
processes some seconds later, after one console has looked at a snapshot.
"""

from __future__ import annotations

from time import sleep

from benchmarks.hub_process import run_hub
from benchmarks.report import Plan, Result, Target, median

_REPEATS = 5
_IDLE_S = 5.0


def run(plan: Plan) -> Result:
    result = Result("start", "`hub serve` until /readyz is 200; resident memory after some idle seconds")
    slowest: list[float] = []
    fattest: list[float] = []
    for name, empty in (("first", True), ("again", False)):
        ready, idle = [], []
        for _ in range(plan.times(_REPEATS)):
            with run_hub(agents=0 if empty else 1, empty=empty) as hub:
                ready.append(hub.ready_s)
                if not empty:
                    hub.fetch_token()
                sleep(plan.seconds(_IDLE_S))
                idle.append(hub.rss_mb())
        slowest.append(median(ready))
        fattest.append(median(idle))
        result.rows.append(
            {
                "start": name,
                "ready_s": round(median(ready), 2),
                "slowest_s": round(max(ready), 2),
                "idle_mb": round(median(idle)),
            }
        )
    result.targets.append(Target("start to ready", 3.0, max(slowest), "s", is_ceiling=True))
    result.targets.append(Target("idle memory", 150.0, max(fattest), "MB", is_ceiling=True))
    result.notes.append(f"medians of {plan.times(_REPEATS)} starts")
    return result
