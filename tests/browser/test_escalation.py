"""Work that waits too long is told of, step by step: a ladder is written in the editor, fires, and pages a supervisor until
they have seen it; a complaint stays in sight of whoever may see it until it is solved."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Agent, Complaints, Handset, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

# Short enough to wait for, and long enough for the reader to see the clock run.
STEP_S = 2

# What the queue's page does with its select, by the API: which of the hub's ladders holds for a queue.
_USE = """async ([queue, policy]) => {
    const ask = async (method, path, body) => (await fetch(`/api/v1${path}`, {
        method, headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf }, body: body && JSON.stringify(body),
    })).json();
    let csrf = "";
    csrf = (await ask("GET", "/session")).csrf_token;
    const { queues } = await ask("GET", "/snapshot");
    const ladders = (await ask("GET", "/escalation-policies")).items;
    const id = ladders.find((each) => each.name === policy)?.id ?? null;
    await ask("PATCH", `/queues/${queues.find((each) => each.name === queue).id}`, { policy_id: id });
}"""


class Administrator:
    """Somebody at the pages of the administration."""

    def __init__(self, page: Page, url: str) -> None:
        Agent(page, "admin@demo.test").sign_in(url)
        expect(page.get_by_test_id("my-state")).to_be_visible()
        self.page = page
        self._url = url

    def open(self, path: str) -> Page:
        self.page.goto(f"{self._url}/admin/{path}")
        return self.page

    def clock(self, name: str) -> Locator:
        return self.page.locator(f'[data-testid="ladder-clock"][data-clock="{name}"]')

    def use(self, queue: str, policy: str | None) -> None:
        self.page.evaluate(_USE, [queue, policy])

    def policy_row(self, name: str) -> Locator:
        return self.page.get_by_test_id("policy-row").filter(has_text=name)


def row(page: Page, text: str) -> Locator:
    return page.get_by_test_id("conversation-row").filter(has_text=text)


def test_a_ladder_is_written_fires_and_pages_until_it_is_seen(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    admin = Administrator(new_page("admin"), demo.url)
    page = admin.open("escalation")
    page.get_by_test_id("add-policy").click()
    clock = admin.clock("waiting")
    clock.get_by_test_id("add-rung").click()
    rung = clock.get_by_test_id("ladder-rung")
    rung.get_by_label("How long", exact=True).fill("")
    rung.get_by_label("What happens").select_option("move_to_queue")
    page.get_by_test_id("policy-save").click()
    # Said before anything is sent, at the fields.
    expect(page.get_by_test_id("policy-faults")).to_have_text("3 fields are wrong.")
    expect(rung.get_by_text("Choose a queue.")).to_be_visible()
    show(page, "ladder-faults")

    page.get_by_test_id("policy-name").fill("Quick")
    rung.get_by_label("Unit of").select_option("seconds")
    rung.get_by_label("How long", exact=True).fill(str(STEP_S))
    rung.get_by_label("What happens").select_option("page_supervisor")
    rung.get_by_test_id("add-action").click()
    rung.get_by_label("What happens").nth(1).select_option("raise_priority")
    story = page.get_by_test_id("ladder-story")
    expect(story).to_contain_text("After 2 sec in the queue: page a supervisor; priority +10 min.")
    page.get_by_test_id("policy-save").click()
    expect(page.get_by_role("heading", name="Quick")).to_be_visible()
    admin.use("Support", "Quick")
    expect(page.get_by_role("link", name="Support")).to_be_visible()
    page.get_by_test_id("remove-policy").click()
    page.get_by_test_id("confirm-remove").click()
    expect(page.get_by_test_id("remove-refused")).to_contain_text("Support")
    assert "status of 409" in complaints.said.pop()

    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url).page
    expect(supervisor.get_by_test_id("alert-bell")).to_have_attribute("data-count", "0")
    Handset(new_page("handset"), "+37491000711").open(demo.url).write("Is anybody there?")
    paged = supervisor.get_by_test_id("page")
    expect(paged).to_contain_text("+374 91 000711 has waited too long in the queue.")
    expect(supervisor.get_by_test_id("alert-bell")).to_have_attribute("data-count", "1")
    show(supervisor, "paged")
    supervisor.reload()
    expect(paged).to_be_visible()

    supervisor.goto(f"{demo.url}/team")
    trouble = supervisor.get_by_test_id("trouble").filter(has_text="91 000711")
    expect(trouble).to_contain_text("Escalated")
    paged.get_by_test_id("page-open").click()
    expect(paged).to_have_count(0)
    expect(supervisor.get_by_test_id("alert-bell")).to_have_attribute("data-count", "0")
    expect(supervisor.get_by_test_id("timeline")).to_contain_text(
        "Waited 2 sec in the queue: 1 supervisor was paged; priority is now 10 min"
    )
    expect(supervisor.get_by_test_id("escalation-clock")).to_have_attribute("data-kind", "escalated")
    supervisor.keyboard.press("l")
    expect(supervisor.get_by_test_id("escalation-dialog")).to_contain_text("Quick")
    expect(supervisor.get_by_test_id("escalation-bar").first).to_contain_text("In the queue")
    show(supervisor, "escalation-dialog")
    supervisor.keyboard.press("Escape")
    Agent(supervisor, "supervisor@demo.test").resolve()
    supervisor.goto(f"{demo.url}/team")
    expect(supervisor.get_by_test_id("live-queues")).to_be_visible()
    expect(trouble).to_have_count(0)

    admin.use("Support", None)
    expect(admin.page.get_by_text("Nobody uses it yet")).to_be_visible()
    page.get_by_test_id("confirm-remove").click()
    expect(page.get_by_test_id("add-policy")).to_be_visible()
    expect(admin.policy_row("Quick")).to_have_count(0)


def test_a_ladder_that_somebody_else_changed_is_not_overwritten_unseen(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    one, two = Administrator(new_page("one"), demo.url), Administrator(new_page("two"), demo.url)
    page = one.open("escalation/new")
    page.get_by_test_id("begin-usual").click()
    page.get_by_test_id("policy-name").fill("Care")
    page.get_by_test_id("policy-save").click()
    expect(page.get_by_role("heading", name="Care")).to_be_visible()
    two.open("escalation")
    two.policy_row("Care").get_by_role("link").click()
    two.page.get_by_test_id("policy-name").fill("Care, theirs")
    two.page.get_by_test_id("policy-save").click()
    expect(two.page.get_by_role("heading", name="Care, theirs")).to_be_visible()

    one.clock("idle").get_by_test_id("add-rung").click()
    page.get_by_test_id("policy-save").click()
    expect(page.get_by_test_id("changed-elsewhere")).to_be_visible()
    assert "status of 409" in complaints.said.pop()
    page.get_by_role("link", name="Team").click()
    page.get_by_role("button", name="Stay here").click()
    page.get_by_test_id("policy-save").click()
    # While it is being saved over theirs the button says so, and cannot be pressed either.
    expect(page.get_by_test_id("policy-save")).to_have_text("Save")
    expect(page.get_by_test_id("policy-save")).to_be_disabled()
    page.reload()
    expect(page.get_by_test_id("policy-name")).to_have_value("Care")
    expect(one.clock("idle").get_by_test_id("ladder-rung")).to_have_count(1)


def test_a_complaint_stays_in_sight_until_it_is_resolved(demo: HubProcess, new_page: NewPage) -> None:
    admin = Administrator(new_page("admin"), demo.url)
    page = admin.open("topics")
    page.get_by_test_id("add-topic").click()
    page.get_by_test_id("topic-name").fill("Late delivery")
    page.get_by_role("switch", name="Complaint").click()
    page.get_by_test_id("topic-queue").locator("select").select_option(label="Sales")
    page.get_by_test_id("topic-save").click()
    expect(page.get_by_test_id("topic-row").filter(has_text="Late delivery")).to_contain_text("Sales")

    supervisor = Agent(new_page("supervisor"), "supervisor@demo.test").sign_in(demo.url).page
    arpi = Agent(new_page("arpi"), "agent1@demo.test").sign_in(demo.url).become_available()
    handset = Handset(new_page("handset"), "+37491000712").open(demo.url)
    handset.write("Three weeks, and no parcel!")
    arpi.accept("Three weeks, and no parcel!")
    expect(arpi.page.get_by_test_id("list-complaints")).to_have_count(0)
    expect(arpi.page.get_by_test_id("topic")).to_be_enabled()
    arpi.page.locator("main").click(position={"x": 400, "y": 300})
    arpi.page.keyboard.press("o")
    arpi.page.get_by_role("menuitem", name="Late delivery").click()
    expect(arpi.page.get_by_test_id("topic")).to_have_text("Complaint: Late delivery")
    arpi.page.get_by_test_id("add-tag").click()
    arpi.page.get_by_test_id("tag-input").fill("parcel")
    arpi.page.get_by_test_id("tag-input").press("Enter")
    expect(arpi.page.get_by_test_id("tag")).to_have_text("parcel")
    expect(arpi.page.get_by_test_id("direct")).to_have_text("Direct it to Sales")
    show(arpi.page, "complaint")

    supervisor.get_by_role("link", name="Conversations").click()
    supervisor.get_by_test_id("list-complaints").click()
    expect(row(supervisor, "Three weeks")).to_be_visible()
    expect(row(supervisor, "Three weeks").get_by_test_id("complaint-mark")).to_be_visible()
    arpi.answer("We look for it at once.")
    handset.shows("We look for it at once.")
    # Answered is not solved.
    expect(row(supervisor, "We look for it")).to_be_visible()
    arpi.page.get_by_test_id("list-complaints").click()
    expect(row(arpi.page, "We look for it")).to_be_visible()
    arpi.resolve()
    expect(row(supervisor, "We look for it")).to_have_count(0)
    expect(supervisor.get_by_text("No open complaints")).to_be_visible()
