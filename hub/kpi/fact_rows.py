"""The tables of facts: a row is its event, and what is known of it beyond that (kpi.folding, Extra).

Where facts are read again to be folded (a report of two things at once, an interval of an agent) they are read here, never
more of them than asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, func, or_, select, tuple_

from hub.domain.events import (
    AgentSpellEnded,
    CallEnded,
    CallMissed,
    CallSegmentEnded,
    ContactBegan,
    ConversationResolved,
    CustomerAnswered,
    CustomerJoined,
    CustomerParted,
    FactEvent,
    OfferOver,
    QueueVisitEnded,
    SegmentEnded,
    SurveyAnswered,
    SurveySent,
)
from hub.kpi.cells import Dim
from hub.kpi.days import wall_s
from hub.kpi.folding import BARE, Extra
from hub.store import tables
from hub.store.database import Tx

KINDS: Mapping[str, type[Any]] = {
    kind.KIND: kind
    for kind in (
        SegmentEnded,
        CustomerAnswered,
        ConversationResolved,
        CallEnded,
        CallSegmentEnded,
        CallMissed,
        ContactBegan,
        QueueVisitEnded,
        OfferOver,
        AgentSpellEnded,
        SurveySent,
        SurveyAnswered,
        CustomerJoined,
        CustomerParted,
    )
}
TABLES: Mapping[type[Any], Table] = {
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
    CustomerJoined: tables.fact_customer_joined,
    CustomerParted: tables.fact_customer_parted,
}
# The instant that says to which stretch of time a fact belongs.
DATED_BY: Mapping[type[Any], str] = {
    SegmentEnded: "ended_at",
    CustomerAnswered: "answered_at",
    ConversationResolved: "resolved_at",
    CallEnded: "ended_at",
    CallSegmentEnded: "ended_at",
    CallMissed: "ended_at",
    ContactBegan: "arrived_at",
    QueueVisitEnded: "removed_at",
    OfferOver: "ended_at",
    AgentSpellEnded: "until",
    SurveySent: "sent_at",
    SurveyAnswered: "answered_at",
    CustomerJoined: "joined_at",
    CustomerParted: "parted_at",
}
# What a row has of its event.
FIELDS = {
    kind: tuple(field.name for field in fields(kind) if field.name not in ("kind", "replaces")) for kind in TABLES
}
_EXTRA = {
    SegmentEnded: ("weighted_s",),
    ConversationResolved: ("reopened_at", "repeated_at", "is_superseded"),
    CallSegmentEnded: ("is_consult",),
}
_COLUMN = {Dim.AGENT: "agent_id", Dim.QUEUE: "queue_id", Dim.CHANNEL: "channel_id", Dim.TOPIC: "topic_id"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A fact and what its row knows beyond it."""

    fact: FactEvent
    extra: Extra = BARE


def make_row(fact: FactEvent) -> dict[str, Any]:
    """The row of a fact that is new."""
    row: dict[str, Any] = {name: getattr(fact, name) for name in FIELDS[type(fact)]}
    if isinstance(fact, CustomerAnswered):
        row["wall_s"] = wall_s(fact.asked_at, fact.answered_at)
    elif isinstance(fact, ConversationResolved):
        row["wall_s"] = wall_s(fact.opened_at, fact.resolved_at)
    return row


def load_kept(
    tx: Tx,
    kind: type[Any],
    *where: ColumnElement[bool],
    limit: int | None = None,
    order: Iterable[ColumnElement[Any]] = (),
) -> list[Kept]:
    """Facts of a kind."""
    return load_found(tx, kind, find_kept(kind, *where).order_by(*order).limit(limit))


def find_kept(kind: type[Any], *where: ColumnElement[bool]) -> Select[Any]:
    """What load_found runs: for whoever asks the same again and again, since to make a statement takes longer than to run
    it."""
    table = TABLES[kind]
    return select(*(table.c[name] for name in (*FIELDS[kind], *_EXTRA.get(kind, ())))).where(*where)


def load_found(tx: Tx, kind: type[Any], found: Select[Any], parameters: Mapping[str, Any] | None = None) -> list[Kept]:
    names, extra = FIELDS[kind], _EXTRA.get(kind, ())
    return [_kept(kind, names, extra, row) for row in tx.execute(found, parameters)]


def _kept(kind: type[Any], names: tuple[str, ...], extra: tuple[str, ...], row: Row[Any]) -> Kept:
    fact = kind(*row[: len(names)])
    if not extra:
        return Kept(fact)
    return Kept(fact, Extra(**dict(zip(extra, row[len(names) :], strict=True))))


def dims_of(kind: type[Any]) -> set[Dim]:
    """By what its facts can be told apart, teams (of agents) left out."""
    return {dim for dim, column in _COLUMN.items() if column in TABLES[kind].c}


def of(kind: type[Any], ids: Mapping[Dim, Collection[str]]) -> Iterator[ColumnElement[bool]]:
    """That facts of a kind are of these agents, queues …, where it names any."""
    for dim, wanted in ids.items():
        column = TABLES[kind].c[_COLUMN[dim]]
        values: list[Any] = sorted(wanted) if dim is Dim.CHANNEL else sorted(int(one) for one in wanted)
        yield column.in_(values)


def load_between(
    tx: Tx, kind: type[Any], start: datetime, end: datetime, ids: Mapping[Dim, Collection[str]], limit: int
) -> list[Kept]:
    """Facts of a kind that add something to start <= t < end, up to a limit, in no order."""
    c = TABLES[kind].c
    whose = tuple(of(kind, ids))
    if kind is SurveyAnswered:
        # It adds to when it was sent, too, which is earlier.
        return load_kept(
            tx, kind, c.answered_at >= start, or_(c.answered_at < end, c.sent_at < end), *whose, limit=limit
        )
    at = c[DATED_BY[kind]]
    if kind is AgentSpellEnded:
        ended = load_kept(tx, kind, at > start, at < end, *whose, limit=limit)
        return ended + load_kept(tx, kind, tuple_(c.agent_id, c.until).in_(_over(end)), c.since < end, *whose)
    return load_kept(tx, kind, at >= start, at < end, *whose, limit=limit)


def load_going_on(tx: Tx, now: datetime) -> list[Kept]:
    """What agents who are signed in do right now, as if it ended now: no fact tells it yet (agents.spells)."""
    c = tables.agent.c
    columns = (c.spell_state, c.spell_reason, c.spell_load, c.spell_capacity, c.spell_work_count)
    found = select(c.user_id, c.spell_since, *columns).where(c.spell_since < now, c.spell_state != "offline")
    return [
        Kept(
            AgentSpellEnded(
                row.user_id,
                row.spell_since,
                now,
                row.spell_state,
                row.spell_reason,
                row.spell_load,
                row.spell_capacity,
                row.spell_work_count,
            )
        )
        for row in tx.rows(found)
    ]


def _over(end: datetime) -> Select[Any]:
    """Of each agent, which of their spells ended next after that: it alone can have begun before."""
    c, agents = tables.fact_agent_state.c, tables.agent.c
    ended = select(func.min(c.until)).where(c.agent_id == agents.user_id, c.until >= end).scalar_subquery()
    return select(agents.user_id, ended)
