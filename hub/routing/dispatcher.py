"""The single writer of assignments. Everything that gives work to somebody, or takes it away, is a function of this file.

Each takes the ROUTING lock first, then the conversation's (the one lock order), so there is one decider at a time in all
processes: automatic offers, accept, decline, manual claim, transfer, park, release, resolve, reopen, sign-out, a lost agent.
Partial unique indexes (one live offer and one live assignment per conversation) are the backstop.

`dispatch` is one round: end what is over (expired offers, agents who are gone, calls that did not connect, work put aside
until now), load the floor (routing.floor), then ask the pure engine what to offer. `Dispatcher.run` makes a round when
somebody wakes it ("routing") or when the nearest deadline comes; it does not poll. After rounds it counts, seldom, what
nobody could ever be offered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Literal

from sqlalchemy import Row, bindparam, func, insert, select, union_all, update

from hub.agents import alerts, audit, presence, roster
from hub.agents.queues import emit_queues
from hub.agents.viewer import Viewer
from hub.calls import records
from hub.domain.events import (
    FACTS,
    SUPERVISORS,
    ContactBegan,
    ConversationResolved,
    OfferEnded,
    OfferOver,
    SegmentEnded,
    user_topic,
)
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.states import (
    CONVERSATION,
    AgentState,
    CallbackState,
    ConversationStatus,
    OfferOutcome,
    check_move,
)
from hub.domain.values import AuthorKind, ChannelKind, Direction, Happening, Role
from hub.domain.views import AgentView, Author, ConversationView
from hub.errors import Conflict, DatabaseAway, Forbidden, InvalidInput, NotFound
from hub.routing import business_time, callbacks, connecting, engine, estimates, floor, offers, parking
from hub.routing.offers import OFFERS, offer_view
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Wakes
from hub.surveys import planning
from hub.timeline import consents, conversations, custom_fields, customers, task_rows, threads, visits

log = logging.getLogger(__name__)

_c, _o, _as, _q, _a = (
    tables.conversation.c,
    tables.offer.c,
    tables.assignment.c,
    tables.queue.c,
    tables.agent.c,
)

# Missed deadlines are found by the deadline itself; this only bounds the harm of a clock that jumps.
_LOOK_EVERY_S = 30.0
# What nobody could ever be offered is counted this often at most, apart from the rounds: these must be quick.
_COUNT_EVERY_S = 1.0
_RETRY_S = 0.5

# --- one round ----------------------------------------------------------------------------------------------------------


def dispatch(
    tx: Tx, presence_grace_s: float, up_since: datetime | None = None, known: floor.Known | None = None
) -> datetime | None:
    """One round; returns the instant of the nearest deadline, if any is set. Nobody is lost before the hub has been up
    (`up_since`) for the grace period itself: a restart that takes long must not empty the floor. `known`: what rounds
    before this one read, and this one need not if it is still so."""
    tx.lock_routing()
    lost = presence.find_lost(tx, presence_grace_s, up_since)
    _lock_what_is_over(tx, lost)
    _lose_agents(tx, lost)
    _end_offers_that_are_over(tx)
    callbacks.bring_back(tx)
    _end_what_did_not_connect(tx)
    _bring_back(tx, parking.find_due(tx))
    loaded = floor.load_snapshot(tx, known=known)
    decisions = engine.route(loaded.snapshot, tx.now) if loaded.snapshot.work else []
    _make_offers(tx, decisions, loaded)
    deadlines = [
        *tx.rows(_DEADLINES)[0],
        presence.next_loss(tx, presence_grace_s, up_since),
        floor.next_change(loaded, decisions, tx.now),
        callbacks.next_return(tx),
    ]
    return min((deadline for deadline in deadlines if deadline is not None), default=None)


def _lock_what_is_over(tx: Tx, lost: Collection[int]) -> None:
    """All conversations that the steps before the decisions will change, at once and in their one order: each step alone
    would be in order, one after the other they are not, and others (who take in mail, say) lock several, too. On SQLite
    every transaction is alone anyway."""
    if not tx.is_postgresql:
        return
    offered = (
        select(_o.conversation_id)
        .join(tables.agent, _a.user_id == _o.agent_id)
        .where(
            _o.ended_at.is_(None),
            (_o.expires_at <= tx.now) | (_a.state != AgentState.AVAILABLE.value) | _o.agent_id.in_(lost),
        )
    )
    parked = select(_c.id).where(_c.parked_until <= tx.now)
    ids = {row[0] for row in tx.rows(union_all(offered, parked))}
    ids |= {row.conversation_id for row in connecting.find_overdue(tx)}
    tx.lock_conversations(ids | (_find_held_by(tx, lost) if lost else set()))


def _find_held_by(tx: Tx, user_ids: Collection[int]) -> set[int]:
    """What these people hold, and what waits for them alone."""
    theirs = _c.assignee_id.in_(user_ids) | (_c.pinned_agent_id.in_(user_ids) & _c.queued_since.is_not(None))
    return {row.id for row in tx.rows(select(_c.id).where(theirs))}


_DEADLINES = select(
    select(func.min(_o.expires_at)).where(_o.ended_at.is_(None)).scalar_subquery(),
    connecting.next_deadline,
    parking.next_due,
)


def explain_now(tx: Tx, conversation_id: int) -> engine.Explanation | None:
    """What would be decided about this work at this moment, and why; None if it does not wait, or rings already."""
    rings = select(_o.id).where(_o.conversation_id == conversation_id, _o.ended_at.is_(None))
    if tx.scalar(select(_c.queued_since).where(_c.id == conversation_id)) is None or tx.first(rings) is not None:
        return None
    loaded = floor.load_snapshot(tx, conversation_id)
    try:
        return engine.explain(loaded.snapshot, tx.now, conversation_id)
    except NotFound:
        return None


def count_unservable(tx: Tx) -> None:
    """Counts the waiting work that nobody could ever be offered, and tells the queues for which that has changed."""
    tx.lock_routing()
    changed = _other_unservable(tx)
    for queue_id, count in changed.items():
        tx.execute(update(tables.queue).where(_q.id == queue_id).values(unservable=count))
    emit_queues(tx, changed)


def _other_unservable(tx: Tx) -> dict[int, int]:
    """Queue → how much nobody could be offered, where that is not what the queue says."""
    counts = floor.count_unservable(tx)
    told = tx.rows(select(_q.id, _q.unservable))
    return {row.id: counts.get(row.id, 0) for row in told if row.unservable != counts.get(row.id, 0)}


def _has_other_unservable(tx: Tx) -> bool:
    return bool(_other_unservable(tx))


def _make_offers(tx: Tx, decisions: Collection[engine.Decision], loaded: floor.Loaded) -> None:
    if not decisions:
        return
    kinds = {item.conversation_id: item.kind for item in loaded.snapshot.work}
    # Whoever changes what an offer shows holds this lock and tells the offers there are: none is made beside them.
    tx.lock_conversations(decision.conversation_id for decision in decisions)
    given = {
        decision.conversation_id
        for decision in decisions
        if kinds[decision.conversation_id] in loaded.queues[decision.queue_id].auto_accept
    }
    if given:
        here = _lock_who_is_here(tx, {each.agent_id for each in decisions if each.conversation_id in given})
        # Whoever has just left wakes the next round, which finds somebody else.
        decisions = [each for each in decisions if each.conversation_id not in given or each.agent_id in here]
    ids = tx.insert_many(
        tables.offer,
        [
            {
                "conversation_id": decision.conversation_id,
                "agent_id": decision.agent_id,
                "queue_id": decision.queue_id,
                "offered_at": tx.now,
                "expires_at": tx.now
                + timedelta(seconds=loaded.queues[decision.queue_id].ring_time_s(kinds[decision.conversation_id])),
                "ended_at": tx.now if decision.conversation_id in given else None,
                "outcome": OfferOutcome.ACCEPTED.value if decision.conversation_id in given else None,
                "weight": decision.weight,
                "why": decision.why,
                "explanation": decision.explanation.record(),
            }
            for decision in decisions
        ],
    )
    for row in tx.rows(OFFERS.where(_o.id.in_(ids)).order_by(_o.id)):
        if row.ended_at is not None:
            _accept_by_itself(tx, row)
            continue
        offers.tell(tx, row)
        if row.call_id is not None:
            records.note_offered(tx, row.call_id)
    roster.emit_agents(tx, {decision.agent_id for decision in decisions})


def _accept_by_itself(tx: Tx, row: Row[Any]) -> None:
    """What the hub accepts in the agent's place, at once (a row of OFFERS); they are told of work, not of a ring."""
    before = conversations.load_conversation(tx, row.conversation_id)
    data: dict[str, str | int | None] = {"offer_id": row.id, "auto": 1}
    if not records.needs_line(tx, row.call_id):
        _tell_over(tx, row)
    _assign(tx, before, row.agent_id, "offer", Happening.ACCEPTED, conversations.SYSTEM, data)
    # With other work they may have room for more.
    tx.wake("routing")


