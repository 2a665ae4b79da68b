"""The inbox over HTTP: what was told, found again, read, all read; tasks; how one is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert

from hub.agents import alerts
from hub.app import Hub, _prune
from hub.domain.values import ChannelKind, ContactKind
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import customers
from tests.support.clock import FrozenClock
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio


async def tell(hub: Hub, user_id: int, reason: str, level: Any = "notify", task_id: int | None = None) -> None:
    def write(tx: Tx) -> None:
        alerts.raise_alert(
            tx, [user_id], level=level, reason=reason, conversation_id=None, data={"customer": "Ani"}, task_id=task_id
        )

    await hub.database.transaction(write)


async def reasons(caller: Caller, query: str = "") -> list[str]:
    return [item["alert"]["reason"] for item in (await caller.get(f"/alerts{query}")).json()["items"]]


async def unseen(caller: Caller) -> list[str]:
    return [alert["reason"] for alert in (await caller.get("/snapshot")).json()["alerts"]]


async def test_the_inbox_is_filtered_paged_and_ones_own(hub: Hub, people: People, as_anna: Caller) -> None:
    for reason in ("mention", "task_due", "escalation", "mention"):
        await tell(hub, people.anna.id, reason)
    await tell(hub, people.bert.id, "mention")
    assert await reasons(as_anna) == ["mention", "escalation", "task_due", "mention"]
    assert await reasons(as_anna, "?show=mentions") == ["mention", "mention"]
    assert await reasons(as_anna, "?show=tasks") == ["task_due"]
    first = (await as_anna.get("/alerts?limit=3")).json()
    rest = (await as_anna.get(f"/alerts?limit=3&cursor={first['next_cursor']}")).json()
    assert [len(first["items"]), len(rest["items"]), rest["next_cursor"]] == [3, 1, None]
    await as_anna.post(f"/alerts/{first['items'][0]['alert']['id']}/seen")
    assert await reasons(as_anna, "?show=unread") == ["escalation", "task_due", "mention"]


async def test_read_and_unread_again_and_only_ones_own(
    hub: Hub, people: People, as_anna: Caller, as_admin: Caller
) -> None:
    await tell(hub, people.anna.id, "mention")
    (item,) = (await as_anna.get("/alerts")).json()["items"]
    path = f"/alerts/{item['alert']['id']}/seen"
    assert (await as_admin.post(path)).status_code == (await as_admin.delete(path)).status_code == 404
    assert (await as_anna.post(path)).json()["seen_at"] is not None
    assert await unseen(as_anna) == []
    for _ in range(2):
        assert (await as_anna.delete(path)).json()["seen_at"] is None
    assert await unseen(as_anna) == ["mention"]


async def test_all_read_leaves_pages_and_what_came_meanwhile(hub: Hub, people: People, as_anna: Caller) -> None:
    await tell(hub, people.anna.id, "mention")
    await tell(hub, people.anna.id, "escalation", "page")
    newest = max(item["alert"]["id"] for item in (await as_anna.get("/alerts")).json()["items"])
    await tell(hub, people.anna.id, "task_due")
    for _ in range(2):
        assert (await as_anna.post("/alerts/seen", {"up_to": newest})).status_code == 204
    assert await unseen(as_anna) == ["escalation", "task_due"]


async def test_what_was_read_long_ago_is_forgotten_and_what_was_not_is_kept(
    hub: Hub, people: People, as_anna: Caller, clock: FrozenClock
) -> None:
    await tell(hub, people.anna.id, "mention")
    await tell(hub, people.anna.id, "task_due")
    (_, first) = (await as_anna.get("/alerts")).json()["items"]
    await as_anna.post(f"/alerts/{first['alert']['id']}/seen")
    clock.advance((alerts.KEPT + timedelta(seconds=1)).total_seconds())
    await hub.database.transaction(_prune, hub.settings)
    anna = await _again(as_anna, people)
    assert await reasons(anna) == ["task_due"]


async def _again(caller: Caller, people: People) -> Caller:
    """Sessions have ended meanwhile."""
    assert (await caller.sign_in(people.anna.email)).status_code == 200
    return caller


async def converse(hub: Hub, people: People) -> int:
    """A conversation in Anna's queue."""

    def make(tx: Tx) -> int:
        customer = customers.create_customer(tx, "Ani", None)
        point = customers.add_contact_point(tx, customer.id, ContactKind.PHONE, "+37491000001")
        of_channel = {"kind": ChannelKind.SMS.value, "name": "SMS", "queue_id": people.sales_id, "settings": {}}
        tx.execute(insert(tables.channel).values(id="sms", secrets="", health_since=tx.now, **of_channel))
        return tx.insert(
            tables.conversation,
            {
                "customer_id": customer.id,
                "contact_point_id": point.contact_points[0].id,
                "channel_id": "sms",
                "queue_id": people.sales_id,
                "queued_since": tx.now,
                "created_at": tx.now,
                "last_entry_at": tx.now,
            },
        )

    return await hub.database.transaction(make)


