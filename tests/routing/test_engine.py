"""The pure engine: who is offered what, and what can never happen."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.states import AgentState
from hub.routing.engine import Agent, Decision, Queue, Snapshot, Work, order_of_work, route

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def work(conversation_id: int, waited_s: float = 0, **values: object) -> Work:
    made: dict[str, object] = {"queue_id": 1, "weight": 20, "queued_since": NOW - timedelta(seconds=waited_s)}
    return Work(conversation_id=conversation_id, **(made | values))  # type: ignore[arg-type]


def agent(user_id: int, idle_s: float = 0, **values: object) -> Agent:
    made: dict[str, object] = {
        "state": AgentState.AVAILABLE,
        "is_connected": True,
        "capacity": 100,
        "load": 0,
        "idle_since": NOW - timedelta(seconds=idle_s),
        "queue_ids": frozenset({1}),
    }
    return Agent(user_id=user_id, **(made | values))  # type: ignore[arg-type]


def decide(works: list[Work], agents: list[Agent], max_wait_s: float = 3600) -> list[tuple[int, int]]:
    snapshot = Snapshot(works, agents, [Queue(1, max_wait_s), Queue(2, max_wait_s)])
    return [(decision.conversation_id, decision.agent_id) for decision in route(snapshot, NOW)]


def test_the_longest_idle_agent_gets_the_oldest_work() -> None:
    assert decide([work(1, 10), work(2, 60)], [agent(7, 5), agent(8, 50)]) == [(2, 8), (1, 7)]


def test_the_least_loaded_agent_comes_before_the_longest_idle() -> None:
    assert decide([work(1)], [agent(7, 500, load=20), agent(8, 5)]) == [(1, 8)]


def test_nobody_gets_work_above_capacity() -> None:
    assert decide([work(1, weight=25)], [agent(7, load=80)]) == []


def test_an_agent_who_declined_is_left_alone_and_the_next_one_rings() -> None:
    assert decide([work(1, excluded=frozenset({7}))], [agent(7, 100), agent(8, 5)]) == [(1, 8)]


def test_a_member_of_another_queue_is_no_candidate() -> None:
    assert decide([work(1)], [agent(7, queue_ids=frozenset({2}))]) == []


def test_an_agent_has_one_ringing_offer_at_a_time() -> None:
    assert decide([work(1), work(2)], [agent(7)]) == [(1, 7)]
    assert decide([work(1)], [agent(7, is_ringing=True)]) == []


def test_only_available_and_connected_agents_are_offered_work() -> None:
    assert decide([work(1)], [agent(7, state=AgentState.AWAY), agent(8, is_connected=False)]) == []


def test_a_point_of_priority_counts_as_a_minute_of_waiting() -> None:
    assert decide([work(1, 61), work(2, 0, priority=1)], [agent(7)]) == [(1, 7)]
    assert decide([work(1, 59), work(2, 0, priority=1)], [agent(7)]) == [(2, 7)]


def test_nothing_overtakes_work_that_has_waited_too_long() -> None:
    assert decide([work(1, 3601), work(2, 10, priority=1000)], [agent(7)]) == [(1, 7)]


def test_work_for_a_full_queue_does_not_hold_up_another_queue() -> None:
    assert decide([work(1, 100), work(2, 1, queue_id=2)], [agent(7, queue_ids=frozenset({2}))]) == [(2, 7)]


def test_the_record_says_why() -> None:
    (decision,) = route(Snapshot([work(1, 30)], [agent(7, 5), agent(8, 1, state=AgentState.BUSY)], [Queue(1, 60)]), NOW)
    assert decision.why["waited_s"] == 30
    assert decision.why["candidates"] == 1
    assert decision.why["not_free_busy"] == 1


WORKS = st.lists(
    st.builds(
        work,
        st.integers(1, 40),
        st.floats(0, 10_000),
        queue_id=st.integers(1, 2),
        weight=st.sampled_from([10, 20, 25, 100]),
        priority=st.integers(0, 60),
        excluded=st.frozensets(st.integers(1, 8), max_size=3),
    ),
    unique_by=lambda item: item.conversation_id,
)
AGENTS = st.lists(
    st.builds(
        agent,
        st.integers(1, 8),
        st.floats(0, 1000),
        state=st.sampled_from(AgentState),
        is_connected=st.booleans(),
        capacity=st.integers(0, 120),
        load=st.integers(0, 120),
        queue_ids=st.frozensets(st.integers(1, 2)),
        is_ringing=st.booleans(),
    ),
    unique_by=lambda item: item.user_id,
)


@given(WORKS, AGENTS, st.randoms(use_true_random=False))
def test_decisions_keep_the_rules_whatever_the_snapshot(works: list[Work], agents: list[Agent], chance: object) -> None:
    snapshot = Snapshot(works, agents, [Queue(1, 3600), Queue(2, 600)])
    decisions = route(snapshot, NOW)
    by_agent = {item.user_id: item for item in agents}
    by_work = {item.conversation_id: item for item in works}
    assert len({decision.conversation_id for decision in decisions}) == len(decisions)
    assert len({decision.agent_id for decision in decisions}) == len(decisions)
    for decision in decisions:
        chosen, item = by_agent[decision.agent_id], by_work[decision.conversation_id]
        assert chosen.state is AgentState.AVAILABLE
        assert chosen.is_connected
        assert not chosen.is_ringing
        assert chosen.load + item.weight <= chosen.capacity
        assert item.queue_id in chosen.queue_ids
        assert chosen.user_id not in item.excluded

    def shuffled(items: list[Work] | list[Agent]) -> list[object]:
        mixed = list(items)
        chance.shuffle(mixed)  # type: ignore[attr-defined]
        return mixed

    again: list[Decision] = route(Snapshot(shuffled(works), shuffled(agents), snapshot.queues), NOW)  # type: ignore[arg-type]
    assert again == decisions


@given(WORKS, AGENTS)
def test_no_free_agent_is_left_beside_work_that_fits(works: list[Work], agents: list[Agent]) -> None:
    decisions = route(Snapshot(works, agents, [Queue(1, 3600), Queue(2, 600)]), NOW)
    taken = {decision.agent_id for decision in decisions}
    offered = {decision.conversation_id for decision in decisions}
    for item in works:
        for candidate in agents:
            fits = (
                candidate.state is AgentState.AVAILABLE
                and candidate.is_connected
                and not candidate.is_ringing
                and candidate.user_id not in taken | item.excluded
                and item.queue_id in candidate.queue_ids
                and candidate.load + item.weight <= candidate.capacity
            )
            assert not (fits and item.conversation_id not in offered)


@given(WORKS)
def test_overdue_work_comes_first_and_oldest_first(works: list[Work]) -> None:
    bound = {1: 3600.0, 2: 600.0}
    ordered = order_of_work(works, bound, NOW)
    waits = [(NOW - item.queued_since).total_seconds() for item in ordered]
    overdue = [wait >= bound[item.queue_id] for item, wait in zip(ordered, waits, strict=True)]
    assert overdue == sorted(overdue, reverse=True)
    first = waits[: sum(overdue)]
    assert first == sorted(first, reverse=True)
