"""The demo's telephone: a customer calls from the handset page, an agent takes it at the desk, and the customer is called."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

# Nobody of the demo: English is spoken to them.
CALLER = "+447700900418"


def test_a_customer_calls_hears_waits_and_talks(demo: HubProcess, new_page: NewPage) -> None:
    # The menu's words are sounds, of which the telephone can show no text; this is about the telephone.
    with contextlib.closing(sqlite3.connect(demo.data_dir / "hub.db", timeout=30)) as database, database:
        database.execute("UPDATE channel SET flow_id = NULL WHERE id = 'phone-demo'")
    phone = new_page("customer")
    phone.goto(f"{demo.url}/demo#{CALLER}")
    phone.get_by_test_id("handset-call").click()
    heard = phone.get_by_test_id("captions")
    expect(heard).to_contain_text("Please stay on the line")
    # All that is said before takes its time, and on a busy machine more of it.
    expect(heard).to_contain_text("Music", timeout=60_000)
    show(phone, "handset-waiting")

    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    agent.page.get_by_test_id("offer-accept").first.click()
    expect(heard).to_contain_text("You are connected")
    expect(phone.get_by_test_id("call-state")).to_contain_text("0:")
    phone.keyboard.press("5")
    phone.get_by_test_id("call-hang-up").click()
    expect(phone.get_by_test_id("call-state")).to_contain_text("Call ended")
    show(phone, "handset-ended")
    phone.get_by_test_id("call-close").click()
    expect(phone.get_by_test_id("handset-text")).to_be_visible()
