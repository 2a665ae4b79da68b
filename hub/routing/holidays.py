"""Holidays that others have written down: iCalendar files, and the public holidays of countries.

Reads, and does nothing else: no file is opened and no address asked. Both libraries (icalendar, BSD; holidays, MIT) are
imported when they are wanted, because they cost a tenth of a second.

Of an iCalendar file, whole-day events count (RFC 5545: DTSTART as a DATE, DTEND exclusive); an event with a time of day is an
appointment. Recurrence is yearly by date or by weekday ("the fourth Thursday of November"), as holidays recur; a rule
that says more is not guessed at: its event is named in `skipped`. We expand the rule ourselves, because the libraries'
expansion of an impossible one (30 February) runs to the year 9999, and files come from strangers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from hub.domain.sentences import Sentence
from hub.errors import InvalidInput
from hub.routing.calendar import SpecialDay

# A public calendar of fifty years has some 1,000 events in 300 kB.
_MAX_TEXT = 1_000_000
_MAX_EVENTS = 5_000
# Of all its events together, each day of each counted: more is not a calendar but an attack on the processor.
_MAX_DAYS = 20_000
# An event that takes longer is not a holiday but a mistake (or an attack).
_LONGEST_DAYS = 60
_MAX_SPAN_YEARS = 50
_WEEKDAYS = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
_KNOWN_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "WKST"})


@dataclass(frozen=True, slots=True)
class IcalHolidays:
    """`days` in order, one for each date; `skipped`: names of events that are no whole days or recur in another way."""

    days: tuple[SpecialDay, ...]
    skipped: tuple[str, ...]


def holidays_from_ical(text: str, first: date, last: date, source: str = "ical") -> IcalHolidays:
    """The whole-day events from `first` to `last` (at most 50 years), as days that are closed. InvalidInput with the field
    `ical` if it is not an iCalendar file, or too large to be one of holidays."""
    if len(text) > _MAX_TEXT:
        raise _invalid(Sentence("is too large for a calendar of holidays (1 MB)"))
    if (last.year - first.year) > _MAX_SPAN_YEARS:
        raise _invalid(Sentence("may be read for {count} years at most", count=_MAX_SPAN_YEARS))
    from icalendar import Calendar as Ical

    try:
        whole = Ical.from_ical(text)
        events = list(whole.walk("VEVENT")) if whole.name == "VCALENDAR" else None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _invalid(Sentence("is not an iCalendar file")) from error
    if events is None:
        raise _invalid(Sentence("is not an iCalendar file"))
    if len(events) > _MAX_EVENTS:
        raise _invalid(Sentence("has more than {count} events", count=_MAX_EVENTS))
    days: dict[date, SpecialDay] = {}
    skipped: list[str] = []
    expanded = 0
    for event in events:
        name = " ".join(str(event.get("SUMMARY") or "").split())[:200]
        if str(event.get("STATUS") or "").upper() == "CANCELLED":
            continue
        try:
            # One more than may be: enough to see that it is too many.
            found = list(islice(_days_of(event, first, last), _MAX_DAYS - expanded + 1))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            skipped.append(name)
            continue
        expanded += len(found)
        for day in found:
            days.setdefault(day, SpecialDay(day, (), name, source))
        if expanded > _MAX_DAYS:
            raise _invalid(Sentence("names more than {count} days", count=_MAX_DAYS))
    return IcalHolidays(tuple(days[day] for day in sorted(days)), tuple(skipped))


def country_holidays(country: str, years: Iterable[int], subdivision: str | None = None) -> tuple[SpecialDay, ...]:
    """Public holidays of a country by its ISO 3166-1 code (AM, GE, AZ, UA …), named in its own language, in order.
    InvalidInput names `country` or `subdivision` if there are none such.

    A country without any in a year has none by law: under martial law Ukraine's holidays are working days."""
    import holidays

    wanted = sorted({year for year in years if 1990 <= year <= 2100})
    try:
        found = holidays.country_holidays(country.upper(), subdiv=subdivision, years=wanted)
    except NotImplementedError as error:
        name = "country" if subdivision is None else "subdivision"
        raise InvalidInput(f"no holidays are known for this {name}", fields={name: Sentence("is not known")}) from error
    source = f"country:{country.upper()}" + (f"-{subdivision}" if subdivision else "")
    return tuple(SpecialDay(day, (), name, source) for day, name in sorted(found.items()) if day.year in wanted)


