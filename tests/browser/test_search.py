"""Somebody is looked for in another script, a line of long ago is opened where it stands, and a search is kept as a view."""

from __future__ import annotations

import re
from time import monotonic

import httpx2
import pytest
from playwright.sync_api import expect

from tests.browser.people import PATIENCE_MS, Agent, Handset, NewPage
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def is_found(url: str, words: str) -> None:
    """What was said just now is found a moment later; a page that has asked before does not ask again."""
    with httpx2.Client(base_url=f"{url}/api/v1") as client:
        client.post("/session", json={"email": "admin@demo.test", "password": "demo"}).raise_for_status()
        until = monotonic() + PATIENCE_MS / 1000
        while not client.get("/search", params={"q": words}).raise_for_status().json()["items"]:
            assert monotonic() < until, f"{words} is not found"


def test_what_was_said_is_found_while_one_types_and_opened_at_its_line(demo: HubProcess, new_page: NewPage) -> None:
    handset = Handset(new_page("handset"), "+37491000933").open(demo.url)
    handset.write("The kettle from Gyumri whistles out of tune.")
    page = Agent(new_page("agent"), "supervisor@demo.test").sign_in(demo.url).page
    expect(page.get_by_test_id("board")).to_be_visible()
    # Where no page has a field of its own for it, the sign opens search; it is walked through by keyboard alone.
    page.goto(f"{demo.url}/account")
    expect(page.get_by_role("heading").first).to_be_visible()
    page.keyboard.press("/")
    words = page.get_by_test_id("search-words")
    expect(words).to_be_focused()
    is_found(demo.url, "gyumri KETT")
    words.press_sequentially("gyumri KETT")
    hit = page.get_by_test_id("search-hit")
    expect(hit).to_have_count(1)
    expect(hit.locator("mark")).to_have_text(["kettle", "Gyumri"])
    words.press("Enter")
    found = page.locator("[data-testid=timeline] .found")
    expect(found).to_contain_text("whistles out of tune")
    expect(page).not_to_have_url(re.compile("entry="))

    # The same by the palette, and a name in the letters of another language.
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.type("Petrosyan")
    option = page.get_by_role("option").filter(has_text="Պետրոսյան").first
    expect(option).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Մարիամ Պետրոսյան").first).to_be_visible()


def test_a_search_is_narrowed_widened_and_kept_as_a_view(demo: HubProcess, new_page: NewPage) -> None:
    handset = Handset(new_page("handset"), "+37491000944").open(demo.url)
    handset.write("My samovar is late.")
    page = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url).page
    expect(page.get_by_test_id("board")).to_be_visible()
    is_found(demo.url, "samovar")
    page.goto(f"{demo.url}/search?q=samovar&kind=note&channel=sms")
    expect(page.get_by_test_id("search-chip")).to_have_count(1)
    page.get_by_test_id("search-widen").click()
    expect(page.get_by_test_id("search-hit")).to_have_count(1)
    expect(page.get_by_test_id("search-chip")).to_have_count(0)

    page.get_by_test_id("save-view").click()
    page.get_by_test_id("view-name").fill("Samovars")
    page.get_by_role("switch", name="Share with everybody").click()
    page.get_by_test_id("view-save").click()
    expect(page.get_by_test_id("view-list").get_by_test_id("conversation-row")).to_have_count(1)
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).page
    chip = agent.get_by_test_id("saved-view").filter(has_text="Samovars")
    expect(chip).to_contain_text("1")
    # Another one: the count follows by itself, and so does the open view.
    chip.click()
    handset.page.get_by_test_id("handset-number").fill("+37491000955")
    handset.page.get_by_test_id("handset-number").press("Enter")
    handset.write("Is this the samovar shop?")
    expect(agent.get_by_test_id("view-list").get_by_test_id("conversation-row")).to_have_count(2)
    expect(chip).to_contain_text("2")

    page.get_by_test_id("view-more").click()
    page.get_by_test_id("view-remove").click()
    expect(page.get_by_test_id("view-list")).to_have_count(0)
