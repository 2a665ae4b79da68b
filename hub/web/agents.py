"""Agents: the roster, one's own state and numbers, and a supervisor's hand on others'."""

from __future__ import annotations

from hub.agents import roster
from hub.domain.permissions import Permission
from hub.domain.states import AgentState
from hub.domain.views import AgentView, NumbersView
from hub.kpi.board import load_numbers
from hub.routing import dispatcher
from hub.web.api import Access, Context, demand, endpoint
from hub.web.schemas import Page, SetAgentState, SetMyState


@endpoint("GET", "/agents", access=Access.AGENT, summary="All agents with state and load")
async def list_agents(context: Context) -> Page[AgentView]:
    return Page(items=await context.hub.database.read(roster.load_agent_views))


@endpoint("PUT", "/me/state", access=Access.AGENT, summary="Choose your state")
async def set_my_state(context: Context, body: SetMyState) -> AgentView:
    """`available` is offered work, and needs the permission conversations.take_part; `away` may carry a reason."""
    if body.state == "available":
        demand(context.viewer, Permission.TAKE_PART)
    return await context.hub.database.transaction(
        roster.change_agent_state, context.viewer.user_id, AgentState(body.state), body.reason
    )


@endpoint("GET", "/me/numbers", access=Access.AGENT, summary="Your numbers of today")
async def get_my_numbers(context: Context) -> NumbersView:
    user_id = context.viewer.user_id
    return await context.hub.database.read(lambda tx: load_numbers(tx, user_id, tx.now))


@endpoint("PUT", "/agents/{user_id}/state", access=Permission.ACT_ON_BOARD, summary="Change an agent's state")
async def set_agent_state(context: Context, user_id: int, body: SetAgentState) -> AgentView:
    """`offline` takes ringing and live work back to the queue."""
    return await context.hub.database.transaction(
        dispatcher.set_state_of, context.viewer, user_id, AgentState(body.state), body.reason
    )
