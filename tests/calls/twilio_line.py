"""A Twilio line, whole: a real hub and the demo carrier between which signed webhooks and REST calls go, agents at their desk
telephones, and a customer's telephone. The carrier's time runs SPEED times as fast as ours.

async with twilio_house(database_url, tmp_path) as line:
    nare = await line.agent("Nare", DESK)
    anna = line.calls_in()
    call_id = await nare.accepts()
    await line.talk(anna, nare)
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import update

from hub.demo.carrier import Carrier, NumberConfig
from hub.demo.carrier_calls import Call, Reaction, hears
from hub.domain.values import ChannelKind, Role
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import channels
from tests.demo.conftest import serving
from tests.support.running_hub import ACCOUNT_SID, AUTH_TOKEN, NUMBER, House, Json, Person, Screen, run_hub

SPEED = 40.0
ANNA, DESK, DESK_2, BOSS, OUTSIDE = "+37491234567", "+15005551001", "+15005551002", "+15005551003", "+15005551004"
PATIENCE_S = 15.0


@dataclass
class Agent:
    """Somebody with a console and a desk telephone."""

    line: TwilioHouse
    person: Person
    screen: Screen
    desk: str

    async def post(self, path: str, body: Any = None, *, status: int = 200) -> Json:
        answer = await self.line.house.api(self.person).post(path, body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else {}

    async def call(self, call_id: int) -> Json:
        found: Json = (await self.line.house.api(self.person).get(f"/calls/{call_id}")).json()
        return found

    async def until_call(self, **wanted: Any) -> Json:
        """Reads on until the last that was told of a call is all this."""

        def newest(screen: Screen) -> Json | None:
            told = [event["call"] for event in screen.events if event["kind"] == "call.changed"]
            last = list({call["id"]: call for call in told}.values())
            fitting = [call for call in last if all(call.get(name) == value for name, value in wanted.items())]
            return fitting[-1] if fitting else None

        await self.screen.until(newest)
        found = newest(self.screen)
        assert found is not None
        return found

    async def accepts(self) -> int:
        """Takes what rings in the console; the call's id."""

        def live(screen: Screen) -> Json | None:
            ended = {event["offer"]["id"] for event in screen.events if event["kind"] == "offer.ended"}
            made = [event["offer"] for event in screen.events if event["kind"] == "offer.made"]
            mine = [o for o in made if o["id"] not in ended and o["agent_id"] == self.person.user_id]
            return mine[-1] if mine else None

        await self.screen.until(live)
        offer = live(self.screen)
        assert offer is not None
        return int((await self.post(f"/offers/{offer['id']}/accept"))["call_id"])

    @property
    def phone(self) -> Call:
        """The call at the desk telephone."""
        return self.line.call_of(self.desk)


@dataclass
class TwilioHouse:
    house: House
    carrier: Carrier
    _stack: contextlib.AsyncExitStack
    faults: list[str] = field(default_factory=list)

    async def agent(self, name: str, desk: str, role: Role = Role.AGENT) -> Agent:
        person = await self.house.person(name, role)

        def give_phone(tx: Tx) -> None:
            user = tables.user_account
            tx.execute(update(user).where(user.c.id == person.user_id).values(desk_phone=desk))

        await self.house.hub.database.transaction(give_phone)
        self.carrier.voice.set_reaction(desk, Reaction("answer", 0.5))
        screen = await self._stack.enter_async_context(self.house.screen(person))
        await self.house.api(person).put("/me/state", {"state": "available"})
        return Agent(self, person, screen, desk)

    def calls_in(self, phone: str = ANNA) -> Call:
        return self.carrier.voice.call(phone, NUMBER)

    def call_of(self, phone: str) -> Call:
        """The newest call from or to this telephone."""
        return [call for call in self.carrier.voice.calls.values() if phone in (call.sender, call.recipient)][-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.carrier.voice.until(condition, PATIENCE_S)

    async def hears(self, call: Call, text: str) -> None:
        """Until this is, or was, said to the telephone; or is played to it: "music"."""
        await self.until(lambda: any(text in (heard.kind, heard.text) for heard in call.heard))

    async def talk(self, *calls: Call) -> None:
        """Until these hear each other, and nobody else."""
        sids = {call.sid for call in calls}
        await self.until(lambda: all(hears(call) == sids - {call.sid} for call in calls))

    @property
    def live(self) -> list[Call]:
        """What is rung or billed for now."""
        return [call for call in self.carrier.voice.calls.values() if not call.is_over]


@contextlib.asynccontextmanager
async def twilio_house(database_url: str, folder: Path) -> AsyncIterator[TwilioHouse]:
    async with contextlib.AsyncExitStack() as stack:
        house = await stack.enter_async_context(run_hub(database_url, folder))
        webhooks = f"{house.url}/webhooks/phone"
        number = NumberConfig(voice_url=f"{webhooks}/voice", voice_status_callback=f"{webhooks}/status")
        carrier = Carrier(account_sid=ACCOUNT_SID, auth_token=AUTH_TOKEN, numbers={NUMBER: number}, speed=SPEED)
        carrier.base_url = await stack.enter_async_context(serving(carrier.app))

        def add_line(tx: Tx) -> None:
            channels.create_channel(
                tx,
                house.hub.vault,
                channel_id="phone",
                kind=ChannelKind.PHONE,
                provider="twilio",
                name="Phone",
                queue_id=house.queue_id,
                settings={"account_sid": ACCOUNT_SID, "number": NUMBER, "api_base": carrier.base_url},
                secrets={"auth_token": AUTH_TOKEN},
                default_region="AM",
            )

        await house.hub.database.transaction(add_line)
        await carrier.start()
        stack.push_async_callback(carrier.stop)
        yield TwilioHouse(house, carrier, stack)
