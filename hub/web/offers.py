"""Offers: work that rings at an agent."""

from __future__ import annotations

from hub.domain.permissions import Permission
from hub.domain.views import ConversationView
from hub.routing import dispatcher
from hub.web.api import Context, endpoint


@endpoint("POST", "/offers/{offer_id}/accept", access=Permission.TAKE_PART, summary="Take the offered work")
async def accept(context: Context, offer_id: int) -> ConversationView:
    """409 `offer_ended` when its time was over or somebody else has the work."""
    return await context.hub.database.transaction(dispatcher.accept_offer, context.viewer, offer_id)


@endpoint("POST", "/offers/{offer_id}/decline", access=Permission.TAKE_PART, summary="Pass on the offered work")
async def decline(context: Context, offer_id: int) -> None:
    """Rings at somebody else; it is not a miss."""
    await context.hub.database.transaction(dispatcher.decline_offer, context.viewer, offer_id)
