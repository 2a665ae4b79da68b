"""A customer's addresses, put in order: their names, which is tried first, a typing mistake, one that is theirs no more.

* An address belongs to one customer, whoever typed it; what is taken off a card belongs to nobody, and whoever writes from
  there next is somebody new.
* Only an address that nobody has written from may be corrected: what a customer wrote from is theirs, whatever we think.
* What was said at an address stays where it is: one that was used is kept, marked as removed, and the corrected one takes
  its place. One that was never used is changed, or deleted.
* A chat visitor is a browser and no address: it is neither corrected nor removed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, select, update

from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.domain.states import ConversationStatus
from hub.domain.values import ContactKind
from hub.domain.views import CustomerView
from hub.errors import Conflict, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import customers

_cp, _c, _k = tables.contact_point.c, tables.conversation.c, tables.consent.c


def change(
    tx: Tx,
    customer_id: int,
    contact_point_id: int,
    *,
    label: str | None = None,
    is_main: bool | None = None,
    address: str | None = None,
    viewer: Viewer | None = None,
) -> CustomerView:
    """None leaves a thing as it is; `address` is in its normal form. The Conflict of customers.taken if it is another's,
    `verified` if the customer has written from the address that would be corrected, `in_talk` while a conversation there is
    open."""
    row = _lock(tx, customer_id, contact_point_id)
    values: dict[str, Any] = {}
    if label is not None:
        values["label"] = " ".join(label.split())
    if is_main is not None:
        # One of each kind: whoever chose another last is right.
        tx.execute(
            update(tables.contact_point)
            .where(_cp.customer_id == row.customer_id, _cp.kind == row.kind, _cp.is_main)
            .values(is_main=False)
        )
        values["is_main"] = is_main
    if values:
        tx.execute(update(tables.contact_point).where(_cp.id == row.id).values(**values))
    if address is not None and address != row.address:
        _correct(tx, row, address, viewer)
    customers.touch(tx, row.customer_id)
    return customers.emit_customer(tx, row.customer_id)


def remove(tx: Tx, customer_id: int, contact_point_id: int) -> CustomerView:
    """Takes an address off the card. Conflict `in_talk` while a conversation there is open, `not_removable` for a visitor."""
    row = _lock(tx, customer_id, contact_point_id)
    _take_off(tx, row)
    customers.touch(tx, row.customer_id)
    return customers.emit_customer(tx, row.customer_id)


def _correct(tx: Tx, row: Row[Any], address: str, viewer: Viewer | None) -> None:
    if row.kind == ContactKind.CHAT.value:
        raise Conflict("a chat visitor has no address", code="not_removable")
    if row.verified:
        raise Conflict(
            "the customer has written from this address: add the other one",
            code="verified",
            fields={"address": Sentence("is where the customer wrote from")},
        )
    owner = tx.first(
        select(_cp.customer_id, tables.customer.c.name)
        .join(tables.customer, tables.customer.c.id == _cp.customer_id)
        .where(_cp.kind == row.kind, _cp.address == address, _cp.removed_at.is_(None))
    )
    if owner is not None:
        raise customers.taken(tx, owner.customer_id, owner.name, address, viewer)
    if not _is_used(tx, row.id):
        # Nothing was ever sent there; that it bounced is impossible, and consent was the customer's, not the number's.
        tx.execute(update(tables.contact_point).where(_cp.id == row.id).values(address=address))
        return
    was_main = tx.scalar(select(_cp.is_main).where(_cp.id == row.id))
    label = tx.scalar(select(_cp.label).where(_cp.id == row.id))
    _take_off(tx, row)
    customers.add_contact_point(tx, row.customer_id, ContactKind(row.kind), address, label=label or "")
    if was_main:
        tx.execute(
            update(tables.contact_point)
            .where(_cp.kind == row.kind, _cp.address == address, _cp.removed_at.is_(None))
            .values(is_main=True)
        )


def _take_off(tx: Tx, row: Row[Any]) -> None:
    if row.kind == ContactKind.CHAT.value:
        raise Conflict("a chat visitor cannot be taken off a card", code="not_removable")
    talks = (_c.contact_point_id == row.id, _c.status == ConversationStatus.OPEN.value)
    if tx.first(select(_c.id).where(*talks).limit(1)) is not None:
        raise Conflict("a conversation at this address is open: resolve it first", code="in_talk")
    if _is_used(tx, row.id) or tx.first(select(_k.id).where(_k.contact_point_id == row.id).limit(1)) is not None:
        tx.execute(update(tables.contact_point).where(_cp.id == row.id).values(removed_at=tx.now, is_main=False))
    else:
        tx.execute(delete(tables.contact_point).where(_cp.id == row.id))


def _is_used(tx: Tx, contact_point_id: int) -> bool:
    """Whether anything was ever said or sent there."""
    return tx.first(select(_c.id).where(_c.contact_point_id == contact_point_id).limit(1)) is not None


def _lock(tx: Tx, customer_id: int, contact_point_id: int) -> Row[Any]:
    """The address, which is on this card, locked: a message that comes in at the same time waits to begin a conversation
    there (its foreign key needs the row)."""
    row = tx.first(
        select(tables.contact_point)
        .where(_cp.id == contact_point_id, _cp.customer_id == customer_id, _cp.removed_at.is_(None))
        .with_for_update()
    )
    if row is None:
        raise NotFound("this customer has no such address")
    return row
