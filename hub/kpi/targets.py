"""What figures should be: a target for everybody, and others for a queue, a team or an agent. The narrowest holds.

Whether a figure is good is measures.level_of. An agent sees the targets that hold for their own figures; supervisors see all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Row, Table, delete, or_, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.events import STAFF, SUPERVISORS, TargetChanged, TargetRemoved, queue_topic, user_topic
from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.domain.views import TargetView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.kpi.cells import DIM_WORDS, Dim
from hub.kpi.measures import MEASURES, Better
from hub.store import tables
from hub.store.database import Tx

Scope = Literal["all", "queue", "team", "agent"]
# The narrowest first.
SCOPES: Final[tuple[Scope, ...]] = ("agent", "team", "queue", "all")

_g, _m = tables.kpi_target.c, tables.team_member.c
# Stands for "of all" in the table.
_NOBODYS = 0


@dataclass(frozen=True, slots=True)
class Target:
    """`scope_id`: which queue, team or agent; None for all. `warning`: the worst that is no worse than a warning."""

    measure: str
    scope: Scope
    scope_id: int | None
    target: float
    warning: float | None = None


def target_for(
    targets: Iterable[TargetView],
    measure: str,
    *,
    agent_id: int | None = None,
    team_ids: Collection[int] = (),
    queue_id: int | None = None,
) -> TargetView | None:
    """The narrowest that is set for the figure of an agent, of a team, of a queue, of all; of several teams that with the
    lowest id. Pure."""
    ids: dict[Scope, Collection[int | None]] = {
        "agent": () if agent_id is None else (agent_id,),
        "team": team_ids,
        "queue": () if queue_id is None else (queue_id,),
        "all": (None,),
    }
    mine = [each for each in targets if each.measure == measure and each.scope_id in ids[each.scope]]
    return min(mine, key=lambda each: (SCOPES.index(each.scope), each.scope_id or 0), default=None)


def load_targets(tx: Tx, viewer: Viewer | None = None) -> list[TargetView]:
    """By id: all, or those that `viewer` sees."""
    query = select(tables.kpi_target).order_by(_g.id)
    if viewer is not None and not viewer.covers(Role.SUPERVISOR):
        query = query.where(
            or_(
                _g.scope == "all",
                (_g.scope == "queue") & _g.scope_id.in_(sorted(viewer.queue_ids)),
                (_g.scope == "team")
                & _g.scope_id.in_(select(_m.team_id).where(_m.user_id == viewer.user_id, _m.until.is_(None))),
                (_g.scope == "agent") & (_g.scope_id == viewer.user_id),
            )
        )
    return [_view(row) for row in tx.rows(query)]


def create_target(tx: Tx, given: Target, *, actor: Viewer | None = None) -> TargetView:
    """Conflict `target_taken` if there is one for the same figure; InvalidInput naming what is wrong."""
    check_target(tx, given)
    row = tx.first(tx.insert_if_new(tables.kpi_target).values(**_values(given)).returning(tables.kpi_target))
    if row is None:
        raise _taken()
    view = _view(row)
    audit.note(tx, actor, "target.created", "target", view.id, _told(view))
    tx.emit(TargetChanged(view), _audience(tx, view))
    return view


def replace_target(tx: Tx, target_id: int, given: Target, *, actor: Viewer | None = None) -> TargetView:
    before = _lock(tx, target_id)
    check_target(tx, given)
    values = _values(given)
    same = (_g.measure == given.measure, _g.scope == given.scope, _g.scope_id == values["scope_id"])
    if tx.first(select(_g.id).where(*same, _g.id != target_id)) is not None:
        raise _taken()
    tx.execute(update(tables.kpi_target).where(_g.id == target_id).values(**values))
    view = _view(_lock(tx, target_id))
    told, audience = _audience(tx, before), _audience(tx, view)
    if (before.scope, before.scope_id) != (view.scope, view.scope_id):
        tx.emit(TargetRemoved(target_id), told)
    tx.emit(TargetChanged(view), audience)
    audit.note_change(tx, actor, "target.changed", "target", target_id, _view(before), view, name=before.measure)
    return view


def remove_target(tx: Tx, target_id: int, *, actor: Viewer | None = None) -> None:
    row = _lock(tx, target_id)
    audit.note(tx, actor, "target.removed", "target", target_id, _told(_view(row)))
    _remove(tx, row)


def _told(view: TargetView) -> dict[str, audit.JSON]:
    """What the audit log says of it: `name` is its measure."""
    return {"name": view.measure, "scope": view.scope, "scope_id": view.scope_id, "target": view.target}


def remove_targets_of(tx: Tx, scope: Scope, scope_id: int) -> None:
    """Whose they were is gone."""
    mine = select(tables.kpi_target).where(_g.scope == scope, _g.scope_id == scope_id).order_by(_g.id)
    for row in tx.rows(mine.with_for_update()):
        _remove(tx, row)


def check_target(tx: Tx, given: Target) -> None:
    """InvalidInput naming every fault."""
    faults = scope_faults(tx, given.scope, given.scope_id)
    measure = MEASURES.get(given.measure)
    if measure is None:
        faults["measure"] = Sentence("there is no such measure")
    elif measure.better is None:
        faults["measure"] = Sentence("is neither better nor worse when it is higher")
    elif Dim(given.scope) not in measure.by:
        faults["measure"] = Sentence("is not told by {dim}", dim=DIM_WORDS[Dim(given.scope)])
    elif given.warning is not None and given.warning != given.target:
        is_above = given.warning > given.target
        if is_above is (measure.better is Better.HIGHER):
            below, above = Sentence("must be below the target"), Sentence("must be above the target")
            faults["warning"] = below if is_above else above
    if faults:
        raise InvalidInput("the target cannot be so", fields=faults)


_WHERE: dict[Scope, Table] = {"queue": tables.queue, "team": tables.team, "agent": tables.user_account}
_WHICH: dict[Scope, str] = {
    "queue": Sentence("say which queue"),
    "team": Sentence("say which team"),
    "agent": Sentence("say which agent"),
}
_NONE_SUCH: dict[Scope, str] = {
    "queue": Sentence("there is no such queue"),
    "team": Sentence("there is no such team"),
    "agent": Sentence("there is no such agent"),
}


def scope_faults(tx: Tx, scope: Scope, scope_id: int | None) -> dict[str, str]:
    """What is wrong with whose figure is meant, naming `scope_id`. What is there cannot be removed until the commit."""
    if scope == "all":
        return {} if scope_id is None else {"scope_id": Sentence("must be empty for all")}
    table = _WHERE[scope]
    if scope_id is None:
        return {"scope_id": _WHICH[scope]}
    found = select(table.c.id).where(table.c.id == scope_id).with_for_update(key_share=True, read=True)
    if scope == "team":
        found = found.where(table.c.removed_at.is_(None))
    elif scope == "agent":
        found = found.where(table.c.active)
    # An id is a number of 64 bits.
    is_there = 0 < scope_id < 2**63 and tx.first(found) is not None
    return {} if is_there else {"scope_id": _NONE_SUCH[scope]}


def _values(given: Target) -> dict[str, Any]:
    return {
        "measure": given.measure,
        "scope": given.scope,
        "scope_id": _NOBODYS if given.scope_id is None else given.scope_id,
        "target": given.target,
        "warning": given.warning,
    }


def _lock(tx: Tx, target_id: int) -> Row[Any]:
    row = tx.first(select(tables.kpi_target).where(_g.id == target_id).with_for_update())
    if row is None:
        raise NotFound("there is no such target")
    return row


def _remove(tx: Tx, row: Row[Any]) -> None:
    tx.execute(delete(tables.kpi_target).where(_g.id == row.id))
    tx.emit(TargetRemoved(row.id), _audience(tx, row))


def _audience(tx: Tx, target: TargetView | Row[Any]) -> set[str]:
    if target.scope == "all":
        return {STAFF}
    if target.scope == "queue":
        return {SUPERVISORS, queue_topic(target.scope_id or _NOBODYS)}
    if target.scope == "agent":
        return {SUPERVISORS, user_topic(target.scope_id or _NOBODYS)}
    members = select(_m.user_id).where(_m.team_id == target.scope_id, _m.until.is_(None))
    return {SUPERVISORS, *(user_topic(user_id) for user_id in tx.execute(members).scalars())}


def _taken() -> Conflict:
    return Conflict(
        "there is a target for this figure",
        code="target_taken",
        fields={"measure": Sentence("has a target for this already")},
    )


def _view(row: Row[Any]) -> TargetView:
    scope_id = None if row.scope_id == _NOBODYS else row.scope_id
    return TargetView(row.id, row.measure, row.scope, scope_id, row.target, row.warning)
