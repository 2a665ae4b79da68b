"""A discrete-event simulation of a floor that is routed by the real engine: what would the waits be, and who would be busy?

Events (somebody arrives, hangs up, is done with, time changes a rule) stand on a heap; after each one `engine.route` is asked
with the floor as it is, exactly as the dispatcher asks it, and its decisions are carried out at once: an offer is accepted
in no time. Nothing else decides anything here.

Everything random comes from generators that are seeded by the scenario's seed, the replication and the stream of arrivals:
the same customers, with the same patience and the same requests, come under every policy that is compared (common random
numbers), and the same scenario gives the same figures on every machine.

A replication ends its arrivals after `hours` and then serves or loses whoever still waits. Who arrived during the warm-up is
not counted. Replications are independent, so an interval of confidence is Student's, over their figures; percentiles are
taken over all waits together, never averaged.

What each contact would have been told on its arrival (routing.waiting, from the simulated past alone) is held against what it
then waited. Overflow by estimated wait looks at the same estimate, for whoever joins now.

Service level is the first formula of metrics.md: answered within T ÷ (offered - abandoned within 5 s). Waits are of those who
were answered; `mean_wait_all_s` is of everybody, as theory has it. Occupancy is the share of an agent's time with any work.
"""

from __future__ import annotations

import heapq
import math
import random
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import fmean, stdev

from hub.domain.calls import SHORT_ABANDON_S
from hub.domain.states import AgentState
from hub.domain.values import ChannelKind
from hub.routing import engine, waiting
from hub.routing.scenario import ArrivalsPart, Duration, Scenario

# The engine wants instants; which ones does not matter.
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# Student's t, 97.5 %, for 1 to 30 degrees of freedom (any table); beyond, the normal quantile and its first correction.
_STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_NORMAL = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over replications and half the width of its 95 % interval; None if there was nothing to measure (no
    contact), `half` None if there was only one replication."""

    mean: float | None
    half: float | None

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Estimate:
        known = [value for value in values if value is not None]
        if not known:
            return cls(None, None)
        if len(known) == 1:
            return cls(known[0], None)
        return cls(fmean(known), student(len(known) - 1) * stdev(known) / math.sqrt(len(known)))


def student(degrees: int) -> float:
    """The 97.5 % quantile of Student's t."""
    if degrees <= len(_STUDENT):
        return _STUDENT[degrees - 1]
    return _NORMAL + (_NORMAL**3 + _NORMAL) / (4 * degrees)


@dataclass(slots=True)
class QueueTally:
    """What one replication counts for one queue."""

    offered: int = 0
    answered: int = 0
    answered_in_time: int = 0
    abandoned: int = 0
    abandoned_short: int = 0
    # Served though somebody older waited in the same queue.
    overtakes: int = 0
    waits: array[float] = field(default_factory=lambda: array("d"))
    wait_all_s: float = 0.0
    # Of those who had to wait and were answered: what they were told on arrival, and what they waited.
    told: array[float] = field(default_factory=lambda: array("d"))
    told_waited: array[float] = field(default_factory=lambda: array("d"))

    @property
    def estimate_error_s(self) -> float | None:
        """The mean of the absolute error of what was told."""
        pairs = zip(self.told, self.told_waited, strict=True)
        return fmean(abs(told - waited) for told, waited in pairs) if self.told else None

    @property
    def service_level(self) -> float | None:
        counted = self.offered - self.abandoned_short
        return self.answered_in_time / counted if counted else None

    @property
    def abandonment(self) -> float | None:
        return self.abandoned / self.offered if self.offered else None

    @property
    def mean_wait_s(self) -> float | None:
        return fmean(self.waits) if self.waits else None

    @property
    def mean_wait_all_s(self) -> float | None:
        return self.wait_all_s / self.offered if self.offered else None


@dataclass(frozen=True, slots=True)
class QueueFigures:
    name: str
    offered: int
    service_level: Estimate
    mean_wait_s: Estimate
    mean_wait_all_s: Estimate
    abandonment: Estimate
    median_wait_s: float | None
    p90_wait_s: float | None
    longest_wait_s: float | None
    overtakes_share: float | None
    # Of those who had to wait: the mean of what they were told and of what they waited, and of the absolute difference.
    told_mean_s: Estimate = Estimate(None, None)
    told_waited_mean_s: Estimate = Estimate(None, None)
    estimate_error_s: Estimate = Estimate(None, None)


@dataclass(frozen=True, slots=True)
class StaffFigures:
    """`spread`: the busiest agent's occupancy less the idlest's, within one replication."""

    name: str
    count: int
    occupancy: Estimate
    spread: Estimate


