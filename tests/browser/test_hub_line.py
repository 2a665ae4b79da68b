"""A call on the hub's own line, as it is heard: a customer's page, an agent's and a supervisor's console, each in a browser
whose microphone is a tone of its own. What each page gets is measured where it would be played.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
import statistics
import time
import wave
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.people import Agent, Complaints, show
from tests.media.line import strength
from tests.support.chromium import FLAGS, check_chromium
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

CUSTOMER, AGENT, SUPERVISOR = 500, 1100, 2300
# Who must not be heard speaks loudest: what the codec makes of the others' tones is some 70 dB below those.
LOUD = {CUSTOMER: 6_000, AGENT: 6_000, SUPERVISOR: 20_000}
RATE = 48_000
# Decibels of the tone in what a page gets: some -20 to -35 of a microphone that is heard, some -95 of one that is not.
THERE, ABSENT = -50.0, -80.0
# How far a supervisor who listens or whispers is below one who talks, at the customer's end.
DOWN = 60.0
LOOKS, LOOK_MS = 80, 100
# In a recording, of samples up to 32 767.
HEARD, NOT_HEARD = 500.0, 30.0
# Looked at so often, one after the other, to say how loud something is, or that it is not there.
LONG_LOOKS = 10

# A steady tone is what browsers take out of a voice, so their filters are off. The ear is put to what came last.
EAR = """
(() => {
  const tracks = [];
  const Connection = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Connection {
    constructor(...all) {
      super(...all);
      this.addEventListener("track", (event) => tracks.push(event.track));
    }
  };
  if (!navigator.mediaDevices) return;
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const bare = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  navigator.mediaDevices.getUserMedia = () => ask({ audio: bare });
  let context, ear, heard;
  window.levels = async (tones) => {
    const track = tracks.at(-1);
    if (track === undefined) return tones.map(() => -200);
    context ??= new AudioContext({ sampleRate: 48000 });
    await context.resume();
    if (heard !== track) {
      heard = track;
      ear?.disconnect();
      ear = new AnalyserNode(context, { fftSize: 16384, smoothingTimeConstant: 0, minDecibels: -190 });
      context.createMediaStreamSource(new MediaStream([track])).connect(ear);
      return tones.map(() => -200);
    }
    const bins = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(bins);
    return tones.map((hertz) => {
      const at = Math.round((hertz * 16384) / 48000);
      return Math.max(-200, ...bins.slice(at - 2, at + 3));
    });
  };
})();
"""


def tone_file(path: Path, hertz: int) -> Path:
    """A second of it: whole periods, so that it goes round without a click."""
    samples = (round(LOUD[hertz] * math.sin(2 * math.pi * hertz * at / RATE)) for at in range(RATE))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(array("h", samples).tobytes())
    return path


@dataclass
class Ear:
    """What a page gets to hear."""

    page: Page

    def level(self, hertz: int) -> float:
        (level,) = self.page.evaluate("tones => window.levels(tones)", [hertz])
        return float(level)

    def hears(self, hertz: int) -> None:
        """Until it does."""
        for _ in range(LOOKS):
            if self.level(hertz) > THERE:
                break
            self.page.wait_for_timeout(LOOK_MS)
        level = self.level(hertz)
        assert level > THERE, f"{hertz} Hz is not heard: {level}"

    def hears_no_more(self, hertz: int) -> None:
        for _ in range(LOOKS):
            if self.level(hertz) < ABSENT:
                break
            self.page.wait_for_timeout(LOOK_MS)
        self.does_not_hear(hertz)

    def does_not_hear(self, hertz: int) -> float:
        """For a while; how loud it is then."""
        level = self.level_for_a_while(hertz)
        assert level < ABSENT, f"{hertz} Hz is heard: {level}"
        return level

    def level_for_a_while(self, hertz: int) -> float:
        """A packet that comes late is a crackle at all pitches: one look alone says little."""
        levels = []
        for _ in range(LONG_LOOKS):
            levels.append(self.level(hertz))
            self.page.wait_for_timeout(LOOK_MS)
        return statistics.median(levels)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """With a media process beside it, which records all calls."""
    with HubProcess(["demo", "--quiet"], tmp_path_factory.mktemp("demo") / "data", media_url="") as hub:
        with contextlib.closing(sqlite3.connect(hub.data_dir / "hub.db", timeout=30)) as database, database:
            database.execute("UPDATE queue SET records_calls = 1")
        yield hub
    assert "Traceback" not in hub.log


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Browser]]:
    """One for each tone: a microphone is the whole browser's."""
    folder = tmp_path_factory.mktemp("tones")
    with sync_playwright() as playwright:
        started = {
            hertz: playwright.chromium.launch(
                executable_path=check_chromium(),
                headless=True,
                args=[
                    *FLAGS,
                    "--use-fake-device-for-media-stream",
                    f"--use-file-for-fake-audio-capture={tone_file(folder / f'{hertz}.wav', hertz)}",
                    "--use-fake-ui-for-media-stream",
                    "--autoplay-policy=no-user-gesture-required",
                ],
            )
            for hertz in (CUSTOMER, AGENT, SUPERVISOR)
        }
        yield started
        for browser in started.values():
            browser.close()


def open_page(browser: Browser, complaints: Complaints) -> Page:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    context.add_init_script(EAR)
    complaints.listen(context)
    return context.new_page()


