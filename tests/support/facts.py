"""The facts that a scene has told, as the projector writes them down."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, select

from hub.kpi.facts import project
from hub.store.database import Database, Tx
from tests.support.clock import START


async def told(database: Database, table: Table) -> list[dict[str, Any]]:
    """The rows of a fact table, in the order of its key, once all that was told is projected."""

    def load(tx: Tx) -> list[dict[str, Any]]:
        while project(tx):
            pass
        return [dict(row._mapping) for row in tx.rows(select(table).order_by(*table.primary_key))]

    return await database.transaction(load)


def as_visit(row: dict[str, Any]) -> tuple[Any, ...]:
    """A stay in a queue as (queue, queued, removed, reason, agent), seconds counted from the start of the clock."""
    return (
        row["queue_id"],
        (row["queued_at"] - START).total_seconds(),
        (row["removed_at"] - START).total_seconds(),
        row["reason"],
        row["agent_id"],
    )
