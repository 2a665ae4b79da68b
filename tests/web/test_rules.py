"""The rules that place new work by the API: saved, tried out on the past, brought into force, and refused by their fields."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.app import Hub
from hub.channels.channel import Consent
from hub.domain.values import Role
from hub.routing import dispatcher, rule_trial
from hub.store import tables
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio


def rule(rule_id: str = "refunds", *, when: dict[str, Any] | None = None, **then: Any) -> dict[str, Any]:
    return {"id": rule_id, "name": rule_id.title(), "when": when or {}, "then": then}


async def saved(as_admin: Caller, *rules: dict[str, Any], mode: str = "all", seen: int | None = None) -> dict[str, Any]:
    answer = await as_admin.post("/rules", {"mode": mode, "rules": rules, "expected_version": seen})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
async def scene(hub: Hub, people: People) -> Scene:
    made = Scene(hub.database, people.support_id)
    await made.channel("loop", "loopback")
    return made


# --- versions -----------------------------------------------------------------------------------------------------------


async def test_rules_are_saved_brought_into_force_and_switched_off(
    as_admin: Caller, call: Call, people: People, scene: Scene
) -> None:
    boss = await call(people.supervisor)
    assert (await boss.get("/rules")).json() == {"active": None, "latest": None, "versions": []}
    first = await saved(as_admin, rule(when={"words": {"any": ["refund"]}}, queue_id=people.sales_id, priority=30))
    assert first == {
        "version": first["version"],
        "mode": "all",
        "rules": [
            {
                "id": "refunds",
                "name": "Refunds",
                "enabled": True,
                "when": {
                    "channel_ids": [],
                    "kinds": [],
                    "hours": None,
                    "words": {"any": ["refund"], "all": [], "none": [], "where": "both"},
                    "languages": [],
                    "tier_at_least": None,
                    "is_known": None,
                    "topic_ids": [],
                    "sender_domains": [],
                },
                "then": {
                    "queue_id": people.sales_id,
                    "priority": 30,
                    "required": [],
                    "tags": [],
                    "topic_id": None,
                    "auto_reply": None,
                },
            }
        ],
        "created_by": people.admin.id,
        "created_at": "2026-03-02T09:00:00Z",
        "activated_at": None,
        "active": False,
        "faults": {},
    }
    # As it is told it can be saved again.
    second = await saved(as_admin, *first["rules"], seen=first["version"])
    answer = await as_admin.post(f"/rules/{second['version']}/activate", {"expected_active_version": None})
    assert (answer.json()["active"], answer.json()["activated_at"]) == (True, "2026-03-02T09:00:00Z")
    told = (await boss.get("/rules")).json()
    assert (told["active"], told["latest"]) == (answer.json(), answer.json())
    assert [each["version"] for each in told["versions"]] == [second["version"], first["version"]]
    assert (await boss.get(f"/rules/{first['version']}")).json() == first
    conversation_id = await scene.opened("My refund")
    view = (await as_admin.get(f"/conversations/{conversation_id}")).json()
    assert (view["queue_id"], view["priority"]) == (people.sales_id, 30)
    assert (await as_admin.post("/rules/deactivate")).json()["active"] is None
    assert (await as_admin.post("/rules/deactivate")).json()["code"] == "not_active"


async def test_whoever_comes_late_is_told(as_admin: Caller) -> None:
    first = await saved(as_admin, rule(priority=1))
    late = await as_admin.post("/rules", {"mode": "all", "rules": [], "expected_version": None})
    path = f"/rules/{first['version']}/activate"
    wrong = await as_admin.post(path, {"expected_active_version": 7})
    once = await as_admin.post(path)
    twice = await as_admin.post(path)
    missing = await as_admin.post("/rules/999/activate")
    assert [(each.status_code, each.json().get("code")) for each in (late, wrong, once, twice, missing)] == [
        (409, "version_conflict"),
        (409, "version_conflict"),
        (200, None),
        (409, "already_active"),
        (404, "not_found"),
    ]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rules": [rule(priority=1), rule("b", queue_id=999_999)]}, "rules.1.then.queue_id"),
    ({"rules": [rule(priority=601)]}, "rules.0.then.priority"),
    ({"rules": [rule(priority="high")]}, "rules.0.then.priority"),
    ({"rules": [rule(colour="red")]}, "rules.0.then.colour"),
    ({"rules": [rule(when={"weather": "rain"}, priority=1)]}, "rules.0.when.weather"),
    ({"rules": [rule(when={"kinds": ["fax"]}, priority=1)]}, "rules.0.when.kinds.0"),
    ({"rules": [rule(required=[{"skill_id": 1, "level": 9}])]}, "rules.0.then.required.0.level"),
    ({"rules": [rule(auto_reply="{opens}")]}, "rules.0.then.auto_reply"),
    ({"rules": [rule(when={"words": {"any": ["..."]}}, priority=1)]}, "rules.0.when.words.any.0"),
    ({"mode": "any"}, "mode"),
]


@pytest.mark.parametrize(("wrong", "field"), WRONG)
async def test_what_are_no_rules_is_refused_by_its_field(as_admin: Caller, wrong: dict[str, Any], field: str) -> None:
    body = {"mode": "all", "rules": [], **wrong}
    answers = [await as_admin.post("/rules", body), await as_admin.post("/rules/try", body)]
    assert [(answer.status_code, *answer.json()["fields"]) for answer in answers] == [(422, field)] * 2
    assert (await as_admin.get("/rules")).json()["versions"] == []


# --- the trial ----------------------------------------------------------------------------------------------------------


async def tried(as_admin: Caller, *rules: dict[str, Any], **other: Any) -> dict[str, Any]:
    answer = await as_admin.post("/rules/try", {"mode": "all", "rules": rules, **other})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def placed(queue_id: int, **other: Any) -> dict[str, Any]:
    usual = {"priority": 0, "required": [], "tags": [], "topic_id": None, "owner_id": None, "has_auto_reply": False}
    return {"queue_id": queue_id, **usual, **other}


async def test_rules_are_tried_on_the_past_and_change_nothing(as_admin: Caller, people: People, scene: Scene) -> None:
    await scene.opened("Hello", sender="a")
    second = await scene.opened("My refund, please", sender="b")
    await scene.say("and my REFUND", sender="a")  # a later message places nothing
    before = await scene.rows(tables.conversation)
    trial = await tried(
        as_admin,
        rule("refunds", when={"words": {"any": ["refund"]}}, queue_id=people.sales_id, auto_reply="Hello"),
        rule("chats", when={"kinds": ["chat"]}, priority=9),
    )
    assert trial == {
        "looked_at": 2,
        "changed": 1,
        "by_rule": [{"rule_id": "refunds", "matched": 1}, {"rule_id": "chats", "matched": 0}],
        "examples": [
            {
                "conversation_id": second,
                "customer_name": "b",
                "customer_is_erased": False,
                "created_at": "2026-03-02T09:00:00Z",
                "preview": "My refund, please",
                "matched": ["refunds"],
                "before": placed(people.support_id),
                "after": placed(people.sales_id, has_auto_reply=True),
                "notes": [],
            }
        ],
    }
    assert await scene.rows(tables.conversation) == before
    assert await scene.rows(tables.rule_set) == []


async def test_what_the_rules_in_force_did_is_what_is_compared(as_admin: Caller, people: People, scene: Scene) -> None:
    skill_id = (await as_admin.post("/skills", {"name": "billing"})).json()["id"]
    one = rule(
        when={"words": {"any": ["refund"]}},
        queue_id=people.sales_id,
        priority=5,
        tags=["money", "soon"],
        required=[{"skill_id": skill_id, "level": 2}],
        auto_reply="Hello",
    )
    version = (await saved(as_admin, one))["version"]
    await as_admin.post(f"/rules/{version}/activate")
    conversation_id = await scene.opened("My refund")
    assert (await tried(as_admin, one))["changed"] == 0
    # What became of it since does not count.
    await scene.set(tables.conversation, {"priority": 60, "queue_id": people.support_id}, id=conversation_id)
    assert (await tried(as_admin, one))["changed"] == 0
    (example,) = (await tried(as_admin))["examples"]
    required = [{"skill_id": skill_id, "level": 2}]
    assert example["before"] == placed(
        people.sales_id, priority=5, tags=["money", "soon"], required=required, has_auto_reply=True
    )
    assert example["after"] == placed(people.support_id)


async def test_a_trial_says_what_it_takes_as_it_is_today(as_admin: Caller, people: People, scene: Scene) -> None:
    week = [[["09:00", "18:00"]]] * 7
    hours = (await as_admin.post("/calendars", {"name": "Hours", "zone": "Asia/Yerevan", "week": week})).json()
    await scene.opened()
    await scene.set(tables.customer, {"tier": 2, "language": "hy"})
    trial = await tried(
        as_admin,
        rule("tier", when={"tier_at_least": 1}, priority=1),
        rule("language", when={"languages": ["hy"]}, tags=["hy"]),
        rule("open", when={"hours": {"calendar_id": hours["id"], "open": True}}, tags=["open"]),
        rule("closed", when={"hours": {"calendar_id": hours["id"], "open": False}}, tags=["closed"]),
    )
    (example,) = trial["examples"]
    assert example["matched"] == ["tier", "language", "open"]
    assert example["notes"] == ["tier_today", "language_today", "calendar_today"]


async def test_a_trial_knows_who_was_here_before_and_what_was_never_placed(
    as_admin: Caller, people: People, scene: Scene, clock: FrozenClock
) -> None:
    await scene.channel("other", "loopback")
    first = await scene.opened(sender="a")
    clock.advance(1)
    second = await scene.opened(sender="a", channel_id="other")
    await scene.say("STOP", sender="b", consent=Consent.STOP)
    await scene.say("START", sender="b", consent=Consent.START)
    trial = await tried(as_admin, rule(when={"is_known": True}, tags=["known"]))
    assert [each["conversation_id"] for each in trial["examples"]] == [second] != [first]
    # Where the hub wrote first nothing was placed.
    point = (await scene.row(tables.contact_point, address="b"))["id"]
    agent = await scene.agent(queue_ids={people.support_id}, role=Role.SUPERVISOR)
    await scene.database.transaction(dispatcher.open_conversation, agent, "other", point)
    assert (await tried(as_admin))["looked_at"] == trial["looked_at"]


async def test_a_trial_looks_at_the_newest_in_steps_and_no_further_than_it_is_told(
    as_admin: Caller, scene: Scene, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_trial, "_PAGE", 2)
    monkeypatch.setattr(rule_trial, "_EXAMPLES", 3)
    for number in range(7):
        await scene.opened(f"Hello {number}", sender=f"c{number}")
        clock.advance(600)
    trial = await tried(as_admin, rule(priority=5), limit=5)
    assert (trial["looked_at"], trial["changed"]) == (5, 5)
    assert [each["preview"] for each in trial["examples"]] == ["Hello 6", "Hello 5", "Hello 4"]
    assert (await tried(as_admin, rule(priority=5)))["looked_at"] == 7
    (oldest,) = await scene.rows(tables.conversation, preview="Hello 0")
    await scene.set(tables.conversation, {"created_at": clock() - timedelta(days=2)}, id=oldest["id"])
    assert (await tried(as_admin, rule(priority=5), days=1))["looked_at"] == 6


@pytest.mark.parametrize(
    ("body", "field"), [({"days": 91}, "days"), ({"limit": 5_001}, "limit"), ({"days": 0}, "days")]
)
async def test_a_trial_is_bounded(as_admin: Caller, body: dict[str, int], field: str) -> None:
    answer = await as_admin.post("/rules/try", {"mode": "all", "rules": [], **body})
    assert (answer.status_code, *answer.json()["fields"]) == (422, field)
