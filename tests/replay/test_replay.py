"""snapshot A + frames = snapshot B, for whoever looks: a long random day at a real hub, watched over real sockets by
consoles that begin at random moments, lose their line and lose or gain rights; judged by the console's own reducer and by
one written a second time."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.channels.channel import MessageArrival
from hub.domain.events import FACTS, CallEnded, CallMissed, CallSegmentEnded, FactEvent
from hub.domain.values import ChannelKind, ContactKind, Role
from hub.kpi import limits
from hub.kpi.facts import begin_rebuild
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import customers
from tests.replay.console import replay_all
from tests.replay.recorder import Recorder
from tests.replay.reducer import canonical
from tests.support.running_hub import House, Person, run_hub

pytestmark = pytest.mark.anyio

STEPS = 180
CUSTOMERS = 8
# So often, on average, somebody opens a console and leaves it open to the end.
RECORD_EVERY = 10
PATIENCE_S = 60
WORDS = ("Hello", "Where is it?", "Thank you", "!refuse", "!unavailable-twice", "!uncertain-unknown", "Բարև")

BESIDE_FIGURES = {
    "team.changed",
    "team.removed",
    "target.changed",
    "target.removed",
    "figure_defaults.changed",
    "figures.remaking",
    "kpi_alert.changed",
    "queue_length.changed",
    "queue_numbers.changed",
    "alert.changed",
    "alerts.seen",
    "task.changed",
}

Json = dict[str, Any]


def _column(tx: Tx, query: Any) -> list[Any]:
    return [row[0] for row in tx.rows(query)]


@dataclass
class Day:
    """What people do in a company, one thing after the other; while dispatcher, sender and projector do theirs."""

    house: House
    chance: random.Random
    agents: list[Person] = field(default_factory=list)
    supervisor: Person = field(init=False)
    admin: Person = field(init=False)
    queue_ids: list[int] = field(default_factory=list)
    leaver: Person = field(init=False)
    done: dict[str, int] = field(default_factory=dict)

    async def begin(self) -> None:
        house = self.house
        self.queue_ids = [house.queue_id, await house.queue("Sales")]
        first, second = self.queue_ids
        await house.channel("loop-sales", queue_id=second)
        await house.channel("chat", ChannelKind.CHAT, queue_id=second)
        self.agents = [
            await house.person("Anna", queue_ids=[first], capacity=60),
            await house.person("Boris", queue_ids=[second], capacity=60),
            await house.person("Cara", queue_ids=[first, second], capacity=300),
        ]
        self.supervisor = await house.person("Sue", Role.SUPERVISOR, queue_ids=[])
        self.admin = await house.person("Ada", Role.ADMIN, queue_ids=[])
        self.leaver = await house.person("Levon", queue_ids=[first])

    @property
    def viewers(self) -> list[Person]:
        return [*self.agents, self.supervisor]

    async def ask(self, person: Person, method: str, path: str, body: Json | None = None) -> Any:
        """Whatever the hub answers, but for a fault of its own: people try what cannot be."""
        answer = await self.house.api(person).request(method, path, json=body)
        assert answer.status_code < 500, answer.text
        return answer

    async def pick(self, query: Any) -> Any:
        found = await self.house.hub.database.read(_column, query)
        return self.chance.choice(found) if found else None

    async def conversation(self, *conditions: Any) -> Any:
        return await self.pick(select(tables.conversation.c.id).where(*conditions).order_by(tables.conversation.c.id))

    def anybody(self) -> Person:
        return self.chance.choice(self.viewers)

    async def begin_figures(self) -> None:
        """Something of each noun that stays to the end, and a queue that nobody calls but everybody writes to."""
        await self.change_team()
        await self.change_target()
        rule = {"name": "Anybody waits", "measure": "waiting", "scope": "all", "raise_at": 1, "clear_at": 0}
        made = await self.ask(self.admin, "POST", "/alert-rules", rule)
        assert made.status_code == 201, made.text

    # --- what customers do

    async def write(self) -> None:
        sender = f"c{self.chance.randrange(CUSTOMERS)}"
        channel_id = self.chance.choice(["loop", "loop-sales"])
        await self.house.write(self.chance.choice(WORDS), sender=sender, channel_id=channel_id)

    async def chat(self) -> None:
        number = self.chance.randrange(10**9)
        arrival = MessageArrival(
            provider_id=f"v{number}",
            contact_kind=ContactKind.CHAT,
            sender=f"visitor{number % 4}",
            text="Hello from the shop",
            raw="{}",
            received_at=self.house.hub.database.clock(),
        )
        await self.house.hub.intake.accept("chat", [arrival])

    async def identify(self) -> None:
        p = tables.contact_point.c
        point = await self.pick(select(p.id).where(p.kind == "chat").order_by(p.id))
        if point is not None:
            claims = [(ContactKind.PHONE, f"+3749100000{self.chance.randrange(2)}")]
            name = self.chance.choice([None, "Lilit"])
            await self.house.hub.database.transaction(customers.identify, point, name=name, claims=claims)

    async def receipt(self) -> None:
        o = tables.outbox.c
        delivery_id = await self.pick(select(o.delivery_id).where(o.state == "done").order_by(o.id))
        told = {
            "id": f"r{self.chance.randrange(10**9)}",
            "delivery_id": delivery_id,
            "status": self.chance.choice(["delivered", "read", "failed"]),
        }
        if delivery_id is not None:
            await self.house.post_loopback(told, kind="status")

    async def call(self) -> None:
        """What is left of a call when it is over: its facts. The figures follow."""
        number, queue_id = self.chance.randrange(1, 10**9), self.chance.choice(self.queue_ids)
        agent_id, direction = self.chance.choice(self.agents).user_id, self.chance.choice(["in", "in", "out"])
        ended_at = self.house.hub.database.clock()
        begun = ended_at - timedelta(seconds=self.chance.randrange(1, 300))
        of = (number, number, number, agent_id, "line", queue_id)
        facts: list[FactEvent] = self.chance.choice(
            [
                [CallMissed(*of, begun, ended_at)],
                [CallEnded(*of[1:3], *of[4:], "in", begun, begun, None, ended_at, "abandoned")],
                [
                    CallEnded(*of[1:3], *of[4:], direction, begun, begun, begun, ended_at, "completed"),
                    CallSegmentEnded(*of, direction, "answered", begun, 60.5, 7.25, 9.0, ended_at, "completed", None),
                ],
            ]
        )

        def emit(tx: Tx) -> None:
            for fact in facts:
                tx.emit(fact, {FACTS})

        await self.house.hub.database.transaction(emit)

    # --- what agents do

    async def state(self) -> None:
        state = self.chance.choice(["available", "available", "available", "busy", "away"])
        await self.ask(self.chance.choice(self.agents), "PUT", "/me/state", {"state": state})

    async def accept(self) -> None:
        await self._offer("accept")

    async def decline(self) -> None:
        await self._offer("decline")

    async def _offer(self, verb: str) -> None:
        o = tables.offer.c
        offer_id = await self.pick(select(o.id).where(o.ended_at.is_(None)).order_by(o.id))
        for person in self.agents:
            await self.ask(person, "POST", f"/offers/{offer_id or 0}/{verb}")

    async def claim(self) -> None:
        c = tables.conversation.c
        found = await self.conversation(c.assignee_id.is_(None))
        await self.ask(self.anybody(), "POST", f"/conversations/{found or 0}/claim", {"expected_assignee_id": None})

    async def reply(self) -> None:
        c = tables.conversation.c
        found = await self.conversation(c.assignee_id.is_not(None))
        body = {"text": self.chance.choice(WORDS)}
        await self.ask(self.anybody(), "POST", f"/conversations/{found or 0}/messages", body)

    async def note(self) -> None:
        found = await self.conversation()
        await self.ask(self.anybody(), "POST", f"/conversations/{found or 0}/notes", {"text": "They called, too."})

    async def mention(self) -> None:
        """Whoever is named sees what they did not, until they leave it."""
        found, named = await self.conversation(), self.chance.choice(self.agents)
        body = {"text": f"@{named.name}: look", "mentions": [{"kind": "user", "id": named.user_id}]}
        await self.ask(self.anybody(), "POST", f"/conversations/{found or 0}/notes", body)
        if self.chance.random() < 0.4:
            await self.ask(named, "DELETE", f"/conversations/{found or 0}/participants/{named.user_id}")

    async def task(self) -> None:
        """Some come back before the day is over."""
        due = self.house.hub.database.clock() + timedelta(seconds=self.chance.choice([0.3, 3600]))
        whose: Json = self.chance.choice(
            [
                {},
                {"assignee_id": self.chance.choice(self.agents).user_id},
                {"queue_id": self.chance.choice(self.queue_ids)},
            ]
        )
        body = {"title": "Call them", "due_at": due.isoformat(), "conversation_id": await self.conversation(), **whose}
        await self.ask(self.anybody(), "POST", "/tasks", body)

    async def settle_task(self) -> None:
        t = tables.task.c
        found = await self.pick(select(t.id).order_by(t.id))
        due = self.house.hub.database.clock() + timedelta(hours=1)
        body = {"title": "Later", "due_at": due.isoformat(), "assignee_id": self.chance.choice(self.agents).user_id}
        path = f"/tasks/{found or 0}"
        method, rest, content = self.chance.choice(
            [("POST", "/end", {"outcome": "done"}), ("DELETE", "/end", None), ("PUT", "", body)]
        )
        await self.ask(self.anybody(), method, path + rest, content)

    async def read_inbox(self) -> None:
        a = tables.alert.c
        person = self.anybody()
        found = await self.pick(select(a.id).where(a.user_id == person.user_id).order_by(a.id))
        method, path, body = self.chance.choice(
            [
                ("POST", f"/alerts/{found or 0}/seen", None),
                ("DELETE", f"/alerts/{found or 0}/seen", None),
                ("POST", "/alerts/seen", {"up_to": found or 1}),
            ]
        )
        await self.ask(person, method, path, body)

    async def set_notices(self) -> None:
        person = self.anybody()
        now = (await self.ask(person, "GET", "/snapshot")).json()["notice_rules"]
        await self.ask(person, "PUT", "/me/notice-rules", now | {"silent": [self.chance.choice(["mention", "task"])]})

    async def write_draft(self) -> None:
        """Begun, written on or emptied; sometimes a colleague takes it over, or it waits for its time."""
        found, person = await self.conversation(), self.anybody()
        d = tables.draft.c
        held = select(d.version).where(d.conversation_id == found, d.user_id == person.user_id)
        body: Json = {"text": self.chance.choice(["", "We will", "We will see"]), "writer": "page"}
        body["expected_version"] = await self.pick(held) or 0
        await self.ask(person, "PUT", f"/conversations/{found or 0}/draft", body)
        if self.chance.random() < 0.3:
            take = {"expected_version": await self.pick(held) or 0}
            await self.ask(self.anybody(), "POST", f"/conversations/{found or 0}/drafts/{person.user_id}/take", take)
        if self.chance.random() < 0.3:
            plan = {"text": "Until tomorrow", "hold_s": self.chance.choice([1, 60])}
            await self.ask(person, "POST", f"/conversations/{found or 0}/planned-messages", plan)

    async def transfer(self) -> None:
        found = await self.conversation(tables.conversation.c.status == "open")
        to_queue = {"queue_id": self.chance.choice(self.queue_ids)}
        to_agent = {"agent_id": self.chance.choice(self.agents).user_id}
        body = self.chance.choice([to_queue, to_agent])
        await self.ask(self.anybody(), "POST", f"/conversations/{found or 0}/transfer", body)

    async def release(self) -> None:
        found = await self.conversation(tables.conversation.c.assignee_id.is_not(None))
        await self.ask(self.supervisor, "POST", f"/conversations/{found or 0}/release")

    async def resolve(self) -> None:
        found = await self.conversation(tables.conversation.c.status == "open")
        await self.ask(self.anybody(), "POST", f"/conversations/{found or 0}/resolve")

    async def reopen(self) -> None:
        found = await self.conversation(tables.conversation.c.status == "resolved")
        await self.ask(self.anybody(), "POST", f"/conversations/{found or 0}/reopen")

    async def join(self) -> None:
        c = tables.conversation.c
        into = await self.conversation(c.merged_into.is_(None))
        owner = select(c.customer_id).where(c.id == (into or 0)).scalar_subquery()
        other = await self.conversation(c.customer_id == owner, c.id != (into or 0), c.merged_into.is_(None))
        person = self.chance.choice([self.supervisor, self.anybody()])
        await self.ask(person, "POST", f"/conversations/{into or 0}/merges", {"from_ids": [other or 0]})

    async def part(self) -> None:
        m = tables.conversation_merge.c
        found = await self.pick(select(m.id).where(m.undone_at.is_(None)).order_by(m.id))
        await self.ask(self.supervisor, "POST", f"/conversation-merges/{found or 0}/undo")

    async def split(self) -> None:
        c, e = tables.conversation.c, tables.entry.c
        found = await self.conversation(c.merged_into.is_(None))
        said = select(e.id).where(e.conversation_id == (found or 0), e.kind == "message").order_by(e.id)
        body = {"entry_ids": [await self.pick(said) or 0], "hold": self.chance.random() < 0.5}
        await self.ask(self.supervisor, "POST", f"/conversations/{found or 0}/split", body)

    async def settle(self) -> None:
        e = tables.entry.c
        found = await self.pick(select(e.id).where(e.delivery.in_(("failed", "uncertain"))).order_by(e.id))
        action = self.chance.choice(["retry", "discard"])
        await self.ask(self.anybody(), "POST", f"/entries/{found or 0}/delivery", {"action": action})

    async def edit_customer(self) -> None:
        found = await self.pick(select(tables.customer.c.id).order_by(tables.customer.c.id))
        body = {"name": f"Somebody {self.chance.randrange(100)}"}
        await self.ask(self.anybody(), "PATCH", f"/customers/{found or 0}", body)

    # --- what the administrator does

    async def rename_agent(self) -> None:
        person = self.chance.choice(self.agents)
        await self.ask(
            self.admin, "PATCH", f"/users/{person.user_id}", {"name": f"{person.name} {self.chance.randrange(9)}"}
        )

    async def change_rights(self) -> None:
        person = self.chance.choice(self.agents[1:])
        queue_ids = self.chance.sample(self.queue_ids, self.chance.randrange(3))
        role = self.chance.choice(["agent", "agent", "agent", "supervisor"])
        await self.ask(self.admin, "PATCH", f"/users/{person.user_id}", {"queue_ids": queue_ids, "role": role})

    async def come_and_go(self) -> None:
        await self.ask(
            self.admin, "PATCH", f"/users/{self.leaver.user_id}", {"active": self.chance.choice([True, False])}
        )

    async def change_capacity(self) -> None:
        person = self.chance.choice(self.agents)
        await self.ask(
            self.admin, "PATCH", f"/users/{person.user_id}", {"capacity": self.chance.choice([40, 100, 300])}
        )

    async def change_queue(self) -> None:
        queue_id = self.chance.choice(self.queue_ids)
        await self.ask(self.admin, "PATCH", f"/queues/{queue_id}", {"name": f"Queue {self.chance.randrange(9)}"})

    async def change_channel(self) -> None:
        await self.ask(self.admin, "PATCH", "/channels/loop", {"name": f"Line {self.chance.randrange(9)}"})

    # --- what stands beside the figures

    async def change_team(self) -> None:
        t = tables.team.c
        found = await self.pick(select(t.id).where(t.removed_at.is_(None)).order_by(t.id))
        members = self.chance.sample([agent.user_id for agent in self.agents], self.chance.randrange(3))
        body: Json = {"name": f"Team {self.chance.randrange(10**6)}", "member_ids": members}
        if found is None or self.chance.random() < 0.4:
            await self.ask(self.admin, "POST", "/teams", body)
            return
        version = await self.pick(select(t.version).where(t.id == found))
        body |= {"time_zone": None, "leaderboard": self.chance.choice([True, False]), "expected_version": version}
        await self.ask(self.admin, "PUT", f"/teams/{found}", body)

    async def remove_team(self) -> None:
        t = tables.team.c
        found = await self.pick(select(t.id).where(t.removed_at.is_(None)).order_by(t.id))
        await self.ask(self.admin, "DELETE", f"/teams/{found or 0}")

    async def change_target(self) -> None:
        t = tables.kpi_target.c
        found = await self.pick(select(t.id).order_by(t.id))
        scope, scope_id = self.chance.choice([("all", None), *(("queue", each) for each in self.queue_ids)])
        body: Json = {"measure": "service_level", "scope": scope, "scope_id": scope_id}
        body |= {"target": self.chance.randrange(50, 100) / 100}
        await self.ask(self.admin, "POST", "/targets", body)
        await self.ask(self.admin, "PUT", f"/targets/{found or 0}", body)

    async def remove_target(self) -> None:
        found = await self.pick(select(tables.kpi_target.c.id).order_by(tables.kpi_target.c.id))
        await self.ask(self.admin, "DELETE", f"/targets/{found or 0}")

    async def change_field(self) -> None:
        """Fields are defined, renamed and switched off, and conversations filled in with what there is."""
        f = tables.custom_field.c
        found = await self.pick(select(f.id).order_by(f.id))
        if found is None or self.chance.random() < 0.4:
            key = f"field_{self.chance.randrange(10**6)}"
            body: Json = {"subject": "conversation", "key": key, "name": key, "kind": "text"}
            await self.ask(self.admin, "POST", "/custom-fields", body)
            return
        active = self.chance.choice([True, False])
        body = {"name": f"Field {self.chance.randrange(10**6)}", "active": active}
        await self.ask(self.admin, "PATCH", f"/custom-fields/{found}", body)
        key = await self.pick(select(f.key).where(f.active).order_by(f.id))
        conversation_id = await self.conversation()
        if key is not None and conversation_id is not None:
            filled = {"fields": {key: f"value {self.chance.randrange(10**6)}"}}
            await self.ask(self.anybody(), "PATCH", f"/conversations/{conversation_id}/fields", filled)

    async def remove_field(self) -> None:
        found = await self.pick(select(tables.custom_field.c.id).order_by(tables.custom_field.c.id))
        await self.ask(self.admin, "DELETE", f"/custom-fields/{found or 0}")

    async def change_figures(self) -> None:
        now = (await self.ask(self.admin, "GET", "/organisation/figures")).json()
        others = [threshold_s for threshold_s in (10, 20, 30) if threshold_s != now["threshold_s"]]
        body = {"service_level": now["service_level"], "threshold_s": self.chance.choice(others)}
        body |= {"short_s": now["short_s"], "expected_version": now["version"]}
        await self.ask(self.admin, "PUT", "/organisation/figures", body)

    async def watch_limits(self) -> None:
        """What the watcher does in its time, now; and a limit that breaks and is removed, so that it is well again."""
        name = f"Limit {self.chance.randrange(10**6)}"
        rule = {"name": name, "measure": "waiting", "scope": "all", "raise_at": 1, "clear_at": 0}
        made = await self.ask(self.admin, "POST", "/alert-rules", rule)
        looked = await self.house.hub.database.read(limits.look)
        if looked is not None:
            await self.house.hub.database.transaction(limits.judge, looked)
        await self.ask(self.admin, "DELETE", f"/alert-rules/{made.json()['id']}")

    async def remake(self) -> None:
        await self.house.hub.database.transaction(begin_rebuild)

    async def fill_inboxes(self) -> None:
        """Everybody is told something, reads all there is, and is told something again."""
        for person in self.viewers:
            await self.task()
            for _ in range(2):
                found = await self.conversation()
                body = {"text": "All of us", "mentions": [{"kind": "user", "id": person.user_id}]}
                await self.ask(self.admin, "POST", f"/conversations/{found or 0}/notes", body)
                await self.ask(person, "POST", "/alerts/seen", {"up_to": 10**9})
            found = await self.pick(select(tables.alert.c.id).where(tables.alert.c.user_id == person.user_id))
            await self.ask(person, "DELETE", f"/alerts/{found or 0}/seen")

    @property
    def deeds(self) -> dict[Callable[[], Awaitable[None]], int]:
        """How often each happens, relatively."""
        return {
            self.write: 30,
            self.chat: 5,
            self.identify: 3,
            self.receipt: 8,
            self.call: 8,
            self.state: 9,
            self.accept: 14,
            self.decline: 3,
            self.claim: 6,
            self.reply: 16,
            self.note: 4,
            self.mention: 5,
            self.task: 5,
            self.settle_task: 5,
            self.read_inbox: 6,
            self.set_notices: 2,
            self.write_draft: 8,
            self.transfer: 8,
            self.release: 3,
            self.resolve: 9,
            self.reopen: 4,
            self.settle: 4,
            self.edit_customer: 5,
            self.rename_agent: 2,
            self.change_rights: 3,
            self.come_and_go: 2,
            self.change_capacity: 2,
            self.change_queue: 2,
            self.change_channel: 2,
            self.change_team: 4,
            self.remove_team: 2,
            self.change_target: 4,
            self.remove_target: 3,
            self.change_figures: 2,
            self.change_field: 6,
            self.join: 8,
            self.part: 4,
            self.split: 4,
            self.remove_field: 2,
            self.watch_limits: 4,
            self.remake: 1,
        }

    async def step(self) -> None:
        deeds = self.deeds
        (deed,) = self.chance.choices(list(deeds), list(deeds.values()))
        await deed()

    async def ring(self) -> None:
        """The day ends with work that rings, and with customers who write on and are renamed while it does."""
        cara = self.agents[2]
        await self.ask(self.admin, "PATCH", f"/users/{cara.user_id}", {"queue_ids": self.queue_ids, "capacity": 1000})
        await self.ask(cara, "PUT", "/me/state", {"state": "available"})
        await self.ask(self.admin, "PATCH", f"/users/{self.leaver.user_id}", {"active": True})
        await self.ask(self.admin, "PATCH", f"/users/{self.leaver.user_id}", {"active": False})
        o, c, p = tables.offer.c, tables.conversation.c, tables.contact_point.c
        ringing = (
            select(c.id)
            .join(tables.offer, o.conversation_id == c.id)
            .where(o.ended_at.is_(None), c.channel_id.startswith("loop"))
        )
        async with asyncio.timeout(PATIENCE_S):
            while (found := await self.pick(ringing)) is None:
                await self.house.write("Is anybody there?", sender=f"late{self.chance.randrange(10**9)}")
        sender = await self.pick(
            select(p.address).join(tables.conversation, c.contact_point_id == p.id).where(c.id == found)
        )
        channel_id = await self.pick(select(c.channel_id).where(c.id == found))
        await self.house.write("Hello??", sender=sender, channel_id=channel_id)
        customer_id = await self.pick(select(c.customer_id).where(c.id == found))
        await self.ask(self.supervisor, "PATCH", f"/customers/{customer_id}", {"name": "Impatient"})

    async def last_word(self) -> None:
        """Something that everybody is told, so that every console knows how far it is."""
        await self.change_queue()


async def _settle(day: Day, recorders: list[Recorder]) -> dict[int, Json]:
    """Lets the loops finish, and every console come to the position of one last snapshot for each viewer."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await day.last_word()
            last = {person.user_id: await day.house.snapshot(person) for person in day.viewers}
            tokens = {snapshot["token"] for snapshot in last.values()}
            for recorder in recorders:
                await recorder.until(max(tokens, key=lambda token: int(token.rpartition("-")[2])))
            is_whole = all(snapshot["remaking"] is None for snapshot in last.values())
            if is_whole and len(tokens | {recorder.token for recorder in recorders}) == 1:
                return last
            # A loop wrote something meanwhile: once more.
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(("kind", "seed"), [("sqlite", 2), ("postgresql", 3)])
async def test_a_snapshot_and_the_frames_since_are_the_later_snapshot(
    kind: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    recorders: list[Recorder] = []
    async with run_hub(request.getfixturevalue(f"{kind}_url"), tmp_path) as house, asyncio.TaskGroup() as group:
        day = Day(house, random.Random(seed))
        await day.begin()
        await day.begin_figures()
        following: list[asyncio.Task[None]] = []

        async def record(person: Person) -> None:
            recorder = Recorder(house, person)
            await recorder.begin()
            recorders.append(recorder)
            following.append(group.create_task(recorder.follow()))

        for person in day.viewers:
            await record(person)
        for _ in range(STEPS):
            await day.step()
            if day.chance.random() < 1 / RECORD_EVERY:
                await record(day.anybody())
            if day.chance.random() < 1 / RECORD_EVERY:
                await day.chance.choice(recorders).cut()
        await day.remove_target()
        await day.remake()
        await day.ring()
        await day.change_team()
        await day.remove_team()
        await day.change_team()
        await day.change_target()
        await day.change_figures()
        await day.watch_limits()
        await day.fill_inboxes()
        last = await _settle(day, recorders)
        for task in following:
            task.cancel()

    # Not a proof of nothing: there was work of every kind, and consoles saw much of it.
    assert sum(len(recorder.frames) for recorder in recorders) > STEPS
    assert last[day.supervisor.user_id]["conversations"]
    assert last[day.supervisor.user_id]["offers"]
    assert last[day.supervisor.user_id]["queue_numbers"]
    assert last[day.supervisor.user_id]["agent_numbers"]
    assert last[day.supervisor.user_id]["queue_lengths"]
    assert last[day.supervisor.user_id]["teams"]
    assert last[day.supervisor.user_id]["targets"]
    told = [event for recorder in recorders for frame in recorder.frames for event in frame["events"]]
    assert {event["kind"] for event in told} >= BESIDE_FIGURES
    healed = {event["alert"]["healed_at"] is not None for event in told if event["kind"] == "kpi_alert.changed"}
    assert healed == {True, False}

    by_hand = [canonical(recorder.snapshot, recorder.frames) for recorder in recorders]
    for recorder, state in zip(recorders, by_hand, strict=True):
        assert state == canonical(last[recorder.person.user_id], []), f"{recorder.person.name}, by the second reducer"

    viewers = list(last)
    texts = replay_all(
        [{"snapshot": last[user_id], "frames": []} for user_id in viewers] + [each.recording for each in recorders],
        tmp_path,
    )
    wanted = dict(zip(viewers, texts, strict=False))
    for recorder, text in zip(recorders, texts[len(viewers) :], strict=True):
        assert json.loads(text) == json.loads(wanted[recorder.person.user_id]), f"{recorder.person.name}, by state.ts"
    for user_id in viewers:
        assert json.loads(wanted[user_id]) == canonical(last[user_id], [])
