"""Customers as CSV: one page after the other, each from one snapshot, however many there are.

The headings are words that an import of ours guesses right (customer_files.columns), several addresses stand in one cell,
and texts that a spreadsheet would take for formulas are made harmless (domain.csv_cells). Pages go by id, the oldest first:
who is added meanwhile may be among them, nobody is there twice, and memory holds one page.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Text, cast, func, select

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.customer_files.columns import FIELD, WAYS
from hub.domain.consent import Purpose
from hub.domain.csv_cells import harmless
from hub.domain.fields import Subject
from hub.domain.sentences import Sentence
from hub.domain.values import ContactKind
from hub.domain.views import ContactPointView, CustomerView
from hub.errors import InvalidInput
from hub.store import tables
from hub.store.database import Database, Tx
from hub.timeline import custom_fields, customers, saved_views

PAGE = 500
_BYTE_ORDER_MARK = "\ufeff"
_cu, _u, _r = tables.customer.c, tables.user_account.c, tables.customer_reference.c

# Column → its heading.
COLUMNS: Mapping[str, str] = {
    "id": "Hub id",
    "name": "Name",
    "phone": "Phone",
    "email": "E-mail",
    "handles": "Handles",
    "external_id": "Customer id",
    "company": "Company",
    "job_title": "Job title",
    "country": "Country",
    "region": "Region",
    "town": "Town",
    "district": "District",
    "street": "Street",
    "postcode": "Postcode",
    "time_zone": "Time zone",
    "birthday": "Birthday",
    "language": "Language",
    "note": "Notes",
    "tags": "Tags",
    "source": "Source",
    "owner": "Owner email",
    "preferred_channel": "Preferred channel",
    **{f"ads.{way}": f"Advertising by {way} allowed" for way in WAYS},
    "silence.sms": "Never text",
    "silence.phone": "Never call",
    "silence.email": "Never email",
    "created_at": "Created at",
}
_PLAIN = (
    *("name", "company", "job_title", "country", "region", "town", "district", "street", "postcode", "time_zone"),
    *("birthday", "note", "source"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom and what. `words`: in the name or an address; `tag`: this very one; `view_id`: those of whom a saved view has a
    conversation. `columns`: in this order, custom fields as `field.KEY`; none means all."""

    words: str | None = None
    tag: str | None = None
    view_id: int | None = None
    columns: tuple[str, ...] = ()


def load_columns(tx: Tx) -> dict[str, str]:
    """All there are → their headings."""
    fields = {FIELD + each.key: each.name for each in custom_fields.load_fields(tx, Subject.CUSTOMER) if each.active}
    return {**COLUMNS, **fields}


def count(tx: Tx, viewer: Viewer | None, wanted: Wanted) -> int:
    """How many customers there are of these; NotFound for a view that is not the viewer's."""
    return int(tx.scalar(select(func.count()).select_from(_ids(tx, viewer, wanted).subquery())) or 0)


def begin(tx: Tx, viewer: Viewer | None, wanted: Wanted) -> tuple[list[tuple[str, str]], int]:
    """((column, heading) of the file, how many customers), and writes down that they are being taken out. InvalidInput naming
    `columns`; NotFound for a view that is not the viewer's. `viewer` None: the command line, which sees everybody."""
    known = load_columns(tx)
    unknown = [name for name in wanted.columns if name not in known]
    if unknown:
        raise InvalidInput(
            "no such column", fields={"columns": Sentence("there is no column {heading}", heading=unknown[0][:80])}
        )
    chosen = [(name, known[name]) for name in wanted.columns or known]
    number = count(tx, viewer, wanted)
    told: dict[str, audit.JSON] = {"name": str(number), "columns": [name for name, _ in chosen]}
    if wanted.words:
        told["words"] = wanted.words
    if wanted.tag:
        told["tag"] = wanted.tag
    if wanted.view_id is not None:
        told["view_id"] = wanted.view_id
    audit.note(tx, viewer, "customer.exported", "customer", "", told)
    return chosen, number


