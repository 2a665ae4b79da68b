"""Menus as they are kept: each version for ever, so that a call goes on in the one in which it began.

The body of a version is what calls.flow reads, which also names what is wrong in it; whether the queues, calendars and
sounds that it names are there is looked at here, and their rows are held meanwhile. What is gone all the same (by hand, in a
restored database) is told with the menu and passed over in a call: hours that are gone are open, a sound is its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table, delete, func, insert, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.calls.flow import Flow, Step, Thing, World, read_flow, references, walk, write_flow
from hub.calls.flows_in_force import read_stored
from hub.domain.sentences import Sentence
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing.calendar import Faults, is_open
from hub.routing.calendars import load_current
from hub.store import tables
from hub.store.database import Tx

_f, _v = tables.flow.c, tables.flow_version.c
_THINGS: Mapping[Thing, Table] = {"queue": tables.queue, "calendar": tables.calendar, "sound": tables.sound}
_WORDS: Mapping[Thing, str] = {
    "queue": Sentence("there is no such queue"),
    "calendar": Sentence("there are no such business hours"),
    "sound": Sentence("there is no such sound"),
}


@dataclass(frozen=True, slots=True)
class StoredFlow:
    """`body`: as it is kept, also if it cannot be read. `channels`: the lines that begin with it, id → name. `missing`: what
    it names and is gone, field → words."""

    id: int
    name: str
    version: int
    body: Mapping[str, Any]
    channels: Mapping[str, str]
    missing: Mapping[str, str]


def current(tx: Tx, flow_id: int) -> tuple[int, Flow] | None:
    """The version that holds now, and the flow; None if there is none, or none that can be read."""
    version = tx.scalar(select(_f.version).where(_f.id == flow_id))
    flow = load_version(tx, flow_id, version) if version is not None else None
    return (version, flow) if flow is not None else None


def load_version(tx: Tx, flow_id: int, version: int) -> Flow | None:
    """That version for ever; None when the menu was removed, or cannot be read (any more)."""
    body = tx.scalar(select(_v.body).where(_v.flow_id == flow_id, _v.version == version))
    return read_stored(flow_id, body) if body is not None else None


def load_flows(tx: Tx, flow_id: int | None = None) -> list[StoredFlow]:
    """All as they are now by name, or the one."""
    query = (
        select(_f.id, _f.name, _f.version, _v.body)
        .join(tables.flow_version, (_v.flow_id == _f.id) & (_v.version == _f.version))
        .order_by(func.lower(_f.name), _f.id)
    )
    rows = tx.rows(query if flow_id is None else query.where(_f.id == flow_id))
    lines: dict[int, dict[str, str]] = {}
    ch = tables.channel.c
    for row in tx.rows(select(ch.id, ch.name, ch.flow_id).where(ch.flow_id.is_not(None)).order_by(ch.name)):
        lines.setdefault(row.flow_id, {})[row.id] = row.name
    return [_stored(tx, row, lines.get(row.id, {})) for row in rows]


def load_flow(tx: Tx, flow_id: int) -> StoredFlow:
    """As it is now; NotFound if there is none."""
    found = load_flows(tx, flow_id)
    if not found:
        raise NotFound("there is no such menu")
    return found[0]


def create_flow(tx: Tx, name: str, body: object, *, actor: Viewer | None = None) -> StoredFlow:
    """`body`: what calls.flow.read_flow reads. Conflict if the name is taken; InvalidInput naming every fault as
    `body.nodes.main.said` …"""
    flow = check_body(tx, body, is_held=True)
    _check_name(tx, name, None)
    row = tx.first(tx.insert_if_new(tables.flow).values(name=name).returning(_f.id))
    if row is None:  # somebody made it at this very moment
        raise _taken()
    _insert_version(tx, row.id, 1, flow)
    audit.note(tx, actor, "flow.created", "flow", row.id, {"name": name})
    return load_flow(tx, row.id)


def update_flow(
    tx: Tx,
    flow_id: int,
    *,
    name: str | None = None,
    body: object = None,
    expected_version: int | None = None,
    actor: Viewer | None = None,
) -> StoredFlow:
    """What is given; a new version, which calls that come from now on begin in. Conflict `version_conflict` if somebody
    changed it meanwhile."""
    row = tx.first(select(_f.name, _f.version).where(_f.id == flow_id).with_for_update())
    if row is None:
        raise NotFound("there is no such menu")
    if expected_version is not None and expected_version != row.version:
        raise Conflict("somebody changed this menu meanwhile", code="version_conflict")
    before = tx.scalar(select(_v.body).where(_v.flow_id == flow_id, _v.version == row.version))
    after = write_flow(check_body(tx, body, is_held=True)) if body is not None else before
    if name is not None and name != row.name:
        _check_name(tx, name, flow_id)
    if (name or row.name, after) != (row.name, before):
        version = row.version + 1
        tx.execute(insert(tables.flow_version).values(flow_id=flow_id, version=version, since=tx.now, body=after))
        tx.execute(update(tables.flow).where(_f.id == flow_id).values(name=name or row.name, version=version))
        # What is said is in the versions.
        told = [{"name": row.name, "body": before}, {"name": name or row.name, "body": after}]
        audit.note_change(tx, actor, "flow.changed", "flow", flow_id, *told, name=row.name, secret={"body"})
    return load_flow(tx, flow_id)


def delete_flow(tx: Tx, flow_id: int, *, actor: Viewer | None = None) -> None:
    """Conflict `in_use`, naming them, while lines begin with it. A call that is in it goes on to its line's queue."""
    # A line that begins to use it holds its row meanwhile.
    row = tx.first(select(_f.name).where(_f.id == flow_id).with_for_update())
    if row is None:
        raise NotFound("there is no such menu")
    ch = tables.channel.c
    lines = [row.name for row in tx.rows(select(ch.name).where(ch.flow_id == flow_id).order_by(ch.name))]
    if lines:
        names = ", ".join(lines)
        raise Conflict(f"in use by {names}", code="in_use", fields={"channels": names})
    tx.execute(delete(tables.flow).where(_f.id == flow_id))
    audit.note(tx, actor, "flow.removed", "flow", flow_id, {"name": row.name})


