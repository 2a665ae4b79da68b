"""Webhook endpoints: which program is told what, as an administrator sets it up.

Its secret is made by the hub, shown once and sealed by the vault. A new one takes the old one's place at once; for a day
deliveries are signed by both, so that the receiver can be changed without losing any.

An endpoint that is switched off is told nothing of what happens meanwhile; what waited for it waits on. Switched on again, it
begins at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row, delete, func, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.channels.tls import is_loopback
from hub.domain.sentences import Sentence
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.store.stream import load_token
from hub.store.vault import Vault
from hub.webhooks.catalogue import Told
from hub.webhooks.guarded_post import url_fault
from hub.webhooks.signatures import new_secret

_p, _d = tables.webhook_endpoint.c, tables.webhook_delivery.c

# Wake the loops that write deliveries and that send them.
WAKE_PLAN, WAKE_SEND = "webhook_plan", "webhooks"
# Each is read the stream for, and may have as many requests under way as deliveries.IN_FLIGHT.
ENDPOINT_LIMIT = 50
# As long as two secrets hold.
BOTH_HOLD = timedelta(hours=24)
_DESCRIPTION_LIMIT = 200
# In the audit log.
_SUBJECT = "webhook"
# Counts of deliveries stop here: beyond it nobody counts, and looking is not for nothing.
COUNT_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What of an endpoint is set. `queue_ids`, `channel_ids`: none means all; they leave alone what belongs to no queue or
    channel (a customer, an agent)."""

    url: str
    description: str
    events: tuple[Told, ...]
    queue_ids: tuple[int, ...] = ()
    channel_ids: tuple[str, ...] = ()
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Counts:
    """Deliveries of an endpoint, up to COUNT_LIMIT; `oldest_waiting_at`: since when the first of them waits."""

    waiting: int
    dead: int
    oldest_waiting_at: datetime | None
    last_delivered_at: datetime | None


def load_endpoints(tx: Tx) -> list[Row[Any]]:
    """By id."""
    return list(tx.rows(select(tables.webhook_endpoint).order_by(_p.id)))


