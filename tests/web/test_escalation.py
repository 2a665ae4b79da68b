"""Escalation policies by the API: kept in versions, refused by field, removed only when nothing goes by them."""

from __future__ import annotations

from typing import Any

import pytest

from hub.app import Hub
from tests.routing.stair import fire
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


def policy(name: str = "Support", **changes: Any) -> Json:
    steps = [{"id": "page-after-ten", "clock": "waiting", "after_s": 600, "actions": [{"kind": "page_supervisor"}]}]
    return {"name": name, "targets": {}, "paused_in": [], "steps": steps, **changes}


def with_action(**action: Any) -> Json:
    return policy(steps=[{"id": "only", "clock": "waiting", "after_s": 600, "actions": [action]}])


async def test_a_policy_is_made_shown_and_listed(as_admin: Caller, call: Call, people: People) -> None:
    given = policy(
        targets={"first_response": 300},
        paused_in=["pending_customer"],
        steps=[
            {
                "id": "half-time",
                "clock": "first_response",
                "share": 0.5,
                "in_states": ["waiting"],
                "actions": [{"kind": "raise_priority", "minutes": 20}, {"kind": "notify_role", "role": "supervisor"}],
            }
        ],
    )
    made = await as_admin.post("/escalation-policies", given)
    assert made.status_code == 201, made.text
    shown = {**given, "id": made.json()["id"], "version": 1}
    shown["steps"] = [{**given["steps"][0], "after_s": None}]
    assert made.json() == shown
    as_supervisor = await call(people.supervisor)
    assert (await as_supervisor.get(f"/escalation-policies/{shown['id']}")).json() == shown
    assert (await as_supervisor.get("/escalation-policies")).json() == {"items": [shown], "next_cursor": None}


async def test_a_change_is_a_new_version_and_no_change_is_none(as_admin: Caller) -> None:
    made = (await as_admin.post("/escalation-policies", policy())).json()
    same = await as_admin.put(f"/escalation-policies/{made['id']}", policy(expected_version=1))
    assert same.json() == made
    changed = await as_admin.put(f"/escalation-policies/{made['id']}", policy("Else", expected_version=1))
    assert (changed.json()["version"], changed.json()["name"]) == (2, "Else")
    late = await as_admin.put(f"/escalation-policies/{made['id']}", policy("Third", expected_version=1))
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")


async def test_a_name_is_taken_once(as_admin: Caller) -> None:
    await as_admin.post("/escalation-policies", policy("One"))
    two = (await as_admin.post("/escalation-policies", policy("Two"))).json()
    again = await as_admin.post("/escalation-policies", policy("One"))
    assert (again.status_code, again.json()["fields"]) == (409, {"name": "is taken"})
    renamed = await as_admin.put(f"/escalation-policies/{two['id']}", policy("One", expected_version=1))
    assert (renamed.status_code, renamed.json()["fields"]) == (409, {"name": "is taken"})


FAULTS: list[tuple[Json, str]] = [
    (with_action(kind="move_to_queue", queue_id=99), "steps.0.actions.0.queue_id"),
    (with_action(kind="notify_user", user_id=99), "steps.0.actions.0.user_id"),
    (with_action(kind="assign_to", user_id=99), "steps.0.actions.0.user_id"),
    (with_action(kind="notify_role", role="king"), "steps.0.actions.0.role"),
    (with_action(kind="raise_priority", minutes=0), "steps.0.actions.0.minutes"),
    (with_action(kind="auto_reply", text=" "), "steps.0.actions.0.text"),
    (with_action(kind="shout"), "steps.0.actions.0.kind"),
    (policy(paused_in=["asleep"]), "paused_in"),
    (policy(targets={"waiting": -1}), "targets.waiting"),
    (policy(targets={"sundial": 60}), "targets.sundial"),
    (policy(steps=[]), "steps"),
    (policy(steps={"id": "no list"}), "steps"),
    (
        policy(steps=[{"id": "a", "clock": "waiting", "share": 0.5, "actions": [{"kind": "page_supervisor"}]}]),
        "steps.0.share",
    ),
    (
        policy(
            steps=[
                {
                    "id": "a",
                    "clock": "idle",
                    "after_s": 5,
                    "in_states": ["bored"],
                    "actions": [{"kind": "page_supervisor"}],
                }
            ]
        ),
        "steps.0.in_states",
    ),
    (policy(name=""), "name"),
    ({"name": "No steps"}, "steps"),
    (policy(speed=3), "speed"),
]


