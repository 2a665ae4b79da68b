"""A real call on the hub's own line: three browsers, each with a microphone that hears a tone of its own, and what each of
them plays is measured; so is the recording."""

from __future__ import annotations

import contextlib
import io
import math
import sqlite3
import statistics
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import av
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.browser.ears import AWAY_DB, TAP, Ear, voice
from tests.browser.people import PATIENCE_MS, Agent, Complaints, show
from tests.media.line import strength
from tests.support.chromium import FLAGS, check_chromium
from tests.support.hub_line import await_line
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

# No tone is a multiple, sum or difference of the others.
CUSTOMER, AGENT, BOSS = 700, 1190, 1810
TONES = {"customer": CUSTOMER, "agent": AGENT, "boss": BOSS}
# All tones are below half of it. The recording is judged by half seconds.
RATE = 8_000
WINDOW = RATE // 2
# The amplitude, of 32 767, of a voice that is there.
SPOKEN = 300.0
# The hub fetches it from the media process when the call is over.
UNTIL_FETCHED = """async ([path, patience_ms]) => {
  const until = Date.now() + patience_ms;
  for (;;) {
    const { state } = (await (await fetch(path)).json()).recording;
    if (state !== "fetching" || Date.now() > until) return state;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}"""


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Browser]]:
    """A process for each: a microphone is a process' own."""
    folder = tmp_path_factory.mktemp("voices")
    with sync_playwright() as playwright, contextlib.ExitStack() as stack:
        opened = {}
        for name, tone in TONES.items():
            sound = (
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={voice(folder / f'{name}.wav', tone)}",
            )
            opened[name] = playwright.chromium.launch(
                executable_path=check_chromium(), args=[*FLAGS, *sound], headless=True
            )
            stack.callback(opened[name].close)
        yield opened


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """With a media process beside it; calls are recorded, and come to the queue without a menu."""
    data_dir = tmp_path_factory.mktemp("demo") / "data"
    with HubProcess(["demo", "--quiet"], data_dir, media_url="", media_addresses="127.0.0.1") as hub:
        with contextlib.closing(sqlite3.connect(hub.data_dir / "hub.db", timeout=30)) as database, database:
            database.execute("UPDATE queue SET records_calls = 1")
            database.execute("UPDATE channel SET flow_id = NULL")
        await_line(hub.url, "chat-demo")
        yield hub
    assert "Traceback" not in hub.log


@dataclass
class Customer:
    """Somebody on the page from which one can call."""

    page: Page

    @property
    def ear(self) -> Ear:
        return Ear(self.page)

    def call(self, url: str) -> None:
        self.page.goto(f"{url}/demo/call")
        self.page.locator("#call").click()
        expect(self.page.get_by_test_id("call-state")).to_have_text("Someone will answer shortly.")

    def hang_up(self) -> None:
        self.page.get_by_test_id("call-hang-up").click()


@dataclass
class Desk(Agent):
    """Somebody at the console with a telephone in it."""

    @property
    def ear(self) -> Ear:
        return Ear(self.page)

    @property
    def bar(self) -> Locator:
        return self.page.get_by_test_id("phone-bar")

    def is_at(self, phase: str) -> None:
        expect(self.bar).to_have_attribute("data-phase", phase)

    def press(self, verb: str) -> None:
        self.bar.get_by_test_id(f"phone-{verb}").click()

    def take(self) -> None:
        """The call that rings, by the key."""
        expect(self.page.locator('[data-testid="offer"][data-call-id]')).to_be_visible()
        self.page.keyboard.press("a")
        self.is_at("talking")

    def wrap_up(self) -> None:
        self.is_at("wrap_up")
        self.page.get_by_test_id("wrap-up-done").click()
        expect(self.bar).to_have_count(0)


@dataclass
class People:
    customer: Customer
    agent: Desk
    boss: Desk


@pytest.fixture
def people(
    demo: HubProcess, browsers: dict[str, Browser], complaints: Complaints, request: pytest.FixtureRequest
) -> Iterator[People]:
    """Each at a page of their own; the agent is available."""
    with contextlib.ExitStack() as stack:
        pages = {}
        for name, browser in browsers.items():
            context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", base_url=demo.url)
            stack.callback(context.close)
            complaints.listen(context)
            pages[name] = context.new_page()
            pages[name].add_init_script(TAP)
            stack.callback(show, pages[name], f"{request.node.name}-{name}")
        agent = Desk(pages["agent"], "agent1@demo.test")
        agent.sign_in(demo.url).become_available()
        yield People(Customer(pages["customer"]), agent, Desk(pages["boss"], "supervisor@demo.test"))


def talk(people: People, url: str) -> None:
    people.customer.call(url)
    people.agent.take()
    people.customer.ear.until_hears(AGENT)
    people.agent.ear.until_hears(CUSTOMER)


