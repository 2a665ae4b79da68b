"""The estimated wait: the formula by hand, its properties, and its answers against queueing theory in the simulator.

In M/M/n whoever must wait waits 1 / (n x mu - lambda) on average (Erlang C; Gans, Koole and Mandelbaum, MSOM 5(2), 2003),
and at position k a sum of k exponential times of mean 1 / (n x mu). So even an estimate that knew everything would be off
by the mean absolute deviation of that sum, 2 k^k e^-k / (k-1)! / (n x mu) (a gamma variable's; N. Johnson and S. Kotz,
Continuous Univariate Distributions 1, chapter 17), with position k having the probability (1 - rho) rho^(k-1). That is the
error to compare with.
"""

import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.routing import waiting
from hub.routing.scenario import Scenario, check_scenario
from hub.routing.simulate import Estimate, QueueFigures, simulate
from hub.routing.waiting import Pace, Server, Visit

HANDLE_S = 180.0
CASES = [(1, 0.7), (2, 1.5), (5, 4.0), (10, 8.5), (25, 22.0)]


# --- the formula by hand --------------------------------------------------------------------------------------------------


def test_with_nothing_seen_yet_the_staffing_says_it_all() -> None:
    assert waiting.estimate_wait_s(1, 0, Pace(), 3, 180) == pytest.approx(60)
    assert waiting.estimate_wait_s(4, 0, Pace(), 3, 180) == pytest.approx(240)


def test_what_was_seen_outweighs_the_staffing_as_it_grows() -> None:
    # Staffing says 60 s a departure, the past 100 s: the more of it there is, the nearer to 100.
    told = [waiting.departure_s(Pace(seen, seen * 100), 3, 180) for seen in (0, 16, 1_600)]
    assert told == [pytest.approx(60), pytest.approx(80), pytest.approx(99.6, abs=0.05)]


def test_whoever_finds_room_waits_for_nothing_and_the_next_for_one_departure() -> None:
    assert waiting.estimate_wait_s(2, 2, Pace(), 3, 180) == 0
    assert waiting.estimate_wait_s(3, 2, Pace(), 3, 180) == pytest.approx(60)


@pytest.mark.parametrize(
    ("pace", "slots", "handle_s"),
    [
        (Pace(), 0, 180.0),
        (Pace(50, 500), 0, 180.0),
        (Pace(), 3, None),
        (Pace(1, 30), 3, None),
    ],
    ids=["nobody at work", "nobody at work any more", "nothing to go by", "one departure is an anecdote"],
)
def test_where_nothing_can_be_said_nothing_is(pace: Pace, slots: float, handle_s: float | None) -> None:
    assert waiting.estimate_wait_s(2, 0, pace, slots, handle_s) is None


def test_without_a_handle_time_the_past_alone_is_told() -> None:
    assert waiting.estimate_wait_s(3, 0, Pace(10, 400), 2, None) == pytest.approx(120)


def test_slots_are_shared_by_what_waits_so_that_one_line_of_two_queues_gives_both_the_same_wait() -> None:
    servers = [Server(frozenset({1, 2}), 1.0, count=4)]
    lengths = {1: 9, 2: 3}
    # Whoever joins queue 1 is the thirteenth in the common line, and so is whoever joins queue 2.
    first = waiting.estimate_wait_s(10, 0, Pace(), waiting.shared_slots(1, servers, lengths), 120)
    second = waiting.estimate_wait_s(4, 0, Pace(), waiting.shared_slots(2, servers, lengths), 120)
    assert first == second == pytest.approx(13 * 120 / 4)


def test_whoever_was_served_at_once_says_nothing_about_the_pace() -> None:
    assert waiting.measure_pace([Visit(300, 300), Visit(60.5, 60)]) == Pace()


def test_times_in_which_several_waited_count_once() -> None:
    apart = waiting.measure_pace([Visit(200, 100)])
    together = waiting.measure_pace([Visit(200, 100), Visit(180, 120), Visit(150, 100)])
    assert together.waiting_s == pytest.approx(apart.waiting_s)
    assert together.departures == pytest.approx(2 * math.exp(-100 / waiting.TAU_S) + math.exp(-120 / waiting.TAU_S))


def test_whoever_still_waits_or_went_another_way_is_time_and_no_departure() -> None:
    still = waiting.measure_pace([Visit(100, None)])
    assert (still.departures, still.waiting_s > 90) == (0, True)
    assert waiting.measure_pace([Visit(100, 0, was_answered=False)]) == still


@pytest.mark.parametrize(
    ("ewt_s", "told_s"),
    [
        (0.0, 60),
        (1.0, 60),
        (61.0, 120),
        (540.0, 540),
        (601.0, 900),
        (3_540.0, 3_600),
        (3_601.0, 4_500),
        (86_400.0, 86_400),
    ],
)
def test_a_customer_is_told_whole_minutes_and_more_coarsely_later(ewt_s: float, told_s: int) -> None:
    assert waiting.rounded_wait_s(ewt_s) == told_s


@pytest.mark.parametrize(
    ("told_s", "now_s", "is_worth"),
    [
        (None, None, False),
        (None, 10.0, True),
        (10.0, None, True),
        (0.0, 5.0, True),
        (5.0, 0.0, True),
        (60.0, 69.0, False),
        (60.0, 72.0, True),
        (600.0, 700.0, False),
        (600.0, 720.0, True),
    ],
)
def test_a_change_is_told_when_it_is_worth_a_look(told_s: float | None, now_s: float | None, is_worth: bool) -> None:
    assert waiting.is_worth_telling(told_s, now_s) is is_worth


# --- its properties -------------------------------------------------------------------------------------------------------

