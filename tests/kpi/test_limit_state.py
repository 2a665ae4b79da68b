"""When a limit breaks and is well again: every move of the figure, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from hub.kpi.limit_state import Limit, Standing, next_standing
from hub.kpi.measures import Better

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HIGHER, LOWER = Better.HIGHER, Better.LOWER

WAITS = Limit(raise_at=300, clear_at=120, for_s=0, better=LOWER)
LEVEL = Limit(raise_at=0.7, clear_at=0.8, for_s=0, better=HIGHER)
PATIENT = Limit(raise_at=300, clear_at=120, for_s=60, better=LOWER)
AT_ONE = Limit(raise_at=1, clear_at=1, for_s=0, better=HIGHER)
UNJUDGED = Limit(raise_at=5, clear_at=5, for_s=0)


@pytest.mark.parametrize(
    ("limit", "values", "told"),
    [
        (WAITS, [300, 301, 500, 121, 299, 120, 200, 301], ["301 raised", "120 healed", "301 raised"]),
        (LEVEL, [0.7, 0.69, 0.75, 0.79, 0.8, 0.7, 0.6], ["0.69 raised", "0.8 healed", "0.6 raised"]),
        (PATIENT, [301, 301, 301, 301], ["301 raised"]),
        # Every 30 s: a break in between, and the time counts from anew.
        (PATIENT, [301, 301, 300, 301, 301], []),
        (AT_ONE, [1, 0, 0, 1], ["0 raised", "1 healed"]),
        (UNJUDGED, [5, 6, 5], ["6 raised", "5 healed"]),
        (WAITS, [None, 400, None, None, 400], ["400 raised", "None healed", "400 raised"]),
        (WAITS, [None], []),
    ],
)
def test_a_limit_breaks_once_and_heals_once(limit: Limit, values: Sequence[float | None], told: list[str]) -> None:
    standing, now, found = Standing(None, is_broken=False), START, []
    for value in values:
        standing, what = next_standing(limit, standing, value, now)
        found += [f"{value} {what}"] * (what is not None)
        now += timedelta(seconds=30)
    assert found == told


@pytest.mark.parametrize(
    ("limit", "faults"),
    [
        (WAITS, {}),
        (LEVEL, {}),
        (AT_ONE, {}),
        (UNJUDGED, {}),
        (Limit(120, 300, 0, LOWER), {"clear_at": "must not be above the limit"}),
        (Limit(0.8, 0.7, 0, HIGHER), {"clear_at": "must not be below the limit"}),
        (Limit(5, 9, 0), {}),
    ],
)
def test_a_limit_clears_on_its_good_side(limit: Limit, faults: dict[str, str]) -> None:
    assert limit.faults() == faults
