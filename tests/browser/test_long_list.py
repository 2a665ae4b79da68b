"""What comes in while somebody reads moves nothing under their eye; how close rows stand goes with the person."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Agent, NewPage
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

NUMBER = "+15005550006"
# Over the list, somewhere in its middle; px of the page.
HERE = (180, 450)

# The row under that place: whose it is, and where it begins.
_UNDER = """([x, y]) => {
  const row = document.elementFromPoint(x, y).closest('[data-conversation-id]');
  return { id: row.dataset.conversationId, top: Math.round(row.getBoundingClientRect().top) };
}"""
# Rows take a moment to where they belong.
_GLIDED = """async (row) => {
  const gliding = row.closest('.sheet').getAnimations({ subtree: true }).filter((each) => each instanceof CSSTransition);
  await Promise.allSettled(gliding.map((each) => each.finished));
}"""
_LINE = """() => {
  const pane = document.querySelector('[data-testid="timeline"]').getBoundingClientRect();
  const lines = [...document.querySelectorAll('[data-testid="timeline"] [data-entry-id]')];
  const line = lines.find((each) => each.getBoundingClientRect().top > pane.top);
  return { id: line.dataset.entryId, top: Math.round(line.getBoundingClientRect().top) };
}"""


def scroll(page: Page, pane: Locator, by: int) -> None:
    """With the wheel, under the pointer, until the pane is at rest: browsers glide."""
    pane.evaluate(
        """pane => {
            window.rests = new Promise((rest) => pane.addEventListener("scrollend", () => rest(), { once: true }));
        }"""
    )
    page.mouse.wheel(0, by)
    page.evaluate("() => window.rests")


def texts(url: str, said: Iterable[tuple[int, str]]) -> None:
    """Customers write, one after the other."""
    with httpx2.Client(base_url=f"{url}/demo/carrier/_carrier/handsets") as carrier:
        for customer, text in said:
            answer = carrier.post(f"/+374910{customer:05d}/messages", json={"to": NUMBER, "text": text})
            assert answer.status_code == 201


def under(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(_UNDER, list(HERE))
    return found


def test_rows_and_lines_that_are_read_stay_where_they_are(demo: HubProcess, new_page: NewPage) -> None:
    texts(demo.url, [(number, f"Letter {number}") for number in range(40)])
    texts(demo.url, [(0, f"Line {number} of a long story") for number in range(30)])
    page = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url).page
    expect(page.get_by_test_id("alert-bell")).to_be_visible()
    page.goto(f"{demo.url}/conversations?list=all")
    row = page.get_by_test_id("conversation-row")
    expect(row.filter(has_text="Line 29 of")).to_be_visible()
    above = page.get_by_test_id("rows-above")

    # Scrolled down, the pointer elsewhere.
    page.mouse.move(*HERE)
    scroll(page, page.locator(".rows", has=row), 900)
    expect(row.filter(has_text="Line 29 of")).to_have_count(0)
    page.mouse.move(900, 20)
    before = under(page)
    texts(demo.url, [(number, f"News {number}") for number in range(100, 104)])
    expect(above).to_have_text("4 new above")
    assert under(page) == before
    # Somebody far below is the newest now: one more above. Somebody above moves: none more.
    texts(demo.url, [(1, "Far below"), (103, "Once more")])
    expect(above).to_have_text("5 new above")
    assert under(page) == before
    above.click()
    expect(row.first).to_contain_text("Once more")
    expect(above).to_have_count(0)

    # At the top, what comes in is seen at once, unless somebody points at a row (one may lie where that button was).
    page.mouse.move(900, 20)
    texts(demo.url, [(104, "Seen at once")])
    expect(row.first).to_contain_text("Seen at once")
    row.first.evaluate(_GLIDED)
    page.mouse.move(*HERE)
    before = under(page)
    texts(demo.url, [(105, "Not under the hand")])
    expect(above).to_have_text("1 new above")
    assert under(page) == before
    page.mouse.move(900, 20)
    expect(row.filter(has_text="Not under the hand")).to_be_in_viewport()
    expect(above).to_have_count(0)

    # So in the timeline: who reads what was said before is told of what comes, and reads on.
    row.filter(has_text="Line 29 of").click()
    timeline = page.get_by_test_id("timeline")
    expect(timeline.get_by_text("Line 29 of a long story")).to_be_in_viewport()
    box = timeline.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    scroll(page, timeline, -700)
    expect(timeline.get_by_text("Line 29 of a long story")).not_to_be_in_viewport()
    # On a slow machine its ladder fires meanwhile, which is a line of its own.
    expect(page.get_by_role("button", name=re.compile(r"^(To the newest|\d new)$"))).to_be_visible()
    line = page.evaluate(_LINE)
    texts(demo.url, [(0, "And the end of it")])
    expect(timeline.get_by_text("And the end of it")).to_have_count(1)
    expect(page.get_by_role("button", name=re.compile(r"^\d new$"))).to_be_visible()
    assert page.evaluate(_LINE) == line


def test_how_close_rows_stand_is_chosen_once_for_every_machine(demo: HubProcess, new_page: NewPage) -> None:
    texts(demo.url, [(200, "How tall am I?")])
    pages = [Agent(new_page(name), "agent3@demo.test").sign_in(demo.url).page for name in ("at the desk", "at home")]
    row = [page.get_by_test_id("conversation-row").filter(has_text="How tall am I?") for page in pages]
    for page, its in zip(pages, row, strict=True):
        page.get_by_test_id("list-all").click()
        expect(its).to_have_css("height", "74px")
    desk, home = pages
    desk.goto(f"{demo.url}/account")
    desk.get_by_test_id("density").get_by_role("combobox").select_option("compact")
    expect(row[1]).to_have_css("height", "56px")
    home.reload()
    expect(row[1]).to_have_css("height", "56px")
    expect(home.locator("html")).to_have_attribute("data-density", "compact")
