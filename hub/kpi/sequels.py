"""What a fact turns out to have been by others that come later, or came before: what its row knows beyond its event.

Each answer depends on which facts there are, never on the order in which they came; so it may be computed anew whenever one
more of them is known.

Pure: standard library only, and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.domain.events import (
    AgentSpellEnded,
    CallSegmentEnded,
    ContactBegan,
    ConversationResolved,
    CustomerJoined,
    CustomerParted,
    SegmentEnded,
)
from hub.domain.values import Direction
from hub.kpi.cells import REPEAT_DAYS
from hub.kpi.folding import Extra

# Later than that, a customer who comes back has come with something new.
REPEAT_WINDOW = timedelta(days=REPEAT_DAYS[-1])
_MICROSECOND = timedelta(microseconds=1)


def is_request(contact: ContactBegan) -> bool:
    """Whether the customer came to us, not we to them."""
    if contact.episode > 0:
        return contact.reopened_by == "customer"
    return contact.direction == Direction.IN.value


def is_about(topic_id: int | None, resolution: ConversationResolved) -> bool:
    """Whether it may be about the same: that of which the topic is not known, as mostly when it begins, may."""
    topics = {topic_id, resolution.topic_id}
    return None in topics or len(topics) == 1


@dataclass(frozen=True, slots=True)
class Persons:
    """Whom customers have become (the last of a chain), and whose a conversation is that was given back."""

    become: Mapping[int, int]
    given_back: Mapping[int, int]

    def of(self, fact: ContactBegan | ConversationResolved) -> int | None:
        """Who this was, as is known by now; None where that is not known of anybody."""
        if fact.customer_id is None:
            return None
        customer_id = self.given_back.get(fact.conversation_id, fact.customer_id)
        return self.become.get(customer_id, customer_id)


def who_is(joins: Iterable[CustomerJoined], partings: Iterable[CustomerParted] = ()) -> Persons:
    """A joining that was taken back never was."""
    partings = sorted(partings, key=lambda parting: (parting.parted_at, -parting.merge_id))
    void = {parting.merge_id for parting in partings}
    lasting = [join for join in joins if join.merge_id not in void]
    into = {join.customer_id: join.into_id for join in sorted(lasting, key=lambda one: (one.joined_at, one.merge_id))}

    def last(customer_id: int) -> int:
        seen = {customer_id}
        while (one := into.get(customer_id)) is not None and one not in seen:
            seen.add(one)
            customer_id = one
        return customer_id

    return Persons(
        become={customer_id: last(customer_id) for customer_id in into},
        # The last one says: what was given back along with a customer may be given back once more, by itself.
        given_back={of: parting.customer_id for parting in partings for of in parting.conversation_ids},
    )


def what_followed(
    resolution: ConversationResolved,
    contacts: Iterable[ContactBegan],
    resolutions: Iterable[ConversationResolved],
    persons: Persons,
) -> Extra:
    """`contacts`: those of its conversation and of its customer, whoever that was then; `resolutions`: those of its
    conversation and of theirs; `persons`: who they all are. What a contact was about its own resolution says, as
    soon as there is one that does."""
    resolutions = list(resolutions)
    person = persons.of(resolution)
    topics = {
        (other.conversation_id, other.reopened_count): other.topic_id
        for other in resolutions
        if other.topic_id is not None
    }
    reopened_at: datetime | None = None
    repeated_at: datetime | None = None
    for contact in contacts:
        if not is_request(contact):
            continue
        if contact.conversation_id == resolution.conversation_id and contact.episode == resolution.reopened_count + 1:
            reopened_at = contact.arrived_at
        if (
            person is not None
            and persons.of(contact) == person
            and resolution.resolved_at < contact.arrived_at <= resolution.resolved_at + REPEAT_WINDOW
            and is_about(topics.get((contact.conversation_id, contact.episode), contact.topic_id), resolution)
            and (repeated_at is None or contact.arrived_at < repeated_at)
        ):
            repeated_at = contact.arrived_at
    is_superseded = any(
        other.conversation_id == resolution.conversation_id and other.reopened_count > resolution.reopened_count
        for other in resolutions
    )
    return Extra(reopened_at=reopened_at, repeated_at=repeated_at, is_superseded=is_superseded)


def weigh(segment: SegmentEnded, spells: Iterable[AgentSpellEnded]) -> float | None:
    """The seconds of a hold, each divided by the pieces of work that its agent held in it; none in which it was put aside
    itself. None: not all of its time is covered by the agent's spells."""
    covered = weighted = 0
    for spell in spells:
        if spell.agent_id != segment.agent_id:
            continue
        since, until = max(spell.since, segment.connected_at), min(spell.until, segment.ended_at)
        if since >= until:
            continue
        covered += (until - since) // _MICROSECOND
        if spell.work_count:
            weighted += (until - since - _put_aside(segment, since, until)) // _MICROSECOND // spell.work_count
    if covered < (segment.ended_at - segment.connected_at) // _MICROSECOND:
        return None
    return weighted / 1_000_000


def _put_aside(segment: SegmentEnded, since: datetime, until: datetime) -> timedelta:
    """How long of that time the hold was put aside."""
    turns = zip(segment.put_aside[::2], segment.put_aside[1::2], strict=True)
    return sum((max(timedelta(), min(back, until) - max(away, since)) for away, back in turns), timedelta())


def was_consulted(part: CallSegmentEnded, parts: Iterable[CallSegmentEnded]) -> bool:
    """Whether this part in a call ended by handing it over to a colleague who had been asked before. `parts`: those of the
    call. The colleague's begins as this one ends."""
    return part.end_reason == "transferred" and any(
        other.call_id == part.call_id and other.how == "consult" and other.connected_at == part.ended_at
        for other in parts
    )
