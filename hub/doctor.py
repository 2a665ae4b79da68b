"""`hub doctor`: looks at everything a hub needs to run, and says in words what is wrong and what to do."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from sqlalchemy import func, select, text

from hub.channels.tls import is_loopback
from hub.errors import DatabaseAway, HubError, Misconfigured
from hub.media_child import voice_is_installed
from hub.settings import MEDIA_OFF, Settings, load_settings
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.store.files import Files
from hub.store.migrate import find_revision, head_revision
from hub.store.recordings import Recordings
from hub.store.vault import Vault

# Webhook signatures and sessions are judged by this clock; between processes a second matters for leases.
_CLOCK_TOLERANCE = timedelta(seconds=2)
_LITTLE_SPACE_BYTES = 1 << 30


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    about: str
    words: str


async def examine(env: Mapping[str, str] = os.environ) -> list[Finding]:
    """All findings; the hub should not be started while one of them is a FAULT."""
    try:
        settings = load_settings(env)
    except Misconfigured as error:
        return [Finding(Level.FAULT, name, fault) for name, fault in sorted(error.fields.items())]
    found = [Finding(Level.OK, "settings", "all are readable"), *_examine_machine(settings)]
    found.append(await _recordings(settings))
    return found + await _examine_database(settings)


async def _recordings(settings: Settings) -> Finding:
    about = "HUB_RECORDINGS_URL"
    where = settings.recordings_url or f"the directory {settings.files_dir}"
    try:
        await Recordings(Files(settings.files_dir), settings.recordings_url, settings.s3_endpoint).check()
    except HubError as error:
        return Finding(Level.FAULT, about, f"recordings cannot be kept in {where}: {error.message}")
    return Finding(Level.OK, about, f"recordings are kept in {where}, which was written, read and deleted from")


def _examine_machine(settings: Settings) -> Iterator[Finding]:
    yield _data_dir(settings)
    yield _public_url(settings)
    yield _line(settings)


def _data_dir(settings: Settings) -> Finding:
    about = "HUB_DATA_DIR"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=settings.data_dir) as file:
            file.write(b"hub")
            file.flush()
    except OSError as error:
        return Finding(Level.FAULT, about, f"cannot write to {settings.data_dir}: {error.strerror}")
    free = shutil.disk_usage(settings.data_dir).free
    if free < _LITTLE_SPACE_BYTES:
        return Finding(Level.NOTE, about, f"{settings.data_dir} has only {free >> 20} MB left")
    return Finding(Level.OK, about, f"{settings.data_dir} can be written, {free >> 30} GB free")


def _line(settings: Settings) -> Finding:
    about = "HUB_MEDIA_URL"
    if settings.media_url == MEDIA_OFF:
        return Finding(Level.OK, about, "off: there is no telephone line of the hub's own")
    if settings.media_url:
        return Finding(Level.OK, about, f"the hub's own line is at {settings.media_url}")
    if not voice_is_installed():
        words = "the hub's own telephone line needs more: pip install 'contact-hub[voice]'"
        return Finding(Level.NOTE, about, words)
    if shutil.which("espeak-ng") is None:
        words = "texts cannot be spoken to callers: install espeak-ng, or upload sounds (the hub's own phrases are recorded)"
        return Finding(Level.NOTE, about, words)
    return Finding(Level.OK, about, "the hub starts its own line, and it can speak")


def _public_url(settings: Settings) -> Finding:
    about = "HUB_PUBLIC_URL"
    parts = urlsplit(settings.public_url)
    if parts.scheme == "https":
        return Finding(Level.OK, about, f"{settings.public_url}; providers must post to this very address")
    if is_loopback(parts.hostname or ""):
        words = f"{settings.public_url} is this machine only: set it to the https address by which the world comes in"
        return Finding(Level.NOTE, about, words)
    words = f"{settings.public_url} is not https: passwords and customers' words would travel in the clear"
    return Finding(Level.FAULT, about, words)


async def _examine_database(settings: Settings) -> list[Finding]:
    about = "HUB_DATABASE_URL"
    kind = "SQLite" if settings.is_sqlite else "PostgreSQL"
    try:
        revision = await find_revision(settings.database_url)
    except (DatabaseAway, HubError) as error:
        return [Finding(Level.FAULT, about, f"{kind}: {error.message}")]
    found = [Finding(Level.OK, about, f"{kind} answers")]
    if revision != head_revision():
        stands = "is empty" if revision is None else f"stands at migration {revision}"
        words = f"the database {stands}, this hub wants {head_revision()}: run `hub migrate` (`hub serve` does it, too)"
        newer = revision is not None and revision > head_revision()
        if newer:
            words = f"the database stands at migration {revision}, newer than this hub: install the newer release"
        return [*found, Finding(Level.FAULT if newer else Level.NOTE, "migrations", words)]
    found.append(Finding(Level.OK, "migrations", f"at {revision}, the newest"))
    database = open_database(settings.database_url)
    try:
        found.extend(await _examine_contents(database, Vault(settings.secret_key)))
    except DatabaseAway as error:
        found.append(Finding(Level.FAULT, about, error.message))
    finally:
        await database.close()
    return found


async def _examine_contents(database: Database, vault: Vault) -> list[Finding]:
    sealed, health, mailboxes, administrators, newest, database_now = await database.read(_load)
    found = [_secrets(vault, sealed), _clock(newest, database_now)]
    for channel_id, code, detail in health:
        words = f"is not healthy: {code or 'unknown'}" + (f" ({detail})" if detail else "")
        found.append(Finding(Level.NOTE, f"channel {channel_id}", words))
    found.extend(_mailbox(*row) for row in mailboxes)
    found.extend(await database.read(_webhooks))
    if administrators:
        found.append(Finding(Level.OK, "accounts", f"{administrators} active administrator(s)"))
    else:
        words = "there is no active administrator: run `hub user add --role admin`"
        found.append(Finding(Level.NOTE, "accounts", words))
    return found


_Loaded = tuple[
    list[tuple[str, str]],
    list[tuple[str, str | None, str | None]],
    list[tuple[str, str, str | None, str | None, datetime | None]],
    int,
    datetime | None,
    datetime | None,
]


def _load(tx: Tx) -> _Loaded:
    ch, u = tables.channel.c, tables.user_account.c
    channels = tx.rows(select(ch.id, ch.secrets, ch.health, ch.health_code, ch.health_detail).order_by(ch.id))
    m = tables.mailbox.c
    looked = select(m.channel_id, func.max(m.looked_at).label("looked_at")).group_by(m.channel_id).subquery()
    mailboxes = tx.rows(
        select(ch.id, ch.inbound_health, ch.inbound_code, ch.inbound_detail, looked.c.looked_at)
        .join(looked, looked.c.channel_id == ch.id, isouter=True)
        .where(ch.enabled, looked.c.looked_at.is_not(None) | (ch.inbound_health != "ok"))
        .order_by(ch.id)
    )
    return (
        [(row.id, row.secrets) for row in channels],
        [(row.id, row.health_code, row.health_detail) for row in channels if row.health != "ok"],
        [(row.id, row.inbound_health, row.inbound_code, row.inbound_detail, row.looked_at) for row in mailboxes],
        int(tx.scalar(select(func.count()).where(u.role == "admin", u.role_id.is_(None), u.active))),
        tx.scalar(select(func.max(tables.event.c.at))),
        tx.scalar(text("SELECT clock_timestamp()")) if tx.is_postgresql else None,
    )


def _mailbox(channel_id: str, health: str, code: str | None, detail: str | None, looked_at: datetime | None) -> Finding:
    """Of an account that is fetched from, or was until something went wrong."""
    about = f"mailbox of {channel_id}"
    if health != "ok":
        words = f"cannot be read as it should: {code or 'unknown'}" + (f" ({detail})" if detail else "")
        return Finding(Level.NOTE, about, words)
    return Finding(Level.OK, about, f"was looked at last at {looked_at:%Y-%m-%d %H:%M:%S} UTC")


def _webhooks(tx: Tx) -> list[Finding]:
    """Those that fail, or that the hub has switched off; without their addresses, which may hold a secret."""
    p, d = tables.webhook_endpoint.c, tables.webhook_delivery.c
    troubled = p.failing_since.is_not(None) | p.off_reason.is_not(None)
    found = []
    for row in tx.rows(select(tables.webhook_endpoint).where(troubled).order_by(p.id)):
        waiting = tx.scalar(select(func.count()).where(d.endpoint_id == row.id, d.due_at.is_not(None)))
        if row.off_reason is not None:
            why = "it said that it is gone (410)" if row.off_reason == "gone" else "it had not answered for days"
            words = f"was switched off at {row.off_at:%Y-%m-%d %H:%M} UTC: {why}; {waiting} deliveries are kept"
        else:
            words = f"fails since {row.failing_since:%Y-%m-%d %H:%M} UTC; {waiting} deliveries wait"
        found.append(Finding(Level.NOTE, f"webhook {row.id}", f"{words} (Administration → Webhooks)"))
    return found


def _secrets(vault: Vault, sealed: list[tuple[str, str]]) -> Finding:
    closed = []
    for channel_id, secrets in sealed:
        try:
            vault.unseal(secrets)
        except Misconfigured:
            closed.append(channel_id)
    if closed:
        words = (
            f"does not open the secrets of {', '.join(closed)}: set the key they were written with, or enter them anew"
        )
        return Finding(Level.FAULT, "HUB_SECRET_KEY", words)
    return Finding(Level.OK, "HUB_SECRET_KEY", f"opens the secrets of {len(sealed)} channel(s)")


def _clock(newest: datetime | None, database_now: datetime | None) -> Finding:
    now = datetime.now(UTC)
    if database_now is not None and abs(now - database_now) > _CLOCK_TOLERANCE:
        apart = abs(now - database_now).total_seconds()
        return Finding(Level.FAULT, "clock", f"this machine and the database are {apart:.0f} s apart: set both by NTP")
    if newest is not None and newest - now > _CLOCK_TOLERANCE:
        return Finding(Level.FAULT, "clock", f"the newest event is of {newest:%Y-%m-%d %H:%M:%S} UTC, which is to come")
    return Finding(Level.OK, "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")
