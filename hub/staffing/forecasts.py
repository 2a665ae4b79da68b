"""Forecasts as they are made and kept, and what they say about staffing.

    once a day, each queue: arrivals so far → staffing.forecast.fit → `forecast` rows of today and the next four weeks
    asked for: kept forecast + what came + schedules + the queue's plan → required against scheduled, and the error

Invariants:
  * A forecast is made from the days before the one on which it is made, is kept as it was made and never changed: its error
    against what then came is real, not hindsight.
  * Of a day that is over, the forecasts are kept that were made KEPT_LEADS days before it.
  * What is known now makes no difference to a past forecast; a day without one is a gap.
  * Nothing is learned from facts that are still being made anew (kpi.remaking): no forecast is made from a part of the past,
    and what came in the days that are still to be made nobody knows.

Arrivals are the stays in a queue that began in the quarter (`fact.queue_visit`), however they ended: each was work for
somebody.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, case, cast, delete, func, select, type_coerce, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.errors import Conflict, DatabaseAway, InvalidInput, NotFound
from hub.kpi.belonging import load_zone
from hub.kpi.days import INTERVAL_S, LocalDay, day_of, interval_number, interval_start, local_day
from hub.kpi.remaking import load_progress
from hub.routing.calendar import Calendar, is_open
from hub.routing.calendars import load_current
from hub.staffing.erlang import Load, Target, required_agents, with_shrinkage
from hub.staffing.forecast import (
    HISTORY_DAYS,
    METHOD,
    QUARTERS,
    Accuracy,
    BackTest,
    DayAhead,
    PastDay,
    accuracy,
    back_test,
    fit,
)
from hub.staffing.schedule import Span, people_at_work, spans_between
from hub.staffing.shifts import load_plans
from hub.store import tables
from hub.store.database import Database, Tx

log = logging.getLogger(__name__)

DAYS_AHEAD = 28
# How many days before: the morning itself, the day before, and when schedules are made.
KEPT_LEADS = (0, 1, 7, 14, 28)
# The back-test foretells so many days.
_TESTED_DAYS = 28
# Handle time and patience are those of the last four weeks.
_LATELY = timedelta(days=28)
# Days turn at the organisation's midnight; a forecast that is some minutes late serves as well.
_EVERY_S = 300.0
_RETRY_S = 5.0
_SETTLES_S = 60.0
# The projector is not further behind while nothing special goes on.
_LAG = timedelta(seconds=1)
_QUARTER = timedelta(minutes=15)
# Zone rules are not kept for longer, and a date beyond is a slip of the keyboard.
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
# Nobody plans further, and each interval is computed.
MAX_DAYS = 35

_v, _q, _fc, _sp = tables.fact_queue_visit.c, tables.queue.c, tables.forecast.c, tables.staffing_plan.c
_s, _cs, _m, _c = tables.fact_segment.c, tables.fact_call_segment.c, tables.queue_member.c, tables.conversation.c


@dataclass(frozen=True, slots=True)
class StaffingPlan:
    """What a queue is staffed for. `aht_s` None: as it was lately; `patience_s` None: without end. `version` 0: nobody has
    said anything yet."""

    service_level: float = 0.8
    within_s: int = 20
    occupancy: float | None = None
    shrinkage: float = 0.0
    aht_s: float | None = None
    patience_s: float | None = None
    concurrency: int = 1
    version: int = 0

    @property
    def target(self) -> Target:
        return Target(self.service_level, self.within_s, occupancy=self.occupancy)


@dataclass(frozen=True, slots=True)
class Habits:
    """Of a queue's last four weeks; None: nothing was handled, or nobody hung up. `patience_s`: all time waited ÷ those who
    hung up, the best estimate for an exponential patience of which most were not seen to the end (Brown and others,
    "Statistical Analysis of a Telephone Call Center", JASA 100, 2005, section 6)."""

    aht_s: float | None
    patience_s: float | None


@dataclass(frozen=True, slots=True)
class Interval:
    """A quarter of an hour. `forecast` None: none was made; `actual` None: it is not over, or nobody knows; `required` and
    `required_scheduled` (with shrinkage) None: no forecast or no handle time; `scheduled`: people planned for work."""

    start: datetime
    forecast: float | None
    actual: int | None
    required: int | None
    required_scheduled: int | None
    scheduled: float


@dataclass(frozen=True, slots=True)
class QueueForecast:
    """`errors`: by days of lead, over the last four weeks' kept forecasts; `accuracy`: of the range asked for; `tested`: the
    method tried on the past, while there are few kept forecasts yet. `history_days`: ordinary days it learned from."""

    time_zone: str
    method: str
    made_on: date | None
    lead_days: int
    plan: StaffingPlan
    habits: Habits
    aht_s: float | None
    history_days: int
    accuracy: Accuracy
    errors: Mapping[int, Accuracy]
    tested: BackTest | None
    intervals: tuple[Interval, ...]


class Forecaster:
    """Makes each queue's forecast once a day, when all facts of the days before are there; in several processes the first
    that is done is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: dict[int, date] = {}

    async def run(self) -> None:
        """Waits while the database is away. Just after a start it looks often: what was told before may not be read yet."""
        is_away, settled = False, monotonic() + _SETTLES_S
        while True:
            wait_s = _RETRY_S
            try:
                if await self.make() is not None and monotonic() > settled:
                    wait_s = _EVERY_S
                is_away = False
            except DatabaseAway as error:
                if not is_away:
                    log.warning("forecast.away", extra={"detail": error.message})
                is_away = True
            await asyncio.sleep(wait_s)

    async def make(self) -> int | None:
        """Those of today that are missing; returns how many queues had one made. None: facts are still being read; a forecast
        would learn from a part of them, and is never made again. What had too little to learn from is tried again."""
        if await self._database.read(_is_behind):
            return None
        made = 0
        today, queue_ids = await self._database.read(_load_due)
        for queue_id in queue_ids:
            if self._made.get(queue_id) == today:
                continue
            try:
                parts = await self._database.read(_load_for_forecast, queue_id, today)
            except NotFound:
                # It went since the list was read.
                continue
            if parts is None:
                continue
            history, ahead = parts
            days = await asyncio.to_thread(_foretell, history, ahead)
            if days:
                made += await self._database.transaction(_keep, queue_id, today, days)
                self._made[queue_id] = today
        if made:
            await self._database.transaction(_forget, today)
        return made


