"""Attachments: files that agents upload and everybody downloads, served so that a browser can do no harm with them."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import quote

from sqlalchemy import Row, select
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.domain.states import AttachmentState
from hub.domain.views import AttachmentView
from hub.errors import BadRequest, InvalidInput, NotFound, TooLarge
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations
from hub.timeline.sending import is_signed_file
from hub.web.api import Access, Context, endpoint, error_answer, hub_of
from hub.web.mails import check_no_link

# Types a browser may show in place; everything else is a download. SVG and HTML are never among them: they can act.
_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "audio/mpeg", "audio/ogg", "video/mp4"})
_NAME_LIMIT = 120
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f/\\]")
# The envelope of a multipart body around its one file.
_MULTIPART_OVERHEAD = 64 * 1024


async def read_upload(request: Request, limit_bytes: int) -> tuple[str, str, bytes]:
    """(name, media type, content) of the one part called `file`; InvalidInput, BadRequest or TooLarge."""
    told = request.headers.get("content-length", "")
    if not told.isdecimal():
        raise BadRequest("the upload must tell its length (Content-Length)")
    if int(told) > limit_bytes + _MULTIPART_OVERHEAD:
        raise TooLarge(f"the file is larger than {limit_bytes} bytes")
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadRequest("the upload must be multipart/form-data")
    try:
        async with request.form(max_files=1, max_fields=4, max_part_size=64 * 1024) as form:
            file = form.get("file")
            if file is None or isinstance(file, str):
                raise InvalidInput("no file", fields={"file": Sentence("is required")})
            content = await file.read(limit_bytes + 1)
            name, media_type = file.filename or "file", file.content_type or "application/octet-stream"
    except MultiPartException:
        raise BadRequest("the upload is not well-formed") from None
    if len(content) > limit_bytes:
        raise TooLarge(f"the file is larger than {limit_bytes} bytes")
    if not content:
        raise InvalidInput("empty file", fields={"file": Sentence("is empty")})
    media_type = media_type.partition(";")[0].strip().lower()
    if not re.fullmatch(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}", media_type):
        media_type = "application/octet-stream"
    return clean_name(name), media_type, content


def clean_name(name: str) -> str:
    """A file name without folders and control characters."""
    return _UNPRINTABLE.sub("_", name.strip())[-_NAME_LIMIT:] or "file"


def _insert(tx: Tx, row: dict[str, Any]) -> AttachmentView:
    attachment_id = tx.insert(tables.attachment, row | {"created_at": tx.now, "state": AttachmentState.STORED.value})
    found = tx.first(select(tables.attachment).where(tables.attachment.c.id == attachment_id))
    assert found is not None
    return conversations.attachment_view(found)


@endpoint(
    "POST",
    "/attachments",
    access=Access.AGENT,
    status=201,
    summary="Upload a file to send",
    accepts="multipart/form-data",
)
async def upload(context: Context) -> AttachmentView:
    """One part called `file`. It is yours until you send it; what is never sent is deleted after a day."""
    hub = context.hub
    name, media_type, content = await read_upload(context.request, hub.settings.upload_limit_bytes)
    key = await asyncio.to_thread(hub.files.write, content)
    row = {
        "uploaded_by": context.viewer.user_id,
        "name": name,
        "media_type": media_type,
        "size_bytes": len(content),
        "file_key": key,
    }
    return await hub.database.transaction(_insert, row)


def _access(tx: Tx, viewer: Viewer, attachment_id: int) -> Row[Any]:
    """The row, for its uploader or whoever may see its conversation."""
    a, e = tables.attachment.c, tables.entry.c
    row = tx.first(
        select(tables.attachment, e.conversation_id)
        .outerjoin(tables.entry, e.id == a.entry_id)
        .where(a.id == attachment_id)
    )
    absent = NotFound("there is no such file")
    if row is None or (row.conversation_id is None and row.uploaded_by != viewer.user_id):
        raise absent
    if row.conversation_id is not None:
        try:
            conversations.access_entry_of(tx, viewer, row.conversation_id)
        except NotFound:
            raise absent from None
    return row


@endpoint(
    "GET",
    "/attachments/{attachment_id}/content",
    access=Access.AGENT,
    summary="Download a file",
    media_type="application/octet-stream",
)
async def download(context: Context, attachment_id: int) -> Response:
    """Pictures and sound are shown in place, everything else is a download; nothing in it can act."""
    row = await context.hub.database.read(_access, context.viewer, attachment_id)
    if row.media_type.startswith("message/") and row.file_key is not None:
        await check_no_link(context.viewer, context.hub.files.path(row.file_key))
    return serve_file(context.hub.files, row)


def serve_file(files: Any, row: Row[Any]) -> Response:
    """The stored bytes with headers that keep a browser from doing anything with them but show or save."""
    if row.state != AttachmentState.STORED.value or row.file_key is None:
        raise NotFound("this file is not here (yet)")
    shown = row.media_type in _SHOWN
    answer = FileResponse(files.path(row.file_key), media_type=row.media_type if shown else "application/octet-stream")
    disposition = "inline" if shown else "attachment"
    answer.headers["Content-Disposition"] = f"{disposition}; filename*=UTF-8''{quote(row.name)}"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


def _load_public(tx: Tx, attachment_id: int) -> Row[Any] | None:
    return tx.first(select(tables.attachment).where(tables.attachment.c.id == attachment_id))


async def public_file(request: Request) -> Response:
    """`GET /files/{id}/{signature}`: an outgoing file, for a provider that has to fetch it, or a picture in a mail."""
    hub = hub_of(request)
    attachment_id, signature = request.path_params["attachment_id"], request.path_params["signature"]
    try:
        if not is_signed_file(hub.vault, attachment_id, signature, hub.database.clock()):
            raise NotFound("there is no such file")
        row = await hub.database.read(_load_public, int(attachment_id))
        if row is None:
            raise NotFound("there is no such file")
        answer = serve_file(hub.files, row)
        # A mail's frame has no origin, so none is the same as ours; whoever has the address was given it.
        answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return answer
    except Exception as error:
        return error_answer(request, error)
