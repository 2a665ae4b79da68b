"""Deliveries of webhooks: one row for each thing that one endpoint is told.

    plan     the next window of the stream → rows; with the endpoints' cursors in one transaction      waiting
    claim    what is due, attempt and lease committed before anything is sent                          sending
    record   2xx → delivered; 410 → dead, and the endpoint is switched off; anything else → waiting again, or dead
    replay   dead or delivered → waiting, with the same id

Invariants:
  * What an endpoint asked for is written down once, whoever dies when; it arrives at least once. A lease that ran out is sent
    again under the same id: whoever gets it twice knows it by that.
  * What is of one lane (a conversation, a customer, an agent) arrives in order: of each lane only the oldest unfinished row
    may be claimed. Not the whole endpoint: one delivery that its receiver chokes on would hold up everything else for three
    days, and one at a time over the internet is fewer a second than a busy floor makes.
  * One endpoint never holds up another: each has its own limit of requests under way, its own pause and its own cursor.
  * Whoever writes rows of an endpoint, or claims or records them, holds the lock of its row first. It stands in the lock
    order where the projector's checkpoint stands, before STREAM.

An endpoint whose last attempts all failed is left alone for a while and then asked by one delivery at a time (a breaker).
When it answers again, everything that waits for it is due at once.
"""

from __future__ import annotations

import random
import secrets
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row, delete, exists, func, select, update

from hub.agents import alerts, audit
from hub.domain.values import Role
from hub.domain.views import ConversationView, CustomerView, SurveyView
from hub.errors import Conflict, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.store.stream import Stored
from hub.surveys.lists import load_surveys
from hub.timeline import conversations, customers
from hub.webhooks.catalogue import KINDS, Happened, Told, read, write_body
from hub.webhooks.endpoints import WAKE_SEND, title_of

_p, _d, _e = tables.webhook_endpoint.c, tables.webhook_delivery.c, tables.event.c

# One step of planning looks at so many events of the stream, as the projector does (kpi.facts).
WINDOW = 1_000
# What came about so long before the event that tells it is no news: then the row that said so may be forgotten already.
_NEWS = timedelta(days=1)
# Requests under way to one endpoint. At 200 ms an answer that is 40 a second, and no receiver is overrun.
IN_FLIGHT = 8
# Longer than an attempt takes at most (guarded_post.TIMEOUT_S).
LEASE = timedelta(seconds=60)
# Seconds after the first failure, the second …: 71 hours in all, each ± 20 % so that many do not return at once.
BACK_OFF_S = (5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400)
TRIES = len(BACK_OFF_S) + 1
_JITTER = 0.2
# So many failures in a row open an endpoint's breaker, which stays open so long at first and at most.
BREAKER_LIMIT = 5
_PAUSE_S, _PAUSE_MOST_S = 5.0, 300.0
# An endpoint that has failed for so long, and answered nothing meanwhile, is switched off.
FAILS_FOR = timedelta(days=3)
# "I am gone for good": Standard Webhooks 1.0.0 wants the endpoint switched off then.
_GONE = 410
# Of an answer so much is kept, and of failed attempts so many.
ANSWER_BYTES = 1_000
_FAILURES_KEPT = 40
# Dead letters, and what waits for an endpoint that was never switched on again, are kept so long.
KEEP_DEAD = timedelta(days=30)
# Rows of one step of forgetting or replaying: some 50 ms.
_STEP = 2_000
# Names in one IN list.
_AT_ONCE = 500

# A machine word the console has a sentence for (agents.alerts).
SWITCHED_OFF = "webhook_off"


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery to try now. `secrets` is sealed."""

    id: int
    endpoint_id: int
    url: str
    secrets: str
    old_secret_until: datetime | None
    message_id: str
    body: bytes
    attempts: int
    # Whose turn it is: a result counts only while this very lease stands.
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one: `status` of the answer, or (None) `code` says in a machine's word why there was none."""

    status: int | None
    code: str | None
    answer: str
    duration_ms: int
    retry_after_s: float | None = None

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


