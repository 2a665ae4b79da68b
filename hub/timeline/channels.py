"""Channel accounts: where customers reach us, as an administrator sets them up and as everybody sees them.

Settings lie in the open, secrets sealed by the vault; a secret goes in and never comes out again. Every change is told
to all (ChannelChanged), which is also how each process learns to remake its adapter (timeline.adapters).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import phonenumbers
from sqlalchemy import Row, insert, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.channels.channel import ChannelAccount
from hub.channels.email import addresses_in
from hub.channels.registry import check_settings, create, find_type
from hub.domain.events import STAFF, ChannelChanged
from hub.domain.sentences import Sentence
from hub.domain.states import ChannelHealth
from hub.domain.values import ChannelKind
from hub.domain.views import ChannelCapabilities, ChannelView, VoiceView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.store.vault import Vault

_ch = tables.channel.c

# The setting that says where customers write to, by kind.
_ADDRESSES: Mapping[ChannelKind, tuple[str, ...]] = {
    ChannelKind.SMS: ("from_number", "messaging_service_sid"),
    ChannelKind.EMAIL: ("address",),
    ChannelKind.CHAT: ("title",),
    ChannelKind.PHONE: ("number", "title"),
}


@dataclass(frozen=True, slots=True)
class ChannelSetup:
    """What an administrator sees beside the view. `webhook_urls`: webhook kind → the address to enter at the
    provider."""

    view: ChannelView
    settings: dict[str, str]
    secrets_set: tuple[str, ...]
    webhook_urls: dict[str, str]
    default_region: str | None
    reopen_window_s: int


def load_channel_views(tx: Tx, ids: Collection[str] | None = None) -> list[ChannelView]:
    """All channels, or those of `ids`, by id."""
    query = select(tables.channel).order_by(_ch.id)
    return [_view(row) for row in tx.rows(query if ids is None else query.where(_ch.id.in_(ids)))]


def load_channel_setup(tx: Tx, vault: Vault, public_url: str, channel_id: str) -> ChannelSetup:
    row = tx.first(select(tables.channel).where(_ch.id == channel_id))
    if row is None:
        raise NotFound("there is no such channel")
    account = ChannelAccount(row.id, ChannelKind(row.kind), row.settings, {}, public_url, row.default_region)
    channel_type = find_type(account.kind, row.provider)
    return ChannelSetup(
        view=_view(row),
        settings=dict(row.settings),
        secrets_set=tuple(sorted(vault.unseal(row.secrets))),
        webhook_urls={
            kind: account.webhook_url(kind) for kind in (channel_type.entered_webhooks if channel_type else ())
        },
        default_region=row.default_region,
        reopen_window_s=row.reopen_window_s,
    )


def create_channel(
    tx: Tx,
    vault: Vault,
    *,
    channel_id: str,
    kind: ChannelKind,
    name: str,
    queue_id: int,
    settings: Mapping[str, str],
    secrets: Mapping[str, str],
    default_region: str | None = None,
    reopen_window_s: int | None = None,
    provider: str = "",
    flow_id: int | None = None,
    actor: Viewer | None = None,
) -> None:
    """InvalidInput naming each faulty setting; Conflict if the id is taken."""
    settings, secrets = _filled(settings), _filled(secrets)
    _check(tx, kind, settings, secrets, queue_id, default_region, provider, flow_id)
    if tx.scalar(select(_ch.id).where(_ch.id == channel_id)) is not None:
        raise Conflict("there is a channel with this id", code="id_taken", fields={"id": Sentence("is taken")})
    row: dict[str, Any] = {
        "id": channel_id,
        "kind": kind.value,
        "provider": provider,
        "flow_id": flow_id,
        "name": name,
        "queue_id": queue_id,
        "settings": settings,
        "secrets": vault.seal(secrets),
        "default_region": default_region,
        "health_since": tx.now,
    }
    if reopen_window_s is not None:
        row["reopen_window_s"] = reopen_window_s
    tx.execute(insert(tables.channel).values(**row))
    audit.note(tx, actor, "channel.created", "channel", channel_id, {"name": name, "kind": kind.value})
    tell(tx, channel_id)


def update_channel(
    tx: Tx,
    vault: Vault,
    channel_id: str,
    *,
    name: str | None = None,
    queue_id: int | None = None,
    enabled: bool | None = None,
    settings: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    default_region: str | None = None,
    reopen_window_s: int | None = None,
    flow_id: int | None = None,
    changes_flow: bool = False,
    actor: Viewer | None = None,
) -> None:
    """None leaves a thing as it is. `settings` replaces them all; `secrets` replaces those it names, an empty one goes.
    New settings or secrets are a new start: the breaker closes and what waits is tried at once."""
    row = tx.first(select(tables.channel).where(_ch.id == channel_id).with_for_update())
    if row is None:
        raise NotFound("there is no such channel")
    new_settings = dict(row.settings) if settings is None else _filled(settings)
    new_secrets = _filled({**vault.unseal(row.secrets), **(secrets or {})})
    kind, queue = ChannelKind(row.kind), queue_id or row.queue_id
    _check(tx, kind, new_settings, new_secrets, queue, default_region, row.provider, flow_id)
    given = {
        "name": name,
        "queue_id": queue_id,
        "enabled": enabled,
        "default_region": default_region,
        "reopen_window_s": reopen_window_s,
    }
    values: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    if changes_flow:
        values["flow_id"] = flow_id
    if settings is not None or secrets is not None:
        values |= {
            "settings": new_settings,
            "secrets": vault.seal(new_secrets),
            "health": ChannelHealth.OK.value,
            "health_code": None,
            "health_detail": None,
            "health_since": tx.now,
            "paused_until": None,
            "failures_in_row": 0,
            "inbound_health": ChannelHealth.OK.value,
            "inbound_code": None,
            "inbound_detail": None,
            "inbound_since": None,
        }
        passed_over = {"passed_over": None, "passed_over_at": None}
        tx.execute(update(tables.mailbox).where(tables.mailbox.c.channel_id == channel_id).values(**passed_over))
    tx.execute(update(tables.channel).where(_ch.id == channel_id).values(version=_ch.version + 1, **values))
    tx.wake("outbox")
    secret = {f"secrets.{field}": value for field, value in new_secrets.items()}
    had = {f"secrets.{field}": value for field, value in vault.unseal(row.secrets).items()}
    audit.note_change(
        tx,
        actor,
        "channel.changed",
        "channel",
        channel_id,
        {**_told(dict(row._mapping), row.settings), **had},
        {**_told({**row._mapping, **values}, new_settings), **secret},
        name=row.name,
        secret={*had, *secret},
    )
    tell(tx, channel_id)


def _told(row: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    """What of a channel the audit log tells: settings by the names that the form has."""
    fields = ("name", "queue_id", "enabled", "default_region", "reopen_window_s", "flow_id")
    return {field: row[field] for field in fields} | {f"settings.{field}": words for field, words in settings.items()}


def own_addresses(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Of a mail account: its address and aliases, in normal form."""
    return addresses_in(f"{settings.get('address', '')} {settings.get('aliases', '')}")


