"""The telephones that people hold on the demo's page: what they show, and what hands can do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.demo.conftest import PATIENCE_S, Serving
from tests.demo.line import ANNA, NUMBER, Line, open_line

pytestmark = pytest.mark.anyio

PHONE = f"/_carrier/phones/{ANNA}"


@pytest.fixture
async def line(serving: Serving) -> AsyncIterator[Line]:
    async with open_line(serving) as opened:
        yield opened


@pytest.fixture
async def hand(line: Line) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(line.carrier.base_url) as http:
        yield http


async def do(hand: aiohttp.ClientSession, what: str, status: int = 200, method: str = "POST", **body: Any) -> Any:
    async with hand.request(method, f"{PHONE}/{what}", json=body) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def show_until(live: aiohttp.ClientWebSocketResponse, **wanted: Any) -> Any:
    while True:
        call = (await live.receive_json(timeout=PATIENCE_S))["call"]
        if call is not None and all(call[name] == value for name, value in wanted.items()):
            return call


async def test_a_call_is_shown_from_the_first_ring_to_the_end(line: Line, hand: aiohttp.ClientSession) -> None:
    line.hub.documents |= {
        "voice": (
            "<Gather numDigits='1' input='dtmf speech' action='/chosen'>"
            "<Say language='en-GB'>One for sales</Say></Gather>"
        ),
        "chosen": "<Say>Sales it is</Say><Pause length='60'/>",
    }
    async with hand.ws_connect(f"{PHONE}/live") as live:
        assert (await live.receive_json())["call"] is None
        made = await do(hand, "calls", 201, to=NUMBER)
        assert (made["state"], made["direction"], made["with"]) == ("calling", "made", NUMBER)
        menu = await show_until(live, state="talking", listens=["dtmf", "speech"])
        assert menu["captions"][0] | {"at": ""} == {
            "kind": "say",
            "text": "One for sales",
            "language": "en-GB",
            "at": "",
        }
        await do(hand, "keys", keys="1")
        while not any(c["text"] == "Sales it is" for c in (await show_until(live, state="talking"))["captions"]):
            pass
        await do(hand, "hang_up")
        over = await show_until(live, state="ended")
        assert (over["ended_as"], over["hung_up_here"]) == ("completed", True)
    await do(hand, "hang_up", 409)


async def test_a_ringing_telephone_is_answered_or_declined(line: Line, hand: aiohttp.ClientSession) -> None:
    async with hand.ws_connect(f"{PHONE}/live") as live:
        first = await line.dial(document="<Pause length='60'/>")
        await line.pass_until(lambda: first.status == "ringing")
        ringing = await show_until(live, state="ringing")
        assert (ringing["direction"], ringing["with"]) == ("received", NUMBER)
        await do(hand, "answer")
        await show_until(live, state="talking")
        await do(hand, "answer", 409)
        line.voice.put_down(first)
        second = await line.dial()
        await line.pass_until(lambda: second.status == "ringing")
        await show_until(live, state="ringing")
        await do(hand, "decline")
        await line.ends(second, "busy")


async def test_a_telephone_is_told_what_to_do_when_it_rings(line: Line, hand: aiohttp.ClientSession) -> None:
    await do(hand, "reaction", method="PUT", kind="busy")
    call = await line.dial()
    await line.pass_until(lambda: call.is_over)
    assert call.status == "busy"
    assert (await do(hand, "reaction", 422, method="PUT", kind="sings"))["fields"] == {
        "kind": "One of ring, answer, busy, decline, machine, unreachable"
    }


async def test_other_sites_hold_no_telephone(line: Line, hand: aiohttp.ClientSession) -> None:
    async with hand.post(f"{PHONE}/calls", json={"to": NUMBER}, headers={"Origin": "https://evil.test"}) as answer:
        assert answer.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with hand.ws_connect(f"{PHONE}/live", headers={"Origin": "https://evil.test"}):
            pass


async def test_faults_of_calls_are_set_and_taken_away(line: Line, hand: aiohttp.ClientSession) -> None:
    faults = "/_carrier/voice-faults"
    async with hand.post(faults, json={"kind": "refuse", "on": "create_call", "code": 21216}) as answer:
        assert (await answer.json())["faults"][0]["on"] == "create_call"
    async with hand.post(faults, json={"kind": "sulk", "on": "somewhere"}) as answer:
        assert set((await answer.json())["fields"]) == {"kind", "on"}
    async with hand.delete(faults) as answer:
        assert (await answer.json())["faults"] == []
    assert line.voice.faults == []
