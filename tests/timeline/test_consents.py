"""Consent: one writer, a history that only grows, and nothing sent against it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.channels.channel import Consent
from hub.domain.consent import How, Purpose
from hub.domain.values import AuthorKind, ContactKind, Role
from hub.domain.views import Author
from hub.errors import Conflict, InvalidInput
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import consents, contact_points, customers, outbox
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def add(scene: Scene, kind: ContactKind, address: str, name: str = "Ani") -> tuple[int, int]:
    """(customer, contact point)"""

    def make(tx: Tx) -> tuple[int, int]:
        view = customers.create_customer(tx, name, None)
        view = customers.add_contact_point(tx, view.id, kind, address)
        return view.id, view.contact_points[0].id

    return await scene.database.transaction(make)


async def say(scene: Scene, customer_id: int, point_id: int, channel: str, **said: Any) -> Any:
    values = {"purpose": Purpose.SERVICE, "given": False, "how": How.TOLD, "by_id": None, **said}
    return await scene.database.transaction(customers.set_consent, customer_id, point_id, channel=channel, **values)


async def history(scene: Scene) -> list[tuple[str, str, bool, str]]:
    return [
        (row["channel"], row["purpose"], row["given"], row["how"])
        for row in sorted(await scene.rows(tables.consent), key=lambda row: row["id"])
    ]


async def test_what_a_customer_tells_an_agent_is_kept_with_who_wrote_it_down(scene: Scene) -> None:
    nare = await scene.agent("Nare")
    customer_id, point_id = await add(scene, ContactKind.PHONE, "+37491000001")
    view = await say(scene, customer_id, point_id, "sms", by_id=nare.user_id, words="on the phone")
    (point,) = view.contact_points
    assert (point.opted_out, [(c.channel, c.given, c.note) for c in point.consents]) == (
        True,
        [("sms", False, "on the phone")],
    )
    view = await say(scene, customer_id, point_id, "sms", given=True, how=How.FORM, by_id=nare.user_id)
    assert view.contact_points[0].opted_out is False
    records = await scene.database.read(consents.load_history, customer_id, before=None, limit=50)
    assert [(each.given, each.how, each.by_name, each.address) for each in records] == [
        (True, How.FORM, "Nare", "+37491000001"),
        (False, How.TOLD, "Nare", "+37491000001"),
    ]
    assert [event.kind for event in await scene.events()].count("customer.changed") == 4


async def test_the_same_word_twice_is_one_line(scene: Scene) -> None:
    customer_id, point_id = await add(scene, ContactKind.EMAIL, "ani@example.am")
    before = await say(scene, customer_id, point_id, "email")
    assert await say(scene, customer_id, point_id, "email") == before
    assert await history(scene) == [("email", "service", False, "told")]


async def test_stop_ends_service_and_advertising_and_only_start_lifts_it(scene: Scene, clock: FrozenClock) -> None:
    conversation_id = await scene.opened("Hello", sender="ani")
    row = await scene.row(tables.conversation, id=conversation_id)
    customer_id, point_id = row["customer_id"], row["contact_point_id"]
    await say(scene, customer_id, point_id, "loopback", purpose=Purpose.MARKETING, given=True)
    clock.advance(60)
    await scene.say("STOP", sender="ani", consent=Consent.STOP)
    assert (await scene.row(tables.contact_point))["opted_out_at"] == clock()
    with pytest.raises(Conflict) as told:
        await say(scene, customer_id, point_id, "loopback", given=True)
    assert told.value.code == "stop_stands"
    await scene.say("START", sender="ani", consent=Consent.START)
    assert (await scene.row(tables.contact_point))["opted_out_at"] is None
    assert await history(scene) == [
        ("loopback", "marketing", True, "told"),
        ("loopback", "service", False, "keyword"),
        ("loopback", "marketing", False, "keyword"),
        ("loopback", "service", True, "keyword"),
    ]


async def test_a_stop_after_an_agents_word_takes_it_out_of_the_agents_hands(scene: Scene) -> None:
    conversation_id = await scene.opened("Hello", sender="ani")
    row = await scene.row(tables.conversation, id=conversation_id)
    await say(scene, row["customer_id"], row["contact_point_id"], "loopback")
    await scene.say("STOP", sender="ani", consent=Consent.STOP)
    with pytest.raises(Conflict, match="START"):
        await say(scene, row["customer_id"], row["contact_point_id"], "loopback", given=True)


async def test_nothing_is_written_and_nothing_begun_against_it(scene: Scene) -> None:
    nare = await scene.agent()
    conversation_id = await scene.opened("Hello", sender="ani")
    row = await scene.row(tables.conversation, id=conversation_id)
    await scene.database.transaction(dispatcher.claim, nare, conversation_id, None)
    await say(scene, row["customer_id"], row["contact_point_id"], "loopback")
    author = Author(AuthorKind.AGENT, nare.name, nare.user_id)
    with pytest.raises(Conflict) as told:
        await scene.database.transaction(outbox.enqueue, conversation_id, author, "Hello")
    assert (told.value.code, set(told.value.fields)) == ("opted_out", {"text"})
    await scene.database.transaction(dispatcher.resolve, nare, conversation_id)
    with pytest.raises(Conflict) as told:
        await scene.database.transaction(dispatcher.open_conversation, nare, "loop", row["contact_point_id"])
    assert told.value.code == "opted_out"
    assert [each["status"] for each in await scene.rows(tables.conversation)] == ["resolved"]


async def test_who_refuses_calls_may_be_written_to_and_the_other_way_round(scene: Scene) -> None:
    nare = await scene.agent()
    await scene.channel("sms", "sms")
    await scene.channel("phone", "phone")
    customer_id, point_id = await add(scene, ContactKind.PHONE, "+37491000001")
    await say(scene, customer_id, point_id, "phone")
    with pytest.raises(Conflict) as told:
        await scene.database.transaction(dispatcher.open_conversation, nare, "phone", point_id)
    assert told.value.code == "calls_refused"
    assert (await scene.database.transaction(dispatcher.open_conversation, nare, "sms", point_id)).assignee_id == (
        nare.user_id
    )
    await say(scene, customer_id, point_id, "phone", given=True)
    await say(scene, customer_id, point_id, "sms")
    assert (await scene.database.transaction(dispatcher.open_conversation, nare, "phone", point_id)).address == (
        "+37491000001"
    )


async def test_a_channel_that_does_not_lead_there_is_named(scene: Scene) -> None:
    customer_id, point_id = await add(scene, ContactKind.EMAIL, "ani@example.am")
    with pytest.raises(InvalidInput) as told:
        await say(scene, customer_id, point_id, "sms")
    assert told.value.fields.keys() == {"channel"}


async def test_consent_goes_with_the_address_when_two_cards_are_one(scene: Scene) -> None:
    ani, point_id = await add(scene, ContactKind.PHONE, "+37491000001")
    other, _ = await add(scene, ContactKind.EMAIL, "ani@example.am")
    await say(scene, ani, point_id, "phone")
    await scene.database.transaction(customers.join, ani, other)
    view = await scene.database.read(customers.load_customer, other)
    assert [len(point.consents) for point in view.contact_points] == [1, 0]


# --- addresses ------------------------------------------------------------------------------------------------------------


async def test_an_address_nobody_wrote_from_is_corrected_where_it_stands(scene: Scene) -> None:
    customer_id, point_id = await add(scene, ContactKind.PHONE, "+37491000001")
    view = await scene.database.transaction(
        contact_points.change, customer_id, point_id, address="+37491000002", label="  at   work "
    )
    assert [(p.id, p.address, p.label, p.verified) for p in view.contact_points] == [
        (point_id, "+37491000002", "at work", False)
    ]


async def test_an_address_the_customer_wrote_from_is_no_typing_mistake(scene: Scene) -> None:
    row = await scene.row(tables.conversation, id=await scene.opened("Hello", sender="ani"))
    with pytest.raises(Conflict) as told:
        await scene.database.transaction(
            contact_points.change, row["customer_id"], row["contact_point_id"], address="anna"
        )
    assert told.value.code == "verified"


async def test_a_used_address_that_is_corrected_keeps_what_was_said_there(scene: Scene) -> None:
    nare = await scene.agent()
    await scene.channel("sms", "sms")
    customer_id, point_id = await add(scene, ContactKind.PHONE, "+37491000001")
    await scene.database.transaction(contact_points.change, customer_id, point_id, is_main=True, label="mobile")
    opened = await scene.database.transaction(dispatcher.open_conversation, nare, "sms", point_id)
    with pytest.raises(Conflict) as told:
        await scene.database.transaction(contact_points.change, customer_id, point_id, address="+37491000002")
    assert told.value.code == "in_talk"
    await scene.database.transaction(dispatcher.resolve, nare, opened.id)
    view = await scene.database.transaction(contact_points.change, customer_id, point_id, address="+37491000002")
    (point,) = view.contact_points
    assert (point.id != point_id, point.address, point.label, point.is_main) == (True, "+37491000002", "mobile", True)
    kept = await scene.row(tables.conversation, id=opened.id)
    assert kept["contact_point_id"] == point_id
    with pytest.raises(Conflict) as told:
        await scene.database.transaction(dispatcher.open_conversation, nare, "sms", point_id)
    assert told.value.code == "address_removed"


async def test_who_writes_from_a_removed_address_is_somebody_new(scene: Scene) -> None:
    nare = await scene.agent()
    conversation_id = await scene.opened("Hello", sender="ani")
    row = await scene.row(tables.conversation, id=conversation_id)
    await scene.database.transaction(dispatcher.claim, nare, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, nare, conversation_id)
    view = await scene.database.transaction(contact_points.remove, row["customer_id"], row["contact_point_id"])
    assert view.contact_points == ()
    new = await scene.row(tables.conversation, id=await scene.opened("Who is this?", sender="ani"))
    assert new["customer_id"] != row["customer_id"]
    with pytest.raises(Conflict) as told:
        await scene.database.transaction(customers.add_contact_point, row["customer_id"], ContactKind.LOOPBACK, "ani")
    assert told.value.code == "contact_taken"


async def test_an_address_taken_off_by_mistake_comes_back_as_it_was(scene: Scene) -> None:
    customer_id, point_id = await add(scene, ContactKind.PHONE, "+37491000001")
    await say(scene, customer_id, point_id, "phone")
    await scene.database.transaction(contact_points.remove, customer_id, point_id)
    view = await scene.database.transaction(customers.add_contact_point, customer_id, ContactKind.PHONE, "+37491000001")
    assert [(point.id, len(point.consents)) for point in view.contact_points] == [(point_id, 1)]


async def test_one_address_of_a_kind_is_tried_first(scene: Scene) -> None:
    customer_id, first = await add(scene, ContactKind.PHONE, "+37491000001")
    for address in ("+37491000002", "+37491000003"):
        await scene.database.transaction(customers.add_contact_point, customer_id, ContactKind.PHONE, address)
    view = await scene.database.read(customers.load_customer, customer_id)
    assert [point.is_main for point in view.contact_points] == [True, False, False]
    ids = [point.id for point in view.contact_points]
    await asyncio.gather(
        *(scene.database.transaction(contact_points.change, customer_id, each, is_main=True) for each in ids[1:])
    )
    view = await scene.database.read(customers.load_customer, customer_id)
    assert [point.is_main for point in view.contact_points].count(True) == 1
    assert view.contact_points[0].is_main is False
    assert first == ids[0]


async def test_a_chat_visitor_is_no_address(scene: Scene) -> None:
    customer_id, point_id = await add(scene, ContactKind.CHAT, "visitor-1")
    with pytest.raises(Conflict) as told:
        await scene.database.transaction(contact_points.remove, customer_id, point_id)
    assert told.value.code == "not_removable"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("Telegram:@Ani_S", "telegram:ani_s"), (" x : ani.s ", "x:ani.s"), ("instagram:Անի", "instagram:անի")],
)
def test_a_handle_has_one_form(typed: str, kept: str) -> None:
    assert customers.parse_address(ContactKind.HANDLE, typed, None) == kept


@pytest.mark.parametrize("typed", ["ani", "icq:ani", "telegram:", "telegram:a b", "telegram:@", "x:" + "a" * 101])
def test_what_is_no_handle_is_told(typed: str) -> None:
    with pytest.raises(InvalidInput) as told:
        customers.parse_address(ContactKind.HANDLE, typed, None)
    assert told.value.fields.keys() == {"address"}


async def test_a_supervisor_needs_no_queue_to_write_first(scene: Scene) -> None:
    sue = await scene.agent("Sue", role=Role.SUPERVISOR, queue_ids=set())
    await scene.channel("sms", "sms")
    _, point_id = await add(scene, ContactKind.PHONE, "+37491000001")
    view = await scene.database.transaction(dispatcher.open_conversation, sue, "sms", point_id)
    assert (view.assignee_id, view.queue_id) == (sue.user_id, scene.queue_id)
