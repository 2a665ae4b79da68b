"""Contacts in bulk for `hub bench kpi`: facts of two years, and the cells that the projector would have made of them.

To project ten million contacts one by one would take too long, so contacts are cast here from some hundred shapes.
A shape is the facts of one contact, drawn at random and folded once by the hub's own functions (kpi.folding); a contact is
a shape with another agent, queue, topic, customer and instant. All of it lies within one quarter of an hour, so it adds the
same to whatever cells it falls into. Whether cells and facts agree is checked by the benchmark before anything is timed.

One day after the other, in the order of time; a month's cells come with its last day.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hub.domain.events import (
    AgentSpellEnded,
    CallEnded,
    CallSegmentEnded,
    ContactBegan,
    ConversationResolved,
    CustomerAnswered,
    FactEvent,
    OfferOver,
    QueueVisitEnded,
    SegmentEnded,
    SurveyAnswered,
    SurveySent,
)
from hub.kpi.cells import COUNTERS, EVERYTHING, Dim
from hub.kpi.days import Grain, interval_number, interval_start, month_of_day
from hub.kpi.fact_rows import TABLES, make_row
from hub.kpi.folding import BARE, Part, fold
from hub.kpi.placing import Key
from hub.kpi.sketch import bin_of, encode, from_counts

AGENTS, QUEUES, TOPICS, CUSTOMERS, DAYS = 500, 20, 30, 200_000, 730
CHANNELS = {"line": "phone", "chat": "chat", "mail": "email", "sms": "sms"}
ZONE = ZoneInfo("Europe/Kyiv")
LAST = date(2026, 11, 25)
# From 8 to 20 o'clock.
_OPENS_H, _INTERVALS = 8, 48
_SHAPES, _SHIFTS = 400, 8

# What shapes call those who differ from contact to contact.
_CONVERSATION, _AGENT, _QUEUE, _TOPIC, _CUSTOMER = -1, -2, -3, -4, -5
_BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_COLUMN = {name: number for number, name in enumerate(COUNTERS)}

Rows = dict[str, list[Sequence[Any]]]


class Mould(NamedTuple):
    """A row of a table: what is the same in each, which instants lie how long after the contact's, and who stands where."""

    table: str
    row: list[Any]
    instants: list[tuple[int, Any]]
    named: list[tuple[int, int]]


class Added(NamedTuple):
    """By the number of the counter; by sketch and bin."""

    counts: list[tuple[int, int]]
    bins: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Shape:
    channel_id: str
    moulds: list[Mould]
    whole: Added
    # What was not answered, and what is counted of calls and requests, is no agent's.
    of_agent: Added


@dataclass(slots=True)
class Sum:
    """A cell as it is added up."""

    counts: list[int] = field(default_factory=lambda: [0] * len(COUNTERS))
    bins: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add(self, added: Added, times: int) -> None:
        counts = self.counts
        for column, count in added.counts:
            counts[column] += count * times
        for place in added.bins:
            self.bins[place] += times

    def add_sum(self, other: Sum) -> None:
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.bins.update(other.bins)


def columns_of(table: str) -> list[str]:
    if table == "kpi_cell":
        return ["grain", "dim", "start", "dim_id", *COUNTERS]
    if table == "kpi_sketch":
        return ["grain", "dim", "name", "start", "dim_id", "bins"]
    return list(_TABLES[table].c.keys())


_TABLES = {table.name: table for table in TABLES.values()}
FILLED = (*_TABLES, "kpi_cell", "kpi_sketch")


def draw_days(size: int, instant: Callable[[datetime], Any], duration: Callable[[timedelta], Any]) -> Iterator[Rows]:
    """All rows, a day at a time. `instant` and `duration` turn times into what the database's driver takes."""
    random = Random(1)
    shapes = [_draw_shape(random, number, duration) for number in range(_SHAPES)]
    shifts = [_draw_shift(random, duration) for _ in range(_SHIFTS)]
    months: dict[Key, Sum] = {}
    number = 0
    for day in range(LAST.toordinal() - DAYS + 1, LAST.toordinal() + 1):
        on = date.fromordinal(day)
        opens = datetime(on.year, on.month, on.day, _OPENS_H, tzinfo=ZONE).astimezone(UTC)
        upto = size * (day - LAST.toordinal() + DAYS) // DAYS
        rows: Rows = defaultdict(list)
        seen: defaultdict[Key, Counter[int]] = defaultdict(Counter)
        first = interval_number(opens)
        starts = [instant(interval_start(first + n)) for n in range(_INTERVALS)]
        seconds = [duration(timedelta(seconds=n)) for n in range(60)]
        while number < upto:
            number += 1
            which = random.randrange(_SHAPES)
            shape = shapes[which]
            interval = random.randrange(_INTERVALS)
            who = (0, number, random.randrange(AGENTS) + 1, random.randrange(QUEUES) + 1, random.randrange(TOPICS) + 1)
            _cast(rows, shape.moulds, starts[interval] + seconds[number % 60], (*who, number % CUSTOMERS + 1))
            start = first + interval
            seen[Key(Grain.INTERVAL, start, Dim.ALL, EVERYTHING)][which] += 1
            seen[Key(Grain.INTERVAL, start, Dim.QUEUE, str(who[3]))][which] += 1
            seen[Key(Grain.INTERVAL, start, Dim.CHANNEL, shape.channel_id)][which] += 1
            seen[Key(Grain.DAY, day, Dim.TOPIC, str(who[4]))][which] += 1
            seen[Key(Grain.DAY, day, Dim.AGENT, str(who[2]))][which] += 1
        sums = _add_up(seen, shapes, day)
        _add_shifts(random, shifts, rows, sums, instant(opens), first, day)
        _write(rows, sums)
        for key, found in sums.items():
            if key.grain == Grain.DAY:
                month = Key(Grain.MONTH, month_of_day(day), key.dim, key.dim_id)
                months.setdefault(month, Sum()).add_sum(found)
        if day == LAST.toordinal() or month_of_day(day + 1) != month_of_day(day):
            _write(rows, months)
            months = {}
        yield rows


