"""Uploaded sounds: there are none yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hub.calls.flow import Spoken
from hub.channels.voice import Prompt
from hub.store.database import Tx
from hub.store.vault import Vault


def prompts(tx: Tx, said: Sequence[Spoken]) -> tuple[Prompt, ...]:
    return tuple(Prompt(s.text, s.language) for s in said)


def signed_sound_url(vault: Vault, public_url: str, key: str, now: datetime) -> str:
    return ""
