"""The audit log: written with the act or not at all, saying what changed and never what is secret, swept by age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.values import ChannelKind, Role
from hub.store import tables
from hub.store.database import Database, Tx
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.anyio

NARE = Viewer(7, Role.ADMIN, "Nare", "hy", frozenset(), api_key_id=3, address="192.0.2.1")


@dataclass(frozen=True, slots=True)
class Thing:
    id: int
    name: str
    version: int
    kinds: tuple[ChannelKind, ...] = ()
    token: str = ""
    plan: str = ""


async def _rows(database: Database) -> list[dict[str, Any]]:
    found = await database.read(lambda tx: tx.rows(select(tables.audit).order_by(tables.audit.c.id)))
    return [dict(row._mapping) for row in found]


async def test_row_keeps_who_did_it_as_they_were(database: Database, clock: FrozenClock) -> None:
    await database.transaction(audit.note, NARE, "queue.changed", "queue", 5, {"name": "Complaints"})
    await database.transaction(audit.note, None, "user.created", "user", "7", {}, address="192.0.2.9")
    by_nare, by_the_hub = await _rows(database)
    assert by_nare == {
        "id": by_nare["id"],
        "at": clock.now,
        "actor_id": 7,
        "actor_name": "Nare",
        "api_key_id": 3,
        "address": "192.0.2.1",
        "action": "queue.changed",
        "subject": "queue",
        "subject_id": "5",
        "data": {"name": "Complaints"},
    }
    assert (by_the_hub["actor_id"], by_the_hub["actor_name"], by_the_hub["address"]) == (None, "", "192.0.2.9")


async def test_act_that_fails_leaves_no_row(database: Database) -> None:
    def fail(tx: Tx) -> None:
        audit.note(tx, NARE, "queue.changed", "queue", 5, {})
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.transaction(fail)
    assert await _rows(database) == []


async def test_change_that_changes_nothing_leaves_no_row(database: Database) -> None:
    thing = Thing(1, "Sales", 1)
    newer = Thing(1, "Sales", 2)
    await database.transaction(audit.note_change, NARE, "thing.changed", "thing", 1, thing, newer)
    assert await _rows(database) == []


def test_changes_tell_what_was_and_what_is_as_json_has_it() -> None:
    before = Thing(1, "Sales", 1, (ChannelKind.SMS,))
    after = Thing(1, "Sales East", 2, (ChannelKind.SMS, ChannelKind.CHAT))
    assert audit.changes(before, after) == {"name": ["Sales", "Sales East"], "kinds": [["sms"], ["sms", "chat"]]}
    assert audit.changes({"a": 1}, {"b": 2}) == {"a": [1, None], "b": [None, 2]}


def test_secrets_and_long_values_are_told_as_changed_only() -> None:
    before, after = Thing(1, "Sales", 1, token="old"), Thing(1, "Sales", 1, token="new", plan="x" * 2000)
    assert audit.changes(before, after, secret={"token"}) == {"token": "changed", "plan": "changed"}


async def test_old_rows_are_swept_and_no_others(database: Database, clock: FrozenClock) -> None:
    await database.transaction(audit.note, NARE, "queue.changed", "queue", 1, {})
    clock.advance(days=2)
    await database.transaction(audit.note, NARE, "queue.changed", "queue", 2, {})
    assert not await database.transaction(audit.sweep, clock.now - timedelta(days=1))
    assert [row["subject_id"] for row in await _rows(database)] == ["2"]