# --- writing them down --------------------------------------------------------------------------------------------------


def has_listeners(tx: Tx) -> bool:
    return tx.first(select(_p.id).where(_p.enabled).limit(1)) is not None


def plan(tx: Tx) -> bool:
    """Writes down what the next window of the stream tells whom. True if there is more to read."""
    endpoints = tx.rows(select(tables.webhook_endpoint).where(_p.enabled).order_by(_p.id).with_for_update())
    if not endpoints:
        return False
    cursor = min(row.cursor for row in endpoints)
    end, is_full = _window(tx, cursor)
    if end == cursor:
        return False
    told = [
        (event, one) for event in _load(tx, cursor, end) for one in read(event.kind, event.at, event.seq, event.body)
    ]
    wanted = {name for row in endpoints for name in row.events}
    told = [(event, one) for event, one in told if one.told in wanted]
    loaded = _load_wants(tx, [one for _, one in told])
    bodies: dict[int, bytes] = {}
    written = 0
    for row in endpoints:
        new = _choose(tx, row, told, loaded)
        for index, event, one in new:
            if index not in bodies:
                bodies[index] = zlib.compress(write_body(one, event.at, _wants_of(one, loaded)))
        _insert(tx, row.id, [(one, bodies[index]) for index, _, one in new])
        written += len(new)
    if written or is_full:
        # Without either no later step has far to look, and nothing is written for nothing.
        ids = [row.id for row in endpoints if row.cursor < end]
        tx.execute(update(tables.webhook_endpoint).where(_p.id.in_(ids)).values(cursor=end))
    if written:
        tx.wake(WAKE_SEND)
    return is_full


def _window(tx: Tx, cursor: int) -> tuple[int, bool]:
    """(last seq, whether there may be more) of the next WINDOW events of any kind."""
    window = select(_e.seq).where(_e.seq > cursor).order_by(_e.seq).limit(WINDOW).subquery()
    row = tx.execute(select(func.max(window.c.seq).label("end"), func.count().label("size")).select_from(window)).one()
    return (int(row.end), row.size == WINDOW) if row.size else (cursor, False)


def _load(tx: Tx, cursor: int, end: int) -> list[Stored]:
    wanted = (
        select(_e.seq, _e.at, _e.kind, _e.body)
        .where(_e.seq > cursor, _e.seq <= end, _e.kind.in_(KINDS))
        .order_by(_e.seq)
    )
    return [Stored(row.seq, row.at, row.kind, frozenset(), frozenset(), row.body) for row in tx.rows(wanted)]


_Loaded = Mapping[tuple[str, int], Any]
_CONVERSATION, _CUSTOMER, _SURVEY = TypeAdapter(ConversationView), TypeAdapter(CustomerView), TypeAdapter(SurveyView)


def _load_wants(tx: Tx, told: Iterable[Happened]) -> _Loaded:
    """What events do not carry, as it is now: a moment after they happened."""
    ids: dict[str, set[int]] = {"conversation": set(), "customer": set(), "survey": set()}
    for one in told:
        for noun, its_id in one.wants.values():
            ids[noun].add(its_id)
    found: dict[tuple[str, int], Any] = {}
    for view in conversations.load_conversations(tx, ids["conversation"]).values():
        found["conversation", view.id] = _CONVERSATION.dump_python(view, mode="json")
    for customer in customers.load_customers(tx, ids["customer"]).values():
        found["customer", customer.id] = _CUSTOMER.dump_python(customer, mode="json")
    for survey in load_surveys(tx, ids["survey"]):
        found["survey", survey.id] = _SURVEY.dump_python(survey, mode="json")
    return found


def _wants_of(one: Happened, loaded: _Loaded) -> Mapping[str, Any]:
    return {name: loaded[key] for name, key in one.wants.items()}