def _cast(rows: Rows, moulds: list[Mould], at: Any, who: tuple[int, ...]) -> None:
    for mould in moulds:
        row = mould.row.copy()
        for column, offset in mould.instants:
            row[column] = at + offset
        for column, name in mould.named:
            row[column] = who[-name]
        rows[mould.table].append(row)


def _add_up(seen: dict[Key, Counter[int]], shapes: list[Shape], day: int) -> dict[Key, Sum]:
    """The cells of a day and its intervals."""
    sums: dict[Key, Sum] = {}
    for key, times in seen.items():
        found = sums.setdefault(key, Sum())
        for which, count in times.items():
            found.add(shapes[which].of_agent if key.dim == Dim.AGENT else shapes[which].whole, count)
    for key in [key for key in sums if key.grain == Grain.INTERVAL]:
        sums.setdefault(Key(Grain.DAY, day, key.dim, key.dim_id), Sum()).add_sum(sums[key])
        # Percentiles are kept by day.
        sums[key].bins.clear()
    return sums


def _write(rows: Rows, sums: dict[Key, Sum]) -> None:
    for key, found in sums.items():
        place = (str(key.grain), str(key.dim), key.start, key.dim_id)
        rows["kpi_cell"].append((*place, *found.counts))
        by_name: dict[str, dict[int, int]] = defaultdict(dict)
        for (name, bin_number), count in found.bins.items():
            by_name[name][bin_number] = count
        for name, bins in by_name.items():
            row = (place[0], place[1], name, key.start, key.dim_id, encode(from_counts(bins)))
            rows["kpi_sketch"].append(row)


# --- shapes -------------------------------------------------------------------------------------------------------------


def _draw_shape(random: Random, number: int, duration: Callable[[timedelta], Any]) -> Shape:
    channel = list(CHANNELS)[number % len(CHANNELS)]
    wait = min(int(random.expovariate(1 / 25_000)), 140_000)
    reason = random.choices(("answered", "abandoned", "overflow", "callback"), (86, 9, 3, 2))[0]
    held = min(int(random.lognormvariate(12, 0.7)), 600_000)
    took = timedelta(milliseconds=min(int(random.lognormvariate(15, 2)), 3 * 86_400_000))
    answered = _BEGIN + timedelta(milliseconds=wait)
    ended = answered + timedelta(milliseconds=held)
    facts = _draw_facts(random, channel, reason, answered, ended, took)
    parts = [part for fact in facts for part in fold(fact, BARE, CHANNELS)]
    if reason == "answered":
        parts.append(Part(ended, _AGENT, _QUEUE, channel, _TOPIC, {"contacts": 1}, {}))
    assert {interval_number(part.at) for part in parts} == {interval_number(_BEGIN)}, "all in a quarter of an hour"
    moulds = [_make_mould(fact, duration) for fact in facts]
    return Shape(channel, moulds, _added(parts), _added([part for part in parts if part.agent_id is not None]))


def _added(parts: list[Part]) -> Added:
    counts: Counter[int] = Counter()
    for part in parts:
        counts.update({_COLUMN[name]: count for name, count in part.counts.items()})
    bins = [(name, bin_of(value)) for part in parts for name, value in part.durations.items()]
    return Added([(column, count) for column, count in counts.items() if count], bins)


