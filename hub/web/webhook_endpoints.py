"""Webhooks that the hub sends: who is told what, and what became of each telling. (web.webhooks takes those of providers.)"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.store.database import Tx
from hub.store.vault import Vault
from hub.web.api import DEFAULT_LIMIT, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import (
    DeliveryState,
    IssuedWebhook,
    NewWebhook,
    Page,
    ReplayDead,
    Replayed,
    SaveWebhook,
    WebhookDelivery,
    WebhookDeliveryDetails,
    WebhookEvent,
    WebhookFailure,
    WebhookSecret,
    WebhookTest,
    WebhookView,
)
from hub.webhooks import deliveries, endpoints
from hub.webhooks.catalogue import CATALOGUE, Told
from hub.webhooks.endpoints import Endpoint


@endpoint("GET", "/webhook-events", access=Permission.MANAGE_WEBHOOKS, summary="What webhooks can tell")
async def list_webhook_events(context: Context) -> Page[WebhookEvent]:
    """All of them; docs/webhooks.md says more."""
    return Page(
        [WebhookEvent(name=name, words=about.words, data=dict(about.data)) for name, about in CATALOGUE.items()]
    )


@endpoint("GET", "/webhook-endpoints", access=Permission.MANAGE_WEBHOOKS, summary="All webhooks, and how they are")
async def list_webhooks(context: Context) -> Page[WebhookView]:
    """By id."""
    return Page(await context.hub.database.read(_load_views))


@endpoint("POST", "/webhook-endpoints", access=Permission.MANAGE_WEBHOOKS, status=201, summary="Add a webhook")
async def create_webhook(context: Context, body: NewWebhook) -> IssuedWebhook:
    """It is told what happens from now on. The answer is the only place where its secret is ever shown. 422 names every
    fault; addresses of our own network are refused unless the hub's settings allow them."""
    hub = context.hub
    return await hub.database.transaction(
        _create, context.viewer, hub.vault, _endpoint(body), may_be_private=hub.settings.private_webhooks
    )


@endpoint(
    "GET", "/webhook-endpoints/{endpoint_id}", access=Permission.MANAGE_WEBHOOKS, summary="One webhook, and how it is"
)
async def get_webhook(context: Context, endpoint_id: int) -> WebhookView:
    return await context.hub.database.read(_load_view, endpoint_id)


@endpoint("PUT", "/webhook-endpoints/{endpoint_id}", access=Permission.MANAGE_WEBHOOKS, summary="Change a webhook")
async def replace_webhook(context: Context, endpoint_id: int, body: SaveWebhook) -> WebhookView:
    """Switched on, it is told what happens from then on; what had waited is sent. 409 `version_conflict` if somebody changed
    it meanwhile, or the hub has switched it off."""
    hub = context.hub
    return await hub.database.transaction(
        _replace,
        context.viewer,
        endpoint_id,
        _endpoint(body),
        body.expected_version,
        may_be_private=hub.settings.private_webhooks,
    )


@endpoint("DELETE", "/webhook-endpoints/{endpoint_id}", access=Permission.MANAGE_WEBHOOKS, summary="Remove a webhook")
async def remove_webhook(context: Context, endpoint_id: int) -> None:
    """With its log, and with what waits for it."""
    database = context.hub.database
    await database.read(endpoints.load_endpoint, endpoint_id)
    while await database.transaction(deliveries.forget, endpoint_id):
        pass  # in bounded steps: nobody waits long for the writer
    await database.transaction(endpoints.remove_endpoint, context.viewer, endpoint_id)


@endpoint(
    "POST", "/webhook-endpoints/{endpoint_id}/secret", access=Permission.MANAGE_WEBHOOKS, summary="Make a new secret"
)
async def roll_webhook_secret(context: Context, endpoint_id: int) -> WebhookSecret:
    """Deliveries are signed by it from now on, and for 24 hours by the one before, too."""
    hub = context.hub
    secret, until = await hub.database.transaction(endpoints.roll_secret, context.viewer, hub.vault, endpoint_id)
    return WebhookSecret(secret=secret, old_until=until)


@endpoint(
    "POST",
    "/webhook-endpoints/{endpoint_id}/test",
    access=Permission.MANAGE_WEBHOOKS,
    summary="Try whether a webhook answers",
)
async def try_webhook(context: Context, endpoint_id: int) -> WebhookTest:
    """Sends `webhook.test` now, signed as everything is, and tells what was answered. It stands in no log."""
    attempt = await context.hub.webhook_sender.test(endpoint_id)
    return WebhookTest(
        arrived=attempt.is_taken,
        status=attempt.status,
        code=attempt.code,
        answer=attempt.answer,
        duration_ms=attempt.duration_ms,
    )


