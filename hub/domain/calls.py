"""A call and its legs, as pure values: who takes part, how it may end, and what state a talk is in.

    call   one telephone call between a customer and us, from the first ring until the last word is written down
    leg    one party's line in it: the customer's, the agent's, that of a consulted colleague, of a number outside, or of
           a supervisor who listens, whispers or takes part

The states and their legal moves stand in hub.domain.states (CALL, LEG). What a leg hears at a moment is its scene
(hub.channels.voice), which the hub wants and a provider makes so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hub.domain.states import CallState, LegState

# Who leaves a queue sooner has misdialled or thought better of it: no agent could have answered. The trade's usual bound.
SHORT_ABANDON_S = 5.0


class Party(StrEnum):
    CUSTOMER = "customer"
    AGENT = "agent"
    # Asked by the agent, and maybe given the call.
    CONSULTED = "consulted"
    # A number outside: asked by the agent, or the call was forwarded to it.
    OUTSIDE = "outside"
    SUPERVISOR = "supervisor"


class Presence(StrEnum):
    """How a leg takes part in the talk. LISTEN: hears all, is heard by nobody. WHISPER: heard by the agent alone."""

    TALK = "talk"
    HELD = "held"
    LISTEN = "listen"
    WHISPER = "whisper"


class Recording(StrEnum):
    """What is wanted of the recording of a call. PAUSED: a card number is being told, say, or the customer is on hold."""

    OFF = "off"
    ON = "on"
    PAUSED = "paused"


class LegEnd(StrEnum):
    """Why a leg ended. HUNG_UP: that party did. CANCELLED: we did. LOST: the line broke."""

    HUNG_UP = "hung_up"
    CANCELLED = "cancelled"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    MACHINE = "machine"
    FAILED = "failed"
    LOST = "lost"


class CallEnd(StrEnum):
    """How a call ended.

    COMPLETED      customer and agent talked
    ABANDONED      the customer left while waiting for an agent
    LEFT_MENU      … before they had chosen anything
    VOICEMAIL      they left a message;  NO_MESSAGE: they were asked to and said nothing
    CALLBACK       they asked to be called back
    INFORMED       a message was all there was to say (we are closed, say)
    FORWARDED      they talked to a number outside
    NO_ANSWER, BUSY, REJECTED, MACHINE    we called, and they did not come to the telephone
    CANCELLED      we called, and gave up before anybody answered
    ALL_BUSY       more calls at once than the line carries
    FAILED         no line could be set up, or all of it broke
    """

    COMPLETED = "completed"
    ABANDONED = "abandoned"
    LEFT_MENU = "left_menu"
    VOICEMAIL = "voicemail"
    NO_MESSAGE = "no_message"
    CALLBACK = "callback"
    INFORMED = "informed"
    FORWARDED = "forwarded"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    MACHINE = "machine"
    CANCELLED = "cancelled"
    ALL_BUSY = "all_busy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LegNow:
    """What decides about a talk of one leg."""

    party: Party
    state: LegState
    presence: Presence


def talking_state(legs: Iterable[LegNow]) -> CallState | None:
    """The state of a call whose customer is with an agent; None when one of the two is not connected.

    CONFERENCE: three or more talk with each other, the customer among them. CONSULT: the customer is held while others
    talk. HELD: the customer is held, and the agent is alone. Supervisors who listen or whisper do not count.
    """
    here = [leg for leg in legs if leg.state is LegState.CONNECTED]
    customer = next((leg for leg in here if leg.party is Party.CUSTOMER), None)
    if customer is None or not any(leg.party is Party.AGENT for leg in here):
        return None
    talking = [leg for leg in here if leg.presence is Presence.TALK]
    if customer.presence is Presence.HELD:
        return CallState.CONSULT if len(talking) > 1 else CallState.HELD
    return CallState.CONFERENCE if len(talking) > 2 else CallState.TALKING
