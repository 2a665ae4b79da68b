"""Calls in the figures of agents and queues: reference cases whose answers were computed by hand, live and rebuilt."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from hub.domain.calls import CallEnd
from hub.domain.events import FACTS, FactEvent
from hub.domain.views import NumbersView, QueueNumbersView
from hub.kpi.board import load_agent_numbers, load_numbers_of, load_numbers_of_queues, load_queue_numbers
from hub.kpi.facts import project, rebuild_facts
from hub.store import tables
from hub.store.database import Database, Tx
from tests.kpi.reference import ANNA, BORIS, CARE, NOON, SALES, after, call, missed, part
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.anyio

KYIV = ZoneInfo("Europe/Kyiv")

# calls in, out, missed; talk, hold, wrap-up, AHT
Agent = tuple[int, int, int, float, float, float, float | None]
# offered, answered, abandoned, short, missed; mean wait; talk, hold, wrap-up, AHT
Queue = tuple[int, int, int, int, int, float | None, float, float, float, float | None]

IDLE: Agent = (0, 0, 0, 0.0, 0.0, 0.0, None)
EMPTY: Queue = (0, 0, 0, 0, 0, None, 0.0, 0.0, 0.0, None)
# Offered, and neither answered nor abandoned.
OFFERED: Queue = (1, 0, 0, 0, 0, None, 0.0, 0.0, 0.0, None)


@dataclass(frozen=True)
class Case:
    """What happened, and what everybody's figures are then."""

    facts: tuple[FactEvent, ...]
    anna: Agent = IDLE
    boris: Agent = IDLE
    care: Queue = EMPTY
    sales: Queue = EMPTY


