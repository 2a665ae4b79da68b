"""Customers and their contact points: who is behind an address, and when two records are one person.

A contact point (kind, address) belongs to exactly one customer. An address somebody has written from is `verified`; one
that was merely typed into a form is not. One that was taken off a card is nobody's (timeline.contact_points): who writes
from there next is new to us. A chat visitor who gives a phone number or mailbox that already belongs to a
customer is joined to that customer's card for the agents' eyes (marked unverified); the visitor gets to see nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import phonenumbers
from sqlalchemy import bindparam, delete, func, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.consent import How, Purpose
from hub.domain.events import (
    FACTS,
    SUPERVISORS,
    CustomerChanged,
    CustomerJoined,
    conversation_topics,
    customer_topic,
)
from hub.domain.mail import UNKNOWN_SENDER
from hub.domain.sentences import Sentence
from hub.domain.values import ChannelKind, ContactKind, Happening
from hub.domain.views import ContactPointView, CustomerView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.mail.addresses import normal_address
from hub.routing import offers
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import belongings, consents, conversations, task_rows
from hub.timeline.participants import read_ids

_cu, _cp, _c = tables.customer.c, tables.contact_point.c, tables.conversation.c


# Where people have a name by which they are found, whatever the letters' case. Those with telephone numbers for names
# (WhatsApp, Viber) need no handle.
NETWORKS = frozenset({"telegram", "instagram", "facebook", "messenger", "x", "tiktok", "linkedin", "youtube"})
# The union of what these allow: letters, digits and signs that stand in their addresses.
_HANDLE = re.compile(r"[\w.\-]{1,100}")

_REACHES = (
    select(_cp.id, _cp.address, _cp.customer_id, _cp.opted_out_at, _cp.bounced_at, _cp.verified, _cu.name)
    .join(tables.customer, _cu.id == _cp.customer_id)
    .where(
        _cp.kind == bindparam("kind"), _cp.address.in_(bindparam("addresses", expanding=True)), _cp.removed_at.is_(None)
    )
)


@dataclass(frozen=True, slots=True)
class Reach:
    """A contact point as the inbound path needs it."""

    contact_point_id: int
    customer_id: int
    customer_name: str
    opted_out: bool
    verified: bool
    bounced: bool = False


def parse_address(kind: ContactKind, text: str, default_region: str | None) -> str:
    """The one normal form of an address; InvalidInput naming `address` when it cannot be one. Phone numbers become
    E.164, read by `default_region` unless they begin with +."""
    text = text.strip()
    if kind is ContactKind.PHONE:
        try:
            number = phonenumbers.parse(text, default_region)
        except phonenumbers.NumberParseException:
            raise InvalidInput("not a phone number", fields={"address": Sentence("is not a phone number")}) from None
        # Nor one that is possible within a town alone: nobody can call it from elsewhere.
        if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
            raise InvalidInput("not a phone number", fields={"address": Sentence("has too few or too many digits")})
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if kind is ContactKind.EMAIL:
        address = normal_address(text)
        if address is None or "." not in address.rpartition("@")[2]:
            raise InvalidInput("not an e-mail address", fields={"address": Sentence("is not an e-mail address")})
        return address
    if kind is ContactKind.HANDLE:
        return _parse_handle(text)
    return text


def _parse_handle(text: str) -> str:
    """`network:name` of a network that is known here; names there are the same in small and capital letters."""
    network, _, name = text.partition(":")
    network, name = network.strip().lower(), name.strip().lstrip("@").casefold()
    if network not in NETWORKS:
        raise InvalidInput(
            "not a handle",
            fields={"address": Sentence("must begin with one of {known}:", known=", ".join(sorted(NETWORKS)))},
        )
    if not _HANDLE.fullmatch(name):
        raise InvalidInput("not a handle", fields={"address": Sentence("is not a name people have there")})
    return f"{network}:{name}"


def default_name(kind: ContactKind, address: str) -> str:
    """What to call somebody of whom only an address is known."""
    if kind is ContactKind.PHONE and address.startswith("+"):
        try:
            number = phonenumbers.parse(address)
        except phonenumbers.NumberParseException:
            return address
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    if kind is ContactKind.CHAT:
        return f"Visitor {address[:4].upper()}"
    return address


def note_written_from(tx: Tx, reaches: Collection[Reach]) -> None:
    """Somebody wrote from addresses that had only been claimed: those are proven now, and the chat that had claimed them
    is marked as what it is, a claim."""
    for reach in reaches:
        if reach.verified:
            continue
        tx.execute(update(tables.contact_point).where(_cp.id == reach.contact_point_id).values(verified=True))
        tx.execute(
            update(tables.contact_point)
            .where(_cp.customer_id == reach.customer_id, _cp.kind == ContactKind.CHAT.value)
            .values(verified=False)
        )
        tx.execute(update(tables.customer).where(_cu.id == reach.customer_id).values(version=_cu.version + 1))
        emit_customer(tx, reach.customer_id)


def note_heard_from(tx: Tx, contact_point_id: int) -> None:
    """Mail comes from an address that was taken for dead: it is alive."""
    _set_bounce(tx, contact_point_id, None)


def note_bounce(tx: Tx, contact_point_id: int, reason: str) -> None:
    """What was sent to the address came back, for a reason that lies in the address."""
    _set_bounce(tx, contact_point_id, reason)


def _set_bounce(tx: Tx, contact_point_id: int, reason: str | None) -> None:
    changed = tx.execute(
        update(tables.contact_point)
        .where(_cp.id == contact_point_id, _cp.bounce_reason.is_distinct_from(reason))
        .values(bounced_at=tx.now if reason else None, bounce_reason=reason)
    ).rowcount
    if changed:
        customer_id = tx.scalar(select(_cp.customer_id).where(_cp.id == contact_point_id))
        tx.execute(update(tables.customer).where(_cu.id == customer_id).values(version=_cu.version + 1))
        emit_customer(tx, customer_id)


def load_customers(tx: Tx, ids: Collection[int]) -> dict[int, CustomerView]:
    if not ids:
        return {}
    last_seen = (
        select(func.max(_c.last_entry_at)).where(_c.contact_point_id == _cp.id).correlate(tables.contact_point)
    ).scalar_subquery()
    rows = tx.rows(
        select(tables.contact_point, last_seen.label("last_seen_at"))
        .where(_cp.customer_id.in_(ids), _cp.removed_at.is_(None))
        .order_by(_cp.id)
    )
    standing = consents.load_standing(tx, [row.id for row in rows])
    # Of each kind the one that somebody chose, else the first.
    mains = {(row.customer_id, row.kind): row.id for row in reversed(rows)}
    mains |= {(row.customer_id, row.kind): row.id for row in rows if row.is_main}
    points: dict[int, list[ContactPointView]] = {}
    for row in rows:
        points.setdefault(row.customer_id, []).append(
            ContactPointView(
                id=row.id,
                kind=ContactKind(row.kind),
                address=row.address,
                verified=row.verified,
                opted_out=row.opted_out_at is not None,
                last_seen_at=row.last_seen_at,
                bounced_at=row.bounced_at,
                bounce_reason=row.bounce_reason,
                label=row.label,
                is_main=mains[row.customer_id, row.kind] == row.id,
                consents=standing.get(row.id, ()),
            )
        )
    return {
        row.id: CustomerView(
            id=row.id,
            name=row.name,
            language=row.language,
            note=row.note,
            created_at=row.created_at,
            contact_points=tuple(points.get(row.id, ())),
            version=row.version,
            tier=row.tier,
            owner_id=row.owner_id,
            preferred_channel=ChannelKind(row.preferred_channel) if row.preferred_channel else None,
            company=row.company,
            job_title=row.job_title,
            country=row.country,
            region=row.region,
            town=row.town,
            district=row.district,
            street=row.street,
            postcode=row.postcode,
            time_zone=row.time_zone,
            birthday=row.birthday,
            source=row.source,
            tags=tuple(row.tags or ()),
            fields=row.fields or {},
            is_erased=row.erased_at is not None,
        )
        for row in tx.rows(select(tables.customer).where(_cu.id.in_(ids)))
    }


def load_customer(tx: Tx, customer_id: int) -> CustomerView:
    """The customer, following a merge to the record that lives on; NotFound if there is none."""
    row = tx.first(select(_cu.merged_into).where(_cu.id == customer_id))
    if row is None:
        raise NotFound("there is no such customer")
    return load_customers(tx, [row.merged_into or customer_id])[row.merged_into or customer_id]


def emit_customer(tx: Tx, customer_id: int) -> CustomerView:
    """Tells whoever may see the customer: lookers at the card, and all who see a conversation of theirs."""
    view = load_customer(tx, customer_id)
    topics = {SUPERVISORS, customer_topic(customer_id)}
    places = select(_c.queue_id, _c.assignee_id, _c.participants).where(_c.customer_id == customer_id)
    for row in tx.rows(places):
        topics |= conversation_topics(row.queue_id, row.assignee_id, read_ids(row.participants))
    tx.emit(CustomerChanged(view), topics)
    return view


def visible_to(viewer: Viewer) -> Any | None:
    """The condition on `customer` that says whom somebody may see, or None for "everybody": those of whom they may see a
    conversation, and those who have none yet."""
    visible = conversations.visible_to(viewer.role, viewer.user_id, viewer.queue_ids)
    if visible is None:
        return None
    any_of_theirs = select(_c.id).where(_c.customer_id == _cu.id).correlate(tables.customer)
    return any_of_theirs.where(visible).exists() | ~any_of_theirs.exists()


def having(words: str) -> Any:
    """The condition on `customer` that these words stand in the name or in an address."""
    wanted = words.strip().lower()
    addresses = select(_cp.id).where(
        _cp.customer_id == _cu.id,
        _cp.removed_at.is_(None),
        func.lower(_cp.address).contains(wanted, autoescape=True),
    )
    named = func.lower(_cu.name).contains(wanted, autoescape=True)
    return named | addresses.correlate(tables.customer).exists()


def load_page(tx: Tx, viewer: Viewer, *, words: str | None, before: int | None, limit: int) -> list[CustomerView]:
    """Newest first, as far as the viewer may see; `before` is the id of the last one already held."""
    query = select(_cu.id).where(_cu.merged_into.is_(None), _cu.erased_at.is_(None))
    if (visible := visible_to(viewer)) is not None:
        query = query.where(visible)
    if words and words.strip():
        query = query.where(having(words))
    if before is not None:
        query = query.where(_cu.id < before)
    ids = [row.id for row in tx.rows(query.order_by(_cu.id.desc()).limit(limit))]
    found = load_customers(tx, ids)
    return [found[customer_id] for customer_id in ids]


def load_home_region(tx: Tx) -> str | None:
    """The region by which a national phone number typed by an agent is read: the one the channel accounts name."""
    region = tables.channel.c.default_region
    row = tx.first(select(region).where(region.is_not(None)).order_by(tables.channel.c.id).limit(1))
    return str(row.default_region) if row is not None else None


def find_reaches(tx: Tx, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Reach]:
    """Who is behind these (kind, address) pairs, as far as they are known."""
    by_kind: dict[str, list[str]] = {}
    for kind, address in wanted:
        by_kind.setdefault(kind, []).append(address)
    found: dict[tuple[str, str], Reach] = {}
    for kind, addresses in by_kind.items():
        for row in tx.rows(_REACHES, {"kind": kind, "addresses": addresses}):
            found[kind, row.address] = Reach(
                row.id,
                row.customer_id,
                row.name,
                row.opted_out_at is not None,
                row.verified,
                row.bounced_at is not None,
            )
    return found


def ensure_reaches(tx: Tx, wanted: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[tuple[str, str], Reach]:
    """Like `find_reaches`, and makes a customer for each address nobody has yet. The mapping's values may hold
    `name`, `language` and `verified` (False: it was only claimed). Two processes that meet a new address at once end with one
    customer."""
    found = find_reaches(tx, wanted.keys())
    missing = [key for key in wanted if key not in found]
    if not missing:
        return found
    missing.sort()  # in one order everywhere, so that two processes never wait for each other
    customer_ids = tx.insert_many(
        tables.customer,
        [
            {
                "name": wanted[key].get("name") or default_name(ContactKind(key[0]), key[1]),
                "language": wanted[key].get("language"),
                "created_at": tx.now,
            }
            for key in missing
        ],
    )
    statement = tx.insert_if_new(tables.contact_point).returning(_cp.kind, _cp.address)
    rows = [
        {
            "customer_id": customer_id,
            "kind": kind,
            "address": address,
            # Nobody is behind the address that stands for none.
            "verified": address != UNKNOWN_SENDER and wanted[kind, address].get("verified", True),
            "created_at": tx.now,
        }
        for customer_id, (kind, address) in zip(customer_ids, missing, strict=True)
    ]
    made = {(row.kind, row.address) for row in tx.execute(statement, rows)}
    orphans = [customer_id for customer_id, key in zip(customer_ids, missing, strict=True) if key not in made]
    if orphans:
        tx.execute(delete(tables.customer).where(_cu.id.in_(orphans)))
    return found | find_reaches(tx, missing)


def add_contact_point(
    tx: Tx,
    customer_id: int,
    kind: ContactKind,
    address: str,
    *,
    verified: bool = False,
    label: str = "",
    viewer: Viewer | None = None,
) -> CustomerView:
    """Gives a customer one more address; the Conflict of `taken` when it is somebody else's already. One that was taken off
    this very card comes back as it was."""
    customer = load_customer(tx, belongings.hold_living(tx, customer_id))
    if _insert_contact_point(tx, customer.id, kind, address, verified=verified, label=label):
        touch(tx, customer.id)
        return emit_customer(tx, customer.id)
    owner = tx.execute(
        select(_cp.customer_id, _cu.name)
        .join(tables.customer, _cu.id == _cp.customer_id)
        .where(_cp.kind == kind.value, _cp.address == address, _cp.removed_at.is_(None))
    ).one()
    if owner.customer_id == customer.id:
        return customer
    raise taken(tx, owner.customer_id, owner.name, address, viewer)


def taken(tx: Tx, owner_id: int, owner_name: str, address: str, viewer: Viewer | None) -> Conflict:
    """An address is somebody else's: `contact_taken` names them, to whoever may see them; `contact_taken_unseen` to others.
    Without a viewer it is the hub itself that asks."""
    if viewer is not None and not may_open(tx, viewer, owner_id):
        unseen = {"address": Sentence("belongs to a customer you do not see")}
        return Conflict("this address belongs to another customer", code="contact_taken_unseen", fields=unseen)
    named = {"address": Sentence("belongs to {name}", name=owner_name), "owner": owner_name}
    return Conflict(f"{address} already belongs to {owner_name}", code="contact_taken", fields=named)


def _insert_contact_point(
    tx: Tx, customer_id: int, kind: ContactKind, address: str, *, verified: bool, label: str = ""
) -> bool:
    """False if somebody has the address, also when they got it at this very moment."""
    row = {
        "customer_id": customer_id,
        "kind": kind.value,
        "address": address,
        "verified": verified,
        "label": label,
        "created_at": tx.now,
    }
    former = tx.scalar(
        select(_cp.id)
        .where(_cp.customer_id == customer_id, _cp.kind == kind.value, _cp.address == address)
        .where(_cp.removed_at.is_not(None))
        .order_by(_cp.id.desc())
        .limit(1)
    )
    taken = select(_cp.id).where(_cp.kind == kind.value, _cp.address == address, _cp.removed_at.is_(None))
    if former is not None and tx.first(taken) is None:
        tx.execute(update(tables.contact_point).where(_cp.id == former).values(removed_at=None))
        return True
    inserted = tx.execute(tx.insert_if_new(tables.contact_point).values(**row).returning(_cp.id))
    return inserted.first() is not None


def touch(tx: Tx, customer_id: int) -> None:
    """The card has changed: its next version."""
    tx.execute(update(tables.customer).where(_cu.id == customer_id).values(version=_cu.version + 1))


def identify(tx: Tx, contact_point_id: int, *, name: str | None, claims: Sequence[tuple[ContactKind, str]]) -> int:
    """A chat visitor said who they are: keeps the name, and for each claimed address either adds it (unverified) to the
    visitor's card or, when it is a known customer's, joins the visitor to that customer. Returns the customer's id."""
    found = belongings.load_owner(tx, contact_point_id)
    if found is None:
        raise NotFound("there is no such visitor")
    customer_id = own_id = found
    for kind, address in claims:
        if _insert_contact_point(tx, customer_id, kind, address, verified=False):
            tx.execute(update(tables.customer).where(_cu.id == customer_id).values(version=_cu.version + 1))
            continue
        taken = tx.scalar(
            select(_cp.id).where(_cp.kind == kind.value, _cp.address == address, _cp.removed_at.is_(None))
        )
        owner = belongings.load_owner(tx, taken) if taken is not None else None
        if owner is not None and owner != customer_id and _is_anonymous(tx, customer_id):
            merge_id = join(tx, customer_id, owner)
            told: dict[str, audit.JSON] = {
                "name": name_for_audit(tx, owner),
                "other_id": customer_id,
                "merge_id": merge_id,
            }
            audit.note(tx, None, "customer.merged", "customer", owner, told)
            customer_id = owner
    # Somebody else's card is not renamed by whoever says that it is theirs.
    if name and customer_id == own_id and is_unnamed(tx, customer_id):
        tx.execute(update(tables.customer).where(_cu.id == customer_id).values(name=name, version=_cu.version + 1))
        tell_new_name(tx, customer_id)
    emit_customer(tx, customer_id)
    return customer_id


