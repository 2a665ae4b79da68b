"""Teams and who is in them: people whose figures are told together, by one clock.

Belonging has a history. A fact belongs to the team its agent was in at that instant (kpi.placing), so who joins or leaves
changes figures from now on and no figure of the past. Another time zone moves the bounds of days: the projector makes all
cells anew then, and reports say meanwhile that they are not complete.

`since` and `until` are later than every fact that is in the cells already. That is why a change takes the projector's
checkpoint: a rebuild places each fact as it was placed at first.

A team that is removed is kept: the past is told by it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from hub.agents import audit, spells
from hub.agents.queues import emit_access
from hub.agents.viewer import Viewer
from hub.domain.events import STAFF, TeamChanged, TeamRemoved
from hub.domain.sentences import Sentence
from hub.domain.views import TeamView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.kpi import facts, targets
from hub.routing.calendar import is_zone
from hub.store import tables
from hub.store.database import Tx

_t, _m, _u, _r = tables.team.c, tables.team_member.c, tables.user_account.c, tables.kpi_alert_rule.c


@dataclass(frozen=True, slots=True)
class Team:
    """What of a team is set. `time_zone` None: the organisation's."""

    name: str
    time_zone: str | None = None
    leaderboard: bool = True
    member_ids: Collection[int] = ()


def load_teams(tx: Tx, ids: Collection[int] | None = None) -> list[TeamView]:
    """All that are there, or those of `ids`, by id. Members who are not active are not shown."""
    found = select(tables.team).where(_t.removed_at.is_(None)).order_by(_t.id)
    members = (
        select(_m.team_id, _m.user_id)
        .join(tables.user_account, _u.id == _m.user_id)
        .where(_m.until.is_(None), _u.active)
        .order_by(_m.user_id)
    )
    if ids is not None:
        found, members = found.where(_t.id.in_(ids)), members.where(_m.team_id.in_(ids))
    by_team: dict[int, list[int]] = {}
    for row in tx.rows(members):
        by_team.setdefault(row.team_id, []).append(row.user_id)
    return [
        TeamView(row.id, row.name, row.time_zone, row.leaderboard, tuple(by_team.get(row.id, ())), row.version)
        for row in tx.rows(found)
    ]


def load_team(tx: Tx, team_id: int) -> TeamView:
    found = load_teams(tx, [team_id])
    if not found:
        raise NotFound("there is no such team")
    return found[0]


def load_history(tx: Tx, team_id: int) -> list[Row[Any]]:
    """(user_id, since, until) of everybody who ever was in it, the newest first. NotFound if there is no such team."""
    load_team(tx, team_id)
    return list(
        tx.rows(
            select(_m.user_id, _m.since, _m.until).where(_m.team_id == team_id).order_by(_m.since.desc(), _m.user_id)
        )
    )


def create_team(tx: Tx, given: Team, *, actor: Viewer | None = None) -> TeamView:
    """Conflict `name_taken` if there is one of this name, in small or capital letters; InvalidInput naming what is wrong."""
    name = _check(tx, given, None)
    values = {
        "name": name,
        "folded_name": name.casefold(),
        "time_zone": given.time_zone,
        "leaderboard": given.leaderboard,
    }
    # Nothing belongs to it yet, so its zone makes no cell wrong.
    with_zone = facts.without_rebuild(tx) if given.time_zone is not None else None
    row = tx.first(tx.insert_if_new(tables.team).values(**values).returning(_t.id))
    if row is None:  # somebody made it at this very moment
        raise _taken()
    if with_zone is not None:
        with_zone()
    emit_access(tx, _set_members(tx, row.id, given.member_ids))
    audit.note(tx, actor, "team.created", "team", row.id, {"name": name})
    return _tell(tx, row.id)


def replace_team(tx: Tx, team_id: int, given: Team, expected_version: int, *, actor: Viewer | None = None) -> TeamView:
    """The team whole. Conflict `version_conflict` if somebody changed it meanwhile."""
    before = _lock(tx, team_id)
    if before.version != expected_version:
        raise Conflict("somebody changed this team meanwhile", code="version_conflict")
    name = _check(tx, given, team_id)
    values = {"name": name, "time_zone": given.time_zone, "leaderboard": given.leaderboard}
    changed = {field: value for field, value in values.items() if before._mapping[field] != value}
    was = load_team(tx, team_id)
    moved = _set_members(tx, team_id, given.member_ids)
    if not changed and not moved:
        return load_team(tx, team_id)
    tx.execute(
        update(tables.team)
        .where(_t.id == team_id)
        .values(version=_t.version + 1, **changed, **({"folded_name": name.casefold()} if "name" in changed else {}))
    )
    if "time_zone" in changed:
        # The projector sees by itself that its cells are of other days.
        tx.wake(facts.WAKE)
    # Its targets hold for others now.
    emit_access(tx, moved)
    after = _tell(tx, team_id)
    audit.note_change(tx, actor, "team.changed", "team", team_id, was, after)
    return after


