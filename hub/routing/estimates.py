"""Estimated waits: what whoever joins a queue now may expect, and how far such estimates were off lately."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from hub.domain.views import EstimateView
from hub.store import tables
from hub.store.database import Tx

_q = tables.queue.c


def load_estimates(tx: Tx, queue_ids: Collection[int] | None = None) -> list[EstimateView]:
    """Of all queues or of these, by id."""
    query = select(_q.id, _q.ewt_s, _q.ewt_error_s, _q.ewt_samples, _q.ewt_version).order_by(_q.id)
    return [
        EstimateView(row.id, row.ewt_s, row.ewt_error_s, row.ewt_samples, row.ewt_version)
        for row in tx.rows(query if queue_ids is None else query.where(_q.id.in_(queue_ids)))
    ]
