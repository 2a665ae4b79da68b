"""Customers who turn out to be one: a request of the one is not resolved for good if the other came with it again."""

from __future__ import annotations

import pytest

from hub.domain.values import ContactKind
from hub.kpi.figures import Query, load_figures
from hub.kpi.measures import Figure
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database
from hub.timeline import customers
from tests.kpi.random_facts import project_all
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def load_fcr(database: Database, clock: FrozenClock) -> Figure:
    await project_all(database)
    report = await database.read(load_figures, Query(("fcr",), clock().date(), clock().date()), clock())
    return report.rows[0].figures["fcr"]


async def test_who_comes_again_as_a_stranger_and_says_who_they_are_was_not_helped_at_once(
    database: Database, clock: FrozenClock
) -> None:
    scene = await Scene(database).set_up()
    await scene.channel("chat", "chat")
    await scene.channel("sms", "sms")
    agent = await scene.agent()
    text = await scene.opened(channel_id="sms", sender="+37491000001", kind=ContactKind.PHONE)
    await database.transaction(dispatcher.claim, agent, text, None)
    clock.advance(60)
    await database.transaction(dispatcher.resolve, agent, text)
    clock.advance(3600)
    chat = await scene.opened(channel_id="chat", sender="visitor", kind=ContactKind.CHAT)
    assert (await load_fcr(database, clock)).value == 1
    point = (await scene.row(tables.conversation, id=chat))["contact_point_id"]
    said = [(ContactKind.PHONE, "+37491000001")]
    await database.transaction(lambda tx: customers.identify(tx, point, name="Ani", claims=said))
    assert (await load_fcr(database, clock)).value == 0
