"""Two conversations that are one matter, and messages that are another: by the menu, the palette and the keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Agent, NewPage
from tests.browser.test_merging import as_admin
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def begin(admin: Any, point_id: int, subject: str, text: str) -> int:
    wish = {"channel_id": "email-demo", "contact_point_id": point_id, "subject": subject, "text": text}
    told = admin.post("/conversations", json=wish)
    assert told.status_code == 201, told.text
    return int(told.json()["id"])


def from_menu(page: Page, item: str) -> None:
    page.get_by_test_id("conversation-more").click()
    page.get_by_test_id(item).click()


def test_one_matter_is_made_of_two_and_two_of_one(demo: HubProcess, new_page: NewPage) -> None:
    with as_admin(demo.url) as admin:
        card = admin.post("/customers", json={"name": "Karine", "email": "karine@kettles.example"}).json()
        point_id = card["contact_points"][0]["id"]
        into, other = (
            begin(admin, point_id, subject, text)
            for subject, text in (("Your order", "Your kettle is on its way."), ("The kettle", "It will be blue."))
        )
        page = Agent(new_page("admin"), "admin@demo.test").sign_in(demo.url).page
        expect(page.get_by_test_id("my-state")).to_be_visible()
        page.goto(f"{demo.url}/conversations/{other}")
        watcher = Agent(new_page("watcher"), "supervisor@demo.test").sign_in(demo.url).page
        expect(watcher.get_by_test_id("my-state")).to_be_visible()
        watcher.goto(f"{demo.url}/conversations/{other}")
        expect(watcher.get_by_test_id("conversation-subject")).to_have_text("The kettle")

        # Into the other, which keeps its number; whoever looks at the merged one is led there.
        from_menu(page, "join")
        page.get_by_test_id(f"join-into-{into}").click()
        page.get_by_test_id("join-submit").click()
        for each in (page, watcher):
            expect(each).to_have_url(f"{demo.url}/conversations/{into}")
            expect(each.get_by_test_id("timeline-heading").filter(has_text=f"from #{other}")).to_have_count(1)
            expect(each.get_by_test_id("conversation-subject")).to_have_text("Your order")
        page.locator(".toast").get_by_role("button", name="Undo").click()
        expect(page.get_by_test_id("timeline-heading").filter(has_text=f"from #{other}")).to_have_count(0)
        page.locator(".toast").get_by_role("button", name=f"Look at #{other}").click()
        expect(page.get_by_test_id("conversation-subject")).to_have_text("The kettle")
        expect(page.get_by_test_id("composer-text")).to_be_visible()

        # Once more, by the palette; and an old link leads on.
        page.keyboard.press("Control+k")
        page.get_by_role("dialog").get_by_role("combobox").fill("Merge into")
        page.keyboard.press("Enter")
        page.get_by_test_id(f"join-into-{into}").click()
        page.get_by_test_id("join-submit").click()
        expect(page).to_have_url(f"{demo.url}/conversations/{into}")
        page.goto(f"{demo.url}/conversations/{other}")
        expect(page).to_have_url(f"{demo.url}/conversations/{into}")
        expect(page.get_by_test_id("conversation-subject")).to_have_text("Your order")

        # Long after, it is taken back by the line that tells of it; and made once more, for what follows.
        page.get_by_test_id("part-again").click()
        expect(page.get_by_test_id("part-again")).to_have_count(0)
        assert admin.post(f"/conversations/{into}/merges", json={"from_ids": [other]}).status_code == 201
        expect(page.get_by_test_id("part-again")).to_have_count(1)

        # The message is another matter after all.
        expect(page.get_by_test_id("timeline")).to_contain_text("It will be blue.")
        page.keyboard.press("Shift+S")
        bar = page.get_by_test_id("split-bar")
        expect(bar.get_by_test_id("split-go")).to_be_disabled()
        choices = page.locator('[data-testid^="choice-"]')
        expect(choices).to_have_count(2)
        choices.filter(has_text="It will be blue.").get_by_role("checkbox").check()
        expect(bar).to_contain_text("1 message chosen")
        bar.get_by_test_id("split-go").click()
        page.get_by_test_id("split-submit").click()
        expect(bar).to_have_count(0)
        toast = page.locator(".toast").filter(has_text="of its own now")
        toast.get_by_role("button", name="Look at").click()
        expect(page.get_by_test_id("conversation-subject")).to_have_text("The kettle")
        apart = admin.get("/conversations", params={"q": "The kettle"}).json()["items"][0]
        assert (apart["id"] not in (into, other), apart["status"]) == (True, "open")
        link = page.get_by_test_id("entry-elsewhere").filter(has_text=f"Look at #{into}")
        link.first.click()
        expect(page).to_have_url(f"{demo.url}/conversations/{into}")
