from pathlib import Path

import pytest

from hub.store.database import Database
from tests.support.scene import Scene


@pytest.fixture
async def scene(database: Database, tmp_path: Path) -> Scene:
    return await Scene(database, files_dir=tmp_path / "files").set_up()
