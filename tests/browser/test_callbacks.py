"""A visitor of the shop waits, is told the place, and asks to be called instead: the agent calls, in vain and again."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, NewPage, Visitor, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def change(demo: HubProcess, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(demo.data_dir / "hub.db", timeout=30)) as database, database:
        database.execute(statement)


def test_a_visitor_asks_to_be_called_and_is_called_until_they_are_reached(demo: HubProcess, new_page: NewPage) -> None:
    change(demo, "UPDATE queue SET offers_callback = 1")
    first = Visitor(new_page("first")).open(demo.url)
    first.write("I was here before you")
    expect(first.page.get_by_test_id("chat-place")).to_contain_text("You are next.")
    second = Visitor(new_page("second", width=390, height=780)).open(demo.url)
    second.write("Is the small grinder in stock?")
    place = second.page.get_by_test_id("chat-place")
    expect(place).to_contain_text("You are number 2 in line.")

    # What is no number is said where it was typed.
    second.page.get_by_test_id("chat-call-me").click()
    number = second.page.get_by_test_id("chat-call-phone")
    number.fill("call me")
    number.press("Enter")
    expect(place.get_by_role("alert")).to_contain_text("Start with +")
    number.fill("+374 10 123456")
    show(second.page, "callback-asking")
    number.press("Enter")
    expect(place).to_contain_text("We will call you at +37410123456. You are number 2 in line.")
    show(second.page, "callback-asked")

    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    agent.accept("I was here before you")
    agent.accept("Is the small grinder in stock?")
    banner = agent.page.get_by_test_id("callback-banner")
    expect(banner).to_contain_text("Call back +374 10 123456")
    expect(banner).to_contain_text("Your line is set up first")
    expect(place).to_contain_text("We are calling you at +37410123456.")
    expect(first.page.get_by_test_id("chat-place")).to_be_hidden()
    show(agent.page, "callback-calling")

    banner.get_by_test_id("callback-no-answer").click()
    expect(banner).to_contain_text("Not reached. To be called again at +374 10 123456 from")
    expect(place).to_contain_text("We could not reach you. We will call +37410123456 again at")
    show(agent.page, "callback-no-answer")
    show(second.page, "callback-not-reached")

    # After the gap it rings again, at its old place. Nobody waits a quarter of an hour here: it has passed, and the hub looks
    # when somebody is free anew.
    change(demo, "UPDATE conversation SET parked_until = created_at WHERE parked_until IS NOT NULL")
    agent.become_busy().become_available()
    agent.accept("Is the small grinder in stock?")
    expect(banner).to_contain_text("Attempt 2 of 3.")
    banner.get_by_test_id("callback-reached").click()
    expect(banner).to_have_count(0)
    expect(agent.page.get_by_text("reached the customer at +374 10 123456")).to_be_visible()
    expect(place).to_be_hidden()

    boss = Agent(new_page("boss"), "supervisor@demo.test").sign_in(demo.url)
    expect(boss.page.get_by_test_id("my-state")).to_be_visible()
    boss.page.goto(f"{demo.url}/team")
    expect(boss.page.get_by_test_id("queue-estimate").first).to_be_visible()


def test_an_agent_enters_a_number_and_takes_it_back(demo: HubProcess, new_page: NewPage) -> None:
    visitor = Visitor(new_page("visitor")).open(demo.url)
    visitor.write("Please ring me at work")
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url)
    expect(agent.page.get_by_test_id("my-state")).to_be_visible()
    agent.page.goto(f"{demo.url}/conversations?list=all")
    agent.page.get_by_test_id("conversation-row").filter(has_text="Please ring me at work").click()
    agent.page.get_by_test_id("conversation-more").click()
    agent.page.get_by_test_id("call-back").click()
    agent.page.get_by_test_id("callback-address").fill("+374 10 654321")
    agent.page.get_by_test_id("callback-save").click()
    banner = agent.page.get_by_test_id("callback-banner")
    expect(banner).to_contain_text("To be called at +374 10 654321 when it is their turn")
    row = agent.page.get_by_test_id("conversation-row").filter(has_text="Please ring me at work")
    expect(row.get_by_test_id("callback-mark")).to_be_visible()
    expect(visitor.page.get_by_test_id("chat-place")).to_contain_text("We will call you at •••.")
    banner.get_by_test_id("callback-cancel").click()
    expect(banner).to_have_count(0)
    expect(visitor.page.get_by_test_id("chat-call-me")).to_be_visible()