def _choose(
    tx: Tx, row: Row[Any], told: Sequence[tuple[Stored, Happened]], loaded: _Loaded
) -> list[tuple[int, Stored, Happened]]:
    """What of it this endpoint is told, each with its place in `told`."""
    chosen: dict[str, tuple[int, Stored, Happened]] = {}
    for index, (event, given) in enumerate(told):
        if event.seq <= row.cursor or given.told not in row.events or given.key in chosen:
            continue
        if any(key not in loaded for key in given.wants.values()):
            continue  # it is gone by now
        one = _completed(given, loaded)
        if one.since < row.since or one.since < event.at - _NEWS or not _passes(row, one):
            continue
        chosen[one.key] = (index, event, one)
    known = _load_known(tx, row.id, chosen)
    return [each for key, each in chosen.items() if key not in known]


def _completed(one: Happened, loaded: _Loaded) -> Happened:
    if one.told is Told.CUSTOMER_CREATED and one.wants:
        customer = loaded[one.wants["customer"]]
        return replace(one, since=datetime.fromisoformat(customer["created_at"]))
    if "conversation" in one.wants:
        return replace(one, queue_id=loaded[one.wants["conversation"]]["queue_id"])
    return one


def _passes(row: Row[Any], one: Happened) -> bool:
    if row.queue_ids and one.lane.startswith("conversation:") and one.queue_id not in row.queue_ids:
        return False
    return not row.channel_ids or one.channel_id is None or one.channel_id in row.channel_ids


def _load_known(tx: Tx, endpoint_id: int, keys: Iterable[str]) -> set[str]:
    known: set[str] = set()
    for some in _in_parts(list(keys)):
        of = (_d.endpoint_id == endpoint_id, _d.occurrence.in_(some))
        known |= set(tx.execute(select(_d.occurrence).where(*of)).scalars())
    return known


def _in_parts(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE))


def _insert(tx: Tx, endpoint_id: int, new: Sequence[tuple[Happened, bytes]]) -> None:
    later = _load_later(tx, endpoint_id, sorted({one.lane for one, _ in new}))
    rows = [
        {
            "endpoint_id": endpoint_id,
            "message_id": f"msg_{secrets.token_urlsafe(18)}",
            "occurrence": one.key,
            "type": one.told.value,
            "lane": one.lane,
            "body": body,
            "state": "waiting",
            "due_at": later.get(one.lane, tx.now),
            "created_at": tx.now,
        }
        for one, body in new
    ]
    tx.insert_many(tables.webhook_delivery, rows)


def _load_later(tx: Tx, endpoint_id: int, lanes: Sequence[str]) -> dict[str, datetime]:
    """Lanes whose first delivery is put off: what comes behind it need not be looked at before."""
    later: dict[str, datetime] = {}
    for some in _in_parts(lanes):
        of = (_d.endpoint_id == endpoint_id, _d.lane.in_(some), _d.due_at > tx.now, _d.state == "waiting")
        rows = tx.rows(select(_d.lane, func.max(_d.due_at).label("due_at")).where(*of).group_by(_d.lane))
        later |= {row.lane: row.due_at for row in rows}
    return later


# --- sending ------------------------------------------------------------------------------------------------------------


def claim(tx: Tx, in_flight: Collection[int] = ()) -> list[Claimed]:
    """Takes what is due, of each lane the oldest alone; attempt and lease are in the database before anything is sent.
    `in_flight`: rows this process is sending still, whatever the clock says."""
    has_due = exists().where(_d.endpoint_id == _p.id, _d.due_at <= tx.now)
    asked = (
        select(tables.webhook_endpoint)
        .where(_p.enabled, _p.paused_until.is_(None) | (_p.paused_until <= tx.now), has_due)
        .order_by(_p.id)
        .with_for_update(skip_locked=True)
    )
    return [each for row in tx.rows(asked) for each in _claim_of(tx, row, in_flight)]


