"""A stage for scripted calls: the same scripts are played on every kind of telephone line.

A script (scripts.py) is an async function of a `Stage`. It says what customers and agents do and what must come of it, never
how a line does it. What differs from line to line stands behind two small protocols:

    Line      set_up, call, rung, connect_agent, hears_whom, forward, live_legs …   one for each kind of line
    Caller    hears, press, say, hang_up, is_over                                 the customer's telephone or page

Everything else is the hub's own API, played by `Agent`: accept, hold, transfer, wrap up …

    async with open_stage(database_url, folder, TwilioLine()) as stage:
        arpi = await stage.agent("Arpi")
        caller = await stage.call()
        call = await arpi.answers()           accepts what rings at her, and her own line comes to stand
        await stage.hear_each_other(caller, arpi)

Time: `await stage.forward(30)` moves the hub's clock and the line's; whatever waits for a state (`until…`) lets a line that
needs it move on a little at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import func, select, update

from hub.calls import flows
from hub.domain.values import ChannelKind, ContactKind, Role
from hub.store import tables
from hub.store.database import Tx
from hub.surveys.settings import SurveySetting, save_setting
from hub.timeline import customers
from tests.calls.figures import check_figures
from tests.support.running_hub import House, Json, Person, Screen, run_hub

CUSTOMER = "+37477123456"
# So long in real time until something that must come has come.
PATIENCE_S = 30.0

# --- what a kind of line brings -------------------------------------------------------------------------------------------


class Caller(Protocol):
    """A customer's telephone, or page, in a call."""

    async def hears(self, what: str) -> None:
        """Until it is so: "music", "voices" (the talk, whoever is in it), "silence" (nothing of ours), or words of a prompt,
        in part. A prompt that has gone by since the last `hears` counts."""

    async def press(self, key: str) -> None:
        """Once the line listens."""

    async def say(self, words: str) -> None:
        """Into a menu that hears words, or after the tone. Only on lines with `hears_words`, but for the voicemail."""

    async def hang_up(self) -> None: ...

    async def is_over(self) -> None:
        """Until the line is dead at this end."""


class Line(Protocol):
    """One kind of telephone line. `channel_id` is its account in the hub once it is set up."""

    channel_id: str
    # Numbers outside can be dialled (transfers to a number, click-to-call, callbacks).
    dials: bool
    hears_words: bool
    detects_machines: bool
    # An agent can put their end down, as a telephone is; where it is a page, one that goes away is a lost line.
    puts_down: bool

    async def set_up(self, stage: Stage) -> None:
        """Makes the channel, and whatever stands at its other end."""

    async def tear_down(self) -> None: ...

    async def call(self, number: str) -> Caller:
        """A customer calls. `number` "" withholds it. Lines that know callers by something else make of it what they need."""

    async def rung(self, number: str, answers: str = "answers") -> Caller:
        """How the customer's telephone takes a call of ours: "answers", "busy", "declines", "rings" on, "machine"."""

    async def prepare_agent(self, agent: Agent) -> None:
        """What the line needs of an agent before calls: a desk telephone, say."""

    async def connect_agent(self, agent: Agent, call: Json) -> None:
        """Brings the agent's own pending leg to stand, where somebody must do something for that (their page)."""

    async def agent_picks_up_never(self, agent: Agent) -> None:
        """From now on the agent's own line does not come to stand."""

    async def agent_hangs_up(self, agent: Agent) -> None:
        """The agent's telephone is put down, or the page's line is closed, without the console's doing."""

    async def hears_whom(self, who: Caller | Agent) -> frozenset[str]:
        """The names of those whose voices reach this end: `caller`, or an agent's name, or a number outside."""

    async def forward(self, seconds: float) -> None:
        """Time passes on the line, where it has a time of its own."""

    async def step(self) -> None:
        """A small pause while something is waited for: at most 20 ms of real time."""

    async def live_legs(self) -> int:
        """How many legs the provider holds, live."""

    async def complaints(self) -> Sequence[str]:
        """What the provider would have complained of (errors in documents, refused requests); none in a good call."""


