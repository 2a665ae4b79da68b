"""Imports of customers, as somebody asks for them.

    new ──try──► trying ──► tried ──start──► running ──► done
     ▲             │          │               │  ▲
     └───cancel────┴──remap───┘            pause  start
                                              ▼  │
                                             paused

What goes wrong on the way (`failed`) can be taken up again while the file is there: a run where it stood, with start; a trial
from its beginning, with try.

A trial counts what a run would do and writes nothing but the lines it would refuse. A run is done batch by batch; a batch,
its counts and its place in the file are one transaction (`run_batch`), so a process that dies leaves nothing out and repeats
nothing. The file and what was read from it hold other people's data: they are forgotten KEPT after the end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, select, update

from hub.agents import accounts, audit
from hub.agents.viewer import Viewer
from hub.customer_files import cards
from hub.customer_files.cards import Claims, Duplicates
from hub.customer_files.columns import FIELD, REPEATABLE, TARGETS, TELLING, Mapped, guess
from hub.customer_files.lines import Known, Line
from hub.customer_files.reading import Examined
from hub.domain.card import LINE_LIMIT, read_facts
from hub.domain.countries import COUNTRIES
from hub.domain.events import SUPERVISORS, CustomerImportMoved, CustomerImportRemoved, user_topic
from hub.domain.fields import Subject
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence, from_json, from_text, to_json, to_text
from hub.domain.values import Role
from hub.domain.views import ImportProgressView, ImportState
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import custom_fields, customers

WAKE = "imports"
# Nobody else works at an import for so long after a batch of it.
LEASE = timedelta(seconds=30)
KEPT = timedelta(days=30)
# More at once that wait to be mapped or run: somebody is lost in them.
MOST_UNFINISHED = 50
_SUBJECT = "customer_import"
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
# Rows deleted in one unit of work: nobody waits long for the writer.
_SWEEP_STEP = 2_000

_i, _l, _u = tables.customer_import.c, tables.customer_import_line.c, tables.user_account.c


@dataclass(frozen=True, slots=True)
class Options:
    """`day_first`: 03/04/1990 is in April. `region`: by which national phone numbers are read (two letters, or empty: as the
    channels say). `system`: whose ids `external_id` holds. `tags`: given to all of them."""

    duplicates: Duplicates = Duplicates.SKIP
    day_first: bool = True
    region: str = ""
    system: str = "import"
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """`line`: its row in a spreadsheet. `faults`: heading → words."""

    line: int
    faults: Mapping[str, str]
    cells: Sequence[str]


# --- asked for ------------------------------------------------------------------------------------------------------------


def create_import(
    tx: Tx, viewer: Viewer | None, examined: Examined, *, file_name: str, file_key: str, size_bytes: int
) -> int:
    """A file that has been read through, with what its headings suggest. Conflict when too many wait."""
    waiting = select(func.count()).select_from(tables.customer_import).where(_i.state.in_(("new", "tried", "paused")))
    if int(tx.scalar(waiting) or 0) >= MOST_UNFINISHED:
        raise Conflict(f"{MOST_UNFINISHED} imports wait already: remove some", code="too_many")
    fields = [(each.key, each.name) for each in custom_fields.load_fields(tx, Subject.CUSTOMER) if each.active]
    guessed = guess(examined.headings, fields)
    # Exports of American systems write the month first.
    options = Options(day_first=not guessed.system, system=guessed.system or "import")
    import_id = tx.insert(
        tables.customer_import,
        {
            "created_by": None if viewer is None else viewer.user_id,
            "file_name": file_name,
            "file_key": file_key,
            "size_bytes": size_bytes,
            "encoding": examined.encoding,
            "delimiter": examined.delimiter,
            "columns": list(examined.headings),
            "sample": [list(cells) for cells in examined.sample],
            "mapping": [asdict(each) for each in guessed.mapping],
            "options": _stored(options),
            "state": "new",
            "total": examined.total,
            "created_at": tx.now,
        },
    )
    _note(tx, viewer, "uploaded", load_import(tx, import_id), lines=examined.total)
    return import_id


def set_mapping(
    tx: Tx, viewer: Viewer | None, import_id: int, mapping: Sequence[Mapped], options: Options, *, expected_version: int
) -> None:
    """What the columns are. InvalidInput naming every fault; Conflict `version_conflict`, or `import_state`."""
    row = _access(tx, viewer, import_id, "new", "tried")
    if row.version != expected_version:
        raise Conflict("somebody changed this import meanwhile", code="version_conflict")
    faults = _faults(tx, viewer, row.columns, mapping, options)
    if faults:
        raise InvalidInput("; ".join(f"{name} {words}" for name, words in faults.items()), fields=faults)
    named = {"mapping": [asdict(each) for each in mapping], "options": _stored(options)}
    _move(tx, row.id, "new", **named, **_FROM_THE_BEGINNING)


def begin_trial(tx: Tx, viewer: Viewer | None, import_id: int) -> None:
    """InvalidInput if what was guessed of its columns is not enough."""
    row = _access(tx, viewer, import_id, "new", "tried", "failed")
    if row.state == "failed" and was_run(row):
        raise _not_while(row)
    _check(tx, viewer, row)
    _move(tx, row.id, "trying", **_FROM_THE_BEGINNING)
    tx.wake(WAKE)


def start(tx: Tx, viewer: Viewer | None, import_id: int) -> None:
    """From the beginning, or from where it was paused, or where it stood when it failed: what its batches brought is counted
    with its place, so nothing is brought twice."""
    row = _access(tx, viewer, import_id, "new", "tried", "paused", "failed")
    if row.state == "failed" and not was_run(row):
        raise _not_while(row)
    if row.state in ("paused", "failed"):
        _move(tx, row.id, "running", fault=None, finished_at=None)
        _note(tx, viewer, "resumed", row, done=row.done)
    else:
        _check(tx, viewer, row)
        _move(tx, row.id, "running", started_at=tx.now, **_FROM_THE_BEGINNING)
        duplicates = options_of(row).duplicates.value
        _note(tx, viewer, "started", row, lines=row.total, duplicates=duplicates)
    tx.wake(WAKE)


def pause(tx: Tx, viewer: Viewer | None, import_id: int) -> None:
    """The batch that is being written is written; a trial is given up."""
    row = _access(tx, viewer, import_id, "trying", "running")
    if row.state == "trying":
        _move(tx, row.id, "new", **_FROM_THE_BEGINNING)
        return
    _move(tx, row.id, "paused", process=None, lease_until=None)
    _note(tx, viewer, "paused", row, done=row.done)


def remove(tx: Tx, viewer: Viewer | None, import_id: int) -> str | None:
    """With its lines; what it brought stays. Returns the key of its file, to be deleted after the commit."""
    row = _access(tx, viewer, import_id, "new", "tried", "paused", "done", "failed")
    tx.execute(delete(tables.customer_import).where(_i.id == row.id))
    tx.emit(CustomerImportRemoved(row.id), _topics(row))
    _note(tx, viewer, "removed", row)
    return str(row.file_key) if row.file_key else None


def load_import(tx: Tx, import_id: int, viewer: Viewer | None = None) -> Row[Any]:
    """With `by_name`: who brought it (None: the command line)."""
    row = tx.first(_IMPORTS.where(_i.id == import_id, *_open_to(viewer)))
    if row is None:
        raise NotFound("there is no such import")
    return row


def load_imports(tx: Tx, viewer: Viewer | None, *, before: int | None, limit: int) -> list[Row[Any]]:
    """Newest first."""
    query = _IMPORTS.where(*_open_to(viewer))
    query = query if before is None else query.where(_i.id < before)
    return list(tx.rows(query.order_by(_i.id.desc()).limit(limit)))


def load_refused(tx: Tx, import_id: int, *, after: int, limit: int) -> list[RefusedLine]:
    """In the order of the file, of the trial or of the run, whichever was last."""
    query = select(tables.customer_import_line).where(_l.import_id == import_id, _l.line > after)
    return [
        RefusedLine(row.line, {name: from_json(told) for name, told in row.faults.items()}, row.cells)
        for row in tx.rows(query.order_by(_l.line).limit(limit))
    ]


_IMPORTS = select(tables.customer_import, _u.name.label("by_name")).outerjoin(
    tables.user_account, _u.id == _i.created_by
)
_FROM_THE_BEGINNING: Mapping[str, Any] = {
    "done": 0,
    "made": 0,
    "changed": 0,
    "same": 0,
    "refused": 0,
    "fault": None,
    "process": None,
    "lease_until": None,
    "finished_at": None,
}


def was_run(row: Row[Any]) -> bool:
    """Whether a failed one failed in its run; else it was in a trial."""
    return row.started_at is not None


def mapping_of(row: Row[Any]) -> list[Mapped]:
    return [Mapped(**each) for each in row.mapping]


def options_of(row: Row[Any]) -> Options:
    return Options(
        duplicates=Duplicates(row.options["duplicates"]),
        day_first=row.options["day_first"],
        region=row.options["region"],
        system=row.options["system"],
        tags=tuple(row.options["tags"]),
    )


_STATES: Mapping[str, Sentence] = {
    "new": Sentence("has not been tried yet"),
    "trying": Sentence("is being tried"),
    "tried": Sentence("has been tried"),
    "running": Sentence("is running"),
    "paused": Sentence("is paused"),
    "done": Sentence("is done"),
    "failed": Sentence("has failed"),
}


def _stored(options: Options) -> dict[str, Any]:
    return {**asdict(options), "duplicates": options.duplicates.value, "tags": list(options.tags)}


def _access(tx: Tx, viewer: Viewer | None, import_id: int, *states: ImportState) -> Row[Any]:
    """Locked, and in one of these states."""
    row = tx.first(select(tables.customer_import).where(_i.id == import_id, *_open_to(viewer)).with_for_update())
    if row is None:
        raise NotFound("there is no such import")
    if row.state not in states:
        raise _not_while(row)
    if row.file_key is None and states != ("new", "tried", "paused", "done", "failed"):
        raise Conflict("its file has been forgotten", code="file_forgotten")
    return row


def _not_while(row: Row[Any]) -> Conflict:
    return Conflict(f"this import is {row.state}", code="import_state", fields={"state": _STATES[row.state]})


def _open_to(viewer: Viewer | None) -> list[ColumnElement[bool]]:
    """Which imports there are to somebody. A run writes what whoever brought the file may write, and its lines tell of
    customers whom they see: whoever sees less has nothing to do with it."""
    return [] if viewer is None or viewer.covers(Role.SUPERVISOR) else [_i.created_by == viewer.user_id]


def load_visible(tx: Tx, viewer: Viewer, import_ids: Collection[int]) -> set[int]:
    """Those of these that the viewer may look at."""
    if not viewer.may(Permission.IMPORT_CUSTOMERS):
        return set()
    return {row.id for row in tx.rows(select(_i.id).where(_i.id.in_(import_ids), *_open_to(viewer)))}


def _check(tx: Tx, viewer: Viewer | None, row: Row[Any]) -> None:
    faults = _faults(tx, viewer, row.columns, mapping_of(row), options_of(row))
    if faults:
        raise InvalidInput("; ".join(f"{name} {words}" for name, words in faults.items()), fields=faults)


def _faults(
    tx: Tx, viewer: Viewer | None, headings: Sequence[str], mapping: Sequence[Mapped], options: Options
) -> dict[str, str]:
    faults: dict[str, str] = {}
    known = {each.key: each for each in custom_fields.load_fields(tx, Subject.CUSTOMER)}
    columns: set[int] = set()
    targets: set[str] = set()
    for place, each in enumerate(mapping):
        name = f"mapping.{place}"
        if not 0 <= each.column < len(headings):
            faults[name] = Sentence("is no column of this file")
        elif each.column in columns:
            faults[name] = Sentence("names a column that is something else already")
        elif each.target in targets and each.target not in REPEATABLE and not each.target.startswith("handle."):
            faults[name] = Sentence("a second column is {target}", target=each.target)
        elif each.target.startswith(FIELD):
            about = known.get(each.target.removeprefix(FIELD))
            if about is None or not about.active:
                faults[name] = Sentence("is no field of customers")
            elif viewer is not None and not viewer.covers(about.editable_by):
                faults[name] = Sentence("“{name}” is for others to write", name=about.name)
        elif each.target not in TARGETS:
            faults[name] = Sentence("is nothing that is known here")
        if len(each.label) > LINE_LIMIT:
            faults[name] = Sentence("has too long a label")
        columns.add(each.column)
        targets.add(each.target)
    if not targets & TELLING:
        faults["mapping"] = Sentence("must name a column with names or addresses")
    if options.region and options.region not in COUNTRIES:
        faults["region"] = Sentence("is not the two letters of a country")
    if not _SYSTEM.fullmatch(options.system):
        faults["system"] = Sentence("must be 1 to 40 small letters, digits, and . _ - between them")
    if options.tags:
        faults |= read_facts({"tags": list(options.tags)}, tx.now.date())[1]
    return faults


def _move(tx: Tx, import_id: int, state: ImportState, **values: Any) -> None:
    change = update(tables.customer_import).where(_i.id == import_id)
    tx.execute(change.values(state=state, version=_i.version + 1, **values))
    tell(tx, import_id)


def tell(tx: Tx, import_id: int) -> None:
    """How far it is, to who brought it and to supervisors. Counts alone: neither the file's name nor anybody in it."""
    row = load_import(tx, import_id)
    tx.emit(CustomerImportMoved(progress_of(row)), _topics(row))


