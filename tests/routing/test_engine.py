"""The pure engine: who is offered what, and what can never happen."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.states import AgentState
from hub.domain.values import ChannelKind
from hub.errors import NotFound
from hub.routing.engine import (
    RULE_VERSION,
    Agent,
    AgentWish,
    Choice,
    Decision,
    Explanation,
    Overflow,
    Queue,
    Rules,
    Skill,
    SkillWish,
    Snapshot,
    Wish,
    Work,
    explain,
    find_unservable,
    next_change,
    order_of_work,
    overflow_faults,
    queues_of,
    route,
)

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


def decide_in(queues: list[Queue], works: list[Work], agents: list[Agent], **values: Rules) -> list[tuple[int, int]]:
    decisions = route(Snapshot(works, agents, queues, **values), NOW)
    return [(decision.conversation_id, decision.agent_id) for decision in decisions]


def told(works: list[Work], agents: list[Agent], conversation_id: int = 1, *queues: Queue) -> Explanation:
    return explain(Snapshot(works, agents, queues or [Queue(1, 3600)]), NOW, conversation_id)


# --- skills and wishes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "expected"), [(2, []), (3, [(1, 7)]), (5, [(1, 7)])])
def test_a_required_skill_is_required_at_its_level(level: int, expected: list[tuple[int, int]]) -> None:
    needed = (Skill("billing", 3),)
    assert decide([work(1, required=needed)], [agent(7, skills={"billing": level})]) == expected


def test_every_required_skill_is_required() -> None:
    needed = (Skill("billing"), Skill("language:hy", 2))
    assert decide([work(1, required=needed)], [agent(7, skills={"billing": 5, "language:hy": 1})]) == []


ARMENIAN = SkillWish(Skill("language:hy", 2), until_s=60)


@pytest.mark.parametrize(("waited_s", "expected"), [(0, []), (59, []), (60, [(1, 7)])])
def test_a_wished_language_is_insisted_on_until_its_time_is_over(
    waited_s: float, expected: list[tuple[int, int]]
) -> None:
    busy_speaker = agent(8, skills={"language:hy": 5}, state=AgentState.BUSY)
    assert decide([work(1, waited_s, wishes=(ARMENIAN,))], [agent(7), busy_speaker]) == expected


def test_a_relaxed_wish_still_ranks() -> None:
    speaker = agent(8, 1, skills={"language:hy": 2}, load=40)
    assert decide([work(1, 600, wishes=(ARMENIAN,))], [agent(7, 900), speaker]) == [(1, 8)]


def test_a_wish_that_nobody_at_work_could_meet_is_not_waited_for() -> None:
    gone = agent(8, skills={"language:hy": 5}, state=AgentState.OFFLINE)
    assert decide([work(1, wishes=(ARMENIAN,))], [agent(7), gone]) == [(1, 7)]


def test_the_last_agent_is_waited_for_while_at_work() -> None:
    wish = (AgentWish(8, until_s=30),)
    assert decide([work(1, 29, wishes=wish)], [agent(7), agent(8, load=100)]) == []
    assert decide([work(1, 31, wishes=wish)], [agent(7), agent(8, load=100)]) == [(1, 7)]
    assert decide([work(1, 0, wishes=wish)], [agent(7), agent(8, state=AgentState.AWAY)]) == [(1, 7)]


def test_wishes_relax_one_after_the_other() -> None:
    wishes = (ARMENIAN, SkillWish(Skill("billing"), until_s=120))
    both = agent(9, skills={"language:hy": 3, "billing": 3}, is_ringing=True)
    agents = [agent(7, skills={"billing": 1}), agent(8, skills={"language:hy": 3}), both]
    assert decide([work(1, 30, wishes=wishes)], agents) == []
    assert decide([work(1, 61, wishes=wishes)], agents) == [(1, 7)]


# --- room -------------------------------------------------------------------------------------------------------------------


def test_a_call_may_interrupt_mails_and_not_texts() -> None:
    call = work(1, weight=100, kind=ChannelKind.PHONE)
    assert decide([call], [agent(7, load=30, held={ChannelKind.EMAIL: 30})]) == [(1, 7)]
    assert decide([call], [agent(7, load=20, held={ChannelKind.SMS: 20})]) == []
    held = agent(7, load=30, held={ChannelKind.EMAIL: 30})
    assert decide_in([Queue(1, 60)], [call], [held], rules=Rules(interrupts={})) == []


@pytest.mark.parametrize(
    ("held", "kind", "is_offered"),
    [
        (ChannelKind.PHONE, ChannelKind.CHAT, False),
        (ChannelKind.PHONE, ChannelKind.PHONE, False),
        (ChannelKind.PHONE, ChannelKind.EMAIL, True),
        (ChannelKind.CHAT, ChannelKind.PHONE, False),
        (ChannelKind.CHAT, ChannelKind.CHAT, True),
    ],
)
def test_a_call_suffers_no_other_live_work_beside_it(held: ChannelKind, kind: ChannelKind, is_offered: bool) -> None:
    wide = agent(7, capacity=500, load=50, held={held: 50})
    assert bool(decide([work(1, weight=10, kind=kind)], [wide])) is is_offered


def test_what_a_kind_costs_may_differ_for_an_agent() -> None:
    trainee = agent(7, weights={ChannelKind.CHAT: 100})
    chat = work(1, weight=25, kind=ChannelKind.CHAT)
    assert [each.weight for each in route(Snapshot([chat], [trainee], []), NOW)] == [100]
    assert decide([chat], [agent(7, weights={ChannelKind.CHAT: 101})]) == []


# --- queues -----------------------------------------------------------------------------------------------------------------

WIDE = Queue(1, 3600, overflow=(Overflow((2,), after_s=60), Overflow((3, 2), ewt_over_s=300)))


@pytest.mark.parametrize(
    ("waited_s", "ewt_s", "expected"),
    [
        (0, None, (1,)),
        (60, None, (1, 2)),
        (0, 300.0, (1,)),
        (0, 301.0, (1, 3, 2)),
        (60, 301.0, (1, 2, 3)),
    ],
)
def test_overflow_opens_further_queues(waited_s: float, ewt_s: float | None, expected: tuple[int, ...]) -> None:
    queue = Queue(1, 3600, overflow=WIDE.overflow, ewt_s=ewt_s)
    assert queues_of(work(1, waited_s), queue, NOW) == expected


def test_overflown_work_goes_to_the_other_queues_agent_at_its_own_age() -> None:
    queues = [WIDE, Queue(2, 3600)]
    agents = [agent(7, queue_ids=frozenset({2}))]
    works = [work(1, 61), work(2, 50, queue_id=2)]
    (decision,) = route(Snapshot(works, agents, queues), NOW)
    assert (decision.conversation_id, decision.queue_id) == (1, 2)
    assert decide_in(queues, [work(1, 59), work(2, 50, queue_id=2)], agents) == [(2, 7)]


def test_an_agent_serves_the_queue_of_their_first_rank_first_and_a_queue_its_first_agents() -> None:
    backup = agent(7, 900, queue_ids=frozenset({1, 2}), ranks={2: 1})
    queues = [Queue(1, 3600), Queue(2, 3600)]
    assert decide_in(queues, [work(1, 5), work(2, 500, queue_id=2)], [backup]) == [(1, 7)]
    assert decide_in(queues, [work(2, 500, queue_id=2)], [backup, agent(8, queue_ids=frozenset({2}))]) == [(2, 8)]
    assert decide_in(queues, [work(1, 5), work(2, 3601, queue_id=2)], [backup]) == [(2, 7)]


@pytest.mark.parametrize(
    ("choice", "expected"), [(Choice.LEAST_LOADED, 8), (Choice.LONGEST_IDLE, 7), (Choice.BEST_SKILLED, 9)]
)
def test_each_queue_chooses_among_agents_in_its_own_way(choice: Choice, expected: int) -> None:
    agents = [
        agent(7, 900, load=40, skills={"billing": 2}),
        agent(8, 10, skills={"billing": 1}),
        agent(9, 20, load=60, skills={"billing": 5}),
    ]
    needed = (Skill("billing"),)
    assert decide_in([Queue(1, 60, choice)], [work(1, required=needed)], agents) == [(1, expected)]


@pytest.mark.parametrize(
    ("overflow", "words"),
    [
        ((Overflow((9,), after_s=1),), "does not exist"),
        ((Overflow((1,), after_s=1),), "itself"),
        ((Overflow((2,)),), "without a condition"),
        ((Overflow((2,), after_s=-1),), "negative"),
        ((Overflow((2,), after_s=1),), "circle"),
    ],
)
def test_an_overflow_that_cannot_be_meant_is_named(overflow: tuple[Overflow, ...], words: str) -> None:
    queues = [Queue(1, 60, overflow=overflow), Queue(2, 60, overflow=(Overflow((3,), after_s=1),))]
    faults = overflow_faults([*queues, Queue(3, 60, overflow=(Overflow((1,), after_s=1),))])
    assert words in faults[1]
    assert overflow_faults([WIDE, Queue(2, 60), Queue(3, 60)]) == {}


# --- pins and the bound -----------------------------------------------------------------------------------------------------


def test_a_pin_gives_the_turn_and_the_agent_and_overrides_queues_and_wishes() -> None:
    pinned = work(1, pinned_agent_id=8, queue_id=2, wishes=(AgentWish(7, 600),))
    assert decide([pinned, work(2, 4000)], [agent(7), agent(8)]) == [(1, 8), (2, 7)]
    assert decide([pinned], [agent(7, queue_ids=frozenset({2}))]) == []


@pytest.mark.parametrize(
    "values",
    [
        {"load": 90},
        {"state": AgentState.AWAY},
        {"is_connected": False},
        {"is_ringing": True},
        {"skills": {"billing": 1}},
    ],
)
def test_a_pin_does_not_override_what_the_engine_promises_everybody(values: dict[str, object]) -> None:
    ready: dict[str, object] = {"skills": {"billing": 2}}
    pinned = work(1, pinned_agent_id=8, required=(Skill("billing", 2),))
    assert decide([pinned], [agent(8, **ready)]) == [(1, 8)]  # type: ignore[arg-type]
    assert decide([pinned], [agent(8, **(ready | values))]) == []  # type: ignore[arg-type]


def test_agents_are_kept_from_small_work_until_they_have_room_for_overdue_work() -> None:
    call, text = work(1, 4000, weight=100, kind=ChannelKind.PHONE), work(2, 10)
    agents = [agent(7, load=20), agent(8, load=40)]
    assert decide([call, text], agents) == [(2, 7)]
    assert decide_in([Queue(1, 3600, makes_room=True)], [call, text], agents) == [(2, 8)]
    explanation = told([call, text], [agent(7, load=20)], 2, Queue(1, 3600, makes_room=True))
    assert explanation.filtered == {"kept_for_overdue": (7,)}


def test_nobody_is_kept_for_overdue_work_that_they_could_never_serve() -> None:
    chat, text = work(1, 4000, weight=25, kind=ChannelKind.CHAT), work(2, 10, weight=20)
    queues = [Queue(1, 3600, makes_room=True)]
    # Without a budget, and with one that is full: it is the second who is kept, and gets no further text meanwhile.
    assert decide_in(queues, [chat, text], [agent(7, capacity=0), agent(8, load=80)]) == []
    assert decide_in(queues, [chat, text], [agent(7, capacity=24), agent(8, load=75)]) == [(1, 8), (2, 7)]
    # A budget that is too small for everybody keeps nobody from what they can do.
    calls = [work(number, 4000, weight=100, kind=ChannelKind.PHONE) for number in (3, 4)]
    assert decide_in(queues, [*calls, text], [agent(7, capacity=60), agent(8, capacity=60)]) == [(2, 7)]


# --- why --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"state": AgentState.OFFLINE}, "offline"),
        ({"state": AgentState.BUSY}, "busy"),
        ({"state": AgentState.AWAY}, "away"),
        ({"state": AgentState.NOT_RESPONDING}, "not_responding"),
        ({"is_connected": False}, "disconnected"),
        ({"is_ringing": True}, "ringing"),
        ({"load": 90}, "full"),
        ({"capacity": 300, "load": 100, "held": {ChannelKind.PHONE: 100}}, "exclusive"),
        ({"queue_ids": frozenset({2})}, "not_a_member"),
        ({"skills": {"billing": 1, "language:hy": 5}}, "lacks_skill:billing<2"),
        ({"skills": {"billing": 5}}, "wish:language:hy<2"),
        ({"user_id": 6}, "excluded"),
    ],
)
def test_everybody_who_is_no_candidate_is_told_why(values: dict[str, object], word: str) -> None:
    ready: dict[str, object] = {"user_id": 7, "skills": {"billing": 3, "language:hy": 3}}
    chat = work(
        1,
        weight=25,
        kind=ChannelKind.CHAT,
        required=(Skill("billing", 2),),
        wishes=(ARMENIAN,),
        excluded=frozenset({6}),
    )
    good = agent(**(ready | {"user_id": 8}))  # type: ignore[arg-type]
    explanation = told([chat], [good, agent(**(ready | values))])  # type: ignore[arg-type]
    assert explanation.agent_id == 8
    assert [word for word in explanation.filtered if explanation.filtered[word]] == [word]
    assert explanation.insisted == ("wish:language:hy<2",)


def test_whom_more_urgent_work_had_is_told_too() -> None:
    explanation = told([work(1), work(2, 60)], [agent(7)])
    assert (explanation.agent_id, explanation.filtered) == (None, {"taken": (7,)})


def test_a_record_can_be_stored_and_carries_the_rules_version() -> None:
    record = told([work(1, 30, wishes=(AgentWish(7, 5),))], [agent(7, 5), agent(8, load=90)]).record()
    assert json.loads(json.dumps(record)) == record
    assert (record["rule_version"], record["relaxed"], record["filtered"]) == (
        RULE_VERSION,
        ["wish:last_agent"],
        {"full": [8]},
    )


def test_work_that_nobody_could_ever_be_offered_is_found() -> None:
    needed = (Skill("billing", 2),)
    able = agent(7, skills={"billing": 2}, state=AgentState.OFFLINE, queue_ids=frozenset({2}))
    works = [work(1, required=needed), work(2), work(3, weight=120), work(4, pinned_agent_id=99)]
    agents = [able, agent(8)]
    assert find_unservable(Snapshot(works, agents, [Queue(1, 60)])) == [1, 3, 4]
    assert told(works, agents).is_unservable
    opened = Queue(1, 60, overflow=(Overflow((2,), after_s=3600),))
    assert find_unservable(Snapshot(works, agents, [opened])) == [3, 4]


def test_work_that_does_not_wait_has_nothing_to_explain() -> None:
    with pytest.raises(NotFound):
        told([work(1)], [agent(7)], 2)


@pytest.mark.parametrize(
    ("values", "expected_s"),
    [
        ({}, 50),
        ({"wishes": (ARMENIAN,)}, 10),
        ({"wishes": (AgentWish(1, 40),)}, 50),
        ({"exclusion_ends": NOW + timedelta(seconds=5)}, 5),
        ({"exclusion_ends": NOW - timedelta(seconds=5)}, 50),
    ],
)
def test_the_next_change_is_the_first_thing_that_time_alone_does(values: dict[str, object], expected_s: float) -> None:
    queue = Queue(1, 200, overflow=(Overflow((2,), after_s=100), Overflow((3,), ewt_over_s=9)))
    assert next_change(Snapshot([work(1, 50, **values)], [], [queue]), NOW) == NOW + timedelta(seconds=expected_s)


def test_nothing_waits_for_nothing() -> None:
    assert next_change(Snapshot([], [], []), NOW) is None
    assert next_change(Snapshot([work(1, 4000)], [], [Queue(1, 3600)]), NOW) is None


# --- whatever the snapshot --------------------------------------------------------------------------------------------------

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


# --- the same with everything there is, against rules written a second time and slowly ---------------------------------

SKILLS = st.builds(Skill, st.sampled_from(["a", "b"]), st.integers(1, 3))
WISHES: st.SearchStrategy[Wish] = st.one_of(
    st.builds(SkillWish, SKILLS, st.sampled_from([0.0, 60.0, 5000.0])),
    st.builds(AgentWish, st.integers(1, 8), st.sampled_from([0.0, 60.0, 5000.0])),
)
KINDS = st.sampled_from([ChannelKind.PHONE, ChannelKind.CHAT, ChannelKind.SMS, ChannelKind.EMAIL])
FULL_WORKS = st.lists(
    st.builds(
        work,
        st.integers(1, 40),
        st.sampled_from([0.0, 10.0, 61.0, 300.0, 700.0, 4000.0, 4001.0]),
        queue_id=st.integers(1, 4),
        weight=st.sampled_from([10, 20, 25, 100]),
        kind=st.none() | KINDS,
        priority=st.sampled_from([-5, 0, 2, 600]),
        tier_priority=st.sampled_from([0, 10]),
        excluded=st.frozensets(st.integers(1, 8), max_size=2),
        required=st.lists(SKILLS, max_size=2).map(tuple),
        wishes=st.lists(WISHES, max_size=2).map(tuple),
        pinned_agent_id=st.sampled_from([None, None, None, None, 3]),
    ),
    unique_by=lambda item: item.conversation_id,
    max_size=12,
)
HELD = st.dictionaries(KINDS, st.sampled_from([10, 25, 100]), max_size=2)
FULL_AGENTS = st.lists(
    st.builds(
        lambda held, extra, **values: agent(held=held, load=sum(held.values()) + extra, **values),
        HELD,
        st.sampled_from([0, 0, 20]),
        user_id=st.integers(1, 8),
        idle_s=st.sampled_from([0.0, 5.0, 90.0]),
        state=st.sampled_from([*AgentState, *[AgentState.AVAILABLE] * 8]),
        is_connected=st.sampled_from([True, True, True, False]),
        capacity=st.sampled_from([0, 50, 100, 250]),
        queue_ids=st.frozensets(st.integers(1, 4)),
        is_ringing=st.sampled_from([False, False, False, True]),
        skills=st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 3)),
        weights=st.dictionaries(KINDS, st.sampled_from([5, 30]), max_size=1),
        ranks=st.dictionaries(st.integers(1, 4), st.integers(0, 2), max_size=2),
    ),
    unique_by=lambda item: item.user_id,
    max_size=8,
)
FULL_QUEUES = st.tuples(
    st.sampled_from(Choice),
    st.booleans(),
    st.sampled_from([(), (Overflow((2,), after_s=60.0), Overflow((3,), ewt_over_s=100.0))]),
).map(
    lambda given: [
        Queue(1, 3600, given[0], given[2], ewt_s=200.0, makes_room=given[1]),
        Queue(2, 600, given[0]),
        Queue(3, 3600),
    ]
)
SNAPSHOTS = st.builds(Snapshot, FULL_WORKS, FULL_AGENTS, FULL_QUEUES)


def open_queues(item: Work, snapshot: Snapshot) -> tuple[int, ...]:
    found = [queue for queue in snapshot.queues if queue.id == item.queue_id]
    return queues_of(item, found[0], NOW) if found else (item.queue_id,)


def is_allowed(item: Work, each: Agent, snapshot: Snapshot) -> bool:
    """Membership (or the pin), skills and exclusion: what does not depend on what the agent does now."""
    is_ours = (
        not each.queue_ids.isdisjoint(open_queues(item, snapshot))
        if item.pinned_agent_id is None
        else item.pinned_agent_id == each.user_id
    )
    skilled = all(each.skills.get(skill.name, 0) >= skill.level for skill in item.required)
    return is_ours and skilled and each.user_id not in item.excluded


def meets(wish: Wish, each: Agent) -> bool:
    return (
        each.skills.get(wish.skill.name, 0) >= wish.skill.level
        if isinstance(wish, SkillWish)
        else wish.agent_id == each.user_id
    )


def acceptable(item: Work, snapshot: Snapshot) -> list[Agent]:
    """Those who are allowed and meet the wishes that are still insisted on."""
    left = [each for each in snapshot.agents if is_allowed(item, each, snapshot)]
    waited_s = (NOW - item.queued_since).total_seconds()
    for wish in [wish for wish in item.wishes if waited_s < wish.until_s and item.pinned_agent_id is None]:
        meeting = [each for each in left if meets(wish, each)]
        at_work = [
            each for each in meeting if each.is_connected and each.state in (AgentState.AVAILABLE, AgentState.BUSY)
        ]
        left = meeting if at_work else left
    return left


def is_idle(each: Agent) -> bool:
    return each.state is AgentState.AVAILABLE and each.is_connected and not each.is_ringing


def has_space(item: Work, each: Agent) -> bool:
    live = {kind for kind in each.held if kind in (ChannelKind.PHONE, ChannelKind.CHAT)}
    apart = (item.kind is ChannelKind.CHAT and ChannelKind.PHONE in live) or (
        item.kind is ChannelKind.PHONE and bool(live)
    )
    load = each.load - (each.held.get(ChannelKind.EMAIL, 0) if item.kind is ChannelKind.PHONE else 0)
    weight = item.weight if item.kind is None else each.weights.get(item.kind, item.weight)
    return not apart and load + weight <= each.capacity and load < each.capacity


def could_serve(item: Work, each: Agent, snapshot: Snapshot) -> bool:
    return is_idle(each) and has_space(item, each) and each in acceptable(item, snapshot)


def is_overdue(item: Work, snapshot: Snapshot) -> bool:
    bound = {queue.id: queue.max_wait_s for queue in snapshot.queues}
    return (NOW - item.queued_since).total_seconds() >= bound.get(item.queue_id, float("inf"))


@given(SNAPSHOTS)
def test_nobody_is_offered_what_they_could_not_serve_and_nothing_twice(snapshot: Snapshot) -> None:
    works = {item.conversation_id: item for item in snapshot.work}
    agents = {each.user_id: each for each in snapshot.agents}
    decisions = route(snapshot, NOW)
    assert len({decision.agent_id for decision in decisions}) == len(decisions)
    assert len({decision.conversation_id for decision in decisions}) == len(decisions)
    for decision in decisions:
        item, chosen = works[decision.conversation_id], agents[decision.agent_id]
        assert could_serve(item, chosen, snapshot)
        through = {item.queue_id} if item.pinned_agent_id else chosen.queue_ids & {*open_queues(item, snapshot)}
        assert decision.queue_id in through


@given(SNAPSHOTS)
def test_nothing_overtakes_overdue_work_at_an_agent_who_could_serve_it(snapshot: Snapshot) -> None:
    works = {item.conversation_id: item for item in snapshot.work}
    agents = {each.user_id: each for each in snapshot.agents}
    decisions = route(snapshot, NOW)
    offered = {decision.conversation_id for decision in decisions}
    left = [item for item in snapshot.work if item.conversation_id not in offered and is_overdue(item, snapshot)]
    # A pin is a person's word, and may overtake.
    ours = [decision for decision in decisions if works[decision.conversation_id].pinned_agent_id is None]
    overtaken = [
        (overdue, decision)
        for overdue in left
        for decision in ours
        for item in (works[decision.conversation_id],)
        if (item.queued_since > overdue.queued_since or not is_overdue(item, snapshot))
        and could_serve(overdue, agents[decision.agent_id], snapshot)
    ]
    assert overtaken == []


@given(SNAPSHOTS)
def test_no_agent_is_left_idle_beside_work_they_could_serve(snapshot: Snapshot) -> None:
    plain = Snapshot(
        snapshot.work,
        snapshot.agents,
        [Queue(q.id, q.max_wait_s, q.choice, q.overflow, q.ewt_s) for q in snapshot.queues],
    )
    decisions = route(plain, NOW)
    taken = {decision.agent_id for decision in decisions}
    offered = {decision.conversation_id for decision in decisions}
    idle = [each for each in plain.agents if each.user_id not in taken]
    waiting = [item for item in plain.work if item.conversation_id not in offered]
    assert [(item, each) for item in waiting for each in idle if could_serve(item, each, plain)] == []


@given(SNAPSHOTS, st.randoms(use_true_random=False))
def test_the_order_of_the_lists_decides_nothing(snapshot: Snapshot, chance: object) -> None:
    def mixed(items: Sequence[object]) -> list[object]:
        shuffled = list(items)
        chance.shuffle(shuffled)  # type: ignore[attr-defined]
        return shuffled

    other = Snapshot(mixed(snapshot.work), mixed(snapshot.agents), mixed(snapshot.queues))  # type: ignore[arg-type]
    assert route(other, NOW) == route(snapshot, NOW)


@given(SNAPSHOTS)
def test_the_explanation_agrees_with_the_decision_and_has_a_word_for_everybody(snapshot: Snapshot) -> None:
    chosen = {decision.conversation_id: decision.agent_id for decision in route(snapshot, NOW)}
    for item in snapshot.work:
        explanation = explain(snapshot, NOW, item.conversation_id)
        assert explanation.agent_id == chosen.get(item.conversation_id)
        told_of = [user_id for ids in explanation.filtered.values() for user_id in ids]
        assert len(told_of) == len(set(told_of))
        assert len(told_of) + explanation.candidate_count == len(snapshot.agents)
        assert (explanation.candidate_count > 0) == (explanation.agent_id is not None)
        gone = {"taken", "kept_for_overdue"}
        able = {each.user_id for each in snapshot.agents if could_serve(item, each, snapshot)}
        passed = {user_id for word, ids in explanation.filtered.items() if word in gone for user_id in ids}
        kept_out = {user_id for word, ids in explanation.filtered.items() if word not in gone for user_id in ids}
        assert able.isdisjoint(kept_out)
        assert passed <= able | {each.user_id for each in snapshot.agents if is_idle(each)}


@given(SNAPSHOTS, st.floats(0.001, 0.999))
def test_nothing_changes_before_the_next_change(snapshot: Snapshot, share: float) -> None:
    due = next_change(snapshot, NOW) or NOW + timedelta(days=1)
    before = NOW + (due - NOW) * share
    assert [(d.conversation_id, d.agent_id) for d in route(snapshot, before)] == decide_in(
        list(snapshot.queues), list(snapshot.work), list(snapshot.agents)
    )


@given(SNAPSHOTS)
def test_work_that_is_offered_is_never_called_unservable(snapshot: Snapshot) -> None:
    offered = {decision.conversation_id for decision in route(snapshot, NOW)}
    assert offered.isdisjoint(find_unservable(snapshot))
