"""A colleague who is named in a note finds it in the inbox; a task comes back as work and is done by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, Handset, NewPage
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

ASKED = "Could you look at the invoice, "


@contextmanager
def api(url: str, email: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{url}/api/v1") as client:
        session = client.post("/session", json={"email": email, "password": "demo"}).json()
        client.headers["X-CSRF-Token"] = session["csrf_token"]
        yield client


def name_of(url: str, email: str) -> str:
    with api(url, "admin@demo.test") as admin:
        (name,) = [each["name"] for each in admin.get("/users").json()["items"] if each["email"] == email]
    return str(name)


def test_a_colleague_is_named_in_a_note_and_opens_it_from_the_inbox(demo: HubProcess, new_page: NewPage) -> None:
    name = name_of(demo.url, "agent2@demo.test")
    handset = Handset(new_page("handset"), "+37491000821").open(demo.url)
    handset.write("My invoice is wrong.")
    named = Agent(new_page("named"), "agent2@demo.test").sign_in(demo.url)
    expect(named.page.get_by_test_id("alert-bell")).to_have_attribute("data-count", "0")

    writer = Agent(new_page("writer"), "agent1@demo.test").sign_in(demo.url)
    page = writer.page
    page.get_by_test_id("list-all").click()
    page.get_by_test_id("conversation-row").filter(has_text="My invoice is wrong.").click()
    writer.sees("My invoice is wrong.")
    page.get_by_test_id("timeline").focus()
    page.keyboard.press("n")
    page.keyboard.type(f"{ASKED}@{name[:3]}")
    expect(page.get_by_test_id("mention-list").get_by_role("option", name=name)).to_be_visible()
    expect(page.get_by_test_id("composer-text")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("composer-text")).to_have_value(f"{ASKED}@{name} ")
    expect(page.get_by_test_id("mention-list")).to_have_count(0)
    page.keyboard.type("please?")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("mention")).to_have_text(f"@{name}")

    page = named.page
    # First what goes by itself.
    expect(page.locator(".toast").filter(has_text="mentioned you")).to_be_visible()
    expect(page).to_have_title("(1) Hub")
    expect(page.get_by_test_id("alert-bell")).to_have_attribute("data-count", "1")
    page.reload()
    expect(page.get_by_test_id("alert-bell")).to_have_attribute("data-count", "1")
    page.keyboard.press("Shift+B")
    item = page.get_by_test_id("inbox-item")
    expect(item).to_contain_text(ASKED)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("mention")).to_have_class("me")
    expect(page.locator("[data-testid=timeline] .found")).to_contain_text(ASKED)
    expect(page).to_have_title("Hub")

    page.get_by_test_id("timeline").focus()
    page.keyboard.press("Shift+B")
    expect(page.get_by_text("Nothing unread")).to_be_visible()
    page.get_by_test_id("inbox-mentions").click()
    expect(item).to_have_attribute("data-unread", "false")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("e")
    expect(item).to_have_attribute("data-unread", "true")
    page.get_by_test_id("inbox-see-all").click()
    expect(item).to_have_attribute("data-unread", "false")
    expect(page.get_by_test_id("alert-bell")).to_have_attribute("data-count", "0")


def test_a_task_is_made_with_two_keys_and_one_that_is_due_is_done_by_keyboard(
    demo: HubProcess, new_page: NewPage
) -> None:
    handset = Handset(new_page("handset"), "+37491000822").open(demo.url)
    handset.write("Please send me an offer.")
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url)
    page = agent.page
    page.get_by_test_id("list-all").click()
    page.get_by_test_id("conversation-row").filter(has_text="Please send me an offer.").click()
    agent.sees("Please send me an offer.")
    # Keys that do something act as soon as the line stands.
    expect(page.get_by_test_id("claim")).to_be_enabled()
    page.get_by_test_id("timeline").focus()
    page.keyboard.press("g")
    expect(page.get_by_test_id("task-form")).to_be_visible()
    page.keyboard.press("2")
    expect(page.get_by_test_id("task-form")).to_have_count(0)
    card = page.get_by_test_id("customer-tasks")
    expect(card.get_by_test_id("task")).to_have_count(1)
    expect(page.get_by_test_id("timeline")).to_contain_text("will come back to it")
    expect(page.get_by_test_id("due-tasks")).to_have_count(0)

    conversation_id = int(page.url.rpartition("/")[2].partition("?")[0])
    with api(demo.url, "agent1@demo.test") as me:
        due_at = datetime.now(UTC) + timedelta(seconds=3)
        soon = {"title": "Send the offer", "due_at": due_at.isoformat(), "conversation_id": conversation_id}
        assert me.post("/tasks", json=soon).status_code == 201
    # First what goes by itself.
    expect(page.locator(".toast").filter(has_text="Due: Send the offer")).to_be_visible()
    page.get_by_test_id("list-mine").click()
    due = page.get_by_test_id("due-tasks").get_by_test_id("task")
    expect(due).to_have_count(1)
    page.get_by_test_id("timeline").focus()
    page.keyboard.press("Shift+G")
    expect(due.get_by_test_id("task-done")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("due-tasks")).to_have_count(0)
    expect(page.get_by_test_id("alert-bell")).to_have_attribute("data-count", "0")
    expect(page.get_by_test_id("timeline")).to_contain_text("has done it: Send the offer")
    expect(card.get_by_test_id("task")).to_have_count(1)

    page.goto(f"{demo.url}/tasks")
    task = page.get_by_test_id("task")
    expect(task).to_have_count(1)
    # Keys act as soon as the line stands.
    expect(task.get_by_test_id("task-done")).to_be_enabled()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("e")
    expect(task).to_have_count(0)
    page.get_by_test_id("tasks-ended").click()
    expect(task).to_have_count(2)


def test_how_one_is_told_is_kept_for_the_person(demo: HubProcess, new_page: NewPage) -> None:
    first = Agent(new_page("first"), "agent3@demo.test").sign_in(demo.url)
    first.page.get_by_test_id("alert-bell").wait_for()
    first.page.goto(f"{demo.url}/account")
    first.page.get_by_test_id("notice-sound-mention").uncheck()
    first.page.get_by_role("switch", name="Quiet hours").click()
    first.page.get_by_test_id("quiet-from").fill("20:15")
    first.page.get_by_test_id("quiet-save").click()
    expect(first.page.get_by_test_id("quiet-save")).to_be_disabled()
    second = Agent(new_page("second"), "agent3@demo.test").sign_in(demo.url)
    second.page.get_by_test_id("alert-bell").wait_for()
    second.page.goto(f"{demo.url}/account")
    expect(second.page.get_by_test_id("notice-sound-mention")).not_to_be_checked()
    expect(second.page.get_by_test_id("notice-sound-task")).to_be_checked()
    expect(second.page.get_by_test_id("quiet-from")).to_have_value("20:15")
