"""An administrator sets a webhook up, sees what it is told and what became of it, and sends again what was given up."""

from __future__ import annotations

import http.server
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import expect

from tests.browser.people import PATIENCE_MS, Agent, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """Its webhooks may lead to this very machine."""
    data_dir = tmp_path_factory.mktemp("demo") / "data"
    with HubProcess(["demo", "--quiet"], data_dir, private_webhooks="1") as hub:
        yield hub
    assert "Traceback" not in hub.log


@dataclass
class Shop:
    """A web server of somebody else's, which answers `status`."""

    port: int = 0
    status: int = 500
    got: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(made.status)
            self.end_headers()
            self.wfile.write(b"no such order" if made.status != 200 else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def give_up(demo: HubProcess) -> None:
    """As if three days had passed; between two attempts, for one that is under way says itself what became of it."""
    waits = "UPDATE webhook_delivery SET state = 'dead', due_at = NULL, done_at = attempted_at WHERE state = 'waiting'"
    deadline = time.monotonic() + PATIENCE_MS / 1000
    given_up = 0
    while given_up == 0 and time.monotonic() < deadline:
        with sqlite3.connect(demo.data_dir / "hub.db", timeout=30) as db:
            given_up = db.execute(waits).rowcount
        time.sleep(0.05)
    assert given_up == 1


def test_webhook_from_its_first_saving_to_a_dead_letter_that_arrives(
    demo: HubProcess, new_page: NewPage, shop: Shop
) -> None:
    admin = Agent(new_page("admin"), "admin@demo.test").sign_in(demo.url)
    page = admin.page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/admin/webhooks")
    expect(page.get_by_role("heading", name="No webhooks yet")).to_be_visible()
    show(page, "webhooks-empty")
    page.get_by_test_id("add-webhook").click()

    save = page.get_by_test_id("webhook-save")
    save.click()
    expect(page.get_by_text("Choose at least one.")).to_be_visible()
    page.get_by_test_id("webhook-url").fill("http://shop.example.org/hook")
    page.get_by_test_id("webhook-description").fill("Web shop")
    page.get_by_label("New customer", exact=True).check()
    save.click()
    expect(page.get_by_text("Must begin with https://")).to_be_visible()
    page.get_by_test_id("webhook-url").fill(f"http://127.0.0.1:{shop.port}/hook")
    save.click()
    expect(page.get_by_test_id("webhook-secret")).to_contain_text("whsec_")
    show(page, "webhook-secret")
    page.get_by_test_id("webhook-secret-kept").click()
    expect(page.get_by_role("heading", name="Web shop")).to_be_visible()

    page.get_by_test_id("webhook-test").click()
    expect(page.get_by_test_id("webhook-tested")).to_contain_text("Answered 500")
    expect(page.get_by_test_id("webhook-tested")).to_contain_text("no such order")

    other = Agent(new_page("other"), "agent1@demo.test").sign_in(demo.url)
    expect(other.page.get_by_test_id("my-state")).to_be_visible()
    made = other.page.evaluate(
        """async () => {
            const { csrf_token } = await (await fetch("/api/v1/session")).json();
            const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf_token };
            const body = JSON.stringify({ name: "Zara Grigoryan" });
            return (await fetch("/api/v1/customers", { method: "POST", headers, body })).status;
        }"""
    )
    assert made == 201
    # It comes by itself.
    row = page.get_by_test_id("delivery-row")
    expect(row).to_contain_text("To be tried again")
    expect(row).to_contain_text("Answered 500")
    give_up(demo)
    expect(row).to_contain_text("Given up")
    expect(page.get_by_test_id("webhook-dead")).to_have_text("1")
    show(page, "webhook-given-up")

    row.get_by_role("button").click()
    delivery = page.get_by_test_id("delivery")
    expect(delivery.get_by_test_id("delivery-body")).to_contain_text("Zara Grigoryan")
    expect(delivery).to_contain_text("no such order")
    shop.status = 200
    delivery.get_by_test_id("delivery-replay").click()
    expect(delivery.get_by_test_id("delivery-state")).to_have_text("Arrived")
    show(page, "webhook-delivery")
    page.keyboard.press("Escape")
    expect(row).to_contain_text("Arrived")
    expect(page.get_by_test_id("webhook-health")).to_have_text("Answers")
    ids = [each["webhook-id"] for each in shop.got]
    # The test, the attempts that failed, the one that arrived.
    assert len(set(ids)) == 2
    assert ids[-1] == ids[1]

    page.get_by_test_id("webhook-roll").click()
    page.get_by_test_id("webhook-roll-sure").click()
    expect(page.get_by_test_id("webhook-secret")).to_contain_text("whsec_")
    page.get_by_test_id("webhook-secret-kept").click()
    page.get_by_test_id("webhook-test").click()
    expect(page.get_by_test_id("webhook-tested")).to_contain_text("Answered 200")
    assert len(shop.got[-1]["webhook-signature"].split()) == 2

    page.get_by_test_id("remove-webhook").click()
    page.get_by_test_id("removal-sure").click()
    expect(page.get_by_role("heading", name="No webhooks yet")).to_be_visible()
