"""Roles: those that are built in, and those of one's own."""

from __future__ import annotations

from hub.agents import roles
from hub.domain.permissions import BUILT_IN, Permission, allowed
from hub.domain.values import Role
from hub.domain.views import RoleView
from hub.store.database import Tx
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import BuiltInRole, NewRole, Roles, SaveRole


@endpoint("GET", "/roles", access=Access.SUPERVISOR, summary="All roles, and what they may do")
async def list_roles(context: Context) -> Roles:
    """Those of one's own by name."""
    return await context.hub.database.read(_load)


@endpoint("POST", "/roles", access=Permission.MANAGE_ROLES, status=201, summary="Make a role")
async def create_role(context: Context, body: NewRole) -> RoleView:
    """409 `name_taken` if there is one of this name, in small or capital letters; 403 `beyond_you` if it holds what you have
    not."""
    return await context.hub.database.transaction(
        roles.create_role, body.name, body.base, body.permissions, actor=context.viewer
    )


@endpoint("PUT", "/roles/{role_id}", access=Permission.MANAGE_ROLES, summary="Change a role")
async def replace_role(context: Context, role_id: int, body: SaveRole) -> RoleView:
    """Its base stays. It holds at once for everybody who has it. 409 `version_conflict`, `name_taken`; 403 `beyond_you` if it
    holds, or would, what you have not."""
    return await context.hub.database.transaction(
        roles.replace_role, role_id, body.name, body.permissions, body.expected_version, actor=context.viewer
    )


@endpoint("DELETE", "/roles/{role_id}", access=Permission.MANAGE_ROLES, summary="Remove a role")
async def delete_role(context: Context, role_id: int) -> None:
    """409 `in_use`, with how many, while people have it or are invited to it."""
    await context.hub.database.transaction(roles.delete_role, role_id, actor=context.viewer)


def _load(tx: Tx) -> Roles:
    people = roles.count_built_in(tx)
    return Roles(
        built_in=[
            BuiltInRole(
                role=role,
                permissions=[each for each in Permission if each in BUILT_IN[role]],
                allowed=[each for each in Permission if each in allowed(role)],
                people=people[role],
            )
            for role in Role
        ],
        own=roles.load_roles(tx),
    )
