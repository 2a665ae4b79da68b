"""What the menus name as they are now: whoever would remove such a thing asks here first."""

from __future__ import annotations

import logging

from sqlalchemy import select

from hub.calls.flow import Flow, Thing, read_flow, references
from hub.routing.calendar import Faults
from hub.store import tables
from hub.store.database import Tx

log = logging.getLogger(__name__)

_f, _v = tables.flow.c, tables.flow_version.c


def flows_naming(tx: Tx, thing: Thing) -> dict[int, list[str]]:
    """Id of such a thing → the names of the menus that name it as they are now, each once."""
    query = (
        select(_f.id, _f.name, _v.body)
        .join(tables.flow_version, (_v.flow_id == _f.id) & (_v.version == _f.version))
        .order_by(_f.name)
    )
    found: dict[int, list[str]] = {}
    for row in tx.rows(query):
        flow = read_stored(row.id, row.body)
        named = {each.id for each in references(flow) if each.thing == thing} if flow is not None else set()
        for thing_id in named:
            found.setdefault(thing_id, []).append(row.name)
    return found


def read_stored(flow_id: int, body: object) -> Flow | None:
    """None if it cannot be read: a caller must not be lost over it."""
    flow = read_flow(body)
    if isinstance(flow, Faults):
        log.error("flow.unreadable", extra={"flow_id": flow_id, "fields": sorted(flow.fields)})
        return None
    return flow
