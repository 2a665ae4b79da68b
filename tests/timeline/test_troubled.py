"""Complaints and escalated work can be asked for by themselves: of very much open work they are the part to be looked at."""

from __future__ import annotations

import pytest

from hub.domain.states import ConversationStatus
from hub.routing import directing
from hub.store import tables
from hub.timeline import conversations, topics
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def test_complaints_and_what_has_escalated_are_found_among_all_open_work(scene: Scene) -> None:
    agent = await scene.agent()
    complaint = await scene.database.transaction(topics.create_topic, name="Late delivery", is_complaint=True)
    order = await scene.database.transaction(topics.create_topic, name="Order")
    angry, plain, waiting, burning = [await scene.opened(sender=name) for name in ("ani", "bela", "cyn", "dan")]
    await scene.database.transaction(directing.set_topic, agent, angry, complaint.id, direct=False)
    await scene.database.transaction(directing.set_topic, agent, plain, order.id, direct=False)
    await scene.set(tables.conversation, {"escalated": 1}, id=burning)

    async def find(*, is_troubled: bool) -> set[int]:
        found = await scene.database.read(
            conversations.load_page,
            agent,
            status=ConversationStatus.OPEN,
            assignee="any",
            queue_id=None,
            words=None,
            before=None,
            limit=10,
            is_troubled=is_troubled,
        )
        return {view.id for view in found}

    assert await find(is_troubled=True) == {angry, burning}
    assert await find(is_troubled=False) == {angry, plain, waiting, burning}