def _claim_of(tx: Tx, endpoint: Row[Any], in_flight: Collection[int]) -> list[Claimed]:
    under_way = select(func.count()).where(
        _d.endpoint_id == endpoint.id, _d.state == "sending", (_d.due_at > tx.now) | _d.id.in_(in_flight)
    )
    room = (1 if endpoint.failures_in_row >= BREAKER_LIMIT else IN_FLIGHT) - int(tx.scalar(under_way) or 0)
    if room <= 0:
        return []
    older = tables.webhook_delivery.alias("older")
    is_first = ~exists().where(
        older.c.endpoint_id == _d.endpoint_id,
        older.c.lane == _d.lane,
        older.c.id < _d.id,
        older.c.due_at.is_not(None),
    )
    due = (
        select(_d.id, _d.message_id, _d.body, _d.attempts)
        .where(_d.endpoint_id == endpoint.id, _d.due_at <= tx.now, _d.id.not_in(in_flight), is_first)
        .order_by(_d.due_at, _d.id)
        .limit(room)
    )
    rows = tx.rows(due)
    lease_until = tx.now + LEASE
    values = {"state": "sending", "due_at": lease_until, "attempts": _d.attempts + 1, "attempted_at": tx.now}
    tx.execute(update(tables.webhook_delivery).where(_d.id.in_([row.id for row in rows])).values(**values))
    return [
        Claimed(
            id=row.id,
            endpoint_id=endpoint.id,
            url=endpoint.url,
            secrets=endpoint.secrets,
            old_secret_until=endpoint.old_secret_until,
            message_id=row.message_id,
            body=zlib.decompress(row.body),
            attempts=row.attempts + 1,
            lease_until=lease_until,
        )
        for row in rows
    ]


def record(tx: Tx, claimed: Claimed, attempt: Attempt) -> None:
    """Writes what became of an attempt, and what it says of the endpoint."""
    endpoint = tx.first(select(tables.webhook_endpoint).where(_p.id == claimed.endpoint_id).with_for_update())
    row = tx.first(select(_d.state, _d.due_at, _d.lane, _d.created_at, _d.failures).where(_d.id == claimed.id))
    if endpoint is None or row is None or row.state != "sending" or row.due_at != claimed.lease_until:
        return  # removed meanwhile, or somebody else has it in hand by now
    values: dict[str, Any] = {
        "status": attempt.status,
        "code": attempt.code,
        "answer": attempt.answer,
        "duration_ms": attempt.duration_ms,
    }
    if attempt.is_taken:
        values |= {"state": "delivered", "due_at": None, "done_at": tx.now}
        _note_success(tx, endpoint)
    else:
        failure = {
            "at": tx.now.isoformat(),
            "status": attempt.status,
            "code": attempt.code,
            "duration_ms": attempt.duration_ms,
        }
        values["failures"] = [*(row.failures or []), failure][-_FAILURES_KEPT:]
        due_at = _next_try(tx.now, claimed.attempts, attempt)
        values |= {"state": "waiting", "due_at": due_at}
        if due_at is None:
            values |= {"state": "dead", "done_at": tx.now}
        else:
            # Those behind it need not be looked at before.
            behind = (_d.endpoint_id == endpoint.id, _d.lane == row.lane, _d.state == "waiting", _d.due_at < due_at)
            tx.execute(update(tables.webhook_delivery).where(*behind).values(due_at=due_at))
        _note_failure(tx, endpoint, attempt)
    tx.execute(update(tables.webhook_delivery).where(_d.id == claimed.id).values(**values))
    tx.wake(WAKE_SEND)


def _next_try(now: datetime, attempts: int, attempt: Attempt) -> datetime | None:
    if attempt.status == _GONE or attempts >= TRIES:
        return None
    wait_s = back_off_s(attempts, random.random())
    return now + timedelta(seconds=max(wait_s, attempt.retry_after_s or 0.0))


def back_off_s(attempts: int, chance: float) -> float:
    """Seconds until the next attempt after `attempts` of them; `chance` in 0..1 spreads the returns. Pure."""
    return BACK_OFF_S[min(attempts, len(BACK_OFF_S)) - 1] * (1 + _JITTER * (2 * chance - 1))