def _lock_who_is_here(tx: Tx, user_ids: Collection[int]) -> set[int]:
    """Those who are available with a screen, and are so until the commit."""
    here = (_a.user_id.in_(user_ids), _a.connected, _a.state == AgentState.AVAILABLE.value)
    return {row.user_id for row in tx.rows(select(_a.user_id).where(*here).order_by(_a.user_id).with_for_update())}


_OVER = (
    select(_o.id, _o.conversation_id, _o.expires_at, _a.state, _a.connected)
    .join(tables.agent, _a.user_id == _o.agent_id)
    .where(_o.ended_at.is_(None), (_o.expires_at <= bindparam("now")) | (_a.state != AgentState.AVAILABLE.value))
)


def _end_offers_that_are_over(tx: Tx) -> None:
    """Expired: a miss, or a lost device if the agent's screen is gone. Agent no longer available: withdrawn, no miss."""
    rows = tx.rows(_OVER, {"now": tx.now})
    # All at once, in the order of their ids.
    tx.lock_conversations(row.conversation_id for row in rows)
    for row in rows:
        if row.expires_at > tx.now:
            _end_offer(tx, row.id, OfferOutcome.WITHDRAWN)
        elif row.connected:
            _end_offer(tx, row.id, OfferOutcome.NO_ANSWER)
        else:
            _end_offer(tx, row.id, OfferOutcome.DEVICE_LOST)


def _end_offer(tx: Tx, offer_id: int, outcome: OfferOutcome) -> None:
    """Ends a live offer; the agent's room is free at once. A miss counts against the agent's row of misses."""
    conversation_id = tx.scalar(select(_o.conversation_id).where(_o.id == offer_id))
    tx.lock_conversations([conversation_id])
    tx.execute(
        update(tables.offer)
        .where(_o.id == offer_id, _o.ended_at.is_(None))
        .values(ended_at=tx.now, outcome=outcome.value)
    )
    row = tx.first(OFFERS.where(_o.id == offer_id))
    assert row is not None
    tx.emit(OfferEnded(offer_view(row)), {user_topic(row.agent_id), SUPERVISORS})
    if outcome is not OfferOutcome.ACCEPTED or not records.needs_line(tx, row.call_id):
        _tell_over(tx, row)
    if row.call_id is not None:
        records.note_offer_ended(tx, row.call_id, row, outcome)
    if outcome is OfferOutcome.NO_ANSWER:
        limit = int(tx.scalar(select(_q.miss_limit).where(_q.id == row.queue_id)) or 3)
        roster.note_offer_missed(tx, row.agent_id, limit)
    if outcome in (OfferOutcome.NO_ANSWER, OfferOutcome.DECLINED):
        view = conversations.lock_conversation(tx, row.conversation_id)
        happening = Happening.MISSED if outcome is OfferOutcome.NO_ANSWER else Happening.DECLINED
        name = tx.scalar(select(tables.user_account.c.name).where(tables.user_account.c.id == row.agent_id))
        conversations.add_happening(
            tx,
            view,
            happening,
            conversations.SYSTEM,
            {"agent_id": row.agent_id, "agent_name": name, "offer_id": row.id},
        )
        if row.call_id is not None and view.pinned_agent_id == row.agent_id:
            # Passed on to somebody who does not take it: the caller is on the line and cannot wait for them.
            _pin(tx, conversations.load_conversation(tx, view.id), None, conversations.SYSTEM)
    roster.emit_agents(tx, [row.agent_id])
    tx.wake("routing")


def _tell_over(tx: Tx, row: Row[Any]) -> None:
    """An offer is over (a row of OFFERS): a fact for the KPIs, of which there is one. Of an accepted call it is told when its
    line stands or surely does not, since that may make another outcome of it."""
    tx.emit(
        OfferOver(
            offer_id=row.id,
            conversation_id=row.conversation_id,
            agent_id=row.agent_id,
            channel_id=row.channel_id,
            queue_id=row.queue_id,
            offered_at=row.offered_at,
            ended_at=max(row.offered_at, row.ended_at),
            outcome=row.outcome,
            call_id=row.call_id,
            customer_id=row.customer_id,
            topic_id=row.topic_id,
        ),
        {FACTS},
    )


def _tell_accepted(tx: Tx, assignment: Row[Any]) -> None:
    """What became of the offer by which an agent came to a call whose line now stands, or never did."""
    if assignment.how != "offer":
        return
    taken = (OfferOutcome.ACCEPTED.value, OfferOutcome.SETUP_FAILED.value)
    of_theirs = (_o.conversation_id == assignment.conversation_id, _o.agent_id == assignment.agent_id)
    row = tx.first(OFFERS.where(*of_theirs, _o.outcome.in_(taken)).order_by(_o.id.desc()))
    if row is not None:
        _tell_over(tx, row)


def _end_live_offer_of(tx: Tx, conversation_id: int, outcome: OfferOutcome = OfferOutcome.WITHDRAWN) -> None:
    offer_id = tx.scalar(select(_o.id).where(_o.conversation_id == conversation_id, _o.ended_at.is_(None)))
    if offer_id is not None:
        _end_offer(tx, offer_id, outcome)


def _end_what_did_not_connect(tx: Tx, conversation_id: int | None = None) -> None:
    """Accepted, but no line came to stand in time: back at its original age, and not to this agent for a while; no miss.
    `conversation_id`: this one alone."""
    overdue = [row for row in connecting.find_overdue(tx) if conversation_id in (None, row.conversation_id)]
    tx.lock_conversations(row.conversation_id for row in overdue)
    for row in overdue:
        of_theirs = (_o.conversation_id == row.conversation_id, _o.agent_id == row.agent_id)
        accepted = select(func.max(_o.id)).where(*of_theirs, _o.outcome == OfferOutcome.ACCEPTED.value)
        failed = {"outcome": OfferOutcome.SETUP_FAILED.value, "ended_at": tx.now}
        # What was taken by hand was not offered: an offer of before has ended as it did.
        offer_id = tx.scalar(accepted) if row.how == "offer" else None
        if offer_id is not None:
            tx.execute(update(tables.offer).where(_o.id == offer_id).values(**failed))
            told = tx.first(OFFERS.where(_o.id == offer_id))
            assert told is not None
            tx.emit(OfferEnded(offer_view(told)), {user_topic(row.agent_id), SUPERVISORS})
        view = conversations.load_conversation(tx, row.conversation_id)
        _release(tx, view, conversations.SYSTEM, "setup_failed", since=row.queued_since, offer_id=offer_id)


def _bring_back(tx: Tx, conversation_ids: Collection[int]) -> None:
    """Put aside until now, or until the customer wrote."""
    tx.lock_conversations(conversation_ids)
    for conversation_id in conversation_ids:
        view = conversations.load_conversation(tx, conversation_id)
        reason = "customer" if parking.has_customer_written(tx, conversation_id) else "time"
        _unpark(tx, view, conversations.SYSTEM, reason)


def _lose_agents(tx: Tx, user_ids: Collection[int]) -> None:
    for user_id in user_ids:
        _take_away(tx, user_id, OfferOutcome.DEVICE_LOST, "agent_lost")


def _take_away(tx: Tx, user_id: int, outcome: OfferOutcome, reason: str) -> None:
    """An agent goes offline: offers end, live work goes back to its queue at its original age; SMS and mail stay or go
    as the queue says."""
    ringing = tx.rows(select(_o.id, _o.conversation_id).where(_o.agent_id == user_id, _o.ended_at.is_(None)))
    tx.lock_conversations(_find_held_by(tx, [user_id]) | {row.conversation_id for row in ringing})
    for row in ringing:
        _end_offer(tx, row.id, outcome)
    held = tx.rows(
        select(_c.id, _c.callback, _c.call_id, tables.channel.c.kind, _q.release_when_lost)
        .join(tables.channel, tables.channel.c.id == _c.channel_id)
        .join(tables.queue, _q.id == _c.queue_id)
        .where(_c.assignee_id == user_id)
        .order_by(_c.id)
    )
    for row in held:
        if row.call_id is not None and records.end_if_hung_up(tx, row.call_id):
            # Nobody is on the line, and what was wanted is done: it is not work for a colleague.
            resolve(tx, _viewer_for(tx, user_id), row.id)
            continue
        if row.call_id is not None and records.outlasts_absence(tx, row.call_id, reason):
            continue
        # Who was promised a call waits for it, whatever they wrote by.
        if ChannelKind(row.kind) in engine.LIVE_KINDS or row.callback or row.release_when_lost == "all":
            view = conversations.lock_conversation(tx, row.id)
            _release(tx, view, conversations.SYSTEM, reason)
    # A customer with the line open cannot wait for somebody who has gone home; a mail can.
    unpin_from(tx, user_id, engine.LIVE_KINDS)
    roster.change_agent_state(tx, user_id, AgentState.OFFLINE)