PACES = st.builds(Pace, st.floats(0, 1e4), st.floats(0, 1e5))
SLOTS = st.floats(0.01, 1e3)
HANDLES = st.floats(0.1, 1e6)


@given(PACES, SLOTS, HANDLES, st.integers(1, 500), st.integers(0, 50))
def test_further_back_waits_longer_and_more_room_waits_shorter(
    pace: Pace, slots: float, handle_s: float, position: int, free: int
) -> None:
    here = waiting.estimate_wait_s(position, free, pace, slots, handle_s)
    behind = waiting.estimate_wait_s(position + 1, free, pace, slots, handle_s)
    roomier = waiting.estimate_wait_s(position, free + 1, pace, slots, handle_s)
    assert here is not None
    assert behind is not None
    assert roomier is not None
    assert 0 <= roomier <= here <= behind


@given(PACES, SLOTS, HANDLES)
def test_the_answer_lies_between_what_the_staffing_says_and_what_was_seen(
    pace: Pace, slots: float, handle_s: float
) -> None:
    told = waiting.departure_s(pace, slots, handle_s)
    seen_s = pace.waiting_s / pace.departures if pace.departures else math.inf
    least, most = sorted((handle_s / slots, seen_s))
    assert told is not None
    assert least * (1 - 1e-9) <= told <= most * (1 + 1e-9)


STAYS = st.lists(
    st.builds(lambda taken, stay: Visit(taken + stay, taken), st.floats(0, 3_000), st.floats(0, 500)), max_size=30
)


@given(STAYS, st.randoms())
def test_the_order_in_which_stays_are_read_does_not_matter(stays: list[Visit], chance: object) -> None:
    told = waiting.measure_pace(stays)
    chance.shuffle(stays)  # type: ignore[attr-defined]
    again = waiting.measure_pace(stays)
    assert again.departures == pytest.approx(told.departures)
    assert again.waiting_s == pytest.approx(told.waiting_s)


@given(STAYS)
def test_reckoned_step_by_step_it_is_the_same_as_from_all_stays_at_once(stays: list[Visit]) -> None:
    """The simulator goes on from the last event, the hub looks back at its rows."""
    stays = [visit for visit in stays if visit.joined_s - (visit.taken_s or 0) >= waiting.MUST_WAIT_S]
    moments = [(visit.joined_s, 1) for visit in stays] + [(visit.taken_s or 0.0, -1) for visit in stays]
    pace, length, before_s = Pace(), 0, waiting.WINDOW_S
    for ago_s, by in sorted(moments, key=lambda moment: (-moment[0], -moment[1])):
        pace = pace.after(before_s - ago_s, something_waited=length > 0)
        pace = pace.departed() if by < 0 else pace
        length, before_s = length + by, ago_s
    pace = pace.after(before_s, something_waited=False)
    told = waiting.measure_pace(stays)
    assert told.departures == pytest.approx(pace.departures)
    assert told.waiting_s == pytest.approx(pace.waiting_s)


@given(st.floats(0, 1e5), st.integers(1, 200), st.integers(0, 200))
def test_nobody_in_the_queue_is_told_more_than_whoever_joins(ewt_s: float, position: int, length: int) -> None:
    told = waiting.at_position(ewt_s, position, length)
    assert told is not None
    assert 0 <= told <= ewt_s


# --- against theory -------------------------------------------------------------------------------------------------------


@cache
def simulated(servers: int, load: float) -> QueueFigures:
    per_hour = load / HANDLE_S * 3_600
    scenario = {
        "name": "waits",
        "seed": 7,
        "hours": 3_000 / per_hour,
        "warm_up_minutes": 500 / per_hour * 60,
        "replications": 12,
        "queues": [{"name": "q", "max_wait_s": 1e6}],
        "arrivals": [{"queue": "q", "per_hour": per_hour, "handle": {"mean_s": HANDLE_S}}],
        "staff": [{"name": "agents", "count": servers, "queues": ["q"]}],
    }
    return simulate(check_scenario(Scenario.model_validate(scenario))).queues[0]


def least_error_s(servers: int, load: float) -> float:
    """The mean absolute error of somebody who knows every rate."""
    rho, each_s = load / servers, HANDLE_S / servers
    return sum(
        (1 - rho) * rho ** (k - 1) * 2 * math.exp(k * math.log(k) - k - math.lgamma(k)) * each_s
        for k in range(1, 2_000)
    )


def mean(estimate: Estimate) -> float:
    assert estimate.mean is not None
    return estimate.mean


@pytest.mark.parametrize(("servers", "load"), CASES)
def test_those_who_must_wait_are_told_erlang_cs_mean_and_hardly_less_exactly_than_could_be(
    servers: int, load: float
) -> None:
    queue = simulated(servers, load)
    theory_s = HANDLE_S / (servers - load)
    # The mean of what was told: within 10 % of theory, and of what those very people waited.
    assert mean(queue.told_mean_s) == pytest.approx(theory_s, rel=0.1)
    assert mean(queue.told_mean_s) == pytest.approx(mean(queue.told_waited_mean_s), rel=0.1)
    # The error of what was told: nobody could do better than least_error_s; it is at most 10 % above.
    assert mean(queue.estimate_error_s) <= least_error_s(servers, load) * 1.1


def test_the_bounds_would_refuse_an_estimate_that_knew_the_arrivals_only() -> None:
    """Position ÷ throughput, as it is often done, is too long by 1 / rho: 40 % at a load of 0.7."""
    servers, load = CASES[0]
    queue = simulated(servers, load)
    assert mean(queue.told_waited_mean_s) * servers / load > HANDLE_S / (servers - load) * 1.1


def test_the_least_error_is_that_of_one_exponential_time_where_nobody_stands_in_line() -> None:
    assert least_error_s(1, 1e-9) == pytest.approx(2 / math.e * HANDLE_S)
