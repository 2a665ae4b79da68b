"""What facts that are new change: what they add themselves, and what older rows add differently because of them.

A resolution learns that the customer came back, be it as somebody else whom they turned out to be; a hold, how much other
work there was beside it; a part in a call, that it was handed over. Each is computed anew from all rows there are
(kpi.sequels); what the row added before is taken out of the cells, and what it adds now put in. So the order in which facts
come, and where windows are cut, make no difference.

Reads the rows of the conversations, customers, calls and agents that are concerned, by index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import bindparam, or_, update

from hub.domain.events import (
    AgentSpellEnded,
    CallSegmentEnded,
    ContactBegan,
    ConversationResolved,
    CustomerJoined,
    CustomerParted,
    FactEvent,
    SegmentEnded,
    SurveyAnswered,
)
from hub.kpi.belonging import load_kinds
from hub.kpi.fact_rows import TABLES, Kept, find_kept, load_found, load_kept
from hub.kpi.folding import BARE, Extra, fold, is_voice
from hub.kpi.kept_cells import Changes
from hub.kpi.placing import Placing, count_contacts
from hub.kpi.sequels import REPEAT_WINDOW, Persons, is_request, was_consulted, weigh, what_followed, who_is
from hub.store import tables
from hub.store.database import Tx

_s, _a = tables.fact_segment.c, tables.fact_agent_state.c

F = TypeVar("F", bound=FactEvent)

# Two holds of one local day are never further apart, whatever the zone and its clocks.
_A_DAY = timedelta(hours=26)
# One agent's, beside a stretch of time: asked of each agent by themselves, whose stretches have nothing in common.
_HOLDS_BESIDE = find_kept(
    SegmentEnded,
    _s.agent_id == bindparam("agent_id"),
    _s.ended_at > bindparam("since"),
    _s.connected_at < bindparam("until"),
)
_SPELLS_BESIDE = find_kept(
    AgentSpellEnded,
    _a.agent_id == bindparam("agent_id"),
    _a.until > bindparam("since"),
    _a.since < bindparam("until"),
)
_REVISED = (SegmentEnded, ConversationResolved, CallSegmentEnded)


def fold_new(tx: Tx, new: Sequence[FactEvent], placing: Placing, changes: Changes) -> None:
    """Gathers what these facts change; their rows are written already, without extras. Rows whose extras change are
    updated. The caller holds the projector's lock."""
    kinds = load_kinds(tx)
    for fact in new:
        if not isinstance(fact, _REVISED):
            changes.add(fold(fact, BARE, kinds), placing)
    _revise(tx, new, placing, changes, kinds, _resolutions(tx, new), ConversationResolved, "entry_id")
    _revise(tx, new, placing, changes, kinds, _parts(tx, new), CallSegmentEnded, "segment_id")
    _revise(tx, new, placing, changes, kinds, _holds(tx, new, kinds), SegmentEnded, "assignment_id")
    _count_contacts(tx, _of(new, SegmentEnded), placing, changes)


def correct_scores(tx: Tx, corrections: Iterable[SurveyAnswered], placing: Placing, changes: Changes) -> None:
    """Scores in whose place the customer gave another: the row has the latest, and so have the cells."""
    c = tables.fact_survey.c
    for correction in corrections:
        of = c.survey_id == correction.survey_id
        for kept in load_kept(tx, SurveyAnswered, of):
            assert isinstance(kept.fact, SurveyAnswered)
            changes.add(fold(kept.fact, BARE, {}), placing, -1)
            changes.add(fold(replace(kept.fact, score=correction.score), BARE, {}), placing)
        tx.execute(update(tables.fact_survey).where(of).values(score=correction.score))


def _revise(
    tx: Tx,
    new: Iterable[FactEvent],
    placing: Placing,
    changes: Changes,
    kinds: Mapping[str, str],
    concerned: Iterable[tuple[Kept, Extra]],
    kind: type[Any],
    key: str,
) -> None:
    fresh = {getattr(fact, key) for fact in new if isinstance(fact, kind)}
    c = TABLES[kind].c
    for kept, extra in concerned:
        row_id = getattr(kept.fact, key)
        if row_id not in fresh:
            if extra == kept.extra:
                continue
            changes.add(fold(kept.fact, kept.extra, kinds), placing, -1)
        changes.add(fold(kept.fact, extra, kinds), placing)
        if extra != kept.extra:
            names = [name for name in Extra.__slots__ if name in c]
            tx.execute(
                update(TABLES[kind]).where(c[key] == row_id).values({name: getattr(extra, name) for name in names})
            )


