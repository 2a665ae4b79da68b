"""A queue that asks its customers for scores, and how a request comes to its end there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import update

from hub.agents.viewer import Viewer
from hub.domain.values import AuthorKind, ChannelKind, ContactKind, Role
from hub.domain.views import Author
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database, Tx
from hub.surveys import asking
from hub.surveys.settings import SurveySetting, load_setting, save_setting
from hub.timeline import outbox
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

PHONE = "+37477123456"


@dataclass
class Floor:
    """A scene with a survey, an agent who answers and a supervisor who hears of it."""

    scene: Scene
    clock: FrozenClock
    agent: Viewer
    supervisor: Viewer

    @property
    def database(self) -> Database:
        return self.scene.database

    async def settle(self, **values: object) -> SurveySetting:
        def save(tx: Tx) -> SurveySetting:
            before = load_setting(tx, self.scene.queue_id)
            return save_setting(tx, replace(before, **values), before.version)  # type: ignore[arg-type]

        return await self.database.transaction(save)

    async def served(self, *, channel_id: str = "sms-1", answer: str | None = "Done.", sender: str = PHONE) -> int:
        """A customer writes, the agent answers and resolves; the conversation's id."""
        kind = ContactKind.PHONE if channel_id == "sms-1" else ContactKind.LOOPBACK
        conversation_id = await self.scene.opened("Where is it?", channel_id=channel_id, sender=sender, kind=kind)
        await self.end(conversation_id, answer)
        return conversation_id

    async def end(self, conversation_id: int, answer: str | None = "Done.") -> None:
        def work(tx: Tx) -> None:
            if answer is not None:
                dispatcher.hold_for_reply(tx, self.agent, conversation_id)
                author = Author(AuthorKind.AGENT, self.agent.name, self.agent.user_id)
                outbox.enqueue(tx, conversation_id, author, answer)
            else:
                dispatcher.claim(tx, self.agent, conversation_id, None)
            dispatcher.resolve(tx, self.agent, conversation_id)

        await self.database.transaction(work)

    async def ask(self) -> None:
        """What the loop does when the time has come."""
        self.clock.advance(60)
        for survey_id in await self.database.read(asking.find_due):
            await self.database.transaction(asking.ask, survey_id)

    async def reply(self, text: str, *, sender: str = PHONE, provider_id: str | None = None) -> int | None:
        """A text message; the conversation it went to."""
        outcome = await self.scene.say(
            text, channel_id="sms-1", sender=sender, kind=ContactKind.PHONE, provider_id=provider_id
        )
        return outcome.conversation_id

    async def surveys(self, **equal: object) -> list[dict[str, Any]]:
        return await self.scene.rows(tables.survey, **equal)

    async def states(self) -> list[tuple[str, str | None]]:
        return [(row["state"], row["dropped"]) for row in await self.scene.rows(tables.survey)]

    async def facts(self, kind: str) -> int:
        return sum(event.kind == kind for event in await self.scene.events())

    async def change(self, table: object, **values: object) -> None:
        await self.database.transaction(lambda tx: tx.execute(update(table).values(**values)))  # type: ignore[arg-type]


@pytest.fixture
async def floor(database: Database, clock: FrozenClock) -> Floor:
    return await set_up_floor(database, clock)


async def set_up_floor(database: Database, clock: FrozenClock) -> Floor:
    scene = await Scene(database).set_up()
    await scene.channel("sms-1", "sms")
    agent = await scene.agent("Nare")
    supervisor = await scene.agent("Sona", role=Role.SUPERVISOR)
    floor = Floor(scene, clock, agent, supervisor)
    await floor.settle(
        enabled=True, channels=(ChannelKind.SMS, ChannelKind.EMAIL, ChannelKind.CHAT, ChannelKind.LOOPBACK)
    )
    return floor
