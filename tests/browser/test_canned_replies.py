"""Canned replies where they are used: by the keyboard alone, with a value that is missing, and while others change them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Agent, Handset, NewPage, Visitor
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

DELIVERY = "We deliver in Yerevan every day from 10 to 20. Orders before noon arrive the same day, others the next."


def field(page: Page) -> Locator:
    return page.get_by_test_id("composer-text")


def offered(page: Page, code: str) -> Locator:
    return page.get_by_test_id("canned-offered").filter(has=page.get_by_text(f"/{code}", exact=True))


def keep(page: Page, title: str, text: str) -> None:
    """A supervisor adds a reply for everybody; its code is made of the title."""
    page.get_by_test_id("canned-add").click()
    page.get_by_test_id("canned-title").fill(title)
    page.get_by_test_id("canned-text").fill(text)
    expect(page.get_by_test_id("canned-preview")).to_contain_text("Dear Emma")
    page.get_by_test_id("canned-save").click()
    expect(page.get_by_test_id("canned-row").filter(has_text=title)).to_have_count(1)


def test_a_reply_is_found_put_in_and_sent_by_the_keyboard_alone(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    page, keyboard = agent.page, agent.page.keyboard
    visitor = Visitor(new_page("visitor")).open(demo.url)
    visitor.write("Do you deliver?")
    agent.accept("Do you deliver?")
    agent.sees("Do you deliver?")

    field(page).focus()
    keyboard.type("Yes! /")
    expect(page.get_by_test_id("canned-list")).to_be_visible()
    expect(field(page)).to_have_attribute("aria-expanded", "true")
    keyboard.type("YEREVAN deli")
    expect(page.get_by_test_id("canned-offered")).to_have_count(1)
    keyboard.press("Tab")
    expect(field(page)).to_have_value(f"Yes! {DELIVERY}")
    expect(page.get_by_test_id("canned-list")).to_have_count(0)
    keyboard.press("Control+z")
    expect(field(page)).to_have_value("Yes! /YEREVAN deli")
    keyboard.press("End")
    expect(page.get_by_test_id("canned-offered")).to_have_count(1)
    keyboard.press("Enter")
    expect(field(page)).to_have_value(f"Yes! {DELIVERY}")
    keyboard.press("Enter")
    visitor.shows(f"Yes! {DELIVERY}")

    # What was used comes first; arrows go round.
    keyboard.type("/")
    expect(page.get_by_test_id("canned-offered").first).to_contain_text("/delivery")
    keyboard.press("ArrowUp")
    expect(page.get_by_test_id("canned-offered").last).to_have_attribute("aria-selected", "true")
    keyboard.press("ArrowDown")
    expect(page.get_by_test_id("canned-offered").first).to_have_attribute("aria-selected", "true")
    # What the customer writes meanwhile takes nothing from under the hand.
    visitor.write("And on Sundays?")
    agent.sees("And on Sundays?")
    expect(page.get_by_test_id("visitor-said")).to_be_empty()  # who wrote had never left
    expect(page.get_by_test_id("canned-offered").first).to_have_attribute("aria-selected", "true")
    # Left with Escape it is a slash like another, and Enter sends.
    keyboard.press("Escape")
    expect(page.get_by_test_id("canned-list")).to_have_count(0)
    keyboard.type("hours is what you type")
    expect(page.get_by_test_id("canned-list")).to_have_count(0)
    keyboard.press("Enter")
    visitor.shows("/hours is what you type")


def test_what_is_not_known_is_filled_in_before_it_is_sent(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    page, keyboard = agent.page, agent.page.keyboard
    handset = Handset(new_page("handset"), "+37491000977").open(demo.url)
    handset.write("My parcel is not here.")
    agent.accept("My parcel is not here.")
    agent.sees("My parcel is not here.")

    field(page).focus()
    keyboard.type("/late")
    expect(offered(page, "late")).to_be_visible()
    keyboard.press("Enter")
    expect(page.get_by_test_id("canned-blanks")).to_contain_text("Customer's name")
    expect(page.get_by_test_id("segments")).to_be_visible()
    page.get_by_test_id("composer-send").click()
    expect(page.get_by_test_id("canned-send-anyway")).to_be_visible()
    page.get_by_test_id("canned-fill-in").click()
    keyboard.type("Mr Levon")
    expect(page.get_by_test_id("canned-blanks")).to_have_count(0)
    keyboard.press("Enter")
    expect(handset.texts.filter(has_text="Dear Mr Levon,")).to_have_count(1)

    # What one wrote oneself is kept, and found at once.
    keyboard.type("We found it in the car.")
    page.get_by_test_id("canned-open").click()
    page.get_by_test_id("canned-keep").click()
    page.get_by_test_id("canned-title").fill("Found in the car")
    page.get_by_test_id("canned-save").click()
    expect(page.get_by_test_id("canned-keep-form")).to_have_count(0)
    page.get_by_test_id("canned-open").click()
    page.get_by_test_id("canned-browse-find").fill("car")
    expect(page.get_by_test_id("canned-browsed")).to_have_count(1)
    expect(page.get_by_test_id("canned-browse-preview")).to_have_text("We found it in the car.")
    page.get_by_test_id("canned-insert").click()
    expect(field(page)).to_have_value("We found it in the car.We found it in the car.")


def test_what_supervisors_change_is_so_in_every_writing_field(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    page, keyboard = agent.page, agent.page.keyboard
    visitor = Visitor(new_page("visitor")).open(demo.url)
    visitor.write("Do you have decaf?")
    agent.accept("Do you have decaf?")
    agent.sees("Do you have decaf?")
    field(page).focus()
    keyboard.type("/")
    expect(page.get_by_test_id("canned-list")).to_be_visible()

    sue = Agent(new_page("sue"), "supervisor@demo.test").sign_in(demo.url).page
    expect(sue.get_by_test_id("my-state")).to_be_visible()
    sue.goto(f"{demo.url}/admin/canned-replies")
    keep(sue, "Decaf", "Dear {{customer.first_name|customer}}, yes.")
    keyboard.type("decaf")
    expect(offered(page, "decaf")).to_be_visible()

    # Two editors: the second is told, and takes what is there.
    ada = Agent(new_page("ada"), "admin@demo.test").sign_in(demo.url).page
    expect(ada.get_by_test_id("my-state")).to_be_visible()
    ada.goto(f"{demo.url}/admin/canned-replies")
    for screen in (sue, ada):
        screen.get_by_test_id("canned-row").filter(has_text="Decaf").get_by_role("link").click()
        expect(screen.get_by_test_id("canned-title")).to_have_value("Decaf")
    ada.get_by_test_id("canned-title").fill("Ada's decaf")
    sue.get_by_test_id("canned-text").fill("Dear {{customer.first_name|customer}}, always.")
    sue.get_by_test_id("canned-save").click()
    expect(ada.get_by_role("button", name="Show theirs")).to_be_visible()
    ada.get_by_role("button", name="Show theirs").click()
    expect(ada.get_by_test_id("canned-text")).to_have_value("Dear {{customer.first_name|customer}}, always.")

    keyboard.press("Enter")
    expect(field(page)).to_have_value("Dear customer, always.")
    keyboard.press("Control+a")
    keyboard.type("/decaf")
    expect(offered(page, "decaf")).to_be_visible()
    ada.get_by_test_id("canned-remove").click()
    ada.get_by_test_id("canned-remove-sure").click()
    expect(page.get_by_test_id("canned-list")).to_have_count(0)
    expect(field(page)).to_have_value("/decaf")
