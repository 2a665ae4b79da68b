"""Canned replies over the API: kept, listed by pages, changed with a version, filled in and counted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio


def body(code: str = "hello", **values: Any) -> dict[str, Any]:
    texts = [{"language": "en", "text": "Hello {{customer.first_name|there}}!"}]
    return {"title": "Greeting", "code": code, "texts": texts, **values}


async def test_a_reply_is_kept_changed_and_removed(as_anna: Caller) -> None:
    made = await as_anna.post("/canned-replies", body(folder="Daily"))
    assert (made.status_code, made.json()["scope"], made.json()["folder"]) == (201, "personal", "Daily")
    path = f"/canned-replies/{made.json()['id']}"
    changed = await as_anna.put(path, body("hi", expected_version=1))
    assert (changed.json()["code"], changed.json()["folder"], changed.json()["version"]) == ("hi", "", 2)
    late = await as_anna.put(path, body("late", expected_version=1))
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    assert (await as_anna.delete(path)).status_code == 204
    assert [(await as_anna.get(path)).status_code, (await as_anna.delete(path)).status_code] == [404, 404]


async def test_replies_are_listed_by_pages_as_far_as_one_may_see_them(
    call: Call, people: People, as_anna: Caller
) -> None:
    sue, bert = await call(people.supervisor), await call(people.bert)
    await as_anna.post("/canned-replies", body("annas"))
    await sue.post("/canned-replies", body("all", scope="all"))
    await sue.post("/canned-replies", body("sales", scope="queues", queue_ids=[people.sales_id]))
    first = (await as_anna.get("/canned-replies?limit=2")).json()
    rest = (await as_anna.get(f"/canned-replies?limit=2&cursor={first['next_cursor']}")).json()
    assert [each["code"] for each in first["items"] + rest["items"]] == ["annas", "all", "sales"]
    assert rest["next_cursor"] is None
    assert [each["code"] for each in (await bert.get("/canned-replies")).json()["items"]] == ["all"]
    for each in first["items"] + rest["items"]:
        found = (await bert.get(f"/canned-replies?id={each['id']}")).json()["items"]
        assert found == [each][: each["code"] == "all"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"texts": [{"language": "en", "text": "{{nobody}}"}]}, "texts.0.text"),
        ({"texts": []}, "texts"),
        ({"code": "a b"}, "code"),
        ({"more": 1}, "more"),
    ],
)
async def test_what_cannot_be_kept_is_named(as_anna: Caller, values: dict[str, Any], field: str) -> None:
    answer = await as_anna.post("/canned-replies", body() | values)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


async def test_an_agent_shares_nothing(as_anna: Caller) -> None:
    answer = await as_anna.post("/canned-replies", body(scope="all"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_the_preview_fills_in_and_names_faults(as_anna: Caller) -> None:
    good = await as_anna.post("/canned-replies/preview", {"language": "hy", "text": "Հարգելի {{customer.first_name}}"})
    bad = await as_anna.post("/canned-replies/preview", {"language": "hy", "text": "{{customer.x}}"})
    filled: dict[str, Any] = {"text": "Հարգելի Անի", "subject": None, "language": "hy", "missing": []}
    assert good.json() == {"rendered": filled, "faults": {}}
    assert bad.json()["rendered"]["text"] == "{{customer.x}}"
    assert bad.json()["faults"] == {"text": "there is no {{customer.x}}"}
