"""Rules tried out on conversations that were: where would they have begun, and where did they.

Reads only, a page at a time and each page in a read of its own, and thinks beside the loop that serves everybody else; the
newest conversations come first. What is compared is how they began: the line `placed` tells what rules did then, and where
there is none the channel's queue (as it is today) took them. What the past does not tell is taken as it is today, and each
example says so:

    tier_today       a rule that fits asks for the customer's tier
    language_today   … or for their language
    calendar_today   … or for hours: the calendar is today's, the moment is that of the past
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select

from hub.domain.mail import Noise
from hub.domain.values import ChannelKind, Direction, EntryKind, Happening
from hub.routing.placement import (
    Directed,
    Directory,
    check_rules,
    direct,
    is_known,
    load_directory,
    sender_domain,
)
from hub.routing.rules import TEXT_LENGTH, Facts, RuleSet, place
from hub.store import tables
from hub.store.database import Database, Tx
from hub.timeline.conversations import PREVIEW_LENGTH

_c, _e, _cu, _k, _cp, _m = (
    tables.conversation.c,
    tables.entry.c,
    tables.customer.c,
    tables.channel.c,
    tables.contact_point.c,
    tables.mail.c,
)

# A page takes some ten milliseconds.
_PAGE = 200
_EXAMPLES = 50
# What wants no answer was placed by nobody (domain.mail.IncomingMail.wants_answer).
_UNANSWERED = (Noise.AUTO_REPLY.value, Noise.OWN.value)


@dataclass(frozen=True, slots=True)
class Example:
    conversation_id: int
    customer_name: str
    customer_is_erased: bool
    created_at: datetime
    preview: str
    matched: tuple[str, ...]
    before: Directed
    after: Directed
    notes: tuple[str, ...]


@dataclass(slots=True)
class Trial:
    """`by_rule`: rule's id → how many it fits, for every rule of the set. `examples`: the newest of those that change."""

    looked_at: int = 0
    changed: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)


async def try_rules(database: Database, mode: str, rules: object, *, days: int, limit: int) -> Trial:
    """Over at most `limit` conversations that began within `days`. InvalidInput as for rules that are to be saved."""
    read, directory, since = await database.read(_prepare, mode, rules, days)
    trial = Trial(by_rule=Counter(dict.fromkeys((rule.id for rule in read.rules), 0)))
    before: int | None = None
    seen = 0
    while seen < limit:
        page = await database.read(_load_page, since, before, min(_PAGE, limit - seen))
        if not page.rows:
            break
        for matched, example in await asyncio.to_thread(_try_page, read, directory, page):
            trial.looked_at += 1
            trial.by_rule.update(matched)
            if example is not None:
                trial.changed += 1
                trial.examples += [example] if len(trial.examples) < _EXAMPLES else []
        seen, before = seen + len(page.rows), page.rows[-1].id
    return trial


def _prepare(tx: Tx, mode: str, rules: object, days: int) -> tuple[RuleSet, Directory, datetime]:
    read = check_rules(tx, mode, rules)
    return read, load_directory(tx, read), tx.now - timedelta(days=days)


@dataclass(frozen=True, slots=True)
class _Page:
    """Conversations, and by id the first message of each, what its line `placed` says, and the first conversation of each
    customer."""

    rows: Sequence[Row[Any]]
    firsts: Mapping[int, Row[Any]]
    told: Mapping[int, Mapping[str, Any]]
    oldest: Mapping[int, int]


def _load_page(tx: Tx, since: datetime, before: int | None, limit: int) -> _Page:
    query = (
        select(
            _c.id,
            _c.customer_id,
            _c.channel_id,
            _c.subject,
            _c.created_at,
            _c.required,
            _k.kind,
            _k.queue_id,
            _cp.address,
            _cu.name,
            _cu.erased_at,
            _cu.language,
            _cu.tier,
            _cu.created_at.label("customer_since"),
        )
        .join(tables.channel, _k.id == _c.channel_id)
        .join(tables.contact_point, _cp.id == _c.contact_point_id)
        .join(tables.customer, _cu.id == _c.customer_id)
        .where(_c.created_at >= since)
        .order_by(_c.id.desc())
        .limit(limit)
    )
    rows = tx.rows(query if before is None else query.where(_c.id < before))
    ids = [row.id for row in rows]
    return _Page(
        rows,
        _load_first_messages(tx, ids),
        _load_placed(tx, ids),
        _load_first_conversations(tx, sorted({row.customer_id for row in rows})),
    )


