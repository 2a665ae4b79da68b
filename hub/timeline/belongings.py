"""What belongs to a customer, and how it changes hands when two records turn out to be one person, or two after all.

    contact_point                  each goes over by itself, and is written down
    conversation                   goes where its contact point is
    consent, attachment            go with their contact point, which they name instead
    entry, call, survey, task      go where their conversation is
    task without a conversation    goes over by itself, and is written down
    activity                       goes over by itself; it says whom it was told of

So what comes later belongs to whoever has its contact point, without anybody's remembering it. A table that names a customer
stands in one of the lists here: a test walks through all of them and fails at one that is forgotten.

Whoever begins a conversation holds the contact point's key until the commit (the foreign key sees to it), and whoever moves
contact points takes their rows first: nothing can be begun meanwhile for somebody who no longer has it. What was begun for
the former owner a moment before is seen and moved; what is begun a moment later finds the new one (`load_owner`,
`follow_points`).

Tells nobody: that is timeline.merging.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, Table, select, update

from hub.errors import Conflict
from hub.store import tables
from hub.store.database import Tx

_cu, _cp, _c = tables.customer.c, tables.contact_point.c, tables.conversation.c

# Tables whose rows go where their conversation is; those whose screens hold them get a version with it.
WITH_CONVERSATION: tuple[Table, ...] = (tables.entry, tables.call, tables.survey, tables.task)


# Of a table's rows, those that are the customer's again: (their id, records emptied into theirs, contact points).
Theirs = Callable[[int, Collection[int], Collection[int]], ColumnElement[bool]]


def _activities(customer_id: int, followers: Collection[int], points: Collection[int]) -> ColumnElement[bool]:
    a = tables.activity.c
    return a.given_id.in_({customer_id, *followers}) | a.contact_point_id.in_(points)


@dataclass(frozen=True, slots=True)
class Own:
    """Rows that are the customer's own. Where they do not say themselves whose they are (`theirs`), their ids are kept."""

    table: Table
    theirs: Theirs | None = None


# A task need not be about a conversation.
OWN: tuple[Own, ...] = (Own(tables.activity, _activities), Own(tables.task), Own(tables.customer_reference))

# Columns that name a customer and are not moved, and why.
STAYS: Mapping[str, str] = {
    "connection.customer_id": "the card on a screen: it follows the merge, and stays with the card that is looked at",
    "data_request.customer_id": "it was asked of that card; readers follow customer.merged_into",
    "search_customer.customer_id": "made from the card, which tells that it has changed",
    "customer.merged_into": "says where the emptied record points; kept here",
    "customer_merge.from_id": "the merge itself",
    "customer_merge.into_id": "the merge itself",
    # No foreign keys: who somebody turned out to be is a fact itself (fact.customer_joined, fact.customer_parted).
    "fact_segment.customer_id": "facts say what was; who is who is known beside them",
    "fact_response.customer_id": "facts say what was",
    "fact_resolution.customer_id": "facts say what was",
    "fact_call.customer_id": "facts say what was",
    "fact_call_segment.customer_id": "facts say what was",
    "fact_call_missed.customer_id": "facts say what was",
    "fact_contact.customer_id": "facts say what was",
    "fact_queue_visit.customer_id": "facts say what was",
    "fact_offer.customer_id": "facts say what was",
    "fact_survey_sent.customer_id": "facts say what was",
    "fact_survey.customer_id": "facts say what was",
    "fact_customer_joined.customer_id": "says who is who",
    "fact_customer_joined.into_id": "says who is who",
    "fact_customer_parted.customer_id": "says who is who",
    "fact_customer_parted.into_id": "says who is who",
}


class Moved(TypedDict):
    """What a merge has moved, as its row keeps it."""

    # [id, whether it was proven, whether it was the first of its kind]
    points: list[tuple[int, bool, bool]]
    # Table → ids, of tables whose rows do not say themselves whose they are.
    own: dict[str, list[int]]
    # Records that had been emptied into the one that is emptied now.
    followers: list[int]


def lock_owners(tx: Tx, *customer_ids: int) -> dict[int, Any]:
    """The customers' rows by id, in the order of their ids, locked, and after them all that they can be reached by. The
    caller holds MAIL, where it comes to locks."""
    wanted = sorted(set(customer_ids))
    found = {
        row.id: row
        for row in tx.rows(select(tables.customer).where(_cu.id.in_(wanted)).order_by(_cu.id).with_for_update())
    }
    tx.rows(select(_cp.id).where(_cp.customer_id.in_(wanted)).order_by(_cp.id).with_for_update())
    return found


