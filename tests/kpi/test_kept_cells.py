"""Cells that are kept are the sum of their facts, bit for bit: in whatever windows they came, rebuilt from nothing, after a
crash at any commit; and what is folded at the asking is the same."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.domain.events import AgentSpellEnded, SegmentEnded
from hub.kpi import facts
from hub.kpi.belonging import load_placing
from hub.kpi.cells import COUNTERS, Dim
from hub.kpi.days import Grain
from hub.kpi.fact_rows import KINDS, TABLES, load_kept
from hub.kpi.facts import project, rebuild_facts
from hub.kpi.figures import Query, load_figures
from hub.kpi.folding import fold
from hub.kpi.kept_cells import Changes
from hub.kpi.measures import MEASURES, sources_of
from hub.kpi.placing import count_contacts
from hub.kpi.sketch import encode, from_counts
from hub.store import tables
from hub.store.database import Database, Tx
from tests.kpi.random_facts import CHANNELS, DAYS, FIRST, draw_facts, emit, project_all

pytestmark = pytest.mark.anyio

Rows = dict[str, list[tuple[Any, ...]]]


def load_all(tx: Tx) -> Rows:
    """All facts, cells and sketches there are, in the order of their keys."""
    kept = (*TABLES.values(), tables.kpi_cell, tables.kpi_sketch)
    return {table.name: [tuple(row) for row in tx.rows(select(table).order_by(*table.primary_key))] for table in kept}


def load_cells(tx: Tx) -> Rows:
    return {name: rows for name, rows in load_all(tx).items() if name.startswith("kpi_")}


def fold_all(tx: Tx) -> Rows:
    """The cells as they come from the rows of facts, folded at once and from nothing."""
    placing = load_placing(tx)
    changes = Changes()
    rows = [kept for kind in KINDS.values() for kept in load_kept(tx, kind)]
    for kept in rows:
        changes.add(fold(kept.fact, kept.extra, CHANNELS), placing)
    holds = [kept.fact for kept in rows if isinstance(kept.fact, SegmentEnded)]
    changes.add_count("contacts", count_contacts(holds, placing))
    changes.with_months()
    cells = [
        (key.grain, key.dim, key.start, key.dim_id, *(counts[name] for name in COUNTERS))
        for key, counts in changes.counts.items()
        if any(counts.values())
    ]
    sketches = [
        (key.grain, key.dim, name, key.start, key.dim_id, encode(from_counts(bins)))
        for key, of_key in changes.bins.items()
        for name, bins in of_key.items()
    ]
    return {"kpi_cell": sorted(cells), "kpi_sketch": sorted(sketches)}


def in_order(rows: Rows) -> Rows:
    """Databases sort texts differently."""
    return {name: sorted(of_table) for name, of_table in rows.items()}


@pytest.mark.parametrize("seed", [1, 2])
async def test_cells_are_the_sum_of_the_facts_wherever_the_windows_are_cut(
    shop: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random = Random(seed)
    drawn = draw_facts(random)
    while drawn:
        some, drawn = drawn[: (cut := random.randrange(1, 200))], drawn[cut:]
        await shop.transaction(emit, some)
        monkeypatch.setattr(facts, "WINDOW", random.choice((1, 7, 50)))
        await project_all(shop)
    kept = in_order(await shop.read(load_all))
    cells = {name: rows for name, rows in kept.items() if name.startswith("kpi_")}
    assert in_order(await shop.read(fold_all)) == cells

    monkeypatch.setattr(facts, "WINDOW", 1_000)
    monkeypatch.setattr(facts, "_FORGET", 400)
    await rebuild_facts(shop)
    assert in_order(await shop.read(load_all)) == kept


async def test_a_crash_between_any_two_commits_changes_nothing(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed just before each commit in turn, the step is done again by whoever comes next."""
    drawn = draw_facts(Random(3), 40)
    await shop.transaction(emit, drawn)
    await project_all(shop)
    wanted = in_order(await shop.read(load_all))
    monkeypatch.setattr(facts, "WINDOW", 40)
    monkeypatch.setattr(facts, "_FORGET", 150)

    class KilledError(Exception): ...

    def killed(tx: Tx) -> None:
        project(tx)
        raise KilledError

    await shop.transaction(facts.begin_rebuild)
    steps = 0
    is_behind = True
    while is_behind:
        with pytest.raises(KilledError):
            await shop.transaction(killed)
        is_behind = await shop.transaction(project)
        steps += 1
    assert steps > 8
    assert in_order(await shop.read(load_all)) == wanted


