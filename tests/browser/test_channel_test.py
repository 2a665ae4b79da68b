"""A test through a channel arrives at a real handset, is in nobody's timeline, and is refused where silence was asked for."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, Complaints, Handset, NewPage, show
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


def test_a_test_call_rings_a_telephone_and_shows_its_course(demo: HubProcess, new_page: NewPage) -> None:
    number = "+37491000942"
    phone = new_page("telephone")
    phone.goto(f"{demo.url}/demo#{number}")
    page = Agent(new_page("caller"), "admin@demo.test").sign_in(demo.url).page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/admin/channels")
    page.locator(".card").filter(has_text="+15005550006").filter(has_text="Telephone").click()

    page.get_by_test_id("ring-address").fill("")
    page.get_by_test_id("ring").click()
    expect(page.get_by_text("Say which number.")).to_be_visible()
    page.get_by_test_id("ring-address").fill(number)
    page.get_by_test_id("ring").click()
    expect(page.get_by_test_id("ring-ringing")).to_have_attribute("data-done", "true")
    phone.get_by_test_id("call-answer").click()
    expect(page.get_by_test_id("ring-answered")).to_have_attribute("data-done", "true")
    expect(phone.get_by_test_id("captions")).to_contain_text("This is a test call from Sevan Coffee")
    expect(page.get_by_test_id("ring-outcome")).to_contain_text("The line works")
    expect(page.get_by_test_id("ring-over")).to_have_attribute("data-done", "true")
    expect(phone.get_by_test_id("call-state")).to_contain_text("Call ended")
    show(page, "test-call-over")

    # Somebody who does not want to: said as it is. And one that is called off stops ringing there.
    phone.get_by_test_id("call-close").click()
    page.get_by_test_id("ring").click()
    phone.get_by_test_id("call-decline").click()
    expect(page.get_by_test_id("ring-outcome")).to_be_visible()
    expect(page.get_by_test_id("ring-answered")).to_have_attribute("data-done", "false")
    phone.get_by_test_id("call-close").click()
    page.get_by_test_id("ring").click()
    expect(phone.get_by_test_id("call-answer")).to_be_visible()
    page.get_by_test_id("ring-hang-up").click()
    expect(page.get_by_test_id("ring-outcome")).to_contain_text("You hung up")
    expect(phone.get_by_test_id("call-answer")).to_be_hidden()

    page.goto(f"{demo.url}/admin/audit")
    expect(page.get_by_text("made a test call through").first).to_be_visible()
    page.goto(f"{demo.url}/conversations?list=all")
    expect(page.get_by_text("No open conversations")).to_be_visible()