def move_all(tx: Tx, customer_id: int, into_id: int, *, is_proven: bool) -> tuple[Moved, list[int]]:
    """Everything of one customer becomes another's; what was moved, and the ids of the conversations. `is_proven`: else
    addresses that come along count as claimed. The caller has the owners locked."""
    whole = select(_cp.id, _cp.verified, _cp.is_main).where(_cp.customer_id == customer_id).order_by(_cp.id)
    points = [(row.id, row.verified, row.is_main) for row in tx.rows(whole)]
    moved: Moved = {
        "points": points,
        "own": {
            own.table.name: [
                row.id for row in tx.rows(select(own.table.c.id).where(own.table.c.customer_id == customer_id))
            ]
            for own in OWN
            if own.theirs is None
        },
        "followers": [row.id for row in tx.rows(select(_cu.id).where(_cu.merged_into == customer_id))],
    }
    # Which is tried first is said by the card that lives on; where it says nothing, by the other.
    mains = select(_cp.kind).where(_cp.customer_id == into_id, _cp.is_main)
    theirs = (_cp.customer_id == customer_id, _cp.is_main, _cp.kind.in_(mains))
    tx.execute(update(tables.contact_point).where(*theirs).values(is_main=False))
    values: dict[str, Any] = {"customer_id": into_id} | ({} if is_proven else {"verified": False, "is_main": False})
    tx.execute(update(tables.contact_point).where(_cp.customer_id == customer_id).values(**values))
    conversation_ids = _move_conversations(tx, _c.customer_id == customer_id, into_id)
    for own in OWN:
        _move_rows(tx, own.table, own.table.c.customer_id == customer_id, into_id)
    tx.execute(update(tables.customer).where(_cu.merged_into == customer_id).values(merged_into=into_id))
    connection = tables.connection
    tx.execute(update(connection).where(connection.c.customer_id == customer_id).values(customer_id=into_id))
    return moved, conversation_ids


def give_back(tx: Tx, customer_id: int, from_id: int, moved: Moved) -> list[int]:
    """What had been moved from a customer, and whatever has come to it since, is theirs again; the ids of the
    conversations. Contact points that somebody has taken away meanwhile stay where they are. The caller has the owners
    locked."""
    wanted = {point_id for point_id, _, _ in moved["points"]}
    found = select(_cp.id, _cp.removed_at).where(_cp.id.in_(wanted), _cp.customer_id == from_id).order_by(_cp.id)
    there = {row.id: row.removed_at is None for row in tx.rows(found)}
    points = list(there)
    proven = [point_id for point_id, was_proven, _ in moved["points"] if was_proven and point_id in there]
    mains = [point_id for point_id, _, was_main in moved["points"] if was_main and there.get(point_id)]
    tx.execute(update(tables.contact_point).where(_cp.id.in_(points)).values(customer_id=customer_id, is_main=False))
    # What has been proven since stays so.
    tx.execute(update(tables.contact_point).where(_cp.id.in_(proven)).values(verified=True))
    tx.execute(update(tables.contact_point).where(_cp.id.in_(mains)).values(is_main=True))
    conversation_ids = _move_conversations(
        tx, (_c.customer_id == from_id) & _c.contact_point_id.in_(points), customer_id
    )
    for own in OWN:
        c = own.table.c
        theirs: ColumnElement[bool] = c.id.in_(moved["own"].get(own.table.name, ()))
        if own.theirs is not None:
            theirs = own.theirs(customer_id, moved["followers"], points)
        _move_rows(tx, own.table, (c.customer_id == from_id) & theirs, customer_id)
    followers = (_cu.id.in_(moved["followers"]), _cu.merged_into == from_id)
    tx.execute(update(tables.customer).where(*followers).values(merged_into=customer_id))
    return conversation_ids


def _move_conversations(tx: Tx, which: ColumnElement[bool], into_id: int) -> list[int]:
    ids = [row.id for row in tx.rows(select(_c.id).where(which).order_by(_c.id))]
    tx.lock_conversations(ids)
    _move_rows(tx, tables.conversation, _c.id.in_(ids), into_id)
    for table in WITH_CONVERSATION:
        _move_rows(tx, table, table.c.conversation_id.in_(ids), into_id)
    return ids


def _move_rows(tx: Tx, table: Table, which: ColumnElement[bool], into_id: int) -> None:
    """With a new version each: a screen that holds them with their former owner must take them as changed."""
    values: dict[str, Any] = {"customer_id": into_id}
    if "version" in table.c:
        values["version"] = table.c.version + 1
    tx.execute(update(table).where(which).values(**values))


# --- for whoever begins something ---------------------------------------------------------------------------------------


def load_owner(tx: Tx, contact_point_id: int) -> int | None:
    """Whose it is, and stays until the commit. None if there is no such point."""
    found = select(_cp.customer_id).where(_cp.id == contact_point_id).with_for_update(key_share=True, read=True)
    customer_id: int | None = tx.scalar(found)
    return customer_id


def erased() -> Conflict:
    """What is said to whoever would write where nothing is to be written any more."""
    return Conflict("this customer was erased; nothing more can be written here", code="erased")


def hold_living(tx: Tx, customer_id: int) -> int:
    """Who this customer is, and stays until the commit; the id itself if there is no such customer. Conflict `erased`."""
    while True:
        found = (
            select(_cu.merged_into, _cu.erased_at)
            .where(_cu.id == customer_id)
            .with_for_update(key_share=True, read=True)
        )
        row = tx.first(found)
        if row is not None and row.erased_at is not None:
            raise erased()
        if row is None or row.merged_into is None:
            return customer_id
        customer_id = row.merged_into


def follow_points(tx: Tx, conversation_ids: Collection[int]) -> None:
    """Conversations that were begun for whoever had the contact point a moment ago are whoever's it is now."""
    owner = select(_cp.customer_id).where(_cp.id == _c.contact_point_id).scalar_subquery()
    tx.execute(update(tables.conversation).where(_c.id.in_(conversation_ids)).values(customer_id=owner))