def load_endpoint(tx: Tx, endpoint_id: int, *, lock: bool = False) -> Row[Any]:
    query = select(tables.webhook_endpoint).where(_p.id == endpoint_id)
    row = tx.first(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("there is no such webhook")
    return row


def count_deliveries(tx: Tx, endpoint_id: int) -> Counts:
    of = _d.endpoint_id == endpoint_id

    def count(condition: Any) -> int:
        some = select(_d.id).where(of, condition).limit(COUNT_LIMIT).subquery()
        return int(tx.scalar(select(func.count()).select_from(some)) or 0)

    newest = select(_d.done_at).where(of, _d.state == "delivered").order_by(_d.id.desc()).limit(1)
    oldest = select(_d.created_at).where(of, _d.due_at.is_not(None)).order_by(_d.id).limit(1)
    return Counts(
        waiting=count(_d.due_at.is_not(None)),
        dead=count(_d.state == "dead"),
        oldest_waiting_at=tx.scalar(oldest),
        last_delivered_at=tx.scalar(newest),
    )


def create_endpoint(tx: Tx, actor: Viewer, vault: Vault, given: Endpoint, *, may_be_private: bool) -> tuple[int, str]:
    """Its id and its secret, which nobody can read again. InvalidInput naming every fault. `may_be_private`: it may lead into
    our own network, and on this very machine without TLS."""
    if (tx.scalar(select(func.count()).select_from(tables.webhook_endpoint)) or 0) >= ENDPOINT_LIMIT:
        raise Conflict(f"there are {ENDPOINT_LIMIT} webhooks already", code="too_many")
    _check(tx, given, may_be_private=may_be_private)
    secret = new_secret()
    row = {
        **_values(given),
        "secrets": vault.seal({"secret": secret}),
        "secret_since": tx.now,
        "created_at": tx.now,
        **_from_now_on(tx),
    }
    endpoint_id = tx.insert(tables.webhook_endpoint, row)
    audit.note(tx, actor, "webhook.created", _SUBJECT, endpoint_id, {"name": title_of(given.description, given.url)})
    return endpoint_id, secret


def replace_endpoint(
    tx: Tx, actor: Viewer, endpoint_id: int, given: Endpoint, expected_version: int, *, may_be_private: bool
) -> None:
    """The endpoint whole. Conflict `version_conflict` if somebody changed it meanwhile, or the hub has switched it off. With
    another address, or switched on, it is taken for well: what waits is tried at once."""
    before = load_endpoint(tx, endpoint_id, lock=True)
    if before.version != expected_version:
        raise Conflict("this webhook was changed meanwhile", code="version_conflict")
    _check(tx, given, may_be_private=may_be_private)
    values = _values(given)
    was = {name: before._mapping[name] for name in values}
    name = title_of(before.description, before.url)
    # An address may hold a secret.
    audit.note_change(tx, actor, "webhook.changed", _SUBJECT, endpoint_id, was, values, name=name, secret=["url"])
    is_switched_on = given.enabled and not before.enabled
    if is_switched_on:
        values |= _from_now_on(tx)
    if is_switched_on or given.url != before.url:
        values |= _WELL
        _try_now(tx, endpoint_id)
    tx.execute(update(tables.webhook_endpoint).where(_p.id == endpoint_id).values(version=_p.version + 1, **values))
    tx.wake(WAKE_SEND, WAKE_PLAN)


# How the row of an endpoint is that nothing is known against.
_WELL: Mapping[str, Any] = {
    "failures_in_row": 0,
    "failing_since": None,
    "paused_until": None,
    "off_reason": None,
    "off_at": None,
    "mail_due_at": None,
    "mail_tries": 0,
}


def _try_now(tx: Tx, endpoint_id: int) -> None:
    waits = (_d.endpoint_id == endpoint_id, _d.state == "waiting", _d.due_at > tx.now)
    tx.execute(update(tables.webhook_delivery).where(*waits).values(due_at=tx.now))


def remove_endpoint(tx: Tx, actor: Viewer, endpoint_id: int) -> None:
    """With its log; what is under way may still arrive. Its deliveries go in bounded steps before (deliveries.forget)."""
    before = load_endpoint(tx, endpoint_id, lock=True)
    tx.execute(delete(tables.webhook_endpoint).where(_p.id == endpoint_id))
    name = title_of(before.description, before.url)
    audit.note(tx, actor, "webhook.removed", _SUBJECT, endpoint_id, {"name": name})


def roll_secret(tx: Tx, actor: Viewer, vault: Vault, endpoint_id: int) -> tuple[str, datetime]:
    """The new secret, and until when the old one signs, too. Of two that are rolled within a day the first one ends: at most
    two hold at once."""
    row = load_endpoint(tx, endpoint_id, lock=True)
    secret, until = new_secret(), tx.now + BOTH_HOLD
    old = vault.unseal(row.secrets)["secret"]
    values = {
        "secrets": vault.seal({"secret": secret, "old": old}),
        "secret_since": tx.now,
        "old_secret_until": until,
        "version": _p.version + 1,
    }
    tx.execute(update(tables.webhook_endpoint).where(_p.id == endpoint_id).values(**values))
    audit.note(tx, actor, "webhook.secret_made", _SUBJECT, endpoint_id, {"name": title_of(row.description, row.url)})
    return secret, until


def note_replay(tx: Tx, actor: Viewer, endpoint_id: int, since: datetime, count: int) -> None:
    """What was given up since then was sent again, by somebody."""
    row = tx.first(select(_p.description, _p.url).where(_p.id == endpoint_id))
    if row is not None:
        name = title_of(row.description, row.url)
        told: dict[str, str | int] = {"name": name, "since": since.isoformat(), "count": count}
        audit.note(tx, actor, "webhook.replayed", _SUBJECT, endpoint_id, told)


def title_of(description: str, url: str) -> str:
    """What somebody called it, or the host alone."""
    return description or urlsplit(url).netloc


def open_secrets(vault: Vault, sealed: str, old_until: datetime | None, now: datetime) -> Sequence[str]:
    """Those that sign at `now`, the newest first. Misconfigured if they were sealed with another key."""
    opened = vault.unseal(sealed)
    has_old = "old" in opened and old_until is not None and now < old_until
    return [opened["secret"], *([opened["old"]] if has_old else [])]


def _from_now_on(tx: Tx) -> Mapping[str, Any]:
    return {"cursor": load_token(tx).seq, "since": tx.now}


def endpoint_fault(url: str, *, may_be_private: bool) -> str | None:
    """Beside what is wrong with any webhook's address: what the hub tells is customers' words, so it goes by TLS."""
    if fault := url_fault(url, may_be_private=may_be_private):
        return fault
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        return Sentence("must begin with https://")
    return None


def _check(tx: Tx, given: Endpoint, *, may_be_private: bool) -> None:
    faults: dict[str, str] = {}
    if fault := endpoint_fault(given.url, may_be_private=may_be_private):
        faults["url"] = fault
    if len(given.description) > _DESCRIPTION_LIMIT or not given.description.isprintable():
        faults["description"] = Sentence("must be at most {count} visible characters", count=_DESCRIPTION_LIMIT)
    if not given.events:
        faults["events"] = Sentence("must name at least one")
    queues = {row.id for row in tx.rows(select(tables.queue.c.id).where(tables.queue.c.id.in_(given.queue_ids)))}
    if queues != set(given.queue_ids):
        faults["queue_ids"] = Sentence("there is no such queue")
    ids = tables.channel.c.id
    channels = {row.id for row in tx.rows(select(ids).where(ids.in_(given.channel_ids)))}
    if channels != set(given.channel_ids):
        faults["channel_ids"] = Sentence("there is no such channel")
    if faults:
        raise InvalidInput("the webhook cannot be so", fields=faults)


def _values(given: Endpoint) -> dict[str, Any]:
    return {
        "url": given.url,
        "description": given.description.strip(),
        "events": sorted({each.value for each in given.events}),
        "queue_ids": sorted(set(given.queue_ids)),
        "channel_ids": sorted(set(given.channel_ids)),
        "enabled": given.enabled,
    }
