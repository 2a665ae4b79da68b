"""What belongs to a conversation, and where it goes when two turn out to be one matter, or a part of one another.

    entry                          goes over; it says itself by which conversation it came (`origin_id`, conversations.HOME)
    mail, outbox, call             go where their entry goes
    task, alert, planned_message   go over at a merge, and are written down; stay at a split
    draft                          words go over at a merge, below those that are there; stay at a split

A table that names a conversation stands in one of the lists here: a test walks through all of them and fails at one that is
forgotten. The caller holds ROUTING, MAIL and the conversations' locks; nobody is told here, but of what has an event of its
own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, Table, func, select, update

from hub.agents import alerts
from hub.domain.values import AuthorKind, ChannelKind, Direction, EntryKind
from hub.domain.views import ConversationView
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, task_rows
from hub.writing import drafts, planned

_c, _e, _t = tables.conversation.c, tables.entry.c, tables.task.c

# Tables whose rows are of one entry, and stand where it does.
WITH_ENTRY: tuple[Table, ...] = (tables.mail, tables.outbox, tables.call)
# Tables whose rows go over at a merge, and at a split stay.
AT_MERGE: Mapping[str, str] = {
    "task.conversation_id": "what is to be done is to be done there",
    "alert.conversation_id": "what somebody has to look at is there",
    "planned_message.conversation_id": "goes out there; stopped, where it would go another way",
    "draft.conversation_id": "is written on there",
}
# Columns that name a conversation or a line and are not moved, and why.
STAYS: Mapping[str, str] = {
    "offer.conversation_id": "who was asked to take it then; a live one ends with the merge",
    "assignment.conversation_id": "who had it then; a live one ends with the merge",
    "wait_estimate.conversation_id": "what was foretold then; a live one ends as the work no longer waits",
    "callback.conversation_id": "a live one forbids the merge: whom nobody calls is lost",
    "escalation_segment.conversation_id": "its clocks end as it is no work any more; the other's go on",
    "escalation_run.conversation_id": "its clocks' runs",
    "escalation_fired.conversation_id": "its clocks' steps",
    "survey.conversation_id": "asks about that one's resolution; nobody is asked now, an answer goes where the lines are",
    "data_request.conversation_id": "where it was asked",
    "conversation.merged_into": "says where the lines are; kept by timeline.joining",
    "conversation.split_from": "says what it was taken out of",
    "conversation_merge.from_id": "the merge itself",
    "conversation_merge.into_id": "the merge itself",
    # No foreign keys: facts say what was. No figure is counted anew because of a merge (docs/kpi.md).
    "fact_segment.conversation_id": "facts say what was",
    "fact_response.conversation_id": "facts say what was",
    "fact_resolution.conversation_id": "facts say what was",
    "fact_call.conversation_id": "facts say what was",
    "fact_call_segment.conversation_id": "facts say what was",
    "fact_call_missed.conversation_id": "facts say what was",
    "fact_contact.conversation_id": "facts say what was",
    "fact_queue_visit.conversation_id": "facts say what was",
    "fact_offer.conversation_id": "facts say what was",
    "fact_survey_sent.conversation_id": "facts say what was",
    "fact_survey.conversation_id": "facts say what was",
    "fact_customer_parted.conversation_ids": "facts say what was",
}


class Moved(TypedDict):
    """What a merge has moved, as its row keeps it."""

    # Table → ids, of tables whose rows do not say themselves where they came from.
    own: dict[str, list[int]]
    # Who had begun to write in the one, and nothing in the other.
    drafts: list[int]
    # Conversations that had been merged into the one that went.
    followers: list[int]


def move_all(tx: Tx, before: ConversationView, into: ConversationView) -> Moved:
    """All that is in one conversation is in another."""
    followers = [row.id for row in tx.rows(select(_c.id).where(_c.merged_into == before.id).order_by(_c.id))]
    _move_entries(tx, _e.conversation_id == before.id, into.id, origin=func.coalesce(_e.origin_id, before.id))
    tx.execute(
        update(tables.conversation).where(_c.id.in_(followers)).values(merged_into=into.id, version=_c.version + 1)
    )
    begun = drafts.load_begun(tx, into.id)
    are_mails = before.channel_kind is into.channel_kind is ChannelKind.EMAIL
    own = {
        "task": _move_tasks(tx, _t.conversation_id == before.id, into.id),
        "alert": alerts.move(tx, before.id, into.id),
        "planned_message": planned.move(tx, before.id, into.id, is_same_way=_goes_same_way(before, into)),
    }
    movers = drafts.move(tx, before.id, into.id, are_mails=are_mails)
    return {"own": own, "drafts": [each for each in movers if each not in begun], "followers": followers}


def give_back(tx: Tx, view: ConversationView, into: ConversationView, moved: Moved) -> None:
    """What had been moved, and whatever has come by that conversation since, is in it again."""
    came_by = _e.origin_id.in_([view.id, *moved["followers"]])
    origin = func.nullif(_e.origin_id, view.id)
    _move_entries(tx, (_e.conversation_id == into.id) & came_by, view.id, origin=origin)
    followers = (_c.id.in_(moved["followers"]), _c.merged_into == into.id)
    tx.execute(update(tables.conversation).where(*followers).values(merged_into=view.id, version=_c.version + 1))
    own = moved["own"]
    _move_tasks(tx, (_t.conversation_id == into.id) & _t.id.in_(own["task"]), view.id)
    planned.move_back(tx, own["planned_message"], into.id, view.id)
    alerts.move(tx, into.id, view.id, own["alert"])
    are_mails = view.channel_kind is into.channel_kind is ChannelKind.EMAIL
    drafts.move(tx, into.id, view.id, moved["drafts"], are_mails=are_mails)


def move_entries(tx: Tx, entry_ids: Collection[int], into_id: int) -> None:
    """These lines are another conversation's, by whose channel and address they came."""
    _move_entries(tx, _e.id.in_(entry_ids), into_id, origin=None)


