"""The page of `hub bench console`: a real console in a real (headless) Chromium, real key events, and what each cost.

    key pressed ─ task of its event ─ Vue ─ next animation frame: layout, paint ─► a task after it

The first stamp is the browser's own, of when it had the key, so a busy main thread is charged for letting it wait; the last
is that of the task after the frame. What the compositor does then, some milliseconds more, no script sees. A page that holds
more rows than it began with has paged through the list as the list does, in larger pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from benchmarks.board_pixels import NoBrowserError

_KEY_S = 0.09
_WHEEL_S, _WHEEL_PX = 0.05, 240
_READY_MS = 60_000.0
_TEXT = "we will look into your order and call you back today "

# Before any script of the page: when the first row of the list had been painted.
_FIRST_LIST = """(() => {
  const look = () => {
    if (!document.querySelector('[data-testid="conversation-row"]')) return requestAnimationFrame(look);
    const after = new MessageChannel();
    after.port1.onmessage = () => (window.benchFirstList = performance.now());
    after.port2.postMessage(null);
  };
  requestAnimationFrame(look);
})()"""

_WATCH = """() => {
  window.bench = { keys: [], long: [], frames: null };
  addEventListener('keydown', ({ timeStamp }) => {
    requestAnimationFrame(() => {
      const after = new MessageChannel();
      after.port1.onmessage = () => bench.keys.push(performance.now() - timeStamp);
      after.port2.postMessage(null);
    });
  }, { capture: true });
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) bench.long.push([startTime, duration]);
  }).observe({ entryTypes: ['longtask'] });
  const tick = (before) => requestAnimationFrame((at) => {
    if (bench.frames) bench.frames.push(at - before);
    tick(at);
  });
  tick(performance.now());
}"""

# Through the store of the page itself, as its list does when somebody scrolls to its end, a request after the other.
_HOLD_ALL = """async () => {
  const hub = document.querySelector('#app').__vue_app__.config.globalProperties.$pinia._s.get('hub');
  let cursor = null;
  do {
    const query = new URLSearchParams({ status: 'open', assignee: 'any', limit: '200', ...(cursor ? { cursor } : {}) });
    const page = await (await fetch(`/api/v1/conversations?${query}`)).json();
    hub.learnConversations(page.items);
    cursor = page.next_cursor;
  } while (cursor);
}"""

_HELD = """() => {
  const app = document.querySelector('#app')?.__vue_app__;
  return app ? app.config.globalProperties.$pinia._s.get('hub').allOpen.length : 0;
}"""

_FLOOR = """<!doctype html><meta charset="utf-8"><title>floor</title>
<textarea data-testid="composer-text" rows="3" cols="60" aria-label="text"></textarea>"""


@dataclass(slots=True)
class Typed:
    """`blocked` and `busy` are shares of the time that was typed."""

    keys_ms: list[float]
    frames_ms: list[float]
    blocked: float
    busy: float
    heap_mb: float | None
    held: int


@dataclass(slots=True)
class ConsolePage:
    page: Any
    probe: Any
    first_list_ms: float = 0.0
    snapshots: list[str] = field(default_factory=list)

    @staticmethod
    def seconds_for(keys: int) -> float:
        return keys * _KEY_S

    async def type(self, keys: int, scroll_s: float = 0.0) -> Typed:
        """`keys` keys, one each 90 ms, then `scroll_s` seconds of the wheel over the list."""
        page = self.page
        writing = page.get_by_test_id("composer-text")
        await writing.fill("")
        await writing.focus()
        await page.evaluate("() => { bench.keys = []; bench.long = []; }")
        begun, used = monotonic(), await self._thread_s()
        pressed = []
        for number in range(keys):
            await asyncio.sleep(max(0.0, begun + number * _KEY_S - monotonic()))
            pressed.append(asyncio.create_task(page.keyboard.press(_named(_TEXT[number % len(_TEXT)]))))
        await asyncio.gather(*pressed)
        span, cost = monotonic() - begun, await self._thread_s() - used
        await page.wait_for_timeout(200)
        told = await page.evaluate("() => ({ keys: bench.keys, long: bench.long.map(([, ms]) => ms) })")
        frames = await self._scroll(scroll_s) if scroll_s else []
        return Typed(
            told["keys"], frames, sum(told["long"]) / 1e3 / span, cost / span, await self._heap_mb(), await self._held()
        )

    async def hold_all(self) -> float:
        """Every open conversation, as if somebody had paged to the end; how many seconds that took."""
        begun = monotonic()
        await self.page.evaluate(_HOLD_ALL)
        return monotonic() - begun

    async def _scroll(self, seconds: float) -> list[float]:
        page = self.page
        await page.mouse.move(200, 500)
        await page.evaluate("() => { bench.frames = []; }")
        begun = monotonic()
        number = 0
        while monotonic() < begun + seconds:
            await asyncio.sleep(max(0.0, begun + number * _WHEEL_S - monotonic()))
            # Down, and back again.
            await page.mouse.wheel(0, _WHEEL_PX if (number // 40) % 2 == 0 else -_WHEEL_PX)
            number += 1
        frames: list[float] = await page.evaluate(
            "() => { const found = bench.frames; bench.frames = null; return found; }"
        )
        await page.mouse.move(900, 20)
        return frames

    async def _thread_s(self) -> float:
        """Processor seconds that the page's main thread has used."""
        told = (await self.probe.send("Performance.getMetrics"))["metrics"]
        return float({each["name"]: each["value"] for each in told}["ThreadTime"])

    async def _heap_mb(self) -> float:
        await self.probe.send("HeapProfiler.collectGarbage")
        told = (await self.probe.send("Performance.getMetrics"))["metrics"]
        return float({each["name"]: each["value"] for each in told}["JSHeapUsedSize"]) / 1e6

    async def _held(self) -> int:
        return int(await self.page.evaluate(_HELD))


