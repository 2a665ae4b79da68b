"""Several conversations of one customer made one by hand, and apart again: exactly what was before, and whatever came since
by whose address it came.

    find_targets  what a conversation could be merged into, and why not into the others
    merge         the others' lines are the target's, in their true order, each with its origin; the others are closed
    undo          gives back, in the reverse order of a chain: what was merged on since is parted from there first

Invariants:
  * The target keeps its number, queue and holder; nothing that a customer waits for is lost: the oldest unanswered message
    of all of them is the target's.
  * What was merged leads on (`conversation.merged_into`, never a chain): its mails' word, its address, its links.
  * A merge and its undoing leave every row as it was, but for versions and for lines that tell of it. What somebody has
    changed since stays; what came since by the other's address is the other's.
  * Nothing is counted anew: no contact is made or unmade, and closing the others is no resolution (docs/kpi.md).
  * Both are in the audit log.

Lock order: ROUTING → MAIL → conversations, in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.events import EntriesMoved
from hub.domain.sentences import Sentence
from hub.domain.states import ConversationStatus
from hub.domain.values import AuthorKind, ChannelKind, EntryKind, Happening
from hub.domain.views import Author, ConversationMergeView, ConversationView, MergeTargetView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing import dispatcher, engine, offers
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, parts
from hub.timeline.participants import MOST, read_ids, write_ids

_c, _e, _m = tables.conversation.c, tables.entry.c, tables.conversation_merge.c

# So many are merged in one unit of work, and so many are shown to choose from.
MOST_AT_ONCE = 20
_TARGETS = 100

# What is kept of the row of the one that goes: what closing it changes.
_KEPT = (
    *("status", "assignee_id", "queued_since", "unanswered_since", "resolved_at", "pinned_agent_id", "parked_until"),
    *("priority", "lowered"),
)
_INSTANTS = frozenset({"queued_since", "unanswered_since", "resolved_at", "parked_until"})

# In the words of whoever asked, by code.
_WORDS: Mapping[str, str] = {
    "merged": "it was merged into another already",
    "in_call": "a call goes on in it",
    "callback": "the customer is to be called back there; settle that first",
    "customer_waits": "the customer is in that chat now",
    "live_target": "what came by other channels cannot be answered there",
    "resolved_target": "what is open cannot be merged into what is resolved; do it the other way round, or open that one",
}


# --- what could be ------------------------------------------------------------------------------------------------------


def find_targets(tx: Tx, viewer: Viewer, conversation_id: int) -> list[MergeTargetView]:
    """Other conversations of the customer that the viewer may see, the newest first; what is a part of another is none."""
    view = conversations.access_conversation(tx, viewer, conversation_id)
    query = conversations.CONVERSATIONS.where(
        _c.customer_id == view.customer_id, _c.id != view.id, _c.merged_into.is_(None)
    )
    visible = conversations.visible_to(viewer.role, viewer.user_id, viewer.queue_ids)
    if visible is not None:
        query = query.where(visible)
    rows = tx.rows(query.order_by(_c.last_entry_at.desc(), _c.id.desc()).limit(_TARGETS))
    views = [conversations.conversation_view(row) for row in rows]
    said = (_e.conversation_id.in_([each.id for each in views]), _e.kind == EntryKind.MESSAGE.value)
    query = select(_e.conversation_id, func.count().label("messages")).where(*said).group_by(_e.conversation_id)
    counts = {row.conversation_id: row.messages for row in tx.rows(query)}
    return [
        MergeTargetView(
            conversation=each, messages=counts.get(each.id, 0), refused=_refused(view) or _refused_into(view, each)
        )
        for each in views
    ]


def _refused(view: ConversationView) -> str | None:
    """Why this one cannot become a part of any other now: a code of _WORDS."""
    if view.merged_into_id is not None:
        return "merged"
    if view.call_id is not None:
        return "in_call"
    if view.callback is not None:
        return "callback"
    is_open = view.status is ConversationStatus.OPEN
    return "customer_waits" if is_open and view.channel_kind is ChannelKind.CHAT else None


def _refused_into(view: ConversationView, into: ConversationView) -> str | None:
    """Why not of this other one."""
    if into.merged_into_id is not None:
        return "merged"
    if into.call_id is not None:
        return "in_call"
    if into.channel_kind in engine.LIVE_KINDS and into.channel_kind is not view.channel_kind:
        return "live_target"
    is_open = view.status is ConversationStatus.OPEN
    return "resolved_target" if is_open and into.status is ConversationStatus.RESOLVED else None


# --- merging --------------------------------------------------------------------------------------------------------------


def merge(
    tx: Tx,
    viewer: Viewer,
    into_id: int,
    from_ids: Sequence[int],
    *,
    expected_versions: Mapping[int, int] | None = None,
) -> tuple[list[ConversationMergeView], ConversationView]:
    """The others become a part of `into_id`. NotFound and InvalidInput (`from_ids`) for what the viewer may not see or what
    is another customer's; Forbidden for what a colleague holds; Conflict `version_conflict` if one of them changed since it
    was looked at (`expected_versions`, by id), or one of _WORDS with the conversation in `fields`."""
    wanted = list(dict.fromkeys(from_ids))
    if not wanted or len(wanted) > MOST_AT_ONCE:
        raise InvalidInput(
            "name some", fields={"from_ids": Sentence("name 1 to {count} conversations", count=MOST_AT_ONCE)}
        )
    if into_id in wanted:
        raise InvalidInput(
            "they are one already", fields={"from_ids": Sentence("names the very conversation they go into")}
        )
    tx.lock_routing()
    tx.lock_mail()
    conversations.access_conversation(tx, viewer, into_id)
    tx.lock_conversations([into_id, *wanted, *_followers(tx, wanted)])
    into = conversations.load_conversation(tx, into_id)
    others = [_access_other(tx, viewer, into, each) for each in sorted(wanted)]
    for view in (into, *others):
        expected = (expected_versions or {}).get(view.id)
        if expected is not None and expected != view.version:
            raise Conflict(
                "one of these conversations has changed meanwhile", code="version_conflict", fields={"id": str(view.id)}
            )
        dispatcher.check_may_have(viewer, view)
    for view in others:
        reason = _refused(view) or _refused_into(view, into)
        if reason is not None:
            about = into if _refused(view) is None else view
            raise Conflict(f"#{about.id}: {_WORDS[reason]}", code=reason, fields={"id": str(about.id)})
    merges = []
    for view in others:
        merge_id = _merge_one(tx, viewer, view, conversations.load_conversation(tx, into_id))
        merges.append(merge_id)
    return _load_merges(tx, _m.id.in_(merges)), conversations.load_conversation(tx, into_id)


def _followers(tx: Tx, ids: Collection[int]) -> set[int]:
    """What has been merged into these; all merges hold ROUTING, so nothing joins them."""
    return {row.id for row in tx.rows(select(_c.id).where(_c.merged_into.in_(ids)))}


def _access_other(tx: Tx, viewer: Viewer, into: ConversationView, conversation_id: int) -> ConversationView:
    nobodys = InvalidInput(
        "no such conversation",
        fields={"from_ids": Sentence("{id} is no conversation of this customer", id=conversation_id)},
    )
    try:
        view = conversations.access_conversation(tx, viewer, conversation_id)
    except NotFound:
        raise nobodys from None
    if view.customer_id != into.customer_id:
        raise nobodys
    return view


def _merge_one(tx: Tx, viewer: Viewer, before: ConversationView, into: ConversationView) -> int:
    row = _load_row(tx, before.id)
    was = {name: _plain(getattr(row, name)) for name in _KEPT}
    target = _load_row(tx, into.id)
    after_entry_id = int(tx.scalar(select(func.max(_e.id)).where(_e.conversation_id.in_([before.id, into.id]))) or 0)
    view = dispatcher.end_as_part(tx, before)
    moved = parts.move_all(tx, view, into)
    view = dispatcher.close_as_part(tx, viewer, view, into.id)
    conversations.emit_hidden(tx, view, before)
    values = _taken_over(before, into)
    if "parked_until" in values:
        tx.wake("routing")
    about: dict[str, str | int | None] = {"from_id": before.id, "subject": before.subject}
    _, joined = conversations.add_happening(
        tx, into, Happening.TOOK_IN, _author(viewer), about, **values, **parts.shown(tx, into.id)
    )
    after = _load_row(tx, into.id)
    names = {"unanswered_since", *values}
    filled = {name: [_plain(getattr(target, name)), _plain(getattr(after, name))] for name in sorted(names)}
    merge_id = tx.insert(
        tables.conversation_merge,
        {
            "from_id": before.id,
            "into_id": into.id,
            "at": tx.now,
            "by_id": viewer.user_id,
            "after_entry_id": after_entry_id,
            "moved": moved,
            "was": was,
            "filled": filled,
        },
    )
    topics = conversations.entry_topics(joined, to_visitor=False) | conversations.entry_topics(view, to_visitor=False)
    tx.emit(EntriesMoved(joined.customer_id, before.id, into.id), topics)
    _retell(tx, moved["followers"], joined)
    noted: dict[str, audit.JSON] = {"name": str(into.id), "other_id": before.id, "merge_id": merge_id}
    audit.note(tx, viewer, "conversation.merged", "conversation", into.id, noted)
    return merge_id


def _taken_over(before: ConversationView, into: ConversationView) -> dict[str, Any]:
    """What changes of the row of the one that stays: what it lacks of the other's."""
    values: dict[str, Any] = {}
    if into.status is ConversationStatus.OPEN:
        for name in ("unanswered_since", "queued_since"):
            ours, theirs = getattr(into, name), getattr(before, name)
            # Whoever holds it goes on holding it: it does not wait because the other did.
            waits = name == "unanswered_since" or ours is not None
            if theirs is not None and waits and (ours is None or theirs < ours):
                values[name] = theirs
        if before.unanswered_since and into.parked_until and into.assignee_id is not None:
            # As if the customer wrote there: an instant that is surely past (routing.parking).
            values["parked_until"] = into.created_at
    tags = [tag for tag in before.tags if tag not in into.tags]
    if tags:
        values["tags"] = [*into.tags, *tags]
    people = {*into.participant_ids, *before.participant_ids}
    if people != set(into.participant_ids) and len(people) <= MOST:
        values["participants"] = write_ids(people)
    fields = {key: value for key, value in before.fields.items() if key not in into.fields}
    if fields:
        values["fields"] = {**into.fields, **fields}
    if into.topic_id is None and before.topic_id is not None:
        values["topic_id"] = before.topic_id
    return values


