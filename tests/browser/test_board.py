"""A number changes on the supervisor's board and on the agent's own strip after what really happened, and what is behind it
is opened."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Agent, Handset, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def figure(page: Page | Locator, name: str) -> Locator:
    return page.locator(f'[data-testid="figure"][data-figure="{name}"]')


def test_a_text_that_is_handled_moves_the_board_and_the_strip_and_is_found_behind_the_number(
    demo: HubProcess, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url)
    expect(supervisor.page.get_by_test_id("board")).to_have_attribute("data-live", "true")
    supervisor.page.get_by_test_id("board-columns").click()
    supervisor.page.get_by_test_id("column-texts").click()
    row = supervisor.page.locator('[data-testid="board-agent"][data-state-name="available"]')
    strip = agent.page.get_by_test_id("numbers-strip")
    before = int(figure(row, "texts").inner_text())
    expect(figure(strip, "texts")).to_have_text(str(before))

    handset = Handset(new_page("handset"), "+37491000777").open(demo.url)
    handset.write("What does the dark roast cost?")
    agent.accept("What does the dark roast cost?")
    agent.answer("Twelve a bag.")
    agent.sees_tick("Twelve a bag.", "delivered")
    agent.resolve()

    expect(figure(row, "texts")).to_have_text(str(before + 1))
    expect(figure(strip, "texts")).to_have_text(str(before + 1))
    show(supervisor.page, "board")

    figure(row, "texts").click()
    dialog = supervisor.page.get_by_test_id("figure-dialog")
    expect(dialog.get_by_test_id("figure-value")).to_have_text(str(before + 1))
    behind = dialog.get_by_test_id("contact-behind")
    expect(behind).to_have_count(before + 1)
    show(supervisor.page, "behind")
    behind.first.get_by_role("link").click()
    expect(supervisor.entry("What does the dark roast cost?", "in")).to_have_count(1)
