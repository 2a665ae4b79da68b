"""Staffing by the API: what-if with every fault named, plans of queues, forecasts with gaps where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio


@pytest.fixture
async def as_sue(call: Call, people: People) -> Caller:
    return await call(people.supervisor)


async def test_what_if_answers_the_worked_example(as_sue: Caller) -> None:
    body = {"contacts": 100, "interval_s": 1800, "aht_s": 180, "shrinkage": 0.3}
    answer = (await as_sue.post("/staffing/what-if", body)).json()
    assert (answer["model"], answer["erlangs"], answer["required"], answer["scheduled"]) == ("erlang_c", 10, 14, 20)
    assert answer["figures"] == next(row for row in answer["table"] if row["agents"] == 14)
    assert answer["figures"]["service_level"] == pytest.approx(0.888, abs=1e-3)
    rows = [(row["agents"], row["is_stable"], row["asa_s"] is None, row["reaches"]) for row in answer["table"]]
    assert rows[:7] == [
        *[(agents, False, True, False) for agents in (8, 9, 10)],
        *[(agents, True, False, False) for agents in (11, 12, 13)],
        (14, True, False, True),
    ]


async def test_what_if_tells_what_the_agents_there_make_of_it(as_sue: Caller) -> None:
    body = {"contacts": 100, "interval_s": 1800, "aht_s": 180, "patience_s": 300, "agents": 9}
    answer = (await as_sue.post("/staffing/what-if", body)).json()
    assert (answer["model"], answer["required"], answer["figures"]["agents"]) == ("erlang_a", 13, 9)
    assert {row["agents"] for row in answer["table"]} == set(range(3, 20))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"contacts": -1}, "contacts"),
        ({"contacts": "many"}, "contacts"),
        ({"contacts": 1e400}, "contacts"),
        ({"aht_s": 0}, "aht_s"),
        ({"interval_s": 0}, "interval_s"),
        ({"patience_s": 0}, "patience_s"),
        ({"contacts": 1_000_000, "interval_s": 60, "patience_s": 86_400, "concurrency": 20}, "patience_s"),
        ({"service_level": 1.5}, "service_level"),
        ({"service_level": None}, "service_level"),
        ({"shrinkage": 1}, "shrinkage"),
        ({"agents": 2001}, "agents"),
        ({"agent": 1}, "agent"),
    ],
)
async def test_what_if_names_what_is_wrong(as_sue: Caller, wrong: dict[str, Any], field: str) -> None:
    answer = await as_sue.request(
        "POST",
        "/staffing/what-if",
        content=_json({"contacts": 10, "aht_s": 180, **wrong}),
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field]), answer.text


async def test_more_than_anybody_has_is_told_as_no_number(as_sue: Caller) -> None:
    answer = (await as_sue.post("/staffing/what-if", {"contacts": 1e6, "aht_s": 86_400})).json()
    assert (answer["required"], answer["scheduled"], answer["figures"], answer["table"]) == (None, None, None, [])


async def test_a_plan_is_saved_over_the_one_that_was_seen(as_sue: Caller, people: People) -> None:
    path = f"/staffing/plans/{people.sales_id}"
    plan = (await as_sue.get(path)).json()
    assert (plan["service_level"], plan["within_s"], plan["version"], plan["recent_aht_s"]) == (0.8, 20, 0, None)
    body = {"service_level": 0.9, "within_s": 30, "shrinkage": 0.25, "patience_s": 90, "expected_version": 0}
    saved = (await as_sue.put(path, body)).json()
    assert (saved["service_level"], saved["patience_s"], saved["version"]) == (0.9, 90, 1)
    assert (await as_sue.get(path)).json() == saved
    late = await as_sue.put(path, body)
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    assert (await as_sue.put(path, {**body, "expected_version": 1})).json()["version"] == 2
    assert (await as_sue.get("/staffing/plans/999999")).status_code == 404


async def test_a_queue_without_history_has_gaps_and_no_zeros(as_sue: Caller, people: People) -> None:
    answer = await as_sue.get(f"/staffing/forecast?queue={people.sales_id}&from=2026-03-02&to=2026-03-03")
    body = answer.json()
    assert (body["made_on"], body["tested"], body["history_days"], len(body["intervals"])) == (None, None, 0, 192)
    assert body["intervals"][0] == {
        "start": "2026-03-02T00:00:00Z",
        "forecast": None,
        "actual": None,
        "required": None,
        "required_scheduled": None,
        "scheduled": 0,
    }


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ("from=2026-03-02&to=2026-03-01", 422, "to"),
        ("from=2026-03-02&to=2026-05-01", 422, "to"),
        ("from=2026-03-02&to=2026-03-03&lead_days=3", 422, "lead_days"),
        ("from=soon&to=2026-03-03", 422, "from"),
        ("from=0001-01-01&to=0001-01-02", 422, "from"),
        ("to=2026-03-03", 422, "from"),
    ],
)
async def test_a_forecast_asked_for_wrongly_names_what_is_wrong(
    as_sue: Caller, people: People, asked: str, status: int, field: str
) -> None:
    answer = await as_sue.get(f"/staffing/forecast?queue={people.sales_id}&{asked}")
    assert (answer.status_code, list(answer.json()["fields"])) == (status, [field]), answer.text


async def test_a_queue_that_is_not_there_has_no_forecast(as_sue: Caller) -> None:
    answer = await as_sue.get("/staffing/forecast?queue=999999&from=2026-03-02&to=2026-03-03")
    assert answer.status_code == 404


def _json(body: dict[str, Any]) -> bytes:
    # As a program would send it that writes infinity in digits.
    return str(body).replace("'", '"').replace("None", "null").replace("inf", "1e400").encode()
