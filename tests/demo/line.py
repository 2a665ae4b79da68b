"""The demo carrier with calls, a hub that answers by script, and a clock that tests drive: what tests say of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped, unused-ignore]
from twilio.http.response import Response as TwilioResponse  # type: ignore[import-untyped, unused-ignore]
from twilio.rest import Client  # type: ignore[import-untyped, unused-ignore]

from hub.demo.carrier import Carrier
from hub.demo.carrier_calls import Call, Reaction
from hub.demo.carrier_time import DrivenTime
from hub.demo.carrier_voice import Voice
from tests.demo.conftest import PATIENCE_S, Serving
from tests.demo.voice_hub import VoiceHub

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "demo-token"
NUMBER = "+15005550006"
ANNA, DESK, NINO = "+37491234567", "+15005551001", "+995555123456"

T = TypeVar("T")


class Line:
    """The carrier, the scripted hub and the clock, with what tests say of them."""

    def __init__(self, carrier: Carrier, hub: VoiceHub, time: DrivenTime) -> None:
        self.carrier, self.hub, self.time = carrier, hub, time

    @property
    def voice(self) -> Voice:
        return self.carrier.voice

    def call(self, phone: str = ANNA, document: str | None = None) -> Call:
        if document is not None:
            self.hub.documents["voice"] = document
        return self.voice.call(phone, NUMBER)

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.voice.until(condition)

    async def hears(self, call: Call, text: str) -> None:
        """Until this is being said, or "music", "talk", "tone" heard."""
        await self.until(
            lambda: call.hearing is not None and (call.hearing.kind == text or text in (call.hearing.text or "\0"))
        )

    async def next(self, call: Call) -> None:
        """What is heard now is over."""
        heard = call.hearing
        assert heard is not None
        self.voice.hear_out(call)
        await self.until(lambda: call.hearing is not heard)

    async def press(self, call: Call, keys: str) -> None:
        await self.until(lambda: "dtmf" in call.listens_for)
        self.voice.press(call, keys)

    async def say(self, call: Call, words: str) -> None:
        await self.until(lambda: "speech" in call.listens_for)
        self.voice.speak(call, words)

    async def ends(self, call: Call, status: str = "completed") -> None:
        await self.until(lambda: call.is_over)
        assert call.status == status

    async def pass_until(self, condition: Callable[[], bool], step_s: float = 0.5) -> None:
        """Lets time pass, a little at a time, until it holds."""
        for _ in range(400):
            if condition():
                return
            await self.time.forward(step_s)
            await anyio.sleep(0.002)
        raise AssertionError("never")

    async def rest(self, work: Callable[[Client], T]) -> T:
        client = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=PointedAt(self.carrier.base_url))
        return await anyio.to_thread.run_sync(lambda: work(client))

    async def dial(self, to: str = ANNA, document: str = "<Pause length='60'/>", **fields: Any) -> Call:
        arguments = {"to": to, "from_": NUMBER, "twiml": f"<Response>{document}</Response>", **fields}
        made = await self.rest(lambda client: client.calls.create(**arguments))
        return self.voice.calls[made.sid]

    async def answered(self, to: str = ANNA, document: str = "<Pause length='60'/>", **fields: Any) -> Call:
        self.voice.set_reaction(to, Reaction("answer", 1.0))
        call = await self.dial(to, document, **fields)
        await self.pass_until(lambda: call.status == "in-progress")
        return call


class PointedAt(TwilioHttpClient):  # type: ignore[misc, unused-ignore]
    def __init__(self, base_url: str) -> None:
        super().__init__(timeout=PATIENCE_S)
        self._base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> TwilioResponse:
        return super().request(method, url.replace("https://api.twilio.com", self._base_url), *args, **kwargs)


@asynccontextmanager
async def open_line(serving: Serving) -> AsyncIterator[Line]:
    hub, time = VoiceHub(), DrivenTime()
    async with serving(hub.app) as hub_url:
        hub.url = hub_url
        carrier = Carrier(
            account_sid=ACCOUNT_SID,
            auth_token=AUTH_TOKEN,
            numbers={NUMBER: {"voice_url": f"{hub_url}/voice", "voice_status_callback": f"{hub_url}/status"}},
            speed=50,
            time=time,
        )
        async with serving(carrier.app) as url:
            carrier.base_url = url
            await carrier.start()
            try:
                yield Line(carrier, hub, time)
            finally:
                await carrier.stop()
