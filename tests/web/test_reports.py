"""Reports over the API: figures, files, time-lines and patterns; who may ask, and what is said of wrong questions."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, update

from hub.app import Hub
from hub.domain.events import FACTS, AgentSpellEnded, ContactBegan, FactEvent
from hub.kpi.facts import project
from hub.store import tables
from hub.store.database import Tx
from tests.support.clock import FrozenClock
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

# In Berlin the clocks went from 02:00 to 03:00 on 2026-03-29, a Sunday of 23 hours.
NOW = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


async def tell(hub: Hub, *facts: FactEvent) -> None:
    def emit(tx: Tx) -> None:
        tx.execute(update(tables.organisation).values(time_zone="Europe/Berlin"))
        for fact in facts:
            tx.emit(fact, {FACTS})

    await hub.database.transaction(emit)
    await hub.database.transaction(project)


def spell(agent_id: int, since: datetime, until: datetime, state: str = "available", work: int = 0) -> AgentSpellEnded:
    return AgentSpellEnded(agent_id, since, until, state, "lunch" if state == "away" else None, work, 5, work)


def contact(conversation_id: int, at: datetime, queue_id: int, channel_id: str = "line") -> ContactBegan:
    return ContactBegan(conversation_id, 0, 1, channel_id, queue_id, "in", at, by_call=False)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """In March 2026, UTC."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