def _named(letter: str) -> str:
    return "Space" if letter == " " else letter


@asynccontextmanager
async def open_browser(port: int, cookie: str) -> AsyncIterator[Any]:
    """A browser that is signed in. NoBrowserError when there is none here."""
    # Late: Playwright is there for tests and benchmarks alone.
    try:
        from playwright.async_api import async_playwright

        from tests.support.chromium import FLAGS, find_chromium
    except ImportError as error:
        raise NoBrowserError("Playwright is not installed (pip install '.[test]')") from error
    path = find_chromium()
    if path is None:
        raise NoBrowserError("there is no Chromium on this machine (Debian's package `chromium`)")
    name, _, value = cookie.partition("=")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS, headless=True)
        try:
            context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
            await context.add_cookies([{"name": name, "value": value, "url": f"http://127.0.0.1:{port}"}])
            yield context
        finally:
            await browser.close()


@asynccontextmanager
async def empty_page(context: Any) -> AsyncIterator[ConsolePage]:
    page = await context.new_page()
    await page.set_content(_FLOOR)
    yield await _watched(context, page)
    await page.close()


@asynccontextmanager
async def open_console(context: Any, port: int) -> AsyncIterator[ConsolePage]:
    """The console with the list of all, a conversation of it open. NoBrowserError where no console is built."""
    page = await context.new_page()
    await page.add_init_script(_FIRST_LIST)
    snapshots: list[str] = []
    page.on(
        "request", lambda request: snapshots.append(request.url) if request.url.endswith("/api/v1/snapshot") else None
    )
    answer = await page.goto(f"http://127.0.0.1:{port}/conversations?list=all")
    if answer is None or answer.status != 200:
        raise NoBrowserError("the console is not built, so there is no page to look at")
    await page.get_by_test_id("conversation-row").first.wait_for(timeout=_READY_MS)
    await page.wait_for_function("window.benchFirstList", timeout=_READY_MS)
    await page.get_by_test_id("conversation-row").first.click()
    await page.get_by_test_id("composer-text").wait_for(timeout=_READY_MS)
    found = await _watched(context, page)
    found.first_list_ms = float(await page.evaluate("window.benchFirstList"))
    found.snapshots = snapshots
    yield found
    await page.close()


async def _watched(context: Any, page: Any) -> ConsolePage:
    await page.evaluate(_WATCH)
    probe = await context.new_cdp_session(page)
    await probe.send("Performance.enable")
    return ConsolePage(page, probe)
