"""Erlang C and Erlang A: published values, a second computation by another way, and what must hold for any load."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.staffing.erlang import MAX_AGENTS, Load, Staffed, Target, erlang_b, required_agents, staffed, with_shrinkage


@pytest.mark.parametrize(
    ("servers", "erlangs", "blocked"),
    # Tables of Erlang B, as printed everywhere (ITU-D SG 2, "Teletraffic Engineering Handbook", appendix): the load that
    # so many lines carry at 1 % and 5 % blocking, which the table gives to its last digit.
    [(1, 0.0101, 0.01), (10, 4.461, 0.01), (20, 12.03, 0.01), (50, 37.90, 0.01), (100, 84.06, 0.01), (10, 6.216, 0.05)],
)
def test_the_recursion_gives_the_printed_tables_of_erlang_b(servers: int, erlangs: float, blocked: float) -> None:
    assert erlang_b(servers, erlangs) == pytest.approx(blocked, rel=2e-3)


def test_fifty_agents_of_the_paper_wait_as_it_prints() -> None:
    # Garnett, Mandelbaum and Reiman 2002, table 1: 48 calls a minute of one minute each, 50 agents; patience two minutes.
    patient = staffed(Load(48, 60, 60), 50)
    assert (round(patient.asa_s or 0, 1), round(patient.occupancy, 2)) == (20.8, 0.96)
    impatient = staffed(Load(48, 60, 60, patience_s=120), 50)
    assert (round(impatient.abandonment, 3), round(impatient.occupancy, 2)) == (0.031, 0.93)
    # The paper's 3.7 s are the mean of everybody: those who hung up waited, too. P(hang up) = θ·E[wait].
    assert round(impatient.abandonment * 120, 1) == 3.7


def test_the_worked_example_of_the_trade_is_met() -> None:
    # Call Centre Helper, "Erlang C Formula – Made Simple With an Easy Worked Example": 100 calls in 30 minutes of 3 minutes
    # each, 80 % in 20 s, shrinkage 30 %.
    load, target = Load(100, 180, 1_800), Target(0.8, 20)
    assert required_agents(load, target) == 14
    found = staffed(load, 14)
    figures = (found.waiting_probability, found.service_level, found.asa_s or 0, found.occupancy)
    assert [round(figure, 3) for figure in figures] == [0.174, 0.888, 7.836, 0.714]
    assert with_shrinkage(14, 0.3) == 20


def test_a_second_library_finds_the_same_with_impatience() -> None:
    # pyworkforce's guide to Erlang A: 100 contacts in 30 minutes of 3 minutes, patience 5 minutes; at most 85 % occupied
    # and 5 % hanging up, 80 % in 20 s.
    load = Load(100, 180, 1_800, patience_s=300)
    assert required_agents(load, Target(0.8, 20, abandonment=0.05, occupancy=0.85)) == 13
    found = staffed(load, 13)
    figures = (found.waiting_probability, found.abandonment, found.occupancy)
    assert [round(figure, 3) for figure in figures] == [0.226, 0.025, 0.75]


def by_states(load: Load, servers: int, patience_s: float, within_s: float) -> tuple[float, float, float]:
    """(P(wait), share answered in time, mean wait of the answered) from the chain itself and from Simpson's rule over the
    density of the wait: nothing of it is shared with the code under test."""
    arrive, serve, leave = load.contacts / load.interval_s, 1 / load.aht_s, 1 / patience_s
    weights = [1.0]
    while weights[-1] > 1e-30 or len(weights) <= servers + 1:
        k = len(weights)
        weights.append(weights[-1] * arrive / (min(k, servers) * serve + max(k - servers, 0) * leave))
    total = sum(weights)
    waits = sum(weights[servers:]) / total
    answered = 1 - sum((k - servers) * w for k, w in enumerate(weights) if k > servers) * leave / arrive / total
    scale = arrive * weights[servers - 1] / total

    def answered_at(t: float) -> float:
        virtual = math.exp(arrive / leave * (1 - math.exp(-leave * t)) - servers * serve * t)
        return scale * virtual * math.exp(-leave * t)

    def integral(f: object, end: float, steps: int = 4_000) -> float:
        assert callable(f)
        h = end / steps
        inner = sum((4 if i % 2 else 2) * f(i * h) for i in range(1, steps))
        return float(h / 3 * (f(0) + inner + f(end)))

    in_time = 1 - waits + integral(answered_at, within_s)
    wait_s = integral(lambda t: t * answered_at(t), 30 * patience_s) / answered
    return waits, in_time, wait_s


@pytest.mark.parametrize(
    ("servers", "erlangs", "patience_s"), [(1, 0.9, 180.0), (4, 4.0, 120.0), (10, 12.0, 300.0), (20, 22.0, 180.0)]
)
def test_erlang_a_agrees_with_its_chain_summed_state_by_state(servers: int, erlangs: float, patience_s: float) -> None:
    load = Load(erlangs * 5, 180.0, patience_s=patience_s)
    found = staffed(load, servers)
    waits, in_time, wait_s = by_states(load, servers, patience_s, 20.0)
    assert found.waiting_probability == pytest.approx(waits, rel=1e-9)
    assert found.asa_s == pytest.approx(wait_s, rel=1e-6)
    # What is left out of the service level are those who hung up within 5 s: at most all who lose patience in 5 s.
    assert in_time <= found.service_level <= in_time / math.exp(-5 / patience_s)


def test_short_abandons_are_left_out_of_the_service_level() -> None:
    # One agent, busy without end; nobody is answered, but who hangs up within 5 s is not counted as offered either.
    overrun = Load(1e6, 180.0, patience_s=5.0)
    assert staffed(overrun, 1).service_level < 1e-3
    # Patience of 5 s: of those who wait for long, 1 − 1/e hang up within 5 s.
    some = staffed(Load(100, 180.0, patience_s=5.0), 10, within_s=5.0)
    assert some.service_level == pytest.approx(
        (1 - some.abandonment) / (1 - some.abandonment * (1 - 1 / math.e)), rel=0.1
    )


def test_nothing_to_do_needs_nobody() -> None:
    assert required_agents(Load(0, 180), Target()) == 0
    assert staffed(Load(0, 180), 0).service_level == 1.0


def test_too_few_agents_without_impatience_are_told_as_a_queue_without_end() -> None:
    found = staffed(Load(50, 180), 10)
    assert (found.is_stable, found.service_level, found.asa_s, found.occupancy) == (False, 0.0, None, 1.0)


def test_nobody_there_answers_nobody() -> None:
    found = staffed(Load(50, 180, patience_s=60), 0)
    assert (found.service_level, found.abandonment, found.asa_s) == (0.0, 1.0, None)


def test_more_than_anybody_has_is_no_number() -> None:
    assert required_agents(Load(1e6, 600), Target()) is None
    assert required_agents(Load(100, 180), Target(1.0, 0.0)) is not None


def test_chats_at_once_are_servers() -> None:
    # Two agents with four chats each are eight servers.
    chats, calls = staffed(Load(33, 180, concurrency=4), 2), staffed(Load(33, 180), 8)
    assert (chats.service_level, chats.occupancy) == (calls.service_level, calls.occupancy)


@pytest.mark.parametrize("agents", [1, 20, 200, 2_000])
@pytest.mark.parametrize("crowding", [0.01, 0.5, 0.99, 1.0, 1.5, 50.0])
@pytest.mark.parametrize("patience_s", [None, 1.0, 60.0, 86_400.0])
def test_one_agent_and_two_thousand_are_computed_alike(agents: int, crowding: float, patience_s: float | None) -> None:
    found = staffed(Load(agents * crowding * 5, 180.0, patience_s=patience_s), agents)
    shares = (found.waiting_probability, found.service_level, found.abandonment, found.occupancy)
    assert all(0.0 <= share <= 1.0 for share in shares), found
    assert found.asa_s is None or 0.0 <= found.asa_s < math.inf


LOADS = st.builds(
    Load,
    contacts=st.floats(0.1, 2_000),
    aht_s=st.floats(5, 3_600),
    patience_s=st.none() | st.floats(5, 3_600),
    concurrency=st.sampled_from([1, 1, 3]),
)


def is_no_worse(more: Staffed, fewer: Staffed) -> bool:
    eps = 1e-9
    return (
        more.service_level >= fewer.service_level - eps
        and more.waiting_probability <= fewer.waiting_probability + eps
        and more.abandonment <= fewer.abandonment + eps
        and more.occupancy <= fewer.occupancy + eps
        and (fewer.asa_s is None or (more.asa_s is not None and more.asa_s <= fewer.asa_s * (1 + eps) + eps))
    )


@settings(max_examples=150, deadline=None)
@given(LOADS, st.integers(1, 300))
def test_another_agent_makes_no_figure_worse(load: Load, agents: int) -> None:
    assert is_no_worse(staffed(load, agents + 1), staffed(load, agents))


@settings(max_examples=100, deadline=None)
@given(LOADS, st.floats(0.05, 0.99), st.floats(0, 120), st.none() | st.floats(0.3, 0.95))
def test_the_required_agents_are_the_fewest(load: Load, level: float, within_s: float, occupancy: float | None) -> None:
    target = Target(level, within_s, occupancy=occupancy)
    agents = required_agents(load, target)
    enough = MAX_AGENTS if agents is None else agents
    assert staffed(load, enough, within_s).reaches(target) is (agents is not None)
    assert not staffed(load, enough - 1, within_s).reaches(target)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 0.95), st.integers(1, 100))
def test_with_endless_patience_erlang_a_is_erlang_c(crowding: float, agents: int) -> None:
    contacts = crowding * agents * 5
    for_ever, nearly = Load(contacts, 180.0), Load(contacts, 180.0, patience_s=1e9)
    one, other = staffed(for_ever, agents), staffed(nearly, agents)
    assert other.service_level == pytest.approx(one.service_level, abs=1e-5)
    assert other.asa_s == pytest.approx(one.asa_s, rel=1e-3, abs=1e-6)
