"""Conversations and the lines of their timelines: loading them as views, and the few ways they change.

Every change goes through `change` (new values, next version) and is told by `emit_conversation` or by the entry that came
with it. Assignments are not changed here: that is routing.dispatcher's alone.

Timeline order is (at, id): `at` is the provider's time of a message where it tells one, else when it reached us.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, Text, cast, func, insert, select, true, update

from hub.agents.viewer import Viewer
from hub.calls.views import load_calls
from hub.domain.events import (
    FACTS,
    ConversationChanged,
    ConversationHidden,
    CustomerAnswered,
    EntryAdded,
    EntryChanged,
    conversation_topics,
    customer_topic,
    visitor_topic,
)
from hub.domain.states import AttachmentState, ConversationStatus, Delivery
from hub.domain.values import HANDLING, AuthorKind, ChannelKind, Direction, EntryKind, Happening, Role
from hub.domain.views import (
    AttachmentView,
    Author,
    CallbackView,
    CallView,
    ConversationView,
    DeliveryView,
    EntryView,
    MailView,
)
from hub.errors import Conflict, NotFound
from hub.routing import business_time, clocks
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import belongings, participants, task_rows, visits
from hub.timeline.mails import load_mail_views

_c, _e, _away = tables.conversation.c, tables.entry.c, tables.visitor_away.c

# Looking a word up is several times faster than calling its enumeration, and every message does it seven times.
_CHANNEL_KIND = {word.value: word for word in ChannelKind}
_STATUS = {word.value: word for word in ConversationStatus}
_DIRECTION = {word.value: word for word in Direction}
_ENTRY_KIND = {word.value: word for word in EntryKind}
_AUTHOR_KIND = {word.value: word for word in AuthorKind}

# As much of a message as a list shows.
PREVIEW_LENGTH = 140
# What of a conversation's columns decides who may see it.
_SIGHT = frozenset({"queue_id", "assignee_id", "participants"})

CONVERSATIONS = (
    select(
        tables.conversation,
        tables.customer.c.name.label("customer_name"),
        tables.customer.c.tier.label("customer_tier"),
        tables.customer.c.erased_at.label("customer_erased_at"),
        tables.contact_point.c.address,
        tables.channel.c.kind.label("channel_kind"),
        _away.since.label("visitor_away_since"),
    )
    .join(tables.customer, tables.customer.c.id == _c.customer_id)
    .join(tables.contact_point, tables.contact_point.c.id == _c.contact_point_id)
    .join(tables.channel, tables.channel.c.id == _c.channel_id)
    .outerjoin(
        tables.visitor_away, (_away.contact_point_id == _c.contact_point_id) & (_away.channel_id == _c.channel_id)
    )
)


def conversation_view(row: Row[Any] | Mapping[str, Any]) -> ConversationView:
    """The view of a row of CONVERSATIONS (or a mapping with the same names)."""
    r = row._mapping if isinstance(row, Row) else row
    return ConversationView(
        id=r["id"],
        customer_id=r["customer_id"],
        customer_name=r["customer_name"],
        contact_point_id=r["contact_point_id"],
        address=r["address"],
        channel_id=r["channel_id"],
        channel_kind=_CHANNEL_KIND[r["channel_kind"]],
        queue_id=r["queue_id"],
        status=_STATUS[r["status"]],
        assignee_id=r["assignee_id"],
        assigned_at=r["assigned_at"],
        queued_since=r["queued_since"],
        unanswered_since=r["unanswered_since"],
        created_at=r["created_at"],
        last_entry_at=r["last_entry_at"],
        resolved_at=r["resolved_at"],
        reopened_count=r["reopened_count"],
        priority=r["priority"],
        preview=r["preview"],
        preview_direction=_DIRECTION[r["preview_direction"]],
        version=r["version"],
        subject=r["subject"],
        pinned_agent_id=r["pinned_agent_id"],
        topic_id=r["topic_id"],
        tags=tuple(r["tags"] or ()),
        customer_tier=r["customer_tier"],
        parked_until=r["parked_until"],
        next_step_at=r["next_step_at"],
        escalated=r["escalated"],
        callback=_callback_view(r["callback"]) if r["callback"] else None,
        call_id=r["call_id"],
        participant_ids=participants.read_ids(r["participants"]),
        fields=r["fields"] or {},
        merged_into_id=r["merged_into"],
        customer_is_erased=r.get("customer_erased_at") is not None,
        visitor_away_since=r["visitor_away_since"] if r["status"] == "open" else None,
    )


def _callback_view(stored: Mapping[str, Any]) -> CallbackView:
    """As it stands in the column; an instant there is ISO text."""
    at = stored["next_attempt_at"]
    return CallbackView(
        address=stored["address"],
        state=stored["state"],
        attempts=stored["attempts"],
        next_attempt_at=datetime.fromisoformat(at) if at else None,
    )


def load_conversations(tx: Tx, ids: Collection[int]) -> dict[int, ConversationView]:
    if not ids:
        return {}
    return {row.id: conversation_view(row) for row in tx.rows(CONVERSATIONS.where(_c.id.in_(ids)))}


def load_conversation(tx: Tx, conversation_id: int) -> ConversationView:
    """NotFound if there is none."""
    found = load_conversations(tx, [conversation_id])
    if not found:
        raise NotFound("there is no such conversation")
    return found[conversation_id]


def load_living(tx: Tx, conversation_id: int, *, lock: bool = False) -> ConversationView:
    """The conversation that has this one's lines: itself, or what it was merged into. `lock`: until the commit."""
    while True:
        view = load_conversation(tx, conversation_id)
        if view.merged_into_id is None and lock:
            view = lock_conversation(tx, view.id)
        if view.merged_into_id is None:
            return view
        conversation_id = view.merged_into_id


