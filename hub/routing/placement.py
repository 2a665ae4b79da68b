"""Rule sets as they are kept, and the rules in force as new conversations meet them.

Every version is kept, whole; at most one is in force (a partial unique index says so, and whoever switches holds the ROUTING
lock). What a rule names must be there when it is saved and when it comes into force. What is gone later takes its rule out
of the game, and GET /rules says so: a rule without its queue must not stop a customer's message.

`Placer` is one unit of work's look at the rules in force: what a set says is read once in each process, and what it names
is looked up once for all conversations that begin in this unit of work. It says with which values a conversation begins;
who inserts it is timeline.inbound, which tells what was done (`placed`) and sends the automatic answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Row, select, update
from sqlalchemy.engine import Engine

from hub.agents import audit, roster
from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.domain.values import ChannelKind
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing import calendars
from hub.routing.calendar import Calendar, Faults, is_open, next_opening
from hub.routing.requirements import write_required
from hub.routing.rules import (
    Facts,
    Placement,
    RuleSet,
    Thing,
    passing_over,
    place,
    read_rules,
    references,
    write_rules,
)
from hub.routing.spoken_times import spoken_time
from hub.store import tables
from hub.store.database import Tx

_rs, _c, _cu, _u = tables.rule_set.c, tables.conversation.c, tables.customer.c, tables.user_account.c
_q, _s, _t, _cal, _ch = tables.queue.c, tables.skill.c, tables.topic.c, tables.calendar.c, tables.channel.c

# As many versions as anybody scrolls through.
_VERSIONS_TOLD = 100


@dataclass(frozen=True, slots=True)
class StoredRules:
    """A version of the rules. `faults`: `rules.2.then.queue_id` → what is there no longer."""

    version: int
    rules: RuleSet
    created_by: int | None
    created_at: datetime
    activated_at: datetime | None
    active: bool
    faults: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RuleVersions:
    """`versions`: rows of rule_set without their rules, the newest first."""

    active: StoredRules | None
    latest: StoredRules | None
    versions: Sequence[Row[Any]]


# --- versions -----------------------------------------------------------------------------------------------------------


def load_versions(tx: Tx) -> RuleVersions:
    rows = tx.rows(
        select(_rs.version, _rs.created_by, _rs.created_at, _rs.activated_at, _rs.active)
        .order_by(_rs.version.desc())
        .limit(_VERSIONS_TOLD)
    )
    active = tx.scalar(select(_rs.version).where(_rs.active))
    return RuleVersions(
        active=load_version(tx, active) if active is not None else None,
        latest=load_version(tx, rows[0].version) if rows else None,
        versions=rows,
    )


def load_version(tx: Tx, version: int) -> StoredRules:
    row = tx.first(select(tables.rule_set).where(_rs.version == version))
    if row is None:
        raise NotFound("there is no such version")
    rules = _read_stored(row.mode, row.rules)
    return StoredRules(
        version=row.version,
        rules=rules,
        created_by=row.created_by,
        created_at=row.created_at,
        activated_at=row.activated_at,
        active=row.active,
        faults=find_missing(tx, rules),
    )


def check_rules(tx: Tx, mode: str, rules: object, *, lock: bool = False) -> RuleSet:
    """The rule set that is meant; InvalidInput naming every fault, what is not there among them. `lock`: what they name is
    not removed before the commit."""
    read = read_rules(mode, rules)
    if isinstance(read, Faults):
        raise InvalidInput("these are no rules yet", fields=read.fields)
    missing = find_missing(tx, read, lock=lock)
    if missing:
        raise InvalidInput("the rules name what is not there", fields=missing)
    return read


def create_version(
    tx: Tx,
    user_id: int | None,
    mode: str,
    rules: object,
    *,
    expected_version: int | None,
    actor: Viewer | None = None,
) -> StoredRules:
    """A new version, not in force. Conflict `version_conflict` if another has come after the `expected_version` (None:
    the first one); InvalidInput naming every fault."""
    tx.lock_routing()
    latest = tx.scalar(select(_rs.version).order_by(_rs.version.desc()).limit(1))
    if latest != expected_version:
        raise Conflict("somebody saved other rules meanwhile", code="version_conflict")
    read = check_rules(tx, mode, rules)
    row = tx.first(
        tables.rule_set.insert()
        .values(mode=read.mode, rules=write_rules(read), created_by=user_id, created_at=tx.now)
        .returning(_rs.version)
    )
    assert row is not None
    audit.note(tx, actor, "rules.saved", "rules", row.version, {"name": str(row.version), "rules": len(read.rules)})
    return load_version(tx, row.version)


def activate(
    tx: Tx,
    version: int,
    *,
    expected_active: int | None = None,
    checks_active: bool = False,
    actor: Viewer | None = None,
) -> StoredRules:
    """This version is in force from now on, for whatever begins; what has begun stays where it is. Conflict
    `already_active`, or with `checks_active` `version_conflict` if another is in force than the `expected_active`;
    InvalidInput naming what its rules name and is not there."""
    tx.lock_routing()
    row = tx.first(select(tables.rule_set).where(_rs.version == version))
    if row is None:
        raise NotFound("there is no such version")
    active = tx.scalar(select(_rs.version).where(_rs.active))
    if active == version:
        raise Conflict("this version is in force already", code="already_active")
    if checks_active and active != expected_active:
        raise Conflict("somebody switched the rules meanwhile", code="version_conflict")
    check_rules(tx, row.mode, row.rules, lock=True)
    tx.execute(update(tables.rule_set).where(_rs.active).values(active=False))
    tx.execute(update(tables.rule_set).where(_rs.version == version).values(active=True, activated_at=tx.now))
    audit.note(tx, actor, "rules.activated", "rules", version, {"name": str(version), "before": active})
    return load_version(tx, version)


def deactivate(tx: Tx, *, actor: Viewer | None = None) -> None:
    """No rules are in force: new work goes as it always did. Conflict `not_active` if none were."""
    tx.lock_routing()
    if not tx.execute(update(tables.rule_set).where(_rs.active).values(active=False)).rowcount:
        raise Conflict("no rules are in force", code="not_active")
    audit.note(tx, actor, "rules.deactivated", "rules", "", {})


# A topic that is switched off is not there for new work.
_THERE: Mapping[Thing, Any] = {
    "queue": select(_q.id),
    "skill": select(_s.id),
    "topic": select(_t.id).where(_t.active),
    "calendar": select(_cal.id),
    "channel": select(_ch.id),
}
_ABSENT: Mapping[Thing, str] = {
    "queue": Sentence("there is no such queue"),
    "calendar": Sentence("there is no such calendar"),
    "skill": Sentence("there is no such skill"),
    "topic": Sentence("there is no such topic"),
    "channel": Sentence("there is no such channel"),
}


def find_missing(tx: Tx, rules: RuleSet, *, lock: bool = False) -> dict[str, str]:
    """Field → what it names and is not there."""
    named: dict[Thing, set[int | str]] = {}
    for each in references(rules):
        named.setdefault(each.thing, set()).add(each.id)
    there: dict[Thing, set[int | str]] = {}
    for thing, ids in sorted(named.items()):
        query = _THERE[thing]
        key = query.selected_columns[0]
        query = query.where(key.in_(ids)).order_by(key)
        if lock:
            query = query.with_for_update(read=True, key_share=True)
        there[thing] = {row.id for row in tx.rows(query)}
    return {each.field: _ABSENT[each.thing] for each in references(rules) if each.id not in there[each.thing]}


def _read_stored(mode: str, rules: object) -> RuleSet:
    read = read_rules(mode, rules)
    # What is stored was read before it was stored.
    if isinstance(read, Faults):
        raise ValueError(f"stored rules cannot be read: {dict(read.fields)}")
    return read


# --- placing ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A conversation that is about to begin. `address`: whence the customer writes; `queue_id`: the channel's."""

    channel_id: str
    kind: ChannelKind
    queue_id: int
    customer_id: int
    address: str
    text: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class AutoReply:
    """`text` with its placeholders; `calendar`: by which {opens} is told."""

    text: str
    calendar: Calendar | None
    language: str | None

    def words(self, *, name: str, number: int, now: datetime) -> str | None:
        """What is sent; None if it would have to say when we open, and we never do."""
        text = self.text
        if "{opens}" in text:
            opens = next_opening(self.calendar, now) if self.calendar is not None else None
            if self.calendar is None or opens is None:
                return None
            text = text.replace("{opens}", spoken_time(opens, self.calendar.zone, self.language))
        # The name last: whatever stands in it is a name.
        return text.replace("{number}", str(number)).replace("{name}", name)