# --- people ---------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Agent:
    """Somebody at a console: signed in, connected, available."""

    stage: Stage
    person: Person
    screen: Screen
    desk_phone: str = ""

    @property
    def name(self) -> str:
        return self.person.name

    @property
    def id(self) -> int:
        return self.person.user_id

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.stage.house.api(self.person).request(method, path, json=body)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def refused(self, path: str, body: Any = None) -> str:
        """The code with which the hub refuses this."""
        answer = await self.stage.house.api(self.person).post(path, body)
        assert answer.status_code >= 400, answer.text
        return str(answer.json()["code"])

    async def offer(self) -> Json:
        """What rings at this agent, as soon as it does."""
        found: list[Json] = []

        async def rings() -> bool:
            found[:] = [
                o for o in await self.stage.rows(tables.offer) if o["agent_id"] == self.id and not o["ended_at"]
            ]
            return bool(found)

        await self.stage.until(rings, f"an offer rings at {self.name}")
        return found[0]

    async def accepts(self) -> Json:
        """Takes what rings; the call."""
        offer = await self.offer()
        await self.request("POST", f"/offers/{offer['id']}/accept", {})
        return await self.stage.call_of(offer["conversation_id"])

    async def declines(self) -> None:
        await self.request("POST", f"/offers/{(await self.offer())['id']}/decline", {})

    async def answers(self) -> Json:
        """Accepts, and the own line comes to stand: talking."""
        call = await self.accepts()
        await self.connects(call)
        return await self.stage.until_state(call, "talking", "conference")

    async def connects(self, call: Json) -> None:
        await self.stage.line.connect_agent(self, call)

    async def does(self, call: Json, verb: str, **body: Any) -> Json:
        """One verb of the API on the call: "hold", "transfer", "consult/complete" …"""
        answer: Json = await self.request("POST", f"/calls/{call['id']}/{verb}", body or {})
        return answer

    async def calls(self, number: str) -> Json:
        """Click-to-call at a customer of that number; the own line comes to stand."""
        point = await self.stage.contact_point(number)
        call: Json = await self.request(
            "POST", "/calls", {"contact_point_id": point, "channel_id": self.stage.line.channel_id}
        )
        await self.connects(call)
        return call

    async def wraps_up(self, call: Json, **body: Any) -> Json:
        await self.stage.until_state(call, "wrap_up")
        return await self.does(call, "wrap_up", done=True, **body)


# --- the stage ------------------------------------------------------------------------------------------------------------


