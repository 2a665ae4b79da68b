from collections.abc import AsyncIterator

import pytest

from hub.store.database import Database
from tests.calls.caller import Line
from tests.calls.figures import check_figures
from tests.support.scene import Scene


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await Scene(database).set_up()


@pytest.fixture
async def line(scene: Scene) -> AsyncIterator[Line]:
    """Whatever a test does with it, the figures are right in the end."""
    await scene.channel("phone", "phone")
    yield Line(scene)
    await check_figures(scene.database)
