"""The projector: turns the fact events of the stream into rows of fact_*, from which every figure is computed.

    event (kind fact.*) → project → fact_segment | fact_response | … → kpi_cell, kpi_sketch → NumbersChanged,
                                                                       QueueNumbersChanged to whom it concerns

Invariants:
  * The rows, the cells, the checkpoint (table `projection`) and the events that tell of the figures are one transaction: a
    crash at any point loses nothing and repeats nothing. A row is there if and only if the cells count it.
  * A row is its event and what other facts make of it (kpi.sequels), a cell is the sum of what its rows add: rebuilding from
    nothing gives the same, bit for bit, wherever the windows are cut. Fact events are never pruned.
  * Cells of an older release, or of other time zones, are made anew by themselves, in bounded steps.
  * One projector at a time, whatever the number of processes: each step locks the checkpoint's row first. In the one
    lock order of the program it stands between message/outbox and STREAM, and nobody else takes it.
  * Each step reads a bounded window of the stream, so the writer is never held for long.

It also turns the day: at the organisation's midnight those who worked yesterday or are signed in are told their new numbers,
and so is everybody whose queue had anything. When service level is to be counted otherwise, all queues are told.

It computes no figure; see kpi.measures for the formulas, kpi.board and kpi.figures for the queries.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Annotated, Any
from zlib import crc32
from zoneinfo import ZoneInfo

from pydantic import Field, TypeAdapter
from sqlalchemy import delete, func, select, tuple_, update

from hub.domain.events import (
    FACT_KINDS,
    SUPERVISORS,
    AgentChanged,
    AgentSpellEnded,
    ContactBegan,
    ConversationResolved,
    FactEvent,
    FigureDefaultsChanged,
    NumbersChanged,
    QueueNumbersChanged,
    QueueVisitEnded,
    SegmentEnded,
    SurveyAnswered,
    queue_topic,
    user_topic,
)
from hub.domain.views import NumbersView, QueueNumbersView
from hub.errors import DatabaseAway
from hub.kpi.belonging import load_placing, load_zone
from hub.kpi.board import (
    AGENT_COUNTERS,
    load_agents_between,
    load_backlog,
    load_level,
    load_numbers_of,
    load_numbers_of_queues,
    load_queues_between,
    load_signed_in,
    queue_counters,
)
from hub.kpi.cells import Dim
from hub.kpi.days import Grain, local_day
from hub.kpi.fact_rows import TABLES, make_row
from hub.kpi.figures import PROJECTION
from hub.kpi.kept_cells import Changes, add_changes
from hub.kpi.new_facts import correct_scores, fold_new
from hub.kpi.placing import Placing
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
# Windows of a busy floor begin no sooner after one another: what changes many times meanwhile is read and told once. Well
# within the second in which it shall be on the screens.
_PACE_S = 0.2

# The name under which `projection` keeps the day (a date's ordinal) whose numbers the screens show.
_DAY = "facts.day"
# … how service level was counted when it was told last (crc32).
_LEVEL = "facts.level"
# … what its cells were made by (_version_of), up to where a rebuild has to come, and whether it is still forgetting.
_CELLS, _REBUILDING, _FORGETTING = "facts.cells", "facts.rebuilding", "facts.forgetting"
# The layout of kpi_cell and kpi_sketch and the way facts are folded into them: another one is made anew by itself.
CELLS_VERSION = 2
# So many rows are forgotten in one step: 100 ms.
_FORGET = 20_000

_MICROSECOND = timedelta(microseconds=1)

_HEEDED = {*FACT_KINDS, AgentChanged.KIND, FigureDefaultsChanged.KIND}
_FACT: TypeAdapter[FactEvent] = TypeAdapter(Annotated[FactEvent, Field(discriminator="kind")])

_e, _p = tables.event.c, tables.projection.c


class Projector:
    """`follow` hears of new facts, `run` projects them."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes

    def follow(self, events: list[Stored]) -> None:
        """A follower for store.stream.Tail."""
        if any(event.kind in _HEEDED for event in events):
            self._wakes.set(WAKE)

    async def run(self) -> None:
        """Waits while the database is away; anything else that goes wrong ends it (and the process, loudly)."""
        is_away = False
        while True:
            began = monotonic()
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
                await asyncio.sleep(max(0.0, began + _PACE_S - monotonic()))


async def rebuild_facts(database: Database) -> int:
    """`hub kpi rebuild`: all rows and cells anew from the stream, in steps of bounded size; then what the projector had not
    seen yet. Safe beside a running hub, which tells figures of the past as not complete meanwhile; killed in the middle, any
    hub goes on with it. Returns how many facts there were again."""
    await database.transaction(begin_rebuild)
    while await database.transaction(project):
        pass
    return await database.read(count_rebuilt)


# --- units of work ---------------------------------------------------------------------------------------------------


