"""Holidays from files of strangers and from the laws of countries."""

from datetime import date
from time import process_time

import pytest

from hub.errors import InvalidInput
from hub.routing.holidays import country_holidays, holidays_from_ical

FIRST, LAST = date(2026, 1, 1), date(2027, 12, 31)


def ical(*events: str) -> str:
    body = "".join(
        f"BEGIN:VEVENT\r\nUID:{n}@x\r\nDTSTAMP:20260101T000000Z\r\n{event}\r\nEND:VEVENT\r\n"
        for n, event in enumerate(events)
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n{body}END:VCALENDAR\r\n"


def event(start: str, *more: str) -> str:
    return "\r\n".join([f"DTSTART;VALUE=DATE:{start}", "SUMMARY:Holiday", *more])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (event("20260106"), ["2026-01-06"]),
        (event("20260101", "DTEND;VALUE=DATE:20260103"), ["2026-01-01", "2026-01-02"]),
        (event("20260101", "DTEND;VALUE=DATE:20260101"), ["2026-01-01"]),
        (event("20260101", "DURATION:P2D"), ["2026-01-01", "2026-01-02"]),
        (event("20251231", "DTEND;VALUE=DATE:20260102"), ["2026-01-01"]),
        (event("20000528", "RRULE:FREQ=YEARLY"), ["2026-05-28", "2027-05-28"]),
        (event("20000528", "RRULE:FREQ=YEARLY;UNTIL=20261231"), ["2026-05-28"]),
        (event("20000528", "RRULE:FREQ=YEARLY;COUNT=27"), ["2026-05-28"]),
        (event("20000528", "RRULE:FREQ=YEARLY;COUNT=26"), []),
        (event("20010528", "RRULE:FREQ=YEARLY;INTERVAL=3"), []),
        (event("20000528", "RRULE:FREQ=YEARLY;INTERVAL=13;COUNT=3"), ["2026-05-28"]),
        (event("20000528", "RRULE:FREQ=YEARLY;INTERVAL=13;COUNT=2"), []),
        (event("20260528", "RRULE:FREQ=YEARLY"), ["2026-05-28", "2027-05-28"]),
        (event("20270528", "RRULE:FREQ=YEARLY;INTERVAL=5"), ["2027-05-28"]),
        (
            event("20251231", "RRULE:FREQ=YEARLY", "DTEND;VALUE=DATE:20260102"),
            ["2026-01-01", "2026-12-31", "2027-01-01", "2027-12-31"],
        ),
        (event("20000528", "RRULE:FREQ=YEARLY;INTERVAL=2"), ["2026-05-28"]),
        (event("20000528", "RRULE:FREQ=YEARLY", "EXDATE;VALUE=DATE:20260528"), ["2027-05-28"]),
        # The fourth Thursday of November and the last Monday of May, as the United States have them.
        (event("20001123", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"), ["2026-11-26", "2027-11-25"]),
        (event("20000529", "RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO"), ["2026-05-25", "2027-05-31"]),
        (event("20000229", "RRULE:FREQ=YEARLY"), []),
        (event("20260101", "STATUS:CANCELLED"), []),
        (event("20300101"), []),
    ],
)
def test_whole_days_are_read(text: str, expected: list[str]) -> None:
    read = holidays_from_ical(ical(text), FIRST, LAST)
    assert [str(day.day) for day in read.days] == expected
    assert read.skipped == ()


@pytest.mark.parametrize(
    "text",
    [
        "DTSTART:20260106T100000Z\r\nSUMMARY:Holiday",
        "SUMMARY:Holiday",
        event("20260101", "RRULE:FREQ=DAILY"),
        event("20260101", "RRULE:FREQ=YEARLY;BYDAY=MO,TU"),
        event("20260101", "RRULE:FREQ=YEARLY;BYYEARDAY=100"),
        event("20260101", "RRULE:FREQ=YEARLY;BYMONTH=13;BYDAY=1MO"),
        event("20260101", "RRULE:FREQ=YEARLY;INTERVAL=0"),
        event("20260101", "DTEND;VALUE=DATE:20290101"),
        event("99991231", "DTEND;VALUE=DATE:garbage"),
    ],
)
def test_what_is_no_holiday_or_not_understood_is_named_and_the_rest_is_read(text: str) -> None:
    read = holidays_from_ical(ical(text, event("20260108")), FIRST, LAST)
    assert [str(day.day) for day in read.days] == ["2026-01-08"]
    assert read.skipped == ("Holiday",)


def test_names_and_source_are_kept_and_the_first_name_of_a_date_holds() -> None:
    text = ical(event("20260128").replace("Holiday", "Բանակի   օր"), event("20260128"))
    (day,) = holidays_from_ical(text, FIRST, LAST, "ical:army").days
    assert (day.name, day.source, day.hours) == ("Բանակի օր", "ical:army", ())


@pytest.mark.parametrize("text", ["", "hello", "BEGIN:VCALENDAR", "BEGIN:VEVENT\r\nEND:VCALENDAR", "x" * 1_000_001])
def test_what_is_not_a_calendar_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        holidays_from_ical(text, FIRST, LAST)
    assert set(refused.value.fields) == {"ical"}


def test_a_file_of_impossible_rules_costs_next_to_nothing() -> None:
    text = ical(*[event("00010228", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")] * 300)
    begun = process_time()
    assert holidays_from_ical(text, FIRST, LAST).days == ()
    assert process_time() - begun < 5


def test_a_file_that_names_the_same_days_again_and_again_is_refused_soon() -> None:
    again = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20000101\nDTEND;VALUE=DATE:20000301\nRRULE:FREQ=YEARLY\nEND:VEVENT\n"
    text = "BEGIN:VCALENDAR\n" + again * 5_000 + "END:VCALENDAR\n"
    begun = process_time()
    with pytest.raises(InvalidInput) as refused:
        holidays_from_ical(text, date(2000, 1, 1), date(2050, 12, 31))
    assert set(refused.value.fields) == {"ical"}
    assert process_time() - begun < 5


@pytest.mark.parametrize(
    ("country", "day"),
    [
        ("AM", "2026-05-28"),  # First Republic
        ("GE", "2026-05-26"),  # Independence
        ("AZ", "2026-05-28"),  # Independence
        ("UA", "2021-08-24"),  # Independence, before martial law
        ("us", "2026-07-03"),  # Independence, observed on the Friday
    ],
)
def test_public_holidays_of_countries(country: str, day: str) -> None:
    found = country_holidays(country, [2021, 2026])
    assert day in {str(each.day) for each in found}
    assert [each.day for each in found] == sorted(each.day for each in found)
    assert {each.source for each in found} == {f"country:{country.upper()}"}


def test_ukraine_has_no_holidays_under_martial_law() -> None:
    assert country_holidays("UA", [2024]) == ()


@pytest.mark.parametrize(("country", "subdivision", "field"), [("XX", None, "country"), ("US", "??", "subdivision")])
def test_an_unknown_country_is_refused_by_name(country: str, subdivision: str | None, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        country_holidays(country, [2026], subdivision)
    assert set(refused.value.fields) == {field}
