"""The floor as the engine wants to see it: what waits, who could take it, and what is set of the queues.

`load_snapshot` asks in the order in which the answers are cheap, and stops at the first that says that there is nothing to
decide: does anything wait, is anybody idle, has anybody room, is there work that one of them could take. So on a full floor
a round costs next to nothing, however much waits. What could change no decision is not loaded:

    work that nobody who is free could be offered, by its queues, its kind, what it requires and its age
    of work that is the same to everybody but for its age, all but the oldest pieces: as many as there are free agents, each
    of whom is offered one. If one of them goes without, so would all that are younger.

`tests/routing/test_floor.py` holds that against the whole floor. Reads only: what is decided, and when it is asked again, is
routing.dispatcher's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, exists, func, or_, select, text

from hub.agents import skills
from hub.agents.queues import read_overflow
from hub.domain.calls import Party
from hub.domain.states import AgentState
from hub.domain.values import TIER_PRIORITY, AgentChoice, ChannelKind
from hub.routing import engine, interruption
from hub.routing.requirements import read_required, required_of
from hub.store import tables
from hub.store.database import Tx

_c, _o, _as, _q, _a, _u, _m = (
    tables.conversation.c,
    tables.offer.c,
    tables.assignment.c,
    tables.queue.c,
    tables.agent.c,
    tables.user_account.c,
    tables.queue_member.c,
)
_s, _h, _r = tables.skill.c, tables.agent_skill.c, tables.queue_skill.c
_k, _cu = tables.channel.c, tables.customer.c

# One round looks at no more waiting work than this; the rest has its turn when agents become free.
_WORK_LIMIT = 20_000
_KIND = {word.value: word for word in ChannelKind}
_STATE = {word.value: word for word in AgentState}
_CHOICE = {
    AgentChoice.LEAST_LOADED.value: engine.Choice.LEAST_LOADED,
    AgentChoice.LONGEST_IDLE.value: engine.Choice.LONGEST_IDLE,
    AgentChoice.BEST_SKILLED.value: engine.Choice.BEST_SKILLED,
}
_FOREVER = float("inf")

# Waiting work that is parked keeps its age and is offered to nobody until the round that brings it back.
_IS_NOT_PARKED = _c.parked_until.is_(None)
_SOMETHING_WAITS = select(_c.id).where(_c.queued_since.is_not(None)).limit(1)
_RINGING_WORK = select(_o.conversation_id).where(_o.ended_at.is_(None))
_AGENTS = select(_a.user_id, _a.state, _a.connected, _a.idle_since)
# Whoever is asked by a colleague or listens to a call has their ear at the telephone, though they hold no work for it.
_on_a_line = exists().where(
    tables.leg.c.user_id == _a.user_id,
    tables.leg.c.ended_at.is_(None),
    tables.leg.c.party.in_([Party.CONSULTED.value, Party.SUPERVISOR.value]),
)
_AT_WORK = _AGENTS.where(_a.state == AgentState.AVAILABLE.value, _a.connected, ~_on_a_line)
# What is held and what rings. By kind only where a kind is taken that interrupts others or excludes them.
_ASSIGNED = (
    select(_as.agent_id, func.sum(_as.weight).label("load")).where(_as.ended_at.is_(None)).group_by(_as.agent_id)
)
_OFFERED = select(_o.agent_id, func.sum(_o.weight).label("load")).where(_o.ended_at.is_(None)).group_by(_o.agent_id)
_WITH_KIND = (
    _ASSIGNED.add_columns(_k.kind)
    .join(tables.conversation, _c.id == _as.conversation_id)
    .join(tables.channel, _k.id == _c.channel_id)
    .group_by(_k.kind),
    _OFFERED.add_columns(_k.kind)
    .join(tables.conversation, _c.id == _o.conversation_id)
    .join(tables.channel, _k.id == _c.channel_id)
    .group_by(_k.kind),
)
_IS_TAKEN = select(_k.id).where(_k.kind.in_(bindparam("kinds", expanding=True))).limit(1)


@dataclass(frozen=True, slots=True)
class _Held:
    """Agent → the weight of what they hold and what rings at them; and of which kinds, where that matters. `ringing`: at
    whom something rings."""

    load: Mapping[int, int]
    kinds: Mapping[int, Mapping[ChannelKind, int]]
    ringing: Set[int] = frozenset()


@dataclass(frozen=True, slots=True)
class QueueRules:
    """What is set of a queue: as the engine wants it, and what only the making of an offer needs."""

    queue: engine.Queue
    required: tuple[engine.Skill, ...]
    offer_timeout_s: int
    ring_s: Mapping[str, int]
    language_wish_s: int | None
    last_agent_days: int | None
    last_agent_wish_s: int | None
    owner_wish_s: int | None
    auto_accept: frozenset[ChannelKind]
    exclusion_s: int

    @property
    def wishes_last_agent(self) -> bool:
        return self.last_agent_days is not None and self.last_agent_wish_s is not None

    def ring_time_s(self, kind: ChannelKind | None) -> int:
        return self.offer_timeout_s if kind is None else self.ring_s.get(kind.value, self.offer_timeout_s)


@dataclass(frozen=True, slots=True)
class Person:
    """What is set of somebody who works here. `lightest`: what the lightest piece of work there is costs them."""

    capacity: int
    weights: Mapping[ChannelKind, int]
    queue_ids: frozenset[int]
    ranks: Mapping[int, int]
    skills: Mapping[str, int]
    lightest: int


# Count, sum of versions, highest id: no change of the rows leaves all three as they were. Versions rise with every change,
# and an id is never given twice.
_Mark = tuple[int | None, ...]


@dataclass(slots=True)
class Known:
    """What is set of queues and people, as somebody read it last. What has another mark by now is read again, so it is
    never older than the transaction that uses it. Whoever keeps one lets it go when a transaction of theirs fails."""

    queues: Mapping[int, QueueRules] = field(default_factory=dict)
    queues_mark: _Mark | None = None
    people: Mapping[int, Person] = field(default_factory=dict)
    people_mark: _Mark | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A snapshot with what made it. `free`: who can be offered anything; `opens_at`: when overflow next brings work, which
    the snapshot does not hold, to one of them."""

    snapshot: engine.Snapshot
    queues: Mapping[int, QueueRules] = field(default_factory=dict)
    free: frozenset[int] = frozenset()
    opens_at: datetime | None = None


