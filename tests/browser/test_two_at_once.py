"""Two agents at one conversation at once: both write, both change it, one hands it on while the other answers. Nothing is
lost, and both see the same."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Agent, NewPage, Visitor
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def tag(page: Page, text: str) -> None:
    page.get_by_test_id("add-tag").click()
    page.get_by_test_id("tag-input").fill(text)


def test_two_agents_write_change_and_pass_on_one_conversation_and_nothing_is_lost(
    demo: HubProcess, new_page: NewPage
) -> None:
    first = Agent(new_page("first"), "agent1@demo.test").sign_in(demo.url).become_available()
    visitor = Visitor(new_page("visitor", width=1100)).open(demo.url)
    visitor.write("My cup is broken.")
    first.accept("My cup is broken.")
    first.sees("My cup is broken.")
    second = Agent(new_page("second"), "supervisor@demo.test").sign_in(demo.url)
    expect(second.page.get_by_test_id("my-state")).to_be_visible()
    second.page.goto(first.page.url.partition("?")[0])
    second.sees("My cup is broken.")
    pages = [first.page, second.page]
    # Each sees that the other is there.
    for page in pages:
        expect(page.get_by_role("list", name="Also looking at this customer")).to_be_visible()

    # Both have a tag in hand before either is saved.
    for page, text in zip(pages, ("gift", "fragile"), strict=True):
        tag(page, text)
    for page in pages:
        page.get_by_test_id("tag-input").press("Enter")
    for page in pages:
        expect(page.get_by_test_id("tag")).to_have_count(2)
        expect(page.get_by_test_id("tags")).to_contain_text("gift")
        expect(page.get_by_test_id("tags")).to_contain_text("fragile")

    # Both answer at the same moment; a note is written beside them.
    for page, text in zip(pages, ("We send another.", "Please keep the pieces."), strict=True):
        page.get_by_test_id("composer-text").fill(text)
    for page in pages:
        page.get_by_test_id("composer-send").click()
    for agent in (first, second):
        for text in ("We send another.", "Please keep the pieces."):
            expect(agent.entry(text, "out")).to_have_count(1)
    visitor.shows("We send another.")
    visitor.shows("Please keep the pieces.")

    Agent(new_page("third"), "agent4@demo.test").sign_in(demo.url).become_available()
    # It goes to a colleague while its holder writes: the words stay theirs, and still go out.
    first.page.get_by_test_id("composer-text").fill("It leaves tomorrow.")
    second.page.get_by_test_id("timeline").focus()
    second.page.keyboard.press("t")
    second.page.get_by_role("radio").filter(has_text="Aysel").click()
    second.page.get_by_test_id("transfer-submit").click()
    expect(second.page.get_by_test_id("transfer-submit")).to_have_count(0)
    expect(first.page.get_by_test_id("composer-text")).to_have_value("It leaves tomorrow.")
    first.page.get_by_test_id("composer-send").click()
    visitor.shows("It leaves tomorrow.")
    for agent in (first, second):
        expect(agent.entry("It leaves tomorrow.", "out")).to_have_count(1)

    said = first.texts.all_inner_texts()
    expect(second.texts).to_have_text(said)
    for page in pages:
        page.reload()
        expect(page.get_by_test_id("tag")).to_have_count(2)
    expect(first.texts).to_have_text(said)
    expect(second.texts).to_have_text(said)
