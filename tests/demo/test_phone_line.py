"""The Twilio line on the demo carrier, over real HTTP: what its documents and REST calls do to telephones. The hub behind it
is a table of scenes; what the hub itself decides is tested in tests/calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.channels.channel import ChannelAccount, WebhookRequest
from hub.channels.phone import TwilioLine
from hub.channels.voice import (
    CallArrived,
    Chosen,
    Hold,
    LegChanged,
    LegOrder,
    Menu,
    Over,
    Prompt,
    RecordingReady,
    Ringback,
    Say,
    Scene,
    SceneEnded,
    Talk,
    VoiceEvent,
    Voicemail,
    VoicemailLeft,
    Wait,
)
from hub.demo.carrier import Carrier, NumberConfig
from hub.demo.carrier_calls import Call, Reaction, hears
from hub.demo.carrier_time import DrivenTime
from hub.domain.calls import LegEnd, Party, Presence, Recording
from hub.domain.states import LegState
from hub.domain.values import ChannelKind
from hub.errors import Unavailable
from hub.web import line_sounds
from tests.demo.conftest import Serving
from tests.demo.line import ACCOUNT_SID, ANNA, AUTH_TOKEN, DESK, NUMBER, Line
from tests.demo.voice_hub import VoiceHub

pytestmark = pytest.mark.anyio

ROOM = "room-of-this-call"
PARTIES = {"customer": Party.CUSTOMER, "agent": Party.AGENT, "boss": Party.SUPERVISOR}
E = TypeVar("E", bound=VoiceEvent)


def say(text: str) -> tuple[Prompt, ...]:
    return (Prompt(text, "en"),)


@dataclass
class Switchboard:
    """A hub that does as it is told: one scene for each leg, whatever happens."""

    line: TwilioLine
    scenes: dict[str, Scene] = field(default_factory=dict)
    applied: dict[str, Scene] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    sids: dict[str, str] = field(default_factory=dict)
    events: dict[str, VoiceEvent] = field(default_factory=dict)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def order(self, token: str, **more: object) -> LegOrder:
        others = {number: self.sids.get(name, "") for number, name in enumerate(PARTIES) if name != token}
        return LegOrder(
            leg_id=list(PARTIES).index(token),
            token=token,
            call_id=1,
            room=ROOM,
            party=PARTIES[token],
            scene=self.scenes[token],
            scene_version=self.versions[token],
            provider_leg_id=self.sids.get(token),
            peers={number: sid for number, sid in others.items() if sid},
            **more,  # type: ignore[arg-type]
        )

    def set(self, token: str, scene: Scene) -> None:
        self.scenes[token] = scene
        self.versions[token] = self.versions.get(token, 0) + 1

    async def move(self, token: str, scene: Scene) -> None:
        """Another scene, told to the carrier."""
        self.set(token, scene)
        await self.line.apply(self.order(token), self.applied.get(token))
        self.applied[token] = scene

    async def receive(self, request: Request) -> Response:
        query = request.url.query
        webhook = WebhookRequest(
            request.path_params["kind"],
            self.line.account.public_url + request.url.path + (f"?{query}" if query else ""),
            {name.lower(): value for name, value in request.headers.items()},
            await request.body(),
            datetime.now(UTC),
        )
        self.line.verify(webhook)
        for event in self.line.parse(webhook):
            self.events.setdefault(event.provider_id, event)
        order = None
        asked = self.line.asked_leg(webhook)
        if asked is not None and asked.provider_leg_id is not None:
            token = asked.token or "customer"
            self.sids[token] = asked.provider_leg_id
            self.applied[token] = self.scenes[token]
            order = self.order(token)
        arrived, self.more = self.more, asyncio.Event()
        arrived.set()
        answer = self.line.answer(webhook, order)
        return Response(answer.body, answer.status, media_type=answer.media_type)

    async def told(self, kind: type[E], fits: Callable[[E], bool] = lambda _: True) -> E:
        """The first event of this kind that fits, as soon as it is told."""
        async with asyncio.timeout(10):
            while True:
                more = self.more
                for event in self.events.values():
                    if isinstance(event, kind) and fits(event):
                        return event
                await more.wait()


@dataclass(frozen=True)
class Exchange:
    phones: Line
    board: Switchboard

    async def calls_in(self, scene: Scene) -> Call:
        """Anna calls and hears this."""
        self.board.set("customer", scene)
        call = self.phones.call()
        self.board.sids["customer"] = call.sid
        return call

    async def answers(self, token: str, address: str, scene: Scene) -> Call:
        """The hub calls this telephone for a leg, and it is answered."""
        self.phones.voice.set_reaction(address, Reaction("answer", 1.0))
        self.board.set(token, scene)
        dialled = await self.board.line.dial(self.board.order(token, address=address))
        call = self.phones.voice.calls[dialled.provider_leg_id]
        await self.phones.pass_until(lambda: call.status == "in-progress")
        return call

    async def talk(self) -> tuple[Call, Call]:
        """Anna, who waited, and an agent at a desk talk with each other."""
        anna = await self.calls_in(Wait(say("Please wait.")))
        await self.phones.hears(anna, "Please wait.")
        desk = await self.answers("agent", DESK, Talk())
        await self.phones.until(lambda: desk.participant is not None)
        await self.board.move("customer", Talk())
        await self.phones.until(lambda: hears(anna) == {desk.sid} and hears(desk) == {anna.sid})
        return anna, desk


@pytest.fixture
async def exchange(serving: Serving) -> AsyncIterator[Exchange]:
    time = DrivenTime()
    board: Switchboard

    async def webhook(request: Request) -> Response:
        return await board.receive(request)

    hub = Starlette(routes=[Route("/webhooks/phone-demo/{kind}", webhook, methods=["POST"]), *line_sounds.routes()])
    async with serving(hub) as hub_url:
        webhooks = f"{hub_url}/webhooks/phone-demo"
        number = NumberConfig(voice_url=f"{webhooks}/voice", voice_status_callback=f"{webhooks}/status")
        carrier = Carrier(account_sid=ACCOUNT_SID, auth_token=AUTH_TOKEN, numbers={NUMBER: number}, speed=50, time=time)
        async with serving(carrier.app) as carrier_url:
            carrier.base_url = carrier_url
            settings = {"account_sid": ACCOUNT_SID, "number": NUMBER, "api_base": carrier_url}
            account = ChannelAccount("phone-demo", ChannelKind.PHONE, settings, {"auth_token": AUTH_TOKEN}, hub_url)
            board = Switchboard(TwilioLine(account))
            await carrier.start()
            try:
                yield Exchange(Line(carrier, VoiceHub(), time), board)
            finally:
                await board.line.aclose()
                await carrier.stop()


# --- what a caller hears ------------------------------------------------------------------------------------------------


async def test_a_caller_is_greeted_and_chooses(exchange: Exchange) -> None:
    anna = await exchange.calls_in(Say(say("Welcome.")))
    arrived = await exchange.board.told(CallArrived)
    assert (arrived.caller, arrived.line, arrived.leg.provider_leg_id) == (ANNA, NUMBER, anna.sid)
    await exchange.phones.hears(anna, "Welcome.")
    await exchange.phones.next(anna)
    await exchange.board.told(SceneEnded)
    # The hub thinks for a while, and decides.
    await exchange.phones.hears(anna, "silence")
    exchange.board.set("customer", Menu(say("One for sales."), ("1", "2"), 5, {"1": ("sales",)}))
    await exchange.phones.pass_until(lambda: anna.hearing is not None and anna.hearing.text == "One for sales.")
    await exchange.phones.say(anna, "sales please")
    chosen = await exchange.board.told(Chosen)
    assert (chosen.key, chosen.scene_version) == ("1", 2)


async def test_one_who_presses_nothing_is_asked_again(exchange: Exchange) -> None:
    anna = await exchange.calls_in(Menu(say("One or two?"), ("1", "2"), 5))
    await exchange.phones.hears(anna, "One or two?")
    await exchange.phones.next(anna)
    await exchange.phones.pass_until(lambda: any(isinstance(event, Chosen) for event in exchange.board.events.values()))
    assert (await exchange.board.told(Chosen)).key is None
    await exchange.phones.hears(anna, "One or two?")


async def test_one_who_waits_hears_music_and_may_press_a_key(exchange: Exchange) -> None:
    anna = await exchange.calls_in(Wait(say("You are next."), 30, ("1",)))
    await exchange.phones.hears(anna, "You are next.")
    await exchange.phones.next(anna)
    await exchange.phones.hears(anna, "music")
    await exchange.phones.press(anna, "1")
    assert (await exchange.board.told(Chosen)).key == "1"
    await exchange.phones.hears(anna, "music")


async def test_a_lost_redirect_is_made_up_for_with_the_next_piece_of_music(exchange: Exchange) -> None:
    anna = await exchange.calls_in(Wait(say("Please wait.")))
    await exchange.phones.hears(anna, "Please wait.")
    # Nobody tells the carrier.
    exchange.board.set("customer", Say(say("We are closed now."), then_hang_up=True))
    await exchange.phones.pass_until(
        lambda: anna.is_over or (anna.hearing is not None and anna.hearing.text == "We are closed now.")
    )
    await exchange.phones.next(anna)
    await exchange.phones.ends(anna)


async def test_a_message_is_left(exchange: Exchange) -> None:
    anna = await exchange.calls_in(Voicemail(say("Speak after the tone.")))
    await exchange.phones.hears(anna, "Speak after the tone.")
    await exchange.phones.next(anna)
    await exchange.phones.hears(anna, "tone")
    await exchange.phones.pass_until(lambda: "dtmf" in anna.listens_for)
    exchange.phones.voice.speak(anna, "Please call me back about my order")
    await exchange.phones.time.forward(5)
    exchange.phones.voice.press(anna, "#")
    left = await exchange.board.told(VoicemailLeft)
    assert left.recording is not None
    assert left.duration_s > 0
    # Not at once: Twilio works on it for a while.
    with pytest.raises(Unavailable):
        await exchange.board.line.fetch_recording(left.recording)
    await exchange.phones.time.forward(10)
    fetched = await exchange.board.line.fetch_recording(left.recording)
    assert fetched.content.startswith(b"RIFF")
    await exchange.board.line.delete_recording(left.recording)


async def test_a_call_is_refused_before_it_is_answered(exchange: Exchange) -> None:
    anna = await exchange.calls_in(Over(is_busy=True))
    await exchange.phones.ends(anna, "busy")


# --- talks --------------------------------------------------------------------------------------------------------------


async def test_two_talk_and_one_hangs_up(exchange: Exchange) -> None:
    anna, desk = await exchange.talk()
    exchange.phones.voice.put_down(anna)
    gone = await exchange.board.told(LegChanged, lambda event: event.state is LegState.ENDED)
    assert (gone.leg.provider_leg_id, gone.end) == (anna.sid, LegEnd.HUNG_UP)
    await exchange.board.move("agent", Over())
    await exchange.phones.ends(desk)


async def test_one_is_held_and_fetched_back(exchange: Exchange) -> None:
    anna, desk = await exchange.talk()
    await exchange.board.move("customer", Hold(say("One moment.")))
    await exchange.phones.hears(anna, "One moment.")
    assert hears(anna) == hears(desk) == frozenset()
    await exchange.phones.next(anna)
    await exchange.phones.hears(anna, "music")
    await exchange.board.move("customer", Talk())
    await exchange.phones.until(lambda: hears(anna) == {desk.sid} and hears(desk) == {anna.sid})


async def test_one_who_was_passed_on_waits_again(exchange: Exchange) -> None:
    anna, desk = await exchange.talk()
    await exchange.board.move("customer", Wait(say("Please wait again.")))
    await exchange.board.move("agent", Over())
    await exchange.phones.hears(anna, "Please wait again.")
    await exchange.phones.ends(desk)
    assert not anna.is_over


async def test_a_muted_agent_is_not_heard(exchange: Exchange) -> None:
    anna, desk = await exchange.talk()
    await exchange.board.move("agent", Talk(muted=True))
    await exchange.phones.until(lambda: hears(anna) == frozenset())
    assert hears(desk) == {anna.sid}
    await exchange.board.move("agent", Talk())
    await exchange.phones.until(lambda: hears(anna) == {desk.sid})


async def test_a_supervisor_listens_whispers_and_takes_part(exchange: Exchange) -> None:
    anna, desk = await exchange.talk()
    boss = await exchange.answers("boss", "+15005551002", Talk(Presence.LISTEN, muted=True))
    await exchange.phones.until(lambda: hears(boss) == {anna.sid, desk.sid})
    assert boss.sid not in hears(anna) | hears(desk)
    agent_leg = list(PARTIES).index("agent")
    await exchange.board.move("boss", Talk(Presence.WHISPER, coached_leg_id=agent_leg))
    await exchange.phones.until(lambda: boss.sid in hears(desk))
    assert boss.sid not in hears(anna)
    await exchange.board.move("boss", Talk())
    await exchange.phones.until(lambda: boss.sid in hears(desk) and boss.sid in hears(anna))
    await exchange.board.move("boss", Talk(Presence.LISTEN, muted=True))
    await exchange.phones.until(lambda: boss.sid not in hears(desk) | hears(anna))


async def test_a_supervisor_may_whisper_from_the_first_word(exchange: Exchange) -> None:
    anna, desk = await exchange.talk()
    agent_leg = list(PARTIES).index("agent")
    boss = await exchange.answers("boss", "+15005551002", Talk(Presence.WHISPER, coached_leg_id=agent_leg))
    await exchange.phones.until(lambda: boss.sid in hears(desk))
    assert boss.sid not in hears(anna)


async def test_an_agent_hears_it_ring_until_the_customer_answers(exchange: Exchange) -> None:
    desk = await exchange.answers("agent", DESK, Ringback())
    await exchange.phones.hears(desk, "sound")
    anna = await exchange.answers("customer", ANNA, Talk())
    await exchange.board.move("agent", Talk())
    await exchange.phones.until(lambda: hears(anna) == {desk.sid} and hears(desk) == {anna.sid})


@pytest.mark.parametrize(
    ("reaction", "end"),
    [("busy", LegEnd.BUSY), ("decline", LegEnd.BUSY), ("ring", LegEnd.NO_ANSWER)],
)
async def test_whom_we_do_not_reach(exchange: Exchange, reaction: str, end: LegEnd) -> None:
    exchange.phones.voice.set_reaction(ANNA, Reaction(reaction, 1.0))  # type: ignore[arg-type]
    exchange.board.set("customer", Talk())
    await exchange.board.line.dial(exchange.board.order("customer", address=ANNA))
    await exchange.phones.pass_until(
        lambda: any(isinstance(each, LegChanged) and each.end is not None for each in exchange.board.events.values())
    )
    gone = await exchange.board.told(LegChanged, lambda event: event.state is LegState.ENDED)
    assert gone.end is end
    assert gone.leg.token == "customer"


async def test_a_call_whose_answer_was_lost_is_found(exchange: Exchange) -> None:
    exchange.phones.voice.set_reaction(ANNA, Reaction("answer", 20.0))
    exchange.board.set("customer", Talk())
    order = exchange.board.order("customer", address=ANNA)
    dialled = await exchange.board.line.dial(order)
    found = await exchange.board.line.find_leg(order)
    assert found is not None
    assert found.provider_leg_id == dialled.provider_leg_id
    await exchange.board.line.hang_up(order)
    await exchange.phones.until(lambda: exchange.phones.voice.calls[dialled.provider_leg_id].is_over)
    assert await exchange.board.line.find_leg(order) is None


async def test_a_talk_is_recorded_with_a_pause(exchange: Exchange) -> None:
    anna, _ = await exchange.talk()
    record = exchange.board.line.record
    for wanted in (Recording.ON, Recording.ON, Recording.PAUSED, Recording.ON, Recording.OFF):
        await record(exchange.board.order("agent"), wanted)
        await exchange.phones.time.forward(3)
    ready = await exchange.board.told(RecordingReady)
    assert (ready.room, ready.recording.channels, ready.failed) == (ROOM, 2, False)
    fetched = await exchange.board.line.fetch_recording(ready.recording)
    assert fetched.content.startswith(b"RIFF")
    exchange.phones.voice.put_down(anna)
