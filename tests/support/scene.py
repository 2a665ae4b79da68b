"""A small company for tests: queues, agents, a loopback channel, and messages as the channel would bring them."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from hub.agents import presence
from hub.agents.viewer import Viewer
from hub.channels.channel import Consent, MessageArrival, ReceiptArrival
from hub.domain.states import Delivery
from hub.domain.values import ContactKind, Role
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.files import Files
from hub.store.stream import Stored, load_events
from hub.timeline.inbound import Intake, Outcome

_numbers = itertools.count(1)


@dataclass
class Scene:
    """Everything by plain ids. `say` is a customer writing; `agent` makes a signed-in, connected, available agent."""

    database: Database
    queue_id: int = 0
    channel_id: str = "loop"
    # Where raw messages lie; a scene without mails needs no such place.
    files_dir: Path = Path("/dev/null/files")
    files: Files = field(init=False)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.files = Files(self.files_dir)
        self.intake = Intake(self.database, self.files)

    async def set_up(self) -> Scene:
        self.queue_id = await self.database.transaction(self._set_up)
        return self

    def _set_up(self, tx: Tx) -> int:
        queue_id = tx.insert(tables.queue, {"name": "Support"})
        self._insert_channel(tx, self.channel_id, "loopback", queue_id)
        return queue_id

    def _insert_channel(self, tx: Tx, channel_id: str, kind: str, queue_id: int) -> None:
        tx.execute(
            insert(tables.channel).values(
                id=channel_id,
                kind=kind,
                name=channel_id,
                queue_id=queue_id,
                settings={},
                secrets="",
                health_since=tx.now,
            )
        )

    async def channel(self, channel_id: str, kind: str) -> str:
        await self.database.transaction(self._insert_channel, channel_id, kind, self.queue_id)
        return channel_id

    async def queue(self, name: str, **values: object) -> int:
        return await self.database.transaction(lambda tx: tx.insert(tables.queue, {"name": name, **values}))

    async def agent(
        self, name: str = "", *, queue_ids: set[int] | None = None, role: Role = Role.AGENT, capacity: int = 100
    ) -> Viewer:
        name = name or f"Agent {next(_numbers)}"
        queues = frozenset(queue_ids if queue_ids is not None else {self.queue_id})

        def make(tx: Tx) -> int:
            user_id = tx.insert(
                tables.user_account,
                {
                    "email": f"{name.lower().replace(' ', '.')}-{next(_numbers)}@hub.test",
                    "name": name,
                    "role": role.value,
                    "password_hash": "",
                    "created_at": tx.now,
                },
            )
            tx.execute(
                insert(tables.agent).values(
                    user_id=user_id, state="available", state_since=tx.now, idle_since=tx.now, capacity=capacity
                )
            )
            for queue_id in queues:
                tx.execute(insert(tables.queue_member).values(queue_id=queue_id, user_id=user_id))
            presence.connect(tx, f"screen-{user_id}", user_id, "test", None)
            return user_id

        user_id = await self.database.transaction(make)
        return Viewer(user_id=user_id, role=role, name=name, language="en", queue_ids=queues)

    def message(
        self,
        text: str = "Hello",
        *,
        sender: str = "ani",
        provider_id: str | None = None,
        consent: Consent | None = None,
        kind: ContactKind = ContactKind.LOOPBACK,
    ) -> MessageArrival:
        return MessageArrival(
            provider_id=provider_id or f"m{next(_numbers)}",
            contact_kind=kind,
            sender=sender,
            text=text,
            raw=json.dumps({"text": text}),
            received_at=self.database.clock(),
            consent=consent,
        )

    async def say(self, text: str = "Hello", *, channel_id: str | None = None, **message: object) -> Outcome:
        arrival = self.message(text, **message)  # type: ignore[arg-type]
        return (await self.intake.accept(channel_id or self.channel_id, [arrival]))[0]

    async def opened(self, text: str = "Hello", *, channel_id: str | None = None, **message: object) -> int:
        """A customer writes; the conversation's id."""
        outcome = await self.say(text, channel_id=channel_id, **message)
        assert outcome.conversation_id is not None
        return outcome.conversation_id

    async def receipt(
        self, delivery_id: str | None, state: Delivery | None, *, word: str = "", reason: str | None = None
    ) -> None:
        arrival = ReceiptArrival(
            provider_id=f"r{next(_numbers)}",
            delivery_id=delivery_id,
            message_provider_id=None,
            word=word or (state.value if state else "?"),
            state=state,
            raw="{}",
            received_at=self.database.clock(),
            reason=reason,
        )
        await self.intake.accept(self.channel_id, [arrival])

    async def rows(self, table: object, **equal: object) -> list[dict[str, Any]]:
        def load(tx: Tx) -> list[dict[str, Any]]:
            query = select(table)  # type: ignore[call-overload]
            for name, value in equal.items():
                query = query.where(table.c[name] == value)  # type: ignore[attr-defined]
            return [dict(row._mapping) for row in tx.rows(query)]

        return await self.database.read(load)

    async def row(self, table: object, **equal: object) -> dict[str, Any]:
        (only,) = await self.rows(table, **equal)
        return only

    async def set(self, table: object, values: dict[str, object], **equal: object) -> None:
        def write(tx: Tx) -> None:
            query = update(table)  # type: ignore[arg-type]
            for name, value in equal.items():
                query = query.where(table.c[name] == value)  # type: ignore[attr-defined]
            tx.execute(query.values(**values))

        await self.database.transaction(write)

    async def events(self, after: int = 0) -> list[Stored]:
        return await self.database.read(load_events, after)
