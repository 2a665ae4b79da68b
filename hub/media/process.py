"""The media process put together: `hub media`.

    codec, prompts, shelf, webhooks → exchange (its tick) → control API

It knows no database: what it does it was told by the hub, and what happens it tells the hub. Killed, all its calls are
over; the hub finds that out by asking what lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
import uvloop

from hub.media.codec import codec_named
from hub.media.control import Control
from hub.media.exchange import Exchange
from hub.media.peer import Addresses
from hub.media.precedence import take_precedence, workers
from hub.media.prompts import Prompts
from hub.media.recording import Shelf
from hub.media.webhooks import Webhooks

log = logging.getLogger(__name__)

# Threads write recordings and prepare prompts; the tick must not wait Python's default of 5 ms for each of them.
_SWITCH_INTERVAL_S = 0.0005
_TIDY_EVERY_S = 3600.0
# Prompts that are made ready at once.
_WORKERS = 4
# Calls that one process takes on, which uses one core, by codec: a third of what a core bridged and recorded in
# docs/performance.md, because prompts, conferences and a slower machine want their part.
DEFAULT_CALLS = {"opus": 40, "pcmu": 60}


@dataclass(frozen=True)
class Plan:
    """`key` signs both directions; `calls` is the limit of customers at once."""

    host: str
    port: int
    key: bytes = field(repr=False)
    data_dir: Path
    files_dir: Path
    codec: str = "opus"
    calls: int = 40
    addresses: Addresses = field(default_factory=Addresses)


class Media:
    """One running process; for tests, in the event loop of the test."""

    def __init__(self, plan: Plan) -> None:
        codec = codec_named(plan.codec)
        self.prompts = Prompts(codec, plan.files_dir, plan.data_dir)
        self.shelf = Shelf(codec, plan.data_dir / "media" / "recordings")
        self.webhooks = Webhooks(plan.key)
        self.exchange = Exchange(codec, self.prompts, self.shelf, self.webhooks.tell, limit=plan.calls)
        self.app = Control(self.exchange, plan.key, plan.addresses).app()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.prompts.start()
        await self.exchange.recover()
        tasks = [
            asyncio.create_task(self.exchange.run(), name="media tick"),
            asyncio.create_task(self._tidy(), name="media tidy"),
        ]
        for task in tasks:
            task.add_done_callback(self._ended)
        try:
            yield
        finally:
            await self.exchange.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.webhooks.close()
            await self.prompts.close()
            await asyncio.to_thread(self.shelf.close)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            # A process that answers but mixes nothing would be worse than one that is started again.
            log.critical("media.died", exc_info=task.exception())
            self.has_failed = True
            os.kill(os.getpid(), signal.SIGTERM)

    has_failed = False

    async def _tidy(self) -> None:
        while True:
            await asyncio.to_thread(self.shelf.tidy)
            await asyncio.sleep(_TIDY_EVERY_S)


def run(plan: Plan, *, with_parent: bool = False) -> None:
    """Serves until told to stop. `with_parent`: also until standard input ends, which the hub holds open."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    take_precedence()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if runner.run(_serve(plan, with_parent=with_parent)):
            raise SystemExit(1)


async def _serve(plan: Plan, *, with_parent: bool) -> bool:
    """True if something died that must not."""
    asyncio.get_running_loop().set_default_executor(workers(_WORKERS, "media-worker"))
    media = Media(plan)
    server = uvicorn.Server(
        uvicorn.Config(
            media.app,
            host=plan.host,
            port=plan.port,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    )
    if with_parent:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            server.should_exit = True

        def watch() -> None:
            while os.read(0, 4096):
                pass
            loop.call_soon_threadsafe(stop)

        threading.Thread(target=watch, name="parent", daemon=True).start()
    async with media.running():
        # What is there now stays: looking at it again would only make a tick late.
        gc.collect()
        gc.freeze()
        log.info("media.started", extra={"port": plan.port, "codec": plan.codec, "speaks": media.prompts.speaks})
        await server.serve()
    return media.has_failed
