"""The button "Call us" where calling does not work: the page says why, in words, and can be tried again. A call that works:
test_hub_line.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.people import Complaints, Visitor, show
from tests.support.chromium import FLAGS, check_chromium
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """With a microphone, which asks before it is used."""
    args = [*FLAGS, "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=check_chromium(), args=args, headless=True)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def deaf_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """Its media process does not answer."""
    folder = tmp_path_factory.mktemp("deaf") / "data"
    with HubProcess(["demo", "--quiet"], folder, media_url="http://127.0.0.1:9") as hub:
        yield hub


def a_page(browser: Browser, complaints: Complaints, *, may_speak: bool) -> Page:
    context = browser.new_context(locale="en-GB", permissions=["microphone"] if may_speak else [])
    complaints.listen(context)
    return context.new_page()


def says(page: Page, text: str, more: str) -> None:
    bar = page.get_by_test_id("call-bar")
    expect(bar.get_by_test_id("call-state")).to_have_text(text)
    expect(bar).to_contain_text(more)
    expect(bar.get_by_test_id("call-mute")).to_be_hidden()


@pytest.mark.parametrize(
    ("may_speak", "more"),
    [(False, "Allow it in your browser"), (True, "Calls are not possible at the moment.")],
    ids=["a microphone that is refused", "a line that does not answer"],
)
def test_why_there_is_no_call_is_said_and_it_can_be_tried_again(
    deaf_demo: HubProcess, browser: Browser, complaints: Complaints, may_speak: bool, more: str
) -> None:
    page = a_page(browser, complaints, may_speak=may_speak)
    Visitor(page).open(deaf_demo.url)
    page.get_by_test_id("chat-call").click()
    says(page, "The call did not come through", more)
    show(page, f"call-us-{may_speak}")
    page.get_by_test_id("call-hang-up").click()
    says(page, "The call did not come through", more)
    page.context.close()


def test_without_a_line_the_page_says_so_and_the_chat_goes_on(
    demo: HubProcess, browser: Browser, complaints: Complaints
) -> None:
    page = a_page(browser, complaints, may_speak=True)
    page.goto(f"{demo.url}/demo/call")
    expect(page.locator("#why")).to_contain_text("Calls are not possible")
    expect(page.locator("#call")).to_be_disabled()
    page.evaluate("document.querySelector('hub-chat').call()")
    says(page, "The call did not come through", "Calls are not possible at the moment.")
    expect(page.get_by_test_id("chat-call")).to_be_hidden()
    page.get_by_test_id("chat-text").fill("Then I write")
    page.get_by_test_id("chat-send").click()
    expect(page.get_by_test_id("chat-message").filter(has_text="Then I write")).to_have_count(1)
    show(page, "call-us-none")
    page.context.close()