# --- assigning and releasing --------------------------------------------------------------------------------------------


def _viewer_for(tx: Tx, user_id: int) -> Viewer:
    """Somebody in whose name the hub does what follows from their leaving."""
    u = tables.user_account.c
    row = tx.first(select(u.id, u.role, u.name, u.language).where(u.id == user_id))
    assert row is not None
    return Viewer(row.id, Role(row.role), row.name, row.language, frozenset())


def _name_of(tx: Tx, user_id: int) -> str:
    return str(tx.scalar(select(tables.user_account.c.name).where(tables.user_account.c.id == user_id)) or "")


def _author(viewer: Viewer) -> Author:
    return Author(AuthorKind.AGENT, viewer.name, viewer.user_id)


def _assign(
    tx: Tx,
    before: ConversationView,
    agent_id: int,
    how: str,
    happening: Happening,
    author: Author,
    data: dict[str, str | int | None] | None = None,
    **values: Any,
) -> ConversationView:
    """Gives the conversation to an agent; the caller holds ROUTING and the conversation's lock, and has ended whatever
    assignment there was."""
    connect_by = None
    if records.needs_line(tx, before.call_id):
        timeout_s = tx.scalar(select(_q.connect_timeout_s).where(_q.id == before.queue_id))
        connect_by = tx.now + timedelta(seconds=int(timeout_s))
    tx.execute(
        insert(tables.assignment).values(
            conversation_id=before.id,
            agent_id=agent_id,
            assigned_at=tx.now,
            how=how,
            weight=_weight_for(tx, agent_id, before.channel_kind),
            connect_by=connect_by,
            connected_at=tx.now if connect_by is None else None,
            queued_since=before.queued_since,
        )
    )
    if before.call_id is not None and connect_by is not None:
        records.bring_in(tx, before.call_id, agent_id, connect_by)
    _, view = conversations.add_happening(
        tx,
        before,
        happening,
        author,
        {"agent_id": agent_id, "agent_name": _name_of(tx, agent_id), **(data or {})},
        assignee_id=agent_id,
        assigned_at=tx.now,
        queued_since=None,
        pinned_agent_id=None,
        parked_until=None,
        **callbacks.take(tx, before),
        **values,
    )
    conversations.emit_hidden(tx, view, before)
    roster.emit_agents(tx, [agent_id])
    if how == "transfer" and author.user_id != agent_id:
        _tell_moved(tx, view, agent_id, author, alerts.GIVEN)
    return view


def _tell_moved(tx: Tx, view: ConversationView, agent_id: int, author: Author, reason: str) -> None:
    """Somebody has work, or has it no more, by another's hand; a rule's is told as the hub's."""
    told: dict[str, str | int | None] = {"customer": view.customer_name, "by": author.name or None}
    alerts.raise_alert(tx, [agent_id], level="notify", reason=reason, conversation_id=view.id, data=told)


def _weight_for(tx: Tx, agent_id: int, kind: ChannelKind) -> int:
    """What a piece of such work costs this agent."""
    own = floor.read_weights(tx.scalar(select(_a.weights).where(_a.user_id == agent_id)))
    return own.get(kind, engine.WEIGHTS[kind])


def _end_assignment(tx: Tx, view: ConversationView, reason: str) -> int | None:
    """Ends the live assignment, if there is one; a fact for the KPIs. Returns whose it was."""
    row = tx.first(select(tables.assignment).where(_as.conversation_id == view.id, _as.ended_at.is_(None)))
    if row is None:
        return None
    tx.execute(update(tables.assignment).where(_as.id == row.id).values(ended_at=tx.now, end_reason=reason))
    # What was never connected was never worked on.
    if row.connect_by is not None and row.connected_at is None:
        _tell_accepted(tx, row)
    else:
        tx.emit(
            SegmentEnded(
                assignment_id=row.id,
                conversation_id=view.id,
                agent_id=row.agent_id,
                channel_id=view.channel_id,
                queue_id=view.queue_id,
                connected_at=row.connected_at or row.assigned_at,
                ended_at=tx.now,
                how=row.how,
                end_reason=reason,
                topic_id=view.topic_id,
                customer_id=view.customer_id,
                call_id=view.call_id or _call_of(tx, view, row),
                put_aside=_turned(tx, row.put_aside) if len(row.put_aside) % 2 else row.put_aside,
            ),
            {FACTS},
        )
    roster.note_work_ended(tx, [row.agent_id])
    tx.wake("routing")
    return int(row.agent_id)


def _given_or_taken(before: ConversationView, author: Author, reason: str) -> str:
    """Whoever holds work gives it away; what a supervisor, a rule or the hub does with it is no transfer of theirs."""
    is_given = author.user_id == before.assignee_id
    return "taken" if reason in ("transferred", "released") and not is_given else reason


def _call_of(tx: Tx, view: ConversationView, assignment: Row[Any]) -> int | None:
    """The call that was all this hold was about: one that is over is the conversation's no longer."""
    if view.channel_kind is not ChannelKind.PHONE:
        return None
    ca, s = tables.call.c, tables.call_segment.c
    found = (
        select(func.max(ca.id))
        .join(tables.call_segment, s.call_id == ca.id)
        .where(
            ca.conversation_id == view.id, s.agent_id == assignment.agent_id, s.connected_at >= assignment.assigned_at
        )
    )
    call_id: int | None = tx.scalar(found)
    return call_id


def _original_age(tx: Tx, view: ConversationView, reason: str) -> datetime:
    """The age at which work goes back. What waits keeps its own, wherever it is sent. Of what was held: since the oldest
    unanswered message; where nobody waits for an answer, live work that was taken from its agent (lost, signed out) has
    waited since they got it, for the customer is there and did nothing; all else begins anew."""
    if view.queued_since is not None:
        return view.queued_since
    if view.unanswered_since is not None:
        return view.unanswered_since
    is_taken = view.channel_kind in engine.LIVE_KINDS and reason not in ("transferred", "released")
    return view.assigned_at if is_taken and view.assigned_at is not None else tx.now


def _release(
    tx: Tx,
    before: ConversationView,
    author: Author,
    reason: str,
    *,
    queue_id: int | None = None,
    note: str | None = None,
    again_at: datetime | None = None,
    since: datetime | None = None,
    offer_id: int | None = None,
) -> ConversationView:
    """Back to a queue, at its original age: `since`, if that is known, else what its messages say. `offer_id`: the offer
    that came to nothing. `again_at`: a customer who did not answer is left alone until then."""
    end_reason = _given_or_taken(before, author, reason)
    agent_id = _end_assignment(tx, before, end_reason)
    happening = _HAPPENING_OF_RELEASE.get(reason, Happening.RELEASED)
    age = since or records.age_of(tx, before.call_id) or _original_age(tx, before, reason)
    place: dict[str, Any] = {"queued_since": age, "parked_until": None}
    place |= callbacks.put_back(tx, before, again_at)
    target = queue_id or before.queue_id
    _, view = conversations.add_happening(
        tx,
        before,
        happening,
        author,
        {
            "reason": reason,
            "agent_id": agent_id,
            "agent_name": _name_of(tx, agent_id) if agent_id else None,
            "queue_id": target,
            "queue_name": tx.scalar(select(_q.name).where(_q.id == target)),
            "note": note,
            **(_told_of_callback(before, again_at) if again_at else {}),
            **({"offer_id": offer_id} if offer_id is not None else {}),
        },
        assignee_id=None,
        assigned_at=None,
        queue_id=target,
        # A supervisor's word about waiting work outlasts its way to the queue that it stands in.
        pinned_agent_id=before.pinned_agent_id if target == before.queue_id else None,
        **place,
    )
    conversations.emit_hidden(tx, view, before)
    if before.call_id is not None:
        told = estimates.place_of(tx, view.id)
        records.back_to_queue(tx, before.call_id, target, told, reason, end_reason, by=author.kind)
        view = conversations.load_conversation(tx, view.id)
    if agent_id is not None:
        roster.emit_agents(tx, [agent_id])
    tx.wake("routing")
    return view


