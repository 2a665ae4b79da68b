"""Work that whoever holds it has put aside until an instant: it stays theirs and costs no capacity meanwhile.

`conversation.parked_until` says so, the assignment's weight is 0. It comes back at that instant, by hand, or when the
customer writes: inbound, which holds no ROUTING lock, sets the instant to when the conversation began, which is surely past
whatever clocks do, and wakes the dispatcher, who does the rest.
(Waiting work with that instant is a callback between two attempts, and none of this.)
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select

from hub.domain.sentences import Sentence
from hub.domain.states import ConversationStatus
from hub.domain.values import Direction, EntryKind, Happening
from hub.domain.views import ConversationView
from hub.errors import Conflict, InvalidInput
from hub.routing import engine
from hub.store import tables
from hub.store.database import Tx

_c, _e = tables.conversation.c, tables.entry.c

# A quarter: what is put aside for longer is not work but a reminder, and belongs into a calendar.
LONGEST = timedelta(days=90)

_parked = (_c.parked_until.is_not(None), _c.assignee_id.is_not(None))


def check_until(now: datetime, until: datetime) -> datetime:
    """InvalidInput unless it is ahead, and not too far."""
    if until.tzinfo is None:
        raise InvalidInput("no time zone", fields={"until": Sentence("must say its time zone")})
    if until <= now:
        raise InvalidInput("that is over", fields={"until": Sentence("must be in the future")})
    if until > now + LONGEST:
        raise InvalidInput(
            "that is too long", fields={"until": Sentence("must be within {count} days", count=LONGEST.days)}
        )
    return until


def check_may_be_parked(view: ConversationView) -> None:
    """Conflict for what nobody holds, and for whoever waits with the line open."""
    if view.status is ConversationStatus.RESOLVED:
        raise Conflict("this conversation is resolved", code="resolved")
    if view.assignee_id is None:
        raise Conflict("nobody holds this conversation", code="not_held")
    if view.channel_kind in engine.LIVE_KINDS and view.callback is None:
        raise Conflict("the customer waits with the line open", code="customer_waits")


def find_due(tx: Tx) -> list[int]:
    """Whose time has come, by id."""
    return [row.id for row in tx.rows(_DUE, {"now": tx.now})]


# Made once: each round of the dispatcher asks.
_DUE = select(_c.id).where(*_parked, _c.parked_until <= bindparam("now")).order_by(_c.id)
next_due = select(func.min(_c.parked_until)).where(*_parked).scalar_subquery()


def has_customer_written(tx: Tx, conversation_id: int) -> bool:
    """Since it was put aside."""
    here = _e.conversation_id == conversation_id
    put_aside = select(func.max(_e.id)).where(here, _e.happening == Happening.PARKED.value).scalar_subquery()
    theirs = (_e.kind == EntryKind.MESSAGE.value, _e.direction == Direction.IN.value)
    return tx.first(select(_e.id).where(here, *theirs, _e.id > put_aside).limit(1)) is not None
