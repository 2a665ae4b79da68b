"""Queues and who belongs to them: what an administrator sets, and what everybody sees.

Belonging to a queue is a right, too: its members see its conversations. So a change is told to all (QueueChanged) and
to those it concerns (AccessChanged: take a fresh snapshot), and the dispatcher looks again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, Literal

from sqlalchemy import Table, delete, select, update

from hub.agents import audit, skills
from hub.agents.viewer import Viewer
from hub.domain.events import STAFF, AccessChanged, QueueChanged, user_topic
from hub.domain.sentences import Sentence
from hub.domain.values import AgentChoice, ChannelKind
from hub.domain.views import OverflowView, QueueView, RequirementView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing import engine
from hub.store import tables
from hub.store.database import Tx

_q, _m, _u = tables.queue.c, tables.queue_member.c, tables.user_account.c


class _Keep(Enum):
    KEEP = "keep"


# Where None is a value of its own, this leaves a thing as it is.
KEEP: Final = _Keep.KEEP
Keep = Literal[_Keep.KEEP]

# Columns that are written as they are given.
_PLAIN_SETTINGS = (
    *("name", "offer_timeout_s", "signature", "choice", "makes_room"),
    *("max_wait_s", "exclusion_s", "miss_limit", "release_when_lost", "connect_timeout_s"),
    *("tells_place", "offers_callback", "callback_gap_s", "callback_attempts"),
    *("wrap_up_s", "wrap_up_mandatory", "records_calls"),
)
# Columns that None switches off.
_SWITCHED_OFF_BY_NONE = (
    *("language_wish_s", "last_agent_days", "last_agent_wish_s", "owner_wish_s"),
    *("calendar_id", "policy_id", "recording_days", "caller_channel_id"),
)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What of a queue is set. None leaves a thing as it is, and so does KEEP where None switches it off. `expected_version`:
    what the writer saw (None: whatever it is)."""

    name: str | None = None
    offer_timeout_s: int | None = None
    member_ids: Collection[int] | None = None
    signature: str | None = None
    choice: AgentChoice | None = None
    overflow: Collection[OverflowView] | None = None
    makes_room: bool | None = None
    ring_s: Mapping[str, int] | None = None
    max_wait_s: int | None = None
    exclusion_s: int | None = None
    miss_limit: int | None = None
    release_when_lost: str | None = None
    language_wish_s: int | Keep | None = KEEP
    last_agent_days: int | Keep | None = KEEP
    last_agent_wish_s: int | Keep | None = KEEP
    required: Collection[RequirementView] | None = None
    owner_wish_s: int | Keep | None = KEEP
    ranks: Mapping[int, int] | None = None
    auto_accept: Collection[ChannelKind] | None = None
    connect_timeout_s: int | None = None
    calendar_id: int | Keep | None = KEEP
    policy_id: int | Keep | None = KEEP
    tells_place: bool | None = None
    offers_callback: bool | None = None
    callback_gap_s: int | None = None
    callback_attempts: int | None = None
    wrap_up_s: int | None = None
    wrap_up_mandatory: bool | None = None
    dispositions: Collection[str] | None = None
    records_calls: bool | None = None
    recording_days: int | Keep | None = KEEP
    caller_channel_id: str | Keep | None = KEEP
    expected_version: int | None = None


