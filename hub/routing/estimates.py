"""Estimated waits: what whoever joins a queue may expect, where waiting customers stand, and how far the estimates were off.

A pass of the Estimator looks at the queues as they are (`find_changes`, which only reads) and writes what is new
(`write_changes`), at most once a second and apart from the rounds of routing.dispatcher:

    who came to wait since the last pass   a row of `wait_estimate`: the place and the wait foretold (routing.waiting)
    who waits no longer                    that row ends, with how long it was by the instants of the conversation itself
    a queue whose estimate has moved       the queue's row, and EstimateChanged to everybody who works here

Nothing here takes a lock: rows are inserted if they are new and a queue is written in the version that was seen, so several
processes may look at the same time. An estimate that crosses the bound of an overflow wakes routing.

While a queue's calendar is closed nothing is foretold; customers are told when it opens.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from sqlalchemy import BigInteger, Row, and_, bindparam, case, delete, exists, func, or_, select, type_coerce, update

from hub.domain.events import STAFF, EstimateChanged
from hub.domain.states import AgentState
from hub.domain.values import TIER_PRIORITY, ChannelKind, Happening
from hub.domain.views import EstimateView, PlaceView
from hub.errors import DatabaseAway
from hub.routing import engine, floor, waiting
from hub.routing.calendar import ALWAYS, Calendar, is_open, next_opening
from hub.routing.calendars import load_current
from hub.routing.floor import QueueRules
from hub.store import tables
from hub.store.database import Database, Notice, Tx
from hub.store.stream import Wakes

log = logging.getLogger(__name__)

_c, _q, _k, _cu = tables.conversation.c, tables.queue.c, tables.channel.c, tables.customer.c
_w, _o, _as = tables.wait_estimate.c, tables.offer.c, tables.assignment.c
_e = tables.entry.c
# When the last line of a conversation's timeline was written.
_NEWEST_LINE = (
    select(func.max(_e.at)).where(_e.conversation_id == _c.id).correlate(tables.conversation).scalar_subquery()
)

_EVERY_S = 1.0
# An estimate grows while somebody waits and nothing happens; without anybody there is nothing to look at.
_WHILE_WAITING_S = 5.0
_AT_REST_S = 30.0
_RETRY_S = 0.5
# How long work takes, and when queues are open, changes slowly.
_HABITS_FOR_S = 30.0
# The error is the mean over the last 200 within a week: enough to be steady, and soon what the floor is like now.
_ERROR_SAMPLES = 200
_ERROR_DAYS = 7
# Of as many of a queue's last departures the pace is made; more would lie beyond its window, or tell the same.
_VISITS = 50
# The last assignments that ended, of all queues together, and how many of them are looked at of one.
_HANDLED, _HANDLED_OF_QUEUE, _HANDLED_DAYS = 2_000, 200, 7
# More who come or go at once are noted in the next pass: nobody shall wait long for the writer.
_JOINED_LIMIT = 1_000
# The instant of joining is that of the conversation, unless it came back at an age from before.
_JUST_NOW_S = 5.0
_KEPT_DAYS = 30

_RINGING = select(_o.conversation_id).where(_o.ended_at.is_(None))
# Whoever is parked has a place and stands in nobody's way.
_IN_LINE = and_(_c.queued_since.is_not(None), _c.parked_until.is_(None))


def load_estimates(tx: Tx, queue_ids: Collection[int] | None = None) -> list[EstimateView]:
    """Of all queues or of these, by id."""
    query = select(_q.id, _q.ewt_s, _q.ewt_error_s, _q.ewt_samples, _q.ewt_version).order_by(_q.id)
    return [
        EstimateView(row.id, row.ewt_s, row.ewt_error_s, row.ewt_samples, row.ewt_version)
        for row in tx.rows(query if queue_ids is None else query.where(_q.id.in_(queue_ids)))
    ]


# --- places -------------------------------------------------------------------------------------------------------------

NOWHERE = PlaceView(None, None, None)


def place_of(tx: Tx, conversation_id: int) -> PlaceView:
    """Where a conversation stands in its queue; all None if it does not wait."""
    return load_places(tx, [conversation_id]).get(conversation_id, NOWHERE)


def load_places(tx: Tx, conversation_ids: Collection[int]) -> dict[int, PlaceView]:
    """Of those that wait. Work that rings is about to be answered: its wait is 0. Work that is parked has no place to be
    told until it is brought back."""
    if not conversation_ids:
        return {}
    asked = tx.rows(
        select(_c.id, _c.queue_id, _c.parked_until, _q.ewt_s, _q.calendar_id)
        .join(tables.queue, _q.id == _c.queue_id)
        .where(_c.id.in_(conversation_ids), _c.queued_since.is_not(None))
    )
    if not asked:
        return {}
    queue_ids = {row.queue_id for row in asked}
    turns = {row.id: row for row in _load_turns(tx, queue_ids, {row.id for row in asked})}
    lengths = _load_lengths(tx, queue_ids)
    hours = _load_hours(tx, {row.queue_id: row.calendar_id for row in asked if row.calendar_id})
    opens = {queue_id: _opens_at(calendar, tx.now) for queue_id, calendar in hours.items()}
    places: dict[int, PlaceView] = {}
    for row in asked:
        opens_at = opens.get(row.queue_id)
        turn = turns.get(row.id)
        if turn is None:
            places[row.id] = PlaceView(None, None, opens_at)
        elif opens_at is not None:
            places[row.id] = PlaceView(turn.position, None, opens_at)
        elif turn.rings:
            places[row.id] = PlaceView(turn.position, 0.0, None)
        else:
            ewt_s = waiting.at_position(row.ewt_s, turn.line, lengths.get(row.queue_id, 0))
            places[row.id] = PlaceView(turn.position, ewt_s, None)
    return places


def _load_hours(tx: Tx, calendar_ids: Mapping[int, int]) -> dict[int, Calendar]:
    """The hours of queues, of which each has a calendar (queue → its id). Hours that cannot be read (their zone is gone from
    the machine, say) are none: nobody's place is lost over them."""
    calendars = load_current(tx, set(calendar_ids.values()))
    return {queue_id: calendars.get(calendar_id, ALWAYS) for queue_id, calendar_id in calendar_ids.items()}


