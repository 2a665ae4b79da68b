"""The audit log, for administrators: who changed what, when and from where, as a list and as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Collection
from datetime import datetime

from pydantic import AwareDatetime
from starlette.responses import Response, StreamingResponse

from hub.agents import audit
from hub.agents.audit import Act, Place, Wanted
from hub.domain.permissions import Permission
from hub.reports.files import CSV_TYPE, csv_text
from hub.web.api import DEFAULT_LIMIT, Context, Limit, QueryFields, endpoint, read_cursor, write_cursor
from hub.web.schemas import AuditAct, Page

# Rows that are read and handed on at once: some 100 kB.
_ROWS_AT_ONCE = 500
_HEAD = ("at", "who", "who_id", "api_key", "address", "action", "subject", "subject_id", "name", "data")


class AuditFilters(QueryFields):
    """`actor` 0: what nobody who was signed in did. `area`: what stands before the dot of an action."""

    actor: int | None = None
    area: str | None = None
    subject: str | None = None
    subject_id: str | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


@endpoint("GET", "/audit", access=Permission.READ_AUDIT, summary="Who changed what")
async def list_audit(
    context: Context, filters: AuditFilters, limit: Limit = DEFAULT_LIMIT, cursor: str | None = None
) -> Page[AuditAct]:
    """Newest first. `data.changes`: field → [before, after], or "changed" where the values are secret or long."""
    before = read_cursor(cursor, datetime, int, int)
    found = await context.hub.database.read(audit.load, _wanted(filters), before, limit + 1)
    more = write_cursor(*_place(found[limit - 1])) if len(found) > limit else None
    return Page([_view(act) for act in found[:limit]], more)


@endpoint(
    "GET", "/audit.csv", access=Permission.READ_AUDIT, summary="Who changed what, as a file", media_type="text/csv"
)
async def export_audit(context: Context, filters: AuditFilters, bom: bool = True) -> Response:
    """All of it that the filters leave, by RFC 4180 in UTF-8. That it was exported stands in the log, too."""
    hub = context.hub
    wanted = _wanted(filters)
    asked = {name: str(value) for name, value in filters.model_dump(exclude_none=True).items()}
    await hub.database.transaction(
        audit.note, context.viewer, "audit.exported", "audit", "", {"name": "audit.csv", "filters": asked}
    )

    async def pieces() -> AsyncIterator[bytes]:
        yield ("\ufeff" if bom else "").encode() + _lines([_HEAD])
        before: Place | None = None
        while found := await hub.database.read(audit.load, wanted, before, _ROWS_AT_ONCE):
            before = _place(found[-1])
            yield _lines([_row(act) for act in found])

    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(pieces(), media_type=CSV_TYPE, headers=headers)


def _wanted(filters: AuditFilters) -> Wanted:
    return Wanted(
        actor_id=filters.actor or None,
        by_hub=filters.actor == 0,
        area=filters.area,
        subject=filters.subject,
        subject_id=filters.subject_id,
        since=filters.since,
        until=filters.until,
    )


def _place(act: Act) -> Place:
    return act.at, act.source, act.id


def _lines(rows: Collection[Collection[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()


def _row(act: Act) -> list[str]:
    data = {name: value for name, value in act.data.items() if name != "name"}
    cells = [
        act.at.isoformat(),
        act.actor_name,
        "" if act.actor_id is None else str(act.actor_id),
        act.api_key_name or "",
        act.address or "",
        act.action,
        act.subject,
        act.subject_id,
        str(act.data.get("name", "")),
        json.dumps(data, ensure_ascii=False) if data else "",
    ]
    return [csv_text(cell) for cell in cells]


def _view(act: Act) -> AuditAct:
    return AuditAct(
        id=f"{act.source}-{act.id}",
        at=act.at,
        actor_id=act.actor_id,
        actor_name=act.actor_name,
        api_key_name=act.api_key_name,
        address=act.address,
        action=act.action,
        subject=act.subject,
        subject_id=act.subject_id,
        data=dict(act.data),
    )