def _of(facts: Iterable[FactEvent], kind: type[F]) -> list[F]:
    return [fact for fact in facts if isinstance(fact, kind)]


def _resolutions(tx: Tx, new: Iterable[FactEvent]) -> list[tuple[Kept, Extra]]:
    """The resolutions these facts concern, and what followed each."""
    resolved = _of(new, ConversationResolved)
    contacts = [contact for contact in _of(new, ContactBegan) if is_request(contact)]
    met: list[CustomerJoined | CustomerParted] = [*_of(new, CustomerJoined), *_of(new, CustomerParted)]
    joined = {customer for one in met for customer in (one.customer_id, one.into_id)}
    if not contacts and not resolved and not joined:
        return []
    r, c = tables.fact_resolution.c, tables.fact_contact.c
    conversations = {fact.conversation_id for fact in resolved}
    conversations |= {contact.conversation_id for contact in contacts if contact.episode > 0}
    concerned = {
        _entry(kept): kept for kept in load_kept(tx, ConversationResolved, r.conversation_id.in_(conversations))
    }
    contacts += _told_apart(tx, resolved)
    if contacts:
        arrived = [contact.arrived_at for contact in contacts]
        customers, _ = _load_persons(tx, {contact.customer_id for contact in contacts})
        within = (r.resolved_at >= min(arrived) - REPEAT_WINDOW, r.resolved_at < max(arrived))
        for kept in load_kept(tx, ConversationResolved, r.customer_id.in_(customers), *within):
            concerned.setdefault(_entry(kept), kept)
    if joined:
        # Who was joined or parted had come before, and so had those to whom they belong: at any time.
        customers, _ = _load_persons(tx, joined)
        for kept in load_kept(tx, ConversationResolved, r.customer_id.in_(customers)):
            concerned.setdefault(_entry(kept), kept)
    facts = [kept.fact for kept in concerned.values() if isinstance(kept.fact, ConversationResolved)]
    if not facts:
        return []
    reopened = load_kept(
        tx, ContactBegan, c.conversation_id.in_({fact.conversation_id for fact in facts}), c.episode > 0
    )
    by_conversation = _by(reopened, "conversation_id")
    customers, persons = _load_persons(tx, {fact.customer_id for fact in facts if fact.customer_id is not None})
    days = [fact.resolved_at for fact in facts]
    within = (c.arrived_at > min(days), c.arrived_at <= max(days) + REPEAT_WINDOW)
    came_by: defaultdict[int | None, list[ContactBegan]] = defaultdict(list)
    for kept in load_kept(tx, ContactBegan, c.customer_id.in_(customers), *within):
        assert isinstance(kept.fact, ContactBegan)
        came_by[persons.of(kept.fact)].append(kept.fact)
    of = {fact.conversation_id for fact in facts} | {one.conversation_id for came in came_by.values() for one in came}
    ended = _by(load_kept(tx, ConversationResolved, r.conversation_id.in_(of)), "conversation_id")
    found = []
    for kept in concerned.values():
        fact = kept.fact
        assert isinstance(fact, ConversationResolved)
        came: list[Any] = [*by_conversation[fact.conversation_id]]
        if fact.customer_id is not None:
            came += came_by[persons.of(fact)]
        about = {fact.conversation_id, *(contact.conversation_id for contact in came)}
        after = [resolution for conversation in about for resolution in ended[conversation]]
        found.append((kept, what_followed(fact, came, after, persons)))
    return found


def _told_apart(tx: Tx, resolved: Iterable[ConversationResolved]) -> list[ContactBegan]:
    """The requests of which these are the resolutions: what they were about is known now."""
    wanted = {(fact.conversation_id, fact.reopened_count) for fact in resolved if fact.topic_id is not None}
    c = tables.fact_contact.c
    rows = load_kept(tx, ContactBegan, c.conversation_id.in_({conversation for conversation, _ in wanted}))
    came = [kept.fact for kept in rows if isinstance(kept.fact, ContactBegan)]
    return [one for one in came if is_request(one) and (one.conversation_id, one.episode) in wanted]