_NOTHING = Loaded(engine.Snapshot([], [], []))


def load_snapshot(tx: Tx, asked: int | None = None, *, whole: bool = False, known: Known | None = None) -> Loaded:
    """What may be decided now. `asked`: this work and all agents are in it in any case, if it waits and does not ring.
    `whole`: nothing is left out that waits. `known`: what needs not be read again if it has not changed."""
    if tx.first(_SOMETHING_WAITS) is None:
        return _NOTHING
    is_needed = asked is not None or whole
    at_work = tx.rows(_AT_WORK)
    if not at_work and not is_needed:
        return _NOTHING
    rules, queues, people = _load_settings(tx, known or Known())
    held = _load_held(tx, rules)
    idle = [row for row in at_work if row.user_id in people and row.user_id not in held.ringing]
    yielding = frozenset(kind for kinds in rules.interrupts.values() for kind in kinds)
    with_room = [row for row in idle if _has_any_room(people[row.user_id], row.user_id, held, yielding)]
    if not with_room and not is_needed:
        return _NOTHING
    free = _make_agents(with_room, held, people)
    particular = _load_particular(tx)
    openings, opens_at = _find_openings(tx, free, queues, rules, len(idle), particular)
    excluded = _load_exclusions(tx, queues)
    if whole:
        waiting = tx.rows(_WAITING.order_by(_c.queued_since, _c.id))
    else:
        waiting = [*_load_pinned(tx, with_room, asked), *_load_open(tx, openings, queues, excluded, asked, particular)]
    free_ids = frozenset(agent.user_id for agent in free)
    if not waiting:
        return Loaded(engine.Snapshot([], [], []), queues, free_ids, opens_at)
    return Loaded(
        engine.Snapshot(
            work=_load_work(tx, waiting, queues, excluded, particular),
            agents=_make_agents(tx.rows(_AGENTS), held, people),
            queues=[each.queue for each in queues.values()],
            rules=rules,
        ),
        queues,
        free_ids,
        opens_at,
    )


