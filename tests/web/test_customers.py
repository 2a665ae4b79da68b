"""Customers over HTTP: one card for one person, whoever may see it, and nobody's edit lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from hub.domain.values import ChannelKind
from tests.support.running_hub import NUMBER, Api, House, run_hub

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    url = request.getfixturevalue(f"module_{request.param}_url")
    async with run_hub(url, tmp_path_factory.mktemp("hub")) as house:
        yield house


@pytest.fixture
async def house(running: House) -> House:
    await (await running.empty()).channel("sms", ChannelKind.SMS)
    return running


@pytest.fixture
async def nare(house: House) -> Api:
    return house.api(await house.person("Nare"))


def assert_told(answer: httpx2.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def text_from(house: House, number: str, text: str, sid: str) -> None:
    form = [("MessageSid", sid.ljust(34, "0")), ("From", number), ("To", NUMBER), ("Body", text), ("NumMedia", "0")]
    answer = await house.post_twilio([*form, ("AccountSid", "AC" + "0123456789abcdef" * 2)])
    assert answer.status_code == 200, answer.text


async def test_a_number_typed_by_an_agent_is_the_one_the_customer_texts_from(house: House, nare: Api) -> None:
    made = (await nare.post("/customers", {"name": "Ani"})).json()
    added = await nare.post(f"/customers/{made['id']}/contact-points", {"kind": "phone", "address": "091 23-45-67"})
    (point,) = added.json()["contact_points"]
    assert (point["address"], point["verified"]) == ("+37491234567", False)
    await text_from(house, "+37491234567", "It is me", "SM1")
    card = (await nare.get(f"/customers/{made['id']}")).json()
    assert [conversation["preview"] for conversation in card["conversations"]] == ["It is me"]
    assert card["conversations"][0]["customer_name"] == "Ani"


async def test_an_address_of_somebody_else_is_refused_and_they_are_named(nare: Api) -> None:
    ids = [(await nare.post("/customers", {"name": name})).json()["id"] for name in ("Ani", "Besik")]
    point = {"kind": "email", "address": "ani@example.am"}
    assert (await nare.post(f"/customers/{ids[0]}/contact-points", point)).status_code == 200
    again = await nare.post(f"/customers/{ids[0]}/contact-points", point)
    assert len(again.json()["contact_points"]) == 1
    taken = await nare.post(f"/customers/{ids[1]}/contact-points", {**point, "address": " ANI@Example.AM "})
    assert_told(taken, 409, "contact_taken")
    assert "Ani" in taken.json()["message"]


async def test_a_new_customer_with_a_number_of_somebody_else_is_not_added(nare: Api) -> None:
    ani = await nare.post("/customers", {"name": "Ani", "phone": "091 23-45-67"})
    assert [point["address"] for point in ani.json()["contact_points"]] == ["+37491234567"]
    taken = await nare.post("/customers", {"name": "Besik", "phone": "+37491234567"})
    assert_told(taken, 409, "contact_taken")
    assert taken.json()["fields"]["owner"] == "Ani"
    assert [each["name"] for each in (await nare.get("/customers")).json()["items"]] == ["Ani"]


async def test_one_new_address_for_many_at_once_goes_to_one_of_them(nare: Api) -> None:
    ids = [(await nare.post("/customers", {"name": f"C{n}"})).json()["id"] for n in range(6)]
    point = {"kind": "phone", "address": "+37499123456"}
    answers = await asyncio.gather(*(nare.post(f"/customers/{each}/contact-points", point) for each in ids))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]


@pytest.mark.parametrize(
    "point",
    [
        {"kind": "phone", "address": "hello"},
        {"kind": "phone", "address": "12"},
        {"kind": "email", "address": "a b@c.d"},
        {"kind": "email", "address": "a@b"},
        {"kind": "chat", "address": "somebody"},
        {"kind": "phone", "address": "+374\0"},
        {"kind": "phone"},
    ],
)
async def test_what_is_no_address_is_told(nare: Api, point: dict[str, str]) -> None:
    made = (await nare.post("/customers", {"name": "Ani"})).json()
    answer = await nare.post(f"/customers/{made['id']}/contact-points", point)
    assert_told(answer, 422, "invalid")
    assert answer.json()["fields"].keys() <= {"address", "kind"}


async def test_of_two_edits_of_one_version_the_second_is_told(nare: Api) -> None:
    made = (await nare.post("/customers", {"name": "Ani"})).json()
    edits = [
        nare.patch(f"/customers/{made['id']}", {"note": f"note {n}", "expected_version": made["version"]})
        for n in range(5)
    ]
    answers = await asyncio.gather(*edits)
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    (kept,) = [answer.json()["note"] for answer in answers if answer.status_code == 200]
    assert (await nare.get(f"/customers/{made['id']}")).json()["customer"]["note"] == kept


async def test_a_new_name_reaches_every_list_live(house: House, nare: Api) -> None:
    async with house.screen(nare.person) as screen:  # type: ignore[arg-type]
        await house.write("Hello")
        conversation = (await screen.until_text("Hello"))["conversation"]
        name = "<b>Ani</b> Շ"
        assert (await nare.patch(f"/customers/{conversation['customer_id']}", {"name": name})).status_code == 200
        await screen.until(lambda one: any(named(event) == name for event in one.events))
        event = await screen.until_kind("customer.changed")
        assert event["customer"]["name"] == name


def named(event: dict[str, object]) -> object:
    conversation = event.get("conversation")
    return conversation["customer_name"] if isinstance(conversation, dict) else None


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"name": "x" * 121}, {"name": "a\0b"}, {"nom": "x"}, {"note": "x" * 4_001}, {"name": 7}]
)
async def test_a_faulty_edit_is_told_and_changes_nothing(nare: Api, body: dict[str, object]) -> None:
    made = (await nare.post("/customers", {"name": "Ani"})).json()
    answer = await nare.patch(f"/customers/{made['id']}", body)
    assert_told(answer, 422, "invalid")
    assert answer.json()["fields"].keys() == body.keys()
    assert (await nare.get(f"/customers/{made['id']}")).json()["customer"]["name"] == "Ani"


@pytest.mark.parametrize("words", ["%", "_", "\\", "'", "ԱՆԻ", "ani"])
async def test_a_search_takes_every_word_for_a_word(house: House, nare: Api, words: str) -> None:
    await nare.post("/customers", {"name": "Անի (Ani)"})
    await nare.post("/customers", {"name": "100% _\\' sure"})
    found = (await nare.get("/customers", q=words)).json()["items"]
    assert len(found) == 1


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIl0", "WzFd" * 3, "W25hbl0"])
async def test_a_cursor_this_list_never_gave_is_told(nare: Api, cursor: str) -> None:
    assert_told(await nare.get("/customers", cursor=cursor), 422, "invalid")
