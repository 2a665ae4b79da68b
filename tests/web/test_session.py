"""Signing in and out: what the cookie is, how long it lasts, what guessing costs."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from hub.app import Hub
from hub.domain.languages import STAFF_LANGUAGES
from hub.store import tables
from tests.support.clock import FrozenClock
from tests.web.conftest import PASSWORD, Call, Caller, People

pytestmark = pytest.mark.anyio


async def test_sign_in_sets_a_cookie_that_scripts_cannot_read(as_nobody: Caller, people: People) -> None:
    answer = await as_nobody.sign_in("Anna@Hub.test ")
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == "anna@hub.test"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("hub_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie  # the hub of these tests is served over http
    assert answer.headers["cache-control"] == "no-store"


async def test_only_hashes_of_tokens_are_kept(as_nobody: Caller, people: People, hub: Hub) -> None:
    answer = await as_nobody.sign_in(people.anna.email)
    token = answer.cookies["hub_session"]
    kept = await hub.database.read(lambda tx: tx.scalar(select(tables.session.c.token_hash)))
    assert kept != token
    assert len(kept) == 64


@pytest.mark.parametrize(
    ("email", "password"),
    [("anna@hub.test", "wrong"), ("nobody@hub.test", PASSWORD)],
    ids=["wrong password", "unknown e-mail"],
)
async def test_wrong_sign_in_does_not_say_what_was_wrong(
    as_nobody: Caller, people: People, email: str, password: str
) -> None:
    answer = await as_nobody.sign_in(email, password)
    assert answer.status_code == 401
    assert answer.json() == {"code": "bad_credentials", "message": "the e-mail address or the password is wrong"}
    assert "set-cookie" not in answer.headers


async def test_page_load_tells_who_is_signed_in(as_anna: Caller, people: People) -> None:
    answer = await as_anna.get("/session")
    assert answer.json()["user"]["id"] == people.anna.id
    assert answer.json()["csrf_token"] == as_anna.headers["X-CSRF-Token"]


async def test_signed_out_session_is_good_for_nothing(as_anna: Caller, people: People) -> None:
    cookie = as_anna.client.cookies["hub_session"]
    answer = await as_anna.delete("/session")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    as_anna.client.cookies.set("hub_session", cookie)
    answer = await as_anna.get("/session")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_session_ends_when_it_is_idle(as_anna: Caller, clock: FrozenClock) -> None:
    clock.advance(hours=11, minutes=59)
    assert (await as_anna.get("/session")).status_code == 200
    clock.advance(hours=11, minutes=59)  # from the last request on
    assert (await as_anna.get("/session")).status_code == 200
    clock.advance(hours=12, seconds=1)
    assert (await as_anna.get("/session")).status_code == 401


async def test_session_ends_after_a_week_however_busy(as_anna: Caller, clock: FrozenClock) -> None:
    for _ in range(7 * 24 - 1):
        clock.advance(hours=1)
        assert (await as_anna.get("/session")).status_code == 200
    clock.advance(hours=1, seconds=1)
    assert (await as_anna.get("/session")).status_code == 401


async def test_last_seen_is_written_at_most_each_minute(as_anna: Caller, clock: FrozenClock, hub: Hub) -> None:
    async def seen() -> object:
        return await hub.database.read(lambda tx: tx.scalar(select(tables.session.c.seen_at)))

    before = await seen()
    clock.advance(59)
    await as_anna.get("/session")
    assert await seen() == before
    clock.advance(1)
    await as_anna.get("/session")
    assert await seen() == clock.now


# --- guessing ---------------------------------------------------------------------------------------------------------


async def test_guessing_is_slowed_down_and_waiting_lets_in(
    as_nobody: Caller, people: People, clock: FrozenClock
) -> None:
    for _ in range(5):
        assert (await as_nobody.sign_in(people.anna.email, "guess")).status_code == 401
    answer = await as_nobody.sign_in(people.anna.email, PASSWORD)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, "too_many", "1")
    clock.advance(1)
    assert (await as_nobody.sign_in(people.anna.email, "guess")).status_code == 401
    answer = await as_nobody.sign_in(people.anna.email, PASSWORD)
    assert answer.headers["retry-after"] == "2"
    clock.advance(2)
    assert (await as_nobody.sign_in(people.anna.email, PASSWORD)).status_code == 200


async def test_wait_grows_to_a_quarter_of_an_hour_at_most(
    as_nobody: Caller, people: People, clock: FrozenClock
) -> None:
    for _ in range(20):
        await as_nobody.sign_in(people.anna.email, "guess")
        clock.advance(900)
    await as_nobody.sign_in(people.anna.email, "guess")
    answer = await as_nobody.sign_in(people.anna.email, PASSWORD)
    assert answer.headers["retry-after"] == "900"


async def test_success_forgets_the_failures_before(as_nobody: Caller, people: People, clock: FrozenClock) -> None:
    for _ in range(3):
        for _ in range(4):
            assert (await as_nobody.sign_in(people.anna.email, "guess")).status_code == 401
        assert (await as_nobody.sign_in(people.anna.email, PASSWORD)).status_code == 200


async def test_unknown_account_is_locked_like_a_known_one(as_nobody: Caller, people: People) -> None:
    for _ in range(5):
        await as_nobody.sign_in("nobody@hub.test", "guess")
    assert (await as_nobody.sign_in("nobody@hub.test", "guess")).status_code == 429


async def test_one_address_cannot_try_many_accounts(as_nobody: Caller, people: People) -> None:
    statuses = [(await as_nobody.sign_in(f"u{n}@hub.test", "guess")).status_code for n in range(26)]
    assert statuses == [401] * 25 + [429]
    # And not even by signing in to an account of one's own in between.
    assert (await as_nobody.sign_in(people.anna.email, PASSWORD)).status_code == 429


async def test_failures_name_nobody(as_nobody: Caller, people: People, hub: Hub) -> None:
    await as_nobody.sign_in(people.anna.email, "guess")
    keys = await hub.database.read(lambda tx: [row.key for row in tx.rows(select(tables.sign_in_failure.c.key))])
    assert len(keys) == 2
    assert not any("anna" in key or "203.0.113" in key for key in keys)


# --- one's own account ------------------------------------------------------------------------------------------------


async def test_new_password_ends_the_other_sessions(call: Call, people: People) -> None:
    here, elsewhere = await call(people.anna), await call(people.anna)
    body = {"current_password": PASSWORD, "new_password": "another long password"}
    assert (await here.put("/me/password", body)).status_code == 204
    assert (await here.get("/session")).status_code == 200
    assert (await elsewhere.get("/session")).status_code == 401
    nobody = await call(None)
    assert (await nobody.sign_in(people.anna.email, PASSWORD)).status_code == 401
    assert (await nobody.sign_in(people.anna.email, "another long password")).status_code == 200


async def test_new_password_needs_the_current_one(as_anna: Caller) -> None:
    body = {"current_password": "wrong", "new_password": "another long password"}
    answer = await as_anna.put("/me/password", body)
    assert (answer.status_code, answer.json()["fields"]) == (422, {"current_password": "is wrong"})
    for _ in range(4):
        await as_anna.put("/me/password", body)
    assert (await as_anna.put("/me/password", body)).status_code == 429


async def test_own_name_and_language_can_be_changed(as_anna: Caller) -> None:
    answer = await as_anna.patch("/me", {"name": "Anna B.", "language": "uk"})
    assert (answer.json()["name"], answer.json()["language"], answer.json()["version"]) == ("Anna B.", "uk", 2)


async def test_the_languages_are_those_of_the_console(as_anna: Caller) -> None:
    for language in STAFF_LANGUAGES:
        assert (await as_anna.patch("/me", {"language": language})).json()["language"] == language
    for other in ("de", "UK", "hy-AM", ""):
        answer = await as_anna.patch("/me", {"language": other})
        assert (answer.status_code, list(answer.json()["fields"])) == (422, ["language"])
    assert (await as_anna.get("/session")).json()["user"]["language"] == STAFF_LANGUAGES[-1]


# --- a screen on a wall ---------------------------------------------------------------------------------------------------


async def test_a_screen_on_a_wall_looks_for_weeks_and_does_nothing_else(
    hub: Hub, people: People, call: Call, clock: FrozenClock
) -> None:
    wall = await call(people.supervisor)
    answer = await wall.post("/session/screen")
    assert (answer.status_code, answer.json()["is_screen"]) == (200, True)
    assert f"Max-Age={90 * 24 * 3600}" in answer.headers["set-cookie"]
    for _ in range(6):
        # Longer than anybody's own may be unused, and in the end than it may last.
        clock.advance(days=13)
        assert [(await wall.get(path)).status_code for path in ("/session", "/snapshot", "/board", "/measures")] == [
            200
        ] * 4
    refused = [
        await wall.get("/customers"),
        await wall.get("/conversations"),
        await wall.put("/me/state", {"state": "available"}),
        await wall.post("/session/screen"),
    ]
    assert {(each.status_code, each.json()["code"]) for each in refused} == {(403, "screen_only")}
    clock.advance(days=13)
    assert (await wall.get("/session")).status_code == 401


async def test_a_screen_that_is_off_for_too_long_signs_out(people: People, call: Call, clock: FrozenClock) -> None:
    wall = await call(people.supervisor)
    await wall.post("/session/screen")
    clock.advance(days=14)
    assert (await wall.get("/session")).status_code == 401


async def test_a_screen_that_is_taken_from_the_wall_is_nobodys_leaving(people: People, call: Call) -> None:
    own, wall = await call(people.supervisor), await call(people.supervisor)
    await wall.post("/session/screen")
    await own.put("/me/state", {"state": "available"})
    assert (await wall.delete("/session")).status_code == 204
    states = {agent["user_id"]: agent["state"] for agent in (await own.get("/snapshot")).json()["agents"]}
    assert states[people.supervisor.id] == "available"


async def test_agents_have_no_wall(as_anna: Caller) -> None:
    assert (await as_anna.post("/session/screen")).status_code == 403