def project(tx: Tx) -> bool:
    """Projects the next window of the stream and tells whose numbers of today changed. True if there is more to do."""
    cursor = _lock_checkpoint(tx)
    placing = load_placing(tx)
    marks = _load_marks(tx)
    if marks[_CELLS] != (version := _version_of(placing)):
        if cursor > 0 or marks[_FORGETTING]:
            # Cells of an older release, or of other time zones.
            begin_rebuild(tx)
            return True
        _set_mark(tx, _CELLS, version)
    if marks[_FORGETTING]:
        if not _forget(tx):
            _set_mark(tx, _FORGETTING, 0)
        return True
    end, count = _window(tx, cursor)
    if cursor < (target := marks[_REBUILDING]):
        # The figures on the screens are what they were, so nobody is told.
        end = min(end, target)
        _store_facts(tx, _load_facts(tx, cursor, end), placing)
        _set_mark(tx, PROJECTION, end)
        return True
    facts = _load_facts(tx, cursor, end) if count else []
    changed = _load_changed_agents(tx, cursor, end) if count else set()
    is_full = count == WINDOW
    if facts or changed:
        changes = _store_facts(tx, facts, placing)
        _set_mark(tx, PROJECTION, end)
        # What an agent does right now is theirs to be told, whatever it adds to their cells.
        changed |= {fact.agent_id for fact in facts if isinstance(fact, AgentSpellEnded)}
        changed |= _touched(
            changes, Dim.AGENT, AGENT_COUNTERS, lambda of: placing.zone_of_agent(of, tx.now), placing, tx.now
        )
        queues = _touched(changes, Dim.QUEUE, queue_counters(tx), lambda _: placing.zone, placing, tx.now)
        _emit(tx, load_numbers_of(tx, sorted(changed), tx.now, placing).values())
        _emit_of_queues(tx, load_numbers_of_queues(tx, queues | _shifted(tx, facts), tx.now))
    elif is_full:
        # Screen events alone: the checkpoint moves on now and then, so that no later step has far to look.
        _set_mark(tx, PROJECTION, end)
    _turn_day(tx, marks)
    _heed_level(tx, marks)
    return is_full


def lock_projected_until(tx: Tx) -> datetime:
    """Takes the projector's checkpoint, and returns an instant that is not before now and after every fact in the cells: what
    is so from then on was so for no fact that has been placed."""
    seq = _lock_checkpoint(tx)
    # Facts are told in about the order in which they happen.
    lately = (
        select(_e.at).where(_e.seq <= seq, _e.kind.in_(FACT_KINDS)).order_by(_e.seq.desc()).limit(WINDOW).subquery()
    )
    last = tx.scalar(select(func.max(lately.c.at)))
    return tx.now if last is None or last < tx.now else last + _MICROSECOND


def without_rebuild(tx: Tx) -> Callable[[], None]:
    """Before a zone comes in to which nothing belongs yet: takes the checkpoint, and returns what is to be called after it.
    Cells that were right stay so."""
    _lock_checkpoint(tx)
    was_right = _load_marks(tx)[_CELLS] == _version_of(load_placing(tx))

    def after() -> None:
        if was_right:
            _set_mark(tx, _CELLS, _version_of(load_placing(tx)))

    return after


def begin_rebuild(tx: Tx) -> None:
    """From here on `project` first forgets all rows and cells, then makes them anew as far as it had come."""
    seq = _lock_checkpoint(tx)
    _set_mark(tx, _REBUILDING, max(seq, _load_marks(tx)[_REBUILDING]))
    _set_mark(tx, _FORGETTING, 1)
    _set_mark(tx, _CELLS, _version_of(load_placing(tx)))
    _set_mark(tx, PROJECTION, 0)


def count_rebuilt(tx: Tx) -> int:
    """How many facts the last rebuild made anew."""
    return int(
        tx.scalar(
            select(func.count())
            .select_from(tables.event)
            .where(_e.seq <= _load_marks(tx)[_REBUILDING], _e.kind.in_(FACT_KINDS))
        )
    )


def _forget(tx: Tx) -> bool:
    """Removes some rows; True if there may be more."""
    left = _FORGET
    for table in (*TABLES.values(), tables.kpi_cell, tables.kpi_sketch):
        keys = tuple(table.primary_key)
        some = select(*keys).limit(left)
        gone = tx.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount
        left -= gone
        if left <= 0:
            return True
    return False


def _version_of(placing: Placing) -> int:
    """What the cells that are kept were made by: their layout, and the time zones of their days."""
    zones = [placing.zone.key, *(f"{team} {zone.key}" for team, zone in sorted(placing.team_zones.items()))]
    return CELLS_VERSION << 32 | crc32("\n".join(zones).encode())


def _lock_checkpoint(tx: Tx) -> int:
    """The seq up to which everything is projected; locked until the commit, so one projector works at a time."""
    wanted = select(_p.seq).where(_p.name == PROJECTION).with_for_update()
    seq = tx.scalar(wanted)
    if seq is None:
        tx.insert_new(tables.projection, [{"name": PROJECTION, "seq": 0}])
        seq = tx.scalar(wanted)
    return int(seq)