def channels_of(path: Path) -> tuple[array[int], array[int]]:
    """Left and right of a stereo sound."""
    pcm = array("h")
    with av.open(str(path), "r") as container:
        assert container.streams.audio[0].channels == 2
        resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE)
        for frame in container.decode(container.streams.audio[0]):
            for part in resampler.resample(frame):
                pcm.frombytes(bytes(part.planes[0])[: 4 * part.samples])
    return pcm[::2], pcm[1::2]


def recordings(demo: HubProcess) -> list[Path]:
    """Those that are finished, wherever they are kept."""
    found = [path for path in demo.data_dir.rglob("*") if path.is_file() and path.suffix != ".part"]
    return [path for path in found if path.read_bytes()[:4] == b"OggS"]


def by_seconds(sound: array[int], hertz: int) -> list[float]:
    """The strength of a tone in each whole second."""
    starts = range(0, len(sound) - RATE + 1, RATE)
    return [strength(sound[at : at + RATE : 4], hertz, RATE // 4) for at in starts]


def test_everybody_hears_whom_they_should_and_nobody_else(
    demo: HubProcess, browsers: dict[int, Browser], complaints: Complaints
) -> None:
    agent = Agent(open_page(browsers[AGENT], complaints), "agent1@demo.test").sign_in(demo.url).become_available()
    boss = Agent(open_page(browsers[SUPERVISOR], complaints), "supervisor@demo.test").sign_in(demo.url)
    expect(boss.page.get_by_test_id("my-state")).to_be_visible()
    boss.page.goto(f"{demo.url}/calls")
    customer = open_page(browsers[CUSTOMER], complaints)
    customer.goto(f"{demo.url}/demo/call")
    expect(customer.locator("#call")).to_be_enabled()
    customer.locator("#call").click()
    offer = agent.page.locator('[data-testid="offer"][data-call-id]')
    expect(offer).to_be_visible()
    offer.get_by_test_id("offer-accept").click()
    bar, boss_bar = agent.page.get_by_test_id("phone-bar"), boss.page.get_by_test_id("phone-bar")
    at_customer, at_agent, at_boss = Ear(customer), Ear(agent.page), Ear(boss.page)

    # In the talk.
    expect(bar).to_have_attribute("data-phase", "talking")
    at_customer.hears(AGENT)
    at_agent.hears(CUSTOMER)
    at_customer.does_not_hear(CUSTOMER)
    at_agent.does_not_hear(AGENT)
    show(customer, "hub-line-customer")

    # On hold there is music at one end, and nothing at the other.
    bar.get_by_test_id("phone-hold").click()
    expect(bar).to_have_attribute("data-phase", "held")
    at_customer.hears_no_more(AGENT)
    at_agent.hears_no_more(CUSTOMER)
    bar.get_by_test_id("phone-resume").click()
    at_customer.hears(AGENT)
    at_agent.hears(CUSTOMER)

    # The supervisor listens: hears both, and neither hears them.
    boss.page.get_by_test_id("call-row").get_by_test_id("calls-listen").click()
    at_boss.hears(CUSTOMER)
    at_boss.hears(AGENT)
    listening = at_customer.does_not_hear(SUPERVISOR)
    at_agent.does_not_hear(SUPERVISOR)

    # Whispers: to the agent alone. Also when there is nothing else that the customer might hear.
    boss_bar.get_by_test_id("phone-whisper").click()
    at_agent.hears(SUPERVISOR)
    whispering = at_customer.does_not_hear(SUPERVISOR)
    bar.get_by_test_id("phone-mute").click()
    at_customer.hears_no_more(AGENT)
    alone = at_customer.does_not_hear(SUPERVISOR)
    bar.get_by_test_id("phone-mute").click()
    at_customer.hears(AGENT)

    # Barges in: everybody hears them. That much less was heard before.
    barged_at = time.monotonic()
    boss_bar.get_by_test_id("phone-talk").click()
    at_customer.hears(SUPERVISOR)
    at_agent.hears(SUPERVISOR)
    barging = at_customer.level_for_a_while(SUPERVISOR)
    assert max(listening, whispering, alone) < barging - DOWN
    assert at_agent.level_for_a_while(SUPERVISOR) > THERE

    # The recording: the customer left, who talked with them right.
    customer.get_by_test_id("call-hang-up").click()
    expect(bar).to_have_attribute("data-phase", "wrap_up")
    hung_up_at = time.monotonic()
    for _ in range(LOOKS):
        if recordings(demo):
            break
        customer.wait_for_timeout(LOOK_MS)
    left, right = channels_of(recordings(demo)[-1])
    assert statistics.median(by_seconds(left, CUSTOMER)) > HEARD
    assert statistics.median(by_seconds(right, AGENT)) > HEARD
    crossed = [by_seconds(left, AGENT), by_seconds(left, SUPERVISOR), by_seconds(right, CUSTOMER)]
    assert max(map(statistics.median, crossed)) < NOT_HEARD
    # Of the supervisor, what all could hear, and no whisper.
    of_boss = [level > HEARD for level in by_seconds(right, SUPERVISOR)]
    assert 0 < sum(of_boss) <= hung_up_at - barged_at + 1
    show(agent.page, "hub-line-wrap-up")