# --- making -----------------------------------------------------------------------------------------------------------------


def _is_behind(tx: Tx) -> bool:
    """Whether the projector has facts to read that were told a while ago: after an import, of days that are long over."""
    progress = load_progress(tx, tx.now)
    return progress.is_remaking or progress.as_of < tx.now - _LAG


def _load_due(tx: Tx) -> tuple[date, list[int]]:
    return local_day(tx.now, load_zone(tx)).date, [row.id for row in tx.rows(select(_q.id).order_by(_q.id))]


def _load_for_forecast(tx: Tx, queue_id: int, today: date) -> tuple[list[PastDay], list[DayAhead]] | None:
    """None: of the days before today not everything is known at this moment."""
    zone, calendar = load_zone(tx), _load_calendar(tx, queue_id)
    progress = load_progress(tx, tx.now)
    if progress.is_remaking or progress.as_of < day_of(today, zone).start:
        return None
    history = load_history(tx, queue_id, today - timedelta(days=HISTORY_DAYS), today, zone, calendar)
    days = [today + timedelta(days=step) for step in range(DAYS_AHEAD + 1)]
    return history, [DayAhead(day, _closed_quarters(day_of(day, zone), zone, calendar)) for day in days]


def _foretell(history: Sequence[PastDay], ahead: Iterable[DayAhead]) -> dict[date, list[float]]:
    found = fit(history)
    # A thousandth of a contact is enough, and 96 numbers are then half a kilobyte.
    return {} if found is None else {day.day: [round(each, 3) for each in found.expected(day)] for day in ahead}


