"""Saved views: named filters of conversations, one person's own or everybody's, each with how many there are now.

A view is a question, not a list: it is asked anew whenever it is opened, as whoever opens it, so two people may see different
conversations in one shared view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.states import ConversationStatus
from hub.domain.values import ChannelKind
from hub.domain.views import ConversationView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations
from hub.timeline.search import conversations_with

# More is not counted: nobody acts on the difference.
COUNTED = 1_000
# Each is counted whenever somebody looks at the list of them.
VIEWS_LIMIT = 30

_v, _c = tables.saved_view.c, tables.conversation.c
_cu, _t, _ch, _u = tables.customer.c, tables.topic.c, tables.channel.c, tables.user_account.c


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """Which conversations; None and False ask nothing. `status` None: open and resolved ones. `assignee`: me, none, or a
    user's id. `tier`: at least this. `within_days`: something was said in the last so many days."""

    status: ConversationStatus | None = ConversationStatus.OPEN
    assignee: str | None = None
    queue_id: int | None = None
    channel: ChannelKind | None = None
    topic_id: int | None = None
    tag: str | None = None
    tier: int | None = None
    is_unanswered: bool = False
    is_troubled: bool = False
    is_complaint: bool = False
    within_days: int | None = None
    words: str | None = None


@dataclass(frozen=True, slots=True)
class SavedView:
    """`count` has an end (COUNTED); `is_mine`: the viewer may change it."""

    id: int
    name: str
    is_shared: bool
    is_mine: bool
    owner_name: str
    filter: ConversationFilter
    count: int
    version: int


def load_views(tx: Tx, viewer: Viewer) -> list[SavedView]:
    """One's own and the shared ones, by name, with how many conversations each has."""
    query = _VIEWS.where(_v.is_shared | (_v.owner_id == viewer.user_id)).order_by(func.lower(_v.name), _v.id)
    return [_view(tx, viewer, row) for row in tx.rows(query)]


def access_view(tx: Tx, viewer: Viewer, view_id: int) -> SavedView:
    """NotFound if there is none, or it is somebody else's own."""
    return _view(tx, viewer, _access(tx, viewer, view_id))


def create_view(tx: Tx, viewer: Viewer, *, name: str, is_shared: bool, filter_: ConversationFilter) -> SavedView:
    """Forbidden for an agent who would share it; Conflict when one has too many."""
    _check(tx, viewer, is_shared=is_shared, filter_=filter_)
    if int(tx.scalar(select(func.count()).where(_v.owner_id == viewer.user_id))) >= VIEWS_LIMIT:
        raise Conflict(f"you have {VIEWS_LIMIT} saved views: remove one first", code="too_many_views")
    row = {"owner_id": viewer.user_id, "name": name, "is_shared": is_shared, "filter": _stored(filter_)}
    return access_view(tx, viewer, tx.insert(tables.saved_view, {**row, "created_at": tx.now}))


def update_view(
    tx: Tx,
    viewer: Viewer,
    view_id: int,
    *,
    expected_version: int | None,
    name: str | None = None,
    is_shared: bool | None = None,
    filter_: ConversationFilter | None = None,
) -> SavedView:
    """What is None stays. Conflict `version_conflict` if somebody changed it meanwhile."""
    row = _access_to_change(tx, viewer, view_id)
    if expected_version is not None and row.version != expected_version:
        raise Conflict("somebody changed this view meanwhile", code="version_conflict")
    shared = row.is_shared if is_shared is None else is_shared
    _check(tx, viewer, is_shared=shared and not row.is_shared, filter_=filter_)
    values: dict[str, Any] = {"is_shared": shared, "version": row.version + 1}
    values |= {"name": name} if name is not None else {}
    values |= {"filter": _stored(filter_)} if filter_ is not None else {}
    tx.execute(update(tables.saved_view).where(_v.id == view_id).values(**values))
    return access_view(tx, viewer, view_id)


def remove_view(tx: Tx, viewer: Viewer, view_id: int) -> None:
    _access_to_change(tx, viewer, view_id)
    tx.execute(delete(tables.saved_view).where(_v.id == view_id))


def load_conversations_of(
    tx: Tx, viewer: Viewer, view_id: int, *, before: tuple[datetime, int] | None, limit: int
) -> list[ConversationView]:
    """Newest activity first; `before` is the (last_entry_at, id) of the last one already held."""
    found = _filter_of(_access(tx, viewer, view_id).filter)
    query = conversations.CONVERSATIONS.where(*_conditions(tx, viewer, found))
    if before is not None:
        at, conversation_id = before
        query = query.where((_c.last_entry_at < at) | ((_c.last_entry_at == at) & (_c.id < conversation_id)))
    query = query.order_by(_c.last_entry_at.desc(), _c.id.desc()).limit(limit)
    return [conversations.conversation_view(row) for row in tx.rows(query)]


