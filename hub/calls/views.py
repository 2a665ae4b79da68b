"""Calls as screens see them: rows of `call`, `leg`, `call_segment` and `recording` read together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, select

from hub.domain.calls import CallEnd, LegEnd, Party, Presence, Recording
from hub.domain.states import CallState, LegState
from hub.domain.values import Role
from hub.domain.views import CallSegmentView, CallView, LegView, RecordingView
from hub.errors import NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline.participants import takes_part

_ca, _l, _s, _r = tables.call.c, tables.leg.c, tables.call_segment.c, tables.recording.c
_u = tables.user_account.c

CALLS = select(
    tables.call,
    tables.customer.c.name.label("customer_name"),
    tables.customer.c.erased_at.label("customer_erased_at"),
).join(tables.customer, tables.customer.c.id == _ca.customer_id)


def load_call(tx: Tx, call_id: int) -> CallView:
    """NotFound if there is none."""
    found = load_calls(tx, [call_id])
    if not found:
        raise NotFound("there is no such call")
    return found[call_id]


def load_calls(tx: Tx, ids: Collection[int]) -> dict[int, CallView]:
    """By id, whatever their number, in four queries."""
    if not ids:
        return {}
    legs = _by_call(
        tx, select(tables.leg, _u.name.label("user_name")).outerjoin(tables.user_account, _u.id == _l.user_id), _l, ids
    )
    segments = _by_call(
        tx,
        select(tables.call_segment, _u.name.label("agent_name")).join(tables.user_account, _u.id == _s.agent_id),
        _s,
        ids,
    )
    recordings = _by_call(tx, select(tables.recording), _r, ids)
    return {
        row.id: _call_view(row, legs[row.id], segments[row.id], recordings[row.id])
        for row in tx.rows(CALLS.where(_ca.id.in_(ids)))
    }


def load_live_calls(tx: Tx, role: Role, user_id: int, queue_ids: Collection[int]) -> list[CallView]:
    """Those that go on (wrap-up included), as far as somebody may see them: of their queues, of what they hold, and
    those they take part in. By id."""
    query = select(_ca.id).where(_ca.ended_at.is_(None)).order_by(_ca.id)
    if not role.covers(Role.SUPERVISOR):
        c = tables.conversation.c
        mine = select(_l.call_id).where(_l.user_id == user_id, _l.ended_at.is_(None))
        query = query.join(tables.conversation, c.id == _ca.conversation_id).where(
            c.queue_id.in_(queue_ids) | (c.assignee_id == user_id) | takes_part(user_id) | _ca.id.in_(mine)
        )
    return [view for _, view in sorted(load_calls(tx, [row.id for row in tx.rows(query)]).items())]


def _by_call(tx: Tx, query: Any, columns: Any, ids: Collection[int]) -> defaultdict[int, list[Row[Any]]]:
    found: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for row in tx.rows(query.where(columns.call_id.in_(ids)).order_by(columns.id)):
        found[row.call_id].append(row)
    return found


def _call_view(row: Row[Any], legs: list[Row[Any]], segments: list[Row[Any]], recordings: list[Row[Any]]) -> CallView:
    return CallView(
        id=row.id,
        conversation_id=row.conversation_id,
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        channel_id=row.channel_id,
        direction=row.direction,
        state=CallState(row.state),
        state_since=row.state_since,
        queue_id=row.queue_id,
        agent_id=row.agent_id,
        address=row.address,
        line=row.line,
        language=row.language,
        chosen=tuple((row.flow or {}).get("chosen", ())),
        recording=Recording(row.recording),
        started_at=row.started_at,
        queued_at=row.queued_at,
        answered_at=row.answered_at,
        hung_up_at=row.hung_up_at,
        ended_at=row.ended_at,
        end_reason=CallEnd(row.end_reason) if row.end_reason else None,
        due_at=row.due_at,
        legs=tuple(_leg_view(leg, row.customer_name) for leg in legs),
        segments=tuple(_segment_view(segment) for segment in segments),
        recordings=tuple(recording_view(recording) for recording in recordings),
        version=row.version,
        customer_is_erased=row.customer_erased_at is not None,
    )


def _leg_view(row: Row[Any], customer_name: str) -> LegView:
    party = Party(row.party)
    return LegView(
        id=row.id,
        party=party,
        user_id=row.user_id,
        name=customer_name if party is Party.CUSTOMER else row.user_name or row.address,
        address=row.address,
        state=LegState(row.state),
        presence=Presence(row.presence),
        muted=row.muted,
        created_at=row.created_at,
        connected_at=row.connected_at,
        ended_at=row.ended_at,
        end_reason=LegEnd(row.end_reason) if row.end_reason else None,
        due_at=row.due_at,
    )


def _segment_view(row: Row[Any]) -> CallSegmentView:
    return CallSegmentView(
        id=row.id,
        agent_id=row.agent_id,
        agent_name=row.agent_name,
        how=row.how,
        connected_at=row.connected_at,
        talk_s=row.talk_s,
        hold_s=row.hold_s,
        wrap_up_s=row.wrap_up_s,
        stretch=row.stretch,
        stretch_since=row.stretch_since,
        ended_at=row.ended_at,
        disposition=row.disposition,
        note=row.note,
    )


def recording_view(row: Row[Any]) -> RecordingView:
    return RecordingView(
        id=row.id,
        kind=row.kind,
        state=row.state,
        reason=row.reason,
        duration_s=row.duration_s,
        channels=row.channels,
        started_at=row.started_at,
        url=f"/api/v1/recordings/{row.id}/content",
    )
