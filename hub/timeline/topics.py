"""Topics: what conversations are about, and who handles such matters. Complaints are topics that stay in sight.

A topic is switched off, never removed: old conversations are about it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, Table, select, update

from hub.agents import audit
from hub.agents.queues import KEEP, Keep
from hub.agents.viewer import Viewer
from hub.domain.events import STAFF, TopicChanged
from hub.domain.sentences import Sentence
from hub.domain.views import TopicView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx

_t = tables.topic.c


def load_topics(tx: Tx, ids: Collection[int] | None = None) -> list[TopicView]:
    """All of them, also those switched off (old conversations are about them), or those of `ids`; by id."""
    query = select(tables.topic).order_by(_t.id)
    return [_view(row) for row in tx.rows(query if ids is None else query.where(_t.id.in_(ids)))]


def load_topic(tx: Tx, topic_id: int) -> TopicView:
    found = load_topics(tx, [topic_id])
    if not found:
        raise NotFound("there is no such topic")
    return found[0]


def create_topic(
    tx: Tx,
    *,
    name: str,
    is_complaint: bool = False,
    queue_id: int | None = None,
    owner_id: int | None = None,
    policy_id: int | None = None,
    actor: Viewer | None = None,
) -> TopicView:
    """Conflict if there is one of this name, in small or capital letters; InvalidInput naming what is wrong."""
    name = _check_name(tx, name, None)
    _check_targets(tx, queue_id, owner_id, policy_id)
    values = {
        "name": name,
        "folded_name": name.casefold(),
        "is_complaint": is_complaint,
        "queue_id": queue_id,
        "owner_id": owner_id,
        "policy_id": policy_id,
    }
    row = tx.first(tx.insert_if_new(tables.topic).values(**values).returning(_t.id))
    if row is None:  # somebody made it at this very moment
        raise _taken()
    audit.note(tx, actor, "topic.created", "topic", row.id, {"name": name})
    return _tell(tx, row.id)


def update_topic(
    tx: Tx,
    topic_id: int,
    *,
    name: str | None = None,
    is_complaint: bool | None = None,
    queue_id: int | Keep | None = KEEP,
    owner_id: int | Keep | None = KEEP,
    policy_id: int | Keep | None = KEEP,
    active: bool | None = None,
    expected_version: int | None = None,
    actor: Viewer | None = None,
) -> TopicView:
    """None leaves a thing as it is, and so does KEEP where None switches it off. Another policy holds for all that is open
    at once; another queue or owner for what gets the topic from now on."""
    before = tx.first(select(tables.topic).where(_t.id == topic_id).with_for_update())
    if before is None:
        raise NotFound("there is no such topic")
    if expected_version is not None and expected_version != before.version:
        raise Conflict("somebody changed this topic meanwhile", code="version_conflict")
    given: dict[str, object] = {"is_complaint": is_complaint, "active": active}
    if name is not None:
        name = _check_name(tx, name, topic_id)
        given |= {"name": name, "folded_name": name.casefold()}
    values = {field: value for field, value in given.items() if value is not None}
    switched = {"queue_id": queue_id, "owner_id": owner_id, "policy_id": policy_id}
    values |= {field: value for field, value in switched.items() if value is not KEEP}
    changed = {field: value for field, value in values.items() if before._mapping[field] != value}
    if not changed:
        return _view(before)
    _check_targets(tx, *(changed.get(field) for field in switched))
    tx.execute(update(tables.topic).where(_t.id == topic_id).values(version=_t.version + 1, **changed))
    if "policy_id" in changed:
        tx.wake("clocks")
    view = _tell(tx, topic_id)
    audit.note_change(tx, actor, "topic.changed", "topic", topic_id, _view(before), view)
    return view


def disown(tx: Tx, user_id: int, *, actor: Viewer | None = None) -> None:
    """The person handles nothing any more: their topics go to the department alone."""
    for row in tx.rows(select(_t.id).where(_t.owner_id == user_id).order_by(_t.id)):
        update_topic(tx, row.id, owner_id=None, actor=actor)


def _check_targets(tx: Tx, queue_id: object, owner_id: object, policy_id: object) -> None:
    """InvalidInput naming each that is not there. What is, cannot be removed until the commit."""
    u = tables.user_account.c
    faults: dict[str, str] = {}
    if not _is_there(tx, tables.queue, queue_id):
        faults["queue_id"] = Sentence("there is no such queue")
    if owner_id is not None and tx.first(select(u.id).where(u.id == owner_id, u.active)) is None:
        faults["owner_id"] = Sentence("there is no such active user")
    if not _is_there(tx, tables.escalation_policy, policy_id):
        faults["policy_id"] = Sentence("there is no such escalation policy")
    if faults:
        raise InvalidInput("; ".join(faults.values()), fields=faults)


def _is_there(tx: Tx, table: Table, row_id: object) -> bool:
    found = select(table.c.id).where(table.c.id == row_id).with_for_update(key_share=True, read=True)
    return row_id is None or tx.first(found) is not None


def _check_name(tx: Tx, name: str, own_id: int | None) -> str:
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > 60:
        raise InvalidInput("not a name", fields={"name": Sentence("must be 1 to 60 visible characters")})
    if tx.scalar(select(_t.id).where(_t.folded_name == name.casefold(), _t.id != (own_id or 0))) is not None:
        raise _taken()
    return name


def _taken() -> Conflict:
    return Conflict("there is a topic with this name", code="name_taken", fields={"name": Sentence("is taken")})


def _tell(tx: Tx, topic_id: int) -> TopicView:
    view = load_topic(tx, topic_id)
    tx.emit(TopicChanged(view), {STAFF})
    return view


def _view(row: Row[Any]) -> TopicView:
    return TopicView(
        id=row.id,
        name=row.name,
        is_complaint=row.is_complaint,
        queue_id=row.queue_id,
        owner_id=row.owner_id,
        policy_id=row.policy_id,
        active=row.active,
        version=row.version,
    )
