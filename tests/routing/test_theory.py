"""The engine, driven by the simulator, against queueing theory: what is simulated must be what the formulas say.

Erlang C (M/M/n) and Erlang A (M/M/n+M) are those of hub.staffing.erlang, which names their sources and is tested against
published values; here two roads that share no line, the formulas and the engine, have to lead to the same place.

Twenty-two figures are compared. For all of them together to hold with 95 %, each interval is one of 1 - 0.05/22 (Bonferroni):
with 19 degrees of freedom Student's t is 3.55 there, where it is 2.093 for one figure alone. The seed is fixed, so a case
holds always or never; that intervals are narrow enough to refuse a wrong answer is a test of its own.
"""

import pytest

from hub.routing.scenario import Scenario, check_scenario
from hub.routing.simulate import Estimate, Figures, simulate
from hub.staffing.erlang import Load, staffed

HANDLE_S = 180.0
SERVICE_LEVEL_S = 20.0
REPLICATIONS = 20
COUNTED, WARM_UP = 1_250, 350
WIDENED = 3.55 / 2.093


def erlang_c(servers: int, load: float) -> tuple[float, float]:
    """(mean wait in seconds, share answered within SERVICE_LEVEL_S)."""
    found = staffed(Load(load * 900 / HANDLE_S, HANDLE_S), servers, SERVICE_LEVEL_S)
    assert found.asa_s is not None
    return found.asa_s, found.service_level


def erlang_a(servers: int, load: float, patience_s: float) -> tuple[float, float]:
    """(mean wait of everybody in seconds, share who hung up). The first is the second times the patience: who waits hangs
    up at the rate 1 ÷ patience."""
    hung_up = staffed(Load(load * 900 / HANDLE_S, HANDLE_S, patience_s=patience_s), servers).abandonment
    return hung_up * patience_s, hung_up


def simulated(
    servers: int, load: float, patience_s: float | None = None, kind: str = "phone", weight: int = 100, seed: int = 2026
) -> Figures:
    per_hour = load / HANDLE_S * 3_600
    arrivals: dict[str, object] = {"queue": "q", "per_hour": per_hour, "handle": {"mean_s": HANDLE_S}, "kind": kind}
    scenario = {
        "name": "theory",
        "seed": seed,
        "hours": (COUNTED + WARM_UP) / per_hour,
        "warm_up_minutes": WARM_UP / per_hour * 60,
        "replications": REPLICATIONS,
        "service_level_s": SERVICE_LEVEL_S,
        "queues": [{"name": "q", "max_wait_s": 1e6}],
        "arrivals": [arrivals | {"weight": weight} | ({"patience": {"mean_s": patience_s}} if patience_s else {})],
        "staff": [{"name": "agents", "count": servers * weight // 100, "queues": ["q"]}],
    }
    return simulate(check_scenario(Scenario.model_validate(scenario)))


def is_inside(estimate: Estimate, value: float) -> bool:
    assert estimate.mean is not None
    assert estimate.half is not None
    return abs(estimate.mean - value) <= estimate.half * WIDENED


@pytest.mark.parametrize(
    ("servers", "load", "kind", "weight"),
    [
        (1, 0.7, "phone", 100),
        (2, 1.5, "phone", 100),
        (5, 4.0, "phone", 100),
        (10, 8.5, "phone", 100),
        (25, 22.0, "phone", 100),
        # Two agents with four chats each at once are eight servers.
        (8, 6.6, "chat", 25),
    ],
)
def test_waits_without_impatience_are_erlang_c(servers: int, load: float, kind: str, weight: int) -> None:
    queue = simulated(servers, load, kind=kind, weight=weight).queues[0]
    mean_wait_s, service_level = erlang_c(servers, load)
    assert is_inside(queue.mean_wait_s, mean_wait_s), (queue.mean_wait_s, mean_wait_s)
    assert is_inside(queue.service_level, service_level), (queue.service_level, service_level)


@pytest.mark.parametrize(
    ("servers", "load", "patience_s"),
    [
        (1, 0.9, 180.0),
        (4, 4.0, 120.0),
        (10, 9.0, 60.0),
        (10, 12.0, 300.0),
        (20, 22.0, 180.0),
    ],
)
def test_waits_and_hang_ups_of_the_impatient_are_erlang_a(servers: int, load: float, patience_s: float) -> None:
    queue = simulated(servers, load, patience_s).queues[0]
    mean_wait_s, hung_up = erlang_a(servers, load, patience_s)
    assert is_inside(queue.mean_wait_all_s, mean_wait_s), (queue.mean_wait_all_s, mean_wait_s)
    assert is_inside(queue.abandonment, hung_up), (queue.abandonment, hung_up)


def test_the_intervals_would_refuse_the_figures_of_one_agent_more_or_less() -> None:
    patient, hurried = simulated(5, 4.0).queues[0], simulated(10, 12.0, 300.0).queues[0]
    for servers in (6, 7):
        assert not is_inside(patient.mean_wait_s, erlang_c(servers, 4.0)[0])
        assert not is_inside(patient.service_level, erlang_c(servers, 4.0)[1])
    for servers in (9, 11):
        assert not is_inside(hurried.mean_wait_all_s, erlang_a(servers, 12.0, 300.0)[0])
        assert not is_inside(hurried.abandonment, erlang_a(servers, 12.0, 300.0)[1])


@pytest.mark.parametrize(
    ("servers", "load", "probability"),
    # P(wait) of Erlang C, by hand: one server waits with its load; two with 2ρ²/(1+ρ), ρ the load of each.
    [(1, 0.5, 0.5), (1, 0.9, 0.9), (2, 1.0, 1 / 3), (2, 1.6, 2 * 0.64 / 1.8)],
)
def test_the_formulas_agree_with_what_is_known_by_hand(servers: int, load: float, probability: float) -> None:
    mean_wait_s, _ = erlang_c(servers, load)
    assert mean_wait_s == pytest.approx(probability * HANDLE_S / (servers - load))
    # With endless patience Erlang A is Erlang C.
    assert erlang_a(servers, load, 1e9)[0] == pytest.approx(mean_wait_s, rel=1e-4)
