"""What becomes of an answer: a line of the timeline, a fact, and work for a supervisor where it is low."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.util import await_only

from hub.channels.channel import Consent
from hub.domain.values import ContactKind
from hub.errors import Conflict, InvalidInput, NotFound
from hub.kpi.facts import project, rebuild_facts
from hub.store import tables
from hub.store.database import Tx, open_database
from hub.surveys import answers, lists
from hub.timeline import conversations, customers, outbox
from tests.support.clock import FrozenClock
from tests.surveys.conftest import PHONE, Floor, set_up_floor

pytestmark = pytest.mark.anyio

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def asked(floor: Floor) -> int:
    """A customer has been asked by text message; the conversation's id."""
    conversation_id = await floor.served()
    await floor.ask()
    return conversation_id


async def test_score_by_text_message_stands_in_the_timeline_and_opens_nothing(floor: Floor, asked: int) -> None:
    assert await floor.reply("4 thanks") == asked
    (survey,) = await floor.surveys()
    assert (survey["state"], survey["score"], survey["comment"]) == ("answered", 4, "thanks")
    line = await floor.scene.row(tables.entry, happening="scored")
    assert (line["kind"], line["direction"], line["text"], line["data"]["score"]) == ("event", "in", "thanks", 4)
    view = await floor.database.read(conversations.load_conversation, asked)
    assert (view.status, view.unanswered_since, view.preview) == ("resolved", None, "Done.")
    assert len(await floor.scene.rows(tables.conversation)) == 1
    assert await floor.facts("fact.survey") == 1
    assert (await floor.scene.row(tables.entry, happening="survey"))["data"]["answered"] == 1


async def test_doubled_replies_are_one_and_another_score_takes_the_place_of_the_first(floor: Floor, asked: int) -> None:
    await floor.reply("4", provider_id="SM1")
    await floor.reply("4", provider_id="SM1")
    await floor.reply("4")
    assert await floor.facts("fact.survey") == 1
    await floor.reply("2")
    (survey,) = await floor.surveys()
    assert (survey["score"], survey["follow_up"]) == (2, "open")
    assert len(await floor.scene.rows(tables.entry, happening="scored")) == 1
    last = json.loads([event.body for event in await floor.scene.events() if event.kind == "fact.survey"][-1])
    assert (last["score"], last["replaces"]) == (2, 4)
    await floor.database.transaction(project)
    projected = await floor.scene.row(tables.fact_survey)
    await rebuild_facts(floor.database)
    assert (projected["score"], await floor.scene.row(tables.fact_survey)) == (2, projected)


async def test_two_replies_that_arrive_together_leave_one_line(floor: Floor, asked: int) -> None:
    arrivals = [floor.scene.message(text, sender=PHONE, kind=ContactKind.PHONE) for text in ("5", "3", "thank you")]
    outcomes = await floor.scene.intake.accept("sms-1", arrivals)
    assert [outcome.conversation_id for outcome in outcomes] == [asked, asked, asked]
    (survey,) = await floor.surveys()
    assert survey["score"] == 3
    assert (await floor.database.read(conversations.load_conversation, asked)).status == "open"


@pytest.mark.parametrize("text", ["Where is my order?", "7", "4pm tomorrow, please"])
async def test_what_is_no_score_is_a_message_like_any_other(floor: Floor, asked: int, text: str) -> None:
    await floor.reply(text)
    (survey,) = await floor.surveys()
    assert survey["state"] == "sent"
    view = await floor.database.read(conversations.load_conversation, asked)
    assert (view.status, view.preview) == ("open", text)


async def test_score_with_a_question_is_both(floor: Floor, asked: int) -> None:
    await floor.reply("5. When will it come?")
    (survey,) = await floor.surveys()
    view = await floor.database.read(conversations.load_conversation, asked)
    assert (survey["score"], view.status, view.preview) == (5, "open", "5. When will it come?")


