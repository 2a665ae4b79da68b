"""The simulator: nobody is lost in it, the same seed tells the same story, policies are compared fairly; its command."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from hub.__main__ import main
from hub.errors import InvalidInput
from hub.routing import simulation_report
from hub.routing.scenario import PolicyPart, Scenario, check_scenario, example_names, under
from hub.routing.simulate import Estimate, Figures, percentile, simulate, student

SVG = "{http://www.w3.org/2000/svg}"
CALL = {"queue": "calls", "per_hour": 60, "handle": {"mean_s": 200}}
CREW = {"name": "crew", "count": 4, "queues": ["calls"]}
BASE: dict[str, Any] = {
    "name": "A test",
    "hours": 4,
    "replications": 5,
    "queues": [{"name": "calls"}],
    "arrivals": [CALL],
    "staff": [CREW],
}


def scenario(**values: object) -> Scenario:
    return check_scenario(Scenario.model_validate(BASE | values))


def figures(**values: object) -> Figures:
    return simulate(scenario(**values))


def mean(estimate: Estimate) -> float:
    assert estimate.mean is not None
    return estimate.mean


def test_everybody_who_comes_is_answered_or_hangs_up() -> None:
    result = figures(arrivals=[CALL | {"per_hour": 90, "patience": {"mean_s": 60}}])
    (queue,), (waits,) = result.queues, result.waits
    hung_up = queue.offered - len(waits)
    assert queue.offered == pytest.approx(90 * 4 * 5, rel=0.1)
    assert 0.05 < hung_up / queue.offered < 0.5
    assert list(waits) == sorted(waits)


def test_the_same_seed_tells_the_same_story_and_another_one_another() -> None:
    assert figures() == figures()
    assert figures(seed=2).queues[0].offered != figures().queues[0].offered


def test_the_same_customers_come_under_every_policy() -> None:
    given = scenario(policies={"more": {"staff": {"crew": 6}}})
    before, after = simulate(given), simulate(under(given, given.policies["more"]))
    assert before.queues[0].offered == after.queues[0].offered
    assert mean(after.queues[0].mean_wait_s) < mean(before.queues[0].mean_wait_s)
    assert after.staff[0].count == 6


def test_a_fixed_and_even_load_is_served_without_a_wait() -> None:
    handle = {"mean_s": 1, "shape": "fixed"}
    result = figures(arrivals=[CALL | {"per_hour": 30, "handle": handle}], staff=[CREW | {"count": 10}])
    assert (result.queues[0].longest_wait_s, result.queues[0].service_level.mean) == (0, 1)


def test_arrivals_follow_their_profile() -> None:
    result = figures(
        arrivals=[{key: CALL[key] for key in ("queue", "handle")} | {"profile": [[0, 0], [2, 120], [3, 30]]}]
    )
    assert result.queues[0].offered == pytest.approx(150 * 5, rel=0.1)


def test_a_lognormal_handle_time_has_the_mean_it_says() -> None:
    handle = {"mean_s": 200, "shape": "lognormal", "cv": 0.5}
    result = figures(arrivals=[CALL | {"handle": handle}], staff=[CREW | {"count": 30}], hours=40)
    # Offered load ÷ agents.
    assert mean(result.staff[0].occupancy) == pytest.approx(60 * 200 / 3600 / 30, rel=0.05)


def test_longest_idle_shares_the_work_and_best_skilled_does_not() -> None:
    groups = [CREW | {"name": f"level {level}", "count": 1, "skills": {"tea": level}} for level in (1, 3, 5)]
    fair = figures(staff=groups, arrivals=[CALL | {"skills": {"tea": 1}, "per_hour": 25}])
    skilled = figures(
        staff=groups,
        arrivals=[CALL | {"skills": {"tea": 1}, "per_hour": 25}],
        queues=[{"name": "calls", "choice": "best_skilled_then_longest_idle"}],
    )
    loads = [[mean(group.occupancy) for group in result.staff] for result in (fair, skilled)]
    assert max(loads[0]) - min(loads[0]) < 0.1
    assert loads[1][2] - loads[1][0] > 0.3


def test_first_come_first_served_overtakes_nobody_and_priority_does() -> None:
    urgent = CALL | {"per_hour": 15, "priority": 5}
    assert figures(arrivals=[CALL | {"per_hour": 65}]).queues[0].overtakes_share == 0
    assert (figures(arrivals=[CALL, urgent]).queues[0].overtakes_share or 0) > 0
    off = under(scenario(arrivals=[CALL, urgent]), PolicyPart(priorities=False))
    assert simulate(off).queues[0].overtakes_share == 0


def test_overflow_helps_the_queue_that_flows_over() -> None:
    both: dict[str, Any] = {
        "queues": [{"name": "calls", "overflow": [{"to": ["idle"], "after_s": 30}]}, {"name": "idle"}],
        "arrivals": [CALL | {"per_hour": 80}],
        "staff": [CREW, {"name": "others", "count": 2, "queues": ["idle"]}],
    }
    with_it = figures(**both)
    without = simulate(under(scenario(**both), PolicyPart(overflow=False)))
    assert mean(with_it.staff[1].occupancy) > 0
    assert without.staff[1].occupancy.mean == 0
    assert mean(with_it.queues[0].mean_wait_s) < mean(without.queues[0].mean_wait_s)
    assert with_it.queues[1].service_level.mean is None


def test_overflow_by_estimated_wait_helps_when_waits_are_long_and_not_before() -> None:
    busy = CALL | {"per_hour": 100}
    queues: list[dict[str, Any]] = [{"name": "calls"}, {"name": "other"}]
    staff = [CREW, {"name": "others", "count": 2, "queues": ["other"]}]

    def waited(ewt_over_s: float | None, arrivals: dict[str, Any]) -> float:
        step = [{"to": ["other"], "ewt_over_s": ewt_over_s}] if ewt_over_s else []
        return mean(
            figures(queues=[queues[0] | {"overflow": step}, queues[1]], arrivals=[arrivals], staff=staff)
            .queues[0]
            .mean_wait_s
        )

    assert waited(60, busy) < waited(600, busy) < waited(None, busy) / 2
    quiet = CALL | {"per_hour": 20}
    assert waited(86_400, quiet) == waited(None, quiet)


def test_a_wish_is_waited_for_and_then_given_up() -> None:
    wish = {"skill": "hy", "level": 1, "until_s": 40}
    crew = [CREW | {"count": 3}, CREW | {"name": "speaker", "count": 1, "skills": {"hy": 3}}]
    waits = figures(staff=crew, arrivals=[CALL | {"per_hour": 40, "wishes": [wish]}]).waits[0]
    assert any(39.9 < wait < 40.1 for wait in waits)


# --- what comes out -------------------------------------------------------------------------------------------------------


def test_an_interval_of_confidence_is_students() -> None:
    estimate = Estimate.of([1.0, 2.0, 3.0, None])
    assert estimate.mean == 2.0
    assert estimate.half == pytest.approx(4.303 / 3**0.5)
    assert (Estimate.of([]), Estimate.of([7.0])) == (Estimate(None, None), Estimate(7.0, None))
    assert student(60) == pytest.approx(2.000, abs=0.001)
    assert student(120) == pytest.approx(1.980, abs=0.001)


def test_a_percentile_is_a_wait_that_somebody_had() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.9) == 4.0
    assert percentile([], 0.5) is None


@given(st.text(min_size=1, max_size=60))
def test_a_chart_is_well_formed_whatever_things_are_called(name: str) -> None:
    result = figures(
        hours=0.1,
        replications=1,
        queues=[{"name": name}],
        arrivals=[CALL | {"queue": name}],
        staff=[CREW | {"queues": [name]}],
    )
    drawn = ElementTree.fromstring(simulation_report.svg(name, [result]))  # noqa: S314 - our own
    assert drawn.tag == f"{SVG}svg"
    assert "<script" not in simulation_report.page(name, [result])


def test_a_chart_has_a_bar_with_its_interval_and_a_curve_for_each_policy() -> None:
    results = [simulate(scenario(), name) for name in ("one", "<two>")]
    drawn = ElementTree.fromstring(simulation_report.svg("A & B", results))  # noqa: S314 - our own
    colours = [each.get("fill") for each in drawn.iter(f"{SVG}rect")]
    assert colours.count("#0072b2") == colours.count("#e69f00") == 3  # legend, service level, hung up
    assert "<two>" in [each.text for each in drawn.iter(f"{SVG}text")]
    curves = [each for each in drawn.iter(f"{SVG}polyline") if each.get("stroke-width") == "2"]
    assert len(curves) == 2


# --- the command ------------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *arguments])


@pytest.mark.parametrize("name", example_names())
def test_every_example_runs_and_compares_its_policies(name: str, tmp_path: Path) -> None:
    picture, page = tmp_path / "chart.svg", tmp_path / "page.html"
    done = run("--example", name, "--replications", "2", "--svg", str(picture), "--html", str(page))
    assert done.exit_code == 0, done.output
    assert "2 replications" in done.output
    assert "occupancy" in done.output
    ElementTree.parse(picture)  # noqa: S314 - our own
    assert page.read_text().startswith("<!doctype html>")


def test_an_example_printed_is_a_scenario_to_begin_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(run("--example", "--print").output)
    done = run(str(file), "--replications", "1", "--policy", "two-more", "--policy", "as-it-is", "--seed", "5")
    assert done.exit_code == 0, done.output
    assert done.output.index("two-more") < done.output.index("as-it-is")
    assert "one-more" not in done.output


def test_a_scenario_may_be_json_and_have_no_policies(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(BASE))
    assert "as written" in run(str(file)).output


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"hours": 0}, "hours"),
        ({"hourz": 1}, "hourz"),
        ({"queues": []}, "queues"),
        ({"queues": [{"name": "calls"}, {"name": "calls"}]}, "queues.1.name"),
        ({"queues": [{"name": "calls", "choice": "random"}]}, "queues.0.choice"),
        ({"queues": [{"name": "calls", "overflow": [{"to": ["x"], "after_s": 1}]}]}, "queues.0.overflow.0.to"),
        ({"arrivals": [CALL | {"queue": "nowhere"}]}, "arrivals.0.queue"),
        ({"arrivals": [CALL | {"per_hour": None}]}, "arrivals.0.per_hour"),
        ({"arrivals": [CALL | {"per_hour": -1}]}, "arrivals.0.per_hour"),
        ({"arrivals": [CALL | {"per_hour": None, "profile": [[1, 5]]}]}, "arrivals.0.profile"),
        ({"arrivals": [CALL | {"per_hour": None, "profile": [[0, -5]]}]}, "arrivals.0.profile"),
        ({"arrivals": [CALL | {"per_hour": None, "profile": [[0, 0]]}]}, "arrivals.0.profile"),
        ({"arrivals": [CALL | {"handle": {"mean_s": 0}}]}, "arrivals.0.handle.mean_s"),
        ({"arrivals": [CALL | {"handle": {"mean_s": 1, "shape": "bell"}}]}, "arrivals.0.handle.shape"),
        ({"arrivals": [CALL | {"skills": {"tea": 9}}]}, "arrivals.0.skills.tea"),
        ({"queues": [{"name": "calls", "overflow": [{"to": ["calls"]}]}]}, "queues.0.overflow.0.after_s"),
        ({"staff": [CREW | {"count": 0}]}, "staff.0.count"),
        ({"staff": [CREW | {"queues": ["nowhere"]}]}, "staff.0.queues"),
        ({"policies": {"x": {"staff": {"nobody": 1}}}}, "policies.x.staff.nobody"),
        ({"policies": {"x": {"colour": "red"}}}, "policies.x.colour"),
        ({"warm_up_minutes": 240}, "warm_up_minutes"),
        ({"hours": 2000, "replications": 1000}, "replications"),
    ],
)
def test_every_fault_of_a_scenario_is_named(values: dict[str, object], field: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(BASE | values))
    done = run(str(file))
    assert done.exit_code == 1
    assert f"{field}: " in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(("name", "text"), [("a.toml", "= no"), ("a.json", "{"), ("a.json", "[1]"), ("a.toml", "\xff")])
def test_a_file_that_is_no_scenario_is_refused_in_words(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(text.encode("latin-1"))
    done = run(str(file))
    assert (done.exit_code, "Traceback" in done.output) == (1, False)
    assert done.output.startswith("error: ")


def test_an_unknown_policy_or_example_is_refused_in_words() -> None:
    assert "there is no policy 'x'" in run("--example", "--policy", "x").output
    assert "there is no example 'x'" in run("--example", "x").output
    assert run().exit_code == 2


def test_a_scenario_that_does_not_fit_together_says_so_to_callers_too() -> None:
    with pytest.raises(InvalidInput) as refused:
        scenario(arrivals=[CALL | {"queue": "nowhere"}], warm_up_minutes=999)
    assert set(refused.value.fields) == {"arrivals.0.queue", "warm_up_minutes"}