# --- apart again ----------------------------------------------------------------------------------------------------------


def load_merges(tx: Tx, viewer: Viewer, conversation_id: int) -> list[ConversationMergeView]:
    """What has become a part of this conversation, the newest first; what was taken back is not among them."""
    view = conversations.access_conversation(tx, viewer, conversation_id)
    return _load_merges(tx, (_m.into_id == view.id) & _m.undone_at.is_(None))


def undo(tx: Tx, viewer: Viewer, merge_id: int) -> tuple[ConversationView, ConversationView]:
    """Two again: the one that was merged, and the one that had taken it in. Undoing twice is the same as once. NotFound for
    whoever may not see it; Forbidden for what a colleague holds; Conflict `merged_on` while the one that took it in is
    itself a part of another, `in_call`, and `already_open` where the customer has another open one on its channel by now."""
    tx.lock_routing()
    tx.lock_mail()
    row = tx.first(select(tables.conversation_merge).where(_m.id == merge_id))
    nobodys = NotFound("there is no such merge")
    if row is None:
        raise nobodys
    tx.lock_conversations([row.into_id, row.from_id, *row.moved["followers"]])
    try:
        into = conversations.access_conversation(tx, viewer, row.into_id)
    except NotFound:
        raise nobodys from None  # in the same words: ids cannot be probed
    view = conversations.load_conversation(tx, row.from_id)
    if row.undone_at is not None:
        return view, into
    if into.merged_into_id is not None:
        raise Conflict(
            f"#{into.id} was merged into #{into.merged_into_id} since; undo that first",
            code="merged_on",
            fields={"into": str(into.merged_into_id)},
        )
    dispatcher.check_may_have(viewer, into)
    if into.call_id is not None:
        raise Conflict("a call goes on in it", code="in_call")
    was = {name: _instant(value) if name in _INSTANTS else value for name, value in row.was.items()}
    theirs, ours = _asked(tx, row, into)
    # Nothing that a customer waits for is closed; what was open is so again, unless it was solved along with the other.
    opens = theirs is not None or (was["status"] == "open" and into.status is ConversationStatus.OPEN)
    if opens:
        _check_is_free(tx, view)
    conversations.change(tx, view.id, merged_into=None)
    parts.give_back(tx, view, into, row.moved)
    apart = _open(tx, viewer, view, into, was, theirs) if opens else _stay_closed(tx, viewer, view, into, was)
    values = {**_taken_back(tx, row, into, ours), "unanswered_since": ours}
    about: dict[str, str | int | None] = {"from_id": view.id, "into_id": view.id}
    _, left = conversations.add_happening(
        tx, into, Happening.UNMERGED, _author(viewer), about, **values, **parts.shown(tx, into.id)
    )
    apart = conversations.change(tx, apart.id, **parts.shown(tx, apart.id))
    conversations.emit_conversation(tx, apart)
    conversations.emit_hidden(tx, left, into)
    tx.execute(
        update(tables.conversation_merge).where(_m.id == merge_id).values(undone_at=tx.now, undone_by=viewer.user_id)
    )
    topics = conversations.entry_topics(left, to_visitor=False) | conversations.entry_topics(apart, to_visitor=False)
    tx.emit(EntriesMoved(left.customer_id, into.id, view.id), topics)
    _retell(tx, row.moved["followers"], apart)
    noted: dict[str, audit.JSON] = {"name": str(into.id), "other_id": view.id, "merge_id": merge_id}
    audit.note(tx, viewer, "conversation.unmerged", "conversation", into.id, noted)
    return apart, left


