"""API keys, for administrators: how programs sign in."""

from __future__ import annotations

from hub.agents import accounts
from hub.agents.accounts import KeptApiKey
from hub.domain.permissions import Permission
from hub.web.api import DEFAULT_LIMIT, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import ApiKey, IssuedApiKey, NewApiKey, Page


@endpoint("GET", "/api-keys", access=Permission.MANAGE_KEYS, summary="All API keys")
async def list_api_keys(context: Context, limit: Limit = DEFAULT_LIMIT, cursor: str | None = None) -> Page[ApiKey]:
    """Newest first, without those that are revoked. No token is ever shown again."""
    (before_id,) = read_cursor(cursor, int) or (None,)
    items = await context.hub.database.read(accounts.load_api_keys, before_id, limit + 1)
    return Page(
        [_view(key) for key in items[:limit]], write_cursor(items[limit - 1].id) if len(items) > limit else None
    )


@endpoint("POST", "/api-keys", access=Permission.MANAGE_KEYS, status=201, summary="Create an API key")
async def create_api_key(context: Context, body: NewApiKey) -> IssuedApiKey:
    """The answer is the only place where the token is ever shown. The key acts in your name, with the role it is given
    and never more than your own."""
    key, token = await context.hub.database.transaction(
        accounts.create_api_key, context.viewer.user_id, body.name, body.role, actor=context.viewer
    )
    return IssuedApiKey(**_view(key).model_dump(), token=token)


@endpoint("DELETE", "/api-keys/{key_id}", access=Permission.MANAGE_KEYS, summary="Revoke an API key")
async def revoke_api_key(context: Context, key_id: int) -> None:
    """It stops working at once."""
    await context.hub.database.transaction(accounts.revoke_api_key, key_id, actor=context.viewer)


def _view(key: KeptApiKey) -> ApiKey:
    return ApiKey(
        id=key.id,
        name=key.name,
        role=key.role,
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        hint=key.hint,
    )
