"""Whole calls on a Twilio line: real hub, the demo carrier as Twilio, telephones at both ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.demo.carrier_calls import Reaction, hears
from hub.domain.values import Role
from tests.calls.twilio_line import ANNA, BOSS, DESK, DESK_2, OUTSIDE, TwilioHouse, twilio_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def line(database_url: str, tmp_path: Path) -> AsyncIterator[TwilioHouse]:
    async with twilio_house(database_url, tmp_path) as made:
        yield made


async def test_a_customer_calls_waits_talks_is_held_and_hangs_up(line: TwilioHouse) -> None:
    nare = await line.agent("Nare", DESK)
    anna = line.calls_in()
    await line.hears(anna, "music")
    call_id = await nare.accepts()
    await line.until(lambda: len(line.live) == 2)
    await line.talk(anna, nare.phone)
    await nare.until_call(state="talking")

    await nare.post(f"/calls/{call_id}/hold", {"held": True})
    await line.until(lambda: hears(nare.phone) == frozenset())
    await nare.post(f"/calls/{call_id}/hold", {"held": False})
    await line.talk(anna, nare.phone)

    line.carrier.voice.put_down(anna)
    await nare.until_call(state="wrap_up")
    done = await nare.post(f"/calls/{call_id}/wrap_up", {"done": True, "note": "ok"})
    assert (done["state"], done["segments"][0]["note"]) == ("ended", "ok")
    await line.until(lambda: line.live == [])


async def test_an_agent_who_puts_the_receiver_down_ends_the_call(line: TwilioHouse) -> None:
    nare = await line.agent("Nare", DESK)
    anna = line.calls_in()
    await nare.accepts()
    await line.until(lambda: len(line.live) == 2)
    await line.talk(anna, nare.phone)
    line.carrier.voice.put_down(nare.phone)
    await nare.until_call(state="wrap_up")
    await line.until(lambda: line.live == [])


async def test_a_customer_who_leaves_the_queue_leaves_nothing_behind(line: TwilioHouse) -> None:
    anna = line.calls_in()
    await line.hears(anna, "music")
    nare = await line.agent("Nare", DESK)
    await nare.screen.until_kind("offer.made")
    line.carrier.voice.put_down(anna)
    await nare.screen.until_kind("offer.ended")
    await line.until(lambda: line.live == [])


async def test_a_customer_who_leaves_while_the_agents_telephone_rings(line: TwilioHouse) -> None:
    nare = await line.agent("Nare", DESK)
    line.carrier.voice.set_reaction(DESK, Reaction("ring"))
    anna = line.calls_in()
    await nare.accepts()
    await line.until(lambda: len(line.live) == 2)
    line.carrier.voice.put_down(anna)
    await line.until(lambda: line.live == [])


async def test_an_agents_telephone_that_is_busy_gives_the_caller_back(line: TwilioHouse) -> None:
    nare = await line.agent("Nare", DESK)
    line.carrier.voice.set_reaction(DESK, Reaction("busy"))
    anna = line.calls_in()
    await nare.accepts()
    await nare.until_call(state="queued")
    assert not anna.is_over
    line.carrier.voice.put_down(anna)
    await line.until(lambda: line.live == [])


async def test_a_supervisor_is_heard_by_whom_they_mean(line: TwilioHouse) -> None:
    nare = await line.agent("Nare", DESK)
    anna = line.calls_in()
    call_id = await nare.accepts()
    await line.until(lambda: len(line.live) == 2)
    await line.talk(anna, nare.phone)
    gayane = await line.agent("Gayane", BOSS, Role.SUPERVISOR)
    await gayane.post(f"/calls/{call_id}/supervise", {"presence": "listen"})
    await line.until(lambda: len(line.live) == 3)
    await line.until(lambda: hears(gayane.phone) == {anna.sid, nare.phone.sid})
    assert gayane.phone.sid not in hears(anna) | hears(nare.phone)
    await gayane.post(f"/calls/{call_id}/supervise", {"presence": "whisper"})
    await line.until(lambda: gayane.phone.sid in hears(nare.phone))
    assert gayane.phone.sid not in hears(anna)
    await gayane.post(f"/calls/{call_id}/supervise", {"presence": "talk"})
    await line.talk(anna, nare.phone, gayane.phone)
    await gayane.post(f"/calls/{call_id}/take_over")
    await line.talk(anna, gayane.phone)
    await gayane.post(f"/calls/{call_id}/hang_up")
    await line.until(lambda: line.live == [])


async def test_a_colleague_is_asked_and_gets_the_call(line: TwilioHouse) -> None:
    nare = await line.agent("Nare", DESK)
    anna = line.calls_in()
    call_id = await nare.accepts()
    await line.until(lambda: len(line.live) == 2)
    await line.talk(anna, nare.phone)
    giorgi = await line.agent("Giorgi", DESK_2)
    await nare.post(f"/calls/{call_id}/consult", {"agent_id": giorgi.person.user_id})
    await line.until(lambda: len(line.live) == 3)
    await line.talk(nare.phone, giorgi.phone)
    assert hears(anna) == frozenset()
    await nare.until_call(state="consult")
    await nare.post(f"/calls/{call_id}/consult/complete")
    await line.talk(anna, giorgi.phone)
    await line.until(lambda: nare.phone.is_over)


async def test_a_call_goes_to_a_number_outside(line: TwilioHouse) -> None:
    nare = await line.agent("Nare", DESK)
    anna = line.calls_in()
    call_id = await nare.accepts()
    await line.until(lambda: len(line.live) == 2)
    await line.talk(anna, nare.phone)
    line.carrier.voice.set_reaction(OUTSIDE, Reaction("answer", 0.5))
    await nare.post(f"/calls/{call_id}/transfer", {"number": OUTSIDE})
    await line.until(lambda: any(call.recipient == OUTSIDE for call in line.live))
    await line.talk(anna, line.call_of(OUTSIDE))
    line.carrier.voice.put_down(line.call_of(OUTSIDE))
    await line.until(lambda: line.live == [])


async def test_an_agent_calls_a_customer(line: TwilioHouse) -> None:
    nare = await line.agent("Nare", DESK)
    first = line.calls_in()
    await line.hears(first, "music")
    line.carrier.voice.put_down(first)
    await line.until(lambda: line.live == [])
    found = (await line.house.api(nare.person).get("/customers", q=ANNA)).json()["items"]
    point = found[0]["contact_points"][0]["id"]
    line.carrier.voice.set_reaction(ANNA, Reaction("answer", 0.5))
    call = await nare.post("/calls", {"contact_point_id": point}, status=201)
    await line.until(lambda: len(line.live) == 2)
    anna = line.call_of(ANNA)
    await line.talk(anna, nare.phone)
    await nare.until_call(id=call["id"], state="talking")
    line.carrier.voice.put_down(anna)
    await nare.until_call(id=call["id"], state="wrap_up")
    await line.until(lambda: line.live == [])