def _keep(tx: Tx, queue_id: int, today: date, days: Mapping[date, list[float]]) -> bool:
    """What another process has kept meanwhile stays; nothing of a queue that is gone."""
    if tx.first(select(_q.id).where(_q.id == queue_id)) is None:
        return False
    of = {"queue_id": queue_id, "made_on": today.isoformat(), "method": METHOD}
    rows = [{**of, "day": day.isoformat(), "contacts": contacts} for day, contacts in days.items()]
    return any(tx.insert_new(tables.forecast, rows))


def _forget(tx: Tx, today: date) -> None:
    """Of days that are over, what was foretold at other times than KEPT_LEADS before."""
    for step in range(1, DAYS_AHEAD + 1):
        day = today - timedelta(days=step)
        kept = [(day - timedelta(days=lead)).isoformat() for lead in KEPT_LEADS]
        tx.execute(delete(tables.forecast).where(_fc.day == day.isoformat(), _fc.made_on.not_in(kept)))


# --- history ----------------------------------------------------------------------------------------------------------------


def load_history(
    tx: Tx, queue_id: int, first: date, until: date, zone: ZoneInfo, calendar: Calendar | None
) -> list[PastDay]:
    """The days first <= day < until of which it is known what came: none before the first stay of any queue."""
    known_since = _load_known_since(tx)
    if known_since is None:
        return []
    # The day of the first fact is known in part.
    first = max(first, local_day(known_since, zone).date + timedelta(days=1))
    if first >= until:
        return []
    start, end = day_of(first, zone).start, day_of(until, zone).start
    arrivals = load_arrivals(tx, queue_id, start, end)
    return [
        _past_day(day_of(first + timedelta(days=step), zone), zone, calendar, arrivals)
        for step in range((until - first).days)
    ]


def _load_known_since(tx: Tx) -> datetime | None:
    """When the first stay of any queue began: asked of each by itself, since there is an index for that."""
    firsts = (tx.scalar(select(func.min(_v.queued_at)).where(_v.queue_id == row.id)) for row in tx.rows(select(_q.id)))
    return min((first for first in firsts if first is not None), default=None)


def load_arrivals(tx: Tx, queue_id: int, start: datetime, end: datetime) -> Mapping[datetime, int]:
    """How many stays in the queue began in each quarter of an hour of start <= t < end, by its first instant; those that go
    on, too, which are no facts yet."""
    # Counted by the database: of a large queue the rows would be a hundred thousand.
    quarter = _quarter_number(tx, _v.queued_at)
    over = (
        select(quarter.label("quarter"), func.count().label("n"))
        .where(_v.queue_id == queue_id, _v.queued_at >= start, _v.queued_at < end)
        .group_by(quarter)
    )
    came = Counter({interval_start(int(row.quarter)): int(row.n) for row in tx.rows(over)})
    goes_on = select(_c.visit_since).where(
        _c.visit_queue_id == queue_id, _c.visit_since >= start, _c.visit_since < end, _c.visit_since.is_not(None)
    )
    came.update(interval_start(interval_number(row.visit_since)) for row in tx.rows(goes_on))
    return came


def _quarter_number(tx: Tx, at: ColumnElement[datetime]) -> ColumnElement[Any]:
    """kpi.days.interval_number, in SQL."""
    if tx.is_postgresql:
        return cast(func.floor(func.extract("epoch", at) / INTERVAL_S), BigInteger)
    # Instants are microseconds there.
    return type_coerce(at, BigInteger) // (INTERVAL_S * 1_000_000)


def _sum_s(tx: Tx, since: ColumnElement[datetime], until: ColumnElement[datetime]) -> ColumnElement[Any]:
    """The seconds from one to the other, of all rows."""
    if tx.is_postgresql:
        return func.coalesce(func.sum(func.extract("epoch", until) - func.extract("epoch", since)), 0.0)
    return func.coalesce(func.sum(type_coerce(until, BigInteger) - type_coerce(since, BigInteger)), 0) / 1e6


