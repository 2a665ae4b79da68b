"""Alerts: what somebody must look at. They stand in the snapshot and come as events."""

from __future__ import annotations

from hub.agents import alerts
from hub.domain.views import AlertView
from hub.web.api import Access, Context, endpoint


@endpoint("POST", "/alerts/{alert_id}/seen", access=Access.AGENT, summary="You have looked at it")
async def see_alert(context: Context, alert_id: int) -> AlertView:
    """One of your own. Twice is the same as once."""
    return await context.hub.database.transaction(alerts.see_alert, context.viewer.user_id, alert_id)
