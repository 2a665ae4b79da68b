"""Every screen on a phone, for each role, in English and in Armenian (whose words are the longest): none is wider than the
phone, and nothing stands where nobody can bring it into sight."""

from __future__ import annotations

import os
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Agent, Complaints, NewPage, show
from tests.browser.test_accessibility import ADMIN, AGENT, SUPERVISOR, prepare_for_admin
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 390, 844
LANGUAGES = ("en", "hy")

# What a table's own frame, a row of tabs or an ellipsis holds is no fault; the page itself must not move sideways.
_TOO_WIDE = """() => {
    const found = [];
    const name = (element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""} `
        + `"${(element.textContent ?? "").trim().slice(0, 40)}"`;
    const root = document.scrollingElement;
    if (root.scrollWidth > innerWidth) found.push(`the page: ${root.scrollWidth}`);
    const isHeld = (element) => {
        for (let each = element.parentElement; each; each = each.parentElement) {
            const { overflowX, textOverflow, clip, position } = getComputedStyle(each);
            if (overflowX === "auto" || overflowX === "scroll" || textOverflow === "ellipsis" || clip !== "auto") return true;
            if (position === "fixed") return false;
        }
        return false;
    };
    for (const element of document.querySelectorAll("body *")) {
        const { width, height, right, left } = element.getBoundingClientRect();
        if (width === 0 || height === 0) continue;
        const { visibility, clip, overflowX, overflowY } = getComputedStyle(element);
        if (visibility === "hidden" || clip !== "auto") continue;
        if ((right > innerWidth + 1 || left < -1) && !isHeld(element)) found.push(`${name(element)}: ${left} to ${right}`);
        // The frame that the heading of the screen scrolls in, not one of a table below it.
        const isPage = overflowY !== "visible" && overflowX !== "hidden" && element.querySelector("h1") !== null;
        if (isPage && element.scrollWidth > element.clientWidth + 1)
            found.push(`${name(element)}: moves sideways, ${element.scrollWidth} in ${element.clientWidth}`);
    }
    return found;
}"""


# Complaints that nobody has solved yet, for the supervisors' list of them.
_COMPLAIN = """async () => {
    const { csrf_token } = await (await fetch("/api/v1/session")).json();
    const { topics } = await (await fetch("/api/v1/snapshot")).json();
    const topic = Object.values(topics).find(({ is_complaint }) => is_complaint);
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf_token };
    const statuses = [];
    for (const id of [1, 2, 3, 4]) {
        await fetch(`/api/v1/conversations/${id}/reopen`, { method: "POST", headers });
        const body = JSON.stringify({ topic_id: topic.id, direct: true });
        const answer = await fetch(`/api/v1/conversations/${id}/topic`, { method: "PUT", headers, body });
        statuses.push(answer.status);
    }
    return statuses;
}"""


def too_wide(page: Page, url: str, screens: dict[str, str], language: str) -> list[str]:
    found = []
    for name, path in screens.items():
        page.goto(f"{url}{path}", wait_until="networkidle")
        expect(page.locator(".skeleton")).to_have_count(0)
        expect(page.locator("html")).to_have_attribute("lang", language)
        show(page, f"narrow-{language}-{name}")
        found += [f"{language} {name}: {each}" for each in page.evaluate(_TOO_WIDE)]
    return found


def choose(page: Page, url: str, language: str) -> None:
    """In the account, so that it holds whatever the browser speaks."""
    page.goto(f"{url}/account")
    with page.expect_response(lambda answer: answer.url.endswith("/me") and answer.request.method == "PATCH"):
        page.locator("select", has=page.locator(f"option[value={language}]")).select_option(language)
    expect(page.locator("html")).to_have_attribute("lang", language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("email", "screens"),
    [("admin@demo.test", ADMIN), ("supervisor@demo.test", SUPERVISOR | AGENT), ("agent1@demo.test", AGENT)],
    ids=["admin", "supervisor", "agent"],
)
def test_no_screen_is_wider_than_a_phone(
    demo: HubProcess,
    new_page: NewPage,
    complaints: Complaints,
    email: str,
    screens: dict[str, str],
    language: str,
) -> None:
    page = new_page("phone", width=WIDTH, height=HEIGHT)
    Agent(page, email).sign_in(demo.url)
    expect(page.get_by_test_id("my-state")).to_be_visible()
    if email.startswith("admin"):
        prepare_for_admin(page, mark=language)
        complaints.is_refused = True  # the second time they are open already
        assert page.evaluate(_COMPLAIN) == [200] * 4
    if language != "en":
        choose(page, demo.url, language)
    only = re.compile(os.environ.get("HUB_TEST_SCREENS", ""))
    found = too_wide(page, demo.url, {name: path for name, path in screens.items() if only.search(name)}, language)
    assert not found, "\n".join(found)
