"""From something that happens on the floor to the pixels of a supervisor's board: a real page in a real (headless) Chromium.

The page is the console as it is built, its board open at 1440 × 900, everybody in it by name, so that rows stay where they
are. A script of ours in it looks at the table's nodes and writes down, for each row in which a word that we wait for has
changed, when the frame with it had been drawn:

    due ─ request ─ commit ─ socket ─ apply ─ Vue ─► nodes change ─► next animation frame: layout, paint ─► a task after it

The task stamps it. That is what the page's thread does; the compositor puts the tiles on the screen after that, some
milliseconds more which no script sees. A stamp is performance.timeOrigin + performance.now(), which is this machine's clock.
Where a change falls into a frame that is being made, the one after it is counted: later than it was, never earlier.

Of 500 agents some fifteen are in sight; the page hears of all of them and draws those, and only those are timed.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.board_events import Due

_READY_MS = 30_000.0

# → ids of the agents whose rows are in sight; from now on what changes in the table is written down.
_WATCH = """() => {
  const table = document.querySelector('[data-testid="board-agents"] [role="rowgroup"]');
  const scroller = table.closest('.scroller');
  scroller.scrollIntoView({ block: 'end' });
  const frame = scroller.getBoundingClientRect();
  const [top, bottom] = [Math.max(0, frame.top), Math.min(innerHeight, frame.bottom)];
  const rows = [...table.querySelectorAll('[data-agent-id]')];
  const isWithin = (box) => box.top >= top && box.bottom <= bottom;
  const inSight = rows.filter((row) => isWithin(row.getBoundingClientRect()));
  const seen = (window.benchSeen = []);
  const known = new Map();
  const look = (row) => {
    const id = Number(row.dataset.agentId);
    const now = [row.dataset.stateName, Number(row.querySelector('[data-figure="texts"] .live-text')?.textContent)];
    const before = known.get(id);
    known.set(id, now);
    return before === undefined || (before[0] === now[0] && before[1] === now[1]) ? [] : [[id, ...now]];
  };
  rows.forEach(look);
  new MutationObserver((records) => {
    const touched = new Set();
    for (const { target } of records) {
      const row = (target instanceof Element ? target : target.parentElement)?.closest('[data-agent-id]');
      if (row) touched.add(row);
    }
    const changes = [...touched].flatMap(look);
    if (changes.length === 0) return;
    requestAnimationFrame(() => {
      const after = new MessageChannel();
      after.port1.onmessage = () => {
        const at = performance.timeOrigin + performance.now();
        for (const change of changes) seen.push([...change, at]);
      };
      after.port2.postMessage(null);
    });
  }).observe(table, { subtree: true, childList: true, characterData: true, attributeFilter: ['data-state-name'] });
  return inSight.map((row) => Number(row.dataset.agentId));
}"""


class NoBrowserError(Exception):
    """Nothing here can open the page; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row that has changed, and when that had been drawn (monotonic clock, seconds)."""

    user_id: int
    state: str
    texts: int
    at: float


@dataclass(slots=True)
class Board:
    """An open board. `in_sight`: the agents whose rows are on the screen, in their order."""

    in_sight: list[int]
    snapshots: int
    _page: Any
    _probe: Any

    async def main_thread_s(self) -> float:
        """Processor seconds that the page's main thread has used: scripts, styles, layout and paint."""
        told = (await self._probe.send("Performance.getMetrics"))["metrics"]
        return float({each["name"]: each["value"] for each in told}["ThreadTime"])

    async def seen(self) -> list[Seen]:
        offset = time.monotonic() - time.time()
        return [
            Seen(int(user_id), state, int(texts or 0), at / 1e3 + offset)
            for user_id, state, texts, at in await self._page.evaluate("window.benchSeen")
        ]


def painted_after_ms(
    due: Sequence[Due], seen: Sequence[Seen], in_sight: Sequence[int], within_s: float
) -> list[float | None]:
    """Of each change of somebody in sight, how long until it was drawn; None: it was not, within that time."""
    rows: dict[int, list[Seen]] = {user_id: [] for user_id in in_sight}
    for each in seen:
        rows.setdefault(each.user_id, []).append(each)
    found: list[float | None] = []
    for one in due:
        if one.user_id not in rows:
            continue
        drawn = (
            each.at
            for each in rows[one.user_id]
            if one.at <= each.at < one.at + within_s
            and (each.texts >= one.texts if one.state is None else each.state == one.state)
        )
        at = min(drawn, default=None)
        found.append(None if at is None else (at - one.at) * 1e3)
    return found


@asynccontextmanager
async def open_board(port: int, cookie: str) -> AsyncIterator[Board]:
    """A supervisor's board in a browser of its own. NoBrowserError when there is none here, or no console to show."""
    # Late: Playwright is there for tests and benchmarks alone.
    try:
        from playwright.async_api import async_playwright

        from tests.support.chromium import FLAGS, find_chromium
    except ImportError as error:
        raise NoBrowserError("Playwright is not installed (pip install '.[test]')") from error
    path = find_chromium()
    if path is None:
        raise NoBrowserError("there is no Chromium on this machine (Debian's package `chromium`)")
    base = f"http://127.0.0.1:{port}"
    name, _, value = cookie.partition("=")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS, headless=True)
        try:
            context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
            await context.add_cookies([{"name": name, "value": value, "url": base}])
            page = await context.new_page()
            answer = await page.goto(f"{base}/board")
            if answer is None or answer.status != 200:
                raise NoBrowserError("the console is not built, so there is no page to look at")
            await page.get_by_test_id("board-agent").first.wait_for(timeout=_READY_MS)
            await page.get_by_test_id("board-columns").click()
            await page.get_by_test_id("column-texts").click()
            await page.keyboard.press("Escape")
            await page.get_by_test_id("sort-name").click()
            probe = await context.new_cdp_session(page)
            await probe.send("Performance.enable")
            board = Board(await page.evaluate(_WATCH), 0, page, probe)
            page.on("request", lambda request: _count_snapshot(board, request.url))
            yield board
        finally:
            await browser.close()


def _count_snapshot(board: Board, url: str) -> None:
    if url.endswith("/api/v1/snapshot"):
        board.snapshots += 1