def remove_team(tx: Tx, team_id: int, *, actor: Viewer | None = None) -> None:
    """Everybody leaves it, and its targets go. Conflict `in_use`, naming them, while limits are watched for it."""
    row = _lock(tx, team_id)
    watched = tx.rows(select(_r.name).where(_r.scope == "team", _r.scope_id == team_id).order_by(_r.name))
    if watched:
        names = ", ".join(row.name for row in watched)
        raise Conflict(f"watched by {names}", code="in_use", fields={"alert_rules": names})
    moved = _set_members(tx, team_id, (), also_inactive=True)
    targets.remove_targets_of(tx, "team", team_id)
    tx.execute(update(tables.team).where(_t.id == team_id).values(removed_at=tx.now, version=_t.version + 1))
    emit_access(tx, moved)
    audit.note(tx, actor, "team.removed", "team", team_id, {"name": row.name})
    tx.emit(TeamRemoved(team_id), {STAFF})


def emit_teams_of(tx: Tx, user_id: int) -> None:
    """Somebody came or went: their teams show their active members."""
    ids = tx.execute(select(_m.team_id).where(_m.user_id == user_id, _m.until.is_(None))).scalars().all()
    for team_id in sorted(ids):
        tx.execute(update(tables.team).where(_t.id == team_id).values(version=_t.version + 1))
        _tell(tx, team_id)


def _lock(tx: Tx, team_id: int) -> Row[Any]:
    row = tx.first(select(tables.team).where(_t.id == team_id, _t.removed_at.is_(None)).with_for_update())
    if row is None:
        raise NotFound("there is no such team")
    return row


def _set_members(tx: Tx, team_id: int, user_ids: Collection[int], *, also_inactive: bool = False) -> set[int]:
    """Who joined or left. Who is deactivated is shown to nobody, and so is neither put in nor, unless `also_inactive`, taken
    out."""
    wanted = set(user_ids)
    current = select(_m.user_id).where(_m.team_id == team_id, _m.until.is_(None))
    if not also_inactive:
        current = current.join(tables.user_account, _u.id == _m.user_id).where(_u.active)
    held = set(tx.execute(current).scalars())
    moved = wanted ^ held
    if not moved:
        return set()
    # Their time until now belongs where they were.
    spells.cut(tx, moved)
    at = facts.lock_projected_until(tx)
    left = (_m.team_id == team_id, _m.until.is_(None), _m.user_id.in_(held - wanted))
    # Who joined at this very instant never was in it.
    tx.execute(delete(tables.team_member).where(*left, _m.since >= at))
    tx.execute(update(tables.team_member).where(*left).values(until=at))
    tx.insert_new(
        tables.team_member,
        [
            {"team_id": team_id, "user_id": user_id, "since": _free(tx, team_id, user_id, at), "until": None}
            for user_id in sorted(wanted - held)
        ],
    )
    return moved


def _free(tx: Tx, team_id: int, user_id: int, at: datetime) -> datetime:
    """`at`, or when the last belonging ended if the clock was set back meanwhile: stretches never overlap."""
    last = tx.scalar(select(func.max(_m.until)).where(_m.team_id == team_id, _m.user_id == user_id))
    return at if last is None else max(at, last)


def _check(tx: Tx, given: Team, own_id: int | None) -> str:
    """The name as it is kept. InvalidInput naming every fault; Conflict if it is taken."""
    faults: dict[str, str] = {}
    name = " ".join(given.name.split())
    if not name or not name.isprintable() or len(name) > 60:
        faults["name"] = Sentence("must be 1 to {count} visible characters", count=60)
    if given.time_zone is not None and not is_zone(given.time_zone):
        faults["time_zone"] = Sentence("is no time zone that is known here")
    wanted = set(given.member_ids)
    known = set(tx.execute(select(_u.id).where(_u.id.in_(wanted), _u.active)).scalars()) if wanted else set()
    if wanted - known:
        unknown = ", ".join(str(user_id) for user_id in sorted(wanted - known)[:10])
        faults["member_ids"] = Sentence("there is no active user {ids}", ids=unknown)
    if faults:
        raise InvalidInput("the team cannot be so", fields=faults)
    other = select(_t.id).where(_t.folded_name == name.casefold(), _t.removed_at.is_(None), _t.id != (own_id or 0))
    if tx.first(other) is not None:
        raise _taken()
    return name


def _taken() -> Conflict:
    return Conflict("there is a team with this name", code="name_taken", fields={"name": Sentence("is taken")})


def _tell(tx: Tx, team_id: int) -> TeamView:
    view = load_team(tx, team_id)
    tx.emit(TeamChanged(view), {STAFF})
    return view
