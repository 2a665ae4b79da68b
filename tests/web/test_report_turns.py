"""Turns: reports of one person wait for each other, those of all leave room for everything else."""

import asyncio

import pytest

from hub.errors import Overloaded, TooMany
from hub.web import report_turns
from hub.web.report_turns import AT_ONCE, WAITING_OF_ONE, ReportTurns

pytestmark = pytest.mark.anyio


async def test_one_person_has_one_turn_at_a_time_and_all_have_two() -> None:
    turns, running, most = ReportTurns(), dict.fromkeys(range(4), 0), [0, 0]

    async def report(person: int) -> None:
        async with turns.turn_of(person):
            running[person] += 1
            most[:] = max(most[0], running[person]), max(most[1], sum(running.values()))
            await asyncio.sleep(0)
            running[person] -= 1

    await asyncio.gather(*(report(number % 4) for number in range(40)))
    assert most == [1, AT_ONCE]


async def test_who_asks_for_more_than_a_page_shows_is_told_to_wait() -> None:
    turns = ReportTurns()
    async with turns.turn_of(1), asyncio.TaskGroup() as group:

        async def wait() -> None:
            async with turns.turn_of(1):
                pass

        waiting = [group.create_task(wait()) for _ in range(WAITING_OF_ONE - 1)]
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await wait()
        for task in waiting:
            task.cancel()
    async with turns.turn_of(1):
        pass


async def test_a_turn_that_does_not_come_is_told_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_turns, "PATIENCE_S", 0.0)
    turns = ReportTurns()
    async with turns.turn_of(1), turns.turn_of(2):
        with pytest.raises(Overloaded):
            async with turns.turn_of(3):
                pass
    async with turns.turn_of(3), turns.turn_of(4):
        pass