@endpoint(
    "GET",
    "/webhook-endpoints/{endpoint_id}/deliveries",
    access=Permission.MANAGE_WEBHOOKS,
    summary="What a webhook was told",
)
async def list_deliveries(
    context: Context,
    endpoint_id: int,
    state: DeliveryState | None = None,
    type_: Told | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[WebhookDelivery]:
    """Newest first. What arrived is kept for a week (HUB_WEBHOOK_LOG_DAYS), what was given up for 30 days."""
    (before,) = read_cursor(cursor, int) or (None,)
    await context.hub.database.read(endpoints.load_endpoint, endpoint_id)
    rows = await context.hub.database.read(
        deliveries.load_page, endpoint_id, state=state, told=type_, before=before, limit=limit + 1
    )
    more = write_cursor(rows[limit - 1].id) if len(rows) > limit else None
    return Page([WebhookDelivery(**_delivery(row)) for row in rows[:limit]], more)


@endpoint(
    "POST",
    "/webhook-endpoints/{endpoint_id}/replay",
    access=Permission.MANAGE_WEBHOOKS,
    summary="Send what was given up again",
)
async def replay_dead(context: Context, endpoint_id: int, body: ReplayDead) -> Replayed:
    """Everything that was given up from `since` on, under the same ids. 409 `webhook_off` while it is switched off."""
    count = 0
    while more := await context.hub.database.transaction(deliveries.replay_dead, endpoint_id, body.since):
        count += more
    await context.hub.database.transaction(endpoints.note_replay, context.viewer, endpoint_id, body.since, count)
    return Replayed(count=count)


@endpoint(
    "GET",
    "/webhook-deliveries/{delivery_id}",
    access=Permission.MANAGE_WEBHOOKS,
    summary="One delivery, with request and answer",
)
async def get_delivery(context: Context, delivery_id: int) -> WebhookDeliveryDetails:
    return await context.hub.database.read(_load_details, delivery_id)


@endpoint(
    "POST",
    "/webhook-deliveries/{delivery_id}/replay",
    access=Permission.MANAGE_WEBHOOKS,
    summary="Send a delivery again",
)
async def replay_delivery(context: Context, delivery_id: int) -> WebhookDeliveryDetails:
    """Now, under the same id; also one that arrived, or that waits for its next attempt. 409 `webhook_off` while its webhook
    is switched off, `being_sent` while it is under way."""
    return await context.hub.database.transaction(_replay, delivery_id)


def _endpoint(body: NewWebhook) -> Endpoint:
    return Endpoint(
        url=body.url,
        description=body.description,
        events=tuple(body.events),
        queue_ids=tuple(body.queue_ids),
        channel_ids=tuple(body.channel_ids),
        enabled=body.enabled,
    )


def _create(tx: Tx, viewer: Viewer, vault: Vault, given: Endpoint, *, may_be_private: bool) -> IssuedWebhook:
    endpoint_id, secret = endpoints.create_endpoint(tx, viewer, vault, given, may_be_private=may_be_private)
    return IssuedWebhook(**_load_view(tx, endpoint_id).model_dump(), secret=secret)


def _replace(
    tx: Tx, viewer: Viewer, endpoint_id: int, given: Endpoint, expected_version: int, *, may_be_private: bool
) -> WebhookView:
    endpoints.replace_endpoint(tx, viewer, endpoint_id, given, expected_version, may_be_private=may_be_private)
    return _load_view(tx, endpoint_id)


def _replay(tx: Tx, delivery_id: int) -> WebhookDeliveryDetails:
    deliveries.replay(tx, delivery_id)
    return _load_details(tx, delivery_id)


def _load_views(tx: Tx) -> list[WebhookView]:
    return [_view(tx, row) for row in endpoints.load_endpoints(tx)]


def _load_view(tx: Tx, endpoint_id: int) -> WebhookView:
    return _view(tx, endpoints.load_endpoint(tx, endpoint_id))


def _view(tx: Tx, row: Row[Any]) -> WebhookView:
    counts = endpoints.count_deliveries(tx, row.id)
    return WebhookView(
        id=row.id,
        url=row.url,
        description=row.description,
        events=row.events,
        queue_ids=row.queue_ids,
        channel_ids=row.channel_ids,
        enabled=row.enabled,
        health="off" if not row.enabled else "failing" if row.failing_since is not None else "ok",
        off_reason=row.off_reason,
        off_at=row.off_at,
        failing_since=row.failing_since,
        failures_in_row=row.failures_in_row,
        paused_until=_if_to_come(row.paused_until, tx.now),
        secret_since=row.secret_since,
        old_secret_until=_if_to_come(row.old_secret_until, tx.now),
        waiting=counts.waiting,
        dead=counts.dead,
        oldest_waiting_at=counts.oldest_waiting_at,
        last_delivered_at=counts.last_delivered_at,
        created_at=row.created_at,
        version=row.version,
    )


def _if_to_come(at: datetime | None, now: datetime) -> datetime | None:
    return at if at is not None and at > now else None


def _delivery(row: Row[Any]) -> dict[str, Any]:
    return {name: row._mapping[name] for name in WebhookDelivery.model_fields}


def _load_details(tx: Tx, delivery_id: int) -> WebhookDeliveryDetails:
    row = deliveries.load_delivery(tx, delivery_id)
    return WebhookDeliveryDetails(
        **_delivery(row),
        url=endpoints.load_endpoint(tx, row.endpoint_id).url,
        body=deliveries.text_of(row),
        answer=row.answer,
        failures=[WebhookFailure(**failure) for failure in row.failures or []],
    )
