"""What the hub keeps for how long: the environment says how long at most, an administrator may choose fewer days.

    settings (HUB_…_DAYS) ─ limit ─► the organisation's choice, if there is one ─► housekeeping, hourly

Conversations, customers, files and figures are not among them: they are kept until somebody removes them. Recordings are
kept as their queue says (calls.recordings).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput
from hub.settings import Settings
from hub.store import tables
from hub.store.database import Tx

_o = tables.organisation.c


class Kept(StrEnum):
    """What is kept for so many days. The values are stored."""

    # From which screens catch up, and what webhooks tell.
    EVENTS = "events"
    # What providers handed in, as it came; what comes again is known by it.
    ARRIVALS = "arrivals"
    AUDIT = "audit"
    # Deliveries of webhooks that arrived.
    WEBHOOKS = "webhooks"


# Fewer days than these would take away what each is for: catching up, knowing what comes again (providers try for days),
# finding out who did something, looking at what was told.
LEAST_DAYS: Mapping[Kept, int] = {Kept.EVENTS: 1, Kept.ARRIVALS: 7, Kept.AUDIT: 90, Kept.WEBHOOKS: 2}
VARIABLES: Mapping[Kept, str] = {
    Kept.EVENTS: "HUB_EVENT_RETENTION_DAYS",
    Kept.ARRIVALS: "HUB_ARRIVAL_RETENTION_DAYS",
    Kept.AUDIT: "HUB_AUDIT_RETENTION_DAYS",
    Kept.WEBHOOKS: "HUB_WEBHOOK_LOG_DAYS",
}


@dataclass(frozen=True, slots=True)
class Retention:
    """`days` holds: `chosen`, or (None) `limit`, which the environment says by `variable`. `least` may be chosen."""

    kept: Kept
    days: int
    chosen: int | None
    least: int
    limit: int
    variable: str


def limits(settings: Settings) -> dict[Kept, int]:
    return {
        Kept.EVENTS: settings.event_retention_days,
        Kept.ARRIVALS: settings.arrival_retention_days,
        Kept.AUDIT: settings.audit_retention_days,
        Kept.WEBHOOKS: settings.webhook_log_days,
    }


def load(tx: Tx, settings: Settings) -> dict[Kept, Retention]:
    """All kinds. A choice beyond the limit, which the environment set later, is worth the limit."""
    stored: Mapping[str, int] = tx.scalar(select(_o.retention)) or {}
    found = {}
    for kept, limit in limits(settings).items():
        chosen = stored.get(kept.value)
        days = limit if chosen is None else min(chosen, limit)
        found[kept] = Retention(kept, days, chosen, min(LEAST_DAYS[kept], limit), limit, VARIABLES[kept])
    return found


def load_spans(tx: Tx, settings: Settings) -> dict[Kept, timedelta]:
    return {kept: timedelta(days=held.days) for kept, held in load(tx, settings).items()}


def save(tx: Tx, settings: Settings, chosen: Mapping[Kept, int | None], *, actor: Viewer | None = None) -> None:
    """Of each kind that is named the days, or None: as the environment says. What is older goes with the next hourly round.
    InvalidInput names each that is out of its bounds."""
    # The row's lock: two who save at once do not undo each other.
    stored = dict(tx.scalar(select(_o.retention).with_for_update()) or {})
    before, faults = load(tx, settings), {}
    for kept, days in chosen.items():
        had = before[kept]
        if days is None:
            stored.pop(kept.value, None)
        elif had.least <= days <= had.limit:
            stored[kept.value] = days
        else:
            faults[kept.value] = Sentence(
                "must be {least} to {most} days ({setting})", least=had.least, most=had.limit, setting=had.variable
            )
    if faults:
        raise InvalidInput("; ".join(f"{name} {fault}" for name, fault in faults.items()), fields=faults)
    tx.execute(update(tables.organisation).values(retention=stored or None))
    was = {kept.value: held.days for kept, held in before.items()}
    now = {kept.value: held.days for kept, held in load(tx, settings).items()}
    audit.note_change(tx, actor, "organisation.retention_changed", "organisation", "", was, now, name="")
