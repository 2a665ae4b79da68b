"""All state machines of the hub on one page. Pure tables: a move that is not written here is illegal.

Each table maps a state to the states it may move to. `check_move` is the only reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from hub.errors import IllegalMove

S = TypeVar("S", bound=StrEnum)


class ConversationStatus(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


CONVERSATION: Mapping[ConversationStatus, frozenset[ConversationStatus]] = {
    ConversationStatus.OPEN: frozenset({ConversationStatus.RESOLVED}),
    # The customer writes again within the channel's reopen window, or an agent opens it by hand.
    ConversationStatus.RESOLVED: frozenset({ConversationStatus.OPEN}),
}


class AgentState(StrEnum):
    """What an agent has said about themselves, or (OFFLINE, NOT_RESPONDING) what the hub has seen.

    Only AVAILABLE is offered work. AWAY carries a reason (break, lunch, training …).
    """

    OFFLINE = "offline"
    AVAILABLE = "available"
    BUSY = "busy"
    AWAY = "away"
    NOT_RESPONDING = "not_responding"


# What a person may choose. OFFLINE is reached by signing out or by being lost; NOT_RESPONDING by missing offers in a row.
CHOOSABLE_AGENT_STATES = frozenset({AgentState.AVAILABLE, AgentState.BUSY, AgentState.AWAY})

_ONLINE = frozenset({AgentState.AVAILABLE, AgentState.BUSY, AgentState.AWAY})
AGENT: Mapping[AgentState, frozenset[AgentState]] = {
    AgentState.OFFLINE: _ONLINE,
    AgentState.AVAILABLE: frozenset(AgentState),
    AgentState.BUSY: _ONLINE | {AgentState.OFFLINE},
    AgentState.AWAY: _ONLINE | {AgentState.OFFLINE},
    AgentState.NOT_RESPONDING: _ONLINE | {AgentState.OFFLINE},
}


class OfferOutcome(StrEnum):
    """How an offer ended. A missed offer is not a declined one, and neither is one the customer left."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
    DEVICE_LOST = "device_lost"
    SETUP_FAILED = "setup_failed"
    CUSTOMER_LEFT = "customer_left"
    WITHDRAWN = "withdrawn"


class CallbackState(StrEnum):
    """Where a queued callback is: in its place in the queue, in somebody's hands, or over."""

    WAITING = "waiting"
    CALLING = "calling"
    REACHED = "reached"
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"


CALLBACK: Mapping[CallbackState, frozenset[CallbackState]] = {
    CallbackState.WAITING: frozenset({CallbackState.CALLING, CallbackState.CANCELLED}),
    # WAITING: the customer did not answer, or whoever had it in hand passed it on.
    CallbackState.CALLING: frozenset(
        {CallbackState.WAITING, CallbackState.REACHED, CallbackState.GIVEN_UP, CallbackState.CANCELLED}
    ),
    # It was a machine, as is told some seconds later.
    CallbackState.REACHED: frozenset({CallbackState.CALLING}),
    CallbackState.GIVEN_UP: frozenset(),
    CallbackState.CANCELLED: frozenset(),
}


class DataRequestState(StrEnum):
    """Where a customer's request about their data is. ERASING: it has begun, and goes on until nothing is left."""

    OPEN = "open"
    ERASING = "erasing"
    DONE = "done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


DATA_REQUEST: Mapping[DataRequestState, frozenset[DataRequestState]] = {
    DataRequestState.OPEN: frozenset(
        {DataRequestState.ERASING, DataRequestState.DONE, DataRequestState.REFUSED, DataRequestState.WITHDRAWN}
    ),
    # What is erased cannot be brought back: there is but one way on.
    DataRequestState.ERASING: frozenset({DataRequestState.DONE}),
    DataRequestState.DONE: frozenset(),
    DataRequestState.REFUSED: frozenset(),
    DataRequestState.WITHDRAWN: frozenset(),
}


class CallState(StrEnum):
    """Where a call is.

    DIALLING    we call: the agent's or the customer's telephone rings
    RINGING     the customer calls and nothing has been said to them yet
    MENU        they hear the flow of that number: greeting, menu, message
    QUEUED      they wait for an agent; OFFERED: one is being rung at
    CONNECTING  an agent took it and their line is being set up
    TALKING, HELD, CONSULT, CONFERENCE    with an agent: see hub.domain.calls.talking_state
    VOICEMAIL   they speak after the tone
    FORWARDED   they talk to a number outside, and no agent of ours is there
    WRAP_UP     nobody is on the line; the agent writes down what it was about
    """

    DIALLING = "dialling"
    RINGING = "ringing"
    MENU = "menu"
    QUEUED = "queued"
    OFFERED = "offered"
    CONNECTING = "connecting"
    TALKING = "talking"
    HELD = "held"
    CONSULT = "consult"
    CONFERENCE = "conference"
    VOICEMAIL = "voicemail"
    FORWARDED = "forwarded"
    WRAP_UP = "wrap_up"
    ENDED = "ended"


