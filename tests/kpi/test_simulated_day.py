"""A day of a floor as `hub simulate` tells it, lived in steps of five minutes: at each the live figures are those of the
reports, both are what folding all facts so far from nothing gives, and screens that only heard of changes show the same;
at its end a rebuild makes the same rows and cells.

The real routing engine decides who answers whom (routing.simulate.happenings); what it tells becomes the facts that the hub
would have told, and time is the frozen clock's.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

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
    FactEvent,
    OfferOver,
    QueueVisitEnded,
    SegmentEnded,
    SurveyAnswered,
    SurveySent,
)
from hub.kpi import board
from hub.kpi.belonging import load_kinds, load_placing
from hub.kpi.cells import Dim
from hub.kpi.days import day_of
from hub.kpi.fact_rows import KINDS, TABLES
from hub.kpi.facts import project, rebuild_facts
from hub.kpi.figures import Query, load_figures
from hub.kpi.measures import DEFAULTS, MEASURES, Figure
from hub.kpi.refolding import Wanted, fold_facts, load_facts
from hub.routing.scenario import Scenario, check_scenario
from hub.routing.simulate import Happening, Moment, happenings
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.anyio

DAY = date(2026, 3, 10)
BEGIN = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)  # nine in Kyiv
TICK = timedelta(minutes=5)
CARE, CHAT = 31, 32
FIRST_AGENT = 101

FLOOR = check_scenario(
    Scenario.model_validate(
        {
            "name": "A day in Kyiv",
            "hours": 8,
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
        spell = (FIRST_AGENT + seat, self._since[seat], at, "available", None)
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


def ticks() -> list[tuple[datetime, list[FactEvent]]]:
    """Every five minutes of the day, and what was told in them."""
    day, told = Day(), defaultdict[int, list[FactEvent]](list)
    told[0] += day.begin()
    # One of them turns out to be another at noon, and what had been resolved for both was not, or not at once.
    noon = timedelta(hours=3)
    told[noon // TICK].append(CustomerJoined(30, 7, BEGIN + noon))
    for happening in happenings(FLOOR):
        told[int(happening.at_s // TICK.total_seconds())] += day.facts(happening)
    return [(BEGIN + (number + 1) * TICK, told[number]) for number in range(max(told) + 1)]


def prepare(tx: Tx) -> None:
    tx.execute(update(tables.organisation).values(time_zone="Europe/Kyiv"))
    for seat in SEATS:
        account = {"email": f"{seat}@floor.test", "name": f"Seat {seat}", "role": "agent", "password_hash": ""}
        tx.insert(tables.user_account, {"id": FIRST_AGENT + seat, **account, "created_at": tx.now})
    for queue_id, name, channel_id, kind in ((CARE, "Care line", "line", "phone"), (CHAT, "Chat page", "page", "chat")):
        tx.insert(tables.queue, {"id": queue_id, "name": name})
        of = {"id": channel_id, "kind": kind, "name": channel_id, "queue_id": queue_id, "settings": {}, "secrets": ""}
        tx.execute(tables.channel.insert().values(**of, health_since=tx.now))


def tell(tx: Tx, facts: Sequence[FactEvent]) -> None:
    for fact in facts:
        tx.emit(fact, {FACTS})


Figures = dict[str, dict[str, Figure]]
Shown = dict[str, Any]
WHOSE = {"numbers.changed": "user_id", "queue_numbers.changed": "queue_id"}


def reported(tx: Tx, by: Dim) -> Figures:
    """Every measure that can be told by this, from the report of today."""
    ids = tuple(name for name, measure in MEASURES.items() if by in measure.by)
    report = load_figures(tx, Query(ids, DAY, DAY, by=by), tx.now)
    return {row.key or "0": dict(row.figures) for row in report.rows}


def all_reported(tx: Tx) -> dict[Dim, Figures]:
    return {by: reported(tx, by) for by in Dim}


def all_folded(tx: Tx) -> dict[Dim, Figures]:
    """The same from all facts so far, with nothing that is kept."""
    placing, kinds = load_placing(tx), load_kinds(tx)
    day = day_of(DAY, placing.zone)
    wanted = Wanted(day.start, day.end, {})
    facts = load_facts(tx, KINDS, wanted, 100_000)
    found: dict[Dim, Figures] = {}
    for by in Dim:
        cells = fold_facts(facts, wanted, kinds, placing, lambda at, zone: 0, by)
        of = {name: measure for name, measure in MEASURES.items() if by in measure.by}
        found[by] = {
            key: {name: measure.of(cell, DEFAULTS) for name, measure in of.items()} for (_, key), cell in cells.items()
        }
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
    return [(row.seq, row.kind, shown(json.loads(row.body)["numbers"])) for row in tx.rows(wanted)]


def of_report(figures: Figures, key: int, names: Mapping[str, str]) -> Shown:
    """The live names' figures as the report has them: means and percentiles, or how many there were."""
    of = figures[str(key)]
    return {name: getattr(of[measure], part) for name, (measure, part) in ((n, m.split(".")) for n, m in names.items())}


AGENT_FIGURES = {
    "handled_contacts": "handled_contacts.n",
    "first_response_mean_s": "first_response_s.mean",
    "first_response_count": "first_response_s.n",
    "resolution_median_s": "resolution_s.value",
    "resolution_count": "resolution_s.n",
    "calls_missed": "calls_missed.n",
    "aht_s": "aht.value",
}
QUEUE_FIGURES = {
    "calls_offered": "calls_offered.n",
    "calls_answered": "calls_answered.n",
    "calls_abandoned": "calls_abandoned.n",
    "calls_short_abandoned": "calls_short_abandoned.n",
    "calls_missed": "calls_missed.n",
    "wait_mean_s": "asa_calls.value",
    "aht_s": "aht.value",
}


@pytest.fixture
async def floor(sqlite_url: str, clock: FrozenClock) -> AsyncIterator[Database]:
    """On SQLite alone: what SQL there is has tests on both, and a day is long."""
    opened = open_database(sqlite_url, clock)
    await opened.transaction(prepare)
    yield opened
    await opened.close()


async def test_live_figures_are_those_of_history_at_every_tick_of_a_simulated_day(
    floor: Database, clock: FrozenClock
) -> None:
    seq = 0
    clock.now = BEGIN
    screen = await floor.read(live)
    for at, facts in ticks():
        clock.now = at
        await floor.transaction(tell, facts)
        await floor.transaction(project)
        told = await floor.read(heard, seq)
        seq = max([seq, *(at_seq for at_seq, _, _ in told)])
        for _, kind, numbers in told:
            screen[kind][numbers[WHOSE[kind]]] = numbers
        now = await floor.read(live)
        assert screen == now
        reports = await floor.read(all_reported)
        assert reports == await floor.read(all_folded)
        agents, queues = reports[Dim.AGENT], reports[Dim.QUEUE]
        for agent in [agent for agent in now["numbers.changed"] if str(agent) in agents]:
            numbers = now["numbers.changed"][agent]
            assert {name: numbers[name] for name in AGENT_FIGURES} == of_report(agents, agent, AGENT_FIGURES)
        for queue in [queue for queue in now["queue_numbers.changed"] if str(queue) in queues]:
            numbers = now["queue_numbers.changed"][queue]
            assert {name: numbers[name] for name in QUEUE_FIGURES} == of_report(queues, queue, QUEUE_FIGURES)
    before = await floor.read(load_rows)
    assert {table: len(rows) > 0 for table, rows in before.items()} == dict.fromkeys(before, True)
    await rebuild_facts(floor)
    assert await floor.read(load_rows) == before