CASES = {
    "answered": Case(
        (
            call(1, after(132), answered_at=after(12)),
            part(1, ANNA, after(162), 100, 20, 30),
        ),
        anna=(1, 0, 0, 100, 20, 30, 150),
        care=(1, 1, 0, 0, 0, 12, 100, 20, 30, 150),
    ),
    "three of an agent's calls": Case(
        (
            call(1, after(70), answered_at=after(10)),
            part(1, ANNA, after(80), 60, 0, 10),
            call(2, after(200), queued_at=after(95), answered_at=after(100)),
            part(2, ANNA, after(230), 80, 20, 30, call_id=2),
            # 10 + 5 + 30 = 45 s of waiting; 70 + 130 + 10 s of handling.
            call(3, after(340), queued_at=after(300), answered_at=after(330)),
            part(3, ANNA, after(340), 10, call_id=3),
        ),
        anna=(3, 0, 0, 150, 20, 40, 70),
        care=(3, 3, 0, 0, 0, 15, 150, 20, 40, 70),
    ),
    # The agent's ring ends with the call: nobody missed anything.
    "abandoned while an agent was rung at": Case(
        (call(1, after(9.5), CallEnd.ABANDONED),), care=(1, 0, 1, 0, 0, None, 0, 0, 0, None)
    ),
    "short abandons are counted apart": Case(
        (
            call(1, after(4.999), CallEnd.ABANDONED),
            call(2, after(5), CallEnd.ABANDONED),
            call(3, after(0), CallEnd.ABANDONED),
        ),
        care=(3, 0, 1, 2, 0, None, 0, 0, 0, None),
    ),
    # One call, two parts. It counts in the queue where it waited last; talk counts where it was talked.
    "passed on to another queue": Case(
        (
            part(1, ANNA, after(70), 60, end="transferred"),
            call(1, after(190), answered_at=after(10), queue_id=SALES),
            part(2, BORIS, after(205), 90, 0, 15, how="transferred", queue_id=SALES),
        ),
        anna=(1, 0, 0, 60, 0, 0, 60),
        boris=(1, 0, 0, 90, 0, 15, 105),
        care=(0, 0, 0, 0, 0, None, 60, 0, 0, 60),
        sales=(1, 1, 0, 0, 0, 10, 90, 0, 15, 105),
    ),
    # While Anna asks Boris the customer hears music: hold of hers, and no part of his.
    "handed over after a consultation": Case(
        (
            part(1, ANNA, after(95), 60, 30, end="transferred"),
            call(1, after(140), answered_at=after(5)),
            part(2, BORIS, after(160), 45, 0, 20, how="consult"),
        ),
        anna=(1, 0, 0, 60, 30, 0, 90),
        boris=(1, 0, 0, 45, 0, 20, 65),
        care=(1, 1, 0, 0, 0, 5, 105, 30, 20, 77.5),
    ),
    # He was asked, helped and left again: the call is hers alone.
    "a consultation that came to nothing": Case(
        (
            call(1, after(105), answered_at=after(5)),
            part(1, ANNA, after(105), 70, 30),
        ),
        anna=(1, 0, 0, 70, 30, 0, 100),
        care=(1, 1, 0, 0, 0, 5, 70, 30, 0, 100),
    ),
    "called back": Case(
        (
            call(1, after(40), CallEnd.CALLBACK),
            call(2, after(680), queued_at=None, answered_at=after(610), direction="out"),
            part(1, ANNA, after(690), 70, 0, 10, how="callback", call_id=2, direction="out"),
        ),
        anna=(0, 1, 0, 70, 0, 10, 80),
        care=(1, 0, 0, 0, 0, None, 70, 0, 10, 80),
    ),
    "a callback that nobody answered": Case(
        (
            call(1, after(40), CallEnd.CALLBACK),
            call(2, after(630), CallEnd.NO_ANSWER, queued_at=None, direction="out"),
        ),
        care=OFFERED,
    ),
    "we call": Case(
        (
            call(1, after(60), queued_at=None, answered_at=after(20), direction="out"),
            part(1, ANNA, after(62), 40, 0, 2, how="outbound", direction="out"),
        ),
        anna=(0, 1, 0, 40, 0, 2, 42),
        care=(0, 0, 0, 0, 0, None, 40, 0, 2, 42),
    ),
    "signed out during the wrap-up": Case(
        (
            call(1, after(50), answered_at=after(10)),
            part(1, ANNA, after(57.25), 40, 0, 7.25, end="signed_out"),
        ),
        anna=(1, 0, 0, 40, 0, 7.25, 47.25),
        care=(1, 1, 0, 0, 0, 10, 40, 0, 7.25, 47.25),
    ),
    "missed, then answered by another": Case(
        (
            missed(1, ANNA, after(20)),
            call(1, after(85), answered_at=after(25)),
            part(1, BORIS, after(85), 60),
        ),
        anna=(0, 0, 1, 0, 0, 0, None),
        boris=(1, 0, 0, 60, 0, 0, 60),
        care=(1, 1, 0, 0, 1, 25, 60, 0, 0, 60),
    ),
    "missed by both, then abandoned": Case(
        (
            missed(1, ANNA, after(20)),
            missed(2, BORIS, after(40)),
            call(1, after(41), CallEnd.ABANDONED),
        ),
        anna=(0, 0, 1, 0, 0, 0, None),
        boris=(0, 0, 1, 0, 0, 0, None),
        care=(1, 0, 1, 0, 2, None, 0, 0, 0, None),
    ),
    "waited too long and left a message": Case((call(1, after(300), CallEnd.VOICEMAIL),), care=OFFERED),
    "left a message from the menu": Case((call(1, after(60), CallEnd.VOICEMAIL, queued_at=None),)),
    "waited too long and was forwarded": Case((call(1, after(300), CallEnd.FORWARDED),), care=OFFERED),
    "cut off by a fault while waiting": Case((call(1, after(30), CallEnd.FAILED),), care=OFFERED),
    "left in the menu": Case((call(1, after(6), CallEnd.LEFT_MENU, queued_at=None, queue_id=None),)),
    "found all lines busy": Case((call(1, after(0), CallEnd.ALL_BUSY, queued_at=None, queue_id=None),)),
    # She talked with them, and then they waited in vain: offered once, answered not.
    "passed on, and left while waiting again": Case(
        (
            part(1, ANNA, after(70), 60, end="transferred"),
            call(1, after(130), CallEnd.ABANDONED, answered_at=after(10), queue_id=SALES),
        ),
        anna=(1, 0, 0, 60, 0, 0, 60),
        care=(0, 0, 0, 0, 0, None, 60, 0, 0, 60),
        sales=(1, 0, 1, 0, 0, None, 0, 0, 0, None),
    ),
    # Her line broke and did not come back; it rang again, at her too.
    "came back to the same agent": Case(
        (
            part(1, ANNA, after(60), 30, 20, end="agent_lost"),
            call(1, after(100), answered_at=after(10)),
            part(2, ANNA, after(105), 30, 0, 5, how="transferred"),
        ),
        anna=(2, 0, 0, 60, 20, 5, 42.5),
        care=(1, 1, 0, 0, 0, 10, 60, 20, 5, 42.5),
    ),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def emit(tx: Tx, events: Sequence[FactEvent]) -> None:
    for event in events:
        tx.emit(event, {FACTS})


async def keep(database: Database, *events: FactEvent) -> None:
    await database.transaction(emit, events)
    await database.transaction(project)


def of_agent(n: NumbersView) -> Agent:
    return (n.calls_in, n.calls_out, n.calls_missed, n.talk_s, n.hold_s, n.wrap_up_s, n.aht_s)


def of_queue(n: QueueNumbersView) -> Queue:
    counts = (n.calls_offered, n.calls_answered, n.calls_abandoned, n.calls_short_abandoned, n.calls_missed)
    return (*counts, n.wait_mean_s, n.talk_s, n.hold_s, n.wrap_up_s, n.aht_s)


@dataclass
class Board:
    agents: dict[int, NumbersView] = field(default_factory=dict)
    queues: dict[int, QueueNumbersView] = field(default_factory=dict)


async def load_board(database: Database, now: datetime) -> Board:
    return Board(
        await database.read(load_numbers_of, [ANNA, BORIS], now),
        await database.read(load_numbers_of_queues, [CARE, SALES], now),
    )


def load_told(tx: Tx) -> list[tuple[str, dict[str, Any]]]:
    """(topics, numbers) of everything told of figures, in its order."""
    kinds = ("numbers.changed", "queue_numbers.changed")
    found = select(tables.event).where(tables.event.c.kind.in_(kinds)).order_by(tables.event.c.seq)
    return [(row.topics, json.loads(row.body)["numbers"]) for row in tx.rows(found)]


def fields_of(view: NumbersView | QueueNumbersView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in view.__slots__}


def figures(told: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Wherever in the stream they were told."""
    return {topics: {**numbers, "as_of_seq": 0} for topics, numbers in told.items()}


@cases
async def test_figures_are_those_computed_by_hand(database: Database, case: Case) -> None:
    await keep(database, *case.facts)
    board = await load_board(database, NOON)
    assert {of: of_agent(numbers) for of, numbers in board.agents.items()} == {ANNA: case.anna, BORIS: case.boris}
    assert {of: of_queue(numbers) for of, numbers in board.queues.items()} == {CARE: case.care, SALES: case.sales}


@cases
async def test_what_is_told_live_is_what_a_snapshot_tells(database: Database, case: Case) -> None:
    """Each fact in a window of its own; what was told last of everybody is what a console that comes now reads."""
    for fact in case.facts:
        await keep(database, fact)
    told = dict(await database.read(load_told))
    agents = {f"supervisors user:{n.user_id}": fields_of(n) for n in await database.read(load_agent_numbers)}
    queues = {f"queue:{n.queue_id} supervisors": fields_of(n) for n in await database.read(load_queue_numbers, None)}

    assert figures(told) == figures({**agents, **queues})


@cases
async def test_figures_are_the_same_in_one_window_and_rebuilt_from_nothing(database: Database, case: Case) -> None:
    await keep(database, *case.facts)
    board, told = await load_board(database, NOON), dict(await database.read(load_told))

    def damage(tx: Tx) -> None:
        for table in (tables.fact_call, tables.fact_call_segment, tables.fact_call_missed):
            tx.execute(table.delete())

    await database.transaction(damage)
    assert await rebuild_facts(database) == len(case.facts)
    assert await load_board(database, NOON) == board
    # Everybody is told at the end, whoever has nothing, too.
    again = dict(await database.read(load_told))
    assert figures({topics: again[topics] for topics in told}) == figures(told)


async def test_a_miss_is_told_while_the_call_still_waits(database: Database) -> None:
    await keep(database, missed(1, ANNA, NOON))
    told = dict(await database.read(load_told))
    assert told[f"supervisors user:{ANNA}"]["calls_missed"] == 1
    assert told[f"queue:{CARE} supervisors"]["calls_missed"] == 1


async def test_wrap_up_over_midnight_belongs_to_the_new_day_and_its_call_to_the_old(database: Database) -> None:
    midnight = datetime(2026, 3, 11, tzinfo=KYIV)
    hung_up, written = midnight - timedelta(seconds=1), midnight + timedelta(seconds=29)
    await keep(
        database,
        call(1, hung_up, queued_at=hung_up - timedelta(seconds=70), answered_at=hung_up - timedelta(seconds=60)),
        part(1, ANNA, written, 60, 0, 30),
    )
    old, new = await load_board(database, hung_up), await load_board(database, written)
    assert (of_agent(old.agents[ANNA]), of_queue(old.queues[CARE])) == (IDLE, (1, 1, 0, 0, 0, 10, 0, 0, 0, None))
    assert of_agent(new.agents[ANNA]) == (1, 0, 0, 60, 0, 30, 90)
    assert of_queue(new.queues[CARE]) == (0, 0, 0, 0, 0, None, 60, 0, 30, 90)


@pytest.mark.parametrize(
    ("month", "day", "hours"), [(3, 29, 23), (10, 25, 25), (6, 1, 24)], ids=["spring", "autumn", "summer"]
)
async def test_a_day_of_23_or_25_hours_has_all_its_calls_and_no_more(
    database: Database, clock: FrozenClock, month: int, day: int, hours: int
) -> None:
    """In the middle of every elapsed hour one call is hung up and written down and one is abandoned; three hours more on
    either side."""
    begin = datetime(2026, month, day, tzinfo=KYIV).astimezone(UTC)
    clock.now = begin + timedelta(hours=12)
    facts: list[FactEvent] = []
    for n in range(-3, hours + 3):
        at = begin + timedelta(hours=n, minutes=30)
        number = n + 4
        facts += [
            call(number, at, queued_at=at - timedelta(seconds=45), answered_at=at - timedelta(seconds=30)),
            part(number, ANNA, at, 30, call_id=number),
            call(100 + number, at, CallEnd.ABANDONED, queued_at=at - timedelta(seconds=6)),
        ]
    await keep(database, *facts)
    board = await load_board(database, clock.now)
    assert of_agent(board.agents[ANNA]) == (hours, 0, 0, 30 * hours, 0, 0, 30)
    assert of_queue(board.queues[CARE]) == (2 * hours, hours, hours, 0, 0, 15, 30 * hours, 0, 0, 30)


async def test_a_wait_through_the_hour_that_comes_twice_is_elapsed_time(database: Database, clock: FrozenClock) -> None:
    """Queued 03:50 summer time, answered 03:10 winter time: 20 minutes."""
    queued = datetime(2026, 10, 25, 3, 50, tzinfo=KYIV, fold=0).astimezone(UTC)
    answered = datetime(2026, 10, 25, 3, 10, tzinfo=KYIV, fold=1).astimezone(UTC)
    clock.now = answered + timedelta(minutes=5)
    await keep(database, call(1, clock.now, queued_at=queued, answered_at=answered))
    assert (await load_board(database, clock.now)).queues[CARE].wait_mean_s == 1_200.0


async def test_midnight_tells_agents_and_queues_that_the_new_day_is_empty(
    database: Database, clock: FrozenClock
) -> None:
    await keep(database, *CASES["missed, then answered by another"].facts)
    before = await database.read(load_told)
    clock.now = datetime(2026, 3, 11, tzinfo=KYIV).astimezone(UTC)
    await database.transaction(project)
    await database.transaction(project)
    told = (await database.read(load_told))[len(before) :]
    assert sorted(topics for topics, _ in told) == sorted(
        [f"supervisors user:{ANNA}", f"supervisors user:{BORIS}", f"queue:{CARE} supervisors"]
    )
    assert {numbers["day"] for _, numbers in told} == {"2026-03-11"}
    board = await load_board(database, clock.now)
    assert (of_agent(board.agents[BORIS]), of_queue(board.queues[CARE])) == (IDLE, EMPTY)
    assert await database.read(load_agent_numbers) == []
    assert await database.read(load_queue_numbers, None) == []


async def test_calls_of_yesterday_that_come_late_tell_nobody_anything_new(database: Database) -> None:
    yesterday = NOON - timedelta(days=1)
    await keep(database, call(1, yesterday, CallEnd.ABANDONED, queued_at=yesterday - timedelta(minutes=1)))
    assert await database.read(load_told) == []


async def test_a_snapshot_tells_of_ones_own_queues_alone(database: Database) -> None:
    await keep(
        database,
        call(1, after(9), CallEnd.ABANDONED, queue_id=CARE),
        call(2, after(9), CallEnd.ABANDONED, queue_id=SALES),
    )
    assert [n.queue_id for n in await database.read(load_queue_numbers, [SALES, 999])] == [SALES]
    assert [n.queue_id for n in await database.read(load_queue_numbers, None)] == [CARE, SALES]
    assert await database.read(load_queue_numbers, []) == []