async def asked(caller: Caller, path: str, **query: str) -> Any:
    answer = await caller.get(path, params={name.rstrip("_"): value for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- what agents did when -----------------------------------------------------------------------------------------------


async def test_days_of_an_agent_are_cut_at_midnight_and_have_the_hours_of_a_report(
    hub: Hub, people: People, as_anna: Caller
) -> None:
    anna = people.anna.id
    await tell(
        hub,
        spell(anna, at(28, 22), at(29, 6)),
        spell(anna, at(29, 6), at(29, 6, 30), "away"),
        spell(anna, at(29, 6, 30), at(29, 23), "available", work=1),
    )
    days = {"from_": "2026-03-28", "to": "2026-03-30"}
    states = await asked(as_anna, "/reports/states", agents=str(anna), **days)
    [line] = states["agents"]
    assert (states["time_zone"], line["name"]) == ("Europe/Berlin", "Anna")
    told = [
        (day["date"], day["signed_in_s"], day["worked_s"], day["available_s"], day["away_by_reason"])
        for day in line["days"]
    ]
    assert told == [
        ("2026-03-28", 3_600, 0, 3_600, {}),
        ("2026-03-29", 23 * 3_600, 15.5 * 3_600, 7 * 3_600, {"lunch": 1_800}),
        ("2026-03-30", 3_600, 3_600, 0, {}),
    ]
    assert [len(day["spells"]) for day in line["days"]] == [1, 3, 1]
    report = await asked(
        as_anna, "/reports/figures", measures="worked_s", by="agent", ids=str(anna), grain="day", **days
    )
    assert [row["figures"]["worked_s"]["value"] for row in report["rows"]] == [day[1] for day in told]


async def test_what_an_agent_does_now_goes_on(hub: Hub, people: People, call: Call) -> None:
    def begin(tx: Tx) -> None:
        tx.execute(
            update(tables.agent)
            .where(tables.agent.c.user_id == people.bert.id)
            .values(
                spell_since=at(30, 9),
                spell_state="available",
                spell_reason=None,
                spell_load=0,
                spell_capacity=5,
                spell_work_count=0,
            )
        )

    await tell(hub, spell(people.bert.id, at(30, 8), at(30, 9)))
    await hub.database.transaction(begin)
    sue = await call(people.supervisor)
    states = await asked(sue, "/reports/states", agents=str(people.bert.id), from_="2026-03-30", to="2026-03-30")
    [day] = states["agents"][0]["days"]
    assert [(one["since"][11:16], one["until"]) for one in day["spells"]][1] == ("09:00", None)
    assert (day["signed_in_s"], day["last_at"]) == (7_200, None)


# --- when the work comes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"channel": "line"}], ids=["kept", "folded"])
async def test_hours_of_the_week_are_those_of_the_local_clock(
    hub: Hub, people: People, call: Call, more: dict[str, str]
) -> None:
    """The hour that the clocks skip has not come, and is told so."""

    def furnish(tx: Tx) -> None:
        channel = {"id": "line", "kind": "phone", "name": "Line", "queue_id": people.sales_id}
        tx.execute(insert(tables.channel).values(**channel, settings={}, secrets="", health_since=tx.now))

    await hub.database.transaction(furnish)
    moments = (at(22, 0, 30), at(29, 0, 30), at(29, 1, 30), at(29, 1, 45))
    await tell(hub, *(contact(number, moment, people.sales_id) for number, moment in enumerate(moments, 1)))
    load = await asked(
        await call(people.supervisor),
        "/reports/load",
        from_="2026-03-29",
        to="2026-03-29",
        queue=str(people.sales_id),
        **more,
    )
    hours = {(one["weekday"], one["hour"]): one for one in load["hours"]}
    assert len(load["hours"]) == 168
    sunday = [(hours[7, hour]["count"], hours[7, hour]["times"], hours[7, hour]["mean"]) for hour in (1, 2, 3, 4)]
    assert sunday == [(1, 1.0, 1.0), (0, 0.0, None), (2, 1.0, 2.0), (0, 1.0, 0.0)]
    assert hours[1, 1] == {"weekday": 1, "hour": 1, "count": 0, "times": 0.0, "mean": None}


# --- what is behind a figure --------------------------------------------------------------------------------------------


async def test_a_figure_is_opened_page_by_page_and_by_its_interval(hub: Hub, people: People, call: Call) -> None:
    moments = (at(29, 9), at(29, 9, 14), at(29, 9, 15), at(30, 9))
    await tell(hub, *(contact(number, moment, people.sales_id) for number, moment in enumerate(moments, 1)))
    sue = await call(people.supervisor)
    days = {"measure": "contacts", "from_": "2026-03-29", "to": "2026-03-29", "by": "queue", "id": str(people.sales_id)}
    first = await asked(sue, "/reports/contacts", limit="2", **days)
    rest = await asked(sue, "/reports/contacts", limit="2", cursor=first["next_cursor"], **days)
    assert [one["conversation_id"] for one in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None
    of_quarter = await asked(sue, "/reports/contacts", interval="2026-03-29T09:00:00Z", **days)
    assert [one["conversation_id"] for one in of_quarter["items"]] == [2, 1]


# --- files --------------------------------------------------------------------------------------------------------------


async def test_names_in_files_are_no_formulas(hub: Hub, people: People, call: Call) -> None:
    def rename(tx: Tx) -> None:
        q = tables.queue.c
        tx.execute(update(tables.queue).where(q.id == people.sales_id).values(name='=HYPERLINK("http://evil.test")'))

    await hub.database.transaction(rename)
    await tell(hub, contact(1, at(29, 9), people.sales_id))
    sue = await call(people.supervisor)
    query = {"measures": "contacts", "by": "queue", "from": "2026-03-29", "to": "2026-03-29"}
    text = (await sue.get("/reports/figures.csv", params=query)).content.decode("utf-8-sig")
    [head, row] = csv.reader(io.StringIO(text))
    told = dict(zip(head, row, strict=True))
    assert (told["Queue"], told["Contacts"]) == ('\'=HYPERLINK("http://evil.test")', "1")
    answer = await sue.get("/reports/figures.xlsx", params=query)
    assert "attachment" in answer.headers["content-disposition"]
    sheet = zipfile.ZipFile(io.BytesIO(answer.content)).read("xl/worksheets/sheet1.xml").decode()
    assert "HYPERLINK" in sheet
    assert "<f>" not in sheet


async def test_days_before_the_first_fact_are_a_gap_and_no_zero(hub: Hub, people: People, call: Call) -> None:
    await tell(hub, contact(1, at(29, 9), people.sales_id))
    report = await asked(
        await call(people.supervisor),
        "/reports/figures",
        measures="contacts",
        grain="day",
        from_="2026-03-28",
        to="2026-03-29",
    )
    gap, told = report["rows"]
    assert (gap["is_gap"], gap["figures"]) == (True, {})
    assert told["figures"]["contacts"]["value"] == 1
    assert report["complete"] is False


async def test_an_id_is_a_number_however_it_is_written(hub: Hub, people: People, call: Call) -> None:
    await tell(hub, contact(1, at(29, 10), people.sales_id))
    sue = await call(people.supervisor)
    for more in ({"by": "queue", "ids": f"0{people.sales_id}"}, {"queue": f"00{people.sales_id}"}):
        days = {"from_": "2026-03-29", "to": "2026-03-29"}
        report = await asked(sue, "/reports/figures", measures="contacts", **days, **more)
        assert [row["figures"]["contacts"]["value"] for row in report["rows"]] == [1]


# --- who may, and what is wrong -----------------------------------------------------------------------------------------

OF_BERT = (
    "/reports/figures?measures=handled_contacts&by=agent&ids={bert}",
    "/reports/figures?measures=handled_contacts&by=agent",
    "/reports/figures?measures=handled_contacts",
    "/reports/figures?measures=handled_contacts&by=agent&ids={anna},{bert}",
    "/reports/figures?measures=handled_contacts&agent={anna}&by=agent&ids={bert}",
    "/reports/figures.csv?measures=handled_contacts&agent={bert}",
    "/reports/figures.xlsx?measures=handled_contacts&agent={bert}",
    "/reports/contacts?measure=handled_contacts&by=agent&id={bert}",
    "/reports/contacts?measure=handled_contacts",
    "/reports/states?agents={bert}",
    "/reports/states?agents={anna},{bert}",
)


@pytest.mark.parametrize("path", OF_BERT)
async def test_an_agent_is_refused_what_is_of_others(as_anna: Caller, people: People, path: str) -> None:
    named = path.format(anna=people.anna.id, bert=people.bert.id)
    answer = await as_anna.get(f"{named}&from=2026-03-29&to=2026-03-29")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/reports/figures?measures=nonsense", "measures"),
        ("/reports/figures?measures=", "measures"),
        ("/reports/figures?measures=offered&by=agent", "measures"),
        ("/reports/figures?measures=offered&from=2026-03-30", "from"),
        ("/reports/figures?measures=offered&from=2000-01-01", "to"),
        ("/reports/figures?measures=offered&from=2026-01-01&grain=interval", "grain"),
        ("/reports/figures?measures=offered&by=queue&ids=999999", "ids"),
        ("/reports/figures?measures=offered&queue=999999", "queue"),
        ("/reports/figures?measures=offered&queue=x", "queue"),
        ("/reports/figures?measures=offered&from=0001-01-01", "from"),
        ("/reports/figures?measures=offered&before=2026-03-01", "before"),
        ("/reports/figures?measures=offered&compare=previous&before=2026-03-29", "before"),
        ("/reports/load?from=0001-01-01", "from"),
        ("/reports/figures?measures=service_level&threshold_s=21", "threshold_s"),
        ("/reports/contacts?measure=nonsense", "measure"),
        ("/reports/contacts?measure=occupancy", "measure"),
        ("/reports/contacts?measure=offered&by=queue", "id"),
        ("/reports/contacts?measure=offered&by=queue&id=999999", "id"),
        ("/reports/contacts?measure=offered&cursor=x", "cursor"),
        ("/reports/states?agents=", "agents"),
        ("/reports/states?agents=x", "agents"),
        ("/reports/states?agents=999999", "agents"),
        ("/reports/states?agents=1&from=2026-01-01", "to"),
        ("/reports/load?measure=aht", "measure"),
        ("/reports/load?measure=nonsense", "measure"),
        ("/reports/load?queue=999999", "queue"),
        ("/reports/figures?measures=offered&from=9999-12-31&to=9999-12-31", "from"),
        ("/reports/figures?measures=offered&from=0001-01-01&to=0001-01-01&compare=previous", "from"),
        ("/reports/figures?measures=handled_contacts&by=agent&ids=%D9%A1", "ids"),
        ("/reports/contacts?measure=offered&from=9999-12-31&to=9999-12-31", "from"),
        ("/reports/contacts?measure=offered&interval=9999-12-31T23:59:59Z", "interval"),
        ("/reports/states?agents=1&from=9999-12-31&to=9999-12-31", "from"),
        ("/reports/load?from=0001-01-01&to=0001-01-01", "from"),
        (f"/shifts?agent={10**30}", "agent"),
    ],
)
async def test_a_wrong_question_is_told_by_its_field(call: Call, people: People, path: str, field: str) -> None:
    first = "" if "from=" in path else "&from=2026-03-29"
    last = "" if "to=" in path else "&to=2026-03-29"
    answer = await (await call(people.supervisor)).get(f"{path}{first}{last}")
    assert answer.status_code == 422, answer.text
    assert field in answer.json()["fields"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/reports/leaderboard?measure=handled_contacts&on=9999-12-31", "on"),
        (f"/reports/leaderboard?measure=handled_contacts&team={10**30}", "team"),
        ("/surveys?since=2026-01-01T00:00:00", "since"),
        (f"/surveys?customer_id={10**30}", "customer_id"),
    ],
)
async def test_a_day_a_team_or_an_instant_that_cannot_be_is_told(
    call: Call, people: People, path: str, field: str
) -> None:
    answer = await (await call(people.supervisor)).get(path)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])
