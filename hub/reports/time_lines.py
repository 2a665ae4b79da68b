"""Agents' time-lines: what they did when, day by day, and the hours that come of it.

    fact.agent_state, and the stretch that goes on (agents.spells) ─► load_time_lines ─► days of spells, and their sums

The sums are those of the figures (worked_s, work_s, available_s, away_s), folded by the same function (kpi.folding), so a
day's hours here are the hours of a report about that day. A day is one of the time zone that the agent had then: of whoever
came to a team with another clock, a day may be longer or shorter, or come in two parts. Reading is bounded: more than
SPELL_LIMIT stretches is ReportTooLarge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from hub.domain.events import AgentSpellEnded
from hub.domain.sentences import Sentence
from hub.domain.states import AgentState
from hub.errors import InvalidInput, ReportTooLarge
from hub.kpi.belonging import load_placing
from hub.kpi.cells import Dim
from hub.kpi.days import DAYS_TOLD, LocalDay, is_told_of, start_of
from hub.kpi.fact_rows import load_between
from hub.kpi.figures import load_known, load_names
from hub.kpi.folding import BARE, fold
from hub.kpi.remaking import load_progress
from hub.store import tables
from hub.store.database import Tx

_a = tables.agent.c

# Of a day, as start <= t < end.
_Piece = tuple[datetime, datetime]

# A day of 500 agents, 100 stretches each: some 7 MB, sent and drawn in a few seconds.
SPELL_LIMIT = 50_000
# A month of one agent, or a day of a large room.
DAY_LIMIT, AGENT_LIMIT = 31, 500


@dataclass(frozen=True, slots=True)
class Spell:
    """Cut at the bounds of its day. `until` None: it goes on."""

    since: datetime
    until: datetime | None
    state: str
    reason: str | None
    load: int
    capacity: int
    work_count: int


@dataclass(frozen=True, slots=True)
class AgentDay:
    """`ms`: counter of kpi.cells (staffed_ms, work_ms, available_ms, away_ms, not_responding_ms) → milliseconds. Whoever is
    away and still holds work counts for both. `is_gap`: nothing is known of that day."""

    day: LocalDay
    is_gap: bool
    spells: tuple[Spell, ...]
    ms: dict[str, int]
    away_ms: dict[str, int]

    @property
    def first_at(self) -> datetime | None:
        """When they were signed in first."""
        return next((spell.since for spell in self.spells if _is_in(spell.state)), None)

    @property
    def last_at(self) -> datetime | None:
        """When they were signed in last; None while they are, too."""
        return next((spell.until for spell in reversed(self.spells) if _is_in(spell.state)), None)


@dataclass(frozen=True, slots=True)
class TimeLine:
    """`time_zone`: the agent's now."""

    agent_id: int
    name: str
    time_zone: str
    days: tuple[AgentDay, ...]


@dataclass(frozen=True, slots=True)
class TimeLines:
    """In the order asked for. `as_of` and `is_complete` as of kpi.figures.Report."""

    time_zone: str
    as_of: datetime
    is_complete: bool
    agents: tuple[TimeLine, ...]


def load_time_lines(tx: Tx, agent_ids: Sequence[int], since: date, until: date, now: datetime) -> TimeLines:
    """InvalidInput names what is asked wrongly. Who is not there has no name here: whoever asks has looked."""
    _check(agent_ids, since, until)
    placing = load_placing(tx)
    names = load_names(tx, Dim.AGENT)
    known, progress = load_known(tx), load_progress(tx, now, placing)
    days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    zones = {agent_id: placing.zone_of_agent(agent_id, now) for agent_id in agent_ids}
    pieces = {agent_id: placing.days_of_agent(agent_id, since, until) for agent_id in agent_ids}
    known_days = [_day_of(on, pieces[agent_id][on], zones[agent_id]) for agent_id in agent_ids for on in days]
    start, end = min(day.start for day in known_days), max(day.end for day in known_days)
    facts = _load_facts(tx, agent_ids, start, end)
    goes_on = _load_going_on(tx, agent_ids, now)
    lines = []
    for agent_id in agent_ids:
        of_agent = [_day_of(on, pieces[agent_id][on], zones[agent_id]) for on in days]
        gaps = [known is None or day.end <= known or day.start > now or progress.lacks(day.end) for day in of_agent]
        parts = [pieces[agent_id][on] for on in days]
        found = _days(facts[agent_id], goes_on.get(agent_id), of_agent, parts, gaps)
        lines.append(TimeLine(agent_id, names.get(str(agent_id), ""), zones[agent_id].key, tuple(found)))
    is_whole = progress.as_of >= min(end, now) and end <= now and not progress.is_remaking
    is_complete = is_whole and not any(day.is_gap for line in lines for day in line.days)
    return TimeLines(placing.zone.key, progress.as_of, is_complete, tuple(lines))


