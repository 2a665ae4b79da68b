"""Users, queues, channels and API keys: what administrators do, and that all who must know are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from hub.app import Hub
from hub.store import tables
from hub.store.database import Tx
from hub.store.stream import Stored, load_events, load_token
from tests.web.conftest import PASSWORD, Call, Caller, People

pytestmark = pytest.mark.anyio

SMS = {"account_sid": "AC" + "0" * 32, "from_number": "+15005550006"}
SECRET = "a-very-secret-token"


class Told:
    """The events since it was made."""

    def __init__(self, hub: Hub, cursor: int) -> None:
        self._hub, self._cursor = hub, cursor

    async def events(self) -> list[Stored]:
        return await self._hub.database.read(load_events, self._cursor)

    async def kinds(self) -> list[str]:
        return sorted(event.kind for event in await self.events())


@pytest.fixture
async def told(hub: Hub, as_admin: Caller) -> Told:
    return Told(hub, (await hub.database.read(load_token)).seq)


# --- users ------------------------------------------------------------------------------------------------------------


async def test_new_user_can_sign_in_and_is_told_of(as_admin: Caller, call: Call, people: People, told: Told) -> None:
    body = {"email": "Carl@Hub.test", "name": "Carl", "role": "agent", "password": PASSWORD}
    answer = await as_admin.post("/users", {**body, "queue_ids": [people.sales_id], "capacity": 50})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["email"], made["queue_ids"], made["capacity"], made["active"]) == (
        "carl@hub.test",
        [people.sales_id],
        50,
        True,
    )
    assert await told.kinds() == ["access.changed", "agent.changed", "queue.changed"]
    nobody = await call(None)
    assert (await nobody.sign_in("carl@hub.test")).status_code == 200


async def test_email_is_taken_once(as_admin: Caller, people: People) -> None:
    body = {"email": "ANNA@hub.test", "name": "Anna 2", "role": "agent", "password": PASSWORD}
    answer = await as_admin.post("/users", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")


async def test_unknown_queue_is_named(as_admin: Caller, people: People) -> None:
    answer = await as_admin.patch(f"/users/{people.anna.id}", {"queue_ids": [people.sales_id, 77]})
    assert (answer.status_code, answer.json()["fields"]) == (422, {"queue_ids": "there is no queue 77"})


async def test_deactivated_user_is_out_at_once(as_admin: Caller, as_anna: Caller, people: People, told: Told) -> None:
    answer = await as_admin.patch(f"/users/{people.anna.id}", {"active": False})
    assert answer.json()["active"] is False
    assert (await as_anna.get("/session")).status_code == 401
    assert (await as_anna.sign_in(people.anna.email)).status_code == 401
    assert "access.changed" in await told.kinds()
    assert people.anna.id not in [a["user_id"] for a in (await as_admin.get("/agents")).json()["items"]]
    queue = (await as_admin.get(f"/queues/{people.sales_id}")).json()
    assert queue["member_ids"] == []


async def test_deactivated_user_comes_back_as_they_were(as_admin: Caller, people: People) -> None:
    await as_admin.patch(f"/users/{people.anna.id}", {"active": False})
    answer = await as_admin.patch(f"/users/{people.anna.id}", {"active": True})
    assert answer.json()["queue_ids"] == [people.sales_id]
    queue = (await as_admin.get(f"/queues/{people.sales_id}")).json()
    assert queue["member_ids"] == [people.anna.id]


async def test_new_role_counts_from_the_next_request_on(as_admin: Caller, as_anna: Caller, people: People) -> None:
    assert (await as_anna.get("/users")).status_code == 403
    await as_admin.patch(f"/users/{people.anna.id}", {"role": "admin"})
    assert (await as_anna.get("/users")).status_code == 200
    await as_admin.patch(f"/users/{people.anna.id}", {"role": "agent"})
    assert (await as_anna.get("/users")).status_code == 403


@pytest.mark.parametrize("change", [{"active": False}, {"role": "agent"}])
async def test_last_administrator_stays(as_admin: Caller, people: People, change: dict[str, Any]) -> None:
    answer = await as_admin.patch(f"/users/{people.admin.id}", change)
    assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")


async def test_password_set_by_an_administrator_signs_out(as_admin: Caller, as_anna: Caller, people: People) -> None:
    await as_admin.patch(f"/users/{people.anna.id}", {"password": "set by the admin"})
    assert (await as_anna.get("/session")).status_code == 401
    assert (await as_anna.sign_in(people.anna.email, "set by the admin")).status_code == 200


async def test_only_what_changed_is_told(as_admin: Caller, people: People, told: Told) -> None:
    await as_admin.patch(f"/users/{people.anna.id}", {"name": "Anna", "role": "agent", "active": True, "capacity": 100})
    assert await told.kinds() == []


# --- queues -----------------------------------------------------------------------------------------------------------


async def test_members_of_a_queue_are_told_that_their_rights_changed(
    as_admin: Caller, people: People, told: Told
) -> None:
    answer = await as_admin.patch(f"/queues/{people.sales_id}", {"member_ids": [people.bert.id], "name": "Sales 2"})
    assert (answer.json()["member_ids"], answer.json()["name"]) == ([people.bert.id], "Sales 2")
    events = await told.events()
    assert [event.kind for event in events] == ["queue.changed", "access.changed", "access.changed"]
    assert {topic for event in events[1:] for topic in event.topics} == {
        f"user:{people.anna.id}",
        f"user:{people.bert.id}",
    }
    assert json.loads(events[0].body)["queue"] == answer.json()


async def test_queue_names_are_unique(as_admin: Caller, people: People) -> None:
    answer = await as_admin.post("/queues", {"name": "Sales"})
    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")
    answer = await as_admin.patch(f"/queues/{people.support_id}", {"name": "Sales"})
    assert answer.status_code == 409
    assert (await as_admin.patch(f"/queues/{people.sales_id}", {"name": "Sales"})).status_code == 200


async def test_member_must_be_somebody(as_admin: Caller, people: People) -> None:
    answer = await as_admin.post("/queues", {"name": "New", "member_ids": [people.anna.id, 99]})
    assert (answer.status_code, answer.json()["fields"]) == (422, {"member_ids": "there is no active user 99"})
    assert [q["name"] for q in (await as_admin.get("/queues")).json()["items"]] == ["Sales", "Support"]


# --- channels ---------------------------------------------------------------------------------------------------------


def sms(people: People, **more: Any) -> dict[str, Any]:
    return {
        "id": "sms-support",
        "kind": "sms",
        "name": "Support",
        "queue_id": people.sales_id,
        "settings": SMS,
        "secrets": {"auth_token": SECRET},
        **more,
    }


async def test_channel_is_set_up_and_its_secret_never_comes_back(
    as_admin: Caller, people: People, hub: Hub, told: Told
) -> None:
    answers = [
        await as_admin.post("/channels", sms(people)),
        await as_admin.get("/channels/sms-support"),
        await as_admin.get("/channels"),
        await as_admin.patch("/channels/sms-support", {"name": "Support 2"}),
        await as_admin.get("/snapshot"),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200]
    assert not any(SECRET in answer.text for answer in answers)
    assert not any(SECRET in event.body for event in await told.events())
    made = answers[0].json()
    assert made["secrets_set"] == ["auth_token"]
    assert made["channel"]["address"] == "+15005550006"
    assert made["channel"]["capabilities"]["receipts"] is True
    assert made["webhook_urls"]["message"] == "http://hub.test/webhooks/sms-support/message"
    kept = await hub.database.read(lambda tx: tx.scalar(select(tables.channel.c.secrets)))
    assert SECRET not in kept
    assert hub.vault.unseal(kept) == {"auth_token": SECRET}
    assert (await hub.channels.get("sms-support")).account.secrets == {"auth_token": SECRET}


async def test_only_addresses_that_somebody_must_enter_are_shown(as_admin: Caller, people: People) -> None:
    """The others the hub names by itself with each call."""
    settings = {"account_sid": "AC" + "a" * 32, "number": "+15005550006"}
    line = {**sms(people), "id": "phone", "kind": "phone", "provider": "twilio", "settings": settings}
    made = await as_admin.post("/channels", line)
    assert made.status_code == 201, made.text
    assert set(made.json()["webhook_urls"]) == {"voice", "status"}


async def test_region_of_numbers_can_be_put_right_later(as_admin: Caller, people: People) -> None:
    await as_admin.post("/channels", sms(people) | {"default_region": "AM"})
    assert (await as_admin.patch("/channels/sms-support", {"name": "Other"})).json()["default_region"] == "AM"
    assert (await as_admin.patch("/channels/sms-support", {"default_region": "IR"})).json()["default_region"] == "IR"
    refused = await as_admin.patch("/channels/sms-support", {"default_region": "AQ"})
    assert list(refused.json()["fields"]) == ["default_region"]


async def test_every_faulty_setting_is_named(as_admin: Caller, people: People) -> None:
    body = sms(people, settings={"account_sid": "x", "colour": "red"}, secrets={}, queue_id=99, default_region="XX")
    answer = await as_admin.post("/channels", body)
    assert answer.status_code == 422
    assert set(answer.json()["fields"]) == {
        "settings.account_sid",
        "settings.from_number",
        "settings.colour",
        "secrets.auth_token",
        "queue_id",
        "default_region",
    }


async def test_secret_that_is_not_named_is_kept(as_admin: Caller, people: People, hub: Hub) -> None:
    await as_admin.post("/channels", sms(people))
    changed = {**SMS, "from_number": "+15005550007"}
    answer = await as_admin.patch("/channels/sms-support", {"settings": changed})
    assert (answer.status_code, answer.json()["secrets_set"]) == (200, ["auth_token"])
    adapter = await hub.channels.get("sms-support")
    assert adapter.account.settings["from_number"] == "+15005550007"
    assert adapter.account.secrets == {"auth_token": SECRET}


async def test_new_settings_are_a_new_start(as_admin: Caller, people: People, hub: Hub) -> None:
    await as_admin.post("/channels", sms(people))

    def break_it(tx: Tx) -> None:
        tx.execute(tables.channel.update().values(health="down", health_code="refused", failures_in_row=9))

    await hub.database.transaction(break_it)
    assert (await as_admin.get("/channels/sms-support")).json()["channel"]["health"] == "down"
    answer = await as_admin.patch("/channels/sms-support", {"secrets": {"auth_token": "another-secret-token"}})
    assert (answer.json()["channel"]["health"], answer.json()["channel"]["health_code"]) == ("ok", None)


async def test_channel_id_is_taken_once(as_admin: Caller, people: People) -> None:
    await as_admin.post("/channels", sms(people))
    answer = await as_admin.post("/channels", sms(people))
    assert (answer.status_code, answer.json()["code"]) == (409, "id_taken")


async def test_kinds_tell_what_they_need(as_admin: Caller) -> None:
    kinds = {kind["kind"]: kind for kind in (await as_admin.get("/channel-kinds")).json()["items"]}
    assert set(kinds) >= {"sms", "email", "chat", "loopback"}
    fields = {field["name"]: field for field in kinds["email"]["fields"]}
    assert (fields["smtp_security"]["group"], fields["smtp_security"]["options"][0]) == ("Sending", "starttls")
    assert fields["acknowledgement"]["multiline"]
    (token,) = [field for field in kinds["sms"]["fields"] if field["name"] == "auth_token"]
    assert (token["secret"], token["required"]) == (True, True)


async def test_agents_see_channels_but_not_their_settings(as_anna: Caller, as_admin: Caller, people: People) -> None:
    await as_admin.post("/channels", sms(people))
    answer = await as_anna.get("/channels")
    assert [channel["id"] for channel in answer.json()["items"]] == ["sms-support"]
    assert SMS["account_sid"] not in answer.text
    assert (await as_anna.get("/channels/sms-support")).status_code == 403


# --- API keys ---------------------------------------------------------------------------------------------------------


async def test_key_works_until_it_is_revoked(as_admin: Caller, call: Call, hub: Hub) -> None:
    issued = (await as_admin.post("/api-keys", {"name": "export", "role": "supervisor"})).json()
    program = await call(None)
    program.headers["Authorization"] = f"Bearer {issued['token']}"
    assert (await program.get("/agents")).status_code == 200
    assert (await program.post("/queues", {"name": "x"})).status_code == 403
    assert (await as_admin.delete(f"/api-keys/{issued['id']}")).status_code == 204
    assert (await program.get("/agents")).status_code == 401
    assert (await as_admin.delete(f"/api-keys/{issued['id']}")).status_code == 404


async def test_key_writes_without_csrf_token(as_admin: Caller, call: Call) -> None:
    issued = (await as_admin.post("/api-keys", {"name": "set up", "role": "admin"})).json()
    program = await call(None)
    program.headers["Authorization"] = f"Bearer {issued['token']}"
    assert (await program.post("/queues", {"name": "by program"})).status_code == 201


async def test_token_is_shown_once(as_admin: Caller, hub: Hub) -> None:
    issued = (await as_admin.post("/api-keys", {"name": "export"})).json()
    listed = await as_admin.get("/api-keys")
    assert issued["token"] not in listed.text
    assert listed.json()["items"][0]["hint"] == issued["token"][:8]
    kept = await hub.database.read(lambda tx: tx.first(select(tables.api_key)))
    assert kept is not None
    assert issued["token"] not in kept._mapping.values()


async def test_key_is_never_more_than_its_maker(as_admin: Caller, call: Call, people: People) -> None:
    await as_admin.patch(f"/users/{people.anna.id}", {"role": "admin"})
    anna = await call(people.anna)
    issued = (await anna.post("/api-keys", {"name": "mine", "role": "admin"})).json()
    program = await call(None)
    program.headers["Authorization"] = f"Bearer {issued['token']}"
    assert (await program.get("/users")).status_code == 200
    await as_admin.patch(f"/users/{people.anna.id}", {"role": "agent"})
    assert (await program.get("/users")).status_code == 403
    await as_admin.patch(f"/users/{people.anna.id}", {"active": False})
    assert (await program.get("/agents")).status_code == 401


async def test_last_use_of_a_key_is_shown(as_admin: Caller, call: Call, clock: Any) -> None:
    issued = (await as_admin.post("/api-keys", {"name": "export"})).json()
    assert issued["last_used_at"] is None
    program = await call(None)
    program.headers["Authorization"] = f"Bearer {issued['token']}"
    used = clock.advance(10)
    await program.get("/agents")
    listed = (await as_admin.get("/api-keys")).json()["items"][0]
    assert listed["last_used_at"].replace("Z", "+00:00") == used.isoformat()


# --- secrets ----------------------------------------------------------------------------------------------------------


async def test_no_answer_carries_a_password_or_a_hash(as_admin: Caller, people: People) -> None:
    paths = ["/users", f"/users/{people.anna.id}", "/session", "/agents", "/queues", "/api-keys", "/snapshot"]
    texts = [(await as_admin.get(path)).text for path in paths]
    assert not [text for text in texts if "argon2" in text or PASSWORD in text or "token_hash" in text]