def _opens_at(calendar: Calendar, now: datetime) -> datetime | None:
    """None while it is open, and if it never opens again."""
    return None if is_open(calendar, now) else next_opening(calendar, now)


def _load_turns(tx: Tx, queue_ids: Collection[int], asked: Collection[int]) -> list[Row[Any]]:
    """Rows (id, queue_id, position, line, rings) of those asked for: the place in the order of engine.order_of_work, and
    the same among those that do not ring."""
    overdue = {
        row.id: tx.now - timedelta(seconds=row.max_wait_s)
        for row in tx.rows(select(_q.id, _q.max_wait_s).where(_q.id.in_(queue_ids)))
    }
    is_pinned = _c.pinned_agent_id.is_not(None)
    is_overdue = or_(*(and_(_c.queue_id == each, _c.queued_since <= since) for each, since in overdue.items()))
    turn = (
        case((is_pinned, 0), (is_overdue, 1), else_=2),
        case((or_(is_pinned, is_overdue), _c.queued_since), else_=_ahead_of_age(tx)),
        _c.id,
    )
    rings = case((_c.id.in_(_RINGING), 1), else_=0)
    line = func.sum(1 - rings).over(partition_by=_c.queue_id, order_by=turn, rows=(None, 0)).label("line")
    position = func.row_number().over(partition_by=_c.queue_id, order_by=turn).label("position")
    placed = (
        select(_c.id, _c.queue_id, position, line, rings.label("rings"))
        .join(tables.customer, _cu.id == _c.customer_id)
        .where(_IN_LINE, _c.queue_id.in_(queue_ids))
        .subquery()
    )
    found: list[Row[Any]] = []
    ids = sorted(asked)
    for start in range(0, len(ids), _JOINED_LIMIT):
        found += tx.rows(select(placed).where(placed.c.id.in_(ids[start : start + _JOINED_LIMIT])))
    return found


def _ahead_of_age(tx: Tx) -> Any:
    """The instant that stands for score_s: since when it would have waited for its score without any priority."""
    minutes = _c.priority + _cu.tier * TIER_PRIORITY
    if tx.is_postgresql:
        return _c.queued_since - func.make_interval(0, 0, 0, 0, 0, minutes)
    # Instants are microseconds there.
    return type_coerce(_c.queued_since, BigInteger) - minutes * 60_000_000


