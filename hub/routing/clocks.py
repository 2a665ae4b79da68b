"""The clocks of conversations: what is kept of each so that its escalation can be reckoned, whatever changes later.

`keep` runs once at the end of each unit of work that changed conversations (timeline.conversations and timeline.inbound see
to that), in the same transaction and under their locks. From the conversation's row it derives

    the state     waiting, with_agent, pending_customer, parked or resolved
    the runs      WAITING         while it stands in a queue, from the age by which it is routed; who comes back at that
                                  age goes on with the same wait
                  NEXT_RESPONSE   while a customer's message is unanswered, from that message
                  FIRST_RESPONSE  the same, until a person has answered for the first time
                  RESOLUTION      while it is open, from its beginning, or from its reopening
                  IDLE            since a person last did anything to it; nothing is stored for it

and writes what is new: a segment when the policy, the calendar, a version of either, or a state that makes a difference to
the policy has changed; runs that began or ended. Then `conversation.next_step_at` is when the next step is due (or was).

A conversation is kept track of from the moment a policy holds for it: its topic's, else its queue's. While no queue and no
topic has one, `keep` is one look at two small tables; where one has, a line more in a conversation costs no more than that
either, unless a policy counts by the clock IDLE. What was before a conversation's first policy is one segment, open by
the calendar of the moment the policy came.

Policies, calendars and queues change for many conversations at once: `find_stale` finds those whose last segment is not of
what holds now, and routing.ladder keeps them in bounded steps.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from hub.routing.calendar import ALWAYS, Calendar
from hub.routing.calendars import read_stored
from hub.routing.escalation import (
    Action,
    Clock,
    Due,
    Fired,
    History,
    Policy,
    Run,
    Segment,
    WorkState,
    elapsed_s,
    is_paused,
    next_due,
    next_step,
    tells_apart,
)
from hub.routing.policies import stored
from hub.store import tables
from hub.store.database import Tx

log = logging.getLogger(__name__)

_c, _q, _t, _e = tables.conversation.c, tables.queue.c, tables.topic.c, tables.entry.c
_p, _pv = tables.escalation_policy.c, tables.escalation_policy_version.c
_k, _kv = tables.calendar.c, tables.calendar_version.c
_s, _r, _f = tables.escalation_segment.c, tables.escalation_run.c, tables.escalation_fired.c

# Databases bound the values in a statement; so many conversations are looked at together.
_TOGETHER = 500
# Whoever sleeps until the nearest step looks again this often all the same (routing.ladder), so nobody need wake it for
# what is due later; twice that, since the clocks of two machines differ.
LOOK_EVERY_S = 30.0
_SOON = timedelta(seconds=2 * LOOK_EVERY_S)
_DAWN = datetime(1970, 1, 1, tzinfo=UTC)

# What of a conversation's columns its clocks depend on; of all that changes beside them, only IDLE sees anything.
MATTERS = frozenset(
    {"status", "queue_id", "assignee_id", "queued_since", "unanswered_since", "parked_until", "topic_id"}
)

# What a conversation's clocks depend on, as it is now.
_SOURCE = (
    tables.conversation.join(tables.queue, _q.id == _c.queue_id)
    .outerjoin(tables.topic, _t.id == _c.topic_id)
    .outerjoin(tables.escalation_policy, _p.id == func.coalesce(_t.policy_id, _q.policy_id))
    .outerjoin(tables.calendar, _k.id == _q.calendar_id)
)
_ROWS = select(
    _c.id,
    _c.status,
    _c.queue_id,
    _c.assignee_id,
    _c.queued_since,
    _c.unanswered_since,
    _c.created_at,
    _c.parked_until,
    _c.next_step_at,
    _c.version,
    _p.id.label("policy_id"),
    _p.name.label("policy_name"),
    _p.version.label("policy_version"),
    _k.id.label("calendar_id"),
    _k.version.label("calendar_version"),
).select_from(_SOURCE)
_ids: BindParameter[Any] = bindparam("ids", expanding=True)
_TRACKED = _ROWS.where(_c.id.in_(_ids), or_(_p.id.is_not(None), exists().where(_s.conversation_id == _c.id))).order_by(
    _c.id
)
_SEGMENTS = select(tables.escalation_segment).where(_s.conversation_id.in_(_ids)).order_by(_s.conversation_id, _s.start)
# Of runs that are over the last of each clock, and those in which a step may still have to be told of: the next step was not
# due later than they ended.
_later = tables.escalation_run.alias("later")
_RUNS = (
    select(tables.escalation_run)
    .join(tables.conversation, _c.id == _r.conversation_id)
    .where(
        _r.conversation_id.in_(_ids),
        or_(
            _r.stopped_at.is_(None),
            _r.stopped_at >= _c.next_step_at,
            ~exists().where(
                _later.c.conversation_id == _r.conversation_id,
                _later.c.clock == _r.clock,
                _later.c.number > _r.number,
            ),
        ),
    )
    .order_by(_r.conversation_id, _r.clock, _r.number)
)
_FIRED = select(_f.conversation_id, _f.policy_id, _f.step_id, _f.clock, _f.run).where(_f.conversation_id.in_(_ids))
_ANSWERED = select(_c.id).where(
    _c.id.in_(_ids),
    exists().where(_e.conversation_id == _c.id, _e.kind == "message", _e.direction == "out", _e.author_kind == "agent"),
)
_TOUCHED = (
    select(_e.id, _e.at)
    .where(_e.conversation_id == bindparam("id"), _e.author_kind != "system")
    .order_by(_e.at.desc(), _e.id.desc())
    .limit(1)
)
# Bodies as text: each is read once, however often it is asked for.
_POLICIES = select(_pv.policy_id.label("key"), _pv.version, cast(_pv.body, Text).label("body"))
_CALENDARS = select(_kv.calendar_id.label("key"), _kv.version, cast(_kv.body, Text).label("body"))
_IN_FORCE = _POLICIES.join(tables.escalation_policy, (_p.id == _pv.policy_id) & (_p.version == _pv.version)).where(
    or_(
        _p.id.in_(select(_q.policy_id).where(_q.policy_id.is_not(None))),
        _p.id.in_(select(_t.policy_id).where(_t.policy_id.is_not(None))),
    )
)

# (id, version) of a policy or a calendar; None for neither.
_Version = tuple[int, int]


@dataclass(slots=True)
class _Kept:
    """What is stored of one conversation's clocks; `segments` and `runs` as rows of their tables, which `keep` adds to."""

    row: Row[Any]
    segments: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    fired: set[Fired] = field(default_factory=set)
    # The newest line that a person wrote or caused: (id, at).
    touched: tuple[int, datetime] | None = None


