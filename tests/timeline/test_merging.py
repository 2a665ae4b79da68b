"""Two records of one person: made one, and two again, exactly as before; whatever comes in between goes with its address."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from hub.agents.viewer import Viewer
from hub.domain.values import ContactKind
from hub.domain.views import MergeView
from hub.errors import Conflict, InvalidInput
from hub.kpi.facts import begin_rebuild
from hub.kpi.figures import Query, load_figures
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database, Tx
from hub.timeline import activities, belongings, cards, customers, merging, tasks
from tests.kpi.random_facts import project_all
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

# Nothing of a customer's is compared that is bound to change: versions, and what tells of the merge itself.
COMPARED = (
    tables.customer,
    tables.contact_point,
    tables.conversation,
    tables.entry,
    tables.activity,
    tables.task,
    tables.outbox,
    tables.assignment,
    tables.offer,
)


async def photograph(database: Database) -> dict[str, list[Mapping[str, Any]]]:
    def load(tx: Tx) -> dict[str, list[Mapping[str, Any]]]:
        found: dict[str, list[Mapping[str, Any]]] = {}
        for table in COMPARED:
            columns = [column for column in table.c if column.name != "version"]
            rows = tx.rows(select(*columns).order_by(*table.primary_key))
            found[table.name] = [dict(row._mapping) for row in rows]
        return found

    return await database.read(load)


@pytest.fixture
async def agent(scene: Scene) -> Viewer:
    return await scene.agent("Anna")


async def customer_of(scene: Scene, conversation_id: int) -> int:
    return int((await scene.row(tables.conversation, id=conversation_id))["customer_id"])


async def merge(scene: Scene, agent: Viewer, into: int, other: int, **choices: str) -> MergeView:
    told, _ = await scene.database.transaction(merging.merge, agent, into, other, choices=choices)  # type: ignore[arg-type]
    return told


async def undo(scene: Scene, agent: Viewer, merge_id: int) -> merging.Undone:
    return await scene.database.transaction(merging.undo, agent, merge_id)


def test_every_table_that_names_a_customer_is_moved_or_says_why_not() -> None:
    """A new one joins a list in timeline.belongings."""
    naming = {
        f"{table.name}.{column.name}"
        for table in tables.metadata.tables.values()
        for column in table.c
        if column.name == "customer_id" or any(key.target_fullname == "customer.id" for key in column.foreign_keys)
    }
    moved = {
        tables.contact_point,
        tables.conversation,
        *belongings.WITH_CONVERSATION,
        *(own.table for own in belongings.OWN),
    }
    known = {f"{table.name}.customer_id" for table in moved} | belongings.STAYS.keys()
    assert naming - known == set(), "neither moved nor named with a reason"
    assert {name for name in known - naming if "into_id" not in name} == set(), "no longer there"


async def test_two_become_one_and_two_again_row_by_row(scene: Scene, agent: Viewer, clock: FrozenClock) -> None:
    ours = await customer_of(scene, await scene.opened("Where is it?", sender="ani"))
    open_one = await scene.opened("Hello?", sender="ani-at-work")
    theirs = await customer_of(scene, open_one)
    await scene.database.transaction(dispatcher.claim, agent, open_one, None)
    await scene.set(tables.customer, {"name": "Ani Sargsyan", "note": "Rings at nine", "language": "hy"}, id=theirs)
    more: dict[str, object] = {"tags": ["vip"], "fields": {"plan": "gold"}, "town": "Gyumri", "birthday": "--05-17"}
    await scene.set(tables.customer, more, id=theirs)
    await scene.set(tables.customer, {"tags": ["late"], "fields": {"plan": "iron", "seats": 3}}, id=ours)
    await scene.set(tables.contact_point, {"verified": False, "is_main": True}, customer_id=theirs)
    await scene.set(tables.contact_point, {"is_main": True}, customer_id=ours)
    due = clock() + timedelta(days=1)
    wish = tasks.Wish(kind="follow_up", title="Ring them", note="", due_at=due)
    await scene.database.transaction(tasks.create_task, agent, wish, customer_id=theirs)
    await scene.database.transaction(tasks.create_task, agent, wish, conversation_id=open_one)
    await scene.database.transaction(activities.tell, theirs, order("1"))
    before = await photograph(scene.database)
    clock.advance(60)
    told = await merge(scene, agent, ours, theirs)
    card = await scene.database.read(customers.load_customer, theirs)
    assert (card.id, card.name, card.note, card.language) == (ours, "Ani Sargsyan", "Rings at nine", "hy")
    assert [(point.address, point.is_main) for point in card.contact_points] == [("ani", True), ("ani-at-work", False)]
    assert (card.tags, card.fields) == (("late", "vip"), {"plan": "iron", "seats": 3})
    assert (card.town, card.birthday) == ("Gyumri", "--05-17")
    assert {row["customer_id"] for row in await scene.rows(tables.task)} == {ours}
    assert {row["customer_id"] for row in await scene.rows(tables.entry)} == {ours}
    assert [row["customer_id"] for row in await scene.rows(tables.activity)] == [ours]
    clock.advance(60)
    done = await undo(scene, agent, told.id)
    assert (done.customer.id, done.other.id, done.kept) == (ours, theirs, ())
    noted = [(row["action"], row["actor_name"], row["subject_id"]) for row in await scene.rows(tables.audit)]
    assert noted == [("customer.merged", "Anna", str(ours)), ("customer.unmerged", "Anna", str(ours))]
    assert await photograph(scene.database) == before


def order(number: str, **values: Any) -> activities.Told:
    told = {"kind": "order", "title": f"Order {number}", "text": "", "amount": "12500", "currency": "AMD", "url": None}
    return activities.Told(source="shop", external_id=number, at=None, **{**told, **values})


async def test_what_came_since_goes_with_its_address(scene: Scene, agent: Viewer, clock: FrozenClock) -> None:
    ours = await customer_of(scene, await scene.opened(sender="ani"))
    theirs = await customer_of(scene, await scene.opened(sender="ani-at-work"))
    told = await merge(scene, agent, ours, theirs)
    for row in await scene.rows(tables.conversation):
        await scene.database.transaction(dispatcher.resolve, agent, row["id"])
    clock.advance(4 * 86_400)
    for sender in ("ani", "ani-at-work"):
        await scene.opened("Something new", sender=sender)
    await scene.database.transaction(activities.tell, theirs, order("told of the other"))
    await scene.database.transaction(activities.tell, ours, order("told of ours"))
    (point,) = [row for row in await scene.rows(tables.contact_point) if row["address"] == "ani-at-work"]
    await scene.database.transaction(
        lambda tx: activities.tell(tx, ours, order("by address"), contact_point_id=point["id"])
    )
    await undo(scene, agent, told.id)
    whose = {row["address"]: row["customer_id"] for row in await scene.rows(tables.contact_point)}
    assert whose == {"ani": ours, "ani-at-work": theirs}
    by_point = {row["id"]: row["customer_id"] for row in await scene.rows(tables.contact_point)}
    talks = await scene.rows(tables.conversation)
    assert len(talks) == 4
    assert all(row["customer_id"] == by_point[row["contact_point_id"]] for row in talks)
    of = {row["id"]: row["customer_id"] for row in talks}
    assert all(row["customer_id"] == of[row["conversation_id"]] for row in await scene.rows(tables.entry))
    orders = {row["external_id"]: row["customer_id"] for row in await scene.rows(tables.activity)}
    assert orders == {"told of the other": theirs, "told of ours": ours, "by address": theirs}


async def test_a_field_is_taken_back_only_if_nobody_has_changed_it(scene: Scene, agent: Viewer) -> None:
    ours, theirs = [await customer_of(scene, await scene.opened(sender=sender)) for sender in ("ani", "ani-at-work")]
    await scene.set(tables.customer, {"name": "Ani", "note": "Mornings", "language": "hy", "tier": 2}, id=theirs)
    await scene.set(tables.customer, {"note": "Evenings"}, id=ours)
    told = await merge(scene, agent, ours, theirs)
    card = await scene.database.read(customers.load_customer, ours)
    assert (card.name, card.note, card.language, card.tier) == ("Ani", "Evenings\n\nMornings", "hy", 2)
    await scene.database.transaction(cards.change_card, agent, ours, {"name": "Ani S."})
    done = await undo(scene, agent, told.id)
    assert done.kept == ("name",)
    assert (done.customer.name, done.customer.note, done.customer.language) == ("Ani S.", "Evenings", None)
    assert (done.customer.tier, done.other.name, done.other.tier) == (0, "Ani", 2)


async def test_each_field_says_what_was_chosen(scene: Scene, agent: Viewer) -> None:
    ours, theirs = [await customer_of(scene, await scene.opened(sender=sender)) for sender in ("ani", "ani-at-work")]
    await scene.set(tables.customer, {"name": "Ani", "note": "Mornings", "language": "hy"}, id=theirs)
    await scene.set(tables.customer, {"name": "Anahit", "note": "Evenings", "language": "en"}, id=ours)
    told = await scene.database.read(merging.preview, agent, ours, theirs)
    assert [(field.name, field.choices, field.proposed) for field in told.fields] == [
        ("name", ("ours", "theirs"), "ours"),
        ("language", ("ours", "theirs"), "ours"),
        ("note", ("ours", "theirs", "both"), "both"),
    ]
    await merge(scene, agent, ours, theirs, name="theirs", note="ours")
    card = await scene.database.read(customers.load_customer, ours)
    assert (card.name, card.note, card.language) == ("Ani", "Evenings", "en")


async def test_a_chain_is_undone_from_its_end(scene: Scene, agent: Viewer) -> None:
    ids = [await customer_of(scene, await scene.opened(sender=sender)) for sender in ("a", "b", "c")]
    a, b, c = ids
    before = await photograph(scene.database)
    first = await merge(scene, agent, b, a)
    middle = await photograph(scene.database)
    second = await merge(scene, agent, c, b)
    assert {row["customer_id"] for row in await scene.rows(tables.conversation)} == {c}
    with pytest.raises(Conflict, match=r"was merged into .* since; undo that first"):
        await undo(scene, agent, first.id)
    await undo(scene, agent, second.id)
    assert await photograph(scene.database) == middle
    await undo(scene, agent, first.id)
    await undo(scene, agent, first.id)
    assert await photograph(scene.database) == before


@pytest.mark.parametrize("first", [0, 1])
async def test_of_two_merges_either_may_be_undone_first(scene: Scene, agent: Viewer, first: int) -> None:
    a, b, c = [await customer_of(scene, await scene.opened(sender=sender)) for sender in ("a", "b", "c")]
    for customer_id, name in ((a, "Ani"), (b, "Besik")):
        await scene.set(tables.customer, {"name": name, "language": name[:2].lower()}, id=customer_id)
    before = await photograph(scene.database)
    merges = [await merge(scene, agent, c, a), await merge(scene, agent, c, b, name="theirs", language="theirs")]
    await undo(scene, agent, merges[first].id)
    card = await scene.database.read(customers.load_customer, c)
    assert card.name == ("Besik", "Ani")[first]
    await undo(scene, agent, merges[1 - first].id)
    assert await photograph(scene.database) == before


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_merged_and_undone_in_whatever_order_all_is_as_before(
    scene: Scene, agent: Viewer, clock: FrozenClock, seed: int
) -> None:
    draw = random.Random(seed)
    ids = []
    for number in range(5):
        ids.append(await customer_of(scene, await scene.opened(sender=f"s{number}")))
        values: dict[str, object] = {
            "name": f"N{number}",
            "language": draw.choice([None, "hy", "ka"]),
            "note": draw.choice(["", f"n{number}"]),
        }
        await scene.set(tables.customer, values, id=ids[-1])
        await scene.database.transaction(activities.tell, ids[-1], order(str(number)))
    before = await photograph(scene.database)
    live: list[int] = []
    for _ in range(14):
        clock.advance(1)
        if live and draw.random() < 0.5:
            await try_to_undo(scene, agent, draw.choice(live), live)
            continue
        into, other = draw.sample(ids, 2)
        fields = {"name": draw.choice(["ours", "theirs"])}
        with suppress(InvalidInput):  # they are one already
            live.append((await merge(scene, agent, into, other, **fields)).id)
    while live:
        await try_to_undo(scene, agent, draw.choice(live), live)
    assert await photograph(scene.database) == before


async def try_to_undo(scene: Scene, agent: Viewer, merge_id: int, live: list[int]) -> None:
    with suppress(Conflict):  # merged on since: that first
        await undo(scene, agent, merge_id)
        live.remove(merge_id)


async def test_a_visitor_who_was_joined_by_mistake_is_parted(scene: Scene, agent: Viewer) -> None:
    await scene.channel("chat", "chat")
    await scene.channel("sms", "sms")
    text = await scene.opened(channel_id="sms", sender="+37491000001", kind=ContactKind.PHONE)
    chat = await scene.opened(channel_id="chat", sender="visitor", kind=ContactKind.CHAT)
    visitor = await customer_of(scene, chat)
    point = (await scene.row(tables.conversation, id=chat))["contact_point_id"]
    said = [(ContactKind.PHONE, "+37491000001")]
    await scene.database.transaction(lambda tx: customers.identify(tx, point, name=None, claims=said))
    owner = await customer_of(scene, text)
    assert (await customer_of(scene, chat), (await scene.row(tables.contact_point, id=point))["verified"]) == (
        owner,
        False,
    )
    (told,) = await scene.database.read(merging.load_merges, agent, owner)
    assert (told.reason, told.by_id, told.from_id) == ("claim", None, visitor)
    await undo(scene, agent, told.id)
    assert (await customer_of(scene, chat), (await scene.row(tables.contact_point, id=point))["verified"]) == (
        visitor,
        True,
    )


# --- at once ------------------------------------------------------------------------------------------------------------


async def test_the_audit_log_calls_nobody_by_their_address(scene: Scene, agent: Viewer) -> None:
    ours, theirs = [await customer_of(scene, await scene.opened(sender=sender)) for sender in ("+37491", "+37492")]
    done = await merge(scene, agent, ours, theirs)
    await undo(scene, agent, done.id)
    told = [(row["data"]["name"], row["data"]["other"]) for row in await scene.rows(tables.audit)]
    assert told == [(f"#{ours}", f"#{theirs}")] * 2


async def test_of_two_merges_of_one_customer_at_once_one_is_told(scene: Scene, agent: Viewer) -> None:
    a, b, c = [await customer_of(scene, await scene.opened(sender=sender)) for sender in ("a", "b", "c")]
    done = await asyncio.gather(
        merge(scene, agent, b, a), merge(scene, agent, c, a), merge(scene, agent, a, b), return_exceptions=True
    )
    assert all(isinstance(one, MergeView | Conflict | InvalidInput) for one in done), done
    points = {row["id"]: row["customer_id"] for row in await scene.rows(tables.contact_point)}
    dead = {row["id"] for row in await scene.rows(tables.customer) if row["merged_into"] is not None}
    assert dead.isdisjoint(points.values())
    assert all(row["customer_id"] == points[row["contact_point_id"]] for row in await scene.rows(tables.conversation))


@pytest.mark.parametrize("turn", range(6))
async def test_what_arrives_at_the_very_moment_of_a_merge_stands_on_no_emptied_record(
    scene: Scene, agent: Viewer, turn: int
) -> None:
    ours = await customer_of(scene, await scene.opened(sender="ani"))
    await scene.channel("second", "loopback")
    theirs = await customer_of(scene, await scene.opened(sender="ani-at-work"))

    async def write() -> None:
        await asyncio.sleep(turn / 1_000)
        await scene.say("At this moment", sender="ani-at-work", channel_id="second")
        await scene.say("And again", sender="ani-at-work")

    await asyncio.gather(merge(scene, agent, ours, theirs), write())
    assert {row["customer_id"] for row in await scene.rows(tables.conversation)} == {ours}
    assert {row["customer_id"] for row in await scene.rows(tables.entry)} == {ours}


# --- figures ------------------------------------------------------------------------------------------------------------


async def load_fcr(database: Database, clock: FrozenClock) -> float | None:
    await project_all(database)
    first = clock().date().replace(day=1)
    report = await database.read(load_figures, Query(("fcr",), first, clock().date()), clock())
    return report.rows[0].figures["fcr"].value


async def test_figures_of_customers_follow_both_ways_and_rebuilding_changes_nothing(
    scene: Scene, agent: Viewer, clock: FrozenClock
) -> None:
    text = await scene.opened("Broken", sender="ani")
    ours = await customer_of(scene, text)
    await scene.database.transaction(dispatcher.claim, agent, text, None)
    clock.advance(60)
    await scene.database.transaction(dispatcher.resolve, agent, text)
    clock.advance(60)
    other = await scene.opened("Broken again", sender="ani-at-work")
    theirs = await customer_of(scene, other)
    assert await load_fcr(scene.database, clock) == 1
    told = await merge(scene, agent, ours, theirs)
    assert await load_fcr(scene.database, clock) == 0, "they came again"
    # What begins while they are one is called ours, and is theirs.
    await scene.database.transaction(dispatcher.resolve, agent, other)
    clock.advance(4 * 86_400)
    await scene.opened("And once more", sender="ani-at-work")
    assert await load_fcr(scene.database, clock) == 0
    clock.advance(60)
    await undo(scene, agent, told.id)
    # Theirs alone came again, after the resolution of theirs.
    assert await load_fcr(scene.database, clock) == 1 / 2
    cells = await kept_cells(scene.database)
    await scene.database.transaction(begin_rebuild)
    assert await load_fcr(scene.database, clock) == 1 / 2
    assert await kept_cells(scene.database) == cells
    # The same again, under the same name.
    await merge(scene, agent, ours, theirs)
    assert await load_fcr(scene.database, clock) == 0


async def kept_cells(database: Database) -> list[tuple[Any, ...]]:
    def load(tx: Tx) -> list[tuple[Any, ...]]:
        cells = tx.rows(select(tables.kpi_cell).order_by(*tables.kpi_cell.primary_key))
        return [tuple(row) for row in cells if any(row[4:])]

    return await database.read(load)


async def test_a_card_that_was_filled_with_the_same_twice_gives_both_back(scene: Scene, agent: Viewer) -> None:
    """Nothing may be taken back twice: of two that said the same the second has filled nothing."""
    a, b, c = [await customer_of(scene, await scene.opened(sender=sender)) for sender in ("a", "b", "c")]
    for customer_id in (a, b):
        await scene.set(tables.customer, {"language": "hy"}, id=customer_id)
    merges = [await merge(scene, agent, c, a), await merge(scene, agent, c, b)]
    await undo(scene, agent, merges[0].id)
    assert (await scene.row(tables.customer, id=c))["language"] is None
    await undo(scene, agent, merges[1].id)
    assert (await scene.row(tables.customer, id=c))["language"] is None


async def test_a_row_is_moved_though_its_screen_is_open(scene: Scene, agent: Viewer) -> None:
    ours, theirs = [await customer_of(scene, await scene.opened(sender=sender)) for sender in ("a", "b")]

    def look(tx: Tx) -> None:
        row = {"id": "look", "user_id": agent.user_id, "process": "p", "opened_at": tx.now, "seen_at": tx.now}
        tx.execute(insert(tables.connection).values(customer_id=theirs, **row))

    await scene.database.transaction(look)
    told = await merge(scene, agent, ours, theirs)
    await undo(scene, agent, told.id)
    assert (await scene.row(tables.connection, id="look"))["customer_id"] == ours