def _note_success(tx: Tx, endpoint: Row[Any]) -> None:
    if not endpoint.failures_in_row:
        return
    values = {"failures_in_row": 0, "failing_since": None, "paused_until": None}
    tx.execute(update(tables.webhook_endpoint).where(_p.id == endpoint.id).values(**values))
    if endpoint.failures_in_row >= BREAKER_LIMIT:
        waits = (_d.endpoint_id == endpoint.id, _d.state == "waiting", _d.due_at > tx.now)
        tx.execute(update(tables.webhook_delivery).where(*waits).values(due_at=tx.now))


def _note_failure(tx: Tx, endpoint: Row[Any], attempt: Attempt) -> None:
    failures = endpoint.failures_in_row + 1
    failing_since = endpoint.failing_since or tx.now
    values: dict[str, Any] = {"failures_in_row": failures, "failing_since": failing_since}
    if failures >= BREAKER_LIMIT:
        pause_s = min(_PAUSE_S * 2.0 ** min(failures - BREAKER_LIMIT, 10), _PAUSE_MOST_S)
        values["paused_until"] = tx.now + timedelta(seconds=max(pause_s, attempt.retry_after_s or 0.0))
    tx.execute(update(tables.webhook_endpoint).where(_p.id == endpoint.id).values(**values))
    if not endpoint.enabled:
        return
    if attempt.status == _GONE:
        _switch_off(tx, endpoint, "gone")
    elif tx.now - failing_since >= FAILS_FOR:
        _switch_off(tx, endpoint, "failing")


def _switch_off(tx: Tx, endpoint: Row[Any], reason: str) -> None:
    """By the hub itself: administrators are told on their screens at once, and by mail (sending.Sender)."""
    values = {"enabled": False, "off_reason": reason, "off_at": tx.now, "mail_due_at": tx.now, "mail_tries": 0}
    tx.execute(update(tables.webhook_endpoint).where(_p.id == endpoint.id).values(version=_p.version + 1, **values))
    name = title_of(endpoint.description, endpoint.url)
    audit.note(tx, None, "webhook.switched_off", "webhook", endpoint.id, {"name": name, "why": reason})
    data = {"endpoint_id": endpoint.id, "name": name, "why": reason}
    people = [row.id for row in load_administrators(tx)]
    alerts.raise_alert(tx, people, level="notify", reason=SWITCHED_OFF, conversation_id=None, data=data)


def load_administrators(tx: Tx) -> Sequence[Row[Any]]:
    """id, e-mail and language of those who can do something about it."""
    u = tables.user_account.c
    return tx.rows(select(u.id, u.email, u.name, u.language).where(u.active, u.role == Role.ADMIN.value).order_by(u.id))


def end_leases(tx: Tx) -> None:
    """For the only process there is, when it starts: nobody is sending now."""
    tx.execute(update(tables.webhook_delivery).where(_d.state == "sending").values(due_at=tx.now))


def next_due(tx: Tx, looked_at: datetime) -> datetime | None:
    """The next instant at which something may become claimable by itself, after `looked_at`, when the last claim began: what
    became so while that claim ran is told too, and was not claimed."""
    is_on = exists().where(_p.id == _d.endpoint_id, _p.enabled)
    moments = (
        select(func.min(_d.due_at)).where(_d.due_at > looked_at, is_on),
        select(func.min(_p.paused_until)).where(_p.enabled, _p.paused_until > looked_at),
        select(func.min(_p.mail_due_at)),
    )
    return min((at for at in map(tx.scalar, moments) if at is not None), default=None)


# --- the log ------------------------------------------------------------------------------------------------------------


