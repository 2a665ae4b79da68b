"""Skills, what is set of a queue, a supervisor's hand on a turn, and why work went where it went: by the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.agents import presence
from hub.app import Hub
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from tests.support.scene import Scene
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio


async def skill(as_admin: Caller, name: str) -> int:
    answer = await as_admin.post("/skills", {"name": name})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


# --- skills -------------------------------------------------------------------------------------------------------------


async def test_skills_are_made_renamed_listed_by_name_and_removed(as_admin: Caller, as_anna: Caller) -> None:
    refunds, billing = await skill(as_admin, "Refunds"), await skill(as_admin, "  Billing ")
    answer = await as_admin.patch(f"/skills/{refunds}", {"name": "Allowances"})
    assert answer.json() == {"id": refunds, "name": "Allowances", "version": 2}
    assert (await as_anna.get("/skills")).json() == {
        "items": [
            {"id": refunds, "name": "Allowances", "version": 2},
            {"id": billing, "name": "Billing", "version": 1},
        ],
        "next_cursor": None,
    }
    assert (await as_admin.delete(f"/skills/{refunds}")).status_code == 204
    assert (await as_admin.delete(f"/skills/{refunds}")).status_code == 404
    assert (await as_admin.patch(f"/skills/{refunds}", {"name": "x"})).status_code == 404


async def test_names_of_skills_are_unique_without_their_case(as_admin: Caller) -> None:
    first, second = await skill(as_admin, "Straße"), await skill(as_admin, "Billing")
    answer = await as_admin.post("/skills", {"name": "STRASSE"})
    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")
    # Two ways to write one letter.
    assert (await as_admin.post("/skills", {"name": "Caf\u00e9"})).status_code == 201
    assert (await as_admin.post("/skills", {"name": "Cafe\u0301"})).status_code == 409
    assert (await as_admin.patch(f"/skills/{second}", {"name": "straße"})).json()["fields"] == {"name": "is taken"}
    assert (await as_admin.patch(f"/skills/{first}", {"name": "STRASSE"})).status_code == 200


NO_NAMES = ["", "   ", "a" * 61, "a\u0007b", "\u200b", "language:", "language:klingon", 5, None]


async def test_what_is_no_name_is_refused(as_admin: Caller) -> None:
    answers = [await as_admin.post("/skills", {"name": name}) for name in NO_NAMES]
    assert [(answer.status_code, *answer.json()["fields"]) for answer in answers] == [(422, "name")] * len(NO_NAMES)


async def test_a_language_is_kept_in_small_letters(as_admin: Caller) -> None:
    assert (await as_admin.post("/skills", {"name": "Language:HY"})).json()["name"] == "language:hy"


async def test_the_matrix_shows_who_can_do_what(as_admin: Caller, call: Call, people: People) -> None:
    boss = await call(people.supervisor)
    billing = await skill(as_admin, "Billing")
    answer = await boss.put(f"/users/{people.anna.id}/skills", {"levels": {str(billing): 4}})
    assert answer.json() == {"user_id": people.anna.id, "name": "Anna", "levels": {str(billing): 4}}
    matrix = (await boss.get("/skills/matrix")).json()
    assert [each["name"] for each in matrix["skills"]] == ["Billing"]
    assert {row["name"]: row["levels"] for row in matrix["agents"]} == {
        "Ada": {},
        "Sue": {},
        "Anna": {str(billing): 4},
        "Bert": {},
    }
    await boss.put(f"/users/{people.anna.id}/skills", {"levels": {}})
    assert all(row["levels"] == {} for row in (await boss.get("/skills/matrix")).json()["agents"])


# (levels, the field that is named); SKILL is the id of a skill there is.
WRONG_LEVELS: list[tuple[Any, str]] = [
    ({"SKILL": 0}, "levels.SKILL"),
    ({"SKILL": 6}, "levels.SKILL"),
    ({"SKILL": "high"}, "levels.SKILL"),
    ({"999": 3}, "levels.999"),
    ({"abc": 3}, "levels.abc"),
    ({"-1": 3}, "levels.-1"),
    ({"SKILL": 1, "0SKILL": 5}, "levels.0SKILL"),
    ({"9" * 19: 3}, "levels." + "9" * 19),
    ([], "levels"),
    (None, "levels"),
]


async def test_a_wrong_level_is_named(as_admin: Caller, people: People) -> None:
    billing = str(await skill(as_admin, "Billing"))
    told = []
    for levels, _ in WRONG_LEVELS:
        body = json.loads(json.dumps({"levels": levels}).replace("SKILL", billing))
        answer = await as_admin.put(f"/users/{people.anna.id}/skills", body)
        told.append((answer.status_code, *answer.json()["fields"]))
    assert told == [(422, field.replace("SKILL", billing)) for _, field in WRONG_LEVELS]


async def test_nobody_who_is_not_there_gets_skills(as_admin: Caller, people: People) -> None:
    assert (await as_admin.put("/users/999999/skills", {"levels": {}})).status_code == 404
    await as_admin.patch(f"/users/{people.bert.id}", {"active": False})
    assert (await as_admin.put(f"/users/{people.bert.id}/skills", {"levels": {}})).status_code == 404


async def test_a_skill_that_queues_require_is_not_removed(as_admin: Caller, people: People) -> None:
    billing = await skill(as_admin, "Billing")
    for queue_id in (people.support_id, people.sales_id):
        await as_admin.patch(f"/queues/{queue_id}", {"required": [{"skill_id": billing, "level": 2}]})
    answer = await as_admin.delete(f"/skills/{billing}")
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert answer.json()["fields"] == {"queues": "Sales, Support"}
    for queue_id in (people.support_id, people.sales_id):
        await as_admin.patch(f"/queues/{queue_id}", {"required": []})
    assert (await as_admin.delete(f"/skills/{billing}")).status_code == 204


# --- what is set of a queue ---------------------------------------------------------------------------------------------

USUAL = {
    "offer_timeout_s": 20,
    "choice": "least_loaded",
    "overflow": [],
    "makes_room": False,
    "ring_s": {},
    "max_wait_s": 3600,
    "exclusion_s": 60,
    "miss_limit": 3,
    "release_when_lost": "live",
    "language_wish_s": None,
    "last_agent_days": None,
    "last_agent_wish_s": None,
    "required": [],
    "unservable": 0,
}


def own(queue: dict[str, Any]) -> dict[str, Any]:
    return {name: queue[name] for name in USUAL}


async def test_everything_of_a_queue_is_set_at_its_making_and_changed_later(as_admin: Caller, people: People) -> None:
    billing = await skill(as_admin, "Billing")
    settings: dict[str, Any] = {
        "choice": "best_skilled",
        "overflow": [{"queue_ids": [people.sales_id, people.support_id], "after_s": 90, "ewt_over_s": 300}],
        "makes_room": True,
        "ring_s": {"chat": 10, "email": 300},
        "max_wait_s": 600,
        "exclusion_s": 0,
        "miss_limit": 5,
        "release_when_lost": "all",
        "language_wish_s": 60,
        "last_agent_days": 30,
        "last_agent_wish_s": 0,
        "required": [{"skill_id": billing, "level": 3}],
    }
    made = (await as_admin.post("/queues", {"name": "Billing", **settings})).json()
    assert own(made) == USUAL | settings
    # What a change does not name stays, and null is a value of the wishes alone.
    queue_id = made["id"]
    same = await as_admin.patch(
        f"/queues/{queue_id}", {"name": "Bills", "choice": None, "overflow": None, "ring_s": None}
    )
    assert own(same.json()) == USUAL | settings
    none = dict.fromkeys(("language_wish_s", "last_agent_days", "last_agent_wish_s"))
    empty = {"overflow": [], "ring_s": {}, "required": [], "makes_room": False}
    changed = await as_admin.patch(f"/queues/{queue_id}", none | empty)
    assert own(changed.json()) == USUAL | settings | none | empty
    assert own((await as_admin.get(f"/queues/{people.sales_id}")).json()) == USUAL
    assert changed.json()["version"] == same.json()["version"] + 1


# (what is set of Support, the field that is named). Sales overflows into Support already: the way back would be a circle.
WRONG_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"overflow": [{"queue_ids": ["SALES"], "after_s": 60}]}, "overflow"),
    ({"overflow": [{"queue_ids": [999_999], "after_s": 60}]}, "overflow"),
    ({"overflow": [{"queue_ids": ["SUPPORT"], "after_s": 60}]}, "overflow"),
    ({"overflow": [{"queue_ids": [], "after_s": 60}]}, "overflow.0.queue_ids"),
    ({"overflow": [{"queue_ids": ["SALES"], "after_s": -1}]}, "overflow.0.after_s"),
    ({"overflow": [{"queue_ids": ["SALES"]}]}, "overflow"),
    ({"overflow": [{"queue_ids": ["SALES"], "after_s": 10**9}]}, "overflow.0.after_s"),
    ({"overflow": [{"queue_ids": ["SALES"], "after_s": 60, "ewt_over_s": -5}]}, "overflow.0.ewt_over_s"),
    ({"calendar_id": 999_999}, "calendar_id"),
    ({"policy_id": 999_999}, "policy_id"),
    ({"ranks": {"999999": 1}}, "ranks"),
    ({"auto_accept": ["fax"]}, "auto_accept.0"),
    ({"callback_attempts": 0}, "callback_attempts"),
    ({"choice": "cheapest"}, "choice"),
    ({"ring_s": {"fax": 20}}, "ring_s"),
    ({"ring_s": {"chat": 4}}, "ring_s.chat"),
    ({"ring_s": {"chat": 901}}, "ring_s.chat"),
    ({"offer_timeout_s": 4}, "offer_timeout_s"),
    ({"max_wait_s": 0}, "max_wait_s"),
    ({"max_wait_s": 10**9}, "max_wait_s"),
    ({"exclusion_s": -1}, "exclusion_s"),
    ({"exclusion_s": 86_401}, "exclusion_s"),
    ({"miss_limit": 0}, "miss_limit"),
    ({"miss_limit": 101}, "miss_limit"),
    ({"release_when_lost": "none"}, "release_when_lost"),
    ({"language_wish_s": -5}, "language_wish_s"),
    ({"last_agent_days": 0}, "last_agent_days"),
    ({"last_agent_days": 367}, "last_agent_days"),
    ({"last_agent_wish_s": -1}, "last_agent_wish_s"),
    ({"makes_room": "perhaps"}, "makes_room"),
    ({"required": [{"skill_id": 999_999, "level": 1}]}, "required"),
    ({"required": [{"skill_id": "SKILL", "level": 1}, {"skill_id": "SKILL", "level": 2}]}, "required"),
    ({"required": [{"skill_id": "SKILL", "level": 6}]}, "required.0.level"),
    ({"required": [{"skill_id": "SKILL", "level": 0}]}, "required.0.level"),
    ({"unservable": 0}, "unservable"),
    ({"chioce": "least_loaded"}, "chioce"),
]


async def test_what_is_wrong_with_a_queue_is_named_and_changes_nothing(as_admin: Caller, people: People) -> None:
    await as_admin.patch(
        f"/queues/{people.sales_id}", {"overflow": [{"queue_ids": [people.support_id], "after_s": 60}]}
    )
    ids = {'"SALES"': people.sales_id, '"SUPPORT"': people.support_id, '"SKILL"': await skill(as_admin, "Billing")}
    before = (await as_admin.get(f"/queues/{people.support_id}")).json()
    told = []
    for wrong, _ in WRONG_SETTINGS:
        body = json.dumps({"signature": "Bye", **wrong})
        for word, number in ids.items():
            body = body.replace(word, str(number))
        answer = await as_admin.patch(f"/queues/{people.support_id}", json.loads(body))
        told.append((answer.status_code, *answer.json()["fields"]))
    assert told == [(422, field) for _, field in WRONG_SETTINGS]
    assert (await as_admin.get(f"/queues/{people.support_id}")).json() == before


async def test_a_queue_that_cannot_be_is_not_made(as_admin: Caller, people: People) -> None:
    answer = await as_admin.post("/queues", {"name": "New", "ring_s": {"fax": 20}})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["ring_s"])
    assert [queue["name"] for queue in (await as_admin.get("/queues")).json()["items"]] == ["Sales", "Support"]


# --- a supervisor's hand ------------------------------------------------------------------------------------------------


@pytest.fixture
async def waiting(hub: Hub, people: People) -> int:
    """A conversation that waits in Sales, where Anna is available; nothing rings yet."""

    def lay(tx: Tx) -> None:
        presence.connect(tx, "screen", people.anna.id, "test", None)
        tx.execute(tables.agent.update().where(tables.agent.c.user_id == people.anna.id).values(state="available"))

    scene = Scene(hub.database, people.sales_id)
    await scene.channel("loop", "loopback")
    await hub.database.transaction(lay)
    return await scene.opened()


async def test_a_supervisor_changes_priority_and_pins(call: Call, people: People, waiting: int) -> None:
    boss = await call(people.supervisor)
    path = f"/conversations/{waiting}/routing"
    changed = (await boss.patch(path, {"priority": 30, "pinned_agent_id": people.bert.id})).json()
    assert (changed["priority"], changed["pinned_agent_id"]) == (30, people.bert.id)
    # What is not named stays; null is nobody.
    changed = (await boss.patch(path, {"priority": -60})).json()
    assert (changed["priority"], changed["pinned_agent_id"]) == (-60, people.bert.id)
    changed = (await boss.patch(path, {"pinned_agent_id": None})).json()
    assert (changed["priority"], changed["pinned_agent_id"]) == (-60, None)
    entries = (await boss.get(f"/conversations/{waiting}/timeline")).json()["items"]
    told = [(entry["happening"], entry["data"]) for entry in entries if entry["happening"]]
    assert told == [
        ("prioritised", {"priority": 30, "before": 0}),
        ("pinned", {"agent_id": people.bert.id, "agent_name": "Bert"}),
        ("prioritised", {"priority": -60, "before": 30}),
        ("pinned", {"agent_id": None, "agent_name": None}),
    ]


WRONG_TURNS: list[tuple[dict[str, Any], str]] = [
    ({"priority": -61}, "priority"),
    ({"priority": 601}, "priority"),
    ({"priority": "high"}, "priority"),
    ({"pinned_agent_id": 999_999}, "pinned_agent_id"),
    ({"agent_id": 1}, "agent_id"),
]


async def test_a_wrong_turn_is_named(call: Call, people: People, waiting: int) -> None:
    boss = await call(people.supervisor)
    answers = [await boss.patch(f"/conversations/{waiting}/routing", change) for change, _ in WRONG_TURNS]
    told = [(answer.status_code, *answer.json()["fields"]) for answer in answers]
    assert told == [(422, field) for _, field in WRONG_TURNS]


async def test_nobody_is_pinned_to_what_somebody_holds(call: Call, people: People, waiting: int) -> None:
    boss = await call(people.supervisor)
    await boss.post(f"/conversations/{waiting}/claim", {"expected_assignee_id": None})
    answer = await boss.patch(f"/conversations/{waiting}/routing", {"pinned_agent_id": people.anna.id})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_waiting")
    assert (await boss.patch("/conversations/999999/routing", {"priority": 1})).status_code == 404


async def test_a_tier_is_a_supervisors_to_give_and_bounded(
    as_anna: Caller, call: Call, people: People, waiting: int
) -> None:
    customer_id = (await as_anna.get(f"/conversations/{waiting}")).json()["customer_id"]
    assert (await as_anna.patch(f"/customers/{customer_id}", {"tier": 3})).status_code == 403
    boss = await call(people.supervisor)
    answer = await boss.patch(f"/customers/{customer_id}", {"tier": 3})
    assert answer.json()["tier"] == 3
    # Saying what it is already is no change.
    assert (await as_anna.patch(f"/customers/{customer_id}", {"tier": 3})).status_code == 200
    assert (await as_anna.patch(f"/customers/{customer_id}", {"name": "Ani"})).json()["tier"] == 3
    for tier in (-1, 4, "gold"):
        refused = await boss.patch(f"/customers/{customer_id}", {"tier": tier})
        assert (refused.status_code, list(refused.json()["fields"])) == (422, ["tier"])


# --- why ----------------------------------------------------------------------------------------------------------------


async def _ring(hub: Hub) -> int:
    await hub.database.transaction(dispatcher.dispatch, 15.0)
    (row,) = await hub.database.read(lambda tx: tx.rows(tables.offer.select().where(tables.offer.c.ended_at.is_(None))))
    return int(row.id)


async def test_why_an_offer_was_made_is_told_to_its_agent(
    hub: Hub, call: Call, as_anna: Caller, people: People, waiting: int
) -> None:
    offer_id = await _ring(hub)
    why = (await as_anna.get(f"/offers/{offer_id}/why")).json()
    assert (why["rule"], why["chosen_agent_id"], why["queue_ids"]) == (
        "least_loaded_then_longest_idle",
        people.anna.id,
        [people.sales_id],
    )
    (candidate,) = why["candidates"]
    assert (candidate["name"], candidate["load"], why["candidate_count"]) == ("Anna", 0, 1)
    assert (why["is_overdue"], why["is_pinned"], why["is_unservable"], why["filtered"]) == (False, False, False, [])
    for person in (people.bert, people.supervisor):
        assert (await (await call(person)).get(f"/offers/{offer_id}/why")).status_code == 404


async def test_why_work_waits_and_whom_it_was_offered_to_is_told_to_whoever_may_see_it(
    hub: Hub, call: Call, as_anna: Caller, people: People, waiting: int
) -> None:
    offer_id = await _ring(hub)
    await as_anna.post(f"/offers/{offer_id}/decline")
    why = (await as_anna.get(f"/conversations/{waiting}/why")).json()
    assert why["conversation_id"] == waiting
    assert why["now"]["chosen_agent_id"] is None
    anna = {"agent_id": people.anna.id, "name": "Anna"}
    # Who else let it pass, or cannot do it, is for supervisors; how many they are is for all.
    assert why["now"]["filtered"] == [
        {"reason": "excluded", "count": 1, "agents": [anna]},
        {"reason": "not_a_member", "count": 3, "agents": []},
    ]
    (offer,) = why["offers"]
    assert (offer["offer_id"], offer["agent_name"], offer["outcome"]) == (offer_id, "Anna", "declined")
    assert offer["explanation"]["chosen_agent_id"] == people.anna.id
    assert (await (await call(people.bert)).get(f"/conversations/{waiting}/why")).status_code == 404
    told = (await (await call(people.supervisor)).get(f"/conversations/{waiting}/why")).json()
    assert [(each["reason"], [who["name"] for who in each["agents"]]) for each in told["now"]["filtered"]] == [
        ("excluded", ["Anna"]),
        ("not_a_member", ["Ada", "Sue", "Bert"]),
    ]


async def test_work_that_nobody_can_do_says_so(
    hub: Hub, as_admin: Caller, as_anna: Caller, people: People, waiting: int
) -> None:
    billing = await skill(as_admin, "Billing")
    await as_admin.patch(f"/queues/{people.sales_id}", {"required": [{"skill_id": billing, "level": 2}]})
    why = (await as_anna.get(f"/conversations/{waiting}/why")).json()["now"]
    assert why["is_unservable"]
    assert {each["reason"]: [who["name"] for who in each["agents"]] for each in why["filtered"]} == {
        "lacks_skill:Billing<2": ["Anna"],
        "not_a_member": [],
    }
    await hub.database.transaction(dispatcher.count_unservable)
    assert (await as_anna.get(f"/queues/{people.sales_id}")).json()["unservable"] == 1


async def test_what_is_held_is_not_explained_and_an_old_offer_has_no_record(
    hub: Hub, as_anna: Caller, waiting: int
) -> None:
    offer_id = await _ring(hub)
    await hub.database.transaction(lambda tx: tx.execute(tables.offer.update().values(explanation=None)))
    await as_anna.post(f"/offers/{offer_id}/accept")
    why = (await as_anna.get(f"/conversations/{waiting}/why")).json()
    assert (why["now"], [offer["explanation"] for offer in why["offers"]]) == (None, [None])
    assert (await as_anna.get(f"/offers/{offer_id}/why")).status_code == 404