@dataclass(frozen=True, slots=True)
class _Versions:
    policies: Mapping[_Version, Policy]
    calendars: Mapping[_Version, Calendar]

    def policy(self, policy_id: int | None, version: int | None) -> Policy | None:
        """None also for one that was removed: its steps are gone, the clocks ran all the same."""
        return self.policies.get((policy_id, version)) if policy_id is not None and version is not None else None

    def calendar(self, calendar_id: int | None, version: int | None) -> Calendar:
        known = self.calendars.get((calendar_id, version)) if calendar_id is not None and version is not None else None
        return known if known is not None else ALWAYS


# --- keeping ------------------------------------------------------------------------------------------------------------


def keep(tx: Tx, changed: Collection[int], touched: Collection[int] = (), *, afresh: bool = False) -> list[int]:
    """Brings what is kept up to date with the conversations' rows, and returns those whose `next_step_at` that changed
    (they have a new version, and nobody has been told). The caller holds their locks. `touched`: in these something
    happened, but nothing of what MATTERS changed. `afresh`: also where no policy is in force any more."""
    known = _read_policies(tx.rows(_IN_FORCE))
    if not (known or afresh):
        return []
    counts_idle = any(step.clock is Clock.IDLE for policy in known.values() for step in policy.steps)
    ids = sorted({*changed, *touched} if counts_idle else changed)
    moved: list[int] = []
    for start in range(0, len(ids), _TOGETHER):
        moved += _keep(tx, ids[start : start + _TOGETHER], known)
    return moved


