"""Recordings of calls and messages left: hearing them, who has heard them, deleting them; and who may.

A play is written down before its first byte leaves. Nothing of it is kept in a browser's cache: who hears it again, asks
again.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Row
from starlette.responses import Response, StreamingResponse

from hub.agents.viewer import Viewer
from hub.calls import recordings
from hub.calls.views import recording_view
from hub.domain.permissions import Permission
from hub.domain.values import Role
from hub.errors import NotFound
from hub.store.database import Tx
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    QueueRecordings,
    RecordingDetail,
    RecordingPlay,
    RecordingSettings,
    SetRecordings,
)

# As many plays as anybody reads.
_PLAYS_SHOWN = 100
# RFC 9110, 14.1.2: one range, `first-last`, `first-` or `-length`; what we do not understand is not heeded.
_RANGE = re.compile(r"bytes=(\d{1,15})?-(\d{1,15})?")
_ENDINGS = {
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/webm": "webm",
    "audio/mp4": "m4a",
    "audio/flac": "flac",
}


@endpoint("GET", "/recordings/{recording_id}", access=Access.AGENT, summary="A recording and how loud it is")
async def get_recording(context: Context, recording_id: int) -> RecordingDetail:
    """For whoever may hear it; 404 for everybody else. This is no play."""
    return await context.hub.database.read(_detail, context.viewer, recording_id)


def _detail(tx: Tx, viewer: Viewer, recording_id: int) -> RecordingDetail:
    row = recordings.access(tx, viewer, recording_id)
    plays = None
    if viewer.covers(Role.SUPERVISOR):
        found = recordings.load_plays(tx, recording_id, _PLAYS_SHOWN)
        plays = [RecordingPlay(user_id=play.user_id, name=play.name, at=play.at) for play in found]
    return RecordingDetail(
        recording=recording_view(row),
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        peaks=row.peaks,
        goes_at=recordings.goes_at(row),
        deleted_at=row.deleted_at,
        deleted_by_name=row.deleted_by_name,
        plays=plays,
    )


@endpoint(
    "GET",
    "/recordings/{recording_id}/content",
    access=Access.AGENT,
    summary="Hear a recording",
    media_type="audio/ogg",
)
async def hear_recording(context: Context, recording_id: int, download: bool = False) -> Response:
    """The sound, whole or the range that is asked for. It is written down who hears it (ranges within a minute are one
    play). 409 `recording_fetching`, `recording_failed` or `recording_deleted` when it is not here."""
    hub, request = context.hub, context.request
    is_question = request.method == "HEAD"
    work = _find_to_hear if is_question else recordings.note_play
    row = await hub.database.transaction(work, context.viewer, recording_id)
    size = int(row.size_bytes)
    headers = _headers(row, download=download)
    wanted = _read_range(request.headers.get("range", ""), size)
    if wanted is None:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, end, is_part = wanted
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if is_question:
        return Response(status_code=206 if is_part else 200, headers=headers)
    pieces = hub.recordings.read(row.file_key, start, end)
    # The first piece before the headers: a store that is away is an error and not half an answer.
    first = await anext(pieces, b"")

    async def body() -> Any:
        yield first
        async for piece in pieces:
            yield piece

    return StreamingResponse(body(), status_code=206 if is_part else 200, headers=headers)


def _find_to_hear(tx: Tx, viewer: Viewer, recording_id: int) -> Row[Any]:
    row = recordings.access(tx, viewer, recording_id)
    if row.state != "stored":
        raise NotFound("there is no such recording")
    return row


def _headers(row: Row[Any], *, download: bool) -> dict[str, str]:
    name = f"{row.kind}-{row.call_id}-{row.id}.{_ENDINGS.get(row.media_type, 'bin')}"
    return {
        "Content-Type": row.media_type if row.media_type in _ENDINGS else "application/octet-stream",
        "Content-Disposition": f'{"attachment" if download else "inline"}; filename="{name}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
    }


def _read_range(header: str, size: int) -> tuple[int, int, bool] | None:
    """First byte, the one after the last, and whether that was asked for; None when there is no such part."""
    match = _RANGE.fullmatch(header.strip())
    first, last = match.groups() if match is not None else (None, None)
    if first is None:
        if last is None:
            return 0, size, False
        length = min(int(last), size)
        return (size - length, size, True) if length else None
    start = int(first)
    if last is not None and int(last) < start:
        return 0, size, False
    end = size if last is None else min(int(last) + 1, size)
    return (start, end, True) if start < size else None


@endpoint("DELETE", "/recordings/{recording_id}", access=Permission.MANAGE_RECORDINGS, summary="Delete a recording")
async def delete_recording(context: Context, recording_id: int) -> None:
    """For ever, at the provider too; who did it is kept. A deleted one is deleted already."""
    await context.hub.database.transaction(recordings.delete, context.viewer, recording_id)


@endpoint(
    "POST",
    "/recordings/{recording_id}/fetch",
    access=Permission.MANAGE_RECORDINGS,
    summary="Try again to fetch a recording",
)
async def fetch_recording(context: Context, recording_id: int) -> None:
    """One that failed. 409 `not_failed` for any other."""
    await context.hub.database.transaction(recordings.fetch_again, context.viewer, recording_id)


# --- all of them --------------------------------------------------------------------------------------------------------


@endpoint(
    "GET",
    "/organisation/recordings",
    access=Permission.MANAGE_SETTINGS,
    summary="Who may hear recordings, and what is kept of them",
)
async def get_recording_settings(context: Context) -> RecordingSettings:
    return await context.hub.database.read(_settings, context.hub.recordings.url)


@endpoint(
    "PUT", "/organisation/recordings", access=Permission.MANAGE_SETTINGS, summary="Say which recordings agents may hear"
)
async def set_recording_settings(context: Context, body: SetRecordings) -> RecordingSettings:
    def change(tx: Tx) -> RecordingSettings:
        recordings.set_rule(tx, body.recordings_for_agents, actor=context.viewer)
        return _settings(tx, context.hub.recordings.url)

    return await context.hub.database.transaction(change)


def _settings(tx: Tx, store_url: str) -> RecordingSettings:
    found = recordings.load_overview(tx)
    rule: Any = recordings.load_rule(tx)
    return RecordingSettings(
        recordings_for_agents=rule,
        store="bucket" if store_url else "directory",
        store_url=store_url,
        queues=[
            QueueRecordings(
                queue_id=each.queue_id,
                count=each.count,
                size_bytes=each.size_bytes,
                duration_s=each.duration_s,
                oldest_at=each.oldest_at,
            )
            for each in found.queues
        ],
        fetching=found.fetching,
        troubled=found.troubled,
        failed=found.failed,
        leaving=found.leaving,
    )