async def test_cells_that_an_older_release_left_are_made_anew_by_themselves(shop: Database) -> None:
    drawn = draw_facts(Random(4), 40)
    await shop.transaction(emit, drawn)
    await project_all(shop)
    wanted = in_order(await shop.read(load_all))

    def age(tx: Tx) -> None:
        """As a release left it that knew nothing of cells."""
        tx.execute(tables.projection.delete().where(tables.projection.c.name != "facts"))
        tx.execute(tables.kpi_cell.delete())
        tx.execute(tables.kpi_sketch.delete())
        tx.execute(update(tables.fact_resolution).values(reopened_at=None, repeated_at=None, is_superseded=False))

    await shop.transaction(age)
    await project_all(shop)
    assert in_order(await shop.read(load_all)) == wanted


GRAINS = [Grain.TOTAL, Grain.MONTH, Grain.WEEK, Grain.DAY]


@pytest.mark.parametrize("by", [dim for dim in Dim if dim is not Dim.TEAM], ids=str)
async def test_what_is_kept_and_what_is_folded_at_the_asking_are_equal(
    shop: Database, monkeypatch: pytest.MonkeyPatch, by: Dim
) -> None:
    await shop.transaction(emit, draw_facts(Random(5)))
    await project_all(shop)
    zone = (await shop.read(load_placing)).zone
    first, last = FIRST.astimezone(zone).date(), (FIRST + timedelta(days=DAYS + 16)).astimezone(zone).date()
    names = tuple(name for name, measure in MEASURES.items() if by in measure.by)
    now = FIRST + timedelta(days=DAYS + 20)
    queries = [Query(names, first, last, grain, by) for grain in GRAINS]
    queries += [Query(names, last - timedelta(days=20), last, Grain.INTERVAL, by)]
    kept = [await shop.read(load_figures, query, now) for query in queries]
    monkeypatch.setattr("hub.kpi.figures._Asked.is_folded", True)
    folded = [await shop.read(load_figures, query, now) for query in queries]
    assert [report.rows for report in folded] == [report.rows for report in kept]
    assert all(any(figure.n for row in report.rows for figure in row.figures.values()) for report in kept)


@pytest.mark.parametrize("by", [dim for dim in Dim if dim is not Dim.TEAM], ids=str)
async def test_what_is_compared_with_up_to_an_hour_of_the_day_is_the_same_kept_and_folded(
    shop: Database, monkeypatch: pytest.MonkeyPatch, by: Dim
) -> None:
    await shop.transaction(emit, draw_facts(Random(5)))
    await project_all(shop)
    zone = (await shop.read(load_placing)).zone
    # The drawn spells of an agent overlap, as real ones never do: which of them reach into a range is not told then.
    told = {name: one for name, one in MEASURES.items() if AgentSpellEnded.KIND not in sources_of(one)}
    names = tuple(name for name, measure in told.items() if by in measure.by)
    now = FIRST + timedelta(days=DAYS - 2, hours=11, minutes=20)
    today = now.astimezone(zone).date()
    spans = ((0, Grain.TOTAL), (0, Grain.INTERVAL), (2, Grain.DAY), (2, Grain.TOTAL))
    queries = [Query(names, today - timedelta(days=n), today, grain, by, compare=True) for n, grain in spans]
    kept = [await shop.read(load_figures, query, now) for query in queries]
    monkeypatch.setattr("hub.kpi.figures._Asked.is_folded", True)
    folded = [await shop.read(load_figures, query, now) for query in queries]
    assert [report.rows for report in folded] == [report.rows for report in kept]
    assert any(figure.previous for row in kept[0].rows for figure in row.figures.values())
