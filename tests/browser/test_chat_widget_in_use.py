"""The chat window over time: after the agent is done, without a line, over a reload, and while its settings change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Agent, Complaints, NewPage, Visitor, show
from tests.browser.test_chat_widget import axe
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

# What the pages of the administration do, by the API: have a queue's survey asked at once, and set up the chat's window.
_ASK = """async ([queue, question]) => {
    const csrf = (await (await fetch("/api/v1/session")).json()).csrf_token;
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf };
    const { items } = await (await fetch("/api/v1/survey-settings")).json();
    const { queue_id, queue_name, version, ...kept } = items.find((each) => each.queue_name === queue);
    const changes = { enabled: true, delay_s: 0, questions: { ...kept.questions, en: question }, expected_version: version };
    const body = JSON.stringify({ ...kept, ...changes });
    return (await fetch(`/api/v1/survey-settings/${queue_id}`, { method: "PUT", headers, body })).status;
}"""
_SET_UP = """async (changes) => {
    const csrf = (await (await fetch("/api/v1/session")).json()).csrf_token;
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf };
    const path = "/api/v1/channels/chat-demo/widget";
    const seen = await (await fetch(path)).json();
    const { channel_id, name, allowed_origins, has_identity_secret, embed, version, ...kept } = seen;
    const body = JSON.stringify({ ...kept, ...changes, expected_version: version });
    return (await fetch(path, { method: "PUT", headers, body })).status;
}"""
_NOBODY = {"enabled": False, "channel_id": "", "when": "away", "text": ""}
_LATER = {**_NOBODY, "enabled": True, "channel_id": "email-demo"}
_SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
_NAME = {"name": "name", "required": True, "label": "", "options": []}


@dataclass
class Administrator:
    page: Page

    def sign_in(self, url: str) -> Administrator:
        Agent(self.page, "admin@demo.test").sign_in(url)
        expect(self.page.get_by_test_id("my-state")).to_be_visible()
        return self

    def set_up(self, **changes: object) -> None:
        plain = {"form_enabled": False, "fields": [], "offline": _NOBODY, "colour": "", "position": "right"}
        assert self.page.evaluate(_SET_UP, {**plain, "launcher": "", "intro": "", **changes}) == 200

    def ask(self, queue: str, question: str) -> None:
        assert self.page.evaluate(_ASK, [queue, question]) == 200


def test_what_was_said_and_a_survey_stay_while_a_form_waits_for_the_next_request(
    demo: HubProcess, new_page: NewPage
) -> None:
    root = Administrator(new_page("root")).sign_in(demo.url)
    root.ask("Sales", "Were we of help?")
    root.set_up(form_enabled=True, fields=[_NAME], offline=_LATER, colour="#f2c200")
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).become_available()
    page = new_page("visitor", width=390, height=844)
    visitor = Visitor(page).open(demo.url)
    page.get_by_test_id("chat-form-name").fill("Ani")
    page.get_by_test_id("chat-form-text").fill("Is it in stock?")
    # There is nothing to go back to.
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    page.get_by_test_id("chat-form-send").click()
    agent.accept("Is it in stock?")
    agent.answer("It is, come by")
    visitor.shows("It is, come by")
    page.get_by_test_id("chat-text").fill("Thank")
    agent.resolve()

    begin = page.get_by_test_id("chat-begin")
    expect(begin).to_have_text("Start a new conversation")
    visitor.shows("It is, come by")
    visitor.shows("Were we of help?")
    expect(page.get_by_text("This conversation is closed.", exact=True)).to_be_visible()
    expect(page.get_by_test_id("chat-form")).to_have_count(0)
    page.get_by_test_id("chat-score-4").click()
    expect(page.get_by_test_id("chat-scored")).to_contain_text("4")
    show(page, "widget-resolved")
    assert axe(page) == []

    page.reload()
    page.get_by_test_id("chat-launcher").click()
    visitor.shows("It is, come by")
    expect(page.get_by_test_id("chat-scored")).to_contain_text("4")
    expect(begin).to_be_focused()
    page.get_by_test_id("chat-score-comment").fill("Quick")
    page.get_by_test_id("chat-score-send").click()
    expect(agent.page.get_by_test_id("timeline").locator("q")).to_have_text("Quick")

    # Something new: the form, and a way back to what was said.
    begin.click()
    expect(page.get_by_test_id("chat-form-text")).to_be_focused()
    page.get_by_test_id("chat-form-text").fill("And in blue?")
    show(page, "widget-form-again")
    page.get_by_role("button", name="Cancel").click()
    visitor.shows("Were we of help?")
    expect(begin).to_be_focused()
    begin.click()
    expect(page.get_by_test_id("chat-form-text")).to_have_value("And in blue?")
    page.get_by_test_id("chat-form-send").click()
    visitor.shows("And in blue?", "in")
    visitor.shows("It is, come by")
    agent.accept("And in blue?")
    agent.answer("In blue, too")
    visitor.shows("In blue, too")
    agent.resolve()
    expect(begin).to_be_visible()

    # Nobody is there any more: what was said is there still, and above the form for later.
    agent.become_busy()
    page.reload()
    page.get_by_test_id("chat-launcher").click()
    visitor.shows("In blue, too")
    expect(begin).to_have_text("Leave us a message")
    expect(page.get_by_text("Nobody is here right now.")).to_be_visible()
    show(page, "widget-resolved-nobody")
    assert axe(page) == []
    begin.click()
    page.get_by_test_id("chat-form-email").fill("ani@example.com")
    page.get_by_test_id("chat-form-text").fill("And in red?")
    page.get_by_test_id("chat-form-send").click()
    expect(page.get_by_test_id("chat-left")).to_contain_text("ani@example.com")
    visitor.shows("In blue, too")
    show(page, "widget-left-below")
    assert axe(page) == []
    page.get_by_test_id("chat-leave-another").click()
    expect(page.get_by_test_id("chat-form-text")).to_have_value("")
    page.get_by_role("button", name="Cancel").click()
    visitor.shows("In blue, too")
    agent.become_available().accept("And in red?")
    done(agent)


def test_a_chosen_score_can_be_read_in_any_colour(demo: HubProcess, new_page: NewPage) -> None:
    root = Administrator(new_page("root")).sign_in(demo.url)
    root.ask("Sales", "Were we of help?")
    root.set_up()
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).become_available()
    page = new_page("visitor", width=900, height=800)
    visitor = Visitor(page).open(demo.url)
    visitor.write("Hello there")
    agent.accept("Hello there")
    agent.answer("Hello")
    agent.resolve()
    visitor.shows("Were we of help?")
    for at, colour in enumerate(("#f2c200", "#0f766e", "#e60050", "#ffffff", "#000000")):
        root.set_up(colour=colour)
        for scheme in _SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.reload()
            page.get_by_test_id("chat-launcher").click()
            # The pointer stays on it after the tap.
            chosen = page.get_by_test_id(f"chat-score-{at + 1}")
            chosen.click()
            expect(chosen).to_have_attribute("aria-pressed", "true")
            expect(chosen).to_have_css("background-color", f"rgb{tuple(bytes.fromhex(colour[1:]))}")
            show(page, f"widget-score-{scheme}-{colour[1:]}")
            assert axe(page) == []
    agent.become_busy()


def test_a_half_filled_form_outlives_a_reload_until_it_is_sent(demo: HubProcess, new_page: NewPage) -> None:
    topic = {"name": "topic", "required": True, "label": "About", "options": ["Delivery", "Returns"]}
    Administrator(new_page("root")).sign_in(demo.url).set_up(form_enabled=True, fields=[_NAME, topic])
    page = new_page("visitor", width=390, height=844)
    visitor = Visitor(page).open(demo.url)
    page.get_by_test_id("chat-form-name").fill("Ani")
    page.get_by_test_id("chat-form-topic").select_option("Returns")
    page.get_by_test_id("chat-form-text").fill("It does not")
    page.reload()
    page.get_by_test_id("chat-launcher").click()
    expect(page.get_by_test_id("chat-form-name")).to_have_value("Ani")
    expect(page.get_by_test_id("chat-form-topic")).to_have_value("Returns")
    expect(page.get_by_test_id("chat-form-text")).to_have_value("It does not")
    page.get_by_test_id("chat-form-text").fill("It does not fit me")
    page.get_by_test_id("chat-form-send").click()
    visitor.shows("It does not fit me", "in")
    assert page.evaluate("JSON.stringify(sessionStorage)") == "{}"
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).become_available()
    agent.accept("It does not fit me")
    done(agent)


def test_an_open_window_follows_who_is_there_and_what_is_asked_first(demo: HubProcess, new_page: NewPage) -> None:
    root = Administrator(new_page("root")).sign_in(demo.url)
    root.set_up(offline=_LATER)
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).become_available()
    page = new_page("visitor", width=390, height=844)
    Visitor(page).open(demo.url)
    expect(page.get_by_test_id("chat-text")).to_be_focused()
    # Only an open line says this, and only then the window looks again who is there.
    expect(page.get_by_test_id("chat-panel").locator("header")).to_contain_text("here to help")
    page.get_by_test_id("chat-text").fill("Do you")

    agent.become_busy()
    look_later(page, minutes=2)
    expect(page.get_by_role("heading", name="Leave us a message")).to_be_visible()
    # What was written is not lost, nor is the place where it was.
    expect(page.get_by_test_id("chat-form-text")).to_have_value("Do you")
    page.get_by_test_id("chat-form-text").focus()
    agent.become_available()
    root.set_up(form_enabled=True, fields=[_NAME], offline=_LATER)
    look_later(page, minutes=4)
    expect(page.get_by_role("heading", name="Before we start")).to_be_visible()
    expect(page.get_by_test_id("chat-form-text")).to_have_value("Do you")
    expect(page.get_by_test_id("chat-form-text")).to_be_focused()
    root.set_up()
    look_later(page, minutes=6)
    expect(page.get_by_test_id("chat-text")).to_have_value("Do you")
    expect(page.get_by_test_id("chat-text")).to_be_focused()
    agent.become_busy()


def look_later(page: Page, *, minutes: int) -> None:
    """The visitor comes back to the tab: its clock stands so many minutes on."""
    page.clock.set_fixed_time(datetime.now(UTC) + timedelta(minutes=minutes))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_who_is_there_is_not_said_while_the_line_is_lost(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    Administrator(new_page("root")).sign_in(demo.url).set_up()
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).become_available()
    page = new_page("visitor", width=390, height=844)
    visitor = Visitor(page).open(demo.url)
    visitor.write("Anybody there?")
    agent.accept("Anybody there?")
    header = page.get_by_test_id("chat-panel").locator("header")
    expect(header).to_contain_text("is with you")
    expect(header.locator(".avatar.here")).to_be_visible()

    complaints.is_cut = True
    page.context.set_offline(True)
    expect(page.get_by_test_id("chat-line")).to_contain_text("No connection")
    expect(header).not_to_contain_text("is with you")
    expect(header.locator(".here")).to_have_count(0)
    show(page, "widget-no-line")
    # It waits for the network, not for a page anew.
    visitor.write("I am back")
    page.context.set_offline(False)
    agent.sees("I am back")
    expect(header).to_contain_text("is with you")
    expect(header.locator(".avatar.here")).to_be_visible()
    done(agent)


def done(agent: Agent) -> None:
    """Leaves nothing behind that would ring in the next test."""
    agent.resolve()
    agent.become_busy()
