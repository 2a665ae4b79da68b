"""Business hours and the rules that place new work, set up by an administrator who makes a mistake first: overlapping
hours are named; a rule says what it would have done before it is in force; then a customer's message stands where the rule
says, and its timeline tells why."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Agent, Handset, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


class Administrator:
    """Somebody at the pages of hours and rules."""

    def __init__(self, page: Page, url: str) -> None:
        Agent(page, "admin@demo.test").sign_in(url)
        expect(page.get_by_test_id("my-state")).to_be_visible()
        self.page = page
        self._url = url

    def open(self, path: str) -> None:
        self.page.goto(f"{self._url}{path}")

    def write_hours(self, day: str, number: int, opens: str, closes: str) -> None:
        """The interval of a day, as it is typed; each field is left by Tab."""
        fields = self.page.get_by_test_id(f"day-{day}").get_by_test_id("interval").nth(number).locator("input")
        for place, text in enumerate((opens, closes)):
            fields.nth(place).fill(text)
            fields.nth(place).press("Tab")

    def add_hours(self, day: str) -> None:
        self.page.get_by_test_id(f"add-hours-{day}").click()

    def save_calendar(self) -> None:
        self.page.get_by_test_id("calendar-save").click()

    def add_rule(self, name: str) -> None:
        self.page.get_by_test_id("add-rule").click()
        self.page.get_by_test_id("rule-name").fill(name)

    def rule(self, name: str) -> Locator:
        return self.page.locator(f'[data-testid="rule"][data-rule-name="{name}"]')

    def add_part(self, side: str, part: str) -> None:
        self.page.get_by_test_id(f"add-{side}").click()
        self.page.get_by_test_id(f"add-{part}").click()


def test_overlapping_hours_are_named_and_a_calendar_shows_the_days_to_come(demo: HubProcess, new_page: NewPage) -> None:
    admin = Administrator(new_page("admin"), demo.url)
    page = admin.page
    admin.open("/admin/hours")
    page.get_by_test_id("add-calendar").click()
    page.get_by_test_id("calendar-name").fill("Office")
    admin.add_hours("monday")
    admin.write_hours("monday", 1, "17", "2030")
    fault = page.get_by_test_id("day-monday").get_by_test_id("hours-fault")
    expect(fault).to_have_text("Overlaps 09:00–18:00.")
    admin.save_calendar()
    expect(page.get_by_role("heading", name="Add a calendar")).to_be_visible()  # it is not saved
    show(page, "hours-overlap")

    admin.write_hours("monday", 1, "19", "26")
    expect(page.get_by_text("until 02:00 the next day")).to_be_visible()
    zone = page.get_by_label("Time zone")
    zone.click()
    zone.type("tbil")
    page.get_by_role("option", name="Asia/Tbilisi").click()
    expect(zone).to_have_value("Asia/Tbilisi")
    page.get_by_test_id("import-country").click()
    expect(page.get_by_test_id("holiday-country").locator("select")).to_have_value("AM")
    page.get_by_test_id("holidays-look").click()
    expect(page.get_by_test_id("holidays-found")).to_contain_text("Jan")
    page.get_by_test_id("holidays-take").click()
    expect(page.get_by_test_id("special-day").first).to_contain_text("Armenia")
    admin.save_calendar()
    expect(page.get_by_role("heading", name="Office")).to_be_visible()
    expect(page.get_by_test_id("days-ahead")).to_contain_text("19:00–02:00 (+1)")
    show(page, "hours-saved")

    admin.open("/admin/hours")
    row = page.get_by_test_id("calendar-row").filter(has_text="Office")
    expect(row).to_contain_text("Mon 09:00–18:00, 19:00–02:00 (+1); Tue–Fri 09:00–18:00")
    expect(row).to_contain_text(re.compile("Open until|Closed, opens"))


def test_what_is_not_saved_is_not_lost_by_a_click(demo: HubProcess, new_page: NewPage) -> None:
    admin = Administrator(new_page("admin"), demo.url)
    page = admin.page
    admin.open("/admin/rules")
    admin.add_rule("Half a thought")
    page.get_by_role("link", name="Queues").click()
    page.get_by_role("button", name="Stay here").click()
    expect(admin.rule("Half a thought")).to_contain_text("Always: nothing happens yet.")
    page.get_by_role("link", name="Queues").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.get_by_test_id("queue-row").first).to_be_visible()


def test_a_rule_is_tried_on_the_past_then_places_what_comes_and_the_timeline_says_so(
    demo: HubProcess, new_page: NewPage
) -> None:
    admin = Administrator(new_page("admin"), demo.url)
    page = admin.page
    before = Handset(new_page("before"), "+37491000901").open(demo.url)
    before.write("My parcel is lost.")
    expect(before.message("My parcel is lost.", "sent")).to_contain_text("Delivered")

    admin.open("/admin/rules")
    admin.add_rule("Lost parcels")
    page.get_by_test_id("rules-force").click()
    expect(page.get_by_text("Say what it does.")).to_be_visible()  # nothing is put in force that does nothing
    admin.add_part("condition", "words")
    page.get_by_test_id("words-any").fill("parcel*")
    page.get_by_test_id("words-any").press("Enter")
    admin.add_part("result", "queue_id")
    page.get_by_test_id("result-queue").locator("select").select_option(label="Sales")
    rule = admin.rule("Lost parcels")
    expect(rule.get_by_test_id("rule-sentence")).to_have_text("When it says “parcel*”: put it into Sales.")

    page.get_by_test_id("try-rules").click()
    example = page.get_by_test_id("trial-example").filter(has_text="My parcel is lost.")
    expect(example).to_contain_text("Support → Sales")
    expect(rule.get_by_test_id("rule-matched")).to_have_text("fits 1")
    show(page, "rules-tried")
    page.get_by_test_id("rules-force").click()
    page.get_by_test_id("force-sure").click()
    expect(page.get_by_test_id("rules-in-force")).to_have_text("In force: version 2")
    expect(page.get_by_test_id("rule-versions")).to_contain_text("in force")

    after = Handset(new_page("after"), "+37491000902").open(demo.url)
    after.write("Two parcels never came.")
    admin.open("/team")
    sales = page.get_by_test_id("live-queue").filter(has=page.get_by_role("heading", name="Sales"))
    row = sales.get_by_test_id("waiting-row").filter(has_text="91 000902")
    # The page stands a moment before its line does, and keys rest until then.
    expect(row.get_by_test_id("row-turn")).to_be_enabled()
    row.focus()
    page.keyboard.press("+")
    expect(row.get_by_test_id("priority-mark")).to_contain_text("10")
    show(page, "rules-placed")
    row.get_by_role("link").click()
    expect(page.get_by_test_id("timeline")).to_contain_text("By the rule “Lost parcels”: into Sales")
    show(page, "rules-told")


def test_rules_are_moved_by_keys_and_switched_off_at_once(demo: HubProcess, new_page: NewPage) -> None:
    admin = Administrator(new_page("admin"), demo.url)
    page = admin.page
    admin.open("/admin/rules")
    admin.add_rule("Urgent")
    admin.add_part("result", "priority")
    page.get_by_test_id("rule-done").click()
    page.get_by_test_id("rule-handle").last.focus()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_test_id("rule").last).to_have_attribute("data-rule-name", "Lost parcels")
    expect(admin.rule("Urgent").get_by_test_id("rule-handle")).to_be_focused()
    expect(page.get_by_text("Urgent is now at place 3 of 4")).to_be_attached()
    page.get_by_test_id("rules-save").click()
    expect(page.get_by_text("What you see is version 3, which is not in force.")).to_be_visible()
    page.get_by_test_id("rules-off").click()
    page.get_by_test_id("off-sure").click()
    expect(page.get_by_test_id("rules-in-force")).to_have_text("None in force")
