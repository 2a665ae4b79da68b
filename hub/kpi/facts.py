"""The projector: turns the fact events of the stream into rows of fact_*, from which every figure is computed.

    event (kind fact.*) → project → fact_segment | fact_response | … → kpi_cell, kpi_sketch → NumbersChanged,
                                                                       QueueNumbersChanged to whom it concerns

Invariants:
  * The rows, the cells, the checkpoint (table `projection`) and the events that tell of the figures are one transaction: a
    crash at any point loses nothing and repeats nothing. A row is there if and only if the cells count it.
  * A row is its event and what other facts make of it (kpi.sequels), a cell is the sum of what its rows add: rebuilding from
    nothing gives the same, bit for bit, wherever the windows are cut. Fact events are never pruned.
  * Cells of an older release, or of other time zones, are made anew by themselves, in bounded steps. Meanwhile whoever shows,
    judges or learns from figures is told so (kpi.remaking), and all screens get them when they are whole.
  * One projector at a time, whatever the number of processes: each step locks the checkpoint's row first. In the one
    lock order of the program it stands between message/outbox and STREAM, and nobody else takes it.
  * Each step reads a bounded window of the stream, so the writer is never held for long.

It also turns the day: at the organisation's midnight those who worked yesterday or are signed in are told their new numbers,
and so is everybody whose queue had anything; at the midnight of teams with a zone of their own, their members.
When service level is to be counted otherwise, all queues are told.

It computes no figure; see kpi.measures for the formulas, kpi.board and kpi.figures for the queries.
"""

from __future__ import annotations

