"""Two hours of a floor as `hub simulate` tells them, lived through the real intake, dispatcher, outbox and surveys: at every
tick what is shown live is what a report of the same day says, and what screens were told.

Only when somebody comes, and how long their request takes, is the simulation's; who gets it, the real dispatcher decides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from hub.agents import roster, teams
from hub.agents.teams import Team
from hub.agents.viewer import Viewer
from hub.domain.states import AgentState
from hub.domain.values import AuthorKind, ChannelKind, ContactKind
from hub.domain.views import Author
from hub.kpi.facts import project
from hub.kpi.figures import Query, load_figures
from hub.routing import directing, dispatcher
from hub.routing.scenario import Scenario, check_scenario
from hub.routing.simulate import Happening, Moment, happenings
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.surveys import answers, asking
from hub.surveys.settings import load_setting, save_setting
from hub.timeline import outbox, topics
from tests.support.clock import FrozenClock
from tests.support.live import check_live, check_told
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

BEGIN = datetime(2026, 3, 10, 14, 0, tzinfo=UTC)  # an hour before it is midnight in Tokyo
TICK = timedelta(minutes=5)
JOINS_TOKYO = BEGIN + timedelta(minutes=35)
GRACE_S = 15.0
FLOOR = check_scenario(
    Scenario.model_validate(
        {
            "name": "Two hours",
            "hours": 2,
            "replications": 1,
            "seed": 6,
            "queues": [{"name": "support"}],
            "arrivals": [
                {"queue": "support", "kind": "chat", "per_hour": 20, "handle": {"mean_s": 400}},
                {"queue": "support", "kind": "sms", "per_hour": 12, "handle": {"mean_s": 250}},
            ],
            "staff": [{"name": "all", "count": 3, "queues": ["support"]}],
        }
    )
)


@dataclass
class Hours:
    scene: Scene
    clock: FrozenClock
    agents: Mapping[int, Viewer]
    topic_id: int

    @property
    def database(self) -> Database:
        return self.scene.database

    async def live_through(self, told: Happening, conversations: dict[int, int]) -> None:
        self.clock.now = BEGIN + timedelta(seconds=round(told.at_s, 3))
        if told.moment is Moment.ARRIVED:
            channel_id = ("chat", "sms")[told.stream]
            conversations[told.contact] = await self.scene.opened(
                channel_id=channel_id, sender=f"+374910{told.contact:05}", kind=ContactKind.PHONE
            )
        elif told.moment is Moment.DONE:
            await self.database.transaction(self.finish, conversations[told.contact])
        while await self.database.transaction(self.route):
            pass

    def route(self, tx: Tx) -> bool:
        """A round of the dispatcher; whoever is offered something takes it at once."""
        dispatcher.dispatch(tx, GRACE_S)
        o = tables.offer.c
        ringing = tx.rows(select(o.id, o.agent_id).where(o.ended_at.is_(None)))
        for row in ringing:
            dispatcher.accept_offer(tx, self.agents[row.agent_id], row.id)
        return bool(ringing)

    def finish(self, tx: Tx, conversation_id: int) -> None:
        """Whoever has it answers and resolves it; of every second it is said what it was about."""
        c = tables.conversation.c
        agent = self.agents[tx.scalar(select(c.assignee_id).where(c.id == conversation_id))]
        topic_id = (None, self.topic_id)[conversation_id % 2]
        directing.set_topic(tx, agent, conversation_id, topic_id, direct=False)
        outbox.enqueue(tx, conversation_id, Author(AuthorKind.AGENT, agent.name, agent.user_id), "Done.")
        dispatcher.resolve(tx, agent, conversation_id)

    def see_to_surveys(self, tx: Tx) -> None:
        """Who is due is asked, and answers."""
        for survey_id in asking.find_due(tx):
            asking.ask(tx, survey_id)
            answers.answer(tx, survey_id, 1 + survey_id % 5)

    def put_in_tokyo(self, tx: Tx) -> None:
        ani, _, cleo = self.agents
        members = ([cleo], [ani, cleo])[tx.now >= JOINS_TOKYO]
        (team,) = (team for team in teams.load_teams(tx) if team.name == "Tokyo")
        teams.replace_team(tx, team.id, Team("Tokyo", "Asia/Tokyo", True, members), team.version)

    async def tick(self, at: datetime) -> None:
        self.clock.now = at
        await self.database.transaction(self.see_to_surveys)
        await self.database.transaction(self.put_in_tokyo)
        while await self.database.transaction(project):
            pass
        await self.database.read(check_live)
        await self.database.read(check_told)


@pytest.fixture
async def hours(sqlite_url: str, clock: FrozenClock) -> AsyncIterator[Hours]:
    """On SQLite alone: what SQL there is has tests on both, and two hours are long."""
    database = open_database(sqlite_url, clock)
    clock.now = BEGIN - timedelta(minutes=10)
    scene = await Scene(database).set_up()
    await scene.channel("chat", "chat")
    await scene.channel("sms", "sms")
    agents = [await scene.agent(name) for name in ("Ani", "Bela", "Cleo")]

    def prepare(tx: Tx) -> int:
        teams.create_team(tx, Team("Home", None, True, [agent.user_id for agent in agents]))
        teams.create_team(tx, Team("Tokyo", "Asia/Tokyo", True, [agents[2].user_id]))
        setting = load_setting(tx, scene.queue_id)
        channels = (ChannelKind.CHAT, ChannelKind.SMS)
        save_setting(tx, replace(setting, enabled=True, channels=channels), setting.version)
        return topics.create_topic(tx, name="Late").id

    topic_id = await database.transaction(prepare)
    for agent in agents:
        # Their rows were written by hand: this begins their time.
        await database.transaction(roster.change_agent_state, agent.user_id, AgentState.AWAY, "coffee")
    clock.advance(60)
    for agent in agents:
        await database.transaction(roster.change_agent_state, agent.user_id, AgentState.AVAILABLE)
    yield Hours(scene, clock, {agent.user_id: agent for agent in agents}, topic_id)
    await database.close()


async def test_live_figures_are_those_of_history_while_real_work_is_routed(hours: Hours) -> None:
    at, conversations = BEGIN, dict[int, int]()
    for told in happenings(FLOOR):
        while told.at_s >= (at - BEGIN).total_seconds():
            await hours.tick(at)
            at += TICK
        await hours.live_through(told, conversations)
    await hours.tick(at)
    report = await hours.database.read(
        load_figures, Query(("handled_contacts", "csat", "first_response_s"), BEGIN.date(), BEGIN.date()), at
    )
    (row,) = report.rows
    assert {name: figure.n for name, figure in row.figures.items()} == {
        "handled_contacts": 67,
        "csat": 67,
        "first_response_s": 67,
    }