_WITH_AGENT = frozenset({CallState.TALKING, CallState.HELD, CallState.CONSULT, CallState.CONFERENCE})
# From any state to ENDED: a customer may hang up at any moment.
_LEFT = frozenset({CallState.ENDED})
# What a flow may lead to.
_BY_FLOW = frozenset({CallState.MENU, CallState.QUEUED, CallState.VOICEMAIL, CallState.FORWARDED}) | _LEFT
CALL: Mapping[CallState, frozenset[CallState]] = {
    CallState.DIALLING: frozenset({CallState.TALKING, CallState.WRAP_UP}) | _LEFT,
    CallState.RINGING: _BY_FLOW,
    CallState.MENU: _BY_FLOW,
    # CONNECTING: taken by hand. VOICEMAIL, MENU: what the flow does with who has waited too long.
    CallState.QUEUED: _BY_FLOW | {CallState.OFFERED, CallState.CONNECTING},
    CallState.OFFERED: _BY_FLOW | {CallState.CONNECTING},
    # QUEUED: no line to the agent came to stand.
    CallState.CONNECTING: _WITH_AGENT | _BY_FLOW,
    # CONNECTING: to another agent. QUEUED: passed on to a queue, or the agent is lost. FORWARDED: to a number outside.
    **{state: _WITH_AGENT | _BY_FLOW | {CallState.CONNECTING, CallState.WRAP_UP} for state in sorted(_WITH_AGENT)},
    CallState.VOICEMAIL: _LEFT,
    # Nobody outside answered.
    CallState.FORWARDED: _BY_FLOW,
    CallState.WRAP_UP: _LEFT,
    CallState.ENDED: frozenset(),
}


class LegState(StrEnum):
    """Where one party's line is. PENDING: we want it, and nobody has been told yet."""

    PENDING = "pending"
    RINGING = "ringing"
    CONNECTED = "connected"
    ENDED = "ended"


# What is told of a leg may come late, twice and out of order: only a move forward counts.
LEG: Mapping[LegState, frozenset[LegState]] = {
    LegState.PENDING: frozenset({LegState.RINGING, LegState.CONNECTED, LegState.ENDED}),
    LegState.RINGING: frozenset({LegState.CONNECTED, LegState.ENDED}),
    LegState.CONNECTED: frozenset({LegState.ENDED}),
    LegState.ENDED: frozenset(),
}


class Delivery(StrEnum):
    """Where an outgoing message is.

    QUEUED    written with its outbox row, nobody has tried yet
    SENDING   an attempt and its lease are committed
    SENT      the provider has it
    DELIVERED the customer's device or mail box has it
    READ      the customer has seen it
    FAILED    it will not arrive; the reason stands beside it
    UNCERTAIN it may or may not have left: an agent decides
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


DELIVERY: Mapping[Delivery, frozenset[Delivery]] = {
    Delivery.QUEUED: frozenset({Delivery.SENDING, Delivery.FAILED}),
    # A receipt may overtake the answer of the send call itself, hence DELIVERED and READ.
    Delivery.SENDING: frozenset(
        {
            Delivery.QUEUED,
            Delivery.SENT,
            Delivery.DELIVERED,
            Delivery.READ,
            Delivery.FAILED,
            Delivery.UNCERTAIN,
        }
    ),
    # FAILED after SENT: the provider took it and could not deliver it.
    Delivery.SENT: frozenset({Delivery.DELIVERED, Delivery.READ, Delivery.FAILED}),
    # FAILED after DELIVERED: a bounce that comes after a relay had said "delivered" (the named exception to rank).
    Delivery.DELIVERED: frozenset({Delivery.READ, Delivery.FAILED}),
    Delivery.READ: frozenset(),
    # An agent asked to try again.
    Delivery.FAILED: frozenset({Delivery.QUEUED}),
    # The provider settled it after all, or an agent asked to try again.
    Delivery.UNCERTAIN: frozenset({Delivery.QUEUED, Delivery.SENT, Delivery.DELIVERED, Delivery.READ, Delivery.FAILED}),
}


class ChannelHealth(StrEnum):
    """OK: works. DEGRADED: failing now and then. DOWN: the breaker is open or the account is refused."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


class AttachmentState(StrEnum):
    FETCHING = "fetching"
    STORED = "stored"
    FAILED = "failed"


class SurveyState(StrEnum):
    """Where one asking for a score is. DROPPED: nobody was asked, for a reason that stands beside it."""

    PLANNED = "planned"
    SENT = "sent"
    ANSWERED = "answered"
    DROPPED = "dropped"


SURVEY: Mapping[SurveyState, frozenset[SurveyState]] = {
    SurveyState.PLANNED: frozenset({SurveyState.SENT, SurveyState.DROPPED}),
    # Nothing moves it when its time is over: an answer that comes later is refused by the clock.
    SurveyState.SENT: frozenset({SurveyState.ANSWERED}),
    # Another score, as long as answers are taken.
    SurveyState.ANSWERED: frozenset({SurveyState.ANSWERED}),
    SurveyState.DROPPED: frozenset(),
}


class PlannedState(StrEnum):
    """Where a message is that is to go out later.

    WAITING    for its time
    STOPPED    it does not go out by itself: something came in between, and the reason stands beside it
    SENT       it stands in the timeline, and is on its way like any message
    CANCELLED  taken back
    """

    WAITING = "waiting"
    STOPPED = "stopped"
    SENT = "sent"
    CANCELLED = "cancelled"


PLANNED: Mapping[PlannedState, frozenset[PlannedState]] = {
    PlannedState.WAITING: frozenset({PlannedState.STOPPED, PlannedState.SENT, PlannedState.CANCELLED}),
    # WAITING: somebody looked at the reason and planned it again.
    PlannedState.STOPPED: frozenset({PlannedState.WAITING, PlannedState.SENT, PlannedState.CANCELLED}),
    PlannedState.SENT: frozenset(),
    PlannedState.CANCELLED: frozenset(),
}


def check_move(table: Mapping[S, frozenset[S]], before: S, after: S) -> S:
    """`after`, if `table` allows the move from `before`; else IllegalMove with both in its message."""
    if after not in table[before]:
        raise IllegalMove(type(before).__name__, before, after)
    return after


def can_move(table: Mapping[S, frozenset[S]], before: S, after: S) -> bool:
    return after in table[before]
