"""How far agents did what they were scheduled for, and who should be here now and is not.

Schedules (staffing.shifts) × spells of state (fact_agent_state, and the one that goes on) → staffing.schedule.adhere.
Nothing is stored: a corrected schedule corrects the figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from hub.domain.sentences import Sentence
from hub.domain.states import AgentState
from hub.errors import InvalidInput
from hub.kpi.belonging import load_zone
from hub.kpi.cells import Dim
from hub.kpi.days import day_of
from hub.kpi.measures import Better, Clock, Unit
from hub.kpi.moments import Definition, by_id
from hub.staffing.schedule import RIGHT_STATES, Activity, Adherence, Spell, adhere, spans_between
from hub.staffing.shifts import load_people, load_plans
from hub.store import tables
from hub.store.database import Tx

_f, _a = tables.fact_agent_state.c, tables.agent.c

# So many spells are folded at the asking; a month of a hundred agents is some such number.
MAX_SPELLS = 200_000


# In the registry's words. They are no figures of cells: a schedule may be corrected, which no fact may.
DEFINITIONS: Mapping[str, Definition] = by_id(
    Definition(
        id="adherence",
        version=1,
        name="Adherence",
        formula="Scheduled and in a state that agrees with it ÷ scheduled, of the time of which the state is known.",
        unit=Unit.SHARE,
        clock=Clock.WALL,
        source="schedule, fact.agent_state",
        by=(Dim.AGENT,),
        better=Better.HIGHER,
    ),
    Definition(
        id="conformance",
        version=1,
        name="Conformance",
        formula="Time at work (available or busy), scheduled or not ÷ time scheduled for work.",
        unit=Unit.SHARE,
        clock=Clock.WALL,
        source="schedule, fact.agent_state",
        by=(Dim.AGENT,),
    ),
)


@dataclass(frozen=True, slots=True)
class AgentAdherence:
    user_id: int
    name: str
    adherence: Adherence


@dataclass(frozen=True, slots=True)
class Absent:
    """Scheduled for `activity` from `since` to `until`, and in a state that does not agree with it since `state_since`."""

    user_id: int
    name: str
    activity: Activity
    since: datetime
    until: datetime
    state: AgentState
    state_since: datetime


def load_adherence(tx: Tx, first: date, last: date, user_ids: Collection[int] | None = None) -> list[AgentAdherence]:
    """Of all agents or these, over the local days first to last, up to now; by name. Who was scheduled for nothing is
    there, with nothing. InvalidInput if it would be more than MAX_SPELLS."""
    zone = load_zone(tx)
    start, end = day_of(first, zone).start, min(day_of(last, zone).end, tx.now)
    people = load_people(tx, user_ids)
    ids = [person.user_id for person in people]
    if end <= start:
        return [AgentAdherence(person.user_id, person.name, Adherence()) for person in people]
    plans = load_plans(tx, ids, first, last)
    spells = load_spells(tx, ids, start, end)
    return [
        AgentAdherence(
            person.user_id,
            person.name,
            adhere(spans_between(plans[person.user_id], start, end, zone), spells.get(person.user_id, [])),
        )
        for person in people
    ]


def load_spells(tx: Tx, user_ids: Collection[int], start: datetime, end: datetime) -> Mapping[int, list[Spell]]:
    """The states of these agents, cut to start <= t < end, in order; the one that goes on counts up to now."""
    within = (_f.agent_id.in_(user_ids), _f.until > start, _f.since < end)
    count = tx.scalar(select(func.count()).select_from(tables.fact_agent_state).where(*within))
    if count > MAX_SPELLS:
        raise InvalidInput(
            f"this is over {count} spells of state; ask for fewer days or fewer agents",
            code="report_too_large",
            fields={
                "from": Sentence(
                    "with `to` it covers {count} spells of state; {most} are the most", count=count, most=MAX_SPELLS
                )
            },
        )
    spells: defaultdict[int, list[Spell]] = defaultdict(list)
    query = select(_f.agent_id, _f.since, _f.until, _f.state).where(*within).order_by(_f.agent_id, _f.since)
    for row in tx.rows(query):
        spells[row.agent_id].append(Spell(max(start, row.since), min(end, row.until), AgentState(row.state)))
    for row in tx.rows(select(_a.user_id, _a.state, _a.state_since).where(_a.user_id.in_(user_ids))):
        known = spells[row.user_id]
        since = max(start, row.state_since, known[-1].until if known else start)
        until = min(end, tx.now)
        if since < until:
            known.append(Spell(since, until, AgentState(row.state)))
    return spells


def load_absent(tx: Tx) -> list[Absent]:
    """Who is scheduled for something at this moment and is in another state; the longest first."""
    zone = load_zone(tx)
    today = tx.now.astimezone(zone).date()
    people = load_people(tx)
    plans = load_plans(tx, [person.user_id for person in people], today, today)
    states = {row.user_id: row for row in tx.rows(select(_a.user_id, _a.state, _a.state_since))}
    absent: list[Absent] = []
    for person in people:
        # The span in which now lies, whole: two days to each side hold every span.
        around = timedelta(days=2)
        spans = spans_between(plans[person.user_id], tx.now - around, tx.now + around, zone)
        span = next((span for span in spans if span.start <= tx.now < span.end), None)
        row = states[person.user_id]
        if span is not None and row.state not in RIGHT_STATES[span.activity]:
            named = (person.user_id, person.name, span.activity, span.start, span.end)
            absent.append(Absent(*named, AgentState(row.state), row.state_since))
    return sorted(absent, key=lambda each: (max(each.since, each.state_since), each.name))