def _keep(tx: Tx, ids: Sequence[int], known: Mapping[_Version, Policy]) -> list[int]:
    rows = tx.rows(_TRACKED, {"ids": ids})
    if not rows:
        return []
    kept = _load(tx, rows)
    versions = _load_versions(tx, kept.values(), known)
    answered = _load_answered(tx, kept.values())
    _write_segments(tx, kept.values(), versions)
    _write_runs(tx, kept.values(), answered)
    _load_touched(tx, kept.values(), versions)
    changes = []
    for each in kept.values():
        # The earliest that has not fired, be it due already.
        due_at = next_due(_history(each, versions), each.fired, _DAWN)
        if due_at != each.row.next_step_at:
            changes.append({"id": each.row.id, "next_step_at": due_at, "version": each.row.version + 1})
            if due_at is not None and due_at < tx.now + _SOON:
                tx.wake("escalation")
    tx.update_many(tables.conversation, changes)
    return [change["id"] for change in changes]


def state_of(row: Row[Any]) -> WorkState:
    """Of a conversation's row."""
    if row.status == "resolved":
        return WorkState.RESOLVED
    if row.parked_until is not None:
        return WorkState.PARKED
    if row.assignee_id is None:
        return WorkState.WAITING
    return WorkState.WITH_AGENT if row.unanswered_since is not None else WorkState.PENDING_CUSTOMER


def _write_segments(tx: Tx, kept: Iterable[_Kept], versions: _Versions) -> None:
    new: list[dict[str, Any]] = []
    for each in kept:
        row, state = each.row, state_of(each.row)
        now = {
            "conversation_id": row.id,
            "start": tx.now,
            "state": state.value,
            "calendar_id": row.calendar_id,
            "calendar_version": row.calendar_version,
            "policy_id": row.policy_id,
            "policy_version": row.policy_version,
        }
        last = each.segments[-1] if each.segments else None
        if last is None:
            begins = min(
                at for at in (row.created_at, row.unanswered_since, row.queued_since, tx.now) if at is not None
            )
            if row.created_at < tx.now:
                # Older than the first policy that holds for it.
                before = now | {"start": begins, "policy_id": None, "policy_version": None}
                each.segments.append(before)
                new.append(before)
            else:
                now["start"] = begins
        elif all(last[name] == now[name] for name in _HOLDS) and not tells_apart(
            versions.policy(row.policy_id, row.policy_version), last["state"], state
        ):
            continue
        elif last["start"] >= tx.now:
            # A second change at the same instant: only the last one lasts.
            each.segments[-1] = now | {"start": last["start"]}
            changed = {name: now[name] for name in ("state", *_HOLDS)}
            tx.execute(
                update(tables.escalation_segment)
                .where(_s.conversation_id == row.id, _s.start == last["start"])
                .values(**changed)
            )
            continue
        each.segments.append(now)
        new.append(now)
    tx.insert_new(tables.escalation_segment, new)


_HOLDS = ("calendar_id", "calendar_version", "policy_id", "policy_version")


