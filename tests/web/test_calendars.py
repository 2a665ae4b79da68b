"""Business hours by the API: what may be saved, what is refused by its field, and holidays that others have written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from hub.app import Hub
from hub.routing import placement
from hub.store import tables
from hub.store.database import Tx
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.web.conftest import Caller, People

pytestmark = pytest.mark.anyio

WEEK: list[list[list[str]]] = [[["09:00", "18:00"]]] * 5 + [[], []]


def calendar(**other: Any) -> dict[str, Any]:
    return {"name": "Yerevan", "zone": "Asia/Yerevan", "week": WEEK, "special": [], **other}


async def made(as_admin: Caller, **other: Any) -> dict[str, Any]:
    answer = await as_admin.post("/calendars", calendar(**other))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_calendar_is_made_shown_saved_and_removed(
    as_admin: Caller, as_anna: Caller, clock: FrozenClock
) -> None:
    assert clock.now == datetime(2026, 3, 2, 9, tzinfo=UTC), "a Monday, 13:00 in Yerevan"
    special = [{"day": "2026-12-31", "hours": [["10:00", "14:00"]], "name": "Short day", "source": "manual"}]
    first = await made(as_admin, special=special)
    assert first == {
        "id": first["id"],
        "name": "Yerevan",
        "version": 1,
        "zone": "Asia/Yerevan",
        "week": WEEK,
        "special": special,
        "is_open": True,
        "changes_at": "2026-03-02T14:00:00Z",
        "used_by": {"queue_ids": [], "rules": []},
    }
    path = f"/calendars/{first['id']}"
    saved = await as_admin.put(path, calendar(name="Nights", week=[[["22:00", "26:00"]]] * 7, expected_version=1))
    assert (saved.json()["version"], saved.json()["is_open"]) == (2, False)
    assert (await as_anna.get("/calendars")).json()["items"] == [saved.json()]
    assert (await as_anna.get(path)).json() == saved.json()
    assert (await as_admin.delete(path)).status_code == 204
    assert [(await as_admin.get(path)).status_code, (await as_admin.delete(path)).status_code] == [404, 404]


async def test_which_rules_go_by_it_is_told_to_supervisors_only(as_admin: Caller, as_anna: Caller, hub: Hub) -> None:
    calendar_id = (await made(as_admin))["id"]
    hours = {"hours": {"calendar_id": calendar_id, "open": False}}
    rule = {"id": "a", "name": "At night", "enabled": True, "when": hours, "then": {"priority": 5}}

    def put_in_force(tx: Tx) -> None:
        version = placement.create_version(tx, None, "all", [rule], expected_version=None).version
        placement.activate(tx, version)

    await hub.database.transaction(put_in_force)
    path = f"/calendars/{calendar_id}"
    told = [(await caller.get(path)).json() for caller in (as_admin, as_anna)]
    told += [(await caller.get("/calendars")).json()["items"][0] for caller in (as_admin, as_anna)]
    assert [each["used_by"]["rules"] for each in told] == [["At night"], [], ["At night"], []]


async def test_every_version_is_kept(as_admin: Caller, hub: Hub, clock: FrozenClock) -> None:
    first = await made(as_admin)
    clock.advance(60)
    await as_admin.put(f"/calendars/{first['id']}", calendar(zone="Europe/Kyiv"))
    rows = await Scene(hub.database).rows(tables.calendar_version)
    assert [(row["version"], row["body"]["zone"]) for row in rows] == [(1, "Asia/Yerevan"), (2, "Europe/Kyiv")]
    assert rows[1]["since"] - rows[0]["since"] == timedelta(seconds=60)


async def test_whoever_saw_an_older_version_is_told(as_admin: Caller) -> None:
    first = await made(as_admin)
    path = f"/calendars/{first['id']}"
    assert (await as_admin.put(path, calendar(expected_version=1))).status_code == 200
    late = await as_admin.put(path, calendar(expected_version=1))
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")


async def test_a_name_is_given_once(as_admin: Caller) -> None:
    await made(as_admin)
    other = await made(as_admin, name="Tbilisi")
    again = await as_admin.post("/calendars", calendar())
    renamed = await as_admin.put(f"/calendars/{other['id']}", calendar())
    assert [(each.status_code, each.json()["fields"]) for each in (again, renamed)] == [(409, {"name": "is taken"})] * 2


def _monday(*hours: Any) -> list[Any]:
    return [list(hours), *WEEK[1:]]


# (what is not as it should be, the field that is named)
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"zone": "Asia/Yerewan"}, "zone"),
    ({"zone": "Europe"}, "zone"),
    ({"zone": "../etc/passwd"}, "zone"),
    ({"zone": ""}, "zone"),
    ({"week": WEEK[:6]}, "week"),
    ({"week": [[]] * 7}, "week"),
    ({"week": _monday(["09:00", "12:00"], ["11:59", "18:00"])}, "week.monday.1"),
    ({"week": _monday(["18:00", "09:00"])}, "week.monday.0"),
    ({"week": _monday(["9", "18:00"])}, "week.monday.0"),
    ({"week": _monday(["09:00", "49:00"])}, "week.monday.0"),
    ({"week": [[["22:00", "34:00"]], [["09:00", "18:00"]], [], [], [], [], []]}, "week.tuesday.0"),
    ({"special": [{"day": "2026-02-30"}]}, "special.0.day"),
    ({"special": [{"day": "1026-01-01"}]}, "special.0.day"),
    ({"special": [{"day": "2026-01-01"}, {"day": "2026-01-01"}]}, "special.1.day"),
    ({"special": [{"day": "2026-01-01", "hours": [["10:00", "12:00"], ["11:00", "13:00"]]}]}, "special.0.hours.1"),
    ({"special": [{"day": "2026-01-01", "source": "?"}]}, "special.0.source"),
    ({"special": [{"day": "2026-01-01"}] * 2_001}, "special"),
    ({"name": " "}, "name"),
    ({"colour": "red"}, "colour"),
]


async def test_what_is_no_calendar_is_refused_by_its_field(as_admin: Caller, hub: Hub, people: People) -> None:
    object.__setattr__(hub.settings, "body_limit_bytes", 1 << 20)
    kept = await made(as_admin)
    told = []
    for wrong, _ in WRONG:
        answers = [
            await as_admin.post("/calendars", calendar(name="Another") | wrong),
            await as_admin.put(f"/calendars/{kept['id']}", calendar() | wrong),
        ]
        told.append([(answer.status_code, *answer.json()["fields"]) for answer in answers])
    assert told == [[(422, field)] * 2 for _, field in WRONG]
    assert (await as_admin.get("/calendars")).json()["items"] == [kept]


# --- in use -------------------------------------------------------------------------------------------------------------


async def test_a_calendar_that_queues_go_by_is_not_removed(as_admin: Caller, people: People) -> None:
    first = await made(as_admin)
    path = f"/calendars/{first['id']}"
    for queue_id in (people.support_id, people.sales_id):
        answer = await as_admin.patch(f"/queues/{queue_id}", {"calendar_id": first["id"]})
        assert answer.json()["calendar_id"] == first["id"]
    refused = await as_admin.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert refused.json()["fields"] == {"queues": "Sales, Support"}
    assert (await as_admin.get(path)).json()["used_by"]["queue_ids"] == [people.sales_id, people.support_id]
    for queue_id in (people.support_id, people.sales_id):
        await as_admin.patch(f"/queues/{queue_id}", {"calendar_id": None})
    assert (await as_admin.delete(path)).status_code == 204


async def test_a_calendar_by_which_clocks_run_is_not_removed(as_admin: Caller, hub: Hub, people: People) -> None:
    first = await made(as_admin)
    scene = Scene(hub.database, people.support_id)
    await scene.channel("loop", "loopback")
    conversation_id = await scene.opened()

    def note(tx: Tx) -> None:
        segment = {"conversation_id": conversation_id, "start": tx.now, "state": "waiting"}
        tx.execute(insert(tables.escalation_segment).values(**segment, calendar_id=first["id"], calendar_version=1))

    await hub.database.transaction(note)
    refused = await as_admin.delete(f"/calendars/{first['id']}")
    assert (refused.status_code, refused.json()["fields"]) == (409, {"conversations": "the clocks of 1"})


async def test_a_queue_goes_by_no_calendar_that_is_not_there(as_admin: Caller, people: People) -> None:
    answer = await as_admin.patch(f"/queues/{people.sales_id}", {"calendar_id": 999})
    assert (answer.status_code, *answer.json()["fields"]) == (422, "calendar_id")


# --- holidays -----------------------------------------------------------------------------------------------------------

ICAL = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y//EN
BEGIN:VEVENT
UID:1@x
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260921
SUMMARY:Independence Day
RRULE:FREQ=YEARLY
END:VEVENT
BEGIN:VEVENT
UID:2@x
DTSTAMP:20260101T000000Z
DTSTART:20260106T100000Z
SUMMARY:Breakfast
END:VEVENT
END:VCALENDAR
"""


