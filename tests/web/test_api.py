"""What every endpoint does alike: bad input is named, hostile input does no harm, failures have one shape."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from hub.app import Hub
from hub.errors import DatabaseAway, InvalidInput
from hub.store.database import Database, Tx
from hub.store.idempotency import forget_keys, once, record_answer
from hub.web.api import Access, Context, api_routes, endpoint, read_cursor, write_cursor
from hub.web.security import SecureAnswers
from tests.support.clock import FrozenClock
from tests.web.conftest import PASSWORD, Call, Caller, People

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}


# --- bodies -----------------------------------------------------------------------------------------------------------


async def test_every_faulty_field_is_named_at_once(as_admin: Caller) -> None:
    body = {"email": "no address", "name": "", "role": "king", "queue_ids": [1, "x"], "capacity": -1, "colour": "red"}
    answer = await as_admin.post("/users", body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert set(answer.json()["fields"]) == {"email", "name", "role", "password", "queue_ids.1", "capacity", "colour"}
    assert answer.json()["fields"]["password"] == "is required"
    assert answer.json()["fields"]["colour"] == "is not a known field"


async def test_faults_never_repeat_what_was_sent(as_admin: Caller) -> None:
    answer = await as_admin.post("/users", {"email": "x", "name": "n", "role": "s3cret-role", "password": "s3cret"})
    assert answer.status_code == 422
    assert "s3cret" not in answer.text


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", JSON, 400, "bad_json"),
        (b"", JSON, 400, "bad_json"),
        (b"\xff\xfe", JSON, 400, "bad_json"),
        (b'{"name": NaN}', JSON, 422, "invalid"),
        (b'{"name": "\\ud800"}', JSON, 400, "bad_json"),
        (b"[" * 5_000, JSON, 400, "bad_json"),
        (b"[]", JSON, 422, "invalid"),
        (b"null", JSON, 422, "invalid"),
        (b'{"name":"a"}', {"Content-Type": "text/plain"}, 400, "not_json"),
        (b'{"name":"a"}', {}, 400, "not_json"),
        (b'{"name":"a"}', {"Content-Type": "application/json; charset=latin-1"}, 400, "not_json"),
        (b'{"name":"a"}', {"Content-Type": "application/json; charset=UTF-8"}, 201, None),
    ],
)
async def test_body_must_be_json(
    as_admin: Caller, content: bytes, headers: dict[str, str], status: int, code: str | None
) -> None:
    answer = await as_admin.request("POST", "/queues", content=content, headers=headers)
    assert (answer.status_code, answer.json().get("code")) == (status, code)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "a\0b"}, "name"),
        ({"name": "ok", "member_ids": [1, 2**63]}, "member_ids.1"),
        ({"name": "ok", "member_ids": [10**40]}, "member_ids.0"),
    ],
)
async def test_what_no_database_can_keep_is_refused_by_name(as_admin: Caller, body: Any, field: str) -> None:
    answer = await as_admin.post("/queues", body)
    assert answer.status_code == 422
    assert set(answer.json()["fields"]) == {field}


async def test_escaped_backslash_before_u0000_is_text(as_admin: Caller) -> None:
    answer = await as_admin.request("POST", "/queues", content=b'{"name":"a\\\\u0000b"}', headers=JSON)
    assert (answer.status_code, answer.json()["name"]) == (201, "a\\u0000b")


async def test_body_over_the_limit_is_not_read(as_admin: Caller) -> None:
    answer = await as_admin.post("/queues", {"name": "x" * 20_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_body_that_lies_about_its_length_is_cut_off(as_admin: Caller) -> None:
    async def endless() -> Any:
        for _ in range(1_000):
            yield b" " * 1_000
        raise AssertionError("read to the end")

    answer = await as_admin.request("POST", "/queues", content=endless(), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


# --- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/users/0", "/users/-1", "/users/abc", "/users/9223372036854775808", "/users/1%00"])
async def test_id_that_names_nothing_is_not_found(as_admin: Caller, path: str) -> None:
    answer = await as_admin.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("limit=5&limit=6", "limit"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WyJhIl0", "cursor"),
        ("cursor=%00", "cursor"),
        ("colour=red", "colour"),
    ],
)
async def test_faulty_query_is_named(as_admin: Caller, query: str, field: str) -> None:
    answer = await as_admin.get(f"/users?{query}")
    assert (answer.status_code, set(answer.json()["fields"])) == (422, {field})


async def test_lists_are_read_page_by_page(as_admin: Caller, people: People) -> None:
    seen, path = [], "/users?limit=3"
    while path:
        page = (await as_admin.get(path)).json()
        seen.append([user["name"] for user in page["items"]])
        path = f"/users?limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == [["Ada", "Sue", "Anna"], ["Bert"]]


@pytest.mark.parametrize("parts", [(1,), (datetime(2026, 3, 2, 9, 0, 0, 123456, UTC), 7), ("ä", 0, 5)])
def test_cursor_gives_back_what_it_was_made_of(parts: tuple[Any, ...]) -> None:
    assert read_cursor(write_cursor(*parts), *(type(part) for part in parts)) == parts


@pytest.mark.parametrize("cursor", ["", "é", "W10", write_cursor("1"), write_cursor(2**63), write_cursor("\0")])
def test_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_cursor(cursor, int)
    assert set(caught.value.fields) == {"cursor"}


# --- CSRF -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", "wrong", "ÿ"])
async def test_write_by_cookie_needs_the_csrf_token(as_admin: Caller, token: str | None) -> None:
    as_admin.headers.pop("X-CSRF-Token")
    headers = {} if token is None else {b"x-csrf-token": token.encode("latin-1")}
    answer = await as_admin.client.post("/api/v1/queues", json={"name": "a"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


async def test_csrf_token_of_another_session_is_refused(call: Call, people: People) -> None:
    one, other = await call(people.admin), await call(people.admin)
    answer = await one.post("/queues", {"name": "a"}, headers={"X-CSRF-Token": other.headers["X-CSRF-Token"]})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://hub.test"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:5173"}, 201),
        ({}, 201),
    ],
)
async def test_write_from_another_site_is_refused(as_admin: Caller, headers: dict[str, str], status: int) -> None:
    assert (await as_admin.post("/queues", {"name": "a"}, headers=headers)).status_code == status


async def test_another_site_cannot_sign_anybody_in(as_nobody: Caller, people: People) -> None:
    body = {"email": people.anna.email, "password": PASSWORD}
    answer = await as_nobody.post("/session", body, headers={"Origin": "https://evil.test"})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


# --- failures ---------------------------------------------------------------------------------------------------------


async def test_unknown_path_and_method_fail_in_the_one_shape(as_admin: Caller) -> None:
    answer = await as_admin.get("/nothing/here")
    assert (answer.status_code, set(answer.json())) == (404, {"code", "message"})
    answer = await as_admin.request("PUT", "/queues", json={})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"
    # The console's catch-all takes any GET; it must not take this one.
    answer = await as_admin.get("/me/password")
    assert answer.status_code == 405


async def test_database_that_is_away_is_told_with_a_time(
    as_admin: Caller, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_args: object, **_more: object) -> None:
        raise DatabaseAway("the database does not answer")

    monkeypatch.setattr(hub.database, "read", away)
    answer = await as_admin.get("/queues")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "database_away", "2")


async def test_fault_of_ours_tells_its_request_id_and_nothing_else(caplog: pytest.LogCaptureFixture, hub: Hub) -> None:
    @endpoint("GET", "/broken", access=Access.NOBODY_NEEDED, why="a test", summary="Breaks")
    async def broken(context: Context) -> None:
        raise KeyError("+15005550006")

    app = Starlette(routes=[*api_routes([broken])])
    app.state.hub = hub
    transport = httpx2.ASGITransport(SecureAnswers(app, "http://hub.test"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        answer = await client.get("/api/v1/broken")
    request_id = answer.headers["x-request-id"]
    assert answer.status_code == 500
    assert answer.json() == {"code": "internal", "message": f"something went wrong here; request id {request_id}"}
    (fault,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert fault.__dict__["request_id"] == request_id


async def test_fault_outside_the_api_is_caught_too(hub: Hub) -> None:
    async def broken(_scope: object, _receive: object, _send: object) -> None:
        raise RuntimeError("no")

    transport = httpx2.ASGITransport(SecureAnswers(broken, "http://hub.test"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        answer = await client.get("/anything")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "content-security-policy" in answer.headers


def test_endpoint_for_nobody_must_say_why() -> None:
    with pytest.raises(ValueError, match="why"):
        endpoint("GET", "/x", access=Access.NOBODY_NEEDED, summary="x")
    with pytest.raises(ValueError, match="why"):
        endpoint("GET", "/x", access=Access.AGENT, why="no reason", summary="x")


# --- once only --------------------------------------------------------------------------------------------------------


async def _user(database: Database, name: str) -> int:
    from hub.agents import accounts
    from hub.domain.values import Role

    made = await database.transaction(
        accounts.create_user, email=f"{name}@x", name=name, role=Role.AGENT, password_hash=""
    )
    return made.id


async def test_same_key_and_request_give_the_first_answer(database: Database) -> None:
    user_id = await _user(database, "a")

    def work(tx: Tx) -> int | None:
        earlier = once(tx, user_id, "k", "hash")
        record_answer(tx, user_id, "k", 42)
        return earlier

    assert await database.transaction(work) is None
    assert await database.transaction(work) == 42


async def test_same_key_with_another_request_is_a_conflict(database: Database) -> None:
    user_id = await _user(database, "a")
    await database.transaction(once, user_id, "k", "hash")
    with pytest.raises(Exception, match="another request") as caught:
        await database.transaction(once, user_id, "k", "other")
    assert getattr(caught.value, "code", None) == "idempotency_mismatch"


async def test_keys_of_different_people_do_not_meet(database: Database) -> None:
    first, second = await _user(database, "a"), await _user(database, "b")
    assert await database.transaction(once, first, "k", "hash") is None
    assert await database.transaction(once, second, "k", "other") is None


async def test_key_of_work_that_failed_is_free_again(database: Database) -> None:
    user_id = await _user(database, "a")

    def fail(tx: Tx) -> None:
        once(tx, user_id, "k", "hash")
        raise InvalidInput("no")

    with pytest.raises(InvalidInput):
        await database.transaction(fail)
    assert await database.transaction(once, user_id, "k", "other") is None


async def test_old_keys_are_forgotten(database: Database, clock: FrozenClock) -> None:
    user_id = await _user(database, "a")
    await database.transaction(once, user_id, "k", "hash")
    assert await database.transaction(forget_keys, clock.advance(hours=1)) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "ü"])
async def test_idempotency_key_must_be_visible_ascii(as_admin: Caller, key: str) -> None:
    csrf = as_admin.headers["X-CSRF-Token"].encode()
    headers = {b"idempotency-key": key.encode(), b"x-csrf-token": csrf}
    answer = await as_admin.client.post("/api/v1/queues", json={"name": "a"}, headers=headers)
    assert (answer.status_code, set(answer.json()["fields"])) == (422, {"Idempotency-Key"})