def countries() -> Mapping[str, Sequence[str]]:
    """ISO 3166-1 code → the codes of subdivisions that have holidays of their own, of every country that is known."""
    import holidays

    return holidays.list_supported_countries(include_aliases=False)


def _invalid(words: str) -> InvalidInput:
    return InvalidInput(f"the file {words}", fields={"ical": words})


def _days_of(event: Any, first: date, last: date) -> Iterator[date]:
    """ValueError (or what the library's broken values raise) if it is not a whole-day event that we understand."""
    begins = event["DTSTART"].dt
    if isinstance(begins, datetime) or not isinstance(begins, date):
        raise ValueError("an appointment")
    ends = event["DTEND"].dt if "DTEND" in event else begins + timedelta(days=1)
    if "DTEND" not in event and "DURATION" in event:
        ends = begins + event["DURATION"].dt
    if isinstance(ends, datetime):
        raise ValueError("ends within a day")
    # Some writers give the same day for both; one day is meant.
    length = max((ends - begins).days, 1)
    if length > _LONGEST_DAYS or "RDATE" in event:
        raise ValueError("not a holiday")
    left_out = _left_out(event)
    for start in _starts(begins, event.get("RRULE"), first - timedelta(days=length), last):
        if start not in left_out:
            for number in range(length):
                day = start + timedelta(days=number)
                if first <= day <= last:
                    yield day


def _left_out(event: Any) -> frozenset[date]:
    given = event.get("EXDATE", [])
    values = [each.dt for one in (given if isinstance(given, list) else [given]) for each in one.dts]
    return frozenset(value.date() if isinstance(value, datetime) else value for value in values)


def _starts(begins: date, rule: Mapping[str, Any] | None, first: date, last: date) -> Iterator[date]:
    if not rule:
        yield begins
        return
    parts = {str(name).upper(): list(values) for name, values in rule.items()}
    if parts.get("FREQ") != ["YEARLY"] or not _KNOWN_PARTS.issuperset(parts):
        raise ValueError("recurs in another way")
    if any(len(parts.get(name, ())) > 1 for name in ("BYMONTH", "BYMONTHDAY", "BYDAY")):
        raise ValueError("recurs on several days")
    every = int(parts.get("INTERVAL", [1])[0])
    count = int(parts["COUNT"][0]) if "COUNT" in parts else None
    until = parts["UNTIL"][0] if "UNTIL" in parts else last
    until = until.date() if isinstance(until, datetime) else until
    if every < 1:
        raise ValueError("recurs backwards")
    month = int(parts.get("BYMONTH", [begins.month])[0])
    # Turns of years that nobody asked for only count: strangers' files begin in the year 1, thousands of times.
    passed = max(0, -((begins.year - first.year) // every))
    for turn, year in enumerate(range(begins.year + passed * every, last.year + 1, every), passed):
        if count is not None and turn >= count:
            return
        day = _nth_weekday(year, month, str(parts["BYDAY"][0])) if "BYDAY" in parts else None
        if "BYDAY" not in parts:
            day = _date_or_none(year, month, int(parts.get("BYMONTHDAY", [begins.day])[0]))
        if day is not None and max(begins, first) <= day <= min(until, last):
            yield day


def _nth_weekday(year: int, month: int, text: str) -> date | None:
    """The day that `4TH` or `-1MO` means in a month."""
    number, weekday = int(text[:-2]), _WEEKDAYS[text[-2:].upper()]
    if number > 0:
        opening = date(year, month, 1)
        return _date_or_none(year, month, 1 + (weekday - opening.weekday()) % 7 + 7 * (number - 1))
    closing = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return _date_or_none(year, month, closing.day - (closing.weekday() - weekday) % 7 + 7 * (number + 1))


def _date_or_none(year: int, month: int, day: int) -> date | None:
    """29 February is in leap years only; an impossible date never is."""
    try:
        return date(year, month, day)
    except ValueError:
        return None
