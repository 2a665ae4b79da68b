"""The registry itself, and the days that figures are told of."""

import json
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from hub.domain.events import FACT_KINDS
from hub.kpi.cells import COUNTERS, NOTHING, SKETCHES, Cell
from hub.kpi.days import day_of, local_day, wall_ms, wall_s
from hub.kpi.measures import DEFAULTS, MEASURES, Measure, Unit, sources_of
from hub.kpi.moments import MOMENTS
from hub.kpi.sketch import make_sketch
from hub.staffing.adherence import DEFINITIONS
from tests.support.hub_process import ROOT

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


def test_wall_time_is_elapsed_time_and_never_negative() -> None:
    assert wall_s(AT, AT + timedelta(seconds=2.5)) == 2.5
    assert wall_ms(AT, AT + timedelta(seconds=2.4999)) == 2_499
    # A provider's clock may run ahead of ours.
    assert wall_s(AT + timedelta(seconds=2.5), AT) == 0.0
    assert wall_ms(AT + timedelta(seconds=2.5), AT) == 0


def test_every_measure_says_what_it_is() -> None:
    assert len(MEASURES) == len({measure.name for measure in MEASURES.values()})
    for measure in MEASURES.values():
        assert measure.formula.endswith(".")
        assert measure.version >= 1
        assert set(measure.reads) <= set(COUNTERS)
        assert measure.sketch is None or measure.sketch in SKETCHES
        assert set(sources_of(measure)) <= set(FACT_KINDS)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_measure_reads_no_more_than_it_says(measure: Measure) -> None:
    """Every counter has another value; a cell of those that it reads alone gives the same figure."""
    counts = {name: 1 + n * n for n, name in enumerate(COUNTERS)}
    sketches = {name: make_sketch(range(100 * n, 100 * n + 50)) for n, name in enumerate(SKETCHES, 1)}
    alone = {name: counts[name] for name in measure.reads}
    sketch = {measure.sketch: sketches[measure.sketch]} if measure.sketch else {}
    assert measure.of(Cell(alone, sketch), DEFAULTS) == measure.of(Cell(counts, sketches), DEFAULTS)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_nothing_has_no_value_and_no_case(measure: Measure) -> None:
    figure = measure.of(NOTHING, DEFAULTS)
    assert figure.n == 0
    assert figure.value in ((0, None) if measure.unit in (Unit.COUNT, Unit.SECONDS) else (None,))


def test_the_console_says_of_a_figure_what_the_registry_says() -> None:
    """In English word for word, but for the bounds that it names; other languages translate these."""
    words = json.loads((ROOT / "web_console" / "src" / "locales" / "en.json").read_text())["measure"]
    unbound = {"{threshold}": "the threshold", "{days}": "so many", ", under {short}": "", " (under {short})": ""}
    shown = {
        name: reduce(lambda text, each: text.replace(*each), unbound.items(), text) for name, text in words.items()
    }
    formulas = {name: measure.formula for name, measure in MEASURES.items()}
    formulas |= {name: one.formula for name, one in (*MOMENTS.items(), *DEFINITIONS.items())}
    assert shown == {name: formulas[name] for name in shown}
    assert {*MOMENTS, *DEFINITIONS} <= set(shown)
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