def _load_lengths(tx: Tx, queue_ids: Collection[int] | None = None) -> dict[int, int]:
    """Queue → how many stand in line and do not ring."""
    query = select(_c.queue_id, func.count().label("pieces")).where(_IN_LINE, _c.id.not_in(_RINGING))
    if queue_ids is not None:
        query = query.where(_c.queue_id.in_(queue_ids))
    return {row.queue_id: row.pieces for row in tx.rows(query.group_by(_c.queue_id))}


# --- one pass -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Habits:
    """What changes slowly. Queue → the kind of most of its work, how long a piece is held, when the queue is open."""

    kinds: Mapping[int, ChannelKind] = field(default_factory=dict)
    handle_s: Mapping[int, float] = field(default_factory=dict)
    calendars: Mapping[int, Calendar] = field(default_factory=dict)


def load_habits(tx: Tx) -> Habits:
    since = tx.now - timedelta(days=_HANDLED_DAYS)
    lately = (
        select(tables.assignment).where(_as.ended_at.is_not(None)).order_by(_as.id.desc()).limit(_HANDLED).subquery()
    )
    ended = (
        select(_c.queue_id, _k.kind, lately.c.assigned_at, lately.c.ended_at)
        .select_from(lately)
        .join(tables.conversation, _c.id == lately.c.conversation_id)
        .join(tables.channel, _k.id == _c.channel_id)
        .where(
            lately.c.ended_at >= since,
            # A line that never stood was no work; what was put aside for days took no room meanwhile.
            lately.c.connect_by.is_(None) | lately.c.connected_at.is_not(None),
            ~exists().where(
                tables.entry.c.conversation_id == lately.c.conversation_id,
                tables.entry.c.happening == Happening.PARKED.value,
                tables.entry.c.at >= lately.c.assigned_at,
                tables.entry.c.at <= lately.c.ended_at,
            ),
        )
        .order_by(lately.c.id.desc())
    )
    kinds: dict[int, Counter[str]] = {}
    for row in tx.rows(select(_k.queue_id, _k.kind).where(_k.enabled)):
        kinds.setdefault(row.queue_id, Counter())[row.kind] += 0
    handled: dict[int, list[float]] = {}
    for row in tx.rows(ended):
        kinds.setdefault(row.queue_id, Counter())[row.kind] += 1
        times = handled.setdefault(row.queue_id, [])
        if len(times) < _HANDLED_OF_QUEUE:
            times.append(max((row.ended_at - row.assigned_at).total_seconds(), 1.0))
    return Habits(
        kinds={queue_id: ChannelKind(counts.most_common(1)[0][0]) for queue_id, counts in kinds.items()},
        handle_s={queue_id: sum(times) / len(times) for queue_id, times in handled.items()},
        calendars=_load_hours(
            tx,
            {
                row.id: row.calendar_id
                for row in tx.rows(select(_q.id, _q.calendar_id).where(_q.calendar_id.is_not(None)))
            },
        ),
    )


@dataclass(frozen=True, slots=True)
class Changes:
    """What a pass found: rows of `wait_estimate` to insert and to end, what each queue's estimate is now and in which
    version it was seen. `something_waits`: look again soon."""

    joined: list[dict[str, Any]]
    ended: list[dict[str, Any]]
    estimates: Mapping[int, tuple[float | None, int]]
    error_queue_ids: frozenset[int]
    something_waits: bool

    def __bool__(self) -> bool:
        return bool(self.joined or self.ended or self.estimates)


def find_changes(tx: Tx, habits: Habits) -> Changes:
    """Reads only."""
    seen = tx.rows(select(_q.id, _q.ewt_s, _q.ewt_version))
    queue_ids = [row.id for row in seen]
    lengths = _load_lengths(tx)
    new = tx.rows(
        select(_c.id, _c.queue_id, _c.queued_since)
        .outerjoin(
            tables.wait_estimate,
            and_(_w.conversation_id == _c.id, _w.ended_at.is_(None), _w.queue_id == _c.queue_id),
        )
        .where(_IN_LINE, _w.id.is_(None))
        .limit(_JOINED_LIMIT)
    )
    outlooks = _load_outlooks(tx, habits, lengths, queue_ids)
    ended = _find_ended(tx)
    estimates: dict[int, tuple[float | None, int]] = {}
    for row in seen:
        outlook = outlooks[row.id]
        ewt_s = outlook.ewt_s(lengths.get(row.id, 0) + 1)
        crosses = any(_is_over(row.ewt_s, bound) != _is_over(ewt_s, bound) for bound in outlook.bounds)
        if crosses or waiting.is_worth_telling(row.ewt_s, ewt_s):
            estimates[row.id] = (ewt_s, row.ewt_version)
    return Changes(
        joined=_foretell(tx, new, outlooks),
        ended=[values for _, values in ended],
        estimates=estimates,
        error_queue_ids=frozenset(queue_id for queue_id, values in ended if values["end_reason"] == "answered"),
        something_waits=bool(lengths),
    )