def load_habits(tx: Tx, queue_id: int) -> Habits:
    """Handle time of calls and of digital work together, and patience."""
    since = tx.now - _LATELY
    parts = tx.first(
        select(func.count().label("n"), func.sum(_cs.talk_s + _cs.hold_s + _cs.wrap_up_s).label("total")).where(
            _cs.queue_id == queue_id, _cs.ended_at >= since
        )
    )
    # The hold on the conversation of a call is not counted beside the call.
    held = tx.first(
        select(func.count().label("n"), _sum_s(tx, _s.connected_at, _s.ended_at).label("total")).where(
            _s.queue_id == queue_id, _s.ended_at >= since, _s.call_id.is_(None)
        )
    )
    count = sum(found.n for found in (parts, held) if found)
    total = sum(float(found.total or 0) for found in (parts, held) if found)
    waited = tx.first(
        select(
            func.sum(case((_v.reason == "abandoned", 1), else_=0)).label("left"),
            _sum_s(tx, _v.queued_at, _v.removed_at).label("total"),
        ).where(_v.queue_id == queue_id, _v.removed_at >= since)
    )
    left = int(waited.left or 0) if waited else 0
    return Habits(total / count if count else None, float(waited.total) / left if waited and left else None)


def _past_day(day: LocalDay, zone: ZoneInfo, calendar: Calendar | None, arrivals: Mapping[datetime, int]) -> PastDay:
    counts: list[list[int]] = [[] for _ in range(QUARTERS)]
    for start in _quarters(day):
        counts[_wall_quarter(start, zone)].append(arrivals.get(start, 0))
    is_special = calendar is not None and day.date in calendar.special
    return PastDay(
        day.date,
        tuple(sum(of_quarter) / len(of_quarter) if of_quarter else None for of_quarter in counts),
        is_special,
        _closed_quarters(day, zone, calendar),
    )


def _closed_quarters(day: LocalDay, zone: ZoneInfo, calendar: Calendar | None) -> frozenset[int]:
    """The quarters that only a special day closes."""
    if calendar is None or not any(day.date + timedelta(days=step) in calendar.special for step in (-1, 0, 1)):
        return frozenset()
    usual = replace(calendar, special={})
    return frozenset(
        _wall_quarter(start, zone) for start in _quarters(day) if is_open(usual, start) and not is_open(calendar, start)
    )


