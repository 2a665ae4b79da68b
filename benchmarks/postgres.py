"""A real PostgreSQL that keeps its promises: the tests' own server (tests.support.postgres), but durable."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest.mock import patch

from tests.support import postgres as support

# What the tests switch off for speed is on here: a commit is on the disk before it is told.
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "shared_buffers": "256MB"}


@contextlib.contextmanager
def run_durable_postgres() -> Iterator[support.PostgresServer]:
    """PostgresUnavailableError when none can be run here."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.dict(support.SERVER_OPTIONS, DURABLE))
        # The tests keep their data in memory, where a disk's wait would not be felt.
        stack.enter_context(patch.object(support, "MEMORY", support.DISKS[0]))
        yield stack.enter_context(support.run_postgres())
