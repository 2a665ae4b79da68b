"""One thing done to many conversations: each by itself, told one by one, and done twice it is done once."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from hub.domain.values import Role
from tests.support.running_hub import Api, House
from tests.web.test_customers import house, nare, running, text_from

__all__ = ["house", "nare", "running"]

pytestmark = pytest.mark.anyio


async def three(house: House, nare: Api) -> list[int]:
    """Of the first, Nare holds it; a colleague holds the second; the third waits."""
    for number in range(3):
        await text_from(house, f"+3749100000{number}", f"Hello {number}", f"SM{number}")
    ids = sorted(each["id"] for each in (await nare.get("/conversations")).json()["items"])
    colleague = house.api(await house.person("Vahe"))
    for who, conversation_id in ((nare, ids[0]), (colleague, ids[1])):
        assert (await who.post(f"/conversations/{conversation_id}/claim", {})).status_code == 200
    return ids


async def act(who: Api, ids: list[int], action: str, **more: Any) -> httpx2.Response:
    return await who.post("/bulk/conversations", {"ids": ids, "action": action, **more})


def codes(answer: httpx2.Response) -> list[str | None]:
    assert answer.status_code == 200, answer.text
    return [item["code"] for item in answer.json()["items"]]


async def test_what_cannot_be_done_to_one_is_told_and_the_others_are_done(house: House, nare: Api) -> None:
    ids = await three(house, nare)
    answer = await act(nare, [*ids, 999_999, ids[0]], "resolve")
    assert codes(answer) == [None, "forbidden", None, "not_found"], "each once, in order"
    states = [item["conversation"] and item["conversation"]["status"] for item in answer.json()["items"]]
    assert states == ["resolved", None, "resolved", None]
    again = await act(nare, ids, "resolve")
    assert codes(again) == [None, "forbidden", None]
    versions = [item["conversation"]["version"] for item in (answer.json()["items"][0], again.json()["items"][0])]
    assert versions[0] == versions[1], "twice is once"


async def test_tags_are_added_to_those_that_are_there_and_taken_off_again(house: House, nare: Api) -> None:
    ids = await three(house, nare)
    await nare.put(f"/conversations/{ids[2]}/tags", {"tags": ["vip"]})
    answer = await act(nare, ids[::2], "tag", tags=["kettle", "vip", " two  words "])
    tags = [item["conversation"]["tags"] for item in answer.json()["items"]]
    assert tags == [["kettle", "vip", "two words"], ["vip", "kettle", "two words"]]
    answer = await act(nare, ids[::2], "untag", tags=["kettle", "never there"])
    assert [item["conversation"]["tags"] for item in answer.json()["items"]] == [["vip", "two words"]] * 2
    full = await act(nare, [ids[0]], "tag", tags=[f"t{number}" for number in range(19)])
    assert codes(full) == ["invalid"]


async def test_a_supervisor_moves_many_and_an_agent_what_is_theirs(house: House, nare: Api) -> None:
    ids = await three(house, nare)
    supervisor = house.api(await house.person("Sona", Role.SUPERVISOR))
    other = await house.queue("Repairs")
    assert codes(await act(nare, ids, "transfer", queue_id=other)) == [None, "forbidden", None]
    assert codes(await act(supervisor, ids, "transfer", agent_id=nare.person.user_id)) == [None] * 3  # type: ignore[union-attr]
    held = (await supervisor.get("/conversations")).json()["items"]
    assert {each["assignee_id"] for each in held} == {nare.person.user_id}  # type: ignore[union-attr]
    assert (await act(nare, ids, "priority", priority=10)).json()["code"] == "no_permission"
    answer = await act(supervisor, ids, "priority", priority=10)
    assert [item["conversation"]["priority"] for item in answer.json()["items"]] == [10, 10, 10]


async def test_they_are_put_aside_and_taken_up_again(house: House, nare: Api) -> None:
    ids = await three(house, nare)
    until = house.hub.database.clock().replace(microsecond=0)
    until = until.replace(year=until.year + (until.month == 12), month=until.month % 12 + 1, day=1)
    answer = await act(nare, ids, "park", until=until.isoformat())
    assert codes(answer) == [None, "forbidden", "not_held"]
    answer = await act(nare, ids[:1], "unpark")
    assert answer.json()["items"][0]["conversation"]["parked_until"] is None


async def test_what_is_done_with_old_work_makes_no_old_words_new(house: House, nare: Api) -> None:
    ids = await three(house, nare)
    supervisor = house.api(await house.person("Sona", Role.SUPERVISOR))

    async def said() -> list[tuple[int, str]]:
        return [
            (each["id"], each["last_entry_at"]) for each in (await supervisor.get("/conversations")).json()["items"]
        ]

    before = await said()
    assert [conversation_id for conversation_id, _ in before] == ids[::-1]
    other = await house.queue("Repairs")
    assert codes(await act(supervisor, ids, "transfer", agent_id=nare.person.user_id)) == [None] * 3  # type: ignore[union-attr]
    assert codes(await act(supervisor, ids, "tag", tags=["kettle"])) == [None] * 3
    assert codes(await act(supervisor, ids, "priority", priority=10)) == [None] * 3
    assert codes(await act(supervisor, ids[:2], "transfer", queue_id=other)) == [None] * 2
    assert await said() == before, "customers wait as long as they did, and stand where they stood"

    # A word of either side does, and so does a note.
    note = {"text": "Ask the workshop."}
    assert (await supervisor.post(f"/conversations/{ids[0]}/notes", note)).status_code in (200, 201)
    after = await said()
    assert [conversation_id for conversation_id, _ in after] == [ids[0], ids[2], ids[1]]
    assert after[1:] == [each for each in before if each[0] != ids[0]]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"action": "tag"}, "tags"),
        ({"action": "park"}, "until"),
        ({"action": "priority"}, "priority"),
        ({"action": "transfer"}, "agent_id"),
        ({"action": "transfer", "agent_id": 1, "queue_id": 1}, "agent_id"),
        ({"action": "delete"}, "action"),
        ({"action": "resolve", "ids": []}, "ids"),
        ({"action": "resolve", "ids": list(range(1, 52))}, "ids"),
        ({"action": "resolve", "ids": ["x"]}, "ids.0"),
    ],
)
async def test_what_is_lacking_is_named_before_anything_is_done(nare: Api, body: dict[str, Any], named: str) -> None:
    answer = await nare.post("/bulk/conversations", {"ids": [1], **body})
    assert (answer.status_code, answer.json()["fields"].keys()) == (422, {named}), answer.text
