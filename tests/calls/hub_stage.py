"""The hub's own line on the stage: a real media process, and real WebRTC at everybody's end, so all of it is heard.

Everybody speaks in a tone of their own, and so does the line: each sentence whenever it is said, and the music, is a
tone (Tongue). Who listens can therefore tell what they hear, and from whom. Time that passes (`forward`) passes for
the mixer tick by tick, while nobody speaks and nobody's packets are sent.
"""

from __future__ import annotations

import asyncio
import json
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from hub.channels.voice import Menu, Prompt, Voicemail, Wait
from hub.domain.values import ChannelKind
from hub.media.codec import Codec, pause, tone
from hub.media.exchange import Participant
from hub.media.frame import FRAMES_PER_S, Frame
from hub.media.lateness import Lateness
from hub.media.leg import Leg
from hub.media.process import Media
from hub.media.prompts import Prompts
from hub.media.scenes import Sound
from hub.media.webhooks import Webhooks
from hub.store.vault import Vault
from hub.timeline import channels
from tests.calls.hub_line import Customer, Voice, media_plan
from tests.calls.stage import Agent, Caller, Stage, open_stage
from tests.media.line import RATE, THERE, served, strength
from tests.support.running_hub import SECRET_KEY, Json

# People have 1000, 1200 … Hz, what is said 3000, 3050 … 5950; the tone after which one speaks is the media process' own.
PEOPLE, APART, MUSIC, BEEP = 1000.0, 200.0, 2700.0, 880.0
SENTENCES = [3000.0 + 50 * at for at in range(60)]
_SENTENCE_S = 0.4
# What one hears is judged by windows of so much, of every fourth sample: all tones are below 6 kHz.
_WINDOW_S, _EVERY = 0.1, 4
_WINDOW = round(_WINDOW_S * RATE)
_SPEAKS_S = 0.6
_STEP_S = 0.02


class Tongue(Prompts):
    """What the line says. Each time it says something it does so in another tone, so that twice is not once."""

    def __init__(self, codec: Codec, folder: Path) -> None:
        super().__init__(codec, folder, folder)
        self.codec = codec
        # Tone → which sentence it was, counted, and its text.
        self.said: dict[float, tuple[int, str]] = {}
        self._count = 0

    async def start(self) -> None:
        self.music = self.codec.frames(tone(self.codec, MUSIC, 1.0))

    def load(self, prompt: Prompt) -> asyncio.Task[Sound]:
        hertz = SENTENCES[self._count % len(SENTENCES)]
        self.said[hertz] = (self._count, prompt.text)
        self._count += 1

        async def sound() -> Sound:
            return self.codec.frames(tone(self.codec, hertz, _SENTENCE_S) + pause(self.codec, _WINDOW_S))

        return asyncio.create_task(sound())


