"""Who belongs where, read from the database: the organisation's time zone, the teams' zones, and who is in which when."""

from __future__ import annotations

from collections import defaultdict
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select

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


def load_placing(tx: Tx) -> Placing:
    """Misconfigured when a time zone is not known."""
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
