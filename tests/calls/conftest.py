import pytest

from hub.store.database import Database
from tests.calls.caller import Line
from tests.support.scene import Scene


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await Scene(database).set_up()


@pytest.fixture
async def line(scene: Scene) -> Line:
    await scene.channel("phone", "phone")
    return Line(scene)
