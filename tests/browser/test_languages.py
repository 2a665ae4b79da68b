"""Somebody chooses each of the console's languages in turn, in a browser that has words of its own for some of them alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from hub.domain.languages import STAFF_LANGUAGES
from hub.routing import spoken_times
from tests.browser.people import Agent, Complaints, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

LOCALES = Path(__file__).parents[2] / "web_console" / "src" / "locales"


def test_a_user_chooses_a_language_and_has_it_everywhere(demo: HubProcess, new_page: NewPage) -> None:
    page = new_page("agent")
    agent = Agent(page, "agent1@demo.test").sign_in(demo.url)
    expect(page.get_by_test_id("my-state")).to_be_visible()
    for language in (*STAFF_LANGUAGES[1:], "en"):
        words = json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))
        page.goto(f"{demo.url}/account")
        with page.expect_response(lambda answer: answer.url.endswith("/me") and answer.request.method == "PATCH"):
            page.locator("select", has=page.locator(f"option[value={language}]")).select_option(language)
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.get_by_role("heading", level=1)).to_have_text(words["nav"]["account"])
        # From the hub, not from what this browser kept.
        page.evaluate("localStorage.removeItem('hub.language')")
        page.goto(f"{demo.url}/conversations/1")
        expect(page.get_by_test_id("entry").first).to_be_visible()
        expect(page.locator("html")).to_have_attribute("lang", language)
        written = page.evaluate(
            "() => [...document.querySelectorAll('time')].map((time) => time.title).filter(Boolean).join(' ')"
        )
        # Chromium itself would say "November" in Armenian and Georgian, and "M11" in Azerbaijani.
        assert any(month in written for month in spoken_times._WORDS[language].months), (language, written[:200])
        assert not re.search(r"\bM\d\d\b", written)
    other = new_page("other")
    Agent(other, agent.email).sign_in(demo.url)
    expect(other.locator("html")).to_have_attribute("lang", "en")


# What says on a screen that something is wrong.
SAID = "[role=alert]:visible, .wrong:visible, .form-error:visible, [data-testid=report-wrong]:visible"


def told(page: Page) -> str:
    """All that is said to be wrong, which there is: in Armenian alone."""
    expect(page.locator(SAID).filter(has_text=re.compile("[Ա-և]")).first).to_be_visible()
    said = " | ".join(page.locator(SAID).all_inner_texts())
    assert not re.search("[A-Za-z]{3,}", said.replace("https://", "")), said
    return said


def test_an_armenian_administrator_is_told_of_mistakes_in_armenian(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    complaints.is_refused = True
    page = new_page("admin")
    Agent(page, "admin@demo.test").sign_in(demo.url)
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/account")
    with page.expect_response(lambda answer: answer.url.endswith("/me") and answer.request.method == "PATCH"):
        page.locator("select", has=page.locator("option[value=hy]")).select_option("hy")
    expect(page.locator("html")).to_have_attribute("lang", "hy")

    # A password that is not hers, told by the hub.
    passwords = page.locator("form", has=page.locator("input[type=password]")).first
    for field in passwords.locator("input[type=password]").all():
        field.fill("not my password at all")
    passwords.locator("button[type=submit]").click()
    assert "սխալ է" in told(page)
    show(page, "armenian-password")

    # A name that is longer than the hub takes, and one that there is already.
    page.goto(f"{demo.url}/admin/queues/new")
    # By hand no more can be written than fits.
    page.get_by_test_id("queue-name").evaluate("field => field.removeAttribute('maxlength')")
    page.get_by_test_id("queue-name").fill("Հ" * 300)
    page.get_by_test_id("queue-save").click()
    assert "նիշ" in told(page)
    show(page, "armenian-queue")
    page.get_by_test_id("queue-name").fill(
        page.evaluate("fetch('/api/v1/queues').then((is) => is.json()).then((all) => all.items[0].name)")
    )
    page.get_by_test_id("queue-save").click()
    expect(page.locator(SAID).filter(has_text="անունով").first).to_be_visible()
    told(page)

    # A webhook that leads nowhere safe.
    page.goto(f"{demo.url}/admin/webhooks/new")
    page.get_by_test_id("webhook-url").fill("http://shop.example.org/hook")
    page.get_by_test_id("webhook-save").click()
    told(page)
    show(page, "armenian-webhook")

    # An alert whose figure would be well again on its bad side.
    page.goto(f"{demo.url}/admin/alerts/new")
    page.get_by_test_id("alert-name").fill("ա" * 100)
    page.get_by_test_id("alert-raise").locator("input").or_(page.locator("input[data-testid=alert-raise]")).fill("3")
    page.get_by_test_id("alert-clear").locator("input").or_(page.locator("input[data-testid=alert-clear]")).fill("9")
    page.locator("[type=submit]").first.click()
    told(page)
    show(page, "armenian-alert")

    # A report of a queue that is not there.
    page.goto(f"{demo.url}/reports?measures=offered&period=last_7&queue=987654")
    expect(page.get_by_test_id("report-wrong")).to_contain_text("հերթ չկա")
    told(page)
    show(page, "armenian-report")
