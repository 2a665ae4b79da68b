"""The snapshot: all a console shows, and the token of the moment it was true, read in one repeatable-read transaction."""

from __future__ import annotations

from hub.agents import accounts, alerts, queues, roster, teams
from hub.agents.viewer import Viewer
from hub.calls.views import load_live_calls
from hub.domain.states import ConversationStatus
from hub.domain.values import Role
from hub.kpi import defaults, targets
from hub.kpi.board import load_agent_numbers, load_numbers, load_queue_numbers
from hub.kpi.limits import load_standing
from hub.routing import estimates, offers
from hub.store import tables
from hub.store.database import Tx
from hub.store.stream import load_token
from hub.timeline import channels, conversations, topics
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import Organisation, Snapshot

# The open conversations a screen starts with; a floor with more pages through the list for the rest.
CONVERSATION_LIMIT = 2_000


def load_snapshot(tx: Tx, viewer: Viewer) -> Snapshot:
    token = load_token(tx)
    organisation = tx.first(tables.organisation.select())
    items = conversations.load_page(
        tx,
        viewer,
        status=ConversationStatus.OPEN,
        assignee="any",
        queue_id=None,
        words=None,
        before=None,
        limit=CONVERSATION_LIMIT + 1,
    )
    return Snapshot(
        token=str(token),
        at=tx.now,
        user=accounts.load_user(tx, viewer.user_id),
        organisation=Organisation(
            name=organisation.name if organisation else "", time_zone=organisation.time_zone if organisation else "UTC"
        ),
        agents=roster.load_agent_views(tx),
        queues=queues.load_queue_views(tx),
        channels=channels.load_channel_views(tx),
        conversations=items[:CONVERSATION_LIMIT],
        conversations_complete=len(items) <= CONVERSATION_LIMIT,
        offers=offers.load_live_offers(tx, None if viewer.covers(Role.SUPERVISOR) else viewer.user_id),
        numbers=load_numbers(tx, viewer.user_id, tx.now),
        topics=topics.load_topics(tx),
        estimates=estimates.load_estimates(tx),
        alerts=alerts.load_unseen(tx, viewer.user_id),
        calls=load_live_calls(tx, viewer.role, viewer.user_id, viewer.queue_ids),
        queue_numbers=load_queue_numbers(tx, None if viewer.covers(Role.SUPERVISOR) else viewer.queue_ids),
        agent_numbers=load_agent_numbers(tx) if viewer.covers(Role.SUPERVISOR) else [],
        teams=teams.load_teams(tx),
        targets=targets.load_targets(tx, viewer),
        figure_defaults=defaults.load_defaults(tx),
        kpi_alerts=load_standing(tx) if viewer.covers(Role.SUPERVISOR) else [],
    )


@endpoint("GET", "/snapshot", access=Access.AGENT, summary="All a console shows, at one moment")
async def get_snapshot(context: Context) -> Snapshot:
    """Apply the events of `/live?since=<token>` to it and you hold the state of any later moment."""
    return await context.hub.database.read(load_snapshot, context.viewer)