def _load_persons(tx: Tx, customers: Collection[int]) -> tuple[set[int], Persons]:
    """These and all who were ever taken for one of them, be it for a while; and who they all are by now."""
    j, p = tables.fact_customer_joined.c, tables.fact_customer_parted.c
    known, fresh = set(customers), set(customers)
    joins: dict[tuple[int, int], CustomerJoined] = {}
    while fresh:
        beside = load_kept(tx, CustomerJoined, or_(j.customer_id.in_(fresh), j.into_id.in_(fresh)))
        for kept in beside:
            assert isinstance(kept.fact, CustomerJoined)
            joins[kept.fact.customer_id, kept.fact.merge_id] = kept.fact
        fresh = {one for join in joins.values() for one in (join.customer_id, join.into_id)} - known
        known |= fresh
    merges = {join.merge_id for join in joins.values() if join.merge_id}
    partings = load_kept(tx, CustomerParted, p.merge_id.in_(merges)) if merges else []
    return known, who_is(joins.values(), [kept.fact for kept in partings if isinstance(kept.fact, CustomerParted)])


def _entry(kept: Kept) -> int:
    assert isinstance(kept.fact, ConversationResolved)
    return kept.fact.entry_id


def _by(rows: Iterable[Kept], name: str) -> defaultdict[Any, list[Any]]:
    found: defaultdict[Any, list[Any]] = defaultdict(list)
    for kept in rows:
        found[getattr(kept.fact, name)].append(kept.fact)
    return found


def _parts(tx: Tx, new: Iterable[FactEvent]) -> list[tuple[Kept, Extra]]:
    """All parts in the calls of these, and whether each was handed over after a consultation."""
    calls = {part.call_id for part in _of(new, CallSegmentEnded)}
    if not calls:
        return []
    rows = load_kept(tx, CallSegmentEnded, tables.fact_call_segment.c.call_id.in_(calls))
    by_call = _by(rows, "call_id")
    return [
        (kept, Extra(is_consult=was_consulted(kept.fact, by_call[kept.fact.call_id])))
        for kept in rows
        if isinstance(kept.fact, CallSegmentEnded)
    ]


def _holds(tx: Tx, new: Iterable[FactEvent], kinds: Mapping[str, str]) -> list[tuple[Kept, Extra]]:
    """The holds that these facts concern, each with its time shared out."""
    concerned = {fact.assignment_id: Kept(fact) for fact in _of(new, SegmentEnded)}
    spells: dict[int, list[AgentSpellEnded]] = _by([Kept(fact) for fact in _of(new, AgentSpellEnded)], "agent_id")
    for agent_id, of_agent in spells.items():
        since, until = min(spell.since for spell in of_agent), max(spell.until for spell in of_agent)
        beside = {"agent_id": agent_id, "since": since, "until": until}
        for kept in load_found(tx, SegmentEnded, _HOLDS_BESIDE, beside):
            assert isinstance(kept.fact, SegmentEnded)
            concerned[kept.fact.assignment_id] = kept
    holds: dict[int, list[SegmentEnded]] = _by(concerned.values(), "agent_id")
    weighed: dict[int, float | None] = {}
    for agent_id, of_holds in holds.items():
        digital = [hold for hold in of_holds if not is_voice(hold, kinds)]
        if not digital:
            continue
        since, until = min(hold.connected_at for hold in digital), max(hold.ended_at for hold in digital)
        beside = {"agent_id": agent_id, "since": since, "until": until}
        found = [kept.fact for kept in load_found(tx, AgentSpellEnded, _SPELLS_BESIDE, beside)]
        for hold in digital:
            weighed[hold.assignment_id] = weigh(hold, [one for one in found if isinstance(one, AgentSpellEnded)])
    return [(kept, Extra(weighted_s=weighed.get(row_id))) for row_id, kept in concerned.items()]


def _count_contacts(tx: Tx, new: Sequence[SegmentEnded], placing: Placing, changes: Changes) -> None:
    """Which cells have a contact more, and which one less since it counts in an earlier one."""
    if not new:
        return
    s = tables.fact_segment.c
    ended = [hold.ended_at for hold in new]
    within = (s.ended_at >= min(ended) - _A_DAY, s.ended_at <= max(ended) + _A_DAY)
    rows = load_kept(tx, SegmentEnded, s.conversation_id.in_({hold.conversation_id for hold in new}), *within)
    holds = [kept.fact for kept in rows if isinstance(kept.fact, SegmentEnded)]
    fresh = {hold.assignment_id for hold in new}
    changes.add_count("contacts", count_contacts(holds, placing))
    before = [hold for hold in holds if hold.assignment_id not in fresh]
    changes.add_count("contacts", count_contacts(before, placing), -1)
