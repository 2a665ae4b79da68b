"""The snapshot: all a console shows, and the token of the moment it was true, read in one repeatable-read transaction."""

from __future__ import annotations

from dataclasses import dataclass

from hub.agents import accounts, alerts, notice_rules, queues, roster, teams
from hub.agents.viewer import Viewer
from hub.calls.views import load_live_calls
from hub.domain.states import ConversationStatus
from hub.domain.values import Role
from hub.domain.views import ConversationView
from hub.kpi import defaults, targets
from hub.kpi.board import load_agent_numbers, load_numbers, load_queue_numbers
from hub.kpi.limits import load_standing
from hub.kpi.queue_lengths import load_lengths
from hub.kpi.remaking import load_remaking
from hub.routing import estimates, offers
from hub.store import tables
from hub.store.database import Tx
from hub.store.stream import load_token
from hub.timeline import channels, conversations, custom_fields, tasks, topics
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import Organisation, Snapshot
from hub.writing import drafts


@dataclass(frozen=True, slots=True)
class _Open:
    """`is_complete`: these are all; `has_all_work`: all that somebody has is among them."""

    conversations: list[ConversationView]
    is_complete: bool
    has_all_work: bool


def _load_open(tx: Tx, viewer: Viewer, most: int) -> _Open:
    def load(assignee: str) -> list[ConversationView]:
        return conversations.load_page(
            tx,
            viewer,
            status=ConversationStatus.OPEN,
            assignee=assignee,
            queue_id=None,
            words=None,
            before=None,
            limit=most + 1,
        )

    newest = load("any")
    if len(newest) <= most:
        return _Open(newest, is_complete=True, has_all_work=True)
    # What waits is counted elsewhere (kpi.queue_lengths) and paged through; what somebody has, their screen must show.
    taken = load("taken")
    chosen = {view.id: view for view in (*load("me"), *taken, *newest)}
    kept = sorted(list(chosen.values())[:most], key=lambda view: (view.last_entry_at, view.id), reverse=True)
    return _Open(kept, is_complete=False, has_all_work=len(taken) <= most)


def load_snapshot(tx: Tx, viewer: Viewer, most: int) -> Snapshot:
    """`most`: so many open conversations at the most; a floor with more pages through the list for the rest."""
    token = load_token(tx)
    organisation = tx.first(tables.organisation.select())
    open_ = _load_open(tx, viewer, most)
    return Snapshot(
        token=str(token),
        at=tx.now,
        user=accounts.load_user(tx, viewer.user_id),
        permissions=viewer.listed_permissions,
        organisation=Organisation(
            name=organisation.name if organisation else "",
            time_zone=organisation.time_zone if organisation else "UTC",
            languages=(organisation.languages or []) if organisation else [],
        ),
        agents=roster.load_agent_views(tx),
        queues=queues.load_queue_views(tx),
        channels=channels.load_channel_views(tx),
        conversations=open_.conversations,
        conversations_complete=open_.is_complete,
        work_complete=open_.has_all_work,
        offers=offers.load_live_offers(tx, None if viewer.covers(Role.SUPERVISOR) else viewer.user_id),
        numbers=load_numbers(tx, viewer.user_id, tx.now),
        topics=topics.load_topics(tx),
        estimates=estimates.load_estimates(tx),
        queue_lengths=load_lengths(tx) if viewer.covers(Role.SUPERVISOR) else [],
        alerts=tasks.without_unseen(tx, viewer, alerts.load_unseen(tx, viewer.user_id)),
        calls=load_live_calls(tx, viewer.role, viewer.user_id, viewer.queue_ids),
        queue_numbers=load_queue_numbers(tx, None if viewer.covers(Role.SUPERVISOR) else viewer.queue_ids),
        agent_numbers=load_agent_numbers(tx) if viewer.covers(Role.SUPERVISOR) else [],
        teams=teams.load_teams(tx),
        targets=targets.load_targets(tx, viewer),
        remaking=load_remaking(tx),
        figure_defaults=defaults.load_defaults(tx),
        kpi_alerts=load_standing(tx) if viewer.covers(Role.SUPERVISOR) else [],
        tasks=tasks.load_own(tx, viewer),
        notice_rules=notice_rules.load_rules(tx, viewer.user_id),
        custom_fields=custom_fields.load_fields(tx),
        drafts=drafts.load_marks(tx, viewer.user_id),
    )


@endpoint("GET", "/snapshot", access=Access.AGENT, summary="All a console shows, at one moment")
async def get_snapshot(context: Context) -> Snapshot:
    """Apply the events of `/live?since=<token>` to it and you hold the state of any later moment."""
    return await context.hub.database.read(load_snapshot, context.viewer, context.hub.settings.snapshot_conversations)
