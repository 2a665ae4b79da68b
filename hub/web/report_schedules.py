"""Reports that are sent by mail, every day, week or month."""

from __future__ import annotations

from dataclasses import asdict

from hub.domain.permissions import Permission
from hub.reports import runs, schedules
from hub.reports.schedules import Draft, Schedule
from hub.web.api import Context, endpoint
from hub.web.schemas import (
    NewReportSchedule,
    Page,
    ReportSchedule,
    UpdateReportSchedule,
)


@endpoint("GET", "/report-schedules", access=Permission.SCHEDULE_REPORTS, summary="Reports that are sent by mail")
async def list_report_schedules(context: Context) -> Page[ReportSchedule]:
    """All of them, whoever made them, by name; with what became of the latest report of each."""
    found = await context.hub.database.read(schedules.load_schedules)
    return Page([_view(schedule) for schedule in found])


@endpoint(
    "POST", "/report-schedules", access=Permission.SCHEDULE_REPORTS, status=201, summary="Send a report regularly"
)
async def create_report_schedule(context: Context, body: NewReportSchedule) -> ReportSchedule:
    """It is yours: it tells what you may see. Colleagues get it in their language, others in yours. The first one is sent
    when it is due next."""
    made = await context.hub.database.transaction(schedules.create_schedule, context.viewer, _draft(body))
    return _view(made)


@endpoint("GET", "/report-schedules/{schedule_id}", access=Permission.SCHEDULE_REPORTS, summary="One scheduled report")
async def get_report_schedule(context: Context, schedule_id: int) -> ReportSchedule:
    return _view(await context.hub.database.read(schedules.load_schedule, schedule_id))


@endpoint(
    "PUT", "/report-schedules/{schedule_id}", access=Permission.SCHEDULE_REPORTS, summary="Change a scheduled report"
)
async def update_report_schedule(context: Context, schedule_id: int, body: UpdateReportSchedule) -> ReportSchedule:
    """All of it anew; it stays its owner's, but one whose owner has left becomes yours. 409 `version_conflict` when
    somebody was faster."""
    changed = await context.hub.database.transaction(
        schedules.update_schedule, context.viewer, schedule_id, _draft(body), body.expected_version
    )
    return _view(changed)


@endpoint(
    "DELETE", "/report-schedules/{schedule_id}", access=Permission.SCHEDULE_REPORTS, summary="Send a report no more"
)
async def delete_report_schedule(context: Context, schedule_id: int) -> None:
    """What is on its way to a mail server arrives; nothing else is sent."""
    await context.hub.database.transaction(schedules.delete_schedule, schedule_id, actor=context.viewer)


@endpoint(
    "POST",
    "/report-schedules/{schedule_id}/send",
    access=Permission.SCHEDULE_REPORTS,
    status=202,
    summary="Send a report now",
)
async def send_report_now(context: Context, schedule_id: int) -> ReportSchedule:
    """The report as if it were due at this moment; `last_run` tells how it fares. 409 when there is a `hindrance` (its
    code), or `under_way` while the last one by hand has not been sent."""
    return _view(await context.hub.database.transaction(runs.send_now, schedule_id, actor=context.viewer))


def _draft(body: NewReportSchedule) -> Draft:
    return Draft(
        name=body.name,
        query=body.query.model_dump(),
        every=body.every,
        weekday=body.weekday,
        day=body.day,
        at=body.at,
        time_zone=body.time_zone,
        recipient_ids=tuple(body.recipient_ids),
        addresses=tuple(body.addresses),
        files=tuple(body.files),
        active=body.active,
    )


def _view(schedule: Schedule) -> ReportSchedule:
    said = {name: value for name, value in asdict(schedule).items() if name != "draft"}
    return ReportSchedule.model_validate({**asdict(schedule.draft), **said}, strict=False)