def next_change(loaded: Loaded, decisions: Iterable[engine.Decision], now: datetime) -> datetime | None:
    """The first instant at which time alone may bring an offer: a wish relaxes, overflow opens, an exclusion ends. While
    nobody is free there is none. Work that becomes overdue is not waited for: what it overtakes is looked at when an
    agent is free for either, and then its age is known."""
    taken = {decision.agent_id for decision in decisions}
    if loaded.free <= taken:
        return None
    offered = {decision.conversation_id for decision in decisions}
    left = replace(
        loaded.snapshot,
        work=[item for item in loaded.snapshot.work if item.conversation_id not in offered],
        queues=[replace(queue, max_wait_s=_FOREVER) for queue in loaded.snapshot.queues],
    )
    moments = (engine.next_change(left, now), loaded.opens_at)
    return min((moment for moment in moments if moment is not None), default=None)


def count_unservable(tx: Tx) -> dict[int, int]:
    """Queue → how much of its waiting work nobody could ever be offered, whoever were at work and idle; for every queue
    in which something waits."""
    alike = tx.rows(
        select(_c.queue_id, _k.kind, _c.pinned_agent_id, _c.required, _c.lowered, func.count().label("pieces"))
        .join(tables.channel, _k.id == _c.channel_id)
        .where(_c.queued_since.is_not(None))
        .group_by(_c.queue_id, _k.kind, _c.pinned_agent_id, _c.required, _c.lowered)
    )
    if not alike:
        return {}
    queues = load_queues(tx)
    particular = _load_particular(tx)
    # One piece of work stands for all that are the same to everybody.
    snapshot = engine.Snapshot(
        work=[
            engine.Work(
                conversation_id=number,
                queue_id=row.queue_id,
                weight=engine.WEIGHTS[_KIND[row.kind]],
                queued_since=tx.now,
                kind=_KIND[row.kind],
                required=required_of(queues[row.queue_id].required, row.required, row.lowered, particular.names),
                pinned_agent_id=row.pinned_agent_id,
            )
            for number, row in enumerate(alike)
        ],
        agents=_make_agents(tx.rows(_AGENTS), _Held({}, {}), load_people(tx)),
        queues=[rules.queue for rules in queues.values()],
    )
    counts = dict.fromkeys((row.queue_id for row in alike), 0)
    for number in engine.find_unservable(snapshot):
        counts[alike[number].queue_id] += alike[number].pieces
    return counts


def load_staff(tx: Tx) -> tuple[list[engine.Agent], Mapping[int, QueueRules], engine.Rules]:
    """Everybody who works here as the engine sees them, all queues, and what may interrupt what."""
    rules, queues, people = _load_settings(tx, Known())
    return _make_agents(tx.rows(_AGENTS), _load_held(tx, rules), people), queues, rules


# --- agents -------------------------------------------------------------------------------------------------------------


def _load_held(tx: Tx, rules: engine.Rules) -> _Held:
    telling = sorted({*rules.interrupts, *rules.exclusive})
    by_kind = tx.first(_IS_TAKEN, {"kinds": telling}) is not None
    load: dict[int, int] = {}
    kinds: dict[int, dict[ChannelKind, int]] = {}
    assigned, offered = (tx.rows(query) for query in (_WITH_KIND if by_kind else (_ASSIGNED, _OFFERED)))
    for row in (*assigned, *offered):
        load[row.agent_id] = load.get(row.agent_id, 0) + int(row.load)
        if by_kind:
            theirs = kinds.setdefault(row.agent_id, {})
            theirs[_KIND[row.kind]] = theirs.get(_KIND[row.kind], 0) + int(row.load)
    return _Held(load, kinds, {row.agent_id for row in offered})


