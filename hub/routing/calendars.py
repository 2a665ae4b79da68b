"""Calendars as they are kept: each version for ever, so that clocks are read by the calendar of their time.

The body of a version is what people typed: `{"zone", "week": [[["09:00", "18:00"], …], … seven days], "special": [{"day",
"hours", "name", "source"}, …]}`, read by routing.calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from hub.errors import NotFound
from hub.routing.calendar import ALWAYS, Calendar, Faults, SpecialDayText, read_calendar
from hub.store import tables
from hub.store.database import Tx

_cv = tables.calendar_version.c


def load_calendar(tx: Tx, calendar_id: int | None, version: int | None = None) -> Calendar:
    """In that version, or as it is now; None is always open. NotFound if there is none."""
    if calendar_id is None:
        return ALWAYS
    query = select(_cv.body).where(_cv.calendar_id == calendar_id).order_by(_cv.version.desc()).limit(1)
    body = tx.scalar(query if version is None else query.where(_cv.version == version))
    if body is None:
        raise NotFound("there is no such calendar")
    return read_stored(body)


def read_stored(body: Mapping[str, Any]) -> Calendar:
    """The calendar that a stored body is."""
    week = [[(opens, closes) for opens, closes in day] for day in body["week"]]
    special = [
        SpecialDayText(each["day"], [(opens, closes) for opens, closes in each["hours"]], each["name"], each["source"])
        for each in body["special"]
    ]
    calendar = read_calendar(body["zone"], week, special)
    # What is stored was read before it was stored; only the time zone database may have changed since.
    if isinstance(calendar, Faults):
        raise ValueError(f"a stored calendar cannot be read: {dict(calendar.fields)}")
    return calendar
