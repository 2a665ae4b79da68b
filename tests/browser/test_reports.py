"""A supervisor reads what has just happened as a report, opens a figure down to the customer's words, and takes it home."""

from __future__ import annotations

import csv
import re

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, Complaints, Handset, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def test_an_answer_stands_in_the_report_opens_into_its_conversation_and_is_downloaded(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    handset = Handset(new_page("handset"), "+37491000901").open(demo.url)
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    handset.write("Is the blue one in stock?")
    agent.accept("Is the blue one in stock?")
    agent.answer("It is.")
    # The agent's own figure comes by the same commit that keeps the report's.
    first_response = agent.page.locator('[data-testid="figure"][data-figure="first_response"]').first
    expect(first_response).to_have_attribute("aria-label", re.compile("over 1 case"))

    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url)
    page = supervisor.page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/reports?period=today&by=queue&measures=first_response_s,contacts")
    expect(page.get_by_test_id("tile-first_response_s")).to_contain_text("n 1")
    expect(page.get_by_test_id("report-row")).to_have_count(1)

    with page.expect_download() as download:
        page.get_by_test_id("report-export").click()
        page.get_by_test_id("export-csv").click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        [head, row] = csv.reader(file)
    assert "First response, median [s]" in head
    assert float(row[head.index("First response, median [s]")]) >= 0
    assert re.fullmatch(r"figures_\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d_by_queue\.csv", download.value.suggested_filename)

    page.get_by_test_id("explain-first_response_s").first.click()
    expect(page.get_by_test_id("figure-formula")).to_contain_text("first reply by a person")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("figure-formula")).to_have_count(0)

    # From the row of its queue, by keyboard, to what was counted, and to what was said.
    page.get_by_test_id("cell-first_response_s").press("Enter")
    expect(page.get_by_test_id("figure-n")).to_have_text("1")
    behind = page.get_by_test_id("contact-behind")
    expect(behind).to_have_count(1)
    show(page, "report-opened")
    behind.get_by_role("link").click()
    supervisor.sees("Is the blue one in stock?")


def test_a_report_that_is_asked_wrongly_says_what_is_wrong_and_one_of_the_past_has_no_figures(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url)
    page = supervisor.page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/reports?from=2024-02-01&to=2024-02-03&measures=contacts")
    expect(page.get_by_test_id("report-gap")).to_be_visible()
    expect(page.get_by_test_id("open-contacts")).to_have_text("–")

    # What is not told by the queue's filter is left out and named; nothing else is.
    page.goto(f"{demo.url}/reports?period=today&queue=1&measures=contacts,occupancy")
    expect(page.get_by_test_id("report-left-out")).to_contain_text("Occupancy")
    expect(page.get_by_test_id("tile-contacts")).to_be_visible()
    expect(page.get_by_test_id("tile-occupancy")).to_have_count(0)

    # The report asks more than one question, and the browser tells of each refusal when it comes.
    complaints.is_refused = True
    page.goto(f"{demo.url}/reports?period=today&queue=99999&measures=contacts")
    expect(page.get_by_test_id("report-wrong")).to_be_visible()
