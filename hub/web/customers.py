"""Customers: the card, its timeline over all channels, and its contact points."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

from hub.agents import presence
from hub.agents.viewer import Viewer
from hub.domain.consent import How
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.values import ContactKind
from hub.domain.views import ConversationView, CustomerView, EntryView
from hub.errors import InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.store.idempotency import once, record_answer
from hub.timeline import cards, consents, contact_points, conversations, customers
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.conversations import timeline_page
from hub.web.schemas import (
    CardFacts,
    CardWords,
    CustomerCard,
    KnownCustomer,
    NewContactPoint,
    NewCustomer,
    Page,
    SetConsent,
    TimelinePage,
    UpdateContactPoint,
    UpdateCustomer,
)

# A card lists so many of the customer's conversations; the timeline pages through all of them.
_CARD_CONVERSATIONS = 50
# Names shorter than this are everybody's; more than so many who might be meant nobody looks through.
_SHORTEST_NAME = 3
_MOST_KNOWN = 6


@endpoint("GET", "/customers", access=Access.AGENT, summary="List customers")
async def list_customers(
    context: Context, q: str | None = None, limit: Limit = DEFAULT_LIMIT, cursor: str | None = None
) -> Page[CustomerView]:
    """Newest first, as far as you may see them; `q` looks in names and addresses."""
    before = read_cursor(cursor, int)
    items = await context.hub.database.read(
        customers.load_page, context.viewer, words=q, before=before[0] if before else None, limit=limit
    )
    return Page(items=items, next_cursor=write_cursor(items[-1].id) if len(items) == limit else None)


def _create(tx: Tx, viewer: Viewer, body: NewCustomer, key: str | None, request_hash: str) -> CustomerView:
    earlier = once(tx, viewer.user_id, key, request_hash)
    if earlier is not None:
        return customers.access_customer(tx, viewer, earlier)
    region = customers.load_home_region(tx)
    view = customers.create_customer(tx, body.name, body.language)
    for kind, text in ((ContactKind.PHONE, body.phone), (ContactKind.EMAIL, body.email)):
        if text is not None:
            view = customers.add_contact_point(tx, view.id, kind, _read_address(kind, text, region), viewer=viewer)
    wanted = _facts(body)
    record_answer(tx, viewer.user_id, key, view.id)
    return cards.change_card(tx, viewer, view.id, wanted, fields=body.fields)


def _read_address(kind: ContactKind, text: str, region: str | None) -> str:
    """As customers.parse_address; the fault is named by the field of the form."""
    try:
        return customers.parse_address(kind, text, region)
    except InvalidInput as error:
        raise InvalidInput(error.message, fields={kind.value: error.fields["address"], **error.fields}) from None


@endpoint(
    "POST", "/customers", access=Permission.CHANGE_CUSTOMERS, status=201, summary="Add a customer", idempotent=True
)
async def create_customer(context: Context, body: NewCustomer) -> CustomerView:
    """409 `contact_taken` names whoever has the number or mailbox already; then nobody is added. With an Idempotency-Key a
    repeated request is the same customer."""
    return await context.hub.database.transaction(
        _create, context.viewer, body, context.idempotency_key, context.request_hash
    )


@endpoint("GET", "/customers/known", access=Access.AGENT, summary="Who might be somebody that is being added")
async def find_known(
    context: Context, phone: str | None = None, email: str | None = None, name: str | None = None
) -> Page[KnownCustomer]:
    """Whoever has this number or mailbox, and those of (nearly) this name whom you may see. What is no address yet, while it
    is being typed, is nobody's."""
    return Page(await context.hub.database.read(_find_known, context.viewer, phone, email, name))


def _find_known(tx: Tx, viewer: Viewer, phone: str | None, email: str | None, name: str | None) -> list[KnownCustomer]:
    region = customers.load_home_region(tx)
    keys: list[tuple[str, str]] = []
    for kind, text in ((ContactKind.PHONE, phone), (ContactKind.EMAIL, email)):
        if text:
            with contextlib.suppress(InvalidInput):
                keys.append((kind.value, customers.parse_address(kind, text[:254], region)))
    known: dict[int, KnownCustomer] = {}
    for (_, address), reach in customers.find_reaches(tx, keys).items():
        may_open = customers.may_open(tx, viewer, reach.customer_id)
        known.setdefault(reach.customer_id, KnownCustomer(reach.customer_id, reach.customer_name, may_open, address))
    if name and len(name.strip()) >= _SHORTEST_NAME:
        for view in customers.load_page(tx, viewer, words=name[:120], before=None, limit=_MOST_KNOWN):
            known.setdefault(view.id, KnownCustomer(view.id, view.name, True, None))
    return list(known.values())[:_MOST_KNOWN]


@endpoint("GET", "/customers/words", access=Access.AGENT, summary="What stands on other cards")
async def get_words(context: Context) -> CardWords:
    """Sources and tags, most frequent first."""
    return await context.hub.database.read(_load_words)


def _load_words(tx: Tx) -> CardWords:
    return CardWords(sources=cards.load_sources(tx), tags=cards.load_tags(tx))


