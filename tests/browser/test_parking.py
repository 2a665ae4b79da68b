"""Work that comes by itself is told of once; put aside, it says until when; the customer's words bring it back."""

from __future__ import annotations

import httpx2
import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, Handset, NewPage
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def accept_texts_by_themselves(url: str) -> None:
    with httpx2.Client(base_url=f"{url}/api/v1") as admin:
        session = admin.post("/session", json={"email": "admin@demo.test", "password": "demo"}).json()
        admin.headers["X-CSRF-Token"] = session["csrf_token"]
        (support,) = [each for each in admin.get("/queues").json()["items"] if each["name"] == "Support"]
        assert admin.patch(f"/queues/{support['id']}", json={"auto_accept": ["sms"]}).status_code == 200


def test_work_comes_by_itself_is_put_aside_and_comes_back_with_the_customers_words(
    demo: HubProcess, new_page: NewPage
) -> None:
    accept_texts_by_themselves(demo.url)
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    page = agent.page
    handset = Handset(new_page("handset"), "+37491000811").open(demo.url)
    handset.write("My kettle leaks.")
    toast = page.locator(".toast").filter(has_text="Now yours")
    expect(toast).to_be_visible()
    expect(page.get_by_test_id("offer")).to_have_count(0)
    toast.get_by_role("button", name="Open").click()
    agent.sees("My kettle leaks.")
    expect(page.get_by_test_id("timeline")).to_contain_text("Given to")

    page.get_by_test_id("timeline").focus()
    page.keyboard.press("s")
    expect(page.get_by_test_id("park-form")).to_be_visible()
    page.get_by_test_id("park-hour").click()
    mark = page.get_by_test_id("conversation-row").get_by_test_id("park-mark")
    expect(mark).to_be_visible()
    page.get_by_test_id("conversation-more").click()
    page.get_by_test_id("unpark").click()
    expect(mark).to_have_count(0)

    page.get_by_test_id("conversation-more").click()
    page.get_by_test_id("park").click()
    page.get_by_test_id("park-tomorrow").click()
    expect(mark).to_be_visible()
    handset.write("It leaks more now.")
    agent.sees("It leaks more now.")
    expect(mark).to_have_count(0)
    expect(page.get_by_test_id("timeline")).to_contain_text("the customer wrote")
