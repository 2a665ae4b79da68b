"""A call as its parties hear it: real WebRTC over 127.0.0.1, tones measured at each end."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.channels.voice import Hold, Talk
from hub.domain.calls import Party, Presence
from tests.media.line import media_line

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("codec", ["opus", "pcmu"])
async def test_both_hear_each_other_and_not_themselves(tmp_path: Path, codec: str) -> None:
    async with media_line(tmp_path, codec=codec) as line:
        customer = await line.call("customer", Party.CUSTOMER, hertz=440)
        agent = await line.call("agent", Party.AGENT, hertz=1200)
        await customer.until_hears(1200)
        await agent.until_hears(440)
        await customer.until_not_hears(440)
        await agent.until_not_hears(1200)


async def test_the_customer_hears_a_supervisor_only_when_they_take_part(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        customer = await line.call("customer", Party.CUSTOMER, hertz=440)
        agent = await line.call("agent", Party.AGENT, hertz=1200)
        supervisor = await line.call("supervisor", Party.SUPERVISOR, Talk(Presence.LISTEN), hertz=2500)
        await supervisor.until_hears(440)
        await supervisor.until_hears(1200)
        await customer.until_not_hears(2500)
        await agent.until_not_hears(2500)

        whisper = Talk(Presence.WHISPER, coached_leg_id=7)
        await supervisor.scene(whisper, 2, peers={"7": "agent"})
        await agent.until_hears(2500)
        await agent.until_hears(440)
        await customer.until_not_hears(2500)

        await supervisor.scene(Talk(), 3)
        await customer.until_hears(2500)
        await customer.until_hears(1200)


async def test_who_is_muted_hears_and_is_not_heard(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        customer = await line.call("customer", Party.CUSTOMER, hertz=440)
        agent = await line.call("agent", Party.AGENT, Talk(muted=True), hertz=1200)
        await agent.until_hears(440)
        await customer.until_not_hears(1200)
        await agent.scene(Talk(), 2)
        await customer.until_hears(1200)


async def test_a_held_customer_hears_music_and_neither_is_heard(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        customer = await line.call("customer", Party.CUSTOMER, hertz=440)
        agent = await line.call("agent", Party.AGENT, hertz=1200)
        await customer.until_hears(1200)
        await customer.scene(Hold(), 2)
        await customer.until_not_hears(1200)
        await agent.until_not_hears(440)
        await customer.scene(Talk(), 3)
        await customer.until_hears(1200)
        await agent.until_hears(440)