def check_body(tx: Tx, body: object, *, is_held: bool = False) -> Flow:
    """The flow that is meant. InvalidInput with every fault in it, also queues, hours and sounds that are not there.
    `is_held`: what there is of them is not removed before the commit."""
    flow = read_flow(body)
    faults = flow.fields if isinstance(flow, Faults) else _missing(tx, flow, is_held=is_held)
    if isinstance(flow, Faults) or faults:
        raise InvalidInput("the menu cannot be so", fields={f"body.{name}": words for name, words in faults.items()})
    return flow


def try_out(
    tx: Tx, flow: Flow, deeds: Iterable[str], *, at: datetime | None = None, language: str = "", has_number: bool = True
) -> tuple[Step, ...]:
    """What a caller hears who calls at that instant (None: now) and does this (calls.flow.walk). Changes nothing."""
    ids = {each.id for each in references(flow) if each.thing == "calendar"}
    calendars, moment = load_current(tx, ids), at or tx.now

    def is_open_then(calendar_id: int) -> bool:
        calendar = calendars.get(calendar_id)
        return calendar is None or is_open(calendar, moment)

    return walk(flow, World(is_open_then, has_number, language), tuple(deeds))


def _missing(tx: Tx, flow: Flow, *, is_held: bool) -> dict[str, str]:
    named = list(references(flow))
    there: dict[Thing, set[int]] = {}
    for thing, table in _THINGS.items():
        ids = {each.id for each in named if each.thing == thing}
        query = select(table.c.id).where(table.c.id.in_(ids)).order_by(table.c.id)
        rows = tx.rows(query.with_for_update(key_share=True) if is_held else query) if ids else ()
        there[thing] = {row.id for row in rows}
    return {each.field: _WORDS[each.thing] for each in named if each.id not in there[each.thing]}


def _insert_version(tx: Tx, flow_id: int, version: int, flow: Flow) -> None:
    row = {"flow_id": flow_id, "version": version, "since": tx.now, "body": write_flow(flow)}
    tx.execute(insert(tables.flow_version).values(**row))


def _stored(tx: Tx, row: Row[Any], channels: Mapping[str, str]) -> StoredFlow:
    flow = read_stored(row.id, row.body)
    missing = _missing(tx, flow, is_held=False) if flow is not None else {}
    return StoredFlow(row.id, row.name, row.version, row.body, channels, missing)


def _check_name(tx: Tx, name: str, own_id: int | None) -> None:
    if tx.scalar(select(_f.id).where(_f.name == name, _f.id != (own_id or 0))) is not None:
        raise _taken()


def _taken() -> Conflict:
    return Conflict("there is a menu with this name", code="name_taken", fields={"name": Sentence("is taken")})
