"""The first set-up: whoever started the hub, and nobody else, takes it; once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from hub.agents import set_up
from hub.app import Hub
from hub.store import tables
from hub.store.vault import Vault
from tests.web.conftest import PASSWORD, Call, Caller, People

pytestmark = pytest.mark.anyio

HOUSE = {"name": "Ararat  Shop", "time_zone": "Asia/Yerevan", "country": "AM", "languages": ["hy", "en", "hy"]}
ACCOUNT = {"name": "Nare", "email": "Nare@shop.test", "password": PASSWORD, "language": "hy"}


@pytest.fixture
async def code(hub: Hub) -> str:
    found = await hub.database.read(set_up.find_code, hub.vault)
    assert found is not None
    return found


async def test_an_empty_hub_is_set_up_step_by_step(hub: Hub, as_nobody: Caller, code: str) -> None:
    welcome = (await as_nobody.get("/welcome")).json()
    assert welcome == {"needs_set_up": True, "can_reset_password": False}
    begun = (await as_nobody.post("/set-up/look", {"code": f" {code.lower().replace('-', '')} "})).json()
    assert begun["step"] == "organisation"
    saved = (await as_nobody.put("/set-up/organisation", {**HOUSE, "code": code})).json()
    house = {"name": "Ararat Shop", "time_zone": "Asia/Yerevan", "country": "AM", "languages": ["hy", "en"]}
    assert saved == {"step": "account", "organisation": house}
    assert (await as_nobody.post("/set-up/account", {**ACCOUNT, "code": code})).json() == {"email": "nare@shop.test"}

    signed_in = (await as_nobody.sign_in("nare@shop.test")).json()["user"]
    assert (signed_in["role"], signed_in["language"]) == ("admin", "hy")
    snapshot = (await as_nobody.get("/snapshot")).json()
    assert [(queue["name"], queue["member_ids"]) for queue in snapshot["queues"]] == [("Ընդհանուր", [signed_in["id"]])]
    assert (await as_nobody.get("/set-up")).json()["step"] == "team"
    assert (await as_nobody.put("/set-up", {"step": None})).json()["step"] is None
    assert (await as_nobody.get("/welcome")).json()["needs_set_up"] is False


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/set-up/look", {}),
        ("PUT", "/set-up/organisation", HOUSE),
        ("POST", "/set-up/account", ACCOUNT),
    ],
)
async def test_a_stranger_takes_no_fresh_hub(
    hub: Hub, as_nobody: Caller, code: str, method: str, path: str, body: dict[str, Any]
) -> None:
    wrong = await as_nobody.request(method, path, json={**body, "code": "AAAA-AAAA-AAAA"})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_code")
    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = await as_nobody.request(method, path, json={**body, "code": code}, headers=foreign)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert await hub.database.read(set_up.is_fresh)


async def test_guessing_the_code_is_slowed_down(as_nobody: Caller, code: str) -> None:
    tries = [(await as_nobody.post("/set-up/look", {"code": "AAAA"})).status_code for _ in range(11)]
    assert tries == [403] * 10 + [429]
    assert (await as_nobody.post("/set-up/look", {"code": code})).status_code == 429


async def test_of_two_who_hold_the_code_one_becomes_the_administrator(hub: Hub, as_nobody: Caller, code: str) -> None:
    answers = await asyncio.gather(
        *(
            as_nobody.post("/set-up/account", {**ACCOUNT, "email": f"{name}@shop.test", "code": code})
            for name in ("nare", "ani")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len(await hub.database.read(lambda tx: tx.rows(select(tables.user_account.c.id)))) == 1


async def test_code_is_good_for_nothing_once_somebody_works_here(
    hub: Hub, people: People, call: Call, as_nobody: Caller
) -> None:
    assert await hub.database.read(set_up.find_code, hub.vault) is None
    known = await hub.database.read(set_up._code, hub.vault)
    answer = await as_nobody.post("/set-up/account", {**ACCOUNT, "code": known})
    assert (answer.status_code, answer.json()["code"]) == (409, "already_set_up")


async def test_code_is_the_same_after_a_restart_and_another_with_another_key(hub: Hub, code: str) -> None:
    again = Vault(hub.settings.secret_key)
    assert await hub.database.read(set_up.find_code, again) == code
    assert await hub.database.read(set_up.find_code, Vault("another key, for another hub")) != code
    assert len(code) == 14


async def test_organisation_is_changed_and_everybody_takes_a_fresh_snapshot(
    as_admin: Caller, as_anna: Caller, people: People
) -> None:
    assert (await as_admin.put("/organisation", HOUSE)).json()["name"] == "Ararat Shop"
    assert (await as_anna.get("/snapshot")).json()["organisation"]["name"] == "Ararat Shop"
    wrong = await as_admin.put("/organisation", {**HOUSE, "time_zone": "Asia/Nowhere"})
    assert wrong.json()["fields"] == {"time_zone": "is no time zone that is known here"}