def customers_of(tx: Tx, viewer: Viewer, view_id: int) -> Any:
    """Whom the view's conversations are with, as a query of ids; NotFound as above."""
    conditions = _conditions(tx, viewer, _filter_of(_access(tx, viewer, view_id).filter))
    found = select(_c.customer_id).join(tables.customer, _cu.id == _c.customer_id)
    return found.join(tables.channel, _ch.id == _c.channel_id).where(*conditions)


_VIEWS = select(tables.saved_view, _u.name.label("owner_name")).join(tables.user_account, _u.id == _v.owner_id)


def _access(tx: Tx, viewer: Viewer, view_id: int, *, lock: bool = False) -> Any:
    query = _VIEWS.where(_v.id == view_id)
    row = tx.first(query.with_for_update(of=tables.saved_view) if lock else query)
    if row is None or not (row.is_shared or row.owner_id == viewer.user_id):
        raise NotFound("there is no such view")
    return row


def _may_change(viewer: Viewer, row: Any) -> bool:
    return bool(row.owner_id == viewer.user_id or viewer.may(Permission.SHARE_VIEWS))


def _access_to_change(tx: Tx, viewer: Viewer, view_id: int) -> Any:
    row = _access(tx, viewer, view_id, lock=True)
    if not _may_change(viewer, row):
        raise Forbidden("only its owner or a supervisor may change this view")
    return row


def _check(tx: Tx, viewer: Viewer, *, is_shared: bool, filter_: ConversationFilter | None) -> None:
    if is_shared and not viewer.may(Permission.SHARE_VIEWS):
        raise Forbidden("only a supervisor may share a view with everybody")
    if filter_ is None:
        return
    named = (("queue_id", tables.queue, filter_.queue_id), ("topic_id", tables.topic, filter_.topic_id))
    for field, table, given in named:
        if given is not None and tx.first(select(table.c.id).where(table.c.id == given)) is None:
            raise InvalidInput("there is no such thing", fields={f"filter.{field}": Sentence("is not there")})
    if filter_.words:
        conversations_with(tx, viewer, filter_.words)  # too long a question is refused now, not whenever it is asked


def _stored(filter_: ConversationFilter) -> dict[str, Any]:
    return asdict(filter_)


def _filter_of(stored: Mapping[str, Any]) -> ConversationFilter:
    """What an older or a newer release asked besides is left out."""
    known = {field.name for field in fields(ConversationFilter)}
    values = {name: value for name, value in stored.items() if name in known}
    values["status"] = ConversationStatus(values["status"]) if values.get("status") else None
    values["channel"] = ChannelKind(values["channel"]) if values.get("channel") else None
    return ConversationFilter(**values)


def _view(tx: Tx, viewer: Viewer, row: Any) -> SavedView:
    found = _filter_of(row.filter)
    some = (
        select(_c.id)
        .join(tables.customer, _cu.id == _c.customer_id)
        .join(tables.channel, _ch.id == _c.channel_id)
        .where(*_conditions(tx, viewer, found))
        .limit(COUNTED)
        .subquery()
    )
    return SavedView(
        id=row.id,
        name=row.name,
        is_shared=row.is_shared,
        is_mine=_may_change(viewer, row),
        owner_name=row.owner_name,
        filter=found,
        count=int(tx.scalar(select(func.count()).select_from(some))),
        version=row.version,
    )


def _conditions(tx: Tx, viewer: Viewer, asked: ConversationFilter) -> list[Any]:
    conditions: list[Any] = []
    if (visible := conversations.visible_to(viewer.role, viewer.user_id, viewer.queue_ids)) is not None:
        conditions.append(visible)
    plain = (
        (_c.status, asked.status and asked.status.value),
        (_c.queue_id, asked.queue_id),
        (_ch.kind, asked.channel and asked.channel.value),
        (_c.topic_id, asked.topic_id),
    )
    conditions += [column == value for column, value in plain if value is not None]
    if asked.assignee == "none":
        conditions.append(_c.assignee_id.is_(None))
    elif asked.assignee is not None:
        conditions.append(_c.assignee_id == (viewer.user_id if asked.assignee == "me" else int(asked.assignee)))
    if asked.tag is not None:
        conditions.append(conversations.has_tag(asked.tag))
    if asked.tier is not None:
        conditions.append(_cu.tier >= asked.tier)
    if asked.is_unanswered:
        conditions.append(_c.unanswered_since.is_not(None))
    complaints = _c.topic_id.in_(select(_t.id).where(_t.is_complaint))
    if asked.is_complaint:
        conditions.append(complaints)
    if asked.is_troubled:
        conditions.append((_c.escalated > 0) | complaints)
    if asked.within_days is not None:
        conditions.append(_c.last_entry_at >= tx.now - timedelta(days=asked.within_days))
    if asked.words and (with_words := conversations_with(tx, viewer, asked.words)) is not None:
        conditions.append(with_words)
    return conditions