def _move_entries(tx: Tx, which: ColumnElement[bool], into_id: int, *, origin: Any) -> None:
    """With a new version each: a screen that holds them elsewhere must take them as changed."""
    ids = [row.id for row in tx.rows(select(_e.id).where(which))]
    values: dict[str, Any] = {"conversation_id": into_id, "origin_id": origin, "version": _e.version + 1}
    for some in _steps(ids):
        tx.execute(update(tables.entry).where(_e.id.in_(some)).values(**values))
        for table in WITH_ENTRY:
            more = {"version": table.c.version + 1} if "version" in table.c else {}
            tx.execute(update(table).where(table.c.entry_id.in_(some)).values(conversation_id=into_id, **more))


# Both databases take so many values in one statement.
_STEP = 5_000


def _steps(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + _STEP] for start in range(0, len(ids), _STEP)]


def _move_tasks(tx: Tx, which: ColumnElement[bool], into_id: int) -> list[int]:
    ids = [row.id for row in tx.rows(select(_t.id).where(which).order_by(_t.id))]
    for task_id in ids:
        task_rows.change(tx, task_rows.load_task(tx, task_id), conversation_id=into_id)
    return ids


def _goes_same_way(view: ConversationView, into: ConversationView) -> bool:
    return (view.channel_id, view.contact_point_id) == (into.channel_id, into.contact_point_id)


# --- what a conversation's row says of its lines --------------------------------------------------------------------------

_IS_MESSAGE = _e.kind == EntryKind.MESSAGE.value
_CUSTOMERS = _IS_MESSAGE & (_e.direction == Direction.IN.value)


def shown(tx: Tx, conversation_id: int) -> dict[str, Any]:
    """The newest message that somebody wrote, as the row shows it."""
    written = (_e.conversation_id == conversation_id, _IS_MESSAGE, _e.author_kind != AuthorKind.SYSTEM.value)
    row = tx.first(select(_e.text, _e.direction).where(*written).order_by(_e.at.desc(), _e.id.desc()).limit(1))
    if row is None:
        return {"preview": "", "preview_direction": Direction.IN.value}
    return {"preview": row.text[: conversations.PREVIEW_LENGTH], "preview_direction": row.direction}


def oldest_asked(tx: Tx, *conditions: Any) -> Any:
    """When the oldest of the customer's messages came in for which all of `conditions` on `entry` hold; None: none does."""
    return tx.scalar(select(func.min(_e.at)).where(_CUSTOMERS, *conditions))