def _has_any_room(person: Person, user_id: int, held: _Held, yielding: Collection[ChannelKind]) -> bool:
    """Whether the lightest work there is would fit, if it interrupts all that anything interrupts."""
    load = held.load.get(user_id, 0)
    if kinds := held.kinds.get(user_id):
        load -= sum(kinds.get(kind, 0) for kind in yielding)
    return load < person.capacity and load + person.lightest <= person.capacity


def _make_agents(rows: Iterable[Sequence[Any]], held: _Held, people: Mapping[int, Person]) -> list[engine.Agent]:
    """The agents of these rows of _AGENTS, but for those who work here no longer."""
    made = []
    for user_id, state, is_connected, idle_since in rows:
        person = people.get(user_id)
        if person is not None:
            made.append(
                engine.Agent(
                    user_id=user_id,
                    state=_STATE[state],
                    is_connected=is_connected,
                    capacity=person.capacity,
                    load=held.load.get(user_id, 0),
                    idle_since=idle_since,
                    queue_ids=person.queue_ids,
                    is_ringing=user_id in held.ringing,
                    skills=person.skills,
                    held=held.kinds.get(user_id, _NONE),
                    weights=person.weights,
                    ranks=person.ranks,
                )
            )
    return made


def read_weights(stored: Mapping[str, int] | None) -> Mapping[ChannelKind, int]:
    """An agent's own weights as they stand in the column."""
    return {_KIND[kind]: weight for kind, weight in stored.items()} if stored else _NONE


_NONE: dict[Any, int] = {}

# --- what is set ----------------------------------------------------------------------------------------------------------


def _mark(table: Any) -> tuple[Any, ...]:
    columns = (func.count(), func.sum(table.c.version), func.max(table.c.id))
    return tuple(select(each).select_from(table).scalar_subquery() for each in columns)


_MARKS = select(
    select(tables.organisation.c.routing).scalar_subquery(),
    *_mark(tables.queue),
    *_mark(tables.skill),
    *_mark(tables.user_account),
    select(func.sum(_q.ewt_version)).scalar_subquery(),
)


def _load_settings(tx: Tx, known: Known) -> tuple[engine.Rules, Mapping[int, QueueRules], Mapping[int, Person]]:
    row: Sequence[Any] = tx.rows(_MARKS)[0]
    routing, *mark, estimates = row
    # A mark is read before what it stands for: what changes meanwhile is read once more, never missed.
    queues_mark, people_mark = (*mark[:6], estimates), tuple(mark)
    if known.queues_mark != queues_mark:
        known.queues, known.queues_mark = load_queues(tx), queues_mark
    if known.people_mark != people_mark:
        known.people, known.people_mark = load_people(tx), people_mark
    return interruption.read_rules(routing), known.queues, known.people


def load_people(tx: Tx) -> dict[int, Person]:
    """Everybody who works here, by id, with all their queues and skills."""
    belongs: dict[int, list[int]] = {}
    ranks: dict[int, dict[int, int]] = {}
    for row in tx.rows(select(_m.user_id, _m.queue_id, _m.rank)):
        belongs.setdefault(row.user_id, []).append(row.queue_id)
        if row.rank:
            ranks.setdefault(row.user_id, {})[row.queue_id] = row.rank
    levels: dict[int, dict[str, int]] = {}
    for row in tx.rows(select(_h.user_id, _s.name, _h.level).join(tables.skill, _s.id == _h.skill_id)):
        levels.setdefault(row.user_id, {})[row.name] = row.level
    working = select(_a.user_id, _a.capacity, _a.weights).join(tables.user_account, _u.id == _a.user_id)
    people = {}
    for row in tx.rows(working.where(_u.active)):
        weights = read_weights(row.weights)
        people[row.user_id] = Person(
            capacity=row.capacity,
            weights=weights,
            queue_ids=frozenset(belongs.get(row.user_id, ())),
            ranks=ranks.get(row.user_id, _NONE),
            skills=levels.get(row.user_id, _NONE),
            lightest=min(weights.get(kind, weight) for kind, weight in engine.WEIGHTS.items()),
        )
    return people