class Courier(Webhooks):
    """Carries what the process tells to the hub, badly where a test wants it."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        # Kinds of events that are lost for ever, without the sender's knowing; all come twice; each fails once.
        self.loses: set[str] = set()
        self.doubles = self.fails = False
        self._failed: set[bytes] = set()

    async def _post(self, url: str, body: bytes) -> int:
        if json.loads(body)["kind"] in self.loses:
            return 204
        if self.fails and body not in self._failed:
            self._failed.add(body)
            return 503
        status = await super()._post(url, body)
        if self.doubles:
            await super()._post(url, body)
        return status


@dataclass
class Trouble:
    """An ASGI application in front of the control API: so many requests whose path ends like this get a 500 instead."""

    app: Starlette
    left: dict[str, int] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for end, count in self.left.items():
            if count and scope["type"] == "http" and scope["path"].endswith(end):
                self.left[end] -= 1
                await PlainTextResponse("trouble", 500)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class Elsewhere:
    """A leg (hub.media.leg) at whose end nobody is for the moment."""

    is_connected = True

    def take(self) -> Frame | None:
        return None

    def give(self, frame: Frame | None) -> None:
        pass

    async def close(self) -> None:
        pass


def is_there(heard: array[int], hertz: float, at: int) -> bool:
    """Whether this tone is in the window that begins with this sample."""
    return strength(heard[at : at + _WINDOW : _EVERY], hertz, RATE // _EVERY) > THERE


@dataclass
class Page:
    """A customer's page in a call. What it hears is looked through in windows, up to the sample `_at`."""

    line: HubLine
    voice: Customer
    name: str = "caller"
    _at: int = 0
    _found: set[int] = field(default_factory=set)

    async def hears(self, what: str) -> None:
        async def is_so() -> bool:
            if what == "music":
                return self.voice_has(MUSIC)
            if what == "voices":
                return any(self.voice_has(other.hertz) for other in self.line.people if other is not self.voice)
            return self._has_heard(what)

        await self.line.stage.until(is_so, f"{self.name} hears {what!r}")

    def voice_has(self, hertz: float) -> bool:
        """Now."""
        return is_there(self.voice.heard, hertz, max(0, len(self.voice.heard) - _WINDOW))

    def _has_heard(self, words: str) -> bool:
        """Something with these words was said since the last that was asked for."""
        wanted = {
            hertz: number
            for hertz, (number, text) in self.line.tongue.said.items()
            if words in text and number not in self._found
        }
        at = self._at
        while wanted and at + _WINDOW <= len(self.voice.heard):
            for hertz, number in wanted.items():
                if is_there(self.voice.heard, hertz, at):
                    self._found.add(number)
                    self._at = at
                    return True
            at += _WINDOW
        return False

    async def hears_beep(self) -> None:
        async def has_come() -> bool:
            starts = range(self._at, len(self.voice.heard) - _WINDOW, _WINDOW)
            return any(is_there(self.voice.heard, BEEP, at) for at in starts)

        await self.line.stage.until(has_come, f"{self.name} hears the tone")

    async def press(self, key: str) -> None:
        async def listens() -> bool:
            party = self.line.media.exchange.parties.get(self.voice.token)
            scene = party.scene if party is not None else None
            return isinstance(scene, Menu | Voicemail) or (isinstance(scene, Wait) and key in scene.keys)

        await self.line.stage.until(listens, f"the line listens to {self.name}")
        await self.voice.send(type="key", key=key)

    async def say(self, words: str) -> None:
        """After the tone."""
        await self.hears_beep()
        self.voice.speaks(True)
        began = len(self.voice.heard)

        async def has_spoken() -> bool:
            return len(self.voice.heard) > began + _SPEAKS_S * RATE

        await self.line.stage.until(has_spoken, f"{self.name} has said {words!r}")
        self.voice.speaks(False)

    async def hang_up(self) -> None:
        await self.voice.send(type="hang_up")

    async def is_over(self) -> None:
        await self.voice.told(type="ended")


