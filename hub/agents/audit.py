"""The audit log: who changed what of the hub, when, and from where.

    domain function (it has the actor) → note(…) in its own transaction → load(…) → housekeeping, after the retention

A row is written in the transaction of the act it tells of, so there is neither an act without its row nor a row without
its act. Rows are append only: nothing here changes one, and only `sweep` deletes, by age. They have no foreign keys and keep
the actor's name as it was: a log outlives what it tells of.

`data` is what a sentence needs and no more. By convention `name` is what the subject was called, and `changes` maps a field
to `[before, after]`, or to "changed" where the values are secret or too long to be read. No message texts, no addresses of
customers, no secrets: whoever reads the log need not be allowed to read those.

Who heard or deleted a recording is kept with the recordings (calls.recordings) and not twice: `load` reads it from there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Select, and_, delete, false, or_, select, true

from hub.agents.viewer import Viewer
from hub.store import tables
from hub.store.database import Tx

_a, _k, _u = tables.audit.c, tables.api_key.c, tables.user_account.c
_p, _r = tables.recording_play.c, tables.recording.c

JSON: TypeAlias = "str | int | float | bool | Sequence[JSON] | Mapping[str, JSON] | None"

# Stands where the values would be: that it changed may be known, what it is or was may not.
CHANGED = "changed"
# A value that takes more characters than this (a flow, a set of rules) has its own page with its own versions.
_LONGEST_VALUE = 1000
# What changes with every write, or by itself, and says nothing of what somebody did.
_NEVER_TOLD = frozenset({"id", "version"})
_writers: dict[type, TypeAdapter[Any]] = {}
# Ids are BIGINT: this many digits are too many for some.
_ID_DIGITS = 19
# Rows deleted in one unit of work: nobody waits long for the writer.
_SWEEP_STEP = 1000


def note(
    tx: Tx,
    actor: Viewer | None,
    action: str,
    subject: str,
    subject_id: int | str,
    data: Mapping[str, JSON],
    *,
    address: str | None = None,
) -> None:
    """Writes down that `actor` (None: the hub itself, or its command line) did something.

    `action` is the subject and a verb of the past ("queue.changed"), `subject` what kind of thing it was done to, and
    `subject_id` which one ("" if there is but one). `address`: where a request came from that nobody is signed in for.
    """
    tx.insert(
        tables.audit,
        {
            "at": tx.now,
            "actor_id": None if actor is None else actor.user_id,
            "actor_name": "" if actor is None else actor.name,
            "api_key_id": None if actor is None else actor.api_key_id,
            "address": address if actor is None else actor.address,
            "action": action,
            "subject": subject,
            "subject_id": str(subject_id),
            "data": dict(data),
        },
    )


def note_change(
    tx: Tx,
    actor: Viewer | None,
    action: str,
    subject: str,
    subject_id: int | str,
    before: object,
    after: object,
    *,
    name: str | None = None,
    secret: Collection[str] = (),
) -> None:
    """`note` with what differs between two views of a thing; nothing if they are equal. `name` (None: the `name` of the
    view before) is what it was called."""
    found = changes(before, after, secret=secret)
    if not found:
        return
    called = getattr(before, "name", "") if name is None else name
    note(tx, actor, action, subject, subject_id, {"name": called, "changes": found})


def changes(before: object, after: object, *, secret: Collection[str] = ()) -> dict[str, JSON]:
    """Field → `[before, after]` of those that differ between two dataclasses of one type or two mappings; CHANGED where a
    field is one of `secret` or its value is long. Values as JSON has them."""
    was, now = _plain(before), _plain(after)
    found: dict[str, JSON] = {}
    for field in [*was, *(field for field in now if field not in was)]:
        pair: list[JSON] = [was.get(field), now.get(field)]
        if field in _NEVER_TOLD or pair[0] == pair[1]:
            continue
        is_told = field not in secret and all(len(str(value)) <= _LONGEST_VALUE for value in pair)
        found[field] = pair if is_told else CHANGED
    return found


def _plain(thing: object) -> dict[str, JSON]:
    kind = type(thing)
    writer = _writers.get(kind)
    if writer is None:
        writer = _writers[kind] = TypeAdapter(dict[str, Any] if isinstance(thing, Mapping) else kind)
    plain: dict[str, JSON] = writer.dump_python(thing, mode="json")
    return plain


def sweep(tx: Tx, before: datetime) -> bool:
    """Deletes some of the rows that are older; True while there may be more."""
    old = select(_a.id).where(_a.at < before).order_by(_a.at).limit(_SWEEP_STEP).scalar_subquery()
    return int(tx.execute(delete(tables.audit).where(_a.id.in_(old))).rowcount) == _SWEEP_STEP


# --- reading ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Act:
    """`source` and `id` name it: `source` is the table it is from, in the order of equal instants."""

    at: datetime
    source: int
    id: int
    actor_id: int | None
    actor_name: str
    api_key_name: str | None
    address: str | None
    action: str
    subject: str
    subject_id: str
    data: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Wanted:
    """None: whatever. `area`: what stands before the dot of an action. `since` <= at < `until`. `by_hub`: what nobody who was
    signed in did."""

    actor_id: int | None = None
    by_hub: bool = False
    area: str | None = None
    subject: str | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


# Where the next page begins: at, source and id of the last act of the one before.
Place = tuple[datetime, int, int]
_AUDIT, _PLAYED, _DELETED = 0, 1, 2


def load(tx: Tx, wanted: Wanted, before: Place | None, limit: int) -> list[Act]:
    """The newest first."""
    found = [
        *_load_audit(tx, wanted, before, limit),
        *_load_recordings(tx, wanted, before, limit, _PLAYED),
        *_load_recordings(tx, wanted, before, limit, _DELETED),
    ]
    return sorted(found, key=lambda act: (act.at, act.source, act.id), reverse=True)[:limit]


def _load_audit(tx: Tx, wanted: Wanted, before: Place | None, limit: int) -> list[Act]:
    query = select(tables.audit, _k.name.label("api_key_name")).outerjoin(tables.api_key, _k.id == _a.api_key_id)
    query = _narrowed(query, wanted, before, _AUDIT, _a.at, _a.id, _a.actor_id)
    if wanted.area is not None:
        query = query.where(_a.action.startswith(f"{wanted.area}.", autoescape=True))
    if wanted.subject is not None:
        query = query.where(_a.subject == wanted.subject)
    if wanted.subject_id is not None:
        query = query.where(_a.subject_id == wanted.subject_id)
    return [
        Act(
            at=row.at,
            source=_AUDIT,
            id=row.id,
            actor_id=row.actor_id,
            actor_name=row.actor_name,
            api_key_name=row.api_key_name,
            address=row.address,
            action=row.action,
            subject=row.subject,
            subject_id=row.subject_id,
            data=row.data,
        )
        for row in tx.rows(query.limit(limit))
    ]


def _load_recordings(tx: Tx, wanted: Wanted, before: Place | None, limit: int, source: int) -> list[Act]:
    """Who heard recordings, or who deleted them by hand."""
    if wanted.area not in (None, "recording") or wanted.subject not in (None, "recording"):
        return []
    row_id, at, actor_id = (_p.id, _p.at, _p.user_id) if source == _PLAYED else (_r.id, _r.deleted_at, _r.deleted_by)
    table = tables.recording_play if source == _PLAYED else tables.recording
    query: Select[Any] = select(
        row_id, at.label("at"), actor_id.label("actor_id"), _r.id.label("recording_id"), _r.call_id, _u.name
    ).select_from(table)
    if source == _PLAYED:
        query = query.join(tables.recording, _r.id == _p.recording_id)
    query = query.join(tables.user_account, _u.id == actor_id)
    query = _narrowed(query, wanted, before, source, at, row_id, actor_id)
    if wanted.subject_id is not None:
        # A number that no database has an id as large as is nobody's.
        may_be = wanted.subject_id.isdecimal() and len(wanted.subject_id) < _ID_DIGITS
        query = query.where(_r.id == int(wanted.subject_id) if may_be else false())
    return [
        Act(
            at=row.at,
            source=source,
            id=row.id,
            actor_id=row.actor_id,
            actor_name=row.name,
            api_key_name=None,
            address=None,
            action="recording.played" if source == _PLAYED else "recording.deleted",
            subject="recording",
            subject_id=str(row.recording_id),
            data={"name": str(row.call_id)},
        )
        for row in tx.rows(query.limit(limit))
    ]


def _narrowed(
    query: Select[Any],
    wanted: Wanted,
    before: Place | None,
    source: int,
    at: ColumnElement[Any],
    row_id: ColumnElement[Any],
    actor_id: ColumnElement[Any],
) -> Select[Any]:
    if before is not None:
        last_at, last_source, last_id = before
        same = {-1: true(), 0: row_id < last_id, 1: false()}[(source > last_source) - (source < last_source)]
        query = query.where(or_(at < last_at, and_(at == last_at, same)))
    if wanted.actor_id is not None:
        query = query.where(actor_id == wanted.actor_id)
    if wanted.by_hub:
        query = query.where(actor_id.is_(None))
    if wanted.since is not None:
        query = query.where(at >= wanted.since)
    if wanted.until is not None:
        query = query.where(at < wanted.until)
    return query.order_by(at.desc(), row_id.desc())
