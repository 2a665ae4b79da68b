"""Forecasts as they are kept: made once, from the days before, and compared with what then came."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from hub.routing.calendar import SpecialDayText
from hub.routing.calendars import CalendarText, create_calendar
from hub.staffing.forecasts import (
    KEPT_LEADS,
    Forecaster,
    QueueForecast,
    load_arrivals,
    load_forecast_parts,
    load_history,
    queue_forecast,
)
from hub.store import tables
from hub.store.database import Database, Tx
from tests.kpi.conftest import KYIV
from tests.kpi.random_facts import emit, project_all
from tests.kpi.reference import ANNA, BORIS, CARE, SALES, segment
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

TODAY = date(2026, 3, 10)  # a Tuesday, noon in UTC by the clock


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=KYIV).astimezone(UTC)


def stays(tx: Tx, day: date, hour: int, count: int, queue_id: int = CARE, *, reason: str = "answered") -> None:
    """So many in the quarter from that hour of the clock on the wall on, each of 20 s."""
    begun = at(day, hour)
    number = tx.scalar(select(func.count()).select_from(tables.fact_queue_visit))
    rows = [
        {
            "conversation_id": number + step + 1,
            "visit": 1,
            "customer_id": 1,
            "channel_id": "line",
            "queue_id": queue_id,
            "arrived_at": begun,
            "waiting_since": begun,
            "queued_at": begun,
            "removed_at": begun + timedelta(seconds=20),
            "reason": reason,
            "agent_id": None,
            "call_id": None,
            "topic_id": None,
        }
        for step in range(count)
    ]
    tx.insert_new(tables.fact_queue_visit, rows)


@pytest.fixture
async def weeks(database: Database) -> Database:
    """Eight weeks before TODAY: ten stays at 10:00 on each day, thirty on Mondays; the day before them, of which a part is
    known, one at noon."""

    def prepare(tx: Tx) -> None:
        stays(tx, TODAY - timedelta(days=57), 12, 1)
        for step in range(1, 57):
            day = TODAY - timedelta(days=step)
            stays(tx, day, 10, 30 if day.weekday() == 0 else 10)

    await database.transaction(prepare)
    return database


async def report(database: Database, first: date, last: date, *, lead_days: int = 1) -> QueueForecast:
    return queue_forecast(await database.read(load_forecast_parts, CARE, first, last, lead_days))


async def test_tomorrow_is_foretold_from_the_weeks_before(weeks: Database) -> None:
    assert await Forecaster(weeks).make() == 1, "of Sales nothing is known"
    found = await report(weeks, TODAY, TODAY + timedelta(days=28))
    by_day = [found.intervals[96 * step : 96 * (step + 1)] for step in range(27)]
    ten = [day[40] for day in by_day[1:]]
    assert [each.start for each in ten[:2]] == [at(TODAY + timedelta(days=1), 10), at(TODAY + timedelta(days=2), 10)]
    assert [each.forecast for each in ten[:6]] == pytest.approx([10.0] * 5 + [30.0], rel=0.02)
    assert [each.actual for each in ten] == [None] * len(ten)
    assert (found.made_on, found.history_days) == (TODAY, 56)


async def test_of_a_day_that_is_over_the_forecast_of_the_day_before_stands_beside_what_came(
    weeks: Database, clock: FrozenClock
) -> None:
    forecaster = Forecaster(weeks)
    await forecaster.make()
    clock.advance(days=1)
    await forecaster.make()
    tomorrow = TODAY + timedelta(days=1)
    await weeks.transaction(stays, tomorrow, 10, 14)
    clock.advance(days=1)
    await forecaster.make()
    found = await report(weeks, tomorrow, tomorrow)
    interval = found.intervals[40]
    assert interval.forecast == pytest.approx(10.0, rel=0.02)
    assert interval.actual == 14
    assert found.accuracy.wape == pytest.approx(4 / 14, rel=0.05)
    assert found.accuracy.bias == pytest.approx(-4 / 14, rel=0.05)
    assert found.errors[1].wape == found.accuracy.wape
    assert (found.errors[7].intervals, found.errors[7].wape) == (0, None)
    same_morning = await report(weeks, tomorrow, tomorrow, lead_days=0)
    assert same_morning.intervals[40].forecast == pytest.approx(10.0, rel=0.02)
    assert (await report(weeks, tomorrow, tomorrow, lead_days=7)).intervals[40].forecast is None


async def test_what_was_foretold_is_never_changed(weeks: Database) -> None:
    await Forecaster(weeks).make()
    before = await report(weeks, TODAY, TODAY + timedelta(days=7))
    await weeks.transaction(stays, TODAY - timedelta(days=1), 10, 500)
    assert await Forecaster(weeks).make() == 0, "another process, later the same day"
    after = await report(weeks, TODAY, TODAY + timedelta(days=7))
    assert [each.forecast for each in after.intervals] == [each.forecast for each in before.intervals]


async def test_of_days_that_are_over_few_forecasts_are_kept(weeks: Database, clock: FrozenClock) -> None:
    forecaster = Forecaster(weeks)
    for _ in range(10):
        await forecaster.make()
        clock.advance(days=1)
    await forecaster.make()
    over = (TODAY + timedelta(days=9)).isoformat()
    query = select(tables.forecast.c.made_on).where(tables.forecast.c.day == over).order_by(tables.forecast.c.made_on)
    made = [date.fromisoformat(row.made_on) for row in await weeks.read(lambda tx: tx.rows(query))]
    assert [(date.fromisoformat(over) - day).days for day in made] == [lead for lead in (7, 1, 0) if lead in KEPT_LEADS]


async def test_none_is_made_while_facts_are_still_being_read(weeks: Database, clock: FrozenClock) -> None:
    await weeks.transaction(emit, [segment(1, ANNA, clock.now)])
    clock.advance(days=1)
    assert await Forecaster(weeks).make() is None
    await project_all(weeks)
    assert await Forecaster(weeks).make() == 1


async def test_holidays_are_foretold_closed(weeks: Database) -> None:
    holiday = TODAY + timedelta(days=3)

    def close(tx: Tx) -> None:
        special = [SpecialDayText(holiday.isoformat(), (), "Holiday")]
        view = create_calendar(tx, CalendarText("Care", "Europe/Kyiv", [[("09:00", "18:00")]] * 7, special))
        tx.execute(update(tables.queue).where(tables.queue.c.id == CARE).values(calendar_id=view.id))

    await weeks.transaction(close)
    await Forecaster(weeks).make()
    found = await report(weeks, holiday, holiday + timedelta(days=1))
    assert [found.intervals[at].forecast for at in (40, 96 + 40)] == pytest.approx([0.0, 10.0], rel=0.02)


async def test_required_and_scheduled_stand_side_by_side(weeks: Database) -> None:
    tomorrow = TODAY + timedelta(days=1)

    def schedule(tx: Tx) -> None:
        for user_id in (ANNA, BORIS):
            tx.insert_new(tables.queue_member, [{"queue_id": CARE, "user_id": user_id}])
        pieces = [["10:05", "18:00", "work"], ["12:00", "13:00", "break"]]
        tx.insert_new(tables.shift_day, [{"agent_id": ANNA, "day": tomorrow.isoformat(), "pieces": pieces}])
        plan = {"queue_id": CARE, "service_level": 0.8, "within_s": 20, "shrinkage": 0.3, "aht_s": 180.0}
        tx.insert_new(tables.staffing_plan, [{**plan, "concurrency": 1}])

    await weeks.transaction(schedule)
    await Forecaster(weeks).make()
    found = await report(weeks, tomorrow, tomorrow)
    # 10 contacts of 3 minutes in 15 are 2 Erlang: four agents answer 80 % in 20 s; six have to be planned.
    interval = found.intervals[40]
    assert (interval.required, interval.required_scheduled) == (4, 6)
    assert interval.scheduled == pytest.approx(2 / 3)
    assert [found.intervals[4 * hour].scheduled for hour in (9, 11, 12, 13, 18)] == [0.0, 1.0, 0.0, 1.0, 0.0]
    assert (found.intervals[0].required, found.intervals[0].required_scheduled) == (0, 0)


async def test_days_before_the_first_fact_are_no_empty_days(weeks: Database) -> None:
    long_ago = TODAY - timedelta(days=200)
    history = await weeks.read(load_history, CARE, long_ago, TODAY, KYIV, None)
    assert (history[0].day, len(history)) == (TODAY - timedelta(days=56), 56)
    before = await report(weeks, TODAY - timedelta(days=60), TODAY - timedelta(days=60))
    assert {each.actual for each in before.intervals} == {None}
    assert await weeks.read(load_history, SALES, TODAY - timedelta(days=2), TODAY, KYIV, None) != []


async def test_handle_time_and_patience_are_told_as_they_were(weeks: Database) -> None:
    def leave(tx: Tx) -> None:
        stays(tx, TODAY - timedelta(days=1), 11, 6, reason="abandoned")
        begun = at(TODAY - timedelta(days=1), 11)
        part = {"segment_id": 1, "call_id": 1, "conversation_id": 1, "agent_id": ANNA, "channel_id": "line"}
        times = {"connected_at": begun, "talk_s": 100.0, "hold_s": 20.0, "wrap_up_s": 30.0, "ended_at": begun}
        of = {"queue_id": CARE, "direction": "in", "how": "answered", "end_reason": "completed"}
        tx.insert_new(tables.fact_call_segment, [{**part, **times, **of}])
        hold = {"assignment_id": 1, "conversation_id": 2, "agent_id": ANNA, "channel_id": "chat", "queue_id": CARE}
        ended = begun + timedelta(seconds=250)
        tx.insert_new(
            tables.fact_segment,
            [{**hold, "connected_at": begun, "ended_at": ended, "how": "offer", "end_reason": "resolved"}],
        )

    await weeks.transaction(leave)
    found = await report(weeks, TODAY, TODAY)
    # Since noon four weeks ago: 23 days of ten and four Mondays of thirty, and six who left; each waited 20 s.
    assert found.habits.aht_s == pytest.approx((150 + 250) / 2)
    assert found.habits.patience_s == pytest.approx((23 * 10 + 4 * 30 + 6) * 20 / 6)


async def test_who_still_waits_has_arrived(database: Database, clock: FrozenClock) -> None:
    scene = await Scene(database).set_up()
    await scene.say("Hello")
    clock.advance(minutes=20)
    await scene.say("Anybody there?", sender="+37491000002")
    came = await database.read(load_arrivals, scene.queue_id, at(TODAY, 0), at(TODAY + timedelta(days=1), 0))
    assert came == {clock.now.replace(minute=0): 1, clock.now.replace(minute=15): 1}