def _load_marks(tx: Tx) -> Counter[str]:
    """Everything the projector keeps in mind; what it has not written down yet is zero."""
    return Counter({row.name: row.seq for row in tx.rows(select(_p.name, _p.seq))})


def _set_mark(tx: Tx, name: str, seq: int) -> None:
    if not tx.execute(update(tables.projection).where(_p.name == name).values(seq=seq)).rowcount:
        tx.insert_new(tables.projection, [{"name": name, "seq": seq}])


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


def _store_facts(tx: Tx, facts: Iterable[FactEvent], placing: Placing) -> Changes:
    """The rows of facts, and what they add to the cells, which is returned; a fact that has a row already is left alone, but
    for a score in whose place the customer gave another."""
    by_kind: dict[type[Any], list[FactEvent]] = {}
    corrections = []
    for fact in facts:
        if isinstance(fact, SurveyAnswered) and fact.replaces is not None:
            corrections.append(fact)
            continue
        by_kind.setdefault(type(fact), []).append(fact)
    new: list[FactEvent] = []
    for kind, of_kind in by_kind.items():
        is_new = tx.insert_new(TABLES[kind], [make_row(fact) for fact in of_kind])
        new += [fact for fact, fresh in zip(of_kind, is_new, strict=True) if fresh]
    changes = Changes()
    if new:
        fold_new(tx, new, placing, changes)
    correct_scores(tx, corrections, placing, changes)
    add_changes(tx, changes)
    return changes


def _turn_day(tx: Tx, marks: Mapping[str, int]) -> None:
    """When the day has changed since the last look (midnight, or a new time zone), the screens of all who had numbers
    are told; under the checkpoint's lock, so one process does it once."""
    zone = load_zone(tx)
    today = local_day(tx.now, zone)
    shown = marks[_DAY]
    if shown == today.date.toordinal():
        return
    _set_mark(tx, _DAY, today.date.toordinal())
    if not shown:
        return
    since = min(date.fromordinal(shown), today.date)
    agents = load_agents_between(tx, since, today.date) | load_signed_in(tx)
    _emit(tx, load_numbers_of(tx, agents, tx.now).values())
    _emit_of_queues(tx, load_numbers_of_queues(tx, _busy_queues(tx, since, today.date), tx.now))


def _heed_level(tx: Tx, marks: Mapping[str, int]) -> None:
    """When the organisation counts service level otherwise than at the last look, all queues are told anew."""
    level, params = load_level(tx)
    counted = crc32(f"{level.id} {level.version} {params}".encode())
    if marks[_LEVEL] == counted:
        return
    _set_mark(tx, _LEVEL, counted)
    if marks[_LEVEL]:
        today = local_day(tx.now, load_zone(tx)).date
        _emit_of_queues(tx, load_numbers_of_queues(tx, _busy_queues(tx, today, today), tx.now))


def _busy_queues(tx: Tx, first: date, last: date) -> set[int]:
    return load_queues_between(tx, first, last) | load_backlog(tx).keys()


def _touched(
    changes: Changes,
    dim: Dim,
    counters: Collection[str],
    zone_of: Callable[[int], ZoneInfo],
    placing: Placing,
    now: datetime,
) -> set[int]:
    """Of whom something has changed today that the screens show."""
    touched = set()
    for key, counts in changes.counts.items():
        if key.grain != Grain.DAY or key.dim != dim or not any(counts.get(name) for name in counters):
            continue
        whose = int(key.dim_id)
        if key.start == placing.day(now, zone_of(whose)):
            touched.add(whose)
    return touched


def _shifted(tx: Tx, facts: Iterable[FactEvent]) -> set[int]:
    """The queues in which more or less is open after these facts than before."""
    queues: set[int] = set()
    held: dict[int, int] = {}
    for fact in facts:
        if isinstance(fact, ContactBegan | ConversationResolved):
            queues.add(fact.queue_id)
        elif isinstance(fact, QueueVisitEnded | SegmentEnded):
            held[fact.conversation_id] = fact.queue_id
    if held:
        # Who left a queue for another is open there.
        c = tables.conversation.c
        for row in tx.rows(select(c.id, c.queue_id).where(c.id.in_(held))):
            if row.queue_id != held[row.id]:
                queues |= {row.queue_id, held[row.id]}
    return queues


def _load_changed_agents(tx: Tx, cursor: int, end: int) -> set[int]:
    """Who may do something else now than before, as the screens were told."""
    wanted = select(_e.body).where(_e.seq > cursor, _e.seq <= end, _e.kind == AgentChanged.KIND)
    return {int(json.loads(body)["agent"]["user_id"]) for body in tx.execute(wanted).scalars()}


def _emit(tx: Tx, changed: Iterable[NumbersView]) -> None:
    for numbers in changed:
        tx.emit(NumbersChanged(numbers), {user_topic(numbers.user_id), SUPERVISORS})


def _emit_of_queues(tx: Tx, changed: dict[int, QueueNumbersView]) -> None:
    for queue_id, numbers in sorted(changed.items()):
        tx.emit(QueueNumbersChanged(numbers), {queue_topic(queue_id), SUPERVISORS})
