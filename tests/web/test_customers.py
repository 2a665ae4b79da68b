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


@pytest.mark.parametrize("typed", ["091 12", "99999", "112", "+374", "0912345678901234567"])
async def test_a_number_that_nobody_can_call_is_refused(nare: Api, typed: str) -> None:
    made = (await nare.post("/customers", {"name": "Ani"})).json()
    answer = await nare.post(f"/customers/{made['id']}/contact-points", {"kind": "phone", "address": typed})
    assert_told(answer, 422, "invalid")
    assert set(answer.json()["fields"]) == {"address"}


async def test_an_address_of_somebody_else_is_refused_and_they_are_named(nare: Api) -> None:
    ids = [(await nare.post("/customers", {"name": name})).json()["id"] for name in ("Ani", "Besik")]
    point = {"kind": "email", "address": "ani@example.am"}
    assert (await nare.post(f"/customers/{ids[0]}/contact-points", point)).status_code == 200
    again = await nare.post(f"/customers/{ids[0]}/contact-points", point)
    assert len(again.json()["contact_points"]) == 1
    taken = await nare.post(f"/customers/{ids[1]}/contact-points", {**point, "address": " ANI@Example.AM "})
    assert_told(taken, 409, "contact_taken")
    assert "Ani" in taken.json()["message"]


async def test_who_may_not_see_the_owner_of_an_address_does_not_learn_who_it_is(house: House, nare: Api) -> None:
    await text_from(house, "+37491234567", "Hello?", "SM1")
    stranger = house.api(await house.person("Stranger", queue_ids=[]))
    own = (await stranger.post("/customers", {"name": "Besik", "phone": "+37491765432"})).json()
    path, number = f"/customers/{own['id']}/contact-points", {"kind": "phone", "address": "+37491234567"}
    told = [
        await stranger.post(path, number),
        await stranger.patch(f"{path}/{own['contact_points'][0]['id']}", {"address": "+37491234567"}),
        await stranger.post("/customers", {"name": "Gor", "phone": "+37491234567"}),
    ]
    for answer in told:
        assert_told(answer, 409, "contact_taken_unseen")
        assert answer.json()["fields"] == {"address": "belongs to a customer you do not see"}
        assert "234567" not in answer.json()["message"]
    # Who sees them is told.
    made = (await nare.post("/customers", {"name": "Ani"})).json()
    assert_told(await nare.post(f"/customers/{made['id']}/contact-points", number), 409, "contact_taken")


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


# --- the whole card -------------------------------------------------------------------------------------------------------


async def test_two_people_edit_one_card_and_nothing_is_lost(house: House, nare: Api) -> None:
    boris = house.api(await house.person("Boris"))
    made = (await nare.post("/customers", {"name": "Ani", "tags": ["club"], "town": "Yerevan"})).json()
    path = f"/customers/{made['id']}"
    async with house.screen(boris.person, customer_id=made["id"]) as screen:  # type: ignore[arg-type]
        mine = {"town": "Gyumri", "tags": ["club", "press"], "seen": {"town": "Yerevan", "tags": ["club"]}}
        theirs = {"street": "Abovyan 1", "tags": ["vip"], "seen": {"street": "", "tags": ["club"]}}
        answers = await asyncio.gather(nare.patch(path, mine), boris.patch(path, theirs))
        assert [answer.status_code for answer in answers] == [200, 200]
        late = await boris.patch(path, {"town": "Vanadzor", "birthday": "--05-17", "seen": {"town": "Yerevan"}})
        assert_told(late, 409, "field_conflict")
        assert late.json()["fields"] == {"town": "says by now: Gyumri"}
        kept = (await nare.get(path)).json()["customer"]
        assert (kept["town"], kept["street"], sorted(kept["tags"])) == ("Gyumri", "Abovyan 1", ["press", "vip"])
        assert kept["birthday"] == ""
        await screen.until(lambda one: any(event.get("customer", {}).get("town") == "Gyumri" for event in one.events))


async def test_every_wrong_fact_is_named(nare: Api) -> None:
    body = {"name": "Ani", "country": "Armenia", "time_zone": "Mars", "birthday": "1990", "fields": {"x": 1}}
    answer = await nare.post("/customers", body)
    assert_told(answer, 422, "invalid")
    assert answer.json()["fields"].keys() == {"country", "time_zone", "birthday", "fields.x"}
    assert (await nare.get("/customers")).json()["items"] == []


async def test_whoever_is_added_twice_is_found_while_they_are_typed(house: House, nare: Api) -> None:
    await nare.post("/customers", {"name": "Անի Սարգսյան", "phone": "091 23-45-67", "email": "ani@example.am"})
    found = await nare.get("/customers/known", phone="+374 91 234567", email="not yet", name="սարգս")
    assert [(each["name"], each["address"], each["may_open"]) for each in found.json()["items"]] == [
        ("Անի Սարգսյան", "+37491234567", True)
    ]
    assert (await nare.get("/customers/known", phone="09", name="Ան")).json()["items"] == []
    # Whoever may not see the card learns whose number it is, as from the refusal to add it, and no more.
    await text_from(house, "+37491234567", "Hello", "SM9")
    stranger = house.api(await house.person("Stranger", queue_ids=[]))
    found = await stranger.get("/customers/known", phone="+37491234567", name="Սարգսյան")
    assert [each["may_open"] for each in found.json()["items"]] == [False]