def _load_card(tx: Tx, viewer: Viewer, customer_id: int) -> CustomerCard:
    view = customers.access_customer(tx, viewer, customer_id)
    c = tables.conversation.c
    rows = tx.rows(
        conversations.CONVERSATIONS.where(c.customer_id == view.id).order_by(c.id.desc()).limit(_CARD_CONVERSATIONS)
    )
    return CustomerCard(
        customer=view,
        conversations=[conversations.conversation_view(row) for row in rows],
        viewer_ids=list(presence.load_viewers(tx, view.id)),
    )


@endpoint("GET", "/customers/{customer_id}", access=Access.AGENT, summary="A customer's card")
async def get_customer(context: Context, customer_id: int) -> CustomerCard:
    return await context.hub.database.read(_load_card, context.viewer, customer_id)


def _facts(body: CardFacts) -> dict[str, Any]:
    """What of the card the body names."""
    return {
        name: value
        for name in cards.FACTS
        if name in body.model_fields_set
        and ((value := getattr(body, name)) is not None or name in cards.NULL_IS_A_VALUE)
    }


@endpoint("PATCH", "/customers/{customer_id}", access=Permission.CHANGE_CUSTOMERS, summary="Change a customer's card")
async def update_customer(context: Context, customer_id: int, body: UpdateCustomer) -> CustomerView:
    """Only what the body names changes. 409 `field_conflict` names what somebody changed since it was as `seen` says;
    `version_conflict` with an `expected_version` that is no longer so."""
    return await context.hub.database.transaction(
        cards.change_card,
        context.viewer,
        customer_id,
        _facts(body),
        seen=_facts(body.seen) if body.seen is not None else None,
        fields=body.fields,
        seen_fields=body.seen.fields if body.seen is not None else None,
        expected_version=body.expected_version,
    )


# --- addresses ----------------------------------------------------------------------------------------------------------


def _add_contact_point(tx: Tx, viewer: Viewer, customer_id: int, body: NewContactPoint) -> CustomerView:
    kind = ContactKind(body.kind)
    customers.access_customer(tx, viewer, customer_id)
    address = customers.parse_address(kind, body.address, customers.load_home_region(tx))
    return customers.add_contact_point(tx, customer_id, kind, address, label=body.label, viewer=viewer)


@endpoint(
    "POST",
    "/customers/{customer_id}/contact-points",
    access=Permission.CHANGE_CUSTOMERS,
    summary="Add a phone, mailbox or handle",
)
async def add_contact_point(context: Context, customer_id: int, body: NewContactPoint) -> CustomerView:
    """Phone numbers become E.164; a national number is read by the region of your channels. 409 `contact_taken` names
    whoever has it already, `contact_taken_unseen` if you may not see them."""
    return await context.hub.database.transaction(_add_contact_point, context.viewer, customer_id, body)


def _update_contact_point(
    tx: Tx, viewer: Viewer, customer_id: int, contact_point_id: int, body: UpdateContactPoint
) -> CustomerView:
    view = customers.access_customer(tx, viewer, customer_id)
    address = None
    point = next((each for each in view.contact_points if each.id == contact_point_id), None)
    if body.address is not None and point is not None:
        address = customers.parse_address(point.kind, body.address, customers.load_home_region(tx))
    return contact_points.change(
        tx, view.id, contact_point_id, label=body.label, is_main=body.is_main, address=address, viewer=viewer
    )


@endpoint(
    "PATCH",
    "/customers/{customer_id}/contact-points/{contact_point_id}",
    access=Permission.CHANGE_CUSTOMERS,
    summary="Name an address, make it the first, or correct it",
)
async def update_contact_point(
    context: Context, customer_id: int, contact_point_id: int, body: UpdateContactPoint
) -> CustomerView:
    """409 `verified`: the customer has written from there, so it is no typing mistake; `contact_taken`; `in_talk`."""
    return await context.hub.database.transaction(
        _update_contact_point, context.viewer, customer_id, contact_point_id, body
    )


def _remove_contact_point(tx: Tx, viewer: Viewer, customer_id: int, contact_point_id: int) -> CustomerView:
    view = customers.access_customer(tx, viewer, customer_id)
    return contact_points.remove(tx, view.id, contact_point_id)


@endpoint(
    "DELETE",
    "/customers/{customer_id}/contact-points/{contact_point_id}",
    access=Permission.CHANGE_CUSTOMERS,
    summary="Take an address off the card",
)
async def remove_contact_point(context: Context, customer_id: int, contact_point_id: int) -> CustomerView:
    """What was said there stays; whoever writes from there next is somebody new. 409 `in_talk` while a conversation there is
    open; `not_removable` for a chat visitor."""
    return await context.hub.database.transaction(_remove_contact_point, context.viewer, customer_id, contact_point_id)


# --- consent ------------------------------------------------------------------------------------------------------------


