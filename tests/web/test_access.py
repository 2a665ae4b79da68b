"""Deny by default: every route of the app is an endpoint with an access level, or stands in a table with its reason."""

from __future__ import annotations

import re

import pytest
from starlette.routing import Route, WebSocketRoute

from hub.app import ENDPOINTS, PUBLIC_ROUTES, Hub, make_app
from hub.domain.values import Role
from hub.web import openapi, static
from hub.web.api import FOR_SCREENS, Access, Endpoint
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

PUBLIC = {**PUBLIC_ROUTES, **openapi.PUBLIC_ROUTES, **static.PUBLIC_ROUTES}


def concrete(item: Endpoint) -> str:
    """The path with ids that name nothing."""
    return re.sub(r"{\w+}", "999999", item.path)


async def test_every_route_has_an_access_level_or_a_reason(hub: Hub) -> None:
    app = make_app(hub).app
    assert all(isinstance(route, (Route, WebSocketRoute)) for route in app.routes)
    paths = {re.sub(r":\w+}", "}", route.path) for route in app.routes}
    known = {item.template for item in ENDPOINTS} | {re.sub(r":\w+}", "}", path) for path in PUBLIC}
    assert paths == known


def test_what_a_screen_on_a_wall_may_is_there() -> None:
    assert {(item.method, item.path) for item in ENDPOINTS} >= FOR_SCREENS


def test_every_endpoint_for_nobody_says_why() -> None:
    assert [(item.method, item.path) for item in ENDPOINTS if item.access is Access.NOBODY_NEEDED] == [
        ("POST", "/session"),
        ("POST", "/links/look"),
        ("POST", "/links/use"),
        ("POST", "/password-link"),
        ("GET", "/welcome"),
        ("POST", "/set-up/look"),
        ("PUT", "/set-up/organisation"),
        ("POST", "/set-up/account"),
    ]


async def test_nobody_is_asked_to_sign_in(as_nobody: Caller) -> None:
    guarded = [item for item in ENDPOINTS if item.access is not Access.NOBODY_NEEDED]
    answers = {
        (item.method, item.path): (await as_nobody.request(item.method, concrete(item), json={})).status_code
        for item in guarded
    }
    assert answers == dict.fromkeys(answers, 401)
    assert len(answers) == len(guarded) >= 40


async def test_roles_are_held_apart(call: Call, people: People) -> None:
    """Whoever has too little is told 403 before anything else is looked at; whoever has enough is never told so."""
    for person in (people.anna, people.supervisor, people.admin):
        caller = await call(person)
        # These make less of this very session, and end it.
        last = {("POST", "/session/screen"): 1, ("DELETE", "/session"): 2}
        for item in sorted(ENDPOINTS, key=lambda item: last.get((item.method, item.path), 0)):
            wanted = item.access.role
            answer = await caller.request(item.method, concrete(item), json={"no": "such field"})
            refused = answer.status_code in (401, 403) and item.path != "/session"
            may = wanted is None or person.role.covers(wanted)
            assert refused is not may, (person.name, item.method, item.path, answer.text)


async def test_api_key_has_its_own_role(call: Call, people: People, as_admin: Caller) -> None:
    for role in Role:
        token = (await as_admin.post("/api-keys", {"name": "test", "role": role.value})).json()["token"]
        caller = await call(None)
        caller.headers["Authorization"] = f"Bearer {token}"
        for item in ENDPOINTS:
            wanted = item.access.role
            answer = await caller.request(item.method, concrete(item), json={"no": "such field"})
            # A key is no session and has no password: these are not for it.
            own = (item.method, item.path) in {
                ("DELETE", "/session"),
                ("PUT", "/me/password"),
                ("DELETE", "/me/sessions"),
                ("DELETE", "/me/sessions/{session_id}"),
            }
            refused = answer.status_code in (401, 403)
            may = wanted is None or role.covers(wanted)
            assert refused is not may or own, (role, item.method, item.path, answer.text)


@pytest.mark.parametrize("authorization", ["Bearer hub_wrong", "Bearer", "Basic YTpi", "Bearer other_thing", ""])
async def test_wrong_key_is_nobody_even_with_a_good_cookie(as_admin: Caller, authorization: str) -> None:
    answer = await as_admin.get("/users", headers={"Authorization": authorization})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
