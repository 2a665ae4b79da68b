"""The routing engine: which waiting work is offered to which agent, now. Pure: values in, decisions out.

Deterministic: the same snapshot and instant give the same decisions, whatever the order of its lists.

Who may be offered a piece of work: an agent who is available, connected and not ringing already; a member of a queue the
work stands in (its own, and those that overflow has opened meanwhile); with every required skill at its level; with room
for its weight; not one who declined or missed this very work lately. A wish (a preferred skill, a language, the last agent,
the owner) is as hard as a requirement until the work has waited its `until_s`, and only ranks from then on. A wish that
nobody at work could meet is not waited for.

Order of work: a supervisor's pin first (a person decided that); then whatever has waited past its queue's `max_wait_s`,
oldest first; then, rank by rank of the queues among an agent's queues, by wait plus priority (each point is a minute).

The hard bound: younger work is never offered to an agent who could be offered overdue work that goes without; whatever
queues the two stand in, whatever their priorities. Where nobody has room, a queue that `makes_room` keeps one agent for each
such piece of work, the one with the least to do, away from everything else until they have room (else a call could wait
for ever behind chats). Only somebody whose budget is large enough: who could never serve it is not kept for it.

Choice of agent: whoever meets more of the wishes, then as the work's own queue says (`Choice`), then the lower id.

A pin chooses the agent and the turn. It overrides queues, wishes and the agent's own ranks; it does not override required
skills, room or a fresh miss: those are what the engine promises everybody. Whoever wants work handed over past capacity
transfers it by hand (dispatcher.transfer), which does not ask the engine.

How it is fast: agents are bits of an integer, so "members with these skills and room" is three ANDs. Each piece of work is
looked at once, and most fall out there, because nobody who is free is in their queues with their skills. The rest stands
on a heap, from which no more is taken than it needs to give the free agents away; what the same agents may take (a line)
is judged once.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from hub.domain.sentences import Sentence
from hub.domain.states import AgentState
from hub.domain.values import ChannelKind
from hub.errors import NotFound

RULE_VERSION = 2

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
# So many of the best candidates stand in a record with their scores; of the others the record has the number.
_CANDIDATES_TOLD = 5
_FOREVER = float("inf")

JSON = str | int | float | bool | None | list["JSON"] | dict[str, "JSON"]


# Named tuples, not dataclasses: ten thousand of them are hashed in a round, and tuples do that in C.
class Skill(NamedTuple):
    """A skill and a level of it, 1 to 5. A language is a skill like any other, by the name `language:hy`."""

    name: str
    level: int = 1


class SkillWish(NamedTuple):
    """Somebody with this skill, if it can be had; insisted on until the work has waited `until_s`."""

    skill: Skill
    until_s: float

    @property
    def word(self) -> str:
        return f"wish:{self.skill.name}<{self.skill.level}"


class AgentWish(NamedTuple):
    """This agent, if they can be had; insisted on until the work has waited `until_s`. `role`: last_agent or owner."""

    agent_id: int
    until_s: float
    role: str = "last_agent"

    @property
    def word(self) -> str:
        return f"wish:{self.role}"


Wish = SkillWish | AgentWish


class Choice(StrEnum):
    """How a queue chooses among those who may be offered its work. Each is settled further by the others, then by id."""

    LEAST_LOADED = "least_loaded_then_longest_idle"
    LONGEST_IDLE = "longest_idle_then_least_loaded"
    BEST_SKILLED = "best_skilled_then_longest_idle"


@dataclass(frozen=True, slots=True)
class Work:
    """A conversation that waits. `priority` and `tier_priority` (what the customer's tier is worth) count in minutes of
    waiting. `wishes`: the more important first. `excluded`: agents who lately declined or missed it, and
    `exclusion_ends`: when the first of them may be tried again."""

    conversation_id: int
    queue_id: int
    weight: int
    queued_since: datetime
    priority: int = 0
    excluded: frozenset[int] = frozenset()
    kind: ChannelKind | None = None
    tier_priority: int = 0
    required: tuple[Skill, ...] = ()
    wishes: tuple[Wish, ...] = ()
    pinned_agent_id: int | None = None
    exclusion_ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """`load` counts what is held and what rings, `held` says how much of it is of which kind (what it leaves out
    interrupts nothing and excludes nothing). `is_ringing`: an offer stands, one at a time is enough. `weights`: what
    work of a kind costs this agent, where it differs. `ranks`: queue → its rank among this agent's queues, 0 first;
    a queue that is not named has 0. Idle since the last work ended."""

    user_id: int
    state: AgentState
    is_connected: bool
    capacity: int
    load: int
    idle_since: datetime
    queue_ids: frozenset[int]
    is_ringing: bool = False
    skills: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[ChannelKind, int] = field(default_factory=dict)
    weights: Mapping[ChannelKind, int] = field(default_factory=dict)
    ranks: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Overflow:
    """A further step: work stands in `queue_ids` too once it has waited `after_s`, or while its queue's estimated wait is
    above `ewt_over_s`. The targets' own overflow does not follow: each queue says for itself where its work may go."""

    queue_ids: tuple[int, ...]
    after_s: float | None = None
    ewt_over_s: float | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """`ewt_s`: the estimated wait as measured now, None if it is not known. `makes_room`: an agent is kept from other
    work for each overdue piece that finds nobody with room."""

    id: int
    max_wait_s: float
    choice: Choice = Choice.LEAST_LOADED
    overflow: tuple[Overflow, ...] = ()
    ewt_s: float | None = None
    makes_room: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """`interrupts`: kind of work → kinds whose load does not stand in its way. `exclusive`: kinds that suffer no live work
    beside them, in either order."""

    interrupts: Mapping[ChannelKind, frozenset[ChannelKind]] = field(
        default_factory=lambda: {ChannelKind.PHONE: frozenset({ChannelKind.EMAIL})}
    )
    exclusive: frozenset[ChannelKind] = frozenset({ChannelKind.PHONE})


# What holds where an organisation has set nothing else, and in the simulator: mails and texts can wait for minutes, a
# caller cannot.
USUAL_RULES = Rules({ChannelKind.PHONE: frozenset({ChannelKind.EMAIL, ChannelKind.SMS, ChannelKind.LOOPBACK})})


@dataclass(frozen=True, slots=True)
class Snapshot:
    work: Sequence[Work]
    agents: Sequence[Agent]
    queues: Sequence[Queue]
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be offered the work, with what the choice looks at. `skill`: the sum of their levels in all that
    is required or wished."""

    agent_id: int
    rank: int
    wishes_met: int
    load: int
    idle_s: float
    skill: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a piece of work went where it went, or why to nobody. `candidates`: the best few, best first, of
    `candidate_count`. `filtered`: word → ids of the agents whom it kept out (the first word that fits each).
    `insisted`, `relaxed`: wishes that are still hard, and those that only rank.

    Words: offline, busy, away, not_responding, disconnected, ringing, lacks_skill:NAME<LEVEL, excluded, exclusive, full,
    wish:…, taken (more urgent work had them), kept_for_overdue, pinned_to_another, not_a_member."""

    conversation_id: int
    agent_id: int | None
    rule: Choice
    waited_s: float
    score_s: float
    is_overdue: bool
    is_pinned: bool
    is_unservable: bool
    queue_ids: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    candidate_count: int
    filtered: Mapping[str, tuple[int, ...]]
    insisted: tuple[str, ...]
    relaxed: tuple[str, ...]
    rule_version: int = RULE_VERSION

    def record(self) -> dict[str, JSON]:
        """As it is stored and sent."""
        return {
            "conversation_id": self.conversation_id,
            "agent_id": self.agent_id,
            "rule": self.rule.value,
            "rule_version": self.rule_version,
            "waited_s": self.waited_s,
            "score_s": self.score_s,
            "is_overdue": self.is_overdue,
            "is_pinned": self.is_pinned,
            "is_unservable": self.is_unservable,
            "queue_ids": list(self.queue_ids),
            "candidates": [
                {
                    "agent_id": each.agent_id,
                    "rank": each.rank,
                    "wishes_met": each.wishes_met,
                    "load": each.load,
                    "idle_s": each.idle_s,
                    "skill": each.skill,
                }
                for each in self.candidates
            ],
            "candidate_count": self.candidate_count,
            "filtered": {word: list(ids) for word, ids in self.filtered.items()},
            "insisted": list(self.insisted),
            "relaxed": list(self.relaxed),
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """Offer this work to this agent, through this queue. `why` is the short record that travels with the offer (counts,
    ages, the rule's version), `explanation` the whole."""

    conversation_id: int
    agent_id: int
    queue_id: int
    weight: int
    explanation: Explanation

    @property
    def why(self) -> dict[str, str | int | float | None]:
        told = self.explanation
        chosen = told.candidates[0]
        counts = {word: len(ids) for word, ids in told.filtered.items()}
        return {
            "rule": told.rule.value,
            "rule_version": told.rule_version,
            "waited_s": told.waited_s,
            "idle_s": chosen.idle_s,
            "load": chosen.load,
            "weight": self.weight,
            "candidates": told.candidate_count,
            "excluded": counts.pop("excluded", 0),
            "full": counts.pop("full", 0),
            **{f"not_free_{word}": count for word, count in counts.items()},
        }


# --- what time does to waiting work ---------------------------------------------------------------------------------------


def score_s(item: Work, now: datetime) -> float:
    """Seconds waited plus priority: the order of work that is not overdue."""
    waited_s = (now - item.queued_since).total_seconds()
    return waited_s + (item.priority + item.tier_priority) * _SECONDS_PER_PRIORITY


def order_of_work(work: Sequence[Work], max_wait_s: Mapping[int, float], now: datetime) -> list[Work]:
    """The order in which waiting work of one queue is served; a place in it is the position a customer is told."""

    def key(item: Work) -> tuple[int, float, int]:
        waited_s = (now - item.queued_since).total_seconds()
        if item.pinned_agent_id is not None:
            return (0, -waited_s, item.conversation_id)
        if waited_s >= max_wait_s.get(item.queue_id, _FOREVER):
            return (1, -waited_s, item.conversation_id)
        return (2, -score_s(item, now), item.conversation_id)

    return sorted(work, key=key)


def queues_of(item: Work, queue: Queue, now: datetime) -> tuple[int, ...]:
    """The queues a piece of work stands in now: its own (`queue`), then those that overflow has opened, in their order."""
    return _opened(queue, (now - item.queued_since).total_seconds())


def _opened(queue: Queue, waited_s: float) -> tuple[int, ...]:
    ids = [queue.id]
    for step in queue.overflow:
        if (step.after_s is not None and waited_s >= step.after_s) or opens_by_estimate(step, queue):
            ids.extend(queue_id for queue_id in step.queue_ids if queue_id not in ids)
    return tuple(ids)


def opens_by_estimate(step: Overflow, queue: Queue) -> bool:
    """Whether the estimated wait alone opens this step of the queue's overflow, whatever its work's age."""
    return step.ewt_over_s is not None and queue.ewt_s is not None and queue.ewt_s > step.ewt_over_s


def next_change(snapshot: Snapshot, now: datetime) -> datetime | None:
    """The first instant after `now` at which route() may decide otherwise though nothing happened: a wish relaxes, an
    overflow opens, an exclusion ends, work becomes overdue."""
    steps = {
        queue.id: sorted({queue.max_wait_s, *(step.after_s for step in queue.overflow if step.after_s is not None)})
        for queue in snapshot.queues
    }
    nearest: datetime | None = None
    for item in snapshot.work:
        waited_s = (now - item.queued_since).total_seconds()
        moments = steps.get(item.queue_id, [])
        index = bisect_right(moments, waited_s)
        due_s = moments[index] if index < len(moments) else _FOREVER
        for wish in item.wishes:
            if waited_s < wish.until_s < due_s:
                due_s = wish.until_s
        due = item.queued_since + timedelta(seconds=due_s) if due_s < _FOREVER else None
        if item.exclusion_ends is not None and item.exclusion_ends > now and (due is None or item.exclusion_ends < due):
            due = item.exclusion_ends
        if due is not None and (nearest is None or due < nearest):
            nearest = due
    # Seconds are counted in floats and instants in microseconds: never a wake that comes a hair too early.
    return None if nearest is None else max(nearest, now + timedelta(microseconds=1))


def overflow_faults(queues: Iterable[Queue]) -> dict[int, str]:
    """Queue → what is wrong with its overflow, in words: a target that does not exist, itself, a step that never opens, a
    circle. Steps do not follow one another, so a circle would do no harm; but nobody means one."""
    by_id = {queue.id: queue for queue in queues}
    faults: dict[int, str] = {}
    for queue in by_id.values():
        targets = [target for step in queue.overflow for target in step.queue_ids]
        if any(target not in by_id for target in targets):
            faults[queue.id] = Sentence("names a queue that does not exist")
        elif queue.id in targets:
            faults[queue.id] = Sentence("names the queue itself")
        elif any(step.after_s is None and step.ewt_over_s is None for step in queue.overflow):
            faults[queue.id] = Sentence("has a step without a condition")
        elif any((step.after_s or 0) < 0 or (step.ewt_over_s or 0) < 0 for step in queue.overflow):
            faults[queue.id] = Sentence("has a negative time")
        elif _comes_back(by_id, queue.id):
            faults[queue.id] = Sentence("is part of a circle of overflows")
    return faults


def _comes_back(by_id: Mapping[int, Queue], start: int) -> bool:
    seen: set[int] = set()
    ahead = [start]
    while ahead:
        queue = by_id.get(ahead.pop())
        for target in (target for step in queue.overflow for target in step.queue_ids) if queue else ():
            if target == start:
                return True
            if target not in seen:
                seen.add(target)
                ahead.append(target)
    return False


# --- who can do what ------------------------------------------------------------------------------------------------------


def weight_for(agent: Agent, item: Work) -> int:
    """What the work costs this agent."""
    return item.weight if item.kind is None else agent.weights.get(item.kind, item.weight)


def has_room(agent: Agent, item: Work, rules: Rules) -> bool:
    """Whether the work fits into what the agent has left, not counting what it may interrupt."""
    return _fits(agent, item.kind, item.weight, rules)


def is_kept_apart(agent: Agent, kind: ChannelKind | None, rules: Rules) -> bool:
    """Whether live work that the agent holds and work of this kind cannot be side by side."""
    if kind not in LIVE_KINDS or not agent.held:
        return False
    live = [held for held, load in agent.held.items() if load > 0 and held in LIVE_KINDS]
    return any(held in rules.exclusive for held in live) or (kind in rules.exclusive and bool(live))


def _fits(agent: Agent, kind: ChannelKind | None, weight: int, rules: Rules) -> bool:
    load = agent.load
    if kind is not None:
        weight = agent.weights.get(kind, weight)
        for other in rules.interrupts.get(kind, ()):
            load -= agent.held.get(other, 0)
    return load + weight <= agent.capacity and load < agent.capacity


def _not_free(agent: Agent) -> str | None:
    """Why an agent can be offered nothing at all, or None."""
    if agent.state is not AgentState.AVAILABLE:
        return agent.state.value
    if not agent.is_connected:
        return "disconnected"
    if agent.is_ringing:
        return "ringing"
    return None


class _Floor:
    """The agents of a snapshot as bits of integers: bit n is the n-th agent by id. What one round takes is taken off
    `free`; everything else stays as it was."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.agents = sorted(snapshot.agents, key=lambda agent: agent.user_id)
        self.rules = snapshot.rules
        self.bit_of = {agent.user_id: 1 << number for number, agent in enumerate(self.agents)}
        # At work: available or busy, with a screen. Whoever is not cannot be waited for.
        self.at_work = 0
        self.idle = 0
        # Idle, and with room for something: the only ones who can be offered anything, until this round takes them.
        self.free = 0
        self.not_free: dict[str, int] = {}
        self.by_rank: dict[int, dict[int, int]] = {}
        self._holders: dict[str, list[tuple[int, int]]] = {}
        self._able: dict[tuple[Skill, ...], int] = {}
        self._standing: dict[tuple[int, ...], tuple[list[int], int]] = {}
        self._skilled: dict[Skill, int] = {}
        self._room: dict[tuple[ChannelKind | None, int], tuple[int, int]] = {}
        self._large_enough: dict[tuple[ChannelKind | None, int], int] = {}
        self.kept = self.taken = 0
        yielding = {kind for kinds in self.rules.interrupts.values() for kind in kinds}
        bit = 1
        for agent in self.agents:
            word = _not_free(agent)
            if word is None:
                self.idle |= bit
            else:
                self.not_free[word] = self.not_free.get(word, 0) | bit
            if agent.is_connected and agent.state in (AgentState.AVAILABLE, AgentState.BUSY):
                self.at_work |= bit
            ranks = agent.ranks
            for queue_id in agent.queue_ids:
                members = self.by_rank.setdefault(ranks.get(queue_id, 0) if ranks else 0, {})
                members[queue_id] = members.get(queue_id, 0) | bit
            for name, level in agent.skills.items():
                self._holders.setdefault(name, []).append((level, bit))
            if word is None and agent.load - sum(agent.held.get(kind, 0) for kind in yielding) < agent.capacity:
                self.free |= bit
            bit <<= 1
        self.everybody = bit - 1
        self.ranks = sorted(self.by_rank)
        self.of_rank = {rank: self._members(members, members) for rank, members in self.by_rank.items()}

    @staticmethod
    def _members(members: Mapping[int, int], queue_ids: Iterable[int]) -> int:
        found = 0
        for queue_id in queue_ids:
            found |= members.get(queue_id, 0)
        return found

    def keep(self, eligible: int, kind: ChannelKind | None, weight: int) -> None:
        """Keeps the one with the least to do of these who are idle, and who could ever serve such work, away from
        everything else."""
        near = eligible & self.idle & self.large_enough(kind, weight) & ~self.kept & ~self.taken
        if near:
            least = min(self.of(near), key=lambda each: (each[1].load, each[0]))[0]
            self.free &= ~least
            self.kept |= least

    def bits(self, user_ids: Iterable[int]) -> int:
        found = 0
        for user_id in user_ids:
            found |= self.bit_of.get(user_id, 0)
        return found

    def members_of(self, queue_ids: Iterable[int]) -> int:
        found = 0
        for members in self.by_rank.values():
            found |= self._members(members, queue_ids)
        return found

    def skilled(self, skill: Skill) -> int:
        found = self._skilled.get(skill)
        if found is None:
            found = 0
            for level, bit in self._holders.get(skill.name, ()):
                if level >= skill.level:
                    found |= bit
            self._skilled[skill] = found
        return found

    def able(self, required: tuple[Skill, ...]) -> int:
        """Who has all of these skills."""
        found = self._able.get(required)
        if found is None:
            found = self.everybody
            for skill in required:
                found &= self.skilled(skill)
            self._able[required] = found
        return found

    def standing(self, queue_ids: tuple[int, ...]) -> tuple[list[int], int]:
        """(the members of these queues, rank by rank; all of them)."""
        found = self._standing.get(queue_ids)
        if found is None:
            found = self._standing[queue_ids] = (
                [self._members(members, queue_ids) for _, members in sorted(self.by_rank.items())],
                self.members_of(queue_ids),
            )
        return found

    def wished(self, wish: Wish) -> int:
        return self.skilled(wish.skill) if isinstance(wish, SkillWish) else self.bit_of.get(wish.agent_id, 0)

    def room(self, kind: ChannelKind | None, weight: int) -> tuple[int, int]:
        """(who has room for such work, who is kept apart from it), among the idle."""
        found = self._room.get((kind, weight))
        if found is None:
            fits = apart = 0
            for bit, agent in self.of(self.idle):
                if is_kept_apart(agent, kind, self.rules):
                    apart |= bit
                elif _fits(agent, kind, weight, self.rules):
                    fits |= bit
            found = self._room[(kind, weight)] = (fits, apart)
        return found

    def large_enough(self, kind: ChannelKind | None, weight: int) -> int:
        """Whose budget such work would fit into if they had nothing else."""
        found = self._large_enough.get((kind, weight))
        if found is None:
            found = 0
            for bit, agent in self.of(self.everybody):
                cost = weight if kind is None else agent.weights.get(kind, weight)
                if cost <= agent.capacity and agent.capacity > 0:
                    found |= bit
            self._large_enough[kind, weight] = found
        return found

    def of(self, mask: int) -> Iterator[tuple[int, Agent]]:
        while mask:
            bit = mask & -mask
            yield bit, self.agents[bit.bit_length() - 1]
            mask ^= bit

    def ids(self, mask: int) -> tuple[int, ...]:
        return tuple(agent.user_id for _, agent in self.of(mask))


# What makes two pieces of work the same to every agent.
_Kin = tuple[
    tuple[int, ...], ChannelKind | None, int, tuple[Skill, ...], tuple[Wish, ...], frozenset[int], int | None, int
]


class _Line:
    """Work that the very same agents may be offered at this instant, judged once from any piece of it."""

    __slots__ = (
        "apart",
        "eligible",
        "insisted",
        "masks",
        "members",
        "queue",
        "queue_ids",
        "room",
    )

    def __init__(self, floor: _Floor, item: Work, queue: Queue, waited_s: float) -> None:
        self.queue = queue
        self.queue_ids = _opened(queue, waited_s)
        if item.pinned_agent_id is None:
            self.masks, self.members = floor.standing(self.queue_ids)
        else:
            self.members = floor.bit_of.get(item.pinned_agent_id, 0)
            self.masks = [self.members]
        eligible = self.members & floor.able(item.required)
        if item.excluded:
            eligible &= ~floor.bits(item.excluded)
        # A wish that nobody at work could meet (beside those before it) is not waited for; a pin asks for none.
        insisted: list[Wish] = []
        for wish in item.wishes if item.pinned_agent_id is None else ():
            if waited_s < wish.until_s:
                met = eligible & floor.wished(wish)
                if met & floor.at_work:
                    eligible = met
                    insisted.append(wish)
        self.insisted = tuple(insisted)
        self.eligible = eligible
        self.room, self.apart = floor.room(item.kind, item.weight)


# --- the round --------------------------------------------------------------------------------------------------------------


def route(snapshot: Snapshot, now: datetime) -> list[Decision]:
    """The offers to make now, in the order of work."""
    return _route(snapshot, now)[0]


def explain(snapshot: Snapshot, now: datetime, conversation_id: int) -> Explanation:
    """Why this work goes where route() sends it, or why to nobody: a word for every agent who is not a candidate.
    NotFound if the snapshot has no such work."""
    item = next((item for item in snapshot.work if item.conversation_id == conversation_id), None)
    if item is None:
        raise NotFound("this conversation does not wait for an agent")
    decisions, floor = _route(snapshot, now)
    queues = {queue.id: queue for queue in snapshot.queues}
    line = _Line(floor, item, _queue_of(item, queues), (now - item.queued_since).total_seconds())
    told = next((each.explanation for each in decisions if each.conversation_id == conversation_id), None)
    if told is None:
        told = _explanation(floor, line, item, now, None, [])
    strangers = floor.ids(floor.everybody & ~line.members)
    word = "not_a_member" if item.pinned_agent_id is None else "pinned_to_another"
    return Explanation(
        conversation_id=told.conversation_id,
        agent_id=told.agent_id,
        rule=told.rule,
        waited_s=told.waited_s,
        score_s=told.score_s,
        is_overdue=told.is_overdue,
        is_pinned=told.is_pinned,
        is_unservable=_is_unservable(floor, item, line.queue),
        queue_ids=told.queue_ids,
        candidates=told.candidates,
        candidate_count=told.candidate_count,
        filtered={**told.filtered, **({word: strangers} if strangers else {})},
        insisted=told.insisted,
        relaxed=told.relaxed,
    )


def find_unservable(snapshot: Snapshot) -> list[int]:
    """Conversations that nobody could ever be offered, whoever were at work and idle: no member of a queue they stand in,
    or may come to stand in, has the skills and a budget that is large enough. A supervisor must know. By id."""
    floor = _Floor(snapshot)
    queues = {queue.id: queue for queue in snapshot.queues}
    known: dict[object, bool] = {}
    found = []
    for item in snapshot.work:
        kin = (item.queue_id, item.kind, item.weight, item.required, item.pinned_agent_id)
        if kin not in known:
            known[kin] = _is_unservable(floor, item, _queue_of(item, queues))
        if known[kin]:
            found.append(item.conversation_id)
    return sorted(found)


def _is_unservable(floor: _Floor, item: Work, queue: Queue) -> bool:
    if item.pinned_agent_id is None:
        ever = (queue.id, *(target for step in queue.overflow for target in step.queue_ids))
        able = floor.members_of(ever)
    else:
        able = floor.bit_of.get(item.pinned_agent_id, 0)
    return not able & floor.able(item.required) & floor.large_enough(item.kind, item.weight)


def _queue_of(item: Work, queues: Mapping[int, Queue]) -> Queue:
    return queues.get(item.queue_id) or Queue(item.queue_id, _FOREVER)


def _route(snapshot: Snapshot, now: datetime) -> tuple[list[Decision], _Floor]:
    floor = _Floor(snapshot)
    decisions: list[Decision] = []
    if not floor.free or not snapshot.work:
        # Who would be kept for overdue work is offered nothing anyway.
        return decisions, floor
    queues = {queue.id: queue for queue in snapshot.queues}
    pinned, overdue, waiting = _in_question(floor, snapshot, now)
    lines: dict[_Kin, _Line] = {}

    for _, _, item in sorted(pinned):
        line = _line_of(floor, item, queues, now, lines)
        candidates = line.eligible & line.room & floor.free
        if candidates:
            decisions.append(_decide(floor, line, item, now, candidates))

    heapq.heapify(overdue)
    while overdue and floor.free:
        item = heapq.heappop(overdue)[2]
        line = _line_of(floor, item, queues, now, lines)
        candidates = line.eligible & line.room & floor.free
        if candidates:
            decisions.append(_decide(floor, line, item, now, candidates))
        elif line.queue.makes_room:
            floor.keep(line.eligible, item.kind, item.weight)

    heapq.heapify(waiting)
    offered: set[int] = set()
    for index, rank in enumerate(floor.ranks):
        # A copy of a heap is a heap; what is served at one rank is not in question at the next.
        heap = waiting if index == len(floor.ranks) - 1 else waiting.copy()
        while heap and floor.free & floor.of_rank[rank]:
            _, number, item = heapq.heappop(heap)
            line = _line_of(floor, item, queues, now, lines)
            candidates = line.eligible & line.room & line.masks[index] & floor.free
            if candidates and number not in offered:
                decisions.append(_decide(floor, line, item, now, candidates))
                offered.add(number)
    return decisions, floor


# (what comes first is smallest, conversation, work)
_Entry = tuple[float, int, Work]


def _in_question(floor: _Floor, snapshot: Snapshot, now: datetime) -> tuple[list[_Entry], list[_Entry], list[_Entry]]:
    """(pinned, overdue, the rest): work that somebody who is free could serve by queue and skills, or must be kept free
    for. One look at each piece of work, and the only one that all of it gets."""
    marks = _marks(snapshot.queues)
    max_wait_s = {queue.id: queue.max_wait_s for queue in snapshot.queues}
    reached: dict[int, list[int]] = {}
    for queue in snapshot.queues:
        asked = floor.idle if queue.makes_room else floor.free
        stages = (0.0, *marks[queue.id])
        reached[queue.id] = [asked & floor.standing(_opened(queue, stage))[1] for stage in stages]
    pinned: list[_Entry] = []
    overdue: list[_Entry] = []
    waiting: list[_Entry] = []
    able = floor.able
    for item in snapshot.work:
        queue_id = item.queue_id
        if item.pinned_agent_id is not None:
            pinned.append(((item.queued_since - now).total_seconds(), item.conversation_id, item))
            continue
        masks = reached.get(queue_id)
        if masks is None:  # a queue that the snapshot does not describe has members, but no bound and no overflow
            masks = reached[queue_id] = [floor.free & floor.standing((queue_id,))[1]]
            max_wait_s[queue_id] = _FOREVER
        required = item.required
        if len(masks) == 1:
            if not (masks[0] & able(required) if required else masks[0]):
                continue
            waited_s = (now - item.queued_since).total_seconds()
        else:
            waited_s = (now - item.queued_since).total_seconds()
            mask = masks[bisect_right(marks[queue_id], waited_s)]
            if not (mask & able(required) if required else mask):
                continue
        if waited_s >= max_wait_s[queue_id]:
            overdue.append((-waited_s, item.conversation_id, item))
        else:
            urgency = waited_s + (item.priority + item.tier_priority) * _SECONDS_PER_PRIORITY
            waiting.append((-urgency, item.conversation_id, item))
    return pinned, overdue, waiting


def _marks(queues: Iterable[Queue]) -> dict[int, list[float]]:
    """Queue → the waits at which its overflow opens, in order: work that has passed the same marks stands in the same
    queues."""
    return {queue.id: sorted(step.after_s for step in queue.overflow if step.after_s is not None) for queue in queues}


def _line_of(floor: _Floor, item: Work, queues: Mapping[int, Queue], now: datetime, lines: dict[_Kin, _Line]) -> _Line:
    queue = _queue_of(item, queues)
    waited_s = (now - item.queued_since).total_seconds()
    opened = _opened(queue, waited_s) if queue.overflow else (queue.id,)
    insisted = 0
    for wish in item.wishes:
        insisted = insisted * 2 + (waited_s < wish.until_s)
    kin = (opened, item.kind, item.weight, item.required, item.wishes, item.excluded, item.pinned_agent_id, insisted)
    line = lines.get(kin)
    if line is None:
        line = lines[kin] = _Line(floor, item, queue, waited_s)
    return line


def _decide(floor: _Floor, line: _Line, item: Work, now: datetime, candidates: int) -> Decision:
    ranked: list[tuple[tuple[float, ...], int, int]] = []
    for index, mask in enumerate(line.masks):
        for bit, agent in floor.of(candidates & mask):
            ranked.append((_preference(floor, line, item, agent, bit, index, now), bit, index))
        if ranked:
            break
    _, bit, index = min(ranked)
    chosen = floor.agents[bit.bit_length() - 1]
    explanation = _explanation(floor, line, item, now, chosen.user_id, ranked)
    floor.free &= ~bit
    floor.taken |= bit
    if item.pinned_agent_id is None:
        members = floor.by_rank[floor.ranks[index]]
        queue_id = next(queue_id for queue_id in line.queue_ids if members.get(queue_id, 0) & bit)
    else:
        queue_id = item.queue_id
    return Decision(item.conversation_id, chosen.user_id, queue_id, weight_for(chosen, item), explanation)


def _preference(
    floor: _Floor, line: _Line, item: Work, agent: Agent, bit: int, index: int, now: datetime
) -> tuple[float, ...]:
    """Smaller is better; complete, so that no two agents are alike."""
    met = -sum(1 for wish in item.wishes if floor.wished(wish) & bit) if item.wishes else 0
    idle = (agent.idle_since - now).total_seconds()
    if line.queue.choice is Choice.LEAST_LOADED:
        return (index, met, agent.load, idle, agent.user_id)
    if line.queue.choice is Choice.LONGEST_IDLE:
        return (index, met, idle, agent.load, agent.user_id)
    return (index, met, -_skill(agent, item), idle, agent.load, agent.user_id)


def _skill(agent: Agent, item: Work) -> int:
    wished = (wish.skill.name for wish in item.wishes if isinstance(wish, SkillWish))
    return sum(agent.skills.get(name, 0) for name in {*(skill.name for skill in item.required), *wished})


def _explanation(
    floor: _Floor,
    line: _Line,
    item: Work,
    now: datetime,
    agent_id: int | None,
    ranked: list[tuple[tuple[float, ...], int, int]],
) -> Explanation:
    """The record of what the round saw at this moment of it; those who are no members are left out."""
    filtered: dict[str, tuple[int, ...]] = {}
    left = line.members

    def take(word: str, mask: int) -> None:
        nonlocal left
        if left & mask:
            filtered[word] = floor.ids(left & mask)
            left &= ~mask

    for word, mask in floor.not_free.items():
        take(word, mask)
    for skill in item.required:
        take(f"lacks_skill:{skill.name}<{skill.level}", ~floor.skilled(skill))
    take("excluded", floor.bits(item.excluded))
    take("exclusive", line.apart)
    take("full", ~line.room)
    for wish in line.insisted:
        take(wish.word, ~floor.wished(wish))
    take("kept_for_overdue", floor.kept)
    take("taken", floor.taken)
    best = heapq.nsmallest(_CANDIDATES_TOLD, ranked)
    waited_s = (now - item.queued_since).total_seconds()
    return Explanation(
        conversation_id=item.conversation_id,
        agent_id=agent_id,
        rule=line.queue.choice,
        waited_s=round(waited_s, 1),
        score_s=round(score_s(item, now), 1),
        is_overdue=waited_s >= line.queue.max_wait_s,
        is_pinned=item.pinned_agent_id is not None,
        is_unservable=False,
        queue_ids=line.queue_ids,
        candidates=tuple(
            Candidate(
                agent_id=agent.user_id,
                rank=0 if item.pinned_agent_id is not None else floor.ranks[index],
                wishes_met=int(-key[1]),
                load=agent.load,
                idle_s=round((now - agent.idle_since).total_seconds(), 1),
                skill=_skill(agent, item),
            )
            for key, bit, index in best
            for agent in (floor.agents[bit.bit_length() - 1],)
        ),
        candidate_count=left.bit_count(),
        filtered=filtered,
        insisted=tuple(wish.word for wish in line.insisted),
        relaxed=tuple(wish.word for wish in item.wishes if wish not in line.insisted),
    )
