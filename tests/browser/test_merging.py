"""Two cards made one and two again; one thing done to many conversations, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Agent, Handset, NewPage
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


@contextmanager
def as_admin(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{url}/api/v1", timeout=60) as client:
        session = client.post("/session", json={"email": "admin@demo.test", "password": "demo"}).json()
        client.headers["X-CSRF-Token"] = session["csrf_token"]
        yield client


def customer_who_wrote(admin: httpx2.Client, text: str) -> dict[str, Any]:
    found = admin.get("/conversations", params={"q": text}).json()["items"][0]
    card: dict[str, Any] = admin.get(f"/customers/{found['customer_id']}").json()["customer"]
    return card


def test_two_cards_become_one_and_two_again(demo: HubProcess, new_page: NewPage) -> None:
    for number, text in (("+37491000821", "Where is my kettle?"), ("+37491000822", "I asked about a kettle.")):
        handset = Handset(new_page(number), number).open(demo.url)
        handset.write(text)
    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url)
    page = supervisor.page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    texts = ("Where is my kettle?", "I asked about a kettle.")
    page.goto(f"{demo.url}/conversations?list=all")
    for text in texts:
        expect(page.get_by_test_id("conversation-row").filter(has_text=text)).to_have_count(1)
    with as_admin(demo.url) as admin:
        first, second = (customer_who_wrote(admin, text) for text in texts)
        named = {"name": "Անի Սարգսյան"}
        assert admin.patch(f"/customers/{second['id']}", json={**named, "note": "Rings at nine"}).status_code == 200
        order = {"source": "shop", "external_id": "7", "kind": "order", "title": "A blue kettle", "amount": "12500"}
        told = {**order, "currency": "AMD", "phone": "+37491000822", "url": "https://shop.example/7"}
        assert admin.post("/activities", json=told).status_code == 200

    page.goto(f"{demo.url}/customers/{first['id']}")
    expect(page.get_by_test_id("timeline")).to_contain_text("Where is my kettle?")
    page.get_by_test_id("merge-begin").click()
    page.get_by_test_id("merge-search").fill("+37491000822")
    page.get_by_test_id(f"merge-with-{second['id']}").click()
    preview = page.get_by_test_id("merge-preview")
    expect(preview).to_contain_text("Rings at nine")
    expect(page.get_by_test_id("merge-name-theirs")).to_be_checked()
    page.get_by_test_id("merge-submit").click()
    expect(preview).to_have_count(0)
    expect(page.get_by_test_id("customer-name")).to_contain_text("Անի Սարգսյան")
    timeline = page.get_by_test_id("timeline")
    expect(timeline).to_contain_text("Where is my kettle?")
    expect(timeline).to_contain_text("I asked about a kettle.")
    expect(page.get_by_test_id("activity")).to_contain_text("A blue kettle")
    expect(page.get_by_test_id("merged-from")).to_contain_text("Անի Սարգսյան")

    # Somebody else looks at the emptied card: they are led to the one that lives.
    other = Agent(new_page("other"), "admin@demo.test").sign_in(demo.url).page
    expect(other.get_by_test_id("my-state")).to_be_visible()
    other.goto(f"{demo.url}/customers/{second['id']}")
    expect(other.get_by_test_id("timeline")).to_contain_text("Where is my kettle?")
    expect(other).to_have_url(f"{demo.url}/customers/{first['id']}")

    page.get_by_test_id("unmerge").click()
    expect(page.get_by_test_id("merged-from")).to_have_count(0)
    expect(page.get_by_test_id("timeline")).not_to_contain_text("I asked about a kettle.")
    expect(page.get_by_test_id("activity")).to_have_count(0)
    expect(page.get_by_test_id("customer-name")).not_to_contain_text("Անի")
    # Before anything else is looked at: it goes after some seconds.
    page.locator(".toast").get_by_role("button", name="Look at").click()
    expect(page.get_by_test_id("timeline")).to_contain_text("I asked about a kettle.")
    expect(page.get_by_test_id("activity")).to_contain_text("A blue kettle")
    # It stands in the card alone where one wants it so.
    page.get_by_test_id("customer-activities").get_by_role("switch").click()
    expect(page.get_by_test_id("activity")).to_have_count(0)
    # Whoever looked at the one card sees, too, that they are two.
    expect(other.get_by_test_id("timeline")).not_to_contain_text("I asked about a kettle.")
    expect(other.get_by_test_id("activity")).to_have_count(0)


def chosen(page: Page) -> Any:
    return page.get_by_test_id("bulk-count")


def test_one_thing_is_done_to_many(demo: HubProcess, new_page: NewPage) -> None:
    handset_page = new_page("handset")
    for number in range(5):
        handset = Handset(handset_page, f"+3749100083{number}").open(demo.url)
        handset.write(f"Bulk {number}")
        # Not left before it is sent.
        expect(handset.message(f"Bulk {number}", "sent")).to_have_count(1)
    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url)
    page = supervisor.page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/conversations?list=all")
    page.get_by_test_id("search").fill("Bulk")
    rows = page.get_by_test_id("conversation-row")
    expect(rows).to_have_count(5)

    # By mouse: two boxes with a run between them, a tag for them, and back.
    boxes = page.get_by_test_id("choose")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    expect(chosen(page)).to_have_text("3 chosen")
    page.get_by_test_id("bulk-tag").click()
    page.get_by_test_id("bulk-form").get_by_role("textbox").fill("kettle")
    toast = page.locator(".toast").filter(has_text="3 tagged.")
    # Signed in beforehand: the way back is offered for some seconds only.
    with as_admin(demo.url) as admin:
        page.get_by_test_id("bulk-submit").click()
        expect(toast).to_be_visible()
        expect(page.get_by_test_id("bulk-bar")).to_have_count(0)
        assert tags_of(admin) == [["kettle"]] * 3
        toast.get_by_role("button", name="Undo").click()
        expect(page.locator(".toast").filter(has_text="Tags taken off 3.")).to_be_visible()
        assert tags_of(admin) == []

    # By keyboard: the row with the focus and the next ones; all to a colleague; what is theirs by then is put aside.
    rows.nth(0).focus()
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowDown")
    expect(chosen(page)).to_have_text("2 chosen")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("bulk-bar")).to_have_count(0)
    page.keyboard.press("Shift+A")
    expect(chosen(page)).to_have_text("5 chosen")
    page.get_by_test_id("bulk-transfer").click()
    page.get_by_test_id("bulk-transfer-search").fill("Aysel")
    page.get_by_role("radio").first.click()
    page.get_by_test_id("bulk-submit").click()
    expect(page.locator(".toast").filter(has_text="5 passed on.")).to_be_visible()
    expect(rows.filter(has_text="Aysel")).to_have_count(5)
    page.keyboard.press("Shift+A")
    page.get_by_test_id("bulk-more").click()
    page.get_by_test_id("bulk-park").click()
    page.get_by_test_id("bulk-park-tomorrow").click()
    expect(page.get_by_test_id("park-mark")).to_have_count(5)

    # An agent cannot resolve what is hers: that is said by name, and stays chosen.
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).page
    expect(agent.get_by_test_id("my-state")).to_be_visible()
    agent.goto(f"{demo.url}/conversations?list=all")
    agent.get_by_test_id("search").fill("Bulk")
    theirs = agent.get_by_test_id("conversation-row").filter(has_text="Aysel")
    expect(theirs).to_have_count(5)
    agent.keyboard.press("Escape")
    agent.get_by_test_id("choose").nth(0).click()
    agent.get_by_test_id("bulk-resolve").click()
    failed = agent.get_by_test_id("bulk-failed")
    expect(failed).to_contain_text("1 stayed as it was")
    expect(failed).to_contain_text("You may not do this.")
    agent.get_by_test_id("bulk-dismiss").click()
    expect(chosen(agent)).to_have_text("1 chosen")


def tags_of(admin: httpx2.Client) -> list[list[str]]:
    found = admin.get("/conversations", params={"q": "Bulk"}).json()["items"]
    return [each["tags"] for each in found if each["tags"]]
