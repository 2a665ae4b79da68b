"""What every answer carries, and what the log does not."""

from __future__ import annotations

import logging

import httpx2
import pytest
from starlette.requests import HTTPConnection

from hub.logs import ConsoleFormatter, JsonFormatter, describe_fault
from hub.web.security import SecureAnswers, is_own_socket_origin
from tests.web.conftest import Caller, People

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "path",
    ["/", "/api/docs", "/api/openapi.json", "/api/v1/session", "/api/v1/nothing", "/healthz", "/widget.js", "/x"],
)
async def test_every_answer_has_the_security_headers(as_nobody: Caller, path: str) -> None:
    headers = (await as_nobody.get(path, root=True)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "ws://hub.test" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "microphone=(self)" in headers["permissions-policy"]
    assert len(headers["x-request-id"]) == 16
    assert "strict-transport-security" not in headers


async def test_only_the_widget_may_be_embedded_elsewhere(as_nobody: Caller) -> None:
    widget = (await as_nobody.get("/widget.js", root=True)).headers
    console = (await as_nobody.get("/", root=True)).headers
    assert widget["cross-origin-resource-policy"] == "cross-origin"
    assert console["cross-origin-resource-policy"] == "same-origin"


async def test_https_is_kept_to_and_cookies_are_secure() -> None:
    async def app(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    transport = httpx2.ASGITransport(SecureAnswers(app, "https://hub.example.org"))
    async with httpx2.AsyncClient(transport=transport, base_url="https://hub.example.org") as client:
        headers = (await client.get("/")).headers
    assert headers["strict-transport-security"].startswith("max-age=31536000")
    assert "wss://hub.example.org" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/api/x", "/webhooks", "/assets/../../schemas.py", "/assets/%2e%2e/index.html", "/a.b"]
)
async def test_what_is_no_page_is_not_found(as_nobody: Caller, path: str) -> None:
    answer = await as_nobody.get(path, root=True)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_log_line_has_the_template_and_nothing_of_the_person(
    as_admin: Caller, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hub")
    caplog.clear()
    await as_admin.get(f"/users/{people.anna.id}?who=anna@hub.test")
    await as_admin.patch(f"/users/{people.anna.id}", {"name": "Annabel"})
    lines = [record for record in caplog.records if record.getMessage() == "request"]
    assert [line.__dict__["route"] for line in lines] == ["/api/v1/users/{user_id}"] * 2
    assert [line.__dict__["status"] for line in lines] == [422, 200]
    for record in caplog.records:
        text = JsonFormatter().format(record) + ConsoleFormatter().format(record)
        assert "anna" not in text.lower()


def test_fault_is_told_without_what_it_quotes() -> None:
    def fail() -> None:
        try:
            raise ValueError("anna@hub.test")
        except ValueError as error:
            raise RuntimeError("cannot go on") from error

    with pytest.raises(RuntimeError) as caught:
        fail()
    told = describe_fault(caught.value)
    assert told[-1] == "RuntimeError: cannot go on"
    assert "ValueError" in told
    assert not any("anna@hub.test" in line and "raise" not in line for line in told)
    assert any("test_security.py" in line for line in told)


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, False),
        ({"origin": "http://hub.test"}, True),
        ({"origin": "http://localhost:8080", "host": "localhost:8080"}, True),
        ({"origin": "https://evil.test", "host": "hub.test"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://hub.test", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_socket_is_opened_from_our_own_pages_only(headers: dict[str, str], ours: bool) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    connection = HTTPConnection({"type": "websocket", "headers": raw})
    assert is_own_socket_origin(connection, "http://hub.test") is ours


TWILIO_LINE = {"account_sid": "AC" + "0" * 32, "number": "+15005550006"}
BROWSER = {"api_key_sid": "SK" + "0" * 32, "twiml_app_sid": "AP" + "0" * 32}


async def test_a_page_reaches_a_provider_only_for_agents_who_talk_through_it(as_admin: Caller, people: People) -> None:
    async def policy() -> str:
        return str((await as_admin.get("/inbox", root=True)).headers["content-security-policy"])

    foreign = "wss://voice-js.roaming.twilio.com"
    line = {"kind": "phone", "provider": "twilio", "name": "Line", "queue_id": people.sales_id, "settings": TWILIO_LINE}
    made = await as_admin.post("/channels", {**line, "id": "phone-1", "secrets": {"auth_token": "a-secret-token"}})
    assert made.status_code == 201, made.text
    assert foreign not in await policy()
    assert made.json()["channel"]["voice"] == {"dials": True, "in_browser": False, "by_connect": False}
    secrets = {"auth_token": "a-secret-token", "api_key_secret": "another-secret"}
    changed = {"settings": {**TWILIO_LINE, **BROWSER}, "secrets": secrets}
    answer = await as_admin.patch("/channels/phone-1", changed)
    assert (answer.status_code, answer.json()["channel"]["voice"]["in_browser"]) == (200, True)
    with_line = await policy()
    assert f" {foreign}" in with_line
    assert with_line.startswith("default-src 'none'; script-src 'self';")
    assert (await as_admin.patch("/channels/phone-1", {"enabled": False})).status_code == 200
    assert foreign not in await policy()
