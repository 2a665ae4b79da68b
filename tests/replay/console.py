"""The console's own reducer (web_console/src/replay.ts), bundled and run by node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import hatch_build
from tests.support.hub_process import ROOT

SOURCES = ROOT / hatch_build.SOURCES
# One run for many recordings: starting node for each would take longer than all the rest.
_BATCH = """
import {{ replay }} from {replay};
let text = "";
for await (const chunk of process.stdin) text += chunk;
process.stdout.write(JSON.stringify(JSON.parse(text).map(replay)));
"""


@cache
def node() -> str:
    """The node that builds the console; the packages are put in place if they are not."""
    found = hatch_build.obtain_node()
    with hatch_build.one_build_at_a_time(ROOT):
        hatch_build.ensure_packages(ROOT, found)
    return str(found.bin_dir / "node")


def run(*arguments: str, stdin: str | None = None) -> str:
    """The standard output of a script of web_console's packages."""
    done = subprocess.run(
        [node(), *arguments], cwd=SOURCES, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return done.stdout


def replay_all(recordings: Sequence[Any], folder: Path) -> list[str]:
    """The canonical state after each {snapshot, frames}, as text."""
    entry, bundle = folder / "batch.js", folder / "bundle.mjs"
    entry.write_text(_BATCH.format(replay=json.dumps(str(SOURCES / "src" / "replay.ts"))))
    run("node_modules/rolldown/bin/cli.mjs", str(entry), "--file", str(bundle), "--format", "esm", "--platform", "node")
    texts: list[str] = json.loads(run(str(bundle), stdin=json.dumps(recordings)))
    return texts
