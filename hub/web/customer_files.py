"""Customers by file: imports, from the upload to the lines that were refused, and exports."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import Row
from starlette.formparsers import MultiPartException
from starlette.responses import Response, StreamingResponse

from hub.customer_files import exports, imports
from hub.customer_files.columns import TARGETS, Mapped
from hub.customer_files.imports import Options
from hub.customer_files.reading import examine
from hub.customer_files.running import chunks_of
from hub.domain.csv_cells import harmless
from hub.domain.languages import StaffLanguage, staff_language
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.errors import BadRequest, Conflict, InvalidInput, NotFound, TooLarge
from hub.store.database import Database, Tx
from hub.web.api import DEFAULT_LIMIT, Context, Limit, QueryFields, endpoint, read_cursor, write_cursor
from hub.web.attachments import clean_name
from hub.web.languages import in_language
from hub.web.schemas import (
    CustomerImport,
    ExportColumn,
    ExportCount,
    ImportColumn,
    ImportOptions,
    MapImport,
    Page,
    RefusedImportLine,
)

_CSV = "text/csv; charset=utf-8"
# Half a million customers (customer_files.reading) take some 100 MB.
_FILE_LIMIT_BYTES = 200 << 20
_SAMPLE_CELL = 200
_REFUSED_PAGE = 1_000
# The envelope of a multipart body around its one file.
_MULTIPART_OVERHEAD = 64 * 1024
_IMPORT, _EXPORT = Permission.IMPORT_CUSTOMERS, Permission.EXPORT_CUSTOMERS


# --- imports --------------------------------------------------------------------------------------------------------------


@endpoint("GET", "/customer-imports", access=_IMPORT, summary="Imports of customers")
async def list_customer_imports(
    context: Context, limit: Limit = DEFAULT_LIMIT, cursor: str | None = None
) -> Page[CustomerImport]:
    """Newest first. Whoever sees only their queues' customers sees only the imports that they brought themselves."""
    before = read_cursor(cursor, int)
    place = before[0] if before else None
    rows = await context.hub.database.read(imports.load_imports, context.viewer, before=place, limit=limit)
    items = [await _told(context, row) for row in rows]
    return Page(items=items, next_cursor=write_cursor(items[-1].id) if len(items) == limit else None)


@endpoint("GET", "/customer-imports/targets", access=_IMPORT, summary="What a column can be")
async def list_import_targets(context: Context) -> Page[str]:
    """Beside custom fields of customers, which are `field.` and their key."""
    return Page(items=list(TARGETS))


@endpoint(
    "POST",
    "/customer-imports",
    access=_IMPORT,
    status=201,
    summary="Upload a file of customers",
    accepts="multipart/form-data",
)
async def create_customer_import(context: Context) -> CustomerImport:
    """One part called `file`: CSV with headings; commas, semicolons or tabs; UTF-8, UTF-16 or Windows-1251. It is read
    through and kept, and nobody is added yet: the answer says what its columns seem to be. 422 `unreadable_file` says where
    it cannot be read."""
    hub = context.hub
    name, key, size = await _store_upload(context, _FILE_LIMIT_BYTES)
    try:
        path = hub.files.path(key)
        examined = await asyncio.to_thread(examine, lambda: chunks_of(path))
        import_id = await hub.database.transaction(
            imports.create_import, context.viewer, examined, file_name=name, file_key=key, size_bytes=size
        )
    except Exception:
        await asyncio.to_thread(hub.files.delete, key)
        raise
    return await _load(context, import_id)


@endpoint("GET", "/customer-imports/{import_id}", access=_IMPORT, summary="An import of customers")
async def get_customer_import(context: Context, import_id: int) -> CustomerImport:
    return await _load(context, import_id)


@endpoint("PUT", "/customer-imports/{import_id}/mapping", access=_IMPORT, summary="Say what the columns are")
async def map_customer_import(context: Context, import_id: int, body: MapImport) -> CustomerImport:
    """Before it runs; what a trial counted is void. 422 names what is wrong as `mapping.0` (the place in the list) or by the
    option. 409 `version_conflict` if somebody changed it meanwhile, `import_state` once it runs."""
    mapping = [Mapped(each.column, each.target, each.label) for each in body.mapping]
    given = body.options
    options = Options(given.duplicates, given.day_first, given.region.upper(), given.system, tuple(given.tags))
    await context.hub.database.transaction(
        imports.set_mapping, context.viewer, import_id, mapping, options, expected_version=body.expected_version
    )
    return await _load(context, import_id)


@endpoint("POST", "/customer-imports/{import_id}/trial", access=_IMPORT, summary="Try an import")
async def try_customer_import(context: Context, import_id: int) -> CustomerImport:
    """Counts what a run would do and writes nobody. It goes on behind; `customer_import.moved` tells how far it is. A trial
    that failed begins anew. 409 `file_forgotten` where its file is not there any more."""
    await _check_file(context, import_id)
    return await _ask(context, imports.begin_trial, import_id)