def _is_anonymous(tx: Tx, customer_id: int) -> bool:
    """Known by nothing but chat: such a card may be joined to another without anybody's decision."""
    return not tx.scalar(
        select(func.count()).select_from(tables.contact_point).where(_cp.customer_id == customer_id, _cp.kind != "chat")
    )


def is_unnamed(tx: Tx, customer_id: int) -> bool:
    """Called by an address, for want of a name."""
    name = tx.scalar(select(_cu.name).where(_cu.id == customer_id))
    points = tx.rows(select(_cp.kind, _cp.address).where(_cp.customer_id == customer_id))
    return any(name == default_name(ContactKind(point.kind), point.address) for point in points)


def name_for_audit(tx: Tx, customer_id: int) -> str:
    """What the audit log calls them: addresses of customers do not belong there, and who has no name is called by one."""
    if is_unnamed(tx, customer_id):
        return f"#{customer_id}"
    return str(tx.scalar(select(_cu.name).where(_cu.id == customer_id)))


def tell_new_name(tx: Tx, customer_id: int) -> None:
    """Lists show the name and weigh by the tier: every open conversation of theirs is told anew."""
    ids = [row.id for row in tx.rows(select(_c.id).where(_c.customer_id == customer_id, _c.status == "open"))]
    tx.lock_conversations(ids)
    for conversation_id in ids:
        conversations.emit_conversation(tx, conversations.change(tx, conversation_id))
    offers.retell(tx, ids)
    task_rows.retell_of(tx, customer_id)


