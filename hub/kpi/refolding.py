"""Cells folded from the facts when somebody asks for what is not kept: two things at once, an interval of an agent.

The same functions fold as do for the cells that are kept (kpi.folding, kpi.placing), so both are equal; a test compares.
How many facts are read is bounded: beyond that there is no answer, never one of a part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from hub.domain.events import SegmentEnded
from hub.domain.sentences import Sentence
from hub.errors import ReportTooLarge
from hub.kpi.cells import Cell, Dim
from hub.kpi.fact_rows import KINDS, Kept, dims_of, load_between
from hub.kpi.folding import Part, fold
from hub.kpi.placing import Placing
from hub.kpi.sketch import bin_of, from_counts
from hub.store.database import Tx


@dataclass(slots=True)
class Tally:
    """A cell while it is counted."""

    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    bins: defaultdict[str, defaultdict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    def add(self, part: Part) -> None:
        for name, count in part.counts.items():
            self.counts[name] += count
        for name, duration in part.durations.items():
            self.bins[name][bin_of(duration)] += 1

    def cell(self) -> Cell:
        sketches = {name: from_counts(bins) for name, bins in self.bins.items()}
        return Cell(dict(self.counts), sketches)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Facts of start <= t < end, of these alone (none named: of all). `teams`: as text ids, of agents at that instant."""

    start: datetime
    end: datetime
    ids: Mapping[Dim, Collection[str]]
    teams: Collection[str] = ()


def load_facts(tx: Tx, sources: Iterable[str], wanted: Wanted, limit: int) -> list[Kept]:
    """The facts of these kinds. Kinds that do not know what is asked for (a call of an agent) have none. ReportTooLarge
    beyond the limit."""
    found: list[Kept] = []
    for source in sorted(set(sources)):
        kind = KINDS[source]
        if not set(wanted.ids) <= dims_of(kind) or (wanted.teams and Dim.AGENT not in dims_of(kind)):
            continue
        found += load_between(tx, kind, wanted.start, wanted.end, wanted.ids, limit + 1 - len(found))
        if len(found) > limit:
            raise ReportTooLarge(
                f"This takes more than {limit:,} facts to compute. Ask for fewer days, or without a filter.",
                fields={"since": Sentence("ask for fewer days"), "filters": Sentence("or for one thing at a time")},
            )
    return found


def fold_facts(
    facts: Iterable[Kept],
    wanted: Wanted,
    kinds: Mapping[str, str],
    placing: Placing,
    key_of: Callable[[datetime, ZoneInfo], int | None],
    by: Dim,
) -> dict[tuple[int, str], Cell]:
    """One cell for each key and id. `key_of(instant, zone)` says in which stretch that is, None: in none asked for."""
    tallies: defaultdict[tuple[int, str], Tally] = defaultdict(Tally)
    segments: list[SegmentEnded] = []
    for kept in facts:
        if isinstance(kept.fact, SegmentEnded):
            segments.append(kept.fact)
        for part in fold(kept.fact, kept.extra, kinds):
            if not _is_of_teams(part, wanted, placing):
                continue
            for dim, dim_id, zone in placing.belongs(part):
                if dim is by and (key := key_of(part.at, zone)) is not None:
                    tallies[key, dim_id].add(part)
    _count_contacts(segments, wanted, placing, key_of, by, tallies)
    return {key: tally.cell() for key, tally in tallies.items()}


def _is_of_teams(part: Part, wanted: Wanted, placing: Placing) -> bool:
    if not wanted.teams:
        return True
    return part.agent_id is not None and any(str(t) in wanted.teams for t in placing.teams_of(part.agent_id, part.at))


def _count_contacts(
    segments: Iterable[SegmentEnded],
    wanted: Wanted,
    placing: Placing,
    key_of: Callable[[datetime, ZoneInfo], int | None],
    by: Dim,
    tallies: defaultdict[tuple[int, str], Tally],
) -> None:
    """As placing.count_contacts: a conversation once a day for each of those who held it, among these holds."""
    seen: set[tuple[int, str, int]] = set()
    for fact in sorted(segments, key=lambda fact: (fact.ended_at, fact.assignment_id)):
        part = Part(fact.ended_at, fact.agent_id, fact.queue_id, fact.channel_id, fact.topic_id, {"contacts": 1}, {})
        if not _is_of_teams(part, wanted, placing):
            continue
        for dim, dim_id, zone in placing.belongs(part):
            once = (fact.conversation_id, dim_id, placing.day(fact.ended_at, zone))
            if dim is not by or once in seen:
                continue
            seen.add(once)
            if (key := key_of(fact.ended_at, zone)) is not None:
                tallies[key, dim_id].add(part)
