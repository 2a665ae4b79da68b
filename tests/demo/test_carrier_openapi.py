"""What the carrier takes and answers for calls is what Twilio publishes: every path, parameter and field."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from hub.demo.carrier_calls import Reaction
from tests.channels.provider import Seen
from tests.channels.test_twilio_openapi import DOCUMENT, check_call, document
from tests.demo.conftest import Serving
from tests.demo.line import ACCOUNT_SID, ANNA, AUTH_TOKEN, DESK, NUMBER, Line, open_line

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not DOCUMENT.exists(), reason="needs Twilio's OpenAPI document, ../shared/data/twilio_api_v2010.json"
    ),
]

ROOM = "<Response><Dial><Conference record='record-from-start'>room-1</Conference></Dial></Response>"


def check_answer(method: str, path: str, status: int, answer: Any) -> None:
    """Fails unless it is an answer that the document knows, whole and with nothing beside it."""
    template = next(
        t for t in document()["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", t.replace(".", r"\.")), path)
    )
    responses = document()["paths"][template][method.lower()]["responses"]
    assert str(status) in responses
    if "content" in responses[str(status)]:
        check_shape(answer, responses[str(status)]["content"]["application/json"]["schema"], template)


def check_shape(value: Any, schema: dict[str, Any], where: str) -> None:
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if value is None:
        # One enumeration says so in its words alone.
        assert schema.get("nullable") or not schema.get("type") or "`null`" in schema.get("description", ""), where
        return
    assert value in schema.get("enum", [value]), where
    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "boolean": bool,
        "object": dict,
        "array": list,
        "number": (int, float),
    }
    if schema.get("type"):
        assert isinstance(value, kinds[schema["type"]]), (where, value)
    if schema.get("type") == "array":
        for each in value:
            check_shape(each, schema["items"], where)
    elif "properties" in schema:
        assert set(value) == set(schema["properties"]), where
        for name, property_schema in schema["properties"].items():
            check_shape(value[name], property_schema, f"{where} {name}")
    if "pattern" in schema:
        assert re.search(schema["pattern"], value), where
    if schema.get("format") == "date-time-rfc-2822":
        assert parsedate_to_datetime(value).tzinfo is not None, where


class Published:
    """REST calls that are held against the document, both ways."""

    def __init__(self, line: Line, http: aiohttp.ClientSession) -> None:
        self._line, self._http = line, http

    async def __call__(self, method: str, path: str, **form: str) -> Any:
        full = f"/2010-04-01/Accounts/{ACCOUNT_SID}/{path}"
        data = "&".join(f"{name}={_quoted(value)}" for name, value in form.items())
        if method == "POST":
            check_call(Seen("POST", full, [], {}, data.encode()))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        query = "" if method == "POST" or not data else f"?{data}"
        async with self._http.request(
            method, self._line.carrier.base_url + full + query, data=data if method == "POST" else None, headers=headers
        ) as answer:
            body = await answer.json() if answer.status != 204 else None
            check_answer(method, full, answer.status, body)
            return body


def _quoted(value: str) -> str:
    from urllib.parse import quote

    return quote(value, safe="")


@pytest.fixture
async def line(serving: Serving) -> AsyncIterator[Line]:
    async with open_line(serving) as opened:
        yield opened


@pytest.fixture
async def rest(line: Line) -> AsyncIterator[Published]:
    headers = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)}
    async with aiohttp.ClientSession(headers=headers) as http:
        yield Published(line, http)


async def test_calls_are_published_calls(line: Line, rest: Published) -> None:
    line.voice.set_reaction(ANNA, Reaction("answer", 1))
    made = await rest(
        "POST",
        "Calls.json",
        To=ANNA,
        From=NUMBER,
        Url=f"{line.hub.url}/voice",
        StatusCallback=f"{line.hub.url}/told",
        StatusCallbackEvent="completed",
        MachineDetection="Enable",
        AsyncAmd="true",
    )
    path = f"Calls/{made['sid']}"
    line.hub.documents["voice"] = "<Sey/>"
    await line.pass_until(lambda: bool(line.voice.calls[made["sid"]].notifications))
    await rest("GET", f"{path}/Notifications.json")
    await rest("POST", f"{path}.json", Twiml="<Response><Pause length='60'/></Response>")
    recording = (await rest("POST", f"{path}/Recordings.json", RecordingChannels="dual"))["sid"]
    await rest("POST", f"{path}/Recordings/{recording}.json", Status="paused", PauseBehavior="skip")
    await rest("GET", f"{path}/Recordings/{recording}.json")
    await rest("GET", f"{path}/Recordings.json")
    await rest("POST", f"{path}.json", Status="completed")
    await rest("GET", f"{path}.json")
    assert len((await rest("GET", "Calls.json", To=ANNA, Status="completed"))["calls"]) == 1
    await line.time.forward(2)
    await rest("DELETE", f"{path}/Recordings/{recording}.json")
    await rest("DELETE", f"{path}.json")


async def test_conferences_are_published_conferences(line: Line, rest: Published) -> None:
    caller = line.call(document="<Dial><Conference record='record-from-start'>room-1</Conference></Dial>")
    await line.hears(caller, "music")
    agent = await line.answered(DESK, "<Dial><Conference>room-1</Conference></Dial>")
    await line.hears(agent, "talk")
    (found,) = (await rest("GET", "Conferences.json", FriendlyName="room-1", Status="in-progress"))["conferences"]
    path = f"Conferences/{found['sid']}"
    await rest("GET", f"{path}.json")
    await rest("GET", f"{path}/Participants.json", Hold="false")
    await rest("GET", f"{path}/Participants/{caller.sid}.json")
    await rest("POST", f"{path}/Participants/{caller.sid}.json", Hold="true", HoldUrl=f"{line.hub.url}/hold")
    await rest("POST", f"{path}/Participants/{agent.sid}.json", Muted="true")
    await rest("POST", f"{path}/Participants.json", From=NUMBER, To=ANNA[:-1] + "0", Muted="true")
    (recording,) = (await rest("GET", f"{path}/Recordings.json"))["recordings"]
    await rest("POST", f"{path}/Recordings/{recording['sid']}.json", Status="paused")
    await rest("GET", f"{path}/Recordings/{recording['sid']}.json")
    await rest("DELETE", f"{path}/Participants/{agent.sid}.json")
    await rest("POST", f"{path}.json", Status="completed")
    await rest("GET", "Recordings.json", ConferenceSid=found["sid"])
    await rest("GET", f"Recordings/{recording['sid']}.json")
    await line.time.forward(2)
    await rest("DELETE", f"Recordings/{recording['sid']}.json")


async def test_queues_are_published_queues(line: Line, rest: Published) -> None:
    made = await rest("POST", "Queues.json", FriendlyName="calls", MaxSize="20")
    path = f"Queues/{made['sid']}"
    caller = line.call(document="<Enqueue>calls</Enqueue>")
    await line.hears(caller, "music")
    await rest("GET", "Queues.json")
    await rest("GET", f"{path}.json")
    await rest("POST", f"{path}.json", MaxSize="30")
    await rest("GET", f"{path}/Members.json")
    await rest("GET", f"{path}/Members/{caller.sid}.json")
    line.hub.documents["taken"] = "<Hangup/>"
    await rest("POST", f"{path}/Members/{caller.sid}.json", Url=f"{line.hub.url}/taken")
    await line.ends(caller)
    await rest("DELETE", f"{path}.json")