@dataclass
class StageClock:
    """Real time, and what a script has let pass beside it."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(eq=False)
class Stage:
    house: House
    line: Line
    clock: StageClock
    agents: list[Agent] = field(default_factory=list)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    # --- who

    async def agent(
        self, name: str, *, role: Role = Role.AGENT, queue_ids: Sequence[int] | None = None, available: bool = True
    ) -> Agent:
        person = await self.house.person(name, role, queue_ids)
        # Nobody reads on: a line that was full would take ten seconds to be closed.
        screen = await self._stack.enter_async_context(self.house.screen(person, max_queue=None))
        agent = Agent(self, person, screen)
        await self.line.prepare_agent(agent)
        self.agents.append(agent)
        if available:
            await agent.request("PUT", "/me/state", {"state": "available"})
        return agent

    async def call(self, number: str = CUSTOMER) -> Caller:
        return await self.line.call(number)

    async def talk(self, name: str = "Arpi", number: str = CUSTOMER) -> tuple[Caller, Agent, Json]:
        """A customer who talks with an agent."""
        agent = await self.agent(name)
        caller = await self.call(number)
        call = await agent.answers()
        await self.hear_each_other(caller, agent)
        return caller, agent, call

    # --- what is

    async def rows(self, table: Any) -> list[Json]:
        def load(tx: Tx) -> list[Json]:
            return [dict(row._mapping) for row in tx.rows(select(table).order_by(table.c.id))]

        return await self.house.hub.database.read(load)

    async def kept_recording(self) -> Json:
        """The one recording of this stage, once the hub has fetched and stored it."""

        async def is_kept() -> bool:
            return [each["state"] for each in await self.rows(tables.recording)] == ["stored"]

        await self.until(is_kept, "the recording is stored")
        (row,) = await self.rows(tables.recording)
        return row

    async def set_queue(self, **values: Any) -> None:
        """Settings of the queue that the line leads to."""
        q = tables.queue
        await self.house.hub.database.transaction(
            lambda tx: tx.execute(update(q).where(q.c.id == self.house.queue_id).values(**values))
        )

    async def ask_for_scores(self) -> None:
        """The queue asks its callers for a score from now on."""

        def save(tx: Tx) -> None:
            wanted = SurveySetting(self.house.queue_id, "", enabled=True, channels=(ChannelKind.PHONE,))
            save_setting(tx, wanted, 0)

        await self.house.hub.database.transaction(save)

    async def use_flow(self, nodes: Mapping[str, Any], start: str = "menu") -> None:
        """What callers of the line hear first. Nodes of the line's own queue name it `self.house.queue_id`."""

        def lay(tx: Tx) -> None:
            made = flows.create_flow(tx, "Flow", {"start": start, "nodes": dict(nodes)})
            channel = tables.channel
            tx.execute(update(channel).where(channel.c.id == self.line.channel_id).values(flow_id=made.id))

        await self.house.hub.database.transaction(lay)

    async def contact_point(self, number: str) -> int:
        """Of a customer with this number, who is made if there is none."""

        def find(tx: Tx) -> int:
            wanted = {(ContactKind.PHONE.value, number): {"name": None, "language": None}}
            return next(iter(customers.ensure_reaches(tx, wanted).values())).contact_point_id

        return await self.house.hub.database.transaction(find)

    async def view(self, call: Json) -> Json:
        """The call as the console sees it."""
        answer = await self.house.api(self.agents[0].person).get(f"/calls/{call['id']}")
        assert answer.status_code == 200, answer.text
        view: Json = answer.json()
        return view

    async def the_call(self) -> Json:
        """The newest call, once there is one."""
        found: list[Json] = []

        async def is_there() -> bool:
            found[:] = await self.rows(tables.call)
            return bool(found)

        await self.until(is_there, "a call has come in")
        return found[-1]

    async def call_of(self, conversation_id: int) -> Json:
        calls = [call for call in await self.rows(tables.call) if call["conversation_id"] == conversation_id]
        return calls[-1]

    async def row(self, call: Json) -> Json:
        return next(each for each in await self.rows(tables.call) if each["id"] == call["id"])

    async def conversation(self, call: Json) -> Json:
        rows = await self.rows(tables.conversation)
        return next(each for each in rows if each["id"] == call["conversation_id"])

    async def happenings(self, call: Json) -> list[str]:
        """What the timeline of its conversation tells, in order."""
        entries = await self.rows(tables.entry)
        return [e["happening"] for e in entries if e["conversation_id"] == call["conversation_id"] and e["happening"]]

    # --- waiting

    async def until(self, is_so: Callable[[], Awaitable[bool]], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await is_so():
                    await self.line.step()
        except TimeoutError:
            complaints = await self.line.complaints()
            raise AssertionError(f"never: {what}; complaints: {list(complaints)}; {await self._account()}") from None

    async def until_state(self, call: Json, *states: str) -> Json:
        """Until the call is in one of these states; its row."""
        await self.until(lambda: self._is_in(call, states), f"the call is {' or '.join(states)}")
        return await self.row(call)

    async def _is_in(self, call: Json, states: Sequence[str]) -> bool:
        return (await self.row(call))["state"] in states

    async def until_over(self, call: Json, reason: str | None = None) -> Json:
        row = await self.until_state(call, "ended")
        assert reason is None or row["end_reason"] == reason, row["end_reason"]
        return row

    async def hear_each_other(self, *who: Caller | Agent) -> None:
        """Until each of these hears all the others, and nobody else."""
        names = {await self._name(each) for each in who}

        async def all_do() -> bool:
            heard = [await self.line.hears_whom(each) == names - {await self._name(each)} for each in who]
            return all(heard)

        await self.until(all_do, f"{sorted(names)} hear each other")

    async def hears_only(self, who: Caller | Agent, *names: str) -> None:
        async def is_so() -> bool:
            return await self.line.hears_whom(who) == frozenset(names)

        await self.until(is_so, f"{await self._name(who)} hears {names or 'nobody'}")

    @staticmethod
    async def _name(who: Caller | Agent) -> str:
        return who.name if isinstance(who, Agent) else str(getattr(who, "name", "caller"))

    async def forward(self, seconds: float) -> None:
        """Time passes for everybody. Deadlines of the hub that fall into it are looked at."""
        await self.settle()
        self.clock.ahead += timedelta(seconds=seconds)
        await self.line.forward(seconds)
        for wake in ("calls", "dispatch", "outbox"):
            self.house.hub.wakes.set(wake)

    async def settle(self) -> None:
        """Until the hub has told the line all that it wants of it."""

        def untold(tx: Tx) -> int:
            leg = tables.leg.c
            waits = (leg.scene_version > leg.applied_version, leg.ended_at.is_(None), leg.provider_leg_id.is_not(None))
            return int(tx.scalar(select(func.count()).where(*waits)) or 0)

        async def is_told() -> bool:
            return await self.house.hub.database.read(untold) == 0

        await self.until(is_told, "the line is told")

    # --- what must hold in the end

    async def is_free(self, agent: Agent) -> None:
        """Until the agent may be offered work: no assignment of theirs is for a call that goes on."""

        async def has_none() -> bool:
            calls = [c for c in await self.rows(tables.call) if c["agent_id"] == agent.id and c["state"] != "ended"]
            offers = [o for o in await self.rows(tables.offer) if o["agent_id"] == agent.id and not o["ended_at"]]
            return not calls and not offers

        await self.until(has_none, f"{agent.name} is free")

    async def nothing_is_left(self) -> None:
        """No call goes on, no leg rings or is billed, no agent is stuck in one, and the provider had nothing to complain
        of."""

        async def is_clear() -> bool:
            legs = [leg for leg in await self.rows(tables.leg) if leg["ended_at"] is None]
            calls = [call for call in await self.rows(tables.call) if call["state"] not in ("ended", "wrap_up")]
            return not legs and not calls and await self.line.live_legs() == 0

        await self.until(is_clear, "nothing is left of the calls")
        assert list(await self.line.complaints()) == []

    async def _account(self) -> str:
        calls = [(call["id"], call["state"], call["end_reason"]) for call in await self.rows(tables.call)]
        legs = [
            (leg["party"], leg["state"], leg["end_reason"], leg["error_code"], leg["scene"].get("kind"))
            for leg in await self.rows(tables.leg)
        ]
        return f"calls {calls}, legs {legs}"


Script = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scripted:
    """A script, and what a line must be able to do for it."""

    play: Script
    needs: frozenset[str] = frozenset()

    def suits(self, line: Line | type[Line]) -> bool:
        return all(getattr(line, need) for need in self.needs)


@contextlib.asynccontextmanager
async def open_stage(database_url: str, folder: Path, line: Line, **settings: Any) -> AsyncIterator[Stage]:
    """A whole hub, and the line. Agents' consoles stay connected while it is open. In the end the figures are right."""
    async with run_hub(database_url, folder, presence_grace_s=3600, **settings) as house:
        clock = StageClock()
        house.hub.database.clock = clock
        stage = Stage(house, line, clock)
        async with stage._stack:
            await line.set_up(stage)
            try:
                yield stage
                await check_figures(house.hub.database)
            finally:
                await line.tear_down()
