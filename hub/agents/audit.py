"""The audit log: who changed what of the hub, when, and from where.

    domain function (it has the actor) → note(…) in its own transaction → housekeeping, after the retention

A row is written in the transaction of the act it tells of, so there is neither an act without its row nor a row without
its act. Rows are append only: nothing here changes one, and only `sweep` deletes, by age. They have no foreign keys and keep
the actor's name as it was: a log outlives what it tells of.

`data` is what a sentence needs and no more. By convention `name` is what the subject was called, and `changes` maps a field
to `[before, after]`, or to "changed" where the values are secret or too long to be read. No message texts, no addresses of
customers, no secrets: whoever reads the log need not be allowed to read those.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from pydantic import TypeAdapter
from sqlalchemy import delete, select

from hub.agents.viewer import Viewer
from hub.store import tables
from hub.store.database import Tx

_a = tables.audit.c

JSON: TypeAlias = "str | int | float | bool | Sequence[JSON] | Mapping[str, JSON] | None"

# Stands where the values would be: that it changed may be known, what it is or was may not.
CHANGED = "changed"
# A value that takes more characters than this (a flow, a set of rules) has its own page with its own versions.
_LONGEST_VALUE = 1000
# What changes with every write, or by itself, and says nothing of what somebody did.
_NEVER_TOLD = frozenset({"id", "version"})
_writers: dict[type, TypeAdapter[Any]] = {}
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