# What a release is told as, if not as one.
_HAPPENING_OF_RELEASE = {
    "transferred": Happening.TRANSFERRED,
    "setup_failed": Happening.SETUP_FAILED,
    "no_answer": Happening.CALLBACK,
}


def _told_of_callback(before: ConversationView, again_at: datetime) -> dict[str, str | int | None]:
    assert before.callback is not None
    return {
        "state": "no_answer",
        "address": before.callback.address,
        "attempts": before.callback.attempts + 1,
        "again_at": again_at.isoformat(),
    }


def _check_holds(viewer: Viewer, view: ConversationView) -> None:
    """Only whoever holds the work, or a supervisor, may pass it on."""
    if view.assignee_id != viewer.user_id and not viewer.may(Permission.ACT_ON_BOARD) and view.assignee_id is not None:
        raise Forbidden("this conversation is assigned to somebody else")


def _check_takes_part(tx: Tx, user_id: int) -> None:
    """Nothing goes to somebody who could not answer it."""
    if not roster.takes_part(tx, user_id):
        raise Forbidden("this person's role takes no part in conversations", code="takes_no_part")


def _access(tx: Tx, viewer: Viewer, conversation_id: int) -> ConversationView:
    """ROUTING, then the conversation's lock; NotFound for whoever may not see it."""
    tx.lock_routing()
    return conversations.access_conversation(tx, viewer, conversation_id, lock=True)


# --- what people do -----------------------------------------------------------------------------------------------------


def accept_offer(tx: Tx, viewer: Viewer, offer_id: int) -> ConversationView:
    """The agent takes the work. Conflict `offer_ended` when it is over; accepting twice answers the same twice."""
    tx.lock_routing()
    row = _own_offer(tx, viewer, offer_id)
    view = conversations.lock_conversation(tx, row.conversation_id)
    if row.outcome == OfferOutcome.ACCEPTED.value and view.assignee_id == viewer.user_id:
        return view
    if row.ended_at is None and row.expires_at <= tx.now:
        # The dispatcher has not come round to it yet, but its time is over.
        raise Conflict("this offer is over", code="offer_ended")
    if row.ended_at is not None:
        raise Conflict("this offer is over", code="offer_ended")
    _end_offer(tx, offer_id, OfferOutcome.ACCEPTED)
    roster.note_offer_answered(tx, viewer.user_id)
    return _assign(tx, view, viewer.user_id, "offer", Happening.ACCEPTED, _author(viewer), {"offer_id": offer_id})


def connected(tx: Tx, agent_id: int, conversation_id: int) -> None:
    """The line between the customer and this agent stands. Twice is the same as once; Conflict `not_held` when the work is
    not theirs any more (its deadline passed, somebody took it)."""
    tx.lock_routing()
    tx.lock_conversations([conversation_id])
    held = (_as.conversation_id == conversation_id, _as.agent_id == agent_id, _as.ended_at.is_(None))
    row = tx.first(select(tables.assignment).where(*held))
    if row is None:
        raise Conflict("this work is not theirs any more", code="not_held")
    if row.connected_at is None:
        tx.execute(update(tables.assignment).where(_as.id == row.id).values(connected_at=tx.now))
        _tell_accepted(tx, row)


def decline_offer(tx: Tx, viewer: Viewer, offer_id: int) -> None:
    """The agent passes; not a miss. Declining twice is the same as once."""
    tx.lock_routing()
    row = _own_offer(tx, viewer, offer_id)
    if row.ended_at is not None:
        if row.outcome == OfferOutcome.DECLINED.value:
            return
        raise Conflict("this offer is over", code="offer_ended")
    _end_offer(tx, offer_id, OfferOutcome.DECLINED)
    roster.note_offer_answered(tx, viewer.user_id)


def _own_offer(tx: Tx, viewer: Viewer, offer_id: int) -> Row[Any]:
    row = tx.first(select(tables.offer).where(_o.id == offer_id, _o.agent_id == viewer.user_id))
    if row is None:
        raise NotFound("there is no such offer")
    return row


def claim(tx: Tx, viewer: Viewer, conversation_id: int, expected_assignee_id: int | None) -> ConversationView:
    """Takes a conversation by hand. The claimer names whom they saw holding it; if that is no longer so, Conflict
    `already_assigned` says who does. Taking from a colleague is a supervisor's right. May exceed one's capacity: it is
    the agent's own choice."""
    before = _access(tx, viewer, conversation_id)
    if before.assignee_id == viewer.user_id:
        return before
    if before.assignee_id != expected_assignee_id:
        if before.assignee_id is None:
            raise Conflict("nobody holds this conversation any more", code="assignment_changed")
        holder = _name_of(tx, before.assignee_id)
        raise Conflict(f"already assigned to {holder}", code="already_assigned", fields={"assignee": holder})
    if before.assignee_id is not None and not viewer.may(Permission.ACT_ON_BOARD):
        raise Forbidden("only a supervisor may take work from a colleague")
    _check_nobody_talks(tx, before, viewer.user_id)
    if before.status is ConversationStatus.RESOLVED:
        return _reopen(tx, viewer, before)
    _end_live_offer_of(tx, before.id)
    previous = _end_assignment(tx, before, "taken")
    before = conversations.load_conversation(tx, before.id)
    view = _assign(tx, before, viewer.user_id, "claim", Happening.CLAIMED, _author(viewer))
    if previous is not None:
        roster.emit_agents(tx, [previous])
        _note_turn(tx, viewer, "taken", view, before=_name_of(tx, previous))
        _tell_moved(tx, view, previous, _author(viewer), alerts.TAKEN)
    return view


def _note_turn(tx: Tx, viewer: Viewer, verb: str, view: ConversationView, **told: str | int | None) -> None:
    """What a supervisor did with work that is not their own."""
    audit.note(tx, viewer, f"conversation.{verb}", "conversation", view.id, {"name": str(view.id), **told})


def transfer(
    tx: Tx, viewer: Viewer, conversation_id: int, *, agent_id: int | None, queue_id: int | None, note: str | None
) -> ConversationView:
    """To an agent (who has it at once) or to a queue (at its original age), with a note if there is one to say."""
    if (agent_id is None) == (queue_id is None):
        raise InvalidInput(
            "name an agent or a queue", fields={"agent_id": Sentence("give exactly one of agent_id and queue_id")}
        )
    before = _access(tx, viewer, conversation_id)
    view = _transfer(tx, viewer, before, agent_id=agent_id, queue_id=queue_id, note=note)
    if before.assignee_id != viewer.user_id and view.version != before.version:
        to = _name_of(tx, agent_id) if agent_id is not None else tx.scalar(select(_q.name).where(_q.id == queue_id))
        _note_turn(tx, viewer, "reassigned", view, before=_holder_name(tx, before), after=str(to))
    return view


def _holder_name(tx: Tx, view: ConversationView) -> str | None:
    return None if view.assignee_id is None else _name_of(tx, view.assignee_id)


def _transfer(
    tx: Tx,
    viewer: Viewer,
    before: ConversationView,
    *,
    agent_id: int | None,
    queue_id: int | None,
    note: str | None,
) -> ConversationView:
    _check_holds(viewer, before)
    if before.status is ConversationStatus.RESOLVED:
        raise Conflict("this conversation is resolved", code="resolved")
    if queue_id is not None:
        if tx.first(select(_q.id).where(_q.id == queue_id)) is None:
            raise InvalidInput("no such queue", fields={"queue_id": Sentence("there is no such queue")})
        if before.assignee_id is None and queue_id == before.queue_id:
            return before  # it waits there already
        _end_live_offer_of(tx, before.id)
        before = conversations.load_conversation(tx, before.id)
        return _release(tx, before, _author(viewer), "transferred", queue_id=queue_id, note=note)
    assert agent_id is not None
    target = roster.load_agent_views(tx, [agent_id])
    if not target:
        raise InvalidInput("no such agent", fields={"agent_id": Sentence("there is no such agent")})
    if before.assignee_id == agent_id:
        return before
    _check_takes_part(tx, agent_id)
    if before.channel_kind in engine.LIVE_KINDS and target[0].state is AgentState.OFFLINE:
        raise Conflict(f"{target[0].name} is offline and the customer is waiting", code="agent_offline")
    if before.call_id is not None:
        # It rings there; whoever is handed a caller must first come to the telephone.
        _check_comes_to_telephone(tx, target[0])
        return direct(tx, before, _author(viewer), agent_id=agent_id, note=note, moves_call=True)
    _end_live_offer_of(tx, before.id)
    previous = _end_assignment(tx, before, _given_or_taken(before, _author(viewer), "transferred"))
    before = conversations.load_conversation(tx, before.id)
    view = _assign(
        tx,
        before,
        agent_id,
        "transfer",
        Happening.TRANSFERRED,
        _author(viewer),
        {"reason": "transferred", "note": note},
    )
    if previous is not None:
        roster.emit_agents(tx, [previous])
        if previous != viewer.user_id:
            _tell_moved(tx, view, previous, _author(viewer), alerts.TAKEN)
    return view