def _write_runs(tx: Tx, kept: Iterable[_Kept], answered: Collection[int]) -> None:
    """Begins and ends runs as the rows say."""
    new: list[dict[str, Any]] = []
    for each in kept:
        row = each.row
        is_open = row.status == "open"
        waits_since = row.unanswered_since if is_open else None
        latest = {run["clock"]: run for run in sorted(each.runs, key=lambda run: run["number"])}
        first = latest.get(Clock.FIRST_RESPONSE)
        # At most one: a person has answered, or it was resolved without.
        may_begin = first is None and row.id not in answered
        is_first = waits_since is not None and (may_begin or (first is not None and first["stopped_at"] is None))
        wanted = {
            Clock.WAITING: row.queued_since,
            Clock.FIRST_RESPONSE: waits_since if is_first else None,
            Clock.NEXT_RESPONSE: waits_since,
            Clock.RESOLUTION: (tx.now if Clock.RESOLUTION in latest else row.created_at) if is_open else None,
        }
        for clock, since in wanted.items():
            run = latest.get(clock)
            runs_on = run is not None and run["stopped_at"] is None
            if run is not None and runs_on and (since is None or _is_another(run, since)):
                _change_run(tx, run, max(tx.now, run["started_at"]))
                runs_on = False
            if since is None or runs_on:
                continue
            if run is not None and clock is Clock.WAITING and since <= run["started_at"]:
                _change_run(tx, run, None)
                _forget_over(tx, each, run)
                continue
            begun = {
                "conversation_id": row.id,
                "clock": clock.value,
                "number": run["number"] + 1 if run is not None else 1,
                "started_at": since,
                "stopped_at": None,
            }
            each.runs.append(begun)
            new.append(begun)
    tx.insert_new(tables.escalation_run, new)


def _is_another(run: Mapping[str, Any], since: datetime) -> bool:
    """Answered and asked again in one unit of work."""
    return run["clock"] == Clock.NEXT_RESPONSE.value and bool(since > run["started_at"])


def _change_run(tx: Tx, run: dict[str, Any], stopped_at: datetime | None) -> None:
    run["stopped_at"] = stopped_at
    key = (_r.conversation_id == run["conversation_id"], _r.clock == run["clock"], _r.number == run["number"])
    tx.execute(update(tables.escalation_run).where(*key).values(stopped_at=stopped_at))


def _forget_over(tx: Tx, kept: _Kept, run: Mapping[str, Any]) -> None:
    """Of a run that goes on: a step that was only noted, because the run was over, still matters."""
    of_run = (_f.conversation_id == kept.row.id, _f.clock == run["clock"], _f.run == run["number"], _f.is_over)
    noted = tx.rows(select(_f.policy_id, _f.step_id).where(*of_run))
    if noted:
        tx.execute(delete(tables.escalation_fired).where(*of_run))
        kept.fired -= {(str(row.policy_id), row.step_id, run["clock"], run["number"]) for row in noted}


# --- loading ------------------------------------------------------------------------------------------------------------


def _load(tx: Tx, rows: Sequence[Row[Any]]) -> dict[int, _Kept]:
    kept = {row.id: _Kept(row) for row in rows}
    for row in tx.rows(_SEGMENTS, {"ids": list(kept)}):
        kept[row.conversation_id].segments.append(row._asdict())
    begun = [each.row.id for each in kept.values() if each.segments]
    if begun:
        for row in tx.rows(_RUNS, {"ids": begun}):
            kept[row.conversation_id].runs.append(row._asdict())
        for row in tx.rows(_FIRED, {"ids": begun}):
            kept[row.conversation_id].fired.add((str(row.policy_id), row.step_id, row.clock, row.run))
    return kept


def _load_answered(tx: Tx, kept: Iterable[_Kept]) -> set[int]:
    """Those to whom a person has written, among those for whom that decides something."""
    asked = [
        each.row.id
        for each in kept
        if each.row.unanswered_since is not None
        and each.row.created_at < tx.now
        and not any(run["clock"] == Clock.FIRST_RESPONSE for run in each.runs)
    ]
    return {row.id for row in tx.rows(_ANSWERED, {"ids": asked})} if asked else set()


def _load_touched(tx: Tx, kept: Iterable[_Kept], versions: _Versions) -> None:
    """What the clock IDLE counts from, for those whose policy has a step by it."""
    for each in kept:
        policy = versions.policy(each.row.policy_id, each.row.policy_version)
        if policy is None or each.row.status != "open" or all(step.clock is not Clock.IDLE for step in policy.steps):
            continue
        row = tx.first(_TOUCHED, {"id": each.row.id})
        # Nobody has done anything yet: since it began.
        each.touched = (row.id, row.at) if row is not None else (0, each.row.created_at)