# The columns of Start.values but for the queue, of a conversation that no rule fits.
AS_USUAL: Mapping[str, Any] = {"priority": 0, "required": "", "tags": None, "topic_id": None, "pinned_agent_id": None}


@dataclass(frozen=True, slots=True)
class Start:
    """How a conversation begins that rules have placed. `values`: its columns; `told`: what the line `placed` says."""

    values: Mapping[str, Any]
    told: Mapping[str, str | int | None]
    auto_reply: AutoReply | None


@dataclass(frozen=True, slots=True)
class Directory:
    """What rules name, as far as it is there now. `topics`: rows of `topic`, those that are switched on; `owners`: who of
    their owners work here."""

    queues: Mapping[int, str]
    skills: Mapping[int, str]
    topics: Mapping[int, Row[Any]]
    owners: frozenset[int]
    calendars: Mapping[int, Calendar]

    def open_at(self, at: datetime) -> frozenset[int]:
        """The calendars that are open at this instant."""
        return frozenset(number for number, calendar in self.calendars.items() if is_open(calendar, at))


@dataclass(frozen=True, slots=True)
class Directed:
    """Where a conversation begins: what the rules say, what their topic says, and else what its channel says. `required`
    as it stands in the column; `owner_id`: who handles such matters."""

    queue_id: int
    priority: int = 0
    required: str = ""
    tags: tuple[str, ...] = ()
    topic_id: int | None = None
    owner_id: int | None = None
    has_auto_reply: bool = False


