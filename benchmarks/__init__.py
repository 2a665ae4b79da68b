"""Benchmarks of the hub: `hub bench [NAME]`.

Every figure stands beside a floor that was measured in the same run on the same machine (the bare driver, the bare
`websockets` library), because a ratio travels and an absolute figure does not. All traffic stays on 127.0.0.1; every
process that is started here is stopped here; every run is bounded in time.

    inbound   durable messages a second through timeline.inbound     against the same rows by the bare driver
    latency   signed webhook → 50 console sockets, real processes    p50, p99, max at 100, 500 and 1,000 messages/s
    fanout    one event to 1,000 console sockets                     against `websockets.broadcast` to 1,000 sockets
    mail      mails a second, read and stored                        against the standard library's bare parse
    routing   agent free → offer committed, 10,000 waiting           the engine alone against looking at all work once
    kpi       reports and board over 10 million contacts             against the same over 100,000
    voice     calls that a core bridges and records                  against nothing: codecs and SRTP are the floor
    voice_accept  agent accepts → customer and agent hear each other
    board     an event → a supervisor's socket, and the pixels of their board; 500 agents, 100 events/s; GET /board
    console   a key → its paint, in a console with 50,000 open conversations at 200 events/s
    search    a question → its page of hits, a million entries    against reading hits that are known
    import    lines of a file of customers, committed, a second   against the bare driver's inserts of the same rows
    start     `hub serve` until /readyz is 200, and idle memory

docs/performance.md explains the method and holds the figures.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import describe_machine, measure_calm
from benchmarks.report import Plan, Result, print_machine, print_result, to_json

NAMES = (
    "inbound",
    "latency",
    "fanout",
    "mail",
    "routing",
    "kpi",
    "voice",
    "voice_accept",
    "board",
    "console",
    "search",
    "import",
    "start",
)

# What Python keeps for itself.
_MODULES = {"import": "import_"}


def main(
    name: str | None = None, json_path: Path | None = None, *, quick: bool = False, size: int | None = None
) -> int:
    """Runs one benchmark (or all of them), prints a table for each and writes JSON to `json_path` if given. `quick`
    measures briefly, for trying out; `size` is how many contacts kpi makes, how many entries search has, how many
    conversations console has. Returns 0 when
    every target was met, else 1; an unknown name is a ValueError."""
    if name is not None and name not in NAMES:
        raise ValueError(f"there is no benchmark {name!r}: choose one of {', '.join(NAMES)}")
    machine = describe_machine()
    print_machine(machine)
    results: list[Result] = []
    for each in NAMES if name is None else (name,):
        print(f"\n{each} …", file=sys.stderr)
        calm = measure_calm()
        result = _load(each)(Plan(quick=quick, size=size))
        result.notes.append(f"before: {calm}; after: {measure_calm()}")
        print_result(result)
        results.append(result)
    if json_path is not None:
        json_path.write_text(json.dumps(to_json(machine, results), indent=2) + "\n")
    return 0 if all(target.is_met for result in results for target in result.targets) else 1


def _load(name: str) -> Callable[[Plan], Result]:
    # Late: each benchmark brings its own heavy imports, which would blur the start and memory of the others.
    run: Callable[[Plan], Result] = importlib.import_module(f"benchmarks.{_MODULES.get(name, name)}").run
    return run
