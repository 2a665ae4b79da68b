"""Calendars as they are kept: each version for ever, so that clocks are read by the calendar of their time.

The body of a version is what people typed: `{"zone", "week": [[["09:00", "18:00"], …], … seven days], "special": [{"day",
"hours", "name", "source"}, …]}`, read by routing.calendar. A calendar that queues, rules in force or the clocks of open
conversations go by is not removed. Whoever saves one tells the clocks, which read calendars (clocks.calendar_changed).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.calls.flows_in_force import flows_naming
from hub.domain.sentences import Sentence
from hub.domain.views import CalendarUseView, CalendarView, SpecialDayView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing.calendar import Calendar, Faults, SpecialDayText, is_open, next_change, read_calendar
from hub.routing.rules_in_force import rules_naming
from hub.store import tables
from hub.store.database import Tx

log = logging.getLogger(__name__)

_cal, _cv, _q = tables.calendar.c, tables.calendar_version.c, tables.queue.c
_g, _c = tables.escalation_segment.c, tables.conversation.c


@dataclass(frozen=True, slots=True)
class CalendarText:
    """A calendar as it was typed: `week` has seven days, Monday first, of pairs of HH:MM."""

    name: str
    zone: str
    week: Sequence[Sequence[tuple[str, str]]]
    special: Sequence[SpecialDayText] = ()


def is_open_now(tx: Tx, calendar_id: int) -> bool:
    """By a calendar that is gone or cannot be read we are always there: nobody is turned away over it."""
    calendar = load_current(tx, [calendar_id]).get(calendar_id)
    return calendar is None or is_open(calendar, tx.now)


def load_current(tx: Tx, ids: Collection[int]) -> dict[int, Calendar]:
    """Those of `ids` that there are and that can be read, as they are now."""
    if not ids:
        return {}
    query = select(_cal.id, _cv.body).join(
        tables.calendar_version, (_cv.calendar_id == _cal.id) & (_cv.version == _cal.version)
    )
    read = {row.id: _read_or_none(row) for row in tx.rows(query.where(_cal.id.in_(ids)))}
    return {calendar_id: calendar for calendar_id, calendar in read.items() if calendar is not None}


def load_calendar_views(tx: Tx, ids: Collection[int] | None = None) -> list[CalendarView]:
    """All, or those of `ids`, by name."""
    query = (
        select(_cal.id, _cal.name, _cal.version, _cv.body)
        .join(tables.calendar_version, (_cv.calendar_id == _cal.id) & (_cv.version == _cal.version))
        .order_by(func.lower(_cal.name), _cal.id)
    )
    rows = tx.rows(query if ids is None else query.where(_cal.id.in_(ids)))
    queues: dict[int, list[int]] = {}
    for row in tx.rows(select(_q.id, _q.calendar_id).where(_q.calendar_id.is_not(None)).order_by(_q.id)):
        queues.setdefault(row.calendar_id, []).append(row.id)
    rules = rules_naming(tx, "calendar")
    return [
        _view(tx, row, CalendarUseView(tuple(queues.get(row.id, ())), tuple(rules.get(row.id, ())))) for row in rows
    ]


def load_calendar_view(tx: Tx, calendar_id: int) -> CalendarView:
    found = load_calendar_views(tx, [calendar_id])
    if not found:
        raise NotFound("there is no such calendar")
    return found[0]


def create_calendar(tx: Tx, text: CalendarText, *, actor: Viewer | None = None) -> CalendarView:
    """Conflict if the name is taken; InvalidInput naming every fault."""
    _check(text)
    _check_name(tx, text.name, None)
    row = tx.first(tx.insert_if_new(tables.calendar).values(name=text.name).returning(_cal.id))
    if row is None:  # somebody made it at this very moment
        raise _taken()
    _write_version(tx, row.id, 1, text)
    audit.note(tx, actor, "calendar.created", "calendar", row.id, {"name": text.name})
    return load_calendar_view(tx, row.id)


def save_calendar(
    tx: Tx,
    calendar_id: int,
    text: CalendarText,
    *,
    expected_version: int | None = None,
    actor: Viewer | None = None,
) -> CalendarView:
    """A new version. Conflict if the name is taken, or `version_conflict` if somebody changed it meanwhile; InvalidInput
    naming every fault."""
    _check(text)
    row = tx.first(select(_cal.version).where(_cal.id == calendar_id).with_for_update())
    if row is None:
        raise NotFound("there is no such calendar")
    if expected_version is not None and expected_version != row.version:
        raise Conflict("somebody changed this calendar meanwhile", code="version_conflict")
    _check_name(tx, text.name, calendar_id)
    before = load_calendar_view(tx, calendar_id)
    version = row.version + 1
    tx.execute(update(tables.calendar).where(_cal.id == calendar_id).values(name=text.name, version=version))
    _write_version(tx, calendar_id, version, text)
    tx.wake("routing")
    after = load_calendar_view(tx, calendar_id)
    told = [{field: getattr(view, field) for field in ("name", "zone", "week", "special")} for view in (before, after)]
    audit.note_change(tx, actor, "calendar.changed", "calendar", calendar_id, *told, name=before.name)
    return after


def delete_calendar(tx: Tx, calendar_id: int, *, actor: Viewer | None = None) -> None:
    """Conflict `in_use`, naming them, while queues, rules in force, menus or the clocks of open conversations go by it."""
    # Whoever begins to go by it holds its row meanwhile.
    row = tx.first(select(_cal.name).where(_cal.id == calendar_id).with_for_update())
    if row is None:
        raise NotFound("there is no such calendar")
    queues = [row.name for row in tx.rows(select(_q.name).where(_q.calendar_id == calendar_id).order_by(_q.name))]
    clocks = tx.scalar(
        select(func.count(func.distinct(_g.conversation_id)))
        .join(tables.conversation, _c.id == _g.conversation_id)
        .where(_g.calendar_id == calendar_id, _c.status == "open")
    )
    used = {
        "queues": ", ".join(queues),
        "rules": ", ".join(rules_naming(tx, "calendar").get(calendar_id, ())),
        "flows": ", ".join(flows_naming(tx, "calendar").get(calendar_id, ())),
        "conversations": Sentence("the clocks of {count}", count=clocks) if clocks else "",
    }
    used = {name: words for name, words in used.items() if words}
    if used:
        raise Conflict(f"in use by {'; '.join(used.values())}", code="in_use", fields=used)
    tx.execute(delete(tables.calendar).where(_cal.id == calendar_id))
    audit.note(tx, actor, "calendar.removed", "calendar", calendar_id, {"name": row.name})


def _check(text: CalendarText) -> None:
    read = read_calendar(text.zone, text.week, text.special)
    if isinstance(read, Faults):
        raise InvalidInput("this is no calendar yet", fields=read.fields)


def _check_name(tx: Tx, name: str, own_id: int | None) -> None:
    if tx.scalar(select(_cal.id).where(_cal.name == name, _cal.id != (own_id or 0))) is not None:
        raise _taken()


def _taken() -> Conflict:
    return Conflict("there is a calendar with this name", code="name_taken", fields={"name": Sentence("is taken")})


def _write_version(tx: Tx, calendar_id: int, version: int, text: CalendarText) -> None:
    body = {
        "zone": text.zone,
        "week": [[list(hours) for hours in day] for day in text.week],
        "special": [
            {
                "day": each.day,
                "hours": [list(hours) for hours in each.hours],
                "name": each.name,
                "source": each.source,
            }
            for each in text.special
        ],
    }
    tx.execute(
        insert(tables.calendar_version).values(calendar_id=calendar_id, version=version, since=tx.now, body=body)
    )


def _view(tx: Tx, row: Row[Any], used_by: CalendarUseView) -> CalendarView:
    # One that cannot be read is shown all the same: an administrator repairs it there.
    calendar = _read_or_none(row)
    return CalendarView(
        id=row.id,
        name=row.name,
        version=row.version,
        zone=calendar.zone if calendar is not None else row.body["zone"],
        week=tuple(tuple((opens, closes) for opens, closes in day) for day in row.body["week"]),
        special=tuple(
            SpecialDayView(
                each["day"], tuple((opens, closes) for opens, closes in each["hours"]), each["name"], each["source"]
            )
            for each in row.body["special"]
        ),
        is_open=calendar is not None and is_open(calendar, tx.now),
        changes_at=next_change(calendar, tx.now) if calendar is not None else None,
        used_by=used_by,
    )


def _read_or_none(row: Row[Any]) -> Calendar | None:
    """None if it cannot be read any more: that must not stop whatever does not need it."""
    try:
        return read_stored(row.body)
    except ValueError:
        log.exception("calendar.unreadable", extra={"calendar_id": row.id})
        return None


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