@pytest.mark.parametrize(
    "text", ["4 items are missing from my order", "5 Abovyan street, flat 3", "3 days and still no refund. Call me"]
)
async def test_score_with_words_is_a_message_too(floor: Floor, asked: int, text: str) -> None:
    await floor.reply(text)
    (survey,) = await floor.surveys()
    view = await floor.database.read(conversations.load_conversation, asked)
    assert (survey["state"], view.status, view.preview) == ("answered", "open", text)


async def test_after_a_score_only_a_bare_number_is_another(floor: Floor, asked: int) -> None:
    await floor.reply("5")
    await floor.reply("4!")
    floor.clock.advance(48 * 3600)
    text = "2 more bags please, same address"
    await floor.reply(text)
    (survey,) = await floor.surveys()
    view = await floor.database.read(conversations.load_conversation, asked)
    assert (survey["score"], survey["comment"], view.status, view.preview) == (4, "", "open", text)


async def test_number_belongs_to_the_talk_once_it_goes_on(floor: Floor, asked: int) -> None:
    await floor.reply("Hello again")
    await floor.reply("4")
    (survey,) = await floor.surveys()
    assert survey["state"] == "sent"
    assert len(await floor.scene.rows(tables.entry, conversation_id=asked, direction="in")) == 3


async def test_stop_is_no_score_and_ends_the_asking(floor: Floor, asked: int) -> None:
    await floor.scene.say("STOP", channel_id="sms-1", sender=PHONE, kind=ContactKind.PHONE, consent=Consent.STOP)
    (survey,) = await floor.surveys()
    assert (survey["state"], survey["score"]) == ("sent", None)
    assert (await floor.scene.row(tables.contact_point))["opted_out_at"] is not None
    claimed = await floor.database.transaction(outbox.claim, "process", 50)
    assert "satisfied" not in " ".join(each.message.text for each in claimed)


async def test_answer_after_the_time_is_over_is_an_ordinary_message(floor: Floor, asked: int) -> None:
    floor.clock.advance(72 * 3600)
    await floor.reply("4")
    (survey,) = await floor.surveys()
    assert survey["state"] == "sent"
    with pytest.raises(Conflict, match="over"):
        await floor.database.transaction(answers.answer, survey["id"], 4)


async def test_late_answer_after_a_merge_counts_for_who_lives_on(floor: Floor, asked: int) -> None:
    await floor.scene.opened("Hi", sender="somebody")
    first, second = [row["id"] for row in await floor.scene.rows(tables.customer)]
    await floor.database.transaction(customers.join, first, second)
    await floor.reply("5")
    facts = [json.loads(event.body) for event in await floor.scene.events() if event.kind == "fact.survey"]
    assert [fact["customer_id"] for fact in facts] == [second]


async def test_erased_conversation_takes_its_survey_along(floor: Floor, asked: int) -> None:
    (survey,) = await floor.surveys()

    def erase(tx: Tx) -> None:
        for table in (tables.outbox, tables.entry, tables.assignment):
            tx.execute(delete(table).where(table.c.conversation_id == asked))
        tx.execute(delete(tables.conversation).where(tables.conversation.c.id == asked))

    await floor.database.transaction(erase)
    assert await floor.surveys() == []
    with pytest.raises(NotFound):
        await floor.database.transaction(answers.answer, survey["id"], 4)


async def test_low_score_is_an_alert_once_and_a_follow_up(floor: Floor, asked: int) -> None:
    await floor.reply("1")
    await floor.reply("2")
    alert = await floor.scene.row(tables.alert)
    assert (alert["user_id"], alert["reason"], alert["data"]["score"]) == (floor.supervisor.user_id, "low_score", 1)
    (survey,) = await floor.surveys()
    assert (survey["score"], survey["is_low"], survey["follow_up"]) == (2, True, "open")