async def csv_parts(
    database: Database, viewer: Viewer | None, wanted: Wanted, columns: Sequence[tuple[str, str]], *, has_mark: bool
) -> AsyncIterator[bytes]:
    """The file piece by piece; `columns` as `begin` gave them."""
    heading = _csv([[harmless(words) for _, words in columns]])
    yield ((_BYTE_ORDER_MARK if has_mark else "") + heading).encode()
    names = [name for name, _ in columns]
    after = 0
    while True:
        rows, last = await database.read(_load_rows, viewer, wanted, names, after)
        if last is None:
            return
        yield _csv(rows).encode()
        after = last


def _csv(rows: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()


def _ids(tx: Tx, viewer: Viewer | None, wanted: Wanted) -> Select[Any]:
    query = select(_cu.id).where(_cu.merged_into.is_(None), _cu.erased_at.is_(None))
    if viewer is not None and (visible := customers.visible_to(viewer)) is not None:
        query = query.where(visible)
    if wanted.words and wanted.words.strip():
        query = query.where(customers.having(wanted.words))
    if wanted.tag:
        query = query.where(cast(_cu.tags, Text).contains(json.dumps(wanted.tag), autoescape=True))
    if wanted.view_id is not None:
        if viewer is None:
            raise InvalidInput("no view", fields={"view_id": Sentence("is for those who are signed in")})
        query = query.where(_cu.id.in_(saved_views.customers_of(tx, viewer, wanted.view_id)))
    return query


def _load_rows(
    tx: Tx, viewer: Viewer | None, wanted: Wanted, names: Sequence[str], after: int
) -> tuple[list[list[str]], int | None]:
    query = _ids(tx, viewer, wanted).where(_cu.id > after).order_by(_cu.id).limit(PAGE)
    ids = [row.id for row in tx.rows(query)]
    if not ids:
        return [], None
    views = customers.load_customers(tx, ids)
    owners: dict[int, str] = {}
    if "owner" in names:
        wanted_owners = {view.owner_id for view in views.values() if view.owner_id is not None}
        owners = {row.id: row.email for row in tx.rows(select(_u.id, _u.email).where(_u.id.in_(wanted_owners)))}
    references: dict[int, str] = {}
    if "external_id" in names:
        # The one that was told first; another system's ids are its own business.
        found = select(_r.customer_id, _r.value).where(_r.customer_id.in_(ids)).order_by(_r.id.desc())
        references = {row.customer_id: row.value for row in tx.rows(found)}
    rows = []
    for customer_id in ids:
        view = views[customer_id]
        cells = _cells(view, owners.get(view.owner_id or 0, ""), references.get(customer_id, ""))
        rows.append([harmless(cells(name)) for name in names])
    return rows, ids[-1]


def _cells(view: CustomerView, owner: str, reference: str) -> Any:
    """A function of a column's name."""

    def of_kind(kind: ContactKind) -> str:
        points = sorted((each for each in view.contact_points if each.kind is kind), key=lambda each: not each.is_main)
        return "; ".join(each.address for each in points)

    def cell(name: str) -> str:
        what, _, rest = name.partition(".")
        if name in _PLAIN:
            return str(getattr(view, name))
        match what:
            case "id":
                return str(view.id)
            case "phone" | "email":
                return of_kind(ContactKind(what))
            case "handles":
                return of_kind(ContactKind.HANDLE)
            case "external_id":
                return reference
            case "language":
                return view.language or ""
            case "preferred_channel":
                return "" if view.preferred_channel is None else view.preferred_channel.value
            case "tags":
                return "; ".join(view.tags)
            case "owner":
                return owner
            case "ads":
                return _said(view.contact_points, rest, Purpose.MARKETING, yes=True)
            case "silence":
                return _said(view.contact_points, rest, Purpose.SERVICE, yes=False)
            case "created_at":
                return view.created_at.isoformat(timespec="seconds")
            case _:
                return _field(view.fields.get(rest))

    return cell


def _said(points: Sequence[ContactPointView], way: str, purpose: Purpose, *, yes: bool) -> str:
    """A refusal at one address is one for all of them: a file has one cell for it. Empty: nothing was said."""
    words = [
        word.given for point in points for word in point.consents if (word.channel, word.purpose) == (way, purpose)
    ]
    if not words:
        return ""
    return "yes" if all(words) is yes else "no"


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return str(value)