def _load_versions(tx: Tx, kept: Iterable[_Kept], known: Mapping[_Version, Policy]) -> _Versions:
    policies: set[_Version] = set()
    calendars: set[_Version] = set()
    for each in kept:
        parts: list[Mapping[Any, Any]] = [*each.segments, each.row._mapping]
        for part in parts:
            if part["policy_id"] is not None:
                policies.add((part["policy_id"], part["policy_version"]))
            if part["calendar_id"] is not None:
                calendars.add((part["calendar_id"], part["calendar_version"]))
    return _Versions(
        {**known, **_load_policies(tx, policies - known.keys())},
        {(row.key, row.version): _read_calendar(row.body) for row in _load_bodies(tx, _CALENDARS, calendars)},
    )


def _load_policies(tx: Tx, wanted: Collection[_Version]) -> dict[_Version, Policy]:
    return _read_policies(_load_bodies(tx, _POLICIES, wanted))


def _read_policies(rows: Iterable[Row[Any]]) -> dict[_Version, Policy]:
    """Those that can be read."""
    read = {(row.key, row.version): _read_policy(row.key, row.version, row.body) for row in rows}
    return {version: policy for version, policy in read.items() if policy is not None}


def _load_bodies(tx: Tx, query: Select[Any], wanted: Collection[_Version]) -> list[Row[Any]]:
    if not wanted:
        return []
    key, version, _ = query.selected_columns
    query = query.where(key.in_({each for each, _ in wanted}), version.in_({each for _, each in wanted}))
    return [row for row in tx.rows(query) if (row.key, row.version) in wanted]


# A hub has a few policies, and of each the last versions matter.
@lru_cache(maxsize=256)
def _read_policy(policy_id: int, version: int, body: str) -> Policy | None:
    """None if it cannot be read (any more): messages come in all the same, and the other ladders go on."""
    try:
        return stored(policy_id, version, json.loads(body))
    except ValueError:
        log.exception("policy.unreadable", extra={"policy_id": policy_id})
        return None


@lru_cache(maxsize=256)
def _read_calendar(body: str) -> Calendar:
    """Always open if it cannot be read any more (its time zone has gone from the machine's database): messages come in all
    the same, and clocks that run too fast forget nothing."""
    try:
        return read_stored(json.loads(body))
    except ValueError:
        log.exception("calendar.unreadable")
        return ALWAYS


def _history(kept: _Kept, versions: _Versions) -> History:
    runs = [Run(Clock(run["clock"]), run["number"], run["started_at"], run["stopped_at"]) for run in kept.runs]
    if kept.touched is not None:
        runs.append(Run(Clock.IDLE, kept.touched[0], kept.touched[1]))
    return History(
        [
            Segment(
                part["start"],
                part["state"],
                versions.calendar(part["calendar_id"], part["calendar_version"]),
                versions.policy(part["policy_id"], part["policy_version"]),
            )
            for part in kept.segments
        ],
        runs,
    )


def load_histories(tx: Tx, conversation_ids: Collection[int]) -> dict[int, tuple[History, set[Fired]]]:
    """What is kept of each, and which of its steps have fired."""
    kept, versions = _load_all(tx, conversation_ids)
    return {each.row.id: (_history(each, versions), each.fired) for each in kept.values()}


def _load_all(tx: Tx, conversation_ids: Collection[int]) -> tuple[dict[int, _Kept], _Versions]:
    kept = _load(tx, tx.rows(_ROWS.where(_c.id.in_(conversation_ids))))
    versions = _load_versions(tx, kept.values(), {})
    _load_touched(tx, kept.values(), versions)
    return kept, versions


# --- those that are not of what holds now ---------------------------------------------------------------------------------


