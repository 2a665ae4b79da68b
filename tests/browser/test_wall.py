"""The wall-board: right where more is open than a screen is given, left on a wall, and back after the hub was away."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.browser.people import Agent, Complaints, Handset, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

CUSTOMERS = ("+37491000801", "+37491000802", "+37491000803", "+37491000804")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """Its screens are given two open conversations."""
    data_dir = tmp_path_factory.mktemp("wall") / "data"
    with HubProcess(["demo", "--quiet"], data_dir, snapshot_conversations="2") as hub:
        yield hub


def _slowly(route: Route) -> None:
    time.sleep(1)
    route.continue_()


def test_a_wall_shows_all_who_wait_and_comes_back_with_a_hub_that_was_away(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    phone = new_page("handset")
    for number in CUSTOMERS[:3]:
        handset = Handset(phone, number).open(demo.url)
        handset.write("Where is my order?")
        expect(handset.message("Where is my order?", "sent")).to_have_count(1)

    supervisor = Agent(new_page("wall"), "supervisor@demo.test").sign_in(demo.url)
    tile = supervisor.page.locator('[data-tile="waiting"]')
    expect(tile.locator(".live-text")).to_have_text("3")
    expect(supervisor.page.get_by_test_id("queue-waiting").get_by_text("3", exact=True)).to_have_count(1)

    supervisor.page.goto(f"{demo.url}/wall?pages=floor")
    wall = supervisor.page.get_by_test_id("wall")
    expect(wall).to_have_attribute("data-live", "true")
    supervisor.page.get_by_test_id("wall-keep").click()
    supervisor.page.get_by_test_id("wall-keep-yes").click()
    expect(supervisor.page.get_by_test_id("wall-sign-out")).to_be_visible()
    expect(tile.locator(".live-text")).to_have_text("3")
    show(supervisor.page, "wall")

    complaints.is_cut = True
    demo.kill()
    expect(supervisor.page.get_by_test_id("wall-stale")).to_be_visible()
    demo.start("--keep")
    expect(wall).to_have_attribute("data-live", "true", timeout=30_000)
    Handset(phone, CUSTOMERS[3]).open(demo.url).write("Where is my order?")
    expect(tile.locator(".live-text")).to_have_text("4")
    # It is a screen and nothing else, wherever somebody leads it; on a slow line, too, it asks for nothing more.
    supervisor.page.route("**/assets/Wall-*.js", _slowly)
    supervisor.page.goto(f"{demo.url}/conversations")
    expect(wall).to_have_attribute("data-live", "true")
