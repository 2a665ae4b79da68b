"""Business hours: everybody may see them, administrators write them; holidays are read from files and from laws."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.domain.views import CalendarView, SpecialDayView
from hub.errors import InvalidInput
from hub.routing import calendars, clocks, holidays
from hub.routing.calendar import SpecialDay, SpecialDayText, clock_text
from hub.routing.calendars import CalendarText
from hub.store.database import Tx
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    CountryHolidays,
    HolidayCountry,
    HolidayDays,
    IcalDays,
    NewCalendar,
    Page,
    ReadIcal,
    SaveCalendar,
)

# Whom we work for first; the others by their codes.
_FIRST_COUNTRIES = ("AM", "GE", "AZ", "UA")
# As much of a name as a special day keeps, and as many names of what was not understood as anybody reads.
_NAME_LENGTH = 200
_SKIPPED_TOLD = 100


@endpoint("GET", "/calendars", access=Access.AGENT, summary="All calendars")
async def list_calendars(context: Context) -> Page[CalendarView]:
    """By name. Which rules go by them is told to supervisors and administrators only."""
    views = await context.hub.database.read(calendars.load_calendar_views)
    return Page([_for_viewer(context, view) for view in views])


@endpoint("POST", "/calendars", access=Permission.MANAGE_ROUTING, status=201, summary="Create a calendar")
async def create_calendar(context: Context, body: NewCalendar) -> CalendarView:
    """409 `name_taken` if there is one of this name. Faults are named by their place: `zone`, `week.monday.0`,
    `special.3.day` …"""
    return await context.hub.database.transaction(calendars.create_calendar, _text(body), actor=context.viewer)


# Before the paths with an id: routes are tried in their order.
@endpoint(
    "GET", "/calendars/countries", access=Permission.MANAGE_ROUTING, summary="Countries whose public holidays are known"
)
async def list_holiday_countries(context: Context) -> Page[HolidayCountry]:
    known = await asyncio.to_thread(holidays.countries)
    first = [code for code in _FIRST_COUNTRIES if code in known]
    codes = [*first, *sorted(known.keys() - set(first))]
    return Page([HolidayCountry(code=code, subdivisions=list(known[code])) for code in codes])


@endpoint(
    "POST", "/calendars/country-holidays", access=Permission.MANAGE_ROUTING, summary="Read a country's public holidays"
)
async def read_country_holidays(context: Context, body: CountryHolidays) -> HolidayDays:
    """Days that are closed, for the editor to merge; nothing is saved."""
    found = await asyncio.to_thread(holidays.country_holidays, body.country, body.years, body.subdivision)
    return HolidayDays(days=_day_views(found))


@endpoint(
    "POST", "/calendars/read-ical", access=Permission.MANAGE_ROUTING, summary="Read holidays from an iCalendar file"
)
async def read_ical(context: Context, body: ReadIcal) -> IcalDays:
    """Days that are closed, for the editor to merge; nothing is saved."""
    if body.last < body.first:
        raise InvalidInput("the last day is before the first", fields={"last": Sentence("is before the first")})
    read = await asyncio.to_thread(holidays.holidays_from_ical, body.ical, body.first, body.last)
    return IcalDays(days=_day_views(read.days), skipped=list(read.skipped[:_SKIPPED_TOLD]))


@endpoint("GET", "/calendars/{calendar_id}", access=Access.AGENT, summary="One calendar")
async def get_calendar(context: Context, calendar_id: int) -> CalendarView:
    return _for_viewer(context, await context.hub.database.read(calendars.load_calendar_view, calendar_id))


@endpoint("PUT", "/calendars/{calendar_id}", access=Permission.MANAGE_ROUTING, summary="Save a calendar")
async def save_calendar(context: Context, calendar_id: int, body: SaveCalendar) -> CalendarView:
    """Replaces it by a new version. What was before counts as it was then; what goes by it looks again at once."""

    def save(tx: Tx) -> CalendarView:
        view = calendars.save_calendar(
            tx, calendar_id, _text(body), expected_version=body.expected_version, actor=context.viewer
        )
        clocks.calendar_changed(tx, calendar_id)
        return view

    return await context.hub.database.transaction(save)


@endpoint("DELETE", "/calendars/{calendar_id}", access=Permission.MANAGE_ROUTING, summary="Remove a calendar")
async def delete_calendar(context: Context, calendar_id: int) -> None:
    """409 `in_use`, naming them, while queues, rules in force, menus or the clocks of open conversations go by it."""
    await context.hub.database.transaction(calendars.delete_calendar, calendar_id, actor=context.viewer)


def _for_viewer(context: Context, view: CalendarView) -> CalendarView:
    """The names of rules are for whoever may see the rules."""
    if context.viewer.covers(Role.SUPERVISOR):
        return view
    return replace(view, used_by=replace(view.used_by, rules=()))


def _text(body: NewCalendar) -> CalendarText:
    special: Sequence[SpecialDayText] = [
        SpecialDayText(each.day, each.hours, each.name, each.source) for each in body.special
    ]
    return CalendarText(body.name, body.zone, body.week, special)


def _day_views(days: Iterable[SpecialDay]) -> list[SpecialDayView]:
    return [
        SpecialDayView(
            day.day.isoformat(),
            tuple((clock_text(hours.opens), clock_text(hours.closes)) for hours in day.hours),
            day.name[:_NAME_LENGTH],
            day.source,
        )
        for day in days
    ]
