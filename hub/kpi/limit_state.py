"""When a limit breaks, and when it is well again: a pure decision on the figure of this moment.

    value strictly beyond `raise_at`, without a break for `for_s`   it breaks
    value at `clear_at` or better                                    it is well again
    between the two                                                  it stays as it is (hysteresis)

A figure that has no case (nobody waits, nothing was answered yet today) is beyond nothing.

Pure: standard library only, and no clock (`now` is an argument).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hub.domain.sentences import Sentence
from hub.kpi.measures import Better


@dataclass(frozen=True, slots=True)
class Limit:
    """`better` says which way is beyond where the two bounds are one."""

    raise_at: float
    clear_at: float
    for_s: int
    better: Better | None = None

    @property
    def is_above(self) -> bool:
        """Whether what is above the limit is beyond it."""
        if self.raise_at == self.clear_at:
            return self.better is not Better.HIGHER
        return self.raise_at > self.clear_at

    def faults(self) -> dict[str, str]:
        """What cannot be, by name: the figure must be well again on its good side."""
        if self.raise_at == self.clear_at or self.better is None:
            return {}
        if self.is_above is (self.better is Better.LOWER):
            return {}
        below, above = Sentence("must not be below the limit"), Sentence("must not be above the limit")
        return {"clear_at": below if self.is_above else above}


@dataclass(frozen=True, slots=True)
class Standing:
    """Since when the figure is beyond the limit without a break (None: it is not), and whether the limit is broken."""

    beyond_since: datetime | None
    is_broken: bool


def next_standing(
    limit: Limit, before: Standing, value: float | None, now: datetime
) -> tuple[Standing, Literal["raised", "healed"] | None]:
    """How it stands now, and what is to be told."""
    if value is None:
        return Standing(None, is_broken=False), "healed" if before.is_broken else None
    is_beyond = value > limit.raise_at if limit.is_above else value < limit.raise_at
    since = (before.beyond_since or now) if is_beyond else None
    if before.is_broken:
        is_well = value <= limit.clear_at if limit.is_above else value >= limit.clear_at
        return Standing(since, not is_well), "healed" if is_well else None
    breaks = since is not None and now - since >= timedelta(seconds=limit.for_s)
    return Standing(since, breaks), "raised" if breaks else None