@endpoint("POST", "/customer-imports/{import_id}/start", access=_IMPORT, summary="Run an import, or go on with it")
async def start_customer_import(context: Context, import_id: int) -> CustomerImport:
    """It goes on behind, also without you. A run that failed goes on where it stood. 409 `file_forgotten` where its file is
    not there any more."""
    await _check_file(context, import_id)
    return await _ask(context, imports.start, import_id)


@endpoint("POST", "/customer-imports/{import_id}/pause", access=_IMPORT, summary="Pause an import, or give up a trial")
async def pause_customer_import(context: Context, import_id: int) -> CustomerImport:
    """What it has brought stays; it can go on from there."""
    return await _ask(context, imports.pause, import_id)


@endpoint("DELETE", "/customer-imports/{import_id}", access=_IMPORT, summary="Forget an import and its file")
async def remove_customer_import(context: Context, import_id: int) -> None:
    """The customers it brought stay. 409 `import_state` while it runs."""
    hub = context.hub
    await hub.database.read(imports.load_import, import_id, context.viewer)
    while await hub.database.transaction(imports.forget_lines, import_id):
        pass  # in bounded steps: nobody waits long for the writer
    key = await hub.database.transaction(imports.remove, context.viewer, import_id)
    if key is not None:
        await asyncio.to_thread(hub.files.delete, key)


@endpoint("GET", "/customer-imports/{import_id}/refused", access=_IMPORT, summary="Lines that were refused")
async def list_refused_lines(
    context: Context, import_id: int, limit: Limit = DEFAULT_LIMIT, cursor: str | None = None
) -> Page[RefusedImportLine]:
    """In the order of the file, by the trial or the run, whichever was last."""
    after = read_cursor(cursor, int)
    database = context.hub.database
    row = await database.read(imports.load_import, import_id, context.viewer)
    lines = await database.read(imports.load_refused, import_id, after=after[0] if after else 0, limit=limit)
    items = [
        RefusedImportLine(
            line=each.line,
            faults=_faults_in(context.language, each, row.columns),
            cells=[cell[:_SAMPLE_CELL] for cell in each.cells],
        )
        for each in lines
    ]
    return Page(items=items, next_cursor=write_cursor(items[-1].line) if len(items) == limit else None)


@endpoint(
    "GET",
    "/customer-imports/{import_id}/refused.csv",
    access=_IMPORT,
    summary="Lines that were refused, as a file",
    media_type="text/csv",
)
async def download_refused_lines(context: Context, import_id: int) -> Response:
    """Each as it stood, with its number and its reason in front: to be put right and brought once more. The reason is in the
    language of your account, the cells stand between the delimiters of the file that came."""
    database = context.hub.database
    row = await database.read(imports.load_import, import_id, context.viewer)
    return StreamingResponse(
        _refused_parts(database, row, staff_language(context.viewer.language)),
        media_type=_CSV,
        headers=_download(f"refused_{import_id}.csv"),
    )


async def _refused_parts(database: Database, row: Row[Any], language: StaffLanguage) -> AsyncIterator[bytes]:
    yield ("\ufeff" + _line(["Row", "Reason", *row.columns], row.delimiter)).encode()
    after = 0
    while lines := await database.read(imports.load_refused, row.id, after=after, limit=_REFUSED_PAGE):
        text = ""
        for each in lines:
            faults = _faults_in(language, each, row.columns)
            reason = "; ".join(f"{name}: {words}" for name, words in faults.items())
            text += _line([str(each.line), reason, *each.cells], row.delimiter)
        yield text.encode()
        after = lines[-1].line


def _faults_in(language: StaffLanguage, line: imports.RefusedLine, headings: Sequence[str]) -> dict[str, str]:
    """What is wrong with a line in somebody's language. Headings stay as they are; what stands for one that is not there
    is ours."""
    faults = {}
    for name, fault in line.faults.items():
        heading = name if name in headings else in_language(_stand_in(name), language)
        faults[heading] = in_language(fault, language)
    return faults


def _stand_in(name: str) -> str:
    if name == "line":
        return Sentence("line")
    number = name.removeprefix("column ")
    return Sentence("column {number}", number=number) if number != name and number.isdecimal() else name


def _line(cells: Sequence[str], delimiter: str = ",") -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return buffer.getvalue()


async def _ask(context: Context, work: Any, import_id: int) -> CustomerImport:
    await context.hub.database.transaction(work, context.viewer, import_id)
    return await _load(context, import_id)


async def _load(context: Context, import_id: int) -> CustomerImport:
    return await _told(context, await context.hub.database.read(imports.load_import, import_id, context.viewer))


async def _told(context: Context, row: Row[Any]) -> CustomerImport:
    # Of the others the file is kept, or it is known that it is not.
    may_resume = row.state == "failed" and await _has_file(context, row)
    return _view(row, context.language, may_resume=may_resume)


async def _has_file(context: Context, row: Row[Any]) -> bool:
    if row.file_key is None:
        return False
    try:
        await asyncio.to_thread(context.hub.files.path, row.file_key)
    except NotFound:
        return False
    return True


