"""Calls, scripted: what customers and agents do, and what must come of it, on whatever line."""

from __future__ import annotations

from collections.abc import Callable

from tests.calls.stage import Script, Scripted, Stage

SCRIPTS: dict[str, Scripted] = {}


def scripted(*needs: str) -> Callable[[Script], Script]:
    def keep(script: Script) -> Script:
        SCRIPTS[script.__name__] = Scripted(script, frozenset(needs))
        return script

    return keep


@scripted()
async def a_call_is_taken_talked_through_and_written_up(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await caller.hears("voices")
    await stage.forward(20)
    await caller.hang_up()
    await stage.until_state(call, "wrap_up")
    await arpi.wraps_up(call, note="Wants beans")
    row = await stage.until_over(call, "completed")
    assert row["answered_at"] is not None
    assert "call" in await stage.happenings(call)
    assert (await stage.conversation(call))["status"] == "resolved"
    await stage.nothing_is_left()


@scripted()
async def the_agent_hangs_up(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await arpi.does(call, "hang_up")
    await caller.is_over()
    await arpi.wraps_up(call)
    await stage.until_over(call, "completed")
    await stage.nothing_is_left()


@scripted()
async def the_caller_waits_with_music_until_somebody_is_there(stage: Stage) -> None:
    caller = await stage.call()
    await caller.hears("music")
    call = await stage.the_call()
    await stage.until_state(call, "queued")
    arpi = await stage.agent("Arpi")
    await arpi.answers()
    await stage.hear_each_other(caller, arpi)
    await caller.hang_up()
    await stage.until_state(call, "wrap_up")
    await stage.nothing_is_left()