def _topics(row: Row[Any]) -> set[str]:
    return {SUPERVISORS} | ({user_topic(row.created_by)} if row.created_by is not None else set())


def progress_of(row: Row[Any]) -> ImportProgressView:
    return ImportProgressView(
        id=row.id,
        state=row.state,
        total=row.total,
        done=row.done,
        made=row.made,
        changed=row.changed,
        same=row.same,
        refused=row.refused,
        version=row.version,
    )


def _note(tx: Tx, viewer: Viewer | None, what: str, row: Row[Any], **told: str | int) -> None:
    audit.note(tx, viewer, f"{_SUBJECT}.{what}", _SUBJECT, row.id, {"name": row.file_name, **told})


# --- worked at ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Work:
    """An import that this process has claimed. `is_trial`: nothing is to be written but what would be refused."""

    id: int
    is_trial: bool
    file_key: str
    encoding: str
    delimiter: str
    headings: tuple[str, ...]
    mapping: tuple[Mapped, ...]
    options: Options
    done: int
    created_by: int | None


def claim(tx: Tx, process: str, import_id: int | None = None) -> Work | None:
    """The oldest that nobody works at, or the one that is named; for LEASE it is this process's."""
    free = (_i.lease_until.is_(None)) | (_i.lease_until < tx.now) | (_i.process == process)
    query = select(tables.customer_import).where(_i.state.in_(("trying", "running")), free, _i.file_key.is_not(None))
    if import_id is not None:
        query = query.where(_i.id == import_id)
    row = tx.first(query.order_by(_i.id).limit(1).with_for_update(skip_locked=True))
    if row is None:
        return None
    is_trial = row.state == "trying"
    # What a trial has seen was in the memory of the process that died.
    begins = _FROM_THE_BEGINNING if is_trial else {}
    change = update(tables.customer_import).where(_i.id == row.id)
    tx.execute(change.values(**{**begins, "process": process, "lease_until": tx.now + LEASE}))
    return Work(
        id=row.id,
        is_trial=is_trial,
        file_key=row.file_key,
        encoding=row.encoding,
        delimiter=row.delimiter,
        headings=tuple(row.columns),
        mapping=tuple(mapping_of(row)),
        options=options_of(row),
        done=0 if is_trial else row.done,
        created_by=row.created_by,
    )


