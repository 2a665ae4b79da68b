"""What other systems tell of customers: orders, payments, visits."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.values import ContactKind
from hub.domain.views import ActivityView
from hub.errors import InvalidInput, NotFound
from hub.store.database import Tx
from hub.timeline import activities, customers
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import ActivityFields, NewActivity, Page
from hub.web.throttle import Throttle

# A shop's busiest minute is far below; a loop that went wrong is told so before it fills the disk.
_PER_MINUTE = 600
_throttle = Throttle(_PER_MINUTE, 60.0, f"more than {_PER_MINUTE} activities a minute; wait a little")

Kind = Literal["order", "payment", "visit", "delivery", "ticket", "other"]


def _told(body: ActivityFields) -> activities.Told:
    return activities.Told(
        source=body.source,
        external_id=body.external_id,
        kind=body.kind,
        title=body.title,
        text=body.text,
        amount=body.amount,
        currency=body.currency,
        url=body.url,
        at=body.at,
    )


def _check_pace(context: Context) -> None:
    viewer = context.viewer
    _throttle.check(f"key {viewer.api_key_id}" if viewer.api_key_id is not None else f"user {viewer.user_id}")


def _tell(tx: Tx, viewer: Viewer, customer_id: int, told: activities.Told) -> ActivityView:
    activities.check(told, tx.now)
    customers.access_customer(tx, viewer, customer_id)
    return activities.tell(tx, customer_id, told, viewer=viewer)


@endpoint(
    "POST",
    "/customers/{customer_id}/activities",
    access=Permission.CHANGE_CUSTOMERS,
    summary="Tell what a customer did",
)
async def tell_activity(context: Context, customer_id: int, body: ActivityFields) -> ActivityView:
    """Shown in the customer's timeline. Told again with the same `source` and `external_id` it is changed, so it may be sent
    as often as you like. 409 `activity_taken` if it was told of a customer whom you may not see; 429 after 600 in a
    minute."""
    _check_pace(context)
    return await context.hub.database.transaction(_tell, context.viewer, customer_id, _told(body))


def _tell_by_address(tx: Tx, viewer: Viewer, body: NewActivity, told: activities.Told) -> ActivityView:
    activities.check(told, tx.now)
    if body.phone is not None:
        kind, field, text = ContactKind.PHONE, "phone", body.phone
    else:
        kind, field, text = ContactKind.EMAIL, "email", body.email or ""
    try:
        address = customers.parse_address(kind, text, customers.load_home_region(tx))
    except InvalidInput as error:
        raise InvalidInput(error.message, fields={field: error.fields.get("address", error.message)}) from None
    point_id, customer_id = activities.find_point(tx, kind, address)
    try:
        customers.access_customer(tx, viewer, customer_id)
    except NotFound:
        # In the same words: addresses cannot be probed.
        raise NotFound("nobody has this address", code="no_such_customer") from None
    return activities.tell(tx, customer_id, told, contact_point_id=point_id, viewer=viewer)


@endpoint("POST", "/activities", access=Permission.CHANGE_CUSTOMERS, summary="Tell what the customer of an address did")
async def tell_activity_by_address(context: Context, body: NewActivity) -> ActivityView:
    """The same for a system that knows its customers by `phone` or `email`. 404 `no_such_customer` where nobody has that
    address here."""
    if (body.phone is None) == (body.email is None):
        raise InvalidInput("name the customer", fields={"phone": Sentence("give exactly one of phone and email")})
    _check_pace(context)
    return await context.hub.database.transaction(_tell_by_address, context.viewer, body, _told(body))


def _load(
    tx: Tx, viewer: Viewer, customer_id: int, kind: str | None, before: tuple[datetime, int] | None, limit: int
) -> list[ActivityView]:
    view = customers.access_customer(tx, viewer, customer_id)
    return activities.load_page(tx, view.id, kind=kind, before=before, limit=limit)


@endpoint("GET", "/customers/{customer_id}/activities", access=Access.AGENT, summary="What other systems know")
async def list_activities(
    context: Context,
    customer_id: int,
    kind: Kind | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[ActivityView]:
    """Newest first."""
    before = read_cursor(cursor, datetime, int)
    items = await context.hub.database.read(_load, context.viewer, customer_id, kind, before, limit)
    return Page(items=items, next_cursor=write_cursor(items[-1].at, items[-1].id) if len(items) == limit else None)