def _asked(tx: Tx, row: Row[Any], into: ConversationView) -> tuple[datetime | None, datetime | None]:
    """Since when the customer waits for an answer in the one that goes, and in the one that stays."""
    since, here = into.unanswered_since, _e.conversation_id == row.into_id
    if since is None:
        return None, None
    later = _load_later(tx, row)
    before, now = map(_instant, row.filled["unanswered_since"])
    for each in later:
        was_before, after = map(_instant, each.filled["unanswered_since"])
        now = after if was_before == now else now
    theirs = _ways(row)
    if since != now:
        # All was answered; and the customer has written again.
        by_us = _e.origin_id.is_(None) | _e.origin_id.not_in(theirs)
        newer = (here, _e.at >= since)
        return parts.oldest_asked(tx, *newer, _e.origin_id.in_(theirs)), parts.oldest_asked(tx, *newer, by_us)
    elsewhere = [*theirs, *(way for each in later for way in _ways(each))]
    own = _e.origin_id.is_(None) | _e.origin_id.not_in(elsewhere)
    asked = [before or parts.oldest_asked(tx, here, own, _e.id > row.after_entry_id)]
    # What was merged after this one waits on where it is.
    asked += [_waited(tx, each) for each in later]
    return _waited(tx, row), min((at for at in asked if at is not None), default=None)


