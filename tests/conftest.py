"""What all tests share: a real PostgreSQL for the session, a real Chromium for the browser tests."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.chromium import FLAGS, check_chromium
from tests.support.postgres import PostgresServer, run_postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A test that needs PostgreSQL and cannot have it fails, unless HUB_TEST_NO_POSTGRES=1 says that it may be so."""
    if os.environ.get("HUB_TEST_NO_POSTGRES") == "1":
        pytest.skip("HUB_TEST_NO_POSTGRES=1")
    with run_postgres() as server:
        yield server


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
