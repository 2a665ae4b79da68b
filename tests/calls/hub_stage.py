"""The hub's own line on the stage: a real media process, and people whose browsers speak in tones over real WebRTC.

Each has a tone of their own, and who is heard at an end is measured there. A caller is silent until they have something to
say: then the tone after the beep is a message, and silence is none. What is said to a caller is looked up in what the media
process was told to say; that it sounds is measured by its loudness.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from array import array
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from hub.domain.values import ChannelKind
from hub.media.peer import Addresses
from hub.media.process import Media, Plan
from hub.store import tables
from hub.store.vault import Vault
from hub.timeline import channels
from tests.calls.hub_line import Customer, Voice
from tests.calls.stage import Agent, Caller, Stage
from tests.media.line import ABSENT, RATE, THERE, served
from tests.support.running_hub import SECRET_KEY, Json

# Far from each other and from the partials of the music.
_TONES = (433.0, 1187.0, 1913.0, 2539.0, 3061.0, 3527.0)
_MESSAGE_S = 1.2
# What is louder than this sounds; silence is nothing but the codec's noise.
_LOUD = 100.0
_CUT_OFF_S = 0.5


class Page:
    """A customer's page in a call."""

    def __init__(self, line: HubStageLine, customer: Customer) -> None:
        self.line, self.customer, self.name = line, customer, "caller"
        self._seen: set[int] = set()
        self._reader = asyncio.create_task(self._read())
        self.is_ended = False

    async def _read(self) -> None:
        assert self.customer.socket is not None
        async for text in self.customer.socket:
            self.is_ended |= json.loads(text)["type"] == "ended"

    async def _leg(self) -> Json | None:
        legs = await self.line.stage.rows(tables.leg)
        return next((leg for leg in legs if leg["token"] == self.customer.token), None)

    async def hears(self, what: str) -> None:
        async def is_so() -> bool:
            leg = await self._leg()
            scene = (leg["applied_scene"] if leg is not None else None) or {}
            sounds = self.line.loudness(self.customer) > _LOUD
            match what:
                case "voices":
                    return scene.get("kind") == "talk"
                case "music":
                    return scene.get("kind") in ("wait", "hold") and sounds
                case "silence":
                    return not sounds
            version = leg["applied_version"] if leg is not None else 0
            said = " ".join(prompt["text"] for prompt in scene.get("prompts", ()))
            if what in said and sounds and version not in self._seen:
                self._seen.add(version)
                return True
            return False

        await self.line.stage.until(is_so, f"{self.name} hears {what!r}")

    async def press(self, key: str) -> None:
        async def listens() -> bool:
            leg = await self._leg()
            return leg is not None and (leg["applied_scene"] or {}).get("kind") in ("menu", "wait", "voicemail")

        await self.line.stage.until(listens, f"the line listens to {self.name}")
        await self.customer.send(type="key", key=key)

    async def say(self, words: str) -> None:
        """After the tone: once that has been heard, and the prompt before it."""

        async def listens() -> bool:
            leg = await self._leg()
            return leg is not None and (leg["applied_scene"] or {}).get("kind") == "voicemail"

        await self.line.stage.until(listens, "the line takes a message")
        # The prompt and the beep: then it is quiet.
        await self.line.stage.until(self._is_quiet, "the beep is over")
        self.line.speak(self.customer)
        await asyncio.sleep(_MESSAGE_S)
        self.line.be_silent(self.customer)

    async def _is_quiet(self) -> bool:
        heard = self.customer.heard[-RATE // 2 :]
        return len(self.customer.heard) > RATE and _loudness(heard) < _LOUD

    async def hang_up(self) -> None:
        await self.customer.send(type="hang_up")

    async def is_over(self) -> None:
        async def is_so() -> bool:
            return self.is_ended

        await self.line.stage.until(is_so, f"the line of {self.name} is dead")


class HubStageLine:
    channel_id = "line"
    dials = hears_words = detects_machines = has_telephones = False
    pace = 0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = AsyncExitStack()
        self._tones = iter(_TONES)
        self._voices: dict[str, Voice] = {}
        self._pages: list[Page] = []
        self._absent: set[str] = set()
        # How much each had heard when it was looked at last, and when that was another amount.
        self._heard: dict[int, tuple[int, float]] = {}

    async def set_up(self, stage: Stage) -> None:
        self.stage = stage
        plan = Plan(
            "127.0.0.1",
            0,
            key=Vault(SECRET_KEY).key("media"),
            data_dir=self._folder / "media",
            files_dir=self._folder / "files",
            addresses=Addresses(("127.0.0.1",)),
        )
        self.media = Media(plan)
        url = await self._stack.enter_async_context(served(self.media.app))
        # The hub was started before there was a media process for it.
        stage.house.hub.channels._media_url = url
        await stage.house.channel("chat", ChannelKind.CHAT)
        await stage.house.hub.database.transaction(
            lambda tx: channels.create_channel(
                tx,
                stage.house.hub.vault,
                channel_id=self.channel_id,
                kind=ChannelKind.PHONE,
                provider="hub",
                name="Hub line",
                queue_id=stage.house.queue_id,
                settings={"chat_channel_id": "chat"},
                secrets={},
            )
        )
        await self._stack.enter_async_context(self.media.running())

    async def tear_down(self) -> None:
        for page in self._pages:
            page._reader.cancel()
        for voice in (*self._voices.values(), *(page.customer for page in self._pages)):
            await voice.close()
        await self._stack.aclose()

    # --- people

    async def call(self, number: str) -> Page:
        """Who calls from a page is known by the page's visit, not by a number."""
        house = self.stage.house
        cookie = await house.visit()
        socket = await self._stack.enter_async_context(house.connect("/chat/chat/call", cookie=cookie))
        customer = Customer(next(self._tones), socket=socket)
        await customer.calls()
        self.be_silent(customer)
        page = Page(self, customer)
        self._pages.append(page)
        return page

    async def rung(self, number: str, answers: str = "answers") -> Page:
        raise AssertionError("this line rings nobody")

    async def prepare_agent(self, agent: Agent) -> None:
        self._voices[agent.name] = Voice(next(self._tones))

    async def connect_agent(self, agent: Agent, call: Json) -> None:
        if agent.name in self._absent:
            return
        voice = self._voices[agent.name]
        answer = await agent.request("POST", f"/calls/{call['id']}/line", {"sdp": await voice.offer()})
        await voice.answered(answer["sdp"])

    async def agent_picks_up_never(self, agent: Agent) -> None:
        self._absent.add(agent.name)

    async def agent_hangs_up(self, agent: Agent) -> None:
        connection = self._voices[agent.name].connection
        assert connection is not None
        await connection.close()

    # --- sounds

    def speak(self, voice: Voice) -> None:
        assert voice.tone is not None
        voice.tone.hertz = voice.hertz

    def be_silent(self, voice: Voice) -> None:
        assert voice.tone is not None
        voice.tone.hertz = 0

    def loudness(self, voice: Voice) -> float:
        return _loudness(voice.heard[-RATE // 5 :])

    async def hears_whom(self, who: Caller | Agent) -> frozenset[str]:
        """Everybody speaks, and what reaches this end is measured."""
        for page in self._pages:
            self.speak(page.customer)
        mine = self._voices[who.name] if isinstance(who, Agent) else who.customer  # type: ignore[attr-defined]
        if self._is_cut_off(mine):
            return frozenset()
        others: list[tuple[str, Voice]] = [(page.name, page.customer) for page in self._pages]
        others += list(self._voices.items())
        heard = {name for name, voice in others if voice is not mine and mine.strength(voice.hertz) > THERE}
        unclear = [name for name, voice in others if voice is not mine and ABSENT < mine.strength(voice.hertz) < THERE]
        return frozenset(heard) if not unclear else frozenset({"?"})

    def _is_cut_off(self, voice: Voice) -> bool:
        """Nothing comes any more: what was heard last is no longer heard."""
        now, amount = time.monotonic(), len(voice.heard)
        before, since = self._heard.get(id(voice), (-1, now))
        self._heard[id(voice)] = (amount, now if amount != before else since)
        return amount == before and now - since > _CUT_OFF_S

    # --- what is

    async def forward(self, seconds: float) -> None:
        """The media process lives in real time; the hub's deadlines alone come nearer."""

    async def step(self) -> None:
        await asyncio.sleep(0.02)

    async def live_legs(self) -> int:
        return len(self.media.exchange.parties)

    async def complaints(self) -> Sequence[str]:
        return []


def _loudness(samples: array[int]) -> float:
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) if samples else 0.0
