"""Every formula against a reference set whose answers were computed by hand."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from hub.domain.events import ConversationResolved, CustomerAnswered, SegmentEnded
from hub.kpi.measures import (
    FIRST_RESPONSE,
    HANDLED_CONTACTS,
    HANDLED_SEGMENTS,
    MEASURES,
    RESOLUTION,
    Spread,
    day_of,
    local_day,
    quantile,
    spread,
    wall_s,
)

T = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return T + timedelta(seconds=seconds)


def segment(assignment_id: int, conversation_id: int, end_reason: str = "resolved", agent_id: int = 1) -> SegmentEnded:
    return SegmentEnded(assignment_id, conversation_id, agent_id, "sms", 1, T, after(60), "offer", end_reason)


def response(entry_id: int, seconds: float, *, is_first: bool = True) -> CustomerAnswered:
    return CustomerAnswered(entry_id, entry_id, 1, "sms", 1, T, after(seconds), is_first)


def resolution(entry_id: int, seconds: float, reopened_count: int = 0) -> ConversationResolved:
    return ConversationResolved(entry_id, entry_id, 1, "sms", 1, T, after(seconds), reopened_count)


def test_a_conversation_transferred_twice_is_three_segments_and_one_contact() -> None:
    held = [segment(1, 7, "transferred", 1), segment(2, 7, "transferred", 2), segment(3, 7, "resolved", 3)]
    assert HANDLED_SEGMENTS.of(held) == 3
    assert HANDLED_CONTACTS.of(held) == 1


def test_segments_count_however_they_ended() -> None:
    held = [segment(n, n, reason) for n, reason in enumerate(["resolved", "released", "agent_lost", "signed_out"])]
    assert HANDLED_SEGMENTS.of(held) == 4
    assert HANDLED_CONTACTS.of(held) == 4


def test_nothing_handled_is_zero() -> None:
    assert HANDLED_SEGMENTS.of([]) == 0
    assert HANDLED_CONTACTS.of([]) == 0


def test_first_response_counts_only_the_first_answer_of_a_conversation() -> None:
    # (30 + 90) / 2; the 5 s are a later answer.
    answered = [response(1, 30), response(2, 5, is_first=False), response(3, 90)]
    assert FIRST_RESPONSE.of(answered) == Spread(count=2, mean_s=60.0, median_s=60.0, p90_s=84.0)


def test_no_answer_has_no_mean() -> None:
    assert FIRST_RESPONSE.of([response(1, 5, is_first=False)]) == Spread(0, None, None, None)


def test_an_answer_before_the_question_by_a_providers_clock_took_no_time() -> None:
    assert FIRST_RESPONSE.of([response(1, -2.5)]) == Spread(1, 0.0, 0.0, 0.0)
    assert wall_s(after(2.5), T) == 0.0


def test_a_later_reopening_neither_rewrites_nor_adds_to_the_first_resolution() -> None:
    resolved = [resolution(1, 100), resolution(2, 9_000, reopened_count=1)]
    assert RESOLUTION.of(resolved) == Spread(count=1, mean_s=100.0, median_s=100.0, p90_s=100.0)


def test_resolution_has_median_and_p90_beside_the_mean() -> None:
    # Ten cases 10, 20 … 90, 1000: mean 1450/10; median (50+60)/2; p90 at position 8.1: 90 + 0.1 · (1000 - 90).
    resolved = [resolution(n, seconds) for n, seconds in enumerate([10, 20, 30, 40, 50, 60, 70, 80, 90, 1000])]
    found = RESOLUTION.of(resolved)
    assert (found.count, found.mean_s, found.median_s) == (10, 145.0, 55.0)
    assert found.p90_s == pytest.approx(181.0, abs=1e-9)


@pytest.mark.parametrize(
    ("cases", "share", "expected"),
    [
        ([4.0], 0.5, 4.0),
        ([4.0], 0.9, 4.0),
        ([1.0, 3.0], 0.5, 2.0),
        ([1.0, 2.0, 9.0], 0.5, 2.0),
        ([1.0, 2.0, 9.0], 0.9, 7.6),
        ([0.0, 10.0, 20.0, 30.0, 40.0], 0.25, 10.0),
    ],
)
def test_quantiles_lie_on_the_line_between_the_nearest_cases(cases: list[float], share: float, expected: float) -> None:
    assert quantile(cases, share) == pytest.approx(expected, abs=1e-12)


def test_a_spread_is_the_same_in_any_order() -> None:
    random = Random(6)
    durations = [random.random() * 10 ** random.randrange(8) for _ in range(500)]
    shuffled = durations.copy()
    random.shuffle(shuffled)
    assert spread(durations) == spread(shuffled)


def test_every_measure_says_what_it_is() -> None:
    assert list(MEASURES) == ["handled_segments", "handled_contacts", "first_response_s", "resolution_s"]
    assert all(measure.formula.endswith(".") and measure.version >= 1 for measure in MEASURES.values())


# --- days -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", "2026-03-29", 24),
        ("Europe/Kyiv", "2026-03-28", 24),
        ("Europe/Kyiv", "2026-03-29", 23),  # 03:00 becomes 04:00
        ("Europe/Kyiv", "2026-10-25", 25),  # 04:00 becomes 03:00
        ("Australia/Lord_Howe", "2026-04-05", 24.5),  # half an hour
        ("Asia/Beirut", "2026-03-29", 23),  # 00:00 becomes 01:00: the day has no midnight
        ("Africa/Cairo", "2026-10-29", 25),  # 24:00 becomes 23:00: the hour before midnight comes twice
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(zone: str, day: str, hours: float) -> None:
    found = day_of(date.fromisoformat(day), ZoneInfo(zone))
    assert found.end - found.start == timedelta(hours=hours)


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Kyiv", "Asia/Beirut", "Africa/Cairo", "America/St_Johns", "Pacific/Apia"]
)
def test_days_of_a_year_meet_without_gap_or_overlap(zone: str) -> None:
    days = [day_of(date(2026, 1, 1) + timedelta(days=n), ZoneInfo(zone)) for n in range(366)]
    assert all(one.end == next_.start for one, next_ in pairwise(days))
    assert all(local_day(day.start, ZoneInfo(zone)) == day for day in days)
    assert all(local_day(day.end - timedelta(microseconds=1), ZoneInfo(zone)) == day for day in days)


def test_midnight_begins_the_new_day() -> None:
    day = local_day(datetime(2026, 3, 10, 12, tzinfo=UTC), ZoneInfo("Europe/Kyiv"))
    assert day.start == datetime(2026, 3, 9, 22, tzinfo=UTC)
    assert day.start in day
    assert day.end not in day
