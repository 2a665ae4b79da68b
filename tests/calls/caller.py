"""A telephone line as tests play it: what a provider would tell of a call, told to the conductor; and what people do."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from hub.agents.viewer import Viewer
from hub.calls import conductor
from hub.calls.records import new_token
from hub.calls.scenes import read_scene
from hub.calls.views import load_call
from hub.channels.voice import (
    CallArrived,
    Chosen,
    LegChanged,
    LegName,
    RecordingReady,
    RecordingRef,
    SceneEnded,
    VoiceEvent,
    VoicemailLeft,
)
from hub.channels.voice import (
    Scene as LegScene,
)
from hub.domain.calls import LegEnd, Party
from hub.domain.states import LegState
from hub.domain.values import ContactKind
from hub.domain.views import CallView, LegView
from hub.routing import dispatcher
from hub.store import tables
from tests.support.scene import Scene

GRACE_S = 15.0
NUMBER = "+37477123456"


@dataclass
class Line:
    """The line of one channel. Calls are told apart by their id."""

    scene: Scene
    channel_id: str = "phone"
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def key(self) -> str:
        return f"event-{next(self._numbers)}"

    async def tell(self, *events: VoiceEvent) -> None:
        await self.scene.database.transaction(conductor.accept, self.channel_id, list(events))

    async def call_in(self, number: str = NUMBER, **more: Any) -> int:
        """A customer calls; the call's id."""
        name = LegName(provider_leg_id=more.pop("provider_leg_id", f"CA{new_token()}"))
        arrived = CallArrived(
            provider_id=self.key(),
            leg=name,
            caller_kind=ContactKind.PHONE,
            caller=number,
            line="+15005550006",
            received_at=self.scene.database.clock(),
            **more,
        )
        await self.tell(arrived)
        rows = await self.scene.rows(tables.call)
        return int(max(row["id"] for row in rows))

    async def call(self, call_id: int) -> CallView:
        return await self.scene.database.read(load_call, call_id)

    async def leg(self, call_id: int, party: Party, user_id: int | None = None) -> LegView:
        """The newest of the party."""
        view = await self.call(call_id)
        return [leg for leg in view.legs if leg.party is party and user_id in (None, leg.user_id)][-1]

    async def hears(self, call_id: int, party: Party = Party.CUSTOMER, user_id: int | None = None) -> LegScene:
        """What that leg is to hear now."""
        leg = await self.leg(call_id, party, user_id)
        row = await self.scene.row(tables.leg, id=leg.id)
        return read_scene(row["scene"])

    async def _name(self, leg_id: int) -> LegName:
        return LegName(token=(await self.scene.row(tables.leg, id=leg_id))["token"])

    async def tells(self, call_id: int, party: Party, state: LegState, end: LegEnd | None = None, **more: Any) -> None:
        """The provider says of the newest leg of the party that it is in this state."""
        leg = await self.leg(call_id, party, more.pop("user_id", None))
        await self.tell(
            LegChanged(
                provider_id=self.key(),
                leg=await self._name(leg.id),
                state=state,
                received_at=self.scene.database.clock(),
                end=end,
                **more,
            )
        )

    async def connects(self, call_id: int, party: Party, **more: Any) -> None:
        await self.tells(call_id, party, LegState.CONNECTED, **more)

    async def ends(self, call_id: int, party: Party, end: LegEnd = LegEnd.HUNG_UP, **more: Any) -> None:
        await self.tells(call_id, party, LegState.ENDED, end, **more)

    async def presses(self, call_id: int, key: str | None) -> None:
        leg = await self.leg(call_id, Party.CUSTOMER)
        row = await self.scene.row(tables.leg, id=leg.id)
        chosen = Chosen(
            provider_id=self.key(),
            leg=await self._name(leg.id),
            scene_version=row["scene_version"],
            key=key,
            received_at=self.scene.database.clock(),
        )
        await self.tell(chosen)

    async def has_heard(self, call_id: int) -> None:
        """A Say has been said."""
        leg = await self.leg(call_id, Party.CUSTOMER)
        row = await self.scene.row(tables.leg, id=leg.id)
        ended = SceneEnded(
            provider_id=self.key(),
            leg=await self._name(leg.id),
            scene_version=row["scene_version"],
            received_at=self.scene.database.clock(),
        )
        await self.tell(ended)

    async def leaves_message(self, call_id: int, duration_s: float = 12.0) -> None:
        leg = await self.leg(call_id, Party.CUSTOMER)
        left = VoicemailLeft(
            provider_id=self.key(),
            leg=await self._name(leg.id),
            recording=RecordingRef("RE1", "https://provider.test/RE1") if duration_s else None,
            duration_s=duration_s,
            received_at=self.scene.database.clock(),
        )
        await self.tell(left)

    async def records(self, call_id: int) -> None:
        room = (await self.scene.row(tables.call, id=call_id))["room"]
        ready = RecordingReady(
            provider_id=self.key(),
            recording=RecordingRef("RE2", "https://provider.test/RE2", 2),
            duration_s=30.0,
            received_at=self.scene.database.clock(),
            room=room,
        )
        await self.tell(ready)

    # --- our side

    async def dispatch(self) -> None:
        await self.scene.database.transaction(dispatcher.dispatch, GRACE_S)

    async def due(self) -> None:
        await self.scene.database.transaction(conductor.end_what_is_due)

    async def accept(self, agent: Viewer) -> None:
        """A round, and the agent takes what rings at them."""
        await self.dispatch()
        offer = await self.scene.row(tables.offer, ended_at=None, agent_id=agent.user_id)
        await self.scene.database.transaction(dispatcher.accept_offer, agent, offer["id"])

    async def talk(self, agent: Viewer, number: str = NUMBER) -> int:
        """A customer calls and talks with this agent; the call's id."""
        call_id = await self.call_in(number)
        await self.accept(agent)
        await self.connects(call_id, Party.AGENT)
        return call_id

    async def do(self, verb: Any, viewer: Viewer, call_id: int, **wanted: Any) -> None:
        await self.scene.database.transaction(verb, viewer, call_id, **wanted)

    async def conversation(self, call_id: int) -> dict[str, Any]:
        call = await self.scene.row(tables.call, id=call_id)
        return await self.scene.row(tables.conversation, id=call["conversation_id"])

    async def facts(self, kind: str) -> list[dict[str, Any]]:
        import json

        def load(tx: Any) -> list[dict[str, Any]]:
            body = tables.event.c.body
            rows = tx.rows(select(body).where(tables.event.c.kind == kind).order_by(tables.event.c.seq))
            return [json.loads(row.body) for row in rows]

        return await self.scene.database.read(load)
