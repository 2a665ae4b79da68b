"""Imports from file to cards, on both databases: who is known, what becomes of them, what is refused, stopping in between."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from hub.agents.viewer import Viewer
from hub.customer_files import imports
from hub.customer_files.cards import Duplicates
from hub.customer_files.columns import Mapped
from hub.customer_files.imports import Options
from hub.customer_files.lines import LineReader
from hub.customer_files.reading import Record, examine
from hub.customer_files.running import Importer
from hub.domain.consent import Purpose
from hub.domain.events import SUPERVISORS, user_topic
from hub.domain.fields import FieldKind, FieldOption, Subject
from hub.domain.values import ContactKind, Role
from hub.domain.views import CustomerView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.store.stream import Wakes
from hub.timeline import contact_points, custom_fields, customers, search_index
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

HEAD = "Name,Phone,Email,Customer ID,City,Tags,Date of birth,Country,Owner email,Email opt out,Notes"


class Desk:
    """Somebody who imports files, and looks at what came of it."""

    def __init__(self, scene: Scene, viewer: Viewer) -> None:
        self.database, self.files, self.viewer = scene.database, scene.files, viewer
        self.importer = Importer(scene.database, Wakes(), scene.files, process="test", batch=3)
        self.importer.rest = 0

    async def upload(self, text: str, **options: Any) -> int:
        raw = text.encode()
        key = self.files.write(raw)
        import_id = await self.database.transaction(
            imports.create_import,
            self.viewer,
            examine(lambda: [raw]),
            file_name="people.csv",
            file_key=key,
            size_bytes=len(raw),
        )
        if options:
            row = await self.row(import_id)
            told = replace(imports.options_of(row), **options)
            await self.database.transaction(
                imports.set_mapping,
                self.viewer,
                import_id,
                imports.mapping_of(row),
                told,
                expected_version=row.version,
            )
        return import_id

    async def row(self, import_id: int) -> Any:
        return await self.database.read(imports.load_import, import_id)

    async def run(self, import_id: int) -> tuple[int, int, int, int]:
        """(made, changed, same, refused)"""
        await self.database.transaction(imports.start, self.viewer, import_id)
        assert await self.importer.work_off() == import_id
        return await self.counts(import_id, "done")

    async def counts(self, import_id: int, state: str) -> tuple[int, int, int, int]:
        row = await self.row(import_id)
        assert (row.state, row.fault) == (state, None)
        assert row.done == row.made + row.changed + row.same + row.refused == row.total
        return row.made, row.changed, row.same, row.refused

    async def bring(self, text: str, **options: Any) -> tuple[int, int, int, int]:
        return await self.run(await self.upload(f"{HEAD}\n{text}", **options))

    async def refused(self, import_id: int) -> dict[int, dict[str, str]]:
        lines = await self.database.read(imports.load_refused, import_id, after=0, limit=100)
        return {each.line: dict(each.faults) for each in lines}

    async def everybody(self) -> dict[str, CustomerView]:
        def load(tx: Tx) -> dict[str, CustomerView]:
            ids = [row.id for row in tx.rows(select(tables.customer.c.id))]
            return {view.name: view for view in customers.load_customers(tx, ids).values()}

        return await self.database.read(load)


@pytest.fixture
async def desk(scene: Scene) -> Desk:
    return Desk(scene, await scene.agent("Ada Admin", role=Role.ADMIN))


async def test_a_line_says_all_that_a_card_can(desk: Desk) -> None:
    owner: str = await desk.database.read(lambda tx: tx.scalar(select(tables.user_account.c.email)))
    line = f'Ани,+37491111111; 091 222222,Ani@Example.com,A-1,Գյումրի,"vip, new",17.05.1990,Հայաստան,{owner.upper()},yes,Hi\n'
    assert await desk.bring(line, region="AM", tags=("brought",)) == (1, 0, 0, 0)
    ani = (await desk.everybody())["Ани"]
    assert [(each.kind, each.address, each.verified) for each in ani.contact_points] == [
        ("email", "ani@example.com", False),
        ("phone", "+37491111111", False),
        ("phone", "+37491222222", False),
    ]
    assert (ani.town, ani.country, ani.birthday, ani.note) == ("Գյումրի", "AM", "1990-05-17", "Hi")
    assert (ani.owner_id, set(ani.tags)) == (desk.viewer.user_id, {"vip", "new", "brought"})
    said = {(word.channel, word.purpose, word.given) for each in ani.contact_points for word in each.consents}
    assert said == {("email", Purpose.MARKETING, False)}
    # Search finds them, though no event told of each.
    while any(await search_index.index_step(desk.database)):
        pass
    found = (
        select(func.count()).select_from(tables.search_customer).where(tables.search_customer.c.customer_id == ani.id)
    )
    assert await desk.database.read(lambda tx: tx.scalar(found)) == 1


async def test_known_customers_are_skipped_filled_in_or_overwritten(desk: Desk) -> None:
    first = "Ani,+37491111111,,A-1,Gyumri,old,,,,,\n"
    again = "Ani P.,+37491111111,ani@example.com,,Yerevan,OLD; new,,AM,,,\nBob,,,B-1,,,,,,,\n"
    assert await desk.bring(first) == (1, 0, 0, 0)
    assert await desk.bring(again, duplicates=Duplicates.SKIP) == (1, 0, 1, 0)
    assert (await desk.everybody())["Ani"].town == "Gyumri"
    # The same customer by an address and by the other system's id; the second time nothing is left to fill in.
    assert await desk.bring(again, duplicates=Duplicates.FILL) == (0, 1, 1, 0)
    assert await desk.bring(again, duplicates=Duplicates.FILL) == (0, 0, 2, 0)
    ani = (await desk.everybody())["Ani"]
    assert (ani.town, ani.country, list(ani.tags), ani.version) == ("Gyumri", "AM", ["old", "new"], 2)
    assert await desk.bring(again, duplicates=Duplicates.OVERWRITE) == (0, 1, 1, 0)
    assert (await desk.everybody())["Ani P."].town == "Yerevan"
    assert len(await desk.everybody()) == 2


async def test_what_cannot_be_taken_is_refused_by_name_and_everything_else_is_taken(desk: Desk) -> None:
    await desk.bring("Ani,+37491111111,,,,,,,,,\nBoris,,boris@example.com,,,,,,,,\n")
    text = (
        f"{HEAD}\n"
        "Both,+37491111111,boris@example.com,,,,,,,,\n"
        "Short,12,no-mail,,,,32.13.1990,Narnia,nobody@x.y,maybe,\n"
        ",,,,,,,,,,lonely note\n"
        "\n"
        "Good,+37491333333,,,,,,,,,\n"
        "Twin,+37491333333,,,,,,,,,\n"
    )
    import_id = await desk.upload(text)
    await desk.database.transaction(imports.begin_trial, desk.viewer, import_id)
    await desk.importer.work_off()
    foretold = await desk.counts(import_id, "tried")
    foretold_lines = await desk.refused(import_id)
    assert len(await desk.everybody()) == 2, "a trial writes nobody"
    # Good and Twin are in different batches of the trial, which has no rows to find the first by.
    assert await desk.run(import_id) == foretold == (1, 0, 1, 3)
    refused = await desk.refused(import_id)
    assert refused == foretold_lines
    assert refused.keys() == {2, 3, 4}
    assert "belongs to Ani" in refused[2]["Phone"]
    assert "belongs to Boris" in refused[2]["Email"]
    assert refused[3].keys() == {"Phone", "Email", "Date of birth", "Country", "Owner email", "Email opt out"}
    assert refused[4] == {"line": "has neither a name nor an address"}


async def test_a_stop_is_never_undone_whatever_card_the_address_comes_to_stand_on(desk: Desk) -> None:
    def stop_and_take_off(tx: Tx) -> None:
        for phone in ("+37491111111", "+37491222222"):
            view = customers.create_customer(tx, f"Quiet {phone}", None)
            view = customers.add_contact_point(tx, view.id, ContactKind.PHONE, phone)
            point = view.contact_points[0]
            assert customers.set_opt_out(tx, point.id, opted_out=True)
            if phone.endswith("2"):
                contact_points.remove(tx, view.id, point.id)

    await desk.database.transaction(stop_and_take_off)
    text = "Name,Phone,SMS opt in,Never text\nQuiet,+37491111111,yes,no\nNew,+37491222222,yes,no\nLoud,+37491333333,yes,no\n"
    assert await desk.run(await desk.upload(text, duplicates=Duplicates.OVERWRITE)) == (2, 1, 0, 0)
    for name, is_silent in (("Quiet", True), ("New", True), ("Loud", False)):
        (point,) = (await desk.everybody())[name].contact_points
        assert point.opted_out is is_silent, name
        allowed = {word.given for word in point.consents if word.purpose is Purpose.MARKETING}
        assert allowed == ({True} if not is_silent else {True} & allowed)


async def test_a_refusal_that_names_no_address_holds_at_all_of_them(desk: Desk) -> None:
    await desk.bring("Ani,+37491111111,ani@example.com,A-1,,,,,,,\n")
    told = "Customer ID,Never call,Email opt in\nA-1,yes,yes\n"
    await desk.run(await desk.upload(told, duplicates=Duplicates.FILL))
    points = (await desk.everybody())["Ani"].contact_points
    said = {(point.kind, word.channel, word.purpose, word.given) for point in points for word in point.consents}
    assert said == {("phone", "phone", purpose, False) for purpose in Purpose}


async def test_that_it_is_removed_or_forgotten_is_told_to_whoever_was_told_of_it(scene: Scene, desk: Desk) -> None:
    removed, forgotten = await desk.upload("Name\nAni\n"), await desk.upload("Name\nBob\n")
    await desk.database.transaction(imports.remove, desk.viewer, removed)
    assert await desk.database.transaction(imports.forget, forgotten)
    first, second = [each for each in await scene.events() if each.kind.startswith("customer_import.")]
    topics = frozenset({SUPERVISORS, user_topic(desk.viewer.user_id)})
    assert (first.kind, first.topics) == ("customer_import.removed", topics)
    assert json.loads(first.body)["import_id"] == removed
    assert (second.kind, second.topics) == ("customer_import.moved", topics)
    progress = json.loads(second.body)["progress"]
    assert (progress["id"], progress["state"]) == (forgotten, "failed")


async def test_pausing_keeps_the_place_and_a_second_process_does_not_take_part(desk: Desk) -> None:
    people = "".join(f"Person {n},+3749100{n:04},,,,,,,,,\n" for n in range(8))
    import_id = await desk.upload(f"{HEAD}\n{people}")
    await desk.database.transaction(imports.start, desk.viewer, import_id)
    work = await desk.database.transaction(imports.claim, "test")
    assert work is not None
    assert await desk.database.transaction(imports.claim, "other") is None
    known = await desk.database.read(imports.load_known, work.options)
    reader = LineReader(work.headings, work.mapping, known)
    lines = [reader.read(Record(n + 2, (f"Person {n}", f"+3749100{n:04}"))) for n in range(3)]
    assert await desk.database.transaction(imports.run_batch, work, "test", 0, lines)
    assert not await desk.database.transaction(imports.run_batch, work, "test", 0, lines), "the same batch once more"
    await desk.database.transaction(imports.pause, desk.viewer, import_id)
    assert not await desk.database.transaction(imports.run_batch, work, "test", 3, lines)
    assert await desk.importer.work_off() is None
    with pytest.raises(Conflict):
        await desk.database.transaction(imports.pause, desk.viewer, import_id)
    assert await desk.run(import_id) == (8, 0, 0, 0)
    assert len(await desk.everybody()) == 8


async def test_what_nobody_foresaw_ends_the_import_and_not_the_process(desk: Desk, caplog: Any) -> None:
    import_id = await desk.upload(f"{HEAD}\nAni,,,,,,,,,,\nBob,,,,,,,,,,\nEve,,,,,,,,,,\nZoe,,,,,,,,,,\n")
    await desk.database.transaction(imports.start, desk.viewer, import_id)
    # As only a fault of ours could leave it.
    broken = update(tables.customer_import).values(mapping=[{"column": "first", "target": "name", "label": ""}])
    await desk.database.transaction(lambda tx: tx.execute(broken))
    other = await desk.upload("Name\nOther\n")
    await desk.database.transaction(imports.start, desk.viewer, other)
    assert {await desk.importer.work_off(), await desk.importer.work_off()} == {import_id, other}
    row = await desk.row(import_id)
    assert (row.state, row.done, row.made) == ("failed", 0, 0)
    assert "not foreseen" in row.fault
    assert await desk.counts(other, "done") == (1, 0, 0, 0)
    assert "import.failed" in caplog.text


async def test_a_run_that_failed_goes_on_where_it_stood(desk: Desk) -> None:
    people = "".join(f"Person {n},{'12' if n == 1 else f'+3749100{n:04}'},,,,,,,,,\n" for n in range(8))
    import_id = await desk.upload(f"{HEAD}\n{people}")
    await desk.database.transaction(imports.start, desk.viewer, import_id)
    work = await desk.database.transaction(imports.claim, "test")
    assert work is not None
    known = await desk.database.read(imports.load_known, work.options)
    reader = LineReader(work.headings, work.mapping, known)
    records = [Record(n + 2, (f"Person {n}", "12" if n == 1 else f"+3749100{n:04}")) for n in range(3)]
    lines = [reader.read(record) for record in records]
    assert await desk.database.transaction(imports.run_batch, work, "test", 0, lines)
    # As only a fault of ours could leave it; later it is put right.
    table = tables.customer_import
    good = (await desk.row(import_id)).mapping
    broken = [{"column": "first", "target": "name", "label": ""}]
    await desk.database.transaction(lambda tx: tx.execute(update(table).values(mapping=broken)))
    for _ in range(2):
        assert await desk.importer.work_off() == import_id
        failed = await desk.row(import_id)
        assert (failed.state, failed.done, failed.made, failed.refused) == ("failed", 3, 2, 1)
        assert await desk.importer.work_off() is None, "by itself it is not taken up again"
        with pytest.raises(Conflict) as wrong:
            await desk.database.transaction(imports.begin_trial, desk.viewer, import_id)
        assert wrong.value.code == "import_state"
        await desk.database.transaction(imports.start, desk.viewer, import_id)
        assert ((await desk.row(import_id)).state, (await desk.row(import_id)).fault) == ("running", None)
    await desk.database.transaction(lambda tx: tx.execute(update(table).values(mapping=good)))
    assert await desk.importer.work_off() == import_id
    assert await desk.counts(import_id, "done") == (7, 0, 0, 1)
    assert (await desk.refused(import_id)).keys() == {3}, "what the first part refused is kept"
    assert sorted(await desk.everybody()) == [f"Person {n}" for n in range(8) if n != 1], "each once"
    noted = await desk.database.read(lambda tx: [(row.action, row.data) for row in tx.rows(select(tables.audit))])
    words = [action.removeprefix("customer_import.") for action, _ in noted]
    assert words == ["uploaded", "started", "failed", "resumed", "failed", "resumed", "finished"]
    assert [data["done"] for action, data in noted if action == "customer_import.resumed"] == [3, 3]


async def test_a_trial_that_failed_is_tried_again(desk: Desk) -> None:
    import_id = await desk.upload(f"{HEAD}\nAni,,,,,,,,,,\n")
    key = (await desk.row(import_id)).file_key
    kept = desk.files.path(key).read_bytes()
    desk.files.delete(key)
    await desk.database.transaction(imports.begin_trial, desk.viewer, import_id)
    await desk.importer.work_off()
    assert ((await desk.row(import_id)).state, await desk.everybody()) == ("failed", {})
    with pytest.raises(Conflict) as wrong:
        await desk.database.transaction(imports.start, desk.viewer, import_id)
    assert wrong.value.code == "import_state", "nobody has seen yet what it would bring"
    desk.files.put(key, io.BytesIO(kept))
    await desk.database.transaction(imports.begin_trial, desk.viewer, import_id)
    await desk.importer.work_off()
    assert await desk.counts(import_id, "tried") == (1, 0, 0, 0)


async def test_what_was_forgotten_is_not_taken_up_again(desk: Desk) -> None:
    import_id = await desk.upload(f"{HEAD}\nAni,,,,,,,,,,\n")
    await desk.database.transaction(imports.forget, import_id)
    for again in (imports.start, imports.begin_trial):
        with pytest.raises(Conflict):
            await desk.database.transaction(again, desk.viewer, import_id)
    assert await desk.importer.work_off() is None


async def test_mappings_are_checked_and_old_files_forgotten(desk: Desk, scene: Scene) -> None:
    await desk.database.transaction(
        custom_fields.create_field,
        None,
        subject=Subject.CUSTOMER,
        key="plan",
        name="Plan",
        kind=FieldKind.CHOICE,
        options=[FieldOption("gold", "Золотой")],
        editable_by=Role.ADMIN,
    )
    import_id = await desk.upload("Name,Plan\nAni,золотой\nBob,lead\n")
    row = await desk.row(import_id)
    assert [each.target for each in imports.mapping_of(row)] == ["name", "field.plan"]
    wrong = [Mapped(0, "town"), Mapped(0, "nonsense"), Mapped(7, "name"), Mapped(1, "field.plan")]
    agent = await scene.agent("Gor", role=Role.SUPERVISOR)
    with pytest.raises(InvalidInput) as caught:
        await desk.database.transaction(
            imports.set_mapping, agent, import_id, wrong, Options(region="XX", system="?"), expected_version=row.version
        )
    assert caught.value.fields.keys() == {"mapping.1", "mapping.2", "mapping.3", "region", "system"}
    assert await desk.run(import_id) == (1, 0, 0, 1)
    assert (await desk.everybody())["Ani"].fields == {"plan": "gold"}
    assert (await desk.refused(import_id))[3] == {"Plan": "is none of its choices"}
    actions = await desk.database.read(lambda tx: [row.action for row in tx.rows(select(tables.audit.c.action))])
    assert [each for each in actions if "import" in each] == [
        "customer_import.uploaded",
        "customer_import.started",
        "customer_import.finished",
    ]
    assert await desk.database.read(imports.find_outdated) == []
    old = update(tables.customer_import).values(finished_at=desk.database.clock() - imports.KEPT * 2)
    await desk.database.transaction(lambda tx: tx.execute(old))
    assert await desk.database.read(imports.find_outdated) == [(import_id, row.file_key)]
    assert await desk.database.transaction(imports.forget, import_id)
    row = await desk.row(import_id)
    assert (row.file_key, row.sample, row.state, row.made) == (None, [], "done", 1)


async def test_nobody_takes_away_what_a_run_needs_or_has_refused(desk: Desk) -> None:
    import_id = await desk.upload("Name,Phone\n" + "Ani,12\n" * 4)
    await desk.database.transaction(imports.start, desk.viewer, import_id)
    work = await desk.database.transaction(imports.claim, "slow")
    assert work is not None
    # It was away for too long; another went on meanwhile.
    over = update(tables.customer_import).values(lease_until=desk.database.clock() - imports.LEASE)
    await desk.database.transaction(lambda tx: tx.execute(over))
    again = await desk.database.transaction(imports.claim, "test")
    assert again is not None
    known = await desk.database.read(imports.load_known, again.options)
    lines = [LineReader(again.headings, again.mapping, known).read(Record(n + 2, ("Ani", "12"))) for n in range(3)]
    assert await desk.database.transaction(imports.run_batch, again, "test", 0, lines)
    await desk.database.transaction(imports.forget_lines, import_id, (work, "slow"))
    await desk.database.transaction(imports.forget_lines, import_id, (work, "test"))
    await desk.database.transaction(imports.forget_lines, import_id)
    assert not await desk.database.transaction(imports.forget, import_id), "its file is needed"
    assert len(await desk.refused(import_id)) == 3
    await desk.importer.work_off()
    assert await desk.counts(import_id, "done") == (0, 0, 0, 4)
    assert len(await desk.refused(import_id)) == 4


async def test_an_agent_changes_only_customers_they_see(desk: Desk, scene: Scene) -> None:
    hidden = await scene.queue("Hidden")
    await scene.opened(sender="+37491111111", kind=ContactKind.PHONE)
    agent = await scene.agent("Gor", queue_ids={hidden})
    theirs = Desk(scene, agent)
    import_id = await theirs.upload(f"{HEAD}\nMine now,+37491111111,,,,,,,,,\n", duplicates=Duplicates.OVERWRITE)
    assert await theirs.run(import_id) == (0, 0, 0, 1)
    assert await theirs.refused(import_id) == {2: {"Phone": "belongs to a customer you do not see"}}
    # What an administrator brought would be written with an administrator's eyes.
    other_id = await desk.upload(f"{HEAD}\nMine now,+37491111111,,,,,,,,,\n", duplicates=Duplicates.OVERWRITE)
    for work in (imports.begin_trial, imports.start, imports.remove):
        with pytest.raises(NotFound):
            await desk.database.transaction(work, agent, other_id)
    listed = await desk.database.read(lambda tx: imports.load_imports(tx, agent, before=None, limit=10))
    assert [row.id for row in listed] == [import_id]
