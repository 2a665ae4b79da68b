"""From an empty database to a first conversation, and a colleague who comes in by an invitation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def empty_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """As `hub serve` starts it for the first time."""
    with HubProcess(["serve"], tmp_path_factory.mktemp("empty") / "data") as hub:
        yield hub
    assert "Traceback" not in hub.log


def code_of(hub: HubProcess) -> str:
    found = re.search(r"[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}", hub.log)
    assert found is not None, hub.log
    return found.group()


def go_on(page: Page) -> None:
    page.get_by_test_id("set-up-next").click()


def at_step(page: Page, name: str) -> None:
    expect(page.locator('[aria-current="step"]')).to_contain_text(name)


def test_an_empty_hub_is_set_up_left_and_gone_on_with_until_a_visitor_is_answered(
    empty_hub: HubProcess, new_page: NewPage
) -> None:
    page = new_page("admin")
    page.goto(empty_hub.url)
    page.get_by_test_id("set-up-code").fill(code_of(empty_hub).lower())
    page.get_by_test_id("set-up-unlock").click()

    at_step(page, "Organisation")
    page.get_by_test_id("set-up-name").fill("Ararat Shop")
    page.get_by_label("Country").select_option("AM")
    go_on(page)
    at_step(page, "Your account")
    page.get_by_test_id("set-up-my-name").fill("Nare")
    page.get_by_test_id("set-up-email").fill("nare@shop.test")
    page.get_by_test_id("set-up-password").fill(PASSWORD)
    go_on(page)

    at_step(page, "Team")
    page.get_by_test_id("invite").click()
    page.get_by_test_id("invite-email").fill("ani@shop.test")
    page.get_by_test_id("invite-submit").click()
    link = page.get_by_test_id("issued-link").locator("code").inner_text()
    page.get_by_test_id("invite-done").click()
    expect(page.get_by_test_id("invitation")).to_contain_text("ani@shop.test")

    # Left here, and gone on with from the console.
    page.get_by_test_id("set-up-leave").click()
    mark = page.get_by_test_id("set-up-mark")
    expect(mark).to_contain_text("step 3 of 6")
    mark.get_by_role("button", name="Go on").click()
    at_step(page, "Team")
    go_on(page)

    at_step(page, "First channel")
    page.get_by_test_id("set-up-chat").click()
    page.get_by_test_id("set-up-add-chat").click()
    expect(page.get_by_test_id("embed")).to_contain_text('/widget.js" data-channel="chat"')
    go_on(page)

    at_step(page, "Test message")
    page.locator("hub-chat textarea").fill("Is anybody there?")
    page.locator("hub-chat textarea").press("Enter")
    expect(page.get_by_test_id("set-up-arrived")).to_contain_text("It has arrived")
    show(page, "set-up-arrived")
    page.get_by_test_id("set-up-answer").fill("Yes, welcome!")
    page.get_by_test_id("set-up-send").click()
    expect(page.get_by_test_id("set-up-answered")).to_contain_text("this is a conversation")
    expect(page.locator("hub-chat")).to_contain_text("Yes, welcome!")
    go_on(page)
    at_step(page, "Done")
    page.get_by_test_id("set-up-finish").click()
    expect(page.get_by_test_id("my-state")).to_be_visible()
    expect(page.get_by_test_id("set-up-mark")).to_have_count(0)

    come_in(new_page("invited", width=390, height=844), link)
    look_at_the_log(page, empty_hub.url)


def come_in(page: Page, link: str) -> None:
    """A colleague on a telephone. The token is in no address any more once the page is there."""
    page.goto(link)
    expect(page.get_by_role("heading", name="Join Ararat Shop")).to_be_visible()
    assert "#" not in page.url
    page.get_by_test_id("link-name").fill("Ani")
    page.get_by_test_id("link-password").fill(PASSWORD)
    page.get_by_test_id("link-submit").click()
    expect(page.get_by_test_id("my-state")).to_be_visible()


def look_at_the_log(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/audit")
    acts = page.get_by_test_id("audit-act")
    expect(acts.filter(has_text="Ani came in by an invitation")).to_have_count(1)
    page.goto(f"{url}/admin/queues")
    page.get_by_role("link", name="General").first.click()
    page.get_by_role("textbox", name="Name", exact=True).first.fill("Front desk")
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator(".toast").filter(has_text="Saved")).to_be_visible()
    page.goto(f"{url}/admin/audit")
    page.get_by_test_id("audit-area").get_by_role("combobox").select_option("queue")
    changed = acts.filter(has_text="Nare changed the queue General")
    expect(changed).to_contain_text("Name: General → Front desk")
    show(page, "audit")
    with page.expect_download() as download:
        page.get_by_test_id("audit-export").click()
    assert "queue.changed" in download.value.path().read_text(encoding="utf-8-sig")
