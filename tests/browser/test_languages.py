"""Somebody chooses each of the console's languages in turn, in a browser that has words of its own for some of them alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from hub.domain.languages import STAFF_LANGUAGES
from hub.routing import spoken_times
from tests.browser.people import Agent, NewPage
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
