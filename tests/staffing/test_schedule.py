"""Plans, spans and adherence by hand: what covers what, nights, changes of the clock, and what counts as there."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.domain.states import AgentState
from hub.staffing.schedule import (
    Activity,
    Adherence,
    Departure,
    Piece,
    PieceText,
    Plan,
    Span,
    Spell,
    Week,
    adhere,
    people_at_work,
    read_csv,
    read_pieces,
    seen_pieces,
    spans_between,
)

KYIV = ZoneInfo("Europe/Kyiv")
MONDAY = date(2026, 3, 9)
NINE = datetime(2026, 3, 9, 7, 0, tzinfo=UTC)  # 09:00 in Kyiv
WORK, BREAK, LEAVE, TRAINING = Activity.WORK, Activity.BREAK, Activity.LEAVE, Activity.TRAINING


def piece(starts: int, ends: int, activity: Activity = WORK) -> Piece:
    """Whole hours."""
    return Piece(starts * 60, ends * 60, activity)


def at(minutes: float) -> datetime:
    """So many minutes after nine."""
    return NINE + timedelta(minutes=minutes)


def spell(since: float, until: float, state: AgentState = AgentState.AVAILABLE) -> Spell:
    return Spell(at(since), at(until), state)


def day_of(plan: Plan, day: date) -> list[tuple[str, str, Activity]]:
    start = datetime(day.year, day.month, day.day, tzinfo=KYIV).astimezone(UTC)
    end = (datetime(day.year, day.month, day.day, tzinfo=KYIV) + timedelta(days=1)).astimezone(UTC)
    return [
        (f"{span.start.astimezone(KYIV):%H:%M}", f"{span.end.astimezone(KYIV):%H:%M}", span.activity)
        for span in spans_between(plan, start, end, KYIV)
    ]


def test_a_break_is_written_into_a_shift_by_adding_it() -> None:
    assert seen_pieces((piece(9, 18), piece(12, 13, BREAK), piece(15, 16, TRAINING))) == (
        piece(9, 12),
        piece(12, 13, BREAK),
        piece(13, 15),
        piece(15, 16, TRAINING),
        piece(16, 18),
    )


def test_leave_takes_scheduled_time_away() -> None:
    assert seen_pieces((piece(9, 18), piece(12, 13, BREAK), piece(11, 24, LEAVE))) == (piece(9, 11),)
    assert seen_pieces((piece(9, 18), piece(0, 24, LEAVE))) == ()


def test_a_week_holds_until_the_next_one_begins_and_a_day_of_its_own_before_either() -> None:
    early, late = ((piece(8, 12),),) * 7, ((piece(14, 18),),) * 7
    weeks = (Week(MONDAY, early), Week(MONDAY + timedelta(days=2), late))
    plan = Plan(weeks, {MONDAY + timedelta(days=3): ()})
    found = [day_of(plan, MONDAY + timedelta(days=step)) for step in range(-1, 5)]
    assert found == [
        [],
        [("08:00", "12:00", WORK)],
        [("08:00", "12:00", WORK)],
        [("14:00", "18:00", WORK)],
        [],
        [("14:00", "18:00", WORK)],
    ]


def test_a_night_belongs_to_its_evening_and_comes_before_the_morning_it_reaches_into() -> None:
    plan = Plan((), {MONDAY: (piece(22, 30),), MONDAY + timedelta(days=1): (piece(5, 9),)})
    assert day_of(plan, MONDAY) == [("22:00", "00:00", WORK)]
    assert day_of(plan, MONDAY + timedelta(days=1)) == [("00:00", "06:00", WORK), ("06:00", "09:00", WORK)]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 28), 8), (date(2026, 3, 29), 7), (date(2026, 10, 25), 9)])
def test_a_night_is_as_long_as_the_clocks_make_it(day: date, hours: int) -> None:
    plan = Plan((), {day: (piece(0, 8),)})
    (span,) = spans_between(plan, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), KYIV)
    assert span.end - span.start == timedelta(hours=hours)


def test_in_the_right_state_of_what_was_scheduled() -> None:
    # 09:00–12:00 with a break 10:00–10:30: ten minutes late, back from the break five minutes late, ten minutes early home.
    spans = [
        Span(at(0), at(60), WORK),
        Span(at(60), at(90), BREAK),
        Span(at(90), at(180), WORK),
    ]
    spells = [
        spell(-60, 10, AgentState.OFFLINE),
        spell(10, 40),
        spell(40, 60, AgentState.BUSY),
        spell(60, 95, AgentState.AWAY),
        spell(95, 170),
        spell(170, 180, AgentState.OFFLINE),
    ]
    found = adhere(spans, spells)
    assert found == Adherence(
        scheduled_ms=180 * 60_000,
        right_ms=155 * 60_000,
        for_work_ms=150 * 60_000,
        at_work_ms=125 * 60_000,
        departures=(
            Departure(at(0), at(10), WORK, AgentState.OFFLINE),
            Departure(at(90), at(95), WORK, AgentState.AWAY),
            Departure(at(170), at(180), WORK, AgentState.OFFLINE),
        ),
    )
    assert (found.adherence, found.conformance) == (155 / 180, 125 / 150)


def test_work_at_another_time_conforms_and_does_not_adhere() -> None:
    found = adhere([Span(at(0), at(60), WORK)], [spell(0, 60, AgentState.AWAY), spell(60, 120)])
    assert (found.adherence, found.conformance) == (0.0, 1.0)


def test_time_of_which_nothing_is_known_is_neither_right_nor_wrong() -> None:
    found = adhere([Span(at(0), at(60), WORK)], [spell(30, 60)])
    assert (found.adherence, found.unknown_ms) == (1.0, 30 * 60_000)
    nothing = adhere([Span(at(0), at(60), WORK)], [])
    assert (nothing.adherence, nothing.conformance, nothing.unknown_ms) == (None, None, 3_600_000)


def test_a_departure_goes_on_while_the_state_does() -> None:
    away = [spell(step, step + 1, AgentState.NOT_RESPONDING) for step in range(5)]
    assert adhere([Span(at(0), at(10), WORK)], away).departures == (
        Departure(at(0), at(5), WORK, AgentState.NOT_RESPONDING),
    )


def test_who_is_there_for_a_part_counts_as_a_part() -> None:
    spans = [Span(at(-10), at(20), WORK), Span(at(0), at(30), BREAK), Span(at(15), at(60), WORK)]
    assert people_at_work(spans, at(0), 3, timedelta(minutes=15)) == pytest.approx([1.0, 1 / 3 + 1.0, 1.0])


def test_faults_are_named_by_their_place() -> None:
    faults: dict[str, str] = {}
    typed = [
        PieceText("09:00", "08:00", "work"),
        PieceText("9 o'clock", "10:00", "work"),
        PieceText("10:00", "12:00", "work"),
        PieceText("11:00", "13:00", "work"),
        PieceText("11:00", "11:30", "break"),
        PieceText("11:15", "11:45", "meeting"),
        PieceText("25:00", "26:00", "work"),
        PieceText("20:00", "21:00", "party"),
    ]
    read_pieces(typed, "week.monday", faults)
    assert faults == {
        "week.monday.0": "ends before it starts; past midnight is written like 26:00",
        "week.monday.1": "is not a time; one is written like 09:30",
        "week.monday.3": "overlaps 10:00–12:00",
        "week.monday.5": "overlaps 11:00–11:30",
        "week.monday.6": "starts on another day",
        "week.monday.7": "is none of work, break, training, meeting, leave",
    }


def test_a_file_is_read_with_commas_or_semicolons() -> None:
    faults: dict[str, str] = {}
    one = read_csv("agent,day,starts,ends,activity\na@b.test,2026-03-09,09:00,18:00,work\n", faults)
    other = read_csv("\ufeffAgent;Day;Starts;Ends;Activity\r\n a@b.test ;2026-03-09;09:00;18:00;Work\r\n\r\n", faults)
    assert (one, faults) == (other, {})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", {"line 1": "must be agent,day,starts,ends,activity"}),
        ("name,day\n", {"line 1": "must be agent,day,starts,ends,activity"}),
        (
            "agent,day,starts,ends,activity\na@b.test,tomorrow,09:00,18:00,work",
            {"line 2": "has no date; one is written like 2026-12-31"},
        ),
        ("agent,day,starts,ends,activity\n\na@b.test,2026-03-09", {"line 3": "has 2 values instead of 5"}),
    ],
)
def test_a_file_that_is_none_is_told_by_its_line(text: str, fault: dict[str, str]) -> None:
    faults: dict[str, str] = {}
    assert read_csv(text, faults) == []
    assert faults == fault
