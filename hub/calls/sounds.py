"""Uploaded sounds that callers hear: rows here, the files where all files are (store.files).

A provider fetches a sound by a signed address that ends (`GET /sounds/{name}/{signature}`); the hub's own line reads the
file. A sound that a menu names as it is now is not removed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.calls.flow import Spoken
from hub.calls.flows_in_force import flows_naming
from hub.channels.voice import Prompt
from hub.domain.sentences import Sentence
from hub.errors import Conflict, NotFound
from hub.media.sound_file import MEDIA_TYPE, SoundFile
from hub.store import tables
from hub.store.database import Tx
from hub.store.vault import Vault

_s = tables.sound.c
_NAME = re.compile(r"[0-9a-f]{40}")
# An address is the same for a day, so that a provider may keep the sound, and good for one to two: longer than any call.
_ADDRESS_S = 86_400


def prompts(tx: Tx, said: Sequence[Spoken]) -> tuple[Prompt, ...]:
    """What is said, for a line; a sound that is gone is its text, and nothing if it has none."""
    ids = {each.sound_id for each in said if each.sound_id is not None}
    rows = tx.rows(select(_s.id, _s.file_key).where(_s.id.in_(ids))) if ids else ()
    keys = {row.id: row.file_key for row in rows}
    made = (
        Prompt(each.text, each.language, audio_key=keys.get(each.sound_id or 0, ""), phrase=each.phrase)
        for each in said
    )
    return tuple(prompt for prompt in made if prompt.text or prompt.audio_key)


def load_sounds(tx: Tx) -> list[Row[Any]]:
    """All rows, by name."""
    return list(tx.rows(select(tables.sound).order_by(func.lower(_s.name), _s.id)))


def load_sound(tx: Tx, sound_id: int) -> Row[Any]:
    row = tx.first(select(tables.sound).where(_s.id == sound_id))
    if row is None:
        raise NotFound("there is no such sound")
    return row


def create_sound(
    tx: Tx, name: str, language: str, file_key: str, sound: SoundFile, *, actor: Viewer | None = None
) -> Row[Any]:
    """Conflict `name_taken` if there is one of this name. The file is there already."""
    row = {
        "name": name,
        "language": language,
        "file_key": file_key,
        "media_type": MEDIA_TYPE,
        "size_bytes": len(sound.content),
        "duration_s": sound.duration_s,
        "created_at": tx.now,
    }
    made = tx.first(tx.insert_if_new(tables.sound).values(**row).returning(_s.id))
    if made is None:
        raise Conflict("there is a sound with this name", code="name_taken", fields={"name": Sentence("is taken")})
    audit.note(tx, actor, "sound.created", "sound", made.id, {"name": name})
    return load_sound(tx, made.id)


def delete_sound(tx: Tx, sound_id: int, *, actor: Viewer | None = None) -> str:
    """The key of the file, which is deleted after the commit. Conflict `in_use`, naming them, while menus say it."""
    # A menu that begins to use it holds its row meanwhile.
    row = tx.first(select(_s.file_key, _s.name).where(_s.id == sound_id).with_for_update())
    if row is None:
        raise NotFound("there is no such sound")
    users = flows_naming(tx, "sound").get(sound_id)
    if users:
        names = ", ".join(users)
        raise Conflict(f"in use by {names}", code="in_use", fields={"flows": names})
    tx.execute(delete(tables.sound).where(_s.id == sound_id))
    audit.note(tx, actor, "sound.removed", "sound", sound_id, {"name": row.name})
    return str(row.file_key)


def signed_sound_url(vault: Vault, public_url: str, key: str, now: datetime) -> str:
    """Where a provider may fetch the file of a sound."""
    name = key.rpartition("/")[2]
    ends_at = (int(now.timestamp()) // _ADDRESS_S + 2) * _ADDRESS_S
    return f"{public_url}/sounds/{name}/{ends_at}.{vault.sign('sound', f'{name} {ends_at}')}"


def signed_key(vault: Vault, name: str, signature: str, now: datetime) -> str | None:
    """The key of the file that such an address is for; None if we did not sign it, or it has ended."""
    moment, _, rest = signature.partition(".")
    if not _NAME.fullmatch(name) or not moment.isascii() or not moment.isdecimal() or len(moment) > 12:
        return None
    if not vault.is_signed("sound", f"{name} {moment}", rest) or now.timestamp() >= int(moment):
        return None
    return f"{name[:2]}/{name}"


def is_sound(tx: Tx, key: str) -> bool:
    """Whether there (still) is a sound with this file."""
    return tx.scalar(select(_s.id).where(_s.file_key == key)) is not None
