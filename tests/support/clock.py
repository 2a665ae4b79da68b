"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# A Monday morning; long enough ago that nothing takes it for the present.
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class FrozenClock:
    """Hand it to `open_database`; `advance` moves it, `now` is what it shows."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float = 0, **units: float) -> datetime:
        """`advance(30)`, `advance(hours=2)`: as timedelta reads it."""
        self.now += timedelta(seconds=seconds, **units)
        return self.now
