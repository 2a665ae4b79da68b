"""An agent's telephone, whole: a visitor of the shop calls over the hub's own line, and agents and a supervisor answer in
their browsers, with the sound of fake microphones."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect, sync_playwright

from tests.browser.people import Agent, NewPage, Visitor, show
from tests.support.chromium import FLAGS, check_chromium
from tests.support.hub_line import await_line
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

# A microphone that beeps, and a browser that lets every page use it.
SOUND = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=check_chromium(), args=[*FLAGS, *SOUND], headless=True)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """With a media process beside it."""
    with HubProcess(["demo", "--quiet"], tmp_path_factory.mktemp("demo") / "data", media_url="") as hub:
        yield hub
    assert "Traceback" not in hub.log


@pytest.fixture(scope="module")
def line(demo: HubProcess) -> HubProcess:
    """A demo whose line answers without a menu, and whose queues want to know what calls are about."""
    with contextlib.closing(sqlite3.connect(demo.data_dir / "hub.db", timeout=30)) as database, database:
        database.execute(
            "UPDATE queue SET dispositions = ?, wrap_up_mandatory = 1", (json.dumps(["Order", "Complaint"]),)
        )
        database.execute("UPDATE channel SET flow_id = NULL")
    await_line(demo.url, "chat-demo")
    return demo


def phone_bar(agent: Agent) -> Locator:
    return agent.page.get_by_test_id("phone-bar")


def is_at(agent: Agent, phase: str) -> None:
    expect(phone_bar(agent)).to_have_attribute("data-phase", phase)


def sound_stands(agent: Agent) -> None:
    expect(phone_bar(agent)).to_have_attribute("data-line", "open")


def press(agent: Agent, verb: str) -> None:
    phone_bar(agent).get_by_test_id(f"phone-{verb}").click()


def call_us(new_page: NewPage, url: str) -> Visitor:
    customer = Visitor(new_page("customer")).open(url)
    customer.page.get_by_test_id("chat-call").click()
    return customer


def hang_up(customer: Visitor) -> None:
    customer.page.get_by_test_id("call-hang-up").click()


def at_work(new_page: NewPage, name: str, email: str, url: str) -> Agent:
    return Agent(new_page(name), email).sign_in(url).become_available()


def answer(agent: Agent) -> None:
    offer = agent.page.locator('[data-testid="offer"][data-call-id]')
    expect(offer).to_be_visible()
    show(agent.page, "call-rings")
    offer.get_by_test_id("offer-accept").click()


def test_an_agent_answers_a_call_and_writes_down_what_it_was_about(line: HubProcess, new_page: NewPage) -> None:
    agent = at_work(new_page, "agent", "agent1@demo.test", line.url)
    customer = call_us(new_page, line.url)
    answer(agent)
    is_at(agent, "talking")
    sound_stands(agent)
    expect(agent.page.get_by_test_id("call-mark")).to_have_attribute("data-call-state", "talking")
    entry = agent.page.get_by_test_id("call-entry")
    expect(entry).to_have_attribute("data-call-state", "talking")
    expect(agent.page.get_by_test_id("phone-quality")).to_be_visible()
    show(agent.page, "call-talking")

    # The keys of the bar, and what the customer sees of it.
    agent.page.keyboard.press("m")
    expect(agent.page.get_by_test_id("phone-mute")).to_have_attribute("aria-pressed", "true")
    agent.page.keyboard.press("m")
    expect(agent.page.get_by_test_id("phone-mute")).to_have_attribute("aria-pressed", "false")
    agent.page.keyboard.press("h")
    is_at(agent, "held")
    expect(customer.page.get_by_test_id("call-state")).to_contain_text("hold")
    show(agent.page, "call-held")
    agent.page.keyboard.press("Alt+h")
    is_at(agent, "talking")

    # What is written in the talk is there after a reload, and so is the talk.
    press(agent, "write")
    agent.page.get_by_test_id("wrap-up-note").fill("Wants two bags of the dark roast")
    agent.page.get_by_test_id("wrap-up-note").blur()
    expect(entry).to_contain_text("Wants two bags of the dark roast")
    agent.page.reload()
    is_at(agent, "talking")
    sound_stands(agent)
    expect(entry).to_have_attribute("data-call-state", "talking")

    hang_up(customer)
    is_at(agent, "wrap_up")
    expect(agent.page.get_by_test_id("wrap-up-note")).to_have_value("Wants two bags of the dark roast")
    show(agent.page, "call-wrap-up")
    agent.page.get_by_test_id("wrap-up-done").click()
    expect(agent.page.get_by_test_id("wrap-up").get_by_role("alert")).to_have_text("Choose first what it was about.")
    agent.page.get_by_test_id("disposition-0").click()
    agent.page.get_by_test_id("wrap-up-done").click()
    expect(phone_bar(agent)).to_have_count(0)
    expect(entry).to_have_attribute("data-call-state", "ended")
    expect(entry).to_contain_text("Order")
    expect(agent.page.get_by_text("Resolved", exact=True).first).to_be_visible()
    show(agent.page, "call-over")


def test_a_colleague_is_asked_and_a_supervisor_helps_and_takes_over(line: HubProcess, new_page: NewPage) -> None:
    agent = at_work(new_page, "agent", "agent1@demo.test", line.url)
    colleague = Agent(new_page("colleague"), "agent2@demo.test").sign_in(line.url).become_busy()
    boss = Agent(new_page("boss"), "supervisor@demo.test").sign_in(line.url)
    expect(boss.page.get_by_test_id("my-state")).to_be_visible()
    boss.page.goto(f"{line.url}/calls")
    expect(boss.page.get_by_text("No calls now")).to_be_visible()
    customer = call_us(new_page, line.url)
    answer(agent)
    is_at(agent, "talking")
    sound_stands(agent)

    # Asked first: the customer hears music, the colleague answers, then all talk.
    agent.page.keyboard.press("Shift+T")
    agent.page.get_by_test_id("pass-agent-4").click()
    show(agent.page, "call-pass-on")
    agent.page.get_by_test_id("pass-ask-first").click()
    is_at(agent, "held")
    is_at(colleague, "rings_asked")
    show(colleague.page, "call-asked")
    press(colleague, "join")
    sound_stands(colleague)
    is_at(agent, "consult")
    show(agent.page, "call-consult")
    press(agent, "confer")
    is_at(agent, "conference")
    show(agent.page, "call-conference")
    press(colleague, "leave")
    is_at(agent, "talking")
    expect(phone_bar(colleague)).to_have_count(0)

    # The supervisor listens, whispers, and takes the call.
    row = boss.page.get_by_test_id("call-row")
    expect(row).to_have_attribute("data-call-state", "talking")
    show(boss.page, "calls")
    row.get_by_test_id("calls-listen").click()
    is_at(boss, "supervising")
    sound_stands(boss)
    expect(boss.page.get_by_test_id("phone-doing")).to_have_text("You listen. Nobody hears you")
    show(boss.page, "calls-listening")
    press(boss, "whisper")
    expect(boss.page.get_by_test_id("phone-doing")).to_contain_text("the customer does not")
    press(boss, "take_over")
    is_at(boss, "talking")
    sound_stands(boss)
    expect(phone_bar(agent)).to_have_count(0)
    hang_up(customer)
    is_at(boss, "wrap_up")
    boss.page.get_by_test_id("disposition-1").click()
    boss.page.get_by_test_id("wrap-up-done").click()
    expect(phone_bar(boss)).to_have_count(0)
