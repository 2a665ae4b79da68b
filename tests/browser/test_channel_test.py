"""A test through a channel arrives at a real handset, is in nobody's timeline, and is refused where silence was asked for."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, Complaints, Handset, NewPage
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def test_a_test_is_sent_through_a_channel_and_refused_after_stop(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    complaints.is_refused = True
    handset = Handset(new_page("handset"), "+37491000941").open(demo.url)
    page = Agent(new_page("admin"), "admin@demo.test").sign_in(demo.url).page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/admin/channels")
    page.locator(".card").filter(has_text="Text messages").click()

    page.get_by_test_id("test-send").click()
    expect(page.get_by_text("Say where to.")).to_be_visible()
    page.get_by_test_id("test-address").fill("not a number")
    page.get_by_test_id("test-send").click()
    expect(page.get_by_text("is not a phone number")).to_be_visible()
    page.get_by_test_id("test-address").fill(handset.number)
    page.get_by_test_id("test-text").fill("Does it arrive?")
    page.get_by_test_id("test-text").press("Enter")
    expect(page.get_by_test_id("test-outcome")).to_contain_text(handset.number)
    handset.shows("Does it arrive?")

    handset.write("STOP")
    expect(handset.texts.filter(has_text="STOP")).to_have_count(1)
    page.get_by_test_id("test-address").fill(handset.number)
    # The hub hears of it a moment later; until then the carrier itself refuses.
    page.get_by_test_id("test-send").click()
    expect(page.get_by_test_id("channel-test").locator("[aria-invalid=true]")).to_have_count(1)
    expect(handset.message("Does it arrive?", "received")).to_have_count(1)

    # Who tried it is noted, and nobody's timeline has it.
    page.goto(f"{demo.url}/admin/audit")
    expect(page.get_by_text("sent a test through the channel Text messages").first).to_be_visible()
    page.goto(f"{demo.url}/conversations?list=all")
    expect(page.get_by_text("No open conversations")).to_be_visible()
