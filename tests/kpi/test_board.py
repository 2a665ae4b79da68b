"""An agent's numbers of today: which facts are today's, in the organisation's time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, update

from hub.domain.events import FACTS, FactEvent
from hub.domain.views import NumbersView
from hub.errors import Misconfigured
from hub.kpi.board import load_numbers, load_numbers_of
from hub.kpi.facts import project
from hub.kpi.sketch import RELATIVE_ERROR
from hub.store import tables
from hub.store.database import Database, Tx
from tests.kpi.reference import ANNA, BORIS, DAY, NOON, resolution, response, segment
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.anyio

KYIV = ZoneInfo("Europe/Kyiv")


async def keep(database: Database, *events: FactEvent) -> None:
    def emit(tx: Tx) -> None:
        for event in events:
            tx.emit(event, {FACTS})

    await database.transaction(emit)
    await database.transaction(project)


def kyiv(month: int, day: int, hour: int = 0, minute: int = 0, *, fold: int = 0) -> datetime:
    """That time of the clocks in Kyiv, in 2026, as an instant."""
    return datetime(2026, month, day, hour, minute, tzinfo=KYIV, fold=fold).astimezone(UTC)


async def numbers(database: Database, now: datetime) -> NumbersView:
    return await database.read(load_numbers, ANNA, now)


async def test_who_has_done_nothing_has_zeros_and_no_durations(database: Database) -> None:
    assert await database.read(load_numbers, ANNA, NOON) == NumbersView(
        user_id=ANNA,
        day="2026-03-10",
        handled_contacts=0,
        first_response_mean_s=None,
        first_response_count=0,
        resolution_median_s=None,
        resolution_count=0,
        as_of_seq=0,
    )


async def test_numbers_of_a_day_match_those_computed_by_hand(database: Database) -> None:
    await keep(
        database,
        response(1, ANNA, NOON, 10),
        response(2, ANNA, NOON, 20),
        response(3, ANNA, NOON, 90),
        resolution(4, ANNA, NOON, 300),
        resolution(5, ANNA, NOON, 100),
        resolution(6, ANNA, NOON, 900),
        resolution(7, ANNA, NOON, 200),
        segment(1, ANNA, NOON),
        segment(2, ANNA, NOON, conversation_id=1),
        segment(3, ANNA, NOON),
        response(8, BORIS, NOON, 7),
    )
    found = await database.read(load_numbers_of, [ANNA, BORIS], NOON)
    # Contacts 1 and 3 in three holds of 90 s; (10 + 20 + 90) / 3; median of 100, 200, 300, 900, and seven tenths
    # of the way from 300 to 900.
    anna = found[ANNA]
    assert anna.resolution_median_s == pytest.approx(250.0, rel=RELATIVE_ERROR)
    assert anna.resolution_p90_s == pytest.approx(720.0, rel=RELATIVE_ERROR)
    assert anna.first_response_median_s == pytest.approx(20.0, rel=RELATIVE_ERROR)
    assert (anna.handled_contacts, anna.handled_segments, anna.handle_mean_s, anna.handle_count) == (2, 3, 90.0, 3)
    assert (anna.first_response_mean_s, anna.first_response_count, anna.resolution_count) == (40.0, 3, 4)
    boris = NumbersView(BORIS, "2026-03-10", 0, 7.0, 1, None, 0, as_of_seq=11, first_response_median_s=7.0)
    assert (anna.as_of_seq, found[BORIS]) == (11, boris)


async def test_work_over_midnight_belongs_to_the_day_in_which_it_ended(database: Database) -> None:
    midnight = kyiv(3, 11)
    just_before = midnight - timedelta(microseconds=1)
    await keep(
        database,
        segment(1, ANNA, just_before),
        segment(2, ANNA, midnight),
        response(3, ANNA, just_before, 60),
        response(4, ANNA, midnight, 30),
        resolution(5, ANNA, midnight + timedelta(seconds=20), 86_000),
    )
    old, new = await numbers(database, kyiv(3, 10, 23, 59)), await numbers(database, kyiv(3, 11, 9))
    assert (old.day, old.handled_contacts, old.first_response_mean_s, old.resolution_count) == (
        "2026-03-10",
        1,
        60.0,
        0,
    )
    assert (new.day, new.handled_contacts, new.first_response_mean_s, new.resolution_count) == (
        "2026-03-11",
        1,
        30.0,
        1,
    )
    assert new.resolution_median_s == 86_000.0


@pytest.mark.parametrize(
    ("day", "begin", "hours"),
    [("2026-03-29", kyiv(3, 29), 23), ("2026-10-25", kyiv(10, 25), 25), ("2026-06-01", kyiv(6, 1), 24)],
)
async def test_a_day_of_23_or_25_hours_has_all_its_work_and_no_more(
    database: Database, clock: FrozenClock, day: str, begin: datetime, hours: int
) -> None:
    """One contact in the middle of every elapsed hour, three hours more on either side."""
    clock.now = begin
    half_hours = [begin + timedelta(hours=n, minutes=30) for n in range(-3, hours + 3)]
    await keep(database, *(segment(n, ANNA, at) for n, at in enumerate(half_hours, start=1)))
    found = await numbers(database, begin + timedelta(hours=12))
    assert (found.day, found.handled_contacts) == (day, hours)


async def test_the_hour_that_comes_twice_is_measured_by_elapsed_time(database: Database) -> None:
    """Asked 03:50 summer time, answered 03:10 winter time: 20 minutes, though the clock on the wall went back."""
    asked = kyiv(10, 25, 3, 50, fold=0)
    answered = kyiv(10, 25, 3, 10, fold=1)
    await keep(database, response(1, ANNA, answered, (answered - asked).total_seconds()))
    assert (await numbers(database, kyiv(10, 25, 8))).first_response_mean_s == 1_200.0


async def test_the_organisations_zone_decides(database: Database) -> None:
    await keep(database, segment(1, ANNA, datetime(2026, 3, 10, 23, 0, tzinfo=UTC)))  # 01:00 on the 11th in Kyiv
    at = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
    assert (await database.read(load_numbers, ANNA, at)).day == "2026-03-11"

    def move(tx: Tx) -> None:
        tx.execute(update(tables.organisation).values(time_zone="America/New_York"))

    await database.transaction(move)
    # Days of another zone are other cells: they are made anew.
    while await database.transaction(project):
        pass
    found = await database.read(load_numbers, ANNA, at)
    assert (found.day, found.handled_contacts) == ("2026-03-10", 1)


async def test_without_an_organisation_days_are_those_of_utc(database: Database) -> None:
    def remove(tx: Tx) -> None:
        tx.execute(delete(tables.organisation))

    await database.transaction(remove)
    assert (await database.read(load_numbers, ANNA, datetime(2026, 3, 10, 23, 59, tzinfo=UTC))).day == "2026-03-10"


async def test_an_unknown_time_zone_is_told_and_not_guessed(database: Database) -> None:
    def mistype(tx: Tx) -> None:
        tx.execute(update(tables.organisation).values(time_zone="Europe/Kyjiw"))

    await database.transaction(mistype)
    with pytest.raises(Misconfigured, match="Europe/Kyjiw"):
        await database.read(load_numbers, ANNA, NOON)


async def test_live_numbers_equal_history_at_every_step(database: Database) -> None:
    """After each fact the numbers are those of all facts so far, whichever batch brought them."""
    for count, event in enumerate(DAY, start=1):
        await keep(database, event)
        so_far = DAY[:count]
        found = await database.read(load_numbers, ANNA, NOON)
        assert found.first_response_count == sum(
            e.kind == "fact.response" and e.agent_id == ANNA and e.is_first for e in so_far
        )
        assert found.handled_contacts == len(
            {e.conversation_id for e in so_far if e.kind == "fact.segment" and e.agent_id == ANNA}
        )
