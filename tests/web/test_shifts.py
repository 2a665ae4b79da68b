"""Schedules by the API: weeks that repeat, days of their own, copies, files, adherence, and who is not here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from hub.app import Hub
from hub.store import tables
from hub.store.database import Tx
from tests.support.clock import START, FrozenClock
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

# START is Monday, 9:00 by the organisation's clock, which is that of UTC.
MONDAY, TUESDAY, NEXT_MONDAY = "2026-03-02", "2026-03-03", "2026-03-09"
DAY = [
    {"starts": "08:00", "ends": "16:00", "activity": "work"},
    {"starts": "12:00", "ends": "12:30", "activity": "break"},
]
WEEK: list[list[dict[str, str]]] = [DAY] * 5 + [[], []]


@pytest.fixture
async def as_sue(call: Call, people: People) -> Caller:
    return await call(people.supervisor)


async def shifts(caller: Caller, first: str = MONDAY, last: str = MONDAY, more: str = "") -> Any:
    answer = await caller.get(f"/shifts?from={first}&to={last}{more}")
    assert answer.status_code == 200, answer.text
    return answer.json()["agents"]


async def test_a_week_repeats_and_a_day_may_be_otherwise(as_sue: Caller, people: People) -> None:
    path = f"/shifts/{people.anna.id}"
    saved = await as_sue.put(f"{path}/week", {"since": MONDAY, "week": WEEK})
    assert [day["pieces"] for day in saved.json()["days"]] == WEEK
    late = [{"starts": "22:00", "ends": "26:00", "activity": "work"}]
    assert (await as_sue.put(f"{path}/days/{TUESDAY}", {"pieces": late})).status_code == 200
    (anna,) = await shifts(as_sue, "2026-03-01", TUESDAY, f"&agent={people.anna.id}")
    assert [(day["is_own"], day["pieces"]) for day in anna["days"]] == [(False, []), (False, DAY), (True, late)]
    assert (anna["week_since"], anna["week"]) == (MONDAY, WEEK)
    assert (await as_sue.delete(f"{path}/days/{TUESDAY}")).status_code == 204
    (anna,) = await shifts(as_sue, TUESDAY, TUESDAY, f"&agent={people.anna.id}")
    assert anna["days"] == [{"day": TUESDAY, "is_own": False, "pieces": DAY}]


async def test_agents_see_their_own_schedules_only(as_sue: Caller, as_anna: Caller, people: People) -> None:
    assert {each["user_id"] for each in await shifts(as_sue)} >= {people.anna.id, people.bert.id}
    assert [each["user_id"] for each in await shifts(as_anna)] == [people.anna.id]
    bert = f"from={MONDAY}&to={MONDAY}&agent={people.bert.id}"
    assert (await as_anna.get(f"/shifts?{bert}")).status_code == 404
    assert (await as_anna.get(f"/shifts/adherence?{bert}")).status_code == 404


async def test_a_week_is_copied_as_days_of_its_own(as_sue: Caller, people: People) -> None:
    path = f"/shifts/{people.anna.id}"
    await as_sue.put(f"{path}/week", {"since": "2026-02-23", "week": WEEK})
    await as_sue.put(f"{path}/days/{TUESDAY}", {"pieces": []})
    copied = await as_sue.post("/shifts/copy", {"source": MONDAY, "target": NEXT_MONDAY})
    assert copied.json() == {"days": 7}, "Bert has no schedule, and gets none by it"
    (anna,) = await shifts(as_sue, NEXT_MONDAY, "2026-03-15", f"&agent={people.anna.id}")
    assert [day["pieces"] for day in anna["days"]] == [DAY, [], DAY, DAY, DAY, [], []]
    (bert,) = await shifts(as_sue, NEXT_MONDAY, NEXT_MONDAY, f"&agent={people.bert.id}")
    assert bert["days"][0]["is_own"] is False


async def test_a_file_is_imported_whole_or_not_at_all(as_sue: Caller, people: People) -> None:
    head = "agent,day,starts,ends,activity\n"
    good = f"anna@hub.test,{MONDAY},08:00,16:00,work\nAnna@hub.test,{MONDAY},12:00,12:30,break\n"
    wrong = f"nobody@hub.test,{MONDAY},08:00,16:00,work\nanna@hub.test,{TUESDAY},16:00,08:00,work\n"
    refused = await as_sue.post("/shifts/import", {"csv": head + good + wrong})
    assert refused.json()["fields"] == {
        "line 4": "there is no active agent with this address",
        "line 5": "ends before it starts; past midnight is written like 26:00",
    }
    assert (await shifts(as_sue, more=f"&agent={people.anna.id}"))[0]["days"][0]["pieces"] == []
    assert (await as_sue.post("/shifts/import", {"csv": head + good})).json() == {"days": 1}
    assert (await shifts(as_sue, more=f"&agent={people.anna.id}"))[0]["days"][0]["pieces"] == DAY


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("GET", "?from=2026-03-02&to=2026-03-01", None, "to"),
        ("GET", "?from=2026-03-02&to=2027-03-01", None, "to"),
        ("GET", "?from=1000-01-01&to=1000-01-02", None, "from"),
        ("GET", "/adherence?from=2026-03-02&to=2027-03-01", None, "to"),
        ("POST", "/copy", {"source": MONDAY, "target": MONDAY}, "target"),
        ("POST", "/copy", {"source": MONDAY, "target": TUESDAY}, "target"),
        ("POST", "/import", {"csv": "agent,day,starts,ends,activity\n"}, "line 2"),
        ("PUT", "/{anna}/days/2026-03-02", {"pieces": [{**DAY[0], "ends": "07:00"}]}, "pieces.0"),
        ("PUT", "/{anna}/days/2026-03-02", {"pieces": [{**DAY[0], "activity": "party"}]}, "pieces.0.activity"),
        ("PUT", "/{anna}/week", {"since": MONDAY, "week": [[], DAY * 2, [], [], [], [], []]}, "week.tuesday.2"),
        ("PUT", "/{anna}/week", {"since": MONDAY, "week": []}, "week"),
    ],
)
async def test_what_is_wrong_is_named(
    as_sue: Caller, people: People, method: str, path: str, body: Any, field: str
) -> None:
    answer = await as_sue.request(method, "/shifts" + path.format(anna=people.anna.id), json=body)
    assert answer.status_code == 422, answer.text
    assert field in answer.json()["fields"]


async def test_nobody_is_scheduled_who_is_no_agent(as_sue: Caller) -> None:
    assert (await as_sue.put("/shifts/999999/week", {"since": MONDAY, "week": WEEK})).status_code == 404
    assert (await as_sue.put(f"/shifts/999999/days/{MONDAY}", {"pieces": DAY})).status_code == 404
    assert (await as_sue.delete(f"/shifts/999999/days/{MONDAY}")).status_code == 404


def spell(tx: Tx, agent_id: int, since: datetime, until: datetime, state: str) -> None:
    body = {"agent_id": agent_id, "since": since, "until": until, "state": state, "reason": None, "load": 0}
    tx.insert_new(tables.fact_agent_state, [{**body, "capacity": 100, "work_count": 0}])


async def test_adherence_is_of_what_is_over_by_now(
    hub: Hub, clock: FrozenClock, as_sue: Caller, as_anna: Caller, people: People
) -> None:
    """Anna, scheduled from 8:00, came at 8:10; it is 9:00, and she has been there since."""
    await as_sue.put(f"/shifts/{people.anna.id}/week", {"since": MONDAY, "week": WEEK})

    def arrive(tx: Tx) -> None:
        came = START - timedelta(minutes=50)
        spell(tx, people.anna.id, START - timedelta(hours=9), came, "offline")
        agent = tables.agent.c
        here = update(tables.agent).where(agent.user_id == people.anna.id)
        tx.execute(here.values(state="available", state_since=came))

    await hub.database.transaction(arrive)
    (anna,) = (await as_anna.get(f"/shifts/adherence?from={MONDAY}&to={MONDAY}")).json()["agents"]
    assert (anna["scheduled_s"], anna["right_s"], anna["unknown_s"]) == (3600, 3000, 0)
    assert (anna["adherence"], anna["conformance"]) == (pytest.approx(5 / 6), pytest.approx(5 / 6))
    assert anna["departures"] == [
        {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T08:10:00Z", "activity": "work", "state": "offline"}
    ]
    everybody = (await as_sue.get(f"/shifts/adherence?from={MONDAY}&to={MONDAY}")).json()["agents"]
    assert [each["adherence"] for each in everybody if each["user_id"] != people.anna.id] == [None] * (
        len(everybody) - 1
    )


async def test_who_should_be_here_and_is_not_is_told(
    hub: Hub, clock: FrozenClock, as_sue: Caller, people: People
) -> None:
    for person in (people.anna, people.bert):
        await as_sue.put(f"/shifts/{person.id}/week", {"since": MONDAY, "week": WEEK})

    def work(tx: Tx) -> None:
        agent = tables.agent.c
        here = update(tables.agent).where(agent.user_id == people.bert.id)
        tx.execute(here.values(state="available", state_since=START))

    await hub.database.transaction(work)
    absent = (await as_sue.get("/shifts/absent")).json()["items"]
    assert [(each["name"], each["activity"], each["since"], each["until"], each["state"]) for each in absent] == [
        ("Anna", "work", "2026-03-02T08:00:00Z", "2026-03-02T12:00:00Z", "offline")
    ]
    clock.advance(hours=3, minutes=10)
    # In the break Anna may be offline, and Bert should not be available.
    absent = (await as_sue.get("/shifts/absent")).json()["items"]
    assert [(each["name"], each["activity"]) for each in absent] == [("Bert", "break")]
    clock.advance(hours=6)
    assert (await as_sue.get("/shifts/absent")).json()["items"] == []
