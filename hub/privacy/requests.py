"""What customers ask about their data: taken down, kept in plain sight until it is answered, and noted when it is over.

    create → open ─► erasing ─► done            (an erasure: hub.privacy.erasing)
                  └► done | refused | withdrawn (a file that was handed over: hub.privacy.archive; or neither)

Whoever may see nothing of the customer sees no request of theirs. A request belongs to the card it was made for; readers
follow a merge.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, func, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.events import SUPERVISORS, DataRequestChanged
from hub.domain.sentences import Sentence
from hub.domain.states import DATA_REQUEST, DataRequestState, check_move
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import belongings, conversations, customers

Kind = Literal["access", "erasure"]
TEXT_LIMIT = 2_000

_d, _cu, _u = tables.data_request.c, tables.customer.c, tables.user_account.c
_taken, _ended = tables.user_account.alias("taken"), tables.user_account.alias("ended")
_REQUESTS = (
    select(
        tables.data_request,
        _cu.id.label("living_id"),
        _cu.name.label("customer_name"),
        _cu.erased_at,
        _taken.c.name.label("taken_by_name"),
        _ended.c.name.label("ended_by_name"),
    )
    .join(_first := tables.customer.alias("first"), _first.c.id == _d.customer_id)
    .join(tables.customer, _cu.id == func.coalesce(_first.c.merged_into, _first.c.id))
    .join(_taken, _taken.c.id == _d.taken_by)
    .outerjoin(_ended, _ended.c.id == _d.ended_by)
)


@dataclass(frozen=True, slots=True)
class Wish:
    """`identity`: by what it was known that the customer themselves asked. `asked_at` None: now; `due_at` None: a month
    after it was asked (GDPR, article 12(3))."""

    kind: Kind
    identity: str
    note: str = ""
    conversation_id: int | None = None
    asked_at: datetime | None = None
    due_at: datetime | None = None


def a_month_after(at: datetime) -> datetime:
    """The same day of the next month, or its last one."""
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    return at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1]))


def create(tx: Tx, viewer: Viewer, customer_id: int, wish: Wish) -> Row[Any]:
    """InvalidInput naming each field that is wrong; Conflict `already_asked` while the same is asked for already,
    `erased`."""
    customer_id = belongings.hold_living(tx, customers.access_customer(tx, viewer, customer_id).id)
    asked_at = wish.asked_at or tx.now
    due_at = wish.due_at or a_month_after(asked_at)
    faults: dict[str, str] = {}
    if not wish.identity.strip():
        faults["identity"] = Sentence("must say how you know that it is they who ask")
    if asked_at > tx.now:
        faults["asked_at"] = Sentence("must not be in the future")
    if due_at <= asked_at:
        faults["due_at"] = Sentence("must be after the day on which it was asked")
    if wish.conversation_id is not None and not _is_theirs(tx, viewer, wish.conversation_id, customer_id):
        faults["conversation_id"] = Sentence("is no conversation of this customer")
    if faults:
        raise InvalidInput("; ".join(f"{name} {fault}" for name, fault in faults.items()), fields=faults)
    # Whoever else would take the same down waits for the card, and finds this one. The key is left alone: both hold that.
    tx.rows(select(_cu.id).where(_cu.id == customer_id).with_for_update(key_share=True))
    same = _REQUESTS.where(_cu.id == customer_id, _d.kind == wish.kind, _d.ended_at.is_(None))
    if tx.first(same.limit(1)) is not None:
        raise Conflict("the customer has asked for the same already, and it is not answered yet", code="already_asked")
    request_id = tx.insert(
        tables.data_request,
        {
            "customer_id": customer_id,
            "kind": wish.kind,
            "conversation_id": wish.conversation_id,
            "identity": wish.identity.strip(),
            "note": wish.note.strip(),
            "asked_at": asked_at,
            "due_at": due_at,
            "taken_by": viewer.user_id,
            "created_at": tx.now,
        },
    )
    note(tx, viewer, "created", request_id, customer_id, kind=wish.kind)
    return load(tx, viewer, request_id)


def _is_theirs(tx: Tx, viewer: Viewer, conversation_id: int, customer_id: int) -> bool:
    try:
        view = conversations.access_conversation(tx, viewer, conversation_id)
    except NotFound:
        return False
    return view.customer_id == customer_id


def load(tx: Tx, viewer: Viewer, request_id: int) -> Row[Any]:
    """NotFound for whoever may not see the customer."""
    row = tx.first(_REQUESTS.where(_d.id == request_id))
    nobodys = NotFound("there is no such request")
    if row is None:
        raise nobodys
    try:
        customers.access_customer(tx, viewer, row.living_id)
    except NotFound:
        raise nobodys from None  # in the same words: ids cannot be probed
    return row


def load_page(
    tx: Tx, viewer: Viewer, *, is_open: bool, customer_id: int | None, after: tuple[datetime, int] | None, limit: int
) -> Sequence[Row[Any]]:
    """What is due first comes first; of what is over, what ended last. `after`: the last row that is held already."""
    query = _REQUESTS
    if (visible := customers.visible_to(viewer)) is not None:
        query = query.where(visible)
    if customer_id is not None:
        query = query.where(_cu.id == customers.access_customer(tx, viewer, customer_id).id)
    if is_open:
        query = query.where(_d.ended_at.is_(None)).order_by(_d.due_at, _d.id)
        if after is not None:
            query = query.where((_d.due_at > after[0]) | ((_d.due_at == after[0]) & (_d.id > after[1])))
    else:
        query = query.where(_d.ended_at.is_not(None)).order_by(_d.ended_at.desc(), _d.id.desc())
        if after is not None:
            query = query.where((_d.ended_at < after[0]) | ((_d.ended_at == after[0]) & (_d.id < after[1])))
    return tx.rows(query.limit(limit))


def lock(tx: Tx, viewer: Viewer, request_id: int, *, expected_version: int | None = None) -> Row[Any]:
    """The request, until the commit. Conflict `version_conflict` if it is not as the caller saw it."""
    tx.rows(select(_d.id).where(_d.id == request_id).with_for_update())
    row = load(tx, viewer, request_id)
    if expected_version is not None and row.version != expected_version:
        raise Conflict("somebody has seen to this request meanwhile", code="version_conflict")
    return row


def end(
    tx: Tx,
    viewer: Viewer,
    request_id: int,
    state: Literal["done", "refused", "withdrawn"],
    *,
    reason: str = "",
    expected_version: int | None = None,
) -> Row[Any]:
    """Ending twice in the same way is ending once. A request for erasure is done by erasing; one for a file once the file
    was made (Conflict `not_made`). Conflict `request_state` once it has ended in another way."""
    row = lock(tx, viewer, request_id)
    if row.state == state:
        return row
    if expected_version is not None and row.version != expected_version:
        raise Conflict("somebody has seen to this request meanwhile", code="version_conflict")
    if row.state != DataRequestState.OPEN:
        raise Conflict("this request is over, or being worked at", code="request_state")
    check_move(DATA_REQUEST, DataRequestState(row.state), DataRequestState(state))
    if state == "refused" and not reason.strip():
        raise InvalidInput("a refusal needs its reason", fields={"reason": Sentence("must say why it is refused")})
    if state == "done" and (row.kind == "erasure" or row.made_at is None):
        raise Conflict("what was asked for has not been made yet", code="not_made")
    ended = {"ended_at": tx.now, "ended_by": viewer.user_id, "reason": reason.strip()}
    tx.execute(update(tables.data_request).where(_d.id == row.id).values(state=state, version=_d.version + 1, **ended))
    note(tx, viewer, state, row.id, row.living_id, kind=row.kind)
    return load(tx, viewer, row.id)


def note(tx: Tx, viewer: Viewer | None, what: str, request_id: int, customer_id: int, **told: audit.JSON) -> None:
    """In the audit log, and on the screens of whoever looks after requests."""
    about: dict[str, audit.JSON] = {"name": f"#{customer_id}", "customer_id": customer_id, **told}
    audit.note(tx, viewer, f"data_request.{what}", "data_request", request_id, about)
    tx.emit(DataRequestChanged(request_id, customer_id), {SUPERVISORS})
