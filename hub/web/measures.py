"""What each figure means: the registry of measures, to be read behind "what is this number?"."""

from __future__ import annotations

from hub.kpi.measures import MEASURES
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import MeasureDefinition, Page


@endpoint("GET", "/measures", access=Access.AGENT, summary="What each figure means")
async def list_measures(context: Context) -> Page[MeasureDefinition]:
    """Every measure in force. A formula is never changed in place: a new one is a new version."""
    return Page(
        [
            MeasureDefinition(
                id=measure.id,
                version=measure.version,
                name=measure.id,
                formula=measure.formula,
                unit=measure.unit.value,
                clock=measure.clock.value,
                source=measure.source,
                day_by=measure.day_by,
                better=None,
                by=[],
                has_contacts=False,
                params=[],
            )
            for measure in MEASURES.values()
        ]
    )