# --- queues -------------------------------------------------------------------------------------------------------------


_REQUIRED = (
    select(_r.queue_id, _s.name, _r.level).join(tables.skill, _s.id == _r.skill_id).order_by(_r.queue_id, _r.skill_id)
)


def load_queues(tx: Tx) -> dict[int, QueueRules]:
    """All queues by id."""
    required: dict[int, list[engine.Skill]] = {}
    for row in tx.rows(_REQUIRED):
        required.setdefault(row.queue_id, []).append(engine.Skill(row.name, row.level))
    return {
        row.id: QueueRules(
            queue=engine.Queue(
                id=row.id,
                max_wait_s=row.max_wait_s,
                choice=_CHOICE[row.choice],
                overflow=tuple(
                    engine.Overflow(step.queue_ids, step.after_s, step.ewt_over_s)
                    for step in read_overflow(row.overflow)
                ),
                ewt_s=row.ewt_s,
                makes_room=row.makes_room,
            ),
            required=tuple(required.get(row.id, ())),
            offer_timeout_s=row.offer_timeout_s,
            ring_s=row.ring_s or {},
            language_wish_s=row.language_wish_s,
            last_agent_days=row.last_agent_days,
            last_agent_wish_s=row.last_agent_wish_s,
            owner_wish_s=row.owner_wish_s,
            auto_accept=frozenset(_KIND[kind] for kind in row.auto_accept or ()),
            exclusion_s=row.exclusion_s,
        )
        for row in tx.rows(select(tables.queue).order_by(_q.id))
    }


# --- work ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Particular:
    """Single conversations that wait and require something else than their queue does. `lines`: queue → what its columns
    `required` and `lowered` hold, each once; `names`: id → name of the skills in them."""

    lines: Mapping[int, Sequence[tuple[str, int]]]
    names: Mapping[int, str]

    @property
    def are_many(self) -> bool:
        return sum(len(lines) for lines in self.lines.values()) > _LINES_LIMIT


# In the words of the partial index ix_conversation_waiting_for_others, so that it is used.
_REQUIRES_ELSE = text("(conversation.required <> '' OR conversation.lowered <> 0)")
_PARTICULAR = (
    select(_c.queue_id, _c.required, _c.lowered)
    .where(_c.queued_since.is_not(None), _REQUIRES_ELSE)
    .distinct()
    .order_by(_c.queue_id, _c.required, _c.lowered)
)
# So many are looked at one by one; of more, all such work is taken whole. (SQLite's expressions may be 1,000 deep.)
_LINES_LIMIT = 100


def _load_particular(tx: Tx) -> _Particular:
    lines: dict[int, list[tuple[str, int]]] = {}
    for row in tx.rows(_PARTICULAR):
        lines.setdefault(row.queue_id, []).append((row.required, row.lowered))
    ids = {each.skill_id for theirs in lines.values() for required, _ in theirs for each in read_required(required)}
    names = {row.id: row.name for row in tx.rows(select(_s.id, _s.name).where(_s.id.in_(ids)))} if ids else {}
    return _Particular(lines, names)


@dataclass(frozen=True, slots=True)
class _Openings:
    """Conditions on `conversation` and `channel` of which one holds for work that somebody who is free could be offered, or
    that may keep one of them from other work; and queue → of how many pieces of work that are the same to everybody: each
    is offered to one of those who could take it, or keeps one of the idle apart."""

    conditions: list[Any]
    enough: dict[int, int]


