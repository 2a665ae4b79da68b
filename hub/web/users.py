"""User accounts, for administrators."""

from __future__ import annotations

from hub.agents import accounts
from hub.domain.permissions import Permission
from hub.domain.views import UserView
from hub.web.api import DEFAULT_LIMIT, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import NewUser, Page, UpdateUser


@endpoint("GET", "/users", access=Permission.MANAGE_USERS, summary="All user accounts")
async def list_users(context: Context, limit: Limit = DEFAULT_LIMIT, cursor: str | None = None) -> Page[UserView]:
    """Also those that are not active, in the order they were made."""
    (after_id,) = read_cursor(cursor, int) or (0,)
    items = await context.hub.database.read(accounts.load_users, after_id, limit + 1)
    return Page(items[:limit], write_cursor(items[limit - 1].id) if len(items) > limit else None)


@endpoint("POST", "/users", access=Permission.MANAGE_USERS, status=201, summary="Create a user account")
async def create_user(context: Context, body: NewUser) -> UserView:
    """409 `email_taken` if somebody has this e-mail address; 403 `beyond_you` for a role that holds more than you have."""
    password_hash = await accounts.hash_password(body.password)
    return await context.hub.database.transaction(
        accounts.create_user,
        email=body.email,
        name=body.name,
        role=body.role,
        role_id=body.role_id,
        password_hash=password_hash,
        queue_ids=body.queue_ids,
        capacity=body.capacity,
        actor=context.viewer,
    )


@endpoint("GET", "/users/{user_id}", access=Permission.MANAGE_USERS, summary="One user account")
async def get_user(context: Context, user_id: int) -> UserView:
    return await context.hub.database.read(accounts.load_user, user_id)


@endpoint("PATCH", "/users/{user_id}", access=Permission.MANAGE_USERS, summary="Change a user account")
async def update_user(context: Context, user_id: int, body: UpdateUser) -> UserView:
    """`null` or absent leaves a thing as it is. Whoever is deactivated is signed out everywhere at once, and all their
    work goes back to its queues. 409 `last_admin` if nobody would be left to administer the hub; 403 `beyond_you` for who has
    more than you, or would."""
    password_hash = await accounts.hash_password(body.password) if body.password is not None else None
    return await context.hub.database.transaction(
        accounts.update_user,
        context.viewer,
        user_id,
        name=body.name,
        role=body.role,
        role_id=body.role_id,
        active=body.active,
        weights=body.weights,
        desk_phone=body.desk_phone,
        expected_version=body.expected_version,
        password_hash=password_hash,
        queue_ids=body.queue_ids,
        capacity=body.capacity,
    )
