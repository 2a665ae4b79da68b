"""Robot agents: colleagues of the demo who work through the hub's public API and console socket, as a console would.

    sign in → snapshot → /live → available
    an offer rings      → accept it after a few seconds
    a customer waits    → show "typing", answer from the script (or politely, if the words are unknown), resolve at the end
    a customer calls    → accept; the telephone on the desk picks up by itself, and the customer hangs up at some time
    … is to be called   → call; a message left after the tone is listened to and resolved

A robot that loses the hub signs in again after a pause. Paused robots go away ("robots paused") and touch nothing, so that
every offer rings at the people who are there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import aiohttp

from hub.demo.people import find_reply

log = logging.getLogger(__name__)

ACCEPTS_AFTER_S = (2.0, 6.0)
ANSWERS_AFTER_S = (4.0, 11.0)
RESOLVES_AFTER_S = (3.0, 9.0)
WRITES_UP_AFTER_S = (4.0, 15.0)
CALLS_AFTER_S = (3.0, 8.0)
# The lines whose calls come to a telephone on the desk; robots have no browser to talk in.
LINES = frozenset({"phone-demo"})
# A customer who does not come back within this has been helped.
IDLE_RESOLVES_AFTER_S = 90.0
# /live ticks every 10 s; nothing for 25 s is a dead line (API.md).
DEAD_AFTER_S = 25.0
PAUSE_FIRST_S, PAUSE_MAX_S = 1.0, 15.0
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=15)
FRAME_LIMIT_BYTES = 32 * 1024 * 1024

Json = dict[str, Any]


class _Lost(Exception):
    """The hub does not answer as it should just now: start over."""


@dataclass(slots=True)
class _Desk:
    """What the robot has in front of it during one sign-in."""

    http: aiohttp.ClientSession
    csrf_token: str
    user_id: int
    group: asyncio.TaskGroup


class RobotAgent:
    """One robot. `working` pauses and resumes it; `speed` divides its waiting times."""

    def __init__(self, hub_url: str, email: str, password: str, *, speed: float = 1.0) -> None:
        self.email = email
        self._hub_url = hub_url.rstrip("/")
        self._password = password
        self._speed = speed
        self._working = asyncio.Event()
        self._working.set()
        self._switched = asyncio.Event()
        self._conversations: dict[int, Json] = {}
        self._last_text: dict[int, str] = {}
        # conversation → the `unanswered_since` this robot has answered, until the hub says so itself
        self._answered: dict[int, str] = {}
        self._in_hand: set[tuple[str, int]] = set()

    @property
    def working(self) -> bool:
        return self._working.is_set()

    @working.setter
    def working(self, working: bool) -> None:
        if working:
            self._working.set()
        else:
            self._working.clear()
        self._switched.set()

    async def run(self) -> None:
        """Works until cancelled."""
        pause_s = PAUSE_FIRST_S
        while True:
            try:
                await self._shift()
                pause_s = PAUSE_FIRST_S
            except* (_Lost, aiohttp.ClientError, TimeoutError, OSError) as lost:
                log.debug("robot %s lost the hub: %r", self.email, lost.exceptions)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5) / self._speed)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def _shift(self) -> None:
        """From one sign-in to the loss of the line."""
        jar = aiohttp.CookieJar(unsafe=True)  # the demo's host is an IP address, for which jars keep nothing by default
        async with (
            aiohttp.ClientSession(cookie_jar=jar, timeout=REQUEST_TIMEOUT) as http,
            asyncio.TaskGroup() as group,
        ):
            async with http.post(
                f"{self._hub_url}/api/v1/session", json={"email": self.email, "password": self._password}
            ) as answer:
                session = await _read(answer)
            desk = _Desk(http, session["csrf_token"], session["user"]["id"], group)
            snapshot = await self._call(desk, "GET", "/snapshot")
            self._conversations.clear()
            self._answered.clear()
            self._in_hand.clear()
            for conversation in snapshot["conversations"]:
                self._see_conversation(desk, conversation)
            for offer in snapshot["offers"]:
                self._see_offer(desk, offer)
            for call in snapshot["calls"]:
                self._see_call(desk, call)
            await self._listen(desk, snapshot["token"])

    async def _listen(self, desk: _Desk, token: str) -> None:
        """Reads /live until it ends; raises _Lost then."""
        url = self._hub_url.replace("http", "ws", 1) + "/live"
        async with desk.http.ws_connect(
            url, params={"since": token}, headers={"Origin": self._hub_url}, max_msg_size=FRAME_LIMIT_BYTES
        ) as live:
            # Only now: the hub takes an agent without a socket for gone.
            await self._set_state(desk)
            desk.group.create_task(self._follow_switch(desk))
            while True:
                message = await live.receive(timeout=DEAD_AFTER_S)
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise _Lost(f"the line was closed: {message.data}")
                frame = json.loads(message.data)
                if "resync" in frame:
                    raise _Lost("resync")
                for event in frame.get("events", ()):
                    self._see(desk, event)

    # --- what it sees ------------------------------------------------------------------------------------------------

    def _see(self, desk: _Desk, event: Json) -> None:
        match event["kind"]:
            case "offer.made":
                self._see_offer(desk, event["offer"])
            case "entry.added":
                entry = event["entry"]
                if entry["direction"] == "in":
                    self._last_text[entry["conversation_id"]] = entry["text"]
                self._see_conversation(desk, event["conversation"])
            case "conversation.changed":
                self._see_conversation(desk, event["conversation"])
            case "call.changed":
                self._see_call(desk, event["call"])
            case "agent.changed":
                agent = event["agent"]
                if agent["user_id"] == desk.user_id and agent["state"] in ("offline", "not_responding"):
                    self._switched.set()  # the hub gave us up; say again that we are here

    def _see_offer(self, desk: _Desk, offer: Json) -> None:
        if offer["agent_id"] == desk.user_id and offer["ended_at"] is None and self.working:
            can_talk = offer["channel_kind"] != "phone" or offer["channel_id"] in LINES
            job = self._accept(desk, offer["id"]) if can_talk else self._decline(desk, offer["id"])
            self._take_on(desk, "offer", offer["id"], job)

    def _see_call(self, desk: _Desk, call: Json) -> None:
        if call["state"] == "wrap_up" and call["agent_id"] == desk.user_id:
            self._take_on(desk, "wrap_up", call["id"], self._write_up(desk, call["id"]))

    def _see_conversation(self, desk: _Desk, conversation: Json) -> None:
        held = self._conversations.get(conversation["id"])
        if held is not None and held["version"] > conversation["version"]:
            return
        if conversation["status"] == "resolved" or conversation["assignee_id"] != desk.user_id:
            self._conversations.pop(conversation["id"], None)
            return
        self._conversations[conversation["id"]] = conversation
        if conversation["channel_kind"] == "phone":
            if conversation["call_id"] is None:
                self._take_on(desk, "phone", conversation["id"], self._follow_up(desk, conversation["id"]))
            return
        if self._waits(conversation):
            self._take_on(desk, "answer", conversation["id"], self._answer(desk, conversation["id"]))

    def _take_on(self, desk: _Desk, what: str, which: int, job: Coroutine[Any, Any, None]) -> None:
        """Starts the job unless the very same is in hand."""
        if (what, which) in self._in_hand:
            job.close()
            return
        self._in_hand.add((what, which))

        async def work() -> None:
            try:
                await job
            finally:
                self._in_hand.discard((what, which))

        desk.group.create_task(work())

    # --- what it does ------------------------------------------------------------------------------------------------

    async def _accept(self, desk: _Desk, offer_id: int) -> None:
        await self._sleep(*ACCEPTS_AFTER_S)
        if self.working:
            await self._call(desk, "POST", f"/offers/{offer_id}/accept", allowed=(404, 409))

    async def _decline(self, desk: _Desk, offer_id: int) -> None:
        await self._call(desk, "POST", f"/offers/{offer_id}/decline", allowed=(404, 409))

    async def _write_up(self, desk: _Desk, call_id: int) -> None:
        await self._sleep(*WRITES_UP_AFTER_S)
        await self._call(desk, "POST", f"/calls/{call_id}/wrap_up", {"done": True}, allowed=(403, 404, 409, 422))

    async def _follow_up(self, desk: _Desk, conversation_id: int) -> None:
        """Nobody is on the line: calls whoever wants to be called, listens to a message and is done with it."""
        await self._sleep(*CALLS_AFTER_S)
        await self._working.wait()
        conversation = self._conversations.get(conversation_id)
        if conversation is None or conversation["call_id"] is not None:
            return
        if conversation["callback"] is not None:
            await self._call(desk, "POST", "/calls", {"conversation_id": conversation_id}, allowed=(403, 404, 409, 422))
        else:
            await self._sleep(*RESOLVES_AFTER_S)
            await self._resolve(desk, conversation_id)

    async def _answer(self, desk: _Desk, conversation_id: int) -> None:
        """Answers for as long as the customer waits, then resolves."""
        while True:
            await self._working.wait()
            conversation = self._conversations.get(conversation_id)
            if conversation is None:
                return
            if not self._waits(conversation):
                if not await self._writes_again(conversation_id):
                    await self._resolve(desk, conversation_id)
                    return
                continue
            asked = self._last_text.get(conversation_id) or conversation["preview"]
            reply = find_reply(asked)
            await self._sleep(*ANSWERS_AFTER_S)
            await self._call(desk, "POST", f"/conversations/{conversation_id}/typing", allowed=(404, 409, 429))
            await self._sleep(1.0, 2.0 + len(reply.text) / 40)
            if conversation_id not in self._conversations or not self.working:
                continue
            path = f"/conversations/{conversation_id}/messages"
            sent = await self._call(desk, "POST", path, {"text": reply.text}, allowed=(403, 404, 409, 422))
            if sent is None:
                return
            self._answered[conversation_id] = conversation["unanswered_since"]
            if reply.closes:
                await self._sleep(*RESOLVES_AFTER_S)
                if (self._last_text.get(conversation_id) or asked) == asked:
                    await self._resolve(desk, conversation_id)
                    return

    def _waits(self, conversation: Json) -> bool:
        """Whether the customer has written something this robot has not answered."""
        since = conversation["unanswered_since"]
        return since is not None and self._answered.get(conversation["id"]) != since

    async def _writes_again(self, conversation_id: int) -> bool:
        """Waits for the customer's next line; False when none comes or the conversation has gone."""
        for _ in range(round(IDLE_RESOLVES_AFTER_S)):
            await self._sleep(1.0, 1.0)
            conversation = self._conversations.get(conversation_id)
            if conversation is None:
                return False
            if self._waits(conversation):
                return True
        return False

    async def _resolve(self, desk: _Desk, conversation_id: int) -> None:
        if conversation_id in self._conversations and self.working:
            await self._call(desk, "POST", f"/conversations/{conversation_id}/resolve", allowed=(403, 404, 409))

    async def _set_state(self, desk: _Desk) -> None:
        state: Json = {"state": "available"} if self.working else {"state": "away", "reason": "robots paused"}
        await self._call(desk, "PUT", "/me/state", state)

    async def _follow_switch(self, desk: _Desk) -> None:
        self._switched.clear()
        while True:
            await self._switched.wait()
            self._switched.clear()
            await self._set_state(desk)

    async def _call(
        self, desk: _Desk, method: str, path: str, body: Json | None = None, *, allowed: tuple[int, ...] = ()
    ) -> Any:
        """The answer's JSON; None for a status in `allowed`. Raises _Lost for any other failure."""
        headers = {"X-CSRF-Token": desk.csrf_token, "Idempotency-Key": secrets.token_hex(12)}
        async with desk.http.request(method, f"{self._hub_url}/api/v1{path}", json=body, headers=headers) as answer:
            return await _read(answer, allowed)

    async def _sleep(self, least_s: float, most_s: float) -> None:
        await asyncio.sleep(random.uniform(least_s, most_s) / self._speed)


async def _read(answer: aiohttp.ClientResponse, allowed: tuple[int, ...] = ()) -> Any:
    if answer.status in allowed:
        return None
    if answer.status >= 400:
        raise _Lost(f"{answer.method} {answer.url.path}: {answer.status} {(await answer.text())[:200]}")
    return None if answer.status == 204 else await answer.json()
