"""The board beside the report: whatever happens, live figures are those of the report of the same day, and the screens were
told them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import select, update

from hub.agents import roster
from hub.domain.events import FACTS, FactEvent, RecountChanged, SurveyAnswered, SurveySent
from hub.domain.states import AgentState
from hub.domain.values import AuthorKind
from hub.domain.views import Author, NumbersView, QueueNumbersView
from hub.kpi import facts
from hub.kpi.board import load_numbers, load_numbers_of_queues
from hub.kpi.days import Grain
from hub.kpi.facts import project
from hub.kpi.figures import Query, load_figures
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database, Tx
from hub.timeline import outbox
from tests.kpi.random_facts import CHANNELS, draw_facts, emit
from tests.kpi.reference import ANNA, CARE, NOON, response
from tests.support.clock import FrozenClock
from tests.support.live import check_live, check_told, load_told
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GRACE_S = 15.0


async def project_and_check(database: Database) -> None:
    while await database.transaction(project):
        pass
    await database.read(check_live)
    await database.read(check_told)


async def test_live_figures_are_those_of_the_report_at_every_tick(database: Database, clock: FrozenClock) -> None:
    """Of facts drawn at random, a few at a time, at the latest instant that any of them tells of."""

    def add_channels(tx: Tx) -> None:
        for channel_id, kind in CHANNELS.items():
            plain = {"name": channel_id, "queue_id": CARE, "settings": {}, "secrets": "", "health_since": tx.now}
            tx.execute(tables.channel.insert().values(id=channel_id, kind=kind, **plain))

    await database.transaction(add_channels)
    drawn = draw_facts(Random(6), 40)
    for first in range(0, len(drawn), 12):
        window = drawn[first : first + 12]
        instants = (getattr(fact, name) for fact in window for name in fact.__slots__)
        clock.now = max(clock.now, *(at for at in instants if isinstance(at, datetime)))
        await database.transaction(emit, window)
        await project_and_check(database)


async def test_live_figures_are_those_of_the_report_after_everything_that_happens(
    database: Database, clock: FrozenClock
) -> None:
    """Two agents take chats, mails and texts, one after the other and at once; told and shown are the same all the while."""
    clock.now = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
    scene = await Scene(database).set_up()
    returns = await scene.queue("Returns")
    first, second = await scene.agent("Cleo"), await scene.agent("Dan")
    for kind in ("chat", "email", "sms"):
        await scene.channel(kind, kind)

    async def then(seconds: float, unit: object = None, *given: object) -> None:
        if unit is not None:
            await database.transaction(unit, *given)  # type: ignore[arg-type]
        await project_and_check(database)
        clock.advance(seconds)

    def answer(tx: Tx, conversation_id: int) -> None:
        outbox.enqueue(tx, conversation_id, Author(AuthorKind.AGENT, first.name, first.user_id), "Hello")

    def pass_on(tx: Tx, conversation_id: int, agent_id: int | None, queue_id: int | None) -> None:
        dispatcher.transfer(tx, first, conversation_id, agent_id=agent_id, queue_id=queue_id, note=None)

    def survey(tx: Tx, conversation_id: int) -> None:
        of = (conversation_id, 1, "chat", scene.queue_id)
        tx.emit(SurveySent(1, "csat", *of, tx.now - timedelta(minutes=1), first.user_id), {FACTS})
        tx.emit(SurveyAnswered(1, "csat", 4, *of, tx.now - timedelta(minutes=1), tx.now, first.user_id), {FACTS})

    # The rows of a scene's agents are written by hand: this begins their time.
    for agent in (first, second):
        await then(5, roster.change_agent_state, agent.user_id, AgentState.AWAY)
        await then(5, roster.change_agent_state, agent.user_id, AgentState.AVAILABLE)
    chat = await scene.opened(channel_id="chat", sender="ani")
    await then(30)
    mail = await scene.opened(channel_id="email", sender="bob@shop.test")
    text = await scene.opened(channel_id="sms", sender="+37491000001")
    for conversation_id in (chat, mail, text):
        await then(7, dispatcher.claim, first, conversation_id, None)
    await then(20, answer, chat)
    await then(61, pass_on, mail, second.user_id, None)
    await then(13, pass_on, text, None, returns)
    await then(40, dispatcher.resolve, first, chat)
    await then(40, survey, chat)
    await then(9, roster.change_agent_state, first.user_id, AgentState.AWAY, "lunch")
    await then(3, dispatcher.resolve, second, mail)
    await scene.opened("Again", channel_id="chat", sender="ani")
    await then(1, dispatcher.sign_out, second.user_id)

    numbers = await database.read(load_numbers, first.user_id, clock.now)
    assert (numbers.chats, numbers.mails, numbers.texts, numbers.resolution_count) == (1, 1, 1, 1)
    assert (numbers.csat_share, numbers.csat_mean, numbers.csat_count) == (1.0, 4.0, 1)
    assert (numbers.transfers_blind, numbers.transfer_cases, numbers.first_response_count) == (2, 3, 1)
    found = await database.read(load_numbers_of_queues, [scene.queue_id, returns], clock.now)
    assert {queue_id: one.backlog for queue_id, one in found.items()} == {scene.queue_id: 1, returns: 1}


async def test_midnight_tells_who_is_signed_in_that_their_day_begins(database: Database, clock: FrozenClock) -> None:
    """Anna has been available since ten in the evening; of the new day it counts from midnight."""
    midnight = datetime(2026, 3, 10, 22, 0, tzinfo=UTC)  # 00:00 in Kyiv
    clock.now = midnight - timedelta(hours=2)

    def begin(tx: Tx) -> None:
        since = {"state_since": tx.now, "idle_since": tx.now}
        tx.execute(tables.agent.insert().values(user_id=ANNA, state="offline", capacity=100, **since))
        roster.change_agent_state(tx, ANNA, AgentState.AVAILABLE)

    await database.transaction(begin)
    await project_and_check(database)
    clock.now = midnight + timedelta(seconds=1)
    await database.transaction(project)
    told = (await database.read(load_told))["agent", ANNA]
    assert isinstance(told, NumbersView)
    assert (told.day, told.spell, told.spell_since, told.available_ms) == ("2026-03-11", "available", midnight, 0)
    await project_and_check(database)


async def test_service_level_that_is_counted_otherwise_is_told_anew(database: Database) -> None:
    scene = await Scene(database).set_up()
    await scene.opened()
    await project_and_check(database)

    def choose(tx: Tx) -> None:
        tx.execute(update(tables.organisation).values(service_level="service_level_connect", threshold_s=60))

    async def counted() -> tuple[str, int]:
        view = (await database.read(load_told))["queue", scene.queue_id]
        assert isinstance(view, QueueNumbersView)
        return view.service_level_id, view.threshold_s

    assert await counted() == ("service_level", 20)
    await database.transaction(choose)
    await project_and_check(database)
    assert await counted() == ("service_level_connect", 60)


async def test_while_figures_are_counted_anew_they_are_a_gap_and_at_the_end_everybody_is_told(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The organisation moves to New York, where the evening of Kyiv is the same day's morning; two days are made anew."""

    async def tell(*told: FactEvent) -> None:
        await database.transaction(emit, told)
        await project_and_check(database)

    clock.now = NOON - timedelta(days=1)
    await tell(*(response(number, ANNA, clock.now, 5) for number in range(1, 4)))
    clock.now = datetime(2026, 3, 10, 23, 0, tzinfo=UTC)  # one in the morning in Kyiv, seven in the evening in New York
    await tell(*(response(number, ANNA, clock.now - timedelta(hours=3), 5) for number in range(4, 6)))
    monkeypatch.setattr(facts, "WINDOW", 1)
    clock.advance(60)

    def move(tx: Tx) -> None:
        tx.execute(update(tables.organisation).values(time_zone="America/New_York"))

    await database.transaction(move)
    assert await database.transaction(project)
    assert await database.read(facts.is_recounting)
    days = Query(("first_response_s",), date(2026, 3, 9), date(2026, 3, 10), Grain.DAY)
    seen: list[tuple[list[int | None], bool]] = []
    while await database.transaction(project):
        report = await database.read(load_figures, days, clock.now)
        counts = [None if row.is_gap else row.figures["first_response_s"].n for row in report.rows]
        seen.append((counts, report.is_complete))
    assert ([None, None], False) in seen
    assert ([1, None], False) in seen
    assert seen[-1] == ([3, 2], True)
    assert not await database.read(facts.is_recounting)
    told = (await database.read(load_told))["agent", ANNA]
    assert isinstance(told, NumbersView)
    assert (told.day, told.first_response_count) == ("2026-03-10", 2)
    kinds = select(tables.event.c.body).where(tables.event.c.kind == RecountChanged.KIND).order_by(tables.event.c.seq)
    bodies = await database.read(lambda tx: list(tx.execute(kinds).scalars()))
    assert [json.loads(body)["recounting"] for body in bodies] == [True, False]