async def test_a_mention_over_http_shows_its_note_to_whom_it_names(
    hub: Hub, people: People, call: Call, as_anna: Caller
) -> None:
    conversation_id = await converse(hub, people)
    note = {"text": "@Bert: please look", "mentions": [{"kind": "user", "id": people.bert.id}]}
    path = f"/conversations/{conversation_id}"
    as_bert = await call(people.bert)
    assert (await as_bert.get(path)).status_code == 404
    made = await as_anna.post(f"{path}/notes", note, headers={"Idempotency-Key": "n1"})
    again = await as_anna.post(f"{path}/notes", note, headers={"Idempotency-Key": "n1"})
    assert (made.status_code, again.json()["id"]) == (201, made.json()["id"])
    (item,) = (await as_bert.get("/alerts?show=mentions")).json()["items"]
    assert (item["excerpt"], item["alert"]["entry_id"]) == ("@Bert: please look", made.json()["id"])
    assert (await as_bert.get(path)).json()["participant_ids"] == [people.bert.id]
    assert (await as_bert.delete(f"{path}/participants/{people.bert.id}")).status_code == 200
    (item,) = (await as_bert.get("/alerts?show=mentions")).json()["items"]
    assert item["excerpt"] is None, "what may not be seen any more is not told by the inbox either"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"due_at": "2020-01-01T00:00:00Z"}, "due_at"),
        ({"due_at": "2120-01-01T00:00:00Z"}, "due_at"),
        ({"due_at": "2026-11-27T10:00:00"}, "due_at"),
        ({"assignee_id": 999}, "assignee_id"),
        ({"queue_id": 999}, "queue_id"),
        ({"kind": "other"}, "kind"),
        ({"customer_id": 999}, "conversation_id"),
    ],
)
async def test_a_task_that_cannot_be_names_its_fault(
    hub: Hub, people: People, as_anna: Caller, clock: FrozenClock, changes: dict[str, Any], field: str
) -> None:
    conversation_id = await converse(hub, people)
    body = {"title": "Call", "conversation_id": conversation_id, "due_at": (clock() + timedelta(hours=1)).isoformat()}
    answer = await as_anna.post("/tasks", body | changes)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


async def test_tasks_are_listed_for_whom_they_concern(
    hub: Hub, people: People, call: Call, as_anna: Caller, clock: FrozenClock
) -> None:
    conversation_id = await converse(hub, people)
    as_bert, as_sue = await call(people.bert), await call(people.supervisor)
    due = (clock() + timedelta(hours=1)).isoformat()
    mine = (await as_anna.post("/tasks", {"title": "Mine", "conversation_id": conversation_id, "due_at": due})).json()
    given = {"title": "Bert's", "conversation_id": conversation_id, "due_at": due, "assignee_id": people.bert.id}
    assert (await as_anna.post("/tasks", given)).status_code == 201

    async def titles(caller: Caller, query: str) -> list[str]:
        return [task["title"] for task in (await caller.get(f"/tasks{query}")).json()["items"]]

    assert await titles(as_anna, "") == ["Mine"]
    assert await titles(as_anna, "?whose=any") == ["Mine", "Bert's"], "also what she gave"
    assert await titles(as_bert, "?whose=any") == ["Bert's"]
    assert await titles(as_sue, "?whose=any&state=overdue") == []
    assert [task["title"] for task in (await as_bert.get("/snapshot")).json()["tasks"]] == ["Bert's"]
    clock.advance(hours=2)
    assert await titles(as_sue, "?whose=any&state=overdue") == ["Mine", "Bert's"]
    assert (await as_anna.post(f"/tasks/{mine['id']}/end", {"outcome": "done"})).json()["outcome"] == "done"
    assert await titles(as_sue, "?whose=any&state=ended") == ["Mine"]
    assert await titles(as_bert, f"?customer_id={mine['customer_id']}&state=ended") == ["Mine"], "the card has all"
    page = (await as_sue.get("/tasks?whose=any&limit=1")).json()
    assert [task["title"] for task in page["items"]] == ["Bert's"]
    assert (await as_sue.get(f"/tasks?whose=any&limit=1&cursor={page['next_cursor']}")).json()["items"] == []


