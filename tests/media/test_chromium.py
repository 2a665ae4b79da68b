"""A call whose parties are three pages of a real Chromium: tones are sent, and measured as each page hears them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from hub.channels.voice import Hold, Scene, Talk
from hub.domain.calls import Party, Presence
from tests.media.line import Line, media_line, served
from tests.support.chromium import FLAGS, check_chromium

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

CUSTOMER, AGENT, SUPERVISOR = 440.0, 1200.0, 2500.0
# A tone that is sent arrives at some -25 to -45 dB of the analyser's full scale; what Opus adds to others stays below -85.
THERE_DB, ABSENT_DB = -60.0, -80.0
_FLAGS = (
    *FLAGS,
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
)
# What a page of the hub does with its microphone, here with a tone instead, and an ear for measuring.
_OFFER = """async (hertz) => {
  const context = new AudioContext();
  const tone = context.createOscillator(), level = context.createGain();
  tone.frequency.value = hertz;
  level.gain.value = 0.3;
  const said = context.createMediaStreamDestination();
  tone.connect(level).connect(said);
  tone.start();
  window.level = level;
  window.ear = context.createAnalyser();
  ear.fftSize = 16384;
  ear.smoothingTimeConstant = 0;
  ear.minDecibels = -200;
  window.line = new RTCPeerConnection();
  line.addTrack(said.stream.getAudioTracks()[0], said.stream);
  line.ontrack = (event) => {
    window.player = new Audio();   // Chromium hands a remote track to WebAudio only while something plays it
    player.srcObject = event.streams[0];
    player.play();
    context.createMediaStreamSource(event.streams[0]).connect(ear);
  };
  await navigator.mediaDevices.getUserMedia({ audio: true });   // lets its addresses be told
  await line.setLocalDescription(await line.createOffer());
  await new Promise((done) => {
    const look = () => line.iceGatheringState === "complete" && done();
    line.onicegatheringstatechange = look;
    look();
  });
  window.heard = (hertz) => {
    const levels = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(levels);
    const at = Math.round(hertz * ear.fftSize / context.sampleRate);
    return Math.max(...levels.slice(at - 2, at + 3), -200);
  };
  return line.localDescription.sdp;
}"""


@dataclass
class Person:
    line: Line
    page: Page
    token: str
    party: Party
    version: int = 1

    async def level_db(self, hertz: float) -> float:
        return float(await self.page.evaluate("(hertz) => heard(hertz)", hertz))

    async def until_hears(self, *pitches: float) -> None:
        """Exactly these of the three, for a whole look."""
        levels: dict[float, float] = {}
        for _ in range(100):
            levels = {hertz: await self.level_db(hertz) for hertz in (CUSTOMER, AGENT, SUPERVISOR)}
            if {hertz for hertz, level in levels.items() if level > THERE_DB} == set(pitches) and all(
                level < ABSENT_DB for hertz, level in levels.items() if hertz not in pitches
            ):
                return
            await self.page.wait_for_timeout(100)
        pytest.fail(f"{self.token} does not hear {pitches}, but {levels}")

    async def say(self, level: float) -> None:
        await self.page.evaluate("(value) => { level.gain.value = value }", level)

    async def scene(self, scene: Scene, **more: Any) -> None:
        self.version += 1
        order = {"scene": asdict(scene), "scene_version": self.version, "room": "room", "party": self.party.value}
        assert (await self.line.post(f"/legs/{self.token}/scene", {**order, **more})).status_code == 204


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=check_chromium(), args=list(_FLAGS))
        yield browser
        await browser.close()


async def _blank(_request: Request) -> Response:
    return HTMLResponse("<!doctype html><title>a page</title>")


async def _join(line: Line, browser: Browser, url: str, party: Party, hertz: float, scene: Scene) -> Person:
    page = await browser.new_page()
    await page.goto(url)
    person = Person(line, page, party.value, party)
    body = {
        "webhook_url": f"{line.hub_url}/webhooks/line/voice",
        "party": party.value,
        "room": "room",
        "scene": asdict(scene),
        "scene_version": 1,
        "sdp": await page.evaluate(_OFFER, hertz),
    }
    answer = await line.post(f"/legs/{person.token}/connect", body)
    assert answer.status_code == 200, answer.text
    await page.evaluate("(sdp) => line.setRemoteDescription({ type: 'answer', sdp })", answer.json()["sdp"])
    await line.hook("leg", token=person.token, state="connected")
    return person


@pytest.mark.parametrize("codec", ["opus", "pcmu"])
async def test_each_page_hears_what_it_should(tmp_path: Path, browser: Browser, codec: str) -> None:
    async with media_line(tmp_path, codec=codec) as line, served(Starlette(routes=[Route("/", _blank)])) as url:
        customer = await _join(line, browser, url, Party.CUSTOMER, CUSTOMER, Talk())
        agent = await _join(line, browser, url, Party.AGENT, AGENT, Talk())
        supervisor = await _join(line, browser, url, Party.SUPERVISOR, SUPERVISOR, Talk(Presence.LISTEN))
        await customer.until_hears(AGENT)
        await agent.until_hears(CUSTOMER)
        await supervisor.until_hears(CUSTOMER, AGENT)

        await customer.scene(Hold())
        await agent.until_hears()
        await customer.scene(Talk())
        await agent.until_hears(CUSTOMER)


async def test_the_customer_hears_the_supervisor_60_db_down_at_most(tmp_path: Path, browser: Browser) -> None:
    async with media_line(tmp_path) as line, served(Starlette(routes=[Route("/", _blank)])) as url:
        customer = await _join(line, browser, url, Party.CUSTOMER, CUSTOMER, Talk())
        agent = await _join(line, browser, url, Party.AGENT, AGENT, Talk())
        supervisor = await _join(line, browser, url, Party.SUPERVISOR, SUPERVISOR, Talk())
        await customer.until_hears(AGENT, SUPERVISOR)
        barged_db = await customer.level_db(SUPERVISOR)

        for scene in (Talk(Presence.LISTEN), Talk(Presence.WHISPER, coached_leg_id=2)):
            await supervisor.scene(scene, peers={"2": agent.token})
            await customer.until_hears(AGENT)
            # Nobody else makes a sound: what is left at that pitch is what leaks.
            await agent.say(0)
            await customer.until_hears()
            assert barged_db - await customer.level_db(SUPERVISOR) > 60
            await agent.say(0.3)
        await agent.until_hears(CUSTOMER, SUPERVISOR)
