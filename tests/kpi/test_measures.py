"""Every formula against a reference set whose answers were computed by hand."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from hub.kpi.measures import (
    FIRST_RESPONSE,
    HANDLED_CONTACTS,
    HANDLED_SEGMENTS,
    MEASURES,
    RESOLUTION,
    Answered,
    Held,
    Resolved,
    Spread,
    day_of,
    local_day,
    quantile,
    spread,
    wall_s,
)
from tests.support.hub_process import ROOT

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


def answered(*cases_s: float, is_first: bool = True) -> list[Answered]:
    return [Answered(1, is_first, wall_s) for wall_s in cases_s]


def resolved(*cases_s: float, reopened_count: int = 0) -> list[Resolved]:
    return [Resolved(1, reopened_count, wall_s) for wall_s in cases_s]


def test_a_conversation_transferred_twice_is_three_segments_and_one_contact() -> None:
    held = [Held(agent_id, 7) for agent_id in (1, 2, 3)]
    assert HANDLED_SEGMENTS.of(held) == 3
    assert HANDLED_CONTACTS.of(held) == 1


def test_a_conversation_that_comes_back_to_the_same_agent_is_one_contact() -> None:
    held = [Held(1, 7), Held(1, 8), Held(1, 7), Held(1, 9)]
    assert HANDLED_SEGMENTS.of(held) == 4
    assert HANDLED_CONTACTS.of(held) == 3


def test_nothing_handled_is_zero() -> None:
    assert HANDLED_SEGMENTS.of([]) == 0
    assert HANDLED_CONTACTS.of([]) == 0


def test_first_response_counts_only_the_first_answer_of_a_conversation() -> None:
    # (30 + 90) / 2; the 5 s are a later answer.
    cases = answered(30, 90) + answered(5, is_first=False)
    assert FIRST_RESPONSE.of(cases) == Spread(count=2, mean_s=60.0, median_s=60.0, p90_s=84.0)


def test_no_answer_has_no_mean() -> None:
    assert FIRST_RESPONSE.of(answered(5, is_first=False)) == Spread(0, None, None, None)


def test_a_later_reopening_neither_rewrites_nor_adds_to_the_first_resolution() -> None:
    cases = resolved(100) + resolved(9_000, reopened_count=1)
    assert RESOLUTION.of(cases) == Spread(count=1, mean_s=100.0, median_s=100.0, p90_s=100.0)


def test_resolution_has_median_and_p90_beside_the_mean() -> None:
    # Ten cases: mean 1450/10; median (50+60)/2; p90 at position 8.1: 90 + 0.1 · (1000 - 90).
    found = RESOLUTION.of(resolved(10, 20, 30, 40, 50, 60, 70, 80, 90, 1000))
    assert (found.count, found.mean_s, found.median_s) == (10, 145.0, 55.0)
    assert found.p90_s == pytest.approx(181.0, abs=1e-9)


def test_wall_time_is_elapsed_time_and_never_negative() -> None:
    assert wall_s(AT, AT + timedelta(seconds=2.5)) == 2.5
    # A provider's clock may run ahead of ours.
    assert wall_s(AT + timedelta(seconds=2.5), AT) == 0.0


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
    assert list(MEASURES) == [
        "handled_segments",
        "handled_contacts",
        "first_response_s",
        "resolution_s",
        "calls_per_day",
        "calls_missed",
        "talk_s",
        "hold_s",
        "wrap_up_s",
        "aht",
        "calls_offered",
        "calls_answered",
        "calls_abandoned",
        "calls_short_abandoned",
        "asa_queue",
    ]
    assert all(measure.formula.endswith(".") and measure.version >= 1 for measure in MEASURES.values())


def test_the_console_says_of_a_figure_what_the_registry_says() -> None:
    """In English word for word; other languages translate these."""
    shown = json.loads((ROOT / "web_console" / "src" / "locales" / "en.json").read_text())["measure"]
    assert shown == {name: MEASURES[name].formula for name in shown}
    assert {"calls_per_day", "aht", "calls_abandoned"} <= set(shown)


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