def load_queue_views(tx: Tx, ids: Collection[int] | None = None) -> list[QueueView]:
    """All queues, or those of `ids`, by id. Members who are not active are not shown."""
    queues = select(tables.queue).order_by(_q.id)
    members = (
        select(_m.queue_id, _m.user_id, _m.rank)
        .join(tables.user_account, _u.id == _m.user_id)
        .where(_u.active)
        .order_by(_m.user_id)
    )
    if ids is not None:
        queues, members = queues.where(_q.id.in_(ids)), members.where(_m.queue_id.in_(ids))
    by_queue: dict[int, list[int]] = {}
    ranks: dict[int, dict[int, int]] = {}
    for row in tx.rows(members):
        by_queue.setdefault(row.queue_id, []).append(row.user_id)
        if row.rank:
            ranks.setdefault(row.queue_id, {})[row.user_id] = row.rank
    required = skills.load_requirements(tx, ids)
    return [
        QueueView(
            id=row.id,
            name=row.name,
            member_ids=tuple(by_queue.get(row.id, ())),
            offer_timeout_s=row.offer_timeout_s,
            version=row.version,
            signature=row.signature,
            choice=AgentChoice(row.choice),
            overflow=read_overflow(row.overflow),
            makes_room=row.makes_room,
            ring_s={ChannelKind(kind): ring_s for kind, ring_s in (row.ring_s or {}).items()},
            max_wait_s=row.max_wait_s,
            exclusion_s=row.exclusion_s,
            miss_limit=row.miss_limit,
            release_when_lost=row.release_when_lost,
            language_wish_s=row.language_wish_s,
            last_agent_days=row.last_agent_days,
            last_agent_wish_s=row.last_agent_wish_s,
            required=required.get(row.id, ()),
            unservable=row.unservable,
            owner_wish_s=row.owner_wish_s,
            ranks=ranks.get(row.id, {}),
            auto_accept=tuple(ChannelKind(kind) for kind in row.auto_accept or ()),
            connect_timeout_s=row.connect_timeout_s,
            calendar_id=row.calendar_id,
            policy_id=row.policy_id,
            tells_place=row.tells_place,
            offers_callback=row.offers_callback,
            callback_gap_s=row.callback_gap_s,
            callback_attempts=row.callback_attempts,
            wrap_up_s=row.wrap_up_s,
            wrap_up_mandatory=row.wrap_up_mandatory,
            dispositions=tuple(row.dispositions or ()),
            records_calls=row.records_calls,
            recording_days=row.recording_days,
            caller_channel_id=row.caller_channel_id,
        )
        for row in tx.rows(queues)
    ]


def read_overflow(stored: Any) -> tuple[OverflowView, ...]:
    """The steps as they stand in the table (None for none)."""
    return tuple(
        OverflowView(tuple(step["queue_ids"]), step.get("after_s"), step.get("ewt_over_s")) for step in stored or ()
    )


def load_queue(tx: Tx, queue_id: int) -> QueueView:
    found = load_queue_views(tx, [queue_id])
    if not found:
        raise NotFound("there is no such queue")
    return found[0]


def create_queue(
    tx: Tx,
    *,
    name: str,
    offer_timeout_s: int = 20,
    member_ids: Collection[int] = (),
    signature: str = "",
    settings: QueueSettings | None = None,
    actor: Viewer | None = None,
) -> QueueView:
    """`settings` holds whatever else is not as usual. Conflict if the name is taken; InvalidInput naming what is wrong."""
    _check_name(tx, name, None)
    queue_id = tx.insert(tables.queue, {"name": name, "offer_timeout_s": offer_timeout_s, "signature": signature})
    if settings is not None:
        _write_settings(tx, queue_id, replace(settings, name=None, offer_timeout_s=None, signature=None))
    moved = _set_members(tx, queue_id, member_ids)
    ranked = settings is not None and settings.ranks is not None and _set_ranks(tx, queue_id, settings.ranks)
    if not moved or ranked:
        emit_queues(tx, [queue_id])
    audit.note(tx, actor, "queue.created", "queue", queue_id, {"name": name})
    return load_queue(tx, queue_id)


def update_queue(tx: Tx, queue_id: int, settings: QueueSettings, *, actor: Viewer | None = None) -> QueueView:
    """Conflict if the name is taken, or `version_conflict` if somebody changed it meanwhile; InvalidInput naming what is
    wrong. What waits already is looked at anew."""
    row = tx.first(select(_q.version).where(_q.id == queue_id).with_for_update())
    if row is None:
        raise NotFound("there is no such queue")
    if settings.expected_version is not None and settings.expected_version != row.version:
        raise Conflict("somebody changed this queue meanwhile", code="version_conflict")
    before = load_queue(tx, queue_id)
    changed = _write_settings(tx, queue_id, settings)
    moved = settings.member_ids is not None and _set_members(tx, queue_id, settings.member_ids)
    # After the members: those who are new may have a rank, too.
    ranked = settings.ranks is not None and _set_ranks(tx, queue_id, settings.ranks)
    if ranked or (changed and not moved):
        emit_queues(tx, [queue_id])
    after = load_queue(tx, queue_id)
    audit.note_change(tx, actor, "queue.changed", "queue", queue_id, before, after)
    return after


