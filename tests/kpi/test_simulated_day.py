"""A day of a floor as `hub simulate` tells it, lived in steps of five minutes: at each the live figures are those of the
reports, both are what folding all facts so far from nothing gives, and screens that only heard of changes show the same;
at its end a rebuild makes the same rows and cells.

The floor is in Kyiv. One of its teams is in Berlin, one in Auckland, where it is midnight at noon; one agent changes from the
one to the other and back, so their day is the tenth, the eleventh, and the tenth again.

The real routing engine decides who answers whom (routing.simulate.happenings); what it tells becomes the facts that the hub
would have told, and time is the frozen clock's.
"""

import json
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from hub.agents import teams
from hub.agents.teams import Team
from hub.domain.calls import CallEnd
from hub.domain.events import (
    FACTS,
    AgentSpellEnded,
    CallEnded,
    CallMissed,
    CallSegmentEnded,
    ContactBegan,
    ConversationResolved,
    CustomerAnswered,
    CustomerJoined,
    CustomerParted,
    FactEvent,
    OfferOver,
    QueueVisitEnded,
    SegmentEnded,
    SurveyAnswered,
    SurveySent,
)
from hub.kpi import board
from hub.kpi.belonging import load_kinds, load_placing
from hub.kpi.cells import EVERYTHING, NOTHING, Cell, Dim
from hub.kpi.days import Grain, local_day
from hub.kpi.fact_rows import TABLES, load_going_on, load_kept
from hub.kpi.facts import project, rebuild_facts
from hub.kpi.figures import Query, load_figures
from hub.kpi.folding import fold
from hub.kpi.kept_cells import Changes
from hub.kpi.live_figures import Watched, load_values
from hub.kpi.measures import DEFAULTS, MEASURES, Figure
from hub.kpi.placing import Placing, count_contacts
from hub.kpi.sketch import from_counts
from hub.kpi.targets import Scope
from hub.routing.scenario import Scenario, check_scenario
from hub.routing.simulate import Happening, Moment, happenings
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from tests.support.clock import FrozenClock
from tests.support.live import VIEWS, reported_of_agent, reported_of_queue, shown_of_agent, shown_of_queue

pytestmark = pytest.mark.anyio

DAY, DAY_AFTER = date(2026, 3, 10), date(2026, 3, 11)
HOME = ZoneInfo("Europe/Kyiv")
BEGIN = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)  # nine in Kyiv
TICK = timedelta(minutes=5)
CARE, CHAT = 31, 32
LATE, PRICE = 41, 42
STRANGER = 9_000
FIRST_AGENT = 101
MOVER = FIRST_AGENT + 1
CLOCKS = {"All": None, "Berlin": "Europe/Berlin", "Auckland": "Pacific/Auckland"}
# Neither lies at the bound of an interval.
MOVES: Mapping[datetime, Mapping[str, Collection[int]]] = {
    BEGIN - timedelta(hours=1): {"All": [101, 102, 103], "Berlin": [101, 102], "Auckland": [103]},
    BEGIN + timedelta(hours=3, minutes=5): {"Berlin": [101], "Auckland": [102, 103]},
    BEGIN + timedelta(hours=5, minutes=20): {"Berlin": [101, 102], "Auckland": [103]},
}

FLOOR = check_scenario(
    Scenario.model_validate(
        {
            "name": "A day in Kyiv",
            "hours": 6,
            "replications": 1,
            "seed": 6,
            "queues": [{"name": "care"}, {"name": "chat"}],
            "arrivals": [
                {
                    "queue": "care",
                    "kind": "phone",
                    "profile": [[0, 4], [2, 16], [5, 8]],
                    "handle": {"mean_s": 240, "shape": "lognormal", "cv": 0.8},
                    "patience": {"mean_s": 90},
                },
                {"queue": "chat", "kind": "chat", "per_hour": 8, "handle": {"mean_s": 400}},
            ],
            "staff": [
                {"name": "phones", "count": 1, "queues": ["care"]},
                {"name": "both", "count": 1, "queues": ["care", "chat"]},
                {"name": "chats", "count": 1, "queues": ["chat"]},
            ],
        }
    )
)
SEATS = range(sum(group.count for group in FLOOR.staff))