def keep_secret(tx: Tx, vault: Vault, channel_id: str, name: str, value: str) -> None:
    """A secret that the provider has renewed by itself. Nothing changes for anybody, so nobody is told, and adapters go on
    with what they hold."""
    row = tx.first(select(_ch.secrets).where(_ch.id == channel_id).with_for_update())
    if row is not None:
        secrets = vault.unseal(row.secrets) | {name: value}
        tx.execute(update(tables.channel).where(_ch.id == channel_id).values(secrets=vault.seal(secrets)))


def tell(tx: Tx, channel_id: str) -> None:
    """Everybody hears how the channel is now."""
    for view in load_channel_views(tx, [channel_id]):
        tx.emit(ChannelChanged(view), {STAFF})


def _filled(values: Mapping[str, str]) -> dict[str, str]:
    """Without what is empty: an empty field of a form means that there is none."""
    return {name: value.strip() for name, value in values.items() if value.strip()}


def _check(
    tx: Tx,
    kind: ChannelKind,
    settings: Mapping[str, str],
    secrets: Mapping[str, str],
    queue_id: int,
    default_region: str | None,
    provider: str,
    flow_id: int | None,
) -> None:
    """All faults at once. Fields of settings and secrets are named as the form shows them: `settings.x`,
    `secrets.x`."""
    faults: dict[str, str] = {}
    message = "the channel cannot be set up like this"
    try:
        check_settings(kind, settings, secrets, provider)
    except InvalidInput as error:
        channel_type = find_type(kind, provider)
        secret_names = {field.name for field in channel_type.secrets} if channel_type else set()
        message = error.message
        for name, fault in error.fields.items():
            place = "secrets." if name in secret_names or name in secrets else "settings."
            faults[name if name in ("kind", "provider") else place + name] = fault
    if tx.scalar(select(tables.queue.c.id).where(tables.queue.c.id == queue_id)) is None:
        faults["queue_id"] = Sentence("there is no such queue")
    chat_id = settings.get("chat_channel_id")
    if kind is ChannelKind.PHONE and chat_id and not _is_chat(tx, chat_id):
        faults.setdefault("settings.chat_channel_id", Sentence("there is no chat channel with this ID"))
    if default_region is not None and default_region not in phonenumbers.SUPPORTED_REGIONS:
        faults["default_region"] = Sentence("is not a region that has phone numbers, such as DE or US")
    if flow_id is not None and kind is not ChannelKind.PHONE:
        faults["flow_id"] = Sentence("only a telephone line has a menu")
    elif flow_id is not None:
        # Held, so that it is not removed meanwhile.
        held = select(tables.flow.c.id).where(tables.flow.c.id == flow_id).with_for_update(key_share=True)
        if tx.first(held) is None:
            faults["flow_id"] = Sentence("there is no such menu")
    if faults:
        raise InvalidInput(message, fields=faults)