def _try_page(rules: RuleSet, directory: Directory, page: _Page) -> list[tuple[tuple[str, ...], Example | None]]:
    """For each conversation that rules would have placed: which fit, and what would have been otherwise."""
    tried: list[tuple[tuple[str, ...], Example | None]] = []
    for row in page.rows:
        first = page.firsts.get(row.id)
        # Where the hub wrote first, or a machine's note was put by, nothing was placed.
        if first is None or first.direction != Direction.IN.value or first.noise in _UNANSWERED:
            continue
        kind = ChannelKind(row.kind)
        was_here = page.oldest[row.customer_id] < row.id
        facts = Facts(
            channel_id=row.channel_id,
            kind=kind,
            text=first.text,
            subject=row.subject,
            language=row.language,
            tier=row.tier,
            is_known=is_known(kind, row.customer_since, row.created_at, was_here=was_here),
            sender_domain=sender_domain(kind, row.address),
            open_calendars=directory.open_at(row.created_at),
        )
        placed = place(rules, facts)
        after = direct(placed, row.queue_id, directory)
        before = _began(page.told.get(row.id, {}), row.queue_id, row.required)
        example = None
        if after != before:
            example = Example(
                conversation_id=row.id,
                customer_name=row.name,
                customer_is_erased=row.erased_at is not None,
                created_at=row.created_at,
                preview=first.text[:PREVIEW_LENGTH],
                matched=placed.matched,
                before=before,
                after=after,
                notes=_notes(rules, placed.matched),
            )
        tried.append((placed.matched, example))
    return tried


def _load_first_messages(tx: Tx, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Conversation → its first message, whoever wrote it."""
    first = (
        select(func.min(_e.id).label("id"))
        .where(_e.conversation_id.in_(ids), _e.kind == EntryKind.MESSAGE.value)
        .group_by(_e.conversation_id)
        .subquery()
    )
    query = (
        select(_e.conversation_id, _e.direction, func.substr(_e.text, 1, TEXT_LENGTH).label("text"), _m.noise)
        .join(first, first.c.id == _e.id)
        .outerjoin(tables.mail, _m.entry_id == _e.id)
    )
    return {row.conversation_id: row for row in tx.rows(query)}


def _load_placed(tx: Tx, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """Conversation → what its line `placed` says."""
    query = select(_e.conversation_id, _e.data).where(
        _e.conversation_id.in_(ids), _e.happening == Happening.PLACED.value
    )
    return {row.conversation_id: row.data or {} for row in tx.rows(query)}


def _load_first_conversations(tx: Tx, customer_ids: Sequence[int]) -> dict[int, int]:
    """Customer → the id of their first conversation."""
    query = select(_c.customer_id, func.min(_c.id).label("id")).where(_c.customer_id.in_(customer_ids))
    return {row.customer_id: row.id for row in tx.rows(query.group_by(_c.customer_id))}


def _began(told: Mapping[str, Any], queue_id: int, required: str) -> Directed:
    """How a conversation began whose line `placed` says this (nothing: there is none). What it requires nobody changes."""
    return Directed(
        queue_id=told.get("queue_id", queue_id),
        priority=told.get("priority", 0),
        required=required,
        tags=tuple(told["tags"].split("\n")) if told.get("tags") else (),
        topic_id=told.get("topic_id"),
        owner_id=told.get("owner_id"),
        has_auto_reply=bool(told.get("auto_reply")),
    )


def _notes(rules: RuleSet, matched: Sequence[str]) -> tuple[str, ...]:
    when = [rule.when for rule in rules.rules if rule.id in matched]
    told = {
        "tier_today": any(each.tier_at_least is not None for each in when),
        "language_today": any(each.languages for each in when),
        "calendar_today": any(each.hours is not None for each in when),
    }
    return tuple(word for word, is_so in told.items() if is_so)
