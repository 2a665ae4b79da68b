"""The demo's mail box: somebody writes there, an agent answers in the console, and the answer appears by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, NewPage
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def test_a_mail_from_the_demos_mail_box_is_answered_into_its_thread(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    box = new_page("customer")
    box.goto(f"{demo.url}/demo/mail#davit.hakobyan@mail.demo.test")
    box.get_by_test_id("mail-new").click()
    box.get_by_test_id("mail-subject").fill("Ten kilograms a month")
    box.get_by_test_id("mail-text").fill("Is there a discount?")
    box.get_by_test_id("mail-send").click()

    agent.accept("Is there a discount?")
    agent.answer("Yes, 15%.")
    agent.page.get_by_test_id("send-now").click()

    box.get_by_test_id("mail-inbox").click()
    answer = box.get_by_test_id("mail-row").filter(has_text="Re: Ten kilograms a month")
    expect(answer).to_contain_text("Yes, 15%.")
    answer.click()
    expect(box.frame_locator("#frame").locator("body")).to_contain_text("Yes, 15%.")

    box.get_by_test_id("mail-reply").click()
    box.get_by_test_id("mail-text").fill("Agreed, thank you.")
    box.get_by_test_id("mail-send").click()
    expect(agent.mail("Agreed, thank you.", "in")).to_be_visible()
    expect(agent.page.get_by_test_id("conversation-subject")).to_have_text("Ten kilograms a month")