def load_known(tx: Tx, options: Options) -> Known:
    """What lines are read against, as it is now."""
    names: dict[str, int | None] = {}
    people = tx.rows(select(_u.id, _u.email, _u.name).where(_u.active))
    for person in people:
        called = person.name.casefold()
        names[called] = None if called in names else person.id
    colleagues = {name: user_id for name, user_id in names.items() if user_id is not None}
    colleagues |= {person.email.casefold(): person.id for person in people}
    return Known(
        today=tx.now.date(),
        region=options.region or customers.load_home_region(tx),
        fields={each.key: each for each in custom_fields.load_fields(tx, Subject.CUSTOMER)},
        colleagues=colleagues,
        day_first=options.day_first,
        tags=options.tags,
    )


def load_importer(tx: Tx, user_id: int | None) -> Viewer | None:
    """Whose customers a line may be: those that whoever brought the file may see; None: anybody's (the command line)."""
    return None if user_id is None else accounts.viewer_of(tx, accounts.load_user(tx, user_id))


def forget_lines(tx: Tx, import_id: int, worker: tuple[Work, str] | None = None) -> bool:
    """Deletes some of the refused lines of an earlier pass; True while there may be more. Nothing is deleted of an import
    that is being worked at, but by the `worker` that has it, which keeps its lease by it."""
    row = tx.first(select(_i.state).where(_i.id == import_id).with_for_update())
    if row is None or (worker is None and row.state in ("trying", "running")):
        return False
    if worker is not None:
        if (mine := _mine(tx, *worker)) is None or mine.done != 0:
            return False
        tx.execute(update(tables.customer_import).where(_i.id == import_id).values(lease_until=tx.now + LEASE))
    some = select(_l.line).where(_l.import_id == import_id).order_by(_l.line).limit(_SWEEP_STEP).scalar_subquery()
    gone = delete(tables.customer_import_line).where(_l.import_id == import_id, _l.line.in_(some))
    return int(tx.execute(gone).rowcount) == _SWEEP_STEP