def _day_of(on: date, pieces: Sequence[_Piece], zone: ZoneInfo) -> LocalDay:
    """From its first instant to its last; one that was left out is empty."""
    if not pieces:
        return LocalDay(on, start_of(on, zone), start_of(on, zone))
    return LocalDay(on, pieces[0][0], pieces[-1][1])


def _check(agent_ids: Sequence[int], since: date, until: date) -> None:
    faults: dict[str, str] = {}
    if not agent_ids:
        faults["agents"] = Sentence("name at least one agent")
    elif len(agent_ids) > AGENT_LIMIT:
        faults["agents"] = Sentence("name at most {count} at once", count=AGENT_LIMIT)
    if since > until:
        faults["since"] = Sentence("must not be after the last day")
    elif not is_told_of(since) or not is_told_of(until):
        faults["until" if is_told_of(since) else "since"] = DAYS_TOLD
    elif (until - since).days >= DAY_LIMIT:
        faults["until"] = Sentence("time-lines are told of at most {count} days", count=DAY_LIMIT)
    if faults:
        raise InvalidInput("The time-lines cannot be asked like this.", fields=faults)


def _load_facts(
    tx: Tx, agent_ids: Collection[int], start: datetime, end: datetime
) -> defaultdict[int, list[AgentSpellEnded]]:
    """Every stretch of these agents that lies between, in whole or in part, by agent and in order."""
    found: defaultdict[int, list[AgentSpellEnded]] = defaultdict(list)
    ids = {Dim.AGENT: [str(one) for one in agent_ids]}
    kept = load_between(tx, AgentSpellEnded, start, end, ids, SPELL_LIMIT + 1)
    if len(kept) > SPELL_LIMIT:
        raise ReportTooLarge(
            f"These are more than {SPELL_LIMIT:,} stretches of time. Ask for fewer agents or days.",
            fields={"agents": Sentence("name fewer, or ask for fewer days")},
        )
    for one in kept:
        if isinstance(one.fact, AgentSpellEnded):
            found[one.fact.agent_id].append(one.fact)
    for spells in found.values():
        spells.sort(key=lambda spell: spell.since)
    return found


def _load_going_on(tx: Tx, agent_ids: Collection[int], now: datetime) -> dict[int, AgentSpellEnded]:
    """What each of them does now, as if it ended."""
    columns = (_a.user_id, _a.spell_since, _a.spell_state, _a.spell_reason)
    more = (_a.spell_load, _a.spell_capacity, _a.spell_work_count)
    rows = tx.rows(select(*columns, *more).where(_a.user_id.in_(agent_ids), _a.spell_since.is_not(None)))
    return {
        row.user_id: AgentSpellEnded(
            agent_id=row.user_id,
            since=row.spell_since,
            until=now,
            state=row.spell_state,
            reason=row.spell_reason,
            load=row.spell_load,
            capacity=row.spell_capacity,
            work_count=row.spell_work_count,
        )
        for row in rows
        if row.spell_since < now
    }


@dataclass(slots=True)
class _Sums:
    spells: list[Spell] = field(default_factory=list)
    ms: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    away_ms: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


def _days(
    ended: Iterable[AgentSpellEnded],
    goes_on: AgentSpellEnded | None,
    days: Sequence[LocalDay],
    pieces: Sequence[Sequence[_Piece]],
    gaps: Sequence[bool],
) -> list[AgentDay]:
    sums = [_Sums() for _ in days]
    for fact, is_open in (*((fact, False) for fact in ended), *(((goes_on, True),) if goes_on is not None else ())):
        for of_day, parts in zip(sums, pieces, strict=True):
            for piece in parts:
                if piece[0] < fact.until and fact.since < piece[1]:
                    _add(of_day, fact, piece, is_open=is_open)
    return [
        AgentDay(day, is_gap, tuple(of.spells), dict(of.ms), dict(of.away_ms))
        for day, is_gap, of in zip(days, gaps, sums, strict=True)
    ]


def _add(sums: _Sums, fact: AgentSpellEnded, piece: _Piece, *, is_open: bool) -> None:
    start, end = piece
    until = min(fact.until, end)
    goes_on = is_open and fact.until < end
    sums.spells.append(
        Spell(
            max(fact.since, start),
            None if goes_on else until,
            fact.state,
            fact.reason,
            fact.load,
            fact.capacity,
            fact.work_count,
        )
    )
    for part in fold(fact, BARE, {}):
        if not start <= part.at < end:
            continue
        for name in ("staffed_ms", "work_ms", "available_ms", "away_ms", "not_responding_ms"):
            sums.ms[name] += part.counts.get(name, 0)
        if "away_ms" in part.counts:
            sums.away_ms[fact.reason or ""] += part.counts["away_ms"]


def _is_in(state: str) -> bool:
    return state != AgentState.OFFLINE.value