def calendar_changed(tx: Tx, calendar_id: int) -> None:
    """The clocks of all open work of the queues that go by this calendar are read by its new version from now on."""
    if tx.first(select(_q.id).where(_q.calendar_id == calendar_id).limit(1)) is not None:
        tx.wake("clocks")


def find_stale(tx: Tx, limit: int, after_id: int = 0) -> list[int]:
    """Open conversations whose last segment is not of the policy and calendar that hold now, by id."""
    latest = tables.escalation_segment.alias("latest")
    last_start = select(func.max(_s.start)).where(_s.conversation_id == _c.id).scalar_subquery()
    differs = or_(
        latest.c.policy_id.is_distinct_from(_p.id),
        latest.c.policy_version.is_distinct_from(_p.version),
        latest.c.calendar_id.is_distinct_from(_k.id),
        latest.c.calendar_version.is_distinct_from(_k.version),
    )
    query = (
        select(_c.id)
        .select_from(_SOURCE.outerjoin(latest, and_(latest.c.conversation_id == _c.id, latest.c.start == last_start)))
        .where(_c.status == "open", _c.id > after_id, differs, or_(_p.id.is_not(None), latest.c.start.is_not(None)))
        .order_by(_c.id)
        .limit(limit)
    )
    return [row.id for row in tx.rows(query)]


# --- where one stands -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """What a running clock shows. `elapsed_s` and `target_s` are business time."""

    clock: Clock
    elapsed_s: float
    target_s: float | None
    started_at: datetime
    is_paused: bool


@dataclass(frozen=True, slots=True)
class FiredRow:
    """`actions`: those of the step in its policy's version of then; none if the policy was removed."""

    step_id: str
    clock: str
    run: int
    due_at: datetime
    fired_at: datetime
    is_over: bool
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    state: WorkState
    policy_id: int | None
    policy_name: str
    policy_version: int
    calendar_id: int | None
    readings: tuple[Reading, ...]
    fired: tuple[FiredRow, ...]
    upcoming: Due | None


# A conversation that escalated more often than this is looked into in another way.
_FIRED_TOLD = 100


def load_standing(tx: Tx, conversation_id: int) -> Standing:
    """Where a conversation stands on its ladder now. Clocks that nobody has set a step or a target for are told, too."""
    loaded, versions = _load_all(tx, [conversation_id])
    kept = loaded[conversation_id]
    row, history = kept.row, _history(kept, versions)
    policy = versions.policy(row.policy_id, row.policy_version)
    readings = [
        Reading(
            run.clock,
            elapsed_s(history, run, tx.now),
            policy.targets.get(run.clock) if policy is not None else None,
            run.started_at,
            is_paused(history.segments[-1], run.clock, tx.now),
        )
        for run in history.runs
        if run.stopped_at is None and history.segments
    ]
    fired = tx.rows(
        select(tables.escalation_fired)
        .where(_f.conversation_id == conversation_id)
        .order_by(_f.fired_at.desc(), _f.due_at.desc(), _f.step_id)
        .limit(_FIRED_TOLD)
    )
    wanted = {(each.policy_id, each.policy_version) for each in fired}
    then = _load_policies(tx, wanted)
    return Standing(
        state=state_of(row),
        policy_id=row.policy_id,
        policy_name=row.policy_name or "",
        policy_version=row.policy_version or 0,
        calendar_id=row.calendar_id,
        readings=tuple(sorted(readings, key=lambda reading: list(Clock).index(reading.clock))),
        fired=tuple(
            FiredRow(
                each.step_id,
                each.clock,
                each.run,
                each.due_at,
                each.fired_at,
                each.is_over,
                _actions_of(then.get((each.policy_id, each.policy_version)), each.step_id),
            )
            for each in fired
        ),
        upcoming=next_step(history, kept.fired, tx.now) if policy is not None else None,
    )


def _actions_of(policy: Policy | None, step_id: str) -> tuple[Action, ...]:
    steps = policy.steps if policy is not None else ()
    return next((step.actions for step in steps if step.id == step_id), ())
