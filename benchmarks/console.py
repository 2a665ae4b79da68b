"""A supervisor's console that holds 50,000 open conversations while 200 things happen a second: can one still type in it?

The hub is a process of its own (`hub serve`, SQLite at synchronous=FULL) with 50,000 open conversations in it (`--size`), and
a real (headless) Chromium has the console open, signed in as a supervisor who sees them all (console_page). What happens is
real, and in an open loop: texts of customers as signed webhooks (benchmarks.poster), each from another customer than the one
before, and tags that the API sets, one change in five. Meanwhile a text is typed into the writing field, key after key:

    key_*     the instant of the key's event → the frame that followed had been painted; milliseconds
    scroll_*  the time between two frames while the wheel turns over the list of all; milliseconds
    blocked   of the time that was typed, how much the main thread spent in tasks of more than 50 ms
    busy      how much of a core that thread used
    heap_mb   what the page's scripts hold, after a collection

Floor: the same keys in an empty page with nothing but a writing field, while the hub does the same work.
`first_list` is from the navigation to the painted list. Keys come every 90 ms whatever the page does (no coordinated
omission: a key that waits is charged from when it was pressed). Hub, browser and generator go before other programs of
the machine where they may: what is measured is the page, not who else wants the two cores.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import httpx2

from benchmarks.board_pixels import NoBrowserError
from benchmarks.children import Child, child
from benchmarks.console_page import ConsolePage, Typed, empty_page, open_browser, open_console
from benchmarks.hub_process import RunningHub, run_hub
from benchmarks.machine import take_precedence
from benchmarks.report import Cell, Plan, Result, Target, percentile
from benchmarks.words import ACCOUNT_SID, AUTH_TOKEN, HUB_NUMBER

CONVERSATIONS = 50_000
RATE = 200
# One change in so many is a tag, the others are texts.
_TAGGED = 5
_KEYS = 200
_SCROLL_S = 6.0
_SETTLE_S = 2.0
# What the generator needs to make its requests ready: told before the run begins.
_LEAD_S = 0.5


def run(plan: Plan) -> Result:
    count = plan.size or CONVERSATIONS
    result = Result(
        "console",
        f"keys into the writing field of a console, {RATE} events a second, {count:,} open conversations; milliseconds",
    )
    with run_hub(supervisors=1, customers=count) as hub, child("benchmarks.poster") as poster:
        asyncio.run(_measure(hub, poster, count, plan, result))
    return result


async def _measure(hub: RunningHub, poster: Child, count: int, plan: Plan, result: Result) -> None:
    keys = 40 if plan.quick else _KEYS
    base = f"http://127.0.0.1:{hub.port}"
    async with httpx2.AsyncClient(base_url=base, headers={"Cookie": hub.cookies[-1]}, timeout=30) as client:
        session = (await client.get("/api/v1/session")).json()
        client.headers.update({"X-CSRF-Token": session["csrf_token"], "Origin": base})
        floor = _Floor(hub, client, poster, count)
        try:
            async with open_browser(hub.port, hub.cookies[-1]) as context:
                first = take_precedence()
                async with empty_page(context) as page, floor.happening(keys):
                    bare = await page.type(keys)
                result.rows.append(_row("an empty page", 0, RATE, bare, None))
                async with open_console(context, hub.port) as page:
                    result.notes.append(f"first list painted after {page.first_list_ms:,.0f} ms")
                    quiet = await _level(page, floor, 0, keys)
                    result.rows.append(_row("as it opens", quiet.held, 0, quiet, bare))
                    opened = await _level(page, floor, RATE, keys)
                    result.rows.append(_row("as it opens", opened.held, RATE, opened, bare))
                    took_s = await page.hold_all()
                    result.notes.append(f"to hold all of them by paging took {took_s:.1f} s")
                    held = await _level(page, floor, 0, keys)
                    result.rows.append(_row("all held", held.held, 0, held, bare))
                    whole = await _level(page, floor, RATE, keys)
                    result.rows.append(_row("all held", whole.held, RATE, whole, bare))
                    result.notes.append(f"snapshots loaded anew meanwhile: {len(page.snapshots) - 1}")
        except NoBrowserError as reason:
            result.notes.append(f"nothing was measured: {reason}")
            result.targets.append(Target(f"key → paint p95 at {RATE}/s, all held", 50.0, None, "ms", is_ceiling=True))
            return
    if not first:
        result.notes.append("hub, browser and generator could not be given precedence over other programs")
    result.notes.append(
        f"{floor.answered} of {floor.posted} changes were answered with success; the generator was at the worst"
        f" {floor.late_ms:.0f} ms late"
    )
    result.targets.append(Target("of the conversations held at the end", float(count), float(whole.held), "rows"))
    p95 = percentile(sorted(whole.keys_ms), 0.95)
    result.targets.append(Target(f"key → paint p95 at {RATE}/s, all held", 50.0, p95, "ms", is_ceiling=True))


async def _level(page: ConsolePage, floor: _Floor, rate: int, keys: int) -> Typed:
    await asyncio.sleep(_SETTLE_S)
    if rate == 0:
        return await page.type(keys, _SCROLL_S)
    async with floor.happening(keys):
        return await page.type(keys, _SCROLL_S)


def _row(what: str, held: int, rate: int, typed: Typed, floor: Typed | None) -> dict[str, Cell]:
    keys, frames = sorted(typed.keys_ms), sorted(typed.frames_ms)
    p95 = percentile(keys, 0.95)
    return {
        "what": what,
        "rows": held,
        "per_s": rate,
        "keys": len(keys),
        "key_p50": round(percentile(keys, 0.5), 1),
        "key_p95": round(p95, 1),
        "key_max": round(keys[-1], 1),
        "of_floor": None if floor is None else round(p95 / percentile(sorted(floor.keys_ms), 0.95), 2),
        "scroll_p95": round(percentile(frames, 0.95), 1) if frames else None,
        "scroll_max": round(frames[-1], 1) if frames else None,
        "blocked": round(typed.blocked, 3),
        "busy": round(typed.busy, 2),
        "heap_mb": None if typed.heap_mb is None else round(typed.heap_mb),
    }


class _Floor:
    """What happens: texts and tags, together RATE a second."""

    def __init__(self, hub: RunningHub, client: httpx2.AsyncClient, poster: Child, customers: int) -> None:
        self._hub, self._client, self._poster, self._customers = hub, client, poster, customers
        self._first = 0
        self.posted = self.answered = 0
        self.late_ms = 0.0

    @asynccontextmanager
    async def happening(self, keys: int) -> AsyncIterator[None]:
        """Begins before the body does and goes on until after it, for as long as that many keys take at the most."""
        rate = RATE - RATE // _TAGGED
        seconds = ConsolePage.seconds_for(keys) + _SCROLL_S + 2 * _LEAD_S
        job = {
            "port": self._hub.port,
            "url": self._hub.webhook_url,
            "auth_token": AUTH_TOKEN,
            "account_sid": ACCOUNT_SID,
            "to_number": HUB_NUMBER,
            "rate": rate,
            "count": int(rate * seconds),
            "first": self._first,
            "customers": self._customers,
        }
        self._first += job["count"]
        if await asyncio.to_thread(self._poster.ask, job) != "ready":
            raise AssertionError("the generator did not start")
        tagging = asyncio.create_task(self._tag(seconds))
        posting = asyncio.create_task(asyncio.to_thread(self._poster.ask, {"start_at": monotonic() + 0.1}))
        await asyncio.sleep(_LEAD_S)
        try:
            yield
        finally:
            told: dict[str, Any] = await posting
            await tagging
            self.posted += job["count"]
            self.answered += told["statuses"].get("200", 0)
            self.late_ms = max(self.late_ms, *(each * 1e3 for each in told["late"]))

    async def _tag(self, seconds: float) -> None:
        begun, rate = monotonic() + 0.1, RATE // _TAGGED
        changes = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - monotonic()))
            # Of conversations all over the list, the newest and the oldest alike.
            its = 1 + (self._first + number * 7_919) % self._customers
            tags = {"tags": [f"bench {self._first + number}"]}
            changes.append(asyncio.create_task(self._client.put(f"/api/v1/conversations/{its}/tags", json=tags)))
        self.posted += len(changes)
        self.answered += sum(answer.status_code == 200 for answer in await asyncio.gather(*changes))
