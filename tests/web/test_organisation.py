"""The organisation's page: its name, the account of the hub's own mails, and what is kept for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from hub.agents.retention import LEAST_DAYS, Kept, load_spans
from hub.app import Hub, _prune
from hub.store import tables
from hub.store.database import Tx
from tests.web.conftest import Caller, People

pytestmark = pytest.mark.anyio


@pytest.fixture
async def organisation(hub: Hub, people: People) -> None:
    def make(tx: Tx) -> None:
        tx.execute(tables.organisation.update().values(name="Shop"))
        for name, host in (("alpha", "mail.test"), ("beta", "mail.test"), ("gamma", "")):
            channel = {"id": name, "kind": "email", "name": name, "queue_id": people.sales_id, "secrets": ""}
            settings = {"address": f"{name}@hub.test", "smtp_host": host}
            tx.execute(insert(tables.channel).values(**channel, settings=settings, health_since=tx.now))

    await hub.database.transaction(make)


async def test_what_somebody_else_changed_is_not_overwritten(organisation: None, as_admin: Caller) -> None:
    house: dict[str, object] = {"name": "Shop", "time_zone": "UTC", "country": None, "languages": []}
    assert (await as_admin.put("/organisation", {**house, "name": "Store", "expected": house})).status_code == 200
    late = await as_admin.put("/organisation", {**house, "country": "AM", "expected": house})
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    found = (await as_admin.get("/organisation")).json()["organisation"]
    assert found == {**house, "name": "Store"}


async def test_the_hubs_own_mails_leave_from_the_chosen_account_while_it_works(
    hub: Hub, organisation: None, as_admin: Caller
) -> None:
    found = (await as_admin.get("/organisation")).json()
    assert [each["channel_id"] for each in found["mail_accounts"]] == ["alpha", "beta"]
    assert (found["mail_channel_id"], found["mail_from"]) == (None, "alpha")
    refused = await as_admin.put("/organisation/mail-account", {"channel_id": "gamma"})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["channel_id"])
    chosen = (await as_admin.put("/organisation/mail-account", {"channel_id": "beta"})).json()
    assert (chosen["mail_channel_id"], chosen["mail_from"]) == ("beta", "beta")
    down = tables.channel.update().where(tables.channel.c.id == "beta").values(health="down")
    await hub.database.transaction(lambda tx: tx.execute(down))
    assert (await as_admin.get("/organisation")).json()["mail_from"] == "alpha"
    acts = (await as_admin.get("/audit")).json()["items"]
    assert acts[0]["data"]["changes"] == {"mail_account": [None, "beta"]}


async def test_fewer_days_than_the_environment_says_may_be_chosen_and_are_kept(
    hub: Hub, organisation: None, as_admin: Caller
) -> None:
    before = {each["kept"]: each for each in (await as_admin.get("/organisation/retention")).json()}
    assert before["arrivals"] == {
        "kept": "arrivals",
        "days": 90,
        "chosen": None,
        "least": LEAST_DAYS[Kept.ARRIVALS],
        "limit": 90,
        "variable": "HUB_ARRIVAL_RETENTION_DAYS",
    }
    beyond = await as_admin.put("/organisation/retention", {"arrivals": 91, "audit": 1, "events": 3})
    assert (beyond.status_code, sorted(beyond.json()["fields"])) == (422, ["arrivals", "audit"])
    assert (await as_admin.get("/organisation/retention")).json() == list(before.values())

    def arrived(tx: Tx, days: int) -> None:
        at = tx.now - timedelta(days=days)
        arrival = {"channel_id": "alpha", "provider_id": str(days), "raw": "", "received_at": at}
        tx.execute(insert(tables.arrival).values(**arrival))

    for days in (9, 11):
        await hub.database.transaction(arrived, days)
    after = (await as_admin.put("/organisation/retention", {"arrivals": 10})).json()
    assert {each["kept"]: each["days"] for each in after} == {"events": 7, "arrivals": 10, "audit": 730, "webhooks": 7}
    await hub.database.transaction(_prune, hub.settings)
    kept = await hub.database.read(
        lambda tx: [row.provider_id for row in tx.rows(select(tables.arrival.c.provider_id))]
    )
    assert kept == ["9"]
    acts = (await as_admin.get("/audit")).json()["items"]
    assert (acts[0]["action"], acts[0]["data"]["changes"]) == ("organisation.retention_changed", {"arrivals": [90, 10]})
    again = (await as_admin.put("/organisation/retention", {"arrivals": None})).json()
    assert again == list(before.values())
    assert (await hub.database.read(load_spans, hub.settings))[Kept.ARRIVALS] == timedelta(days=90)