class Day:
    """What the hub would have told of these happenings, in their order."""

    def __init__(self) -> None:
        self._arrived: dict[int, datetime] = {}
        self._answered: dict[int, datetime] = {}
        self._loads = [0 for _ in SEATS]
        self._held = [0 for _ in SEATS]
        self._since = [BEGIN for _ in SEATS]

    def begin(self) -> Iterator[FactEvent]:
        """Everybody comes in half an hour before the lines open."""
        for seat in SEATS:
            yield AgentSpellEnded(FIRST_AGENT + seat, BEGIN - timedelta(minutes=30), BEGIN, "away", "break", 0, 100, 0)

    def facts(self, told: Happening) -> Iterator[FactEvent]:
        """Every third contact is about one thing, every third about another, of the rest nobody said."""
        topic_id = (None, LATE, PRICE)[told.contact % 3]
        for fact in self._facts(told):
            yield (
                fact
                if isinstance(fact, AgentSpellEnded | CustomerJoined | CustomerParted)
                else replace(fact, topic_id=topic_id)
            )

    def doing(self, at: datetime) -> dict[int, dict[str, object]]:
        """What each agent does then, as their row tells it."""
        return {
            FIRST_AGENT + seat: {
                "spell_since": self._since_when(seat, at),
                "spell_state": "available",
                "spell_load": self._loads[seat],
                "spell_capacity": 100,
                "spell_work_count": self._held[seat],
            }
            for seat in SEATS
        }

    def _since_when(self, seat: int, at: datetime) -> datetime:
        """Whoever moves to another team begins anew."""
        moved = [moved_at for moved_at in MOVES if moved_at < at and FIRST_AGENT + seat == MOVER]
        return max([self._since[seat], *moved])

    def _facts(self, told: Happening) -> Iterator[FactEvent]:
        at = BEGIN + timedelta(seconds=round(told.at_s, 3))
        match told.moment:
            case Moment.ARRIVED:
                self._arrived[told.contact] = at
                of = self._of(told)
                yield ContactBegan(told.contact, 0, self._customer(told), *of, "in", at, told.stream == 0)
            case Moment.LEFT:
                yield self._visit(told, at, "abandoned")
                yield self._call(told, at, CallEnd.ABANDONED)
            case Moment.ANSWERED:
                self._answered[told.contact] = at
                yield from self._ring(told, at)
                yield self._visit(told, at, "answered")
                yield from self._turn(told, at, 1)
            case Moment.DONE:
                after = (self._after_call, self._after_chat)[told.stream]
                yield from after(told, at)
                yield from self._turn(told, at, -1)

    def _of(self, told: Happening) -> tuple[str, int]:
        return (("line", CARE), ("page", CHAT))[told.stream]

    def _customer(self, told: Happening) -> int:
        # Thirty of them, so that they come back.
        return 1 + told.contact % 30

    def _agent(self, told: Happening) -> int:
        return FIRST_AGENT + (told.agent or 0)

    def _visit(self, told: Happening, at: datetime, reason: str) -> QueueVisitEnded:
        came = self._arrived[told.contact]
        agent = None if told.agent is None else self._agent(told)
        of = self._of(told)
        return QueueVisitEnded(
            told.contact, 1, self._customer(told), *of, came, came, came, at, reason, agent, self._call_id(told)
        )

    def _call_id(self, told: Happening) -> int | None:
        return (told.contact, None)[told.stream]

    def _call(self, told: Happening, at: datetime, end: CallEnd) -> CallEnded:
        came, of = self._arrived[told.contact], self._of(told)
        answered = self._answered.get(told.contact)
        return CallEnded(told.contact, told.contact, *of, "in", came, came, answered, at, end.value)

    def _ring(self, told: Happening, at: datetime) -> Iterator[FactEvent]:
        """Every fifth call rings in vain once before."""
        offer, of = (told.contact * 2, told.contact), self._of(told)
        rang = max(at - timedelta(seconds=20), self._arrived[told.contact])
        missed = told.stream == 0 and told.contact % 5 == 0
        lost = CallMissed(offer[0] + 1, told.contact, told.contact, FIRST_AGENT + 1, *of, rang, at)
        over = OfferOver(offer[0] + 1, told.contact, FIRST_AGENT + 1, *of, rang, at, "no_answer")
        in_vain: tuple[FactEvent, ...] = (lost, over)
        yield from in_vain * missed
        yield OfferOver(*offer, self._agent(told), *of, at - timedelta(seconds=3), at, "accepted")

    def _turn(self, told: Happening, at: datetime, by: int) -> Iterator[FactEvent]:
        """The agent's load changes: how they were until then is a spell."""
        seat = told.agent or 0
        spell = (FIRST_AGENT + seat, self._since_when(seat, at), at, "available", None)
        yield AgentSpellEnded(*spell, self._loads[seat], 100, self._held[seat])
        self._loads[seat] += by * FLOOR.arrivals[told.stream].units
        self._held[seat] += by
        self._since[seat] = at

    def _after_call(self, told: Happening, at: datetime) -> Iterator[FactEvent]:
        began, of, agent = self._answered[told.contact], self._of(told), self._agent(told)
        took_s = (at - began).total_seconds()
        parts = (took_s * 0.7, took_s * 0.1, took_s * 0.2)
        hung_up = at - timedelta(seconds=parts[2])
        yield self._call(told, hung_up, CallEnd.COMPLETED)
        call = (told.contact, told.contact, told.contact, agent)
        yield CallSegmentEnded(*call, *of, "in", "offer", began, *parts, at, "customer", None)
        yield SegmentEnded(told.contact, told.contact, agent, *of, began, at, "offer", "resolved", call_id=told.contact)
        yield self._resolved(told, at)

    def _after_chat(self, told: Happening, at: datetime) -> Iterator[FactEvent]:
        came, of, agent = self._arrived[told.contact], self._of(told), self._agent(told)
        yield CustomerAnswered(told.contact, told.contact, agent, *of, came, at - (at - came) / 2, True)
        began = self._answered[told.contact]
        yield SegmentEnded(told.contact, told.contact, agent, *of, began, at, "offer", "resolved")
        yield self._resolved(told, at)
        of_whom = (told.contact, self._customer(told))
        yield SurveySent(told.contact, "csat", *of_whom, *of, at, agent)
        answer = SurveyAnswered(told.contact, "csat", 1 + told.contact % 5, *of_whom, *of, at, at, agent)
        yield from [answer] * (told.contact % 2)

    def _resolved(self, told: Happening, at: datetime) -> ConversationResolved:
        of = (self._agent(told), *self._of(told))
        return ConversationResolved(
            10_000 + told.contact, told.contact, *of, self._arrived[told.contact], at, 0, None, self._customer(told)
        )