def lock_conversation(tx: Tx, conversation_id: int) -> ConversationView:
    """The conversation, locked until the commit (third in the lock order)."""
    tx.lock_conversations([conversation_id])
    return load_conversation(tx, conversation_id)


def visible_to(role: Role, user_id: int, queue_ids: Collection[int]) -> Any | None:
    """The condition on `conversation` that says what somebody may see, or None for "everything"."""
    if role.covers(Role.SUPERVISOR):
        return None
    return _c.queue_id.in_(queue_ids) | (_c.assignee_id == user_id) | participants.takes_part(user_id)


def has_tag(tag: str) -> Any:
    """The condition on `conversation` that says it has this very tag: as it stands, escaped, in the JSON of the column."""
    return cast(_c.tags, Text).contains(json.dumps(tag), autoescape=True)


def load_page(
    tx: Tx,
    viewer: Viewer,
    *,
    status: ConversationStatus,
    assignee: str,
    queue_id: int | None,
    words: str | None,
    before: tuple[datetime, int] | None,
    limit: int,
    is_troubled: bool = False,
) -> list[ConversationView]:
    """Newest activity first, as far as the viewer may see. `assignee` is me, none, taken (by anybody), any or a user's id;
    `before` is the (last_entry_at, id) of the last one already held; `is_troubled`: only complaints and what has
    escalated."""
    query = CONVERSATIONS.where(_c.status == status.value)
    visible = visible_to(viewer.role, viewer.user_id, viewer.queue_ids)
    if visible is not None:
        query = query.where(visible)
    if assignee == "none":
        query = query.where(_c.assignee_id.is_(None))
    elif assignee == "taken":
        query = query.where(_c.assignee_id.is_not(None))
    elif assignee != "any":
        query = query.where(_c.assignee_id == (viewer.user_id if assignee == "me" else int(assignee)))
    if queue_id is not None:
        query = query.where(_c.queue_id == queue_id)
    if is_troubled:
        complaints = select(tables.topic.c.id).where(tables.topic.c.is_complaint)
        query = query.where((_c.escalated > 0) | _c.topic_id.in_(complaints))
    if words and words.strip():
        wanted = words.strip().lower()
        query = query.where(
            # What an erased customer's card and addresses are called is nobody's name.
            (
                tables.customer.c.erased_at.is_(None)
                & (
                    func.lower(tables.customer.c.name).contains(wanted, autoescape=True)
                    | func.lower(tables.contact_point.c.address).contains(wanted, autoescape=True)
                )
            )
            | func.lower(_c.preview).contains(wanted, autoescape=True)
            | func.lower(_c.subject).contains(wanted, autoescape=True)
        )
    if before is not None:
        at, conversation_id = before
        query = query.where((_c.last_entry_at < at) | ((_c.last_entry_at == at) & (_c.id < conversation_id)))
    query = query.order_by(_c.last_entry_at.desc(), _c.id.desc()).limit(limit)
    return [conversation_view(row) for row in tx.rows(query)]


