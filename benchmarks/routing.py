"""The routing engine alone, then the dispatcher with its tables (routing_floor.py): one round over a busy floor. 500 agents,
50 skills, 20 queues, 10,000 pieces of work waiting.

Every round is a snapshot of its own making (seeded), as the dispatcher would load it: each agent is a member of five
queues and has five skills; each piece of work requires one skill in five of ten cases, two in one of ten, and wishes a
language in three of ten; one queue in two overflows into another; one piece in fifty has an agent who declined it. What
varies is how many agents are free: few is the usual (who waits does so because nobody is free), 100 is a floor that comes
back from lunch at once. Time is processor time of the thread, so that a busy machine does not count.

The floor is what any engine must do at least: look at every piece of work once and find the oldest.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import thread_time

from benchmarks import routing_floor
from benchmarks.report import Plan, Result, Target, median, percentile
from hub.domain.states import AgentState
from hub.domain.values import ChannelKind
from hub.routing.engine import (
    WEIGHTS,
    Agent,
    Overflow,
    Queue,
    Skill,
    SkillWish,
    Snapshot,
    Work,
    explain,
    find_unservable,
    next_change,
    route,
)

_NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
_AGENTS, _SKILLS, _QUEUES, _WAITING = 500, 50, 20, 10_000
_KINDS = (ChannelKind.CHAT, ChannelKind.SMS, ChannelKind.EMAIL, ChannelKind.PHONE)
_LANGUAGES = ("language:hy", "language:ka", "language:ru", "language:en")
_FREE = (0, 1, 5, 20, 100)
_ROUNDS = 100
# design.md and issue 4: a round of the engine alone, when few are free, and when a hundred are.
_USUAL_MS, _CROWD_MS = 20.0, 60.0
# The same of "agent free → offer committed".
_COMMITTED_MS = 100.0


def make_snapshot(seed: int, free: int) -> Snapshot:
    """A busy floor on which `free` agents have room for anything."""
    chance = random.Random(seed)
    queues = [
        Queue(
            number,
            max_wait_s=3_600,
            overflow=(Overflow((number % _QUEUES + 1,), after_s=600),) if number % 2 else (),
        )
        for number in range(1, _QUEUES + 1)
    ]
    agents = [
        Agent(
            user_id=number,
            state=AgentState.AVAILABLE,
            is_connected=True,
            capacity=100,
            load=0 if number <= free else 100,
            idle_since=_NOW - timedelta(seconds=chance.uniform(0, 600)),
            queue_ids=frozenset(chance.sample(range(1, _QUEUES + 1), 5)),
            skills={f"skill {n}": chance.randint(1, 5) for n in chance.sample(range(_SKILLS), 5)}
            | {language: chance.randint(1, 5) for language in chance.sample(_LANGUAGES, 2)},
        )
        for number in range(1, _AGENTS + 1)
    ]
    return Snapshot([_make_work(chance, number) for number in range(1, _WAITING + 1)], agents, queues)


def _make_work(chance: random.Random, number: int) -> Work:
    kind = chance.choice(_KINDS)
    needs = chance.choices((0, 1, 2), (4, 5, 1))[0]
    wishes = (SkillWish(Skill(chance.choice(_LANGUAGES), 2), 120.0),) if chance.random() < 0.3 else ()
    return Work(
        conversation_id=number,
        queue_id=chance.randint(1, _QUEUES),
        weight=WEIGHTS[kind],
        kind=kind,
        queued_since=_NOW - timedelta(seconds=chance.uniform(0, 4_000)),
        priority=chance.choice((0, 0, 0, 5, 30)),
        required=tuple(Skill(f"skill {n}", chance.randint(1, 3)) for n in chance.sample(range(_SKILLS), needs)),
        wishes=wishes,
        excluded=frozenset({chance.randint(1, _AGENTS)}) if chance.random() < 0.02 else frozenset(),
    )


def run(plan: Plan) -> Result:
    result = Result(
        "routing",
        "one round of the pure engine, milliseconds of processor time; of the dispatcher from the call to the commit",
    )
    rounds = 10 if plan.quick else _ROUNDS
    floor_ms = median(_times(_least, [make_snapshot(0, 0)] * 5, rounds // 5))
    usual = crowd = 0.0
    for free in _FREE:
        snapshots = [make_snapshot(seed, free) for seed in range(3 if plan.quick else 10)]
        times = sorted(_times(lambda each: route(each, _NOW), snapshots, max(rounds // len(snapshots), 1)))
        offers = median([len(route(each, _NOW)) for each in snapshots])
        p50, p99 = median(times), percentile(times, 0.99)
        if free <= 5:
            usual = max(usual, p99)
        crowd = max(crowd, p99)
        result.rows.append(
            {
                "what": "engine",
                "free_agents": free,
                "offers": round(offers),
                "p50_ms": round(p50, 2),
                "p99_ms": round(p99, 2),
                "decisions_per_s": round(offers / p50 * 1_000),
                "of_the_floor": round(p50 / floor_ms, 1),
            }
        )
    for measured in routing_floor.measure(plan):
        figures = measured.row()
        row = {
            "what": measured.database,
            "free_agents": 1,
            "offers": round(measured.offers / len(measured.with_offers)),
            **figures,
            "of_the_floor": None,
        }
        result.rows.append(row)
        empty = sorted(measured.without)
        told = f"p50 {median(empty):.1f} ms, p99 {percentile(empty, 0.99):.1f} ms"
        result.notes.append(f"a round of the dispatcher that finds nothing to offer, {measured.database}: {told}")
        worked = sorted(measured.worked)
        told = f"p50 {median(worked):.1f} ms, p99 {percentile(worked, 0.99):.1f} ms"
        result.notes.append(
            f"processor time of a round with an offer, without the database server's, {measured.database}: {told}"
        )
        together = sorted(measured.crowd)
        told = f"p50 {median(together):.1f} ms, longest {together[-1]:.1f} ms of {len(together)}"
        result.notes.append(f"a round in which 100 agents are free, {measured.database}: {told}")
        name = f"p99 from an agent who becomes free to the committed offer, {measured.database}"
        result.targets.append(Target(name, _COMMITTED_MS, figures["p99_ms"], "ms", is_ceiling=True))
    asked = make_snapshot(0, 20)
    others: dict[str, Callable[[Snapshot], object]] = {
        "explain": lambda each: explain(each, _NOW, _WAITING // 2),
        "next_change": lambda each: next_change(each, _NOW),
        "find_unservable": find_unservable,
    }
    for name, ask in others.items():
        result.notes.append(f"{name}: {median(_times(ask, [asked], max(rounds // 10, 3))):.1f} ms")
    result.notes.append(f"floor, every piece of work looked at once: {floor_ms:.2f} ms")
    result.targets.append(Target("p99 of a round with up to 5 agents free", _USUAL_MS, usual, "ms", is_ceiling=True))
    result.targets.append(Target("p99 of a round with 100 agents free", _CROWD_MS, crowd, "ms", is_ceiling=True))
    return result


def _least(snapshot: Snapshot) -> object:
    return min((item.queued_since, item.conversation_id) for item in snapshot.work)


def _times(act: Callable[[Snapshot], object], snapshots: list[Snapshot], times: int) -> list[float]:
    """Milliseconds of this thread for each call."""
    taken = []
    act(snapshots[0])
    gc.collect()
    gc.freeze()  # ten snapshots at once are the benchmark's, not the hub's: the collector is not charged for them
    for _ in range(times):
        for snapshot in snapshots:
            begun = thread_time()
            act(snapshot)
            taken.append((thread_time() - begun) * 1_000)
    gc.unfreeze()
    return taken
