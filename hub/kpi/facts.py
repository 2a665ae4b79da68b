"""The projector: turns the fact events of the stream into rows of fact_*, from which every figure is computed.

    event (kind fact.*) → project → fact_segment | fact_response | … → NumbersChanged, QueueNumbersChanged to whom it
                                                                       concerns

Invariants:
  * The rows, the checkpoint (table `projection`) and the events that tell of the figures are one transaction: a crash at
    any point loses nothing and repeats nothing.
  * A row is nothing but its event: rebuilding from nothing gives the same rows. Fact events are never pruned.
  * One projector at a time, whatever the number of processes: each step locks the checkpoint's row first. In the one
    lock order of the program it stands between message/outbox and STREAM, and nobody else takes it.
  * Each step reads a bounded window of the stream, so the writer is never held for long.

It also turns the day: at the organisation's midnight those who worked yesterday are told their new, empty numbers, and
so is everybody whose queue had calls.

It computes no figure; see kpi.measures for the formulas and kpi.board for the queries.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from sqlalchemy import Table, delete, func, select, update

from hub.domain.events import (
    FACT_KINDS,
    SUPERVISORS,
    AgentSpellEnded,
    CallEnded,
    CallMissed,
    CallSegmentEnded,
    ContactBegan,
    ConversationResolved,
    CustomerAnswered,
    FactEvent,
    NumbersChanged,
    OfferOver,
    QueueNumbersChanged,
    QueueVisitEnded,
    SegmentEnded,
    SurveyAnswered,
    SurveySent,
    queue_topic,
    user_topic,
)
from hub.domain.views import NumbersView, QueueNumbersView
from hub.errors import DatabaseAway
from hub.kpi.board import (
    PROJECTION,
    load_agents_between,
    load_numbers_of,
    load_numbers_of_queues,
    load_queues_between,
    load_zone,
)
from hub.kpi.measures import day_of, local_day, wall_s
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Stored, Wakes

log = logging.getLogger(__name__)

WAKE = "facts"

# One step looks at so many events of the stream. At some 45 microseconds a fact (SQLite, quiet machine) a window of
# nothing but facts holds the writer for 50 ms.
WINDOW = 1_000
# Without a wake it looks by itself this often; it is also how late the day may turn.
_LOOK_EVERY_S = 10.0
_RETRY_S = 0.5

# The name under which `projection` keeps the day (a date's ordinal) whose numbers the screens show.
_DAY = "facts.day"

_TABLES: dict[type[Any], Table] = {
    SegmentEnded: tables.fact_segment,
    CustomerAnswered: tables.fact_response,
    ConversationResolved: tables.fact_resolution,
    CallEnded: tables.fact_call,
    CallSegmentEnded: tables.fact_call_segment,
    CallMissed: tables.fact_call_missed,
    ContactBegan: tables.fact_contact,
    QueueVisitEnded: tables.fact_queue_visit,
    OfferOver: tables.fact_offer,
    AgentSpellEnded: tables.fact_agent_state,
    SurveySent: tables.fact_survey_sent,
    SurveyAnswered: tables.fact_survey,
}
_FIELDS = {
    kind: tuple(field.name for field in fields(kind) if field.name not in ("kind", "replaces")) for kind in _TABLES
}
_FACT: TypeAdapter[FactEvent] = TypeAdapter(Annotated[FactEvent, Field(discriminator="kind")])

_e, _p = tables.event.c, tables.projection.c


class Projector:
    """`follow` hears of new facts, `run` projects them."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes

    def follow(self, events: list[Stored]) -> None:
        """A follower for store.stream.Tail."""
        if any(event.kind in FACT_KINDS for event in events):
            self._wakes.set(WAKE)

    async def run(self) -> None:
        """Waits while the database is away; anything else that goes wrong ends it (and the process, loudly)."""
        is_away = False
        while True:
            try:
                is_behind = await self._database.transaction(project)
            except DatabaseAway as error:
                if not is_away:
                    log.warning("kpi.away", extra={"detail": error.message})
                is_away = True
                await asyncio.sleep(_RETRY_S)
                continue
            if is_away:
                log.info("kpi.back")
                is_away = False
            if not is_behind:
                await self._wakes.wait(WAKE, _LOOK_EVERY_S)


async def rebuild_facts(database: Database) -> int:
    """`hub kpi rebuild`: all fact rows anew, in one transaction; then what the projector had not seen yet. Safe beside
    a running hub. Returns how many facts were projected again."""
    count = await database.transaction(rebuild)
    while await database.transaction(project):
        pass
    return count


# --- units of work ---------------------------------------------------------------------------------------------------


def project(tx: Tx) -> bool:
    """Projects the next window of the stream and tells whose numbers of today changed. True if there is more to do."""
    cursor = _lock_checkpoint(tx)
    end, count = _window(tx, cursor)
    facts = _load_facts(tx, cursor, end) if count else []
    is_full = count == WINDOW
    if facts:
        agents = {
            fact.agent_id
            for fact in facts
            if not isinstance(fact, CallEnded | ContactBegan) and fact.agent_id is not None
        }
        before = load_numbers_of(tx, agents, tx.now)
        _store_facts(tx, facts)
        _set_checkpoint(tx, PROJECTION, end)
        _emit_changed(tx, before, load_numbers_of(tx, agents, tx.now))
        _emit_of_queues(tx, load_numbers_of_queues(tx, _queues_of_today(tx, facts), tx.now))
    elif is_full:
        # Screen events alone: the checkpoint moves on now and then, so that no later step has far to look.
        _set_checkpoint(tx, PROJECTION, end)
    _turn_day(tx)
    return is_full


