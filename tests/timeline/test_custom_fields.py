"""Custom fields: defined, filled in by several people at once, needed for a resolution, never lost while in use."""

from __future__ import annotations

from typing import Any

import pytest

from hub.domain.fields import FieldKind, FieldOption, Subject
from hub.domain.states import ConversationStatus
from hub.domain.values import Role
from hub.domain.views import CustomFieldView
from hub.errors import Conflict, Forbidden, InvalidInput
from hub.routing import dispatcher
from hub.store import tables
from hub.timeline import cards, custom_fields, customers
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

GOLD, SILVER = FieldOption("gold", "Gold"), FieldOption("silver", "Silver")


async def define(scene: Scene, key: str, kind: FieldKind = FieldKind.TEXT, **values: Any) -> CustomFieldView:
    given = {"subject": Subject.CUSTOMER, "name": key.title(), **values}
    return await scene.database.transaction(custom_fields.create_field, None, key=key, kind=kind, **given)


async def change(scene: Scene, field: CustomFieldView, **values: Any) -> CustomFieldView:
    return await scene.database.transaction(custom_fields.update_field, None, field.id, **values)


async def card(scene: Scene) -> int:
    return (await scene.database.transaction(customers.create_customer, "Ani", None)).id


async def fill_in(scene: Scene, viewer: Any, customer_id: int, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    view = await scene.database.transaction(cards.change_card, viewer, customer_id, {}, fields=fields, **more)
    return view.fields


async def test_a_field_lives_from_its_definition_to_its_removal(scene: Scene) -> None:
    nare, customer_id = await scene.agent(), await card(scene)
    field = await define(scene, "level", FieldKind.CHOICE, options=(GOLD, SILVER), section="Club")
    assert await fill_in(scene, nare, customer_id, {"level": "gold"}) == {"level": "gold"}
    for refused in ({"kind": FieldKind.TEXT}, {"options": (SILVER,)}):
        with pytest.raises(Conflict) as told:
            await change(scene, field, **refused)
        assert (told.value.code, set(told.value.fields)) == ("in_use", set(refused))
    with pytest.raises(Conflict):
        await scene.database.transaction(custom_fields.remove_field, None, field.id)
    # An option nobody chose goes; one that is switched off, and a whole field, stay where they are chosen.
    field = await change(scene, field, options=(FieldOption("gold", "Gold card", active=False),))
    field = await change(scene, field, active=False)
    assert await fill_in(scene, nare, customer_id, {"level": "gold"}) == {"level": "gold"}
    with pytest.raises(InvalidInput):
        await fill_in(scene, nare, await card(scene), {"level": "gold"})
    assert await fill_in(scene, nare, customer_id, {"level": None}) == {}
    assert (await scene.row(tables.customer, id=customer_id))["fields"] is None
    await change(scene, field, kind=FieldKind.NUMBER)
    await scene.database.transaction(custom_fields.remove_field, None, field.id)
    kinds = [event.kind for event in await scene.events()]
    assert (kinds.count("custom_field.changed"), kinds.count("custom_field.removed")) == (4, 1)
    assert [row["action"] for row in await scene.rows(tables.audit)] == [
        "custom_field.created",
        "custom_field.changed",
        "custom_field.changed",
        "custom_field.changed",
        "custom_field.removed",
    ]


async def test_every_wrong_value_is_named_and_none_is_kept(scene: Scene) -> None:
    nare, customer_id = await scene.agent(), await card(scene)
    await define(scene, "size", FieldKind.NUMBER)
    await define(scene, "site", FieldKind.LINK)
    with pytest.raises(InvalidInput) as told:
        await fill_in(scene, nare, customer_id, {"size": "large", "site": "ftp://x", "colour": "red"})
    assert told.value.fields.keys() == {"fields.size", "fields.site", "fields.colour"}
    assert await fill_in(scene, nare, customer_id, {"size": 4.5}) == {"size": 4.5}


async def test_a_field_for_supervisors_is_not_an_agents_to_write(scene: Scene) -> None:
    nare, sue = await scene.agent(), await scene.agent(role=Role.SUPERVISOR)
    customer_id = await card(scene)
    await define(scene, "limit", FieldKind.NUMBER, editable_by=Role.SUPERVISOR)
    with pytest.raises(Forbidden) as told:
        await fill_in(scene, nare, customer_id, {"limit": 5})
    assert told.value.fields.keys() == {"fields.limit"}
    await fill_in(scene, sue, customer_id, {"limit": 5})
    # Whoever sends the whole card back unchanged is not refused.
    assert await fill_in(scene, nare, customer_id, {"limit": 5}) == {"limit": 5}


async def test_two_people_fill_in_different_fields_and_both_stay(scene: Scene) -> None:
    nare, sue, customer_id = await scene.agent(), await scene.agent(), await card(scene)
    await define(scene, "a")
    await define(scene, "b")
    await fill_in(scene, nare, customer_id, {"a": "1"}, seen_fields={"a": None})
    assert await fill_in(scene, sue, customer_id, {"b": "2"}, seen_fields={"b": None}) == {"a": "1", "b": "2"}
    with pytest.raises(Conflict) as told:
        await fill_in(scene, sue, customer_id, {"a": "3"}, seen_fields={"a": None})
    assert (told.value.code, told.value.fields) == ("field_conflict", {"fields.a": "says by now: 1"})


async def test_a_conversation_is_not_resolved_before_what_it_needs_is_there(scene: Scene) -> None:
    nare = await scene.agent()
    of = {"subject": Subject.CONVERSATION, "required": True}
    field = await define(scene, "cause", FieldKind.CHOICE, options=(GOLD,), **of)
    conversation_id = await scene.opened("Hello")
    await scene.database.transaction(dispatcher.claim, nare, conversation_id, None)
    with pytest.raises(Conflict) as told:
        await scene.database.transaction(dispatcher.resolve, nare, conversation_id)
    assert (told.value.code, set(told.value.fields)) == ("fields_missing", {"fields.cause"})
    view = await scene.database.transaction(
        custom_fields.change_conversation, nare, conversation_id, {"cause": "gold"}, {"cause": None}
    )
    assert view.fields == {"cause": "gold"}
    resolved = await scene.database.transaction(dispatcher.resolve, nare, conversation_id)
    assert resolved.status is ConversationStatus.RESOLVED
    # What the customer writes next is the same conversation: its value stays.
    await scene.say("And one more thing")
    assert (await scene.row(tables.conversation, id=conversation_id))["fields"] == {"cause": "gold"}
    assert await scene.database.read(custom_fields.count_uses, field) == 1


async def test_a_field_that_is_switched_off_is_needed_no_more(scene: Scene) -> None:
    nare = await scene.agent()
    field = await define(scene, "cause", subject=Subject.CONVERSATION, required=True)
    conversation_id = await scene.opened("Hello")
    await scene.database.transaction(dispatcher.claim, nare, conversation_id, None)
    await change(scene, field, active=False)
    resolved = await scene.database.transaction(dispatcher.resolve, nare, conversation_id)
    assert resolved.status is ConversationStatus.RESOLVED


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"key": "Größe"}, "key"),
        ({"key": "a" * 41}, "key"),
        ({"name": " \u200b "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"kind": FieldKind.CHOICE}, "options"),
        ({"kind": FieldKind.CHOICES, "options": (GOLD, FieldOption("g2", "GOLD"))}, "options"),
        ({"kind": FieldKind.CHOICES, "options": (GOLD, FieldOption("gold", "Other"))}, "options"),
        ({"required": True}, "required"),
    ],
)
async def test_a_faulty_definition_is_told(scene: Scene, given: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput) as told:
        await define(scene, **{"key": "size", "name": "Size", **given})
    assert told.value.fields.keys() == {named}


async def test_a_key_is_one_of_a_subject(scene: Scene) -> None:
    await define(scene, "size")
    await define(scene, "size", subject=Subject.CONVERSATION)
    with pytest.raises(Conflict) as told:
        await define(scene, "size")
    assert told.value.code == "key_taken"


async def test_fields_stand_in_the_order_they_are_given(scene: Scene) -> None:
    a, b, c = [await define(scene, key) for key in "abc"]
    other = await define(scene, "d", subject=Subject.CONVERSATION)
    kept = await scene.database.transaction(custom_fields.arrange, [c.id, a.id])
    assert [field.id for field in kept] == [c.id, a.id, b.id]
    with pytest.raises(InvalidInput):
        await scene.database.transaction(custom_fields.arrange, [a.id, other.id])
