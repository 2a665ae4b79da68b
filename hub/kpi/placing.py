"""Which cells a fact belongs to: its agent's, their team's, its queue's, channel's and topic's, and everything's.

The day of an agent and of a team is that of the team's time zone; any other day is the organisation's. A fact belongs to
the team in which its agent was at that instant. Intervals are kept for everything, queues and channels alone: of agents,
teams and topics they are folded from the facts when somebody asks.

Pure: standard library only, and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hub.domain.events import SegmentEnded
from hub.kpi.cells import EVERYTHING, Dim
from hub.kpi.days import Grain, day_number, day_of, interval_number, start_of
from hub.kpi.folding import Part

# These have cells by interval, too.
BY_INTERVAL = frozenset({Dim.ALL, Dim.QUEUE, Dim.CHANNEL})

_UTC, _DAY = ZoneInfo("UTC"), timedelta(days=1)


class Key(NamedTuple):
    """`start`: the number of the stretch (kpi.days); `dim_id`: whose, as text."""

    grain: str
    start: int
    dim: str
    dim_id: str


@dataclass(frozen=True, slots=True)
class Membership:
    """`since` <= t < `until`; None: until further notice."""

    user_id: int
    team_id: int
    since: datetime
    until: datetime | None = None

    def __contains__(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Placing:
    """The organisation's zone, the zones of teams that have their own, and who is in which team when, by user."""

    zone: ZoneInfo
    team_zones: Mapping[int, ZoneInfo] = field(default_factory=dict)
    memberships: Mapping[int, tuple[Membership, ...]] = field(default_factory=dict)
    # (interval, zone) → day: every zone's midnight lies between two intervals.
    _days: dict[tuple[int, str], int] = field(default_factory=dict, compare=False)

    def fresh(self) -> Placing:
        """The same, with nothing kept of the days that were asked for."""
        return Placing(self.zone, self.team_zones, self.memberships)

    def teams_of(self, agent_id: int, at: datetime) -> list[int]:
        return sorted({m.team_id for m in self.memberships.get(agent_id, ()) if at in m})

    def zone_of_team(self, team_id: int) -> ZoneInfo:
        return self.team_zones.get(team_id, self.zone)

    def zone_of_agent(self, agent_id: int, at: datetime) -> ZoneInfo:
        """Of several teams the one with the lowest id that has a zone of its own decides."""
        own = (self.team_zones[team] for team in self.teams_of(agent_id, at) if team in self.team_zones)
        return next(own, self.zone)

    def days_of_agent(self, agent_id: int, since: date, until: date) -> dict[date, list[tuple[datetime, datetime]]]:
        """What each of their local days consists of, both included, as stretches start <= t < end in order. It is one, but
        where they came to a team with another clock: then a day may be short, long, or come in two parts."""
        # No zone's day begins or ends further from that of UTC.
        first, last = start_of(since, _UTC) - _DAY, start_of(until, _UTC) + 2 * _DAY
        moved = {at for m in self.memberships.get(agent_id, ()) for at in (m.since, m.until) if at is not None}
        found: dict[date, list[tuple[datetime, datetime]]] = {}
        for number in range(since.toordinal(), until.toordinal() + 1):
            pieces = found[date.fromordinal(number)] = []
            for start, end in pairwise(sorted({first, last, *(at for at in moved if first < at < last)})):
                day = day_of(date.fromordinal(number), self.zone_of_agent(agent_id, start))
                piece = (max(start, day.start), min(end, day.end))
                if pieces and pieces[-1][1] == piece[0] < piece[1]:
                    pieces[-1] = (pieces[-1][0], piece[1])
                elif piece[0] < piece[1]:
                    pieces.append(piece)
        return found

    def day(self, at: datetime, zone: ZoneInfo) -> int:
        key = (interval_number(at), zone.key)
        found = self._days.get(key)
        if found is None:
            found = self._days[key] = day_number(at, zone)
        return found

    def belongs(self, part: Part) -> Iterator[tuple[Dim, str, ZoneInfo]]:
        """Whose it is, and in which zone their days are."""
        yield Dim.ALL, EVERYTHING, self.zone
        if part.agent_id is not None:
            yield Dim.AGENT, str(part.agent_id), self.zone_of_agent(part.agent_id, part.at)
            for team_id in self.teams_of(part.agent_id, part.at):
                yield Dim.TEAM, str(team_id), self.zone_of_team(team_id)
        if part.queue_id is not None:
            yield Dim.QUEUE, str(part.queue_id), self.zone
        if part.channel_id is not None:
            yield Dim.CHANNEL, part.channel_id, self.zone
        if part.topic_id is not None:
            yield Dim.TOPIC, str(part.topic_id), self.zone

    def keys(self, part: Part) -> list[Key]:
        """The cells of intervals and days it falls into. Those of months are the sums of their days."""
        found = []
        for dim, dim_id, zone in self.belongs(part):
            found.append(Key(Grain.DAY.value, self.day(part.at, zone), dim.value, dim_id))
            if dim in BY_INTERVAL:
                found.append(Key(Grain.INTERVAL.value, interval_number(part.at), dim.value, dim_id))
        return found


def count_contacts(segments: Iterable[SegmentEnded], placing: Placing) -> dict[Key, int]:
    """In which cells these holds are a contact more: a conversation counts once a day for each of those who held it, when
    the first of its holds ended. Given all holds of their conversations it is the same in any order."""
    found: dict[Key, int] = {}
    seen: set[tuple[int, str, str, int]] = set()
    for fact in sorted(segments, key=lambda fact: (fact.ended_at, fact.assignment_id)):
        part = Part(fact.ended_at, fact.agent_id, fact.queue_id, fact.channel_id, fact.topic_id, {}, {})
        for dim, dim_id, zone in placing.belongs(part):
            day = placing.day(fact.ended_at, zone)
            if (once := (fact.conversation_id, dim.value, dim_id, day)) in seen:
                continue
            seen.add(once)
            keys = [Key(Grain.DAY.value, day, dim.value, dim_id)]
            if dim in BY_INTERVAL:
                keys.append(Key(Grain.INTERVAL.value, interval_number(fact.ended_at), dim.value, dim_id))
            for key in keys:
                found[key] = found.get(key, 0) + 1
    return found
