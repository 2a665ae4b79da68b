"""Every REST call of the Twilio adapters is one that Twilio publishes: path, parameter names and values."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub.channels.channel import Media, MessageArrival
from hub.channels.sms import SmsChannel
from tests.channels.provider import Provider, Reply, Seen, running_provider
from tests.channels.support import ACCOUNT_SID, NOW, NUMBER, SERVICE_SID, outgoing, picture, sms_account, twilio_request

DOCUMENT = Path(__file__).resolve().parents[3] / "shared" / "data" / "twilio_api_v2010.json"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not DOCUMENT.exists(), reason="needs Twilio's OpenAPI document, ../shared/data/twilio_api_v2010.json"
    ),
]


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text("utf-8"))
    return loaded


def example(path: str, method: str, status: str, name: str) -> Reply:
    """One of Twilio's own example answers."""
    answers = document()["paths"][path][method]["responses"][status]["content"]["application/json"]["examples"]
    return Reply.json(int(status), answers[name]["value"])


def check_call(seen: Seen, suffix: str = "", path: str | None = None) -> str:
    """Fails unless `seen` is a call that the document knows; its template of the path."""
    path = path or seen.path + suffix
    template, parameters = next(
        (template, match.groupdict())
        for template in document()["paths"]
        if (match := re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template.replace(".", r"\.")), path))
    )
    operation = document()["paths"][template][seen.method.lower()]
    known = {each["name"]: each["schema"] for each in operation.get("parameters", [])}
    for name, value in [*parameters.items(), *seen.query]:
        check_value(name, value, known[name])
    body = operation.get("requestBody", {}).get("content", {}).get("application/x-www-form-urlencoded", {})
    form = body.get("schema", {"properties": {}})
    for name, value in seen.form:
        check_value(name, value, form["properties"][name])
    assert set(form.get("required", [])) <= {name for name, _ in seen.form}
    # An array is written as a repeated field, which the document does not say; everything else comes once.
    arrays = {name for name, schema in form["properties"].items() if schema.get("type") == "array"}
    repeated = {name for name, count in Counter(name for name, _ in [*seen.form, *seen.query]).items() if count > 1}
    assert repeated <= arrays
    return str(template)


def check_value(name: str, value: str, schema: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema["type"] == "array":
        schema = schema["items"]
    assert value in schema.get("enum", [value]), name
    assert re.search(schema.get("pattern", ""), value), name
    assert schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)), name
    if schema["type"] == "integer":
        assert schema.get("minimum", int(value)) <= int(value) <= schema.get("maximum", int(value)), name
    if schema["type"] == "boolean":
        assert value in ("true", "false"), name
    if schema.get("format") == "uri":
        assert urlsplit(value).scheme in ("http", "https"), name
        assert urlsplit(value).hostname, name
        assert "_" not in str(urlsplit(value).hostname), name
    if schema.get("format") == "phone-number":
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}", value), name


MESSAGES = "/2010-04-01/Accounts/{AccountSid}/Messages.json"


def channel_of(provider: Provider, **settings: str) -> SmsChannel:
    return SmsChannel(sms_account(api_base=provider.url, **settings))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "create"),
        ({"messaging_service_sid": SERVICE_SID}, "create"),
        ({"messaging_service_sid": SERVICE_SID, "from_number": ""}, "createWithMessagingService"),
    ],
)
async def test_a_send_is_a_published_call(settings: dict[str, str], name: str) -> None:
    async with running_provider() as provider:
        channel = channel_of(provider, **settings)
        provider.play(example(MESSAGES, "post", "201", name))
        text = await channel.send(outgoing("Hello"))
        files = await channel.send(outgoing("", picture(), picture()))
        await channel.aclose()
    for seen in provider.seen:
        assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
        check_call(seen)
    assert text.provider_id == files.provider_id == "SM" + "a" * 32


@pytest.mark.parametrize("settings", [{}, {"messaging_service_sid": SERVICE_SID, "from_number": ""}])
async def test_a_search_is_a_published_call(settings: dict[str, str]) -> None:
    async with running_provider() as provider:
        channel = channel_of(provider, **settings)
        provider.play(
            example(MESSAGES, "get", "200", "readFullPage1"), example(MESSAGES, "get", "200", "readEmptySentdateEquals")
        )
        found = await channel.find_sent(replace(outgoing("Hello"), attempted_at=NOW - timedelta(hours=1)))
        await channel.aclose()
    assert found is None
    assert len(provider.seen) == 2
    for seen in provider.seen:
        check_call(seen)


async def test_a_fetch_is_a_published_call() -> None:
    (arrival,) = SmsChannel(sms_account()).parse(twilio_request("message_picture"))
    assert isinstance(arrival, MessageArrival)
    (medium,) = arrival.media
    async with running_provider() as provider:
        channel = channel_of(provider)
        provider.play(Reply(200, b"\xff\xd8", {"Content-Type": "image/jpeg"}))
        await channel.fetch_media(Media("image/jpeg", url=medium.url))
        await channel.aclose()
    # The document names the description of the medium; its content is the same address without the ending
    # (twilio.com/docs/messaging/api/media-resource, "Default: content-type").
    check_call(provider.seen[0], suffix=".json")


async def test_an_invented_parameter_is_noticed() -> None:
    path = MESSAGES.replace("{AccountSid}", ACCOUNT_SID)
    with pytest.raises(KeyError):
        check_call(Seen("POST", path, [], {}, b"To=%2B37491234567&Recipient=1"))
    with pytest.raises(AssertionError):
        check_call(Seen("POST", path, [], {}, f"To={NUMBER}".encode()))