@dataclass(frozen=True, slots=True)
class Figures:
    policy: str
    service_level_s: float
    replications: int
    queues: tuple[QueueFigures, ...]
    staff: tuple[StaffFigures, ...]
    # All waits of those who were answered, in order, queue by queue.
    waits: tuple[array[float], ...]


def simulate(scenario: Scenario, policy: str = "as written") -> Figures:
    """All replications of a scenario (checked before: scenario.check_scenario)."""
    runs = [_Floor(scenario, number).run() for number in range(scenario.replications)]
    queues = []
    waits = []
    for index, queue in enumerate(scenario.queues):
        tallies = [run.tallies[index] for run in runs]
        pooled = array("d", sorted(wait for tally in tallies for wait in tally.waits))
        waits.append(pooled)
        queues.append(
            QueueFigures(
                name=queue.name,
                offered=sum(tally.offered for tally in tallies),
                service_level=Estimate.of([tally.service_level for tally in tallies]),
                mean_wait_s=Estimate.of([tally.mean_wait_s for tally in tallies]),
                mean_wait_all_s=Estimate.of([tally.mean_wait_all_s for tally in tallies]),
                abandonment=Estimate.of([tally.abandonment for tally in tallies]),
                median_wait_s=percentile(pooled, 0.5),
                p90_wait_s=percentile(pooled, 0.9),
                longest_wait_s=pooled[-1] if pooled else None,
                overtakes_share=sum(tally.overtakes for tally in tallies) / len(pooled) if pooled else None,
                told_mean_s=Estimate.of([fmean(tally.told) if tally.told else None for tally in tallies]),
                told_waited_mean_s=Estimate.of(
                    [fmean(tally.told_waited) if tally.told_waited else None for tally in tallies]
                ),
                estimate_error_s=Estimate.of([tally.estimate_error_s for tally in tallies]),
            )
        )
    staff = []
    for index, group in enumerate(scenario.staff):
        shares = [run.occupancy(index) for run in runs]
        staff.append(
            StaffFigures(
                group.name,
                group.count,
                Estimate.of([fmean(each) if each else None for each in shares]),
                Estimate.of([max(each) - min(each) if each else None for each in shares]),
            )
        )
    return Figures(policy, scenario.service_level_s, scenario.replications, tuple(queues), tuple(staff), tuple(waits))


