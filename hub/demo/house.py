"""The demo put together: carrier, robots, pages. Who serves the hub mounts `routes`, calls `seed` once the database is
migrated, and runs `run()` while it serves.

    house = DemoHouse(hub_url="http://127.0.0.1:8080", data_dir=settings.data_dir, quiet=False)
    await house.seed(hub.database, hub.vault)
    make_app(hub, extra_routes=house.routes)
    async with asyncio.TaskGroup() as group: group.create_task(house.run())
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.routing import BaseRoute

from hub.demo import pages, seed
from hub.demo.carrier import Carrier
from hub.demo.customers import Robots
from hub.store.database import Database
from hub.store.vault import Vault


class DemoHouse:
    """`hub_url` is where the hub is served on this machine, without a path. The carrier's journal lies in `data_dir`, so
    whoever empties it empties the handsets, too. `speed` divides every waiting time (tests)."""

    def __init__(self, *, hub_url: str, data_dir: Path, quiet: bool = False, speed: float = 1.0) -> None:
        hub_url = hub_url.rstrip("/")
        self._hub_url = hub_url
        self.carrier = Carrier(
            account_sid=seed.ACCOUNT_SID,
            auth_token=seed.twilio_token(),
            numbers={seed.SMS_NUMBER: {"sms_url": f"{hub_url}/webhooks/sms-demo/message"}},
            journal=data_dir / "carrier.jsonl",
            speed=speed,
            base_url=hub_url + seed.CARRIER_PATH,
        )
        self.robots: Robots | None = None
        if not quiet:
            self.robots = Robots(
                carrier=self.carrier,
                number=seed.SMS_NUMBER,
                hub_url=hub_url,
                password=seed.password(),
                agents=seed.ROBOT_AGENTS,
                speed=speed,
            )

    @property
    def routes(self) -> list[BaseRoute]:
        return pages.routes(
            pages.Demo(self.carrier, seed.SMS_NUMBER, seed.logins(), seed.password(), robots=self.robots)
        )

    async def seed(self, database: Database, vault: Vault) -> bool:
        """True if the hub was empty and is filled now."""
        return await seed.seed(database, vault, hub_url=self._hub_url)

    async def run(self) -> None:
        """Until cancelled. A fault of ours ends it loudly."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.carrier.run(), name="carrier")
            if self.robots is not None:
                group.create_task(self.robots.run(), name="robots")
