"""Topics: what conversations are about, and who handles such matters. Complaints are topics that stay in sight."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, select

from hub.domain.views import TopicView
from hub.store import tables
from hub.store.database import Tx

_t = tables.topic.c


def load_topics(tx: Tx, ids: Collection[int] | None = None) -> list[TopicView]:
    """All of them, also those switched off (old conversations are about them), or those of `ids`; by id."""
    query = select(tables.topic).order_by(_t.id)
    return [_view(row) for row in tx.rows(query if ids is None else query.where(_t.id.in_(ids)))]


def _view(row: Row[Any]) -> TopicView:
    return TopicView(
        id=row.id,
        name=row.name,
        is_complaint=row.is_complaint,
        queue_id=row.queue_id,
        owner_id=row.owner_id,
        policy_id=row.policy_id,
        active=row.active,
        version=row.version,
    )
