"""What is being written, over HTTP: told by field, seen by who may see the conversation, and told to whoever shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from hub.domain.values import Role
from hub.store import tables
from tests.support.running_hub import House, run_hub
from tests.web.test_conversations import Desk, assert_told, sit_down

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


@pytest.fixture(scope="module")
async def running(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with run_hub(module_sqlite_url, tmp_path_factory.mktemp("hub")) as house:
        yield house


@pytest.fixture
async def desk(running: House) -> Desk:
    await (await running.empty()).write("Hello")
    return await sit_down(running)


def draft(text: str, version: int = 0, **more: Any) -> Json:
    return {"text": text, "expected_version": version, "writer": "page", **more}


async def test_a_draft_is_read_by_colleagues_and_ends_with_its_message(desk: Desk) -> None:
    bert = desk.house.api(await desk.house.person("Bert"))
    saved = (await desk.nare.put(desk.path("/draft"), draft("We will", note="VIP"))).json()
    assert (saved["text"], saved["note"], saved["version"]) == ("We will", "VIP", 1)
    seen = (await bert.get(desk.path("/writing"))).json()
    assert (seen["mine"], [each["text"] for each in seen["others"]]) == (None, ["We will"])

    ending = {"version": saved["version"], "writer": "page"}
    sent = await desk.nare.post(desk.path("/messages"), {"text": "We will.", "draft": ending})
    assert sent.status_code == 201, sent.text
    mine = (await desk.nare.get(desk.path("/writing"))).json()["mine"]
    assert (mine["text"], mine["note"], mine["version"]) == ("", "VIP", 2)
    noted = await desk.nare.post(desk.path("/notes"), {"text": "VIP", "draft": {"version": 2, "writer": "page"}})
    assert noted.status_code == 201, noted.text
    mine = (await desk.nare.get(desk.path("/writing"))).json()["mine"]
    assert (mine["text"], mine["note"], mine["began_at"]) == ("", "", None)


async def test_two_pages_that_write_are_told_apart(desk: Desk) -> None:
    await desk.nare.put(desk.path("/draft"), draft("one"))
    assert_told(await desk.nare.put(desk.path("/draft"), draft("two")), 409, "draft_changed")


async def test_screens_are_told_to_ask_and_not_what_is_written(desk: Desk) -> None:
    nare = await desk.house.person("Lena")
    async with desk.house.screen(nare) as screen:
        saved = await desk.nare.put(desk.path("/draft"), draft("nobody reads this in the stream"))
        await screen.until(lambda screen: screen.volatile)
    (told,) = [each for each in screen.volatile if each["kind"] == "drafting"]
    assert told == {
        "kind": "drafting",
        "conversation_id": desk.id,
        "user_id": saved.json()["user_id"],
        "writer": "page",
    }
    assert "nobody reads this" not in str(screen.events)


async def test_the_snapshot_says_where_one_has_begun(desk: Desk) -> None:
    saved = (await desk.nare.put(desk.path("/draft"), draft("We will"))).json()
    snapshot = (await desk.nare.get("/snapshot")).json()
    assert snapshot["drafts"] == [{"conversation_id": desk.id, "began_at": saved["began_at"]}]


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "/writing", None),
        ("PUT", "/draft", draft("hello")),
        ("POST", "/drafts/1/take", {"expected_version": 1}),
        ("POST", "/planned-messages", {"text": "hello", "hold_s": 5}),
    ],
)
async def test_to_a_stranger_nothing_is_there(desk: Desk, method: str, rest: str, body: Json | None) -> None:
    answer = await desk.stranger.request(method, desk.path(rest), json=body)
    assert_told(answer, 404, "not_found")


async def test_to_a_stranger_a_planned_message_is_not_there(desk: Desk) -> None:
    planned = (await desk.nare.post(desk.path("/planned-messages"), {"text": "hello", "hold_s": 60})).json()
    path = f"/planned-messages/{planned['id']}"
    assert_told(await desk.stranger.patch(path, {"expected_version": 1, "text": "mine"}), 404, "not_found")
    assert_told(await desk.stranger.post(f"{path}/send"), 404, "not_found")
    assert_told(await desk.stranger.post(f"{path}/cancel", {}), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "hello"}, "send_at"),
        ({"text": "hello", "hold_s": 5, "send_at": "2031-01-01T00:00:00Z"}, "send_at"),
        ({"text": "hello", "send_at": "2001-01-01T00:00:00Z"}, "send_at"),
        ({"text": "hello", "send_at": "2031-01-01T00:00:00"}, "send_at"),
        ({"text": "hello", "hold_s": 0}, "hold_s"),
        ({"text": "", "hold_s": 5}, "text"),
        ({"text": "hello", "hold_s": 5, "attachment_ids": [999_999]}, "attachment_ids"),
        ({"text": "hello", "hold_s": 5, "mail": {"kind": "reply"}}, "mail"),
    ],
)
async def test_what_cannot_be_planned_is_told_by_field(desk: Desk, body: Json, field: str) -> None:
    assert_told(await desk.nare.post(desk.path("/planned-messages"), body), 422, "invalid", field)
    assert await desk.count(tables.planned_message) == 0


async def test_the_same_key_twice_is_one_planned_message(desk: Desk) -> None:
    body = {"text": "hello", "hold_s": 60}
    first, second = [await desk.nare.post(desk.path("/planned-messages"), body, key="k") for _ in range(2)]
    assert first.json() == second.json()
    assert await desk.count(tables.planned_message) == 1


async def test_what_is_held_goes_by_itself_and_carries_its_key(desk: Desk) -> None:
    nare = await desk.house.person("Mane")
    async with desk.house.screen(nare) as screen:
        held = await desk.nare.post(desk.path("/planned-messages"), {"text": "held", "hold_s": 1}, key="k-1")
        assert (held.status_code, held.json()["state"]) == (201, "waiting")
        told = await screen.until_text("held")
    assert told["entry"]["client_key"] == "k-1"
    assert "planned.changed" in screen.kinds


async def test_a_message_sends_what_was_held_before_it(desk: Desk) -> None:
    await desk.nare.post(desk.path("/planned-messages"), {"text": "first", "hold_s": 60})
    await desk.nare.post(desk.path("/messages"), {"text": "second"})
    assert await desk.texts() == ["Hello", "first", "second"]


async def test_a_planned_message_is_changed_found_and_taken_back(desk: Desk) -> None:
    at = desk.house.hub.database.clock() + timedelta(days=1)
    body = {"text": "Good morning", "send_at": at.isoformat()}
    planned = (await desk.nare.post(desk.path("/planned-messages"), body)).json()
    path = f"/planned-messages/{planned['id']}"
    changed = await desk.nare.patch(path, {"expected_version": planned["version"], "text": "Good evening"})
    assert (changed.json()["text"], changed.json()["send_at"]) == ("Good evening", planned["send_at"])
    assert_told(await desk.nare.patch(path, {"expected_version": 1, "despite": True}), 409, "planned_changed")
    assert_told(await desk.nare.patch(path, {"expected_version": 2, "text": " "}), 422, "invalid", "text")
    found = (await desk.nare.get("/me/planned-messages")).json()["items"]
    assert [each["text"] for each in found] == ["Good evening"]
    taken = (await desk.nare.post(f"{path}/cancel", {"writer": "page"})).json()
    assert (taken["planned"]["state"], taken["draft"]["text"]) == ("cancelled", "Good evening")
    assert (await desk.nare.get("/me/planned-messages")).json()["items"] == []


async def test_how_long_one_may_undo_is_ones_own(desk: Desk) -> None:
    answer = await desk.nare.patch("/me", {"undo_mail_s": 20, "undo_text_s": 5})
    assert (answer.json()["undo_mail_s"], answer.json()["undo_text_s"]) == (20, 5)
    assert_told(await desk.nare.patch("/me", {"undo_text_s": 61}), 422, "invalid", "undo_text_s")
    stored = await desk.house.hub.database.read(
        lambda tx: tx.scalar(select(tables.user_account.c.undo_mail_s).where(tables.user_account.c.name == "Nare"))
    )
    assert stored == 20
    assert Role.AGENT.value == answer.json()["role"]
