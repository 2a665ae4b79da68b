"""An administrator makes a role, gives it to somebody whose menus follow at once, takes it away, and sets what is kept."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def test_role_from_its_making_to_its_end_and_the_menus_of_whoever_has_it(demo: HubProcess, new_page: NewPage) -> None:
    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url).page
    expect(supervisor.get_by_test_id("my-state")).to_be_visible()
    supervisor.get_by_role("link", name="Administration").click()
    menu = supervisor.get_by_role("navigation", name="Administration")
    expect(menu.get_by_role("link", name="Skills")).to_be_visible()
    expect(menu.get_by_role("link", name="Audit log")).to_have_count(0)

    admin = Agent(new_page("admin"), "admin@demo.test").sign_in(demo.url).page
    expect(admin.get_by_test_id("my-state")).to_be_visible()
    admin.goto(f"{demo.url}/admin/roles")
    expect(admin.get_by_test_id("built-in-role")).to_have_count(3)
    show(admin, "roles-list")
    admin.get_by_role("button", name="Make one like it: Supervisor").click()
    admin.get_by_test_id("role-name").fill("Team lead")
    expect(admin.get_by_test_id("may-calls.listen")).to_be_checked()
    for permission in ("customers.export", "audit.read"):
        admin.get_by_test_id(f"may-{permission}").check()
    admin.get_by_test_id("role-save").click()
    expect(admin).to_have_url(re.compile(r"/admin/roles/\d+$"))
    expect(admin.get_by_test_id("role-people")).to_have_text("Nobody has it yet")
    show(admin, "role-form")

    def give(role: str) -> None:
        admin.goto(f"{demo.url}/admin/users")
        row = admin.get_by_role("row").filter(has_text="supervisor@demo.test")
        row.get_by_role("button").click()
        admin.get_by_role("dialog").get_by_label("Role").select_option(label=role)
        admin.get_by_role("dialog").get_by_role("button", name="Save").click()
        expect(row).to_contain_text(role)

    give("Team lead")
    # Nobody has signed in anew.
    menu.get_by_role("link", name="Audit log").click()
    expect(supervisor.get_by_role("heading", name="Audit log")).to_be_visible()
    expect(supervisor.get_by_text("made the role Team lead")).to_be_visible()
    show(supervisor, "role-menu")

    admin.goto(f"{demo.url}/admin/roles")
    admin.get_by_test_id("role-row").click()
    expect(admin.get_by_test_id("role-people")).to_have_text("1 person has it")

    give("Supervisor")
    expect(menu.get_by_role("link", name="Audit log")).to_have_count(0)
    admin.goto(f"{demo.url}/admin/roles")
    admin.get_by_test_id("role-row").click()
    admin.get_by_test_id("remove-role").click()
    admin.get_by_test_id("removal-sure").click()
    # The page of the role itself has no rows.
    expect(admin).to_have_url(f"{demo.url}/admin/roles")
    expect(admin.get_by_test_id("role-row")).to_have_count(0)


def test_organisation_and_what_is_kept_are_changed_on_their_pages(demo: HubProcess, new_page: NewPage) -> None:
    admin = Agent(new_page("admin"), "admin@demo.test").sign_in(demo.url).page
    expect(admin.get_by_test_id("my-state")).to_be_visible()
    admin.goto(f"{demo.url}/admin/organisation")
    expect(admin.get_by_test_id("mail-from")).to_be_visible()
    admin.get_by_test_id("organisation-name").fill("Ararat Coffee")
    admin.get_by_test_id("organisation-save").click()
    expect(admin.get_by_text("Saved", exact=True)).to_be_visible()
    admin.reload()
    expect(admin.get_by_test_id("organisation-name")).to_have_value("Ararat Coffee")
    show(admin, "organisation")

    admin.goto(f"{demo.url}/admin/retention")
    arrivals = admin.get_by_test_id("keep-arrivals")
    arrivals.fill("1")
    admin.get_by_test_id("retention-save").click()
    expect(admin.get_by_text("Whole days, 7 to 90")).to_be_visible()
    arrivals.fill("30")
    admin.get_by_test_id("retention-save").click()
    expect(admin.get_by_role("dialog")).to_contain_text("90 days → 30 days")
    admin.get_by_test_id("retention-sure").click()
    expect(admin.get_by_test_id("retention-form")).to_contain_text("Now: 30 days.")
    show(admin, "retention")
