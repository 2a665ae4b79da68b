"""Roles of one's own: what people may do where the built-in roles do not fit.

A role of one's own sees what its base sees (a built-in role, chosen once) and may do what is listed. Nobody gives what they
do not have: not in a role, not to a person, and whoever has more than oneself is out of one's hand. So somebody with the
built-in administrator's role, who has everything, must always be left (agents.accounts: `last_admin`).

What changes here holds at the next request of everybody who has the role, and their screens are told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from unicodedata import normalize

from sqlalchemy import delete, func, select, update

from hub.agents import audit
from hub.agents.queues import emit_access
from hub.agents.viewer import Viewer, read_permissions
from hub.domain.permissions import BUILT_IN, Permission, allowed
from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.domain.views import RoleView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx

_r, _u, _l = tables.staff_role.c, tables.user_account.c, tables.access_link.c

NAME_LENGTH = 60
_OF_BASE = {
    Role.AGENT: Sentence("this role is one of agents"),
    Role.SUPERVISOR: Sentence("this role is one of supervisors"),
    Role.ADMIN: Sentence("this role is one of admins"),
}


@dataclass(frozen=True, slots=True)
class Given:
    """A role that somebody has or is to have: `role_id` None is the built-in `role`."""

    role: Role
    role_id: int | None
    name: str | None
    permissions: frozenset[Permission]


# --- the roles there are ------------------------------------------------------------------------------------------------


def load_roles(tx: Tx, ids: Collection[int] | None = None) -> list[RoleView]:
    """All of one's own, or those of `ids`, by name."""
    query = select(tables.staff_role).order_by(_r.folded_name)
    people = select(_u.role_id, func.count().label("n")).where(_u.role_id.is_not(None), _u.active).group_by(_u.role_id)
    if ids is not None:
        query = query.where(_r.id.in_(ids))
    counts = {row.role_id: row.n for row in tx.rows(people)}
    return [
        RoleView(
            id=row.id,
            name=row.name,
            base=Role(row.base),
            permissions=_listed(read_permissions(row.permissions)),
            people=counts.get(row.id, 0),
            version=row.version,
        )
        for row in tx.rows(query)
    ]


def load_role(tx: Tx, role_id: int) -> RoleView:
    found = load_roles(tx, [role_id])
    if not found:
        raise NotFound("there is no such role")
    return found[0]


def count_built_in(tx: Tx) -> dict[Role, int]:
    """How many active people have each of the built-in roles."""
    counted = select(_u.role, func.count().label("n")).where(_u.role_id.is_(None), _u.active).group_by(_u.role)
    found = {row.role: row.n for row in tx.rows(counted)}
    return {role: found.get(role.value, 0) for role in Role}


def create_role(
    tx: Tx, name: str, base: Role, permissions: Collection[Permission], *, actor: Viewer | None = None
) -> RoleView:
    """Conflict `name_taken`; InvalidInput naming what is wrong; Forbidden `beyond_you` for what the actor has not."""
    name = _check_name(tx, name, None)
    wanted = _check_permissions(base, permissions)
    check_may_give(actor, Given(base, None, name, wanted))
    values = {
        "name": name,
        "folded_name": name.casefold(),
        "base": base.value,
        "permissions": list(_listed(wanted)),
        "created_at": tx.now,
    }
    row = tx.first(tx.insert_if_new(tables.staff_role).values(**values).returning(_r.id))
    if row is None:  # somebody made it at this very moment
        raise _taken()
    told: dict[str, audit.JSON] = {"name": name, "role": base.value, "permissions": _listed(wanted)}
    audit.note(tx, actor, "role.created", "role", row.id, told)
    return load_role(tx, row.id)


def replace_role(
    tx: Tx,
    role_id: int,
    name: str,
    permissions: Collection[Permission],
    expected_version: int,
    *,
    actor: Viewer | None = None,
) -> RoleView:
    """Its base stays. The errors of `create_role`, and Conflict `version_conflict`. Who may take part no more has nothing in
    hand from now on: it goes back to its queues."""
    before = _lock(tx, role_id, actor)
    if before.version != expected_version:
        raise Conflict("somebody changed this role meanwhile", code="version_conflict")
    name = _check_name(tx, name, role_id)
    wanted = _check_permissions(before.base, permissions)
    check_may_give(actor, Given(before.base, role_id, name, wanted))
    if name == before.name and wanted == frozenset(before.permissions):
        return before
    values = {"name": name, "folded_name": name.casefold(), "permissions": list(_listed(wanted))}
    tx.execute(update(tables.staff_role).where(_r.id == role_id).values(version=_r.version + 1, **values))
    theirs = select(_u.id).where(_u.role_id == role_id, _u.active).order_by(_u.id)
    # Whoever places work with them at this moment is through with it before it is taken, or finds that it may not.
    people = [row.id for row in tx.rows(theirs.with_for_update(key_share=True))]
    if Permission.TAKE_PART in before.permissions and Permission.TAKE_PART not in wanted:
        for user_id in people:
            dispatcher.take_all(tx, actor, user_id)
    # People are told by a new version, as their role's name stands in them.
    tx.execute(update(tables.user_account).where(_u.role_id == role_id).values(version=_u.version + 1))
    emit_access(tx, people)
    after = load_role(tx, role_id)
    audit.note_change(tx, actor, "role.changed", "role", role_id, before, after)
    return after


