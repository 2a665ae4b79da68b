"""The contacts behind a figure: its cases one by one, so that every number can be opened.

A list is of one measure and of the same facts from which its cells were folded: as many items as the figure's `n` says.
Newest first, a page at a time, by the instant that says to which day a fact belongs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from hub.kpi.cells import Dim
from hub.kpi.figures import NO_FILTERS, Filters
from hub.kpi.measures import DEFAULTS, Params
from hub.store.database import Tx

PAGE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class ContactsQuery:
    """Of which figure: `since` and `until` are local days, both included; `dim_id` whose figure it was (none: of everything).
    `start` and `end` narrow it to one row of the report. `cursor`: what the page before told."""

    measure: str
    since: date
    until: date
    by: Dim = Dim.ALL
    dim_id: str | None = None
    filters: Filters = NO_FILTERS
    params: Params = DEFAULTS
    start: datetime | None = None
    end: datetime | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Contact:
    """One case. `value`: what it adds to the figure, in the measure's unit (seconds, a score; a share: 1 counted, 0 did not);
    `what`: how it went, in the fact's own word (answered, abandoned, transferred …)."""

    conversation_id: int
    customer_name: str | None
    channel_id: str | None
    queue_id: int | None
    agent_id: int | None
    at: datetime
    value: float | None
    what: str


@dataclass(frozen=True, slots=True)
class Contacts:
    items: tuple[Contact, ...]
    next_cursor: str | None


def load_contacts(tx: Tx, query: ContactsQuery, now: datetime) -> Contacts:
    """InvalidInput names what is asked wrongly."""
    raise NotImplementedError
