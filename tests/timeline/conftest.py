import pytest

from hub.store.database import Database
from tests.support.scene import Scene


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await Scene(database).set_up()
