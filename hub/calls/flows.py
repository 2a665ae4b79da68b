"""Flows as they are kept: there are none yet."""

from __future__ import annotations

from hub.calls.flow import Flow
from hub.store.database import Tx


def current(tx: Tx, flow_id: int) -> tuple[int, Flow] | None:
    return None


def load_version(tx: Tx, flow_id: int, version: int) -> Flow | None:
    return None