def change(tx: Tx, conversation_id: int, *, by: AuthorKind = AuthorKind.SYSTEM, **values: Any) -> ConversationView:
    """Writes new values and the next version; tells nobody (the caller emits what happened) but of stays in queues that
    this ends, which are facts. `by`: who changes it."""
    tx.execute(update(tables.conversation).where(_c.id == conversation_id).values(version=_c.version + 1, **values))
    keep_clocks(tx, [conversation_id], touched_only=values.keys().isdisjoint(clocks.MATTERS))
    row = tx.first(CONVERSATIONS.where(_c.id == conversation_id))
    if row is None:
        raise NotFound("there is no such conversation")
    if not values.keys().isdisjoint(visits.MATTERS):
        visits.keep(tx, row, by)
    if not values.keys().isdisjoint(_SIGHT):
        task_rows.keep_sight(tx, [conversation_id])
    return conversation_view(row)


def keep_clocks(tx: Tx, conversation_ids: Iterable[int], *, touched_only: bool = False, afresh: bool = False) -> None:
    """These conversations have changed: at the end of the unit of work their clocks are brought up to date, and screens
    told if their next step is due at another time. Whoever writes to the table without `change` says so here.
    `touched_only`: nothing changed of what clocks.MATTERS. `afresh`: also where no policy is in force any more; the first
    call of a unit of work says it for all."""
    items = ((conversation_id, touched_only) for conversation_id in conversation_ids)
    tx.gather("clocks", items, _keep_afresh if afresh else _keep_gathered)


def _keep_gathered(tx: Tx, items: set[tuple[int, bool]], *, afresh: bool = False) -> None:
    changed = {conversation_id for conversation_id, touched_only in items if not touched_only}
    touched = {conversation_id for conversation_id, _ in items} - changed
    for view in load_conversations(tx, clocks.keep(tx, changed, touched, afresh=afresh)).values():
        emit_conversation(tx, view)


def _keep_afresh(tx: Tx, items: set[tuple[int, bool]]) -> None:
    _keep_gathered(tx, items, afresh=True)


def _topics(view: ConversationView) -> frozenset[str]:
    return conversation_topics(view.queue_id, view.assignee_id, view.participant_ids)


def emit_conversation(
    tx: Tx, view: ConversationView, before: ConversationView | None = None, *, also: Collection[str] = ()
) -> None:
    """Tells all who may see it, and the topics of `also`; those who could see it `before` and no longer may are told to drop
    it."""
    tx.emit(ConversationChanged(view), _topics(view) | {customer_topic(view.customer_id), *also})
    if before is not None:
        emit_hidden(tx, view, before)


def emit_hidden(tx: Tx, view: ConversationView, before: ConversationView) -> None:
    """Tells those who could see it before and no longer may to drop it."""
    lost = _topics(before) - _topics(view)
    if lost:
        tx.emit(ConversationHidden(view.id), lost, unless=_topics(view))


# --- entries ------------------------------------------------------------------------------------------------------------


def entry_view(
    row: Row[Any] | Mapping[str, Any],
    attachments: Sequence[AttachmentView] = (),
    mail: MailView | None = None,
    call: CallView | None = None,
) -> EntryView:
    r = row._mapping if isinstance(row, Row) else row
    delivery = None
    if r["delivery"] is not None:
        delivery = DeliveryView(
            state=Delivery(r["delivery"]),
            at=r["delivery_at"],
            reason=r["delivery_reason"],
            detail=r["delivery_detail"],
            segments=r["segments"],
            attempts=r["attempts"],
        )
    return EntryView(
        id=r["id"],
        conversation_id=r["conversation_id"],
        customer_id=r["customer_id"],
        channel_id=r["channel_id"],
        kind=_ENTRY_KIND[r["kind"]],
        direction=_DIRECTION[r["direction"]],
        author=Author(_AUTHOR_KIND[r["author_kind"]], r["author_name"], r["author_id"]),
        text=r["text"],
        at=r["at"],
        version=r["version"],
        happening=Happening(r["happening"]) if r["happening"] else None,
        data=r["data"] or {},
        attachments=tuple(attachments),
        delivery=delivery,
        client_key=r["client_key"],
        mail=mail,
        call=call,
        origin_id=r["origin_id"],
    )


# By whose channel, address and thread an entry came or went: the conversation it stands in, or one that was merged into that.
HOME = func.coalesce(_e.origin_id, _e.conversation_id)


