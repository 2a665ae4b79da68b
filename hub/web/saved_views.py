"""Saved views: named filters of conversations, one's own and shared ones."""

from __future__ import annotations

from datetime import datetime

from hub.domain.views import ConversationView
from hub.timeline import saved_views
from hub.timeline.saved_views import ConversationFilter, SavedView
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import Page, ViewFilter, ViewToChange, ViewToSave


@endpoint("GET", "/views", access=Access.AGENT, summary="Your saved views and the shared ones")
async def list_views(context: Context) -> Page[SavedView]:
    """By name, each with how many conversations there are in it now, as far as you may see them; 1,000 is as far as is
    counted."""
    return Page(await context.hub.database.read(saved_views.load_views, context.viewer))


@endpoint("POST", "/views", access=Access.AGENT, status=201, summary="Save a view")
async def create_view(context: Context, body: ViewToSave) -> SavedView:
    """Sharing it with everybody needs a supervisor."""
    return await context.hub.database.transaction(
        saved_views.create_view,
        context.viewer,
        name=body.name,
        is_shared=body.is_shared,
        filter_=_filter(body.filter),
    )


@endpoint("PATCH", "/views/{view_id}", access=Access.AGENT, summary="Change a view")
async def update_view(context: Context, view_id: int, body: ViewToChange) -> SavedView:
    """A shared one is changed by its owner or a supervisor. With `expected_version`, 409 `version_conflict` when somebody
    changed it meanwhile."""
    return await context.hub.database.transaction(
        saved_views.update_view,
        context.viewer,
        view_id,
        expected_version=body.expected_version,
        name=body.name,
        is_shared=body.is_shared,
        filter_=_filter(body.filter) if body.filter is not None else None,
    )


@endpoint("DELETE", "/views/{view_id}", access=Access.AGENT, summary="Remove a view")
async def remove_view(context: Context, view_id: int) -> None:
    await context.hub.database.transaction(saved_views.remove_view, context.viewer, view_id)


@endpoint("GET", "/views/{view_id}/conversations", access=Access.AGENT, summary="The conversations of a view")
async def list_view_conversations(
    context: Context, view_id: int, limit: Limit = DEFAULT_LIMIT, cursor: str | None = None
) -> Page[ConversationView]:
    """Newest activity first."""
    before = read_cursor(cursor, datetime, int)
    items = await context.hub.database.read(
        saved_views.load_conversations_of, context.viewer, view_id, before=before, limit=limit
    )
    last = items[-1] if len(items) == limit else None
    return Page(items=items, next_cursor=write_cursor(last.last_entry_at, last.id) if last is not None else None)


def _filter(body: ViewFilter) -> ConversationFilter:
    return ConversationFilter(**body.model_dump())
