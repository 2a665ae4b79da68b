"""Offers as screens see them, and telling them anew when what they show has changed.

An offer shows who writes and what: the customer's name and the newest words, as they are now, and whether a chat's visitor
is there. So whoever changes those of a conversation that may be ringing calls `retell`; the last word of a unit of work is
told once, at its end.

Who offers, and when an offer ends, is routing.dispatcher's alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, select

from hub.domain.events import SUPERVISORS, OfferMade, user_topic
from hub.domain.states import OfferOutcome
from hub.domain.values import ChannelKind
from hub.domain.views import OfferView
from hub.store import tables
from hub.store.database import Tx

_c, _o, _away = tables.conversation.c, tables.offer.c, tables.visitor_away.c

OFFERS = (
    select(
        tables.offer,
        tables.customer.c.name.label("customer_name"),
        tables.customer.c.erased_at.label("customer_erased_at"),
        tables.channel.c.id.label("channel_id"),
        tables.channel.c.kind.label("channel_kind"),
        _c.customer_id,
        _c.topic_id,
        _c.preview,
        _c.call_id,
        _c.callback,
        _c.queued_since,
        _c.created_at.label("conversation_created_at"),
        _away.since.label("visitor_away_since"),
    )
    .join(tables.conversation, _c.id == _o.conversation_id)
    .join(tables.customer, tables.customer.c.id == _c.customer_id)
    .join(tables.channel, tables.channel.c.id == _c.channel_id)
    .outerjoin(
        tables.visitor_away, (_away.contact_point_id == _c.contact_point_id) & (_away.channel_id == _c.channel_id)
    )
)


def offer_view(row: Row[Any]) -> OfferView:
    """The view of a row of OFFERS."""
    return OfferView(
        id=row.id,
        conversation_id=row.conversation_id,
        agent_id=row.agent_id,
        offered_at=row.offered_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        outcome=OfferOutcome(row.outcome) if row.outcome else None,
        customer_name=row.customer_name,
        channel_id=row.channel_id,
        channel_kind=ChannelKind(row.channel_kind),
        queue_id=row.queue_id,
        preview=row.preview,
        waiting_since=row.queued_since or row.conversation_created_at,
        why=row.why,
        call_id=row.call_id,
        callback_address=row.callback["address"] if row.callback else None,
        customer_is_erased=row.customer_erased_at is not None,
        visitor_away_since=row.visitor_away_since,
    )


def load_live_offers(tx: Tx, agent_id: int | None = None) -> list[OfferView]:
    """Offers that ring now, of one agent or of all."""
    query = OFFERS.where(_o.ended_at.is_(None)).order_by(_o.id)
    if agent_id is not None:
        query = query.where(_o.agent_id == agent_id)
    return [offer_view(row) for row in tx.rows(query)]


def tell(tx: Tx, row: Row[Any]) -> None:
    """Tells a live offer (a row of OFFERS) to the agent at whom it rings, and to supervisors."""
    tx.emit(OfferMade(offer_view(row)), {user_topic(row.agent_id), SUPERVISORS})


def retell(tx: Tx, conversation_ids: Iterable[int]) -> None:
    """These conversations look different now: if they ring, their offers are told again. The caller holds their locks, so
    an offer neither begins nor ends unseen meanwhile."""
    tx.gather("offers", conversation_ids, _retell_gathered)


def _retell_gathered(tx: Tx, conversation_ids: set[int]) -> None:
    if not conversation_ids:
        return
    for row in tx.rows(OFFERS.where(_o.ended_at.is_(None), _o.conversation_id.in_(conversation_ids)).order_by(_o.id)):
        tell(tx, row)
