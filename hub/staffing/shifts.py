"""Schedules as they are kept: weeks that repeat, and the days that are not as the week says.

Each write replaces a whole week or a whole day of one agent, so of two at once the last holds and no day is a mixture. A
day is the calendar day of the organisation's time zone. Past days may be corrected: adherence is then that of the
corrected plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import delete, func, select

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput, NotFound
from hub.routing.calendar import DAY_NAMES, clock_text, parse_clock
from hub.staffing.schedule import Activity, Piece, Pieces, PieceText, Plan, Week, read_csv, read_pieces
from hub.store import tables
from hub.store.database import Tx

_sw, _sd, _u, _a = tables.shift_week.c, tables.shift_day.c, tables.user_account.c, tables.agent.c

# Of a file with a thousand wrong lines nobody reads more.
_FAULTS_TOLD = 50


@dataclass(frozen=True, slots=True)
class Person:
    user_id: int
    name: str


def load_people(tx: Tx, user_ids: Collection[int] | None = None) -> list[Person]:
    """Everybody who can be scheduled (active agents), by name; all or those of `user_ids`."""
    query = (
        select(_a.user_id, _u.name).join(tables.user_account, _u.id == _a.user_id).where(_u.active).order_by(_u.name)
    )
    rows = tx.rows(query if user_ids is None else query.where(_a.user_id.in_(user_ids)))
    return [Person(row.user_id, row.name) for row in rows]


def load_plans(tx: Tx, user_ids: Collection[int], first: date, last: date) -> dict[int, Plan]:
    """The plans of these agents, with own days of first to last; also of the two days before, whose nights reach in."""
    weeks: defaultdict[int, list[Week]] = defaultdict(list)
    query = select(_sw.agent_id, _sw.since, _sw.days).where(_sw.agent_id.in_(user_ids)).order_by(_sw.since)
    for row in tx.rows(query):
        weeks[row.agent_id].append(Week(date.fromisoformat(row.since), tuple(_stored(day) for day in row.days)))
    own: defaultdict[int, dict[date, Pieces]] = defaultdict(dict)
    of_days = _sd.day.between((first - timedelta(days=2)).isoformat(), last.isoformat())
    for row in tx.rows(select(_sd.agent_id, _sd.day, _sd.pieces).where(_sd.agent_id.in_(user_ids), of_days)):
        own[row.agent_id][date.fromisoformat(row.day)] = _stored(row.pieces)
    return {user_id: Plan(tuple(weeks[user_id]), own[user_id]) for user_id in user_ids}


def save_week(
    tx: Tx, user_id: int, since: date, typed: Sequence[Sequence[PieceText]], *, actor: Viewer | None = None
) -> None:
    """What repeats from `since` on; weeks that began earlier hold until then, later ones stay. Seven empty days end the
    schedule. InvalidInput naming every fault, as `week.monday.0`."""
    _lock_agent(tx, user_id)
    faults: dict[str, str] = {}
    if len(typed) != len(DAY_NAMES):
        faults["week"] = Sentence("has {count} days instead of 7", count=len(typed))
    days = [read_pieces(pieces, f"week.{name}", faults) for name, pieces in zip(DAY_NAMES, typed, strict=False)]
    _raise(faults)
    tx.execute(delete(tables.shift_week).where(_sw.agent_id == user_id, _sw.since == since.isoformat()))
    row = {"agent_id": user_id, "since": since.isoformat(), "days": [_storable(pieces) for pieces in days]}
    tx.insert_new(tables.shift_week, [row])
    _note(tx, actor, "shifts.week_saved", user_id, since)


def save_day(tx: Tx, user_id: int, day: date, typed: Sequence[PieceText], *, actor: Viewer | None = None) -> None:
    """A day that is not as the week says; no pieces: a day off. InvalidInput naming every fault, as `pieces.0`."""
    _lock_agent(tx, user_id)
    faults: dict[str, str] = {}
    pieces = read_pieces(typed, "pieces", faults)
    _raise(faults)
    _write_days(tx, {(user_id, day): pieces})
    _note(tx, actor, "shifts.day_saved", user_id, day)


def clear_day(tx: Tx, user_id: int, day: date, *, actor: Viewer | None = None) -> None:
    """As the week says again; nothing happens if it was."""
    _lock_agent(tx, user_id)
    if tx.execute(delete(tables.shift_day).where(_sd.agent_id == user_id, _sd.day == day.isoformat())).rowcount:
        _note(tx, actor, "shifts.day_cleared", user_id, day)


def _note(tx: Tx, actor: Viewer | None, action: str, user_id: int, day: date) -> None:
    name = tx.scalar(select(_u.name).where(_u.id == user_id))
    audit.note(tx, actor, action, "user", user_id, {"name": str(name or ""), "day": day.isoformat()})


def copy_week(
    tx: Tx,
    source: date,
    target: date,
    user_ids: Collection[int] | None = None,
    *,
    actor: Viewer | None = None,
) -> int:
    """The seven days from the Monday `source` on become own days from the Monday `target` on, of all agents or these.
    Returns how many days were written. InvalidInput if one is no Monday or both are the same."""
    faults: dict[str, str] = {
        name: Sentence("is not a Monday")
        for name, day in (("source", source), ("target", target))
        if day.weekday() != 0
    }
    if source == target:
        faults.setdefault("target", Sentence("is the week that is copied"))
    _raise(faults)
    people = [person.user_id for person in load_people(tx, user_ids)]
    for user_id in sorted(people):
        _lock_agent(tx, user_id)
    plans = load_plans(tx, people, source, source + timedelta(days=6))
    # Who has no schedule at all does not get seven days off from it.
    days = {
        (user_id, target + timedelta(days=step)): plan.on(source + timedelta(days=step))
        for user_id, plan in plans.items()
        if plan.weeks or plan.own_days
        for step in range(7)
    }
    _write_days(tx, days)
    told: dict[str, audit.JSON] = {"source": source.isoformat(), "day": target.isoformat(), "days": len(days)}
    audit.note(tx, actor, "shifts.copied", "shifts", "", told)
    return len(days)


def import_csv(tx: Tx, text: str, *, actor: Viewer | None = None) -> int:
    """Own days from lines of agent (e-mail address), day, starts, ends, activity; each day that is named is replaced by what
    the file says of it. Returns how many days were written. All or nothing: InvalidInput names each wrong line."""
    faults: dict[str, str] = {}
    rows = read_csv(text, faults)
    addresses = {row.agent.lower() for row in rows}
    query = select(_a.user_id, _u.email).join(tables.user_account, _u.id == _a.user_id)
    known = {
        row.email.lower(): row.user_id for row in tx.rows(query.where(func.lower(_u.email).in_(addresses), _u.active))
    }
    of_days: defaultdict[tuple[int, date], list[tuple[int, PieceText]]] = defaultdict(list)
    for row in rows:
        user_id = known.get(row.agent.lower())
        if user_id is None:
            faults[f"line {row.line}"] = Sentence("there is no active agent with this address")
        else:
            of_days[user_id, row.day].append((row.line, row.piece))
    days: dict[tuple[int, date], Pieces] = {}
    for key, pieces in of_days.items():
        wrong: dict[str, str] = {}
        days[key] = read_pieces([piece for _, piece in pieces], "line", wrong)
        for name, words in wrong.items():
            number = name.partition(".")[2]
            # A day with too many pieces is told at the first of them.
            faults[f"line {pieces[int(number or 0)][0]}"] = words
    if not rows and not faults:
        faults["line 2"] = Sentence("is missing: there is nothing to import")
    _raise(dict(list(faults.items())[:_FAULTS_TOLD]))
    for user_id in sorted({user_id for user_id, _ in days}):
        _lock_agent(tx, user_id)
    _write_days(tx, days)
    audit.note(tx, actor, "shifts.imported", "shifts", "", {"days": len(days)})
    return len(days)


def piece_texts(pieces: Pieces) -> list[PieceText]:
    return [PieceText(clock_text(piece.starts), clock_text(piece.ends), piece.activity.value) for piece in pieces]


def _lock_agent(tx: Tx, user_id: int) -> None:
    """Whoever writes an agent's schedule holds their row, so two who replace the same day take turns."""
    if tx.first(select(_a.user_id).where(_a.user_id == user_id).with_for_update()) is None:
        raise NotFound("there is no such agent")


def _write_days(tx: Tx, days: Mapping[tuple[int, date], Pieces]) -> None:
    for user_id in {user_id for user_id, _ in days}:
        named = [day.isoformat() for each, day in days if each == user_id]
        tx.execute(delete(tables.shift_day).where(_sd.agent_id == user_id, _sd.day.in_(named)))
    tx.insert_new(
        tables.shift_day,
        [
            {"agent_id": user_id, "day": day.isoformat(), "pieces": _storable(pieces)}
            for (user_id, day), pieces in days.items()
        ],
    )


def _raise(faults: Mapping[str, str]) -> None:
    if faults:
        raise InvalidInput("this is no schedule yet", fields=faults)


def _storable(pieces: Pieces) -> list[list[str]]:
    return [[text.starts, text.ends, text.activity] for text in piece_texts(pieces)]


def _stored(body: Sequence[Sequence[Any]]) -> Pieces:
    read = ((parse_clock(starts), parse_clock(ends), Activity(activity)) for starts, ends, activity in body)
    return tuple(Piece(starts, ends, what) for starts, ends, what in read if starts is not None and ends is not None)