def _draw_facts(
    random: Random, channel: str, reason: str, answered: datetime, ended: datetime, took: timedelta
) -> list[FactEvent]:
    is_call = channel == "line"
    call_id = _CONVERSATION if is_call else None
    of = (channel, _QUEUE)
    agent = _AGENT if reason == "answered" else None
    came, topic, customer = _BEGIN, _TOPIC, _CUSTOMER
    visit = QueueVisitEnded(_CONVERSATION, 1, customer, *of, came, came, came, answered, reason, agent, call_id, topic)
    facts: list[FactEvent] = [ContactBegan(_CONVERSATION, 0, customer, *of, "in", came, is_call, None, topic), visit]
    if reason != "answered":
        return facts
    ids = (_CONVERSATION, _CONVERSATION, _AGENT)
    way = random.choices(("resolved", "transferred", "released"), (92, 5, 3))[0]
    facts += [
        OfferOver(*ids, *of, came, answered, "accepted", call_id, customer, topic),
        SegmentEnded(*ids, *of, answered, ended, "offer", way, topic, customer, call_id),
        ConversationResolved(*ids, *of, ended - took, ended, 0, topic, customer, came, None, took.total_seconds() / 3),
    ]
    if is_call:
        talk_s, end = (ended - answered).total_seconds() - 5, random.choice(("completed", "completed", "transferred"))
        of_call = (_CONVERSATION, _CONVERSATION, _CONVERSATION, _AGENT, *of, "in", "answered", answered)
        facts += [
            CallEnded(*ids[:2], *of, "in", came, came, answered, ended, "completed", topic, customer),
            CallSegmentEnded(*of_call, max(talk_s, 0.0), 0.0, 5.0, ended, end, None, topic, customer),
        ]
    else:
        business_s = (ended - came).total_seconds()
        facts.append(CustomerAnswered(*ids, *of, came, ended, True, topic, customer, business_s))
    if random.random() < 0.1:
        kind = random.choice(("csat", "nps", "ces"))
        score = random.randrange(11) if kind == "nps" else random.randrange(1, 6)
        asked = (_CONVERSATION, customer, *of, ended)
        facts.append(SurveySent(_CONVERSATION, kind, *asked, _AGENT, topic))
        facts.append(SurveyAnswered(_CONVERSATION, kind, score, *asked, ended, _AGENT, topic))
    return facts


def _make_mould(fact: FactEvent, duration: Callable[[timedelta], Any]) -> Mould:
    table = TABLES[type(fact)]
    known = make_row(fact)
    row = [known.get(name, False if name in ("is_superseded", "is_consult") else None) for name in table.c.keys()]  # noqa: SIM118 - not a dictionary
    instants = [(n, duration(value - _BEGIN)) for n, value in enumerate(row) if isinstance(value, datetime)]
    named = [
        (n, value)
        for n, value in enumerate(row)
        if isinstance(value, int) and not isinstance(value, bool) and _CUSTOMER <= value < 0
    ]
    return Mould(table.name, row, instants, named)


# --- time of agents -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shift:
    """Eight hours of an agent; what they add, in all and by intervals since the opening."""

    moulds: list[Mould]
    whole: Added
    by_interval: dict[int, Added]


def _draw_shift(random: Random, duration: Callable[[timedelta], Any]) -> _Shift:
    at, end = _BEGIN, _BEGIN + timedelta(hours=8)
    spells = []
    while at < end:
        until = min(end, at + timedelta(seconds=random.randrange(600, 3_600)))
        work, state = random.randrange(3), random.choice(("available", "available", "available", "away"))
        spells.append(AgentSpellEnded(_AGENT, at, until, state, None, work * 40, 100, work))
        at = until
    parts = [part for spell in spells for part in fold(spell, BARE, CHANNELS)]
    by_interval: defaultdict[int, list[Part]] = defaultdict(list)
    for part in parts:
        by_interval[interval_number(part.at) - interval_number(_BEGIN)].append(part)
    moulds = [_make_mould(spell, duration) for spell in spells]
    return _Shift(moulds, _added(parts), {interval: _added(of) for interval, of in by_interval.items()})


def _add_shifts(
    random: Random, shifts: list[_Shift], rows: Rows, sums: dict[Key, Sum], opens: Any, first: int, day: int
) -> None:
    """Every agent works every day."""
    times: Counter[int] = Counter()
    for agent in range(1, AGENTS + 1):
        which = random.randrange(len(shifts))
        times[which] += 1
        _cast(rows, shifts[which].moulds, opens, (0, 0, agent, 0, 0, 0))
        sums.setdefault(Key(Grain.DAY, day, Dim.AGENT, str(agent)), Sum()).add(shifts[which].whole, 1)
    whole = sums.setdefault(Key(Grain.DAY, day, Dim.ALL, EVERYTHING), Sum())
    for which, count in times.items():
        whole.add(shifts[which].whole, count)
        for interval, added in shifts[which].by_interval.items():
            sums.setdefault(Key(Grain.INTERVAL, first + interval, Dim.ALL, EVERYTHING), Sum()).add(added, count)