def try_batch(tx: Tx, work: Work, lines: Sequence[Line], claims: Claims) -> cards.Taken:
    """What a run would make of these lines; only looks."""
    viewer = load_importer(tx, work.created_by)
    options = work.options
    return cards.take(
        tx,
        lines,
        options.duplicates,
        system=options.system,
        viewer=viewer,
        by_id=work.created_by,
        import_id=work.id,
        claims=claims,
    )


def keep_trial(tx: Tx, work: Work, process: str, lines: Sequence[Line], taken: cards.Taken) -> bool:
    """Writes down what a trial found of a batch; False if it was given up."""
    return _step(tx, work, process, len(lines), taken)


def run_batch(tx: Tx, work: Work, process: str, done: int, lines: Sequence[Line]) -> bool:
    """Writes a batch that begins after `done` lines, and that it is written; False if the import was paused, or went on
    elsewhere."""
    row = _mine(tx, work, process)
    if row is None or row.done != done:
        return False
    viewer = load_importer(tx, work.created_by)
    options = work.options
    taken = cards.take(
        tx,
        lines,
        options.duplicates,
        system=options.system,
        viewer=viewer,
        by_id=work.created_by,
        import_id=work.id,
    )
    return _step(tx, work, process, len(lines), taken)


def fault_of(row: Row[Any]) -> str | None:
    """Why it failed; of before there were sentences it is a text as it stands."""
    return None if row.fault is None else from_text(row.fault)


