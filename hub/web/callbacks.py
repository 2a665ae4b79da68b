"""Where waiting work stands, and callbacks."""

from __future__ import annotations

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.views import ConversationView, PlaceView
from hub.routing import callbacks, dispatcher, estimates
from hub.store.database import Tx
from hub.timeline import conversations
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import CallbackOutcome, NewCallback


def _load_place(tx: Tx, viewer: Viewer, conversation_id: int) -> PlaceView:
    conversations.access_conversation(tx, viewer, conversation_id)
    return estimates.place_of(tx, conversation_id)


@endpoint("GET", "/conversations/{conversation_id}/place", access=Access.AGENT, summary="Its place in the queue")
async def get_place(context: Context, conversation_id: int) -> PlaceView:
    """And the estimated wait from now on, as a waiting customer is told them."""
    return await context.hub.database.read(_load_place, context.viewer, conversation_id)


@endpoint(
    "POST", "/conversations/{conversation_id}/callback", access=Permission.TAKE_PART, summary="Call the customer back"
)
async def ask_for_callback(context: Context, conversation_id: int, body: NewCallback) -> ConversationView:
    """Enters where the customer wants to be called; work that waits keeps its place. Another number replaces the one there
    was. 409 `resolved`."""
    return await context.hub.database.transaction(callbacks.ask_for, context.viewer, conversation_id, body.address)


@endpoint(
    "DELETE", "/conversations/{conversation_id}/callback", access=Permission.TAKE_PART, summary="Cancel a callback"
)
async def cancel_callback(context: Context, conversation_id: int) -> ConversationView:
    """Nobody is to be called any more; the conversation goes on as any other."""
    return await context.hub.database.transaction(callbacks.cancel, context.viewer, conversation_id)


@endpoint(
    "POST",
    "/conversations/{conversation_id}/callback/outcome",
    access=Permission.TAKE_PART,
    summary="What became of the call",
)
async def settle_callback(context: Context, conversation_id: int, body: CallbackOutcome) -> ConversationView:
    """By whoever holds the conversation. `no_answer`: back to its place in the queue, offered again after the queue's gap;
    after the last attempt it is given up and stays with you. 409 `no_callback`."""
    return await context.hub.database.transaction(
        dispatcher.settle_callback, context.viewer, conversation_id, reached=body.outcome == "reached"
    )