@pytest.mark.parametrize(("given", "field"), FAULTS)
async def test_a_fault_is_named_by_its_field(as_admin: Caller, given: Json, field: str) -> None:
    answer = await as_admin.post("/escalation-policies", given)
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == [field]


async def test_all_faults_are_told_at_once(as_admin: Caller) -> None:
    actions = [{"kind": "move_to_queue", "queue_id": 99}, {"kind": "assign_to", "user_id": 99}]
    given = policy(steps=[{"id": "a", "clock": "waiting", "after_s": 1, "actions": actions}])
    faults = (await as_admin.post("/escalation-policies", given)).json()["fields"]
    assert list(faults) == ["steps.0.actions.0.queue_id", "steps.0.actions.1.user_id"]


async def test_a_policy_in_use_is_not_removed(as_admin: Caller, people: People) -> None:
    made = (await as_admin.post("/escalation-policies", policy())).json()
    path = f"/escalation-policies/{made['id']}"
    assert (await as_admin.patch(f"/queues/{people.sales_id}", {"policy_id": made["id"]})).status_code == 200
    topic = (await as_admin.post("/topics", {"name": "Complaint", "policy_id": made["id"]})).json()
    refused = await as_admin.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert refused.json()["fields"] == {"queues": "Sales", "topics": "Complaint"}
    await as_admin.patch(f"/queues/{people.sales_id}", {"policy_id": None})
    await as_admin.patch(f"/topics/{topic['id']}", {"policy_id": None})
    assert (await as_admin.delete(path)).status_code == 204
    assert (await as_admin.get(path)).status_code == 404


async def test_what_is_not_there_is_told_so(as_admin: Caller, people: People) -> None:
    for answer in (
        await as_admin.get("/escalation-policies/99"),
        await as_admin.put("/escalation-policies/99", policy(expected_version=1)),
        await as_admin.delete("/escalation-policies/99"),
        await as_admin.get("/conversations/99/escalation"),
        await as_admin.post("/alerts/99/seen"),
    ):
        assert answer.status_code == 404


# --- where a conversation stands ------------------------------------------------------------------------------------------


async def test_where_a_conversation_stands_is_told(
    hub: Hub, as_admin: Caller, as_anna: Caller, call: Call, people: People, clock: FrozenClock
) -> None:
    steps = [
        {"id": "page-after-ten", "clock": "waiting", "after_s": 600, "actions": [{"kind": "page_supervisor"}]},
        {"id": "half-time", "clock": "resolution", "share": 0.5, "actions": [{"kind": "tag", "name": "slow"}]},
    ]
    given = policy(targets={"resolution": 7_200}, steps=steps)
    made = (await as_admin.post("/escalation-policies", given)).json()
    await as_admin.patch(f"/queues/{people.sales_id}", {"policy_id": made["id"]})
    scene = Scene(hub.database, queue_id=people.sales_id)
    await scene.channel("loop", "loopback")
    conversation_id = await scene.opened()
    clock.advance(600)
    await fire(scene)
    clock.advance(60)
    shown = (await as_anna.get(f"/conversations/{conversation_id}/escalation")).json()
    assert shown["policy"] == {"id": made["id"], "name": "Support", "version": 1}
    assert (shown["state"], shown["calendar_id"]) == ("waiting", None)
    clocks = {each["clock"]: each for each in shown["clocks"]}
    assert list(clocks) == ["waiting", "first_response", "next_response", "resolution"]
    assert clocks["resolution"] == {
        "clock": "resolution",
        "elapsed_s": 660,
        "target_s": 7_200,
        "started_at": "2026-03-02T09:00:00Z",
        "is_paused": False,
    }
    (fired,) = shown["fired"]
    assert (fired["step_id"], fired["run"], fired["is_over"]) == ("page-after-ten", 1, False)
    assert (fired["due_at"], fired["fired_at"]) == ("2026-03-02T09:10:00Z", "2026-03-02T09:10:00Z")
    assert fired["actions"] == [{"kind": "page_supervisor"}]
    assert shown["next"] == {
        "step_id": "half-time",
        "clock": "resolution",
        "due_at": "2026-03-02T10:00:00Z",
        "actions": [{"kind": "tag", "name": "slow"}],
    }
    view = (await as_anna.get(f"/conversations/{conversation_id}")).json()
    assert (view["escalated"], view["next_step_at"]) == (1, "2026-03-02T10:00:00Z")

    boss = await call(people.supervisor)
    (alert,) = (await boss.get("/snapshot")).json()["alerts"]
    assert (alert["level"], alert["reason"], alert["conversation_id"]) == ("page", "escalation", conversation_id)
    assert (await as_anna.post(f"/alerts/{alert['id']}/seen")).status_code == 404
    seen = (await boss.post(f"/alerts/{alert['id']}/seen")).json()
    assert (seen["seen_at"], seen["version"]) == ("2026-03-02T09:11:00Z", 2)
    assert (await boss.post(f"/alerts/{alert['id']}/seen")).json() == seen
    assert (await boss.get("/snapshot")).json()["alerts"] == []
    stranger = await call(people.bert)
    assert (await stranger.get(f"/conversations/{conversation_id}/escalation")).status_code == 404