def change_turn(
    tx: Tx,
    viewer: Viewer,
    conversation_id: int,
    *,
    priority: int | None,
    pinned_agent_id: int | None,
    changes_pin: bool,
) -> ConversationView:
    """A supervisor's hand on waiting work: its priority (minutes; None leaves it), and, if `changes_pin`, who shall have it
    (None: whoever may). Work that rings at somebody else is taken back from there. A pin is spent once somebody has the
    work, so work that is held cannot be given one: Conflict `not_waiting`."""
    before = _access(tx, viewer, conversation_id)
    if before.status is ConversationStatus.RESOLVED:
        raise Conflict("this conversation is resolved", code="resolved")
    if priority is not None and priority != before.priority:
        data: dict[str, str | int | None] = {"priority": priority, "before": before.priority}
        _, before = conversations.add_happening(
            tx, before, Happening.PRIORITISED, _author(viewer), data, priority=priority
        )
        tx.wake("routing")
        _note_turn(tx, viewer, "prioritised", before, before=data["before"], after=priority)
    if not changes_pin or pinned_agent_id == before.pinned_agent_id:
        return before
    if pinned_agent_id is None:
        _note_turn(tx, viewer, "pinned", before, after=None)
        return _pin(tx, before, None, _author(viewer))
    if not roster.load_agent_views(tx, [pinned_agent_id]):
        raise InvalidInput("no such agent", fields={"pinned_agent_id": Sentence("there is no such agent")})
    _check_takes_part(tx, pinned_agent_id)
    if before.queued_since is None:
        raise Conflict("somebody holds this conversation; transfer it", code="not_waiting")
    ringing = tx.first(select(_o.id, _o.agent_id).where(_o.conversation_id == before.id, _o.ended_at.is_(None)))
    if ringing is not None and ringing.agent_id != pinned_agent_id:
        _end_offer(tx, ringing.id, OfferOutcome.WITHDRAWN)
    _note_turn(tx, viewer, "pinned", before, after=_name_of(tx, pinned_agent_id))
    return _pin(tx, conversations.load_conversation(tx, before.id), pinned_agent_id, _author(viewer))


def _pin(tx: Tx, before: ConversationView, agent_id: int | None, author: Author) -> ConversationView:
    data: dict[str, str | int | None] = {
        "agent_id": agent_id,
        "agent_name": _name_of(tx, agent_id) if agent_id is not None else None,
    }
    _, view = conversations.add_happening(tx, before, Happening.PINNED, author, data, pinned_agent_id=agent_id)
    tx.wake("routing")
    return view


def unpin_from(tx: Tx, agent_id: int, kinds: Collection[ChannelKind] = tuple(ChannelKind)) -> None:
    """Work of these kinds that was to be this agent's, who is gone, is for whoever may have it."""
    tx.lock_routing()
    waiting = (
        select(_c.id)
        .join(tables.channel, tables.channel.c.id == _c.channel_id)
        .where(_c.queued_since.is_not(None), _c.pinned_agent_id == agent_id, tables.channel.c.kind.in_(sorted(kinds)))
        .order_by(_c.id)
    )
    for row in tx.rows(waiting):
        _pin(tx, conversations.lock_conversation(tx, row.id), None, conversations.SYSTEM)


def release(tx: Tx, viewer: Viewer, conversation_id: int) -> ConversationView:
    """Back to its queue, at its original age."""
    before = _access(tx, viewer, conversation_id)
    _check_holds(viewer, before)
    if before.status is ConversationStatus.RESOLVED:
        raise Conflict("this conversation is resolved", code="resolved")
    if before.assignee_id is None:
        return before
    view = _release(tx, before, _author(viewer), "released")
    if before.assignee_id != viewer.user_id:
        _note_turn(tx, viewer, "released", view, before=_holder_name(tx, before))
    return view


def settle_callback(tx: Tx, viewer: Viewer, conversation_id: int, *, reached: bool) -> ConversationView:
    """Whoever has a callback in hand says what became of the call. Not reached: back to the queue, to its place, and
    offered to nobody for a while; after the last attempt it is given up, and the conversation stays. Conflict
    `no_callback` when nobody is being called (any more)."""
    before = _access(tx, viewer, conversation_id)
    if before.callback is None or before.assignee_id is None:
        raise Conflict("nobody is being called back here", code="no_callback")
    _check_holds(viewer, before)
    author = _author(viewer)
    if reached:
        return callbacks.end(tx, before, CallbackState.REACHED, author)
    again_at = callbacks.next_try(tx, before)
    if again_at is None:
        return callbacks.end(tx, before, CallbackState.GIVEN_UP, author)
    return _release(tx, before, author, "no_answer", again_at=again_at)


def park(tx: Tx, viewer: Viewer, conversation_id: int, until: datetime) -> ConversationView:
    """Puts held work aside until an instant: it stays whose it is and costs them nothing meanwhile. Conflict `not_held`;
    `customer_waits` for a chat or a call; InvalidInput for an instant that is past or too far."""
    parking.check_until(tx.now, until)
    before = _access(tx, viewer, conversation_id)
    parking.check_may_be_parked(before)
    _check_holds(viewer, before)
    if before.parked_until == until:
        return before
    _change_held(tx, before.id, weight=0, is_aside=True)
    data: dict[str, str | int | None] = {"until": until.isoformat(), "agent_id": before.assignee_id}
    _, view = conversations.add_happening(tx, before, Happening.PARKED, _author(viewer), data, parked_until=until)
    roster.emit_agents(tx, _holder(view))
    tx.wake("routing")
    return view


def unpark(tx: Tx, viewer: Viewer, conversation_id: int) -> ConversationView:
    """Back at once; what is not put aside stays as it is."""
    before = _access(tx, viewer, conversation_id)
    if before.parked_until is None or before.assignee_id is None:
        return before
    _check_holds(viewer, before)
    return _unpark(tx, before, _author(viewer), "hand")


def _unpark(tx: Tx, before: ConversationView, author: Author, reason: str) -> ConversationView:
    """`reason`: time, customer or hand. Whoever holds it has it on their hands again, whatever else they hold by now."""
    (holder,) = _holder(before)
    _change_held(tx, before.id, weight=_weight_for(tx, holder, before.channel_kind), is_aside=False)
    data: dict[str, str | int | None] = {"reason": reason, "agent_id": holder, "agent_name": _name_of(tx, holder)}
    _, view = conversations.add_happening(tx, before, Happening.UNPARKED, author, data, parked_until=None)
    # The customer's words tell of themselves, and so does one's own hand.
    if reason != "customer" and author.user_id != holder:
        told: dict[str, str | int | None] = {"customer": view.customer_name, "why": reason}
        alerts.raise_alert(tx, [holder], level="notify", reason="unparked", conversation_id=view.id, data=told)
    roster.emit_agents(tx, [holder])
    tx.wake("routing")
    return view


def _change_held(tx: Tx, conversation_id: int, *, weight: int, is_aside: bool) -> None:
    """What held work costs from now on, and whether it is put aside."""
    held = (_as.conversation_id == conversation_id, _as.ended_at.is_(None))
    turns: tuple[datetime, ...] = tx.scalar(select(_as.put_aside).where(*held)) or ()
    if is_aside != bool(len(turns) % 2):
        turns = _turned(tx, turns)
    tx.execute(update(tables.assignment).where(*held).values(weight=weight, put_aside=turns))


def _turned(tx: Tx, turns: tuple[datetime, ...]) -> tuple[datetime, ...]:
    """A clock that jumped back makes no turn shorter than nothing."""
    return (*turns, max((tx.now, *turns[-1:])))


def _check_nobody_talks(tx: Tx, view: ConversationView, user_id: int) -> None:
    """Conflict `in_call` where somebody talks, or where a caller waits and this person has another on the line."""
    if view.call_id is None:
        return
    if not records.needs_line(tx, view.call_id):
        raise Conflict("a call goes on in this conversation; take it over", code="in_call")
    if records.load_leg_of(tx, user_id) is not None:
        raise Conflict("you are in a call already", code="in_call")


