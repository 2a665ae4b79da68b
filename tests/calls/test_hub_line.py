"""Whole calls on the hub's own line, as people hear them: real hub, real media process, real WebRTC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.domain.values import Role
from tests.calls.hub_line import HubLineHouse, line_house
from tests.media.line import ABSENT, until

pytestmark = pytest.mark.anyio

CUSTOMER, AGENT, OTHER, SUPERVISOR = 440, 1200, 1900, 2500


@pytest.fixture
async def line(database_url: str, tmp_path: Path) -> AsyncIterator[HubLineHouse]:
    async with line_house(database_url, tmp_path) as made:
        yield made


async def test_a_customer_calls_waits_talks_is_held_and_hangs_up(line: HubLineHouse) -> None:
    agent = await line.agent("Nare", AGENT)
    customer = await line.customer(CUSTOMER)
    await customer.calls()
    await customer.told(type="state", state="waiting")
    call_id = await agent.takes()
    await customer.told(type="state", state="talking", agent="Nare")
    await customer.until_hears(AGENT)
    await agent.until_hears(CUSTOMER)

    await agent.post(f"/calls/{call_id}/hold", {"held": True})
    await customer.told(type="state", state="held")
    await customer.until_not_hears(AGENT)
    await agent.until_not_hears(CUSTOMER)
    await agent.post(f"/calls/{call_id}/hold", {"held": False})
    await customer.until_hears(AGENT)

    await customer.send(type="hang_up")
    await customer.told(type="ended", reason="completed")
    await agent.until_call(state="wrap_up")
    done = await agent.post(f"/calls/{call_id}/wrap_up", {"done": True, "note": "ok"})
    assert (done["state"], done["segments"][0]["note"]) == ("ended", "ok")
    await until(lambda: line.media.exchange.parties == {}, "no leg is left")


async def test_a_supervisor_is_heard_by_whom_they_mean(line: HubLineHouse) -> None:
    agent = await line.agent("Nare", AGENT)
    customer = await line.customer(CUSTOMER)
    await customer.calls()
    call_id = await agent.takes()
    await customer.until_hears(AGENT)
    # The music of the queue has tones everywhere, and fades out of what was heard last.
    await until(lambda: customer.strength(SUPERVISOR) < 1, "the music is over")
    supervisor = await line.agent("Gayane", SUPERVISOR, Role.SUPERVISOR)
    await supervisor.post(f"/calls/{call_id}/supervise", {"presence": "listen"})
    await supervisor.connects(call_id)
    await supervisor.until_hears(CUSTOMER)
    await supervisor.until_hears(AGENT)
    assert customer.strength(SUPERVISOR) < 1
    await supervisor.post(f"/calls/{call_id}/supervise", {"presence": "whisper"})
    await agent.until_hears(SUPERVISOR)
    assert customer.strength(SUPERVISOR) < 1
    await supervisor.post(f"/calls/{call_id}/supervise", {"presence": "talk"})
    await customer.until_hears(SUPERVISOR)
    await supervisor.post(f"/calls/{call_id}/take_over")
    await customer.until_not_hears(AGENT)
    await customer.until_hears(SUPERVISOR)
    await supervisor.post(f"/calls/{call_id}/hang_up")
    await customer.told(type="ended", reason="completed")


async def test_a_colleague_is_asked_and_gets_the_call(line: HubLineHouse) -> None:
    agent = await line.agent("Nare", AGENT)
    customer = await line.customer(CUSTOMER)
    await customer.calls()
    call_id = await agent.takes()
    await customer.until_hears(AGENT)
    other = await line.agent("Giorgi", OTHER)
    await agent.post(f"/calls/{call_id}/consult", {"agent_id": other.person.user_id})
    await other.until_call(id=call_id)
    await other.post(f"/calls/{call_id}/join")
    await other.connects(call_id)
    await agent.until_hears(OTHER)
    assert customer.strength(OTHER) < ABSENT, "music has many tones, a voice would be louder"
    await agent.until_call(state="consult")
    await agent.post(f"/calls/{call_id}/consult/complete")
    await customer.until_hears(OTHER)
    await customer.until_not_hears(AGENT)


async def test_an_agent_who_reloads_talks_on(line: HubLineHouse) -> None:
    agent = await line.agent("Nare", AGENT)
    customer = await line.customer(CUSTOMER)
    await customer.calls()
    call_id = await agent.takes()
    await customer.until_hears(AGENT)
    before = agent.connection
    await agent.connects(call_id)
    del agent.heard[:]
    assert before is not None
    await before.close()
    await agent.until_hears(CUSTOMER)
    await customer.until_hears(AGENT)
    assert (await agent.call(call_id))["state"] == "talking"


async def test_a_media_process_that_dies_leaves_nobody_busy(line: HubLineHouse) -> None:
    agent = await line.agent("Nare", AGENT)
    customer = await line.customer(CUSTOMER)
    await customer.calls()
    await agent.takes()
    await customer.until_hears(AGENT)
    # As after a restart: it holds no legs and knows nothing of any.
    line.media.exchange.parties.clear()
    await customer.told(type="ended")
    await agent.until_call(state="wrap_up")


async def test_a_page_comes_back_to_its_call(line: HubLineHouse) -> None:
    agent = await line.agent("Nare", AGENT)
    cookie = await line.house.visit()
    customer = await line.customer(CUSTOMER, cookie)
    await customer.calls()
    await agent.takes()
    await customer.told(type="state", state="talking")
    again = await line.customer(CUSTOMER, cookie)
    await again.send(type="resume", token=customer.token)
    await again.told(type="state", state="talking", agent="Nare")
    stranger = await line.customer(CUSTOMER)
    await stranger.send(type="resume", token=customer.token)
    await stranger.told(type="ended", reason=None)


async def test_more_callers_than_the_line_carries_hear_so(line: HubLineHouse) -> None:
    line.media.exchange.limit = 1
    first, second = await line.customer(CUSTOMER), await line.customer(OTHER)
    await first.calls()
    await first.told(type="state", state="waiting")
    await second.send(type="call", sdp=await second.offer())
    await second.told(type="error", code="all_busy")


@pytest.mark.parametrize(
    "frame", ["", "[]", "{}", '{"type": "dance"}', '{"type": "call"}', '{"type": "key", "key": "A"}', "x" * 70_000]
)
async def test_garbage_is_told_to_be_garbage(line: HubLineHouse, frame: str) -> None:
    customer = await line.customer(CUSTOMER)
    assert customer.socket is not None
    await customer.socket.send(frame)
    await customer.told(type="error", code="bad_request")
    await customer.send(type="ping")
    await customer.told(type="pong")


async def test_an_offer_that_is_none_is_refused_and_the_page_may_try_again(line: HubLineHouse) -> None:
    customer = await line.customer(CUSTOMER)
    await customer.send(type="call", sdp="this is no offer at all")
    await customer.told(type="error", code="bad_offer")
    await customer.calls()
    await customer.told(type="state", state="waiting")


async def test_a_page_that_hangs_up_before_its_call_has_come_in_may_call_again(line: HubLineHouse) -> None:
    customer = await line.customer(CUSTOMER)
    await customer.send(type="call", sdp=await customer.offer())
    await customer.told(type="answer")
    await customer.send(type="hang_up")
    await customer.told(type="ended", reason=None)
    await customer.leave()
    assert line.media.exchange.parties == {}
    await customer.calls()
    await customer.told(type="state", state="waiting")


async def test_a_page_comes_back_to_a_call_that_has_not_come_in_yet(line: HubLineHouse) -> None:
    cookie = await line.house.visit()
    first = await line.customer(CUSTOMER, cookie)
    await first.send(type="call", sdp=await first.offer())
    answer = await first.told(type="answer")
    again, stranger = await line.customer(CUSTOMER, cookie), await line.customer(OTHER)
    for page in (again, stranger):
        await page.send(type="resume", token=answer["token"])
    await stranger.told(type="ended", reason=None)
    await first.answered(answer["sdp"])
    await again.told(type="state", state="waiting")


async def test_who_writes_and_calls_is_one_customer(line: HubLineHouse) -> None:
    agent = await line.agent("Nare", AGENT)
    cookie = await line.house.visit()
    async with line.house.widget(cookie) as widget:
        await widget.send(type="message", client_id="m1", text="Where is my parcel?")
        await widget.until(type="ack", client_id="m1")
        customer = await line.customer(CUSTOMER, cookie)
        await customer.calls()
        await customer.told(type="state")
    snapshot = await line.house.snapshot(agent.person)
    assert len(snapshot["conversations"]) == 2
    assert len({each["customer_id"] for each in snapshot["conversations"]}) == 1
