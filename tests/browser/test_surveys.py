"""A customer is asked for a score where the talk was, and a low one stays before a supervisor until it was seen to."""

from __future__ import annotations

import sqlite3
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import PATIENCE_MS, Agent, Handset, NewPage, Visitor, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def csat(of: Page | Locator) -> Locator:
    return of.locator('[data-testid="figure"][data-figure="csat"]')


def open_setting(page: Page, url: str, queue: str) -> Locator:
    page.goto(f"{url}/admin/surveys")
    page.get_by_test_id("survey-setting").filter(has_text=queue).get_by_role("link", name=queue, exact=True).click()
    return page.get_by_test_id("survey-form")


def ask_at_once(page: Page, url: str) -> None:
    """An administrator switches the survey of the chat's queue on, without waiting after the resolution."""
    form = open_setting(page, url, "Sales")
    form.get_by_role("switch", name="Ask customers of this queue").click()
    form.get_by_label("Wait after the resolution", exact=True).fill("0")
    form.get_by_test_id("survey-question-en").fill("Were we of help?")
    expect(page.get_by_test_id("survey-preview").locator(".question")).to_have_text("Were we of help?")
    show(page, "survey-settings")
    page.get_by_test_id("survey-save").click()
    expect(page.locator(".toast").filter(has_text="Saved")).to_be_visible()


def csat_facts(demo: HubProcess) -> list[tuple[str, int]]:
    """Of whom with which score, as the projector has stored them, once it has."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        with sqlite3.connect(f"file:{demo.data_dir / 'hub.db'}?mode=ro", uri=True) as db:
            rows = db.execute(
                "SELECT u.email, f.score FROM fact_survey f JOIN user_account u ON u.id = f.agent_id"
            ).fetchall()
        if rows:
            return rows
        time.sleep(0.1)
    return []


def test_low_score_of_a_visitor_is_in_the_timeline_and_stays_before_the_supervisor_until_it_was_seen_to(
    demo: HubProcess, new_page: NewPage
) -> None:
    admin = Agent(new_page("admin"), "admin@demo.test").sign_in(demo.url)
    expect(admin.page.get_by_test_id("my-state")).to_be_visible()
    ask_at_once(admin.page, demo.url)
    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url)
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).become_available()
    row = supervisor.page.locator('[data-testid="board-agent"][data-state-name="available"]')
    strip = agent.page.get_by_test_id("numbers-strip")
    for mean in (csat(row), csat(strip)):
        expect(mean).to_contain_text("–")
    visitor = Visitor(new_page("visitor", width=1100)).open(demo.url)

    visitor.write("The beans came late.")
    agent.accept("The beans came late.")
    agent.sees("The beans came late.")
    agent.answer("They will not again.")
    visitor.shows("They will not again.")
    agent.resolve()

    visitor.shows("Were we of help?")
    visitor.page.get_by_test_id("chat-score-2").click()
    # At once: it is gone after some seconds.
    expect(supervisor.page.locator(".toast").filter(has_text="low score: 2 of 5")).to_be_visible()
    expect(visitor.page.get_by_test_id("chat-scored")).to_contain_text("2")
    visitor.page.get_by_test_id("chat-score-comment").fill("Three days late")
    visitor.page.get_by_test_id("chat-score-send").click()

    timeline = agent.page.get_by_test_id("timeline")
    expect(timeline).to_contain_text("gave 2 of 5 (Satisfaction)")
    expect(timeline.locator("q")).to_have_text("Three days late")
    expect(timeline.get_by_test_id("score-mark")).to_have_text("Low score")
    expect(agent.page.get_by_test_id("customer-scores")).to_contain_text("2 of 5")
    assert csat_facts(demo) == [("agent2@demo.test", 2)]
    for mean in (csat(row), csat(strip)):
        expect(mean).to_contain_text("0%")
    show(supervisor.page, "csat-board")

    surveys = supervisor.page.get_by_role("link", name="Surveys")
    expect(surveys).to_contain_text("1")
    surveys.click()
    row = supervisor.page.get_by_test_id("survey-row")
    expect(row).to_contain_text("Three days late")
    show(supervisor.page, "low-scores")
    row.get_by_test_id("survey-done").click()
    expect(row).to_have_count(0)
    expect(surveys).not_to_contain_text("1")
    expect(timeline.get_by_test_id("score-mark")).to_have_text("Seen to by Gayane Harutyunyan")
    supervisor.page.get_by_test_id("surveys-done").click()
    expect(supervisor.page.get_by_test_id("survey-row")).to_contain_text("Seen to by")


def test_score_by_text_message_counts_for_the_agent_and_a_test_of_it_for_nobody(
    demo: HubProcess, new_page: NewPage
) -> None:
    handset = Handset(new_page("handset"), "+37491000888").open(demo.url)
    admin = Agent(new_page("admin"), "admin@demo.test").sign_in(demo.url)
    expect(admin.page.get_by_test_id("my-state")).to_be_visible()
    form = open_setting(admin.page, demo.url, "Support")
    form.get_by_test_id("survey-question-en").fill("How did we do?")
    trial = admin.page.get_by_test_id("survey-test")
    trial.get_by_label("From which account").select_option(label="Text messages")
    trial.get_by_test_id("survey-test-send").click()
    expect(trial).to_contain_text("Type the number of a phone that you have at hand")
    trial.get_by_test_id("survey-test-number").fill(handset.number)
    trial.get_by_test_id("survey-test-send").click()
    expect(trial.get_by_test_id("survey-test-sent")).to_contain_text(handset.number)
    show(admin.page, "survey-test")
    expect(handset.texts.last).to_contain_text("How did we do?")
    expect(handset.texts.last).to_contain_text("This is a test")

    form.get_by_role("switch", name="Ask customers of this queue").click()
    form.get_by_label("Wait after the resolution", exact=True).fill("0")
    admin.page.get_by_test_id("survey-save").click()
    expect(admin.page.locator(".toast").filter(has_text="Saved")).to_be_visible()

    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    strip = agent.page.get_by_test_id("numbers-strip")
    expect(csat(strip)).to_contain_text("–")
    handset.write("Do you roast on Sundays?")
    agent.accept("Do you roast on Sundays?")
    agent.answer("We do.")
    handset.shows("We do.")
    agent.resolve()
    expect(handset.texts.last).to_contain_text("How did we do?")
    expect(handset.texts.last).not_to_contain_text("This is a test")
    handset.write("5, thank you very much")
    timeline = agent.page.get_by_test_id("timeline")
    expect(timeline).to_contain_text("gave 5 of 5 (Satisfaction)")
    expect(timeline.locator("q")).to_have_text("thank you very much")
    expect(csat(strip)).to_contain_text("100%")
    expect(agent.page.get_by_test_id("reopen")).to_be_visible()