async def test_without_a_policy_there_is_nothing_to_tell(hub: Hub, as_anna: Caller, people: People) -> None:
    scene = Scene(hub.database, queue_id=people.sales_id)
    await scene.channel("loop", "loopback")
    conversation_id = await scene.opened()
    shown = (await as_anna.get(f"/conversations/{conversation_id}/escalation")).json()
    nothing: Json = {"policy": None, "calendar_id": None, "clocks": [], "fired": [], "next": None}
    assert shown == {"state": "waiting", **nothing}


# --- topics and tags ------------------------------------------------------------------------------------------------------


async def test_topics_and_tags_by_the_api(hub: Hub, as_admin: Caller, as_anna: Caller, people: People) -> None:
    made = (await as_admin.post("/topics", {"name": "Complaint", "is_complaint": True})).json()
    changed = await as_admin.patch(f"/topics/{made['id']}", {"owner_id": people.anna.id, "expected_version": 1})
    assert (changed.json()["owner_id"], changed.json()["version"]) == (people.anna.id, 2)
    kept = await as_admin.patch(f"/topics/{made['id']}", {"name": "Complaints"})
    assert kept.json()["owner_id"] == people.anna.id
    off = await as_admin.patch(f"/topics/{made['id']}", {"owner_id": None})
    assert off.json()["owner_id"] is None
    assert (await as_anna.get("/topics")).json() == {"items": [off.json()], "next_cursor": None}
    assert (await as_anna.get("/snapshot")).json()["topics"] == [off.json()]

    scene = Scene(hub.database, queue_id=people.sales_id)
    await scene.channel("loop", "loopback")
    conversation_id = await scene.opened()
    about = await as_anna.put(f"/conversations/{conversation_id}/topic", {"topic_id": made["id"]})
    assert about.json()["topic_id"] == made["id"]
    tagged = await as_anna.put(f"/conversations/{conversation_id}/tags", {"tags": ["late", "vip"]})
    assert tagged.json()["tags"] == ["late", "vip"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/conversations/ID/topic", {"topic_id": 99}, "topic_id"),
        ("/conversations/ID/topic", {}, "topic_id"),
        ("/conversations/ID/tags", {"tags": [""]}, "tags.0"),
        ("/conversations/ID/tags", {"tags": ["x" * 51]}, "tags.0"),
        ("/conversations/ID/tags", {"tags": [str(number) for number in range(21)]}, "tags"),
    ],
)
async def test_what_cannot_be_said_of_a_conversation_is_named(
    hub: Hub, as_anna: Caller, people: People, path: str, body: Json, field: str
) -> None:
    scene = Scene(hub.database, queue_id=people.sales_id)
    await scene.channel("loop", "loopback")
    answer = await as_anna.put(path.replace("ID", str(await scene.opened())), body)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])
