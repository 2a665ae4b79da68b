"""`hub import customers`: an import from the command line, by the same steps as from the console."""

from __future__ import annotations

import asyncio
import csv
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from hub.customer_files import imports
from hub.customer_files.cards import Duplicates
from hub.customer_files.columns import Mapped, words_of
from hub.customer_files.reading import examine
from hub.customer_files.running import Importer, chunks_of
from hub.domain.csv_cells import harmless
from hub.domain.sentences import Sentence
from hub.errors import Conflict, InvalidInput
from hub.store.database import Database
from hub.store.files import Files
from hub.store.stream import Wakes


@dataclass(frozen=True, slots=True)
class Asked:
    """`mapping`: `HEADING=TARGET`, beside what is guessed; `HEADING=` leaves a column out. `system` None: as guessed."""

    mapping: Sequence[str]
    duplicates: str
    region: str
    system: str | None
    is_month_first: bool
    is_trial: bool


async def bring(
    database: Database, files_dir: Path, file: Path, asked: Asked, refused: Path | None, say: Callable[[str], object]
) -> None:
    """To its end; InvalidInput naming what is wrong with the file or the mapping. Refused lines are written to `refused`."""
    files = Files(files_dir)
    examined = await asyncio.to_thread(examine, lambda: chunks_of(file))
    with file.open("rb") as source:
        key = await asyncio.to_thread(files.write_from, source)
    size = (await asyncio.to_thread(file.stat)).st_size
    try:
        import_id = await database.transaction(
            imports.create_import, None, examined, file_name=file.name, file_key=key, size_bytes=size
        )
    except Conflict:
        files.delete(key)
        raise
    try:
        await _begin(database, import_id, asked, say)
    except InvalidInput:
        # Told wrongly: nothing waits to be put right where nobody looks.
        await _forget(database, files, import_id)
        raise
    importer = Importer(database, Wakes(), files, process=f"by-hand-{secrets.token_hex(8)}")
    while True:
        await importer.work_off(import_id)
        row = await database.read(imports.load_import, import_id)
        if row.state not in ("trying", "running"):
            break
        # A hub that runs beside us was faster.
        await asyncio.sleep(1)
    if fault := imports.fault_of(row):
        raise InvalidInput(fault)
    would = "would be " if asked.is_trial else ""
    say(
        f"{row.total} lines: {row.made} {would}new, {row.changed} {would}changed, {row.same} as they are,"
        f" {row.refused} refused"
    )
    await _write_refused(database, row, refused, say)
    if row.state == "paused":
        raise InvalidInput(f"it was paused after {row.done} lines: go on with it in the console")
    if asked.is_trial:
        await _forget(database, files, import_id)


async def _begin(database: Database, import_id: int, asked: Asked, say: Callable[[str], object]) -> None:
    row = await database.read(imports.load_import, import_id)
    mapping = _mapping(asked.mapping, row.columns, imports.mapping_of(row))
    guessed = imports.options_of(row)
    options = replace(
        guessed,
        duplicates=Duplicates(asked.duplicates),
        region=asked.region,
        system=asked.system or guessed.system,
        day_first=guessed.day_first and not asked.is_month_first,
    )
    for each in mapping:
        say(f"{row.columns[each.column]} → {each.target}")
    await database.transaction(imports.set_mapping, None, import_id, mapping, options, expected_version=row.version)
    await database.transaction(imports.begin_trial if asked.is_trial else imports.start, None, import_id)


async def _forget(database: Database, files: Files, import_id: int) -> None:
    while await database.transaction(imports.forget_lines, import_id):
        pass
    old = await database.transaction(imports.remove, None, import_id)
    if old:
        files.delete(old)


def _mapping(given: Sequence[str], headings: Sequence[str], guessed: Sequence[Mapped]) -> list[Mapped]:
    mapping = {each.column: each for each in guessed}
    places = {words_of(heading): column for column, heading in enumerate(headings)}
    for each in given:
        heading, sign, target = each.rpartition("=")
        column = places.get(words_of(heading))
        if not sign or column is None:
            raise InvalidInput(
                "no such column",
                fields={"mapping": Sentence("there is no column {heading}", heading=repr(heading or each))},
            )
        mapping.pop(column, None)
        if target:
            mapping[column] = Mapped(column, target)
    return [mapping[column] for column in sorted(mapping)]


async def _write_refused(database: Database, row: Row[Any], path: Path | None, say: Callable[[str], object]) -> None:
    lines = await database.read(imports.load_refused, row.id, after=0, limit=1_000)
    if path is None:
        for each in lines[:20]:
            say(f"row {each.line}: " + "; ".join(f"{name}: {words}" for name, words in each.faults.items()))
        return
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out, delimiter=row.delimiter)
        writer.writerow(["Row", "Reason", *map(harmless, row.columns)])
        while lines:
            for each in lines:
                reason = "; ".join(f"{name}: {words}" for name, words in each.faults.items())
                writer.writerow([str(each.line), harmless(reason), *map(harmless, each.cells)])
            lines = await database.read(imports.load_refused, row.id, after=lines[-1].line, limit=1_000)
