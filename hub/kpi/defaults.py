"""How the organisation counts service level where nobody asks otherwise: the variant, its threshold, and what a short
abandon is. Figures of the past are computed by what is asked, too: the cells hold the whole ladder of waits, so another
threshold is exact for them as well."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.events import STAFF, FigureDefaultsChanged
from hub.domain.sentences import Sentence
from hub.domain.views import FigureDefaultsView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.kpi.measures import DEFAULTS, SERVICE_LEVEL, SERVICE_LEVELS, Params
from hub.store import tables
from hub.store.database import Tx

_o = tables.organisation.c


def load_defaults(tx: Tx) -> FigureDefaultsView:
    row = tx.first(select(_o.service_level, _o.threshold_s, _o.short_s, _o.figures_version))
    if row is None:
        return FigureDefaultsView(SERVICE_LEVEL.id, DEFAULTS.threshold_s, DEFAULTS.short_s, 1)
    return FigureDefaultsView(row.service_level, row.threshold_s, row.short_s, row.figures_version)


def load_params(tx: Tx) -> Params:
    """What measures are asked with where nobody says otherwise."""
    chosen = load_defaults(tx)
    return replace(DEFAULTS, threshold_s=chosen.threshold_s, short_s=chosen.short_s)


def set_defaults(
    tx: Tx,
    *,
    service_level: str,
    threshold_s: int,
    short_s: int,
    expected_version: int,
    actor: Viewer | None = None,
) -> FigureDefaultsView:
    """Conflict `version_conflict` if somebody changed them meanwhile; InvalidInput naming what is wrong."""
    row = tx.first(select(_o.figures_version).with_for_update())
    if row is None:
        raise NotFound("there is no organisation yet")
    if row.figures_version != expected_version:
        raise Conflict("somebody changed these settings meanwhile", code="version_conflict")
    faults = replace(DEFAULTS, threshold_s=threshold_s, short_s=short_s).faults()
    known = [measure.id for measure in SERVICE_LEVELS]
    if service_level not in known:
        faults["service_level"] = Sentence("must be one of {known}", known=", ".join(known))
    if faults:
        raise InvalidInput("the figures cannot be counted so", fields=faults)
    before = load_defaults(tx)
    after = replace(before, service_level=service_level, threshold_s=threshold_s, short_s=short_s)
    if after == before:
        return before
    after = replace(after, version=before.version + 1)
    tx.execute(
        update(tables.organisation).values(
            service_level=service_level, threshold_s=threshold_s, short_s=short_s, figures_version=after.version
        )
    )
    tx.emit(FigureDefaultsChanged(after), {STAFF})
    audit.note_change(tx, actor, "organisation.figures_changed", "organisation", "", before, after)
    return after
