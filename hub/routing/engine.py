"""The routing engine: which waiting work is offered to which agent, now. Pure: values in, decisions out.

Deterministic: the same snapshot and instant give the same decisions, whatever the order of its lists.

Order of work: whatever has waited past its queue's `max_wait_s` comes first, oldest first, and nothing overtakes it; then
by wait plus priority (each point of priority counts as a minute waited).
Choice of agent: available, connected, member of the queue, with room for the work's weight, not ringing already, and not
one who declined or missed this very work lately; among those the least loaded, then the longest idle, then the lower id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hub.domain.states import AgentState
from hub.domain.values import ChannelKind

RULE_VERSION = 1

# Units of an agent's budget (default 100) that one piece of work takes: 4 chats, or 5 texts, or one call (shared design).
WEIGHTS: Mapping[ChannelKind, int] = {
    ChannelKind.PHONE: 100,
    ChannelKind.CHAT: 25,
    ChannelKind.SMS: 20,
    ChannelKind.LOOPBACK: 20,
    ChannelKind.EMAIL: 10,
}
# Work that a customer waits for with the line open: it cannot stay with an agent who is gone.
LIVE_KINDS = frozenset({ChannelKind.CHAT, ChannelKind.PHONE})
_SECONDS_PER_PRIORITY = 60.0


@dataclass(frozen=True, slots=True)
class Work:
    """A conversation that waits. `excluded`: agents who lately declined or missed it."""

    conversation_id: int
    queue_id: int
    weight: int
    queued_since: datetime
    priority: int = 0
    excluded: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Agent:
    """`load` counts what is held and what rings; `is_ringing`: an offer stands, one at a time is enough."""

    user_id: int
    state: AgentState
    is_connected: bool
    capacity: int
    load: int
    idle_since: datetime
    queue_ids: frozenset[int]
    is_ringing: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    id: int
    max_wait_s: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    work: Sequence[Work]
    agents: Sequence[Agent]
    queues: Sequence[Queue]


@dataclass(frozen=True, slots=True)
class Decision:
    """Offer this work to this agent. `why` is the record that is stored and shown: counts, ages, the rule's version."""

    conversation_id: int
    agent_id: int
    queue_id: int
    weight: int
    why: dict[str, str | int | float | None] = field(default_factory=dict)


def order_of_work(work: Sequence[Work], max_wait_s: Mapping[int, float], now: datetime) -> list[Work]:
    """The order in which waiting work is served."""

    def key(item: Work) -> tuple[int, float, int]:
        waited_s = (now - item.queued_since).total_seconds()
        if waited_s >= max_wait_s.get(item.queue_id, float("inf")):
            return (0, -waited_s, item.conversation_id)
        return (1, -(waited_s + item.priority * _SECONDS_PER_PRIORITY), item.conversation_id)

    return sorted(work, key=key)


def route(snapshot: Snapshot, now: datetime) -> list[Decision]:
    """The offers to make now, in the order of work."""
    free: dict[int, list[Agent]] = {}
    filtered: dict[int, dict[str, int]] = {}
    for agent in snapshot.agents:
        reason = _not_free(agent)
        for queue_id in agent.queue_ids:
            if reason is None:
                free.setdefault(queue_id, []).append(agent)
            else:
                counts = filtered.setdefault(queue_id, {})
                counts[reason] = counts.get(reason, 0) + 1
    for agents in free.values():
        agents.sort(key=lambda agent: (agent.load, agent.idle_since, agent.user_id))

    taken: set[int] = set()
    left = {agent.user_id for agents in free.values() for agent in agents}
    decisions: list[Decision] = []
    max_wait_s = {queue.id: queue.max_wait_s for queue in snapshot.queues}
    for item in order_of_work(snapshot.work, max_wait_s, now):
        if not left:
            break
        candidates = [agent for agent in free.get(item.queue_id, ()) if agent.user_id not in taken]
        if not candidates:
            free.pop(item.queue_id, None)
            continue
        fitting = [
            agent
            for agent in candidates
            if agent.user_id not in item.excluded and agent.load + item.weight <= agent.capacity
        ]
        if not fitting:
            continue
        chosen = fitting[0]
        taken.add(chosen.user_id)
        left.discard(chosen.user_id)
        decisions.append(
            Decision(
                conversation_id=item.conversation_id,
                agent_id=chosen.user_id,
                queue_id=item.queue_id,
                weight=item.weight,
                why={
                    "rule": "least_loaded_then_longest_idle",
                    "rule_version": RULE_VERSION,
                    "waited_s": round((now - item.queued_since).total_seconds(), 1),
                    "idle_s": round((now - chosen.idle_since).total_seconds(), 1),
                    "load": chosen.load,
                    "capacity": chosen.capacity,
                    "weight": item.weight,
                    "candidates": len(fitting),
                    "excluded": sum(agent.user_id in item.excluded for agent in candidates),
                    "full": len(candidates)
                    - len(fitting)
                    - sum(agent.user_id in item.excluded for agent in candidates),
                    **{f"not_free_{reason}": count for reason, count in filtered.get(item.queue_id, {}).items()},
                },
            )
        )
    return decisions


def _not_free(agent: Agent) -> str | None:
    """Why an agent can be offered nothing at all, or None."""
    if agent.state is not AgentState.AVAILABLE:
        return agent.state.value
    if not agent.is_connected:
        return "disconnected"
    if agent.is_ringing:
        return "ringing"
    if agent.load >= agent.capacity:
        return "full"
    return None