def _write_settings(tx: Tx, queue_id: int, settings: QueueSettings) -> bool:
    """All but the members; True if anything was given."""
    values: dict[str, object] = {
        name: value for name in _PLAIN_SETTINGS if (value := getattr(settings, name)) is not None
    }
    for name in _SWITCHED_OFF_BY_NONE:
        if (value := getattr(settings, name)) is not KEEP:
            values[name] = value
    if settings.name is not None:
        _check_name(tx, settings.name, queue_id)
    if settings.ring_s is not None:
        _check_kinds(settings.ring_s)
        values["ring_s"] = dict(settings.ring_s)
    if settings.overflow is not None:
        _check_overflow(tx, queue_id, settings.overflow)
        values["overflow"] = [
            {
                "queue_ids": list(step.queue_ids),
                **({"after_s": step.after_s} if step.after_s is not None else {}),
                **({"ewt_over_s": step.ewt_over_s} if step.ewt_over_s is not None else {}),
            }
            for step in settings.overflow
        ]
    if settings.auto_accept is not None:
        values["auto_accept"] = sorted(set(settings.auto_accept)) or None
    if settings.dispositions is not None:
        values["dispositions"] = list(dict.fromkeys(settings.dispositions)) or None
    if settings.caller_channel_id is not KEEP and settings.caller_channel_id is not None:
        _check_caller_line(tx, settings.caller_channel_id)
    _check_exists(tx, tables.calendar, "calendar_id", settings.calendar_id, Sentence("there is no such calendar"))
    _check_exists(
        tx, tables.escalation_policy, "policy_id", settings.policy_id, Sentence("there is no such escalation policy")
    )
    if values:
        tx.execute(update(tables.queue).where(_q.id == queue_id).values(**values))
    if values.keys() & {"calendar_id", "policy_id"}:
        tx.wake("clocks")
    requires = settings.required is not None and skills.set_requirements(tx, queue_id, settings.required)
    return bool(values) or requires


def _check_exists(tx: Tx, table: Table, name: str, row_id: int | Keep | None, absent: Sentence) -> None:
    """InvalidInput naming the field if there is no such row, with what `absent` says.
    Locked, so that it is not removed meanwhile."""
    if row_id is KEEP or row_id is None:
        return
    if tx.first(select(table.c.id).where(table.c.id == row_id).with_for_update(key_share=True)) is None:
        raise InvalidInput(str(absent), fields={name: absent})


def _check_caller_line(tx: Tx, channel_id: str) -> None:
    row = tx.first(select(tables.channel.c.kind).where(tables.channel.c.id == channel_id))
    if row is None or row.kind != ChannelKind.PHONE.value:
        raise InvalidInput("no such line", fields={"caller_channel_id": Sentence("there is no such telephone line")})


def _set_ranks(tx: Tx, queue_id: int, ranks: Mapping[int, int]) -> bool:
    """Of exactly these members; all others have 0. True if that changed anything."""
    held = {row.user_id: row.rank for row in tx.rows(select(_m.user_id, _m.rank).where(_m.queue_id == queue_id))}
    if ranks.keys() - held.keys():
        unknown = ", ".join(str(user_id) for user_id in sorted(ranks.keys() - held.keys()))
        raise InvalidInput(
            "no such member", fields={"ranks": Sentence("{ids}: not a member of this queue", ids=unknown)}
        )
    changed = {user_id: ranks.get(user_id, 0) for user_id, rank in held.items() if ranks.get(user_id, 0) != rank}
    for user_id, rank in changed.items():
        tx.execute(update(tables.queue_member).where(_m.queue_id == queue_id, _m.user_id == user_id).values(rank=rank))
    return bool(changed)


def _check_kinds(ring_s: Mapping[str, int]) -> None:
    unknown = ", ".join(kind for kind in ring_s if kind not in list(ChannelKind))
    if unknown:
        known = ", ".join(ChannelKind)
        raise InvalidInput(
            "no such kind of channel",
            fields={"ring_s": Sentence("{unknown}: there are {known}", unknown=unknown, known=known)},
        )


