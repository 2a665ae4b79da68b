"""The live adapters of this process: one per channel account, made when first needed, remade when its account changes."""

from __future__ import annotations

import functools
import json
import logging
from typing import Any

from sqlalchemy import Row, select
from typing_extensions import TypeIs

from hub.channels.channel import Channel, ChannelAccount
from hub.channels.registry import create, create_line, find_type
from hub.channels.voice import VoiceChannel
from hub.domain.values import ChannelKind
from hub.domain.widget import read_widget
from hub.errors import Conflict, NotFound
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Stored
from hub.store.vault import Vault
from hub.timeline import channels

log = logging.getLogger(__name__)

_ch = tables.channel.c


def is_line(adapter: Channel | VoiceChannel) -> TypeIs[VoiceChannel]:
    """Whether the account carries calls instead of messages."""
    return hasattr(adapter, "voice")


def _load_account(tx: Tx, channel_id: str) -> Row[Any] | None:
    return tx.first(
        select(
            *(_ch.id, _ch.kind, _ch.settings, _ch.secrets, _ch.default_region, _ch.enabled, _ch.provider, _ch.widget)
        ).where(_ch.id == channel_id)
    )


def _load_lines(tx: Tx) -> list[str]:
    rows = tx.rows(select(_ch.id).where(_ch.kind == ChannelKind.PHONE.value, _ch.enabled).order_by(_ch.id))
    return [row.id for row in rows]


class Adapters:
    """`get(channel_id)`: the adapter, NotFound when there is no such account or it is switched off.

    An account that was changed (here or in another process) is read again at its next use: the stream says so.
    """

    def __init__(self, database: Database, vault: Vault, public_url: str, media_url: str = "") -> None:
        self._database = database
        self._vault = vault
        self._public_url = public_url
        self._media_url = media_url
        self._live: dict[str, tuple[tuple[object, ...], Channel | VoiceChannel]] = {}
        # How often anything was changed, and what that was when each account was read.
        self._changes = 0
        self._read_at: dict[str, int] = {}
        self._retired: list[Channel | VoiceChannel] = []
        self._page_hosts: tuple[int, tuple[str, ...]] | None = None

    def follow(self, events: list[Stored]) -> None:
        if any(event.kind == "channel.changed" for event in events):
            self._changes += 1

    async def reload(self, channel_id: str) -> None:
        """The account was changed here: its next use reads it again."""
        self._changes += 1

    async def get(self, channel_id: str) -> Channel:
        """Of an account that carries messages; Conflict `voice_channel` for a telephone line."""
        adapter = await self.find(channel_id)
        if is_line(adapter):
            raise Conflict("a telephone line carries calls, not messages", code="voice_channel")
        return adapter

    async def get_line(self, channel_id: str) -> VoiceChannel:
        """Of a telephone line; NotFound for any other account."""
        adapter = await self.find(channel_id)
        if not is_line(adapter):
            raise NotFound("there is no such line")
        return adapter

    async def find(self, channel_id: str) -> Channel | VoiceChannel:
        """Either of them."""
        held = self._live.get(channel_id)
        if held is not None and self._read_at.get(channel_id) == self._changes:
            return held[1]
        if not (channel_id.isascii() and channel_id.isprintable()):
            # It came from a stranger's URL: no account is called so, and PostgreSQL would not even take the question.
            raise NotFound("there is no such channel")
        # From before the read: a change that is told while it runs must be looked at again.
        changes = self._changes
        row = await self._database.read(_load_account, channel_id)
        self._read_at[channel_id] = changes
        if row is None or not row.enabled:
            self._live.pop(channel_id, None)
            self._read_at.pop(channel_id, None)
            raise NotFound(f"there is no channel {channel_id!r}")
        fingerprint = (
            *(row.kind, tuple(sorted(row.settings.items())), row.secrets, row.default_region, row.provider),
            json.dumps(row.widget, sort_keys=True),
        )
        held = self._live.get(channel_id)
        if held is not None and held[0] == fingerprint:
            return held[1]
        if held is not None:
            # Sends may still run on it; it is closed with the process.
            self._retired.append(held[1])
        account = ChannelAccount(
            id=row.id,
            kind=ChannelKind(row.kind),
            settings=row.settings,
            secrets=self._vault.unseal(row.secrets),
            public_url=self._public_url,
            default_region=row.default_region,
            keep_secret=functools.partial(self._keep_secret, row.id),
            token_key=self._vault.key(f"channel-tokens/{row.id}"),
            provider=row.provider,
            media_url=self._media_url,
            media_key=self._vault.key("media"),
            widget=read_widget(row.widget),
        )
        channel = create_line(account) if account.kind is ChannelKind.PHONE else create(account)
        self._live[channel_id] = (fingerprint, channel)
        return channel

    async def page_hosts(self) -> tuple[str, ...]:
        """What agents' pages reach beside the hub, because a line is set up for agents who talk in the browser."""
        if self._page_hosts is not None and self._page_hosts[0] == self._changes:
            return self._page_hosts[1]
        changes = self._changes
        hosts: set[str] = set()
        for channel_id in await self._database.read(_load_lines):
            line = await self.get_line(channel_id)
            line_type = find_type(ChannelKind.PHONE, line.account.provider)
            if line.voice.in_browser and line_type is not None:
                hosts.update(line_type.page_hosts)
        self._page_hosts = (changes, tuple(sorted(hosts)))
        return self._page_hosts[1]

    async def _keep_secret(self, channel_id: str, name: str, value: str) -> None:
        await self._database.transaction(channels.keep_secret, self._vault, channel_id, name, value)

    async def close(self) -> None:
        for channel in [*self._retired, *(channel for _, channel in self._live.values())]:
            await channel.aclose()
        self._live.clear()
