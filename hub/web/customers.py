"""Customers: the card, its timeline over all channels, and its contact points."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hub.agents import presence
from hub.agents.viewer import Viewer
from hub.domain.values import ContactKind, Role
from hub.domain.views import ConversationView, CustomerView, EntryView
from hub.errors import Forbidden, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, customers
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.conversations import timeline_page
from hub.web.schemas import CustomerCard, NewContactPoint, NewCustomer, Page, TimelinePage, UpdateCustomer

# A card lists so many of the customer's conversations; the timeline pages through all of them.
_CARD_CONVERSATIONS = 50


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


def _create(tx: Tx, body: NewCustomer) -> CustomerView:
    view = customers.create_customer(tx, body.name, body.language)
    if body.phone is None:
        return view
    address = customers.parse_address(ContactKind.PHONE, body.phone, customers.load_home_region(tx))
    return customers.add_contact_point(tx, view.id, ContactKind.PHONE, address)


@endpoint("POST", "/customers", access=Access.AGENT, status=201, summary="Add a customer")
async def create_customer(context: Context, body: NewCustomer) -> CustomerView:
    """409 `contact_taken` names whoever has the number already; then nobody is added."""
    return await context.hub.database.transaction(_create, body)


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


_NULL_IS_A_VALUE = ("language", "owner_id")


def _update(
    tx: Tx, viewer: Viewer, customer_id: int, expected_version: int | None, values: dict[str, Any]
) -> CustomerView:
    view = customers.access_customer(tx, viewer, customer_id)
    if values.get("tier", view.tier) != view.tier and not viewer.covers(Role.SUPERVISOR):
        # It is worth up to half an hour of waiting, as a priority is; that is a supervisor's to give, too.
        raise Forbidden("only a supervisor may change a customer's tier")
    return customers.rename(tx, customer_id, expected_version, values)


@endpoint("PATCH", "/customers/{customer_id}", access=Access.AGENT, summary="Change a customer's card")
async def update_customer(context: Context, customer_id: int, body: UpdateCustomer) -> CustomerView:
    """With `expected_version`, 409 `version_conflict` when somebody changed the card meanwhile."""
    values: dict[str, Any] = {
        name: value
        for name in ("name", "language", "note", "tier", "owner_id")
        if name in body.model_fields_set and ((value := getattr(body, name)) is not None or name in _NULL_IS_A_VALUE)
    }
    return await context.hub.database.transaction(_update, context.viewer, customer_id, body.expected_version, values)


def _add_contact_point(tx: Tx, viewer: Viewer, customer_id: int, kind: ContactKind, text: str) -> CustomerView:
    customers.access_customer(tx, viewer, customer_id)
    address = customers.parse_address(kind, text, customers.load_home_region(tx))
    return customers.add_contact_point(tx, customer_id, kind, address)


@endpoint("POST", "/customers/{customer_id}/contact-points", access=Access.AGENT, summary="Add a phone or mailbox")
async def add_contact_point(context: Context, customer_id: int, body: NewContactPoint) -> CustomerView:
    """Phone numbers become E.164; a national number is read by the region of your channels. 409 `contact_taken` names
    whoever has it already."""
    return await context.hub.database.transaction(
        _add_contact_point, context.viewer, customer_id, ContactKind(body.kind), body.address
    )


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
