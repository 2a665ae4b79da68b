"""Messages of a conversation that are another matter: a conversation of their own, of the same customer, with their channel
and address.

    what may go   messages that came and went the same way; not all of them, and none of the hub's own about a survey
    what it is    work that waits in a queue or that the viewer has, and a contact of its own (docs/kpi.md); by mail it has a
                  word of its own, and answers to the mails that went find it (timeline.threads)
    closed        on other channels a contact point has one open conversation. While there is one, what is taken out of it
                  begins resolved: a matter that is over. What the customer waits for an answer to is not over, so that is
                  refused. A chat's is always over: its visitor reads one chat.

Whoever took too much merges the new one back (timeline.joining).

Lock order: ROUTING → MAIL → the conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.events import EntriesMoved
from hub.domain.sentences import Sentence
from hub.domain.states import ConversationStatus
from hub.domain.values import AuthorKind, ChannelKind, Direction, EntryKind, Happening
from hub.domain.views import Author, ConversationView
from hub.errors import Conflict, InvalidInput
from hub.routing import dispatcher, engine
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, parts, threads
from hub.timeline.participants import write_ids
from hub.timeline.topics import load_topics

_c, _e, _q = tables.conversation.c, tables.entry.c, tables.queue.c

# More than somebody picks by hand.
MOST = 200


def split(
    tx: Tx,
    viewer: Viewer,
    conversation_id: int,
    entry_ids: Sequence[int],
    *,
    queue_id: int | None,
    topic_id: int | None,
    holds: bool,
    expected_version: int | None = None,
) -> tuple[ConversationView, ConversationView]:
    """The new conversation, and the one it was taken out of. `queue_id` None: its queue; `holds`: the viewer has it, where it
    is open. InvalidInput names `entry_ids`, `queue_id` or `topic_id`; Forbidden for what a colleague holds; Conflict
    `version_conflict`, `merged`, `in_call`, `on_its_way` for a message that has not left yet, and `unanswered` where it would
    begin closed and the customer waits for an answer."""
    tx.lock_routing()
    tx.lock_mail()
    before = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
    conversations.check_is_own(before)
    if expected_version is not None and expected_version != before.version:
        raise Conflict("this conversation has changed meanwhile", code="version_conflict")
    dispatcher.check_may_have(viewer, before)
    if before.call_id is not None:
        raise Conflict("a call goes on in it", code="in_call")
    rows = _load_chosen(tx, before, entry_ids)
    home = conversations.load_conversation(tx, rows[0].origin_id or before.id)
    if home.channel_kind is ChannelKind.PHONE:
        raise InvalidInput(
            "not to be split", fields={"entry_ids": Sentence("what was said by telephone stays with its call")}
        )
    _check_have_left(tx, rows)
    queue_id = _checked_queue(tx, before, queue_id)
    _check_topic(tx, topic_id)
    asked_at = _asked_at(before, rows)
    is_open = _may_be_open(tx, home)
    if not is_open and asked_at is not None:
        raise Conflict(
            "the customer waits for an answer to one of these, and by this channel there is one open conversation",
            code="unanswered",
        )
    apart = dispatcher.begin_apart(
        tx,
        viewer,
        _new_row(tx, before, home, rows, queue_id=queue_id, topic_id=topic_id, asked_at=asked_at, is_open=is_open),
        is_open=is_open,
        holds=holds,
        data={"from_id": before.id, "count": len(rows)},
    )
    parts.move_entries(tx, [row.id for row in rows], apart.id)
    apart = conversations.change(tx, apart.id, **parts.shown(tx, apart.id))
    about: dict[str, str | int | None] = {"into_id": apart.id, "count": len(rows)}
    values: dict[str, Any] = parts.shown(tx, before.id)
    if before.unanswered_since is not None:
        left = (_e.conversation_id == before.id, _e.at >= before.unanswered_since)
        values["unanswered_since"] = parts.oldest_asked(tx, *left)
    author = Author(AuthorKind.AGENT, viewer.name, viewer.user_id)
    _, view = conversations.add_happening(tx, before, Happening.SPLIT, author, about, **values)
    conversations.emit_conversation(tx, apart)
    topics = conversations.entry_topics(view, to_visitor=False) | conversations.entry_topics(apart, to_visitor=False)
    tx.emit(EntriesMoved(view.customer_id, view.id, apart.id), topics)
    noted: dict[str, audit.JSON] = {"name": str(view.id), "other_id": apart.id, "count": len(rows)}
    audit.note(tx, viewer, "conversation.split", "conversation", view.id, noted)
    return apart, view


def _load_chosen(tx: Tx, view: ConversationView, entry_ids: Sequence[int]) -> Sequence[Row[Any]]:
    wanted = set(entry_ids)
    if not wanted or len(wanted) > MOST:
        raise InvalidInput("choose some", fields={"entry_ids": Sentence("choose 1 to {count} messages", count=MOST)})
    is_message = (_e.kind == EntryKind.MESSAGE.value) & _e.happening.is_(None)
    here = (_e.conversation_id == view.id, is_message)
    rows = tx.rows(select(tables.entry).where(*here, _e.id.in_(wanted)).order_by(_e.at, _e.id))
    if len(rows) < len(wanted):
        raise InvalidInput(
            "not its messages", fields={"entry_ids": Sentence("names what is no message of this conversation")}
        )
    if len({row.origin_id for row in rows}) > 1:
        fault = Sentence("came by different conversations; split them one after the other")
        raise InvalidInput("not of one way", fields={"entry_ids": fault})
    if tx.first(select(_e.id).where(*here, _e.id.not_in(wanted)).limit(1)) is None:
        raise InvalidInput(
            "nothing would be left", fields={"entry_ids": Sentence("are all its messages; some must stay")}
        )
    return rows


def _check_have_left(tx: Tx, rows: Sequence[Row[Any]]) -> None:
    """Each attempt sends the very same mail, and the word in it is that of its conversation."""
    o = tables.outbox.c
    under_way = (o.entry_id.in_([row.id for row in rows]), o.state != "done")
    if tx.first(select(o.id).where(*under_way).limit(1)) is not None:
        raise Conflict("one of these messages is still on its way", code="on_its_way")


def _checked_queue(tx: Tx, view: ConversationView, queue_id: int | None) -> int:
    if queue_id is None:
        return view.queue_id
    if tx.first(select(_q.id).where(_q.id == queue_id)) is None:
        raise InvalidInput("no such queue", fields={"queue_id": Sentence("there is no such queue")})
    return queue_id


def _check_topic(tx: Tx, topic_id: int | None) -> None:
    if topic_id is None:
        return
    found = load_topics(tx, [topic_id])
    if not found or not found[0].active:
        raise InvalidInput(
            "no such topic", fields={"topic_id": Sentence("there is no such topic, or it is switched off")}
        )


def _asked_at(view: ConversationView, rows: Sequence[Row[Any]]) -> datetime | None:
    """Since when the customer waits for an answer to one of these."""
    since = view.unanswered_since
    asked = [row.at for row in rows if since is not None and row.direction == Direction.IN.value and row.at >= since]
    return min(asked, default=None)


def _may_be_open(tx: Tx, home: ConversationView) -> bool:
    if home.channel_kind is ChannelKind.EMAIL:
        return True
    if home.channel_kind in engine.LIVE_KINDS:
        return False
    same = (_c.contact_point_id == home.contact_point_id, _c.channel_id == home.channel_id)
    return tx.first(select(_c.id).where(*same, _c.status == ConversationStatus.OPEN.value).limit(1)) is None


def _new_row(
    tx: Tx,
    before: ConversationView,
    home: ConversationView,
    rows: Sequence[Row[Any]],
    *,
    queue_id: int,
    topic_id: int | None,
    asked_at: datetime | None,
    is_open: bool,
) -> dict[str, Any]:
    is_mail = home.channel_kind is ChannelKind.EMAIL
    m = tables.mail.c
    first = select(m.subject).where(m.entry_id.in_([row.id for row in rows])).order_by(m.entry_id).limit(1)
    # A matter that is over was so with its last line: it is not the newest of its channel for that (timeline.inbound).
    over_at = min(tx.now, max(row.at for row in rows))
    return {
        "customer_id": before.customer_id,
        "contact_point_id": home.contact_point_id,
        "channel_id": home.channel_id,
        "queue_id": queue_id,
        "topic_id": topic_id,
        "subject": (tx.scalar(first) or None) if is_mail else None,
        "thread": threads.new_thread() if is_mail else "",
        "status": (ConversationStatus.OPEN if is_open else ConversationStatus.RESOLVED).value,
        "queued_since": (asked_at or tx.now) if is_open else None,
        "unanswered_since": asked_at,
        "created_at": tx.now,
        "arrived_at": tx.now,
        "last_entry_at": tx.now if is_open else over_at,
        "resolved_at": None if is_open else over_at,
        "participants": write_ids(before.participant_ids),
        "split_from": before.id,
    }