import asyncio
import json
import logging
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
    STAFF,
    SUPERVISORS,
    AgentChanged,
    AgentSpellEnded,
    ContactBegan,
    ConversationResolved,
    FactEvent,
    FigureDefaultsChanged,
    FiguresRemaking,
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
from hub.kpi.belonging import Known, load_placing, load_zone
from hub.kpi.board import (
    AGENT_COUNTERS,
    load_agents_between,
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
from hub.kpi.kept_cells import Changes, add_changes
from hub.kpi.new_facts import correct_scores, fold_new
from hub.kpi.open_work import load_backlog
from hub.kpi.placing import Placing
from hub.kpi.remaking import (
    CELLS,
    FORGETTING,
    PROJECTION,
    REBUILDING,
    cells_made_by,
    is_made_otherwise,
    load_marks,
    load_progress,
    make_view,
)
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Stored, Wakes

log = logging.getLogger(__name__)

WAKE = "facts"

# One step looks at so many events of the stream. At 45 to 90 microseconds a fact (SQLite; a quiet machine, a busy one) a
# window of nothing but facts holds the writer for 50 to 100 ms.
WINDOW = 1_000
# Without a wake it looks by itself this often, and when a day may turn.
_LOOK_EVERY_S, _QUARTER_S = 10.0, 900.0
_RETRY_S = 0.5
# Windows of a busy floor begin no sooner after one another: what changes many times meanwhile is read and told once. Well
# within the second in which it shall be on the screens.
_PACE_S = 0.2

# The name under which `projection` keeps the day (a date's ordinal) whose numbers the screens show; with a full stop and a
# zone after it that of the teams whose clock it is.
_DAY = "facts.day"
# … how service level was counted when it was told last (crc32).
_LEVEL = "facts.level"
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
        known = Known()
        while True:
            began = monotonic()
            try:
                is_behind = await self._database.transaction(project, known)
            except DatabaseAway as error:
                # What was read may have been taken back with the rest.
                known = Known()
                if not is_away:
                    log.warning("kpi.away", extra={"detail": error.message})
                is_away = True
                await asyncio.sleep(_RETRY_S)
                continue
            if is_away:
                log.info("kpi.back")
                is_away = False
            if not is_behind:
                await self._wakes.wait(WAKE, _until_next_look_s(self._database.clock()))
                await asyncio.sleep(max(0.0, began + _PACE_S - monotonic()))


def _until_next_look_s(now: datetime) -> float:
    """Every midnight is a quarter of an hour of the clock (kpi.days): then somebody's day turns; a little later it has."""
    return min(_LOOK_EVERY_S, _QUARTER_S - now.timestamp() % _QUARTER_S + 0.05)


async def rebuild_facts(database: Database) -> int:
    """`hub kpi rebuild`: all rows and cells anew from the stream, in steps of bounded size; then what the projector had not
    seen yet. Safe beside a running hub, which tells figures of the past as not complete meanwhile; killed in the middle, any
    hub goes on with it. Returns how many facts there were again."""
    await database.transaction(begin_rebuild)
    known = Known()
    while await database.transaction(project, known):
        pass
    return await database.read(count_rebuilt)


# --- units of work ---------------------------------------------------------------------------------------------------


def project(tx: Tx, known: Known | None = None) -> bool:
    """Projects the next window of the stream and tells whose numbers of today changed. True if there is more to do. `known`:
    what steps before this one read of who belongs where."""
    cursor = _lock_checkpoint(tx)
    placing = load_placing(tx, known)
    marks = load_marks(tx)
    if is_made_otherwise(marks, placing):
        begin_rebuild(tx)
        return True
    if marks[CELLS] != (version := cells_made_by(placing)):
        _set_mark(tx, CELLS, version)
    if marks[FORGETTING]:
        if not _forget(tx):
            _set_mark(tx, FORGETTING, 0)
            _heed_end(tx, placing)
        return True
    end, count = _window(tx, cursor)
    if cursor < (target := marks[REBUILDING]):
        # The event at the target itself may be forgotten: no fact, and long ago.
        _remake(tx, cursor, min(end, target) if count == WINDOW else target, target, placing)
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
    _turn_days(tx, marks, placing)
    _heed_level(tx, marks)
    return is_full


def _remake(tx: Tx, cursor: int, end: int, target: int, placing: Placing) -> None:
    """A window of a rebuild. Nobody is told of figures that are made in part: screens learn how far they are, and all figures
    of today when they are whole."""
    before = make_view(load_progress(tx, tx.now, placing), placing)
    _store_facts(tx, _load_facts(tx, cursor, end), placing)
    _set_mark(tx, PROJECTION, end)
    newest = int(tx.scalar(select(func.max(_e.seq))) or 0)
    if end == target and newest > end + WINDOW:
        # What has happened meanwhile is made before anything is said to be whole.
        _set_mark(tx, REBUILDING, newest)
    if _heed_end(tx, placing):
        return
    now = make_view(load_progress(tx, tx.now, placing), placing)
    if now != before:
        tx.emit(FiguresRemaking(now), {STAFF})


def _heed_end(tx: Tx, placing: Placing) -> bool:
    """Whether everything is made anew: then all screens are told what they show."""
    if load_progress(tx, tx.now, placing).is_remaking:
        return False
    _tell_everybody(tx, placing)
    tx.emit(FiguresRemaking(None), {STAFF})
    return True


def _tell_everybody(tx: Tx, placing: Placing) -> None:
    """Also those who have nothing today: they may have been shown something."""
    u, q = tables.user_account.c, tables.queue.c
    agents = [row.id for row in tx.rows(select(u.id).where(u.active).order_by(u.id))]
    queues = [row.id for row in tx.rows(select(q.id))]
    _emit(tx, load_numbers_of(tx, agents, tx.now, placing).values())
    _emit_of_queues(tx, load_numbers_of_queues(tx, queues, tx.now))


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
    was_right = load_marks(tx)[CELLS] == cells_made_by(load_placing(tx))

    def after() -> None:
        if was_right:
            _set_mark(tx, CELLS, cells_made_by(load_placing(tx)))

    return after


def begin_rebuild(tx: Tx) -> None:
    """From here on `project` first forgets all rows and cells, then makes them anew as far as it had come; whoever shows,
    judges or learns from figures knows (kpi.remaking)."""
    seq = _lock_checkpoint(tx)
    _set_mark(tx, REBUILDING, max(seq, load_marks(tx)[REBUILDING]))
    _set_mark(tx, FORGETTING, 1)
    placing = load_placing(tx)
    _set_mark(tx, CELLS, cells_made_by(placing))
    _set_mark(tx, PROJECTION, 0)
    tx.emit(FiguresRemaking(make_view(load_progress(tx, tx.now, placing), placing)), {STAFF})


def count_rebuilt(tx: Tx) -> int:
    """How many facts the last rebuild made anew."""
    return int(
        tx.scalar(
            select(func.count())
            .select_from(tables.event)
            .where(_e.seq <= load_marks(tx)[REBUILDING], _e.kind.in_(FACT_KINDS))
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


def _lock_checkpoint(tx: Tx) -> int:
    """The seq up to which everything is projected; locked until the commit, so one projector works at a time."""
    wanted = select(_p.seq).where(_p.name == PROJECTION).with_for_update()
    seq = tx.scalar(wanted)
    if seq is None:
        tx.insert_new(tables.projection, [{"name": PROJECTION, "seq": 0}])
        seq = tx.scalar(wanted)
    return int(seq)


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


def _turn_days(tx: Tx, marks: Mapping[str, int], placing: Placing) -> None:
    """When a day has changed since the last look (midnight, or a new time zone), the screens of all who had numbers in it are
    told: by the organisation's clock everybody and all queues, by that of teams with a zone of their own whoever has their
    day from it. Under the checkpoint's lock, so one process does it once."""
    agents: set[int] = set()
    # Who has never been shown anything sees nothing old.
    if (turned := _turn(tx, marks, _DAY, placing.day(tx.now, placing.zone))) and marks[_DAY]:
        agents |= load_agents_between(tx, *turned) | load_signed_in(tx)
        _emit_of_queues(tx, load_numbers_of_queues(tx, _busy_queues(tx, *turned), tx.now))
    for zone in {zone.key: zone for zone in placing.team_zones.values()}.values():
        if turned := _turn(tx, marks, f"{_DAY}.{zone.key}", placing.day(tx.now, zone)):
            shown = load_agents_between(tx, *turned) | load_signed_in(tx)
            agents |= {of for of in shown if placing.zone_of_agent(of, tx.now) == zone}
    if agents:
        _emit(tx, load_numbers_of(tx, sorted(agents), tx.now, placing).values())


def _turn(tx: Tx, marks: Mapping[str, int], name: str, today: int) -> tuple[date, date] | None:
    """The first and the last of the days whose numbers may be on the screens, if it is another day than was shown."""
    shown = marks[name]
    if shown == today:
        return None
    _set_mark(tx, name, today)
    return date.fromordinal(min(shown or today, today)), date.fromordinal(today)


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
