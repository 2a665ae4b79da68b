"""Figures over the API: what each means, and whose are told to whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.app import Hub
from hub.domain.events import FACTS, CallEnded, CallSegmentEnded
from hub.kpi.cells import LADDER_S
from hub.kpi.facts import project
from hub.kpi.measures import MEASURES
from hub.kpi.moments import MOMENTS
from hub.staffing.adherence import DEFINITIONS
from hub.store.database import Tx
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio


async def take_a_call(hub: Hub, people: People) -> None:
    """Anna's, of Sales: 60 s of talk, 5 s on hold, 10 s of wrap-up, after a wait of 20 s."""

    def emit(tx: Tx) -> None:
        answered = tx.now - timedelta(seconds=75)
        queued, hung_up = answered - timedelta(seconds=20), tx.now - timedelta(seconds=10)
        of = (1, 1, "line", people.sales_id, "in")
        tx.emit(CallEnded(*of, queued, queued, answered, hung_up, "completed"), {FACTS})
        part = (1, 1, 1, people.anna.id, "line", people.sales_id, "in", "answered", answered)
        tx.emit(CallSegmentEnded(*part, 60.0, 5.0, 10.0, tx.now, "completed", None), {FACTS})

    await hub.database.transaction(emit)
    await hub.database.transaction(project)


async def test_every_measure_is_told_with_its_formula(as_anna: Caller) -> None:
    items = (await as_anna.get("/measures")).json()["items"]
    words = {each.id: (each.version, each.formula) for each in MEASURES.values()}
    words |= {each.id: (each.version, each.formula) for each in (*MOMENTS.values(), *DEFINITIONS.values())}
    assert {item["id"]: (item["version"], item["formula"]) for item in items} == words
    assert len(items) == len(MEASURES) + len(MOMENTS) + len(DEFINITIONS)
    assert next(item for item in items if item["id"] == "service_level") == {
        "id": "service_level",
        "version": 1,
        "name": "Service level",
        "formula": MEASURES["service_level"].formula,
        "unit": "share",
        "clock": "wall",
        "source": "fact.queue_visit",
        "day_by": "removed_at",
        "better": "higher",
        "by": ["none", "queue", "channel", "topic"],
        "has_contacts": True,
        "params": [
            {"name": "threshold_s", "default": 20, "choices": list(LADDER_S)},
            {"name": "short_s", "default": 5, "choices": list(LADDER_S)},
        ],
        "report": "figures",
    }
    assert next(item for item in items if item["id"] == "longest_waiting_s") == {
        "id": "longest_waiting_s",
        "version": 1,
        "name": "Longest wait now",
        "formula": MOMENTS["longest_waiting_s"].formula,
        "unit": "seconds",
        "clock": "wall",
        "source": "conversation",
        "day_by": None,
        "better": "lower",
        "by": ["none", "queue"],
        "has_contacts": False,
        "params": [],
        "report": "moments",
    }
    assert {item["id"]: item["report"] for item in items if item["id"] in DEFINITIONS} == {
        "adherence": "adherence",
        "conformance": "adherence",
    }


async def test_a_supervisor_is_told_everybodys_figures_and_an_agent_their_own(
    hub: Hub, people: People, as_anna: Caller, call: Call
) -> None:
    await take_a_call(hub, people)
    own = (await as_anna.get("/snapshot")).json()
    assert (own["numbers"]["calls_in"], own["numbers"]["aht_s"], own["agent_numbers"]) == (1, 75.0, [])
    everybodys = (await (await call(people.supervisor)).get("/snapshot")).json()
    assert everybodys["agent_numbers"] == [own["numbers"]]
    assert everybodys["queue_numbers"] == own["queue_numbers"]
    assert [(n["queue_id"], n["calls_answered"], n["wait_mean_s"]) for n in own["queue_numbers"]] == [
        (people.sales_id, 1, 20.0)
    ]


async def test_nobody_is_told_of_queues_that_are_not_theirs(hub: Hub, people: People, call: Call) -> None:
    await take_a_call(hub, people)
    assert (await (await call(people.bert)).get("/snapshot")).json()["queue_numbers"] == []
