"""Scripted calls on the hub's own line: the same scripts as on every line, over real WebRTC, measured by tones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.calls.hub_stage import HubStageLine
from tests.calls.scripts import SCRIPTS
from tests.calls.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

PLAYED = [name for name, scripted in SCRIPTS.items() if scripted.suits(HubStageLine(Path()))]


@pytest.fixture
async def stage(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(sqlite_url, tmp_path, HubStageLine(tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize("name", PLAYED)
async def test_script(name: str, stage: Stage) -> None:
    await SCRIPTS[name].play(stage)