def _check_comes_to_telephone(tx: Tx, agent: AgentView) -> None:
    ca = tables.call.c
    has_call = tx.first(select(ca.id).where(ca.agent_id == agent.user_id, ca.ended_at.is_(None))) is not None
    on_a_line = records.load_leg_of(tx, agent.user_id) is not None
    if agent.state is not AgentState.AVAILABLE or has_call or on_a_line or agent.load >= agent.capacity:
        raise Conflict(f"{agent.name} cannot take a call now", code="agent_busy")


def _holder(view: ConversationView) -> list[int]:
    return [view.assignee_id] if view.assignee_id is not None else []


def resolve(tx: Tx, viewer: Viewer, conversation_id: int) -> ConversationView:
    """The request is done. Resolving twice is the same as once. Conflict `fields_missing` names what to fill in first."""
    before = _access(tx, viewer, conversation_id)
    if before.status is ConversationStatus.RESOLVED:
        return before
    _check_holds(viewer, before)
    custom_fields.check_complete(tx, before)
    if before.call_id is not None:
        records.check_may_resolve(tx, before.call_id)
        records.end_call(tx, records.load_row(tx, before.call_id))
        before = conversations.load_conversation(tx, before.id)
    check_move(CONVERSATION, before.status, ConversationStatus.RESOLVED)
    _end_live_offer_of(tx, before.id)
    before = conversations.load_conversation(tx, before.id)
    agent_id = _end_assignment(tx, before, "resolved")
    entry, view = conversations.add_happening(
        tx,
        before,
        Happening.RESOLVED,
        _author(viewer),
        status=ConversationStatus.RESOLVED.value,
        assignee_id=None,
        assigned_at=None,
        queued_since=None,
        pinned_agent_id=None,
        # Its urgency is over with it: what the customer writes next is weighed anew, by all the skills that it wants.
        priority=0,
        lowered=0,
        unanswered_since=None,
        resolved_at=tx.now,
        **{"parked_until": None} | callbacks.drop(tx, before) | conversations.waited(before, tx.now),
    )
    kept = tx.first(select(_c.arrived_at, _c.waited_s).where(_c.id == view.id))
    assert kept is not None
    tx.emit(
        ConversationResolved(
            entry_id=entry.id,
            conversation_id=view.id,
            agent_id=agent_id if agent_id is not None else viewer.user_id,
            channel_id=view.channel_id,
            queue_id=view.queue_id,
            opened_at=view.created_at,
            resolved_at=tx.now,
            reopened_count=view.reopened_count,
            topic_id=view.topic_id,
            customer_id=view.customer_id,
            arrived_at=kept.arrived_at or view.created_at,
            business_s=business_time.seconds_in_hours(tx, view.queue_id, view.created_at, tx.now),
            handling_s=kept.waited_s,
        ),
        {FACTS},
    )
    planning.plan(tx, view, entry.id)
    conversations.emit_hidden(tx, view, before)
    alerts.end_alerts(tx, view.id)
    if agent_id is not None:
        roster.emit_agents(tx, [agent_id])
    return view


def reopen(tx: Tx, viewer: Viewer, conversation_id: int) -> ConversationView:
    """Opens a resolved conversation again, in the hands of whoever opens it. Conflict `already_open` when the customer has
    another open conversation on the same channel meanwhile."""
    before = _access(tx, viewer, conversation_id)
    if before.status is ConversationStatus.OPEN:
        return before
    return _reopen(tx, viewer, before)


def _reopen(tx: Tx, viewer: Viewer, before: ConversationView) -> ConversationView:
    other = tx.scalar(
        select(_c.id).where(
            _c.contact_point_id == before.contact_point_id,
            _c.channel_id == before.channel_id,
            # By mail there is one for each topic, and a thread is no other's.
            _c.thread == "",
            _c.status == ConversationStatus.OPEN.value,
            _c.id != before.id,
        )
    )
    if other is not None:
        raise Conflict("the customer has a newer open conversation on this channel", code="already_open")
    check_move(CONVERSATION, before.status, ConversationStatus.OPEN)
    view = _assign(
        tx,
        before,
        viewer.user_id,
        "reopen",
        Happening.REOPENED,
        _author(viewer),
        status=ConversationStatus.OPEN.value,
        resolved_at=None,
        reopened_count=before.reopened_count + 1,
        escalated=0,
        arrived_at=tx.now,
    )
    _tell_contact(tx, view, reopened_by="agent")
    return view


def _tell_contact(tx: Tx, view: ConversationView, *, reopened_by: Literal["agent"] | None = None) -> None:
    """One of us has begun something with a customer: a fact for the KPIs."""
    tx.emit(
        ContactBegan(
            conversation_id=view.id,
            episode=view.reopened_count,
            customer_id=view.customer_id,
            channel_id=view.channel_id,
            queue_id=view.queue_id,
            direction=Direction.OUT.value,
            arrived_at=tx.now,
            by_call=view.channel_kind is ChannelKind.PHONE,
            reopened_by=reopened_by,
            topic_id=view.topic_id,
        ),
        {FACTS},
    )


def hold_for_reply(tx: Tx, viewer: Viewer, conversation_id: int) -> ConversationView:
    """Whoever answers what nobody holds, holds it from then on: an unassigned conversation is claimed, a resolved one
    reopened. Work of a colleague stays theirs."""
    view = _access(tx, viewer, conversation_id)
    if view.status is ConversationStatus.RESOLVED:
        return _reopen(tx, viewer, view)
    if view.assignee_id is None:
        return claim(tx, viewer, conversation_id, None)
    return view


def open_conversation(
    tx: Tx, viewer: Viewer, channel_id: str, contact_point_id: int, subject: str | None = None
) -> ConversationView:
    """The hub writes first, or calls. The open conversation of that contact point on that channel, or a new one in the
    channel's queue, held by the viewer; by mail always a new one, about `subject`. Conflict `opted_out`, `calls_refused`,
    `address_removed` if the customer does not want it there; `chat_closed` for a visitor who is in no chat."""
    tx.lock_routing()
    # Whoever's it is, it stays theirs until the commit (timeline.belongings).
    held = tables.contact_point.select().with_for_update(key_share=True, read=True)
    point = tx.first(held.where(tables.contact_point.c.id == contact_point_id))
    nobodys = InvalidInput(
        "no such contact point", fields={"contact_point_id": Sentence("there is no such contact point")}
    )
    if point is None:
        raise nobodys
    try:
        customers.access_customer(tx, viewer, point.customer_id)
    except NotFound:
        raise nobodys from None  # in the same words: ids cannot be probed
    channel = tx.first(select(tables.channel).where(tables.channel.c.id == channel_id, tables.channel.c.enabled))
    if channel is None:
        raise InvalidInput("no such channel", fields={"channel_id": Sentence("there is no such channel")})
    if channel.queue_id not in viewer.queue_ids and not viewer.covers(Role.SUPERVISOR):
        raise Forbidden("you are not in this channel's queue")
    wanted = {"sms": "phone", "phone": "phone"}.get(channel.kind, channel.kind)
    if point.kind != wanted:
        raise InvalidInput(
            "this channel cannot reach that address",
            fields={
                "contact_point_id": Sentence(
                    "a {channel} channel reaches a {wanted} address, not a {kind} one",
                    channel=channel.kind,
                    wanted=wanted,
                    kind=point.kind,
                )
            },
        )
    is_mail = channel.kind == ChannelKind.EMAIL.value
    if subject is not None and not is_mail:
        raise InvalidInput(
            "only a mail has a subject",
            fields={"subject": Sentence("a {channel} channel has none", channel=channel.kind)},
        )
    found = None
    if not is_mail:
        found = tx.scalar(
            select(_c.id).where(
                _c.contact_point_id == contact_point_id,
                _c.channel_id == channel_id,
                _c.status == ConversationStatus.OPEN.value,
            )
        )
    if channel.kind == ChannelKind.PHONE.value:
        consents.check_may_call(tx, contact_point_id)
    else:
        consents.check_may_write(tx, contact_point_id)
    if found is not None:
        return conversations.access_conversation(tx, viewer, int(found))
    if channel.kind == ChannelKind.CHAT.value:
        raise Conflict("the visitor is in no chat now", code="chat_closed")
    conversation_id = tx.insert(
        tables.conversation,
        {
            "customer_id": point.customer_id,
            "contact_point_id": contact_point_id,
            "channel_id": channel_id,
            "queue_id": channel.queue_id,
            "subject": subject,
            "thread": threads.new_thread() if is_mail else "",
            "status": ConversationStatus.OPEN.value,
            # Waits for the assignment two lines below: open work is never nobody's.
            "queued_since": tx.now,
            "created_at": tx.now,
            "last_entry_at": tx.now,
            "arrived_at": tx.now,
        },
    )
    task_rows.keep_sight(tx, [conversation_id], are_new=True)
    before = conversations.load_conversation(tx, conversation_id)
    _tell_contact(tx, before)
    return _assign(tx, before, viewer.user_id, "claim", Happening.CLAIMED, _author(viewer))