def finish(tx: Tx, work: Work, process: str, fault: str | None = None) -> None:
    """All lines are through, or it cannot go on."""
    row = _mine(tx, work, process)
    if row is None:
        return
    state: ImportState = "failed" if fault is not None else "tried" if work.is_trial else "done"
    ended = {
        "finished_at": tx.now,
        "fault": None if fault is None else to_text(fault),
        "process": None,
        "lease_until": None,
    }
    _move(tx, work.id, state, **ended)
    if not work.is_trial:
        counts = {name: getattr(row, name) for name in ("made", "changed", "same", "refused")}
        # Nobody asked for it just now: it came of what somebody started.
        _note(tx, None, "failed" if fault is not None else "finished", row, **counts)


def end_leases(tx: Tx) -> None:
    """At the start of the only process: whoever worked at an import is dead."""
    tx.execute(update(tables.customer_import).values(process=None, lease_until=None))


def find_outdated(tx: Tx) -> list[tuple[int, str]]:
    """Imports that are over, or that nobody went on with, and whose time has come: (id, key of the file)."""
    end = func.coalesce(_i.finished_at, _i.created_at)
    query = select(_i.id, _i.file_key).where(
        _i.file_key.is_not(None), _i.state.not_in(("trying", "running")), end < tx.now - KEPT
    )
    return [(row.id, row.file_key) for row in tx.rows(query.order_by(_i.id).limit(100))]


def forget(tx: Tx, import_id: int) -> bool:
    """What was read from the file; that there was one, and what came of it, is kept. Its lines go in bounded steps before.
    False if somebody has gone on with it just now: then its file is needed."""
    row = tx.first(select(_i.state).where(_i.id == import_id).with_for_update())
    if row is None or row.state in ("trying", "running"):
        return False
    state: ImportState = row.state if row.state in ("done", "failed") else "failed"
    _move(tx, import_id, state, file_key=None, sample=[])
    return True


def _mine(tx: Tx, work: Work, process: str) -> Row[Any] | None:
    """The import, locked, while it is this process's and as it was claimed."""
    row = tx.first(select(tables.customer_import).where(_i.id == work.id).with_for_update())
    state = "trying" if work.is_trial else "running"
    return row if row is not None and row.state == state and row.process == process else None


def _step(tx: Tx, work: Work, process: str, count: int, taken: cards.Taken) -> bool:
    if _mine(tx, work, process) is None:
        return False
    rows = [
        {
            "import_id": work.id,
            "line": line.number,
            "faults": {name: to_json(fault) for name, fault in line.faults.items()},
            "cells": list(line.cells),
        }
        for line in taken.refused
    ]
    tx.insert_new(tables.customer_import_line, rows)
    change = update(tables.customer_import).where(_i.id == work.id)
    tx.execute(
        change.values(
            done=_i.done + count,
            made=_i.made + taken.made,
            changed=_i.changed + taken.changed,
            same=_i.same + taken.same,
            refused=_i.refused + len(taken.refused),
            lease_until=tx.now + LEASE,
            version=_i.version + 1,
        )
    )
    tell(tx, work.id)
    return True