def _load_later(tx: Tx, row: Row[Any]) -> Sequence[Row[Any]]:
    """What has been merged into the same one after this, and is a part of it still; in that order."""
    live = (_m.into_id == row.into_id, _m.undone_at.is_(None), _m.id > row.id)
    return tx.rows(select(tables.conversation_merge).where(*live).order_by(_m.id))


def _ways(row: Row[Any]) -> list[int]:
    """By which conversations the lines came that are in the other by this merge."""
    return [row.from_id, *row.moved["followers"]]


def _waited(tx: Tx, row: Row[Any]) -> datetime | None:
    """Since when the customer waits in what was merged so, if nothing was answered since."""
    newer = (_e.conversation_id == row.into_id, _e.origin_id.in_(_ways(row)), _e.id > row.after_entry_id)
    return _instant(row.was["unanswered_since"]) or parts.oldest_asked(tx, *newer)


def _check_is_free(tx: Tx, view: ConversationView) -> None:
    if _load_row(tx, view.id).thread:
        return
    same = (_c.contact_point_id == view.contact_point_id, _c.channel_id == view.channel_id, _c.status == "open")
    other = tx.scalar(select(_c.id).where(*same, _c.id != view.id).limit(1))
    if other is not None:
        raise Conflict(
            "the customer has a newer open conversation on this channel", code="already_open", fields={"id": str(other)}
        )


def _open(
    tx: Tx,
    viewer: Viewer,
    view: ConversationView,
    into: ConversationView,
    was: Mapping[str, Any],
    unanswered_since: datetime | None,
) -> ConversationView:
    before = conversations.load_conversation(tx, view.id)
    kept = {name: was[name] for name in ("pinned_agent_id", "priority", "lowered")}
    is_reopened = was["status"] != "open"
    if is_reopened:
        # By what the customer has written to it since.
        kept |= {"reopened_count": before.reopened_count + 1, "escalated": 0, "arrived_at": tx.now}
    apart = dispatcher.open_apart(
        tx,
        viewer,
        before,
        into.id,
        was["assignee_id"],
        queued_since=was["queued_since"] or unanswered_since,
        unanswered_since=unanswered_since,
        **kept,
    )
    if is_reopened:
        dispatcher.tell_contact(tx, apart, reopened_by="customer")
    return apart