async def test_words_of_other_cards_are_offered(nare: Api) -> None:
    for source in ("Fair", "Fair", "Friend"):
        await nare.post("/customers", {"name": "C", "source": source, "tags": ["club"]})
    assert (await nare.get("/customers/words")).json() == {"sources": ["Fair", "Friend"], "tags": ["club"]}


async def test_consent_is_written_down_and_its_history_told(house: House, nare: Api) -> None:
    made = (await nare.post("/customers", {"name": "Ani", "phone": "091 23-45-67"})).json()
    point = made["contact_points"][0]["id"]
    path = f"/customers/{made['id']}/consents"
    body = {"contact_point_id": point, "channel": "sms", "purpose": "marketing", "given": True, "note": "at the fair"}
    assert (await nare.post(path, body)).status_code == 200
    refused = {"contact_point_id": point, "channel": "sms", "given": False}
    assert (await nare.post(path, refused)).json()["contact_points"][0]["opted_out"] is True
    page = (await nare.get(path, limit=1)).json()
    assert [(each["purpose"], each["given"], each["by_name"]) for each in page["items"]] == [("service", False, "Nare")]
    rest = (await nare.get(path, limit=1, cursor=page["next_cursor"])).json()
    assert [each["note"] for each in rest["items"]] == ["at the fair"]
    start = {"channel_id": "sms", "contact_point_id": point, "text": "Hello"}
    assert_told(await nare.post("/conversations", start), 409, "opted_out")
    assert (await nare.get(f"/customers/{made['id']}")).json()["conversations"] == []
    other = (await nare.post("/customers", {"name": "Besik"})).json()
    assert_told(await nare.post(f"/customers/{other['id']}/consents", body), 422, "invalid")


async def test_a_conversation_begins_with_its_first_words_or_not_at_all(nare: Api) -> None:
    made = (await nare.post("/customers", {"name": "Ani", "phone": "091 23-45-67"})).json()
    start = {"channel_id": "sms", "contact_point_id": made["contact_points"][0]["id"], "text": "x" * 1_700}
    assert_told(await nare.post("/conversations", start), 422, "invalid")
    assert (await nare.get(f"/customers/{made['id']}")).json()["conversations"] == []
    begun = [await nare.post("/conversations", {**start, "text": "Your order is here."}, key="k1") for _ in range(2)]
    assert [answer.status_code for answer in begun] == [201, 201]
    first, second = [answer.json() for answer in begun]
    assert first["id"] == second["id"]
    assert (first["assignee_id"], first["preview"]) == (nare.person.user_id, "Your order is here.")  # type: ignore[union-attr]
    items = (await nare.get(f"/conversations/{first['id']}/timeline")).json()["items"]
    assert [entry["text"] for entry in items if entry["kind"] == "message"] == ["Your order is here."]


async def test_what_waits_there_is_theirs_who_writes(house: House, nare: Api) -> None:
    await text_from(house, "+37491234567", "Hello?", "SM1")
    (waiting,) = (await nare.get("/conversations")).json()["items"]
    start = {"channel_id": "sms", "contact_point_id": waiting["contact_point_id"], "text": "Here I am."}
    begun = (await nare.post("/conversations", start)).json()
    assert (begun["id"], begun["assignee_id"]) == (waiting["id"], nare.person.user_id)  # type: ignore[union-attr]


async def test_an_address_is_named_made_the_first_and_taken_off(nare: Api) -> None:
    made = (await nare.post("/customers", {"name": "Ani", "phone": "091 23-45-67"})).json()
    path = f"/customers/{made['id']}/contact-points"
    await nare.post(path, {"kind": "handle", "address": "telegram:@ani", "label": "private"})
    added = (await nare.post(path, {"kind": "phone", "address": "+37499000001", "label": "work"})).json()
    second = added["contact_points"][2]["id"]
    changed = (await nare.patch(f"{path}/{second}", {"is_main": True, "address": "099 00 00 02"})).json()
    assert [(p["address"], p["label"], p["is_main"]) for p in changed["contact_points"]] == [
        ("+37491234567", "", False),
        ("telegram:ani", "private", True),
        ("+37499000002", "work", True),
    ]
    assert_told(await nare.patch(f"{path}/{second}", {"address": "091 23-45-67"}), 409, "contact_taken")
    left = (await nare.request("DELETE", f"{path}/{second}")).json()
    assert [p["is_main"] for p in left["contact_points"]] == [True, True]
    assert_told(await nare.request("DELETE", f"{path}/{second}"), 404, "not_found")