def delete_role(tx: Tx, role_id: int, *, actor: Viewer | None = None) -> None:
    """Conflict `in_use` while anybody has it or is invited to it. Who works here no more is a plain agent: the built-in role
    of its base may hold far more than they ever had, and they may come back."""
    before = _lock(tx, role_id, actor)
    invited = tx.scalar(
        select(func.count()).where(_l.role_id == role_id, _l.kind == "invitation", _l.ended_at.is_(None))
    )
    if before.people or invited:
        raise Conflict(
            f"{before.people} people have this role, and {invited} are invited to it",
            code="in_use",
            fields={"people": str(before.people), "invitations": str(invited)},
        )
    gone = {"role": Role.AGENT.value, "role_id": None, "version": _u.version + 1}
    tx.execute(update(tables.user_account).where(_u.role_id == role_id).values(**gone))
    # Of these none can be used any more.
    tx.execute(update(tables.access_link).where(_l.role_id == role_id).values(role_id=None))
    tx.execute(delete(tables.staff_role).where(_r.id == role_id))
    audit.note(tx, actor, "role.removed", "role", role_id, {"name": before.name})


def _lock(tx: Tx, role_id: int, actor: Viewer | None) -> RoleView:
    """ROUTING, as work may have to be taken away and nobody may be given the role meanwhile; then the row. Forbidden
    `beyond_you` for a role that holds more than the actor has."""
    tx.lock_routing()
    if tx.first(select(_r.id).where(_r.id == role_id).with_for_update()) is None:
        raise NotFound("there is no such role")
    found = load_role(tx, role_id)
    check_may_give(actor, Given(found.base, role_id, found.name, frozenset(found.permissions)))
    return found


# --- giving them --------------------------------------------------------------------------------------------------------


def find_given(tx: Tx, role: Role | None, role_id: int | None) -> Given:
    """What `role` (built in), or the role of one's own `role_id`, gives. InvalidInput naming `role_id` if there is none or
    it is of another base than a `role` that was given, too."""
    if role_id is None:
        if role is None:
            raise InvalidInput("no role", fields={"role": Sentence("is required")})
        return Given(role, None, None, BUILT_IN[role])
    row = tx.first(select(tables.staff_role).where(_r.id == role_id))
    if row is None:
        raise InvalidInput("no such role", fields={"role_id": Sentence("there is no such role")})
    if role not in (None, Role(row.base)):
        raise InvalidInput("not that role", fields={"role": _OF_BASE[Role(row.base)]})
    return Given(Role(row.base), row.id, row.name, read_permissions(row.permissions))


def check_may_give(actor: Viewer | None, given: Given) -> None:
    """Forbidden `beyond_you` if it is more than the actor has. None (the command line) has everything."""
    if actor is not None and not may_give(actor, given):
        raise Forbidden("this is more than you have yourself", code="beyond_you")


def may_give(actor: Viewer, given: Given) -> bool:
    return actor.covers(given.role) and given.permissions <= actor.permissions


def _listed(permissions: Iterable[Permission]) -> tuple[Permission, ...]:
    held = frozenset(permissions)
    return tuple(permission for permission in Permission if permission in held)


def _check_permissions(base: Role, permissions: Collection[Permission]) -> frozenset[Permission]:
    wanted = frozenset(permissions)
    if senseless := _listed(wanted - allowed(base)):
        raise InvalidInput(
            "this base does not see what they are about",
            fields={"permissions": Sentence("not for agents: {permissions}", permissions=", ".join(senseless))},
        )
    return wanted


def _check_name(tx: Tx, name: str, own_id: int | None) -> str:
    name = " ".join(normalize("NFC", name).split())
    if not name or not name.isprintable() or len(name) > NAME_LENGTH:
        raise InvalidInput(
            "not a name", fields={"name": Sentence("must be 1 to {count} visible characters", count=NAME_LENGTH)}
        )
    if tx.scalar(select(_r.id).where(_r.folded_name == name.casefold(), _r.id != (own_id or 0))) is not None:
        raise _taken()
    return name


def _taken() -> Conflict:
    return Conflict("there is a role with this name", code="name_taken", fields={"name": Sentence("is taken")})