def _find_openings(
    tx: Tx,
    free: Collection[engine.Agent],
    queues: Mapping[int, QueueRules],
    interruptions: engine.Rules,
    idle: int,
    particular: _Particular,
) -> tuple[_Openings, datetime | None]:
    """And when the next piece of further work comes to be so by its age alone."""
    kinds_of = {agent.user_id: _kinds_with_room(agent, interruptions) for agent in free}
    members: dict[int, list[engine.Agent]] = {}
    for agent in free:
        for queue_id in agent.queue_ids:
            members.setdefault(queue_id, []).append(agent)
    at_once: dict[frozenset[str], list[int]] = {}
    openings = _Openings([], {})
    opens_at: list[datetime] = []
    for queue_id, rules in queues.items():
        for here, required in _lines_of(queue_id, rules, particular):

            def takers(queue_ids: Iterable[int], required: tuple[engine.Skill, ...] = required) -> set[int]:
                return {
                    agent.user_id
                    for each in queue_ids
                    for agent in members.get(each, ())
                    if kinds_of[agent.user_id]
                    and all(agent.skills.get(skill.name, 0) >= skill.level for skill in required)
                }

            able = takers([queue_id])
            kinds = frozenset().union(*(kinds_of[user_id] for user_id in able))
            if kinds and queue_id not in particular.lines:
                at_once.setdefault(kinds, []).append(queue_id)
            elif kinds:
                openings.conditions.append(and_(here, _k.kind.in_(sorted(kinds))))
            for step in rules.queue.overflow:
                is_open = engine.opens_by_estimate(step, rules.queue)
                if step.after_s is None and not is_open:
                    continue
                helpers = takers(step.queue_ids)
                able |= helpers
                more = frozenset().union(*(kinds_of[user_id] for user_id in helpers)) - kinds
                theirs = and_(here, _k.kind.in_(sorted(more)))
                if more and is_open:
                    openings.conditions.append(theirs)
                elif more and step.after_s is not None:
                    opened = tx.now - timedelta(seconds=step.after_s)
                    openings.conditions.append(and_(theirs, _c.queued_since <= opened))
                    oldest = tx.scalar(_OLDEST_FIRST.where(theirs, _c.queued_since > opened))
                    if oldest is not None:
                        opens_at.append(oldest + timedelta(seconds=step.after_s))
            if able:
                openings.enough[queue_id] = max(len(able), openings.enough.get(queue_id, 0))
        if rules.queue.makes_room and free:
            overdue = tx.now - timedelta(seconds=rules.queue.max_wait_s)
            openings.conditions.append(and_(_c.queue_id == queue_id, _c.queued_since <= overdue))
            openings.enough[queue_id] = idle
    for kinds, queue_ids in at_once.items():
        openings.conditions.append(and_(_c.queue_id.in_(queue_ids), _k.kind.in_(sorted(kinds))))
    if particular.are_many:
        openings.conditions.append(_REQUIRES_ELSE)
        openings.enough.update(dict.fromkeys(particular.lines, idle))
    return openings, min(opens_at, default=None)


def _lines_of(queue_id: int, rules: QueueRules, particular: _Particular) -> list[tuple[Any, tuple[engine.Skill, ...]]]:
    """(condition, what it requires) of the queue's work that requires what the queue does; and, while they are few, of each
    sort that requires something else."""
    own = _c.queue_id == queue_id
    if queue_id not in particular.lines:
        return [(own, rules.required)]
    plain = [(and_(own, _c.required == "", _c.lowered == 0), rules.required)]
    return plain + [
        (
            and_(own, _c.required == required, _c.lowered == lowered),
            required_of(rules.required, required, lowered, particular.names),
        )
        for required, lowered in ([] if particular.are_many else particular.lines[queue_id])
    ]


_OLDEST_FIRST = (
    select(_c.queued_since)
    .join(tables.channel, _k.id == _c.channel_id)
    .where(_c.queued_since.is_not(None), _IS_NOT_PARKED)
    .order_by(_c.queued_since)
    .limit(1)
)


