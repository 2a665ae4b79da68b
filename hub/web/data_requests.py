"""What customers ask about their data: taking it down, the file of all that is kept, and erasure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row
from starlette.responses import Response, StreamingResponse

from hub.domain.permissions import Permission
from hub.privacy import archive, erasing, requests
from hub.web.api import DEFAULT_LIMIT, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import (
    DataRequest,
    EndDataRequest,
    EraseCheck,
    EraseCustomer,
    EraseObstacle,
    NewDataRequest,
    Page,
)

_PRIVACY = Permission.PRIVACY


@endpoint("GET", "/data-requests", access=_PRIVACY, summary="What customers ask about their data")
async def list_data_requests(
    context: Context,
    state: Literal["open", "over"] = "open",
    customer_id: int | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[DataRequest]:
    """Those that are not answered yet, due first; or those that are over, the last first."""
    place = read_cursor(cursor, datetime, int)
    rows = await context.hub.database.read(
        requests.load_page,
        context.viewer,
        is_open=state == "open",
        customer_id=customer_id,
        after=(place[0], place[1]) if place else None,
        limit=limit,
    )
    next_cursor = None
    if len(rows) == limit:
        last = rows[-1]
        next_cursor = write_cursor(last.due_at if state == "open" else last.ended_at, last.id)
    return Page(items=[_view(context, row) for row in rows], next_cursor=next_cursor)


@endpoint(
    "POST",
    "/customers/{customer_id}/data-requests",
    access=_PRIVACY,
    status=201,
    summary="Take down that a customer wants their data, or its erasure",
)
async def create_data_request(context: Context, customer_id: int, body: NewDataRequest) -> DataRequest:
    """`identity`: by what you know that it is they who ask. Due a month after it was asked unless `due_at` says otherwise.
    409 `already_asked` while the same is asked for already, `erased`."""
    wish = requests.Wish(body.kind, body.identity, body.note, body.conversation_id, body.asked_at, body.due_at)
    return _view(context, await context.hub.database.transaction(requests.create, context.viewer, customer_id, wish))


@endpoint("GET", "/data-requests/{request_id}", access=_PRIVACY, summary="A request about a customer's data")
async def get_data_request(context: Context, request_id: int) -> DataRequest:
    return _view(context, await context.hub.database.read(requests.load, context.viewer, request_id))


@endpoint("POST", "/data-requests/{request_id}/end", access=_PRIVACY, summary="A request is done, refused or withdrawn")
async def end_data_request(context: Context, request_id: int, body: EndDataRequest) -> DataRequest:
    """409 `not_made`: the file was not made yet, or it is a request for erasure, which is done by erasing; `request_state`:
    it has ended in another way; `version_conflict`."""
    row = await context.hub.database.transaction(
        requests.end,
        context.viewer,
        request_id,
        body.state,
        reason=body.reason,
        expected_version=body.expected_version,
    )
    return _view(context, row)


@endpoint(
    "POST",
    "/data-requests/{request_id}/file",
    access=_PRIVACY,
    summary="All that is kept of the customer, as a ZIP",
    media_type="application/zip",
)
async def make_data_file(context: Context, request_id: int, with_notes: bool = False) -> Response:
    """`with_notes`: with what colleagues wrote for each other. Who made it stands in the audit log. 409 `request_state`
    unless it is an open request for the data."""
    hub = context.hub
    wanted = await hub.database.transaction(archive.begin, context.viewer, request_id, with_notes=with_notes)
    name = f"customer_{wanted.ids[0]}_{wanted.made_at:%Y-%m-%d}.zip"
    return StreamingResponse(
        archive.parts(hub.database, hub.files, hub.recordings, wanted),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


@endpoint(
    "GET",
    "/data-requests/{request_id}/erase-check",
    access=_PRIVACY,
    summary="What is to be seen to before the customer can be erased",
)
async def check_erasure(context: Context, request_id: int) -> EraseCheck:
    """409 `request_state` unless it is an open request for erasure."""
    found = await context.hub.database.read(erasing.check, context.viewer, request_id)
    return EraseCheck(in_the_way=[_obstacle(each) for each in found])


def _obstacle(one: erasing.Obstacle) -> EraseObstacle:
    is_import = one.code == "import_open"
    return EraseObstacle(
        code=one.code,
        conversation_id=None if is_import else one.id,
        import_id=one.id if is_import else None,
        file_name=one.file_name,
    )


@endpoint(
    "POST", "/data-requests/{request_id}/erase", access=_PRIVACY, status=202, summary="Erase the customer, for ever"
)
async def erase_customer(context: Context, request_id: int, body: EraseCustomer) -> DataRequest:
    """`name`: the customer's, as it stands on the card. Everything that says who they were is gone with the answer; what
    lies in files and logs goes in the minutes after it, and the request stands at `erasing` until then. Figures stay as
    they are. 409 `conversations_open`, `call_live`, `sending`, `import_open`: see to that first (`fields.id`: of the
    conversation or import, if you may see it; erase-check names all of it); `request_state`; `database_busy`: try again
    later."""
    row = await context.hub.database.transaction(
        erasing.begin, context.viewer, request_id, name=body.name, expected_version=body.expected_version
    )
    return _view(context, row)


def _view(context: Context, row: Row[Any]) -> DataRequest:
    r = row._mapping
    is_over = r["ended_at"] is not None
    return DataRequest(
        id=r["id"],
        customer_id=r["living_id"],
        customer_name=r["customer_name"],
        customer_is_erased=r["erased_at"] is not None,
        kind=r["kind"],
        state=r["state"],
        conversation_id=r["conversation_id"],
        identity=r["identity"],
        note=r["note"],
        reason=r["reason"],
        asked_at=r["asked_at"],
        due_at=r["due_at"],
        is_overdue=not is_over and r["due_at"] < context.hub.database.clock(),
        taken_by_id=r["taken_by"],
        taken_by_name=r["taken_by_name"],
        created_at=r["created_at"],
        made_at=r["made_at"],
        ended_at=r["ended_at"],
        ended_by_name=r["ended_by_name"],
        version=r["version"],
    )
