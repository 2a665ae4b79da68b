"""The small values every layer speaks in. Standard library only; all are immutable.

Instants are aware UTC datetimes. Identifiers of our own rows are positive integers; identifiers of channel accounts are
short strings chosen by the administrator ("sms-demo"); identifiers given by providers are opaque strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who somebody is to the hub. Each role may do all that the roles before it may do."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"

    def covers(self, other: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class ChannelKind(StrEnum):
    SMS = "sms"
    CHAT = "chat"
    EMAIL = "email"
    PHONE = "phone"
    LOOPBACK = "loopback"


class AgentChoice(StrEnum):
    """How a queue chooses among those who may be offered its work (routing.engine.Choice says how it goes on)."""

    LEAST_LOADED = "least_loaded"
    LONGEST_IDLE = "longest_idle"
    BEST_SKILLED = "best_skilled"


# A customer's tier is 0 to 3; each is worth so many minutes of waiting.
TIER_PRIORITY = 10


class ContactKind(StrEnum):
    """What sort of address a contact point is. A phone number serves SMS and calls alike. A handle is somebody's name in a
    network that the hub does not speak (`telegram:ani`)."""

    PHONE = "phone"
    EMAIL = "email"
    CHAT = "chat"
    LOOPBACK = "loopback"
    HANDLE = "handle"


class EntryKind(StrEnum):
    """What a line of the timeline is: words to or from the customer, a colleague's note, or something that happened."""

    MESSAGE = "message"
    NOTE = "note"
    EVENT = "event"


class Direction(StrEnum):
    IN = "in"
    OUT = "out"
    INTERNAL = "internal"


class AuthorKind(StrEnum):
    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"


class Happening(StrEnum):
    """What an EVENT entry tells; the console has the sentence for each in every language."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    MISSED = "missed"
    CLAIMED = "claimed"
    TRANSFERRED = "transferred"
    RELEASED = "released"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    LINKED = "linked"
    QUEUED = "queued"
    # A supervisor changed its priority; gave it to an agent in advance, or took that back (`agent_id` None).
    PRIORITISED = "prioritised"
    PINNED = "pinned"
    # Rules placed it when it began.
    PLACED = "placed"
    # Of a queued callback: requested, changed, no_answer, reached, given_up or cancelled (`state`).
    CALLBACK = "callback"
    # Whoever holds it put it aside `until` an instant; it came back by itself, by hand or because the customer wrote.
    PARKED = "parked"
    UNPARKED = "unparked"
    # It was accepted, and no line to the agent could be set up in time.
    SETUP_FAILED = "setup_failed"
    # A copy of a mail did not reach one of its further recipients; a recipient called a mail spam.
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    # A call: the entry's `call` says how it goes or went.
    CALL = "call"
    # What it is about, and its tags, were changed by somebody.
    TOPIC = "topic"
    TAGGED = "tagged"
    # A step of its escalation policy fired.
    ESCALATED = "escalated"
    # The customer was asked for a score (a message of the hub's own); they gave one.
    SURVEY = "survey"
    SCORED = "scored"
    # Something is to be done for this customer at an instant; it was, or it was dropped.
    TASK_MADE = "task_made"
    TASK_DONE = "task_done"
    TASK_DROPPED = "task_dropped"
    # A visitor filled in what a chat's window asks before (`answers`: lines of label and answer).
    FORM = "form"
    # It is one matter with another now, which has its lines (`into_id`); another became a part of it (`from_id`); and two
    # again. Lines of it were another matter, and have a conversation of their own now; it began with such lines.
    MERGED = "merged"
    TOOK_IN = "took_in"
    UNMERGED = "unmerged"
    SPLIT = "split"
    SPLIT_OFF = "split_off"


# What is done with a conversation while nothing is said in it.
HANDLING = frozenset(
    {
        *(Happening.OFFERED, Happening.ACCEPTED, Happening.DECLINED, Happening.MISSED, Happening.SETUP_FAILED),
        *(Happening.CLAIMED, Happening.TRANSFERRED, Happening.RELEASED, Happening.QUEUED, Happening.PLACED),
        *(Happening.PRIORITISED, Happening.PINNED, Happening.ESCALATED, Happening.PARKED, Happening.UNPARKED),
        *(Happening.TOPIC, Happening.TAGGED, Happening.TASK_MADE, Happening.TASK_DONE, Happening.TASK_DROPPED),
    }
)


class SurveyKind(StrEnum):
    """What a customer is asked: satisfaction (1 to 5), a recommendation (0 to 10), how easy it was (1 to 5)."""

    CSAT = "csat"
    NPS = "nps"
    CES = "ces"

    @property
    def scale(self) -> range:
        return range(11) if self is SurveyKind.NPS else range(1, 6)


# Between the epoch and the number of a token.
_SEPARATOR = "-"


@dataclass(frozen=True, slots=True)
class Token:
    """A position in the event stream: opaque to clients, `epoch-seq` to us.

    The epoch changes when the database is replaced (restored from a backup, say), so that a token of the old life is
    never mistaken for one of the new.
    """

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}{_SEPARATOR}{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Token | None:
        """The token that `text` writes, or None if it writes none."""
        epoch, separator, seq = text.rpartition(_SEPARATOR)
        if not separator or not epoch or not seq.isascii() or not seq.isdecimal() or len(seq) > 18:
            return None
        return cls(epoch, int(seq))