def join(
    tx: Tx,
    customer_id: int,
    into_id: int,
    *,
    by_id: int | None = None,
    filled: Mapping[str, Sequence[Any]] | None = None,
) -> int:
    """Moves everything of one customer to another, who lives on; the empty record points there until it is parted again
    (timeline.merging). Returns the merge's id. `by_id`: who says so; nobody: a visitor did, of whom what comes along is
    claimed, not proven. `filled`: column of the card → [what stood there, what the caller has put there]. Conflict
    `merged` if either of them is no more."""
    tx.lock_mail()
    owners = belongings.lock_owners(tx, customer_id, into_id)
    if len(owners) < 2 or any(owner.merged_into is not None for owner in owners.values()):
        raise Conflict("one of them was merged a moment ago", code="merged")
    moved, ids = belongings.move_all(tx, customer_id, into_id, is_proven=by_id is not None)
    tx.execute(
        update(tables.customer).where(_cu.id == customer_id).values(merged_into=into_id, version=_cu.version + 1)
    )
    tx.execute(update(tables.customer).where(_cu.id == into_id).values(version=_cu.version + 1))
    merge_id = tx.insert(
        tables.customer_merge,
        {
            "from_id": customer_id,
            "into_id": into_id,
            "at": tx.now,
            "by_id": by_id,
            "reason": "hand" if by_id is not None else "claim",
            "moved": moved,
            "filled": dict(filled or {}),
        },
    )
    task_rows.retell_of(tx, into_id)
    tx.emit(CustomerJoined(customer_id, into_id, tx.now, merge_id), {FACTS})
    for conversation_id in ids:
        view = conversations.load_conversation(tx, conversation_id)
        if view.status == "open" and by_id is None:
            conversations.add_happening(tx, view, Happening.LINKED, conversations.SYSTEM, {"customer_id": into_id})
        else:
            conversations.emit_conversation(tx, view, also={customer_topic(customer_id)})
    offers.retell(tx, ids)
    return merge_id