def came_by(conversation_ids: Collection[int]) -> Any:
    """The condition on `entry` that one of these is its home. (Comparing HOME itself would look at every entry there is.)"""
    own = _e.origin_id.is_(None) & _e.conversation_id.in_(conversation_ids)
    return own | _e.origin_id.in_(conversation_ids)


# A conversation by mail has a thread, no other has. Joined with the home of each entry.
ENTRIES = select(tables.entry, _c.channel_id, _c.thread).join(tables.conversation, _c.id == HOME)


def load_attachments(tx: Tx, entry_ids: Collection[int]) -> dict[int, list[AttachmentView]]:
    by_entry: dict[int, list[AttachmentView]] = {}
    if entry_ids:
        a = tables.attachment.c
        for row in tx.rows(select(tables.attachment).where(a.entry_id.in_(entry_ids)).order_by(a.id)):
            by_entry.setdefault(row.entry_id, []).append(attachment_view(row))
    return by_entry


def attachment_view(row: Row[Any]) -> AttachmentView:
    return AttachmentView(
        id=row.id,
        name=row.name,
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        state=AttachmentState(row.state),
        url=f"/api/v1/attachments/{row.id}/content",
        is_inline=row.is_inline,
    )


def load_entries(tx: Tx, query: Select[Any]) -> list[EntryView]:
    """The entries that `query` (built on ENTRIES) finds, in its order, with their attachments and mails."""
    rows = tx.rows(query)
    attachments = load_attachments(tx, [row.id for row in rows if row.has_attachments])
    mails = load_mail_views(tx, [row.id for row in rows if row.thread and row.kind == EntryKind.MESSAGE.value])
    calls = load_calls(tx, [row.call_id for row in rows if row.call_id is not None])
    return [entry_view(row, attachments.get(row.id, ()), mails.get(row.id), calls.get(row.call_id)) for row in rows]


def load_entry(tx: Tx, entry_id: int) -> EntryView:
    found = load_entries(tx, ENTRIES.where(_e.id == entry_id))
    if not found:
        raise NotFound("there is no such entry")
    return found[0]


def entry_topics(view: ConversationView, *, to_visitor: bool) -> frozenset[str]:
    """`to_visitor`: also whoever chats there, for what they wrote or were sent by that very chat."""
    topics = _topics(view) | {customer_topic(view.customer_id)}
    if to_visitor and view.channel_kind is ChannelKind.CHAT:
        topics |= {visitor_topic(view.contact_point_id)}
    return topics


def add_entry(
    tx: Tx,
    before: ConversationView,
    *,
    kind: EntryKind,
    direction: Direction,
    author: Author,
    text: str,
    happening: Happening | None = None,
    data: Mapping[str, str | int | None] | None = None,
    delivery: Delivery | None = None,
    segments: int | None = None,
    client_key: str | None = None,
    attachment_ids: Sequence[int] = (),
    mail_row: Mapping[str, Any] | None = None,
    answers: bool = True,
    entry_call_id: int | None = None,
    **conversation_values: Any,
) -> tuple[EntryView, ConversationView]:
    """Writes one line and what it changes about its conversation, and tells both in one event. The caller holds the
    conversation's lock. A human's message to the customer answers what was unanswered (a fact for the KPIs), unless
    `answers` is False: a mail that was passed on to somebody else. `mail_row`: its row of `mail`, but for the id. Conflict
    `merged` for a conversation that is a part of another by now, `erased` where its customer was erased."""
    check_is_own(before)
    row: dict[str, Any] = {
        "conversation_id": before.id,
        "customer_id": before.customer_id,
        "kind": kind.value,
        "direction": direction.value,
        "author_kind": author.kind.value,
        "author_id": author.user_id,
        "author_name": author.name,
        "text": text,
        "at": tx.now,
        "happening": happening.value if happening else None,
        "data": dict(data) if data else None,
        "has_attachments": bool(attachment_ids),
        "delivery": delivery.value if delivery else None,
        "delivery_at": tx.now if delivery else None,
        "segments": segments,
        "client_key": client_key,
        "call_id": entry_call_id,
    }
    entry_id = tx.insert(tables.entry, row)
    if attachment_ids:
        a = tables.attachment.c
        tx.execute(update(tables.attachment).where(a.id.in_(attachment_ids)).values(entry_id=entry_id))
    if mail_row is not None:
        tx.execute(insert(tables.mail).values(entry_id=entry_id, **mail_row))
    # Who handles it, and how, makes no old words new.
    is_handling = happening is not None and happening in HANDLING
    values: dict[str, Any] = {**({} if is_handling else {"last_entry_at": tx.now}), **conversation_values}
    is_message = kind is EntryKind.MESSAGE
    # What the hub says by itself (an acknowledgement) hides nobody's words: a ringing offer shows what was asked.
    if is_message and author.kind is not AuthorKind.SYSTEM:
        values |= {"preview": text[:PREVIEW_LENGTH], "preview_direction": direction.value}
    answered = answers and is_message and direction is Direction.OUT and author.kind is AuthorKind.AGENT
    if answered:
        values |= {"unanswered_since": None, **waited(before, tx.now)}
    is_first = answered and before.unanswered_since is not None and _is_first_answer(tx, before.id, entry_id)
    view = change(tx, before.id, by=author.kind, **values)
    entry = load_entry(tx, entry_id)
    tx.emit(EntryAdded(entry, view), entry_topics(view, to_visitor=kind is not EntryKind.NOTE))
    if answered and before.unanswered_since is not None and author.user_id is not None:
        tx.emit(
            CustomerAnswered(
                entry_id=entry_id,
                conversation_id=before.id,
                agent_id=author.user_id,
                channel_id=before.channel_id,
                queue_id=before.queue_id,
                asked_at=before.unanswered_since,
                answered_at=tx.now,
                is_first=is_first,
                topic_id=before.topic_id,
                customer_id=before.customer_id,
                business_s=business_time.seconds_in_hours(tx, before.queue_id, before.unanswered_since, tx.now),
            ),
            {FACTS},
        )
    return entry, view