def _is_over(ewt_s: float | None, bound_s: float) -> bool:
    return ewt_s is not None and ewt_s > bound_s


def _foretell(tx: Tx, new: Collection[Row[Any]], outlooks: Mapping[int, _Outlook]) -> list[dict[str, Any]]:
    if not new:
        return []
    joined_at = {row.id: row.queued_since for row in new}
    rows = []
    for turn in _load_turns(tx, {row.queue_id for row in new}, joined_at):
        since = joined_at[turn.id]
        rows.append(
            {
                "conversation_id": turn.id,
                "queue_id": turn.queue_id,
                "made_at": since if tx.now - since <= timedelta(seconds=_JUST_NOW_S) else tx.now,
                "position": turn.position,
                "ewt_s": 0.0 if turn.rings else outlooks[turn.queue_id].ewt_s(turn.line),
            }
        )
    return rows


def _find_ended(tx: Tx) -> list[tuple[int, dict[str, Any]]]:
    """(queue, values) of the live estimates whose conversation does not wait there any more."""
    rows = tx.rows(
        select(
            *(_w.id, _w.queue_id, _w.made_at, _c.queue_id.label("is_in"), _c.queued_since, _c.parked_until),
            *(_c.assigned_at, _c.resolved_at, _NEWEST_LINE.label("newest_line_at")),
        )
        .join(tables.conversation, _c.id == _w.conversation_id)
        .where(
            _w.ended_at.is_(None),
            or_(_c.queued_since.is_(None), _c.parked_until.is_not(None), _c.queue_id != _w.queue_id),
        )
        .limit(_JOINED_LIMIT)
    )
    ended = []
    for row in rows:
        if row.assigned_at is not None:
            reason, at = "answered", row.assigned_at
        elif row.resolved_at is not None:
            reason, at = "resolved", row.resolved_at
        else:
            # What moved it wrote the last line of its timeline.
            reason, at = ("left" if row.parked_until is not None else "moved"), row.newest_line_at
        waited_s = max((at - row.made_at).total_seconds(), 0.0)
        at = row.made_at + timedelta(seconds=waited_s)
        ended.append((row.queue_id, {"id": row.id, "ended_at": at, "end_reason": reason, "waited_s": waited_s}))
    return ended


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What the formula needs of one queue. `is_closed`: its calendar says that nobody is there."""

    free: int
    slots: float
    pace: waiting.Pace
    handle_s: float | None
    is_closed: bool
    bounds: tuple[float, ...]

    def ewt_s(self, line: int) -> float | None:
        if self.is_closed:
            return None
        return waiting.estimate_wait_s(line, self.free, self.pace, self.slots, self.handle_s)


def _load_outlooks(
    tx: Tx, habits: Habits, lengths: Mapping[int, int], queue_ids: Collection[int]
) -> dict[int, _Outlook]:
    agents, queues, interruptions = floor.load_staff(tx)
    at_work = [agent for agent in agents if agent.is_connected and agent.state in _AT_WORK]
    members: dict[int, list[engine.Agent]] = {}
    for agent in at_work:
        for queue_id in agent.queue_ids:
            members.setdefault(queue_id, []).append(agent)
    serving = {
        queue_id: _serving(queues[queue_id], members, habits.kinds.get(queue_id), interruptions, tx.now)
        for queue_id in queue_ids
    }
    # Where there is room for whoever joins the past does not matter.
    full = [
        queue_id for queue_id in queue_ids if serving[queue_id][1] and serving[queue_id][0] <= lengths.get(queue_id, 0)
    ]
    paces = _load_paces(tx, full)
    outlooks = {}
    for queue_id in queue_ids:
        free, servers = serving[queue_id]
        calendar = habits.calendars.get(queue_id)
        outlooks[queue_id] = _Outlook(
            free=free,
            slots=waiting.shared_slots(queue_id, servers, lengths),
            pace=paces.get(queue_id, waiting.Pace()),
            handle_s=habits.handle_s.get(queue_id),
            is_closed=calendar is not None and not is_open(calendar, tx.now),
            bounds=tuple(step.ewt_over_s for step in queues[queue_id].queue.overflow if step.ewt_over_s is not None),
        )
    return outlooks


_AT_WORK = (AgentState.AVAILABLE, AgentState.BUSY)


def _serving(
    rules: QueueRules,
    members: Mapping[int, Iterable[engine.Agent]],
    kind: ChannelKind | None,
    interruptions: engine.Rules,
    now: datetime,
) -> tuple[int, list[waiting.Server]]:
    """(how many pieces of the queue's usual work there is room for now, who may serve it). Where overflow stands open, those
    it leads to serve it, too."""
    weight = engine.WEIGHTS[kind or ChannelKind.CHAT]
    item = engine.Work(0, rules.queue.id, weight, now, kind=kind, required=rules.required)
    opened = [step.queue_ids for step in rules.queue.overflow if engine.opens_by_estimate(step, rules.queue)]
    able = {
        agent.user_id: agent
        for queue_id in (rules.queue.id, *(target for targets in opened for target in targets))
        for agent in members.get(queue_id, ())
        if all(agent.skills.get(skill.name, 0) >= skill.level for skill in rules.required)
    }
    free = 0
    servers: Counter[tuple[frozenset[int], int]] = Counter()
    for agent in able.values():
        cost = max(engine.weight_for(agent, item), 1)
        servers[agent.queue_ids, agent.capacity // cost] += 1
        if agent.state is not AgentState.AVAILABLE or engine.is_kept_apart(agent, kind, interruptions):
            continue
        if engine.has_room(agent, item, interruptions):
            free += max((agent.capacity - agent.load) // cost, 1)
    return free, [waiting.Server(queue_ids, slots, count) for (queue_ids, slots), count in servers.items()]


# An agent was found for it when the offer was made that they accepted; what came after was ringing.
_DEPARTED = (
    select(_w.made_at, _w.ended_at, _w.end_reason, _o.offered_at)
    .outerjoin(
        tables.offer,
        and_(_o.conversation_id == _w.conversation_id, _o.ended_at == _w.ended_at, _o.outcome == "accepted"),
    )
    .where(_w.queue_id == bindparam("of_queue"), _w.ended_at > bindparam("since"))
    .order_by(_w.ended_at.desc())
    .limit(_VISITS)
)


def _load_paces(tx: Tx, queue_ids: Collection[int]) -> dict[int, waiting.Pace]:
    """How these queues moved lately: from each one's last departures, and from whoever waits in it."""
    if not queue_ids:
        return {}
    since = tx.now - timedelta(seconds=waiting.WINDOW_S)
    visits: dict[int, list[waiting.Visit]] = {}
    for queue_id in queue_ids:
        # One by one, each by its index: the last of every queue together are found by reading all.
        for row in tx.rows(_DEPARTED, {"of_queue": queue_id, "since": since}):
            taken_at = min(row.offered_at or row.ended_at, row.ended_at)
            visits.setdefault(queue_id, []).append(
                waiting.Visit(
                    (tx.now - row.made_at).total_seconds(),
                    (tx.now - taken_at).total_seconds(),
                    row.end_reason == "answered",
                )
            )
    still = select(_w.queue_id, func.min(_w.made_at).label("since")).where(
        _w.ended_at.is_(None), _w.queue_id.in_(queue_ids), _w.conversation_id.not_in(_RINGING)
    )
    for row in tx.rows(still.group_by(_w.queue_id)):
        # Whoever waits longest has waited all the time that any other has.
        visits.setdefault(row.queue_id, []).append(waiting.Visit((tx.now - row.since).total_seconds(), None))
    return {queue_id: waiting.measure_pace(each) for queue_id, each in visits.items()}


def write_changes(tx: Tx, changes: Changes) -> None:
    """Writes what `find_changes` found, as far as nobody has meanwhile."""
    # First what ends: of a conversation that was moved there is a new one at once, and one lives at a time.
    tx.update_many(tables.wait_estimate, changes.ended)
    joined = _still_there(tx, changes.joined)
    if joined:
        tx.execute(tx.insert_if_new(tables.wait_estimate), joined)
    told = {row.id: row for row in tx.rows(select(_q.id, _q.ewt_error_s, _q.ewt_samples, _q.ewt_s, _q.ewt_version))}
    for queue_id in sorted(changes.estimates.keys() | changes.error_queue_ids):
        row = told.get(queue_id)
        if row is None:
            continue
        ewt_s, version = changes.estimates.get(queue_id, (row.ewt_s, row.ewt_version))
        error_s, samples = row.ewt_error_s, row.ewt_samples
        if queue_id in changes.error_queue_ids:
            error_s, samples = _load_error(tx, queue_id)
            # A few samples more are no news by themselves; the first ones are.
            is_news = waiting.is_worth_telling(row.ewt_error_s, error_s) or row.ewt_samples < min(samples, 10)
            if queue_id not in changes.estimates and not is_news:
                continue
        written = tx.execute(
            update(tables.queue)
            .where(_q.id == queue_id, _q.ewt_version == version)
            .values(ewt_s=ewt_s, ewt_error_s=error_s, ewt_samples=samples, ewt_version=version + 1)
        )
        if written.rowcount:
            tx.emit(EstimateChanged(EstimateView(queue_id, ewt_s, error_s, samples, version + 1)), {STAFF})
    if _crosses_a_bound(tx, changes, told):
        tx.wake("routing")
    tx.wake("places")


def _still_there(tx: Tx, joined: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of conversations that wait still: one may have been removed since it was seen, and must not be until the commit."""
    ids = [row["conversation_id"] for row in joined]
    if not ids:
        return []
    waits = select(_c.id).where(_c.id.in_(ids), _c.queued_since.is_not(None)).order_by(_c.id)
    found = {row.id for row in tx.rows(waits.with_for_update(read=True, key_share=True))}
    return [row for row in joined if row["conversation_id"] in found]


def _crosses_a_bound(tx: Tx, changes: Changes, told: Mapping[int, Row[Any]]) -> bool:
    if not changes.estimates:
        return False
    queues = floor.load_queues(tx)
    return any(
        step.ewt_over_s is not None
        and _is_over(told[queue_id].ewt_s, step.ewt_over_s) != _is_over(ewt_s, step.ewt_over_s)
        for queue_id, (ewt_s, _) in changes.estimates.items()
        if queue_id in queues
        for step in queues[queue_id].queue.overflow
    )


def _load_error(tx: Tx, queue_id: int) -> tuple[float | None, int]:
    """(the mean of the absolute error, over so many): of the last who were told something and then answered."""
    lately = (
        select(func.abs(_w.waited_s - _w.ewt_s).label("error_s"))
        .where(
            _w.queue_id == queue_id,
            _w.ended_at > tx.now - timedelta(days=_ERROR_DAYS),
            _w.end_reason == "answered",
            _w.ewt_s.is_not(None),
        )
        .order_by(_w.ended_at.desc())
        .limit(_ERROR_SAMPLES)
        .subquery()
    )
    row = tx.first(select(func.avg(lately.c.error_s).label("error_s"), func.count().label("samples")))
    assert row is not None
    return (None if row.error_s is None else float(row.error_s)), int(row.samples)


def forget_estimates(tx: Tx) -> None:
    """Housekeeping: what has ended long ago says nothing any more."""
    tx.execute(delete(tables.wait_estimate).where(_w.ended_at < tx.now - timedelta(days=_KEPT_DAYS)))


# --- the loop -----------------------------------------------------------------------------------------------------------


class Estimator:
    """Makes a pass when routing is woken, and while somebody waits; at most once a second."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes
        database.on_notice.append(self._noticed)

    def _noticed(self, notice: Notice) -> None:
        # Whatever moves work moves places, too: the chat sockets look again.
        if "routing" in notice.wakes:
            self._wakes.set("estimates")
            self._wakes.set("places")

    async def run(self) -> None:
        habits, habits_due = Habits(), monotonic()
        while True:
            began = monotonic()
            try:
                if began >= habits_due:
                    habits, habits_due = await self._database.read(load_habits), began + _HABITS_FOR_S
                changes = await self._database.read(find_changes, habits)
                if changes:
                    await self._database.transaction(write_changes, changes)
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            await self._wakes.wait("estimates", _WHILE_WAITING_S if changes.something_waits else _AT_REST_S)
            await asyncio.sleep(max(_EVERY_S - (monotonic() - began), 0.0))
