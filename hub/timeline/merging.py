"""Two records of one person made one by hand, and two again: exactly what was before, and whatever came since to whom it
came.

    preview   what would be: field by field both cards and what is proposed, what would move
    merge     customers.join moves (timeline.belongings) and writes the row; here the card's fields are chosen
    undo      gives back, in the reverse order of a chain: who was merged on since is parted from there first

Invariants:
  * A merge and its undoing leave every row as it was, but for versions and for lines that tell of it.
  * A field that was filled from the other card is taken back only if it still says what was put there; where a later merge
    has put something else upon it, that one gives back what would stand there without this one.
  * A conversation that was merged into one of the other card's is parted from it first (timeline.joining): its lines would
    stay on the wrong card.
  * Both are facts (CustomerJoined, CustomerParted), and both are in the audit log.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row, func, or_, select, true, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.events import FACTS, CustomerParted, customer_topic
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.views import CustomerView, DuplicateView, MergeFieldView, MergePreviewView, MergeView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.routing import offers
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import belongings, conversations, customers, task_rows

_cu, _cp, _c, _m = tables.customer.c, tables.contact_point.c, tables.conversation.c, tables.customer_merge.c

Choice = Literal["ours", "theirs", "both"]

# What of a customer's row is no field of the card.
_NO_FIELDS = frozenset({"id", "created_at", "merged_into", "version"})
FIELDS: tuple[str, ...] = tuple(column.name for column in tables.customer.c if column.name not in _NO_FIELDS)
# Texts that both may stand in: one below the other.
_TEXTS = frozenset({"note"})
# They make sense together.
_ADDRESS = ("country", "region", "town", "district", "street", "postcode")
# As long as a card's note may be (web.schemas); what is longer is not joined.
_NOTE_LENGTH = 4_000
_DUPLICATES = 8
# A mailbox's name as short as this says nothing: info@, sales@.
_TELLING_MAILBOX = 6
_EMPTY: tuple[Any, ...] = (None, "", 0, [], {})


@dataclass(frozen=True, slots=True)
class Undone:
    """`kept`: fields that were filled from the other card and have been changed since, so that they stay."""

    customer: CustomerView
    other: CustomerView
    kept: tuple[str, ...]


# --- who may be the same ------------------------------------------------------------------------------------------------


def load_duplicates(tx: Tx, viewer: Viewer, customer_id: int) -> list[DuplicateView]:
    """Other customers of the same name, or with nearly the same mailbox, as far as the viewer may see them; a few."""
    view = customers.access_customer(tx, viewer, customer_id)
    found: dict[int, str] = {}
    # Whom the viewer does not see takes nobody's place among the few.
    seen = condition if (condition := customers.visible_to(viewer)) is not None else true()
    if not customers.is_unnamed(tx, view.id):
        name = " ".join(view.name.split())
        # SQLite's lower() knows no letters beyond ASCII.
        written = {name, name.lower(), name.upper(), name.title(), name.casefold()}
        same_name = or_(_cu.name.in_(written), func.lower(_cu.name) == name.lower())
        alike = select(_cu.id).where(same_name, _cu.id != view.id, _cu.merged_into.is_(None), seen).order_by(_cu.id)
        found |= {row.id: "name" for row in tx.rows(alike.limit(_DUPLICATES))}
    for mailbox in _mailboxes(view):
        local, _, domain = mailbox.partition("@")
        whole = _cp.address.like(f"{_literal(local)}+%@{_literal(domain)}", escape="\\") | (_cp.address == mailbox)
        elsewhere = _cp.address.like(f"{_literal(local)}@%", escape="\\") if len(local) >= _TELLING_MAILBOX else whole
        others = (_cp.kind == "email", _cp.customer_id != view.id, _cp.removed_at.is_(None))
        same = select(_cp.customer_id).join(tables.customer, _cu.id == _cp.customer_id)
        same = same.where(*others, whole | elsewhere, seen)
        for row in tx.rows(same.order_by(_cp.id).limit(_DUPLICATES)):
            found.setdefault(row.customer_id, "mailbox")
    visible = [one for one in found if _may_see(tx, viewer, one)][:_DUPLICATES]
    views = customers.load_customers(tx, visible)
    return [DuplicateView(customer=views[one], why=found[one]) for one in visible]


def _mailboxes(view: CustomerView) -> set[str]:
    """Without what stands after a plus sign: it is the same mailbox (RFC 5233)."""
    addresses = [point.address for point in view.contact_points if point.kind == "email"]
    return {f"{address.partition('@')[0].partition('+')[0]}@{address.partition('@')[2]}" for address in addresses}


def _literal(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _may_see(tx: Tx, viewer: Viewer, customer_id: int) -> bool:
    try:
        customers.access_customer(tx, viewer, customer_id)
    except NotFound:
        return False
    return True


# --- what would be ------------------------------------------------------------------------------------------------------


def preview(tx: Tx, viewer: Viewer, customer_id: int, other_id: int) -> MergePreviewView:
    """What a merge of the other into this one would make. InvalidInput if they are one already."""
    view, other = _access_both(tx, viewer, customer_id, other_id)
    rows = _load_rows(tx, (view.id, other.id))
    unnamed = {each: customers.is_unnamed(tx, each) for each in rows}
    fields = [_field(name, rows[view.id], rows[other.id], unnamed) for name in FIELDS]

    def count(of: int) -> int:
        return int(tx.scalar(select(func.count()).select_from(tables.conversation).where(_c.customer_id == of)))

    return MergePreviewView(
        customer=view,
        other=other,
        fields=tuple(field for field in fields if field is not None),
        conversations=count(view.id),
        other_conversations=count(other.id),
    )


def _access_both(tx: Tx, viewer: Viewer, customer_id: int, other_id: int) -> tuple[CustomerView, CustomerView]:
    view = customers.access_customer(tx, viewer, customer_id)
    try:
        other = customers.access_customer(tx, viewer, other_id)
    except NotFound:
        raise InvalidInput("no such customer", fields={"other_id": Sentence("there is no such customer")}) from None
    if view.id == other.id:
        raise InvalidInput("they are one already", fields={"other_id": Sentence("is this very customer")})
    if view.is_erased or other.is_erased:
        raise belongings.erased()
    return view, other


def _load_rows(tx: Tx, ids: Collection[int]) -> dict[int, Row[Any]]:
    return {row.id: row for row in tx.rows(select(tables.customer).where(_cu.id.in_(ids)))}


def _field(name: str, ours: Row[Any], theirs: Row[Any], unnamed: Mapping[int, bool]) -> MergeFieldView | None:
    """None where both say the same, or nothing."""
    mine, its = plain(getattr(ours, name)), plain(getattr(theirs, name))
    if mine == its or its in _EMPTY:
        return None
    choices: list[Choice] = ["ours", "theirs"]
    if mine not in _EMPTY and _both(name, mine, its) is not None:
        choices.append("both")
    proposed: Choice = "both" if "both" in choices else "ours"
    if name in _ADDRESS and any(getattr(ours, part) for part in _ADDRESS):
        # A street of the one in a town of the other is nobody's address.
        return MergeFieldView(name=name, ours=mine, theirs=its, choices=tuple(choices), proposed="ours")
    is_poor = mine in _EMPTY or (name == "name" and unnamed[ours.id] and not unnamed[theirs.id])
    if is_poor or (name == "tier" and its > mine):
        proposed = "theirs"
    return MergeFieldView(name=name, ours=mine, theirs=its, choices=tuple(choices), proposed=proposed)


def _both(name: str, mine: Any, its: Any) -> Any:
    """What has a place for both; None where there is none."""
    if name in _TEXTS:
        joined = f"{mine}\n\n{its}"
        return joined if len(joined) <= _NOTE_LENGTH else None
    if isinstance(mine, list) and isinstance(its, list):
        return [*mine, *(one for one in its if one not in mine)]
    if isinstance(mine, dict) and isinstance(its, dict):
        return {**its, **mine}
    return None


def plain(value: Any) -> Any:
    """As it can be kept in JSON, and compared with what was."""
    return value.isoformat() if hasattr(value, "isoformat") else value


# --- merging --------------------------------------------------------------------------------------------------------------


def merge(
    tx: Tx,
    viewer: Viewer,
    customer_id: int,
    other_id: int,
    *,
    choices: Mapping[str, Choice],
    expected_version: int | None = None,
    expected_other_version: int | None = None,
) -> tuple[MergeView, CustomerView]:
    """The other becomes this one. `choices`: what each field shall say, where it is not what the preview proposes. Conflict
    `version_conflict` if one of the cards changed since it was looked at, `merged` if one of them is no more; Forbidden
    where an agent would choose the tier."""
    tx.lock_mail()
    view, other = _access_both(tx, viewer, customer_id, other_id)
    owners = belongings.lock_owners(tx, view.id, other.id)
    ours, theirs = owners[view.id], owners[other.id]
    if ours.merged_into is not None or theirs.merged_into is not None:
        raise Conflict("one of them was merged a moment ago", code="merged")
    expected = ((ours, expected_version), (theirs, expected_other_version))
    if any(version is not None and row.version != version for row, version in expected):
        raise Conflict("somebody changed one of these cards meanwhile", code="version_conflict")
    unnamed = {each: customers.is_unnamed(tx, each) for each in owners}
    proposals = {field.name: field for name in FIELDS if (field := _field(name, ours, theirs, unnamed)) is not None}
    _check_choices(viewer, choices, proposals)
    filled: dict[str, list[Any]] = {}
    values: dict[str, Any] = {}
    for name, field in proposals.items():
        choice = choices.get(name, field.proposed)
        if choice == "ours":
            continue
        values[name] = (
            getattr(theirs, name) if choice == "theirs" else _both(name, getattr(ours, name), getattr(theirs, name))
        )
        filled[name] = [plain(getattr(ours, name)), plain(values[name])]
    if values:
        tx.execute(update(tables.customer).where(_cu.id == view.id).values(**values))
    about: dict[str, audit.JSON] = {
        "name": f"#{view.id}" if unnamed[view.id] else view.name,
        "other_id": other.id,
        "other": customers.name_for_audit(tx, other.id),
        "fields": sorted(filled),
    }
    merge_id = customers.join(tx, other.id, view.id, by_id=viewer.user_id, filled=filled)
    audit.note(tx, viewer, "customer.merged", "customer", view.id, {**about, "merge_id": merge_id})
    _tell_card(tx, view.id, values.keys())
    customers.emit_customer(tx, other.id)
    (told,) = _load_merges(tx, _m.id == merge_id)
    return told, customers.load_customer(tx, view.id)


def _check_choices(viewer: Viewer, choices: Mapping[str, Choice], proposals: Mapping[str, MergeFieldView]) -> None:
    faults = {}
    for name, choice in choices.items():
        field = proposals.get(name)
        if name not in FIELDS:
            faults[f"choices.{name}"] = Sentence("is no field of the card")
        elif field is not None and choice not in field.choices:
            faults[f"choices.{name}"] = Sentence("must be one of {known}", known=", ".join(field.choices))
        elif (
            name == "tier"
            and field is not None
            and choice != field.proposed
            and not viewer.may(Permission.ACT_ON_BOARD)
        ):
            raise Forbidden("only a supervisor may change a customer's tier")
    if faults:
        raise InvalidInput("; ".join(faults.values()), fields=faults)


def _tell_card(tx: Tx, customer_id: int, changed: Collection[str]) -> CustomerView:
    if not {"name", "tier"}.isdisjoint(changed):
        customers.tell_new_name(tx, customer_id)
    else:
        task_rows.retell_of(tx, customer_id)
    tx.wake("routing")
    return customers.emit_customer(tx, customer_id)


# --- two again ------------------------------------------------------------------------------------------------------------


def load_merges(tx: Tx, viewer: Viewer, customer_id: int) -> list[MergeView]:
    """Whom this customer was found to be as well, newest first; what was taken back is not among them."""
    view = customers.access_customer(tx, viewer, customer_id)
    return _load_merges(tx, (_m.into_id == view.id) & _m.undone_at.is_(None))


def undo(tx: Tx, viewer: Viewer, merge_id: int) -> Undone:
    """Two again. Undoing twice is the same as once. NotFound for whoever may not see the card; Conflict `merged_on` while
    the card that took it in is itself a part of another, and `conversations_merged` while a conversation of the one stands in
    one of the other's: lines stay with nobody else's card."""
    row = tx.first(select(tables.customer_merge).where(_m.id == merge_id))
    nobodys = NotFound("there is no such merge")
    if row is None:
        raise nobodys
    try:
        customers.access_customer(tx, viewer, row.into_id)
    except NotFound:
        raise nobodys from None  # in the same words: ids cannot be probed
    tx.lock_mail()
    owners = belongings.lock_owners(tx, row.into_id, row.from_id)
    # Again, now that nobody else can change it.
    row = tx.execute(select(tables.customer_merge).where(_m.id == merge_id).with_for_update()).one()
    if row.undone_at is not None:
        return Undone(customers.load_customer(tx, row.into_id), customers.load_customer(tx, row.from_id), ())
    into = owners[row.into_id]
    if into.merged_into is not None:
        living = customers.load_customer(tx, into.merged_into)
        raise Conflict(
            f"{into.name} was merged into {living.name} since; undo that first",
            code="merged_on",
            fields={"into": living.name},
        )
    _check_conversations_part(tx, [point_id for point_id, _, _ in row.moved["points"]])
    values, kept = _taken_back(tx, row, into)
    ids = belongings.give_back(tx, row.from_id, row.into_id, row.moved)
    tx.execute(
        update(tables.customer_merge).where(_m.id == merge_id).values(undone_at=tx.now, undone_by=viewer.user_id)
    )
    tx.execute(update(tables.customer).where(_cu.id == row.from_id).values(merged_into=None, version=_cu.version + 1))
    tx.execute(update(tables.customer).where(_cu.id == row.into_id).values(version=_cu.version + 1, **values))
    tx.emit(CustomerParted(merge_id, row.from_id, row.into_id, tx.now, tuple(ids)), {FACTS})
    for conversation_id in ids:
        conversations.emit_conversation(
            tx, conversations.load_conversation(tx, conversation_id), also={customer_topic(row.into_id)}
        )
    offers.retell(tx, ids)
    parted = owners[row.from_id]
    about: dict[str, audit.JSON] = {
        "name": customers.name_for_audit(tx, into.id),
        "other_id": parted.id,
        "other": customers.name_for_audit(tx, parted.id),
        "kept": list(kept),
    }
    audit.note(tx, viewer, "customer.unmerged", "customer", into.id, {**about, "merge_id": merge_id})
    task_rows.retell_of(tx, row.from_id)
    return Undone(_tell_card(tx, row.into_id, values.keys()), customers.emit_customer(tx, row.from_id), kept)


def _check_conversations_part(tx: Tx, points: Sequence[int]) -> None:
    """No conversation with one of these contact points was merged into one with another, nor the other way round. Merges of
    conversations hold MAIL, too."""
    living = tables.conversation.alias("living")
    crosses = _c.contact_point_id.in_(points) != living.c.contact_point_id.in_(points)
    found = select(_c.id, _c.merged_into).join(living, living.c.id == _c.merged_into)
    near = _c.contact_point_id.in_(points) | living.c.contact_point_id.in_(points)
    row = tx.first(found.where(near, crosses).order_by(_c.id).limit(1))
    if row is not None:
        raise Conflict(
            f"conversation #{row.id} was merged into #{row.merged_into}; undo that first",
            code="conversations_merged",
            fields={"id": str(row.id), "into": str(row.merged_into)},
        )


def _taken_back(tx: Tx, row: Row[Any], into: Row[Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the card says without this merge, and the fields that have been changed since."""
    values: dict[str, Any] = {}
    kept: list[str] = []
    live = (_m.into_id == row.into_id, _m.undone_at.is_(None), _m.id > row.id)
    later: dict[int, dict[str, Any]] = {
        one.id: dict(one.filled) for one in tx.rows(select(_m.id, _m.filled).where(*live).order_by(_m.id))
    }
    for name, (before, after) in row.filled.items():
        upon = next((filled for filled in later.values() if name in filled), None)
        if upon is not None and upon[name][0] == after:
            upon[name] = [before, upon[name][1]]
        elif name in FIELDS and plain(getattr(into, name)) == after:
            values[name] = before
        else:
            kept.append(name)
    for merge_id, filled in later.items():
        tx.execute(update(tables.customer_merge).where(_m.id == merge_id).values(filled=filled))
    return values, tuple(kept)


def _load_merges(tx: Tx, which: Any) -> list[MergeView]:
    u = tables.user_account.c
    rows = tx.rows(
        select(tables.customer_merge, _cu.name.label("from_name"), u.name.label("by_name"))
        .join(tables.customer, _cu.id == _m.from_id)
        .outerjoin(tables.user_account, u.id == _m.by_id)
        .where(which)
        .order_by(_m.id.desc())
    )
    points = {point[0] for row in rows for point in row.moved["points"]}
    # What a chat visitor is called by says nothing to anybody.
    telling = select(_cp.id, _cp.address).where(_cp.id.in_(points), _cp.kind != "chat", _cp.removed_at.is_(None))
    addresses = {row.id: row.address for row in tx.rows(telling)}
    return [
        MergeView(
            id=row.id,
            from_id=row.from_id,
            from_name=row.from_name,
            into_id=row.into_id,
            at=row.at,
            by_id=row.by_id,
            by_name=row.by_name,
            reason=row.reason,
            addresses=tuple(addresses[point[0]] for point in row.moved["points"] if point[0] in addresses),
        )
        for row in rows
    ]
