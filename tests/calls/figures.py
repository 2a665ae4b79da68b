"""Figures of calls counted a second time, from the rows of calls themselves and not from facts: whatever was scripted, the
board must say the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Row, select

from hub.domain.views import NumbersView, QueueNumbersView
from hub.kpi.board import load_agent_numbers, load_numbers_of, load_numbers_of_queues, load_queue_numbers
from hub.kpi.facts import begin_rebuild, project
from hub.store import tables
from hub.store.database import Database, Tx
from tests.support.live import check_live

Figures = dict[str, Any]

_c = tables.conversation.c


async def check_figures(database: Database) -> None:
    """Projects what has happened; then live figures, rebuilt ones and those counted here are the same. At one moment, also
    while the hub goes on."""
    await database.transaction(_check)


def _check(tx: Tx) -> None:
    while project(tx):
        pass
    check_live(tx)
    live, wanted = load_board(tx), count(tx)
    begin_rebuild(tx)
    while project(tx):
        pass
    assert load_board(tx) == live
    # Cells keep whole milliseconds.
    assert _flat(live) == pytest.approx(_flat(wanted), abs=0.01)
    check_visits(tx)
    check_offers(tx)
    check_spells(tx)


def _flat(board: dict[str, dict[int, Figures]]) -> Figures:
    """Each figure by a name of its own."""
    return {
        f"{noun} {of} {name}": figure
        for noun, figures in board.items()
        for of, its in figures.items()
        for name, figure in its.items()
    }


def load_board(tx: Tx) -> dict[str, dict[int, Figures]]:
    """Of everybody and every queue; and a snapshot tells of all who are not at zero."""
    users = [row.id for row in tx.rows(select(tables.user_account.c.id))]
    queues = [row.id for row in tx.rows(select(tables.queue.c.id))]
    agents = {of: _of_agent(view) for of, view in load_numbers_of(tx, users, tx.now).items()}
    by_queue = {of: _of_queue(view) for of, view in load_numbers_of_queues(tx, queues, tx.now).items()}
    told = {view.user_id: _of_agent(view) for view in load_agent_numbers(tx)}
    assert told == {of: agents[of] for of in told}
    assert all(not any(agents[of].values()) for of in agents.keys() - told.keys())
    told_queues = {view.queue_id: _of_queue(view) for view in load_queue_numbers(tx, None)}
    assert told_queues == {of: by_queue[of] for of in told_queues}
    assert all(not any(by_queue[of].values()) for of in by_queue.keys() - told_queues.keys())
    return {"agents": agents, "queues": by_queue}


def _of_agent(view: NumbersView) -> Figures:
    names = ("calls_in", "calls_out", "calls_missed", "talk_s", "hold_s", "wrap_up_s", "aht_s")
    return {name: getattr(view, name) for name in names}


def _of_queue(view: QueueNumbersView) -> Figures:
    """Of calls alone: what is counted here a second time."""
    counts = ("calls_offered", "calls_answered", "calls_abandoned", "calls_short_abandoned", "calls_missed")
    return {name: getattr(view, name) for name in (*counts, "wait_mean_s", "talk_s", "hold_s", "wrap_up_s", "aht_s")}


def count(tx: Tx) -> dict[str, dict[int, Figures]]:
    """What the rows of calls, segments and offers say, by the words of docs/kpi.md."""
    zone = ZoneInfo(tx.scalar(select(tables.organisation.c.time_zone)) or "UTC")
    today = tx.now.astimezone(zone).date()

    def is_today(at: datetime | None) -> bool:
        return at is not None and at.astimezone(zone).date() == today

    calls = {row.id: row for row in tx.rows(select(tables.call))}
    parts = [row for row in tx.rows(select(tables.call_segment)) if is_today(row.ended_at)]
    rang_out = tx.rows(select(tables.offer).where(tables.offer.c.outcome.in_(["no_answer", "device_lost"])))
    missed = [offer for offer in rang_out if is_today(offer.ended_at) and _rang_of_a_call(offer, calls.values())]
    users = [row.id for row in tx.rows(select(tables.user_account.c.id))]
    queues = [row.id for row in tx.rows(select(tables.queue.c.id))]

    directions = Counter((part.agent_id, calls[part.call_id].direction) for part in parts)
    missed_by, missed_in = Counter(o.agent_id for o in missed), Counter(o.queue_id for o in missed)
    agents = {
        of: {
            "calls_in": directions[of, "in"],
            "calls_out": directions[of, "out"],
            "calls_missed": missed_by[of],
            **_handling(part for part in parts if part.agent_id == of),
        }
        for of in users
    }
    waited: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for call in calls.values():
        if call.direction == "in" and call.queued_at is not None and is_today(call.hung_up_at):
            waited[call.queue_id].append(call)
    by_queue = {}
    for of in queues:
        left = [call for call in waited[of] if call.end_reason == "abandoned"]
        short = [call for call in left if call.hung_up_at - call.queued_at < timedelta(seconds=5)]
        answered = [call for call in waited[of] if call.answered_at is not None and call not in left]
        waits_s = [(call.answered_at - call.queued_at).total_seconds() for call in answered]
        by_queue[of] = {
            "calls_offered": len(waited[of]),
            "calls_answered": len(answered),
            "calls_abandoned": len(left) - len(short),
            "calls_short_abandoned": len(short),
            "calls_missed": missed_in[of],
            "wait_mean_s": fmean(waits_s) if waits_s else None,
            **_handling(part for part in parts if part.queue_id == of),
        }
    return {"agents": agents, "queues": by_queue}


def check_visits(tx: Tx) -> None:
    """Every caller who came to a queue stayed there at least once, one stay after the other, and left it for a reason that
    agrees with what became of the call."""
    of_calls: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    v, s = tables.fact_queue_visit.c, tables.call_segment.c
    for visit in tx.rows(select(tables.fact_queue_visit).where(v.call_id.is_not(None)).order_by(v.visit)):
        of_calls[visit.call_id].append(visit)
    of_phones = select(_c.id).join(tables.channel).where(tables.channel.c.kind == "phone", _c.visit_since.is_not(None))
    still_there = set()
    for call in tx.rows(select(tables.call).where(tables.call.c.direction == "in")):
        visits = of_calls[call.id]
        waits = call.state in ("queued", "offered", "connecting") and call.hung_up_at is None
        still_there |= {call.conversation_id} if waits else set()
        assert (call.queued_at is not None) == bool(waits or visits), call
        assert all(first.removed_at <= then.queued_at for first, then in pairwise(visits)), visits
        connected = tx.rows(select(s.agent_id, s.connected_at).where(s.call_id == call.id, s.how == "answered"))
        answered = [(visit.agent_id, visit.removed_at) for visit in visits if visit.reason == "answered"]
        assert [tuple(row) for row in connected] == answered[: len(connected)], call
        if visits and not waits:
            assert visits[-1].reason in _AGREE[call.end_reason], call
    assert {row.id for row in tx.rows(of_phones)} == still_there


# Why the last stay of a call ended, by how the call did. Who waited too long may leave, or be called back, from the menu.
_AGREE = {
    None: ("answered", "overflow"),
    "completed": ("answered",),
    "abandoned": ("abandoned", "overflow"),
    "callback": ("callback", "overflow"),
    "voicemail": ("overflow",),
    "no_message": ("overflow",),
    "informed": ("overflow",),
    "forwarded": ("answered", "overflow"),
    "left_menu": ("overflow",),
    "cancelled": ("withdrawn",),
    "failed": ("system_drop", "answered"),
}


def check_offers(tx: Tx) -> None:
    """Each offer that is over was told once, as it stands; but not yet of a call whose line is being set up."""
    o, a = tables.offer.c, tables.assignment.c
    connecting = select(a.id).where(
        a.conversation_id == o.conversation_id,
        a.agent_id == o.agent_id,
        a.assigned_at >= o.ended_at,
        a.ended_at.is_(None),
        a.connect_by.is_not(None),
        a.connected_at.is_(None),
    )
    over = select(o.id, o.agent_id, o.queue_id, o.ended_at, o.outcome)
    is_being_set_up = (o.outcome == "accepted") & connecting.exists()
    wanted = [tuple(row) for row in tx.rows(over.where(o.ended_at.is_not(None), ~is_being_set_up).order_by(o.id))]
    f = tables.fact_offer.c
    found = tx.rows(select(f.offer_id, f.agent_id, f.queue_id, f.ended_at, f.outcome).order_by(f.offer_id))
    assert [tuple(row) for row in found] == wanted


def check_spells(tx: Tx) -> None:
    """One stretch of an agent's time after the other, without a gap, up to the one that goes on."""
    stretches: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    spells = tables.fact_agent_state
    for stretch in tx.rows(select(spells).order_by(spells.c.agent_id, spells.c.since)):
        stretches[stretch.agent_id].append(stretch)
    for agent in tx.rows(select(tables.agent)):
        own = stretches[agent.user_id]
        assert all(stretch.since < stretch.until for stretch in own)
        assert [stretch.until for stretch in own] == [stretch.since for stretch in own[1:]] + [
            agent.spell_since
        ] * bool(own)
        assert agent.spell_since is None or agent.spell_state == agent.state


def _rang_of_a_call(offer: Row[Any], calls: Iterable[Row[Any]]) -> bool:
    return any(
        call.conversation_id == offer.conversation_id
        and call.started_at <= offer.offered_at
        and (call.hung_up_at is None or offer.ended_at <= call.hung_up_at)
        for call in calls
    )


def _handling(parts: Iterable[Row[Any]]) -> Figures:
    own = list(parts)
    sums = {name: float(sum(getattr(part, name) for part in own)) for name in ("talk_s", "hold_s", "wrap_up_s")}
    return {**sums, "aht_s": sum(sums.values()) / len(own) if own else None}