@dataclass(frozen=True, slots=True)
class Tick:
    """What was told since the one before, and what agents do now."""

    at: datetime
    facts: list[FactEvent]
    doing: Mapping[int, Mapping[str, object]]


def ticks() -> Iterator[Tick]:
    """Every five minutes of the day."""
    day, at = Day(), BEGIN
    facts = list(day.begin())
    # One of them turns out to be another at noon, and what had been resolved for both was not, or not at once. Somebody who
    # was never here is taken for one of them, and two hours later is not.
    noon = BEGIN + timedelta(hours=3)
    later = noon + timedelta(hours=2)
    joined: dict[datetime, list[FactEvent]] = {
        noon: [CustomerJoined(30, 7, noon, 1), CustomerJoined(STRANGER, 8, noon, 2)],
        later: [CustomerParted(2, STRANGER, 8, later)],
    }
    for happening in happenings(FLOOR):
        while happening.at_s >= (at - BEGIN).total_seconds():
            yield Tick(at, [*facts, *joined.get(at, [])], day.doing(at))
            at, facts = at + TICK, []
        facts += day.facts(happening)
    yield Tick(at, facts, day.doing(at))


def prepare(tx: Tx) -> None:
    tx.execute(update(tables.organisation).values(time_zone=HOME.key))
    for seat in SEATS:
        account = {"email": f"{seat}@floor.test", "name": f"Seat {seat}", "role": "agent", "password_hash": ""}
        tx.insert(tables.user_account, {"id": FIRST_AGENT + seat, **account, "created_at": tx.now})
        since = {"state_since": tx.now, "idle_since": tx.now}
        tx.execute(tables.agent.insert().values(user_id=FIRST_AGENT + seat, state="available", capacity=100, **since))
    for topic_id, name in ((LATE, "Late"), (PRICE, "Price")):
        tx.insert(tables.topic, {"id": topic_id, "name": name, "folded_name": name.casefold()})
    for queue_id, name, channel_id, kind in ((CARE, "Care line", "line", "phone"), (CHAT, "Chat page", "page", "chat")):
        tx.insert(tables.queue, {"id": queue_id, "name": name})
        of = {"id": channel_id, "kind": kind, "name": channel_id, "queue_id": queue_id, "settings": {}, "secrets": ""}
        tx.execute(tables.channel.insert().values(**of, health_since=tx.now))
    for name, zone in CLOCKS.items():
        teams.create_team(tx, Team(name, zone))
    put_in_teams(tx, MOVES[tx.now])


