"""The past of figures of a moment over the API: gaps as gaps, a day's mean and most, and faults by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.app import Hub
from hub.kpi.days import interval_number
from hub.kpi.moment_snapshots import OF_ALL
from hub.store import tables
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

NINE = datetime(2026, 3, 10, 9, tzinfo=UTC)
DAY = {"from": "2026-03-10", "to": "2026-03-10"}


async def keep(hub: Hub, queue_id: int, minutes: int, **values: int | None) -> None:
    row = {"queue_id": queue_id, "start": interval_number(NINE + timedelta(minutes=minutes))}
    figures = {"waiting": 0, "longest_waiting_ms": 0, "backlog": 0, "available_agents": 0, "ewt_ms": None}
    full = {**row, **figures, "ewt_error_ms": None, **values}
    await hub.database.transaction(lambda tx: tx.insert_new(tables.queue_moment, [full]))


@pytest.fixture
async def sue(hub: Hub, people: People, call: Call) -> Caller:
    """A supervisor, and of Sales three quarters, of which one nobody kept."""
    await keep(hub, people.sales_id, 0, waiting=2, longest_waiting_ms=61_500, backlog=4, ewt_ms=90_000)
    await keep(hub, people.sales_id, 30, waiting=5, longest_waiting_ms=400_000, backlog=9)
    await keep(hub, OF_ALL, 0, waiting=3, longest_waiting_ms=70_000, backlog=7, available_agents=2)
    return await call(people.supervisor)


async def asked(caller: Caller, **query: str) -> dict[str, Any]:
    answer = await caller.get("/reports/moments", params={**DAY, **query})
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def test_a_day_by_quarters_has_what_was_kept_and_gaps(sue: Caller, people: People) -> None:
    report = await asked(sue, measures="waiting,longest_waiting_s,ewt_s", queue=str(people.sales_id))
    assert [one["id"] for one in report["measures"]] == ["waiting", "longest_waiting_s", "ewt_s"]
    assert len(report["rows"]) == 96
    rows = {datetime.fromisoformat(row["start"]): row for row in report["rows"]}
    known = {at: row for at, row in rows.items() if not row["is_gap"]}
    assert set(known) == {NINE, NINE + timedelta(minutes=30)}
    assert rows[NINE + timedelta(minutes=15)]["figures"] == {}
    assert known[NINE]["figures"] == {
        "waiting": {"value": 2, "most": 2, "n": 1},
        "longest_waiting_s": {"value": 61.5, "most": 61.5, "n": 1},
        "ewt_s": {"value": 90, "most": 90, "n": 1},
    }
    assert known[NINE + timedelta(minutes=30)]["figures"]["ewt_s"] == {"value": None, "most": None, "n": 0}


async def test_a_day_is_the_mean_and_the_most_of_what_was_kept(sue: Caller, people: People) -> None:
    report = await asked(sue, measures="backlog,ewt_s", queue=str(people.sales_id), grain="day", to="2026-03-11")
    first, second = report["rows"]
    assert first["figures"] == {
        "backlog": {"value": 6.5, "most": 9, "n": 2},
        "ewt_s": {"value": 90, "most": 90, "n": 1},
    }
    assert (second["is_gap"], second["figures"]) == (True, {})


async def test_all_together_is_told_as_it_was_kept_and_as_a_file(sue: Caller) -> None:
    report = await asked(sue, measures="backlog,available_agents", grain="day")
    assert report["rows"][0]["figures"]["backlog"]["value"] == 7
    answer = await sue.get("/reports/moments.csv", params={**DAY, "measures": "backlog,longest_waiting_s"})
    lines = answer.text.split("\r\n")
    assert (lines[0], len(lines)) == ("start,end,backlog,longest_waiting_s,gap", 98)
    [told] = [line for line in lines[1:-1] if not line.endswith("no data")]
    assert told.split(",")[2:] == ["7.0", "70.0", ""]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"measures": "happiness"}, "measures"),
        ({"measures": ""}, "measures"),
        # A figure of a range of time, and one that is no queue's sum.
        ({"measures": "longest_wait_s"}, "measures"),
        ({"measures": "ewt_s"}, "measures"),
        ({"from": "2026-03-11"}, "from"),
        ({"to": "2026-04-10"}, "grain"),
        ({"grain": "day", "to": "2027-03-11"}, "to"),
        ({"grain": "week"}, "grain"),
        ({"queue": "999999"}, "queue"),
        ({"queue": "Sales"}, "queue"),
    ],
)
async def test_what_cannot_be_asked_is_named(sue: Caller, wrong: dict[str, str], field: str) -> None:
    answer = await sue.get("/reports/moments", params={**DAY, "measures": "backlog", **wrong})
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == [field]


async def test_agents_are_not_told(as_anna: Caller) -> None:
    assert (await as_anna.get("/reports/moments", params={**DAY, "measures": "backlog"})).status_code == 403
