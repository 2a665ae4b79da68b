"""A network that is slow, and one that goes away in the middle: what the screen says meanwhile is true, and at the end it is
right, on the agent's side and on the customer's."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Agent, Complaints, NewPage, Visitor
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def slow_down(page: Page, *, latency_ms: int, bytes_per_s: int) -> None:
    """As on the edge of a mobile network. The debugger of Chromium does it, for all that the page asks for."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": latency_ms,
            "downloadThroughput": bytes_per_s,
            "uploadThroughput": bytes_per_s,
        },
    )


def test_on_a_slow_network_the_screen_says_that_it_works_and_is_right_at_the_end(
    demo: HubProcess, new_page: NewPage
) -> None:
    page = new_page("agent")
    slow_down(page, latency_ms=400, bytes_per_s=100_000)
    agent = Agent(page, "agent1@demo.test").sign_in(demo.url)
    expect(page.get_by_test_id("my-state")).to_be_visible(timeout=29_000)
    agent.become_available()
    visitor = Visitor(new_page("visitor", width=1100)).open(demo.url)
    slow_down(visitor.page, latency_ms=400, bytes_per_s=50_000)
    visitor.write("Is my order packed?")
    agent.accept("Is my order packed?")
    agent.sees("Is my order packed?")
    for text in ("It is packed.", "It leaves at noon.", "Have a good day."):
        agent.answer(text)
    for text in ("It is packed.", "It leaves at noon.", "Have a good day."):
        visitor.shows(text)
        expect(agent.entry(text, "out")).to_have_count(1)
    expect(page.get_by_test_id("outgoing")).to_have_count(0)
    expect(agent.texts).to_have_text(["Is my order packed?", "It is packed.", "It leaves at noon.", "Have a good day."])
    expect(visitor.texts).to_have_count(4)
    agent.resolve()


def test_a_network_that_goes_away_on_both_sides_loses_and_doubles_nothing(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).become_available()
    visitor = Visitor(new_page("visitor", width=1100)).open(demo.url)
    visitor.write("Can I change my address?")
    agent.accept("Can I change my address?")
    agent.sees("Can I change my address?")

    complaints.is_cut = True
    visitor.page.context.set_offline(True)
    # Until it says so the old line may carry what is written.
    expect(visitor.page.get_by_test_id("chat-line")).to_contain_text("No connection")
    visitor.write("It is Abovyan 12 now.")
    visitor.write("And please ring twice.")
    expect(visitor.message("And please ring twice.", "in")).to_have_attribute("data-status", "sending")
    agent.page.context.set_offline(True)
    expect(agent.banner).to_contain_text("You are offline")
    agent.answer("Of course. Which one?")
    agent.page.get_by_test_id("composer-text").fill("Half a sentence")
    expect(agent.page.get_by_test_id("outgoing")).to_have_count(1)

    # The page is loaded anew while it is away and comes back with what was not sent.
    agent.page.context.set_offline(False)
    expect(agent.banner).to_have_count(0)
    expect(agent.page.get_by_test_id("outgoing")).to_have_count(0)
    visitor.page.context.set_offline(False)
    visitor.shows("Of course. Which one?")
    agent.sees("It is Abovyan 12 now.")
    agent.sees("And please ring twice.")
    expect(agent.page.get_by_test_id("composer-text")).to_have_value("Half a sentence")
    expect(agent.page.get_by_test_id("draft-state")).to_have_attribute("data-state", "saved")
    complaints.is_cut = False
    for side in (agent.page, visitor.page):
        side.reload()
    visitor.page.get_by_test_id("chat-launcher").click()
    expect(visitor.texts).to_have_count(4)
    expect(agent.texts).to_have_count(4)
    expect(agent.page.get_by_test_id("composer-text")).to_have_value("Half a sentence")
    expect(visitor.message("And please ring twice.", "in")).to_have_attribute("data-status", "sent")