def _set_consent(tx: Tx, viewer: Viewer, customer_id: int, body: SetConsent) -> CustomerView:
    view = customers.access_customer(tx, viewer, customer_id)
    if all(point.id != body.contact_point_id for point in view.contact_points):
        fault = Sentence("is not an address of this customer")
        raise InvalidInput("no such address", fields={"contact_point_id": fault})
    return customers.set_consent(
        tx,
        view.id,
        body.contact_point_id,
        channel=body.channel,
        purpose=body.purpose,
        given=body.given,
        how=How(body.how),
        by_id=viewer.user_id,
        words=body.note,
    )


@endpoint(
    "POST",
    "/customers/{customer_id}/consents",
    access=Permission.CHANGE_CUSTOMERS,
    summary="Write down a customer's consent",
)
async def set_consent(context: Context, customer_id: int, body: SetConsent) -> CustomerView:
    """Given or withdrawn, from now on; what was said before stays in the history. 409 `stop_stands`: only the customer's own
    START lifts a STOP."""
    return await context.hub.database.transaction(_set_consent, context.viewer, customer_id, body)


def _load_consents(
    tx: Tx, viewer: Viewer, customer_id: int, before: int | None, limit: int
) -> list[consents.ConsentRecord]:
    view = customers.access_customer(tx, viewer, customer_id)
    return consents.load_history(tx, view.id, before=before, limit=limit)


@endpoint(
    "GET", "/customers/{customer_id}/consents", access=Access.AGENT, summary="What they allowed and forbade, and when"
)
async def list_consents(
    context: Context, customer_id: int, limit: Limit = DEFAULT_LIMIT, cursor: str | None = None
) -> Page[consents.ConsentRecord]:
    """Newest first; addresses that were taken off the card are in it."""
    before = read_cursor(cursor, int)
    items = await context.hub.database.read(
        _load_consents, context.viewer, customer_id, before[0] if before else None, limit
    )
    return Page(items=items, next_cursor=write_cursor(items[-1].id) if len(items) == limit else None)


# --- the timeline -------------------------------------------------------------------------------------------------------


def _load_timeline(
    tx: Tx, viewer: Viewer, customer_id: int, before: tuple[datetime, int] | None, limit: int
) -> tuple[list[EntryView], list[ConversationView]]:
    items = conversations.load_entries(
        tx, conversations.entry_page(_timeline_of(tx, viewer, customer_id), before, limit)
    )
    return items, _conversations_of(tx, items)


def _timeline_of(tx: Tx, viewer: Viewer, customer_id: int) -> Any:
    """The condition on `entry`."""
    view = customers.access_customer(tx, viewer, customer_id)
    return (tables.entry.c.customer_id == view.id) & conversations.readable_by(viewer)


def _conversations_of(tx: Tx, items: list[EntryView]) -> list[ConversationView]:
    return list(conversations.load_conversations(tx, {entry.conversation_id for entry in items}).values())


def _load_around(tx: Tx, viewer: Viewer, customer_id: int, entry_id: int, limit: int) -> TimelinePage:
    """The entry with as many before it as after it, or as many as there are."""
    condition = _timeline_of(tx, viewer, customer_id)
    entry = next(
        iter(conversations.load_entries(tx, conversations.ENTRIES.where(condition, tables.entry.c.id == entry_id))),
        None,
    )
    if entry is None:
        raise NotFound("there is no such entry on this timeline")
    place = (entry.at, entry.id)
    older = conversations.load_entries(tx, conversations.entry_page(condition, place, (limit - 1) // 2))
    newer = conversations.load_entries(tx, conversations.entry_page_after(condition, place, limit // 2))
    items = [*older[::-1], entry, *newer]
    return TimelinePage(
        items=items,
        next_cursor=write_cursor(items[0].at, items[0].id),
        newer_cursor=write_cursor(items[-1].at, items[-1].id),
        conversations=_conversations_of(tx, items),
    )


def _load_newer(tx: Tx, viewer: Viewer, customer_id: int, after: tuple[datetime, int], limit: int) -> TimelinePage:
    condition = _timeline_of(tx, viewer, customer_id)
    items = conversations.load_entries(tx, conversations.entry_page_after(condition, after, limit))
    more = write_cursor(items[-1].at, items[-1].id) if len(items) == limit else None
    return TimelinePage(items=items, newer_cursor=more, conversations=_conversations_of(tx, items))


@endpoint("GET", "/customers/{customer_id}/timeline", access=Access.AGENT, summary="All that was ever said")
async def get_customer_timeline(
    context: Context,
    customer_id: int,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
    around: int | None = None,
    newer: str | None = None,
) -> TimelinePage:
    """One timeline over all channels and conversations. Oldest first within the page; `next_cursor` leads to older ones.
    `around`: the page with this entry in its middle, from which `next_cursor` leads back and, as `newer`, `newer_cursor`
    leads on; a page of newer ones has no cursor back, and none onwards when the newest is there."""
    database = context.hub.database
    if around is not None:
        return await database.read(_load_around, context.viewer, customer_id, around, limit)
    after = read_cursor(newer, datetime, int)
    if after is not None:
        return await database.read(_load_newer, context.viewer, customer_id, after, limit)
    before = read_cursor(cursor, datetime, int)
    items, views = await database.read(_load_timeline, context.viewer, customer_id, before, limit)
    return timeline_page(items, limit, views)