def rebuild(tx: Tx) -> int:
    """Forgets all rows and projects every fact again, as far as the projector had come. Figures do not change, so
    nobody is told. Returns the number of facts."""
    target = _lock_checkpoint(tx)
    for table in _TABLES.values():
        tx.execute(delete(table))
    cursor = total = 0
    while cursor < target:
        end, count = _window(tx, cursor)
        if not count:
            break
        facts = _load_facts(tx, cursor, min(end, target))
        _store_facts(tx, facts)
        total += len(facts)
        cursor = end
    return total


def _lock_checkpoint(tx: Tx) -> int:
    """The seq up to which everything is projected; locked until the commit, so one projector works at a time."""
    wanted = select(_p.seq).where(_p.name == PROJECTION).with_for_update()
    seq = tx.scalar(wanted)
    if seq is None:
        tx.insert_new(tables.projection, [{"name": PROJECTION, "seq": 0}])
        seq = tx.scalar(wanted)
    return int(seq)


def _set_checkpoint(tx: Tx, name: str, seq: int) -> None:
    tx.execute(update(tables.projection).where(_p.name == name).values(seq=seq))


def _window(tx: Tx, cursor: int) -> tuple[int, int]:
    """(last seq, number) of the next WINDOW events of any kind. The order of seq is the order of commits, so nothing
    can come in below that seq later."""
    window = select(_e.seq).where(_e.seq > cursor).order_by(_e.seq).limit(WINDOW).subquery()
    found = select(func.max(window.c.seq).label("end"), func.count().label("size")).select_from(window)
    row = tx.execute(found).one()
    return (int(row.end), int(row.size)) if row.size else (cursor, 0)


def _load_facts(tx: Tx, cursor: int, end: int) -> list[FactEvent]:
    wanted = select(_e.body).where(_e.seq > cursor, _e.seq <= end, _e.kind.in_(FACT_KINDS)).order_by(_e.seq)
    return [_FACT.validate_json(body) for body in tx.execute(wanted).scalars()]


def _store_facts(tx: Tx, facts: Iterable[FactEvent]) -> None:
    """A fact that has a row already is left alone, but for a score in whose place the customer gave another."""
    rows: dict[type[Any], list[dict[str, Any]]] = {}
    corrections = []
    for fact in facts:
        if isinstance(fact, SurveyAnswered) and fact.replaces is not None:
            corrections.append(fact)
            continue
        rows.setdefault(type(fact), []).append(_row(fact))
    for kind, of_kind in rows.items():
        tx.insert_new(_TABLES[kind], of_kind)
    scores = tables.fact_survey
    for fact in corrections:
        tx.execute(update(scores).where(scores.c.survey_id == fact.survey_id).values(score=fact.score))


def _row(fact: FactEvent) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(fact, name) for name in _FIELDS[type(fact)]}
    if isinstance(fact, CustomerAnswered):
        row["wall_s"] = wall_s(fact.asked_at, fact.answered_at)
    elif isinstance(fact, ConversationResolved):
        row["wall_s"] = wall_s(fact.opened_at, fact.resolved_at)
    return row


def _turn_day(tx: Tx) -> None:
    """When the day has changed since the last look (midnight, or a new time zone), the screens of all who had numbers
    are told; under the checkpoint's lock, so one process does it once."""
    zone = load_zone(tx)
    today = local_day(tx.now, zone)
    shown = tx.scalar(select(_p.seq).where(_p.name == _DAY))
    if shown == today.date.toordinal():
        return
    if shown is None:
        tx.insert_new(tables.projection, [{"name": _DAY, "seq": today.date.toordinal()}])
        return
    _set_checkpoint(tx, _DAY, today.date.toordinal())
    since = day_of(min(date.fromordinal(shown), today.date), zone).start
    agents = load_agents_between(tx, since, today.end)
    _emit(tx, load_numbers_of(tx, agents, tx.now).values())
    _emit_of_queues(tx, load_numbers_of_queues(tx, load_queues_between(tx, since, today.end), tx.now))


def _queues_of_today(tx: Tx, facts: Iterable[FactEvent]) -> set[int]:
    """The queues in whose figures of today these facts show. A day of a large queue is some thousand facts: it is not read
    twice to learn whether anything has changed, since every call changes something."""
    of_calls = [fact for fact in facts if isinstance(fact, CallEnded | CallSegmentEnded | CallMissed)]
    if not of_calls:
        return set()
    today = local_day(tx.now, load_zone(tx))
    return {fact.queue_id for fact in of_calls if fact.queue_id is not None and fact.ended_at in today}


def _emit_changed(tx: Tx, before: dict[int, NumbersView], after: dict[int, NumbersView]) -> None:
    _emit(tx, [new for agent, new in after.items() if replace(before[agent], as_of_seq=new.as_of_seq) != new])


def _emit(tx: Tx, changed: Iterable[NumbersView]) -> None:
    for numbers in changed:
        tx.emit(NumbersChanged(numbers), {user_topic(numbers.user_id), SUPERVISORS})


def _emit_of_queues(tx: Tx, changed: dict[int, QueueNumbersView]) -> None:
    for queue_id, numbers in sorted(changed.items()):
        tx.emit(QueueNumbersChanged(numbers), {queue_topic(queue_id), SUPERVISORS})
