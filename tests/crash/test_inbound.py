"""`kill -9` while a provider delivers: what got a 2xx is there, once; what got none is tried again and is there, once."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest
from sqlalchemy import select

from hub.channels import twilio
from hub.store import tables
from hub.store.database import Tx
from tests.crash.world import ACCOUNT_SID, AUTH_TOKEN, NUMBER, World, running_world

pytestmark = pytest.mark.anyio

MESSAGES = 600
CUSTOMERS = 40
LANES = 16
# So often a provider tries; more than any dead time of the hub needs.
TRIES = 600
RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class Text:
    sid: str
    sender: str
    body: str


@dataclass
class Provider:
    """Posts as Twilio does: signed, many at once, again with the same id until there is a 2xx. Now and then it hangs up
    before it has heard one, or posts what was already taken."""

    url: str
    texts: list[Text]
    chance: random.Random
    acknowledged: int = 0
    unanswered: int = 0
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def deliver_all(self) -> None:
        waiting = iter(self.texts)
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as lanes:
            for _ in range(LANES):
                lanes.create_task(self._lane(http, waiting))

    async def until_acknowledged(self, count: int) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self.acknowledged >= count)

    async def _lane(self, http: aiohttp.ClientSession, waiting: Iterator[Text]) -> None:
        for text in waiting:
            is_impatient, is_doubled = self.chance.random() < 0.1, self.chance.random() < 0.1
            await self._deliver(http, text, first_timeout_s=0.004 if is_impatient else 15)
            async with self._moved:
                self.acknowledged += 1
                self._moved.notify_all()
            if is_doubled:
                await self._deliver(http, text, first_timeout_s=15)

    async def _deliver(self, http: aiohttp.ClientSession, text: Text, first_timeout_s: float) -> None:
        pairs = [
            ("MessageSid", text.sid),
            ("AccountSid", ACCOUNT_SID),
            ("From", text.sender),
            ("To", NUMBER),
            ("Body", text.body),
            ("NumMedia", "0"),
            ("ApiVersion", "2010-04-01"),
        ]
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": twilio.signature(self.url, pairs, AUTH_TOKEN),
        }
        timeout_s = first_timeout_s
        for _ in range(TRIES):
            try:
                timeout = aiohttp.ClientTimeout(total=timeout_s)
                async with http.post(self.url, data=urlencode(pairs), headers=headers, timeout=timeout) as answer:
                    if answer.status < 300:
                        return
                    assert answer.status >= 500, answer.status
            except (aiohttp.ClientError, TimeoutError):
                self.unanswered += 1
            timeout_s = 15
            await asyncio.sleep(RETRY_S)  # as a provider waits before it tries again
        raise AssertionError(f"{text} was never taken")


def _texts(chance: random.Random) -> list[Text]:
    phones = [f"+4477009{number:05d}" for number in range(CUSTOMERS)]
    return [Text(f"SM{n:032x}", chance.choice(phones), f"text {n:04d}") for n in range(MESSAGES)]


@pytest.mark.parametrize(("kind", "kills", "seed"), [("sqlite", 3, 11), ("postgresql", 2, 12)])
async def test_what_was_acknowledged_is_there_exactly_once_after_kills(
    kind: str, kills: int, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    async with running_world(request.getfixturevalue(f"{kind}_url"), tmp_path) as world:
        await world.start()
        provider = Provider(f"{world.hub.url}/webhooks/sms/message", _texts(chance), chance)
        delivering = asyncio.create_task(provider.deliver_all())
        async with asyncio.timeout(120):
            for count in sorted(chance.sample(range(20, MESSAGES - 100), kills)):
                await provider.until_acknowledged(count)
                await world.kill_and_restart()
            await delivering
        assert provider.unanswered > 0, "nothing was cut: the kills came too late"
        await world.kill()
        await _check(world, provider.texts)


async def _check(world: World, texts: list[Text]) -> None:
    await world.database.read(_check_rows, texts)


def _check_rows(tx: Tx, texts: list[Text]) -> None:
    a, e, c, p, v = (
        t.c for t in (tables.arrival, tables.entry, tables.conversation, tables.contact_point, tables.event)
    )
    assert Counter(row.provider_id for row in tx.rows(select(a.provider_id))) == Counter(text.sid for text in texts)

    # Every text once, with its own customer; of each customer one conversation, open and waiting, that sums them up.
    entries = tx.rows(
        select(e.id, e.text, e.at, e.conversation_id, p.address)
        .join(tables.conversation, c.id == e.conversation_id)
        .join(tables.contact_point, p.id == c.contact_point_id)
        .order_by(e.id)
    )
    assert Counter((row.text, row.address) for row in entries) == Counter((text.body, text.sender) for text in texts)
    conversations = tx.rows(select(tables.conversation))
    assert (
        len(conversations)
        == len({text.sender for text in texts})
        == len({row.contact_point_id for row in conversations})
    )
    for row in conversations:
        own = [entry for entry in entries if entry.conversation_id == row.id]
        assert (row.status, row.assignee_id) == ("open", None)
        assert row.queued_since is not None
        assert row.unanswered_since == min(entry.at for entry in own)
        assert row.last_entry_at == max(entry.at for entry in own)
        assert row.preview == own[-1].text

    # One event for each entry, in the order of the entries, and nothing of what was cut off.
    added = [json.loads(row.body) for row in tx.rows(select(v.body).where(v.kind == "entry.added").order_by(v.seq))]
    assert Counter(body["entry"]["id"] for body in added) == Counter(entry.id for entry in entries)
    last = {body["conversation"]["id"]: body["conversation"]["version"] for body in added}
    assert last == {row.id: row.version for row in conversations}