def test_everybody_hears_whom_they_are_to_hear_and_nobody_else(demo: HubProcess, people: People) -> None:
    customer, agent, boss = people.customer, people.agent, people.boss
    talk(people, demo.url)
    customer.ear.hears_only(AGENT, CUSTOMER, BOSS)
    agent.ear.hears_only(CUSTOMER, AGENT, BOSS)

    agent.page.keyboard.press("h")
    agent.is_at("held")
    agent.ear.until_silent()
    customer.ear.until_music(instead_of=AGENT)
    agent.page.keyboard.press("h")
    agent.is_at("talking")
    customer.ear.until_hears(AGENT)
    agent.ear.until_hears(CUSTOMER)

    boss.sign_in(demo.url)
    boss.page.get_by_role("link", name="Calls", exact=True).click()
    boss.page.get_by_test_id("calls-listen").click()
    boss.is_at("supervising")
    boss.ear.until_hears(CUSTOMER, AGENT)
    customer.ear.hears_only(AGENT, BOSS)
    agent.ear.hears_only(CUSTOMER, BOSS)

    boss.press("whisper")
    agent.ear.until_hears(CUSTOMER, BOSS)
    customer.ear.hears_only(AGENT, BOSS)
    boss.ear.until_hears(CUSTOMER, AGENT)

    # Between the two, so that the recording shows them apart.
    boss.press("listen")
    agent.ear.until_away(BOSS, beside=CUSTOMER)
    customer.ear.hears_only(AGENT, BOSS)
    agent.ear.hears_only(CUSTOMER, BOSS)

    boss.press("talk")
    customer.ear.until_hears(AGENT, BOSS)
    agent.ear.until_hears(CUSTOMER, BOSS)
    boss.ear.until_hears(CUSTOMER, AGENT)

    boss.press("leave")
    expect(boss.bar).to_have_count(0)
    customer.ear.until_away(BOSS, beside=AGENT)
    agent.ear.until_away(BOSS, beside=CUSTOMER)
    customer.ear.hears_only(AGENT, BOSS)
    agent.ear.hears_only(CUSTOMER, BOSS)

    customer.hang_up()
    agent.wrap_up()
    judge_recording(fetch_recording(agent, boss))


def test_a_talk_goes_on_when_the_agents_page_is_loaded_anew(demo: HubProcess, people: People) -> None:
    talk(people, demo.url)
    people.agent.page.reload()
    people.agent.is_at("talking")
    people.agent.ear.until_hears(CUSTOMER)
    people.customer.ear.until_hears(AGENT)
    people.customer.hang_up()
    people.agent.wrap_up()


# --- the recording --------------------------------------------------------------------------------------------------------


def fetch_recording(agent: Desk, boss: Desk) -> bytes:
    """As the supervisor hears it, whole, when it has come."""
    recording_id = agent.page.locator("[data-recording-id]").first.get_attribute("data-recording-id")
    path = f"/api/v1/recordings/{recording_id}"
    state = boss.page.evaluate(UNTIL_FETCHED, [path, PATIENCE_MS])
    assert state == "stored"
    heard = boss.page.request.get(f"{path}/content")
    assert heard.ok
    return heard.body()


def channels(content: bytes) -> tuple[array[int], array[int]]:
    resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE)
    pcm = array("h")
    with av.open(io.BytesIO(content), "r") as file:
        for frame in [*file.decode(audio=0), None]:
            for part in resampler.resample(frame):
                pcm.frombytes(bytes(part.planes[0])[: 4 * part.samples])
    return pcm[0::2], pcm[1::2]


def strengths(samples: array[int], tone: int) -> list[float]:
    return [strength(samples[at : at + WINDOW], tone, RATE) for at in range(0, len(samples) - WINDOW, WINDOW)]


def down(voices: list[float], others: list[float]) -> float:
    """By how many dB the one is below the other, in half of all windows at least."""
    ratios = [20 * math.log10(max(voice, 1e-3) / max(other, 1e-3)) for voice, other in zip(voices, others, strict=True)]
    return statistics.median(ratios)


def judge_recording(content: bytes) -> None:
    """The customer is left and alone there; the agent is right, and whoever else talked with the customer."""
    left, right = channels(content)
    customer, agent = strengths(left, CUSTOMER), strengths(right, AGENT)
    assert down(customer, strengths(left, AGENT)) >= AWAY_DB
    assert down(customer, strengths(left, BOSS)) >= AWAY_DB
    assert max(strengths(left, BOSS)) < SPOKEN
    assert down(agent, strengths(right, CUSTOMER)) >= AWAY_DB
    assert down(agent, strengths(right, BOSS)) >= AWAY_DB
    # Once, when the customer was to hear it: what was whispered, some seconds before, is not in it.
    spoken = [at for at, voice in enumerate(strengths(right, BOSS)) if voice > SPOKEN]
    assert spoken
    assert spoken == list(range(spoken[0], spoken[-1] + 1))
    # What was talked, and not what was waited and held.
    assert min(statistics.median(customer), statistics.median(agent)) > SPOKEN


def test_a_test_call_on_the_hubs_own_line_comes_to_the_browser_that_asked(demo: HubProcess, people: People) -> None:
    page = people.boss.page
    before = kept(demo)
    Desk(page, "admin@demo.test").sign_in(demo.url)
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/admin/channels")
    page.locator(".card").filter(has_text="chat-demo").or_(page.locator(".card").filter(has_text="Web")).first.click()
    ring = page.get_by_test_id("ring")
    expect(ring).to_be_enabled()
    expect(page.get_by_test_id("ring-address")).to_have_count(0)
    ring.click()
    expect(page.get_by_test_id("ring-outcome")).to_contain_text("The line works")
    for step in ("ringing", "answered", "heard", "over"):
        expect(page.get_by_test_id(f"ring-{step}")).to_have_attribute("data-done", "true")
    page.get_by_test_id("line-test").scroll_into_view_if_needed()
    show(page, "hub-line-test")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_test_id("line-test").scroll_into_view_if_needed()
    show(page, "hub-line-test-narrow-dark")

    # It is called off by whoever asked; neither made a customer or a conversation.
    ring.click()
    page.get_by_test_id("ring-hang-up").click()
    expect(page.get_by_test_id("ring-outcome")).to_be_visible()
    assert kept(demo) == before


def kept(demo: HubProcess) -> list[int]:
    """How many customers, conversations and lines in them there are."""
    with contextlib.closing(sqlite3.connect(demo.data_dir / "hub.db", timeout=30)) as database:
        found = database.execute(
            "SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM conversation), (SELECT count(*) FROM entry)"
        )
        return list(found.fetchone())