def sign_out(tx: Tx, user_id: int) -> None:
    """The agent leaves: offline at once, without a grace period; ringing and live work goes back to the queue."""
    tx.lock_routing()
    state = tx.scalar(select(_a.state).where(_a.user_id == user_id))
    if state is not None and state != AgentState.OFFLINE.value:
        _take_away(tx, user_id, OfferOutcome.WITHDRAWN, "signed_out")


def take_all(tx: Tx, actor: Viewer | None, user_id: int) -> None:
    """The agent goes offline and holds nothing any more: all their work goes back, SMS and mail too, as nobody will come back
    for it. `actor` (None: the person) is who the timelines tell of."""
    sign_out(tx, user_id)
    unpin_from(tx, user_id)
    held = select(_c.id).where(_c.assignee_id == user_id).order_by(_c.id)
    # It follows from a change of the person, whatever the actor may do with work.
    releaser = replace(actor or _viewer_for(tx, user_id), role=Role.ADMIN, granted=None)
    for conversation_id in tx.execute(held).scalars().all():
        release(tx, releaser, conversation_id)


def set_state_of(tx: Tx, viewer: Viewer, user_id: int, state: AgentState, reason: str | None) -> AgentView:
    """A supervisor changes somebody's state; `offline` takes ringing and live work back to the queue. Forbidden
    `takes_no_part` to make somebody available whose role answers nobody."""
    if state is AgentState.AVAILABLE:
        _check_takes_part(tx, user_id)
    before = tx.scalar(select(_a.state).where(_a.user_id == user_id))
    if state is AgentState.OFFLINE:
        sign_out(tx, user_id)
        found = roster.load_agent_views(tx, [user_id])
        if not found:
            raise NotFound("there is no such agent")
        view = found[0]
    else:
        view = roster.change_agent_state(tx, user_id, state, reason)
    told: dict[str, audit.JSON] = {"name": view.name, "changes": {"state": [before, state.value]}}
    audit.note(tx, viewer, "user.state_changed", "user", user_id, told)
    return view


# --- conversations that become one, and two ---------------------------------------------------------------------------------
# What of their rows changes hands is said by timeline.joining and timeline.splitting, which hold ROUTING and all locks.


def end_as_part(tx: Tx, before: ConversationView) -> ConversationView:
    """It is about to become a part of another (`close_as_part`): nothing rings for it any more, and nobody has it."""
    _end_live_offer_of(tx, before.id)
    agent_id = _end_assignment(tx, before, "merged")
    if agent_id is None:
        return conversations.load_conversation(tx, before.id)
    roster.emit_agents(tx, [agent_id])
    values: dict[str, Any] = {"assignee_id": None, "assigned_at": None}
    # Straight to its end, so that no stay in a queue is made of it.
    return conversations.change(
        tx, before.id, **values, status=ConversationStatus.RESOLVED.value, queued_since=None, resolved_at=tx.now
    )


def close_as_part(tx: Tx, viewer: Viewer, before: ConversationView, into_id: int) -> ConversationView:
    """It is a part of another from now on: no work, and no resolution of anything either."""
    _, view = conversations.add_happening(
        tx,
        before,
        Happening.MERGED,
        _author(viewer),
        {"into_id": into_id},
        status=ConversationStatus.RESOLVED.value,
        assignee_id=None,
        assigned_at=None,
        queued_since=None,
        pinned_agent_id=None,
        parked_until=None,
        priority=0,
        lowered=0,
        unanswered_since=None,
        resolved_at=before.resolved_at or tx.now,
        merged_into=into_id,
    )
    alerts.end_alerts(tx, view.id)
    return view


def open_apart(
    tx: Tx, viewer: Viewer, before: ConversationView, into_id: int, holder_id: int | None, **values: Any
) -> ConversationView:
    """It is its own again, and open: in the hands of `holder_id` where that is somebody who may have it now, else it waits
    (`queued_since` of `values`)."""
    data: dict[str, str | int | None] = {"from_id": into_id}
    values |= {"status": ConversationStatus.OPEN.value, "resolved_at": None}
    queued_since = values.pop("queued_since") or tx.now
    found = roster.load_agent_views(tx, [holder_id]) if holder_id is not None else []
    is_here = bool(found) and (found[0].state is not AgentState.OFFLINE or before.channel_kind not in engine.LIVE_KINDS)
    if holder_id is not None and is_here and roster.takes_part(tx, holder_id):
        # Spent; and what they had put aside is before them again.
        values.pop("pinned_agent_id", None)
        return _assign(tx, before, holder_id, "claim", Happening.UNMERGED, _author(viewer), data, **values)
    _, view = conversations.add_happening(
        tx, before, Happening.UNMERGED, _author(viewer), data, queued_since=queued_since, **values
    )
    tx.wake("routing")
    return view


def begin_apart(
    tx: Tx, viewer: Viewer, values: dict[str, Any], *, is_open: bool, holds: bool, data: dict[str, str | int | None]
) -> ConversationView:
    """A conversation of its own for what was a part of another: work that the viewer has (`holds`) or that waits, which is a
    contact of its customer's from now on; or, where it is not `is_open`, a matter that is over. Forbidden `takes_no_part` for
    a viewer who could not answer it."""
    if is_open and holds:
        _check_takes_part(tx, viewer.user_id)
    conversation_id = tx.insert(tables.conversation, values)
    task_rows.keep_sight(tx, [conversation_id], are_new=True)
    before = conversations.load_conversation(tx, conversation_id)
    author = _author(viewer)
    if not is_open:
        _, view = conversations.add_happening(
            tx, before, Happening.SPLIT_OFF, author, data, last_entry_at=values["last_entry_at"]
        )
        return view
    _, view = conversations.add_happening(tx, before, Happening.SPLIT_OFF, author, data)
    tell_contact(tx, view)
    if holds:
        return _assign(tx, view, viewer.user_id, "claim", Happening.CLAIMED, author)
    visits.begin(tx, view.id)
    conversations.keep_clocks(tx, [view.id])
    tx.wake("routing")
    return view


def tell_contact(tx: Tx, view: ConversationView, *, reopened_by: Literal["customer"] | None = None) -> None:
    """The customer's request has begun, as is found only now: a fact for the KPIs."""
    tx.emit(
        ContactBegan(
            conversation_id=view.id,
            episode=view.reopened_count,
            customer_id=view.customer_id,
            channel_id=view.channel_id,
            queue_id=view.queue_id,
            direction=Direction.IN.value,
            arrived_at=tx.now,
            by_call=False,
            reopened_by=reopened_by,
            topic_id=view.topic_id,
        ),
        {FACTS},
    )


def check_may_have(viewer: Viewer, view: ConversationView) -> None:
    """Forbidden for what a colleague holds, but for supervisors."""
    _check_holds(viewer, view)


# --- what a topic or an escalation does with work -------------------------------------------------------------------------


def direct(
    tx: Tx,
    before: ConversationView,
    author: Author,
    *,
    queue_id: int | None = None,
    agent_id: int | None = None,
    note: str | None = None,
    moves_call: bool = False,
) -> ConversationView:
    """Passes open work on, whoever holds it or is rung at: to a queue, at its original age, and there to an agent by a
    pin. Work that is there already stays, and so does what that very agent holds; and so does a customer who talks with
    somebody, unless `moves_call`. The caller holds ROUTING and the conversation's lock."""
    if agent_id is not None and before.assignee_id == agent_id:
        return before
    if before.call_id is not None and before.assignee_id is not None and not moves_call:
        return before
    is_elsewhere = queue_id is not None and queue_id != before.queue_id
    is_held_by_another = before.assignee_id is not None and agent_id is not None
    view = before
    if is_elsewhere or is_held_by_another:
        _end_live_offer_of(tx, view.id)
        view = conversations.load_conversation(tx, view.id)
        view = _release(tx, view, author, "transferred", queue_id=queue_id, note=note)
    if agent_id is None or view.queued_since is None or view.pinned_agent_id == agent_id:
        return view
    ringing = tx.first(select(_o.id, _o.agent_id).where(_o.conversation_id == view.id, _o.ended_at.is_(None)))
    if ringing is not None and ringing.agent_id != agent_id:
        _end_offer(tx, ringing.id, OfferOutcome.WITHDRAWN)
        view = conversations.load_conversation(tx, view.id)
    return _pin(tx, view, agent_id, author)


