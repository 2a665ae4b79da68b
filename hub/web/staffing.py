"""Staffing: what a number of agents makes of a load, and what is foretold, required and scheduled."""

from __future__ import annotations

import asyncio
from datetime import date

from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput
from hub.staffing import forecasts
from hub.staffing.erlang import MAX_AGENTS, Load, Staffed, Target, required_agents, staffed, with_shrinkage
from hub.staffing.forecast import Accuracy
from hub.staffing.forecasts import Habits, StaffingPlan
from hub.store.database import Tx
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    ForecastError,
    ForecastInterval,
    ForecastReport,
    ForecastTest,
    LeadError,
    SaveStaffingPlan,
    StaffedFigures,
    StaffingPlanView,
    WhatIf,
    WhatIfAnswer,
)

# The table shows so many numbers of agents to each side.
_AROUND = 6
# The terms of Erlang A grow with the root of these: with so many the whole answer takes about a second.
_MOST_WAITING = 10_000_000


@endpoint("POST", "/staffing/what-if", access=Access.SUPERVISOR, summary="What agents make of a load")
async def what_if(context: Context, body: WhatIf) -> WhatIfAnswer:
    """By Erlang C, or with a patience by Erlang A. Nothing is saved."""
    if body.service_level is body.asa_s is body.abandonment is body.occupancy is None:
        raise InvalidInput(
            "there is no target", fields={"service_level": Sentence("is missing, and so is every other target")}
        )
    if body.patience_s is not None and body.contacts * body.patience_s / body.interval_s > _MOST_WAITING:
        fault = Sentence(
            "is too long for so many contacts: at most {most} may come while one waits", most=_MOST_WAITING
        )
        raise InvalidInput(f"patience_s: {fault}", fields={"patience_s": fault})
    async with context.hub.report_turns.turn_of(context.viewer.user_id):
        return await asyncio.to_thread(_what_if, body)


@endpoint(
    "GET", "/staffing/forecast", access=Access.SUPERVISOR, summary="What is foretold for a queue, and whom it needs"
)
async def get_forecast(context: Context, queue: int, from_: date, to: date, lead_days: int = 1) -> ForecastReport:
    """Quarters of an hour of the local days `from` to `to`, both included. Of days that are over it shows the forecast that
    was made `lead_days` before (0, 1, 7, 14 or 28) and what then came."""
    async with context.hub.report_turns.turn_of(context.viewer.user_id):
        parts = await context.hub.database.read(forecasts.load_forecast_parts, queue, from_, to, lead_days)
        found = await asyncio.to_thread(forecasts.queue_forecast, parts)
    return ForecastReport(
        queue_id=queue,
        time_zone=found.time_zone,
        method=found.method,
        made_on=found.made_on,
        lead_days=found.lead_days,
        history_days=found.history_days,
        aht_s=found.aht_s,
        plan=_plan_view(queue, found.plan, found.habits),
        error=_error(found.accuracy),
        errors=[LeadError(lead_days=lead, error=_error(each)) for lead, each in sorted(found.errors.items())],
        tested=None
        if found.tested is None
        else ForecastTest(
            days=found.tested.days,
            lead_days=found.tested.lead_days,
            error=_error(found.tested.accuracy),
            naive=_error(found.tested.naive),
        ),
        intervals=[
            ForecastInterval(
                start=each.start,
                forecast=each.forecast,
                actual=each.actual,
                required=each.required,
                required_scheduled=each.required_scheduled,
                scheduled=each.scheduled,
            )
            for each in found.intervals
        ],
    )


@endpoint("GET", "/staffing/plans/{queue_id}", access=Access.SUPERVISOR, summary="What a queue is staffed for")
async def get_staffing_plan(context: Context, queue_id: int) -> StaffingPlanView:
    def load(tx: Tx) -> tuple[StaffingPlan, Habits]:
        return forecasts.load_staffing_plan(tx, queue_id), forecasts.load_habits(tx, queue_id)

    return _plan_view(queue_id, *await context.hub.database.read(load))


@endpoint("PUT", "/staffing/plans/{queue_id}", access=Permission.PLAN_PEOPLE, summary="Say what a queue is staffed for")
async def save_staffing_plan(context: Context, queue_id: int, body: SaveStaffingPlan) -> StaffingPlanView:
    """409 `version_conflict` if somebody changed it meanwhile."""
    plan = StaffingPlan(
        service_level=body.service_level,
        within_s=body.within_s,
        occupancy=body.occupancy,
        shrinkage=body.shrinkage,
        aht_s=body.aht_s,
        patience_s=body.patience_s,
        concurrency=body.concurrency,
        version=body.expected_version,
    )

    def save(tx: Tx) -> tuple[StaffingPlan, Habits]:
        saved = forecasts.save_staffing_plan(tx, queue_id, plan, actor=context.viewer)
        return saved, forecasts.load_habits(tx, queue_id)

    return _plan_view(queue_id, *await context.hub.database.transaction(save))


def _what_if(body: WhatIf) -> WhatIfAnswer:
    load = Load(body.contacts, body.aht_s, body.interval_s, body.patience_s, body.concurrency)
    target = Target(body.service_level, body.within_s, body.asa_s, body.abandonment, body.occupancy)

    def figures(agents: int) -> StaffedFigures:
        found: Staffed = staffed(load, agents, body.within_s)
        return StaffedFigures(
            agents=agents,
            scheduled=with_shrinkage(agents, body.shrinkage),
            is_stable=found.is_stable,
            waiting_probability=found.waiting_probability,
            service_level=found.service_level,
            asa_s=found.asa_s,
            abandonment=found.abandonment,
            occupancy=found.occupancy,
            reaches=found.reaches(target),
        )

    required = required_agents(load, target)
    asked = required if body.agents is None else body.agents
    named = {agents for agents in (asked, required) if agents is not None}
    around = {
        agents + step for agents in named for step in range(-_AROUND, _AROUND + 1) if 0 <= agents + step <= MAX_AGENTS
    }
    return WhatIfAnswer(
        model=load.model.value,
        erlangs=load.erlangs,
        required=required,
        scheduled=None if required is None else with_shrinkage(required, body.shrinkage),
        figures=None if asked is None else figures(asked),
        table=[figures(agents) for agents in sorted(around)],
    )


def _plan_view(queue_id: int, plan: StaffingPlan, habits: Habits) -> StaffingPlanView:
    return StaffingPlanView(
        queue_id=queue_id,
        service_level=plan.service_level,
        within_s=plan.within_s,
        occupancy=plan.occupancy,
        shrinkage=plan.shrinkage,
        aht_s=plan.aht_s,
        patience_s=plan.patience_s,
        concurrency=plan.concurrency,
        version=plan.version,
        recent_aht_s=habits.aht_s,
        recent_patience_s=habits.patience_s,
    )


def _error(found: Accuracy) -> ForecastError:
    return ForecastError(
        intervals=found.intervals, contacts=found.actual, wape=found.wape, bias=found.bias, chance=found.chance
    )
