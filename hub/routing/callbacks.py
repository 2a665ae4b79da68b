"""Queued callbacks: the customer keeps the place in the queue and need not wait in it; an agent calls when it is their turn.

    asked for   by a waiting chat visitor, or entered by an agent          waiting, or calling if somebody has it in hand
    the turn    whoever gets the conversation is told the number           calling
    no answer   back to the queue at its original age, parked for a while  waiting, `attempts` one more
    the end     reached; given up after so many attempts; cancelled

A callback is a row of `callback`, of which one lives at a time for a conversation; what screens see of it stands in the
conversation's `callback`. It lives no longer than the conversation is open. Its place is `place_since`, whatever is written
meanwhile. Today the agent calls with a phone of their own and says what became of it; a phone channel will place the call.

The hub's dispatcher, which alone gives work to people, asks `take`, `put_back` and `drop` what an assignment, a release
and a resolution make of a callback. All here expect that the caller holds the conversation's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import phonenumbers
from sqlalchemy import Row, bindparam, func, select, update

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.states import CALLBACK, CallbackState, ConversationStatus, check_move
from hub.domain.values import AuthorKind, ContactKind, Happening
from hub.domain.views import Author, ConversationView
from hub.errors import Conflict, Forbidden, InvalidInput
from hub.routing import engine
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, customers

_c, _cb, _q = tables.conversation.c, tables.callback.c, tables.queue.c

# --- what people do -----------------------------------------------------------------------------------------------------


def ask_for(tx: Tx, viewer: Viewer, conversation_id: int, address: str) -> ConversationView:
    """An agent enters where the customer wants to be called. InvalidInput naming `address`; Conflict `resolved`."""
    before = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
    _check_in_hand(viewer, before)
    number = customers.parse_address(ContactKind.PHONE, address, customers.load_home_region(tx))
    return _ask(tx, before, number, Author(AuthorKind.AGENT, viewer.name, viewer.user_id))


def cancel(tx: Tx, viewer: Viewer, conversation_id: int) -> ConversationView:
    """Cancelling what is no more is the same as once."""
    before = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
    _check_in_hand(viewer, before)
    return _cancel(tx, before, Author(AuthorKind.AGENT, viewer.name, viewer.user_id))


def ask_as_visitor(tx: Tx, contact_point_id: int, channel_id: str, address: str) -> ConversationView:
    """A waiting chat visitor wants to be called instead. InvalidInput naming `address`; Conflict `not_waiting`; Forbidden
    where the queue does not offer it."""
    before = _open_of_visitor(tx, contact_point_id, channel_id)
    if before is None or before.queued_since is None:
        raise Conflict("nobody waits in this chat", code="not_waiting")
    if not tx.scalar(select(_q.offers_callback).where(_q.id == before.queue_id)):
        raise Forbidden("callbacks are not offered here", code="no_callbacks")
    region = tx.scalar(select(tables.channel.c.default_region).where(tables.channel.c.id == channel_id))
    number = customers.parse_address(ContactKind.PHONE, address, region or customers.load_home_region(tx))
    _check_may_be_asked_for(tx, before, number)
    return _ask(tx, before, number, Author(AuthorKind.CUSTOMER, before.customer_name))


def ask_for_caller(tx: Tx, before: ConversationView, number: str, author: Author) -> ConversationView:
    """Whoever called from this number shall be called back; one who is to be called already is called once. InvalidInput for
    a number that nobody should be able to make us call: a caller can pretend to any."""
    _check_may_be_asked_for(tx, before, number)
    return _ask(tx, before, number, author)


# What nobody should be able to make us call from a web page: each costs the caller, and some pay whoever asks for it.
_COSTLY = frozenset(
    {
        phonenumbers.PhoneNumberType.PREMIUM_RATE,
        phonenumbers.PhoneNumberType.SHARED_COST,
        phonenumbers.PhoneNumberType.UAN,
        phonenumbers.PhoneNumberType.PAGER,
    }
)


def _check_may_be_asked_for(tx: Tx, before: ConversationView, number: str) -> None:
    """A stranger types it into a page: a real number of a country, that costs what a call costs, and that nobody else has
    asked us to call already (else many chats could have one person called by everybody)."""
    parsed = phonenumbers.parse(number)
    # Satellite and international networks belong to no country: their region is 001.
    is_countrys = phonenumbers.region_code_for_number(parsed) not in (None, "001")
    if not phonenumbers.is_valid_number(parsed) or not is_countrys or phonenumbers.number_type(parsed) in _COSTLY:
        raise InvalidInput("not a number that we call", fields={"address": Sentence("is not a number that we call")})
    others = select(_cb.id).where(_cb.address == number, _cb.ended_at.is_(None), _cb.conversation_id != before.id)
    if tx.first(others) is not None:
        raise InvalidInput("asked for already", fields={"address": Sentence("is to be called already")})


def cancel_as_visitor(tx: Tx, contact_point_id: int, channel_id: str) -> ConversationView | None:
    """The visitor waits here after all, or no longer wants to be called. None if nothing is open."""
    before = _open_of_visitor(tx, contact_point_id, channel_id)
    return None if before is None else _cancel(tx, before, Author(AuthorKind.CUSTOMER, before.customer_name))


def end(tx: Tx, before: ConversationView, state: CallbackState, author: Author) -> ConversationView:
    """Reached, given up or cancelled: told on the timeline. Whoever holds the conversation goes on holding it."""
    row = _live(tx, before.id)
    assert row is not None
    attempts = row.attempts + (state is not CallbackState.CANCELLED)
    _move(tx, row, state, attempts=attempts)
    data: dict[str, str | int | None] = {"state": state.value, "address": row.address, "attempts": attempts}
    comes_back = _coming_back(before)
    _, view = conversations.add_happening(tx, before, Happening.CALLBACK, author, data, callback=None, **comes_back)
    if comes_back:
        tx.wake("routing")
    return view


def _coming_back(view: ConversationView) -> dict[str, Any]:
    """What changes of the row of what was parked for its callback alone: work that waits, and a chat that somebody holds.
    The chat is back by the round that is woken, since that instant is surely past."""
    if view.parked_until is None:
        return {}
    if view.queued_since is not None:
        return {"parked_until": None}
    return {"parked_until": view.created_at} if view.channel_kind in engine.LIVE_KINDS else {}


def may_be_called(tx: Tx, before: ConversationView, number: str) -> bool:
    """Whether `ask_for_caller` takes this number."""
    try:
        _check_may_be_asked_for(tx, before, number)
    except InvalidInput:
        return False
    return True


def unreach(tx: Tx, before: ConversationView, since: datetime) -> None:
    """It was a machine that was reached: whoever has the conversation is still calling."""
    ended = (_cb.conversation_id == before.id, _cb.state == CallbackState.REACHED.value, _cb.ended_at >= since)
    row = tx.first(select(tables.callback).where(*ended).order_by(_cb.id.desc()))
    if row is None or before.callback is not None:
        return
    column = _move(tx, row, CallbackState.CALLING, attempts=max(row.attempts - 1, 0))
    conversations.emit_conversation(tx, conversations.change(tx, before.id, callback=column))


def next_try(tx: Tx, before: ConversationView) -> datetime | None:
    """When the customer, who did not answer, is to be called again; None if that was the last attempt."""
    row = _live(tx, before.id)
    assert row is not None
    queue = tx.first(select(_q.callback_gap_s, _q.callback_attempts).where(_q.id == before.queue_id))
    assert queue is not None
    return tx.now + timedelta(seconds=queue.callback_gap_s) if row.attempts + 1 < queue.callback_attempts else None


# --- what becomes of it when work changes hands -------------------------------------------------------------------------


def take(tx: Tx, view: ConversationView) -> dict[str, Any]:
    """Somebody has the conversation: what changes of its row."""
    row = _live(tx, view.id) if view.callback is not None else None
    if row is None:
        return {}
    if row.state == CallbackState.CALLING.value:
        return {"callback": _column(row._asdict())}
    return {"callback": _move(tx, row, CallbackState.CALLING, next_attempt_at=None)}


def put_back(tx: Tx, view: ConversationView, again_at: datetime | None = None) -> dict[str, Any]:
    """The conversation goes back to a queue, to its place: what changes of its row. `again_at`: the customer did not
    answer and is left alone until then."""
    row = _live(tx, view.id) if view.callback is not None else None
    if row is None:
        return {}
    if row.state == CallbackState.WAITING.value:
        # Passed on, maybe during its gap: the customer is left alone until that is over all the same.
        column, gap_until = _column(row._asdict()), row.next_attempt_at
        again_at = gap_until if gap_until is not None and gap_until > tx.now else again_at
    else:
        attempts = row.attempts + (again_at is not None)
        column = _move(tx, row, CallbackState.WAITING, attempts=attempts, next_attempt_at=again_at)
    return {"callback": column, "queued_since": row.place_since, "parked_until": again_at}


def drop(tx: Tx, view: ConversationView) -> dict[str, Any]:
    """The conversation is resolved: nobody is called any more."""
    row = _live(tx, view.id) if view.callback is not None else None
    if row is not None:
        _move(tx, row, CallbackState.CANCELLED)
    return {"callback": None, "parked_until": None}


# --- parked while it waits ----------------------------------------------------------------------------------------------

_PARKED = (_c.queued_since.is_not(None), _c.parked_until.is_not(None))
# Made once: each round of the dispatcher asks.
_DUE = select(_c.id).where(*_PARKED, _c.parked_until <= bindparam("now")).order_by(_c.id)
_NEXT_DUE = select(func.min(_c.parked_until)).where(*_PARKED)


def bring_back(tx: Tx) -> None:
    """Waiting work whose time has come may be offered from now on; screens are told."""
    due = tx.rows(_DUE, {"now": tx.now})
    tx.lock_conversations(row.id for row in due)
    for row in due:
        values: dict[str, Any] = {"parked_until": None}
        live = _live(tx, row.id)
        if live is not None:
            tx.execute(update(tables.callback).where(_cb.id == live.id).values(next_attempt_at=None))
            values["callback"] = _column(live._asdict() | {"next_attempt_at": None})
        conversations.emit_conversation(tx, conversations.change(tx, row.id, **values))
    if due:
        tx.wake("places", "estimates")


def next_return(tx: Tx) -> datetime | None:
    """When waiting work is brought back next."""
    at: datetime | None = tx.scalar(_NEXT_DUE)
    return at


# --- rows ---------------------------------------------------------------------------------------------------------------


def _ask(tx: Tx, before: ConversationView, number: str, author: Author) -> ConversationView:
    if before.status is ConversationStatus.RESOLVED:
        raise Conflict("this conversation is resolved", code="resolved")
    row = _live(tx, before.id)
    by_visitor = author.kind is AuthorKind.CUSTOMER
    if row is not None and row.address == number:
        return before
    told = "requested"
    if row is not None:
        told = "changed"
        tx.execute(update(tables.callback).where(_cb.id == row.id).values(address=number, by_visitor=by_visitor))
        column = _column(row._asdict() | {"address": number, "by_visitor": by_visitor})
    else:
        state = CallbackState.CALLING if before.assignee_id is not None else CallbackState.WAITING
        place_since = before.queued_since or before.unanswered_since or tx.now
        values = {
            "address": number,
            "by_visitor": by_visitor,
            "state": state.value,
            "attempts": 0,
            "next_attempt_at": None,
        }
        fixed = {"conversation_id": before.id, "requested_at": tx.now, "place_since": place_since}
        tx.insert(tables.callback, values | fixed)
        column = _column(values)
    data: dict[str, str | int | None] = {"state": told, "address": number}
    _, view = conversations.add_happening(tx, before, Happening.CALLBACK, author, data, callback=column)
    tx.wake("places")
    return view


def _cancel(tx: Tx, before: ConversationView, author: Author) -> ConversationView:
    if before.callback is None:
        return before
    view = end(tx, before, CallbackState.CANCELLED, author)
    tx.wake("places")
    return view


def _check_in_hand(viewer: Viewer, view: ConversationView) -> None:
    is_anothers = view.assignee_id is not None and view.assignee_id != viewer.user_id
    if is_anothers and not viewer.may(Permission.ACT_ON_BOARD):
        raise Forbidden("this conversation is assigned to somebody else")


def _open_of_visitor(tx: Tx, contact_point_id: int, channel_id: str) -> ConversationView | None:
    found = tx.scalar(
        select(_c.id).where(
            _c.contact_point_id == contact_point_id,
            _c.channel_id == channel_id,
            _c.status == ConversationStatus.OPEN.value,
        )
    )
    return None if found is None else conversations.lock_conversation(tx, int(found))


def _live(tx: Tx, conversation_id: int) -> Row[Any] | None:
    return tx.first(select(tables.callback).where(_cb.conversation_id == conversation_id, _cb.ended_at.is_(None)))


def _move(tx: Tx, row: Row[Any], state: CallbackState, **values: Any) -> dict[str, Any]:
    """Writes the next state of a live callback; how the conversation shows it then."""
    check_move(CALLBACK, CallbackState(row.state), state)
    is_live = state in (CallbackState.WAITING, CallbackState.CALLING)
    ended_at = None if is_live else tx.now
    written = {"state": state.value, "ended_at": ended_at, **values}
    tx.execute(update(tables.callback).where(_cb.id == row.id).values(**written))
    return _column(row._asdict() | written)


def _column(row: Mapping[str, Any]) -> dict[str, Any]:
    """The live row as it stands in the conversation's column: JSON has no instants."""
    at = row["next_attempt_at"]
    return {
        "address": row["address"],
        "by_visitor": row["by_visitor"],
        "state": row["state"],
        "attempts": row["attempts"],
        "next_attempt_at": at.isoformat() if at else None,
    }
