"""Skills decide whom work rings at, and everybody can read why: two agents, one of whom has the skill; a decline, a
skill that is given, an offer that nobody answers; and work that nobody can serve, which is told of and not lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Agent, Complaints, Handset, NewPage, Visitor, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

ARPI, EKA = "Արփի Մելքոնյան", "ეკა ჯაფარიძე"
# The shortest that a queue takes.
RING_S = 5


class Administrator:
    """Somebody at the pages of the administration."""

    def __init__(self, page: Page, url: str) -> None:
        Agent(page, "admin@demo.test").sign_in(url)
        expect(page.get_by_test_id("my-state")).to_be_visible()
        self.page = page
        self._url = url

    def add_skill(self, name: str) -> None:
        self.page.goto(f"{self._url}/admin/skills")
        self.page.get_by_test_id("add-skill").click()
        self.page.get_by_test_id("skill-name").fill(name)
        self.page.get_by_test_id("skill-save").click()
        expect(self.page.locator(f'[data-skill="{name}"]')).to_be_visible()

    def give(self, name: str, skill: str, level: int) -> None:
        """The level is typed into the matrix; it saves by itself."""
        self.page.goto(f"{self._url}/admin/skills")
        row = self.page.get_by_test_id("skill-row").filter(has_text=name)
        cell = row.get_by_role("gridcell", name=re.compile(rf"^{re.escape(name)}, {re.escape(skill)}:"))
        cell.click()
        self.page.keyboard.press(str(level))
        expect(row).to_have_attribute("data-row-state", "saved")
        expect(cell).to_have_attribute("data-level", str(level))

    def open_queue(self, name: str) -> None:
        self.page.goto(f"{self._url}/admin/queues")
        self.page.get_by_test_id("queue-row").filter(has_text=name).get_by_role("link").click()
        expect(self.page.get_by_test_id("queue-name")).to_have_value(name)

    def require(self, skill: str, at_least: int) -> None:
        self.page.get_by_test_id("require-skill").click()
        line = self.page.get_by_test_id("required-skill")
        line.get_by_label("Skill").select_option(label=skill)
        line.get_by_label("Level").select_option(label=f"{at_least} or higher")

    def save_queue(self) -> None:
        self.page.get_by_test_id("queue-save").click()
        # The button cannot be pressed while it is being saved, either.
        expect(self.page.get_by_test_id("queue-form").get_by_text("Not saved yet", exact=True)).to_have_count(0)
        expect(self.page.get_by_test_id("queue-save")).to_be_disabled()

    def open_team(self) -> Page:
        self.page.goto(f"{self._url}/team")
        return self.page

    def waiting_row(self, text: str) -> Locator:
        return self.page.get_by_test_id("waiting-row").filter(has_text=text)


def left_out(where: Locator, word: str) -> Locator:
    return where.locator(f'[data-testid="why-left"][data-word="{word}"]')


def test_the_one_with_the_skill_rings_then_the_other_and_the_reasons_can_be_read(
    demo: HubProcess, new_page: NewPage
) -> None:
    admin = Administrator(new_page("admin"), demo.url)
    admin.add_skill("Grinders")
    admin.give(ARPI, "Grinders", 4)
    admin.open_queue("Support")
    admin.require("Grinders", 3)
    expect(admin.page.get_by_test_id("queue-story")).to_contain_text("Free members with Grinders 3 are asked.")
    admin.save_queue()
    arpi = Agent(new_page("arpi"), "agent1@demo.test").sign_in(demo.url).become_available()
    eka = Agent(new_page("eka"), "agent2@demo.test").sign_in(demo.url).become_available()

    handset = Handset(new_page("handset"), "+37491000701").open(demo.url)
    handset.write("My grinder smells of smoke.")
    offer = arpi.page.get_by_test_id("offer").filter(has_text="My grinder smells of smoke.")
    offer.get_by_test_id("offer-why").click()
    expect(offer.get_by_test_id("why-headline")).to_have_text("You were the only one who could be asked.")
    expect(left_out(offer, "lacks_skill")).to_contain_text("Lack Grinders at level 3")
    expect(left_out(offer, "lacks_skill")).to_contain_text("1 colleague")  # who they are is the supervisors' to read
    show(arpi.page, "why-me")
    expect(eka.page.get_by_test_id("offer")).to_have_count(0)
    offer.get_by_test_id("offer-decline").click()
    expect(offer).to_have_count(0)

    admin.open_queue("Support")
    admin.page.get_by_role("spinbutton", name="SMS").fill(str(RING_S))
    admin.save_queue()
    admin.give(EKA, "Grinders", 3)
    expect(eka.page.get_by_test_id("offer")).to_contain_text("My grinder smells of smoke.")
    expect(arpi.page.get_by_test_id("offer")).to_have_count(0)
    expect(eka.page.get_by_test_id("offer")).to_have_count(0)  # nobody answers: it rings out

    row = admin.open_team().get_by_test_id("waiting-row").filter(has_text="91 000701")
    row.get_by_test_id("row-why").click()
    dialog = admin.page.get_by_test_id("why-dialog")
    expect(dialog.get_by_test_id("why-headline")).to_have_text("Nobody can be asked right now.")
    expect(left_out(dialog, "excluded")).to_contain_text("Declined or missed it just now")
    expect(dialog.get_by_test_id("why-offer")).to_have_count(2)
    show(admin.page, "why-it-waits")
    admin.page.keyboard.press("Escape")

    row.get_by_role("link").click()
    timeline = admin.page.get_by_test_id("timeline")
    expect(timeline).to_contain_text(f"{ARPI} declined")
    timeline.get_by_test_id("entry").filter(has_text=f"{EKA} missed the offer").get_by_test_id("entry-why").click()
    missed = admin.page.locator('[data-testid="why-offer"][data-outcome="no_answer"]')
    expect(missed.get_by_test_id("why-headline")).to_have_text(f"{EKA} was the only one who could be asked.")
    expect(left_out(missed, "excluded")).to_contain_text(ARPI)
    show(admin.page, "why-the-other")
    # Else it rings again in the next test, once the two are no longer left alone with it.
    admin.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    Agent(admin.page, "admin@demo.test").resolve()


def test_work_that_nobody_can_serve_is_told_of_and_rings_once_somebody_can(demo: HubProcess, new_page: NewPage) -> None:
    admin = Administrator(new_page("admin"), demo.url)
    admin.add_skill("Latte art")
    admin.open_queue("Sales")
    admin.require("Latte art", 5)
    admin.save_queue()
    eka = Agent(new_page("eka"), "agent2@demo.test").sign_in(demo.url).become_available()
    visitor = Visitor(new_page("visitor", width=1100)).open(demo.url)
    visitor.write("How do I pour a swan?")

    team = admin.open_team()
    expect(team.get_by_test_id("unservable")).to_contain_text(
        "1 conversation waits here that nobody could ever be offered"
    )
    show(team, "unservable")
    team.get_by_test_id("live-queue").filter(has_text="Sales").get_by_test_id("row-turn").click()
    team.get_by_test_id("turn-priority").fill("30")
    team.get_by_test_id("turn-pin").locator("select").select_option(label=f"{EKA} · Available")
    team.get_by_test_id("turn-save").click()
    expect(team.get_by_test_id("priority-mark")).to_contain_text("30")
    expect(team.get_by_test_id("pin-mark")).to_have_text(EKA)
    # A pin does not make up for a skill: what an agent cannot do is not given to them.
    expect(eka.page.get_by_test_id("offer")).to_have_count(0)

    admin.give(EKA, "Latte art", 5)
    offer = eka.page.get_by_test_id("offer").filter(has_text="How do I pour a swan?")
    offer.get_by_test_id("offer-why").click()
    expect(offer.get_by_test_id("why-headline")).to_have_text("A supervisor chose you.")
    eka.accept("How do I pour a swan?")
    team = admin.open_team()
    expect(team.get_by_test_id("live-queue").filter(has_text="Sales")).to_be_visible()
    expect(team.get_by_test_id("unservable")).to_have_count(0)
    eka.resolve()


def test_an_overflow_that_leads_back_is_refused_beside_the_steps(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    admin = Administrator(new_page("admin"), demo.url)
    page = admin.page
    for name, other in (("Support", "Sales"), ("Sales", "Support")):
        admin.open_queue(name)
        page.get_by_test_id("add-step").click()
        page.get_by_test_id("overflow-step").get_by_label(other).check()
        expect(page.get_by_test_id("queue-story")).to_contain_text(f"After 2 min, {other} may take it, too.")
        if name == "Support":
            admin.save_queue()
    page.get_by_test_id("queue-save").click()
    expect(page.get_by_test_id("overflow-circle")).to_have_text("This leads back here: Sales → Support → Sales.")
    expect(page.get_by_role("alert").filter(has_text="not right")).to_be_visible()
    expect(page.get_by_test_id("queue-save")).to_be_enabled()
    show(page, "overflow-refused")
    assert "status of 422" in complaints.said.pop()
