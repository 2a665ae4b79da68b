"""Scripted calls on the hub's own line, as they are heard: what every line plays, and what can only happen here.

Whatever goes wrong, in the end no leg is left, no agent is stuck, and the caller is talked to or told of.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.calls import lines
from hub.store import tables
from tests.calls.hub_stage import HubLine, hub_stage
from tests.calls.scripts import SCRIPTS
from tests.calls.stage import Stage

pytestmark = pytest.mark.anyio

PLAYED = [name for name, scripted in SCRIPTS.items() if scripted.suits(HubLine)]
TALK, CONSULT = "a_call_is_taken_talked_through_and_written_up", "a_consulted_colleague_gets_the_call"
ONE_MOMENT = "The line was interrupted"


@pytest.fixture
async def stage(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with hub_stage(sqlite_url, tmp_path) as opened:
        yield opened


def line_of(stage: Stage) -> HubLine:
    assert isinstance(stage.line, HubLine)
    return stage.line


@pytest.mark.parametrize("name", PLAYED)
async def test_script(name: str, stage: Stage) -> None:
    await SCRIPTS[name].play(stage)


async def test_a_call_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    async with hub_stage(postgresql_url, tmp_path) as stage:
        await SCRIPTS[TALK].play(stage)


# --- an agent's page ------------------------------------------------------------------------------------------------------


async def test_an_agent_whose_page_was_away_is_back_and_the_caller_heard_why(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await stage.line.agent_hangs_up(arpi)
    await caller.hears(ONE_MOMENT)
    await caller.hears("music")
    await stage.forward(10)
    await arpi.connects(call)
    await stage.hear_each_other(caller, arpi)
    await caller.hang_up()
    await arpi.wraps_up(call)
    await stage.until_over(call, "completed")
    await stage.nothing_is_left()


async def test_an_agent_who_does_not_come_back_leaves_the_caller_to_another_at_the_old_age(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    queued_at = (await stage.row(call))["queued_at"]
    await stage.line.agent_hangs_up(arpi)
    await caller.hears(ONE_MOMENT)
    await arpi.request("PUT", "/me/state", {"state": "away"})
    eka = await stage.agent("Eka")
    await stage.forward(60)
    await eka.answers()
    assert (await stage.row(call))["queued_at"] == queued_at
    await stage.hear_each_other(caller, eka)
    await caller.hang_up()
    await eka.wraps_up(call)
    await stage.is_free(arpi)
    await stage.nothing_is_left()


async def test_a_caller_who_leaves_while_the_agent_is_away_has_talked(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await stage.line.agent_hangs_up(arpi)
    await caller.hears(ONE_MOMENT)
    await caller.hang_up()
    await arpi.wraps_up(call)
    await stage.until_over(call, "completed")
    await stage.nothing_is_left()


# --- webhooks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [TALK, CONSULT, "a_message_after_the_tone_is_work"])
async def test_every_webhook_comes_twice(name: str, stage: Stage) -> None:
    line_of(stage).courier.doubles = True
    await SCRIPTS[name].play(stage)


async def test_every_webhook_fails_once(stage: Stage) -> None:
    line_of(stage).courier.fails = True
    await SCRIPTS[TALK].play(stage)


async def test_a_caller_of_whom_no_end_was_told_is_looked_after(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_CHECK_EVERY_S", 0.2)
    caller, arpi, call = await stage.talk()
    line_of(stage).courier.loses = {"leg"}
    await caller.hang_up()
    await stage.forward(15)
    await stage.until_state(call, "wrap_up")
    await arpi.wraps_up(call)
    await stage.nothing_is_left()


# --- the control API ------------------------------------------------------------------------------------------------------


async def test_a_scene_that_could_not_be_told_is_told_again(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    line_of(stage).trouble.left["/scene"] = 2
    await arpi.does(call, "hold", held=True)
    await stage.forward(2)
    await caller.hears("music")
    line_of(stage).trouble.left["/scene"] = 2
    await arpi.does(call, "hold", held=False)
    await stage.forward(2)
    await stage.hear_each_other(caller, arpi)
    await caller.hang_up()
    await arpi.wraps_up(call)
    await stage.nothing_is_left()


async def test_an_agent_whose_line_was_refused_once_tries_again(stage: Stage) -> None:
    arpi = await stage.agent("Arpi")
    caller = await stage.call()
    call = await arpi.accepts()
    line_of(stage).trouble.left["/connect"] = 1
    assert await arpi.refused(f"/calls/{call['id']}/line", {"sdp": "v=0 and nothing else"}) == "no_media"
    await arpi.connects(call)
    await stage.hear_each_other(caller, arpi)
    await caller.hang_up()
    await arpi.wraps_up(call)
    await stage.nothing_is_left()


async def test_a_recording_that_could_not_be_started_is_started_later(stage: Stage) -> None:
    await stage.set_queue(records_calls=True)
    line_of(stage).trouble.left["/recording"] = 1
    caller, arpi, call = await stage.talk()

    async def is_on() -> bool:
        return str((await stage.row(call))["recording_applied"]) == "on"

    await stage.until(is_on, "the recording runs")
    await stage.forward(3)
    await caller.hang_up()
    await arpi.wraps_up(call)

    async def has_come() -> bool:
        return bool(await stage.rows(tables.recording))

    await stage.until(has_come, "the recording has come")
    await stage.nothing_is_left()


async def test_a_line_that_does_not_answer_is_down_until_it_does(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not anybody calls."""
    monkeypatch.setattr(lines, "_CHECK_EVERY_S", 0.1)
    monkeypatch.setattr(lines, "_LINE_DOWN_S", 0.3)
    trouble = line_of(stage).trouble

    async def health() -> tuple[str, str | None]:
        (row,) = [each for each in await stage.rows(tables.channel) if each["id"] == stage.line.channel_id]
        return row["health"], row["health_code"]

    async def is_down() -> bool:
        return await health() == ("down", "no_media")

    async def is_well() -> bool:
        return await health() == ("ok", None)

    trouble.left["/legs"] = 1000
    await stage.until(is_down, "the line is down")
    trouble.left["/legs"] = 0
    await stage.until(is_well, "the line is well again")


async def test_a_process_that_is_killed_ends_its_calls_and_takes_new_ones(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the one that is started in its place: it holds no legs, and has told of none."""
    monkeypatch.setattr(lines, "_CHECK_EVERY_S", 0.2)
    _, arpi, call = await stage.talk()
    waiting = await stage.call("+37499000111")
    await waiting.hears("music")
    exchange = line_of(stage).media.exchange
    killed = list(exchange.parties.values())
    exchange.parties.clear()
    exchange.rooms.clear()
    await stage.forward(15)
    await arpi.wraps_up(call)
    await stage.nothing_is_left()
    again = await stage.call("+37499000222")
    second = await arpi.answers()
    await stage.hear_each_other(again, arpi)
    await again.hang_up()
    await arpi.wraps_up(second)
    await stage.nothing_is_left()
    for party in killed:
        assert party.leg is not None
        await party.leg.close()
