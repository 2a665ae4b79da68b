"""Limits that are watched, and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.views import KpiAlertView
from hub.kpi import limits
from hub.kpi.limits import Rule
from hub.kpi.tellings import trouble_of
from hub.store.database import Tx
from hub.store.vault import Vault
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint
from hub.web.schemas import AlertRuleView, AlertTest, NewAlertRule, Page, SaveAlertRule


@endpoint("GET", "/alert-rules", access=Access.SUPERVISOR, summary="All limits that are watched")
async def list_alert_rules(context: Context) -> Page[AlertRuleView]:
    """By id, as they stand now. Of a webhook's address, whose path may be a secret, supervisors see the host."""
    rules = await context.hub.database.read(_load_views)
    if not context.viewer.may(Permission.MANAGE_TARGETS):
        rules = [rule.model_copy(update={"webhook_url": _host_of(rule.webhook_url)}) for rule in rules]
    return Page(rules)


@endpoint("POST", "/alert-rules", access=Permission.MANAGE_TARGETS, status=201, summary="Watch a limit")
async def create_alert_rule(context: Context, body: NewAlertRule) -> AlertRuleView:
    """422 names every fault. Addresses of our own network are refused for webhooks unless the hub's settings allow them."""
    hub = context.hub
    return await hub.database.transaction(
        _create, hub.vault, _rule(body), may_be_private=hub.settings.private_webhooks, actor=context.viewer
    )


@endpoint("PUT", "/alert-rules/{rule_id}", access=Permission.MANAGE_TARGETS, summary="Change a limit")
async def replace_alert_rule(context: Context, rule_id: int, body: SaveAlertRule) -> AlertRuleView:
    """With another figure or other bounds, and switched off, it ends its alert. 409 `version_conflict` if somebody changed
    it meanwhile."""
    hub = context.hub
    return await hub.database.transaction(
        _replace,
        hub.vault,
        rule_id,
        _rule(body),
        body.expected_version,
        may_be_private=hub.settings.private_webhooks,
        actor=context.viewer,
    )


@endpoint("DELETE", "/alert-rules/{rule_id}", access=Permission.MANAGE_TARGETS, summary="Watch a limit no longer")
async def remove_alert_rule(context: Context, rule_id: int) -> None:
    """Its alerts stay in the list."""
    await context.hub.database.transaction(limits.remove_rule, rule_id, actor=context.viewer)


@endpoint(
    "POST", "/alert-rules/{rule_id}/test", access=Permission.MANAGE_TARGETS, summary="Try whether messages arrive"
)
async def try_alert_rule(context: Context, rule_id: int) -> AlertTest:
    """Sends a message that says it is a test to every address and to the webhook, now."""
    return AlertTest(trouble=await context.hub.teller.test(rule_id))


@endpoint("GET", "/kpi-alerts", access=Access.SUPERVISOR, summary="Limits that are broken, or were")
async def list_kpi_alerts(
    context: Context, rule: int | None = None, limit: Limit = DEFAULT_LIMIT
) -> Page[KpiAlertView]:
    """Those that are broken first, then the newest; `rule`: of this one alone. They are kept for 90 days."""
    return Page(await context.hub.database.read(limits.load_alerts, limit, rule))


def _create(tx: Tx, vault: Vault, given: Rule, *, may_be_private: bool, actor: Viewer) -> AlertRuleView:
    return _load_view(tx, limits.create_rule(tx, vault, given, may_be_private=may_be_private, actor=actor))


def _replace(
    tx: Tx, vault: Vault, rule_id: int, given: Rule, expected_version: int, *, may_be_private: bool, actor: Viewer
) -> AlertRuleView:
    limits.replace_rule(tx, vault, rule_id, given, expected_version, may_be_private=may_be_private, actor=actor)
    return _load_view(tx, rule_id)


def _rule(body: NewAlertRule) -> Rule:
    return Rule(
        name=body.name,
        measure=body.measure,
        scope=body.scope,
        scope_id=body.scope_id,
        raise_at=body.raise_at,
        clear_at=body.clear_at,
        for_s=body.for_s,
        enabled=body.enabled,
        to_console=body.to_console,
        emails=tuple(body.emails),
        webhook_url=body.webhook_url,
        webhook_secret=body.webhook_secret,
    )


def _host_of(url: str | None) -> str | None:
    """`https://hooks.example.com/…` of an address that was taken once."""
    if url is None:
        return None
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"


def _load_views(tx: Tx) -> list[AlertRuleView]:
    return [_view(row, raised_at, is_judged=limits.is_judged(tx, row)) for row, raised_at in limits.load_rules(tx)]


def _load_view(tx: Tx, rule_id: int) -> AlertRuleView:
    row, raised_at = limits.load_rule(tx, rule_id)
    return _view(row, raised_at, is_judged=limits.is_judged(tx, row))


def _view(row: Row[Any], raised_at: datetime | None, *, is_judged: bool) -> AlertRuleView:
    return AlertRuleView(
        id=row.id,
        name=row.name,
        measure=row.measure,
        scope=row.scope,
        scope_id=row.scope_id,
        raise_at=row.raise_at,
        clear_at=row.clear_at,
        for_s=row.for_s,
        enabled=row.enabled,
        to_console=row.to_console,
        emails=row.emails,
        webhook_url=row.webhook_url,
        has_webhook_secret=row.webhook_secret is not None,
        raised_at=raised_at,
        is_judged=is_judged,
        value=row.value,
        trouble=trouble_of(row),
        version=row.version,
    )
