"""Reports that are sent by mail, every day, week or month."""

from __future__ import annotations

from hub.web.api import Access, Context, endpoint
from hub.web.schemas import NewReportSchedule, Page, ReportSchedule, UpdateReportSchedule


@endpoint("GET", "/report-schedules", access=Access.SUPERVISOR, summary="Reports that are sent by mail")
async def list_report_schedules(context: Context) -> Page[ReportSchedule]:
    """All of them, whoever made them, by name; with what became of the latest report of each."""
    raise NotImplementedError


@endpoint("POST", "/report-schedules", access=Access.SUPERVISOR, status=201, summary="Send a report regularly")
async def create_report_schedule(context: Context, body: NewReportSchedule) -> ReportSchedule:
    """It is yours: it tells what you may see, and is sent in your language. The first one is sent when it is due next."""
    raise NotImplementedError


@endpoint("GET", "/report-schedules/{schedule_id}", access=Access.SUPERVISOR, summary="One scheduled report")
async def get_report_schedule(context: Context, schedule_id: int) -> ReportSchedule:
    raise NotImplementedError


@endpoint("PUT", "/report-schedules/{schedule_id}", access=Access.SUPERVISOR, summary="Change a scheduled report")
async def update_report_schedule(context: Context, schedule_id: int, body: UpdateReportSchedule) -> ReportSchedule:
    """All of it anew; it stays its owner's, but one whose owner has left becomes yours. 409 `stale` when somebody was
    faster."""
    raise NotImplementedError


@endpoint("DELETE", "/report-schedules/{schedule_id}", access=Access.SUPERVISOR, summary="Send a report no more")
async def delete_report_schedule(context: Context, schedule_id: int) -> None:
    """What is on its way to a mail server arrives; nothing else is sent."""
    raise NotImplementedError


@endpoint(
    "POST", "/report-schedules/{schedule_id}/send", access=Access.SUPERVISOR, status=202, summary="Send a report now"
)
async def send_report_now(context: Context, schedule_id: int) -> ReportSchedule:
    """The report as if it were due at this moment; `last_run` tells how it fares. 409 when there is a `hindrance` (its
    code), or `under_way` while the last one by hand has not been sent."""
    raise NotImplementedError