class Moment(StrEnum):
    ARRIVED = "arrived"
    ANSWERED = "answered"
    LEFT = "left"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to one customer, `at_s` seconds from the beginning. `stream`: the place among the scenario's
    arrivals; `agent`: the seat, counted from 0 over all groups of staff, of who answered."""

    at_s: float
    moment: Moment
    contact: int
    stream: int
    agent: int | None = None


def happenings(scenario: Scenario, replication: int = 0) -> list[Happening]:
    """One replication told from its beginning to its end, warm-up and all, in the order in which it happened."""
    told: list[Happening] = []
    _Floor(scenario, replication, told.append).run()
    return told


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed (nearest rank)."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None


# --- one replication --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Seat:
    agent: engine.Agent
    group: int
    busy_since: float = 0.0
    busy_s: float = 0.0


@dataclass(slots=True)
class _Contact:
    work: engine.Work
    stream: int
    arrived_s: float
    handle_s: float
    told_s: float | None = None


@dataclass(slots=True)
class _Line:
    """A queue as its estimate sees it: who serves it, how it moved, how long its work takes."""

    queue_id: int
    servers: tuple[waiting.Server, ...]
    length: int = 0
    pace: waiting.Pace = field(default_factory=waiting.Pace)
    paced_s: float = 0.0
    handled_s: float = 0.0
    handled: int = 0

    def move(self, at_s: float, by: int) -> None:
        """Somebody joins or goes; so far it was as it stood."""
        self.pace = self.pace.after(at_s - self.paced_s, something_waited=self.length > 0)
        self.paced_s = at_s
        self.length += by

    def estimate_s(self, at_s: float, position: int, lengths: Mapping[int, int]) -> float | None:
        """For somebody at this position while nobody has room."""
        return waiting.estimate_wait_s(
            position,
            0,
            self.pace.after(at_s - self.paced_s, something_waited=self.length > 0),
            waiting.shared_slots(self.queue_id, self.servers, lengths),
            self.handled_s / self.handled if self.handled else None,
        )


_ARRIVAL, _DONE, _LEFT, _WAKE = range(4)


class _Floor:
    """The state of one replication. Times are seconds from its beginning."""

    def __init__(self, scenario: Scenario, replication: int, hear: Callable[[Happening], None] | None = None) -> None:
        self._scenario = scenario
        self._hear = hear
        self._end_s = scenario.hours * 3_600
        self._warm_s = scenario.warm_up_minutes * 60
        ids = {queue.name: number for number, queue in enumerate(scenario.queues)}
        self._queues = tuple(
            engine.Queue(
                id=number,
                max_wait_s=queue.max_wait_s,
                choice=queue.choice,
                overflow=tuple(
                    engine.Overflow(tuple(ids[name] for name in step.to), step.after_s, step.ewt_over_s)
                    for step in queue.overflow
                ),
                makes_room=queue.makes_room,
            )
            for number, queue in enumerate(scenario.queues)
        )
        self._streams = scenario.arrivals
        self._queue_ids = [ids[arrivals.queue] for arrivals in scenario.arrivals]
        self._required = [_skills(arrivals) for arrivals in scenario.arrivals]
        self._wishes = [_wishes(arrivals) for arrivals in scenario.arrivals]
        # Whether anything but an event can change a decision, and whether the engine must know who is at work at all.
        self._has_wishes = any(self._wishes)
        self._time_decides = self._has_wishes or any(queue.overflow for queue in self._queues)
        self._makes_room = any(queue.makes_room for queue in self._queues)
        self._looks_at_estimates = any(step.ewt_over_s is not None for queue in self._queues for step in queue.overflow)
        self._has_priorities = len({arrivals.priority for arrivals in scenario.arrivals}) > 1
        self._lines = [
            _Line(number, _servers(scenario, queue.name, ids)) for number, queue in enumerate(scenario.queues)
        ]
        self._chances = [random.Random(f"{scenario.seed}/{replication}/{n}") for n in range(len(scenario.arrivals))]
        self._seats: list[_Seat] = []
        for index, group in enumerate(scenario.staff):
            for _ in range(group.count):
                self._seats.append(
                    _Seat(
                        engine.Agent(
                            user_id=len(self._seats),
                            state=AgentState.AVAILABLE,
                            is_connected=True,
                            capacity=group.capacity,
                            load=0,
                            idle_since=_EPOCH,
                            queue_ids=frozenset(ids[name] for name in group.queues),
                            skills=group.skills,
                            ranks={ids[name]: rank for name, rank in group.ranks.items()},
                        ),
                        index,
                    )
                )
        self._free = {seat.agent.user_id for seat in self._seats}
        self._waiting: dict[int, _Contact] = {}
        self._events: list[tuple[float, int, int, int, int]] = []
        self._number = 0
        self._contacts = 0
        self._held: dict[int, tuple[_Contact, int, int]] = {}
        self._next_wake_s = math.inf
        self.tallies = [QueueTally() for _ in scenario.queues]

    def run(self) -> _Floor:
        arrivals = [self._arrivals(index) for index in range(len(self._streams))]
        for index, times in enumerate(arrivals):
            self._push(next(times, math.inf), _ARRIVAL, index, 0)
        while self._events:
            at_s, _, what, one, other = heapq.heappop(self._events)
            if at_s == math.inf:
                continue
            if what == _ARRIVAL:
                self._arrive(one, at_s)
                self._push(next(arrivals[one], math.inf), _ARRIVAL, one, 0)
                self._route(at_s)
                self._tell(self._contacts, at_s)
                continue
            elif what == _DONE:
                self._finish(one, other, at_s)
            elif what == _LEFT:
                if one not in self._waiting:
                    continue
                self._leave(one, at_s)
            elif self._next_wake_s == at_s:
                self._next_wake_s = math.inf
            self._route(at_s)
        for seat in self._seats:
            if seat.agent.load > 0:
                self._count_busy(seat, self._end_s)
        return self

    def occupancy(self, group: int) -> list[float]:
        """Of each agent of the group: the share of the counted time with any work."""
        counted_s = self._end_s - self._warm_s
        return [seat.busy_s / counted_s for seat in self._seats if seat.group == group]

    def _push(self, at_s: float, what: int, one: int, other: int) -> None:
        self._number += 1
        heapq.heappush(self._events, (at_s, self._number, what, one, other))

    def _arrivals(self, index: int) -> Iterator[float]:
        """Poisson arrivals; by a profile, by thinning (Lewis and Shedler 1979)."""
        stream, chance = self._streams[index], random.Random(self._chances[index].random())
        profile = [(hour * 3_600, rate / 3_600) for hour, rate in stream.profile] or [
            (0.0, (stream.per_hour or 0) / 3_600)
        ]
        most = max(rate for _, rate in profile)
        at_s = 0.0
        while True:
            at_s += chance.expovariate(most)
            if at_s >= self._end_s:
                return
            rate = next(rate for begins_s, rate in reversed(profile) if begins_s <= at_s)
            if rate == most or chance.random() * most < rate:
                yield at_s

    def _arrive(self, index: int, at_s: float) -> None:
        stream, chance = self._streams[index], self._chances[index]
        self._contacts += 1
        contact_id = self._contacts
        work = engine.Work(
            conversation_id=contact_id,
            queue_id=self._queue_ids[index],
            weight=stream.units,
            kind=stream.kind,
            queued_since=_EPOCH + timedelta(seconds=at_s),
            priority=stream.priority,
            required=self._required[index],
            wishes=self._wishes[index],
        )
        self._waiting[contact_id] = _Contact(work, index, at_s, _draw(stream.handle, chance))
        self._lines[work.queue_id].move(at_s, 1)
        self._say(at_s, Moment.ARRIVED, contact_id, index)
        if stream.patience is not None:
            self._push(at_s + _draw(stream.patience, chance), _LEFT, contact_id, 0)
        if at_s >= self._warm_s:
            self.tallies[work.queue_id].offered += 1

    def _tell(self, contact_id: int, at_s: float) -> None:
        """Foretells the wait of somebody who has just come, unless they were served at once."""
        contact = self._waiting.get(contact_id)
        if contact is None or contact.arrived_s < self._warm_s:
            return
        line = self._lines[contact.work.queue_id]
        position = line.length
        if self._has_priorities:
            now = contact.work.queued_since
            mine = engine.score_s(contact.work, now)
            theirs = (each.work for each in self._waiting.values() if each.work.queue_id == contact.work.queue_id)
            position = sum(engine.score_s(work, now) >= mine for work in theirs)
        contact.told_s = line.estimate_s(at_s, position, self._lengths())

    def _say(self, at_s: float, moment: Moment, contact: int, stream: int, agent: int | None = None) -> None:
        if self._hear is not None:
            self._hear(Happening(at_s, moment, contact, stream, agent))

    def _lengths(self) -> dict[int, int]:
        return {line.queue_id: line.length for line in self._lines}

    def _leave(self, contact_id: int, at_s: float) -> None:
        contact = self._waiting.pop(contact_id)
        self._lines[contact.work.queue_id].move(at_s, -1)
        self._say(at_s, Moment.LEFT, contact_id, contact.stream)
        if contact.arrived_s < self._warm_s:
            return
        tally = self.tallies[contact.work.queue_id]
        waited_s = at_s - contact.arrived_s
        tally.abandoned += 1
        tally.wait_all_s += waited_s
        if waited_s < SHORT_ABANDON_S:
            tally.abandoned_short += 1

    def _finish(self, contact_id: int, seat_id: int, at_s: float) -> None:
        contact, _, weight = self._held.pop(contact_id)
        line = self._lines[contact.work.queue_id]
        line.handled += 1
        line.handled_s += contact.handle_s
        self._say(at_s, Moment.DONE, contact_id, contact.stream, seat_id)
        self._load(self._seats[seat_id], contact.work.kind, -weight, at_s)

    def _route(self, at_s: float) -> None:
        if not self._waiting or not self._free:
            return
        now = _EPOCH + timedelta(seconds=at_s)
        snapshot = self._snapshot(at_s)
        # An offer is accepted at once, so whoever got one may be offered more.
        while decisions := engine.route(snapshot, now):
            for decision in decisions:
                self._answer(decision, at_s)
            if not self._waiting or not self._free:
                return
            snapshot = self._snapshot(at_s)
        if self._time_decides:
            change = engine.next_change(snapshot, now)
            if change is not None:
                wake_s = max((change - _EPOCH).total_seconds(), at_s + 1e-6)
                if wake_s < self._next_wake_s:
                    self._next_wake_s = wake_s
                    self._push(wake_s, _WAKE, 0, 0)

    def _snapshot(self, at_s: float) -> engine.Snapshot:
        # Who is busy matters where wishes ask who is at work, or room is made for the overdue; else it only costs time.
        if self._has_wishes or self._makes_room:
            agents = [seat.agent for seat in self._seats]
        else:
            agents = [self._seats[number].agent for number in self._free]
        queues: Sequence[engine.Queue] = self._queues
        if self._looks_at_estimates:
            lengths = self._lengths()
            queues = [
                replace(queue, ewt_s=line.estimate_s(at_s, line.length + 1, lengths))
                for queue, line in zip(queues, self._lines, strict=True)
            ]
        work = [contact.work for contact in self._waiting.values()]
        return engine.Snapshot(work, agents, queues, engine.USUAL_RULES)

    def _answer(self, decision: engine.Decision, at_s: float) -> None:
        contact = self._waiting.pop(decision.conversation_id)
        self._held[decision.conversation_id] = (contact, decision.agent_id, decision.weight)
        self._load(self._seats[decision.agent_id], contact.work.kind, decision.weight, at_s)
        self._push(at_s + contact.handle_s, _DONE, decision.conversation_id, decision.agent_id)
        line = self._lines[contact.work.queue_id]
        line.move(at_s, -1)
        self._say(at_s, Moment.ANSWERED, decision.conversation_id, contact.stream, decision.agent_id)
        if at_s - contact.arrived_s >= waiting.MUST_WAIT_S:
            line.pace = line.pace.departed()
        if contact.arrived_s < self._warm_s:
            return
        tally = self.tallies[contact.work.queue_id]
        waited_s = at_s - contact.arrived_s
        tally.answered += 1
        tally.waits.append(waited_s)
        tally.wait_all_s += waited_s
        if contact.told_s is not None:
            tally.told.append(contact.told_s)
            tally.told_waited.append(waited_s)
        if waited_s <= self._scenario.service_level_s:
            tally.answered_in_time += 1
        # The waiting are in the order of their arrival.
        eldest = next((each for each in self._waiting.values() if each.work.queue_id == contact.work.queue_id), None)
        if eldest is not None and eldest.arrived_s < contact.arrived_s:
            tally.overtakes += 1

    def _load(self, seat: _Seat, kind: ChannelKind | None, weight: int, at_s: float) -> None:
        before = seat.agent
        load = before.load + weight
        held = dict(before.held)
        if kind is not None:
            held[kind] = held.get(kind, 0) + weight
            if not held[kind]:
                del held[kind]
        if before.load == 0:
            seat.busy_since = at_s
        elif load == 0:
            self._count_busy(seat, at_s)
        seat.agent = engine.Agent(
            before.user_id,
            before.state,
            True,
            before.capacity,
            load,
            before.idle_since if weight > 0 else _EPOCH + timedelta(seconds=at_s),
            before.queue_ids,
            False,
            before.skills,
            held,
            before.weights,
            before.ranks,
        )
        # Some work gives way to other work, so an agent may have room above their budget.
        if load < before.capacity or not _YIELDING.isdisjoint(held):
            self._free.add(before.user_id)
        else:
            self._free.discard(before.user_id)

    def _count_busy(self, seat: _Seat, at_s: float) -> None:
        seat.busy_s += max(0.0, min(at_s, self._end_s) - max(seat.busy_since, self._warm_s))


_YIELDING = frozenset(kind for kinds in engine.USUAL_RULES.interrupts.values() for kind in kinds)


def _servers(scenario: Scenario, name: str, ids: Mapping[str, int]) -> tuple[waiting.Server, ...]:
    """Who serves a queue: the groups in it that have the skills for some of its work, with room for pieces of the mean
    weight."""
    streams = [arrivals for arrivals in scenario.arrivals if arrivals.queue == name]
    units = fmean([stream.units for stream in streams]) if streams else 100.0

    def is_able(skills: Mapping[str, int]) -> bool:
        return any(all(skills.get(skill, 0) >= level for skill, level in stream.skills.items()) for stream in streams)

    return tuple(
        waiting.Server(frozenset(ids[each] for each in group.queues), group.capacity // units, group.count)
        for group in scenario.staff
        if name in group.queues and is_able(group.skills)
    )


def _draw(duration: Duration, chance: random.Random) -> float:
    if duration.shape == "exponential":
        return chance.expovariate(1 / duration.mean_s)
    if duration.shape == "fixed":
        return duration.mean_s
    sigma_squared = math.log(1 + duration.cv**2)
    return chance.lognormvariate(math.log(duration.mean_s) - sigma_squared / 2, math.sqrt(sigma_squared))


def _skills(arrivals: ArrivalsPart) -> tuple[engine.Skill, ...]:
    return tuple(engine.Skill(name, level) for name, level in sorted(arrivals.skills.items()))


def _wishes(arrivals: ArrivalsPart) -> tuple[engine.Wish, ...]:
    return tuple(engine.SkillWish(engine.Skill(wish.skill, wish.level), wish.until_s) for wish in arrivals.wishes)