def _quarters(day: LocalDay) -> list[datetime]:
    return [day.start + step * _QUARTER for step in range((day.end - day.start) // _QUARTER)]


def _wall_quarter(at: datetime, zone: ZoneInfo) -> int:
    local = at.astimezone(zone)
    return local.hour * 4 + local.minute // 15


def _load_calendar(tx: Tx, queue_id: int) -> Calendar | None:
    row = tx.first(select(_q.calendar_id).where(_q.id == queue_id))
    if row is None:
        raise NotFound("there is no such queue")
    return load_current(tx, [row.calendar_id]).get(row.calendar_id) if row.calendar_id is not None else None


# --- plans ------------------------------------------------------------------------------------------------------------------


def load_staffing_plan(tx: Tx, queue_id: int) -> StaffingPlan:
    """Of a queue of which nobody has said anything, the default."""
    _check_queue(tx, queue_id)
    row = tx.first(select(tables.staffing_plan).where(_sp.queue_id == queue_id))
    if row is None:
        return StaffingPlan()
    return StaffingPlan(
        row.service_level,
        row.within_s,
        row.occupancy,
        row.shrinkage,
        row.aht_s,
        row.patience_s,
        row.concurrency,
        row.version,
    )


def save_staffing_plan(tx: Tx, queue_id: int, plan: StaffingPlan, *, actor: Viewer | None = None) -> StaffingPlan:
    """`plan.version` is the one that was seen; Conflict `version_conflict` if somebody changed it meanwhile."""
    values = {
        "service_level": plan.service_level,
        "within_s": plan.within_s,
        "occupancy": plan.occupancy,
        "shrinkage": plan.shrinkage,
        "aht_s": plan.aht_s,
        "patience_s": plan.patience_s,
        "concurrency": plan.concurrency,
    }
    before = load_staffing_plan(tx, queue_id)
    if plan.version == 0:
        new = tx.insert_if_new(tables.staffing_plan).values(queue_id=queue_id, version=1, **values)
        written = tx.execute(new).rowcount
    else:
        seen = (_sp.queue_id == queue_id, _sp.version == plan.version)
        written = tx.execute(
            update(tables.staffing_plan).where(*seen).values(version=_sp.version + 1, **values)
        ).rowcount
    if written != 1:
        raise Conflict("somebody changed this plan meanwhile", code="version_conflict")
    after = load_staffing_plan(tx, queue_id)
    name = str(tx.scalar(select(_q.name).where(_q.id == queue_id)))
    audit.note_change(tx, actor, "staffing_plan.changed", "queue", queue_id, before, after, name=name)
    return after


def _check_queue(tx: Tx, queue_id: int) -> None:
    if tx.first(select(_q.id).where(_q.id == queue_id)) is None:
        raise NotFound("there is no such queue")


# --- answering --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ForecastParts:
    """What `queue_forecast` computes from, as it was read. `as_of`: what came before is known."""

    zone: ZoneInfo
    as_of: datetime
    days: tuple[LocalDay, ...]
    lead_days: int
    kept: Mapping[date, tuple[date, Sequence[float]]]
    kept_before: Mapping[int, Sequence[tuple[date, Sequence[float]]]]
    arrivals: Mapping[datetime, int]
    known_since: datetime | None
    history: Sequence[PastDay]
    plan: StaffingPlan
    habits: Habits
    spans: Sequence[Span]


def load_forecast_parts(tx: Tx, queue_id: int, first: date, last: date, lead_days: int) -> ForecastParts:
    """InvalidInput names what is asked wrongly."""
    for name, day in (("from", first), ("to", last)):
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise InvalidInput(
                "there is no such day",
                fields={name: Sentence("is not between {least} and {most}", least=_FIRST_YEAR, most=_LAST_YEAR)},
            )
    if last < first:
        raise InvalidInput("the last day is before the first", fields={"to": Sentence("is before the first day")})
    if (last - first).days >= MAX_DAYS:
        raise InvalidInput(
            "these are too many days",
            fields={"to": Sentence("is more than {count} days after the first", count=MAX_DAYS)},
        )
    if lead_days not in KEPT_LEADS:
        words = ", ".join(map(str, KEPT_LEADS))
        raise InvalidInput(
            "such forecasts are not kept", fields={"lead_days": Sentence("is none of {known}", known=words)}
        )
    zone, calendar = load_zone(tx), _load_calendar(tx, queue_id)
    today = local_day(tx.now, zone).date
    days = tuple(day_of(first + timedelta(days=step), zone) for step in range((last - first).days + 1))
    tested_since = today - timedelta(days=_TESTED_DAYS)
    kept_before = {lead: _load_kept_before(tx, queue_id, tested_since, today, lead) for lead in KEPT_LEADS}
    as_of = load_progress(tx, tx.now).as_of
    known_until = min(today, local_day(as_of, zone).date)
    since = today - timedelta(days=HISTORY_DAYS + _TESTED_DAYS + 7)
    history = load_history(tx, queue_id, since, known_until, zone, calendar)
    members = [row.user_id for row in tx.rows(select(_m.user_id).where(_m.queue_id == queue_id))]
    plans = load_plans(tx, members, first, last)
    return ForecastParts(
        zone=zone,
        as_of=as_of,
        days=days,
        lead_days=lead_days,
        kept=_load_kept(tx, queue_id, first, last, today, lead_days),
        kept_before=kept_before,
        arrivals=load_arrivals(tx, queue_id, min(days[0].start, tx.now), min(days[-1].end, tx.now)),
        known_since=_load_known_since(tx),
        history=history,
        plan=load_staffing_plan(tx, queue_id),
        habits=load_habits(tx, queue_id),
        spans=[span for plan in plans.values() for span in spans_between(plan, days[0].start, days[-1].end, zone)],
    )


def queue_forecast(parts: ForecastParts) -> QueueForecast:
    """Pure, and some milliseconds a day: not for the event loop."""
    plan, habits = parts.plan, parts.habits
    aht_s = plan.aht_s if plan.aht_s is not None else habits.aht_s
    seats: dict[float, int | None] = {}
    intervals: list[Interval] = []
    pairs: list[tuple[float, float]] = []
    begins = parts.days[0].start
    scheduled = people_at_work(parts.spans, begins, (parts.days[-1].end - begins) // _QUARTER, _QUARTER)
    for day in parts.days:
        _, contacts = parts.kept.get(day.date, (None, None))
        for start in _quarters(day):
            expected = None if contacts is None else contacts[_wall_quarter(start, parts.zone)]
            is_known = parts.known_since is not None and parts.known_since <= start and start + _QUARTER <= parts.as_of
            actual = parts.arrivals.get(start, 0) if is_known else None
            if expected is not None and actual is not None:
                pairs.append((expected, actual))
            required = None
            if expected is not None and aht_s is not None:
                # A hundredth of a contact changes nobody's number of agents; equal loads are computed once.
                rounded = round(expected, 2)
                if rounded not in seats:
                    load = Load(rounded, aht_s, patience_s=plan.patience_s, concurrency=plan.concurrency)
                    seats[rounded] = required_agents(load, plan.target)
                required = seats[rounded]
            intervals.append(
                Interval(
                    start,
                    expected,
                    actual,
                    required,
                    None if required is None else with_shrinkage(required, plan.shrinkage),
                    scheduled[(start - begins) // _QUARTER],
                )
            )
    known = {day.day: day for day in parts.history}
    return QueueForecast(
        time_zone=parts.zone.key,
        method=METHOD,
        made_on=max((made_on for made_on, _ in parts.kept.values()), default=None),
        lead_days=parts.lead_days,
        plan=plan,
        habits=habits,
        aht_s=aht_s,
        history_days=sum(day.is_ordinary for day in parts.history[-HISTORY_DAYS:]),
        accuracy=accuracy(pairs),
        errors={lead: accuracy(_pairs(kept, known)) for lead, kept in parts.kept_before.items()},
        tested=back_test(parts.history, days=_TESTED_DAYS),
        intervals=tuple(intervals),
    )


def _pairs(
    kept: Iterable[tuple[date, Sequence[float]]], known: Mapping[date, PastDay]
) -> Iterable[tuple[float, float]]:
    for day, contacts in kept:
        came = known.get(day)
        if came is not None:
            yield from (
                (expected, count) for expected, count in zip(contacts, came.counts, strict=True) if count is not None
            )


def _load_kept(
    tx: Tx, queue_id: int, first: date, last: date, today: date, lead_days: int
) -> dict[date, tuple[date, Sequence[float]]]:
    """Of each day: when it was made, and what it says. Of a day that is over, the one made so many days before; of a day
    ahead the newest; of today that one, too, where none was made so many days before (the first day of a hub)."""
    query = (
        select(_fc.day, _fc.made_on, _fc.contacts)
        .where(_fc.queue_id == queue_id, _fc.day.between(first.isoformat(), last.isoformat()))
        .order_by(_fc.day, _fc.made_on)
    )
    kept: dict[date, tuple[date, Sequence[float]]] = {}
    asked_for: dict[date, tuple[date, Sequence[float]]] = {}
    for row in tx.rows(query):
        day, made_on = date.fromisoformat(row.day), date.fromisoformat(row.made_on)
        if (day - made_on).days == lead_days:
            asked_for[day] = (made_on, row.contacts)
        if day >= today:
            kept[day] = (made_on, row.contacts)
    return kept | {day: made for day, made in asked_for.items() if day <= today}


def _load_kept_before(tx: Tx, queue_id: int, since: date, today: date, lead: int) -> list[tuple[date, Sequence[float]]]:
    days = [since + timedelta(days=step) for step in range((today - since).days)]
    made = {(day - timedelta(days=lead)).isoformat(): day for day in days}
    query = select(_fc.day, _fc.made_on, _fc.contacts).where(
        _fc.queue_id == queue_id,
        _fc.day.between(since.isoformat(), today.isoformat()),
        _fc.made_on.in_(made),
    )
    return [(day, row.contacts) for row in tx.rows(query) if (day := date.fromisoformat(row.day)) == made[row.made_on]]
