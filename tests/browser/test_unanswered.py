"""Nobody's customer is forgotten because of who holds the conversation: what lies unanswered with somebody who went to lunch
stands before the supervisor, who passes it on from there; and every screen says the same of who is there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, Handset, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

EKA = "ეკა ჯაფარიძე"


def test_what_lies_with_people_who_are_not_there_is_seen_and_passed_on(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    handset = Handset(new_page("handset"), "+37491000871").open(demo.url)
    handset.write("Where is my order?")
    agent.accept("Where is my order?")
    agent.sees("Where is my order?")
    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url).page
    tile = supervisor.locator('[data-tile="unanswered"]')
    stranded = supervisor.locator('[data-testid="board-burning"][data-name="stranded"]')
    expect(tile).to_have_attribute("data-level", "none")
    expect(stranded).to_have_count(0)

    agent.page.get_by_test_id("my-state").click()
    agent.page.get_by_test_id("state-away-lunch").click()
    expect(tile).to_have_attribute("data-level", "bad")
    expect(stranded).to_contain_text("1 unanswered with somebody who is not there")
    expect(supervisor.get_by_text("Nothing is beyond its limit.")).to_have_count(0)
    show(supervisor, "unanswered-board")
    stranded.click()

    work = supervisor.get_by_test_id("unanswered-work")
    expect(work.get_by_test_id("only-stranded")).to_have_attribute("aria-pressed", "true")
    row = work.get_by_test_id("unanswered-row")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("91 000871")
    holder = row.get_by_role("cell").get_by_test_id("absent").filter(visible=True)
    expect(holder).to_contain_text("Lunch")
    show(supervisor, "unanswered-list")
    supervisor.set_viewport_size({"width": 390, "height": 844})
    show(supervisor, "unanswered-list-390")
    supervisor.set_viewport_size({"width": 1440, "height": 900})

    # Put aside, the customer waits all the same.
    agent.page.get_by_test_id("timeline").focus()
    agent.page.keyboard.press("s")
    agent.page.get_by_test_id("park-tomorrow").click()
    expect(row.get_by_test_id("park-mark").filter(visible=True)).to_contain_text("Put aside until")
    show(supervisor, "unanswered-parked")

    # In bulk, to a colleague found by the name in Latin, who is not there either: it is said, and not forbidden.
    row.get_by_test_id("unanswered-choose").click()
    work.get_by_test_id("bulk-transfer").click()
    supervisor.get_by_test_id("bulk-transfer-search").fill("Eka")
    supervisor.keyboard.press("Enter")
    form = supervisor.get_by_test_id("bulk-form")
    expect(form.get_by_role("radio", name=EKA)).to_have_attribute("aria-checked", "true")
    expect(form.get_by_test_id("target-notice")).to_contain_text(f"{EKA} is not there now (Offline")
    show(supervisor, "unanswered-bulk")
    supervisor.keyboard.press("Enter")
    expect(form).to_have_count(0)
    expect(holder).to_contain_text("Offline")
    expect(row).to_contain_text(EKA)

    # And one alone, to somebody who is.
    agent.become_available()
    row.get_by_test_id("unanswered-assign").click()
    supervisor.get_by_test_id("transfer-search").fill("Arp")
    supervisor.keyboard.press("Enter")
    expect(supervisor.get_by_test_id("target-notice")).to_be_empty()
    show(supervisor, "unanswered-transfer")
    supervisor.keyboard.press("Enter")
    expect(row).to_have_count(0)
    work.get_by_test_id("only-stranded").click()
    expect(row).to_have_count(1)
    agent.answer("It comes tomorrow.")
    expect(row).to_have_count(0)
    expect(work.get_by_test_id("unanswered-count")).to_have_text("0")
    agent.resolve()


def test_every_screen_counts_the_same_people(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    other = Agent(new_page("other"), "agent2@demo.test").sign_in(demo.url)
    other.page.get_by_test_id("my-state").click()
    other.page.get_by_test_id("state-away-break").click()
    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url).page
    figures = supervisor.get_by_test_id("board-queue").filter(has_text="Support").get_by_test_id("queue-available")
    expect(figures).to_have_text(re.compile(r"^1 of [1-9]\d*$"))
    expect(supervisor.locator('[data-testid="board-agent"][data-state-name="away"]')).to_have_count(1)
    at_work = figures.inner_text().removeprefix("1 of ")
    expect(supervisor.locator('[data-tile="available"] b')).to_have_text("1")
    supervisor.get_by_test_id("board-waiting-tab").click()
    people = supervisor.get_by_test_id("live-queue").filter(has_text="Support").get_by_test_id("queue-people")
    expect(people).to_have_text(f"1 available of {at_work} at work")
    agent.page.get_by_test_id("my-state").click()
    agent.page.get_by_test_id("state-away-lunch").click()
    expect(people).to_have_text(f"0 available of {at_work} at work")


def test_whoever_is_in_no_queue_is_told_so_and_led_to_what_waits(demo: HubProcess, new_page: NewPage) -> None:
    Handset(new_page("handset"), "+37491000872").open(demo.url).write("Hello?")
    admin = Agent(new_page("admin"), "admin@demo.test").sign_in(demo.url).page
    admin.get_by_test_id("list-queue").click()
    expect(admin.get_by_text("You are in no queue")).to_be_visible()
    expect(admin.get_by_text("Every customer in your queues")).to_have_count(0)
    show(admin, "no-queue")
    admin.get_by_test_id("see-waiting").click()
    admin.set_viewport_size({"width": 390, "height": 844})
    row = admin.get_by_test_id("unanswered-row").filter(has_text="91 000872")
    expect(row.get_by_test_id("holder").filter(visible=True)).to_have_text("Support")
    show(admin, "unanswered-queued-390")
