"""Invitations and new passwords: a link lets one person in once, and tells strangers nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from hub.agents import accounts
from hub.app import Hub
from hub.domain.values import ChannelKind
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import channels
from tests.channels.mailserver import MailServer, running_mail_server
from tests.support.clock import FrozenClock
from tests.web.conftest import PASSWORD, PUBLIC_URL, Call, Caller, People
from tests.web.test_report_schedules import mails

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
NEW_PASSWORD = "another horse battery"
ANI = {"email": "Ani@hub.test", "role": "supervisor", "language": "hy"}


async def invited(caller: Caller, **more: Any) -> tuple[Json, str]:
    """The invitation, and the token of its link."""
    answer = await caller.post("/invitations", {**ANI, **more})
    assert answer.status_code == 201, answer.text
    issued: Json = answer.json()
    assert issued["url"].startswith(f"{PUBLIC_URL}/join#")
    return issued["invitation"], issued["url"].partition("#")[2]


async def used(caller: Caller, token: str, **more: Any) -> Any:
    return await caller.post("/links/use", {"token": token, "name": "Ani", "password": PASSWORD, **more})


async def is_good(caller: Caller, token: str) -> bool:
    answer = await caller.post("/links/look", {"token": token})
    return bool(answer.status_code == 200) or answer.json()["code"] != "link_ended"


async def test_invited_person_comes_in_with_all_they_were_given(
    as_admin: Caller, as_nobody: Caller, people: People
) -> None:
    team = (await as_admin.post("/teams", {"name": "East", "member_ids": [people.bert.id]})).json()
    skill = (await as_admin.post("/skills", {"name": "Refunds"})).json()
    given = {"queue_ids": [people.sales_id], "team_ids": [team["id"]], "skills": {str(skill["id"]): 4}}
    shown, token = await invited(as_admin, **given)
    assert (shown["email"], shown["mail_state"], shown["invited_by"]) == ("ani@hub.test", None, "Ada")
    looked = (await as_nobody.post("/links/look", {"token": token})).json()
    assert (looked["kind"], looked["email"], looked["language"]) == ("invitation", "ani@hub.test", "hy")

    assert (await used(as_nobody, token)).json() == {"email": "ani@hub.test"}
    user = (await as_nobody.sign_in("ani@hub.test")).json()["user"]
    assert (user["name"], user["role"], user["language"]) == ("Ani", "supervisor", "hy")
    assert user["queue_ids"] == [people.sales_id]
    assert (await as_admin.get("/teams")).json()["items"][0]["member_ids"] == [people.bert.id, user["id"]]
    matrix = (await as_admin.get("/skills/matrix")).json()
    assert {row["name"]: row["levels"] for row in matrix["agents"]}["Ani"] == {str(skill["id"]): 4}
    assert (await as_admin.get("/invitations")).json()["items"] == []
    told = [
        (act["actor_name"], act["action"]) for act in (await as_admin.get("/audit?area=invitation")).json()["items"]
    ]
    assert told == [("Ani", "invitation.accepted"), ("Ada", "invitation.sent")]


async def test_link_is_good_once_even_for_two_at_once(hub: Hub, as_admin: Caller, as_nobody: Caller) -> None:
    _, token = await invited(as_admin)
    answers = await asyncio.gather(*(used(as_nobody, token) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404]
    assert not await is_good(as_nobody, token)
    rows = await hub.database.read(lambda tx: tx.rows(select(tables.access_link)))
    assert token not in str(rows)


async def test_link_ends_after_seven_days_and_can_be_sent_again(
    as_admin: Caller, as_nobody: Caller, call: Call, people: People, clock: FrozenClock
) -> None:
    invitation, token = await invited(as_admin)
    clock.advance(days=7)
    assert not await is_good(as_nobody, token)
    later = await call(people.admin)
    again = (await later.post(f"/invitations/{invitation['id']}/send")).json()
    fresh = again["url"].partition("#")[2]
    assert [await is_good(as_nobody, each) for each in (token, fresh)] == [False, True]


async def test_withdrawn_invitation_lets_nobody_in(as_admin: Caller, as_nobody: Caller) -> None:
    invitation, token = await invited(as_admin)
    assert (await as_admin.delete(f"/invitations/{invitation['id']}")).status_code == 204
    assert (await used(as_nobody, token)).status_code == 404
    assert (await as_admin.post(f"/invitations/{invitation['id']}/send")).status_code == 404
    await invited(as_admin)


@pytest.mark.parametrize("change", [{"active": False}, {"role": "supervisor"}])
async def test_invitation_is_as_good_as_its_administrator(
    as_admin: Caller, as_nobody: Caller, call: Call, people: People, change: Json
) -> None:
    boss = {"email": "boss@hub.test", "name": "Boss", "role": "admin", "password": PASSWORD}
    made = (await as_admin.post("/users", boss)).json()
    as_boss = await call(None)
    await as_boss.sign_in("boss@hub.test")
    _, token = await invited(as_boss, role="admin")
    await as_admin.patch(f"/users/{made['id']}", change)
    assert (await used(as_nobody, token)).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "code", "fields"),
    [
        ({"email": "anna@hub.test"}, "email_taken", {"email": "is taken"}),
        ({"email": "ani"}, "invalid", None),
        ({"queue_ids": [999]}, "invalid", {"queue_ids": "there is no 999"}),
        ({"team_ids": [999]}, "invalid", {"team_ids": "there is no 999"}),
        ({"skills": {"999": 3}}, "invalid", {"skills": "there is no 999"}),
    ],
)
async def test_impossible_invitation_is_refused_by_name(
    as_admin: Caller, people: People, wrong: Json, code: str, fields: Json | None
) -> None:
    answer = (await as_admin.post("/invitations", {**ANI, **wrong})).json()
    assert answer["code"] == code
    assert answer["fields"] == (fields or answer["fields"])


async def test_nobody_is_invited_twice_and_a_meanwhile_made_account_is_not_taken_over(
    as_admin: Caller, as_nobody: Caller, people: People
) -> None:
    _, token = await invited(as_admin)
    assert (await as_admin.post("/invitations", ANI)).json()["code"] == "already_invited"
    user = {"email": "ani@hub.test", "name": "Other", "role": "agent", "password": NEW_PASSWORD}
    await as_admin.post("/users", user)
    assert (await used(as_nobody, token)).json()["code"] == "email_taken"


async def test_administrators_link_sets_a_password_and_ends_all_sessions(
    as_admin: Caller, as_anna: Caller, as_nobody: Caller, people: People
) -> None:
    issued = (await as_admin.post(f"/users/{people.anna.id}/password-link")).json()
    assert issued["url"].startswith(f"{PUBLIC_URL}/new-password#")
    token = issued["url"].partition("#")[2]
    looked = (await as_nobody.post("/links/look", {"token": token})).json()
    assert (looked["kind"], looked["name"]) == ("password", "Anna")
    assert (await as_anna.get("/me/sessions")).status_code == 200
    assert (await used(as_nobody, token, password=NEW_PASSWORD)).status_code == 200
    assert (await as_anna.get("/me/sessions")).status_code == 401
    assert (await as_nobody.sign_in(people.anna.email)).status_code == 401
    assert (await as_nobody.sign_in(people.anna.email, NEW_PASSWORD)).json()["user"]["name"] == "Anna"


async def test_password_link_dies_with_another_password_and_with_its_person(
    as_admin: Caller, as_nobody: Caller, people: People
) -> None:
    async def link() -> str:
        return str((await as_admin.post(f"/users/{people.anna.id}/password-link")).json()["url"]).partition("#")[2]

    first, second = await link(), await link()
    assert [await is_good(as_nobody, each) for each in (first, second)] == [False, True]
    await as_admin.patch(f"/users/{people.anna.id}", {"password": NEW_PASSWORD})
    assert not await is_good(as_nobody, second)
    third = await link()
    await as_admin.patch(f"/users/{people.anna.id}", {"active": False})
    assert not await is_good(as_nobody, third)
    assert (await as_admin.post(f"/users/{people.anna.id}/password-link")).status_code == 404


@pytest.fixture
async def server(hub: Hub, people: People) -> AsyncIterator[MailServer]:
    """One the hub can send through."""
    async with running_mail_server() as running:
        settings = {"address": "office@hub.test", "smtp_host": "127.0.0.1", "smtp_port": str(running.port)}

        def lay(tx: Tx) -> None:
            channels.create_channel(
                tx,
                hub.vault,
                channel_id="mail",
                kind=ChannelKind.EMAIL,
                name="Office",
                queue_id=people.sales_id,
                settings={**settings, "smtp_security": "none"},
                secrets={"webhook_key": "webhook-key"},
            )

        await hub.database.transaction(lay)
        yield running


async def test_invitation_goes_out_by_mail_in_the_language_of_the_invited(
    as_admin: Caller, as_nobody: Caller, server: MailServer
) -> None:
    shown, token = await invited(as_admin)
    assert (shown["mail_state"], shown["mail_code"]) == ("sent", None)
    ((address, message),) = mails(server)
    assert (address, message["Subject"]) == ("ani@hub.test", "Ada հրավիրում է ձեզ՝ Hub")
    plain = message.get_body(("plain",))
    assert plain is not None
    assert f"{PUBLIC_URL}/join#{token}" in plain.get_content()


async def test_mail_that_is_not_taken_is_told_and_the_link_is_good_all_the_same(
    as_admin: Caller, as_nobody: Caller, server: MailServer
) -> None:
    server.play("RCPT", "550 5.1.1 no such mailbox")
    shown, token = await invited(as_admin)
    assert shown["mail_state"] == "failed"
    assert await is_good(as_nobody, token)
    assert (await as_admin.get("/invitations")).json()["items"] == [shown]


async def test_whoever_forgot_their_password_gets_a_mail_and_strangers_learn_nothing(
    hub: Hub, as_nobody: Caller, people: People, server: MailServer
) -> None:
    assert (await as_nobody.get("/welcome")).json()["can_reset_password"] is True
    answers = [
        await as_nobody.post("/password-link", {"email": email})
        for email in (people.anna.email, "nobody@hub.test", people.bert.email)
    ]
    await hub.database.transaction(accounts.update_user, None, people.bert.id, active=False)
    assert {(answer.status_code, answer.content) for answer in answers} == {(204, b"")}
    for _ in answers:
        await hub.forgotten.step(await hub.forgotten._asked.get())
    ((address, message),) = mails(server)
    assert address == people.anna.email
    plain = message.get_body(("plain",))
    assert plain is not None
    token = plain.get_content().partition("/new-password#")[2].split()[0]
    assert (await used(as_nobody, token, password=NEW_PASSWORD)).status_code == 200
    assert (await as_nobody.sign_in(people.anna.email, NEW_PASSWORD)).status_code == 200


async def test_asking_for_passwords_is_slowed_down_alike_for_every_address(
    as_nobody: Caller, people: People, server: MailServer
) -> None:
    for email in (people.anna.email, "nobody@hub.test"):
        tries = [(await as_nobody.post("/password-link", {"email": email})).status_code for _ in range(4)]
        assert tries == [204, 204, 204, 429]


@pytest.mark.parametrize("path", ["/links/use", "/links/look", "/password-link"])
async def test_other_sites_cannot_press_these_buttons(as_nobody: Caller, path: str) -> None:
    body = {"token": "a" * 43, "name": "x", "password": PASSWORD, "email": "a@b"}
    answer = await as_nobody.post(path, body, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


# --- one's own sessions -------------------------------------------------------------------------------------------------


async def test_own_sessions_are_listed_and_ended_elsewhere(call: Call, people: People, as_anna: Caller) -> None:
    phone, wall = await call(people.anna), await call(people.anna)
    shown = (await as_anna.get("/me/sessions")).json()["items"]
    assert [session["is_this"] for session in shown].count(True) == 1
    assert {session["address"] for session in shown} == {"203.0.113.9"}
    theirs = next(each["id"] for each in (await phone.get("/me/sessions")).json()["items"] if each["is_this"])
    assert (await as_anna.delete(f"/me/sessions/{theirs}")).status_code == 204
    assert [(await each.get("/me/sessions")).status_code for each in (phone, wall, as_anna)] == [401, 200, 200]
    assert (await as_anna.delete("/me/sessions")).status_code == 204
    assert [(await each.get("/me/sessions")).status_code for each in (wall, as_anna)] == [401, 200]


async def test_nobody_ends_sessions_of_others(call: Call, people: People, as_anna: Caller) -> None:
    bert = await call(people.bert)
    his = (await bert.get("/me/sessions")).json()["items"][0]["id"]
    assert (await as_anna.delete(f"/me/sessions/{his}")).status_code == 404
    mine = (await as_anna.get("/me/sessions")).json()["items"][0]["id"]
    assert (await as_anna.delete(f"/me/sessions/{mine}")).status_code == 404
    assert (await bert.get("/me/sessions")).status_code == 200