def give(tx: Tx, before: ConversationView, author: Author, agent_id: int) -> ConversationView:
    """Gives open work to an agent at once, whoever holds it or is rung at. The caller holds ROUTING and the conversation's
    lock, and has looked whether the agent may have it."""
    if before.assignee_id == agent_id or (before.call_id is not None and before.assignee_id is not None):
        return before
    _end_live_offer_of(tx, before.id)
    previous = _end_assignment(tx, before, _given_or_taken(before, author, "transferred"))
    view = _assign(
        tx,
        conversations.load_conversation(tx, before.id),
        agent_id,
        "transfer",
        Happening.TRANSFERRED,
        author,
        {"reason": "transferred", "note": None},
    )
    if previous is not None:
        roster.emit_agents(tx, [previous])
    return view


# --- what a call does with work -------------------------------------------------------------------------------------------
# The customer is on the line, so all of it is done by the conductor (calls.conductor) as the line tells it. Each expects
# that the caller holds ROUTING and the conversation's lock.


def enqueue_call(tx: Tx, before: ConversationView, queue_id: int, since: datetime, **values: Any) -> ConversationView:
    """The caller waits in this queue from now on, whoever held the conversation; `since`: their age there, unless they
    were to be called back anyway: then their place is that. Nobody needs to call back who has come by themselves."""
    if before.callback is not None and before.queued_since is not None:
        since = min(since, before.queued_since)
    if before.assignee_id is not None:
        _end_assignment(tx, before, "customer_called")
        roster.emit_agents(tx, [before.assignee_id])
    _, view = conversations.add_happening(
        tx,
        before,
        Happening.QUEUED,
        conversations.SYSTEM,
        {"queue_id": queue_id, "queue_name": tx.scalar(select(_q.name).where(_q.id == queue_id))},
        **{
            "status": ConversationStatus.OPEN.value,
            "resolved_at": None,
            "assignee_id": None,
            "assigned_at": None,
            "queue_id": queue_id,
            "queued_since": since,
            "parked_until": None,
            **callbacks.drop(tx, before),
            **values,
        },
    )
    conversations.emit_hidden(tx, view, before)
    tx.wake("routing", "places", "estimates")
    return view


def end_waiting(tx: Tx, before: ConversationView) -> ConversationView:
    """Whoever called has gone before anybody talked with them: nothing rings for them any more, and nobody holds their
    conversation. It stays open and waits, for the conductor to say what becomes of it."""
    _end_live_offer_of(tx, before.id, OfferOutcome.CUSTOMER_LEFT)
    view = conversations.load_conversation(tx, before.id)
    if view.assignee_id is None:
        return view
    since = tx.scalar(select(_as.queued_since).where(_as.conversation_id == view.id, _as.ended_at.is_(None)))
    agent_id = _end_assignment(tx, view, "customer_left")
    after = conversations.change(tx, view.id, assignee_id=None, assigned_at=None, queued_since=since or tx.now)
    conversations.emit_conversation(tx, after, view)
    if agent_id is not None:
        roster.emit_agents(tx, [agent_id])
    return after


def close_by_itself(tx: Tx, before: ConversationView, reason: str) -> ConversationView:
    """Nothing is left to be done, and nobody solved anything: no fact of a resolution."""
    if before.status is ConversationStatus.RESOLVED:
        return before
    _end_live_offer_of(tx, before.id, OfferOutcome.CUSTOMER_LEFT)
    before = conversations.load_conversation(tx, before.id)
    agent_id = _end_assignment(tx, before, "resolved")
    _, view = conversations.add_happening(
        tx,
        before,
        Happening.RESOLVED,
        conversations.SYSTEM,
        {"reason": reason},
        status=ConversationStatus.RESOLVED.value,
        assignee_id=None,
        assigned_at=None,
        queued_since=None,
        pinned_agent_id=None,
        priority=0,
        lowered=0,
        unanswered_since=None,
        resolved_at=tx.now,
        **{"parked_until": None} | callbacks.drop(tx, before) | conversations.waited(before, tx.now),
    )
    conversations.emit_hidden(tx, view, before)
    alerts.end_alerts(tx, view.id)
    if agent_id is not None:
        roster.emit_agents(tx, [agent_id])
    return view


def fail_setup(tx: Tx, view: ConversationView, agent_id: int) -> ConversationView:
    """The agent's line surely does not come to stand: what the deadline would do, at once."""
    held = (_as.conversation_id == view.id, _as.agent_id == agent_id, _as.ended_at.is_(None))
    tx.execute(update(tables.assignment).where(*held, _as.connected_at.is_(None)).values(connect_by=tx.now))
    _end_what_did_not_connect(tx, view.id)
    return conversations.load_conversation(tx, view.id)


def hand_over(
    tx: Tx, before: ConversationView, agent_id: int, author: Author, happening: Happening
) -> ConversationView:
    """A talk goes on with another agent, who is on the line already: passed on to them, or taken over by them."""
    previous = _end_assignment(tx, before, "taken" if happening is Happening.CLAIMED else "transferred")
    data: dict[str, str | int | None] = {"reason": "transferred", "note": None}
    view = _assign(
        tx,
        conversations.load_conversation(tx, before.id),
        agent_id,
        "transfer",
        happening,
        author,
        data,
    )
    if previous is not None:
        roster.emit_agents(tx, [previous])
    return view


def take_up(tx: Tx, view: ConversationView) -> ConversationView:
    """Whoever holds the conversation calls its customer: it is on their hands again, and costs them what a call costs."""
    if view.assignee_id is None:
        return view
    if view.parked_until is not None:
        view = _unpark(tx, view, conversations.SYSTEM, "hand")
    weight = _weight_for(tx, view.assignee_id, ChannelKind.PHONE) if view.assignee_id is not None else 0
    live = (_as.conversation_id == view.id, _as.ended_at.is_(None))
    tx.execute(update(tables.assignment).where(*live).values(weight=weight))
    if view.assignee_id is not None:
        roster.emit_agents(tx, [view.assignee_id])
    return view


def lose_call(tx: Tx, view: ConversationView) -> ConversationView:
    """The agent's line broke and did not come back: the customer waits again, at their old age."""
    return _release(tx, view, conversations.SYSTEM, "agent_lost")


def keep_open(tx: Tx, view: ConversationView) -> None:
    """The call is over and its conversation is not: it costs its agent what a message costs."""
    if view.assignee_id is None:
        return
    # The call's handling is over: how long a conversation stays open afterwards says nothing of how long calls take.
    _end_assignment(tx, view, "call_over")
    tx.execute(
        insert(tables.assignment).values(
            conversation_id=view.id,
            agent_id=view.assignee_id,
            assigned_at=tx.now,
            how="claim",
            weight=_weight_for(tx, view.assignee_id, ChannelKind.SMS),
            connected_at=tx.now,
        )
    )
    roster.emit_agents(tx, [view.assignee_id])


# --- the loop -----------------------------------------------------------------------------------------------------------


class Dispatcher:
    """Makes a round at each wake and at each deadline, for as long as the process lives."""

    def __init__(self, database: Database, wakes: Wakes, *, presence_grace_s: float) -> None:
        self._database = database
        self._wakes = wakes
        self._presence_grace_s = presence_grace_s

    async def run(self) -> None:
        up_since = self._database.clock()
        count_due = monotonic()
        known = floor.Known()
        while True:
            try:
                deadline = await self._database.transaction(dispatch, self._presence_grace_s, up_since, known)
                has_counted = monotonic() >= count_due
                if has_counted:
                    # Counting takes its time, and mostly finds what was found before: the lock is taken only to tell.
                    if await self._database.read(_has_other_unservable):
                        await self._database.transaction(count_unservable)
                    count_due = monotonic() + _COUNT_EVERY_S
            except DatabaseAway:
                # What was read may have been taken back with the rest.
                known = floor.Known()
                await asyncio.sleep(_RETRY_S)
                continue
            wait_s = _LOOK_EVERY_S
            if deadline is not None:
                wait_s = min(max((deadline - self._database.clock()).total_seconds(), 0.005), _LOOK_EVERY_S)
            if not has_counted:
                wait_s = min(wait_s, max(count_due - monotonic(), 0.0))
            await self._wakes.wait("routing", wait_s)
