"""Every REST call of the telephone line is one that Twilio publishes: path, parameter names and values. The document and the
judge are those of test_twilio_openapi."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from hub.channels.phone import TwilioLine
from hub.channels.twilio_voice import CALL_STATES, RECORDING_LIVE, RECORDING_UNREADY
from hub.channels.voice import Hold, Over, RecordingRef, Say, Talk
from hub.domain.calls import Party, Presence, Recording
from tests.channels.lines import AGENT_SID, HELLO, RECORDING_SID, line_account, order
from tests.channels.provider import Reply, running_provider
from tests.channels.test_twilio_openapi import DOCUMENT, check_call, document

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not DOCUMENT.exists(), reason="needs Twilio's OpenAPI document, ../shared/data/twilio_api_v2010.json"
    ),
]

ACCOUNT = "/2010-04-01/Accounts/{AccountSid}"
CALLS = f"{ACCOUNT}/Calls.json"
CALL = f"{ACCOUNT}/Calls/{{Sid}}.json"
CONFERENCES = f"{ACCOUNT}/Conferences.json"
PARTICIPANTS = f"{ACCOUNT}/Conferences/{{ConferenceSid}}/Participants.json"
PARTICIPANT = f"{ACCOUNT}/Conferences/{{ConferenceSid}}/Participants/{{CallSid}}.json"
CALL_RECORDINGS = f"{ACCOUNT}/Calls/{{CallSid}}/Recordings.json"
CALL_RECORDING = f"{ACCOUNT}/Calls/{{CallSid}}/Recordings/{{Sid}}.json"
RECORDING = f"{ACCOUNT}/Recordings/{{Sid}}.json"


def example(path: str, method: str, **changed: str) -> Reply:
    """The first of Twilio's own example answers, with some of it `changed`."""
    responses = document()["paths"][path][method]["responses"]
    status = min(status for status in responses if status.startswith("2"))
    content = responses[status].get("content")
    if content is None:
        return Reply(int(status))
    value: dict[str, Any] = dict(next(iter(content["application/json"]["examples"].values()))["value"])
    return Reply.json(int(status), {**value, **changed})


def listed(name: str, **item: str) -> Reply:
    return Reply.json(200, {name: [item], "page": 0, "page_size": 50})


IN_ROOM = listed("conferences", sid="CF" + "0" * 32, status="in-progress", friendly_name="Room")
WHISPER = Talk(Presence.WHISPER, coached_leg_id=7)


@dataclass(frozen=True, slots=True)
class Doing:
    """What the line is asked for, what Twilio answers meanwhile, and which of its operations that must be."""

    verb: Callable[[TwilioLine], Awaitable[object]]
    operations: list[tuple[str, str]]
    answers: list[Reply] = field(default_factory=list)


def doings() -> Iterator[tuple[str, Doing]]:
    new = order(Talk(), sid=None, address="+37491234567")
    # Twilio shows the answer to a new call with the status of one that is over.
    dialled = [example(CALLS, "post", status="queued")]
    yield "dials", Doing(lambda line: line.dial(new), [("post", CALLS)], dialled)
    careful = order(Talk(), sid=None, address="+37491234567", caller_id="+15005550007", detects_machine=True)
    yield "dials and listens for a machine", Doing(lambda line: line.dial(careful), [("post", CALLS)], dialled)
    yield "hangs up", Doing(lambda line: line.hang_up(order(Over())), [("post", CALL)])
    yield "asks for a leg", Doing(lambda line: line.find_leg(order(Talk())), [("get", CALL)])
    found = listed("calls", sid=AGENT_SID, status="completed")
    yield "asks for a call", Doing(lambda line: line.find_leg(new), [("get", CALLS)], [found])
    yield "redirects", Doing(lambda line: line.apply(order(Say((HELLO,))), Talk()), [("post", CALL)])
    room = [("get", CONFERENCES), ("post", PARTICIPANT)]
    there = [IN_ROOM, example(PARTICIPANT, "post")]
    yield "holds", Doing(lambda line: line.apply(order(Hold((HELLO,))), Talk()), room, there)
    yield "takes off hold", Doing(lambda line: line.apply(order(Talk()), Hold()), room, there)
    coach = order(WHISPER, party=Party.SUPERVISOR, peers={7: AGENT_SID})
    yield "whispers", Doing(lambda line: line.apply(coach, Talk(Presence.LISTEN)), room, there)
    yield (
        "records",
        Doing(
            lambda line: line.record(order(Talk()), Recording.ON),
            [("get", CALL_RECORDINGS), ("post", CALL_RECORDINGS)],
            [listed("recordings", sid=RECORDING_SID, status="completed"), example(CALL_RECORDINGS, "post")],
        ),
    )
    for wanted, before in ((Recording.PAUSED, "in-progress"), (Recording.ON, "paused"), (Recording.OFF, "in-progress")):
        yield (
            f"records: {wanted} after {before}",
            Doing(
                lambda line, wanted=wanted: line.record(order(Talk()), wanted),  # type: ignore[misc]
                [("get", CALL_RECORDINGS), ("post", CALL_RECORDING)],
                [listed("recordings", sid=RECORDING_SID, status=before), example(CALL_RECORDING, "post")],
            ),
        )
    yield (
        "looks for the customer",
        Doing(
            lambda line: line.record(order(Talk(), party=Party.AGENT), Recording.OFF),
            [("get", CONFERENCES), ("get", PARTICIPANTS), ("get", CALL_RECORDINGS)],
            [
                IN_ROOM,
                listed("participants", call_sid=AGENT_SID, label="customer-1-1", conference_sid="CF" + "0" * 32),
                listed("recordings", sid=RECORDING_SID, status="completed"),
            ],
        ),
    )
    yield "removes", Doing(lambda line: line.delete_recording(RecordingRef(RECORDING_SID)), [("delete", RECORDING)])


DOINGS = dict(doings()) if DOCUMENT.exists() else {}


@pytest.mark.parametrize("name", DOINGS)
async def test_what_is_asked_of_twilio_is_a_published_call(name: str) -> None:
    doing = DOINGS[name]
    async with running_provider() as provider:
        provider.play(*(doing.answers or [example(path, method) for method, path in doing.operations]))
        line = TwilioLine(line_account(api_base=provider.url))
        await doing.verb(line)
        await line.aclose()
    asked = [(seen.method.lower(), check_call(seen)) for seen in provider.seen]
    assert asked == doing.operations


async def test_a_recording_is_fetched_by_a_published_call() -> None:
    async with running_provider() as provider:
        provider.play(Reply(200, b"RIFF", {"Content-Type": "audio/x-wav"}))
        line = TwilioLine(line_account(api_base=provider.url))
        await line.fetch_recording(RecordingRef(RECORDING_SID, channels=2))
        await line.aclose()
    (seen,) = provider.seen
    # The document names the description of the recording; its sound is the same address with another ending, and
    # RequestedChannels a parameter of that alone (docs/voice/api/recording, "Fetch a recording media file").
    assert seen.query == [("RequestedChannels", "2")]
    seen.query.clear()
    assert check_call(seen, path=seen.path.removesuffix(".wav") + ".json") == RECORDING


def test_the_words_of_a_call_are_those_that_twilio_publishes() -> None:
    schemas = document()["components"]["schemas"]
    # `initiated` is a word of the status callback alone.
    assert set(CALL_STATES) - {"initiated"} == set(schemas["call_enum_status"]["enum"])
    assert set(schemas["recording_enum_status"]["enum"]) >= RECORDING_UNREADY | RECORDING_LIVE