async def test_worse_answer_is_to_be_seen_to_again(floor: Floor, asked: int) -> None:
    (survey,) = await floor.surveys()
    for score, comment in ((2, ""), (1, ""), (1, "Nobody called me back")):
        await floor.database.transaction(answers.answer, survey["id"], score, comment)
        (after,) = await floor.surveys()
        line = await floor.scene.row(tables.entry, happening="scored")
        assert (after["follow_up"], after["followed_up_by"], line["data"]["follow_up"]) == ("open", None, "open")
        await floor.database.transaction(lists.set_followed_up, floor.supervisor, survey["id"], done=True)
    await floor.database.transaction(answers.answer, survey["id"], 2)
    (after,) = await floor.surveys()
    assert (after["score"], after["follow_up"], after["followed_up_by"]) == (2, "done", floor.supervisor.user_id)
    alerts = await floor.scene.rows(tables.alert)
    assert [(alert["data"]["score"], alert["seen_at"] is not None) for alert in alerts] == [
        (2, True),
        (1, True),
        (1, True),
    ]


async def test_nobody_floods_supervisors_with_scores(floor: Floor, asked: int) -> None:
    (survey,) = await floor.surveys()
    for score in (1, 5, 1, 5, 1):
        await floor.database.transaction(answers.answer, survey["id"], score)
    assert len(await floor.scene.rows(tables.alert)) == 1


async def test_agent_who_resolves_once_more_ends_no_alert_about_a_score(floor: Floor, asked: int) -> None:
    await floor.reply("1 nobody called me back")
    await floor.end(asked)
    assert (await floor.scene.row(tables.alert))["seen_at"] is None


async def test_score_of_a_colleague_is_not_everybodys_business(floor: Floor, asked: int) -> None:
    colleague = await floor.scene.agent("Hayk")
    await floor.reply("5")

    def seen(tx: Tx, viewer: object) -> list[str | None]:
        condition = (tables.entry.c.conversation_id == asked) & conversations.readable_by(viewer)  # type: ignore[arg-type]
        return [
            entry.happening for entry in conversations.load_entries(tx, conversations.entry_page(condition, None, 9))
        ]

    shown = [await floor.database.read(seen, viewer) for viewer in (floor.agent, floor.supervisor, colleague)]
    assert ["scored" in each for each in shown] == [True, True, False]
    told = [event for event in await floor.scene.events() if event.kind == "entry.added" and '"scored"' in event.body]
    assert [event.topics for event in told] == [frozenset({"supervisors", f"user:{floor.agent.user_id}"})]


async def test_queue_may_show_all_scores_to_all_its_agents(floor: Floor, asked: int) -> None:
    await floor.settle(scores_for_agents="all")
    await floor.reply("5")
    line = await floor.scene.row(tables.entry, happening="scored")
    assert line["private_to"] is None


async def test_score_that_the_scale_does_not_have_is_refused(floor: Floor, asked: int) -> None:
    (survey,) = await floor.surveys()
    with pytest.raises(InvalidInput) as refused:
        await floor.database.transaction(answers.answer, survey["id"], 6)
    assert refused.value.fields == {"score": "must be from 1 to 5"}


async def test_replies_of_a_group_lock_their_conversations_in_one_order(
    postgresql_url: str, clock: FrozenClock
) -> None:
    """Two groups of the same customers would wait for each other for ever otherwise."""
    database = open_database(postgresql_url, clock)
    floor = await set_up_floor(database, clock)
    first, second = await floor.served(), await floor.served(sender="+37477999999")
    await floor.ask()
    is_held, is_over = asyncio.Event(), asyncio.Event()
    c = tables.conversation.c

    def hold(tx: Tx) -> None:
        tx.lock_conversations([first])
        is_held.set()
        await_only(is_over.wait())

    def lock_at_once(tx: Tx) -> None:
        tx.execute(select(c.id).where(c.id == second).with_for_update(nowait=True))

    holding = asyncio.create_task(database.transaction(hold))
    await is_held.wait()
    texts = [answers.Text("sms-1", ContactKind.PHONE, sender, "5") for sender in ("+37477999999", PHONE)]
    taking = asyncio.create_task(database.transaction(answers.take_replies, texts))
    async with asyncio.timeout(20):
        while not await database.read(lambda tx: tx.scalar(text(_BLOCKED))):
            pass
    await database.transaction(lock_at_once)
    is_over.set()
    await holding
    taken = await taking
    await database.close()
    assert sorted(taken) == [0, 1]
