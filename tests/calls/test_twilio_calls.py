"""Scripted calls on the Twilio line: the real hub and the demo carrier, over HTTP, in one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.calls.scripts import SCRIPTS
from tests.calls.stage import open_stage
from tests.calls.twilio_line import TwilioLine

pytestmark = pytest.mark.anyio

PLAYED = [name for name, scripted in SCRIPTS.items() if scripted.suits(TwilioLine())]


@pytest.mark.parametrize("name", PLAYED)
async def test_script(name: str, sqlite_url: str, tmp_path: Path) -> None:
    async with open_stage(sqlite_url, tmp_path, TwilioLine()) as stage:
        await SCRIPTS[name].play(stage)
