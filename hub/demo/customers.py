"""Robot customers: light traffic, so that a board that nobody touches is alive.

They text through the carrier, as a handset does, and write mails through the post office, from numbers and boxes of
their own (people.CALLERS): what a person plays on /demo is never used. Each goes through one of the dialogues of their
language: a line, then the next a while after the answer, sometimes a word of thanks at the end. Nobody answers? They give
up after a few minutes, as people do.

`Robots` holds customers and agents (robot_agents.py) together and can be paused while the demo runs.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from typing import Any

from hub.demo.carrier import Carrier, Message
from hub.demo.carrier_calls import Call, Reaction, hears
from hub.demo.people import CALLERS, Caller, Dialogue, dialogues_of
from hub.demo.post_office import Letter, PostOffice
from hub.demo.robot_agents import RobotAgent
from hub.errors import HubError

# About three new dialogues a minute, two or three texts each: six to ten texts a minute in all.
NEW_DIALOGUE_EVERY_S = 20.0
AT_ONCE = 6
READS_AND_TYPES_S = (5.0, 14.0)
WAITS_FOR_AN_ANSWER_S = 240.0
SAYS_THANKS = 0.7
# Of the dialogues so many are mails; the rest are texts.
BY_MAIL = 0.25
# … and so many are calls.
BY_PHONE = 0.15
PICKS_UP_AFTER_S = 4.0
WAITS_ON_THE_LINE_S = (45.0, 150.0)
TALKS_S = (12.0, 50.0)
# How often a telephone is looked at: whether somebody talks, or a menu listens.
LISTENS_EVERY_S = 0.5


class Robots:
    """All robots of a demo. Give `run()` a task of its own; set `running` to pause and resume.

    `number` and `mail_address` are where the hub is texted and written to, `hub_url` is its root
    ("http://127.0.0.1:8080"), `agents` the e-mail addresses robots sign in with.
    """

    def __init__(
        self,
        *,
        carrier: Carrier,
        number: str,
        post_office: PostOffice,
        mail_address: str,
        hub_url: str,
        password: str,
        agents: Sequence[str] = ("agent2@demo.test", "agent3@demo.test", "agent4@demo.test"),
        speed: float = 1.0,
    ) -> None:
        self._carrier = carrier
        self._number = number
        self._post_office = post_office
        self._mail_address = mail_address
        self._speed = speed
        self._go = asyncio.Event()
        self._go.set()
        self._agents = [RobotAgent(hub_url, email, password, speed=speed) for email in agents]
        self._busy: set[str] = set()
        for caller in CALLERS:
            carrier.voice.set_reaction(caller.phone, Reaction("answer", PICKS_UP_AFTER_S))

    @property
    def running(self) -> bool:
        return self._go.is_set()

    @running.setter
    def running(self, running: bool) -> None:
        if running:
            self._go.set()
        else:
            self._go.clear()
        for agent in self._agents:
            agent.working = running

    async def run(self) -> None:
        """Until cancelled. A hub that does not answer is waited for; a mistake of ours ends it loudly."""
        async with asyncio.TaskGroup() as group:
            for agent in self._agents:
                group.create_task(agent.run(), name=f"robot {agent.email}")
            group.create_task(self._keep_writing(group), name="robot customers")
            group.create_task(self._keep_answering(group), name="robot telephones")

    async def _keep_writing(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._sleep(random.expovariate(1 / NEW_DIALOGUE_EVERY_S))
            await self._go.wait()
            free = [caller for caller in CALLERS if caller.phone not in self._busy]
            if not free or len(self._busy) >= AT_ONCE:
                continue
            caller = random.choice(free)
            self._busy.add(caller.phone)
            chance = random.random()
            job: Coroutine[Any, Any, None]
            if chance < BY_PHONE:
                job = self.call(caller)
            else:
                talk = self.correspond if chance < BY_PHONE + BY_MAIL else self._text
                job = talk(caller, random.choice(dialogues_of(caller.language)))
            group.create_task(job, name=f"robot {caller.phone}")

    async def _text(self, caller: Caller, dialogue: Dialogue) -> None:
        try:
            for line in _said(dialogue):
                await self._go.wait()
                sent = self._carrier.text(caller.phone, self._number, line)
                if not await self._hears_back(sent):
                    return
                await self._sleep(random.uniform(*READS_AND_TYPES_S))
        finally:
            self._busy.discard(caller.phone)

    async def call(self, caller: Caller) -> None:
        """Calls the hub: a key for every menu, patience for a while, a talk, and the receiver down."""
        voice = self._carrier.voice
        try:
            call = voice.call(caller.phone, self._number, name=caller.name)
            patience = asyncio.get_running_loop().time() + random.uniform(*WAITS_ON_THE_LINE_S) / self._speed
            while not call.is_over and not hears(call) and asyncio.get_running_loop().time() < patience:
                await self._sleep(LISTENS_EVERY_S)
                # Who waits with music is offered a callback by a key, too: most people would rather wait.
                in_menu = "dtmf" in call.listens_for and call.member is None
                if in_menu and random.random() < 0.2:
                    voice.press(call, random.choice("12"))
            if not call.is_over and hears(call):
                await self._sleep(random.uniform(*TALKS_S))
            voice.put_down(call)
        except HubError:
            pass  # the number cannot be called just now, or somebody has this telephone in hand
        finally:
            self._busy.discard(caller.phone)

    async def _keep_answering(self, group: asyncio.TaskGroup) -> None:
        """Whoever is called and talks to somebody hangs up after a while."""
        voice, phones = self._carrier.voice, {caller.phone for caller in CALLERS}
        ending: set[str] = set()
        while True:
            changed = voice.changed
            for call in [*voice.calls.values()]:
                if call.phone in phones and call.direction != "inbound" and hears(call) and call.sid not in ending:
                    ending.add(call.sid)
                    group.create_task(self._end(call), name=f"robot {call.phone}")
            await changed.wait()
            await asyncio.sleep(0.2)

    async def _end(self, call: Call) -> None:
        await self._sleep(random.uniform(*TALKS_S))
        self._carrier.voice.put_down(call)

    async def correspond(self, caller: Caller, dialogue: Dialogue) -> None:
        """The dialogue as mails: each but the first answers the hub's last."""
        try:
            answered: Letter | None = None
            for line in _said(dialogue):
                await self._go.wait()
                sent = self._post_office.write(
                    caller.email,
                    to=self._post_office.read(answered).reply_to[1] if answered else self._mail_address,
                    subject=f"Re: {dialogue.subject}" if answered else dialogue.subject,
                    text=f"{line}\n\n{caller.name}",
                    answers=answered.id if answered else None,
                )
                answered = await self._gets_answer(sent)
                if answered is None:
                    return
                self._post_office.mark_read(answered)
                await self._sleep(random.uniform(*READS_AND_TYPES_S))
        finally:
            self._busy.discard(caller.phone)

    async def _gets_answer(self, sent: Letter) -> Letter | None:
        """The mail by which somebody, no machine, has answered in time."""
        office = self._post_office
        try:
            async with asyncio.timeout(WAITS_FOR_AN_ANSWER_S / self._speed):
                while True:
                    changed = office.changed
                    for letter in reversed(office.box(sent.owner)):
                        if letter.folder == "inbox" and letter.at > sent.at and not letter.is_automatic:
                            return letter
                    await changed.wait()
        except TimeoutError:
            return None

    async def _hears_back(self, sent: Message) -> bool:
        """Whether an answer to the text reached the phone in time."""
        try:
            async with asyncio.timeout(WAITS_FOR_AN_ANSWER_S / self._speed):
                while True:
                    changed = self._carrier.changed
                    thread = self._carrier.conversation(sent.phone, sent.number)
                    if any(
                        m.direction == "outbound-api"
                        and m.sent_at is not None
                        and m.status == "delivered"
                        and m.created_at > sent.created_at
                        for m in reversed(thread)
                    ):
                        return True
                    await changed.wait()
        except TimeoutError:
            return False

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


def _said(dialogue: Dialogue) -> Sequence[str]:
    """The lines of a dialogue; not everybody says thanks at the end."""
    has_thanks = len(dialogue.lines) <= 2 or random.random() <= SAYS_THANKS
    return dialogue.lines if has_thanks else dialogue.lines[:-1]