def check_is_own(view: ConversationView) -> None:
    """Conflict `merged` where its lines stand in another by now, and nothing more is written here; `erased` where
    its customer was erased."""
    if view.customer_is_erased:
        raise belongings.erased()
    if view.merged_into_id is not None:
        raise Conflict(
            f"this conversation was merged into #{view.merged_into_id}",
            code="merged",
            fields={"into": str(view.merged_into_id)},
        )


def _is_first_answer(tx: Tx, conversation_id: int, entry_id: int) -> bool:
    """Whether no agent has written but for this entry since the request arrived: the conversation began, or was opened
    again. What was written in another before that became a part of this one answered the other."""
    arrived_at = tx.scalar(select(func.coalesce(_c.arrived_at, _c.created_at)).where(_c.id == conversation_id))
    ours = (_e.direction == Direction.OUT.value, _e.author_kind == AuthorKind.AGENT.value, _e.id != entry_id)
    here = (_e.conversation_id == conversation_id, _e.origin_id.is_(None), _e.at >= arrived_at)
    return tx.first(select(_e.id).where(*here, *ours).limit(1)) is None


def waited(before: ConversationView, now: datetime) -> dict[str, Any]:
    """What changes of the row when the customer no longer waits for an answer of ours: how long they have, in all."""
    if before.unanswered_since is None:
        return {}
    return {"waited_s": _c.waited_s + max(0.0, (now - before.unanswered_since).total_seconds())}


def add_happening(
    tx: Tx,
    before: ConversationView,
    happening: Happening,
    author: Author,
    data: Mapping[str, str | int | None] | None = None,
    text: str = "",
    **conversation_values: Any,
) -> tuple[EntryView, ConversationView]:
    """A line that says what happened to the conversation."""
    return add_entry(
        tx,
        before,
        kind=EntryKind.EVENT,
        direction=Direction.INTERNAL,
        author=author,
        text=text,
        happening=happening,
        data=data,
        **conversation_values,
    )


def note_answered_by_voice(tx: Tx, conversation_id: int, entry_id: int, agent_id: int) -> None:
    """An agent and the customer talk with each other: whatever the customer had asked for in writing, or after the tone, is
    answered by that (a fact for the KPIs, of the call's line on the timeline)."""
    before = load_conversation(tx, conversation_id)
    if before.unanswered_since is None:
        return
    is_first = _is_first_answer(tx, conversation_id, entry_id)
    emit_conversation(tx, change(tx, conversation_id, unanswered_since=None, **waited(before, tx.now)))
    tx.emit(
        CustomerAnswered(
            entry_id=entry_id,
            conversation_id=conversation_id,
            agent_id=agent_id,
            channel_id=before.channel_id,
            queue_id=before.queue_id,
            asked_at=before.unanswered_since,
            answered_at=tx.now,
            is_first=is_first,
            topic_id=before.topic_id,
            customer_id=before.customer_id,
            business_s=business_time.seconds_in_hours(tx, before.queue_id, before.unanswered_since, tx.now),
        ),
        {FACTS},
    )


