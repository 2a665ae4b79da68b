"""Queues: everybody sees them, administrators change them."""

from __future__ import annotations

from hub.agents import queues
from hub.domain.views import QueueView
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import NewQueue, Page, UpdateQueue


@endpoint("GET", "/queues", access=Access.AGENT, summary="All queues")
async def list_queues(context: Context) -> Page[QueueView]:
    return Page(await context.hub.database.read(queues.load_queue_views))


@endpoint("POST", "/queues", access=Access.ADMIN, status=201, summary="Create a queue")
async def create_queue(context: Context, body: NewQueue) -> QueueView:
    """409 `name_taken` if there is one of this name."""
    return await context.hub.database.transaction(
        queues.create_queue,
        name=body.name,
        offer_timeout_s=body.offer_timeout_s,
        member_ids=body.member_ids,
        signature=body.signature,
    )


@endpoint("GET", "/queues/{queue_id}", access=Access.AGENT, summary="One queue")
async def get_queue(context: Context, queue_id: int) -> QueueView:
    return await context.hub.database.read(queues.load_queue, queue_id)


@endpoint("PATCH", "/queues/{queue_id}", access=Access.ADMIN, summary="Change a queue")
async def update_queue(context: Context, queue_id: int, body: UpdateQueue) -> QueueView:
    """`null` or absent leaves a thing as it is; `member_ids` replaces the members."""
    return await context.hub.database.transaction(
        queues.update_queue,
        queue_id,
        name=body.name,
        offer_timeout_s=body.offer_timeout_s,
        member_ids=body.member_ids,
        signature=body.signature,
    )