def _check_overflow(tx: Tx, queue_id: int, overflow: Collection[OverflowView]) -> None:
    """InvalidInput naming `overflow` if a target is not there, is the queue itself, or leads back to it."""
    # All of them, in one order: two changes at once could else make a circle of which each is one half.
    rows = tx.rows(select(_q.id, _q.overflow).order_by(_q.id).with_for_update())
    steps = {row.id: read_overflow(row.overflow) for row in rows} | {queue_id: tuple(overflow)}
    faults = engine.overflow_faults(
        engine.Queue(
            number,
            max_wait_s=0,
            overflow=tuple(engine.Overflow(step.queue_ids, step.after_s, step.ewt_over_s) for step in taken),
        )
        for number, taken in steps.items()
    )
    if queue_id in faults:
        raise InvalidInput("the overflow cannot be so", fields={"overflow": faults[queue_id]})


def set_user_queues(tx: Tx, user_id: int, queue_ids: Collection[int]) -> bool:
    """Makes somebody a member of exactly these queues; True if that changed anything. InvalidInput naming `queue_ids`
    if there is no such queue."""
    wanted = set(queue_ids)
    known = set(tx.execute(select(_q.id).where(_q.id.in_(wanted))).scalars()) if wanted else set()
    if wanted - known:
        unknown = ", ".join(str(queue_id) for queue_id in sorted(wanted - known))
        raise InvalidInput(
            "there is no such queue", fields={"queue_ids": Sentence("there is no queue {ids}", ids=unknown)}
        )
    held = set(tx.execute(select(_m.queue_id).where(_m.user_id == user_id)).scalars())
    if wanted == held:
        return False
    tx.execute(delete(tables.queue_member).where(_m.user_id == user_id, _m.queue_id.in_(held - wanted)))
    tx.insert_new(tables.queue_member, [{"queue_id": queue_id, "user_id": user_id} for queue_id in wanted - held])
    emit_queues(tx, wanted ^ held)
    emit_access(tx, [user_id])
    return True


def emit_queues(tx: Tx, queue_ids: Collection[int]) -> None:
    """Something about these queues changed: a new version of each, told to everybody; the dispatcher looks again."""
    if not queue_ids:
        return
    tx.execute(update(tables.queue).where(_q.id.in_(queue_ids)).values(version=_q.version + 1))
    for view in load_queue_views(tx, queue_ids):
        tx.emit(QueueChanged(view), {STAFF})
    tx.wake("routing")


def emit_access(tx: Tx, user_ids: Iterable[int]) -> None:
    """The rights of these people changed: their screens take a fresh snapshot, their sockets look who they are now."""
    for user_id in sorted(user_ids):
        tx.emit(AccessChanged(user_id), {user_topic(user_id)})


def _set_members(tx: Tx, queue_id: int, user_ids: Collection[int]) -> bool:
    """Of those who work here. Who is deactivated is shown to nobody, and so is neither taken out nor put in: when they
    come back they are where they were."""
    wanted = set(user_ids)
    known = set(tx.execute(select(_u.id).where(_u.id.in_(wanted), _u.active)).scalars()) if wanted else set()
    if wanted - known:
        unknown = ", ".join(str(user_id) for user_id in sorted(wanted - known))
        raise InvalidInput(
            "there is no such user", fields={"member_ids": Sentence("there is no active user {ids}", ids=unknown)}
        )
    active = select(_m.user_id).join(tables.user_account, _u.id == _m.user_id).where(_m.queue_id == queue_id, _u.active)
    held = set(tx.execute(active).scalars())
    if wanted == held:
        return False
    tx.execute(delete(tables.queue_member).where(_m.queue_id == queue_id, _m.user_id.in_(held - wanted)))
    tx.insert_new(tables.queue_member, [{"queue_id": queue_id, "user_id": user_id} for user_id in wanted - held])
    # UserView shows a person's queues, so it is a new version of the person, too.
    changed = wanted ^ held
    tx.execute(update(tables.user_account).where(_u.id.in_(changed)).values(version=_u.version + 1))
    emit_queues(tx, [queue_id])
    emit_access(tx, changed)
    return True


def _check_name(tx: Tx, name: str, own_id: int | None) -> None:
    if tx.scalar(select(_q.id).where(_q.name == name, _q.id != (own_id or 0))) is not None:
        raise Conflict("there is a queue with this name", code="name_taken", fields={"name": Sentence("is taken")})