def create_customer(tx: Tx, name: str, language: str | None) -> CustomerView:
    customer_id = tx.insert(tables.customer, {"name": name, "language": language, "created_at": tx.now})
    return emit_customer(tx, customer_id)


def set_opt_out(tx: Tx, contact_point_id: int, *, opted_out: bool) -> bool:
    """Keeps a customer's STOP or START on the contact point; False when it stood so already."""
    is_changed = consents.note_keyword(tx, contact_point_id, given=not opted_out)
    if is_changed:
        customer_id = tx.scalar(select(_cp.customer_id).where(_cp.id == contact_point_id))
        touch(tx, customer_id)
        emit_customer(tx, customer_id)
    return is_changed


def set_consent(
    tx: Tx,
    customer_id: int,
    contact_point_id: int,
    *,
    channel: str,
    purpose: Purpose,
    given: bool,
    how: How,
    by_id: int | None,
    words: str = "",
) -> CustomerView:
    """Writes down what a customer allowed or forbade (consents.note) and tells whoever sees the card."""
    is_new = consents.note(
        tx,
        contact_point_id,
        channel=channel,
        purpose=purpose,
        given=given,
        how=how,
        by_id=by_id,
        words=words,
    )
    if not is_new:
        return load_customer(tx, customer_id)
    touch(tx, customer_id)
    return emit_customer(tx, customer_id)


# --- access -------------------------------------------------------------------------------------------------------------


def access_customer(tx: Tx, viewer: Viewer, customer_id: int) -> CustomerView:
    """The card, for whoever may see one of the customer's conversations (then all of them: one card holds everything), or
    when there is no conversation yet. NotFound otherwise."""
    view = load_customer(tx, customer_id)
    visible = conversations.visible_to(viewer.role, viewer.user_id, viewer.queue_ids)
    if visible is not None:
        mine = tx.first(select(_c.id).where(_c.customer_id == view.id, visible).limit(1))
        if mine is None and tx.first(select(_c.id).where(_c.customer_id == view.id).limit(1)) is not None:
            raise NotFound("there is no such customer")
    return view


def may_open(tx: Tx, viewer: Viewer, customer_id: int) -> bool:
    """Whether `access_customer` would give the card."""
    try:
        access_customer(tx, viewer, customer_id)
    except NotFound:
        return False
    return True