def put_in_teams(tx: Tx, members: Mapping[str, Collection[int]]) -> None:
    for team in teams.load_teams(tx):
        given = Team(team.name, team.time_zone, True, members.get(team.name, team.member_ids))
        teams.replace_team(tx, team.id, given, team.version)


def live_through(tx: Tx, tick: Tick) -> None:
    for fact in tick.facts:
        tx.emit(fact, {FACTS})
    for agent_id, values in tick.doing.items():
        tx.execute(update(tables.agent).where(tables.agent.c.user_id == agent_id).values(**values))
    put_in_teams(tx, MOVES.get(tick.at, {}))


# (day, id) → measure → figure.
Figures = dict[tuple[str, str], Mapping[str, Figure]]
Shown = dict[str, Any]
WHOSE = {"numbers.changed": "user_id", "queue_numbers.changed": "queue_id"}


def reported(tx: Tx, by: Dim) -> Figures:
    """Every measure that can be told by this, from the report of both days."""
    ids = tuple(name for name, measure in MEASURES.items() if by in measure.by)
    report = load_figures(tx, Query(ids, DAY, DAY_AFTER, Grain.DAY, by), tx.now)
    return {
        (str(row.start.astimezone(HOME).date()), row.key or EVERYTHING): dict(row.figures)
        for row in report.rows
        if not row.is_gap
    }


def folded(tx: Tx, placing: Placing) -> dict[Dim, Figures]:
    """The same from all facts so far, with nothing that is kept."""
    kinds = load_kinds(tx)
    changes = Changes()
    facts = [kept for kind in TABLES for kept in load_kept(tx, kind)] + load_going_on(tx, tx.now)
    for kept in facts:
        changes.add(fold(kept.fact, kept.extra, kinds), placing)
    holds = [kept.fact for kept in facts if isinstance(kept.fact, SegmentEnded)]
    changes.add_count("contacts", count_contacts(holds, placing))
    found: dict[Dim, Figures] = {by: {} for by in Dim}
    for key in [key for key in changes.counts if key.grain == Grain.DAY]:
        sketches = {name: from_counts(bins) for name, bins in changes.bins[key].items()}
        cell = Cell(changes.counts[key], sketches)
        of = {name: measure.of(cell, DEFAULTS) for name, measure in MEASURES.items() if key.dim in measure.by}
        found[Dim(key.dim)][str(date.fromordinal(key.start)), key.dim_id] = of
    return found


def load_rows(tx: Tx) -> dict[str, list[tuple[Any, ...]]]:
    """Every fact, every cell and every sketch, each table in the order of its key."""
    kept = (*TABLES.values(), tables.kpi_cell, tables.kpi_sketch)
    return {table.name: [tuple(row) for row in tx.rows(select(table).order_by(*table.primary_key))] for table in kept}


def live(tx: Tx) -> dict[str, dict[int, Shown]]:
    """What a screen that opens now is given."""
    agents = board.load_numbers_of(tx, [FIRST_AGENT + seat for seat in SEATS], tx.now)
    queues = board.load_numbers_of_queues(tx, [CARE, CHAT], tx.now)
    return {
        "numbers.changed": {agent: shown(asdict(numbers)) for agent, numbers in agents.items()},
        "queue_numbers.changed": {queue: shown(asdict(numbers)) for queue, numbers in queues.items()},
    }


def shown(numbers: Shown) -> Shown:
    """Without the place in the stream, which moves with every event."""
    return {name: value for name, value in numbers.items() if name != "as_of_seq"}


