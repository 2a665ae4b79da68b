"""A chat's visitor closes the page while they wait: whoever is offered the chat, and whoever holds it, sees that; and when
they come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Agent, NewPage, Visitor, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

AXE = Path(__file__).resolve().parents[2] / "web_console" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """One that does not wait long: that a reload is no leaving is tested elsewhere (tests/web/test_visitor_windows.py)."""
    data_dir = tmp_path_factory.mktemp("demo") / "data"
    with HubProcess(["demo", "--quiet"], data_dir, visitor_grace_s="0.5") as hub:
        yield hub
    assert "Traceback" not in hub.log


def leave(visitor: Visitor) -> None:
    visitor.page.goto("about:blank")


def come_back(visitor: Visitor, url: str) -> None:
    """The page alone is enough: whoever has talked here before is connected without opening the chat."""
    visitor.page.goto(f"{url}/demo/shop")


def faults(page: Page, within: str) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("within => axe.run(within, {resultTypes: ['violations']})", within)
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found["violations"]]


def test_a_visitor_who_left_is_seen_to_be_gone_and_to_come_back(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url)
    page = agent.page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    visitor = Visitor(new_page("visitor")).open(demo.url)
    visitor.write("Is the kettle still on sale?")
    visitor.shows("Is the kettle still on sale?", "in")
    visitor.identify(name="Ani", phone="+37491000812")
    # They do not go before the hub has both: the window shows at once what is still on its way.
    page.goto(f"{demo.url}/conversations?list=queue")
    row = page.get_by_test_id("conversation-row").filter(has_text="Is the kettle still on sale?")
    expect(row).to_contain_text("Ani")
    leave(visitor)

    # Nobody is available: it waits, and the list says that nobody is there.
    expect(row.get_by_test_id("visitor-mark")).to_contain_text("left the page")
    agent.become_available()
    offer = page.get_by_test_id("offer")
    expect(offer.get_by_test_id("offer-visitor-away")).to_contain_text("left the page")
    show(page, "visitor-away-offer")
    agent.accept("Is the kettle still on sale?")

    notice = page.get_by_test_id("visitor-away")
    expect(notice).to_contain_text("They will read your answer when they come back.")
    expect(page.locator(".pane header").get_by_test_id("visitor-mark")).to_be_visible()
    expect(page.get_by_test_id("visitor-said")).to_be_empty()  # nothing has happened before one's eyes
    agent.answer("Yes, until Sunday.")
    notice.get_by_test_id("visitor-other-way").click()
    form = page.get_by_test_id("start-form")
    expect(form.get_by_test_id("way-sms").get_by_role("radio")).to_be_checked()
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)

    # On a phone, in the dark: everything is there, and nothing is wider than the screen.
    for scheme, width in (("dark", 390), ("light", 390), ("dark", 1440), ("light", 1440)):
        # A colour that is half way to another is no colour to be judged.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 844})
        expect(notice).to_be_visible()
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
        assert faults(page, '[data-testid="visitor-away"]') == []
        show(page, f"visitor-away-{scheme}-{width}")

    come_back(visitor, demo.url)
    expect(notice).to_have_count(0)
    expect(page.get_by_test_id("visitor-mark")).to_have_count(0)
    expect(page.get_by_test_id("visitor-said")).to_have_text("The visitor is back.")
    visitor.page.get_by_test_id("chat-launcher").click()
    visitor.shows("Yes, until Sunday.")
    leave(visitor)
    expect(notice).to_be_visible()
    expect(page.get_by_test_id("visitor-said")).to_have_text("The visitor has left the page.")
    agent.resolve()
    expect(page.get_by_test_id("visitor-mark")).to_have_count(0)
    expect(page.get_by_test_id("visitor-said")).to_be_empty()
