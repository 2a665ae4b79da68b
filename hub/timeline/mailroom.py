"""Where mail comes in, whichever way it came: the right account's adapter reads it, the intake stores it.

    raw message → Adapters.get → EmailChannel.parse_message → Intake.accept → commit → the caller goes on

When `take` returns, the mail is stored; when it raises, it is not (DatabaseAway passes through), and whoever brought it
keeps it. Taking the same mail twice stores it once: the arrival's key is the mail's own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

from sqlalchemy import select

from hub.channels.channel import Arrival
from hub.channels.email import EmailChannel
from hub.domain.values import ChannelKind
from hub.errors import NotFound
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Stored
from hub.timeline.adapters import Adapters
from hub.timeline.inbound import Intake, Outcome

_ch = tables.channel.c

# Reading a mail of this size takes a few milliseconds, which the event loop can spare; a larger one goes to a thread.
_INLINE_BYTES = 32 << 10
# Addresses whose account is remembered.
_FOUND_LIMIT = 1_000


def load_mail_channels(tx: Tx) -> list[str]:
    """The ids of the e-mail accounts that are switched on."""
    query = select(_ch.id).where(_ch.kind == ChannelKind.EMAIL.value, _ch.enabled).order_by(_ch.id)
    return [row.id for row in tx.rows(query)]


class Mailroom:
    def __init__(self, database: Database, adapters: Adapters, intake: Intake) -> None:
        self._database = database
        self._adapters = adapters
        self._intake = intake
        self._channel_ids: list[str] | None = None
        self._found: dict[str, str] = {}

    def follow(self, events: list[Stored]) -> None:
        if any(event.kind == "channel.changed" for event in events):
            self._channel_ids = None
            self._found.clear()

    async def take(
        self,
        channel_id: str,
        raw: bytes,
        *,
        envelope_to: Sequence[str] = (),
        envelope_from: str | None = None,
        via: str,
    ) -> list[Outcome]:
        """Stores one mail of an account and returns after the commit. NotFound: the account is gone or switched off."""
        arrivals = await self._parse(channel_id, raw, envelope_to, envelope_from, via)
        return await self._intake.accept(channel_id, arrivals)

    async def take_all(self, channel_id: str, raws: Sequence[bytes], *, via: str) -> None:
        """Stores many mails of an account in their order, with few commits; returns after the last of them. When one
        cannot be stored, it may be that none was."""
        arrivals: list[Arrival] = []
        for raw in raws:
            arrivals += await self._parse(channel_id, raw, (), None, via)
        # Mails and receipts apart: they lock in different orders (timeline.inbound).
        for _, same in itertools.groupby(arrivals, key=type):
            await self._intake.accept(channel_id, list(same))

    async def _parse(
        self, channel_id: str, raw: bytes, envelope_to: Sequence[str], envelope_from: str | None, via: str
    ) -> list[Arrival]:
        channel = await self._channel(channel_id)
        received_at = self._database.clock()

        def parse() -> list[Arrival]:
            return channel.parse_message(
                raw, received_at=received_at, envelope_to=envelope_to, envelope_from=envelope_from, via=via
            )

        return parse() if len(raw) <= _INLINE_BYTES else await asyncio.to_thread(parse)

    async def find_channel(self, recipient: str) -> str | None:
        """The account that `recipient` belongs to, by its address, its aliases and what stands behind a plus; None when it
        is nobody's here. Raises DatabaseAway."""
        key = recipient.lower()
        if key in self._found:
            return self._found[key]
        if self._channel_ids is None:
            self._channel_ids = await self._database.read(load_mail_channels)
        found = None
        for channel_id in self._channel_ids:
            try:
                channel = await self._channel(channel_id)
            except NotFound:
                continue
            if channel.answers_to(recipient):
                found = channel_id
                break
        if found is not None:
            # Only what is ours: strangers may ask for any number of addresses, and each of ours has many by its plus.
            if len(self._found) >= _FOUND_LIMIT:
                self._found.clear()
            self._found[key] = found
        return found

    async def _channel(self, channel_id: str) -> EmailChannel:
        channel = await self._adapters.get(channel_id)
        if not isinstance(channel, EmailChannel):
            raise NotFound(f"channel {channel_id!r} takes no mail")
        return channel
