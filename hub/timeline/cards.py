"""A customer's card, edited: by several people at once, and nobody's words lost.

An edit names what it changes and what its writer saw there (`seen`). It is merged into what the card says now, under the
lock of its row (domain.card): other people's edits of other facts stay, and of the same fact the later is told what it says
by now, so that whoever writes decides. All of an edit is kept, or nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, select, update

from hub.agents.viewer import Viewer
from hub.domain import card
from hub.domain.fields import FieldValue, Subject
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.views import CustomerView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import belongings, custom_fields, customers

_cu, _u = tables.customer.c, tables.user_account.c

# All that an edit may name beside `fields`.
FACTS = (
    *("name", "language", "note", "tier", "owner_id", "preferred_channel", "company", "job_title"),
    *("country", "region", "town", "district", "street", "postcode", "time_zone", "birthday", "source", "tags"),
)
# What says that this is not known; of the others it is an empty text.
NULL_IS_A_VALUE = frozenset({"language", "owner_id", "preferred_channel"})


def change_card(
    tx: Tx,
    viewer: Viewer,
    customer_id: int,
    wanted: Mapping[str, Any],
    *,
    seen: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
    seen_fields: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
) -> CustomerView:
    """Writes what `wanted` and `fields` (custom ones, by key; None takes one away) name. InvalidInput naming each that is
    wrong, custom ones as `fields.key`; Forbidden for what the viewer may not write. Conflict `field_conflict` names what a
    colleague changed since it was `seen`, and `version_conflict` if the whole card had to be of `expected_version`."""
    before = customers.access_customer(tx, viewer, customer_id)
    row = tx.first(select(tables.customer).where(_cu.id == before.id).with_for_update())
    if row is None or row.merged_into is not None or before.id != customer_id:
        raise NotFound("there is no such customer")
    if row.erased_at is not None:
        raise belongings.erased()
    if expected_version is not None and row.version != expected_version:
        raise Conflict("somebody changed this customer meanwhile", code="version_conflict")
    facts, faults = card.read_facts(wanted, tx.now.date())
    values, more_faults = custom_fields.read_values(tx, viewer, Subject.CUSTOMER, fields or {}, row.fields or {})
    faults |= more_faults | _faulty_owner(tx, row, facts)
    if faults:
        raise InvalidInput("; ".join(f"{name} {fault}" for name, fault in faults.items()), fields=faults)
    if facts.get("tier", row.tier) != row.tier and not viewer.may(Permission.ACT_ON_BOARD):
        # It is worth up to half an hour of waiting, as a priority is; that is a supervisor's to give, too.
        raise Forbidden("only a supervisor may change a customer's tier")
    changes = _merge(row, facts, values, seen or {}, seen_fields or {})
    if not changes:
        return before
    tx.execute(update(tables.customer).where(_cu.id == row.id).values(version=_cu.version + 1, **changes))
    if changes.keys() & {"name", "tier"}:
        customers.tell_new_name(tx, row.id)
    if changes.keys() & {"tier", "language", "owner_id"}:
        tx.wake("routing")
    return customers.emit_customer(tx, row.id)


def _merge(
    row: Row[Any],
    facts: Mapping[str, Any],
    values: Mapping[str, FieldValue | None],
    seen: Mapping[str, Any],
    seen_fields: Mapping[str, Any],
) -> dict[str, Any]:
    """The columns to be written. Conflict `field_conflict` naming what two people changed."""
    held = {**row._mapping, "tags": row.tags or []}
    merged = card.merge(held, facts, seen)
    merged_fields = card.merge(row.fields or {}, values, seen_fields)
    conflicts = {
        **{name: told(value) for name, value in merged.conflicts.items()},
        **{f"fields.{key}": told(value) for key, value in merged_fields.conflicts.items()},
    }
    if conflicts:
        raise Conflict("a colleague changed this meanwhile", code="field_conflict", fields=conflicts)
    changes = dict(merged.changes)
    if merged_fields.changes:
        changes["fields"] = custom_fields.with_changes(row.fields or {}, merged_fields.changes)
    return changes


def told(value: object) -> str:
    """What a fact says by now, for whoever is told of a conflict."""
    if value is None or value == "" or value == []:
        return Sentence("is empty by now")
    return Sentence("says by now: {value}", value=str(value))


def _faulty_owner(tx: Tx, row: Row[Any], facts: Mapping[str, Any]) -> dict[str, str]:
    owner_id = facts.get("owner_id")
    if owner_id is None or owner_id == row.owner_id:
        return {}
    is_there = tx.first(select(_u.id).where(_u.id == owner_id, _u.active)) is not None
    return {} if is_there else {"owner_id": Sentence("there is no such active user")}


# --- what stands on other cards -------------------------------------------------------------------------------------------

# Of so many cards that were made last: enough to know the house's words, whatever the number of customers.
_LOOKED_THROUGH = 2_000
_MOST_WORDS = 100


def load_sources(tx: Tx) -> list[str]:
    """How customers came to us, most frequent first."""
    newest = select(_cu.source).where(_cu.source != "").order_by(_cu.id.desc()).limit(_LOOKED_THROUGH)
    return _by_frequency(row.source for row in tx.rows(newest))


def load_tags(tx: Tx) -> list[str]:
    """Tags that customers have, most frequent first."""
    newest = select(_cu.tags).where(_cu.tags.is_not(None)).order_by(_cu.id.desc()).limit(_LOOKED_THROUGH)
    return _by_frequency(tag for row in tx.rows(newest) for tag in row.tags or ())


def _by_frequency(words: Iterable[str]) -> list[str]:
    return [word for word, _ in Counter(words).most_common(_MOST_WORDS)]