def change_entry(tx: Tx, entry_id: int, **values: Any) -> EntryView:
    """Writes new values of an entry (delivery, attachments) and tells all who may see it."""
    tx.execute(update(tables.entry).where(_e.id == entry_id).values(version=_e.version + 1, **values))
    entry = load_entry(tx, entry_id)
    view = load_conversation(tx, entry.conversation_id)
    is_own = entry.origin_id is None
    topics = entry_topics(view, to_visitor=entry.kind is EntryKind.MESSAGE and is_own)
    if entry.kind is EntryKind.MESSAGE and not is_own:
        home = load_conversation(tx, entry.origin_id or view.id)
        topics |= {visitor_topic(home.contact_point_id)} if home.channel_kind is ChannelKind.CHAT else set()
    tx.emit(EntryChanged(entry), topics)
    return entry


def readable_by(viewer: Viewer) -> Any:
    """The condition on `entry` that leaves out what is another agent's business alone."""
    if viewer.covers(Role.SUPERVISOR):
        return true()
    return _e.private_to.is_(None) | (_e.private_to == viewer.user_id)


def entry_page(condition: Any, before: tuple[datetime, int] | None, limit: int) -> Select[Any]:
    """Newest first; `before` is the (at, id) of the oldest entry already held."""
    query = ENTRIES.where(condition)
    if before is not None:
        at, entry_id = before
        query = query.where((_e.at < at) | ((_e.at == at) & (_e.id < entry_id)))
    return query.order_by(_e.at.desc(), _e.id.desc()).limit(limit)


def entry_page_after(condition: Any, after: tuple[datetime, int], limit: int) -> Select[Any]:
    """The other way round: oldest first, from the (at, id) of the newest entry already held."""
    at, entry_id = after
    query = ENTRIES.where(condition, (_e.at > at) | ((_e.at == at) & (_e.id > entry_id)))
    return query.order_by(_e.at, _e.id).limit(limit)


SYSTEM = Author(AuthorKind.SYSTEM, "")


# --- access -------------------------------------------------------------------------------------------------------------


def access_conversation(tx: Tx, viewer: Viewer, conversation_id: int, *, lock: bool = False) -> ConversationView:
    """The conversation, if the viewer may see it; NotFound otherwise, so that ids cannot be probed. `lock`: to change it;
    Conflict `erased` where its customer was erased."""
    view = lock_conversation(tx, conversation_id) if lock else load_conversation(tx, conversation_id)
    if not may_see(viewer, view):
        raise NotFound("there is no such conversation")
    if lock and view.customer_is_erased:
        raise belongings.erased()
    return view


def may_see(viewer: Viewer, view: ConversationView) -> bool:
    is_asked = viewer.user_id in view.participant_ids or view.assignee_id == viewer.user_id
    return viewer.covers(Role.SUPERVISOR) or view.queue_id in viewer.queue_ids or is_asked


def load_visible(tx: Tx, viewer: Viewer, conversation_ids: Collection[int]) -> set[int]:
    """Those of these that the viewer may see."""
    visible = visible_to(viewer.role, viewer.user_id, viewer.queue_ids)
    if visible is None:
        return set(conversation_ids)
    return {row.id for row in tx.rows(select(_c.id).where(_c.id.in_(conversation_ids), visible))}


def access_entry(tx: Tx, viewer: Viewer, entry_id: int, *, lock: bool = False) -> EntryView:
    """The entry, if the viewer may see its conversation; NotFound in the same words as for an entry that is not there."""
    entry = load_entry(tx, entry_id)
    try:
        access_conversation(tx, viewer, entry.conversation_id, lock=lock)
    except NotFound:
        raise NotFound("there is no such entry") from None
    return entry


def access_entry_of(tx: Tx, viewer: Viewer, conversation_id: int) -> ConversationView:
    """Like `access_conversation`, by the rule of the card: whoever may see one conversation of a customer may see what
    stands on that customer's timeline."""
    view = load_conversation(tx, conversation_id)
    if may_see(viewer, view):
        return view
    visible = visible_to(viewer.role, viewer.user_id, viewer.queue_ids)
    if (
        visible is not None
        and tx.first(select(_c.id).where(_c.customer_id == view.customer_id, visible).limit(1)) is None
    ):
        raise NotFound("there is no such conversation")
    return view