@dataclass
class HubLine:
    """`media` runs in the test's loop. `courier` and `trouble` do no harm unless told to."""

    media: Media
    tongue: Tongue
    courier: Courier
    trouble: Trouble
    channel_id: str = "line"
    dials: bool = False
    hears_words: bool = False
    detects_machines: bool = False
    # An agent's end is a page: when it goes away the line is lost, and nobody has hung up.
    puts_down: bool = False
    people: list[Voice] = field(default_factory=list)
    agents: dict[int, Voice] = field(default_factory=dict)
    stage: Stage = field(default=None)  # type: ignore[assignment]
    _cookies: dict[str, str] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def set_up(self, stage: Stage) -> None:
        self.stage = stage
        house = stage.house
        await house.channel("chat", ChannelKind.CHAT)
        await house.hub.database.transaction(
            lambda tx: channels.create_channel(
                tx,
                house.hub.vault,
                channel_id=self.channel_id,
                kind=ChannelKind.PHONE,
                provider="hub",
                name="Hub line",
                queue_id=house.queue_id,
                settings={"chat_channel_id": "chat", "title": "Call us"},
                secrets={},
            )
        )
        await self._stack.enter_async_context(self.media.running())

    async def tear_down(self) -> None:
        for voice in self.people:
            await voice.close()
        await self._stack.aclose()

    # --- people

    def _new_hertz(self) -> float:
        return PEOPLE + APART * len(self.people)

    async def call(self, number: str) -> Page:
        """The visitor whom this number stands for."""
        # All share one loop and one core here: what is late is the test.
        self.media.exchange.lateness = Lateness()
        cookie = self._cookies.get(number) or await self.stage.house.visit()
        if number:
            self._cookies[number] = cookie
        socket = await self._stack.enter_async_context(self.stage.house.connect("/chat/chat/call", cookie=cookie))
        voice = Customer(self._new_hertz(), socket=socket, is_speaking=False)
        self.people.append(voice)
        await voice.calls()
        return Page(self, voice)

    async def rung(self, number: str, answers: str = "answers") -> Page:
        raise AssertionError("this line rings at nobody")

    async def prepare_agent(self, agent: Agent) -> None:
        self.agents[agent.id] = Voice(self._new_hertz(), is_speaking=False)
        self.people.append(self.agents[agent.id])

    async def connect_agent(self, agent: Agent, call: Json) -> None:
        voice = self.agents[agent.id]
        answer = await agent.request("POST", f"/calls/{call['id']}/line", {"sdp": await voice.offer()})
        await voice.answered(answer["sdp"])

    async def agent_picks_up_never(self, agent: Agent) -> None:
        """Only `connect_agent` would."""

    async def agent_hangs_up(self, agent: Agent) -> None:
        """Their page is closed."""
        await self.agents[agent.id].leave()

    # --- what is

    async def hears_whom(self, who: Caller | Agent) -> frozenset[str]:
        """Everybody speaks from the first time on that somebody asks."""
        for voice in self.people:
            voice.speaks(True)
        own = self._voice(who)
        if own.connection is None or own.connection.connectionState != "connected":
            return frozenset()
        at = max(0, len(own.heard) - _WINDOW)
        return frozenset(
            self._name(other) for other in self.people if other is not own and is_there(own.heard, other.hertz, at)
        )

    def _voice(self, who: Caller | Agent) -> Voice:
        if isinstance(who, Agent):
            return self.agents[who.id]
        assert isinstance(who, Page)
        return who.voice

    def _name(self, voice: Voice) -> str:
        names = {id(self.agents[agent.id]): agent.name for agent in self.stage.agents}
        return names.get(id(voice), "caller")

    async def forward(self, seconds: float) -> None:
        for at in range(round(seconds * FRAMES_PER_S)):
            self._tick()
            if at % 10 == 0:
                await asyncio.sleep(0)

    def _tick(self) -> None:
        exchange = self.media.exchange
        ends: dict[Participant, Leg] = {
            party: party.leg for party in exchange.parties.values() if party.leg is not None and party.leg.is_connected
        }
        for party in ends:
            party.leg = Elsewhere()
        exchange.tick()
        for party, leg in ends.items():
            party.leg = leg
            if party.token not in exchange.parties:
                # It ended in this tick, and took leave of nobody.
                exchange.spawn(leg.close())

    async def step(self) -> None:
        await asyncio.sleep(_STEP_S)

    async def live_legs(self) -> int:
        return len(self.media.exchange.parties)

    async def complaints(self) -> Sequence[str]:
        """It has nobody to complain to."""
        return []


@asynccontextmanager
async def hub_stage(database_url: str, folder: Path) -> AsyncIterator[Stage]:
    """A stage with this line on it."""
    key = Vault(SECRET_KEY).key("media")
    media = Media(media_plan(folder, key))
    tongue, courier, trouble = Tongue(media.exchange.codec, folder), Courier(key), Trouble(media.app)
    media.prompts = media.exchange.prompts = tongue
    media.webhooks, media.exchange._tell = courier, courier.tell
    line = HubLine(media, tongue, courier, trouble)
    async with served(trouble) as url, open_stage(database_url, folder, line, media_url=url) as stage:
        yield stage
