"""A conversation as a document to print, keep or send."""

from __future__ import annotations

from typing import Literal

from starlette.responses import Response, StreamingResponse

from hub.timeline import transcripts
from hub.timeline.transcripts import Form, Wanted
from hub.web.api import Access, Context, endpoint

_MEDIA_TYPES = {Form.HTML: "text/html; charset=utf-8", Form.TEXT: "text/plain; charset=utf-8"}
_EXTENSIONS = {Form.HTML: "html", Form.TEXT: "txt"}


@endpoint(
    "GET",
    "/conversations/{conversation_id}/transcript",
    access=Access.AGENT,
    tag="conversations",
    summary="What was said, to print, keep or send",
    media_type="text/html",
)
async def get_transcript(
    context: Context,
    conversation_id: int,
    form: Literal["html", "text"] = "html",
    language: transcripts.Language | None = None,
    with_notes: bool = False,
    download: bool = False,
) -> Response:
    """Messages, calls and files' names, oldest first, by the organisation's clock; `with_notes`: what colleagues wrote for
    each other, too. `language`: of the words around them, else the customer's. `download`: as a file."""
    shape = Form(form)
    wanted = Wanted(conversation_id, shape, language, with_notes)
    database = context.hub.database
    head = await database.read(transcripts.load_head, context.viewer, wanted)
    headers = {"Content-Security-Policy": transcripts.POLICY, "Cache-Control": "private, no-store"}
    if download:
        headers["Content-Disposition"] = f'attachment; filename="conversation_{conversation_id}.{_EXTENSIONS[shape]}"'
    return StreamingResponse(
        transcripts.parts(database, context.viewer, wanted, head), media_type=_MEDIA_TYPES[shape], headers=headers
    )
