"""Business hours: zones, nights, holidays, and days of 23, 23.5, 24.5 and 25 hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.routing.calendar import (
    ALWAYS,
    Calendar,
    Faults,
    Hours,
    SpecialDay,
    SpecialDayText,
    add_open_seconds,
    clock_text,
    is_open,
    next_change,
    next_opening,
    open_seconds,
    parse_clock,
    read_calendar,
)

HOUR = 3600.0
OFFICE = [[("09:00", "13:00"), ("14:00", "18:00")]] * 5 + [[], []]
NIGHTS = [[("22:00", "26:00")]] * 7
ALL_DAY = [[("00:00", "24:00")]] * 7
NO_SPECIAL: list[SpecialDayText] = []


def made(zone: str, week: list[list[tuple[str, str]]], special: list[SpecialDayText] = NO_SPECIAL) -> Calendar:
    calendar = read_calendar(zone, week, special)
    assert isinstance(calendar, Calendar), calendar
    return calendar


def local(zone: str, text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def faults(
    zone: str = "Asia/Yerevan",
    week: list[list[tuple[str, str]]] = OFFICE,
    special: list[SpecialDayText] = NO_SPECIAL,
) -> dict[str, str]:
    read = read_calendar(zone, week, special)
    assert isinstance(read, Faults)
    return dict(read.fields)


# Offsets and changes as published by IANA (tzdata 2026): Yerevan, Tbilisi and Baku have had +04 all year since 2012, 2005
# and 2016; Kyiv and New York change; Lord Howe changes by half an hour.
@pytest.mark.parametrize(
    ("zone", "local_text", "expected"),
    [
        ("Asia/Yerevan", "2026-03-02T09:00", True),
        ("Asia/Yerevan", "2026-03-02T08:59:59", False),
        ("Asia/Yerevan", "2026-03-02T13:00", False),
        ("Asia/Yerevan", "2026-03-02T14:00", True),
        ("Asia/Yerevan", "2026-03-02T17:59:59", True),
        ("Asia/Yerevan", "2026-03-02T18:00", False),
        ("Asia/Yerevan", "2026-03-07T10:00", False),
        ("Asia/Tbilisi", "2026-07-01T09:00", True),
        ("Asia/Baku", "2026-07-01T18:00", False),
        ("Europe/Kyiv", "2026-03-30T09:00", True),
        ("America/New_York", "2026-11-02T17:59", True),
        ("Australia/Lord_Howe", "2026-10-05T08:59", False),
    ],
)
def test_open_is_what_the_clock_on_the_wall_says(zone: str, local_text: str, expected: bool) -> None:
    assert is_open(made(zone, OFFICE), local(zone, local_text)) is expected


@pytest.mark.parametrize(
    ("zone", "summer_utc", "winter_utc"),
    [
        ("Asia/Yerevan", "05:00", "05:00"),
        ("Asia/Tbilisi", "05:00", "05:00"),
        ("Asia/Baku", "05:00", "05:00"),
        ("Europe/Kyiv", "06:00", "07:00"),
        ("America/New_York", "13:00", "14:00"),
    ],
)
def test_nine_oclock_is_nine_oclock_in_summer_and_in_winter(zone: str, summer_utc: str, winter_utc: str) -> None:
    calendar = made(zone, OFFICE)
    opened = [next_opening(calendar, datetime(2026, month, day, 0, 0, tzinfo=UTC)) for month, day in ((7, 1), (12, 1))]
    assert [f"{each:%H:%M}" for each in opened if each] == [summer_utc, winter_utc]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Kyiv", "2026-03-29", 23),
        ("Europe/Kyiv", "2026-10-25", 25),
        ("Europe/Kyiv", "2026-06-01", 24),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Yerevan", "2026-03-29", 24),
        ("Asia/Yerevan", "2011-03-27", 23),
        ("Asia/Baku", "2015-10-25", 25),
        ("Asia/Tbilisi", "2026-10-25", 24),
        # Samoa crossed the date line: the 30th of December 2011 never was.
        ("Pacific/Apia", "2011-12-30", 0),
    ],
)
def test_a_day_has_the_hours_it_really_has(zone: str, day: str, hours: float) -> None:
    only = SpecialDayText(day, [("00:00", "24:00")])
    calendar = made(zone, [[]] * 7, [only])
    around = datetime.fromisoformat(day).replace(tzinfo=UTC)
    spent = open_seconds(calendar, around - timedelta(days=3), around + timedelta(days=4))
    assert spent == hours * HOUR


@pytest.mark.parametrize(
    ("zone", "day", "hours", "expected_s"),
    [
        # 02:00 to 03:00 does not exist in New York that night, nor 03:00 to 04:00 in Kyiv.
        ("America/New_York", "2026-03-08", ("02:00", "03:00"), 0),
        ("America/New_York", "2026-03-08", ("02:30", "03:30"), 0.5 * HOUR),
        ("America/New_York", "2026-03-08", ("01:30", "02:30"), 0.5 * HOUR),
        ("Europe/Kyiv", "2026-03-29", ("03:15", "04:15"), 0.25 * HOUR),
        ("Australia/Lord_Howe", "2026-10-04", ("02:00", "02:45"), 0.25 * HOUR),
        # Comes twice: opens at the first, closes at the last.
        ("America/New_York", "2026-11-01", ("01:00", "02:00"), 2 * HOUR),
        ("America/New_York", "2026-11-01", ("01:30", "01:45"), 1.25 * HOUR),
        ("America/New_York", "2026-11-01", ("00:00", "01:30"), 2.5 * HOUR),
        ("Europe/Kyiv", "2026-10-25", ("03:00", "04:00"), 2 * HOUR),
        ("Australia/Lord_Howe", "2026-04-05", ("01:30", "02:00"), HOUR),
        # A night over the change: ten o'clock to two is five hours in New York's autumn.
        ("America/New_York", "2026-10-31", ("22:00", "26:00"), 5 * HOUR),
        ("America/New_York", "2026-03-07", ("22:00", "27:00"), 4 * HOUR),
    ],
)
def test_hours_over_a_change_of_the_clock(zone: str, day: str, hours: tuple[str, str], expected_s: float) -> None:
    calendar = made(zone, [[]] * 7, [SpecialDayText(day, [hours])])
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=2)
    assert open_seconds(calendar, start, start + timedelta(days=5)) == expected_s


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    zone = "Asia/Tbilisi"
    calendar = made(zone, NIGHTS, [SpecialDayText("2026-03-07", name="Closed")])
    assert is_open(calendar, local(zone, "2026-03-07T01:59"))
    assert not is_open(calendar, local(zone, "2026-03-07T23:00"))
    assert not is_open(calendar, local(zone, "2026-03-08T01:00"))
    assert next_opening(calendar, local(zone, "2026-03-07T02:00")) == local(zone, "2026-03-08T22:00")


def test_hours_that_touch_are_one_opening() -> None:
    calendar = made("UTC", [[("09:00", "12:00"), ("12:00", "24:00")], [("00:00", "10:00")], *[[]] * 5])
    assert next_change(calendar, datetime(2026, 3, 2, 9, tzinfo=UTC)) == datetime(2026, 3, 3, 10, tzinfo=UTC)
    assert next_change(calendar, datetime(2026, 3, 3, 10, tzinfo=UTC)) == datetime(2026, 3, 9, 9, tzinfo=UTC)


def test_holidays_replace_the_hours_of_their_date_and_the_first_source_holds() -> None:
    zone = "Asia/Yerevan"
    special = [
        SpecialDayText("2026-01-06", [("10:00", "12:00")], "Christmas, short"),
        SpecialDayText("2026-01-06", [], "Christmas", "country:AM"),
        SpecialDayText("2026-01-10", [("09:00", "10:00")], "Saturday, open", "ical"),
    ]
    calendar = made(zone, OFFICE, special)
    assert calendar.special[date(2026, 1, 6)].name == "Christmas, short"
    first, last = local(zone, "2026-01-05T00:00"), local(zone, "2026-01-12T00:00")
    assert open_seconds(calendar, first, last) == (4 * 8 + 2 + 1) * HOUR


def test_always_and_never() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    never = Calendar("UTC", ((),) * 7)
    assert (is_open(ALWAYS, at), next_change(ALWAYS, at), next_opening(ALWAYS, at)) == (True, None, at)
    assert (is_open(never, at), next_change(never, at), next_opening(never, at)) == (False, None, None)
    # A day of the past that was closed, in a week of whole days: open for good.
    past = date(2025, 1, 1)
    assert next_change(Calendar("UTC", ALWAYS.week, {past: SpecialDay(past)}), at) is None
    assert add_open_seconds(never, at, 1) is None
    assert add_open_seconds(ALWAYS, at, 90) == at + timedelta(seconds=90)
    assert add_open_seconds(ALWAYS, at, 1e12) is None
    assert open_seconds(ALWAYS, at, at - timedelta(seconds=1)) == 0


def test_eight_business_hours_from_friday_noon_end_on_monday() -> None:
    zone = "Europe/Kyiv"
    calendar = made(zone, OFFICE)
    assert add_open_seconds(calendar, local(zone, "2026-03-27T12:00"), 8 * HOUR) == local(zone, "2026-03-30T12:00")
    assert add_open_seconds(calendar, local(zone, "2026-03-28T12:00"), 0) == local(zone, "2026-03-28T12:00")
    # What ends with the day ends when it closes, not when it opens again.
    assert add_open_seconds(calendar, local(zone, "2026-03-27T12:00"), 5 * HOUR) == local(zone, "2026-03-27T18:00")


ZONES = st.sampled_from(
    ["Asia/Yerevan", "Asia/Tbilisi", "Asia/Baku", "Europe/Kyiv", "America/New_York", "Australia/Lord_Howe", "UTC"]
)
WEEKS = st.lists(
    st.sampled_from(
        [
            (),
            (Hours(0, 1440),),
            (Hours(540, 1080),),
            (Hours(90, 150), Hours(180, 300)),
            (Hours(60, 1320),),
            (Hours(120, 121),),
        ]
    ),
    min_size=7,
    max_size=7,
).map(tuple)
SPECIAL = st.dictionaries(
    st.dates(date(2026, 10, 1), date(2026, 11, 5)), st.sampled_from([(), (Hours(600, 2000),)]), max_size=4
).map(lambda days: {day: SpecialDay(day, hours) for day, hours in days.items()})
CALENDARS = st.builds(Calendar, ZONES, WEEKS, SPECIAL)
# Autumn: Kyiv, New York and Lord Howe all change in it.
INSTANTS = st.floats(0, 40 * 24 * HOUR).map(lambda s: datetime(2026, 10, 1, tzinfo=UTC) + timedelta(seconds=s))


@given(CALENDARS, st.lists(INSTANTS, min_size=3, max_size=3).map(sorted))
def test_business_time_adds_up(calendar: Calendar, instants: list[datetime]) -> None:
    first, middle, last = instants
    parts = open_seconds(calendar, first, middle) + open_seconds(calendar, middle, last)
    assert parts == pytest.approx(open_seconds(calendar, first, last), abs=1e-5)
    assert 0 <= open_seconds(calendar, first, last) <= (last - first).total_seconds() + 1e-5


@given(CALENDARS, INSTANTS, st.floats(0.001, 500_000))
def test_adding_business_time_is_measured_again(calendar: Calendar, start: datetime, seconds: float) -> None:
    end = add_open_seconds(calendar, start, seconds)
    horizon = start + timedelta(days=4_000)
    measured = open_seconds(calendar, start, end or horizon)
    assert measured == pytest.approx(seconds, abs=1e-5) if end else measured < seconds


@given(CALENDARS, INSTANTS)
def test_between_two_changes_nothing_changes(calendar: Calendar, at: datetime) -> None:
    change = next_change(calendar, at)
    until = change or at + timedelta(days=30)
    now_open = is_open(calendar, at)
    expected = (until - at).total_seconds() if now_open else 0
    assert open_seconds(calendar, at, until) == pytest.approx(expected, abs=1e-5)
    assert change is None or is_open(calendar, change) is not now_open


@given(CALENDARS, INSTANTS)
def test_the_next_opening_is_open_and_nothing_before_it_was(calendar: Calendar, at: datetime) -> None:
    opening = next_opening(calendar, at)
    assert opening is None or is_open(calendar, opening)
    assert open_seconds(calendar, at, opening or at + timedelta(days=100)) == 0


@pytest.mark.parametrize(
    ("zone", "is_known"),
    [
        ("Asia/Yerevan", True),
        ("Europe/Kyiv", True),
        ("UTC", True),
        ("America/Argentina/Buenos_Aires", True),
        ("Europe", False),
        ("Europe/Atlantis", False),
        ("", False),
        ("../../etc/passwd", False),
        ("/etc/localtime", False),
        ("Europe/Kyiv\0", False),
    ],
)
def test_time_zones_are_checked(zone: str, is_known: bool) -> None:
    assert isinstance(read_calendar(zone, OFFICE), Calendar) is is_known


@pytest.mark.parametrize(
    ("week", "name", "words"),
    [
        ([[("09:00", "09:00")], *[[]] * 6], "week.monday.0", "closes before it opens"),
        ([[("18:00", "09:00")], *[[]] * 6], "week.monday.0", "26:00"),
        ([[], [("09:00", "12:00"), ("11:00", "15:00")], *[[]] * 5], "week.tuesday.1", "overlaps 09:00–12:00"),
        ([[], [("11:00", "15:00"), ("09:00", "12:00")], *[[]] * 5], "week.tuesday.0", "overlaps 09:00–12:00"),
        ([[("22:00", "27:00")], [("02:00", "04:00")], *[[]] * 5], "week.tuesday.0", "night of monday"),
        ([[("02:00", "04:00")], *[[]] * 5, [("22:00", "27:00")]], "week.monday.0", "night of sunday"),
        ([[("nine", "ten")], *[[]] * 6], "week.monday.0", "not a time"),
        ([[("09:60", "10:00")], *[[]] * 6], "week.monday.0", "not a time"),
        ([[("24:00", "26:00")], *[[]] * 6], "week.monday.0", "another day"),
        ([[("09:00", "48:01")], *[[]] * 6], "week.monday.0", "not a time"),
        ([[]] * 7, "week", "never be open"),
        ([[("09:00", "10:00")]] * 6, "week", "6 days"),
    ],
)
def test_faults_of_a_week_are_named(week: list[list[tuple[str, str]]], name: str, words: str) -> None:
    assert words in faults(week=week)[name]


@pytest.mark.parametrize(
    ("day", "hours", "name", "words"),
    [
        ("31.12.2026", [], "special.0.day", "2026-12-31"),
        ("2026-02-29", [], "special.0.day", "not a date"),
        ("0026-12-31", [], "special.0.day", "between 2000 and 2100"),
        ("9999-12-31", [], "special.0.day", "between"),
        ("2026-12-31", [("12:00", "10:00")], "special.0.hours.0", "closes before"),
    ],
)
def test_faults_of_special_days_are_named(day: str, hours: list[tuple[str, str]], name: str, words: str) -> None:
    assert words in faults(special=[SpecialDayText(day, hours)])[name]


def test_all_faults_are_told_at_once_and_a_date_twice_by_hand_is_one() -> None:
    twice = [SpecialDayText("2026-12-31"), SpecialDayText("2026-12-31", [("10:00", "12:00")])]
    assert set(faults("Nowhere", [[("2", "3")], *[[]] * 6], twice)) == {"zone", "week.monday.0", "special.1.day"}


@given(st.integers(0, 2880))
def test_a_time_is_written_as_it_is_read(minutes: int) -> None:
    assert parse_clock(clock_text(minutes)) == minutes


@given(st.text(max_size=12))
def test_no_text_breaks_the_clock(text: str) -> None:
    minutes = parse_clock(text)
    assert minutes is None or 0 <= minutes <= 2880