def _stay_closed(
    tx: Tx, viewer: Viewer, view: ConversationView, into: ConversationView, was: Mapping[str, Any]
) -> ConversationView:
    """As it was, or solved along with the other."""
    before = conversations.load_conversation(tx, view.id)
    resolved_at = was["resolved_at"] or into.resolved_at or tx.now
    about: dict[str, str | int | None] = {"from_id": into.id}
    _, apart = conversations.add_happening(
        tx, before, Happening.UNMERGED, _author(viewer), about, resolved_at=resolved_at
    )
    return apart


def _taken_back(tx: Tx, row: Row[Any], into: ConversationView, ours: datetime | None) -> dict[str, Any]:
    """What the one that stays says without this merge; what has been changed since stays as it is, and so does what a later
    merge has put upon it. Of what is many, each is looked at by itself. `ours`: since when its customer waits."""
    now = _load_row(tx, into.id)
    later = [_load_row(tx, each.from_id) for each in _load_later(tx, row)]
    values: dict[str, Any] = {}
    for name, (before, after) in row.filled.items():
        held = getattr(now, name)
        if name == "unanswered_since":
            continue
        if name in _MANY and (later or held != after):
            values[name] = _without(name, held, before, after, [getattr(each, name) for each in later])
        elif _plain(held) == after:
            values[name] = _instant(before) if name in _INSTANTS else before
    if "queued_since" in values and into.queued_since is None:
        del values["queued_since"]
    if ours != _instant(row.filled["unanswered_since"][0]):
        # The customer has written since: it would be before its holder again.
        values.pop("parked_until", None)
    return values


# Columns of which each merge may have added some.
_MANY = frozenset({"tags", "participants", "fields"})


def _without(name: str, held: Any, before: Any, after: Any, later: Sequence[Any]) -> Any:
    """`held` less what was added from `before` to `after`, but for what came again with the `later` ones."""
    if name == "participants":
        added = {*read_ids(after)} - {*read_ids(before)}
        again = {person for each in later for person in read_ids(each)}
        return write_ids(person for person in read_ids(held) if person not in added or person in again)
    if name == "tags":
        again = {tag for each in later for tag in each or ()}
        gone = {*(after or ())} - {*(before or ())} - again
        return [tag for tag in held or () if tag not in gone] or None
    kept = {key: value for each in reversed(later) for key, value in (each or {}).items()}
    put = {key: value for key, value in (after or {}).items() if key not in (before or {})}
    left = {key: value for key, value in (held or {}).items() if key not in put or put[key] != value}
    return left | {key: kept[key] for key in put if key in kept and key not in left} or None


# --- rows and views -------------------------------------------------------------------------------------------------------


def _load_row(tx: Tx, conversation_id: int) -> Row[Any]:
    return tx.execute(select(tables.conversation).where(_c.id == conversation_id)).one()


def _plain(value: Any) -> Any:
    """As it can be kept in JSON, and compared with what was."""
    return value.isoformat() if isinstance(value, datetime) else value


def _instant(kept: str | None) -> datetime | None:
    return datetime.fromisoformat(kept) if kept else None


def _author(viewer: Viewer) -> Author:
    return Author(AuthorKind.AGENT, viewer.name, viewer.user_id)


def _retell(tx: Tx, follower_ids: Collection[int], beside: ConversationView) -> None:
    """What had been merged before leads elsewhere now; and an offer that rings shows what is asked."""
    for view in conversations.load_conversations(tx, follower_ids).values():
        conversations.emit_conversation(tx, view)
    offers.retell(tx, [beside.id])


def _load_merges(tx: Tx, which: Any) -> list[ConversationMergeView]:
    u = tables.user_account.c
    query = select(_m.id, _m.from_id, _m.into_id, _m.at, _m.by_id, u.name.label("by_name"))
    query = query.join(tables.user_account, u.id == _m.by_id).where(which).order_by(_m.id.desc())
    return [ConversationMergeView(**row._mapping) for row in tx.rows(query)]
