"""Figures of a moment (kpi.moments), kept as they were at each quarter of an hour: the past of what has no facts.

    is_due (reads only) → keep_moments: kpi.live_figures of every queue and of all together → queue_moment

Invariants:
  * What is kept is what live screens and limits were told at that instant: the same functions over the same rows, all of one
    transaction.
  * A quarter is kept once. The row of all (queue 0) is inserted first and is the lock: of several processes the second finds
    it and goes; so does a clock that was set back, and the first row stays.
  * A quarter at whose begin no hub ran has no row and is a gap, never a zero. Who comes late (_GRACE_S) keeps nothing, since
    that would be the figure of another moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from hub.errors import DatabaseAway
from hub.kpi.days import INTERVAL, interval_number, interval_start
from hub.kpi.live_figures import Watched, load_values
from hub.kpi.measures import Unit
from hub.kpi.moments import MOMENTS
from hub.store import tables
from hub.store.database import Database, Tx

# The row of all queues together.
OF_ALL = 0

# Looked for this often, since a machine that sleeps, or whose clock is set, wakes no timer.
_LOOK_EVERY_S = 15.0
# A hub that is busy for some seconds still keeps the quarter; one that was started in its midst does not.
_GRACE_S = 60.0
_RETRY_S = 0.5

_m = tables.queue_moment.c


class MomentKeeper:
    """`run` keeps every quarter of an hour as it begins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        while True:
            try:
                if await self._database.read(is_due):
                    await self._database.transaction(keep_moments)
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            await asyncio.sleep(min(rest_s(self._database.clock()), _LOOK_EVERY_S))


def rest_s(now: datetime) -> float:
    """Until the next quarter begins."""
    return (interval_start(interval_number(now)) + INTERVAL - now).total_seconds()


def is_due(tx: Tx) -> bool:
    """Whether a quarter has just begun that nobody has kept yet. Only reads."""
    number = interval_number(tx.now)
    if tx.now - interval_start(number) >= timedelta(seconds=_GRACE_S):
        return False
    return tx.first(select(_m.start).where(_m.queue_id == OF_ALL, _m.start == number)) is None


def keep_moments(tx: Tx) -> bool:
    """Keeps this quarter if that is due; says whether it did."""
    if not is_due(tx):
        return False
    number = interval_number(tx.now)
    queue_ids = list(tx.execute(select(tables.queue.c.id).order_by(tables.queue.c.id)).scalars())
    watched: list[tuple[int, Watched]] = [(OF_ALL, Watched(figure, "all", None)) for figure in MOMENTS]
    watched += [(queue_id, Watched(figure, "queue", queue_id)) for queue_id in queue_ids for figure in MOMENTS]
    values = load_values(tx, (each for _, each in watched))
    rows: dict[int, dict[str, Any]] = {}
    for queue_id, each in watched:
        row = rows.setdefault(queue_id, {"queue_id": queue_id, "start": number})
        row[column_of(each.figure)] = _kept(values.get(each), MOMENTS[each.figure].unit)
    if tx.insert_new(tables.queue_moment, [rows.pop(OF_ALL)]) != [True]:
        return False
    tx.insert_new(tables.queue_moment, list(rows.values()))
    return True


def column_of(figure: str) -> str:
    """Seconds are kept as whole milliseconds."""
    return f"{figure[:-2]}_ms" if MOMENTS[figure].unit is Unit.SECONDS else figure


def _kept(value: float | None, unit: Unit) -> int | None:
    if value is None:
        return None
    return round(value * 1000) if unit is Unit.SECONDS else int(value)


def load_kept(
    tx: Tx, queue_id: int, figures: Collection[str], first: int, beyond: int
) -> Mapping[int, Mapping[str, float]]:
    """Quarter (first <= start < beyond) → what is known of it, counts or seconds; a quarter that nobody kept is not in it.
    `queue_id`: one, or OF_ALL."""
    columns = {figure: _m[column_of(figure)] for figure in figures}
    query = select(_m.start, *columns.values()).where(_m.queue_id == queue_id, _m.start >= first, _m.start < beyond)
    kept: dict[int, dict[str, float]] = {}
    for row in tx.rows(query):
        values: list[int | None] = list(row[1:])
        of_quarter = zip(figures, values, strict=True)
        kept[row.start] = {figure: _told(value, figure) for figure, value in of_quarter if value is not None}
    return kept


def _told(value: int, figure: str) -> float:
    return value / 1000 if MOMENTS[figure].unit is Unit.SECONDS else float(value)
