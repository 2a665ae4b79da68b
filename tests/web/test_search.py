"""Search and saved views over HTTP: who finds what, filters by name, and answers that say what is wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.agents import accounts
from hub.app import Hub
from hub.channels.channel import MessageArrival
from hub.domain.values import ContactKind
from hub.errors import Conflict
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import saved_views
from hub.timeline.search_index import index_step
from tests.support.clock import FrozenClock
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio


async def write(hub: Hub, queue_id: int, text: str, *, sender: str = "ani", channel_id: str = "loop") -> int:
    """A customer writes, and the index knows; the conversation's id."""

    def channel(tx: Tx) -> None:
        row = {
            "id": channel_id,
            "kind": "loopback",
            "name": "Loop",
            "queue_id": queue_id,
            "settings": {},
            "secrets": "",
            "health_since": tx.now,
        }
        tx.insert_new(tables.channel, [row])

    await hub.database.transaction(channel)
    arrival = MessageArrival(
        provider_id=f"{sender}-{text}",
        contact_kind=ContactKind.LOOPBACK,
        sender=sender,
        text=text,
        raw="{}",
        received_at=hub.database.clock(),
    )
    (outcome,) = await hub.intake.accept(channel_id, [arrival])
    while any(await index_step(hub.database)):
        pass
    assert outcome.conversation_id is not None
    return outcome.conversation_id


async def test_hits_come_in_parts_with_what_is_to_be_opened(hub: Hub, people: People, as_anna: Caller) -> None:
    conversation_id = await write(hub, people.sales_id, "Where is <my> parcel?", sender="Ani")
    answer = (await as_anna.get("/search?q=parcel")).json()
    (hit,) = answer["items"]
    assert hit["snippet"] == [
        {"text": "Where is <my> ", "is_match": False},
        {"text": "parcel", "is_match": True},
        {"text": "?", "is_match": False},
    ]
    assert (hit["kind"], hit["conversation_id"], hit["direction"]) == ("message", conversation_id, "in")
    assert hit["entry_id"] > 0
    assert (answer["next_cursor"], answer["building_percent"]) == (None, None)
    kinds = [hit["kind"] for hit in (await as_anna.get("/search?q=ani")).json()["items"]]
    assert kinds == ["customer"]


async def test_who_may_not_see_it_does_not_find_it(hub: Hub, people: People, as_anna: Caller, call: Call) -> None:
    await write(hub, people.support_id, "Where is my parcel?", sender="Ani")
    for query in ("parcel", "ani"):
        assert (await as_anna.get(f"/search?q={query}")).json()["items"] == []
        supervisor = await call(people.supervisor)
        assert len((await supervisor.get(f"/search?q={query}")).json()["items"]) == 1


async def test_pages_go_on_by_cursors(hub: Hub, people: People, as_anna: Caller) -> None:
    for number in range(5):
        await write(hub, people.sales_id, f"parcel {number}", sender=f"sender {number}")
    for kind, count in (("message", 5), ("customer", 5)):
        query = "parcel" if kind == "message" else "sender"
        seen: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await as_anna.get(f"/search?q={query}&kind={kind}&limit=2{cursor}")).json()
            seen += [hit["entry_id"] or hit["customer_id"] for hit in page["items"]]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
        assert len(seen) == len(set(seen)) == count


async def test_days_are_the_organisations(hub: Hub, people: People, as_anna: Caller, clock: FrozenClock) -> None:
    await write(hub, people.sales_id, "parcel")
    today = clock().date().isoformat()
    assert len((await as_anna.get(f"/search?q=parcel&from={today}&to={today}")).json()["items"]) == 1
    assert (await as_anna.get(f"/search?q=parcel&to={clock().isoformat().replace('+', '%2B')}")).json()["items"] == []
    assert (await as_anna.get("/search?q=parcel&to=2020-01-01")).json()["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("q=" + "a" * 10_000, "q"),
        ("q=a%00b", "q"),
        ("q=a&agent=everybody", "agent"),
        ("q=a&kind=mail", "kind"),
        ("q=a&from=yesterday", "from"),
        ("q=a&to=9999-12-31", "to"),
        ("q=a&from=2026-01-01T10:00:00", "from"),
        ("q=a&cursor=nonsense", "cursor"),
        ("q=a&cursor=WyJ4IiwxXQ", "cursor"),
        ("q=a&limit=0", "limit"),
    ],
)
async def test_what_is_wrong_with_a_question_is_said(as_anna: Caller, query: str, field: str) -> None:
    answer = await as_anna.get(f"/search?{query}")
    assert answer.status_code == 422
    assert any(name.startswith(field) for name in answer.json()["fields"])


@pytest.mark.parametrize("query", ["", "q=", "q=%20%20", "q=%22", "q=%22%22", "q=*", "q=%F0%9F%92%A5", "q=AND%20OR"])
async def test_a_question_without_a_word_finds_nothing(hub: Hub, people: People, as_anna: Caller, query: str) -> None:
    await write(hub, people.sales_id, "parcel")
    answer = await as_anna.get(f"/search?{query}")
    assert (answer.status_code, answer.json()["items"]) == (200, [])


async def test_an_upgraded_hub_says_that_the_index_is_being_made(people: People, as_anna: Caller) -> None:
    assert (await as_anna.get("/search?q=parcel")).json()["building_percent"] == 0