class Placer:
    """The rules in force, for one unit of work; asks nothing before a conversation begins."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._in_force: _InForce | None = None
        self._is_loaded = False

    def start(self, newcomers: Sequence[Newcomer]) -> list[Start | None]:
        """How each begins; None where no rule fits or none are in force: as it always did."""
        if newcomers and not self._is_loaded:
            self._in_force, self._is_loaded = _load_in_force(self._tx), True
        if not newcomers or self._in_force is None:
            return [None] * len(newcomers)
        customers = _load_customers(self._tx, sorted({each.customer_id for each in newcomers}))
        return [_start(self._tx, self._in_force, each, customers[each.customer_id]) for each in newcomers]


@dataclass(frozen=True, slots=True)
class _InForce:
    """The rules in force as one unit of work meets them: without those that name what is gone."""

    version: int
    rules: RuleSet
    directory: Directory
    open_calendars: frozenset[int]


# What stands in the version in force, read once in each process (of each database it has): version and instant tell two
# sets apart, also after a restore.
_read: WeakKeyDictionary[Engine, tuple[tuple[int, datetime], RuleSet]] = WeakKeyDictionary()


def _load_in_force(tx: Tx) -> _InForce | None:
    row = tx.first(select(_rs.version, _rs.created_at).where(_rs.active))
    if row is None:
        return None
    opened, key = tx.connection.engine, (row.version, row.created_at)
    kept = _read.get(opened)
    if kept is None or kept[0] != key:
        stored = tx.first(select(_rs.mode, _rs.rules).where(_rs.version == row.version))
        assert stored is not None
        kept = _read[opened] = (key, _read_stored(stored.mode, stored.rules))
    directory = load_directory(tx, kept[1])
    rules = passing_over(kept[1], missing_in(kept[1], directory))
    return _InForce(row.version, rules, directory, directory.open_at(tx.now))


def load_directory(tx: Tx, rules: RuleSet) -> Directory:
    """Everything that the rules name, and the queues of their topics."""
    named: dict[Thing, set[Any]] = {"queue": set(), "skill": set(), "topic": set(), "calendar": set(), "channel": set()}
    for each in references(rules):
        named[each.thing].add(each.id)
    topics = tx.rows(select(tables.topic).where(_t.id.in_(named["topic"]), _t.active)) if named["topic"] else []
    queue_ids = named["queue"] | {row.queue_id for row in topics if row.queue_id is not None}
    queues = tx.rows(select(_q.id, _q.name).where(_q.id.in_(queue_ids))) if queue_ids else []
    owner_ids = {row.owner_id for row in topics if row.owner_id is not None}
    owners = tx.rows(select(_u.id).where(_u.id.in_(owner_ids), _u.active)) if owner_ids else []
    skills = tx.rows(select(_s.id, _s.name).where(_s.id.in_(named["skill"]))) if named["skill"] else []
    return Directory(
        queues={row.id: row.name for row in queues},
        skills={row.id: row.name for row in skills},
        topics={row.id: row for row in topics},
        owners=frozenset(row.id for row in owners),
        calendars=calendars.load_current(tx, named["calendar"]),
    )


def missing_in(rules: RuleSet, directory: Directory) -> Collection[str]:
    """The fields that name what is not in the directory. A channel that is gone brings nothing: its rule fits nothing."""
    there: Mapping[Thing, Mapping[int, Any]] = {
        "queue": directory.queues,
        "skill": directory.skills,
        "topic": directory.topics,
        "calendar": directory.calendars,
    }
    return {each.field for each in references(rules) if each.thing in there and each.id not in there[each.thing]}


def _load_customers(tx: Tx, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """`was_here`: had a conversation before."""
    earlier = select(_c.id).where(_c.customer_id == _cu.id).exists().label("was_here")
    query = select(_cu.id, _cu.language, _cu.tier, _cu.created_at, earlier)
    return {row.id: row for row in tx.rows(query.where(_cu.id.in_(ids)))}


def is_known(kind: ChannelKind, created_at: datetime, began_at: datetime, *, was_here: bool) -> bool:
    """Whether the customer was known when a conversation began: had one before, or a card that somebody made. A visitor of
    a chat has a card as soon as they say who they are, so that alone tells nothing."""
    return was_here or (kind is not ChannelKind.CHAT and created_at < began_at)


def sender_domain(kind: ChannelKind, address: str) -> str | None:
    return address.rpartition("@")[2] or None if kind is ChannelKind.EMAIL else None


def _start(tx: Tx, in_force: _InForce, newcomer: Newcomer, customer: Row[Any]) -> Start | None:
    facts = Facts(
        channel_id=newcomer.channel_id,
        kind=newcomer.kind,
        text=newcomer.text,
        subject=newcomer.subject,
        language=customer.language,
        tier=customer.tier,
        is_known=is_known(newcomer.kind, customer.created_at, tx.now, was_here=customer.was_here),
        sender_domain=sender_domain(newcomer.kind, newcomer.address),
        open_calendars=in_force.open_calendars,
    )
    placed = place(in_force.rules, facts)
    if not placed.matched:
        return None
    directory = in_force.directory
    directed = direct(placed, newcomer.queue_id, directory)
    # Whoever leaves is unpinned then: until the commit they stay.
    owner_id = roster.find_worth_waiting_for(tx, directed.owner_id, newcomer.kind, locked=True)
    directed = replace(directed, owner_id=owner_id)
    calendar = directory.calendars.get(placed.reply_calendar_id) if placed.reply_calendar_id is not None else None
    return Start(
        values={
            "queue_id": directed.queue_id,
            "priority": directed.priority,
            "required": directed.required,
            "tags": list(directed.tags) or None,
            "topic_id": directed.topic_id,
            "pinned_agent_id": directed.owner_id,
        },
        told=_told(in_force, placed, directed, newcomer.queue_id),
        auto_reply=AutoReply(placed.auto_reply, calendar, customer.language) if placed.auto_reply else None,
    )


def direct(placed: Placement, queue_id: int, directory: Directory) -> Directed:
    """What follows from what the rules say. `queue_id`: the channel's. A topic directs where no rule names a queue."""
    topic = directory.topics.get(placed.topic_id) if placed.topic_id is not None else None
    by_topic = topic if placed.queue_id is None else None
    own, owner_id = (by_topic.queue_id, by_topic.owner_id) if by_topic is not None else (None, None)
    return Directed(
        queue_id=placed.queue_id or own or queue_id,
        priority=placed.priority or 0,
        required=write_required(placed.required),
        tags=placed.tags,
        topic_id=placed.topic_id,
        owner_id=owner_id if owner_id in directory.owners else None,
        has_auto_reply=placed.auto_reply is not None,
    )


def _told(in_force: _InForce, placed: Placement, directed: Directed, queue_id: int) -> dict[str, str | int | None]:
    """What the line `placed` says: the rules by name, and what they changed. Lists are lines."""
    names = {rule.id: rule.name for rule in in_force.rules.rules}
    directory = in_force.directory
    told: dict[str, str | int | None] = {
        "version": in_force.version,
        "rules": "\n".join(names[rule_id] for rule_id in placed.matched),
        "rule_ids": "\n".join(placed.matched),
    }
    if directed.queue_id != queue_id or placed.queue_id is not None:
        told |= {"queue_id": directed.queue_id, "queue": directory.queues[directed.queue_id]}
    if directed.topic_id is not None:
        told |= {"topic_id": directed.topic_id, "topic": directory.topics[directed.topic_id].name}
    if placed.priority is not None:
        told["priority"] = placed.priority
    if directed.required:
        told["required"] = "\n".join(f"{directory.skills[each.skill_id]}<{each.level}" for each in placed.required)
    if directed.tags:
        told["tags"] = "\n".join(directed.tags)
    if directed.owner_id is not None:
        told["owner_id"] = directed.owner_id
    if directed.has_auto_reply:
        told["auto_reply"] = 1
    return told
