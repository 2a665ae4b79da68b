"""What is asked wrongly, what is not known yet, what goes on right now, and what is compared with before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy.event import listen

from hub.domain.events import AgentSpellEnded, FactEvent, SurveyAnswered
from hub.errors import InvalidInput, ReportTooLarge
from hub.kpi import figures
from hub.kpi.cells import Dim
from hub.kpi.days import Grain
from hub.kpi.facts import begin_rebuild, project, rebuild_facts
from hub.kpi.figures import Filters, Query, Report, load_figures
from hub.kpi.measures import Params
from hub.store import tables
from hub.store.database import Database, Tx
from tests.kpi.random_facts import emit, project_all
from tests.kpi.reference import ANNA, BORIS, CARE, NOON, SALES, after, response, segment
from tests.kpi.test_kept_cells import load_all

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

TODAY = date(2026, 3, 10)
DAY = timedelta(days=1)
HANDLED = Query(("handled_segments",), TODAY, TODAY)


async def keep(database: Database, *facts: FactEvent) -> None:
    await database.transaction(emit, facts)
    await project_all(database)


async def ask(database: Database, query: Query, now: datetime = NOON + 9 * DAY) -> Report:
    return await database.read(load_figures, query, now)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"measures": ()}, "measures"),
        ({"measures": ("aht", "nonsense")}, "measures"),
        ({"since": TODAY + DAY}, "since"),
        ({"since": date(1975, 1, 1)}, "until"),
        ({"since": TODAY - 40 * DAY, "grain": Grain.INTERVAL}, "grain"),
        ({"by": Dim.AGENT, "ids": ("1; DROP TABLE",)}, "ids"),
        ({"by": Dim.AGENT, "ids": ("9" * 30,)}, "ids"),
        ({"filters": Filters(queues=("all",))}, "queues"),
        # What waits in a queue is no agent's; an agent's time no queue's.
        ({"measures": ("abandonment_rate",), "by": Dim.AGENT}, "measures"),
        ({"measures": ("occupancy",), "filters": Filters(queues=("1",))}, "measures"),
        ({"since": date(1, 1, 1), "until": date(1, 1, 1)}, "since"),
        ({"since": date.max, "until": date.max}, "since"),
        ({"before": TODAY}, "before"),
        ({"params": Params(threshold_s=25)}, "threshold_s"),
        ({"params": Params(short_s=0)}, "short_s"),
        ({"params": Params(days=8)}, "days"),
    ],
)
async def test_what_is_asked_wrongly_is_refused_by_name(
    database: Database, change: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await ask(database, replace(HANDLED, **change))  # type: ignore[arg-type]
    assert list(refused.value.fields) == [field]


async def test_too_much_to_fold_is_refused_and_says_what_to_narrow(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(database, *(segment(number, ANNA, NOON) for number in range(1, 7)))
    folded = replace(HANDLED, by=Dim.AGENT, filters=Filters(queues=("1",)))
    monkeypatch.setattr(figures, "FACT_LIMIT", 6)
    assert (await ask(database, folded)).rows[0].figures["handled_segments"].n == 6
    monkeypatch.setattr(figures, "FACT_LIMIT", 5)
    with pytest.raises(ReportTooLarge) as refused:
        await ask(database, folded)
    assert set(refused.value.fields) == {"since", "filters"}


async def test_too_many_rows_are_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep(database, segment(1, ANNA, NOON), segment(2, BORIS, NOON))
    monkeypatch.setattr(figures, "ROW_LIMIT", 1)
    with pytest.raises(ReportTooLarge) as refused:
        await ask(database, replace(HANDLED, by=Dim.AGENT))
    assert set(refused.value.fields) == {"grain"}


@pytest.mark.parametrize("grain", [Grain.DAY, Grain.WEEK, Grain.MONTH])
@pytest.mark.parametrize("ids", [(), (str(ANNA), str(BORIS))])
async def test_too_many_rows_of_any_grain_are_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch, grain: Grain, ids: tuple[str, ...]
) -> None:
    """Of the two days each lies in a week and in a month of its own."""
    first, second = NOON.replace(month=1, day=5), NOON.replace(month=2, day=9)
    await keep(
        database, *(segment(n, who, at) for n, (who, at) in enumerate(product((ANNA, BORIS), (first, second)), 1))
    )
    query = replace(HANDLED, since=first.date(), until=second.date(), by=Dim.AGENT, ids=ids, grain=grain)
    monkeypatch.setattr(figures, "ROW_LIMIT", 1)
    with pytest.raises(ReportTooLarge) as refused:
        await ask(database, query)
    assert set(refused.value.fields) == {"grain"}


async def test_too_many_rows_are_refused_before_they_are_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(database, segment(1, ANNA, NOON), segment(2, BORIS, NOON + DAY))
    monkeypatch.setattr(figures, "load_each", None)
    monkeypatch.setattr(figures, "ROW_LIMIT", 1)
    with pytest.raises(ReportTooLarge):
        await ask(database, replace(HANDLED, until=TODAY + DAY, by=Dim.AGENT, grain=Grain.DAY))


@pytest.mark.parametrize("grain", [Grain.WEEK, Grain.MONTH])
async def test_years_ask_no_more_of_the_database_than_weeks(database: Database, grain: Grain) -> None:
    await keep(database, segment(1, ANNA, NOON))

    def count(tx: Tx, days: int) -> int:
        told: list[str] = []
        listen(tx.connection, "before_cursor_execute", lambda *arguments: told.append(arguments[2]))
        query = replace(HANDLED, since=TODAY - days * DAY, until=TODAY, grain=grain, compare=True)
        assert len(figures.load_figures(tx, query, NOON).rows) > days // 31
        return len(told)

    assert await database.read(count, 3_000) <= await database.read(count, 100)


async def test_what_is_not_known_is_a_gap_and_not_zero(database: Database) -> None:
    """The first fact is of the 10th; it is the evening of the 11th."""
    await keep(database, segment(1, ANNA, NOON))
    week = replace(HANDLED, since=TODAY - DAY, until=TODAY + 2 * DAY, grain=Grain.DAY)
    report = await ask(database, week, NOON + DAY)
    assert [row.is_gap for row in report.rows] == [True, False, False, True]
    assert [row.figures.get("handled_segments") is None for row in report.rows] == [True, False, False, True]
    assert [row.figures["handled_segments"].value for row in report.rows[1:3]] == [1, 0]
    assert not report.is_complete
    assert (await ask(database, replace(week, since=TODAY, until=TODAY + DAY), NOON + DAY)).is_complete


async def test_a_hub_without_facts_has_gaps_alone(database: Database) -> None:
    report = await ask(database, HANDLED)
    assert [row.is_gap for row in report.rows] == [True]
    assert not report.is_complete


async def test_a_projector_that_is_behind_is_told(database: Database) -> None:
    await keep(database, segment(1, ANNA, NOON))
    assert (await ask(database, HANDLED)).is_complete
    await database.transaction(emit, [segment(2, ANNA, NOON)])
    told_at = await database.read(lambda tx: tx.now)
    report = await ask(database, HANDLED)
    assert (report.is_complete, report.as_of) == (False, told_at)
    assert report.rows[0].figures["handled_segments"].value == 1


async def test_what_came_late_or_twice_counts_once_where_it_belongs(database: Database) -> None:
    yesterday = segment(2, ANNA, NOON - DAY)
    await keep(database, segment(1, ANNA, NOON))
    await keep(database, yesterday, yesterday)
    await keep(database, yesterday, segment(1, ANNA, NOON))
    report = await ask(database, replace(HANDLED, since=TODAY - DAY, grain=Grain.DAY))
    assert [row.figures["handled_segments"].value for row in report.rows] == [1, 1]


async def test_a_score_given_anew_takes_the_place_of_the_old_one(database: Database) -> None:
    first = SurveyAnswered(1, "csat", 2, 1, 1, "chat", CARE, NOON, after(9), ANNA)
    await keep(database, first)
    await keep(database, replace(first, score=4, replaces=2), replace(first, score=5, replaces=4))
    figure = (await ask(database, Query(("csat",), TODAY, TODAY))).rows[0].figures["csat"]
    assert (figure.value, figure.n, figure.mean) == (1, 1, 5)
    before = await database.read(load_all)
    await rebuild_facts(database)
    assert await database.read(load_all) == before


async def test_what_an_agent_does_right_now_counts_up_to_now(database: Database) -> None:
    """Anna had nothing to do for an hour; since then, half an hour ago, she has had work. Boris has signed out."""
    going_on = {"spell_state": "available", "spell_load": 40, "spell_capacity": 100, "spell_work_count": 1}

    def begin(tx: Tx) -> None:
        for agent, state in ((ANNA, "available"), (BORIS, "offline")):
            changes = {**going_on, "spell_state": state, "spell_since": NOON}
            tx.execute(
                tables.agent.insert().values(user_id=agent, state=state, state_since=NOON, idle_since=NOON, **changes)
            )

    await database.transaction(begin)
    await keep(database, AgentSpellEnded(ANNA, NOON - timedelta(hours=1), NOON, "available", None, 0, 100, 0))
    query = Query(("occupancy", "worked_s"), TODAY, TODAY)
    half_past = NOON + timedelta(minutes=30)
    found = {
        key: (await ask(database, replace(query, **how), half_past)).rows  # type: ignore[arg-type]
        for key, how in {
            "all": {},
            "agents": {"by": Dim.AGENT},
            "her": {"by": Dim.AGENT, "ids": (str(ANNA),)},
            "him": {"by": Dim.AGENT, "ids": (str(BORIS),)},
            "filtered": {"filters": Filters(agents=(str(ANNA),))},
            "yesterday": {"since": TODAY - DAY, "until": TODAY - DAY},
        }.items()
    }
    worked = {key: [row.figures["worked_s"].value for row in rows if row.figures] for key, rows in found.items()}
    hours = [5400.0]
    assert worked == {"all": hours, "agents": hours, "her": hours, "him": [0.0], "filtered": hours, "yesterday": []}
    assert found["all"][0].figures["occupancy"].value == 1 / 3
    intervals = await ask(database, replace(query, grain=Grain.INTERVAL, by=Dim.AGENT), half_past)
    assert sum(row.figures["worked_s"].value or 0 for row in intervals.rows) == 5400


async def test_a_day_is_compared_with_the_day_before_and_a_month_with_the_month(database: Database) -> None:
    facts = [segment(1, ANNA, NOON), segment(2, ANNA, NOON - DAY), segment(3, BORIS, NOON - DAY)]
    await keep(database, *facts, segment(4, ANNA, NOON - 28 * DAY), segment(5, ANNA, NOON - 60 * DAY))
    [day] = (await ask(database, replace(HANDLED, compare=True))).rows
    assert (day.figures["handled_segments"].value, day.figures["handled_segments"].previous) == (1, 2)
    march = replace(HANDLED, since=date(2026, 3, 1), until=date(2026, 3, 31), compare=True)
    [month] = (await ask(database, march)).rows
    assert (month.figures["handled_segments"].value, month.figures["handled_segments"].previous) == (3, 1)


@pytest.mark.parametrize("how", [{}, {"by": Dim.AGENT}, {"by": Dim.CHANNEL}, {"filters": Filters(agents=(str(ANNA),))}])
async def test_a_day_that_goes_on_is_compared_up_to_the_same_time_of_day(
    database: Database, how: dict[str, object]
) -> None:
    """Of yesterday's two answers and three pieces of work only those before 14:00 in Kyiv."""
    early, late = NOON - DAY - timedelta(hours=1), NOON - DAY + timedelta(hours=1)
    handled = (segment(n, ANNA, at) for n, at in enumerate((NOON - timedelta(hours=2), early, late, late), 1))
    answers = (response(n, ANNA, at, took_s) for n, (at, took_s) in enumerate(((early, 60), (late, 600)), 10))
    await keep(database, *handled, *answers, segment(9, ANNA, NOON - 40 * DAY))
    names = ("handled_segments", "handled_contacts", "first_response_s")
    query = replace(HANDLED, measures=names, compare=True, **how)  # type: ignore[arg-type]
    report = await ask(database, query, NOON)
    [today] = report.rows
    assert [(today.figures[name].value, today.figures[name].previous) for name in names] == [(1, 1), (1, 1), (None, 60)]
    assert report.compared is not None
    assert report.compared.cut_at == NOON - DAY
    [over] = (await ask(database, query, NOON + DAY)).rows
    assert over.figures["handled_segments"].previous == 3
    week = replace(query, since=TODAY - 6 * DAY, grain=Grain.DAY)
    before = [row.figures["handled_segments"].value for row in (await ask(database, week, NOON)).rows if row.figures]
    assert before[-2:] == [3, 1]