def _kinds_with_room(agent: engine.Agent, rules: engine.Rules) -> frozenset[str]:
    found = []
    for kind, weight in engine.WEIGHTS.items():
        item = engine.Work(0, 0, weight, agent.idle_since, kind=kind)
        if engine.has_room(agent, item, rules) and not engine.is_kept_apart(agent, kind, rules):
            found.append(kind.value)
    return frozenset(found)


_WAITING = (
    select(
        _c.id,
        _c.queue_id,
        _c.queued_since,
        _c.priority,
        _c.pinned_agent_id,
        _c.customer_id,
        _c.required,
        _c.lowered,
        _k.kind,
        _cu.language,
        _cu.tier,
        _cu.owner_id,
    )
    .join(tables.channel, _k.id == _c.channel_id)
    .join(tables.customer, _cu.id == _c.customer_id)
    .where(_c.queued_since.is_not(None), _IS_NOT_PARKED, _c.id.not_in(_RINGING_WORK))
)


def _load_pinned(tx: Tx, with_room: Collection[Row[Any]], asked: int | None) -> Sequence[Row[Any]]:
    """Work that is for one of these; and the work that is asked about."""
    theirs = _c.pinned_agent_id.in_([row.user_id for row in with_room])
    if asked is None:
        return tx.rows(_WAITING.where(_c.pinned_agent_id.is_not(None), theirs))
    return tx.rows(_WAITING.where((_c.pinned_agent_id.is_not(None) & theirs) | (_c.id == asked)))


def _load_open(
    tx: Tx,
    openings: _Openings,
    queues: Mapping[int, QueueRules],
    excluded: Collection[int],
    asked: int | None,
    particular: _Particular,
) -> Sequence[Row[Any]]:
    """Of work that is the same to everybody but for its age the oldest pieces, as many as are enough. Work that somebody is
    excluded from is the same as no other."""
    if not openings.conditions:
        return []
    speaking = [queue_id for queue_id in openings.enough if queues[queue_id].language_wish_s is not None]
    knowing = [queue_id for queue_id in openings.enough if queues[queue_id].wishes_last_agent]
    owned = [queue_id for queue_id in openings.enough if queues[queue_id].owner_wish_s is not None]
    alike = [
        _c.queue_id,
        _k.kind,
        _c.priority,
        _cu.tier,
        case((_c.queue_id.in_(speaking), _cu.language), else_=""),
        case((_c.queue_id.in_(owned), _cu.owner_id), else_=0),
        case((_c.queue_id.in_(knowing) | _c.id.in_(excluded), _c.id), else_=0),
    ]
    if particular.lines:
        alike += [_c.required, _c.lowered]
    place = func.row_number().over(partition_by=alike, order_by=(_c.queued_since, _c.id)).label("place")
    placed = (
        _WAITING.add_columns(place)
        .where(
            _c.queue_id.in_(openings.enough),
            _c.pinned_agent_id.is_(None),
            _c.id != (asked or 0),
            or_(*openings.conditions),
        )
        .subquery()
    )
    p = placed.c
    enough = case(openings.enough, value=p.queue_id)
    return tx.rows(select(placed).where(p.place <= enough).order_by(p.queued_since, p.id).limit(_WORK_LIMIT))


