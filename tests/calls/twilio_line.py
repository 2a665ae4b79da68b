"""The Twilio line on the stage: the hub's own adapter, and the demo carrier at the other end of real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from hub.agents import accounts
from hub.demo.carrier import Carrier
from hub.demo.carrier_calls import Call, Reaction, hears
from hub.demo.carrier_time import DrivenTime
from hub.domain.values import ChannelKind
from hub.errors import Conflict
from hub.timeline import channels
from tests.calls.stage import Agent, Caller, Stage
from tests.demo.conftest import serving
from tests.support.running_hub import Json

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "demo-token"
NUMBER = "+15005550006"
# While something is waited for, telephone time runs ten times as fast as ours.
STEP_REAL_S, STEP_S = 0.01, 0.1


class Telephone:
    """A customer's telephone in a call."""

    def __init__(self, line: TwilioLine, call: Call, name: str = "caller") -> None:
        self.line, self.call, self.name = line, call, name
        self._seen = 0

    async def hears(self, what: str) -> None:
        kinds = {"music": ("music",), "voices": ("talk",), "silence": ("silence", None)}

        async def is_so() -> bool:
            heard, now = self.call.heard, self.call.hearing
            if what in kinds:
                return (now.kind if now is not None else None) in kinds[what]
            for index in range(self._seen, len(heard)):
                if heard[index].kind in ("say", "tone") and what in heard[index].text:
                    self._seen = index + 1
                    return True
            return False

        await self.line.stage.until(is_so, f"{self.name} hears {what!r}; heard: {self.call.heard[-6:]}")

    async def press(self, key: str) -> None:
        async def listens() -> bool:
            return "dtmf" in self.call.listens_for

        await self.line.stage.until(listens, f"the line listens to {self.name}")
        self.line.carrier.voice.press(self.call, key)

    async def say(self, words: str) -> None:
        async def listens() -> bool:
            return "speech" in self.call.listens_for

        await self.line.stage.until(listens, f"the line listens to {self.name}")
        self.line.carrier.voice.speak(self.call, words)

    async def hang_up(self) -> None:
        self.line.carrier.voice.put_down(self.call)

    async def is_over(self) -> None:
        async def is_so() -> bool:
            return self.call.is_over

        await self.line.stage.until(is_so, f"the line of {self.name} is dead")


class TwilioLine:
    channel_id = "phone"
    dials = hears_words = detects_machines = puts_down = True

    def __init__(self) -> None:
        self.time = DrivenTime()
        self._stack = AsyncExitStack()
        self._desks = 0
        # What a script does wrong on purpose is no complaint.
        self.expected: set[int] = set()

    async def set_up(self, stage: Stage) -> None:
        self.stage = stage
        hub_url = f"{stage.house.url}/webhooks/{self.channel_id}"
        self.carrier = Carrier(
            account_sid=ACCOUNT_SID,
            auth_token=AUTH_TOKEN,
            numbers={NUMBER: {"voice_url": f"{hub_url}/voice", "voice_status_callback": f"{hub_url}/status"}},
            time=self.time,
        )
        self.carrier.base_url = await self._stack.enter_async_context(serving(self.carrier.app))
        await self.carrier.start()
        settings = {"account_sid": ACCOUNT_SID, "number": NUMBER, "api_base": self.carrier.base_url}
        await stage.house.hub.database.transaction(
            lambda tx: channels.create_channel(
                tx,
                stage.house.hub.vault,
                channel_id=self.channel_id,
                kind=ChannelKind.PHONE,
                provider="twilio",
                name="Telephone",
                queue_id=stage.house.queue_id,
                settings=settings,
                secrets={"auth_token": AUTH_TOKEN},
            )
        )

    async def tear_down(self) -> None:
        await self.carrier.stop()
        await self._stack.aclose()

    # --- people

    async def call(self, number: str) -> Telephone:
        return Telephone(self, self.carrier.voice.call(number or "anonymous", NUMBER))

    async def rung(self, number: str, answers: str = "answers") -> Telephone:
        kinds = {"answers": "answer", "busy": "busy", "declines": "decline", "rings": "ring", "machine": "machine"}
        self.carrier.voice.set_reaction(number, Reaction(kinds[answers], 1.0))  # type: ignore[arg-type]
        found: list[Call] = []

        async def rings() -> bool:
            found[:] = [c for c in self.carrier.voice.calls_of(number) if c.direction != "inbound"]
            return bool(found)

        await self.stage.until(rings, f"{number} is rung")
        return Telephone(self, found[-1], number)

    async def prepare_agent(self, agent: Agent) -> None:
        """A telephone on the desk that picks up by itself after one ring."""
        self._desks += 1
        agent.desk_phone = f"+1500555100{self._desks}"
        self.carrier.voice.set_reaction(agent.desk_phone, Reaction("answer", 1.5))
        database = self.stage.house.hub.database
        await database.transaction(lambda tx: accounts.update_user(tx, None, agent.id, desk_phone=agent.desk_phone))

    async def connect_agent(self, agent: Agent, call: Json) -> None:
        """The telephone on the desk picks up by itself."""

    async def agent_picks_up_never(self, agent: Agent) -> None:
        self.carrier.voice.set_reaction(agent.desk_phone, Reaction("ring"))

    async def agent_hangs_up(self, agent: Agent) -> None:
        call = self.carrier.voice.live_call(agent.desk_phone)
        assert call is not None, f"{agent.name} is in no call"
        self.carrier.voice.put_down(call)

    # --- what is

    async def hears_whom(self, who: Caller | Agent) -> frozenset[str]:
        if isinstance(who, Agent):
            call = self.carrier.voice.live_call(who.desk_phone)
        else:
            assert isinstance(who, Telephone)
            call = who.call
        return frozenset(self._name(sid) for sid in hears(call)) if call is not None else frozenset()

    def _name(self, sid: str) -> str:
        phone = self.carrier.voice.calls[sid].phone
        for agent in self.stage.agents:
            if agent.desk_phone == phone:
                return agent.name
        return "caller" if self.carrier.voice.calls[sid].direction == "inbound" else phone

    async def forward(self, seconds: float) -> None:
        await self.time.forward(seconds)

    async def step(self) -> None:
        await asyncio.sleep(STEP_REAL_S)
        await self.time.forward(STEP_S)

    async def live_legs(self) -> int:
        return sum(not call.is_over for call in self.carrier.voice.calls.values())

    async def complaints(self) -> Sequence[str]:
        return [
            f"{each.code} {each.message} {each.url}"
            for call in self.carrier.voice.calls.values()
            for each in call.notifications
            if each.code not in self.expected
        ]

    def pick_up(self, agent: Agent) -> None:
        """By hand, where the telephone does not pick up by itself."""
        call = self.carrier.voice.live_call(agent.desk_phone)
        if call is None:
            raise Conflict("no call")
        self.carrier.voice.pick_up(call)