async def _check_file(context: Context, import_id: int) -> None:
    """One that failed may have lost its file with the disk that it was on."""
    row = await context.hub.database.read(imports.load_import, import_id, context.viewer)
    if row.state == "failed" and not await _has_file(context, row):
        raise Conflict("its file is not there any more", code="file_forgotten")


def _view(row: Row[Any], language: StaffLanguage, *, may_resume: bool) -> CustomerImport:
    options = imports.options_of(row)
    return CustomerImport(
        id=row.id,
        progress=imports.progress_of(row),
        file_name=row.file_name,
        size_bytes=row.size_bytes,
        encoding=row.encoding,
        delimiter=row.delimiter,
        columns=list(row.columns),
        sample=[[cell[:_SAMPLE_CELL] for cell in cells] for cells in row.sample],
        mapping=[
            ImportColumn(column=each.column, target=each.target, label=each.label) for each in imports.mapping_of(row)
        ],
        options=ImportOptions(
            duplicates=options.duplicates,
            day_first=options.day_first,
            region=options.region,
            system=options.system,
            tags=list(options.tags),
        ),
        fault=None if (fault := imports.fault_of(row)) is None else in_language(fault, language),
        is_forgotten=row.file_key is None,
        may_resume=may_resume,
        by_name=row.by_name,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


async def _store_upload(context: Context, limit_bytes: int) -> tuple[str, str, int]:
    """(name, key, size) of the one part called `file`, written to the files piece by piece."""
    request, files = context.request, context.hub.files
    told = request.headers.get("content-length", "")
    if not told.isdecimal():
        raise BadRequest("the upload must tell its length (Content-Length)")
    if int(told) > limit_bytes + _MULTIPART_OVERHEAD:
        raise TooLarge(f"the file is larger than {limit_bytes} bytes")
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadRequest("the upload must be multipart/form-data")
    try:
        # Starlette keeps a large part on the disk.
        async with request.form(max_files=1, max_fields=4, max_part_size=64 * 1024) as form:
            file = form.get("file")
            if file is None or isinstance(file, str):
                raise InvalidInput("no file", fields={"file": Sentence("is required")})
            if not file.size:
                raise InvalidInput("empty file", code="unreadable_file", fields={"file": Sentence("is empty")})
            if file.size > limit_bytes:
                raise TooLarge(f"the file is larger than {limit_bytes} bytes")
            key = await asyncio.to_thread(files.write_from, file.file)
            return clean_name(file.filename or "file"), key, file.size
    except MultiPartException:
        raise BadRequest("the upload is not well-formed") from None


# --- exports --------------------------------------------------------------------------------------------------------------


class ExportQuery(QueryFields):
    """Whom: `q` stands in the name or an address, `tag` is this very one, `view`: those of whom a saved view has a
    conversation. `columns`: with commas between them; none means all."""

    q: Annotated[str, StringConstraints(max_length=200)] | None = None
    tag: Annotated[str, StringConstraints(max_length=50)] | None = None
    view: Annotated[int, Field(ge=1)] | None = None
    columns: Annotated[str, StringConstraints(max_length=8_000)] | None = None


def _wanted(query: ExportQuery) -> exports.Wanted:
    columns = tuple(name.strip() for name in (query.columns or "").split(",") if name.strip())
    return exports.Wanted(words=query.q, tag=query.tag, view_id=query.view, columns=columns)


@endpoint("GET", "/customer-exports/columns", access=_EXPORT, summary="What can be exported of customers")
async def list_export_columns(context: Context) -> Page[ExportColumn]:
    """In the order of the file; custom fields are `field.` and their key."""
    return Page(items=await context.hub.database.read(_load_columns))


def _load_columns(tx: Tx) -> list[ExportColumn]:
    return [ExportColumn(name=name, heading=heading) for name, heading in exports.load_columns(tx).items()]


@endpoint("GET", "/customer-exports/count", access=_EXPORT, summary="How many customers an export would have")
async def count_export(context: Context, query: ExportQuery) -> ExportCount:
    count = await context.hub.database.read(exports.count, context.viewer, _wanted(query))
    return ExportCount(count=count)


@endpoint(
    "GET", "/customer-exports/customers.csv", access=_EXPORT, summary="Customers as a file", media_type="text/csv"
)
async def export_customers(context: Context, query: ExportQuery, bom: bool = True) -> Response:
    """Those you may see, the oldest first, by RFC 4180 in UTF-8. `bom`: begins with the mark by which spreadsheets know
    UTF-8. Who took out how many, and which, stands in the audit log."""
    database, viewer, wanted = context.hub.database, context.viewer, _wanted(query)
    columns, _ = await database.transaction(exports.begin, viewer, wanted)
    parts = exports.csv_parts(database, viewer, wanted, columns, has_mark=bom)
    return StreamingResponse(parts, media_type=_CSV, headers=_download(f"customers_{database.clock():%Y-%m-%d}.csv"))


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