def heard(tx: Tx, after: int) -> list[tuple[int, str, Shown]]:
    """What screens were told since: (seq, kind, numbers)."""
    e = tables.event.c
    wanted = select(e.seq, e.kind, e.body).where(e.seq > after, e.kind.like("%numbers.changed")).order_by(e.seq)
    told = ((row, VIEWS[row.kind].validate_python(json.loads(row.body)["numbers"])) for row in tx.rows(wanted))
    return [(row.seq, row.kind, shown(asdict(numbers))) for row, numbers in told]


# Some of each kind: a count, a share of time, a mean, a percentile and a share.
WATCHED = ("handled_contacts", "occupancy", "aht", "resolution_s", "csat", "service_level")
NO_CASE = {name: measure.of(NOTHING, DEFAULTS) for name, measure in MEASURES.items()}


def watched(tx: Tx, placing: Placing) -> dict[Watched, str]:
    """What limits are set for, and whose day it is."""
    whose: list[tuple[Scope, int | None, str]] = [("all", None, str(DAY))]
    whose += [("queue", queue_id, str(DAY)) for queue_id in (CARE, CHAT)]
    for team in teams.load_teams(tx):
        whose.append(("team", team.id, str(local_day(tx.now, placing.zone_of_team(team.id)).date)))
    for seat in SEATS:
        zone = placing.zone_of_agent(FIRST_AGENT + seat, tx.now)
        whose.append(("agent", FIRST_AGENT + seat, str(local_day(tx.now, zone).date)))
    return {Watched(figure, scope, of): day for scope, of, day in whose for figure in WATCHED}


def check(tx: Tx, screen: Mapping[str, Mapping[int, Shown]]) -> None:
    """What is heard, what is shown, what is watched, what is reported and what is folded."""
    placing = load_placing(tx)
    reports = {by: reported(tx, by) for by in Dim}
    assert reports == folded(tx, placing)
    assert screen == live(tx)
    for agent, of_agent in board.load_numbers_of(tx, screen["numbers.changed"], tx.now).items():
        figures = reports[Dim.AGENT].get((of_agent.day, str(agent)), NO_CASE)
        assert shown_of_agent(of_agent, tx.now) == pytest.approx(reported_of_agent(dict(figures)), abs=1e-9), agent
    for queue, of_queue in board.load_numbers_of_queues(tx, screen["queue_numbers.changed"], tx.now).items():
        figures = reports[Dim.QUEUE].get((of_queue.day, str(queue)), NO_CASE)
        assert shown_of_queue(of_queue) == reported_of_queue(tx, dict(figures)), queue
    days = watched(tx, placing)
    values = load_values(tx, days)
    whose = {each: (days[each], str(each.scope_id or EVERYTHING)) for each in values}
    assert values == {
        each: reports[Dim(each.scope)].get(key, NO_CASE)[each.figure].value for each, key in whose.items()
    }


@pytest.fixture
async def floor(sqlite_url: str, clock: FrozenClock) -> AsyncIterator[Database]:
    """On SQLite alone: what SQL there is has tests on both, and a day is long."""
    opened = open_database(sqlite_url, clock)
    clock.now = min(MOVES)
    await opened.transaction(prepare)
    yield opened
    await opened.close()


async def test_live_figures_are_those_of_history_at_every_tick_of_a_simulated_day(
    floor: Database, clock: FrozenClock
) -> None:
    seq = 0
    clock.now = BEGIN
    screen = await floor.read(live)
    days = set()
    for tick in ticks():
        clock.now = tick.at
        await floor.transaction(live_through, tick)
        await floor.transaction(project)
        told = await floor.read(heard, seq)
        seq = max([seq, *(at_seq for at_seq, _, _ in told)])
        for _, kind, numbers in told:
            screen[kind][numbers[WHOSE[kind]]] = numbers
        await floor.read(check, screen)
        days.add(tuple(numbers["day"] for numbers in screen["numbers.changed"].values()))
    assert len(days) == 3
    before = await floor.read(load_rows)
    assert {table: len(rows) > 0 for table, rows in before.items()} == dict.fromkeys(before, True)
    await rebuild_facts(floor)
    assert await floor.read(load_rows) == before
