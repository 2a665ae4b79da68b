"""What comes in: each arrival once, in the right conversation, whatever the provider does."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from hub.channels.channel import Consent
from hub.domain.values import ContactKind
from hub.errors import NotFound
from hub.store import tables
from hub.store.database import Database
from hub.timeline import customers
from hub.timeline.inbound import Intake
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def count(database: Database, table: object) -> int:
    return int(await database.read(lambda tx: tx.scalar(select(func.count()).select_from(table))))  # type: ignore[arg-type]


async def test_a_message_becomes_a_customer_a_conversation_an_entry_and_an_event(scene: Scene) -> None:
    outcome = await scene.say("Hello", sender="ani")
    conversation = await scene.row(tables.conversation)
    entry = await scene.row(tables.entry)
    assert outcome.entry_id == entry["id"]
    assert (entry["text"], entry["direction"], entry["author_kind"]) == ("Hello", "in", "customer")
    assert conversation["status"] == "open"
    assert conversation["queued_since"] is not None
    assert conversation["unanswered_since"] == entry["at"]
    (event,) = [event for event in await scene.events() if event.kind == "entry.added"]
    body = json.loads(event.body)
    assert body["entry"]["id"] == entry["id"]
    assert body["conversation"]["version"] == conversation["version"]
    assert f"queue:{scene.queue_id}" in event.topics


async def test_duplicate_webhook_is_stored_once(scene: Scene) -> None:
    first = await scene.say("Hello", provider_id="p1")
    again = await scene.say("Hello", provider_id="p1")
    assert first.is_new
    assert not again.is_new
    assert len(await scene.rows(tables.entry)) == 1


async def test_three_hundred_doubled_webhooks_at_once_store_three_hundred_messages(scene: Scene) -> None:
    arrivals = [scene.message(f"text {n}", sender=f"c{n % 40}", provider_id=f"p{n}") for n in range(300)]
    intakes = [Intake(scene.database, scene.files) for _ in range(4)]
    await asyncio.gather(
        *(
            intakes[n % len(intakes)].accept(scene.channel_id, [arrival])
            for n, arrival in enumerate(arrivals + arrivals[::-1])
        )
    )
    assert await count(scene.database, tables.entry) == 300
    assert await count(scene.database, tables.arrival) == 300
    assert await count(scene.database, tables.customer) == 40
    assert await count(scene.database, tables.conversation) == 40
    added = [event for event in await scene.events() if event.kind == "entry.added"]
    assert len(added) == 300


async def test_the_same_message_twice_in_one_group_is_stored_once(scene: Scene) -> None:
    outcomes = await scene.intake.accept(
        scene.channel_id, [scene.message("a", provider_id="x"), scene.message("a", provider_id="x")]
    )
    assert [outcome.is_new for outcome in outcomes] == [True, False]


async def test_a_second_message_joins_the_open_conversation(scene: Scene) -> None:
    first = await scene.say("one")
    second = await scene.say("two")
    assert first.conversation_id == second.conversation_id
    conversation = await scene.row(tables.conversation)
    assert conversation["preview"] == "two"


async def test_the_arrival_outlives_the_event_and_is_never_taken_again(scene: Scene, clock: FrozenClock) -> None:
    await scene.say("one", provider_id="p1")
    clock.advance(3600)
    assert not (await scene.say("one", provider_id="p1")).is_new


async def resolve(scene: Scene) -> None:
    await scene.set(
        tables.conversation,
        {"status": "resolved", "queued_since": None, "resolved_at": scene.database.clock(), "unanswered_since": None},
    )


async def test_writing_soon_after_the_resolution_reopens(scene: Scene, clock: FrozenClock) -> None:
    first = await scene.say("one")
    await resolve(scene)
    clock.advance(3600)
    second = await scene.say("two")
    assert second.conversation_id == first.conversation_id
    conversation = await scene.row(tables.conversation)
    assert (conversation["status"], conversation["reopened_count"]) == ("open", 1)
    assert conversation["queued_since"] == clock()


async def test_writing_long_after_the_resolution_begins_a_new_conversation(scene: Scene, clock: FrozenClock) -> None:
    first = await scene.say("one")
    await resolve(scene)
    clock.advance(timedelta(days=4).total_seconds())
    second = await scene.say("two")
    assert second.conversation_id != first.conversation_id
    assert len(await scene.rows(tables.customer)) == 1


async def test_one_channel_account_each_has_its_own_conversation_of_the_one_customer(scene: Scene) -> None:
    await scene.channel("second", "loopback")
    first = await scene.say("one")
    second = await scene.say("two", channel_id="second")
    assert first.conversation_id != second.conversation_id
    assert len(await scene.rows(tables.customer)) == 1


async def test_stop_is_kept_on_the_contact_point_and_asks_nobody_to_answer(scene: Scene) -> None:
    await scene.say("STOP", consent=Consent.STOP)
    conversation = await scene.row(tables.conversation)
    point = await scene.row(tables.contact_point)
    assert (conversation["status"], conversation["queued_since"]) == ("resolved", None)
    assert point["opted_out_at"] is not None
    await scene.say("START", consent=Consent.START)
    assert (await scene.row(tables.contact_point))["opted_out_at"] is None


async def test_stop_inside_an_open_conversation_is_said_there(scene: Scene) -> None:
    await scene.say("Hello")
    await scene.say("STOP", consent=Consent.STOP)
    happenings = [entry["happening"] for entry in await scene.rows(tables.entry)]
    assert happenings == [None, None, "opted_out"]


async def test_an_unknown_channel_fails_alone(scene: Scene) -> None:
    good, bad = await asyncio.gather(
        scene.intake.accept(scene.channel_id, [scene.message("good")]),
        scene.intake.accept("nowhere", [scene.message("bad")]),
        return_exceptions=True,
    )
    assert not isinstance(good, BaseException)
    assert isinstance(bad, NotFound)
    assert await count(scene.database, tables.entry) == 1


async def test_a_clock_that_jumps_back_keeps_every_message(scene: Scene, clock: FrozenClock) -> None:
    await scene.say("one")
    clock.advance(-7200)
    await scene.say("two")
    conversation = await scene.row(tables.conversation)
    assert conversation["preview"] == "two"
    assert len(await scene.rows(tables.entry)) == 2


async def test_a_phone_number_is_one_customer_on_every_channel_that_speaks_of_phones(scene: Scene) -> None:
    await scene.channel("sms-a", "sms")
    await scene.channel("sms-b", "sms")
    await scene.say("one", channel_id="sms-a", sender="+37491234567", kind=ContactKind.PHONE)
    await scene.say("two", channel_id="sms-b", sender="+37491234567", kind=ContactKind.PHONE)
    customer = await scene.row(tables.customer)
    assert customer["name"] == "+374 91 234567"


async def test_a_stop_and_a_question_in_one_group_still_want_an_answer(scene: Scene) -> None:
    await scene.intake.accept(
        scene.channel_id, [scene.message("STOP", consent=Consent.STOP), scene.message("Where is my order?")]
    )
    conversation = await scene.row(tables.conversation)
    assert conversation["status"] == "open"
    assert conversation["queued_since"] is not None


async def test_writing_from_a_claimed_number_proves_the_number_and_not_the_chat_that_claimed_it(scene: Scene) -> None:
    await scene.channel("shop", "chat")
    await scene.channel("sms-a", "sms")
    visit = await scene.say("hi", channel_id="shop", sender="visitor-1", kind=ContactKind.CHAT)
    phone = (ContactKind.PHONE, "+37491234567")
    assert visit.contact_point_id is not None
    await scene.database.transaction(customers.identify, visit.contact_point_id, name="Ani", claims=[phone])
    await scene.say("hello", channel_id="sms-a", sender=phone[1], kind=ContactKind.PHONE)
    verified = {row["kind"]: row["verified"] for row in await scene.rows(tables.contact_point)}
    assert verified == {"phone": True, "chat": False}
    assert len(await scene.rows(tables.customer)) == 1


async def test_claiming_somebody_elses_number_joins_the_cards_and_renames_nobody(scene: Scene) -> None:
    await scene.channel("shop", "chat")
    await scene.channel("sms-a", "sms")
    phone = (ContactKind.PHONE, "+37491234567")
    await scene.say("hello", channel_id="sms-a", sender=phone[1], kind=ContactKind.PHONE)
    visit = await scene.say("hi", channel_id="shop", sender="visitor-1", kind=ContactKind.CHAT)
    assert visit.contact_point_id is not None
    await scene.database.transaction(customers.identify, visit.contact_point_id, name="Mallory", claims=[phone])
    owner = await scene.row(tables.customer, merged_into=None)
    assert owner["name"] == "+374 91 234567"
    assert (await scene.row(tables.contact_point, kind="chat"))["verified"] is False
