"""What all tests share: real databases of both kinds, a clock that stands still, a real Chromium for browser tests.

    database       an open, migrated, empty hub.store.database.Database; the test runs on SQLite and on PostgreSQL
    database_url   the same, not opened
    clock          the database's clock: FrozenClock, moved with `clock.advance(seconds)`

Async tests say `pytestmark = pytest.mark.anyio` (or carry the mark themselves).
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from hub.store.database import Database, open_database
from hub.store.migrate import migrate
from tests.support.chromium import FLAGS, check_chromium
from tests.support.clock import FrozenClock
from tests.support.postgres import DISKS, MEMORY, PostgresServer, own_folder, pick_parent, run_postgres

# What `--quick` leaves out beside PostgreSQL: browsers, whole processes that are started, killed or listened to, and calls,
# days and races that are played through. All of it runs before a change lands.
THOROUGH = (
    "browser/",
    "calls/test_hub_calls.py",
    "calls/test_hub_line.py",
    "calls/test_line_tests.py",
    "calls/test_recordings.py",
    "calls/test_twilio_calls.py",
    "crash/",
    "demo/test_carrier.py",
    "demo/test_carrier_voice.py",
    "kpi/test_kept_cells.py",
    "kpi/test_routed_hours.py",
    "kpi/test_simulated_day.py",
    "media/test_child.py",
    "media/test_chromium.py",
    "media/test_control.py",
    "media/test_talk.py",
    "replay/",
    "routing/test_races.py",
    "routing/test_theory.py",
    "store/test_migrations.py",
    "store/test_processes.py",
    "timeline/test_mailbox.py",
    "timeline/test_round_trip.py",
)

# How long an example takes says how busy the machine is, and nothing of the hub.
settings.register_profile("hub", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hub")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="SQLite alone, no browsers, no processes: some minutes less")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--quick"):
        return
    here = Path(__file__).parent
    left_out = [
        item
        for item in items
        if item.path.relative_to(here).as_posix().startswith(THOROUGH)
        or "postgresql" in item.name.partition("[")[2]
        or "postgres_server" in getattr(item, "fixturenames", ())
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A test that needs PostgreSQL and cannot have it fails, unless HUB_TEST_NO_POSTGRES=1 says that it may be so."""
    if os.environ.get("HUB_TEST_NO_POSTGRES") == "1":
        pytest.skip("HUB_TEST_NO_POSTGRES=1")
    with run_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def _migrate_apart(url: str) -> str:
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(lambda: asyncio.run(migrate(url))).result()
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied: migrating takes 300 ms, copying 1."""
    path = tmp_path_factory.mktemp("template") / "hub.db"
    _migrate_apart(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """A migrated database, to be copied with `create_database(template=…)`."""
    return _migrate_apart(postgres_server.create_database())


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'hub.db')}"


@pytest.fixture
def postgresql_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """Dropped after the test: two thousand of them would fill the memory."""
    url = postgres_server.create_database(template=postgres_template)
    yield url
    postgres_server.drop_database(url)


# The same for fixtures that keep a whole module, as a running hub.


@pytest.fixture(scope="module")
def module_sqlite_url(sqlite_template: Path) -> Iterator[str]:
    """In memory if there is room: a commit waits for the disk otherwise, and there are thousands of them."""
    with own_folder(pick_parent(MEMORY, *DISKS), None) as folder:
        yield f"sqlite:///{shutil.copy(sqlite_template, folder / 'hub.db')}"


@pytest.fixture(scope="module")
def module_postgresql_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    url = postgres_server.create_database(template=postgres_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str, clock: FrozenClock) -> AsyncIterator[Database]:
    opened = open_database(database_url, clock)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium with a fresh profile; each test opens its own `browser.new_context()`.

    For the module and no longer: while Playwright's synchronous side is started, this thread counts as one with a
    running event loop, and `asyncio.run` in any other test would refuse to work. Keep async tests out of the module.
    """
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=check_chromium(), args=FLAGS, headless=True)
        try:
            yield chromium
        finally:
            chromium.close()
