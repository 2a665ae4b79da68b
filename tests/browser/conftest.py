"""A demo for each file, and a browser of their own for everybody in it. At the end of a test no page has complained."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.people import Complaints, NewPage, show
from tests.support.hub_process import HubProcess


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    data_dir = tmp_path_factory.mktemp("demo") / "data"
    with HubProcess(["demo", "--quiet"], data_dir) as hub:
        yield hub
    assert "Traceback" not in hub.log


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    heard = Complaints()
    yield heard
    assert heard.said == []


@pytest.fixture
def new_page(browser: Browser, complaints: Complaints, request: pytest.FixtureRequest) -> Iterator[NewPage]:
    """Somebody's own browser: cookies, storage and network of its own. Shows the page at the end (PICTURES)."""
    opened: list[tuple[str, Page]] = []

    def make(name: str, *, width: int = 1440, height: int = 900) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
        complaints.listen(context)
        page = context.new_page()
        opened.append((name, page))
        return page

    yield make
    for name, page in opened:
        show(page, f"{request.node.name}-{name}")
        page.context.close()
