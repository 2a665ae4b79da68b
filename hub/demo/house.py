"""The demo put together: carrier, post office, robots, pages. Who serves the hub mounts `routes`, calls `seed` once the
database is migrated, says where the hub takes mails, and runs `run()` while it serves.

    house = DemoHouse(hub_url="http://127.0.0.1:8080", data_dir=settings.data_dir, quiet=False)
    await house.seed(hub.database, hub.vault, hub.files)
    make_app(hub, extra_routes=house.routes)
    house.hub_takes_mail_at(2525)
    async with asyncio.TaskGroup() as group: group.create_task(house.run())
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.routing import BaseRoute

from hub.demo import pages, seed
from hub.demo.carrier import Carrier
from hub.demo.carrier_calls import Reaction
from hub.demo.customers import Robots
from hub.demo.past_mails import past_threads
from hub.demo.people import CORRESPONDENTS, ROBOT_CORRESPONDENTS
from hub.demo.post_office import PostOffice
from hub.store.database import Database
from hub.store.files import Files
from hub.store.vault import Vault

# A telephone on a desk picks up after this.
ONE_RING_S = 1.5


class DemoHouse:
    """`hub_url` is where the hub is served on this machine, without a path. The carrier's and the post office's journals
    lie in `data_dir`, so whoever empties it empties the handsets and the mail boxes, too. `speed` divides every waiting
    time (tests)."""

    def __init__(self, *, hub_url: str, data_dir: Path, quiet: bool = False, speed: float = 1.0) -> None:
        hub_url = hub_url.rstrip("/")
        self._hub_url = hub_url
        self.carrier = Carrier(
            account_sid=seed.ACCOUNT_SID,
            auth_token=seed.twilio_token(),
            numbers={
                seed.SMS_NUMBER: {
                    "sms_url": f"{hub_url}/webhooks/sms-demo/message",
                    "voice_url": f"{hub_url}/webhooks/phone-demo/voice",
                    "voice_status_callback": f"{hub_url}/webhooks/phone-demo/status",
                }
            },
            journal=data_dir / "carrier.jsonl",
            speed=speed,
            base_url=hub_url + seed.CARRIER_PATH,
        )
        for desk in seed.DESK_PHONES:
            self.carrier.voice.set_reaction(desk, Reaction("answer", ONE_RING_S))
        self.post_office = PostOffice(
            (*CORRESPONDENTS, *ROBOT_CORRESPONDENTS),
            routes={seed.MAIL_DOMAIN: None},
            journal=data_dir / "post-office.jsonl",
            speed=speed,
        )
        self.robots: Robots | None = None
        if not quiet:
            self.robots = Robots(
                carrier=self.carrier,
                number=seed.SMS_NUMBER,
                post_office=self.post_office,
                mail_address=seed.MAIL_ADDRESS,
                hub_url=hub_url,
                password=seed.password(),
                agents=seed.ROBOT_AGENTS,
                speed=speed,
            )

    @property
    def routes(self) -> list[BaseRoute]:
        return pages.routes(
            pages.Demo(
                self.carrier,
                seed.SMS_NUMBER,
                self.post_office,
                seed.MAIL_ADDRESS,
                seed.logins(),
                seed.password(),
                robots=self.robots,
            )
        )

    async def seed(self, database: Database, vault: Vault, files: Files | None = None, history_days: int = 0) -> bool:
        """True if the hub was empty and is filled now. The post office listens from now on."""
        smtp_port = await self.post_office.open()
        past = past_threads(
            database.clock(),
            house=seed.MAIL_ADDRESS,
            house_name=seed.ORGANISATION_NAME,
            agents={user.email: user.name for user in seed.USERS},
        )
        is_new = await seed.seed(
            database,
            vault,
            hub_url=self._hub_url,
            smtp_port=smtp_port,
            mails=past,
            files=files,
            history_days=history_days,
        )
        if is_new:
            for thread in past:
                for mail in thread.mails:
                    self.post_office.keep(
                        thread.owner, "inbox" if mail.agent else "sent", mail.content, mail.at, is_read=True
                    )
        return is_new

    def hub_takes_mail_at(self, port: int) -> None:
        """Tells the post office the port of the hub's SMTP listener; until then mails to the hub wait."""
        self.post_office.routes[seed.MAIL_DOMAIN] = ("127.0.0.1", port)

    async def run(self) -> None:
        """Until cancelled. A fault of ours ends it loudly."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.carrier.run(), name="carrier")
            group.create_task(self.post_office.run(), name="post office")
            if self.robots is not None:
                group.create_task(self.robots.run(), name="robots")
