"""Which visitors of chats have a window open, in every process, and since when the others are gone.

    a window opens     → visitor_window: this visitor, on this channel, in this process (once, however many tabs)
    the last one shuts → after the grace period (web.visitor_windows) that row goes; if no other process has one, the visitor
                         is away from the moment it shut: visitor_away, and their open conversations tell so
    they come back     → visitor_away goes, and the conversations tell that

Nothing is written while somebody just stays. A process says every few seconds that it lives (agents.presence); what one that
died has noted is cleared away by any other, or by its successor: its visitors are away since it was last heard of, unless
they have come back meanwhile.

What changes is told by a new version of the conversation, and nothing else about it is touched: no line is added, it keeps
its place in every list, its turn in the queue, its clocks and its figures. Who never was seen (a conversation that a program
began) counts as here: nobody knows better.

Lock order: VISITORS → conversation → the two tables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, insert, select, update

from hub.agents import presence
from hub.routing import offers
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations

# Contact point and channel: a visitor may chat with two of our sites, and be there in one of them.
Visitor = tuple[int, str]

# Of a process that died: so many visitors are seen to in one unit of work, and nobody waits long for it.
_STEP = 500

_w, _a, _p = tables.visitor_window.c, tables.visitor_away.c, tables.process.c
_c, _cp, _cu = tables.conversation.c, tables.contact_point.c, tables.customer.c

_WINDOWS = select(_w.contact_point_id, _w.channel_id)
_AWAY = select(_a.contact_point_id, _a.channel_id)


def silence(grace_s: float) -> timedelta:
    """A process that was not heard of for so long is dead. Not before its visitors' grace period is over: who has lost one
    process finds another."""
    return max(timedelta(seconds=grace_s), presence.STALE_AFTER)


def begin(tx: Tx, process: str, visitor: Visitor) -> None:
    """For a visitor's first word, in the unit of work that makes them: no kill comes between, and they wait for no other.
    `note` is for whoever turns out to have been here before, in another window."""
    if tx.first(_AWAY.where(_a.contact_point_id == visitor[0], _a.channel_id == visitor[1])) is not None:
        note(tx, process, [visitor], {})
    else:
        tx.execute(tx.insert_if_new(tables.visitor_window), [_window(visitor, process)])


def note(tx: Tx, process: str, came: Collection[Visitor], left: Mapping[Visitor, datetime]) -> None:
    """What has changed in this process: who came, and whose last window shut at that instant, a while ago."""
    tx.lock_visitors()
    known = _keepable(tx, came)
    here = [visitor for visitor in came if visitor in known]
    if here:
        _settle(tx, back=_find(tx, _AWAY, here), gone={})
        tx.execute(tx.insert_if_new(tables.visitor_window), [_window(visitor, process) for visitor in here])
    if left:
        _leave(tx, process, left)


def has_dead(tx: Tx, grace_s: float) -> bool:
    """Whether there is anything to `sweep`."""
    noted = {row.process for row in tx.rows(select(_w.process).distinct())}
    known = {row.id for row in tx.rows(select(_p.id))}
    return not noted | known <= presence.find_living(tx, silence(grace_s))


def sweep(tx: Tx, grace_s: float) -> bool:
    """Clears away what processes noted that live no more, a part of it; whether there is more. Whoever asks has been up for
    the grace period: while no hub was up nobody could come back."""
    tx.lock_visitors()
    living = presence.find_living(tx, silence(grace_s))
    heard = {row.id: row.seen_at for row in tx.rows(select(_p.id, _p.seen_at))}
    for process in sorted({row.process for row in tx.rows(select(_w.process).distinct())} - living):
        rows = tx.rows(_WINDOWS.where(_w.process == process).limit(_STEP))
        _leave(tx, process, {_key(row): heard.get(process, tx.now) for row in rows})
        return True
    tx.execute(delete(tables.process).where(_p.id.in_(heard.keys() - living)))
    return False


def forget(tx: Tx, contact_point_ids: Any) -> None:
    """Nothing is kept of these any more."""
    for table in (tables.visitor_window, tables.visitor_away):
        tx.execute(delete(table).where(table.c.contact_point_id.in_(contact_point_ids)))


def _window(visitor: Visitor, process: str) -> dict[str, int | str]:
    return {"contact_point_id": visitor[0], "channel_id": visitor[1], "process": process}


def _key(row: Row[Any]) -> Visitor:
    return row.contact_point_id, row.channel_id


def _find(tx: Tx, query: Select[Any], visitors: Collection[Visitor]) -> set[Visitor]:
    """Those of these that the query finds."""
    points = {point for point, _ in visitors}
    rows = tx.rows(query.where(query.selected_columns.contact_point_id.in_(points)))
    return {_key(row) for row in rows} & set(visitors)


def _keepable(tx: Tx, visitors: Collection[Visitor]) -> set[Visitor]:
    """Those of whom anything may be kept: of whoever was erased meanwhile nothing is."""
    if not visitors:
        return set()
    query = (
        select(_cp.id)
        .join(tables.customer, _cu.id == _cp.customer_id)
        .where(_cp.id.in_({point for point, _ in visitors}), _cu.erased_at.is_(None))
        .order_by(_cp.id)
    )
    if tx.is_postgresql:
        # They stay until the commit, because what is inserted refers to them.
        query = query.with_for_update(of=tables.contact_point, read=True, key_share=True)
    points = {row.id for row in tx.rows(query)}
    return {visitor for visitor in visitors if visitor[0] in points}


def _leave(tx: Tx, process: str, left: Mapping[Visitor, datetime]) -> None:
    """They are in that process no more. Who is in no other either is away, unless that is known."""
    stay = _find(tx, _WINDOWS.where(_w.process != process), left.keys()) | _find(tx, _AWAY, left.keys())
    gone = _keepable(tx, left.keys() - stay)
    _settle(tx, back=(), gone={visitor: left[visitor] for visitor in sorted(gone)})
    tx.execute(
        delete(tables.visitor_window).where(
            _w.contact_point_id == bindparam("point"), _w.channel_id == bindparam("channel"), _w.process == process
        ),
        [{"point": point, "channel": channel_id} for point, channel_id in sorted(left)],
    )


def _settle(tx: Tx, back: Collection[Visitor], gone: Mapping[Visitor, datetime]) -> None:
    """These are otherwise than was known: it is written down, and their open conversations tell of it."""
    changed = {*back, *gone}
    if not changed:
        return
    query = select(_c.id, _c.contact_point_id, _c.channel_id).where(_c.contact_point_id.in_({p for p, _ in changed}))
    # Resolved ones, too: one that is being opened at this very moment is open by the time its lock is ours.
    locked = {row.id for row in tx.rows(query) if _key(row) in changed}
    tx.lock_conversations(locked)
    # Of years of visits few are open: no statement below takes more parameters than there are visitors.
    ids = sorted(row.id for row in tx.rows(query.where(_c.status == "open")) if row.id in locked)
    if back:
        tx.execute(
            delete(tables.visitor_away).where(
                _a.contact_point_id == bindparam("point"), _a.channel_id == bindparam("channel")
            ),
            [{"point": point, "channel": channel_id} for point, channel_id in sorted(back)],
        )
    if gone:
        rows = [{"contact_point_id": key[0], "channel_id": key[1], "since": at} for key, at in gone.items()]
        tx.execute(insert(tables.visitor_away), rows)
    if not ids:
        return
    # Not by `conversations.change`: nobody did anything to it, so no clock is to be looked at.
    tx.execute(update(tables.conversation).where(_c.id.in_(ids)).values(version=_c.version + 1))
    views = conversations.load_conversations(tx, ids)
    for key in ids:
        conversations.emit_conversation(tx, views[key])
    offers.retell(tx, ids)
