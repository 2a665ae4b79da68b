"""Whether the figures are being made anew, and how far they are made: said here, for all who show, judge or learn from them.

    kpi.facts keeps its marks (table `projection`) ─► load_progress ─► screens, reports, limits, forecasts

They are made anew by `hub kpi rebuild`, after a release whose cells are kept otherwise, and when days begin at other instants
(somebody changed a time zone). Meanwhile cells hold a part, and a part must never be taken for the whole:

    screens      say so (a snapshot's `remaking`, the event `figures.remaking`), and are told all figures when it is over
    reports      leave a gap where the figures are not made yet
    limits       on such figures are not judged, and say so
    forecasts    are not made
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from sqlalchemy import select

from hub.domain.events import FACT_KINDS
from hub.domain.views import RemakingView
from hub.kpi.belonging import load_placing
from hub.kpi.fact_rows import DATED_BY, KINDS
from hub.kpi.placing import Placing
from hub.store import tables
from hub.store.database import Tx

# The names under which the projector keeps what it has in mind: its checkpoint, up to where the figures tell everything; what
# its cells were made by (cells_made_by); up to where a rebuild has to come; and whether it is still forgetting.
PROJECTION, CELLS, REBUILDING, FORGETTING = "facts", "facts.cells", "facts.rebuilding", "facts.forgetting"
# The layout of kpi_cell and kpi_sketch and the way facts are folded into them: another one is made anew by itself.
CELLS_VERSION = 2

# The projector is some milliseconds behind while much happens. One that is further behind tells of another time.
_BEHIND = timedelta(seconds=60)

_e, _p = tables.event.c, tables.projection.c


@dataclass(frozen=True, slots=True)
class Progress:
    """At `now` everything that was told before `as_of` is in the figures. `is_remaking`: of what happened since then a part
    is, or nothing, however long ago it was."""

    now: datetime
    as_of: datetime
    is_remaking: bool

    @property
    def is_current(self) -> bool:
        """Whether the figures tell of this moment."""
        return not self.is_remaking and self.now - self.as_of <= _BEHIND

    def lacks(self, end: datetime) -> bool:
        """Whether the figures of a stretch of time that ends then are still to be made."""
        return self.is_remaking and end > self.as_of


def load_progress(tx: Tx, now: datetime, placing: Placing | None = None) -> Progress:
    """Misconfigured when a time zone is not known."""
    marks = load_marks(tx)
    seen = marks[PROJECTION]
    if is_of_others := is_made_otherwise(marks, placing or load_placing(tx)):
        seen = 0
    is_remaking = is_of_others or marks[FORGETTING] > 0 or seen < marks[REBUILDING]
    behind = load_first_untold(tx, seen, by_its_own_instant=is_remaking)
    return Progress(now, now if behind is None else min(behind, now), is_remaking)


def load_remaking(tx: Tx) -> RemakingView | None:
    """As screens are told; None: the figures are what they should be."""
    placing = load_placing(tx)
    progress = load_progress(tx, tx.now, placing)
    return make_view(progress, placing) if progress.is_remaking else None


def make_view(progress: Progress, placing: Placing) -> RemakingView:
    return RemakingView(progress.as_of.astimezone(placing.zone).date().isoformat())


def load_first_untold(tx: Tx, seen: int, *, by_its_own_instant: bool = False) -> datetime | None:
    """When the first fact beyond `seen` was told, or when it happened if that was before; None: there is none."""
    row = tx.first(
        select(_e.at, _e.kind, _e.body).where(_e.seq > seen, _e.kind.in_(FACT_KINDS)).order_by(_e.seq).limit(1)
    )
    if row is None:
        return None
    at: datetime = row.at
    if not by_its_own_instant:
        return at
    happened = datetime.fromisoformat(json.loads(row.body)[DATED_BY[KINDS[row.kind]]])
    return min(at, happened)


def load_marks(tx: Tx) -> Counter[str]:
    """Everything the projector keeps in mind; what it has not written down yet is zero."""
    return Counter({row.name: row.seq for row in tx.rows(select(_p.name, _p.seq))})


def is_made_otherwise(marks: Counter[str], placing: Placing) -> bool:
    """Whether there are cells, and they are those of an older release or of other time zones."""
    return marks[CELLS] != cells_made_by(placing) and (marks[PROJECTION] > 0 or marks[FORGETTING] > 0)


def cells_made_by(placing: Placing) -> int:
    """What the cells that are kept are made by: their layout, and the time zones of their days."""
    zones = [placing.zone.key, *(f"{team} {zone.key}" for team, zone in sorted(placing.team_zones.items()))]
    return CELLS_VERSION << 32 | crc32("\n".join(zones).encode())