async def test_the_customers_timeline_is_paged_around_an_entry(
    hub: Hub, people: People, as_anna: Caller, clock: FrozenClock
) -> None:
    for number in range(9):
        clock.advance(60)
        await write(hub, people.sales_id, f"line {number}")
    hit = (await as_anna.get("/search?q=%22line%204%22")).json()["items"][0]

    async def page(query: str) -> dict[str, Any]:
        answer = await as_anna.get(f"/customers/{hit['customer_id']}/timeline?{query}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def texts(found: dict[str, Any]) -> list[str]:
        return [entry["text"] for entry in found["items"] if entry["kind"] == "message"]

    around = await page(f"around={hit['entry_id']}&limit=4")
    assert texts(around) == ["line 3", "line 4", "line 5", "line 6"]
    older = await page(f"cursor={around['next_cursor']}&limit=4")
    assert texts(older) == ["line 0", "line 1", "line 2"]
    newer = await page(f"newer={around['newer_cursor']}&limit=2")
    assert texts(newer) == ["line 7", "line 8"]
    assert (await page(f"newer={newer['newer_cursor']}&limit=2"))["newer_cursor"] is None
    assert (await as_anna.get(f"/customers/{hit['customer_id']}/timeline?around=999999")).status_code == 404


# --- saved views --------------------------------------------------------------------------------------------------------


async def test_a_view_counts_and_lists_what_it_asks_for(hub: Hub, people: People, as_anna: Caller, call: Call) -> None:
    vip = await write(hub, people.sales_id, "my invoice is wrong", sender="vip")
    await write(hub, people.sales_id, "my invoice is fine", sender="plain")
    supervisor = await call(people.supervisor)
    customer_id = (await as_anna.get(f"/conversations/{vip}")).json()["customer_id"]
    await supervisor.patch(f"/customers/{customer_id}", {"tier": 2})
    made = await as_anna.post(
        "/views", {"name": " VIP invoices ", "filter": {"words": "invoice", "tier": 1, "is_unanswered": True}}
    )
    assert made.status_code == 201
    view = made.json()
    assert (view["name"], view["count"], view["is_mine"], view["is_shared"]) == ("VIP invoices", 1, True, False)
    page = (await as_anna.get(f"/views/{view['id']}/conversations")).json()
    assert [each["id"] for each in page["items"]] == [vip]
    # It is hers alone.
    assert (await supervisor.get("/views")).json()["items"] == []
    assert (await supervisor.get(f"/views/{view['id']}/conversations")).status_code == 404
    assert (await supervisor.patch(f"/views/{view['id']}", {"name": "Mine"})).status_code == 404


async def test_a_shared_view_shows_each_what_they_may_see(
    hub: Hub, people: People, as_anna: Caller, call: Call
) -> None:
    await write(hub, people.sales_id, "one", sender="ani")
    await write(hub, people.support_id, "two", sender="bela", channel_id="other")
    supervisor = await call(people.supervisor)
    assert (await as_anna.post("/views", {"name": "All", "is_shared": True, "filter": {}})).status_code == 403
    view = (await supervisor.post("/views", {"name": "All", "is_shared": True, "filter": {}})).json()
    assert view["count"] == 2
    (seen,) = (await as_anna.get("/views")).json()["items"]
    assert (seen["count"], seen["is_mine"], seen["owner_name"]) == (1, False, "Sue")
    assert (await as_anna.patch(f"/views/{view['id']}", {"name": "Hers"})).status_code == 403
    assert (await as_anna.request("DELETE", f"/views/{view['id']}")).status_code == 403
    changed = await supervisor.patch(f"/views/{view['id']}", {"name": "Everything", "expected_version": 1})
    assert (changed.json()["name"], changed.json()["version"]) == ("Everything", 2)
    late = await supervisor.patch(f"/views/{view['id']}", {"name": "Late", "expected_version": 1})
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    assert (await supervisor.request("DELETE", f"/views/{view['id']}")).status_code == 204
    assert (await as_anna.get("/views")).json()["items"] == []


@pytest.mark.parametrize(
    ("filter_", "field"),
    [
        ({"assignee": "everybody"}, "filter.assignee"),
        ({"queue_id": 999_999}, "filter.queue_id"),
        ({"topic_id": 999_999}, "filter.topic_id"),
        ({"tier": 4}, "filter.tier"),
        ({"words": "a " * 40}, "q"),
        ({"no": "such"}, "filter.no"),
    ],
)
async def test_a_view_that_asks_nonsense_is_refused(as_anna: Caller, filter_: dict[str, Any], field: str) -> None:
    answer = await as_anna.post("/views", {"name": "Nonsense", "filter": filter_})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


async def test_of_two_who_change_one_view_at_once_the_second_is_told(hub: Hub, people: People, as_anna: Caller) -> None:
    made = (await as_anna.post("/views", {"name": "Mine", "filter": {}})).json()
    anna = await hub.database.read(accounts.viewer_of, people.anna)

    async def rename(name: str) -> str | None:
        try:
            view = await hub.database.transaction(
                saved_views.update_view, anna, made["id"], expected_version=1, name=name
            )
        except Conflict:
            return None
        return view.name

    (name,) = [name for name in await asyncio.gather(*map(rename, "abcdefgh")) if name is not None]
    (kept,) = (await as_anna.get("/views")).json()["items"]
    assert (kept["version"], kept["name"]) == (2, name)
