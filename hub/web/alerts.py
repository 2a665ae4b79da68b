"""Alerts: what somebody must look at, their inbox. What is unseen stands in the snapshot and comes as events."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import func, select

from hub.agents import alerts, notice_rules
from hub.agents.viewer import Viewer
from hub.domain.values import EntryKind
from hub.domain.views import AlertView, NoticeRulesView
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, tasks
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import InboxItem, Page, SeeAll, SetNoticeRules

# As much of a note as a list shows.
_EXCERPT = 200


def _load_items(
    tx: Tx, viewer: Viewer, show: Literal["all", "unread", "mentions", "tasks"], before: int | None, limit: int
) -> list[InboxItem]:
    reasons = {"mentions": (alerts.MENTION,), "tasks": alerts.OF_TASKS}.get(show)
    of_theirs = alerts.load_page(
        tx, viewer.user_id, unseen=show == "unread", reasons=reasons, before=before, limit=limit
    )
    found = tasks.without_unseen(tx, viewer, of_theirs)
    about = {alert.conversation_id for alert in found if alert.conversation_id is not None}
    visible = conversations.load_visible(tx, viewer, about)
    entry_ids = [alert.entry_id for alert in found if alert.entry_id and alert.conversation_id in visible]
    excerpts = _load_excerpts(tx, entry_ids) if entry_ids else {}
    theirs = tasks.load_visible(tx, viewer, {alert.task_id for alert in found if alert.task_id is not None})
    return [
        InboxItem(
            alert=alert,
            excerpt=excerpts.get(alert.entry_id) if alert.entry_id else None,
            task=theirs.get(alert.task_id) if alert.task_id else None,
        )
        for alert in found
    ]


def _load_excerpts(tx: Tx, entry_ids: list[int]) -> dict[int, str]:
    e = tables.entry.c
    query = select(e.id, func.substr(e.text, 1, _EXCERPT).label("text"))
    return {row.id: row.text for row in tx.rows(query.where(e.id.in_(entry_ids), e.kind == EntryKind.NOTE.value))}


@endpoint("GET", "/alerts", access=Access.AGENT, summary="Your inbox")
async def list_alerts(
    context: Context,
    show: Literal["all", "unread", "mentions", "tasks"] = "all",
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[InboxItem]:
    """Newest first. What you have seen is kept for 90 days."""
    before = read_cursor(cursor, int)
    items = await context.hub.database.read(_load_items, context.viewer, show, before[0] if before else None, limit)
    return Page(items=items, next_cursor=write_cursor(items[-1].alert.id) if len(items) == limit else None)


@endpoint("POST", "/alerts/seen", access=Access.AGENT, summary="You have looked at all of them")
async def see_all_alerts(context: Context, body: SeeAll) -> None:
    """Your own up to this one; pages are seen one by one."""
    while await context.hub.database.transaction(alerts.see_all, context.viewer.user_id, body.up_to):
        pass  # in bounded steps: nobody waits long for the writer


@endpoint("POST", "/alerts/{alert_id}/seen", access=Access.AGENT, summary="You have looked at it")
async def see_alert(context: Context, alert_id: int) -> AlertView:
    """One of your own. Twice is the same as once."""
    return await context.hub.database.transaction(alerts.see_alert, context.viewer.user_id, alert_id)


@endpoint("DELETE", "/alerts/{alert_id}/seen", access=Access.AGENT, summary="You want to look at it again")
async def unsee_alert(context: Context, alert_id: int) -> AlertView:
    return await context.hub.database.transaction(alerts.unsee_alert, context.viewer.user_id, alert_id)


@endpoint("PUT", "/me/notice-rules", access=Access.AGENT, summary="How you want to be told")
async def set_notice_rules(context: Context, body: SetNoticeRules) -> NoticeRulesView:
    """409 `version_conflict` if another window of yours changed them meanwhile."""
    wanted = NoticeRulesView(
        silent=tuple(sorted(set(body.silent))),
        hidden=tuple(sorted(set(body.hidden))),
        quiet_from=body.quiet_from,
        quiet_until=body.quiet_until,
        zone=body.zone,
        quiet_states=tuple(sorted(set(body.quiet_states))),
        density=body.density,
        version=body.version,
    )
    return await context.hub.database.transaction(notice_rules.set_rules, context.viewer.user_id, wanted)
