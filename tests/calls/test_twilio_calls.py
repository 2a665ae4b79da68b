"""Scripted calls on the Twilio line: the real hub and the demo carrier, over HTTP, in one process.

Beside the scripts that every line plays: webhooks that are lost, come twice or late, and a REST side that refuses, fails or
says nothing at each step. Whatever happens: no leg is left, no agent is stuck, and the caller is talked to or told of.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.calls import lines
from hub.channels import twilio
from hub.demo.carrier_voice import VoiceFault, VoiceFaultKind
from hub.store import tables
from tests.calls.scripts import SCRIPTS
from tests.calls.stage import Stage, open_stage
from tests.calls.twilio_line import TwilioLine

pytestmark = pytest.mark.anyio

PLAYED = [name for name, scripted in SCRIPTS.items() if scripted.suits(TwilioLine())]


@pytest.fixture
async def stage(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(sqlite_url, tmp_path, TwilioLine()) as opened:
        yield opened


def line_of(stage: Stage) -> TwilioLine:
    assert isinstance(stage.line, TwilioLine)
    return stage.line


def break_(stage: Stage, kind: VoiceFaultKind, on: str, **more: object) -> None:
    line_of(stage).carrier.voice.faults.append(VoiceFault(kind, on, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PLAYED)
async def test_script(name: str, stage: Stage) -> None:
    await SCRIPTS[name].play(stage)


async def test_a_call_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    async with open_stage(postgresql_url, tmp_path, TwilioLine()) as stage:
        await SCRIPTS["a_call_is_taken_talked_through_and_written_up"].play(stage)


# --- webhooks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", ["document", "action", "status", "conference", "recording", "amd"])
@pytest.mark.parametrize(
    "name", ["a_call_is_taken_talked_through_and_written_up", "a_consulted_colleague_gets_the_call"]
)
async def test_every_webhook_comes_twice(name: str, on: str, stage: Stage) -> None:
    break_(stage, "double", on, left=None)
    await SCRIPTS[name].play(stage)


@pytest.mark.parametrize("on", ["status", "conference"])
async def test_every_webhook_comes_late(on: str, stage: Stage) -> None:
    break_(stage, "late", on, left=None, seconds=7)
    await SCRIPTS["a_call_is_taken_talked_through_and_written_up"].play(stage)


async def test_no_webhook_of_rooms_ever_comes(stage: Stage) -> None:
    break_(stage, "drop", "conference", left=None)
    await SCRIPTS["a_call_is_taken_talked_through_and_written_up"].play(stage)


async def test_a_caller_of_whom_no_end_was_told_is_looked_after(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that would tell of the caller's end is lost, for ever: the hub asks by itself."""
    monkeypatch.setattr(lines, "_SILENT_S", 0.3)
    monkeypatch.setattr(lines, "_CHECK_EVERY_S", 0.3)
    caller, arpi, call = await stage.talk()
    break_(stage, "drop", "", left=None)
    await caller.hang_up()
    await stage.forward(15)
    await stage.until_state(call, "wrap_up")
    await arpi.wraps_up(call)
    await stage.nothing_is_left()


# --- the REST side --------------------------------------------------------------------------------------------------------

FAILURES: list[VoiceFaultKind] = ["server_error", "too_many_requests", "error_after_accept", "timeout_after_accept"]


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("on", ["create_call", "update_call", "list_conferences"])
async def test_a_step_fails_once_and_the_call_goes_on(kind: VoiceFaultKind, on: str, stage: Stage) -> None:
    """At the agent's leg, at what moves the caller to them, or on the way there."""
    break_(stage, kind, on, seconds=0.5)
    caller, arpi, call = await stage.talk()
    await stage.forward(5)
    await caller.hang_up()
    await arpi.wraps_up(call)
    await stage.nothing_is_left()


@pytest.mark.parametrize("kind", FAILURES)
async def test_hold_fails_once_and_is_made_up_for(kind: VoiceFaultKind, stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    break_(stage, kind, "update_participant", seconds=0.5)
    await arpi.does(call, "hold", held=True)
    await caller.hears("music")
    break_(stage, kind, "update_participant", seconds=0.5)
    await arpi.does(call, "hold", held=False)
    await stage.hear_each_other(caller, arpi)
    await caller.hang_up()
    await arpi.wraps_up(call)
    await stage.nothing_is_left()


@pytest.mark.parametrize("kind", ["timeout", "timeout_after_accept"])
@pytest.mark.parametrize("on", ["create_call", "update_call", "list_conferences"])
async def test_a_step_without_an_answer_is_asked_about(
    kind: VoiceFaultKind, on: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether it was done. Nobody is rung twice."""
    defaults = twilio.Rest.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "answer_timeout_s", 0.4)
    break_(stage, kind, on, seconds=2)
    caller, arpi, call = await stage.talk()
    assert len(line_of(stage).carrier.voice.calls_of(arpi.desk_phone)) == 1
    await caller.hang_up()
    await arpi.wraps_up(call)
    await stage.nothing_is_left()


async def test_an_agents_telephone_that_cannot_be_called_gives_the_caller_to_another(stage: Stage) -> None:
    arpi = await stage.agent("Arpi")
    caller = await stage.call()
    offer = await arpi.offer()
    break_(stage, "refuse", "create_call", code=21216)
    await arpi.request("POST", f"/offers/{offer['id']}/accept", {})
    eka = await stage.agent("Eka")
    call = await eka.answers()
    await stage.hear_each_other(caller, eka)
    await caller.hang_up()
    await eka.wraps_up(call)
    await stage.is_free(arpi)
    await stage.nothing_is_left()


async def test_a_recording_that_is_refused_does_no_harm(stage: Stage) -> None:
    await stage.set_queue(records_calls=True)
    break_(stage, "refuse", "create_recording", code=20001, left=None)
    caller, arpi, call = await stage.talk()

    async def is_given_up() -> bool:
        return bool((await stage.row(call))["recording"] == "off")

    await stage.until(is_given_up, "the recording is given up")
    await caller.hang_up()
    await arpi.wraps_up(call)
    assert await stage.rows(tables.recording) == []
    await stage.nothing_is_left()


async def test_who_cannot_be_hung_up_on_now_is_hung_up_on_later(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    break_(stage, "server_error", "update_call", left=3)
    await arpi.does(call, "hang_up")
    await caller.is_over()
    await arpi.wraps_up(call)
    await stage.nothing_is_left()