def load_page(
    tx: Tx, endpoint_id: int, *, state: str | None, told: Told | None, before: int | None, limit: int
) -> Sequence[Row[Any]]:
    """Newest first, without their bodies. `before`: the id of the last one held."""
    columns = [column for column in tables.webhook_delivery.c if column.name not in ("body", "failures", "answer")]
    query = select(*columns).where(_d.endpoint_id == endpoint_id)
    if state is not None:
        query = query.where(_d.state == state)
    if told is not None:
        query = query.where(_d.type == told.value)
    if before is not None:
        query = query.where(_d.id < before)
    return tx.rows(query.order_by(_d.id.desc()).limit(limit))


def load_delivery(tx: Tx, delivery_id: int, *, lock: bool = False) -> Row[Any]:
    """With its body, as it is sent."""
    query = select(tables.webhook_delivery).where(_d.id == delivery_id)
    row = tx.first(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("there is no such delivery")
    return row


def text_of(row: Row[Any]) -> str:
    return zlib.decompress(row.body).decode()


# A delivery as it is when nobody has tried it; its failures of before stay in the log.
_AFRESH: Mapping[str, Any] = {"state": "waiting", "attempts": 0, "done_at": None}


def replay(tx: Tx, delivery_id: int) -> Row[Any]:
    """Sends it again, or now instead of later. Conflict `being_sent` while somebody does; `webhook_off` of an endpoint that
    is switched off."""
    endpoint_id = load_delivery(tx, delivery_id).endpoint_id
    endpoint = tx.first(select(_p.enabled).where(_p.id == endpoint_id).with_for_update())
    row = load_delivery(tx, delivery_id, lock=True)
    if row.state == "sending":
        raise Conflict("this is being sent right now", code="being_sent")
    if endpoint is None or not endpoint.enabled:
        raise Conflict("this webhook is switched off", code="webhook_off")
    tx.execute(update(tables.webhook_delivery).where(_d.id == delivery_id).values(due_at=tx.now, **_AFRESH))
    tx.wake(WAKE_SEND)
    return load_delivery(tx, delivery_id)


def replay_dead(tx: Tx, endpoint_id: int, since: datetime) -> int:
    """One bounded step over what was given up since then; how many are sent again (0: there is nothing left)."""
    endpoint = tx.first(select(_p.enabled).where(_p.id == endpoint_id).with_for_update())
    if endpoint is None:
        raise NotFound("there is no such webhook")
    if not endpoint.enabled:
        raise Conflict("this webhook is switched off", code="webhook_off")
    some = (
        select(_d.id)
        .where(_d.endpoint_id == endpoint_id, _d.state == "dead", _d.done_at >= since)
        .order_by(_d.id)
        .limit(_STEP)
    )
    ids = [row.id for row in tx.rows(some)]
    tx.execute(update(tables.webhook_delivery).where(_d.id.in_(ids)).values(due_at=tx.now, **_AFRESH))
    tx.wake(WAKE_SEND)
    return len(ids)


def prune(tx: Tx, keep_delivered: timedelta) -> int:
    """One bounded step of forgetting what has served its time; how many rows that were."""
    old = (_d.state == "delivered") & (_d.done_at < tx.now - keep_delivered) | (_d.done_at < tx.now - KEEP_DEAD)
    some = select(_d.id).where(old).limit(_STEP)
    gone = tx.execute(delete(tables.webhook_delivery).where(_d.id.in_(some))).rowcount
    # What waits for an endpoint that is off comes to nothing some day, too.
    is_off = select(_p.id).where(~_p.enabled)
    waits = (_d.endpoint_id.in_(is_off), _d.due_at.is_not(None), _d.created_at < tx.now - KEEP_DEAD)
    late = select(_d.id).where(*waits).limit(_STEP)
    return gone + tx.execute(delete(tables.webhook_delivery).where(_d.id.in_(late))).rowcount


def forget(tx: Tx, endpoint_id: int) -> int:
    """One bounded step of forgetting everything of an endpoint, before it is removed."""
    some = select(_d.id).where(_d.endpoint_id == endpoint_id).limit(_STEP)
    return tx.execute(delete(tables.webhook_delivery).where(_d.id.in_(some))).rowcount
