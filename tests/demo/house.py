"""A demo as `hub demo` runs it, in this process: hub, carrier, post office, and the hub's door for mail."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from hub.app import Hub, make_app, server_options
from hub.demo.house import DemoHouse
from hub.settings import load_settings


@asynccontextmanager
async def demo(sqlite_url: str, data_dir: Path, port: int, *, quiet: bool) -> AsyncIterator[tuple[Hub, DemoHouse, str]]:
    """The hub, the house and their root address."""
    url = f"http://127.0.0.1:{port}"
    environment = {
        "HUB_DATA_DIR": str(data_dir),
        "HUB_DATABASE_URL": sqlite_url,
        "HUB_PUBLIC_URL": url,
        "HUB_SMTP_LISTEN": "127.0.0.1:0",
    }
    settings = load_settings(environment)
    hub = Hub(settings)
    house = DemoHouse(hub_url=url, data_dir=data_dir, quiet=quiet, speed=20)
    await house.seed(hub.database, hub.vault, hub.files)
    options = server_options("127.0.0.1", port, settings) | {"loop": "none"}
    server = uvicorn.Server(uvicorn.Config(make_app(hub, house.routes), **options))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.02)
        await hub.mail_listener.listening.wait()
    house.hub_takes_mail_at(hub.mail_listener.smtp_port)
    running = asyncio.create_task(house.run())
    try:
        yield hub, house, url
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        server.should_exit = True
        await serving


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
