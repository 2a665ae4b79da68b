"""`kill -9` while webhooks go out: each arrives, what was under way once more under its own id, and nothing else twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub.agents.viewer import Viewer
from hub.domain.values import Role
from hub.store import tables
from hub.store.database import Tx
from hub.store.vault import Vault
from hub.timeline import customers
from hub.webhooks import deliveries, endpoints
from hub.webhooks.catalogue import Told
from hub.webhooks.endpoints import Endpoint
from tests.crash.world import SECRET_KEY, running_world
from tests.support.webhook_receiver import WebhookReceiver, is_signed_with, running_receiver

pytestmark = pytest.mark.anyio

PATIENCE_S = 60
CUSTOMERS = 30


def _add_endpoint(tx: Tx, receiver: WebhookReceiver) -> str:
    ada = Viewer(user_id=1, role=Role.ADMIN, name="Ada", language="en", queue_ids=frozenset())
    given = Endpoint(receiver.url, "", (Told.CUSTOMER_CREATED,))
    return endpoints.create_endpoint(tx, ada, Vault(SECRET_KEY), given, may_be_private=True)[1]


def _add_customers(tx: Tx) -> None:
    for number in range(CUSTOMERS):
        customers.create_customer(tx, f"Customer {number}", None)


def _count_open(tx: Tx) -> int:
    return int(tx.scalar(select(func.count()).where(tables.webhook_delivery.c.due_at.is_not(None))) or 0)


async def test_what_was_under_way_is_sent_again_under_its_id_and_the_rest_once(sqlite_url: str, tmp_path: Path) -> None:
    async with running_receiver() as receiver, running_world(sqlite_url, tmp_path, private_webhooks="1") as world:
        secret = await world.database.transaction(_add_endpoint, receiver)
        receiver.hold.clear()  # it has them, and never says so
        await world.start()
        await world.database.transaction(_add_customers)
        await receiver.until(deliveries.IN_FLIGHT)
        await world.kill()
        receiver.hold.set()
        await world.start()
        await receiver.until(CUSTOMERS + deliveries.IN_FLIGHT)
        async with asyncio.timeout(PATIENCE_S):
            while await world.database.read(_count_open):  # noqa: ASYNC110 - asks the database
                await asyncio.sleep(0.05)
        assert (
            sorted(Counter(receiver.ids).values())
            == [1] * (CUSTOMERS - deliveries.IN_FLIGHT) + [2] * deliveries.IN_FLIGHT
        )
        assert {body["data"]["customer"]["name"] for body in receiver.bodies} == {
            f"Customer {number}" for number in range(CUSTOMERS)
        }
        assert all(is_signed_with(secret, headers, body) for headers, body in receiver.got)
