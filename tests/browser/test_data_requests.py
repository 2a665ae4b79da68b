"""A customer asks for their data, then for its erasure: taken down from the card, handed over as a file, erased; live."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from playwright.sync_api import expect

from hub.privacy.erasing import ERASED_NAME
from tests.browser.people import Agent, Complaints, Handset, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

WORDS = "Where is my blue bicycle?"
DRAFTS = "Object.keys(localStorage).filter((key) => key.startsWith('hub.draft.'))"


def test_a_customer_gets_their_data_and_is_erased(demo: HubProcess, new_page: NewPage, complaints: Complaints) -> None:
    complaints.is_refused = True
    Handset(new_page("handset"), "+37491000861").open(demo.url).write(WORDS)
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    agent.accept(WORDS)
    agent.sees(WORDS)
    # It is not for every agent.
    expect(agent.page.get_by_test_id("customer-name")).to_be_visible()
    expect(agent.page.get_by_test_id("new-data-request")).to_have_count(0)
    conversation = agent.page.url.partition("/conversations/")[2].partition("?")[0]

    admin = Agent(new_page("admin"), "admin@demo.test").sign_in(demo.url)
    page = admin.page
    page.get_by_test_id("alert-bell").wait_for()
    page.goto(f"{demo.url}/admin/data-requests")
    expect(page.get_by_text("Nobody has asked")).to_be_visible()
    show(page, "data-requests-empty")
    watching = Agent(new_page("watching"), "admin@demo.test").sign_in(demo.url).page
    watching.get_by_test_id("alert-bell").wait_for()
    watching.goto(f"{demo.url}/admin/data-requests")
    expect(watching.get_by_text("Nobody has asked")).to_be_visible()

    page.goto(f"{demo.url}/conversations/{conversation}?list=all")
    page.get_by_test_id("new-data-request").click()
    page.get_by_test_id("request-identity").fill("Called back on the number of the card.")
    page.get_by_test_id("request-identity").press("Enter")
    row = page.get_by_test_id("data-request")
    expect(row).to_have_count(1)
    expect(watching.get_by_test_id("data-request")).to_have_count(1)

    # The file of all that is kept.
    row.get_by_test_id("data-request-open").press("Enter")
    expect(page.get_by_test_id("make-file")).to_be_enabled()
    show(page, "data-request-access")
    with page.expect_download() as downloading:
        page.get_by_test_id("make-file").click()
    expect(page.get_by_test_id("file-made")).to_be_visible()
    with zipfile.ZipFile(io.BytesIO(downloading.value.path().read_bytes())) as kept:
        assert WORDS in kept.read("timeline.html").decode()
    page.get_by_test_id("end-request").click()
    expect(page.get_by_text("Nobody has asked")).to_be_visible()
    expect(watching.get_by_text("Nobody has asked")).to_be_visible()

    # Erasure: not while something is open, and not without the name.
    page.goto(f"{demo.url}/conversations/{conversation}?list=all")
    name = page.get_by_test_id("customer-name").inner_text().strip()
    page.get_by_test_id("new-data-request").click()
    page.get_by_test_id("request-kind").locator("select").select_option("erasure")
    page.get_by_test_id("request-identity").fill("Called back on the number of the card.")
    page.get_by_test_id("request-save").click()
    row.get_by_test_id("data-request-open").click()
    page.get_by_test_id("ask-erase").click()
    # What is in the way is told before anything is typed, with the way there; and that others' data goes, too.
    obstacle = page.get_by_test_id("obstacle-conversations_open")
    expect(obstacle).to_have_attribute("href", re.compile(rf"/conversations/{conversation}\b"))
    expect(page.get_by_test_id("erase-others")).to_contain_text("all imports")
    page.get_by_test_id("erase-name").fill(name)
    expect(page.get_by_test_id("erase-sure")).to_be_disabled()
    show(page, "data-request-erasure")
    # The agent has begun an answer: words that got to the hub, then some that did not.
    field = agent.page.get_by_test_id("composer-text")
    field.fill("Your bicycle is")
    expect(agent.page.get_by_test_id("draft-state")).to_have_attribute("data-state", "saved")
    assert agent.page.evaluate(DRAFTS) == []
    agent.page.reload()
    expect(field).to_have_value("Your bicycle is")
    complaints.is_cut = True
    agent.page.route("**/api/v1/conversations/*/draft", lambda route: route.abort())
    field.fill("Your bicycle is red")
    assert agent.page.evaluate(DRAFTS) != []
    agent.page.get_by_test_id("resolve").click()
    expect(agent.page.get_by_test_id("reopen")).to_be_visible()
    expect(obstacle).to_have_count(0)
    page.get_by_test_id("erase-sure").click()
    expect(row).to_have_count(0)
    # What is open follows to the end by itself.
    expect(page.get_by_test_id("data-request-dialog").get_by_text("Done", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_test_id("requests-over").click()
    expect(row).to_have_count(2)
    expect(row.first).to_contain_text(ERASED_NAME)
    expect(row.first).to_contain_text(re.compile(r"Customer \d+"))
    show(page, "data-requests-over")
    row.first.get_by_test_id("data-request-open").click()
    expect(page.get_by_test_id("customer-number")).to_have_text(re.compile(r"^\d+$"))
    expect(page.get_by_role("dialog")).to_contain_text(re.compile(r"Customer \d+ was erased"))
    show(page, "data-request-erased")
    page.keyboard.press("Escape")
    expect(watching.get_by_text("Nobody has asked")).to_be_visible()

    # What the agent had on the screen is gone from it, too.
    expect(agent.page.get_by_text(WORDS)).to_have_count(0)
    # So is what was typed and never got to the hub.
    agent.page.wait_for_function(f"{DRAFTS}.length === 0")
    page.goto(f"{demo.url}/conversations/{conversation}?list=all")
    expect(page.get_by_test_id("erased")).to_contain_text(ERASED_NAME)
    expect(page.get_by_test_id("is-erased")).to_be_visible()
    expect(page.get_by_test_id("reopen")).to_have_count(0)
    # Nothing is offered that could not be done.
    page.get_by_test_id("conversation-more").click()
    expect(page.get_by_test_id("ask-why")).to_be_visible()
    expect(page.get_by_test_id("follow-up")).to_have_count(0)
    expect(page.get_by_test_id("open-transcript")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="Escalation")).to_be_visible()
    expect(page.get_by_role("option", name="Follow up")).to_have_count(0)
    expect(page.get_by_test_id("task-form")).to_have_count(0)
    page.keyboard.press("Escape")
    show(page, "erased-customer")
