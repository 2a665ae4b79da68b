"""A supervisor asks how many agents a load needs, writes a schedule and copies its week; the agent sees it as their own."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, Complaints, NewPage
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

ARPI = "Արփի Մելքոնյան"


def test_a_supervisor_plans_a_week_and_its_agent_sees_it(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    page = new_page("supervisor")
    Agent(page, "supervisor@demo.test").sign_in(demo.url)
    expect(page.get_by_test_id("my-state")).to_be_visible()

    # 100 calls of three minutes in half an hour are 10 erlangs: 80 % in 20 s takes 14 by Erlang C.
    page.goto(f"{demo.url}/reports/what-if")
    expect(page.get_by_test_id("staffing-required")).to_have_text("14")
    expect(page.get_by_test_id("staffing-step")).to_have_count(2)
    page.get_by_test_id("staffing-contacts").fill("-1")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_test_id("staffing-required")).to_have_count(0)
    page.get_by_test_id("staffing-contacts").fill("200")
    expect(page.get_by_test_id("staffing-required")).to_have_text("24")

    page.goto(f"{demo.url}/reports/shifts")
    row = page.get_by_test_id("shift-row").filter(has_text=ARPI)
    monday = row.get_by_test_id(re.compile("^shift-")).first
    monday.click()
    page.get_by_test_id("add-piece").click()
    page.get_by_test_id("add-piece").click()
    page.get_by_test_id("piece").nth(1).get_by_role("textbox").last.fill("13:75")
    page.get_by_test_id("save-shift").click()
    expect(page.get_by_test_id("piece").nth(1).get_by_role("alert")).to_be_visible()
    # The browser tells of both refusals, which were meant.
    assert ["status of 422" in complaints.said.pop() for _ in range(2)] == [True, True]
    page.get_by_test_id("piece").nth(1).get_by_role("textbox").last.fill("14:00")
    page.get_by_test_id("save-shift").click()
    expect(monday).to_contain_text("09:00–18:00")

    page.get_by_test_id("copy-week").click()
    page.get_by_test_id("copy-now").click()
    expect(page).to_have_url(re.compile(r"[?&]day="))  # the week that was written is the one that is shown
    expect(row.get_by_test_id(re.compile("^shift-")).first).to_contain_text("09:00–18:00")

    agent = new_page("agent")
    Agent(agent, "agent1@demo.test").sign_in(demo.url)
    expect(agent.get_by_test_id("my-state")).to_be_visible()
    agent.goto(f"{demo.url}/reports/shifts")
    expect(agent.get_by_test_id("shift-row")).to_have_count(1)
    expect(agent.get_by_test_id("shift-row")).to_contain_text("09:00–18:00")
    expect(agent.get_by_test_id("copy-week")).to_have_count(0)
