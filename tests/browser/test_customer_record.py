"""The customer's card: written by the keyboard and seen by a colleague at once; a conversation that we begin, and one that is
not resolved before what it needs is filled in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Agent, Handset, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

ANI = "+37491204518"


class Admin:
    """Somebody with a program instead of a screen."""

    def __init__(self, url: str) -> None:
        self.client = httpx2.Client(base_url=f"{url}/api/v1", timeout=60)
        session = self.ask("POST", "/session", {"email": "admin@demo.test", "password": "demo"})
        self.client.headers["X-CSRF-Token"] = session["csrf_token"]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def find(self, number: str) -> dict[str, Any]:
        (found,) = self.ask("GET", f"/customers?q={number.removeprefix('+')}")["items"]
        return dict(found)


@pytest.fixture
def admin(demo: HubProcess) -> Iterator[Admin]:
    admin = Admin(demo.url)
    yield admin
    admin.client.close()


def fact(page: Page, key: str) -> Locator:
    return page.locator(f'[data-testid="fact"][data-fact="{key}"]')


def test_a_card_is_edited_by_the_keyboard_and_a_colleague_sees_it_at_once(
    demo: HubProcess, new_page: NewPage, admin: Admin
) -> None:
    ani = admin.find(ANI)
    pages = []
    for email in ("agent1@demo.test", "supervisor@demo.test"):
        page = Agent(new_page(email.partition("@")[0]), email).sign_in(demo.url).page
        expect(page.get_by_test_id("my-state")).to_be_visible()
        page.goto(f"{demo.url}/customers/{ani['id']}")
        expect(page.get_by_test_id("card-address")).to_contain_text(ani["town"])
        pages.append(page)
    mine, theirs = pages

    # A key asks nobody whether the line stands; a button does.
    expect(mine.get_by_test_id("edit-card")).to_be_enabled()
    mine.keyboard.press("i")
    form = mine.get_by_test_id("card-form")
    expect(form).to_be_visible()
    form.get_by_label("Town").focus()
    mine.keyboard.press("ControlOrMeta+A")
    mine.keyboard.type("Գյումրի")
    mine.keyboard.press("Enter")
    expect(form).to_have_count(0)
    expect(theirs.get_by_test_id("card-address")).to_contain_text("Գյումրի")

    # Both write one fact: whoever is later is shown both, and decides.
    source = fact(theirs, "source")
    source.get_by_test_id("fact-open").press("Enter")
    source.get_by_role("combobox").fill("Radio")
    admin.ask("PATCH", f"/customers/{ani['id']}", {"source": "Newspaper"})
    conflict = source.get_by_test_id("fact-conflict")
    expect(conflict).to_contain_text("Newspaper")
    conflict.get_by_role("button", name="Keep mine").click()
    expect(conflict).to_have_count(0)
    expect(fact(mine, "source")).to_contain_text("Radio")

    # A field of this house, in its place.
    card = fact(mine, "fields.club_card")
    card.get_by_test_id("fact-open").press("Enter")
    mine.keyboard.press("ControlOrMeta+A")
    mine.keyboard.type("SC-90001")
    mine.keyboard.press("Enter")
    expect(fact(theirs, "fields.club_card")).to_contain_text("SC-90001")


def test_we_write_first_and_resolve_only_with_what_is_needed(demo: HubProcess, new_page: NewPage, admin: Admin) -> None:
    (cause,) = [each for each in admin.ask("GET", "/custom-fields")["items"] if each["key"] == "cause"]
    admin.ask("PATCH", f"/custom-fields/{cause['id']}", {"required": True})
    ani = admin.find(ANI)
    handset = Handset(new_page("handset"), ANI).open(demo.url)
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url)
    page = agent.page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/customers/{ani['id']}")
    expect(page.get_by_test_id("write")).to_be_enabled()

    page.keyboard.press("Shift+N")
    form = page.get_by_test_id("start-form")
    # The way they prefer stands first, and is chosen.
    expect(form.locator("label.way").first).to_have_attribute("data-testid", "way-sms")
    expect(form.get_by_role("radio").first).to_be_checked()
    form.get_by_test_id("start-text").fill("Your coffee is on its way.")
    form.get_by_test_id("start-text").press("ControlOrMeta+Enter")
    expect(form).to_have_count(0)
    handset.shows("Your coffee is on its way.")
    agent.sees_tick("Your coffee is on its way.", "delivered")

    page.get_by_test_id("resolve").click()
    missing = page.get_by_test_id("missing-fields")
    missing.get_by_label("Cause").select_option("delivery")
    missing.get_by_test_id("missing-save").click()
    expect(page.get_by_test_id("reopen")).to_be_visible()
    expect(fact(page, "fields.cause")).to_contain_text("Delivery")

    # They tell us not to text them: that way is closed, and says why.
    page.get_by_test_id("consents").click()
    line = page.get_by_test_id("consent-sms-service")
    line.get_by_test_id("consent-change").click()
    line.get_by_test_id("consent-note").fill("On the phone")
    line.get_by_test_id("consent-save").click()
    expect(page.get_by_test_id("consent-history")).to_contain_text("On the phone")
    page.keyboard.press("Escape")
    page.get_by_test_id("write").click()
    expect(form.get_by_test_id("way-sms")).to_have_attribute("data-hindrance", "opted_out")
    expect(form.get_by_test_id("way-sms").get_by_role("radio")).to_be_disabled()


def test_what_somebody_wrote_in_a_dialog_is_not_lost_by_a_key(
    demo: HubProcess, new_page: NewPage, admin: Admin
) -> None:
    ani = admin.find(ANI)
    page = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/customers/{ani['id']}")
    expect(page.get_by_test_id("write")).to_be_enabled()
    form, company = page.get_by_test_id("card-form"), page.get_by_test_id("card-form").get_by_label("Company")

    page.keyboard.press("i")
    expect(form).to_be_visible()
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)  # nothing was written: nothing is asked

    page.keyboard.press("i")
    company.fill("Lost and Found")
    company.press("Escape")
    expect(page.get_by_test_id("leave-stay")).to_be_focused()
    show(page, "dialog-leave")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("leave-stay")).to_have_count(0)
    expect(company).to_have_value("Lost and Found")
    company.press("Escape")
    page.get_by_test_id("leave-discard").click()
    expect(form).to_have_count(0)

    page.keyboard.press("i")
    expect(company).to_have_value("")
    company.fill("Found")
    page.get_by_test_id("card-save").click()
    expect(form).to_have_count(0)  # what is saved is not asked about
    expect(page.get_by_test_id("leave-stay")).to_have_count(0)