def _load_work(
    tx: Tx,
    waiting: Collection[Row[Any]],
    queues: Mapping[int, QueueRules],
    excluded: Mapping[int, Mapping[int, datetime]],
    particular: _Particular,
) -> list[engine.Work]:
    knowing = {row.customer_id for row in waiting if queues[row.queue_id].wishes_last_agent}
    last_agents = _load_last_agents(tx, sorted(knowing), queues.values())
    languages = {row.name for row in tx.rows(select(_s.name)) if row.name.startswith(skills.LANGUAGE_PREFIX)}
    spoken: dict[str | None, str | None] = {}
    work = []
    for row in waiting:
        rules = queues[row.queue_id]
        wishes: tuple[engine.Wish, ...] = ()
        if rules.last_agent_days is not None and rules.last_agent_wish_s is not None:
            last = last_agents.get(row.customer_id)
            if last is not None and last[1] >= tx.now - timedelta(days=rules.last_agent_days):
                wishes = (engine.AgentWish(last[0], rules.last_agent_wish_s),)
        if rules.owner_wish_s is not None and row.owner_id is not None:
            wishes = (*wishes, engine.AgentWish(row.owner_id, rules.owner_wish_s, "owner"))
        if rules.language_wish_s is not None:
            if row.language not in spoken:
                name = skills.language_skill(row.language)
                spoken[row.language] = name if name in languages else None
            language = spoken[row.language]
            if language is not None:
                wishes = (*wishes, engine.SkillWish(engine.Skill(language), rules.language_wish_s))
        left_alone = excluded.get(row.id)
        work.append(
            engine.Work(
                conversation_id=row.id,
                queue_id=row.queue_id,
                weight=engine.WEIGHTS[_KIND[row.kind]],
                queued_since=row.queued_since,
                priority=row.priority,
                excluded=frozenset(left_alone) if left_alone else frozenset(),
                kind=_KIND[row.kind],
                tier_priority=row.tier * TIER_PRIORITY,
                required=required_of(rules.required, row.required, row.lowered, particular.names),
                wishes=wishes,
                pinned_agent_id=row.pinned_agent_id,
                exclusion_ends=min(left_alone.values()) if left_alone else None,
            )
        )
    return work


# In the words of the partial index ix_offer_misses, so that it is used.
_MISSED = text("offer.outcome IN ('declined', 'no_answer', 'setup_failed')")


def _load_exclusions(tx: Tx, queues: Mapping[int, QueueRules]) -> dict[int, dict[int, datetime]]:
    """Conversation → the agents who declined or missed it lately → until when they are left alone with it."""
    longest = max((rules.exclusion_s for rules in queues.values()), default=0)
    missed = (
        select(_o.conversation_id, _o.agent_id, _o.queue_id, _o.ended_at)
        .join(tables.conversation, _c.id == _o.conversation_id)
        .where(_c.queued_since.is_not(None))
    )
    found: dict[int, dict[int, datetime]] = {}
    for row in tx.rows(missed.where(_MISSED, _o.ended_at > tx.now - timedelta(seconds=longest))):
        end = row.ended_at + timedelta(seconds=queues[row.queue_id].exclusion_s)
        if end > tx.now:
            theirs = found.setdefault(row.conversation_id, {})
            theirs[row.agent_id] = max(end, theirs.get(row.agent_id, end))
    return found


def _load_last_agents(
    tx: Tx, customer_ids: Sequence[int], queues: Collection[QueueRules]
) -> dict[int, tuple[int, datetime]]:
    """Customer → who held a conversation of theirs last, and neither gave it away nor had it taken from them; and
    when that ended (now, if it has not)."""
    days = max((rules.last_agent_days or 0 for rules in queues), default=0)
    since = tx.now - timedelta(days=days)
    found: dict[int, tuple[int, datetime]] = {}
    for start in range(0, len(customer_ids), _IDS_LIMIT):
        held = (
            select(_c.customer_id, _as.agent_id, _as.ended_at)
            .join(tables.conversation, _c.id == _as.conversation_id)
            .where(
                _c.customer_id.in_(customer_ids[start : start + _IDS_LIMIT]),
                _as.ended_at.is_(None) | (_as.ended_at >= since),
                _as.end_reason.is_(None) | _as.end_reason.not_in(("transferred", "released", "taken")),
            )
            .order_by(_as.assigned_at, _as.id)
        )
        for row in tx.rows(held):
            found[row.customer_id] = (row.agent_id, row.ended_at or tx.now)
    return found


# So many ids stand in one query: SQLite takes 32,766 parameters (its limits page, 3.32 and later), PostgreSQL 32,767.
_IDS_LIMIT = 10_000
