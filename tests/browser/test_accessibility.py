"""axe-core on every screen of the console, for each role, and on the customer's chat, in light and dark: nothing serious.

One walk, a load for each screen; the colours change without one. A screen that is new to the router has to be named here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.people import Agent, NewPage, Visitor
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

CONSOLE = Path(__file__).parents[2] / "web_console"
AXE = CONSOLE / "node_modules" / "axe-core" / "axe.min.js"
# WCAG 2.2 AA and what came before it, and what is good practice beside it.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """async (tags) => {
    const { violations } = await axe.run(document, {
        resultTypes: ["violations"], iframes: false, runOnly: { type: "tag", values: tags },
    });
    return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
        .flatMap(({ id, nodes }) => nodes.map((node) => ({ id, html: node.html, why: node.failureSummary })));
}"""

# Before anybody is signed in; links that are none say so.
DOORS = {
    "sign-in": "/sign-in",
    "forgotten": "/forgotten",
    "join": "/join",
    "new-password": "/new-password",
    "set-up": "/set-up",
}
# Every other route by its name. What opens one thing opens the first of them, or says that there is none.
ADMIN = {
    "conversations": "/conversations/1",
    "customers": "/customers/1",
    "board": "/board",
    "board-waiting": "/board/waiting",
    "wall": "/wall",
    "calls": "/calls",
    "surveys": "/surveys",
    "reports": "/reports",
    "report-states": "/reports/states",
    "report-load": "/reports/load",
    "report-leaders": "/reports/leaders",
    "what-if": "/reports/what-if",
    "forecast": "/reports/forecast",
    "shifts": "/reports/shifts",
    "adherence": "/reports/adherence",
    "report-schedules": "/reports/mail",
    "report-new-schedule": "/reports/mail/new",
    "report-schedule": "/reports/mail/1",
    "admin-channels": "/admin/channels",
    "admin-widget": "/admin/channels/chat-demo/widget",
    "admin-queues": "/admin/queues",
    "admin-new-queue": "/admin/queues/new",
    "admin-queue": "/admin/queues/1",
    "admin-hours": "/admin/hours",
    "admin-new-calendar": "/admin/hours/new",
    "admin-calendar": "/admin/hours/1",
    "admin-rules": "/admin/rules",
    "admin-flows": "/admin/flows",
    "admin-new-flow": "/admin/flows/new",
    "admin-flow": "/admin/flows/1",
    "admin-skills": "/admin/skills",
    "admin-escalation": "/admin/escalation",
    "admin-new-policy": "/admin/escalation/new",
    "admin-policy": "/admin/escalation/1",
    "admin-topics": "/admin/topics",
    "admin-recordings": "/admin/recordings",
    "admin-surveys": "/admin/surveys",
    "admin-survey": "/admin/surveys/1",
    "admin-teams": "/admin/teams",
    "admin-new-team": "/admin/teams/new",
    "admin-team": "/admin/teams/1",
    "admin-targets": "/admin/targets",
    "admin-alerts": "/admin/alerts",
    "admin-new-alert": "/admin/alerts/new",
    "admin-alert": "/admin/alerts/1",
    "admin-organisation": "/admin/organisation",
    "admin-retention": "/admin/retention",
    "admin-users": "/admin/users",
    "admin-roles": "/admin/roles",
    "admin-new-role": "/admin/roles/new",
    "admin-role": "/admin/roles/1",
    "admin-api-keys": "/admin/api-keys",
    "admin-data-requests": "/admin/data-requests",
    "admin-webhooks": "/admin/webhooks",
    "admin-new-webhook": "/admin/webhooks/new",
    "admin-webhook": "/admin/webhooks/1",
    "admin-imports": "/admin/imports",
    "admin-import": "/admin/imports/1",
    "admin-fields": "/admin/fields",
    "admin-audit": "/admin/audit",
    "admin-canned-replies": "/admin/canned-replies",
    "admin-new-canned-reply": "/admin/canned-replies/new",
    "admin-canned-reply": "/admin/canned-replies/1",
    "not-found": "/no-such-page",
}
AGENT = {
    "conversations": "/conversations/1",
    "team": "/team",
    "search": "/search",
    "inbox": "/inbox",
    "tasks": "/tasks",
    "account": "/account",
    "own-canned-replies": "/account/canned-replies",
    "own-new-canned-reply": "/account/canned-replies/new",
    "own-canned-reply": "/account/canned-replies/1",
}
SUPERVISOR = {
    "board": "/board",
    "conversations": "/conversations/1",
    "admin-skills": "/admin/skills",
}


@dataclass
class Findings:
    """Each once, with the first screen where it was."""

    found: dict[tuple[str, str], str] = field(default_factory=dict)

    def look(self, page: Page, name: str) -> None:
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            # Past any policy that the page has: it is the debugger that runs it.
            page.evaluate(AXE.read_text())
            for each in page.evaluate(_RUN, RULES):
                self.found.setdefault((each["id"], each["html"]), f"{name} ({scheme}): {each['why']}")

    def walk(self, page: Page, url: str, screens: dict[str, str]) -> None:
        for name, path in screens.items():
            page.goto(f"{url}{path}", wait_until="networkidle")
            expect(page.locator(".skeleton")).to_have_count(0)
            self.look(page, name)

    def assert_nothing(self) -> None:
        assert "\n\n".join(f"{rule}: {html}\n{where}" for (rule, html), where in self.found.items()) == ""


def test_every_route_is_walked() -> None:
    names = set(re.findall(r'name: "([a-z-]+)"', (CONSOLE / "src" / "router.ts").read_text()))
    # "home" and "admin" lead on.
    assert names - {"home", "admin"} == {*DOORS, *ADMIN, *AGENT, *SUPERVISOR}


def _post(page: Page, path: str, body: dict[str, Any]) -> None:
    made = page.evaluate(
        """async ([path, body]) => {
            const { csrf_token } = await (await fetch("/api/v1/session")).json();
            const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf_token };
            return (await fetch(`/api/v1${path}`, { method: "POST", headers, body })).status;
        }""",
        [path, json.dumps(body)],
    )
    assert made == 201, path


def _bring_customers(page: Page) -> None:
    made = page.evaluate(
        """async () => {
            const { csrf_token } = await (await fetch("/api/v1/session")).json();
            const body = new FormData();
            body.append("file", new File(["Name,Phone\\nAni,+37491700001\\n"], "people.csv"));
            const headers = { "X-CSRF-Token": csrf_token };
            return (await fetch("/api/v1/customer-imports", { method: "POST", headers, body })).status;
        }"""
    )
    assert made == 201


def prepare_for_admin(page: Page, mark: str = "") -> None:
    """One of each thing that the demo has none of. `mark` keeps the names of a second time apart."""
    _post(page, "/teams", {"name": f"East {mark}".strip()})
    limit = {"name": f"Waits {mark}".strip(), "measure": "waiting", "scope": "all", "raise_at": 5, "clear_at": 4}
    _post(page, "/alert-rules", limit)
    _post(page, "/webhook-endpoints", {"url": "https://example.org/hook", "events": ["note.added"]})
    role = {"name": f"Team lead {mark}".strip(), "base": "supervisor", "permissions": ["customers.export"]}
    _post(page, "/roles", role)
    _bring_customers(page)


def test_nothing_serious_before_anybody_is_signed_in(demo: HubProcess, browser: Browser) -> None:
    findings = Findings()
    # Not one whose complaints are heard: a link that is none is refused.
    with browser.new_context(locale="en-GB") as context:
        findings.walk(context.new_page(), demo.url, DOORS)
    findings.assert_nothing()


def test_nothing_serious_on_any_screen_of_an_administrator(demo: HubProcess, new_page: NewPage) -> None:
    findings = Findings()
    page = new_page("admin")
    Agent(page, "admin@demo.test").sign_in(demo.url)
    expect(page.get_by_test_id("my-state")).to_be_visible()
    prepare_for_admin(page)
    findings.walk(page, demo.url, ADMIN)
    findings.assert_nothing()


def test_nothing_serious_on_the_screens_of_agents_supervisors_and_customers(
    demo: HubProcess, new_page: NewPage
) -> None:
    findings = Findings()
    for email, screens in (("agent1@demo.test", AGENT), ("supervisor@demo.test", SUPERVISOR)):
        person = Agent(new_page(email.partition("@")[0]), email).sign_in(demo.url)
        expect(person.page.get_by_test_id("my-state")).to_be_visible()
        findings.walk(person.page, demo.url, screens)
    visitor = Visitor(new_page("visitor", width=1100)).open(demo.url)
    visitor.write("Do you roast on Sundays?")
    visitor.shows("Do you roast on Sundays?", "in")
    findings.look(visitor.page, "widget")
    findings.assert_nothing()
