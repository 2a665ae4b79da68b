"""What other systems know of a customer: orders, payments, visits, deliveries, tickets. They tell it by the API, and tell it
again whenever it changes; the timeline shows it beside what was said.

(source, external_id) is one thing: told twice it is one row, told otherwise it is changed, told of another customer it goes
there, if whoever tells it may see both. Whom it was told of, and by which address, stays written down: a merge that is taken
back gives it back by that (timeline.belongings). Strangers' words: they are shown as text, and a link is followed only if it
is https.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row, select, update

from hub.agents.viewer import Viewer
from hub.domain.events import ActivityChanged, customer_topic
from hub.domain.sentences import Sentence
from hub.domain.values import ContactKind
from hub.domain.views import ActivityView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import belongings, customers

_a, _cp = tables.activity.c, tables.contact_point.c

# Appointments are told ahead; a year that was mistyped is not.
_FURTHEST = timedelta(days=3 * 366)
_EARLIEST_YEAR = 1970


@dataclass(frozen=True, slots=True)
class Told:
    """What a system says. `amount` is a decimal number as text; `at` None: it happened now."""

    source: str
    external_id: str
    kind: str
    title: str
    text: str
    amount: str | None
    currency: str | None
    url: str | None
    at: datetime | None


def check(told: Told, now: datetime) -> None:
    """InvalidInput naming what no screen could show, or nobody should follow."""
    faults: dict[str, str] = {}
    if (told.amount is None) != (told.currency is None):
        faults["currency" if told.currency is None else "amount"] = Sentence("amount and currency go together")
    if told.url is not None and (fault := _fault_of(told.url)):
        faults["url"] = fault
    for name in ("external_id", "title"):
        if not getattr(told, name).isprintable():
            faults[name] = Sentence("must be visible characters")
    if any(not char.isprintable() and char not in "\n\t" for char in told.text):
        faults["text"] = Sentence("must be visible characters")
    if told.at is not None and told.at.tzinfo is None:
        faults["at"] = Sentence("must say its time zone")
    elif told.at is not None and not (told.at.year >= _EARLIEST_YEAR and told.at <= now + _FURTHEST):
        faults["at"] = Sentence("is too far away")
    if faults:
        raise InvalidInput("; ".join(faults.values()), fields=faults)


def _fault_of(url: str) -> str | None:
    """Why nobody is to follow this link; None: they may."""
    if not url.isprintable() or " " in url or "\\" in url:
        return Sentence("is no address of a page")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return Sentence("is no address of a page")
    if parts.scheme != "https" or not parts.hostname:
        return Sentence("must begin with https://")
    # https://shop.example@elsewhere.example is elsewhere.
    return Sentence("must not carry a name or a password") if "@" in parts.netloc else None


def find_point(tx: Tx, kind: ContactKind, address: str) -> tuple[int, int]:
    """(contact point, customer) of an address; NotFound `no_such_customer` if nobody has it."""
    point_id = tx.scalar(select(_cp.id).where(_cp.kind == kind.value, _cp.address == address))
    owner_id = belongings.load_owner(tx, point_id) if point_id is not None else None
    if owner_id is None:
        raise NotFound("nobody has this address", code="no_such_customer")
    return int(point_id), owner_id


def tell(
    tx: Tx, customer_id: int, told: Told, *, contact_point_id: int | None = None, viewer: Viewer | None = None
) -> ActivityView:
    """Keeps it, or changes what was told before; nothing happens where it says the same. `customer_id`: whom it was told of;
    it is shown to whoever that is by now. Conflict `activity_taken` if it stands on another's card, which `viewer` (None: the
    hub) may not see: nobody takes away what they may not look at."""
    living_id = belongings.hold_living(tx, customer_id)
    values: dict[str, Any] = {
        "customer_id": living_id,
        "given_id": customer_id,
        "contact_point_id": contact_point_id,
        **{name: getattr(told, name) for name in ("kind", "title", "text", "amount", "currency", "url")},
    }
    key = {"source": told.source, "external_id": told.external_id}
    row = {**key, **values, "at": told.at or tx.now, "created_at": tx.now}
    added = tx.first(tx.insert_if_new(tables.activity).values(**row).returning(_a.id))
    if added is not None:
        return _emit(tx, int(added.id))
    its = (_a.source == told.source, _a.external_id == told.external_id)
    before = tx.execute(select(tables.activity).where(*its).with_for_update()).one()
    is_moved = before.customer_id != living_id
    if is_moved and viewer is not None and not customers.may_open(tx, viewer, before.customer_id):
        raise Conflict("this was told of a customer whom you may not see", code="activity_taken")
    if told.at is not None:
        values["at"] = told.at
    if all(getattr(before, name) == value for name, value in values.items()):
        return _view(before)
    tx.execute(update(tables.activity).where(_a.id == before.id).values(version=_a.version + 1, **values))
    return _emit(tx, before.id, also=before.customer_id)


def _emit(tx: Tx, activity_id: int, also: int | None = None) -> ActivityView:
    view = _view(tx.execute(select(tables.activity).where(_a.id == activity_id)).one())
    topics = {customer_topic(view.customer_id)} | ({customer_topic(also)} if also is not None else set())
    tx.emit(ActivityChanged(view), topics)
    return view


def load_page(
    tx: Tx, customer_id: int, *, kind: str | None, before: tuple[datetime, int] | None, limit: int
) -> list[ActivityView]:
    """Newest first; `before` is the (at, id) of the last one already held."""
    query = select(tables.activity).where(_a.customer_id == customer_id)
    if kind is not None:
        query = query.where(_a.kind == kind)
    if before is not None:
        at, activity_id = before
        query = query.where((_a.at < at) | ((_a.at == at) & (_a.id < activity_id)))
    return [_view(row) for row in tx.rows(query.order_by(_a.at.desc(), _a.id.desc()).limit(limit))]


def _view(row: Row[Any]) -> ActivityView:
    return ActivityView(
        id=row.id,
        customer_id=row.customer_id,
        source=row.source,
        external_id=row.external_id,
        kind=row.kind,
        title=row.title,
        text=row.text,
        amount=row.amount,
        currency=row.currency,
        url=row.url,
        at=row.at,
        version=row.version,
    )
