"""Every figure can be opened: the list behind it has as many contacts as the figure says, and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest

from hub.errors import InvalidInput
from hub.kpi.belonging import load_placing
from hub.kpi.cells import Dim
from hub.kpi.contacts import Contact, ContactsQuery, load_contacts
from hub.kpi.days import Grain
from hub.kpi.figures import NO_FILTERS, Filters, Query, load_figures
from hub.kpi.measures import MEASURES
from hub.store.database import Database, Tx
from tests.kpi.random_facts import CHANNELS, DAYS, FIRST, draw_facts, emit, project_all
from tests.kpi.reference import ANNA, CARE

pytestmark = pytest.mark.anyio

SINCE, UNTIL = date(2026, 3, 27), date(2026, 4, 12)
NOW = FIRST + timedelta(days=DAYS + 20)


def load_all(tx: Tx, query: ContactsQuery) -> list[Contact]:
    """All pages, one after the other."""
    found: list[Contact] = []
    cursor: str | None = None
    while True:
        page = load_contacts(tx, replace(query, cursor=cursor), NOW)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize(
    ("by", "filters"),
    [
        *((dim, NO_FILTERS) for dim in Dim if dim is not Dim.TEAM),
        (Dim.AGENT, Filters(queues=(str(CARE),))),
        (Dim.ALL, Filters(agents=(str(ANNA),), channels=("chat", "line"))),
    ],
    ids=str,
)
async def test_as_many_contacts_are_behind_a_figure_as_it_says(shop: Database, by: Dim, filters: Filters) -> None:
    await shop.transaction(emit, draw_facts(Random(6)))
    await project_all(shop)
    wanted = {by, *filters.dims()}
    names = [name for name, one in MEASURES.items() if wanted <= set(one.by) and one.has_contacts]
    report = await shop.read(load_figures, Query(tuple(names), SINCE, UNTIL, by=by, filters=filters), NOW)
    row = report.rows[0]

    def count(tx: Tx) -> dict[str, int]:
        query = ContactsQuery("", SINCE, UNTIL, by, row.key, filters, limit=200)
        return {name: len(load_all(tx, replace(query, measure=name))) for name in names}

    assert await shop.read(count) == {name: row.figures[name].n for name in names}
    assert any(row.figures[name].n for name in names)


async def test_a_row_of_a_quarter_of_an_hour_opens_to_its_own_contacts(shop: Database) -> None:
    await shop.transaction(emit, draw_facts(Random(6)))
    await project_all(shop)
    names = ("service_level", "handled_contacts", "calls_per_day", "fcr")
    query = Query(names, SINCE, SINCE + timedelta(days=1), Grain.INTERVAL, Dim.AGENT)
    query = replace(query, measures=("handled_contacts", "answered", "fcr"))
    report = await shop.read(load_figures, query, NOW)

    def count(tx: Tx) -> list[dict[str, int]]:
        asked = ContactsQuery("", query.since, query.until, Dim.AGENT)
        return [
            {
                name: len(load_all(tx, replace(asked, measure=name, dim_id=row.key, start=row.start, end=row.end)))
                for name in query.measures
            }
            for row in report.rows
        ]

    told = [{name: figure.n for name, figure in row.figures.items()} for row in report.rows]
    assert await shop.read(count) == told
    assert len(told) > 2


async def test_pages_go_through_all_contacts_from_the_newest_on_each_once(shop: Database) -> None:
    await shop.transaction(emit, draw_facts(Random(7)))
    await project_all(shop)

    def compare(tx: Tx) -> list[Contact]:
        query = ContactsQuery("transfer_rate", SINCE, UNTIL)
        whole = load_all(tx, replace(query, limit=200))
        assert load_all(tx, replace(query, limit=7)) == whole
        return whole

    found = await shop.read(compare)
    assert [contact.at for contact in found] == sorted((contact.at for contact in found), reverse=True)
    placing = await shop.read(load_placing)
    days = {contact.at.astimezone(placing.zone).date() for contact in found}
    assert SINCE <= min(days) <= max(days) <= UNTIL
    assert {contact.value for contact in found} == {0, 1}
    assert {contact.channel_id for contact in found} == set(CHANNELS)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_behind_a_service_level_each_contact_says_how_long_it_waited(shop: Database) -> None:
    await shop.transaction(emit, draw_facts(Random(6)))
    await project_all(shop)
    behind = await shop.read(load_all, ContactsQuery("service_level", SINCE, UNTIL, limit=200))
    answered = [(contact.value, (contact.wait_s or 0) <= 20) for contact in behind if contact.what == "answered"]
    assert answered
    assert all(value == is_within for value, is_within in answered)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (ContactsQuery("nonsense", SINCE, UNTIL), "measures"),
        (ContactsQuery("occupancy", SINCE, UNTIL), "measure"),
        (ContactsQuery("fcr", UNTIL, SINCE), "since"),
        (ContactsQuery("fcr", SINCE, UNTIL, Dim.AGENT), "id"),
        (ContactsQuery("fcr", SINCE, UNTIL, Dim.AGENT, "Anna"), "ids"),
        (ContactsQuery("service_level", SINCE, UNTIL, Dim.AGENT, "1"), "measures"),
        (ContactsQuery("fcr", SINCE, UNTIL, limit=0), "limit"),
        (ContactsQuery("fcr", SINCE, UNTIL, limit=201), "limit"),
        (ContactsQuery("fcr", SINCE, UNTIL, start=FIRST), "start"),
        *(
            (ContactsQuery("fcr", SINCE, UNTIL, cursor=cursor), "cursor")
            for cursor in ("", "x", "1", "1-0", "1-7-1", "1-0-1-1", "9" * 30 + "-0-1", "1-0-' OR 1")
        ),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_cannot_be_opened_is_refused_by_name(shop: Database, asked: ContactsQuery, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await shop.read(load_contacts, asked, NOW)
    assert list(refused.value.fields) == [field]
