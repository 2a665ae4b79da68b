"""The past with which a demo begins: drawn alike each time, over before now, and counted like any other work."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from hub.demo import seed
from hub.demo.history import TARGETS, TEAM
from hub.domain.states import ConversationStatus
from hub.kpi.cells import Dim
from hub.kpi.fact_rows import TABLES
from hub.kpi.facts import project
from hub.kpi.figures import Query, load_figures
from hub.staffing.adherence import load_adherence
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.store.vault import Vault
from tests.support.clock import FrozenClock
from tests.support.live import check_live

pytestmark = pytest.mark.anyio

DAYS = 5
VAULT, URL = Vault("x" * 40), "http://127.0.0.1:8080"


async def begin(url: str, clock: FrozenClock) -> Database:
    database = open_database(url)
    database.clock = clock
    await seed.seed(database, VAULT, hub_url=URL, smtp_port=2525, history_days=DAYS)
    while await database.transaction(project):
        pass
    return database


async def test_reports_of_a_fresh_demo_are_filled_and_its_contacts_are_there(
    sqlite_url: str, clock: FrozenClock
) -> None:
    database = await begin(sqlite_url, clock)
    today = clock.now.date()
    measures = ("service_level", "csat", "occupancy", "resolution_s", "aht", "abandonment_rate", "handled_contacts")
    report = await database.read(load_figures, Query(measures, today - timedelta(days=DAYS), today), clock.now)
    (row,) = report.rows
    assert report.is_complete
    assert [name for name, figure in row.figures.items() if not figure.n or figure.value is None] == []
    by_team = await database.read(
        load_figures, Query(("handled_contacts",), today - timedelta(days=DAYS), today, by=Dim.TEAM), clock.now
    )
    assert [(row.name, row.figures["handled_contacts"].n) for row in by_team.rows] == [
        (TEAM, row.figures["handled_contacts"].n)
    ]

    def check(tx: Tx) -> None:
        c, f = tables.conversation.c, tables.fact_contact.c
        told = tx.rows(select(c.status, c.resolved_at).join(tables.fact_contact, f.conversation_id == c.id))
        assert len(told) == tx.scalar(select(func.count()).select_from(tables.fact_contact)) > 50
        assert {row.status for row in told} == {ConversationStatus.RESOLVED.value}
        assert max(row.resolved_at for row in told) < clock.now
        assert tx.scalar(select(func.count()).select_from(tables.kpi_target)) == len(TARGETS)

    await database.read(check)
    await database.read(check_live)
    await database.close()


async def test_the_past_is_the_same_each_time(sqlite_url: str, postgresql_url: str, clock: FrozenClock) -> None:
    cells: list[list[tuple[object, ...]]] = []
    wanted = select(tables.kpi_cell).where(tables.kpi_cell.c.dim.in_([Dim.ALL.value, Dim.AGENT.value]))
    for url in (sqlite_url, postgresql_url):
        database = await begin(url, clock)
        cells.append(await database.read(lambda tx: sorted(tuple(row) for row in tx.rows(wanted))))
        await database.close()
    assert cells[0] == cells[1] != []


async def test_a_demo_that_is_killed_while_its_past_is_counted_goes_on_with_it(
    sqlite_url: str, postgresql_url: str, clock: FrozenClock
) -> None:
    """Killed after each window in turn: the one that comes next writes no second past, and counts the rest of the first."""
    whole = await begin(sqlite_url, clock)
    wanted = await whole.read(load_counted)
    await whole.close()

    is_behind = True
    while is_behind:
        database = open_database(postgresql_url)
        database.clock = clock
        await seed.seed(database, VAULT, hub_url=URL, smtp_port=2525, history_days=DAYS)
        is_behind = await database.transaction(project)
        await database.close()
    database = open_database(postgresql_url)
    database.clock = clock
    assert await database.read(load_counted) == wanted
    await database.close()


def load_counted(tx: Tx) -> dict[str, int]:
    """How many rows there are of the past and of what is counted of it."""
    counted = (tables.customer, tables.conversation, tables.entry, tables.mail, *TABLES.values())
    numbers = {
        table.name: int(tx.scalar(select(func.count()).select_from(table))) for table in (*counted, tables.kpi_sketch)
    }
    return numbers | {"contacts": int(tx.scalar(select(func.sum(tables.kpi_cell.c.contacts))))}


async def test_a_mail_of_the_past_is_a_mail(sqlite_url: str, clock: FrozenClock) -> None:
    database = await begin(sqlite_url, clock)

    def check(tx: Tx) -> None:
        e, c, m = tables.entry.c, tables.conversation.c, tables.mail.c
        of_mail = select(e.id).join(tables.conversation, c.id == e.conversation_id).where(c.channel_id == "email-demo")
        entries = set(tx.execute(of_mail.where(e.kind == "message")).scalars())
        assert entries == set(tx.execute(select(m.entry_id)).scalars())
        answered = m.kind == "reply"
        known = set(tx.execute(select(m.message_id)).scalars())
        refs = [row.refs[-1] for row in tx.rows(select(m.refs).where(answered))]
        assert refs
        assert set(refs) <= known

    await database.read(check)


async def test_people_of_a_fresh_demo_kept_to_their_schedules(sqlite_url: str, clock: FrozenClock) -> None:
    database = await begin(sqlite_url, clock)
    yesterday = clock.now.date() - timedelta(days=1)
    found = await database.read(load_adherence, yesterday - timedelta(days=1), yesterday)
    scheduled = [each for each in found if each.adherence.scheduled_ms]
    assert scheduled
    assert all((each.adherence.adherence or 0) > 0.8 for each in scheduled)
    assert all(0.8 < (each.adherence.conformance or 0) < 1.2 for each in scheduled)
    await database.close()