async def test_nothing_is_compared_with_a_time_of_which_a_part_is_not_known(database: Database) -> None:
    await keep(database, segment(1, ANNA, NOON), segment(2, ANNA, NOON - 9 * DAY))
    week = replace(HANDLED, since=TODAY - 6 * DAY, compare=True)
    [row] = (await ask(database, week)).rows
    assert (row.figures["handled_segments"].value, row.figures["handled_segments"].previous) == (1, None)


async def test_who_did_nothing_has_a_row_if_named(database: Database) -> None:
    await keep(database, segment(1, ANNA, NOON))
    by_agent = await ask(database, replace(HANDLED, by=Dim.AGENT))
    assert [(row.key, row.name) for row in by_agent.rows] == [(str(ANNA), "Anna")]
    named = await ask(database, replace(HANDLED, by=Dim.AGENT, ids=(str(BORIS), str(ANNA))))
    assert [(row.name, row.figures["handled_segments"].value) for row in named.rows] == [("Anna", 1), ("Boris", 0)]


async def test_two_things_at_once_are_folded(database: Database) -> None:
    facts = [
        replace(segment(n, agent, NOON), queue_id=queue) for n, agent, queue in ((1, ANNA, CARE), (2, ANNA, SALES))
    ]
    await keep(database, *facts)
    report = await ask(database, replace(HANDLED, by=Dim.QUEUE, filters=Filters(agents=(str(ANNA),))))
    assert [(row.name, row.figures["handled_segments"].value) for row in report.rows] == [("Care", 1), ("Sales", 1)]


async def test_figures_are_told_while_everything_is_made_anew(database: Database) -> None:
    """Of what is made again already, and not as complete."""
    await keep(database, segment(1, ANNA, NOON))
    await database.transaction(begin_rebuild)
    await database.transaction(project)
    report = await ask(database, HANDLED)
    assert not report.is_complete
    await project_all(database)
    assert (await ask(database, HANDLED)).is_complete
