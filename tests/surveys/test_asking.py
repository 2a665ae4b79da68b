"""Who is asked for a score, when and how often: once for what a person solved, never against the customer's will."""

from __future__ import annotations

import asyncio

import pytest

from hub.domain.values import SurveyKind
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database, open_database
from hub.surveys import asking
from hub.timeline import conversations, customers
from tests.surveys.conftest import Floor

pytestmark = pytest.mark.anyio


async def test_customer_is_asked_once_after_the_delay_and_nothing_is_opened(floor: Floor) -> None:
    conversation_id = await floor.served()
    assert await floor.database.read(asking.find_due) == []
    await floor.ask()
    await floor.ask()
    (survey,) = await floor.surveys()
    assert (survey["state"], survey["kind"], survey["agent_id"]) == ("sent", "csat", floor.agent.user_id)
    line = await floor.scene.row(tables.entry, happening="survey")
    assert (line["kind"], line["author_kind"], line["delivery"]) == ("message", "system", "queued")
    assert line["text"] == (
        "How satisfied are you with our help? "
        "Please reply with a number from 1 (very dissatisfied) to 5 (very satisfied)."
    )
    view = await floor.database.read(conversations.load_conversation, conversation_id)
    assert (view.status, view.preview) == ("resolved", "Done.")
    assert (await floor.facts("fact.survey_sent"), await floor.facts("fact.response")) == (1, 1)


async def test_question_speaks_the_customers_language_and_the_queues_words(floor: Floor) -> None:
    await floor.settle(kind=SurveyKind.NPS, questions=(("hy", "Մեզ խորհուրդ կտա՞ք։"),), low_score=6)
    await floor.served()
    await floor.change(tables.customer, language="hy-AM")
    await floor.ask()
    line = await floor.scene.row(tables.entry, happening="survey")
    assert line["text"].startswith("Մեզ խորհուրդ կտա՞ք։ Խնդրում ենք պատասխանել թվով՝ 0 (ամենևին)-ից 10")


async def test_what_nobody_answered_or_what_closed_by_itself_is_not_asked_about(floor: Floor) -> None:
    await floor.served(answer=None)
    conversation_id = await floor.scene.opened("buy now", sender="spam")
    view = await floor.database.read(conversations.load_conversation, conversation_id)
    await floor.database.transaction(dispatcher.close_by_itself, view, "spam")
    assert await floor.surveys() == []


async def test_reopened_before_it_was_sent_is_dropped_and_the_next_resolution_asks(floor: Floor) -> None:
    conversation_id = await floor.served()
    await floor.reply("One more thing")
    await floor.ask()
    assert await floor.states() == [("dropped", "reopened")]
    await floor.end(conversation_id)
    await floor.ask()
    assert await floor.states() == [("dropped", "reopened"), ("sent", None)]


async def test_reopened_by_hand_and_resolved_again_is_one_question(floor: Floor) -> None:
    conversation_id = await floor.served()
    await floor.database.transaction(dispatcher.reopen, floor.agent, conversation_id)
    floor.clock.advance(1)
    await floor.end(conversation_id)
    await floor.ask()
    assert await floor.states() == [("dropped", "reopened"), ("sent", None)]


async def test_customer_is_asked_once_in_the_throttle_over_all_channels(floor: Floor) -> None:
    await floor.served()
    await floor.ask()
    other = await floor.served(channel_id="loop", sender="ani-at-home")
    points = await floor.scene.rows(tables.customer)
    await floor.database.transaction(customers.join, points[1]["id"], points[0]["id"])
    await floor.ask()
    assert await floor.states() == [("sent", None), ("dropped", "throttled")]
    floor.clock.advance(31 * 86400)
    await floor.end(other)
    await floor.ask()
    assert (await floor.states())[-1] == ("sent", None)


@pytest.mark.parametrize(
    ("table", "values", "reason"),
    [
        (tables.contact_point, {"opted_out_at": "now"}, "opted_out"),
        (tables.contact_point, {"bounced_at": "now"}, "nobody_reads"),
        (tables.channel, {"enabled": False}, "channel_off"),
        (tables.survey_setting, {"enabled": False}, "switched_off"),
        (tables.survey_setting, {"channels": ["email"]}, "switched_off"),
    ],
)
async def test_nobody_is_asked_who_must_not_or_cannot_be(
    floor: Floor, table: object, values: dict[str, object], reason: str
) -> None:
    await floor.served()
    moment = {"now": floor.clock()}
    await floor.change(table, **{name: moment.get(str(value), value) for name, value in values.items()})
    await floor.ask()
    assert await floor.states() == [("dropped", reason)]
    assert await floor.facts("fact.survey_sent") == 0


async def test_process_that_died_before_asking_leaves_it_to_the_next_but_not_for_days(floor: Floor) -> None:
    await floor.served()
    floor.clock.advance(3600)
    await floor.ask()
    await floor.served(sender="+37477000001")
    floor.clock.advance(25 * 3600)
    await floor.ask()
    assert await floor.states() == [("sent", None), ("dropped", "too_late")]


async def test_two_processes_ask_once(floor: Floor, database_url: str) -> None:
    await floor.served()
    floor.clock.advance(60)
    other: Database = open_database(database_url, floor.clock)
    (survey_id,) = await other.read(asking.find_due)
    sent = await asyncio.gather(
        *(each.transaction(asking.ask, survey_id) for each in (floor.database, other, floor.database, other))
    )
    await other.close()
    assert sorted(sent) == [False, False, False, True]
    assert len(await floor.scene.rows(tables.entry, happening="survey")) == 1


async def test_two_surveys_of_one_customer_due_together_are_one_question(floor: Floor, database_url: str) -> None:
    await floor.served()
    await floor.served(channel_id="loop", sender="ani-at-home")
    first, second = [row["id"] for row in await floor.scene.rows(tables.customer)]
    await floor.database.transaction(customers.join, second, first)
    floor.clock.advance(60)
    other: Database = open_database(database_url, floor.clock)
    ids = await other.read(asking.find_due)
    sent = await asyncio.gather(
        *(each.transaction(asking.ask, one) for each, one in zip((floor.database, other), ids, strict=True))
    )
    await other.close()
    assert sorted(sent) == [False, True]
