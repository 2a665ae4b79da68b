"""Who belongs where, read from the database: the organisation's time zone, the teams' zones, and who is in which when."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Row, func, select

from hub.errors import Misconfigured
from hub.kpi.placing import Membership, Placing
from hub.store import tables
from hub.store.database import Tx

_t, _m = tables.team.c, tables.team_member.c


def load_zone(tx: Tx) -> ZoneInfo:
    """The organisation's time zone; UTC while there is no organisation. Misconfigured when nobody knows its name."""
    name = tx.scalar(select(tables.organisation.c.time_zone))
    return ZoneInfo("UTC") if name is None else _zone(name, "the organisation's")


def _zone(name: str, whose: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Misconfigured(f"{whose} time zone {name!r} is not known here") from error


# Which database it is, the organisation's clock, and what changes with every change of a team or of who is in it: a version
# is raised each time, and a team is never removed from its table.
_MARKS = select(
    select(tables.stream.c.epoch).scalar_subquery(),
    select(tables.organisation.c.time_zone).scalar_subquery(),
    *(select(each).select_from(tables.team).scalar_subquery() for each in (func.count(), func.sum(_t.version))),
)


@dataclass(slots=True)
class Known:
    """Who belongs where, as somebody read it last. What has another mark by now is read again, so it is never older than the
    transaction that uses it. Whoever keeps one lets it go when a transaction of theirs fails."""

    placing: Placing | None = None
    mark: Row[Any] | None = None


def load_placing(tx: Tx, known: Known | None = None) -> Placing:
    """Misconfigured when a time zone is not known. `known`: what needs not be read again if it has not changed."""
    known = known or Known()
    # It is read before what it stands for: what changes meanwhile is read once more, never missed.
    mark = tx.rows(_MARKS)[0]
    if known.placing is None or known.mark != mark:
        known.placing, known.mark = _load_placing(tx), mark
    return known.placing.fresh()


def _load_placing(tx: Tx) -> Placing:
    zones = {
        row.id: _zone(row.time_zone, "a team's")
        for row in tx.rows(select(_t.id, _t.time_zone).where(_t.time_zone.is_not(None)))
    }
    memberships: dict[int, list[Membership]] = defaultdict(list)
    for row in tx.rows(select(_m.user_id, _m.team_id, _m.since, _m.until).order_by(_m.user_id, _m.team_id, _m.since)):
        memberships[row.user_id].append(Membership(row.user_id, row.team_id, row.since, row.until))
    return Placing(load_zone(tx), zones, {user: tuple(of) for user, of in memberships.items()})


def load_kinds(tx: Tx) -> dict[str, str]:
    """Channel → its kind."""
    return {row.id: row.kind for row in tx.rows(select(tables.channel.c.id, tables.channel.c.kind))}
