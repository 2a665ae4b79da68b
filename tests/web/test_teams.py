"""Teams, targets and how service level is counted, as administrators set them and others see them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from hub.app import Hub
from hub.store import tables
from hub.store.database import Tx
from tests.support.clock import FrozenClock
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

NIGHT = {"name": "Night", "time_zone": "America/New_York", "leaderboard": False}
QUICK = {"measure": "first_response_s", "scope": "all", "scope_id": None, "target": 30, "warning": 60}


def told(tx: Tx) -> list[tuple[str, str]]:
    """(kind, topics) of what this part has told so far."""
    e = tables.event.c
    return [
        (row.kind, row.topics)
        for row in tx.rows(select(e.kind, e.topics).order_by(e.seq))
        if row.kind.startswith(("team.", "target.", "figure_defaults.", "access."))
    ]


# --- teams --------------------------------------------------------------------------------------------------------------


async def test_a_team_is_made_changed_and_removed(
    hub: Hub, as_admin: Caller, as_anna: Caller, people: People, clock: FrozenClock
) -> None:
    made = (await as_admin.post("/teams", {**NIGHT, "member_ids": [people.anna.id]})).json()
    assert made == {"id": made["id"], **NIGHT, "member_ids": [people.anna.id], "version": 1}
    clock.advance(60)
    body = {"name": "Nights", "time_zone": None, "leaderboard": True, "member_ids": [people.bert.id]}
    changed = await as_admin.put(f"/teams/{made['id']}", {**body, "expected_version": 1})
    assert changed.json() == {"id": made["id"], **body, "version": 2}
    assert (await as_anna.get("/teams")).json()["items"] == [changed.json()]
    assert (await as_anna.get("/snapshot")).json()["teams"] == [changed.json()]
    history = (await as_admin.get(f"/teams/{made['id']}/members")).json()["items"]
    assert [(each["user_id"], each["until"] is None) for each in history] == [
        (people.bert.id, True),
        (people.anna.id, False),
    ]
    assert (await as_admin.delete(f"/teams/{made['id']}")).status_code == 204
    assert (await as_anna.get("/teams")).json()["items"] == []
    assert [each for each in await hub.database.read(told) if each[0].startswith("team.")] == [
        ("team.changed", "staff"),
        ("team.changed", "staff"),
        ("team.removed", "staff"),
    ]
    # Its name is free again.
    assert (await as_admin.post("/teams", body)).status_code == 201


async def test_who_joins_or_leaves_takes_a_fresh_snapshot(hub: Hub, as_admin: Caller, people: People) -> None:
    before = len(await hub.database.read(told))
    made = (await as_admin.post("/teams", {"name": "Day", "member_ids": [people.anna.id, people.bert.id]})).json()
    saved = {**made, "member_ids": [people.bert.id], "expected_version": 1}
    del saved["id"], saved["version"]
    await as_admin.put(f"/teams/{made['id']}", saved)
    fresh = [topics for kind, topics in (await hub.database.read(told))[before:] if kind == "access.changed"]
    assert fresh == [f"user:{people.anna.id}", f"user:{people.bert.id}", f"user:{people.anna.id}"]


BAD_TEAMS: list[tuple[dict[str, Any], str]] = [
    ({"name": " \n "}, "name"),
    ({"name": "x" * 61}, "name"),
    ({"time_zone": "Europe"}, "time_zone"),
    ({"time_zone": "../../etc/passwd"}, "time_zone"),
    ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ({"member_ids": [999_999]}, "member_ids"),
    ({"members": []}, "members"),
]


async def test_a_team_that_cannot_be_is_refused_by_field(as_admin: Caller) -> None:
    answers = [await as_admin.post("/teams", {"name": "Day", **given}) for given, _ in BAD_TEAMS]
    assert [answer.status_code for answer in answers] == [422] * len(BAD_TEAMS)
    unnamed = [
        given for (given, name), answer in zip(BAD_TEAMS, answers, strict=True) if name not in answer.json()["fields"]
    ]
    assert unnamed == []
    assert (await as_admin.get("/teams")).json()["items"] == []


async def test_a_name_is_taken_once_and_an_old_version_changes_nothing(as_admin: Caller) -> None:
    made = (await as_admin.post("/teams", {"name": "Day"})).json()
    taken = await as_admin.post("/teams", {"name": " DAY "})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    body: dict[str, Any] = {
        "name": "Day",
        "time_zone": None,
        "leaderboard": False,
        "member_ids": [],
        "expected_version": 7,
    }
    late = await as_admin.put(f"/teams/{made['id']}", body)
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    assert (await as_admin.put("/teams/999", body)).status_code == 404
    assert (await as_admin.delete("/teams/999")).status_code == 404


async def test_who_is_deactivated_is_not_shown_and_comes_back_where_they_were(as_admin: Caller, people: People) -> None:
    made = (await as_admin.post("/teams", {"name": "Day", "member_ids": [people.bert.id]})).json()
    await as_admin.patch(f"/users/{people.bert.id}", {"active": False})
    shown = (await as_admin.get("/teams")).json()["items"][0]
    assert (shown["member_ids"], shown["version"]) == ([], 2)
    body = {**NIGHT, "time_zone": None, "member_ids": [], "expected_version": 2}
    await as_admin.put(f"/teams/{made['id']}", body)
    await as_admin.patch(f"/users/{people.bert.id}", {"active": True})
    assert (await as_admin.get("/teams")).json()["items"][0]["member_ids"] == [people.bert.id]


# --- targets ------------------------------------------------------------------------------------------------------------


async def test_a_target_is_set_changed_and_removed(hub: Hub, as_admin: Caller, people: People) -> None:
    made = (await as_admin.post("/targets", QUICK)).json()
    assert made == {"id": made["id"], **QUICK}
    mine = {**QUICK, "scope": "agent", "scope_id": people.anna.id, "warning": None}
    assert (await as_admin.put(f"/targets/{made['id']}", mine)).json() == {"id": made["id"], **mine}
    assert (await as_admin.delete(f"/targets/{made['id']}")).status_code == 204
    assert (await as_admin.delete(f"/targets/{made['id']}")).status_code == 404
    hers = f"supervisors user:{people.anna.id}"
    assert [each for each in await hub.database.read(told) if each[0].startswith("target.")] == [
        ("target.changed", "staff"),
        ("target.removed", "staff"),
        ("target.changed", hers),
        ("target.removed", hers),
    ]


BAD_TARGETS: list[tuple[dict[str, Any], str]] = [
    ({"measure": "happiness"}, "measure"),
    ({"measure": "offered"}, "measure"),
    ({"measure": "service_level", "scope": "agent", "scope_id": 1, "target": 0.8, "warning": 0.7}, "measure"),
    ({"warning": 20}, "warning"),
    ({"measure": "service_level", "target": 0.8, "warning": 0.9}, "warning"),
    ({"scope": "queue"}, "scope_id"),
    ({"scope": "queue", "scope_id": 999_999}, "scope_id"),
    ({"scope": "team", "scope_id": -1}, "scope_id"),
    ({"scope": "agent", "scope_id": 2**70}, "scope_id"),
    ({"scope_id": 3}, "scope_id"),
    ({"scope": "house"}, "scope"),
    ({"target": "NaN"}, "target"),
]


async def test_a_target_that_cannot_be_is_refused_by_field(as_admin: Caller) -> None:
    answers = [await as_admin.post("/targets", {**QUICK, **given}) for given, _ in BAD_TARGETS]
    assert [answer.status_code for answer in answers] == [422] * len(BAD_TARGETS)
    unnamed = [
        given for (given, name), answer in zip(BAD_TARGETS, answers, strict=True) if name not in answer.json()["fields"]
    ]
    assert unnamed == []
    assert (await as_admin.get("/targets")).json()["items"] == []


async def test_a_figure_has_one_target_a_scope(as_admin: Caller, people: People) -> None:
    await as_admin.post("/targets", QUICK)
    of_sales = {**QUICK, "scope": "queue", "scope_id": people.sales_id}
    other = (await as_admin.post("/targets", of_sales)).json()
    again = [await as_admin.post("/targets", QUICK), await as_admin.put(f"/targets/{other['id']}", QUICK)]
    assert [(answer.status_code, answer.json()["code"]) for answer in again] == [(409, "target_taken")] * 2


async def test_an_agent_sees_the_targets_that_hold_for_them(as_admin: Caller, as_anna: Caller, people: People) -> None:
    team_ids = [
        (await as_admin.post("/teams", {"name": name, "member_ids": [whose.id]})).json()["id"]
        for name, whose in (("Hers", people.anna), ("His", people.bert))
    ]
    scopes = [
        ("all", None),
        ("queue", people.sales_id),
        ("queue", people.support_id),
        *(("team", team_id) for team_id in team_ids),
        ("agent", people.anna.id),
        ("agent", people.bert.id),
    ]
    for scope, scope_id in scopes:
        assert (await as_admin.post("/targets", {**QUICK, "scope": scope, "scope_id": scope_id})).status_code == 201
    seen = [(each["scope"], each["scope_id"]) for each in (await as_anna.get("/targets")).json()["items"]]
    assert seen == [scopes[0], scopes[1], scopes[3], scopes[5]]
    assert (await as_anna.get("/snapshot")).json()["targets"] == (await as_anna.get("/targets")).json()["items"]
    assert len((await as_admin.get("/targets")).json()["items"]) == len(scopes)
    # The targets of a team go with it.
    await as_admin.delete(f"/teams/{team_ids[0]}")
    assert len((await as_anna.get("/targets")).json()["items"]) == 3


# --- how service level is counted ---------------------------------------------------------------------------------------


async def test_the_organisation_chooses_how_service_level_is_counted(hub: Hub, as_admin: Caller, call: Call) -> None:
    usual = {"service_level": "service_level", "threshold_s": 20, "short_s": 5, "version": 1}
    assert (await as_admin.get("/organisation/figures")).json() == usual
    chosen = {"service_level": "service_level_icmi_4", "threshold_s": 30, "short_s": 10}
    answer = await as_admin.put("/organisation/figures", {**chosen, "expected_version": 1})
    assert answer.json() == {**chosen, "version": 2}
    assert (await as_admin.get("/snapshot")).json()["figure_defaults"] == answer.json()
    # Nobody need say it again.
    params = {each["id"]: each["params"] for each in (await as_admin.get("/measures")).json()["items"]}
    assert [each["default"] for each in params["service_level"]] == [30, 10]
    late = await as_admin.put("/organisation/figures", {**chosen, "expected_version": 1})
    assert late.json()["code"] == "version_conflict"
    wrong = {"service_level": "occupancy", "threshold_s": 21, "short_s": 0, "expected_version": 2}
    refused = await as_admin.put("/organisation/figures", wrong)
    assert (refused.status_code, set(refused.json()["fields"])) == (422, {"service_level", "threshold_s", "short_s"})
    assert ("figure_defaults.changed", "staff") in await hub.database.read(told)
