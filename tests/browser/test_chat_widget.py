"""The chat window on a page of another site, under the strictest policy it can have: nobody is there, then somebody is."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Agent, NewPage, Visitor, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

AXE = Path(__file__).resolve().parents[2] / "web_console" / "node_modules" / "axe-core" / "axe.min.js"


@dataclass
class Shop:
    """A site of its own (another host to browsers than the hub), whose pages let nothing in but the widget."""

    hub: str
    port: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def policy(self) -> str:
        return (
            f"default-src 'none'; script-src {self.hub}; img-src {self.hub} blob:; "
            f"connect-src {self.hub} {self.hub.replace('http', 'ws')}"
        )

    @property
    def html(self) -> str:
        return (
            '<!doctype html><html lang="en"><title>Shop</title>'
            f'<script src="{self.hub}/widget.js" data-channel="chat-demo" async></script>'
            "<main><h1>Shop</h1><p>Nothing but words.</p></main>"
        )

    def enter(self, page: Page) -> Visitor:
        page.goto(self.url)
        page.get_by_test_id("chat-launcher").click()
        expect(page.get_by_test_id("chat-panel")).to_be_visible()
        return Visitor(page)


@pytest.fixture
def shop(demo: HubProcess) -> Iterator[Shop]:
    made = Shop(demo.url)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_page = self.path == "/"
            self.send_response(200 if is_page else 204)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", made.policy)
            self.end_headers()
            self.wfile.write(made.html.encode() if is_page else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def test_a_widget_that_is_set_up_serves_another_site_without_cookies(
    demo: HubProcess, shop: Shop, new_page: NewPage, tmp_path: Path
) -> None:
    root = Agent(new_page("root"), "admin@demo.test").sign_in(demo.url).page
    expect(root.get_by_test_id("my-state")).to_be_visible()
    root.goto(f"{demo.url}/admin/channels")
    root.locator("li").filter(has=root.get_by_test_id("widget-of-chat-demo")).get_by_role("button").click()
    root.get_by_label("Allowed pages").fill(shop.url)
    root.get_by_test_id("channel-save").click()
    root.get_by_test_id("widget-of-chat-demo").click()
    preview = root.get_by_test_id("widget-preview")
    root.get_by_test_id("widget-title").fill("Sevan help")
    expect(preview.get_by_text("Sevan help")).to_be_visible()
    root.get_by_test_id("widget-launcher").fill("Questions?")
    root.get_by_test_id("widget-colour").fill("#f2c200")
    root.get_by_label("Where it stands").select_option("left")
    root.get_by_label("Ask something first").click()
    root.get_by_label("Name", exact=True).click()
    root.get_by_label("Must be filled in").first.click()
    root.get_by_label("What it is about, from a list").click()
    root.get_by_test_id("widget-label-topic").fill("About")
    root.get_by_test_id("widget-options").fill("Delivery\nReturns")
    root.get_by_label("Take messages for later").click()
    root.get_by_label("Mail account").select_option("email-demo")
    root.get_by_label("Show").select_option("offline")
    expect(preview.get_by_text("Leave us a message")).to_be_visible()
    root.get_by_test_id("widget-save").click()
    # The word that something is saved may be that of the channel still; and while it is being saved the button rests, too.
    expect(root.locator('[data-testid="widget-save"]:disabled:not([aria-busy])')).to_be_visible()
    show(root, "widget-settings")

    # Nobody is there: what is left becomes a mail conversation.
    late = new_page("late", width=900, height=800)
    shop.enter(late)
    late.get_by_test_id("chat-form-text").fill("Where is my parcel?")
    late.get_by_test_id("chat-form-email").fill("nowhere")
    late.get_by_test_id("chat-form-name").fill("Ani")
    late.get_by_test_id("chat-form-send").click()
    expect(late.get_by_text("does not look like")).to_be_visible()
    late.get_by_test_id("chat-form-email").fill("ani.late@example.com")
    late.get_by_test_id("chat-form-topic").select_option("Delivery")
    show(late, "widget-offline")
    assert axe(late) == []
    late.get_by_test_id("chat-form-send").click()
    expect(late.get_by_test_id("chat-left")).to_contain_text("ani.late@example.com")
    assert axe(late) == []
    # There is something else to say: a form anew, with who they are in it.
    late.get_by_test_id("chat-leave-another").click()
    expect(late.get_by_test_id("chat-form-text")).to_have_value("")
    expect(late.get_by_test_id("chat-form-email")).to_have_value("ani.late@example.com")
    late.get_by_test_id("chat-form-text").fill("And where is the other one?")
    late.get_by_test_id("chat-form-topic").select_option("Delivery")
    late.get_by_test_id("chat-form-send").click()
    expect(late.get_by_test_id("chat-left")).to_contain_text("ani.late@example.com")
    assert late.context.cookies() == []

    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    agent.accept("Where is my parcel?")
    agent.accept("And where is the other one?")
    expect(agent.page.get_by_text("ani.late@example.com").first).to_be_visible()

    # Somebody is: first what is asked, then the chat.
    early = new_page("early", width=900, height=800)
    visitor = shop.enter(early)
    expect(early.locator("hub-chat")).to_have_attribute("side", "left")
    box = early.get_by_test_id("chat-panel").bounding_box()
    assert box is not None
    assert box["x"] < 100
    early.get_by_test_id("chat-form-send").click()
    expect(early.get_by_text("Please fill this in").first).to_be_visible()
    early.get_by_test_id("chat-form-name").fill("Bo")
    early.get_by_test_id("chat-form-topic").select_option("Returns")
    early.get_by_test_id("chat-form-text").fill("It does not fit")
    show(early, "widget-form")
    assert axe(early) == []
    early.get_by_test_id("chat-form-send").click()
    visitor.shows("It does not fit", "in")
    agent.accept("It does not fit")
    expect(agent.page.get_by_text("The visitor filled in: About: Returns")).to_be_visible()
    agent.answer("Send it back to us")
    visitor.shows("Send it back to us")
    picture = tmp_path / "cup.png"
    early.screenshot(path=picture)
    early.locator('input[type="file"]').set_input_files(picture)
    expect(early.get_by_test_id("chat-send")).to_be_enabled()
    early.get_by_test_id("chat-send").click()
    sent = early.get_by_test_id("chat-message").filter(has=early.locator("img"))
    expect(sent).to_have_attribute("data-status", "sent")
    # What is not asked for yet counts as complete, too. The line may be drawn anew meanwhile.
    expect(sent.locator("img")).not_to_have_js_property("naturalWidth", 0)
    # It is there after a reload, and for nobody else.
    early.reload()
    expect(early.get_by_test_id("chat-launcher")).to_be_visible()
    early.get_by_test_id("chat-launcher").click()
    visitor.shows("It does not fit", "in")
    # While it rises it is half to be seen through.
    early.get_by_test_id("chat-panel").evaluate("it => Promise.all(it.getAnimations().map((each) => each.finished))")
    show(early, "widget-chat")
    assert axe(early) == []
    assert early.context.cookies() == []


def test_the_widget_is_one_small_file(demo: HubProcess) -> None:
    with httpx2.stream("GET", f"{demo.url}/widget.js", headers={"Accept-Encoding": "gzip"}, trust_env=False) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        sent = b"".join(answer.iter_raw())
    assert len(sent) < 30_000, f"{len(sent)} bytes"
    # All of it: it loads nothing more.
    assert b"import(" not in gzip.decompress(sent)


def axe(page: Page) -> list[str]:
    """What is wrong with the widget. The policy of the page lets no script in, so it is asked through the debugger."""
    # While it opens it is faint for a moment.
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "axe.run('hub-chat', {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
        ".then((said) => said.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(' ')}`))"
    )
    return [str(each) for each in found]
