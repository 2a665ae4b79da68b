"""What each figure means: the registry of measures, to be read behind "what is this number?"."""

from __future__ import annotations

from hub.kpi.cells import LADDER_S, REPEAT_DAYS, Dim
from hub.kpi.defaults import load_params
from hub.kpi.measures import MEASURES
from hub.kpi.moments import MOMENTS, Definition
from hub.staffing.adherence import DEFINITIONS as OF_SCHEDULES
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import MeasureDefinition, MeasureParameter, MeasureReport, Page, ReportBy

_CHOICES: dict[str, tuple[int | bool, ...]] = {"threshold_s": LADDER_S, "short_s": LADDER_S, "days": REPEAT_DAYS}
_SWITCH = (True, False)
_BY: dict[Dim, ReportBy] = {
    Dim.ALL: "none",
    Dim.AGENT: "agent",
    Dim.TEAM: "team",
    Dim.QUEUE: "queue",
    Dim.CHANNEL: "channel",
    Dim.TOPIC: "topic",
}


@endpoint("GET", "/measures", access=Access.AGENT, summary="What each figure means")
async def list_measures(context: Context) -> Page[MeasureDefinition]:
    """Every measure in force, figures of a moment and adherence to schedules, too; `report` says which report tells it. A
    formula is never changed in place: a new one is a new version."""
    usual = await context.hub.database.read(load_params)
    return Page(
        [
            MeasureDefinition(
                id=measure.id,
                version=measure.version,
                name=measure.name,
                formula=measure.formula,
                unit=measure.unit.value,
                clock=measure.clock.value,
                source=measure.source,
                day_by=measure.day_by,
                better=measure.better.value if measure.better is not None else None,
                by=[_BY[dim] for dim in Dim if dim in measure.by],
                has_contacts=measure.has_contacts,
                params=[
                    MeasureParameter(name=name, default=getattr(usual, name), choices=list(_CHOICES.get(name, _SWITCH)))
                    for name in measure.params
                ],
                report="figures",
            )
            for measure in MEASURES.values()
        ]
        + [_defined(one, "moments") for one in MOMENTS.values()]
        + [_defined(one, "adherence") for one in OF_SCHEDULES.values()]
    )


def _defined(one: Definition, report: MeasureReport) -> MeasureDefinition:
    return MeasureDefinition(
        id=one.id,
        version=one.version,
        name=one.name,
        formula=one.formula,
        unit=one.unit.value,
        clock=one.clock.value,
        source=one.source,
        day_by=None,
        better=one.better.value if one.better is not None else None,
        by=[_BY[dim] for dim in Dim if dim in one.by],
        has_contacts=False,
        params=[],
        report=report,
    )
