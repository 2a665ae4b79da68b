"""The first set-up: from an empty database to an organisation with somebody who administers it.

    nobody works here ── code ──► organisation ── code ──► first account ──► team → channel → test → done

A hub that nobody administers belongs to whoever started it: they see its code where it prints what it does, and nobody else
does. The code is derived from the secret key and the epoch of this very database, so it is kept nowhere, is the same in every
process and after every restart, and is good for nothing once somebody works here. Each step is saved, and where it stands is
kept with the organisation: it can be left, and gone on with later.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from hub.agents import accounts, audit, queues
from hub.agents.queues import emit_access
from hub.agents.viewer import Viewer
from hub.domain.languages import StaffLanguage, staff_language
from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.domain.views import UserView
from hub.errors import Conflict, Forbidden, InvalidInput
from hub.routing.calendar import is_zone
from hub.store import tables
from hub.store.database import Tx
from hub.store.vault import Vault

_o, _u = tables.organisation.c, tables.user_account.c

STEPS = ("organisation", "account", "team", "channel", "test", "done")
# 60 bits, and tries are slowed down; short enough to be typed from another screen.
_CODE_LETTERS = 12
# What work waits in until an administrator makes queues of their own; in the language of who sets it up.
_FIRST_QUEUE: Mapping[StaffLanguage, str] = {
    "en": "General",
    "uk": "Загальна",
    "hy": "Ընդհանուր",
    "ka": "ზოგადი",
    "az": "Ümumi",
}


@dataclass(frozen=True, slots=True)
class House:
    """The organisation. `country`: ISO 3166, two letters; `languages`: those of its customers, the usual one first."""

    name: str
    time_zone: str
    country: str | None = None
    languages: Sequence[str] = ()


def is_fresh(tx: Tx) -> bool:
    """Nobody works here, nor ever did."""
    return tx.first(select(_u.id).limit(1)) is None


def find_code(tx: Tx, vault: Vault) -> str | None:
    """The code, as it is printed: XXXX-XXXX-XXXX. None: somebody works here."""
    if not is_fresh(tx):
        return None
    code = _code(tx, vault)
    return "-".join(code[place : place + 4] for place in range(0, len(code), 4))


def check_code(tx: Tx, vault: Vault, given: str) -> None:
    """Conflict `already_set_up` once somebody works here; Forbidden `wrong_code`."""
    if not is_fresh(tx):
        raise Conflict("this hub is set up already", code="already_set_up")
    typed = "".join(letter for letter in given.upper() if letter.isalnum())
    if not hmac.compare_digest(typed.encode(), _code(tx, vault).encode()):
        raise Forbidden("this is not the code that the hub has printed", code="wrong_code")


def _code(tx: Tx, vault: Vault) -> str:
    epoch = str(tx.scalar(select(tables.stream.c.epoch)))
    digest = hashlib.sha256(vault.sign("set-up", epoch).encode()).digest()
    return base64.b32encode(digest).decode()[:_CODE_LETTERS]


# --- the organisation ---------------------------------------------------------------------------------------------------


def load_house(tx: Tx) -> House:
    row = tx.first(select(_o.name, _o.time_zone, _o.country, _o.languages))
    if row is None:
        return House("", "UTC")
    return House(row.name, row.time_zone, row.country, tuple(row.languages or ()))


def save_house(tx: Tx, house: House, *, actor: Viewer | None = None, expected: House | None = None) -> House:
    """InvalidInput naming what is wrong; Conflict `version_conflict` if it is not as `expected` any more.
    Everybody's screens take a fresh snapshot: their clocks may go otherwise."""
    if not is_zone(house.time_zone):
        raise InvalidInput(
            "there is no such time zone", fields={"time_zone": Sentence("is no time zone that is known here")}
        )
    tx.rows(select(_o.id).with_for_update())
    before = load_house(tx)
    if expected not in (None, before):
        raise Conflict("somebody changed the organisation meanwhile", code="version_conflict")
    after = House(" ".join(house.name.split()), house.time_zone, house.country, tuple(dict.fromkeys(house.languages)))
    if before == after:
        return before
    values = {"name": after.name, "time_zone": after.time_zone, "country": after.country}
    tx.execute(update(tables.organisation).values(languages=list(after.languages) or None, **values))
    audit.note_change(tx, actor, "organisation.changed", "organisation", "", before, after)
    emit_access(tx, [row.id for row in tx.rows(select(_u.id).where(_u.active))])
    return after


# --- who administers it -------------------------------------------------------------------------------------------------


def create_first_account(
    tx: Tx, vault: Vault, code: str, *, name: str, email: str, password_hash: str, language: str, address: str | None
) -> UserView:
    """The first administrator, and a queue for what comes in. Of two at once the second is told `already_set_up`."""
    tx.lock_routing()
    check_code(tx, vault, code)
    user = accounts.create_user(
        tx, email=email, name=name, role=Role.ADMIN, password_hash=password_hash, language=language
    )
    actor = accounts.viewer_of(tx, user, address)
    queue_name = _FIRST_QUEUE[staff_language(language)]
    queues.create_queue(tx, name=queue_name, member_ids=[user.id], actor=actor)
    audit.note(tx, actor, "organisation.created", "organisation", "", {"name": load_house(tx).name})
    set_step(tx, "team")
    return accounts.load_user(tx, user.id)


# --- where it stands ----------------------------------------------------------------------------------------------------


def load_step(tx: Tx) -> str | None:
    """Which step comes next; None: it is over."""
    step: str | None = tx.scalar(select(_o.set_up_step))
    return step


def set_step(tx: Tx, step: str | None) -> None:
    tx.execute(update(tables.organisation).values(set_up_step=step))
