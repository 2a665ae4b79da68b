"""A day of each of the three roles by the keyboard alone: nothing here touches the mouse, and whatever is used is reached as
somebody without one reaches it, with Tab, the palette or a key of the sheet."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from playwright.sync_api import Keyboard, Locator, Page, expect

from tests.browser.people import Agent, NewPage, Visitor
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

# No screen asks for more steps to what is on it; who needs more looks for a shorter way.
MOST_STEPS = 60
# Also inside a shadow tree, whose host is what the document knows of.
_HAS_FOCUS = (
    "element => { const at = element.getRootNode().activeElement; return at !== null && element.contains(at); }"
)


@dataclass
class Typist:
    """Somebody without a mouse."""

    page: Page

    @property
    def keys(self) -> Keyboard:
        return self.page.keyboard

    def go(self, place: Locator, key: str = "Tab") -> None:
        """With Tab, until it has the focus."""
        expect(place).to_be_visible()
        for _ in range(MOST_STEPS):
            if place.evaluate(_HAS_FOCUS):
                return
            self.keys.press(key)
        raise AssertionError(f"{place} is not reached in {MOST_STEPS} steps")

    def choose(self, words: str) -> None:
        """In the palette."""
        self.keys.press("Control+k")
        expect(self.page.get_by_role("dialog")).to_be_visible()
        self.keys.type(words)
        expect(self.page.get_by_role("option").first).to_contain_text(words)
        self.keys.press("Enter")
        expect(self.page.get_by_role("dialog")).to_have_count(0)

    def sign_in(self, url: str, email: str) -> Typist:
        self.page.goto(url)
        self.go(self.page.get_by_test_id("sign-in-email"))
        self.keys.type(email)
        self.go(self.page.get_by_test_id("sign-in-password"))
        self.keys.type("demo")
        self.keys.press("Enter")
        expect(self.page.get_by_test_id("my-state")).to_be_visible()
        return self


def test_an_agent_takes_answers_files_and_ends_a_conversation(demo: HubProcess, new_page: NewPage) -> None:
    typist = Typist(new_page("agent")).sign_in(demo.url, "agent1@demo.test")
    agent, page, keys = Agent(typist.page, ""), typist.page, typist.keys
    typist.choose("Available")
    expect(page.get_by_test_id("my-state")).to_have_attribute("data-state-name", "available")

    visitor = Visitor(new_page("visitor", width=1100)).open(demo.url)
    visitor.write("Is the shop open on Friday?")
    expect(page.get_by_test_id("offer")).to_be_visible()
    keys.press("a")
    expect(page.get_by_test_id("offer")).to_have_count(0)
    agent.sees("Is the shop open on Friday?")

    keys.press("o")
    expect(page.get_by_role("menu")).to_be_visible()
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(page.get_by_test_id("topic")).to_have_attribute("data-topic-id", "1")
    keys.press("#")
    expect(page.get_by_test_id("tag-input")).to_be_focused()
    keys.type("friday")
    keys.press("Enter")
    expect(page.get_by_test_id("tag")).to_have_count(1)
    keys.press("Escape")

    keys.press("r")
    expect(page.get_by_test_id("composer-text")).to_be_focused()
    keys.type("Yes, from nine.")
    keys.press("Enter")
    visitor.shows("Yes, from nine.")
    keys.press("Escape")
    keys.press("n")
    keys.type("Asked for the third time.")
    keys.press("Enter")
    expect(page.get_by_test_id("timeline")).to_contain_text("Asked for the third time.")

    # Each thing on the screen can be walked to, and out of the writing field again.
    typist.go(page.get_by_test_id("timeline"), "Shift+Tab")
    keys.press("e")
    expect(page.get_by_test_id("reopen")).to_be_visible()
    typist.go(page.get_by_test_id("reopen"), "Shift+Tab")
    keys.press("Enter")
    expect(page.get_by_test_id("resolve")).to_be_visible()
    # Who has forgotten the key of a thing finds it by its name, and the focus is where it leads.
    typist.choose("Note")
    expect(page.get_by_test_id("composer-text")).to_be_focused()
    keys.type("They will come by.")
    keys.press("Enter")
    expect(page.get_by_test_id("timeline")).to_contain_text("They will come by.")
    keys.press("Escape")
    keys.press("e")
    expect(page.get_by_test_id("reopen")).to_be_visible()
    keys.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    # What none of the lists has is looked for everywhere.
    keys.press("/")
    keys.type("samovars of Gyumri")
    expect(page.get_by_test_id("search-everything")).to_be_visible()
    keys.press("Enter")
    expect(page.get_by_test_id("search-words")).to_have_value("samovars of Gyumri")


def test_a_supervisor_looks_at_the_board_and_changes_an_agents_state(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent3@demo.test").sign_in(demo.url).become_available()
    typist = Typist(new_page("supervisor")).sign_in(demo.url, "supervisor@demo.test")
    page, keys = typist.page, typist.keys
    typist.choose("Board")
    row = page.locator('[data-testid="board-agent"][data-state-name="available"]')
    expect(row).to_have_count(1)
    keys.press("/")
    expect(page.get_by_test_id("board-search")).to_be_focused()
    name = (row.get_attribute("aria-label") or row.locator(".name").first.inner_text()).split()[0]
    keys.type(name)
    expect(page.get_by_test_id("board-agent")).to_have_count(1)
    typist.go(row)
    keys.press("m")
    expect(page.get_by_role("menu")).to_be_visible()
    for _ in range(MOST_STEPS):
        if "Busy" in page.evaluate("document.activeElement.textContent"):
            break
        keys.press("ArrowDown")
    keys.press("Enter")
    expect(agent.page.get_by_test_id("my-state")).to_have_attribute("data-state-name", "busy")


def test_an_administrator_adds_a_topic_and_a_customer_is_written_to_by_keys(
    demo: HubProcess, new_page: NewPage
) -> None:
    typist = Typist(new_page("admin")).sign_in(demo.url, "admin@demo.test")
    page, keys = typist.page, typist.keys
    typist.choose("Topics")
    typist.go(page.get_by_test_id("add-topic"))
    keys.press("Enter")
    typist.go(page.get_by_test_id("topic-name").locator("input").or_(page.locator('input[data-testid="topic-name"]')))
    keys.type("Gift cards")
    keys.press("Enter")
    expect(page.get_by_test_id("topic-row").filter(has_text="Gift cards")).to_have_count(1)

    # A visitor of the shop has no mouse either.
    shop = Typist(new_page("visitor", width=1100))
    shop.page.goto(f"{demo.url}/demo/shop")
    shop.go(shop.page.get_by_test_id("chat-launcher"))
    shop.keys.press("Enter")
    expect(shop.page.get_by_test_id("chat-text")).to_be_focused()
    shop.keys.type("Do you sell gift cards?")
    shop.keys.press("Enter")
    Visitor(shop.page).shows("Do you sell gift cards?", "in")
    shop.keys.press("Escape")
    expect(shop.page.get_by_test_id("chat-panel")).to_be_hidden()
