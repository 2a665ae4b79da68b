"""Scripted calls on the hub's own line, as they are heard: the scripts that every line plays, and what can only happen here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.calls.hub_stage import HubLine, hub_stage
from tests.calls.scripts import SCRIPTS
from tests.calls.stage import Stage

pytestmark = pytest.mark.anyio

PLAYED = [name for name, scripted in SCRIPTS.items() if scripted.suits(HubLine)]


@pytest.fixture
async def stage(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with hub_stage(sqlite_url, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("name", PLAYED)
async def test_script(name: str, stage: Stage) -> None:
    await SCRIPTS[name].play(stage)


async def test_a_call_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    async with hub_stage(postgresql_url, tmp_path) as stage:
        await SCRIPTS["a_call_is_taken_talked_through_and_written_up"].play(stage)
