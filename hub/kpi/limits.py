"""Limits that are watched: rules of administrators, and the alerts they raised."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from hub.domain.views import KpiAlertView
from hub.store import tables
from hub.store.database import Tx

_al = tables.kpi_alert.c


def load_standing(tx: Tx) -> list[KpiAlertView]:
    """Those of the console that are not well again, by id."""
    standing = select(tables.kpi_alert).where(_al.healed_at.is_(None), _al.to_console).order_by(_al.id)
    return [view_of(row) for row in tx.rows(standing)]


def view_of(row: Row[Any]) -> KpiAlertView:
    return KpiAlertView(
        id=row.id,
        rule_id=row.rule_id,
        name=row.name,
        measure=row.measure,
        scope=row.scope,
        scope_id=row.scope_id,
        raise_at=row.raise_at,
        clear_at=row.clear_at,
        raised_at=row.raised_at,
        value=row.value,
        healed_at=row.healed_at,
        healed_value=row.healed_value,
        version=row.version,
    )