async def test_a_task_that_was_passed_on_is_not_told_by_the_inbox_of_who_may_not_see_it(
    hub: Hub, people: People, call: Call, as_anna: Caller, clock: FrozenClock
) -> None:
    conversation_id = await converse(hub, people)
    as_bert = await call(people.bert)
    wish = {"title": "Call", "due_at": (clock() + timedelta(hours=1)).isoformat()}
    given = {**wish, "conversation_id": conversation_id, "assignee_id": people.bert.id}
    task = (await as_anna.post("/tasks", given)).json()
    (item,) = (await as_bert.get("/alerts?show=tasks")).json()["items"]
    assert item["task"]["id"] == task["id"]
    taken = {**wish, "note": "Not for Bert", "assignee_id": people.anna.id}
    assert (await as_anna.put(f"/tasks/{task['id']}", taken)).status_code == 200
    (item,) = (await as_bert.get("/alerts?show=tasks")).json()["items"]
    assert item["task"]["note"] == "Not for Bert", "he still sees the customer"
    await as_bert.delete(f"/conversations/{conversation_id}/participants/{people.bert.id}")
    assert (await as_bert.get(f"/tasks/{task['id']}")).status_code == 404
    (item,) = (await as_bert.get("/alerts?show=tasks")).json()["items"]
    assert (item["task"], item["alert"]["task_id"], item["alert"]["data"]) == (None, task["id"], {})
    unseen = (await as_bert.get("/snapshot")).json()["alerts"]
    assert [(alert["task_id"], alert["data"]) for alert in unseen if alert["seen_at"] is None] in (
        [],
        [(task["id"], {})],
    )


async def test_a_task_or_a_customer_asked_for_twice_with_one_key_is_one(
    hub: Hub, people: People, call: Call, as_anna: Caller, clock: FrozenClock
) -> None:
    conversation_id = await converse(hub, people)
    due = (clock() + timedelta(hours=1)).isoformat()
    task = {"title": "Call", "conversation_id": conversation_id, "due_at": due, "assignee_id": people.bert.id}
    for path, body in (("/tasks", task), ("/customers", {"name": "Besik"})):
        key = {"Idempotency-Key": "the-same"}
        answers = await asyncio.gather(*(as_anna.post(path, body, headers=key) for _ in range(3)))
        assert [answer.status_code for answer in answers] == [201] * 3, answers[0].text
        assert len({answer.json()["id"] for answer in answers}) == 1
        other = await as_anna.post(path, {**body, "note": "else"}, headers=key)
        assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")
        await hub.database.transaction(lambda tx: tx.execute(delete(tables.idempotency)))
    assert len((await (await call(people.bert)).get("/alerts")).json()["items"]) == 1


async def test_how_one_is_told_goes_with_the_person_and_two_windows_lose_nothing(as_anna: Caller) -> None:
    night = {"quiet_from": "22:00", "quiet_until": "07:00", "zone": "Asia/Yerevan", "silent": ["mention"]}
    made = await as_anna.put("/me/notice-rules", night | {"version": 0})
    assert (made.status_code, made.json()["version"]) == (200, 1)
    late = await as_anna.put("/me/notice-rules", {"version": 0})
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    assert (await as_anna.put("/me/notice-rules", made.json() | {"quiet_states": ["away"]})).json()["version"] == 2
    rules = (await as_anna.get("/snapshot")).json()["notice_rules"]
    assert (rules["silent"], rules["quiet_from"], rules["quiet_states"]) == (["mention"], "22:00", ["away"])
    assert rules["density"] == "comfortable", "as usual, until somebody says otherwise"
    assert (await as_anna.put("/me/notice-rules", rules | {"density": "compact"})).json()["density"] == "compact"
    assert (await as_anna.get("/snapshot")).json()["notice_rules"] == rules | {"density": "compact", "version": 3}
    wrong = await as_anna.put("/me/notice-rules", rules | {"density": "tiny", "version": 3})
    assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["density"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"quiet_from": "22:00", "quiet_until": "25:00"}, "quiet_until"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"silent": ["everything"]}, "silent.0"),
    ],
)
async def test_rules_that_cannot_be_name_their_fault(as_anna: Caller, changes: dict[str, Any], field: str) -> None:
    answer = await as_anna.put("/me/notice-rules", {"version": 0} | changes)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])
