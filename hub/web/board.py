"""The board: the floor as it is now, agents and queues with their figures of today."""

from __future__ import annotations

from hub.domain.views import BoardView
from hub.kpi.board import load_board
from hub.web.api import Access, Context, endpoint


@endpoint("GET", "/board", access=Access.AGENT, summary="Agents and queues with their figures of today")
async def get_board(context: Context) -> BoardView:
    """Supervisors see everybody and every queue, agents themselves and their queues. The events `numbers.changed` and
    `queue_numbers.changed` of `/live` carry the same figures on."""
    return await context.hub.database.read(load_board, context.viewer)