async def test_holidays_are_read_from_a_file_and_nothing_is_saved(as_admin: Caller) -> None:
    answer = await as_admin.post("/calendars/read-ical", {"ical": ICAL, "first": "2026-01-01", "last": "2027-12-31"})
    assert answer.json() == {
        "days": [
            {"day": f"{year}-09-21", "hours": [], "name": "Independence Day", "source": "ical"} for year in (2026, 2027)
        ],
        "skipped": ["Breakfast"],
    }
    assert (await as_admin.get("/calendars")).json()["items"] == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ical": "hello"}, "ical"),
        ({"ical": ""}, "ical"),
        ({"first": "2028-01-01"}, "last"),
        ({"last": "2126-01-01"}, "ical"),
        ({"last": "tomorrow"}, "last"),
    ],
)
async def test_what_is_no_file_of_holidays_is_refused(as_admin: Caller, wrong: dict[str, str], field: str) -> None:
    body = {"ical": ICAL, "first": "2026-01-01", "last": "2027-12-31", **wrong}
    answer = await as_admin.post("/calendars/read-ical", body)
    assert (answer.status_code, *answer.json()["fields"]) == (422, field)


async def test_holidays_of_a_country_are_read(as_admin: Caller) -> None:
    answer = await as_admin.post("/calendars/country-holidays", {"country": "am", "years": [2026, 2027]})
    days = answer.json()["days"]
    assert {"2026-09-21", "2027-09-21"} <= {each["day"] for each in days}
    assert {each["source"] for each in days} == {"country:AM"}
    # As it is told it can be saved.
    assert (await as_admin.post("/calendars", calendar(special=days))).status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"country": "XX", "years": [2026]}, "country"),
        ({"country": "AMM", "years": [2026]}, "country"),
        ({"country": "AM", "subdivision": "ZZ", "years": [2026]}, "subdivision"),
        ({"country": "AM", "years": []}, "years"),
        ({"country": "AM", "years": [1]}, "years.0"),
        ({"country": "AM", "years": [2026] * 21}, "years"),
    ],
)
async def test_holidays_of_no_country_are_refused(as_admin: Caller, body: dict[str, Any], field: str) -> None:
    answer = await as_admin.post("/calendars/country-holidays", body)
    assert (answer.status_code, *answer.json()["fields"]) == (422, field)


async def test_countries_are_listed_those_we_work_for_first(as_admin: Caller) -> None:
    listed = (await as_admin.get("/calendars/countries")).json()["items"]
    assert [each["code"] for each in listed[:4]] == ["AM", "GE", "AZ", "UA"]
    assert next(each for each in listed if each["code"] == "DE")["subdivisions"]
    assert len(listed) == len({each["code"] for each in listed}) > 100
