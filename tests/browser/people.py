"""The people of the browser tests, each on a page of their own: an agent at the console, a customer with a handset, a
visitor of the web shop. They do and see what a person does and sees; none of them looks behind the screen."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

# What a page of a busy machine may take to show what has happened.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)

# Set it to a folder to look at what the browsers showed.
PICTURES = os.environ.get("HUB_TEST_PICTURES")


class NewPage(Protocol):
    """Opens somebody's own browser, with cookies, storage and network of its own."""

    def __call__(self, name: str, *, width: int = 1440, height: int = 900) -> Page: ...


def show(page: Page, name: str) -> None:
    if PICTURES is not None and not page.is_closed():
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


# A browser reports a line that is cut, and the one question that is answered with 401 ("is somebody signed in?").
_CUT = re.compile(r"net::ERR_|WebSocket connection to|status of 50[234]")
# What the hub says no to is told by the browser, too.
_REFUSED = re.compile(r"status of 4(?:09|22) ")
_NOT_SIGNED_IN = re.compile(r"status of 401")


@dataclass
class Complaints:
    """All that the browser's console says of the pages, except what a test cuts on purpose. Violations of the content
    security policy are told there, too."""

    said: list[str] = field(default_factory=list)
    is_cut: bool = False
    # A test asks for what cannot be on purpose.
    is_refused: bool = False

    def listen(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.said.append(f"uncaught: {error.error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        url = str(message.location.get("url"))
        is_expected = (
            (self.is_cut and _CUT.search(message.text))
            or (self.is_refused and _REFUSED.search(message.text))
            or (_NOT_SIGNED_IN.search(message.text) and "/api/v1/session" in url)
        )
        if not is_expected:
            self.said.append(f"{message.type}: {message.text} ({message.location.get('url')})")


@dataclass
class Handset:
    """The phone on the demo's page. It has one number."""

    page: Page
    number: str

    def open(self, url: str) -> Handset:
        self.page.goto(f"{url}/demo")
        field = self.page.get_by_test_id("handset-number")
        expect(field).not_to_have_value("")  # the page begins as one of its own people
        field.fill(self.number)
        field.press("Enter")
        return self

    def write(self, text: str) -> None:
        self.page.get_by_test_id("handset-text").fill(text)
        self.page.get_by_test_id("handset-send").click()

    def message(self, text: str, direction: str) -> Locator:
        messages = self.page.locator(f'[data-testid="handset-message"][data-direction="{direction}"]')
        return messages.filter(has=self.page.get_by_text(text, exact=True))

    def shows(self, text: str) -> None:
        """The answer is there, once."""
        expect(self.message(text, "received")).to_have_count(1)

    def has_sent(self, text: str) -> None:
        """It has arrived at the hub."""
        expect(self.message(text, "sent")).to_have_attribute("data-status", "delivered")

    @property
    def texts(self) -> Locator:
        return self.page.get_by_test_id("handset-message").locator(".bubble")


@dataclass
class Agent:
    """Somebody at the console."""

    page: Page
    email: str

    def sign_in(self, url: str) -> Agent:
        self.page.goto(url)
        self.page.get_by_test_id("sign-in-email").fill(self.email)
        self.page.get_by_test_id("sign-in-password").fill("demo")
        self.page.get_by_test_id("sign-in-submit").click()
        return self

    def become_available(self) -> Agent:
        self.page.get_by_test_id("my-state").click()
        self.page.get_by_test_id("state-available").click()
        expect(self.page.get_by_test_id("my-state")).to_have_attribute("data-state-name", "available")
        return self

    def become_busy(self) -> Agent:
        self.page.get_by_test_id("my-state").click()
        self.page.get_by_test_id("state-busy").click()
        expect(self.page.get_by_test_id("my-state")).to_have_attribute("data-state-name", "busy")
        return self

    def accept(self, preview: str) -> None:
        """Takes the offer that rings with this text."""
        offer = self.page.get_by_test_id("offer").filter(has_text=preview)
        expect(offer).to_be_visible()
        conversation_id = offer.get_attribute("data-conversation-id")
        offer.get_by_test_id("offer-accept").click()
        expect(offer).to_have_count(0)
        # The offer may be over before its conversation is the one on the screen.
        expect(self.page).to_have_url(re.compile(rf"/conversations/{conversation_id}\b"))

    def entry(self, text: str, direction: str) -> Locator:
        entries = self.page.locator(f'[data-testid="entry"][data-direction="{direction}"]')
        return entries.filter(has=self.page.get_by_text(text, exact=True))

    def sees(self, text: str) -> None:
        """The customer's words are there, once."""
        expect(self.entry(text, "in")).to_have_count(1)

    def answer(self, text: str) -> None:
        self.page.get_by_test_id("composer-text").fill(text)
        self.page.get_by_test_id("composer-send").click()

    def mail(self, text: str, direction: str) -> Locator:
        """The one mail that says this, which may be folded away later."""
        mails = self.page.locator(f'[data-testid="entry"][data-mail][data-direction="{direction}"]').filter(
            has_text=text
        )
        expect(mails).to_have_count(1)
        return self.page.locator(f'[data-entry-id="{mails.get_attribute("data-entry-id")}"]')

    @property
    def recipients(self) -> Locator:
        """To whom the mail that is being written goes, To first, then Cc."""
        return self.page.get_by_test_id("mail-head").locator(".chip")

    def sees_tick(self, text: str, delivery: str) -> None:
        expect(self.entry(text, "out")).to_have_attribute("data-delivery", delivery)

    def resolve(self) -> None:
        """Done with the conversation that is open on the screen."""
        self.page.get_by_test_id("resolve").click()
        expect(self.page.get_by_test_id("reopen")).to_be_visible()

    @property
    def banner(self) -> Locator:
        return self.page.get_by_test_id("connection-banner")

    @property
    def texts(self) -> Locator:
        """All messages of the timeline, from top to bottom."""
        return self.page.get_by_test_id("timeline").get_by_test_id("entry").locator(".bubble")


@dataclass
class Visitor:
    """Somebody on the shop's page, with the chat in its corner (Playwright looks through the shadow root by itself)."""

    page: Page

    def open(self, url: str) -> Visitor:
        self.page.goto(f"{url}/demo/shop")
        self.page.get_by_test_id("chat-launcher").click()
        expect(self.page.get_by_test_id("chat-panel")).to_be_visible()
        return self

    def write(self, text: str) -> None:
        self.page.get_by_test_id("chat-text").fill(text)
        self.page.get_by_test_id("chat-send").click()

    def identify(self, *, name: str, phone: str) -> None:
        self.page.get_by_role("button", name="Your details").click()
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Phone").fill(phone)
        self.page.get_by_role("button", name="Save").click()
        expect(self.page.get_by_text(f"Thank you, {name}")).to_be_visible()

    def message(self, text: str, direction: str) -> Locator:
        messages = self.page.locator(f'[data-testid="chat-message"][data-direction="{direction}"]')
        return messages.filter(has=self.page.get_by_text(text, exact=True))

    def shows(self, text: str, direction: str = "out") -> Locator:
        expect(self.message(text, direction)).to_have_count(1)
        return self.message(text, direction)

    @property
    def texts(self) -> Locator:
        return self.page.get_by_test_id("chat-message").locator(".bubble")