def _is_chat(tx: Tx, channel_id: str) -> bool:
    return tx.first(select(_ch.id).where(_ch.id == channel_id, _ch.kind == ChannelKind.CHAT.value)) is not None


@cache
def _capabilities(kind: ChannelKind) -> ChannelCapabilities:
    """What the kind can carry. Making an adapter does no I/O, so one without an account will do to ask."""
    channel_type = find_type(kind)
    if channel_type is None or channel_type.factory is None:
        return ChannelCapabilities(None, False, None, (), False, False)
    can = create(ChannelAccount("", kind, {}, {})).capabilities
    return ChannelCapabilities(
        text_limit=can.text_limit,
        attachments=can.attachments,
        attachment_limit_bytes=can.attachment_limit_bytes,
        attachment_types=can.attachment_types,
        receipts=can.receipts,
        typing=can.typing,
    )


def _voice(kind: ChannelKind, provider: str, settings: Mapping[str, str]) -> VoiceView | None:
    channel_type = find_type(kind, provider)
    if channel_type is None or channel_type.voice is None:
        return None
    can = channel_type.voice_of(settings) if channel_type.voice_of is not None else channel_type.voice
    return VoiceView(dials=can.dials, in_browser=can.in_browser, by_connect=can.by_connect)


def _view(row: Row[Any]) -> ChannelView:
    kind = ChannelKind(row.kind)
    addresses = (row.settings.get(name) for name in _ADDRESSES.get(kind, ()))
    return ChannelView(
        id=row.id,
        kind=kind,
        name=row.name,
        address=next((address for address in addresses if address), ""),
        queue_id=row.queue_id,
        enabled=row.enabled,
        health=ChannelHealth(row.health),
        health_code=row.health_code,
        health_detail=row.health_detail,
        health_since=row.health_since,
        capabilities=_capabilities(kind),
        version=row.version,
        inbound_health=ChannelHealth(row.inbound_health),
        inbound_code=row.inbound_code,
        inbound_detail=row.inbound_detail,
        inbound_since=row.inbound_since,
        own_addresses=own_addresses(row.settings) if kind is ChannelKind.EMAIL else (),
        provider=row.provider,
        voice=_voice(kind, row.provider, row.settings),
        flow_id=row.flow_id,
    )
